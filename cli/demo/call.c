/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sending, receiving, and the two key changes in between; see call.h.
 *
 *   frames   0 ............ half ............ 70 % ............ end
 *   keys     index 1, step 0 | index 1, step 1 | index 2, step 0
 *            passphrase        ratchet           rotation: another passphrase
 *
 * Under SFrame and DAVE random bytes take the place of passphrases; DAVE has no ratchet.
 */
#include "cli/demo/call.h"

#include "cli/demo/key-entry.h"
#include "cli/demo/stopwatch.h"

#include <stdio.h>

/* Indices start at 1: the last byte of a frame is its key index, and whoever cuts a byte stream of H.264 again
 * takes zeros at the end of a frame for part of the next start code. */
#define FIRST_INDEX  1u
#define SECOND_INDEX 2u
#define RATCHET_AT   50u /* percent of all frames */
#define ROTATE_AT    70u
/* A daemon that just started derives its keys ahead while the media are encoded; on a busy machine it may need
 * longer. */
#define DERIVE_USEC (60 * USEC_PER_SEC)
#define RETRY_USEC  (20 * USEC_PER_MSEC)
#define FRAME_USEC  (10 * USEC_PER_SEC) /* one frame takes microseconds; this is for machines that stall */

typedef struct Turn {
        uint64_t usec;
        size_t stream;
        size_t frame;
} Turn;

/* ---- keys ---- */

const char *call_key_name(const Call *call) {
        return call->sender->takes_passphrases ? "passphrase" : "key";
}

/* Distribute, then use: the receiver has the key before anybody sends under it. */
static int bring_key(Call *call, uint32_t index) {
        int fds[2] = { -EBADF, -EBADF };
        uint64_t usec = 0;
        int r;

        r = key_entry(call->sender->takes_passphrases ? KEY_PASSPHRASE : KEY_BYTES, fds, &usec);
        if (r < 0)
                return progress_fail(call->progress, "Cannot make a key: %s.", strerror(-r));
        call->n_passphrases++;
        call->passphrase_usec = MAX_OF(call->passphrase_usec, usec);
        r = peer_import(call->receiver, index, &fds[0]);
        if (r == CLI_OK)
                r = peer_import(call->sender, index, &fds[1]);
        close_fd(fds[0]);
        close_fd(fds[1]);
        return r;
}

int call_import_first_key(Call *call) {
        call->first_index = call->last_index = FIRST_INDEX;
        return bring_key(call, FIRST_INDEX);
}

static int ratchet(Call *call) {
        Peer *sender = call->sender;
        uint32_t step;

        if (!sender->steps)
                return CLI_OK;
        if (framekey_session_ratchet(sender->session, sender->key_holder, FIRST_INDEX, &step) < 0)
                return peer_fail(sender, "ratchet its key");
        call->ratchet_steps++;
        progress_note(call->progress, "sender ratchets key %u to step %u; the receiver is not told", FIRST_INDEX, step);
        return CLI_OK;
}

static int rotate(Call *call) {
        Peer *sender = call->sender;
        int r;

        r = bring_key(call, SECOND_INDEX);
        if (r != CLI_OK)
                return r;
        if (framekey_session_activate(sender->session, sender->key_holder, SECOND_INDEX, NULL) < 0)
                return peer_fail(sender, "activate its key");
        call->last_index = SECOND_INDEX;
        progress_note(call->progress,
                      "rotation: a new %s under index %u, receiver first, then the sender sends under it",
                      call_key_name(call), SECOND_INDEX);
        return CLI_OK;
}

static int retire(Peer *peer) {
        int r = framekey_session_retire_key(peer->session, peer->key_holder, FIRST_INDEX);

        return r < 0 ? peer_fail(peer, "retire the first key") : CLI_OK;
}

/* Nothing is under way under it any more. */
static int retire_first_key(Call *call) {
        int r = retire(call->sender);

        if (r == CLI_OK)
                r = retire(call->receiver);
        if (r == CLI_OK)
                progress_note(call->progress, "both retire key %u", FIRST_INDEX);
        return r;
}

/* A number that rises with each key change. */
static uint32_t key_age(uint32_t index, uint32_t step) {
        return index * 1000 + step;
}

/* Whether the receiver stands where the sender's ratchet stands: it has opened a frame of that step. */
static bool has_followed(const Call *call) {
        return call->ratchet_steps == 0 || call->newest >= key_age(FIRST_INDEX, call->ratchet_steps);
}

/* ---- frames ---- */

static int latency_add(Latency *latency, uint64_t nsec) {
        if (latency->n == latency->allocated) {
                size_t allocated = latency->allocated > 0 ? latency->allocated * 2 : 1024;
                uint64_t *grown = reallocarray(latency->nsec, allocated, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                latency->nsec = grown;
                latency->allocated = allocated;
        }
        latency->nsec[latency->n++] = nsec;
        return 0;
}

static struct framekey_frame describe(const Media *media, size_t frame, const Peer *peer, size_t stream) {
        const MediaFrame *facts = &media->frames[frame];
        bool video = media->kind->media == FRAMEKEY_MEDIA_VIDEO;

        return (struct framekey_frame){
                .size = sizeof(struct framekey_frame),
                .stream = peer->streams[stream],
                .frame_type = !video       ? FRAMEKEY_FRAME_UNSPECIFIED
                              : facts->key ? FRAMEKEY_FRAME_KEY
                                           : FRAMEKEY_FRAME_DELTA,
                .ssrc = 1000 + (uint32_t)stream,
                .rtp_timestamp = (uint32_t)(facts->usec * media->kind->clock_rate / USEC_PER_SEC),
        };
}

static int fail_frame(Call *call, const Peer *peer, size_t stream, size_t frame, int verdict, int expected) {
        return progress_fail(call->progress, "The %s's daemon answered '%s' to frame %zu of %s, and '%s' was right. %s",
                             peer->name, verdict < 0 ? strerror(-verdict) : framekey_verdict_name(verdict), frame,
                             call->media[stream].kind->name, framekey_verdict_name(expected),
                             verdict == FRAMEKEY_OK ? "" : framekey_verdict_text(verdict));
}

static int send_frame(Call *call, size_t stream, size_t frame) {
        Media *media = &call->media[stream];
        StreamResult *result = &call->results[stream];
        struct framekey_frame facts = describe(media, frame, call->sender, stream);
        const Bytes *plain = media_bytes(media, MEDIA_INPUT, frame);
        size_t capacity = framekey_sealed_max(call->sender->channel, facts.stream, plain->len), len = 0;
        _cleanup_free_ uint8_t *sealed = malloc(capacity + 1);
        const char *fate = NULL;
        uint64_t begun;
        int r;

        if (!sealed)
                return progress_fail(call->progress, "Out of memory.");
        begun = monotonic_nsec();
        r = framekey_encrypt(call->sender->channel, &facts, plain->data, plain->len, sealed, capacity, &len, NULL,
                             FRAME_USEC);
        if (latency_add(&result->encrypt, monotonic_nsec() - begun) < 0)
                r = -ENOMEM;
        if (r != FRAMEKEY_OK)
                return fail_frame(call, call->sender, stream, frame, r, FRAMEKEY_OK);
        result->n_frames++;
        result->bytes += plain->len;
        result->sealed_bytes += len;

        r = media_keep(media, MEDIA_ENCRYPTED, frame, sealed, len);
        if (r == 0)
                r = network_send(call->network, stream, frame, sealed, len, &fate);
        if (r < 0)
                return progress_fail(call->progress, "Cannot send a frame: %s.", strerror(-r));
        if (fate)
                progress_note(call->progress, "network %s frame %zu of %s", fate, frame, media->kind->name);
        return CLI_OK;
}

/* One try; the output is kept if there is any. */
static int open_packet(Call *call, const Packet *packet, struct framekey_result *ret) {
        Media *media = &call->media[packet->stream];
        struct framekey_frame facts = describe(media, packet->frame, call->receiver, packet->stream);
        size_t capacity = framekey_opened_max(call->receiver->channel, facts.stream, packet->len), len = 0;
        _cleanup_free_ uint8_t *plain = malloc(capacity + 1);
        uint64_t begun;
        int verdict;

        if (!plain)
                return -ENOMEM;
        *ret = (struct framekey_result){ .size = sizeof(*ret) };
        begun = monotonic_nsec();
        verdict = framekey_decrypt(call->receiver->channel, &facts, packet->bytes, packet->len, plain, capacity, &len,
                                   ret, FRAME_USEC);
        if (latency_add(&call->results[packet->stream].decrypt, monotonic_nsec() - begun) < 0)
                return -ENOMEM;
        if (verdict == FRAMEKEY_OK) {
                int r = media_keep(media, MEDIA_DECRYPTED, packet->frame, plain, len);

                if (r < 0)
                        return r;
        }
        return verdict;
}

static enum framekey_verdict expected_verdict(const Packet *packet) {
        return packet->altered ? FRAMEKEY_VERDICT_FORGED : packet->repeated ? FRAMEKEY_VERDICT_REPLAYED : FRAMEKEY_OK;
}

/* As open_packet(). A frame of the next ratchet step opens once the receiver's daemon has derived that step, which it
 * does when nothing else wants the processor; in a call, minutes before. */
static int open_in_time(Call *call, const Packet *packet, struct framekey_result *ret) {
        uint64_t until = monotonic_usec() + DERIVE_USEC;
        int r;

        for (;;) {
                r = open_packet(call, packet, ret);
                if (r > 0)
                        call->results[packet->stream].verdicts[r]++;
                if (r != FRAMEKEY_VERDICT_FORGED || packet->altered || has_followed(call) || monotonic_usec() > until)
                        return r;
                if (demo_interrupted())
                        return -EINTR;
                call->early++;
                (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = RETRY_USEC * 1000 }, NULL);
        }
}

static void note_key(Call *call, size_t stream, const struct framekey_result *result) {
        uint32_t age = key_age(result->key_index, result->step);

        call->results[stream].verdicts[FRAMEKEY_OK]++;
        if (age < call->newest)
                call->results[stream].late++;
        else if (age > call->newest && call->newest > 0)
                progress_note(call->progress, "receiver follows to key %u, step %u", result->key_index, result->step);
        call->newest = MAX_OF(call->newest, age);
}

static int receive_packet(Call *call, const Packet *packet) {
        struct framekey_result result;
        int expected = expected_verdict(packet), r;

        r = open_in_time(call, packet, &result);
        if (r == -EINTR)
                return progress_fail(call->progress, "Interrupted.");
        if (r == -EEXIST)
                return progress_fail(call->progress, "Frame %zu of %s was accepted twice.", packet->frame,
                                     call->media[packet->stream].kind->name);
        if (r != expected)
                return fail_frame(call, call->receiver, packet->stream, packet->frame, r, expected);
        if (r == FRAMEKEY_OK)
                note_key(call, packet->stream, &result);
        if (packet->history)
                progress_note(call->progress, "receiver gets frame %zu of %s (%s): %s", packet->frame,
                              call->media[packet->stream].kind->name, packet->history, framekey_verdict_name(r));
        return CLI_OK;
}

static int receive_all(Call *call) {
        Packet *next;

        while ((next = network_receive(call->network))) {
                _cleanup_free_ Packet *packet = next;
                int r = receive_packet(call, packet);

                if (r != CLI_OK)
                        return r;
        }
        return CLI_OK;
}

/* ---- the run ---- */

static int compare_turns(const void *a, const void *b) {
        const Turn *x = a, *y = b;

        if (x->usec != y->usec)
                return x->usec < y->usec ? -1 : 1;
        return (x->stream > y->stream) - (x->stream < y->stream);
}

/* All frames of all streams in the order in which a call sends them. NULL: no memory. */
static Turn *plan_turns(const Call *call, size_t *ret_n) {
        size_t n = 0, most = 0;
        Turn *turns;

        for (size_t s = 0; s < MEDIA_KINDS; s++)
                most += call->media[s].n_frames;
        turns = calloc(most, sizeof(*turns));
        if (!turns)
                return NULL;
        for (size_t s = 0; s < MEDIA_KINDS; s++)
                for (size_t f = call->media[s].n_headers; f < call->media[s].n_frames; f++)
                        turns[n++] = (Turn){ call->media[s].frames[f].usec, s, f };
        qsort(turns, n, sizeof(*turns), compare_turns);
        *ret_n = n;
        return turns;
}

static void wait_until(uint64_t usec) {
        struct timespec time = { .tv_sec = (time_t)(usec / USEC_PER_SEC),
                                 .tv_nsec = (long)(usec % USEC_PER_SEC * NSEC_PER_USEC) };

        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL); /* a signal only makes one frame early */
}

static int take_turn(Call *call, const Turn *turn, size_t n, size_t n_turns) {
        char detail[64];
        int r = CLI_OK;

        if (n == n_turns * RATCHET_AT / 100)
                r = ratchet(call);
        else if (n == n_turns * ROTATE_AT / 100)
                r = rotate(call);
        if (r == CLI_OK)
                r = send_frame(call, turn->stream, turn->frame);
        if (r == CLI_OK)
                r = receive_all(call);
        (void)snprintf(detail, sizeof(detail), "frame %zu of %zu", n + 1, n_turns);
        progress_update(call->progress, (double)(n + 1) / (double)n_turns, detail);
        return r;
}

static int new_network(Call *call) {
        size_t n_frames[MEDIA_KINDS];
        int r;

        for (size_t s = 0; s < MEDIA_KINDS; s++)
                n_frames[s] = call->media[s].n_frames;
        r = network_new(&call->network, n_frames, MEDIA_KINDS);
        return r < 0 ? progress_fail(call->progress, "Out of memory.") : CLI_OK;
}

static int check_arrivals(Call *call) {
        for (size_t s = 0; s < MEDIA_KINDS; s++)
                for (size_t f = call->media[s].n_headers; f < call->media[s].n_frames; f++)
                        if (!call->media[s].frames[f].copies[MEDIA_DECRYPTED].data)
                                return progress_fail(call->progress, "Frame %zu of %s never arrived.", f,
                                                     call->media[s].kind->name);
        return CLI_OK;
}

/* A network that did nothing wrong would make a fine table and prove nothing. */
static int check_mishaps(Call *call) {
        NetworkCounts network = call_network(call);
        unsigned late = 0;

        for (size_t s = 0; s < MEDIA_KINDS; s++)
                late += call->results[s].late;
        if (network.lost < 3 || network.altered == 0 || network.repeated == 0 || network.resent < network.lost)
                return progress_fail(call->progress,
                                     "The network was too kind: it lost %u frames, changed %u and repeated %u.",
                                     network.lost, network.altered, network.repeated);
        if (call_count(call, FRAMEKEY_VERDICT_FORGED) - call->early != network.altered ||
            call_count(call, FRAMEKEY_VERDICT_REPLAYED) != network.repeated)
                return progress_fail(call->progress,
                                     "The network changed %u frames and repeated %u, but %u were refused as forged and "
                                     "%u as replayed.",
                                     network.altered, network.repeated,
                                     call_count(call, FRAMEKEY_VERDICT_FORGED) - call->early,
                                     call_count(call, FRAMEKEY_VERDICT_REPLAYED));
        /* One frame is held back over each change, and there is one change less without a ratchet. */
        if (late < MIN_OF(network.delayed, call->ratchet_steps + 1))
                return progress_fail(call->progress, "Only %u of %u delayed frames arrived after a key change.", late,
                                     network.delayed);
        return CLI_OK;
}

int call_run(Call *call) {
        _cleanup_free_ Turn *turns = NULL;
        uint64_t begun;
        size_t n_turns;
        int r;

        r = new_network(call);
        if (r != CLI_OK)
                return r;
        turns = plan_turns(call, &n_turns);
        if (!turns)
                return progress_fail(call->progress, "Out of memory.");

        begun = monotonic_usec();
        for (size_t n = 0; n < n_turns && r == CLI_OK; n++) {
                if (demo_interrupted())
                        return progress_fail(call->progress, "Interrupted.");
                if (call->realtime)
                        wait_until(begun + turns[n].usec);
                r = take_turn(call, &turns[n], n, n_turns);
        }
        network_finish(call->network);
        if (r == CLI_OK)
                r = receive_all(call);
        call->usec = monotonic_usec() - begun;
        if (r == CLI_OK)
                r = check_arrivals(call);
        if (r == CLI_OK)
                r = check_mishaps(call);
        if (r == CLI_OK)
                r = retire_first_key(call);
        return r;
}

/* ---- results ---- */

unsigned call_count(const Call *call, enum framekey_verdict verdict) {
        unsigned n = 0;

        for (size_t s = 0; s < MEDIA_KINDS; s++)
                n += call->results[s].verdicts[verdict];
        return n;
}

NetworkCounts call_network(const Call *call) {
        NetworkCounts sum = { 0 };

        for (size_t s = 0; s < MEDIA_KINDS; s++) {
                const NetworkCounts *counts = network_counts(call->network, s);

                sum.lost += counts->lost;
                sum.resent += counts->resent;
                sum.altered += counts->altered;
                sum.repeated += counts->repeated;
                sum.delayed += counts->delayed;
        }
        return sum;
}

static int check_counter(Call *call, Peer *peer, enum framekey_verdict verdict, uint64_t expected) {
        const char *name = framekey_verdict_name(verdict);
        uint64_t counted = 0;
        int r;

        r = peer_counter(peer, name, &counted);
        if (r == CLI_OK && counted != expected)
                r = progress_fail(call->progress, "The %s's daemon counted %llu frames as '%s', but %llu were seen.",
                                  peer->name, (unsigned long long)counted, name, (unsigned long long)expected);
        return r;
}

int call_check_counters(Call *call) {
        static const enum framekey_verdict counted[] = { FRAMEKEY_OK, FRAMEKEY_VERDICT_FORGED,
                                                         FRAMEKEY_VERDICT_REPLAYED };
        uint64_t sent = 0;
        int r = CLI_OK;

        for (size_t s = 0; s < MEDIA_KINDS; s++)
                sent += call->results[s].n_frames;
        r = check_counter(call, call->sender, FRAMEKEY_OK, sent);
        for (size_t i = 0; i < ELEMENTS(counted) && r == CLI_OK; i++)
                r = check_counter(call, call->receiver, counted[i], call_count(call, counted[i]));
        return r;
}

static int compare_nsec(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

double latency_percentile(Latency *latency, unsigned percent) {
        size_t rank;

        if (latency->n == 0)
                return 0;
        qsort(latency->nsec, latency->n, sizeof(*latency->nsec), compare_nsec);
        rank = (latency->n - 1) * percent / 100;
        return (double)latency->nsec[rank] / 1000;
}

void call_done(Call *call) {
        for (size_t s = 0; s < MEDIA_KINDS; s++) {
                free(call->results[s].encrypt.nsec);
                free(call->results[s].decrypt.nsec);
        }
        network_free(call->network);
        *call = (Call){ 0 };
}
