/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DAVE from a codec's frame to the wire and back, out of its parts: clear ranges, key schedule,
 * cipher, trailer, start codes, replay window. Senders give the vectors' bytes; receivers the
 * vectors' answers, for each case of each array.
 */
#include "codec/dave-ranges.h"
#include "crypto/arena.h"
#include "crypto/suite.h"
#include "format/dave.h"
#include "keys/counter-window.h"
#include "keys/dave-schedule.h"
#include "runner.h"
#include "vector-file.h"

/* libdave gives up then. */
#define ATTEMPTS_MAX 10u

static void install(void) {
        Arena *arena;

        if (arena_installed())
                return;
        ck_assert_int_eq(arena_new(&arena, 256 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

static SuiteCipher *cipher_of(const VectorBytes *base_secret, uint64_t generation) {
        DaveStep *step = arena_alloc(arena_installed(), sizeof(*step));
        VectorBytes secret = *base_secret;
        SuiteCipher *cipher;

        for (uint64_t g = 0; g <= generation; g++) {
                ck_assert_int_eq(dave_schedule_derive(secret.bytes, secret.len, (uint32_t)g, step), 0);
                secret.len = sizeof(step->next);
                memcpy(secret.bytes, step->next, secret.len);
        }
        ck_assert_int_eq(suite_cipher_new(&cipher, suite_find(SUITE_DAVE), step->key), 0);
        arena_release(arena_installed(), step);
        return cipher;
}

/* ---- both directions: clear ranges are additional data, the rest is text ---- */

typedef struct Pieces {
        uint8_t nonce[DAVE_NONCE_LEN];
        SuitePiece aad[DAVE_RANGES_MAX];
        SuiteText text[DAVE_RANGES_MAX + 1];
} Pieces;

static SuiteFrame split(Pieces *pieces, const DaveFrame *frame, const uint8_t *in, uint8_t *out) {
        DaveRange encrypted[DAVE_RANGES_MAX + 1];
        size_t n_text = dave_encrypted(frame->clear, frame->n_clear, frame->len, encrypted);

        dave_nonce(frame->nonce, pieces->nonce);
        for (size_t i = 0; i < frame->n_clear; i++) {
                pieces->aad[i] = (SuitePiece){ in + frame->clear[i].offset, frame->clear[i].size };
                memcpy(out + frame->clear[i].offset, in + frame->clear[i].offset, frame->clear[i].size);
        }
        for (size_t i = 0; i < n_text; i++)
                pieces->text[i] = (SuiteText){ in + encrypted[i].offset, out + encrypted[i].offset, encrypted[i].size };
        return (SuiteFrame){ pieces->nonce, pieces->aad, frame->n_clear, pieces->text, n_text };
}

/* ---- the sender ---- */

static enum framekey_codec codec_of(const json_t *entry) {
        static const struct {
                const char *name;
                enum framekey_codec codec;
        } codecs[] = {
                { "opus", FRAMEKEY_CODEC_OPUS }, { "vp8", FRAMEKEY_CODEC_VP8 },   { "vp9", FRAMEKEY_CODEC_VP9 },
                { "h264", FRAMEKEY_CODEC_H264 }, { "h265", FRAMEKEY_CODEC_H265 }, { "av1", FRAMEKEY_CODEC_AV1 },
        };

        for (size_t i = 0; i < ELEMENTS(codecs); i++)
                if (strcmp(codecs[i].name, vector_text(entry, "codec")) == 0)
                        return codecs[i].codec;
        ck_abort_msg("no such codec");
}

/* `*count`: of the last frame, then of this one. */
static size_t seal(const VectorBytes *base_secret, enum framekey_codec codec, const VectorBytes *input, uint64_t *count,
                   uint8_t *out) {
        uint8_t bytes[VECTOR_BYTES_MAX];
        DaveRanges ranges;
        DaveFrame frame;
        Pieces pieces;
        size_t len = 0;

        dave_ranges_plan(codec, input->bytes, input->len, &ranges);
        ck_assert_uint_le(ranges.room, sizeof(bytes));
        frame.len = (uint32_t)dave_ranges_write(&ranges, codec, input->bytes, input->len, bytes);
        frame.n_clear = ranges.n_ranges;
        ck_assert_uint_eq(sizeof(*frame.clear), sizeof(*ranges.ranges));
        memcpy(frame.clear, ranges.ranges, ranges.n_ranges * sizeof(*ranges.ranges));
        ck_assert_int_eq(dave_check_ranges(frame.clear, frame.n_clear, frame.len), 0);

        for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
                _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = NULL;
                SuiteFrame parts;

                frame.nonce = (uint32_t)++ * count;
                cipher = cipher_of(base_secret, dave_generation(*count));
                parts = split(&pieces, &frame, bytes, out);
                ck_assert_int_eq(suite_seal(cipher, &parts, out + frame.len), 0);
                len = frame.len + DAVE_TAG_LEN +
                      dave_finish(out + frame.len + DAVE_TAG_LEN, frame.nonce, frame.clear, frame.n_clear);
                if (!ranges.scan || !dave_has_start_code(out, len, frame.len, frame.clear, frame.n_clear))
                        return len;
        }
        ck_abort_msg("start codes in all attempts");
}

START_TEST(senders_write_what_libdave_writes) {
        json_t *root = vector_load("dave.json");
        const json_t *entry;
        size_t i, n_retries = 0;

        install();
        json_array_foreach(vector_array(root, "frames"), i, entry) {
                VectorBytes base_secret = vector_hex(entry, "base_secret"), input = vector_hex(entry, "input");
                VectorBytes encrypted = vector_hex(entry, "encrypted");
                uint64_t count = vector_number(entry, "last_nonce");
                uint8_t out[VECTOR_BYTES_MAX];

                ck_assert_uint_eq(seal(&base_secret, codec_of(entry), &input, &count, out), encrypted.len);
                ck_assert_msg(memcmp(out, encrypted.bytes, encrypted.len) == 0, "%s", vector_text(entry, "name"));
                ck_assert_uint_eq((uint32_t)count, vector_number(entry, "nonce"));
                ck_assert_uint_eq(dave_generation(count), vector_number(entry, "generation"));
                n_retries += count > vector_number(entry, "last_nonce") + 1;
        }
        ck_assert_uint_eq(n_retries, 2);
        json_decref(root);
}
END_TEST

/* ---- the receiver ---- */

typedef struct Receiver {
        VectorBytes base_secret;
        uint64_t age_usec;
        uint64_t oldest, newest; /* generation */
        CounterWindow window;
} Receiver;

static Receiver receiver_of(const json_t *entry, uint64_t age_s) {
        Receiver receiver = { .base_secret = vector_hex(entry, "base_secret"), .age_usec = age_s * USEC_PER_SEC };

        counter_window_init(&receiver.window, COUNTER_WINDOW_REACH_DAVE, COUNTER_WINDOW_FROM_FIRST);
        return receiver;
}

/* The vectors' word for what becomes of the frame. */
static const char *open_frame(Receiver *receiver, const VectorBytes *encrypted, VectorBytes *ret) {
        _cleanup_(suite_cipher_free_p) SuiteCipher *cipher = NULL;
        DaveFrame frame;
        SuiteFrame parts;
        Pieces pieces;
        uint64_t count, generation;

        ret->len = 0;
        if (dave_parse(encrypted->bytes, encrypted->len, &frame) != 0)
                return "auth-or-format";
        count = dave_count(frame.nonce, receiver->oldest);
        generation = dave_generation(count);
        if (generation > receiver->newest + DAVE_JUMP_MAX ||
            generation > dave_schedule_last_generation(receiver->age_usec))
                return "no-cryptor";
        if (counter_window_check(&receiver->window, count) != 0)
                return "replay-or-nonce";
        cipher = cipher_of(&receiver->base_secret, generation);
        parts = split(&pieces, &frame, encrypted->bytes, ret->bytes);
        if (suite_open(cipher, &parts, encrypted->bytes + frame.len) != 0)
                return "auth-or-format";
        counter_window_accept(&receiver->window, count);
        receiver->newest = MAX_OF(receiver->newest, generation);
        ret->len = frame.len;
        return "ok";
}

static void expect(Receiver *receiver, const json_t *entry, const char *expected) {
        VectorBytes encrypted = vector_hex(entry, "encrypted"), output = vector_hex(entry, "output"), out;
        const char *name = json_string_value(json_object_get(entry, "name"));
        const char *result = open_frame(receiver, &encrypted, &out);

        ck_assert_msg(strcmp(result, expected) == 0, "%s: %s", name, result);
        ck_assert_msg(strcmp(result, "ok") != 0 ||
                              (out.len == output.len && memcmp(out.bytes, output.bytes, out.len) == 0),
                      "%s: other bytes", name);
}

START_TEST(receivers_read_the_frames) {
        json_t *root = vector_load("dave.json");
        const json_t *entry;
        size_t i, n_fresh = 0;

        install();
        json_array_foreach(vector_array(root, "frames"), i, entry) {
                Receiver receiver = receiver_of(entry, 250 * ((UINT64_C(1) << 24) / 170 + 1));

                if (strcmp(vector_text(entry, "decrypt"), "needs-state") == 0) {
                        receiver.oldest = receiver.newest = vector_number(entry, "generation") - 1;
                        receiver.age_usec *= 2;
                        expect(&receiver, entry, "ok");
                } else
                        expect(&receiver, entry, vector_text(entry, "decrypt"));
                if (!json_object_get(entry, "decrypt_with_fresh_ratchet"))
                        continue;
                receiver = receiver_of(entry, 0);
                expect(&receiver, entry, vector_text(entry, "decrypt_with_fresh_ratchet"));
                n_fresh++;
        }
        ck_assert_uint_gt(n_fresh, 0);
        json_decref(root);
}
END_TEST

START_TEST(receivers_read_two_implementations) {
        json_t *root = vector_load("dave.json");
        const json_t *entry;
        size_t i;

        install();
        json_array_foreach(vector_array(root, "interop"), i, entry) {
                Receiver receiver = receiver_of(entry, 0);

                expect(&receiver, entry, vector_text(entry, "result"));
        }
        json_decref(root);
}
END_TEST

START_TEST(receivers_refuse_what_was_changed) {
        json_t *root = vector_load("dave.json");
        const json_t *entry;
        size_t i, n_silence = 0;

        install();
        json_array_foreach(vector_array(root, "negative"), i, entry) {
                VectorBytes encrypted = vector_hex(entry, "encrypted");
                Receiver receiver = receiver_of(entry, 0);

                /* Let through by a permission, not by the format. */
                if (strcmp(vector_text(entry, "media"), "audio") == 0 &&
                    dave_is_silence(encrypted.bytes, encrypted.len)) {
                        ck_assert_str_eq(vector_text(entry, "decrypt"), "ok");
                        n_silence++;
                        continue;
                }
                expect(&receiver, entry, vector_text(entry, "decrypt"));
        }
        ck_assert_uint_eq(n_silence, 1);
        json_decref(root);
}
END_TEST

START_TEST(receivers_follow_sequences) {
        json_t *root = vector_load("dave.json");
        const json_t *sequence, *step;
        size_t i, k;

        install();
        json_array_foreach(vector_array(root, "sequences"), i, sequence) {
                Receiver receiver = receiver_of(sequence, vector_number(sequence, "receiver_age_s"));

                json_array_foreach(vector_array(sequence, "steps"), k, step)
                        expect(&receiver, step, vector_text(step, "decrypt"));
        }
        json_decref(root);
}
END_TEST

/* What libdave cannot send, or leaks, reaches a receiver as it was. */
START_TEST(frames_that_libdave_fails_on_come_back) {
        static const struct {
                enum framekey_codec codec;
                VectorBytes input;
        } cases[] = {
                { FRAMEKEY_CODEC_VP8, { 1, { 0x10 } } },
                { FRAMEKEY_CODEC_VP8, { 9, { 0x10, 1, 2, 3 } } },
                { FRAMEKEY_CODEC_H264, { 6, { 0, 0, 0, 1, 0x65, 0x88 } } },
                { FRAMEKEY_CODEC_H264, { 4, { 0x65, 0x88, 0x84, 0xbd } } },
                { FRAMEKEY_CODEC_H264, { 7, { 0xaa, 0, 0, 0, 1, 0x65, 0x88 } } },
                { FRAMEKEY_CODEC_H264, { 8, { 0, 0, 0, 1, 0x42, 0xe0, 0xaa, 0xbb } } },
                { FRAMEKEY_CODEC_AV1, { 4, { 0x32, 9, 1, 2 } } },
        };
        VectorBytes base_secret = { 16, { 1, 2, 3, 4 } };
        json_t *entry = json_pack("{s:s}", "base_secret", "01020304000000000000000000000000");

        install();
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Receiver receiver = receiver_of(entry, 0);
                VectorBytes sealed, opened = { 0 };
                uint64_t count = 0;

                sealed.len = seal(&base_secret, cases[i].codec, &cases[i].input, &count, sealed.bytes);
                ck_assert_str_eq(open_frame(&receiver, &sealed, &opened), "ok");
                ck_assert_uint_eq(opened.len, cases[i].input.len);
                ck_assert_mem_eq(opened.bytes, cases[i].input.bytes, opened.len);
        }
        json_decref(entry);
}
END_TEST

RUN_TESTS("dave-frames", senders_write_what_libdave_writes, receivers_read_the_frames,
          receivers_read_two_implementations, receivers_refuse_what_was_changed, receivers_follow_sequences,
          frames_that_libdave_fails_on_come_back)
