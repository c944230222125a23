// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two examples/gstreamer-call talk, each with a daemon of its own, and one of them has the other recorded by
// examples/gstreamer-recorder: it gets every frame that the player beside it gets. In the recorder's place
// tests/browser/grasping-recorder gets nothing that was not granted.
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { check, equal, finish, use } from '../interop/check.mjs';
import { flow, meet } from './flow.mjs';
import { Native } from './native.mjs';
import { height, recognise, toneShare, width } from './signals.mjs';

const passphrase = 'correct horse battery staple – päss';
const tones = { alice: 600, bob: 1000 };
const file = join(process.env.FRAMEKEYD_DIR, 'recording.mkv');
const nSamplesAPacket = 960; // 20 ms
const moment = 4800;

async function inCall(recorder, run) {
        const parties = {};
        const party = (name, other, role, address, args) =>
                (parties[name] = new Native({
                        profile: 'livekit',
                        passphrase,
                        role,
                        tones: { ours: tones[name], theirs: tones[other] },
                        args,
                        address,
                        onSignal: (message) => parties[other].say(message),
                }));
        const { DBUS_SYSTEM_BUS_ADDRESS: first, DBUS_SYSTEM_BUS_ADDRESS_2: second } = process.env;
        const alice = await use(party('alice', 'bob', 'answer', first, []));
        const bob = await use(party('bob', 'alice', 'offer', second, [`--record=${file}`, `--recorder=${recorder}`]));
        const call = { report: () => ({ alice: alice.report(), bob: bob.report() }) };
        try {
                await meet(call);
                await run(call, alice, bob);
        } catch (error) {
                for (const [name, { log }] of Object.entries(parties))
                        console.error([`---- ${name}`, ...log].join('\n'));
                throw error;
        }
}

// It would complain of times that are not quite regular, as a network's are.
const ffmpeg = (...args) => execFileSync('ffmpeg', ['-v', 'fatal', '-nostdin', '-i', file, ...args, '-'],
        { maxBuffer: 1 << 30 });

// The pictures' numbers, as they were recorded.
function recordedPictures() {
        const points = ffmpeg('-map', '0:v', '-fps_mode', 'passthrough', '-f', 'rawvideo', '-pix_fmt', 'rgba');
        const size = 4 * width * height;
        return Array.from({ length: points.length / size }, (_, i) => recognise(points.subarray(i * size, (i + 1) * size)));
}

function recordedSound() {
        const bytes = ffmpeg('-map', '0:a', '-f', 's16le', '-ar', '48000', '-ac', '1');
        return Float32Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
}

function nPackets(medium) {
        const args = ['-v', 'error', '-count_packets', '-select_streams', medium, '-show_entries', 'stream=nb_read_packets',
                '-of', 'csv=p=0', file];
        return Number(execFileSync('ffprobe', args, { encoding: 'utf8' }).trim());
}

await check('a recorder beside a player gets every frame, over a step and a new key', () =>
        inCall(process.env.GSTREAMER_RECORDER, async (call, alice, bob) => {
                await flow(call, 2000);
                alice.ratchet();
                await flow(call, 2000);
                for (const party of [alice, bob])
                        party.setKey('the next passphrase', 1);
                await Promise.all([alice.activate(1), bob.activate(1)]);
                await flow(call, 2000);
                // Nothing is under way any more when the recorder is told to stop.
                await alice.close();
                await sleep(500);
                await bob.close();

                equal(recordedPictures(), bob.pictures, 'pictures');
                equal(bob.pictures.length > 60 && !bob.pictures.includes(undefined), true, 'all of them are known');
                equal(nPackets('a') * nSamplesAPacket, bob.nSamples, 'samples of sound');
                const sound = recordedSound();
                const moments = Array.from({ length: Math.floor(sound.length / moment) }, (_, i) =>
                        toneShare(sound.subarray(i * moment, (i + 1) * moment), 48000, tones.alice));
                equal(moments.filter((share) => share > 0.5).length > 0.8 * moments.length, true, `the tone: ${moments}`);
        }));

await check('in its place nobody can encrypt, or reach any other stream', () =>
        inCall(process.env.GRASPING_RECORDER, async (call, alice, bob) => {
                await flow(call, 2000);
                await bob.close(); // complains unless the recorder ended well
                const got = bob.log.filter((line) => line.includes('others refused'));
                equal(got.join('\n').split('\n').length, 2, `streams that were looked at: ${bob.log.join('; ')}`);
        }));

finish();
