/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opens a session with a participant, a channel and a key, prints the paths of the first three, and holds them in the
 * background until the file given as argument is there, at most half a minute.
 */
#include "util/util.h"

#include <stdio.h>
#include <systemd/sd-bus.h>

#define NAME "org.framekey1"

/* The first object path of the answer. */
static int call_for_path(sd_bus *bus, sd_bus_message *call, const char *skip, char **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *object;
        int r;

        r = sd_bus_call(bus, call, 0, &error, &reply);
        if (r >= 0 && skip)
                r = sd_bus_message_skip(reply, skip);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &object);
        if (r < 0) {
                (void)fprintf(stderr, "hold-objects: %s: %s\n", sd_bus_message_get_member(call),
                              error.message ? error.message : strerror(-r));
                return r;
        }
        (void)sd_bus_message_ref(reply); /* the descriptors in it keep the channel open */
        *ret = strdup(object);
        return *ret ? 0 : -ENOMEM;
}

static int hold(sd_bus *bus, char *ret_paths[3]) {
        static const struct {
                const char *interface, *member, *skip;
        } steps[] = {
                { NAME ".Manager", "OpenSession", "s" },
                { NAME ".Session", "AddParticipant", NULL },
                { NAME ".Session", "OpenChannel", NULL },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(steps) && r >= 0; i++) {
                const char *path = i == 0 ? "/org/framekey1" : ret_paths[0];
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;

                r = sd_bus_message_new_method_call(bus, &call, NAME, path, steps[i].interface, steps[i].member);
                if (r >= 0 && i < 2)
                        r = sd_bus_message_append(call, "ss", i == 0 ? "livekit" : "alice", i == 0 ? "test" : "local");
                if (r >= 0)
                        r = sd_bus_message_append(call, "a{sv}", 0);
                if (r >= 0)
                        r = call_for_path(bus, call, steps[i].skip, &ret_paths[i]);
        }
        return r;
}

static int make_key(sd_bus *bus, const char *session) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(bus, NAME, session, NAME ".Session", "GenerateKey", &error, NULL, "sua{sv}", "", 0, 0);
        if (r < 0)
                (void)fprintf(stderr, "hold-objects: GenerateKey: %s\n", error.message);
        return r;
}

int main(int argc, char *argv[]) {
        sd_bus *bus = NULL; /* never closed: its end is the end of the session */
        char *paths[3] = { NULL };

        if (argc != 2 || sd_bus_open_system(&bus) < 0 || hold(bus, paths) < 0 || make_key(bus, paths[0]) < 0)
                return EXIT_FAILURE;
        (void)printf("%s %s %s\n", paths[0], paths[1], paths[2]);
        (void)fclose(stdout);
        if (fork() != 0)
                _exit(EXIT_SUCCESS);
        for (unsigned i = 0; i < 300 && access(argv[1], F_OK) < 0; i++)
                (void)usleep(100 * USEC_PER_MSEC);
        _exit(EXIT_SUCCESS);
}
