/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages with a wrapped key. Numbers are in network byte order.
 *
 *   package  "FKW1" | enc (32) | ciphertext of `plain` | tag (16)
 *   plain    Header (20) | salt | ratchet salt | info | key (key_len) | next (32)
 *   SFrame   Header (20) | suite (2) | ratchet bits (1) | KID of step 0 (8) | key (key_len) | salt (12) | next (hash)
 *   MLS      as SFrame, with ratchet bits and KID 0 (each member has its own), key and salt of no length
 *   DAVE     Header (20) | key (16) | next (32)
 *   info     "org.framekey1.WrappedKey" | format (1) | length of the identity (2) | identity
 *   aad      "FKW1"
 *
 * Whoever knows a transport key can seal for it, so what opens is as hostile as what does not.
 */
#include "keys/wrap.h"

#include <assert.h>
#include <endian.h>

#define MAGIC     "FKW1"
#define MAGIC_LEN 4u
#define LABEL     "org.framekey1.WrappedKey"
#define OUTER_LEN (MAGIC_LEN + HPKE_KEY_LEN + HPKE_TAG_LEN)

typedef struct __attribute__((packed)) Header {
        uint32_t index;
        uint32_t step;
        uint8_t kdf;
        uint8_t key_len;
        uint32_t iterations;
        uint16_t salt_len;
        uint16_t ratchet_salt_len;
        uint16_t info_len;
} Header;

/* What SFrame has in the place of salts. */
typedef struct __attribute__((packed)) SFrameHeader {
        uint16_t suite;
        uint8_t ratchet_bits;
        uint64_t kid;
} SFrameHeader;

static_assert(sizeof(Header) == 20 && sizeof(SFrameHeader) == 11, "the layout in org.framekey1(5)");
static_assert(OUTER_LEN + sizeof(Header) + 3 * SCHEDULE_SALT_MAX + sizeof(ScheduleStep) <= WRAP_MAX,
              "the largest package");

typedef struct Info {
        uint8_t bytes[sizeof(LABEL) - 1 + 3 + WRAP_IDENTITY_MAX];
        size_t len;
} Info;

static void block_free_p(uint8_t **block) {
        arena_release(arena_installed(), *block);
}

static uint8_t *append(uint8_t *at, const void *bytes, size_t len) {
        memcpy(at, bytes, len);
        return at + len;
}

/* The length stands before the identity, so no two contexts give the same bytes. False: it is too long. */
static bool info_of(const WrapContext *context, Info *ret) {
        size_t len = strlen(context->identity);
        uint16_t length = htobe16((uint16_t)len);
        uint8_t *end;

        if (len > WRAP_IDENTITY_MAX)
                return false;
        end = append(ret->bytes, LABEL, sizeof(LABEL) - 1);
        *end++ = (uint8_t)context->format;
        end = append(end, &length, sizeof(length));
        end = append(end, context->identity, len);
        ret->len = (size_t)(end - ret->bytes);
        return true;
}

static bool is_sframe(const Schedule *schedule) {
        return schedule->kdf == SCHEDULE_SFRAME || schedule->kdf == SCHEDULE_EPOCH;
}

static bool key_fits(const WrappedKey *key) {
        const Schedule *schedule = &key->schedule;

        return key->index <= WRAP_INDEX_MAX && key->step <= WRAP_STEP_MAX && !schedule_check(schedule) &&
               (key->step == 0 || schedule_steps(schedule)) &&
               (schedule->kdf != SCHEDULE_EPOCH || schedule->ratchet_bits == 0);
}

/* A piece of a step's secrets. */
typedef struct Piece {
        uint8_t *bytes;
        size_t len;
} Piece;

/* The pieces in the order of the package; returns how many. `step` may be NULL where only lengths matter. */
static size_t secrets_of(const Schedule *schedule, ScheduleStep *step, Piece ret[3]) {
        size_t key_len = schedule_key_len(schedule), next_len;
        const uint8_t *next = schedule_next(schedule, step, &next_len);
        size_t n = 0;

        if (schedule->kdf != SCHEDULE_EPOCH)
                ret[n++] = (Piece){ step ? step->bytes : NULL, key_len };
        if (schedule->kdf == SCHEDULE_SFRAME)
                ret[n++] = (Piece){ step ? step->sframe.salt : NULL, sizeof(step->sframe.salt) };
        ret[n++] = (Piece){ step ? (uint8_t *)next : NULL, next_len };
        return n;
}

static size_t secrets_len(const Schedule *schedule) {
        Piece pieces[3];
        size_t n = secrets_of(schedule, NULL, pieces), len = 0;

        for (size_t i = 0; i < n; i++)
                len += pieces[i].len;
        return len;
}

/* The length of the key as the header has it. */
static uint8_t header_key_len(const Schedule *schedule) {
        return schedule->kdf == SCHEDULE_EPOCH ? 0 : (uint8_t)schedule_key_len(schedule);
}

static size_t public_len(const Schedule *schedule) {
        if (is_sframe(schedule))
                return sizeof(Header) + sizeof(SFrameHeader);
        return sizeof(Header) + schedule->salt_len + schedule->ratchet_salt_len + schedule->info_len;
}

static size_t plain_len(const Schedule *schedule) {
        return public_len(schedule) + secrets_len(schedule);
}

static bool is_salted(const Schedule *schedule) {
        return schedule->kdf == SCHEDULE_PBKDF2 || schedule->kdf == SCHEDULE_HKDF;
}

/* Everything but the secrets. */
static void plain_write(uint8_t *plain, const WrappedKey *key) {
        const Schedule *schedule = &key->schedule;
        bool salted = is_salted(schedule);
        const Header header = {
                .index = htobe32(key->index),
                .step = htobe32(key->step),
                .kdf = (uint8_t)schedule->kdf,
                .key_len = header_key_len(schedule),
                .iterations = salted ? htobe32(schedule->iterations) : 0,
                .salt_len = salted ? htobe16((uint16_t)schedule->salt_len) : 0,
                .ratchet_salt_len = salted ? htobe16((uint16_t)schedule->ratchet_salt_len) : 0,
                .info_len = salted ? htobe16((uint16_t)schedule->info_len) : 0,
        };
        const SFrameHeader sframe = {
                .suite = htobe16((uint16_t)schedule->suite),
                .ratchet_bits = (uint8_t)schedule->ratchet_bits,
                .kid = schedule->kdf == SCHEDULE_EPOCH ? 0 : htobe64(schedule->kid),
        };

        plain = append(plain, &header, sizeof(header));
        if (is_sframe(schedule))
                (void)append(plain, &sframe, sizeof(sframe));
        if (!salted)
                return;
        plain = append(plain, schedule->salt, schedule->salt_len);
        plain = append(plain, schedule->ratchet_salt, schedule->ratchet_salt_len);
        (void)append(plain, schedule->info, schedule->info_len);
}

static void read_salts(const uint8_t *plain, Schedule *schedule) {
        plain += sizeof(Header);
        memcpy(schedule->salt, plain, schedule->salt_len);
        plain += schedule->salt_len;
        memcpy(schedule->ratchet_salt, plain, schedule->ratchet_salt_len);
        plain += schedule->ratchet_salt_len;
        memcpy(schedule->info, plain, schedule->info_len);
}

static bool read_sframe(const uint8_t *plain, size_t len, Schedule *schedule) {
        SFrameHeader sframe;

        if (len < sizeof(Header) + sizeof(sframe))
                return false;
        memcpy(&sframe, plain + sizeof(Header), sizeof(sframe));
        schedule->suite = be16toh(sframe.suite);
        schedule->ratchet_bits = sframe.ratchet_bits;
        schedule->kid = be64toh(sframe.kid);
        schedule->kid_given = true;
        return schedule->kdf == SCHEDULE_SFRAME || schedule->kid == 0;
}

/* The reverse of plain_write(). False: it is none, or not to be lived with. */
static bool plain_read(const uint8_t *plain, size_t len, WrappedKey *ret) {
        Schedule *schedule = &ret->schedule;
        Header header;

        if (len < sizeof(header))
                return false;
        memcpy(&header, plain, sizeof(header));
        *ret = (WrappedKey){
                .index = be32toh(header.index),
                .step = be32toh(header.step),
                .schedule = { .kdf = header.kdf,
                              .iterations = be32toh(header.iterations),
                              .salt_len = be16toh(header.salt_len),
                              .ratchet_salt_len = be16toh(header.ratchet_salt_len),
                              .info_len = be16toh(header.info_len) },
        };
        if (is_salted(schedule))
                schedule->key_bits = header.key_len * 8u;
        else if (schedule->iterations | schedule->salt_len | schedule->ratchet_salt_len | schedule->info_len)
                return false;
        if (is_sframe(schedule) && !read_sframe(plain, len, schedule))
                return false;
        if (!key_fits(ret) || header.key_len != header_key_len(schedule) || len != plain_len(schedule))
                return false;
        if (is_salted(schedule))
                read_salts(plain, schedule);
        return true;
}

int wrap_seal(const uint8_t recipient[HPKE_KEY_LEN], const WrapContext *context, const WrappedKey *key,
              uint8_t *package, size_t *ret_len) {
        _cleanup_(block_free_p) uint8_t *plain = NULL;
        uint8_t enc[HPKE_KEY_LEN];
        HpkeMessage message;
        Piece pieces[3];
        size_t len, n;
        uint8_t *at;
        Info info;
        int r;

        if (!key_fits(key) || !info_of(context, &info))
                return -EINVAL;
        len = plain_len(&key->schedule);
        plain = arena_alloc(arena_installed(), len);
        if (!plain)
                return -ENOMEM;
        plain_write(plain, key);
        at = plain + public_len(&key->schedule);
        n = secrets_of(&key->schedule, key->secrets, pieces);
        for (size_t i = 0; i < n; i++) {
                assert(pieces[i].bytes);
                at = append(at, pieces[i].bytes, pieces[i].len);
        }
        wipe_registers();

        message = (HpkeMessage){ info.bytes, info.len, MAGIC, MAGIC_LEN, plain, len };
        r = hpke_seal(recipient, NULL, &message, enc, package + MAGIC_LEN + HPKE_KEY_LEN);
        if (r != 0)
                return r;
        (void)append(append(package, MAGIC, MAGIC_LEN), enc, sizeof(enc));
        *ret_len = OUTER_LEN + len;
        return 0;
}

int wrap_open(const HpkePair *pair, const WrapContext *context, const uint8_t *package, size_t len, WrappedKey *ret) {
        _cleanup_(block_free_p) uint8_t *plain = NULL;
        HpkeMessage message;
        const uint8_t *at;
        Piece pieces[3];
        WrappedKey key;
        size_t n;
        Info info;
        int r;

        if (len < OUTER_LEN || len > WRAP_MAX || memcmp(package, MAGIC, MAGIC_LEN) != 0 || !info_of(context, &info))
                return HPKE_FORGED;
        message = (HpkeMessage){ info.bytes,
                                 info.len,
                                 MAGIC,
                                 MAGIC_LEN,
                                 package + MAGIC_LEN + HPKE_KEY_LEN,
                                 len - MAGIC_LEN - HPKE_KEY_LEN };
        len -= OUTER_LEN;
        plain = arena_alloc(arena_installed(), len);
        if (!plain)
                return -ENOMEM;
        r = hpke_open(pair, package + MAGIC_LEN, &message, plain);
        if (r != 0)
                return r;
        if (!plain_read(plain, len, &key))
                return HPKE_FORGED;

        key.secrets = arena_alloc(arena_installed(), schedule_step_size(&key.schedule));
        if (!key.secrets)
                return -ENOMEM;
        at = plain + public_len(&key.schedule);
        n = secrets_of(&key.schedule, key.secrets, pieces);
        for (size_t i = 0; i < n; i++) {
                assert(pieces[i].bytes);
                memcpy(pieces[i].bytes, at, pieces[i].len);
                at += pieces[i].len;
        }
        wipe_registers();
        *ret = key;
        return 0;
}
