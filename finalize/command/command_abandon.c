/* command_abandon - jibri-finalize abandon: a person gives recordings up. */
#include "config/units.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/command/text_column.h"
#include "finalize/lifecycle/abandon.h"
#include "finalize/program/explain.h"
#include "finalize/program/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_SIZE 256 /* as journal_recording.reason */

/* ---- asking ---------------------------------------------------------------------------------- */

static bool show(struct command *command, struct error *err)
{
    const char **directories = targets_directories(&command->targets);
    const struct report_filter filter = {.directories = directories};
    bool ok = directories && command_list(command, &filter, err);

    free(directories);
    return ok;
}

static bool is_confirmed(size_t count)
{
    char answer[16];

    printf("Give %s up? What is on the disk stays there. [y/N] ", count > 1 ? "these" : "it");
    fflush(stdout);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* ---- doing it -------------------------------------------------------------------------------- */

static void on_message(void *context, const char *session_id, const struct run_message *message)
{
    (void)context;
    (void)session_id;
    if (message->kind == RUN_WAITS)
        fprintf(stderr, "waiting: another process works on this recording\n");
}

static bool is_gone(const char *directory)
{
    return access(directory, F_OK) != 0 && errno == ENOENT;
}

static int abandon_one(const struct command *command, const char *reason, const char *directory,
                       struct program_stop *stop)
{
    const struct run_options options = {.settings = &command->settings,
                                        .stop_fd = stop->fd,
                                        .stop_requested = program_stop_requested,
                                        .message = on_message,
                                        .context = stop};
    const struct abandon_options abandon = {.can_ask = command->complete, .reason = reason};
    struct leftover_result result;
    struct error err = ERROR_INIT;
    struct buffer text;
    char count[32];

    if (!abandon_recording(&options, &abandon, directory, &result, &err))
        return command_fail(&err);
    buffer_init(&text, 16384);
    text_column_append(&text, directory, 0);
    printf("abandoned: %s; %s%s\n", buffer_text(&text),
           is_gone(directory) ? "its directory is gone" : "its files stay",
           result.aborted ? ", its uploaded parts are removed from the bucket" : "");
    buffer_done(&text);
    if (!result.left)
        return EXPLAIN_EXIT_OK;
    fflush(stdout);
    fprintf(
        stderr,
        "jibri-finalize: cannot abort %s in the bucket: %s; what to do: nothing where a watcher "
        "runs, which tries again; else %s\n",
        units_format_count(result.left, "upload", count, sizeof count), result.why.text,
        explain_advice(&result.why));
    return EXPLAIN_EXIT_LATER;
}

static int abandon_each(const struct command *command, const char *reason)
{
    const struct targets *targets = &command->targets;
    struct program_stop stop;
    int code = EXPLAIN_EXIT_OK;

    program_stop_open(&stop);
    for (size_t i = 0; i < targets->count && !program_stop_requested(&stop); i++)
        code = explain_worse(code, abandon_one(command, reason, targets->list[i].directory, &stop));
    if (stop.requested)
        code = explain_worse(code, EXPLAIN_EXIT_LATER);
    program_stop_close(&stop);
    return code;
}

int command_abandon(const struct command_line *line)
{
    const char *reason = command_line_value(line, "reason");
    bool yes = command_line_value(line, "yes") != NULL;
    struct error err = ERROR_INIT;
    struct command command;
    int code = EXPLAIN_EXIT_OK;

    if (reason && strlen(reason) >= REASON_SIZE)
        return command_line_misused(line, "the reason is longer than %d bytes", REASON_SIZE - 1);
    if (!line->count)
        return command_line_misused(line, "no recording is named");
    if (!yes && !isatty(STDIN_FILENO))
        return command_line_misused(line, "there is no terminal to ask on; use --yes");
    if (command_open(&command, line, COMMAND_MAY_WORK, line->names[0], &code)) {
        if (!command_find(&command, &err) || (!yes && !show(&command, &err)))
            code = command_fail(&err);
        else if (!yes && !is_confirmed(command.targets.count))
            printf("nothing was done\n");
        else
            code = abandon_each(&command, reason ? reason : "");
    }
    command_close(&command);
    return code;
}
