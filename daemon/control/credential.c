/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials of the service as secrets; see credential.h. */
#include "control/credential.h"

#include <fcntl.h>
#include <sys/stat.h>

/* What systemd takes for a credential's name: one file name of printable ASCII without a colon. Whatever else a client
 * asks for, it must not become a path. */
static bool name_is_valid(const char *name) {
        size_t len = strlen(name);

        if (len == 0 || len > CREDENTIAL_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return false;
        for (size_t i = 0; i < len; i++)
                if (name[i] < ' ' || name[i] > '~' || name[i] == '/' || name[i] == ':')
                        return false;
        return true;
}

/* 0 and a descriptor; CREDENTIAL_ABSENT; negative errno. */
static int open_credential(const char *name, int *ret) {
        const char *path = getenv("CREDENTIALS_DIRECTORY");
        _cleanup_close_ int directory = -EBADF;
        int fd;

        if (!path || path[0] != '/')
                return CREDENTIAL_ABSENT;
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0)
                /* Whatever lies there by mistake, it must neither lead elsewhere nor hold us up. */
                fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (directory < 0 || fd < 0)
                return errno == ENOENT || errno == ELOOP ? CREDENTIAL_ABSENT : -errno;
        *ret = fd;
        return 0;
}

int credential_read(Secret **ret, const char *name) {
        _cleanup_(secret_free_p) Secret *secret = NULL;
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        ssize_t n;
        int r;

        if (!name_is_valid(name))
                return CREDENTIAL_NAME;
        r = open_credential(name, &fd);
        if (r != 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return CREDENTIAL_ABSENT;
        if (st.st_size == 0)
                return CREDENTIAL_EMPTY;
        if (st.st_size > (off_t)SECRET_MAX)
                return CREDENTIAL_TOO_LONG;
        r = secret_new(&secret, (size_t)st.st_size);
        if (r < 0)
                return r;
        n = read(fd, secret->bytes, secret->len);
        if (n != st.st_size)
                return n < 0 ? -errno : -EIO; /* it changes while we read: no credential does */
        *ret = take_ptr(secret);
        return 0;
}
