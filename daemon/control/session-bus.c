/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.framekey1.Session: participants, keys and channels of one call, for its owners. */
#include "control/errors.h"
#include "control/key-options.h"
#include "control/object-tree.h"
#include "control/operation.h"
#include "control/request.h"
#include "control/statistics.h"

#include <assert.h>

static AuditRecord record_of(AuditAction action, const Caller *caller, const char *participant, uint32_t index) {
        return (AuditRecord){
                .action = action, .caller = caller, .participant = participant, .index = index, .step = AUDIT_NO_NUMBER
        };
}

/* ---- participants ---- */

static const OptionWord roles[] = { { "local", true }, { "remote", false }, { NULL, 0 } };

static int add_participant(SessionObject *session, const char *identity, const char *role, ParticipantObject **ret,
                           sd_bus_error *error) {
        const OptionWord *word = roles;
        int r;

        while (word->word && strcmp(word->word, role) != 0)
                word++;
        if (!word->word)
                return error_set_invalid(error, "The role is '%.64s'; it must be local or remote.", role);
        if (identity[0] == '\0')
                return error_set_invalid(error, "The identity is empty; the empty one stands for the shared key.");
        r = request_check_text("identity", identity, PARTICIPANT_IDENTITY_MAX, error);
        if (r < 0)
                return r;
        r = participant_object_new(ret, session, identity, word->value);
        if (r == PARTICIPANT_EXISTS)
                return error_set(error, ERROR_PARTICIPANT_EXISTS);
        if (r == PARTICIPANT_QUOTA)
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Your quota of %" PRIu64 " participants is used up; remove some, or ask the "
                                  "administrator for more.",
                                  quota_limit(session->daemon->quota, QUOTA_PARTICIPANTS));
        return r;
}

static int method_add_participant(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        ParticipantObject *participant;
        const char *identity, *role;
        AuditRecord record;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ss", &identity, &role);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_ADD_PARTICIPANT, &caller, error);
        if (r < 0)
                return r;
        r = add_participant(session, identity, role, &participant, error);
        record = record_of(AUDIT_ADD_PARTICIPANT, &caller, identity, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        session_object_invalidate(session, "Participants");
        return sd_bus_reply_method_return(message, "o", participant->path);
}

static int method_remove_participant(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        ParticipantObject *participant;
        const char *identity;
        AuditRecord record;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &identity);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_REMOVE_PARTICIPANT, &caller, error);
        if (r < 0)
                return r;
        participant = session_object_participant(session, identity);
        r = participant ? 0 : error_set(error, ERROR_NO_SUCH_PARTICIPANT);
        record = record_of(AUDIT_REMOVE_PARTICIPANT, &caller, identity, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        (void)participant_object_free(participant);
        session_object_invalidate(session, "Participants");
        return sd_bus_reply_method_return(message, NULL);
}

/* ---- keys ---- */

static const Option key_options[] = {
        KEY_OPTION_ROWS(KeyOptions),
        { .name = "step", .type = OPTION_U32, .offset = offsetof(KeyOptions, step), .max = SESSION_STEP_MAX },
        { .name = "activate", .type = OPTION_BOOL, .offset = offsetof(KeyOptions, activate) },
        { .name = "allow-empty", .type = OPTION_BOOL, .offset = offsetof(KeyOptions, allow_empty) },
        { .name = NULL },
};

static int read_key_options(sd_bus_message *message, KeyOptions *options, sd_bus_error *error) {
        int r;

        r = options_read(message, key_options, options, error);
        if (r < 0)
                return r;
        return key_options_check(&options->schedule, error);
}

static int method_import_key(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        KeyOptions options = { .schedule = session->schedule };
        OperationRequest request = { .session = session, .message = message };
        Caller caller;
        int r, fd;

        r = sd_bus_message_read(message, "suh", &request.identity, &request.index, &fd);
        if (r < 0)
                return r;
        r = read_key_options(message, &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_IMPORT_KEY, &caller, error);
        if (r < 0)
                return r;
        r = request_check_unlocked(session->daemon, error);
        if (r < 0)
                return r;
        request.caller = &caller;
        r = operation_import(&request, fd, &options, error);
        return r < 0 ? r : 1;
}

static int method_generate_key(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        KeyOptions options = { .schedule = session->schedule };
        OperationRequest request = { .session = session, .message = message };
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "su", &request.identity, &request.index);
        if (r < 0)
                return r;
        /* Stretching is for passphrases; random bytes need none. */
        options.schedule.kdf = SCHEDULE_HKDF;
        r = read_key_options(message, &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_GENERATE_KEY, &caller, error);
        if (r < 0)
                return r;
        r = request_check_unlocked(session->daemon, error);
        if (r < 0)
                return r;
        request.caller = &caller;
        r = operation_generate(&request, &options, error);
        return r < 0 ? r : 1;
}

typedef struct RatchetOptions {
        uint32_t index;
} RatchetOptions;

static const Option ratchet_options[] = {
        { .name = "index", .type = OPTION_U32, .offset = offsetof(RatchetOptions, index), .max = UINT32_MAX },
        { .name = NULL },
};

static int method_ratchet(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        RatchetOptions options = { .index = SESSION_ACTIVE };
        OperationRequest request = { .session = session, .message = message };
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "s", &request.identity);
        if (r < 0)
                return r;
        r = options_read(message, ratchet_options, &options, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_RATCHET, &caller, error);
        if (r < 0)
                return r;
        request.index = options.index;
        request.caller = &caller;
        r = operation_ratchet(&request, error);
        return r < 0 ? r : 1;
}

/* Participant's number, SESSION_SHARED for "". */
static int participant_id(const SessionObject *session, const char *identity, uint32_t *ret, sd_bus_error *error) {
        const ParticipantObject *participant = session_object_participant(session, identity);

        if (!participant && identity[0] != '\0')
                return error_set(error, ERROR_NO_SUCH_PARTICIPANT);
        *ret = participant ? participant->id : SESSION_SHARED;
        return 0;
}

static int activate(SessionObject *session, const char *identity, uint32_t index, sd_bus_error *error) {
        uint32_t id = 0;
        int r;

        r = participant_id(session, identity, &id, error);
        if (r < 0)
                return r;
        r = session_activate(session->session, id, index);
        if (r != 0)
                return error_set_outcome(error, r);
        session_object_emit(session, "KeyActivated", "su", identity, index);
        return 0;
}

static int retire(SessionObject *session, const char *identity, uint32_t index, sd_bus_error *error) {
        SessionKeyInfo info = { 0 };
        uint32_t id = 0;
        int r;

        r = participant_id(session, identity, &id, error);
        if (r < 0)
                return r;
        r = session_key_info(session->session, id, index, &info);
        if (r == 0)
                r = session_retire(session->session, id, index);
        if (r != 0)
                return error_set_outcome(error, r);
        (void)session_object_settle_keys(session); /* fewer: never refused */
        session_object_emit(session, "KeyWiped", "suu", identity, index, info.step);
        return 0;
}

/* Activate and RetireKey: a participant, an index, no answer. */
static int key_call(SessionObject *session, sd_bus_message *message, AuditAction action, sd_bus_error *error) {
        AuditRecord record;
        const char *identity;
        Caller caller;
        uint32_t index;
        int r;

        r = sd_bus_message_read(message, "su", &identity, &index);
        if (r < 0)
                return r;
        r = request_change(session, message, action, &caller, error);
        if (r < 0)
                return r;
        r = action == AUDIT_ACTIVATE ? activate(session, identity, index, error)
                                     : retire(session, identity, index, error);
        record = record_of(action, &caller, identity, index);
        (void)request_audit(session, &record, r, error);
        return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}

static int method_activate(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return key_call(userdata, message, AUDIT_ACTIVATE, error);
}

static int method_retire_key(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        return key_call(userdata, message, AUDIT_RETIRE_KEY, error);
}

/* ---- channels ---- */

/* Enough for a call: audio of a few tracks in flight, video, and one frame of the largest size. */
#define SMALL_SLOTS   32u
#define VIDEO_SLOTS   8u
#define JUMBO_SLOTS   1u
#define STREAMS       64u
#define SLOTS_LIMIT   1023u
#define STREAMS_LIMIT 4096u

static const Option channel_options[] = {
        { .name = "small-slots", .type = OPTION_U32, .offset = offsetof(RingConfig, n_slots[0]), .max = SLOTS_LIMIT },
        { .name = "video-slots", .type = OPTION_U32, .offset = offsetof(RingConfig, n_slots[1]), .max = SLOTS_LIMIT },
        { .name = "jumbo-slots", .type = OPTION_U32, .offset = offsetof(RingConfig, n_slots[2]), .max = SLOTS_LIMIT },
        { .name = "streams",
          .type = OPTION_U32,
          .offset = offsetof(RingConfig, n_streams),
          .min = 1,
          .max = STREAMS_LIMIT },
        { .name = NULL },
};

static int open_channel(SessionObject *session, const RingConfig *config, ChannelObject **ret, RingFds *ret_fds,
                        sd_bus_error *error) {
        const Quota *quota = session->daemon->quota;
        uint64_t n_slots = (uint64_t)config->n_slots[0] + config->n_slots[1] + config->n_slots[2];
        int r;

        if (n_slots == 0 || n_slots > SLOTS_LIMIT)
                return error_set_invalid(error,
                                         "The slots of all sizes are %" PRIu64 "; they must be between 1 and %u.",
                                         n_slots, SLOTS_LIMIT);
        r = channel_object_new(ret, session, config, ret_fds);
        switch (r) {
        case CHANNEL_QUOTA_COUNT:
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "Your quota of %" PRIu64 " channels is used up; close some, or ask the administrator "
                                  "for more.",
                                  quota_limit(quota, QUOTA_CHANNELS));
        case CHANNEL_QUOTA_BYTES:
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "This channel takes %" PRIu64 " bytes and your quota is %" PRIu64 " for all; ask for "
                                  "fewer slots, or close channels.",
                                  ring_size(config), quota_limit(quota, QUOTA_REGION_BYTES));
        case -EMFILE:
        case -ENFILE:
                return sd_bus_error_set_const(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                              "The daemon is out of descriptors; close channels, or have the "
                                              "administrator raise LimitNOFILE.");
        case -ENOMEM:
                return sd_bus_error_set_const(error, SD_BUS_ERROR_NO_MEMORY,
                                              "There is no memory for a channel of this size; ask for fewer slots.");
        default:
                return r;
        }
}

static void ring_fds_close(RingFds *fds) {
        fds->request = close_fd(fds->request);
        fds->response = close_fd(fds->response);
        fds->doorbell = close_fd(fds->doorbell);
        fds->wakeup = close_fd(fds->wakeup);
}

static int method_open_channel(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(ring_fds_close) RingFds fds = { -EBADF, -EBADF, -EBADF, -EBADF };
        SessionObject *session = userdata;
        RingConfig config = { .n_slots = { SMALL_SLOTS, VIDEO_SLOTS, JUMBO_SLOTS }, .n_streams = STREAMS };
        ChannelObject *channel = NULL;
        AuditRecord record;
        Caller caller;
        int r;

        r = options_read(message, channel_options, &config, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_OPEN_CHANNEL, &caller, error);
        if (r < 0)
                return r;
        r = request_check_unlocked(session->daemon, error);
        if (r < 0)
                return r;
        config.same_uid = caller.uid == geteuid();
        r = open_channel(session, &config, &channel, &fds, error);
        record = record_of(AUDIT_OPEN_CHANNEL, &caller, NULL, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, r, error);
        if (r < 0)
                return r;
        r = sd_bus_reply_method_return(message, "ohhhh", channel->path, fds.request, fds.response, fds.doorbell,
                                       fds.wakeup);
        if (r < 0)
                (void)channel_object_free(channel); /* nobody has its descriptors */
        return r;
}

static int add_stream(SessionObject *session, ChannelObject *channel, const StreamRow *row, uint32_t *ret,
                      sd_bus_error *error) {
        int r;

        r = channel_object_add_stream(channel, row, ret);
        switch (r) {
        case -EOPNOTSUPP:
                return error_set(error, ERROR_UNSUPPORTED_CODEC);
        case -ENOSPC:
                return error_setf(error, ERROR_QUOTA_EXCEEDED,
                                  "The channel's stream table is full; remove streams, or open the channel with a "
                                  "larger option streams.");
        case -ENOMEM:
                return -ENOMEM;
        default:
                return r == 0 ? 0 : error_set_outcome(error, r);
        }
}

static int parse_stream(const SessionObject *session, const char *const names[4], StreamRow *ret, sd_bus_error *error) {
        ret->participant = session_object_participant(session, names[0]);
        if (!ret->participant)
                return error_set(error, ERROR_NO_SUCH_PARTICIPANT);
        ret->direction = framekey_direction_from_name(names[1]);
        if (ret->direction == 0)
                return error_set_invalid(error, "The direction is '%.64s'; it must be encrypt or decrypt.", names[1]);
        ret->media = framekey_media_from_name(names[2]);
        if (ret->media == 0)
                return error_set_invalid(error, "The media is '%.64s'; it must be audio, video or data.", names[2]);
        ret->codec = framekey_codec_from_name(names[3]);
        /* "" and "unknown": each frame says its codec. */
        if (ret->codec == FRAMEKEY_CODEC_UNKNOWN && names[3][0] != '\0' && strcmp(names[3], "unknown") != 0)
                return error_setf(error, ERROR_UNSUPPORTED_CODEC,
                                  "There is no codec '%.64s' here; org.framekey1(5) lists the names.", names[3]);
        return 0;
}

static ChannelObject *channel_by_path(const SessionObject *session, const char *path) {
        return session_object_channel(session, object_tree_channel_number(session, path));
}

static int method_add_stream(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        ChannelObject *channel;
        const char *path, *names[4];
        StreamRow row = { 0 };
        uint32_t stream = 0;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ossss", &path, &names[0], &names[1], &names[2], &names[3]);
        if (r < 0)
                return r;
        r = options_read(message, options_none, NULL, error);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_OPEN_CHANNEL, &caller, error);
        if (r < 0)
                return r;
        channel = channel_by_path(session, path);
        if (!channel)
                return error_set(error, ERROR_NO_SUCH_CHANNEL);
        r = parse_stream(session, names, &row, error);
        if (r < 0)
                return r;
        r = add_stream(session, channel, &row, &stream, error);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(message, "u", stream);
}

static int method_remove_stream(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        ChannelObject *channel;
        const char *path;
        uint32_t stream;
        Caller caller;
        int r;

        r = sd_bus_message_read(message, "ou", &path, &stream);
        if (r < 0)
                return r;
        r = request_change(session, message, AUDIT_OPEN_CHANNEL, &caller, error);
        if (r < 0)
                return r;
        channel = channel_by_path(session, path);
        if (!channel)
                return error_set(error, ERROR_NO_SUCH_CHANNEL);
        if (channel_object_remove_stream(channel, stream) < 0)
                return error_set(error, ERROR_NO_SUCH_STREAM);
        return sd_bus_reply_method_return(message, NULL);
}

/* ---- the session itself ---- */

static int method_attach_session(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        AuditRecord record;
        Caller caller;
        int r;

        r = caller_get(&session->daemon->callers, message, &caller);
        if (r < 0)
                return r;
        r = session_object_attach(session, &caller);
        if (r == -EPERM)
                r = error_setf(error, ERROR_NOT_OWNER,
                               "This session is its opener's alone; have it opened with exclusive=false, by the user "
                               "who wants to attach.");
        else if (r == -EDQUOT)
                r = error_setf(error, ERROR_QUOTA_EXCEEDED,
                               "%u connections are attached to this session already; let some of them go.",
                               SESSION_ATTACHED_MAX);
        record = record_of(AUDIT_ATTACH_SESSION, &caller, NULL, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, r, error);
        return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}

static int method_get_statistics(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        SessionObject *session = userdata;
        SessionCounters sum = { 0 };
        int r;

        for (ParticipantObject *p = session->by_identity; p; p = p->by_identity.next) {
                SessionParticipantInfo info;

                if (session_participant_info(session->session, p->id, &info) == 0)
                        statistics_add(&sum, &info.counters);
        }
        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r >= 0)
                r = statistics_append(reply, &sum);
        if (r >= 0)
                r = statistics_append_number(reply, "participants", HASH_CNT(by_identity, session->by_identity));
        if (r >= 0)
                r = statistics_append_number(reply, "channels", HASH_COUNT(session->channels));
        if (r >= 0)
                r = statistics_append_number(reply, "keys", session_n_keys(session->session));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int method_close(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        SessionObject *session = userdata;
        AuditRecord record;
        Caller caller;
        int r;

        r = request_change(session, message, AUDIT_CLOSE_SESSION, &caller, error);
        if (r < 0)
                return r;
        record = record_of(AUDIT_CLOSE_SESSION, &caller, NULL, AUDIT_NO_NUMBER);
        (void)request_audit(session, &record, 0, NULL);
        (void)session_object_free(session);
        return sd_bus_reply_method_return(message, NULL);
}

/* ---- properties ---- */

static int property_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        const SessionConfig *config = session_config(session->session);
        const char *text;

        if (strcmp(property, "Profile") == 0)
                text = framekey_format_name(config->format);
        else if (strcmp(property, "Preset") == 0)
                text = session->preset->name;
        else if (strcmp(property, "CipherSuite") == 0)
                text = key_options_suite(&session->schedule);
        else if (strcmp(property, "KeyMode") == 0)
                text = config->shared ? "shared" : "participant";
        else
                text = session->orphaned ? "" : session->owner.name; /* Owner */
        return sd_bus_message_append(reply, "s", text);
}

static int property_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                           sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        const SessionConfig *config = session_config(session->session);

        if (strcmp(property, "GraceUSec") == 0)
                return sd_bus_message_append(reply, "t", config->grace_usec);
        if (strcmp(property, "RatchetWindow") == 0)
                return sd_bus_message_append(reply, "u", config->ratchet_window);
        if (strcmp(property, "RingSize") == 0)
                return sd_bus_message_append(reply, "u", config->ring_size);
        return sd_bus_message_append(reply, "u", (uint32_t)session->owner.uid); /* OwnerUID */
}

static int property_participants(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const SessionObject *session = userdata;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        for (const ParticipantObject *p = session->by_identity; p; p = p->by_identity.next) {
                r = sd_bus_message_append(reply, "s", p->identity);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(reply);
}

const sd_bus_vtable session_bus_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Id", "s", NULL, offsetof(SessionObject, id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Label", "s", NULL, offsetof(SessionObject, label), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Profile", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Preset", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("CipherSuite", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("KeyMode", "s", property_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Owner", "s", property_text, 0, 0),
        SD_BUS_PROPERTY("OwnerUID", "u", property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("GraceUSec", "t", property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("RatchetWindow", "u", property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("RingSize", "u", property_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Participants", "as", property_participants, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
        SD_BUS_METHOD_WITH_ARGS("AddParticipant", SD_BUS_ARGS("s", identity, "s", role, "a{sv}", options),
                                SD_BUS_RESULT("o", path), method_add_participant, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveParticipant", SD_BUS_ARGS("s", identity, "a{sv}", options), SD_BUS_NO_RESULT,
                                method_remove_participant, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ImportKey", SD_BUS_ARGS("s", participant, "u", index, "h", secret, "a{sv}", options),
                                SD_BUS_RESULT("t", generation), method_import_key,
                                SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_SENSITIVE),
        SD_BUS_METHOD_WITH_ARGS("GenerateKey", SD_BUS_ARGS("s", participant, "u", index, "a{sv}", options),
                                SD_BUS_RESULT("t", generation), method_generate_key, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Ratchet", SD_BUS_ARGS("s", participant, "a{sv}", options), SD_BUS_RESULT("u", step),
                                method_ratchet, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Activate", SD_BUS_ARGS("s", participant, "u", index), SD_BUS_NO_RESULT,
                                method_activate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RetireKey", SD_BUS_ARGS("s", participant, "u", index), SD_BUS_NO_RESULT,
                                method_retire_key, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenChannel", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("o", channel, "h", request, "h", response, "h", doorbell, "h", wakeup),
                                method_open_channel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS(
                "AddStream",
                SD_BUS_ARGS("o", channel, "s", participant, "s", direction, "s", media, "s", codec, "a{sv}", options),
                SD_BUS_RESULT("u", stream), method_add_stream, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RemoveStream", SD_BUS_ARGS("o", channel, "u", stream), SD_BUS_NO_RESULT,
                                method_remove_stream, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("AttachSession", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_attach_session,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetStatistics", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", statistics),
                                method_get_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Close", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_close, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("KeyInstalled", SD_BUS_ARGS("s", participant, "u", index, "t", generation, "u", step),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("KeyActivated", SD_BUS_ARGS("s", participant, "u", index), 0),
        SD_BUS_SIGNAL_WITH_ARGS("KeyRatcheted", SD_BUS_ARGS("s", participant, "u", index, "u", step), 0),
        SD_BUS_SIGNAL_WITH_ARGS("KeyWiped", SD_BUS_ARGS("s", participant, "u", index, "u", step), 0),
        SD_BUS_VTABLE_END,
};
