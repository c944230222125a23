// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The browser's side of one E2EE worker: runs in a thread of its own, loads the worker's unmodified code into a global
// that looks like a DedicatedWorkerGlobalScope, and feeds encoded frames through the streams it sets up.
//
// Two things a browser does not have are added around the worker, not in it: WebCrypto calls are counted, because
// neither worker says when a key it was given can be used; and every frame is followed by an empty one, which both
// workers hand on at once, so that a frame that was dropped is told from one that is late.
import { readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { runInThisContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';

// ---- what the workers expect of their global ----

let busy = 0;
const subtle = new Proxy(webcrypto.subtle, {
        get(target, name) {
                const value = target[name];
                if (typeof value !== 'function')
                        return value;
                return async (...args) => {
                        busy++;
                        try {
                                return await value.apply(target, args);
                        } finally {
                                busy--;
                        }
                };
        },
});

const messages = [];
let onMessageFromWorker = () => {};

// The browser's classes have these as attributes of the prototype. The workers ask "'type' in frame" to tell video from
// audio, and "instanceof" in a log line.
class RTCEncodedAudioFrame {
        constructor({ data, timestamp, metadata }) {
                this.data = data;
                this.timestamp = timestamp;
                this.getMetadata = () => metadata;
        }
}

class RTCEncodedVideoFrame extends RTCEncodedAudioFrame {
        constructor(init) {
                super(init);
                this.type = init.type;
        }
}

class RTCTransformEvent extends Event {
        constructor(transformer) {
                super('rtctransform');
                this.transformer = transformer;
        }
}

function makeGlobal() {
        Object.defineProperty(globalThis, 'crypto', {
                value: { subtle, getRandomValues: (array) => webcrypto.getRandomValues(array) },
                configurable: true,
                writable: true,
        });
        Object.assign(globalThis, {
                self: globalThis,
                onmessage: null,
                onrtctransform: null,
                RTCEncodedAudioFrame,
                RTCEncodedVideoFrame,
                postMessage(message) {
                        messages.push(message);
                        onMessageFromWorker(message);
                },
        });
        // Browsers with script transforms have this; the others send streams by message.
        if (workerData.transform === 'script')
                globalThis.RTCTransformEvent = RTCTransformEvent;
}

async function loadWorker() {
        const { file, kind } = workerData.worker;
        if (kind === 'module')
                await import(pathToFileURL(file).href);
        else
                runInThisContext(readFileSync(file, 'utf8'), { filename: file });
        if (typeof globalThis.onmessage !== 'function')
                throw new Error(`${file} has set no onmessage`);
}

// ---- talking to the worker ----

function post(message) {
        globalThis.onmessage({ data: message });
}

function turn() {
        return new Promise((resolve) => setImmediate(resolve));
}

// Waits until nothing is derived or imported any more: a few turns of the loop without WebCrypto under way.
async function settle() {
        for (let quiet = 0; quiet < 3; quiet = busy === 0 ? quiet + 1 : 0)
                await turn();
}

async function postAndWait(message, isAnswer) {
        const answer = new Promise((resolve) => {
                onMessageFromWorker = (m) => {
                        if (isAnswer(m))
                                resolve(m);
                };
        });
        post(message);
        return answer;
}

// ---- tracks ----

// One encoded stream in one direction, from the packetizer's side. It ends for good when the worker throws.
class Track {
        constructor(operation, id, codec) {
                const track = this;
                const readable = new ReadableStream({
                        start(controller) {
                                track.input = controller;
                        },
                        cancel(reason) {
                                track.fail(reason);
                        },
                });
                const writable = new WritableStream({
                        write(frame) {
                                track.take(frame);
                        },
                        abort(reason) {
                                track.fail(reason);
                        },
                });
                const common = { trackId: id, codec, hasPacketTrailer: false };
                Object.assign(common, workerData.identityFields);
                if (workerData.transform === 'script')
                        globalThis.onrtctransform(
                                new RTCTransformEvent({ readable, writable, options: { kind: operation, ...common } }));
                else
                        post({
                                kind: operation,
                                data: { readableStream: readable, writableStream: writable, ...common },
                        });
        }

        take(frame) {
                if (frame === this.marker)
                        this.settle.resolve(this.output);
                else
                        this.output = frame;
        }

        fail(reason) {
                this.failed = reason ?? new Error('torn down');
                this.settle?.reject(this.failed);
        }

        // The frame as it came out, or undefined if it was dropped. Throws if the worker tore the stream down.
        async pass(frame) {
                if (this.failed)
                        throw this.failed;
                this.output = undefined;
                const empty = { data: new ArrayBuffer(0), timestamp: 0, type: 'delta', metadata: {} };
                this.marker = new frame.constructor(empty);
                const done = new Promise((resolve, reject) => {
                        this.settle = { resolve, reject };
                });
                this.input.enqueue(frame);
                this.input.enqueue(this.marker);
                return done;
        }
}

const tracks = new Map();
let nTracks = 0;

async function passFrame(operation, frame) {
        // RealtimeKit's main thread never names a codec, and its worker refuses those it would have to name.
        const codec = workerData.namesCodecs && frame.media === 'video' ? frame.codec : undefined;
        const key = `${operation} ${frame.media} ${codec}`;
        if (!tracks.has(key) || tracks.get(key).failed)
                tracks.set(key, new Track(operation, `track-${nTracks++}`, codec));

        const data = Uint8Array.from(frame.payload).buffer;
        const metadata = { synchronizationSource: frame.ssrc };
        if (codec)
                metadata.mimeType = `video/${codec.toUpperCase()}`;
        const Frame = frame.media === 'video' ? RTCEncodedVideoFrame : RTCEncodedAudioFrame;
        try {
                const out = await tracks.get(key).pass(
                        new Frame({ data, timestamp: frame.timestamp, type: frame.type, metadata }));
                return out ? { payload: new Uint8Array(out.data) } : {};
        } catch (error) {
                return { tornDown: String(error?.message ?? error) };
        }
}

// ---- keys ----

// As the products' own main threads import them: a string for PBKDF2, bytes for HKDF.
function importMaterial(secret) {
        const [bytes, algorithm] =
                typeof secret === 'string' ? [new TextEncoder().encode(secret), 'PBKDF2'] : [secret, 'HKDF'];
        return webcrypto.subtle.importKey('raw', bytes, algorithm, false, ['deriveBits', 'deriveKey']);
}

let nRequests = 0;

const requests = {
        async setKey({ secret, index }) {
                const key = await importMaterial(secret);
                const how = { keyIndex: index, updateCurrentKeyIndex: true, isPublisher: true };
                post({ kind: 'setKey', data: { ...workerData.keyFields, key, ...how } });
                await settle();
        },
        async ratchet({ index }) {
                post({ kind: 'ratchetRequest', data: { ...workerData.ratchetFields, keyIndex: index } });
                await settle();
        },
        async setServerTrailer({ trailer }) {
                post({ kind: 'setSifTrailer', data: { trailer } });
                await settle();
        },
        encrypt: ({ frame }) => passFrame('encode', frame),
        decrypt: ({ frame }) => passFrame('decode', frame),
        async encryptData({ payload }) {
                const uuid = `${nRequests++}`;
                const answer = await postAndWait(
                        { kind: 'encryptDataRequest', data: { ...workerData.identityFields, payload, uuid } },
                        (m) => m.data?.uuid === uuid);
                const { payload: sealed, iv, keyIndex } = answer.data;
                return { payload: sealed, iv, keyIndex };
        },
        async decryptData({ payload, iv, keyIndex }) {
                const uuid = `${nRequests++}`;
                const answer = await postAndWait(
                        {
                                kind: 'decryptDataRequest',
                                data: { ...workerData.identityFields, payload, iv, keyIndex, uuid },
                        },
                        (m) => m.data?.uuid === uuid);
                return answer.kind === 'error' ? {} : { payload: answer.data.payload };
        },
};

makeGlobal();
await loadWorker();
post({ kind: 'init', data: { keyProviderOptions: workerData.keyProviderOptions, loglevel: 'silent' } });
for (const identity of workerData.enable)
        post({ kind: 'enable', data: { enabled: true, ...identity } });
await settle();

parentPort.on('message', async ({ id, name, args }) => {
        try {
                const result = await requests[name](args);
                // What the worker said meanwhile, without key objects and errors that cannot be sent as they are.
                const said = messages
                        .splice(0)
                        .map((m) => (m.kind === 'error' ? `error: ${m.data.error.message}` : m.kind));
                parentPort.postMessage({ id, result, said });
        } catch (error) {
                parentPort.postMessage({ id, error: error?.stack ?? String(error) });
        }
});
parentPort.postMessage({ ready: true });
