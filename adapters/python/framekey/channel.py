# SPDX-License-Identifier: LGPL-2.1-or-later
"""Channels and streams: the data plane.

A channel may be used from any thread; calls on one exclude each other, and the interpreter's lock is free while they
wait. Use a channel for each thread that has frames to wait for.
"""

import ctypes
import dataclasses
import threading
from types import TracebackType
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence, Tuple, Type, Union

from ._library import Buffer, Frame, RawResult, as_argument, lib, verdict_text
from .constants import (
    PACKET_IV_LENGTH,
    TIMEOUT_INFINITE,
    Codec,
    Direction,
    Format,
    FrameType,
    Media,
    ResultFlags,
    Verdict,
)
from .errors import Error, error_from

_PACKET_TAG_LENGTH = 16


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a frame."""

    verdict: Verdict
    data: Optional[bytes]
    """The output; None if there is none. Not every frame with output was authenticated: see `verdict`."""
    stream: int
    key_index: int
    """The key index that was used or asked for; SFrame: the low 16 bits of the KID."""
    step: int
    """The ratchet step of that key; DAVE: its generation."""
    flags: ResultFlags

    @property
    def delivered(self) -> bool:
        return self.data is not None

    @property
    def text(self) -> str:
        """One sentence: what the verdict means, and what to do."""
        return verdict_text(self.verdict)


class StreamInfo(NamedTuple):
    direction: Direction
    format: Format
    media: Media
    codec: Codec


class Packet(NamedTuple):
    """An encrypted data packet of LiveKit: IV and key index travel beside the bytes."""

    verdict: Verdict
    data: Optional[bytes]
    iv: bytes
    key_index: int


def _usec(timeout: Optional[float]) -> int:
    return TIMEOUT_INFINITE if timeout is None else int(timeout * 1_000_000)


def _check(result: int) -> int:
    if result < 0:
        raise error_from(result, verdict_text(result))
    return result


class Channel:
    """A way for frames to the daemon and back. `Session.open_channel()` makes one, or `from_fds()` with the descriptors
    that another process was given. Close it, or use it in a `with` statement.
    """

    def __init__(self, handle: ctypes.c_void_p, path: str = "") -> None:
        self.path = path
        """Its object path on the bus, where it was opened; a process that was given descriptors does not know it."""
        self._handle = handle
        self._guard = threading.Lock()
        self._users = 0
        self._open = True

    @classmethod
    def from_fds(cls, fds: Sequence[int], path: str = "") -> "Channel":
        """Takes over a channel from the four descriptors of OpenChannel's reply, in their order. They are duplicated:
        the caller closes the ones it passed.
        """
        handle = ctypes.c_void_p()
        _check(lib.framekey_channel_new_from_fds(ctypes.byref(handle), (ctypes.c_int * len(fds))(*fds), len(fds)))
        return cls(handle, path)

    def close(self) -> None:
        """Ends this process's use; frames under way are forgotten. A call that waits in another thread ends first."""
        with self._guard:
            self._open = False
            handle, free = self._handle, self._users == 0
            if free:
                self._handle = ctypes.c_void_p()
        if free:
            lib.framekey_channel_free(handle)

    def __enter__(self) -> "Channel":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_guard"):
            self.close()

    # C must not be left with memory that another thread frees: the last one out does it.
    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self._guard:
            if not self._open:
                raise ValueError("this channel is closed: open another one")
            self._users += 1
        try:
            return function(self._handle, *arguments)
        finally:
            with self._guard:
                self._users -= 1
                free = not self._open and self._users == 0
                handle = self._handle
                if free:
                    self._handle = ctypes.c_void_p()
            if free:
                lib.framekey_channel_free(handle)

    def fileno(self) -> int:
        """A descriptor that polls readable when results are waiting, once reap() has taken all there were."""
        fd: int = _check(self._call(lib.framekey_channel_get_fd))
        return fd

    def stream(self, number: int) -> "Stream":
        """The stream that was granted under this number."""
        return Stream(self, number)

    def submit(self, stream: "Stream", data: Buffer, cookie: int, *, flush: bool = True, **about: Any) -> None:
        """Hands a frame over and does not wait: reap() gives its result, with `cookie`. `about` is as for
        Stream.encrypt(). Several frames need one flush: the last one's.
        """
        frame, _metadata = stream._frame(**about)
        self._call(_submit, frame, data, cookie)
        if flush:
            self.flush()

    def flush(self) -> None:
        """Lets the daemon see what was submitted."""
        _check(self._call(lib.framekey_flush))

    def reap(self) -> Iterator[Tuple[int, Union[Result, Error]]]:
        """All results that are there, each as (cookie, result), in any order; an Error is one that the daemon could not
        process. Take them to the last: only then the descriptor tells of the next.
        """
        while True:
            raw = RawResult(size=ctypes.sizeof(RawResult))
            if _check(self._call(lib.framekey_reap, ctypes.byref(raw))) == 0:
                return
            data = self._call(_take, raw)
            yield raw.cookie, _failure(raw) if raw.verdict < 0 else _result(raw, data)

    def transcrypt(
        self, source: "Stream", target: "Stream", data: Buffer, *, timeout: Optional[float] = 1.0, **about: Any
    ) -> Result:
        """Decrypts a frame of one stream and encrypts it for another, in the daemon. `about`, of the frame as it comes,
        is as for Stream.decrypt(). A verdict with ResultFlags.OUTGOING is of the encrypting half.
        """
        incoming, _metadata = source._frame(**about)
        outgoing, _none = target._frame()
        argument, length = as_argument(data)
        out = ctypes.create_string_buffer(self._call(lib.framekey_sealed_max, target.number, length) + 1)
        n, raw = ctypes.c_size_t(), RawResult(size=ctypes.sizeof(RawResult))
        _check(
            self._call(
                lib.framekey_transcrypt,
                ctypes.byref(incoming),
                ctypes.byref(outgoing),
                argument,
                length,
                out,
                len(out),
                ctypes.byref(n),
                ctypes.byref(raw),
                _usec(timeout),
            )
        )
        return _result(raw, _delivered(raw.verdict, out, n))


def _failure(raw: RawResult) -> Error:
    return error_from(raw.verdict, verdict_text(raw.verdict))


def _delivered(verdict: int, out: Any, length: ctypes.c_size_t) -> Optional[bytes]:
    return ctypes.string_at(out, length.value) if lib.framekey_verdict_delivers(verdict) else None


def _result(raw: RawResult, data: Optional[bytes]) -> Result:
    return Result(Verdict(raw.verdict), data, raw.stream, raw.key_index, raw.step, ResultFlags(raw.flags))


def _submit(handle: ctypes.c_void_p, frame: Frame, data: Buffer, cookie: int) -> None:
    argument, length = as_argument(data)
    slot, place = ctypes.c_uint32(), ctypes.c_void_p()
    _check(lib.framekey_reserve(handle, ctypes.byref(frame), length, ctypes.byref(slot), ctypes.byref(place)))
    ctypes.memmove(place, argument, length)
    result = lib.framekey_submit(handle, slot, ctypes.byref(frame), length, cookie)
    if result < 0:
        lib.framekey_release(handle, slot)
        _check(result)


def _take(handle: ctypes.c_void_p, raw: RawResult) -> Optional[bytes]:
    delivers = lib.framekey_verdict_delivers(raw.verdict)
    if raw.data or not delivers:
        data = ctypes.string_at(raw.data, raw.length) if delivers else None
        lib.framekey_release(handle, raw.slot)
        return data
    # The codec's last step, which can make the frame longer.
    n = ctypes.c_size_t()
    out = ctypes.create_string_buffer(max(raw.length, lib.framekey_sealed_max(handle, raw.stream, raw.length)) + 1)
    _check(lib.framekey_take(handle, ctypes.byref(raw), out, len(out), ctypes.byref(n)))
    return ctypes.string_at(out, n.value)


@dataclasses.dataclass(frozen=True)
class Stream:
    """One participant's frames in one direction, as granted on a channel."""

    channel: Channel
    number: int

    def info(self) -> StreamInfo:
        """What was granted. Raises Error (ENOENT) if it is no more."""
        values = [ctypes.c_uint32() for _ in range(4)]
        _check(self.channel._call(lib.framekey_stream_get, self.number, *map(ctypes.byref, values)))
        direction, format_, media, codec = (value.value for value in values)
        return StreamInfo(Direction(direction), Format(format_), Media(media), Codec(codec))

    def encrypt(
        self,
        data: Buffer,
        *,
        frame_type: FrameType = FrameType.UNSPECIFIED,
        codec: Codec = Codec.UNKNOWN,
        ssrc: int = 0,
        rtp_timestamp: int = 0,
        metadata: bytes = b"",
        timeout: Optional[float] = 1.0,
    ) -> Result:
        """Encrypts one whole encoded frame and waits for it, `timeout` seconds at most (None: without limit)."""
        frame, keep = self._frame(frame_type, codec, ssrc, rtp_timestamp, metadata)
        return self._wait_for(lib.framekey_encrypt, lib.framekey_sealed_max, frame, keep, data, timeout)

    def decrypt(
        self,
        data: Buffer,
        *,
        frame_type: FrameType = FrameType.UNSPECIFIED,
        codec: Codec = Codec.UNKNOWN,
        ssrc: int = 0,
        rtp_timestamp: int = 0,
        metadata: bytes = b"",
        timeout: Optional[float] = 1.0,
    ) -> Result:
        """Decrypts one whole frame and waits for it, as encrypt()."""
        frame, keep = self._frame(frame_type, codec, ssrc, rtp_timestamp, metadata)
        return self._wait_for(lib.framekey_decrypt, lib.framekey_opened_max, frame, keep, data, timeout)

    def encrypt_packet(self, data: Buffer, *, timeout: Optional[float] = 1.0) -> Packet:
        """Encrypts a data packet as LiveKit has them, on a stream of Media.DATA."""
        argument, length = as_argument(data)
        out, iv = ctypes.create_string_buffer(length + _PACKET_TAG_LENGTH), ctypes.create_string_buffer(PACKET_IV_LENGTH)
        n, key_index = ctypes.c_size_t(), ctypes.c_uint32()
        verdict = _check(
            self.channel._call(
                lib.framekey_packet_encrypt,
                self.number,
                argument,
                length,
                out,
                len(out),
                ctypes.byref(n),
                iv,
                ctypes.byref(key_index),
                _usec(timeout),
            )
        )
        return Packet(Verdict(verdict), _delivered(verdict, out, n), iv.raw, key_index.value)

    def decrypt_packet(
        self, data: Buffer, iv: bytes, key_index: int, *, timeout: Optional[float] = 1.0
    ) -> Tuple[Verdict, Optional[bytes]]:
        """Decrypts a data packet."""
        argument, length = as_argument(data)
        out, n = ctypes.create_string_buffer(length + 1), ctypes.c_size_t()
        verdict = _check(
            self.channel._call(
                lib.framekey_packet_decrypt,
                self.number,
                argument,
                length,
                iv,
                len(iv),
                key_index,
                out,
                len(out),
                ctypes.byref(n),
                _usec(timeout),
            )
        )
        return Verdict(verdict), _delivered(verdict, out, n)

    # The structure, and what it points to.
    def _frame(
        self,
        frame_type: FrameType = FrameType.UNSPECIFIED,
        codec: Codec = Codec.UNKNOWN,
        ssrc: int = 0,
        rtp_timestamp: int = 0,
        metadata: bytes = b"",
    ) -> Tuple[Frame, Any]:
        keep = ctypes.create_string_buffer(metadata, len(metadata)) if metadata else None
        frame = Frame(
            size=ctypes.sizeof(Frame),
            stream=self.number,
            frame_type=frame_type,
            codec=codec,
            ssrc=ssrc,
            rtp_timestamp=rtp_timestamp,
            metadata_len=len(metadata),
            metadata=ctypes.cast(keep, ctypes.c_void_p) if keep else None,
        )
        return frame, keep

    def _wait_for(
        self, function: Any, bound: Any, frame: Frame, keep: Any, data: Buffer, timeout: Optional[float]
    ) -> Result:
        argument, length = as_argument(data)
        # No such stream has no bound: the call itself says so, in its verdict.
        out = ctypes.create_string_buffer(max(self.channel._call(bound, self.number, length), length) + 1)
        n, raw = ctypes.c_size_t(), RawResult(size=ctypes.sizeof(RawResult))
        _check(
            self.channel._call(
                function,
                ctypes.byref(frame),
                argument,
                length,
                out,
                len(out),
                ctypes.byref(n),
                ctypes.byref(raw),
                _usec(timeout),
            )
        )
        del keep
        return _result(raw, _delivered(raw.verdict, out, n))

