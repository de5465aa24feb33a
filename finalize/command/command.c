#include "finalize/command/command.h"

#include "finalize/command/text_column.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "finalize/program/owner.h"
#include "finalize/program/program.h"
#include "finalize/session/recordings_dir.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int command_fail_with(const struct error *err, const char *advice)
{
    struct buffer text;

    buffer_init(&text, 4 * sizeof err->text);
    text_column_append(&text, err->text, 0);
    fflush(stdout);
    fprintf(stderr, "jibri-finalize: %s; what to do: %s\n", buffer_text(&text), advice);
    buffer_done(&text);
    return (int)explain_exit_code(err);
}

int command_fail(const struct error *err)
{
    switch (err->kind) { /* these mean something else to an operator than to Jibri's call */
    case ERROR_NO_INPUT:
        return command_fail_with(err, "jibri-finalize status --all lists all recordings");
    case ERROR_USAGE:
        return command_fail_with(
            err, "jibri-finalize status lists recordings; name one by its directory");
    case ERROR_DAMAGED:
        return command_fail_with(err,
                                 "jibri-finalize DIR, with a session directory, sets the journal "
                                 "aside and makes a new one from what is on the disk and in the "
                                 "bucket");
    default:
        return command_fail_with(err, explain_advice(err));
    }
}

/* Whether standard output took all of it; if not, that is said and *code is changed. */
static void finish_output(int *code)
{
    struct error err = ERROR_INIT;

    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    if (errno == EPIPE)
        return; /* the reader has closed the pipe */
    error_set_errno(&err, ERROR_PERMANENT, errno, "cannot write to standard output");
    fprintf(stderr, "jibri-finalize: %s; what to do: make room where the output goes\n", err.text);
    if (*code == EXPLAIN_EXIT_OK)
        *code = EXPLAIN_EXIT_PERSON;
}

/* ---- settings -------------------------------------------------------------------------------- */

static bool load(struct command *command, const struct command_line *line, enum command_needs needs)
{
    const char *path = line->config ? line->config : settings_default_file();
    const char *const *environment = (const char *const *)environ;

    if (needs != COMMAND_LOOKS) {
        command->complete =
            settings_load(environment, path, &command->settings, &command->problems);
        if (command->complete || needs == COMMAND_WORKS)
            return command->complete;
        settings_done(&command->settings);
        settings_problems_done(&command->problems);
    }
    return settings_load_machine(environment, path, &command->settings, &command->problems);
}

/* ---- the place ------------------------------------------------------------------------------- */

/* The directory above what may be a session directory. */
static char *parent_of(const char *argument)
{
    char *resolved = realpath(argument, NULL);
    char *copy = resolved ? resolved : strdup(argument); /* it may be gone already */
    char *parent = copy ? realpath(dirname(copy), NULL) : NULL;

    free(copy);
    return parent;
}

/* Without a setting, the parent of what a person typed comes before the usual directories. */
static char *find_recordings_dir(const struct settings *settings, const char *argument)
{
    bool is_path = argument && (strchr(argument, '/') || access(argument, F_OK) == 0);
    const char *directory;
    char *resolved;

    if (!settings->recordings_dir && is_path)
        return parent_of(argument);
    directory = recordings_dir_of(settings);
    if (!directory)
        return NULL;
    resolved = realpath(directory, NULL);
    return resolved ? resolved : strdup(directory); /* one that isn't there yet holds nothing */
}

static bool find_place(struct command *command, const char *argument, struct error *err)
{
    char *directory = find_recordings_dir(&command->settings, argument);
    bool fits;

    if (!directory)
        return error_set(err, ERROR_SETTINGS,
                         "no recordings directory is known: CONFOMEET_RECORDINGS_DIR is not set, "
                         "and neither /config/recordings nor /storage/recordings exists");
    fits = (size_t)snprintf(command->recordings_dir, sizeof command->recordings_dir, "%s",
                            directory) < sizeof command->recordings_dir &&
           journal_place(&command->settings, directory, command->journal);
    free(directory);
    return fits || error_set(err, ERROR_SETTINGS, "the path of the recordings is too long");
}

bool command_become_owner(const struct settings *settings, const char *argument, struct error *err)
{
    /* The session's own parent, as the finalizer has it, whatever its name looks like. */
    char *directory = settings->recordings_dir || !argument ? find_recordings_dir(settings, NULL)
                                                            : parent_of(argument);
    bool ok = !directory || owner_become(directory, err);

    free(directory);
    return ok;
}

bool command_open(struct command *command, const struct command_line *line,
                  enum command_needs needs, const char *argument, int *ret_code)
{
    struct error err = ERROR_INIT;
    char advice[OWNER_ADVICE_SIZE] = "";

    *command = (struct command){.line = line};
    text_column_begin();
    screen_look(&command->screen);
    command->style = (struct status_text_style){
        .columns = command->screen.columns, .colours = command->screen.colours, .now = time(NULL)};
    if (!load(command, line, needs)) {
        program_say_problems(&command->problems);
        *ret_code = EXPLAIN_EXIT_SETTINGS;
        return false;
    }
    log_open(command->settings.log_level, command->settings.log_format);
    if (needs == COMMAND_WORKS)
        program_say_warnings(&command->problems);
    if (find_place(command, argument, &err) && owner_become(command->recordings_dir, &err) &&
        owner_may_use(command->journal, advice, &err))
        return true;
    *ret_code = advice[0] ? command_fail_with(&err, advice) : command_fail(&err);
    return false;
}

void command_close(struct command *command)
{
    targets_done(&command->targets);
    report_close(command->report);
    settings_done(&command->settings);
    settings_problems_done(&command->problems);
}

/* ---- recordings ------------------------------------------------------------------------------ */

bool command_find(struct command *command, struct error *err)
{
    const struct report_source source = {.journal = command->journal,
                                         .recordings_dir = command->recordings_dir,
                                         .root = recordings_dir_of(&command->settings),
                                         .media = command->settings.media};

    return report_open(&source, &command->report, err) &&
           targets_find(command->report, command->line->names, command->line->count, time(NULL),
                        stderr, &command->targets, err);
}

struct listing {
    struct buffer text;
    const struct status_text_style *style;
};

static bool on_recording(void *context, const struct report_recording *recording, struct error *err)
{
    struct listing *listing = context;

    (void)err;
    status_text_append_row(&listing->text, recording, listing->style);
    return true;
}

bool command_list(struct command *command, const struct report_filter *filter, struct error *err)
{
    struct listing listing = {.style = &command->style};
    const struct report_visitor visitor = {.context = &listing, .recording = on_recording};
    bool ok;

    command->style.watcher = report_watcher(command->report);
    command->style.now = time(NULL);
    buffer_init(&listing.text, 1u << 20);
    ok = report_each(command->report, filter, command->style.now, &visitor, NULL, err);
    if (ok)
        fputs(buffer_text(&listing.text), stdout);
    fflush(stdout);
    buffer_done(&listing.text);
    return ok;
}

/* Prints the text, or why there is none; returns the exit code. */
static int end_print(const char *text, size_t length, const struct error *err)
{
    int code = EXPLAIN_EXIT_OK;

    if (err->kind != ERROR_NONE)
        return command_fail(err);
    (void)fwrite(text, 1, length, stdout);
    finish_output(&code);
    return code;
}

int command_print_json(bool (*write)(void *context, FILE *out, struct error *err), void *context)
{
    struct error err = ERROR_INIT;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    int code;

    if (!out || !write(context, out, &err) || fflush(out) != 0)
        error_set(&err, ERROR_TRANSIENT, "no memory for what is to be shown"); /* the first cause
                                                                                   counts */
    if (out)
        (void)fclose(out); /* closing a memory stream writes nothing */
    code = end_print(text, length, &err);
    free(text);
    return code;
}

int command_print_text(bool (*write)(void *context, struct buffer *out, struct error *err),
                       void *context)
{
    struct error err = ERROR_INIT;
    struct buffer text;
    int code;

    buffer_init(&text, COMMAND_TEXT_CEILING);
    if (!write(context, &text, &err) || text.failed)
        error_set(&err, ERROR_TRANSIENT, "there is too much to show");
    code = end_print(buffer_text(&text), text.length, &err);
    buffer_done(&text);
    return code;
}
