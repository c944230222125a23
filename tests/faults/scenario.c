/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps of a call, see scenario.h. */
#include "tests/faults/scenario.h"

#include "util/util.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define NAME        "org.framekey1"
#define ROOT        "/org/framekey1"
#define MANAGER     "org.framekey1.Manager"
#define SESSION     "org.framekey1.Session"
#define PARTICIPANT "org.framekey1.Participant"
#define CHANNEL     "org.framekey1.Channel"
#define ANSWER_USEC (5 * USEC_PER_SEC)
#define FRAME_LEN   900u
#define FRAME_ROOM  2048u
#define SECRET_LEN  16
/* A step ahead that could not be derived is derived again within a second. */
#define AGAIN_ROUNDS 50u
#define AGAIN_NSEC   (100L * 1000 * 1000)

typedef int (*Step)(Call *call, sd_bus_error *error);

static int complain(Call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int complain(Call *call, const char *format, ...) {
        va_list values;

        va_start(values, format);
        (void)vsnprintf(call->complaint, sizeof(call->complaint), format, values);
        va_end(values);
        return -1;
}

/* ---- one call on the bus ---- */

static int ask(Call *call, const char *path, const char *interface, const char *member, sd_bus_error *error,
               sd_bus_message **ret, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        va_list values;
        int r;

        r = sd_bus_message_new_method_call(call->bus, &message, NAME, path, interface, member);
        if (r < 0)
                return r;
        va_start(values, types);
        r = types ? sd_bus_message_appendv(message, types, values) : 0;
        va_end(values);
        if (r >= 0)
                r = sd_bus_call(call->bus, message, ANSWER_USEC, error, &reply);
        if (r >= 0 && ret)
                *ret = take_ptr(reply);
        return r < 0 ? r : 0;
}

/* The same with bytes after the first string, which varargs do not carry. */
static int ask_with_bytes(Call *call, const char *path, const char *member, const char *identity, const void *bytes,
                          size_t len, uint32_t index, sd_bus_error *error, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        int r;

        r = sd_bus_message_new_method_call(call->bus, &message, NAME, path, SESSION, member);
        if (r >= 0)
                r = sd_bus_message_append(message, "s", identity);
        if (r >= 0)
                r = sd_bus_message_append_array(message, 'y', bytes, len);
        if (r >= 0)
                r = sd_bus_message_append(message, "a{sv}", 1, "index", "u", index);
        return r < 0 ? r : sd_bus_call(call->bus, message, ANSWER_USEC, error, ret);
}

static bool has_steps(const Call *call) {
        return strcmp(call->profile, "element-call") == 0 || strcmp(call->profile, "jitsi") == 0;
}

/* ---- setting up ---- */

static int open_session(Call *call, End end, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path = "";
        int r;

        r = ask(call, ROOT, MANAGER, "OpenSession", error, &reply, "ssa{sv}", call->profile, "faults", 0);
        if (r == 0)
                r = sd_bus_message_read(reply, "so", NULL, &path);
        if (r < 0)
                return r;
        (void)snprintf(call->session[end], sizeof(call->session[end]), "%s", path);
        return 0;
}

static int step_open_send(Call *call, sd_bus_error *error) {
        return open_session(call, SEND, error);
}

static int step_open_receive(Call *call, sd_bus_error *error) {
        return open_session(call, RECEIVE, error);
}

static int step_add_local(Call *call, sd_bus_error *error) {
        return ask(call, call->session[SEND], SESSION, "AddParticipant", error, NULL, "ssa{sv}", "me", "local", 0);
}

static int step_add_remote(Call *call, sd_bus_error *error) {
        return ask(call, call->session[RECEIVE], SESSION, "AddParticipant", error, NULL, "ssa{sv}", "me", "remote", 0);
}

static int import(Call *call, End end, uint32_t index, sd_bus_error *error) {
        _cleanup_close_ int out = -EBADF;
        char secret[64];
        ssize_t written;
        int fds[2];

        /* As long as the formats want it, and never the same again: a key that counts has one place. */
        (void)snprintf(secret, sizeof(secret), "%08u%04u....", call->number, index);
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        out = fds[0];
        written = write(fds[1], secret, SECRET_LEN);
        (void)close(fds[1]);
        if (written != SECRET_LEN)
                return -EIO;
        return ask(call, call->session[end], SESSION, "ImportKey", error, NULL, "suha{sv}", "me", index, out, 0);
}

static int step_import_send(Call *call, sd_bus_error *error) {
        return import(call, SEND, 0, error);
}

static int step_import_receive(Call *call, sd_bus_error *error) {
        return import(call, RECEIVE, 0, error);
}

static int open_channel(Call *call, End end, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *path = "";
        int fds[4], r;

        r = ask(call, call->session[end], SESSION, "OpenChannel", error, &reply, "a{sv}", 1, "jumbo-slots", "u", 0);
        if (r == 0)
                r = sd_bus_message_read(reply, "ohhhh", &path, &fds[0], &fds[1], &fds[2], &fds[3]);
        if (r < 0)
                return r;
        (void)snprintf(call->path[end], sizeof(call->path[end]), "%s", path);
        return framekey_channel_new_from_fds(&call->channel[end], fds, 4);
}

static int step_channel_send(Call *call, sd_bus_error *error) {
        return open_channel(call, SEND, error);
}

static int step_channel_receive(Call *call, sd_bus_error *error) {
        return open_channel(call, RECEIVE, error);
}

static int add_stream(Call *call, End end, Track track, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = ask(call, call->session[end], SESSION, "AddStream", error, &reply, "ossssa{sv}", call->path[end], "me",
                end == SEND ? "encrypt" : "decrypt", track == AUDIO ? "audio" : "video",
                track == AUDIO ? "opus" : "vp8", 0);
        return r < 0 ? r : sd_bus_message_read(reply, "u", &call->stream[end][track]);
}

static int step_audio_send(Call *call, sd_bus_error *error) {
        return add_stream(call, SEND, AUDIO, error);
}

static int step_audio_receive(Call *call, sd_bus_error *error) {
        return add_stream(call, RECEIVE, AUDIO, error);
}

static int step_video_send(Call *call, sd_bus_error *error) {
        return add_stream(call, SEND, VIDEO, error);
}

static int step_video_receive(Call *call, sd_bus_error *error) {
        return add_stream(call, RECEIVE, VIDEO, error);
}

/* ---- frames ---- */

/* A frame goes out encrypted or not at all, and comes in as it was or not at all. */
static int pass(Call *call, Track track, sd_bus_error *error) {
        struct framekey_frame frame = { .size = sizeof(frame), .frame_type = track == VIDEO ? FRAMEKEY_FRAME_KEY : 0 };
        struct framekey_result result = { .size = sizeof(result) }, sent;
        uint8_t plain[FRAME_LEN], sealed[FRAME_ROOM] = { 0 }, opened[FRAME_ROOM] = { 0 };
        size_t sealed_len = 0, opened_len = 0;
        int r;

        for (size_t i = 0; i < sizeof(plain); i++)
                plain[i] = (uint8_t)(i * 7 + call->number);
        frame.stream = call->stream[SEND][track];
        r = framekey_encrypt(call->channel[SEND], &frame, plain, sizeof(plain), sealed, sizeof(sealed), &sealed_len,
                             &result, ANSWER_USEC);
        /* Longer than any part that stays clear. */
        if (memmem(sealed, sizeof(sealed), plain + 32, 64) ||
            memmem(sealed, sizeof(sealed), plain + FRAME_LEN - 64, 64))
                return complain(call, "a frame was let out unencrypted (%d)", r);
        if (r != 0)
                return sd_bus_error_setf(error, "test.Encrypt", "encrypting: %s", framekey_verdict_text(r));
        sent = result;
        frame.stream = call->stream[RECEIVE][track];
        r = framekey_decrypt(call->channel[RECEIVE], &frame, sealed, sealed_len, opened, sizeof(opened), &opened_len,
                             &result, ANSWER_USEC);
        if (r == 0 && (opened_len != sizeof(plain) || memcmp(opened, plain, opened_len) != 0))
                return complain(call, "a frame came in with other bytes");
        return r == 0 ? 0
                      : sd_bus_error_setf(error, "test.Decrypt", "decrypting %s, key %u, step %u: %s",
                                          track == AUDIO ? "audio" : "video", sent.key_index, sent.step,
                                          framekey_verdict_text(r));
}

static int step_frames(Call *call, sd_bus_error *error) {
        int r = pass(call, AUDIO, error);

        return r == 0 ? pass(call, VIDEO, error) : r;
}

/* ---- keys change ---- */

static int step_ratchet(Call *call, sd_bus_error *error) {
        return has_steps(call) ? ask(call, call->session[SEND], SESSION, "Ratchet", error, NULL, "sa{sv}", "me", 0) : 0;
}

static int step_import_next_receive(Call *call, sd_bus_error *error) {
        return import(call, RECEIVE, 1, error);
}

static int step_import_next_send(Call *call, sd_bus_error *error) {
        return import(call, SEND, 1, error);
}

static int step_activate(Call *call, sd_bus_error *error) {
        return ask(call, call->session[SEND], SESSION, "Activate", error, NULL, "sua{sv}", "me", 1, 0);
}

static int step_generate(Call *call, sd_bus_error *error) {
        return ask(call, call->session[SEND], SESSION, "GenerateKey", error, NULL, "sua{sv}", "me", 2, 0);
}

static int read_bytes(sd_bus_message *reply, void *ret, size_t max, size_t *ret_len) {
        const void *bytes;
        int r = sd_bus_message_read_array(reply, 'y', &bytes, ret_len);

        if (r < 0)
                return r;
        if (*ret_len > max)
                return -EMSGSIZE;
        memcpy(ret, bytes, *ret_len);
        return 0;
}

static int step_transport_key(Call *call, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        size_t len;
        int r = ask(call, call->session[RECEIVE], SESSION, "GetTransportKey", error, &reply, NULL);

        return r < 0 ? r : read_bytes(reply, call->transport_key, sizeof(call->transport_key), &len);
}

static int step_export(Call *call, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = ask_with_bytes(call, call->session[SEND], "ExportWrapped", "me", call->transport_key,
                               sizeof(call->transport_key), 2, error, &reply);

        return r < 0 ? r : read_bytes(reply, call->package, sizeof(call->package), &call->package_len);
}

static int step_import_wrapped(Call *call, sd_bus_error *error) {
        int r = ask_with_bytes(call, call->session[RECEIVE], "ImportWrapped", "me", call->package, call->package_len, 2,
                               error, NULL);

        return r < 0 ? r : 0;
}

static int step_activate_wrapped(Call *call, sd_bus_error *error) {
        return ask(call, call->session[SEND], SESSION, "Activate", error, NULL, "sua{sv}", "me", 2, 0);
}

static int step_rotate(Call *call, sd_bus_error *error) {
        return ask(call, call->session[SEND], SESSION, "Rotate", error, NULL, "ssa{sv}", "me", "faults", 0);
}

static int step_rotate_all(Call *call, sd_bus_error *error) {
        const char *id = strrchr(call->session[SEND], '/') + 1;

        return ask(call, ROOT, MANAGER, "RotateKeys", error, NULL, "ssa{sv}", id, "faults", 0);
}

static int step_ratchet_all(Call *call, sd_bus_error *error) {
        const char *id = strrchr(call->session[SEND], '/') + 1;

        return has_steps(call) ? ask(call, ROOT, MANAGER, "RatchetKeys", error, NULL, "ssa{sv}", id, "faults", 0) : 0;
}

/* ---- looking ---- */

/* What it costs is rationed, and one call after the other takes more than that. */
static int step_code(Call *call, sd_bus_error *error) {
        int r = ask(call, call->session[SEND], SESSION, "GetSecurityCode", error, NULL, "a{sv}", 0);

        return sd_bus_error_has_name(error, NAME ".Error.Busy") ? 0 : r;
}

static int look(Call *call, const char *path, const char *interface, sd_bus_error *error) {
        int r = ask(call, path, interface, "GetStatistics", error, NULL, NULL);

        return r < 0 ? r : ask(call, path, "org.freedesktop.DBus.Properties", "GetAll", error, NULL, "s", interface);
}

static int step_look_manager(Call *call, sd_bus_error *error) {
        int r = look(call, ROOT, MANAGER, error);

        return r < 0 ? r : ask(call, ROOT, MANAGER, "ListSessions", error, NULL, NULL);
}

static int step_look_session(Call *call, sd_bus_error *error) {
        return look(call, call->session[SEND], SESSION, error);
}

static int step_look_participant(Call *call, sd_bus_error *error) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%.160s/participant/me", call->session[SEND]);
        return look(call, path, PARTICIPANT, error);
}

static int step_look_channel(Call *call, sd_bus_error *error) {
        return ask(call, call->path[SEND], "org.freedesktop.DBus.Properties", "GetAll", error, NULL, "s", CHANNEL);
}

static int step_introspect(Call *call, sd_bus_error *error) {
        return ask(call, call->session[SEND], "org.freedesktop.DBus.Introspectable", "Introspect", error, NULL, NULL);
}

static int step_reload(Call *call, sd_bus_error *error) {
        return ask(call, ROOT, MANAGER, "Reload", error, NULL, NULL);
}

/* ---- taking down ---- */

static int step_remove_stream(Call *call, sd_bus_error *error) {
        return ask(call, call->session[SEND], SESSION, "RemoveStream", error, NULL, "ou", call->path[SEND],
                   call->stream[SEND][VIDEO]);
}

static int step_retire(Call *call, sd_bus_error *error) {
        return ask(call, call->session[RECEIVE], SESSION, "RetireKey", error, NULL, "su", "me", 1);
}

static int step_remove_participant(Call *call, sd_bus_error *error) {
        return ask(call, call->session[RECEIVE], SESSION, "RemoveParticipant", error, NULL, "sa{sv}", "me", 0);
}

static int step_close_channel(Call *call, sd_bus_error *error) {
        return ask(call, call->path[SEND], CHANNEL, "Close", error, NULL, NULL);
}

static int step_close_send(Call *call, sd_bus_error *error) {
        return ask(call, call->session[SEND], SESSION, "Close", error, NULL, NULL);
}

static int step_close_receive(Call *call, sd_bus_error *error) {
        const char *id = strrchr(call->session[RECEIVE], '/') + 1;

        return ask(call, ROOT, MANAGER, "CloseSession", error, NULL, "ss", id, "faults");
}

/* ---- the order of things ---- */

/* What a step that was refused may answer the second time, if it had been done and only the answer was lost. */
static bool was_done(const Faults *faults, const char *name) {
        static const char *const done[] = { "KeyExists",     "NoSuchChannel", "NoSuchKey",        "NoSuchParticipant",
                                            "NoSuchSession", "NoSuchStream",  "ParticipantExists" };
        const char *last = name ? strrchr(name, '.') : NULL;

        for (size_t i = 0; last && i < ELEMENTS(done); i++)
                if (strcmp(last + 1, done[i]) == 0)
                        return true;
        /* A package is good for one import. */
        return last &&
               (strcmp(last + 1, "UnknownObject") == 0 || (strcmp(last + 1, "WrappedKeyInvalid") == 0 &&
                                                           strcmp(faults->struck, "sd_bus_reply_method_return") == 0));
}

static bool is_answer(const sd_bus_error *error) {
        return sd_bus_error_is_set(error) && error->message && error->message[0] != '\0' &&
               !sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) &&
               !sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT) &&
               !sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED) &&
               !sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN);
}

/* Once it may be refused, with a proper error, if a call failed; then it must succeed. */
static int take_step(Call *call, const char *name, Step step, uint32_t struck_before) {
        _cleanup_(sd_bus_error_free) sd_bus_error first = SD_BUS_ERROR_NULL, second = SD_BUS_ERROR_NULL;
        int r;

        r = step(call, &first);
        if (r >= 0 || call->complaint[0])
                return call->complaint[0] ? -1 : 0;
        if (!is_answer(&first))
                return complain(call, "%s: no answer: %s: %s", name, first.name ? first.name : strerror(-r),
                                first.message ? first.message : "");
        if (!call->faults || atomic_load(&call->faults->n_struck) == struck_before)
                return complain(call, "%s was refused though nothing failed: %s: %s", name, first.name, first.message);
        if (call->n_refused++ > 0)
                return complain(call, "%s was refused after %s had been: %s", name, call->refused, first.message);
        (void)snprintf(call->refused, sizeof(call->refused), "%s (%.60s)", name, first.name);
        for (unsigned i = 0; i < AGAIN_ROUNDS; i++) {
                sd_bus_error_free(&second);
                r = step(call, &second);
                if (r >= 0 || step != step_frames)
                        break;
                (void)nanosleep(&(struct timespec){ .tv_nsec = AGAIN_NSEC }, NULL);
        }
        if (r >= 0 || call->complaint[0] || was_done(call->faults, second.name))
                return call->complaint[0] ? -1 : 0;
        return complain(call, "%s was refused (%s: %s) and then again (%s: %s)", name, first.name, first.message,
                        second.name, second.message);
}

typedef struct Row {
        const char *name;
        Step step;
} Row;
#define ROW(name)                                                                                                      \
        { #name, step_##name }

static int take_steps(Call *call, const Row *rows, size_t n) {
        uint32_t struck_before = call->faults ? atomic_load(&call->faults->n_struck) : 0;

        call->n_refused = 0;
        for (size_t i = 0; i < n; i++)
                if (take_step(call, rows[i].name, rows[i].step, struck_before) < 0)
                        return -1;
        return 0;
}

static const Row begin[] = { ROW(open_send),   ROW(open_receive),   ROW(add_local),    ROW(add_remote),
                             ROW(import_send), ROW(import_receive), ROW(channel_send), ROW(channel_receive),
                             ROW(audio_send),  ROW(audio_receive),  ROW(video_send),   ROW(video_receive),
                             ROW(frames) };
static const Row use[] = { ROW(ratchet),
                           ROW(frames),
                           ROW(import_next_receive),
                           ROW(import_next_send),
                           ROW(activate),
                           ROW(frames),
                           ROW(generate),
                           ROW(transport_key),
                           ROW(export),
                           ROW(import_wrapped),
                           ROW(activate_wrapped),
                           ROW(frames),
                           ROW(look_manager),
                           ROW(look_session),
                           ROW(look_participant),
                           ROW(look_channel),
                           ROW(introspect),
                           ROW(code),
                           ROW(reload),
                           ROW(ratchet_all),
                           ROW(rotate),
                           ROW(rotate_all),
                           ROW(remove_stream),
                           ROW(retire),
                           ROW(remove_participant) };
static const Row end[] = { ROW(close_channel), ROW(close_send), ROW(close_receive) };

int scenario_begin(Call *call) {
        return take_steps(call, begin, ELEMENTS(begin));
}

int scenario_frames(Call *call) {
        return take_steps(call, (const Row[]){ ROW(frames) }, 1);
}

int scenario_end(Call *call) {
        return take_steps(call, end, ELEMENTS(end));
}

int scenario_run(Call *call) {
        Row rows[ELEMENTS(begin) + ELEMENTS(use) + ELEMENTS(end)];

        memcpy(rows, begin, sizeof(begin));
        memcpy(rows + ELEMENTS(begin), use, sizeof(use));
        memcpy(rows + ELEMENTS(begin) + ELEMENTS(use), end, sizeof(end));
        return take_steps(call, rows, ELEMENTS(rows));
}

void scenario_drop(Call *call) {
        for (End e = 0; e < ENDS; e++)
                call->channel[e] = framekey_channel_free(call->channel[e]);
}
