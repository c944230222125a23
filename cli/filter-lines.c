/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of encrypt and decrypt: JSON in, frame or command done, JSON out.
 *
 * Every line that is not blank gets exactly one line as its answer, written at once, so that a
 * program at the other end of two pipes can go step by step; signals of the session stand between
 * answers if they were asked for. A line that is wrong is answered by a verdict "error: line N:
 * ..." and does not end the run. Payloads are public or plain media, so they lie in ordinary
 * memory; keys are only named here, by file.
 */
#include "filter.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#define FRAME_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define READ_SIZE          65536u

/* ---- reading fields ---- */

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

/* `ret_metadata` is what the frame's own metadata is freed by. */
static int get_metadata(const Filter *filter, const json_t *object, struct framekey_frame *frame,
                        uint8_t **ret_metadata, Reply *reply) {
        size_t length = filter->metadata_length;

        frame->metadata = filter->metadata;
        if (json_object_get(object, "metadata_hex")) {
                if (get_hex(object, "metadata_hex", ret_metadata, &length, reply) < 0)
                        return -EINVAL;
                frame->metadata = *ret_metadata;
        }
        if (length > FRAMEKEY_METADATA_MAX)
                return reply_error(reply, "'metadata_hex' has more than %u bytes.", FRAMEKEY_METADATA_MAX);
        frame->metadata_len = (uint32_t)length;
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
        static const char *const keys[] = { "media", "codec", "frame_type", "ssrc", "rtp_timestamp", "metadata_hex" };

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
                        return filter->streams[i].unsupported ? FRAMEKEY_VERDICT_UNSUPPORTED : 0;
                }
        streams = reallocarray(filter->streams, filter->n_streams + 1, sizeof(*streams));
        if (!streams)
                return reply_error(reply, "Out of memory.");
        filter->streams = streams;
        r = framekey_session_add_stream(filter->session, filter->channel_path, filter->participant, filter->direction,
                                        media, codec, NULL, &stream.id);
        stream.unsupported = r == -EOPNOTSUPP;
        if (r < 0 && !stream.unsupported)
                return reply_client_error(reply, filter, r);
        filter->streams[filter->n_streams++] = stream;
        *ret = stream.id;
        return stream.unsupported ? FRAMEKEY_VERDICT_UNSUPPORTED : 0;
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
            json_object_set_new(reply->value, "payload_hex", json_hex(filter->out, out_length)) < 0)
                return reply_error(reply, "Out of memory.");
        return 0;
}

static bool is_answer(const json_t *line) {
        return json_object_get(line, "verdict") || json_object_get(line, "done") || json_object_get(line, "event");
}

static int do_frame(Filter *filter, const json_t *line, Reply *reply) {
        _cleanup_free_ uint8_t *payload = NULL, *metadata = NULL;
        struct framekey_frame frame;
        enum framekey_media media;
        enum framekey_codec codec;
        size_t length = 0;
        int r;

        if (!json_object_get(line, "payload_hex") && is_answer(line)) {
                /* From another framekeyctl, which delivered nothing here: so do we. */
                reply->value = json_deep_copy(line);
                return 0;
        }
        r = get_hex(line, "payload_hex", &payload, &length, reply);
        if (r < 0)
                return r;
        if (get_frame(line, &frame, reply) < 0 || get_kind(line, &media, &codec, reply) < 0 ||
            get_metadata(filter, line, &frame, &metadata, reply) < 0)
                return -EINVAL;
        r = filter_stream(filter, media, codec, &frame.stream, reply);
        if (r > 0)
                reply->value = verdict_reply(r, 0, 0);
        if (r == 0)
                r = transform(filter, &frame, payload, length, reply);
        if (r < 0)
                return r;
        return describe(reply->value, line) < 0 ? reply_error(reply, "Out of memory.") : 0;
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
        return command ? filter_command(filter, command, line, reply) : do_frame(filter, line, reply);
}

static json_t *error_text(uint64_t line, const char *error) {
        json_t *text = json_sprintf("error: line %" PRIu64 ": %s", line, error);

        /* NULL where the sentence is not UTF-8: what it repeats of the input was cut within a character. */
        return text ?: json_sprintf("error: line %" PRIu64 ": The line is wrong.", line);
}

/* Flushed line by line: the reader may wait for this answer before it sends the next frame. */
static int write_line(const json_t *value) {
        if (json_dumpf(value, stdout, JSON_COMPACT) < 0 || fputc('\n', stdout) == EOF || fflush(stdout) == EOF)
                return cli_fail("Cannot write the output.");
        return CLI_OK;
}

static int write_reply(Filter *filter, Reply *reply, int r) {
        _cleanup_json_ json_t *value = reply->value;
        _cleanup_free_ char *error = reply->error;

        if (r < 0 || !value) {
                filter->n_errors++;
                json_decref(value);
                value = json_pack("{s:o}", "verdict", error_text(filter->n_lines, error ?: "Out of memory."));
        }
        return write_line(value);
}

/* ---- signals ---- */

void filter_on_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        _cleanup_json_ json_t *object = NULL;
        Filter *filter = userdata;

        filter->n_events[event_number(event->name)]++;
        if (!filter->tell_events || filter->written != CLI_OK)
                return;
        object = event_to_json(event);
        filter->written = object ? write_line(object) : cli_fail("Out of memory.");
}

/* Tells the signals that are there. The frames go on without the bus: what is lost with it, commands say. */
static void take_signals(Filter *filter) {
        if (filter->tell_events && !filter->bus_lost && framekey_client_process(filter->client) < 0)
                filter->bus_lost = true;
}

/* ---- the input ---- */

typedef struct Input {
        char *text;
        size_t size, start, end;
        bool ended;
} Input;

/* Until standard input has something: signals do not wait for the next line. 0 or negative errno. */
static int input_wait(Filter *filter) {
        struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = -1, .events = POLLIN } };

        for (;;) {
                take_signals(filter);
                if (!filter->tell_events || filter->bus_lost || filter->written != CLI_OK)
                        return 0;
                fds[1].fd = sd_bus_get_fd(framekey_client_get_bus(filter->client));
                if (poll(fds, ELEMENTS(fds), -1) < 0) {
                        if (errno != EINTR)
                                return -errno;
                } else if (fds[0].revents) {
                        return 0;
                }
        }
}

/* Some more bytes behind those that are there, moved to the front. 0 or negative errno. */
static int input_fill(Filter *filter, Input *input) {
        ssize_t n;
        int r;

        if (input->start > 0)
                memmove(input->text, input->text + input->start, input->end - input->start);
        input->end -= input->start;
        input->start = 0;
        if (input->size - input->end < READ_SIZE) {
                size_t size = 2 * input->size + READ_SIZE;
                char *text = realloc(input->text, size);

                if (!text)
                        return -ENOMEM;
                input->text = text;
                input->size = size;
        }
        r = input_wait(filter);
        if (r < 0)
                return r;
        n = read(STDIN_FILENO, input->text + input->end, input->size - input->end);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        input->ended = n == 0;
        input->end += (size_t)n;
        return 0;
}

/* The next line without its end, valid until the next call. 1; 0 at the end of the input; negative errno. */
static int input_line(Filter *filter, Input *input, const char **ret, size_t *ret_length) {
        size_t searched = 0;
        int r;

        for (;;) {
                size_t length = input->end - input->start;
                const char *line = length > 0 ? input->text + input->start : NULL;
                const char *newline = length > searched ? memchr(line + searched, '\n', length - searched) : NULL;

                if (newline || (input->ended && length > 0)) {
                        *ret = line;
                        *ret_length = newline ? (size_t)(newline - line) : length;
                        input->start += *ret_length + (newline ? 1 : 0);
                        return 1;
                }
                if (input->ended || filter->written != CLI_OK)
                        return 0;
                searched = length;
                r = input_fill(filter, input);
                if (r < 0)
                        return r;
        }
}

static bool is_blank(const char *text, size_t length) {
        for (size_t i = 0; i < length; i++)
                if (!strchr(" \t\r", text[i]) || text[i] == '\0')
                        return false;
        return true;
}

static int work_off(Filter *filter, Input *input) {
        const char *text = NULL;
        size_t length = 0;
        int r;

        while ((r = input_line(filter, input, &text, &length)) > 0) {
                Reply reply = { .value = NULL };

                filter->n_lines++;
                if (is_blank(text, length))
                        continue;
                r = do_line(filter, text, length, &reply);
                r = write_reply(filter, &reply, r);
                if (r != CLI_OK)
                        return r;
                take_signals(filter);
        }
        if (r < 0)
                return cli_fail("Cannot read standard input: %s.", strerror(-r));
        return filter->written;
}

int filter_run(Filter *filter) {
        Input input = { .text = NULL };
        int r;

        r = work_off(filter, &input);
        free(input.text);
        if (r != CLI_OK)
                return r;
        return filter->n_errors > 0 ? CLI_FAILED : CLI_OK;
}
