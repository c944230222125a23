/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packages with a wrapped key. Numbers are in network byte order.
 *
 *   package  "FKW1" | enc (32) | ciphertext of `plain` | tag (16)
 *   plain    Header (20) | salt | ratchet salt | info | key (key_len) | next (32)
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
#define KEY_MAX   32u

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

static_assert(sizeof(Header) == 20, "the layout in org.framekey1(5)");
static_assert(OUTER_LEN + sizeof(Header) + 3 * SCHEDULE_SALT_MAX + KEY_MAX + SCHEDULE_MATERIAL_LEN <= WRAP_MAX,
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

static bool key_fits(const WrappedKey *key) {
        return key->index <= WRAP_INDEX_MAX && key->step <= WRAP_STEP_MAX && !schedule_check(&key->schedule);
}

static size_t plain_len(const Schedule *schedule) {
        return sizeof(Header) + schedule->salt_len + schedule->ratchet_salt_len + schedule->info_len +
               schedule->key_bits / 8 + SCHEDULE_MATERIAL_LEN;
}

/* Everything but the secrets. */
static void plain_write(uint8_t *plain, const WrappedKey *key) {
        const Schedule *schedule = &key->schedule;
        const Header header = {
                .index = htobe32(key->index),
                .step = htobe32(key->step),
                .kdf = (uint8_t)schedule->kdf,
                .key_len = (uint8_t)(schedule->key_bits / 8),
                .iterations = htobe32(schedule->iterations),
                .salt_len = htobe16((uint16_t)schedule->salt_len),
                .ratchet_salt_len = htobe16((uint16_t)schedule->ratchet_salt_len),
                .info_len = htobe16((uint16_t)schedule->info_len),
        };

        plain = append(plain, &header, sizeof(header));
        plain = append(plain, schedule->salt, schedule->salt_len);
        plain = append(plain, schedule->ratchet_salt, schedule->ratchet_salt_len);
        (void)append(plain, schedule->info, schedule->info_len);
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
                              .key_bits = header.key_len * 8u,
                              .salt_len = be16toh(header.salt_len),
                              .ratchet_salt_len = be16toh(header.ratchet_salt_len),
                              .info_len = be16toh(header.info_len) },
        };
        if (!key_fits(ret) || len != plain_len(schedule))
                return false;
        plain += sizeof(header);
        memcpy(schedule->salt, plain, schedule->salt_len);
        plain += schedule->salt_len;
        memcpy(schedule->ratchet_salt, plain, schedule->ratchet_salt_len);
        plain += schedule->ratchet_salt_len;
        memcpy(schedule->info, plain, schedule->info_len);
        return true;
}

int wrap_seal(const uint8_t recipient[HPKE_KEY_LEN], const WrapContext *context, const WrappedKey *key,
              uint8_t *package, size_t *ret_len) {
        _cleanup_(block_free_p) uint8_t *plain = NULL;
        uint8_t enc[HPKE_KEY_LEN];
        HpkeMessage message;
        size_t len, key_len;
        uint8_t *secrets;
        Info info;
        int r;

        if (!key_fits(key) || !info_of(context, &info))
                return -EINVAL;
        len = plain_len(&key->schedule);
        plain = arena_alloc(arena_installed(), len);
        if (!plain)
                return -ENOMEM;
        plain_write(plain, key);
        key_len = key->schedule.key_bits / 8;
        secrets = append(plain + len - SCHEDULE_MATERIAL_LEN - key_len, key->secrets->key, key_len);
        (void)append(secrets, key->secrets->next, SCHEDULE_MATERIAL_LEN);
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
        const uint8_t *secrets;
        size_t key_len;
        WrappedKey key;
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

        key.secrets = arena_alloc(arena_installed(), sizeof(*key.secrets));
        if (!key.secrets)
                return -ENOMEM;
        key_len = key.schedule.key_bits / 8;
        secrets = plain + len - SCHEDULE_MATERIAL_LEN - key_len;
        memcpy(key.secrets->key, secrets, key_len);
        memcpy(key.secrets->next, secrets + key_len, SCHEDULE_MATERIAL_LEN);
        wipe_registers();
        *ret = key;
        return 0;
}
