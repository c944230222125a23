/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls everything that the daemon's introspection names, with arguments of the right types and of wrong ones, by seed:
 *
 *   fuzz-bus SEED CALLS
 *
 * Each call must be answered, a refusal must have a name of its own and a sentence, and in the end the daemon is the
 * same process and holds no descriptor and no secret more than before. Root, so that nothing is refused for who asks.
 */
#include "util/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define NAME        "org.framekey1"
#define ROOT        "/org/framekey1"
#define MANAGER     NAME ".Manager"
#define SESSION     NAME ".Session"
#define ANSWER_USEC (60 * USEC_PER_SEC)
/* Objects go away under random calls: there are new ones every so often. */
#define STAGE_CALLS 100u
#define METHODS_MAX 256u
#define PATHS       4u
#define DEPTH_MAX   3u

typedef struct Method {
        unsigned path;
        char interface[64], member[48], types[32];
} Method;

typedef struct Fuzz {
        sd_bus *bus, *observer; /* the one that calls; one that only looks */
        uint64_t random;
        char paths[PATHS][256]; /* manager, session, participant, channel */
        char id[64];
        Method methods[METHODS_MAX];
        size_t n_methods;
        sd_bus_message *channel; /* holds its descriptors, without which it would end */
} Fuzz;

static const char *const words[] = {
        "",        "me",     "you",         "local",       "remote",  "encrypt",  "decrypt",       "audio",
        "video",   "data",   "opus",        "vp8",         "h264",    "livekit",  "sframe",        "dave",
        "jitsi",   "shared", "participant", "passphrase",  "bytes",   "hkdf",     "pbkdf2",        "all",
        "silence", "debug",  "info",        "nonsense\n!", "../../x", "\xc3\xa9", "org.framekey1", "follows=window",
};
static const char *const options[] = {
        "activate",
        "activate-after-usec",
        "allow-empty",
        "at-key-frame",
        "cipher-suite",
        "exclusive",
        "follows",
        "grace-usec",
        "index",
        "info",
        "iterations",
        "jumbo-slots",
        "kdf",
        "key-bits",
        "key-mode",
        "kid",
        "linger",
        "member-index",
        "mls-index-bits",
        "preset",
        "ratchet-bits",
        "ratchet-window",
        "replace",
        "replay-window",
        "ring-size",
        "rotate",
        "salt",
        "small-slots",
        "step",
        "streams",
        "user-id",
        "video-slots",
        "nonsense",
        "retain-root",
        "server-trailer",
};

static void die(const char *what, int r) {
        (void)fprintf(stderr, "fuzz-bus: %s: %s\n", what, strerror(-r));
        exit(1);
}

static uint32_t any(Fuzz *fuzz, uint32_t n) {
        fuzz->random = fuzz->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (uint32_t)(fuzz->random >> 33) % n;
}

/* ---- values ---- */

static uint64_t any_number(Fuzz *fuzz) {
        static const uint64_t edges[] = { 0, 1, 2, 15, 16, 255, 256, 4096, 65535, 1000000, UINT32_MAX, UINT64_MAX };

        return any(fuzz, 3) ? any(fuzz, 8) : edges[any(fuzz, ELEMENTS(edges))];
}

static const char *any_word(Fuzz *fuzz) {
        static char text[512];
        size_t len = any(fuzz, sizeof(text));

        switch (any(fuzz, 8)) {
        case 0:
                memset(text, 'a' + (int)any(fuzz, 26), len);
                text[len] = '\0';
                return text;
        case 1:
        case 2:
                return fuzz->id;
        case 3:
                return "me";
        default:
                return words[any(fuzz, ELEMENTS(words))];
        }
}

/* Pipes that are full, empty, and never closed; files, directories, memory. */
static int any_fd(Fuzz *fuzz) {
        uint8_t bytes[5000];
        size_t len = any(fuzz, 4) ? 16u * any(fuzz, 4) : any(fuzz, sizeof(bytes));
        int pipes[2], fd;

        memset(bytes, (int)any(fuzz, 256), sizeof(bytes));
        switch (any(fuzz, 8)) {
        case 0:
                return open("/dev/null", O_RDWR | O_CLOEXEC);
        case 1:
                return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        case 2:
                fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                if (fd >= 0 && write(fd, bytes, len) >= 0 && any(fuzz, 2))
                        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
                return fd;
        default:
                if (pipe2(pipes, O_CLOEXEC) < 0)
                        return -errno;
                (void)!write(pipes[1], bytes, len);
                (void)close(pipes[1]);
                return pipes[0];
        }
}

static int append_any(Fuzz *fuzz, sd_bus_message *message, const char *types, unsigned depth);

static int append_options(Fuzz *fuzz, sd_bus_message *message, unsigned depth) {
        static const char *const types[] = { "s", "u", "t", "b", "ay", "as", "i", "h", "o", "a{sv}", "v" };
        unsigned n = any(fuzz, 3) ? any(fuzz, 2) : any(fuzz, 5);
        int r;

        r = sd_bus_message_open_container(message, 'a', "{sv}");
        for (unsigned i = 0; r >= 0 && i < n; i++) {
                const char *type = types[any(fuzz, any(fuzz, 3) ? 5 : ELEMENTS(types))];

                r = sd_bus_message_open_container(message, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(message, "s", options[any(fuzz, ELEMENTS(options))]);
                if (r >= 0)
                        r = sd_bus_message_open_container(message, 'v', type);
                if (r >= 0)
                        r = append_any(fuzz, message, type, depth + 1);
                if (r >= 0)
                        r = sd_bus_message_close_container(message);
                if (r >= 0)
                        r = sd_bus_message_close_container(message);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_bytes(Fuzz *fuzz, sd_bus_message *message) {
        static const uint8_t magic[] = { 'F', 'K', 'W', '1' };
        uint8_t bytes[2000];
        size_t len = any(fuzz, 2) ? 32 : any(fuzz, sizeof(bytes));

        for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)any(fuzz, 256);
        if (any(fuzz, 2) && len > sizeof(magic))
                memcpy(bytes, magic, sizeof(magic));
        return sd_bus_message_append_array(message, 'y', bytes, len);
}

/* One complete type. */
static int append_one(Fuzz *fuzz, sd_bus_message *message, const char *type, unsigned depth) {
        int fd, r;

        switch (type[0]) {
        case 's':
                return sd_bus_message_append(message, "s", any_word(fuzz));
        case 'o':
                return sd_bus_message_append(message, "o", any(fuzz, 6) ? fuzz->paths[any(fuzz, PATHS)] : "/a/b");
        case 'u':
        case 'i':
                return sd_bus_message_append(message, type[0] == 'u' ? "u" : "i", (uint32_t)any_number(fuzz));
        case 't':
                return sd_bus_message_append(message, "t", any_number(fuzz));
        case 'b':
                return sd_bus_message_append(message, "b", (int)any(fuzz, 2));
        case 'h':
                fd = any_fd(fuzz);
                r = fd < 0 ? fd : sd_bus_message_append(message, "h", fd);
                if (fd >= 0)
                        (void)close(fd); /* the message has its own */
                return r;
        case 'v':
                r = sd_bus_message_open_container(message, 'v', "u");
                if (r >= 0)
                        r = append_any(fuzz, message, "u", depth + 1);
                return r < 0 ? r : sd_bus_message_close_container(message);
        default:
                return -EOPNOTSUPP;
        }
}

static int append_any(Fuzz *fuzz, sd_bus_message *message, const char *types, unsigned depth) {
        int r = 0;

        while (r >= 0 && types[0]) {
                if (strncmp(types, "a{sv}", 5) == 0) {
                        r = depth < DEPTH_MAX ? append_options(fuzz, message, depth)
                                              : sd_bus_message_append(message, "a{sv}", 0);
                        types += 5;
                } else if (strncmp(types, "ay", 2) == 0) {
                        r = append_bytes(fuzz, message);
                        types += 2;
                } else if (strncmp(types, "as", 2) == 0) {
                        r = sd_bus_message_append(message, "as", 2, any_word(fuzz), "x");
                        types += 2;
                } else {
                        r = append_one(fuzz, message, types, depth);
                        types++;
                }
        }
        return r;
}

/* ---- what there is ---- */

static bool attribute(const char *at, const char *name, char *ret, size_t max) {
        char pattern[32];
        const char *end = strchr(at, '>'), *begin, *quote;

        (void)snprintf(pattern, sizeof(pattern), " %s=\"", name);
        begin = strstr(at, pattern);
        if (!begin || !end || begin > end)
                return false;
        begin += strlen(pattern);
        quote = strchr(begin, '"');
        (void)snprintf(ret, max, "%.*s", (int)(quote - begin), begin);
        return true;
}

static void read_methods(Fuzz *fuzz, unsigned path, const char *xml) {
        char interface[64] = "", text[64];
        Method *method = NULL;

        for (const char *at = xml; (at = strchr(at, '<')); at++) {
                if (strncmp(at, "<interface ", 11) == 0)
                        (void)attribute(at, "name", interface, sizeof(interface));
                else if (strncmp(at, "<method ", 8) == 0 && fuzz->n_methods < METHODS_MAX) {
                        method = &fuzz->methods[fuzz->n_methods++];
                        *method = (Method){ .path = path };
                        (void)snprintf(method->interface, sizeof(method->interface), "%s", interface);
                        (void)attribute(at, "name", method->member, sizeof(method->member));
                } else if (strncmp(at, "<arg ", 5) == 0 && method && attribute(at, "direction", text, sizeof(text)) &&
                           strcmp(text, "in") == 0 && attribute(at, "type", text, sizeof(text)))
                        (void)snprintf(method->types + strlen(method->types),
                                       sizeof(method->types) - strlen(method->types), "%.16s", text);
                else if (strncmp(at, "</method", 8) == 0 || strncmp(at, "<signal", 7) == 0)
                        method = NULL;
        }
}

static void introspect(Fuzz *fuzz) {
        for (unsigned path = 0; path < PATHS; path++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
                const char *xml;
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                int r = sd_bus_call_method(fuzz->bus, NAME, fuzz->paths[path], "org.freedesktop.DBus.Introspectable",
                                           "Introspect", &error, &reply, NULL);

                if (r >= 0)
                        r = sd_bus_message_read(reply, "s", &xml);
                if (r < 0)
                        die(error.message ? error.message : fuzz->paths[path], r);
                read_methods(fuzz, path, xml);
        }
}

/* A session with somebody in it, and a channel; whatever was there before is gone with its connection. */
static void set_stage(Fuzz *fuzz) {
        static const char *const profiles[] = { "livekit", "element-call", "sframe", "dave" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *session = NULL, *person = NULL;
        const char *id, *path;
        int r;

        r = sd_bus_open_system(&fuzz->bus);
        if (r >= 0)
                r = sd_bus_call_method(fuzz->bus, NAME, ROOT, MANAGER, "Lock", NULL, NULL, "bs", 0, "fuzz");
        if (r >= 0)
                r = sd_bus_call_method(fuzz->bus, NAME, ROOT, MANAGER, "OpenSession", NULL, &session, "ssa{sv}",
                                       profiles[any(fuzz, ELEMENTS(profiles))], "fuzz", 0);
        if (r < 0 || sd_bus_message_read(session, "so", &id, &path) < 0)
                die("OpenSession", r);
        (void)snprintf(fuzz->id, sizeof(fuzz->id), "%s", id);
        (void)snprintf(fuzz->paths[0], sizeof(fuzz->paths[0]), ROOT);
        (void)snprintf(fuzz->paths[1], sizeof(fuzz->paths[1]), "%s", path);
        r = sd_bus_call_method(fuzz->bus, NAME, path, SESSION, "AddParticipant", NULL, &person, "ssa{sv}", "me",
                               any(fuzz, 2) ? "local" : "remote", 0);
        if (r < 0 || sd_bus_message_read(person, "o", &path) < 0)
                die("AddParticipant", r);
        (void)snprintf(fuzz->paths[2], sizeof(fuzz->paths[2]), "%s", path);
        r = sd_bus_call_method(fuzz->bus, NAME, fuzz->paths[1], SESSION, "OpenChannel", NULL, &fuzz->channel, "a{sv}",
                               0);
        if (r < 0 || sd_bus_message_read(fuzz->channel, "o", &path) < 0)
                die("OpenChannel", r);
        (void)snprintf(fuzz->paths[3], sizeof(fuzz->paths[3]), "%s", path);
}

/* ---- calls ---- */

/* 0; -1: not answered as a call should be. */
static int call_one(Fuzz *fuzz, const Method *method) {
        static const char *const wrong[] = { "", "s", "u", "a{sv}", "ssa{sv}", "h", "ay", "sssssu", "v", "as" };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        const char *types = any(fuzz, 8) ? method->types : wrong[any(fuzz, ELEMENTS(wrong))];
        int r;

        r = sd_bus_message_new_method_call(fuzz->bus, &message, NAME, fuzz->paths[method->path], method->interface,
                                           method->member);
        if (r >= 0)
                r = append_any(fuzz, message, types, 0);
        if (r < 0)
                die("a message", r);
        r = sd_bus_call(fuzz->bus, message, ANSWER_USEC, &error, NULL);
        if (r >= 0)
                return 0;
        if (error.message && error.message[0] != '\0' && !sd_bus_error_has_name(&error, SD_BUS_ERROR_NO_REPLY) &&
            !sd_bus_error_has_name(&error, SD_BUS_ERROR_TIMEOUT) &&
            !sd_bus_error_has_name(&error, SD_BUS_ERROR_DISCONNECTED) &&
            !sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) &&
            !sd_bus_error_has_name(&error, SD_BUS_ERROR_FAILED))
                return 0;
        (void)printf("%s.%s(%s): %s: %s\n", method->interface, method->member, types, error.name ? error.name : "?",
                     error.message ? error.message : strerror(-r));
        return -1;
}

/* ---- what the daemon holds ---- */

static unsigned count_fds(void) {
        const char *pid = getenv("FRAMEKEYD_PID");
        char path[64];
        unsigned n = 0;
        DIR *directory;

        (void)snprintf(path, sizeof(path), "/proc/%.16s/fd", pid ? pid : "self");
        directory = opendir(path);
        while (directory && readdir(directory))
                n++;
        if (directory)
                (void)closedir(directory);
        return n;
}

static uint64_t arena_used(Fuzz *fuzz) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint64_t used = UINT64_MAX;
        const char *name;
        int r;

        r = sd_bus_call_method(fuzz->observer, NAME, ROOT, MANAGER, "GetStatistics", NULL, &reply, NULL);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = sd_bus_message_read(reply, "s", &name);
                if (r >= 0 && strcmp(name, "arena-bytes-used") == 0)
                        r = sd_bus_message_read(reply, "v", "t", &used);
                else if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        if (r < 0)
                die("GetStatistics", r);
        return used;
}

/* Sessions that were opened to outlive their owner. */
static void close_all(Fuzz *fuzz) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *id;
        int r;

        fuzz->channel = sd_bus_message_unref(fuzz->channel);
        fuzz->bus = sd_bus_flush_close_unref(fuzz->bus);
        r = sd_bus_call_method(fuzz->observer, NAME, ROOT, MANAGER, "ListSessions", NULL, &reply, NULL);
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 0, NULL);
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 0, NULL)) > 0) {
                r = sd_bus_message_read(reply, "s", &id);
                /* It may be on its way out already. */
                if (r >= 0)
                        (void)sd_bus_call_method(fuzz->observer, NAME, ROOT, MANAGER, "CloseSession", NULL, NULL, "ss",
                                                 id, "fuzz");
                while (r >= 0 && sd_bus_message_at_end(reply, 0) == 0)
                        r = sd_bus_message_skip(reply, NULL);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        if (r < 0)
                die("ListSessions", r);
}

int main(int argc, char *argv[]) {
        static Fuzz fuzz;
        unsigned long n_calls, fds;
        unsigned failed = 0;
        uint64_t used;
        int r;

        if (argc != 3) {
                (void)fprintf(stderr, "Usage: fuzz-bus SEED CALLS\n");
                return 2;
        }
        fuzz.random = strtoull(argv[1], NULL, 10);
        n_calls = strtoul(argv[2], NULL, 10);
        r = sd_bus_open_system(&fuzz.observer);
        if (r < 0)
                die("the bus", r);
        set_stage(&fuzz);
        introspect(&fuzz);
        close_all(&fuzz);
        (void)nanosleep(&(struct timespec){ .tv_nsec = 200L * 1000 * 1000 }, NULL);
        fds = count_fds();
        used = arena_used(&fuzz);

        for (unsigned long i = 0; i < n_calls && failed < 10; i++) {
                if (i % STAGE_CALLS == 0) {
                        close_all(&fuzz);
                        set_stage(&fuzz);
                }
                failed += call_one(&fuzz, &fuzz.methods[any(&fuzz, (uint32_t)fuzz.n_methods)]) < 0;
        }
        close_all(&fuzz);
        for (unsigned i = 0; i < 100 && (count_fds() > fds || arena_used(&fuzz) > used); i++)
                (void)nanosleep(&(struct timespec){ .tv_nsec = 50L * 1000 * 1000 }, NULL);
        (void)printf("%lu calls of %zu methods; %lu descriptors, %u in the end; %" PRIu64 " bytes of secrets, %" PRIu64
                     " in the end\n",
                     n_calls, fuzz.n_methods, fds, count_fds(), used, arena_used(&fuzz));
        failed += count_fds() > fds || arena_used(&fuzz) > used;
        sd_bus_flush_close_unref(fuzz.observer);
        return failed > 0;
}
