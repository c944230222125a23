/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit tests of crypto/kdf. Vectors: RFC 5869, appendix A; RFC 7914, section 11; the inputs of RFC 6070
 * with SHA-256; and, where no document has the case, values from OpenSSL.
 */
#include "crypto/kdf.h"

#include "crypto/arena.h"
#include "crypto/secret.h"

#include <check.h>

static void setup(void) {
        Arena *arena = NULL;

        if (arena_installed()) /* without fork, from the case before */
                return;
        ck_assert_int_eq(arena_new(&arena, 1024 * 1024, ARENA_PROTECTION_SECRETMEM), 0);
        ck_assert_int_eq(arena_install(arena), 0);
}

static size_t unhex(const char *hex, uint8_t *bytes, size_t size) {
        size_t len = strlen(hex) / 2;

        ck_assert_uint_le(len, size);
        for (size_t i = 0; i < len; i++) {
                const char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };

                bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
        return len;
}

typedef struct HkdfVector {
        KdfHash hash;
        const char *ikm, *salt, *info, *okm;
} HkdfVector;

static const HkdfVector hkdf_vectors[] = {
        /* RFC 5869, A.1 */
        {
                KDF_SHA256,
                "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
                "000102030405060708090a0b0c",
                "f0f1f2f3f4f5f6f7f8f9",
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        },
        /* RFC 5869, A.2 */
        {
                KDF_SHA256,
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
                "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
                "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
                "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
                "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        },
        /* RFC 5869, A.3 */
        {
                KDF_SHA256,
                "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
                "",
                "",
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        },
        /* inputs of A.1 with SHA-512, by OpenSSL */
        {
                KDF_SHA512,
                "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
                "000102030405060708090a0b0c",
                "f0f1f2f3f4f5f6f7f8f9",
                "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb",
        },
        /* inputs of A.2 with SHA-512, by OpenSSL */
        {
                KDF_SHA512,
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
                "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
                "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
                "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
                "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
                "ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1b695b48cbd1c8388441137b3ce28f16a"
                "a64ba33ba466b24df6cfcb021ecff235f6a2056ce3af1de44d572097a8505d9e7a9354e5796284151c2dd39c39b3cd3d"
                "8e50fcc383ebdec37476e03b721ef5efef873c281f018b8ca42e1245b2271f871ba6",
        },
        /* no input keying material, by Python's hmac */
        {
                KDF_SHA256,
                "",
                "000102030405060708090a0b0c",
                "f0f1f2f3f4f5f6f7f8f9",
                "4dd449ba1911c57d79603e7e902452f79601b5e4d7b235ce0e11a7789a17766099725013cd1c97a52d0391db1ce410d7"
                "a2cdcb883a278cdcaf5e6d5e910f2217",
        },
};

START_TEST(hkdf_meets_the_vectors) {
        const HkdfVector *v = &hkdf_vectors[_i];
        uint8_t ikm[80], salt[80], info[80], want[130], out[131], prk[64];
        size_t ikm_len = unhex(v->ikm, ikm, sizeof(ikm)), salt_len = unhex(v->salt, salt, sizeof(salt));
        size_t info_len = unhex(v->info, info, sizeof(info)), len = unhex(v->okm, want, sizeof(want));
        size_t prk_len = kdf_hash_len(v->hash);

        /* Every shorter output is a prefix; nothing is written after it. */
        for (size_t n = 0; n <= len; n++) {
                memset(out, 0xEE, sizeof(out));
                ck_assert_int_eq(kdf_hkdf(v->hash, ikm, ikm_len, salt, salt_len, info, info_len, out, n), 0);
                ck_assert_int_eq(memcmp(out, want, n), 0);
                ck_assert_int_eq(out[n], 0xEE);
        }
        ck_assert_int_eq(kdf_hkdf_extract(v->hash, salt, salt_len, ikm, ikm_len, prk), 0);
        memset(out, 0, sizeof(out));
        ck_assert_int_eq(kdf_hkdf_expand(v->hash, prk, prk_len, info, info_len, out, len), 0);
        ck_assert_int_eq(memcmp(out, want, len), 0);
        ck_assert_uint_eq(arena_in_use(arena_installed()), 0);
}
END_TEST

START_TEST(hkdf_empty_salt_is_zeros) {
        static const uint8_t zeros[64];
        uint8_t a[64], b[64];

        for (int hash = KDF_SHA256; hash <= KDF_SHA512; hash++) {
                size_t len = kdf_hash_len((KdfHash)hash);

                ck_assert_int_eq(kdf_hkdf_extract((KdfHash)hash, NULL, 0, "ikm", 3, a), 0);
                ck_assert_int_eq(kdf_hkdf_extract((KdfHash)hash, zeros, len, "ikm", 3, b), 0);
                ck_assert_mem_eq(a, b, len);
        }
}
END_TEST

START_TEST(hkdf_extract_of_rfc_5869_a1) {
        uint8_t ikm[22], salt[13], prk[32], want[32];

        memset(ikm, 0x0b, sizeof(ikm));
        unhex("000102030405060708090a0b0c", salt, sizeof(salt));
        unhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", want, sizeof(want));
        ck_assert_int_eq(kdf_hkdf_extract(KDF_SHA256, salt, sizeof(salt), ikm, sizeof(ikm), prk), 0);
        ck_assert_mem_eq(prk, want, sizeof(want));
}
END_TEST

START_TEST(hkdf_expands_up_to_255_blocks_and_no_more) {
        static uint8_t out[255 * 64 + 1];
        uint8_t ikm[32], digest[32], want[32];

        for (size_t i = 0; i < sizeof(ikm); i++)
                ikm[i] = (uint8_t)i;
        ck_assert_int_eq(kdf_hkdf(KDF_SHA256, ikm, 32, ikm, 8, "info", 4, out, (size_t)255 * 32), 0);
        ck_assert_int_eq(kdf_sha256(out, (size_t)255 * 32, digest), 0);
        unhex("bf38d5b8fbf4bd6b299aa802623749bfed3ac073136a4bf1dba1b2fa6a440a0d", want, sizeof(want));
        ck_assert_mem_eq(digest, want, sizeof(want));
        ck_assert_int_eq(kdf_hkdf(KDF_SHA256, ikm, 32, ikm, 8, "info", 4, out, (size_t)255 * 32 + 1), -EINVAL);
        ck_assert_int_eq(kdf_hkdf_expand(KDF_SHA512, ikm, 32, "info", 4, out, sizeof(out)), -EINVAL);
        ck_assert_int_eq(kdf_hkdf_expand(KDF_SHA512, ikm, 32, "info", 4, out, sizeof(out) - 1), 0);
}
END_TEST

typedef struct Pbkdf2Vector {
        const char *password, *salt;
        uint32_t iterations;
        const char *out;
} Pbkdf2Vector;

static const Pbkdf2Vector pbkdf2_vectors[] = {
        /* RFC 7914, 11 */
        { "passwd", "salt", 1,
          "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
          "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783" },
        { "Password", "NaCl", 80000,
          "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
          "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d" },
        /* RFC 6070's inputs */
        { "password", "salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a" },
        { "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
          "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e9" },
        /* An empty password, an empty salt, both; a password longer than a block. By OpenSSL. */
        { "", "salt", 2, "62384466264daadc4144018c6bd864648272b34da8980d31521ffcce92ae003b" },
        { "password", "", 3, "02048ce01cff51053aa4002a47f6ce3d1e123a76a6b178a8790d8b7c0906360683304e3132be4233" },
        { "", "", 1, "f7ce0b653d2d72a4108cf5abe912ffdd777616dbbb27a70e8204f3ae2d0f6fad" },
        { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
          "salt", 3, "59bfa49750dd5462ce38370a1e7abe0736ff334c" },
};

START_TEST(pbkdf2_meets_the_vectors) {
        const Pbkdf2Vector *v = &pbkdf2_vectors[_i];
        uint8_t want[64], out[65];
        size_t len = unhex(v->out, want, sizeof(want));

        memset(out, 0xEE, sizeof(out));
        ck_assert_int_eq(
                kdf_pbkdf2_sha256(v->password, strlen(v->password), v->salt, strlen(v->salt), v->iterations, out, len),
                0);
        ck_assert_mem_eq(out, want, len);
        ck_assert_int_eq(out[len], 0xEE);
        ck_assert_uint_eq(arena_in_use(arena_installed()), 0);
}
END_TEST

START_TEST(pbkdf2_takes_binary_inputs_in_the_arena) {
        _cleanup_(secret_free_p) Secret *password = NULL, *key = NULL;
        uint8_t salt[8], want[16];

        ck_assert_int_eq(secret_new(&password, 16), 0);
        ck_assert_int_eq(secret_new(&key, 16), 0);
        for (size_t i = 0; i < 16; i++)
                password->bytes[i] = (uint8_t)i;
        for (size_t i = 0; i < 8; i++)
                salt[i] = (uint8_t)i;
        ck_assert_int_eq(kdf_pbkdf2_sha256(password->bytes, 16, salt, 8, 100000, key->bytes, 16), 0);
        unhex("a658cd52efbacadfecdfe0a0dc574ec3", want, sizeof(want));
        ck_assert_mem_eq(key->bytes, want, sizeof(want));
}
END_TEST

START_TEST(pbkdf2_empty_password_may_be_null) {
        uint8_t a[32], b[32];

        ck_assert_int_eq(kdf_pbkdf2_sha256(NULL, 0, "salt", 4, 2, a, sizeof(a)), 0);
        ck_assert_int_eq(kdf_pbkdf2_sha256("", 0, "salt", 4, 2, b, sizeof(b)), 0);
        ck_assert_mem_eq(a, b, sizeof(a));
        ck_assert_int_eq(kdf_pbkdf2_sha256(NULL, 0, NULL, 0, 1, a, sizeof(a)), 0);
}
END_TEST

START_TEST(pbkdf2_refuses_no_iterations_and_no_output) {
        uint8_t out[32];

        ck_assert_int_eq(kdf_pbkdf2_sha256("p", 1, "salt", 4, 0, out, sizeof(out)), -EINVAL);
        ck_assert_int_eq(kdf_pbkdf2_sha256("p", 1, "salt", 4, 1, out, 0), -EINVAL);
        ck_assert_int_eq(kdf_pbkdf2_sha256("p", 1, "", 0, 0, out, sizeof(out)), -EINVAL);
}
END_TEST

START_TEST(sha256_of_public_bytes) {
        uint8_t digest[32], want[32];

        unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", want, sizeof(want));
        ck_assert_int_eq(kdf_sha256("abc", 3, digest), 0);
        ck_assert_mem_eq(digest, want, sizeof(want));
        unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", want, sizeof(want));
        ck_assert_int_eq(kdf_sha256(NULL, 0, digest), 0);
        ck_assert_mem_eq(digest, want, sizeof(want));
}
END_TEST

/* However little room there is: an error or the right result, never a wrong one, never the end of
 * the process, and nothing stays behind. */
START_TEST(scarce_memory_is_an_error_or_makes_no_difference) {
        Arena *arena = arena_installed();
        static void *blocks[1024 * 1024 / 64];
        uint8_t want[2][32], out[32];
        size_t n = 0;
        int refused = 0;

        ck_assert_int_eq(kdf_pbkdf2_sha256("p", 1, "salt", 4, 5, want[0], 32), 0);
        ck_assert_int_eq(kdf_hkdf(KDF_SHA512, "p", 1, "salt", 4, "i", 1, want[1], 32), 0);
        while ((blocks[n] = arena_alloc(arena, 64)) != NULL)
                n++;
        while (n > 0) {
                int r = kdf_pbkdf2_sha256("p", 1, "salt", 4, 5, out, 32);

                ck_assert(r == 0 || r == -ENOMEM);
                ck_assert(r != 0 || memcmp(out, want[0], 32) == 0);
                refused += r != 0;
                r = kdf_hkdf(KDF_SHA512, "p", 1, "salt", 4, "i", 1, out, 32);
                ck_assert(r == 0 || r == -ENOMEM);
                ck_assert(r != 0 || memcmp(out, want[1], 32) == 0);
                refused += r != 0;
                r = kdf_pbkdf2_sha256("p", 1, "", 0, 5, out, 32);
                ck_assert(r == 0 || r == -ENOMEM);
                ck_assert_uint_eq(arena_in_use(arena), n * 64);
                arena_release(arena, blocks[--n]);
        }
        ck_assert_int_gt(refused, 64);
        ck_assert_int_eq(kdf_pbkdf2_sha256("p", 1, "salt", 4, 5, out, 32), 0);
}
END_TEST

int main(void) {
        Suite *suite = suite_create("kdf");
        TCase *tcase = tcase_create("kdf");
        SRunner *runner = srunner_create(suite);
        int failed;

        tcase_set_timeout(tcase, 120);
        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_loop_test(tcase, hkdf_meets_the_vectors, 0, ELEMENTS(hkdf_vectors));
        tcase_add_test(tcase, hkdf_empty_salt_is_zeros);
        tcase_add_test(tcase, hkdf_extract_of_rfc_5869_a1);
        tcase_add_test(tcase, hkdf_expands_up_to_255_blocks_and_no_more);
        tcase_add_loop_test(tcase, pbkdf2_meets_the_vectors, 0, ELEMENTS(pbkdf2_vectors));
        tcase_add_test(tcase, pbkdf2_takes_binary_inputs_in_the_arena);
        tcase_add_test(tcase, pbkdf2_empty_password_may_be_null);
        tcase_add_test(tcase, pbkdf2_refuses_no_iterations_and_no_output);
        tcase_add_test(tcase, sha256_of_public_bytes);
        tcase_add_test(tcase, scarce_memory_is_an_error_or_makes_no_difference);
        suite_add_tcase(suite, tcase);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
