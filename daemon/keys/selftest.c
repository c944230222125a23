/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Known answers, in the order in which one part builds on the other. */
#include "keys/selftest.h"

#include "crypto/aead.h"
#include "crypto/hpke.h"
#include "crypto/kdf.h"
#include "format/trailer.h"
#include "keys/preset.h"

/* PBKDF2-HMAC-SHA256, password "password", salt "salt", 2 iterations. */
static const uint8_t pbkdf2_answer[] = { 0xae, 0x4d, 0x0c, 0x95, 0xaf, 0x6b, 0x46, 0xd3, 0x2d, 0x0a, 0xdf,
                                         0xf9, 0x28, 0xf0, 0x6d, 0xd0, 0x2a, 0x30, 0x3f, 0x8e, 0xf3, 0xc2,
                                         0x51, 0xdf, 0xd6, 0xe2, 0xd8, 0x5a, 0x95, 0x47, 0x4c, 0x43 };
/* LiveKit, byte key 00..0f by HKDF: AES keys of steps 0 and 1 (vectors livekit.json, raw16-hkdf). */
static const uint8_t key_step_0[] = { 0x40, 0x86, 0xb4, 0x64, 0x10, 0x64, 0xe1, 0xae,
                                      0x8b, 0x63, 0xd4, 0xeb, 0x83, 0xad, 0x3e, 0x7e };
static const uint8_t key_step_1[] = { 0xaf, 0x61, 0xb5, 0x66, 0xe2, 0xc6, 0xad, 0xff,
                                      0x55, 0xbf, 0x8c, 0x20, 0xf9, 0x4b, 0x47, 0x65 };
/* An Opus frame under step 0, key index 15 (livekit-public-f081). */
static const uint8_t frame_plain[] = { 0x78, 0xd0, 0x5d, 0x19, 0x4e, 0x21, 0x7e, 0x4b, 0xb0, 0xcb, 0x8d,
                                       0xfd, 0xa0, 0xf5, 0x34, 0xb6, 0xcb, 0x33, 0x99, 0x09, 0x36, 0x1d,
                                       0x1d, 0xdc, 0x1f, 0x25, 0x37, 0xd9, 0x46, 0x1a, 0x1a, 0x83, 0x9c,
                                       0x49, 0xcf, 0xca, 0xbe, 0xb9, 0x0f, 0x50, 0x1f };
static const uint8_t frame_sealed[] = { 0x78, 0xad, 0xf1, 0x57, 0x02, 0x3f, 0xc9, 0x84, 0x2c, 0x5f, 0x35, 0x03,
                                        0xb8, 0x7c, 0xfe, 0x99, 0xa6, 0x51, 0x07, 0xc7, 0x86, 0xcc, 0x4d, 0x07,
                                        0x9e, 0xbd, 0xa1, 0x52, 0xd3, 0x0c, 0xc7, 0xeb, 0xe6, 0x44, 0x84, 0x6f,
                                        0x0f, 0xd9, 0x4f, 0xbd, 0xe1, 0x90, 0x5d, 0x96, 0xf4, 0xb2, 0x40, 0xd9,
                                        0xab, 0xcd, 0xcf, 0x43, 0x55, 0x3e, 0x6f, 0xb9, 0x8f, 0xa8, 0x34, 0x34,
                                        0x4b, 0xa5, 0xd4, 0xb8, 0x39, 0xa5, 0xd4, 0xa6, 0x05, 0x0c, 0x0f };
/* RFC 9180, A.1.1: what both key pairs are derived from, and the first message. */
static const uint8_t hpke_ikm_e[] = { 0x72, 0x68, 0x60, 0x0d, 0x40, 0x3f, 0xce, 0x43, 0x15, 0x61, 0xae,
                                      0xf5, 0x83, 0xee, 0x16, 0x13, 0x52, 0x7c, 0xff, 0x65, 0x5c, 0x13,
                                      0x43, 0xf2, 0x98, 0x12, 0xe6, 0x67, 0x06, 0xdf, 0x32, 0x34 };
static const uint8_t hpke_ikm_r[] = { 0x6d, 0xb9, 0xdf, 0x30, 0xaa, 0x07, 0xdd, 0x42, 0xee, 0x5e, 0x81,
                                      0x81, 0xaf, 0xdb, 0x97, 0x7e, 0x53, 0x8f, 0x5e, 0x1f, 0xec, 0x8a,
                                      0x06, 0x22, 0x3f, 0x33, 0xf7, 0x01, 0x3e, 0x52, 0x50, 0x37 };
static const uint8_t hpke_enc[] = { 0x37, 0xfd, 0xa3, 0x56, 0x7b, 0xdb, 0xd6, 0x28, 0xe8, 0x86, 0x68,
                                    0xc3, 0xc8, 0xd7, 0xe9, 0x7d, 0x1d, 0x12, 0x53, 0xb6, 0xd4, 0xea,
                                    0x6d, 0x44, 0xc1, 0x50, 0xf7, 0x41, 0xf1, 0xbf, 0x44, 0x31 };
static const uint8_t hpke_sealed[] = { 0xf9, 0x38, 0x55, 0x8b, 0x5d, 0x72, 0xf1, 0xa2, 0x38, 0x10, 0xb4, 0xbe,
                                       0x2a, 0xb4, 0xf8, 0x43, 0x31, 0xac, 0xc0, 0x2f, 0xc9, 0x7b, 0xab, 0xc5,
                                       0x3a, 0x52, 0xae, 0x82, 0x18, 0xa3, 0x55, 0xa9, 0x6d, 0x87, 0x70, 0xac,
                                       0x83, 0xd0, 0x7b, 0xea, 0x87, 0xe1, 0x3c, 0x51, 0x2a };
static const char hpke_info[] = "Ode on a Grecian Urn", hpke_aad[] = "Count-0";
static const char hpke_plain[] = "Beauty is truth, truth beauty";

#define RANDOM_LEN 32u

/* Everything the test works on, in the arena, since libgcrypt takes its scratch from there only for such inputs. */
typedef struct Work {
        uint8_t derived[32];
        ScheduleStep first;
        ScheduleStep second;
        uint8_t out[MAX_OF(sizeof(frame_plain), sizeof(hpke_plain))];
        uint8_t tag[AEAD_TAG_LEN];
        char password[8];
        uint8_t key[16];
} Work;

static void work_free(Work **work) {
        arena_release(arena_installed(), *work);
}

static int answer_is(const void *got, const void *expected, size_t len) {
        return memcmp(got, expected, len) == 0 ? 0 : -EBADMSG;
}

static int test_pbkdf2(Work *work) {
        int r;

        memcpy(work->password, "password", sizeof(work->password));
        r = kdf_pbkdf2_sha256(work->password, sizeof(work->password), "salt", 4, 2, work->derived,
                              sizeof(work->derived));
        return r < 0 ? r : answer_is(work->derived, pbkdf2_answer, sizeof(pbkdf2_answer));
}

static int test_schedule(Work *work) {
        Schedule schedule;
        int r;

        preset_schedule(preset_find("livekit-bytes"), &schedule);
        for (unsigned i = 0; i < sizeof(work->key); i++)
                work->key[i] = (uint8_t)i;
        r = schedule_derive(&schedule, 0, work->key, sizeof(work->key), &work->first);
        if (r == 0)
                r = schedule_derive(&schedule, 1, work->first.next, sizeof(work->first.next), &work->second);
        if (r == 0)
                r = answer_is(work->first.key, key_step_0, sizeof(key_step_0));
        return r < 0 ? r : answer_is(work->second.key, key_step_1, sizeof(key_step_1));
}

static int test_frame(Work *work) {
        _cleanup_(aead_free_p) Aead *aead = NULL;
        uint8_t bent[AEAD_TAG_LEN];
        TrailerFrame shape;
        int r;

        r = aead_new(&aead, work->first.key, 16);
        if (r < 0)
                return r;
        if (trailer_parse(frame_sealed, sizeof(frame_sealed), 1, &shape) != 0 || shape.key_index != 15)
                return -EBADMSG;

        r = aead_seal(aead, frame_sealed + shape.iv_offset, frame_plain, 1, frame_plain + 1, sizeof(frame_plain) - 1,
                      work->out, work->tag);
        if (r == 0)
                r = answer_is(work->out, frame_sealed + shape.text_offset, shape.text_len);
        if (r == 0)
                r = answer_is(work->tag, frame_sealed + shape.tag_offset, AEAD_TAG_LEN);
        if (r == 0)
                r = aead_open(aead, frame_sealed + shape.iv_offset, frame_sealed, 1, frame_sealed + shape.text_offset,
                              shape.text_len, work->out, work->tag);
        if (r == 0)
                r = answer_is(work->out, frame_plain + 1, sizeof(frame_plain) - 1);
        if (r != 0)
                return r < 0 ? r : -EBADMSG;

        /* A cipher that opens everything would have passed so far. */
        memcpy(bent, work->tag, sizeof(bent));
        bent[0] ^= 1;
        r = aead_open(aead, frame_sealed + shape.iv_offset, frame_sealed, 1, frame_sealed + shape.text_offset,
                      shape.text_len, work->out, bent);
        return r == AEAD_FORGED ? 0 : r < 0 ? r : -EBADMSG;
}

static int test_hpke(Work *work) {
        _cleanup_(hpke_pair_free_p) HpkePair *e = NULL, *r = NULL;
        uint8_t enc[HPKE_KEY_LEN], sealed[sizeof(hpke_sealed)];
        const HpkeMessage there = { hpke_info,        strlen(hpke_info), hpke_aad,
                                    strlen(hpke_aad), hpke_plain,        strlen(hpke_plain) };
        const HpkeMessage back = { hpke_info, strlen(hpke_info), hpke_aad, strlen(hpke_aad), sealed, sizeof(sealed) };
        int k;

        k = hpke_pair_derive(&e, hpke_ikm_e, sizeof(hpke_ikm_e));
        if (k == 0)
                k = hpke_pair_derive(&r, hpke_ikm_r, sizeof(hpke_ikm_r));
        if (k == 0)
                k = hpke_seal(hpke_pair_public(r), e, &there, enc, sealed);
        if (k == 0)
                k = answer_is(enc, hpke_enc, sizeof(hpke_enc));
        if (k == 0)
                k = answer_is(sealed, hpke_sealed, sizeof(hpke_sealed));
        if (k == 0)
                k = hpke_open(r, enc, &back, work->out);
        if (k == 0)
                k = answer_is(work->out, hpke_plain, strlen(hpke_plain));
        if (k != 0)
                return k < 0 ? k : -EBADMSG;

        sealed[0] ^= 1;
        k = hpke_open(r, enc, &back, work->out);
        return k == HPKE_FORGED ? 0 : k < 0 ? k : -EBADMSG;
}

/* A kernel that refuses, or that says the same twice, would have every IV and key guessed. */
static int test_random(Work *work) {
        _cleanup_(secret_free_p) Secret *a = NULL, *b = NULL;
        int r;

        (void)work;
        r = secret_new_random(&a, RANDOM_LEN);
        if (r == 0)
                r = secret_new_random(&b, RANDOM_LEN);
        if (r < 0)
                return r;
        return secret_equal(a, b) ? -EBADMSG : 0;
}

static const struct {
        const char *what;
        int (*run)(Work *work);
} parts[] = {
        { "random numbers (getrandom)", test_random },    { "PBKDF2-HMAC-SHA256", test_pbkdf2 },
        { "key schedule (HKDF-SHA256)", test_schedule },  { "trailer frame (AES-128-GCM)", test_frame },
        { "wrapped keys (HPKE with X25519)", test_hpke },
};

const char *selftest_part(size_t i) {
        return i < ELEMENTS(parts) ? parts[i].what : NULL;
}

int selftest_run(const char **ret_what) {
        _cleanup_(work_free) Work *work = arena_alloc(arena_installed(), sizeof(*work));
        int r;

        *ret_what = "secret memory";
        if (!work)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                *ret_what = parts[i].what;
                r = parts[i].run(work);
                if (r < 0)
                        return r;
        }
        *ret_what = NULL;
        return 0;
}
