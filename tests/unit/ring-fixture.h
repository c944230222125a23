/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A raw client of a ring, written from the layout alone, and a daemon side that answers every frame
 * with its bytes turned over. One translation unit a test program includes it.
 */
#pragma once

#include "channel/ring-internal.h"
#include "framekey-abi.h"
#include "sanitizers.h"
#include "util/util.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* What the daemon side does to a byte. */
#define TURNED(byte)    ((uint8_t)((byte) ^ 0x5a))
#define VERDICT_REFUSED 12

typedef struct Client {
        RingFds fds;
        struct framekey_abi_request *request;
        struct framekey_abi_response *response; /* read-only, unless these are the ring's own mappings */
        struct framekey_abi_layout layout;
        bool own_mappings;
        uint32_t submitted;
        uint32_t published;
        uint32_t reaped;
} Client;

static const RingConfig small_config = { .n_slots = { 4, 2, 1 }, .n_streams = 4 };

static uint8_t scratch[RING_SCRATCH_SIZE];
static uint8_t turned[RING_SCRATCH_SIZE];

/* ---- the client ---- */

_unused_ static void client_start(Client *client) {
        client->layout = client->response->layout;
        client->submitted = client->published = client->request->submit.submit_index;
        client->reaped = client->request->reap.completion_consumed;
}

/* Maps the descriptors as a client does. */
_unused_ static void client_open(Client *client, const RingFds *fds) {
        struct stat request, response;

        *client = (Client){ .fds = *fds, .own_mappings = true };
        ck_assert_int_eq(fstat(fds->request, &request), 0);
        ck_assert_int_eq(fstat(fds->response, &response), 0);
        client->request = mmap(NULL, (size_t)request.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds->request, 0);
        ck_assert_ptr_ne(client->request, MAP_FAILED);
        client->response = mmap(NULL, (size_t)response.st_size, PROT_READ, MAP_SHARED, fds->response, 0);
        ck_assert_ptr_ne(client->response, MAP_FAILED);
        client_start(client);
        ck_assert_uint_eq(client->layout.request_size, request.st_size);
        ck_assert_uint_eq(client->layout.response_size, response.st_size);
}

/* Works on the ring's own mappings: the thread sanitizer knows bytes by their addresses. */
_unused_ static void client_join(Client *client, const Ring *ring, const RingFds *fds) {
        void *request, *response;

        ring_mappings(ring, &request, &response);
        *client = (Client){ .fds = *fds, .request = request, .response = response };
        client_start(client);
}

_unused_ static void client_close(Client *client) {
        if (client->own_mappings) {
                ck_assert_int_eq(munmap(client->request, client->layout.request_size), 0);
                ck_assert_int_eq(munmap(client->response, client->layout.response_size), 0);
        }
        client->fds.request = close_fd(client->fds.request);
        client->fds.response = close_fd(client->fds.response);
        client->fds.doorbell = close_fd(client->fds.doorbell);
        client->fds.wakeup = close_fd(client->fds.wakeup);
}

_unused_ static uint32_t n_slots(const Client *client) {
        return client->layout.n_slots[0] + client->layout.n_slots[1] + client->layout.n_slots[2];
}

_unused_ static uint32_t slot_at(const Client *client, uint32_t slot, const uint32_t *offsets, uint32_t *ret_size) {
        for (unsigned c = 0; c < FRAMEKEY_ABI_CLASSES; c++) {
                if (slot < client->layout.n_slots[c]) {
                        if (ret_size)
                                *ret_size = client->layout.slot_size[c];
                        return offsets[c] + slot * client->layout.slot_size[c];
                }
                slot -= client->layout.n_slots[c];
        }
        ck_abort_msg("no slot %u", slot);
}

_unused_ static uint32_t slot_size(const Client *client, uint32_t slot) {
        uint32_t size;

        (void)slot_at(client, slot, client->layout.in_offset, &size);
        return size;
}

_unused_ static uint8_t *slot_in(const Client *client, uint32_t slot) {
        return (uint8_t *)client->request + slot_at(client, slot, client->layout.in_offset, NULL);
}

_unused_ static const uint8_t *slot_out(const Client *client, uint32_t slot) {
        return (const uint8_t *)client->response + slot_at(client, slot, client->layout.out_offset, NULL);
}

_unused_ static struct framekey_abi_descriptor *descriptor_at(const Client *client, uint32_t index) {
        struct framekey_abi_descriptor *first = (void *)((uint8_t *)client->request + client->layout.descriptor_offset);

        return &first[index & (client->layout.entries - 1)];
}

_unused_ static const struct framekey_abi_completion *completion_at(const Client *client, uint32_t index) {
        const struct framekey_abi_completion *first =
                (const void *)((const uint8_t *)client->response + client->layout.completion_offset);

        return &first[index & (client->layout.entries - 1)];
}

_unused_ static uint8_t pattern(uint64_t cookie, size_t i) {
        return (uint8_t)(cookie * 31 + i * 7 + (i >> 8));
}

_unused_ static void fill(const Client *client, uint32_t slot, uint64_t cookie, uint32_t len) {
        uint8_t *in = slot_in(client, slot);

        for (uint32_t i = 0; i < len; i++)
                in[i] = pattern(cookie, i);
}

/* Writes a descriptor behind those written; not visible before client_submit(). */
_unused_ static void client_push(Client *client, const struct framekey_abi_descriptor *descriptor) {
        *descriptor_at(client, client->submitted) = *descriptor;
        client->submitted++;
}

/* Makes descriptors visible; true if the daemon asked to be rung. */
_unused_ static bool client_submit(Client *client) {
        uint32_t before = client->published, want;

        client->published = client->submitted;
        __atomic_store_n(&client->request->submit.submit_index, client->published, __ATOMIC_SEQ_CST);
        want = __atomic_load_n(&client->response->consumed.submit_want, __ATOMIC_SEQ_CST);
        return FRAMEKEY_ABI_PASSES(want, before, client->published);
}

/* A frame of `len` bytes of its cookie's pattern. */
_unused_ static void client_frame(Client *client, uint32_t slot, uint64_t cookie, uint32_t len) {
        fill(client, slot, cookie, len);
        client_push(client,
                    &(struct framekey_abi_descriptor){ .cookie = cookie, .stream = 3, .slot = slot, .frame_len = len });
}

_unused_ static bool client_pop(Client *client, struct framekey_abi_completion *ret) {
        if (__atomic_load_n(&client->response->completion.completion_index, __ATOMIC_ACQUIRE) == client->reaped)
                return false;
        *ret = *completion_at(client, client->reaped);
        client->reaped++;
        __atomic_store_n(&client->request->reap.completion_consumed, client->reaped, __ATOMIC_RELEASE);
        return true;
}

_unused_ static void set_submit_index(const Client *client, uint32_t index) {
        __atomic_store_n(&client->request->submit.submit_index, index, __ATOMIC_SEQ_CST);
}

_unused_ static void set_consumed(const Client *client, uint32_t index) {
        __atomic_store_n(&client->request->reap.completion_consumed, index, __ATOMIC_SEQ_CST);
}

_unused_ static void set_want(const Client *client, uint32_t index) {
        __atomic_store_n(&client->request->reap.completion_want, index, __ATOMIC_SEQ_CST);
}

/* Hints waiting in the client's end. */
_unused_ static int hints(int wakeup) {
        int n = -1;

        ck_assert_int_eq(ioctl(wakeup, FIONREAD, &n), 0);
        return n;
}

_unused_ static void take_hints(int wakeup) {
        uint8_t bytes[4096];

        while (read(wakeup, bytes, sizeof(bytes)) > 0)
                ;
}

/* ---- the daemon ---- */

_unused_ static void answer(Ring *ring, const RingRequest *request) {
        for (uint32_t i = 0; i < request->frame_len; i++)
                turned[i] = TURNED(request->frame[i]);
        ring_complete(ring, request,
                      &(RingCompletion){ .frame_len = request->frame_len, .clear_len = request->clear_len }, turned);
}

/* One request as the server does it: answered if good, refused if bad. */
_unused_ static int serve_one(Ring *ring) {
        RingRequest request;
        int r = ring_fetch(ring, scratch, &request);

        if (r == 0)
                answer(ring, &request);
        else if (r == RING_BAD_REQUEST)
                ring_complete(ring, &request, &(RingCompletion){ .verdict = VERDICT_REFUSED }, NULL);
        return r;
}

/* Until there is nothing to do; why it ended. */
_unused_ static int serve_all(Ring *ring) {
        int r;

        do
                r = serve_one(ring);
        while (r == 0 || r == RING_BAD_REQUEST);
        ring_publish(ring);
        return r;
}

_unused_ static void start_at(Ring **ret_ring, Client *ret_client, const RingConfig *config, uint32_t first) {
        RingFds fds;

        ck_assert_int_eq(ring_new_at(ret_ring, config, first, &fds), 0);
        client_open(ret_client, &fds);
}

_unused_ static void start(Ring **ret_ring, Client *ret_client) {
        start_at(ret_ring, ret_client, &small_config, 0);
}

_unused_ static void stop(Ring *ring, Client *client) {
        client_close(client);
        ring_free(ring);
}

/* ---- both ---- */

/* One frame there and back, every byte compared. */
_unused_ static void round_trip(Ring *ring, Client *client, uint32_t slot, uint64_t cookie, uint32_t len) {
        struct framekey_abi_completion c;

        client_frame(client, slot, cookie, len);
        (void)client_submit(client);
        ck_assert_int_eq(serve_all(ring), RING_EMPTY);
        ck_assert(client_pop(client, &c));
        ck_assert_uint_eq(c.cookie, cookie);
        ck_assert_uint_eq(c.slot, slot);
        ck_assert_uint_eq(c.stream, 3);
        ck_assert_int_eq(c.verdict, 0);
        ck_assert_uint_eq(c.frame_len, len);
        for (uint32_t i = 0; i < len; i++)
                ck_assert_uint_eq(slot_out(client, slot)[i], TURNED(pattern(cookie, i)));
        ck_assert(!client_pop(client, &c));
}

/* Completes `n` frames, publishes all but the last `unpublished`. */
_unused_ static void complete_some(Ring *ring, Client *client, uint32_t n, uint32_t unpublished) {
        for (uint32_t i = 0; i < n; i++)
                client_frame(client, i, i, 10);
        (void)client_submit(client);
        for (uint32_t i = 0; i < n; i++) {
                ck_assert_int_eq(serve_one(ring), 0);
                if (i + 1 == n - unpublished)
                        ring_publish(ring);
        }
}
