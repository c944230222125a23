/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replay window as a ring of tags in order of arrival and an open-addressing index into it.
 *
 *   tags   [t0 t1 t2 ... ]  capacity entries, `head` is the oldest
 *   index  twice as many cells, each 0 or 1 + position in the ring; linear probing
 *
 * Deleting shifts later cells of the same run back, so the index has no tombstones and a look-up
 * ends at the first empty cell.
 */
#include "keys/replay.h"

#include "util/entropy.h"

#define REPLAY_MIN 256u
#define REPLAY_MAX 32768u

struct ReplaySet {
        uint64_t *tags;
        uint16_t *cells;
        uint64_t multiplier; /* odd and secret, so that a sender cannot aim its IVs at one run of cells */
        uint32_t capacity;
        uint32_t limit;
        uint32_t head;
        uint32_t n;
        size_t *room; /* shared with others; NULL: as much as there is */
};

/* For a capacity of that many: a tag and two cells each. */
static size_t bytes_of(uint32_t capacity) {
        return capacity * (sizeof(uint64_t) + 2 * sizeof(uint16_t));
}

static uint32_t cell_mask(const ReplaySet *set) {
        return set->capacity * 2 - 1;
}

static uint32_t home_cell(const ReplaySet *set, uint64_t tag) {
        return (uint32_t)((tag * set->multiplier) >> 32) & cell_mask(set);
}

/* The cell that holds `tag`, or the empty one where it belongs. */
static uint32_t find_cell(const ReplaySet *set, uint64_t tag) {
        uint32_t c = home_cell(set, tag);

        while (set->cells[c] != 0 && set->tags[set->cells[c] - 1] != tag)
                c = (c + 1) & cell_mask(set);
        return c;
}

static void forget_cell(ReplaySet *set, uint32_t hole) {
        uint32_t mask = cell_mask(set);

        for (uint32_t c = (hole + 1) & mask; set->cells[c] != 0; c = (c + 1) & mask) {
                uint32_t home = home_cell(set, set->tags[set->cells[c] - 1]);

                /* A cell may move back to the hole only if that does not put it before its home. */
                if (((c - home) & mask) < ((c - hole) & mask))
                        continue;
                set->cells[hole] = set->cells[c];
                hole = c;
        }
        set->cells[hole] = 0;
}

static void place(ReplaySet *set, uint32_t position) {
        set->cells[find_cell(set, set->tags[position])] = (uint16_t)(position + 1);
}

/* Doubles the capacity. Failure is harmless: the set then remembers less. */
static void grow(ReplaySet *set) {
        uint32_t capacity = set->capacity * 2;
        size_t more = bytes_of(capacity) - bytes_of(set->capacity);
        uint64_t *tags;
        uint16_t *cells;

        if (set->room && *set->room < more)
                return;
        tags = malloc(capacity * sizeof(*tags));
        cells = calloc((size_t)capacity * 2, sizeof(*cells));
        if (!tags || !cells) {
                free(tags);
                free(cells);
                return;
        }
        if (set->room)
                *set->room -= more;

        for (uint32_t i = 0; i < set->n; i++)
                tags[i] = set->tags[(set->head + i) & (set->capacity - 1)];
        free(set->tags);
        free(set->cells);
        set->tags = tags;
        set->cells = cells;
        set->capacity = capacity;
        set->head = 0;
        for (uint32_t i = 0; i < set->n; i++)
                place(set, i);
}

int replay_new(ReplaySet **ret, uint32_t limit, size_t *room) {
        _cleanup_(replay_free_p) ReplaySet *set = NULL;

        if (limit < REPLAY_MIN || limit > REPLAY_MAX || (limit & (limit - 1)) != 0)
                return -EINVAL;
        set = calloc(1, sizeof(*set));
        if (!set)
                return -ENOMEM;

        set->capacity = REPLAY_MIN;
        set->limit = limit;
        set->room = room;
        set->tags = malloc(REPLAY_MIN * sizeof(*set->tags));
        set->cells = calloc((size_t)REPLAY_MIN * 2, sizeof(*set->cells));
        if (!set->tags || !set->cells)
                return -ENOMEM;
        entropy_fill(&set->multiplier, sizeof(set->multiplier));
        set->multiplier |= 1;
        *ret = take_ptr(set);
        return 0;
}

ReplaySet *replay_free(ReplaySet *set) {
        if (!set)
                return NULL;
        if (set->room)
                *set->room += bytes_of(set->capacity) - bytes_of(REPLAY_MIN);
        free(set->tags);
        free(set->cells);
        free(set);
        return NULL;
}

uint64_t replay_tag(const uint8_t iv[12]) {
        uint64_t tag;

        memcpy(&tag, iv + 4, sizeof(tag));
        return tag;
}

bool replay_seen(const ReplaySet *set, uint64_t tag) {
        return set->cells[find_cell(set, tag)] != 0;
}

void replay_add(ReplaySet *set, uint64_t tag) {
        uint32_t position;

        if (set->n == set->capacity && set->capacity < set->limit)
                grow(set);
        if (set->n == set->capacity) {
                forget_cell(set, find_cell(set, set->tags[set->head]));
                set->head = (set->head + 1) & (set->capacity - 1);
                set->n--;
        }
        position = (set->head + set->n) & (set->capacity - 1);
        set->tags[position] = tag;
        set->n++;
        place(set, position);
}

void replay_merge(ReplaySet *set, const ReplaySet *from) {
        for (uint32_t i = 0; i < from->n; i++) {
                uint64_t tag = from->tags[(from->head + i) & (from->capacity - 1)];

                if (!replay_seen(set, tag))
                        replay_add(set, tag);
        }
}

uint32_t replay_count(const ReplaySet *set) {
        return set->n;
}
