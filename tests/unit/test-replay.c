/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The replay window against a plain list that does the same slowly. */
#include "keys/replay.h"
#include "runner.h"

#define LIMIT 512u

static uint64_t random_state = 1;

static uint64_t random_tag(void) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        return random_state >> 20;
}

START_TEST(window_agrees_with_a_list_over_many_evictions) {
        uint64_t list[LIMIT];
        size_t n = 0, head = 0;
        ReplaySet *set;

        ck_assert_int_eq(replay_new(&set, LIMIT, NULL), 0);
        for (int i = 0; i < 20000; i++) {
                /* A small range, so that repeats are common. */
                uint64_t tag = random_tag() % 1200;
                bool known = false;

                for (size_t k = 0; k < n; k++)
                        known |= list[(head + k) % LIMIT] == tag;
                ck_assert_int_eq(replay_seen(set, tag), known);
                if (known)
                        continue;
                replay_add(set, tag);
                if (n == LIMIT)
                        head = (head + 1) % LIMIT;
                else
                        n++;
                list[(head + n - 1) % LIMIT] = tag;
                ck_assert_uint_eq(replay_count(set), n);
        }
        replay_free(set);
}
END_TEST

START_TEST(window_grows_to_its_limit_and_forgets_the_oldest_first) {
        ReplaySet *set;

        ck_assert_int_eq(replay_new(&set, LIMIT, NULL), 0);
        for (uint64_t i = 0; i < LIMIT; i++)
                replay_add(set, i);
        for (uint64_t i = 0; i < LIMIT; i++)
                ck_assert(replay_seen(set, i));
        replay_add(set, LIMIT);
        ck_assert(!replay_seen(set, 0));
        ck_assert(replay_seen(set, 1));
        ck_assert_uint_eq(replay_count(set), LIMIT);
        replay_free(set);
}
END_TEST

START_TEST(merge_adds_what_is_missing_once) {
        ReplaySet *a, *b;

        ck_assert_int_eq(replay_new(&a, LIMIT, NULL), 0);
        ck_assert_int_eq(replay_new(&b, LIMIT, NULL), 0);
        for (uint64_t i = 0; i < 100; i++)
                replay_add(a, i);
        for (uint64_t i = 50; i < 150; i++)
                replay_add(b, i);
        replay_merge(a, b);
        ck_assert_uint_eq(replay_count(a), 150);
        for (uint64_t i = 0; i < 150; i++)
                ck_assert(replay_seen(a, i));
        replay_free(a);
        replay_free(b);
}
END_TEST

START_TEST(sets_share_their_room_and_give_it_back) {
        size_t room = 10000; /* 3072 bytes more take one set from 256 to 512 */
        ReplaySet *a, *b;

        ck_assert_int_eq(replay_new(&a, 4096, &room), 0);
        ck_assert_int_eq(replay_new(&b, 4096, &room), 0);
        for (uint64_t i = 0; i < 5000; i++)
                replay_add(a, i);
        ck_assert_uint_eq(replay_count(a), 1024);
        ck_assert_uint_eq(room, 784);
        for (uint64_t i = 0; i < 5000; i++)
                replay_add(b, i);
        ck_assert_uint_eq(replay_count(b), 256);
        ck_assert(replay_seen(b, 4999) && replay_seen(b, 4744) && !replay_seen(b, 4743));
        replay_free(a);
        ck_assert_uint_eq(room, 10000);
        replay_free(b);
        ck_assert_uint_eq(room, 10000);
}
END_TEST

START_TEST(limits_are_checked) {
        ReplaySet *set;

        ck_assert_int_eq(replay_new(&set, 128, NULL), -EINVAL);
        ck_assert_int_eq(replay_new(&set, 300, NULL), -EINVAL);
        ck_assert_int_eq(replay_new(&set, 65536, NULL), -EINVAL);
        ck_assert_int_eq(replay_new(&set, 256, NULL), 0);
        replay_free(set);
        ck_assert_int_eq(replay_new(&set, 32768, NULL), 0);
        replay_free(set);
        ck_assert_ptr_null(replay_free(NULL));
}
END_TEST

START_TEST(tag_is_the_low_half_of_the_iv) {
        uint8_t iv[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, other[12];

        memcpy(other, iv, 12);
        other[0] ^= 1;
        ck_assert_uint_eq(replay_tag(iv), replay_tag(other));
        for (int i = 4; i < 12; i++) {
                memcpy(other, iv, 12);
                other[i] ^= 1;
                ck_assert_uint_ne(replay_tag(iv), replay_tag(other));
        }
}
END_TEST

RUN_TESTS("replay", window_agrees_with_a_list_over_many_evictions,
          window_grows_to_its_limit_and_forgets_the_oldest_first, merge_adds_what_is_missing_once, limits_are_checked,
          sets_share_their_room_and_give_it_back, tag_is_the_low_half_of_the_iv)
