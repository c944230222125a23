/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arrays of livekit.json, realtimekit.json and, rewritten, jitsi.json; README.md in this directory says what each
 * case must show. */
#include "tests/vectors/vectors.h"

#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Steps ahead are derived in the background; a frame may be offered until they are there. */
#define FOLLOW_TRIES 100

static framekey_client *client;
static const json_t *file;
static const char *format;

static Output encrypt(Call *call, const json_t *entry, const Bytes *plain) {
        int64_t stream = call_stream(call, entry, FRAMEKEY_ENCRYPT);
        struct framekey_frame frame = call_frame(entry, (uint32_t)stream);

        return call_encrypt(call, &frame, plain);
}

static Output decrypt_on(Call *call, const json_t *entry, uint32_t stream, const Bytes *sealed) {
        struct framekey_frame frame = call_frame(entry, stream);

        return call_decrypt(call, &frame, sealed);
}

static Output decrypt(Call *call, const json_t *entry, const Bytes *sealed) {
        return decrypt_on(call, entry, (uint32_t)call_stream(call, entry, FRAMEKEY_DECRYPT), sealed);
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

#define KDF_INDEX 3u

static const uint8_t kdf_text[] = "Sealed by one side and opened by the other";

/* What the daemon seals, the runner opens with the vector's key, and the other way round. NULL or what is wrong. */
static const char *check_kdf_key(Call *call, const json_t *attributes, const Bytes *aes) {
        Bytes plain = { .data = (uint8_t *)kdf_text, .len = sizeof(kdf_text) };
        uint8_t opened[sizeof(kdf_text)], own_frame[sizeof(kdf_text) + 30];
        Bytes own = { .data = own_frame, .len = sizeof(own_frame) };
        uint8_t *own_end = own_frame + sizeof(own_frame) - 14;
        Output sealed = encrypt(call, attributes, &plain), back;
        bool good = sealed.verdict == 0 && sealed.len == sizeof(own_frame);

        if (good) {
                const uint8_t *end = sealed.data + sealed.len - 14;

                good = end[12] == 12 && end[13] == KDF_INDEX &&
                       gcm_open(aes, end, sealed.data, 1, sealed.data + 1, sealed.len - 15, opened) &&
                       memcmp(opened, kdf_text + 1, plain.len - 1) == 0;
        }
        free(sealed.data);
        if (!good)
                return "what the daemon sealed does not open with the vector's key";

        own_frame[0] = kdf_text[0];
        /* Another IV each time: a second frame with the same one would be a replay. */
        gcry_create_nonce(own_end, 12);
        own_end[12] = 12;
        own_end[13] = KDF_INDEX;
        gcm_seal(aes, own_end, own_frame, 1, kdf_text + 1, plain.len - 1, own_frame + 1);
        back = decrypt(call, attributes, &own);
        good = back.verdict == 0 && bytes_equal(&plain, back.data, back.len);
        free(back.data);
        return good ? NULL : "the daemon does not open what the vector's key sealed";
}

static void check_kdf_step(Call *call, const json_t *kdf, uint32_t step, const char *what) {
        json_t *attributes = json_pack("{s:s, s:s}", "media", "audio", "codec", "opus");
        Bytes aes = kdf_key(kdf, step);
        const char *problem = aes.len > 0 ? check_kdf_key(call, attributes, &aes) : "the file has no key of this step";

        if (problem)
                case_failed(kdf, what, "%s", problem);
        else
                case_passed(kdf, what);
        bytes_free(&aes);
        json_decref(attributes);
}

/* Imported at this step. */
static void run_kdf_import(const json_t *kdf, uint32_t step) {
        const CallKey key = { .kdf = kdf, .step = step, .index = KDF_INDEX };
        char what[64];
        Call call;

        (void)snprintf(what, sizeof(what), "import at step %u", step);
        if (!open_or_fail(&call, kdf, what, 0, "", &key, 1))
                return;
        check_kdf_step(&call, kdf, step, what);
        call_close(&call);
}

/* Imported at step 0 and ratcheted up the chain; without a window the receiver is moved too. */
static void run_kdf_ratchet(const json_t *kdf) {
        const CallKey key = { .kdf = kdf, .index = KDF_INDEX };
        size_t n_steps = json_array_size(json_object_get(kdf, "chain"));
        char what[64];
        Call call;

        if (!open_or_fail(&call, kdf, "ratchet", 0, "", &key, 1))
                return;
        for (uint32_t step = 1; step < n_steps; step++) {
                uint32_t reached = 0;
                int r = framekey_session_ratchet(call.session, NULL, KDF_INDEX, &reached);

                (void)snprintf(what, sizeof(what), "ratchet to step %u", step);
                if (r < 0 || reached != step)
                        case_failed(kdf, what, "reached step %u: %s", reached, framekey_client_error(client));
                else
                        check_kdf_step(&call, kdf, step, what);
        }
        call_close(&call);
}

static void run_kdf(const json_t *kdf) {
        const json_t *step;
        size_t i;

        json_array_foreach(json_object_get(kdf, "chain"), i, step) run_kdf_import(kdf, field_number(step, "step", 0));
        run_kdf_ratchet(kdf);
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
        } else if (sealed.verdict != 0 || !bytes_equal(expected, sealed.data, sealed.len))
                case_differs(entry, "frame, encrypted", expected, sealed.verdict, sealed.data, sealed.len);
        else {
                sealed_bytes = (Bytes){ .data = sealed.data, .len = sealed.len };
                back = decrypt(call, entry, &sealed_bytes);
                if (back.verdict != 0 || !bytes_equal(&decrypted, back.data, back.len))
                        case_differs(entry, "frame, decrypted again", &decrypted, back.verdict, back.data, back.len);
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
                good = (out->verdict == 0 && bytes_equal(&expected, out->data, out->len)) ||
                       (refused && field_is(entry, "case", "valid frame with a 16-byte IV"));
        else if (input->len == 0)
                good = out->verdict == FRAMEKEY_VERDICT_EMPTY && out->len == 0;
        else if (field_is(entry, "reference_result", "passed_stripped"))
                good = out->verdict == FRAMEKEY_VERDICT_SERVER_INJECTED && bytes_equal(&expected, out->data, out->len);
        else /* dropped; or handed on undecrypted, which is a policy that we do not share */
                good = out->verdict > 0 && refused;

        if (good)
                case_passed(entry, "decrypt");
        else
                case_differs(entry, field_text(entry, "case"), &expected, out->verdict, out->data, out->len);
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
        good = authentic ? out.verdict == 0 && bytes_equal(&plain, out.data, out.len)
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
                                                 sealed.capacity, &sealed.len, got_iv, &got_index, CALL_DEADLINE_USEC);
        back.verdict = framekey_packet_decrypt(call->channel, (uint32_t)open, expected.data, expected.len, iv.data,
                                               iv.len, index, back.data, back.capacity, &back.len, CALL_DEADLINE_USEC);
        if (sealed.verdict != 0 || !bytes_equal(&expected, sealed.data, sealed.len) || got_index != index ||
            memcmp(got_iv, iv.data, iv.len) != 0)
                case_differs(entry, "packet, encrypted", &expected, sealed.verdict, sealed.data, sealed.len);
        else if (back.verdict != 0 || !bytes_equal(&plain, back.data, back.len))
                case_differs(entry, "packet, decrypted", &plain, back.verdict, back.data, back.len);
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
                                              CALL_DEADLINE_USEC);
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

static const struct {
        const char *name;
        void (*run)(const json_t *entry);
} arrays[] = {
        { "kdf", run_kdf },         { "frames", run_frame },     { "encode_refusals", run_refusal },
        { "decrypt", run_decrypt }, { "sessions", run_session }, { "data_packets", run_packet },
};

/* An array that nobody knows how to run. */
static void run_unknown(const json_t *entry) {
        case_failed(entry, "unknown array", "there is no code that runs this case");
}

void run_trailer_file(framekey_client *on, const json_t *vectors) {
        const json_t *value, *entry;
        const char *name;
        size_t i;

        client = on;
        file = vectors;
        format = field_text(vectors, "format");
        json_object_foreach((json_t *)vectors, name, value) {
                void (*run)(const json_t *) = run_unknown;

                if (strcmp(name, "keys") == 0)
                        continue; /* what the cases refer to */
                for (size_t a = 0; a < sizeof(arrays) / sizeof(*arrays); a++)
                        if (strcmp(arrays[a].name, name) == 0)
                                run = arrays[a].run;
                json_array_foreach(value, i, entry) run(entry);
        }
}
