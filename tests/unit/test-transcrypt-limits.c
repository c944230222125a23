/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What transcryption does not do: pass on what is not authentic, outlive its grants, mix up metadata,
 * show the bridge a plain frame, or make data threads wait for each other for ever.
 */
#include "transcrypt-fixture.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- what may not pass ---- */

static uint64_t n_handled(const Corner *corner) {
        SessionParticipantInfo info;
        uint64_t n = 0;

        ck_assert_int_eq(session_participant_info(corner->session, corner->participant, &info), 0);
        for (size_t i = 0; i < FRAMEKEY_VERDICT_MAX; i++)
                n += info.counters.frames[i];
        return n + info.counters.failures;
}

static uint64_t n_counted(const Corner *corner, int verdict) {
        SessionParticipantInfo info;

        ck_assert_int_eq(session_participant_info(corner->session, corner->participant, &info), 0);
        return info.counters.frames[verdict];
}

START_TEST(what_is_delivered_without_being_authentic_is_not_sealed) {
        static const Kind unknown = { "not DAVE", FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, 0, NULL, 0, false };
        const Kind *opus = &kinds[OPUS];
        /* The media server's blank Opus packet is the other's silence, padded. */
        Bytes silence = { .bytes = "\xf8\xff\xfe", .len = 3 }, injected = { .len = 80 + sizeof(marker) };
        Bytes clear = plain_of(opus, 40), got;

        memcpy(injected.bytes, silence.bytes, silence.len);
        memcpy(injected.bytes + 80, marker, sizeof(marker));
        ck_assert_int_eq(open_at(&in[LK], opus, &injected, &got), FRAMEKEY_VERDICT_SERVER_INJECTED);
        ck_assert_uint_eq(got.len, 80);
        ck_assert_int_eq(session_allow_clear(in[DV].session, in[DV].participant, SESSION_CLEAR_ALL, USEC_PER_SEC), 0);
        for (size_t to = 1; to < FORMATS_END; to++) {
                expect_pass(&in[LK], &out[to], opus, &injected, FRAMEKEY_VERDICT_SERVER_INJECTED, false);
                expect_pass(&in[DV], &out[to], opus, &silence, FRAMEKEY_VERDICT_SERVER_INJECTED, false);
                expect_pass(&in[DV], &out[to], &unknown, &clear, FRAMEKEY_VERDICT_UNENCRYPTED, false);
                ck_assert_uint_eq(n_handled(&out[to]), 0);
        }
        ck_assert_uint_eq(n_counted(&in[LK], FRAMEKEY_VERDICT_SERVER_INJECTED), 1 + 5);
        ck_assert_uint_eq(n_counted(&in[DV], FRAMEKEY_VERDICT_SERVER_INJECTED), 5);
        ck_assert_uint_eq(n_counted(&in[DV], FRAMEKEY_VERDICT_UNENCRYPTED), 5);
}
END_TEST

START_TEST(nothing_stays_nothing) {
        const Bytes nothing = { .len = 0 };
        Bytes sealed, got;
        bool outgoing;

        for (size_t to = 1; to < FORMATS_END; to++) {
                expect_pass(&in[LK], &out[to], &kinds[OPUS], &nothing, FRAMEKEY_VERDICT_EMPTY, false);
                ck_assert_uint_eq(n_handled(&out[to]), 0);
        }
        /* SFrame and DAVE have frames of nothing. */
        ck_assert_int_eq(seal(&source[SF], &kinds[OPUS], &nothing, &sealed), 0);
        ck_assert_int_eq(pass(&in[SF], &out[DV], &kinds[OPUS], &sealed, &got, &outgoing), 0);
        ck_assert_int_eq(open_at(&sink[DV], &kinds[OPUS], &got, &got), 0);
        ck_assert_uint_eq(got.len, 0);
        ck_assert_int_eq(seal(&source[SF], &kinds[OPUS], &nothing, &sealed), 0);
        expect_pass(&in[SF], &out[LK], &kinds[OPUS], &sealed, FRAMEKEY_VERDICT_EMPTY, true);
}
END_TEST

START_TEST(streams_that_are_not_of_the_right_kind_are_refused) {
        const Kind *kind = &kinds[OPUS];
        Bytes plain = plain_of(kind, 100), sealed, got;
        Corner nowhere = { .stream = { 0, 4095, 4095, 4095 } };
        bool outgoing;

        ck_assert_int_eq(seal(&source[LK], kind, &plain, &sealed), 0);
        expect_pass(&in[LK], &nowhere, kind, &sealed, FRAMEKEY_VERDICT_REFUSED, false);
        expect_pass(&nowhere, &out[SF], kind, &sealed, FRAMEKEY_VERDICT_REFUSED, false);
        expect_pass(&in[LK], &sink[SF], kind, &sealed, FRAMEKEY_VERDICT_REFUSED, false);
        expect_pass(&source[LK], &out[SF], kind, &sealed, FRAMEKEY_VERDICT_REFUSED, false);
        expect_pass(&in[LK], &in[LK], kind, &sealed, FRAMEKEY_VERDICT_REFUSED, false);
        ck_assert_uint_eq(n_counted(&in[LK], FRAMEKEY_OK), 0);
        ck_assert_uint_eq(n_handled(&out[SF]), 0);
        /* The frame was not spent on that. */
        ck_assert_int_eq(pass(&in[LK], &out[SF], kind, &sealed, &got, &outgoing), 0);
        expect_pass(&in[LK], &out[SF], kind, &sealed, FRAMEKEY_VERDICT_REPLAYED, false);
        expect_pass(&in[DV], &out[SF], kind, &sealed, FRAMEKEY_VERDICT_MALFORMED, false);
        ck_assert_int_eq(seal(&source[LK], kind, &plain, &sealed), 0);
        sealed.bytes[50] ^= 1;
        expect_pass(&in[LK], &out[SF], kind, &sealed, FRAMEKEY_VERDICT_FORGED, false);
        ck_assert_uint_eq(n_handled(&out[SF]), 1);
}
END_TEST

START_TEST(both_participants_count) {
        const Kind *kind = &kinds[OPUS];
        Bytes plain = plain_of(kind, 100), sealed, got;
        bool outgoing;

        ck_assert_int_eq(seal(&source[RTK], kind, &plain, &sealed), 0);
        ck_assert_int_eq(pass(&in[RTK], &out[SF], kind, &sealed, &got, &outgoing), 0);
        ck_assert_int_eq(session_retire(out[SF].session, out[SF].participant, 1), 0);
        ck_assert_int_eq(seal(&source[RTK], kind, &plain, &sealed), 0);
        expect_pass(&in[RTK], &out[SF], kind, &sealed, FRAMEKEY_VERDICT_UNKNOWN_KEY, true);
        ck_assert_uint_eq(n_counted(&in[RTK], FRAMEKEY_OK), 2);
        ck_assert_uint_eq(n_handled(&in[RTK]), 2);
        ck_assert_uint_eq(n_counted(&out[SF], FRAMEKEY_OK), 1);
        ck_assert_uint_eq(n_counted(&out[SF], FRAMEKEY_VERDICT_UNKNOWN_KEY), 1);
        ck_assert_uint_eq(n_handled(&out[SF]), 2);
}
END_TEST

START_TEST(participants_and_sessions_go_while_the_channel_lives) {
        const Kind *kind = &kinds[OPUS];
        Bytes plain = plain_of(kind, 100), sealed, got;
        bool outgoing;

        ck_assert_int_eq(seal(&source[LK], kind, &plain, &sealed), 0);
        ck_assert_int_eq(session_remove_participant(out[SF].session, out[SF].participant), 0);
        expect_pass(&in[LK], &out[SF], kind, &sealed, FRAMEKEY_VERDICT_REFUSED, true);
        ck_assert_int_eq(seal(&source[LK], kind, &plain, &sealed), 0);
        ck_assert_int_eq(session_remove_participant(in[LK].session, in[LK].participant), 0);
        expect_pass(&in[LK], &out[DV], kind, &sealed, FRAMEKEY_VERDICT_REFUSED, false);

        corner_close(&out[SF]);
        corner_close(&in[LK]);
        ck_assert_int_eq(seal(&source[RTK], kind, &plain, &sealed), 0);
        expect_pass(&in[RTK], &out[SF], kind, &sealed, FRAMEKEY_VERDICT_REFUSED, false);
        expect_pass(&in[LK], &out[DV], kind, &sealed, FRAMEKEY_VERDICT_REFUSED, false);
        ck_assert_int_eq(pass(&in[RTK], &out[DV], kind, &sealed, &got, &outgoing), 0);
}
END_TEST

START_TEST(a_locked_daemon_transcrypts_nothing) {
        const Kind *kind = &kinds[OPUS];
        Bytes plain = plain_of(kind, 100), sealed;

        ck_assert_int_eq(seal(&source[LK], kind, &plain, &sealed), 0);
        plane_set_locked(plane, true);
        expect_pass(&in[LK], &out[SF], kind, &sealed, FRAMEKEY_VERDICT_LOCKED, false);
        plane_set_locked(plane, false);
}
END_TEST

/* ---- metadata ---- */

START_TEST(metadata_is_each_sides_own) {
        const Kind *kind = &kinds[OPUS];
        struct framekey_frame first = about(&source[SF], kind, 0), before = about(&in[SF], kind, 0);
        struct framekey_frame after = about(&out[SF], kind, 0), last = about(&sink[SF], kind, 0);
        static const uint8_t long_one[FRAMEKEY_METADATA_MAX];
        Bytes plain = plain_of(kind, 100), sealed, got;
        struct framekey_result result;

        first.metadata = "as sent";
        first.metadata_len = 7;
        after.metadata = last.metadata = "sent on";
        after.metadata_len = last.metadata_len = 7;
        ck_assert_int_eq(framekey_encrypt(client, &first, plain.bytes, plain.len, sealed.bytes, ROOM, &sealed.len, NULL,
                                          DEADLINE),
                         0);
        ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), FRAMEKEY_VERDICT_FORGED);
        ck_assert(!(result.flags & FRAMEKEY_RESULT_OUTGOING));
        before.metadata = "as sent";
        before.metadata_len = 7;
        ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), 0);
        last.metadata_len = 6;
        ck_assert_int_eq(framekey_decrypt(client, &last, got.bytes, got.len, plain.bytes, ROOM, NULL, NULL, DEADLINE),
                         FRAMEKEY_VERDICT_FORGED);
        last.metadata_len = 7;
        ck_assert_int_eq(framekey_decrypt(client, &last, got.bytes, got.len, got.bytes, ROOM, &got.len, NULL, DEADLINE),
                         0);
        ck_assert_mem_eq(got.bytes, plain.bytes, plain.len);

        before.metadata = after.metadata = long_one;
        before.metadata_len = FRAMEKEY_METADATA_MAX;
        after.metadata_len = 1;
        ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), -EINVAL);
}
END_TEST

START_TEST(metadata_for_a_format_without_any_is_unsupported) {
        const Kind *kind = &kinds[OPUS];
        struct framekey_frame before = about(&in[LK], kind, 0), after = about(&out[DV], kind, 0);
        Bytes plain = plain_of(kind, 100), sealed, got;
        struct framekey_result result;

        ck_assert_int_eq(seal(&source[LK], kind, &plain, &sealed), 0);
        before.metadata = after.metadata = "x";
        before.metadata_len = 1;
        ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), FRAMEKEY_VERDICT_UNSUPPORTED);
        ck_assert(!(result.flags & FRAMEKEY_RESULT_OUTGOING));
        before.metadata_len = 0;
        after.metadata_len = 1;
        ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), FRAMEKEY_VERDICT_UNSUPPORTED);
        ck_assert(result.flags & FRAMEKEY_RESULT_OUTGOING);
}
END_TEST

/* ---- what the bridge can see ---- */

static bool in_region(int fd, const void *bytes, size_t len) {
        struct stat st;
        void *region;
        bool found;

        ck_assert_int_eq(fstat(fd, &st), 0);
        region = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        ck_assert_ptr_ne(region, MAP_FAILED);
        found = memmem(region, (size_t)st.st_size, bytes, len) != NULL;
        ck_assert_int_eq(munmap(region, (size_t)st.st_size), 0);
        return found;
}

START_TEST(the_plain_frame_is_never_in_memory_that_is_shared_with_the_bridge) {
        const Kind *kind = &kinds[H264_KEY];
        struct framekey_frame before = about(&in[LK], kind, kind->type), after;
        Bytes plain = plain_of(kind, 300), sealed, got;
        framekey_channel *far_client;
        uint8_t *secret = plain.bytes + 100;
        size_t stream = kind->media, len = 24;
        struct framekey_result result;
        Channel *far_channel;
        uint32_t encrypt;
        RingFds far_fds;

        /* The source is no part of the bridge. */
        channel_open(home, &far_channel, &far_fds, &far_client);
        ck_assert_int_eq(channel_add_stream(far_channel, source[LK].session, source[LK].participant, FRAMEKEY_ENCRYPT,
                                            FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264, &encrypt),
                         0);
        for (size_t to = 1; to < FORMATS_END; to++) {
                struct framekey_frame frame = about(&source[LK], kind, kind->type);

                frame.stream = encrypt;
                ck_assert_int_eq(framekey_encrypt(far_client, &frame, plain.bytes, plain.len, sealed.bytes, ROOM,
                                                  &sealed.len, NULL, DEADLINE),
                                 0);
                ck_assert(in_region(far_fds.request, secret, len));
                after = about(&out[to], kind, 0);
                ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), 0);
                ck_assert(!in_region(ring_fds.request, secret, len));
                ck_assert(!in_region(ring_fds.response, secret, len));
                /* Not even after a failure. */
                after.stream = in[LK].stream[stream];
                ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), FRAMEKEY_VERDICT_REFUSED);
                ck_assert(!in_region(ring_fds.response, secret, len));
        }
        channel_free(far_channel);
        framekey_channel_free(far_client);
        fds_close(&far_fds);
}
END_TEST

/* ---- threads ---- */

#define N_BRIDGES 4u

typedef struct Bridge {
        Channel *channel;
        framekey_channel *client;
        RingFds fds;
        uint32_t encrypt, decrypt, to;
        atomic_bool stop;
        atomic_uint n_passed, n_refused;
        const char *failed;
} Bridge;

static void *run_bridge(void *userdata) {
        Bridge *bridge = userdata;
        struct framekey_frame frame = { .size = sizeof(frame) }, after = frame;

        while (!atomic_load(&bridge->stop)) {
                uint8_t bytes[512] = { 0 };
                size_t len;
                int r;

                frame.stream = bridge->encrypt;
                r = framekey_encrypt(bridge->client, &frame, bytes, 300, bytes, sizeof(bytes), &len, NULL, DEADLINE);
                if (r != 0) {
                        bridge->failed = framekey_verdict_text(r);
                        break;
                }
                frame.stream = bridge->decrypt;
                after.stream = __atomic_load_n(&bridge->to, __ATOMIC_RELAXED);
                r = framekey_transcrypt(bridge->client, &frame, &after, bytes, len, bytes, sizeof(bytes), &len, NULL,
                                        DEADLINE);
                if (r != 0 && r != FRAMEKEY_VERDICT_REFUSED) {
                        bridge->failed = framekey_verdict_text(r);
                        break;
                }
                (void)atomic_fetch_add(r == 0 ? &bridge->n_passed : &bridge->n_refused, 1);
        }
        return NULL;
}

/* A channel of its own for each, in a session that the others seal for: each data thread wants the lock that another
 * one holds. Meanwhile targets come and go. */
START_TEST(bridges_that_cross_do_not_wait_for_each_other) {
        static const enum framekey_media media = FRAMEKEY_MEDIA_DATA;
        static Corner owner[N_BRIDGES], back[N_BRIDGES];
        static Bridge bridges[N_BRIDGES];
        pthread_t threads[N_BRIDGES];

        for (size_t i = 0; i < N_BRIDGES; i++) {
                Bridge *bridge = &bridges[i];

                corner_open(&owner[i], "realtimekit", FRAMEKEY_ENCRYPT, "one of several..");
                ck_assert_int_eq(session_add_participant(owner[i].session, false, &back[i].participant), 0);
                back[i].session = owner[i].session;
                put_key(&back[i], "realtimekit", 1, "one of several..");
                channel_open(owner[i].session, &bridge->channel, &bridge->fds, &bridge->client);
                ck_assert_int_eq(channel_add_stream(bridge->channel, owner[i].session, owner[i].participant,
                                                    FRAMEKEY_ENCRYPT, media, FRAMEKEY_CODEC_DATA, &bridge->encrypt),
                                 0);
                ck_assert_int_eq(channel_add_stream(bridge->channel, owner[i].session, back[i].participant,
                                                    FRAMEKEY_DECRYPT, media, FRAMEKEY_CODEC_DATA, &bridge->decrypt),
                                 0);
                bridge->to = 4095;
        }
        for (size_t i = 0; i < N_BRIDGES; i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, run_bridge, &bridges[i]), 0);
        for (size_t round = 0; round < 400; round++) {
                Bridge *bridge = &bridges[round % N_BRIDGES];
                const Corner *other = &owner[(round + 1 + round / N_BRIDGES % (N_BRIDGES - 1)) % N_BRIDGES];
                uint32_t before = bridge->to, stream;

                ck_assert_int_eq(channel_add_stream(bridge->channel, other->session, other->participant,
                                                    FRAMEKEY_ENCRYPT, media, FRAMEKEY_CODEC_DATA, &stream),
                                 0);
                __atomic_store_n(&bridge->to, stream, __ATOMIC_RELAXED);
                if (before != 4095)
                        ck_assert_int_eq(channel_remove_stream(bridge->channel, before), 0);
                for (unsigned n = atomic_load(&bridge->n_passed); atomic_load(&bridge->n_passed) == n;)
                        ck_assert_ptr_null(bridge->failed);
                plane_dispatch(plane);
        }
        for (size_t i = 0; i < N_BRIDGES; i++) {
                atomic_store(&bridges[i].stop, true);
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
                ck_assert_msg(!bridges[i].failed, "%s", bridges[i].failed);
        }
        for (size_t i = 0; i < N_BRIDGES; i++) {
                channel_free(bridges[i].channel);
                framekey_channel_free(bridges[i].client);
                fds_close(&bridges[i].fds);
        }
        for (size_t i = 0; i < N_BRIDGES; i++)
                corner_close(&owner[i]);
}
END_TEST

int main(void) {
        const TTest *const tests[] = { what_is_delivered_without_being_authentic_is_not_sealed,
                                       nothing_stays_nothing,
                                       streams_that_are_not_of_the_right_kind_are_refused,
                                       both_participants_count,
                                       participants_and_sessions_go_while_the_channel_lives,
                                       a_locked_daemon_transcrypts_nothing,
                                       metadata_is_each_sides_own,
                                       metadata_for_a_format_without_any_is_unsupported,
                                       the_plain_frame_is_never_in_memory_that_is_shared_with_the_bridge,
                                       bridges_that_cross_do_not_wait_for_each_other };

        return run_on_stage("transcrypt-limits", tests, ELEMENTS(tests));
}
