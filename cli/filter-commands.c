/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands between the frames: one function a command, each with one answer.
 */
#include "filter.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* The daemon's bounds, see org.framekey1(5). */
#define ALLOW_SILENCE_MAX_USEC (24 * 3600 * USEC_PER_SEC)
#define ALLOW_ALL_MAX_USEC     (60 * USEC_PER_SEC)
/* An hour: what waits longer has hung. */
#define WAIT_MAX_USEC (3600 * USEC_PER_SEC)

/* {"done":NAME} and what else it says; NULL values mean that memory ran out. */
static int reply_done(Reply *reply, json_t *value) {
        reply->value = value;
        return value ? 0 : reply_error(reply, "Out of memory.");
}

static int reply_index(Reply *reply, const char *command, uint32_t index) {
        return reply_done(reply, json_pack("{s:s, s:I}", "done", command, "key_index", (json_int_t)index));
}

/* A name that must be there. */
static int get_participant(const json_t *line, const char **ret, Reply *reply) {
        if (get_string(line, "participant", ret, reply) < 0)
                return -EINVAL;
        return *ret ? 0 : reply_error(reply, "'participant' is missing.");
}

/* The fields "after_usec" and "at_key_frame", as options of Activate or (prefix "activate-") of what installs a key. */
static int get_activation(const json_t *line, const char *prefix, OptionList *options, Reply *reply) {
        uint64_t after;
        bool at_key_frame;

        if (get_u64(line, "after_usec", INT64_MAX, 0, &after, reply) < 0 ||
            get_bool(line, "at_key_frame", &at_key_frame, reply) < 0)
                return -EINVAL;
        if (after > 0)
                option_list_add(options, "%safter-usec=%" PRIu64, prefix, after);
        if (at_key_frame)
                option_list_add(options, "at-key-frame=yes");
        return 0;
}

/* The same with "activate", for what installs a key. */
static int get_install_options(const json_t *line, OptionList *options, Reply *reply) {
        bool activate;

        if (get_bool(line, "activate", &activate, reply) < 0)
                return -EINVAL;
        if (activate)
                option_list_add(options, "activate=yes");
        return get_activation(line, "activate-", options, reply);
}

/* What keys of SFrame and DAVE are named by and made of; for what is made here the first two. */
static int get_source_options(const json_t *line, bool made_here, OptionList *options, Reply *reply) {
        bool replace;

        if (get_number_option(line, "kid", "kid", options, reply) < 0 || get_bool(line, "replace", &replace, reply) < 0)
                return -EINVAL;
        if (replace)
                option_list_add(options, "replace=yes");
        if (made_here)
                return 0;
        if (get_number_option(line, "ssrc", "ssrc", options, reply) < 0)
                return -EINVAL;
        return get_number_option(line, "user_id", "user-id", options, reply);
}

/* ---- keys ---- */

static int do_ratchet(Filter *filter, const json_t *line, Reply *reply) {
        uint32_t index, step;
        int r;

        /* A receiver has no active key; it moves the one it got last. */
        r = get_u32(line, "key_index", filter->direction == FRAMEKEY_ENCRYPT ? FRAMEKEY_KEY_ACTIVE : filter->key_index,
                    &index, reply);
        if (r < 0)
                return r;
        r = framekey_session_ratchet(filter->session, filter->key_holder, index, &step);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        return reply_done(reply, json_pack("{s:s, s:I}", "done", "ratchet", "step", (json_int_t)step));
}

static int do_activate(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_(option_list_done) OptionList options = { 0 };
        uint32_t index;
        int r;

        if (get_u32(line, "key_index", filter->key_index, &index, reply) < 0 ||
            get_activation(line, "", &options, reply) < 0)
                return -EINVAL;
        r = framekey_session_activate(filter->session, filter->key_holder, index, option_list(&options));
        if (r < 0)
                return reply_client_error(reply, filter, r);
        return reply_index(reply, "activate", index);
}

static int do_import(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_(secret_buffer_free_p) SecretBuffer *secret = NULL;
        _cleanup_(option_list_done) OptionList options = { 0 };
        const char *path;
        uint32_t index, step;
        int r;

        if (get_string(line, "key_file", &path, reply) < 0 ||
            get_u32(line, "key_index", filter->key_index, &index, reply) < 0 ||
            get_u32(line, "step", 0, &step, reply) < 0 || get_install_options(line, &options, reply) < 0 ||
            get_source_options(line, false, &options, reply) < 0)
                return -EINVAL;
        if (!path)
                return reply_error(reply, "'key_file' is missing.");
        if (step > 0)
                option_list_add(&options, "step=%" PRIu32, step);
        r = secret_read_file(path, &secret, &reply->error);
        if (r < 0)
                return r;
        r = framekey_session_import_key(filter->session, filter->key_holder, index, secret->bytes, secret->length,
                                        option_list(&options));
        if (r < 0)
                return reply_client_error(reply, filter, r);
        filter->key_index = index;
        return reply_index(reply, "import", index);
}

static int do_generate(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_(option_list_done) OptionList options = { 0 };
        uint32_t index;
        int r;

        if (get_u32(line, "key_index", filter->key_index, &index, reply) < 0 ||
            get_install_options(line, &options, reply) < 0 || get_source_options(line, true, &options, reply) < 0)
                return -EINVAL;
        r = framekey_session_generate_key(filter->session, filter->key_holder, index, option_list(&options));
        if (r < 0)
                return reply_client_error(reply, filter, r);
        filter->key_index = index;
        return reply_index(reply, "generate", index);
}

static int do_retire(Filter *filter, const json_t *line, Reply *reply) {
        uint32_t index;
        int r;

        r = get_u32(line, "key_index", filter->key_index, &index, reply);
        if (r < 0)
                return r;
        r = framekey_session_retire_key(filter->session, filter->key_holder, index);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        return reply_index(reply, "retire", index);
}

static int do_rotate(Filter *filter, const json_t *line, Reply *reply) {
        uint32_t rotated, requested;
        const char *reason;
        int r;

        r = get_string(line, "reason", &reason, reply);
        if (r < 0)
                return r;
        r = framekey_session_rotate(filter->session, filter->key_holder, reason, &rotated, &requested);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        return reply_done(reply, json_pack("{s:s, s:I, s:I}", "done", "rotate", "rotated", (json_int_t)rotated,
                                           "requested", (json_int_t)requested));
}

static int do_set_ratchet(Filter *filter, const json_t *line, Reply *reply) {
        uint64_t interval, frames, bytes;
        int r;

        if (get_u64(line, "interval_usec", INT64_MAX, UINT64_MAX, &interval, reply) < 0 ||
            get_u64(line, "frames", INT64_MAX, UINT64_MAX, &frames, reply) < 0 ||
            get_u64(line, "bytes", INT64_MAX, UINT64_MAX, &bytes, reply) < 0)
                return -EINVAL;
        r = framekey_session_set_ratchet(filter->session, interval, frames, bytes);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        return reply_done(reply, json_pack("{s:s}", "done", "set-ratchet"));
}

/* ---- participants ---- */

static int reply_when(Reply *reply, const char *command, uint64_t when) {
        return reply_done(reply, json_pack("{s:s, s:I}", "done", command, "when_usec", (json_int_t)when));
}

static int do_join(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_(option_list_done) OptionList options = { 0 };
        const char *participant, *follows;
        uint64_t when;
        bool ratchet;
        int r;

        if (get_participant(line, &participant, reply) < 0 || get_string(line, "follows", &follows, reply) < 0 ||
            get_bool(line, "ratchet", &ratchet, reply) < 0 ||
            get_number_option(line, "member_index", "member-index", &options, reply) < 0 ||
            get_number_option(line, "context", "context", &options, reply) < 0)
                return -EINVAL;
        if (follows)
                option_list_add(&options, "follows=%s", follows);
        if (ratchet)
                option_list_add(&options, "ratchet=yes");
        r = framekey_session_join(filter->session, participant, option_list(&options), &when);
        return r < 0 ? reply_client_error(reply, filter, r) : reply_when(reply, "join", when);
}

static int do_leave(Filter *filter, const json_t *line, Reply *reply) {
        const char *participant;
        uint64_t when;
        int r;

        r = get_participant(line, &participant, reply);
        if (r < 0)
                return r;
        r = framekey_session_leave(filter->session, participant, NULL, &when);
        return r < 0 ? reply_client_error(reply, filter, r) : reply_when(reply, "leave", when);
}

int filter_allow_unencrypted(Filter *filter, const char *what, uint64_t usec) {
        if (usec == 0 && strcmp(what, "nothing") != 0)
                usec = strcmp(what, "all") == 0 ? ALLOW_ALL_MAX_USEC : ALLOW_SILENCE_MAX_USEC;
        return framekey_session_allow_unencrypted(filter->session, filter->participant, what, usec);
}

static int do_allow_unencrypted(Filter *filter, const json_t *line, Reply *reply) {
        const char *what;
        uint64_t usec;
        int r;

        if (get_string(line, "what", &what, reply) < 0 || get_u64(line, "usec", INT64_MAX, 0, &usec, reply) < 0)
                return -EINVAL;
        if (!what)
                return reply_error(reply, "'what' is missing: 'silence', 'all' or 'nothing'.");
        r = filter_allow_unencrypted(filter, what, usec);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        return reply_done(reply, json_pack("{s:s, s:s}", "done", "allow-unencrypted", "what", what));
}

/* ---- keys between daemons ---- */

static int do_transport_key(Filter *filter, const json_t *line, Reply *reply) {
        uint8_t key[FRAMEKEY_TRANSPORT_KEY_LENGTH];
        _cleanup_free_ char *fingerprint = NULL;
        int r;

        r = framekey_session_get_transport_key(filter->session, key, &fingerprint);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        return reply_done(reply, json_pack("{s:s, s:o, s:s}", "done", "transport-key", "key_hex",
                                           json_hex(key, sizeof(key)), "fingerprint", fingerprint));
}

static int do_export(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_free_ uint8_t *recipient = NULL, *package = NULL;
        size_t recipient_length, length;
        uint32_t index;
        int r;

        if (get_hex(line, "recipient_hex", &recipient, &recipient_length, reply) < 0 ||
            get_u32(line, "key_index", FRAMEKEY_KEY_ACTIVE, &index, reply) < 0)
                return -EINVAL;
        if (recipient_length != FRAMEKEY_TRANSPORT_KEY_LENGTH)
                return reply_error(reply, "'recipient_hex' is no transport key: that has %u bytes.",
                                   FRAMEKEY_TRANSPORT_KEY_LENGTH);
        r = framekey_session_export_wrapped(filter->session, filter->key_holder, index, recipient, &package, &length);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        return reply_done(reply, json_pack("{s:s, s:o}", "done", "export", "package_hex", json_hex(package, length)));
}

static int do_import_wrapped(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_(option_list_done) OptionList options = { 0 };
        _cleanup_free_ uint8_t *package = NULL;
        size_t length;
        uint32_t index;
        int r;

        if (get_hex(line, "package_hex", &package, &length, reply) < 0 ||
            get_u32(line, "key_index", FRAMEKEY_KEY_ACTIVE, &index, reply) < 0 ||
            get_install_options(line, &options, reply) < 0)
                return -EINVAL;
        r = framekey_session_import_wrapped(filter->session, filter->key_holder, index, package, length,
                                            option_list(&options), &index);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        filter->key_index = index;
        return reply_index(reply, "import-wrapped", index);
}

/* ---- wait ---- */

static uint64_t now_usec(void) {
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/* Lets time and signals pass: for so long, or until `event` (-1: none) has come. 1 if it has. */
static int wait_for(Filter *filter, uint64_t usec, int event, Reply *reply) {
        uint64_t until = now_usec() + usec, now;
        int r;

        for (;;) {
                r = framekey_client_process(filter->client);
                if (event >= 0 && filter->n_events[event] > 0)
                        return 1;
                now = now_usec();
                if (r >= 0 && now >= until)
                        return 0;
                if (r >= 0)
                        r = sd_bus_wait(framekey_client_get_bus(filter->client), until - now);
                if (r < 0 && r != -EINTR)
                        return reply_error(reply, "The bus closed the connection: %s.", strerror(-r));
        }
}

static int do_wait(Filter *filter, const json_t *line, Reply *reply) {
        const char *name;
        uint64_t usec;
        int event = -1, r;

        if (get_u64(line, "usec", WAIT_MAX_USEC, 0, &usec, reply) < 0 || get_string(line, "event", &name, reply) < 0)
                return -EINVAL;
        if (name) {
                event = event_number(name);
                if (event < 0)
                        return reply_error(reply, "There is no event '%.32s'.", name);
        }
        r = wait_for(filter, usec, event, reply);
        if (r < 0)
                return r;
        if (r == 0)
                return reply_done(reply, json_pack("{s:s}", "done", "wait"));
        filter->n_events[event]--;
        return reply_done(reply, json_pack("{s:s, s:s}", "done", "wait", "event", name));
}

/* ---- the table ---- */

static const struct {
        const char *name;
        int (*run)(Filter *filter, const json_t *line, Reply *reply);
} commands[] = {
        { "ratchet", do_ratchet },
        { "activate", do_activate },
        { "import", do_import },
        { "generate", do_generate },
        { "retire", do_retire },
        { "rotate", do_rotate },
        { "set-ratchet", do_set_ratchet },
        { "join", do_join },
        { "leave", do_leave },
        { "allow-unencrypted", do_allow_unencrypted },
        { "transport-key", do_transport_key },
        { "export", do_export },
        { "import-wrapped", do_import_wrapped },
        { "wait", do_wait },
};

int filter_command(Filter *filter, const char *name, const json_t *line, Reply *reply) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (strcmp(name, commands[i].name) == 0)
                        return commands[i].run(filter, line, reply);
        return reply_error(reply, "There is no command '%.32s'; framekeyctl(1) lists them.", name);
}
