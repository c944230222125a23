/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything of a session that has to wait for a derivation: imports, ratchet steps, and the
 * look-ahead that makes ratchet steps not wait. Main thread.
 *
 * A job belongs to its session's list until it is done. When the session ends first, the job is cut
 * loose (session = NULL) and only cleans up after itself.
 */
#include "keys/plane-internal.h"
#include "keys/session-internal.h"
#include "util/clock.h"

typedef enum JobKind {
        JOB_IMPORT,
        JOB_RATCHET,
        JOB_AHEAD,
} JobKind;

struct SessionJob {
        DeriveJob derive; /* first: the deriver knows only this part */
        SessionJob *next;
        Session *session; /* NULL: it ended */
        JobKind kind;
        uint32_t participant;
        uint32_t index;
        uint32_t step; /* of the result */
        Chain *chain;  /* JOB_RATCHET, JOB_AHEAD; a reference */
        SessionOrigin origin;
        bool fills_in;       /* JOB_AHEAD: a kept step, see chain_fill_in() */
        ScheduleStep *ready; /* JOB_IMPORT: the key itself, nothing is to be derived for it */
        uint64_t package;    /* that it came in, see Session.packages */
        DeriverClass class;
        Schedule schedule;
        SessionDone done;
        void *userdata;
};

/* Total PBKDF2 iterations one import may cost: about 4 s. Protects everybody else's imports. */
#define IMPORT_ITERATIONS_MAX UINT64_C(20000000)

/* What the peers use is 100,000: some 20 ms. */
#define AHEAD_ITERATIONS_CHEAP 200000u

/* After a step ahead could not be derived: until then a receiver cannot follow its sender. */
#define AHEAD_AGAIN_USEC (1 * USEC_PER_SEC)

static void job_unlink(SessionJob *job) {
        SessionJob **link = &job->session->jobs;

        while (*link != job)
                link = &(*link)->next;
        *link = job->next;
}

static SessionJob *job_free(SessionJob *job) {
        if (!job)
                return NULL;
        arena_release(arena_installed(), job->derive.result);
        arena_release(arena_installed(), job->derive.first);
        arena_release(arena_installed(), job->ready);
        secret_free(job->derive.material);
        free(job);
        return NULL;
}

static void job_finish(SessionJob *job, int result, uint64_t generation, uint32_t step) {
        Session *session = job->session;
        SessionDone done = job->done;
        void *userdata = job->userdata;

        job_unlink(job);
        job_free(job);
        if (done)
                done(session, result, generation, step, userdata);
}

/* Names a key that counts by its first step, which everybody derives who has it. A wrapped key comes without its first
 * step, and is for receiving only. */
static int name_chain(SessionJob *job, Chain *chain) {
        const Ledger *ledger = plane_ledger(job->session->plane);
        const ScheduleStep *first = job->derive.first ? job->derive.first : chain_at(chain, job->step);
        uint8_t name[LEDGER_NAME_LEN];
        int r;

        /* Of an MLS epoch each member's own key is named, when it is made. */
        if (!ledger || !frame_counts(job->session->config.format) || job->schedule.kdf == SCHEDULE_EPOCH)
                return 0;
        r = ledger_name(ledger, first->key, schedule_key_len(&job->schedule), name);
        if (r == 0)
                chain_set_name(chain, name);
        return r;
}

static void import_done(SessionJob *job) {
        _cleanup_(chain_unref_p) Chain *chain = NULL;
        Session *session = job->session;
        uint64_t generation = 0;
        uint32_t step = job->step;
        int r = job->derive.error;
        bool wrapped;

        wrapped = job->ready;
        if (r == 0 && wrapped && replay_seen(session->packages, job->package)) /* twice at the same time */
                r = SESSION_FORGED;
        if (r == 0)
                r = chain_new(&chain, &job->schedule, step, wrapped ? job->ready : job->derive.result);
        if (r == 0) {
                job->derive.result = job->ready = NULL; /* one of them was taken over, the other is NULL */
                r = wrapped ? 0 : name_chain(job, chain);
        }
        if (r == 0) {
                if (session->config.retain_root)
                        chain_keep_first(chain, session->config.ratchet_window + 1);
                session_lock(session);
                r = session_install(session, job->participant, job->index, chain, step, job->origin, &generation);
                if (r == 0)
                        session_look_ahead(session, job->index, chain);
                chain = chain_unref(chain);
                session_unlock(session);
        }
        /* Not before: a package whose key could not be taken in may be tried again. */
        if (r == 0 && wrapped)
                replay_add(session->packages, job->package);
        job_finish(job, r, generation, step);
}

/* Takes a derived step over into its chain, unless somebody else was faster. */
static int job_append(SessionJob *job) {
        if (job->derive.error < 0)
                return job->derive.error;
        if (job->fills_in)
                return job->derive.result ? chain_fill_in(job->chain, job->step, take_ptr(job->derive.result)) : 0;
        if (!job->derive.result || chain_end(job->chain) != job->step)
                return 0;
        return chain_append(job->chain, take_ptr(job->derive.result));
}

/* Sends the job to derive the chain's next step, or one that it has to know again. */
static int job_derive_next(SessionJob *job, DeriverClass class) {
        const ScheduleStep *before = job->fills_in ? chain_before_missing(job->chain, &job->step) : NULL;
        const uint8_t *material;
        size_t material_len;
        int r;

        if (!before) {
                job->fills_in = false;
                job->step = chain_end(job->chain);
                before = chain_at(job->chain, job->step - 1);
        }
        job->derive.material = secret_free(job->derive.material);
        material = schedule_next(&job->schedule, before, &material_len);
        r = secret_new_copy(&job->derive.material, material, material_len);
        if (r < 0)
                return r;
        job->derive.first_step = job->step;
        job->derive.n_steps = 1;
        deriver_submit(plane_deriver(job->session->plane), &job->derive, class);
        return 0;
}

static void ratchet_done(SessionJob *job) {
        Session *session = job->session;
        uint32_t step = 0;
        Chain *chain;
        int r;

        session_lock(session);
        r = job_append(job);
        if (r == 0)
                r = session_position(session, job->participant, job->index, &chain, &step);
        /* Replaced while the step was derived: the new key has not been stepped, and must not be by surprise. */
        if (r == 0 && chain != job->chain)
                r = SESSION_NO_KEY;
        if (r == 0 && !chain_at(chain, step + 1)) {
                r = job_derive_next(job, DERIVER_AWAITED);
                if (r == 0) {
                        session_unlock(session);
                        return;
                }
        }
        if (r == 0)
                r = session_move(session, job->participant, job->index, step + 1);
        if (r == 0)
                session_look_ahead(session, job->index, chain);
        job->chain = chain_unref(job->chain);
        session_unlock(session);
        job_finish(job, r, 0, step + 1);
}

/* Whoever waited for the step that has just been derived. */
static void mark_users(Session *session, uint32_t index, const Chain *chain) {
        session_mark(session, NULL);
        for (size_t i = 0; i < session->n_participants; i++)
                if (session->participants[i] && session->participants[i]->slots[index].chain == chain)
                        session_mark(session, session->participants[i]);
}

static void look_again_later(Session *session) {
        session->look_again_usec = clock_boottime_usec() + AHEAD_AGAIN_USEC;
        session_attend_at(session, NULL, session->look_again_usec);
}

static void ahead_done(SessionJob *job) {
        Session *session = job->session;
        Chain *chain = job->chain;

        session_lock(session);
        chain_set_deriving(chain, job->class, false);
        mark_users(session, job->index, chain);
        if (job_append(job) == 0)
                session_look_ahead(session, job->index, chain);
        else
                look_again_later(session); /* the arena is full: a ratchet by hand says so */
        job->chain = chain_unref(chain);
        session_unlock(session);
        job_finish(job, 0, 0, 0);
}

static void job_done(DeriveJob *derive) {
        SessionJob *job = (SessionJob *)derive;

        if (!job->session)
                job_free(job);
        else if (job->kind == JOB_IMPORT)
                import_done(job);
        else if (job->kind == JOB_RATCHET)
                ratchet_done(job);
        else
                ahead_done(job);
}

static SessionJob *job_new(Session *session, JobKind kind, uint32_t participant, uint32_t index,
                           const Schedule *schedule) {
        SessionJob *job = calloc(1, sizeof(*job));

        if (!job)
                return NULL;
        job->session = session;
        job->kind = kind;
        job->participant = participant;
        job->index = index;
        job->schedule = *schedule;
        job->derive.schedule = &job->schedule;
        job->derive.done = job_done;
        job->derive.account = session->config.account;
        return job;
}

static void job_link(SessionJob *job) {
        job->next = job->session->jobs;
        job->session->jobs = job;
}

static void job_submit(SessionJob *job, DeriverClass class) {
        job_link(job);
        deriver_submit(plane_deriver(job->session->plane), &job->derive, class);
}

/* Whether keys of this schedule are keys of this session: a package may say anything. */
static bool fits(const SessionConfig *config, const Schedule *schedule) {
        bool mls = config->mls_index_bits > 0;
        bool suited = config->suite == 0 ||
                      (schedule->suite == config->suite && schedule->ratchet_bits == config->ratchet_bits);

        switch (schedule->kdf) {
        case SCHEDULE_SFRAME:
                return config->format == FRAMEKEY_FORMAT_SFRAME && suited && !mls;
        case SCHEDULE_EPOCH:
                return config->format == FRAMEKEY_FORMAT_SFRAME && suited && mls;
        case SCHEDULE_DAVE:
                return config->format == FRAMEKEY_FORMAT_DAVE;
        default:
                return !frame_counts(config->format);
        }
}

int derive_import(Session *session, uint32_t participant, uint32_t index, Secret *secret, const Schedule *schedule,
                  uint32_t step, SessionOrigin origin, SessionDone done, void *userdata) {
        _cleanup_(secret_free_p) Secret *material = secret;
        uint64_t iterations = schedule->kdf == SCHEDULE_PBKDF2 ? schedule->iterations : 1;
        SessionJob *job;

        if (index >= session->config.ring_size)
                return SESSION_BAD_INDEX;
        if (session->config.shared != (participant == SESSION_SHARED))
                return SESSION_WRONG_MODE;
        if (participant != SESSION_SHARED && !session_find(session, participant))
                return SESSION_NO_PARTICIPANT;
        /* A sender's generation follows from its count of frames. */
        if (schedule->kdf == SCHEDULE_DAVE && step > 0 && session_find(session, participant)->local)
                return -EINVAL;
        if (schedule_check(schedule) || !fits(&session->config, schedule) || step > SESSION_STEP_MAX ||
            (step > 0 && !schedule_steps(schedule)) || iterations * ((uint64_t)step + 1) > IMPORT_ITERATIONS_MAX)
                return -EINVAL;

        job = job_new(session, JOB_IMPORT, participant, index, schedule);
        if (!job)
                return -ENOMEM;
        if (!schedule->kid_given)
                job->schedule.kid = (uint64_t)index << schedule->ratchet_bits;
        job->derive.keep_first = frame_counts(session->config.format); /* for its name */
        job->derive.material = take_ptr(material);
        job->derive.n_steps = step + 1;
        job->step = step;
        job->origin = origin;
        job->done = done;
        job->userdata = userdata;
        job_submit(job, DERIVER_AWAITED);
        return 0;
}

int session_import(Session *session, uint32_t participant, uint32_t index, Secret *secret, const Schedule *schedule,
                   uint32_t step, SessionDone done, void *userdata) {
        return derive_import(session, participant, index, secret, schedule, step, SESSION_IMPORTED, done, userdata);
}

size_t derive_secret_len(const Schedule *schedule) {
        switch (schedule->kdf) {
        case SCHEDULE_SFRAME:
                return MIN_OF(schedule_key_len(schedule), SFRAME_BASE_KEY_MAX);
        case SCHEDULE_EPOCH: /* as MLS exports it */
                return schedule_key_len(schedule);
        case SCHEDULE_DAVE:
                return DAVE_BASE_LEN;
        default:
                return SCHEDULE_MATERIAL_LEN;
        }
}

int session_generate(Session *session, uint32_t participant, uint32_t index, const Schedule *schedule, SessionDone done,
                     void *userdata) {
        Secret *secret;
        int r;

        r = secret_new_random(&secret, derive_secret_len(schedule));
        if (r < 0)
                return r;
        return derive_import(session, participant, index, secret, schedule, 0, SESSION_GENERATED, done, userdata);
}

int derive_install(Session *session, uint32_t participant, uint32_t index, ScheduleStep *secrets,
                   const Schedule *schedule, uint32_t step, uint64_t package, SessionDone done, void *userdata) {
        SessionJob *job = NULL;
        int r = 0;

        if (!fits(&session->config, schedule))
                r = SESSION_FORGED;
        else if (index >= session->config.ring_size)
                r = SESSION_BAD_INDEX;
        else
                job = job_new(session, JOB_IMPORT, participant, index, schedule);
        if (!job) {
                arena_release(arena_installed(), secrets);
                return r != 0 ? r : -ENOMEM;
        }
        job->ready = secrets;
        job->package = package;
        job->step = step;
        job->origin = SESSION_UNWRAPPED;
        job->done = done;
        job->userdata = userdata;
        job_submit(job, DERIVER_AWAITED);
        return 0;
}

int session_ratchet(Session *session, uint32_t participant, uint32_t index, SessionDone done, void *userdata) {
        SessionJob *job;
        Chain *chain;
        uint32_t step;
        int r;

        session_lock(session);
        if (index == SESSION_ACTIVE)
                index = session_active(session, participant);
        r = session_position(session, participant, index, &chain, &step);
        if (r == 0 && !schedule_steps_at_will(chain_schedule(chain)))
                r = SESSION_NO_STEPS;
        if (r == 0)
                chain_ref(chain);
        session_unlock(session);
        if (r != 0)
                return r;

        job = job_new(session, JOB_RATCHET, participant, index, chain_schedule(chain));
        if (!job) {
                session_lock(session);
                chain_unref(chain);
                session_unlock(session);
                return -ENOMEM;
        }
        job->chain = chain;
        job->done = done;
        job->userdata = userdata;
        /* Nothing to derive as a rule, and still by way of the deriver: callbacks never come from within the call,
         * and a ratchet stays behind an import that was asked for before it. */
        job_submit(job, DERIVER_AWAITED);
        return 0;
}

/* Lowest and highest step anybody stands at with this chain. False: nobody uses it. */
static bool chain_spread(const Session *session, uint32_t index, const Chain *chain, uint32_t *ret_low,
                         uint32_t *ret_high) {
        uint32_t low = UINT32_MAX, high = 0;
        bool used = false;

        if (session->shared && session->shared[index].chain == chain) {
                low = high = session->shared[index].step;
                used = true;
        }
        for (size_t i = 0; i < session->n_participants; i++) {
                const Participant *participant = session->participants[i];

                if (!participant || participant->slots[index].chain != chain)
                        continue;
                low = MIN_OF(low, participant->slots[index].current->step);
                high = MAX_OF(high, participant->slots[index].current->step);
                used = true;
        }
        *ret_low = low;
        *ret_high = high;
        return used;
}

/* The next two steps must be there when a sender takes them, one frame a step, also on a machine that has no idle time;
 * but a derivation that is slower than any peer's must not stand before other people's imports. */
static DeriverClass ahead_class(const Chain *chain, uint32_t high) {
        const Schedule *schedule = chain_schedule(chain);
        bool cheap = schedule->kdf != SCHEDULE_PBKDF2 || schedule->iterations <= AHEAD_ITERATIONS_CHEAP;

        return cheap && chain_end(chain) <= high + 2 ? DERIVER_AWAITED : DERIVER_AHEAD;
}

/* A participant that has been silent for so many steps of a shared key that the chain is full stands in the way of
 * everybody else's next step: it moves up, and has to be given the key anew if it still sends under the old step. */
static void move_laggards(Session *session, uint32_t index, const Chain *chain, uint32_t to) {
        for (size_t i = 0; i < session->n_participants; i++) {
                Participant *participant = session->participants[i];
                KeySlot *slot = participant ? &participant->slots[index] : NULL;

                if (slot && slot->chain == chain && slot->current->step < to && !participant->local &&
                    slot_step(participant, slot, to, 0) == 0)
                        session_mark(session, participant);
        }
}

void session_look_ahead(Session *session, uint32_t index, Chain *chain) {
        uint32_t low, high, wanted, missing;
        DeriverClass class;
        SessionJob *job;
        bool fills_in;

        if (!schedule_steps(chain_schedule(chain)))
                return;
        if (!chain_spread(session, index, chain, &low, &high))
                return;
        if (chain_end(chain) - low >= CHAIN_STEPS_MAX) {
                move_laggards(session, index, chain, low + CHAIN_STEPS_MAX / 8);
                (void)chain_spread(session, index, chain, &low, &high);
        }
        chain_forget_below(chain, low);
        /* At least one step, so that a sender's step never waits for a derivation. */
        wanted = high + 1 + MAX_OF(session->config.ratchet_window, 1u);
        class = ahead_class(chain, high);
        /* A job of the idle class may have become urgent under way: then it is done again, and whichever ends second is
         * dropped by job_append(). */
        fills_in = chain_before_missing(chain, &missing);
        if (chain_deriving(chain, DERIVER_AWAITED) || chain_deriving(chain, class) ||
            (!fills_in && (chain_end(chain) >= wanted || chain_end(chain) - low >= CHAIN_STEPS_MAX)))
                return;

        job = job_new(session, JOB_AHEAD, SESSION_SHARED, index, chain_schedule(chain));
        if (!job) {
                look_again_later(session);
                return;
        }
        job->chain = chain_ref(chain);
        job->class = class;
        job->fills_in = fills_in;
        if (job_derive_next(job, class) < 0) {
                chain_unref(chain);
                job_free(job);
                look_again_later(session);
                return;
        }
        chain_set_deriving(chain, class, true);
        job_link(job);
}

void session_look_again(Session *session, uint64_t now_usec) {
        if (session->look_again_usec == 0)
                return;
        if (session->look_again_usec > now_usec) {
                session_attend_at(session, NULL, session->look_again_usec);
                return;
        }
        session->look_again_usec = 0;
        for (uint32_t index = 0; index < session->config.ring_size; index++) {
                Chain *shared = session->shared ? session->shared[index].chain : NULL;

                if (shared)
                        session_look_ahead(session, index, shared);
                for (size_t i = 0; i < session->n_participants; i++) {
                        Participant *participant = session->participants[i];
                        Chain *chain = participant ? participant->slots[index].chain : NULL;

                        if (chain && chain != shared)
                                session_look_ahead(session, index, chain);
                }
        }
}

void session_cancel_jobs(Session *session) {
        while (session->jobs) {
                SessionJob *job = session->jobs;
                SessionDone done = job->done;
                void *userdata = job->userdata;

                session->jobs = job->next;
                session_lock(session);
                job->chain = chain_unref(job->chain);
                session_unlock(session);
                job->session = NULL; /* the deriver still has it; job_done() frees it */
                job->done = NULL;
                atomic_store_explicit(&job->derive.cancelled, true, memory_order_relaxed);
                if (done)
                        done(session, SESSION_CLOSED, 0, 0, userdata);
        }
}
