// SPDX-License-Identifier: LGPL-2.1-or-later
// Classes, names and promises around the addon; index.d.ts describes them.
'use strict';

const native = require('./framekey.node');

const enumOf = (names) => Object.freeze(names);
const Verdict = enumOf({
    OK: 0, EMPTY: 1, SERVER_INJECTED: 2, FORGED: 3, REPLAYED: 4, UNKNOWN_KEY: 5, TOO_OLD: 6, BUDGET: 7, MALFORMED: 8,
    TOO_SHORT: 9, UNSUPPORTED: 10, LIMIT: 11, REFUSED: 12, LOCKED: 13, TOO_LONG: 14, UNENCRYPTED: 15,
});
const Direction = enumOf({ ENCRYPT: 1, DECRYPT: 2 });
const Media = enumOf({ AUDIO: 1, VIDEO: 2, DATA: 3 });
const Codec = enumOf({
    UNKNOWN: 0, OPUS: 1, RED: 2, PCMU: 3, PCMA: 4, G722: 5, AUDIO: 6, VP8: 16, VP9: 17, AV1: 18, H264: 19, H265: 20,
    DATA: 32,
});
const FrameType = enumOf({ UNSPECIFIED: 0, KEY: 1, DELTA: 2, EMPTY: 3 });
const ResultFlags = enumOf({ NEW_KEY: 1, KEYFRAME_WANTED: 2, REQUEST_KEYFRAME: 4, RATCHET_SOON: 8, OUTGOING: 16 });
const Role = enumOf({ LOCAL: 1, REMOTE: 2 });
const Bus = enumOf({ SYSTEM: 0, USER: 1, ADDRESS: 2, HOST: 3, MACHINE: 4 });
const KEY_ACTIVE = 0xffffffff;

// { activateAfterUsec: 500000 } to ['activate-after-usec=500000']
function optionStrings(options = {}) {
    return Object.entries(options).map(([name, value]) => {
        const text = typeof value === 'boolean' ? (value ? 'yes' : 'no')
            : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
        return `${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}=${text}`;
    });
}

// The addon's buffer may be longer than the output.
function resultOf(raw) {
    const { length, ...result } = raw;
    if (result.data !== null && result.data.length !== length)
        result.data = result.data.subarray(0, length);
    return result;
}

class Channel {
    #native;
    #waiting = new Map();
    #watched = false;
    #flushing = false;

    constructor(object, path = '') {
        this.#native = object;
        this.path = path;
    }

    static fromFds(fds, path) {
        return new Channel(native.channelFromFds(fds), path);
    }

    stream(number) {
        return new Stream(this, number);
    }

    close() {
        native.channelClose(this.#native);
        this.#fail(Object.assign(new Error('this channel is closed: open another one'), { code: 'EPIPE' }));
    }

    _info(stream) {
        return native.streamInfo(this.#native, stream);
    }

    _runSync(decrypt, stream, data, about) {
        return resultOf(native.channelRun(this.#native, decrypt, data, stream, about.frameType, about.codec, about.ssrc,
            about.rtpTimestamp, about.metadata, (about.timeoutMs ?? 1000) * 1000));
    }

    _run(stream, data, about) {
        if (!this.#watched) {
            native.channelWatch(this.#native, (error, cookie, raw) => this.#settle(error, cookie, raw));
            this.#watched = true;
        }
        const cookie = native.channelSubmit(this.#native, data, stream, about.frameType, about.codec, about.ssrc,
            about.rtpTimestamp, about.metadata);
        // All that is submitted before the loop goes on goes out with one ring of the bell.
        if (!this.#flushing) {
            this.#flushing = true;
            queueMicrotask(() => this.#flush());
        }
        return new Promise((resolve, reject) => this.#waiting.set(cookie, { resolve, reject }));
    }

    #flush() {
        this.#flushing = false;
        try {
            native.channelFlush(this.#native);
        } catch (error) {
            this.#fail(error);
        }
    }

    #settle(error, cookie, raw) {
        if (cookie === undefined)
            return this.#fail(error);
        const waiter = this.#waiting.get(cookie);
        this.#waiting.delete(cookie);
        if (error)
            waiter?.reject(error);
        else
            waiter?.resolve(resultOf(raw));
    }

    #fail(error) {
        const waiting = [...this.#waiting.values()];
        this.#waiting.clear();
        waiting.forEach(({ reject }) => reject(error));
    }
}

class Stream {
    constructor(channel, number) {
        this.channel = channel;
        this.number = number;
    }

    info() {
        return this.channel._info(this.number);
    }

    // The stream's direction decides which of the two it is; both names are there to be read.
    async encrypt(data, about = {}) {
        return this.channel._run(this.number, data, about);
    }

    async decrypt(data, about = {}) {
        return this.channel._run(this.number, data, about);
    }

    encryptSync(data, about = {}) {
        return this.channel._runSync(0, this.number, data, about);
    }

    decryptSync(data, about = {}) {
        return this.channel._runSync(1, this.number, data, about);
    }
}

class Client {
    #native;
    #sessions = new Map();
    #listening = false;
    #processing = false;

    constructor({ bus = Bus.SYSTEM, where } = {}) {
        this.#native = native.clientOpen(bus, where);
    }

    openSession(profile, label = '', options = {}) {
        return this.#add(native.sessionOpen(this.#native, profile, label, optionStrings(options)));
    }

    attachSession(id) {
        return this.#add(native.sessionOpen(this.#native, id, null));
    }

    #add(object) {
        const session = new Session(this, object);
        this.#sessions.set(object.number, session);
        return session;
    }

    close() {
        native.clientClose(this.#native);
        this.#sessions.clear();
    }

    _forget(number) {
        this.#sessions.delete(number);
        if (![...this.#sessions.values()].some((session) => session._handler))
            this._listen(false);
    }

    // While somebody listens the connection keeps the process alive.
    _listen(wanted) {
        if (wanted && !this.#listening)
            native.clientWatch(this.#native, () => this.#process());
        else if (!wanted && this.#listening)
            native.clientUnwatch(this.#native);
        this.#listening = wanted;
    }

    // A call takes in events while it waits, of which the descriptor does not tell any more.
    _called() {
        if (!this.#listening || this.#processing)
            return;
        this.#processing = true;
        setImmediate(() => {
            this.#processing = false;
            if (this.#listening)
                this.#process();
        });
    }

    #process() {
        let events;
        try {
            events = native.clientProcess(this.#native);
        } catch (error) {
            this._listen(false); // the descriptor of a connection that is lost stays readable
            this.#sessions.forEach((session) => session._handler?.({ name: 'Disconnected', reason: error.message }));
            return;
        }
        for (const { session, ...event } of events)
            this.#sessions.get(session)?._handler?.(event);
    }
}

class Session {
    #native;
    _handler = null;

    constructor(client, object) {
        this.client = client;
        this.#native = object;
        this.id = object.id;
    }

    #call(name, identity, number, options, ...extra) {
        try {
            return native[name](this.#native, identity, number, optionStrings(options), ...extra);
        } finally {
            this.client._called();
        }
    }

    close() {
        native.sessionClose(this.#native);
        this._handler = null;
        this.client._forget(this.#native.number);
    }

    onEvent(handler) {
        this._handler = handler;
        if (handler)
            this.client._listen(true);
        else
            this.client._forget(-1);
        this.client._called();
    }

    addParticipant(identity, role, options) {
        this.#call('addParticipant', identity, role, options);
    }

    removeParticipant(identity, options) {
        this.#call('removeParticipant', identity, 0, options);
    }

    join(identity, options) {
        return this.#call('join', identity, 0, options);
    }

    leave(identity, options) {
        return this.#call('leave', identity, 0, options);
    }

    importKey(identity, index, secret, options) {
        this.#call('importKey', identity, index, options, secret);
    }

    importKeyFd(identity, index, fd, options) {
        this.#call('importKeyFd', identity, index, options, fd);
    }

    generateKey(identity, index, options) {
        this.#call('generateKey', identity, index, options);
    }

    activate(identity, index, options) {
        this.#call('activate', identity, index, options);
    }

    ratchet(identity, index = KEY_ACTIVE) {
        return this.#call('ratchet', identity, index);
    }

    rotate(identity = null, reason = '') {
        return this.#call('rotate', identity, 0, {}, reason);
    }

    retireKey(identity, index) {
        this.#call('retireKey', identity, index);
    }

    transportKey() {
        return this.#call('transportKey');
    }

    exportWrapped(identity, recipient, index = KEY_ACTIVE) {
        return this.#call('exportWrapped', identity, index, {}, recipient);
    }

    importWrapped(identity, wrapped, index = KEY_ACTIVE, options = {}) {
        return this.#call('importWrapped', identity, index, options, wrapped);
    }

    securityCode() {
        return this.#call('securityCode');
    }

    openChannel(options) {
        const { channel, path } = this.#call('openChannel', undefined, 0, options);
        return new Channel(channel, path);
    }

    openChannelFds(options) {
        return this.#call('openChannelFds', undefined, 0, options);
    }

    closeChannel(channel) {
        this.#call('closeChannel', undefined, 0, {}, channel.path ?? channel);
    }

    grantStream(channel, identity, direction, media, codec, options = {}) {
        return this.#call('addStream', identity, direction, options, channel.path ?? channel, media, codec);
    }

    addStream(channel, identity, direction, media, codec, options) {
        return channel.stream(this.grantStream(channel, identity, direction, media, codec, options));
    }

    removeStream(channel, stream) {
        this.#call('removeStream', undefined, stream.number ?? stream, {}, channel.path ?? channel);
    }
}

module.exports = {
    Bus, Channel, Client, Codec, Direction, FrameType, KEY_ACTIVE, Media, ResultFlags, Role, Session, Stream, Verdict,
    verdictText: native.verdictText,
};
