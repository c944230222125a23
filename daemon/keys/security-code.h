/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session's security code: what two people read to each other to see that their daemons hold the
 * same keys (check-value.h), and the list of keys it is made over.
 *
 * One key a participant counts, the one that is in use for sending: of a local participant what it sends under; of a
 * remote one what its last good frame came under, or the newest key before there was one. Each at the step where it
 * stands; keys that live through their grace, or wait to be activated, do not count. A participant without a key
 * is left out. Main thread; the slow part runs on a deriver thread.
 */
#pragma once

#include "keys/check-value.h"
#include "keys/session.h"

typedef struct SecurityCode SecurityCode;

typedef struct SecurityCodeKey {
        char *identity;
        uint32_t index;
        uint64_t kid; /* SFrame: of step 0 */
        uint32_t step;
} SecurityCodeKey;

/* `result`: 0, SESSION_CLOSED or -errno; `digits` NULL unless 0. `code` lives until this returns. */
typedef void (*SecurityCodeDone)(const SecurityCode *code, int result, const char *digits, void *userdata);
/* The name by which all call a participant; borrowed. NULL: it is not counted. */
typedef const char *(*SecurityCodeName)(uint32_t participant, void *userdata);

/* Takes the keys as they are now. 0: `done` will be called from plane_dispatch(), or with SESSION_CLOSED from
 * session_free(); SESSION_NO_KEY nobody has a key; -ENOMEM; -EIO. */
int security_code_start(Session *session, SecurityCodeName name, SecurityCodeDone done, void *userdata);
/* What it is made over, by identity. */
const SecurityCodeKey *security_code_keys(const SecurityCode *code, size_t *ret_n);
