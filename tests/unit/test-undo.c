/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Turns of changes to a piece of memory, by a process that dies behind any of its instructions. */
#include "state/undo.h"

#include "runner.h"
#include "step-killer.h"

#include <sys/mman.h>

#define TURNS 4u
#define NOTES 3u

/* Each turn adds its number to these, and then commits it. */
typedef struct State {
        uint64_t committed;
        uint8_t small[3];
        uint64_t words[NOTES];
        uint8_t large[500];
        UndoLog log;
} State;

static Undo undo_of(State *state) {
        return (Undo){ .log = &state->log, .state = (uint8_t *)state, .state_size = sizeof(*state) };
}

static State *state_new(void) {
        State *state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(state, MAP_FAILED);
        return state;
}

static void state_free(State *state) {
        ck_assert_int_eq(munmap(state, sizeof(*state)), 0);
}

static void change(State *state, Undo *undo, uint64_t turn) {
        for (size_t i = 0; i < NOTES; i++) {
                (void)undo_note(undo, &state->words[i], sizeof(state->words[i]));
                state->words[i] += turn;
        }
        (void)undo_note(undo, &state->words[0], sizeof(state->words[0])); /* once more */
        state->words[0] += turn;
        (void)undo_note(undo, state->small, sizeof(state->small));
        memset(state->small, (int)turn, sizeof(state->small));
        (void)undo_note(undo, state->large, sizeof(state->large));
        memset(state->large, (int)turn, sizeof(state->large));
}

static void check_whole(const State *state, uint64_t turns) {
        uint64_t sum = turns * (turns + 1) / 2;

        ck_assert_uint_eq(state->committed, turns);
        ck_assert_uint_eq(state->words[0], 2 * sum);
        for (size_t i = 1; i < NOTES; i++)
                ck_assert_uint_eq(state->words[i], sum);
        for (size_t i = 0; i < sizeof(state->small); i++)
                ck_assert_uint_eq(state->small[i], turns);
        for (size_t i = 0; i < sizeof(state->large); i++)
                ck_assert_uint_eq(state->large[i], turns);
        ck_assert_uint_eq(state->log.n, 0);
}

static void take_turns(void *argument) {
        State *state = argument;
        Undo undo = undo_of(state);

        for (uint64_t turn = 1; turn <= TURNS; turn++) {
                change(state, &undo, turn);
                undo_commit(&undo, &state->committed, turn);
        }
}

static void recover(void *argument) {
        Undo undo = undo_of(argument);

        (void)undo_recover(&undo);
}

START_TEST(a_turn_holds_whole_or_not_at_all) {
        static State found;
        Undo undo = undo_of(&found);
        uint64_t turns = 0;
        bool more = true;
        State *state;
        pid_t child;

        if (!can_step())
                return;
        state = state_new();
        child = step_start(take_turns, state);
        while (more) {
                more = step_once(child);
                found = *state; /* as a death here would leave it */
                ck_assert_int_eq(undo_recover(&undo), 0);
                ck_assert_uint_ge(found.committed, turns); /* which is never taken back */
                turns = found.committed;
                check_whole(&found, turns);
        }
        ck_assert_uint_eq(turns, TURNS);
        step_kill(child);
        state_free(state);
}
END_TEST

START_TEST(recovery_can_be_cut_off_and_repeated) {
        unsigned long n_steps;
        uint64_t seed = 1;
        State *state;

        if (!can_step())
                return;
        state = state_new();
        n_steps = kill_after(take_turns, state, NEVER);
        for (unsigned i = 0; i < 40; i++) {
                Undo undo = undo_of(state);

                memset(state, 0, sizeof(*state));
                (void)kill_after(take_turns, state, random_below(&seed, n_steps));
                for (unsigned deaths = 0; deaths < 3; deaths++)
                        (void)kill_after(recover, state, random_below(&seed, 300));
                ck_assert_int_eq(undo_recover(&undo), 0);
                check_whole(state, state->committed);
        }
        state_free(state);
}
END_TEST

START_TEST(what_has_no_room_is_not_noted) {
        State *state = state_new();
        Undo undo = undo_of(state);
        size_t n = 0;

        ck_assert(undo_has_room(&undo));
        while (undo_note(&undo, state->large, sizeof(state->large)) == 0) {
                memset(state->large, (int)++n, sizeof(state->large));
                ck_assert_uint_le(n, UNDO_BYTES / sizeof(state->large));
        }
        ck_assert_int_eq(undo_note(&undo, state->large, sizeof(state->large)), -ENOSPC);
        ck_assert(!undo_has_room(&undo));
        ck_assert_int_eq(undo_recover(&undo), 0);
        check_whole(state, 0);
        ck_assert(undo_has_room(&undo));
        state_free(state);
}
END_TEST

START_TEST(without_a_log_nothing_is_noted) {
        uint64_t word = 1;

        ck_assert_int_eq(undo_note(NULL, &word, sizeof(word)), 0);
        ck_assert(undo_has_room(NULL));
}
END_TEST

/* As found in memory that somebody else wrote. */
START_TEST(a_log_that_does_not_hold_is_refused_untouched) {
        static uint8_t before[sizeof(State)];
        State *state = state_new();
        Undo undo = undo_of(state);
        uint64_t seed = 7;

        for (unsigned i = 0; i < 2000; i++) {
                memset(state, 0, sizeof(*state));
                change(state, &undo, 1);
                for (unsigned k = 0; k < 8; k++) /* lengths and places of notes among them */
                        state->log.notes[random_below(&seed, state->log.n)] ^= 1u << random_below(&seed, 8);
                if (i % 3 == 0)
                        state->log.n = random_below(&seed, 2 * UNDO_BYTES);
                if (i % 7 == 0) {
                        state->log.n = UINT64_MAX;
                        state->log.place = sizeof(*state) - random_below(&seed, 16) + random_below(&seed, 2) * 8;
                }
                memcpy(before, state, sizeof(*state));
                if (undo_recover(&undo) != 0)
                        ck_assert(memcmp(before, (const uint8_t *)state, sizeof(*state)) == 0);
        }
        state_free(state);
}
END_TEST

RUN_TESTS("undo", a_turn_holds_whole_or_not_at_all, recovery_can_be_cut_off_and_repeated, what_has_no_room_is_not_noted,
          without_a_log_nothing_is_noted, a_log_that_does_not_hold_is_refused_untouched)
