/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether the time of a comparison tells where the first difference is: Welch's t over two classes of inputs, one that
 * differs in its first byte and one in its last, taken in random order on one thread (the method of dudect). A
 * comparison that stops early is measured beside them: where the clock does not show even that, nothing is said (77).
 */
#include "crypto/aead.h"
#include "crypto/secret.h"
#include "crypto/suite.h"
#include "util/entropy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES   200000u
#define BULK      4096u
#define FRAME_LEN 160u
/* dudect's: beyond 10 there is a leak for certain. Three rounds, since a busy machine can look like one. */
#define T_MAX  10.0
#define ROUNDS 3u
/* The slowest tenth is the scheduler's doing. */
#define KEPT 180000u

typedef struct Stage {
        Aead *aead;
        SuiteCipher *cipher;
        uint8_t left[BULK], right[2][BULK]; /* equal, but for the first or the last byte */
        uint8_t iv[16], text[FRAME_LEN], out[FRAME_LEN];
        uint8_t tag[2][16]; /* both wrong, in the first or in the last byte */
        uint8_t mac[2][10];
} Stage;

typedef int (*Measured)(Stage *stage, unsigned class);

static int stops_early(Stage *stage, unsigned class) {
        const volatile uint8_t *left = stage->left, *right = stage->right[class];

        for (size_t i = 0; i < BULK; i++)
                if (left[i] != right[i])
                        return 1;
        return 0;
}

static int bytes_equal(Stage *stage, unsigned class) {
        return !secret_bytes_equal(stage->left, stage->right[class], BULK);
}

static int open_gcm(Stage *stage, unsigned class) {
        return aead_open(stage->aead, stage->iv, NULL, 0, stage->text, FRAME_LEN, stage->out, stage->tag[class]);
}

static int open_hmac(Stage *stage, unsigned class) {
        SuiteText text = { .in = stage->text, .out = stage->out, .len = FRAME_LEN };
        const SuiteFrame frame = { .nonce = stage->iv, .text = &text, .n_text = 1 };

        return suite_open(stage->cipher, &frame, stage->mac[class]);
}

static void must(bool truth, const char *what) {
        if (truth)
                return;
        (void)fprintf(stderr, "tag-timing: %s\n", what);
        exit(1);
}

static void stage_open(Stage *stage) {
        const SuiteInfo *suite = suite_find_by_name("AES_128_CTR_HMAC_SHA256_80");
        SuiteText text = { .in = stage->out, .out = stage->text, .len = FRAME_LEN };
        uint8_t key[64] = { 1 }, tag[16];
        Arena *arena;

        must(arena_new(&arena, ARENA_SIZE_MIN, ARENA_PROTECTION_SECRETMEM) == 0 && arena_install(arena) == 0,
             "there is no arena");
        must(aead_new(&stage->aead, key, 16) == 0 && suite && suite_cipher_new(&stage->cipher, suite, key) == 0,
             "there is no cipher");
        for (unsigned class = 0; class < 2; class ++)
                stage->right[class][class == 0 ? 0 : BULK - 1] = 1;

        must(suite_seal(stage->cipher, &(const SuiteFrame){ .nonce = stage->iv, .text = &text, .n_text = 1 }, tag) == 0,
             "nothing is sealed");
        for (unsigned class = 0; class < 2; class ++) {
                memcpy(stage->mac[class], tag, sizeof(stage->mac[class]));
                stage->mac[class][class == 0 ? 0 : sizeof(stage->mac[class]) - 1] ^= 1;
        }
        must(aead_seal(stage->aead, stage->iv, NULL, 0, stage->out, FRAME_LEN, stage->text, tag) == 0,
             "nothing is sealed");
        for (unsigned class = 0; class < 2; class ++) {
                memcpy(stage->tag[class], tag, sizeof(tag));
                stage->tag[class][class == 0 ? 0 : sizeof(tag) - 1] ^= 1;
        }
}

static double now_nsec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
        return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void mean_and_variance(double *values, double *ret_mean, double *ret_variance) {
        double sum = 0, squares = 0;

        qsort(values, SAMPLES, sizeof(*values), by_value);
        for (size_t i = 0; i < KEPT; i++)
                sum += values[i];
        *ret_mean = sum / KEPT;
        for (size_t i = 0; i < KEPT; i++)
                squares += (values[i] - *ret_mean) * (values[i] - *ret_mean);
        *ret_variance = squares / (KEPT - 1);
}

static double t_of(Stage *stage, Measured measured) {
        double *values[2] = { calloc(SAMPLES, sizeof(double)), calloc(SAMPLES, sizeof(double)) };
        double mean[2], variance[2], t;
        size_t n[2] = { 0 };

        must(values[0] && values[1], "there is no memory");
        while (n[0] < SAMPLES || n[1] < SAMPLES) {
                uint8_t order[256];

                entropy_fill(order, sizeof(order));
                for (size_t i = 0; i < sizeof(order); i++) {
                        unsigned class = order[i] & 1;
                        double begin = now_nsec();
                        int r = measured(stage, class);
                        double end = now_nsec();

                        must(r > 0, "what differs was taken for equal");
                        if (n[class] < SAMPLES)
                                values[class][n[class]++] = end - begin;
                }
        }
        for (unsigned class = 0; class < 2; class ++) {
                mean_and_variance(values[class], &mean[class], &variance[class]);
                free(values[class]);
        }
        t = fabs(mean[0] - mean[1]) / sqrt((variance[0] + variance[1]) / KEPT);
        return isnan(t) ? 0 : t; /* a clock too coarse to show any variance */
}

/* The lowest of some rounds: what leaks does so in each of them. */
static bool leaks(Stage *stage, const char *name, Measured measured) {
        double t = INFINITY;

        for (unsigned i = 0; i < ROUNDS && t > T_MAX; i++)
                t = fmin(t, t_of(stage, measured));
        (void)printf("%s: t = %.1f\n", name, t);
        return t > T_MAX;
}

int main(void) {
        static Stage stage;
        bool leak;

        stage_open(&stage);
        if (!leaks(&stage, "a comparison that stops early", stops_early)) {
                (void)fprintf(stderr, "this machine's clock does not show where a comparison stops\n");
                return 77;
        }
        leak = leaks(&stage, "secret_bytes_equal", bytes_equal);
        leak |= leaks(&stage, "AES-GCM tag", open_gcm);
        leak |= leaks(&stage, "HMAC tag", open_hmac);
        aead_free(stage.aead);
        suite_cipher_free(stage.cipher);
        return leak;
}
