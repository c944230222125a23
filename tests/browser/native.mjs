// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The native party of a call: examples/gstreamer-call as it is, with raw pictures and sound from us and to us in place
// of a camera and a screen.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, framesPerSecond, height, nNumbers, picture, recognise, toneShare, width } from './signals.mjs';

const rate = 48000;
const earful = 4800; // samples that are listened to at a time

// Hands out chunks of `size` bytes of a stream.
function inChunks(stream, size, take) {
        let rest = Buffer.alloc(0);
        stream.on('data', (bytes) => {
                rest = Buffer.concat([rest, bytes]);
                for (; rest.length >= size; rest = rest.subarray(size))
                        take(rest.subarray(0, size));
        });
}

export class Native {
        #process;
        #dir = mkdtempSync(join(process.env.FRAMEKEYD_DIR ?? tmpdir(), 'native-'));
        #nKeys = 0;
        #timer;
        #number = 0;
        #exit;
        #closed;
        #seen = [];
        #heard = [];
        #wrong = 0;
        log = [];

        #address;
        // Of everything that was ever decoded: each picture's number, and how many samples of sound.
        pictures = [];
        nSamples = 0;

        // options: profile, passphrase, role ('offer' or 'answer'), tones (ours and theirs), more arguments, the bus, and
        // who hears what is said to the other party.
        constructor({ profile, passphrase, role, tones, args = [], address, onSignal }) {
                this.#address = address ?? process.env.DBUS_SYSTEM_BUS_ADDRESS;
                const fromUs = `fdsrc fd=3 blocksize=${4 * width * height} ! rawvideoparse format=rgba width=${width} ` +
                        `height=${height} framerate=${framesPerSecond}/1 ! identity sync=true`;
                const toUs = `video/x-raw,format=RGBA,width=${width},height=${height} ! fdsink fd=4 sync=false async=false`;
                this.#process = spawn(
                        process.env.GSTREAMER_CALL,
                        [
                                `--address=${this.#address}`,
                                `--profile=${profile}`,
                                `--key-file=${this.#keyFile(passphrase)}`,
                                `--video-source=${fromUs}`,
                                `--audio-source=audiotestsrc is-live=true freq=${tones.ours} volume=0.4`,
                                `--video-sink=${toUs}`,
                                `--audio-sink=audio/x-raw,format=S16LE,rate=${rate},channels=1 ! ` +
                                        'fdsink fd=5 sync=false async=false',
                                ...args,
                                role,
                        ],
                        { stdio: Array(6).fill('pipe') });
                const [input, output, complaints, camera, screen, speaker] = this.#process.stdio;
                for (const stream of [input, camera])
                        stream.on('error', () => {}); // it ended; its exit status tells why
                complaints.setEncoding('utf8').on('data', (text) => this.log.push(text.trim()));
                createInterface({ input: output }).on('line', (line) => {
                        const message = JSON.parse(line);
                        if (message.type === 'state')
                                this.log.push(line);
                        else
                                onSignal(message);
                });
                this.#timer = setInterval(() => {
                        if (camera.writableLength === 0) // else it takes no pictures yet
                                camera.write(picture(this.#number++ % nNumbers));
                }, 1000 / framesPerSecond);
                inChunks(screen, 4 * width * height, (bytes) => this.#see(recognise(bytes), bytes));
                speaker.on('data', ({ length }) => (this.nSamples += length / 2));
                inChunks(speaker, 2 * earful, (bytes) => {
                        const samples = Float32Array.from({ length: earful }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
                        if (toneShare(samples, rate, tones.theirs) > 0.5)
                                this.#heard.push(performance.now());
                });
                this.#exit = new Promise((resolve) => {
                        this.#process.on('error', (error) => resolve(error.message));
                        this.#process.on('close', (status, signal) => resolve(`exit status ${signal ?? status}`));
                });
                this.#exit.then((how) => this.log.push(how));
        }

        #keyFile(passphrase) {
                const file = join(this.#dir, `key-${this.#nKeys++}`);
                writeFileSync(file, passphrase, { mode: 0o600 });
                return file;
        }

        #see(number, bytes) {
                this.pictures.push(number);
                if (number === undefined) {
                        this.#wrong++;
                        if (this.pictures.at(-2) !== undefined)
                                this.log.push(`an unknown picture: ${describe(bytes)}`);
                } else if (number !== this.#seen.at(-1)?.number)
                        this.#seen.push({ at: performance.now(), number });
        }

        say(message) {
                this.#process.stdin.write(`${JSON.stringify(message)}\n`);
        }

        ratchet() {
                this.say({ type: 'ratchet' });
        }

        // Receives under this key.
        setKey(passphrase, index) {
                this.say({ type: 'key', file: this.#keyFile(passphrase), index });
        }

        // Sends under it, a second later. Resolves to the number of the last picture that may have gone under another.
        async activate(index) {
                this.say({ type: 'activate', index });
                while ((await this.keys()).local?.index !== index)
                        await sleep(50);
                return this.#number;
        }

        // The key that we send under, and the newest that we receive under: { index, step }.
        async keys() {
                const { participants } = await this.inspect();
                const [local, remote] = ['local', 'remote'].map((role) => participants.find(({ Role }) => Role === role));
                const facts = (key) => key && { index: key.index, step: key.step };
                return { local: facts(local.Keys.find(({ active }) => active)), remote: facts(remote.Keys.at(-1)) };
        }

        // What came since the last time.
        report() {
                const [video, audio, wrong] = [this.#seen, this.#heard, this.#wrong];
                [this.#seen, this.#heard, this.#wrong] = [[], [], 0];
                return { now: performance.now(), video, audio, wrong };
        }

        // What the daemon says of the session: its participants with their keys, and counters by verdict.
        async inspect() {
                const ask = async (verb) => {
                        const { stdout } = await promisify(execFile)(process.env.FRAMEKEYCTL, [
                                `--address=${this.#address}`, '--json=short', verb, 'gstreamer-call']);
                        return JSON.parse(stdout);
                };
                const { participants } = await ask('show');
                return { participants, counters: await ask('stats') };
        }

        close() {
                return (this.#closed ??= this.#end());
        }

        async #end() {
                clearInterval(this.#timer);
                this.#process.stdin.end();
                const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
                const how = await this.#exit;
                clearTimeout(timer);
                rmSync(this.#dir, { recursive: true });
                if (how !== 'exit status 0')
                        throw new Error(`gstreamer-call: ${how}`);
        }
}
