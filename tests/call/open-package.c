/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The auditor of wrapped keys, who has a transport key of its own that is always the same:
 *
 *   open-package                     prints its public half in hex
 *   open-package IDENTITY key|next   opens a package for it, from standard input, and writes the AES key of the step it
 *                                    was made at, or the material of the next step, to standard output
 *
 * Only for tests that must know which bytes to look for in other processes' memory.
 */
#include "crypto/arena.h"
#include "keys/wrap.h"

#include <stdio.h>

#define IKM        "what the auditor's transport key is derived from"
#define ARENA_SIZE ((size_t)256 * 1024)

static int fail(const char *what, int r) {
        (void)fprintf(stderr, "open-package: %s: %d\n", what, r);
        return EXIT_FAILURE;
}

static int open_package(const HpkePair *pair, const char *identity, const char *part) {
        const WrapContext context = { .format = FRAMEKEY_FORMAT_LIVEKIT, .identity = identity };
        bool next = strcmp(part, "next") == 0;
        uint8_t package[WRAP_MAX + 1];
        size_t len = fread(package, 1, sizeof(package), stdin), n;
        WrappedKey key;
        int r;

        r = wrap_open(pair, &context, package, len, &key);
        if (r != 0)
                return fail("the package does not open", r);
        n = next ? sizeof(key.secrets->next) : key.schedule.key_bits / 8;
        n -= fwrite(next ? key.secrets->next : key.secrets->key, 1, n, stdout);
        arena_release(arena_installed(), key.secrets);
        return n == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
        _cleanup_(hpke_pair_free_p) HpkePair *pair = NULL;
        Arena *arena;
        int r;

        r = arena_new(&arena, ARENA_SIZE, ARENA_PROTECTION_SECRETMEM);
        if (r == 0)
                r = arena_install(arena);
        if (r == 0)
                r = hpke_pair_derive(&pair, IKM, sizeof(IKM) - 1);
        if (r != 0)
                return fail("no transport key", r);
        if (argc == 3)
                return open_package(pair, argv[1], argv[2]);
        for (size_t i = 0; i < HPKE_KEY_LEN; i++)
                (void)printf("%02x", hpke_pair_public(pair)[i]);
        (void)putchar('\n');
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
