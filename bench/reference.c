/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The references; see reference.h. */
#include "bench/reference.h"

#include <dirent.h>
#include <gcrypt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_OPENSSL
#include <openssl/evp.h>
#endif

uint64_t now_nsec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pin_one(pid_t tid, int core) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(core, &set);
        (void)sched_setaffinity(tid, sizeof(set), &set);
}

static bool serves_frames(pid_t daemon, pid_t tid) {
        char path[64], name[32] = "";
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)daemon, (int)tid);
        file = fopen(path, "re");
        if (!file)
                return false;
        (void)!fgets(name, sizeof(name), file);
        (void)fclose(file);
        return strcmp(name, "frames\n") == 0;
}

static void pin_threads(pid_t daemon, int frames_core, int other_core) {
        struct dirent *entry;
        char path[64];
        DIR *tasks;

        (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)daemon);
        tasks = opendir(path);
        while (tasks && (entry = readdir(tasks)))
                if (entry->d_name[0] != '.') {
                        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

                        pin_one(tid, serves_frames(daemon, tid) ? frames_core : other_core);
                }
        if (tasks)
                (void)closedir(tasks);
}

void pin(pid_t daemon, int daemon_core, int own_core) {
        pin_threads(daemon, daemon_core, daemon_core);
        pin_one(0, own_core);
}

void pin_planes(pid_t daemon) {
        pin_threads(daemon, 0, 1);
        pin_one(0, 0);
}

static int by_value(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

double eventfd_round_trip(unsigned n) {
        int there = eventfd(0, EFD_CLOEXEC), back = eventfd(0, EFD_CLOEXEC);
        uint64_t *times = calloc(n, sizeof(*times));
        eventfd_t value;
        double result;
        pid_t child;

        child = fork();
        if (child == 0) {
                for (unsigned i = 0; i < n; i++)
                        if (eventfd_read(there, &value) < 0 || eventfd_write(back, 1) < 0)
                                _exit(1);
                _exit(0);
        }
        for (unsigned i = 0; i < n; i++) {
                uint64_t t0 = now_nsec();

                if (eventfd_write(there, 1) < 0 || eventfd_read(back, &value) < 0)
                        abort();
                times[i] = now_nsec() - t0;
        }
        (void)waitpid(child, NULL, 0);
        (void)close(there);
        (void)close(back);
        qsort(times, n, sizeof(*times), by_value);
        n /= 2;
        result = (double)times[n];
        free(times);
        return result;
}

static void random_iv(uint8_t iv[12]) {
        if (getrandom(iv, 12, 0) != 12)
                abort();
}

double libgcrypt_seal(size_t size, unsigned n) {
        uint8_t *text = calloc(1, size), iv[12], tag[16];
        gcry_cipher_hd_t handle;
        uint64_t t0;
        double result;

        (void)gcry_check_version(NULL);
        if (gcry_cipher_open(&handle, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM, 0) != 0 ||
            gcry_cipher_setkey(handle, "0123456789abcdef", 16) != 0)
                abort();
        t0 = now_nsec();
        for (unsigned i = 0; i < n; i++) {
                random_iv(iv);
                if (gcry_cipher_setiv(handle, iv, sizeof(iv)) != 0 ||
                    gcry_cipher_encrypt(handle, text, size, NULL, 0) != 0 ||
                    gcry_cipher_gettag(handle, tag, sizeof(tag)) != 0)
                        abort();
        }
        result = (double)(now_nsec() - t0) / n;
        gcry_cipher_close(handle);
        free(text);
        return result;
}

#ifdef HAVE_OPENSSL
double openssl_seal(size_t size, unsigned n) {
        uint8_t *text = calloc(1, size), iv[12], tag[16];
        EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        uint64_t t0;
        double result;
        int len;

        if (EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, (const uint8_t *)"0123456789abcdef", NULL) != 1)
                abort();
        t0 = now_nsec();
        for (unsigned i = 0; i < n; i++) {
                random_iv(iv);
                if (EVP_EncryptInit_ex(context, NULL, NULL, NULL, iv) != 1 ||
                    EVP_EncryptUpdate(context, text, &len, text, (int)size) != 1 ||
                    EVP_EncryptFinal_ex(context, text + len, &len) != 1 ||
                    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, sizeof(tag), tag) != 1)
                        abort();
        }
        result = (double)(now_nsec() - t0) / n;
        EVP_CIPHER_CTX_free(context);
        free(text);
        return result;
}
#endif
