/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sender, a receiver and a ring; see loop.h. */
#include "cli/loop.h"

/* One frame is under way at a time. */
static const char *const channel_options[] = { "small-slots=2", "video-slots=2", "jumbo-slots=1", NULL };

static int add_streams(Loop *loop, const char *channel) {
        static const struct {
                const char *who;
                enum framekey_direction direction;
        } ends[] = { { "sender", FRAMEKEY_ENCRYPT }, { "receiver", FRAMEKEY_DECRYPT } };
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(ends) && r >= 0; i++) {
                r = framekey_session_add_stream(loop->session, channel, ends[i].who, ends[i].direction,
                                                FRAMEKEY_MEDIA_AUDIO, FRAMEKEY_CODEC_OPUS, NULL,
                                                &loop->audio[ends[i].direction]);
                if (r >= 0)
                        r = framekey_session_add_stream(loop->session, channel, ends[i].who, ends[i].direction,
                                                        FRAMEKEY_MEDIA_VIDEO, FRAMEKEY_CODEC_VP8, NULL,
                                                        &loop->video[ends[i].direction]);
        }
        return r;
}

int loop_open(Loop *ret, Context *context, const char *label, uint32_t key_index, const uint8_t *key) {
        _cleanup_free_ char *channel = NULL;
        Loop *loop = ret;
        int r;

        *loop = (Loop){ .session = NULL };
        if (context->bus == FRAMEKEY_BUS_HOST)
                return cli_usage_error("Frames go through shared memory, which does not reach %s: run this there.",
                                       context->where);
        r = context_client(context, &loop->client);
        if (r != CLI_OK)
                return r;
        r = framekey_session_open(loop->client, "livekit-bytes", label, NULL, &loop->session);
        if (r >= 0)
                r = framekey_session_add_participant(loop->session, "sender", FRAMEKEY_LOCAL, NULL);
        if (r >= 0)
                r = framekey_session_add_participant(loop->session, "receiver", FRAMEKEY_REMOTE, NULL);
        if (r >= 0)
                r = key ? framekey_session_import_key(loop->session, NULL, key_index, key, 16, NULL)
                        : framekey_session_generate_key(loop->session, NULL, key_index, NULL);
        if (r >= 0)
                r = framekey_session_open_channel(loop->session, channel_options, &loop->channel, &channel);
        if (r >= 0)
                r = add_streams(loop, channel);
        return r < 0 ? cli_fail_client(loop->client, r) : CLI_OK;
}

void loop_done(Loop *loop) {
        loop->channel = framekey_channel_free(loop->channel);
        loop->session = framekey_session_close(loop->session);
}
