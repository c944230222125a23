/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Server-injected frames of LiveKit (formats/trailer-frames, section 5): while a track is muted the
 * media server sends blank frames in clear, marked by a trailer that is secret to the room. Pure.
 *
 * Anybody who learns the marker could pass clear media off as a participant's, so only the known
 * blank payloads are let through.
 */
#pragma once

#include "util/util.h"

typedef enum InjectedOutcome {
        INJECTED_NO = 0,      /* does not end with the marker */
        INJECTED_KNOWN = 1,   /* a blank frame of `*ret_len` bytes in front of the marker */
        INJECTED_UNKNOWN = 2, /* the marker behind anything else */
} InjectedOutcome;

/* `ret_len` is set with INJECTED_KNOWN only. An empty marker matches nothing. */
InjectedOutcome injected_match(const uint8_t *frame, size_t len, const uint8_t *marker, size_t marker_len,
                               size_t *ret_len);
