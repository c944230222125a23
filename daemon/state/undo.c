/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notes lie behind one another, each to be read from its end: [bytes, padded to 8][place][length].
 *
 * Who reads them comes after the writer's death, so it sees all that the processor had done, in the
 * order of the program: only the compiler must be kept from another one.
 */
#include "state/undo.h"

#include <assert.h>

#define COMMITTED UINT64_MAX
#define TAIL_SIZE (2 * sizeof(uint64_t))
#define PADDED(n) (((n) + 7) & ~(size_t)7)

/* What stands before this is in memory before what stands behind it. */
static inline void in_order(void) {
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

int undo_note(Undo *undo, const void *place, size_t len) {
        UndoLog *log;
        uint64_t tail[2];
        size_t end;

        if (!undo)
                return 0;
        log = undo->log;
        tail[0] = (uint64_t)((const uint8_t *)place - undo->state);
        tail[1] = len;
        assert(tail[0] <= undo->state_size && len <= undo->state_size - tail[0]);
        if (len > UNDO_BYTES || PADDED(len) + TAIL_SIZE > UNDO_BYTES - log->n)
                return -ENOSPC;

        end = log->n + PADDED(len);
        memcpy(log->notes + log->n, place, len);
        memcpy(log->notes + end, tail, TAIL_SIZE);
        in_order(); /* a note counts when it is whole */
        __atomic_store_n(&log->n, end + TAIL_SIZE, __ATOMIC_RELAXED);
        in_order(); /* ... and the caller's change comes after that */
        return 0;
}

bool undo_has_room(const Undo *undo) {
        return !undo || undo->log->n <= UNDO_BYTES - UNDO_FRAME_MAX;
}

void undo_commit(Undo *undo, uint64_t *place, uint64_t value) {
        UndoLog *log = undo->log;

        in_order();
        if (log->n > 0 && place) {
                assert((uint8_t *)place >= undo->state && (uint8_t *)place < undo->state + undo->state_size);
                log->place = (uint64_t)((uint8_t *)place - undo->state);
                log->value = value;
                in_order();
                __atomic_store_n(&log->n, COMMITTED, __ATOMIC_RELAXED); /* this is it */
                in_order();
        }
        if (place)
                __atomic_store_n(place, value, __ATOMIC_RELAXED); /* ... or this, where nothing was noted */
        in_order();
        __atomic_store_n(&log->n, 0, __ATOMIC_RELAXED);
}

/* Whether these bytes of the state memory are no part of the log: it would be changed while it is read. */
static bool beside_log(const Undo *undo, uint64_t place, uint64_t len) {
        uint64_t log = (uint64_t)((const uint8_t *)undo->log - undo->state);

        return place + len <= log || place >= log + sizeof(*undo->log);
}

/* Takes the note that ends at `end` apart. */
static bool note_read(const Undo *undo, uint64_t end, uint64_t *ret_start, uint64_t *ret_place, uint64_t *ret_len) {
        uint64_t tail[2];

        if (end < TAIL_SIZE)
                return false;
        memcpy(tail, undo->log->notes + end - TAIL_SIZE, TAIL_SIZE);
        if (tail[1] > UNDO_BYTES || PADDED(tail[1]) > end - TAIL_SIZE)
                return false;
        if (tail[0] > undo->state_size || tail[1] > undo->state_size - tail[0] || !beside_log(undo, tail[0], tail[1]))
                return false;
        *ret_start = end - TAIL_SIZE - PADDED(tail[1]);
        *ret_place = tail[0];
        *ret_len = tail[1];
        return true;
}

/* Newest first, since the same place may have been noted twice. With `apply` false it only looks whether they hold. */
static bool roll_back(const Undo *undo, bool apply) {
        uint64_t end = undo->log->n, start, place, len;

        while (end > 0) {
                if (!note_read(undo, end, &start, &place, &len))
                        return false;
                if (apply)
                        memcpy(undo->state + place, undo->log->notes + start, len);
                end = start;
        }
        return true;
}

int undo_recover(Undo *undo) {
        UndoLog *log = undo->log;

        if (log->n == COMMITTED) {
                if (log->place % sizeof(uint64_t) != 0 || log->place > undo->state_size - sizeof(uint64_t) ||
                    !beside_log(undo, log->place, sizeof(uint64_t)))
                        return -EBADMSG;
                memcpy(undo->state + log->place, &log->value, sizeof(log->value));
        } else {
                if (log->n > UNDO_BYTES || log->n % sizeof(uint64_t) != 0 || !roll_back(undo, false))
                        return -EBADMSG;
                (void)roll_back(undo, true); /* it holds */
        }
        in_order();
        __atomic_store_n(&log->n, 0, __ATOMIC_RELAXED);
        return 0;
}
