/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A key on its way from one daemon to another: the package that apps forward without being able to
 * open it. Layout and what is authenticated stand in org.framekey1(5), "WRAPPED KEYS".
 *
 *   "FKW1" | enc (32) | HPKE ciphertext and tag
 *
 * The plain text is one step of a ratchet chain with its schedule, so whoever gets it can go on
 * from there and never back. Pure apart from randomness and the arena; any thread.
 */
#pragma once

#include "crypto/hpke.h"
#include "keys/schedule.h"

#include <framekey.h>

#define WRAP_MAX          1024u
#define WRAP_ENC_OFFSET   4u /* of the encapsulated key, HPKE_KEY_LEN bytes that are never the same twice */
#define WRAP_INDEX_MAX    255u
#define WRAP_IDENTITY_MAX 256u
/* Far above what a chain can reach, and far enough from the end for its receiver to go on counting. */
#define WRAP_STEP_MAX (UINT32_C(1) << 30)

typedef struct WrappedKey {
        uint32_t index;
        uint32_t step;
        Schedule schedule;
        ScheduleStep *secrets; /* arena block, wiped by whoever owns the struct */
} WrappedKey;

/* What the package is bound to besides the recipient: it opens nowhere else. */
typedef struct WrapContext {
        enum framekey_format format;
        const char *identity; /* participant's name, "": the shared key */
} WrapContext;

/* `package` has room for WRAP_MAX bytes. 0; HPKE_BAD_KEY; -EINVAL beyond the bounds above or schedule_check(); -ENOMEM;
 * -EIO. */
int wrap_seal(const uint8_t recipient[HPKE_KEY_LEN], const WrapContext *context, const WrappedKey *key,
              uint8_t *package, size_t *ret_len);
/* 0 and a key with secrets of its own; HPKE_FORGED also for anything that is no package, HPKE_BAD_KEY; -ENOMEM; -EIO.
 */
int wrap_open(const HpkePair *pair, const WrapContext *context, const uint8_t *package, size_t len, WrappedKey *ret);
