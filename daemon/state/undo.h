/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What makes a turn of a data thread one atomic change of the state memory, whenever the process dies.
 *
 * Before a thread changes state memory in a turn it notes what was there. The turn's last act is a
 * commit: one word in state memory gets its new value, and all notes are void, by one store. A
 * process that finds the memory later either sees both or has the notes, and puts the old bytes back.
 *
 * Holds only as long as nobody else changes the noted places before the commit: a turn keeps the
 * locks of what it changed until then. One log a thread.
 */
#pragma once

#include "util/util.h"

/* Notes of one turn. A frame notes a few hundred bytes at most. */
#define UNDO_BYTES 32768u
/* Most that the notes of one frame may take, what each note takes beside its bytes included. A turn ends when less is
 * left. */
#define UNDO_FRAME_MAX 4096u

/* In state memory; zeros are an empty one. */
typedef struct UndoLog {
        uint64_t n;     /* bytes of notes; UINT64_MAX: they are void, and the next two hold */
        uint64_t place; /* of the committed word, from the start of the state memory */
        uint64_t value;
        uint8_t notes[UNDO_BYTES];
} UndoLog;

/* A thread's way to its log. */
typedef struct Undo {
        UndoLog *log;
        uint8_t *state; /* start of the state memory; 8-byte aligned, like the log */
        size_t state_size;
} Undo;

/* Keeps the `len` bytes of state memory at `place`, which will be changed. NULL: nothing is kept over a restart. 0;
 * -ENOSPC: there is no room, so they must not be changed. */
int undo_note(Undo *undo, const void *place, size_t len);
/* Whether there is room for one frame more. */
bool undo_has_room(const Undo *undo);
/* *place = value (NULL: nothing), and the turn so far holds. */
void undo_commit(Undo *undo, uint64_t *place, uint64_t value);
/* In a new process, before anything else looks at the state: what was not committed is undone. Can be repeated after a
 * death in its midst. 0; -EBADMSG: the log is none of ours. */
int undo_recover(Undo *undo);
