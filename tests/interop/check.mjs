// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One line a case, and an exit status. A case is an async function that throws if its claim does not hold.
import { deepStrictEqual } from 'node:assert';

let nPassed = 0;
let nFailed = 0;
const opened = [];

// Peers and processes that a case starts are closed at its end, whatever becomes of it.
export async function use(starting) {
        const it = await starting;
        opened.push(it);
        return it;
}

export async function check(claim, run) {
        let failure;
        for (const step of [run, closeAll])
                try {
                        await step();
                } catch (error) {
                        failure ??= error;
                }
        if (failure)
                nFailed++;
        else
                nPassed++;
        console.log(failure ? `FAIL ${claim}: ${failure.message}` : `ok   ${claim}`);
}

async function closeAll() {
        let failure;
        for (const it of opened.splice(0).reverse())
                await it.close().catch((error) => (failure ??= error));
        if (failure)
                throw failure;
}

export function finish() {
        console.log(`${nPassed} passed, ${nFailed} failed`);
        process.exit(nFailed === 0 && nPassed > 0 ? 0 : 1);
}

const hex = (bytes) => {
        const text = Buffer.from(bytes).toString('hex');
        return text.length > 80 ? `${text.slice(0, 40)}...${text.slice(-40)} (${bytes.length} bytes)` : text;
};

export function equalBytes(found, expected, what) {
        if (!found)
                throw new Error(`${what}: nothing came out, expected ${hex(expected)}`);
        if (Buffer.compare(found, expected) !== 0)
                throw new Error(`${what}: found ${hex(found)}, expected ${hex(expected)}`);
}

export function equal(found, expected, what) {
        try {
                deepStrictEqual(found, expected);
        } catch {
                throw new Error(`${what}: found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
        }
}

export function nothing(result, what) {
        if (result.payload)
                throw new Error(`${what}: ${hex(result.payload)} came out`);
}
