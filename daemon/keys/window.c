/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where replay windows hang: one for each (channel, participant, generation), shared by that
 * channel's streams, so that a recorder beside a player sees no replays. A new channel starts from
 * all that was accepted before, on living channels and on dead ones, so reconnecting opens nothing.
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

int window_group_get(Participant *participant, const void *channel, WindowGroup **ret) {
        WindowGroup *group;

        for (group = participant->groups; group; group = group->next)
                if (group->channel == channel) {
                        group->n_refs++;
                        *ret = group;
                        return 0;
                }

        group = calloc(1, sizeof(*group));
        if (!group)
                return -ENOMEM;
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
        free(group->windows);
        free(group);
}

int window_check(const Participant *participant, const WindowGroup *group, const Generation *generation,
                 uint64_t number) {
        const struct Window *window = find(group, generation->id);
        int r = 0;

        if (window)
                return seen_check(window->seen, number);
        if (generation->merged)
                r = seen_check(generation->merged, number);
        for (const WindowGroup *other = participant->groups; other && r == 0; other = other->next) {
                window = find(other, generation->id);
                if (window)
                        r = seen_check(window->seen, number);
        }
        return r;
}

static int open_window(const Participant *participant, WindowGroup *group, const Generation *generation,
                       const SeenKind *kind, struct Window **ret) {
        _cleanup_(seen_free_p) Seen *seen = NULL;
        int r;

        if (group->n == group->allocated) {
                size_t allocated = group->allocated ? group->allocated * 2 : 2;
                struct Window *windows = reallocarray(group->windows, allocated, sizeof(*windows));

                if (!windows)
                        return -ENOMEM;
                group->windows = windows;
                group->allocated = allocated;
        }
        r = seen_new(&seen, kind);
        if (r < 0)
                return r;

        if (generation->merged)
                seen_merge(seen, generation->merged);
        for (const WindowGroup *other = participant->groups; other; other = other->next) {
                const struct Window *window = find(other, generation->id);

                if (window)
                        seen_merge(seen, window->seen);
        }
        group->windows[group->n] = (struct Window){ .generation = generation->id, .seen = take_ptr(seen) };
        *ret = &group->windows[group->n++];
        return 0;
}

int window_add(const Participant *participant, WindowGroup *group, const Generation *generation, const SeenKind *kind,
               uint64_t number) {
        struct Window *window = find(group, generation->id);
        int r;

        if (!window) {
                r = open_window(participant, group, generation, kind, &window);
                if (r < 0)
                        return r;
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
