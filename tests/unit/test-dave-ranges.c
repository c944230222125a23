/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clear ranges of DAVE: against the frames of libdave and davey, and where libdave loses, leaks or
 * throws against what a sender may do.
 */
#include "codec/dave-ranges.h"

#include "runner.h"
#include "vector-file.h"

#define FRAME_MAX 4096u

/* A planned frame, written twice: apart and in place. */
typedef struct Planned {
        DaveRanges plan;
        uint8_t bytes[2 * FRAME_MAX];
} Planned;

static enum framekey_codec codec_of(const json_t *entry) {
        static const struct {
                const char *name;
                enum framekey_codec codec;
        } codecs[] = {
                { "opus", FRAMEKEY_CODEC_OPUS }, { "vp8", FRAMEKEY_CODEC_VP8 },   { "vp9", FRAMEKEY_CODEC_VP9 },
                { "h264", FRAMEKEY_CODEC_H264 }, { "h265", FRAMEKEY_CODEC_H265 }, { "av1", FRAMEKEY_CODEC_AV1 },
        };

        for (size_t i = 0; i < sizeof(codecs) / sizeof(*codecs); i++)
                if (strcmp(codecs[i].name, vector_text(entry, "codec")) == 0)
                        return codecs[i].codec;
        ck_abort_msg("no such codec");
}

/* What must be true of any plan. */
static void check_plan(const DaveRanges *plan, size_t len) {
        size_t end = 0;

        ck_assert_uint_ge(plan->room, len);
        ck_assert_uint_ge(plan->room, plan->len);
        ck_assert_uint_le(plan->n_ranges, DAVE_RANGES_LIMIT);
        for (size_t i = 0; i < plan->n_ranges; i++) {
                ck_assert(plan->ranges[i].offset > end || (i == 0 && plan->ranges[i].offset == 0));
                ck_assert_uint_gt(plan->ranges[i].size, 0);
                end = plan->ranges[i].offset + plan->ranges[i].size;
                ck_assert_uint_le(end, plan->len);
        }
}

static Planned plan(enum framekey_codec codec, const void *frame, size_t len) {
        Planned planned = { 0 };
        uint8_t *buffer;

        dave_ranges_plan(codec, frame, len, &planned.plan);
        check_plan(&planned.plan, len);
        ck_assert_uint_le(planned.plan.room, sizeof(planned.bytes));
        ck_assert_uint_eq(dave_ranges_write(&planned.plan, codec, frame, len, planned.bytes), planned.plan.len);
        /* In memory of its exact length, for the sanitizers. */
        buffer = calloc(1, planned.plan.room + 1);
        if (len > 0)
                memcpy(buffer, frame, len);
        ck_assert_uint_eq(dave_ranges_write(&planned.plan, codec, buffer, len, buffer), planned.plan.len);
        ck_assert_mem_eq(buffer, planned.bytes, planned.plan.len);
        free(buffer);
        return planned;
}

/* The whole frame as it is, nothing clear. */
static void expect_all_encrypted(const Planned *planned, const void *frame, size_t len) {
        ck_assert_uint_eq(planned->plan.n_ranges, 0);
        ck_assert_uint_eq(planned->plan.len, len);
        ck_assert_mem_eq(planned->bytes, frame, len);
}

/* A character for each byte of the frame to encrypt: C clear, . encrypted. */
static void expect_clear(const Planned *planned, const char *map, const char *what) {
        ck_assert_msg(planned->plan.len == strlen(map), "%s: length %zu", what, planned->plan.len);
        for (size_t i = 0; i < planned->plan.len; i++) {
                char is = '.';

                for (size_t k = 0; k < planned->plan.n_ranges; k++)
                        if (i - planned->plan.ranges[k].offset < planned->plan.ranges[k].size)
                                is = 'C';
                ck_assert_msg(is == map[i], "%s: byte %zu is %c", what, i, is);
        }
}

typedef struct Case {
        const char *what;
        const char *input; /* hexadecimal */
        const char *output;
        const char *map;
} Case;

static size_t unhex(const char *text, uint8_t *bytes) {
        size_t len = strlen(text) / 2;

        for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)(vector_nibble(text[2 * i]) << 4 | vector_nibble(text[2 * i + 1]));
        return len;
}

static void check_cases(enum framekey_codec codec, const Case *cases, size_t n_cases) {
        uint8_t input[FRAME_MAX], output[FRAME_MAX];

        for (size_t i = 0; i < n_cases; i++) {
                size_t len = unhex(cases[i].input, input), output_len = unhex(cases[i].output, output);
                Planned planned = plan(codec, input, len);

                expect_clear(&planned, cases[i].map, cases[i].what);
                ck_assert_msg(output_len == planned.plan.len && memcmp(planned.bytes, output, output_len) == 0,
                              "%s: written otherwise", cases[i].what);
        }
}

START_TEST(frames_of_libdave) {
        json_t *root = vector_load("dave.json");
        const json_t *entry, *range;
        size_t i, k;

        json_array_foreach(vector_array(root, "frames"), i, entry) {
                VectorBytes input = vector_hex(entry, "input"), output = vector_hex(entry, "output");
                VectorBytes encrypted = vector_hex(entry, "encrypted");
                Planned planned = plan(codec_of(entry), input.bytes, input.len);
                const json_t *ranges = json_object_get(entry, "clear_ranges");

                ck_assert_uint_eq(planned.plan.len, output.len);
                ck_assert_mem_eq(planned.bytes, output.bytes, output.len);
                ck_assert_uint_eq(planned.plan.n_ranges, json_array_size(ranges));
                json_array_foreach(ranges, k, range) {
                        FrameRange *ours = &planned.plan.ranges[k];

                        ck_assert_uint_eq(ours->offset, (size_t)json_integer_value(json_array_get(range, 0)));
                        ck_assert_uint_eq(ours->size, (size_t)json_integer_value(json_array_get(range, 1)));
                        ck_assert_mem_eq(planned.bytes + ours->offset, encrypted.bytes + ours->offset, ours->size);
                }
        }
        json_decref(root);
}
END_TEST

START_TEST(frames_between_two_implementations) {
        json_t *root = vector_load("dave.json");
        const json_t *entry;
        size_t i;

        json_array_foreach(vector_array(root, "interop"), i, entry) {
                VectorBytes input = vector_hex(entry, "input"), output = vector_hex(entry, "output");
                Planned planned = plan(codec_of(entry), input.bytes, input.len);

                ck_assert_uint_eq(planned.plan.len, output.len);
                ck_assert_mem_eq(planned.bytes, output.bytes, output.len);
        }
        json_decref(root);
}
END_TEST

START_TEST(audio_data_and_vp9_are_encrypted_whole) {
        static const enum framekey_codec codecs[] = { FRAMEKEY_CODEC_OPUS,   FRAMEKEY_CODEC_RED,  FRAMEKEY_CODEC_PCMU,
                                                      FRAMEKEY_CODEC_AUDIO,  FRAMEKEY_CODEC_DATA, FRAMEKEY_CODEC_VP9,
                                                      FRAMEKEY_CODEC_UNKNOWN };
        static const uint8_t frame[] = { 0, 0, 0, 1, 0x67, 1, 2, 3, 4, 5, 6, 7 };

        for (size_t i = 0; i < sizeof(codecs) / sizeof(*codecs); i++)
                for (size_t len = 0; len <= sizeof(frame); len++) {
                        Planned planned = plan(codecs[i], frame, len);

                        expect_all_encrypted(&planned, frame, len);
                        ck_assert(!planned.plan.scan);
                }
}
END_TEST

/* libdave throws at key frames of 1 to 9 bytes. */
START_TEST(vp8_frames_shorter_than_their_header_are_encrypted_whole) {
        static const Case cases[] = {
                { "nothing", "", "", "" },
                { "key, 1 byte", "10", "10", "." },
                { "key, 9 bytes", "100000000000000000", "100000000000000000", "........." },
                { "key, 10 bytes", "10000000000000000000", "10000000000000000000", "CCCCCCCCCC" },
                { "key, 11 bytes", "1000000000000000000000", "1000000000000000000000", "CCCCCCCCCC." },
                { "delta, 1 byte", "11", "11", "C" },
                { "delta, 3 bytes", "110000", "110000", "C.." },
        };

        check_cases(FRAMEKEY_CODEC_VP8, cases, sizeof(cases) / sizeof(*cases));
}
END_TEST

START_TEST(h264_leaves_clear_what_a_packetiser_reads) {
        static const Case cases[] = {
                { "slice", "000001419a241c", "00000001419a241c", "CCCCCC.." },
                { "IDR", "00000001658884bd9f", "00000001658884bd9f", "CCCCCCC.." },
                { "two slices", "000001419a2400000141e0e1", "00000001419a240000000141e0e1", "CCCCCC.CCCCCC." },
                { "sets", "0000016742c01f00000168ce", "000000016742c01f0000000168ce", "CCCCCCCCCCCCCC" },
                { "one in front", "00000141e0bb0100000141e0bb", "0000000141e0bb010000000141e0bb", "CCCCCC..CCCCCC." },
                { "delimiter", "00000109f000000141e0e1", "0000000109f00000000141e0e1", "CCCCCCCCCCCC." },
        };

        check_cases(FRAMEKEY_CODEC_H264, cases, sizeof(cases) / sizeof(*cases));
}
END_TEST

/* libdave lets the payloads of all of these out but those of slices. */
START_TEST(h264_payloads_are_clear_only_if_they_are_parameters) {
        for (unsigned type = 0; type < 32; type++) {
                /* The numbers of a slice header end within the first byte. */
                const uint8_t frame[] = { 0, 0, 0, 1, (uint8_t)(0x60 | type), 0xe0, 0xbb, 0xcc };
                Planned planned = plan(FRAMEKEY_CODEC_H264, frame, sizeof(frame));

                ck_assert(planned.plan.scan);
                expect_clear(&planned,
                             type == 1 || type == 5    ? "CCCCCC.."
                             : type >= 7 && type <= 15 ? "CCCCCCCC"
                                                       : "CCCCC...",
                             "unit");
        }
}
END_TEST

/* libdave throws where a slice ends before its third number does. */
START_TEST(h264_slice_numbers_are_read_with_care) {
        static const Case cases[] = {
                { "no payload", "0000000165", "0000000165", "CCCCC" },
                { "ends in the second number", "000000016580", "000000016580", "CCCCC." },
                { "ends before the third", "000000016588", "000000016588", "CCCCC." },
                { "ends in the third", "00000001658802", "00000001658802", "CCCCC.." },
                { "ends with the third", "00000001658884", "00000001658884", "CCCCCCC" },
                { "does not read on in the next unit", "0000000165880000000141e0e1", "0000000165880000000141e0e1",
                  "CCCCC.CCCCCC." },
                { "emulation prevention", "000000016500000301ffffff80aa", "000000016500000301ffffff80aa",
                  "CCCCCCCCCCCCC." },
                { "31 zeros", "00000001650000030001ffffffff80aa", "00000001650000030001ffffffff80aa",
                  "CCCCCCCCCCCCCCC." },
                { "32 zeros", "000000016500000300000380e0e0e0e0", "000000016500000300000380e0e0e0e0",
                  "CCCCC..........." },
        };

        check_cases(FRAMEKEY_CODEC_H264, cases, sizeof(cases) / sizeof(*cases));
}
END_TEST

/* libdave answers with an empty frame, or drops bytes. */
START_TEST(h26x_loses_nothing_at_the_ends) {
        static const Case cases[] = {
                { "nothing", "", "", "" },
                { "no start code", "658884bd9f", "658884bd9f", "....." },
                { "length instead", "00000004658884bd", "00000004658884bd", "........" },
                { "bytes in front", "aa00000165e0bd", "aa00000165e0bd", "......." },
                { "zeros in front", "000000000165e0bd", "0000000165e0bd", "CCCCCC." },
                { "start code only", "00000001", "00000001", "...." },
                { "start code at the end", "00000165e0bd000001", "0000000165e0bd000001", "CCCCCC...." },
                { "header only", "0000016500000109", "00000001650000000109", "CCCCCCCCCC" },
                { "zeros behind a unit", "00000165e0bd000000000165e1", "0000000165e0bd000000000165e1",
                  "CCCCCC..CCCCCC" },
                { "empty units", "00000100000100000165e0bd", "00000001000000010000000165e0bd", "CCCCCCCCCCCCCC." },
        };

        check_cases(FRAMEKEY_CODEC_H264, cases, sizeof(cases) / sizeof(*cases));
}
END_TEST

START_TEST(h265_payloads_are_clear_only_if_they_are_parameters) {
        static const Case cases[] = {
                { "header only", "0000012601", "000000012601", "CCCCCC" },
                { "half a header", "00000126", "0000000126", "CCCC." },
                { "two units", "00000140010c0000012601aabb", "0000000140010c000000012601aabb", "CCCCCCCCCCCCC.." },
        };

        for (unsigned type = 0; type < 64; type++) {
                const uint8_t frame[] = { 0, 0, 1, (uint8_t)(type << 1), 1, 0xaa, 0xbb };
                Planned planned = plan(FRAMEKEY_CODEC_H265, frame, sizeof(frame));

                ck_assert(planned.plan.scan);
                expect_clear(&planned, type >= 32 && type <= 38 ? "CCCCCCCC" : "CCCCCC..", "unit");
        }
        check_cases(FRAMEKEY_CODEC_H265, cases, sizeof(cases) / sizeof(*cases));
}
END_TEST

START_TEST(av1_is_written_as_a_packetiser_writes_it) {
        static const Case cases[] = {
                { "nothing", "", "", "" },
                { "delimiter only", "1200", "", "" },
                { "last loses its size", "12000a02aabb3203ccddee", "0a02aabb30ccddee", "CC..C..." },
                { "last has none", "0a02aabb30ccddee", "0a02aabb30ccddee", "CC..C..." },
                { "extension", "0e0801aa360802bbcc", "0e0801aa3408bbcc", "CCC.CC.." },
                { "padded size", "0a828000aabb3201cc", "0a02aabb30cc", "CC..C." },
                { "tile list", "4201aa3201cc", "30cc", "C." },
                /* libdave leaves the size to the one in front, whose reader then finds the trailer behind it. */
                { "padding at the end", "0a01aa3201cc7a0100", "0a01aa30cc", "CC.C." },
                { "no payload", "0a003200", "0a0030", "CCC" },
                { "header at the end", "0a01aa30", "0a01aa30", "CC.C" },
        };

        check_cases(FRAMEKEY_CODEC_AV1, cases, sizeof(cases) / sizeof(*cases));
}
END_TEST

START_TEST(malformed_av1_is_encrypted_whole) {
        static const Case cases[] = {
                { "size beyond the end", "0a02aabb3204ccddee", "0a02aabb3204ccddee", "........." },
                { "no extension byte", "0a01aa36", "0a01aa36", "...." },
                { "no size", "0a01aa32", "0a01aa32", "...." },
                { "endless size", "0a80808080808080808000", "0a80808080808080808000", "..........." },
                { "forbidden bit", "8a01aa", "8a01aa", "..." },
                { "huge size", "32ffffffffffffff7faa", "32ffffffffffffff7faa", ".........." },
        };

        check_cases(FRAMEKEY_CODEC_AV1, cases, sizeof(cases) / sizeof(*cases));
}
END_TEST

static size_t encoded_len(const DaveRanges *ranges) {
        size_t len = 0;

        for (size_t i = 0; i < ranges->n_ranges; i++) {
                for (uint32_t v = ranges->ranges[i].offset; v >= 0x80; v >>= 7)
                        len++;
                for (uint32_t v = ranges->ranges[i].size; v >= 0x80; v >>= 7)
                        len++;
                len += 2;
        }
        return len;
}

/* Slices far apart need more bytes of the trailer than near ones, and either limit may come first. */
START_TEST(units_beyond_the_limit_are_payload) {
        static uint8_t frame[300000 + DAVE_RANGES_LIMIT];

        for (size_t distance = 8; distance <= 3000; distance += 17) {
                DaveRanges ranges;
                size_t n = 100, tail;

                memset(frame, 0x55, sizeof(frame));
                for (size_t i = 0; i < n; i++)
                        memcpy(frame + i * distance, (const uint8_t[]){ 0, 0, 1, 0x41, 0xe0 }, 5);
                dave_ranges_plan(FRAMEKEY_CODEC_H264, frame, n * distance, &ranges);
                check_plan(&ranges, n * distance);
                ck_assert_uint_le(encoded_len(&ranges), 239);
                ck_assert(ranges.n_ranges == DAVE_RANGES_LIMIT || encoded_len(&ranges) >= 239 - 3);
                ck_assert_uint_eq(ranges.len, n * distance + ranges.n_ranges);
                tail = ranges.ranges[ranges.n_ranges - 1].offset + 6;
                ck_assert_uint_eq(dave_ranges_write(&ranges, FRAMEKEY_CODEC_H264, frame, n * distance, frame),
                                  ranges.len);
                /* The first unit of the tail, with its short start code. */
                ck_assert_mem_eq(frame + tail + distance - 6, ((const uint8_t[]){ 0x55, 0, 0, 1, 0x41 }), 5);
        }
}
END_TEST

START_TEST(av1_of_too_many_units_is_encrypted_whole) {
        uint8_t frame[2 * 65 + 65];

        for (size_t n = 63; n <= 65; n++) {
                DaveRanges ranges;

                for (size_t i = 0; i < n; i++)
                        memcpy(frame + 3 * i, (const uint8_t[]){ 0x32, 1, 0xaa }, 3);
                dave_ranges_plan(FRAMEKEY_CODEC_AV1, frame, 3 * n, &ranges);
                ck_assert_uint_eq(ranges.n_ranges, n <= DAVE_RANGES_LIMIT ? n : 0);
                ck_assert_uint_eq(ranges.len, n <= DAVE_RANGES_LIMIT ? 3 * n - 1 : 3 * n);
                ck_assert_uint_eq(ranges.rewritten, n <= DAVE_RANGES_LIMIT);
        }
}
END_TEST

/* What a frame of NAL units says, whatever its start codes look like. */
static size_t normalise(const uint8_t *frame, size_t len, uint8_t *ret) {
        size_t n = 0, from = 0;

        while (from < len && frame[from] == 0)
                from++;
        for (size_t i = from; i < len; i++) {
                ret[n++] = frame[i];
                if (n >= 4 && frame[i] == 1 && ret[n - 2] == 0 && ret[n - 3] == 0 && ret[n - 4] == 0)
                        ret[--n - 1] = 1;
        }
        return n;
}

START_TEST(any_frame_has_a_plan_that_loses_nothing) {
        static const uint8_t alphabet[] = { 0, 0, 0, 1, 1, 3, 0x41, 0x65, 0x67, 0x12, 0x32, 0x0a, 0x80, 0xff };
        static const enum framekey_codec codecs[] = { FRAMEKEY_CODEC_VP8, FRAMEKEY_CODEC_H264, FRAMEKEY_CODEC_H265,
                                                      FRAMEKEY_CODEC_AV1 };
        uint8_t frame[48], before[128], after[128];
        uint64_t seed = 1;

        for (unsigned round = 0; round < 200000; round++) {
                enum framekey_codec codec = codecs[round % 4];
                size_t len = round / 4 % sizeof(frame);
                Planned planned;

                for (size_t i = 0; i < len; i++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        frame[i] = alphabet[(seed >> 33) % sizeof(alphabet)];
                }
                planned = plan(codec, frame, len);
                if (!planned.plan.rewritten)
                        ck_assert_mem_eq(planned.bytes, frame, len);
                else if (planned.plan.scan) {
                        size_t n = normalise(frame, len, before);

                        ck_assert_uint_eq(normalise(planned.bytes, planned.plan.len, after), n);
                        ck_assert_mem_eq(after, before, n);
                }
        }
}
END_TEST

RUN_TESTS("dave-ranges", frames_of_libdave, frames_between_two_implementations, audio_data_and_vp9_are_encrypted_whole,
          vp8_frames_shorter_than_their_header_are_encrypted_whole, h264_leaves_clear_what_a_packetiser_reads,
          h264_payloads_are_clear_only_if_they_are_parameters, h264_slice_numbers_are_read_with_care,
          h26x_loses_nothing_at_the_ends, h265_payloads_are_clear_only_if_they_are_parameters,
          av1_is_written_as_a_packetiser_writes_it, malformed_av1_is_encrypted_whole,
          units_beyond_the_limit_are_payload, av1_of_too_many_units_is_encrypted_whole,
          any_frame_has_a_plan_that_loses_nothing)
