/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The library's part of the trailer formats against frames that the peers' own workers made: clear
 * bytes, normalised header, escaping. The daemon's part in between is libgcrypt here.
 */
#include <gcrypt.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "payload.h"
#include "runner.h"

#define TAG      16u
#define IV       12u
#define OVERHEAD (TAG + IV + 2u)

typedef struct Bytes {
        uint8_t *data;
        size_t len;
} Bytes;

static uint8_t nibble(char c) {
        return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static Bytes hex(const json_t *entry, const char *name) {
        const char *text = json_string_value(json_object_get(entry, name));
        Bytes bytes = { 0 };

        ck_assert_msg(text != NULL, "%s is missing", name);
        bytes.len = strlen(text) / 2;
        bytes.data = malloc(bytes.len + 1);
        for (size_t i = 0; i < bytes.len; i++)
                bytes.data[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
        return bytes;
}

static json_t *load(const char *name) {
        const char *srcdir = getenv("srcdir");
        char path[512];
        json_error_t error;
        json_t *root;

        (void)snprintf(path, sizeof(path), "%s/tests/vectors/%s", srcdir ? srcdir : ".", name);
        root = json_load_file(path, 0, &error);
        ck_assert_msg(root != NULL, "%s: %s", path, error.text);
        return root;
}

static const char *text_of(const json_t *entry, const char *name) {
        const char *text = json_string_value(json_object_get(entry, name));

        return text ? text : "";
}

static ClearFrame describe(const json_t *root, const json_t *entry, enum framekey_direction direction, Bytes bytes) {
        const json_t *known = json_object_get(entry, "codec_known");
        ClearFrame frame = {
                .direction = direction,
                .format = framekey_format_from_name(text_of(root, "format")),
                .media = framekey_media_from_name(text_of(entry, "media")),
                .codec = framekey_codec_from_name(text_of(entry, "codec")),
                .type = framekey_frame_type_from_name(text_of(entry, "frame_type")),
                .bytes = bytes.data,
                .len = bytes.len,
        };

        if (json_is_false(known))
                frame.codec = FRAMEKEY_CODEC_UNKNOWN;
        return frame;
}

static gcry_cipher_hd_t cipher(Bytes key, const uint8_t *iv, const uint8_t *aad, size_t aad_len) {
        gcry_cipher_hd_t handle;
        int algo = key.len == 32 ? GCRY_CIPHER_AES256 : GCRY_CIPHER_AES128;

        ck_assert_uint_eq(gcry_cipher_open(&handle, algo, GCRY_CIPHER_MODE_GCM, 0), 0);
        ck_assert_uint_eq(gcry_cipher_setkey(handle, key.data, key.len), 0);
        ck_assert_uint_eq(gcry_cipher_setiv(handle, iv, IV), 0);
        if (aad_len > 0)
                ck_assert_uint_eq(gcry_cipher_authenticate(handle, aad, aad_len), 0);
        return handle;
}

/* What the daemon makes of `in`: clear | ciphertext | tag | IV | 0c | key index. */
static Bytes seal(Bytes key, Bytes iv, uint8_t key_index, const uint8_t *in, size_t len, size_t clear) {
        Bytes out = { malloc(len + OVERHEAD), len + OVERHEAD };
        gcry_cipher_hd_t handle = cipher(key, iv.data, in, clear);

        memcpy(out.data, in, len);
        ck_assert_uint_eq(gcry_cipher_final(handle), 0);
        if (len > clear)
                ck_assert_uint_eq(gcry_cipher_encrypt(handle, out.data + clear, len - clear, NULL, 0), 0);
        else
                ck_assert_uint_eq(gcry_cipher_encrypt(handle, NULL, 0, NULL, 0), 0);
        ck_assert_uint_eq(gcry_cipher_gettag(handle, out.data + len, TAG), 0);
        gcry_cipher_close(handle);
        memcpy(out.data + len + TAG, iv.data, IV);
        out.data[len + TAG + IV] = IV;
        out.data[len + TAG + IV + 1] = key_index;
        return out;
}

/* Opens a whole frame in place. Whether it is authentic. */
static bool open_frame(Bytes key, uint8_t *in, size_t len, size_t clear, size_t *ret_len) {
        gcry_cipher_hd_t handle;
        size_t text;
        bool good;

        if (len < OVERHEAD || clear > len - OVERHEAD || in[len - 2] != IV)
                return false;
        text = len - OVERHEAD - clear;
        handle = cipher(key, in + len - 2 - IV, in, clear);
        ck_assert_uint_eq(gcry_cipher_final(handle), 0);
        ck_assert_uint_eq(gcry_cipher_decrypt(handle, text ? in + clear : NULL, text, NULL, 0), 0);
        good = gcry_cipher_checktag(handle, in + clear + text, TAG) == 0;
        gcry_cipher_close(handle);
        *ret_len = clear + text;
        return good;
}

static void check_sealed(const json_t *root, const json_t *entry) {
        const char *id = text_of(entry, "id");
        Bytes plain = hex(entry, "plaintext_hex"), sealed = hex(entry, "encrypted_hex");
        Bytes key = hex(entry, "aes_key_hex"), aad = hex(entry, "aad_hex"), iv = hex(entry, "iv_hex");
        ClearFrame frame = describe(root, entry, FRAMEKEY_ENCRYPT, plain);
        uint8_t *in, *out;
        Payload payload;
        size_t in_len;
        Bytes made;

        payload_plan(&frame, &payload);
        ck_assert_msg(payload.verdict == 0, "%s: %s", id, framekey_verdict_name(payload.verdict));
        /* The vectors count the clear part as it is sent, with long start codes. */
        ck_assert_msg((json_int_t)payload.clear_len == json_integer_value(json_object_get(entry, "clear_bytes")),
                      "%s: %zu", id, payload.clear_len);
        in = malloc(payload.in_max + 1);
        in_len = payload_write(&payload, &frame, in);
        ck_assert_msg(payload.clear_len == aad.len && memcmp(in, aad.data, aad.len) == 0, "%s: header", id);

        made = seal(key, iv, (uint8_t)json_integer_value(json_object_get(entry, "key_index")), in, in_len,
                    payload.clear_len);
        ck_assert_msg(payload_read_len(made.data, made.len, payload.clear_len, payload.escape) == sealed.len, "%s", id);
        out = malloc(sealed.len + 1);
        ck_assert_uint_eq(payload_read(out, made.data, made.len, payload.clear_len, payload.escape), sealed.len);
        ck_assert_msg(memcmp(out, sealed.data, sealed.len) == 0, "%s: frame", id);

        free(in);
        free(out);
        free(made.data);
        free(plain.data);
        free(sealed.data);
        free(key.data);
        free(aad.data);
        free(iv.data);
}

static void check_opened(const json_t *root, const json_t *entry, Bytes key, const char *in_name, Bytes expected) {
        const char *id = text_of(entry, "id");
        Bytes sealed = hex(entry, in_name);
        ClearFrame frame = describe(root, entry, FRAMEKEY_DECRYPT, sealed);
        Payload payload;
        size_t len, plain_len;

        payload_plan(&frame, &payload);
        ck_assert_msg(payload.verdict == 0, "%s", id);
        len = payload_write(&payload, &frame, sealed.data);
        ck_assert_msg(open_frame(key, sealed.data, len, payload.clear_len, &plain_len), "%s: not authentic", id);
        ck_assert_msg(plain_len == expected.len && memcmp(sealed.data, expected.data, plain_len) == 0, "%s", id);
        free(sealed.data);
}

static void check_frame(const json_t *root, const json_t *entry) {
        Bytes key, expected;

        if (strcmp(text_of(entry, "result"), "encrypted") != 0) {
                ck_assert_str_eq(text_of(entry, "result"), "passed_unchanged");
                ck_assert_str_eq(text_of(entry, "plaintext_hex"), "");
                return;
        }
        check_sealed(root, entry);
        key = hex(entry, "aes_key_hex");
        expected = hex(entry, json_object_get(entry, "decrypted_hex") ? "decrypted_hex" : "plaintext_hex");
        check_opened(root, entry, key, "encrypted_hex", expected);
        free(key.data);
        free(expected.data);
}

/* The AES key that a case of decrypt[] opens with: of its only key, at its step. */
static Bytes key_of(const json_t *root, const json_t *entry) {
        const json_t *use = json_array_get(json_object_get(entry, "keys"), 0);
        const json_t *schedule;
        size_t i;

        json_array_foreach(json_object_get(root, "kdf"), i, schedule) {
                const json_t *chain = json_object_get(schedule, "chain");

                if (strcmp(text_of(schedule, "id"), text_of(use, "kdf")) == 0)
                        return hex(json_array_get(chain, (size_t)json_integer_value(json_object_get(use, "step"))),
                                   "aes_key_hex");
        }
        ck_abort_msg("%s: no key", text_of(entry, "id"));
        return (Bytes){ 0 };
}

/* Whether a case of decrypt[] must come out; the peers' 16-byte IV is refused on purpose, and a receiver that ratchets
 * needs the daemon. */
static bool opens_at_once(const json_t *entry) {
        return strcmp(text_of(entry, "reference_result"), "decrypted") == 0 && !strstr(text_of(entry, "case"), "IV") &&
               json_integer_value(json_object_get(entry, "reference_kdf_runs")) == 0;
}

static void check_file(const char *name, unsigned min_frames, unsigned min_opened) {
        json_t *root = load(name);
        const json_t *entry;
        unsigned n_opened = 0;
        size_t i;

        json_array_foreach(json_object_get(root, "frames"), i, entry) check_frame(root, entry);
        ck_assert_uint_ge(i, min_frames);

        json_array_foreach(json_object_get(root, "encode_refusals"), i, entry) {
                Bytes plain = hex(entry, "plaintext_hex");
                ClearFrame frame = describe(root, entry, FRAMEKEY_ENCRYPT, plain);
                ClearPlan plan;

                ck_assert_msg(clear_plan(&frame, &plan) == FRAMEKEY_VERDICT_TOO_SHORT, "%s", text_of(entry, "id"));
                free(plain.data);
        }
        ck_assert_uint_gt(i, 0);

        json_array_foreach(json_object_get(root, "decrypt"), i, entry) {
                Bytes key, expected;

                if (!opens_at_once(entry))
                        continue;
                key = key_of(root, entry);
                expected = hex(entry, "output_hex");
                check_opened(root, entry, key, "input_hex", expected);
                free(key.data);
                free(expected.data);
                n_opened++;
        }
        ck_assert_uint_ge(n_opened, min_opened);
        json_decref(root);
}

START_TEST(livekit_frames_are_those_of_the_peer) {
        check_file("livekit.json", 127, 12);
}
END_TEST

START_TEST(realtimekit_frames_are_those_of_the_peer) {
        check_file("realtimekit.json", 83, 5);
}
END_TEST

/* Without the encoder's word the type comes from the bytes; for VP8 the encoder wrote it there. */
START_TEST(vp8_frames_tell_their_type) {
        json_t *root = load("realtimekit.json");
        const json_t *entry;
        unsigned n = 0;
        size_t i;

        json_array_foreach(json_object_get(root, "frames"), i, entry) {
                static const char *const fields[] = { "plaintext_hex", "encrypted_hex" };

                if (strcmp(text_of(entry, "codec"), "vp8") != 0 || strcmp(text_of(entry, "result"), "encrypted") != 0 ||
                    strcmp(text_of(entry, "frame_type"), "empty") == 0)
                        continue;
                for (unsigned k = 0; k < 2; k++) {
                        Bytes bytes = hex(entry, fields[k]);
                        ClearFrame frame = describe(root, entry, k ? FRAMEKEY_DECRYPT : FRAMEKEY_ENCRYPT, bytes);
                        ClearPlan plan;

                        frame.type = FRAMEKEY_FRAME_UNSPECIFIED;
                        ck_assert_int_eq(clear_plan(&frame, &plan), 0);
                        ck_assert_msg((json_int_t)plan.clear_len ==
                                              json_integer_value(json_object_get(entry, "clear_bytes")),
                                      "%s", text_of(entry, "id"));
                        free(bytes.data);
                        n++;
                }
        }
        ck_assert_uint_gt(n, 20);
        json_decref(root);
}
END_TEST

RUN_TESTS("codec-vectors", livekit_frames_are_those_of_the_peer, realtimekit_frames_are_those_of_the_peer,
          vp8_frames_tell_their_type)
