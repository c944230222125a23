// SPDX-License-Identifier: LGPL-2.1-or-later
//
// RealtimeKit's E2EE worker against framekeyd, in both directions. Started by test-realtimekit.sh.
//
// This worker hands on every frame that it cannot decrypt, as it came: that a frame came out says nothing, so bytes are
// compared everywhere.
import { fileURLToPath } from 'node:url';
import { check, equal, equalBytes, finish, nothing, use } from './check.mjs';
import { open, openAhead, pass, refused, seal, tampered, utf8 } from './exchange.mjs';
import { Framekeyctl } from './framekeyctl.mjs';
import { makeFrames } from './media.mjs';
import { Peer, packageVersion } from './peer.mjs';
import { checkVectors } from './vectors.mjs';

const passphrase = 'correct horse battery staple – päss';
// The product publishes Opus and VP8. Its worker is never told a codec and takes every picture for VP8.
const kinds = ['opus', 'vp8', 'vp9', 'h264', 'h265'];
const media = Object.fromEntries(kinds.map((kind) => [kind, makeFrames(kind)]));
const { opus, vp8 } = media;

const worker = async (secret, index, options) => {
        const peer = await use(Peer.start('realtimekit', options));
        if (secret)
                await peer.setKey(secret, index);
        return peer;
};
const framekeyd = (verb, secret, { index, args } = {}) =>
        use(Framekeyctl.start(verb, { profile: 'realtimekit', secret, index, args }));

console.log(`@cloudflare/realtimekit ${packageVersion('@cloudflare/realtimekit')}, node ${process.version}`);
await checkVectors('realtimekit', fileURLToPath(new URL('../vectors/realtimekit.json', import.meta.url)));

// ---- every codec ----

for (const kind of kinds) {
        const frames = media[kind];
        await check(`${kind}: worker to worker`, async () => {
                await pass(await worker(passphrase), await worker(passphrase), frames);
        });
        await check(`${kind}: worker to framekeyd`, async () => {
                await pass(await worker(passphrase), await framekeyd('decrypt', passphrase), frames);
        });
        await check(`${kind}: framekeyd to worker`, async () => {
                await pass(await framekeyd('encrypt', passphrase), await worker(passphrase), frames);
        });
}

await check('script transforms instead of streams by message, both ways', async () => {
        const peer = await worker(passphrase, 0, { transform: 'script' });
        await pass(peer, await framekeyd('decrypt', passphrase), [...opus, ...vp8]);
        await pass(await framekeyd('encrypt', passphrase), peer, [...opus, ...vp8]);
});

await check('VP8 whose frame type framekeyd has to see for itself, both ways', async () => {
        const untold = (it) => ({
                encrypt: ({ type, ...frame }) => it.encrypt(frame),
                decrypt: ({ type, ...frame }) => it.decrypt(frame),
        });
        const peer = await worker(passphrase);
        await pass(peer, untold(await framekeyd('decrypt', passphrase)), vp8);
        await pass(untold(await framekeyd('encrypt', passphrase)), peer, vp8);
});

// ---- key indices, ratchets, a new key ----

for (const index of [1, 15])
        await check(`key index ${index}, both ways`, async () => {
                const peer = await worker(passphrase, index);
                await pass(peer, await framekeyd('decrypt', passphrase, { index }), [...opus, ...vp8], { index });
                await pass(await framekeyd('encrypt', passphrase, { index }), peer, [...opus, ...vp8], { index });
        });

await check('the worker ratchets three times, framekeyd follows each step', async () => {
        const sender = await worker(passphrase);
        const receiver = await framekeyd('decrypt', passphrase, { args: ['--window=8'] });
        await pass(sender, receiver, [opus[0], vp8[0]]);
        for (let step = 1; step <= 3; step++) {
                await sender.ratchet();
                const result = await openAhead(receiver, opus[step], await seal(sender, opus[step]));
                equal(result.step, step, 'step');
                await pass(sender, receiver, vp8);
        }
});

await check('the worker ratchets in silence, framekeyd follows all steps at once', async () => {
        const sender = await worker(passphrase);
        const receiver = await framekeyd('decrypt', passphrase, { args: ['--window=8', '-o', 'grace-usec=60000000'] });
        const late = await seal(sender, opus[1]);
        await pass(sender, receiver, [opus[0]]);
        for (let step = 1; step <= 8; step++)
                await sender.ratchet();
        const result = await openAhead(receiver, opus[2], await seal(sender, opus[2]));
        equal(result.step, 8, 'step');
        await open(receiver, opus[1], late, opus[1].payload);
        await pass(sender, receiver, [...opus.slice(3), ...vp8]);
});

await check('framekeyd ratchets three times, the worker follows each step', async () => {
        const sender = await framekeyd('encrypt', passphrase);
        const receiver = await worker(passphrase);
        await pass(sender, receiver, [opus[0], vp8[0]]);
        for (let step = 1; step <= 3; step++) {
                equal((await sender.ratchet()).step, step, 'step');
                await pass(sender, receiver, [opus[step], ...vp8]);
        }
});

await check('both are ratcheted by hand, key index 3', async () => {
        const index = 3;
        const args = ['--window=0', '--step=2'];
        // A ratchet by hand moves the publisher's key, or that of a participant who is named.
        const sender = await worker(passphrase, index);
        const receiver = await worker(passphrase, index, { window: 0, ratchetsRemote: true });
        for (const peer of [sender, receiver])
                for (let i = 0; i < 2; i++)
                        await peer.ratchet(index);
        await pass(sender, await framekeyd('decrypt', passphrase, { index, args }), [...opus, ...vp8], { index });
        await pass(await framekeyd('encrypt', passphrase, { index, args }), receiver, [...opus, ...vp8], { index });
});

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
        const sender = await framekeyd('encrypt', passphrase);
        const receiver = await worker(passphrase, 0);
        await pass(sender, receiver, opus.slice(0, 2));
        const late = await seal(sender, opus[2]);
        await receiver.setKey('the next passphrase', 1);
        await sender.setKey('the next passphrase', 1);
        await pass(sender, receiver, [...opus.slice(3), ...vp8], { index: 1 });
        await open(receiver, opus[2], late, opus[2].payload);
});

// ---- what must not come through ----

for (const kind of ['opus', 'vp8'])
        await check(`${kind}: framekeyd refuses what was changed on the way, the worker hands it on`, async () => {
                const frame = media[kind][0];
                const peer = await worker(passphrase);
                const sender = await framekeyd('encrypt', passphrase);
                const receiver = await framekeyd('decrypt', passphrase);
                for (const [what, bytes] of Object.entries(tampered(await seal(peer, frame))))
                        refused(await receiver.decrypt({ ...frame, payload: bytes }), `framekeyd, ${what}`);
                for (const [what, bytes] of Object.entries(tampered(await seal(sender, frame))))
                        await open(peer, frame, bytes, bytes);
                await pass(peer, receiver, media[kind]);
                await pass(sender, peer, media[kind]);
        });

await check('framekeyd delivers no frame that was never encrypted, or under another passphrase', async () => {
        const stranger = await worker('another passphrase');
        const strange = await framekeyd('encrypt', 'another passphrase');
        const peer = await worker(passphrase);
        const receiver = await framekeyd('decrypt', passphrase);
        for (const frame of [opus[0], vp8[0], vp8[1]]) {
                refused(await receiver.decrypt(frame), 'framekeyd, plain');
                const foreign = await seal(stranger, frame);
                refused(await receiver.decrypt({ ...frame, payload: foreign }), 'framekeyd, stranger');
                const sealed = await seal(strange, frame);
                equalBytes((await peer.decrypt({ ...frame, payload: sealed })).payload, sealed, 'worker, stranger');
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

await check("the media server's constant marker opens nothing in framekeyd", async () => {
        const peer = await worker(passphrase);
        const receiver = await framekeyd('decrypt', passphrase);
        const payload = Uint8Array.from([...opus[0].payload, ...utf8('LKROCKS')]);
        refused(await receiver.decrypt({ ...opus[0], payload }), 'framekeyd');
        equalBytes((await peer.decrypt({ ...opus[0], payload })).payload, payload, 'worker');
});

finish();
