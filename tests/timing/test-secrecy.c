/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys of every format, from import to frames, where valgrind takes each byte of a key for undefined: it tells of every
 * branch and every address that depends on one. What may be known is declared so where it leaves the cryptography: a
 * tag, ciphertext, and whether a comparison held, by wrappers that the linker puts in. Runs through test-secrecy.sh.
 */
#include "tests/unit/keyplane-fixture.h"
#include "tests/unit/runner.h"

#include "keys/ledger.h"
#include "keys/plane-internal.h"

#include <gcrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

#define SECRET_LEN 16u
#define PUBLIC(x)  ((void)VALGRIND_MAKE_MEM_DEFINED(&(x), sizeof(x)))

bool __real_secret_bytes_equal(const void *a, const void *b, size_t len);
bool __wrap_secret_bytes_equal(const void *a, const void *b, size_t len);
bool __wrap_secret_bytes_equal(const void *a, const void *b, size_t len) {
        bool equal = __real_secret_bytes_equal(a, b, len);

        PUBLIC(equal);
        return equal;
}

gcry_error_t __real_gcry_cipher_checktag(gcry_cipher_hd_t handle, const void *tag, size_t len);
gcry_error_t __wrap_gcry_cipher_checktag(gcry_cipher_hd_t handle, const void *tag, size_t len);
gcry_error_t __wrap_gcry_cipher_checktag(gcry_cipher_hd_t handle, const void *tag, size_t len) {
        gcry_error_t error = __real_gcry_cipher_checktag(handle, tag, len);

        PUBLIC(error);
        return error;
}

gcry_error_t __real_gcry_mac_verify(gcry_mac_hd_t handle, const void *tag, size_t len);
gcry_error_t __wrap_gcry_mac_verify(gcry_mac_hd_t handle, const void *tag, size_t len);
gcry_error_t __wrap_gcry_mac_verify(gcry_mac_hd_t handle, const void *tag, size_t len) {
        gcry_error_t error = __real_gcry_mac_verify(handle, tag, len);

        PUBLIC(error);
        return error;
}

gcry_error_t __real_gcry_cipher_gettag(gcry_cipher_hd_t handle, void *tag, size_t len);
gcry_error_t __wrap_gcry_cipher_gettag(gcry_cipher_hd_t handle, void *tag, size_t len);
gcry_error_t __wrap_gcry_cipher_gettag(gcry_cipher_hd_t handle, void *tag, size_t len) {
        gcry_error_t error = __real_gcry_cipher_gettag(handle, tag, len);

        (void)VALGRIND_MAKE_MEM_DEFINED(tag, len);
        return error;
}

gcry_error_t __real_gcry_cipher_encrypt(gcry_cipher_hd_t handle, void *out, size_t out_len, const void *in, size_t len);
gcry_error_t __wrap_gcry_cipher_encrypt(gcry_cipher_hd_t handle, void *out, size_t out_len, const void *in, size_t len);
gcry_error_t __wrap_gcry_cipher_encrypt(gcry_cipher_hd_t handle, void *out, size_t out_len, const void *in,
                                        size_t len) {
        gcry_error_t error = __real_gcry_cipher_encrypt(handle, out, out_len, in, len);

        (void)VALGRIND_MAKE_MEM_DEFINED(out, len);
        return error;
}

/* ---- a call whose keys are undefined ---- */

typedef struct Call {
        Plane *plane;
        Ledger *ledger;
        Session *sending, *receiving;
        uint32_t sender, receiver;
        FrameGrant *seal, *open;
} Call;

static void import_secret(Call *call, Session *session, uint32_t participant, const char *preset, uint32_t index) {
        Waited waited = { false };
        Schedule schedule;
        Secret *secret;

        schedule_quick(&schedule, preset);
        schedule.iterations = 2;
        ck_assert_int_eq(secret_new(&secret, SECRET_LEN), 0);
        memset(secret->bytes, 0x40 + (int)index, SECRET_LEN);
        (void)VALGRIND_MAKE_MEM_UNDEFINED(secret->bytes, SECRET_LEN);
        ck_assert_int_eq(session_import(session, participant, index, secret, &schedule, 0, waited_done, &waited), 0);
        await(call->plane, &waited);
        ck_assert_int_eq(waited.result, 0);
}

static void call_open(Call *call, const char *preset) {
        static int channel;
        char directory[] = "/tmp/framekeyd-test-XXXXXX";
        SessionConfig config;

        *call = (Call){ .plane = plane_start() };
        ck_assert_ptr_nonnull(mkdtemp(directory));
        ck_assert_int_eq(ledger_open(&call->ledger, directory, directory), 0);
        plane_set_ledger(call->plane, call->ledger);
        preset_session_config(preset_find(preset), &config);
        config.shared = false;
        ck_assert_int_eq(session_new(&call->sending, call->plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_new(&call->receiving, call->plane, &config, NULL, NULL), 0);
        ck_assert_int_eq(session_add_participant(call->sending, true, &call->sender), 0);
        ck_assert_int_eq(session_add_participant(call->receiving, false, &call->receiver), 0);
        ck_assert_int_eq(frame_grant_new(&call->seal, call->sending, &channel, 0, call->sender, FRAMEKEY_ENCRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
        ck_assert_int_eq(frame_grant_new(&call->open, call->receiving, &channel, 1, call->receiver, FRAMEKEY_DECRYPT,
                                         FRAMEKEY_MEDIA_AUDIO),
                         0);
}

static void call_close(Call *call) {
        frame_grant_free(call->seal);
        frame_grant_free(call->open);
        session_free(call->sending);
        session_free(call->receiving);
        plane_free(call->plane);
        ledger_close(call->ledger);
}

/* One frame, and the same one with a bent tag before it. */
static void pass(Call *call) {
        Frame plain = { .len = 60 }, sealed, bent, opened;

        for (size_t i = 0; i < plain.len; i++)
                plain.bytes[i] = (uint8_t)(i + 1);
        ck_assert_int_eq(process(call->seal, call->sending, &plain, 1, &sealed).verdict, 0);
        (void)VALGRIND_MAKE_MEM_DEFINED(sealed.bytes, sealed.len);
        bent = sealed;
        bent.bytes[30] ^= 1;
        ck_assert_int_ne(process(call->open, call->receiving, &bent, 1, &opened).verdict, 0);
        ck_assert_int_eq(process(call->open, call->receiving, &sealed, 1, &opened).verdict, 0);
        ck_assert_uint_eq(opened.len, plain.len);
        (void)VALGRIND_MAKE_MEM_DEFINED(opened.bytes, opened.len);
        ck_assert_int_eq(memcmp(opened.bytes, plain.bytes, plain.len), 0);
}

static void live(const char *preset, bool steps) {
        Call call;

        call_open(&call, preset);
        import_secret(&call, call.sending, call.sender, preset, 0);
        import_secret(&call, call.receiving, call.receiver, preset, 0);
        pass(&call);
        if (steps) {
                settle_look_ahead(call.plane);
                ratchet(call.plane, call.sending, call.sender, 1);
                pass(&call);
        }
        /* The same key once more is found by its name where it has one. */
        import_secret(&call, call.receiving, call.receiver, preset, 0);
        call_close(&call);
}

START_TEST(equal_bytes_are_compared_without_branches) {
        uint8_t a[33], b[33];

        for (size_t len = 0; len <= sizeof(a); len++)
                for (size_t at = 0; at <= len; at++) {
                        memset(a, 7, sizeof(a));
                        memset(b, 7, sizeof(b));
                        if (at < len)
                                b[at] ^= 0x80;
                        (void)VALGRIND_MAKE_MEM_UNDEFINED(a, sizeof(a));
                        ck_assert(secret_bytes_equal(a, b, len) == (at == len));
                }
}
END_TEST

START_TEST(trailer_frames_depend_on_no_key) {
        live("livekit", true);
        live("livekit-bytes", true);
        live("jitsi", true);
}
END_TEST

START_TEST(counted_frames_depend_on_no_key) {
        live("sframe", false);
        live("dave", false);
}
END_TEST

RUN_TESTS("secrecy", equal_bytes_are_compared_without_branches, trailer_frames_depend_on_no_key,
          counted_frames_depend_on_no_key)
