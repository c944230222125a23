# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Python binding with a real daemon: frames, verdicts, keys, events, and what becomes of it all when something ends.

Run by test-python.sh, which starts the daemon.
"""

import asyncio
import errno
import gc
import os
import pathlib
import select
import signal
import subprocess
import sys
import threading
import time
import unittest

import framekey
import framekey.aio
from framekey import Codec, Direction, FrameType, Media, ResultFlags, Role, Verdict

OPUS = bytes.fromhex("f8fffe") + bytes(range(60))
VP8_KEY = bytes.fromhex("d00200 9d012a 4001f000") + bytes(500)
PASSPHRASE = b"correct horse battery staple"


class Call(unittest.TestCase):
    """A session that sends as alice, and one that hears her."""

    profile = "livekit-passphrase"
    secret = PASSPHRASE

    def setUp(self):
        self.client = framekey.Client()
        self.addCleanup(self.client.close)
        self.sender, self.sending = self.side(Role.LOCAL)
        self.receiver, self.receiving = self.side(Role.REMOTE)

    def side(self, role):
        session = self.client.open_session(self.profile, "test")
        session.add_participant("alice", role)
        session.import_key("", 0, self.secret)
        channel = session.open_channel()
        self.addCleanup(channel.close)
        return session, channel

    def streams(self, media=Media.AUDIO, codec=Codec.OPUS):
        return (
            self.sender.add_stream(self.sending, "alice", Direction.ENCRYPT, media, codec),
            self.receiver.add_stream(self.receiving, "alice", Direction.DECRYPT, media, codec),
        )


class Frames(Call):
    def test_a_frame_comes_back_as_it_was(self):
        out, back = self.streams()
        sealed = out.encrypt(OPUS)
        self.assertEqual(sealed.verdict, Verdict.OK)
        self.assertEqual(sealed.data[:1], OPUS[:1])
        self.assertNotIn(OPUS[1:], sealed.data)
        self.assertTrue(sealed.flags & ResultFlags.NEW_KEY)
        opened = back.decrypt(sealed.data)
        self.assertEqual((opened.verdict, opened.data, opened.key_index), (Verdict.OK, OPUS, 0))

    def test_every_kind_of_buffer_is_taken(self):
        out, back = self.streams()
        for data in (OPUS, bytearray(OPUS), memoryview(OPUS), memoryview(bytearray(OPUS))):
            self.assertEqual(back.decrypt(out.encrypt(data).data).data, OPUS)

    def test_h264_and_vp8_take_the_last_step(self):
        for codec, frame in (
            (Codec.H264, b"\0\0\0\1\x67\x42\0\x1f\0\0\0\1\x65" + b"\0\0\0\1\0\0\0" * 40 + b"\x80"),
            (Codec.VP8, VP8_KEY),
        ):
            out, back = self.streams(Media.VIDEO, codec)
            sealed = out.encrypt(frame, frame_type=FrameType.KEY)
            self.assertEqual(back.decrypt(sealed.data, frame_type=FrameType.KEY).data, frame, codec)
            self.sending.submit(out, frame, 7, frame_type=FrameType.KEY)
            self.receiving.submit(back, self.next_result(self.sending)[1].data, 8, frame_type=FrameType.KEY)
            self.assertEqual(self.next_result(self.receiving)[1].data, frame, codec)

    def next_result(self, channel):
        for _ in range(100):
            for found in channel.reap():
                return found
            select.select([channel], [], [], 0.1)
        self.fail("no result came")

    def test_verdicts_are_answers_and_not_errors(self):
        out, back = self.streams()
        sealed = out.encrypt(OPUS).data
        changed = sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]
        forged = back.decrypt(changed)
        self.assertEqual((forged.verdict, forged.data, forged.delivered), (Verdict.FORGED, None, False))
        self.assertIn(" ", forged.text)
        self.assertEqual(back.decrypt(sealed).verdict, Verdict.OK)
        self.assertEqual(back.decrypt(sealed).verdict, Verdict.REPLAYED)
        self.assertEqual(out.encrypt(b"").verdict, Verdict.EMPTY)
        self.assertEqual(out.encrypt(b"").data, b"")
        self.assertEqual(out.decrypt(sealed).verdict, Verdict.REFUSED)
        self.assertEqual(self.sending.stream(4711).encrypt(OPUS).verdict, Verdict.REFUSED)

    def test_a_verdict_of_a_newer_library_delivers_nothing(self):
        self.assertEqual(int(Verdict(4711)), 4711)
        self.assertEqual(Verdict(4711).name, "UNKNOWN_4711")

    def test_a_stream_tells_what_it_is(self):
        out, back = self.streams(Media.VIDEO, Codec.VP8)
        self.assertEqual(
            tuple(back.info()), (Direction.DECRYPT, framekey.Format.LIVEKIT, Media.VIDEO, Codec.VP8)
        )
        self.sender.remove_stream(self.sending, out)
        with self.assertRaises(framekey.Error) as caught:
            out.info()
        self.assertEqual(caught.exception.errno, errno.ENOENT)

    def test_threads_share_a_channel(self):
        out, back = self.streams()
        opened = []

        def work(number):
            for i in range(50):
                frame = OPUS + bytes([number, i])
                opened.append(back.decrypt(out.encrypt(frame, timeout=10).data, timeout=10).data == frame)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(opened, [True] * 200)

    def test_a_closed_channel_says_so_in_every_thread(self):
        out, _back = self.streams()
        stop = threading.Event()
        raised = []

        def work():
            try:
                while not stop.is_set():
                    out.encrypt(OPUS, timeout=10)
            except ValueError as error:
                raised.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        self.sending.close()
        for thread in threads:
            thread.join(20)
        stop.set()
        self.assertEqual(len(raised), 3)
        self.assertIn("open another one", raised[0])

    def test_channels_that_nobody_holds_are_closed(self):
        def fds():
            return len(os.listdir("/proc/self/fd"))

        before = fds()
        for _ in range(5):
            self.sender.open_channel()
            gc.collect()
        self.assertLessEqual(fds(), before)

    def test_a_data_packet_comes_back(self):
        out, back = self.streams(Media.DATA, Codec.DATA)
        packet = out.encrypt_packet(b"hello")
        self.assertEqual((packet.verdict, len(packet.data), len(packet.iv)), (Verdict.OK, 5 + 16, 12))
        self.assertEqual(back.decrypt_packet(packet.data, packet.iv, packet.key_index), (Verdict.OK, b"hello"))

    def test_a_bridge_transcrypts(self):
        key = os.urandom(16)
        inside, outside = (self.client.open_session("jitsi", name) for name in ("bridge", "beyond"))
        for session, role in ((inside, Role.LOCAL), (outside, Role.REMOTE)):
            session.add_participant("alice", role)
            session.import_key("alice", 0, key)
        out, opening = self.streams()
        sealing = inside.add_stream(self.receiving, "alice", Direction.ENCRYPT, Media.AUDIO, Codec.OPUS)
        moved = self.receiving.transcrypt(opening, sealing, out.encrypt(OPUS).data)
        self.assertEqual(moved.verdict, Verdict.OK)
        with outside.open_channel() as channel:
            back = outside.add_stream(channel, "alice", Direction.DECRYPT, Media.AUDIO, Codec.OPUS)
            self.assertEqual(back.decrypt(moved.data).data, OPUS)


class Metadata(Call):
    profile = "sframe"
    secret = bytes(range(16))

    def side(self, role):
        session = self.client.open_session(self.profile, "test", cipher_suite="AES_128_GCM_SHA256_128")
        session.add_participant("alice", role)
        session.import_key("alice", 0, self.secret, kid=5)
        channel = session.open_channel()
        self.addCleanup(channel.close)
        return session, channel

    def test_metadata_is_authenticated(self):
        out, back = self.streams()
        sealed = out.encrypt(OPUS, metadata=b"seat 7").data
        self.assertEqual(back.decrypt(sealed, metadata=b"seat 8").verdict, Verdict.FORGED)
        self.assertEqual(back.decrypt(sealed, metadata=b"seat 7").data, OPUS)


class Asynchronous(Call):
    def test_many_frames_are_under_way_at_once(self):
        out, back = self.streams()

        async def run():
            async with framekey.aio.AsyncChannel(self.sending) as sending:
                async with framekey.aio.AsyncChannel(self.receiving) as receiving:

                    async def there_and_back(number):
                        sealed = await sending.run(out, OPUS + bytes([number]))
                        return (await receiving.run(back, sealed.data)).data

                    return await asyncio.gather(*map(there_and_back, range(6)))

        found = asyncio.run(asyncio.wait_for(run(), 20))
        self.assertEqual(found, [OPUS + bytes([n]) for n in range(6)])

    def test_too_many_frames_are_refused_and_not_queued(self):
        out, _back = self.streams()
        with self.assertRaises(framekey.NoFreeSlot):
            for cookie in range(1000):
                self.sending.submit(out, OPUS, cookie, flush=False)

    def test_waiters_learn_that_the_channel_is_closed(self):
        out, _back = self.streams()

        async def run():
            async with framekey.aio.AsyncChannel(self.sending) as sending:
                self.sender.close_channel(self.sending)
                while True:
                    await sending.run(out, OPUS)

        with self.assertRaises(framekey.ChannelClosed):
            asyncio.run(asyncio.wait_for(run(), 20))


class Keys(Call):
    def test_a_key_comes_from_a_pipe(self):
        session = self.client.open_session("livekit-passphrase")
        session.add_participant("alice", Role.LOCAL)
        reader, writer = os.pipe()
        os.write(writer, PASSPHRASE)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            session.import_key_fd("", 0, file)
        with session.open_channel() as channel:
            out = session.add_stream(channel, "alice", Direction.ENCRYPT, Media.AUDIO, Codec.OPUS)
            _out, back = self.streams()
            self.assertEqual(back.decrypt(out.encrypt(OPUS).data).data, OPUS)

    def test_a_ratchet_step_is_followed(self):
        out, back = self.streams()
        back.decrypt(out.encrypt(OPUS).data)
        self.assertEqual(self.sender.ratchet(""), 1)
        sealed = out.encrypt(OPUS)
        self.assertEqual(sealed.step, 1)
        self.assertEqual(back.decrypt(sealed.data).data, OPUS)

    def test_the_provider_answers_a_rotation(self):
        asked = []
        new = bytearray(b"another passphrase")

        def rotate(provider, identity, index, reason, deadline):
            asked.append((identity, reason))
            provider.set_passphrase(bytes(new), identity, index)

        with framekey.Provider(self.sender) as provider:
            provider.set_passphrase("first passphrase")
            provider.on_rotate(rotate)
            out, back = self.streams()
            self.assertEqual(self.sender.rotate(reason="test"), (0, 1))
            for _ in range(100):
                self.client.process()
                if asked:
                    break
                self.client.wait(0.1)
            sealed = out.encrypt(OPUS)
        self.assertEqual(asked[0][0], None)
        self.receiver.import_key("", sealed.key_index, bytes(new))
        self.assertEqual(back.decrypt(sealed.data).data, OPUS)

    def test_a_key_that_no_app_sees_goes_wrapped(self):
        sender, receiver = (self.client.open_session("element-call", name) for name in ("a", "b"))
        sender.add_participant("alice", Role.LOCAL)
        receiver.add_participant("alice", Role.REMOTE)
        sender.generate_key("alice", 3)
        key, fingerprint = receiver.transport_key()
        self.assertEqual(len(key), 32)
        self.assertGreater(len(fingerprint), 8)
        self.assertEqual(receiver.import_wrapped("alice", sender.export_wrapped("alice", key)), 3)
        self.assertEqual(sender.security_code(), receiver.security_code())

    def test_an_error_is_the_daemons_sentence(self):
        with self.assertRaises(framekey.Error) as caught:
            self.sender.add_participant("alice", Role.LOCAL)
        self.assertEqual(caught.exception.errno, errno.ENOTUNIQ)
        self.assertEqual(caught.exception.dbus_name, "org.framekey1.Error.ParticipantExists")
        self.assertIn("remove it first", caught.exception.strerror)
        with self.assertRaises(framekey.Error) as caught:
            self.client.open_session("livekit-passphrase", ring_sice=3)
        self.assertIn("ring-sice", str(caught.exception))
        with self.assertRaises(TypeError):
            self.client.open_session("livekit-passphrase", ring_size=3.5)


class Events(Call):
    def test_a_stream_that_cannot_decrypt_is_told_of(self):
        seen = []
        self.receiver.on_event(seen.append)
        out, back = self.streams()
        self.sender.import_key("", 5, b"unknown to the other side", activate=True)
        for _ in range(200):
            back.decrypt(out.encrypt(OPUS).data)
            self.client.process()
            stalled = [event for event in seen if event.name == "DecryptionStalled"]
            if stalled:
                break
        self.assertEqual((stalled[0].participant, stalled[0].state, stalled[0].key_index), ("alice", "missing-key", 5))

    def test_what_a_callback_raises_comes_out(self):
        def callback(_event):
            raise KeyError("mine")

        self.sender.on_event(callback)
        self.sender.ratchet("")
        with self.assertRaises(KeyError):
            for _ in range(100):
                self.client.process()
                self.client.wait(0.1)

    def test_events_reach_an_asyncio_loop(self):
        async def run():
            first = asyncio.get_running_loop().create_future()
            self.sender.on_event(lambda event: first.done() or first.set_result(event))
            self.client.attach(asyncio.get_running_loop())
            self.sender.ratchet("")
            event = await asyncio.wait_for(first, 20)
            self.client.detach()
            return event

        self.assertEqual(asyncio.run(run()).name, "KeyRatcheted")


class Processes(Call):
    def test_another_process_has_the_channel_and_nothing_else(self):
        fds, path = self.sender.open_channel_fds()
        number = self.sender.grant_stream(path, "alice", Direction.ENCRYPT, Media.AUDIO, Codec.OPUS)
        program = (
            "import sys, framekey\n"
            "channel = framekey.Channel.from_fds([int(n) for n in sys.argv[1:5]])\n"
            "print(channel.stream(int(sys.argv[5])).encrypt(bytes.fromhex(sys.argv[6])).data.hex())\n"
            "assert not any('libsystemd' in line for line in open('/proc/self/maps'))\n"
        )
        environment = {name: value for name, value in os.environ.items() if "DBUS" not in name}
        sealed = subprocess.run(
            [sys.executable, "-c", program, *map(str, fds), str(number), OPUS.hex()],
            pass_fds=fds,
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        for fd in fds:
            os.close(fd)
        _out, back = self.streams()
        self.assertEqual(back.decrypt(bytes.fromhex(sealed)).data, OPUS)

    def test_a_forked_child_is_refused(self):
        out, _back = self.streams()
        child = os.fork()
        if child == 0:
            try:
                out.encrypt(OPUS)
            except framekey.Error as error:
                os._exit(0 if error.errno == errno.ECHILD else 1)
            os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(out.encrypt(OPUS).verdict, Verdict.OK)

    def test_wrong_descriptors_are_no_channel(self):
        with open("/dev/null", "rb") as null:
            for fds in ([null.fileno()] * 4, [null.fileno()]):
                with self.assertRaises(framekey.Error):
                    framekey.Channel.from_fds(fds)

    def test_the_end_of_a_session_closes_its_channels(self):
        out, _back = self.streams()
        self.sender.close()
        with self.assertRaises(framekey.ChannelClosed) as caught:
            for _ in range(100):
                out.encrypt(OPUS)
        self.assertGreater(len(caught.exception.strerror), 20)
        with self.assertRaises(ValueError):
            self.sender.ratchet("")

    def test_no_bus_is_an_error_with_a_sentence(self):
        with self.assertRaises(framekey.Error) as caught:
            framekey.Client(framekey.Bus.ADDRESS, "unix:path=/nonexistent")
        self.assertGreater(len(caught.exception.strerror), 20)

    def test_a_daemon_that_does_not_answer_costs_the_timeout(self):
        out, _back = self.streams()
        pid = os.environ["FRAMEKEYD_PID"]
        os.kill(int(pid), signal.SIGSTOP)
        try:
            while pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "T":
                time.sleep(0.001)
            with self.assertRaises(framekey.NoAnswer):
                out.encrypt(OPUS, timeout=0.05)
        finally:
            os.kill(int(pid), signal.SIGCONT)


if __name__ == "__main__":
    unittest.main()
