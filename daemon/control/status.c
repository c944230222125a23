/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sentence, and when it is sent; see status.h. */
#include "control/status.h"

#include "control/session-object.h"
#include "util/realtime.h"

#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define INTERVAL_USEC   USEC_PER_SEC
#define STATUS_TEXT_MAX 1024u

struct Status {
        Daemon *daemon;
        sd_event_source *after_events;
        sd_event_source *timer; /* armed while there may be something to tell */
        uint64_t told_usec;     /* CLOCK_MONOTONIC, like the event loop's */
        bool by_timer;          /* the event was only our own timer */
        char text[STATUS_TEXT_MAX];
};

typedef struct Sums {
        uint64_t sessions, keys, channels;
        uint64_t next_ratchet_usec;
} Sums;

static void sums_make(const Daemon *daemon, Sums *ret) {
        *ret = (Sums){ .next_ratchet_usec = USEC_INFINITY };
        for (const SessionObject *session = daemon->sessions; session; session = session->hh.next) {
                SessionInfo info;

                session_info(session->session, &info);
                ret->sessions++;
                ret->keys += session->keys.amount;
                ret->channels += HASH_COUNT(session->channels);
                ret->next_ratchet_usec = MIN_OF(ret->next_ratchet_usec, info.next_ratchet_usec);
        }
}

static void add(char text[STATUS_TEXT_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char text[STATUS_TEXT_MAX], const char *format, ...) {
        size_t len = strlen(text);
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text + len, STATUS_TEXT_MAX - len, format, arguments);
        va_end(arguments);
}

static void add_count(char text[STATUS_TEXT_MAX], const char *before, uint64_t n, const char *what) {
        add(text, "%s%" PRIu64 " %s%s", before, n, what, n == 1 ? "" : "s");
}

/* A time of day, because the sentence stands while time goes on. */
static void add_next_ratchet(char text[STATUS_TEXT_MAX], uint64_t boottime_usec) {
        time_t seconds = (time_t)(realtime_from_boottime(boottime_usec) / USEC_PER_SEC);
        char when[64];
        struct tm tm;

        if (boottime_usec == USEC_INFINITY || !localtime_r(&seconds, &tm) ||
            strftime(when, sizeof(when), "%a %H:%M:%S %Z", &tm) == 0)
                return;
        add(text, "; next ratchet %s", when);
}

static void add_sums(char text[STATUS_TEXT_MAX], const Daemon *daemon) {
        Sums sums;

        sums_make(daemon, &sums);
        if (sums.sessions == 0) {
                add(text, "; no sessions");
                return;
        }
        add_count(text, "; ", sums.sessions, "session");
        add_count(text, ", ", sums.keys, "key");
        add_count(text, ", ", sums.channels, "channel");
        add_next_ratchet(text, sums.next_ratchet_usec);
}

static void describe(Daemon *daemon, char text[STATUS_TEXT_MAX]) {
        text[0] = '\0';
        add(text, plane_locked(daemon->plane) ? "Locked by an administrator, every frame is refused" : "Serving");
        /* All users can read what the system's manager knows, and that somebody has a call is not theirs to know. */
        if (daemon->config.bus != DAEMON_BUS_SYSTEM)
                add_sums(text, daemon);
        add(text, ledger_is_kept(daemon->ledger) ? "; counters are kept over a restart"
                                                 : "; counters are NOT kept over a restart");
        if (daemon->fault.text[0] != '\0')
                add(text, ". The configuration was REFUSED, what was read before applies: %s", daemon->fault.text);
        else
                add(text, ".");
}

static void told(Status *status) {
        (void)sd_event_now(status->daemon->event, CLOCK_MONOTONIC, &status->told_usec); /* else it is told too often */
}

void status_tell(Status *status, const char *state) {
        describe(status->daemon, status->text);
        (void)sd_notifyf(0, "%s\nSTATUS=%s", state, status->text); /* nobody may be listening */
        told(status);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        char before[STATUS_TEXT_MAX];
        Status *status = userdata;

        status->by_timer = true;
        memcpy(before, status->text, sizeof(before));
        describe(status->daemon, status->text);
        if (strcmp(before, status->text) != 0)
                (void)sd_notifyf(0, "STATUS=%s", status->text); /* as above */
        told(status);                                           /* not `usec`, when it was due */
        return 0;
}

/* Before anything else happens, so that `by_timer` is about the one event before. */
static int after_event(sd_event_source *source, void *userdata) {
        Status *status = userdata;
        int enabled = SD_EVENT_OFF, r;

        if (status->by_timer) {
                status->by_timer = false;
                return 0;
        }
        r = sd_event_source_get_enabled(status->timer, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF)
                return r;
        r = sd_event_source_set_time(status->timer, status->told_usec + INTERVAL_USEC);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(status->timer, SD_EVENT_ONESHOT);
}

static int watch(Status *status) {
        sd_event *event = status->daemon->event;
        int r;

        r = sd_event_add_time(event, &status->timer, CLOCK_MONOTONIC, 0, INTERVAL_USEC / 4, on_timer, status);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(status->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_event_add_post(event, &status->after_events, after_event, status);
        if (r < 0)
                return r;
        return sd_event_source_set_priority(status->after_events, SD_EVENT_PRIORITY_IMPORTANT);
}

int status_new(Status **ret, Daemon *daemon) {
        Status *status = calloc(1, sizeof(*status));
        int r = 0;

        if (!status)
                return -ENOMEM;
        status->daemon = daemon;
        if (getenv("NOTIFY_SOCKET"))
                r = watch(status);
        if (r < 0) {
                (void)status_free(status);
                return r;
        }
        *ret = status;
        return 0;
}

Status *status_free(Status *status) {
        if (!status)
                return NULL;
        sd_event_source_disable_unref(status->timer);
        sd_event_source_disable_unref(status->after_events);
        free(status);
        return NULL;
}
