/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * jitsi.json in the words of the trailer files, so that the same code runs it: Jitsi's frames are
 * the same but for salts, info and clear bytes. Keys that the file does not give are computed here,
 * with the runner's own HKDF.
 *
 * Where we do better than the reference, the case demands it: a frame of the step before is opened
 * after a ratchet, and a frame that comes twice is refused the second time.
 */
#include "tests/vectors/vectors.h"

#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SALT         "JFrameEncryptionKey"
#define RATCHET_SALT "JFrameRatchetKey"
#define WINDOW       8

static void hmac(const void *key, size_t key_len, const void *text, size_t len, uint8_t ret[32]) {
        gcry_mac_hd_t handle;
        size_t n = 32;

        if (gcry_mac_open(&handle, GCRY_MAC_HMAC_SHA256, 0, NULL) != 0 || gcry_mac_setkey(handle, key, key_len) != 0 ||
            gcry_mac_write(handle, text, len) != 0 || gcry_mac_read(handle, ret, &n) != 0)
                abort();
        gcry_mac_close(handle);
}

/* HKDF-SHA256 with empty info, at most 32 bytes. */
static void hkdf(const Bytes *secret, const char *salt, uint8_t ret[32]) {
        uint8_t prk[32];

        hmac(salt, strlen(salt), secret->data, secret->len, prk);
        hmac(prk, sizeof(prk), "\x01", 1, ret);
}

static json_t *hex(const void *bytes, size_t len) {
        char *text = malloc(2 * len + 1);
        json_t *value;

        text[0] = '\0';
        for (size_t i = 0; i < len; i++)
                (void)sprintf(text + 2 * i, "%02x", ((const uint8_t *)bytes)[i]);
        value = json_string(text);
        free(text);
        return value;
}

static json_t *step_new(unsigned step, json_t *aes_key) {
        return json_pack("{s:i, s:o}", "step", step, "aes_key_hex", aes_key);
}

/* A kdf[] entry; its id is the key itself. `chain` is taken over. */
static void add_kdf(json_t *kdfs, const char *key, json_t *chain) {
        json_t *kdf =
                json_pack("{s:s, s:{s:s, s:s}, s:s, s:o, s:o, s:s, s:i, s:o}", "id", key, "input", "type", "raw", "hex",
                          key, "kdf", "HKDF-SHA256", "salt_hex", hex(SALT, strlen(SALT)), "ratchet_salt_hex",
                          hex(RATCHET_SALT, strlen(RATCHET_SALT)), "info_hex", "", "aes_key_bits", 128, "chain", chain);

        (void)json_array_append_new(kdfs, kdf);
}

/* The chain of a key that is used at its first step only. */
static void add_first_step(json_t *keys, const json_t *entry) {
        Bytes secret = field_hex(entry, "key");
        uint8_t aes_key[32];

        hkdf(&secret, SALT, aes_key);
        add_kdf(keys, field_text(entry, "key"), json_pack("[o]", step_new(0, hex(aes_key, 16))));
        bytes_free(&secret);
}

static json_t *convert_chains(const json_t *file) {
        json_t *kdfs = json_array(), *chain;
        const json_t *entry, *step;
        size_t i, k;

        json_array_foreach(json_object_get(file, "key_derivation"), i, entry) {
                chain = json_array();
                json_array_foreach(json_object_get(entry, "steps"), k, step) {
                        (void)json_array_append_new(
                                chain, step_new(field_number(step, "step", 0), json_string(field_text(step, "key"))));
                }
                add_kdf(kdfs, field_text(entry, "key"), chain);
        }
        return kdfs;
}

/* "audio", "video-key", "video-delta" in the trailer files' words. */
static void describe(json_t *into, const json_t *entry) {
        const char *kind = field_text(entry, "kind");
        bool video = strncmp(kind, "video-", 6) == 0;

        (void)json_object_set_new(into, "id", json_string(field_text(entry, "name")));
        (void)json_object_set_new(into, "media", json_string(video ? "video" : "audio"));
        (void)json_object_set_new(into, "codec", json_string(video ? "vp8" : "opus"));
        if (video)
                (void)json_object_set_new(into, "frame_type", json_string(kind + 6));
        (void)json_object_set_new(into, "ssrc", json_integer(field_number(entry, "ssrc", 0)));
        (void)json_object_set_new(into, "rtp_timestamp", json_integer(field_number(entry, "timestamp", 0)));
        (void)json_object_set_new(into, "key_index", json_integer(field_number(entry, "key_index", 0)));
}

static json_t *frame_new(const json_t *entry, const char *key, const char *plain, const json_t *sealed) {
        json_t *frame = json_pack("{s:{s:s, s:i}, s:s, s:s, s:s, s:s}", "key", "kdf", key, "step", 0, "plaintext_hex",
                                  plain, "iv_hex", field_text(sealed, "iv"), "encrypted_hex",
                                  field_text(sealed, "encrypted"), "result", *plain ? "encrypted" : "passed_unchanged");

        describe(frame, entry);
        return frame;
}

static void convert_frames(const json_t *file, json_t *keys, json_t *frames, json_t *refusals) {
        const json_t *entry, *wrap = json_object_get(file, "counter_wrap");
        size_t i;

        json_array_foreach(json_object_get(file, "frames"), i, entry) {
                const char *plain = field_text(entry, "plaintext");
                bool refused = field_is(entry, "encrypt", "error") && *plain;

                add_kdf(keys, field_text(entry, "key"),
                        json_pack("[o]", step_new(0, json_string(field_text(entry, "derived_key")))));
                (void)json_array_append_new(refused ? refusals : frames,
                                            frame_new(entry, field_text(entry, "key"), plain, entry));
        }

        add_first_step(keys, wrap);
        json_array_foreach(json_object_get(wrap, "frames"), i, entry) {
                json_t *frame = frame_new(wrap, field_text(wrap, "key"), field_text(wrap, "plaintext"), entry);

                (void)json_object_set_new(frame, "id", json_sprintf("counter-wrap-%zu", i));
                (void)json_array_append_new(frames, frame);
        }
}

static void convert_negatives(const json_t *file, json_t *keys, json_t *decrypts) {
        const json_t *entry;
        size_t i;

        json_array_foreach(json_object_get(file, "negative"), i, entry) {
                json_t *decrypt = json_pack(
                        "{s:s, s:[{s:i, s:s, s:i}], s:i, s:s, s:s, s:s}", "case", field_text(entry, "name"), "keys",
                        "key_index", (int)field_number(entry, "receiver_key_index", 0), "kdf", field_text(entry, "key"),
                        "step", 0, "ratchet_window", WINDOW, "input_hex", field_text(entry, "encrypted"),
                        "reference_result", field_is(entry, "decrypt", "ok") ? "decrypted" : "dropped", "output_hex",
                        field_text(entry, "output"));

                describe(decrypt, entry);
                add_first_step(keys, entry);
                (void)json_array_append_new(decrypts, decrypt);
        }
}

static json_t *session_new(const json_t *entry, const char *name, json_t *frames) {
        return json_pack("{s:s, s:s, s:s, s:{s:s, s:i, s:i}, s:o}", "id", name, "media", "audio", "codec", "opus",
                         "receiver", "kdf", field_text(entry, "key"), "key_index",
                         (int)field_number(entry, "key_index", 0), "ratchet_window", WINDOW, "frames", frames);
}

static void convert_sessions(const json_t *file, json_t *keys, json_t *sessions) {
        const json_t *entry, *replay = json_object_get(file, "replay");
        size_t i;

        json_array_foreach(json_object_get(file, "ratchet"), i, entry) {
                int step = field_is(entry, "decrypt", "ok") ? 1 : -1; /* ahead, or too far ahead */

                add_first_step(keys, entry);
                (void)json_array_append_new(
                        sessions,
                        session_new(entry, field_text(entry, "name"),
                                    json_pack("[{s:s, s:s, s:i}, {s:s, s:i}]", "encrypted_hex",
                                              field_text(entry, "encrypted"), "plaintext_hex",
                                              field_text(entry, "plaintext"), "sender_step", step, "encrypted_hex",
                                              field_text(entry, "old_frame"), "sender_step", 0)));
        }
        add_first_step(keys, replay);
        (void)json_array_append_new(
                sessions, session_new(replay, "replay",
                                      json_pack("[{s:s, s:i}, {s:s, s:i}]", "encrypted_hex",
                                                field_text(replay, "encrypted"), "sender_step", 0, "encrypted_hex",
                                                field_text(replay, "encrypted"), "sender_step", -1)));
}

json_t *jitsi_as_trailer_file(const json_t *file) {
        json_t *keys = json_array(), *frames = json_array(), *refusals = json_array(), *decrypts = json_array(),
               *sessions = json_array();

        convert_frames(file, keys, frames, refusals);
        convert_negatives(file, keys, decrypts);
        convert_sessions(file, keys, sessions);
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "format", "jitsi", "kdf", convert_chains(file), "keys",
                         keys, "frames", frames, "encode_refusals", refusals, "decrypt", decrypts, "sessions",
                         sessions);
}
