/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: packages with wrapped keys. The input is taken as a package, and as the plain text of
 * one, which is just as hostile: anybody can seal for a transport key. What is read can be written
 * again and is the same, byte for byte.
 */
#include "keys/wrap.c" /* NOLINT(bugprone-suspicious-include) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const WrapContext context = { FRAMEKEY_FORMAT_LIVEKIT, "alice" };
static HpkePair *pair;

static void must(bool truth) {
        if (!truth)
                abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        static const uint8_t ikm[HPKE_KEY_LEN]; /* the packages in the corpus are for this one */
        Arena *arena;

        (void)argc;
        (void)argv;
        must(arena_new(&arena, (size_t)1024 * 1024, ARENA_PROTECTION_LOCKED) == 0 && arena_install(arena) == 0);
        must(hpke_pair_derive(&pair, ikm, sizeof(ikm)) == 0);
        return 0;
}

static void check_same(const WrappedKey *a, const WrappedKey *b) {
        uint8_t in_a[WRAP_MAX], in_b[WRAP_MAX];
        size_t len = public_len(&a->schedule);

        must(plain_len(&a->schedule) == plain_len(&b->schedule));
        plain_write(in_a, a);
        plain_write(in_b, b);
        must(memcmp(in_a, in_b, len) == 0);
        must(memcmp(a->secrets->bytes, b->secrets->bytes, schedule_step_size(&a->schedule)) == 0);
}

/* A key that was opened makes a package that opens. */
static void check_again(const WrappedKey *key) {
        uint8_t package[WRAP_MAX];
        WrappedKey again;
        size_t len;

        must(wrap_seal(hpke_pair_public(pair), &context, key, package, &len) == 0 && len <= sizeof(package));
        must(wrap_open(pair, &context, package, len, &again) == 0);
        check_same(key, &again);
        arena_release(arena_installed(), again.secrets);
}

static void try_plain(const uint8_t *plain, size_t len) {
        uint8_t written[WRAP_MAX], package[WRAP_MAX] = MAGIC;
        size_t next_len, in_use = arena_in_use(arena_installed());
        const uint8_t *next, *secrets;
        HpkeMessage message;
        WrappedKey key;
        Info info;

        if (!plain_read(plain, len, &key))
                return;
        must(len <= WRAP_MAX - OUTER_LEN && plain_len(&key.schedule) == len);
        plain_write(written, &key);
        must(memcmp(written, plain, public_len(&key.schedule)) == 0);

        must(info_of(&context, &info));
        message = (HpkeMessage){ info.bytes, info.len, MAGIC, MAGIC_LEN, plain, len };
        must(hpke_seal(hpke_pair_public(pair), NULL, &message, package + MAGIC_LEN,
                       package + MAGIC_LEN + HPKE_KEY_LEN) == 0);
        must(wrap_open(pair, &context, package, OUTER_LEN + len, &key) == 0);
        secrets = plain + public_len(&key.schedule);
        must(memcmp(key.secrets->bytes, secrets, header_key_len(&key.schedule)) == 0);
        if (key.schedule.kdf == SCHEDULE_SFRAME)
                must(memcmp(key.secrets->sframe.salt, secrets + schedule_key_len(&key.schedule), SUITE_NONCE_LEN) == 0);
        next = schedule_next(&key.schedule, key.secrets, &next_len);
        must(memcmp(next, plain + len - next_len, next_len) == 0);
        check_again(&key);
        arena_release(arena_installed(), key.secrets);
        must(arena_in_use(arena_installed()) == in_use);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t in_use = arena_in_use(arena_installed());
        WrappedKey key;
        int r;

        try_plain(data, size);
        r = wrap_open(pair, &context, data, size, &key);
        must(r == 0 || r == HPKE_FORGED || r == HPKE_BAD_KEY);
        if (r == 0) {
                check_again(&key);
                arena_release(arena_installed(), key.secrets);
        }
        must(arena_in_use(arena_installed()) == in_use);
        return 0;
}
