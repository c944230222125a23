#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bot in a call: it joins, hears what is said, and says it again. No key ever comes to this program.

    bot.py SOCKET            waits for one caller on this socket, and says back what it hears
    bot.py --call SOCKET     the caller: sends a tone, and prints how much of it comes back, as JSON

Both ends have framekeyd. Each has its key made in its daemon, and sends it to the other wrapped for the other's daemon.
Whenever a key is replaced, by an administrator (`framekeyctl rotate`), by age or because somebody left, the daemon says
so, and the new one goes the same way before it is used.
"""

import asyncio
import fractions
import json
import math
import sys
import time
from typing import Any, Dict

import aioice.ice
import aiortc
import numpy
from av import AudioFrame

import framekey
from framekey import Codec, Direction, Media, Role
from framekey.aiortc import decrypt_receiver, encrypt_sender, receiver_of

# This call does not leave the machine.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
RATE, TONE = 48000, 440


class Signalling:
    """Lines of JSON. A product's own is encrypted, and tells whose transport key it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, what: str, **fields: str) -> None:
        self.writer.write(json.dumps({"what": what, **fields}).encode() + b"\n")

    async def messages(self) -> Any:
        while line := await self.reader.readline():
            yield json.loads(line)


class Member:
    """One end of the call: what its daemon knows of it, and its half of the connection."""

    def __init__(self, name: str, signalling: Signalling) -> None:
        self.name, self.signalling = name, signalling
        self.peer = ""
        self.peer_key = b""
        self.client = framekey.Client()
        # A successor is used half a second after it was made: by then the other end has it.
        self.session = self.client.open_session("element-call", "bot", activate_after_usec=500000)
        self.session.add_participant(name, Role.LOCAL)
        self.session.generate_key(name, 0)
        self.session.on_event(self.on_event)
        self.client.attach(asyncio.get_running_loop())
        self.channel = self.session.open_channel()
        self.connection = aiortc.RTCPeerConnection()
        self.keys_sent = self.keys_received = 0

    def on_event(self, event: framekey.Event) -> None:
        if event.name == "KeyInstalled" and event.participant == self.name and event.key_index is not None:
            self.send_key(event.key_index)
        elif event.name == "DecryptionStalled":
            print(f"Cannot hear {event.participant}: {event.state}", file=sys.stderr)

    def send_key(self, index: int) -> None:
        if self.peer_key:
            package = self.session.export_wrapped(self.name, self.peer_key, index)
            self.signalling.send("key", package=package.hex())
            self.keys_sent += 1

    def introduce(self) -> None:
        key, _fingerprint = self.session.transport_key()
        self.signalling.send("member", name=self.name, transport_key=key.hex())

    def meet(self, message: Dict[str, str]) -> None:
        self.peer, self.peer_key = message["name"], bytes.fromhex(message["transport_key"])
        self.session.add_participant(self.peer, Role.REMOTE, follows="window")
        self.send_key(framekey.KEY_ACTIVE)

    def take_key(self, message: Dict[str, str]) -> None:
        self.session.import_wrapped(self.peer, bytes.fromhex(message["package"]))
        self.keys_received += 1

    def play(self, track: Any) -> None:
        stream = self.session.add_stream(self.channel, self.name, Direction.ENCRYPT, Media.AUDIO, Codec.OPUS)
        encrypt_sender(self.connection.addTrack(track), stream)

    def hear(self, track: Any) -> None:
        stream = self.session.add_stream(self.channel, self.peer, Direction.DECRYPT, Media.AUDIO, Codec.OPUS)
        decrypt_receiver(receiver_of(self.connection, track), stream)

    async def describe(self, description: Any) -> None:
        await self.connection.setLocalDescription(description)
        local = self.connection.localDescription
        self.signalling.send(local.type, sdp=local.sdp)

    async def accept(self, message: Dict[str, str]) -> None:
        await self.connection.setRemoteDescription(aiortc.RTCSessionDescription(message["sdp"], message["what"]))

    async def leave(self) -> None:
        await self.connection.close()
        self.channel.close()
        self.client.close()
        self.signalling.writer.close()


async def bot(signalling: Signalling) -> None:
    """Says back what it hears, until the caller hangs up."""
    member = Member("bot", signalling)

    @member.connection.on("track")
    def on_track(track: Any) -> None:
        member.hear(track)
        member.play(track)

    member.introduce()
    async for message in signalling.messages():
        if message["what"] == "member":
            member.meet(message)
        elif message["what"] == "key":
            member.take_key(message)
        elif message["what"] == "offer":
            await member.accept(message)
            await member.describe(await member.connection.createAnswer())
        elif message["what"] == "bye":
            break
    await member.leave()


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


async def caller(signalling: Signalling, seconds: float) -> None:
    """Sends a tone, and tells once a second how often it came back."""
    member = Member("caller", signalling)
    heard = {"tone": 0, "noise": 0}
    tasks = []

    async def listen(track: Any) -> None:
        while True:
            sound = (await track.recv()).to_ndarray().reshape(-1, 2)[:, 0].astype(float)
            spectrum = numpy.abs(numpy.fft.rfft(sound * numpy.hanning(len(sound))))
            found = abs(int(spectrum.argmax()) * RATE / len(sound) - TONE) < 60 and spectrum.max() > 100000
            heard["tone" if found else "noise"] += 1

    @member.connection.on("track")
    def on_track(track: Any) -> None:
        member.hear(track)
        tasks.append(asyncio.ensure_future(listen(track)))

    async def converse() -> None:
        async for message in signalling.messages():
            if message["what"] == "member":
                member.introduce()
                member.meet(message)
                member.play(Tone())
                await member.describe(await member.connection.createOffer())
            elif message["what"] == "key":
                member.take_key(message)
            elif message["what"] == "answer":
                await member.accept(message)

    conversation = asyncio.ensure_future(converse())
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        if conversation.done():
            conversation.result()
        print(json.dumps({**heard, "keys_sent": member.keys_sent, "keys_received": member.keys_received}), flush=True)
    signalling.send("bye")
    await signalling.writer.drain()
    for task in (conversation, *tasks):
        task.cancel()
    await member.leave()


async def serve(path: str) -> None:
    done = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            done.set_result(await bot(Signalling(reader, writer)))
        except BaseException as error:
            done.set_exception(error)

    async with await asyncio.start_unix_server(answer, path):
        await done


async def call(path: str) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    await caller(Signalling(reader, writer), 8)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--call":
        asyncio.run(call(sys.argv[2]))
    elif len(sys.argv) == 2:
        asyncio.run(serve(sys.argv[1]))
    else:
        sys.exit("usage: bot.py [--call] SOCKET")
