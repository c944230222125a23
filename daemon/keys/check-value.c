/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a key to what is left of it in a code; see check-value.h. */
#include "keys/check-value.h"

#include "crypto/kdf.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>

#define LABEL        "org.framekey1.SecurityCode"
#define IDENTITY_MAX 256u
/* As many iterations as a passphrase costs in the formats that have them: with these in front, what Argon2 leaves in
 * memory outside the arena is no shorter way to a guess. */
#define ITERATIONS 100000u
#define MEMORY_KIB 32768u
#define PASSES     3u
#define CODE_BYTES 16u

/* Everything but the identity, in network byte order. */
typedef struct __attribute__((packed)) Place {
        uint64_t number;
        uint32_t step;
        uint8_t format;
        uint16_t identity_len;
} Place;

typedef struct Info {
        uint8_t bytes[sizeof(LABEL) - 1 + sizeof(Place) + IDENTITY_MAX];
        size_t len;
} Info;

static void block_free_p(uint8_t **block) {
        arena_release(arena_installed(), *block);
}
#define _cleanup_block_ _cleanup_(block_free_p)

static uint8_t *append(uint8_t *at, const void *bytes, size_t len) {
        if (len > 0)
                memcpy(at, bytes, len);
        return at + len;
}

static int info_of(const CheckName *name, Info *ret) {
        size_t len = strlen(name->identity);
        const Place place = {
                .number = htobe64(name->number),
                .step = htobe32(name->step),
                .format = name->format,
                .identity_len = htobe16((uint16_t)len),
        };

        if (len > IDENTITY_MAX)
                return -EINVAL;
        (void)append(append(append(ret->bytes, LABEL, sizeof(LABEL) - 1), &place, sizeof(place)), name->identity, len);
        ret->len = sizeof(LABEL) - 1 + sizeof(place) + len;
        return 0;
}

int check_value_add(uint8_t value[CHECK_VALUE_LEN], const CheckName *name, const Schedule *schedule,
                    const ScheduleStep *step) {
        bool salted = schedule->kdf == SCHEDULE_SFRAME || schedule->kdf == SCHEDULE_EPOCH;
        size_t key_len = schedule_key_len(schedule), next_len, len;
        const uint8_t *next = schedule_next(schedule, step, &next_len);
        _cleanup_block_ uint8_t *secrets = NULL;
        uint8_t *end;
        Info info;
        int r;

        r = info_of(name, &info);
        if (r < 0)
                return r;
        /* The lengths follow from the format and the suite, so no two sets of parts give the same bytes. */
        len = key_len + next_len + (salted ? sizeof(step->sframe.salt) : 0) + CHECK_VALUE_LEN;
        secrets = arena_alloc(arena_installed(), len);
        if (!secrets)
                return -ENOMEM;
        end = append(append(secrets, step->bytes, key_len), next, next_len);
        if (salted)
                end = append(end, step->sframe.salt, sizeof(step->sframe.salt));
        end = append(end, value, CHECK_VALUE_LEN);
        assert(end == secrets + len);
        return kdf_hkdf(KDF_SHA256, secrets, len, NULL, 0, info.bytes, info.len, value, CHECK_VALUE_LEN);
}

/* The first 128 bits modulo 10^18: too many for the remainder to show. */
static void to_digits(const uint8_t *bytes, char ret[CHECK_CODE_MAX]) {
        const uint64_t modulus = UINT64_C(1000000000000000000);
        char digits[19], *end = ret;
        __uint128_t number = 0;

        for (size_t i = 0; i < CODE_BYTES; i++)
                number = number << 8 | bytes[i];
        (void)snprintf(digits, sizeof(digits), "%018llu", (unsigned long long)(number % modulus));
        for (size_t i = 0; i < 18; i += 3)
                end += snprintf(end, CHECK_CODE_MAX - (size_t)(end - ret), "%s%.3s", i > 0 ? " " : "", digits + i);
        wipe(digits, sizeof(digits));
}

int check_value_code(const uint8_t value[CHECK_VALUE_LEN], char ret[CHECK_CODE_MAX]) {
        static const char salt[] = LABEL;
        _cleanup_block_ uint8_t *block = arena_alloc(arena_installed(), CHECK_VALUE_LEN + CODE_BYTES);
        int r;

        if (!block)
                return -ENOMEM;
        r = kdf_pbkdf2_sha256(value, CHECK_VALUE_LEN, salt, sizeof(salt) - 1, ITERATIONS, block, CHECK_VALUE_LEN);
        if (r == 0)
                r = kdf_argon2id(block, CHECK_VALUE_LEN, salt, sizeof(salt) - 1, MEMORY_KIB, PASSES,
                                 block + CHECK_VALUE_LEN, CODE_BYTES);
        if (r == 0)
                to_digits(block + CHECK_VALUE_LEN, ret);
        return r;
}
