/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb monitor: attaches to a session and tells its signals as they come, one line each.
 *
 * Signals of a session go to its owners only, so the session must let this connection attach.
 */
#include "cli.h"

#include <stdio.h>
#include <time.h>

typedef struct Monitor {
        Context *context;
        framekey_session *session;
        bool ended;  /* the session */
        int written; /* CLI_OK, or the status of a failed write */
} Monitor;

static void write_line(Monitor *monitor, const json_t *event, const char *sentence) {
        char now[sizeof("23:59:59")] = "";
        time_t seconds = time(NULL);
        struct tm tm;

        if (monitor->context->json != JSON_OFF) {
                monitor->written = output_json(monitor->context, event);
        } else {
                if (localtime_r(&seconds, &tm))
                        (void)strftime(now, sizeof(now), "%T", &tm); /* stays empty: no time is shown */
                (void)printf("%s ", now);
                output_line(sentence);
        }
        /* The reader waits for lines, not for a full buffer. */
        if (fflush(stdout) == EOF)
                monitor->written = cli_fail("Cannot write the output.");
}

static void on_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        _cleanup_json_ json_t *participant = NULL, *object = NULL;
        _cleanup_free_ char *sentence = NULL;
        Monitor *monitor = userdata;
        bool sends;

        if (*event->state && monitor->context->json == JSON_OFF) {
                monitor->written = participant_read(monitor->context, framekey_session_get_path(session),
                                                    event->participant, &participant);
                if (monitor->written != CLI_OK)
                        return;
        }
        sends = strcmp(json_text(json_object_get(participant, "Role")), "local") == 0;
        sentence = event_sentence(event, sends, json_object_get(participant, "Keys"));
        object = event_to_json(event);
        if (!object || !sentence)
                monitor->written = cli_fail("Out of memory.");
        else
                write_line(monitor, object, sentence);
}

static int on_removed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Monitor *monitor = userdata;
        const char *id;

        if (sd_bus_message_read(m, "s", &id) >= 0 && strcmp(id, framekey_session_get_id(monitor->session)) == 0)
                monitor->ended = true;
        return 0;
}

static int listen_for_end(Monitor *monitor, framekey_client *client) {
        int r;

        r = sd_bus_match_signal(framekey_client_get_bus(client), NULL, "org.framekey1", MANAGER_PATH, MANAGER_INTERFACE,
                                "SessionRemoved", on_removed, monitor);
        return r < 0 ? cli_fail("Cannot listen to signals: %s.", strerror(-r)) : CLI_OK;
}

static int watch(Monitor *monitor, framekey_client *client) {
        int r;

        while (!monitor->ended && monitor->written == CLI_OK) {
                r = framekey_client_process(client);
                if (r >= 0 && !monitor->ended && monitor->written == CLI_OK)
                        r = sd_bus_wait(framekey_client_get_bus(client), UINT64_MAX);
                if (r < 0 && r != -EINTR) {
                        cli_tell("The bus closed the connection: %s.", strerror(-r));
                        return CLI_UNREACHABLE;
                }
        }
        if (monitor->ended)
                cli_hint(monitor->context, "The session has ended.");
        return monitor->written;
}

int verb_monitor(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "monitor",
                .arguments = "SESSION",
                .summary = "Tells what happens to the keys and streams of a session, a line each, until it ends.\n"
                           "The session must have been opened with exclusive=no by the same user.",
                .n_min = 1,
                .n_max = 1,
        };
        _cleanup_(framekey_session_free_p) framekey_session *session = NULL;
        Monitor monitor = { .context = context };
        _cleanup_free_ char *id = NULL;
        framekey_client *client;
        int r, first;

        r = cli_parse(context, &usage, argc, argv, NULL, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        r = session_resolve(context, argv[first], &id);
        if (r == CLI_OK)
                r = context_client(context, &client);
        if (r != CLI_OK)
                return r;
        r = framekey_session_attach(client, id, &session);
        if (r < 0)
                return cli_fail_client(client, r);
        monitor.session = session;
        r = listen_for_end(&monitor, client);
        if (r != CLI_OK)
                return r;
        r = framekey_session_set_handler(session, on_event, &monitor);
        if (r < 0)
                return cli_fail_client(client, r);
        cli_hint(context, "Listening to session %s; Ctrl-C ends it.", id);
        return watch(&monitor, client);
}
