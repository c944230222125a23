/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the vector runner share: outcomes of cases, reading fields, a session with one key, own frames. */
#pragma once

#include <framekey-bus.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- outcome of a case (run-vectors.c) ---- */

/* Ends the case in hand with its reason; `passed` needs none. */
void case_passed(const json_t *entry, const char *what);
void case_failed(const json_t *entry, const char *what, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Where the right answer is another than the vector's, or the case runs otherwise than the rest: always shown. */
void case_note(const json_t *entry, const char *what, const char *reason);

/* How the cases of an array are run; `what` is its name. */
typedef struct CaseArray {
        const char *name;
        void (*run)(const json_t *entry, const char *what);
} CaseArray;

/* Runs all arrays of an object. An array that nobody runs, one that is missing, and a case that does not end exactly
 * once, have failed. Cases get an "id" that says where they are. */
void cases_run(json_t *object, const CaseArray *arrays, size_t n_arrays);

/* ---- fields ---- */

/* Bytes of a hex field; malloc'd. A missing field is 0 bytes. */
typedef struct Bytes {
        uint8_t *data;
        size_t len;
} Bytes;

Bytes field_hex(const json_t *object, const char *name);
void bytes_free(Bytes *bytes);
bool bytes_equal(const Bytes *expected, const uint8_t *got, size_t len);
const char *field_text(const json_t *object, const char *name);
uint32_t field_number(const json_t *object, const char *name, uint32_t fallback);
/* 16 hexadecimal digits. */
uint64_t field_u64(const json_t *object, const char *name);
bool field_is(const json_t *object, const char *name, const char *value);
/* Ends the case in hand: other bytes, or another verdict, than expected. Shows both, `got` only if it was delivered. */
void case_differs(const json_t *entry, const char *what, const Bytes *expected, int verdict, const uint8_t *got,
                  size_t got_len);
/* The entry of kdf[] or keys[] (keys that are no case of their own) of this id, NULL if there is none. */
const json_t *kdf_find(const json_t *file, const char *id);
/* The AES key at a step of a kdf[] entry. */
Bytes kdf_key(const json_t *kdf, uint32_t step);

/* ---- a session through the daemon (call.c) ---- */

typedef struct Call {
        framekey_client *client;
        framekey_session *session;
        framekey_channel *channel;
        char *channel_path;
} Call;

typedef struct CallKey {
        const json_t *kdf;
        uint32_t step;
        uint32_t index;
} CallKey;

/* A fresh session of this format with these keys, participants "me" and "peer", one channel. False: the reason is in
 * framekey_client_error(). */
bool call_open(Call *call, framekey_client *client, const char *format, uint32_t window, const char *server_trailer_hex,
               const CallKey *keys, size_t n_keys);
void call_close(Call *call);
/* A stream for what a vector entry describes; codec "unknown" if it says codec_known false. -1: refused. */
int64_t call_stream(Call *call, const json_t *entry, enum framekey_direction direction);
/* The frame attributes of an entry. */
struct framekey_frame call_frame(const json_t *entry, uint32_t stream);
/* Makes the daemon use this IV for its next frame. */
void call_pin_iv(const Bytes *iv);

#define CALL_DEADLINE_USEC (30u * 1000000u)

/* What comes of a frame, in a buffer that shows whether anything was written to it. */
typedef struct Output {
        uint8_t *data;
        size_t capacity;
        size_t len;
        int verdict;
        struct framekey_result result;
} Output;

Output output_new(size_t input_len);
bool output_untouched(const Output *out);
/* Delivered, and nothing but these bytes. */
bool output_is(const Output *out, const Bytes *expected);
void output_free(Output *out);
Output call_encrypt(Call *call, const struct framekey_frame *frame, const Bytes *plain);
Output call_decrypt(Call *call, const struct framekey_frame *frame, const Bytes *sealed);

/* "name=value" strings. */
#define OPTIONS_MAX 4u
typedef struct Options {
        char text[OPTIONS_MAX][64];
        size_t n;
} Options;

void options_add(Options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A session of a format that counts, with one participant and one key. */
typedef struct CountedKey {
        const char *profile; /* "sframe", "dave" */
        Options session;
        Options member;
        Options key;
        bool shared; /* MLS: the key is the group's */
        uint32_t index;
        Bytes secret; /* borrowed */
} CountedKey;

/* With the participant CALL_MEMBER, sending or receiving, and one channel. False: the case has failed, and nothing is
 * to be closed. */
bool call_open_counted(Call *call, framekey_client *client, const CountedKey *key, enum framekey_direction direction,
                       const json_t *entry, const char *what);
#define CALL_MEMBER "it"
/* A stream of CALL_MEMBER. Refused: one that does not exist. */
uint32_t call_counted_stream(Call *call, enum framekey_direction direction, enum framekey_media media,
                             enum framekey_codec codec);
/* Makes the daemon count on from here: the next number that its counter gives. */
void call_pin_counter(uint64_t next);
/* Moves the daemon's clock ahead; never back. */
void call_advance_clock(uint64_t usec);

/* ---- the runner's own AES-GCM (gcm.c) ---- */

/* Ciphertext then tag at `out` (len + 16). */
void gcm_seal(const Bytes *key, const uint8_t *iv, const void *aad, size_t aad_len, const void *text, size_t len,
              uint8_t *out);
/* `len` includes the tag; false if it does not fit. */
bool gcm_open(const Bytes *key, const uint8_t *iv, const void *aad, size_t aad_len, const void *sealed, size_t len,
              uint8_t *out);

/* ---- jitsi.json (jitsi-file.c) ---- */

/* The same cases in the schema of the trailer files; the caller frees it. */
json_t *jitsi_as_trailer_file(const json_t *file);

/* ---- the runner's own frames of the formats that count, with the key plane's library (plane.c) ---- */

/* The arena that the library's crypto needs; once. */
void plane_prepare(void);
/* The SFrame frame of this base key behind a header of the caller's; the caller frees it. */
Bytes plane_seal_sframe(uint32_t suite, const Bytes *base_key, uint64_t kid, uint64_t ctr, const Bytes *header,
                        const Bytes *metadata, const Bytes *text);
/* A DAVE frame under a generation's own key, nothing of it in clear; the caller frees it. */
Bytes plane_seal_dave(const Bytes *key, uint32_t nonce, const Bytes *text);
bool plane_opens_dave(const Bytes *key, const uint8_t *frame, size_t len, const Bytes *text);
/* The nonce on the wire. False: not a frame of DAVE. */
bool plane_dave_nonce(const Bytes *frame, uint32_t *ret);

/* ---- arrays (sframe-cases.c, dave-cases.c) ---- */

void run_sframe_file(framekey_client *client, json_t *file);
void run_dave_file(framekey_client *client, json_t *file);

/* ---- arrays (trailer-cases.c) ---- */

/* Runs all arrays of a trailer-format file. */
void run_trailer_file(framekey_client *client, const json_t *file);
