/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of encrypt and decrypt: JSON in, frame or command done, JSON out.
 *
 * Every line that is not blank gets exactly one line as its answer, written at once, so that a
 * program at the other end of two pipes can go step by step. A line that is wrong is answered by a
 * verdict "error: line N: ..." and does not end the run. Payloads are public or plain media, so
 * they lie in ordinary memory; keys are only named here, by file.
 */
#include "filter.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define FRAME_TIMEOUT_USEC (10 * USEC_PER_SEC)

/* A line's answer: NULL means that `error` says why there is none. */
typedef struct Reply {
        json_t *value;
        char *error;
} Reply;

static void reply_note(Reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void reply_note(Reply *reply, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&reply->error, format, arguments) < 0)
                reply->error = NULL;
        va_end(arguments);
}

#define reply_error(reply, ...) (reply_note(reply, __VA_ARGS__), -EINVAL)

static int reply_client_error(Reply *reply, const Filter *filter, int r) {
        const char *text = framekey_client_error(filter->client);

        return reply_error(reply, "%s", *text ? text : strerror(-r));
}

/* ---- reading fields ---- */

static int get_u32(const json_t *object, const char *key, uint32_t fallback, uint32_t *ret, Reply *reply) {
        const json_t *value = json_object_get(object, key);

        if (!value) {
                *ret = fallback;
                return 0;
        }
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > UINT32_MAX)
                return reply_error(reply, "'%s' is no number from 0 to %u.", key, UINT32_MAX);
        *ret = (uint32_t)json_integer_value(value);
        return 0;
}

/* NULL if the key is missing. */
static int get_string(const json_t *object, const char *key, const char **ret, Reply *reply) {
        const json_t *value = json_object_get(object, key);

        if (value && !json_is_string(value))
                return reply_error(reply, "'%s' is no string.", key);
        *ret = value ? json_string_value(value) : NULL;
        return 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static int decode_hex(const char *text, uint8_t **ret, size_t *ret_length, Reply *reply) {
        size_t length = strlen(text);
        _cleanup_free_ uint8_t *bytes = malloc(length / 2 + 1);

        if (!bytes)
                return reply_error(reply, "Out of memory.");
        for (size_t i = 0; i < length; i += 2) {
                int high = hex_digit(text[i]), low = hex_digit(text[i + 1]); /* the text ends with a 0 */

                if (high < 0 || low < 0)
                        return reply_error(reply, "'payload_hex' is not made of pairs of hex digits.");
                bytes[i / 2] = (uint8_t)(high << 4 | low);
        }
        *ret = take_ptr(bytes);
        *ret_length = length / 2;
        return 0;
}

static json_t *encode_hex(const uint8_t *bytes, size_t length) {
        static const char digits[] = "0123456789abcdef";
        _cleanup_free_ char *text = malloc(2 * length + 1);

        if (!text)
                return NULL;
        for (size_t i = 0; i < length; i++) {
                text[2 * i] = digits[bytes[i] >> 4];
                text[2 * i + 1] = digits[bytes[i] & 15];
        }
        return json_stringn(text, 2 * length);
}

static enum framekey_media media_of_codec(enum framekey_codec codec) {
        if (codec >= FRAMEKEY_CODEC_DATA)
                return FRAMEKEY_MEDIA_DATA;
        if (codec >= FRAMEKEY_CODEC_VP8)
                return FRAMEKEY_MEDIA_VIDEO;
        return codec == FRAMEKEY_CODEC_UNKNOWN ? 0 : FRAMEKEY_MEDIA_AUDIO;
}

static int get_kind(const json_t *object, enum framekey_media *ret_media, enum framekey_codec *ret_codec,
                    Reply *reply) {
        const char *media, *codec;

        if (get_string(object, "media", &media, reply) < 0 || get_string(object, "codec", &codec, reply) < 0)
                return -EINVAL;
        *ret_codec = codec ? framekey_codec_from_name(codec) : FRAMEKEY_CODEC_UNKNOWN;
        if (*ret_codec == FRAMEKEY_CODEC_UNKNOWN && codec && strcmp(codec, "unknown") != 0)
                return reply_error(reply, "There is no codec '%.32s'.", codec);
        *ret_media = media ? framekey_media_from_name(media) : media_of_codec(*ret_codec);
        if (*ret_media == 0)
                return reply_error(reply, "'media' is not 'audio', 'video' or 'data'.");
        return 0;
}

static int get_frame(const json_t *object, struct framekey_frame *ret, Reply *reply) {
        struct framekey_frame frame = { .size = sizeof(frame) };
        const char *type;

        if (get_string(object, "frame_type", &type, reply) < 0 || get_u32(object, "ssrc", 0, &frame.ssrc, reply) < 0 ||
            get_u32(object, "rtp_timestamp", 0, &frame.rtp_timestamp, reply) < 0)
                return -EINVAL;
        if (type) {
                frame.frame_type = (uint8_t)framekey_frame_type_from_name(type);
                if (frame.frame_type == FRAMEKEY_FRAME_UNSPECIFIED && strcmp(type, "unspecified") != 0)
                        return reply_error(reply, "'frame_type' is not 'key', 'delta' or 'empty'.");
        }
        *ret = frame;
        return 0;
}

/* ---- frames ---- */

static json_t *verdict_reply(int verdict, uint32_t key_index, uint32_t step) {
        return json_pack("{s:s, s:I, s:I}", "verdict", framekey_verdict_name(verdict), "key_index",
                         (json_int_t)key_index, "step", (json_int_t)step);
}

/* What the frame is goes with its payload, so that the output of encrypt is input for decrypt. */
static int describe(json_t *reply, const json_t *line) {
        static const char *const keys[] = { "media", "codec", "frame_type", "ssrc", "rtp_timestamp" };

        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                json_t *value = json_object_get(line, keys[i]);

                if (value && json_object_set(reply, keys[i], value) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* The stream for this kind of frame, granted when the first one comes. 0, FRAMEKEY_VERDICT_UNSUPPORTED, or -EINVAL. */
static int filter_stream(Filter *filter, enum framekey_media media, enum framekey_codec codec, uint32_t *ret,
                         Reply *reply) {
        FilterStream *streams, stream = { .media = media, .codec = codec };
        int r;

        for (size_t i = 0; i < filter->n_streams; i++)
                if (filter->streams[i].media == media && filter->streams[i].codec == codec) {
                        *ret = filter->streams[i].id;
                        return 0;
                }
        streams = reallocarray(filter->streams, filter->n_streams + 1, sizeof(*streams));
        if (!streams)
                return reply_error(reply, "Out of memory.");
        filter->streams = streams;
        r = framekey_session_add_stream(filter->session, filter->channel_path, filter->participant, filter->direction,
                                        media, codec, NULL, &stream.id);
        if (r == -EOPNOTSUPP)
                return FRAMEKEY_VERDICT_UNSUPPORTED;
        if (r < 0)
                return reply_client_error(reply, filter, r);
        filter->streams[filter->n_streams++] = stream;
        *ret = stream.id;
        return 0;
}

static int reserve_out(Filter *filter, uint32_t stream, size_t length, Reply *reply) {
        size_t need = filter->direction == FRAMEKEY_ENCRYPT ? framekey_sealed_max(filter->channel, stream, length)
                                                            : framekey_opened_max(filter->channel, stream, length);
        uint8_t *out;

        if (need <= filter->out_size)
                return 0;
        out = realloc(filter->out, need);
        if (!out)
                return reply_error(reply, "Out of memory.");
        filter->out = out;
        filter->out_size = need;
        return 0;
}

static int transform(Filter *filter, const struct framekey_frame *frame, const uint8_t *payload, size_t length,
                     Reply *reply) {
        struct framekey_result result = { .size = sizeof(result) };
        size_t out_length = 0;
        int r;

        if (reserve_out(filter, frame->stream, length, reply) < 0)
                return -EINVAL;
        if (filter->direction == FRAMEKEY_ENCRYPT)
                r = framekey_encrypt(filter->channel, frame, payload, length, filter->out, filter->out_size,
                                     &out_length, &result, FRAME_TIMEOUT_USEC);
        else
                r = framekey_decrypt(filter->channel, frame, payload, length, filter->out, filter->out_size,
                                     &out_length, &result, FRAME_TIMEOUT_USEC);
        if (r < 0)
                return reply_error(reply, "%s", framekey_verdict_text(r));
        reply->value = verdict_reply(r, result.key_index, result.step);
        if (framekey_verdict_delivers(r) &&
            json_object_set_new(reply->value, "payload_hex", encode_hex(filter->out, out_length)) < 0)
                return reply_error(reply, "Out of memory.");
        return 0;
}

static int do_frame(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_free_ uint8_t *payload = NULL;
        struct framekey_frame frame;
        enum framekey_media media;
        enum framekey_codec codec;
        const char *hex;
        size_t length = 0;
        int r;

        if (get_string(line, "payload_hex", &hex, reply) < 0)
                return -EINVAL;
        if (!hex && (json_object_get(line, "verdict") || json_object_get(line, "done"))) {
                /* From another framekeyctl, which delivered nothing here: so do we. */
                reply->value = json_deep_copy(line);
                return 0;
        }
        if (!hex)
                return reply_error(reply, "'payload_hex' is missing.");
        if (get_frame(line, &frame, reply) < 0 || get_kind(line, &media, &codec, reply) < 0)
                return -EINVAL;
        r = decode_hex(hex, &payload, &length, reply);
        if (r < 0)
                return r;
        r = filter_stream(filter, media, codec, &frame.stream, reply);
        if (r > 0)
                reply->value = verdict_reply(r, 0, 0);
        if (r == 0)
                r = transform(filter, &frame, payload, length, reply);
        if (r < 0)
                return r;
        return describe(reply->value, line) < 0 ? reply_error(reply, "Out of memory.") : 0;
}

/* ---- commands ---- */

static int do_ratchet(Filter *filter, const json_t *line, Reply *reply) {
        uint32_t index, step;
        int r;

        /* A receiver has no active key; it moves the one it got last. */
        r = get_u32(line, "key_index", filter->direction == FRAMEKEY_ENCRYPT ? UINT32_MAX : filter->key_index, &index,
                    reply);
        if (r < 0)
                return r;
        r = framekey_session_ratchet(filter->session, filter->key_holder, index, &step);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        reply->value = json_pack("{s:s, s:I}", "done", "ratchet", "step", (json_int_t)step);
        return 0;
}

static int do_activate(Filter *filter, const json_t *line, Reply *reply) {
        uint32_t index;
        int r;

        r = get_u32(line, "key_index", filter->key_index, &index, reply);
        if (r < 0)
                return r;
        r = framekey_session_activate(filter->session, filter->key_holder, index);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        reply->value = json_pack("{s:s, s:I}", "done", "activate", "key_index", (json_int_t)index);
        return 0;
}

static int do_import(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_(secret_buffer_free_p) SecretBuffer *secret = NULL;
        const char *options[3] = { NULL }, *path;
        char step_option[sizeof("step=4294967295")];
        uint32_t index, step;
        size_t n = 0;
        int r;

        if (get_string(line, "key_file", &path, reply) < 0 ||
            get_u32(line, "key_index", filter->key_index, &index, reply) < 0 ||
            get_u32(line, "step", 0, &step, reply) < 0)
                return -EINVAL;
        if (!path)
                return reply_error(reply, "'key_file' is missing.");
        if (json_is_true(json_object_get(line, "activate")))
                options[n++] = "activate=yes";
        if (step > 0) {
                (void)snprintf(step_option, sizeof(step_option), "step=%u", step);
                options[n] = step_option;
        }
        r = secret_read_file(path, &secret, &reply->error);
        if (r < 0)
                return r;
        r = framekey_session_import_key(filter->session, filter->key_holder, index, secret->bytes, secret->length,
                                        options);
        if (r < 0)
                return reply_client_error(reply, filter, r);
        filter->key_index = index;
        reply->value = json_pack("{s:s, s:I}", "done", "import", "key_index", (json_int_t)index);
        return 0;
}

static const struct {
        const char *name;
        int (*run)(Filter *filter, const json_t *line, Reply *reply);
} commands[] = {
        { "ratchet", do_ratchet },
        { "activate", do_activate },
        { "import", do_import },
};

static int do_command(Filter *filter, const char *name, const json_t *line, Reply *reply) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (strcmp(name, commands[i].name) == 0)
                        return commands[i].run(filter, line, reply);
        return reply_error(reply, "There is no command '%.32s'; there are 'ratchet', 'activate' and 'import'.", name);
}

/* ---- lines ---- */

static int do_line(Filter *filter, const char *text, size_t length, Reply *reply) {
        _cleanup_json_ json_t *line = NULL;
        json_error_t error;
        const char *command;

        line = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
        if (!line)
                return reply_error(reply, "This is no JSON: %s.", error.text);
        if (!json_is_object(line))
                return reply_error(reply, "This is no JSON object.");
        if (get_string(line, "do", &command, reply) < 0)
                return -EINVAL;
        return command ? do_command(filter, command, line, reply) : do_frame(filter, line, reply);
}

static json_t *error_text(uint64_t line, const char *error) {
        json_t *text = json_sprintf("error: line %" PRIu64 ": %s", line, error);

        /* NULL where the sentence is not UTF-8: what it repeats of the input was cut within a character. */
        return text ?: json_sprintf("error: line %" PRIu64 ": The line is wrong.", line);
}

static int write_reply(Filter *filter, Reply *reply, int r) {
        _cleanup_json_ json_t *value = reply->value;
        _cleanup_free_ char *error = reply->error;

        if (r < 0 || !value) {
                filter->n_errors++;
                json_decref(value);
                value = json_pack("{s:o}", "verdict", error_text(filter->n_lines, error ?: "Out of memory."));
        }
        /* Flushed line by line: the reader may wait for this answer before it sends the next frame. */
        if (json_dumpf(value, stdout, JSON_COMPACT) < 0 || fputc('\n', stdout) == EOF || fflush(stdout) == EOF)
                return cli_fail("Cannot write the output.");
        return CLI_OK;
}

int filter_run(Filter *filter) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        ssize_t length;

        while ((length = getline(&text, &size, stdin)) >= 0) {
                Reply reply = { .value = NULL };
                int r;

                filter->n_lines++;
                if (strspn(text, " \t\r\n") == (size_t)length)
                        continue;
                r = do_line(filter, text, (size_t)length, &reply);
                r = write_reply(filter, &reply, r);
                if (r != CLI_OK)
                        return r;
        }
        if (ferror(stdin))
                return cli_fail("Cannot read standard input.");
        return filter->n_errors > 0 ? CLI_FAILED : CLI_OK;
}
