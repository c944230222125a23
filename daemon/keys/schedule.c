/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key schedule of the trailer formats: one derivation gives key and next material. */
#include "keys/schedule.h"

#include "crypto/kdf.h"

const char *schedule_check(const Schedule *schedule) {
        if (schedule->kdf != SCHEDULE_PBKDF2 && schedule->kdf != SCHEDULE_HKDF)
                return "kdf must be pbkdf2 or hkdf";
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

static int derive(const Schedule *schedule, const uint8_t *salt, size_t salt_len, const void *material,
                  size_t material_len, uint8_t *out, size_t out_len) {
        if (schedule->kdf == SCHEDULE_PBKDF2)
                return kdf_pbkdf2_sha256(material, material_len, salt, salt_len, schedule->iterations, out, out_len);
        return kdf_hkdf(KDF_SHA256, material, material_len, salt, salt_len, schedule->info, schedule->info_len, out,
                        out_len);
}

int schedule_derive(const Schedule *schedule, const void *material, size_t material_len, ScheduleStep *ret_step) {
        bool own_salt = schedule->ratchet_salt_len > 0;
        int r;

        r = derive(schedule, own_salt ? schedule->ratchet_salt : schedule->salt,
                   own_salt ? schedule->ratchet_salt_len : schedule->salt_len, material, material_len, ret_step->next,
                   sizeof(ret_step->next));
        if (r < 0)
                return r;
        if (own_salt)
                return derive(schedule, schedule->salt, schedule->salt_len, material, material_len, ret_step->key,
                              schedule->key_bits / 8);

        /* Same salt, prefix-consistent output: the key is the head of the next material. */
        memcpy(ret_step->key, ret_step->next, schedule->key_bits / 8);
        wipe_registers();
        return 0;
}

const char *schedule_kdf_name(ScheduleKdf kdf) {
        return kdf == SCHEDULE_PBKDF2 ? "pbkdf2" : kdf == SCHEDULE_HKDF ? "hkdf" : "?";
}

ScheduleKdf schedule_kdf_from_name(const char *name) {
        if (strcmp(name, "pbkdf2") == 0)
                return SCHEDULE_PBKDF2;
        if (strcmp(name, "hkdf") == 0)
                return SCHEDULE_HKDF;
        return 0;
}
