/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verbs encrypt and decrypt: command line, session, key, channel.
 *
 * The key, if there is one to begin with, goes from its file or descriptor to the daemon once,
 * before the first line is read.
 */
#include "filter.h"

#include <stdio.h>

/* Enough for a pipe: one frame is under way at a time. The daemon's default channel is larger. */
static const char *const channel_options[] = { "small-slots=1", "video-slots=1", "jumbo-slots=1", NULL };

typedef struct FilterArguments {
        const char *profile;
        const char *key_file;
        const char *participant;
        int key_fd;        /* -EBADF: not given */
        const char *allow; /* what passes without a key */
        uint8_t *metadata;
        size_t metadata_length;
        bool no_key, events;
        uint32_t key_index;
        OptionList session, join, import;
} FilterArguments;

enum {
        OPTION_PROFILE,
        OPTION_KEY_FILE,
        OPTION_KEY_FD,
        OPTION_NO_KEY,
        OPTION_EVENTS,
        OPTION_PARTICIPANT,
        OPTION_KEY_INDEX,
        OPTION_STEP,
        OPTION_WINDOW,
        OPTION_RING_SIZE,
        OPTION_SUITE,
        OPTION_RATCHET_BITS,
        OPTION_MLS,
        OPTION_MEMBER,
        OPTION_CONTEXT,
        OPTION_METADATA_HEX,
        OPTION_ALLOW_UNENCRYPTED,
        OPTION_SOURCE_OPTIONS, /* the first of them */
        OPTION_KEY_OPTIONS = OPTION_SOURCE_OPTIONS + N_SOURCE_OPTIONS,
};

static const CliOption filter_options[] = {
        [OPTION_PROFILE] = { "profile", 0, "PRESET", "Format and key derivation; 'framekeyctl presets' lists them" },
        [OPTION_KEY_FILE] = { "key-file", 0, "FILE", "Passphrase or byte key: all bytes of the file" },
        [OPTION_KEY_FD] = { "key-fd", 0, "N", "The same from an open descriptor" },
        [OPTION_NO_KEY] = { "no-key", 0, NULL, "There is no key before a command brings one" },
        [OPTION_EVENTS] = { "events", 0, NULL, "Write the session's signals as lines too" },
        [OPTION_PARTICIPANT] = { "participant", 0, "NAME", "Who sends these frames ('framekeyctl')" },
        [OPTION_KEY_INDEX] = { "key-index", 0, "N", "Index to put the key under (0)" },
        [OPTION_STEP] = { "step", 0, "N", "Ratchet the key so many steps before it is used" },
        [OPTION_WINDOW] = { "window", 0, "N", "Ratchet steps that a receiver follows" },
        [OPTION_RING_SIZE] = { "ring-size", 0, "N", "Number of key indices" },
        [OPTION_SUITE] = { "suite", 0, "SUITE", "SFrame: cipher suite; 'framekeyctl status' lists them" },
        [OPTION_RATCHET_BITS] = { "ratchet-bits", 0, "N", "SFrame: bits of the KID that have the ratchet step" },
        [OPTION_MLS] = { "mls", 0, "S:E", "SFrame: bits of the KID for member index and epoch of an MLS group" },
        [OPTION_MEMBER] = { "member", 0, "N", "SFrame: the participant's index in the MLS group" },
        [OPTION_CONTEXT] = { "context", 0, "N", "SFrame: and its context" },
        [OPTION_METADATA_HEX] = { "metadata-hex", 0, "HEX", "SFrame: metadata of frames that bring none" },
        [OPTION_ALLOW_UNENCRYPTED] = { "allow-unencrypted", 0, "silence|all",
                                       "DAVE: let the frame of silence, or all, pass without a key" },
        SOURCE_OPTIONS,
        KEY_OPTIONS,
};

static int take_number(const char *option, const char *value, uint32_t max, uint32_t *ret) {
        uint64_t number;
        int r;

        r = cli_number(option, value, max, &number);
        if (r == CLI_OK)
                *ret = (uint32_t)number;
        return r;
}

static int take_key_fd(FilterArguments *arguments, const char *value) {
        uint32_t number;
        int r;

        r = take_number("key-fd", value, INT32_MAX, &number);
        if (r != CLI_OK)
                return r;
        if (number == STDIN_FILENO)
                return cli_usage_error(
                        "Standard input carries the frames: give the key by another descriptor or file.");
        arguments->key_fd = (int)number;
        return CLI_OK;
}

/* Member index and epoch: "8:4". */
static int take_mls(FilterArguments *arguments, const char *value) {
        const char *colon = strchr(value, ':');

        if (!colon)
                return cli_usage_error("--mls takes the bits of the member index and of the epoch, such as 8:4.");
        option_list_add(&arguments->session, "mls-index-bits=%.*s", (int)(colon - value), value);
        option_list_add(&arguments->session, "mls-epoch-bits=%s", colon + 1);
        return CLI_OK;
}

static int take_metadata(FilterArguments *arguments, const char *value) {
        free(take_ptr(arguments->metadata));
        if (hex_to_bytes(value, &arguments->metadata, &arguments->metadata_length) < 0 ||
            arguments->metadata_length > FRAMEKEY_METADATA_MAX)
                return cli_usage_error("--metadata-hex takes at most %u bytes as pairs of hex digits.",
                                       FRAMEKEY_METADATA_MAX);
        return CLI_OK;
}

/* Those of SFrame and DAVE. */
static int take_format_option(FilterArguments *arguments, size_t option, const char *value) {
        switch (option) {
        case OPTION_SUITE:
                option_list_add(&arguments->session, "cipher-suite=%s", value);
                break;
        case OPTION_RATCHET_BITS:
                option_list_add(&arguments->session, "ratchet-bits=%s", value);
                break;
        case OPTION_MLS:
                return take_mls(arguments, value);
        case OPTION_MEMBER:
                option_list_add(&arguments->join, "member-index=%s", value);
                break;
        case OPTION_CONTEXT:
                option_list_add(&arguments->join, "context=%s", value);
                break;
        case OPTION_METADATA_HEX:
                return take_metadata(arguments, value);
        case OPTION_ALLOW_UNENCRYPTED:
                arguments->allow = value;
                break;
        default:
                return source_option_take(&arguments->import, option - OPTION_SOURCE_OPTIONS, value);
        }
        return CLI_OK;
}

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        FilterArguments *arguments = userdata;

        if (option >= OPTION_KEY_OPTIONS)
                return key_option_take(&arguments->session, option - OPTION_KEY_OPTIONS, value);
        if (option >= OPTION_SUITE)
                return take_format_option(arguments, option, value);
        switch (option) {
        case OPTION_PROFILE:
                arguments->profile = value;
                break;
        case OPTION_KEY_FILE:
                if (strcmp(value, "-") == 0)
                        return cli_usage_error("Standard input carries the frames: give the key by --key-fd or in a "
                                               "file.");
                arguments->key_file = value;
                break;
        case OPTION_KEY_FD:
                return take_key_fd(arguments, value);
        case OPTION_NO_KEY:
                arguments->no_key = true;
                break;
        case OPTION_EVENTS:
                arguments->events = true;
                break;
        case OPTION_PARTICIPANT:
                arguments->participant = value;
                break;
        case OPTION_KEY_INDEX:
                return take_number("key-index", value, UINT32_MAX - 1, &arguments->key_index);
        case OPTION_STEP:
                option_list_add(&arguments->import, "step=%s", value);
                break;
        case OPTION_WINDOW:
                option_list_add(&arguments->session, "ratchet-window=%s", value);
                break;
        default: /* OPTION_RING_SIZE */
                option_list_add(&arguments->session, "ring-size=%s", value);
                break;
        }
        return CLI_OK;
}

/* ---- opening ---- */

static int read_key(const Context *context, const FilterArguments *arguments, SecretBuffer **ret) {
        _cleanup_free_ char *error = NULL;
        int r;

        if (arguments->no_key)
                return CLI_OK;
        r = arguments->key_file ? secret_read_file(arguments->key_file, ret, &error)
                                : secret_read_fd(arguments->key_fd, ret, &error);
        if (r < 0)
                return cli_fail("%s", error ?: strerror(-r));
        if (secret_ends_with_newline(*ret))
                cli_hint(context,
                         "Note that the key ends with a newline, which is part of it; 'printf %%s' writes none.");
        return CLI_OK;
}

/* Whose name a key is imported under depends on the session's key mode. */
static int find_key_holder(Filter *filter) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *mode = NULL;
        int r;

        r = sd_bus_get_property_string(framekey_client_get_bus(filter->client), "org.framekey1",
                                       framekey_session_get_path(filter->session), SESSION_INTERFACE, "KeyMode", &error,
                                       &mode);
        if (r < 0)
                return framekey_client_note_error(filter->client, r, &error);
        filter->key_holder = strcmp(mode, "shared") == 0 ? "" : filter->participant;
        return 0;
}

static int filter_open(Filter *filter, const FilterArguments *arguments, const SecretBuffer *secret) {
        enum framekey_role role = filter->direction == FRAMEKEY_ENCRYPT ? FRAMEKEY_LOCAL : FRAMEKEY_REMOTE;
        int r;

        r = framekey_session_open(filter->client, arguments->profile, "framekeyctl", option_list(&arguments->session),
                                  &filter->session);
        if (r < 0)
                return r;
        r = framekey_session_set_handler(filter->session, filter_on_event, filter);
        if (r < 0)
                return r;
        r = find_key_holder(filter);
        if (r < 0)
                return r;
        r = framekey_session_add_participant(filter->session, filter->participant, role, option_list(&arguments->join));
        if (r < 0)
                return r;
        if (arguments->allow)
                r = filter_allow_unencrypted(filter, arguments->allow, 0);
        if (r < 0)
                return r;
        if (secret)
                r = framekey_session_import_key(filter->session, filter->key_holder, filter->key_index, secret->bytes,
                                                secret->length, option_list(&arguments->import));
        if (r < 0)
                return r;
        return framekey_session_open_channel(filter->session, channel_options, &filter->channel, &filter->channel_path);
}

static void filter_done(Filter *filter) {
        framekey_channel_free(filter->channel);
        framekey_session_close(filter->session);
        free(filter->channel_path);
        free(filter->streams);
        free(filter->out);
}

static int run(Context *context, const FilterArguments *arguments, enum framekey_direction direction) {
        _cleanup_(secret_buffer_free_p) SecretBuffer *secret = NULL;
        Filter filter = {
                .direction = direction,
                .participant = arguments->participant,
                .key_index = arguments->key_index,
                .metadata = arguments->metadata,
                .metadata_length = arguments->metadata_length,
                .tell_events = arguments->events,
        };
        unsigned n_keys = (arguments->key_file != NULL) + (arguments->key_fd >= 0) + arguments->no_key;
        int r;

        if (!arguments->profile)
                return cli_usage_error("Say which format: --profile=PRESET ('framekeyctl presets' lists them).");
        if (n_keys != 1)
                return cli_usage_error("Give the key once: by --key-file=FILE or by --key-fd=N; or say --no-key if a "
                                       "command brings it.");
        if (arguments->no_key && arguments->import.n > 0)
                return cli_usage_error(
                        "--step, --kid, --ssrc, --replace and --user-id are about the key that --no-key says "
                        "is not there.");
        r = read_key(context, arguments, &secret);
        if (r == CLI_OK)
                r = context_client(context, &filter.client);
        if (r != CLI_OK)
                return r;
        r = filter_open(&filter, arguments, secret);
        secret = secret_buffer_free(secret); /* the daemon has it now */
        r = r < 0 ? cli_fail_client(filter.client, r) : filter_run(&filter);
        filter_done(&filter);
        return r;
}

static int parse_and_run(Context *context, const CliUsage *usage, int argc, char **argv,
                         enum framekey_direction direction) {
        FilterArguments arguments = { .participant = "framekeyctl", .key_fd = -EBADF };
        int r, first;

        r = cli_parse(context, usage, argc, argv, &arguments, &first);
        r = r == CLI_OK ? run(context, &arguments, direction) : cli_parse_status(r);
        option_list_done(&arguments.session);
        option_list_done(&arguments.join);
        option_list_done(&arguments.import);
        free(arguments.metadata);
        return r;
}

#define LINES_TEXT                                                                                                     \
        "\nEach line of standard input is a frame as a JSON object:\n"                                                 \
        "  {\"codec\":\"vp8\",\"media\":\"video\",\"frame_type\":\"key\",\"ssrc\":1,\"rtp_timestamp\":2,"              \
        "\"payload_hex\":\"...\"}\n"                                                                                   \
        "and is answered by one line, at once:\n"                                                                      \
        "  {\"payload_hex\":\"...\",\"verdict\":\"ok\",\"key_index\":0,\"step\":0}\n"                                  \
        "Lines may also hold commands: {\"do\":\"ratchet\"}, {\"do\":\"activate\",\"key_index\":N},\n"                 \
        "{\"do\":\"import\",\"key_file\":PATH,\"key_index\":N,\"activate\":true}, and further ones: see "              \
        "framekeyctl(1)."

int verb_encrypt(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "encrypt",
                .arguments = "--profile=PRESET --key-file=FILE",
                .summary = "Encrypts frames as a sending participant." LINES_TEXT,
                .options = filter_options,
                .n_options = ELEMENTS(filter_options),
                .take = take_option,
        };

        return parse_and_run(context, &usage, argc, argv, FRAMEKEY_ENCRYPT);
}

int verb_decrypt(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "decrypt",
                .arguments = "--profile=PRESET --key-file=FILE",
                .summary = "Decrypts the frames of a sending participant." LINES_TEXT,
                .options = filter_options,
                .n_options = ELEMENTS(filter_options),
                .take = take_option,
        };

        return parse_and_run(context, &usage, argc, argv, FRAMEKEY_DECRYPT);
}
