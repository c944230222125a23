/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fresh keys, distribute first and use then; and keys on their way from one daemon to another.
 *
 * A key that was made in a daemon is replaced here: its successor is made under the next index and
 * announced, the owner hands it out (session_export()), and after a while it is sent under. A key
 * that others gave us cannot be replaced by us: its owner is asked. Of a key that another daemon
 * made, that daemon takes care, unless somebody asks for a fresh one here by name.
 */
#include "keys/plane-internal.h"
#include "keys/session-internal.h"
#include "keys/wrap.h"
#include "util/clock.h"

const char *session_reason_name(SessionReason reason) {
        static const char *const names[] = {
                [SESSION_REASON_REQUEST] = "request",  [SESSION_REASON_ADMIN] = "admin",
                [SESSION_REASON_LEFT] = "member-left", [SESSION_REASON_JOINED] = "member-joined",
                [SESSION_REASON_TIMER] = "timer",      [SESSION_REASON_AGE] = "age",
                [SESSION_REASON_USE] = "use-limit",    [SESSION_REASON_FORGERIES] = "forgeries",
        };

        return reason > 0 && reason < ELEMENTS(names) ? names[reason] : "?";
}

/* The index after what is sent under, or the one whose key nobody uses yet: it can be replaced. */
static uint32_t next_index(const Session *session, const Sender *sender) {
        uint32_t last = sender->moving != SESSION_ACTIVE ? sender->moving : sender->active;

        return sender->planned != SESSION_ACTIVE ? sender->planned : (last + 1) % session->config.ring_size;
}

static void ask(Session *session, uint32_t id, SessionReason reason) {
        const Sender *sender = sender_find(session, id);
        const KeyLife *life = life_find(session, id, sender->active);
        uint64_t age = session->config.maximum_age_usec;

        session_post(session, &(SessionEvent){ .type = SESSION_EVENT_ROTATION_REQUESTED,
                                               .participant = id,
                                               .index = next_index(session, sender),
                                               .reason = reason,
                                               .usec = life && age > 0 ? life->installed_usec + age : 0 });
}

/* ---- a fresh key of our own ---- */

typedef struct Making {
        uint32_t id;
        uint32_t index;
        SessionReason reason;
} Making;

/* The fresh key is there: tell, and plan its use. */
static void announce(Session *session, const Making *making, uint64_t generation) {
        const SessionConfig *config = &session->config;
        Sender *sender = sender_find(session, making->id);
        uint64_t when = 0;

        if (sender->active != making->index && !config->activate_by_hand) {
                when = clock_boottime_usec() + config->activate_after_usec;
                sender->planned = making->index;
                sender->planned_usec = when;
                sender->at_key_frame = config->activate_at_key_frame;
        }
        session_post(session, &(SessionEvent){ .type = SESSION_EVENT_INSTALLED,
                                               .participant = making->id,
                                               .index = making->index,
                                               .generation = generation,
                                               .reason = making->reason,
                                               .usec = when });
}

static void on_made(Session *session, int result, uint64_t generation, uint32_t step, void *userdata) {
        Making *making = userdata;
        Sender *sender;

        if (result == SESSION_CLOSED) {
                free(making);
                return;
        }
        session_lock(session);
        sender = sender_find(session, making->id); /* NULL: the participant left meanwhile */
        if (sender)
                sender->making = SESSION_ACTIVE;
        if (sender && result == 0)
                announce(session, making, generation);
        else if (sender && sender->active != SESSION_ACTIVE)
                ask(session, making->id, making->reason); /* no memory for it: then somebody must know */
        session_mark(session, session_find(session, making->id));
        session_unlock(session);
        free(making);
}

static int make(Session *session, uint32_t id, SessionReason reason) {
        Sender *sender = sender_find(session, id);
        Secret *secret;
        Making *making;
        Chain *chain;
        Schedule schedule;
        uint32_t at;
        int r;

        r = session_position(session, id, sender->active, &chain, &at);
        if (r != 0)
                return r;
        schedule = *chain_schedule(chain);
        schedule.kid_given = true;
        if (schedule.kdf == SCHEDULE_SFRAME)
                schedule.kid += UINT64_C(1) << schedule.ratchet_bits; /* the next key generation */
        r = secret_new_random(&secret, derive_secret_len(&schedule));
        if (r < 0)
                return r;
        making = malloc(sizeof(*making));
        if (!making) {
                secret_free(secret);
                return -ENOMEM;
        }
        *making = (Making){ .id = id, .index = next_index(session, sender), .reason = reason };
        r = derive_import(session, id, making->index, secret, &schedule, 0, SESSION_GENERATED, on_made, making);
        if (r != 0) {
                free(making);
                return r;
        }
        sender->making = making->index;
        return 0;
}

/* Whether this daemon is the one that replaces the key. */
static bool replaces(const Session *session, const KeyLife *life, SessionReason reason) {
        if (session->config.ring_size == 1 || life->origin == SESSION_IMPORTED)
                return false;
        return life->origin == SESSION_GENERATED || reason == SESSION_REASON_REQUEST || reason == SESSION_REASON_ADMIN;
}

void rotate_key(Session *session, uint32_t id, SessionReason reason, SessionRotation *rotation) {
        SessionRotation unused = { 0 };
        const Sender *sender = sender_find(session, id);
        const KeyLife *life = sender->active == SESSION_ACTIVE ? NULL : life_find(session, id, sender->active);

        if (!rotation)
                rotation = &unused;
        if (!life)
                return; /* nothing is sent */
        /* One on its way was not handed to anybody yet: it is fresh enough. */
        if (sender->making != SESSION_ACTIVE || (replaces(session, life, reason) && make(session, id, reason) == 0)) {
                rotation->n_rotated++;
                return;
        }
        ask(session, id, reason);
        rotation->n_requested++;
}

void rotate_senders(Session *session, SessionReason reason, SessionRotation *rotation) {
        if (session->shared) {
                rotate_key(session, SESSION_SHARED, reason, rotation);
                return;
        }
        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i] && session->participants[i]->local)
                        rotate_key(session, (uint32_t)i, reason, rotation);
}

int session_rotate(Session *session, uint32_t id, SessionReason reason, SessionRotation *ret) {
        const Participant *participant = session_find(session, id);
        int r = 0;

        *ret = (SessionRotation){ 0 };
        if (id == SESSION_SHARED ? !session->shared : (participant && session->shared))
                return SESSION_WRONG_MODE;
        if (id != SESSION_SHARED && id != SESSION_SENDERS && !participant)
                return SESSION_NO_PARTICIPANT;
        if (participant && !participant->local)
                return SESSION_WRONG_ROLE;

        session_lock(session);
        if (id == SESSION_SENDERS)
                rotate_senders(session, reason, ret);
        else if (session_active(session, id) == SESSION_ACTIVE)
                r = SESSION_NO_KEY;
        else
                rotate_key(session, id, reason, ret);
        session_unlock(session);
        session_flush(session);
        return r;
}

/* ---- joins and leaves ---- */

static uint64_t coalesce(Session *session, Coalesced *asked) {
        uint64_t now = clock_boottime_usec();

        if (asked->due_usec == USEC_INFINITY) {
                bool early = asked->last_usec > 0 && now - asked->last_usec < session->config.coalesce_usec;

                asked->due_usec = early ? asked->last_usec + session->config.coalesce_usec : now;
        }
        session_mark(session, NULL);
        return asked->due_usec;
}

uint64_t session_joined(Session *session, bool must) {
        uint64_t when;

        session_lock(session);
        session->joined.must = session->joined.must || must;
        when = coalesce(session, &session->joined);
        session_unlock(session);
        return when;
}

uint64_t session_left(Session *session) {
        uint64_t when;

        session_lock(session);
        when = coalesce(session, &session->left);
        session_unlock(session);
        return when;
}

static bool take_due(Session *session, Coalesced *asked, uint64_t now_usec) {
        if (asked->due_usec > now_usec) {
                session_attend_at(session, NULL, asked->due_usec);
                return false;
        }
        asked->due_usec = USEC_INFINITY;
        asked->last_usec = now_usec;
        return true;
}

/* A newcomer is handed the key as it is after this step. What nobody sent under needs none. */
static void step_for_newcomer(Session *session, uint32_t id, bool must) {
        uint32_t index = session_active(session, id), at;
        Chain *chain;
        KeyLife *life = index == SESSION_ACTIVE ? NULL : life_find(session, id, index);

        if (!life || life->frames == 0 || session_position(session, id, index, &chain, &at) != 0)
                return;
        if (life->origin != SESSION_IMPORTED && !schedule_steps_at_will(chain_schedule(chain)))
                rotate_key(session, id, SESSION_REASON_JOINED, NULL);
        else if (life->origin != SESSION_IMPORTED) {
                life->step_wanted = SESSION_REASON_JOINED;
                session_mark(session, session_find(session, id));
        } else if (must)
                ask(session, id, SESSION_REASON_JOINED);
}

void rotate_attend(Session *session, uint64_t now_usec) {
        if (take_due(session, &session->joined, now_usec)) {
                bool must = session->joined.must;

                session->joined.must = false;
                if (session->shared)
                        step_for_newcomer(session, SESSION_SHARED, must);
                for (size_t i = 0; !session->shared && i < session->n_participants; i++)
                        if (session->participants[i] && session->participants[i]->local)
                                step_for_newcomer(session, (uint32_t)i, must);
        }
        if (take_due(session, &session->left, now_usec))
                rotate_senders(session, SESSION_REASON_LEFT, NULL);
}

/* ---- between daemons ---- */

static int copy_step(ScheduleStep **ret, const Schedule *schedule, const ScheduleStep *from) {
        size_t size = schedule_step_size(schedule);
        ScheduleStep *copy = arena_alloc(arena_installed(), size);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, from, size);
        wipe_registers();
        *ret = copy;
        return 0;
}

int session_export(Session *session, uint32_t id, uint32_t index, const char *identity, const uint8_t *recipient,
                   uint8_t *package, size_t *ret_len) {
        const WrapContext context = { .format = session->config.format, .identity = identity };
        const Participant *participant = session_find(session, id);
        WrappedKey key = { .index = index };
        Chain *chain;
        int r;

        if (participant && session->shared)
                return SESSION_WRONG_MODE;
        if (participant && !participant->local)
                return SESSION_WRONG_ROLE;
        session_lock(session);
        if (key.index == SESSION_ACTIVE)
                key.index = session_active(session, id);
        r = session_position(session, id, key.index, &chain, &key.step);
        if (r == 0)
                r = copy_step(&key.secrets, chain_schedule(chain), chain_at(chain, key.step));
        if (r == 0)
                key.schedule = *chain_schedule(chain);
        session_unlock(session);
        if (r != 0)
                return r;

        r = wrap_seal(recipient, &context, &key, package, ret_len);
        arena_release(arena_installed(), key.secrets);
        return r > 0 ? SESSION_FORGED : r;
}

/* A package that comes again would put its receiver back to an old step, where old frames open once more. They are told
 * apart by their encapsulated keys, of which no two are the same. 0; SESSION_FORGED; -ENOMEM. */
static int check_package(Session *session, const uint8_t *package) {
        if (!session->packages) {
                int r = replay_new(&session->packages, SESSION_REPLAY_MAX, NULL);

                if (r < 0)
                        return r;
        }
        return replay_seen(session->packages, replay_tag(package + WRAP_ENC_OFFSET)) ? SESSION_FORGED : 0;
}

int session_import_wrapped(Session *session, uint32_t id, uint32_t index, const char *identity, const uint8_t *package,
                           size_t len, uint32_t *ret_index, SessionDone done, void *userdata) {
        const WrapContext context = { .format = session->config.format, .identity = identity };
        const Participant *participant = session_find(session, id);
        WrappedKey key;
        int r;

        if (session->config.shared != (id == SESSION_SHARED))
                return SESSION_WRONG_MODE;
        if (id != SESSION_SHARED && !participant)
                return SESSION_NO_PARTICIPANT;
        /* A key is for sending or for receiving; another daemon's is for receiving here. */
        if (participant && participant->local)
                return SESSION_WRONG_ROLE;
        r = wrap_open(plane_transport_pair(session->plane), &context, package, len, &key);
        if (r != 0)
                return r > 0 ? SESSION_FORGED : r;
        r = check_package(session, package);
        if (r != 0) {
                arena_release(arena_installed(), key.secrets);
                return r;
        }
        if (index == SESSION_ACTIVE)
                index = key.index;
        key.schedule.replace = true; /* its sender says what is under its KIDs */
        *ret_index = index;
        return derive_install(session, id, index, key.secrets, &key.schedule, key.step,
                              replay_tag(package + WRAP_ENC_OFFSET), done, userdata);
}
