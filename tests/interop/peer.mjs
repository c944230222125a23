// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Live peers: the E2EE workers of livekit-client and RealtimeKit as their packages have them, behind one interface.
//
//   const peer = await Peer.start('livekit', { window: 8 });
//   await peer.setKey('passphrase', 0);          a string is a passphrase, a Uint8Array a byte key
//   const sealed = await peer.encrypt(frame);    { payload } or {} if nothing came out or { tornDown }
//   const plain = await peer.decrypt({ ...frame, payload: sealed.payload });
//   await peer.ratchet();                        one step of the current key, or of the one at an index
//   await peer.close();
//
// A frame is { media: 'audio'|'video', codec, type: 'key'|'delta', ssrc, timestamp, payload: Uint8Array }.
// Each peer is a thread of its own: the workers keep their keys in globals.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

const thread = new URL('./peer-thread.mjs', import.meta.url);
const identity = 'alice';

// Where "npm ci" has put the packages; tests/interop/install-peers sets it.
export function packages() {
        const dir = process.env.FRAMEKEY_PEERS;
        if (!dir || !existsSync(dir))
                throw new Error('FRAMEKEY_PEERS does not name a directory; run me through tests/interop/test-*.sh');
        return dir;
}

export function packageVersion(name) {
        return JSON.parse(readFileSync(join(packages(), 'node_modules', name, 'package.json'), 'utf8')).version;
}

// RealtimeKit's worker is a base64 string inside its main-thread module, the only long one there.
function extractInlinedWorker() {
        const module = readFileSync(
                join(packages(), 'node_modules/@cloudflare/realtimekit/dist/EncryptionManager.es.js'), 'utf8');
        const strings = [...module.matchAll(/"([A-Za-z0-9+/]{10000,}={0,2})"/g)];
        if (strings.length !== 1)
                throw new Error(`EncryptionManager.es.js holds ${strings.length} long base64 strings instead of one`);
        const code = Buffer.from(strings[0][1], 'base64');
        const dir = join(packages(), 'extracted');
        const file = join(dir, `realtimekit-${createHash('sha256').update(code).digest('hex').slice(0, 16)}.js`);
        if (!existsSync(file)) {
                mkdirSync(dir, { recursive: true });
                // By another name first: tests that start at the same time must not read half a file.
                writeFileSync(`${file}.${process.pid}`, code);
                renameSync(`${file}.${process.pid}`, file);
        }
        return file;
}

// The worker's unmodified code.
export function workerFile(product) {
        return product === 'livekit' ?
                join(packages(), 'node_modules/livekit-client/dist/livekit-client.e2ee.worker.mjs') :
                extractInlinedWorker();
}

const products = {
        livekit: (options) => ({
                worker: { file: workerFile('livekit'), kind: 'module' },
                keyProviderOptions: {
                        sharedKey: options.sharedKey ?? true,
                        ratchetSalt: options.salt ?? 'LKFrameEncryptionKey',
                        ratchetWindowSize: options.window ?? 8,
                        failureTolerance: options.failureTolerance ?? 10,
                        keyringSize: options.ringSize ?? 16,
                        keySize: options.keySize ?? 128,
                },
                identityFields: { participantIdentity: identity },
                keyFields: { participantIdentity: identity },
                ratchetFields: { participantIdentity: identity },
                enable: [{ participantIdentity: identity }],
                namesCodecs: true,
        }),
        realtimekit: (options) => ({
                worker: { file: workerFile('realtimekit'), kind: 'script' },
                keyProviderOptions: {
                        sharedKey: true,
                        ratchetSalt: options.salt ?? 'RealtimeKitFrameEncryptionKey',
                        ratchetWindowSize: options.window ?? 8,
                },
                identityFields: { participantId: identity },
                // Without a participant: the publisher's key, and with a shared key everybody's. A ratchet by hand
                // moves the publisher's key only, a participant's where it is named.
                keyFields: {},
                ratchetFields: options.ratchetsRemote ? { participantId: identity } : {},
                enable: [{}, { participantId: identity }],
                namesCodecs: false,
        }),
};

export class Peer {
        #worker;
        #waiting = new Map();
        #nRequests = 0;
        said = [];

        // options: window, salt; livekit: sharedKey, failureTolerance, ringSize, keySize; realtimekit: ratchetsRemote;
        // transform: 'message' (streams by message, the default) or 'script' (RTCRtpScriptTransform).
        static async start(product, options = {}) {
                const peer = new Peer();
                const { transform = 'message' } = options;
                peer.#worker = new Worker(thread, {
                        workerData: { ...products[product](options), transform },
                        // The workers chat on the console; tests want to read their own lines.
                        stdout: true,
                        stderr: true,
                });
                await new Promise((resolve, reject) => {
                        peer.#worker.on('error', (error) => {
                                reject(error);
                                for (const waiting of peer.#waiting.values())
                                        waiting.reject(error);
                        });
                        peer.#worker.on('message', (message) => {
                                if (message.ready)
                                        resolve();
                                else
                                        peer.#answer(message);
                        });
                });
                return peer;
        }

        #answer({ id, result, said, error }) {
                const waiting = this.#waiting.get(id);
                this.#waiting.delete(id);
                if (error)
                        return waiting.reject(new Error(error));
                this.said = said;
                waiting.resolve(result);
        }

        #ask(name, args) {
                return new Promise((resolve, reject) => {
                        const id = this.#nRequests++;
                        this.#waiting.set(id, { resolve, reject });
                        this.#worker.postMessage({ id, name, args });
                });
        }

        setKey(secret, index = 0) {
                return this.#ask('setKey', { secret, index });
        }

        ratchet(index) {
                return this.#ask('ratchet', { index });
        }

        encrypt(frame) {
                return this.#ask('encrypt', { frame });
        }

        decrypt(frame) {
                return this.#ask('decrypt', { frame });
        }

        // LiveKit only.
        setServerTrailer(trailer) {
                return this.#ask('setServerTrailer', { trailer });
        }

        encryptData(payload) {
                return this.#ask('encryptData', { payload });
        }

        decryptData(packet) {
                return this.#ask('decryptData', packet);
        }

        async close() {
                await this.#worker.terminate();
        }
}
