/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz target: the daemon's end of a ring whose client is hostile. The input is a list of what client and daemon do, in
 * turns: descriptors of any content, indices that jump, slots that change, fetches, completions, rests. Whatever is
 * fetched must lie in private memory and inside its slot, and a ring that was found broken must stay so.
 */
#include "channel/ring-internal.h"
#include "channel/ring.h"
#include "framekey-abi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const RingConfig config = { .n_slots = { 3, 2, 1 }, .n_streams = 3 };
#define N_SLOTS 6u

typedef struct Fuzz {
        const uint8_t *data;
        size_t size;
        Ring *ring;
        struct framekey_abi_request *request;
        struct framekey_abi_response *response;
        uint8_t *scratch;
        uint32_t completed;
        bool broken;
} Fuzz;

static void must(bool truth) {
        if (!truth)
                abort();
}

static void take(Fuzz *fuzz, void *to, size_t len) {
        size_t n = MIN_OF(len, fuzz->size);

        memset(to, 0, len);
        memcpy(to, fuzz->data, n);
        fuzz->data += n;
        fuzz->size -= n;
}

static uint8_t take_byte(Fuzz *fuzz) {
        uint8_t byte;

        take(fuzz, &byte, 1);
        return byte;
}

/* ---- the client ---- */

static void put_descriptor(Fuzz *fuzz) {
        const struct framekey_abi_layout *layout = &fuzz->response->layout;
        uint32_t at = take_byte(fuzz) % layout->entries;

        take(fuzz, (uint8_t *)fuzz->request + layout->descriptor_offset + at * sizeof(struct framekey_abi_descriptor),
             sizeof(struct framekey_abi_descriptor));
}

/* One that is likely to pass: a slot that is there, and short lengths. */
static void put_fair_descriptor(Fuzz *fuzz) {
        const struct framekey_abi_layout *layout = &fuzz->response->layout;
        uint32_t at = fuzz->request->submit.submit_index % layout->entries;
        struct framekey_abi_descriptor descriptor = { .slot = take_byte(fuzz) % N_SLOTS };

        descriptor.frame_len = take_byte(fuzz) * 9u;
        descriptor.clear_len = take_byte(fuzz);
        descriptor.metadata_len = take_byte(fuzz);
        descriptor.n_ranges = take_byte(fuzz) % (FRAMEKEY_ABI_RANGES_MAX + 2);
        descriptor.flags = take_byte(fuzz);
        descriptor.to_metadata_len = take_byte(fuzz);
        memcpy((uint8_t *)fuzz->request + layout->descriptor_offset + at * sizeof(descriptor), &descriptor,
               sizeof(descriptor));
        fuzz->request->submit.submit_index++;
}

static void jump(Fuzz *fuzz, uint32_t *index) {
        uint32_t by;

        take(fuzz, &by, sizeof(by));
        *index += by;
}

static void scribble(Fuzz *fuzz) {
        const struct framekey_abi_layout *layout = &fuzz->response->layout;
        uint16_t at;

        take(fuzz, &at, sizeof(at));
        take(fuzz, (uint8_t *)fuzz->request + layout->in_offset[0] + at % (layout->slot_size[0] - 8), 8);
}

/* ---- the daemon ---- */

static bool in_scratch(const Fuzz *fuzz, const uint8_t *bytes, uint64_t len) {
        return len == 0 || (bytes >= fuzz->scratch && (size_t)(bytes - fuzz->scratch) <= RING_SCRATCH_SIZE &&
                            len <= RING_SCRATCH_SIZE - (size_t)(bytes - fuzz->scratch));
}

static void check_request(const Fuzz *fuzz, const RingRequest *request) {
        must(request->slot < N_SLOTS);
        must(request->clear_len <= request->frame_len && request->frame_len <= request->out_max);
        must(request->metadata_len <= RING_METADATA_MAX && request->to_metadata_len <= RING_METADATA_MAX);
        must(request->n_ranges <= RING_RANGES_MAX);
        must(in_scratch(fuzz, request->frame, request->frame_len));
        must(in_scratch(fuzz, request->metadata, request->metadata_len));
        must(in_scratch(fuzz, request->to_metadata, request->to_metadata_len));
        must(in_scratch(fuzz, request->ranges, request->n_ranges * UINT64_C(8)));
}

static void fetch(Fuzz *fuzz) {
        RingRequest request;
        RingCompletion completion = { 0 };
        int r = ring_fetch(fuzz->ring, fuzz->scratch, &request);

        must(!fuzz->broken || r == RING_BROKEN);
        if (r == RING_BROKEN) {
                ring_close(fuzz->ring, RING_CLOSED_PROTOCOL);
                fuzz->broken = true;
        }
        if (r != 0 && r != RING_BAD_REQUEST)
                return;
        if (r == 0) {
                check_request(fuzz, &request);
                completion.frame_len = take_byte(fuzz) % 2 ? request.out_max : request.frame_len;
        } else {
                completion.verdict = FRAMEKEY_ABI_NOTE;
        }
        ring_complete(fuzz->ring, &request, &completion, completion.frame_len > 0 ? fuzz->scratch : NULL);
        fuzz->completed++;
}

static void publish(Fuzz *fuzz) {
        ring_publish(fuzz->ring);
        must(fuzz->broken || fuzz->response->completion.completion_index == fuzz->completed);
}

static void act(Fuzz *fuzz) {
        switch (take_byte(fuzz) % 10) {
        case 0:
                put_descriptor(fuzz);
                return;
        case 1:
                put_fair_descriptor(fuzz);
                return;
        case 2:
                jump(fuzz, &fuzz->request->submit.submit_index);
                return;
        case 3:
                jump(fuzz, &fuzz->request->reap.completion_consumed);
                return;
        case 4:
                fuzz->request->submit.submit_index++;
                return;
        case 5:
                fuzz->request->reap.completion_consumed++;
                return;
        case 6:
                scribble(fuzz);
                return;
        case 7:
                fetch(fuzz);
                return;
        case 8:
                publish(fuzz);
                return;
        default:
                must(ring_pending(fuzz->ring) <= fuzz->response->layout.entries);
                (void)ring_rest(fuzz->ring);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Fuzz fuzz = { .data = data, .size = size };
        void *request, *response;
        RingFds fds;

        /* The first byte says how near the indices are to their wrap. */
        fuzz.completed = 0u - take_byte(&fuzz) % 8;
        must(ring_new_at(&fuzz.ring, &config, fuzz.completed, &fds) == 0);
        ring_mappings(fuzz.ring, &request, &response);
        fuzz.request = request;
        fuzz.response = response;
        /* On the heap, so that the address sanitizer sees every step outside. */
        fuzz.scratch = malloc(RING_SCRATCH_SIZE);
        while (fuzz.size > 0)
                act(&fuzz);
        free(fuzz.scratch);
        (void)ring_free(fuzz.ring);
        (void)close_fd(fds.request);
        (void)close_fd(fds.response);
        (void)close_fd(fds.doorbell);
        (void)close_fd(fds.wakeup);
        return 0;
}
