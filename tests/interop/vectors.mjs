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

function checkResult(found, entry, input, what = entry.id) {
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

async function checkSession(product, file, session) {
        const { kdf: id, step, key_index: index, ratchet_window: window } = session.receiver;
        const { failure_tolerance: failureTolerance } = session.receiver;
        const kdf = file.kdf.find((k) => k.id === id);
        const peer = await receiver(product, kdf, { step, index, window, failureTolerance });
        for (const [i, frame] of session.frames.entries()) {
                const input = frame.encrypted_hex;
                const found = await peer.decrypt(frameOf({ ...session, ...frame }, input));
                checkResult(found, frame, input, `${session.id} frame ${i}`);
        }
        await peer.close();
}

async function checkPacket(pool, entry) {
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

export async function checkVectors(product, path) {
        const file = JSON.parse(readFileSync(path, 'utf8'));
        const pool = receivers(product, file);
        const forKey = ({ key: { kdf, step }, key_index: index }) => pool.get(kdf, { step, index });

        await check(`the worker decrypts the ${file.frames.length} frames of the vectors`, async () => {
                for (const entry of file.frames) {
                        const input = entry.encrypted_hex;
                        checkResult(await (await forKey(entry)).decrypt(frameOf(entry, input)), entry, input);
                }
        });
        await check(`the worker refuses ${file.encode_refusals.length} frames as the vectors say`, async () => {
                for (const entry of file.encode_refusals) {
                        const sealed = await (await forKey(entry)).encrypt(frameOf(entry, entry.plaintext_hex));
                        nothing(sealed, entry.id);
                        equal(Boolean(sealed.tornDown), true, `${entry.id}: torn down`);
                }
        });
        await check(`the worker treats ${file.decrypt.length} received frames as the vectors say`, async () => {
                for (const entry of file.decrypt) {
                        const [{ key_index: index, kdf, step }] = entry.keys;
                        const trailer = product === 'livekit' ? entry.server_trailer_hex : undefined;
                        const peer = await pool.get(kdf, { step, index, window: entry.ratchet_window, trailer });
                        checkResult(await peer.decrypt(frameOf(entry, entry.input_hex)), entry, entry.input_hex);
                }
        });
        await check(`the worker follows ratchets in ${file.sessions.length} sessions as the vectors say`, async () => {
                for (const session of file.sessions)
                        await checkSession(product, file, session);
        });
        if (file.data_packets)
                await check(`the worker treats ${file.data_packets.length} data packets as they say`, async () => {
                        for (const entry of file.data_packets)
                                await checkPacket(pool, entry);
                });
        await pool.close();
}
