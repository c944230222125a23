/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where replay windows hang: one for each (channel, participant, generation), shared by that
 * channel's streams, so that a recorder beside a player sees no replays, however far it is behind. A
 * new channel starts from all that was accepted before it was there, on living channels and on dead
 * ones, so reconnecting opens nothing.
 */
#include "keys/session-internal.h"

static struct Window *find(const WindowGroup *group, uint64_t generation) {
        for (size_t i = 0; i < group->n; i++)
                if (group->windows[i].generation == generation)
                        return &group->windows[i];
        return NULL;
}

static Generation *find_generation(const Participant *participant, uint32_t ring_size, uint64_t id) {
        for (uint32_t i = 0; i < ring_size; i++) {
                KeySlot *slot = &participant->slots[i];

                if (slot->current && slot->current->id == id)
                        return slot->current;
                for (Generation *previous = slot->previous; previous; previous = previous->next)
                        if (previous->id == id)
                                return previous;
        }
        return NULL;
}

/* Room for one more. */
static int group_reserve(WindowGroup *group) {
        size_t allocated = group->allocated ? group->allocated * 2 : 2;
        struct Window *windows;

        if (group->n < group->allocated)
                return 0;
        windows = reallocarray(group->windows, allocated, sizeof(*windows));
        if (!windows)
                return -ENOMEM;
        group->windows = windows;
        group->allocated = allocated;
        return 0;
}

/* A window that has accepted what `from` has, or a further one's frames into the one that is there. */
static int group_take(WindowGroup *group, uint64_t generation, const Seen *from) {
        struct Window *window = find(group, generation);
        int r;

        if (window) {
                seen_merge(window->seen, from);
                return 0;
        }
        r = group_reserve(group);
        if (r < 0)
                return r;
        window = &group->windows[group->n];
        r = seen_copy(&window->seen, from);
        if (r < 0)
                return r;
        window->generation = generation;
        group->n++;
        return 0;
}

static WindowGroup *group_free(WindowGroup *group) {
        for (size_t i = 0; i < group->n; i++)
                seen_free(group->windows[i].seen);
        free(group->windows);
        free(group);
        return NULL;
}

static int take_generation(WindowGroup *group, const Generation *generation) {
        return generation->merged ? group_take(group, generation->id, generation->merged) : 0;
}

/* All that was accepted by now. */
static int group_start(WindowGroup *group, const Participant *participant, uint32_t ring_size) {
        int r = 0;

        for (uint32_t i = 0; i < ring_size && r >= 0; i++) {
                const KeySlot *slot = &participant->slots[i];

                if (slot->current)
                        r = take_generation(group, slot->current);
                for (const Generation *previous = slot->previous; previous && r >= 0; previous = previous->next)
                        r = take_generation(group, previous);
        }
        for (const WindowGroup *other = participant->groups; other; other = other->next)
                for (size_t i = 0; i < other->n && r >= 0; i++)
                        r = group_take(group, other->windows[i].generation, other->windows[i].seen);
        return r;
}

int window_group_get(Participant *participant, const void *channel, uint32_t ring_size, WindowGroup **ret) {
        WindowGroup *group;
        int r;

        for (group = participant->groups; group; group = group->next)
                if (group->channel == channel) {
                        group->n_refs++;
                        *ret = group;
                        return 0;
                }

        group = calloc(1, sizeof(*group));
        if (!group)
                return -ENOMEM;
        r = group_start(group, participant, ring_size);
        if (r < 0) {
                group_free(group);
                return r;
        }
        group->channel = channel;
        group->n_refs = 1;
        group->next = participant->groups;
        participant->groups = group;
        *ret = group;
        return 0;
}

/* What a dying group knows goes to the generation, where the next group finds it. */
static void keep(Participant *participant, uint32_t ring_size, struct Window *window) {
        Generation *generation = find_generation(participant, ring_size, window->generation);

        if (generation && !generation->merged)
                generation->merged = take_ptr(window->seen);
        else if (generation)
                seen_merge(generation->merged, window->seen);
        window->seen = seen_free(window->seen);
}

void window_group_put(Participant *participant, WindowGroup *group, uint32_t ring_size) {
        WindowGroup **link = &participant->groups;

        if (!group || --group->n_refs > 0)
                return;
        while (*link != group)
                link = &(*link)->next;
        *link = group->next;

        for (size_t i = 0; i < group->n; i++)
                keep(participant, ring_size, &group->windows[i]);
        group_free(group);
}

int window_check(const WindowGroup *group, const Generation *generation, uint64_t number) {
        const struct Window *window = find(group, generation->id);

        return window ? seen_check(window->seen, number) : 0;
}

int window_add(WindowGroup *group, const Generation *generation, const SeenKind *kind, uint64_t number) {
        struct Window *window = find(group, generation->id);
        int r;

        if (!window) {
                r = group_reserve(group);
                if (r < 0)
                        return r;
                window = &group->windows[group->n];
                r = seen_new(&window->seen, kind);
                if (r < 0)
                        return r;
                window->generation = generation->id;
                group->n++;
        }
        seen_add(window->seen, number);
        return 0;
}

void window_collect_ivs(const Participant *participant, const Generation *generation, ReplaySet *into) {
        if (generation->merged)
                replay_merge(into, seen_ivs(generation->merged));
        for (const WindowGroup *group = participant->groups; group; group = group->next) {
                const struct Window *window = find(group, generation->id);

                if (window)
                        replay_merge(into, seen_ivs(window->seen));
        }
}

void window_drop(Participant *participant, Generation *generation) {
        for (WindowGroup *group = participant->groups; group; group = group->next) {
                struct Window *window = find(group, generation->id);

                if (!window)
                        continue;
                seen_free(window->seen);
                *window = group->windows[--group->n];
        }
}
