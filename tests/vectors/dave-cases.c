/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arrays of dave.json; README-sframe.md says what each case must show. Sender and receiver are two
 * sessions, since a key has one direction.
 */
#include "crypto/suite.h"
#include "format/dave.h"
#include "tests/vectors/vectors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_USEC (30u * 1000000u)
#define ROOM          512u
/* Longer than 2^24 frames take at the highest rate that receivers reckon with. */
#define GENERATION_USEC (UINT64_C(28) * 3600 * 1000000)
/* Further ahead no receiver goes by one frame. */
#define JUMP 250u

static framekey_client *client;

/* ---- one session ---- */

typedef struct Receiver {
        Call call;
        int64_t stream;
} Receiver;

static bool open_session(Call *call, const Bytes *secret, const char *option, enum framekey_direction direction) {
        const char *const none[] = { NULL }, *const options[] = { option, NULL };
        const CountedKey key = {
                .profile = "dave", .session_options = none, .key_options = option ? options : none, .secret = secret
        };

        return call_open_counted(call, client, &key, direction);
}

static enum framekey_media media_of(const json_t *entry) {
        return framekey_media_from_name(field_text(entry, "media"));
}

/* A receiver whose key came `age_usec` ago, and, with `step` > 0, has followed the sender to that generation. */
static bool receiver_open(Receiver *receiver, const Bytes *secret, uint32_t step, uint64_t age_usec,
                          enum framekey_media media) {
        char option[32];

        (void)snprintf(option, sizeof(option), "step=%" PRIu32, step);
        if (!open_session(&receiver->call, secret, step > 0 ? option : NULL, FRAMEKEY_DECRYPT))
                return false;
        call_advance_clock(age_usec);
        receiver->stream = call_counted_stream(&receiver->call, FRAMEKEY_DECRYPT, media, FRAMEKEY_CODEC_UNKNOWN);
        return receiver->stream >= 0;
}

static int receive(Receiver *receiver, const Bytes *in, Bytes *out) {
        struct framekey_frame frame = { .size = sizeof(frame), .stream = (uint32_t)receiver->stream };

        *out = (Bytes){ .data = malloc(in->len + ROOM) };
        return framekey_decrypt(receiver->call.channel, &frame, in->data, in->len, out->data, in->len + ROOM, &out->len,
                                NULL, DEADLINE_USEC);
}

static int send_frame(Call *call, enum framekey_media media, enum framekey_codec codec, const Bytes *in, Bytes *out) {
        struct framekey_frame frame = { .size = sizeof(frame) };
        int64_t stream = call_counted_stream(call, FRAMEKEY_ENCRYPT, media, codec);

        *out = (Bytes){ .data = malloc(in->len + ROOM) };
        if (stream < 0)
                return -EINVAL;
        frame.stream = (uint32_t)stream;
        return framekey_encrypt(call->channel, &frame, in->data, in->len, out->data, in->len + ROOM, &out->len, NULL,
                                DEADLINE_USEC);
}

static bool same(const Bytes *a, const Bytes *b) {
        return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* ---- what a receiver has to say ---- */

/* Whether a verdict is what the reference calls so. */
static bool verdict_is(int verdict, const char *result) {
        if (strcmp(result, "ok") == 0)
                return verdict == FRAMEKEY_OK;
        if (strcmp(result, "auth-or-format") == 0)
                return verdict == FRAMEKEY_VERDICT_FORGED || verdict == FRAMEKEY_VERDICT_MALFORMED;
        if (strcmp(result, "replay-or-nonce") == 0)
                return verdict == FRAMEKEY_VERDICT_REPLAYED || verdict == FRAMEKEY_VERDICT_TOO_OLD;
        return strcmp(result, "no-cryptor") == 0 &&
               (verdict == FRAMEKEY_VERDICT_UNKNOWN_KEY || verdict == FRAMEKEY_VERDICT_TOO_OLD);
}

/* One frame; false: the case has failed. */
static bool expect(Receiver *receiver, const json_t *entry, const char *what, const json_t *frame, const char *result) {
        Bytes encrypted = field_hex(frame, "encrypted"), output = field_hex(frame, "output"), out;
        int verdict = receive(receiver, &encrypted, &out);
        bool good = verdict_is(verdict, result) && (verdict != FRAMEKEY_OK || same(&output, &out));

        if (!good && verdict == FRAMEKEY_OK)
                case_differs(entry, what, &output, verdict, out.data, out.len);
        else if (!good)
                case_failed(entry, what, "expected %s, got %s", result, framekey_verdict_name(verdict));
        bytes_free(&encrypted);
        bytes_free(&output);
        bytes_free(&out);
        return good;
}

static bool expect_fresh(const json_t *entry, const char *what, uint32_t step, uint64_t age_usec,
                         enum framekey_media media, const char *result) {
        Bytes secret = field_hex(entry, "base_secret");
        Receiver receiver;
        bool good = false;

        if (receiver_open(&receiver, &secret, step, age_usec, media))
                good = expect(&receiver, entry, what, entry, result);
        else
                case_failed(entry, what, "no session: %s", framekey_client_error(client));
        call_close(&receiver.call);
        bytes_free(&secret);
        return good;
}

/* ---- frames ---- */

/* What the counter has to give for the sender to be where the vector's was: frames are counted in 64 bits, of which
 * last_nonce has the lower half, and before the frame. */
static uint64_t counter_before(const json_t *entry) {
        uint32_t nonce = field_number(entry, "nonce", 0), last = field_number(entry, "last_nonce", 0);
        uint64_t count = (uint64_t)(field_number(entry, "generation", 0) >> 8) << 32 | nonce;

        return count - (uint32_t)(nonce - last);
}

static bool check_sending(const json_t *entry, const char *what) {
        Bytes secret = field_hex(entry, "base_secret"), input = field_hex(entry, "input");
        Bytes encrypted = field_hex(entry, "encrypted"), out = { 0 };
        enum framekey_codec codec = framekey_codec_from_name(field_text(entry, "codec"));
        int verdict = -1;
        bool good = false;
        Call call;

        call_pin_counter(counter_before(entry));
        if (open_session(&call, &secret, NULL, FRAMEKEY_ENCRYPT)) {
                verdict = send_frame(&call, media_of(entry), codec, &input, &out);
                good = verdict == FRAMEKEY_OK && same(&encrypted, &out);
                if (!good)
                        case_differs(entry, what, &encrypted, verdict, out.data, out.len);
        } else
                case_failed(entry, what, "no session: %s", framekey_client_error(client));
        call_close(&call);
        bytes_free(&secret);
        bytes_free(&input);
        bytes_free(&encrypted);
        bytes_free(&out);
        return good;
}

static void run_frame(const json_t *entry, const char *what) {
        const char *fresh = field_text(entry, "decrypt_with_fresh_ratchet");
        bool needs_state = field_is(entry, "decrypt", "needs-state");
        uint32_t generation = field_number(entry, "generation", 0);

        if (check_sending(entry, what) &&
            expect_fresh(entry, what, needs_state ? generation - 1 : 0, (generation + 1) * GENERATION_USEC,
                         media_of(entry), needs_state ? "ok" : field_text(entry, "decrypt")) &&
            (!*fresh || expect_fresh(entry, "frames, fresh ratchet", 0, 0, media_of(entry), fresh)))
                case_passed(entry, what);
}

static void run_interop(const json_t *entry, const char *what) {
        if (expect_fresh(entry, what, 0, 0, FRAMEKEY_MEDIA_VIDEO, field_text(entry, "result")))
                case_passed(entry, what);
}

/* ---- what must not pass ---- */

static bool allow_silence(Call *call) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(framekey_client_get_bus(client), "org.framekey1",
                               framekey_session_get_path(call->session), "org.framekey1.Session", "AllowUnencrypted",
                               &error, NULL, "ssta{sv}", "it", "silence", UINT64_C(10000000), 0);
        sd_bus_error_free(&error);
        return r >= 0;
}

/* Libdave lets the silence pass always; here only with the owner's permission, under a verdict of its own. */
static void run_silence(const json_t *entry, const char *what) {
        Bytes secret = field_hex(entry, "base_secret"), frame = field_hex(entry, "encrypted");
        Bytes output = field_hex(entry, "output"), before = { 0 }, after = { 0 };
        int refused = -1, passed = -1;
        Receiver receiver;

        if (receiver_open(&receiver, &secret, 0, 0, media_of(entry))) {
                refused = receive(&receiver, &frame, &before);
                if (allow_silence(&receiver.call))
                        passed = receive(&receiver, &frame, &after);
        }
        if (refused == FRAMEKEY_VERDICT_MALFORMED && passed == FRAMEKEY_VERDICT_SERVER_INJECTED &&
            same(&output, &after))
                case_passed(entry, what);
        else
                case_failed(entry, what, "without permission %s, with it %s", framekey_verdict_name(refused),
                            framekey_verdict_name(passed));
        call_close(&receiver.call);
        bytes_free(&secret);
        bytes_free(&frame);
        bytes_free(&output);
        bytes_free(&before);
        bytes_free(&after);
}

static void run_negative(const json_t *entry, const char *what) {
        Bytes frame = field_hex(entry, "encrypted");

        if (dave_is_silence(frame.data, frame.len) && media_of(entry) == FRAMEKEY_MEDIA_AUDIO)
                run_silence(entry, what);
        else if (expect_fresh(entry, what, 0, 0, media_of(entry), field_text(entry, "decrypt")))
                case_passed(entry, what);
        bytes_free(&frame);
}

static void run_sequence(const json_t *entry, const char *what) {
        uint64_t age_usec = (uint64_t)field_number(entry, "receiver_age_s", 0) * 1000000;
        Bytes secret = field_hex(entry, "base_secret");
        const json_t *step;
        Receiver receiver;
        bool good = true;
        size_t i;

        if (receiver_open(&receiver, &secret, 0, age_usec, FRAMEKEY_MEDIA_AUDIO)) {
                json_array_foreach(json_object_get(entry, "steps"), i, step) {
                        good = good && expect(&receiver, entry, what, step, field_text(step, "decrypt"));
                }
                if (good)
                        case_passed(entry, what);
        } else
                case_failed(entry, what, "no session: %s", framekey_client_error(client));
        call_close(&receiver.call);
        bytes_free(&secret);
}

/* ---- keys, by their effect ---- */

static const uint8_t text[] = "Sealed by one side and opened by the other";

/* The runner's own frame under a vector's key, and its own opening; nothing is clear. */
static size_t seal_with(const uint8_t *key, uint32_t nonce, uint8_t *out) {
        uint8_t iv[DAVE_NONCE_LEN];
        const SuiteText piece = { text, out, sizeof(text) };
        const SuiteFrame frame = { iv, NULL, 0, &piece, 1 };
        SuiteCipher *cipher = NULL;
        size_t len = 0;

        dave_nonce(nonce, iv);
        if (suite_cipher_new(&cipher, suite_find(SUITE_DAVE), key) == 0 &&
            suite_seal(cipher, &frame, out + sizeof(text)) == 0)
                len = sizeof(text) + DAVE_TAG_LEN + dave_finish(out + sizeof(text) + DAVE_TAG_LEN, nonce, NULL, 0);
        suite_cipher_free(cipher);
        return len;
}

static bool opens_with(const uint8_t *key, const Bytes *sealed) {
        uint8_t iv[DAVE_NONCE_LEN], out[sizeof(text)];
        SuiteCipher *cipher = NULL;
        DaveFrame shape;
        bool good = false;

        if (dave_parse(sealed->data, sealed->len, &shape) == 0 && shape.len == sizeof(text) &&
            suite_cipher_new(&cipher, suite_find(SUITE_DAVE), key) == 0) {
                const SuiteText piece = { sealed->data, out, sizeof(text) };
                const SuiteFrame frame = { iv, NULL, 0, &piece, 1 };

                dave_nonce(shape.nonce, iv);
                good = suite_open(cipher, &frame, sealed->data + shape.len) == 0 &&
                       memcmp(out, text, sizeof(text)) == 0;
        }
        suite_cipher_free(cipher);
        return good;
}

static bool check_generation(const json_t *entry, const char *what, const Bytes *secret, const json_t *key_entry) {
        uint32_t generation = field_number(key_entry, "generation", 0);
        Bytes key = field_hex(key_entry, "key"), plain = { .data = (uint8_t *)text, .len = sizeof(text) };
        Bytes sealed = { 0 }, opened = { 0 }, own = { .data = malloc(sizeof(text) + ROOM) };
        uint64_t count = ((uint64_t)generation << DAVE_GENERATION_BITS) + 5;
        Receiver receiver;
        bool good = false;
        Call call;

        call_pin_counter(count - 1);
        if (open_session(&call, secret, NULL, FRAMEKEY_ENCRYPT) &&
            send_frame(&call, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, &plain, &sealed) == FRAMEKEY_OK)
                good = opens_with(key.data, &sealed);
        call_close(&call);
        if (!good)
                case_failed(entry, what,
                            "generation %" PRIu32 ": the vector's key does not open what the daemon sealed",
                            generation);

        own.len = seal_with(key.data, (uint32_t)count, own.data);
        if (good) {
                good = receiver_open(&receiver, secret, generation > JUMP ? generation - 1 : 0,
                                     (generation + 1) * GENERATION_USEC, FRAMEKEY_MEDIA_AUDIO) &&
                       receive(&receiver, &own, &opened) == FRAMEKEY_OK && same(&plain, &opened);
                call_close(&receiver.call);
                if (!good)
                        case_failed(entry, what,
                                    "generation %" PRIu32 ": the daemon does not open what the vector's key sealed",
                                    generation);
        }
        bytes_free(&key);
        bytes_free(&sealed);
        bytes_free(&opened);
        bytes_free(&own);
        return good;
}

static void run_key_ratchet(const json_t *entry, const char *what) {
        Bytes secret = field_hex(entry, "base_secret");
        const json_t *key;
        bool good = true;
        size_t i;

        json_array_foreach(json_object_get(entry, "keys"), i, key) good =
                good && check_generation(entry, what, &secret, key);
        if (good)
                case_passed(entry, what);
        bytes_free(&secret);
}

/* Sent under the group's exporter secret and a user, received under the vector's base secret. */
static void run_mls_export(const json_t *entry, const char *what) {
        Bytes exporter = field_hex(entry, "exporter_secret"), base = field_hex(entry, "base_secret");
        Bytes plain = { .data = (uint8_t *)text, .len = sizeof(text) }, sealed = { 0 }, opened = { 0 };
        char option[64];
        Receiver receiver;
        bool good = false;
        Call call;

        (void)snprintf(option, sizeof(option), "user-id=%s", field_text(entry, "user_id"));
        if (open_session(&call, &exporter, option, FRAMEKEY_ENCRYPT) &&
            send_frame(&call, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, &plain, &sealed) == FRAMEKEY_OK) {
                good = receiver_open(&receiver, &base, 0, 0, FRAMEKEY_MEDIA_AUDIO) &&
                       receive(&receiver, &sealed, &opened) == FRAMEKEY_OK && same(&plain, &opened);
                call_close(&receiver.call);
        }
        call_close(&call);
        if (good)
                case_passed(entry, what);
        else
                case_failed(entry, what, "the base secret is another: %s", framekey_client_error(client));
        bytes_free(&exporter);
        bytes_free(&base);
        bytes_free(&sealed);
        bytes_free(&opened);
}

/* ---- the file ---- */

typedef void CaseRunner(const json_t *entry, const char *what);

static void run_array(const json_t *file, const char *name, CaseRunner *run) {
        const json_t *entry;
        size_t i;

        json_array_foreach(json_object_get(file, name), i, entry) run(entry, name);
}

void run_dave_file(framekey_client *with_client, const json_t *file) {
        client = with_client;
        plane_prepare();
        run_array(file, "key_ratchet", run_key_ratchet);
        run_array(file, "mls_export", run_mls_export);
        run_array(file, "frames", run_frame);
        run_array(file, "interop", run_interop);
        run_array(file, "negative", run_negative);
        run_array(file, "sequences", run_sequence);
}
