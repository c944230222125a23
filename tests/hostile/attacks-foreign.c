/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attacks with what is not the attacker's: streams of others, frames of other formats, channels whose opener died. */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int expect_refusal(Stage *stage, RawChannel *raw, uint32_t stream) {
        struct framekey_abi_completion c;

        raw_push(raw, stream, 1, 200);
        raw_submit(raw);
        if (raw_wait_pop(raw, &c) < 0 || stage_check(stage, raw, &c) < 0)
                return -1;
        if (c.verdict != FRAMEKEY_VERDICT_REFUSED || c.frame_len != 0)
                return failed("stream %u, which this channel has not, was answered with verdict %d", stream, c.verdict);
        return 0;
}

/* Numbers that this channel does not have, that it had, and that another channel of the session has. */
static int use_foreign_streams(Stage *stage) {
        RawChannel raw, other = { .fds = { -1, -1, -1, -1 } };
        uint32_t spare = 0;
        int r = raw_open(&raw, stage->session);

        if (r == 0)
                r = raw_open(&other, stage->session);
        if (r == 0 && (framekey_session_add_stream(other.session, other.path, "alice", FRAMEKEY_ENCRYPT,
                                                   FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA, NULL, &spare) < 0 ||
                       spare == raw.encrypt || spare == raw.decrypt))
                r = failed("the other channel has no stream that this one has not");
        while (r == 0 && stage_goes_on(stage)) {
                uint32_t strangers[] = { spare, raw.layout.n_streams, stage_random(stage) | 8, UINT32_MAX, 1u << 31 };
                uint32_t had;

                r = raw_round_trip(&raw, 64);
                for (size_t i = 0; r == 0 && i < sizeof(strangers) / sizeof(*strangers); i++)
                        r = expect_refusal(stage, &raw, strangers[i]);
                if (r == 0 && framekey_session_add_stream(raw.session, raw.path, "alice", FRAMEKEY_ENCRYPT,
                                                          FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA, NULL, &had) < 0)
                        r = failed("cannot add a stream");
                else if (r == 0 && framekey_session_remove_stream(raw.session, raw.path, had) < 0)
                        r = failed("cannot remove a stream");
                else if (r == 0)
                        r = expect_refusal(stage, &raw, had);
        }
        raw_close(&raw);
        raw_close(&other);
        return r;
}

/* ---- formats ---- */

#define N_FORMATS 3

static const char *const formats[N_FORMATS] = { "livekit-bytes", "jitsi", "sframe" };

static int format_open(framekey_session **ret, framekey_client *client, const char *profile) {
        static const char *const options[] = { "replay-window=0", NULL }, *const activate[] = { "activate=yes", NULL };
        uint8_t secret[32];
        bool shared;
        int r;

        for (size_t i = 0; i < sizeof(secret); i++)
                secret[i] = (uint8_t)(profile[0] + i);
        r = framekey_session_open(client, profile, "mixed", strcmp(profile, "sframe") == 0 ? NULL : options, ret);
        if (r >= 0)
                r = framekey_session_add_participant(*ret, "alice", FRAMEKEY_LOCAL, NULL);
        if (r >= 0)
                r = framekey_session_add_participant(*ret, "bob", FRAMEKEY_REMOTE, NULL);
        shared = strcmp(profile, "livekit-bytes") == 0;
        if (r >= 0)
                r = framekey_session_import_key(*ret, shared ? NULL : "alice", 0, secret, sizeof(secret), activate);
        secret[0] ^= strcmp(profile, "sframe") == 0; /* where a key has one direction only */
        if (r >= 0 && !shared)
                r = framekey_session_import_key(*ret, "bob", 0, secret, sizeof(secret), NULL);
        return r < 0 ? failed("no session of %s: %s", profile, framekey_client_error(client)) : 0;
}

/* Each format's frames given to the others, whole and with the end cut: never one byte out of what is not theirs. */
static int feed_others(Stage *stage, RawChannel *raw) {
        uint32_t from = stage_random(stage) % N_FORMATS, to = stage_random(stage) % N_FORMATS, len;
        uint8_t plain[300], sealed[700];
        struct framekey_abi_completion c;

        for (size_t i = 0; i < sizeof(plain); i++)
                plain[i] = (uint8_t)stage_random(stage);
        if (raw_call(&raw[from], raw[from].encrypt, 0, plain, sizeof(plain), &c) < 0)
                return -1;
        if (c.verdict != 0 || c.frame_len > sizeof(sealed))
                return failed("%s does not encrypt: verdict %d", formats[from], c.verdict);
        memcpy(sealed, raw_out(&raw[from], 0), c.frame_len);
        len = c.frame_len - (stage_random(stage) % 4 ? 0 : 1 + stage_random(stage) % 40);
        if (raw_call(&raw[to], raw[to].decrypt, 1, sealed, len, &c) < 0 || stage_check(stage, &raw[to], &c) < 0)
                return -1;
        if (from == to && len > sizeof(plain) && c.verdict == 0)
                return memcmp(raw_out(&raw[to], 1), plain, sizeof(plain)) == 0
                               ? 0
                               : failed("%s gives back something else", formats[to]);
        if (c.verdict == 0)
                return failed("%s takes %u bytes of a frame of %s", formats[to], len, formats[from]);
        return 0;
}

static int mix_formats(Stage *stage) {
        framekey_session *sessions[N_FORMATS] = { 0 };
        RawChannel raw[N_FORMATS];
        int r = 0;

        for (size_t i = 0; i < N_FORMATS; i++)
                raw[i] = (RawChannel){ .fds = { -1, -1, -1, -1 } };
        for (size_t i = 0; r == 0 && i < N_FORMATS; i++) {
                r = format_open(&sessions[i], framekey_session_get_client(stage->session), formats[i]);
                if (r == 0)
                        r = raw_open(&raw[i], sessions[i]);
        }
        while (r == 0 && stage_goes_on(stage))
                r = feed_others(stage, raw);
        for (size_t i = 0; i < N_FORMATS; i++) {
                raw_close(&raw[i]);
                framekey_session_close(sessions[i]);
        }
        return r;
}

/* ---- death of the opener ---- */

/* What a dead opener leaves: the first fields of a channel, in memory that both processes see. */
typedef struct Legacy {
        RawChannel raw;
        atomic_int ready; /* 1; -1 failed */
} Legacy;

static void die_as_opener(Legacy *legacy) {
        framekey_session *session;
        framekey_client *client;
        int r = call_open(&client, &session, "opener", NULL);

        if (r == 0)
                r = raw_open(&legacy->raw, session);
        atomic_store(&legacy->ready, r == 0 ? 1 : -1);
        for (;;)
                (void)pause();
}

/* A child opens the call and dies; we have its descriptors by pidfd_getfd(), as if it had sent them. Its session ends
 * with it, so the channel must close, and what we do to the regions afterwards reaches nobody. */
static int outlive_opener(Stage *stage, Legacy *legacy) {
        RawChannel mine;
        pid_t pid = fork();
        int r;

        if (pid == 0)
                die_as_opener(legacy);
        if (pid < 0)
                return failed("cannot fork: %s", strerror(errno));
        for (unsigned i = 0; i < 10000 && atomic_load(&legacy->ready) == 0; i++)
                (void)usleep(1000);
        r = atomic_load(&legacy->ready) == 1 ? raw_borrow(&mine, &legacy->raw, pid) : failed("the opener failed");
        if (r == 0)
                r = raw_round_trip(&mine, 99);
        for (uint32_t i = 0; r == 0 && i < raw_n_slots(&mine); i++)
                raw_push(&mine, mine.encrypt, i, 1000);
        (void)kill(pid, SIGKILL);
        if (r == 0)
                raw_submit(&mine);
        (void)waitpid(pid, NULL, 0);
        if (r == 0) {
                r = raw_wait_state(&mine, FRAMEKEY_ABI_CLOSED);
                memset(mine.request, (int)stage_random(stage), mine.layout.request_size);
                raw_ring(&mine);
                raw_drop(&mine);
        }
        stage->tally.n_frames += 2;
        return r;
}

static int outlive_openers(Stage *stage) {
        Legacy *legacy = mmap(NULL, sizeof(*legacy), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int r = 0;

        if (legacy == MAP_FAILED)
                return failed("out of memory");
        while (r == 0 && stage_goes_on(stage)) {
                memset(legacy, 0, sizeof(*legacy));
                r = outlive_opener(stage, legacy);
        }
        (void)munmap(legacy, sizeof(*legacy));
        return r;
}

const Attack attacks_from_elsewhere[] = {
        { "foreign-streams", use_foreign_streams },
        { "mixed-formats", mix_formats },
        { "opener-dies", outlive_openers },
        { NULL, NULL },
};
