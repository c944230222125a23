/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replaces daemon/util/entropy.o, clock.o and counter.o in tests/framekeyd-hooked, and nowhere else:
 * IVs, counters and the clock can be pinned by a test. It defines every symbol of these objects, so the
 * linker takes none of them from the library.
 */
#include "tests/hooks/pins.h"
#include "util/clock.h"
#include "util/counter.h"
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

/* Takes the next of the armed pins. Two data threads may ask at once; nobody gets one twice, or one from behind the
 * last. */
static bool take_pin(_Atomic uint32_t *n_used, _Atomic uint32_t *n_armed, uint32_t *ret) {
        uint32_t used = atomic_load(n_used);

        do {
                if (used >= atomic_load(n_armed) || used >= PINS_MAX)
                        return false;
        } while (!atomic_compare_exchange_weak(n_used, &used, used + 1));
        *ret = used;
        return true;
}

void entropy_fill_ivs(uint8_t *ivs, size_t n) {
        Pins *p = framekeyd_pins_map();

        entropy_fill(ivs, n * 12);
        for (size_t i = 0; p && i < n; i++) {
                uint32_t pin;

                if (!take_pin(&p->n_used, &p->n_armed, &pin))
                        return;
                memcpy(ivs + 12 * i, p->iv[pin], 12);
        }
}

uint64_t counter_take(_Atomic uint64_t *counter) {
        Pins *p = framekeyd_pins_map();
        uint32_t pin;

        if (p && take_pin(&p->n_counters_used, &p->n_counters_armed, &pin))
                atomic_store(counter, p->counter[pin]);
        return atomic_fetch_add(counter, 1);
}

uint64_t clock_boottime_usec(void) {
        Pins *p = framekeyd_pins_map();
        struct timespec t;

        (void)clock_gettime(CLOCK_BOOTTIME, &t);
        return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / NSEC_PER_USEC +
               (p ? atomic_load(&p->clock_offset_usec) : 0);
}
