/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key-life PROFILE FIRST SECOND: leads a key through its life for somebody who looks into the daemons meanwhile. The
 * sender's daemon is on the bus of DBUS_SYSTEM_BUS_ADDRESS, the receiver's on that of DBUS_SYSTEM_BUS_ADDRESS_2.
 * FIRST and SECOND are passphrases, or keys if PROFILE is for those.
 *
 * Prints a line when a stage is reached, and goes on when it reads one:
 *
 *   installed   FIRST is in use at step 0, at both ends
 *   stepped     at step 1; the receiver keeps the key of step 0 for late frames
 *   late        after a look at "stepped": a late frame of step 0 opened; or "early-end": the grace was over
 *   wiped       the grace is over: frames of step 0 are too old
 *   superseded  SECOND is in use, and the grace of FIRST over: its frames are too old
 *   retired     SECOND is retired
 *
 * Exit status: 0; 1 a daemon did not do what it must.
 */
#include "tests/call/side.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IDENTITY      "alice"
#define GRACE_USEC    3000000u
#define PATIENCE_USEC 60000000u
#define PLAIN_LEN     100u
#define SEALED_MAX    256u
#define TIMEOUT_USEC  10000000u
#define TICKS         960u /* of the RTP clock, a frame */

/* What a daemon said of its key under index 0. */
typedef struct Told {
        uint32_t step;
        int wiped_step; /* -1: none */
} Told;

typedef struct Life {
        Side sender, receiver;
        Told sender_told, receiver_told;
        uint32_t encrypt, decrypt;
        uint32_t number; /* of the last frame that was sealed */
} Life;

typedef struct Sealed {
        uint32_t number;
        size_t len;
        uint8_t bytes[SEALED_MAX];
} Sealed;

static void on_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        Told *told = userdata;

        if (event->key_index != 0)
                return;
        if (strcmp(event->name, "KeyRatcheted") == 0)
                told->step = event->step;
        else if (strcmp(event->name, "KeyWiped") == 0)
                told->wiped_step = (int)event->step;
}

static void wait_for_wipe(const Side *side, const Told *told, int step) {
        uint64_t until = side_now_usec() + PATIENCE_USEC;

        while (told->wiped_step < step) {
                if (side_now_usec() > until)
                        side_fail("the key of step %d was not wiped", step);
                side_check(side, framekey_client_process(side->client), "events");
                (void)usleep(5000);
        }
}

static void stage(const char *name) {
        char line[64];

        (void)puts(name);
        (void)fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
                side_fail("nobody looks at %s", name);
}

/* ---- frames ---- */

static Sealed seal(Life *life) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = life->encrypt, .ssrc = 1 };
        Sealed sealed = { .number = ++life->number };
        uint8_t plain[PLAIN_LEN];
        int r;

        side_fill(plain, sizeof(plain), sealed.number);
        frame.rtp_timestamp = sealed.number * TICKS;
        r = framekey_encrypt(life->sender.channel, &frame, plain, sizeof(plain), sealed.bytes, sizeof(sealed.bytes),
                             &sealed.len, NULL, TIMEOUT_USEC);
        if (r != 0)
                side_fail("frame %u was not sealed: %s", sealed.number, framekey_verdict_text(r));
        return sealed;
}

static int open_frame(Life *life, const Sealed *sealed) {
        struct framekey_frame frame = {
                .size = sizeof(frame), .stream = life->decrypt, .ssrc = 1, .rtp_timestamp = sealed->number * TICKS
        };
        uint8_t plain[SEALED_MAX];
        size_t len;
        int r;

        r = framekey_decrypt(life->receiver.channel, &frame, sealed->bytes, sealed->len, plain, sizeof(plain), &len,
                             NULL, TIMEOUT_USEC);
        if (r == 0 && (len != PLAIN_LEN || !side_is(plain, len, sealed->number)))
                side_fail("frame %u is not what was sent", sealed->number);
        return r;
}

static void expect(Life *life, const Sealed *sealed, int verdict, const char *what) {
        int r = open_frame(life, sealed);

        if (r != verdict)
                side_fail("%s: \"%s\", not \"%s\"", what, framekey_verdict_name(r), framekey_verdict_name(verdict));
}

static void send_frame(Life *life) {
        Sealed sealed = seal(life);

        expect(life, &sealed, FRAMEKEY_OK, "a frame");
}

/* ---- the life ---- */

static void step_once(Life *life) {
        Sealed accepted = seal(life), late = seal(life), later = seal(life);
        uint32_t step;
        int r;

        expect(life, &accepted, FRAMEKEY_OK, "a frame of step 0");
        side_check(&life->sender, framekey_session_ratchet(life->sender.session, IDENTITY, FRAMEKEY_KEY_ACTIVE, &step),
                   "Ratchet");
        send_frame(life);
        stage("stepped");
        r = open_frame(life, &late);
        if (r != FRAMEKEY_OK && r != FRAMEKEY_VERDICT_TOO_OLD)
                side_fail("a late frame: %s", framekey_verdict_text(r));
        stage(r == FRAMEKEY_OK ? "late" : "early-end");

        wait_for_wipe(&life->receiver, &life->receiver_told, 0);
        expect(life, &later, FRAMEKEY_VERDICT_TOO_OLD, "a frame of step 0 that comes after the grace");
        expect(life, &accepted, FRAMEKEY_VERDICT_TOO_OLD, "a copy that comes after the grace");
        send_frame(life);
        if (step != 1 || life->receiver_told.step != 1)
                side_fail("the sender stands at step %u, the receiver at %u", step, life->receiver_told.step);
        stage("wiped");
}

static void supersede(Life *life, const char *second, const char *const *options) {
        Sealed late = seal(life);

        side_import(&life->receiver, IDENTITY, 1, second, options);
        side_import(&life->sender, IDENTITY, 1, second, options);
        side_check(&life->sender, framekey_session_activate(life->sender.session, IDENTITY, 1, NULL), "Activate");
        send_frame(life);
        wait_for_wipe(&life->sender, &life->sender_told, 1);
        wait_for_wipe(&life->receiver, &life->receiver_told, 1);
        expect(life, &late, FRAMEKEY_VERDICT_TOO_OLD, "a frame of the key before");
        send_frame(life);
        stage("superseded");
}

static void side_start(Side *side, const char *bus_variable, const char *profile, enum framekey_role role, Told *told) {
        char grace[64];
        const char *const options[] = { "key-mode=participant", grace, NULL };

        (void)snprintf(grace, sizeof(grace), "grace-usec=%u", GRACE_USEC);
        side_open(side, bus_variable, profile, options);
        side_add(side, IDENTITY, role);
        *told = (Told){ .wiped_step = -1 };
        side_check(side, framekey_session_set_handler(side->session, on_event, told), "signals");
}

int main(int argc, char *argv[]) {
        static Life life;

        if (argc != 4)
                side_fail("usage: key-life PROFILE FIRST SECOND");
        side_start(&life.sender, "DBUS_SYSTEM_BUS_ADDRESS", argv[1], FRAMEKEY_LOCAL, &life.sender_told);
        side_start(&life.receiver, "DBUS_SYSTEM_BUS_ADDRESS_2", argv[1], FRAMEKEY_REMOTE, &life.receiver_told);
        life.encrypt = side_stream(&life.sender, IDENTITY, FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        life.decrypt =
                side_stream(&life.receiver, IDENTITY, FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        side_import(&life.sender, IDENTITY, 0, argv[2], NULL);
        side_import(&life.receiver, IDENTITY, 0, argv[2], NULL);
        send_frame(&life);
        stage("installed");
        step_once(&life);
        supersede(&life, argv[3], NULL);
        side_check(&life.sender, framekey_session_retire_key(life.sender.session, IDENTITY, 1), "RetireKey");
        side_check(&life.receiver, framekey_session_retire_key(life.receiver.session, IDENTITY, 1), "RetireKey");
        stage("retired");
        side_close(&life.receiver);
        side_close(&life.sender);
        return 0;
}
