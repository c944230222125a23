/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Start, event loop and end of the daemon; see daemon.h. */
#include "control/daemon.h"

#include "control/counters.h"
#include "control/errors.h"
#include "control/gate.h"
#include "control/manager-bus.h"
#include "control/object-tree.h"
#include "control/reload.h"
#include "control/session-object.h"
#include "control/status.h"

#include <signal.h>
#include <systemd/sd-daemon.h>

static int on_plane(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        plane_dispatch(((Daemon *)userdata)->plane);
        return 0;
}

static int on_server(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        channel_server_dispatch(((Daemon *)userdata)->server);
        return 0;
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Daemon *daemon = userdata;

        log_line(daemon->log, LOG_ERR,
                 "The bus closed the connection; stopping. Start framekeyd again when it is back.");
        daemon->lost_bus = true;
        return sd_event_exit(daemon->event, 0);
}

static int on_name_lost(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;
        Daemon *daemon = userdata;
        int r;

        r = sd_bus_message_read(message, "sss", &name, &before, &after);
        if (r < 0)
                return r;
        if (name[0] == ':' && after[0] == '\0') {
                authority_name_left(daemon->authority, name);
                watchers_name_left(daemon->watchers, name);
                session_object_name_left(daemon, name);
        }
        return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        (void)reload_config(userdata, NULL); /* it has told everybody */
        return 0;
}

static int start_books(Daemon *daemon) {
        int r;

        r = errors_register();
        if (r < 0)
                return r;
        r = audit_new(&daemon->audit, daemon->log, daemon->event);
        if (r < 0)
                return r;
        r = watchers_new(&daemon->watchers);
        if (r < 0)
                return r;
        return quota_new(&daemon->quota, daemon->config.quotas);
}

static int start_event(Daemon *daemon) {
        int r;

        r = sd_event_new(&daemon->event);
        if (r < 0)
                return r;
        r = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
        if (r < 0)
                return r;
        r = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return r;
        r = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_hangup, daemon);
        if (r < 0)
                return r;
        r = sd_event_set_watchdog(daemon->event, true);
        return r < 0 ? r : 0;
}

static int start_plane(Daemon *daemon) {
        const DaemonConfig *config = &daemon->config;
        int r;

        r = counters_open(&daemon->ledger, config->runtime_directory, config->state_directory,
                          config->bus == DAEMON_BUS_USER, daemon->log);
        if (r < 0)
                return r;
        r = plane_new(&daemon->plane);
        if (r < 0)
                return r;
        plane_set_ledger(daemon->plane, daemon->ledger);
        r = sd_event_add_io(daemon->event, NULL, plane_event_fd(daemon->plane), EPOLLIN, on_plane, daemon);
        if (r < 0)
                return r;
        r = channel_server_new(&daemon->server, daemon->plane, daemon->config.n_threads);
        if (r < 0)
                return r;
        r = sd_event_add_io(daemon->event, NULL, channel_server_event_fd(daemon->server), EPOLLIN, on_server, daemon);
        return r < 0 ? r : 0;
}

static int start_status(Daemon *daemon) {
        return status_new(&daemon->status, daemon);
}

static int open_address(sd_bus **ret, const char *address) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, 1);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = take_ptr(bus);
        return 0;
}

/* Says hello and waits for the answer, so that "no bus" is told here and not by some later call. */
static int connect_bus(Daemon *daemon) {
        const char *unique;
        int r;

        switch (daemon->config.bus) {
        case DAEMON_BUS_SYSTEM:
                r = sd_bus_open_system_with_description(&daemon->bus, "framekeyd");
                break;
        case DAEMON_BUS_USER:
                r = sd_bus_open_user_with_description(&daemon->bus, "framekeyd");
                break;
        default:
                r = open_address(&daemon->bus, daemon->config.address);
        }
        if (r < 0)
                return r;
        return sd_bus_get_unique_name(daemon->bus, &unique);
}

static int start_bus(Daemon *daemon) {
        int r;

        r = connect_bus(daemon);
        if (r < 0) {
                log_line(daemon->log, LOG_ERR,
                         "Cannot connect to the %s bus: %s. Is it running, and is its address right?",
                         daemon->config.bus == DAEMON_BUS_SYSTEM ? "system"
                         : daemon->config.bus == DAEMON_BUS_USER ? "user"
                                                                 : "given",
                         strerror(-r));
                return DAEMON_NO_BUS;
        }
        r = sd_bus_match_signal(daemon->bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, daemon);
        if (r < 0)
                return r;
        /*
         * One match for everybody instead of an sd_bus_track for each owner: a bus grants a connection few matches
         * (dbus-daemon 512), and one user's connections must not use up what other users' sessions need. A name
         * that is lost during its own call is told behind that call, so nothing is missed.
         */
        r = sd_bus_add_match(daemon->bus, NULL,
                             "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                             "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''",
                             on_name_lost, daemon);
        if (r < 0)
                return r;
        r = authority_new(&daemon->authority, daemon);
        if (r < 0)
                return r;
        daemon->callers.authority = daemon->authority;
        r = gate_export(daemon);
        if (r < 0)
                return r;
        r = manager_bus_export(daemon);
        if (r < 0)
                return r;
        r = log_control_export(daemon);
        if (r < 0)
                return r;
        r = object_tree_export(daemon);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(daemon->bus, daemon->event, SD_EVENT_PRIORITY_NORMAL);
        return r < 0 ? r : 0;
}

/* Last of all: from here on clients call. */
static int take_name(Daemon *daemon) {
        int r;

        r = sd_bus_request_name(daemon->bus, DAEMON_BUS_NAME, 0);
        if (r >= 0)
                return 0;
        if (r == -EEXIST || r == -EALREADY)
                log_line(daemon->log, LOG_ERR,
                         "The name " DAEMON_BUS_NAME " is taken: a framekeyd serves this bus already. Stop that one "
                         "first.");
        else if (r == -EACCES || r == -EPERM)
                log_line(daemon->log, LOG_ERR,
                         "The bus refuses uid %u the name " DAEMON_BUS_NAME ": run as the user framekeyd with "
                         "org.framekey1.conf in the bus policy, or use --user.",
                         (unsigned)geteuid());
        else
                log_line(daemon->log, LOG_ERR, "The bus does not give us the name " DAEMON_BUS_NAME ": %s.",
                         strerror(-r));
        return DAEMON_NAME_REFUSED;
}

static int start(Daemon *daemon) {
        static int (*const steps[])(Daemon *) = { start_event,  start_books, start_plane,
                                                  start_status, start_bus,   take_name };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(steps) && r == 0; i++)
                r = steps[i](daemon);
        return r;
}

int daemon_new(Daemon **ret, const DaemonConfig *config, Log *log) {
        Daemon *daemon = calloc(1, sizeof(*daemon));
        int r;

        if (!daemon)
                return -ENOMEM;
        *daemon = (Daemon){ .config = *config, .policy = config->policy, .log = log };
        r = start(daemon);
        if (r != 0) {
                (void)daemon_free(daemon);
                return r;
        }
        *ret = daemon;
        return 0;
}

Daemon *daemon_free(Daemon *daemon) {
        if (!daemon)
                return NULL;
        while (daemon->sessions)
                (void)session_object_free(daemon->sessions);
        daemon->callers.authority = NULL;
        daemon->authority = authority_free(daemon->authority);
        daemon->watchers = watchers_free(daemon->watchers);
        (void)channel_server_free(daemon->server);
        (void)plane_free(daemon->plane);
        (void)ledger_close(daemon->ledger);
        sd_bus_flush_close_unref(daemon->bus);
        (void)status_free(daemon->status);
        sd_event_unref(daemon->event);
        (void)quota_free(daemon->quota);
        (void)audit_free(daemon->audit);
        free(daemon);
        return NULL;
}

int daemon_run(Daemon *daemon) {
        int r;

        status_tell(daemon->status, "READY=1");
        r = sd_event_loop(daemon->event);
        (void)sd_notify(0, "STOPPING=1\nSTATUS=Wiping keys."); /* nobody may be listening */
        if (r < 0)
                return r;
        return daemon->lost_bus ? DAEMON_NO_BUS : 0;
}
