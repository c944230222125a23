/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames from one system to another in one request are what two requests make of them: every pair of
 * formats, every size, and what the daemon reads from the plain frame, since the bridge cannot.
 */
#include "format/dave.h"
#include "keys/transcrypt.h"
#include "transcrypt-fixture.h"

/* ---- all pairs ---- */

static void must(int r, const Kind *kind, size_t from, size_t to, const char *what) {
        ck_assert_msg(r == 0, "%s, %s to %s, %s: %s", kind->name, presets[from], presets[to], what,
                      framekey_verdict_text(r));
}

/* Both leave the same bytes of the same frame clear. Of the other formats the sink would find out. */
static void same_ranges(const Bytes *one, const Bytes *two, const Kind *kind) {
        DaveFrame a, b;

        ck_assert_int_eq(dave_parse(one->bytes, one->len, &a), 0);
        ck_assert_int_eq(dave_parse(two->bytes, two->len, &b), 0);
        ck_assert_uint_eq(a.len, b.len);
        ck_assert_msg(a.n_clear == b.n_clear, "%s: %zu ranges, not %zu", kind->name, a.n_clear, b.n_clear);
        for (size_t i = 0; i < a.n_clear; i++) {
                ck_assert_uint_eq(a.clear[i].offset, b.clear[i].offset);
                ck_assert_uint_eq(a.clear[i].size, b.clear[i].size);
                ck_assert_mem_eq(one->bytes + a.clear[i].offset, two->bytes + a.clear[i].offset, a.clear[i].size);
        }
}

static bool carries(size_t format, const Kind *kind) {
        return format != LK || kind->codec != FRAMEKEY_CODEC_AV1;
}

static void try_pair(size_t from, size_t to, const Kind *kind) {
        Bytes plain = plain_of(kind, 300), first, second, middle, one, two;
        bool outgoing;

        must(seal(&source[from], kind, &plain, &first), kind, from, to, "source");
        if (!carries(to, kind)) {
                expect_pass(&in[from], &out[to], kind, &first, FRAMEKEY_VERDICT_UNSUPPORTED, true);
                return;
        }
        must(pass(&in[from], &out[to], kind, &first, &one, &outgoing), kind, from, to, "one request");
        ck_assert(outgoing);
        must(seal(&source[from], kind, &plain, &second), kind, from, to, "source");
        must(open_at(&in[from], kind, &second, &middle), kind, from, to, "the first of two requests");
        must(seal(&out[to], kind, &middle, &two), kind, from, to, "the second");
        if (to == DV)
                same_ranges(&one, &two, kind);

        must(open_at(&sink[to], kind, &one, &first), kind, from, to, "sink");
        must(open_at(&sink[to], kind, &two, &second), kind, from, to, "sink, of two requests");
        ck_assert_uint_eq(first.len, second.len);
        ck_assert_mem_eq(first.bytes, second.bytes, second.len);
        if (kind->rewritten)
                return;
        ck_assert_uint_eq(first.len, plain.len);
        ck_assert_mem_eq(first.bytes, plain.bytes, plain.len);
}

START_TEST(every_pair_of_formats_gives_what_two_requests_give) {
        unsigned n = 0;

        for (size_t from = 1; from < FORMATS_END; from++)
                for (size_t to = 1; to < FORMATS_END; to++)
                        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                                if (carries(from, &kinds[i])) {
                                        try_pair(from, to, &kinds[i]);
                                        n++;
                                }
        ck_assert_uint_eq(n, 25 * ELEMENTS(kinds) - 2 * 5);
}
END_TEST

START_TEST(frames_of_every_size_fit_where_sealed_max_says) {
        static const size_t lens[] = { 1, 1700, 1763, 1764, 2018, 2019, 65000, 65506, 1048575, 1048576 };
        size_t room = 1 << 21;
        uint8_t *plain = malloc(room), *sealed = malloc(room), *got = malloc(room);
        struct framekey_frame frame = about(&source[LK], &kinds[DATA], 0), before = about(&in[LK], &kinds[DATA], 0);

        for (size_t i = 0; i < room; i++)
                plain[i] = (uint8_t)(i * 31 + (i >> 8));
        for (size_t to = 1; to < FORMATS_END; to++)
                for (size_t i = 0; i < ELEMENTS(lens); i++) {
                        struct framekey_frame after = about(&out[to], &kinds[DATA], 0);
                        struct framekey_frame last = about(&sink[to], &kinds[DATA], 0);
                        size_t len, max;

                        ck_assert_int_eq(
                                framekey_encrypt(client, &frame, plain, lens[i], sealed, room, &len, NULL, DEADLINE),
                                0);
                        max = framekey_sealed_max(client, after.stream, len);
                        ck_assert_uint_le(max, room);
                        /* Said before the daemon remembers the frame as seen. */
                        ck_assert_int_eq(framekey_transcrypt(client, &before, &after, sealed, len, got, lens[i] - 1,
                                                             &len, NULL, DEADLINE),
                                         -ENOBUFS);
                        ck_assert_int_eq(framekey_transcrypt(client, &before, &after, sealed, len, got, max, &len, NULL,
                                                             DEADLINE),
                                         0);
                        ck_assert_int_eq(framekey_decrypt(client, &last, got, len, got, room, &len, NULL, DEADLINE), 0);
                        ck_assert_uint_eq(len, lens[i]);
                        ck_assert_mem_eq(got, plain, len);
                }
        free(plain);
        free(sealed);
        free(got);
}
END_TEST

/* ---- what the daemon reads from the plain frame ---- */

static uint32_t key_that_seals(const Kind *kind, enum framekey_frame_type said, bool *ret_wanted) {
        struct framekey_frame before = about(&in[LK], kind, kind->type), after = about(&out[SF], kind, said);
        Bytes plain = plain_of(kind, 100), sealed, got;
        struct framekey_result result;

        ck_assert_int_eq(seal(&source[LK], kind, &plain, &sealed), 0);
        ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), 0);
        *ret_wanted = result.flags & FRAMEKEY_RESULT_KEYFRAME_WANTED;
        return result.key_index;
}

START_TEST(a_new_key_begins_at_a_key_frame_that_only_the_daemon_sees) {
        const SessionActivation when = { .at_key_frame = true };
        bool wanted;

        put_key(&out[SF], "sframe", 2, "another key, 16b");
        ck_assert_int_eq(session_activate(out[SF].session, out[SF].participant, 2, &when), 0);
        settle_look_ahead(plane);
        ck_assert_uint_eq(key_that_seals(&kinds[VP8_DELTA], FRAMEKEY_FRAME_UNSPECIFIED, &wanted), 1);
        ck_assert(wanted);
        /* Who says a type knows it. */
        ck_assert_uint_eq(key_that_seals(&kinds[VP8_KEY], FRAMEKEY_FRAME_DELTA, &wanted), 1);
        ck_assert(wanted);
        ck_assert_uint_eq(key_that_seals(&kinds[VP8_KEY], FRAMEKEY_FRAME_UNSPECIFIED, &wanted), 2);
        ck_assert(!wanted);
        ck_assert_uint_eq(key_that_seals(&kinds[VP8_DELTA], FRAMEKEY_FRAME_UNSPECIFIED, &wanted), 2);
}
END_TEST

START_TEST(the_codec_is_the_one_that_either_side_has) {
        const Kind *kind = &kinds[VP8_KEY];
        Bytes plain = plain_of(kind, 100), sealed, got;
        uint32_t with_codec[2];
        DaveFrame parsed;

        add_stream(&in[LK], FRAMEKEY_DECRYPT, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, &with_codec[0]);
        add_stream(&out[DV], FRAMEKEY_ENCRYPT, FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, &with_codec[1]);
        for (unsigned side = 0; side < 4; side++) {
                struct framekey_frame before = about(&in[LK], kind, kind->type);
                struct framekey_frame after = about(&out[DV], kind, FRAMEKEY_FRAME_UNSPECIFIED);
                struct framekey_result result;

                /* The frame's codec on one side, or a stream's. */
                before.codec = side == 0 ? FRAMEKEY_CODEC_VP8 : FRAMEKEY_CODEC_UNKNOWN;
                after.codec = side == 1 ? FRAMEKEY_CODEC_VP8 : FRAMEKEY_CODEC_UNKNOWN;
                before.stream = side == 2 ? with_codec[0] : before.stream;
                after.stream = side == 3 ? with_codec[1] : after.stream;
                ck_assert_int_eq(seal(&source[LK], kind, &plain, &sealed), 0);
                ck_assert_int_eq(transcrypt(&before, &after, &sealed, &got, &result), 0);
                ck_assert_int_eq(dave_parse(got.bytes, got.len, &parsed), 0);
                ck_assert_uint_eq(parsed.n_clear, 1);
                ck_assert_uint_eq(parsed.clear[0].size, 10);
        }
        for (unsigned i = 0; i < 2; i++)
                ck_assert_int_eq(channel_remove_stream(channel, with_codec[i]), 0);
}
END_TEST

static int seal_directly(FrameGrant *grant, Session *session, int codec, int type, Bytes *plain, size_t room) {
        static uint8_t sealed[ROOM];
        TranscryptRequest request = {
                .plain = plain->bytes,
                .len = plain->len,
                .room = room,
                .codec = (enum framekey_codec)codec,
                .frame_type = (uint8_t)type,
                .now_usec = test_now,
        };
        FrameResult result;
        uint8_t iv[12];

        entropy_fill_ivs(iv, 1);
        request.iv = iv;
        session_enter(session);
        transcrypt_seal(grant, &request, sealed, sizeof(sealed), &result);
        session_leave(session);
        return result.verdict;
}

static bool is_wiped(const Bytes *plain) {
        for (size_t i = 0; i < plain->len; i++)
                if (plain->bytes[i] != 0)
                        return false;
        return true;
}

/* A client's descriptor may name anything; and whatever comes of it, the plain frame is gone. */
START_TEST(every_codec_and_type_is_answered_and_the_plain_frame_wiped) {
        for (size_t format = 1; format < FORMATS_END; format++)
                for (int media = FRAMEKEY_MEDIA_AUDIO; media <= FRAMEKEY_MEDIA_DATA; media++) {
                        const Corner *corner = &out[format];
                        unsigned n_good = 0;
                        FrameGrant *grant;

                        session_lock(corner->session);
                        ck_assert_int_eq(frame_grant_new(&grant, corner->session, &n_good, 0, corner->participant,
                                                         FRAMEKEY_ENCRYPT, (enum framekey_media)media),
                                         0);
                        session_unlock(corner->session);
                        for (int n = 0; n < 256 * 8; n++) {
                                Bytes plain = plain_of(&kinds[(size_t)n % ELEMENTS(kinds)], (size_t)n % 300);
                                int codec = n / 8, type = n % 8 == 7 ? 255 : n % 8, r;

                                r = seal_directly(grant, corner->session, codec, type, &plain, ROOM);
                                ck_assert_msg(r == 0 || r == FRAMEKEY_VERDICT_EMPTY ||
                                                      r == FRAMEKEY_VERDICT_UNSUPPORTED ||
                                                      r == FRAMEKEY_VERDICT_TOO_SHORT,
                                              "codec %d, type %d: %d", codec, type, r);
                                ck_assert(is_wiped(&plain));
                                n_good += r == 0;
                        }
                        ck_assert_uint_gt(n_good, 0);
                        session_lock(corner->session);
                        frame_grant_free(grant);
                        session_unlock(corner->session);
                }
}
END_TEST

START_TEST(what_outgrows_its_room_is_too_long_and_wiped) {
        Bytes plain = plain_of(&kinds[H264_KEY], 300);
        FrameGrant *grant;

        ck_assert_int_eq(frame_grant_new(&grant, out[DV].session, &plain, 0, out[DV].participant, FRAMEKEY_ENCRYPT,
                                         FRAMEKEY_MEDIA_VIDEO),
                         0);
        /* The ranges go in front. */
        ck_assert_int_eq(seal_directly(grant, out[DV].session, FRAMEKEY_CODEC_H264, 0, &plain, plain.len),
                         FRAMEKEY_VERDICT_TOO_LONG);
        ck_assert(is_wiped(&plain));
        frame_grant_free(grant);
}
END_TEST

int main(void) {
        const TTest *const tests[] = { every_pair_of_formats_gives_what_two_requests_give,
                                       frames_of_every_size_fit_where_sealed_max_says,
                                       a_new_key_begins_at_a_key_frame_that_only_the_daemon_sees,
                                       the_codec_is_the_one_that_either_side_has,
                                       every_codec_and_type_is_answered_and_the_plain_frame_wiped,
                                       what_outgrows_its_room_is_too_long_and_wiped };

        return run_on_stage("transcrypt", tests, ELEMENTS(tests));
}
