/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who comes, goes, mutes and sleeps, all at times of the seed's choosing. */
#include "tests/sim/call.h"

#include "keys/preset.h"

#include <sys/epoll.h>

/* How long somebody stays and stays away; mutes and is to be heard; between two naps of one host, restarts of one app,
 * jumps of the date, storms of joins and leaves. Means: the times are even between a quarter and seven quarters. */
#define STAY_USEC  (14 * HOUR_USEC)
#define AWAY_USEC  (7 * HOUR_USEC)
#define LOUD_USEC  (50 * MINUTE_USEC)
#define MUTED_USEC (45 * MINUTE_USEC)
#define AWAKE_USEC (20 * HOUR_USEC)
#define RUNS_USEC  (30 * HOUR_USEC)
#define DATE_USEC  (2 * HOUR_USEC)
#define STORM_USEC (8 * HOUR_USEC)
/* Somebody turns the page, and no longer sees somebody else: until the key has gone on by a step, or by more than the
 * window can follow. */
#define DEAF_USEC     (20 * HOUR_USEC) /* between two times, of each pair */
#define DEAF_MAX_USEC (3 * HOUR_USEC)
/* Who left keeps listening for so long, with the keys it had. */
#define GHOST_USEC (20 * MINUTE_USEC)
/* Participants that have come at the beginning, of 1000. */
#define AT_FIRST 750u

static uint64_t after(Call *call, uint64_t mean_usec) {
        return world_now() + call_delay(call, mean_usec / 4, mean_usec / 4 * 7);
}

/* ---- how hosts differ ---- */

static void choose_config(Call *call, unsigned id) {
        Member *member = &call->members[id];
        SessionConfig *config = &member->host.config;
        const Preset *preset = preset_find(call->config.shared ? "livekit-passphrase" : "element-call");
        RatchetPolicy *ratchet = &config->ratchet;

        preset_session_config(preset, config);
        preset_schedule(preset, &member->host.schedule);
        if (call->config.iterations > 0)
                member->host.schedule.iterations = call->config.iterations;
        config->ring_size = MODEL_RING;
        config->ratchet_window = call->config.shared ? 8 : (uint32_t)random_between(&call->random, 4, 8);
        config->rotate_after_usec = call_delay(call, 3 * HOUR_USEC, 5 * HOUR_USEC);
        if (call->config.shared) { /* steps of like length, since all share the chain */
                ratchet->interval_usec = call_delay(call, 14 * MINUTE_USEC, 16 * MINUTE_USEC);
                return;
        }
        ratchet->interval_usec = call_delay(call, 10 * MINUTE_USEC, 30 * MINUTE_USEC);
        config->maximum_age_usec = 6 * HOUR_USEC;
        member->made_here = id % 3 == 0;
        config->activate_at_key_frame = id % 4 == 1;
        if (id == 7) {
                member->one_step = true;
                config->ratchet_window = 1;
        }
        if (id % 16 == 5)
                ratchet->only_if_followed = true;
        if (id % 10 == 4) {
                ratchet->interval_usec = 0;
                ratchet->frames = random_between(&call->random, 2000, 4000);
        }
        if (id % 10 == 9) {
                ratchet->interval_usec = 0;
                config->send_limit = 4096;
        }
}

static ModelRules rules_of(const SessionConfig *config) {
        return (ModelRules){ .shared = config->shared,
                             .window = config->ratchet_window,
                             .grace_usec = config->grace_usec,
                             .superseded_usec = SESSION_SUPERSEDED_MAX_USEC,
                             .coalesce_usec = config->coalesce_usec,
                             .interval_usec = config->ratchet.interval_usec,
                             .only_if_followed = config->ratchet.only_if_followed,
                             .step_frames = config->ratchet.frames,
                             .send_limit = config->send_limit,
                             .maximum_age_usec = config->maximum_age_usec,
                             .key_frame_wait_usec = SESSION_KEY_FRAME_WAIT_USEC };
}

/* ---- joins and leaves ---- */

static void forget(Call *call, unsigned id) {
        host_session_end(&call->members[id].host);
        for (unsigned k = 0; k < call->config.n_hosts; k++) {
                model_view_close(call->model, id, k);
                app_forget_stall(call, k, id);
        }
}

static void start(Call *call, unsigned id) {
        Member *member = &call->members[id];
        ModelRules rules = rules_of(&member->host.config);

        forget(call, id);
        member->epoch++;
        member->present = true;
        member->refused.since_usec = 0;
        memset(member->exclude_usec, 0, sizeof(member->exclude_usec));
        for (unsigned k = 0; call->config.shared && k < call->config.n_hosts; k++)
                call->members[k].exclude_usec[id] = 0; /* the server lets it in at once */
        host_session_start(&member->host);
        model_sender_start(call->model, id, &rules, world_now());
}

static void burst_both(Call *call, unsigned id, uint64_t usec) {
        for (unsigned k = 0; k < call->config.n_hosts; k++)
                if (call->members[k].present) {
                        traffic_burst_pair(call, id, k, usec);
                        traffic_burst_pair(call, k, id, usec);
                }
}

static void join(Call *call, unsigned id) {
        call->stats.joins++;
        call_note(REPORT_JOINED, id, REPORT_NOBODY, 0, 0, 0);
        start(call, id);
        app_joined(call, id);
        burst_both(call, id, BURST_USEC);
        call_push(call, ITEM_LEAVE, after(call, STAY_USEC), id, 0, call->members[id].epoch, NULL);
}

void people_join(Call *call, const QueueItem *item) {
        if (!call->members[item->from].present)
                join(call, item->from);
}

static void leave(Call *call, unsigned id) {
        Member *member = &call->members[id];

        call->stats.leaves++;
        call_note(REPORT_LEFT, id, REPORT_NOBODY, 0, 0, 0);
        member->present = false;
        call->left_usec = world_now();
        app_left(call, id);
        for (unsigned k = 0; k < call->config.n_hosts; k++)
                traffic_burst_pair(call, k, id, BURST_USEC);
        call_push(call, ITEM_FORGET, world_now() + GHOST_USEC, id, 0, member->epoch, NULL);
}

void people_leave(Call *call, const QueueItem *item) {
        const Member *member = &call->members[item->from];

        if (!member->present || item->number != member->epoch)
                return;
        if (member->asleep) {
                call_push(call, ITEM_LEAVE, member->wakes_usec + MINUTE_USEC, item->from, 0, item->number, NULL);
                return;
        }
        leave(call, item->from);
        call_push(call, ITEM_JOIN, after(call, AWAY_USEC), item->from, 0, 0, NULL);
}

void people_forget(Call *call, const QueueItem *item) {
        const Member *member = &call->members[item->from];

        if (!member->present && item->number == member->epoch)
                forget(call, item->from);
}

/* Some leave within a few seconds, as when a connection breaks down, and are back before long. */
void people_storm(Call *call, const QueueItem *item) {
        unsigned n = (unsigned)random_between(&call->random, 2, 4);

        call_push(call, ITEM_STORM, after(call, STORM_USEC), 0, 0, 0, NULL);
        for (unsigned i = 0; i < n; i++) {
                unsigned id = (unsigned)random_below(&call->random, call->config.n_hosts);
                uint64_t at = world_now() + call_delay(call, 0, 4 * USEC_PER_SEC);

                if (!call->members[id].present || call->members[id].asleep)
                        continue;
                call_push(call, ITEM_LEAVE, at, id, 0, call->members[id].epoch, NULL);
                call_push(call, ITEM_JOIN, at + call_delay(call, 2 * USEC_PER_SEC, 3 * MINUTE_USEC), id, 0, 0, NULL);
        }
}

void people_restart(Call *call, const QueueItem *item) {
        Member *member = &call->members[item->from];

        call_push(call, ITEM_RESTART, after(call, RUNS_USEC), item->from, 0, 0, NULL);
        if (!member->present || member->asleep)
                return;
        call->stats.restarts++;
        call_note(REPORT_RESTARTED, item->from, REPORT_NOBODY, 0, 0, 0);
        start(call, item->from);
        app_restarted(call, item->from);
        burst_both(call, item->from, BURST_USEC);
        call_push(call, ITEM_LEAVE, after(call, STAY_USEC), item->from, 0, member->epoch, NULL);
}

/* ---- what they do meanwhile ---- */

void people_mute(Call *call, const QueueItem *item) {
        bool *muted = &call->members[item->from].muted[item->to];

        *muted = !*muted;
        call->stats.mutes += *muted;
        call_push(call, ITEM_MUTE, after(call, *muted ? MUTED_USEC : LOUD_USEC), item->from, item->to, 0, NULL);
}

static uint64_t deaf_next(Call *call) {
        return after(call, DEAF_USEC / INSTANT_USEC / (call->config.n_hosts * call->config.n_hosts) * INSTANT_USEC);
}

void people_deaf(Call *call, const QueueItem *item) {
        unsigned from = (unsigned)random_below(&call->random, call->config.n_hosts);
        unsigned to = (unsigned)random_below(&call->random, call->config.n_hosts);

        call_push(call, ITEM_DEAF, deaf_next(call), 0, 0, 0, NULL);
        call->stats.deaf++;
        call->pairs[from][to].deaf_until_usec = world_now() + call_delay(call, MINUTE_USEC, DEAF_MAX_USEC);
}

static void watch(Call *call, unsigned id, int operation) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = id };

        MUST(epoll_ctl(call->epoll_fd, operation, plane_event_fd(call->members[id].host.plane), &event) == 0);
}

/* The clock goes on, and nothing runs. */
void people_sleep(Call *call, const QueueItem *item) {
        Member *member = &call->members[item->from];
        static const uint64_t longest[] = { MINUTE_USEC, 10 * MINUTE_USEC, 3 * HOUR_USEC, 9 * HOUR_USEC };

        call_push(call, ITEM_SLEEP, after(call, AWAKE_USEC), item->from, 0, 0, NULL);
        if (!member->present || member->asleep)
                return;
        call_turn(call, item->from);
        call->stats.sleeps++;
        call_note(REPORT_SLEEPS, item->from, item->from, 0, 0, 0);
        member->asleep = true;
        member->wakes_usec = world_now() + call_delay(call, 20 * USEC_PER_SEC,
                                                      longest[random_below(&call->random, ELEMENTS(longest))]);
        watch(call, item->from, EPOLL_CTL_DEL);
        call_push(call, ITEM_WAKE, member->wakes_usec, item->from, 0, 0, NULL);
}

void people_wake(Call *call, const QueueItem *item) {
        Member *member = &call->members[item->from];

        call_note(REPORT_WAKES, item->from, item->from, 0, 0, 0);
        member->asleep = false;
        member->awake_usec = world_now();
        watch(call, item->from, EPOLL_CTL_ADD);
        model_sender_wake(call->model, item->from, world_now());
        for (unsigned k = 0; k < call->config.n_hosts; k++)
                if (member->exclude_usec[k] > 0)
                        app_exclude(call, item->from, k);
        call_turn(call, item->from);
        burst_both(call, item->from, BURST_USEC);
}

/* Somebody sets the date: nobody should notice. */
void people_jump(Call *call, const QueueItem *item) {
        int64_t hours = (int64_t)random_below(&call->random, 20000) - 10000;

        call_push(call, ITEM_JUMP, after(call, DATE_USEC), 0, 0, 0, NULL);
        call->stats.jumps++;
        world_jump_realtime(hours * (int64_t)HOUR_USEC + 12345);
        for (unsigned k = 0; k < call->config.n_hosts; k++)
                if (call->members[k].present)
                        traffic_burst(call, k, BURST_USEC);
}

void people_start(Call *call) {
        for (unsigned id = 0; id < call->config.n_hosts; id++) {
                choose_config(call, id);
                watch(call, id, EPOLL_CTL_ADD);
                for (unsigned s = 0; s < MODEL_STREAMS; s++) {
                        call->members[id].muted[s] = random_chance(&call->random, 400);
                        call_push(call, ITEM_MUTE, after(call, LOUD_USEC), id, s, 0, NULL);
                }
                call_push(call, ITEM_THIN, world_now() + id % 5 * USEC_PER_SEC, id, 0, 0, NULL);
                call_push(call, ITEM_SLEEP, after(call, AWAKE_USEC), id, 0, 0, NULL);
                call_push(call, ITEM_RESTART, after(call, RUNS_USEC), id, 0, 0, NULL);
                call_push(call, ITEM_JOIN,
                          world_now() + (random_chance(&call->random, AT_FIRST)
                                                 ? call_delay(call, 0, 2 * MINUTE_USEC)
                                                 : call_delay(call, 2 * MINUTE_USEC, 6 * HOUR_USEC)),
                          id, 0, 0, NULL);
        }
        call_push(call, ITEM_JUMP, after(call, DATE_USEC), 0, 0, 0, NULL);
        call_push(call, ITEM_STORM, after(call, STORM_USEC), 0, 0, 0, NULL);
        call_push(call, ITEM_DEAF, deaf_next(call), 0, 0, 0, NULL);
        call_push(call, ITEM_AUDIT, world_now() + MINUTE_USEC, 0, 0, 0, NULL);
}
