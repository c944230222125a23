/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The apps: they hand keys over by a signalling network of its own delays, in order between each two hosts, answer
 * what the key layer asks for, and help a receiver that has stalled.
 */
#include "tests/sim/call.h"

/* While a pair is stalled, the receiver's app asks the sender's for its keys, this often. */
#define NAG_USEC (10 * USEC_PER_SEC)

typedef enum MessageKind {
        MESSAGE_JOINED,
        MESSAGE_LEFT,
        MESSAGE_RESTARTED,
        MESSAGE_KEY,
        MESSAGE_REQUEST,
        MESSAGE_SHARED_KEY,
} MessageKind;

typedef struct Message {
        MessageKind kind;
        uint32_t to_epoch; /* for this session of the receiver, and no later one */
        uint32_t key;
        uint32_t index;
        uint32_t step;
        SharedKeyKnown shared; /* MESSAGE_SHARED_KEY */
        size_t len;            /* of the package; 0: the app knows the bytes */
        uint8_t package[WRAP_MAX];
} Message;

static void post(Call *call, unsigned from, unsigned to, const Message *message) {
        Pair *pair = &call->pairs[from][to];
        uint64_t arrival = world_now() + call_delay(call, 20 * USEC_PER_MSEC, 800 * USEC_PER_MSEC);
        Message *copy = malloc(sizeof(*copy));

        MUST(copy);
        *copy = *message;
        copy->to_epoch = call->members[to].epoch;
        pair->arrival_usec = MAX_OF(pair->arrival_usec, arrival);
        call_push(call, ITEM_MESSAGE, pair->arrival_usec, from, to, 0, copy);
}

static void post_all(Call *call, unsigned from, MessageKind kind) {
        for (unsigned to = 0; to < call->config.n_hosts; to++)
                if (to != from && call->members[to].present)
                        post(call, from, to, &(Message){ .kind = kind });
}

/* ---- keys of one's own ---- */

static KeyKnown *new_key(Call *call, bool made_here, uint32_t *ret_key) {
        uint32_t key = model_new_key(call->model);
        KeyKnown *known;

        if (key >= call->n_keys_allocated) {
                call->n_keys_allocated = MAX_OF(1024u, call->n_keys_allocated * 2);
                call->keys = reallocarray(call->keys, call->n_keys_allocated, sizeof(*call->keys));
                MUST(call->keys);
        }
        known = &call->keys[key];
        *known = (KeyKnown){ 0 };
        if (!made_here) {
                known->secret.len = HOST_SECRET_LEN;
                random_fill(&call->random, known->secret.bytes, HOST_SECRET_LEN);
        }
        *ret_key = key;
        return known;
}

uint32_t app_new_secret(Call *call) {
        uint32_t key;

        (void)new_key(call, false, &key);
        return key;
}

static void send_key(Call *call, unsigned from, unsigned to, uint32_t index) {
        Message message = { .kind = MESSAGE_KEY, .index = index };

        message.key = model_sender_key(call->model, from, index, world_now(), &message.step);
        if (message.key == 0)
                return; /* it is too old for anybody */
        if (call->keys[message.key].secret.len == 0)
                message.len = host_export(&call->members[from].host, index, &call->members[to].host, message.package);
        call_note(REPORT_SENT_KEY, from, to, message.key, index, message.step);
        post(call, from, to, &message);
}

/* What is sent under, and what will be. */
static void send_keys(Call *call, unsigned from, unsigned to) {
        uint32_t active = model_sender_active(call->model, from), next = model_sender_next(call->model, from);

        if (active != MODEL_NONE)
                send_key(call, from, to, active);
        if (next != MODEL_NONE)
                send_key(call, from, to, next);
}

static void send_key_to_all(Call *call, unsigned from, uint32_t index) {
        for (unsigned to = 0; to < call->config.n_hosts; to++)
                if (model_view_is_open(call->model, from, to))
                        send_key(call, from, to, index);
}

/* Traffic around the change, from all who are concerned. */
static void installed(Call *call, unsigned host, uint32_t index, uint64_t activates_usec) {
        if (!call->members[host].present)
                return;
        call->stats.rotations++;
        send_key_to_all(call, host, index);
        call_push(call, ITEM_BURST, activates_usec - BURST_USEC / 2, host, 0, BURST_WITH_GONE, NULL);
        call_push(call, ITEM_BURST, activates_usec + BURST_USEC / 2, host, 0, BURST_WITH_GONE, NULL);
}

/* Nobody but us can invent the successor of this key. */
static void rotate_own(Call *call, unsigned host, uint32_t index) {
        Member *member = &call->members[host];
        bool at_key_frame = member->host.config.activate_at_key_frame;
        uint32_t key;
        const KeyKnown *known = new_key(call, false, &key);

        MUST(index != model_sender_active(call->model, host));
        host_import(&member->host, host, index, &known->secret, 0);
        model_sender_install(call->model, host, index, key, 0, false, world_now());
        call_note(REPORT_INSTALLED, host, host, key, index, 0);
        if (model_sender_active(call->model, host) != index) {
                host_activate(&member->host, index, ACTIVATE_USEC, at_key_frame);
                model_sender_plan(call->model, host, index, world_now() + ACTIVATE_USEC, at_key_frame);
        }
        installed(call, host, index, world_now() + ACTIVATE_USEC);
}

static void first_key(Call *call, unsigned host) {
        Member *member = &call->members[host];
        uint32_t index = (uint32_t)random_below(&call->random, MODEL_RING), key;
        bool made_here = member->made_here;
        const KeyKnown *known = new_key(call, made_here, &key);

        if (made_here)
                host_generate(&member->host, index);
        else
                host_import(&member->host, host, index, &known->secret, 0);
        model_sender_install(call->model, host, index, key, 0, made_here, world_now());
        call_note(REPORT_INSTALLED, host, host, key, index, 0);
        send_key_to_all(call, host, index);
}

/* ---- who is in the call ---- */

static void update_followed(Call *call, unsigned host) {
        bool any = false, all = true;

        for (unsigned k = 0; k < call->config.n_hosts; k++)
                if (model_view_is_open(call->model, host, k)) {
                        any = true;
                        all = all && !call->members[k].one_step;
                }
        model_sender_set_followed(call->model, host, any && all);
}

static void know(Call *call, unsigned host, unsigned other) {
        host_add(&call->members[host].host, other, !call->members[other].one_step);
        model_view_open(call->model, host, other, world_now());
        app_forget_stall(call, other, host);
        call->members[host].exclude_usec[other] = 0;
        update_followed(call, host);
}

/* How long it may take until a sender that hears of a leave uses a key that the other does not have. */
static uint64_t exclusion(const Call *call, const Member *member) {
        uint64_t usec = member->host.config.coalesce_usec + 2 * USEC_PER_SEC;

        if (member->host.config.activate_at_key_frame)
                usec += SESSION_KEY_FRAME_WAIT_USEC;
        /* The server answers the first who asks, and its key has to arrive and to become active. */
        return call->config.shared ? usec + 2 * USEC_PER_SEC : usec;
}

void app_exclude(Call *call, unsigned host, unsigned other) {
        Member *member = &call->members[host];

        member->exclude_usec[other] = MAX_OF(member->exclude_usec[other], world_now() + exclusion(call, member));
}

static void introduce(Call *call, unsigned host, MessageKind kind) {
        for (unsigned k = 0; k < call->config.n_hosts; k++)
                if (k != host && call->members[k].present)
                        know(call, host, k);
                else if (k != host)
                        app_exclude(call, host, k);
        post_all(call, host, kind);
        if (!call->config.shared)
                first_key(call, host);
        call_turn(call, host);
}

void app_joined(Call *call, unsigned host) {
        introduce(call, host, MESSAGE_JOINED);
        if (call->config.shared)
                shared_send(call, host);
}

void app_restarted(Call *call, unsigned host) {
        introduce(call, host, MESSAGE_RESTARTED);
        if (call->config.shared)
                shared_rotate(call, SHARED_ALWAYS);
}

void app_left(Call *call, unsigned host) {
        post_all(call, host, MESSAGE_LEFT);
}

static void hear_join(Call *call, unsigned host, unsigned joiner) {
        bool must = random_chance(&call->random, 150);
        uint64_t due, expected;

        know(call, host, joiner);
        due = session_joined(call->members[host].host.session, must);
        expected = model_sender_joined(call->model, host, world_now());
        if (due != expected)
                report_fail(joiner, host, "the step for a newcomer is due at another time than it should be");
        call_turn(call, host);
        if (!call->config.shared)
                call_push(call, ITEM_HAND_OVER, due, host, joiner, must, NULL);
}

/* The newcomer gets the key in its new state; if others are to be asked for a new one, that one only. */
void app_hand_over(Call *call, const QueueItem *item) {
        const Member *member = &call->members[item->from];
        bool must = item->number, wait = must && !member->made_here;

        if (member->asleep)
                call_push(call, ITEM_HAND_OVER, member->wakes_usec, item->from, item->to, must, NULL);
        if (!call_runs(call, item->from))
                return;
        call_turn(call, item->from);
        if (!model_view_is_open(call->model, item->from, item->to))
                return;
        if (!wait || model_sender_next(call->model, item->from) == MODEL_NONE)
                send_keys(call, item->from, item->to);
}

static void hear_leave(Call *call, unsigned host, unsigned leaver) {
        Member *member = &call->members[host];

        if (!model_view_is_open(call->model, host, leaver))
                return;
        host_remove(&member->host, leaver);
        model_view_close(call->model, host, leaver);
        app_forget_stall(call, leaver, host);
        update_followed(call, host);
        (void)session_left(member->host.session);
        app_exclude(call, host, leaver);
        call_turn(call, host);
}

/* ---- keys of others ---- */

/* The order of installation is the order of age to a receiver: an older key must not come after a newer one. */
static bool has_newer(const Call *call, unsigned host, unsigned from, uint32_t key) {
        for (uint32_t i = 0; i < MODEL_RING; i++) {
                const ModelHeld *held = model_held(call->model, host, from, i);

                if (held && held->key > key)
                        return true;
        }
        return false;
}

static void hear_key(Call *call, unsigned host, unsigned from, const Message *message) {
        Host *to = &call->members[host].host;
        const ModelHeld *held;

        if (!model_view_is_open(call->model, host, from) || has_newer(call, host, from, message->key))
                return;
        held = model_held(call->model, host, from, message->index);
        if (held && held->key == message->key && held->low >= message->step &&
            model_alive(call->model, host, from, message->index, world_now()) == MODEL_OPENS)
                return; /* an old message: it would take us back */
        if (message->len > 0)
                host_import_wrapped(to, from, message->index, message->package, message->len, message->step);
        else
                host_import(to, from, message->index, &call->keys[message->key].secret, message->step);
        call->stats.handed++;
        model_hand(call->model, host, from, message->index, message->key, message->step, world_now());
        call_note(REPORT_HANDED, from, host, message->key, message->index, message->step);
        call_turn(call, host);
}

static void hear(Call *call, unsigned host, unsigned from, const Message *message) {
        switch (message->kind) {
        case MESSAGE_JOINED:
                hear_join(call, host, from);
                break;
        case MESSAGE_LEFT:
                hear_leave(call, host, from);
                break;
        case MESSAGE_RESTARTED:
                app_forget_stall(call, from, host);
                if (!call->config.shared)
                        send_keys(call, host, from);
                break;
        case MESSAGE_KEY:
                hear_key(call, host, from, message);
                break;
        case MESSAGE_REQUEST:
                call->stats.rehanded++;
                if (model_view_is_open(call->model, host, from))
                        send_keys(call, host, from);
                break;
        case MESSAGE_SHARED_KEY:
                shared_arrived(call, host, message->step, &message->shared);
                break;
        }
}

void app_post_shared(Call *call, unsigned to, uint32_t step, const SharedKeyKnown *key) {
        post(call, SERVER, to, &(Message){ .kind = MESSAGE_SHARED_KEY, .step = step, .shared = *key });
}

/* Messages wait for a host that sleeps, in order, and are lost with the session that they were meant for. */
void app_message(Call *call, const QueueItem *item) {
        Member *member = &call->members[item->to];
        Message *message = item->data;
        Pair *pair = &call->pairs[item->from][item->to];

        if (member->present && member->asleep && message->to_epoch == member->epoch) {
                pair->arrival_usec = MAX_OF(pair->arrival_usec, member->wakes_usec + 20 * USEC_PER_MSEC);
                call_push(call, ITEM_MESSAGE, pair->arrival_usec, item->from, item->to, 0, message);
                return;
        }
        if (member->present && message->to_epoch == member->epoch) {
                call_turn(call, item->to);
                hear(call, item->to, item->from, message);
        }
        free(message);
}

/* ---- what the key layer says ---- */

void app_forget_stall(Call *call, unsigned from, unsigned to) {
        call->pairs[from][to].stalled = false;
        call->pairs[from][to].failing.since_usec = 0;
}

void app_nag(Call *call, const QueueItem *item) {
        const Member *member = &call->members[item->to];
        const Pair *pair = &call->pairs[item->from][item->to];
        bool fails = pair->failing.since_usec > 0 && world_now() - pair->failing.last_usec < NAG_USEC;

        if (!pair->stalled || !member->present || !model_view_is_open(call->model, item->to, item->from))
                return;
        if (fails && !member->asleep && !call->config.shared)
                post(call, item->to, item->from, &(Message){ .kind = MESSAGE_REQUEST });
        else if (fails && !member->asleep)
                shared_help(call, item->to);
        call_push(call, ITEM_NAG, world_now() + NAG_USEC, item->from, item->to, 0, NULL);
}

static void hear_stall(Call *call, unsigned host, const SessionEvent *event) {
        unsigned from = host_other(&call->members[host].host, event->participant);

        if (from == MODEL_NONE || event->state == SESSION_STREAM_UNENCRYPTED || event->state == SESSION_STREAM_REPLAYED)
                return;
        call->stats.stalled++;
        call_note(REPORT_STALLED, from, host, 0, event->index & 0xff, 0);
        if (!call->pairs[from][host].stalled && call->members[host].present)
                call_push(call, ITEM_NAG, world_now(), from, host, 0, NULL);
        call->pairs[from][host].stalled = true;
}

static bool is_own(const Call *call, unsigned host, uint32_t participant) {
        return participant == (call->config.shared ? SESSION_SHARED : call->members[host].host.local);
}

static void hear_step(Call *call, unsigned host, const SessionEvent *event) {
        unsigned from = host_other(&call->members[host].host, event->participant);
        const ModelHeld *held;
        uint32_t step, key;

        if (is_own(call, host, event->participant)) {
                key = model_sender_key(call->model, host, event->index, world_now(), &step);
                call_note(REPORT_STEPPED, host, host, key, event->index, event->step);
                if (model_sender_active(call->model, host) != event->index || step != event->step)
                        report_fail(host, host, "the sender went to step %u, and should be at %u", event->step, step);
                call->stats.steps++;
                traffic_burst(call, host, BURST_USEC + BURST_USEC / 4);
                audit_step(call, host, event->index, event->step);
                return;
        }
        held = from == MODEL_NONE ? NULL : model_held(call->model, host, from, event->index);
        call_note(REPORT_FOLLOWED, from, host, held ? held->key : 0, event->index, event->step);
        if (!held || held->low != event->step || held->high != event->step)
                report_fail(from, host, "the receiver says it followed to step %u, and opened none of it", event->step);
}

static void hear_wiped(Call *call, unsigned host, const SessionEvent *event) {
        unsigned from = host_other(&call->members[host].host, event->participant);
        const ModelHeld *held = from == MODEL_NONE ? NULL : model_held(call->model, host, from, event->index);

        call->stats.wiped++;
        call_note(REPORT_WIPED, from == MODEL_NONE ? host : from, host, held ? held->key : 0, event->index,
                  event->step);
        if (held &&
            model_expect(call->model, host, from, event->index, held->key, event->step, world_now()) == MODEL_OPENS)
                report_fail(from, host, "a step is wiped that frames still have to open with");
}

static void hear_installed(Call *call, unsigned host, const SessionEvent *event) {
        const SessionConfig *config = &call->members[host].host.config;
        uint64_t activates = world_now() + config->activate_after_usec;
        uint32_t key;

        (void)new_key(call, true, &key);
        MUST(call->members[host].made_here && is_own(call, host, event->participant) && event->usec == activates);
        model_sender_install(call->model, host, event->index, key, 0, true, world_now());
        call_note(REPORT_INSTALLED, host, host, key, event->index, 0);
        model_sender_plan(call->model, host, event->index, activates, config->activate_at_key_frame);
        installed(call, host, event->index, activates);
}

static void hear_request(Call *call, unsigned host, const SessionEvent *event) {
        MUST(!call->members[host].made_here && is_own(call, host, event->participant));
        call->stats.requests++;
        call_note(REPORT_ASKED, host, host, 0, event->index, 0);
        if (!call->members[host].present)
                return;
        if (call->config.shared)
                shared_rotate(call, event->reason == SESSION_REASON_LEFT ? SHARED_LEFT : SHARED_SELDOM);
        else
                rotate_own(call, host, event->index);
}

void app_event(Call *call, unsigned host, const SessionEvent *event) {
        unsigned from;

        switch (event->type) {
        case SESSION_EVENT_INSTALLED:
                hear_installed(call, host, event);
                break;
        case SESSION_EVENT_ACTIVATED:
                MUST(event->index == model_sender_active(call->model, host));
                break;
        case SESSION_EVENT_RATCHETED:
                hear_step(call, host, event);
                break;
        case SESSION_EVENT_WIPED:
                hear_wiped(call, host, event);
                break;
        case SESSION_EVENT_ROTATION_REQUESTED:
                hear_request(call, host, event);
                break;
        case SESSION_EVENT_ALL_FOLLOWED:
                call->stats.all_followed++;
                break;
        case SESSION_EVENT_STALLED:
                hear_stall(call, host, event);
                break;
        case SESSION_EVENT_RESUMED:
                from = host_other(&call->members[host].host, event->participant);
                if (from != MODEL_NONE) {
                        call_note(REPORT_RESUMED, from, host, 0, event->index & 0xff, 0);
                        call->pairs[from][host].stalled = false;
                }
                break;
        case SESSION_EVENT_EXPIRING:
        case SESSION_EVENT_UNENCRYPTED:
                break;
        }
}
