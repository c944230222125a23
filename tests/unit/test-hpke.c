/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HPKE against RFC 9180, A.1.1, with all that lies between input and output; its X25519 against RFC
 * 7748; what is refused; and that nothing secret is left outside the arena.
 */
#include "crypto/hpke.c" /* NOLINT(bugprone-suspicious-include) */

#include "outside-arena.h"

static void setup(void) {
        Arena *arena = NULL;

        if (arena_installed()) /* without fork, from the case before */
                return;
        ck_assert_int_eq(arena_new(&arena, 256 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

static size_t unhex(const char *hex, uint8_t *bytes, size_t size) {
        size_t len = strlen(hex) / 2;

        ck_assert_uint_le(len, size);
        for (size_t i = 0; i < len; i++) {
                const char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };

                bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
        return len;
}

static void check_hex(const void *got, size_t len, const char *hex) {
        uint8_t expected[256];

        ck_assert_uint_eq(unhex(hex, expected, sizeof(expected)), len);
        ck_assert_mem_eq(got, expected, len);
}

/* RFC 9180, A.1.1. */
#define IKM_E      "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234"
#define IKM_R      "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"
#define INFO       "Ode on a Grecian Urn"
#define AAD        "Count-0"
#define PLAIN      "Beauty is truth, truth beauty"
#define PLAIN_LEN  29u
#define SEALED_LEN (PLAIN_LEN + HPKE_TAG_LEN)
#define SEALED     "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"

static HpkePair *pair_of(const char *ikm) {
        HpkePair *pair;
        uint8_t bytes[32];

        ck_assert_uint_eq(unhex(ikm, bytes, sizeof(bytes)), sizeof(bytes));
        ck_assert_int_eq(hpke_pair_derive(&pair, bytes, sizeof(bytes)), 0);
        return pair;
}

static HpkePair *pair_random(void) {
        HpkePair *pair;

        ck_assert_int_eq(hpke_pair_new(&pair), 0);
        return pair;
}

static HpkeMessage message_of(const void *text, size_t len) {
        return (HpkeMessage){ INFO, strlen(INFO), AAD, strlen(AAD), text, len };
}

/* The vector's message, sealed. */
typedef struct Sealed {
        uint8_t enc[HPKE_KEY_LEN];
        uint8_t text[SEALED_LEN];
} Sealed;

static Sealed sealed_of(const HpkePair *recipient, const HpkePair *ephemeral) {
        const HpkeMessage message = message_of(PLAIN, PLAIN_LEN);
        Sealed sealed;

        ck_assert_int_eq(hpke_seal(hpke_pair_public(recipient), ephemeral, &message, sealed.enc, sealed.text), 0);
        return sealed;
}

/* The outcome; `len` bytes of text. Whatever is not opened leaves the output alone. */
static int outcome_of(const HpkePair *pair, const uint8_t *enc, const void *text, size_t len) {
        const HpkeMessage message = message_of(text, len);
        uint8_t out[SEALED_LEN], untouched[SEALED_LEN];
        int r;

        memset(out, 0x5a, sizeof(out));
        memset(untouched, 0x5a, sizeof(untouched));
        r = hpke_open(pair, enc, &message, out);
        if (r == 0)
                ck_assert_mem_eq(out, PLAIN, PLAIN_LEN);
        else
                ck_assert_mem_eq(out, untouched, sizeof(out));
        return r;
}

START_TEST(pairs_are_derived_as_rfc_9180_says) {
        _cleanup_(hpke_pair_free_p) HpkePair *e = pair_of(IKM_E), *r = pair_of(IKM_R);

        check_hex(e->private, 32, "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736");
        check_hex(hpke_pair_public(e), 32, "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
        check_hex(r->private, 32, "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
        check_hex(hpke_pair_public(r), 32, "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        ck_assert(arena_owns(arena_installed(), e));
}
END_TEST

START_TEST(both_sides_meet_the_vector_at_every_stage) {
        _cleanup_(hpke_pair_free_p) HpkePair *e = pair_of(IKM_E), *r = pair_of(IKM_R);
        const HpkeMessage message = message_of(PLAIN, PLAIN_LEN);

        for (int side = 0; side < 2; side++) {
                _cleanup_block_ Work *work = arena_alloc(arena_installed(), sizeof(*work));

                ck_assert_int_eq(agree(work, side ? r : e, side ? e->public : r->public, e->public, r->public), 0);
                check_hex(work->shared_secret, 32, "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc");
                ck_assert_int_eq(schedule(work, &message), 0);
                check_hex(work->schedule_context, 65,
                          "00725611c9d98c07c03f60095cd32d400d8347d45ed67097bbad50fc56da742d07"
                          "cb6cffde367bb0565ba28bb02c90744a20f5ef37f30523526106f637abb05449");
                check_hex(work->prk, 32, "12fff91991e93b48de37e7daddb52981084bd8aa64289c3788471d9a9712f397");
                check_hex(work->key, 16, "4531685d41d65f03dc48f6b8302c05b0");
                check_hex(work->nonce, 12, "56d890e5accaaf011cff4b7d");
        }
}
END_TEST

START_TEST(sealed_and_opened_as_in_rfc_9180) {
        _cleanup_(hpke_pair_free_p) HpkePair *e = pair_of(IKM_E), *r = pair_of(IKM_R);
        Sealed sealed = sealed_of(r, e);

        check_hex(sealed.enc, 32, "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
        check_hex(sealed.text, sizeof(sealed.text), SEALED);
        ck_assert_int_eq(outcome_of(r, sealed.enc, sealed.text, sizeof(sealed.text)), 0);
}
END_TEST

START_TEST(every_seal_has_a_key_of_its_own) {
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_random(), *other = pair_random();
        Sealed a = sealed_of(r, NULL), b = sealed_of(r, NULL);

        ck_assert_mem_ne(r->private, other->private, HPKE_KEY_LEN);
        ck_assert_mem_ne(a.enc, b.enc, sizeof(a.enc));
        ck_assert_mem_ne(a.text, b.text, sizeof(a.text));
        ck_assert_int_eq(outcome_of(r, a.enc, a.text, sizeof(a.text)), 0);
        ck_assert_int_eq(outcome_of(r, b.enc, b.text, sizeof(b.text)), 0);
        ck_assert_int_eq(outcome_of(other, a.enc, a.text, sizeof(a.text)), HPKE_FORGED);
        ck_assert_int_eq(outcome_of(r, b.enc, a.text, sizeof(a.text)), HPKE_FORGED);
}
END_TEST

START_TEST(every_flipped_bit_is_forged) {
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_of(IKM_R), *e = pair_of(IKM_E);
        Sealed sealed = sealed_of(r, e);
        uint8_t *bytes = (uint8_t *)&sealed;

        for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
                bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
                ck_assert_int_eq(outcome_of(r, sealed.enc, sealed.text, sizeof(sealed.text)), HPKE_FORGED);
                bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        ck_assert_int_eq(outcome_of(r, sealed.enc, sealed.text, sizeof(sealed.text)), 0);
}
END_TEST

START_TEST(every_other_length_is_forged) {
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_random();
        Sealed sealed = sealed_of(r, NULL);
        uint8_t longer[SEALED_LEN + 1] = { 0 };

        for (size_t len = 0; len < sizeof(sealed.text); len++)
                ck_assert_int_eq(outcome_of(r, sealed.enc, sealed.text, len), HPKE_FORGED);
        memcpy(longer, sealed.text, sizeof(sealed.text));
        ck_assert_int_eq(outcome_of(r, sealed.enc, longer, sizeof(longer)), HPKE_FORGED);
}
END_TEST

START_TEST(other_info_and_aad_are_forged) {
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_random();
        Sealed sealed = sealed_of(r, NULL);
        const HpkeMessage good = message_of(sealed.text, sizeof(sealed.text));
        char info[] = INFO, aad[] = AAD;
        uint8_t out[PLAIN_LEN];
        HpkeMessage bad;

        for (size_t i = 0; i < good.info_len; i++) {
                bad = good;
                bad.info_len = i;
                ck_assert_int_eq(hpke_open(r, sealed.enc, &bad, out), HPKE_FORGED);
                bad = good;
                bad.info = info;
                info[i] ^= 1;
                ck_assert_int_eq(hpke_open(r, sealed.enc, &bad, out), HPKE_FORGED);
                info[i] ^= 1;
        }
        for (size_t i = 0; i < good.aad_len; i++) {
                bad = good;
                bad.aad_len = i;
                ck_assert_int_eq(hpke_open(r, sealed.enc, &bad, out), HPKE_FORGED);
                bad = good;
                bad.aad = aad;
                aad[i] ^= 1;
                ck_assert_int_eq(hpke_open(r, sealed.enc, &bad, out), HPKE_FORGED);
                aad[i] ^= 1;
        }
        bad = (HpkeMessage){ AAD, strlen(AAD), INFO, strlen(INFO), good.text, good.text_len };
        ck_assert_int_eq(hpke_open(r, sealed.enc, &bad, out), HPKE_FORGED);
        ck_assert_int_eq(hpke_open(r, sealed.enc, &good, out), 0);
}
END_TEST

START_TEST(nothing_and_much_can_be_sealed) {
        static const size_t lens[] = { 0, 1, 4096, 60000 };
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_random();
        _cleanup_free_ uint8_t *in = calloc(1, 60000), *sealed = malloc(60000 + HPKE_TAG_LEN), *out = malloc(60000);

        for (size_t i = 0; i < ELEMENTS(lens); i++)
                for (size_t k = 0; k < ELEMENTS(lens); k++) {
                        HpkeMessage message = { in, lens[k], NULL, 0, in, lens[i] };
                        uint8_t enc[HPKE_KEY_LEN];

                        in[0] = (uint8_t)(16 * i + k);
                        ck_assert_int_eq(hpke_seal(r->public, NULL, &message, enc, sealed), 0);
                        message.text = sealed;
                        message.text_len += HPKE_TAG_LEN;
                        ck_assert_int_eq(hpke_open(r, enc, &message, out), 0);
                        ck_assert_int_eq(memcmp(in, out, lens[i]), 0);
                }
}
END_TEST

/* RFC 7748, 5.2. */
START_TEST(x25519_meets_rfc_7748) {
        static const struct {
                const char *scalar, *point, *product;
        } vectors[] = {
                { "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                  "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                  "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
                { "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                  "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                  "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
        };
        uint8_t scalar[32], point[32], product[32];

        for (size_t i = 0; i < ELEMENTS(vectors); i++) {
                unhex(vectors[i].scalar, scalar, sizeof(scalar));
                unhex(vectors[i].point, point, sizeof(point));
                ck_assert_int_eq(x25519(product, scalar, point), 0);
                check_hex(product, sizeof(product), vectors[i].product);
        }
}
END_TEST

START_TEST(x25519_a_thousand_times) {
        uint8_t k[32] = { 9 }, u[32] = { 9 }, product[32];

        for (int i = 0; i < 1000; i++) {
                ck_assert_int_eq(x25519(product, k, u), 0);
                memcpy(u, k, sizeof(u));
                memcpy(k, product, sizeof(k));
                if (i == 0)
                        check_hex(k, 32, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
        }
        check_hex(k, 32, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}
END_TEST

/* RFC 7748, 6.1. */
START_TEST(x25519_both_agree) {
        static const uint8_t nine[32] = { 9 };
        uint8_t a[32], b[32], pub_a[32], pub_b[32], product[32], nine_given[32];

        unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a, sizeof(a));
        unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b, sizeof(b));
        ck_assert_int_eq(x25519(pub_a, a, NULL), 0);
        ck_assert_int_eq(x25519(pub_b, b, NULL), 0);
        ck_assert_int_eq(x25519(nine_given, a, nine), 0);
        check_hex(pub_a, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        check_hex(pub_b, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        ck_assert_mem_eq(pub_a, nine_given, sizeof(pub_a));
        ck_assert_int_eq(x25519(product, a, pub_b), 0);
        check_hex(product, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        ck_assert_int_eq(x25519(product, b, pub_a), 0);
        check_hex(product, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}
END_TEST

/* All encodings of the points whose product with a clamped scalar is zero: of order 1, 2, 4 and 8 on the curve and
 * its twist; p-1, p, p+1 stand for -1, 0 and 1. The top bit does not count (RFC 7748, 5). */
START_TEST(points_of_small_order_are_bad_keys) {
        static const char *const points[] = {
                "0000000000000000000000000000000000000000000000000000000000000000",
                "0100000000000000000000000000000000000000000000000000000000000000",
                "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        };
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_random();
        const HpkeMessage message = message_of(PLAIN, PLAIN_LEN);

        for (size_t i = 0; i < 2 * ELEMENTS(points); i++) {
                Sealed sealed = { .text = { 0 } };
                uint8_t point[HPKE_KEY_LEN];

                unhex(points[i / 2], point, sizeof(point));
                point[31] |= i % 2 ? 0x80 : 0;
                ck_assert_int_eq(hpke_seal(point, NULL, &message, sealed.enc, sealed.text), HPKE_BAD_KEY);
                ck_assert_int_eq(outcome_of(r, point, sealed.text, sizeof(sealed.text)), HPKE_BAD_KEY);
        }
}
END_TEST

/* Numbers from p on stand for themselves less p (RFC 7748, 5). */
START_TEST(points_beyond_the_prime_are_reduced) {
        _cleanup_(hpke_pair_free_p) HpkePair *pair = pair_random();
        uint8_t point[32], product[32];

        for (unsigned bit = 0; bit <= 0x80; bit += 0x80) {
                memset(point, 0xff, sizeof(point));
                point[0] = 0xed + 9;
                point[31] = (uint8_t)(0x7f | bit);
                ck_assert_int_eq(x25519(product, pair->private, point), 0);
                ck_assert_mem_eq(product, pair->public, sizeof(product));
        }
}
END_TEST

START_TEST(nothing_stays_in_the_arena) {
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_random();
        size_t before = arena_in_use(arena_installed());
        Sealed sealed = sealed_of(r, NULL);

        ck_assert_int_eq(outcome_of(r, sealed.enc, sealed.text, sizeof(sealed.text)), 0);
        sealed.text[0] ^= 1;
        ck_assert_int_eq(outcome_of(r, sealed.enc, sealed.text, sizeof(sealed.text)), HPKE_FORGED);
        ck_assert_uint_eq(arena_in_use(arena_installed()), before);
}
END_TEST

enum { TEXT_LEN = 64 };

/* A message between two, and all secrets that come up on its way, in the arena. */
typedef struct Secrets {
        Work work;
        uint8_t text[TEXT_LEN], out[TEXT_LEN], product[HPKE_KEY_LEN];
        HpkePair *e, *r;
        HpkeMessage message, back;
        uint8_t enc[HPKE_KEY_LEN], sealed[TEXT_LEN + HPKE_TAG_LEN];
} Secrets;

static void secrets_make(Secrets *secrets, Outside *outside) {
        Work *work = &secrets->work;
        Secret *text;

        secrets->e = pair_random();
        secrets->r = pair_random();
        ck_assert_int_eq(secret_new_random(&text, TEXT_LEN), 0);
        memcpy(secrets->text, text->bytes, TEXT_LEN);
        secret_free(text);
        secrets->message = message_of(secrets->text, TEXT_LEN);
        secrets->back = message_of(secrets->sealed, sizeof(secrets->sealed));

        ck_assert_int_eq(agree(work, secrets->e, secrets->r->public, secrets->e->public, secrets->r->public), 0);
        outside_add(outside, work->prk, sizeof(work->prk)); /* eae_prk */
        ck_assert_int_eq(schedule(work, &secrets->message), 0);
        outside_add(outside, work->dh, sizeof(work->dh));
        outside_add(outside, work->shared_secret, sizeof(work->shared_secret));
        outside_add(outside, work->prk, sizeof(work->prk));
        outside_add(outside, work->key, sizeof(work->key));
        outside_add(outside, work->nonce, sizeof(work->nonce));
        outside_add(outside, secrets->text, TEXT_LEN);
        outside_add(outside, secrets->e->private, HPKE_KEY_LEN);
        outside_add(outside, secrets->r->private, HPKE_KEY_LEN);
        wipe_registers();
}

static void multiply(void *userdata) {
        Secrets *secrets = userdata;

        ck_assert_int_eq(x25519(secrets->product, secrets->r->private, secrets->e->public), 0);
        ck_assert_mem_eq(secrets->product, secrets->work.dh, HPKE_KEY_LEN);
}

static void seal(void *userdata) {
        Secrets *secrets = userdata;

        ck_assert_int_eq(hpke_seal(secrets->r->public, secrets->e, &secrets->message, secrets->enc, secrets->sealed),
                         0);
}

static void open_good(void *userdata) {
        Secrets *secrets = userdata;

        ck_assert_int_eq(hpke_open(secrets->r, secrets->enc, &secrets->back, secrets->out), 0);
        ck_assert_mem_eq(secrets->out, secrets->text, TEXT_LEN);
}

static void open_forged(void *userdata) {
        Secrets *secrets = userdata;

        secrets->sealed[TEXT_LEN] ^= 1;
        ck_assert_int_eq(hpke_open(secrets->r, secrets->enc, &secrets->back, secrets->out), HPKE_FORGED);
        secrets->sealed[TEXT_LEN] ^= 1;
}

START_TEST(no_secret_is_left_outside_the_arena) {
        static void (*const acts[])(void *) = { multiply, seal, open_good, open_forged };
        Secrets *secrets = arena_alloc(arena_installed(), sizeof(*secrets));
        Outside *outside = outside_new();

        secrets_make(secrets, outside);
        outside_expect_none(outside);
        for (size_t i = 0; i < ELEMENTS(acts); i++) {
                outside_act(acts[i], secrets);
                outside_expect_none(outside);
        }
        hpke_pair_free(secrets->e);
        hpke_pair_free(secrets->r);
        arena_release(arena_installed(), secrets);
        outside_free(outside);
}
END_TEST

enum { STACK_SIZE = 512 * 1024, PAINT = 0xa5 };

/* Over what made the thread. */
static __attribute__((noinline)) void paint(void) {
        volatile uint8_t below[STACK_SIZE / 4 * 3];

        for (size_t i = 0; i < sizeof(below); i++)
                below[i] = PAINT;
}

/* No assertions here, which would use the stack themselves. */
static void *multiply_in_thread(void *userdata) {
        Secrets *secrets = userdata;

        paint();
        return x25519(secrets->product, secrets->r->private, secrets->e->public) == 0 ? secrets : NULL;
}

/* Not the product, but numbers of which it can be computed are on libgcrypt's stack. The thread's own stack shows how
 * far down it went: below what is wiped, all has to be paint still. */
START_TEST(the_stack_is_wiped_as_deep_as_it_was_used) {
        enum { WIPER = 256, FRAMES = 4096 }; /* what the wipe itself calls, and what is called after it */
        static const uint8_t zeros[STACK_LEN - FRAMES];
        Secrets *secrets = arena_alloc(arena_installed(), sizeof(*secrets));
        uint8_t *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        Outside *outside = outside_new();
        pthread_attr_t attributes;
        pthread_t thread;
        const uint8_t *middle = stack + STACK_SIZE / 2, *wiped;
        void *joined;

        ck_assert_ptr_ne(stack, MAP_FAILED);
        wipe(stack, STACK_SIZE); /* the first call is bound at the depth of the wipe */
        memset(stack, PAINT, STACK_SIZE);
        secrets_make(secrets, outside);
        ck_assert_int_eq(pthread_attr_init(&attributes), 0);
        ck_assert_int_eq(pthread_attr_setstack(&attributes, stack, STACK_SIZE), 0);
        ck_assert_int_eq(pthread_create(&thread, &attributes, multiply_in_thread, secrets), 0);
        ck_assert_int_eq(pthread_join(thread, &joined), 0);
        ck_assert_ptr_eq(joined, secrets);

        wiped = memmem(middle, STACK_SIZE / 2, zeros, sizeof(zeros));
        ck_assert_ptr_nonnull(wiped);
        for (const uint8_t *at = middle; at < wiped - WIPER; at++)
                ck_assert_uint_eq(*at, PAINT);
        outside_free(outside);
}
END_TEST

/* libgcrypt ends the process where a big integer finds no memory. From no room to plenty: an error of ours, or right.
 */
START_TEST(scarce_memory_is_an_error) {
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_of(IKM_R), *e = pair_of(IKM_E);
        const HpkeMessage message = message_of(PLAIN, PLAIN_LEN);
        Sealed expected = sealed_of(r, e);
        Arena *arena = arena_installed();
        static void *blocks[4096];
        size_t n = 0, refused = 0;

        while (n < ELEMENTS(blocks) && (blocks[n] = arena_alloc(arena, 64)) != NULL)
                n++;
        ck_assert_uint_lt(n, ELEMENTS(blocks));
        while (n > 0) {
                HpkePair *pair = NULL;
                Sealed sealed;
                int k;

                k = hpke_seal(r->public, e, &message, sealed.enc, sealed.text);
                ck_assert(k == -ENOMEM || (k == 0 && memcmp(&sealed, &expected, sizeof(sealed)) == 0));
                refused += k != 0;
                k = outcome_of(r, expected.enc, expected.text, sizeof(expected.text));
                ck_assert(k == -ENOMEM || k == 0);
                refused += k != 0;
                k = hpke_pair_new(&pair);
                ck_assert(k == -ENOMEM || k == 0);
                hpke_pair_free(pair);
                ck_assert_uint_ge(arena_in_use(arena), n * 64);
                for (size_t i = MIN_OF(n, 8); i > 0; i--)
                        arena_release(arena, blocks[--n]);
        }
        ck_assert_uint_gt(refused, 16);
        ck_assert_int_eq(outcome_of(r, expected.enc, expected.text, sizeof(expected.text)), 0);
}
END_TEST

static void *seal_and_open(void *userdata) {
        const HpkePair *r = userdata;

        for (int i = 0; i < 50; i++) {
                const HpkeMessage message = message_of(PLAIN, PLAIN_LEN);
                Sealed sealed;
                HpkeMessage back = message_of(sealed.text, sizeof(sealed.text));
                uint8_t out[PLAIN_LEN];

                if (hpke_seal(r->public, NULL, &message, sealed.enc, sealed.text) != 0 ||
                    hpke_open(r, sealed.enc, &back, out) != 0 || memcmp(out, PLAIN, PLAIN_LEN) != 0)
                        return userdata;
        }
        return NULL;
}

START_TEST(threads_do_not_disturb_each_other) {
        _cleanup_(hpke_pair_free_p) HpkePair *r = pair_random();
        pthread_t threads[4];

        for (size_t i = 0; i < ELEMENTS(threads); i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, seal_and_open, r), 0);
        for (size_t i = 0; i < ELEMENTS(threads); i++) {
                void *failed;

                ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
                ck_assert_ptr_null(failed);
        }
}
END_TEST

int main(void) {
        Suite *suite = suite_create("hpke");
        TCase *tcase = tcase_create("hpke");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tcase, 120);
        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_test(tcase, pairs_are_derived_as_rfc_9180_says);
        tcase_add_test(tcase, both_sides_meet_the_vector_at_every_stage);
        tcase_add_test(tcase, sealed_and_opened_as_in_rfc_9180);
        tcase_add_test(tcase, every_seal_has_a_key_of_its_own);
        tcase_add_test(tcase, every_flipped_bit_is_forged);
        tcase_add_test(tcase, every_other_length_is_forged);
        tcase_add_test(tcase, other_info_and_aad_are_forged);
        tcase_add_test(tcase, nothing_and_much_can_be_sealed);
        tcase_add_test(tcase, x25519_meets_rfc_7748);
        tcase_add_test(tcase, x25519_a_thousand_times);
        tcase_add_test(tcase, x25519_both_agree);
        tcase_add_test(tcase, points_of_small_order_are_bad_keys);
        tcase_add_test(tcase, points_beyond_the_prime_are_reduced);
        tcase_add_test(tcase, nothing_stays_in_the_arena);
        tcase_add_test(tcase, no_secret_is_left_outside_the_arena);
        if (PLAIN_MEMORY)
                tcase_add_test(tcase, the_stack_is_wiped_as_deep_as_it_was_used);
        tcase_add_test(tcase, scarce_memory_is_an_error);
        tcase_add_test(tcase, threads_do_not_disturb_each_other);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
