// SPDX-License-Identifier: LGPL-2.1-or-later
// The addon for Node with a real daemon. Run by test-node.sh; FRAMEKEY_PACKAGE is the folder of the package.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import { Worker } from 'node:worker_threads';

const folder = process.env.FRAMEKEY_PACKAGE;
const framekey = createRequire(import.meta.url)(folder);
const { Client, Channel, Codec, Direction, FrameType, Media, ResultFlags, Role, Verdict } = framekey;
const OPUS = Buffer.concat([Buffer.from('f8fffe', 'hex'), Buffer.alloc(60, 7)]);
const PASSPHRASE = Buffer.from('correct horse battery staple');

// A call: a session that sends as alice, and one that hears her.
function call(media = Media.AUDIO, codec = Codec.OPUS) {
    const client = new Client();
    const side = (role, direction) => {
        const session = client.openSession('livekit-passphrase', 'node');
        session.addParticipant('alice', role);
        session.importKey('', 0, PASSPHRASE);
        const channel = session.openChannel();
        return { session, channel, stream: session.addStream(channel, 'alice', direction, media, codec) };
    };
    const sender = side(Role.LOCAL, Direction.ENCRYPT), receiver = side(Role.REMOTE, Direction.DECRYPT);
    const end = () => {
        sender.channel.close();
        receiver.channel.close();
        client.close();
    };
    return { client, sender, receiver, end };
}

test('a frame comes back as it was, with promises and without', async () => {
    const { sender, receiver, end } = call();
    const sealed = await sender.stream.encrypt(OPUS);
    assert.equal(sealed.verdict, Verdict.OK);
    assert.ok(sealed.flags & ResultFlags.NEW_KEY);
    assert.ok(!sealed.data.includes(OPUS.subarray(1)));
    assert.deepEqual((await receiver.stream.decrypt(sealed.data)).data, OPUS);
    const again = sender.stream.encryptSync(new Uint8Array(OPUS));
    assert.deepEqual(receiver.stream.decryptSync(again.data).data, OPUS);
    assert.deepEqual(sender.stream.info(), { direction: 'encrypt', format: 'livekit', media: 'audio', codec: 'opus' });
    end();
});

test('many frames are under way at once, and too many are refused', async () => {
    const { sender, receiver, end } = call();
    const frames = [1, 2, 3, 4, 5, 6].map((n) => Buffer.concat([OPUS, Buffer.from([n])]));
    const sealed = await Promise.all(frames.map((frame) => sender.stream.encrypt(frame)));
    const opened = await Promise.all(sealed.map(({ data }) => receiver.stream.decrypt(data)));
    assert.deepEqual(opened.map(({ data }) => data), frames);
    const outcome = await Promise.allSettled(Array.from({ length: 1000 }, () => sender.stream.encrypt(OPUS)));
    assert.ok(outcome.some(({ status }) => status === 'fulfilled'));
    assert.ok(outcome.every(({ status, reason }) => status === 'fulfilled' || reason.code === 'EAGAIN'));
    assert.equal((await sender.stream.encrypt(OPUS)).verdict, Verdict.OK);
    end();
});

test('video takes the last step of its codec', async () => {
    const { sender, receiver, end } = call(Media.VIDEO, Codec.VP8);
    const h264 = Buffer.concat([Buffer.from('0000000167420 01f0000000165'.replace(' ', ''), 'hex'), Buffer.alloc(4000),
        Buffer.from([0x80])]);
    const about = { codec: Codec.H264, frameType: FrameType.KEY };
    const sealed = await sender.stream.encrypt(h264, about);
    assert.deepEqual((await receiver.stream.decrypt(sealed.data, about)).data, h264);
    assert.deepEqual(receiver.stream.decryptSync(sender.stream.encryptSync(h264, about).data, about).data, h264);
    end();
});

test('verdicts are answers, and what fails is an Error with a sentence', async () => {
    const { client, sender, receiver, end } = call();
    const { data } = await sender.stream.encrypt(OPUS);
    const changed = Buffer.from(data);
    changed[20] ^= 1;
    const forged = await receiver.stream.decrypt(changed);
    assert.deepEqual([forged.verdict, forged.data], [Verdict.FORGED, null]);
    assert.match(framekey.verdictText(forged.verdict), / /);
    assert.equal((await receiver.stream.decrypt(data)).verdict, Verdict.OK);
    assert.equal((await receiver.stream.decrypt(data)).verdict, Verdict.REPLAYED);
    assert.throws(() => sender.session.addParticipant('alice', Role.LOCAL),
        { code: 'ENOTUNIQ', dbusName: 'org.framekey1.Error.ParticipantExists', message: /remove it first/ });
    assert.throws(() => client.openSession('livekit-passphrase', '', { ringSice: 3 }), /ring-sice/);
    assert.throws(() => new Client({ bus: framekey.Bus.ADDRESS, where: 'unix:path=/nonexistent' }), { code: 'ENOENT' });
    assert.throws(() => sender.stream.encryptSync('text'), TypeError);
    assert.throws(() => sender.stream.encryptSync(OPUS, { metadata: Buffer.alloc(513) }), { code: 'EINVAL' });
    await assert.rejects(sender.stream.encrypt(new Uint16Array(4)), TypeError);
    assert.throws(() => Channel.fromFds([0, 0, 0, 0]), { code: 'EPROTO' });
    assert.throws(() => Channel.fromFds([0]), { code: 'EINVAL' });
    assert.throws(() => Channel.fromFds('no'), { code: 'EINVAL' });
    end();
    assert.throws(() => sender.stream.encryptSync(OPUS), { code: 'EPIPE' });
    assert.throws(() => sender.session.ratchet(''), { code: 'ENXIO' });
});

test('waiting promises learn that their channel has ended', async () => {
    const { sender, end } = call();
    await sender.stream.encrypt(OPUS);
    sender.session.closeChannel(sender.channel);
    await assert.rejects(async () => {
        for (;;)
            await sender.stream.encrypt(OPUS);
    }, { code: 'EPIPE' });
    const channel = sender.session.openChannel();
    const stream = sender.session.addStream(channel, 'alice', Direction.ENCRYPT, Media.AUDIO, Codec.OPUS);
    const pending = stream.encrypt(OPUS);
    channel.close();
    await assert.rejects(pending, { code: 'EPIPE' });
    end();
});

test('a key comes from a descriptor, and goes wrapped', async () => {
    const { client, receiver, end } = call();
    const path = `${process.env.FRAMEKEYD_DIR}/passphrase`;
    writeFileSync(path, PASSPHRASE);
    // A shell makes the pipe: Node has none whose descriptor it would tell.
    const script = `const { Client, Role } = require(${JSON.stringify(folder)}); const client = new Client();
        const session = client.openSession('livekit-passphrase'); session.addParticipant('alice', Role.LOCAL);
        session.importKeyFd('', 0, 0); console.log(session.securityCode()); client.close();`;
    const child = spawnSync('sh', ['-c', `cat ${path} | "$0" -e "$1"`, process.execPath, script], { encoding: 'utf8' });
    assert.equal(child.stdout.trim(), receiver.session.securityCode(), child.stderr);

    const [one, other] = ['a', 'b'].map((name) => client.openSession('element-call', name));
    one.addParticipant('alice', Role.LOCAL);
    other.addParticipant('alice', Role.REMOTE);
    one.generateKey('alice', 3);
    const { key, fingerprint } = other.transportKey();
    assert.equal(key.length, 32);
    assert.ok(fingerprint.length > 8);
    assert.equal(other.importWrapped('alice', one.exportWrapped('alice', key)), 3);
    assert.equal(one.securityCode(), other.securityCode());
    assert.throws(() => one.exportWrapped('alice', Buffer.alloc(31)), { code: 'EINVAL' });
    end();
});

test('events reach their session', async () => {
    const { sender, receiver, end } = call();
    const event = new Promise((resolve) => receiver.session.onEvent((what) => what.name === 'DecryptionStalled' && resolve(what)));
    const mine = [];
    sender.session.onEvent((what) => mine.push(what.name));
    sender.session.importKey('', 5, Buffer.from('unknown to the other side'), { activate: true });
    for (let n = 0; n < 50; n++)
        await receiver.stream.decrypt((await sender.stream.encrypt(OPUS)).data);
    const { name, participant, state, keyIndex } = await event;
    assert.deepEqual({ name, participant, state, keyIndex },
        { name: 'DecryptionStalled', participant: 'alice', state: 'missing-key', keyIndex: 5 });
    assert.deepEqual(sender.session.rotate(null, 'test'), { rotated: 0, requested: 1 });
    while (!mine.includes('RotationRequested'))
        await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(mine.includes('KeyActivated'));
    receiver.session.onEvent(null);
    sender.session.close();
    end();
});

test('workers come and go with frames under way', async () => {
    for (let n = 0; n < 3; n++) {
        const worker = new Worker(`
            const { parentPort } = require('node:worker_threads');
            const { Client, Codec, Direction, Media, Role } = require(${JSON.stringify(folder)});
            const session = new Client().openSession('livekit-passphrase');
            session.addParticipant('alice', Role.LOCAL);
            session.importKey('', 0, Buffer.from('a passphrase'));
            session.onEvent(() => {});
            const channel = session.openChannel();
            const stream = session.addStream(channel, 'alice', Direction.ENCRYPT, Media.AUDIO, Codec.OPUS);
            (async () => { for (;;) parentPort.postMessage((await stream.encrypt(Buffer.alloc(40, 1))).verdict); })();
        `, { eval: true });
        const verdicts = await new Promise((resolve, reject) => {
            const seen = [];
            worker.on('error', reject);
            worker.on('message', (verdict) => seen.push(verdict) === 20 && resolve(seen));
        });
        assert.deepEqual(new Set(verdicts), new Set([Verdict.OK]));
        await worker.terminate();
    }
});

test('a process ends by itself once nobody listens and no frame is under way', () => {
    const script = `const { Client, Codec, Direction, Media, Role } = require(${JSON.stringify(folder)});
        const session = new Client().openSession('livekit-passphrase');
        session.addParticipant('alice', Role.LOCAL);
        session.importKey('', 0, Buffer.from('a passphrase'));
        session.onEvent(() => {}); session.onEvent(null);
        const stream = session.addStream(session.openChannel(), 'alice', Direction.ENCRYPT, Media.AUDIO, Codec.OPUS);
        stream.encrypt(Buffer.alloc(40, 1)).then(({ verdict }) => console.log('verdict', verdict));`;
    const child = spawnSync(process.execPath, ['--expose-gc', '-e', script], { encoding: 'utf8', timeout: 20000 });
    assert.deepEqual([child.stdout.trim(), child.status], ['verdict 0', 0], child.stderr);
});

test('another process has the channel and nothing else', () => {
    const { sender, receiver, end } = call();
    const { fds, path } = sender.session.openChannelFds();
    const number = sender.session.grantStream(path, 'alice', Direction.ENCRYPT, Media.AUDIO, Codec.OPUS);
    const script = `const { Channel } = require(${JSON.stringify(folder)}); const channel = Channel.fromFds([3, 4, 5, 6]);
        console.log(channel.stream(${number}).encryptSync(Buffer.from('${OPUS.toString('hex')}', 'hex')).data.toString('hex'));`;
    const child = spawnSync(process.execPath, ['-e', script],
        { encoding: 'utf8', env: { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH }, stdio: ['ignore', 'pipe', 'pipe', ...fds] });
    fds.forEach(closeSync);
    assert.deepEqual(receiver.stream.decryptSync(Buffer.from(child.stdout.trim(), 'hex')).data, OPUS, child.stderr);
    end();
});

test('the names are the numbers of the headers', () => {
    const top = process.env.abs_top_srcdir;
    const text = ['framekey.h', 'framekey-bus.h'].map((name) => readFileSync(`${top}/libclient/${name}`, 'utf8')).join('')
        .replace(/\/\*[^]*?\*\//g, ' ');
    const header = Object.fromEntries([...text.matchAll(/\bFRAMEKEY_(\w+)\s*=\s*([^,}]+)/g)]
        .map(([, name, value]) => [name, Number(value.includes('<<') ? 1 << value.split('<<')[1] : value)]));
    const prefixes = {
        Verdict: 'VERDICT_', Codec: 'CODEC_', Media: 'MEDIA_', FrameType: 'FRAME_', ResultFlags: 'RESULT_', Bus: 'BUS_',
        Direction: '', Role: '',
    };
    for (const [name, prefix] of Object.entries(prefixes)) {
        const mine = framekey[name];
        for (const [key, value] of Object.entries(mine))
            assert.equal(header[prefix + key] ?? header[key], value, `${name}.${key}`);
        const theirs = Object.keys(header).filter((key) => prefix && key.startsWith(prefix) && key !== 'VERDICT_MAX');
        theirs.forEach((key) => assert.ok(key.slice(prefix.length) in mine, `FRAMEKEY_${key} is not in index.js`));
    }
    const types = readFileSync(`${folder}/index.d.ts`, 'utf8');
    for (const key of Object.keys(prefixes).flatMap((name) => Object.entries(framekey[name])))
        assert.match(types, new RegExp(`\\b${key[0]}: ${key[1]}\\b`));
    for (const name of ['Client', 'Session', 'Channel', 'Stream'])
        for (const method of Object.getOwnPropertyNames(framekey[name].prototype))
            if (!method.startsWith('_') && method !== 'constructor')
                assert.match(types, new RegExp(`\\b${method}\\(`), `index.d.ts lacks ${name}.${method}`);
});
