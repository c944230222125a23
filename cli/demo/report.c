/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One JSON object, from which the tables are made too; see report.h. */
#include "cli/demo/report.h"

#include <stdio.h>

/* ---- the object ---- */

static json_t *stream_json(Call *call, size_t s) {
        StreamResult *result = &call->results[s];
        const NetworkCounts *network = network_counts(call->network, s);
        json_int_t overhead = (json_int_t)(result->sealed_bytes - result->bytes);

        return json_pack(
                "{s:s, s:I, s:I, s:I, s:f, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f}", "stream",
                call->media[s].kind->name, "frames", (json_int_t)result->n_frames, "bytes", (json_int_t)result->bytes,
                "overhead", overhead, "overhead-percent", 100.0 * (double)overhead / (double)result->bytes, "ok",
                result->verdicts[FRAMEKEY_OK], "forged", result->verdicts[FRAMEKEY_VERDICT_FORGED], "replayed",
                result->verdicts[FRAMEKEY_VERDICT_REPLAYED], "lost", network->lost, "retransmitted", network->resent,
                "late", result->late, "encrypt-median-usec", latency_percentile(&result->encrypt, 50),
                "encrypt-p99-usec", latency_percentile(&result->encrypt, 99), "decrypt-median-usec",
                latency_percentile(&result->decrypt, 50), "decrypt-p99-usec", latency_percentile(&result->decrypt, 99));
}

static json_t *peer_json(const Peer *peer) {
        return json_pack("{s:s, s:s}", "memory-protection", peer->protection, "user", peer->user.name);
}

static json_t *report_json(const Report *report) {
        Call *call = report->call;
        json_t *streams = json_array();

        for (size_t s = 0; s < MEDIA_KINDS; s++)
                (void)json_array_append_new(streams,
                                            stream_json(call, s)); /* json_pack() below refuses what is missing */
        return json_pack("{s:s, s:o, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:o, s:o, s:b, s:s, s:s, s:b}", "profile",
                         report->profile, "streams", streams, "early", (int)call->early, "ratchet-steps",
                         (int)call->ratchet_steps, "first-key-index", (int)call->first_index, "last-key-index",
                         (int)call->last_index, "passphrases", (int)call->n_passphrases, "passphrase-process-usec",
                         (double)call->passphrase_usec, "seconds", (double)call->usec / USEC_PER_SEC, "sender",
                         peer_json(call->sender), "receiver", peer_json(call->receiver), "identical", 1, "output",
                         report->output, "picture", report->picture, "server-decoded", report->server_decoded);
}

/* ---- for people ---- */

static char *text_percent(const json_t *value) {
        char *text;

        return asprintf(&text, "%.1f %%", json_number_value(value)) < 0 ? NULL : text;
}

static char *text_tenths(const json_t *value) {
        char *text;

        return asprintf(&text, "%.1f", json_number_value(value)) < 0 ? NULL : text;
}

static const Column frame_columns[] = {
        { "stream", "Stream", false, NULL, NULL },
        { "frames", "Frames", true, NULL, NULL },
        { "bytes", "Bytes", true, NULL, NULL },
        { "overhead", "Overhead", true, NULL, NULL },
        { "overhead-percent", "%", true, text_percent, NULL },
        { "ok", "ok", true, NULL, NULL },
        { "forged", "forged", true, NULL, NULL },
        { "replayed", "replayed", true, NULL, NULL },
        { "lost", "lost", true, NULL, NULL },
        { "retransmitted", "retransmitted", true, NULL, NULL },
        { "late", "late", true, NULL, NULL },
};

static const Column latency_columns[] = {
        { "stream", "Latency in us", false, NULL, NULL },
        { "encrypt-median-usec", "encrypt median", true, text_tenths, NULL },
        { "encrypt-p99-usec", "p99", true, text_tenths, NULL },
        { "decrypt-median-usec", "decrypt median", true, text_tenths, NULL },
        { "decrypt-p99-usec", "p99", true, text_tenths, NULL },
};

static void print_facts(const Report *report) {
        const Call *call = report->call;
        const Peer *sender = call->sender, *receiver = call->receiver;
        NetworkCounts network = call_network(call);

        (void)printf("\nVerdicts            forged %u, replayed %u; lost %u, retransmitted %u, late %u; missing at the "
                     "end 0\n",
                     call_count(call, FRAMEKEY_VERDICT_FORGED), call_count(call, FRAMEKEY_VERDICT_REPLAYED),
                     network.lost, network.resent, network.delayed);
        (void)printf("Keys                ratchet steps %u, key index %u -> %u\n", call->ratchet_steps,
                     call->first_index, call->last_index);
        (void)printf("Memory protection   sender %s, receiver %s; both ran as %s%s\n", sender->protection,
                     receiver->protection, sender->user.name,
                     geteuid() == 0 && !sender->user.drop ? ", because no other user can reach the program" : "");
        (void)printf(
                "Who held keys       No process but the two daemons. The %u %ss were known, besides, to one "
                "process\n"
                "                    each, which wrote it into both daemons' pipes and ended (%.1f ms at most). This "
                "one\n"
                "                    passed the pipes on unread, and had only the frames in its hands.\n",
                call->n_passphrases, call_key_name(call), (double)call->passphrase_usec / USEC_PER_MSEC);
        if (call->early > 0)
                (void)printf("Note                %u of the forged are tries of one good frame: the receiver was still "
                             "deriving the next step.\n",
                             call->early);
}

static void print_files(const Report *report) {
        (void)printf("\n%s/\n"
                     "  input.*         what the encoders made: ogg, ivf, h264\n"
                     "  encrypted.*     what the media server has\n"
                     "  decrypted.*     what the receiver has: bit-identical to input.*; "
                     "decrypted.webm has sound and "
                     "picture\n",
                     report->output);
        if (report->picture)
                (void)printf("  picture.png     left what the media server sees, right what the receiver sees\n");
        (void)printf("\nEverything was as it should be.\n");
}

int report_print(const Context *context, const Report *report) {
        _cleanup_json_ json_t *object = report_json(report);
        const json_t *streams = json_object_get(object, "streams");
        int r;

        if (!object)
                return cli_fail("Out of memory.");
        if (context->json != JSON_OFF)
                return output_json(context, object);
        if (context->quiet)
                return CLI_OK;
        (void)putchar('\n');
        r = output_rows(context, "streams", frame_columns, ELEMENTS(frame_columns), streams);
        (void)putchar('\n');
        if (r == CLI_OK)
                r = output_rows(context, "streams", latency_columns, ELEMENTS(latency_columns), streams);
        if (r != CLI_OK)
                return r;
        print_facts(report);
        print_files(report);
        return CLI_OK;
}
