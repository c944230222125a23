// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The known answers of tests/vectors, given to the live worker. They were made with such a worker, so this shows that
// the harness drives it as the product does; it says nothing about framekeyd.
import { readFileSync } from 'node:fs';
import { check, equal, equalBytes, nothing } from './check.mjs';
import { Peer } from './peer.mjs';

const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));
const text = (hex) => new TextDecoder().decode(bytes(hex));

function frameOf(entry, hex) {
        return {
                media: entry.media,
                codec: entry.codec_known === false ? undefined : entry.codec,
                type: entry.frame_type ?? 'delta',
                ssrc: entry.ssrc,
                timestamp: entry.rtp_timestamp,
                payload: bytes(hex),
        };
}

// A receiver that holds a key of kdf[] at a step. The peers' main threads take a passphrase or bytes; bytes that are
// stretched as a passphrase is (which native clients do) are given as the string that they are.
async function receiver(product, kdf, { step, index, window = 0, trailer, failureTolerance = -1 }) {
        const peer = await Peer.start(product, {
                window,
                salt: text(kdf.salt_hex),
                keySize: kdf.aes_key_bits,
                ringSize: 256,
                failureTolerance,
                ratchetsRemote: true,
        });
        const raw = kdf.input.utf8_hex ?? kdf.input.hex;
        await peer.setKey(kdf.kdf.startsWith('PBKDF2') ? text(raw) : bytes(raw), index);
        for (let i = 0; i < step; i++)
                await peer.ratchet(index);
        if (trailer)
                await peer.setServerTrailer(bytes(trailer));
        return peer;
}

// Receivers with the same keys can be one, unless they ratchet by themselves.
function receivers(product, file) {
        const known = new Map();
        return {
                get(kdfId, options) {
                        const key = JSON.stringify([kdfId, options]);
                        if (!known.has(key))
                                known.set(key, receiver(product, file.kdf.find(({ id }) => id === kdfId), options));
                        return known.get(key);
                },
                async close() {
                        for (const peer of known.values())
                                await (await peer).close();
                },
        };
}

function checkResult(found, entry, input, what) {
        switch (entry.reference_result ?? entry.result) {
        case 'dropped':
                return nothing(found, what);
        case 'passed_unchanged':
                return equalBytes(found.payload, bytes(input), what);
        default: {
                const plain = entry.output_hex ?? entry.decrypted_hex ?? entry.plaintext_hex;
                if (plain === undefined)
                        return equal(found.payload?.length, bytes(input).length - 30, `${what}: length`);
                return equalBytes(found.payload, bytes(plain), what);
        }
        }
}

export async function checkVectors(product, path) {
        const file = JSON.parse(readFileSync(path, 'utf8'));
        const pool = receivers(product, file);

        await check(`the worker decrypts the ${file.frames.length} frames of the vectors`, async () => {
                for (const entry of file.frames) {
                        const peer = await pool.get(entry.key.kdf, { step: entry.key.step, index: entry.key_index });
                        checkResult(await peer.decrypt(frameOf(entry, entry.encrypted_hex)), entry, entry.encrypted_hex, entry.id);
                }
        });
        await check(`the worker refuses the ${file.encode_refusals.length} frames that cannot be encrypted`, async () => {
                for (const entry of file.encode_refusals) {
                        const peer = await pool.get(entry.key.kdf, { step: entry.key.step, index: entry.key_index });
                        const sealed = await peer.encrypt(frameOf(entry, entry.plaintext_hex));
                        nothing(sealed, entry.id);
                        equal(Boolean(sealed.tornDown), true, `${entry.id}: torn down`);
                }
        });
        await check(`the worker treats the ${file.decrypt.length} received frames of the vectors as they say`, async () => {
                for (const entry of file.decrypt) {
                        const [{ key_index: index, kdf, step }] = entry.keys;
                        const trailer = product === 'livekit' ? entry.server_trailer_hex : undefined;
                        const peer = await pool.get(kdf, { step, index, window: entry.ratchet_window, trailer });
                        checkResult(await peer.decrypt(frameOf(entry, entry.input_hex)), entry, entry.input_hex, entry.id);
                }
        });
        await check(`the worker follows ratchets in the ${file.sessions.length} sessions of the vectors as they say`, async () => {
                for (const session of file.sessions) {
                        const { kdf: id, step, key_index: index, ratchet_window: window } = session.receiver;
                        const { failure_tolerance: failureTolerance } = session.receiver;
                        const kdf = file.kdf.find((k) => k.id === id);
                        const peer = await receiver(product, kdf, { step, index, window, failureTolerance });
                        for (const [i, frame] of session.frames.entries()) {
                                const given = frameOf({ ...session, ...frame }, frame.encrypted_hex);
                                checkResult(await peer.decrypt(given), frame, frame.encrypted_hex, `${session.id} frame ${i}`);
                        }
                        await peer.close();
                }
        });
        const packets = file.data_packets ?? [];
        if (packets.length > 0)
                await check(`the worker treats the ${packets.length} data packets of the vectors as they say`, async () => {
                        for (const entry of packets) {
                                const { kdf, step } = entry.receiver ?? entry.key;
                                const index = entry.receiver?.key_index ?? entry.key_index;
                                const peer = await pool.get(kdf, { step, index, window: entry.receiver?.ratchet_window });
                                const found = await peer.decryptData({
                                        payload: bytes(entry.encrypted_hex),
                                        iv: bytes(entry.iv_hex),
                                        keyIndex: entry.key_index,
                                });
                                if (entry.reference_result === 'rejected')
                                        nothing(found, entry.id);
                                else
                                        equalBytes(found.payload, bytes(entry.plaintext_hex), entry.id);
                        }
                });
        await pool.close();
}
