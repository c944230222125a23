/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What "systemctl status" shows: one sentence on what is going on, told to the service manager when
 * it changes, at most once a second.
 *
 * No names are in it. On the system bus, where all users of the machine can read it, there is nothing
 * of sessions in it: "framekeyctl status" tells administrators. Whatever changes comes out of the event loop: after it
 * has done something the sentence is made anew, soon, and sent if it is another one. An idle daemon does nothing. Main
 * thread.
 */
#pragma once

#include "util/util.h"

typedef struct Daemon Daemon;
typedef struct Status Status;

/* 0; negative errno. Where nobody listens to it, it does nothing. */
int status_new(Status **ret, Daemon *daemon);
/* Takes NULL; returns NULL. */
Status *status_free(Status *status);
/* Tells a state of sd_notify(3) and the sentence, now. */
void status_tell(Status *status, const char *state);
