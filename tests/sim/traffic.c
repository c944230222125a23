/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames: sealed once, carried to everybody by a network that loses, delays, doubles and reorders, and opened
 * there. Some lost ones turn up much later, some accepted ones are sent again, and some are forged.
 */
#include "tests/sim/call.h"

#include "util/entropy.h"

#include <framekey.h>

#define PLAIN_MAX 64u
/* Others that hear a burst, beside whoever it is for. */
#define BURST_OTHERS 6u
/* A receiver that gets frames and opens none is helped by its app well before this. */
#define LATCH_USEC (60 * USEC_PER_SEC)
/* Of 65,536 frames. */
#define LOST     3277u
#define DELAYED  330u
#define DOUBLED  660u
#define REPLAYED 130u
#define FORGED   200u
#define STASHED  2000u /* of the lost ones */

typedef struct Packet {
        unsigned n_refs;
        uint8_t from;
        uint8_t stream;
        uint8_t index;
        uint8_t frame_type;
        uint32_t key;
        uint32_t step;
        uint64_t sent_usec;
        uint64_t accepted; /* by these hosts, as bits */
        uint32_t timestamp;
        uint16_t clear_len;
        uint16_t plain_len;
        uint16_t len;
        uint8_t plain[PLAIN_MAX];
        uint8_t bytes[PLAIN_MAX + 32];
} Packet;

static void packet_unref(Packet *packet) {
        if (--packet->n_refs == 0)
                free(packet);
}

static void push(Call *call, CallItem kind, uint64_t at_usec, unsigned to, uint32_t number, Packet *packet) {
        packet->n_refs++;
        queue_push(&call->queue, &(QueueItem){ .at_usec = at_usec,
                                               .kind = (uint8_t)kind,
                                               .from = packet->from,
                                               .to = (uint8_t)to,
                                               .number = number,
                                               .data = packet });
}

void traffic_drop(QueueItem *item) {
        packet_unref(item->data);
}

/* ---- the network ---- */

/* Something that resembles a frame of the sender. */
static void forge(Call *call, const Packet *packet, unsigned to) {
        Packet *bogus = malloc(sizeof(*bogus));
        uint64_t kind = random_below(&call->random, 4);

        MUST(bogus);
        *bogus = *packet;
        bogus->n_refs = 0;
        bogus->key = 0;
        if (kind == 0)
                bogus->len = (uint16_t)random_below(&call->random, bogus->len);
        else if (kind == 1)
                random_fill(&call->random, bogus->bytes + bogus->clear_len, bogus->plain_len - bogus->clear_len + 16u);
        else
                bogus->bytes[random_below(&call->random, bogus->len)] ^=
                        (uint8_t)(1u << random_below(&call->random, 8));
        push(call, ITEM_BOGUS, world_now() + INSTANT_USEC * (1 + random_below(&call->random, 30)), to, 0, bogus);
}

static uint64_t stash_delay(Call *call) {
        switch (random_below(&call->random, 4)) {
        case 0:
                return call_delay(call, 1600 * USEC_PER_MSEC, 6 * USEC_PER_SEC);
        case 1:
                return call_delay(call, 6 * USEC_PER_SEC, MINUTE_USEC);
        default:
                return call_delay(call, MINUTE_USEC, HOUR_USEC);
        }
}

static void transmit(Call *call, Packet *packet, unsigned to) {
        uint64_t r = random_next(&call->random), now = world_now();
        uint32_t first = r & 0xffff, second = (r >> 16) & 0xffff, third = (r >> 32) & 0xffff, fourth = r >> 48;
        uint64_t at = now + INSTANT_USEC * (1 + (second * 30 >> 16));

        if (fourth < FORGED)
                forge(call, packet, to);
        if (first < LOST) {
                call->stats.lost++;
                if (third < STASHED)
                        push(call, ITEM_DELIVER, now + stash_delay(call), to, 0, packet);
                return;
        }
        if (third < DELAYED)
                at = now + 1500 * USEC_PER_MSEC;
        push(call, ITEM_DELIVER, at, to, 0, packet);
        if (third >= DELAYED && third < DELAYED + DOUBLED)
                push(call, ITEM_DELIVER, now + INSTANT_USEC * (1 + random_below(&call->random, 30)), to, 0, packet);
}

/* ---- senders ---- */

static void check_excluded(Call *call, unsigned from, uint32_t key) {
        uint64_t holders = model_holders(call->model, key);

        for (unsigned i = 0; i < call->config.n_hosts; i++) {
                uint64_t since = call->members[from].exclude_usec[i];

                if (since > 0 && since <= world_now() && (holders & UINT64_C(1) << i))
                        report_fail(from, i, "a frame is sent under a key that a host has that left");
        }
}

static void choose_plain(Call *call, Member *member, Packet *packet) {
        bool video = packet->stream == MODEL_VIDEO;

        packet->frame_type = FRAMEKEY_FRAME_UNSPECIFIED;
        packet->clear_len = 1;
        packet->plain_len = (uint16_t)(12 + random_below(&call->random, 20));
        if (video) {
                bool key_frame = member->key_frame_wanted || member->n_video++ % 16 == 0;

                member->key_frame_wanted = false;
                packet->frame_type = key_frame ? FRAMEKEY_FRAME_KEY : FRAMEKEY_FRAME_DELTA;
                packet->clear_len = key_frame ? 10 : 3;
                packet->plain_len += 24;
        }
        random_fill(&call->random, packet->plain, packet->plain_len);
}

/* Whether it has gone on for too long: without a pause, in which nothing was tried. */
static bool latched(Trouble *trouble) {
        uint64_t now = world_now();

        if (trouble->since_usec == 0 || now - trouble->last_usec > 3 * THIN_USEC)
                trouble->since_usec = now;
        trouble->last_usec = now;
        return now - trouble->since_usec > LATCH_USEC;
}

/* NULL: nothing can be sent. */
static Packet *seal(Call *call, Member *member, unsigned stream) {
        FrameRequest request = { 0 };
        ModelSealed expected;
        FrameResult result;
        Packet *packet = malloc(sizeof(*packet));
        uint8_t iv[12];

        MUST(packet);
        packet->n_refs = 1;
        packet->from = (uint8_t)member->host.id;
        packet->stream = (uint8_t)stream;
        packet->accepted = 0;
        packet->sent_usec = world_now();
        packet->timestamp = (uint32_t)(world_now() / 1000);
        choose_plain(call, member, packet);
        expected = model_sender_seal(call->model, member->host.id, stream, packet->frame_type == FRAMEKEY_FRAME_KEY,
                                     world_now());
        entropy_fill_ivs(iv, 1);
        request = (FrameRequest){ .frame = packet->plain,
                                  .len = packet->plain_len,
                                  .clear_len = packet->clear_len,
                                  .frame_type = packet->frame_type,
                                  .iv = iv,
                                  .ssrc = member->host.id * MODEL_STREAMS + stream,
                                  .rtp_timestamp = packet->timestamp };
        host_process(&member->host, member->host.send[stream], &request, packet->bytes, sizeof(packet->bytes), &result);
        if (result.flags & FRAMEKEY_RESULT_KEYFRAME_WANTED)
                member->key_frame_wanted = true;
        packet->key = expected.key;
        packet->index = (uint8_t)expected.index;
        packet->step = expected.step;
        packet->len = (uint16_t)result.len;
        report_note(&(ReportRecord){ .kind = REPORT_SEALED,
                                     .from = packet->from,
                                     .to = REPORT_NOBODY,
                                     .key = expected.key,
                                     .index = (uint8_t)result.key_index,
                                     .step = result.step,
                                     .verdict = (int16_t)result.verdict });
        if (expected.allowed != (result.verdict == FRAMEKEY_OK))
                report_fail(packet->from, packet->from, "sealing ended with \"%s\", and %s allowed",
                            framekey_verdict_name(result.verdict), expected.allowed ? "was" : "was not");
        if (expected.allowed && (result.key_index != expected.index || result.step != expected.step))
                report_fail(packet->from, packet->from, "sent under index %u step %u instead of index %u step %u",
                            result.key_index, result.step, expected.index, expected.step);
        if (!expected.allowed) {
                if (latched(&member->refused))
                        report_fail(packet->from, packet->from, "the sender has had no key for a minute");
                packet_unref(packet);
                return NULL;
        }
        member->refused.since_usec = 0;
        check_excluded(call, packet->from, packet->key);
        call->stats.sealed++;
        return packet;
}

static void send_frame(Call *call, unsigned from, unsigned stream, bool full) {
        Packet *packet = seal(call, &call->members[from], stream);

        if (!packet)
                return;
        for (unsigned to = 0; to < call->config.n_hosts; to++)
                if (to != from && call->members[to].host.session &&
                    call->pairs[from][to].deaf_until_usec <= world_now() &&
                    (!full || call->pairs[from][to].full_until_usec > world_now()))
                        transmit(call, packet, to);
        packet_unref(packet);
}

void traffic_thin(Call *call, const QueueItem *item) {
        const Member *member = &call->members[item->from];
        uint64_t step = model_sender_next_step(call->model, item->from);

        call_push(call, ITEM_THIN, item->at_usec + THIN_USEC, item->from, 0, 0, NULL);
        if (!call_runs(call, item->from) || !member->present)
                return;
        for (unsigned s = 0; s < MODEL_STREAMS; s++)
                if (!member->muted[s])
                        send_frame(call, item->from, s, false);
        /* The step that comes, from half a burst before it on. */
        if (step > item->at_usec + BURST_USEC / 2 && step <= item->at_usec + BURST_USEC / 2 + THIN_USEC)
                call_push(call, ITEM_BURST, step - BURST_USEC / 2, item->from, 0, 0, NULL);
}

void traffic_full(Call *call, const QueueItem *item) {
        unsigned from = item->from, stream = item->to;
        Member *member = &call->members[from];
        /* 50 and 33 frames a second. */
        uint64_t interval = stream == MODEL_AUDIO ? 2 * INSTANT_USEC : 3 * INSTANT_USEC;

        if (!call_runs(call, from) || !member->present || member->muted[stream] ||
            member->full_until_usec <= world_now()) {
                member->full[stream] = false;
                return;
        }
        send_frame(call, from, stream, true);
        call_push(call, ITEM_FULL, world_now() + interval, from, stream, 0, NULL);
}

void traffic_burst_pair(Call *call, unsigned from, unsigned to, uint64_t usec) {
        Member *member = &call->members[from];
        Pair *pair = &call->pairs[from][to];

        if (from == to || !member->present)
                return;
        pair->full_until_usec = MAX_OF(pair->full_until_usec, world_now() + usec);
        member->full_until_usec = MAX_OF(member->full_until_usec, pair->full_until_usec);
        for (unsigned s = 0; s < MODEL_STREAMS; s++)
                if (!member->full[s] && !member->muted[s]) {
                        member->full[s] = true;
                        call_push(call, ITEM_FULL, world_now() + INSTANT_USEC, from, s, 0, NULL);
                }
}

void traffic_burst(Call *call, unsigned from, uint64_t usec) {
        for (unsigned n = 0; n < BURST_OTHERS; n++) {
                unsigned to = (unsigned)random_below(&call->random, call->config.n_hosts);

                if (call->members[to].present)
                        traffic_burst_pair(call, from, to, usec);
        }
}

/* Who is gone hears it too, and must not understand it. */
void traffic_burst_item(Call *call, const QueueItem *item) {
        traffic_burst(call, item->from, BURST_USEC / 2);
        for (unsigned to = 0; item->number == BURST_WITH_GONE && to < call->config.n_hosts; to++)
                if (call->members[to].host.session && !call->members[to].present)
                        traffic_burst_pair(call, item->from, to, BURST_USEC / 2);
}

/* ---- receivers ---- */

static void note(ReportKind kind, const Packet *packet, unsigned to, int verdict) {
        report_note(&(ReportRecord){ .kind = kind,
                                     .from = packet->from,
                                     .to = (uint8_t)to,
                                     .key = packet->key,
                                     .index = packet->index,
                                     .step = packet->step,
                                     .verdict = (int16_t)verdict });
}

/* What must become of it. */
static ModelVerdict expect(const Call *call, const Packet *packet, const QueueItem *item) {
        const Model *model = call->model;
        const SessionConfig *config = &call->members[item->to].host.config;
        ModelVerdict verdict =
                model_expect(model, item->to, packet->from, packet->index, packet->key, packet->step, world_now());
        const ModelHeld *held = model_held(model, item->to, packet->from, packet->index);
        bool forgotten = item->kind == ITEM_REPLAY &&
                         model_n_opened(model, item->to, packet->from) - item->number >= config->replay_window;

        if (!(packet->accepted & UINT64_C(1) << item->to) || verdict == MODEL_REFUSED)
                return verdict;
        /* It was opened here. What is newer than that does not know: a session, a participant, a key once more. */
        return forgotten || packet->sent_usec < model_view_since(model, item->to, packet->from) ||
                               packet->sent_usec < held->installed_usec
                       ? MODEL_EITHER
                       : MODEL_REFUSED;
}

static void note_opened(Call *call, Packet *packet, unsigned to) {
        const ModelHeld *held = model_held(call->model, to, packet->from, packet->index);

        call->stats.graced += packet->step < held->low;
        call->stats.opened++;
        model_opened(call->model, to, packet->from, packet->index, packet->step, world_now());
        packet->accepted |= UINT64_C(1) << to;
        call->pairs[packet->from][to].failing.since_usec = 0;
        if (random_below(&call->random, 65536) < REPLAYED)
                push(call, ITEM_REPLAY, world_now() + stash_delay(call), to,
                     model_n_opened(call->model, to, packet->from), packet);
}

static void note_refusal(Call *call, const Packet *packet, unsigned to) {
        Pair *pair = &call->pairs[packet->from][to];

        call->stats.refused++;
        if (!call->members[to].present || world_now() - packet->sent_usec > BURST_USEC)
                return;
        if (latched(&pair->failing))
                report_fail(packet->from, to, "no frame has opened for a minute");
}

static void open_packet(Call *call, Packet *packet, const QueueItem *item) {
        Host *host = &call->members[item->to].host;
        bool bogus = item->kind == ITEM_BOGUS, again = packet->accepted & UINT64_C(1) << item->to;
        ModelVerdict expected = bogus ? MODEL_REFUSED : expect(call, packet, item);
        uint8_t out[sizeof(packet->bytes)];
        FrameResult result;
        FrameRequest request = { .frame = packet->bytes,
                                 .len = packet->len,
                                 .clear_len = MIN_OF(packet->clear_len, packet->len),
                                 .frame_type = packet->frame_type,
                                 .ssrc = packet->from * MODEL_STREAMS + packet->stream,
                                 .rtp_timestamp = packet->timestamp };

        if (host_process(host, host->receive[packet->from][packet->stream], &request, out, sizeof(out), &result) < 0)
                report_fail(packet->from, item->to, "opening failed on our side: %s", strerror(-result.verdict));
        note(bogus ? REPORT_BOGUS : (again ? REPORT_REPLAY : REPORT_OPENED), packet, item->to, result.verdict);
        if (expected == MODEL_OPENS && result.verdict != FRAMEKEY_OK)
                report_fail(packet->from, item->to, "an authentic frame (key %u step %u) is lost: %s", packet->key,
                            packet->step, framekey_verdict_name(result.verdict));
        if (expected == MODEL_REFUSED && result.verdict == FRAMEKEY_OK)
                report_fail(packet->from, item->to, "a frame opens %s (key %u step %u)",
                            bogus ? "that nobody sealed"
                                  : (again ? "for the second time" : "whose key is not here, or dead"),
                            packet->key, packet->step);
        if (result.verdict == FRAMEKEY_OK &&
            (result.len != packet->plain_len || memcmp(out, packet->plain, result.len) != 0))
                report_fail(packet->from, item->to, "a frame opens to other bytes than were sealed");

        call->stats.either += expected == MODEL_EITHER;
        if (bogus)
                call->stats.bogus++;
        else if (result.verdict == FRAMEKEY_OK)
                note_opened(call, packet, item->to);
        else if (again)
                call->stats.replays++;
        else
                note_refusal(call, packet, item->to);
}

void traffic_deliver(Call *call, const QueueItem *item) {
        const Member *member = &call->members[item->to];
        Packet *packet = item->data;

        if (member->host.session && member->asleep) {
                /* Some wait in a socket's buffer. */
                if (random_below(&call->random, 16) == 0)
                        push(call, (CallItem)item->kind, member->wakes_usec, item->to, item->number, packet);
        } else if (member->host.session && member->host.receive[packet->from][packet->stream])
                open_packet(call, packet, item);
        packet_unref(packet);
}
