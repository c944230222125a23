/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framekeyctl demo: the encoded media of a call, from one participant's daemon through a network
 * that cannot be trusted to another participant's daemon, and what became of it.
 *
 * The run below is a list of steps; each step tells its own failure. Keys are never here: see
 * key-entry.h.
 */
#include "cli/demo/call.h"
#include "cli/demo/folder.h"
#include "cli/demo/report.h"
#include "cli/demo/studio.h"

#define SECONDS       10u
#define SECONDS_QUICK 2u

typedef struct DemoArguments {
        const char *profile;
        const char *output;
        const char *daemon;
        bool realtime;
        bool quick;
        bool keep;
} DemoArguments;

typedef struct Demo {
        const DemoArguments *arguments;
        Progress progress;
        sigset_t mask; /* as it was before */
        char *dbus_program;
        char *daemon_program;
        char *directory; /* temporary */
        char *ffmpeg_log;
        Ffmpeg ffmpeg;
        Peer sender, receiver;
        Media media[MEDIA_KINDS];
        Call call;
        char *picture;
        bool server_decoded;
} Demo;

enum {
        OPTION_OUTPUT,
        OPTION_PROFILE,
        OPTION_REALTIME,
        OPTION_QUICK,
        OPTION_KEEP,
        OPTION_DAEMON,
};

static const CliOption demo_options[] = {
        [OPTION_OUTPUT] = { "output", 'o', "DIR", "Where the results go (./framekey-demo)" },
        [OPTION_PROFILE] = { "profile", 0, "PRESET", "Format and key derivation (livekit); see 'framekeyctl presets'" },
        [OPTION_REALTIME] = { "realtime", 0, NULL, "Send at the pace of a call, not as fast as possible" },
        [OPTION_QUICK] = { "quick", 0, NULL, "2 seconds of media instead of 10" },
        [OPTION_KEEP] = { "keep", 0, NULL, "Keep the temporary directory with the daemons' logs" },
        [OPTION_DAEMON] = { "daemon", 0, "PATH", "The framekeyd to run, if not the one of this build or installation" },
};

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        DemoArguments *arguments = userdata;

        switch (option) {
        case OPTION_OUTPUT:
                if (!*value)
                        return cli_usage_error("--output needs the name of a directory.");
                arguments->output = value;
                break;
        case OPTION_PROFILE:
                arguments->profile = value;
                break;
        case OPTION_REALTIME:
                arguments->realtime = true;
                break;
        case OPTION_QUICK:
                arguments->quick = true;
                break;
        case OPTION_KEEP:
                arguments->keep = true;
                break;
        default: /* OPTION_DAEMON */
                arguments->daemon = value;
                break;
        }
        return CLI_OK;
}

static const CliUsage demo_usage = {
        .verb = "demo",
        .arguments = "",
        .summary = "Encodes a short call with ffmpeg, sends it frame by frame from one framekeyd to another one,\n"
                   "through a network that loses, changes and repeats frames, with keys that are ratcheted and\n"
                   "replaced on the way, and shows what became of it. Needs no rights and no running service:\n"
                   "both daemons, and a bus for each, are started for it and stopped after it; options that\n"
                   "name a bus have no effect.",
        .options = demo_options,
        .n_options = ELEMENTS(demo_options),
        .take = take_option,
};

/* ---- what is needed ---- */

static int need_program(Demo *demo, const char *name, const char *package, char **ret) {
        int r = program_find(name, ret);

        if (r == -ENOENT)
                return progress_fail(&demo->progress, "%s is not installed: install the package '%s' (apt install %s).",
                                     name, package, package);
        return r < 0 ? progress_fail(&demo->progress, "Cannot find %s: %s.", name, strerror(-r)) : CLI_OK;
}

static int prepare_output(Demo *demo) {
        const char *path = demo->arguments->output;
        int r = folder_output(path);

        if (r == FOLDER_FOREIGN)
                return progress_fail(&demo->progress,
                                     "%s exists and holds files that no demo has made: name another directory with "
                                     "--output=DIR.",
                                     path);
        if (r == FOLDER_NO_DIRECTORY)
                return progress_fail(&demo->progress, "%s is no directory: name one with --output=DIR.", path);
        return r < 0 ? progress_fail(&demo->progress, "Cannot write to %s: %s.", path, strerror(-r)) : CLI_OK;
}

static int prepare_ffmpeg(Demo *demo) {
        int r;

        demo->ffmpeg_log = folder_file(demo->directory, "ffmpeg.log");
        if (!demo->ffmpeg_log)
                return progress_fail(&demo->progress, "Out of memory.");
        r = ffmpeg_init(&demo->ffmpeg, demo->ffmpeg_log, &demo->mask);
        if (r == -EINTR)
                return progress_fail(&demo->progress, "Interrupted.");
        if (r == -ENOENT)
                return progress_fail(&demo->progress,
                                     "ffmpeg is not installed: install the package 'ffmpeg' (apt install ffmpeg).");
        return r < 0 ? progress_fail(&demo->progress, "Cannot run ffmpeg: %s.", strerror(-r)) : CLI_OK;
}

static int prepare(Demo *demo) {
        int r;

        r = need_program(demo, "dbus-daemon", "dbus-daemon", &demo->dbus_program);
        if (r == CLI_OK)
                r = peer_find_daemon(demo->arguments->daemon, &demo->progress, &demo->daemon_program);
        if (r == CLI_OK)
                r = prepare_output(demo);
        if (r != CLI_OK)
                return r;
        r = folder_temporary(&demo->directory);
        if (r < 0)
                return progress_fail(&demo->progress, "Cannot make a temporary directory: %s.", strerror(-r));
        return prepare_ffmpeg(demo);
}

/* ---- steps ---- */

static int start_peer(Demo *demo, Peer *peer, const char *name, enum framekey_direction direction, const User *user) {
        int r;

        *peer = (Peer){
                .name = name,
                .direction = direction,
                .progress = &demo->progress,
                .mask = &demo->mask,
                .user = *user,
        };
        r = peer_start(peer, demo->directory, demo->dbus_program, demo->daemon_program);
        return r == CLI_OK ? peer_open(peer, demo->arguments->profile) : r;
}

static int start_daemons(Demo *demo) {
        User user;
        int r;

        progress_begin(&demo->progress, "Daemons");
        user_choose(&user, demo->daemon_program);
        r = folder_let_in(demo->directory, &user);
        if (r < 0)
                return progress_fail(&demo->progress, "Cannot open %s for %s: %s.", demo->directory, user.name,
                                     strerror(-r));
        r = start_peer(demo, &demo->sender, "sender", FRAMEKEY_ENCRYPT, &user);
        if (r == CLI_OK)
                r = start_peer(demo, &demo->receiver, "receiver", FRAMEKEY_DECRYPT, &user);
        if (r == CLI_OK)
                progress_end(&demo->progress, "two framekeyd as user %s, each on a bus of its own; keys in %s memory",
                             user.name, demo->sender.protection);
        return r;
}

static int import_key(Demo *demo) {
        int r;

        demo->call = (Call){
                .progress = &demo->progress,
                .sender = &demo->sender,
                .receiver = &demo->receiver,
                .media = demo->media,
                .realtime = demo->arguments->realtime,
        };
        progress_begin(&demo->progress, "Key");
        r = call_import_first_key(&demo->call);
        if (r == CLI_OK)
                r = peer_open_channel(&demo->sender);
        if (r == CLI_OK)
                r = peer_open_channel(&demo->receiver);
        if (r == CLI_OK)
                progress_end(&demo->progress, "a %s that nobody has seen, in both daemons under index %u",
                             call_key_name(&demo->call), demo->call.first_index);
        return r;
}

static int fail_ffmpeg(Demo *demo, const char *act, int r) {
        _cleanup_free_ char *complaint = NULL;

        if (r == -EINTR)
                return progress_fail(&demo->progress, "Interrupted.");
        if (r != -EIO)
                return progress_fail(&demo->progress, "Cannot %s: %s.", act, strerror(-r));
        complaint = ffmpeg_complaint(&demo->ffmpeg);
        return progress_fail(&demo->progress, "Cannot %s; ffmpeg says: %s", act, complaint ?: "nothing");
}

static int read_recording(Demo *demo, size_t kind) {
        _cleanup_free_ char *from = studio_recording(demo->directory, &media_kinds[kind]);
        _cleanup_free_ char *to = folder_media(demo->arguments->output, MEDIA_INPUT, &media_kinds[kind]);
        int r;

        if (!from || !to)
                return progress_fail(&demo->progress, "Out of memory.");
        r = media_read(&demo->media[kind], &media_kinds[kind], from);
        if (r == -EBADMSG)
                return progress_fail(&demo->progress,
                                     "The %s that ffmpeg made is not laid out as this demo can take it apart.",
                                     media_kinds[kind].name);
        if (r == 0)
                r = media_write(&demo->media[kind], MEDIA_INPUT, to);
        return r < 0 ? progress_fail(&demo->progress, "Cannot write %s: %s.", to, strerror(-r)) : CLI_OK;
}

static int record(Demo *demo) {
        unsigned seconds = demo->arguments->quick ? SECONDS_QUICK : SECONDS;
        int r;

        progress_begin(&demo->progress, "Encoding");
        r = studio_record(&demo->ffmpeg, demo->directory, seconds, &demo->progress);
        if (r < 0)
                return fail_ffmpeg(demo, "encode the media", r);
        for (size_t kind = 0; kind < MEDIA_KINDS; kind++) {
                r = read_recording(demo, kind);
                if (r != CLI_OK)
                        return r;
        }
        progress_end(&demo->progress,
                     "%u s by libopus, libvpx and libx264: %zu packets of Opus, %zu frames of VP8, %zu of H.264",
                     seconds, demo->media[MEDIA_OPUS].n_frames - demo->media[MEDIA_OPUS].n_headers,
                     demo->media[MEDIA_VP8].n_frames, demo->media[MEDIA_H264].n_frames);
        return CLI_OK;
}

static int make_call(Demo *demo) {
        int r;

        progress_begin(&demo->progress, "Call");
        r = call_run(&demo->call);
        if (r == CLI_OK)
                r = call_check_counters(&demo->call);
        if (r == CLI_OK)
                progress_end(&demo->progress, "every frame arrived once, and every verdict was the right one");
        return r;
}

/* Writes what the media server has and what the receiver has, and compares that with the input. */
static int write_results(Demo *demo, size_t kind) {
        const char *output = demo->arguments->output;
        _cleanup_free_ char *input = folder_media(output, MEDIA_INPUT, &media_kinds[kind]);
        _cleanup_free_ char *encrypted = folder_media(output, MEDIA_ENCRYPTED, &media_kinds[kind]);
        _cleanup_free_ char *decrypted = folder_media(output, MEDIA_DECRYPTED, &media_kinds[kind]);
        int r;

        if (!input || !encrypted || !decrypted)
                return progress_fail(&demo->progress, "Out of memory.");
        r = media_write(&demo->media[kind], MEDIA_ENCRYPTED, encrypted);
        if (r == 0)
                r = media_write(&demo->media[kind], MEDIA_DECRYPTED, decrypted);
        if (r < 0)
                return progress_fail(&demo->progress, "Cannot write the %s files: %s.", media_kinds[kind].name,
                                     strerror(-r));
        if (file_same(input, encrypted) != 0)
                return progress_fail(&demo->progress, "%s and %s are the same: nothing was encrypted.", input,
                                     encrypted);
        r = file_same(input, decrypted);
        if (r < 0)
                return progress_fail(&demo->progress, "Cannot compare %s and %s: %s.", input, decrypted, strerror(-r));
        if (r == 0)
                return progress_fail(&demo->progress, "%s and %s differ.", input, decrypted);
        return CLI_OK;
}

static int draw(Demo *demo) {
        const char *output = demo->arguments->output;
        _cleanup_free_ char *encrypted = folder_media(output, MEDIA_ENCRYPTED, &media_kinds[MEDIA_VP8]);
        _cleanup_free_ char *decrypted = folder_media(output, MEDIA_DECRYPTED, &media_kinds[MEDIA_VP8]);
        _cleanup_free_ char *sound = folder_media(output, MEDIA_DECRYPTED, &media_kinds[MEDIA_OPUS]);
        _cleanup_free_ char *film = folder_file(output, FOLDER_FILM);
        int r;

        demo->picture = folder_file(output, FOLDER_PICTURE);
        if (!encrypted || !decrypted || !sound || !film || !demo->picture)
                return progress_fail(&demo->progress, "Out of memory.");
        r = studio_compare(&demo->ffmpeg, encrypted, decrypted, demo->directory, demo->picture, &demo->server_decoded);
        if (r < 0)
                return fail_ffmpeg(demo, "draw the pictures", r);
        r = studio_film(&demo->ffmpeg, decrypted, sound, film);
        return r < 0 ? fail_ffmpeg(demo, "put the decrypted sound and picture together", r) : CLI_OK;
}

static int keep_results(Demo *demo) {
        int r = CLI_OK;

        progress_begin(&demo->progress, "Files");
        for (size_t kind = 0; kind < MEDIA_KINDS && r == CLI_OK; kind++)
                r = write_results(demo, kind);
        if (r == CLI_OK)
                r = draw(demo);
        if (r == CLI_OK)
                progress_end(&demo->progress, "decrypted.ogg, .ivf and .h264 are bit-identical to input.*");
        return r;
}

static int stop_daemons(Demo *demo) {
        int a = peer_stop(&demo->sender), b = peer_stop(&demo->receiver);

        return a == CLI_OK ? b : a;
}

static int demo_run(Demo *demo, const Context *context) {
        static int (*const steps[])(Demo *) = {
                prepare, start_daemons, import_key, record, make_call, keep_results, stop_daemons,
        };
        int r = CLI_OK;

        for (size_t i = 0; i < ELEMENTS(steps) && r == CLI_OK; i++)
                r = steps[i](demo);
        if (r != CLI_OK)
                return r;
        return report_print(context, &(Report){
                                             .call = &demo->call,
                                             .profile = demo->arguments->profile,
                                             .output = demo->arguments->output,
                                             .picture = demo->picture,
                                             .server_decoded = demo->server_decoded,
                                     });
}

static void demo_done(Demo *demo) {
        call_done(&demo->call);
        peer_done(&demo->sender);
        peer_done(&demo->receiver);
        for (size_t kind = 0; kind < MEDIA_KINDS; kind++)
                media_done(&demo->media[kind]);
        ffmpeg_done(&demo->ffmpeg);
        if (demo->directory && !demo->arguments->keep)
                folder_remove(demo->directory);
        else if (demo->directory)
                (void)fprintf(stderr, "framekeyctl: Logs are kept in %s.\n", demo->directory);
        free(demo->directory);
        free(demo->ffmpeg_log);
        free(demo->dbus_program);
        free(demo->daemon_program);
        free(demo->picture);
}

/* Those that are ignored stay so, as nohup and shells want it: a blocked signal would wait all the same. */
static void ending_signals(sigset_t *ret) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        struct sigaction action;

        (void)sigemptyset(ret);
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
                        (void)sigaddset(ret, signals[i]);
}

int verb_demo(int argc, char **argv, Context *context) {
        DemoArguments arguments = { .profile = "livekit", .output = "framekey-demo" };
        Demo demo = { .arguments = &arguments };
        struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
        sigset_t ending;
        int r, first;

        r = cli_parse(context, &demo_usage, argc, argv, &arguments, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        progress_init(&demo.progress, context);

        /* Whoever interrupts us, or closes our output, shall find no daemon and no temporary file left. The signal
         * takes its effect when the mask is put back. */
        ending_signals(&ending);
        if (sigprocmask(SIG_BLOCK, &ending, &demo.mask) < 0 || sigaction(SIGPIPE, &ignore, &before) < 0)
                return cli_fail("Cannot block signals: %s.", strerror(errno));
        r = demo_run(&demo, context);
        demo_done(&demo);
        (void)sigaction(SIGPIPE, &before, NULL);
        (void)sigprocmask(SIG_SETMASK, &demo.mask, NULL);
        return r;
}
