// SPDX-License-Identifier: LGPL-2.1-or-later
/** Frames of calls, encrypted and decrypted with keys that stay in framekeyd. See README.md. */

export declare const Verdict: Readonly<{
    OK: 0; EMPTY: 1; SERVER_INJECTED: 2; FORGED: 3; REPLAYED: 4; UNKNOWN_KEY: 5; TOO_OLD: 6; BUDGET: 7; MALFORMED: 8;
    TOO_SHORT: 9; UNSUPPORTED: 10; LIMIT: 11; REFUSED: 12; LOCKED: 13; TOO_LONG: 14; UNENCRYPTED: 15;
}>;
export declare const Direction: Readonly<{ ENCRYPT: 1; DECRYPT: 2 }>;
export declare const Media: Readonly<{ AUDIO: 1; VIDEO: 2; DATA: 3 }>;
export declare const Codec: Readonly<{
    UNKNOWN: 0; OPUS: 1; RED: 2; PCMU: 3; PCMA: 4; G722: 5; AUDIO: 6; VP8: 16; VP9: 17; AV1: 18; H264: 19; H265: 20;
    DATA: 32;
}>;
export declare const FrameType: Readonly<{ UNSPECIFIED: 0; KEY: 1; DELTA: 2; EMPTY: 3 }>;
export declare const ResultFlags: Readonly<{
    NEW_KEY: 1; KEYFRAME_WANTED: 2; REQUEST_KEYFRAME: 4; RATCHET_SOON: 8; OUTGOING: 16;
}>;
export declare const Role: Readonly<{ LOCAL: 1; REMOTE: 2 }>;
export declare const Bus: Readonly<{ SYSTEM: 0; USER: 1; ADDRESS: 2; HOST: 3; MACHINE: 4 }>;
/** In place of a key index: the key that is sent under. */
export declare const KEY_ACTIVE: 0xffffffff;

type ValueOf<T> = T[keyof T];
export type Verdict = ValueOf<typeof Verdict>;
export type Direction = ValueOf<typeof Direction>;
export type Media = ValueOf<typeof Media>;
export type Codec = ValueOf<typeof Codec>;
export type FrameType = ValueOf<typeof FrameType>;
export type Role = ValueOf<typeof Role>;
export type Bus = ValueOf<typeof Bus>;
/** Names are those of org.framekey1(5), in camel case: { activateAfterUsec: 500000 }. */
export type Options = Record<string, string | number | boolean | Uint8Array>;

/** One sentence: what a verdict means, and what to do. */
export declare function verdictText(verdict: number): string;

/** What is thrown, and what promises are rejected with. The message says what to do. */
export interface FramekeyError extends Error {
    /** "EPIPE": the channel was closed. "ESTALE": the daemon ended. "EAGAIN": too many frames are under way, drop it. */
    code: string;
    errno?: number;
    /** The daemon's name for it ("org.framekey1.Error.NoSuchKey"), or "". */
    dbusName?: string;
}

export interface FrameInfo {
    frameType?: FrameType;
    /** The stream's, if it is left out. */
    codec?: Codec;
    ssrc?: number;
    rtpTimestamp?: number;
    /** SFrame: authenticated and not sent. */
    metadata?: Uint8Array;
}

export interface Result {
    verdict: Verdict;
    /** The output; null if there is none. */
    data: Buffer | null;
    keyIndex: number;
    step: number;
    /** ResultFlags. */
    flags: number;
}

/** A way for frames to the daemon and back. Close it: until then it is not collected. */
export declare class Channel {
    private constructor();
    /** Takes over a channel from the four descriptors of OpenChannel's reply; the caller closes the ones it passed. */
    static fromFds(fds: number[], path?: string): Channel;
    readonly path: string;
    /** The stream that was granted under this number. */
    stream(number: number): Stream;
    close(): void;
}

export declare class Stream {
    private constructor();
    readonly channel: Channel;
    readonly number: number;
    info(): { direction: string; format: string; media: string; codec: string };
    /** Many frames may be under way at once. */
    encrypt(data: Uint8Array, about?: FrameInfo): Promise<Result>;
    decrypt(data: Uint8Array, about?: FrameInfo): Promise<Result>;
    /** Waits for the daemon; `timeoutMs` is 1000 if it is left out. */
    encryptSync(data: Uint8Array, about?: FrameInfo & { timeoutMs?: number }): Result;
    decryptSync(data: Uint8Array, about?: FrameInfo & { timeoutMs?: number }): Result;
}

/** A signal of a session. None holds a secret. "Disconnected" is the bus's end, with no more than a reason. */
export interface SessionEvent {
    name: string;
    participant: string;
    keyIndex: number | null;
    step: number;
    generation: number;
    reason: string;
    deadlineUsec: number;
    channel: string;
    stream: number;
    state: string;
    frames: number;
}

/** A connection to the daemon. Calls wait for its answer. Sessions end with it, unless opened with { linger: true }. */
export declare class Client {
    constructor(options?: { bus?: Bus; where?: string });
    openSession(profile: string, label?: string, options?: Options): Session;
    attachSession(id: string): Session;
    close(): void;
}

export declare class Session {
    private constructor();
    readonly client: Client;
    readonly id: string;
    close(): void;
    /** Calls `handler` with each event, and keeps the process alive; null takes it away. */
    onEvent(handler: ((event: SessionEvent) => void) | null): void;

    addParticipant(identity: string, role: Role, options?: Options): void;
    removeParticipant(identity: string, options?: Options): void;
    /** When the sending keys move on, in microseconds of the wall clock. */
    join(identity: string, options?: Options): number;
    leave(identity: string, options?: Options): number;

    /** The identity "" is the shared key. A secret in JavaScript's memory cannot be wiped: prefer importKeyFd(). */
    importKey(identity: string, index: number, secret: Uint8Array, options?: Options): void;
    /** From a pipe or sealed memfd, which the daemon reads to its end. */
    importKeyFd(identity: string, index: number, fd: number, options?: Options): void;
    generateKey(identity: string, index: number, options?: Options): void;
    activate(identity: string, index: number, options?: Options): void;
    /** The step that is reached. */
    ratchet(identity: string, index?: number): number;
    rotate(identity?: string | null, reason?: string): { rotated: number; requested: number };
    retireKey(identity: string, index: number): void;
    transportKey(): { key: Buffer; fingerprint: string };
    exportWrapped(identity: string, recipient: Uint8Array, index?: number): Buffer;
    /** The index under which it is installed. */
    importWrapped(identity: string, wrapped: Uint8Array, index?: number, options?: Options): number;
    /** What two people read to each other. Show it to the user alone. */
    securityCode(): string;

    openChannel(options?: Options): Channel;
    /** For another process; close the descriptors. */
    openChannelFds(options?: Options): { fds: number[]; path: string };
    closeChannel(channel: Channel | string): void;
    addStream(channel: Channel, identity: string, direction: Direction, media: Media, codec: Codec,
        options?: Options): Stream;
    /** The same for a channel of another process: the number to tell it. */
    grantStream(channel: Channel | string, identity: string, direction: Direction, media: Media, codec: Codec,
        options?: Options): number;
    removeStream(channel: Channel | string, stream: Stream | number): void;
}
