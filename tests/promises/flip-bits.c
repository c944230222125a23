/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flip-bits [REJECTIONS]: in frames of every format, turns over each bit: of what stays clear and is authenticated, of
 * the header or trailer, of the IV, of the encrypted part, of the tag. The daemon must deliver none of them, and the
 * slot for the result must stay as it was, byte for byte, also at every instant in between: a thread reads it all the
 * time, while this is done until so many frames were rejected (100,000) over all formats.
 *
 * Exit status: 0; 1 something was delivered or seen.
 */
#include "tests/hostile/raw-channel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REJECTIONS 100000u
#define PLAIN_LEN  200u
#define SEALED_MAX 400u

typedef struct Case {
        const char *profile;
        enum framekey_media media;
        enum framekey_codec codec;
        uint8_t first;   /* byte of the frame, which tells what of it stays clear */
        bool shared_key; /* one for the whole call */
        size_t key_len;  /* 0: any */
} Case;

/* VP8 key frames keep ten bytes clear, Opus frames one. */
static const Case cases[] = {
        { "livekit-bytes", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, 0x10, true, 0 },
        { "livekit-bytes", FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, 0x78, true, 0 },
        { "jitsi", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, 0x10, false, 0 },
        { "realtimekit", FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, 0x78, true, 0 },
        { "sframe", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, 0x10, false, 0 },
        { "dave", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, 0x10, false, 16 },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

typedef struct Watch {
        const uint8_t *slot;
        uint8_t expected[FRAMEKEY_ABI_SLOT_SMALL];
        atomic_bool stop;
        atomic_ulong n_looks;
        atomic_bool changed;
} Watch;

static void *watch_main(void *userdata) {
        Watch *watch = userdata;

        while (!atomic_load(&watch->stop)) {
                if (memcmp(watch->slot, watch->expected, sizeof(watch->expected)) != 0)
                        atomic_store(&watch->changed, true);
                atomic_fetch_add(&watch->n_looks, 1);
        }
        return NULL;
}

/* A call with alice, whom one daemon sends for, and bob, whom the other one receives: under one key. */
static int open_call(const Case *c, const char *bus_variable, const char *identity, framekey_client **ret_client,
                     framekey_session **ret_session) {
        static const char *const no_window[] = { "replay-window=0", NULL }, *const activate[] = { "activate=yes",
                                                                                                  NULL };
        static const char secret[] = "a base key, not known to anybody";
        char *error = NULL;
        framekey_session *session;
        int r = framekey_client_open(ret_client, FRAMEKEY_BUS_ADDRESS, getenv(bus_variable), &error);

        if (r < 0)
                return failed("%s", error ? error : "no client");
        /* What counts its frames has a window always; a frame is opened once only, then. */
        r = framekey_session_open(*ret_client, c->profile, "flip-bits", c->shared_key ? no_window : NULL, &session);
        if (r >= 0)
                r = framekey_session_add_participant(session, "alice", FRAMEKEY_LOCAL, NULL);
        if (r >= 0)
                r = framekey_session_add_participant(session, "bob", FRAMEKEY_REMOTE, NULL);
        if (r >= 0)
                r = framekey_session_import_key(session, c->shared_key ? NULL : identity, 0, secret,
                                                c->key_len ? c->key_len : sizeof(secret) - 1,
                                                c->shared_key || strcmp(identity, "alice") == 0 ? activate : NULL);
        if (r < 0)
                return failed("%s: %s", c->profile, framekey_client_error(*ret_client));
        *ret_session = session;
        return 0;
}

typedef struct Flipper {
        const Case *c;
        RawChannel near, far; /* alice's and bob's */
        Watch watch;
        uint32_t encrypt, decrypt;
        uint8_t sealed[SEALED_MAX];
        uint32_t len;
} Flipper;

static int add_stream(const Case *c, RawChannel *raw, const char *identity, enum framekey_direction direction,
                      uint32_t *ret) {
        int r = framekey_session_add_stream(raw->session, raw->path, identity, direction, c->media, c->codec, NULL,
                                            ret);

        return r < 0 ? failed("%s: %s", c->profile, framekey_client_error(framekey_session_get_client(raw->session)))
                     : 0;
}

static int seal(Flipper *f, uint8_t fill) {
        struct framekey_abi_completion c;
        uint8_t plain[PLAIN_LEN];

        memset(plain, fill, sizeof(plain));
        plain[0] = f->c->first;
        if (raw_call(&f->near, f->encrypt, 0, plain, sizeof(plain), &c) < 0)
                return -1;
        if (c.verdict != 0 || c.frame_len > sizeof(f->sealed))
                return failed("%s: not sealed: verdict %d, %u bytes", f->c->profile, c.verdict, c.frame_len);
        memcpy(f->sealed, raw_out(&f->near, 0), c.frame_len);
        f->len = c.frame_len;
        return 0;
}

/* The frame as it is opens: what is rejected afterwards is rejected for its bit. */
static int open_good(Flipper *f) {
        struct framekey_abi_completion c;

        if (raw_call(&f->far, f->decrypt, 1, f->sealed, f->len, &c) < 0)
                return -1;
        if (c.verdict != 0 || c.frame_len != PLAIN_LEN)
                return failed("%s: the frame as it was does not open: verdict %d", f->c->profile, c.verdict);
        return 0;
}

static int flip_one(Flipper *f, uint32_t bit) {
        struct framekey_abi_completion c;
        int r;

        f->sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        r = raw_call(&f->far, f->decrypt, 1, f->sealed, f->len, &c);
        f->sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (r < 0)
                return -1;
        if (c.verdict == 0 || c.frame_len != 0 || framekey_verdict_delivers(c.verdict))
                return failed("%s: bit %u of %u turned over: verdict %d, %u bytes delivered", f->c->profile, bit,
                              f->len * 8, c.verdict, c.frame_len);
        if (memcmp(raw_out(&f->far, 1), f->watch.expected, sizeof(f->watch.expected)) != 0)
                return failed("%s: bit %u of %u turned over: the result's slot has changed", f->c->profile, bit,
                              f->len * 8);
        return 0;
}

static int flip_all(Flipper *f, unsigned long wanted) {
        unsigned long n = 0;
        uint8_t fill = 1;

        while (n < wanted) {
                /* A frame of its own each time, that was not opened yet: no window answers for the tag. */
                if (seal(f, ++fill) < 0)
                        return -1;
                for (uint32_t bit = 0; bit < f->len * 8; bit++, n++)
                        if (flip_one(f, bit) < 0)
                                return -1;
        }
        if (atomic_load(&f->watch.changed))
                return failed("%s: for an instant, the result's slot was another", f->c->profile);
        if (atomic_load(&f->watch.n_looks) < wanted / 10)
                return failed("%s: the watcher looked %lu times only", f->c->profile, atomic_load(&f->watch.n_looks));
        (void)printf("%s, codec %d: %lu rejected, seen by %lu looks at the slot\n", f->c->profile, f->c->codec, n,
                     atomic_load(&f->watch.n_looks));
        return open_good(f); /* the last one, that nothing was held against */
}

static int watched(Flipper *f, unsigned long wanted) {
        pthread_t thread;
        int r;

        f->watch.slot = raw_out(&f->far, 1);
        memcpy(f->watch.expected, f->watch.slot, sizeof(f->watch.expected));
        if (pthread_create(&thread, NULL, watch_main, &f->watch) != 0)
                return failed("no thread");
        r = flip_all(f, wanted);
        atomic_store(&f->watch.stop, true);
        (void)pthread_join(thread, NULL);
        return r;
}

static int run(const Case *c, unsigned long wanted) {
        Flipper *f = calloc(1, sizeof(*f));
        framekey_client *near = NULL, *far = NULL;
        framekey_session *sending = NULL, *receiving = NULL;
        int r = -1;

        if (!f)
                return failed("out of memory");
        f->c = c;
        if (open_call(c, "DBUS_SYSTEM_BUS_ADDRESS", "alice", &near, &sending) == 0 &&
            open_call(c, "DBUS_SYSTEM_BUS_ADDRESS_2", "bob", &far, &receiving) == 0 &&
            raw_open(&f->near, sending) == 0 && raw_open(&f->far, receiving) == 0 &&
            add_stream(c, &f->near, "alice", FRAMEKEY_ENCRYPT, &f->encrypt) == 0 &&
            add_stream(c, &f->far, "bob", FRAMEKEY_DECRYPT, &f->decrypt) == 0 && seal(f, 1) == 0 && open_good(f) == 0)
                r = watched(f, wanted);
        if (f->near.path)
                raw_close(&f->near);
        if (f->far.path)
                raw_close(&f->far);
        framekey_session_close(sending);
        framekey_session_close(receiving);
        framekey_client_free(near);
        framekey_client_free(far);
        free(f);
        return r;
}

int main(int argc, char **argv) {
        unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : REJECTIONS;

        for (size_t i = 0; i < N_CASES; i++)
                if (run(&cases[i], wanted / N_CASES + 1) < 0)
                        return 1;
        return 0;
}
