// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A call between a browser, with a product's own worker, and examples/gstreamer-call, with framekeyd. Both send a
// picture and a tone that the other has to recognise, before and after the key is stepped and replaced.
//
//   call.mjs livekit|realtimekit script|streams|wrong-passphrase
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { check, equal, finish, use } from '../interop/check.mjs';
import { packageVersion, workerFile } from '../interop/peer.mjs';
import { Chromium } from './chromium.mjs';
import { Native } from './native.mjs';
import { flow, meet } from './flow.mjs';
import { height, recognise, width } from './signals.mjs';

const [product, how] = process.argv.slice(2);
const passphrases = ['correct horse battery staple – päss', 'the next passphrase'];
const tones = { native: 600, browser: 1000 };
const packages = { livekit: 'livekit-client', realtimekit: '@cloudflare/realtimekit' };
const phase = 3600; // three of them are more than ten seconds

// ---- the parties, and the signalling between them ----

class Call {
        #server;
        #toPage = [];
        #stream;
        native;
        browser;
        page;

        static async start(passphrase = passphrases[0]) {
                const call = new Call();
                const files = {
                        '/': ['page.html', 'text/html'],
                        '/page.mjs': ['page.mjs', 'text/javascript'],
                        '/signals.mjs': ['signals.mjs', 'text/javascript'],
                        [product === 'livekit' ? '/worker.mjs' : '/worker.js']: [workerFile(product), 'text/javascript'],
                };
                call.#server = createServer((request, response) => call.#serve(files, request, response));
                await new Promise((resolve) => call.#server.listen(0, '127.0.0.1', resolve));
                call.native = await use(Promise.resolve(new Native({
                        profile: product,
                        passphrase: passphrases[0],
                        role: 'offer',
                        tones: { ours: tones.native, theirs: tones.browser },
                        onSignal: (message) => call.#tellPage(message),
                })));
                call.browser = await startBrowser();
                call.page = await call.browser.open(`http://127.0.0.1:${call.#server.address().port}/`);
                await call.page.evaluate(`party.start(${JSON.stringify({
                        product,
                        script: how !== 'streams',
                        passphrase,
                        tones: { ours: tones.browser, theirs: tones.native },
                })})`);
                return call;
        }

        #tellPage(message) {
                if (this.#stream)
                        this.#stream.write(`data: ${JSON.stringify(message)}\n\n`);
                else
                        this.#toPage.push(message);
        }

        async #serve(files, request, response) {
                if (request.url === '/signals' && request.method === 'POST') {
                        let body = '';
                        for await (const text of request.setEncoding('utf8'))
                                body += text;
                        this.native.say(JSON.parse(body));
                        response.end();
                } else if (request.url === '/signals') {
                        this.#stream = response.writeHead(200, { 'content-type': 'text/event-stream' });
                        response.flushHeaders();
                        for (const message of this.#toPage.splice(0))
                                this.#tellPage(message);
                } else if (files[request.url]) {
                        const [file, type] = files[request.url];
                        response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
                        response.end(readFileSync(new URL(file, import.meta.url)));
                } else {
                        response.writeHead(404).end();
                }
        }

        async report() {
                return { native: this.native.report(), browser: await this.page.evaluate('party.report()') };
        }

        // What came to both parties, whether they could make anything of it or not.
        async counters() {
                const { counters } = await this.native.inspect();
                const { statistics } = await this.page.evaluate('party.report()');
                const received = (kind) => statistics.find((s) => s[0] === 'inbound-rtp' && s[1] === kind)?.[2];
                return {
                        'frames were refused by framekeyd': counters.forged + counters['budget'],
                        'packets of sound came to the browser': received('audio')?.packets ?? 0,
                        'packets with pictures came to the browser': received('video')?.packets ?? 0,
                };
        }

        // What there is to know when something did not come.
        async explain() {
                const say = (what, lines) => console.error([`---- ${what}`, ...lines].join('\n'));
                say('gstreamer-call', this.native.log);
                if (this.page) {
                        say('page', this.browser.log.slice(-60));
                        const { statistics } = await this.page.evaluate('party.report()');
                        say('connection', statistics.map((s) => JSON.stringify(s)));
                }
                say('framekeyd', [JSON.stringify(await this.native.inspect())]);
        }

        async close() {
                await this.browser?.close();
                this.#server.closeAllConnections();
                this.#server.close();
        }
}

// Of somebody who is not root, Chromium takes a sandbox or nothing.
async function startBrowser() {
        try {
                return await Chromium.start(process.env.CHROMIUM);
        } catch (error) {
                if (!error.message.includes('No usable sandbox'))
                        throw error;
                console.error('Chromium cannot make its sandbox here');
                process.exit(77);
        }
}

// ---- what was seen and heard ----

// Frames come, from both sides, and nothing is seen or heard.
async function expectSilence(call) {
        const before = await call.counters();
        await call.report();
        await sleep(2000);
        const report = await call.report();
        const after = await call.counters();
        for (const [whom, { video, audio }] of Object.entries(report))
                equal([video.length, audio.length], [0, 0], `pictures and tones that came to the ${whom} party`);
        for (const [what, n] of Object.entries(after))
                if (n - before[what] < 20)
                        throw new Error(`only ${n - before[what]} ${what}`);
}

// The picture as somebody in front of the browser would see it.
async function expectOnScreen(call) {
        const crop = `crop=${width}:${height}:0:0`;
        const points = execFileSync(
                'ffmpeg', ['-v', 'error', '-f', 'png_pipe', '-i', '-', '-vf', crop, '-f', 'rawvideo', '-pix_fmt', 'rgba', '-'],
                { input: await call.page.screenshot() });
        if (recognise(points) === undefined)
                throw new Error('a screenshot does not show the picture that was sent');
}

// Everybody has the other key before it is sent under.
async function changeKey(call, passphrase, index) {
        await call.page.evaluate('party.mute()');
        call.native.setKey(passphrase, index);
        await call.page.evaluate(`party.setKey(${JSON.stringify(passphrase)}, ${index})`);
        const last = await call.native.activate(index);
        await call.page.evaluate(`party.unmute(${last})`);
}

async function inCall(run, passphrase) {
        const call = await use(Call.start(passphrase));
        try {
                await run(call);
        } catch (error) {
                await call.explain().catch((failure) => console.error(failure));
                throw error;
        }
}

const title = `${product} ${packageVersion(packages[product])}, ${how}`;

if (how === 'wrong-passphrase')
        await check(`${title}: neither picture nor sound comes through, either way`, () => inCall(async (call) => {
                await sleep(3000); // ICE and DTLS have come so far, as is seen below
                await expectSilence(call);
        }, 'not the passphrase'));
else
        await check(`${title}: picture and sound go both ways, over a step and a new key, and not under a wrong one`, () => inCall(async (call) => {
                const step = (index, n) => ({ local: { index, step: n }, remote: { index, step: n } });
                await meet(call);
                await flow(call, phase);
                await expectOnScreen(call);
                equal(await call.native.keys(), step(0, 0), 'keys at first');

                call.native.ratchet();
                if (product === 'realtimekit')
                        await call.page.evaluate('party.ratchet()');
                await flow(call, phase);
                equal(await call.native.keys(), step(0, 1), 'keys after a step');

                await changeKey(call, passphrases[1], 1);
                await flow(call, phase);
                await expectOnScreen(call);
                equal(await call.native.keys(), step(1, 0), 'keys after a new one');

                await call.page.evaluate(`party.setKey('not the passphrase', 1)`);
                await sleep(1500); // what is in the buffers may still be seen and heard
                await expectSilence(call);
        }));
finish();
