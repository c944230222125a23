/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which keys count, in which order, and the job that makes a code of them; see security-code.h.
 *
 * Both sides sort by identity, so the order in which participants came makes no difference. The lock is taken for one
 * participant at a time: data threads move each on its own, and whatever moves several is this thread's work.
 */
#include "keys/security-code.h"

#include "keys/plane-internal.h"
#include "keys/session-internal.h"

struct SecurityCode {
        DeriveJob derive; /* first: the deriver knows only this part */
        SecurityCode *next;
        Session *session; /* NULL: it ended */
        SecurityCodeDone done;
        void *userdata;
        uint8_t *value; /* arena block */
        char digits[CHECK_CODE_MAX];
        size_t n_keys;
        size_t n_named; /* participants: there is room for so many */
        SecurityCodeKey keys[];
};

static void code_free(SecurityCode *code) {
        for (size_t i = 0; i < code->n_named; i++)
                free(code->keys[i].identity);
        arena_release(arena_installed(), code->value);
        wipe(code->digits, sizeof(code->digits));
        free(code);
}

static void code_free_p(SecurityCode **code) {
        if (*code)
                code_free(*code);
}

/* ---- which keys ---- */

/* The newest of a participant's keys. */
static uint32_t newest_index(const Session *session, const Participant *participant) {
        uint32_t newest = SESSION_ACTIVE;

        for (uint32_t i = 0; i < session->config.ring_size; i++)
                if (participant->slots[i].chain &&
                    (newest == SESSION_ACTIVE ||
                     participant->slots[i].life.sequence > participant->slots[newest].life.sequence))
                        newest = i;
        return newest;
}

static const KeySlot *slot_in_use(const Session *session, const Participant *participant, uint32_t *ret_index) {
        uint32_t index = participant->local ? participant->sender.active : participant->good_index;

        if (!participant->local && (index == SESSION_ACTIVE || !participant->slots[index].chain))
                index = newest_index(session, participant);
        if (index == SESSION_ACTIVE || !participant->slots[index].chain)
                return NULL;
        *ret_index = index;
        return &participant->slots[index];
}

/* Adds the participant's key. 0; SESSION_NO_KEY it has none; -errno. */
static int add_key(Session *session, const Participant *participant, SecurityCode *code, SecurityCodeKey *key) {
        const Schedule *schedule;
        const ScheduleStep *step;
        const KeySlot *slot;
        CheckName name;

        slot = slot_in_use(session, participant, &key->index);
        if (!slot)
                return SESSION_NO_KEY;
        schedule = chain_schedule(slot->chain);
        key->step = slot->current->step;
        key->kid = session->config.format == FRAMEKEY_FORMAT_SFRAME ? schedule->kid : 0;
        step = chain_at(slot->chain, key->step);
        if (!step)
                return -EIO; /* the current step is never forgotten */
        name = (CheckName){
                .identity = key->identity,
                .number = session->config.format == FRAMEKEY_FORMAT_SFRAME ? key->kid : key->index,
                .step = key->step,
                .format = (uint8_t)session->config.format,
        };
        return check_value_add(code->value, &name, schedule, step);
}

/* A participant before its key is looked at. */
typedef struct Named {
        const char *identity;
        uint32_t id;
} Named;

static int by_identity(const void *a, const void *b) {
        return strcmp(((const Named *)a)->identity, ((const Named *)b)->identity);
}

static size_t list_participants(const Session *session, SecurityCodeName name, void *userdata, Named *ret) {
        size_t n = 0;

        for (uint32_t id = 0; id < session->n_participants; id++) {
                const char *identity = session->participants[id] ? name(id, userdata) : NULL;

                if (identity)
                        ret[n++] = (Named){ identity, id };
        }
        qsort(ret, n, sizeof(*ret), by_identity);
        return n;
}

static int add_all(Session *session, const Named *named, size_t n, SecurityCode *code) {
        for (size_t i = 0; i < n; i++) {
                SecurityCodeKey *key = &code->keys[code->n_keys];
                int r;

                free(key->identity); /* of one who has no key */
                key->identity = strdup(named[i].identity);
                if (!key->identity)
                        return -ENOMEM;
                session_lock(session);
                r = add_key(session, session_find(session, named[i].id), code, key);
                session_unlock(session);
                if (r < 0)
                        return r;
                if (r == 0)
                        code->n_keys++;
        }
        return code->n_keys > 0 ? 0 : SESSION_NO_KEY;
}

/* ---- the code ---- */

static int work(DeriveJob *derive) {
        SecurityCode *code = (SecurityCode *)derive;

        return check_value_code(code->value, code->digits);
}

static void unlink_code(SecurityCode *code) {
        SecurityCode **link = &code->session->codes;

        while (*link != code)
                link = &(*link)->next;
        *link = code->next;
}

static void work_done(DeriveJob *derive) {
        SecurityCode *code = (SecurityCode *)derive;

        if (code->session) {
                unlink_code(code);
                code->done(code, derive->error, derive->error == 0 ? code->digits : NULL, code->userdata);
        }
        code_free(code);
}

int security_code_start(Session *session, SecurityCodeName name, SecurityCodeDone done, void *userdata) {
        _cleanup_(code_free_p) SecurityCode *code = NULL;
        _cleanup_free_ Named *named = NULL;
        size_t n;
        int r;

        named = calloc(session->n_participants + 1, sizeof(*named)); /* not NULL for nothing */
        if (!named)
                return -ENOMEM;
        n = list_participants(session, name, userdata, named);
        code = calloc(1, sizeof(*code) + n * sizeof(*code->keys));
        if (!code)
                return -ENOMEM;
        code->n_named = n;
        code->value = arena_alloc(arena_installed(), CHECK_VALUE_LEN);
        if (!code->value)
                return -ENOMEM;
        r = add_all(session, named, n, code);
        if (r != 0)
                return r;
        code->session = session;
        code->done = done;
        code->userdata = userdata;
        code->next = session->codes;
        session->codes = code;
        code->derive.account = session->config.account;
        code->derive.work = work;
        code->derive.done = work_done;
        deriver_submit(plane_deriver(session->plane), &code->derive, DERIVER_AWAITED);
        (void)take_ptr(code);
        return 0;
}

const SecurityCodeKey *security_code_keys(const SecurityCode *code, size_t *ret_n) {
        *ret_n = code->n_keys;
        return code->keys;
}

void session_cancel_codes(Session *session) {
        while (session->codes) {
                SecurityCode *code = session->codes;

                session->codes = code->next;
                code->session = NULL; /* the deriver still has it; work_done() frees it */
                atomic_store_explicit(&code->derive.cancelled, true, memory_order_relaxed);
                code->done(code, SESSION_CLOSED, NULL, code->userdata);
        }
}
