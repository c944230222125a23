/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb top: the terminal is taken over, drawn on every so often, and given back as it was,
 * whatever ends this. Elsewhere the same tables follow one another.
 */
#include "top.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>

/* A daemon that is stopped must not keep the terminal from being left. */
#define TIMEOUT_USEC (2 * USEC_PER_SEC)
#define DELAY_MIN    0.1
#define DELAY_MAX    3600.0

/* Another screen, no cursor, lines that are cut; and back. */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define SCREEN_LEAVE "\033[?7h\033[?25h\033[?1049l"

typedef struct Top {
        Context *context;
        TopView view;
        TopSort sort;
        double delay;
        uint64_t iterations; /* 0: without end */
        bool batch;
        bool leave;
        int signal; /* that ended us, or 0 */
        int signal_fd;
        struct termios before; /* of the terminal */
        int stderr_fd;         /* what was standard error before */
        int told_fd;           /* what is told meanwhile: on the screen it would stand in the way */
} Top;

/* ---- the screen ---- */

static void screen_enter(Top *top) {
        struct termios raw = top->before;

        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        (void)fputs(SCREEN_ENTER, stdout);
        (void)fflush(stdout);
        (void)dup2(top->told_fd, STDERR_FILENO);
}

static void screen_leave(Top *top) {
        (void)fputs(SCREEN_LEAVE, stdout);
        (void)fflush(stdout); /* it may be gone: there is nobody to tell */
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &top->before);
        (void)dup2(top->stderr_fd, STDERR_FILENO);
}

/* What was told since the last time; free it. */
static char *take_told(const Top *top) {
        char text[512];
        ssize_t n = pread(top->told_fd, text, sizeof(text) - 1, 0);

        if (n < 0)
                n = 0;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        (void)lseek(top->told_fd, 0, SEEK_SET);
        (void)ftruncate(top->told_fd, 0);
        return strdup(text);
}

/* So many lines of the text, each to its end, and nothing below. */
static void draw_lines(const char *text, size_t n) {
        (void)fputs("\033[H", stdout);
        while (*text && n-- > 0) {
                size_t length = strcspn(text, "\n");

                (void)printf("%.*s\033[K\n", (int)length, text);
                text += length + (text[length] == '\n');
        }
        (void)fputs("\033[J", stdout);
}

/* The table, and below what is wrong or which keys there are. */
static int draw(const Top *top, const char *told) {
        struct winsize size = { .ws_row = 24, .ws_col = 80 };
        _cleanup_free_ char *text = NULL;
        size_t length;
        FILE *stream;
        int r;

        (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size); /* then the usual size */
        if (size.ws_row < 2 || size.ws_col == 0)
                return CLI_OK;
        stream = open_memstream(&text, &length);
        if (!stream)
                return cli_fail("Out of memory.");
        r = top_view_write(&top->view, top->context, stream, size.ws_col);
        if (fclose(stream) == EOF || r != CLI_OK)
                return r == CLI_OK ? cli_fail("Out of memory.") : r;
        draw_lines(text, size.ws_row - 1u);
        (void)printf("\033[%u;1H\033[K", (unsigned)size.ws_row);
        if (*told)
                output_text(stdout, told);
        else if (!top->context->quiet)
                (void)printf("q: leave   s: sort (by %s)   every %g s", top_sort_name(top->sort), top->delay);
        return fflush(stdout) == EOF ? cli_fail("Cannot write the output.") : CLI_OK;
}

/* ---- what happens ---- */

/* Stops as Ctrl-Z wants it, with the terminal as it was. */
static void stop_for_a_while(Top *top) {
        if (!top->batch)
                screen_leave(top);
        (void)raise(SIGSTOP);
        if (!top->batch)
                screen_enter(top);
}

static void take_signal(Top *top) {
        struct signalfd_siginfo info;

        if (read(top->signal_fd, &info, sizeof(info)) != sizeof(info))
                return;
        if (info.ssi_signo == SIGTSTP) {
                stop_for_a_while(top);
        } else if (info.ssi_signo != SIGWINCH) {
                top->signal = (int)info.ssi_signo;
                top->leave = true;
        }
}

static void take_key(Top *top) {
        char key;

        if (read(STDIN_FILENO, &key, 1) != 1) {
                top->leave = true; /* the terminal is gone */
                return;
        }
        if (key == 'q' || key == 'Q' || key == 0x1b)
                top->leave = true;
        else if (key == 's')
                top->sort = (top->sort + 1) % TOP_SORT_MAX;
        top_view_sort(&top->view, top->sort);
}

static uint64_t now_usec(void) {
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
        return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* Until it is time to look again; what was pressed is answered at once. */
static int wait_for_next(Top *top, const char *told) {
        uint64_t next = now_usec() + (uint64_t)(top->delay * (double)USEC_PER_SEC);
        int r = CLI_OK;

        while (!top->leave && r == CLI_OK) {
                struct pollfd fds[] = { { .fd = top->signal_fd, .events = POLLIN },
                                        { .fd = top->batch ? -1 : STDIN_FILENO, .events = POLLIN } };
                uint64_t now = now_usec();

                if (now >= next)
                        return CLI_OK;
                if (poll(fds, ELEMENTS(fds), (int)((next - now + 999) / 1000)) <= 0)
                        continue;
                if (fds[0].revents)
                        take_signal(top);
                if (fds[1].revents)
                        take_key(top);
                if (!top->batch && !top->leave)
                        r = draw(top, told);
        }
        return r;
}

/* ---- the two ways ---- */

/* A connection that broke is made anew. */
static int look(Top *top) {
        Context *context = top->context;
        int r;

        if (context->client && sd_bus_is_open(framekey_client_get_bus(context->client)) <= 0)
                context_done(context);
        r = top_view_look(&top->view, context);
        if (r == CLI_OK)
                top_view_sort(&top->view, top->sort);
        return r;
}

/* What goes wrong stands at the foot until it goes right: the daemon may come back. */
static int run_on_screen(Top *top) {
        int r;

        screen_enter(top);
        for (uint64_t n = 1;; n++) {
                _cleanup_free_ char *told = take_told(top);

                r = draw(top, told ?: "");
                if (r != CLI_OK || n == top->iterations)
                        break;
                r = wait_for_next(top, told ?: "");
                if (r != CLI_OK || top->leave)
                        break;
                (void)look(top);
        }
        screen_leave(top);
        return r;
}

static int print_once(const Top *top) {
        _cleanup_json_ json_t *value = NULL;
        int r;

        if (top->context->json == JSON_OFF)
                r = top_view_write(&top->view, top->context, stdout, 0);
        else
                r = (value = top_view_json(&top->view)) ? output_json(top->context, value) : cli_fail("Out of memory.");
        if (r == CLI_OK && fflush(stdout) == EOF)
                r = cli_fail("Cannot write the output.");
        return r;
}

static int run_in_batch(Top *top) {
        int r;

        for (uint64_t n = 1;; n++) {
                r = wait_for_next(top, "");
                if (r == CLI_OK && !top->leave)
                        r = look(top);
                if (r == CLI_OK && !top->leave)
                        r = print_once(top);
                if (r != CLI_OK || top->leave || n == top->iterations)
                        return r;
                if (top->context->json == JSON_OFF)
                        (void)putchar('\n');
        }
}

/* With the signals that end or change us in a descriptor; one that ended us takes its effect behind this. */
static int run(Top *top) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
        sigset_t ours, before;
        int r;

        (void)sigemptyset(&ours);
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                (void)sigaddset(&ours, signals[i]);
        if (sigprocmask(SIG_BLOCK, &ours, &before) < 0)
                return cli_fail("Cannot block signals: %s.", strerror(errno));
        top->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
        top->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        top->told_fd = memfd_create("told", MFD_CLOEXEC);
        r = top->signal_fd < 0 || top->stderr_fd < 0 || top->told_fd < 0
                    ? cli_fail("Cannot prepare the terminal: %s.", strerror(errno))
                    : look(top);
        if (r == CLI_OK)
                r = top->batch ? run_in_batch(top) : run_on_screen(top);
        (void)close_fd(top->signal_fd);
        (void)close_fd(top->stderr_fd);
        (void)close_fd(top->told_fd);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        if (top->signal > 0)
                (void)raise(top->signal);
        return r;
}

/* ---- command line ---- */

enum {
        OPTION_DELAY,
        OPTION_ITERATIONS,
        OPTION_SORT,
        OPTION_BATCH,
};

static const CliOption top_options[] = {
        [OPTION_DELAY] = { "delay", 'd', "SECONDS", "Look every so many seconds (1)" },
        [OPTION_ITERATIONS] = { "iterations", 'n', "N", "Look so many times, then end" },
        [OPTION_SORT] = { "sort", 's', "frames|refused|label", "What comes first (frames)" },
        [OPTION_BATCH] = { "batch", 'b', NULL,
                           "Write one table after the other (the default where there is no terminal)" },
};

static int take_option(Context *context, size_t option, const char *value, void *userdata) {
        Top *top = userdata;
        char *end;

        switch (option) {
        case OPTION_DELAY:
                top->delay = strtod(value, &end);
                if (*end || !(top->delay >= DELAY_MIN && top->delay <= DELAY_MAX))
                        return cli_usage_error("--delay takes seconds, from %g to %g.", DELAY_MIN, DELAY_MAX);
                break;
        case OPTION_ITERATIONS:
                return cli_number("iterations", value, UINT32_MAX, &top->iterations);
        case OPTION_SORT:
                top->sort = top_sort_from_name(value);
                if (top->sort == TOP_SORT_MAX)
                        return cli_usage_error("--sort takes 'frames', 'refused' or 'label'.");
                break;
        default: /* OPTION_BATCH */
                top->batch = true;
                break;
        }
        return CLI_OK;
}

int verb_top(int argc, char **argv, Context *context) {
        static const CliUsage usage = {
                .verb = "top",
                .arguments = "",
                .summary = "Shows what happens in the sessions, every second: frames that are encrypted, decrypted and "
                           "refused,\nkeys, the next ratchet step, and what does not work. q leaves.",
                .options = top_options,
                .n_options = ELEMENTS(top_options),
                .take = take_option,
        };
        Top top = { .context = context, .delay = 1, .signal_fd = -EBADF };
        int r, first;

        r = cli_parse(context, &usage, argc, argv, &top, &first);
        if (r != CLI_OK)
                return cli_parse_status(r);
        /* It would be asked every second. */
        context->unattended = true;
        context->timeout_usec = TIMEOUT_USEC;
        if (context->json != JSON_OFF || !terminal_is_able() || tcgetattr(STDIN_FILENO, &top.before) < 0)
                top.batch = true;
        r = run(&top);
        top_view_done(&top.view);
        return r;
}
