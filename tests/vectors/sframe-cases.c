/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arrays of sframe-rfc9605.json and sframe-extra.json; README-sframe.md says what each case must
 * show. Sender and receiver are two sessions, since a key has one direction.
 */
#include "crypto/suite.h"
#include "format/sframe.h"
#include "tests/vectors/vectors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* From here on the daemon sends no more: a limit of ours, which keeps headers short. */
#define COUNTER_LIMIT (UINT64_C(1) << 48)
/* What the daemon takes of an MLS group. */
#define MLS_EPOCH_BITS_MAX 8u
/* For frames of our own: AES_128_GCM_SHA256_128, as in the vectors' refusals. */
#define OWN_SUITE 4u

static framekey_client *client;

static const Bytes nothing;
static uint8_t own_key_bytes[16] = { 1, 2, 3 }, own_text_bytes[] = "A frame between two people";
static const Bytes own_key = { own_key_bytes, sizeof(own_key_bytes) };
static const Bytes own_text = { own_text_bytes, sizeof(own_text_bytes) };

/* ---- keys ---- */

static CountedKey sframe_key(uint32_t suite_id, const Bytes *base_key) {
        const SuiteInfo *suite = suite_find(suite_id);
        CountedKey key = { .profile = "sframe", .secret = *base_key };

        options_add(&key.session, "cipher-suite=%s", suite ? suite->name : "?");
        return key;
}

/* `kid`: of step 0. */
static CountedKey sender_key(uint32_t suite, const Bytes *base_key, unsigned ratchet_bits, uint64_t kid) {
        CountedKey key = sframe_key(suite, base_key);

        options_add(&key.session, "ratchet-bits=%u", ratchet_bits);
        options_add(&key.key, "kid=%" PRIu64, kid);
        return key;
}

/* Of an MLS group, whose epoch has this base key. */
static CountedKey member_key(uint32_t suite, const Bytes *base_key, SFrameMlsLayout layout, const SFrameMlsKid *kid) {
        CountedKey key = sframe_key(suite, base_key);

        options_add(&key.session, "mls-index-bits=%u", layout.index_bits);
        options_add(&key.session, "mls-epoch-bits=%u", layout.epoch_bits);
        options_add(&key.member, "member-index=%" PRIu64, kid->index);
        options_add(&key.member, "context=%" PRIu64, kid->context);
        key.shared = true;
        key.index = (uint32_t)kid->epoch & ((1u << layout.epoch_bits) - 1);
        return key;
}

/* ---- frames ---- */

typedef struct Frame {
        uint64_t kid;
        uint64_t ctr;
        uint32_t step;
        Bytes metadata;
        Bytes pt;
        Bytes ct;
} Frame;

static Frame frame_read(const json_t *entry) {
        return (Frame){
                .kid = field_u64(entry, "kid"),
                .ctr = field_u64(entry, "ctr"),
                .step = field_number(entry, "step", 0),
                .metadata = field_hex(entry, "metadata"),
                .pt = field_hex(entry, "pt"),
                .ct = field_hex(entry, "ct"),
        };
}

static void frame_free(Frame *frame) {
        bytes_free(&frame->metadata);
        bytes_free(&frame->pt);
        bytes_free(&frame->ct);
}

/* One of ours behind a header from elsewhere; `ct` is to be freed. */
static Frame frame_own(uint64_t kid, uint64_t ctr, const Bytes *header) {
        return (Frame){
                .kid = kid,
                .ctr = ctr,
                .pt = own_text,
                .ct = plane_seal_sframe(OWN_SUITE, &own_key, kid, ctr, header, &nothing, &own_text),
        };
}

static uint32_t open_stream(Call *call, enum framekey_direction direction) {
        return call_counted_stream(call, direction, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
}

static Output run_frame(Call *call, enum framekey_direction direction, uint32_t stream, const Bytes *metadata,
                        const Bytes *in) {
        const struct framekey_frame frame = { .size = sizeof(frame),
                                              .stream = stream,
                                              .metadata = metadata->data,
                                              .metadata_len = (uint16_t)metadata->len };

        return direction == FRAMEKEY_ENCRYPT ? call_encrypt(call, &frame, in) : call_decrypt(call, &frame, in);
}

/* A frame comes out as it should, under the KID and the step that it should. Else the case has failed. */
static bool expect_on(Call *call, enum framekey_direction direction, uint32_t stream, const json_t *entry,
                      const char *what, const Frame *frame) {
        bool sending = direction == FRAMEKEY_ENCRYPT, good;
        const Bytes *expected = sending ? &frame->ct : &frame->pt;
        Output out;

        if (sending)
                call_pin_counter(frame->ctr);
        out = run_frame(call, direction, stream, &frame->metadata, sending ? &frame->pt : &frame->ct);
        good = output_is(&out, expected);
        if (!good)
                case_differs(entry, what, expected, out.verdict, out.data, out.len);
        else if (out.result.key_index != (uint16_t)frame->kid || out.result.step != frame->step) {
                good = false;
                case_failed(entry, what, "the result says key %u, step %u", out.result.key_index, out.result.step);
        }
        output_free(&out);
        return good;
}

static bool expect_frame(const CountedKey *key, enum framekey_direction direction, const json_t *entry,
                         const char *what, const Frame *frame) {
        bool good;
        Call call;

        if (!call_open_counted(&call, client, key, direction, entry, what))
                return false;
        good = expect_on(&call, direction, open_stream(&call, direction), entry, what, frame);
        call_close(&call);
        return good;
}

/* Past our own limit the sender refuses, and says why. */
static bool expect_limit(const CountedKey *key, const json_t *entry, const char *what, const Frame *frame) {
        Output out;
        bool good;
        Call call;

        if (!call_open_counted(&call, client, key, FRAMEKEY_ENCRYPT, entry, what))
                return false;
        call_pin_counter(frame->ctr);
        out = run_frame(&call, FRAMEKEY_ENCRYPT, open_stream(&call, FRAMEKEY_ENCRYPT), &frame->metadata, &frame->pt);
        good = out.verdict == FRAMEKEY_VERDICT_LIMIT && output_untouched(&out);
        if (!good)
                case_failed(entry, what, "sending at a counter of 2^48 or more is not refused: %s",
                            framekey_verdict_name(out.verdict));
        output_free(&out);
        call_close(&call);
        return good;
}

static bool check_both_ways(const CountedKey *key, const json_t *entry, const char *what, const Frame *frame) {
        return (frame->ctr < COUNTER_LIMIT ? expect_frame(key, FRAMEKEY_ENCRYPT, entry, what, frame)
                                           : expect_limit(key, entry, what, frame)) &&
               expect_frame(key, FRAMEKEY_DECRYPT, entry, what, frame);
}

/* ---- one key, one frame ---- */

/* As a sender's key, and where MLS could have exported the base key, as a member's: any KID is a place in a group. */
static void run_sealed(const json_t *entry, const char *what) {
        static const SFrameMlsLayout layout = { .index_bits = 8, .epoch_bits = 4 };
        uint32_t suite_id = field_number(entry, "cipher_suite", 0);
        const SuiteInfo *suite = suite_find(suite_id);
        Bytes base_key = field_hex(entry, "base_key");
        Frame frame = frame_read(entry);
        CountedKey key = sender_key(suite_id, &base_key, 0, frame.kid);
        bool good = check_both_ways(&key, entry, what, &frame);

        if (good && base_key.len == suite->key_len) {
                SFrameMlsKid place;

                (void)sframe_mls_unpack(layout, frame.kid, &place);
                key = member_key(suite_id, &base_key, layout, &place);
                good = check_both_ways(&key, entry, "as a member", &frame);
        }
        if (good)
                case_passed(entry, what);
        frame_free(&frame);
        bytes_free(&base_key);
}

static void run_mls_kid(const json_t *entry, const char *what) {
        const SFrameMlsLayout layout = { .index_bits = (uint8_t)field_number(entry, "index_bits", 0),
                                         .epoch_bits = (uint8_t)field_number(entry, "epoch_bits", 0) };
        const SFrameMlsKid place = { .context = field_u64(entry, "context"),
                                     .index = field_number(entry, "index", 0),
                                     .epoch = field_u64(entry, "epoch") };
        uint64_t kid = field_u64(entry, "kid"), packed = 0;
        uint8_t header_bytes[SFRAME_HEADER_MAX];
        const Bytes header = { header_bytes, sframe_header_write(kid, 9, header_bytes) };
        CountedKey alone = sender_key(OWN_SUITE, &own_key, 0, kid), member;
        Frame frame = frame_own(kid, 9, &header);
        bool good = sframe_mls_pack(layout, &place, &packed) == 0 && packed == kid;

        if (!good)
                case_failed(entry, what, "the KID is %" PRIx64, packed);
        else if (layout.epoch_bits > MLS_EPOCH_BITS_MAX)
                case_note(entry, what, "the daemon keeps at most 256 epochs, so this KID runs as a sender's");
        else {
                member = member_key(OWN_SUITE, &own_key, layout, &place);
                good = check_both_ways(&member, entry, "as a member", &frame);
        }
        if (good && check_both_ways(&alone, entry, what, &frame))
                case_passed(entry, what);
        bytes_free(&frame.ct);
}

/* ---- ratchet ---- */

/* Derivation by its effect: the step's own base key makes the same frame, where nothing ratchets. Then a sender and a
 * receiver that begin at this step. */
static bool check_step(const json_t *entry, const json_t *step, unsigned bits, const Bytes *first_key, uint64_t kid) {
        uint32_t suite = field_number(entry, "cipher_suite", 0);
        Bytes base_key = field_hex(step, "base_key");
        CountedKey alone = sender_key(suite, &base_key, 0, field_u64(step, "kid")), begins;
        Frame frame = frame_read(step), unnumbered = frame;
        bool good;

        unnumbered.step = 0;
        good = check_both_ways(&alone, entry, "a step's own base key", &unnumbered);
        if (good && sframe_ratchet_bits_valid(bits)) {
                begins = sender_key(suite, first_key, bits, kid);
                options_add(&begins.key, "step=%" PRIu32, frame.step);
                good = check_both_ways(&begins, entry, "imported at a step", &frame);
        }
        frame_free(&frame);
        bytes_free(&base_key);
        return good;
}

/* One sender that steps by Ratchet(), and one receiver that hears of it from the frames alone. */
static bool check_following(const json_t *entry, Call *sender, Call *receiver) {
        uint32_t from = open_stream(sender, FRAMEKEY_ENCRYPT), to = open_stream(receiver, FRAMEKEY_DECRYPT);
        const json_t *step;
        bool good = true;
        size_t i;

        json_array_foreach(json_object_get(entry, "steps"), i, step) {
                Frame frame = frame_read(step);
                uint32_t reached = 0;

                if (i > 0 &&
                    framekey_session_ratchet(sender->session, CALL_MEMBER, FRAMEKEY_KEY_ACTIVE, &reached) < 0) {
                        case_failed(entry, "stepping", "%s", framekey_client_error(client));
                        good = false;
                } else if (reached != frame.step) {
                        case_failed(entry, "stepping", "step %" PRIu32 " is called %" PRIu32, frame.step, reached);
                        good = false;
                } else
                        good = expect_on(sender, FRAMEKEY_ENCRYPT, from, entry, "stepping", &frame) &&
                               expect_on(receiver, FRAMEKEY_DECRYPT, to, entry, "following", &frame);
                frame_free(&frame);
                if (!good)
                        break;
        }
        return good;
}

static bool check_chain(const json_t *entry, const CountedKey *key) {
        Call sender, receiver;
        bool good = false;

        if (!call_open_counted(&sender, client, key, FRAMEKEY_ENCRYPT, entry, "stepping"))
                return false;
        if (call_open_counted(&receiver, client, key, FRAMEKEY_DECRYPT, entry, "following")) {
                good = check_following(entry, &sender, &receiver);
                call_close(&receiver);
        }
        call_close(&sender);
        return good;
}

static void run_ratchet(const json_t *entry, const char *what) {
        unsigned bits = field_number(entry, "ratchet_bits", 0);
        uint64_t kid = (uint64_t)field_number(entry, "key_generation", 0) << bits;
        Bytes base_key = field_hex(entry, "base_key");
        CountedKey key = sender_key(field_number(entry, "cipher_suite", 0), &base_key, bits, kid);
        const json_t *step;
        bool good = true;
        size_t i;

        json_array_foreach(json_object_get(entry, "steps"), i, step) good =
                good && check_step(entry, step, bits, &base_key, kid);
        if (!sframe_ratchet_bits_valid(bits))
                case_note(entry, what,
                          "the daemon refuses fewer than 3 bits, with which a late step and one ahead look the same; "
                          "each step runs by its own base key alone");
        else
                good = good && check_chain(entry, &key);
        if (good)
                case_passed(entry, what);
        bytes_free(&base_key);
}

/* ---- RTP streams ---- */

/* What the vector's key of a stream seals one step on, a receiver opens that has the stream's base key and follows; and
 * the other way round. */
static bool check_ratcheted_stream(const json_t *entry, const Bytes *base_key) {
        uint32_t suite = field_number(entry, "cipher_suite", 0);
        Bytes ratcheted = field_hex(entry, "ratcheted_once");
        CountedKey vector = sender_key(suite, &ratcheted, 0, 0x901), stream = sender_key(suite, base_key, 8, 0x900);
        uint8_t header_bytes[SFRAME_HEADER_MAX];
        const Bytes header = { header_bytes, sframe_header_write(0x901, 4, header_bytes) };
        Frame frame = { .kid = 0x901, .ctr = 4, .pt = own_text };
        bool good;

        frame.ct = plane_seal_sframe(suite, &ratcheted, frame.kid, frame.ctr, &header, &nothing, &own_text);
        options_add(&stream.key, "ssrc=%u", field_number(entry, "ssrc", 0));
        good = check_both_ways(&vector, entry, "the ratcheted key", &frame);
        frame.step = 1;
        good = good && expect_frame(&stream, FRAMEKEY_DECRYPT, entry, "a stream, followed", &frame);
        options_add(&stream.key, "step=1");
        good = good && expect_frame(&stream, FRAMEKEY_ENCRYPT, entry, "a stream, ratcheted", &frame);
        bytes_free(&frame.ct);
        bytes_free(&ratcheted);
        return good;
}

static void run_ssrc(const json_t *entry, const char *what) {
        uint32_t suite = field_number(entry, "cipher_suite", 0);
        Bytes base_key = field_hex(entry, "base_key"), ssrc_key = field_hex(entry, "ssrc_key");
        Frame frame = frame_read(entry);
        CountedKey stream = sender_key(suite, &base_key, 0, frame.kid),
                   own = sender_key(suite, &ssrc_key, 0, frame.kid);

        options_add(&stream.key, "ssrc=%u", field_number(entry, "ssrc", 0));
        if (check_both_ways(&stream, entry, what, &frame) && check_both_ways(&own, entry, "the stream's key", &frame) &&
            check_ratcheted_stream(entry, &base_key))
                case_passed(entry, what);
        frame_free(&frame);
        bytes_free(&base_key);
        bytes_free(&ssrc_key);
}

/* ---- what must not open ---- */

/* A frame that the receiver has to open, or it was deaf before. */
static bool still_opens(Call *receiver, uint32_t stream, const CountedKey *key, const Bytes *metadata,
                        const json_t *entry, const char *what) {
        Output sealed, opened;
        Bytes ct;
        bool good;
        Call sender;

        if (!call_open_counted(&sender, client, key, FRAMEKEY_ENCRYPT, entry, what))
                return false;
        call_pin_counter(0x4242);
        sealed = run_frame(&sender, FRAMEKEY_ENCRYPT, open_stream(&sender, FRAMEKEY_ENCRYPT), metadata, &own_text);
        ct = (Bytes){ sealed.data, sealed.len };
        opened = run_frame(receiver, FRAMEKEY_DECRYPT, stream, metadata, &ct);
        good = sealed.verdict == FRAMEKEY_OK && output_is(&opened, &own_text);
        if (!good)
                case_failed(entry, what, "the next good frame: sealed %s, opened %s",
                            framekey_verdict_name(sealed.verdict), framekey_verdict_name(opened.verdict));
        output_free(&sealed);
        output_free(&opened);
        call_close(&sender);
        return good;
}

static void expect_refused(const CountedKey *key, const Bytes *metadata, const Bytes *ct, int expected,
                           const json_t *entry, const char *what) {
        uint32_t stream;
        Output out;
        Call call;

        if (!call_open_counted(&call, client, key, FRAMEKEY_DECRYPT, entry, what))
                return;
        stream = open_stream(&call, FRAMEKEY_DECRYPT);
        out = run_frame(&call, FRAMEKEY_DECRYPT, stream, metadata, ct);
        if (out.verdict != expected)
                case_failed(entry, what, "expected %s, got %s", framekey_verdict_name(expected),
                            framekey_verdict_name(out.verdict));
        else if (!output_untouched(&out))
                case_failed(entry, what, "bytes of a refused frame came out");
        else if (still_opens(&call, stream, key, metadata, entry, what))
                case_passed(entry, what);
        output_free(&out);
        call_close(&call);
}

static void run_open_reject(const json_t *entry, const char *what) {
        bool shapeless =
                field_is(entry, "name", "shorter-than-tag") || field_is(entry, "name", "header-rewritten-not-minimal");
        Bytes base_key = field_hex(entry, "base_key"), metadata = field_hex(entry, "metadata");
        Bytes ct = field_hex(entry, "ct");
        CountedKey key = sender_key(field_number(entry, "cipher_suite", 0), &base_key, 0, field_u64(entry, "kid"));

        expect_refused(&key, &metadata, &ct, shapeless ? FRAMEKEY_VERDICT_MALFORMED : FRAMEKEY_VERDICT_FORGED, entry,
                       what);
        bytes_free(&base_key);
        bytes_free(&metadata);
        bytes_free(&ct);
}

/* The header alone; then as a frame, an authentic one where the vector has one. */
static void run_header_reject(const json_t *entry, const char *what) {
        const json_t *sealed = json_object_get(entry, "sealed_with_base_key_01");
        int expected = field_is(entry, "reason", "truncated") ? SFRAME_TRUNCATED : SFRAME_NOT_MINIMAL;
        Bytes encoded = field_hex(entry, "encoded"), base_key = field_hex(sealed, "base_key");
        Bytes ct = field_hex(sealed, "ct");
        SFrameHeader header;
        CountedKey key;

        if (sframe_header_parse(encoded.data, encoded.len, &header) != expected)
                case_failed(entry, what, "the header is taken, or refused for another reason");
        else if (sealed) {
                key = sender_key(field_number(sealed, "cipher_suite", 0), &base_key, 0, field_u64(sealed, "kid"));
                expect_refused(&key, &nothing, &ct, FRAMEKEY_VERDICT_MALFORMED, entry, what);
        } else {
                key = sender_key(OWN_SUITE, &own_key, 0, 0);
                expect_refused(&key, &nothing, &encoded,
                               encoded.len > 0 ? FRAMEKEY_VERDICT_MALFORMED : FRAMEKEY_VERDICT_EMPTY, entry, what);
        }
        bytes_free(&encoded);
        bytes_free(&base_key);
        bytes_free(&ct);
}

/* ---- what the key plane's library shows by itself ---- */

/* The header of one frame, and the frame behind it through the daemon: there is none in the vector, so it is ours. */
static void run_header(const json_t *entry, const char *what) {
        uint64_t kid = field_u64(entry, "kid"), ctr = field_u64(entry, "ctr");
        Bytes encoded = field_hex(entry, "encoded");
        Frame frame = frame_own(kid, ctr, &encoded);
        CountedKey key = sender_key(OWN_SUITE, &own_key, 0, kid);
        uint8_t written[SFRAME_HEADER_MAX];
        SFrameHeader header;

        if (!bytes_equal(&encoded, written, sframe_header_write(kid, ctr, written)))
                case_failed(entry, what, "written otherwise");
        else if (sframe_header_parse(encoded.data, encoded.len, &header) != 0 || header.kid != kid ||
                 header.ctr != ctr || header.len != encoded.len)
                case_failed(entry, what, "read otherwise");
        else if (check_both_ways(&key, entry, what, &frame))
                case_passed(entry, what);
        bytes_free(&frame.ct);
        bytes_free(&encoded);
}

static void run_aes_ctr_hmac(const json_t *entry, const char *what) {
        const SuiteInfo *suite = suite_find(field_number(entry, "cipher_suite", 0));
        Bytes key = field_hex(entry, "key"), nonce = field_hex(entry, "nonce"), aad = field_hex(entry, "aad");
        Bytes pt = field_hex(entry, "pt"), ct = field_hex(entry, "ct");
        uint8_t *out = malloc(ct.len);
        const SuitePiece piece = { aad.data, aad.len };
        SuiteText text = { pt.data, out, pt.len };
        const SuiteFrame frame = { nonce.data, &piece, 1, &text, 1 };
        SuiteCipher *cipher = NULL;
        bool good;

        good = suite && key.len == suite->key_len && nonce.len == SUITE_NONCE_LEN &&
               ct.len == pt.len + suite->tag_len && suite_cipher_new(&cipher, suite, key.data) == 0 &&
               suite_seal(cipher, &frame, out + pt.len) == 0 && bytes_equal(&ct, out, ct.len);
        if (good) {
                text = (SuiteText){ ct.data, out, pt.len };
                good = suite_open(cipher, &frame, ct.data + pt.len) == 0 && bytes_equal(&pt, out, pt.len);
        }
        if (good)
                case_passed(entry, what);
        else
                case_failed(entry, what, "other bytes");
        suite_cipher_free(cipher);
        free(out);
        bytes_free(&key);
        bytes_free(&nonce);
        bytes_free(&aad);
        bytes_free(&pt);
        bytes_free(&ct);
}

/* Not cases, but what the cases build on. */
static void check_suites(const json_t *suites) {
        json_t *constants;
        const char *id;

        json_object_foreach((json_t *)suites, id, constants) {
                const SuiteInfo *suite = suite_find((uint32_t)strtoul(id, NULL, 10));

                if (!suite || !field_is(constants, "name", suite->name) ||
                    field_number(constants, "Nh", 0) != kdf_hash_len(suite->hash) ||
                    field_number(constants, "Nka", 0) != suite->cipher_key_len ||
                    field_number(constants, "Nk", 0) != suite->key_len ||
                    field_number(constants, "Nn", 0) != SUITE_NONCE_LEN ||
                    field_number(constants, "Nt", 0) != suite->tag_len)
                        case_failed(constants, "suites", "suite %s has other constants", id);
        }
}

/* ---- the files ---- */

void run_sframe_file(framekey_client *with_client, json_t *file) {
        static const CaseArray rfc[] = {
                { "header", run_header },
                { "aes_ctr_hmac", run_aes_ctr_hmac },
                { "sframe", run_sealed },
        };
        static const CaseArray post_rfc[] = {
                { "aes_256_ctr_hmac", run_aes_ctr_hmac },
                { "sframe_aes_256_ctr_hmac", run_sealed },
        };
        static const CaseArray extra[] = {
                { "sealed", run_sealed },
                { "ratchet", run_ratchet },
                { "mls_kid", run_mls_kid },
                { "ssrc", run_ssrc },
                { "header_reject", run_header_reject },
                { "open_reject", run_open_reject },
        };

        client = with_client;
        plane_prepare();
        if (field_is(file, "format", "sframe-extra-1")) {
                cases_run(file, extra, ELEMENTS(extra));
                return;
        }
        check_suites(json_object_get(file, "suites"));
        cases_run(file, rfc, ELEMENTS(rfc));
        cases_run(json_object_get(file, "post_rfc"), post_rfc, ELEMENTS(post_rfc));
}
