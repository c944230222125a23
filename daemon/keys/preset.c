/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of presets, one row a product and kind of key. */
#include "keys/preset.h"

#define SALT_LIVEKIT       "LKFrameEncryptionKey"
#define SALT_REALTIMEKIT   "RealtimeKitFrameEncryptionKey"
#define SALT_JITSI         "JFrameEncryptionKey"
#define SALT_JITSI_RATCHET "JFrameRatchetKey"
/* LiveKit's and RealtimeKit's HKDF info: this many zero bytes. */
#define INFO_ZEROS 128u
#define ITERATIONS 100000u
/* Long enough for frames that overtake a key change through a jitter buffer. */
#define GRACE_USEC (2 * USEC_PER_SEC)
/* Element Call's useKeyDelay: what it takes for a key to reach everybody. */
#define ACTIVATE_AFTER_USEC (1 * USEC_PER_SEC)
/* Jitsi's debounce: a storm of joins or leaves costs one step or rotation in that time. */
#define COALESCE_USEC (5 * USEC_PER_SEC)
/* A ratchet does not heal what leaked: a fresh key does (security 4.3). */
#define ROTATE_AFTER_USEC (24 * 3600 * USEC_PER_SEC)

/* The windows are the peers' documented ones; we do follow that many steps, they follow one. */
static const Preset presets[] = {
        { "livekit", "LiveKit; the same as livekit-passphrase", FRAMEKEY_FORMAT_LIVEKIT, true, 16, 8, SCHEDULE_PBKDF2,
          SALT_LIVEKIT, INFO_ZEROS, NULL },
        { "livekit-passphrase", "LiveKit web clients with a shared passphrase (ExternalE2EEKeyProvider, string)",
          FRAMEKEY_FORMAT_LIVEKIT, true, 16, 8, SCHEDULE_PBKDF2, SALT_LIVEKIT, INFO_ZEROS, NULL },
        { "livekit-bytes", "LiveKit web clients with a shared byte key (ArrayBuffer)", FRAMEKEY_FORMAT_LIVEKIT, true,
          16, 8, SCHEDULE_HKDF, SALT_LIVEKIT, INFO_ZEROS, NULL },
        { "livekit-native", "LiveKit native clients (libwebrtc): byte keys go through PBKDF2", FRAMEKEY_FORMAT_LIVEKIT,
          true, 16, 8, SCHEDULE_PBKDF2, SALT_LIVEKIT, 0, NULL },
        { "element-call", "Element Call: a byte key for each participant, 256 key indices", FRAMEKEY_FORMAT_LIVEKIT,
          false, 256, 10, SCHEDULE_HKDF, SALT_LIVEKIT, INFO_ZEROS, NULL },
        { "realtimekit", "Cloudflare RealtimeKit with a shared passphrase", FRAMEKEY_FORMAT_REALTIMEKIT, true, 16, 8,
          SCHEDULE_PBKDF2, SALT_REALTIMEKIT, INFO_ZEROS, NULL },
        { "jitsi", "Jitsi Meet: a byte key for each participant", FRAMEKEY_FORMAT_JITSI, false, 16, 8, SCHEDULE_HKDF,
          SALT_JITSI, 0, SALT_JITSI_RATCHET },
        { "sframe", "SFrame (RFC 9605): a base key for each participant, or an MLS group", FRAMEKEY_FORMAT_SFRAME,
          false, 16, 8, SCHEDULE_SFRAME, "", 0, NULL },
        { "dave", "Discord's DAVE, version 1: a base secret for each participant and epoch", FRAMEKEY_FORMAT_DAVE,
          false, 16, 2, SCHEDULE_DAVE, "", 0, NULL },
};

/* RFC 9605's suite for everything but audio with short tags. */
#define SUITE_DEFAULT 4u /* AES_128_GCM_SHA256_128 */
/* The RFC says "some time"; libdave 10 s. No step is tried for it, so it costs nothing but the key's life. */
#define GRACE_NAMED_USEC (10 * USEC_PER_SEC)
/* Counters do not collide: the bound is how long a key should live, 146 days at 340 frames a second. */
#define SEND_LIMIT_COUNTED (UINT64_C(1) << 32)

const Preset *preset_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(presets); i++)
                if (strcmp(presets[i].name, name) == 0)
                        return &presets[i];
        return NULL;
}

const Preset *preset_at(size_t i) {
        return i < ELEMENTS(presets) ? &presets[i] : NULL;
}

void preset_session_config(const Preset *preset, SessionConfig *ret) {
        bool counts = preset->kdf == SCHEDULE_SFRAME || preset->kdf == SCHEDULE_DAVE;

        *ret = (SessionConfig){
                .format = preset->format,
                .shared = preset->shared,
                .ring_size = preset->ring_size,
                .ratchet_window = preset->ratchet_window,
                .grace_usec = counts ? GRACE_NAMED_USEC : GRACE_USEC,
                .replay_window = SESSION_REPLAY_MAX,
                .rotate_after_usec = ROTATE_AFTER_USEC,
                .activate_after_usec = ACTIVATE_AFTER_USEC,
                .coalesce_usec = COALESCE_USEC,
                .send_limit = counts ? SEND_LIMIT_COUNTED : SESSION_SEND_LIMIT_MAX,
                .failure_limit = SESSION_FAILURE_LIMIT,
                .retire_superseded = true,
        };
}

void preset_schedule(const Preset *preset, Schedule *ret) {
        *ret = (Schedule){
                .kdf = preset->kdf,
                .iterations = ITERATIONS,
                .key_bits = 128,
                .suite = SUITE_DEFAULT,
                .salt_len = strlen(preset->salt),
                .info_len = preset->info_len,
        };
        memcpy(ret->salt, preset->salt, ret->salt_len);
        if (preset->ratchet_salt) {
                ret->ratchet_salt_len = strlen(preset->ratchet_salt);
                memcpy(ret->ratchet_salt, preset->ratchet_salt, ret->ratchet_salt_len);
        }
}
