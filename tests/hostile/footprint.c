/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts what a daemon holds, see footprint.h. */
#include "footprint.h"

#include "../unit/sanitizers.h"
#include "hostile.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

static const char *const names[FOOTPRINT_MAX] = { "fds", "mappings", "regions", "threads", "arena-bytes", "quota" };

static int count_entries(pid_t pid, const char *what, uint64_t *ret) {
        const struct dirent *entry;
        char path[64];
        DIR *dir;

        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
        dir = opendir(path);
        if (!dir)
                return failed("cannot read %s", path);
        for (*ret = 0; (entry = readdir(dir));)
                *ret += entry->d_name[0] != '.';
        (void)closedir(dir);
        return 0;
}

static int count_mappings(pid_t pid, uint64_t *ret, uint64_t *ret_regions) {
        char path[64], *line = NULL;
        size_t size = 0;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
        file = fopen(path, "re");
        if (!file)
                return failed("cannot read %s", path);
        for (*ret = *ret_regions = 0; getline(&line, &size, file) > 0; ++*ret)
                *ret_regions += strstr(line, "/memfd:framekey-re") != NULL;
        free(line);
        (void)fclose(file);
        if (!PLAIN_MEMORY)
                *ret = 0; /* a sanitizer has its own, as many as it likes */
        return 0;
}

/* Sums up the numbers that matter; others are skipped. */
static int read_statistics(sd_bus_message *reply, Footprint *footprint) {
        const char *name, *type;
        uint64_t number;
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = sd_bus_message_read(reply, "s", &name);
                if (r >= 0)
                        r = sd_bus_message_peek_type(reply, NULL, &type);
                if (r >= 0 && strcmp(type, "t") == 0) {
                        r = sd_bus_message_read(reply, "v", "t", &number);
                        if (strcmp(name, "arena-bytes-used") == 0)
                                footprint->n[FOOTPRINT_ARENA] = number;
                        else if (strncmp(name, "quota-", 6) == 0 && strlen(name) > 5 &&
                                 strcmp(name + strlen(name) - 5, "-used") == 0)
                                footprint->n[FOOTPRINT_QUOTA] += number;
                } else if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

static int ask(Footprint *footprint) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        int r;

        footprint->n[FOOTPRINT_QUOTA] = 0;
        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, "org.framekey1", "/org/framekey1", "org.framekey1.Manager", "GetStatistics",
                                       &error, &reply, NULL);
        if (r >= 0)
                r = read_statistics(reply, footprint);
        if (r < 0)
                (void)failed("no statistics: %s", error.message ? error.message : strerror(-r));
        sd_bus_error_free(&error);
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(bus);
        return r < 0 ? -1 : 0;
}

int footprint_take(Footprint *ret, pid_t daemon) {
        if (count_entries(daemon, "fd", &ret->n[FOOTPRINT_FDS]) < 0 ||
            count_entries(daemon, "task", &ret->n[FOOTPRINT_THREADS]) < 0 ||
            count_mappings(daemon, &ret->n[FOOTPRINT_MAPPINGS], &ret->n[FOOTPRINT_REGIONS]) < 0)
                return -1;
        return ask(ret);
}

int footprint_settle(Footprint *ret, pid_t daemon, unsigned seconds) {
        uint64_t until = now_usec() + UINT64_C(1000000) * seconds;

        for (;; (void)usleep(50000)) {
                if (footprint_take(ret, daemon) < 0)
                        return -1;
                if (ret->n[FOOTPRINT_QUOTA] == 0 && ret->n[FOOTPRINT_REGIONS] == 0)
                        return 0;
                if (now_usec() > until) {
                        footprint_print("unsettled", ret);
                        return failed("what nobody holds any more stays charged");
                }
        }
}

int footprint_wait(const Footprint *before, pid_t daemon, unsigned seconds) {
        uint64_t until = now_usec() + UINT64_C(1000000) * seconds;
        Footprint now = { 0 };

        for (bool more = true; more;) {
                if (footprint_take(&now, daemon) < 0)
                        return -1;
                more = false;
                for (int i = 0; i < FOOTPRINT_MAX; i++)
                        more = more || now.n[i] > before->n[i];
                if (more && now_usec() > until) {
                        footprint_print("before", before);
                        footprint_print("after", &now);
                        return failed("the daemon holds more than before");
                }
                if (more)
                        (void)usleep(50000);
        }
        footprint_print("after", &now);
        return 0;
}

void footprint_print(const char *when, const Footprint *footprint) {
        (void)printf("%s:", when);
        for (int i = 0; i < FOOTPRINT_MAX; i++)
                (void)printf(" %s=%" PRIu64, names[i], footprint->n[i]);
        (void)printf("\n");
        (void)fflush(stdout);
}
