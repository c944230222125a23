/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arrays of livekit.json and realtimekit.json; README.md in this directory says what each case must show. */
#include "tests/vectors/vectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEADLINE_USEC (30u * 1000000u)
/* Room behind an output in which nothing may be written. */
#define CANARY 0xa5
#define ROOM   4096u
/* Steps ahead are derived in the background; a frame may be offered until they are there. */
#define FOLLOW_TRIES 100

static framekey_client *client;
static const json_t *file;
static const char *format;

static bool same(const Bytes *expected, const uint8_t *got, size_t len) {
        return expected->len == len && (len == 0 || memcmp(expected->data, got, len) == 0);
}

/* An output buffer that shows whether anything was written to it. */
typedef struct Output {
        uint8_t *data;
        size_t capacity;
        size_t len;
        int verdict;
        struct framekey_result result;
} Output;

static Output output_new(size_t input_len) {
        Output out = { .capacity = input_len + ROOM, .result = { .size = sizeof(out.result) } };

        out.data = malloc(out.capacity);
        memset(out.data, CANARY, out.capacity);
        return out;
}

static bool output_untouched(const Output *out) {
        for (size_t i = 0; i < out->capacity; i++)
                if (out->data[i] != CANARY)
                        return false;
        return out->len == 0;
}

static Output encrypt(Call *call, const json_t *entry, const Bytes *plain) {
        Output out = output_new(plain->len);
        int64_t stream = call_stream(call, entry, FRAMEKEY_ENCRYPT);
        struct framekey_frame frame = call_frame(entry, (uint32_t)stream);

        out.verdict = stream < 0 ? -EINVAL
                                 : framekey_encrypt(call->channel, &frame, plain->data, plain->len, out.data,
                                                    out.capacity, &out.len, &out.result, DEADLINE_USEC);
        return out;
}

static Output decrypt_on(Call *call, const json_t *entry, uint32_t stream, const Bytes *sealed) {
        struct framekey_frame frame = call_frame(entry, stream);
        Output out = output_new(sealed->len);

        out.verdict = framekey_decrypt(call->channel, &frame, sealed->data, sealed->len, out.data, out.capacity,
                                       &out.len, &out.result, DEADLINE_USEC);
        return out;
}

static Output decrypt(Call *call, const json_t *entry, const Bytes *sealed) {
        int64_t stream = call_stream(call, entry, FRAMEKEY_DECRYPT);

        if (stream < 0) {
                Output out = output_new(0);

                out.verdict = -EINVAL;
                return out;
        }
        return decrypt_on(call, entry, (uint32_t)stream, sealed);
}

static CallKey key_of(const json_t *reference, const json_t *index_holder) {
        return (CallKey){
                .kdf = kdf_find(file, field_text(reference, "kdf")),
                .step = field_number(reference, "step", 0),
                .index = field_number(index_holder, "key_index", 0),
        };
}

static bool open_or_fail(Call *call, const json_t *entry, const char *what, uint32_t window, const char *trailer,
                         const CallKey *keys, size_t n_keys) {
        if (call_open(call, client, format, window, trailer, keys, n_keys))
                return true;
        case_failed(entry, what, "no session: %s", framekey_client_error(client));
        call_close(call);
        return false;
}

/* ---- kdf ---- */

static const uint8_t kdf_text[] = "Sealed by one side and opened by the other";

/* What the daemon seals, the runner opens, and the other way round: the derived key is the vector's. */
static void run_kdf_step(const json_t *kdf, uint32_t step) {
        json_t *attributes = json_pack("{s:s, s:s}", "media", "audio", "codec", "opus");
        const CallKey key = { .kdf = kdf, .step = step, .index = 3 };
        Bytes plain = { .data = (uint8_t *)kdf_text, .len = sizeof(kdf_text) }, aes = kdf_key(kdf, step), own = { 0 };
        char what[64];
        uint8_t opened[sizeof(kdf_text)];
        Output sealed = { 0 }, back = { 0 };
        Call call;

        (void)snprintf(what, sizeof(what), "kdf step %u", step);
        if (!open_or_fail(&call, kdf, what, 0, "", &key, 1))
                goto out;
        sealed = encrypt(&call, attributes, &plain);
        if (sealed.verdict != 0 || sealed.len != plain.len + 30 || sealed.data[sealed.len - 1] != 3 ||
            !gcm_open(&aes, sealed.data + sealed.len - 14, sealed.data, 1, sealed.data + 1, sealed.len - 15, opened) ||
            memcmp(opened, kdf_text + 1, plain.len - 1) != 0) {
                case_failed(kdf, what, "what the daemon sealed does not open with the vector's key (%s)",
                            framekey_verdict_name(sealed.verdict));
                goto out;
        }

        own.len = plain.len + 30;
        own.data = malloc(own.len);
        own.data[0] = kdf_text[0];
        memcpy(own.data + own.len - 14, "twelve bytes\x0c\x03", 14);
        gcm_seal(&aes, own.data + own.len - 14, own.data, 1, kdf_text + 1, plain.len - 1, own.data + 1);
        back = decrypt(&call, attributes, &own);
        if (back.verdict != 0 || !same(&plain, back.data, back.len))
                case_failed(kdf, what, "the daemon does not open what the vector's key sealed: %s",
                            framekey_verdict_name(back.verdict));
        else
                case_passed(kdf, what);
out:
        call_close(&call);
        json_decref(attributes);
        bytes_free(&aes);
        bytes_free(&own);
        free(sealed.data);
        free(back.data);
}

static void run_kdf(const json_t *kdf) {
        const json_t *step;
        size_t i;

        json_array_foreach(json_object_get(kdf, "chain"), i, step) run_kdf_step(kdf, field_number(step, "step", 0));
}

/* ---- frames ---- */

static void check_frame(Call *call, const json_t *entry, const Bytes *plain, const Bytes *expected) {
        bool empty = field_is(entry, "result", "passed_unchanged");
        Bytes decrypted = field_hex(entry, json_object_get(entry, "decrypted_hex") ? "decrypted_hex" : "plaintext_hex");
        Bytes iv = field_hex(entry, "iv_hex"), sealed_bytes;
        Output sealed, back = { 0 };

        if (!empty)
                call_pin_iv(&iv);
        sealed = encrypt(call, entry, plain);
        if (empty) {
                if (sealed.verdict == FRAMEKEY_VERDICT_EMPTY && sealed.len == 0)
                        case_passed(entry, "frame");
                else
                        case_failed(entry, "frame", "an empty frame got %s", framekey_verdict_name(sealed.verdict));
        } else if (sealed.verdict != 0 || !same(expected, sealed.data, sealed.len))
                case_failed(entry, "frame", "encrypted: %s, %zu bytes, expected %zu others",
                            framekey_verdict_name(sealed.verdict), sealed.len, expected->len);
        else {
                sealed_bytes = (Bytes){ .data = sealed.data, .len = sealed.len };
                back = decrypt(call, entry, &sealed_bytes);
                if (back.verdict != 0 || !same(&decrypted, back.data, back.len))
                        case_failed(entry, "frame", "decrypted again: %s, %zu bytes, expected %zu",
                                    framekey_verdict_name(back.verdict), back.len, decrypted.len);
                else
                        case_passed(entry, "frame");
        }
        bytes_free(&decrypted);
        bytes_free(&iv);
        free(sealed.data);
        free(back.data);
}

static void run_frame(const json_t *entry) {
        const CallKey key = key_of(json_object_get(entry, "key"), entry);
        Bytes plain = field_hex(entry, "plaintext_hex"), expected = field_hex(entry, "encrypted_hex");
        Call call;

        if (open_or_fail(&call, entry, "frame", 0, "", &key, 1)) {
                check_frame(&call, entry, &plain, &expected);
                call_close(&call);
        }
        bytes_free(&plain);
        bytes_free(&expected);
}

static void run_refusal(const json_t *entry) {
        const CallKey key = key_of(json_object_get(entry, "key"), entry);
        Bytes plain = field_hex(entry, "plaintext_hex");
        Output out;
        Call call;

        if (open_or_fail(&call, entry, "refusal", 0, "", &key, 1)) {
                out = encrypt(&call, entry, &plain);
                if (out.verdict <= 0 || framekey_verdict_delivers(out.verdict) || !output_untouched(&out))
                        case_failed(entry, "refusal", "got %s and %zu bytes", framekey_verdict_name(out.verdict),
                                    out.len);
                else
                        case_passed(entry, "refusal");
                free(out.data);
                call_close(&call);
        }
        bytes_free(&plain);
}

/* ---- decrypt ---- */

static void check_decrypt(const json_t *entry, const Bytes *input, const Output *out) {
        Bytes expected = field_hex(entry, "output_hex");
        bool refused = !framekey_verdict_delivers(out->verdict) && output_untouched(out);
        bool good;

        if (field_is(entry, "reference_result", "decrypted"))
                good = (out->verdict == 0 && same(&expected, out->data, out->len)) ||
                       (refused && field_is(entry, "case", "valid frame with a 16-byte IV"));
        else if (input->len == 0)
                good = out->verdict == FRAMEKEY_VERDICT_EMPTY && out->len == 0;
        else if (field_is(entry, "reference_result", "passed_stripped"))
                good = out->verdict == FRAMEKEY_VERDICT_SERVER_INJECTED && same(&expected, out->data, out->len);
        else /* dropped; or handed on undecrypted, which is a policy that we do not share */
                good = out->verdict > 0 && refused;

        if (good)
                case_passed(entry, "decrypt");
        else
                case_failed(entry, "decrypt", "%s: got %s and %zu bytes, reference %s", field_text(entry, "case"),
                            framekey_verdict_name(out->verdict), out->len, field_text(entry, "reference_result"));
        bytes_free(&expected);
}

static void run_decrypt(const json_t *entry) {
        const json_t *keys = json_object_get(entry, "keys");
        /* RealtimeKit's marker is a public constant: whoever sets it as a secret one has none. */
        const char *trailer = strcmp(format, "livekit") == 0 ? field_text(entry, "server_trailer_hex") : "";
        Bytes input = field_hex(entry, "input_hex");
        CallKey call_keys[8];
        size_t n = 0;
        Output out;
        Call call;

        for (; n < json_array_size(keys) && n < 8; n++)
                call_keys[n] = key_of(json_array_get(keys, n), json_array_get(keys, n));
        if (open_or_fail(&call, entry, "decrypt", field_number(entry, "ratchet_window", 0), trailer, call_keys, n)) {
                out = decrypt(&call, entry, &input);
                check_decrypt(entry, &input, &out);
                free(out.data);
                call_close(&call);
        }
        bytes_free(&input);
}

/* ---- sessions ---- */

static void rest(void) {
        (void)nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000 * 1000 }, NULL);
}

/* The plain text of a session's (audio) frame; where the file does not give it, opened by the runner. */
static Bytes session_plaintext(const json_t *entry, const json_t *frame, const Bytes *sealed) {
        const json_t *receiver = json_object_get(entry, "receiver");
        Bytes key, plain;

        if (json_object_get(frame, "plaintext_hex") || sealed->len < 31)
                return field_hex(frame, "plaintext_hex");
        key = kdf_key(kdf_find(file, field_text(receiver, "kdf")), field_number(frame, "sender_step", 0));
        plain = (Bytes){ .data = malloc(sealed->len), .len = sealed->len - 30 };
        plain.data[0] = sealed->data[0];
        if (key.len == 0 || !gcm_open(&key, sealed->data + sealed->len - 14, sealed->data, 1, sealed->data + 1,
                                      sealed->len - 15, plain.data + 1))
                plain.len = 0;
        bytes_free(&key);
        return plain;
}

/* One frame of a session. An authentic one within the window must be delivered, whatever came before it. */
static bool check_session_frame(Call *call, const json_t *entry, uint32_t stream, const json_t *frame, char *reason,
                                size_t reason_size) {
        Bytes sealed = field_hex(frame, "encrypted_hex"), plain = session_plaintext(entry, frame, &sealed);
        bool authentic = json_integer_value(json_object_get(frame, "sender_step")) >= 0 &&
                         !json_object_get(frame, "sender_kdf") && !json_is_true(json_object_get(frame, "tampered"));
        Output out = decrypt_on(call, entry, stream, &sealed);
        bool good;

        for (int i = 0; authentic && out.verdict == FRAMEKEY_VERDICT_FORGED && i < FOLLOW_TRIES; i++) {
                rest();
                free(out.data);
                out = decrypt_on(call, entry, stream, &sealed);
        }
        good = authentic ? out.verdict == 0 && same(&plain, out.data, out.len)
                         : out.verdict > 0 && !framekey_verdict_delivers(out.verdict) && output_untouched(&out);
        if (!good)
                (void)snprintf(reason, reason_size, "sender step %d%s: %s",
                               (int)json_integer_value(json_object_get(frame, "sender_step")),
                               authentic ? "" : " (not authentic)", framekey_verdict_name(out.verdict));
        bytes_free(&sealed);
        bytes_free(&plain);
        free(out.data);
        return good;
}

static void run_session(const json_t *entry) {
        const json_t *receiver = json_object_get(entry, "receiver"), *frame;
        const CallKey key = key_of(receiver, receiver);
        char reason[128] = "";
        int64_t stream;
        Call call;
        size_t i;

        if (!open_or_fail(&call, entry, "session", field_number(receiver, "ratchet_window", 0), "", &key, 1))
                return;
        stream = call_stream(&call, entry, FRAMEKEY_DECRYPT);
        json_array_foreach(json_object_get(entry, "frames"), i,
                           frame) if (stream < 0 || !check_session_frame(&call, entry, (uint32_t)stream, frame, reason,
                                                                         sizeof(reason))) break;
        if (i == json_array_size(json_object_get(entry, "frames")))
                case_passed(entry, "session");
        else
                case_failed(entry, "session", "frame %zu, %s", i, reason);
        call_close(&call);
}

/* ---- data packets ---- */

static json_t *packet_attributes(void) {
        return json_pack("{s:s, s:s}", "media", "data", "codec", "data");
}

static void check_packet(Call *call, const json_t *entry) {
        json_t *attributes = packet_attributes();
        int64_t seal = call_stream(call, attributes, FRAMEKEY_ENCRYPT),
                open = call_stream(call, attributes, FRAMEKEY_DECRYPT);
        Bytes plain = field_hex(entry, "plaintext_hex"), expected = field_hex(entry, "encrypted_hex"),
              iv = field_hex(entry, "iv_hex");
        Output sealed = output_new(plain.len), back = output_new(plain.len);
        uint32_t index = field_number(entry, "key_index", 0), got_index = UINT32_MAX;
        uint8_t got_iv[FRAMEKEY_PACKET_IV_LENGTH];

        call_pin_iv(&iv);
        sealed.verdict = framekey_packet_encrypt(call->channel, (uint32_t)seal, plain.data, plain.len, sealed.data,
                                                 sealed.capacity, &sealed.len, got_iv, &got_index, DEADLINE_USEC);
        back.verdict = framekey_packet_decrypt(call->channel, (uint32_t)open, expected.data, expected.len, iv.data,
                                               iv.len, index, back.data, back.capacity, &back.len, DEADLINE_USEC);
        if (sealed.verdict != 0 || !same(&expected, sealed.data, sealed.len) || got_index != index ||
            memcmp(got_iv, iv.data, iv.len) != 0)
                case_failed(entry, "packet", "encrypted: %s, %zu bytes", framekey_verdict_name(sealed.verdict),
                            sealed.len);
        else if (back.verdict != 0 || !same(&plain, back.data, back.len))
                case_failed(entry, "packet", "decrypted: %s, %zu bytes", framekey_verdict_name(back.verdict), back.len);
        else
                case_passed(entry, "packet");
        json_decref(attributes);
        bytes_free(&plain);
        bytes_free(&expected);
        bytes_free(&iv);
        free(sealed.data);
        free(back.data);
}

/* Whether some step ahead of the receiver's key opens the packet; then following it is right. */
static bool opens_ahead(const json_t *entry, const Bytes *sealed, const Bytes *iv, const uint8_t *got, size_t len) {
        const json_t *receiver = json_object_get(entry, "receiver");
        const json_t *kdf = kdf_find(file, field_text(receiver, "kdf"));
        uint8_t *text = malloc(sealed->len + 1);
        bool found = false;

        for (uint32_t step = 1; step <= field_number(receiver, "ratchet_window", 0) && !found; step++) {
                Bytes key = kdf_key(kdf, step);

                found = key.len > 0 && gcm_open(&key, iv->data, NULL, 0, sealed->data, sealed->len, text) &&
                        len == sealed->len - 16 && memcmp(text, got, len) == 0;
                bytes_free(&key);
        }
        free(text);
        return found;
}

/* A rejected packet is rejected; one that is some steps ahead may be followed, where the reference cannot. */
static void check_packet_refusal(Call *call, const json_t *entry) {
        json_t *attributes = packet_attributes();
        int64_t stream = call_stream(call, attributes, FRAMEKEY_DECRYPT);
        Bytes sealed = field_hex(entry, "encrypted_hex"), iv = field_hex(entry, "iv_hex");
        Output out = output_new(sealed.len);

        out.verdict = framekey_packet_decrypt(call->channel, (uint32_t)stream, sealed.data, sealed.len, iv.data, iv.len,
                                              field_number(entry, "key_index", 0), out.data, out.capacity, &out.len,
                                              DEADLINE_USEC);
        if ((out.verdict != 0 && !framekey_verdict_delivers(out.verdict) && output_untouched(&out)) ||
            (out.verdict == 0 && opens_ahead(entry, &sealed, &iv, out.data, out.len)))
                case_passed(entry, "packet");
        else
                case_failed(entry, "packet", "%s: got %s and %zu bytes", field_text(entry, "case"),
                            framekey_verdict_name(out.verdict), out.len);
        json_decref(attributes);
        bytes_free(&sealed);
        bytes_free(&iv);
        free(out.data);
}

static void run_packet(const json_t *entry) {
        const json_t *receiver = json_object_get(entry, "receiver");
        const CallKey key = receiver ? key_of(receiver, receiver) : key_of(json_object_get(entry, "key"), entry);
        Call call;

        if (!open_or_fail(&call, entry, "packet", field_number(receiver, "ratchet_window", 0), "", &key, 1))
                return;
        if (receiver)
                check_packet_refusal(&call, entry);
        else
                check_packet(&call, entry);
        call_close(&call);
}

void run_trailer_file(framekey_client *on, const json_t *vectors) {
        static const struct {
                const char *array;
                void (*run)(const json_t *entry);
        } arrays[] = {
                { "kdf", run_kdf },         { "frames", run_frame },     { "encode_refusals", run_refusal },
                { "decrypt", run_decrypt }, { "sessions", run_session }, { "data_packets", run_packet },
        };
        const json_t *entry;
        size_t i;

        client = on;
        file = vectors;
        format = field_text(vectors, "format");
        for (size_t a = 0; a < sizeof(arrays) / sizeof(*arrays); a++)
                json_array_foreach(json_object_get(vectors, arrays[a].array), i, entry) arrays[a].run(entry);
}
