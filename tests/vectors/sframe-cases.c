/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arrays of sframe-rfc9605.json and sframe-extra.json; README-sframe.md says what each case must
 * show. Sender and receiver are two sessions, since a key has one direction.
 */
#include "crypto/arena.h"
#include "crypto/suite.h"
#include "format/sframe.h"
#include "tests/vectors/vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_USEC (30u * 1000000u)
/* From here on the daemon sends no more: a limit of ours, which keeps headers short. */
#define COUNTER_LIMIT (UINT64_C(1) << 48)
#define ROOM          128u

static framekey_client *client;

static uint64_t field_hex64(const json_t *entry, const char *name) {
        return strtoull(field_text(entry, name), NULL, 16);
}

/* How a key is opened: what a vector's fields become as options. */
typedef struct Setup {
        char text[6][96];
        const char *session[5];
        const char *member[3];
        const char *key[4];
        Bytes secret;
        CountedKey counted;
} Setup;

static Setup *setup_new(const json_t *entry, const Bytes *base_key, unsigned ratchet_bits, uint64_t kid) {
        Setup *setup = calloc(1, sizeof(*setup));
        const SuiteInfo *suite = suite_find(field_number(entry, "cipher_suite", 0));

        (void)snprintf(setup->text[0], sizeof(setup->text[0]), "cipher-suite=%s", suite ? suite->name : "?");
        (void)snprintf(setup->text[1], sizeof(setup->text[1]), "ratchet-bits=%u", ratchet_bits);
        (void)snprintf(setup->text[2], sizeof(setup->text[2]), "kid=%" PRIu64, kid);
        setup->session[0] = setup->text[0];
        setup->session[1] = setup->text[1];
        setup->key[0] = setup->text[2];
        setup->secret = *base_key;
        setup->counted = (CountedKey){
                .profile = "sframe",
                .session_options = setup->session,
                .key_options = setup->key,
                .secret = &setup->secret,
        };
        return setup;
}

static void setup_free(Setup *setup) {
        free(setup);
}

/* One frame through a session. The verdict, or -1: `call` says why there is none. */
static int run_frame(Call *call, enum framekey_direction direction, const Bytes *metadata, const Bytes *in,
                     Bytes *out) {
        int64_t stream = call_counted_stream(call, direction, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS);
        struct framekey_frame frame = { .size = sizeof(frame),
                                        .stream = (uint32_t)stream,
                                        .metadata = metadata->data,
                                        .metadata_len = (uint16_t)metadata->len };
        size_t capacity = in->len + ROOM;

        *out = (Bytes){ .data = malloc(capacity) };
        if (stream < 0)
                return -1;
        if (direction == FRAMEKEY_ENCRYPT)
                return framekey_encrypt(call->channel, &frame, in->data, in->len, out->data, capacity, &out->len, NULL,
                                        DEADLINE_USEC);
        return framekey_decrypt(call->channel, &frame, in->data, in->len, out->data, capacity, &out->len, NULL,
                                DEADLINE_USEC);
}

static bool same(const Bytes *a, const Bytes *b) {
        return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* A frame through a fresh session; true if it gives `expected`. Else the case has failed. */
static bool expect_frame(const json_t *entry, const char *what, const Setup *setup, enum framekey_direction direction,
                         const Bytes *metadata, const Bytes *in, const Bytes *expected) {
        Bytes out = { 0 };
        int verdict = -1;
        bool good = false;
        Call call;

        if (call_open_counted(&call, client, &setup->counted, direction)) {
                verdict = run_frame(&call, direction, metadata, in, &out);
                good = verdict == FRAMEKEY_OK && same(expected, &out);
                if (!good)
                        case_differs(entry, what, expected, verdict, out.data, out.len);
        } else
                case_failed(entry, what, "no session: %s", framekey_client_error(client));
        bytes_free(&out);
        call_close(&call);
        return good;
}

/* Past our own limit the sender refuses, and says why. */
static bool expect_limit(const json_t *entry, const char *what, const Setup *setup, const Bytes *metadata,
                         const Bytes *in) {
        Bytes out = { 0 };
        int verdict = -1;
        Call call;

        if (call_open_counted(&call, client, &setup->counted, FRAMEKEY_ENCRYPT))
                verdict = run_frame(&call, FRAMEKEY_ENCRYPT, metadata, in, &out);
        if (verdict != FRAMEKEY_VERDICT_LIMIT)
                case_failed(entry, what, "a counter of 2^48 was not refused: %s", framekey_verdict_name(verdict));
        bytes_free(&out);
        call_close(&call);
        return verdict == FRAMEKEY_VERDICT_LIMIT;
}

/* Seals and opens what a vector has as pt and ct. */
static bool check_both_ways(const json_t *entry, const char *what, const Setup *setup) {
        Bytes metadata = field_hex(entry, "metadata"), pt = field_hex(entry, "pt"), ct = field_hex(entry, "ct");
        uint64_t ctr = field_hex64(entry, "ctr");
        bool good;

        call_pin_counter(ctr);
        if (ctr < COUNTER_LIMIT)
                good = expect_frame(entry, what, setup, FRAMEKEY_ENCRYPT, &metadata, &pt, &ct);
        else
                good = expect_limit(entry, what, setup, &metadata, &pt);
        good = good && expect_frame(entry, what, setup, FRAMEKEY_DECRYPT, &metadata, &ct, &pt);
        bytes_free(&metadata);
        bytes_free(&pt);
        bytes_free(&ct);
        return good;
}

/* ---- through the daemon ---- */

static void run_sealed(const json_t *entry, const char *what) {
        Bytes base_key = field_hex(entry, "base_key");
        Setup *setup = setup_new(entry, &base_key, 0, field_hex64(entry, "kid"));

        if (check_both_ways(entry, what, setup))
                case_passed(entry, what);
        setup_free(setup);
        bytes_free(&base_key);
}

/* The same frame as a member's of an MLS group, if its base key is one that MLS could export: KID 0x123 is member 0x12
 * in epoch 3 with 4 bits for the epoch. */
static void run_mls_session(const json_t *entry) {
        static const char *const session_options[] = { "mls-index-bits=8", "mls-epoch-bits=4" };
        Bytes base_key = field_hex(entry, "base_key");
        const SuiteInfo *suite = suite_find(field_number(entry, "cipher_suite", 0));
        uint64_t kid = field_hex64(entry, "kid");
        Setup *setup;

        if (suite && base_key.len == suite->key_len && kid < 1u << 12) {
                setup = setup_new(entry, &base_key, 0, 0);
                setup->session[1] = session_options[0];
                setup->session[2] = session_options[1];
                setup->key[0] = NULL;
                (void)snprintf(setup->text[3], sizeof(setup->text[3]), "member-index=%" PRIu64, kid >> 4);
                setup->member[0] = setup->text[3];
                setup->counted.member_options = setup->member;
                setup->counted.shared = true;
                setup->counted.index = kid & 15;
                if (check_both_ways(entry, "mls", setup))
                        case_passed(entry, "mls");
                setup_free(setup);
        }
        bytes_free(&base_key);
}

/* A sender that is at this step by its import, and one receiver that follows the chain from step 0 on. */
static bool check_step(const json_t *entry, const json_t *step, unsigned bits, const Bytes *base_key, Call *receiver) {
        Bytes ct = field_hex(step, "ct"), pt = field_hex(step, "pt"), nothing = { 0 }, out;
        Setup *setup = setup_new(entry, base_key, bits, (uint64_t)field_number(entry, "key_generation", 0) << bits);
        bool good;
        int verdict;

        (void)snprintf(setup->text[3], sizeof(setup->text[3]), "step=%u", field_number(step, "step", 0));
        setup->key[1] = setup->text[3];
        call_pin_counter(field_hex64(step, "ctr"));
        good = expect_frame(entry, "ratchet, sending", setup, FRAMEKEY_ENCRYPT, &nothing, &pt, &ct);
        if (good) {
                verdict = run_frame(receiver, FRAMEKEY_DECRYPT, &nothing, &ct, &out);
                good = verdict == FRAMEKEY_OK && same(&pt, &out);
                if (!good)
                        case_differs(entry, "ratchet, following", &pt, verdict, out.data, out.len);
                bytes_free(&out);
        }
        setup_free(setup);
        bytes_free(&ct);
        bytes_free(&pt);
        return good;
}

/* Fewer than 3 bits are refused: a late frame's step and the one ahead would look the same. Each step's frame is run as
 * one of a key that does not ratchet, from the vector's own base key for it. */
static void run_ratchet_of_few_bits(const json_t *entry) {
        const json_t *step;
        bool good = true;
        size_t i;

        (void)printf("note ratchet with %u bits: the daemon refuses so few; each step is run by its own base key\n",
                     field_number(entry, "ratchet_bits", 0));
        json_array_foreach(json_object_get(entry, "steps"), i, step) {
                Bytes base_key = field_hex(step, "base_key");
                json_t *frame = json_deep_copy(step);
                Setup *setup = setup_new(entry, &base_key, 0, field_hex64(step, "kid"));

                good = good && check_both_ways(frame, "ratchet, a step alone", setup);
                setup_free(setup);
                json_decref(frame);
                bytes_free(&base_key);
        }
        if (good)
                case_passed(entry, "ratchet");
}

static void run_ratchet(const json_t *entry, const char *what) {
        unsigned bits = field_number(entry, "ratchet_bits", 0);
        Bytes base_key = field_hex(entry, "base_key");
        const json_t *step;
        Setup *setup;
        Call receiver;
        bool good = true;
        size_t i;

        if (!sframe_ratchet_bits_valid(bits)) {
                run_ratchet_of_few_bits(entry);
                bytes_free(&base_key);
                return;
        }
        setup = setup_new(entry, &base_key, bits, (uint64_t)field_number(entry, "key_generation", 0) << bits);
        if (call_open_counted(&receiver, client, &setup->counted, FRAMEKEY_DECRYPT)) {
                json_array_foreach(json_object_get(entry, "steps"), i, step) good =
                        good && check_step(entry, step, bits, &base_key, &receiver);
                if (good)
                        case_passed(entry, what);
        } else
                case_failed(entry, what, "no session: %s", framekey_client_error(client));
        call_close(&receiver);
        setup_free(setup);
        bytes_free(&base_key);
}

/* What a stream's key seals after one step, the vector's ratcheted key opens. */
static bool check_ratcheted_stream(const json_t *entry, const char *what) {
        Bytes base_key = field_hex(entry, "base_key"), ratcheted = field_hex(entry, "ratcheted_once");
        Bytes pt = field_hex(entry, "pt"), nothing = { 0 }, out = { 0 };
        Setup *sender = setup_new(entry, &base_key, 8, 0x900), *receiver = setup_new(entry, &ratcheted, 0, 0x901);
        bool good = false;
        Call call;

        (void)snprintf(sender->text[3], sizeof(sender->text[3]), "ssrc=%u", field_number(entry, "ssrc", 0));
        sender->key[1] = sender->text[3];
        sender->key[2] = "step=1";
        if (call_open_counted(&call, client, &sender->counted, FRAMEKEY_ENCRYPT) &&
            run_frame(&call, FRAMEKEY_ENCRYPT, &nothing, &pt, &out) == FRAMEKEY_OK)
                good = expect_frame(entry, "ssrc, ratcheted", receiver, FRAMEKEY_DECRYPT, &nothing, &out, &pt);
        else
                case_failed(entry, what, "no ratcheted frame: %s", framekey_client_error(client));
        call_close(&call);
        bytes_free(&out);
        setup_free(sender);
        setup_free(receiver);
        bytes_free(&base_key);
        bytes_free(&ratcheted);
        bytes_free(&pt);
        return good;
}

static void run_ssrc(const json_t *entry, const char *what) {
        Bytes base_key = field_hex(entry, "base_key");
        Setup *setup = setup_new(entry, &base_key, 0, field_hex64(entry, "kid"));

        (void)snprintf(setup->text[3], sizeof(setup->text[3]), "ssrc=%u", field_number(entry, "ssrc", 0));
        setup->key[1] = setup->text[3];
        if (check_both_ways(entry, what, setup) && check_ratcheted_stream(entry, what))
                case_passed(entry, what);
        setup_free(setup);
        bytes_free(&base_key);
}

/* Opening has to fail; `expected` 0: with whatever verdict. */
static void expect_refused(const json_t *entry, const char *what, const Setup *setup, const Bytes *metadata,
                           const Bytes *ct, int expected) {
        Bytes out = { 0 };
        int verdict = -1;
        Call call;

        if (call_open_counted(&call, client, &setup->counted, FRAMEKEY_DECRYPT))
                verdict = run_frame(&call, FRAMEKEY_DECRYPT, metadata, ct, &out);
        if (verdict > 0 && out.len == 0 && (expected == 0 || verdict == expected) &&
            (!framekey_verdict_delivers(verdict) || (verdict == FRAMEKEY_VERDICT_EMPTY && ct->len == 0)))
                case_passed(entry, what);
        else
                case_failed(entry, what, "verdict %s: %s", framekey_verdict_name(verdict),
                            framekey_client_error(client));
        bytes_free(&out);
        call_close(&call);
}

static void run_open_reject(const json_t *entry, const char *what) {
        Bytes base_key = field_hex(entry, "base_key"), metadata = field_hex(entry, "metadata");
        Bytes ct = field_hex(entry, "ct");
        Setup *setup = setup_new(entry, &base_key, 0, field_hex64(entry, "kid"));

        expect_refused(entry, what, setup, &metadata, &ct, 0);
        setup_free(setup);
        bytes_free(&base_key);
        bytes_free(&metadata);
        bytes_free(&ct);
}

/* An authentic frame behind such a header is refused for the header alone. */
static void run_bad_header_frame(const json_t *entry, const json_t *frame, const char *what) {
        Bytes base_key = field_hex(frame, "base_key"), ct = field_hex(frame, "ct"), nothing = { 0 };
        Setup *setup = setup_new(frame, &base_key, 0, field_hex64(frame, "kid"));

        expect_refused(entry, what, setup, &nothing, &ct, FRAMEKEY_VERDICT_MALFORMED);
        setup_free(setup);
        bytes_free(&base_key);
        bytes_free(&ct);
}

static void run_header_reject(const json_t *entry, const char *what) {
        const json_t *frame = json_object_get(entry, "sealed_with_base_key_01");
        int expected = field_is(entry, "reason", "truncated") ? SFRAME_TRUNCATED : SFRAME_NOT_MINIMAL;
        Bytes encoded = field_hex(entry, "encoded");
        SFrameHeader header;

        if (sframe_header_parse(encoded.data, encoded.len, &header) != expected)
                case_failed(entry, what, "the header is taken, or refused for another reason");
        else if (frame)
                run_bad_header_frame(entry, frame, what);
        else
                case_passed(entry, what);
        bytes_free(&encoded);
}

/* ---- the key plane's library alone ---- */

static void run_header(const json_t *entry, const char *what) {
        uint64_t kid = field_hex64(entry, "kid"), ctr = field_hex64(entry, "ctr");
        Bytes encoded = field_hex(entry, "encoded");
        uint8_t written[SFRAME_HEADER_MAX];
        size_t len = sframe_header_write(kid, ctr, written);
        SFrameHeader header;

        if (len != encoded.len || memcmp(written, encoded.data, len) != 0)
                case_failed(entry, what, "written otherwise");
        else if (sframe_header_parse(encoded.data, encoded.len, &header) != 0 || header.kid != kid ||
                 header.ctr != ctr || header.len != encoded.len)
                case_failed(entry, what, "read otherwise");
        else
                case_passed(entry, what);
        bytes_free(&encoded);
}

static void run_mls_kid(const json_t *entry, const char *what) {
        const SFrameMlsLayout layout = { .index_bits = (uint8_t)field_number(entry, "index_bits", 0),
                                         .epoch_bits = (uint8_t)field_number(entry, "epoch_bits", 0) };
        const SFrameMlsKid parts = { .context = field_hex64(entry, "context"),
                                     .index = field_number(entry, "index", 0),
                                     .epoch = field_hex64(entry, "epoch") };
        uint64_t kid = 0;

        if (sframe_mls_pack(layout, &parts, &kid) == 0 && kid == field_hex64(entry, "kid"))
                case_passed(entry, what);
        else
                case_failed(entry, what, "the KID is %" PRIx64, kid);
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

        good = suite && key.len == suite->key_len && ct.len == pt.len + suite->tag_len &&
               suite_cipher_new(&cipher, suite, key.data) == 0 && suite_seal(cipher, &frame, out + pt.len) == 0 &&
               memcmp(out, ct.data, ct.len) == 0;
        if (good) {
                text = (SuiteText){ ct.data, out, pt.len };
                good = suite_open(cipher, &frame, ct.data + pt.len) == 0 && memcmp(out, pt.data, pt.len) == 0;
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

/* ---- the files ---- */

typedef void CaseRunner(const json_t *entry, const char *what);

static void run_array(const json_t *object, const char *name, CaseRunner *run) {
        const json_t *entry;
        size_t i;

        json_array_foreach(json_object_get(object, name), i, entry) run(entry, name);
}

void plane_prepare(void) {
        Arena *arena = NULL;

        if (arena_installed())
                return;
        if (arena_new(&arena, 256 * 1024, ARENA_PROTECTION_LOCKED) < 0 || arena_install(arena) < 0) {
                (void)fprintf(stderr, "run-vectors: no arena\n");
                exit(2);
        }
}

void run_sframe_file(framekey_client *with_client, const json_t *file) {
        const json_t *later = json_object_get(file, "post_rfc"), *entry;
        size_t i;

        client = with_client;
        plane_prepare();
        run_array(file, "header", run_header);
        run_array(file, "aes_ctr_hmac", run_aes_ctr_hmac);
        run_array(file, "sframe", run_sealed);
        run_array(later, "aes_256_ctr_hmac", run_aes_ctr_hmac);
        run_array(later, "sframe_aes_256_ctr_hmac", run_sealed);
        json_array_foreach(json_object_get(file, "sframe"), i, entry) run_mls_session(entry);
        run_array(file, "sealed", run_sealed);
        run_array(file, "ratchet", run_ratchet);
        run_array(file, "mls_kid", run_mls_kid);
        run_array(file, "ssrc", run_ssrc);
        run_array(file, "header_reject", run_header_reject);
        run_array(file, "open_reject", run_open_reject);
}
