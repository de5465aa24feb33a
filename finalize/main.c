/* jibri-finalize - what Jibri calls when a recording has ended: see --help. */
#include "config/settings.h"
#include "config/units.h"
#include "finalize/check.h"
#include "finalize/explain.h"
#include "finalize/finalizer.h"
#include "finalize/footprint.h"
#include "finalize/log.h"
#include "finalize/loop.h"
#include "finalize/progress.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

struct program {
    int stop_fd;
    bool stop_requested;
    struct progress progress;
    uint64_t started_ms;
};

/* ---- what Jibri's log and people see --------------------------------------------------------- */

static const char *number(uint64_t value, char *out, size_t size)
{
    snprintf(out, size, "%llu", (unsigned long long)value);
    return out;
}

static void log_begin(const char *session_id, const struct finalizer_event *event)
{
    char bytes[32], files[32], tries[32];
    const struct log_field fields[] = {{"session", session_id},
                                       {"files", number(event->files, files, sizeof files)},
                                       {"try", number(event->tries, tries, sizeof tries)},
                                       {0}};

    units_format_size(event->bytes, bytes, sizeof bytes);
    log_line(SETTINGS_LOG_INFO, fields, "finalizing: %s to upload", bytes);
}

static void log_file(const char *session_id, const struct journal_file *file, const char *sentence)
{
    char size[32], row[32];
    const struct log_field fields[] = {
        {"session", session_id},
        {"file", file->path},
        {"key", file->key},
        {"bytes", number(file->object_bytes, size, sizeof size)},
        {"backend_row",
         file->backend_row ? number((uint64_t)file->backend_row, row, sizeof row) : NULL},
        {0}};

    log_line(SETTINGS_LOG_INFO, fields, "%s", sentence);
}

static void on_event(void *context, const char *session_id, const struct finalizer_event *event)
{
    const struct log_field fields[] = {
        {"session", session_id}, {"file", event->path && event->path[0] ? event->path : NULL}, {0}};

    (void)context;
    switch (event->kind) {
    case FINALIZER_BEGINS:
        log_begin(session_id, event);
        break;
    case FINALIZER_WAITS:
        log_line(SETTINGS_LOG_INFO, fields, "waiting: another process works on this recording");
        break;
    case FINALIZER_REMARK:
        log_line(SETTINGS_LOG_WARNING, fields, "%s%s%s", event->path ? event->path : "",
                 event->path && event->path[0] ? ": " : "", event->text);
        break;
    case FINALIZER_RETRY:
        log_line(SETTINGS_LOG_WARNING, fields, "trying again: %s", event->error->text);
        break;
    case FINALIZER_UPLOADED:
        log_file(session_id, event->file, "uploaded, and confirmed in the bucket");
        break;
    case FINALIZER_NOTIFIED:
        log_file(session_id, event->file, "the backend accepted the notice");
        break;
    case FINALIZER_FAILED:
        log_line(SETTINGS_LOG_ERROR, fields, "%s", event->error->text);
        break;
    case FINALIZER_REMOVED:
        log_line(SETTINGS_LOG_DEBUG, fields, "removed the local copy");
        break;
    }
}

static void on_progress(void *context, const char *session_id,
                        const struct finalizer_progress *progress)
{
    struct program *program = context;

    progress_update(&program->progress, progress->done_bytes, progress->total_bytes, loop_now_ms(),
                    session_id);
}

static void say_result(const struct program *program, const char *directory, bool ok,
                       const struct finalizer_summary *summary, const struct error *err)
{
    char bytes[32], took[32], left[64] = "";
    const struct log_field fields[] = {{"directory", directory}, {0}};

    units_format_size(summary->bytes_safe, bytes, sizeof bytes);
    units_format_duration(loop_now_ms() - program->started_ms, took, sizeof took);
    if (summary->files_left)
        snprintf(left, sizeof left, "; %u local file(s) stay", summary->files_left);
    if (ok && !summary->files_safe && !summary->files_left)
        log_line(SETTINGS_LOG_INFO, fields, "safe: an earlier run has finished this recording");
    else if (ok)
        log_line(SETTINGS_LOG_INFO, fields, "safe: %u file(s), %s, in %s%s", summary->files_safe,
                 bytes, took,
                 left[0]                      ? left
                 : summary->directory_removed ? "; the disk is freed"
                                              : "");
    else
        log_line(SETTINGS_LOG_ERROR, fields, "not finished: %s; what to do: %s", err->text,
                 explain_advice(err));
}

/* ---- signals ----------------------------------------------------------------------------------
 */

/* TERM and INT become readable on a descriptor that the loop waits for: no handler, no races. */
static int open_stop_fd(void)
{
    sigset_t stops;

    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &stops, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool on_stop_requested(void *context)
{
    struct program *program = context;
    struct signalfd_siginfo info;

    if (!program->stop_requested && program->stop_fd >= 0 &&
        read(program->stop_fd, &info, sizeof info) == (ssize_t)sizeof info)
        program->stop_requested = true;
    return program->stop_requested;
}

/* ---- commands ---------------------------------------------------------------------------------
 */

static int finalize(const struct settings *settings, const char *directory)
{
    struct program program = {.stop_fd = open_stop_fd(), .started_ms = loop_now_ms()};
    struct finalizer_options options = {.settings = settings,
                                        .stop_fd = program.stop_fd,
                                        .stop_requested = on_stop_requested,
                                        .event = on_event,
                                        .progress = on_progress,
                                        .context = &program};
    struct finalizer_summary summary;
    struct error err = ERROR_INIT;
    bool ok = finalizer_run(&options, directory, &summary, &err);

    progress_end(&program.progress);
    say_result(&program, directory, ok, &summary, &err);
    if (program.stop_fd >= 0)
        close(program.stop_fd);
    return (int)explain_exit_code(&err);
}

static void on_finding(void *context, bool fine, const char *subject, const char *text,
                       const char *advice)
{
    (void)context;
    printf("%-5s %-11s %s%s%s\n", fine ? "ok" : "WRONG", subject, text, advice ? "; " : "",
           advice ? advice : "");
    fflush(stdout);
}

static int check(const struct settings *settings, const char *config)
{
    struct check_report report = {.finding = on_finding};

    signal(SIGPIPE, SIG_IGN);
    settings_write_effective(settings, (const char *const *)environ, config, stdout);
    printf("\n");
    return check_run(settings, &report) ? EXPLAIN_EXIT_OK : EXPLAIN_EXIT_PERSON;
}

/* ---- the command line -------------------------------------------------------------------------
 */

static void print_help(void)
{
    printf("Usage: jibri-finalize [--config FILE] DIR\n"
           "       jibri-finalize [--config FILE] check\n"
           "\n"
           "Uploads the recording in the session directory DIR to the S3 bucket of the settings,\n"
           "tells the backend, and then frees the disk. Jibri calls it when a meeting has ended\n"
           "(JIBRI_FINALIZE_RECORDING_SCRIPT_PATH); called again with the same directory, it goes\n"
           "on where it stopped. Also installed as finalize-s3.sh, which it replaces.\n"
           "\n"
           "  DIR            the session directory, as Jibri names it; write ./check for one of\n"
           "                 that name\n"
           "  check          tell whether it would work: settings, directories, clock, bucket,\n"
           "                 backend; a line each\n"
           "  --config FILE  settings as NAME=value lines; default: the first of\n"
           "                 /run/jibri-finalize/finalize.env, /etc/jibri-finalize/finalize.env\n"
           "  --help         this text\n"
           "  --version      the version\n"
           "\n"
           "Exit codes: 0 all is safe; 75 try again later; 1 a person is needed; 78 settings;\n"
           "66 DIR isn't there or holds nothing; 64 usage. Without 0, the files stay on disk.\n"
           "\n"
           "Examples:\n"
           "  jibri-finalize check\n"
           "  jibri-finalize /config/recordings/nzqxnaoiugxqlhbp\n"
           "  jibri-finalize --config ./finalize.env /config/recordings/nzqxnaoiugxqlhbp\n"
           "\n"
           "Settings, from the environment or, lower in precedence, from the file:\n\n");
    settings_write_help(stdout);
}

static int usage_error(const char *what)
{
    fprintf(stderr, "jibri-finalize: %s; see jibri-finalize --help\n", what);
    return EXPLAIN_EXIT_USAGE;
}

/* Recordings' keys and tokens are in this process's memory: no core dump, no other process's
 * ptrace. */
static void forbid_dumps(void)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

static int say_problems(const struct settings_problems *problems, bool checking)
{
    bool said = false;

    for (char **line = problems->warnings; line && *line; line++)
        log_line(SETTINGS_LOG_WARNING, NULL, "%s", *line);
    for (char **line = problems->errors; line && *line; line++) {
        said = true;
        if (checking)
            on_finding(NULL, false, "settings", *line, NULL);
        else
            log_line(SETTINGS_LOG_ERROR, NULL, "%s", *line);
    }
    if (!checking)
        log_line(SETTINGS_LOG_ERROR, NULL,
                 "the settings cannot be used%s; what to do: correct them (jibri-finalize --help "
                 "lists all), then call it again with the same directory",
                 said ? "" : ": no memory to read them");
    return checking ? EXPLAIN_EXIT_PERSON : EXPLAIN_EXIT_SETTINGS;
}

static int run(const char *config, const char *argument)
{
    const char *path = config ? config : settings_default_file();
    bool checking = !strcmp(argument, "check");
    struct settings_problems problems;
    struct settings settings;
    int code;

    if (settings_load((const char *const *)environ, path, &settings, &problems)) {
        log_open(settings.log_level, settings.log_format);
        for (char **line = problems.warnings; line && *line; line++)
            log_line(SETTINGS_LOG_WARNING, NULL, "%s", *line);
        code = checking ? check(&settings, path) : finalize(&settings, argument);
    } else {
        code = say_problems(&problems, checking);
    }
    settings_done(&settings);
    settings_problems_done(&problems);
    return code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    const char *config = NULL;
    int option;

    forbid_dumps();
    footprint_release_startup_pages();
    umask(077);
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case 'h':
            print_help();
            return EXPLAIN_EXIT_OK;
        case 'V':
            printf("jibri-finalize %s\n", PROJECT_VERSION);
            return EXPLAIN_EXIT_OK;
        default:
            return usage_error("unknown option, or one without its value");
        }
    }
    if (argc - optind != 1)
        return usage_error(argc - optind < 1 ? "no session directory given"
                                             : "more than one session directory given");
    if (!argv[optind][0])
        return usage_error("the session directory's name is empty");
    return run(config, argv[optind]);
}
