// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Real encoded media, made by ffmpeg when a test starts, taken apart into frames as WebRTC's encoders hand them out.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=10,noise=alls=12:allf=t'];
// Groups of four pictures; WebRTC's encoders make no frames that are shown out of order.
const video = ['-g', '4', '-bf', '0', '-pix_fmt', 'yuv420p'];

const recipes = {
        opus: ['opus.ogg', ['-f', 'lavfi', '-i', 'sine=frequency=440', '-c:a', 'libopus', '-b:a', '32k']],
        vp8: ['vp8.ivf', [...picture, ...video, '-c:v', 'libvpx', '-auto-alt-ref', '0', '-deadline', 'realtime']],
        vp9: ['vp9.ivf', [...picture, ...video, '-c:v', 'libvpx-vp9', '-auto-alt-ref', '0', '-deadline', 'realtime',
                '-cpu-used', '8']],
        h264: ['h264.h264', [...picture, ...video, '-c:v', 'libx264', '-tune', 'zerolatency', '-x264-params',
                'aud=1:sliced-threads=0:threads=1']],
        // Several slices a picture, short start codes in front of them.
        'h264 slices': ['slices.h264', [...picture, ...video, '-c:v', 'libx264', '-tune', 'zerolatency', '-x264-params',
                'aud=1:slices=4:sliced-threads=0:threads=1']],
        h265: ['h265.hevc', [...picture, ...video, '-c:v', 'libx265', '-tune', 'zerolatency', '-x265-params',
                'aud=1:log-level=none:pools=1']],
        av1: ['av1.ivf', [...picture, ...video, '-c:v', 'libaom-av1', '-usage', 'realtime', '-cpu-used', '8',
                '-lag-in-frames', '0', '-threads', '1']],
};

function encode(name, nFrames) {
        const [file, recipe] = recipes[name];
        const limit = name === 'opus' ? ['-t', `${(nFrames * 20) / 1000}`] : ['-frames:v', `${nFrames}`];
        const args = [...recipe, ...limit];
        const dir = mkdtempSync(join(process.env.FRAMEKEYD_DIR ?? tmpdir(), 'media-'));
        try {
                const all = ['-v', 'error', '-nostdin', ...args, join(dir, file)];
                execFileSync('ffmpeg', all, { stdio: ['ignore', 2, 2] });
                return readFileSync(join(dir, file));
        } finally {
                rmSync(dir, { recursive: true });
        }
}

// Packets of the only stream, without its two headers (RFC 3533 pages, RFC 7845 headers).
function oggPackets(bytes) {
        const packets = [];
        let parts = [];
        for (let page = 0; page < bytes.length; ) {
                const nSegments = bytes[page + 26];
                let at = page + 27 + nSegments;
                for (let i = 0; i < nSegments; i++) {
                        const length = bytes[page + 27 + i];
                        parts.push(bytes.subarray(at, at + length));
                        at += length;
                        if (length < 255)
                                packets.push(Buffer.concat(parts.splice(0)));
                }
                page = at;
        }
        return packets.slice(2);
}

function ivfFrames(bytes) {
        const frames = [];
        for (let at = bytes.readUInt16LE(6); at < bytes.length; ) {
                const length = bytes.readUInt32LE(at);
                frames.push(bytes.subarray(at + 12, at + 12 + length));
                at += 12 + length;
        }
        return frames;
}

// Every NAL unit of an Annex B stream: where its start code begins, how long that is, and its header byte.
function nalUnits(bytes) {
        const units = [];
        for (let i = 0; i + 3 < bytes.length; i++)
                if (bytes[i] === 0 && bytes[i + 1] === 0 && bytes[i + 2] === 1) {
                        const long = i > 0 && bytes[i - 1] === 0;
                        units.push({ start: long ? i - 1 : i, codeLength: long ? 4 : 3, header: bytes[i + 3] });
                        i += 2;
                }
        return units;
}

const nalType = { h264: (header) => header & 0x1f, h265: (header) => (header >> 1) & 0x3f };
const isDelimiter = { h264: (type) => type === 9, h265: (type) => type === 35 };
const isSlice = { h264: (type) => type === 1 || type === 5, h265: (type) => type <= 9 || (type >= 16 && type <= 21) };
const isKeySlice = { h264: (type) => type === 5, h265: (type) => type >= 16 && type <= 21 };

// Access units begin at their delimiters, which WebRTC's encoders do not write.
function accessUnits(bytes, codec) {
        const frames = [];
        let from;
        for (const { start, header } of [...nalUnits(bytes), { start: bytes.length, header: -1 }]) {
                const isStart = header < 0 || isDelimiter[codec](nalType[codec](header));
                if (from !== undefined && isStart)
                        frames.push(bytes.subarray(from, start));
                if (isStart)
                        from = undefined;
                else
                        from ??= start;
        }
        return frames;
}

// The OBUs of an AV1 temporal unit (AV1 5.3): type, header of one or two bytes, and what is behind the size, if any.
function av1Units(bytes) {
        const units = [];
        for (let at = 0; at < bytes.length; ) {
                const type = (bytes[at] >> 3) & 15;
                const hasSize = (bytes[at] & 2) !== 0;
                const header = bytes.subarray(at, at + ((bytes[at] & 4) !== 0 ? 2 : 1));
                at += header.length;
                let length = hasSize ? 0 : bytes.length - at;
                for (let shift = 0, more = hasSize; more; shift += 7) {
                        more = bytes[at] >= 128;
                        length += (bytes[at++] & 127) * 2 ** shift;
                }
                units.push({ type, header, content: bytes.subarray(at, at + length) });
                at += length;
        }
        return units;
}

function isKeyFrame(codec, bytes) {
        switch (codec) {
        case 'vp8':
                return (bytes[0] & 1) === 0;
        case 'vp9':
                return (bytes[0] & 4) === 0;
        case 'av1':
                return av1Units(bytes).some(({ type }) => type === 1); // a sequence header
        default:
                return nalUnits(bytes).some(({ header }) => isKeySlice[codec](nalType[codec](header)));
        }
}

const unpack = {
        opus: oggPackets,
        vp8: ivfFrames,
        vp9: ivfFrames,
        h264: (bytes) => accessUnits(bytes, 'h264'),
        h265: (bytes) => accessUnits(bytes, 'h265'),
        av1: ivfFrames,
};

// 'opus', 'vp8', 'vp9', 'h264', 'h264 slices', 'h265', 'av1'
export function makeFrames(name, { nFrames = name === 'opus' ? 20 : 8 } = {}) {
        const codec = name.split(' ')[0];
        const media = codec === 'opus' ? 'audio' : 'video';
        const bytes = encode(name, nFrames);
        const frames = unpack[codec](bytes).map((payload, i) => ({
                media,
                codec,
                ...(media === 'video' ? { type: isKeyFrame(codec, payload) ? 'key' : 'delta' } : {}),
                ssrc: 0x1badcafe,
                timestamp: 3000000000 + i * (media === 'audio' ? 960 : 9000),
                payload: new Uint8Array(payload),
        }));
        if (frames.length < nFrames || (media === 'video' && new Set(frames.map((f) => f.type)).size !== 2))
                throw new Error(`ffmpeg made ${frames.length} ${name} frames, which is not what the test is for`);
        return frames;
}

function withLongCodes(payload, units) {
        const parts = [];
        let from = 0;
        for (const { start, codeLength } of units) {
                parts.push(payload.subarray(from, start));
                if (codeLength === 3)
                        parts.push(Uint8Array.of(0));
                from = start;
        }
        return new Uint8Array(Buffer.concat([...parts, payload.subarray(from)]));
}

// What a LiveKit receiver gets of a frame: H.264 and H.265 have four-byte start codes up to the first slice, and
// nothing else is touched.
export function withLongStartCodes({ codec, payload }) {
        const units = nalUnits(payload);
        const first = units.findIndex(({ header }) => isSlice[codec](nalType[codec](header)));
        return withLongCodes(payload, units.slice(0, first + 1));
}

// The same before every unit.
export const withLongStartCodesOnly = ({ payload }) => withLongCodes(payload, nalUnits(payload));

// A frame without the supplemental enhancement information of H.264 and H.265.
export function withoutMessages(frame) {
        const isMessage = { h264: (type) => type === 6, h265: (type) => type === 39 || type === 40 }[frame.codec];
        if (!isMessage)
                return frame;
        const units = nalUnits(frame.payload);
        const parts = units.map(({ start, header }, i) =>
                isMessage(nalType[frame.codec](header)) ? [] : frame.payload.subarray(start, units[i + 1]?.start));
        return { ...frame, payload: new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part)))) };
}

// What a DAVE receiver gets of an AV1 frame: no delimiters, tile lists and padding, sizes in as few bytes as can be,
// and none in the last unit.
export function withLastUnitOpen({ payload }) {
        const units = av1Units(payload).filter(({ type }) => ![2, 8, 15].includes(type));
        const parts = units.map(({ header: [first, ...extension], content }, i) => {
                if (i === units.length - 1)
                        return [Buffer.of(first & ~2, ...extension), content];
                const size = [];
                for (let rest = content.length; rest > 0 || size.length === 0; rest >>= 7)
                        size.push((rest & 127) | (rest > 127 ? 128 : 0));
                return [Buffer.of(first | 2, ...extension, ...size), content];
        });
        return new Uint8Array(Buffer.concat(parts.flat()));
}
