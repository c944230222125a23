/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames and signals of the tests; see call.h. */
#include "call.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define ANSWER_USEC (10 * USEC_PER_SEC)

static uint64_t now_by(clockid_t clock) {
        struct timespec ts;

        ck_assert_int_eq(clock_gettime(clock, &ts), 0);
        return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / NSEC_PER_USEC;
}

uint64_t call_now_usec(void) {
        return now_by(CLOCK_BOOTTIME);
}

uint64_t call_realtime_usec(void) {
        return now_by(CLOCK_REALTIME);
}

void call_same_time(uint64_t a, uint64_t b) {
        ck_assert_uint_le(MAX_OF(a, b) - MIN_OF(a, b), 100 * MSEC);
}

static void say(Heard *heard, const char *text) {
        size_t len = strlen(heard->lines);

        ck_assert_msg(len + strlen(text) + 2 < sizeof(heard->lines), "too many signals:\n%s", heard->lines);
        (void)snprintf(heard->lines + len, sizeof(heard->lines) - len, "%s", text);
}

/* All arguments are strings, paths or numbers. */
static void say_argument(Heard *heard, sd_bus_message *message, char type) {
        char text[512];
        const char *word;
        uint32_t small;
        uint64_t large;

        switch (type) {
        case 's':
        case 'o':
                ck_assert_int_gt(sd_bus_message_read_basic(message, type, &word), 0);
                (void)snprintf(text, sizeof(text), " %s", word);
                break;
        case 'u':
                ck_assert_int_gt(sd_bus_message_read_basic(message, type, &small), 0);
                (void)snprintf(text, sizeof(text), " %" PRIu32, small);
                break;
        default:
                ck_assert_int_eq(type, 't');
                ck_assert_int_gt(sd_bus_message_read_basic(message, type, &large), 0);
                (void)snprintf(text, sizeof(text), " %" PRIu64, large);
        }
        say(heard, text);
}

static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *signature = sd_bus_message_get_signature(message, 1);

        say(userdata, sd_bus_message_get_member(message));
        for (; *signature; signature++)
                say_argument(userdata, message, *signature);
        say(userdata, "\n");
        return 0;
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name;

        ck_assert_int_gt(sd_bus_message_skip(message, "sa{sv}"), 0);
        ck_assert_int_gt(sd_bus_message_enter_container(message, 'a', "s"), 0);
        while (sd_bus_message_read_basic(message, 's', &name) > 0) {
                say(userdata, "Changed ");
                say(userdata, name);
                say(userdata, "\n");
        }
        return 0;
}

void heard_listen(sd_bus *bus, const TestSession *session, Heard *heard) {
        ck_assert_int_ge(
                sd_bus_match_signal(bus, NULL, "org.framekey1", session->path, SESSION, NULL, on_signal, heard), 0);
        ck_assert_int_ge(sd_bus_match_signal(bus, NULL, "org.framekey1", session->path,
                                             "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed, heard),
                         0);
}

unsigned heard_count(const Heard *heard, const char *text) {
        size_t len = strlen(text);
        unsigned n = 0;

        for (const char *line = heard->lines; *line; line = strchr(line, '\n') + 1)
                n += strncmp(line, text, len) == 0;
        return n;
}

void heard_wait(sd_bus *bus, const Heard *heard, const char *text) {
        uint64_t until = call_now_usec() + ANSWER_USEC;

        while (heard_count(heard, text) == 0) {
                int r = sd_bus_process(bus, NULL);

                ck_assert_int_ge(r, 0);
                if (r > 0)
                        continue;
                ck_assert_msg(call_now_usec() < until, "no '%s' within ten seconds, only:\n%s", text, heard->lines);
                ck_assert_int_ge(sd_bus_wait(bus, 10 * MSEC), 0);
        }
}

void call_add(sd_bus *bus, const TestSession *session, const char *identity, const char *role, char ret_path[256]) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_session(bus, session->path, "AddParticipant", "ssa{sv}", identity, role, 0);
        const char *path;

        ck_assert_int_gt(sd_bus_message_read(reply, "o", &path), 0);
        (void)snprintf(ret_path, 256, "%s", path);
}

void call_rotate(sd_bus *bus, const TestSession *session, const char *identity, uint32_t *ret_rotated,
                 uint32_t *ret_requested) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_session(bus, session->path, "Rotate", "ssa{sv}", identity, "test", 0);

        ck_assert_int_gt(sd_bus_message_read(reply, "uu", ret_rotated, ret_requested), 0);
}

void media_open(sd_bus *bus, const TestSession *session, Media *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply =
                client_session(bus, session->path, "OpenChannel", "a{sv}", 1, "jumbo-slots", "u", 0);
        const char *path;
        int fds[4];

        ck_assert_int_gt(sd_bus_message_read(reply, "ohhhh", &path, &fds[0], &fds[1], &fds[2], &fds[3]), 0);
        (void)snprintf(ret->path, sizeof(ret->path), "%s", path);
        ck_assert_int_eq(framekey_channel_new_from_fds(&ret->channel, fds, 4), 0);
}

uint32_t media_add(sd_bus *bus, const TestSession *session, const Media *media, const char *identity,
                   const char *direction, const char *kind) {
        const char *codec = strcmp(kind, "video") == 0 ? "vp8" : "opus";
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = client_session(
                bus, session->path, "AddStream", "ossssa{sv}", media->path, identity, direction, kind, codec, 0);
        uint32_t stream;

        ck_assert_int_gt(sd_bus_message_read(reply, "u", &stream), 0);
        return stream;
}

int media_send(const Media *media, uint32_t stream, enum framekey_frame_type type, Frame *ret) {
        static const char plain[] = "a frame that is longer than its clear part";
        struct framekey_frame frame = { .size = sizeof(frame), .stream = stream, .frame_type = (uint8_t)type };

        *ret = (Frame){ .result.size = sizeof(ret->result) };
        return framekey_encrypt(media->channel, &frame, plain, sizeof(plain), ret->bytes, sizeof(ret->bytes), &ret->len,
                                &ret->result, ANSWER_USEC);
}

int media_receive(const Media *media, uint32_t stream, Frame *frame) {
        struct framekey_frame about = { .size = sizeof(about), .stream = stream };
        uint8_t out[sizeof(frame->bytes)];

        frame->result = (struct framekey_result){ .size = sizeof(frame->result) };
        return framekey_decrypt(media->channel, &about, frame->bytes, frame->len, out, sizeof(out), NULL,
                                &frame->result, ANSWER_USEC);
}

void call_fill(sd_bus *bus, Call *call) {
        heard_listen(bus, &call->session, &call->heard);
        call_add(bus, &call->session, "me", "local", call->me);
        media_open(bus, &call->session, &call->media);
        call->audio = media_add(bus, &call->session, &call->media, "me", "encrypt", "audio");
}

void call_generate(sd_bus *bus, const Call *call, uint32_t index) {
        client_do(bus, call->session.path, SESSION, "GenerateKey", "sua{sv}", "me", index, 0);
}

uint32_t call_send(const Call *call) {
        Frame frame;

        ck_assert_int_eq(media_send(&call->media, call->audio, FRAMEKEY_FRAME_UNSPECIFIED, &frame), 0);
        return frame.result.key_index;
}

unsigned call_logged(const char *a, const char *b, const char *c) {
        FILE *log = fopen(getenv("FRAMEKEYD_LOG"), "re");
        char line[4096];
        unsigned n = 0;

        ck_assert_ptr_nonnull(log);
        while (fgets(line, sizeof(line), log))
                n += strstr(line, a) && strstr(line, b) && strstr(line, c);
        (void)fclose(log);
        return n;
}
