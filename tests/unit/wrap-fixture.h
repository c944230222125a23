/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of wrapped keys share: an arena, key pairs, packages, and what becomes of one that is opened. */
#pragma once

#include "keys/wrap.h"

#include <check.h>

#define OUTER_LEN (4u + HPKE_KEY_LEN + HPKE_TAG_LEN)

static const WrapContext context = { FRAMEKEY_FORMAT_LIVEKIT, "alice" };

_unused_ static void arena_start(void) {
        Arena *arena;

        if (arena_installed()) /* without fork, from the case before */
                return;
        ck_assert_int_eq(arena_new(&arena, 256 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

_unused_ static HpkePair *pair_new(void) {
        HpkePair *pair;

        arena_start();
        ck_assert_int_eq(hpke_pair_new(&pair), 0);
        return pair;
}

_unused_ static void key_done(WrappedKey *key) {
        arena_release(arena_installed(), key->secrets);
        key->secrets = NULL;
}

typedef struct Package {
        uint8_t bytes[WRAP_MAX + 1];
        size_t len;
} Package;

_unused_ static Package package_of(const HpkePair *recipient, const WrapContext *for_context, const WrappedKey *key) {
        Package package = { .len = 0 };

        ck_assert_int_eq(wrap_seal(hpke_pair_public(recipient), for_context, key, package.bytes, &package.len), 0);
        ck_assert_uint_le(package.len, WRAP_MAX);
        return package;
}

/* What wrap_open() says; whatever it refuses leaves its result and the arena alone. */
_unused_ static int outcome_of(const HpkePair *pair, const WrapContext *in_context, const uint8_t *package,
                               size_t len) {
        WrappedKey key, untouched;
        size_t in_use = arena_in_use(arena_installed());
        int r;

        memset(&key, 0x5a, sizeof(key));
        memset(&untouched, 0x5a, sizeof(untouched));
        r = wrap_open(pair, in_context, package, len, &key);
        if (r == 0)
                key_done(&key);
        else
                ck_assert_mem_eq(&key, &untouched, sizeof(key));
        ck_assert_uint_eq(arena_in_use(arena_installed()), in_use);
        return r;
}
