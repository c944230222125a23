// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The life of a key with the products' own workers in the call: steps by framekeyd's timer, steps of the worker, and
// keys that are replaced, with frames flowing all the time. Started by test-life.sh.
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { check, equal, equalBytes, finish, nothing, use } from './check.mjs';
import { open, seal } from './exchange.mjs';
import { Framekeyctl } from './framekeyctl.mjs';
import { makeFrames } from './media.mjs';
import { Peer, packageVersion } from './peer.mjs';

const passphrase = 'correct horse battery staple – päss';
const byteKey = Uint8Array.from({ length: 32 }, (_, i) => 37 * i + 11);
const [opus, vp8] = ['opus', 'vp8'].map(makeFrames);
const nSteps = 10;
const intervalUsec = 300000;

// An administrator allows the short interval.
execFileSync('busctl', ['--system', 'set-property', 'org.framekey1', '/org/framekey1', 'org.framekey1.Manager',
        'MinimumRatchetIntervalUSec', 't', '100000']);

// Audio and video in turn, each with a timestamp of its own, as long as somebody asks.
function* frames() {
        for (let i = 0; ; i++) {
                const frame = i % 2 ? vp8[(i >> 1) % vp8.length] : opus[(i >> 1) % opus.length];
                yield { ...frame, timestamp: frame.timestamp + 3000 * i };
        }
}

const calls = [
        { product: 'livekit', kind: 'passphrase', profile: 'livekit-passphrase', secret: passphrase },
        { product: 'livekit', kind: 'byte key', profile: 'livekit-bytes', secret: byteKey },
        { product: 'realtimekit', kind: 'passphrase', profile: 'realtimekit', secret: passphrase },
];

for (const { product, kind, profile, secret } of calls) {
        const next = typeof secret === 'string' ? 'the next passphrase' : byteKey.map((byte) => byte ^ 0x5a);
        const worker = async () => {
                const peer = await use(Peer.start(product));
                await peer.setKey(secret, 0);
                return peer;
        };
        const framekeyd = (verb, args = []) => use(Framekeyctl.start(verb, { profile, secret, args }));
        const call = `${product} ${packageVersion(product === 'livekit' ? 'livekit-client' : '@cloudflare/realtimekit')}, ${kind}`;

        await check(`${call}: framekeyd steps by its timer, the worker follows every step and misses nothing`, async () => {
                const sender = await framekeyd('encrypt', ['-o', `ratchet-interval-usec=${intervalUsec}`]);
                const receiver = await worker();
                let step = 0;
                for (const frame of frames()) {
                        const sealed = await sender.encrypt(frame);
                        // Peers like this one follow one step a frame.
                        equal(sealed.step - step === 0 || sealed.step - step === 1, true, `step ${sealed.step} after ${step}`);
                        step = sealed.step;
                        await open(receiver, frame, sealed.payload, frame.payload);
                        if (step === nSteps)
                                break;
                        await sleep(10);
                }
        });

        await check(`${call}: no step is taken that the worker would miss while nothing is sent`, async () => {
                const sender = await framekeyd('encrypt', ['-o', `ratchet-interval-usec=${intervalUsec}`]);
                const receiver = await worker();
                const [first, second, third] = [opus[0], vp8[0], opus[1]];
                await open(receiver, first, (await sender.encrypt(first)).payload, first.payload);
                await sleep(5 * intervalUsec / 1000);
                const sealed = await sender.encrypt(second);
                equal(sealed.step, 1, 'one step after five intervals of silence');
                await open(receiver, second, sealed.payload, second.payload);
                await open(receiver, third, (await sender.encrypt(third)).payload, third.payload);
        });

        await check(`${call}: the worker steps, framekeyd follows every step and misses nothing`, async () => {
                const sender = await worker();
                const receiver = await framekeyd('decrypt', ['--window=8']);
                const flow = frames();
                let late;
                for (let step = 0; step <= nSteps; step++) {
                        for (let i = 0; i < 6; i++) {
                                const frame = flow.next().value;
                                const result = await open(receiver, frame, await seal(sender, frame), frame.payload);
                                equal(result.step, step, 'step');
                        }
                        if (late) // sent before the step, and here only now
                                await open(receiver, late.frame, late.sealed, late.frame.payload);
                        late = { frame: flow.next().value };
                        late.sealed = await seal(sender, late.frame);
                        await sender.ratchet();
                        await sleep(intervalUsec / 1000); // steps ahead are derived meanwhile, on a busy machine too
                }
        });

        await check(`${call}: a step is followed in a flood of forged frames`, async () => {
                const sender = await worker();
                const receiver = await framekeyd('decrypt', ['--window=8']);
                const forged = await seal(sender, opus[0]);
                forged[forged.length >> 1] ^= 1;
                for (let step = 0; step < 3; step++) {
                        for (let i = 0; i < 500; i++)
                                nothing(await receiver.decrypt({ ...opus[0], payload: forged }), 'forged frame');
                        for (const frame of [opus[1 + step], vp8[step]]) {
                                const result = await open(receiver, frame, await seal(sender, frame), frame.payload);
                                equal(result.step, step, 'step');
                        }
                        await sender.ratchet();
                        await sleep(intervalUsec / 1000);
                }
        });

        await check(`${call}: framekeyd goes over to a new key after a delay, the worker follows`, async () => {
                const sender = await framekeyd('encrypt');
                const receiver = await worker();
                const flow = frames();
                const started = Date.now();
                let changed;
                await sender.setKey(next, 1, { activate: false });
                await receiver.setKey(next, 1);
                await sender.activate(1, { afterUsec: 500000 });
                while (!changed || Date.now() - changed < 500) {
                        const frame = flow.next().value;
                        const sealed = await sender.encrypt(frame);
                        if (sealed.index === 1)
                                changed ??= Date.now();
                        equal(sealed.index, changed ? 1 : 0, 'key index');
                        await open(receiver, frame, sealed.payload, frame.payload);
                        equal(Date.now() - started < 20000, true, 'the key is changed in time');
                        await sleep(10);
                }
                equal(changed - started >= 400, true, `the old key is used through the delay (${changed - started} ms)`);
        });

        await check(`${call}: the worker goes over to a new key, the old one lives for the grace time`, async () => {
                const sender = await worker();
                const receiver = await framekeyd('decrypt', ['-o', 'grace-usec=500000']);
                const late = [];
                for (const frame of [opus[0], vp8[0], opus[1]])
                        late.push({ frame, sealed: await seal(sender, frame) });
                await open(receiver, late[0].frame, late[0].sealed, late[0].frame.payload);
                await receiver.setKey(next, 1, { activate: false });
                await sender.setKey(next, 1);
                for (const frame of [opus[2], vp8[1]])
                        await open(receiver, frame, await seal(sender, frame, { index: 1 }), frame.payload);
                await open(receiver, late[1].frame, late[1].sealed, late[1].frame.payload);
                await sleep(1500);
                const old = await receiver.decrypt({ ...late[2].frame, payload: late[2].sealed });
                nothing(old, 'frame under a dead key');
                equal(old.verdict, 'too-old', 'verdict');
                const again = await receiver.decrypt({ ...late[0].frame, payload: late[0].sealed });
                nothing(again, 'frame under a dead key, a second time');
                for (const frame of [opus[3], vp8[2]])
                        equalBytes((await open(receiver, frame, await seal(sender, frame, { index: 1 }), frame.payload))
                                .payload, frame.payload, 'new key');
        });
}

finish();
