/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key-patterns [OPTION]...: reads a passphrase or byte key from standard input and prints what an
 * attacker who wants it would search memory for, as lines "LABEL HEX" for scan-memory.
 *
 * For each step: the material (the passphrase itself at step 0), the AES key, all AES round keys, the
 * GHASH key, and of each HMAC key its padded blocks and the two SHA-256 states that stand for it.
 * Long things are cut in pieces of 16 bytes, since a vector register is what a spill leaves. Derives by
 * plain libgcrypt, shares no code with the daemon. For test keys only: everything lies about in memory.
 */
#include "util/util.h"

#include <gcrypt.h>
#include <getopt.h>
#include <stdio.h>

#define PIECE        16u
#define SECRET_LEN   4096u
#define MATERIAL_LEN 32u
#define BLOCK_LEN    64u /* of SHA-256 */
#define DIGEST_LEN   32u
#define N_ROUNDS_MAX 14u
#define OPTION_LEN   256u

typedef struct Options {
        const char *kdf; /* "pbkdf2", "hkdf", or "raw": the input is the AES key */
        uint8_t salt[OPTION_LEN], ratchet_salt[OPTION_LEN];
        size_t salt_len, ratchet_salt_len, info_zeros;
        unsigned long iterations, key_bits, steps;
} Options;

static void check_gcry(gcry_error_t error) {
        if (!error)
                return;
        (void)fprintf(stderr, "key-patterns: %s\n", gcry_strerror(error));
        exit(2);
}

static void print_one(const char *label, unsigned long step, const char *part, const uint8_t *bytes, size_t len) {
        (void)printf("%s.%lu%s ", label, step, part);
        for (size_t i = 0; i < len; i++)
                (void)printf("%02x", bytes[i]);
        putchar('\n');
}

static bool is_constant(const uint8_t *bytes, size_t len) {
        for (size_t i = 1; i < len; i++)
                if (bytes[i] != bytes[0])
                        return false;
        return true;
}

/* Pieces of 16 bytes; a rest is covered by a piece that overlaps. Padding says nothing, so constant
 * pieces are left out. What is shorter than 16 bytes is printed as it is. */
static void print_pieces(const char *label, unsigned long step, const uint8_t *bytes, size_t len) {
        char part[32];

        if (len > 0 && len < PIECE)
                print_one(label, step, "", bytes, len);
        for (size_t at = 0; len >= PIECE && at < len; at += PIECE) {
                size_t from = MIN_OF(at, len - PIECE);

                (void)snprintf(part, sizeof(part), "+%zu", from);
                if (!is_constant(bytes + from, PIECE))
                        print_one(label, step, part, bytes + from, PIECE);
        }
}

/* The same with the bytes of each 32-bit word turned round, as code for the other byte order keeps it. */
static void print_both_orders(const char *label, unsigned long step, const uint8_t *bytes, size_t len) {
        uint8_t turned[BLOCK_LEN];
        char turned_label[80];

        print_pieces(label, step, bytes, len);
        for (size_t i = 0; i < len; i++)
                turned[i] = bytes[i ^ 3];
        (void)snprintf(turned_label, sizeof(turned_label), "%s-turned", label);
        print_pieces(turned_label, step, turned, len);
}

static uint8_t xtime(uint8_t a) {
        return (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
}

static uint8_t multiply(uint8_t a, uint8_t b) {
        uint8_t product = 0;

        for (; b; b >>= 1, a = xtime(a))
                if (b & 1)
                        product ^= a;
        return product;
}

/* S-box of FIPS 197, 5.1.1: the inverse, a^254, then the affine map. */
static uint8_t sub_byte(uint8_t a) {
        uint8_t power = 1;

        for (int i = 0; i < 254; i++)
                power = multiply(power, a);
        return (uint8_t)(power ^ (power << 1 | power >> 7) ^ (power << 2 | power >> 6) ^ (power << 3 | power >> 5) ^
                         (power << 4 | power >> 4) ^ 0x63);
}

/* Key expansion, FIPS 197, 5.2. Returns the number of round keys of 16 bytes. */
static size_t expand_key(const uint8_t *key, size_t key_len, uint8_t *round_keys) {
        size_t n_key = key_len == 16 ? 4 : 8, n_words = 4 * (n_key + 7);
        uint8_t constant = 1;

        memcpy(round_keys, key, key_len);
        for (size_t i = n_key; i < n_words; i++) {
                uint8_t word[4], *to = round_keys + 4 * i;

                memcpy(word, to - 4, sizeof(word));
                if (i % n_key == 0) {
                        uint8_t first = word[0];

                        word[0] = sub_byte(word[1]) ^ constant;
                        word[1] = sub_byte(word[2]);
                        word[2] = sub_byte(word[3]);
                        word[3] = sub_byte(first);
                        constant = xtime(constant);
                } else if (n_key > 6 && i % n_key == 4) {
                        for (size_t k = 0; k < 4; k++)
                                word[k] = sub_byte(word[k]);
                }
                for (size_t k = 0; k < 4; k++)
                        to[k] = to[(ptrdiff_t)k - (ptrdiff_t)key_len] ^ word[k];
        }
        return n_words / 4;
}

/* The form in which code for carry-less multiplication keeps the reversed GHASH key: times x in the
 * reflected field, that is a shift by one bit with reduction (RFC 8452, appendix A). */
static void times_x(uint8_t *bytes) {
        uint8_t carry = bytes[15] >> 7;

        for (size_t i = 15; i > 0; i--)
                bytes[i] = (uint8_t)(bytes[i] << 1 | bytes[i - 1] >> 7);
        bytes[0] = (uint8_t)(bytes[0] << 1 | carry);
        if (carry)
                bytes[15] ^= 0xc2;
}

static void print_aes(unsigned long step, const uint8_t *key, size_t key_len) {
        uint8_t round_keys[(N_ROUNDS_MAX + 1) * 16] = { 0 }, hash_key[16] = { 0 }, reversed[16];
        size_t n = expand_key(key, key_len, round_keys);
        gcry_cipher_hd_t cipher;
        char label[32];

        for (size_t i = 0; i < n; i++) {
                (void)snprintf(label, sizeof(label), "round-key-%zu", i);
                print_both_orders(label, step, round_keys + 16 * i, 16);
        }
        check_gcry(gcry_cipher_open(&cipher, key_len == 16 ? GCRY_CIPHER_AES128 : GCRY_CIPHER_AES256,
                                    GCRY_CIPHER_MODE_ECB, 0));
        check_gcry(gcry_cipher_setkey(cipher, key, key_len));
        check_gcry(gcry_cipher_encrypt(cipher, hash_key, sizeof(hash_key), NULL, 0));
        gcry_cipher_close(cipher);
        for (size_t i = 0; i < sizeof(reversed); i++)
                reversed[i] = hash_key[15 - i];
        print_pieces("ghash-key", step, hash_key, sizeof(hash_key));
        print_pieces("ghash-key-reversed", step, reversed, sizeof(reversed));
        times_x(reversed);
        print_pieces("ghash-key-shifted", step, reversed, sizeof(reversed));
}

static uint32_t rotate(uint32_t x, int n) {
        return x >> n | x << (32 - n);
}

static uint32_t load32(const uint8_t *p) {
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* State of SHA-256 after one block (FIPS 180-4, 6.2.2), which libgcrypt has no call for. */
static void sha256_state(const uint8_t block[BLOCK_LEN], uint8_t state[DIGEST_LEN]) {
        static const uint32_t k[64] = {
                0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
                0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
                0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
                0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
                0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
                0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
                0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
                0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
        };
        static const uint32_t initial[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
        uint32_t w[64], v[8];

        for (size_t i = 0; i < 64; i++)
                w[i] = i < 16 ? load32(block + 4 * i)
                              : w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
                                        (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
        memcpy(v, initial, sizeof(v));
        for (size_t i = 0; i < 64; i++) {
                uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
                              ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
                uint32_t t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
                              ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

                memmove(v + 1, v, 7 * sizeof(*v));
                v[4] += t1;
                v[0] = t1 + t2;
        }
        for (size_t i = 0; i < 32; i++)
                state[i] = (uint8_t)((v[i / 4] + initial[i / 4]) >> (24 - 8 * (i % 4)));
}

static void print_hmac(unsigned long step, const char *name, const uint8_t *key, size_t len) {
        uint8_t padded[BLOCK_LEN] = { 0 }, block[BLOCK_LEN], state[DIGEST_LEN];
        char label[64];

        if (len > BLOCK_LEN) {
                gcry_md_hash_buffer(GCRY_MD_SHA256, padded, key, len);
                (void)snprintf(label, sizeof(label), "%s-hashed", name);
                print_both_orders(label, step, padded, DIGEST_LEN);
        } else if (len > 0) {
                memcpy(padded, key, len);
        }
        for (int outer = 0; outer < 2; outer++) {
                for (size_t i = 0; i < BLOCK_LEN; i++)
                        block[i] = padded[i] ^ (outer ? 0x5c : 0x36);
                (void)snprintf(label, sizeof(label), "%s-%s", name, outer ? "opad" : "ipad");
                print_both_orders(label, step, block, sizeof(block));
                sha256_state(block, state);
                (void)snprintf(label, sizeof(label), "%s-%s-state", name, outer ? "opad" : "ipad");
                print_both_orders(label, step, state, sizeof(state));
        }
}

/* HMAC-SHA256 by libgcrypt of one or two pieces. */
static void hmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, const uint8_t *more,
                 size_t more_len, uint8_t *out) {
        size_t out_len = DIGEST_LEN;
        gcry_mac_hd_t mac;

        check_gcry(gcry_mac_open(&mac, GCRY_MAC_HMAC_SHA256, 0, NULL));
        check_gcry(gcry_mac_setkey(mac, key, key_len));
        check_gcry(gcry_mac_write(mac, data, len));
        check_gcry(gcry_mac_write(mac, more, more_len));
        check_gcry(gcry_mac_read(mac, out, &out_len));
        gcry_mac_close(mac);
}

/* 32 bytes of the step's derivation; its own secrets are printed on the way. */
static void derive(const Options *o, unsigned long step, const uint8_t *material, size_t len, const uint8_t *salt,
                   size_t salt_len, uint8_t *out) {
        uint8_t prk[DIGEST_LEN], info[OPTION_LEN + 1] = { 0 };

        if (strcmp(o->kdf, "pbkdf2") == 0) {
                check_gcry(gcry_kdf_derive(material, len, GCRY_KDF_PBKDF2, GCRY_MD_SHA256, salt, salt_len,
                                           o->iterations, MATERIAL_LEN, out));
                return;
        }
        hmac(salt, salt_len, material, len, NULL, 0, prk);
        info[o->info_zeros] = 1;
        hmac(prk, sizeof(prk), info, o->info_zeros + 1, NULL, 0, out);
        print_both_orders("prk", step, prk, sizeof(prk));
        print_hmac(step, "prk", prk, sizeof(prk));
}

static void print_steps(const Options *o, const uint8_t *secret, size_t len) {
        bool same = o->ratchet_salt_len == 0;
        uint8_t material[SECRET_LEN], key[MATERIAL_LEN];

        memcpy(material, secret, len);
        for (unsigned long step = 0; step <= o->steps; step++) {
                print_pieces(step == 0 ? "secret" : "material", step, material, len);
                if (step > 0) /* and as message words of the hash */
                        print_both_orders("material", step, material, len);
                if (strcmp(o->kdf, "pbkdf2") == 0)
                        print_hmac(step, "material", material, len);
                derive(o, step, material, len, o->salt, o->salt_len, key);
                print_both_orders("key", step, key, o->key_bits / 8);
                print_aes(step, key, o->key_bits / 8);
                if (same)
                        memcpy(material, key, MATERIAL_LEN);
                else
                        derive(o, step, material, len, o->ratchet_salt, o->ratchet_salt_len, material);
                len = MATERIAL_LEN;
        }
}

static size_t text_option(uint8_t *to, const char *text) {
        size_t len = strlen(text);

        if (len > OPTION_LEN) {
                (void)fputs("key-patterns: salts have at most 256 bytes\n", stderr);
                exit(2);
        }
        memcpy(to, text, len); /* NOLINT(bugprone-not-null-terminated-result): bytes, not text */
        return len;
}

static void parse(Options *o, int argc, char **argv) {
        static const struct option options[] = {
                { "kdf", required_argument, NULL, 'k' },          { "salt", required_argument, NULL, 's' },
                { "ratchet-salt", required_argument, NULL, 'r' }, { "info-zeros", required_argument, NULL, 'z' },
                { "iterations", required_argument, NULL, 'i' },   { "key-bits", required_argument, NULL, 'b' },
                { "steps", required_argument, NULL, 'n' },        { 0 }
        };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (option) {
                case 'k':
                        o->kdf = optarg;
                        break;
                case 's':
                        o->salt_len = text_option(o->salt, optarg);
                        break;
                case 'r':
                        o->ratchet_salt_len = text_option(o->ratchet_salt, optarg);
                        break;
                case 'z':
                        o->info_zeros = MIN_OF(strtoul(optarg, NULL, 10), OPTION_LEN);
                        break;
                case 'i':
                        o->iterations = strtoul(optarg, NULL, 10);
                        break;
                case 'b':
                        o->key_bits = strtoul(optarg, NULL, 10);
                        break;
                case 'n':
                        o->steps = strtoul(optarg, NULL, 10);
                        break;
                default:
                        optind = argc + 1; /* to the usage */
                }
        if (optind == argc && (o->key_bits == 128 || o->key_bits == 256) &&
            (strcmp(o->kdf, "pbkdf2") == 0 || strcmp(o->kdf, "hkdf") == 0 || strcmp(o->kdf, "raw") == 0))
                return;
        (void)fputs("usage: key-patterns [--kdf=pbkdf2|hkdf|raw] [--salt=TEXT] [--ratchet-salt=TEXT] [--info-zeros=N]\n"
                    "       [--iterations=N] [--key-bits=128|256] [--steps=N] <SECRET\n",
                    stderr);
        exit(2);
}

int main(int argc, char **argv) {
        Options o = { .kdf = "pbkdf2", .iterations = 100000, .key_bits = 128 };
        uint8_t secret[SECRET_LEN];
        size_t len;

        o.salt_len = text_option(o.salt, "LKFrameEncryptionKey");
        parse(&o, argc, argv);
        gcry_check_version(NULL);
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        len = fread(secret, 1, sizeof(secret), stdin);
        if (strcmp(o.kdf, "raw") != 0) {
                print_steps(&o, secret, len);
        } else if (len == o.key_bits / 8) {
                print_both_orders("key", 0, secret, len);
                print_aes(0, secret, len);
        } else {
                (void)fputs("key-patterns: the length of a raw key must be --key-bits\n", stderr);
                return 2;
        }
        return fflush(stdout) == 0 ? 0 : 2;
}
