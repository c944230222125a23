// SPDX-License-Identifier: LGPL-2.1-or-later
// Stands where Electron would be for examples/electron-main.js, and is its renderer: two frames, a member, a rotation.
'use strict';

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const { Client, Role } = require('framekey');

const handlers = new Map();
exports.ipcMain = { handle: (name, handler) => handlers.set(name, handler) };
exports.app = Object.assign(new EventEmitter(), { whenReady: () => Promise.resolve() });
const invoke = (name, ...rest) => handlers.get(name)({}, ...rest);

const told = [];
const log = console.log;
console.log = (line) => told.push(line) && log(line);

setImmediate(async () => {
    const frame = Buffer.concat([Buffer.from('1002009d012a4001f000', 'hex'), Buffer.alloc(200, 3)]);
    const { data } = await invoke('encrypt', frame, true);
    assert.deepEqual(data.subarray(0, 10), frame.subarray(0, 10));
    assert.ok(data.length > frame.length && !data.includes(Buffer.alloc(20, 3)));

    const client = new Client();
    const other = client.openSession('element-call');
    other.addParticipant('desk', Role.REMOTE);
    invoke('member', 'tv', other.transportKey().key);
    assert.deepEqual(invoke('rotate'), { rotated: 1, requested: 0 });
    while (told.filter((line) => line.startsWith('key for tv')).length < 2)
        await new Promise((resolve) => setTimeout(resolve, 5));
    client.close();
    exports.app.emit('will-quit');
});
