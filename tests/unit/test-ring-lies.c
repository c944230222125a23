/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a client that lies in an index or in a descriptor. */
#include "ring-fixture.h"

#include "runner.h"

#define METADATA_MAX FRAMEKEY_ABI_METADATA_MAX
#define RANGES_MAX   FRAMEKEY_ABI_RANGES_MAX

/* ---- lying indices ---- */

START_TEST(all_entries_may_wait_at_once) {
        Client client;
        Ring *ring;

        start_at(&ring, &client, &small_config, 0xfffffffc);
        for (uint32_t i = 0; i < client.layout.entries; i++)
                client_push(&client, &(struct framekey_abi_descriptor){ .slot = UINT32_MAX });
        (void)client_submit(&client);
        ck_assert_uint_eq(ring_pending(ring), client.layout.entries);
        for (uint32_t i = 0; i < client.layout.entries; i++)
                ck_assert_int_eq(serve_one(ring), RING_BAD_REQUEST);
        ck_assert_int_eq(serve_one(ring), RING_EMPTY);
        stop(ring, &client);
}
END_TEST

START_TEST(submit_index_past_the_entries_breaks_the_ring) {
        static const uint32_t lies[] = { 1, 2, 1000, 0x7fffffff, 0x80000000 };
        static const uint32_t firsts[] = { 0, 0xfffffff0, 0xffffffff };

        for (size_t f = 0; f < ELEMENTS(firsts); f++)
                for (size_t i = 0; i < ELEMENTS(lies); i++) {
                        Client client;
                        Ring *ring;

                        start_at(&ring, &client, &small_config, firsts[f]);
                        set_submit_index(&client, firsts[f] + client.layout.entries + lies[i]);
                        ck_assert_uint_eq(ring_pending(ring), 0);
                        ck_assert_msg(!ring_rest(ring), "a thread would sleep over a broken ring");
                        ck_assert_int_eq(serve_one(ring), RING_BROKEN);
                        ck_assert_int_eq(serve_one(ring), RING_BROKEN);
                        stop(ring, &client);
                }
}
END_TEST

START_TEST(submit_index_moving_backwards_breaks_the_ring) {
        static const uint32_t firsts[] = { 0, 0xfffffffe };

        for (size_t f = 0; f < ELEMENTS(firsts); f++)
                for (uint32_t back = 1; back <= 4; back++) {
                        Client client;
                        Ring *ring;

                        start_at(&ring, &client, &small_config, firsts[f]);
                        for (uint32_t i = 0; i < 4; i++)
                                client_frame(&client, i, i, 10);
                        (void)client_submit(&client);
                        ck_assert_int_eq(serve_one(ring), 0);
                        ck_assert_int_eq(serve_one(ring), 0);
                        ck_assert(!ring_rest(ring));
                        set_submit_index(&client, client.published - back);
                        ck_assert_uint_eq(ring_pending(ring), 0);
                        ck_assert(!ring_rest(ring));
                        /* What was seen first is served, or not; nothing beyond it. */
                        for (unsigned n = 0; n < 2 && serve_one(ring) == 0; n++)
                                ;
                        ck_assert_int_eq(serve_one(ring), RING_BROKEN);
                        stop(ring, &client);
                }
}
END_TEST

START_TEST(consumed_index_ahead_of_the_published_breaks_the_ring) {
        static const uint32_t ahead[] = { 1, 2, 3, 4, 5, 8, 9, 0x7fffffff, 0x80000000, 0xfffffff0 };
        static const uint32_t firsts[] = { 0, 0xfffffffd };

        for (size_t f = 0; f < ELEMENTS(firsts); f++)
                for (size_t i = 0; i < ELEMENTS(ahead); i++) {
                        Client client;
                        Ring *ring;

                        start_at(&ring, &client, &small_config, firsts[f]);
                        complete_some(ring, &client, 4, 2);
                        set_consumed(&client, firsts[f] + 2 + ahead[i]);
                        ck_assert_uint_eq(ring_pending(ring), 0);
                        ck_assert(!ring_rest(ring));
                        ck_assert_int_eq(serve_one(ring), RING_BROKEN);
                        stop(ring, &client);
                }
}
END_TEST

START_TEST(consumed_index_moving_backwards_breaks_the_ring) {
        static const uint32_t firsts[] = { 0, 0xfffffffd };

        for (size_t f = 0; f < ELEMENTS(firsts); f++) {
                Client client;
                Ring *ring;

                start_at(&ring, &client, &small_config, firsts[f]);
                complete_some(ring, &client, 4, 0);
                set_consumed(&client, firsts[f] + 3);
                ck_assert_int_eq(serve_one(ring), RING_EMPTY);
                set_consumed(&client, firsts[f] + 2);
                ck_assert_int_eq(serve_one(ring), RING_BROKEN);
                stop(ring, &client);
        }
}
END_TEST

START_TEST(full_completion_ring_takes_nothing_until_reaped) {
        struct framekey_abi_completion c;
        Client client;
        Ring *ring;
        uint32_t entries;

        start_at(&ring, &client, &small_config, 0xfffffff8);
        entries = client.layout.entries;
        for (unsigned round = 0; round < 2; round++) {
                for (uint32_t i = 0; i < entries; i++)
                        client_push(&client, &(struct framekey_abi_descriptor){ .slot = UINT32_MAX, .cookie = i });
                (void)client_submit(&client);
                if (round == 0)
                        ck_assert_int_eq(serve_all(ring), RING_EMPTY);
        }
        ck_assert_int_eq(serve_one(ring), RING_FULL);
        ck_assert_int_eq(serve_one(ring), RING_FULL);
        ck_assert_uint_eq(ring_pending(ring), 0);
        ck_assert_msg(ring_rest(ring), "a client that does not reap keeps a thread awake");
        ck_assert(client_pop(&client, &c));
        ck_assert_uint_eq(ring_pending(ring), 1);
        ck_assert(!ring_rest(ring));
        ck_assert_int_eq(serve_one(ring), RING_BAD_REQUEST);
        ck_assert_int_eq(serve_one(ring), RING_FULL);
        ck_assert_uint_eq(c.cookie, 0);
        stop(ring, &client);
}
END_TEST

/* ---- lying descriptors ---- */

/* Fetches one descriptor as the client gives it; checks that a refused one leaves no trace but its completion. */
static int fetch_one(Ring *ring, Client *client, const struct framekey_abi_descriptor *d) {
        struct framekey_abi_completion c;
        RingRequest q;
        int r;

        client_push(client, d);
        (void)client_submit(client);
        r = ring_fetch(ring, scratch, &q);
        ck_assert_uint_eq(q.cookie, d->cookie);
        ck_assert_uint_eq(q.stream, d->stream);
        ck_assert_uint_eq(q.slot, d->slot);
        if (r == RING_BAD_REQUEST) {
                ck_assert_ptr_null(q.frame);
                ck_assert_ptr_null(q.metadata);
                ck_assert_ptr_null(q.ranges);
                ck_assert_uint_eq(q.frame_len | q.clear_len | q.metadata_len | q.n_ranges | q.out_max, 0);
        } else {
                ck_assert_uint_le(q.metadata_len + q.n_ranges * 8u + q.frame_len, q.out_max);
        }
        ring_complete(ring, &q, &(RingCompletion){ .verdict = r == 0 ? 0 : VERDICT_REFUSED }, NULL);
        ring_publish(ring);
        ck_assert(client_pop(client, &c));
        ck_assert_uint_eq(c.cookie, d->cookie);
        ck_assert_uint_eq(c.slot, d->slot);
        ck_assert_uint_eq(c.frame_len, 0);
        return r;
}

START_TEST(slot_numbers_out_of_range_are_refused) {
        static const uint32_t beyond[] = { 0, 1, 100, 0x7ffffff8, 0xfffffff8 };
        Client client;
        Ring *ring;

        start(&ring, &client);
        for (uint32_t slot = 0; slot < n_slots(&client); slot++)
                ck_assert_int_eq(fetch_one(ring, &client, &(struct framekey_abi_descriptor){ .slot = slot }), 0);
        for (size_t i = 0; i < ELEMENTS(beyond); i++) {
                struct framekey_abi_descriptor d = { .slot = n_slots(&client) + beyond[i], .cookie = i };

                ck_assert_int_eq(fetch_one(ring, &client, &d), RING_BAD_REQUEST);
        }
        stop(ring, &client);
}
END_TEST

START_TEST(lengths_are_refused_one_byte_over_their_limit) {
        Client client;
        Ring *ring;

        start(&ring, &client);
        for (uint32_t slot = 0; slot < n_slots(&client); slot++) {
                const uint32_t size = slot_size(&client, slot);
                const struct {
                        uint32_t metadata, ranges, frame, clear;
                        int expected;
                } rows[] = {
                        { 0, 0, size, 0, 0 },
                        { 0, 0, size + 1, 0, RING_BAD_REQUEST },
                        { 0, 0, size, size, 0 },
                        { 0, 0, size, size + 1, RING_BAD_REQUEST },
                        { 0, 0, 0, 0, 0 },
                        { 0, 0, 0, 1, RING_BAD_REQUEST },
                        { 0, 0, 100, UINT32_MAX, RING_BAD_REQUEST },
                        { METADATA_MAX, 0, 0, 0, 0 },
                        { METADATA_MAX + 1, 0, 0, 0, RING_BAD_REQUEST },
                        { UINT16_MAX, 0, 0, 0, RING_BAD_REQUEST },
                        { 0, RANGES_MAX, 0, 0, 0 },
                        { 0, RANGES_MAX + 1, 0, 0, RING_BAD_REQUEST },
                        { 0, UINT16_MAX, 0, 0, RING_BAD_REQUEST },
                        { 1, 0, size - 1, 0, 0 },
                        { 1, 0, size, 0, RING_BAD_REQUEST },
                        { 0, 1, size - 8, 0, 0 },
                        { 0, 1, size - 7, 0, RING_BAD_REQUEST },
                        { METADATA_MAX, RANGES_MAX, size - 1024, size - 1024, 0 },
                        { METADATA_MAX, RANGES_MAX, size - 1023, 0, RING_BAD_REQUEST },
                        /* Sums that wrap to something small. */
                        { METADATA_MAX, RANGES_MAX, UINT32_MAX, 0, RING_BAD_REQUEST },
                        { METADATA_MAX, RANGES_MAX, UINT32_MAX - 1023, 0, RING_BAD_REQUEST },
                        { 0, 0, UINT32_MAX, UINT32_MAX, RING_BAD_REQUEST },
                        { 0, 0, 0x80000000, 0, RING_BAD_REQUEST },
                };

                for (size_t i = 0; i < ELEMENTS(rows); i++) {
                        struct framekey_abi_descriptor d = { .cookie = i,
                                                             .slot = slot,
                                                             .metadata_len = (uint16_t)rows[i].metadata,
                                                             .n_ranges = (uint16_t)rows[i].ranges,
                                                             .frame_len = rows[i].frame,
                                                             .clear_len = rows[i].clear };

                        ck_assert_msg(fetch_one(ring, &client, &d) == rows[i].expected, "slot %u, row %zu", slot, i);
                }
        }
        stop(ring, &client);
}
END_TEST

START_TEST(flags_are_refused_unless_known_and_meaningful) {
        static const struct {
                struct framekey_abi_descriptor d;
                int expected;
        } rows[] = {
                { { .flags = FRAMEKEY_ABI_NOTE }, 0 },
                { { .flags = FRAMEKEY_ABI_NOTE, .note = 255 }, 0 },
                { { .flags = FRAMEKEY_ABI_NOTE, .frame_len = 1 }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_NOTE, .metadata_len = 1 }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_NOTE, .n_ranges = 1 }, RING_BAD_REQUEST },
                { { .note = 1 }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_PACKET, .frame_len = 5 }, 0 },
                { { .flags = FRAMEKEY_ABI_PACKET, .frame_len = 5, .clear_len = 1 }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_PACKET | FRAMEKEY_ABI_START_CODES, .frame_len = 5 }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_START_CODES, .frame_len = 5, .clear_len = 1 }, 0 },
                { { .flags = FRAMEKEY_ABI_TRANSCRYPT, .frame_len = 5, .to_stream = UINT32_MAX }, 0 },
                { { .flags = FRAMEKEY_ABI_TRANSCRYPT, .metadata_len = 5, .to_metadata_len = 5 }, 0 },
                { { .flags = FRAMEKEY_ABI_TRANSCRYPT, .metadata_len = 5, .to_metadata_len = 6 }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_TRANSCRYPT, .n_ranges = 1 }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_TRANSCRYPT | FRAMEKEY_ABI_START_CODES }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_TRANSCRYPT | FRAMEKEY_ABI_PACKET }, RING_BAD_REQUEST },
                { { .flags = FRAMEKEY_ABI_TRANSCRYPT | FRAMEKEY_ABI_NOTE, .note = 8 }, RING_BAD_REQUEST },
                { { .metadata_len = 5, .to_metadata_len = 1 }, RING_BAD_REQUEST },
        };
        Client client;
        Ring *ring;

        start(&ring, &client);
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                ck_assert_msg(fetch_one(ring, &client, &rows[i].d) == rows[i].expected, "row %zu", i);
        for (unsigned bit = 4; bit < 16; bit++)
                ck_assert_int_eq(
                        fetch_one(ring, &client, &(struct framekey_abi_descriptor){ .flags = (uint16_t)(1u << bit) }),
                        RING_BAD_REQUEST);
        stop(ring, &client);
}
END_TEST

START_TEST(descriptor_is_not_read_again_after_the_fetch) {
        RingRequest q;
        Client client;
        Ring *ring;

        start(&ring, &client);
        client_frame(&client, 0, 7, 100);
        (void)client_submit(&client);
        ck_assert_int_eq(ring_fetch(ring, scratch, &q), 0);
        memset(descriptor_at(&client, 0), 0xff, 64);
        memset(slot_in(&client, 0), 0xff, 2048);
        ck_assert_uint_eq(q.frame_len, 100);
        for (uint32_t i = 0; i < 100; i++)
                ck_assert_uint_eq(q.frame[i], pattern(7, i));
        answer(ring, &q);
        ring_publish(ring);
        ck_assert_uint_eq(completion_at(&client, 0)->cookie, 7);
        ck_assert_uint_eq(completion_at(&client, 0)->slot, 0);
        stop(ring, &client);
}
END_TEST

START_TEST(slot_whose_completion_is_not_reaped_is_refused) {
        struct framekey_abi_completion c;
        Client client;
        Ring *ring;

        start(&ring, &client);
        client_frame(&client, 0, 1, 100);
        (void)client_submit(&client);
        ck_assert_int_eq(serve_one(ring), 0);
        client_frame(&client, 0, 2, 200);
        client_frame(&client, 1, 3, 300);
        (void)client_submit(&client);
        ck_assert_int_eq(serve_one(ring), RING_BAD_REQUEST);
        ck_assert_int_eq(serve_one(ring), 0);
        ring_publish(ring);
        client_frame(&client, 0, 4, 200);
        (void)client_submit(&client);
        ck_assert_int_eq(serve_all(ring), RING_EMPTY);

        /* Two refusals, and the bytes delivered first are still there. */
        for (uint64_t cookie = 1; cookie <= 4; cookie++) {
                ck_assert(client_pop(&client, &c));
                ck_assert_uint_eq(c.cookie, cookie);
                ck_assert_int_eq(c.verdict, cookie % 2 ? 0 : VERDICT_REFUSED);
        }
        ck_assert_uint_eq(slot_out(&client, 0)[99], TURNED(pattern(1, 99)));
        ck_assert_uint_eq(slot_out(&client, 0)[100], 0);
        round_trip(ring, &client, 0, 5, 100);
        stop(ring, &client);
}
END_TEST

RUN_TESTS("ring-lies", all_entries_may_wait_at_once, submit_index_past_the_entries_breaks_the_ring,
          submit_index_moving_backwards_breaks_the_ring, consumed_index_ahead_of_the_published_breaks_the_ring,
          consumed_index_moving_backwards_breaks_the_ring, full_completion_ring_takes_nothing_until_reaped,
          slot_numbers_out_of_range_are_refused, lengths_are_refused_one_byte_over_their_limit,
          flags_are_refused_unless_known_and_meaningful, descriptor_is_not_read_again_after_the_fetch,
          slot_whose_completion_is_not_reaped_is_refused)
