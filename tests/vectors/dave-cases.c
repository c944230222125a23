/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The arrays of dave.json; README-sframe.md says what each case must show. Sender and receiver are two
 * sessions, since a key has one direction.
 */
#include "format/dave.h"
#include "tests/vectors/vectors.h"

#include <inttypes.h>
#include <string.h>

/* Longer than 2^24 frames take at the highest rate that receivers reckon with. */
#define GENERATION_USEC (UINT64_C(28) * 3600 * 1000000)
/* The key's handle; no frame says it. */
#define INDEX 3u
/* Further ahead no receiver goes by one frame. */
#define JUMP 250u

static framekey_client *client;

/* ---- one session ---- */

typedef struct Side {
        Call call;
        uint32_t stream;
} Side;

static CountedKey dave_key(const Bytes *secret) {
        return (CountedKey){ .profile = "dave", .index = INDEX, .secret = *secret };
}

static enum framekey_media media_of(const json_t *entry) {
        return framekey_media_from_name(field_text(entry, "media"));
}

/* False: the case has failed, and there is nothing to close. */
static bool sender_open(Side *side, const CountedKey *key, enum framekey_media media, enum framekey_codec codec,
                        const json_t *entry, const char *what) {
        if (!call_open_counted(&side->call, client, key, FRAMEKEY_ENCRYPT, entry, what))
                return false;
        side->stream = call_counted_stream(&side->call, FRAMEKEY_ENCRYPT, media, codec);
        return true;
}

/* Whose key came `age_usec` ago, and, with `step` > 0, who has followed the sender to that generation. As above. */
static bool receiver_open(Side *side, const Bytes *secret, uint32_t step, uint64_t age_usec, enum framekey_media media,
                          const json_t *entry, const char *what) {
        CountedKey key = dave_key(secret);

        if (step > 0)
                options_add(&key.key, "step=%" PRIu32, step);
        if (!call_open_counted(&side->call, client, &key, FRAMEKEY_DECRYPT, entry, what))
                return false;
        call_advance_clock(age_usec);
        side->stream = call_counted_stream(&side->call, FRAMEKEY_DECRYPT, media, FRAMEKEY_CODEC_UNKNOWN);
        return true;
}

static Output receive(Side *side, const Bytes *in) {
        const struct framekey_frame frame = { .size = sizeof(frame), .stream = side->stream };

        return call_decrypt(&side->call, &frame, in);
}

static Output send_frame(Side *side, const Bytes *in) {
        const struct framekey_frame frame = { .size = sizeof(frame), .stream = side->stream };

        return call_encrypt(&side->call, &frame, in);
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

/* One frame; false: the case has failed. Nothing is written of a frame that is refused. */
static bool expect(Side *receiver, const json_t *entry, const char *what, const json_t *frame, const char *result) {
        Bytes encrypted = field_hex(frame, "encrypted"), output = field_hex(frame, "output");
        Output out = receive(receiver, &encrypted);
        bool delivered = out.verdict == FRAMEKEY_OK, good = verdict_is(out.verdict, result);

        if (!good)
                case_failed(entry, what, "expected %s, got %s", result, framekey_verdict_name(out.verdict));
        else if (delivered && out.result.key_index != INDEX) {
                case_failed(entry, what, "opened by key %u", (unsigned)out.result.key_index);
                good = false;
        } else if (delivered && !output_is(&out, &output)) {
                case_differs(entry, what, &output, out.verdict, out.data, out.len);
                good = false;
        } else if (!delivered && !output_untouched(&out)) {
                case_failed(entry, what, "a refused frame was written to its receiver");
                good = false;
        }
        bytes_free(&encrypted);
        bytes_free(&output);
        output_free(&out);
        return good;
}

static bool expect_fresh(const json_t *entry, const char *what, uint32_t step, uint64_t age_usec,
                         enum framekey_media media, const char *result) {
        Bytes secret = field_hex(entry, "base_secret");
        Side receiver;
        bool good = receiver_open(&receiver, &secret, step, age_usec, media, entry, what);

        if (good) {
                good = expect(&receiver, entry, what, entry, result);
                call_close(&receiver.call);
        }
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
        Bytes encrypted = field_hex(entry, "encrypted");
        const CountedKey key = dave_key(&secret);
        Side sender;
        bool good;

        call_pin_counter(counter_before(entry));
        good = sender_open(&sender, &key, media_of(entry), framekey_codec_from_name(field_text(entry, "codec")), entry,
                           what);
        if (good) {
                Output out = send_frame(&sender, &input);

                good = output_is(&out, &encrypted) && out.result.key_index == INDEX;
                if (!good)
                        case_differs(entry, what, &encrypted, out.verdict, out.data, out.len);
                output_free(&out);
                call_close(&sender.call);
        }
        bytes_free(&secret);
        bytes_free(&input);
        bytes_free(&encrypted);
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

/* Libdave lets the silence pass always; here only with the owner's permission, under a verdict of its own. */
static void run_silence(const json_t *entry, const char *what) {
        Bytes secret = field_hex(entry, "base_secret"), frame = field_hex(entry, "encrypted");
        Bytes output = field_hex(entry, "output");
        Output before, after;
        Side receiver;

        case_note(entry, what, "refused until the owner allows it; then told apart as injected by the server");
        if (receiver_open(&receiver, &secret, 0, 0, media_of(entry), entry, what)) {
                before = receive(&receiver, &frame);
                (void)framekey_session_allow_unencrypted(receiver.call.session, CALL_MEMBER, "silence",
                                                         CALL_DEADLINE_USEC);
                after = receive(&receiver, &frame);
                if (before.verdict == FRAMEKEY_VERDICT_MALFORMED && output_untouched(&before) &&
                    after.verdict == FRAMEKEY_VERDICT_SERVER_INJECTED && bytes_equal(&output, after.data, after.len))
                        case_passed(entry, what);
                else
                        case_failed(entry, what, "without permission %s, with it %s",
                                    framekey_verdict_name(before.verdict), framekey_verdict_name(after.verdict));
                output_free(&before);
                output_free(&after);
                call_close(&receiver.call);
        }
        bytes_free(&secret);
        bytes_free(&frame);
        bytes_free(&output);
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
        Side receiver;
        size_t i;

        if (receiver_open(&receiver, &secret, 0, age_usec, FRAMEKEY_MEDIA_AUDIO, entry, what)) {
                bool good = true;

                json_array_foreach(json_object_get(entry, "steps"), i, step) {
                        good = good && expect(&receiver, entry, what, step, field_text(step, "decrypt"));
                }
                if (good)
                        case_passed(entry, what);
                call_close(&receiver.call);
        }
        bytes_free(&secret);
}

/* ---- keys, by their effect ---- */

static uint8_t text_bytes[] = "Sealed by one side and opened by the other";
static const Bytes text = { text_bytes, sizeof(text_bytes) };

/* The vector's key of a generation opens what the daemon sends there, its `count`th frame. */
static bool check_sent(const json_t *entry, const char *what, const Bytes *secret, const Bytes *key, uint64_t count) {
        const CountedKey session = dave_key(secret);
        Side sender;
        Output out;
        bool good;

        call_pin_counter(count - 1);
        if (!sender_open(&sender, &session, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, entry, what))
                return false;
        out = send_frame(&sender, &text);
        good = out.verdict == FRAMEKEY_OK && plane_opens_dave(key, out.data, out.len, &text);
        if (!good)
                case_failed(entry, what, "frame %" PRIu64 ": the vector's key does not open what the daemon sealed",
                            count);
        output_free(&out);
        call_close(&sender.call);
        return good;
}

/* And the daemon opens what that key seals. */
static bool check_received(const json_t *entry, const char *what, const Bytes *secret, const Bytes *key,
                           uint32_t generation, uint64_t count) {
        Bytes sealed = plane_seal_dave(key, (uint32_t)count, &text);
        Side receiver;
        bool good = receiver_open(&receiver, secret, generation > JUMP ? generation - 1 : 0,
                                  (generation + 1) * GENERATION_USEC, FRAMEKEY_MEDIA_AUDIO, entry, what);

        if (good) {
                Output out = receive(&receiver, &sealed);

                good = output_is(&out, &text) && out.result.step == generation;
                if (!good)
                        case_failed(entry, what,
                                    "generation %" PRIu32 ": the daemon does not open what the vector's key sealed",
                                    generation);
                output_free(&out);
                call_close(&receiver.call);
        }
        bytes_free(&sealed);
        return good;
}

static bool check_generation(const json_t *entry, const char *what, const Bytes *secret, const json_t *key_entry) {
        uint32_t generation = field_number(key_entry, "generation", 0);
        uint64_t count = ((uint64_t)generation << DAVE_GENERATION_BITS) + 5;
        Bytes key = field_hex(key_entry, "key");
        bool good = check_sent(entry, what, secret, &key, count) &&
                    check_received(entry, what, secret, &key, generation, count);

        bytes_free(&key);
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
        CountedKey key = dave_key(&exporter);
        Side sender, receiver;

        options_add(&key.key, "user-id=%s", field_text(entry, "user_id"));
        if (sender_open(&sender, &key, FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, entry, what)) {
                if (receiver_open(&receiver, &base, 0, 0, FRAMEKEY_MEDIA_AUDIO, entry, what)) {
                        Output out = send_frame(&sender, &text);
                        const Bytes sealed = { out.data, out.len };
                        Output opened = receive(&receiver, &sealed);

                        if (output_is(&opened, &text))
                                case_passed(entry, what);
                        else
                                case_failed(entry, what, "the base secret is another: %s, then %s",
                                            framekey_verdict_name(out.verdict), framekey_verdict_name(opened.verdict));
                        output_free(&out);
                        output_free(&opened);
                        call_close(&receiver.call);
                }
                call_close(&sender.call);
        }
        bytes_free(&exporter);
        bytes_free(&base);
}

/* ---- the file ---- */

static const CaseArray arrays[] = {
        { "key_ratchet", run_key_ratchet }, { "mls_export", run_mls_export }, { "frames", run_frame },
        { "interop", run_interop },         { "negative", run_negative },     { "sequences", run_sequence },
};

void run_dave_file(framekey_client *with_client, json_t *file) {
        client = with_client;
        plane_prepare();
        cases_run(file, arrays, sizeof(arrays) / sizeof(arrays[0]));
}
