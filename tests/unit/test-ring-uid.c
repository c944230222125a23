/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* No client writes what the daemon tells, whatever its uid: everything a process can do with a read-only descriptor
 * and a read-only mapping of the response region, tried by another uid, by the daemon's own, and by root. */
#include "ring-fixture.h"

#include "runner.h"

#include <grp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define NOBODY 65534

/* What may come of an attempt to open the file anew, or to change its mode. */
typedef enum Owner {
        OTHER_UID, /* nothing */
        OWN_UID,   /* allowed: the seal has to hold */
} Owner;

/* Runs in a child: no libcheck here, the first attempt that succeeds is named and reported by the exit status. */
#define MUST_FAIL(what)                                                                                                \
        do {                                                                                                           \
                if (what) {                                                                                            \
                        (void)fprintf(stderr, "succeeded: %s\n", #what);                                               \
                        return -1;                                                                                     \
                }                                                                                                      \
        } while (0)

static const uint8_t junk[64] = "a client must not get these bytes into the response region";

static bool maps_writable(int fd, size_t size) {
        return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
}

static bool splices_in(int fd) {
        off_t at = 8192;
        int pipe_fds[2];

        if (pipe(pipe_fds) < 0 || write(pipe_fds[1], junk, sizeof(junk)) != (ssize_t)sizeof(junk))
                return true;
        return splice(pipe_fds[0], NULL, fd, &at, sizeof(junk), 0) > 0;
}

static bool copies_in(int fd) {
        int from = memfd_create("junk", MFD_CLOEXEC);
        off_t at = 8192;

        if (from < 0 || write(from, junk, sizeof(junk)) != (ssize_t)sizeof(junk) || lseek(from, 0, SEEK_SET) != 0)
                return true;
        return copy_file_range(from, NULL, fd, &at, sizeof(junk), 0) > 0 || lseek(fd, 8192, SEEK_SET) < 0 ||
               sendfile(fd, from, NULL, sizeof(junk)) > 0;
}

/* Through descriptors: one as handed out, or one opened anew. */
static int try_descriptor(int fd, size_t size) {
        MUST_FAIL(maps_writable(fd, size));
        MUST_FAIL(pwrite(fd, junk, sizeof(junk), 8192) >= 0);
        MUST_FAIL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192) == 0);
        MUST_FAIL(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 8192) == 0);
        MUST_FAIL(fallocate(fd, 0, 0, (off_t)size + 4096) == 0);
        MUST_FAIL(ftruncate(fd, 4096) == 0);
        MUST_FAIL(ftruncate(fd, (off_t)size + 4096) == 0);
        for (int bit = 1; bit <= 0x20; bit <<= 1)
                MUST_FAIL(fcntl(fd, F_ADD_SEALS, bit) == 0);
        MUST_FAIL(splices_in(fd));
        MUST_FAIL(copies_in(fd));
        (void)fcntl(fd, F_SETFL, O_RDWR); /* says yes and does nothing */
        MUST_FAIL(pwrite(fd, junk, sizeof(junk), 8192) >= 0);
        return 0;
}

/* A page of our own choice into a hole of the file, through a mapping: what userfaultfd is for. */
static bool faults_in(void *map) {
        int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
        struct uffdio_api api = { .api = UFFD_API };
        struct uffdio_register range = { .range = { (uintptr_t)map, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING };

        return fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0 && ioctl(fd, UFFDIO_REGISTER, &range) == 0;
}

static bool writes_proc_mem(void *at) {
        _cleanup_close_ int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

        return fd < 0 || pwrite(fd, junk, sizeof(junk), (off_t)(uintptr_t)at) >= 0;
}

/* Through a read-only shared mapping. */
static int try_mapping(int fd, size_t size) {
        struct iovec local = { (void *)junk, sizeof(junk) }, remote;
        uint8_t *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        uint8_t *own;

        MUST_FAIL(map == MAP_FAILED);
        MUST_FAIL(mprotect(map, size, PROT_READ | PROT_WRITE) == 0);
        MUST_FAIL(madvise(map, size, MADV_REMOVE) == 0);
        remote = (struct iovec){ map + 8192, sizeof(junk) };
        MUST_FAIL(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) >= 0);
        MUST_FAIL(writes_proc_mem(map + 8192));
        MUST_FAIL(faults_in(map));

        /* A private mapping may be written: it is a copy, which the parent verifies. */
        own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        MUST_FAIL(own == MAP_FAILED);
        memset(own, 0xee, size);
        MUST_FAIL(msync(own, size, MS_SYNC) < 0);
        return 0;
}

static int try_anew(int fd, size_t size, Owner owner, int flags) {
        _cleanup_close_ int again = -EBADF;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (owner == OTHER_UID) {
                MUST_FAIL(fchmod(fd, 0666) == 0);
                MUST_FAIL(chmod(path, 0666) == 0);
                MUST_FAIL(fchown(fd, NOBODY, NOBODY) == 0);
        } else
                MUST_FAIL(fchmod(fd, 0666) < 0);
        MUST_FAIL(truncate(path, 4096) == 0);
        again = open(path, flags | O_CLOEXEC);
        if (owner == OTHER_UID)
                MUST_FAIL(again >= 0);
        return again < 0 ? 0 : try_descriptor(again, size);
}

static int try_everything(int fd, size_t size, Owner owner) {
        static const int flags[] = { O_RDWR, O_WRONLY, O_RDWR | O_TRUNC, O_RDWR | O_APPEND };

        if (try_descriptor(fd, size) < 0 || try_mapping(fd, size) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (try_anew(fd, size, owner, flags[i]) < 0)
                        return -1;
        return 0;
}

static int become(uid_t uid) {
        if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
                return -1;
        /* Else /proc/self is root's, and attempts through it fail for the wrong reason. */
        return prctl(PR_SET_DUMPABLE, 1);
}

/* That the attempts are what they say: on a file of one's own all the ways are open. */
static int try_control(void) {
        _cleanup_close_ int fd = memfd_create("control", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        _cleanup_close_ int again = -EBADF;
        char path[64];

        MUST_FAIL(fd < 0 || ftruncate(fd, 16384) < 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        again = open(path, O_RDWR | O_CLOEXEC);
        MUST_FAIL(again < 0);
        MUST_FAIL(!maps_writable(again, 16384));
        MUST_FAIL(!splices_in(again));
        MUST_FAIL(!copies_in(again));
        MUST_FAIL(fcntl(again, F_ADD_SEALS, F_SEAL_GROW) < 0);
        return 0;
}

/* The whole case in a child, since it gives up its uid. */
static void expect_child(int (*run)(void)) {
        pid_t pid = fork();
        int status;

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                _exit(run() < 0 ? 1 : 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}

static void fill_response(Ring *ring, Client *client, uint8_t *ret_copy) {
        for (uint32_t slot = 0; slot < n_slots(client); slot++)
                round_trip(ring, client, slot, slot, slot_size(client, slot));
        memcpy(ret_copy, client->response, client->layout.response_size);
}

static uint8_t before[4 << 20];
static Client shared_client;

static int attack_as_nobody(void) {
        if (become(NOBODY) < 0)
                return -1;
        if (try_control() < 0)
                return -1;
        return try_everything(shared_client.fds.response, shared_client.layout.response_size, OTHER_UID);
}

START_TEST(client_of_another_uid_cannot_write) {
        Ring *ring;

        start(&ring, &shared_client);
        fill_response(ring, &shared_client, before);
        expect_child(attack_as_nobody);
        ck_assert_mem_eq(before, shared_client.response, shared_client.layout.response_size);
        round_trip(ring, &shared_client, 0, 1, 100);
        stop(ring, &shared_client);
}
END_TEST

/* libcheck's assertions would leave by fork's pipe: fine in a child that it did not start, it only exits. */
static int attack_own_uid(void) {
        RingConfig config = small_config;
        Client client;
        Ring *ring;

        if (become(NOBODY) < 0 || try_control() < 0)
                return -1;
        config.same_uid = true;
        start_at(&ring, &client, &config, 0);
        fill_response(ring, &client, before);
        if (try_everything(client.fds.response, client.layout.response_size, OWN_UID) < 0)
                return -1;
        MUST_FAIL(memcmp(before, client.response, client.layout.response_size) != 0);
        round_trip(ring, &client, 0, 1, 100);
        stop(ring, &client);
        return 0;
}

START_TEST(client_of_the_same_uid_cannot_write_the_sealed_region) {
        expect_child(attack_own_uid);
}
END_TEST

START_TEST(even_root_cannot_write_the_sealed_region) {
        RingConfig config = small_config;
        Client client;
        Ring *ring;

        config.same_uid = true;
        start_at(&ring, &client, &config, 0);
        fill_response(ring, &client, before);
        ck_assert_int_eq(try_everything(client.fds.response, client.layout.response_size, OWN_UID), 0);
        ck_assert_mem_eq(before, client.response, client.layout.response_size);
        stop(ring, &client);
}
END_TEST

static int new_in_hardened_daemon(void) {
        Client client;
        Ring *ring;

        if (become(NOBODY) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
                return -1;
        start(&ring, &client);
        round_trip(ring, &client, 0, 1, 100);
        stop(ring, &client);
        return 0;
}

START_TEST(daemon_without_privileges_and_not_dumpable_makes_rings) {
        expect_child(new_in_hardened_daemon);
}
END_TEST

static int new_without_proc(void) {
        RingFds fds;
        Ring *ring;
        int r;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", "/proc", "tmpfs", 0, NULL) < 0) {
                (void)fprintf(stderr, "cannot hide /proc here (%s): this case was not tried\n", strerror(errno));
                return 0;
        }
        r = ring_new(&ring, &small_config, &fds);
        MUST_FAIL(r != -ENOENT);

        /* Something else under that name, for every number. */
        if (mkdir("/proc/self", 0755) < 0 || mkdir("/proc/self/fd", 0755) < 0)
                return -1;
        for (int i = 0; i < 64; i++) {
                char path[64];
                int fd;

                (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
                fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
                MUST_FAIL(fd < 0);
                close_fd(fd);
        }
        r = ring_new(&ring, &small_config, &fds);
        MUST_FAIL(r != -ENOSYS);
        return 0;
}

START_TEST(without_proc_there_is_an_error_and_no_writable_descriptor) {
        expect_child(new_without_proc);
}
END_TEST

#define main run_tests
int run_tests(void);
RUN_TESTS("ring-uid", client_of_another_uid_cannot_write, client_of_the_same_uid_cannot_write_the_sealed_region,
          even_root_cannot_write_the_sealed_region, daemon_without_privileges_and_not_dumpable_makes_rings,
          without_proc_there_is_an_error_and_no_writable_descriptor)
#undef main

int main(void) {
        if (geteuid() != 0) {
                (void)fprintf(stderr, "only root can play clients of other uids\n");
                return 77;
        }
        return run_tests();
}
