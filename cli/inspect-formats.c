/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The formats a captured frame could be of, taken apart by the parsers that the daemon and the library use; see
 * inspect.h. JSON is built as we go: memory that runs out ends the program, there is nothing to undo.
 */
#include "inspect.h"

#include "format/dave.h"
#include "format/sframe.h"
#include "format/trailer.h"

#include <err.h>
#include <inttypes.h>
#include <payload.h>
#include <stdarg.h>
#include <stdio.h>

/* Bytes of a field that are shown. */
#define SHOWN_MAX 16u

static json_t *need(json_t *value) {
        if (!value)
                errx(CLI_FAILED, "Out of memory.");
        return value;
}

static void set(json_t *object, const char *key, json_t *value) {
        if (json_object_set_new(object, key, need(value)) < 0)
                errx(CLI_FAILED, "Out of memory.");
}

static void append(json_t *array, json_t *value) {
        if (json_array_append_new(array, need(value)) < 0)
                errx(CLI_FAILED, "Out of memory.");
}

static json_t *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static json_t *text(const char *format, ...) {
        _cleanup_free_ char *line = NULL;
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&line, format, arguments) < 0)
                line = NULL;
        va_end(arguments);
        return need(line ? json_string(line) : NULL);
}

/* ---- fields ---- */

static json_t *hex_text(const uint8_t *bytes, size_t length) {
        char shown[3 * SHOWN_MAX + 8] = "", *end = shown;

        for (size_t i = 0; i < MIN_OF(length, SHOWN_MAX); i++)
                end += sprintf(end, "%s%02x", i > 0 ? " " : "", bytes[i]);
        if (length > SHOWN_MAX)
                (void)snprintf(end, sizeof(" ..."), " ...");
        return need(json_string(shown));
}

/* `value` NULL: the bytes themselves. A field without bytes is none. */
static void add_field(json_t *candidate, const uint8_t *bytes, size_t offset, size_t length, const char *name,
                      json_t *value) {
        json_t *field;

        if (length == 0) {
                json_decref(value);
                return;
        }
        field = need(
                json_pack("{s:I, s:I, s:s}", "offset", (json_int_t)offset, "length", (json_int_t)length, "name", name));
        set(field, "value", value ?: hex_text(bytes + offset, length));
        append(json_object_get(candidate, "fields"), field);
}

static json_t *candidate_new(enum framekey_format format, json_t *summary, const char *evidence) {
        return need(json_pack("{s:[s], s:o, s:s, s:[], s:[]}", "formats", framekey_format_name(format), "summary",
                              summary, "evidence", evidence, "notes", "fields"));
}

static void add_note(json_t *candidate, json_t *note) {
        append(json_object_get(candidate, "notes"), note);
}

/* Adds it, or its format to one that says the same. */
static void add_candidate(json_t *result, json_t *candidate) {
        json_t *candidates = json_object_get(result, "candidates"), *formats = json_object_get(candidate, "formats");
        json_t *last = json_array_get(candidates, json_array_size(candidates) - 1);

        if (last && json_equal(json_object_get(last, "fields"), json_object_get(candidate, "fields")) &&
            json_equal(json_object_get(last, "summary"), json_object_get(candidate, "summary"))) {
                (void)json_array_extend(json_object_get(last, "formats"), formats); /* fails without memory only */
                json_decref(candidate);
        } else
                append(candidates, candidate);
}

static void refuse(json_t *result, enum framekey_format format, json_t *reason) {
        append(json_object_get(result, "refused"),
               json_pack("{s:s, s:o}", "format", framekey_format_name(format), "reason", reason));
}

/* ---- what is clear ---- */

/* What the first bytes look like, if they are a codec's; NULL: like nothing in particular. */
static const char *looks_like(const uint8_t *bytes, size_t length) {
        size_t start = length > 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 0 && bytes[3] == 1 ? 4
                       : length > 3 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 1                ? 3
                                                                                                      : 0;

        if (start > 0)
                return "a start code of H.264 or H.265";
        if (length > 9 && !(bytes[0] & 1) && bytes[3] == 0x9d && bytes[4] == 0x01 && bytes[5] == 0x2a)
                return "a VP8 key frame";
        if (length > 2 && bytes[0] == 0x12 && bytes[1] == 0 && (bytes[2] & 0x80) == 0)
                return "AV1, with its temporal delimiter";
        return NULL;
}

static void note_looks(json_t *candidate, const Inspected *frame) {
        const char *what = looks_like(frame->bytes, frame->length);

        if (what)
                add_note(candidate, text("The first bytes look like %s.", what));
}

/* ---- trailer formats ---- */

#define TRAILER_EVIDENCE "weak: one frame in 256 of anything ends so"

/* LiveKit's metadata behind the frame; the length without it. */
static size_t strip_metadata(const Inspected *frame, struct framekey_trailer *ret) {
        size_t length = frame->length;

        *ret = (struct framekey_trailer){ .size = sizeof(*ret) };
        if (framekey_trailer_strip(frame->bytes, frame->length, ret, &length) <= 0)
                length = frame->length;
        return length;
}

/* `offset`: where it stands behind the other fields. */
static void add_metadata(json_t *candidate, const Inspected *frame, size_t length, size_t offset,
                         const struct framekey_trailer *metadata) {
        char line[160] = "", *end = line;
        json_t *field;

        if (length == frame->length)
                return;
        if (metadata->fields & FRAMEKEY_TRAILER_USER_TIMESTAMP)
                end += sprintf(end, "timestamp %" PRIu64 " us, ", metadata->user_timestamp);
        if (metadata->fields & FRAMEKEY_TRAILER_FRAME_ID)
                end += sprintf(end, "frame id %" PRIu32 ", ", metadata->frame_id);
        if (metadata->fields & FRAMEKEY_TRAILER_USER_DATA)
                end += sprintf(end, "user data of %" PRIu32 " bytes, ", metadata->user_data_length);
        field = text("%.*s", (int)(end - line) - 2, line);
        add_field(candidate, frame->bytes, offset, frame->length - length, "metadata (LKTS)", field);
        add_note(candidate, text("Behind the frame stands LiveKit's metadata, in clear and not authenticated. Whether "
                                 "the stream has such trailers is agreed on elsewhere: by chance a frame may end so."));
}

static void add_trailer_fields(json_t *candidate, const uint8_t *bytes, const TrailerFrame *parts, bool knows_clear) {
        if (knows_clear)
                add_field(candidate, bytes, 0, parts->text_offset, "clear", NULL);
        add_field(candidate, bytes, parts->text_offset, parts->text_len,
                  knows_clear ? "ciphertext" : "clear, ciphertext", NULL);
        add_field(candidate, bytes, parts->tag_offset, TRAILER_TAG_LEN, "tag", NULL);
        add_field(candidate, bytes, parts->iv_offset, TRAILER_IV_LEN, "IV", NULL);
        add_field(candidate, bytes, parts->iv_offset + TRAILER_IV_LEN, 1, "IV length", text("%u", TRAILER_IV_LEN));
        add_field(candidate, bytes, parts->iv_offset + TRAILER_IV_LEN + 1, 1, "key index",
                  text("%u", parts->key_index));
}

static json_t *trailer_refusal(const uint8_t *bytes, size_t length) {
        if (length < TRAILER_OVERHEAD)
                return text("It is shorter than a trailer of %u bytes.", TRAILER_OVERHEAD);
        if (bytes[length - 2] != TRAILER_IV_LEN)
                return text("The IV length, the last byte but one, is %u and not 12.", bytes[length - 2]);
        return text("It is too short for its clear bytes and a trailer.");
}

/* The part of the frame that the daemon gets, with the codec's escapes removed if it has any. */
typedef struct TrailerBytes {
        Payload plan;
        uint8_t *unescaped; /* NULL: nothing was removed */
        const uint8_t *bytes;
        size_t length;
} TrailerBytes;

static int plan_trailer(const Inspected *frame, enum framekey_format format, size_t length, TrailerBytes *ret) {
        const ClearFrame clear = { .direction = FRAMEKEY_DECRYPT,
                                   .format = format,
                                   .media = frame->media,
                                   .codec = frame->codec,
                                   .bytes = frame->bytes,
                                   .len = length };

        *ret = (TrailerBytes){ .bytes = frame->bytes, .length = length };
        if (frame->media == 0)
                return 0;
        payload_plan(&clear, &ret->plan);
        if (ret->plan.verdict != 0 || !ret->plan.unescape)
                return ret->plan.verdict;
        ret->unescaped = malloc(ret->plan.in_max + 1);
        if (!ret->unescaped)
                errx(CLI_FAILED, "Out of memory.");
        ret->length = payload_write(&ret->plan, &clear, ret->unescaped);
        ret->bytes = ret->unescaped;
        return 0;
}

static void inspect_trailer(const Inspected *frame, enum framekey_format format, json_t *result) {
        struct framekey_trailer metadata;
        size_t length = format == FRAMEKEY_FORMAT_LIVEKIT ? strip_metadata(frame, &metadata) : frame->length;
        bool knows_clear = frame->media != 0;
        TrailerBytes trailer;
        TrailerFrame parts;
        json_t *candidate;
        int r;

        r = plan_trailer(frame, format, length, &trailer);
        if (r != 0)
                refuse(result, format, text("It does not go with this codec: %s", framekey_verdict_text(r)));
        else if (trailer_parse(trailer.bytes, trailer.length, trailer.plan.clear_len, &parts) != 0)
                refuse(result, format, trailer_refusal(trailer.bytes, trailer.length));
        else {
                candidate = candidate_new(format, text("trailer frame under key index %u", parts.key_index),
                                          TRAILER_EVIDENCE);
                set(candidate, "key_index", json_integer(parts.key_index));
                if (knows_clear)
                        set(candidate, "clear_bytes", json_integer((json_int_t)parts.text_offset));
                else
                        note_looks(candidate, frame);
                add_trailer_fields(candidate, trailer.bytes, &parts, knows_clear);
                if (trailer.unescaped) {
                        set(candidate, "unescaped_length",
                            json_integer((json_int_t)(trailer.length + frame->length - length)));
                        add_note(candidate, text("Offsets are those without the %zu emulation prevention bytes that "
                                                 "were removed.",
                                                 length - trailer.length));
                }
                if (format == FRAMEKEY_FORMAT_LIVEKIT)
                        add_metadata(candidate, frame, length, trailer.length, &metadata);
                add_candidate(result, candidate);
        }
        free(trailer.unescaped);
}

/* ---- SFrame ---- */

static void split_kid(const Inspected *frame, uint64_t kid, json_t *candidate) {
        const SFrameMlsLayout layout = { .index_bits = (uint8_t)frame->index_bits,
                                         .epoch_bits = (uint8_t)frame->epoch_bits };
        SFrameMlsKid parts;

        if (frame->ratchet_bits > 0) {
                uint64_t mask = (UINT64_C(1) << frame->ratchet_bits) - 1;

                set(candidate, "key_generation", text("%" PRIu64, sframe_sender_generation(kid, frame->ratchet_bits)));
                set(candidate, "step_bits", json_integer((json_int_t)(kid & mask)));
                add_note(candidate,
                         text("KID: key generation %" PRIu64 ", ratchet step %" PRIu64 " modulo %" PRIu64 ".",
                              sframe_sender_generation(kid, frame->ratchet_bits), kid & mask, mask + 1));
        }
        if (frame->index_bits + frame->epoch_bits > 0 && sframe_mls_unpack(layout, kid, &parts) == 0) {
                set(candidate, "context", text("%" PRIu64, parts.context));
                set(candidate, "member", text("%" PRIu64, parts.index));
                set(candidate, "epoch_bits", json_integer((json_int_t)parts.epoch));
                add_note(candidate, text("KID of an MLS group: context %" PRIu64 ", member %" PRIu64 ", epoch %" PRIu64
                                         " modulo %u.",
                                         parts.context, parts.index, parts.epoch, 1u << frame->epoch_bits));
        }
}

static size_t number_length(unsigned half) {
        return half & 8 ? (half & 7) + 1 : 0;
}

static void inspect_sframe(const Inspected *frame, json_t *result) {
        SFrame parts;
        size_t kid_length, body;
        json_t *candidate;
        int r;

        r = sframe_parse(frame->bytes, frame->length, frame->tag_length, &parts);
        if (r != 0) {
                refuse(result, FRAMEKEY_FORMAT_SFRAME,
                       text(r == SFRAME_TRUNCATED ? "It ends within the header or the tag."
                                                  : "KID or CTR is written longer than a sender may write it."));
                return;
        }
        kid_length = number_length(frame->bytes[0] >> 4);
        body = parts.header.len;
        candidate =
                candidate_new(FRAMEKEY_FORMAT_SFRAME,
                              text("SFrame under KID %" PRIu64 ", CTR %" PRIu64, parts.header.kid, parts.header.ctr),
                              "none: most byte strings have such a header");
        /* As texts where JSON's numbers may end. */
        set(candidate, "kid", text("%" PRIu64, parts.header.kid));
        set(candidate, "ctr", text("%" PRIu64, parts.header.ctr));
        set(candidate, "header_length", json_integer((json_int_t)body));
        split_kid(frame, parts.header.kid, candidate);
        add_field(candidate, frame->bytes, 0, 1, "header",
                  text("%02x: KID %s, CTR %s", frame->bytes[0], kid_length > 0 ? "follows" : "here",
                       frame->bytes[0] & 8 ? "follows" : "here"));
        add_field(candidate, frame->bytes, 1, kid_length, "KID", text("%" PRIu64, parts.header.kid));
        add_field(candidate, frame->bytes, 1 + kid_length, body - 1 - kid_length, "CTR",
                  text("%" PRIu64, parts.header.ctr));
        if (frame->tag_length > 0) {
                set(candidate, "tag_length", json_integer((json_int_t)frame->tag_length));
                add_field(candidate, frame->bytes, body, parts.text_len, "ciphertext", NULL);
                add_field(candidate, frame->bytes, parts.tag_offset, frame->tag_length, "tag", NULL);
        } else {
                add_field(candidate, frame->bytes, body, frame->length - body, "ciphertext, tag", NULL);
                add_note(candidate, text("The tag's length is the cipher suite's: 16 bytes with GCM; --suite tells."));
        }
        add_candidate(result, candidate);
}

/* ---- DAVE ---- */

/* Of the number that begins here; it has been parsed before. */
static size_t uleb_length(const uint8_t *bytes) {
        size_t n = 1;

        while (bytes[n - 1] & 0x80)
                n++;
        return n;
}

static json_t *range_list(const DaveFrame *parts) {
        json_t *ranges = need(json_array());

        for (size_t i = 0; i < parts->n_clear; i++)
                append(ranges, json_pack("{s:I, s:I}", "offset", (json_int_t)parts->clear[i].offset, "length",
                                         (json_int_t)parts->clear[i].size));
        return ranges;
}

/* The frame itself: clear and encrypted pieces in turn. */
static void add_pieces(json_t *candidate, const uint8_t *bytes, const DaveFrame *parts) {
        size_t at = 0;

        for (size_t i = 0; i < parts->n_clear; i++) {
                add_field(candidate, bytes, at, parts->clear[i].offset - at, "ciphertext", NULL);
                add_field(candidate, bytes, parts->clear[i].offset, parts->clear[i].size, "clear", NULL);
                at = parts->clear[i].offset + (size_t)parts->clear[i].size;
        }
        add_field(candidate, bytes, at, parts->len - at, "ciphertext", NULL);
}

static json_t *dave_refusal(const Inspected *frame) {
        const uint8_t *b = frame->bytes;

        if (dave_is_silence(b, frame->length))
                return text("It is the silence that Discord's media server sends in clear.");
        if (frame->length < DAVE_TRAILER_MIN)
                return text("It is shorter than a trailer of %u bytes.", DAVE_TRAILER_MIN);
        if (b[frame->length - 1] != 0xfa || b[frame->length - 2] != 0xfa)
                return text("It does not end with fa fa.");
        return text("The trailer's size, nonce or clear ranges are impossible.");
}

static void inspect_dave(const Inspected *frame, json_t *result) {
        size_t nonce_offset, nonce_length, end = frame->length - 3;
        DaveFrame parts;
        json_t *candidate;

        if (dave_parse(frame->bytes, frame->length, &parts) != 0) {
                refuse(result, FRAMEKEY_FORMAT_DAVE, dave_refusal(frame));
                return;
        }
        nonce_offset = parts.len + (size_t)DAVE_TAG_LEN;
        nonce_length = uleb_length(frame->bytes + nonce_offset);
        candidate = candidate_new(FRAMEKEY_FORMAT_DAVE,
                                  text("DAVE frame with nonce %" PRIu32 ", %zu clear %s", parts.nonce, parts.n_clear,
                                       parts.n_clear == 1 ? "range" : "ranges"),
                                  "strong: marker, sizes and ranges fit together");
        set(candidate, "nonce", json_integer((json_int_t)parts.nonce));
        set(candidate, "generation_bits", json_integer((json_int_t)dave_generation(parts.nonce)));
        set(candidate, "tag_length", json_integer((json_int_t)DAVE_TAG_LEN));
        set(candidate, "ranges", range_list(&parts));
        add_note(candidate, text("Key generation %u modulo 256: the top byte of the nonce.",
                                 (unsigned)dave_generation(parts.nonce)));
        if (parts.n_clear > 0 && parts.clear[0].offset == 0)
                note_looks(candidate, frame);
        add_pieces(candidate, frame->bytes, &parts);
        add_field(candidate, frame->bytes, parts.len, DAVE_TAG_LEN, "tag", NULL);
        add_field(candidate, frame->bytes, nonce_offset, nonce_length, "nonce", text("%" PRIu32, parts.nonce));
        add_field(candidate, frame->bytes, nonce_offset + nonce_length, end - nonce_offset - nonce_length,
                  "clear ranges", NULL);
        add_field(candidate, frame->bytes, end, 1, "trailer size", text("%u", frame->bytes[end]));
        add_field(candidate, frame->bytes, end + 1, 2, "marker", NULL);
        add_candidate(result, candidate);
}

/* ---- all of them ---- */

static bool wanted(const Inspected *frame, enum framekey_format format) {
        return frame->format == 0 || frame->format == format;
}

json_t *inspect_frame(const Inspected *frame) {
        json_t *result =
                need(json_pack("{s:I, s:[], s:[]}", "length", (json_int_t)frame->length, "candidates", "refused"));

        if (wanted(frame, FRAMEKEY_FORMAT_DAVE))
                inspect_dave(frame, result);
        for (enum framekey_format format = FRAMEKEY_FORMAT_LIVEKIT; format <= FRAMEKEY_FORMAT_JITSI; format++)
                if (wanted(frame, format))
                        inspect_trailer(frame, format, result);
        if (wanted(frame, FRAMEKEY_FORMAT_SFRAME))
                inspect_sframe(frame, result);
        return result;
}
