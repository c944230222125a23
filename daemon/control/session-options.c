/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table for OpenSession; see session-options.h. */
#include "control/session-options.h"

#include "control/errors.h"
#include "control/key-options.h"
#include "control/session-limits.h"

/* A previous key that lives longer than this is no grace any more. */
#define GRACE_MAX_USEC (3600 * USEC_PER_SEC)
/* Whoever left would read on for so long. */
#define COALESCE_MAX_USEC (60 * USEC_PER_SEC)

static const OptionWord key_modes[] = { { "shared", true }, { "participant", false }, { NULL, 0 } };

typedef struct SessionOptions {
        uint32_t shared;
        bool exclusive;
        bool linger;
        uint64_t interval_usec;
        uint64_t maximum_age_usec;
        const char *suite; /* NULL: the preset's */
        uint32_t mls_index_bits;
        uint32_t mls_epoch_bits;
        SessionConfig config;
        Schedule schedule;
} SessionOptions;

#define FLAG_ROW(option_name, member)                                                                                  \
        { .name = (option_name), .type = OPTION_BOOL, .offset = offsetof(SessionOptions, member) }
#define NUMBER_ROW(option_name, number_type, member, least, most)                                                      \
        {                                                                                                              \
                .name = (option_name), .type = (number_type), .offset = offsetof(SessionOptions, member),              \
                .min = (least), .max = (most)                                                                          \
        }
#define SFRAME_ROW(option_name, member, least, most)                                                                   \
        {                                                                                                              \
                .name = (option_name), .type = OPTION_U32, .offset = offsetof(SessionOptions, member), .min = (least), \
                .max = (most), .only = KEY_OPTION_SFRAME                                                               \
        }
#define U32_ROW(option_name, member, least, most) NUMBER_ROW(option_name, OPTION_U32, member, least, most)
#define U64_ROW(option_name, member, least, most) NUMBER_ROW(option_name, OPTION_U64, member, least, most)

static const Option session_options[] = {
        { .name = "key-mode",
          .type = OPTION_WORD,
          .offset = offsetof(SessionOptions, shared),
          .words = key_modes,
          .only = KEY_OPTION_SALTED },
        { .name = "cipher-suite",
          .type = OPTION_TEXT,
          .offset = offsetof(SessionOptions, suite),
          .only = KEY_OPTION_SFRAME },
        SFRAME_ROW("ratchet-bits", schedule.ratchet_bits, 0, 32),
        SFRAME_ROW("mls-index-bits", mls_index_bits, 1, 48),
        SFRAME_ROW("mls-epoch-bits", mls_epoch_bits, 1, 8),
        U32_ROW("ring-size", config.ring_size, 1, SESSION_RING_MAX),
        U32_ROW("ratchet-window", config.ratchet_window, 0, SESSION_WINDOW_MAX),
        U64_ROW("grace-usec", config.grace_usec, 0, GRACE_MAX_USEC),
        { .name = "replay-window",
          .type = OPTION_U32,
          .offset = offsetof(SessionOptions, config.replay_window),
          .max = SESSION_REPLAY_MAX,
          .only = KEY_OPTION_SALTED },
        { .name = "server-trailer",
          .type = OPTION_BYTES,
          .offset = offsetof(SessionOptions, config.server_trailer),
          .len_offset = offsetof(SessionOptions, config.server_trailer_len),
          .max = SESSION_SERVER_TRAILER_MAX,
          .only = KEY_OPTION_SALTED },
        FLAG_ROW("exclusive", exclusive),
        FLAG_ROW("linger", linger),
        /* UINT64_MAX - 1: what is left unsaid cannot be said. */
        U64_ROW("ratchet-interval-usec", interval_usec, 0, UINT64_MAX - 1),
        U64_ROW("ratchet-frames", config.ratchet.frames, 0, UINT64_MAX),
        U64_ROW("ratchet-bytes", config.ratchet.bytes, 0, UINT64_MAX),
        U64_ROW("rotate-after-usec", config.rotate_after_usec, 0, POLICY_SPAN_MAX_USEC),
        U64_ROW("maximum-key-age-usec", maximum_age_usec, 0, UINT64_MAX - 1),
        U64_ROW("activate-after-usec", config.activate_after_usec, 0, ACTIVATE_AFTER_MAX_USEC),
        FLAG_ROW("activate-at-key-frame", config.activate_at_key_frame),
        FLAG_ROW("activate-by-hand", config.activate_by_hand),
        U64_ROW("coalesce-usec", config.coalesce_usec, 0, COALESCE_MAX_USEC),
        U64_ROW("send-limit", config.send_limit, SESSION_SEND_LIMIT_MIN, SESSION_SEND_LIMIT_MAX),
        FLAG_ROW("retain-root", config.retain_root),
        FLAG_ROW("retire-superseded", config.retire_superseded),
        KEY_OPTION_ROWS(SessionOptions),
        { .name = NULL },
};

static int settle_suite(SessionOptions *options, sd_bus_error *error) {
        const SuiteInfo *suite = options->suite ? suite_find_by_name(options->suite) : NULL;

        if (!options->suite)
                return 0;
        if (!suite || suite->id == SUITE_DAVE)
                return error_set_invalid(
                        error,
                        "Option 'cipher-suite' is '%.64s'; it must be one of SFrame's suites 1 to 8 by "
                        "its name, as the Manager's property CipherSuites lists them.",
                        options->suite);
        options->schedule.suite = suite->id;
        return 0;
}

static int settle_mls(SessionOptions *options, sd_bus_error *error) {
        SessionConfig *config = &options->config;

        if (options->mls_index_bits == 0 && options->mls_epoch_bits == 0)
                return 0;
        if (options->mls_index_bits == 0 || options->mls_epoch_bits == 0)
                return error_set_invalid(error, "An MLS group needs both options, mls-index-bits and mls-epoch-bits.");
        if (options->schedule.ratchet_bits > 0)
                return error_set_invalid(error, "The keys of an MLS group do not ratchet; leave ratchet-bits out.");
        options->schedule.kdf = SCHEDULE_EPOCH;
        options->shared = true;
        config->mls_index_bits = (uint8_t)options->mls_index_bits;
        config->mls_epoch_bits = (uint8_t)options->mls_epoch_bits;
        config->ring_size = 1u << options->mls_epoch_bits; /* an epoch takes the place of the one with its bits */
        return 0;
}

static int check(const Policy *policy, SessionOptions *options, sd_bus_error *error) {
        SessionConfig *config = &options->config;
        int r;

        r = settle_suite(options, error);
        if (r == 0)
                r = settle_mls(options, error);
        if (r < 0)
                return r;

        if (config->replay_window > 0 &&
            (config->replay_window < SESSION_REPLAY_MIN || (config->replay_window & (config->replay_window - 1)) != 0))
                return error_set_invalid(error,
                                         "Option 'replay-window' is %u; it must be 0 (off) or a power of two between "
                                         "%u and %u.",
                                         config->replay_window, SESSION_REPLAY_MIN, SESSION_REPLAY_MAX);
        r = key_options_check(&options->schedule, error);
        if (r < 0)
                return r;
        r = session_limits_interval(policy, &options->schedule, options->interval_usec, &config->ratchet, error);
        if (r < 0)
                return r;
        r = session_limits_steps(&options->schedule, &config->ratchet, error);
        if (r < 0)
                return r;
        return session_limits_age(policy, options->maximum_age_usec, config, error);
}

int session_options_read(sd_bus_message *message, const Policy *policy, SessionRequest *request, sd_bus_error *error) {
        SessionOptions options = { .shared = request->preset->shared,
                                   .exclusive = true,
                                   .interval_usec = SESSION_LIMIT_UNSAID,
                                   .maximum_age_usec = SESSION_LIMIT_UNSAID };
        int r;

        preset_session_config(request->preset, &options.config);
        preset_schedule(request->preset, &options.schedule);
        r = options_read_for(message, session_options, key_options_kind(&options.schedule), &options, error);
        if (r < 0)
                return r;
        r = check(policy, &options, error);
        if (r < 0)
                return r;
        options.config.shared = options.shared;
        if (options.config.format == FRAMEKEY_FORMAT_SFRAME) {
                options.config.suite = (uint8_t)options.schedule.suite;
                options.config.ratchet_bits = (uint8_t)options.schedule.ratchet_bits;
        }
        request->config = options.config;
        request->schedule = options.schedule;
        request->exclusive = options.exclusive;
        request->linger = options.linger;
        return 0;
}
