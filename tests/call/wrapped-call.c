/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wrapped-call [--auditor=HEX --packages=DIRECTORY] [--activate-after-usec=N] [--linger]: a call between two daemons
 * that know each other's transport key only, and the app between them.
 *
 * alice's key is made in her daemon (DBUS_SYSTEM_BUS_ADDRESS); this app hands it, wrapped, to bob's
 * (DBUS_SYSTEM_BUS_ADDRESS_2), and the same with each of three successors. Audio, 50 frames a second, and video, 30,
 * flow all the time, arrive late by up to 60 ms and in another order, and every one must open and be what was sent;
 * meanwhile every key steps twice by its timer. The second successor goes into use at key frames.
 *
 * For a test that knows what to look for, each key is wrapped for the auditor's transport key too, and left in
 * DIRECTORY/package.N. With --linger the app says "done" and lives on until standard input ends.
 */
#include "side.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDENTITY      "alice"
#define N_ROTATIONS   3u
#define N_STEPS       2u /* of each key, before the next rotation */
#define PATIENCE_USEC UINT64_C(60000000)
#define LATE_MAX_USEC 60000u
/* From app to app, over their own server; frames under a key that was used sooner would find none. */
#define SIGNALLING_USEC 300000u
#define PATH_LEN        512u
#define PLAIN_MAX       30000u
#define SEALED_MAX      (PLAIN_MAX + 64u)
#define N_ON_THE_WAY    64u
#define TIMEOUT_USEC    10000000u
#define KEY_FRAME_EACH  90u /* video frames */

/* One kind of media: what is sent, and how often. */
typedef struct Track {
        const char *name;
        enum framekey_media media;
        enum framekey_codec codec;
        uint64_t interval_usec;
        uint32_t timestamp_step;
        size_t len;
        uint32_t encrypt, decrypt;
        uint64_t n_sent, n_opened;
        bool key_frame_wanted;
} Track;

/* A sealed frame on its way. */
typedef struct Packet {
        Track *track; /* NULL: the place is free */
        uint64_t due_usec;
        uint64_t number;
        size_t plain_len, len;
        uint32_t timestamp;
        uint8_t frame_type;
        uint32_t key_index, step;
        uint8_t sealed[SEALED_MAX];
} Packet;

typedef struct Call {
        Side alice, bob;
        uint8_t transport[FRAMEKEY_TRANSPORT_KEY_LENGTH]; /* bob's daemon's */
        uint8_t auditor[FRAMEKEY_TRANSPORT_KEY_LENGTH];
        const char *packages; /* NULL: nobody audits */
        /* What the daemons have told; main thread. */
        uint32_t active_index;
        uint32_t alice_steps, bob_steps; /* of this key */
        uint32_t n_installed, n_activated;
        uint32_t alice_dead, bob_dead; /* keys that are gone for good */
        /* Media thread. */
        Track audio, video;
        Packet packets[N_ON_THE_WAY];
        atomic_bool over;
} Call;

/* ---- media ---- */

static Packet *free_packet(Call *call) {
        for (size_t i = 0; i < N_ON_THE_WAY; i++)
                if (!call->packets[i].track)
                        return &call->packets[i];
        side_fail("the network is full");
}

static void send_frame(Call *call, Track *track, uint64_t now_usec) {
        static uint8_t plain[PLAIN_MAX];
        Packet *packet = free_packet(call);
        bool video = track->media == FRAMEKEY_MEDIA_VIDEO;
        bool key_frame = video && (track->key_frame_wanted || track->n_sent % KEY_FRAME_EACH == 0);
        struct framekey_result result = { .size = sizeof(result) };
        struct framekey_frame frame = { .size = sizeof(frame), .stream = track->encrypt, .ssrc = track->encrypt + 1 };
        int r;

        packet->plain_len = key_frame ? PLAIN_MAX : track->len + (size_t)rand() % track->len;
        packet->number = track->n_sent++ * 2 + video;
        packet->timestamp = frame.rtp_timestamp = (uint32_t)track->n_sent * track->timestamp_step;
        packet->frame_type = FRAMEKEY_FRAME_UNSPECIFIED;
        if (video)
                packet->frame_type = key_frame ? FRAMEKEY_FRAME_KEY : FRAMEKEY_FRAME_DELTA;
        frame.frame_type = packet->frame_type;
        side_fill(plain, packet->plain_len, packet->number);
        r = framekey_encrypt(call->alice.channel, &frame, plain, packet->plain_len, packet->sealed, SEALED_MAX,
                             &packet->len, &result, TIMEOUT_USEC);
        if (r != 0)
                side_fail("%s frame %" PRIu64 " was not sealed: %s", track->name, packet->number,
                          framekey_verdict_text(r));
        packet->key_index = result.key_index;
        packet->step = result.step;
        track->key_frame_wanted = result.flags & FRAMEKEY_RESULT_KEYFRAME_WANTED;
        packet->due_usec = now_usec + (uint64_t)rand() % LATE_MAX_USEC;
        packet->track = track;
}

static void receive_frame(Call *call, Packet *packet) {
        static uint8_t plain[SEALED_MAX];
        Track *track = packet->track;
        struct framekey_result result = { .size = sizeof(result) };
        struct framekey_frame frame = { .size = sizeof(frame),
                                        .stream = track->decrypt,
                                        .frame_type = packet->frame_type,
                                        .ssrc = track->encrypt + 1,
                                        .rtp_timestamp = packet->timestamp };
        size_t len;
        int r;

        r = framekey_decrypt(call->bob.channel, &frame, packet->sealed, packet->len, plain, sizeof(plain), &len,
                             &result, TIMEOUT_USEC);
        if (r != 0)
                side_fail("%s frame %" PRIu64 " under key %u, step %u, is lost: %s", track->name, packet->number,
                          packet->key_index, packet->step, framekey_verdict_text(r));
        if (len != packet->plain_len || !side_is(plain, len, packet->number))
                side_fail("%s frame %" PRIu64 " is not what was sent", track->name, packet->number);
        track->n_opened++;
        packet->track = NULL;
}

/* Receives what is due, oldest first. */
static void receive_due(Call *call, uint64_t now_usec) {
        for (;;) {
                Packet *next = NULL;

                for (size_t i = 0; i < N_ON_THE_WAY; i++) {
                        Packet *packet = &call->packets[i];

                        if (packet->track && packet->due_usec <= now_usec &&
                            (!next || packet->due_usec < next->due_usec))
                                next = packet;
                }
                if (!next)
                        return;
                receive_frame(call, next);
        }
}

static void *run_media(void *userdata) {
        Call *call = userdata;
        Track *tracks[] = { &call->audio, &call->video };
        uint64_t now = side_now_usec(), next[] = { now, now };

        while (!atomic_load(&call->over)) {
                now = side_now_usec();
                for (size_t i = 0; i < 2; i++)
                        if (next[i] <= now) {
                                send_frame(call, tracks[i], now);
                                next[i] += tracks[i]->interval_usec;
                        }
                receive_due(call, now);
                (void)usleep(1000);
        }
        receive_due(call, UINT64_MAX);
        return NULL;
}

/* ---- keys ---- */

static void leave_for_auditor(Call *call, uint32_t index) {
        char path[PATH_LEN], final_path[PATH_LEN];
        uint8_t *package;
        size_t len;
        FILE *file;

        side_check(&call->alice,
                   framekey_session_export_wrapped(call->alice.session, IDENTITY, index, call->auditor, &package, &len),
                   "ExportWrapped");
        (void)snprintf(path, sizeof(path), "%s/part", call->packages);
        (void)snprintf(final_path, sizeof(final_path), "%s/package.%u", call->packages, index);
        file = fopen(path, "we");
        if (!file || fwrite(package, 1, len, file) != len || fclose(file) != 0 || rename(path, final_path) < 0)
                side_fail("cannot write %s", final_path);
        free(package);
}

/* The one thing the app does with a key: forward it. */
static void forward(Call *call, uint32_t index) {
        uint32_t imported = UINT32_MAX;
        uint8_t *package;
        size_t len;

        side_check(
                &call->alice,
                framekey_session_export_wrapped(call->alice.session, IDENTITY, index, call->transport, &package, &len),
                "ExportWrapped");
        (void)usleep(SIGNALLING_USEC);
        side_check(&call->bob,
                   framekey_session_import_wrapped(call->bob.session, IDENTITY, FRAMEKEY_KEY_ACTIVE, package, len, NULL,
                                                   &imported),
                   "ImportWrapped");
        free(package);
        if (imported != index)
                side_fail("key %u arrived as key %u", index, imported);
        if (call->packages)
                leave_for_auditor(call, index);
}

static void on_alice(framekey_session *session, const struct framekey_event *event, void *userdata) {
        static const char *const at_key_frame[] = { "after-usec=500000", "at-key-frame=yes", NULL };
        Call *call = userdata;

        if (strcmp(event->name, "KeyInstalled") == 0) {
                if (event->key_index != call->active_index + 1)
                        side_fail("the successor of key %u is key %u", call->active_index, event->key_index);
                forward(call, event->key_index);
                call->n_installed++;
                if (call->n_installed == 2)
                        side_check(&call->alice,
                                   framekey_session_activate(session, IDENTITY, event->key_index, at_key_frame),
                                   "Activate");
        } else if (strcmp(event->name, "KeyActivated") == 0) {
                call->active_index = event->key_index;
                call->alice_steps = call->bob_steps = 0;
                call->n_activated++;
        } else if (strcmp(event->name, "KeyRatcheted") == 0)
                call->alice_steps += event->key_index == call->active_index;
        else if (strcmp(event->name, "KeyWiped") == 0)
                call->alice_dead++;
}

static void on_bob(framekey_session *session, const struct framekey_event *event, void *userdata) {
        Call *call = userdata;

        if (strcmp(event->name, "KeyRatcheted") == 0)
                call->bob_steps += event->key_index == call->active_index;
        else if (strcmp(event->name, "DecryptionStalled") == 0)
                side_fail("bob's daemon says that the stream stalled: %s", event->state);
        else if (strcmp(event->name, "KeyWiped") == 0)
                call->bob_dead += event->key_index < call->active_index && event->step >= N_STEPS;
}

static void wait_until(Call *call, const uint32_t *number, uint32_t least, const char *what) {
        uint64_t until = side_now_usec() + PATIENCE_USEC;

        while (*number < least) {
                if (side_now_usec() > until)
                        side_fail("waited for %s, %u of %u came", what, *number, least);
                side_check(&call->alice, framekey_client_process(call->alice.client), "events");
                side_check(&call->bob, framekey_client_process(call->bob.client), "events");
                (void)usleep(2000);
        }
}

static void rotate(Call *call) {
        uint32_t rotated, requested;

        side_check(&call->alice, framekey_session_rotate(call->alice.session, IDENTITY, "test", &rotated, &requested),
                   "Rotate");
        if (rotated != 1 || requested != 0)
                side_fail("%u keys were rotated, %u asked for", rotated, requested);
}

/* ---- the call ---- */

static void track_start(Call *call, Track *track) {
        track->encrypt = side_stream(&call->alice, IDENTITY, FRAMEKEY_ENCRYPT, track->media, track->codec);
        track->decrypt = side_stream(&call->bob, IDENTITY, FRAMEKEY_DECRYPT, track->media, track->codec);
}

static void call_start(Call *call, const char *activate_after) {
        char option[64];
        const char *const options[] = { "ratchet-interval-usec=1000000", option, NULL };

        (void)snprintf(option, sizeof(option), "activate-after-usec=%s", activate_after);
        side_open(&call->alice, "DBUS_SYSTEM_BUS_ADDRESS", "element-call", options);
        side_open(&call->bob, "DBUS_SYSTEM_BUS_ADDRESS_2", "element-call", NULL);
        side_add(&call->alice, IDENTITY, FRAMEKEY_LOCAL);
        side_add(&call->bob, IDENTITY, FRAMEKEY_REMOTE);
        track_start(call, &call->audio);
        track_start(call, &call->video);
        side_check(&call->alice, framekey_session_generate_key(call->alice.session, IDENTITY, 0, NULL), "GenerateKey");
        side_check(&call->bob, framekey_session_get_transport_key(call->bob.session, call->transport, NULL),
                   "GetTransportKey");
        forward(call, 0);
        side_check(&call->alice, framekey_session_set_handler(call->alice.session, on_alice, call), "signals");
        side_check(&call->bob, framekey_session_set_handler(call->bob.session, on_bob, call), "signals");
}

static void run(Call *call) {
        pthread_t media;

        if (pthread_create(&media, NULL, run_media, call) != 0)
                side_fail("no thread");
        for (uint32_t i = 0; i <= N_ROTATIONS; i++) {
                wait_until(call, &call->alice_steps, N_STEPS, "alice's steps");
                wait_until(call, &call->bob_steps, N_STEPS, "bob's steps");
                if (i == N_ROTATIONS)
                        break;
                rotate(call);
                wait_until(call, &call->n_installed, i + 1, "the installation of a new key");
                wait_until(call, &call->n_activated, i + 1, "the use of a new key");
        }
        wait_until(call, &call->alice_dead, N_ROTATIONS, "the end of alice's old keys");
        wait_until(call, &call->bob_dead, N_ROTATIONS, "the end of bob's old keys");
        atomic_store(&call->over, true);
        (void)pthread_join(media, NULL);
        (void)printf("audio %" PRIu64 " of %" PRIu64 ", video %" PRIu64 " of %" PRIu64 " frames; key %u is in use\n",
                     call->audio.n_opened, call->audio.n_sent, call->video.n_opened, call->video.n_sent,
                     call->active_index);
        if (call->audio.n_opened != call->audio.n_sent || call->video.n_opened != call->video.n_sent)
                side_fail("frames were lost");
}

static void parse_auditor(Call *call, const char *hex) {
        for (size_t i = 0; i < sizeof(call->auditor); i++)
                if (sscanf(hex + 2 * i, "%2hhx", &call->auditor[i]) != 1)
                        side_fail("--auditor wants %zu bytes in hex", sizeof(call->auditor));
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "auditor", required_argument, NULL, 'a' },
                { "packages", required_argument, NULL, 'p' },
                { "activate-after-usec", required_argument, NULL, 'd' },
                { "linger", no_argument, NULL, 'l' },
                { 0 },
        };
        static Call call = {
                .audio = { "audio", FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, 20000, 960, 80, .n_sent = 0 },
                .video = { "video", FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, 33333, 3000, 4000, .n_sent = 0 },
        };
        const char *activate_after = "1000000";
        bool linger = false;
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 'a')
                        parse_auditor(&call, optarg);
                else if (option == 'p')
                        call.packages = optarg;
                else if (option == 'd')
                        activate_after = optarg;
                else if (option == 'l')
                        linger = true;
                else
                        return 2;
        }
        call_start(&call, activate_after);
        run(&call);
        if (linger) {
                (void)puts("done");
                (void)fflush(stdout);
                while (getchar() != EOF)
                        ;
        }
        side_close(&call.bob);
        side_close(&call.alice);
        return 0;
}
