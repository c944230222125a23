/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers that a seed repeats exactly: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", 2014). Nothing here is secret.
 */
#pragma once

#include "util/util.h"

typedef struct Random {
        uint64_t state;
} Random;

static inline uint64_t random_next(Random *random) {
        uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* 0 .. n - 1. */
static inline uint64_t random_below(Random *random, uint64_t n) {
        return (uint64_t)((unsigned __int128)random_next(random) * n >> 64);
}

static inline uint64_t random_between(Random *random, uint64_t from, uint64_t to) {
        return from + random_below(random, to - from + 1);
}

static inline bool random_chance(Random *random, unsigned per_mille) {
        return random_below(random, 1000) < per_mille;
}

static inline void random_fill(Random *random, void *bytes, size_t len) {
        uint8_t *to = bytes;

        for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
                uint64_t word = random_next(random);

                memcpy(to + i, &word, MIN_OF(sizeof(word), len - i));
        }
}
