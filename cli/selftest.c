/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb selftest: known answers, of the program and of the daemon that runs.
 *
 * The program tests its parts before every start and with --self-test. What that cannot show is
 * asked here of the running daemon, through its bus and its ring, with a frame that was made by
 * another implementation and with frames that must be refused.
 */
#include "cli/demo/peer.h"
#include "cli/loop.h"

/* A byte key, and an Opus frame under it with key index 15, as in the daemon's own test. The key is no secret. */
#define KNOWN_INDEX 15u
static const uint8_t known_key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
static const uint8_t known_plain[] = { 0x78, 0xd0, 0x5d, 0x19, 0x4e, 0x21, 0x7e, 0x4b, 0xb0, 0xcb, 0x8d,
                                       0xfd, 0xa0, 0xf5, 0x34, 0xb6, 0xcb, 0x33, 0x99, 0x09, 0x36, 0x1d,
                                       0x1d, 0xdc, 0x1f, 0x25, 0x37, 0xd9, 0x46, 0x1a, 0x1a, 0x83, 0x9c,
                                       0x49, 0xcf, 0xca, 0xbe, 0xb9, 0x0f, 0x50, 0x1f };
static const uint8_t known_sealed[] = { 0x78, 0xad, 0xf1, 0x57, 0x02, 0x3f, 0xc9, 0x84, 0x2c, 0x5f, 0x35, 0x03,
                                        0xb8, 0x7c, 0xfe, 0x99, 0xa6, 0x51, 0x07, 0xc7, 0x86, 0xcc, 0x4d, 0x07,
                                        0x9e, 0xbd, 0xa1, 0x52, 0xd3, 0x0c, 0xc7, 0xeb, 0xe6, 0x44, 0x84, 0x6f,
                                        0x0f, 0xd9, 0x4f, 0xbd, 0xe1, 0x90, 0x5d, 0x96, 0xf4, 0xb2, 0x40, 0xd9,
                                        0xab, 0xcd, 0xcf, 0x43, 0x55, 0x3e, 0x6f, 0xb9, 0x8f, 0xa8, 0x34, 0x34,
                                        0x4b, 0xa5, 0xd4, 0xb8, 0x39, 0xa5, 0xd4, 0xa6, 0x05, 0x0c, 0x0f };

typedef struct Selftest {
        Context *context;
        json_t *rows;
        size_t n_failed;
        Loop loop;
        uint8_t sealed[sizeof(known_sealed) + 64]; /* our own encryption of the known frame */
        size_t sealed_length;
} Selftest;

static int add_row(Selftest *test, const char *where, const char *what, const char *result) {
        json_t *row = json_pack("{s:s, s:s, s:s}", "where", where, "what", what, "result", result);

        test->n_failed += strcmp(result, "ok") != 0;
        return json_array_append_new(test->rows, row) < 0 ? cli_fail("Out of memory.") : CLI_OK;
}

/* ---- the program ---- */

static int test_program(Selftest *test, const char *given) {
        static char option[] = "--self-test";
        _cleanup_free_ char *path = NULL, *line = NULL;
        Progress progress;
        size_t size = 0;
        FILE *stream;
        pid_t pid;
        int r;

        progress_init(&progress, test->context);
        r = peer_find_daemon(given, &progress, &path);
        if (r == CLI_OK)
                r = program_start((char *[]){ path, option, NULL }, &pid, &stream);
        if (r != CLI_OK)
                return r;
        while (r == CLI_OK && getline(&line, &size, stream) >= 0) {
                char *colon = strrchr(line, ':');

                line[strcspn(line, "\n")] = '\0';
                if (!colon || colon[1] != ' ')
                        continue;
                *colon = '\0';
                r = add_row(test, "program", line, colon + 2);
        }
        (void)fclose(stream);
        if (program_wait(pid) != 0 && r == CLI_OK)
                r = add_row(test, "program", "the self test as a whole", "FAILED");
        return r;
}

/* ---- the running daemon ---- */

static int decrypt(Selftest *test, const uint8_t *frame, size_t length, uint8_t out[sizeof(known_plain)],
                   size_t *ret_length) {
        struct framekey_frame facts = { .size = sizeof(facts), .stream = test->loop.audio[FRAMEKEY_DECRYPT] };

        *ret_length = 0;
        return framekey_decrypt(test->loop.channel, &facts, frame, length, out, sizeof(known_plain), ret_length, NULL,
                                LOOP_TIMEOUT_USEC);
}

/* Whether a frame comes out as the known one. */
static bool opens_as_known(Selftest *test, const uint8_t *frame, size_t length) {
        uint8_t out[sizeof(known_plain)];
        size_t n;

        return decrypt(test, frame, length, out, &n) == 0 && n == sizeof(known_plain) &&
               memcmp(out, known_plain, n) == 0;
}

static bool is_refused(Selftest *test, const uint8_t *frame, size_t length, int verdict) {
        uint8_t out[sizeof(known_plain)] = { 0 };
        size_t n;

        return decrypt(test, frame, length, out, &n) == verdict && n == 0 && out[0] == 0;
}

static bool test_known(Selftest *test) {
        return opens_as_known(test, known_sealed, sizeof(known_sealed));
}

static bool test_changed(Selftest *test) {
        uint8_t changed[sizeof(known_sealed)];

        memcpy(changed, known_sealed, sizeof(changed));
        changed[7] ^= 1;
        return is_refused(test, changed, sizeof(changed), FRAMEKEY_VERDICT_FORGED);
}

static bool test_repeated(Selftest *test) {
        return is_refused(test, known_sealed, sizeof(known_sealed), FRAMEKEY_VERDICT_REPLAYED);
}

static bool test_there(Selftest *test) {
        struct framekey_frame facts = { .size = sizeof(facts), .stream = test->loop.audio[FRAMEKEY_ENCRYPT] };

        return framekey_encrypt(test->loop.channel, &facts, known_plain, sizeof(known_plain), test->sealed,
                                sizeof(test->sealed), &test->sealed_length, NULL, LOOP_TIMEOUT_USEC) == 0 &&
               test->sealed_length > sizeof(known_plain) &&
               !memmem(test->sealed, test->sealed_length, known_plain + 1, sizeof(known_plain) - 1);
}

static bool test_back(Selftest *test) {
        return opens_as_known(test, test->sealed, test->sealed_length);
}

static bool test_no_key(Selftest *test) {
        struct framekey_frame facts = { .size = sizeof(facts), .stream = test->loop.audio[FRAMEKEY_ENCRYPT] };
        uint8_t out[sizeof(known_sealed) + 64] = { 0 };
        size_t n = 0;

        return framekey_session_retire_key(test->loop.session, NULL, KNOWN_INDEX) >= 0 &&
               framekey_encrypt(test->loop.channel, &facts, known_plain, sizeof(known_plain), out, sizeof(out), &n,
                                NULL, LOOP_TIMEOUT_USEC) == FRAMEKEY_VERDICT_UNKNOWN_KEY &&
               n == 0 && out[0] == 0;
}

static int test_service(Selftest *test) {
        static const struct {
                const char *what;
                bool (*run)(Selftest *test);
        } parts[] = {
                /* First: behind the true one it would be taken for its copy. */
                { "a frame with a changed bit is refused", test_changed },
                { "as another implementation made it, it is decrypted", test_known },
                { "repeated, it is refused", test_repeated },
                { "a frame is encrypted", test_there },
                { "and decrypted to what it was", test_back },
                { "without a key nothing goes out", test_no_key },
        };
        int r;

        r = loop_open(&test->loop, test->context, "framekeyctl selftest", KNOWN_INDEX, known_key);
        for (size_t i = 0; i < ELEMENTS(parts) && r == CLI_OK; i++)
                r = add_row(test, "service", parts[i].what, parts[i].run(test) ? "ok" : "FAILED");
        loop_done(&test->loop);
        return r;
}

/* ---- the verb ---- */

static const char *color_result(const json_t *value) {
        return strcmp(json_text(value), "ok") == 0 ? "green" : "red";
}

static const Column columns[] = {
        { .key = "where", .heading = "WHERE" },
        { .key = "what", .heading = "WHAT WAS CHECKED" },
        { .key = "result", .heading = "RESULT", .color = color_result },
};

static const CliOption selftest_options[] = {
        { "daemon", 0, "PATH", "The framekeyd to run, if not the one of this build or installation" },
};

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        *(const char **)userdata = value;
        return CLI_OK;
}

int verb_selftest(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "selftest",
                .arguments = "",
                .summary = "Runs the self test of the framekeyd program, and sends frames through the running daemon "
                           "whose\nanswers are known: one that must come out as it was, and some that must not.",
                .options = selftest_options,
                .n_options = ELEMENTS(selftest_options),
                .take = take_option,
        };
        Selftest test = { .context = context };
        const char *program = NULL;
        int r, s, first;

        r = cli_parse(context, &usage, argc, argv, &program, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        test.rows = json_array();
        r = test_program(&test, program);
        if (r == CLI_OK)
                r = test_service(&test);
        /* What was found out is shown, whatever came after. */
        s = json_array_size(test.rows) > 0 ? output_rows(context, "results", columns, ELEMENTS(columns), test.rows)
                                           : CLI_OK;
        json_decref(test.rows);
        if (r == CLI_OK && test.n_failed > 0)
                return cli_fail("%zu of the checks failed: do not use this build, and say so to whoever made it.",
                                test.n_failed);
        return r == CLI_OK ? s : r;
}
