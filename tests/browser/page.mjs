// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The browser's party of a call: its own picture and tone go out, what comes in is shown and looked at. All encryption
// is the worker's, to which this page says what the product's own main thread says. tests/browser/call.mjs drives it
// through window.party.
import { framesPerSecond, height, nNumbers, picture, recognise, toneShare, width } from './signals.mjs';

const us = 'browser';
const them = 'native';

// What the main threads of the products (E2EEManager, EncryptionManager) say to their workers.
const products = {
        livekit: {
                worker: () => new Worker('worker.mjs', { type: 'module' }),
                keyProviderOptions: {
                        sharedKey: true,
                        ratchetSalt: 'LKFrameEncryptionKey',
                        ratchetWindowSize: 8,
                        failureTolerance: 10,
                        keyringSize: 16,
                        keySize: 128,
                },
                enable: [{ participantIdentity: us }, { participantIdentity: them }],
                key: { participantIdentity: us, isPublisher: true, updateCurrentKeyIndex: true },
                ratchet: { participantIdentity: us },
                track: (participantIdentity, codec) => ({ participantIdentity, codec, hasPacketTrailer: false }),
        },
        realtimekit: {
                worker: () => new Worker('worker.js'),
                keyProviderOptions: {
                        sharedKey: true,
                        ratchetSalt: 'RealtimeKitFrameEncryptionKey',
                        ratchetWindowSize: 8,
                },
                enable: [{}, { participantId: them }],
                key: {},
                ratchet: {},
                // It ends a stream for good when a frame comes while a key is still being derived, and does not say when
                // that is done. So nothing is sent until it has decrypted with the key.
                needsKey: true,
                track: (participantId) => ({ participantId }),
        },
};

class Party {
        #product;
        #script;
        #worker;
        #connection;
        #canvas = document.createElement('canvas');
        #video = document.querySelector('video');
        #number = 0;
        #eyes = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        #ears;
        // What was seen and heard: times in milliseconds, of each new picture and of each moment with the tone.
        #seen = [];
        #heard = [];
        #wrong = 0;
        #waiting = [];

        // options: product; script: RTCRtpScriptTransform rather than createEncodedStreams(); passphrase; tones: ours
        // and theirs.
        async start({ product, script, passphrase, tones }) {
                this.#product = products[product];
                this.#script = script;
                this.#worker = this.#product.worker();
                this.#worker.onmessage = ({ data }) => this.#workerSays(data);
                this.#worker.onerror = (event) => console.error(`worker: ${event.message}`);
                this.#tell('init', { keyProviderOptions: this.#product.keyProviderOptions, loglevel: 'warn' });
                for (const whom of this.#product.enable)
                        this.#tell('enable', { enabled: true, ...whom });
                await this.setKey(passphrase, 0);

                this.#connection = new RTCPeerConnection(script ? {} : { encodedInsertableStreams: true });
                for (const name of ['connection', 'iceConnection', 'signaling'])
                        this.#connection.addEventListener(`${name.toLowerCase()}statechange`, () =>
                                console.log(`${name} ${this.#connection[`${name}State`]}`));
                this.#connection.onicecandidate = ({ candidate }) => candidate && this.#signal({
                        type: 'candidate',
                        candidate: candidate.candidate,
                        sdpMLineIndex: candidate.sdpMLineIndex,
                });
                this.#connection.ontrack = ({ transceiver }) => this.#join(transceiver);
                this.#play(tones);
                const signals = new EventSource('signals');
                signals.onmessage = ({ data }) => this.#hear(JSON.parse(data)).catch((error) => console.error(error));
                await new Promise((resolve) => (signals.onopen = resolve));
        }

        // ---- the worker ----

        #tell(kind, data, transfer = []) {
                this.#worker.postMessage({ kind, data }, transfer);
        }

        #workerSays({ kind, data }) {
                if (kind === 'error')
                        console.log(`worker: ${data.error.message}`);
                else if (kind === 'log' && data.level !== 'debug')
                        console.log(`worker: ${data.level}: ${data.msg ?? data.str}`);
        }

        async setKey(passphrase, keyIndex) {
                const bytes = new TextEncoder().encode(passphrase);
                const key = await crypto.subtle.importKey('raw', bytes, 'PBKDF2', false, ['deriveBits', 'deriveKey']);
                this.#tell('setKey', { ...this.#product.key, key, keyIndex });
        }

        ratchet() {
                this.#tell('ratchetRequest', this.#product.ratchet);
        }

        #protect(it, kind, identity, track) {
                const codec = track.kind === 'video' ? 'vp8' : undefined;
                const options = { trackId: track.id, ...this.#product.track(identity, codec) };
                if (this.#script) {
                        it.transform = new RTCRtpScriptTransform(this.#worker, { kind, ...options });
                        return;
                }
                const { readable: readableStream, writable: writableStream } = it.createEncodedStreams();
                this.#tell(kind, { readableStream, writableStream, ...options }, [readableStream, writableStream]);
        }

        // ---- signalling ----

        #signal(message) {
                return fetch('signals', { method: 'POST', body: JSON.stringify(message) });
        }

        async #hear(message) {
                switch (message.type) {
                case 'offer':
                        await this.#connection.setRemoteDescription(message);
                        await this.#connection.setLocalDescription();
                        await this.#signal({ type: 'answer', sdp: this.#connection.localDescription.sdp });
                        break;
                case 'candidate':
                        await this.#connection.addIceCandidate(message);
                        break;
                }
        }

        // ---- sending ----

        #tracks = [];

        #play({ ours, theirs }) {
                const context = this.#canvas.getContext('2d');
                Object.assign(this.#canvas, { width, height });
                setInterval(() => {
                        const image = new ImageData(picture(this.#number++ % nNumbers), width, height);
                        context.putImageData(image, 0, 0);
                }, 1000 / framesPerSecond);
                const [video] = this.#canvas.captureStream(framesPerSecond).getVideoTracks();
                video.contentHint = 'text'; // rather fewer pictures than smaller ones

                const audio = new AudioContext({ sampleRate: 48000 });
                const tone = new OscillatorNode(audio, { frequency: ours });
                const volume = new GainNode(audio, { gain: 0.4 });
                const out = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
                tone.connect(volume).connect(out);
                tone.start();
                this.#tracks = [video, out.stream.getAudioTracks()[0]];
                this.#ears = { audio, frequency: theirs };
        }

        // A line of the offer, for both directions. Chromium lets pass in clear, for good, whatever has no script transform
        // by the end of the task that made it, so both have to be attached here.
        async #join(transceiver) {
                const { sender, receiver } = transceiver;
                const ours = this.#tracks.find(({ kind }) => kind === receiver.track.kind);
                transceiver.direction = 'sendrecv';
                this.#protect(receiver, 'decode', them, receiver.track);
                this.#protect(sender, 'encode', us, ours);
                this.#receive(receiver.track);
                if (this.#product.needsKey)
                        await this.#pictureAfter(-1);
                await sender.replaceTrack(ours);
        }

        // Neither picture nor tone, where the product needs that around a change of its key.
        mute() {
                if (this.#product.needsKey)
                        return Promise.all(this.#senders().map(({ sender }) => sender.replaceTrack(null)));
        }

        // Again, once a picture after this one was decrypted: no such one is under the key before.
        async unmute(last) {
                if (!this.#product.needsKey)
                        return;
                await this.#pictureAfter(last);
                await Promise.all(this.#senders().map(({ sender, ours }) => sender.replaceTrack(ours)));
        }

        #senders() {
                return this.#connection.getTransceivers().map(({ sender, receiver }) => (
                        { sender, ours: this.#tracks.find(({ kind }) => kind === receiver.track.kind) }));
        }

        // ---- receiving ----

        #receive(track) {
                const stream = new MediaStream([track]);
                if (track.kind === 'video') {
                        this.#video.srcObject = stream;
                        this.#watch();
                        return;
                }
                document.querySelector('audio').srcObject = stream; // without an element no packet is decoded
                const { audio, frequency } = this.#ears;
                const analyser = new AnalyserNode(audio, { fftSize: 4096 });
                audio.createMediaStreamSource(stream).connect(analyser);
                const samples = new Float32Array(analyser.fftSize);
                setInterval(() => {
                        analyser.getFloatTimeDomainData(samples);
                        if (toneShare(samples, audio.sampleRate, frequency) > 0.5)
                                this.#heard.push(performance.now());
                }, 100);
        }

        #watch() {
                Object.assign(this.#eyes.canvas, { width, height });
                let last;
                const look = () => {
                        this.#eyes.drawImage(this.#video, 0, 0, width, height);
                        const number = recognise(this.#eyes.getImageData(0, 0, width, height).data);
                        if (number === undefined)
                                this.#wrong++;
                        else if (number !== last)
                                this.#see(number);
                        last = number;
                        this.#video.requestVideoFrameCallback(look);
                };
                this.#video.requestVideoFrameCallback(look);
        }

        #see(number) {
                this.#seen.push({ at: performance.now(), number });
                for (const { last, resolve } of this.#waiting)
                        if (number > last)
                                resolve();
        }

        #pictureAfter(last) {
                return new Promise((resolve) => this.#waiting.push({ last, resolve }));
        }

        // What came since the last time, and the connection's counters for whoever wants to know why nothing did.
        async report() {
                const statistics = [...(await this.#connection.getStats()).values()]
                        .filter(({ type }) => type === 'inbound-rtp' || type === 'outbound-rtp')
                        .map((s) => [s.type, s.kind, {
                                packets: s.packetsReceived ?? s.packetsSent,
                                frames: s.framesReceived ?? s.framesSent,
                                decoded: s.framesDecoded,
                                lost: s.packetsLost,
                        }]);
                const [video, audio, wrong] = [this.#seen, this.#heard, this.#wrong];
                [this.#seen, this.#heard, this.#wrong] = [[], [], 0];
                return { now: performance.now(), video, audio, wrong, statistics };
        }
}

window.party = new Party();
