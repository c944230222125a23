/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A channel's descriptors: how they are sealed, what fails cleanly, and what a client can do to the region it may
 * write. What it can not do to the other one is in test-ring-uid. */
#include "ring-fixture.h"

#include "runner.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int n_descriptors(void) {
        DIR *dir = opendir("/proc/self/fd");
        int n = 0;

        ck_assert_ptr_nonnull(dir);
        while (readdir(dir))
                n++;
        ck_assert_int_eq(closedir(dir), 0);
        return n;
}

/* Mappings of regions that this process has. */
static int n_mappings(void) {
        FILE *file = fopen("/proc/self/maps", "re");
        char line[512];
        int n = 0;

        ck_assert_ptr_nonnull(file);
        while (fgets(line, sizeof(line), file))
                n += strstr(line, "framekey-re") != NULL;
        ck_assert_int_eq(fclose(file), 0);
        return n;
}

START_TEST(both_regions_are_sealed_and_of_their_kind) {
        for (int same_uid = 0; same_uid < 2; same_uid++) {
                RingConfig config = small_config;
                int fds[4];
                Client client;
                Ring *ring;

                config.same_uid = same_uid;
                start_at(&ring, &client, &config, 0);
                ck_assert_int_eq(fcntl(client.fds.request, F_GET_SEALS) & (SEALS | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE),
                                 SEALS);
                ck_assert_int_eq(fcntl(client.fds.response, F_GET_SEALS) & (SEALS | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE),
                                 SEALS | (same_uid ? F_SEAL_FUTURE_WRITE : 0));
                ck_assert_int_eq(fcntl(client.fds.request, F_GETFL) & O_ACCMODE, O_RDWR);
                ck_assert_int_eq(fcntl(client.fds.response, F_GETFL) & O_ACCMODE, O_RDONLY);
                ck_assert_int_eq(fcntl(client.fds.wakeup, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
                fds[0] = client.fds.request, fds[1] = client.fds.response;
                fds[2] = client.fds.doorbell, fds[3] = client.fds.wakeup;
                for (size_t i = 0; i < ELEMENTS(fds); i++) {
                        struct stat st;

                        ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
                        ck_assert_int_eq(fstat(fds[i], &st), 0);
                        if (i < 2)
                                ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
                }
                ck_assert_int_eq(fcntl(ring_doorbell_fd(ring), F_GETFD), FD_CLOEXEC);
                ck_assert_int_eq(fcntl(ring_wakeup_fd(ring), F_GETFD), FD_CLOEXEC);
                stop(ring, &client);
        }
}
END_TEST

START_TEST(client_can_change_neither_size_nor_seals_of_its_region) {
        Client client;
        Ring *ring;
        int fd;

        start(&ring, &client);
        fd = client.fds.request;
        ck_assert_int_eq(ftruncate(fd, 4096), -1);
        ck_assert_int_eq(errno, EPERM);
        ck_assert_int_eq(ftruncate(fd, (off_t)client.layout.request_size * 2), -1);
        ck_assert_int_eq(fallocate(fd, 0, client.layout.request_size, 4096), -1);
        for (int bit = 1; bit <= 0x20; bit <<= 1)
                ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, bit), -1);
        round_trip(ring, &client, 0, 1, 100);
        stop(ring, &client);
}
END_TEST

START_TEST(hole_reads_as_zeros_and_harms_nobody) {
        struct framekey_abi_completion c;
        Client client;
        Ring *ring;

        start(&ring, &client);
        for (uint32_t slot = 0; slot < n_slots(&client); slot++) {
                client_frame(&client, slot, slot, slot_size(&client, slot));
                (void)client_submit(&client);
                ck_assert_int_eq(fallocate(client.fds.request, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                           slot_in(&client, slot) - (uint8_t *)client.request,
                                           slot_size(&client, slot)),
                                 0);
                ck_assert_int_eq(serve_all(ring), RING_EMPTY);
                ck_assert(client_pop(&client, &c));
                ck_assert_uint_eq(c.frame_len, slot_size(&client, slot));
                for (uint32_t i = 0; i < c.frame_len; i++)
                        ck_assert_uint_eq(slot_out(&client, slot)[i], TURNED(0));
        }
        /* Everything gone, its indices too: they moved backwards. */
        ck_assert_int_eq(fallocate(client.fds.request, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                   client.layout.request_size),
                         0);
        ck_assert_int_eq(serve_one(ring), RING_BROKEN);
        stop(ring, &client);
}
END_TEST

START_TEST(client_may_unmap_and_close_everything_at_any_time) {
        RingRequest q;
        Client client;
        Ring *ring;

        start(&ring, &client);
        client_frame(&client, 6, 1, FRAMEKEY_ABI_SLOT_JUMBO);
        (void)client_submit(&client);
        ck_assert_int_eq(ring_fetch(ring, scratch, &q), 0);
        client_close(&client);
        answer(ring, &q);
        ring_publish(ring);
        ck_assert_int_eq(serve_one(ring), RING_EMPTY);
        ring_close(ring, RING_CLOSED_PROTOCOL);
        ring_free(ring);
}
END_TEST

START_TEST(child_of_a_fork_has_no_mapping) {
        void *request, *response;
        Client client;
        Ring *ring;
        int status;
        pid_t pid;

        start(&ring, &client);
        ring_mappings(ring, &request, &response);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                unsigned char pages[2];

                if (mincore(request, 4096, pages) == 0 || errno != ENOMEM)
                        _exit(1);
                if (mincore(response, 4096, pages) == 0 || errno != ENOMEM)
                        _exit(2);
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        stop(ring, &client);
}
END_TEST

START_TEST(lack_of_descriptors_leaves_nothing_behind) {
        int before = n_descriptors(), failures = 0, next;
        struct rlimit limit, low;
        Client client;
        RingFds fds;
        Ring *ring;
        int r;

        next = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(next, 0);
        close_fd(next);
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = limit;
        for (low.rlim_cur = (rlim_t)next;; low.rlim_cur++) {
                ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
                r = ring_new(&ring, &small_config, &fds);
                ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
                if (r == 0)
                        break;
                ck_assert_int_eq(r, -EMFILE);
                ck_assert_int_eq(n_descriptors(), before);
                ck_assert_int_eq(n_mappings(), 0);
                failures++;
        }
        ck_assert_int_ge(failures, 5);
        client_open(&client, &fds);
        stop(ring, &client);
        ck_assert_int_eq(n_descriptors(), before);
        ck_assert_int_eq(n_mappings(), 0);
}
END_TEST

START_TEST(lack_of_address_space_leaves_nothing_behind) {
#if !UNDER_ASAN && !UNDER_TSAN /* they need address space of their own */
        static const RingConfig large = { .n_slots = { 0, 0, 100 }, .n_streams = 1 };
        int before = n_descriptors();
        struct rlimit limit, low;
        RingFds fds;
        Ring *ring;
        int r;

        ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
        low = limit;
        for (rlim_t mib = 20; mib < 180; mib += 40) {
                low.rlim_cur = mib << 20;
                ck_assert_int_eq(setrlimit(RLIMIT_AS, &low), 0);
                r = ring_new(&ring, &large, &fds);
                ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
                ck_assert_int_eq(r, -ENOMEM);
                ck_assert_int_eq(n_descriptors(), before);
        }
#endif
}
END_TEST

RUN_TESTS("ring-region", both_regions_are_sealed_and_of_their_kind,
          client_can_change_neither_size_nor_seals_of_its_region, hole_reads_as_zeros_and_harms_nobody,
          client_may_unmap_and_close_everything_at_any_time, child_of_a_fork_has_no_mapping,
          lack_of_descriptors_leaves_nothing_behind, lack_of_address_space_leaves_nothing_behind)
