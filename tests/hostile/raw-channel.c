/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An attacker's channel, see raw-channel.h. */
#include "raw-channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MSEC 10000 /* for a machine that does much else */
#define POLL_USEC     2000

int failed(const char *format, ...) {
        va_list arguments;

        (void)fprintf(stderr, "%s: ", program_invocation_short_name);
        va_start(arguments, format);
        (void)vfprintf(stderr, format, arguments);
        va_end(arguments);
        (void)fputc('\n', stderr);
        return -1;
}

static int map(RawChannel *raw) {
        struct stat st;
        const struct framekey_abi_layout *layout =
                mmap(NULL, sizeof(*layout), PROT_READ, MAP_SHARED, raw->fds[RAW_RESPONSE], 0);

        if (layout == MAP_FAILED)
                return failed("cannot map the channel: %s", strerror(errno));
        raw->layout = *layout;
        (void)munmap((void *)layout, sizeof(*layout));
        raw->request =
                mmap(NULL, raw->layout.request_size, PROT_READ | PROT_WRITE, MAP_SHARED, raw->fds[RAW_REQUEST], 0);
        raw->response = mmap(NULL, raw->layout.response_size, PROT_READ, MAP_SHARED, raw->fds[RAW_RESPONSE], 0);
        if (raw->request == MAP_FAILED || raw->response == MAP_FAILED || fstat(raw->fds[RAW_RESPONSE], &st) < 0)
                return failed("cannot map the channel: %s", strerror(errno));
        raw->daemon_uid = st.st_uid;
        raw->submitted = raw->request->submit.submit_index;
        raw->reaped = raw->request->reap.completion_consumed;
        return 0;
}

int raw_adopt(RawChannel *raw, const int fds[RAW_N_FDS]) {
        *raw = (RawChannel){ .cookie = 1 };
        memcpy(raw->fds, fds, sizeof(raw->fds));
        return map(raw);
}

int raw_open(RawChannel *raw, framekey_session *session) {
        static const char *const options[] = { "small-slots=8", "video-slots=2", "jumbo-slots=1", "streams=4", NULL };
        framekey_client *client = framekey_session_get_client(session);
        int r;

        *raw = (RawChannel){ .session = session, .fds = { -1, -1, -1, -1 }, .cookie = 1 };
        r = framekey_session_open_channel_fds(session, options, raw->fds, &raw->path);
        if (r < 0)
                return failed("cannot open a channel: %s", framekey_client_error(client));
        r = framekey_session_add_stream(session, raw->path, "alice", FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_DATA,
                                        FRAMEKEY_CODEC_DATA, NULL, &raw->encrypt);
        if (r >= 0)
                r = framekey_session_add_stream(session, raw->path, "bob", FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_DATA,
                                                FRAMEKEY_CODEC_DATA, NULL, &raw->decrypt);
        if (r < 0)
                return failed("cannot add a stream: %s", framekey_client_error(client));
        return map(raw);
}

int raw_borrow(RawChannel *raw, const RawChannel *theirs, pid_t pid) {
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

        *raw = (RawChannel){
                .fds = { -1, -1, -1, -1 }, .cookie = 1, .encrypt = theirs->encrypt, .decrypt = theirs->decrypt
        };
        for (size_t i = 0; i < RAW_N_FDS; i++) {
                raw->fds[i] = (int)syscall(SYS_pidfd_getfd, pidfd, theirs->fds[i], 0);
                if (raw->fds[i] < 0) {
                        (void)close(pidfd);
                        return failed("no descriptor from the other process: %s", strerror(errno));
                }
        }
        (void)close(pidfd);
        return map(raw);
}

int raw_refresh(RawChannel *raw) {
        eventfd_t ignored;

        if (fcntl(raw->fds[RAW_DOORBELL], F_SETFL, O_NONBLOCK) < 0 ||
            fcntl(raw->fds[RAW_WAKEUP], F_SETFL, O_NONBLOCK) < 0)
                return failed("flags of a descriptor: %s", strerror(errno));
        (void)eventfd_read(raw->fds[RAW_DOORBELL], &ignored);
        return 0;
}

void raw_drop(RawChannel *raw) {
        if (raw->request && raw->request != MAP_FAILED)
                (void)munmap(raw->request, raw->layout.request_size);
        if (raw->response && raw->response != MAP_FAILED)
                (void)munmap((void *)raw->response, raw->layout.response_size);
        raw->request = NULL;
        raw->response = NULL;
        for (size_t i = 0; i < RAW_N_FDS; i++) {
                if (raw->fds[i] >= 0)
                        (void)close(raw->fds[i]);
                raw->fds[i] = -1;
        }
}

void raw_close(RawChannel *raw) {
        raw_drop(raw);
        if (raw->path)
                (void)framekey_session_close_channel(raw->session, raw->path); /* may be gone by the attacker's doing */
        free(raw->path);
        raw->path = NULL;
}

int raw_wait_gone(RawChannel *raw) {
        framekey_client *client = framekey_session_get_client(raw->session);
        uint32_t stream;

        for (unsigned i = 0; i < PATIENCE_MSEC * 1000 / POLL_USEC; i++) {
                int r = framekey_session_add_stream(raw->session, raw->path, "alice", FRAMEKEY_ENCRYPT,
                                                    FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA, NULL, &stream);

                if (r < 0 && strcmp(framekey_client_error_name(client), "org.framekey1.Error.NoSuchChannel") == 0)
                        return 0;
                if (r >= 0)
                        (void)framekey_session_remove_stream(raw->session, raw->path, stream);
                (void)usleep(POLL_USEC);
        }
        return failed("the daemon keeps a channel that nobody holds any more");
}

int raw_wait_state(RawChannel *raw, uint32_t state) {
        struct pollfd pollfd = { .fd = raw->fds[RAW_WAKEUP], .events = POLLIN };
        uint32_t now;

        for (unsigned i = 0; i < PATIENCE_MSEC * 1000 / POLL_USEC; i++) {
                now = __atomic_load_n(&raw->response->state.state, __ATOMIC_ACQUIRE);
                if (now == state) {
                        if (pollfd.fd >= 0 && poll(&pollfd, 1, PATIENCE_MSEC) != 1)
                                return failed("the channel was closed without a wake-up");
                        return 0;
                }
                (void)usleep(POLL_USEC);
        }
        return failed("the channel's state is %u, not %u", now, state);
}

uint32_t raw_n_slots(const RawChannel *raw) {
        return raw->layout.n_slots[0] + raw->layout.n_slots[1] + raw->layout.n_slots[2];
}

/* Class of a slot, and its number within. */
static unsigned locate(const RawChannel *raw, uint32_t slot, uint32_t *ret_number) {
        unsigned class = 0;

        while (class < FRAMEKEY_ABI_CLASSES - 1 && slot >= raw->layout.n_slots[class]) {
                slot -= raw->layout.n_slots[class];
                class ++;
        }
        *ret_number = slot;
        return class;
}

uint32_t raw_slot_size(const RawChannel *raw, uint32_t slot) {
        uint32_t number;

        return raw->layout.slot_size[locate(raw, slot, &number)];
}

uint8_t *raw_in(const RawChannel *raw, uint32_t slot) {
        uint32_t number;
        unsigned class = locate(raw, slot, &number);

        return (uint8_t *)raw->request + raw->layout.in_offset[class] + (size_t)number * raw->layout.slot_size[class];
}

const uint8_t *raw_out(const RawChannel *raw, uint32_t slot) {
        uint32_t number;
        unsigned class = locate(raw, slot, &number);

        return (const uint8_t *)raw->response + raw->layout.out_offset[class] +
               (size_t)number * raw->layout.slot_size[class];
}

volatile struct framekey_abi_descriptor *raw_descriptor(const RawChannel *raw, uint32_t index) {
        volatile struct framekey_abi_descriptor *first =
                (void *)((uint8_t *)raw->request + raw->layout.descriptor_offset);

        return &first[index & (raw->layout.entries - 1)];
}

void raw_push(RawChannel *raw, uint32_t stream, uint32_t slot, uint32_t len) {
        *raw_descriptor(raw, raw->submitted) = (struct framekey_abi_descriptor){
                .cookie = raw->cookie++,
                .stream = stream,
                .slot = slot,
                .frame_len = len,
        };
        raw->submitted++;
}

void raw_ring(const RawChannel *raw) {
        (void)eventfd_write(raw->fds[RAW_DOORBELL], 1);
}

void raw_submit(RawChannel *raw) {
        uint32_t before = raw->request->submit.submit_index, want;

        __atomic_store_n(&raw->request->submit.submit_index, raw->submitted, __ATOMIC_SEQ_CST);
        want = __atomic_load_n(&raw->response->consumed.submit_want, __ATOMIC_SEQ_CST);
        if (FRAMEKEY_ABI_PASSES(want, before, raw->submitted))
                raw_ring(raw);
}

bool raw_pop(RawChannel *raw, struct framekey_abi_completion *ret) {
        const struct framekey_abi_completion *first =
                (const void *)((const uint8_t *)raw->response + raw->layout.completion_offset);

        if (__atomic_load_n(&raw->response->completion.completion_index, __ATOMIC_ACQUIRE) == raw->reaped)
                return false;
        *ret = first[raw->reaped & (raw->layout.entries - 1)];
        raw->reaped++;
        __atomic_store_n(&raw->request->reap.completion_consumed, raw->reaped, __ATOMIC_RELEASE);
        return true;
}

int raw_wait_pop(RawChannel *raw, struct framekey_abi_completion *ret) {
        struct pollfd pollfd = { .fd = raw->fds[RAW_WAKEUP], .events = POLLIN };
        uint8_t bytes[64];

        while (!raw_pop(raw, ret)) {
                if (__atomic_load_n(&raw->response->state.state, __ATOMIC_ACQUIRE) != FRAMEKEY_ABI_OPEN)
                        return failed("the daemon closed the channel");
                while (read(pollfd.fd, bytes, sizeof(bytes)) > 0)
                        ;
                __atomic_store_n(&raw->request->reap.completion_want, raw->reaped, __ATOMIC_SEQ_CST);
                if (__atomic_load_n(&raw->response->completion.completion_index, __ATOMIC_SEQ_CST) != raw->reaped)
                        continue;
                if (poll(&pollfd, 1, PATIENCE_MSEC) != 1)
                        return failed("no completion within %d ms", PATIENCE_MSEC);
        }
        return 0;
}

int raw_call(RawChannel *raw, uint32_t stream, uint32_t slot, const void *bytes, uint32_t len,
             struct framekey_abi_completion *ret) {
        memcpy(raw_in(raw, slot), bytes, len);
        raw_push(raw, stream, slot, len);
        raw_submit(raw);
        return raw_wait_pop(raw, ret);
}

int raw_round_trip(RawChannel *raw, uint32_t len) {
        uint8_t plain[1024], sealed[1200];
        struct framekey_abi_completion c = { 0 };

        for (uint32_t i = 0; i < len; i++)
                plain[i] = (uint8_t)(raw->cookie + i);
        if (raw_call(raw, raw->encrypt, 0, plain, len, &c) < 0)
                return -1;
        if (c.verdict != 0 || c.frame_len <= len || c.frame_len > sizeof(sealed))
                return failed("a good frame was not encrypted: verdict %d, %u bytes", c.verdict, c.frame_len);
        memcpy(sealed, raw_out(raw, 0), c.frame_len);
        if (raw_call(raw, raw->decrypt, 0, sealed, c.frame_len, &c) < 0)
                return -1;
        if (c.verdict != 0 || c.frame_len != len || memcmp(raw_out(raw, 0), plain, len) != 0)
                return failed("a good frame did not come back: verdict %d, %u bytes", c.verdict, c.frame_len);
        return 0;
}
