/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where what lies in a channel's regions, see ring-layout.h. */
#include "channel/ring-layout.h"

#include "channel/ring-doorbell.h"

static const uint32_t slot_sizes[RING_CLASSES] = {
        FRAMEKEY_ABI_SLOT_SMALL,
        FRAMEKEY_ABI_SLOT_VIDEO,
        FRAMEKEY_ABI_SLOT_JUMBO,
};

/* Smallest power of two above the number of slots: a client that keeps to one frame a slot can
 * fill neither the descriptors nor the completions. */
static uint32_t entries_for(uint32_t n_slots) {
        uint32_t entries = 2;

        while (entries <= n_slots)
                entries *= 2;
        return entries;
}

/* All sums fit: 1023 of the largest slots are 1.01 GiB. */
int ring_layout_init(struct framekey_abi_layout *layout, const RingConfig *config) {
        uint32_t n_slots = 0;
        uint32_t in, out;

        for (unsigned c = 0; c < RING_CLASSES; c++) {
                if (config->n_slots[c] >= FRAMEKEY_ABI_ENTRIES_MAX)
                        return -EINVAL;
                n_slots += config->n_slots[c];
        }
        if (n_slots < 1 || n_slots >= FRAMEKEY_ABI_ENTRIES_MAX)
                return -EINVAL;
        if (config->n_streams < 1 || config->n_streams > FRAMEKEY_ABI_STREAMS_MAX)
                return -EINVAL;

        *layout = (struct framekey_abi_layout){
                .magic = FRAMEKEY_ABI_MAGIC,
                .version = FRAMEKEY_ABI_VERSION,
                .entries = entries_for(n_slots),
                .n_streams = config->n_streams,
                .descriptor_offset = FRAMEKEY_ABI_HEADER_SIZE,
                .completion_offset = FRAMEKEY_ABI_HEADER_SIZE,
        };
        in = FRAMEKEY_ABI_HEADER_SIZE + layout->entries * RING_DESCRIPTOR_SIZE;
        layout->stream_offset = FRAMEKEY_ABI_HEADER_SIZE + layout->entries * FRAMEKEY_ABI_LINE;
        out = layout->stream_offset + layout->n_streams * FRAMEKEY_ABI_LINE;
        for (unsigned c = 0; c < RING_CLASSES; c++) {
                layout->n_slots[c] = config->n_slots[c];
                layout->slot_size[c] = slot_sizes[c];
                layout->in_offset[c] = in;
                layout->out_offset[c] = out;
                in += config->n_slots[c] * slot_sizes[c];
                out += config->n_slots[c] * slot_sizes[c];
        }
        layout->request_size = in;
        layout->response_size = out;
        return 0;
}

uint64_t ring_size(const RingConfig *config) {
        struct framekey_abi_layout layout;

        if (ring_layout_init(&layout, config) < 0)
                return 0;
        return (uint64_t)layout.request_size + layout.response_size + WAKEUP_COST;
}
