// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A laptop was lost: an administrator types one line of framekey-admin(7) while two calls are on. In one, frames flow
// from daemon to daemon, and the key was made in the first. In the other they flow to LiveKit's worker, and the key is
// the app's. Both get another key, and no frame is lost. Started by test-rotate-all.sh.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { check, equal, equalBytes, finish, use } from './check.mjs';
import { Framekeyctl } from './framekeyctl.mjs';
import { makeFrames } from './media.mjs';
import { Peer } from './peer.mjs';

const frameMsec = 20; // 50 frames a second
const lateMsec = 60; // at most, and so in another order
const activateUsec = 400000; // from when the worker has its key
const [opus, vp8] = ['opus', 'vp8'].map(makeFrames);

// The line of the page, as it stands there.
function pageLine() {
        const page = readFileSync(new URL('../../docs/framekey-admin.7.scd', import.meta.url), 'utf8');
        const line = page.split('\n').find((text) => /^\$ busctl call .* RotateKeys 'ssa\{sv\}' '' /.test(text));
        return line.slice(2);
}

// One direction of a call: numbered frames are sealed, arrive late, and must be what was sent.
class Flow {
        nSent = 0;
        nOpened = 0;
        index = 0; // that frames are sent under
        #over = false;
        #failure;
        #onTheWay = new Set();
        #receiving = Promise.resolve();

        constructor(name, sender, receiver) {
                this.name = name;
                this.sender = sender;
                this.receiver = receiver;
                this.ended = this.#run();
        }

        async #run() {
                const started = Date.now();
                for (let i = 0; !this.#over && !this.#failure; i++) {
                        const media = i % 2 ? vp8 : opus;
                        const frame = { ...media[(i >> 1) % media.length] };
                        frame.timestamp += 3000 * i;
                        // Its number, where nothing has to be understood by anybody.
                        frame.payload = Uint8Array.from([...frame.payload, i >> 16, i >> 8 & 255, i & 255, 0x80]);
                        const sealed = await this.sender.encrypt(frame);
                        if (!sealed.payload)
                                throw new Error(`${this.name}: frame ${i} was not sealed (${sealed.verdict})`);
                        this.nSent++;
                        this.index = sealed.payload.at(-1);
                        const arriving = this.#arrive(frame, sealed.payload, i)
                                .catch((error) => (this.#failure ??= error))
                                .finally(() => this.#onTheWay.delete(arriving));
                        this.#onTheWay.add(arriving);
                        await sleep(Math.max(0, started + frameMsec * (i + 1) - Date.now()));
                }
                await Promise.all(this.#onTheWay);
                if (this.#failure)
                        throw this.#failure;
        }

        async #arrive(frame, sealed, number) {
                await sleep(Math.random() * lateMsec);
                // One after the other, as they arrive: the worker takes no second one before.
                const result = await (this.#receiving = this.#receiving.then(() =>
                        this.receiver.decrypt({ ...frame, payload: sealed })));
                equalBytes(result.payload, frame.payload,
                        `${this.name}: frame ${number} under key ${sealed.at(-1)} (${result.verdict ?? 'worker'})`);
                this.nOpened++;
        }

        async until(condition, what) {
                const deadline = Date.now() + 20000;
                while (!condition()) {
                        if (this.#failure)
                                throw this.#failure;
                        if (Date.now() > deadline)
                                throw new Error(`${this.name}: ${what} does not come`);
                        await sleep(20);
                }
        }

        async end() {
                this.#over = true;
                await this.ended;
                equal(this.nOpened, this.nSent, `${this.name}: frames opened`);
        }
}

// Key made in one daemon; the app carries packages.
async function betweenDaemons() {
        const receiver = await use(Framekeyctl.start('decrypt', {
                profile: 'livekit-bytes',
                args: ['--participant=alice', '-o', 'key-mode=participant'],
                address: process.env.DBUS_SYSTEM_BUS_ADDRESS_2,
        }));
        const recipient = await receiver.transportKey();
        let installed = 0;
        const sender = await use(Framekeyctl.start('encrypt', {
                profile: 'livekit-bytes',
                args: ['--participant=alice', '-o', 'key-mode=participant'],
                onEvent: async ({ event, key_index: index }) => {
                        if (event !== 'KeyInstalled')
                                return;
                        await receiver.importWrapped(await sender.exportKey(recipient, index));
                        installed++;
                },
        }));
        await sender.generate();
        while (installed === 0)
                await sleep(10);
        return new Flow('from daemon to daemon', sender, receiver);
}

// The app's own key; it answers when it is asked for another.
async function toTheWorker() {
        const key = randomBytes(32);
        const receiver = await use(Peer.start('livekit'));
        await receiver.setKey(Uint8Array.from(key), 0);
        const sender = await use(Framekeyctl.start('encrypt', {
                profile: 'livekit-bytes',
                secret: key,
                onEvent: async ({ event, key_index: index }) => {
                        if (event !== 'RotationRequested')
                                return;
                        const next = randomBytes(32);
                        await receiver.setKey(Uint8Array.from(next), index);
                        await sender.setKey(next, index, { activate: false });
                        await sender.activate(index, { afterUsec: activateUsec });
                },
        }));
        return new Flow("to LiveKit's worker", sender, receiver);
}

await check('all keys of two calls are rotated by one line of the manual, and no frame is lost', async () => {
        const flows = [await betweenDaemons(), await toTheWorker()];
        await Promise.all(flows.map((flow) => flow.until(() => flow.nOpened >= 50, 'a second of frames')));

        const answer = execFileSync('sh', ['-c', pageLine()], { encoding: 'utf8' }).trim();
        equal(answer, 'uu 1 1', 'one key rotated, one requested');

        await Promise.all(flows.map((flow) => flow.until(() => flow.index === 1, 'the next key')));
        const before = flows.map((flow) => flow.nOpened);
        await Promise.all(flows.map((flow, i) => flow.until(() => flow.nOpened >= before[i] + 75, 'the frames after it')));
        for (const flow of flows) {
                await flow.end();
                console.log(`     ${flow.name}: ${flow.nOpened} of ${flow.nSent} frames`);
        }

        const log = readFileSync(process.env.FRAMEKEYD_LOG, 'utf8').split('\n')
                .filter((line) => line.includes('audit: rotate') && line.includes('reason="laptop lost"'));
        equal(log.length >= 1 && log.every((line) => / uid=0 pid=\d+ sender=":[^"]+" result="ok"$/.test(line)), true,
                `who did it is told: ${log}`);
});
finish();
