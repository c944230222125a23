/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session's signals as JSON objects for programs and as sentences for people.
 */
#include "cli.h"

#include <stdio.h>
#include <time.h>

/* What a signal carries, in the order in which it is shown. */
enum {
        HAS_PARTICIPANT = 1u << 0,
        HAS_INDEX = 1u << 1,
        HAS_STEP = 1u << 2,
        HAS_GENERATION = 1u << 3,
        HAS_REASON = 1u << 4,
        HAS_DEADLINE = 1u << 5,
        HAS_STREAM = 1u << 6,
        HAS_STATE = 1u << 7,
        HAS_FRAMES = 1u << 8,
};

static const struct {
        const char *name;
        unsigned has;
} signals[EVENTS_MAX] = {
        { "KeyInstalled", HAS_PARTICIPANT | HAS_INDEX | HAS_STEP | HAS_GENERATION },
        { "KeyActivated", HAS_PARTICIPANT | HAS_INDEX },
        { "KeyRatcheted", HAS_PARTICIPANT | HAS_INDEX | HAS_STEP },
        { "KeyWiped", HAS_PARTICIPANT | HAS_INDEX | HAS_STEP },
        { "KeyExpiring", HAS_PARTICIPANT | HAS_INDEX | HAS_DEADLINE },
        { "RotationRequested", HAS_PARTICIPANT | HAS_INDEX | HAS_REASON | HAS_DEADLINE },
        { "AllFollowed", 0 },
        { "DecryptionStalled", HAS_PARTICIPANT | HAS_STREAM | HAS_STATE | HAS_INDEX | HAS_FRAMES },
        { "DecryptionResumed", HAS_PARTICIPANT | HAS_STREAM | HAS_FRAMES },
        { "UnencryptedFrame", HAS_PARTICIPANT | HAS_STREAM },
};

int event_number(const char *name) {
        for (int i = 0; i < EVENTS_MAX; i++)
                if (strcmp(signals[i].name, name) == 0)
                        return i;
        return -1;
}

/* ---- JSON ---- */

static int set(json_t *object, const char *key, json_t *value) {
        return json_object_set_new(object, key, value);
}

/* As the daemon says it: none. */
static json_t *index_to_json(uint32_t index) {
        return index == UINT32_MAX ? json_null() : json_integer(index);
}

json_t *event_to_json(const struct framekey_event *event) {
        int number = event_number(event->name);
        unsigned has = number < 0 ? 0 : signals[number].has;
        json_t *object = json_pack("{s:s}", "event", event->name);
        int r = object ? 0 : -1;

        if (has & HAS_PARTICIPANT)
                r |= set(object, "participant", json_string(event->participant));
        if (has & HAS_STREAM) {
                r |= set(object, "channel", json_string(event->channel));
                r |= set(object, "stream", json_integer(event->stream));
        }
        if (has & HAS_STATE)
                r |= set(object, "state", json_string(event->state));
        if (has & HAS_INDEX)
                r |= set(object, "key_index", index_to_json(event->key_index));
        if (has & HAS_STEP)
                r |= set(object, "step", json_integer(event->step));
        if (has & HAS_GENERATION)
                r |= set(object, "generation", json_integer((json_int_t)event->generation));
        if (has & HAS_REASON)
                r |= set(object, "reason", json_string(event->reason));
        if (has & HAS_DEADLINE)
                r |= set(object, "deadline_usec", json_integer((json_int_t)event->deadline_usec));
        if (has & HAS_FRAMES)
                r |= set(object, "frames", json_integer((json_int_t)event->frames));
        if (r == 0)
                return object;
        json_decref(object);
        return NULL;
}

/* ---- sentences ---- */

static void clock_text(uint64_t usec, char ret[sizeof("23:59:59")]) {
        time_t seconds = (time_t)(usec / USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&seconds, &tm) || strftime(ret, sizeof("23:59:59"), "%T", &tm) == 0)
                memcpy(ret, "?", sizeof("?"));
}

static char *sentence_of_key(const struct framekey_event *event, const char *who) {
        char until[sizeof("23:59:59")];
        char *text = NULL;
        int n;

        clock_text(event->deadline_usec, until);
        if (strcmp(event->name, "KeyInstalled") == 0)
                n = asprintf(&text, "%s: key %u is there, at step %u", who, event->key_index, event->step);
        else if (strcmp(event->name, "KeyActivated") == 0)
                n = asprintf(&text, "%s: key %u is sent under from now on", who, event->key_index);
        else if (strcmp(event->name, "KeyRatcheted") == 0)
                n = asprintf(&text, "%s: key %u is at step %u now", who, event->key_index, event->step);
        else if (strcmp(event->name, "KeyWiped") == 0)
                n = asprintf(&text, "%s: key %u at step %u is wiped", who, event->key_index, event->step);
        else if (strcmp(event->name, "KeyExpiring") == 0)
                n = asprintf(&text, "%s: key %u is refused from %s on, replace it", who, event->key_index, until);
        else if (event->deadline_usec > 0)
                n = asprintf(&text, "%s: a new key is wanted under index %u before %s (%s)", who, event->key_index,
                             until, event->reason);
        else
                n = asprintf(&text, "%s: a new key is wanted under index %u (%s)", who, event->key_index,
                             event->reason);
        return n < 0 ? NULL : text;
}

char *event_sentence(const struct framekey_event *event, bool sends, const json_t *keys) {
        int number = event_number(event->name), n;
        unsigned has = number < 0 ? 0 : signals[number].has;
        char *text = NULL;

        if (has & HAS_STATE)
                return trouble_sentence(event->participant, sends, event->state, event->key_index, keys);
        if (has & HAS_INDEX)
                return sentence_of_key(event, *event->participant ? event->participant : "all");
        if (strcmp(event->name, "DecryptionResumed") == 0)
                n = asprintf(&text, "%s: stream %u works again, after %llu frames", event->participant, event->stream,
                             (unsigned long long)event->frames);
        else if (strcmp(event->name, "UnencryptedFrame") == 0)
                n = asprintf(&text, "%s: frames of stream %u are not encrypted, they are dropped", event->participant,
                             event->stream);
        else
                n = asprintf(&text, "all have followed: everybody who sends uses the newest key");
        return n < 0 ? NULL : text;
}
