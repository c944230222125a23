/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One record for each change of keys, sessions and policy, and for each refusal of one: who, what,
 * with which result. Never a secret, never a hash of one, never a frame.
 *
 * Main thread. Each user has a budget of records, so that a flood of one cannot push the records
 * of others out of the journal; what was dropped is counted and told. What the daemon does by itself
 * to the keys of a session is told too, at its owner's expense.
 */
#pragma once

#include "control/log.h"
#include "control/owner.h"

#include <systemd/sd-event.h>

typedef enum AuditAction {
        AUDIT_OPEN_SESSION,
        AUDIT_CLOSE_SESSION,
        AUDIT_ATTACH_SESSION,
        AUDIT_ADD_PARTICIPANT,
        AUDIT_REMOVE_PARTICIPANT,
        AUDIT_JOIN,
        AUDIT_LEAVE,
        AUDIT_ALLOW_UNENCRYPTED,
        AUDIT_IMPORT_KEY,
        AUDIT_IMPORT_CREDENTIAL,
        AUDIT_GENERATE_KEY,
        AUDIT_IMPORT_WRAPPED,
        AUDIT_EXPORT_WRAPPED,
        AUDIT_RATCHET,
        AUDIT_ROTATE,
        AUDIT_ACTIVATE,
        AUDIT_RETIRE_KEY,
        AUDIT_SECURITY_CODE,
        AUDIT_OPEN_CHANNEL,
        AUDIT_CLOSE_CHANNEL,
        AUDIT_ADD_STREAM,
        AUDIT_REMOVE_STREAM,
        AUDIT_CHANNEL_VIOLATED,
        AUDIT_LOCK,
        AUDIT_SET_RATCHET, /* of a session */
        AUDIT_SET_POLICY,  /* of the daemon */
        AUDIT_SET_LOG,     /* its level or target */
        AUDIT_RELOAD,      /* of the configuration */
        AUDIT_AUTHORIZE,   /* polkit was asked */
        AUDIT_FIND,        /* an object, or something to read: refusals only */
        AUDIT_ACTION_MAX,
} AuditAction;

#define AUDIT_NO_NUMBER UINT32_MAX

typedef struct AuditRecord {
        AuditAction action;
        const Caller *caller;    /* NULL: nobody asked, the daemon did it by itself */
        uid_t owner_uid;         /* without a caller: whose session it is, and whose budget */
        const char *session;     /* id; NULL: none */
        const char *participant; /* NULL: none; "": the shared key */
        uint32_t index;          /* AUDIT_NO_NUMBER: none, or the active one */
        uint32_t step;           /* AUDIT_NO_NUMBER: none */
        const char *reason;      /* the caller's own words, or why the daemon did it; NULL: none */
        const char *recipient;   /* fingerprint of whom a key was wrapped for; NULL: nobody */
        const char *credential;  /* name of the one a key was made of; NULL: none */
        const char *setting;     /* "NAME=VALUE"; NULL: none */
        const char *method;      /* "INTERFACE.MEMBER", where the action does not say it; NULL: it does */
        const char *polkit;      /* the action that polkit was asked about; NULL: none */
        const char *result;      /* "ok" or the error's name */
} AuditRecord;

typedef struct Audit Audit;

/* `log` must outlive it. 0; negative errno. */
int audit_new(Audit **ret, const Log *log, sd_event *event);
/* Takes NULL; returns NULL. */
Audit *audit_free(Audit *audit);
DEFINE_CLEANUP(Audit, audit_free)
void audit_write(Audit *audit, const AuditRecord *record);
/* How many records there were, those that were left out included. */
uint64_t audit_count(const Audit *audit);
