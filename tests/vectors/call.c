/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One fresh session for one vector case. */
#include "tests/vectors/vectors.h"

#include "tests/hooks/pins.h"

#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Longer than any case takes, so that a loaded machine does not turn a late frame into a lost one. */
#define GRACE_OPTION "grace-usec=60000000"
/* Room behind an output in which nothing may be written. */
#define CANARY 0xa5
#define ROOM   4096u

static bool import_key(Call *call, const CallKey *key) {
        const json_t *input = json_object_get(key->kdf, "input");
        bool pbkdf2 = strncmp(field_text(key->kdf, "kdf"), "PBKDF2", 6) == 0;
        Bytes secret = field_hex(input, field_is(input, "type", "raw") ? "hex" : "utf8_hex");
        char text[6][600];
        const char *options[8];
        unsigned n = 0;
        int r;

        (void)snprintf(text[0], sizeof(text[0]), "kdf=%s", pbkdf2 ? "pbkdf2" : "hkdf");
        (void)snprintf(text[1], sizeof(text[1]), "salt=%s", field_text(key->kdf, "salt_hex"));
        (void)snprintf(text[2], sizeof(text[2]), "key-bits=%u", field_number(key->kdf, "aes_key_bits", 128));
        (void)snprintf(text[3], sizeof(text[3]), "step=%u", key->step);
        if (pbkdf2)
                (void)snprintf(text[4], sizeof(text[4]), "iterations=%u", field_number(key->kdf, "iterations", 0));
        else
                (void)snprintf(text[4], sizeof(text[4]), "info=%s", field_text(key->kdf, "info_hex"));
        for (n = 0; n < 5; n++)
                options[n] = text[n];
        if (*field_text(key->kdf, "ratchet_salt_hex")) {
                (void)snprintf(text[5], sizeof(text[5]), "ratchet-salt=%s", field_text(key->kdf, "ratchet_salt_hex"));
                options[n++] = text[5];
        }
        if (secret.len == 0)
                options[n++] = "allow-empty=yes"; /* the peers take it, so we must be able to */
        options[n] = NULL;
        r = framekey_session_import_key(call->session, NULL, key->index, secret.data, secret.len, options);
        bytes_free(&secret);
        return r >= 0;
}

bool call_open(Call *call, framekey_client *client, const char *format, uint32_t window, const char *server_trailer_hex,
               const CallKey *keys, size_t n_keys) {
        char window_option[64], trailer_option[256];
        const char *options[8] = { "key-mode=shared", "ring-size=256", GRACE_OPTION, window_option };
        unsigned n = 4;

        *call = (Call){ .client = client };
        (void)snprintf(window_option, sizeof(window_option), "ratchet-window=%u", window);
        if (*server_trailer_hex) {
                (void)snprintf(trailer_option, sizeof(trailer_option), "server-trailer=%s", server_trailer_hex);
                options[n++] = trailer_option;
        }
        options[n] = NULL;
        if (framekey_session_open(client, format, "vectors", options, &call->session) < 0 ||
            framekey_session_add_participant(call->session, "me", FRAMEKEY_LOCAL, NULL) < 0 ||
            framekey_session_add_participant(call->session, "peer", FRAMEKEY_REMOTE, NULL) < 0)
                return false;
        for (size_t i = 0; i < n_keys; i++)
                if (!import_key(call, &keys[i]))
                        return false;
        return framekey_session_open_channel(call->session, NULL, &call->channel, &call->channel_path) >= 0;
}

void call_close(Call *call) {
        call->channel = framekey_channel_free(call->channel);
        call->session = framekey_session_close(call->session);
        free(call->channel_path);
        call->channel_path = NULL;
}

int64_t call_stream(Call *call, const json_t *entry, enum framekey_direction direction) {
        const json_t *known = json_object_get(entry, "codec_known");
        enum framekey_media media = framekey_media_from_name(field_text(entry, "media"));
        enum framekey_codec codec = framekey_codec_from_name(field_text(entry, "codec"));
        uint32_t stream;

        if (json_is_false(known))
                codec = FRAMEKEY_CODEC_UNKNOWN;
        if (framekey_session_add_stream(call->session, call->channel_path,
                                        direction == FRAMEKEY_ENCRYPT ? "me" : "peer", direction, media, codec, NULL,
                                        &stream) < 0)
                return -1;
        return stream;
}

struct framekey_frame call_frame(const json_t *entry, uint32_t stream) {
        return (struct framekey_frame){
                .size = sizeof(struct framekey_frame),
                .stream = stream,
                .frame_type = (uint8_t)framekey_frame_type_from_name(field_text(entry, "frame_type")),
                .ssrc = (uint32_t)json_integer_value(json_object_get(entry, "ssrc")),
                .rtp_timestamp = (uint32_t)json_integer_value(json_object_get(entry, "rtp_timestamp")),
        };
}

Output output_new(size_t input_len) {
        Output out = { .capacity = input_len + ROOM, .result = { .size = sizeof(out.result) } };

        out.data = malloc(out.capacity);
        memset(out.data, CANARY, out.capacity);
        return out;
}

bool output_untouched(const Output *out) {
        for (size_t i = 0; i < out->capacity; i++)
                if (out->data[i] != CANARY)
                        return false;
        return out->len == 0;
}

bool output_is(const Output *out, const Bytes *expected) {
        return out->verdict == FRAMEKEY_OK && bytes_equal(expected, out->data, out->len);
}

void output_free(Output *out) {
        free(out->data);
        *out = (Output){ 0 };
}

Output call_encrypt(Call *call, const struct framekey_frame *frame, const Bytes *plain) {
        Output out = output_new(plain->len);

        out.verdict = framekey_encrypt(call->channel, frame, plain->data, plain->len, out.data, out.capacity, &out.len,
                                       &out.result, CALL_DEADLINE_USEC);
        return out;
}

Output call_decrypt(Call *call, const struct framekey_frame *frame, const Bytes *sealed) {
        Output out = output_new(sealed->len);

        out.verdict = framekey_decrypt(call->channel, frame, sealed->data, sealed->len, out.data, out.capacity,
                                       &out.len, &out.result, CALL_DEADLINE_USEC);
        return out;
}

/* The file that the daemon maps too. */
static Pins *pins(void) {
        static Pins *mapped;

        if (!mapped) {
                const char *path = getenv(PINS_ENVIRONMENT);
                int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
                void *map = MAP_FAILED;

                if (fd >= 0 && ftruncate(fd, sizeof(Pins)) == 0)
                        map = mmap(NULL, sizeof(Pins), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
                if (map == MAP_FAILED) {
                        (void)fprintf(stderr, "run-vectors: no file for pins; start me through tests/run-vectors\n");
                        exit(2);
                }
                (void)close(fd);
                mapped = map;
                mapped->magic = PINS_MAGIC;
        }
        return mapped;
}

void call_pin_iv(const Bytes *iv) {
        if (iv->len != 12) {
                (void)fprintf(stderr, "run-vectors: an IV of %zu bytes cannot be pinned\n", iv->len);
                exit(2);
        }
        atomic_store(&pins()->n_armed, 0);
        atomic_store(&pins()->n_used, 0);
        memcpy(pins()->iv[0], iv->data, 12);
        atomic_store(&pins()->n_armed, 1);
}

void call_pin_counter(uint64_t next) {
        atomic_store(&pins()->n_counters_armed, 0);
        atomic_store(&pins()->n_counters_used, 0);
        pins()->counter[0] = next;
        atomic_store(&pins()->n_counters_armed, 1);
}

void call_advance_clock(uint64_t usec) {
        atomic_fetch_add(&pins()->clock_offset_usec, usec);
}

void options_add(Options *options, const char *format, ...) {
        char *text = options->text[options->n];
        va_list arguments;
        int n;

        assert(options->n < OPTIONS_MAX);
        options->n++;
        va_start(arguments, format);
        n = vsnprintf(text, sizeof(options->text[0]), format, arguments);
        va_end(arguments);
        assert(n > 0 && (size_t)n < sizeof(options->text[0]));
}

/* The same as an array that ends with NULL. */
typedef struct OptionList {
        const char *items[OPTIONS_MAX + 1];
} OptionList;

static OptionList options_list(const Options *options) {
        OptionList list = { 0 };

        for (size_t i = 0; i < options->n; i++)
                list.items[i] = options->text[i];
        return list;
}

bool call_open_counted(Call *call, framekey_client *client, const CountedKey *key, enum framekey_direction direction,
                       const json_t *entry, const char *what) {
        const OptionList session = options_list(&key->session), member = options_list(&key->member);
        const OptionList import = options_list(&key->key);
        enum framekey_role role = direction == FRAMEKEY_ENCRYPT ? FRAMEKEY_LOCAL : FRAMEKEY_REMOTE;

        *call = (Call){ .client = client };
        if (framekey_session_open(client, key->profile, "vectors", session.items, &call->session) >= 0 &&
            framekey_session_add_participant(call->session, CALL_MEMBER, role, member.items) >= 0 &&
            framekey_session_import_key(call->session, key->shared ? NULL : CALL_MEMBER, key->index, key->secret.data,
                                        key->secret.len, import.items) >= 0 &&
            framekey_session_open_channel(call->session, NULL, &call->channel, &call->channel_path) >= 0)
                return true;
        case_failed(entry, what, "no session: %s", framekey_client_error(client));
        call_close(call);
        return false;
}

uint32_t call_counted_stream(Call *call, enum framekey_direction direction, enum framekey_media media,
                             enum framekey_codec codec) {
        uint32_t stream;

        if (framekey_session_add_stream(call->session, call->channel_path, CALL_MEMBER, direction, media, codec, NULL,
                                        &stream) < 0)
                return UINT32_MAX;
        return stream;
}
