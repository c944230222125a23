/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the service manager does for a service with Restart=always and a file descriptor store, without one: keeps the
 * descriptors that come by NOTIFY_SOCKET, and starts the service again with them whenever it ends.
 *
 *   fd-store SOCKET COMMAND...
 *
 * Prints "started PID" and, at READY=1, "ready PID". SIGUSR1 restarts the service as systemctl does, SIGTERM stops it
 * and lets go of all descriptors. For tests, beside those in a container with the manager itself.
 */
#include "util/util.h"

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define KEPT_MAX     4096u
#define MESSAGE_MAX  4096u
#define FDS_MAX      253u /* SCM_MAX_FD */
#define NAME_LEN_MAX 255u

typedef struct Kept {
        int fd;
        char name[NAME_LEN_MAX + 1];
        bool polled; /* goes when nobody has the other end */
} Kept;

typedef struct Store {
        const char *address;
        char *const *command;
        int socket;
        Kept kept[KEPT_MAX];
        size_t n;
        pid_t service;
        bool stopping;
} Store;

/* ---- the service ---- */

static void pass_fds(const Store *store) {
        char text[32], *names = calloc(store->n + 1, NAME_LEN_MAX + 1);
        size_t at = 0;

        if (!names)
                _exit(1);
        /* First out of the way of where they go. */
        for (size_t i = 0; i < store->n; i++) {
                int high = fcntl(store->kept[i].fd, F_DUPFD, (int)(3 + KEPT_MAX));

                if (high < 0)
                        _exit(1);
                (void)close(store->kept[i].fd);
                if (dup2(high, (int)(3 + i)) < 0)
                        _exit(1);
                (void)close(high);
                at += (size_t)sprintf(names + at, "%s%s", i > 0 ? ":" : "", store->kept[i].name);
        }
        (void)snprintf(text, sizeof(text), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", text, 1);
        (void)snprintf(text, sizeof(text), "%zu", store->n);
        (void)setenv("LISTEN_FDS", text, 1);
        (void)setenv("LISTEN_FDNAMES", names, 1);
}

static void service_start(Store *store) {
        sigset_t none;

        store->service = fork();
        if (store->service < 0)
                err(1, "fork");
        if (store->service == 0) {
                (void)sigemptyset(&none);
                (void)sigprocmask(SIG_SETMASK, &none, NULL);
                (void)setenv("NOTIFY_SOCKET", store->address, 1);
                if (store->n > 0)
                        pass_fds(store);
                (void)execvp(store->command[0], store->command);
                _exit(127);
        }
        (void)printf("started %d\n", (int)store->service);
}

/* ---- its messages ---- */

static void drop(Store *store, size_t i) {
        (void)close(store->kept[i].fd);
        store->kept[i] = store->kept[--store->n];
}

static void keep(Store *store, int *fds, size_t n, const char *name, bool polled) {
        for (size_t i = 0; i < n && store->n < KEPT_MAX; i++) {
                Kept *kept = &store->kept[store->n++];

                *kept = (Kept){ .fd = take_fd(&fds[i]), .polled = polled };
                (void)snprintf(kept->name, sizeof(kept->name), "%s", name);
        }
}

static void forget(Store *store, const char *name) {
        for (size_t i = store->n; i-- > 0;)
                if (strcmp(store->kept[i].name, name) == 0)
                        drop(store, i);
}

static void obey(Store *store, char *text, int *fds, size_t n) {
        bool polled = true, stores = false, removes = false;
        const char *name = "stored";
        char *rest = text, *line;

        while ((line = strsep(&rest, "\n"))) {
                if (strcmp(line, "FDSTORE=1") == 0)
                        stores = true;
                else if (strcmp(line, "FDSTOREREMOVE=1") == 0)
                        removes = true;
                else if (strcmp(line, "FDPOLL=0") == 0)
                        polled = false;
                else if (strncmp(line, "FDNAME=", 7) == 0)
                        name = line + 7;
                else if (strcmp(line, "READY=1") == 0)
                        (void)printf("ready %d\n", (int)store->service);
        }
        if (stores)
                keep(store, fds, n, name, polled);
        else if (removes)
                forget(store, name);
        /* What is left, a barrier's among it, is closed: that is the answer. */
        for (size_t i = 0; i < n; i++)
                (void)close_fd(fds[i]);
}

static void receive(Store *store) {
        union {
                struct cmsghdr header;
                uint8_t bytes[CMSG_SPACE(FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        } control;
        char text[MESSAGE_MAX + 1];
        struct iovec iov = { .iov_base = text, .iov_len = MESSAGE_MAX };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        int fds[FDS_MAX];
        size_t n = 0;
        ssize_t len = recvmsg(store->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (len < 0)
                return;
        text[len] = '\0';
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
                        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        memcpy(fds, CMSG_DATA(c), n * sizeof(int));
                }
        obey(store, text, fds, n);
}

/* ---- the loop ---- */

static int listen_at(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
                errx(1, "no socket at %s", path);
        memcpy(address.sun_path, path, strlen(path) + 1);
        (void)unlink(path);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                err(1, "%s", path);
        return fd;
}

static void wait_for_news(const Store *store, int signals, bool *ret_message, bool *ret_signal, size_t *ret_hung_up) {
        static struct pollfd fds[KEPT_MAX + 2];

        fds[0] = (struct pollfd){ .fd = store->socket, .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
        for (size_t i = 0; i < store->n; i++)
                fds[2 + i] = (struct pollfd){ .fd = store->kept[i].polled ? store->kept[i].fd : -1 };
        if (poll(fds, store->n + 2, -1) < 0)
                err(1, "poll");
        *ret_message = fds[0].revents != 0;
        *ret_signal = fds[1].revents != 0;
        *ret_hung_up = SIZE_MAX;
        for (size_t i = 0; i < store->n; i++)
                if (fds[2 + i].revents & (POLLHUP | POLLERR))
                        *ret_hung_up = i;
}

static void handle_signal(Store *store, int signals) {
        struct signalfd_siginfo info;

        if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
                return;
        if (info.ssi_signo == SIGTERM)
                store->stopping = true;
        if (info.ssi_signo != SIGCHLD)
                (void)kill(store->service, SIGTERM);
}

/* True: it has ended. What it sent before comes first. */
static bool reap(Store *store, int *ret_status) {
        if (waitpid(store->service, ret_status, WNOHANG) != store->service)
                return false;
        for (struct pollfd fd = { .fd = store->socket, .events = POLLIN }; poll(&fd, 1, 0) > 0;)
                receive(store);
        return true;
}

int main(int argc, char **argv) {
        static Store store;
        sigset_t mask;
        int signals, status = 0;

        if (argc < 3)
                errx(2, "usage: fd-store SOCKET COMMAND...");
        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        store.address = argv[1];
        store.command = argv + 2;
        store.socket = listen_at(argv[1]);
        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGCHLD);
        (void)sigaddset(&mask, SIGTERM);
        (void)sigaddset(&mask, SIGUSR1);
        (void)sigprocmask(SIG_BLOCK, &mask, NULL);
        signals = signalfd(-1, &mask, SFD_CLOEXEC);
        if (signals < 0)
                err(1, "signalfd");

        service_start(&store);
        for (;;) {
                bool message, signal;
                size_t hung_up;

                wait_for_news(&store, signals, &message, &signal, &hung_up);
                if (message)
                        receive(&store);
                else if (hung_up != SIZE_MAX)
                        drop(&store, hung_up);
                if (signal)
                        handle_signal(&store, signals);
                if (!reap(&store, &status))
                        continue;
                if (store.stopping)
                        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
                service_start(&store);
        }
}
