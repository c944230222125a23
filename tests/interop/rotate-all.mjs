// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A call in which all keys are rotated by an administrator, who sees nothing of it; no frame is lost. In it are, on this
// host, alice, whose app has made her key, and dave, whose key was made in the daemon; bob, on another daemon; and
// carol, who listens in LiveKit's worker:
//
//   alice  -> bob, carol     the app's key; the app answers when it is asked for another
//   dave   -> bob            wrapped for bob's daemon
//   bob    -> alice          wrapped for alice's daemon, which cannot replace what bob sends under
//
// Says "the call is on", and goes on when a line of standard input says that the keys were rotated. Started by
// test-rotate-all.sh, and in a container by rotate.nspawn.
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { check, equal, equalBytes, finish, use } from './check.mjs';
import { Framekeyctl } from './framekeyctl.mjs';
import { makeFrames } from './media.mjs';
import { Peer } from './peer.mjs';

const frameMsec = 20; // 50 frames a second
const lateMsec = 60; // at most, and so in another order
const activateUsec = 400000; // from when all have alice's next key
const bus2 = process.env.DBUS_SYSTEM_BUS_ADDRESS_2;
const [opus, vp8] = ['opus', 'vp8'].map(makeFrames);

// Frames of one sender: they are numbered and sealed, arrive late at each receiver, and must be what was sent.
class Flow {
        nSent = 0;
        index = 0; // that frames are sent under
        #over = false;
        #failure;
        #onTheWay = new Set();

        // receivers: by name
        constructor(name, sender, receivers) {
                this.name = name;
                this.sender = sender;
                this.receivers = Object.entries(receivers).map(([receiverName, receiver]) =>
                        ({ name: receiverName, receiver, nOpened: 0, last: Promise.resolve() }));
                this.ended = this.#run();
                this.ended.catch(() => {}); // until() and end() hear of it
        }

        get nOpened() {
                return Math.min(...this.receivers.map(({ nOpened }) => nOpened));
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
                        for (const to of this.receivers) {
                                const arriving = this.#arrive(frame, sealed.payload, i, to)
                                        .catch((error) => (this.#failure ??= error))
                                        .finally(() => this.#onTheWay.delete(arriving));
                                this.#onTheWay.add(arriving);
                        }
                        await sleep(Math.max(0, started + frameMsec * (i + 1) - Date.now()));
                }
                await Promise.all(this.#onTheWay);
                if (this.#failure)
                        throw this.#failure;
        }

        async #arrive(frame, sealed, number, to) {
                await sleep(Math.random() * lateMsec);
                // One after the other, as they arrive: the worker takes no second one before.
                const result = await (to.last = to.last.then(() => to.receiver.decrypt({ ...frame, payload: sealed })));
                equalBytes(result.payload, frame.payload,
                        `${this.name} to ${to.name}: frame ${number} under key ${sealed.at(-1)} (${result.verdict})`);
                to.nOpened++;
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
                for (const { name, nOpened } of this.receivers) {
                        equal(nOpened, this.nSent, `frames of ${this.name}'s that ${name} has opened`);
                        console.log(`     ${this.name} to ${name}: ${nOpened} of ${this.nSent} frames`);
                }
        }
}

// One end of one person's media.
function end(verb, participant, { address, ...options }) {
        return use(Framekeyctl.start(verb, {
                profile: 'livekit-bytes',
                args: [`--participant=${participant}`, '-o', 'key-mode=participant'],
                address,
                ...options,
        }));
}

// Key made in the sender's daemon; the app carries packages.
async function wrapped(name, receiverName, address, receiverAddress) {
        const receiver = await end('decrypt', name, { address: receiverAddress });
        const recipient = await receiver.transportKey();
        let installed = 0;
        const sender = await end('encrypt', name, {
                address,
                onEvent: async ({ event, key_index: index }) => {
                        if (event !== 'KeyInstalled')
                                return;
                        await receiver.importWrapped(await sender.exportKey(recipient, index));
                        installed++;
                },
        });
        await sender.generate();
        while (installed === 0)
                await sleep(10);
        return new Flow(name, sender, { [receiverName]: receiver });
}

// The app's own key, which it gives to everybody; it answers when it is asked for another.
async function ofTheApp(name) {
        const key = randomBytes(32);
        const carol = await use(Peer.start('livekit'));
        await carol.setKey(Uint8Array.from(key), 0);
        const bob = await end('decrypt', name, { secret: key, address: bus2 });
        const sender = await end('encrypt', name, {
                secret: key,
                onEvent: async ({ event, key_index: index }) => {
                        if (event !== 'RotationRequested')
                                return;
                        const next = randomBytes(32);
                        await Promise.all([
                                carol.setKey(Uint8Array.from(next), index),
                                bob.setKey(next, index, { activate: false }),
                        ]);
                        await sender.setKey(next, index, { activate: false });
                        await sender.activate(index, { afterUsec: activateUsec });
                },
        });
        return new Flow(name, sender, { bob, carol });
}

async function nextLine() {
        for await (const line of createInterface({ input: process.stdin }))
                return line;
        throw new Error('nobody rotated the keys');
}

const all = (flows, task) => Promise.all(flows.map(task));

await check('all keys of a call are rotated by one line of the manual, and no frame is lost', async () => {
        const [alice, dave, bob] = [
                await ofTheApp('alice'),
                await wrapped('dave', 'bob', undefined, bus2),
                await wrapped('bob', 'alice', bus2, undefined),
        ];
        const flows = [alice, dave, bob];
        const after = (n) => {
                const goals = flows.map((flow) => flow.nOpened + n);
                return all(flows, (flow, i) => flow.until(() => flow.nOpened >= goals[i], `frame ${goals[i]}`));
        };

        await after(50);
        console.log('the call is on');
        await nextLine();
        await all([alice, dave], (flow) => flow.until(() => flow.index === 1, 'the next key'));
        await after(75);
        equal(bob.index, 0, "the key of bob's, who was not asked");
        for (const flow of flows)
                await flow.end();
});
finish();
