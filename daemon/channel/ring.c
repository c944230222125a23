/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The daemon's end of a channel. The only file that touches memory a client can write, or can see
 * while it is written. Layout: framekey-abi.h. Threads and rules of use: ring.h.
 *
 * What is believed:
 *   request region   nothing, ever. A client can rewrite it or punch holes into it at any instant.
 *                    Its size is sealed, so touching it cannot raise SIGBUS.
 *   response region  nothing is read back from it: indices, layout and generations have private
 *                    masters in struct Ring and are only mirrored there.
 *   RingState        this program wrote it, but another version of it, or not to the end: its own
 *                    fields are checked, and what is not committed there counts for nothing.
 *   doorbells        ring-doorbell.h tells why the one is never read and the other is a socket.
 *
 *   index (free-running)          writer   here
 *   submit_index                  client   `submitted`: last value seen, may only grow
 *   consumed_index, submit_want   daemon   `fetched`
 *   completion_index              daemon   `completed` (written), `published` (visible)
 *   completion_consumed           client   `reaped`: last value seen, may only grow
 *
 * Over the death of a process, a turn (from the first ring_fetch() to ring_commit()) has happened or not at
 * all. A committed turn has completed what it fetched, so RingState has one index for both; what it did not
 * mirror any more, ring_resume() does. A turn that was not committed is taken again: its descriptors are
 * still there, since the client has not seen them consumed, and the slots its completions lie in have not
 * been given back.
 *
 *   reaped <= published <= completed <= reaped + entries,  fetched <= submitted <= fetched + entries
 *   hold modulo 2^32 at all times, or the channel is closed.
 */
#include <assert.h>

#include "channel/ring-doorbell.h"
#include "channel/ring-internal.h"
#include "channel/ring-layout.h"
#include "channel/ring-region.h"
#include "channel/ring-state.h"
#include "channel/ring.h"
#include "framekey-abi.h"
#include "util/util.h"

/* arm64 may predict the value of a masked index; its own instruction forbids that. */
#if defined(__aarch64__)
#define SPECULATION_BARRIER "hint #20"
#else
#define SPECULATION_BARRIER ""
#endif

_Static_assert(RING_CLASSES == FRAMEKEY_ABI_CLASSES, "ring.h and the layout agree on classes");
_Static_assert(RING_METADATA_MAX == FRAMEKEY_ABI_METADATA_MAX, "ring.h and the layout agree on metadata");
_Static_assert(RING_RANGES_MAX == FRAMEKEY_ABI_RANGES_MAX, "ring.h and the layout agree on ranges");
_Static_assert(sizeof(uint8_t[RING_SCRATCH_SIZE]) == FRAMEKEY_ABI_SLOT_JUMBO, "scratch takes the largest slot");
_Static_assert((int)RING_REQUEST_NOTE == FRAMEKEY_ABI_NOTE, "flags pass through unchanged");
_Static_assert((int)RING_REQUEST_TRANSCRYPT == FRAMEKEY_ABI_TRANSCRYPT, "flags pass through unchanged");
_Static_assert((int)RING_REQUEST_START_CODES == FRAMEKEY_ABI_START_CODES, "flags pass through unchanged");
_Static_assert((int)RING_REQUEST_PACKET == FRAMEKEY_ABI_PACKET, "flags pass through unchanged");
_Static_assert((int)RING_CLOSED_BY_OWNER == FRAMEKEY_ABI_CLOSED, "states pass through unchanged");
_Static_assert((int)RING_CLOSED_PROTOCOL == FRAMEKEY_ABI_PROTOCOL, "states pass through unchanged");

#define RANGE_SIZE  8u
#define FLAGS_KNOWN (FRAMEKEY_ABI_NOTE | FRAMEKEY_ABI_START_CODES | FRAMEKEY_ABI_PACKET | FRAMEKEY_ABI_TRANSCRYPT)

/* A table row instead of arithmetic on the class: one masked index, no branch to mispredict. */
typedef struct Slot {
        uint64_t answered; /* ordinal of its last completion, from 1; 0: none yet */
        uint32_t in_offset;
        uint32_t out_offset;
        uint32_t size;
} Slot;

struct Ring {
        struct framekey_abi_layout layout; /* the master; the client sees a copy */
        RingState *state;                  /* NULL: ends with this process */
        struct framekey_abi_request *request;
        struct framekey_abi_response *response;
        Slot *slots;
        uint32_t n_slots;
        uint32_t stream_generation;

        uint32_t fetched;
        uint32_t submitted;
        uint32_t completed;
        uint32_t published;
        uint32_t reaped;
        uint64_t n_completed; /* `completed` without the wrap, from 0 */

        bool in_flight; /* between ring_fetch() and its ring_complete() */
        Slot *slot;     /* of the request in flight; NULL if that was refused */
        bool closed;
        bool left; /* the client is another process's from now on */

        int request_fd; /* until they are kept elsewhere */
        int response_fd;
        int doorbell_fd;
        int wakeup_fd;
};

/* ---- layout ---- */

static int slots_init(Ring *ring) {
        uint32_t slot = 0;

        for (unsigned c = 0; c < RING_CLASSES; c++)
                ring->n_slots += ring->layout.n_slots[c];
        ring->slots = calloc(ring->n_slots, sizeof(*ring->slots));
        if (!ring->slots)
                return -ENOMEM;

        for (unsigned c = 0; c < RING_CLASSES; c++) {
                for (uint32_t i = 0; i < ring->layout.n_slots[c]; i++)
                        ring->slots[slot++] = (Slot){
                                .in_offset = ring->layout.in_offset[c] + i * ring->layout.slot_size[c],
                                .out_offset = ring->layout.out_offset[c] + i * ring->layout.slot_size[c],
                                .size = ring->layout.slot_size[c],
                        };
        }
        return 0;
}

/* ---- making and freeing ---- */

static void mirror_init(Ring *ring, uint32_t first_index) {
        ring->fetched = ring->submitted = first_index;
        ring->completed = ring->published = ring->reaped = first_index;

        ring->request->submit.submit_index = first_index;
        ring->request->reap.completion_consumed = first_index;
        /* Both wishes name the first index, so that the first frame rings and so does its completion. */
        ring->request->reap.completion_want = first_index;
        ring->response->consumed.submit_want = first_index;
        ring->response->consumed.consumed_index = first_index;
        ring->response->completion.completion_index = first_index;
        ring->response->state.state = FRAMEKEY_ABI_OPEN;
        ring->response->state.epoch = RING_EPOCH_FIRST;
        ring->response->layout = ring->layout;
}

static int regions_new(Ring *ring, const RingConfig *config, int *ret_request_fd, int *ret_response_fd) {
        _cleanup_close_ int request_fd = -EBADF;
        /* Sealed against all future writers, it could not be mapped by the process that is to take over. */
        RegionAccess access = config->same_uid && !config->state ? REGION_CLIENT_OF_UID_READS : REGION_CLIENT_READS;
        Region request, response;
        int r;

        r = region_new(&request, "framekey-request", ring->layout.request_size, REGION_CLIENT_WRITES, &request_fd);
        if (r < 0)
                return r;
        ring->request = request.map;
        ring->request_fd = request.fd;
        r = region_new(&response, "framekey-response", ring->layout.response_size, access, ret_response_fd);
        if (r < 0)
                return r;
        ring->response = response.map;
        ring->response_fd = response.fd;
        if (!config->state)
                ring_kept(ring); /* it is nobody's but the client's */
        *ret_request_fd = take_fd(&request_fd);
        return 0;
}

static int ring_alloc(Ring **ret, const RingConfig *config) {
        _cleanup_(ring_free_p) Ring *ring = malloc(sizeof(*ring));
        int r;

        if (!ring)
                return -ENOMEM;
        *ring = (Ring){ .request_fd = -EBADF, .response_fd = -EBADF, .doorbell_fd = -EBADF, .wakeup_fd = -EBADF };
        ring->state = config->state;
        r = ring_layout_init(&ring->layout, config);
        if (r < 0)
                return r;
        r = slots_init(ring);
        if (r < 0)
                return r;
        *ret = take_ptr(ring);
        return 0;
}

int ring_new_at(Ring **ret, const RingConfig *config, uint32_t first_index, RingFds *ret_fds) {
        _cleanup_close_ int request = -EBADF, response = -EBADF, doorbell = -EBADF, wakeup = -EBADF;
        _cleanup_(ring_free_p) Ring *ring = NULL;
        int r;

        r = ring_alloc(&ring, config);
        if (r < 0)
                return r;
        r = regions_new(ring, config, &request, &response);
        if (r < 0)
                return r;
        r = doorbell_new(&ring->doorbell_fd, &doorbell);
        if (r < 0)
                return r;
        r = wakeup_new(&ring->wakeup_fd, &wakeup);
        if (r < 0)
                return r;

        mirror_init(ring, first_index);
        if (ring->state)
                ring_state_init(ring->state, config, first_index);
        *ret_fds = (RingFds){
                .request = take_fd(&request),
                .response = take_fd(&response),
                .doorbell = take_fd(&doorbell),
                .wakeup = take_fd(&wakeup),
        };
        *ret = take_ptr(ring);
        return 0;
}

int ring_new(Ring **ret, const RingConfig *config, RingFds *ret_fds) {
        return ring_new_at(ret, config, 0, ret_fds);
}

Ring *ring_free(Ring *ring) {
        if (!ring)
                return NULL;
        if (ring->response && !ring->left)
                ring_close(ring, RING_CLOSED_BY_OWNER);
        region_free(ring->response, ring->layout.response_size);
        region_free(ring->request, ring->layout.request_size);
        ring_kept(ring);
        ring->doorbell_fd = close_fd(ring->doorbell_fd);
        ring->wakeup_fd = close_fd(ring->wakeup_fd);
        free(ring->slots);
        free(ring);
        return NULL;
}

void ring_kept_fds(const Ring *ring, RingKept *ret) {
        *ret = (RingKept){
                .request = ring->request_fd,
                .response = ring->response_fd,
                .doorbell = ring->doorbell_fd,
                .wakeup = ring->wakeup_fd,
        };
}

void ring_kept(Ring *ring) {
        ring->request_fd = close_fd(ring->request_fd);
        ring->response_fd = close_fd(ring->response_fd);
}

void ring_leave(Ring *ring) {
        ring->left = true;
}

void ring_mappings(const Ring *ring, void **ret_request, void **ret_response) {
        *ret_request = ring->request;
        *ret_response = ring->response;
}

int ring_doorbell_fd(const Ring *ring) {
        return ring->doorbell_fd;
}

int ring_wakeup_fd(const Ring *ring) {
        return ring->wakeup_fd;
}

/* ---- indices ---- */

/* `submit_index`, and with it the descriptors and slots before it.
 * Acquire: the client's stores of descriptor, payload and `completion_consumed` must be seen before
 * our loads of them, which follow; else a fetch would read what the slot held before.
 * Sequentially consistent on top, for ring_rest(): the store of `submit_want` must be seen by the
 * client before this load is done; else both sides could miss each other (client: nobody asks for the
 * bell; we: nothing is there) and the frame would wait for ever. */
static uint32_t load_submit_index(const Ring *ring) {
        return __atomic_load_n(&ring->request->submit.submit_index, __ATOMIC_SEQ_CST);
}

/* `completion_consumed`.
 * Acquire: the client's loads of the completions before it, and of their payload-out slots, must be
 * done before our stores that reuse them; else the client would read the next frame's bytes as this one's. */
static uint32_t load_completion_consumed(const Ring *ring) {
        return __atomic_load_n(&ring->request->reap.completion_consumed, __ATOMIC_ACQUIRE);
}

/* Whether both indices of the client moved forward only, and no farther than there was something to
 * submit to or to reap. The distances from our own index tell all three: a step back and a step
 * beyond both come out larger than the last distance allows. */
static bool indices_hold(const Ring *ring, uint32_t submitted, uint32_t reaped) {
        uint32_t waiting = submitted - ring->fetched;
        uint32_t unreaped = ring->published - reaped;

        return waiting <= ring->layout.entries && waiting >= ring->submitted - ring->fetched &&
               unreaped <= ring->published - ring->reaped;
}

/* Looks at the client's indices; false if they lie. `submit_index` first: whoever submits a slot again has reaped
 * its completion before, and must be believed in that order. */
static bool look(Ring *ring) {
        uint32_t submitted = load_submit_index(ring);
        uint32_t reaped = load_completion_consumed(ring);

        if (!indices_hold(ring, submitted, reaped))
                return false;
        ring->submitted = submitted;
        ring->reaped = reaped;
        return true;
}

static uint32_t completions_free(const Ring *ring) {
        return ring->layout.entries - (ring->completed - ring->reaped);
}

uint32_t ring_pending(const Ring *ring) {
        uint32_t submitted, reaped, room;

        if (ring->closed)
                return 0;
        submitted = load_submit_index(ring);
        reaped = load_completion_consumed(ring);
        if (!indices_hold(ring, submitted, reaped))
                return 0;
        room = ring->layout.entries - (ring->completed - reaped);
        return MIN_OF(submitted - ring->fetched, room);
}

bool ring_rest(Ring *ring) {
        uint32_t asked;

        if (ring->closed)
                return true;
        if (!look(ring))
                return false; /* for ring_fetch() to say so */
        if (ring->submitted != ring->fetched && completions_free(ring) > 0)
                return false;

        asked = ring->submitted;
        /* Sequentially consistent: this wish must be visible to the client before load_submit_index() below is
         * done, see there. The client's half: it stores submit_index, then loads this, with the same order. */
        __atomic_store_n(&ring->response->consumed.submit_want, asked, __ATOMIC_SEQ_CST);
        if (!look(ring))
                return false;
        /* Behind a full completion ring the next submission rings; a client that keeps to one frame a slot never gets
         * there. */
        return ring->submitted == asked && (asked == ring->fetched || completions_free(ring) == 0);
}

/* ---- taking over ---- */

static int regions_adopt(Ring *ring, RingKept *fds) {
        void *map;
        int r;

        ring->request_fd = take_fd(&fds->request);
        ring->response_fd = take_fd(&fds->response);
        r = region_adopt(ring->request_fd, ring->layout.request_size, &map);
        if (r < 0)
                return r;
        ring->request = map;
        r = region_adopt(ring->response_fd, ring->layout.response_size, &map);
        if (r < 0)
                return r;
        ring->response = map;
        /* Not believed, but a sign of mixed-up descriptors. And who was told that the channel is closed, has left. */
        if (memcmp(&ring->response->layout, &ring->layout, sizeof(ring->layout)) != 0 ||
            ring->response->state.state != FRAMEKEY_ABI_OPEN)
                return -EBADMSG;
        return 0;
}

/* The slots whose completions the client has not reaped are still its own. */
static int slots_adopt(Ring *ring) {
        uint32_t reaped = load_completion_consumed(ring), unreaped = ring->published - reaped;

        /* If that is a lie, the first look at the indices tells, since `reaped` stays where it can only move on. */
        unreaped = MIN_OF(unreaped, ring->layout.entries);
        for (uint32_t i = 0; i < unreaped; i++) {
                uint32_t index = ring->published - unreaped + i;
                uint16_t slot = ring->state->answered[index & (ring->layout.entries - 1)];

                if (slot == RING_SLOT_NONE)
                        continue;
                if (slot >= ring->n_slots)
                        return -EBADMSG;
                ring->slots[slot].answered = ring->n_completed - unreaped + i + 1;
        }
        return 0;
}

int ring_adopt(Ring **ret, RingState *state, RingKept *fds) {
        _cleanup_(ring_free_p) Ring *ring = NULL;
        RingConfig config;
        int r;

        r = ring_state_config(state, &config);
        if (r < 0)
                return r;
        r = ring_alloc(&ring, &config);
        if (r < 0)
                return r;
        ring->left = true; /* until ring_resume() */
        r = regions_adopt(ring, fds);
        if (r < 0)
                return r;
        if (!doorbell_is(fds->doorbell) || !wakeup_is(fds->wakeup))
                return -EBADMSG;
        ring->doorbell_fd = take_fd(&fds->doorbell);
        ring->wakeup_fd = take_fd(&fds->wakeup);

        /* Every committed turn has completed what it fetched. */
        ring->fetched = ring->submitted = ring->completed = ring->published = (uint32_t)state->done;
        ring->reaped = ring->published - ring->layout.entries;
        ring->n_completed = ring->layout.entries;
        ring->stream_generation = state->stream_generation;
        r = slots_adopt(ring);
        if (r < 0)
                return r;
        *ret = take_ptr(ring);
        return 0;
}

void ring_resume(Ring *ring) {
        ring->left = false;
        ring->state->epoch++;
        /* As after a turn: the one before may have been committed and not told. A client that submits from now on, or
         * has submitted while nobody looked, is seen in the first turn here, whatever its last look at `submit_want`
         * made of it: the thread asks for the doorbell only after that. */
        __atomic_store_n(&ring->response->consumed.consumed_index, ring->fetched, __ATOMIC_RELEASE);
        __atomic_store_n(&ring->response->completion.completion_index, ring->published, __ATOMIC_SEQ_CST);
        __atomic_store_n(&ring->response->state.epoch, ring->state->epoch, __ATOMIC_RELEASE);
        wakeup_ring(ring->wakeup_fd);
}

/* ---- fetching ---- */

/* `index` if it is below `limit`, else 0, without a branch that could be mispredicted (Spectre v1). */
static inline uint32_t clamp_nospec(uint32_t index, uint32_t limit) {
        uint64_t masked = index;

        /* Hides what the caller's own check taught the compiler: it would drop the mask. */
        __asm__ volatile("" : "+r"(masked));
        masked &= (uint64_t)((int64_t)(masked - limit) >> 63);
        __asm__ volatile(SPECULATION_BARRIER : "+r"(masked));
        return (uint32_t)masked;
}

/* The one place where a descriptor is read: each word once. Volatile, so that the compiler reads
 * neither again what is checked later. */
static void fetch_descriptor(const Ring *ring, uint32_t index, struct framekey_abi_descriptor *ret) {
        uint32_t at = (index & (ring->layout.entries - 1)) * RING_DESCRIPTOR_SIZE;
        const volatile uint64_t *shared =
                (const volatile uint64_t *)((const uint8_t *)ring->request + ring->layout.descriptor_offset + at);
        uint64_t words[RING_DESCRIPTOR_SIZE / sizeof(uint64_t)];

        for (unsigned i = 0; i < ELEMENTS(words); i++)
                words[i] = shared[i];
        memcpy(ret, words, sizeof(words));
}

/* Bytes the slot holds as the descriptor says, or false if they do not fit. Never adds what was not compared. */
static bool payload_length(const struct framekey_abi_descriptor *d, uint32_t slot_size, uint32_t *ret_length) {
        uint32_t left = slot_size;

        if (d->metadata_len > FRAMEKEY_ABI_METADATA_MAX || d->n_ranges > FRAMEKEY_ABI_RANGES_MAX)
                return false;
        left -= d->metadata_len + d->n_ranges * RANGE_SIZE; /* at most 1024, below the smallest slot */
        if (d->frame_len > left || d->clear_len > d->frame_len)
                return false;
        *ret_length = slot_size - left + d->frame_len;
        return true;
}

/* Whether the flags are known and mean something together. */
static bool flags_hold(const struct framekey_abi_descriptor *d) {
        if (d->flags & ~FLAGS_KNOWN)
                return false;
        if ((d->flags & FRAMEKEY_ABI_NOTE) && (d->metadata_len | d->n_ranges | d->frame_len | d->clear_len))
                return false; /* a note carries nothing */
        if (!(d->flags & FRAMEKEY_ABI_NOTE) && d->note)
                return false;
        if ((d->flags & FRAMEKEY_ABI_TRANSCRYPT) && (d->flags != FRAMEKEY_ABI_TRANSCRYPT || d->n_ranges))
                return false; /* the daemon looks at the codec itself */
        if (d->to_metadata_len > d->metadata_len || (d->to_metadata_len && !(d->flags & FRAMEKEY_ABI_TRANSCRYPT)))
                return false;
        if ((d->flags & FRAMEKEY_ABI_PACKET) && (d->clear_len || (d->flags & FRAMEKEY_ABI_START_CODES)))
                return false; /* a packet has no codec and no clear part */
        return true;
}

/* A slot whose completion the client has not reaped is the client's to read, and not to submit. */
static bool slot_is_free(const Ring *ring, const Slot *slot) {
        return slot->answered <= ring->n_completed - (ring->completed - ring->reaped);
}

static bool request_check(Ring *ring, const struct framekey_abi_descriptor *d, Slot **ret_slot, uint32_t *ret_length) {
        Slot *slot;

        if (d->slot >= ring->n_slots)
                return false;
        slot = &ring->slots[clamp_nospec(d->slot, ring->n_slots)];
        if (!slot_is_free(ring, slot) || !flags_hold(d) || !payload_length(d, slot->size, ret_length))
                return false;
        *ret_length = clamp_nospec(*ret_length, slot->size + 1);
        *ret_slot = slot;
        return true;
}

/* Copies the slot's bytes, which may change meanwhile: whatever they were at some instant each, nothing looks at
 * the shared ones again. Checks and cryptography on shared bytes could see two different frames. */
static void payload_copy(const Ring *ring, const Slot *slot, uint32_t length, uint8_t *scratch) {
        memcpy(scratch, (const uint8_t *)ring->request + slot->in_offset, length);
        /* Whatever gets inlined around it: the copy is made, here. */
        __asm__ volatile("" : : "r"(scratch) : "memory");
}

void ring_prefetch(const Ring *ring, unsigned step) {
        uint32_t mask;

        if (step == 0) {
                PREFETCH_WHOLE(ring);
                return;
        }
        mask = ring->layout.entries - 1;
        __builtin_prefetch(&ring->request->submit);
        __builtin_prefetch(&ring->request->reap);
        __builtin_prefetch((const uint8_t *)ring->request + ring->layout.descriptor_offset +
                           (size_t)RING_DESCRIPTOR_SIZE * (ring->fetched & mask));
        __builtin_prefetch(&ring->response->consumed, 1);
        __builtin_prefetch(&ring->response->completion, 1);
        __builtin_prefetch((const struct framekey_abi_completion *)((const uint8_t *)ring->response +
                                                                    ring->layout.completion_offset) +
                                   (ring->completed & mask),
                           1);
}

int ring_fetch(Ring *ring, uint8_t *scratch, RingRequest *ret_request) {
        struct framekey_abi_descriptor d;
        uint32_t length, ranges_at, frame_at;
        Slot *slot;
        bool good;

        assert(!ring->in_flight);

        if (ring->closed)
                return RING_BROKEN;
        /* Looks only when what was seen last is used up: the client's lines cost a cache miss each. */
        if ((ring->submitted == ring->fetched || completions_free(ring) == 0) && !look(ring))
                return RING_BROKEN;
        if (ring->submitted == ring->fetched)
                return RING_EMPTY;
        if (completions_free(ring) == 0)
                return RING_FULL;

        fetch_descriptor(ring, ring->fetched, &d);
        good = request_check(ring, &d, &slot, &length);
        if (good)
                payload_copy(ring, slot, length, scratch);
        ring->fetched++;
        ring->in_flight = true;
        ring->slot = good ? slot : NULL;

        *ret_request = (RingRequest){ .cookie = d.cookie, .stream = d.stream, .slot = d.slot };
        if (!good)
                return RING_BAD_REQUEST;
        ranges_at = d.metadata_len;
        frame_at = ranges_at + d.n_ranges * RANGE_SIZE;
        ret_request->flags = d.flags;
        ret_request->ssrc = d.ssrc;
        ret_request->rtp_timestamp = d.rtp_timestamp;
        ret_request->frame_type = d.frame_type;
        ret_request->note = d.note;
        ret_request->n_ranges = d.n_ranges;
        ret_request->ranges = scratch + ranges_at;
        ret_request->metadata_len = (uint32_t)d.metadata_len - d.to_metadata_len;
        ret_request->metadata = scratch;
        ret_request->to_stream = d.to_stream;
        ret_request->to_metadata_len = d.to_metadata_len;
        ret_request->to_metadata = scratch + ret_request->metadata_len;
        ret_request->to_frame_type = d.to_frame_type;
        ret_request->to_codec = d.to_codec;
        ret_request->frame_len = d.frame_len;
        ret_request->clear_len = d.clear_len;
        ret_request->frame = scratch + frame_at;
        ret_request->out_max = slot->size;
        return 0;
}

/* ---- completing ---- */

void ring_complete(Ring *ring, const RingRequest *request, const RingCompletion *completion, const uint8_t *payload) {
        struct framekey_abi_completion *entries;

        assert(ring->in_flight);
        assert(completion->frame_len <= (ring->slot ? ring->slot->size : 0));

        entries = (void *)((uint8_t *)ring->response + ring->layout.completion_offset);
        if (completion->frame_len > 0)
                memcpy((uint8_t *)ring->response + ring->slot->out_offset, payload, completion->frame_len);
        entries[ring->completed & (ring->layout.entries - 1)] = (struct framekey_abi_completion){
                .cookie = request->cookie,
                .stream = request->stream,
                .slot = request->slot,
                .frame_len = completion->frame_len,
                .clear_len = completion->clear_len,
                .verdict = completion->verdict,
                .step = completion->step,
                .flags = completion->flags,
                .key_index = completion->key_index,
        };
        if (ring->state)
                ring->state->answered[ring->completed & (ring->layout.entries - 1)] =
                        ring->slot ? (uint16_t)(ring->slot - ring->slots) : RING_SLOT_NONE;
        ring->completed++;
        ring->n_completed++;
        if (ring->slot)
                ring->slot->answered = ring->n_completed;
        ring->slot = NULL;
        ring->in_flight = false;
}

void ring_commit(Ring *ring, Undo *undo) {
        undo_commit(undo, ring->state ? &ring->state->done : NULL, ring->completed);
}

void ring_publish(Ring *ring) {
        uint32_t before = ring->published;
        uint32_t want;

        if (before == ring->completed)
                return;
        ring->published = ring->completed;
        /* Release: our loads of the descriptors must be done before the client sees them consumed and writes the next
         * ones there; else we would have fetched half of each. Not before the commit: a turn that is undone fetches
         * them again. */
        __atomic_store_n(&ring->response->consumed.consumed_index, ring->fetched, __ATOMIC_RELEASE);
        /* Release: completions and payload must be seen by the client before this index; else it would read what was
         * there before. Sequentially consistent on top: this store must be visible to the client before our load of
         * its wish is done; else it could ask for a wake-up, find the old index, and sleep, while we find the old
         * wish and do not ring. The client's half: it stores the wish, then loads this, with the same order. */
        __atomic_store_n(&ring->response->completion.completion_index, ring->published, __ATOMIC_SEQ_CST);
        want = __atomic_load_n(&ring->request->reap.completion_want, __ATOMIC_SEQ_CST);
        /* Whatever the client wrote there, it gets at most one hint for one publishing. */
        if (FRAMEKEY_ABI_PASSES(want, before, ring->published))
                wakeup_ring(ring->wakeup_fd);
}

/* ---- state ---- */

/* So that a row that is what it should be stays as it is, without a moment in which a reader misses it, when another
 * process takes over. What a client of our own uid may have written there harms its own channel alone. */
static bool row_says(const struct framekey_abi_stream *shared, uint32_t row, const RingStream *stream) {
        bool used = shared->generation & 1;

        if (!used || stream->direction == 0)
                return used == (stream->direction != 0);
        return shared->id == row && shared->overhead == stream->overhead && shared->direction == stream->direction &&
               shared->format == stream->format && shared->media == stream->media && shared->codec == stream->codec &&
               shared->flags == stream->flags;
}

void ring_set_stream(Ring *ring, uint32_t row, const RingStream *stream) {
        struct framekey_abi_stream *shared;
        uint32_t generation;

        assert(row < ring->layout.n_streams);

        shared = (struct framekey_abi_stream *)((uint8_t *)ring->response + ring->layout.stream_offset) + row;
        if (row_says(shared, row, stream))
                return;
        /* Never one that a reader saw in any row before, also of a former process. */
        generation = 2 * ++ring->stream_generation;
        if (ring->state)
                ring->state->stream_generation = ring->stream_generation;
        /* Even: no longer valid. Then the fields, then odd. Release throughout: a reader that saw any new field (by an
         * acquire load) must see the even or a later generation after it; else it would take a mixture of two rows
         * for one. */
        __atomic_store_n(&shared->generation, generation, __ATOMIC_RELEASE);
        __atomic_store_n(&shared->id, row, __ATOMIC_RELEASE);
        __atomic_store_n(&shared->overhead, stream->overhead, __ATOMIC_RELEASE);
        __atomic_store_n(&shared->direction, stream->direction, __ATOMIC_RELEASE);
        __atomic_store_n(&shared->format, stream->format, __ATOMIC_RELEASE);
        __atomic_store_n(&shared->media, stream->media, __ATOMIC_RELEASE);
        __atomic_store_n(&shared->codec, stream->codec, __ATOMIC_RELEASE);
        __atomic_store_n(&shared->flags, stream->flags, __ATOMIC_RELEASE);
        if (stream->direction != 0)
                __atomic_store_n(&shared->generation, generation + 1, __ATOMIC_RELEASE);
        /* Release: the row must be seen before the hint that the table changed; else a reader would look once, find
         * the old row, and not look again. */
        __atomic_store_n(&ring->response->state.stream_generation, ring->stream_generation, __ATOMIC_RELEASE);
}

void ring_close(Ring *ring, RingClosed why) {
        if (ring->closed)
                return;
        ring->closed = true;
        /* Release: completions published before must be seen by whoever sees the channel closed; else it would take
         * answered frames for lost. */
        __atomic_store_n(&ring->response->state.state, (uint32_t)why, __ATOMIC_RELEASE);
        wakeup_ring(ring->wakeup_fd);
}
