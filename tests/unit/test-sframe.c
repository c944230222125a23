/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit tests of format/sframe: header and KID layouts against the vectors, and both sides of every limit. */
#include "format/sframe.h"

#include "runner.h"
#include "vector-file.h"

START_TEST(headers_are_written_and_parsed) {
        json_t *root = vector_load("sframe-rfc9605.json");
        const json_t *entry;
        size_t i;

        json_array_foreach(vector_array(root, "header"), i, entry) {
                VectorBytes encoded = vector_hex(entry, "encoded");
                uint64_t kid = vector_u64(entry, "kid"), ctr = vector_u64(entry, "ctr");
                uint8_t written[SFRAME_HEADER_MAX];
                SFrameHeader header;

                ck_assert_uint_eq(sframe_header_write(kid, ctr, written), encoded.len);
                ck_assert_mem_eq(written, encoded.bytes, encoded.len);
                ck_assert_int_eq(sframe_header_parse(encoded.bytes, encoded.len, &header), 0);
                ck_assert_uint_eq(header.kid, kid);
                ck_assert_uint_eq(header.ctr, ctr);
                ck_assert_uint_eq(header.len, encoded.len);
                /* What follows does not matter, what is missing does. */
                ck_assert_int_eq(sframe_header_parse(encoded.bytes, encoded.len + 1, &header), 0);
                ck_assert_uint_eq(header.len, encoded.len);
                for (size_t len = 0; len < encoded.len; len++)
                        ck_assert_int_eq(sframe_header_parse(encoded.bytes, len, &header), SFRAME_TRUNCATED);
        }
        json_decref(root);
}
END_TEST

START_TEST(headers_no_sender_makes_are_refused) {
        json_t *root = vector_load("sframe-extra.json");
        const json_t *entry;
        size_t i, n_not_minimal = 0;

        json_array_foreach(vector_array(root, "header_reject"), i, entry) {
                VectorBytes encoded = vector_hex(entry, "encoded");
                bool truncated = strcmp(vector_text(entry, "reason"), "truncated") == 0;
                const json_t *sealed = json_object_get(entry, "sealed_with_base_key_01");
                SFrameHeader header;
                SFrame frame;

                ck_assert_int_eq(sframe_header_parse(encoded.bytes, encoded.len, &header),
                                 truncated ? SFRAME_TRUNCATED : SFRAME_NOT_MINIMAL);
                if (!sealed)
                        continue;
                encoded = vector_hex(sealed, "ct");
                ck_assert_int_eq(sframe_parse(encoded.bytes, encoded.len, 16, &frame), SFRAME_NOT_MINIMAL);
                n_not_minimal++;
        }
        ck_assert_uint_ge(n_not_minimal, 5);
        json_decref(root);
}
END_TEST

/* All configuration bytes over numbers of every length: one encoding for each (KID, CTR), and no other parses. */
START_TEST(one_encoding_is_one_header) {
        static const uint8_t fillers[] = { 0x00, 0x01, 0x07, 0x08, 0x7f, 0x80, 0xff };
        uint8_t bytes[SFRAME_HEADER_MAX], written[SFRAME_HEADER_MAX];
        size_t n_accepted = 0;

        for (unsigned config = 0; config < 256; config++)
                for (size_t f = 0; f < ELEMENTS(fillers); f++)
                        for (size_t g = 0; g < ELEMENTS(fillers); g++) {
                                SFrameHeader header;

                                memset(bytes, fillers[f], sizeof(bytes));
                                bytes[0] = (uint8_t)config;
                                bytes[1] = fillers[g];
                                if (sframe_header_parse(bytes, sizeof(bytes), &header) != 0)
                                        continue;
                                ck_assert_uint_eq(sframe_header_write(header.kid, header.ctr, written), header.len);
                                ck_assert_mem_eq(written, bytes, header.len);
                                n_accepted++;
                        }
        ck_assert_uint_gt(n_accepted, 1000);
}
END_TEST

START_TEST(a_frame_holds_its_tag) {
        const uint8_t bytes[64] = { 0x9a, 0x01, 0x2c, 0x01, 0x11, 0x70 };
        SFrame frame;

        for (size_t tag_len = 0; tag_len <= 16; tag_len++)
                for (size_t len = 0; len <= sizeof(bytes); len++) {
                        int r = sframe_parse(bytes, len, tag_len, &frame);

                        if (len < 6 + tag_len) {
                                ck_assert_int_eq(r, SFRAME_TRUNCATED);
                                continue;
                        }
                        ck_assert_int_eq(r, 0);
                        ck_assert_uint_eq(frame.header.kid, 0x12c);
                        ck_assert_uint_eq(frame.header.ctr, 0x011170);
                        ck_assert_uint_eq(frame.header.len + frame.text_len, frame.tag_offset);
                        ck_assert_uint_eq(frame.tag_offset + tag_len, len);
                }
}
END_TEST

/* ---- sender keys ---- */

START_TEST(steps_are_packed_as_in_the_chains) {
        json_t *root = vector_load("sframe-extra.json");
        const json_t *chain, *step;
        size_t i, k;

        json_array_foreach(vector_array(root, "ratchet"), i, chain) {
                unsigned bits = (unsigned)vector_number(chain, "ratchet_bits");
                uint64_t generation = vector_number(chain, "key_generation"), at = 0, kid;

                json_array_foreach(vector_array(chain, "steps"), k, step) {
                        uint64_t absolute = vector_number(step, "step");

                        ck_assert_int_eq(sframe_sender_kid(generation, absolute, bits, &kid), 0);
                        ck_assert_uint_eq(kid, vector_u64(step, "kid"));
                        ck_assert_uint_eq(sframe_sender_generation(kid, bits), generation);
                        /* Followed from one step of the vectors to the next, which are near enough. */
                        if (absolute - at < (UINT64_C(1) << bits))
                                ck_assert_uint_eq(sframe_sender_step(kid, bits, at, 0), absolute);
                        at = absolute;
                }
        }
        json_decref(root);
}
END_TEST

START_TEST(a_step_is_found_around_the_last_one) {
        for (unsigned bits = 3; bits <= 12; bits++)
                for (uint64_t at = 0; at < 600; at += 7)
                        for (uint64_t behind = 0; behind < 3; behind++) {
                                uint64_t first = at > behind ? at - behind : 0, kid;

                                for (uint64_t step = first; step < first + (UINT64_C(1) << bits); step++) {
                                        ck_assert_int_eq(sframe_sender_kid(3, step, bits, &kid), 0);
                                        ck_assert_uint_eq(sframe_sender_step(kid, bits, at, behind), step);
                                }
                        }
        ck_assert_uint_eq(sframe_sender_step(9, 0, 5, 0), 5); /* without ratchet bits a step stays what it is */
}
END_TEST

START_TEST(too_few_ratchet_bits_are_refused) {
        static const struct {
                unsigned bits;
                bool valid;
        } cases[] = { { 0, true }, { 1, false }, { 2, false },  { 3, true },
                      { 8, true }, { 32, true }, { 33, false }, { 64, false } };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                ck_assert_int_eq(sframe_ratchet_bits_valid(cases[i].bits), cases[i].valid);
}
END_TEST

START_TEST(a_generation_fits_the_kid) {
        uint64_t kid = 7;

        ck_assert_int_eq(sframe_sender_kid(UINT64_MAX, 0, 0, &kid), 0);
        ck_assert_uint_eq(kid, UINT64_MAX);
        ck_assert_int_eq(sframe_sender_kid(UINT64_MAX >> 8, 255, 8, &kid), 0);
        ck_assert_uint_eq(kid, UINT64_MAX);
        kid = 7;
        ck_assert_int_eq(sframe_sender_kid((UINT64_MAX >> 8) + 1, 0, 8, &kid), SFRAME_OUT_OF_RANGE);
        ck_assert_int_eq(sframe_sender_kid(1, 0, 64, &kid), SFRAME_OUT_OF_RANGE);
        ck_assert_uint_eq(kid, 7);
}
END_TEST

/* ---- MLS ---- */

START_TEST(mls_kids_pack_and_unpack) {
        json_t *root = vector_load("sframe-extra.json");
        const json_t *entry;
        size_t i;

        json_array_foreach(vector_array(root, "mls_kid"), i, entry) {
                SFrameMlsLayout layout = { (uint8_t)vector_number(entry, "index_bits"),
                                           (uint8_t)vector_number(entry, "epoch_bits") };
                SFrameMlsKid parts = { vector_u64(entry, "context"), vector_number(entry, "index"),
                                       vector_u64(entry, "epoch") };
                SFrameMlsKid unpacked;
                uint64_t kid;

                ck_assert_int_eq(sframe_mls_pack(layout, &parts, &kid), 0);
                ck_assert_uint_eq(kid, vector_u64(entry, "kid"));
                ck_assert_int_eq(sframe_mls_unpack(layout, kid, &unpacked), 0);
                ck_assert_uint_eq(unpacked.context, parts.context);
                ck_assert_uint_eq(unpacked.index, parts.index);
                ck_assert_uint_eq(unpacked.epoch, parts.epoch % (UINT64_C(1) << layout.epoch_bits));
        }
        json_decref(root);
}
END_TEST

/* Every split of the 64 bits, with all parts at their largest and one beyond. */
START_TEST(mls_parts_keep_to_their_bits) {
        for (unsigned s = 0; s <= 64; s++)
                for (unsigned e = 0; s + e <= 64; e++) {
                        SFrameMlsLayout layout = { (uint8_t)s, (uint8_t)e };
                        unsigned c = 64 - s - e;
                        SFrameMlsKid most = { c ? UINT64_MAX >> (64 - c) : 0, s ? UINT64_MAX >> (64 - s) : 0,
                                              UINT64_MAX };
                        SFrameMlsKid more = most, back;
                        uint64_t kid = 0;

                        ck_assert_int_eq(sframe_mls_pack(layout, &most, &kid), 0);
                        ck_assert_uint_eq(kid, UINT64_MAX);
                        ck_assert_int_eq(sframe_mls_unpack(layout, kid, &back), 0);
                        ck_assert_uint_eq(back.context, most.context);
                        ck_assert_uint_eq(back.index, most.index);
                        ck_assert_uint_eq(back.epoch, e ? UINT64_MAX >> (64 - e) : 0);
                        more.context++;
                        if (c < 64)
                                ck_assert_int_eq(sframe_mls_pack(layout, &more, &kid), SFRAME_OUT_OF_RANGE);
                        more = most;
                        more.index++;
                        if (s < 64)
                                ck_assert_int_eq(sframe_mls_pack(layout, &more, &kid), SFRAME_OUT_OF_RANGE);
                }
        ck_assert_int_eq(sframe_mls_pack((SFrameMlsLayout){ 33, 32 }, &(SFrameMlsKid){ 0 }, &(uint64_t){ 0 }),
                         SFRAME_OUT_OF_RANGE);
        ck_assert_int_eq(sframe_mls_unpack((SFrameMlsLayout){ 255, 255 }, 0, &(SFrameMlsKid){ 0 }),
                         SFRAME_OUT_OF_RANGE);
}
END_TEST

RUN_TESTS("sframe", headers_are_written_and_parsed, headers_no_sender_makes_are_refused, one_encoding_is_one_header,
          a_frame_holds_its_tag, steps_are_packed_as_in_the_chains, a_step_is_found_around_the_last_one,
          too_few_ratchet_bits_are_refused, a_generation_fits_the_kid, mls_kids_pack_and_unpack,
          mls_parts_keep_to_their_bits)
