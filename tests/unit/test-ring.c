/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring between one thread of an honest client and one of the daemon. */
#include "ring-fixture.h"

#include "runner.h"

/* ---- honest clients ---- */

START_TEST(layout_holds_everything_without_overlap) {
        static const RingConfig configs[] = {
                { .n_slots = { 1, 0, 0 }, .n_streams = 1 },       { .n_slots = { 0, 0, 1 }, .n_streams = 4096 },
                { .n_slots = { 32, 8, 1 }, .n_streams = 64 },     { .n_slots = { 5, 2, 1 }, .n_streams = 3 },
                { .n_slots = { 1020, 2, 1 }, .n_streams = 4096 },
        };

        for (size_t i = 0; i < ELEMENTS(configs); i++) {
                const struct framekey_abi_layout *l;
                uint32_t in, out;
                Client client;
                Ring *ring;

                start_at(&ring, &client, &configs[i], 0);
                l = &client.layout;
                ck_assert_uint_eq(l->magic, FRAMEKEY_ABI_MAGIC);
                ck_assert_uint_eq(l->version, FRAMEKEY_ABI_VERSION);
                ck_assert_uint_eq(l->n_streams, configs[i].n_streams);
                ck_assert_uint_eq(l->entries & (l->entries - 1), 0);
                ck_assert_uint_gt(l->entries, n_slots(&client));
                ck_assert_uint_le(l->entries, FRAMEKEY_ABI_ENTRIES_MAX);
                in = l->descriptor_offset + l->entries * 64;
                ck_assert_uint_ge(l->descriptor_offset, FRAMEKEY_ABI_HEADER_SIZE);
                ck_assert_uint_ge(l->completion_offset, FRAMEKEY_ABI_HEADER_SIZE);
                ck_assert_uint_ge(l->stream_offset, l->completion_offset + l->entries * 64);
                out = l->stream_offset + l->n_streams * 64;
                for (unsigned c = 0; c < FRAMEKEY_ABI_CLASSES; c++) {
                        ck_assert_uint_eq(l->n_slots[c], configs[i].n_slots[c]);
                        ck_assert_uint_ge(l->in_offset[c], in);
                        ck_assert_uint_ge(l->out_offset[c], out);
                        in = l->in_offset[c] + l->n_slots[c] * l->slot_size[c];
                        out = l->out_offset[c] + l->n_slots[c] * l->slot_size[c];
                }
                ck_assert_uint_eq(l->request_size, in);
                ck_assert_uint_eq(l->response_size, out);
                ck_assert_uint_ge(ring_size(&configs[i]), (uint64_t)in + out);
                stop(ring, &client);
        }
}
END_TEST

START_TEST(configurations_beyond_the_limits_are_refused) {
        static const RingConfig configs[] = {
                { .n_slots = { 0, 0, 0 }, .n_streams = 1 },
                { .n_slots = { 1024, 0, 0 }, .n_streams = 1 },
                { .n_slots = { 1000, 23, 1 }, .n_streams = 1 },
                { .n_slots = { 1, 0, 0 }, .n_streams = 4097 },
                { .n_slots = { 1, 0, 0 }, .n_streams = 0 },
                { .n_slots = { UINT32_MAX, 2, 0 }, .n_streams = 1 },
                { .n_slots = { 1u << 31, 1u << 31, 1 }, .n_streams = 1 },
        };
        RingFds fds;
        Ring *ring;

        for (size_t i = 0; i < ELEMENTS(configs); i++) {
                ck_assert_int_eq(ring_new(&ring, &configs[i], &fds), -EINVAL);
                ck_assert_uint_eq(ring_size(&configs[i]), 0);
        }
}
END_TEST

START_TEST(frames_of_every_length_and_class_come_back) {
        static const uint32_t lengths[] = { 0,
                                            1,
                                            15,
                                            64,
                                            1200,
                                            2047,
                                            2048,
                                            2049,
                                            4096,
                                            65535,
                                            65536,
                                            65537,
                                            1u << 20,
                                            (1u << 20) + 8191,
                                            (1u << 20) + 8192 };
        uint64_t cookie = 1;
        Client client;
        Ring *ring;

        start(&ring, &client);
        for (uint32_t slot = 0; slot < n_slots(&client); slot++)
                for (size_t i = 0; i < ELEMENTS(lengths); i++)
                        if (lengths[i] <= slot_size(&client, slot))
                                round_trip(ring, &client, slot, cookie++, lengths[i]);
        stop(ring, &client);
}
END_TEST

START_TEST(request_is_taken_apart_as_described) {
        struct framekey_abi_descriptor d = {
                .cookie = UINT64_C(0xfedcba9876543210),
                .stream = UINT32_MAX,
                .slot = 4,
                .frame_len = 1000,
                .clear_len = 10,
                .metadata_len = 511,
                .n_ranges = 63,
                .flags = FRAMEKEY_ABI_START_CODES,
                .frame_type = 200,
                .ssrc = 0x11223344,
                .rtp_timestamp = 0x55667788,
        };
        RingRequest q;
        Client client;
        Ring *ring;

        start(&ring, &client);
        fill(&client, 4, 9, 511 + 63 * 8 + 1000);
        client_push(&client, &d);
        (void)client_submit(&client);
        ck_assert_int_eq(ring_fetch(ring, scratch, &q), 0);
        ck_assert_uint_eq(q.cookie, d.cookie);
        ck_assert_uint_eq(q.stream, d.stream);
        ck_assert_uint_eq(q.slot, 4);
        ck_assert_uint_eq(q.flags, RING_REQUEST_START_CODES);
        ck_assert_uint_eq(q.frame_type, 200);
        ck_assert_uint_eq(q.ssrc, d.ssrc);
        ck_assert_uint_eq(q.rtp_timestamp, d.rtp_timestamp);
        ck_assert_uint_eq(q.metadata_len, 511);
        ck_assert_uint_eq(q.n_ranges, 63);
        ck_assert_uint_eq(q.frame_len, 1000);
        ck_assert_uint_eq(q.clear_len, 10);
        ck_assert_uint_eq(q.out_max, FRAMEKEY_ABI_SLOT_VIDEO);
        ck_assert_uint_eq(q.metadata[510], pattern(9, 510));
        ck_assert_uint_eq(q.ranges[0], pattern(9, 511));
        ck_assert_uint_eq(q.ranges[63 * 8 - 1], pattern(9, 511 + 63 * 8 - 1));
        ck_assert_uint_eq(q.frame[0], pattern(9, 511 + 63 * 8));
        ck_assert_uint_eq(q.frame[999], pattern(9, 511 + 63 * 8 + 999));
        answer(ring, &q);
        stop(ring, &client);
}
END_TEST

START_TEST(completion_carries_what_the_daemon_gives) {
        RingCompletion given = { .verdict = -90, .clear_len = 7, .step = 8, .flags = 9, .key_index = 65535 };
        struct framekey_abi_completion c;
        RingRequest q;
        Client client;
        Ring *ring;

        start(&ring, &client);
        client_frame(&client, 0, 1, 50);
        (void)client_submit(&client);
        ck_assert_int_eq(ring_fetch(ring, scratch, &q), 0);
        ring_complete(ring, &q, &given, NULL);
        ck_assert_msg(!client_pop(&client, &c), "visible before it was published");
        ring_publish(ring);
        ck_assert(client_pop(&client, &c));
        ck_assert_int_eq(c.verdict, -90);
        ck_assert_uint_eq(c.frame_len, 0);
        ck_assert_uint_eq(c.clear_len, 7);
        ck_assert_uint_eq(c.step, 8);
        ck_assert_uint_eq(c.flags, 9);
        ck_assert_uint_eq(c.key_index, 65535);
        stop(ring, &client);
}
END_TEST

START_TEST(completion_writes_no_byte_beyond_its_frame) {
        uint8_t *before;
        Client client;
        Ring *ring;
        size_t size, at;

        start(&ring, &client);
        size = client.layout.response_size;
        before = malloc(size);
        ck_assert_ptr_nonnull(before);
        client_frame(&client, 1, 5, 100);
        (void)client_submit(&client);
        memcpy(before, client.response, size);
        ck_assert_int_eq(serve_one(ring), 0);
        at = (size_t)(slot_out(&client, 1) - (const uint8_t *)client.response);
        for (size_t i = client.layout.stream_offset; i < size; i++)
                if (i < at || i >= at + 100)
                        ck_assert_uint_eq(before[i], ((const uint8_t *)client.response)[i]);
        free(before);
        stop(ring, &client);
}
END_TEST

START_TEST(indices_run_through_their_wrap) {
        static const uint32_t firsts[] = { 0xfffffff0, 0xffffffff, 0x7ffffff0, 0 };

        for (size_t f = 0; f < ELEMENTS(firsts); f++) {
                uint64_t cookie = 0, done = 0;
                Client client;
                Ring *ring;

                start_at(&ring, &client, &small_config, firsts[f]);
                for (unsigned round = 0; round < 60; round++) {
                        struct framekey_abi_completion c;
                        unsigned n = 1 + round % 7;

                        for (unsigned i = 0; i < n; i++, cookie++)
                                client_frame(&client, i, cookie, (uint32_t)cookie % 2048);
                        (void)client_submit(&client);
                        ck_assert_uint_eq(ring_pending(ring), n);
                        ck_assert_int_eq(serve_all(ring), RING_EMPTY);
                        for (unsigned i = 0; i < n; i++, done++) {
                                ck_assert(client_pop(&client, &c));
                                ck_assert_uint_eq(c.cookie, done);
                                ck_assert_uint_eq(c.frame_len, done % 2048);
                        }
                        ck_assert(!client_pop(&client, &c));
                        ck_assert_uint_eq(client.response->consumed.consumed_index, firsts[f] + (uint32_t)done);
                }
                ck_assert_uint_eq(done, cookie);
                stop(ring, &client);
        }
}
END_TEST

START_TEST(notes_and_packets_pass) {
        RingRequest q;
        Client client;
        Ring *ring;

        start(&ring, &client);
        client_push(&client, &(struct framekey_abi_descriptor){ .slot = 2, .flags = FRAMEKEY_ABI_NOTE, .note = 8 });
        client_push(&client, &(struct framekey_abi_descriptor){ .slot = 3, .flags = FRAMEKEY_ABI_PACKET });
        (void)client_submit(&client);
        ck_assert_int_eq(ring_fetch(ring, scratch, &q), 0);
        ck_assert_uint_eq(q.flags, RING_REQUEST_NOTE);
        ck_assert_uint_eq(q.note, 8);
        ck_assert_uint_eq(q.frame_len, 0);
        answer(ring, &q);
        ck_assert_int_eq(ring_fetch(ring, scratch, &q), 0);
        ck_assert_uint_eq(q.flags, RING_REQUEST_PACKET);
        ck_assert_uint_eq(q.frame_len, 0);
        answer(ring, &q);
        stop(ring, &client);
}
END_TEST

/* ---- waking ---- */

START_TEST(client_is_woken_when_its_wish_is_passed_and_only_then) {
        static const uint32_t firsts[] = { 0, 0xfffffff8 };

        for (size_t f = 0; f < ELEMENTS(firsts); f++)
                for (int wish = -3; wish <= 8; wish++) {
                        uint32_t first = firsts[f];
                        Client client;
                        Ring *ring;

                        start_at(&ring, &client, &small_config, first);
                        set_want(&client, first + (uint32_t)wish);
                        complete_some(ring, &client, 5, 0);
                        ck_assert_int_eq(hints(client.fds.wakeup), wish >= 0 && wish < 5);
                        ring_publish(ring);
                        ck_assert_int_eq(hints(client.fds.wakeup), wish >= 0 && wish < 5);
                        stop(ring, &client);
                }
}
END_TEST

START_TEST(first_frame_and_first_completion_ring) {
        Client client;
        Ring *ring;

        start(&ring, &client);
        client_frame(&client, 0, 1, 10);
        ck_assert(client_submit(&client));
        ck_assert_int_eq(serve_all(ring), RING_EMPTY);
        ck_assert_int_eq(hints(client.fds.wakeup), 1);
        stop(ring, &client);
}
END_TEST

START_TEST(doorbell_is_asked_for_only_while_the_daemon_rests) {
        Client client;
        Ring *ring;

        start_at(&ring, &client, &small_config, 0xfffffffe);
        ck_assert(ring_rest(ring));
        client_frame(&client, 0, 1, 10);
        ck_assert_msg(client_submit(&client), "asleep, not rung");
        client_frame(&client, 1, 2, 10);
        ck_assert_msg(!client_submit(&client), "rung already");
        ck_assert_msg(!ring_rest(ring), "slept over two frames");
        ck_assert_int_eq(serve_all(ring), RING_EMPTY);
        client_frame(&client, 2, 3, 10);
        ck_assert_msg(!client_submit(&client), "awake, but rung");
        ck_assert_msg(!ring_rest(ring), "slept over a frame");
        ck_assert_int_eq(serve_all(ring), RING_EMPTY);
        ck_assert(ring_rest(ring));
        client_frame(&client, 3, 4, 10);
        ck_assert(client_submit(&client));
        stop(ring, &client);
}
END_TEST

START_TEST(behind_a_full_completion_ring_the_next_submission_rings) {
        struct framekey_abi_completion c;
        Client client;
        Ring *ring;

        start(&ring, &client);
        for (uint32_t i = 0; i < client.layout.entries; i++)
                client_push(&client, &(struct framekey_abi_descriptor){ .slot = UINT32_MAX });
        (void)client_submit(&client);
        ck_assert_int_eq(serve_all(ring), RING_EMPTY);
        client_push(&client, &(struct framekey_abi_descriptor){ .slot = UINT32_MAX });
        (void)client_submit(&client);
        ck_assert_int_eq(serve_all(ring), RING_FULL);
        ck_assert(ring_rest(ring));
        ck_assert(client_pop(&client, &c));
        client_push(&client, &(struct framekey_abi_descriptor){ .slot = UINT32_MAX });
        ck_assert(client_submit(&client));
        ck_assert_int_eq(serve_one(ring), RING_BAD_REQUEST);
        stop(ring, &client);
}
END_TEST

/* ---- the end ---- */

START_TEST(closed_ring_says_why_and_wakes_and_serves_no_more) {
        static const RingClosed reasons[] = { RING_CLOSED_BY_OWNER, RING_CLOSED_PROTOCOL };

        for (size_t i = 0; i < ELEMENTS(reasons); i++) {
                Client client;
                Ring *ring;

                start(&ring, &client);
                client_frame(&client, 0, 1, 10);
                (void)client_submit(&client);
                set_want(&client, 1000);
                ck_assert_uint_eq(client.response->state.state, FRAMEKEY_ABI_OPEN);
                ring_close(ring, reasons[i]);
                ck_assert_int_eq(hints(client.fds.wakeup), 1);
                ck_assert_uint_eq(client.response->state.state, reasons[i]);
                ck_assert_int_eq(serve_one(ring), RING_BROKEN);
                ck_assert_uint_eq(ring_pending(ring), 0);
                ck_assert(ring_rest(ring));
                ring_close(ring, RING_CLOSED_BY_OWNER);
                ck_assert_uint_eq(client.response->state.state, reasons[i]);
                stop(ring, &client);
        }
}
END_TEST

START_TEST(freed_ring_says_closed_and_hangs_up) {
        struct pollfd pollfd;
        uint8_t byte;
        Client client;
        Ring *ring;

        start(&ring, &client);
        set_want(&client, 1000);
        ring_free(ring);
        ck_assert_uint_eq(client.response->state.state, FRAMEKEY_ABI_CLOSED);
        ck_assert_int_eq(read(client.fds.wakeup, &byte, 1), 1);
        ck_assert_int_eq(read(client.fds.wakeup, &byte, 1), 0);
        pollfd = (struct pollfd){ .fd = client.fds.wakeup };
        ck_assert_int_eq(poll(&pollfd, 1, 0), 1);
        ck_assert(pollfd.revents & POLLHUP);
        client_close(&client);
        ck_assert_ptr_null(ring_free(NULL));
}
END_TEST

START_TEST(stream_rows_show_what_was_set_under_a_new_generation) {
        const struct framekey_abi_stream *row;
        uint32_t generation, table;
        Client client;
        Ring *ring;

        start(&ring, &client);
        row = (const void *)((const uint8_t *)client.response + client.layout.stream_offset + 2 * 64);
        ck_assert_uint_eq(row->generation, 0);
        ck_assert_uint_eq(row->direction, 0);
        ring_set_stream(
                ring, 2,
                &(RingStream){ .direction = 1, .format = 2, .media = 3, .codec = 4, .overhead = 99, .flags = 6 });
        ck_assert_uint_eq(row->id, 2);
        ck_assert_uint_eq(row->direction, 1);
        ck_assert_uint_eq(row->format, 2);
        ck_assert_uint_eq(row->media, 3);
        ck_assert_uint_eq(row->codec, 4);
        ck_assert_uint_eq(row->overhead, 99);
        ck_assert_uint_eq(row->flags, 6);
        generation = row->generation;
        table = client.response->state.stream_generation;
        ck_assert_uint_eq(generation % 2, 1);
        ring_set_stream(ring, 2, &(RingStream){ 0 });
        ck_assert_uint_eq(row->direction, 0);
        ck_assert_uint_eq(row->generation % 2, 0);
        ck_assert_uint_ne(client.response->state.stream_generation, table);
        ring_set_stream(ring, 2, &(RingStream){ .direction = 2 });
        ring_set_stream(ring, 2, &(RingStream){ .direction = 1 });
        ck_assert_uint_eq(row->generation % 2, 1);
        ck_assert_uint_gt(row->generation, generation + 2);
        stop(ring, &client);
}
END_TEST

RUN_TESTS("ring", layout_holds_everything_without_overlap, configurations_beyond_the_limits_are_refused,
          frames_of_every_length_and_class_come_back, request_is_taken_apart_as_described,
          completion_carries_what_the_daemon_gives, completion_writes_no_byte_beyond_its_frame,
          indices_run_through_their_wrap, notes_and_packets_pass, client_is_woken_when_its_wish_is_passed_and_only_then,
          first_frame_and_first_completion_ring, doorbell_is_asked_for_only_while_the_daemon_rests,
          behind_a_full_completion_ring_the_next_submission_rings, closed_ring_says_why_and_wakes_and_serves_no_more,
          freed_ring_says_closed_and_hangs_up, stream_rows_show_what_was_set_under_a_new_generation)
