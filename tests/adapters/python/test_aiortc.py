# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hooks for aiortc, codec by codec: from aiortc's encoder through its packets to what its decoder is given."""

import asyncio
import fractions
import unittest

import aiortc
import av
import numpy
from aiortc import codecs
from aiortc.jitterbuffer import JitterFrame

import framekey
from framekey import Codec, Direction, Media, Role
from framekey.aiortc import _encoder_for, decrypt_receiver, encrypt_sender, receiver_of


def parameters_of(mime_type):
    kind = mime_type.split("/")[0]
    return next(codec for codec in codecs.CODECS[kind] if codec.mimeType.lower() == mime_type)


def sound():
    frame = av.AudioFrame.from_ndarray(numpy.zeros((1, 960), numpy.int16) + 500, format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, fractions.Fraction(1, 48000)
    return frame


def picture(number):
    frame = av.VideoFrame.from_ndarray(numpy.full((240, 320, 3), 20 * number, numpy.uint8), format="rgb24")
    frame.pts, frame.time_base = number * 3000, fractions.Fraction(1, 90000)
    return frame


class Hooks(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.client = framekey.Client()
        self.addCleanup(self.client.close)
        self.sender, self.receiver = (self.session(role) for role in (Role.LOCAL, Role.REMOTE))

    def session(self, role):
        session = self.client.open_session("livekit-passphrase")
        session.add_participant("alice", role)
        return session

    def keys(self):
        for session in (self.sender, self.receiver):
            session.import_key("", 0, b"correct horse battery staple")

    def stream(self, session, direction, mime_type):
        media = Media.AUDIO if mime_type.startswith("audio") else Media.VIDEO
        channel = session.open_channel(jumbo_slots=2)
        self.addCleanup(channel.close)
        # The hook names each frame's codec: the stream's own is another.
        return session.add_stream(channel, "alice", direction, media, Codec.OPUS if media == Media.AUDIO else Codec.VP8)

    def hooked(self, mime_type):
        connection = aiortc.RTCPeerConnection()
        self.addAsyncCleanup(connection.close)
        media = mime_type.split("/")[0]
        transceiver = connection.addTransceiver(media)
        receiver = transceiver.receiver
        sending = encrypt_sender(transceiver.sender, self.stream(self.sender, Direction.ENCRYPT, mime_type), timeout=9)
        receiving = decrypt_receiver(receiver, self.stream(self.receiver, Direction.DECRYPT, mime_type), timeout=9)
        return transceiver, sending, receiving, getattr(receiver, "_RTCRtpReceiver__decoder_queue")

    async def test_every_codec_arrives_as_it_was_encoded(self):
        self.keys()
        for mime_type in ("audio/opus", "audio/pcmu", "audio/pcma", "video/vp8", "video/h264"):
            parameters = parameters_of(mime_type)
            _transceiver, sending, _receiving, tasks = self.hooked(mime_type)
            encoder = _encoder_for(parameters, sending)
            plain = []
            run = sending._run

            def remember(method, data, codec):
                plain.append(data)
                return run(method, data, codec)

            sending._run = remember
            for number in range(1, 4):
                payloads, _timestamp = encoder.encode(picture(number) if "video" in mime_type else sound())
                self.assertTrue(payloads)
                wire = b"".join(codecs.depayload(parameters, payload) for payload in payloads)
                self.assertNotIn(plain[-1][-30:], wire, mime_type)
                tasks.put((parameters, JitterFrame(data=wire, timestamp=number)))
                self.assertEqual(tasks.get(timeout=10)[1].data, plain[-1], mime_type)

    async def test_a_packet_that_was_encoded_elsewhere_is_encrypted_too(self):
        self.keys()
        _transceiver, sending, _receiving, tasks = self.hooked("audio/opus")
        packet = av.Packet(b"\xf8" + bytes(40))
        packet.pts, packet.time_base = 0, fractions.Fraction(1, 48000)
        (payload,), _timestamp = _encoder_for(parameters_of("audio/opus"), sending).pack(packet)
        tasks.put((parameters_of("audio/opus"), JitterFrame(data=payload, timestamp=1)))
        self.assertEqual(tasks.get(timeout=10)[1].data, b"\xf8" + bytes(40))

    async def test_nothing_goes_out_without_a_key_and_the_first_picture_is_whole(self):
        seen = []
        transceiver, sending, _receiving, _tasks = self.hooked("video/vp8")
        sending._on_change = seen.append
        encoder = _encoder_for(parameters_of("video/vp8"), sending)
        for number in range(3):
            self.assertEqual(encoder.encode(picture(number))[0], [])
        await asyncio.sleep(0.1)
        self.assertEqual([outcome.verdict for outcome in seen], [framekey.Verdict.UNKNOWN_KEY])
        self.assertTrue(transceiver.sender._RTCRtpSender__force_keyframe)
        self.keys()
        self.assertTrue(encoder.encode(picture(4), True)[0])
        sending.stream = None
        self.assertEqual(encoder.encode(picture(5))[0], [])

    async def test_a_channel_that_ended_drops_frames_until_there_is_another(self):
        self.keys()
        seen = []
        _transceiver, sending, _receiving, _tasks = self.hooked("audio/opus")
        sending._on_change = seen.append
        encoder = _encoder_for(parameters_of("audio/opus"), sending)
        self.assertTrue(encoder.encode(sound())[0])
        self.sender.close_channel(sending.stream.channel)
        while encoder.encode(sound())[0]:
            pass
        await asyncio.sleep(0.1)
        self.assertIsInstance(seen[-1], framekey.ChannelClosed)
        sending.stream = self.stream(self.sender, Direction.ENCRYPT, "audio/opus")
        self.assertTrue(encoder.encode(sound())[0])

    async def test_a_hook_that_comes_too_late_is_refused(self):
        transceiver, _sending, _receiving, _tasks = self.hooked("audio/opus")
        transceiver.sender._RTCRtpSender__encoder = object()
        with self.assertRaises(RuntimeError):
            encrypt_sender(transceiver.sender, None)
        transceiver.receiver._RTCRtpReceiver__decoder_thread = object()
        with self.assertRaises(RuntimeError):
            decrypt_receiver(transceiver.receiver, None)
        transceiver.receiver._RTCRtpReceiver__decoder_thread = None
        with self.assertRaises(RuntimeError):
            encrypt_sender(object(), None)

    async def test_a_tracks_receiver_is_found(self):
        connection = aiortc.RTCPeerConnection()
        self.addAsyncCleanup(connection.close)
        receiver = connection.addTransceiver("audio").receiver
        self.assertIs(receiver_of(connection, receiver.track), receiver)


if __name__ == "__main__":
    unittest.main()
