/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target: framekeyd.conf; what is taken is within its bounds, and printed it is taken again as the same. */
#include "control/config-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth) {
        if (!truth)
                abort();
}

static int read_bytes(const void *data, size_t size, Policy *ret) {
        /* Nothing is urgent enough to be told. */
        static const Log silent = { LOG_TARGET_STDERR, -1 };
        int fd = memfd_create("framekeyd.conf", MFD_CLOEXEC), r;
        ConfigFault fault;
        char path[32];

        must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = config_load(&(ConfigSource){ .file = path }, &silent, ret, &fault);
        (void)close(fd);
        must((fault.text[0] != '\0') == (r == CONFIG_INVALID));
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Policy policy, again;
        char text[4096];
        FILE *file;
        int r;

        r = read_bytes(data, size, &policy);
        must(r == 0 || r == CONFIG_INVALID);
        if (r != 0)
                return 0;
        for (size_t i = 0; i < POLICY_SETTING_MAX; i++)
                must(policy_get(&policy, &policy_settings[i]) <= POLICY_SPAN_MAX_USEC);
        file = fmemopen(text, sizeof(text), "w");
        must(file != NULL);
        config_print(&policy, file);
        must(fclose(file) == 0);
        must(read_bytes(text, strlen(text), &again) == 0);
        for (size_t i = 0; i < POLICY_SETTING_MAX; i++)
                must(policy_get(&policy, &policy_settings[i]) == policy_get(&again, &policy_settings[i]));
        return 0;
}
