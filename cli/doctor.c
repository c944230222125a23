/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb doctor: explains what is wrong with the daemon, with sessions, or with a frame that does not open, and
 * what to do.
 */
#include "doctor.h"

#include "filter.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
        const char *name, *symbol, *plain, *color;
} levels[FINDING_LEVELS] = {
        [FINDING_GOOD] = { "good", "\u2714", "+", "\033[32m" },
        [FINDING_WARNING] = { "warning", "!", "!", "\033[33m" },
        [FINDING_ERROR] = { "error", "\u2718", "x", "\033[31m" },
};

static void print_finding(const Context *context, FindingLevel level, const char *text, const char *remedy) {
        bool unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;

        if (level == FINDING_GOOD && context->quiet)
                return;
        (void)printf("%s%s%s ", context->colors ? levels[level].color : "",
                     unicode ? levels[level].symbol : levels[level].plain, context->colors ? "\033[0m" : "");
        output_line(text);
        if (!remedy)
                return;
        (void)fputs("    ", stdout);
        output_line(remedy);
}

void finding(Findings *findings, FindingLevel level, const char *check, const char *remedy, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list arguments;
        json_t *row;

        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
                text = NULL;
        va_end(arguments);
        row = json_pack("{s:s, s:s, s:s, s:s*}", "level", levels[level].name, "check", check, "text", text ?: "?",
                        "remedy", remedy);
        (void)json_array_append_new(findings->rows, row); /* without memory it is printed all the same */
        findings->n[level]++;
        if (findings->context->json == JSON_OFF)
                print_finding(findings->context, level, text ?: "?", remedy);
}

/* ---- options ---- */

enum {
        OPTION_HEX,
        OPTION_CODEC,
        OPTION_KEY_FILE,
        OPTION_KEY_FD,
        OPTION_SESSION,
        OPTION_SUITE,
        OPTION_RATCHET_BITS,
        OPTION_MLS,
        OPTION_METADATA_HEX,
        OPTION_SOURCE_OPTIONS,
        OPTION_KEY_OPTIONS = OPTION_SOURCE_OPTIONS + N_SOURCE_OPTIONS,
};

static const CliOption doctor_options[] = {
        [OPTION_HEX] = { "hex", 0, "DIGITS", "The frame itself, instead of a file" },
        [OPTION_CODEC] = { "codec", 0, "vp8|vp9|av1|h264|h265|opus|data", "What the frame carries" },
        [OPTION_KEY_FILE] = { "key-file", 0, "FILE", "Passphrase or byte key to try: all bytes of the file" },
        [OPTION_KEY_FD] = { "key-fd", 0, "N", "The same from an open descriptor" },
        [OPTION_SESSION] = { "session", 0, "SESSION", "Compare with the keys that this session holds" },
        [OPTION_SUITE] = { "suite", 0, "SUITE", "SFrame: cipher suite; without it all are tried" },
        [OPTION_RATCHET_BITS] = { "ratchet-bits", 0, "N", "SFrame: bits of the KID that have the ratchet step" },
        [OPTION_MLS] = { "mls", 0, "S:E", "SFrame: bits of the KID for member index and epoch of an MLS group" },
        [OPTION_METADATA_HEX] = { "metadata-hex", 0, "HEX", "SFrame: metadata of the frame" },
        SOURCE_OPTIONS,
        KEY_OPTIONS,
};

typedef struct DoctorArguments {
        const char *hex, *key_file;
        int key_fd; /* -EBADF: not given */
        uint8_t *metadata;
        FrameQuestion question;
} DoctorArguments;

static int take_metadata(DoctorArguments *arguments, const char *value) {
        free(take_ptr(arguments->metadata));
        if (hex_to_bytes(value, &arguments->metadata, &arguments->question.metadata_length) < 0 ||
            arguments->question.metadata_length > FRAMEKEY_METADATA_MAX)
                return cli_usage_error("--metadata-hex takes at most %u bytes as pairs of hex digits.",
                                       FRAMEKEY_METADATA_MAX);
        arguments->question.metadata = arguments->metadata;
        return CLI_OK;
}

static int take_key_fd(DoctorArguments *arguments, const char *value) {
        uint64_t number;
        int r = cli_number("key-fd", value, INT32_MAX, &number);

        if (r == CLI_OK)
                arguments->key_fd = (int)number;
        return r;
}

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        DoctorArguments *arguments = userdata;
        FrameQuestion *question = &arguments->question;

        if (option >= OPTION_KEY_OPTIONS)
                return key_option_take(&question->options, option - OPTION_KEY_OPTIONS, value);
        if (option >= OPTION_SOURCE_OPTIONS)
                return source_option_take(&question->import, option - OPTION_SOURCE_OPTIONS, value);
        switch (option) {
        case OPTION_HEX:
                arguments->hex = value;
                return CLI_OK;
        case OPTION_CODEC:
                return inspect_take_codec(value, &question->frame.codec, &question->frame.media);
        case OPTION_KEY_FILE:
                arguments->key_file = value;
                return CLI_OK;
        case OPTION_KEY_FD:
                return take_key_fd(arguments, value);
        case OPTION_SESSION:
                question->session = value;
                return CLI_OK;
        case OPTION_SUITE:
                question->suite = value;
                return inspect_take_suite(value, &question->frame);
        case OPTION_RATCHET_BITS:
                return inspect_take_ratchet_bits(value, &question->frame);
        case OPTION_MLS:
                return inspect_take_mls(value, &question->frame);
        default: /* OPTION_METADATA_HEX */
                return take_metadata(arguments, value);
        }
}

/* ---- the verb ---- */

static int read_key(const Context *context, const DoctorArguments *arguments, SecretBuffer **ret) {
        _cleanup_free_ char *error = NULL;
        int r = 0;

        if (arguments->key_file)
                r = secret_read_file(arguments->key_file, ret, &error);
        else if (arguments->key_fd >= 0)
                r = secret_read_fd(arguments->key_fd, ret, &error);
        return r < 0 ? cli_fail("%s", error ?: strerror(-r)) : CLI_OK;
}

static int read_question(const Context *context, DoctorArguments *arguments, const char *path, uint8_t **ret_bytes,
                         SecretBuffer **ret_secret) {
        int r;

        r = inspect_read(path, arguments->hex, ret_bytes, &arguments->question.frame.length);
        if (r != CLI_OK)
                return r;
        if (arguments->question.frame.length == 0)
                return cli_fail("The frame has no bytes; an empty frame is passed on as it is.");
        if (arguments->question.frame.length > FRAMEKEY_FRAME_MAX)
                return cli_fail("The frame is longer than %u bytes, which no daemon takes.", FRAMEKEY_FRAME_MAX);
        arguments->question.frame.bytes = *ret_bytes;
        r = read_key(context, arguments, ret_secret);
        arguments->question.secret = *ret_secret;
        return r;
}

static int examine(Findings *findings, const DoctorArguments *arguments, bool with_frame, json_t *result) {
        _cleanup_json_ json_t *manager = NULL;
        int r;

        r = check_daemon(findings, &manager);
        if (r != CLI_OK)
                return r;
        if (with_frame)
                return check_frame(findings, &arguments->question, manager, result);
        check_state(findings, manager);
        return check_sessions(findings);
}

static int run(Context *context, const DoctorArguments *arguments, bool with_frame) {
        Findings findings = { .context = context, .rows = json_array() };
        _cleanup_json_ json_t *result = json_pack("{s:o}", "findings", findings.rows);
        int r, q = CLI_OK;

        if (!result)
                return cli_fail("Out of memory.");
        r = examine(&findings, arguments, with_frame, result);
        if (context->json != JSON_OFF && (r == CLI_OK || r == CLI_UNREACHABLE))
                q = output_json(context, result);
        if (r != CLI_OK)
                return r;
        return q == CLI_OK && findings.n[FINDING_ERROR] > 0 ? CLI_FAILED : q;
}

int verb_doctor(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "doctor",
                .arguments = "[FRAME]",
                .summary = "Looks for what is wrong with the daemon and the sessions, and says what to do.\nWith a "
                           "captured encrypted frame: which preset opens it with a given key, or what is known of it.",
                .options = doctor_options,
                .n_options = ELEMENTS(doctor_options),
                .n_max = 1,
                .take = take_option,
        };
        DoctorArguments arguments = { .key_fd = -EBADF };
        _cleanup_(secret_buffer_free_p) SecretBuffer *secret = NULL;
        _cleanup_free_ uint8_t *bytes = NULL;
        bool with_frame;
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &arguments, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        with_frame = arguments.hex || first < argc;
        if (arguments.hex && first < argc)
                r = cli_usage_error("Name a file or give --hex, not both.");
        else if (!with_frame && (arguments.key_file || arguments.key_fd >= 0 || arguments.question.session))
                r = cli_usage_error("A key or a session is for a frame: name a file with one, or give --hex.");
        else if (with_frame)
                r = read_question(context, &arguments, first < argc ? argv[first] : NULL, &bytes, &secret);
        if (r == CLI_OK)
                r = run(context, &arguments, with_frame);
        option_list_done(&arguments.question.options);
        option_list_done(&arguments.question.import);
        free(arguments.metadata);
        return r;
}
