// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The MLS group of a DAVE call (protocol version 1), with two implementations as members: davey, which shows no media
// key to anybody, and ts-mls, from whose side of the group everybody's keys can be taken.
//
//   const gateway = new Gateway();
//   const alice = new DaveyMember(gateway, aliceId), bob = new MlsMember(gateway, bobId);
//   await gateway.found(alice, [bob]);                        alice's own commit and welcome
//   await gateway.change({ winner: bob, add: [carol] });      everybody commits, the gateway takes bob's
//   const secret = await bob.baseSecret(aliceId);
//   const sealed = await alice.encrypt(frame);                { payload }
//   await alice.from(bobId).decrypt(frame);                   { payload } or { refusal }
//
// The gateway is Discord's as the DAVE white paper has it: an external sender, the only one who proposes.
import { webcrypto } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { equal, equalBytes } from './check.mjs';
import { packages } from './peer.mjs';

globalThis.crypto ??= webcrypto; // node 18 hides it from ts-mls

const directory = packages();
if (!readdirSync(join(directory, 'node_modules/@snazzah')).some((name) => name.startsWith('davey-'))) {
        console.error(`davey has no program for this kind of machine (${process.platform}, ${process.arch})`);
        process.exit(77);
}
const require = createRequire(join(directory, 'package.json'));
const { Codec, DAVESession, MediaType, ProposalsOperationType, generateP256Keypair } = require('@snazzah/davey');
const mls = await import(require.resolve('ts-mls'));
const { decodeKeyPackage, encodeKeyPackage } = await import(require.resolve('ts-mls/keyPackage.js'));
const { decodeWelcome, encodeWelcome } = await import(require.resolve('ts-mls/welcome.js'));
const { encode } = await import(require.resolve('ts-mls/codec/tlsEncoder.js'));
const { varLenDataEncoder } = await import(require.resolve('ts-mls/codec/variableLength.js'));

const protocolVersion = 1;
const suiteName = 'MLS_128_DHKEMP256_AES128GCM_SHA256_P256';
const suite = await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(suiteName));
const capabilities = {
        versions: ['mls10'],
        ciphersuites: [suiteName],
        extensions: [],
        proposals: [],
        credentials: ['basic'],
};
const lifetime = { notBefore: 0n, notAfter: 2n ** 64n - 1n };

const u64 = (number, littleEndian = false) => {
        const bytes = new DataView(new ArrayBuffer(8));
        bytes.setBigUint64(0, number, littleEndian);
        return new Uint8Array(bytes.buffer);
};
const credential = (id) => ({ credentialType: 'basic', identity: u64(id) });
// Everything that was to be read was there, and no more.
const whole = (decode, bytes) => {
        const [value, length] = decode(bytes, 0) ?? [];
        equal(length, bytes.length, `bytes of ${decode.name || 'a message'} that make sense`);
        return value;
};

// ts-mls makes compressed points, which are not what MLS has (RFC 9420, 5.1.1): davey makes all signature keys.
function signatureKey() {
        const { private: signKey, public: publicKey } = generateP256Keypair();
        return { signKey: new Uint8Array(signKey), publicKey: new Uint8Array(publicKey) };
}

// The extension holds a vector (RFC 9420, 12.1.8.1). Where ts-mls looks for a sender it takes it for the sender alone.
const externalSenders = (data) => [{ extensionType: 'external_senders', extensionData: data }];

export class Gateway {
        #key = signatureKey();
        #leaves = [];
        #epoch;

        constructor(channelId = 1100000000000000123n) {
                this.channelId = channelId;
                this.externalSender = mls.encodeExternalSender({
                        signaturePublicKey: this.#key.publicKey,
                        credential: credential(0n),
                });
        }

        get members() {
                return this.#leaves.filter((member) => member);
        }

        // The little that it knows of the group, as ts-mls wants to see it.
        get groupContext() {
                const extensions = externalSenders(this.externalSender);
                return { version: 'mls10', groupId: u64(this.channelId), epoch: this.#epoch, extensions };
        }

        // A new group, also in place of an old one: that of its first member alone, a davey, and who is added to it.
        async found(first, others) {
                first.reset();
                this.#leaves = [first];
                this.#epoch = 0n;
                await this.change({ winner: first, add: others });
        }

        // From one epoch to the next, by the commit of one member of the old one.
        async change({ winner, add = [], remove = [] }) {
                const proposals = [];
                for (const member of remove)
                        proposals.push({ proposalType: 'remove', remove: { removed: this.#leaves.indexOf(member) } });
                for (const member of add) {
                        member.reset();
                        const keyPackage = whole(decodeKeyPackage, await member.makeKeyPackage());
                        proposals.push({ proposalType: 'add', add: { keyPackage } });
                }
                const messages = [];
                for (const proposal of proposals)
                        messages.push(mls.encodeMlsMessage(await mls.proposeExternal(
                                this, proposal, this.#key.publicKey, this.#key.signKey, suite)));

                const staying = this.members.filter((member) => !remove.includes(member));
                const everybody = [...staying, ...add].map((member) => member.id);
                const answers = new Map();
                for (const member of staying)
                        answers.set(member, await member.processProposals(messages, everybody));
                const { commit, welcome } = answers.get(winner);
                for (const member of staying)
                        await member.processCommit(commit);
                for (const member of add)
                        await member.processWelcome(welcome);

                this.#epoch++;
                for (const member of remove)
                        this.#leaves[this.#leaves.indexOf(member)] = undefined;
                for (const member of add) {
                        const blank = this.#leaves.indexOf(undefined);
                        this.#leaves[blank < 0 ? this.#leaves.length : blank] = member;
                }
                for (const member of this.members) {
                        equal(member.epoch, this.#epoch, `epoch of ${member.id}`);
                        equalBytes(member.epochAuthenticator, winner.epochAuthenticator, `group of ${member.id}`);
                }
        }
}

export class DaveyMember {
        #session;
        #gateway;

        constructor(gateway, id) {
                this.id = id;
                this.#gateway = gateway;
                this.#session = new DAVESession(protocolVersion, `${id}`, `${gateway.channelId}`);
                this.#session.setExternalSender(Buffer.from(gateway.externalSender));
        }

        get epoch() {
                return this.#session.epoch;
        }

        get epochAuthenticator() {
                return this.#session.getEpochAuthenticator();
        }

        // Leaves the group and makes one of his own, as all do before the first commit.
        reset() {
                this.#session.reinit(protocolVersion, `${this.id}`, `${this.#gateway.channelId}`);
        }

        makeKeyPackage() {
                return this.#session.getSerializedKeyPackage();
        }

        processProposals(messages, ids) {
                const vector = Buffer.from(encode(varLenDataEncoder)(Buffer.concat(messages)));
                return this.#session.processProposals(ProposalsOperationType.APPEND, vector, ids.map(String));
        }

        processCommit(commit) {
                this.#session.processCommit(Buffer.from(commit));
        }

        processWelcome(welcome) {
                this.#session.processWelcome(Buffer.from(welcome));
        }

        encrypt({ media, codec, payload }) {
                const sealed = this.#session.encrypt(
                        media === 'audio' ? MediaType.AUDIO : MediaType.VIDEO, Codec[codec.toUpperCase()],
                        Buffer.from(payload));
                return { payload: new Uint8Array(sealed) };
        }

        // A receiver of what this user sends.
        from(id) {
                return { decrypt: (frame) => this.#decrypt(id, frame) };
        }

        #decrypt(id, { media, payload }) {
                const type = media === 'audio' ? MediaType.AUDIO : MediaType.VIDEO;
                try {
                        return { payload: new Uint8Array(this.#session.decrypt(`${id}`, type, Buffer.from(payload))) };
                } catch (error) {
                        return { refusal: error.message };
                }
        }
}

export class MlsMember {
        #signatureKey = signatureKey();
        #gateway;
        #package;
        #state;
        #pending;

        constructor(gateway, id) {
                this.id = id;
                this.#gateway = gateway;
        }

        get epoch() {
                return this.#state.groupContext.epoch;
        }

        get epochAuthenticator() {
                return this.#state.keySchedule.epochAuthenticator;
        }

        get exporterSecret() {
                return this.#state.keySchedule.exporterSecret;
        }

        // What the media keys of any user of the group are made of in this epoch.
        baseSecret(id) {
                return mls.mlsExporter(this.exporterSecret, 'Discord Secure Frames v0', u64(id, true), 16, suite);
        }

        // ts-mls refuses to make a group with the extension as it has to be, so this member only ever joins.
        reset() {
                this.#state = undefined;
        }

        async makeKeyPackage() {
                this.#package = await mls.generateKeyPackageWithKey(
                        credential(this.id), capabilities, lifetime, [], this.#signatureKey, suite);
                return encodeKeyPackage(this.#package.publicPackage);
        }

        async processProposals(messages) {
                const { groupContext } = this.#state;
                const extensions = externalSenders(this.#gateway.externalSender);
                this.#state = { ...this.#state, groupContext: { ...groupContext, extensions } };
                for (const message of messages)
                        this.#state = await this.#process(message);
                this.#state = { ...this.#state, groupContext };
                const made = await mls.createCommit(
                        { state: this.#state, cipherSuite: suite },
                        { wireAsPublicMessage: true, ratchetTreeExtension: true });
                const commit = mls.encodeMlsMessage(made.commit);
                this.#pending = { commit, state: made.newState };
                return { commit, welcome: made.welcome && encodeWelcome(made.welcome) };
        }

        async processCommit(commit) {
                this.#state =
                        Buffer.compare(commit, this.#pending.commit) === 0
                                ? this.#pending.state
                                : await this.#process(commit);
        }

        async #process(bytes) {
                const { publicMessage } = whole(mls.decodeMlsMessage, bytes);
                return (await mls.processPublicMessage(this.#state, publicMessage, mls.emptyPskIndex, suite)).newState;
        }

        async processWelcome(bytes) {
                const { publicPackage, privatePackage } = this.#package;
                this.#state = await mls.joinGroup(
                        whole(decodeWelcome, bytes), publicPackage, privatePackage, mls.emptyPskIndex, suite);
        }
}
