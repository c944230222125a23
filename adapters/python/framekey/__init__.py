# SPDX-License-Identifier: LGPL-2.1-or-later
"""End-to-end encryption of calls, with keys that stay in framekeyd.

    import framekey
    from framekey import Codec, Direction, Media, Role

    with framekey.Client() as client:
        session = client.open_session("livekit-passphrase", "standup")
        session.add_participant("bot", Role.LOCAL)
        with open("passphrase", "rb") as file:
            session.import_key("", 0, file.read())
        with session.open_channel() as channel:
            stream = session.add_stream(channel, "bot", Direction.ENCRYPT, Media.AUDIO, Codec.OPUS)
            result = stream.encrypt(frame)
            if result.delivered:
                send(result.data)

A frame's outcome is a `Result` with a `Verdict`, also where there is no output. What fails on our side raises an
`Error`, whose text says what to do. `framekey.aio` has the data plane for asyncio, `framekey.aiortc` the hooks for
aiortc. The C library's manual, libframekey(3) and libframekey-bus(3), says more about each call.
"""

from .channel import Channel, Packet, Result, Stream, StreamInfo
from .constants import (
    FRAME_MAX,
    KEY_ACTIVE,
    KEY_NEXT,
    METADATA_MAX,
    PACKET_IV_LENGTH,
    SECURITY_CODE_SIZE,
    TIMEOUT_INFINITE,
    TRANSPORT_KEY_LENGTH,
    Bus,
    Codec,
    Direction,
    Format,
    FrameType,
    Media,
    ResultFlags,
    Role,
    Verdict,
)
from .errors import ChannelClosed, ChannelStale, Error, NoAnswer, NoFreeSlot, NotRunning
from .session import Client, Event, Provider, Session

__all__ = [
    "FRAME_MAX",
    "KEY_ACTIVE",
    "KEY_NEXT",
    "METADATA_MAX",
    "PACKET_IV_LENGTH",
    "SECURITY_CODE_SIZE",
    "TIMEOUT_INFINITE",
    "TRANSPORT_KEY_LENGTH",
    "Bus",
    "Channel",
    "ChannelClosed",
    "ChannelStale",
    "Client",
    "Codec",
    "Direction",
    "Error",
    "Event",
    "Format",
    "FrameType",
    "Media",
    "NoAnswer",
    "NoFreeSlot",
    "NotRunning",
    "Packet",
    "Provider",
    "Result",
    "ResultFlags",
    "Role",
    "Session",
    "Stream",
    "StreamInfo",
    "Verdict",
]
