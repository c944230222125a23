/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RFC 9605, 9.1, tried: a million frames over eight channels that share one sending key, and twenty
 * times in between the daemon is killed at a random moment and started again, with frames in flight.
 * The application does what one would: it opens everything anew and imports the same key. No counter
 * may come twice over all channels, and within each they rise.
 *
 *   kills DAEMON DIRECTORY    on the bus $DBUS_SYSTEM_BUS_ADDRESS, which has no daemon yet
 */
#include "format/sframe.h"
#include "tests/call/side.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAMES   1000000u
#define KILLS    20u
#define CHANNELS 8u
#define PLAIN    40u
/* Far more than frames can be lost by kills: what was in flight on all channels each time. */
#define COUNTERS (4 * FRAMES)

typedef struct Lane {
        framekey_channel *channel;
        uint32_t stream;
        bool any;
        uint64_t last; /* counter */
} Lane;

static const char *daemon_path, *directory;
static pid_t daemon_pid;
static framekey_client *client;
static framekey_session *session;
static Lane lanes[CHANNELS];
static uint8_t seen[COUNTERS / 8];
static uint64_t n_frames, highest;

/* ---- the daemon ---- */

static void daemon_start(void) {
        char runtime[4096], state[4096];

        (void)snprintf(runtime, sizeof(runtime), "--runtime-directory=%s/run", directory);
        (void)snprintf(state, sizeof(state), "--state-directory=%s/state", directory);
        daemon_pid = fork();
        if (daemon_pid < 0)
                side_fail("fork: %m");
        if (daemon_pid == 0) {
                char address[4096];

                (void)snprintf(address, sizeof(address), "--address=%s", getenv("DBUS_SYSTEM_BUS_ADDRESS"));
                (void)execl(daemon_path, daemon_path, address, runtime, state, (char *)NULL);
                _exit(127);
        }
}

static void daemon_end(int signal_number) {
        (void)kill(daemon_pid, signal_number);
        if (waitpid(daemon_pid, NULL, 0) < 0)
                side_fail("waitpid: %m");
}

/* At a moment that nobody chose. */
static void *kill_later(void *userdata) {
        struct timespec delay = { .tv_nsec = random() % 20000000 };

        (void)userdata;
        (void)nanosleep(&delay, NULL);
        (void)kill(daemon_pid, SIGKILL);
        return NULL;
}

/* ---- the application ---- */

static int open_lane(Lane *lane) {
        static const char *const options[] = { "small-slots=64", "video-slots=1", "jumbo-slots=1", NULL };
        char *path = NULL;
        int r;

        r = framekey_session_open_channel(session, options, &lane->channel, &path);
        if (r == 0)
                r = framekey_session_add_stream(session, path, "me", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_AUDIO,
                                                FRAMEKEY_CODEC_OPUS, NULL, &lane->stream);
        free(path);
        return r;
}

static int open_all(void) {
        static const uint8_t key[16] = "one key for ever";
        const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
        int r;

        r = framekey_client_open(&client, FRAMEKEY_BUS_ADDRESS, address, NULL);
        if (r < 0)
                return r;
        r = framekey_session_open(client, "sframe", "kills", NULL, &session);
        if (r == 0)
                r = framekey_session_add_participant(session, "me", FRAMEKEY_LOCAL, NULL);
        if (r == 0)
                r = framekey_session_import_key(session, "me", 0, key, sizeof(key), NULL);
        for (size_t i = 0; i < CHANNELS && r == 0; i++)
                r = open_lane(&lanes[i]);
        return r;
}

static void close_all(void) {
        for (size_t i = 0; i < CHANNELS; i++)
                lanes[i].channel = framekey_channel_free(lanes[i].channel);
        session = framekey_session_close(session);
        client = framekey_client_free(client);
}

/* The name is on the bus a little after the daemon is started. */
static void open_patiently(void) {
        uint64_t deadline = side_now_usec() + 10000000;

        for (;;) {
                int r = open_all();

                if (r == 0)
                        return;
                if (side_now_usec() > deadline)
                        side_fail("cannot open: %s: %s", strerror(-r), client ? framekey_client_error(client) : "");
                close_all();
                (void)poll(NULL, 0, 10);
        }
}

static void note(Lane *lane, const uint8_t *frame, size_t len) {
        SFrameHeader header;

        if (sframe_header_parse(frame, len, &header) != 0 || header.kid != 0)
                side_fail("this is no frame under KID 0");
        if (header.ctr >= COUNTERS)
                side_fail("counter %llu: so many were not lost", (unsigned long long)header.ctr);
        if (seen[header.ctr / 8] & 1u << header.ctr % 8)
                side_fail("counter %llu came twice", (unsigned long long)header.ctr);
        if (lane->any && header.ctr <= lane->last)
                side_fail("counter %llu after %llu on one channel", (unsigned long long)header.ctr,
                          (unsigned long long)lane->last);
        seen[header.ctr / 8] |= (uint8_t)(1u << header.ctr % 8);
        lane->any = true;
        lane->last = header.ctr;
        highest = header.ctr > highest ? header.ctr : highest;
        n_frames++;
}

/* Everything that has come back. 0; negative: the daemon is gone. */
static int reap(Lane *lane) {
        struct framekey_result result = { .size = sizeof(result) };
        uint8_t frame[256];
        size_t len;
        int r;

        while ((r = framekey_reap(lane->channel, &result)) > 0) {
                if (result.verdict != FRAMEKEY_OK)
                        side_fail("verdict %s", framekey_verdict_name(result.verdict));
                r = framekey_take(lane->channel, &result, frame, sizeof(frame), &len);
                if (r < 0)
                        side_fail("framekey_take: %s", strerror(-r));
                note(lane, frame, len);
        }
        return r;
}

static int submit(Lane *lane) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = lane->stream };
        uint32_t slot;
        void *buffer;
        int r;

        while ((r = framekey_reserve(lane->channel, &frame, PLAIN, &slot, &buffer)) == 0) {
                memset(buffer, 0, PLAIN);
                r = framekey_submit(lane->channel, slot, &frame, PLAIN, 0);
                if (r < 0)
                        return r;
        }
        return r == -EAGAIN ? framekey_flush(lane->channel) : r;
}

/* Until there are `until` frames or the daemon is gone. */
static void run(uint64_t until) {
        while (n_frames < until)
                for (size_t i = 0; i < CHANNELS; i++) {
                        int r = submit(&lanes[i]);

                        if (r == 0)
                                r = reap(&lanes[i]);
                        if (r < 0)
                                return;
                }
}

static void run_to_the_kill(uint64_t until) {
        pthread_t killer;
        int status;

        run(until);
        if (pthread_create(&killer, NULL, kill_later, NULL) != 0)
                side_fail("no thread");
        run(UINT64_MAX);
        (void)pthread_join(killer, NULL);
        /* What it had published before it died counts too. */
        for (size_t i = 0; i < CHANNELS; i++)
                (void)reap(&lanes[i]);
        if (waitpid(daemon_pid, &status, 0) < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                side_fail("the daemon did not die of the kill");
        close_all();
        daemon_start();
        open_patiently();
}

int main(int argc, char **argv) {
        unsigned seed = (unsigned)side_now_usec();

        if (argc != 3)
                side_fail("usage: kills DAEMON DIRECTORY");
        daemon_path = argv[1];
        directory = argv[2];
        (void)printf("seed %u\n", seed);
        srandom(seed);
        daemon_start();
        open_patiently();
        for (unsigned i = 1; i <= KILLS; i++)
                run_to_the_kill(FRAMES / (KILLS + 1) * i);
        run(FRAMES);
        if (n_frames < FRAMES)
                side_fail("the daemon was gone after %llu frames", (unsigned long long)n_frames);
        close_all();
        daemon_end(SIGTERM);
        (void)printf("%llu frames on %u channels, %u kills: no counter twice, %llu skipped\n",
                     (unsigned long long)n_frames, CHANNELS, KILLS, (unsigned long long)(highest + 1 - n_frames));
        return EXIT_SUCCESS;
}
