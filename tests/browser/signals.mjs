// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The picture and the tone that both parties of a call send, and how they are known again; for Node and for the page.
// The picture has four colours, one in each quarter, and on a white band across the middle its number: twelve bits,
// black cells for ones, each followed by its inverse, so that no other picture is taken for one of these.
export const width = 320;
export const height = 240;
export const framesPerSecond = 15;
const nBits = 12;
export const nNumbers = 1 << nBits;
const band = { top: 96, bottom: 144 };
const cell = { width: 12, left: 16 };
const quarters = [[220, 40, 40], [40, 180, 60], [50, 70, 210], [230, 200, 50]];

const word = ([red, green, blue]) => new Uint32Array(Uint8Array.of(red, green, blue, 255).buffer)[0];
const [white, black] = [[255, 255, 255], [0, 0, 0]].map(word);

// Without a number.
const blank = Uint32Array.from({ length: width * height }, (_, i) => {
        const [x, y] = [i % width, Math.floor(i / width)];
        if (y >= band.top && y < band.bottom)
                return white;
        return word(quarters[(y < height / 2 ? 0 : 2) + (x < width / 2 ? 0 : 1)]);
});

// Bytes of red, green, blue and 255 of each point.
export function picture(number) {
        const points = blank.slice();
        for (let i = 0; i < 2 * nBits; i++)
                if (((number >> (i >> 1)) & 1) ^ (i & 1))
                        for (let y = band.top; y < band.bottom; y++) {
                                const start = y * width + cell.left + i * cell.width;
                                points.fill(black, start, start + cell.width);
                        }
        return new Uint8ClampedArray(points.buffer);
}

// Mean of the three colours over a few points around the middle of a cell.
function brightness(bytes, x, y) {
        let sum = 0;
        for (let dy = -4; dy <= 4; dy += 2)
                for (let dx = -2; dx <= 2; dx += 2)
                        for (let c = 0; c < 3; c++)
                                sum += bytes[4 * ((y + dy) * width + x + dx) + c];
        return sum / (5 * 3 * 3);
}

// How far two pictures are from each other: the mean difference of a colour, 0 to 255.
export function difference(a, b) {
        let sum = 0;
        for (let i = 0; i < a.length; i++)
                sum += Math.abs(a[i] - b[i]);
        return sum / (width * height * 3);
}

// The number of the picture that this is, within what a lossy codec does; undefined if it is none.
export function recognise(bytes) {
        let number = 0;
        for (let i = 0; i < 2 * nBits; i += 2) {
                const x = cell.left + i * cell.width + cell.width / 2;
                const y = (band.top + band.bottom) / 2;
                const first = brightness(bytes, x, y) < 128;
                const second = brightness(bytes, x + cell.width, y) < 128;
                if (first === second)
                        return undefined;
                number |= first ? 1 << (i >> 1) : 0;
        }
        return difference(bytes, picture(number)) < 12 ? number : undefined;
}

// For people: the band's cells as they were read, the colour in the middle of each quarter, and whether every point is
// opaque, as it is unless bytes are missing.
export function describe(bytes) {
        const y = (band.top + band.bottom) / 2;
        const cells = Array.from({ length: 2 * nBits }, (_, i) =>
                brightness(bytes, cell.left + (i + 0.5) * cell.width, y) < 128 ? 'X' : '.');
        const colours = quarters.map((_, i) => {
                const at = 4 * ((i < 2 ? 40 : height - 40) * width + (i % 2 ? width - 80 : 80));
                return bytes.subarray(at, at + 3).join(' ');
        });
        return `${cells.join('')} ${colours.join(', ')} ${bytes.every((byte, i) => i % 4 < 3 || byte === 255)}`;
}

// How much of the sound is this tone, 0 to 1 (Goertzel), or 0 if there is next to none.
export function toneShare(samples, rate, frequency) {
        const k = 2 * Math.cos((2 * Math.PI * frequency) / rate);
        let [s1, s2, energy] = [0, 0, 0];
        for (const sample of samples) {
                [s1, s2] = [sample + k * s1 - s2, s1];
                energy += sample * sample;
        }
        if (energy / samples.length < 1e-4)
                return 0;
        return Math.min(1, (2 * (s1 * s1 + s2 * s2 - k * s1 * s2)) / (samples.length * energy));
}
