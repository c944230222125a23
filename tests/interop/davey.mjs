// SPDX-License-Identifier: LGPL-2.1-or-later
//
// davey against framekeyd, in both directions. Started by test-davey.sh.
//
// Alice and Carol are sessions of davey. Bob is a client of the kind that framekeyd is for: his MLS, here ts-mls, runs
// outside of the daemon and hands over the keys of each epoch; his media goes through framekeyd.
import { check, equal, equalBytes, finish, nothing, use } from './check.mjs';
import { DaveyMember, Gateway, MlsMember } from './dave-group.mjs';
import { open, refused } from './exchange.mjs';
import { Framekeyctl } from './framekeyctl.mjs';
import { makeFrames, withLastUnitOpen, withLongStartCodesOnly, withoutMessages } from './media.mjs';
import { packageVersion } from './peer.mjs';

const kinds = ['opus', 'vp8', 'vp9', 'h264', 'h264 slices', 'h265', 'av1'];
const media = Object.fromEntries(kinds.map((kind) => [kind, makeFrames(kind, { nFrames: 64 })]));
const { opus, vp8 } = media;
const mixed = opus.slice(0, 32).flatMap((frame, i) => [frame, vp8[i]]);
const silence = { ...opus[0], payload: Uint8Array.of(0xf8, 0xff, 0xfe) };

// Senders rewrite what a packetizer would rewrite under way, so that is what every receiver gets.
const rewritten = { h264: withLongStartCodesOnly, h265: withLongStartCodesOnly, av1: withLastUnitOpen };
const expected = (frame) => (rewritten[frame.codec] ?? (({ payload }) => payload))(frame);

async function makeCall() {
        const gateway = new Gateway();
        const alice = new DaveyMember(gateway, 158049329150427136n);
        const bob = new MlsMember(gateway, 158533742254751744n);
        const carol = new DaveyMember(gateway, 2n ** 64n - 2n);
        await gateway.found(alice, [bob]);
        return { gateway, alice, bob, carol };
}

const framekeyd = (verb, secret, args = []) => use(Framekeyctl.start(verb, { profile: 'dave', secret, args }));

// Bob's media, with the keys of the epoch he is in.
const sends = async (bob) => framekeyd('encrypt', await bob.baseSecret(bob.id));
const receives = async (bob, from) => framekeyd('decrypt', await bob.baseSecret(from.id));
const movesOn = async (side, bob, whose, index) =>
        side.setKey(await bob.baseSecret(whose.id), index, { activate: whose === bob });

// ---- a sealed frame: media, tag of 8 bytes, nonce, ranges, size of all that is behind the media, FA FA ----

const trailerOf = (sealed) => sealed.length - sealed.at(-3);

// [nonce, offset of a clear range, its size, the next one's ...]
function numbersOf(sealed) {
        const numbers = [];
        let [number, shift] = [0, 0];
        for (const byte of sealed.subarray(trailerOf(sealed) + 8, -3)) {
                number += (byte & 127) * 2 ** shift;
                shift += 7;
                if (byte < 128) {
                        numbers.push(number);
                        [number, shift] = [0, 0];
                }
        }
        return numbers;
}

const nonceOf = (sealed) => numbersOf(sealed)[0];
const rangesOf = (sealed) => numbersOf(sealed).slice(1);

async function seal(sender, frame) {
        const { payload: sealed, verdict } = await sender.encrypt(frame);
        if (!sealed)
                throw new Error(`nothing came out of the sender (${verdict})`);
        equal([...sealed.subarray(-2)], [0xfa, 0xfa], 'marker');
        // The last bytes are never clear in these frames.
        if (Buffer.from(sealed).includes(Buffer.from(frame.payload.subarray(-16))))
                throw new Error('the frame holds its plaintext');
        return sealed;
}

async function pass(sender, receivers, frames) {
        for (const frame of frames) {
                const sealed = await seal(sender, frame);
                for (const receiver of [receivers].flat())
                        await open(receiver, frame, sealed, expected(frame));
        }
}

// Neither says more of a frame that came before than this.
function replayed(result, what) {
        nothing(result, what);
        if (result.verdict !== 'replayed' && !/NoValidCryptorFound/.test(result.refusal))
                throw new Error(`${what}: ${result.verdict ?? result.refusal}`);
}

// framekeyd under keys of other epochs: of which epoch a frame is it does not say, so it may also look like an old one.
function unopened(result, what) {
        nothing(result, what);
        if (!['forged', 'unknown-key', 'replayed', 'too-old'].includes(result.verdict))
                throw new Error(`${what}: verdict ${result.verdict}`);
}

// All frames, each in two copies; the first comes first, because nothing older than that is ever taken.
async function passShuffled(sender, receiver, frames) {
        const sealed = [];
        for (const frame of frames)
                sealed.push({ frame, bytes: await seal(sender, frame) });
        const [first, ...others] = sealed;
        others.sort((a, b) => a.bytes[trailerOf(a.bytes)] - b.bytes[trailerOf(b.bytes)]); // by a byte of the tag
        equal(others.some(({ bytes }, i) => i > 0 && nonceOf(bytes) < nonceOf(others[i - 1].bytes)), true, 'disorder');
        for (const { frame, bytes } of [first, ...others]) {
                await open(receiver, frame, bytes, expected(frame));
                replayed(await receiver.decrypt({ ...frame, payload: bytes }), 'the second copy');
        }
        for (const { frame, bytes } of sealed)
                replayed(await receiver.decrypt({ ...frame, payload: bytes }), 'the third copy');
}

// Copies of a sealed frame that nobody may accept.
function tampered(sealed) {
        const tag = trailerOf(sealed);
        const flipped = (at) => sealed.map((byte, i) => (i === (at < 0 ? sealed.length + at : at) ? byte ^ 1 : byte));
        return {
                'first byte flipped': flipped(0),
                'a byte in the middle flipped': flipped(tag >> 1),
                'last byte of the media flipped': flipped(tag - 1),
                'tag flipped': flipped(tag),
                'end of the tag flipped': flipped(tag + 7),
                'nonce flipped': flipped(tag + 8),
                // The first range, or if there is none the size.
                'byte behind the nonce flipped': flipped(tag + 9),
                'size flipped': flipped(-3),
                'marker flipped': flipped(-2),
                'other half of the marker flipped': flipped(-1),
                'first byte cut off': sealed.slice(1),
                'last byte cut off': sealed.slice(0, -1),
                'a byte appended': Uint8Array.from([...sealed, 0]),
                'media cut out': sealed.slice(tag),
                'tag cut out': Uint8Array.from([...sealed.slice(0, tag), ...sealed.slice(tag + 8)]),
        };
}

console.log(`@snazzah/davey ${packageVersion('@snazzah/davey')}, ts-mls ${packageVersion('ts-mls')}, ` +
        `node ${process.version}`);

// ---- every codec ----

for (const kind of kinds) {
        const frames = media[kind];
        await check(`${kind}: davey to davey`, async () => {
                const { gateway, alice, carol } = await makeCall();
                await gateway.change({ winner: alice, add: [carol] });
                await pass(alice, carol.from(alice.id), frames);
        });
        await check(`${kind}: davey to framekeyd`, async () => {
                const { alice, bob } = await makeCall();
                await pass(alice, await receives(bob, alice), frames);
        });
        await check(`${kind}: framekeyd to davey`, async () => {
                const { alice, bob } = await makeCall();
                await pass(await sends(bob), alice.from(bob.id), frames);
        });
        await check(`${kind} out of order and three times over: davey to framekeyd`, async () => {
                const { alice, bob } = await makeCall();
                await passShuffled(alice, await receives(bob, alice), frames);
        });
        await check(`${kind} out of order and three times over: framekeyd to davey`, async () => {
                const { alice, bob } = await makeCall();
                await passShuffled(await sends(bob), alice.from(bob.id), frames);
        });
}

for (const kind of kinds)
        await check(`${kind}: framekeyd leaves the same bytes in clear as davey, except in messages`, async () => {
                const { alice, bob } = await makeCall();
                const sender = await sends(bob);
                for (const frame of media[kind].map(withoutMessages))
                        equal(rangesOf(await seal(sender, frame)), rangesOf(await seal(alice, frame)), 'clear ranges');
        });

for (const kind of ['h264', 'h265'])
        await check(`${kind}: what the encoder says of itself is to be read in davey's frames only`, async () => {
                const { alice, bob } = await makeCall();
                const [frame] = media[kind];
                const reads = async (sender) => Buffer.from(await seal(sender, frame)).includes(`x${kind.slice(1)}`);
                equal([await reads(alice), await reads(await sends(bob))], [true, false], 'davey, framekeyd');
        });

for (const kind of ['h264', 'h265']) {
        // One ciphertext byte in 16 million begins a start code: the same frame again until one was sealed twice.
        const long = new Uint8Array(400000).fill(0xb5);
        long.set(media[kind][0].payload);
        const frame = { ...media[kind][0], payload: long };
        const passRetried = async (sender, receiver) => {
                let nonce = nonceOf(await seal(sender, frame));
                for (let i = 0; i < 1000; i++) {
                        const sealed = await seal(sender, frame);
                        if (nonceOf(sealed) > nonce + 1)
                                return open(receiver, frame, sealed, expected(frame));
                        nonce++;
                }
                throw new Error('no frame ever had a start code in its ciphertext');
        };
        await check(`${kind} with a start code in its ciphertext: davey to framekeyd`, async () => {
                const { alice, bob } = await makeCall();
                await passRetried(alice, await receives(bob, alice));
        });
        await check(`${kind} with a start code in its ciphertext: framekeyd to davey`, async () => {
                const { alice, bob } = await makeCall();
                await passRetried(await sends(bob), alice.from(bob.id));
        });
}

// ---- keys ----

await check('the exporter secret and a user ID instead of a base secret, both ways, over two epochs', async () => {
        const { gateway, alice, bob, carol } = await makeCall();
        const start = (verb, { id }) => framekeyd(verb, bob.exporterSecret, [`--user-id=${id}`]);
        const sender = await start('encrypt', bob);
        const receiver = await start('decrypt', alice);
        await pass(sender, alice.from(bob.id), mixed);
        await pass(alice, receiver, mixed);
        await gateway.change({ winner: bob, add: [carol] });
        await sender.setKey(bob.exporterSecret, 1, { user_id: String(bob.id) });
        await receiver.setKey(bob.exporterSecret, 1, { user_id: String(alice.id), activate: false });
        await pass(sender, [alice.from(bob.id), carol.from(bob.id)], mixed);
        await pass(alice, receiver, mixed);
});

await check('a user ID of 64 bits', async () => {
        const { gateway, alice, bob, carol } = await makeCall();
        await gateway.change({ winner: alice, add: [carol] });
        await pass(carol, await framekeyd('decrypt', bob.exporterSecret, [`--user-id=${carol.id}`]), opus);
});

await check('a sender who comes back under the same key goes on counting', async () => {
        const { alice, bob } = await makeCall();
        const receiver = alice.from(bob.id);
        const first = await Framekeyctl.start('encrypt', { profile: 'dave', secret: await bob.baseSecret(bob.id) });
        const before = await seal(first, opus[0]);
        await open(receiver, opus[0], before, opus[0].payload);
        await first.close();
        const second = await sends(bob);
        const after = await seal(second, opus[1]);
        equal(nonceOf(after) > nonceOf(before), true, 'a higher nonce');
        await open(receiver, opus[1], after, opus[1].payload);
        await pass(second, receiver, mixed);
});

// ---- epochs ----

for (const committer of ['davey', 'the other member'])
        await check(`a member comes and goes again, by commits of ${committer}`, async () => {
                const { gateway, alice, bob, carol } = await makeCall();
                const winner = committer === 'davey' ? alice : bob;
                const sender = await sends(bob);
                const fromAlice = await receives(bob, alice);
                await pass(sender, alice.from(bob.id), mixed);
                await pass(alice, fromAlice, mixed);

                // On the way while the epoch changes; late ones are taken, also by those who have moved on.
                const lateFromBob = await seal(sender, opus[0]);
                const lateFromAlice = await seal(alice, opus[1]);
                await gateway.change({ winner, add: [carol] });
                const early = await seal(alice, vp8[0]);
                unopened(await fromAlice.decrypt({ ...vp8[0], payload: early }), 'framekeyd, a frame before its key');
                await movesOn(sender, bob, bob, 1);
                await movesOn(fromAlice, bob, alice, 1);
                const fromCarol = await receives(bob, carol);
                await open(fromAlice, vp8[0], early, vp8[0].payload);
                await pass(sender, [alice.from(bob.id), carol.from(bob.id)], mixed);
                await pass(alice, [fromAlice, carol.from(alice.id)], mixed);
                await pass(carol, [fromCarol, alice.from(carol.id)], mixed);
                await open(alice.from(bob.id), opus[0], lateFromBob, opus[0].payload);
                await open(fromAlice, opus[1], lateFromAlice, opus[1].payload);
                nothing(await carol.from(bob.id).decrypt({ ...opus[0], payload: lateFromBob }), 'who came later');
                replayed(await alice.from(bob.id).decrypt({ ...opus[0], payload: lateFromBob }), 'davey, again');
                replayed(await fromAlice.decrypt({ ...opus[1], payload: lateFromAlice }), 'framekeyd, again');

                await gateway.change({ winner, remove: [carol] });
                await movesOn(sender, bob, bob, 2);
                await movesOn(fromAlice, bob, alice, 2);
                await pass(sender, alice.from(bob.id), mixed);
                await pass(alice, fromAlice, mixed);
                const sealed = await seal(sender, opus[2]);
                nothing(await carol.from(bob.id).decrypt({ ...opus[2], payload: sealed }), 'who has gone');
                await open(alice.from(bob.id), opus[2], sealed, opus[2].payload);
        });

await check('framekeyd with the keys of a member who was removed is out of the call', async () => {
        const { gateway, alice, bob, carol } = await makeCall();
        await gateway.change({ winner: bob, add: [carol] });
        const sender = await sends(bob);
        const receiver = await receives(bob, alice);
        await pass(sender, alice.from(bob.id), opus);
        await pass(alice, receiver, opus);
        await gateway.change({ winner: alice, remove: [bob] });
        for (const frame of mixed) {
                const sealed = await seal(alice, frame);
                unopened(await receiver.decrypt({ ...frame, payload: sealed }), 'framekeyd');
                await open(carol.from(alice.id), frame, sealed, frame.payload);
                const outside = await seal(sender, frame);
                nothing(await alice.from(bob.id).decrypt({ ...frame, payload: outside }), 'davey');
        }
});

await check('the group is made anew', async () => {
        const { gateway, alice, bob, carol } = await makeCall();
        const sender = await sends(bob);
        const receiver = await receives(bob, alice);
        await pass(sender, alice.from(bob.id), mixed);
        await pass(alice, receiver, mixed);
        const old = await seal(sender, opus[0]);
        await gateway.found(alice, [carol, bob]);
        await movesOn(sender, bob, bob, 1);
        await movesOn(receiver, bob, alice, 1);
        nothing(await alice.from(bob.id).decrypt({ ...opus[0], payload: old }), 'davey, a frame of the old group');
        await pass(sender, [alice.from(bob.id), carol.from(bob.id)], mixed);
        await pass(alice, [receiver, carol.from(alice.id)], mixed);
});

await check('twenty epochs, more than there are key indices', async () => {
        const { gateway, alice, bob, carol } = await makeCall();
        const sender = await sends(bob);
        const receiver = await receives(bob, alice);
        for (let epoch = 1; epoch <= 20; epoch++) {
                const change = epoch % 2 === 1 ? { add: [carol] } : { remove: [carol] };
                await gateway.change({ winner: epoch % 4 < 2 ? alice : bob, ...change });
                await movesOn(sender, bob, bob, epoch % 16);
                await movesOn(receiver, bob, alice, epoch % 16);
                await pass(sender, alice.from(bob.id), mixed.slice(0, 4));
                await pass(alice, receiver, mixed.slice(0, 4));
        }
});

// ---- what must not come through ----

for (const kind of ['opus', 'vp8', 'h264', 'av1'])
        await check(`${kind}: both refuse what was changed on the way, and then take the frame itself`, async () => {
                const frame = media[kind][0];
                const { alice, bob } = await makeCall();
                const receiver = await receives(bob, alice);
                const fromAlice = await seal(alice, frame);
                for (const [what, bytes] of Object.entries(tampered(fromAlice)))
                        refused(await receiver.decrypt({ ...frame, payload: bytes }), `framekeyd, ${what}`);
                await open(receiver, frame, fromAlice, expected(frame));
                const fromBob = await seal(await sends(bob), frame);
                for (const [what, bytes] of Object.entries(tampered(fromBob)))
                        nothing(await alice.from(bob.id).decrypt({ ...frame, payload: bytes }), `davey, ${what}`);
                await open(alice.from(bob.id), frame, fromBob, expected(frame));
        });

await check('neither accepts frames that were never encrypted, of another user, or of another call', async () => {
        const { gateway, alice, bob, carol } = await makeCall();
        await gateway.change({ winner: alice, add: [carol] });
        const stranger = (await makeCall()).alice;
        const receiver = await receives(bob, alice);
        const strange = await framekeyd('encrypt', new Uint8Array(16).fill(7));
        for (const frame of [opus[0], vp8[0], vp8[1]]) {
                refused(await receiver.decrypt(frame), 'framekeyd, plain');
                nothing(await alice.from(bob.id).decrypt(frame), 'davey, plain');
                for (const [who, other] of [['Carol', carol], ['a stranger', stranger]]) {
                        const payload = await seal(other, frame);
                        refused(await receiver.decrypt({ ...frame, payload }), `framekeyd, ${who}`);
                }
                const payload = await seal(strange, frame);
                nothing(await alice.from(bob.id).decrypt({ ...frame, payload }), 'davey, stranger');
        }
});

await check('silence: framekeyd encrypts it, and takes it from davey, who does not, only by permission', async () => {
        const { alice, bob } = await makeCall();
        const sender = await sends(bob);
        const { payload: sealed } = await sender.encrypt(silence);
        equal(sealed.length, silence.payload.length + 12, 'length of the frame');
        await open(alice.from(bob.id), silence, sealed, silence.payload);

        const receiver = await receives(bob, alice);
        const { payload: plain } = await alice.encrypt(silence);
        equalBytes(plain, silence.payload, 'davey');
        refused(await receiver.decrypt({ ...silence, payload: plain }), 'framekeyd');
        await receiver.allowUnencrypted('silence');
        equal((await open(receiver, silence, plain, silence.payload)).verdict, 'server-injected', 'verdict');
        refused(await receiver.decrypt(opus[0]), 'framekeyd, other content');
        await receiver.allowUnencrypted('nothing');
        refused(await receiver.decrypt({ ...silence, payload: plain }), 'framekeyd, permission withdrawn');
        await pass(alice, receiver, opus);
});

finish();
