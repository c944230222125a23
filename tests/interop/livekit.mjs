// SPDX-License-Identifier: LGPL-2.1-or-later
//
// livekit-client's E2EE worker against framekeyd, in both directions. Started by test-livekit.sh.
import { fileURLToPath } from 'node:url';
import { check, equal, equalBytes, finish, nothing, use } from './check.mjs';
import { open, openAhead, pass, refused, seal, tampered, utf8 } from './exchange.mjs';
import { Framekeyctl } from './framekeyctl.mjs';
import { makeFrames, withLongStartCodes } from './media.mjs';
import { Peer, packageVersion } from './peer.mjs';
import { checkVectors } from './vectors.mjs';

const passphrase = 'correct horse battery staple – päss';
const byteKey = Uint8Array.from({ length: 32 }, (_, i) => 37 * i + 11);
const kinds = ['opus', 'vp8', 'vp9', 'h264', 'h264 slices', 'h265'];
const media = Object.fromEntries(kinds.map((kind) => [kind, makeFrames(kind)]));
const { opus, vp8 } = media;

const worker = async (secret, index, options) => {
        const peer = await use(Peer.start('livekit', options));
        if (secret)
                await peer.setKey(secret, index);
        return peer;
};
const framekeyd = (verb, secret, { index, profile, args } = {}) =>
        use(Framekeyctl.start(verb, {
                profile: profile ?? (typeof secret === 'string' ? 'livekit-passphrase' : 'livekit-bytes'),
                secret,
                index,
                args,
        }));

// LiveKit's encoder lengthens start codes in the clear part, so that is what every receiver gets.
const expected = (frame) => (frame.codec.startsWith('h26') ? withLongStartCodes(frame) : frame.payload);

console.log(`livekit-client ${packageVersion('livekit-client')}, node ${process.version}`);
await checkVectors('livekit', fileURLToPath(new URL('../vectors/livekit.json', import.meta.url)));

// ---- every codec, both kinds of key ----

for (const [kindOfKey, secret] of [['passphrase', passphrase], ['byte key', byteKey]])
        for (const kind of kinds) {
                const frames = media[kind];
                await check(`${kind}, ${kindOfKey}: worker to worker`, async () => {
                        await pass(await worker(secret), await worker(secret), frames, { expected });
                });
                await check(`${kind}, ${kindOfKey}: worker to framekeyd`, async () => {
                        await pass(await worker(secret), await framekeyd('decrypt', secret), frames, { expected });
                });
                await check(`${kind}, ${kindOfKey}: framekeyd to worker`, async () => {
                        await pass(await framekeyd('encrypt', secret), await worker(secret), frames, { expected });
                });
        }

await check('script transforms instead of streams by message, both ways', async () => {
        const peer = await worker(passphrase, 0, { transform: 'script' });
        await pass(peer, await framekeyd('decrypt', passphrase), [...opus, ...vp8]);
        await pass(await framekeyd('encrypt', passphrase), peer, [...opus, ...vp8]);
});

// ---- escapes of H.264 and H.265 ----

for (const kind of ['h264', 'h265']) {
        await check(`${kind} with escapes: worker to framekeyd`, async () => {
                // The worker's IV is SSRC, timestamp and timestamp less a counter: with these it is full of zeros.
                const frames = media[kind].map((frame, i) => ({ ...frame, ssrc: 1, timestamp: i }));
                const sender = await worker(passphrase);
                const receiver = await framekeyd('decrypt', passphrase);
                for (const frame of frames) {
                        const sealed = await seal(sender, frame);
                        equal(sealed.length > expected(frame).length + 30, true, 'the frame was escaped');
                        await open(receiver, frame, sealed, expected(frame));
                }
        });
        await check(`${kind} with escapes: framekeyd to worker`, async () => {
                // Its IVs are random: the same frame again until its ciphertext needs an escape, one byte in 4 million.
                const long = new Uint8Array(400000).fill(0xb5);
                long.set(media[kind][0].payload);
                const frame = { ...media[kind][0], payload: long };
                const sender = await framekeyd('encrypt', passphrase);
                const receiver = await worker(passphrase);
                for (let i = 0, n = 0; n < 2; i++) {
                        if (i === 1000)
                                throw new Error('no frame was ever escaped');
                        const sealed = await seal(sender, frame);
                        if (sealed.length === expected(frame).length + 30)
                                continue;
                        await open(receiver, frame, sealed, expected(frame));
                        n++;
                }
        });
}

// ---- key indices and other shapes of keys ----

for (const index of [1, 7, 15])
        await check(`key index ${index}, both ways`, async () => {
                const peer = await worker(passphrase, index);
                await pass(peer, await framekeyd('decrypt', passphrase, { index }), [...opus, ...vp8], { index });
                await pass(await framekeyd('encrypt', passphrase, { index }), peer, [...opus, ...vp8], { index });
        });

await check('256 key indices and a key for each participant (Element Call), both ways', async () => {
        const secret = byteKey.slice(0, 16);
        const of = { index: 200, profile: 'element-call' };
        const peer = await worker(secret, 200, { sharedKey: false, ringSize: 256, window: 10 });
        await pass(peer, await framekeyd('decrypt', secret, of), [...opus, ...vp8], { index: 200 });
        await pass(await framekeyd('encrypt', secret, of), peer, [...opus, ...vp8], { index: 200 });
});

await check('AES-256, both ways', async () => {
        const peer = await worker(byteKey, 0, { keySize: 256 });
        const args = ['--key-bits=256'];
        await pass(peer, await framekeyd('decrypt', byteKey, { args }), opus);
        await pass(await framekeyd('encrypt', byteKey, { args }), peer, opus);
});

await check('another salt, both ways', async () => {
        const peer = await worker(passphrase, 0, { salt: 'application salt' });
        const args = ['--salt=application salt'];
        await pass(peer, await framekeyd('decrypt', passphrase, { args }), opus);
        await pass(await framekeyd('encrypt', passphrase, { args }), peer, opus);
});

await check('bytes that are stretched (native clients): framekeyd and a worker given them as text', async () => {
        const text = '0123456789abcdef';
        const peer = await worker(text);
        const of = { profile: 'livekit-native' };
        await pass(peer, await framekeyd('decrypt', utf8(text), of), opus);
        await pass(await framekeyd('encrypt', utf8(text), of), peer, opus);
});

// ---- ratchets ----

for (const [kindOfKey, secret] of [['passphrase', passphrase], ['byte key', byteKey]]) {
        await check(`${kindOfKey}: the worker ratchets three times, framekeyd follows each step`, async () => {
                const sender = await worker(secret);
                const receiver = await framekeyd('decrypt', secret, { args: ['--window=8'] });
                await pass(sender, receiver, [opus[0], vp8[0]]);
                for (let step = 1; step <= 3; step++) {
                        await sender.ratchet();
                        const result = await openAhead(receiver, opus[step], await seal(sender, opus[step]));
                        equal(result.step, step, 'step');
                        await pass(sender, receiver, vp8);
                }
        });

        await check(`${kindOfKey}: the worker ratchets in silence, framekeyd follows all steps at once`, async () => {
                const sender = await worker(secret);
                const args = ['--window=8', '-o', 'grace-usec=60000000'];
                const receiver = await framekeyd('decrypt', secret, { args });
                const late = await seal(sender, opus[1]);
                await pass(sender, receiver, [opus[0]]);
                for (let step = 1; step <= 8; step++)
                        await sender.ratchet();
                const result = await openAhead(receiver, opus[2], await seal(sender, opus[2]));
                equal(result.step, 8, 'step');
                await open(receiver, opus[1], late, opus[1].payload);
                await pass(sender, receiver, [...opus.slice(3), ...vp8]);
        });

        await check(`${kindOfKey}: framekeyd ratchets three times, the worker follows each step`, async () => {
                const sender = await framekeyd('encrypt', secret);
                const receiver = await worker(secret);
                await pass(sender, receiver, [opus[0], vp8[0]]);
                for (let step = 1; step <= 3; step++) {
                        equal((await sender.ratchet()).step, step, 'step');
                        await pass(sender, receiver, [opus[step], ...vp8]);
                }
        });

        await check(`${kindOfKey}: both are ratcheted by hand, key index 3`, async () => {
                const sender = await worker(secret, 3);
                const receiver = await worker(secret, 3, { window: 0 });
                const index = 3;
                const args = ['--window=0', '--step=2'];
                for (const peer of [sender, receiver])
                        for (let i = 0; i < 2; i++)
                                await peer.ratchet(index);
                await pass(sender, await framekeyd('decrypt', secret, { index, args }), [...opus, ...vp8], { index });
                const from = await framekeyd('encrypt', secret, { index, args });
                await pass(from, receiver, [...opus, ...vp8], { index });
                await from.ratchet();
                await receiver.ratchet(index);
                await pass(from, receiver, [...opus, ...vp8], { index });
        });
}

await check('a worker with framekeyd on a wrong step and no window: neither accepts', async () => {
        const ahead = await worker(passphrase);
        await ahead.ratchet();
        const receiver = await framekeyd('decrypt', passphrase, { args: ['--window=0'] });
        refused(await receiver.decrypt({ ...opus[0], payload: await seal(ahead, opus[0]) }), 'framekeyd');
        const sender = await framekeyd('encrypt', passphrase, { args: ['--step=1'] });
        const behind = await worker(passphrase, 0, { window: 0 });
        nothing(await behind.decrypt({ ...opus[0], payload: await seal(sender, opus[0]) }), 'worker');
});

// ---- a new key under the next index ----

await check('key change: worker to framekeyd, late frames of the old key too', async () => {
        const sender = await worker(passphrase, 0);
        const receiver = await framekeyd('decrypt', passphrase);
        await pass(sender, receiver, opus.slice(0, 2));
        const late = await seal(sender, opus[2]);
        await receiver.setKey('the next passphrase', 1);
        await sender.setKey('the next passphrase', 1);
        await pass(sender, receiver, [...opus.slice(3), ...vp8], { index: 1 });
        await open(receiver, opus[2], late, opus[2].payload);
});

await check('key change: framekeyd to worker, late frames of the old key too', async () => {
        const sender = await framekeyd('encrypt', byteKey);
        const receiver = await worker(byteKey, 0);
        const next = byteKey.map((byte) => byte ^ 0x5a);
        await pass(sender, receiver, opus.slice(0, 2));
        const late = await seal(sender, opus[2]);
        await receiver.setKey(next, 1);
        await sender.setKey(next, 1);
        await pass(sender, receiver, [...opus.slice(3), ...vp8], { index: 1 });
        await open(receiver, opus[2], late, opus[2].payload);
});

await check('the same index again with another key, both ways', async () => {
        const peer = await worker(passphrase);
        const sender = await framekeyd('encrypt', passphrase);
        const receiver = await framekeyd('decrypt', passphrase);
        await pass(peer, receiver, opus.slice(0, 2));
        await pass(sender, peer, opus.slice(0, 2));
        for (const side of [peer, sender, receiver])
                await side.setKey('another passphrase', 0);
        await pass(peer, receiver, opus);
        await pass(sender, peer, opus);
});

// ---- what must not come through ----

for (const kind of ['opus', 'vp8', 'h264'])
        await check(`${kind}: both refuse what was changed on the way, and the next frame comes through`, async () => {
                const frame = media[kind][0];
                const peer = await worker(passphrase, 0, { failureTolerance: -1 });
                const sender = await framekeyd('encrypt', passphrase);
                const receiver = await framekeyd('decrypt', passphrase);
                for (const [what, bytes] of Object.entries(tampered(await seal(peer, frame))))
                        refused(await receiver.decrypt({ ...frame, payload: bytes }), `framekeyd, ${what}`);
                for (const [what, bytes] of Object.entries(tampered(await seal(sender, frame))))
                        nothing(await peer.decrypt({ ...frame, payload: bytes }), `worker, ${what}`);
                await pass(peer, receiver, media[kind], { expected });
                await pass(sender, peer, media[kind], { expected });
        });

await check('neither accepts frames that were never encrypted, or under another passphrase', async () => {
        const peer = await worker(passphrase);
        const stranger = await worker('another passphrase');
        const receiver = await framekeyd('decrypt', passphrase);
        const strange = await framekeyd('encrypt', 'another passphrase');
        for (const frame of [opus[0], vp8[0], vp8[1]]) {
                refused(await receiver.decrypt(frame), 'framekeyd, plain');
                nothing(await peer.decrypt(frame), 'worker, plain');
                const foreign = await seal(stranger, frame);
                refused(await receiver.decrypt({ ...frame, payload: foreign }), 'framekeyd, stranger');
                nothing(await peer.decrypt({ ...frame, payload: await seal(strange, frame) }), 'worker, stranger');
        }
});

await check('framekeyd refuses a frame of the worker that it has seen before', async () => {
        const receiver = await framekeyd('decrypt', passphrase);
        const sealed = await seal(await worker(passphrase), opus[0]);
        await open(receiver, opus[0], sealed, opus[0].payload);
        const again = await receiver.decrypt({ ...opus[0], payload: sealed });
        nothing(again, 'second time');
        equal(again.verdict, 'replayed', 'verdict');
});

await check('frames without content pass both as they are', async () => {
        const empty = { ...opus[0], payload: new Uint8Array(0) };
        const peer = await worker(passphrase);
        for (const side of [await framekeyd('encrypt', passphrase), peer])
                equalBytes((await side.encrypt(empty)).payload, empty.payload, 'sender');
        for (const side of [await framekeyd('decrypt', passphrase), peer])
                equalBytes((await side.decrypt(empty)).payload, empty.payload, 'receiver');
});

// ---- frames that the media server makes ----

await check('both deliver the blank frames of the media server, and nothing else behind its marker', async () => {
        const marker = utf8('room secret marker');
        const silence = new Uint8Array(80);
        silence.set([0xf8, 0xff, 0xfe]);
        const black = '1002009d012a080008000047088585888584880202000c0d6000feffab5080';
        const blackVp8 = Uint8Array.from(Buffer.from(black, 'hex'));
        const injected = (frame, content) => ({ ...frame, payload: Uint8Array.from([...content, ...marker]) });
        const peer = await worker(passphrase);
        await peer.setServerTrailer(marker);
        const receiver = await framekeyd('decrypt', passphrase, {
                args: ['-o', `server-trailer=${Buffer.from(marker).toString('hex')}`],
        });
        for (const [frame, blank] of [[opus[0], silence], [vp8[0], blackVp8]]) {
                const result = await receiver.decrypt(injected(frame, blank));
                equal(result.verdict, 'server-injected', 'verdict');
                equalBytes(result.payload, blank, 'framekeyd');
                equalBytes((await peer.decrypt(injected(frame, blank))).payload, blank, 'worker');

                refused(await receiver.decrypt(injected(frame, frame.payload)), 'framekeyd, other content');
                nothing(await peer.decrypt(injected(frame, frame.payload)), 'worker, other content');
        }
        await pass(await worker(passphrase), receiver, opus);
});

// ---- data packets: the same cipher without clear bytes, IV and key index beside it ----

await check('data packets, both ways', async () => {
        const index = 2;
        const peer = await worker(byteKey, index);
        const sender = await framekeyd('encrypt', byteKey, { index });
        const receiver = await framekeyd('decrypt', byteKey, { index });
        for (const length of [1, 16, 1200, 15000]) {
                const payload = Uint8Array.from({ length }, (_, i) => i * 7 + length);
                const packet = await peer.encryptData(payload);
                equal(packet.keyIndex, index, 'key index');
                const frame = { media: 'data', codec: 'data', ssrc: 0, timestamp: 0 };
                const sealed = Uint8Array.from([...packet.payload, ...packet.iv, packet.iv.length, packet.keyIndex]);
                await open(receiver, frame, sealed, payload);

                const made = await sender.encrypt({ ...frame, payload });
                const end = made.payload.length - 14;
                const opened = await peer.decryptData({
                        payload: made.payload.slice(0, end),
                        iv: made.payload.slice(end, end + 12),
                        keyIndex: made.payload.at(-1),
                });
                equalBytes(opened.payload, payload, 'worker');
        }
});

finish();
