/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a pipeline and compares the frames that pass two places in it, for tests and for the latency of the elements.
 *
 *   frames [--latency] [--seconds=N] PIPELINE
 *
 * The pipeline has elements named "sent" and "received" (such as identity); what leaves the one must leave the other,
 * byte for byte and in order. It ends by itself, after N seconds, or by SIGTERM. On standard output: "message ..." for
 * each message of the elements, "received N" for each 30 frames, and at last one line of sums. With --latency also what
 * the elements named "enc" and "dec" add to a frame. Exit status: 0; 1 the pipeline posted an error, or a frame came
 * out that never went in; 2 the command line.
 */
#include <glib-unix.h>
#include <gst/gst.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define PROGRESS 30

/* One place where frames pass, by one streaming thread. */
typedef struct Place {
        gint64 entered;  /* nanoseconds, CLOCK_MONOTONIC */
        GArray *elapsed; /* gint64 each */
} Place;

typedef struct Run {
        GMainLoop *loop;
        GstElement *pipeline;
        GMutex lock;
        GHashTable *sent; /* checksum -> number, from 1 */
        guint n_sent, n_received, n_unknown, latest;
        Place enc, dec;
        gboolean failed;
} Run;

static char *checksum(GstBuffer *buffer) {
        char *text = NULL;
        GstMapInfo map;

        if (gst_buffer_map(buffer, &map, GST_MAP_READ)) {
                text = g_compute_checksum_for_data(G_CHECKSUM_SHA256, map.data, map.size);
                gst_buffer_unmap(buffer, &map);
        }
        return text;
}

static GstPadProbeReturn on_sent(GstPad *pad, GstPadProbeInfo *info, gpointer userdata) {
        char *sum = checksum(GST_PAD_PROBE_INFO_BUFFER(info));
        Run *run = userdata;

        g_mutex_lock(&run->lock);
        (void)g_hash_table_insert(run->sent, sum, GUINT_TO_POINTER(++run->n_sent));
        g_mutex_unlock(&run->lock);
        return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn on_received(GstPad *pad, GstPadProbeInfo *info, gpointer userdata) {
        g_autofree char *sum = checksum(GST_PAD_PROBE_INFO_BUFFER(info));
        Run *run = userdata;
        guint number;

        g_mutex_lock(&run->lock);
        number = GPOINTER_TO_UINT(g_hash_table_lookup(run->sent, sum));
        run->n_received++;
        if (number <= run->latest)
                run->n_unknown++; /* never sent, or out of order */
        else
                run->latest = number;
        if (run->n_received % PROGRESS == 0)
                (void)printf("received %u\n", run->n_received);
        g_mutex_unlock(&run->lock);
        return GST_PAD_PROBE_OK;
}

/* ---- latency ---- */

static gint64 now_nsec(void) {
        return (gint64)gst_util_get_timestamp();
}

static GstPadProbeReturn on_enter(GstPad *pad, GstPadProbeInfo *info, gpointer userdata) {
        ((Place *)userdata)->entered = now_nsec();
        return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn on_leave(GstPad *pad, GstPadProbeInfo *info, gpointer userdata) {
        Place *place = userdata;
        gint64 elapsed = now_nsec() - place->entered;

        (void)g_array_append_val(place->elapsed, elapsed);
        return GST_PAD_PROBE_OK;
}

static int compare(gconstpointer a, gconstpointer b) {
        gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

        return x < y ? -1 : x > y;
}

static double percentile(GArray *values, guint percent) {
        guint64 at;

        if (values->len == 0)
                return 0;
        at = (guint64)(values->len - 1) * percent / 100;
        return (double)g_array_index(values, gint64, at) / 1000;
}

static void print_latency(const char *name, GArray *values) {
        g_array_sort(values, compare);
        (void)printf("latency %-4s frames=%u p50=%.1f us p90=%.1f us p99=%.1f us max=%.1f us\n", name, values->len,
                     percentile(values, 50), percentile(values, 90), percentile(values, 99), percentile(values, 100));
}

/* Frames that both saw: the sum of what the two added. */
static void print_latencies(Run *run) {
        GArray *both = g_array_new(FALSE, FALSE, sizeof(gint64));

        for (guint i = 0; i < MIN(run->enc.elapsed->len, run->dec.elapsed->len); i++) {
                gint64 sum = g_array_index(run->enc.elapsed, gint64, i) + g_array_index(run->dec.elapsed, gint64, i);

                (void)g_array_append_val(both, sum);
        }
        print_latency("enc", run->enc.elapsed);
        print_latency("dec", run->dec.elapsed);
        print_latency("both", both);
        g_array_unref(both);
}

/* ---- the run ---- */

static gboolean probe(Run *run, const char *element, const char *pad_name, GstPadProbeCallback callback,
                      gpointer userdata) {
        g_autoptr(GstElement) found = gst_bin_get_by_name(GST_BIN(run->pipeline), element);
        g_autoptr(GstPad) pad = found ? gst_element_get_static_pad(found, pad_name) : NULL;

        return pad && gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, callback, userdata, NULL) != 0;
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer userdata) {
        g_autofree char *text = NULL;
        Run *run = userdata;

        switch (GST_MESSAGE_TYPE(message)) {
        case GST_MESSAGE_ERROR:
        case GST_MESSAGE_ELEMENT:
        case GST_MESSAGE_WARNING:
                text = gst_structure_to_string(gst_message_get_structure(message));
                (void)printf("message %s %s\n", GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), text);
                run->failed = run->failed || GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR;
                break;
        default:
                break;
        }
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS || run->failed)
                g_main_loop_quit(run->loop);
        return G_SOURCE_CONTINUE;
}

/* A network does not carry the end of the stream. */
static gboolean on_overdue(gpointer userdata) {
        g_main_loop_quit(((Run *)userdata)->loop);
        return G_SOURCE_REMOVE;
}

static gboolean on_end(gpointer userdata) {
        Run *run = userdata;

        (void)gst_element_send_event(run->pipeline, gst_event_new_eos());
        (void)g_timeout_add_seconds(2, on_overdue, run);
        return G_SOURCE_REMOVE;
}

static guint64 counted(Run *run, const char *element, const char *field) {
        g_autoptr(GstElement) found = gst_bin_get_by_name(GST_BIN(run->pipeline), element);
        GstStructure *statistics = NULL;
        guint64 n = 0;

        if (!found)
                return 0;
        g_object_get(found, "statistics", &statistics, NULL);
        (void)gst_structure_get_uint64(statistics, field, &n);
        gst_structure_free(statistics);
        return n;
}

static void print_sums(Run *run) {
        (void)printf("sent=%u received=%u unknown=%u", run->n_sent, run->n_received, run->n_unknown);
        (void)printf(" encrypted=%" G_GUINT64_FORMAT " not-encrypted=%" G_GUINT64_FORMAT
                     " without-key=%" G_GUINT64_FORMAT " decrypted=%" G_GUINT64_FORMAT
                     " not-decrypted=%" G_GUINT64_FORMAT " key-units=%" G_GUINT64_FORMAT "\n",
                     counted(run, "enc", "ok"), counted(run, "enc", "lost"), counted(run, "enc", "unknown-key"),
                     counted(run, "dec", "ok"), counted(run, "dec", "lost"),
                     counted(run, "enc", "key-units-requested") + counted(run, "dec", "key-units-requested"));
}

static int play(Run *run, int seconds, gboolean latency) {
        g_autoptr(GstBus) bus = gst_element_get_bus(run->pipeline);

        (void)gst_bus_add_watch(bus, on_message, run);
        (void)g_unix_signal_add(SIGTERM, on_end, run);
        if (seconds > 0)
                (void)g_timeout_add_seconds((guint)seconds, on_end, run);
        if (gst_element_set_state(run->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
                run->failed = TRUE;
        if (!run->failed)
                g_main_loop_run(run->loop);
        print_sums(run);
        if (latency)
                print_latencies(run);
        (void)gst_element_set_state(run->pipeline, GST_STATE_NULL);
        return run->failed || run->n_unknown > 0 || run->n_received == 0;
}

int main(int argc, char **argv) {
        Run run = { 0 };
        g_autoptr(GError) error = NULL;
        gboolean latency = FALSE;
        int seconds = 0, r;
        const GOptionEntry entries[] = {
                { "latency", 0, 0, G_OPTION_ARG_NONE, &latency, "Measure", NULL },
                { "seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "End after so long", "N" },
                { 0 },
        };
        g_autoptr(GOptionContext) context = g_option_context_new("PIPELINE");

        g_option_context_add_main_entries(context, entries, NULL);
        g_option_context_add_group(context, gst_init_get_option_group());
        if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2)
                return 2;
        (void)setvbuf(stdout, NULL, _IOLBF, 0);
        run.pipeline = gst_parse_launch_full(argv[1], NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
        if (!run.pipeline) {
                (void)fprintf(stderr, "%s\n", error->message);
                return 2;
        }
        g_mutex_init(&run.lock);
        run.loop = g_main_loop_new(NULL, FALSE);
        run.sent = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        run.enc.elapsed = g_array_new(FALSE, FALSE, sizeof(gint64));
        run.dec.elapsed = g_array_new(FALSE, FALSE, sizeof(gint64));
        if (!probe(&run, "sent", "src", on_sent, &run) || !probe(&run, "received", "src", on_received, &run)) {
                (void)fprintf(stderr, "The pipeline has no elements sent and received.\n");
                return 2;
        }
        if (latency &&
            (!probe(&run, "enc", "sink", on_enter, &run.enc) || !probe(&run, "enc", "src", on_leave, &run.enc) ||
             !probe(&run, "dec", "sink", on_enter, &run.dec) || !probe(&run, "dec", "src", on_leave, &run.dec))) {
                (void)fprintf(stderr, "The pipeline has no elements enc and dec.\n");
                return 2;
        }
        r = play(&run, seconds, latency);
        gst_object_unref(run.pipeline);
        g_main_loop_unref(run.loop);
        g_hash_table_unref(run.sent);
        g_array_unref(run.enc.elapsed);
        g_array_unref(run.dec.elapsed);
        return r;
}
