/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plain bus client for tests: calls, what they answer, and what they refuse. Any failure that a
 * test did not ask for ends the case.
 */
#pragma once

#include "util/util.h"

#include <check.h>
#include <systemd/sd-bus.h>

#define MANAGER_PATH "/org/framekey1"
#define ERROR(name)  "org.framekey1.Error." name
#define INVALID_ARGS SD_BUS_ERROR_INVALID_ARGS
/* A user who is nobody's friend. */
#define FOREIGN_UID 65534u

/* Connects as this process; to the second daemon's bus; as another user (root only). */
sd_bus *client_open(void);
sd_bus *client_open_second(void);
sd_bus *client_open_as(uid_t uid);
static inline void client_close_p(sd_bus **bus) {
        *bus = sd_bus_flush_close_unref(*bus);
}
#define _client_ _cleanup_(client_close_p) sd_bus *

/* Calls INTERFACE.MEMBER and gives the reply, or ends the case. */
sd_bus_message *client_call(sd_bus *bus, const char *path, const char *interface, const char *member, const char *types,
                            ...);
/* The same for calls that must be refused: ends the case unless the error has this name and a whole sentence.
 * Gives the sentence, malloc'd. */
char *client_refused(sd_bus *bus, const char *path, const char *interface, const char *member, const char *error,
                     const char *types, ...);
/* Calls that need no look at the reply. */
#define client_do(...)                         sd_bus_message_unref(client_call(__VA_ARGS__))
#define client_fail(...)                       free(client_refused(__VA_ARGS__))
#define client_manager(bus, member, ...)       client_call(bus, MANAGER_PATH, "org.framekey1.Manager", member, __VA_ARGS__)
#define client_session(bus, path, member, ...) client_call(bus, path, "org.framekey1.Session", member, __VA_ARGS__)

/* Opens a session with options in sd_bus_message_append() form: a count, then name, type, value ("t": a uint64_t). */
typedef struct TestSession {
        char id[64];
        char path[128];
} TestSession;
TestSession client_open_session(sd_bus *bus, const char *profile, unsigned n_options, ...);
/* "unknown" objects: true if the bus says so of this path. */
char *client_string(sd_bus *bus, const char *path, const char *interface, const char *property);
uint32_t client_u32(sd_bus *bus, const char *path, const char *interface, const char *property);
uint64_t client_u64(sd_bus *bus, const char *path, const char *interface, const char *property);
bool client_bool(sd_bus *bus, const char *path, const char *interface, const char *property);

/* A pipe with `text` in it and its write end closed; the read end. */
int client_secret(const char *text);
uint64_t client_import(sd_bus *bus, const char *session, const char *participant, uint32_t index, const char *text);

/* Handles what arrives until nothing has come for `usec`. */
void client_settle(sd_bus *bus, uint64_t usec);
/* Handles what arrives until `*flag`, at most five seconds; then the case ends. */
void client_wait(sd_bus *bus, const int *flag);
/* Whether this process may act as other users; if not, says so on standard error. */
bool client_is_root(void);
/* Runs the suite and gives the exit status. */
int client_main(Suite *suite);
