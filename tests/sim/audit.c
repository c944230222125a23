/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has to hold apart from single frames: everybody converges, and what is dead is gone. */
#include "tests/sim/call.h"

#define AUDIT_USEC (10 * MINUTE_USEC)
/* Traffic after a step, and the way of its last frames but the slowest. */
#define CONVERGE_USEC (BURST_USEC + BURST_USEC / 4)
/* So many frames under a step leave nobody without one, at 5 % loss. */
#define FRAMES_ENOUGH 30u

typedef struct StepCheck {
        uint32_t index;
        uint32_t key;
        uint32_t step;
        uint64_t stepped_usec;
        uint64_t hear; /* who has to have followed, as bits */
} StepCheck;

void audit_step(Call *call, unsigned host, uint32_t index, uint32_t step) {
        StepCheck check = { .index = index, .step = step, .stepped_usec = world_now() }, *copy;
        uint64_t until = world_now() + BURST_USEC;

        check.key = model_sender_key(call->model, host, index, world_now(), &step);
        for (unsigned to = 0; to < call->config.n_hosts; to++) {
                const ModelHeld *held =
                        model_view_is_open(call->model, to, host) ? model_held(call->model, to, host, index) : NULL;

                if (held && held->key == check.key && call->pairs[host][to].full_until_usec >= until &&
                    call->pairs[host][to].deaf_until_usec <= world_now() &&
                    check.step <= held->low + call->members[to].host.config.ratchet_window)
                        check.hear |= UINT64_C(1) << to;
        }
        copy = malloc(sizeof(*copy));
        MUST(copy);
        *copy = check;
        call_push(call, ITEM_CHECK_STEP, world_now() + CONVERGE_USEC, host, 0, 0, copy);
}

void audit_check_step(Call *call, const QueueItem *item) {
        StepCheck *check = item->data;
        const Member *from = &call->members[item->from];
        uint32_t step;
        bool same = from->host.session && model_sender_active(call->model, item->from) == check->index &&
                    model_sender_key(call->model, item->from, check->index, world_now(), &step) == check->key &&
                    step == check->step;

        for (unsigned to = 0; same && to < call->config.n_hosts; to++) {
                const Member *member = &call->members[to];
                SessionKeyInfo info;

                if (!(check->hear & UINT64_C(1) << to) || !call_runs(call, to) || !member->present ||
                    call->pairs[item->from][to].deaf_until_usec > check->stepped_usec ||
                    MAX_OF(member->awake_usec, model_view_since(call->model, to, item->from)) > check->stepped_usec ||
                    !model_view_is_open(call->model, to, item->from) ||
                    model_sender_frames(call->model, item->from) < FRAMES_ENOUGH)
                        continue;
                if (session_key_info(member->host.session, member->host.remote[item->from], check->index, &info) != 0)
                        report_fail(item->from, to, "2 s after a step the receiver has no key");
                if (info.step != check->step)
                        report_fail(item->from, to, "2 s after the step to %u the receiver stands at %u", check->step,
                                    info.step);
                call->stats.checks++;
        }
        free(check);
}

/* The session has the keys that it should have, and none that should be dead. */
static void count_keys(Call *call, unsigned host) {
        const Member *member = &call->members[host];
        unsigned least = model_sender_n_keys(call->model, host, world_now()), most, n;

        most = least;
        for (unsigned k = 0; !call->config.shared && k < call->config.n_hosts; k++)
                for (uint32_t i = 0; model_view_is_open(call->model, host, k) && i < MODEL_RING; i++) {
                        ModelVerdict alive = model_alive(call->model, host, k, i, world_now());

                        least += alive == MODEL_OPENS;
                        most += alive != MODEL_REFUSED;
                }
        n = session_n_keys(member->host.session);
        if (n < least || n > most)
                report_fail(host, host, "the session has %u keys, and should have %u to %u", n, least, most);
}

static void compare_steps(Call *call, unsigned host) {
        const Host *at = &call->members[host].host;

        for (unsigned k = 0; k < call->config.n_hosts; k++)
                for (uint32_t i = 0; model_view_is_open(call->model, host, k) && i < MODEL_RING; i++) {
                        const ModelHeld *held = model_held(call->model, host, k, i);
                        SessionKeyInfo info;

                        if (!held || model_alive(call->model, host, k, i, world_now()) != MODEL_OPENS)
                                continue;
                        if (session_key_info(at->session, at->remote[k], i, &info) != 0)
                                report_fail(k, host, "the key under index %u is gone", i);
                        if (info.step < held->low || info.step > held->high)
                                report_fail(k, host, "the receiver stands at step %u instead of %u", info.step,
                                            held->low);
                }
}

void audit_run(Call *call, const QueueItem *item) {
        call_push(call, ITEM_AUDIT, item->at_usec + AUDIT_USEC, 0, 0, 0, NULL);
        call->stats.audits++;
        for (unsigned host = 0; host < call->config.n_hosts; host++) {
                call->stats.present += call->members[host].present;
                if (!call_runs(call, host))
                        continue;
                call_turn(call, host);
                count_keys(call, host);
                compare_steps(call, host);
        }
}
