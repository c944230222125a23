/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call in a test: frames through a channel, and the session's signals as lines of text.
 */
#pragma once

#include "client.h"

#include <framekey.h>

#define SESSION     "org.framekey1.Session"
#define MANAGER     "org.framekey1.Manager"
#define PARTICIPANT "org.framekey1.Participant"
#define CHANNEL     "org.framekey1.Channel"
#define MSEC        UINT64_C(1000)
/* What tests can wait for. */
#define SOON (300 * MSEC)
/* How much later than due something may come on a busy machine. */
#define LATE (2 * USEC_PER_SEC)

uint64_t call_now_usec(void);      /* CLOCK_BOOTTIME */
uint64_t call_realtime_usec(void); /* CLOCK_REALTIME */

/* The same time, but for the clocks being read one after the other. */
void call_same_time(uint64_t a, uint64_t b);

/* Everything a session says, a line a signal: "KeyRatcheted alice 3 1". Numbers are decimal. */
typedef struct Heard {
        char lines[16384];
} Heard;

/* Listens to signals of this session, and to invalidated properties ("Changed NAME"). */
void heard_listen(sd_bus *bus, const TestSession *session, Heard *heard);
/* Handles what arrives until a line begins with `text`, at most ten seconds; then the case ends. */
void heard_wait(sd_bus *bus, const Heard *heard, const char *text);
/* How many lines begin so. */
unsigned heard_count(const Heard *heard, const char *text);

/* AddParticipant, and the object path that it answers. */
void call_add(sd_bus *bus, const TestSession *session, const char *identity, const char *role, char ret_path[256]);
/* Rotate, and its two numbers. */
void call_rotate(sd_bus *bus, const TestSession *session, const char *identity, uint32_t *ret_rotated,
                 uint32_t *ret_requested);

typedef struct Media {
        framekey_channel *channel;
        char path[160];
} Media;

void media_open(sd_bus *bus, const TestSession *session, Media *ret);
static inline void media_close(Media *media) {
        media->channel = framekey_channel_free(media->channel);
}
#define _media_ _cleanup_(media_close) Media
uint32_t media_add(sd_bus *bus, const TestSession *session, const Media *media, const char *identity,
                   const char *direction, const char *kind);

typedef struct Frame {
        uint8_t bytes[256];
        size_t len;
        struct framekey_result result; /* of the last step */
} Frame;

/* Seals a short frame; the verdict. */
int media_send(const Media *media, uint32_t stream, enum framekey_frame_type type, Frame *ret);
/* Opens it; the verdict. The frame stays as it was. */
int media_receive(const Media *media, uint32_t stream, Frame *frame);

/* A session where everybody has a key of their own, and in it "me" who sends. */
typedef struct Call {
        TestSession session;
        char me[256];
        Media media;
        uint32_t audio;
        Heard heard;
} Call;

/* Options as client_open_session() takes them. */
#define call_open(bus, call, ...)                                                                                      \
        do {                                                                                                           \
                (call)->session = client_open_session((bus), "element-call", __VA_ARGS__);                             \
                call_fill((bus), (call));                                                                              \
        } while (0)
void call_fill(sd_bus *bus, Call *call);
static inline void call_close(Call *call) {
        media_close(&call->media);
}
#define _call_ _cleanup_(call_close) Call

/* A key for "me" that is made in the daemon. */
void call_generate(sd_bus *bus, const Call *call, uint32_t index);
/* One frame; the key index it went under. */
uint32_t call_send(const Call *call);
/* Lines of the daemon's log that have all of these. */
unsigned call_logged(const char *a, const char *b, const char *c);
