/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs known-answer files through a running daemon and the client library; started by
 * tests/run-vectors, which starts the daemon. Last line: "N passed, N failed, N skipped".
 */
#include "tests/vectors/vectors.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned n_passed, n_failed;
static bool verbose;

static const char *case_id(const json_t *entry) {
        const char *id = field_text(entry, "id"), *name = field_text(entry, "name");

        return *id ? id : *name ? name : "(no id)";
}

void case_passed(const json_t *entry, const char *what) {
        n_passed++;
        if (verbose)
                (void)printf("ok   %s %s\n", case_id(entry), what);
}

void case_failed(const json_t *entry, const char *what, const char *format, ...) {
        va_list arguments;

        n_failed++;
        (void)printf("FAIL %s %s: ", case_id(entry), what);
        va_start(arguments, format);
        (void)vprintf(format, arguments);
        va_end(arguments);
        (void)putchar('\n');
}

void case_note(const json_t *entry, const char *what, const char *reason) {
        (void)printf("note %s %s: %s\n", case_id(entry), what, reason);
}

static void run_array(json_t *array, const CaseArray *how) {
        json_t *entry;
        size_t i;

        json_array_foreach(array, i, entry) {
                unsigned ended = n_passed + n_failed;
                const char *name = field_text(entry, "name");

                (void)json_object_set_new(entry, "id",
                                          json_sprintf("%s[%zu]%s%s", how->name, i, *name ? " " : "", name));
                if (how->run)
                        how->run(entry, how->name);
                else
                        case_failed(entry, how->name, "there is no code that runs this case");
                if (n_passed + n_failed != ended + 1)
                        case_failed(entry, how->name, "the case has ended %u times", n_passed + n_failed - ended);
        }
}

void cases_run(json_t *object, const CaseArray *arrays, size_t n_arrays) {
        const char *name;
        json_t *array;

        for (size_t i = 0; i < n_arrays; i++)
                if (json_array_size(json_object_get(object, arrays[i].name)) == 0)
                        case_failed(object, arrays[i].name, "no such cases");
        json_object_foreach(object, name, array) {
                CaseArray how = { .name = name };

                for (size_t i = 0; i < n_arrays; i++)
                        if (strcmp(arrays[i].name, name) == 0)
                                how = arrays[i];
                run_array(array, &how);
        }
}

/* Long ones from the first difference on. */
static void print_bytes(const char *label, const uint8_t *bytes, size_t len, size_t from) {
        (void)printf(", %s %zu bytes%s", label, len, len > 0 ? " " : "");
        if (from > 0)
                (void)printf("...[%zu]", from);
        for (size_t i = from; i < len && i < from + 48; i++)
                (void)printf("%02x", bytes[i]);
        (void)printf("%s", len > from + 48 ? "..." : "");
}

void case_differs(const json_t *entry, const char *what, const Bytes *expected, int verdict, const uint8_t *got,
                  size_t got_len) {
        size_t from = 0;

        n_failed++;
        (void)printf("FAIL %s %s: verdict %s", case_id(entry), what, framekey_verdict_name(verdict));
        if (!framekey_verdict_delivers(verdict))
                got_len = 0;
        while (from < got_len && from < expected->len && got[from] == expected->data[from])
                from++;
        from = from > 8 ? from - 8 : 0;
        print_bytes("expected", expected->data, expected->len, from);
        print_bytes("got", got, got_len, from);
        (void)putchar('\n');
}

static int nibble(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -1;
}

Bytes field_hex(const json_t *object, const char *name) {
        const char *text = field_text(object, name);
        Bytes bytes = { .len = strlen(text) / 2 };

        bytes.data = malloc(bytes.len + 1);
        for (size_t i = 0; i < bytes.len; i++) {
                int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);

                if (high < 0 || low < 0) {
                        (void)fprintf(stderr, "run-vectors: %s is not lower-case hex\n", name);
                        exit(2);
                }
                bytes.data[i] = (uint8_t)(high << 4 | low);
        }
        return bytes;
}

void bytes_free(Bytes *bytes) {
        free(bytes->data);
        *bytes = (Bytes){ 0 };
}

bool bytes_equal(const Bytes *expected, const uint8_t *got, size_t len) {
        return expected->len == len && (len == 0 || memcmp(expected->data, got, len) == 0);
}

const char *field_text(const json_t *object, const char *name) {
        const char *value = json_string_value(json_object_get(object, name));

        return value ? value : "";
}

uint32_t field_number(const json_t *object, const char *name, uint32_t fallback) {
        const json_t *value = json_object_get(object, name);

        return json_is_integer(value) ? (uint32_t)json_integer_value(value) : fallback;
}

uint64_t field_u64(const json_t *object, const char *name) {
        const char *text = field_text(object, name);
        char *end;
        uint64_t value = strtoull(text, &end, 16);

        if (strlen(text) != 16 || *end) {
                (void)fprintf(stderr, "run-vectors: %s is not a number of 64 bits\n", name);
                exit(2);
        }
        return value;
}

bool field_is(const json_t *object, const char *name, const char *value) {
        return strcmp(field_text(object, name), value) == 0;
}

const json_t *kdf_find(const json_t *file, const char *id) {
        const json_t *entry;
        size_t i;

        json_array_foreach(json_object_get(file, "kdf"), i, entry) if (field_is(entry, "id", id)) return entry;
        json_array_foreach(json_object_get(file, "keys"), i, entry) if (field_is(entry, "id", id)) return entry;
        return NULL;
}

Bytes kdf_key(const json_t *kdf, uint32_t step) {
        const json_t *entry;
        size_t i;

        json_array_foreach(json_object_get(kdf, "chain"), i,
                           entry) if (field_number(entry, "step", 0) == step) return field_hex(entry, "aes_key_hex");
        return (Bytes){ 0 };
}

/* Nothing is skipped silently: what cannot run has failed. */
static void fail_whole_file(const json_t *file, const char *why) {
        const char *name;
        json_t *value, *entry;
        size_t i;

        json_object_foreach((json_t *)file, name, value) json_array_foreach(value, i, entry) if (json_is_object(entry))
                case_failed(entry, name, "%s", why);
}

static void run_file(framekey_client *client, const char *path) {
        unsigned passed = n_passed, failed = n_failed;
        json_error_t error;
        json_t *file = json_load_file(path, 0, &error);

        if (!file) {
                (void)printf("FAIL %s: %s (line %d)\n", path, error.text, error.line);
                n_failed++;
                return;
        }
        if (field_is(file, "format", "livekit") || field_is(file, "format", "realtimekit"))
                run_trailer_file(client, file);
        else if (field_is(file, "format", "jitsi-vectors-1")) {
                json_t *converted = jitsi_as_trailer_file(file);

                run_trailer_file(client, converted);
                json_decref(converted);
        } else if (field_is(file, "format", "sframe-vectors-1") || field_is(file, "format", "sframe-extra-1"))
                run_sframe_file(client, file);
        else if (field_is(file, "format", "dave-vectors-1"))
                run_dave_file(client, file);
        else
                fail_whole_file(file, "the daemon does not implement this format yet");
        (void)printf("%s: %u passed, %u failed\n", path, n_passed - passed, n_failed - failed);
        (void)fflush(stdout);
        json_decref(file);
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "verbose", no_argument, NULL, 'v' },
                                                 { "help", no_argument, NULL, 'h' },
                                                 { 0 } };
        framekey_client *client;
        char *error = NULL;
        int c;

        while ((c = getopt_long(argc, argv, "vh", options, NULL)) >= 0) {
                if (c != 'v') {
                        (void)printf("Usage: tests/run-vectors [-v] FILE.json...\n"
                                     "Runs every case through a daemon and the client library.\n");
                        return c == 'h' ? 0 : 2;
                }
                verbose = true;
        }
        if (framekey_client_open(&client, FRAMEKEY_BUS_SYSTEM, NULL, &error) < 0) {
                (void)fprintf(stderr, "run-vectors: %s\n", error ? error : "no bus");
                return 2;
        }
        for (int i = optind; i < argc; i++)
                run_file(client, argv[i]);
        framekey_client_free(client);
        (void)printf("%u passed, %u failed, 0 skipped\n", n_passed, n_failed);
        return n_failed == 0 && n_passed > 0 ? 0 : 1;
}
