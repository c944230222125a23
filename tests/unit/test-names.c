/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and texts: complete, distinct, and the same in both directions. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include <framekey.h>

#include "runner.h"

START_TEST(every_verdict_has_a_name_of_its_own) {
        for (int v = 0; v < FRAMEKEY_VERDICT_MAX; v++) {
                ck_assert_str_ne(framekey_verdict_name(v), "?");
                for (int w = 0; w < v; w++)
                        ck_assert_str_ne(framekey_verdict_name(v), framekey_verdict_name(w));
        }
        ck_assert_str_eq(framekey_verdict_name(FRAMEKEY_VERDICT_SERVER_INJECTED), "server-injected");
        ck_assert_str_eq(framekey_verdict_name(FRAMEKEY_VERDICT_MAX), "?");
        ck_assert_str_eq(framekey_verdict_name(-EPIPE), "?");
}
END_TEST

static void check_sentence(const char *text) {
        size_t len = strlen(text);

        ck_assert_uint_gt(len, 20);
        ck_assert_msg(isupper((unsigned char)text[0]), "%s", text);
        ck_assert_msg(text[len - 1] == '.', "%s", text);
}

START_TEST(every_verdict_and_error_has_a_sentence_of_its_own) {
        static const int errors[] = { -EPIPE,   -EPROTO,   -ESTALE, -ECHILD, -ETIMEDOUT, -EAGAIN,
                                      -ENOBUFS, -EMSGSIZE, -EINVAL, -ENOENT, -ENOMEM,    -EMFILE };
        const char *other = framekey_verdict_text(-EXDEV);

        for (int v = 0; v < FRAMEKEY_VERDICT_MAX; v++) {
                check_sentence(framekey_verdict_text(v));
                for (int w = 0; w < v; w++)
                        ck_assert_str_ne(framekey_verdict_text(v), framekey_verdict_text(w));
        }
        for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
                check_sentence(framekey_verdict_text(errors[i]));
                ck_assert_str_ne(framekey_verdict_text(errors[i]), other);
        }
        check_sentence(other);
        check_sentence(framekey_verdict_text(FRAMEKEY_VERDICT_MAX));
}
END_TEST

START_TEST(four_verdicts_deliver) {
        for (int v = -200; v < 200; v++)
                ck_assert_int_eq(framekey_verdict_delivers(v), v == FRAMEKEY_OK || v == FRAMEKEY_VERDICT_EMPTY ||
                                                                       v == FRAMEKEY_VERDICT_SERVER_INJECTED ||
                                                                       v == FRAMEKEY_VERDICT_UNENCRYPTED);
}
END_TEST

#define CHECK_BOTH_WAYS(noun, from, to, n_expected)                                                                    \
        do {                                                                                                           \
                int n = 0;                                                                                             \
                for (int v = (from); v <= (to); v++) {                                                                 \
                        const char *name = framekey_##noun##_name((enum framekey_##noun)v);                            \
                        if (!name)                                                                                     \
                                continue;                                                                              \
                        ck_assert_int_eq((int)framekey_##noun##_from_name(name), v);                                   \
                        n++;                                                                                           \
                }                                                                                                      \
                ck_assert_int_eq(n, n_expected);                                                                       \
                ck_assert_int_eq((int)framekey_##noun##_from_name("nonsense"), 0);                                     \
                ck_assert_int_eq((int)framekey_##noun##_from_name(""), 0);                                             \
                ck_assert_int_eq((int)framekey_##noun##_from_name(NULL), 0);                                           \
        } while (0)

START_TEST(names_lead_back_to_their_values) {
        CHECK_BOTH_WAYS(codec, 0, 300, 13);
        CHECK_BOTH_WAYS(media, 0, 300, 3);
        CHECK_BOTH_WAYS(format, 0, 300, 5);
        CHECK_BOTH_WAYS(direction, 0, 300, 2);
        CHECK_BOTH_WAYS(frame_type, 0, 300, 4);
}
END_TEST

START_TEST(names_are_those_of_the_bus) {
        ck_assert_int_eq(framekey_codec_from_name("h264"), FRAMEKEY_CODEC_H264);
        ck_assert_int_eq(framekey_codec_from_name("opus"), FRAMEKEY_CODEC_OPUS);
        ck_assert_int_eq(framekey_media_from_name("data"), FRAMEKEY_MEDIA_DATA);
        ck_assert_int_eq(framekey_format_from_name("realtimekit"), FRAMEKEY_FORMAT_REALTIMEKIT);
        ck_assert_int_eq(framekey_direction_from_name("decrypt"), FRAMEKEY_DECRYPT);
        ck_assert_int_eq(framekey_frame_type_from_name("delta"), FRAMEKEY_FRAME_DELTA);
        ck_assert_ptr_null(framekey_media_name((enum framekey_media)0));
}
END_TEST

RUN_TESTS("names", every_verdict_has_a_name_of_its_own, every_verdict_and_error_has_a_sentence_of_its_own,
          four_verdicts_deliver, names_lead_back_to_their_values, names_are_those_of_the_bus)
