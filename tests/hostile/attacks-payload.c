/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attacks on the bytes of frames: what is delivered is authentic, and what is refused leaves no trace. */
#include "hostile.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_LEN  6000u
#define SEALED_MAX (PLAIN_LEN + 256u)

/* Two frames of one length under one key, and a thread that puts now the one, now the other into the slot. */
typedef struct Flip {
        RawChannel raw;
        uint32_t slot;
        uint32_t len;
        uint8_t plain[2][PLAIN_LEN];
        uint8_t sealed[2][SEALED_MAX];
        uint8_t before[FRAMEKEY_ABI_SLOT_VIDEO];
        atomic_bool stop;
} Flip;

static int seal(RawChannel *raw, uint32_t slot, const uint8_t *plain, uint32_t len, uint8_t *ret, uint32_t *ret_len) {
        struct framekey_abi_completion c;

        if (raw_call(raw, raw->encrypt, slot, plain, len, &c) < 0)
                return -1;
        if (c.verdict != 0 || c.frame_len > len + 256)
                return failed("a good frame was not encrypted: verdict %d, %u bytes", c.verdict, c.frame_len);
        memcpy(ret, raw_out(raw, slot), c.frame_len);
        *ret_len = c.frame_len;
        return 0;
}

static void *flip_main(void *userdata) {
        Flip *flip = userdata;
        uint8_t *in = raw_in(&flip->raw, flip->slot);

        /* Whole frames, and now and then a single bit: torn in the middle either way. */
        for (unsigned i = 0; !atomic_load(&flip->stop); i++) {
                memcpy(in, flip->sealed[i % 2], flip->len);
                if (i % 8 == 0)
                        in[i % flip->len] ^= (uint8_t)(1u << i % 7);
        }
        return NULL;
}

static int decrypt_flipping(Stage *stage, Flip *flip) {
        RawChannel *raw = &flip->raw;
        const uint8_t *out = raw_out(raw, flip->slot);

        while (stage_goes_on(stage)) {
                struct framekey_abi_completion c;

                memcpy(flip->before, out, sizeof(flip->before));
                raw_push(raw, raw->decrypt, flip->slot, flip->len);
                raw_submit(raw);
                if (raw_wait_pop(raw, &c) < 0 || stage_check(stage, raw, &c) < 0)
                        return -1;
                if (c.verdict != 0) {
                        if (memcmp(flip->before, out, sizeof(flip->before)) != 0)
                                return failed("a refused frame (verdict %d) changed the output slot", c.verdict);
                        continue;
                }
                if (c.frame_len != PLAIN_LEN)
                        return failed("a frame of %u bytes came back as %u", PLAIN_LEN, c.frame_len);
                if (memcmp(out, flip->plain[0], PLAIN_LEN) != 0 && memcmp(out, flip->plain[1], PLAIN_LEN) != 0)
                        return failed("delivered as authentic what nobody encrypted");
        }
        return 0;
}

/* Asks for a frame that lies in a slot to be sealed again under this stream. */
static volatile struct framekey_abi_descriptor *push_transcrypt(RawChannel *raw, uint32_t slot, uint32_t len,
                                                                uint32_t to_stream) {
        volatile struct framekey_abi_descriptor *d;

        raw_push(raw, raw->decrypt, slot, len);
        d = raw_descriptor(raw, raw->submitted - 1);
        d->flags = FRAMEKEY_ABI_TRANSCRYPT;
        d->to_stream = to_stream;
        return d;
}

static int transcrypt_flipping(Stage *stage, Flip *flip) {
        static uint8_t sealed[SEALED_MAX];
        RawChannel *raw = &flip->raw;

        while (stage_goes_on(stage)) {
                struct framekey_abi_completion c;

                (void)push_transcrypt(raw, flip->slot, flip->len, raw->encrypt);
                raw_submit(raw);
                if (raw_wait_pop(raw, &c) < 0 || stage_check(stage, raw, &c) < 0)
                        return -1;
                if (c.verdict != 0)
                        continue;
                if (c.frame_len > sizeof(sealed))
                        return failed("a frame of %u bytes became one of %u", flip->len, c.frame_len);
                memcpy(sealed, raw_out(raw, flip->slot), c.frame_len);
                if (raw_call(raw, raw->decrypt, flip->slot + 1, sealed, c.frame_len, &c) < 0)
                        return -1;
                if (c.verdict != 0 || c.frame_len != PLAIN_LEN)
                        return failed("a transcrypted frame does not open: verdict %d, %u bytes", c.verdict,
                                      c.frame_len);
                if (memcmp(raw_out(raw, flip->slot + 1), flip->plain[0], PLAIN_LEN) != 0 &&
                    memcmp(raw_out(raw, flip->slot + 1), flip->plain[1], PLAIN_LEN) != 0)
                        return failed("sealed as authentic what nobody encrypted");
        }
        return 0;
}

typedef int FlipUser(Stage *stage, Flip *flip);

static int with_flips(Stage *stage, FlipUser *use) {
        Flip *flip = calloc(1, sizeof(*flip));
        pthread_t thread;
        int r;

        if (!flip)
                return failed("out of memory");
        flip->slot = 8; /* the first of the 64 kB */
        r = raw_open(&flip->raw, stage->session);
        for (unsigned k = 0; r == 0 && k < 2; k++) {
                for (uint32_t i = 0; i < PLAIN_LEN; i++)
                        flip->plain[k][i] = (uint8_t)stage_random(stage);
                r = seal(&flip->raw, flip->slot, flip->plain[k], PLAIN_LEN, flip->sealed[k], &flip->len);
        }
        if (r == 0 && pthread_create(&thread, NULL, flip_main, flip) != 0)
                r = failed("cannot start a thread");
        else if (r == 0) {
                r = use(stage, flip);
                atomic_store(&flip->stop, true);
                (void)pthread_join(thread, NULL);
                if (r == 0 && !stage->brief &&
                    (stage->tally.n_verdicts[0] == 0 || stage->tally.n_frames == stage->tally.n_verdicts[0]))
                        r = failed("the race was never won, or never lost: it proves nothing");
        }
        raw_close(&flip->raw);
        free(flip);
        return r;
}

static int flip_payload(Stage *stage) {
        return with_flips(stage, decrypt_flipping);
}

static int flip_transcrypted(Stage *stage) {
        return with_flips(stage, transcrypt_flipping);
}

/* An authentic frame to be sealed as anything: the daemon looks at what a participant wrote by the rules that a bridge
 * names. */
static int transcrypt_nonsense(Stage *stage) {
        uint8_t plain[1000], sealed[1300];
        uint32_t to[4] = { 0, 0, UINT32_MAX, 7 };
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        if (r == 0 && framekey_session_add_stream(raw.session, raw.path, "alice", FRAMEKEY_ENCRYPT,
                                                  FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_UNKNOWN, NULL, &to[0]) < 0)
                r = failed("cannot add a stream");
        to[1] = to[0];
        for (unsigned round = 0; r == 0 && (round < 100 || stage_goes_on(stage)); round++) {
                uint32_t len = 1 + stage_random(stage) % sizeof(plain), sealed_len = 0;
                volatile struct framekey_abi_descriptor *d;
                struct framekey_abi_completion c;

                for (uint32_t i = 0; i < len; i++) /* start codes, mostly */
                        plain[i] = (uint8_t)(stage_random(stage) % (i % 4 == 3 ? 256 : 2));
                r = seal(&raw, 0, plain, len, sealed, &sealed_len);
                memcpy(raw_in(&raw, 0), sealed, sealed_len);
                d = push_transcrypt(&raw, 0, sealed_len, to[stage_random(stage) % 4]);
                d->to_codec = (uint8_t)(round % 4 ? FRAMEKEY_CODEC_VP8 + stage_random(stage) % 5 : stage_random(stage));
                d->to_frame_type = (uint8_t)(stage_random(stage) % (round % 2 ? 4 : 256));
                raw_submit(&raw);
                if (r < 0 || raw_wait_pop(&raw, &c) < 0 || stage_check(stage, &raw, &c) < 0)
                        r = -1;
                else if (c.verdict == 0 && (c.frame_len < len || c.clear_len > c.frame_len))
                        r = failed("%u bytes became %u, %u of them clear", len, c.frame_len, c.clear_len);
        }
        if (r == 0 && !stage->brief &&
            (stage->tally.n_verdicts[0] == 0 || stage->tally.n_frames == stage->tally.n_verdicts[0]))
                r = failed("everything was sealed, or nothing: it proves nothing");
        raw_close(&raw);
        return r;
}

/* A slot's output is the same as before, and nothing was delivered. */
static int expect_refused(Stage *stage, RawChannel *raw, const uint8_t *sealed, uint32_t len) {
        uint8_t before[FRAMEKEY_ABI_SLOT_SMALL];
        struct framekey_abi_completion c;

        memcpy(before, raw_out(raw, 1), sizeof(before));
        if (raw_call(raw, raw->decrypt, 1, sealed, len, &c) < 0 || stage_check(stage, raw, &c) < 0)
                return -1;
        if (c.verdict == 0 || c.frame_len != 0 || (len > 0 && framekey_verdict_delivers(c.verdict)))
                return failed("%u bytes of a longer frame: verdict %d, %u bytes delivered", len, c.verdict,
                              c.frame_len);
        if (memcmp(before, raw_out(raw, 1), sizeof(before)) != 0)
                return failed("a refused frame of %u bytes changed the output slot", len);
        return 0;
}

static int truncate_frames(Stage *stage) {
        static const uint32_t lengths[] = { 0, 1, 15, 16, 80, 333 };
        uint8_t plain[333], sealed[700];
        RawChannel raw;
        int r = raw_open(&raw, stage->session);

        for (unsigned round = 0; r == 0 && (round < 6 || stage_goes_on(stage)); round++) {
                uint32_t plain_len = lengths[round % 6], len = 0;
                struct framekey_abi_completion c;

                for (uint32_t i = 0; i < plain_len; i++)
                        plain[i] = (uint8_t)stage_random(stage);
                if (plain_len == 0) /* is returned empty, with no key: nothing to cut */
                        continue;
                r = seal(&raw, 0, plain, plain_len, sealed, &len);
                for (uint32_t cut = 0; r == 0 && cut < len; cut++)
                        r = expect_refused(stage, &raw, sealed, cut);
                for (uint32_t more = len + 1; r == 0 && more < len + 20; more++)
                        r = expect_refused(stage, &raw, sealed, more);
                if (r < 0 || raw_call(&raw, raw.decrypt, 1, sealed, len, &c) < 0)
                        r = -1;
                else if (c.verdict != 0 || c.frame_len != plain_len || memcmp(raw_out(&raw, 1), plain, plain_len) != 0)
                        r = failed("the whole frame did not come back: verdict %d", c.verdict);
        }
        raw_close(&raw);
        return r;
}

typedef struct Punch {
        RawChannel raw;
        atomic_bool stop;
        bool refused;
} Punch;

static void *punch_main(void *userdata) {
        Punch *punch = userdata;
        off_t from = FRAMEKEY_ABI_HEADER_SIZE, size = (off_t)punch->raw.layout.request_size;

        while (!atomic_load(&punch->stop))
                if (fallocate(punch->raw.fds[RAW_REQUEST], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
                              size - from) < 0)
                        punch->refused = true;
        return NULL;
}

/* Holes in slots and descriptors while frames pass; at the end in the indices, which then lie. */
static int punch_holes(Stage *stage) {
        Punch punch = { 0 };
        RawChannel *raw = &punch.raw;
        pthread_t thread;
        int r = raw_open(raw, stage->session);

        if (r == 0 && pthread_create(&thread, NULL, punch_main, &punch) != 0)
                r = failed("cannot start a thread");
        else if (r == 0) {
                while (r == 0 && (raw->submitted == 0 || stage_goes_on(stage))) { /* else no index can lie */
                        struct framekey_abi_completion c;
                        uint32_t slot = stage_random(stage) % raw_n_slots(raw);

                        raw_push(raw, slot % 2 ? raw->encrypt : raw->decrypt, slot, raw_slot_size(raw, slot) / 2);
                        raw_submit(raw);
                        if (raw_wait_pop(raw, &c) < 0 || stage_check(stage, raw, &c) < 0)
                                r = -1;
                }
                atomic_store(&punch.stop, true);
                (void)pthread_join(thread, NULL);
        }
        if (r == 0 && punch.refused)
                r = failed("no holes can be punched: this proves nothing");
        if (r == 0) {
                (void)fallocate(raw->fds[RAW_REQUEST], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                FRAMEKEY_ABI_HEADER_SIZE);
                raw_ring(raw);
                r = raw_wait_state(raw, FRAMEKEY_ABI_PROTOCOL);
        }
        raw_close(raw);
        return r;
}

const Attack attacks_on_payloads[] = {
        { "flipped-payload", flip_payload },
        { "flipped-transcrypt", flip_transcrypted },
        { "transcrypted-nonsense", transcrypt_nonsense },
        { "truncated-frames", truncate_frames },
        { "punched-holes", punch_holes },
        { NULL, NULL },
};
