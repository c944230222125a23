/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which preset opens a captured frame: real sessions of the daemon, one after the other, each with the key that was
 * given and what people set wrong most often; and which of a session's keys the frame asks for.
 *
 * A session that is in use is only looked at: the frame would count as received there.
 */
#include "doctor.h"

#include "keys/preset.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define DECRYPT_USEC (5 * USEC_PER_SEC)
/* Ratchet steps that are tried: what the presets' windows follow. */
#define STEPS_MAX 8u
#define SENDER    "sender"

/* What a frame could carry, as it would be told to the library. */
typedef struct Shape {
        enum framekey_media media;
        enum framekey_codec codec;
        enum framekey_frame_type type;
} Shape;

/* One session: a preset, and in what it is changed. */
typedef struct Trial {
        const Preset *preset;
        const char *kdf;   /* NULL: the preset's */
        unsigned key_bits; /* 0: the preset's */
        const char *suite; /* SFrame */
        size_t secret_length;
        unsigned n_steps; /* further ones to try */
} Trial;

typedef struct Opened {
        Shape shape;
        struct framekey_result result;
        size_t length;
} Opened;

typedef struct Examination {
        Findings *findings;
        const FrameQuestion *question;
        const json_t *inspected;
        json_t *tried, *opened;
        uint8_t *out;
        size_t out_size;
        bool lost; /* the daemon is gone */
} Examination;

/* ---- what the frame says ---- */

/* The candidate of this format; NULL: it cannot be of it. */
static const json_t *candidate_of(const json_t *inspected, const char *format) {
        json_t *candidate, *name;
        size_t i, k;

        json_array_foreach(json_object_get(inspected, "candidates"), i, candidate) {
                json_array_foreach(json_object_get(candidate, "formats"), k, name) {
                        if (strcmp(json_text(name), format) == 0)
                                return candidate;
                }
        }
        return NULL;
}

static uint64_t number_text(const json_t *candidate, const char *key) {
        return strtoull(json_text(json_object_get(candidate, key)), NULL, 10);
}

static void tell_candidates(Findings *findings, const json_t *inspected) {
        json_t *candidate;
        size_t i;

        json_array_foreach(json_object_get(inspected, "candidates"), i, candidate) {
                _cleanup_free_ char *formats = text_list(json_object_get(candidate, "formats"));

                finding(findings, FINDING_GOOD, "frame", NULL, "It could be of %s: %s. Evidence: %s.", formats ?: "?",
                        json_text(json_object_get(candidate, "summary")),
                        json_text(json_object_get(candidate, "evidence")));
        }
        if (i == 0)
                finding(findings, FINDING_ERROR, "frame",
                        "Capture whole frames, behind the depacketiser; framekeyctl inspect says why it is of none.",
                        "It is no frame of a format that is known here.");
}

/* ---- one trial ---- */

static bool is_sframe(const Trial *trial) {
        return trial->preset->kdf == SCHEDULE_SFRAME;
}

static bool is_group(const Examination *examination) {
        return examination->question->frame.epoch_bits > 0;
}

static void session_options(const Examination *examination, const Trial *trial, OptionList *ret) {
        const FrameQuestion *question = examination->question;

        for (size_t i = 0; i < question->options.n; i++)
                option_list_add(ret, "%s", question->options.items[i]);
        if (is_sframe(trial)) {
                option_list_add(ret, "cipher-suite=%s", trial->suite);
                if (is_group(examination)) {
                        option_list_add(ret, "mls-index-bits=%u", question->frame.index_bits);
                        option_list_add(ret, "mls-epoch-bits=%u", question->frame.epoch_bits);
                } else if (question->frame.ratchet_bits > 0)
                        option_list_add(ret, "ratchet-bits=%u", question->frame.ratchet_bits);
                return;
        }
        if (trial->preset->kdf == SCHEDULE_DAVE)
                return;
        option_list_add(ret, "key-mode=participant");
        option_list_add(ret, "ring-size=256");
        if (trial->kdf)
                option_list_add(ret, "kdf=%s", trial->kdf);
        if (trial->key_bits > 0)
                option_list_add(ret, "key-bits=%u", trial->key_bits);
}

/* Under which index the key goes, and what its import is told besides. */
static uint32_t import_options(const Examination *examination, const Trial *trial, OptionList *ret) {
        const json_t *candidate = candidate_of(examination->inspected, framekey_format_name(trial->preset->format));
        const FrameQuestion *question = examination->question;
        json_int_t generation;
        uint64_t kid;

        for (size_t i = 0; i < question->import.n; i++)
                option_list_add(ret, "%s", question->import.items[i]);
        if (trial->preset->kdf == SCHEDULE_DAVE) {
                generation = json_integer_value(json_object_get(candidate, "generation_bits"));
                if (generation > 0)
                        option_list_add(ret, "step=%" JSON_INTEGER_FORMAT, generation);
                return 0;
        }
        if (!is_sframe(trial))
                return (uint32_t)json_integer_value(json_object_get(candidate, "key_index"));
        if (is_group(examination))
                return (uint32_t)json_integer_value(json_object_get(candidate, "epoch_bits"));
        kid = number_text(candidate, "kid");
        kid -= kid & ((UINT64_C(1) << question->frame.ratchet_bits) - 1);
        option_list_add(ret, "kid=%" PRIu64, kid);
        return 0;
}

static int add_sender(const Examination *examination, const Trial *trial, framekey_session *session) {
        const json_t *candidate = candidate_of(examination->inspected, framekey_format_name(trial->preset->format));
        _cleanup_(option_list_done) OptionList options = { 0 };

        if (is_sframe(trial) && is_group(examination)) {
                option_list_add(&options, "member-index=%s", json_text(json_object_get(candidate, "member")));
                option_list_add(&options, "context=%s", json_text(json_object_get(candidate, "context")));
        }
        return framekey_session_add_participant(session, SENDER, FRAMEKEY_REMOTE, option_list(&options));
}

/* What there is to try: the codec that was named, or what mostly occurs. Returns how many. */
static size_t shapes_of(const Examination *examination, const Trial *trial, Shape ret[8]) {
        static const Shape usual[] = {
                { FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, FRAMEKEY_FRAME_UNSPECIFIED },
                { FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, FRAMEKEY_FRAME_KEY },
                { FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, FRAMEKEY_FRAME_DELTA },
                { FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP9, FRAMEKEY_FRAME_UNSPECIFIED },
                { FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H264, FRAMEKEY_FRAME_UNSPECIFIED },
                { FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_H265, FRAMEKEY_FRAME_UNSPECIFIED },
                { FRAMEKEY_MEDIA_DATA, FRAMEKEY_CODEC_DATA, FRAMEKEY_FRAME_UNSPECIFIED },
        };
        const Inspected *frame = &examination->question->frame;
        size_t n = 0;

        if (frame->media != 0) {
                ret[n++] = (Shape){ frame->media, frame->codec, FRAMEKEY_FRAME_UNSPECIFIED };
                if (frame->media != FRAMEKEY_MEDIA_VIDEO)
                        return n;
                ret[n++] = (Shape){ frame->media, frame->codec, FRAMEKEY_FRAME_KEY };
                ret[n++] = (Shape){ frame->media, frame->codec, FRAMEKEY_FRAME_DELTA };
                return n;
        }
        /* Where the frame itself says what is clear, it makes no difference. */
        n = is_sframe(trial) || trial->preset->kdf == SCHEDULE_DAVE ? 1 : ELEMENTS(usual);
        memcpy(ret, usual, n * sizeof(*usual));
        return n;
}

typedef struct Streams {
        framekey_channel *channel;
        Shape shapes[8];
        uint32_t ids[8];
        size_t n;
} Streams;

static int open_streams(const Examination *examination, const Trial *trial, framekey_session *session, Streams *ret) {
        _cleanup_free_ char *path = NULL;
        Shape shapes[8];
        size_t n = shapes_of(examination, trial, shapes);
        int r;

        *ret = (Streams){ .channel = NULL };
        r = framekey_session_open_channel(session, NULL, &ret->channel, &path);
        for (size_t i = 0; i < n && r >= 0; i++) {
                r = framekey_session_add_stream(session, path, SENDER, FRAMEKEY_DECRYPT, shapes[i].media,
                                                shapes[i].codec, NULL, &ret->ids[ret->n]);
                if (r >= 0)
                        ret->shapes[ret->n++] = shapes[i];
                else if (r == -EOPNOTSUPP) /* the format does not carry this codec */
                        r = 0;
        }
        return r;
}

/* A flood of frames that do not open is rationed: then it is tried again. */
static int decrypt(Examination *examination, const Streams *streams, size_t i, Opened *ret) {
        const FrameQuestion *question = examination->question;
        const struct framekey_frame about = {
                .size = sizeof(about),
                .stream = streams->ids[i],
                .frame_type = (uint8_t)streams->shapes[i].type,
                .metadata = question->metadata,
                .metadata_len = (uint32_t)question->metadata_length,
        };
        const struct timespec wait = { .tv_nsec = 100 * 1000 * 1000 };
        int r;

        *ret = (Opened){ .shape = streams->shapes[i], .result.size = sizeof(ret->result) };
        for (unsigned tries = 0;; tries++) {
                r = framekey_decrypt(streams->channel, &about, question->frame.bytes, question->frame.length,
                                     examination->out, examination->out_size, &ret->length, &ret->result, DECRYPT_USEC);
                if (r != FRAMEKEY_VERDICT_BUDGET || tries == 5)
                        return r;
                (void)nanosleep(&wait, NULL);
        }
}

/* 0, or the verdict of the first that is one. */
static int try_streams(Examination *examination, const Streams *streams, Opened *ret) {
        int first = FRAMEKEY_VERDICT_UNSUPPORTED;

        for (size_t i = 0; i < streams->n; i++) {
                int r = decrypt(examination, streams, i, ret);

                if (r <= 0)
                        return r;
                if (first == FRAMEKEY_VERDICT_UNSUPPORTED)
                        first = r;
        }
        return first;
}

static int try_in(Examination *examination, const Trial *trial, framekey_session *session, Opened *ret) {
        _cleanup_(option_list_done) OptionList options = { 0 };
        const char *holder = is_sframe(trial) && is_group(examination) ? "" : SENDER;
        Streams streams = { .channel = NULL };
        uint32_t index;
        int r;

        index = import_options(examination, trial, &options);
        r = add_sender(examination, trial, session);
        if (r >= 0)
                r = framekey_session_import_key(session, holder, index, examination->question->secret->bytes,
                                                trial->secret_length, option_list(&options));
        if (r >= 0)
                r = open_streams(examination, trial, session, &streams);
        if (r >= 0)
                r = try_streams(examination, &streams, ret);
        for (unsigned step = 0; step < trial->n_steps && r == FRAMEKEY_VERDICT_FORGED; step++) {
                r = framekey_session_ratchet(session, holder, index, NULL);
                if (r >= 0)
                        r = try_streams(examination, &streams, ret);
        }
        framekey_channel_free(streams.channel);
        return r;
}

static void note_tried(Examination *examination, const Trial *trial, int r) {
        framekey_client *client = examination->findings->context->client;
        json_t *row = json_pack("{s:s, s:s*, s:s*, s:i, s:b, s:s}", "preset", trial->preset->name, "kdf", trial->kdf,
                                "suite", trial->suite, "key_bits", (int)trial->key_bits, "newline_removed",
                                (int)(trial->secret_length < examination->question->secret->length), "result",
                                r >= 0 ? framekey_verdict_name(r) : framekey_client_error(client));

        (void)json_array_append_new(examination->tried, row); /* without memory the list is shorter */
        if (r < 0)
                examination->lost = r == -ECONNRESET || r == -EHOSTUNREACH || r == -ENOTCONN;
}

/* ---- what opened it ---- */

static const char *kdf_of(const Trial *trial) {
        static const char *const names[] = { [SCHEDULE_PBKDF2] = "pbkdf2",
                                             [SCHEDULE_HKDF] = "hkdf",
                                             [SCHEDULE_SFRAME] = "sframe",
                                             [SCHEDULE_EPOCH] = "mls",
                                             [SCHEDULE_DAVE] = "dave" };

        return trial->kdf ?: names[trial->preset->kdf];
}

static void describe(const Examination *examination, const Trial *trial, const Opened *opened, char *ret, size_t size) {
        bool counts = is_sframe(trial) || trial->preset->kdf == SCHEDULE_DAVE;
        int n;

        if (is_sframe(trial))
                n = snprintf(ret, size, "suite %s", trial->suite);
        else if (counts)
                n = snprintf(ret, size, "key generation %" PRIu32, opened->result.step);
        else
                n = snprintf(ret, size, "%s, keys of %u bits, key index %u, step %" PRIu32 ", as %s", kdf_of(trial),
                             trial->key_bits ?: 128, (unsigned)opened->result.key_index, opened->result.step,
                             framekey_codec_name(opened->shape.codec));
        if (n > 0 && (size_t)n < size)
                (void)snprintf(ret + n, size - (size_t)n, "; %zu plain bytes", opened->length);
}

static void note_opened(Examination *examination, const Trial *trial, const Opened *opened) {
        bool newline = trial->secret_length < examination->question->secret->length;
        char text[256];

        (void)json_array_append_new(examination->opened,
                                    json_pack("{s:s, s:s, s:s*, s:i, s:i, s:i, s:s, s:I, s:b}", "preset",
                                              trial->preset->name, "kdf", kdf_of(trial), "suite", trial->suite,
                                              "key_bits", (int)trial->key_bits, "key_index",
                                              (int)opened->result.key_index, "step", (int)opened->result.step, "codec",
                                              framekey_codec_name(opened->shape.codec), "plain_length",
                                              (json_int_t)opened->length, "newline_removed", (int)newline));
        describe(examination, trial, opened, text, sizeof(text));
        if (newline)
                finding(examination->findings, FINDING_WARNING, "newline",
                        "Write the key with printf %s, which adds nothing to it.",
                        "%s opens it, without the newline at the end of the key: %s.", trial->preset->name, text);
        else if (trial->kdf || trial->key_bits > 0)
                finding(examination->findings, FINDING_WARNING, "derivation",
                        "Open the session with these as the options kdf and key-bits, or have the peers use the "
                        "preset's.",
                        "%s opens it with another key derivation: %s.", trial->preset->name, text);
        else if (trial->n_steps > 0)
                finding(examination->findings, FINDING_WARNING, "step",
                        "The sender has ratcheted: import the key with the option step, or have it handed out anew.",
                        "%s opens it at a later step: %s.", trial->preset->name, text);
        else
                finding(examination->findings, FINDING_GOOD, "preset", NULL, "%s opens it: %s.", trial->preset->name,
                        text);
}

static void try_one(Examination *examination, const Trial *trial) {
        _cleanup_(option_list_done) OptionList options = { 0 };
        framekey_client *client = examination->findings->context->client;
        framekey_session *session = NULL;
        Opened opened;
        int r;

        if (examination->lost)
                return;
        session_options(examination, trial, &options);
        r = framekey_session_open(client, trial->preset->name, "framekeyctl doctor", option_list(&options), &session);
        if (r >= 0)
                r = try_in(examination, trial, session, &opened);
        note_tried(examination, trial, r);
        if (r == 0)
                note_opened(examination, trial, &opened);
        framekey_session_close(session);
}

/* ---- all trials ---- */

static bool is_trailer(const Preset *preset) {
        return preset->kdf == SCHEDULE_PBKDF2 || preset->kdf == SCHEDULE_HKDF;
}

typedef enum Pass {
        PASS_PRESETS,    /* as they are */
        PASS_STEPS,      /* at later steps */
        PASS_DERIVATION, /* other KDF, longer keys */
        PASS_NEWLINE,    /* without the key's last byte */
        PASSES,
} Pass;

static void try_suites(Examination *examination, Trial trial, const json_t *manager) {
        json_t *suite;
        size_t i;

        if (examination->question->suite) {
                trial.suite = examination->question->suite;
                try_one(examination, &trial);
                return;
        }
        json_array_foreach(json_object_get(manager, "CipherSuites"), i, suite) {
                trial.suite = json_text(suite);
                if (strstr(trial.suite, "_SHA")) /* one of SFrame's */
                        try_one(examination, &trial);
        }
}

static void try_derivations(Examination *examination, Trial trial) {
        const char *other = trial.preset->kdf == SCHEDULE_PBKDF2 ? "hkdf" : "pbkdf2";
        static const unsigned bits[] = { 128, 256 };

        for (size_t i = 0; i < ELEMENTS(bits); i++) {
                trial.key_bits = bits[i];
                trial.kdf = other;
                try_one(examination, &trial);
                trial.kdf = NULL;
                if (bits[i] != 128)
                        try_one(examination, &trial);
        }
}

static void try_preset(Examination *examination, const Preset *preset, Pass pass, const json_t *manager) {
        Trial trial = { .preset = preset, .secret_length = examination->question->secret->length };

        if (pass == PASS_NEWLINE)
                trial.secret_length--;
        if (pass == PASS_STEPS)
                trial.n_steps = STEPS_MAX;
        if (preset->kdf == SCHEDULE_SFRAME && (pass == PASS_PRESETS || pass == PASS_NEWLINE))
                try_suites(examination, trial, manager);
        else if (pass == PASS_DERIVATION && is_trailer(preset))
                try_derivations(examination, trial);
        else if (is_trailer(preset) || pass == PASS_PRESETS)
                try_one(examination, &trial);
}

/* What changes the derivation by itself would only be given twice. */
static bool is_wanted(const FrameQuestion *question, Pass pass) {
        if (pass == PASS_DERIVATION)
                return question->options.n == 0;
        return pass != PASS_NEWLINE || secret_ends_with_newline(question->secret);
}

static void try_all(Examination *examination, const json_t *manager) {
        json_t *name;
        size_t i;

        for (Pass pass = PASS_PRESETS; pass < PASSES && json_array_size(examination->opened) == 0; pass++) {
                if (!is_wanted(examination->question, pass))
                        continue;
                json_array_foreach(json_object_get(manager, "Profiles"), i, name) {
                        const Preset *preset = preset_find(json_text(name));

                        /* livekit is livekit-passphrase under a shorter name. */
                        if (preset && strcmp(preset->name, "livekit") != 0 &&
                            candidate_of(examination->inspected, framekey_format_name(preset->format)))
                                try_preset(examination, preset, pass, manager);
                }
        }
}

/* What the trials that failed on the way to a verdict said; NULL if all came to one. */
static const char *first_error(const json_t *tried) {
        json_t *row;
        size_t i;

        json_array_foreach((json_t *)tried, i, row) {
                const char *result = json_text(json_object_get(row, "result"));

                if (strchr(result, ' '))
                        return result;
        }
        return NULL;
}

static int try_key(Findings *findings, const FrameQuestion *question, const json_t *manager, const json_t *inspected,
                   json_t *result) {
        Examination examination = { .findings = findings,
                                    .question = question,
                                    .inspected = inspected,
                                    .tried = json_array(),
                                    .opened = json_array(),
                                    .out_size = question->frame.length + 1024 };
        _cleanup_free_ uint8_t *out = malloc(examination.out_size);
        const char *error;

        if (!out || json_object_set_new(result, "tried", examination.tried) < 0 ||
            json_object_set_new(result, "opened", examination.opened) < 0)
                return cli_fail("Out of memory.");
        examination.out = out;
        try_all(&examination, manager);
        if (json_array_size(examination.opened) > 0)
                return CLI_OK;
        error = first_error(examination.tried);
        finding(findings, FINDING_ERROR, "preset",
                "Compare the key byte for byte; name the codec by --codec; and ask what else the sender derives with: "
                "--salt, --iterations; for SFrame --suite, --metadata-hex, --ssrc; for DAVE --user-id.",
                "No preset opens it with this key; %zu ways were tried.%s%s", json_array_size(examination.tried),
                error ? " Some were not possible: " : "", error ?: "");
        return CLI_OK;
}

/* ---- a session's keys ---- */

/* Whether this is the key that the frame names. */
static bool is_named(const json_t *key, const json_t *candidate, uint64_t ratchet_bits) {
        uint64_t kid = (uint64_t)json_integer_value(json_object_get(key, "kid"));

        if (json_object_get(candidate, "kid"))
                return kid >> ratchet_bits == number_text(candidate, "kid") >> ratchet_bits;
        return json_equal(json_object_get(key, "index"), json_object_get(candidate, "key_index"));
}

static size_t tell_holder(Findings *findings, const json_t *participant, const json_t *candidate,
                          uint64_t ratchet_bits) {
        const char *identity = json_text(json_object_get(participant, "Identity"));
        size_t i, n = 0;
        json_t *key;

        json_array_foreach(json_object_get(participant, "Keys"), i, key) {
                if (!is_named(key, candidate, ratchet_bits))
                        continue;
                n++;
                finding(findings, FINDING_GOOD, "held", NULL,
                        "Of %s (%s) the session holds that key, at step %" JSON_INTEGER_FORMAT ".", identity,
                        json_text(json_object_get(participant, "Role")),
                        json_integer_value(json_object_get(key, "step")));
        }
        return n;
}

static int compare_participants(Findings *findings, const char *path, const json_t *session, const json_t *candidate,
                                size_t *ret_n) {
        uint64_t ratchet_bits = (uint64_t)json_integer_value(json_object_get(session, "RatchetBits"));
        json_t *name;
        size_t i;
        int r;

        json_array_foreach(json_object_get(session, "Participants"), i, name) {
                _cleanup_json_ json_t *participant = NULL;

                r = participant_read(findings->context, path, json_text(name), &participant);
                if (r != CLI_OK)
                        return r;
                *ret_n += tell_holder(findings, participant, candidate, ratchet_bits & 63);
        }
        return CLI_OK;
}

static int compare_session(Findings *findings, const char *name, const json_t *inspected) {
        _cleanup_json_ json_t *session = NULL;
        _cleanup_free_ char *path = NULL;
        const json_t *candidate;
        const char *format;
        size_t n = 0;
        int r;

        r = context_session_path(findings->context, name, &path);
        if (r == CLI_OK)
                r = context_properties(findings->context, path, SESSION_INTERFACE, &session);
        if (r != CLI_OK)
                return r;
        format = json_text(json_object_get(session, "Profile"));
        candidate = candidate_of(inspected, format);
        if (!candidate) {
                finding(findings, FINDING_ERROR, "format",
                        "Open the session with the preset of what the sender uses; framekeyctl presets lists them.",
                        "The session's format is %s, and the frame's is not.", format);
                return CLI_OK;
        }
        if (strcmp(format, "dave") == 0) {
                finding(findings, FINDING_WARNING, "held", "Try the sender's key with --key-file.",
                        "A DAVE frame does not say which key it needs.");
                return CLI_OK;
        }
        r = compare_participants(findings, path, session, candidate, &n);
        if (r == CLI_OK && n == 0)
                finding(findings, FINDING_ERROR, "held",
                        "Have the app import it: framekeyctl import SESSION PARTICIPANT --key-index=N.",
                        "Nobody in the session has the key that the frame names: %s.",
                        json_text(json_object_get(candidate, "summary")));
        return r;
}

int check_frame(Findings *findings, const FrameQuestion *question, const json_t *manager, json_t *result) {
        json_t *inspected = inspect_frame(&question->frame);
        int r = CLI_OK;

        if (json_object_set_new(result, "frame", inspected) < 0)
                return cli_fail("Out of memory.");
        tell_candidates(findings, inspected);
        if (json_array_size(json_object_get(inspected, "candidates")) == 0)
                return CLI_OK;
        if (question->session)
                r = compare_session(findings, question->session, inspected);
        if (r == CLI_OK && question->secret)
                r = try_key(findings, question, manager, inspected, result);
        if (!question->session && !question->secret)
                finding(findings, FINDING_WARNING, "key",
                        "Give one to try, --key-file=FILE, or a session to compare with, --session=SESSION.",
                        "Without a key there is no more to say.");
        return r;
}
