/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the demo puts its files: a temporary directory for the two daemons, and the directory with
 * the results.
 */
#pragma once

#include "cli/demo/child.h"
#include "cli/demo/media.h"

/* A fresh directory that only we can enter. 0; negative errno. Free the path. */
int folder_temporary(char **ret);
/* Lets processes of another user pass through it to a directory of theirs. 0; negative errno. */
int folder_let_in(const char *path, const User *user);
/* Removes what folder_temporary() made, with everything in it. */
void folder_remove(const char *path);

/* Why a directory cannot be used for results. */
typedef enum FolderOutcome {
        FOLDER_FOREIGN = 1, /* there is something in it that this demo did not put there */
        FOLDER_NO_DIRECTORY,
} FolderOutcome;

/* Makes the directory for results, or empties it if an earlier demo made it: it removes the files that it knows and no
 * others. 0; a FolderOutcome; negative errno. */
int folder_output(const char *path);
/* Path of one of the results there: "encrypted.ivf". Memory that runs out gives NULL. Free it. */
char *folder_media(const char *path, MediaCopy copy, const MediaKind *kind);
/* The others. */
#define FOLDER_PICTURE "picture.png"
#define FOLDER_FILM    "decrypted.webm"
/* PATH/NAME; NULL if memory runs out. Free it. */
char *folder_file(const char *path, const char *name);
