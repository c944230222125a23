/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key layer as one host's app and data thread call it. */
#include "tests/sim/host.h"

#include "tests/sim/report.h"
#include "tests/sim/world.h"

#include <poll.h>
#include <stdio.h>

/* The one channel of each host: identity only. */
static const int channel;

void host_start(Host *host, unsigned id) {
        *host = (Host){ .id = id };
        MUST(plane_new(&host->plane) == 0);
        for (unsigned i = 0; i < MODEL_HOSTS_MAX; i++)
                host->remote[i] = MODEL_NONE;
}

void host_end(Host *host) {
        host_session_end(host);
        host->plane = plane_free(host->plane);
        free(host->events);
}

static void on_event(Session *session, const SessionEvent *event, void *userdata) {
        Host *host = userdata;

        if (host->n_events == host->allocated) {
                host->allocated = host->allocated ? host->allocated * 2 : 16;
                host->events = reallocarray(host->events, host->allocated, sizeof(*host->events));
                MUST(host->events);
        }
        host->events[host->n_events++] = *event;
}

void host_session_start(Host *host) {
        MUST(session_new(&host->session, host->plane, &host->config, on_event, host) == 0);
        MUST(session_add_participant(host->session, true, &host->local) == 0);
        for (unsigned s = 0; s < MODEL_STREAMS; s++)
                MUST(frame_grant_new(&host->send[s], host->session, &channel, s, host->local, FRAMEKEY_ENCRYPT,
                                     s == MODEL_AUDIO ? FRAMEKEY_MEDIA_AUDIO : FRAMEKEY_MEDIA_VIDEO) == 0);
}

void host_session_end(Host *host) {
        if (!host->session)
                return;
        for (unsigned i = 0; i < MODEL_HOSTS_MAX; i++)
                if (host->remote[i] != MODEL_NONE)
                        host_remove(host, i);
        for (unsigned s = 0; s < MODEL_STREAMS; s++)
                host->send[s] = frame_grant_free(host->send[s]);
        host->session = session_free(host->session);
        host->n_events = 0;
}

void host_settle(Host *host) {
        struct pollfd poll_fd = { .fd = plane_event_fd(host->plane), .events = POLLIN };

        do {
                if (plane_n_deriving(host->plane) > 0)
                        MUST(poll(&poll_fd, 1, 60000) > 0);
                plane_dispatch(host->plane);
        } while (plane_n_deriving(host->plane) > 0 || poll(&poll_fd, 1, 0) > 0);
}

void host_add(Host *host, unsigned other, bool follows_window) {
        MUST(session_add_participant(host->session, false, &host->remote[other]) == 0);
        MUST(session_set_follows_window(host->session, host->remote[other], follows_window) == 0);
        for (unsigned s = 0; s < MODEL_STREAMS; s++)
                MUST(frame_grant_new(&host->receive[other][s], host->session, &channel, MODEL_STREAMS * (other + 1) + s,
                                     host->remote[other], FRAMEKEY_DECRYPT,
                                     s == MODEL_AUDIO ? FRAMEKEY_MEDIA_AUDIO : FRAMEKEY_MEDIA_VIDEO) == 0);
}

void host_remove(Host *host, unsigned other) {
        MUST(session_remove_participant(host->session, host->remote[other]) == 0);
        for (unsigned s = 0; s < MODEL_STREAMS; s++)
                host->receive[other][s] = frame_grant_free(host->receive[other][s]);
        host->remote[other] = MODEL_NONE;
}

unsigned host_other(const Host *host, uint32_t participant) {
        for (unsigned i = 0; i < MODEL_HOSTS_MAX; i++)
                if (host->remote[i] == participant)
                        return i;
        return MODEL_NONE;
}

/* ---- keys ---- */

typedef struct Done {
        bool done;
        int result;
        uint32_t step;
} Done;

static void on_done(Session *session, int result, uint64_t generation, uint32_t step, void *userdata) {
        *(Done *)userdata = (Done){ .done = true, .result = result, .step = step };
}

static void await(Host *host, const Done *done, uint32_t step) {
        host_settle(host);
        MUST(done->done);
        MUST(done->result == 0);
        MUST(done->step == step);
}

static uint32_t participant_of(const Host *host, unsigned of) {
        if (host->config.shared)
                return SESSION_SHARED;
        return of == host->id ? host->local : host->remote[of];
}

void host_import(Host *host, unsigned of, uint32_t index, const HostSecret *secret, uint32_t step) {
        Done done = { 0 };
        Secret *s;

        MUST(secret_new_copy(&s, secret->bytes, secret->len) == 0);
        MUST(session_import(host->session, participant_of(host, of), index, s, &host->schedule, step, on_done, &done) ==
             0);
        await(host, &done, step);
}

void host_generate(Host *host, uint32_t index) {
        Done done = { 0 };

        MUST(session_generate(host->session, host->local, index, &host->schedule, on_done, &done) == 0);
        await(host, &done, 0);
}

/* A participant's name, to which a package is bound. */
static const char *name_of(unsigned id, char name[16]) {
        (void)snprintf(name, 16, "host-%u", id);
        return name;
}

size_t host_export(Host *host, uint32_t index, const Host *to, uint8_t *package) {
        char name[16];
        size_t len;

        MUST(session_export(host->session, host->local, index, name_of(host->id, name), plane_transport_key(to->plane),
                            package, &len) == 0);
        return len;
}

void host_import_wrapped(Host *host, unsigned of, uint32_t index, const uint8_t *package, size_t len, uint32_t step) {
        uint32_t got = MODEL_NONE;
        Done done = { 0 };
        char name[16];

        MUST(session_import_wrapped(host->session, host->remote[of], SESSION_ACTIVE, name_of(of, name), package, len,
                                    &got, on_done, &done) == 0);
        MUST(got == index);
        await(host, &done, step);
}

void host_activate(Host *host, uint32_t index, uint64_t after_usec, bool at_key_frame) {
        const SessionActivation when = { .after_usec = after_usec, .at_key_frame = at_key_frame };

        MUST(session_activate(host->session, participant_of(host, host->id), index, &when) == 0);
        host_settle(host);
}

int host_process(Host *host, FrameGrant *grant, FrameRequest *request, uint8_t *out, size_t out_max, FrameResult *ret) {
        request->now_usec = world_now();
        session_enter(host->session);
        frame_process(grant, request, out, out_max, ret);
        session_leave(host->session);
        return ret->verdict;
}
