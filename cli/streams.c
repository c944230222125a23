/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The streams of a session with their states, and what to tell people about those that do not
 * work: who, which key its frames carry, which ones we hold.
 */
#include "cli.h"

#include <stdio.h>

/* ---- reading ---- */

/* Rows of an array of arrays as objects with these names. */
static json_t *name_fields(const json_t *rows, const char *const *names, size_t n_names) {
        json_t *named = json_array(), *row;
        size_t i;

        json_array_foreach((json_t *)rows, i, row) {
                json_t *object = json_object();

                for (size_t f = 0; f < n_names; f++)
                        (void)json_object_set(object, names[f], json_array_get(row, f)); /* fails on other versions */
                (void)json_array_append_new(named, object);
        }
        return named;
}

/* Puts what is known of the same thing, by a common key, into the rows. */
static void merge_rows(json_t *rows, const json_t *more, const char *key) {
        json_t *row, *other;
        size_t i, k;

        json_array_foreach(rows, i, row) {
                json_array_foreach((json_t *)more, k, other) {
                        if (json_equal(json_object_get(row, key), json_object_get(other, key)))
                                (void)json_object_update_missing(row, other); /* without memory: fewer columns */
                }
        }
}

/* a(utub) */
json_t *keys_name_fields(const json_t *keys) {
        static const char *const names[] = { "index", "generation", "step", "active" };

        return name_fields(keys, names, ELEMENTS(names));
}

int participant_read(Context *context, const char *session_path, const char *identity, json_t **ret) {
        static const char *const times[] = { "index", "origin", "installed", "activates", "dies" };
        static const char *const ids[] = { "index", "kid" };
        _cleanup_json_ json_t *more = NULL, *kids = NULL;
        _cleanup_free_ char *prefix = NULL, *path = NULL;
        json_t *keys;
        int r;

        if (asprintf(&prefix, "%s/participant", session_path) < 0 || sd_bus_path_encode(prefix, identity, &path) < 0)
                return cli_fail("Out of memory.");
        r = context_properties_or_nothing(context, path, PARTICIPANT_INTERFACE, ret);
        if (r != CLI_OK || !*ret)
                return r;
        keys = keys_name_fields(json_object_get(*ret, "Keys"));
        more = name_fields(json_object_get(*ret, "KeyTimes"), times, ELEMENTS(times));
        merge_rows(keys, more, "index");
        kids = name_fields(json_object_get(*ret, "KeyIds"), ids, ELEMENTS(ids));
        merge_rows(keys, kids, "index");
        if (json_object_set_new(*ret, "Keys", keys) < 0) {
                json_decref(take_ptr(*ret));
                return cli_fail("Out of memory.");
        }
        return CLI_OK;
}

/* ---- channels and streams ---- */

/* The numbers of a session's channels stand in the object tree and nowhere else. */
static int channel_names(Context *context, const char *session_path, json_t *names) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *path = NULL;
        static const char tag[] = "<node name=\"";
        const char *text;
        int r;

        if (asprintf(&path, "%s/channel", session_path) < 0)
                return cli_fail("Out of memory.");
        r = context_ask_or_nothing(context, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL, &reply);
        if (r != CLI_OK || !reply)
                return r;
        if (sd_bus_message_read(reply, "s", &text) < 0)
                return cli_fail("The daemon's reply cannot be read.");
        while ((text = strstr(text, tag))) {
                text += strlen(tag);
                if (json_array_append_new(names, json_stringn(text, strcspn(text, "\""))) < 0)
                        return cli_fail("Out of memory.");
        }
        return CLI_OK;
}

/* One channel's streams: a(ussss) with a(usut). */
static int channel_streams(Context *context, const char *session_path, const char *number, json_t *rows) {
        static const char *const names[] = { "stream", "participant", "direction", "media", "codec" };
        static const char *const states[] = { "stream", "state", "key_index", "failed" };
        _cleanup_json_ json_t *channel = NULL, *streams = NULL, *more = NULL;
        _cleanup_free_ char *path = NULL;
        json_t *stream;
        size_t i;
        int r;

        if (asprintf(&path, "%s/channel/%s", session_path, number) < 0)
                return cli_fail("Out of memory.");
        r = context_properties_or_nothing(context, path, CHANNEL_INTERFACE, &channel);
        if (r != CLI_OK || !channel)
                return r;
        streams = name_fields(json_object_get(channel, "Streams"), names, ELEMENTS(names));
        more = name_fields(json_object_get(channel, "StreamStates"), states, ELEMENTS(states));
        merge_rows(streams, more, "stream");
        json_array_foreach(streams, i, stream) {
                /* None was seen yet. */
                if (json_integer_value(json_object_get(stream, "key_index")) == UINT32_MAX)
                        (void)json_object_set_new(stream, "key_index", json_null());
                (void)json_object_set_new(stream, "channel", json_integer(strtoll(number, NULL, 10)));
        }
        return json_array_extend(rows, streams) < 0 ? cli_fail("Out of memory.") : CLI_OK;
}

int streams_collect(Context *context, const char *session_path, json_t *rows) {
        _cleanup_json_ json_t *names = json_array();
        json_t *name;
        size_t i;
        int r;

        r = channel_names(context, session_path, names);
        if (r != CLI_OK)
                return r;
        json_array_foreach(names, i, name) {
                r = channel_streams(context, session_path, json_text(name), rows);
                if (r != CLI_OK)
                        return r;
        }
        return CLI_OK;
}

/* ---- what is wrong ---- */

static char *held_keys(const json_t *keys) {
        char *text = NULL;
        json_t *key;
        size_t i;

        json_array_foreach((json_t *)keys, i, key) {
                _cleanup_free_ char *before = text;

                if (asprintf(&text, "%s%s%" JSON_INTEGER_FORMAT, before ?: "", before ? ", " : "",
                             json_integer_value(json_object_get(key, "index"))) < 0)
                        return NULL;
        }
        return text ?: strdup("none");
}

/* The states that need no more than a sentence. */
static const struct {
        const char *state;
        bool sends;
        const char *text;
} simple_troubles[] = {
        { "missing-key", true, "there is no key to send under: import one, or activate one" },
        { "expired", true, "the key's age or use is at its limit: rotate it" },
        { "wrong-key", false, "the key under the frames' index does not open them: compare key, salt and derivation" },
        { "replayed", false, "the frames were received before: somebody repeats them" },
        { "expired", false, "the frames are made with a key that is dead here: the sender must use its newest" },
        { "unencrypted", false, "the frames are not encrypted and are dropped: have the sender switch encryption on" },
};

char *trouble_sentence(const char *participant, bool sends, const char *state, json_int_t key_index,
                       const json_t *keys) {
        _cleanup_free_ char *held = NULL;
        char *text;
        int n;

        if (strcmp(state, "ok") == 0 || strcmp(state, "idle") == 0)
                return NULL;
        for (size_t i = 0; i < ELEMENTS(simple_troubles); i++)
                if (simple_troubles[i].sends == sends && strcmp(state, simple_troubles[i].state) == 0)
                        return asprintf(&text, "%s: %s (%s)", participant, simple_troubles[i].text, state) < 0 ? NULL
                                                                                                               : text;
        held = held_keys(keys);
        if (strcmp(state, "missing-key") == 0 && key_index != UINT32_MAX)
                n = asprintf(&text, "%s: frames carry key %" JSON_INTEGER_FORMAT ", you hold %s (%s)", participant,
                             key_index, held ?: "?", state);
        else
                n = asprintf(&text, "%s: the frames are not %s, you hold %s (%s)", participant,
                             sends ? "encrypted" : "decrypted", held ?: "?", state);
        return n < 0 ? NULL : text;
}

static int add_trouble(Context *context, const char *id, const char *session_path, const json_t *stream,
                       json_t *troubles) {
        const char *identity = json_text(json_object_get(stream, "participant"));
        const char *state = json_text(json_object_get(stream, "state"));
        bool sends = strcmp(json_text(json_object_get(stream, "direction")), "encrypt") == 0;
        const json_t *index = json_object_get(stream, "key_index");
        _cleanup_json_ json_t *participant = NULL;
        _cleanup_free_ char *sentence = NULL;
        json_t *trouble;
        int r;

        if (*state == '\0' || strcmp(state, "ok") == 0 || strcmp(state, "idle") == 0)
                return CLI_OK;
        r = participant_read(context, session_path, identity, &participant);
        if (r != CLI_OK)
                return r;
        sentence = trouble_sentence(identity, sends, state,
                                    json_is_integer(index) ? json_integer_value(index) : UINT32_MAX,
                                    json_object_get(participant, "Keys"));
        trouble = json_pack("{s:s, s:O, s:s}", "session", id, "stream", stream, "sentence", sentence ?: state);
        return json_array_append_new(troubles, trouble) < 0 ? cli_fail("Out of memory.") : CLI_OK;
}

int troubles_collect(Context *context, const char *id, const char *session_path, json_t *troubles) {
        _cleanup_json_ json_t *streams = json_array();
        json_t *stream;
        size_t i;
        int r;

        r = streams_collect(context, session_path, streams);
        if (r != CLI_OK)
                return r;
        json_array_foreach(streams, i, stream) {
                r = add_trouble(context, id, session_path, stream, troubles);
                if (r != CLI_OK)
                        return r;
        }
        return CLI_OK;
}

static const Column trouble_columns[] = {
        { .key = "sentence", .heading = "WHAT DOES NOT WORK" },
};

int troubles_print(const Context *context, const json_t *troubles) {
        if (json_array_size(troubles) == 0)
                return CLI_OK;
        (void)putchar('\n');
        return output_rows(context, "troubles", trouble_columns, ELEMENTS(trouble_columns), troubles);
}
