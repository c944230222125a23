/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What doctor looks at without a frame: is there a daemon, how does it protect what it holds, which of its settings
 * surprise, and what does not work in the sessions. Nothing is changed, and nothing is asked that polkit would be
 * asked about.
 */
#include "doctor.h"

#include <config.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "org.framekey1"

/* ---- the daemon ---- */

static const char *start_remedy(const Context *context) {
        switch (context->bus) {
        case FRAMEKEY_BUS_USER:
                return "Start it: systemctl --user enable --now framekeyd; or name the system's: --system.";
        case FRAMEKEY_BUS_ADDRESS:
                return "Start one there: framekeyd --address=ADDRESS; or leave --address out.";
        default:
                return "Install and start it: systemctl enable --now framekeyd; or name your own: --user.";
        }
}

static const char *bus_name(const Context *context) {
        static const char *const names[] = { "the system bus", "the user bus", "the bus at this address",
                                             "the host's system bus", "the machine's system bus" };

        return names[context->bus];
}

/* Whether the bus would start it. */
static bool is_activatable(sd_bus *bus) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *name;

        if (sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                               "ListActivatableNames", NULL, &reply, "") < 0 ||
            sd_bus_message_enter_container(reply, 'a', "s") < 0)
                return false;
        while (sd_bus_message_read_basic(reply, 's', &name) > 0)
                if (strcmp(name, NAME) == 0)
                        return true;
        return false;
}

static void tell_no_answer(Findings *findings, const sd_bus_error *error, bool activatable) {
        const char *where = bus_name(findings->context);

        if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
                finding(findings, FINDING_ERROR, "daemon",
                        "Put back the bus policy org.framekey1.conf that comes with framekeyd, and have the bus read "
                        "it: systemctl reload dbus.",
                        "The policy of %s does not let you call framekeyd (%s).", where, error->message);
        else if (activatable)
                finding(findings, FINDING_ERROR, "daemon",
                        "See why: systemctl status framekeyd; journalctl -u framekeyd -n 20.",
                        "framekeyd is installed for %s, but does not start (%s).", where,
                        error->message ?: "no reason is given");
        else
                finding(findings, FINDING_ERROR, "daemon", start_remedy(findings->context),
                        "framekeyd does not run on %s, and the bus does not know how to start it.", where);
}

static int get_manager(Findings *findings, sd_bus *bus, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(bus, NAME, MANAGER_PATH, "org.freedesktop.DBus.Properties", "GetAll", &error, &reply,
                               "s", MANAGER_INTERFACE);
        if (r >= 0)
                r = message_to_json(reply, ret);
        if (r >= 0)
                return CLI_OK;
        tell_no_answer(findings, &error, is_activatable(bus));
        return CLI_UNREACHABLE;
}

/* ---- its process ---- */

/* Whether its process is one of this machine. */
static bool is_local(const Context *context) {
        return context->bus != FRAMEKEY_BUS_HOST && context->bus != FRAMEKEY_BUS_MACHINE;
}

/* The soft limit on core files from /proc/PID/limits. False: it cannot be read. */
static bool read_core_limit(pid_t pid, char ret[32]) {
        char path[64], line[256];
        bool found = false;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
        file = fopen(path, "re");
        if (!file)
                return false;
        while (!found && fgets(line, sizeof(line), file))
                found = sscanf(line, "Max core file size %31s", ret) == 1;
        (void)fclose(file);
        return found;
}

static void check_core(Findings *findings, pid_t pid) {
        char limit[32];

        if (!read_core_limit(pid, limit))
                return;
        if (strcmp(limit, "0") == 0)
                finding(findings, FINDING_GOOD, "core-dumps", NULL, "Core dumps of it are off.");
        else
                finding(findings, FINDING_WARNING, "core-dumps",
                        "Start it from its unit, which has LimitCORE=0; 'systemctl cat framekeyd' shows what changes "
                        "that.",
                        "It could leave a core file (limit: %s). Keys in secret memory are never in one, frames "
                        "could be.",
                        limit);
}

/* "Overall exposure level for framekeyd.service: 0.3 SAFE", as systemd reckons it. */
static void check_exposure(Findings *findings, const char *unit) {
        char line[256], level[16];
        double exposure = -1;
        FILE *pipe;

        if (!unit || strcmp(unit, "framekeyd.service") != 0)
                return;
        pipe = popen("systemd-analyze security --no-pager framekeyd.service 2>/dev/null", "re");
        if (!pipe)
                return;
        while (fgets(line, sizeof(line), pipe)) {
                const char *number = strstr(line, "framekeyd.service: ");

                if (strstr(line, "exposure level") && number && sscanf(number, "framekeyd.service: %15s", level) == 1)
                        exposure = strtod(level, NULL);
        }
        (void)pclose(pipe);
        if (exposure >= 0 && exposure <= 0.5)
                finding(findings, FINDING_GOOD, "exposure", NULL, "Its unit's exposure is %.1f of 10.", exposure);
        else if (exposure > 0.5)
                finding(findings, FINDING_WARNING, "exposure",
                        "A drop-in takes hardening away: see systemctl cat framekeyd, and systemd-analyze security "
                        "framekeyd.",
                        "Its unit's exposure is %.1f of 10; as installed it is at most 0.5.", exposure);
}

static void check_process(Findings *findings, sd_bus *bus) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        const char *unit = NULL;
        uid_t uid = 0;
        pid_t pid;

        if (sd_bus_get_name_creds(bus, NAME,
                                  SD_BUS_CREDS_PID | SD_BUS_CREDS_EUID | SD_BUS_CREDS_UNIT | SD_BUS_CREDS_AUGMENT,
                                  &creds) < 0)
                return;
        if (findings->context->bus == FRAMEKEY_BUS_SYSTEM && sd_bus_creds_get_euid(creds, &uid) >= 0 && uid == 0)
                finding(findings, FINDING_WARNING, "user",
                        "Start it from its unit, as the user framekeyd, with nothing that it does not need.",
                        "It runs as root.");
        if (!is_local(findings->context) || sd_bus_creds_get_pid(creds, &pid) < 0)
                return;
        check_core(findings, pid);
        if (findings->context->bus == FRAMEKEY_BUS_SYSTEM && sd_bus_creds_get_unit(creds, &unit) >= 0)
                check_exposure(findings, unit);
}

int check_daemon(Findings *findings, json_t **ret_manager) {
        Context *context = findings->context;
        _cleanup_free_ char *error = NULL;
        const char *version;
        sd_bus *bus;
        int r;

        r = framekey_client_open(&context->client, context->bus, context->where, &error);
        if (r < 0) {
                finding(findings, FINDING_ERROR, "bus",
                        "Start the bus, or name another by --system, --user, --address, --host or --machine.", "%s",
                        error ?: strerror(-r));
                return CLI_UNREACHABLE;
        }
        bus = framekey_client_get_bus(context->client);
        r = get_manager(findings, bus, ret_manager);
        if (r != CLI_OK)
                return r;
        version = json_text(json_object_get(*ret_manager, "Version"));
        finding(findings, FINDING_GOOD, "daemon", NULL,
                "framekeyd %s answers on %s; its self test passed when it started.", version, bus_name(context));
        if (strcmp(version, PACKAGE_VERSION) != 0)
                finding(findings, FINDING_WARNING, "version",
                        "Install both from one release; after an upgrade: systemctl restart framekeyd.",
                        "This tool is of version " PACKAGE_VERSION ", the daemon of %s.", version);
        return CLI_OK;
}

/* ---- its state ---- */

static json_int_t number_of(const json_t *object, const char *name) {
        return json_integer_value(json_object_get(object, name));
}

static bool is_on(const json_t *object, const char *name) {
        return json_is_true(json_object_get(object, name));
}

/* Nothing can hibernate without a place for it. */
static bool has_swap(void) {
        FILE *file = fopen("/proc/swaps", "re");
        unsigned lines = 0;
        char line[512];

        while (file && fgets(line, sizeof(line), file))
                lines++;
        if (file)
                (void)fclose(file);
        return lines > 1;
}

static void check_memory(Findings *findings, const json_t *manager) {
        const char *protection = json_text(json_object_get(manager, "MemoryProtection"));

        if (strcmp(protection, "secretmem") != 0) {
                finding(findings, FINDING_WARNING, "memory",
                        "Use a kernel with memfd_secret (5.14, not switched off by secretmem.enable=0) and start the "
                        "daemon without --no-secretmem.",
                        "Keys are in locked memory (%s): not swapped and not dumped, but root can read them.",
                        protection);
                return;
        }
        finding(findings, FINDING_GOOD, "memory", NULL, "Keys are in secret memory, which no other process can read.");
        if (is_local(findings->context) && has_swap())
                finding(findings, FINDING_WARNING, "hibernation",
                        "If it matters more than that root cannot read the keys, start the daemon with --no-secretmem.",
                        "The machine cannot hibernate while framekeyd runs: the kernel does not write secret memory "
                        "to disk.");
}

static void check_counters(Findings *findings, const json_t *manager) {
        if (strcmp(json_text(json_object_get(manager, "CounterState")), "kept") == 0)
                finding(findings, FINDING_GOOD, "counters", NULL,
                        "The counters of sending keys survive a restart of the daemon.");
        else
                finding(findings, FINDING_WARNING, "counters",
                        "Start it from its unit, which has RuntimeDirectory= and StateDirectory=, or with "
                        "--runtime-directory and --state-directory.",
                        "Counters are volatile: imported keys of SFrame and DAVE are good for receiving only.");
}

/* Names that are in `all` and not in `some`, as text. */
static char *missing_names(const json_t *all, const json_t *some) {
        _cleanup_json_ json_t *missing = json_array();
        json_t *name, *other;
        size_t i, k;

        json_array_foreach((json_t *)all, i, name) {
                bool found = false;

                json_array_foreach((json_t *)some, k, other) {
                        found = found || json_equal(name, other);
                }
                if (!found)
                        (void)json_array_append(missing, name);
        }
        return json_array_size(missing) > 0 ? text_list(missing) : NULL;
}

static void check_forbidden(Findings *findings, const json_t *manager) {
        const json_t *allowed = json_object_get(manager, "AllowedProfiles");
        _cleanup_free_ char *refused = missing_names(json_object_get(manager, "Profiles"), allowed);

        if (allowed && refused)
                finding(findings, FINDING_WARNING, "profiles",
                        "See AllowedProfiles= in framekeyd.conf(5), if your app needs one of them.",
                        "The administrator allows no sessions of %s.", refused);
        if (json_is_false(json_object_get(manager, "AllowImport")))
                finding(findings, FINDING_WARNING, "import",
                        "See AllowImport= in framekeyd.conf(5); keys made in the daemon and wrapped ones work.",
                        "The administrator lets no passphrases or byte keys in.");
        if (json_is_false(json_object_get(manager, "AllowExport")))
                finding(findings, FINDING_WARNING, "export",
                        "See AllowExport= in framekeyd.conf(5), or import the same key at both ends.",
                        "The administrator lets no wrapped keys out: other hosts cannot follow keys that are made "
                        "here.");
}

static void check_times(Findings *findings, const json_t *manager) {
        json_int_t age = number_of(manager, "MaximumKeyAgeUSec");
        json_int_t least = number_of(manager, "MinimumRatchetIntervalUSec");
        _cleanup_free_ char *age_text = text_usec(json_object_get(manager, "MaximumKeyAgeUSec"));
        _cleanup_free_ char *least_text = text_usec(json_object_get(manager, "MinimumRatchetIntervalUSec"));

        if (age > 0 && age < 3600 * (json_int_t)USEC_PER_SEC)
                finding(findings, FINDING_WARNING, "maximum-age",
                        "Apps have to bring a new key more often than that; or raise MaximumAgeSec= in "
                        "framekeyd.conf(5).",
                        "A sending key is refused at an age of %s.", age_text ?: "?");
        if (least > 60 * (json_int_t)USEC_PER_SEC)
                finding(findings, FINDING_WARNING, "minimum-interval",
                        "Sessions that ask for a shorter interval are refused; see MinimumIntervalSec= in "
                        "framekeyd.conf(5).",
                        "Keys may step every %s at most.", least_text ?: "?");
}

void check_state(Findings *findings, const json_t *manager) {
        unsigned before;

        check_process(findings, framekey_client_get_bus(findings->context->client));
        check_memory(findings, manager);
        check_counters(findings, manager);
        if (is_on(manager, "Locked"))
                finding(findings, FINDING_ERROR, "locked", "When the reason is gone: framekeyctl unlock.",
                        "The service is locked: every frame of every session is refused.");
        before = findings->n[FINDING_WARNING];
        check_forbidden(findings, manager);
        check_times(findings, manager);
        if (findings->n[FINDING_WARNING] == before)
                finding(findings, FINDING_GOOD, "policy", NULL, "No setting of the administrator stands in the way.");
}

/* ---- sessions ---- */

static const char *trouble_remedy(const char *state, bool sends) {
        static const struct {
                const char *state, *receiving, *sending;
        } remedies[] = {
                { "missing-key", "Have the app import the key under this index; see framekeyctl show SESSION.",
                  "Have the app import or make a key, or activate one: framekeyctl activate." },
                { "wrong-key",
                  "Compare keys: framekeyctl code SESSION at both ends; or capture a frame, and framekeyctl doctor "
                  "FRAME --key-file=FILE.",
                  "Import the key again." },
                { "expired", "Have the sender use its newest key.", "Rotate it: framekeyctl rotate SESSION." },
                { "replayed", "Look for who sends frames twice; a media server does not.", "Look at the log." },
                { "unencrypted", "Switch end-to-end encryption on in the sender's app.", "Look at the log." },
        };

        for (size_t i = 0; i < ELEMENTS(remedies); i++)
                if (strcmp(state, remedies[i].state) == 0)
                        return sends ? remedies[i].sending : remedies[i].receiving;
        return "See what became of the frames: framekeyctl stats SESSION PARTICIPANT.";
}

static int check_streams(Findings *findings, const char *id, const char *path) {
        _cleanup_json_ json_t *troubles = json_array();
        json_t *trouble;
        size_t i;
        int r;

        r = troubles_collect(findings->context, id, path, troubles);
        json_array_foreach(troubles, i, trouble) {
                const json_t *stream = json_object_get(trouble, "stream");
                bool sends = strcmp(json_text(json_object_get(stream, "direction")), "encrypt") == 0;

                finding(findings, FINDING_ERROR, "stream",
                        trouble_remedy(json_text(json_object_get(stream, "state")), sends), "Session %s: %s.", id,
                        json_text(json_object_get(trouble, "sentence")));
        }
        return r;
}

static void check_participant(Findings *findings, const char *id, const json_t *participant, size_t *n_keys) {
        const json_t *clear = json_object_get(participant, "Unencrypted");
        const char *what = json_text(json_array_get(clear, 0));

        *n_keys += json_array_size(json_object_get(participant, "Keys"));
        if (*what && strcmp(what, "nothing") != 0)
                finding(findings, FINDING_WARNING, "unencrypted",
                        "That is for the time of a change to encryption; the session's owner can take it back.",
                        "Session %s: of %s, frames pass that are not encrypted (%s).", id,
                        json_text(json_object_get(participant, "Identity")), what);
}

static int check_session(Findings *findings, const char *id, const char *path) {
        _cleanup_json_ json_t *session = NULL;
        size_t i, n_keys = 0, n = 0;
        json_t *name;
        int r;

        r = context_properties_or_nothing(findings->context, path, SESSION_INTERFACE, &session);
        if (r != CLI_OK || !session)
                return r;
        json_array_foreach(json_object_get(session, "Participants"), i, name) {
                _cleanup_json_ json_t *participant = NULL;

                r = participant_read(findings->context, path, json_text(name), &participant);
                if (r != CLI_OK)
                        return r;
                if (!participant)
                        continue;
                check_participant(findings, id, participant, &n_keys);
                n++;
        }
        if (n > 0 && n_keys == 0)
                finding(findings, FINDING_WARNING, "keys", "Have the app import a key, or make one.",
                        "Session %s: nobody has a key.", id);
        if (*json_text(json_object_get(session, "Owner")) == '\0')
                finding(findings, FINDING_WARNING, "owner", "If nobody needs it any more: framekeyctl close SESSION.",
                        "Session %s has outlived its owner (it was opened with linger).", id);
        if (json_is_false(json_object_get(session, "ForwardSecrecy")))
                finding(findings, FINDING_WARNING, "forward-secrecy",
                        "Open sessions without retain-root where senders do not start again.",
                        "Session %s keeps its first keys: whoever takes them can open what was said since.", id);
        return check_streams(findings, id, path);
}

int check_sessions(Findings *findings) {
        unsigned before = findings->n[FINDING_ERROR] + findings->n[FINDING_WARNING];
        _cleanup_json_ json_t *rows = json_array();
        json_t *row;
        size_t i;
        int r;

        r = sessions_read(findings->context, rows);
        if (r != CLI_OK)
                return r;
        json_array_foreach(rows, i, row) {
                r = check_session(findings, json_text(json_object_get(row, "id")),
                                  json_text(json_object_get(row, "path")));
                if (r != CLI_OK)
                        return r;
        }
        if (findings->n[FINDING_ERROR] + findings->n[FINDING_WARNING] == before)
                finding(findings, FINDING_GOOD, "sessions", NULL,
                        json_array_size(rows) == 0 ? "You have no sessions." : "Every stream of your sessions works.");
        return CLI_OK;
}
