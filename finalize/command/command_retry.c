#include "finalize/command/command_retry.h"

#include "finalize/command/target.h"
#include "finalize/command/text_column.h"
#include "finalize/program/explain.h"
#include "finalize/program/finalize_session.h"
#include "finalize/report/report.h"
#include "finalize/session/open_writer.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct retry {
    struct finalize_session_options options;
    bool all;
};

static void print_help(void)
{
    printf(
        "Usage: jibri-finalize [--config FILE] retry [OPTION...] DIR|ID...\n"
        "       jibri-finalize [--config FILE] retry [OPTION...] --all\n"
        "\n"
        "Brings recordings to the bucket now, one after the other, whenever their next try would\n"
        "be. What is in the bucket already is not sent again. DIR may be a session directory\n"
        "that was brought from another machine. One that somebody still writes to is left alone.\n"
        "\n"
        "  ID              a session id or its first 4 characters or more, a number as shown by\n"
        "                  status, or a meeting id that is there once\n"
        "  --all           all that wait, failed or were interrupted; abandoned recordings and\n"
        "                  those that are not in the journal are to be named\n"
        "  --meeting-id N  the meeting id for a file whose name does not begin with one; it is\n"
        "                  kept for later tries\n"
        "  --notify-only   upload nothing; tell the backend of what is in the bucket\n"
        "  --help          this text\n"
        "\n"
        "Exit codes: 0 all is safe; 75 something is left for later; 1 a person is needed;\n"
        "66 there is no such recording; 64 usage; 78 settings.\n"
        "\n"
        "Examples:\n"
        "  jibri-finalize retry --all\n"
        "  jibri-finalize retry 12\n"
        "  jibri-finalize retry --meeting-id 12345 /config/recordings/nzqxnaoiugxqlhbp\n"
        "  jibri-finalize retry --notify-only 12345\n");
}

/* ---- the command line ------------------------------------------------------------------------ */

static bool read_meeting_id(const char *text, int32_t *ret_meeting_id)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || end == text || *end || text[0] < '0' || text[0] > '9' || value < 1 ||
        value > INT32_MAX)
        return false;
    *ret_meeting_id = (int32_t)value;
    return true;
}

static int read_option(struct retry *retry, int option)
{
    switch (option) {
    case 'a':
        retry->all = true;
        return 0;
    case 'n':
        retry->options.notify_only = true;
        return 0;
    case 'm':
        if (read_meeting_id(optarg, &retry->options.meeting_id))
            return 0;
        return command_misused("retry", "--meeting-id wants a number from 1 to 2147483647, not %s",
                               optarg);
    case 'h':
        print_help();
        return -1;
    default:
        return command_misused("retry", "unknown option, or one without its value");
    }
}

/* 0: go on; -1: all is said; else an exit code. */
static int read_line(const struct command_line *line, struct retry *retry)
{
    static const struct option options[] = {{"all", no_argument, NULL, 'a'},
                                            {"meeting-id", required_argument, NULL, 'm'},
                                            {"notify-only", no_argument, NULL, 'n'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option, code = 0;

    optind = 0; /* another command line than main()'s */
    opterr = 0;
    while (!code && (option = getopt_long(line->argc, line->argv, "h", options, NULL)) != -1)
        code = read_option(retry, option);
    if (code)
        return code;
    if (retry->all == (optind < line->argc))
        return command_misused("retry", retry->all ? "either --all or recordings are to be named"
                                                   : "no recording is named (or --all)");
    if (retry->options.meeting_id && line->argc - optind != 1)
        return command_misused("retry", "--meeting-id is for one recording");
    return 0;
}

/* ---- which ones ------------------------------------------------------------------------------ */

struct collecting {
    struct targets *targets;
};

static bool on_recording(void *context, const struct report_recording *recording, struct error *err)
{
    struct collecting *collecting = context;

    return targets_add(collecting->targets, recording->row.id, recording->row.directory,
                       recording->state, err);
}

static bool find_targets(const struct command *command, const struct retry *retry,
                         char *const *names, size_t count, struct targets *targets,
                         struct error *err)
{
    const struct report_source source = {.journal = command->journal,
                                         .recordings_dir = command->recordings_dir};
    const struct report_filter stuck = {.states = REPORT_BIT(REPORT_WAITING) |
                                                  REPORT_BIT(REPORT_FAILED) |
                                                  REPORT_BIT(REPORT_INTERRUPTED)};
    struct collecting collecting = {.targets = targets};
    const struct report_visitor visitor = {.context = &collecting, .recording = on_recording};
    struct report *report = NULL;
    bool ok = report_open(&source, &report, err);

    if (ok && retry->all)
        ok = report_each(report, &stuck, time(NULL), &visitor, NULL, err);
    else if (ok)
        ok = targets_find(report, names, count, time(NULL), stderr, targets, err);
    report_close(report);
    return ok;
}

/* A journal that is damaged is no reason not to upload what is named by its directory: the run sets
 * it aside. */
static bool name_directories(char *const *names, size_t count, struct targets *targets)
{
    struct error ignored = ERROR_INIT;

    for (size_t i = 0; i < count; i++) {
        char *directory = strchr(names[i], '/') ? realpath(names[i], NULL) : NULL;
        bool ok = directory && targets_add(targets, 0, directory, REPORT_FOUND, &ignored);

        free(directory);
        if (!ok)
            return false;
    }
    return count > 0;
}

/* ---- the tries ------------------------------------------------------------------------------- */

int command_retry_worse(int a, int b)
{
    static const int order[] = {EXPLAIN_EXIT_OK, EXPLAIN_EXIT_LATER};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (a == order[i])
            return b;
        if (b == order[i])
            return a;
    }
    return a;
}

static int retry_one(const struct command *command, const struct retry *retry,
                     const struct target *target, bool *ret_stopped)
{
    struct finalize_session_options options = retry->options;
    struct error err = ERROR_INIT;

    options.retries_abandoned = !retry->all;
    if (open_writer_in(target->directory) == OPEN_WRITER_THERE) {
        error_set(&err, ERROR_TRANSIENT,
                  "somebody still writes to a recording in %s: it is left alone",
                  target->directory);
        fprintf(stderr, "jibri-finalize: %s; what to do: wait until its meeting has ended\n",
                err.text);
        return (int)explain_exit_code(&err);
    }
    return finalize_session_retry(&command->settings, target->directory, &options, ret_stopped);
}

static int retry_each(const struct command *command, const struct retry *retry,
                      const struct targets *targets)
{
    int code = EXPLAIN_EXIT_OK;
    bool stopped = false;
    size_t i;

    for (i = 0; i < targets->count && !stopped; i++)
        code = command_retry_worse(code, retry_one(command, retry, &targets->list[i], &stopped));
    if (i < targets->count) {
        fprintf(stderr,
                "jibri-finalize: stopped, %zu more recording(s) were not tried; what to do: call "
                "it again\n",
                targets->count - i);
        code = command_retry_worse(code, EXPLAIN_EXIT_LATER);
    }
    if (retry->all && !targets->count)
        printf("nothing waits or failed\n");
    return code;
}

int command_retry(const struct command_line *line)
{
    struct retry retry = {.all = false};
    int code = read_line(line, &retry);
    char **names = line->argv + optind;
    size_t count = (size_t)(line->argc - optind);
    struct targets targets = {0};
    struct error err = ERROR_INIT;
    struct command command;

    if (code)
        return code < 0 ? EXPLAIN_EXIT_OK : code;
    text_column_begin();
    if (command_open(&command, line, COMMAND_WORKS, names[0], &code)) {
        if (find_targets(&command, &retry, names, count, &targets, &err) ||
            (err.kind == ERROR_DAMAGED && name_directories(names, count, &targets)))
            code = retry_each(&command, &retry, &targets);
        else
            code = command_fail(&err);
    }
    targets_done(&targets);
    command_close(&command);
    return code;
}
