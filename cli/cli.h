/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framekeyctl: what its verbs share. One thread; everything is owned by main().
 *
 * A verb is a function of verbs_table in main.c. It parses its own arguments with cli_parse(),
 * opens the bus with context_client() when it needs it, and answers with an exit status. Every
 * failure is told once, as one sentence on standard error, by the function that notices it.
 * Secrets are only ever in a SecretBuffer.
 */
#pragma once

#include "util/util.h"

#include <framekey-bus.h>
#include <jansson.h>
#include <stdio.h>

/* Exit statuses; --help and the man page list them. */
enum {
        CLI_OK = 0,
        CLI_FAILED = 1,      /* the daemon refused, or a line of input was an error */
        CLI_USAGE = 2,       /* the command line is wrong */
        CLI_UNREACHABLE = 3, /* no bus, or no daemon on it */
};

typedef enum JsonMode {
        JSON_OFF,   /* tables */
        JSON_SHORT, /* one line */
        JSON_PRETTY,
} JsonMode;

typedef struct Context {
        enum framekey_bus bus;
        const char *where; /* address, host or machine */
        JsonMode json;
        bool quiet;  /* no hints, no summaries */
        bool legend; /* table headings */
        bool colors; /* standard output is a terminal that wants them */
        bool no_pager;
        pid_t pager;             /* 0: none */
        bool completing;         /* a shell asks what could stand in this place */
        bool unattended;         /* no daemon is started, nobody is asked for a password */
        uint64_t timeout_usec;   /* of each call; 0: the bus' default */
        framekey_client *client; /* NULL before context_client() */
} Context;

/* ---- arguments (arguments.c) ---- */

typedef struct CliOption {
        const char *name;     /* long form, without dashes */
        int letter;           /* short form, or 0 */
        const char *argument; /* "FILE"; NULL: takes none */
        const char *help;     /* one line */
} CliOption;

typedef struct CliUsage {
        const char *verb;
        const char *arguments;    /* "SESSION [PARTICIPANT]", or "" */
        const char *summary;      /* whole sentences, may have several lines */
        const CliOption *options; /* of this verb; the common ones are added */
        size_t n_options;
        int n_min, n_max; /* number of positional arguments */
        /* Called for each option of this verb; answers CLI_OK or CLI_USAGE after a message. */
        int (*take)(Context *context, size_t option, const char *value, void *userdata);
} CliUsage;

/* Parses what stands before the verb: *ret_first is its position, argc if there is none. As cli_parse(). */
int cli_parse_common(Context *context, int argc, char **argv, int *ret_first);
/* Prints the common options, aligned, for --help. */
void cli_print_common(void);
/* Parses a verb's command line (argv[0] is the verb), common options included. CLI_OK: *ret_first is the position of
 * the first positional argument. CLI_USAGE: told. -ECANCELED: --help was printed, the verb answers CLI_OK. */
int cli_parse(Context *context, const CliUsage *usage, int argc, char **argv, void *userdata, int *ret_first);
/* What a verb answers when cli_parse() did not say CLI_OK. */
static inline int cli_parse_status(int r) {
        return r == -ECANCELED ? CLI_OK : r;
}
/* Decimal number of at most `max`; CLI_OK, or CLI_USAGE after a message naming the option. */
int cli_number(const char *option, const char *value, uint64_t max, uint64_t *ret);

/* The options of all verbs. */
const CliOption *cli_common_options(size_t *ret_n);
/* Takes an option that says which bus; others have no effect. */
void cli_take_bus_option(Context *context, const CliOption *option, const char *value);

/* ---- completion (complete.c) ---- */

/* What the shells call; nobody types it. */
#define COMPLETION_VERB "__complete"

/* For words in front of the verb's end; the last one is the current. Position of the verb; 0 if the answer is printed;
 * -ENOENT if a verb is to be named. Standard error is silent from then on. */
int complete_before_verb(Context *context, int argc, char **argv);
void complete_offer_verb(const char *name, const char *help);
/* Prints what can stand in place of the last argument. cli_parse() calls it instead of parsing. */
void complete_in_verb(Context *context, const CliUsage *usage, int argc, char **argv);

/* ---- messages ---- */

/* One sentence on standard error. */
void cli_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and the status to answer with. Macros, so that static analysis sees the value. */
#define cli_fail(...)        (cli_tell(__VA_ARGS__), CLI_FAILED)
#define cli_usage_error(...) (cli_tell(__VA_ARGS__), CLI_USAGE)
/* Something worth knowing that is no failure; silent with -q. */
void cli_hint(const Context *context, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last failure of the client, as the daemon worded it; answers CLI_UNREACHABLE or CLI_FAILED. */
int cli_fail_client(framekey_client *client, int r);

/* ---- the bus (context.c) ---- */

/* Opens the connection the options name, once. CLI_OK, or CLI_UNREACHABLE after a message. */
int context_client(Context *context, framekey_client **ret);
void context_done(Context *context);
/* Calls a method of the manager ("/org/framekey1") or of another object. `types` as in sd_bus_message_append();
 * `ret_reply` may be NULL. CLI_OK or an exit status after a message. */
int context_call(Context *context, const char *path, const char *interface, const char *member,
                 sd_bus_message **ret_reply, const char *types, ...);
/* All properties of an object as a JSON object; names as on the bus. */
int context_properties(Context *context, const char *path, const char *interface, json_t **ret);
/* A call that only asks, with one string or (NULL) nothing; *ret is NULL and nothing is told if the object is gone. */
int context_ask_or_nothing(Context *context, const char *path, const char *interface, const char *member,
                           const char *argument, sd_bus_message **ret);
/* The same for its properties. */
int context_properties_or_nothing(Context *context, const char *path, const char *interface, json_t **ret);
/* The next complete type of a message as a JSON value. 0, or negative errno. */
int message_to_json(sd_bus_message *m, json_t **ret);
/* Bytes as hex digits; NULL without memory. */
json_t *json_hex(const uint8_t *bytes, size_t length);
/* Path of a session by its id or label, asked from the daemon; free it. */
int context_session_path(Context *context, const char *session, char **ret);

#define MANAGER_PATH          "/org/framekey1"
#define MANAGER_INTERFACE     "org.framekey1.Manager"
#define SESSION_INTERFACE     "org.framekey1.Session"
#define PARTICIPANT_INTERFACE "org.framekey1.Participant"
#define CHANNEL_INTERFACE     "org.framekey1.Channel"

DEFINE_CLEANUP(framekey_session, framekey_session_free)

/* "" for what is no string: replies of another version must not crash the tool. */
static inline const char *json_text(const json_t *value) {
        return json_string_value(value) ?: "";
}

static inline void json_decref_p(json_t **p) {
        json_decref(*p);
        *p = NULL;
}
#define _cleanup_json_ _cleanup_(json_decref_p)

/* ---- the terminal (terminal.c) ---- */

/* Whether standard output is one that can do more than lines. */
bool terminal_is_able(void);
bool terminal_wants_colors(void);
/* Whether symbols that are not ASCII can be shown. */
bool terminal_wants_symbols(void);
/* What is written from now on is paged, if that is wanted and standard output is a terminal. CLI_OK or told. */
int context_pager(Context *context);
/* Waits until the pager is left; there is no output any more. */
void context_pager_wait(Context *context);

/* ---- output (output.c): one data model, JSON values, shown as a table or as JSON ---- */

typedef struct Column {
        const char *key;     /* in each row's object */
        const char *heading; /* of the table */
        bool right;          /* numbers */
        /* Text of a value for people; free it. NULL: numbers, strings and yes/no as they are. */
        char *(*text)(const json_t *value);
        /* Colour name of libsmartcols for a value that deserves one, or NULL. May be NULL. */
        const char *(*color)(const json_t *value);
} Column;

/* An array of objects. */
int output_rows(const Context *context, const char *name, const Column *columns, size_t n_columns, const json_t *rows);
/* The same as a tree: a row's array "children" stands below it, with less of the columns. Never JSON. What is wider
 * than `width` is cut; 0: nothing is. */
int output_tree(const Context *context, const char *name, const Column *columns, size_t n_columns, const json_t *rows,
                FILE *stream, size_t width);
/* One object as "Heading: value" lines; keys that are missing are left out. */
int output_object(const Context *context, const Column *columns, size_t n_columns, const json_t *object);
/* Any JSON value on one line or indented, by context->json. */
int output_json(const Context *context, const json_t *value);
/* Text in which control characters are harmless: names of participants come from strangers. The second adds a newline.
 */
void output_text(FILE *stream, const char *text);
void output_line(const char *text);
/* What an act did: with --json `value` (taken over), else `sentence` for people unless -q. */
int output_done(const Context *context, json_t *value, const char *sentence, ...) __attribute__((format(printf, 3, 4)));
/* Texts for Column.text. */
char *text_usec(const json_t *value);  /* 2 s, 10 min, 24 h */
char *text_limit(const json_t *value); /* the same; 0 is none */
char *text_count(const json_t *value); /* a number; 0 is none */
char *text_when(const json_t *value);  /* microseconds since 1970 as "in 4 min", "4 min ago"; 0 is - */
char *text_time(const json_t *value);  /* microseconds since 1970, local time */
char *text_user(const json_t *value);  /* a uid by its name */
char *text_list(const json_t *value);  /* array of strings: a, b */

/* ---- sessions (sessions.c) ---- */

/* Appends the sessions that the caller may see: objects with id, path, profile, label, created_usec, uid. */
int sessions_read(Context *context, json_t *rows);
/* Whether a label names exactly one of these sessions, and is no other's id. */
bool session_is_named(const json_t *rows, const char *label);
/* The id of the session that people call `name`: an id, or the label of one that they may see. What is neither is given
 * back as it is, for the daemon to answer. Free it. */
int session_resolve(Context *context, const char *name, char **ret_id);

/* Adds to such an object: preset, next_ratchet_usec, fully_protected and participants, each with identity, role, state,
 * keys, frames_ok, frames_failed, and trouble, a sentence, where something is wrong. Whether it is still there is in
 * *ret_there. */
int session_look(Context *context, json_t *row, bool *ret_there);
/* The same for all of them; those that have ended meanwhile are taken away. */
int sessions_look(Context *context, json_t *rows);
/* "sending", "receiving", or the state if there is more or less to tell. */
const char *participant_words(const json_t *participant);
/* Colour of a participant in this state; NULL: none. */
const char *state_color(const char *state);
/* The indices of a participant's keys, with the step of the one that is sent under. Free it. */
char *participant_keys(const json_t *participant);
/* State of a session in a word or two, and its colour. Free the text. */
char *session_words(const json_t *session, bool locked, const char **ret_color);

/* The table of list (list.c), as a tree with participants or a line a session; for people only. */
int sessions_print(const Context *context, const json_t *rows, bool locked, bool tree);

/* ---- streams and what is wrong with them (streams.c) ---- */

/* Adds the streams of all channels of the session at this path, as objects; one that ended meanwhile has none. */
int streams_collect(Context *context, const char *session_path, json_t *rows);
/* The fields of the property Keys get their names. */
json_t *keys_name_fields(const json_t *keys);
/* Properties of a participant, keys with names; NULL if it has left meanwhile. */
int participant_read(Context *context, const char *session_path, const char *identity, json_t **ret);
/* What is wrong and what to do, as one sentence, for a participant's stream in this state; NULL if nothing is. `keys`
 * as keys_name_fields() makes them; `key_index` UINT32_MAX if none was seen. Free it. */
char *trouble_sentence(const char *participant, bool sends, const char *state, json_int_t key_index,
                       const json_t *keys);
/* Adds an object for each stream that does not work. */
int troubles_collect(Context *context, const char *id, const char *session_path, json_t *troubles);
/* A table behind an empty line; nothing if there are none. */
int troubles_print(const Context *context, const json_t *troubles);

/* ---- events (events.c) ---- */

/* Number of a signal by its name, below EVENTS_MAX; -1 if it is none that libframekey-bus tells. */
#define EVENTS_MAX 10
int event_number(const char *name);
/* {"event":"KeyRatcheted","participant":...} with what this signal carries; NULL without memory. */
json_t *event_to_json(const struct framekey_event *event);
/* One sentence for people; `keys` (may be NULL) are those that are held of the participant. Free it. */
char *event_sentence(const struct framekey_event *event, bool sends, const json_t *keys);

/* ---- other programs (program.c) ---- */

/* Runs argv[0], which is looked for in $PATH, for its standard output. It is killed if we are. CLI_OK or told. */
int program_start(char *const *argv, pid_t *ret_pid, FILE **ret_stream);
/* Its exit status, or -1. Close the stream before. */
int program_wait(pid_t pid);

/* ---- secrets (secret.c) ---- */

#define SECRET_BUFFER_SIZE 4096u /* longest secret the daemon takes */

/* Locked, undumpable memory that is wiped before it is given back. */
typedef struct SecretBuffer {
        size_t length;
        uint8_t bytes[];
} SecretBuffer;

int secret_buffer_new(SecretBuffer **ret);
SecretBuffer *secret_buffer_free(SecretBuffer *buffer);
DEFINE_CLEANUP(SecretBuffer, secret_buffer_free)
/* All of a file, byte for byte. 0, or negative errno and a malloc'd sentence that holds nothing of the secret. */
int secret_read_file(const char *path, SecretBuffer **ret, char **ret_error);
int secret_read_fd(int fd, SecretBuffer **ret, char **ret_error);
/* From standard input: a terminal is asked for one line without echo, anything else is read to its end. */
int secret_read_stdin(const char *prompt, SecretBuffer **ret, char **ret_error);
/* Whether it looks like text that an editor or echo ended with a newline, which is taken as part of the key. */
bool secret_ends_with_newline(const SecretBuffer *buffer);

/* ---- "name=value" lists for libframekey-bus (context.c) ---- */

typedef struct OptionList {
        char **items; /* NULL or an array that ends with NULL */
        size_t n;
} OptionList;

/* Memory that runs out ends the program: there is nothing to undo here. */
void option_list_add(OptionList *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* name=HEX of the text's bytes. */
void option_list_add_bytes(OptionList *list, const char *name, const char *text);
void option_list_done(OptionList *list);
static inline const char *const *option_list(const OptionList *list) {
        return (const char *const *)list->items;
}

/* Options about key derivation, which several verbs take: the last rows of their tables. */
#define KEY_OPTIONS                                                                                                    \
        { "kdf", 0, "pbkdf2|hkdf", "How keys are derived, if not as the preset says" },                                \
                { "salt", 0, "TEXT", "Salt of the derivation, as text" },                                              \
                { "iterations", 0, "N", "Iterations of PBKDF2" }, { "key-bits", 0, "128|256", "Length of AES keys" },  \
        {                                                                                                              \
                "option", 'o', "NAME=VALUE", "Any other option of org.framekey1(5)"                                    \
        }
/* Takes the option at this position within KEY_OPTIONS. */
int key_option_take(OptionList *list, size_t option, const char *value);

/* Options about what a key is named by and made of under SFrame and DAVE, which stand before those. */
#define N_SOURCE_OPTIONS 4u
#define SOURCE_OPTIONS                                                                                                 \
        { "kid", 0, "N", "SFrame: KID of the key's first step" },                                                      \
                { "ssrc", 0, "N", "SFrame: the RTP stream that the key is for; what is given is the base key" },       \
                { "replace", 0, NULL, "SFrame: take the place of another key under this KID" }, {                      \
                "user-id", 0, "N", "DAVE: whose key it is; what is given is the group's exporter secret"               \
        }
/* Takes the option at this position within SOURCE_OPTIONS. */
int source_option_take(OptionList *list, size_t option, const char *value);

/* ---- verbs ---- */

int verb_status(int argc, char **argv, Context *context);
int verb_list(int argc, char **argv, Context *context);
int verb_show(int argc, char **argv, Context *context);
int verb_presets(int argc, char **argv, Context *context);
int verb_monitor(int argc, char **argv, Context *context);
int verb_code(int argc, char **argv, Context *context);
int verb_doctor(int argc, char **argv, Context *context);
int verb_top(int argc, char **argv, Context *context);
int verb_log(int argc, char **argv, Context *context);
int verb_inspect(int argc, char **argv, Context *context);
int verb_selftest(int argc, char **argv, Context *context);
int verb_bench(int argc, char **argv, Context *context);
int verb_transport_key(int argc, char **argv, Context *context);
int verb_stats(int argc, char **argv, Context *context);
int verb_encrypt(int argc, char **argv, Context *context);
int verb_decrypt(int argc, char **argv, Context *context);
int verb_import(int argc, char **argv, Context *context);
int verb_ratchet(int argc, char **argv, Context *context);
int verb_activate(int argc, char **argv, Context *context);
int verb_rotate(int argc, char **argv, Context *context);
int verb_retire(int argc, char **argv, Context *context);
int verb_revoke(int argc, char **argv, Context *context);
int verb_close(int argc, char **argv, Context *context);
int verb_lock(int argc, char **argv, Context *context);
int verb_unlock(int argc, char **argv, Context *context);
/* cli/demo/demo.c */
int verb_demo(int argc, char **argv, Context *context);
