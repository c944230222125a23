/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DAVE's key schedule; see the header for the picture. */
#include "keys/dave-schedule.h"

#include "crypto/arena.h"
#include "crypto/kdf.h"
#include "format/dave.h"

#define FRAMES_PER_SEC_MAX 170u

#define EXPORT_LABEL "Discord Secure Frames v0"
/* Labels here are at most so long, contexts are a hash at most. */
#define LABEL_MAX   40u
#define CONTEXT_MAX 32u

typedef struct Label {
        const char *text;
        const void *context;
        size_t context_len;
} Label;

/* ExpandWithLabel (RFC 9420, 8): the info is u16(length) || u8 + "MLS 1.0 " label || u8 + context. Contexts are
 * shorter than 64 bytes, so their length is one byte. */
static int expand_with_label(const void *secret, size_t secret_len, Label label, uint8_t *ret, size_t len) {
        static const char prefix[] = "MLS 1.0 ";
        uint8_t info[4 + LABEL_MAX + CONTEXT_MAX];
        size_t label_len = strlen(label.text), at = 0;

        info[at++] = (uint8_t)(len >> 8);
        info[at++] = (uint8_t)len;
        info[at++] = (uint8_t)(sizeof(prefix) - 1 + label_len);
        memcpy(info + at, prefix, sizeof(prefix) - 1);
        at += sizeof(prefix) - 1;
        memcpy(info + at, label.text, label_len);
        at += label_len;
        info[at++] = (uint8_t)label.context_len;
        if (label.context_len > 0)
                memcpy(info + at, label.context, label.context_len);
        at += label.context_len;
        return kdf_hkdf_expand(KDF_SHA256, secret, secret_len, info, at, ret, len);
}

int dave_schedule_derive(const void *secret, size_t secret_len, uint32_t generation, DaveStep *ret) {
        const uint8_t number[] = { (uint8_t)(generation >> 24), (uint8_t)(generation >> 16), (uint8_t)(generation >> 8),
                                   (uint8_t)generation };
        int r;

        if (secret_len != (generation == 0 ? DAVE_BASE_LEN : DAVE_SECRET_LEN))
                return -EINVAL;
        r = expand_with_label(secret, secret_len, (Label){ "key", number, sizeof(number) }, ret->key, sizeof(ret->key));
        if (r == 0)
                r = expand_with_label(secret, secret_len, (Label){ "secret", number, sizeof(number) }, ret->next,
                                      sizeof(ret->next));
        return r;
}

int dave_schedule_base(const void *exporter_secret, uint64_t user_id, uint8_t ret[DAVE_BASE_LEN]) {
        uint8_t *secret = arena_alloc(arena_installed(), DAVE_SECRET_LEN);
        uint8_t user[8], digest[32];
        int r;

        if (!secret)
                return -ENOMEM;
        /* The only number here whose last byte comes first. */
        for (size_t i = 0; i < sizeof(user); i++)
                user[i] = (uint8_t)(user_id >> (8 * i));
        r = kdf_sha256(user, sizeof(user), digest);
        if (r == 0)
                r = expand_with_label(exporter_secret, DAVE_SECRET_LEN, (Label){ EXPORT_LABEL, NULL, 0 }, secret,
                                      DAVE_SECRET_LEN);
        if (r == 0)
                r = expand_with_label(secret, DAVE_SECRET_LEN, (Label){ "exported", digest, sizeof(digest) }, ret,
                                      DAVE_BASE_LEN);
        arena_release(arena_installed(), secret);
        return r;
}

uint64_t dave_schedule_last_generation(uint64_t age_usec) {
        return age_usec / USEC_PER_SEC * FRAMES_PER_SEC_MAX >> DAVE_GENERATION_BITS;
}
