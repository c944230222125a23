// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the parties of a call see and hear of each other. A call has report(), which gives what came to each party since
// the last time: { name: { now, video: [{ at, number }], audio: [at] } }, in milliseconds.
import { setTimeout as sleep } from 'node:timers/promises';

const patience = 20000; // until the first picture: ICE, DTLS, and a machine with other things to do
const gap = 2500; // longest time without a new picture, or without the tone

function expectAll({ now, video, audio }, whom, duration) {
        // A decoder that lacks a picture may show an older one again: that is none.
        const fresh = video.filter(({ number }, i) => video.slice(0, i).every((before) => before.number < number));
        for (const [what, times] of [['picture', fresh.map(({ at }) => at)], ['tone', audio]]) {
                const all = [now - duration, ...times, now];
                const longest = Math.max(...all.slice(1).map((at, i) => at - all[i]));
                if (longest > gap)
                        throw new Error(`the ${whom} party had no ${what} for ${Math.round(longest)} ms`);
        }
        if (fresh.length < (duration / 1000) * 4)
                throw new Error(`the ${whom} party saw only ${fresh.length} pictures`);
}

// Until everybody has seen and heard the other.
export async function meet(call) {
        const have = {};
        for (const end = performance.now() + patience; performance.now() < end; await sleep(200)) {
                for (const [name, { video, audio, wrong }] of Object.entries(await call.report())) {
                        have[name] ??= { pictures: 0, others: 0, tones: 0 };
                        have[name].others += wrong;
                        have[name].pictures += video.length;
                        have[name].tones += audio.length;
                }
                if (Object.values(have).every(({ pictures, tones }) => pictures > 5 && tones > 5))
                        return;
        }
        throw new Error(`after ${patience} ms came only ${JSON.stringify(have)}`);
}

// Pictures, each newer than all before, and the tone, for so long, both ways. A browser that missed a picture shows
// nothing for three seconds before it asks for a key frame; with that, or on a busy machine, it may take longer to begin.
export async function flow(call, duration) {
        const end = performance.now() + patience;
        for (;;) {
                const start = performance.now();
                await call.report();
                await sleep(duration);
                const reports = Object.entries(await call.report());
                try {
                        for (const [name, report] of reports)
                                expectAll(report, name, performance.now() - start);
                        return;
                } catch (error) {
                        if (performance.now() > end)
                                throw error;
                        console.log(`again: ${error.message}`);
                }
        }
}
