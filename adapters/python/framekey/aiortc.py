# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks for aiortc: frames are encrypted between encoder and packetiser, and decrypted between jitter buffer and decoder.

    sender = connection.addTrack(track)
    encrypt_sender(sender, sending_stream)

    @connection.on("track")
    def on_track(track):
        decrypt_receiver(receiver_of(connection, track), receiving_stream)

aiortc has no place for this in its interface, so the hooks know its insides, as of version 1.4, and refuse to be set
where they are not found. They wait for the daemon in aiortc's own encoder and decoder threads. Without a key nothing is
sent and nothing is decoded; nothing ever goes out in clear.
"""

import asyncio
import queue
from typing import Any, Callable, Iterator, List, Optional, Tuple, Union

from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, codecs
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterFrame

from .channel import Result, Stream
from .constants import Codec, ResultFlags, Verdict
from .errors import Error

Outcome = Union[Result, Error]
_START_CODE = b"\0\0\0\1"
_ENCODER = "_RTCRtpSender__encoder"
_QUEUE = "_RTCRtpReceiver__decoder_queue"
_THREAD = "_RTCRtpReceiver__decoder_thread"
_CODECS = {
    "audio/opus": Codec.OPUS,
    "audio/pcma": Codec.PCMA,
    "audio/pcmu": Codec.PCMU,
    "video/h264": Codec.H264,
    "video/vp8": Codec.VP8,
}


class Hook:
    """Stands for one sender or receiver. `stream` may be replaced at any time: by one of another channel after the
    daemon was started again, or by None, which drops every frame.
    """

    def __init__(self, stream: Optional[Stream], on_change: Optional[Callable[[Outcome], None]], timeout: float) -> None:
        self.stream = stream
        self.delivered = 0
        self.dropped = 0
        self._on_change = on_change
        self._timeout = timeout
        self._last: Any = Verdict.OK
        self._loop = asyncio.get_running_loop()

    # In aiortc's threads. What comes back is the frame, or None.
    def _run(self, method: Callable[..., Result], data: bytes, codec: Codec) -> Tuple[Optional[bytes], ResultFlags]:
        outcome: Outcome
        try:
            outcome = method(data, codec=codec, timeout=self._timeout)
            key: Any = outcome.verdict
        except Error as error:
            outcome, key = error, error.errno
        if key != self._last:
            self._last = key
            if self._on_change is not None:
                self._call_in_loop(self._on_change, outcome)
        if isinstance(outcome, Error) or outcome.data is None:
            self.dropped += 1
            return None, ResultFlags(0)
        self.delivered += 1
        return outcome.data, outcome.flags

    def _call_in_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            pass  # the loop has ended before its threads


class _SenderHook(Hook):
    def __init__(self, sender: Any, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sender = sender

    def seal(self, data: bytes, codec: Codec) -> Optional[bytes]:
        stream = self.stream
        sealed, flags = (None, ResultFlags(0)) if stream is None else self._run(stream.encrypt, data, codec)
        # What follows a dropped frame refers to it: begin anew.
        if sealed is None or flags & ResultFlags.KEYFRAME_WANTED:
            self._sender._send_keyframe()
        return sealed


class _FrameEncoder(Encoder):  # type: ignore[misc]
    """Audio: what the encoder makes is one frame."""

    def __init__(self, inner: Any, hook: _SenderHook, codec: Codec) -> None:
        self._inner, self._hook, self._codec = inner, hook, codec

    def _sealed(self, encoded: Tuple[List[bytes], int]) -> Tuple[List[bytes], int]:
        payloads, timestamp = encoded
        sealed = (self._hook.seal(bytes(payload), self._codec) for payload in payloads)
        return [payload for payload in sealed if payload is not None], timestamp

    def encode(self, frame: Any, force_keyframe: bool = False) -> Tuple[List[bytes], int]:
        return self._sealed(self._inner.encode(frame, force_keyframe))

    def pack(self, packet: Any) -> Tuple[List[bytes], int]:
        return self._sealed(self._inner.pack(packet))


def _encoder_for(parameters: Any, hook: _SenderHook) -> Any:
    """aiortc's encoder, with the daemon in front of its packetiser."""
    codec = _CODECS[parameters.mimeType.lower()]
    encoder = codecs.get_encoder(parameters)

    def packetize_vp8(data: bytes, picture_id: int) -> List[bytes]:
        sealed = hook.seal(bytes(data), codec) if data else None
        payloads: List[bytes] = [] if sealed is None else Vp8Encoder._packetize(sealed, picture_id)
        return payloads

    def packetize_h264(units: Iterator[bytes]) -> List[bytes]:
        # Start codes of four bytes are what the other end's depacketiser makes, and they are authenticated.
        data = b"".join(_START_CODE + unit for unit in units)
        sealed = hook.seal(data, codec) if data else None
        payloads: List[bytes] = []
        if sealed is not None:
            payloads = H264Encoder._packetize(H264Encoder._split_bitstream(sealed))
        return payloads

    if isinstance(encoder, Vp8Encoder):
        encoder._packetize = packetize_vp8
    elif isinstance(encoder, H264Encoder):
        encoder._packetize = packetize_h264
    else:
        encoder = _FrameEncoder(encoder, hook, codec)
    return encoder


def encrypt_sender(
    sender: RTCRtpSender,
    stream: Optional[Stream],
    *,
    on_change: Optional[Callable[[Outcome], None]] = None,
    timeout: float = 0.1,
) -> Hook:
    """Encrypts what this sender sends. Set it before the connection is made. `on_change` is called in the loop when the
    outcome is another one than that of the frame before.
    """
    if not hasattr(sender, "_next_encoded_frame") or not hasattr(sender, _ENCODER):
        raise RuntimeError("this version of aiortc has another kind of sender than 1.4: framekey.aiortc cannot hook it")
    if getattr(sender, _ENCODER) is not None:
        raise RuntimeError("this sender has sent frames in clear already: set the hook before the connection is made")
    hook = _SenderHook(sender, stream, on_change, timeout)
    original = sender._next_encoded_frame

    async def next_encoded_frame(parameters: Any) -> Any:
        if getattr(sender, _ENCODER) is None:
            setattr(sender, _ENCODER, _encoder_for(parameters, hook))
        return await original(parameters)

    sender._next_encoded_frame = next_encoded_frame
    return hook


class _DecryptingQueue(queue.Queue):  # type: ignore[type-arg]
    """Between jitter buffer and decoder thread: what is taken out is decrypted."""

    hook: "_ReceiverHook"

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        while True:
            task = super().get(block, timeout)
            if task is None:
                return None
            parameters, frame = task
            opened = self.hook.open(frame.data, _CODECS[parameters.mimeType.lower()])
            if opened is not None:
                return parameters, JitterFrame(data=opened, timestamp=frame.timestamp)


class _ReceiverHook(Hook):
    def __init__(self, receiver: Any, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._receiver = receiver

    def open(self, data: bytes, codec: Codec) -> Optional[bytes]:
        stream = self.stream
        if stream is None:
            self.dropped += 1
            return None
        opened, flags = self._run(stream.decrypt, data, codec)
        if flags & ResultFlags.REQUEST_KEYFRAME:
            self._call_in_loop(self._request_key_frame)
        return opened

    def _request_key_frame(self) -> None:
        for source in self._receiver.getSynchronizationSources():
            asyncio.ensure_future(self._receiver._send_rtcp_pli(source.source))


def decrypt_receiver(
    receiver: RTCRtpReceiver,
    stream: Optional[Stream],
    *,
    on_change: Optional[Callable[[Outcome], None]] = None,
    timeout: float = 0.1,
) -> Hook:
    """Decrypts what this receiver receives. Set it in the connection's handler of "track"."""
    if not hasattr(receiver, _QUEUE) or not hasattr(receiver, _THREAD):
        raise RuntimeError("this version of aiortc has another kind of receiver than 1.4: framekey.aiortc cannot hook it")
    if getattr(receiver, _THREAD) is not None:
        raise RuntimeError("this receiver decodes already: set the hook in the connection's handler of \"track\"")
    tasks = _DecryptingQueue()
    tasks.hook = hook = _ReceiverHook(receiver, stream, on_change, timeout)
    setattr(receiver, _QUEUE, tasks)
    return hook


def receiver_of(connection: RTCPeerConnection, track: Any) -> RTCRtpReceiver:
    """The receiver whose track this is."""
    return next(receiver for receiver in connection.getReceivers() if receiver.track is track)
