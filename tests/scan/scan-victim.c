/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan-victim [--locked] [--kdf=pbkdf2|hkdf] [--key-bits=N] [--steps=N] [--salt=TEXT]: what memory scans are tried
 * on. It does with keys what the daemon does, by the daemon's crypto layer alone: takes a passphrase from
 * descriptor 3, derives, ratchets, keeps GCM handles, encrypts in two threads, derives again and again in a third.
 *
 * Says "ready" and the kind of protection on standard output, ends when standard input does. The passphrase is read
 * straight into the arena; nothing here keeps a copy, so whatever a scan finds was left by the crypto layer.
 */
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/secret.h"
#include "util/entropy.h"

#include <assert.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define SECRET_FD    3
#define STEPS_MAX    16u
#define N_SENDERS    2u
#define MATERIAL_LEN 32u
#define ITERATIONS   100000u
#define FRAME_LEN    1200u

typedef struct Victim {
        Secret *secret;
        const char *salt;
        bool hkdf;
        size_t key_len, n_steps;
        Secret *materials[STEPS_MAX + 1];
        Aead *handles[N_SENDERS][STEPS_MAX + 1];
        atomic_bool stop;
        atomic_bool failed;
} Victim;

typedef struct Sender {
        Victim *victim;
        size_t number;
} Sender;

static int read_secret(Victim *victim) {
        _cleanup_(secret_free_p) Secret *secret = NULL;
        size_t len = 0;
        ssize_t n;
        int r;

        r = secret_new(&secret, SECRET_MAX);
        if (r < 0)
                return r;
        while ((n = read(SECRET_FD, secret->bytes + len, SECRET_MAX - len)) > 0)
                len += (size_t)n;
        if (n < 0)
                return -errno;
        return secret_new_copy(&victim->secret, secret->bytes, len);
}

static int derive(const Victim *victim, const Secret *from, Secret **ret) {
        _cleanup_(secret_free_p) Secret *to = NULL;
        size_t salt_len = strlen(victim->salt);
        int r;

        assert(from);
        r = secret_new(&to, MATERIAL_LEN);
        if (r < 0)
                return r;
        if (victim->hkdf)
                r = kdf_hkdf(KDF_SHA256, from->bytes, from->len, victim->salt, salt_len, NULL, 0, to->bytes, to->len);
        else
                r = kdf_pbkdf2_sha256(from->bytes, from->len, victim->salt, salt_len, ITERATIONS, to->bytes, to->len);
        if (r < 0)
                return r;
        *ret = take_ptr(to);
        return 0;
}

/* materials[i] holds the key of step i in its first bytes and is, whole, the material of step i + 1. */
static int make_keys(Victim *victim) {
        const Secret *from = victim->secret;
        int r;

        for (size_t step = 0; step <= victim->n_steps; step++) {
                r = derive(victim, from, &victim->materials[step]);
                for (size_t i = 0; i < N_SENDERS && r == 0; i++)
                        r = aead_new(&victim->handles[i][step], victim->materials[step]->bytes, victim->key_len);
                if (r < 0)
                        return r;
                from = victim->materials[step];
        }
        return 0;
}

static void *send_frames(void *userdata) {
        const Sender *sender = userdata;
        Victim *victim = sender->victim;
        uint8_t frame[FRAME_LEN], sealed[FRAME_LEN], back[FRAME_LEN], tag[AEAD_TAG_LEN], iv[AEAD_IV_LEN];

        memset(frame, 0x5a, sizeof(frame));
        for (size_t i = 0; !atomic_load(&victim->stop); i++) {
                size_t step = i % (victim->n_steps + 1), len = 1 + i % FRAME_LEN;
                Aead *handle = victim->handles[sender->number][step];

                entropy_fill(iv, sizeof(iv));
                if (aead_seal(handle, iv, "aad", 3, frame, len, sealed, tag) != 0 ||
                    aead_open(handle, iv, "aad", 3, sealed, len, back, tag) != 0 || memcmp(frame, back, len) != 0)
                        atomic_store(&victim->failed, true);
                if (i % 64 == 0 && aead_rekey(handle, victim->materials[step]->bytes, victim->key_len) != 0)
                        atomic_store(&victim->failed, true);
        }
        return NULL;
}

static void *derive_keys(void *userdata) {
        Victim *victim = userdata;

        for (size_t i = 0; !atomic_load(&victim->stop); i++) {
                size_t step = i % (victim->n_steps + 1);
                _cleanup_(secret_free_p) Secret *again = NULL;

                if (derive(victim, step == 0 ? victim->secret : victim->materials[step - 1], &again) < 0 ||
                    !secret_equal(again, victim->materials[step]))
                        atomic_store(&victim->failed, true);
        }
        return NULL;
}

static int work(Victim *victim) {
        Sender senders[N_SENDERS];
        pthread_t threads[N_SENDERS + 1];
        char byte;

        for (size_t i = 0; i < N_SENDERS; i++) {
                senders[i] = (Sender){ victim, i };
                if (pthread_create(&threads[i], NULL, send_frames, &senders[i]) != 0)
                        return -EAGAIN;
        }
        if (pthread_create(&threads[N_SENDERS], NULL, derive_keys, victim) != 0)
                return -EAGAIN;
        (void)printf("ready %s\n", arena_protection_name(arena_protection(arena_installed())));
        if (fflush(stdout) != 0)
                return -EIO;
        while (read(STDIN_FILENO, &byte, 1) > 0)
                ;
        atomic_store(&victim->stop, true);
        for (size_t i = 0; i < ELEMENTS(threads); i++)
                if (pthread_join(threads[i], NULL) != 0)
                        return -EINVAL;
        return atomic_load(&victim->failed) ? -EIO : 0;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "locked", no_argument, NULL, 'l' },         { "kdf", required_argument, NULL, 'k' },
                { "key-bits", required_argument, NULL, 'b' }, { "steps", required_argument, NULL, 'n' },
                { "salt", required_argument, NULL, 's' },     { 0 }
        };
        static Victim victim = { .salt = "LKFrameEncryptionKey", .key_len = 16, .n_steps = 2 };
        ArenaProtection protection = ARENA_PROTECTION_SECRETMEM;
        Arena *arena = NULL;
        int option, r;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
                if (option == 'l')
                        protection = ARENA_PROTECTION_LOCKED;
                else if (option == 'k')
                        victim.hkdf = strcmp(optarg, "hkdf") == 0;
                else if (option == 'b')
                        victim.key_len = strtoul(optarg, NULL, 10) / 8;
                else if (option == 'n')
                        victim.n_steps = MIN_OF(strtoul(optarg, NULL, 10), STEPS_MAX);
                else if (option == 's')
                        victim.salt = optarg;
                else
                        return 2;
        r = arena_new(&arena, (size_t)1024 * 1024, protection);
        if (r == 0)
                r = arena_install(arena);
        if (r == 0)
                r = read_secret(&victim);
        if (r == 0)
                r = make_keys(&victim);
        if (r == 0)
                r = work(&victim);
        if (r < 0)
                (void)fprintf(stderr, "scan-victim: %s\n", strerror(-r));
        return r < 0 ? 1 : 0; /* the kernel clears what the arena still holds */
}
