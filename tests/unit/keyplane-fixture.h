/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tests of the key plane share: the arena, a plane, a clock that the test moves, and a small
 * call of one sender and one receiver. One translation unit a test program includes it.
 */
#pragma once

#include "crypto/arena.h"
#include "keys/frame.h"
#include "keys/preset.h"
#include "keys/session.h"
#include "util/clock.h"
#include "util/entropy.h"

#include <check.h>
#include <poll.h>

/* Replaces util/clock.o: the test owns time. Far in the machine's future, so that no real timer fires by itself. */
static uint64_t test_now = 4000000000 * USEC_PER_SEC;

uint64_t clock_boottime_usec(void) {
        return __atomic_load_n(&test_now, __ATOMIC_RELAXED);
}

_unused_ static void clock_advance(uint64_t usec) {
        __atomic_fetch_add(&test_now, usec, __ATOMIC_RELAXED);
}

_unused_ static Plane *plane_start(void) {
        Plane *plane;

        if (!arena_installed()) {
                Arena *arena;

                ck_assert_int_eq(arena_new(&arena, 1024 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
                ck_assert_int_eq(arena_install(arena), 0);
        }
        ck_assert_int_eq(plane_new(&plane), 0);
        return plane;
}

/* The end of a call that a deriver finishes. */
typedef struct Waited {
        bool done;
        int result;
        uint64_t generation;
        uint32_t step;
} Waited;

_unused_ static void waited_done(Session *session, int result, uint64_t generation, uint32_t step, void *userdata) {
        *(Waited *)userdata = (Waited){ .done = true, .result = result, .generation = generation, .step = step };
}

_unused_ static void pump(Plane *plane) {
        struct pollfd poll_fd = { .fd = plane_event_fd(plane), .events = POLLIN };

        ck_assert_int_gt(poll(&poll_fd, 1, 60000), 0);
        plane_dispatch(plane);
}

_unused_ static void await(Plane *plane, const Waited *waited) {
        while (!waited->done)
                pump(plane);
}

/* Few iterations: the schedule is the same, the wait is not. */
_unused_ static void schedule_quick(Schedule *ret, const char *preset) {
        preset_schedule(preset_find(preset), ret);
        ret->iterations = 10;
}

_unused_ static void import(Plane *plane, Session *session, uint32_t participant, uint32_t index, const char *secret,
                            uint32_t step) {
        Waited waited = { false };
        Schedule schedule;
        Secret *s;

        schedule_quick(&schedule, "livekit");
        ck_assert_int_eq(secret_new_copy(&s, secret, strlen(secret)), 0);
        ck_assert_int_eq(session_import(session, participant, index, s, &schedule, step, waited_done, &waited), 0);
        await(plane, &waited);
        ck_assert_int_eq(waited.result, 0);
        ck_assert_uint_eq(waited.step, step);
}

_unused_ static void ratchet(Plane *plane, Session *session, uint32_t participant, uint32_t expected_step) {
        Waited waited = { false };

        ck_assert_int_eq(session_ratchet(session, participant, SESSION_ACTIVE, waited_done, &waited), 0);
        await(plane, &waited);
        ck_assert_int_eq(waited.result, 0);
        ck_assert_uint_eq(waited.step, expected_step);
}

/* Lets the look-ahead come to its end: a further plane event must not come for a while. */
_unused_ static void settle_look_ahead(Plane *plane) {
        struct pollfd poll_fd = { .fd = plane_event_fd(plane), .events = POLLIN };

        while (poll(&poll_fd, 1, 100) > 0)
                plane_dispatch(plane);
}

typedef struct Frame {
        uint8_t bytes[512];
        size_t len;
} Frame;

_unused_ static FrameResult process(FrameGrant *grant, Session *session, const Frame *in, size_t clear, Frame *out) {
        FrameRequest request = { .frame = in->bytes, .len = in->len, .clear_len = clear, .now_usec = test_now };
        FrameResult result;
        uint8_t iv[12];

        entropy_fill_ivs(iv, 1);
        request.iv = iv;
        session_enter(session);
        frame_process(grant, &request, out->bytes, sizeof(out->bytes), &result);
        session_leave(session);
        out->len = result.len;
        return result;
}
