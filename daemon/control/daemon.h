/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon as the bus sees it: event loop, connection, key plane, data threads, and the
 * sessions of everybody.
 *
 * Main thread. Nothing here waits for a client.
 */
#pragma once

#include "channel/channel.h"
#include "control/audit.h"
#include "control/authority.h"
#include "control/config-file.h"
#include "control/log.h"
#include "control/owner.h"
#include "control/quota.h"
#include "control/watchers.h"
#include "keys/plane.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define DAEMON_BUS_NAME "org.framekey1"
#define DAEMON_PATH     "/org/framekey1"

typedef struct SessionObject SessionObject;

typedef enum DaemonBus {
        DAEMON_BUS_SYSTEM,
        DAEMON_BUS_USER,
        DAEMON_BUS_ADDRESS,
} DaemonBus;

typedef struct DaemonConfig {
        DaemonBus bus;
        const char *address;           /* with DAEMON_BUS_ADDRESS; outlives the daemon */
        unsigned n_threads;            /* data threads */
        const char *runtime_directory; /* see counters.h; outlive the daemon */
        const char *state_directory;
        uint64_t quotas[QUOTA_MAX];
        ConfigSource source; /* read again at SIGHUP */
        Policy policy;       /* what it says now */
} DaemonConfig;

typedef struct Daemon {
        DaemonConfig config;
        Policy policy;     /* the configuration's, and what administrators have set since */
        ConfigFault fault; /* why the last reload was refused; empty: it was not */
        Log *log;
        Audit *audit;
        Quota *quota;
        sd_event *event;
        sd_bus *bus;
        Ledger *ledger;
        Plane *plane;
        ChannelServer *server;
        Authority *authority;
        Watchers *watchers;
        CallerCache callers;
        SessionObject *sessions; /* by id */
        struct Status *status;
        uint64_t lost_cookie; /* the last call for an object that is not there, see request.h */
        char lost_name[CALLER_NAME_MAX];
        bool lost_bus;
} Daemon;

/* Why a start or a run ended; main.c turns it into an exit status. */
typedef enum DaemonOutcome {
        DAEMON_NO_BUS = 1,   /* no bus, or it hung up */
        DAEMON_NAME_REFUSED, /* the bus does not give us the name */
} DaemonOutcome;

/* Starts threads, connects, exports the objects and takes the name. Says in the log why it failed.
 * 0; DaemonOutcome; negative errno. The arena must be installed and signals blocked. `log` must outlive it; its level
 * and target may be changed on the bus. */
int daemon_new(Daemon **ret, const DaemonConfig *config, Log *log);
/* Closes all sessions, wipes all keys, leaves the bus. Takes NULL; returns NULL. */
Daemon *daemon_free(Daemon *daemon);
DEFINE_CLEANUP(Daemon, daemon_free)
/* Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again. 0; DAEMON_NO_BUS; negative errno. */
int daemon_run(Daemon *daemon);

/* log-control-bus.c */
int log_control_export(Daemon *daemon);

/* manager-bus.c */
int manager_bus_export(Daemon *daemon);
