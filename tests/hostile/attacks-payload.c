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

static int flip_payload(Stage *stage) {
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
                r = decrypt_flipping(stage, flip);
                atomic_store(&flip->stop, true);
                (void)pthread_join(thread, NULL);
                if (r == 0 && (stage->tally.n_verdicts[0] == 0 || stage->tally.n_frames == stage->tally.n_verdicts[0]))
                        r = failed("the race was never won, or never lost: it proves nothing");
        }
        raw_close(&flip->raw);
        free(flip);
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
                while (r == 0 && stage_goes_on(stage)) {
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
        { "truncated-frames", truncate_frames },
        { "punched-holes", punch_holes },
        { NULL, NULL },
};
