# SPDX-License-Identifier: LGPL-2.1-or-later
"""The libraries' constants as enums. A test compares them with the headers, one by one."""

import enum


class Direction(enum.IntEnum):
    ENCRYPT = 1
    DECRYPT = 2


class Format(enum.IntEnum):
    LIVEKIT = 1
    REALTIMEKIT = 2
    JITSI = 3
    SFRAME = 4
    DAVE = 5


class Media(enum.IntEnum):
    AUDIO = 1
    VIDEO = 2
    DATA = 3
    """Opaque bytes, nothing stays clear."""


class Codec(enum.IntEnum):
    UNKNOWN = 0
    """In a frame: the stream's codec."""
    OPUS = 1
    RED = 2
    PCMU = 3
    PCMA = 4
    G722 = 5
    AUDIO = 6
    """Any other audio codec."""
    VP8 = 16
    VP9 = 17
    AV1 = 18
    H264 = 19
    H265 = 20
    DATA = 32


class FrameType(enum.IntEnum):
    """What the encoder says of a video frame. Formats with 10 or 3 clear bytes depend on it."""

    UNSPECIFIED = 0
    """Audio and data; for video it is read from the bytes where the codec tells."""
    KEY = 1
    DELTA = 2
    EMPTY = 3
    """The browsers' third type; not the same as a frame of no bytes."""


class Verdict(enum.IntEnum):
    """What became of a frame: expected, counted by the daemon, never worth a log line of its own."""

    OK = 0
    EMPTY = 1
    SERVER_INJECTED = 2
    FORGED = 3
    REPLAYED = 4
    UNKNOWN_KEY = 5
    TOO_OLD = 6
    BUDGET = 7
    MALFORMED = 8
    TOO_SHORT = 9
    UNSUPPORTED = 10
    LIMIT = 11
    REFUSED = 12
    LOCKED = 13
    TOO_LONG = 14
    UNENCRYPTED = 15

    @classmethod
    def _missing_(cls, value: object) -> "Verdict":
        # From a library that is newer than this file: say so, and deliver nothing.
        member: "Verdict" = int.__new__(cls, value)  # type: ignore[call-overload]
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value  # type: ignore[assignment]
        return member


class ResultFlags(enum.IntFlag):
    NEW_KEY = 1 << 0
    """The first frame of this stream under this key or step."""
    KEYFRAME_WANTED = 1 << 1
    """Sending: make the next video frame a key frame."""
    REQUEST_KEYFRAME = 1 << 2
    """Receiving: it decrypts again after failures; ask the sender for a key frame."""
    RATCHET_SOON = 1 << 3
    """Sending: the key nears its limit."""
    OUTGOING = 1 << 4
    """Transcrypting: the frame was opened; the verdict is of the encrypting half."""


class Bus(enum.IntEnum):
    """Where the daemon is looked for."""

    SYSTEM = 0
    USER = 1
    ADDRESS = 2
    HOST = 3
    MACHINE = 4


class Role(enum.IntEnum):
    LOCAL = 1
    """We send as this participant."""
    REMOTE = 2
    """We receive from this participant."""


FRAME_MAX = 1 << 20
"""Longest frame in bytes, before encryption."""
METADATA_MAX = 512
"""Longest metadata that is authenticated with a frame (SFrame), in bytes."""
PACKET_IV_LENGTH = 12
TIMEOUT_INFINITE = 2**64 - 1

KEY_ACTIVE = 2**32 - 1
"""In place of a key index: the key that is sent under."""
KEY_NEXT = 2**32 - 2
"""In place of a key index: the one behind the last that was set."""
TRANSPORT_KEY_LENGTH = 32
SECURITY_CODE_SIZE = 32
