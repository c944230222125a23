/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bridge and its far ends, see bridge.h. */
#include "bridge.h"

#include <string.h>

#define KEY_IN  "livekit, to us.."
#define KEY_OUT "livekit, from us"

static const char *const participant_mode[] = { "key-mode=participant", NULL };

void session_add_key(const Side *side, framekey_session *session, enum framekey_direction direction, const char *key) {
        side_check(side,
                   framekey_session_add_participant(
                           session, "it", direction == FRAMEKEY_ENCRYPT ? FRAMEKEY_LOCAL : FRAMEKEY_REMOTE, NULL),
                   "AddParticipant");
        side_check(side, framekey_session_import_key(session, "it", 1, key, strlen(key), NULL), "ImportKey");
}

static void add_streams(const Side *side, framekey_session *session, enum framekey_direction direction,
                        uint32_t ret[2]) {
        for (unsigned video = 0; video < 2; video++)
                side_check(side,
                           framekey_session_add_stream(session, side->path, "it", direction,
                                                       video ? FRAMEKEY_MEDIA_VIDEO : FRAMEKEY_MEDIA_AUDIO,
                                                       video ? FRAMEKEY_CODEC_UNKNOWN : FRAMEKEY_CODEC_OPUS, NULL,
                                                       &ret[video]),
                           "AddStream");
}

void bridge_open(Bridge *bridge, const char *bus_variable, const char *first_profile) {
        const struct {
                const char *profile;
                enum framekey_direction direction;
                const char *key;
        } rows[SYSTEMS] = {
                [LIVEKIT_IN] = { first_profile, FRAMEKEY_DECRYPT, KEY_IN },
                [SFRAME_OUT] = { "sframe", FRAMEKEY_ENCRYPT, "sframe, 16 bytes" },
                [SFRAME_IN] = { "sframe", FRAMEKEY_DECRYPT, "sframe, 16 bytes" },
                [DAVE_OUT] = { "dave", FRAMEKEY_ENCRYPT, "dave, 16 bytes.." },
                [DAVE_IN] = { "dave", FRAMEKEY_DECRYPT, "dave, 16 bytes.." },
                [LIVEKIT_OUT] = { first_profile, FRAMEKEY_ENCRYPT, KEY_OUT },
        };
        Side *side = &bridge->side;

        side_open(side, bus_variable, first_profile, participant_mode);
        for (size_t i = 0; i < SYSTEMS; i++) {
                System *system = &bridge->systems[i];

                *system = (System){ .session = side->session, .profile = rows[i].profile };
                if (i > 0)
                        side_check(side,
                                   framekey_session_open(side->client, rows[i].profile, "test",
                                                         i == LIVEKIT_OUT ? participant_mode : NULL, &system->session),
                                   "OpenSession");
                session_add_key(side, system->session, rows[i].direction, rows[i].key);
                add_streams(side, system->session, rows[i].direction, system->stream);
        }
}

void bridge_close(Bridge *bridge) {
        for (size_t i = 1; i < SYSTEMS; i++)
                framekey_session_close(bridge->systems[i].session);
        side_close(&bridge->side);
}

static void open_far_end(Side *end, const char *bus_variable, const char *profile, enum framekey_direction direction,
                         const char *key, uint32_t ret_streams[2]) {
        side_open(end, bus_variable, profile, participant_mode);
        session_add_key(end, end->session, direction, key);
        add_streams(end, end->session, direction, ret_streams);
}

void far_ends_open(FarEnds *ends, const char *bus_variable, const char *first_profile) {
        open_far_end(&ends->source, bus_variable, first_profile, FRAMEKEY_ENCRYPT, KEY_IN, ends->source_stream);
        open_far_end(&ends->sink, bus_variable, first_profile, FRAMEKEY_DECRYPT, KEY_OUT, ends->sink_stream);
}

void far_ends_close(FarEnds *ends) {
        side_close(&ends->source);
        side_close(&ends->sink);
}

/* ---- frames ---- */

struct framekey_frame frame_describe(const Frame *frame, uint32_t stream) {
        return (struct framekey_frame){ .size = sizeof(struct framekey_frame),
                                        .stream = stream,
                                        .codec = (uint8_t)frame->codec,
                                        .frame_type = (uint8_t)frame->type };
}

int bridge_hop(const Bridge *bridge, const System *from, const System *to, Frame *frame,
               struct framekey_result *result) {
        struct framekey_frame in = frame_describe(frame, from->stream[frame->video]);
        struct framekey_frame out = frame_describe(frame, to->stream[frame->video]);

        out.frame_type = FRAMEKEY_FRAME_UNSPECIFIED;
        *result = (struct framekey_result){ .size = sizeof(*result) };
        return framekey_transcrypt(bridge->side.channel, &in, &out, frame->bytes, frame->len, frame->bytes,
                                   sizeof(frame->bytes), &frame->len, result, BRIDGE_DEADLINE_USEC);
}

void bridge_must_hop(const Bridge *bridge, const System *from, const System *to, Frame *frame) {
        struct framekey_result result;
        int r = bridge_hop(bridge, from, to, frame, &result);

        if (r != 0)
                side_fail("%s to %s, %s: %s%s", from->profile, to->profile, framekey_codec_name(frame->codec),
                          r < 0 ? strerror(-r) : framekey_verdict_name(r),
                          result.flags & FRAMEKEY_RESULT_OUTGOING ? ", encrypting" : "");
}

void bridge_pass(const Bridge *bridge, Frame *frame) {
        for (size_t i = 0; i < SYSTEMS; i += 2)
                bridge_must_hop(bridge, &bridge->systems[i], &bridge->systems[i + 1], frame);
}

void far_ends_seal(const FarEnds *ends, const Frame *plain, Frame *sealed) {
        struct framekey_frame frame = frame_describe(plain, ends->source_stream[plain->video]);
        int r;

        *sealed = *plain;
        r = framekey_encrypt(ends->source.channel, &frame, plain->bytes, plain->len, sealed->bytes,
                             sizeof(sealed->bytes), &sealed->len, NULL, BRIDGE_DEADLINE_USEC);
        if (r != 0)
                side_fail("the source cannot encrypt %s: %s", framekey_codec_name(plain->codec),
                          r < 0 ? strerror(-r) : framekey_verdict_name(r));
}

void far_ends_compare(const FarEnds *ends, const Frame *plain, Frame *sealed) {
        struct framekey_frame frame = frame_describe(plain, ends->sink_stream[plain->video]);
        int r;

        r = framekey_decrypt(ends->sink.channel, &frame, sealed->bytes, sealed->len, sealed->bytes,
                             sizeof(sealed->bytes), &sealed->len, NULL, BRIDGE_DEADLINE_USEC);
        if (r != 0 || sealed->len != plain->len || memcmp(sealed->bytes, plain->bytes, plain->len) != 0)
                side_fail("a frame of %s, %zu bytes, arrived as another: %s, %zu bytes",
                          framekey_codec_name(plain->codec), plain->len,
                          r < 0 ? strerror(-r) : framekey_verdict_name(r), sealed->len);
}
