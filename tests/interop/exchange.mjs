// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Frames from one side of a call to the other, with what has to hold on the way. Both sides have the same verbs,
// whether they are a Peer or a Framekeyctl.
import { equal, equalBytes, nothing } from './check.mjs';

export const utf8 = (text) => new TextEncoder().encode(text);

// Encrypts: something comes out, it names the key index, and it does not hold the plaintext.
export async function seal(sender, frame, { index = 0 } = {}) {
        const { payload: sealed, verdict, tornDown } = await sender.encrypt(frame);
        if (!sealed)
                throw new Error(`nothing came out of the sender (${verdict ?? tornDown ?? 'dropped'})`);
        equal([sealed.at(-2), sealed.at(-1)], [12, index], 'IV length and key index of the frame');
        // The last 16 bytes are never clear in these frames.
        if (Buffer.from(sealed).includes(Buffer.from(frame.payload.subarray(-16))))
                throw new Error('the frame holds its plaintext');
        return sealed;
}

// Decrypts: exactly these bytes come out.
export async function open(receiver, frame, sealed, expected) {
        const result = await receiver.decrypt({ ...frame, payload: sealed });
        equalBytes(result.payload, expected, `frame decrypted (${result.verdict ?? result.refusal ?? 'worker'})`);
        return result;
}

export async function pass(sender, receiver, frames, { index, expected = (frame) => frame.payload } = {}) {
        let result;
        for (const frame of frames)
                result = await open(receiver, frame, await seal(sender, frame, { index }), expected(frame));
        return result;
}

// The last frame of a sender who has moved on in silence. framekeyd derives the steps ahead in the background: asked
// too early it calls the frame forged, and the next one comes through. A file's frame would simply be read again.
export async function openAhead(receiver, frame, sealed) {
        const deadline = Date.now() + 20000;
        for (;;) {
                const result = await receiver.decrypt({ ...frame, payload: sealed });
                if (result.payload || Date.now() > deadline) {
                        equalBytes(result.payload, frame.payload, `frame decrypted (${result.verdict})`);
                        return result;
                }
                refused(result, 'while steps are derived');
                await new Promise((resolve) => setTimeout(resolve, 20));
        }
}

// Copies of a sealed frame that nobody may accept. The frame's index is one that has a key, index + 1 has none.
export function tampered(sealed) {
        const flipped = (at) => {
                const copy = Uint8Array.from(sealed);
                copy[at < 0 ? copy.length + at : at] ^= 1;
                return copy;
        };
        return {
                'first byte flipped': flipped(0),
                'a byte in the middle flipped': flipped(sealed.length >> 1),
                'tag flipped': flipped(-20),
                'IV flipped': flipped(-8),
                'IV length 13': flipped(-2),
                'key index of no key': flipped(-1),
                'last byte cut off': sealed.slice(0, -1),
                'a byte appended': Uint8Array.from([...sealed, 0]),
                'trailer only': sealed.slice(-14),
                'tag cut out': Uint8Array.from([...sealed.slice(0, -30), ...sealed.slice(-14)]),
        };
}

// framekeyd's own refusal: nothing comes out, and a verdict says why.
export function refused(result, what) {
        nothing(result, what);
        if (!['forged', 'malformed', 'unknown-key', 'budget'].includes(result.verdict))
                throw new Error(`${what}: verdict ${result.verdict}`);
}
