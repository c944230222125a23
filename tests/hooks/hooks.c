/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replaces daemon/util/entropy.o and clock.o in tests/framekeyd-hooked, and nowhere else: IVs can be
 * pinned by a test. It defines every symbol of both objects, so the linker takes neither from the
 * library.
 */
#include "tests/hooks/pins.h"
#include "util/clock.h"
#include "util/entropy.h"
#include "util/util.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

/* Not static, so that nm can show where it is and where it is not. */
Pins *framekeyd_pins_map(void);

static Pins *pins;
static pthread_once_t pins_once = PTHREAD_ONCE_INIT;

static void map_once(void) {
        const char *path = getenv(PINS_ENVIRONMENT);
        _cleanup_close_ int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -EBADF;
        void *map;

        if (fd < 0)
                return;
        map = mmap(NULL, sizeof(Pins), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return;
        pins = map;
}

Pins *framekeyd_pins_map(void) {
        (void)pthread_once(&pins_once, map_once);
        return pins && pins->magic == PINS_MAGIC ? pins : NULL;
}

void entropy_fill(void *bytes, size_t len) {
        if (len > ENTROPY_MAX || getrandom(bytes, len, 0) != (ssize_t)len)
                abort();
}

void entropy_fill_ivs(uint8_t *ivs, size_t n) {
        Pins *p = framekeyd_pins_map();

        entropy_fill(ivs, n * 12);
        for (size_t i = 0; p && i < n; i++) {
                uint32_t used = atomic_load(&p->n_used);

                /* Two data threads may ask at once; nobody gets an IV twice, or one from behind the last. */
                do {
                        if (used >= atomic_load(&p->n_armed) || used >= PINS_MAX)
                                return;
                } while (!atomic_compare_exchange_weak(&p->n_used, &used, used + 1));
                memcpy(ivs + 12 * i, p->iv[used], 12);
        }
}

uint64_t clock_boottime_usec(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_BOOTTIME, &t);
        return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / NSEC_PER_USEC;
}
