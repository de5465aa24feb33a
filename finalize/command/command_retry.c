/* command_retry - jibri-finalize retry: upload again now what waits or failed. */
#include "config/units.h"
#include "finalize/base/number.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/program/explain.h"
#include "finalize/program/finalize_session.h"
#include "finalize/report/report.h"
#include "finalize/session/open_writer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct retry {
    struct finalize_session_options options;
    bool all;
};

/* ---- which ones ------------------------------------------------------------------------------ */

/* No finalizer was called for it: as the watcher's orphans, it has been quiet for long. */
static bool is_left_behind(const struct settings *settings, const struct report_recording *found)
{
    int64_t quiet_s = time(NULL) - found->row.created_at;

    return quiet_s < 0 || quiet_s >= (int64_t)(settings->orphan_after_ms / 1000);
}

static bool on_recording(void *context, const struct report_recording *recording, struct error *err)
{
    struct command *command = context;

    if (recording->state == REPORT_LOST && recording->row.state == JOURNAL_RECORDING_DONE)
        return true; /* nothing is left to be done for it */
    if (recording->state == REPORT_FOUND && !is_left_behind(&command->settings, recording))
        return true;
    return targets_add(&command->targets, recording->row.id, recording->row.directory,
                       recording->state, err);
}

static bool find_targets(struct command *command, const struct retry *retry, struct error *err)
{
    const struct report_filter stuck = {
        .states = REPORT_BIT(REPORT_WAITING) | REPORT_BIT(REPORT_FAILED) | REPORT_BIT(REPORT_LOST) |
                  REPORT_BIT(REPORT_INTERRUPTED) | REPORT_BIT(REPORT_FOUND)};
    const struct report_visitor visitor = {.context = command, .recording = on_recording};

    return command_find(command, err) &&
           (!retry->all || report_each(command->report, &stuck, time(NULL), &visitor, NULL, err));
}

/* A journal that is damaged is no reason not to upload what is named by its directory: the run sets
 * it aside. */
static bool name_directories(struct command *command)
{
    const struct command_line *line = command->line;
    struct error ignored = ERROR_INIT;

    for (size_t i = 0; i < line->count; i++) {
        const char *name = line->names[i];
        char *directory = strchr(name, '/') ? realpath(name, NULL) : NULL;
        bool ok = directory && targets_add(&command->targets, 0, directory, REPORT_FOUND, &ignored);

        free(directory);
        if (!ok)
            return false;
    }
    return line->count > 0;
}

/* ---- the tries ------------------------------------------------------------------------------- */

static int retry_one(const struct command *command, const struct retry *retry,
                     const struct target *target, bool *ret_stopped)
{
    struct finalize_session_options options = retry->options;
    struct error err = ERROR_INIT;

    options.retries_abandoned = !retry->all;
    if (open_writer_in(target->directory) == OPEN_WRITER_THERE) {
        error_set(&err, ERROR_TRANSIENT,
                  "a process still writes to a recording in %s: it is left alone",
                  target->directory);
        fprintf(stderr, "jibri-finalize: %s; what to do: wait until its meeting has ended\n",
                err.text);
        return (int)explain_exit_code(&err);
    }
    return finalize_session(&command->settings, target->directory, FINALIZE_SESSION_OPERATOR,
                            &options, ret_stopped);
}

static int retry_each(const struct command *command, const struct retry *retry)
{
    const struct targets *targets = &command->targets;
    int code = EXPLAIN_EXIT_OK;
    bool stopped = false;
    char count[32];
    size_t i;

    for (i = 0; i < targets->count && !stopped; i++)
        code = explain_worse(code, retry_one(command, retry, &targets->list[i], &stopped));
    if (i < targets->count) {
        fprintf(stderr, "jibri-finalize: stopped with %s not tried; what to do: call it again\n",
                units_format_count(targets->count - i, "recording", count, sizeof count));
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
    uint64_t number = 0;
    struct error err = ERROR_INIT;
    struct command command;
    int code;

    retry.options.notify_only = command_line_value(line, "notify-only") != NULL;
    if (meeting_id && !number_read(meeting_id, 1, INT32_MAX, &number))
        return command_line_misused(
            line, "--meeting-id wants a number from 1 to 2147483647, not %s", meeting_id);
    retry.options.meeting_id = (int32_t)number;
    if (retry.all == (line->count > 0))
        return command_line_misused(line, retry.all ? "--all and recordings exclude each other"
                                                    : "give a recording, or --all");
    if (meeting_id && line->count != 1)
        return command_line_misused(line, "--meeting-id is for one recording");
    if (command_open(&command, line, COMMAND_WORKS, line->names[0], &code)) {
        if (find_targets(&command, &retry, &err) ||
            (err.kind == ERROR_DAMAGED && name_directories(&command)))
            code = retry_each(&command, &retry);
        else
            code = command_fail(&err);
    }
    command_close(&command);
    return code;
}
