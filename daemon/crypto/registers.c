/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clearing the vector registers. libgcrypt returns with AES round keys in them, memcpy(3) with the
 * bytes it copied; the next thing that saves them to memory writes keys to a stack. Seen: the
 * dynamic linker, which saves all argument registers when a function is bound at its first call (here
 * _dl_allocate_tls, within pthread_create), left ten round keys on the main thread's stack.
 *
 * A file of its own for the machine dependence. Any thread.
 */
#include "crypto/secret.h"

#if defined(__x86_64__)

void wipe_registers(void) {
        /* The compiler is told that xmm0 to 15 change, and with them it counts the wider ones of the same
         * number. It does not use 16 to 31 unless told to build for AVX-512 only. */
#define XMM_0_TO_15                                                                                                    \
        "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",     \
                "xmm13", "xmm14", "xmm15"
        if (__builtin_cpu_supports("avx512f"))
                __asm__ volatile(".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
                                 "vpxord %%zmm\\n, %%zmm\\n, %%zmm\\n\n\t"
                                 ".endr" ::
                                         : "memory");
        if (__builtin_cpu_supports("avx"))
                __asm__ volatile("vzeroall" ::: XMM_0_TO_15);
        else
                __asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
                                 "pxor %%xmm\\n, %%xmm\\n\n\t"
                                 ".endr" ::
                                         : XMM_0_TO_15);
}

#elif defined(__aarch64__)

void wipe_registers(void) {
        /* v8 to 15 belong to the caller in their low halves (AAPCS64, 6.1.2), so a callee that used them has
         * restored those. */
        __asm__ volatile(
                ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
                "movi v\\n\\().2d, #0\n\t"
                ".endr" ::
                        : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21",
                          "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

#else

/* No vector unit that libgcrypt's assembly uses is known for the rest. */
void wipe_registers(void) {
}

#endif
