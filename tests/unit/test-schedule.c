/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key schedules against every chain of the peers' vectors, material and keys of all steps. */
#include "keys/preset.h"
#include "runner.h"

#include <jansson.h>

static size_t unhex(const char *hex, uint8_t *out, size_t max) {
        size_t n = strlen(hex) / 2;

        ck_assert_uint_le(n, max);
        for (size_t i = 0; i < n; i++) {
                unsigned byte;

                ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
                out[i] = (uint8_t)byte;
        }
        return n;
}

static const char *text(const json_t *object, const char *key) {
        const char *value = json_string_value(json_object_get(object, key));

        return value ? value : "";
}

static void schedule_of(const json_t *entry, Schedule *ret) {
        bool pbkdf2 = strncmp(text(entry, "kdf"), "PBKDF2", 6) == 0;

        *ret = (Schedule){
                .kdf = pbkdf2 ? SCHEDULE_PBKDF2 : SCHEDULE_HKDF,
                .iterations = (uint32_t)json_integer_value(json_object_get(entry, "iterations")),
                .key_bits = (uint32_t)json_integer_value(json_object_get(entry, "aes_key_bits")),
        };
        ret->salt_len = unhex(text(entry, "salt_hex"), ret->salt, sizeof(ret->salt));
        ret->info_len = unhex(text(entry, "info_hex"), ret->info, sizeof(ret->info));
}

static void check_chain(const json_t *entry) {
        const json_t *input = json_object_get(entry, "input"), *step;
        const char *hex = text(input, *text(input, "hex") ? "hex" : "utf8_hex");
        Secret *material = NULL;
        ScheduleStep *derived = arena_alloc(arena_installed(), sizeof(*derived));
        uint8_t expected[32], secret[256];
        Schedule schedule;
        size_t i, n;

        schedule_of(entry, &schedule);
        ck_assert_ptr_null(schedule_check(&schedule));
        n = unhex(hex, secret, sizeof(secret));
        ck_assert_int_eq(secret_new_copy(&material, secret, n), 0);
        json_array_foreach(json_object_get(entry, "chain"), i, step) {
                n = unhex(text(step, "material_hex"), secret, sizeof(secret));
                ck_assert_uint_eq(material->len, n);
                ck_assert_mem_eq(material->bytes, secret, n);
                ck_assert_int_eq(schedule_derive(&schedule, 0, material->bytes, material->len, derived), 0);
                n = unhex(text(step, "aes_key_hex"), expected, sizeof(expected));
                ck_assert_uint_eq(n, schedule.key_bits / 8);
                ck_assert_mem_eq(derived->key, expected, n);
                secret_free(material);
                ck_assert_int_eq(secret_new_copy(&material, derived->next, sizeof(derived->next)), 0);
        }
        secret_free(material);
        arena_release(arena_installed(), derived);
}

static void check_file(const char *name) {
        const char *srcdir = getenv("srcdir");
        json_t *root, *entry;
        json_error_t error;
        char path[4096];
        Arena *arena;
        size_t i;

        ck_assert_int_eq(arena_new(&arena, 256 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
        (void)snprintf(path, sizeof(path), "%s/tests/vectors/%s", srcdir ? srcdir : ".", name);
        root = json_load_file(path, 0, &error);
        ck_assert_msg(root != NULL, "%s: %s", path, error.text);
        ck_assert_uint_gt(json_array_size(json_object_get(root, "kdf")), 0);
        json_array_foreach(json_object_get(root, "kdf"), i, entry) check_chain(entry);
        json_decref(root);
}

START_TEST(livekit_chains_are_the_peers) {
        check_file("livekit.json");
}
END_TEST

START_TEST(realtimekit_chains_are_the_peers) {
        check_file("realtimekit.json");
}
END_TEST

START_TEST(bounds_are_named) {
        Schedule schedule;

        preset_schedule(preset_find("livekit"), &schedule);
        ck_assert_ptr_null(schedule_check(&schedule));
        schedule.iterations = 0;
        ck_assert_ptr_nonnull(strstr(schedule_check(&schedule), "iterations"));
        schedule.kdf = SCHEDULE_HKDF;
        ck_assert_ptr_null(schedule_check(&schedule));
        schedule.key_bits = 192;
        ck_assert_ptr_nonnull(strstr(schedule_check(&schedule), "key-bits"));
        schedule.key_bits = 256;
        schedule.salt_len = 257;
        ck_assert_ptr_nonnull(strstr(schedule_check(&schedule), "salt"));
}
END_TEST

START_TEST(every_preset_is_whole) {
        const Preset *preset;

        for (size_t i = 0; (preset = preset_at(i)); i++) {
                Schedule schedule;
                SessionConfig config;

                preset_schedule(preset, &schedule);
                preset_session_config(preset, &config);
                ck_assert_ptr_null(schedule_check(&schedule));
                ck_assert_ptr_eq(preset_find(preset->name), preset);
                ck_assert_uint_ge(config.ring_size, 1);
                ck_assert_uint_le(config.ring_size, SESSION_RING_MAX);
        }
        ck_assert_ptr_null(preset_find("nothing"));
}
END_TEST

RUN_TESTS("schedule", livekit_chains_are_the_peers, realtimekit_chains_are_the_peers, bounds_are_named,
          every_preset_is_whole)
