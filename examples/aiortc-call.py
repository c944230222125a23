#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two aiortc peers on this machine, one calls the other: sound and picture, encrypted end to end by framekeyd.

    aiortc-call.py [SECONDS [PASSPHRASE-OF-THE-SECOND]]

The first plays a tone and a moving bar. On the way its key steps, and then it is replaced by another one. Prints what the
second hears and sees, one line a second, as JSON.
"""

import asyncio
import fractions
import json
import math
import sys
import time
from typing import Any

import aioice.ice
import aiortc
import numpy
from av import AudioFrame, VideoFrame

import framekey
from framekey import Codec, Direction, Media, Role
from framekey.aiortc import decrypt_receiver, encrypt_sender, receiver_of

PASSPHRASE = "correct horse battery staple"
NEXT_PASSPHRASE = "tower of babel"
# This call does not leave the machine.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
RATE, TONE = 48000, 440
WIDTH, HEIGHT, BARS = 320, 240, 8


class Tone(aiortc.MediaStreamTrack):
    kind = "audio"
    samples = 0

    async def recv(self) -> AudioFrame:
        n = RATE // 50
        start = self.samples
        self.samples += n
        if start == 0:
            self.begun = time.monotonic()
        await asyncio.sleep(max(0.0, self.begun + start / RATE - time.monotonic()))
        wave = numpy.sin(numpy.arange(start, start + n) * 2 * math.pi * TONE / RATE) * 12000
        frame = AudioFrame.from_ndarray(wave.astype(numpy.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, fractions.Fraction(1, RATE)
        return frame


class Bar(aiortc.VideoStreamTrack):
    """One bright bar out of eight, the next one each second."""

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        picture = numpy.full((HEIGHT, WIDTH, 3), 40, numpy.uint8)
        bar = int(pts * time_base) % BARS
        picture[:, bar * WIDTH // BARS : (bar + 1) * WIDTH // BARS] = 220
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Side:
    """One peer: its own connection to the daemon, and its own session. A channel and an RTCPeerConnection for each kind
    of media: the two are waited for in threads of their own, and aiortc 1.4 takes one's header extensions for the
    other's where they share a connection.
    """

    def __init__(self, role: Role, passphrase: str) -> None:
        self.client = framekey.Client()
        self.session = self.client.open_session("livekit-passphrase", "aiortc-call")
        self.session.add_participant("alice", role)
        self.keys = framekey.Provider(self.session)
        self.keys.set_passphrase(passphrase, index=0)
        self.channels = {media: self.session.open_channel(jumbo_slots=2) for media in (Media.AUDIO, Media.VIDEO)}
        self.connections = {media: aiortc.RTCPeerConnection() for media in self.channels}

    def stream(self, direction: Direction, media: Media) -> framekey.Stream:
        codec = Codec.OPUS if media == Media.AUDIO else Codec.VP8
        return self.session.add_stream(self.channels[media], "alice", direction, media, codec)

    async def close(self) -> None:
        for connection in self.connections.values():
            await connection.close()
        for channel in self.channels.values():
            channel.close()
        self.keys.close()
        self.client.close()


class Report:
    """What is heard and seen."""

    def __init__(self) -> None:
        self.tone = self.noise = self.bars = self.pictures = 0
        self.verdicts: "list[str]" = []

    async def listen(self, track: Any) -> None:
        while True:
            sound = (await track.recv()).to_ndarray().reshape(-1, 2)[:, 0].astype(float)
            spectrum = numpy.abs(numpy.fft.rfft(sound * numpy.hanning(len(sound))))
            if abs(int(spectrum.argmax()) * RATE / len(sound) - TONE) < 60 and spectrum.max() > 100000:
                self.tone += 1
            else:
                self.noise += 1

    async def look(self, track: Any) -> None:
        while True:
            picture = (await track.recv()).to_ndarray(format="gray")
            columns = picture.reshape(HEIGHT, BARS, -1).mean(axis=(0, 2))
            self.pictures += 1
            self.bars += sorted(columns > 130) == [False] * (BARS - 1) + [True]

    def changed(self, outcome: Any) -> None:
        text = outcome.strerror if isinstance(outcome, framekey.Error) else outcome.verdict.name
        self.verdicts.append(text)


async def connect(one: aiortc.RTCPeerConnection, other: aiortc.RTCPeerConnection) -> None:
    # The signalling of this call is two variables.
    await one.setLocalDescription(await one.createOffer())
    await other.setRemoteDescription(one.localDescription)
    await other.setLocalDescription(await other.createAnswer())
    await one.setRemoteDescription(other.localDescription)


async def change_keys(sender: Side, receiver: Side, seconds: float) -> None:
    await asyncio.sleep(seconds / 3)
    sender.keys.ratchet()  # the other side follows by itself
    await asyncio.sleep(seconds / 3)
    # The others first; who sends uses the new key when all have it.
    index = sender.keys.set_passphrase(NEXT_PASSPHRASE, activate_after_usec=500000)
    receiver.keys.set_passphrase(NEXT_PASSPHRASE, index=index)


async def call(seconds: float, passphrase: str) -> None:
    sender, receiver = Side(Role.LOCAL, PASSPHRASE), Side(Role.REMOTE, passphrase)
    report = Report()
    tasks = []
    for media, source in ((Media.AUDIO, Tone()), (Media.VIDEO, Bar())):
        one, other = sender.connections[media], receiver.connections[media]

        def on_track(track: Any, media: Media = media, other: Any = other) -> None:
            stream = receiver.stream(Direction.DECRYPT, media)
            decrypt_receiver(receiver_of(other, track), stream, on_change=report.changed)
            tasks.append(asyncio.ensure_future((report.listen if media == Media.AUDIO else report.look)(track)))

        other.on("track", on_track)
        encrypt_sender(one.addTrack(source), sender.stream(Direction.ENCRYPT, media))
        await connect(one, other)

    if passphrase == PASSPHRASE:
        tasks.append(asyncio.ensure_future(change_keys(sender, receiver, seconds)))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(1)
        print(json.dumps(vars(report)), flush=True)
    for task in tasks:
        task.cancel()
    await sender.close()
    await receiver.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(call(float(arguments[0]) if arguments else 10, arguments[1] if len(arguments) > 1 else PASSPHRASE))
