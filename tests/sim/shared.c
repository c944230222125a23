/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call with one passphrase for all: a server makes it up, hands it to everybody together with a time from which on it
 * is to be used, and tells newcomers how far the slowest sender has stepped.
 */
#include "tests/sim/call.h"

/* From a rotation on, until all have got the key and use it. */
#define ROTATE_USEC (1500 * USEC_PER_MSEC)
/* Rotations that nobody's leave asks for are no more frequent. */
#define SELDOM_USEC (10 * USEC_PER_SEC)
/* Senders that are further apart than this are brought together by a new passphrase when somebody joins. */
#define SPREAD_MAX 4u

/* The steps that senders stand at with this key. */
static uint32_t lowest_step(const Call *call, const SharedKeyKnown *known, uint32_t *ret_spread) {
        uint32_t low = MODEL_NONE, high = 0, step;

        for (unsigned k = 0; k < call->config.n_hosts; k++)
                if (call->members[k].present &&
                    model_sender_key(call->model, k, known->index, world_now(), &step) == known->key) {
                        low = MIN_OF(low, step);
                        high = MAX_OF(high, step);
                }
        *ret_spread = low == MODEL_NONE ? 0 : high - low;
        return low == MODEL_NONE ? 0 : low;
}

void shared_rotate(Call *call, SharedCause cause) {
        uint64_t now = world_now();

        if (cause == SHARED_LEFT && call->left_usec <= call->shared_rotated_usec)
                return;
        if (cause == SHARED_SELDOM && now < call->shared_rotated_usec + SELDOM_USEC)
                return;
        call->shared_before = call->shared;
        call->shared.key = app_new_secret(call);
        call->shared.index = (call->shared.index + 1) % MODEL_RING;
        call->shared.activates_usec = now + ROTATE_USEC;
        call->shared_rotated_usec = now;
        call->stats.rotations++;
        for (unsigned k = 0; k < call->config.n_hosts; k++)
                if (call->members[k].present) {
                        app_post_shared(call, k, 0, &call->shared);
                        call_push(call, ITEM_BURST, now + ROTATE_USEC - BURST_USEC / 2, k, 0, BURST_WITH_GONE, NULL);
                        call_push(call, ITEM_BURST, now + ROTATE_USEC, k, 0, BURST_WITH_GONE, NULL);
                }
}

static bool is_alone(const Call *call, unsigned host) {
        for (unsigned k = 0; k < call->config.n_hosts; k++)
                if (k != host && call->members[k].present)
                        return false;
        return true;
}

void shared_send(Call *call, unsigned host) {
        uint32_t spread, step;

        /* Nobody was there who would have asked for it. */
        if (is_alone(call, host))
                shared_rotate(call, SHARED_ALWAYS);
        if (world_now() < call->shared.activates_usec && call->shared_before.key != 0 && !is_alone(call, host)) {
                step = lowest_step(call, &call->shared_before, &spread);
                app_post_shared(call, host, step, &call->shared_before);
        }
        step = lowest_step(call, &call->shared, &spread);
        app_post_shared(call, host, step, &call->shared);
        if (spread > SPREAD_MAX)
                shared_rotate(call, SHARED_SELDOM);
}

void shared_arrived(Call *call, unsigned host, uint32_t step, const SharedKeyKnown *known) {
        uint64_t now = world_now();
        uint32_t own_step;

        if (model_sender_key(call->model, host, known->index, world_now(), &own_step) == known->key)
                return; /* it has it */
        host_import(&call->members[host].host, host, known->index, &call->keys[known->key].secret, step);
        model_sender_install(call->model, host, known->index, known->key, step, false, now);
        call_note(REPORT_HANDED, REPORT_NOBODY, host, known->key, known->index, step);
        call->stats.handed++;
        if (model_sender_active(call->model, host) != known->index) {
                uint64_t at = MAX_OF(now, known->activates_usec);

                host_activate(&call->members[host].host, known->index, at - now, false);
                model_sender_plan(call->model, host, known->index, at, false);
        }
        call_turn(call, host);
}

void shared_help(Call *call, unsigned host) {
        uint32_t step;

        call->stats.rehanded++;
        if (model_sender_key(call->model, host, call->shared.index, world_now(), &step) != call->shared.key)
                shared_send(call, host);
        else
                shared_rotate(call, SHARED_SELDOM);
}
