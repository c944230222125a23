/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flood [--seconds=N] [--rate=N]: bogus frames by the thousand at a receiver whose key is a passphrase's.
 *
 * Two daemons, so that one of them does nothing but open frames: the sender's on the bus of
 * DBUS_SYSTEM_BUS_ADDRESS_2, the receiver's on that of DBUS_SYSTEM_BUS_ADDRESS, whose process is
 * FRAMEKEYD_PID. Two phases with as many ratchet steps, all taken by hand while frames flow:
 *
 *   authentic   RATE frames a second, all of them the sender's
 *   bogus       RATE frames a second that are well formed, under the right key index, of random bytes; and 50 a second
 *               of the sender's, on the same stream
 *
 * What the receiver's daemon needs more CPU time for in the second phase are trials, and they may cost TRIAL_SHARE of
 * one core. How many there were must fit the ration, by the same estimate of their cost. Every frame of the sender's
 * must open, under the step it was sent with, and no bogus one; no key may die but those that were stepped from; the
 * counters must tell all of it. Prints one line a phase. Exit status: 0, or 1.
 */
#include "side.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS    5u
#define RATE       10000u
#define VOICE_RATE 50u
/* A phase that takes this many times as long was no flood. */
#define STRETCH_MAX 2u
#define IDENTITY    "alice"
#define FRAME_LEN   1200u
#define TRAILER_LEN 30u /* tag, IV, length of the IV, key index */
#define SEALED_LEN  (FRAME_LEN + TRAILER_LEN)
#define IN_FLIGHT   96u

/* What the daemon documents (security 4.3): all trials together take a fifth of a core at most, those that are rationed
 * a twentieth a sender and one second of that saved up, reckoned at 1 us and half a nanosecond a byte for each. The
 * next step, tried before all others, costs no ration, so that no flood can keep it from being followed. */
#define TRIAL_SHARE     0.20
#define RATION_SLOWDOWN 20u
#define RATION_SAVED    1000000u /* us */
#define TRIAL_NSEC      (1000u + SEALED_LEN / 2)
#define MILLION         1000000u
#define COOKIE_STEP     40u
#define COOKIE_NUMBER   ((UINT64_C(1) << COOKIE_STEP) - 1)

/* What one phase has done. */
typedef struct Phase {
        const char *name;
        bool bogus;
        uint64_t n_bogus;
        uint64_t n_voice; /* authentic frames */
        uint64_t n_budget;
        uint64_t n_forged;
        uint64_t n_trials; /* by the daemon's own count */
        uint64_t cpu_usec;
        uint64_t wall_usec;
} Phase;

typedef struct Call {
        Side sender, receiver;
        uint32_t encrypt, decrypt;
        clockid_t daemon_clock;
        uint64_t seconds, rate;
        uint32_t step;      /* where the sender stands */
        uint32_t told_step; /* the last one that the receiver's daemon told of */
        uint32_t wiped_below;
        uint64_t number; /* of the last authentic frame */
        unsigned in_flight;
        uint8_t bogus[SEALED_LEN];
        Phase *phase;
} Call;

static uint64_t daemon_usec(const Call *call) {
        struct timespec ts;

        if (clock_gettime(call->daemon_clock, &ts) < 0)
                side_fail("the daemon's CPU time: %s", strerror(errno));
        return (uint64_t)ts.tv_sec * MILLION + (uint64_t)ts.tv_nsec / 1000;
}

/* Waits until the daemon has nothing left to do: what it derives ahead belongs to what caused it. */
static uint64_t daemon_usec_settled(const Call *call) {
        uint64_t before, now = daemon_usec(call);

        for (unsigned i = 0; i < 300; i++) {
                before = now;
                (void)usleep(100000);
                now = daemon_usec(call);
                if (now - before < 1000)
                        return now;
        }
        side_fail("the daemon does not come to rest");
}

static void on_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        Call *call = userdata;

        if (strcmp(event->name, "KeyRatcheted") == 0) {
                if (event->step != call->told_step + 1)
                        side_fail("the receiver went from step %u to %u", call->told_step, event->step);
                call->told_step = event->step;
        } else if (strcmp(event->name, "KeyWiped") == 0) {
                if (event->step >= call->told_step)
                        side_fail("the key of step %u was given up", event->step);
                call->wiped_below = event->step + 1;
        } else if (strcmp(event->name, "RotationRequested") == 0)
                side_fail("a rotation was asked for: %s", event->reason);
}

/* ---- what the daemon counts ---- */

/* Of the sender, since it was added. */
typedef struct Counters {
        uint64_t n_ok, n_forged, n_budget, n_trials;
} Counters;

static Counters read_counters(Call *call) {
        sd_bus *bus = framekey_client_get_bus(call->receiver.client);
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        Counters counters = { 0 };
        char path[256];
        const char *name;
        uint64_t value;
        int r;

        (void)snprintf(path, sizeof(path), "%s/participant/%s", framekey_session_get_path(call->receiver.session),
                       IDENTITY);
        r = sd_bus_call_method(bus, "org.framekey1", path, "org.framekey1.Participant", "GetStatistics", &error, &reply,
                               NULL);
        if (r < 0)
                side_fail("GetStatistics: %s", error.message);
        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_read(reply, "{sv}", &name, "t", &value)) > 0) {
                if (strcmp(name, "trials") == 0)
                        counters.n_trials = value;
                else if (strcmp(name, framekey_verdict_name(FRAMEKEY_OK)) == 0)
                        counters.n_ok = value;
                else if (strcmp(name, framekey_verdict_name(FRAMEKEY_VERDICT_FORGED)) == 0)
                        counters.n_forged = value;
                else if (strcmp(name, framekey_verdict_name(FRAMEKEY_VERDICT_BUDGET)) == 0)
                        counters.n_budget = value;
        }
        if (r < 0)
                side_fail("GetStatistics: %s", strerror(-r));
        sd_bus_message_unref(reply);
        return counters;
}

static void expect_state(Call *call, const char *expected) {
        sd_bus *bus = framekey_client_get_bus(call->receiver.client);
        char path[256], *state = NULL;
        int r;

        (void)snprintf(path, sizeof(path), "%s/participant/%s", framekey_session_get_path(call->receiver.session),
                       IDENTITY);
        r = sd_bus_get_property_string(bus, "org.framekey1", path, "org.framekey1.Participant", "State", NULL, &state);
        if (r < 0 || strcmp(state, expected) != 0)
                side_fail("the participant is %s, not %s", r < 0 ? strerror(-r) : state, expected);
        free(state);
}

/* ---- frames ---- */

static void submit(Call *call, const uint8_t *sealed, size_t len, uint64_t cookie) {
        struct framekey_frame frame = {
                .size = sizeof(frame), .stream = call->decrypt, .ssrc = 1, .rtp_timestamp = (uint32_t)call->number * 960
        };
        uint32_t slot;
        void *buffer;

        side_check(&call->receiver, framekey_reserve(call->receiver.channel, &frame, len, &slot, &buffer), "reserve");
        memcpy(buffer, sealed, len);
        side_check(&call->receiver, framekey_submit(call->receiver.channel, slot, &frame, len, cookie), "submit");
        call->in_flight++;
}

static void submit_voice(Call *call) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = call->encrypt, .ssrc = 1 };
        uint8_t plain[FRAME_LEN], sealed[SEALED_LEN];
        struct framekey_result result = { .size = sizeof(result) };
        size_t len;
        int r;

        side_fill(plain, sizeof(plain), ++call->number);
        frame.rtp_timestamp = (uint32_t)call->number * 960;
        r = framekey_encrypt(call->sender.channel, &frame, plain, sizeof(plain), sealed, sizeof(sealed), &len, &result,
                             10 * MILLION);
        if (r != 0 || result.step != call->step)
                side_fail("frame %" PRIu64 " was sealed under step %u, not %u: %s", call->number, result.step,
                          call->step, framekey_verdict_text(r));
        submit(call, sealed, len, (uint64_t)call->step << COOKIE_STEP | call->number);
        call->phase->n_voice++;
}

/* Other random bytes each time, IV included: the counter goes through all of them. */
static void submit_bogus(Call *call) {
        uint64_t number = ++call->phase->n_bogus;

        side_fill(call->bogus + 1, 16, number);
        side_fill(call->bogus + SEALED_LEN - TRAILER_LEN, TRAILER_LEN - 2, ~number);
        submit(call, call->bogus, sizeof(call->bogus), 0);
}

static void check_voice(const Call *call, const struct framekey_result *result) {
        uint64_t number = result->cookie & COOKIE_NUMBER;
        uint32_t step = (uint32_t)(result->cookie >> COOKIE_STEP);
        uint8_t plain[FRAME_LEN];
        size_t len;

        if (result->verdict != FRAMEKEY_OK)
                side_fail("authentic frame %" PRIu64 " of step %u: %s", number, step,
                          framekey_verdict_text(result->verdict));
        if (result->step != step)
                side_fail("authentic frame %" PRIu64 " opened under step %u, not %u", number, result->step, step);
        side_check(&call->receiver, framekey_take(call->receiver.channel, result, plain, sizeof(plain), &len), "take");
        if (len != sizeof(plain) || !side_is(plain, len, number))
                side_fail("authentic frame %" PRIu64 " is not what was sent", number);
}

static void reap(Call *call) {
        struct framekey_result result = { .size = sizeof(result) };
        int r;

        while ((r = framekey_reap(call->receiver.channel, &result)) == 1) {
                call->in_flight--;
                if (result.cookie > 0) {
                        check_voice(call, &result);
                        continue;
                }
                call->phase->n_forged += result.verdict == FRAMEKEY_VERDICT_FORGED;
                call->phase->n_budget += result.verdict == FRAMEKEY_VERDICT_BUDGET;
                framekey_release(call->receiver.channel, result.slot);
        }
        side_check(&call->receiver, r, "reap");
}

static void wait_for_all(Call *call) {
        struct pollfd poll_fd = { .fd = framekey_channel_get_fd(call->receiver.channel), .events = POLLIN };

        for (reap(call); call->in_flight > 0; reap(call))
                if (poll(&poll_fd, 1, 10000) <= 0)
                        side_fail("%u frames were not answered", call->in_flight);
}

/* ---- phases ---- */

static void process_events(Call *call) {
        side_check(&call->receiver, framekey_client_process(call->receiver.client), "events");
}

static void ratchet(Call *call) {
        uint32_t step;

        side_check(&call->sender, framekey_session_ratchet(call->sender.session, IDENTITY, FRAMEKEY_KEY_ACTIVE, &step),
                   "Ratchet");
        if (step != call->step + 1)
                side_fail("the sender went from step %u to %u", call->step, step);
        call->step = step;
}

/* All frames that are due by now, as many as there is room for. */
static void submit_due(Call *call, uint64_t usec) {
        Phase *phase = call->phase;
        uint64_t due = usec * call->rate / MILLION, voice_due = usec * VOICE_RATE / MILLION;

        if (phase->bogus) {
                while (phase->n_bogus < due && call->in_flight < IN_FLIGHT)
                        submit_bogus(call);
        } else
                voice_due += due;
        while (phase->n_voice < voice_due && call->in_flight < IN_FLIGHT)
                submit_voice(call);
        side_check(&call->receiver, framekey_flush(call->receiver.channel), "flush");
}

static bool phase_goes_on(const Call *call) {
        const Phase *phase = call->phase;

        return (phase->bogus ? phase->n_bogus : phase->n_voice) < call->seconds * call->rate;
}

/* Steps in the middle of each second. */
static void run_phase(Call *call, Phase *phase) {
        uint64_t start, usec = 0, cpu, end = call->seconds * MILLION;
        uint32_t first_step = call->step;
        Counters before, after;

        call->phase = phase;
        cpu = daemon_usec_settled(call);
        before = read_counters(call);
        start = side_now_usec();
        while (phase_goes_on(call)) {
                usec = side_now_usec() - start;
                if (usec > end * STRETCH_MAX)
                        side_fail("%s: %" PRIu64 " frames in %" PRIu64 " s are no flood, and took the daemon %" PRIu64
                                  " us of CPU time",
                                  phase->name, phase->n_bogus + phase->n_voice, usec / MILLION,
                                  daemon_usec(call) - cpu);
                submit_due(call, usec < end ? usec : end);
                reap(call);
                if (call->step - first_step < call->seconds &&
                    usec >= (call->step - first_step) * MILLION + MILLION / 2)
                        ratchet(call);
                process_events(call);
                (void)usleep(500);
        }
        wait_for_all(call);
        phase->wall_usec = side_now_usec() - start;
        phase->cpu_usec = daemon_usec_settled(call) - cpu;
        after = read_counters(call);
        phase->n_trials = after.n_trials - before.n_trials;
        if (after.n_ok - before.n_ok != phase->n_voice || after.n_forged - before.n_forged != phase->n_forged ||
            after.n_budget - before.n_budget != phase->n_budget)
                side_fail("%s: the daemon counted %" PRIu64 " good frames, %" PRIu64 " forged, %" PRIu64 " not tried",
                          phase->name, after.n_ok - before.n_ok, after.n_forged - before.n_forged,
                          after.n_budget - before.n_budget);
        process_events(call);
        if (call->told_step != call->step)
                side_fail("%s: the receiver stands at step %u, the sender at %u", phase->name, call->told_step,
                          call->step);
}

static void print(const Phase *phase) {
        (void)printf("%s authentic=%" PRIu64 " bogus=%" PRIu64 " forged=%" PRIu64 " budget=%" PRIu64 " trials=%" PRIu64
                     " wall_usec=%" PRIu64 " daemon_cpu_usec=%" PRIu64 "\n",
                     phase->name, phase->n_voice, phase->n_bogus, phase->n_forged, phase->n_budget, phase->n_trials,
                     phase->wall_usec, phase->cpu_usec);
}

static void judge(const Phase *authentic, const Phase *bogus) {
        uint64_t free_trials = bogus->n_bogus + bogus->n_voice;
        uint64_t ration = (bogus->wall_usec + RATION_SAVED) * 1000 / RATION_SLOWDOWN / TRIAL_NSEC;
        double share = ((double)bogus->cpu_usec - (double)authentic->cpu_usec) / (double)bogus->wall_usec;

        (void)printf("trials took %.1f %% of a core, at most %.0f %%; %" PRIu64 " of them, at most %" PRIu64 "\n",
                     100 * share, 100 * TRIAL_SHARE, bogus->n_trials, free_trials + ration);
        if (bogus->n_forged + bogus->n_budget != bogus->n_bogus)
                side_fail("%" PRIu64 " bogus frames were taken for something else",
                          bogus->n_bogus - bogus->n_forged - bogus->n_budget);
        if (bogus->n_trials > free_trials + ration)
                side_fail("the ration does not hold");
        if (bogus->n_trials < bogus->n_bogus / 2)
                side_fail("the flood was not tried, so it shows nothing");
        if (share > TRIAL_SHARE)
                side_fail("trials take too much CPU time");
}

/* As if nothing had been: the same key, and whoever sends under it is heard, on a new channel too; the keys that were
 * stepped from die in their time. */
static void check_aftermath(Call *call) {
        Phase phase = { .name = "after" };

        call->phase = &phase;
        ratchet(call);
        submit_voice(call);
        side_check(&call->receiver, framekey_flush(call->receiver.channel), "flush");
        wait_for_all(call);
        expect_state(call, "ok");

        side_open_channel(&call->receiver);
        call->decrypt =
                side_stream(&call->receiver, IDENTITY, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        submit_voice(call);
        side_check(&call->receiver, framekey_flush(call->receiver.channel), "flush");
        wait_for_all(call);
        for (unsigned i = 0; i < 600 && call->wiped_below < call->step; i++) {
                process_events(call);
                (void)usleep(50000);
        }
        if (call->wiped_below < call->step)
                side_fail("the keys before step %u live on, but for those before %u", call->step, call->wiped_below);
}

static void call_start(Call *call) {
        static const char *const options[] = { "key-mode=participant", NULL };
        int r = clock_getcpuclockid((pid_t)strtol(getenv("FRAMEKEYD_PID") ?: "0", NULL, 10), &call->daemon_clock);

        if (r != 0)
                side_fail("the daemon's CPU time: %s", strerror(r));
        side_open(&call->sender, "DBUS_SYSTEM_BUS_ADDRESS_2", "livekit-passphrase", options);
        side_open(&call->receiver, "DBUS_SYSTEM_BUS_ADDRESS", "livekit-passphrase", options);
        side_add(&call->sender, IDENTITY, FRAMEKEY_LOCAL);
        side_add(&call->receiver, IDENTITY, FRAMEKEY_REMOTE);
        side_import(&call->sender, IDENTITY, 0, "a passphrase, stretched 100,000 times", NULL);
        side_import(&call->receiver, IDENTITY, 0, "a passphrase, stretched 100,000 times", NULL);
        side_check(&call->receiver, framekey_session_set_handler(call->receiver.session, on_event, call), "signals");
        call->encrypt =
                side_stream(&call->sender, IDENTITY, FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        call->decrypt =
                side_stream(&call->receiver, IDENTITY, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        side_fill(call->bogus, sizeof(call->bogus), 0);
        call->bogus[SEALED_LEN - 2] = 12; /* length of the IV */
        call->bogus[SEALED_LEN - 1] = 0;  /* key index */
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "seconds", required_argument, NULL, 's' },
                { "rate", required_argument, NULL, 'r' },
                { 0 },
        };
        static Phase authentic = { .name = "authentic" }, bogus = { .name = "bogus", .bogus = true };
        static Call call = { .seconds = SECONDS, .rate = RATE, .phase = &authentic };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 's')
                        call.seconds = strtoull(optarg, NULL, 10);
                else if (option == 'r')
                        call.rate = strtoull(optarg, NULL, 10);
                else
                        return 2;
        }
        call_start(&call);
        run_phase(&call, &authentic);
        print(&authentic);
        run_phase(&call, &bogus);
        print(&bogus);
        judge(&authentic, &bogus);
        check_aftermath(&call);
        side_close(&call.receiver);
        side_close(&call.sender);
        return 0;
}
