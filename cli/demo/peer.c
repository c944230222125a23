/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bus, daemon, session and channel of one end; see peer.h. */
#include "cli/demo/peer.h"

#include "cli/demo/folder.h"
#include "cli/demo/stopwatch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

/* Starting takes tenths of a second; a loaded machine or an emulator takes longer. */
#define START_USEC (20 * USEC_PER_SEC)
/* How often it is looked whether a process that we wait for has died instead. */
#define LOOK_USEC (100 * USEC_PER_MSEC)

static const char bus_config[] = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
                                 "        \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                                 "<busconfig>\n"
                                 "        <type>custom</type>\n"
                                 "        <listen>%s</listen>\n"
                                 "        <auth>EXTERNAL</auth>\n"
                                 /* Who may come near it is decided by the directory's mode. */
                                 "        <policy context=\"default\">\n"
                                 "                <allow user=\"*\"/>\n"
                                 "                <allow own=\"org.framekey1\"/>\n"
                                 "                <allow send_destination=\"*\"/>\n"
                                 "                <allow receive_sender=\"*\"/>\n"
                                 "        </policy>\n"
                                 "</busconfig>\n";

/* ---- the program ---- */

/* A program that was not installed is PLACE/cli/framekeyctl, or PLACE/cli/.libs/framekeyctl behind libtool's script. */
static int find_beside(char **ret) {
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        char *slash;

        if (n < 0)
                return -errno;
        path[n] = '\0';
        slash = strrchr(path, '/');
        if (!slash)
                return -ENOENT;
        *slash = '\0';
        slash = strrchr(path, '/');
        if (slash && strcmp(slash, "/.libs") == 0)
                *slash = '\0';
        if (asprintf(ret, "%s/../daemon/framekeyd", path) < 0)
                return -ENOMEM;
        if (access(*ret, X_OK) == 0)
                return 0;
        free(*ret);
        return -ENOENT;
}

int peer_find_daemon(const char *given, Progress *progress, char **ret) {
        char *full;
        int r;

        if (given) {
                full = realpath(given, NULL);
                if (!full)
                        return progress_fail(progress, "Cannot run %s: %s.", given, strerror(errno));
                *ret = full;
                return CLI_OK;
        }
        r = find_beside(ret);
        if (r == 0)
                return CLI_OK;
        if (access(SBINDIR "/framekeyd", X_OK) == 0) {
                *ret = strdup(SBINDIR "/framekeyd");
                return *ret ? CLI_OK : progress_fail(progress, "Out of memory.");
        }
        return progress_fail(progress, "There is no framekeyd beside this program, nor " SBINDIR
                                       "/framekeyd. Build or install it, or say where it is with --daemon=PATH.");
}

/* ---- bus and daemon ---- */

static int make_directory(Peer *peer, const char *parent) {
        peer->directory = folder_file(parent, peer->name);
        if (!peer->directory || asprintf(&peer->address, "unix:path=%s/bus", peer->directory) < 0)
                return -ENOMEM;
        if (mkdir(peer->directory, 0700) < 0)
                return -errno;
        if (peer->user.drop && chown(peer->directory, peer->user.uid, peer->user.gid) < 0)
                return -errno;
        return 0;
}

/* A file of ours in the peer's directory that its processes can read. */
static int create_file(const Peer *peer, const char *name, int *ret_fd) {
        _cleanup_free_ char *path = folder_file(peer->directory, name);
        int fd;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return -errno;
        if (fchmod(fd, 0644) < 0) { /* whatever the umask is */
                close_fd(fd);
                return -EPERM;
        }
        *ret_fd = fd;
        return 0;
}

static int write_bus_config(const Peer *peer) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = create_file(peer, "bus.conf", &fd);
        if (r < 0)
                return r;
        return dprintf(fd, bus_config, peer->address) < 0 ? -errno : 0;
}

/* The bus prints its address when it listens. */
static int wait_for_line(Peer *peer, int fd) {
        uint64_t until = monotonic_usec() + START_USEC;
        int status;
        char c;

        for (;;) {
                struct pollfd input = { .fd = fd, .events = POLLIN };

                if (demo_interrupted())
                        return -EINTR;
                if (poll(&input, 1, (int)(LOOK_USEC / USEC_PER_MSEC)) > 0)
                        return read(fd, &c, 1) == 1 ? 0 : -EPIPE;
                if (child_ended(&peer->bus, &status))
                        return -EPIPE;
                if (monotonic_usec() > until)
                        return -ETIMEDOUT;
        }
}

static int start_bus(Peer *peer, const char *program) {
        _cleanup_free_ char *config = NULL;
        _cleanup_close_ int in = -EBADF, out = -EBADF, log = -EBADF;
        int fds[2], r;

        if (asprintf(&config, "--config-file=%s/bus.conf", peer->directory) < 0)
                return -ENOMEM;
        r = write_bus_config(peer);
        if (r == 0)
                r = create_file(peer, "bus.log", &log);
        if (r < 0)
                return r;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        in = fds[0];
        out = fds[1];

        const char *argv[] = { program, config, "--nofork", "--nopidfile", "--nosyslog", "--print-address=1", NULL };

        r = child_start(&peer->bus, argv,
                        &(ChildSetup){ .out_fd = out, .err_fd = log, .user = &peer->user, .mask = peer->mask });
        if (r < 0)
                return r;
        close_p(&out);
        return wait_for_line(peer, in);
}

static int start_daemon(Peer *peer, const char *program) {
        _cleanup_free_ char *address = NULL, *runtime = NULL, *state = NULL;
        _cleanup_close_ int log = -EBADF;
        int r;

        if (asprintf(&address, "--address=%s", peer->address) < 0 ||
            asprintf(&runtime, "--runtime-directory=%s/run", peer->directory) < 0 ||
            asprintf(&state, "--state-directory=%s/state", peer->directory) < 0)
                return -ENOMEM;
        r = create_file(peer, "daemon.log", &log);
        if (r < 0)
                return r;

        const char *argv[] = { program, address, runtime, state, NULL };

        return child_start(&peer->daemon, argv,
                           &(ChildSetup){ .out_fd = log, .err_fd = log, .user = &peer->user, .mask = peer->mask });
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        const char *name, *before, *after;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) >= 0 && strcmp(name, "org.framekey1") == 0 && *after)
                *(bool *)userdata = true;
        return 0;
}

/* 1 the daemon has its name, 0 not yet, or negative errno. */
static int is_served(sd_bus *bus) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int owned = 0, r;

        r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                               "NameHasOwner", NULL, &reply, "s", "org.framekey1");
        if (r >= 0)
                r = sd_bus_message_read(reply, "b", &owned);
        return r < 0 ? r : owned;
}

static int wait_for_name(Peer *peer) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        sd_bus *bus = framekey_client_get_bus(peer->client);
        uint64_t until = monotonic_usec() + START_USEC;
        bool served = false;
        int r, status;

        r = sd_bus_match_signal(bus, &slot, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                "NameOwnerChanged", on_owner_changed, &served);
        if (r < 0)
                return r;
        r = is_served(bus);
        if (r != 0)
                return MIN_OF(r, 0);
        while (!served) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, LOOK_USEC);
                if (r < 0)
                        return r;
                if (demo_interrupted())
                        return -EINTR;
                if (child_ended(&peer->daemon, &status))
                        return -ESRCH;
                if (monotonic_usec() > until)
                        return -ETIMEDOUT;
        }
        return 0;
}

/* The last line of a log, which is the one that tells. */
static int fail_with_log(Peer *peer, const char *what, const char *log_name, int r) {
        _cleanup_free_ char *path = folder_file(peer->directory, log_name);
        _cleanup_(bytes_done) Bytes log = { 0 };
        const char *line = "";

        if (r == -EINTR)
                return progress_fail(peer->progress, "Interrupted.");
        if (path && file_read(path, &log) == 0 && log.len > 0) {
                while (log.len > 0 && log.data[log.len - 1] == '\n')
                        log.len--;
                log.data[log.len] = '\0';
                line = strrchr((char *)log.data, '\n') ?: (char *)log.data;
        }
        line += *line == '\n';
        return progress_fail(peer->progress, "The %s's %s did not start: %s.%s%s", peer->name, what,
                             r == -ESRCH || r == -EPIPE ? "it ended" : strerror(-r), *line ? " " : "", line);
}

int peer_start(Peer *peer, const char *parent, const char *bus_program, const char *daemon_program) {
        _cleanup_free_ char *error = NULL;
        int r;

        r = make_directory(peer, parent);
        if (r < 0)
                return progress_fail(peer->progress, "Cannot make a directory in %s: %s.", parent, strerror(-r));
        r = start_bus(peer, bus_program);
        if (r < 0)
                return fail_with_log(peer, "bus", "bus.log", r);
        r = start_daemon(peer, daemon_program);
        if (r < 0)
                return progress_fail(peer->progress, "Cannot run %s: %s.", daemon_program, strerror(-r));
        r = framekey_client_open(&peer->client, FRAMEKEY_BUS_ADDRESS, peer->address, &error);
        if (r < 0)
                return progress_fail(peer->progress, "%s", error ?: strerror(-r));
        r = wait_for_name(peer);
        if (r < 0)
                return fail_with_log(peer, "daemon", "daemon.log", r);
        return CLI_OK;
}

/* ---- session ---- */

int peer_fail(Peer *peer, const char *act) {
        return progress_fail(peer->progress, "The %s cannot %s: %s", peer->name, act,
                             framekey_client_error(peer->client));
}

static int get_property(Peer *peer, const char *path, const char *interface, const char *name, char **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_get_property_string(framekey_client_get_bus(peer->client), "org.framekey1", path, interface, name,
                                       &error, ret);
        return r < 0 ? framekey_client_note_error(peer->client, r, &error) : 0;
}

int peer_open(Peer *peer, const char *profile) {
        static const char *const sframe_options[] = { "ratchet-bits=8", NULL };
        _cleanup_free_ char *mode = NULL;
        bool sends = peer->direction == FRAMEKEY_ENCRYPT;
        bool sframe = strcmp(profile, "sframe") == 0, dave = strcmp(profile, "dave") == 0;

        if (get_property(peer, MANAGER_PATH, MANAGER_INTERFACE, "MemoryProtection", &peer->protection) < 0)
                return peer_fail(peer, "ask its daemon");
        if (framekey_session_open(peer->client, profile, "demo", sframe ? sframe_options : NULL, &peer->session) < 0)
                return peer_fail(peer, "open a session");
        if (framekey_session_add_participant(peer->session, PEER_PARTICIPANT, sends ? FRAMEKEY_LOCAL : FRAMEKEY_REMOTE,
                                             NULL) < 0)
                return peer_fail(peer, "add a participant");
        if (get_property(peer, framekey_session_get_path(peer->session), SESSION_INTERFACE, "KeyMode", &mode) < 0)
                return peer_fail(peer, "ask about its session");
        peer->key_holder = strcmp(mode, "shared") == 0 ? "" : PEER_PARTICIPANT;
        peer->takes_passphrases = !sframe && !dave;
        peer->steps = !dave;
        return CLI_OK;
}

int peer_open_channel(Peer *peer) {
        if (framekey_session_open_channel(peer->session, NULL, &peer->channel, &peer->channel_path) < 0)
                return peer_fail(peer, "open a channel");
        for (size_t i = 0; i < MEDIA_KINDS; i++)
                if (framekey_session_add_stream(peer->session, peer->channel_path, PEER_PARTICIPANT, peer->direction,
                                                media_kinds[i].media, media_kinds[i].codec, NULL,
                                                &peer->streams[i]) < 0)
                        return peer_fail(peer, "add a stream");
        return CLI_OK;
}

int peer_import(Peer *peer, uint32_t index, int *fd) {
        int r;

        r = framekey_session_import_key_fd(peer->session, peer->key_holder, index, *fd, NULL);
        close_p(fd);
        return r < 0 ? peer_fail(peer, "import a key") : CLI_OK;
}

/* 1 and the number of this name in a dictionary, 0 if there is none, or negative errno. */
static int find_number(sd_bus_message *m, const char *name, uint64_t *ret) {
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        return r;
                if (strcmp(key, name) == 0)
                        return sd_bus_message_read(m, "v", "t", ret);
                r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r;
}

int peer_counter(Peer *peer, const char *name, uint64_t *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(framekey_client_get_bus(peer->client), "org.framekey1",
                               framekey_session_get_path(peer->session), SESSION_INTERFACE, "GetStatistics", &error,
                               &reply, NULL);
        if (r < 0) {
                (void)framekey_client_note_error(peer->client, r, &error);
                return peer_fail(peer, "read its daemon's counters");
        }
        r = find_number(reply, name, ret);
        if (r <= 0)
                return progress_fail(peer->progress, "The %s's daemon has no counter '%s'.", peer->name, name);
        return CLI_OK;
}

/* ---- end ---- */

int peer_stop(Peer *peer) {
        bool clean;

        peer->channel = framekey_channel_free(peer->channel);
        peer->session = framekey_session_close(peer->session);
        peer->client = framekey_client_free(peer->client);
        clean = child_stop(&peer->daemon);
        clean = child_stop(&peer->bus) && clean;
        return clean ? CLI_OK : progress_fail(peer->progress, "The %s's daemon did not end cleanly.", peer->name);
}

void peer_done(Peer *peer) {
        framekey_channel_free(peer->channel);
        framekey_session_free(peer->session);
        framekey_client_free(peer->client);
        (void)child_stop(&peer->daemon);
        (void)child_stop(&peer->bus);
        free(peer->channel_path);
        free(peer->protection);
        free(peer->directory);
        free(peer->address);
        *peer = (Peer){ 0 };
}
