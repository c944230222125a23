/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions to polkit between call and answer; see authority.h. */
#include "control/authority.h"

#include "control/daemon.h"
#include "control/errors.h"
#include "control/table.h"
#include "util/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
/* CheckAuthorization's flag AllowUserInteraction. */
#define POLKIT_INTERACTIVE 1u

/* Without a dialog polkit has nothing to wait for: this is its start by the bus, on a slow machine. */
#define ANSWER_USEC (5 * USEC_PER_SEC)
/* Somebody has to come and type a password. */
#define DIALOG_USEC (300 * USEC_PER_SEC)

/*
 * Whoever may look at the sessions of others reads many properties one after the other: a grant of
 * that right is remembered for the connection for so long. A rule that is taken back works after it.
 */
#define GRANT_USEC (60 * USEC_PER_SEC)
#define GRANTS_MAX 64u

typedef enum Answer {
        ANSWER_PENDING,
        ANSWER_GRANTED,
        ANSWER_REFUSED,
        ANSWER_CHALLENGE, /* a password would do */
        ANSWER_ABSENT,    /* there is no polkit */
        ANSWER_NONE,      /* it is there, and did not answer in time or died */
        ANSWER_FAILED,    /* it cannot tell */
        ANSWER_MAX,
} Answer;

static const char *const answers[ANSWER_MAX] = {
        [ANSWER_GRANTED] = "granted",     [ANSWER_REFUSED] = "refused", [ANSWER_CHALLENGE] = "challenge",
        [ANSWER_ABSENT] = "no-authority", [ANSWER_NONE] = "no-answer",  [ANSWER_FAILED] = "failed",
};

static const struct {
        const char *action;
        const char *refusal;
} rights[CALLER_RIGHT_MAX] = {
        [CALLER_OPEN_SESSION] = { "org.framekey1.open-session",
                                  "polkit does not let you open a session; log in at this machine, or have the "
                                  "administrator allow it by a rule as framekeyd(8) shows." },
        [CALLER_INSPECT] = { "org.framekey1.inspect",
                             "This call shows the sessions of all users; make it as root, or have polkit allow you "
                             "org.framekey1.inspect." },
        [CALLER_ROTATE] = { "org.framekey1.rotate",
                            "This call concerns the sessions of all users; make it as root, have polkit allow you "
                            "org.framekey1.rotate, or name a session of your own where the call takes one." },
        [CALLER_IMPORT] = { "org.framekey1.import",
                            "This call uses a key of the administrator's; make it as root, or have polkit allow you "
                            "org.framekey1.import." },
        [CALLER_POLICY] = { "org.framekey1.policy",
                            "This is a setting for the sessions of all users; set it as root, or have polkit allow you "
                            "org.framekey1.policy." },
};

typedef struct Question {
        Authority *authority;
        sd_bus_message *message; /* the call that is held back */
        Caller caller;
        CallerRight right;
        Answer answer;
        uint64_t number; /* for CancelCheckAuthorization */
        sd_bus_slot *slot;
        Charge charge;
        struct Question *prev, *next;
} Question;

typedef struct Grant {
        char name[CALLER_NAME_MAX];
        uint64_t until_usec;
        struct Grant *prev, *next;
} Grant;

struct Authority {
        Daemon *daemon;
        Question *questions;
        Question *current; /* the one whose call is being handled the second time */
        Grant *grants;     /* of CALLER_INSPECT; the oldest first */
        unsigned n_questions, n_grants;
        uint64_t last_number;
        bool absent; /* polkit was, when last asked */
};

int authority_new(Authority **ret, Daemon *daemon) {
        Authority *authority = calloc(1, sizeof(*authority));

        if (!authority)
                return -ENOMEM;
        authority->daemon = daemon;
        *ret = authority;
        return 0;
}

static Question *question_free(Question *question) {
        Authority *authority;

        if (!question)
                return NULL;
        authority = question->authority;
        if (authority->current == question)
                authority->current = NULL;
        DL_DELETE(authority->questions, question);
        authority->n_questions--;
        sd_bus_slot_unref(question->slot);
        sd_bus_message_unref(question->message);
        charge_release(&question->charge);
        free(question);
        return NULL;
}
DEFINE_CLEANUP(Question, question_free)

static void grant_drop(Authority *authority, Grant *grant) {
        DL_DELETE(authority->grants, grant);
        authority->n_grants--;
        free(grant);
}

Authority *authority_free(Authority *authority) {
        if (!authority)
                return NULL;
        while (authority->questions)
                (void)question_free(authority->questions);
        while (authority->grants)
                grant_drop(authority, authority->grants);
        free(authority);
        return NULL;
}

/* ---- grants that are remembered ---- */

static Grant *grant_find(const Authority *authority, const char *name) {
        Grant *grant;

        DL_FOREACH(authority->grants, grant) {
                if (strcmp(grant->name, name) == 0)
                        return grant;
        }
        return NULL;
}

static void grant_remember(Authority *authority, const Caller *caller) {
        Grant *grant = grant_find(authority, caller->name);

        if (grant)
                grant_drop(authority, grant);
        if (authority->n_grants >= GRANTS_MAX)
                grant_drop(authority, authority->grants);
        grant = malloc(sizeof(*grant));
        if (!grant)
                return; /* then polkit is asked again */
        *grant = (Grant){ .until_usec = clock_boottime_usec() + GRANT_USEC };
        memcpy(grant->name, caller->name, sizeof(grant->name));
        DL_APPEND(authority->grants, grant);
        authority->n_grants++;
}

bool authority_remembers(const Authority *authority, const char *name) {
        const Grant *grant = authority ? grant_find(authority, name) : NULL;

        return grant && clock_boottime_usec() < grant->until_usec;
}

static bool answer_grants(const Question *question) {
        return question->answer == ANSWER_GRANTED ||
               (question->answer == ANSWER_ABSENT && question->right == CALLER_OPEN_SESSION);
}

unsigned authority_rights(const Authority *authority, sd_bus_message *message) {
        const char *sender = sd_bus_message_get_sender(message);
        unsigned granted = 0;

        if (!authority || !sender)
                return 0;
        if (authority->current && authority->current->message == message && answer_grants(authority->current))
                granted |= 1u << authority->current->right;
        if (authority_remembers(authority, sender))
                granted |= 1u << CALLER_INSPECT;
        return granted;
}

/* ---- the answer ---- */

static void tell_audit(const Question *question, const char *result, const char *reason) {
        audit_write(question->authority->daemon->audit, &(AuditRecord){ .action = AUDIT_AUTHORIZE,
                                                                        .caller = &question->caller,
                                                                        .index = AUDIT_NO_NUMBER,
                                                                        .step = AUDIT_NO_NUMBER,
                                                                        .polkit = rights[question->right].action,
                                                                        .reason = reason,
                                                                        .result = result });
}

/* Not a name that polkit lost, or a unit that failed: one that nothing would start. */
static Answer answer_of_error(const sd_bus_error *error) {
        static const char *const absent[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                "org.freedesktop.systemd1.NoSuchUnit",
                "org.freedesktop.systemd1.UnitMasked",
        };

        for (size_t i = 0; i < ELEMENTS(absent); i++)
                if (sd_bus_error_has_name(error, absent[i]))
                        return ANSWER_ABSENT;
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) || sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
                return ANSWER_NONE;
        return ANSWER_FAILED;
}

static Answer answer_read(sd_bus_message *reply) {
        int granted, challenge;

        if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") <= 0 ||
            sd_bus_message_read(reply, "bb", &granted, &challenge) <= 0)
                return ANSWER_FAILED;
        return granted ? ANSWER_GRANTED : challenge ? ANSWER_CHALLENGE : ANSWER_REFUSED;
}

/* polkit may be asking somebody still; it must not be started for this. */
static void cancel(const Question *question) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        char number[32];
        int r;

        (void)snprintf(number, sizeof(number), "framekeyd-%" PRIu64, question->number);
        r = sd_bus_message_new_method_call(question->authority->daemon->bus, &message, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CancelCheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(message, 0);
        if (r >= 0)
                r = sd_bus_message_append(message, "s", number);
        if (r >= 0)
                (void)sd_bus_send(NULL, message, NULL); /* what it would have answered is not read any more */
}

/* polkit gave no verdict: the caller is told at once, in the same words whatever the call was about. */
static void answer_without_verdict(const Question *question) {
        const char *action = rights[question->right].action;

        if (question->answer == ANSWER_NONE)
                (void)sd_bus_reply_method_errorf(question->message, error_name(ERROR_POLICY_FORBIDS),
                                                 "polkit did not answer whether you are allowed %s; try again later, "
                                                 "or have the administrator look after polkit.service.",
                                                 action);
        else
                (void)sd_bus_reply_method_errorf(question->message, error_name(ERROR_POLICY_FORBIDS),
                                                 "polkit cannot tell whether you are allowed %s; the journal of "
                                                 "framekeyd has what it said.",
                                                 action);
}

static void note_presence(Authority *authority, Answer answer) {
        if (answer == ANSWER_ABSENT && !authority->absent)
                log_line(authority->daemon->log, LOG_INFO,
                         "There is no polkit on this bus: everybody may open sessions, and only root reaches those of "
                         "others.");
        authority->absent = answer == ANSWER_ABSENT;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);
        Question *question = userdata;
        Authority *authority = question->authority;
        int r;

        question->slot = sd_bus_slot_unref(question->slot);
        question->answer = error ? answer_of_error(error) : answer_read(reply);
        note_presence(authority, question->answer);
        if (question->answer != ANSWER_ABSENT) /* which is no decision: the refusal that follows is told */
                tell_audit(question, answers[question->answer], error ? error->message : NULL);
        if (question->answer == ANSWER_NONE)
                cancel(question);
        if (question->answer == ANSWER_NONE || question->answer == ANSWER_FAILED) {
                answer_without_verdict(question);
                (void)question_free(question);
                return 0;
        }
        if (question->answer == ANSWER_GRANTED && question->right == CALLER_INSPECT)
                grant_remember(authority, &question->caller);
        r = sd_bus_enqueue_for_read(authority->daemon->bus, question->message);
        if (r < 0) {
                (void)sd_bus_reply_method_errno(question->message, r, NULL); /* the caller may be gone */
                (void)question_free(question);
        }
        return 0;
}

/* ---- the question ---- */

static int send_question(Question *question) {
        bool interactive = sd_bus_message_get_allow_interactive_authorization(question->message) > 0;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        sd_bus *bus = question->authority->daemon->bus;
        char number[32];
        int r;

        (void)snprintf(number, sizeof(number), "framekeyd-%" PRIu64, question->number);
        r = sd_bus_message_new_method_call(bus, &message, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(message, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", question->caller.name,
                                  rights[question->right].action, 0, interactive ? POLKIT_INTERACTIVE : 0, number);
        if (r < 0)
                return r;
        return sd_bus_call_async(bus, &question->slot, message, on_answer, question,
                                 interactive ? DIALOG_USEC : ANSWER_USEC);
}

static int hold(Authority *authority, sd_bus_message *message, const Caller *caller, CallerRight right,
                sd_bus_error *error) {
        _cleanup_(question_free_p) Question *question = NULL;
        int r;

        if (authority->n_questions >= AUTHORITY_QUESTIONS_MAX)
                return error_negative(
                        sd_bus_error_set_const(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                               "Too many calls of all users wait for polkit; try again later."));
        question = calloc(1, sizeof(*question));
        if (!question)
                return -ENOMEM;
        *question = (Question){ .authority = authority,
                                .message = sd_bus_message_ref(message),
                                .caller = *caller,
                                .right = right,
                                .number = ++authority->last_number };
        DL_APPEND(authority->questions, question);
        authority->n_questions++;
        r = quota_charge(authority->daemon->quota, caller->uid, QUOTA_AUTHORIZATIONS, 1, &question->charge);
        if (r == QUOTA_REFUSED) {
                tell_audit(question, "too-many", NULL);
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Too many of your calls are waiting for polkit; wait for their answers first.");
        }
        if (r == 0)
                r = send_question(question);
        if (r < 0)
                return r;
        (void)take_ptr(question);
        return AUTHORITY_HELD;
}

int authority_ask(Authority *authority, sd_bus_message *message, const Caller *caller, CallerRight right,
                  sd_bus_error *error) {
        if (caller_may(caller, right))
                return 0;
        if (authority->current && authority->current->message == message)
                return AUTHORITY_REFUSED;
        if (authority->daemon->config.bus == DAEMON_BUS_USER)
                /* The user is the administrator there. */
                return right == CALLER_OPEN_SESSION ? 0 : AUTHORITY_REFUSED;
        return hold(authority, message, caller, right, error);
}

int authority_explain(const Authority *authority, sd_bus_message *message, CallerRight right, sd_bus_error *error) {
        const Question *current = authority->current;

        if (current && current->message == message && current->answer == ANSWER_CHALLENGE &&
            sd_bus_message_get_allow_interactive_authorization(message) == 0)
                return error_negative(sd_bus_error_setf(
                        error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                        "polkit wants a password for %s; allow interactive authorisation in the call, as busctl call "
                        "does.",
                        rights[right].action));
        return error_setf(error, ERROR_POLICY_FORBIDS, "%s", rights[right].refusal);
}

/* ---- what the bus tells ---- */

void authority_message_comes(Authority *authority, sd_bus_message *message) {
        Question *question;

        /* Calls are handled one after the other: the last one is over. */
        (void)question_free(authority->current);
        DL_FOREACH(authority->questions, question) {
                if (question->message != message)
                        continue;
                authority->current = question;
                return;
        }
}

void authority_name_left(Authority *authority, const char *name) {
        Grant *grant = grant_find(authority, name);
        Question *question, *next;

        if (grant)
                grant_drop(authority, grant);
        DL_FOREACH_SAFE(authority->questions, question, next) {
                if (question->answer != ANSWER_PENDING || strcmp(question->caller.name, name) != 0)
                        continue;
                cancel(question);
                tell_audit(question, "caller-left", NULL);
                (void)question_free(question);
        }
}
