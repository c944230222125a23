/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealed shared memory of a channel, see ring-region.h. Main thread. */
#include "channel/ring-region.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* kernel 6.3; younger than Debian 12's headers */
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int memfd_new(const char *name, size_t size, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;

        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
        if (fd < 0 && errno == EINVAL) /* kernel before 6.3 */
                fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        /* Only the daemon's uid may open it anew: others keep to what their descriptor allows. */
        if (fchmod(fd, 0600) < 0)
                return -errno;
        if (ftruncate(fd, (off_t)size) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* A second, read-only description of the same file. There is no way to it but /proc; without that the
 * region fails, for a client with the writable one could forge what the daemon tells others. */
static int reopen_read_only(int fd, int *ret_fd) {
        _cleanup_close_ int again = -EBADF;
        char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
        struct stat ours, theirs;
        int flags;

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* fits every int */
        again = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (again < 0)
                return -errno;
        /* What is mounted there might not be procfs. */
        flags = fcntl(again, F_GETFL);
        if (flags < 0 || fstat(fd, &ours) < 0 || fstat(again, &theirs) < 0)
                return -errno;
        if ((flags & O_ACCMODE) != O_RDONLY || ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino)
                return -ENOSYS;
        *ret_fd = take_fd(&again);
        return 0;
}

/* Nobody else has the descriptor yet. */
static int finish(int fd, void *map, size_t size, RegionAccess access, int *ret_client_fd) {
        /* Without F_SEAL_SHRINK a client could make us fault with SIGBUS. A client of our own uid could chmod the file
         * and open it for writing: F_SEAL_FUTURE_WRITE stops that, and would have stopped our mapping, too. One call,
         * since F_SEAL_SEAL forbids any seal after it. */
        int seals = SEALS;

        if (access == REGION_CLIENT_OF_UID_READS)
                seals |= F_SEAL_FUTURE_WRITE;
        if (fcntl(fd, F_ADD_SEALS, seals) < 0)
                return -errno;
        /* MAP_SHARED: a child of a fork() would write into the clients' view. */
        if (madvise(map, size, MADV_DONTFORK) < 0)
                return -errno;
        if (access != REGION_CLIENT_WRITES)
                return reopen_read_only(fd, ret_client_fd);
        *ret_client_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        return *ret_client_fd < 0 ? -errno : 0;
}

int region_new(Region *ret, const char *name, size_t size, RegionAccess access, int *ret_client_fd) {
        _cleanup_close_ int fd = -EBADF;
        int client_fd = -EBADF;
        void *map;
        int r;

        r = memfd_new(name, size, &fd);
        if (r < 0)
                return r;
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        r = finish(fd, map, size, access, &client_fd);
        if (r < 0) {
                region_free(map, size);
                return r;
        }
        *ret = (Region){ .map = map, .fd = take_fd(&fd) };
        *ret_client_fd = client_fd;
        return 0;
}

int region_adopt(int fd, size_t size, void **ret_map) {
        struct stat st;
        void *map;
        int seals;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size != size)
                return -EBADMSG;
        seals = fcntl(fd, F_GET_SEALS);
        if (seals < 0 || (seals & SEALS) != SEALS)
                return -EBADMSG;
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return errno == ENOMEM ? -ENOMEM : -EBADMSG; /* read-only, for one */
        if (madvise(map, size, MADV_DONTFORK) < 0) {
                region_free(map, size);
                return -errno;
        }
        *ret_map = map;
        return 0;
}

void *region_free(void *map, size_t size) {
        if (map)
                (void)munmap(map, size); /* of our own mapping: cannot fail */
        return NULL;
}
