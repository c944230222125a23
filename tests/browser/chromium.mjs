// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Headless Chromium, driven over the pipe of its DevTools protocol: messages of JSON, each ended by a zero byte, out on
// the descriptor 3 and in on 4. No port is open, and no package is needed for it.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const flags = [
        '--headless=new',
        '--remote-debugging-pipe',
        '--no-first-run',
        '--no-proxy-server',
        '--window-size=800,600',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-breakpad',
        // Nobody clicks, and nobody looks: play all the same, at full speed.
        '--autoplay-policy=no-user-gesture-required',
        '--disable-background-timer-throttling',
        '--disable-renderer-backgrounding',
        '--disable-backgrounding-occluded-windows',
        // Addresses of this machine instead of names that its name service would have to know.
        '--disable-features=WebRtcHideLocalIpsWithMdns',
        '--allow-loopback-in-peer-connection',
        // Of an administrator it takes no sandbox.
        ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
];

export class Chromium {
        #process;
        #dir = mkdtempSync(join(process.env.FRAMEKEYD_DIR ?? tmpdir(), 'chromium-'));
        #waiting = new Map();
        #nCalls = 0;
        #rest = '';
        #stderr = '';
        #ended;
        #onLoad = () => {};
        // What pages wrote to their consoles, and what they threw.
        log = [];

        static async start(program) {
                const self = new Chromium();
                self.#process = spawn(program, [...flags, `--user-data-dir=${self.#dir}`, 'about:blank'], {
                        stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
                        // Its home is the profile: nothing of the user's is read or written.
                        env: { ...process.env, HOME: self.#dir, XDG_CONFIG_HOME: self.#dir, XDG_CACHE_HOME: self.#dir },
                });
                self.#process.stderr.on('data', (text) => (self.#stderr += text));
                self.#process.stdio[3].on('error', () => {}); // it ended; whoever waits for an answer hears of it
                self.#process.stdio[4].setEncoding('utf8').on('data', (text) => self.#read(text));
                self.#ended = new Promise((resolve) => {
                        self.#process.on('error', (error) => resolve(error.message));
                        self.#process.on('close', (status, signal) => resolve(`exit status ${signal ?? status}`));
                });
                self.#ended.then((how) => {
                        for (const { reject } of self.#waiting.values())
                                reject(new Error(`Chromium ended (${how}): ${self.#stderr.slice(-2000)}`));
                });
                self.version = (await self.#call('Browser.getVersion')).product;
                return self;
        }

        #read(text) {
                const messages = (this.#rest + text).split('\0');
                this.#rest = messages.pop();
                for (const message of messages)
                        this.#take(JSON.parse(message));
        }

        #take({ id, method, params, result, error }) {
                const waiting = this.#waiting.get(id);
                this.#waiting.delete(id);
                if (error)
                        waiting?.reject(new Error(`DevTools: ${error.message}`));
                else
                        waiting?.resolve(result);
                if (method === 'Runtime.consoleAPICalled')
                        this.log.push(params.args.map((a) => a.value ?? a.description ?? a.type).join(' '));
                else if (method === 'Page.loadEventFired')
                        this.#onLoad();
                else if (method === 'Runtime.exceptionThrown')
                        this.log.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
        }

        #call(method, params = {}, sessionId = undefined) {
                return new Promise((resolve, reject) => {
                        const id = ++this.#nCalls;
                        this.#waiting.set(id, { resolve, reject });
                        this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
                });
        }

        // A page, loaded, with two verbs: evaluate(expression), whose promise is waited for, and screenshot(), a PNG.
        async open(url) {
                const { targetId } = await this.#call('Target.createTarget', { url: 'about:blank' });
                const { sessionId } = await this.#call('Target.attachToTarget', { targetId, flatten: true });
                await this.#call('Runtime.enable', {}, sessionId);
                await this.#call('Page.enable', {}, sessionId);
                const loaded = new Promise((resolve) => (this.#onLoad = resolve));
                await this.#call('Page.navigate', { url }, sessionId);
                await loaded;
                return {
                        evaluate: async (expression) => {
                                const how = { expression, awaitPromise: true, returnByValue: true };
                                const reply = await this.#call('Runtime.evaluate', how, sessionId);
                                if (reply.exceptionDetails)
                                        throw new Error(reply.exceptionDetails.exception?.description ??
                                                reply.exceptionDetails.text);
                                return reply.result.value;
                        },
                        screenshot: async () => {
                                const { data } = await this.#call('Page.captureScreenshot', { format: 'png' }, sessionId);
                                return Buffer.from(data, 'base64');
                        },
                };
        }

        async close() {
                this.#call('Browser.close').catch(() => {});
                const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
                await this.#ended;
                clearTimeout(timer);
                rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 });
        }
}
