// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Frames of real encoders for tests/call/transcrypt, a line each: "CODEC TYPE HEX". In the form that DAVE's senders
// give them, which rewrite start codes and OBU sizes.
import { makeFrames, withLastUnitOpen, withLongStartCodesOnly } from '../interop/media.mjs';

for (const name of ['opus', 'vp8', 'vp9', 'h264', 'h264 slices', 'h265', 'av1'])
        for (const frame of makeFrames(name)) {
                const { codec, type = 'unspecified', payload } = frame;
                const rewrite = { h264: withLongStartCodesOnly, h265: withLongStartCodesOnly, av1: withLastUnitOpen };
                const bytes = rewrite[codec] ? rewrite[codec](frame) : payload;
                console.log(`${codec} ${type} ${Buffer.from(bytes).toString('hex')}`);
        }
