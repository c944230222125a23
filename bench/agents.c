/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The servers that one would write instead: over a socket, and on the bus; see reference.h. */
#include "bench/machine.h"
#include "bench/reference.h"
#include "bench/sealer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define FRAME_MAX    (128u * 1024)
#define AGENT_NAME   "org.framekey1.Bench"
#define AGENT_PATH   "/"
#define AGENT_METHOD "Seal"

/* ---- SEQPACKET ---- */

static void serve_socket(int fd) {
        static uint8_t frame[FRAME_MAX];
        Sealer sealer = sealer_new();
        ssize_t len;

        while ((len = recv(fd, frame, sizeof(frame) - SEALER_OVERHEAD, 0)) > 0) {
                sealer_seal(&sealer, frame, (size_t)len);
                if (send(fd, frame, (size_t)len + SEALER_OVERHEAD, 0) < 0)
                        break;
        }
        _exit(0);
}

Agent agent_start(void) {
        int fds[2], room = 4 * FRAME_MAX;
        Agent agent;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                abort();
        for (int i = 0; i < 2; i++)
                (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        agent.pid = fork();
        if (agent.pid == 0) {
                (void)close(fds[0]);
                serve_socket(fds[1]);
        }
        (void)close(fds[1]);
        agent.fd = fds[0];
        return agent;
}

double agent_seal(const Agent *agent, size_t size) {
        static uint8_t frame[FRAME_MAX];
        uint64_t t0 = now_nsec();

        if (send(agent->fd, frame, size, 0) < 0 || recv(agent->fd, frame, sizeof(frame), 0) <= 0)
                abort();
        return (double)(now_nsec() - t0);
}

void agent_stop(Agent *agent) {
        (void)close(agent->fd);
        (void)waitpid(agent->pid, NULL, 0);
}

/* ---- bus ---- */

struct BusAgent {
        sd_bus *bus;
        pid_t pid;
};

static int seal_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        static uint8_t frame[FRAME_MAX];
        sd_bus_message *reply = NULL;
        const void *bytes;
        size_t len;
        int r;

        (void)error;
        r = sd_bus_message_read_array(message, 'y', &bytes, &len);
        if (r < 0 || len > FRAME_MAX - SEALER_OVERHEAD)
                return r < 0 ? r : -EMSGSIZE;
        memcpy(frame, bytes, len);
        sealer_seal(userdata, frame, len);
        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_append_array(reply, 'y', frame, len + SEALER_OVERHEAD);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r;
}

static void serve_bus(int ready_fd) {
        static const sd_bus_vtable vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD(AGENT_METHOD, "ay", "ay", seal_message, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_VTABLE_END,
        };
        Sealer sealer = sealer_new();
        sd_bus *bus = NULL;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sd_bus_open_system(&bus) < 0 ||
            sd_bus_add_object_vtable(bus, NULL, AGENT_PATH, AGENT_NAME, vtable, &sealer) < 0 ||
            sd_bus_request_name(bus, AGENT_NAME, 0) < 0 || write(ready_fd, "", 1) != 1)
                _exit(1);
        for (;;) {
                int r = sd_bus_process(bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r < 0)
                        _exit(0);
        }
}

BusAgent *bus_agent_start(void) {
        BusAgent *agent = calloc(1, sizeof(*agent));
        int fds[2];
        char ready;

        if (!agent || pipe(fds) < 0)
                abort();
        agent->pid = fork();
        if (agent->pid == 0) {
                (void)close(fds[0]);
                serve_bus(fds[1]);
        }
        (void)close(fds[1]);
        if (read(fds[0], &ready, 1) != 1 || sd_bus_open_system(&agent->bus) < 0)
                abort();
        (void)close(fds[0]);
        return agent;
}

double bus_agent_seal(BusAgent *agent, size_t size) {
        static uint8_t frame[FRAME_MAX];
        sd_bus_message *call = NULL, *reply = NULL;
        uint64_t t0 = now_nsec();
        const void *bytes;
        size_t len;

        if (sd_bus_message_new_method_call(agent->bus, &call, AGENT_NAME, AGENT_PATH, AGENT_NAME, AGENT_METHOD) < 0 ||
            sd_bus_message_append_array(call, 'y', frame, size) < 0 ||
            sd_bus_call(agent->bus, call, 0, NULL, &reply) < 0 ||
            sd_bus_message_read_array(reply, 'y', &bytes, &len) < 0 || len != size + SEALER_OVERHEAD)
                abort();
        memcpy(frame, bytes, size);
        sd_bus_message_unref(call);
        sd_bus_message_unref(reply);
        return (double)(now_nsec() - t0);
}

void bus_agent_stop(BusAgent *agent) {
        (void)kill(agent->pid, SIGKILL);
        (void)waitpid(agent->pid, NULL, 0);
        sd_bus_flush_close_unref(agent->bus);
        free(agent);
}
