/* command_retry - jibri-finalize retry: upload again now what waits or failed. */
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/command/target.h"
#include "finalize/command/text_column.h"
#include "finalize/program/explain.h"
#include "finalize/program/finalize_session.h"
#include "finalize/report/report.h"
#include "finalize/session/open_writer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct retry {
    struct finalize_session_options options;
    bool all;
};

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

/* ---- which ones ------------------------------------------------------------------------------ */

static bool on_recording(void *context, const struct report_recording *recording, struct error *err)
{
    if (recording->state == REPORT_LOST && recording->row.state == JOURNAL_RECORDING_DONE)
        return true; /* nothing is left to be done for it */
    return targets_add(context, recording->row.id, recording->row.directory, recording->state, err);
}

static bool find_targets(const struct command *command, const struct retry *retry,
                         char *const *names, size_t count, struct targets *targets,
                         struct error *err)
{
    const struct report_source source = {.journal = command->journal,
                                         .recordings_dir = command->recordings_dir,
                                         .media = command->settings.media};
    const struct report_filter stuck = {
        .states = REPORT_BIT(REPORT_WAITING) | REPORT_BIT(REPORT_FAILED) | REPORT_BIT(REPORT_LOST) |
                  REPORT_BIT(REPORT_INTERRUPTED)};
    const struct report_visitor visitor = {.context = targets, .recording = on_recording};
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

static int retry_one(const struct command *command, const struct retry *retry,
                     const struct target *target, bool *ret_stopped)
{
    struct finalize_session_options options = retry->options;
    struct error err = ERROR_INIT;

    options.retries_abandoned = !retry->all;
    if (open_writer_in(target->directory) == OPEN_WRITER_THERE) {
        error_set(&err, ERROR_TRANSIENT, "a recording in %s is still written to and is left alone",
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
        code = explain_worse(code, retry_one(command, retry, &targets->list[i], &stopped));
    if (i < targets->count) {
        fprintf(stderr,
                "jibri-finalize: stopped, %zu more recording(s) were not tried; what to do: call "
                "it again\n",
                targets->count - i);
        code = explain_worse(code, EXPLAIN_EXIT_LATER);
    }
    if (retry->all && !targets->count)
        printf("nothing waits or failed\n");
    return code;
}

/* Returns the program's exit code: the worst of all recordings. */
int command_retry(const struct command_line *line)
{
    const char *meeting_id = command_line_value(line, "meeting-id");
    struct retry retry = {.all = command_line_value(line, "all") != NULL};
    struct targets targets = {0};
    struct error err = ERROR_INIT;
    struct command command;
    int code;

    retry.options.notify_only = command_line_value(line, "notify-only") != NULL;
    if (meeting_id && !read_meeting_id(meeting_id, &retry.options.meeting_id))
        return command_line_misused(
            line, "--meeting-id wants a number from 1 to 2147483647, not %s", meeting_id);
    if (retry.all == (line->count > 0))
        return command_line_misused(line, retry.all ? "either --all or recordings are to be named"
                                                    : "no recording is named (or --all)");
    if (meeting_id && line->count != 1)
        return command_line_misused(line, "--meeting-id is for one recording");
    text_column_begin();
    if (command_open(&command, line, COMMAND_WORKS, line->names[0], &code)) {
        if (find_targets(&command, &retry, line->names, line->count, &targets, &err) ||
            (err.kind == ERROR_DAMAGED && name_directories(line->names, line->count, &targets)))
            code = retry_each(&command, &retry, &targets);
        else
            code = command_fail(&err);
    }
    targets_done(&targets);
    command_close(&command);
    return code;
}
