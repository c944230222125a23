/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of a ring that is kept, see ring-state.h. */
#include "channel/ring-state.h"

#include "channel/ring-layout.h"

#define VERSION 1u

size_t ring_state_size(const RingConfig *config) {
        struct framekey_abi_layout layout;

        if (ring_layout_init(&layout, config) < 0)
                return 0;
        return sizeof(RingState) + layout.entries * sizeof(uint16_t);
}

void ring_state_init(RingState *state, const RingConfig *config, uint32_t first_index) {
        *state = (RingState){
                .version = VERSION,
                .epoch = RING_EPOCH_FIRST,
                .n_streams = config->n_streams,
                .same_uid = config->same_uid,
                .done = first_index,
        };
        memcpy(state->n_slots, config->n_slots, sizeof(state->n_slots));
}

int ring_state_config(RingState *state, RingConfig *ret) {
        RingConfig config = { .state = state, .n_streams = state->n_streams, .same_uid = state->same_uid };

        memcpy(config.n_slots, state->n_slots, sizeof(config.n_slots));
        if (state->version != VERSION || state->same_uid > 1 || state->done > UINT32_MAX || ring_size(&config) == 0)
                return -EBADMSG;
        *ret = config;
        return 0;
}
