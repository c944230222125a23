/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring that goes from process to process: killed behind any instruction, each frame is answered once, and what was
 * kept of another ring, or was changed, is refused. */
#include "ring-fixture.h"

#include "channel/ring-state.h"

#include "runner.h"
#include "step-killer.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#define TURN_FRAMES 4u
#define FRAME_LEN   24u
#define COOKIES     4096u
#define DEATHS      40u
#define REPLAYED    4

/* As the daemon's state memory, with the least a key plane can have: frames that were opened, and a counter. */
typedef struct Memory {
        UndoLog log;
        uint64_t n_opened;
        uint64_t opened[COOKIES / 64]; /* by cookie; odd ones are opened, even ones sealed */
        uint64_t counter;              /* never goes back */
        uint64_t ring[320];            /* RingState */
} Memory;

typedef struct Stage {
        Memory *memory;
        RingConfig config;
        RingKept kept;
        Client client;
        uint64_t submitted; /* frames, whose cookies count from 1 */
        uint64_t answered;
        uint64_t counter; /* of the last sealed frame */
} Stage;

static RingState *ring_state(const Stage *stage) {
        return (RingState *)stage->memory->ring;
}

static Undo stage_undo(const Stage *stage) {
        return (Undo){ .log = &stage->memory->log,
                       .state = (uint8_t *)stage->memory,
                       .state_size = sizeof(*stage->memory) };
}

static int copy_fd(int fd) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

        ck_assert_int_ge(copy, 0);
        return copy;
}

static RingKept kept_copy(const RingKept *kept) {
        return (RingKept){
                .request = copy_fd(kept->request),
                .response = copy_fd(kept->response),
                .doorbell = copy_fd(kept->doorbell),
                .wakeup = copy_fd(kept->wakeup),
        };
}

static void kept_close(RingKept *kept) {
        kept->request = close_fd(kept->request);
        kept->response = close_fd(kept->response);
        kept->doorbell = close_fd(kept->doorbell);
        kept->wakeup = close_fd(kept->wakeup);
}

/* A ring of a process that has left it. */
static void stage_start(Stage *stage, uint32_t first_index) {
        static const RingStream stream = { .direction = 1, .format = 2, .media = 1, .codec = 1, .overhead = 30 };
        RingKept kept;
        RingFds fds;
        Ring *ring;

        *stage = (Stage){ .config = { .n_slots = { 10, 1, 0 }, .n_streams = 4 } };
        stage->memory = mmap(NULL, sizeof(*stage->memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(stage->memory, MAP_FAILED);
        ck_assert_uint_le(ring_state_size(&stage->config), sizeof(stage->memory->ring));
        stage->config.state = ring_state(stage);
        ck_assert_int_eq(ring_new_at(&ring, &stage->config, first_index, &fds), 0);
        ring_set_stream(ring, 3, &stream);
        ring_kept_fds(ring, &kept);
        stage->kept = kept_copy(&kept);
        ring_kept(ring);
        ring_leave(ring);
        ring_free(ring);
        client_open(&stage->client, &fds);
}

static void stage_end(Stage *stage) {
        kept_close(&stage->kept);
        client_close(&stage->client);
        ck_assert_int_eq(munmap(stage->memory, sizeof(*stage->memory)), 0);
}

static Ring *adopt(const Stage *stage) {
        RingKept kept = kept_copy(&stage->kept);
        Ring *ring;

        ck_assert_int_eq(ring_adopt(&ring, ring_state(stage), &kept), 0);
        return ring;
}

/* ---- the daemon ---- */

static void open_once(Memory *memory, Undo *undo, const RingRequest *request, RingCompletion *completion) {
        uint64_t *word = &memory->opened[request->cookie / 64 % ELEMENTS(memory->opened)];
        uint64_t bit = UINT64_C(1) << request->cookie % 64;

        if (*word & bit) {
                completion->verdict = REPLAYED;
                completion->frame_len = 0;
                return;
        }
        (void)undo_note(undo, word, sizeof(*word));
        *word |= bit;
        (void)undo_note(undo, &memory->n_opened, sizeof(memory->n_opened));
        memory->n_opened++;
        for (uint32_t i = 0; i < request->frame_len; i++)
                turned[i] = TURNED(request->frame[i]);
}

static void take_turn(const Stage *stage, Ring *ring, Undo *undo) {
        RingRequest request;

        for (unsigned i = 0; i < TURN_FRAMES && ring_fetch(ring, scratch, &request) == 0; i++) {
                RingCompletion completion = { .frame_len = request.frame_len };

                if (request.cookie % 2 == 0) {
                        uint64_t counter = ++stage->memory->counter;

                        memcpy(turned, &counter, sizeof(counter));
                        memcpy(turned + sizeof(counter), request.frame, request.frame_len - sizeof(counter));
                } else
                        open_once(stage->memory, undo, &request, &completion);
                ring_complete(ring, &request, &completion, turned);
        }
        ring_commit(ring, undo);
        ring_publish(ring);
}

/* A daemon from its start to its death. It stands still once, when it has taken over. */
static void live(void *argument) {
        const Stage *stage = argument;
        Undo undo = stage_undo(stage);
        RingKept kept = stage->kept;
        Ring *ring;

        if (undo_recover(&undo) < 0 || ring_adopt(&ring, ring_state(stage), &kept) < 0)
                abort();
        ring_resume(ring);
        (void)raise(SIGSTOP);
        while (ring_pending(ring) > 0)
                take_turn(stage, ring, &undo);
}

/* ---- the client ---- */

static void submit_some(Stage *stage, uint64_t *seed) {
        uint64_t waiting = stage->submitted - stage->answered, n = random_below(seed, 11 - waiting);

        for (uint64_t i = 0; i < n; i++) {
                uint64_t cookie = ++stage->submitted;

                client_frame(&stage->client, (uint32_t)(cookie % 10), cookie, FRAME_LEN);
        }
        (void)client_submit(&stage->client);
}

static void check_answers(Stage *stage) {
        struct framekey_abi_completion c;

        while (client_pop(&stage->client, &c)) {
                const uint8_t *out = slot_out(&stage->client, c.slot);
                uint64_t counter;

                ck_assert_uint_eq(c.cookie, ++stage->answered); /* none lost, none twice */
                ck_assert_int_eq(c.verdict, 0);
                ck_assert_uint_eq(c.slot, c.cookie % 10);
                ck_assert_uint_eq(c.frame_len, FRAME_LEN);
                if (c.cookie % 2 == 0) {
                        memcpy(&counter, out, sizeof(counter));
                        ck_assert_uint_gt(counter, stage->counter);
                        stage->counter = counter;
                        for (uint32_t i = 8; i < FRAME_LEN; i++)
                                ck_assert_uint_eq(out[i], pattern(c.cookie, i - 8));
                } else
                        for (uint32_t i = 0; i < FRAME_LEN; i++)
                                ck_assert_uint_eq(out[i], TURNED(pattern(c.cookie, i)));
        }
        ck_assert_uint_le(stage->answered, stage->submitted);
}

/* ---- deaths ---- */

static unsigned long run(Stage *stage, bool from_start, unsigned long n_steps) {
        pid_t child = step_start(live, stage);
        unsigned long n = 0;

        if (!from_start)
                step_skip(child);
        while (n < n_steps && step_once(child))
                n++;
        step_kill(child);
        return n;
}

static void run_to_the_end(Stage *stage) {
        pid_t child = step_start(live, stage);

        step_skip(child);
        step_skip(child);
        step_kill(child);
}

/* Closer together than the few instructions between a turn's last acts. */
START_TEST(a_turn_of_one_frame_may_be_cut_off_anywhere) {
        unsigned long n_steps = 0;
        Stage stage;

        if (!can_step())
                return;
        stage_start(&stage, 0);
        for (unsigned long n = 0; n <= n_steps; n += 4) {
                uint64_t cookie = ++stage.submitted;

                client_frame(&stage.client, (uint32_t)(cookie % 10), cookie, FRAME_LEN);
                (void)client_submit(&stage.client);
                if (n_steps == 0)
                        n_steps = run(&stage, false, NEVER);
                else
                        (void)run(&stage, false, n);
                check_answers(&stage);
                run_to_the_end(&stage);
                check_answers(&stage);
                ck_assert_uint_eq(stage.answered, stage.submitted);
        }
        stage_end(&stage);
}
END_TEST

START_TEST(each_frame_is_answered_once_whenever_the_daemon_dies) {
        static const uint32_t firsts[] = { 0, UINT32_MAX - 100 };
        uint64_t seed = 42;

        if (!can_step())
                return;
        for (size_t f = 0; f < ELEMENTS(firsts); f++) {
                unsigned long start_steps, turn_steps;
                Stage stage;

                stage_start(&stage, firsts[f]);
                start_steps = run(&stage, true, NEVER);
                while (stage.submitted < 8)
                        submit_some(&stage, &seed);
                turn_steps = run(&stage, false, NEVER);
                check_answers(&stage);
                for (unsigned i = 0; i < DEATHS / ELEMENTS(firsts); i++) {
                        submit_some(&stage, &seed);
                        if (i % 5 == 0)
                                (void)run(&stage, true, random_below(&seed, start_steps));
                        else
                                (void)run(&stage, false, random_below(&seed, turn_steps));
                        if (random_below(&seed, 2))
                                check_answers(&stage);
                }
                run_to_the_end(&stage);
                check_answers(&stage);
                ck_assert_uint_eq(stage.answered, stage.submitted);
                ck_assert_uint_gt(stage.answered, DEATHS / 2);
                ck_assert_uint_eq(stage.memory->n_opened, (stage.answered + 1) / 2);
                stage_end(&stage);
        }
}
END_TEST

/* ---- what a client sees ---- */

START_TEST(client_sees_an_epoch_and_one_wake_up) {
        Stage stage;
        Ring *ring;

        stage_start(&stage, 7);
        for (uint32_t epoch = 1; epoch < 5; epoch++) {
                ck_assert_uint_eq(stage.client.response->state.epoch, epoch);
                take_hints(stage.client.fds.wakeup);
                ring = adopt(&stage);
                ck_assert_uint_eq(stage.client.response->state.epoch, epoch);
                ring_resume(ring);
                ck_assert_uint_eq(stage.client.response->state.epoch, epoch + 1);
                ck_assert_uint_eq(stage.client.response->state.state, FRAMEKEY_ABI_OPEN);
                ck_assert_int_eq(hints(stage.client.fds.wakeup), 1);
                ring_leave(ring);
                ring_free(ring);
        }
        stage_end(&stage);
}
END_TEST

/* Before ring_resume() nothing is said: a start that fails leaves the ring to the next one. */
START_TEST(who_only_took_over_does_not_close_it) {
        Stage stage;

        stage_start(&stage, 0);
        ring_free(adopt(&stage));
        ck_assert_uint_eq(stage.client.response->state.state, FRAMEKEY_ABI_OPEN);
        ring_free(adopt(&stage));
        stage_end(&stage);
}
END_TEST

START_TEST(streams_stay_as_they_are_when_they_are_set_again) {
        static const RingStream stream = { .direction = 1, .format = 2, .media = 1, .codec = 1, .overhead = 30 };
        static const RingStream other = { .direction = 2, .format = 2, .media = 1, .codec = 1, .overhead = 30 };
        const struct framekey_abi_stream *rows;
        struct framekey_abi_stream before;
        Stage stage;
        Ring *ring;

        stage_start(&stage, 0);
        rows = (const void *)((const uint8_t *)stage.client.response + stage.client.layout.stream_offset);
        before = rows[3];
        ck_assert_uint_eq(before.generation & 1, 1);
        ring = adopt(&stage);
        ring_set_stream(ring, 3, &stream);
        ring_set_stream(ring, 2, &(RingStream){ 0 });
        ck_assert_int_eq(memcmp(&before, &rows[3], sizeof(before)), 0);
        ck_assert_uint_eq(rows[2].generation & 1, 0);
        /* Another stream in its place has a generation that no process gave before. */
        ring_set_stream(ring, 3, &other);
        ck_assert_uint_gt(rows[3].generation, before.generation);
        ring_set_stream(ring, 3, &(RingStream){ 0 });
        ck_assert_uint_eq(rows[3].generation & 1, 0);
        ring_resume(ring);
        ring_free(ring);
        stage_end(&stage);
}
END_TEST

/* What was committed and not told is told by the next process, though no frame comes. */
START_TEST(committed_completions_are_told_by_the_next_process) {
        struct framekey_abi_completion c;
        Stage stage;
        Undo undo;
        Ring *ring;

        stage_start(&stage, 0);
        undo = stage_undo(&stage);
        ring = adopt(&stage);
        ring_resume(ring);
        for (uint32_t i = 0; i < 3; i++)
                client_frame(&stage.client, i, i, 10);
        (void)client_submit(&stage.client);
        ck_assert_int_eq(serve_one(ring), 0);
        ck_assert_int_eq(serve_one(ring), 0);
        ring_commit(ring, &undo);
        ck_assert_int_eq(serve_one(ring), 0);
        ck_assert(!client_pop(&stage.client, &c));
        ck_assert_uint_eq(stage.client.response->consumed.consumed_index, 0);
        ring_leave(ring);
        ring_free(ring);

        ring = adopt(&stage);
        ring_resume(ring);
        ck_assert_uint_eq(stage.client.response->consumed.consumed_index, 2);
        for (uint32_t i = 0; i < 2; i++) {
                ck_assert(client_pop(&stage.client, &c));
                ck_assert_uint_eq(c.cookie, i);
        }
        ck_assert(!client_pop(&stage.client, &c));
        ck_assert_uint_eq(ring_pending(ring), 1);
        ring_leave(ring);
        ring_free(ring);
        stage_end(&stage);
}
END_TEST

START_TEST(slots_not_reaped_are_still_the_clients) {
        struct framekey_abi_completion c;
        Stage stage;
        Undo undo;
        Ring *ring;

        stage_start(&stage, UINT32_MAX - 1);
        undo = stage_undo(&stage);
        ring = adopt(&stage);
        ring_resume(ring);
        complete_some(ring, &stage.client, 4, 0);
        ring_commit(ring, &undo);
        ck_assert(client_pop(&stage.client, &c)); /* slot 0 is free again */
        ring_leave(ring);
        ring_free(ring);

        ring = adopt(&stage);
        ring_resume(ring);
        for (uint32_t slot = 0; slot < 5; slot++)
                client_frame(&stage.client, slot, 100 + slot, 10);
        (void)client_submit(&stage.client);
        ck_assert_int_eq(serve_one(ring), 0);
        for (uint32_t slot = 1; slot < 4; slot++)
                ck_assert_int_eq(serve_one(ring), RING_BAD_REQUEST);
        ck_assert_int_eq(serve_one(ring), 0);
        ring_leave(ring);
        ring_free(ring);
        stage_end(&stage);
}
END_TEST

START_TEST(indices_that_lie_break_the_ring_after_a_restart_too) {
        static const uint32_t lies[] = { 1, 1000, UINT32_MAX - 16, 1u << 31 };

        for (size_t i = 0; i < 2 * ELEMENTS(lies); i++) {
                Stage stage;
                Ring *ring;

                stage_start(&stage, 0);
                if (i % 2)
                        set_consumed(&stage.client, lies[i / 2]);
                else
                        set_submit_index(&stage.client, lies[i / 2] + 16); /* more than there are entries */
                ring = adopt(&stage);
                ring_resume(ring);
                ck_assert_uint_eq(ring_pending(ring), 0);
                ck_assert_int_eq(serve_one(ring), RING_BROKEN);
                ring_free(ring);
                stage_end(&stage);
        }
}
END_TEST

/* ---- what is not taken over ---- */

static int n_descriptors(void) {
        int n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void refuse(const Stage *stage, RingKept *kept) {
        uint8_t before[sizeof(stage->memory->ring)];
        RingState *state = ring_state(stage);
        int n = n_descriptors();
        Ring *ring = NULL;

        memcpy(before, state, sizeof(stage->memory->ring));
        ck_assert_int_eq(ring_adopt(&ring, state, kept), -EBADMSG);
        ck_assert_ptr_null(ring);
        ck_assert_int_eq(memcmp(before, state, sizeof(stage->memory->ring)), 0);
        kept_close(kept);
        ck_assert_int_eq(n_descriptors(), n - 4);
        ck_assert_uint_eq(stage->client.response->state.epoch, 1);
}

static void swap(int *a, int *b) {
        int kept = *a;

        *a = *b;
        *b = kept;
}

START_TEST(descriptors_of_something_else_are_refused) {
        for (unsigned i = 0; i < 9; i++) {
                int other = -EBADF;
                RingKept kept;
                Stage stage;

                stage_start(&stage, 0);
                kept = kept_copy(&stage.kept);
                switch (i) {
                case 0:
                        swap(&kept.request, &kept.response);
                        break;
                case 1:
                        swap(&kept.doorbell, &kept.wakeup);
                        break;
                case 2:
                        swap(&kept.request, &kept.doorbell);
                        break;
                case 3: /* the client's read-only one */
                        kept.response = close_fd(kept.response);
                        kept.response = copy_fd(stage.client.fds.response);
                        break;
                case 4: /* of the right size, but it can be cut off */
                        other = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                        ck_assert_int_eq(ftruncate(other, stage.client.layout.request_size), 0);
                        swap(&kept.request, &other);
                        break;
                case 5:
                        other = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                        ck_assert_int_eq(ftruncate(other, stage.client.layout.response_size), 0);
                        ck_assert_int_eq(fcntl(other, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
                        swap(&kept.response, &other);
                        break;
                case 6:
                        other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                        swap(&kept.wakeup, &other);
                        break;
                case 7:
                        other = open("/dev/null", O_RDWR | O_CLOEXEC);
                        swap(&kept.doorbell, &other);
                        break;
                default:
                        other = open("/", O_RDONLY | O_CLOEXEC);
                        swap(&kept.request, &other);
                }
                (void)close_fd(other);
                refuse(&stage, &kept);
                stage_end(&stage);
        }
}
END_TEST

START_TEST(state_of_something_else_is_refused) {
        for (unsigned i = 0; i < 8; i++) {
                RingState *state;
                RingKept kept;
                Stage stage;

                stage_start(&stage, 0);
                kept = kept_copy(&stage.kept);
                state = ring_state(&stage);
                switch (i) {
                case 0:
                        state->version++;
                        break;
                case 1:
                        state->n_slots[0]++;
                        break;
                case 2:
                        state->n_slots[2] = UINT32_MAX;
                        break;
                case 3:
                        state->n_slots[0] = state->n_slots[1] = 0;
                        break;
                case 4:
                        state->n_streams = 0;
                        break;
                case 5:
                        state->same_uid = 2;
                        break;
                case 6:
                        state->done = UINT64_C(1) << 32;
                        break;
                default: /* a completion of a slot that is not there, which counts until it is reaped */
                        state->done = 1;
                        state->answered[0] = 11;
                }
                refuse(&stage, &kept);
                stage_end(&stage);
        }
}
END_TEST

START_TEST(a_closed_ring_is_not_taken_over) {
        RingKept kept;
        Stage stage;
        Ring *ring;

        stage_start(&stage, 0);
        ring = adopt(&stage);
        ring_close(ring, RING_CLOSED_PROTOCOL);
        ring_free(ring);
        kept = kept_copy(&stage.kept);
        refuse(&stage, &kept);
        stage_end(&stage);
}
END_TEST

/* A client of the daemon's own uid is not kept out by a seal then, which would keep the next process out too. */
START_TEST(rings_for_clients_of_the_own_uid_are_taken_over) {
        RingState *state;
        RingKept kept;
        Client client;
        RingFds fds;
        RingConfig config = { .n_slots = { 1, 0, 0 }, .n_streams = 1, .same_uid = true };
        Ring *ring, *next;

        state = calloc(1, ring_state_size(&config));
        config.state = state;
        ck_assert_int_eq(ring_new(&ring, &config, &fds), 0);
        client_open(&client, &fds);
        ring_kept_fds(ring, &kept);
        kept = kept_copy(&kept);
        ring_leave(ring);
        ring_free(ring);
        ck_assert_int_eq(ring_adopt(&next, state, &kept), 0);
        ring_resume(next);
        ring_free(next);
        ck_assert_uint_eq(client.response->state.state, FRAMEKEY_ABI_CLOSED);
        client_close(&client);
        free(state);
}
END_TEST

RUN_TESTS("ring-restart", a_turn_of_one_frame_may_be_cut_off_anywhere,
          each_frame_is_answered_once_whenever_the_daemon_dies, client_sees_an_epoch_and_one_wake_up,
          who_only_took_over_does_not_close_it, streams_stay_as_they_are_when_they_are_set_again,
          committed_completions_are_told_by_the_next_process, slots_not_reaped_are_still_the_clients,
          indices_that_lie_break_the_ring_after_a_restart_too, descriptors_of_something_else_are_refused,
          state_of_something_else_is_refused, a_closed_ring_is_not_taken_over,
          rings_for_clients_of_the_own_uid_are_taken_over)
