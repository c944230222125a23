/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One of two windows; see the header. */
#include "keys/seen.h"

#include <framekey.h>

struct Seen {
        SeenKind kind;
        ReplaySet *ivs; /* NULL: counters */
        CounterWindow counters;
};

int seen_new(Seen **ret, const SeenKind *kind) {
        _cleanup_(seen_free_p) Seen *seen = calloc(1, sizeof(*seen));
        int r;

        if (!seen)
                return -ENOMEM;
        seen->kind = *kind;
        if (kind->n_ivs > 0) {
                r = replay_new(&seen->ivs, kind->n_ivs, kind->room);
                if (r < 0)
                        return r;
        } else
                counter_window_init(&seen->counters, kind->reach, kind->start);
        *ret = take_ptr(seen);
        return 0;
}

int seen_copy(Seen **ret, const Seen *from) {
        Seen *seen;
        int r;

        r = seen_new(&seen, &from->kind);
        if (r < 0)
                return r;
        seen_merge(seen, from);
        *ret = seen;
        return 0;
}

Seen *seen_free(Seen *seen) {
        if (!seen)
                return NULL;
        replay_free(seen->ivs);
        free(seen);
        return NULL;
}

int seen_check(const Seen *seen, uint64_t number) {
        if (seen->ivs)
                return replay_seen(seen->ivs, number) ? FRAMEKEY_VERDICT_REPLAYED : 0;
        switch (counter_window_check(&seen->counters, number)) {
        case 0:
                return 0;
        case COUNTER_WINDOW_REPLAYED:
                return FRAMEKEY_VERDICT_REPLAYED;
        default:
                return FRAMEKEY_VERDICT_TOO_OLD;
        }
}

void seen_add(Seen *seen, uint64_t number) {
        if (seen->ivs)
                replay_add(seen->ivs, number);
        else
                counter_window_accept(&seen->counters, number);
}

void seen_merge(Seen *seen, const Seen *from) {
        if (seen->ivs)
                replay_merge(seen->ivs, from->ivs);
        else
                counter_window_merge(&seen->counters, &from->counters);
}

const ReplaySet *seen_ivs(const Seen *seen) {
        return seen->ivs;
}
