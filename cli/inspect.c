/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb inspect: a captured frame as a table of its parts. Needs no daemon.
 */
#include "inspect.h"

#include "filter.h"

#include <fcntl.h>
#include <stdio.h>

/* More than any encrypted frame has. */
#define CAPTURE_MAX (2u * FRAMEKEY_FRAME_MAX)

/* ---- reading ---- */

static int read_fd(int fd, const char *name, uint8_t **ret, size_t *ret_length) {
        _cleanup_free_ uint8_t *bytes = malloc(CAPTURE_MAX + 1);
        size_t length = 0;
        ssize_t n;

        if (!bytes)
                return cli_fail("Out of memory.");
        do {
                n = read(fd, bytes + length, CAPTURE_MAX + 1 - length);
                if (n > 0)
                        length += (size_t)n;
        } while (n > 0 || (n < 0 && errno == EINTR));
        if (n < 0)
                return cli_fail("Cannot read %s: %s.", name, strerror(errno));
        if (length > CAPTURE_MAX)
                return cli_fail("%s is longer than a frame can be: %u bytes.", name, CAPTURE_MAX);
        *ret = take_ptr(bytes);
        *ret_length = length;
        return CLI_OK;
}

int inspect_read(const char *path, const char *hex, uint8_t **ret, size_t *ret_length) {
        _cleanup_close_ int fd = -EBADF;

        if (hex) {
                if (hex_to_bytes(hex, ret, ret_length) < 0)
                        return cli_usage_error("--hex takes pairs of hex digits.");
                return CLI_OK;
        }
        if (!path || strcmp(path, "-") == 0)
                return read_fd(STDIN_FILENO, "standard input", ret, ret_length);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return cli_fail("Cannot open %s: %s.", path, strerror(errno));
        return read_fd(fd, path, ret, ret_length);
}

int inspect_take_codec(const char *value, enum framekey_codec *ret, enum framekey_media *ret_media) {
        enum framekey_codec codec = framekey_codec_from_name(value);

        if (codec == FRAMEKEY_CODEC_UNKNOWN)
                return cli_usage_error("There is no codec '%.32s': write vp8, vp9, av1, h264, h265, opus or another "
                                       "audio codec, or data.",
                                       value);
        *ret = codec;
        *ret_media = codec == FRAMEKEY_CODEC_DATA  ? FRAMEKEY_MEDIA_DATA
                     : codec >= FRAMEKEY_CODEC_VP8 ? FRAMEKEY_MEDIA_VIDEO
                                                   : FRAMEKEY_MEDIA_AUDIO;
        return CLI_OK;
}

/* ---- options ---- */

enum {
        OPTION_HEX,
        OPTION_CODEC,
        OPTION_FORMAT,
        OPTION_SUITE,
        OPTION_RATCHET_BITS,
        OPTION_MLS,
};

static const CliOption inspect_options[] = {
        [OPTION_HEX] = { "hex", 0, "DIGITS", "The frame itself, instead of a file" },
        [OPTION_CODEC] = { "codec", 0, "vp8|vp9|av1|h264|h265|opus|data",
                           "What it carries: tells which bytes are clear" },
        [OPTION_FORMAT] = { "format", 0, "livekit|realtimekit|jitsi|sframe|dave", "Look for this format alone" },
        [OPTION_SUITE] = { "suite", 0, "SUITE", "SFrame: cipher suite, which says how long the tag is" },
        [OPTION_RATCHET_BITS] = { "ratchet-bits", 0, "N", "SFrame: bits of the KID that have the ratchet step" },
        [OPTION_MLS] = { "mls", 0, "S:E", "SFrame: bits of the KID for member index and epoch of an MLS group" },
};

typedef struct InspectArguments {
        const char *hex;
        Inspected frame;
} InspectArguments;

static int take_bits(const char *option, const char *value, uint64_t max, unsigned *ret) {
        uint64_t number;
        int r;

        r = cli_number(option, value, max, &number);
        if (r == CLI_OK)
                *ret = (unsigned)number;
        return r;
}

int inspect_take_ratchet_bits(const char *value, Inspected *frame) {
        return take_bits("ratchet-bits", value, 32, &frame->ratchet_bits);
}

int inspect_take_mls(const char *value, Inspected *frame) {
        const char *colon = strchr(value, ':');
        _cleanup_free_ char *first = colon ? strndup(value, (size_t)(colon - value)) : NULL;

        if (!first)
                return cli_usage_error("--mls takes the bits of the member index and of the epoch, such as 8:4.");
        if (take_bits("mls", first, 48, &frame->index_bits) != CLI_OK ||
            take_bits("mls", colon + 1, 8, &frame->epoch_bits) != CLI_OK)
                return CLI_USAGE;
        return CLI_OK;
}

/* The names of suites end with the bits of their tag. */
int inspect_take_suite(const char *value, Inspected *frame) {
        static const char *const bits[] = { "_32", "_64", "_80", "_128" };

        for (size_t i = 0; i < ELEMENTS(bits); i++) {
                const char *end = strlen(value) > strlen(bits[i]) ? value + strlen(value) - strlen(bits[i]) : "";

                if (strncmp(value, "AES_", 4) == 0 && strcmp(end, bits[i]) == 0) {
                        frame->tag_length = (unsigned)strtoul(bits[i] + 1, NULL, 10) / 8;
                        return CLI_OK;
                }
        }
        return cli_usage_error("There is no suite '%.40s'; 'framekeyctl status' lists them.", value);
}

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        InspectArguments *arguments = userdata;
        Inspected *frame = &arguments->frame;

        switch (option) {
        case OPTION_HEX:
                arguments->hex = value;
                return CLI_OK;
        case OPTION_CODEC:
                return inspect_take_codec(value, &frame->codec, &frame->media);
        case OPTION_FORMAT:
                frame->format = framekey_format_from_name(value);
                return frame->format != 0 ? CLI_OK : cli_usage_error("There is no format '%.32s'.", value);
        case OPTION_SUITE:
                return inspect_take_suite(value, frame);
        case OPTION_RATCHET_BITS:
                return inspect_take_ratchet_bits(value, frame);
        default:
                return inspect_take_mls(value, frame);
        }
}

/* ---- output ---- */

static const Column field_columns[] = {
        { .key = "offset", .heading = "OFFSET", .right = true },
        { .key = "length", .heading = "LENGTH", .right = true },
        { .key = "name", .heading = "FIELD" },
        { .key = "value", .heading = "VALUE" },
};

static int print_candidate(const Context *context, const json_t *candidate) {
        _cleanup_free_ char *formats = text_list(json_object_get(candidate, "formats"));
        json_t *note;
        size_t i;
        int r;

        (void)printf("\n%s%s%s: %s\n", context->colors ? "\033[1m" : "", formats ?: "?",
                     context->colors ? "\033[0m" : "", json_text(json_object_get(candidate, "summary")));
        (void)printf("Evidence: %s.\n", json_text(json_object_get(candidate, "evidence")));
        json_array_foreach(json_object_get(candidate, "notes"), i, note) {
                output_line(json_text(note));
        }
        r = output_rows(context, "fields", field_columns, ELEMENTS(field_columns),
                        json_object_get(candidate, "fields"));
        return r;
}

static int print_result(const Context *context, const json_t *result) {
        json_t *candidate, *refusal;
        size_t i;
        int r = CLI_OK;

        (void)printf("A frame of %" JSON_INTEGER_FORMAT " bytes. It could be:\n",
                     json_integer_value(json_object_get(result, "length")));
        json_array_foreach(json_object_get(result, "candidates"), i, candidate) {
                r = print_candidate(context, candidate);
                if (r != CLI_OK)
                        return r;
        }
        if (json_array_size(json_object_get(result, "candidates")) == 0)
                (void)puts("nothing that is known here.");
        json_array_foreach(json_object_get(result, "refused"), i, refusal) {
                (void)printf("%sNot %s: %s\n", i == 0 ? "\n" : "", json_text(json_object_get(refusal, "format")),
                             json_text(json_object_get(refusal, "reason")));
        }
        return r;
}

int verb_inspect(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "inspect",
                .arguments = "[FRAME]",
                .summary = "Takes a captured encrypted frame apart, for each format that it could be of. FRAME is a "
                           "file with its bytes;\nwithout it they are read from standard input. No daemon and no key "
                           "are needed.",
                .options = inspect_options,
                .n_options = ELEMENTS(inspect_options),
                .n_max = 1,
                .take = take_option,
        };
        InspectArguments arguments = { .hex = NULL };
        _cleanup_free_ uint8_t *bytes = NULL;
        _cleanup_json_ json_t *result = NULL;
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &arguments, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        if (arguments.hex && first < argc)
                return cli_usage_error("Name a file or give --hex, not both.");
        r = inspect_read(first < argc ? argv[first] : NULL, arguments.hex, &bytes, &arguments.frame.length);
        if (r != CLI_OK)
                return r;
        if (arguments.frame.length == 0)
                return cli_fail("The frame has no bytes; an empty frame is passed on as it is.");
        arguments.frame.bytes = bytes;
        result = inspect_frame(&arguments.frame);
        r = context->json != JSON_OFF ? output_json(context, result) : print_result(context, result);
        if (r != CLI_OK)
                return r;
        return json_array_size(json_object_get(result, "candidates")) > 0 ? CLI_OK : CLI_FAILED;
}
