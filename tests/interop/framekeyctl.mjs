// SPDX-License-Identifier: LGPL-2.1-or-later
//
// framekeyd's side of a call, behind the same verbs as Peer: a framekeyctl process that encrypts or decrypts what it is
// given line by line. The daemon is found by DBUS_SYSTEM_BUS_ADDRESS, which tests/with-daemon sets.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class Framekeyctl {
        #process;
        #waiting = [];
        #dir = mkdtempSync(join(process.env.FRAMEKEYD_DIR ?? tmpdir(), 'interop-'));
        #nKeys = 0;
        #exit;
        #complaints = '';

        // verb is 'encrypt' or 'decrypt'; options: profile, secret (none: the key comes later), index, more arguments of
        // framekeyctl, the bus (none: as the environment says), and who hears of the session's signals.
        static async start(verb, { profile, secret, index = 0, args = [], address, onEvent }) {
                const self = new Framekeyctl();
                self.#process = spawn(
                        process.env.FRAMEKEYCTL,
                        [
                                ...(address ? [`--address=${address}`] : []),
                                verb,
                                `--profile=${profile}`,
                                ...(secret ? [`--key-file=${self.#keyFile(secret)}`, `--key-index=${index}`] : ['--no-key']),
                                ...(onEvent ? ['--events'] : []),
                                ...args,
                        ],
                        { stdio: ['pipe', 'pipe', 'pipe'] });
                self.#exit = new Promise((resolve) => {
                        self.#process.on('error', (error) => resolve(error.message));
                        self.#process.on('close', (status, signal) => resolve(`exit status ${signal ?? status}`));
                });
                self.#process.stderr.on('data', (text) => (self.#complaints += text));
                // EPIPE: it ended; what is waited for fails with its exit status.
                self.#process.stdin.on('error', () => {});
                createInterface({ input: self.#process.stdout }).on('line', (line) => {
                        const reply = JSON.parse(line);
                        if (reply.event && !reply.done)
                                onEvent?.(reply);
                        else
                                self.#waiting.shift()?.(reply);
                });
                return self;
        }

        #keyFile(secret) {
                const file = join(this.#dir, `key-${this.#nKeys++}`);
                writeFileSync(file, secret);
                return file;
        }

        async #ask(line) {
                const answer = new Promise((resolve) => this.#waiting.push(resolve));
                this.#process.stdin.write(`${JSON.stringify(line)}\n`);
                const ended = this.#exit.then((how) => {
                        throw new Error(`framekeyctl ended (${how}): ${this.#complaints.trim()}`);
                });
                ended.catch(() => {});
                const reply = await Promise.race([answer, ended]);
                if (reply.verdict?.startsWith('error'))
                        throw new Error(reply.verdict);
                return reply;
        }

        async #pass({ media, codec, type, ssrc, timestamp, payload }) {
                const reply = await this.#ask({
                        media,
                        codec,
                        frame_type: type,
                        ssrc,
                        rtp_timestamp: timestamp,
                        payload_hex: Buffer.from(payload).toString('hex'),
                });
                const result = { verdict: reply.verdict, index: reply.key_index, step: reply.step };
                if (reply.payload_hex !== undefined)
                        result.payload = new Uint8Array(Buffer.from(reply.payload_hex, 'hex'));
                return result;
        }

        encrypt(frame) {
                return this.#pass(frame);
        }

        decrypt(frame) {
                return this.#pass(frame);
        }

        ratchet() {
                return this.#ask({ do: 'ratchet' });
        }

        // Installs a further key; a sender sends under it from then on only if it is activated. options: more fields.
        setKey(secret, index, { activate = true, ...options } = {}) {
                return this.#ask({
                        do: 'import',
                        key_file: this.#keyFile(secret),
                        key_index: index,
                        activate,
                        ...options,
                });
        }

        // Sends under this index after a while.
        activate(index, { afterUsec = 0 } = {}) {
                return this.#ask({ do: 'activate', key_index: index, after_usec: afterUsec });
        }

        // A key of the daemon's own.
        generate() {
                return this.#ask({ do: 'generate' });
        }

        async transportKey() {
                return (await this.#ask({ do: 'transport-key' })).key_hex;
        }

        // For the daemon with this transport key; the package is hexadecimal.
        async exportKey(recipient, index) {
                return (await this.#ask({ do: 'export', recipient_hex: recipient, key_index: index })).package_hex;
        }

        importWrapped(pack) {
                return this.#ask({ do: 'import-wrapped', package_hex: pack });
        }

        // DAVE: 'silence', 'all' or 'nothing' comes through without a key.
        allowUnencrypted(what) {
                return this.#ask({ do: 'allow-unencrypted', what });
        }

        async close() {
                this.#process.stdin.end();
                const how = await this.#exit;
                rmSync(this.#dir, { recursive: true });
                if (how !== 'exit status 0')
                        throw new Error(`framekeyctl: ${how}: ${this.#complaints.trim()}`);
        }
}
