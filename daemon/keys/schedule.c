/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key schedules: what a row of parameters makes of a step's material. */
#include "keys/schedule.h"

#include "crypto/kdf.h"
#include "format/sframe.h"

static const char *check_salted(const Schedule *schedule) {
        if (schedule->key_bits != 128 && schedule->key_bits != 256)
                return "key-bits must be 128 or 256";
        if (schedule->salt_len > SCHEDULE_SALT_MAX || schedule->ratchet_salt_len > SCHEDULE_SALT_MAX ||
            schedule->info_len > SCHEDULE_SALT_MAX)
                return "salt, ratchet-salt and info are limited to 256 bytes each";
        if (schedule->kdf == SCHEDULE_PBKDF2 &&
            (schedule->iterations == 0 || schedule->iterations > SCHEDULE_ITERATIONS_MAX))
                return "iterations must be between 1 and 10000000";
        return NULL;
}

static uint64_t step_mask(const Schedule *schedule) {
        return (UINT64_C(1) << schedule->ratchet_bits) - 1;
}

static const char *check_sframe(const Schedule *schedule) {
        const SuiteInfo *suite = suite_find(schedule->suite);

        if (!suite || suite->id == SUITE_DAVE)
                return "cipher-suite must be one of SFrame's";
        if (!sframe_ratchet_bits_valid(schedule->ratchet_bits))
                return "ratchet-bits must be 0 (no ratchet) or between 3 and 32";
        if ((schedule->kid & step_mask(schedule)) != 0)
                return "kid must be the KID of the first step, whose low ratchet bits are 0";
        return NULL;
}

const char *schedule_check(const Schedule *schedule) {
        switch (schedule->kdf) {
        case SCHEDULE_PBKDF2:
        case SCHEDULE_HKDF:
                return check_salted(schedule);
        case SCHEDULE_SFRAME:
        case SCHEDULE_EPOCH:
                return check_sframe(schedule);
        case SCHEDULE_DAVE:
                return NULL;
        }
        return "kdf must be pbkdf2 or hkdf";
}

void schedule_secret_len(const Schedule *schedule, size_t *ret_least, size_t *ret_most) {
        *ret_least = 0;
        *ret_most = SECRET_MAX;
        if (schedule->kdf == SCHEDULE_SFRAME) { /* 128 bits, or they could be guessed from the name in a ledger */
                *ret_least = 16;
                *ret_most = SFRAME_BASE_KEY_MAX;
        } else if (schedule->kdf == SCHEDULE_EPOCH)
                *ret_least = *ret_most = schedule_key_len(schedule);
        else if (schedule->kdf == SCHEDULE_DAVE)
                *ret_least = *ret_most = schedule->of_group ? DAVE_SECRET_LEN : DAVE_BASE_LEN;
}

size_t schedule_step_size(const Schedule *schedule) {
        const ScheduleStep *step = NULL;

        switch (schedule->kdf) {
        case SCHEDULE_SFRAME:
        case SCHEDULE_EPOCH:
                return sizeof(step->sframe);
        case SCHEDULE_DAVE:
                return sizeof(step->dave);
        default:
                return sizeof(step->key) + sizeof(step->next);
        }
}

size_t schedule_key_len(const Schedule *schedule) {
        switch (schedule->kdf) {
        case SCHEDULE_SFRAME:
        case SCHEDULE_EPOCH:
                return suite_find(schedule->suite)->key_len;
        case SCHEDULE_DAVE:
                return DAVE_KEY_LEN;
        default:
                return schedule->key_bits / 8;
        }
}

const uint8_t *schedule_next(const Schedule *schedule, const ScheduleStep *step, size_t *ret_len) {
        switch (schedule->kdf) {
        case SCHEDULE_SFRAME:
        case SCHEDULE_EPOCH:
                *ret_len = kdf_hash_len(suite_find(schedule->suite)->hash);
                return step ? step->sframe.next : NULL;
        case SCHEDULE_DAVE:
                *ret_len = DAVE_SECRET_LEN;
                return step ? step->dave.next : NULL;
        default:
                *ret_len = SCHEDULE_MATERIAL_LEN;
                return step ? step->next : NULL;
        }
}

bool schedule_steps(const Schedule *schedule) {
        return schedule->kdf != SCHEDULE_EPOCH && (schedule->kdf != SCHEDULE_SFRAME || schedule->ratchet_bits > 0);
}

bool schedule_steps_at_will(const Schedule *schedule) {
        return schedule_steps(schedule) && schedule->kdf != SCHEDULE_DAVE;
}

uint64_t schedule_kid(const Schedule *schedule, uint32_t step) {
        return schedule->kid | (step & step_mask(schedule));
}

static int derive_with_salt(const Schedule *schedule, const uint8_t *salt, size_t salt_len, const void *material,
                            size_t material_len, uint8_t *out, size_t out_len) {
        if (schedule->kdf == SCHEDULE_PBKDF2)
                return kdf_pbkdf2_sha256(material, material_len, salt, salt_len, schedule->iterations, out, out_len);
        return kdf_hkdf(KDF_SHA256, material, material_len, salt, salt_len, schedule->info, schedule->info_len, out,
                        out_len);
}

static int derive_salted(const Schedule *schedule, const void *material, size_t material_len, ScheduleStep *ret_step) {
        bool own_salt = schedule->ratchet_salt_len > 0;
        int r;

        r = derive_with_salt(schedule, own_salt ? schedule->ratchet_salt : schedule->salt,
                             own_salt ? schedule->ratchet_salt_len : schedule->salt_len, material, material_len,
                             ret_step->next, sizeof(ret_step->next));
        if (r < 0)
                return r;
        if (own_salt)
                return derive_with_salt(schedule, schedule->salt, schedule->salt_len, material, material_len,
                                        ret_step->key, schedule->key_bits / 8);

        /* Same salt, prefix-consistent output: the key is the head of the next material. */
        memcpy(ret_step->key, ret_step->next, schedule->key_bits / 8);
        wipe_registers();
        return 0;
}

static int derive_sframe(const Schedule *schedule, uint32_t step, const void *material, size_t material_len,
                         ScheduleStep *ret_step) {
        const SuiteInfo *suite = suite_find(schedule->suite);
        uint64_t kid = schedule_kid(schedule, step);
        uint8_t *stream_key;
        int r;

        if (!schedule->per_stream || step > 0)
                return sframe_schedule_derive(suite, material, material_len, kid, &ret_step->sframe);
        stream_key = arena_alloc(arena_installed(), kdf_hash_len(suite->hash));
        if (!stream_key)
                return -ENOMEM;
        r = sframe_schedule_stream(suite, material, material_len, schedule->ssrc, stream_key);
        if (r == 0)
                r = sframe_schedule_derive(suite, stream_key, kdf_hash_len(suite->hash), kid, &ret_step->sframe);
        arena_release(arena_installed(), stream_key);
        return r;
}

static int derive_dave(const Schedule *schedule, uint32_t generation, const void *secret, size_t secret_len,
                       ScheduleStep *ret_step) {
        uint8_t *base;
        int r;

        if (!schedule->of_group || generation > 0)
                return dave_schedule_derive(secret, secret_len, generation, &ret_step->dave);
        if (secret_len != DAVE_SECRET_LEN)
                return -EINVAL;
        base = arena_alloc(arena_installed(), DAVE_BASE_LEN);
        if (!base)
                return -ENOMEM;
        r = dave_schedule_base(secret, schedule->user_id, base);
        if (r == 0)
                r = dave_schedule_derive(base, DAVE_BASE_LEN, 0, &ret_step->dave);
        arena_release(arena_installed(), base);
        return r;
}

int schedule_derive(const Schedule *schedule, uint32_t step, const void *material, size_t material_len,
                    ScheduleStep *ret_step) {
        switch (schedule->kdf) {
        case SCHEDULE_SFRAME:
                return derive_sframe(schedule, step, material, material_len, ret_step);
        case SCHEDULE_EPOCH:
                return sframe_schedule_epoch(suite_find(schedule->suite), material, material_len, &ret_step->sframe);
        case SCHEDULE_DAVE:
                return derive_dave(schedule, step, material, material_len, ret_step);
        default:
                return derive_salted(schedule, material, material_len, ret_step);
        }
}

int schedule_derive_member(const Schedule *schedule, const ScheduleStep *epoch, uint64_t kid, ScheduleStep *ret_step) {
        return sframe_schedule_member(suite_find(schedule->suite), &epoch->sframe, kid, &ret_step->sframe);
}

const char *schedule_kdf_name(ScheduleKdf kdf) {
        static const char *const names[] = {
                [SCHEDULE_PBKDF2] = "pbkdf2", [SCHEDULE_HKDF] = "hkdf", [SCHEDULE_SFRAME] = "sframe",
                [SCHEDULE_EPOCH] = "mls",     [SCHEDULE_DAVE] = "dave",
        };

        return kdf > 0 && kdf < ELEMENTS(names) ? names[kdf] : "?";
}

ScheduleKdf schedule_kdf_from_name(const char *name) {
        for (ScheduleKdf kdf = SCHEDULE_PBKDF2; kdf <= SCHEDULE_DAVE; kdf++)
                if (strcmp(name, schedule_kdf_name(kdf)) == 0)
                        return kdf;
        return 0;
}
