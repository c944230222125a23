/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's end of a channel, see link.h; the layout is drawn in framekey-abi.h.
 *
 * Wake-up by index, both ways: the sleeper stores the index whose passing shall wake it, then looks
 * at the index once more; the other side moves the index, then looks at the wish. Each side's
 * store must be visible before its load, which takes a full barrier: with less, both could see the
 * old value, and the sleeper would sleep over work.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

enum { FD_REQUEST, FD_RESPONSE, FD_DOORBELL, FD_WAKEUP };

/* Giving the CPU away takes 0.3 us where nobody else wants it, and a switch there and back where the daemon does: half
 * of what falling asleep and being woken costs. */
#define YIELDS 16u
/* So long has somebody else had it, who computes: then sleeping is the better way to wait for a while, twice as long
 * each time, since once may have been chance. */
#define YIELD_LONG_NSEC (50 * NSEC_PER_USEC)
#define YIELD_PAUSE_MIN 8u /* waits */
#define YIELD_PAUSE_MAX 1024u

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_USEC UINT64_C(1000)

/* ---- opening ---- */

static int dup_fd(int fd) {
        int r = fcntl(fd, F_DUPFD_CLOEXEC, 0);

        if (r < 0)
                return errno == EBADF ? -EPROTO : -errno;
        return r;
}

/* Maps a region whole. Sealed against shrinking, or reading it could end in SIGBUS. */
static int map_region(int fd, int protection, void **ret, uint32_t *ret_size) {
        struct stat st;
        void *p;
        int seals;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return -EPROTO;
        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0 || !(seals & F_SEAL_SHRINK))
                return -EPROTO;
        if (st.st_size < (off_t)FRAMEKEY_ABI_HEADER_SIZE || st.st_size > (off_t)UINT32_MAX)
                return -EPROTO;

        p = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return errno == ENOMEM ? -ENOMEM : -EPROTO;
        /* A child of fork() would share the indices with us; it gets no mapping instead. Cannot fail on a mapping. */
        (void)madvise(p, (size_t)st.st_size, MADV_DONTFORK);
        *ret = p;
        *ret_size = (uint32_t)st.st_size;
        return 0;
}

/* Whether `n` items of `size` bytes at `offset` lie behind the header and inside a region. */
static bool fits(uint32_t region, uint32_t offset, uint32_t n, uint32_t size) {
        return offset >= FRAMEKEY_ABI_HEADER_SIZE && offset % FRAMEKEY_ABI_LINE == 0 && offset <= region &&
               (uint64_t)n * size <= region - offset;
}

static bool layout_ok(const struct framekey_abi_layout *l, uint32_t request_size, uint32_t response_size) {
        uint64_t n_slots = 0;

        if (l->magic != FRAMEKEY_ABI_MAGIC || l->version != FRAMEKEY_ABI_VERSION)
                return false;
        if (l->request_size != request_size || l->response_size != response_size)
                return false;
        if (l->entries == 0 || l->entries > FRAMEKEY_ABI_ENTRIES_MAX || l->entries & (l->entries - 1))
                return false;
        if (l->n_streams > FRAMEKEY_ABI_STREAMS_MAX)
                return false;
        if (!fits(request_size, l->descriptor_offset, l->entries, sizeof(struct framekey_abi_descriptor)) ||
            !fits(response_size, l->completion_offset, l->entries, sizeof(struct framekey_abi_completion)) ||
            !fits(response_size, l->stream_offset, l->n_streams, sizeof(struct framekey_abi_stream)))
                return false;

        for (unsigned i = 0; i < FRAMEKEY_ABI_CLASSES; i++) {
                n_slots += l->n_slots[i];
                if (l->n_slots[i] == 0)
                        continue;
                if (!fits(request_size, l->in_offset[i], l->n_slots[i], l->slot_size[i]) ||
                    !fits(response_size, l->out_offset[i], l->n_slots[i], l->slot_size[i]))
                        return false;
        }
        /* Every slot can be in flight at once, so nothing ever has to wait for room in either ring. */
        return n_slots > 0 && n_slots <= l->entries;
}

static int open_doorbells(Link *link, const int *fds) {
        struct stat st;
        int flags;

        link->doorbell = dup_fd(fds[FD_DOORBELL]);
        if (link->doorbell < 0)
                return link->doorbell;
        link->wakeup = dup_fd(fds[FD_WAKEUP]);
        if (link->wakeup < 0)
                return link->wakeup;
        if (fstat(link->wakeup, &st) < 0 || !S_ISSOCK(st.st_mode))
                return -EPROTO;
        flags = fcntl(link->wakeup, F_GETFL);
        if (flags < 0)
                return -EPROTO;
        if (!(flags & O_NONBLOCK) && fcntl(link->wakeup, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        return 0;
}

static int open_regions(Link *link, const int *fds) {
        void *request, *response;
        uint32_t request_size, response_size;
        int r;

        r = map_region(fds[FD_RESPONSE], PROT_READ, &response, &response_size);
        if (r < 0)
                return r;
        link->response = response;
        link->layout.response_size = response_size; /* for link_close(), until the copy below */
        r = map_region(fds[FD_REQUEST], PROT_READ | PROT_WRITE, &request, &request_size);
        if (r < 0)
                return r;
        link->request = request;
        link->layout.request_size = request_size;

        if (!layout_ok(&link->response->layout, request_size, response_size))
                return -EPROTO;
        link->layout = link->response->layout;
        link->descriptors = (void *)((uint8_t *)request + link->layout.descriptor_offset);
        link->completions = (const void *)((const uint8_t *)response + link->layout.completion_offset);
        link->streams = (const void *)((const uint8_t *)response + link->layout.stream_offset);
        return 0;
}

int link_open(Link *link, const int *fds) {
        int r;

        *link = (Link){ .doorbell = -EBADF, .wakeup = -EBADF };
        r = open_regions(link, fds);
        if (r == 0)
                r = open_doorbells(link, fds);
        if (r == 0)
                r = link_state(link);
        if (r < 0) {
                link_close(link);
                return r;
        }
        /* A former holder of the channel may have used it; the indices go on where it stopped. */
        link->published = __atomic_load_n(&link->request->submit.submit_index, __ATOMIC_RELAXED);
        link->pushed = link->published;
        link->popped = __atomic_load_n(&link->request->reap.completion_consumed, __ATOMIC_RELAXED);
        link->inherited = link->published - link->popped;
        link->next_yield_pause = YIELD_PAUSE_MIN;
        return 0;
}

void link_close_child(Link *link) {
        if (link->doorbell >= 0)
                (void)close(link->doorbell);
        if (link->wakeup >= 0)
                (void)close(link->wakeup);
        *link = (Link){ .doorbell = -EBADF, .wakeup = -EBADF };
}

void link_close(Link *link) {
        if (link->request)
                (void)munmap(link->request, link->layout.request_size);
        if (link->response)
                (void)munmap((void *)link->response, link->layout.response_size);
        link_close_child(link);
}

/* ---- facts ---- */

int link_state(const Link *link) {
        /* Acquire: with "closed" everything the daemon did before is visible, the last completions too. */
        switch (__atomic_load_n(&link->response->state.state, __ATOMIC_ACQUIRE)) {
        case FRAMEKEY_ABI_OPEN:
                return link->hung_up ? -ESTALE : 0;
        case FRAMEKEY_ABI_PROTOCOL:
                return -EPROTO;
        default:
                return -EPIPE;
        }
}

int link_stream(const Link *link, uint32_t stream, struct framekey_abi_stream *ret) {
        const struct framekey_abi_stream *row;
        uint32_t before, after;

        if (stream >= link->layout.n_streams)
                return -ENOENT;
        row = &link->streams[stream];
        do {
                /* The generation is read before and after the row: acquire keeps the row's loads behind the first
                 * one. The row's own loads are acquire too, so that the second one stays behind them. A row that
                 * changed in between would mix two streams. */
                before = __atomic_load_n(&row->generation, __ATOMIC_ACQUIRE);
                ret->id = __atomic_load_n(&row->id, __ATOMIC_ACQUIRE);
                ret->overhead = __atomic_load_n(&row->overhead, __ATOMIC_ACQUIRE);
                ret->direction = __atomic_load_n(&row->direction, __ATOMIC_ACQUIRE);
                ret->format = __atomic_load_n(&row->format, __ATOMIC_ACQUIRE);
                ret->media = __atomic_load_n(&row->media, __ATOMIC_ACQUIRE);
                ret->codec = __atomic_load_n(&row->codec, __ATOMIC_ACQUIRE);
                ret->flags = __atomic_load_n(&row->flags, __ATOMIC_ACQUIRE);
                after = __atomic_load_n(&row->generation, __ATOMIC_RELAXED);
        } while (before != after);
        ret->generation = before;
        return before & 1 && ret->direction != 0 ? 0 : -ENOENT;
}

uint32_t link_n_slots(const Link *link) {
        return link->layout.n_slots[0] + link->layout.n_slots[1] + link->layout.n_slots[2];
}

/* Class of a slot, and its number within. */
static unsigned locate(const Link *link, uint32_t slot, uint32_t *ret_number) {
        unsigned class = 0;

        while (class < FRAMEKEY_ABI_CLASSES - 1 && slot >= link->layout.n_slots[class])
                slot -= link->layout.n_slots[class ++];
        *ret_number = slot;
        return class;
}

uint32_t link_slot_size(const Link *link, uint32_t slot) {
        uint32_t number;

        return link->layout.slot_size[locate(link, slot, &number)];
}

uint8_t *link_slot_in(const Link *link, uint32_t slot) {
        uint32_t number;
        unsigned class = locate(link, slot, &number);

        return (uint8_t *)link->request + link->layout.in_offset[class] +
               (size_t)number * link->layout.slot_size[class];
}

const uint8_t *link_slot_out(const Link *link, uint32_t slot) {
        uint32_t number;
        unsigned class = locate(link, slot, &number);

        return (const uint8_t *)link->response + link->layout.out_offset[class] +
               (size_t)number * link->layout.slot_size[class];
}

/* ---- frames ---- */

bool link_settled(const Link *link) {
        return link->inherited == 0;
}

void link_push(Link *link, const struct framekey_abi_descriptor *descriptor) {
        link->descriptors[link->pushed & (link->layout.entries - 1)] = *descriptor;
        link->pushed++;
}

static void ring(int doorbell) {
        static const uint64_t one = 1;

        /* The daemon watches for edges and never reads. Only a counter that is full could refuse, and no client lives
         * to ring 2^64 times. */
        while (write(doorbell, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
}

void link_publish(Link *link) {
        uint32_t before = link->published;
        uint32_t want;

        if (link->pushed == before)
                return;
        link->published = link->pushed;
        /* Sequentially consistent store, then load. The descriptors and payloads must be seen before the index, by the
         * daemon's acquire load of it, or it would fetch old bytes. And the index must be seen before our load of the
         * wish, by the daemon, which stores its wish and then looks at the index: if our load overtook our store, it
         * could sleep while we do not ring. */
        __atomic_store_n(&link->request->submit.submit_index, link->published, __ATOMIC_SEQ_CST);
        want = __atomic_load_n(&link->response->consumed.submit_want, __ATOMIC_SEQ_CST);
        if (FRAMEKEY_ABI_PASSES(want, before, link->published))
                ring(link->doorbell);
}

bool link_pop(Link *link, struct framekey_abi_completion *ret) {
        /* Acquire: the completion and its payload, which the daemon stored before the index, are read after it, or we
         * would read what the slot held before. */
        uint32_t visible = __atomic_load_n(&link->response->completion.completion_index, __ATOMIC_ACQUIRE);

        if (visible == link->popped)
                return false;
        *ret = link->completions[link->popped & (link->layout.entries - 1)];
        link->popped++;
        if (link->inherited > 0)
                link->inherited--;
        /* Release: our copy is made before the daemon may see the entry as free and write the next one there. */
        __atomic_store_n(&link->request->reap.completion_consumed, link->popped, __ATOMIC_RELEASE);
        return true;
}

bool link_rest(Link *link) {
        /* Sequentially consistent store, then load: the mirror image of link_publish(). The wish must be seen before we
         * look, by the daemon, which moves the index and then looks at the wish: otherwise it would not ring for a
         * completion that we did not see. */
        __atomic_store_n(&link->request->reap.completion_want, link->popped, __ATOMIC_SEQ_CST);
        return __atomic_load_n(&link->response->completion.completion_index, __ATOMIC_SEQ_CST) == link->popped;
}

void link_drain(Link *link) {
        uint8_t bytes[64];
        ssize_t n;

        /* One byte a wish, so there is seldom more than one. Who stops reading too early is woken once in vain. */
        do
                n = read(link->wakeup, bytes, sizeof(bytes));
        while (n == (ssize_t)sizeof(bytes) || (n < 0 && errno == EINTR));
        if (n == 0)
                link->hung_up = true;
}

static uint64_t now_nsec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
        return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static bool has_completion(const Link *link) {
        /* Relaxed: only a hint; link_pop() looks again, with order. */
        return __atomic_load_n(&link->response->completion.completion_index, __ATOMIC_RELAXED) != link->popped;
}

void link_yield(Link *link) {
        if (link->yield_pause > 0) {
                link->yield_pause--;
                return;
        }
        for (unsigned i = 0; i < YIELDS && !has_completion(link); i++) {
                uint64_t before = now_nsec();

                (void)sched_yield();
                if (now_nsec() - before > YIELD_LONG_NSEC) {
                        link->yield_pause = link->next_yield_pause;
                        if (link->next_yield_pause < YIELD_PAUSE_MAX)
                                link->next_yield_pause *= 2;
                        return;
                }
        }
        link->next_yield_pause = YIELD_PAUSE_MIN;
}

uint64_t link_deadline(uint64_t timeout_usec) {
        uint64_t now;

        if (timeout_usec == UINT64_MAX)
                return LINK_WAIT_INFINITE;
        now = now_nsec();
        if (timeout_usec > (UINT64_MAX - 1 - now) / NSEC_PER_USEC)
                return LINK_WAIT_INFINITE;
        return now + timeout_usec * NSEC_PER_USEC;
}

int link_wait(Link *link, uint64_t deadline_nsec) {
        for (;;) {
                struct pollfd pollfd = { .fd = link->wakeup, .events = POLLIN };
                struct timespec ts = { 0 };
                int r;

                if (deadline_nsec != LINK_WAIT_INFINITE) {
                        uint64_t now = now_nsec();
                        uint64_t left = deadline_nsec > now ? deadline_nsec - now : 0;

                        ts = (struct timespec){ .tv_sec = (time_t)(left / NSEC_PER_SEC),
                                                .tv_nsec = (long)(left % NSEC_PER_SEC) };
                }
                r = ppoll(&pollfd, 1, deadline_nsec == LINK_WAIT_INFINITE ? NULL : &ts, NULL);
                if (r > 0) {
                        link_drain(link);
                        return 0;
                }
                if (r == 0)
                        return -ETIMEDOUT;
                if (errno != EINTR && errno != EAGAIN && errno != ENOMEM)
                        return -errno;
        }
}
