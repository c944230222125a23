/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signals of a session as events. A signal that is not in the table, or does not have the arguments
 * that the interface gives it, is passed over: it is of another version.
 */
#include "bus-internal.h"

/* A letter stands for a member of the event and the argument that fills it. */
static const struct {
        char letter, type;
        size_t offset;
} event_members[] = {
        { 'p', 's', offsetof(struct framekey_event, participant) },
        { 'i', 'u', offsetof(struct framekey_event, key_index) },
        { 's', 'u', offsetof(struct framekey_event, step) },
        { 'g', 't', offsetof(struct framekey_event, generation) },
        { 'r', 's', offsetof(struct framekey_event, reason) },
        { 'd', 't', offsetof(struct framekey_event, deadline_usec) },
        { 'c', 'o', offsetof(struct framekey_event, channel) },
        { 'm', 'u', offsetof(struct framekey_event, stream) },
        { 'w', 's', offsetof(struct framekey_event, state) },
        { 'f', 't', offsetof(struct framekey_event, frames) },
};

static const struct {
        const char *name;
        const char *members; /* in the order of the signal's arguments */
} event_signals[] = {
        { "KeyInstalled", "pigs" },    { "KeyActivated", "pi" },          { "KeyRatcheted", "pis" },
        { "KeyWiped", "pis" },         { "KeyExpiring", "pid" },          { "RotationRequested", "pird" },
        { "AllFollowed", "" },         { "DecryptionStalled", "pcmwif" }, { "DecryptionResumed", "pcmf" },
        { "UnencryptedFrame", "pcm" },
};

#define EVENT_EMPTY                                                                                                    \
        .size = sizeof(struct framekey_event), .participant = "", .key_index = UINT32_MAX, .reason = "",               \
        .channel = "", .state = ""

static int event_read_member(sd_bus_message *m, char letter, struct framekey_event *event) {
        size_t i = 0;

        while (event_members[i].letter != letter)
                i++;
        return sd_bus_message_read_basic(m, event_members[i].type, (char *)event + event_members[i].offset);
}

/* 1; 0 for a signal that is no event; negative errno for one that is not as the interface says. */
static int event_read(sd_bus_message *m, struct framekey_event *ret) {
        struct framekey_event event = { EVENT_EMPTY };
        size_t i = 0;
        int r;

        while (i < ELEMENTS(event_signals) && !sd_bus_message_is_signal(m, NULL, event_signals[i].name))
                i++;
        if (i == ELEMENTS(event_signals))
                return 0;
        event.name = event_signals[i].name;
        for (const char *letter = event_signals[i].members; *letter; letter++) {
                r = event_read_member(m, *letter, &event);
                if (r <= 0)
                        return r < 0 ? r : -EBADMSG;
        }
        *ret = event;
        return 1;
}

/* Any user of the system bus may send a signal in this interface's name, to this connection alone if he likes. */
static bool is_believed(const framekey_session *session, sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m);

        return !session->daemon || (sender && strcmp(sender, session->daemon) == 0);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        SessionMatch *match = userdata;
        struct framekey_event event;

        if (is_believed(match->session, m) && event_read(m, &event) > 0)
                match->handler(match->session, &event, match->userdata);
        return 0; /* a signal we cannot read is not the loop's failure */
}

/* The bus tells this before it hands on the first signal of the new owner. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        SessionMatch *match = userdata;
        framekey_session *session = match->session;
        const char *name, *before, *after;
        char *daemon;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || strcmp(name, BUS_NAME) != 0 || !*after)
                return 0;
        daemon = strdup(after);
        if (!daemon)
                return 0; /* no signal is better than somebody else's */
        free(session->daemon);
        session->daemon = daemon;
        match->handler(session, &(struct framekey_event){ EVENT_EMPTY, .name = "Restarted" }, match->userdata);
        return 0;
}

static int match_owner(SessionMatch *match, sd_bus *bus) {
        return sd_bus_add_match(bus, &match->owner_slot,
                                "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" BUS_NAME "'",
                                on_owner, match);
}

void session_match_end(SessionMatch *match) {
        match->slot = sd_bus_slot_unref(match->slot);
        match->owner_slot = sd_bus_slot_unref(match->owner_slot);
}

int session_match(SessionMatch *match, framekey_session *session, framekey_event_handler handler, void *userdata) {
        framekey_client *client = session->client;
        int r;

        if (!client->bus)
                return client_fail(client, -ENOTCONN, "This session's connection was closed: open a new one.");
        if (!handler) {
                session_match_end(match);
                return 0;
        }
        match->session = session;
        match->handler = handler;
        match->userdata = userdata;
        if (match->slot)
                return 0;
        /* The owner first, so that no change of it goes unnoticed. */
        r = match_owner(match, client->bus);
        if (r >= 0)
                r = sd_bus_match_signal(client->bus, &match->slot, BUS_NAME, session->path, SESSION_INTERFACE, NULL,
                                        on_signal, match);
        if (r < 0) {
                session_match_end(match);
                return client_fail(client, r, "Cannot listen to signals: %s.", strerror(-r));
        }
        return 0;
}

int framekey_session_set_handler(framekey_session *session, framekey_event_handler handler, void *userdata) {
        return session_match(&session->match, session, handler, userdata);
}
