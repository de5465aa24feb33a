/* command_status - jibri-finalize status: is my recording safe? */
#include "config/units.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/program/explain.h"
#include "finalize/program/program.h"
#include "finalize/report/metrics.h"
#include "finalize/report/report_json.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MOST_SAFE    10u /* of the safe ones, unless more are asked for */
#define MOST_RESENDS 1000u
#define WATCH_MS     1000
#define LEAVE_SCREEN "\033[?25h\033[?1049l"
#define ENTER_SCREEN "\033[?1049h\033[?25l"

struct status {
    struct report_filter filter;
    bool json, failed, watch, prometheus;
    struct command command;
    bool by_name; /* recordings were named: they are shown in full */
    struct buffer table;
    struct report_totals totals;
};

/* ---- the command line ------------------------------------------------------------------------ */

static bool has(const struct command_line *line, const char *option)
{
    return command_line_value(line, option) != NULL;
}

/* EXPLAIN_EXIT_OK, or that of a line that cannot be used. */
static int read_options(const struct command_line *line, struct status *status)
{
    const char *states = command_line_value(line, "state");
    const char *since = command_line_value(line, "since");
    uint64_t age_ms;

    *status = (struct status){.json = has(line, "json"),
                              .failed = has(line, "failed"),
                              .watch = has(line, "watch"),
                              .prometheus = has(line, "prometheus"),
                              .by_name = line->count > 0};
    if (status->failed)
        status->filter.states = REPORT_NEEDS_PERSON;
    if (states && !report_states_read(states, &status->filter.states))
        return command_line_misused(line, "there is no state %s", states);
    if (since && !units_parse_duration(since, 1000, &age_ms))
        return command_line_misused(line, "--since wants a duration as in 30min, 24h or 7d, not %s",
                                    since);
    if (since)
        status->filter.since = time(NULL) - (int64_t)(age_ms / 1000);
    if (!states && !since && !status->json && !status->by_name && !has(line, "all"))
        status->filter.most_safe = MOST_SAFE;
    if (status->watch && status->json)
        return command_line_misused(line, "--watch and --json exclude each other");
    if (status->prometheus && (status->watch || status->json || status->failed || line->count))
        return command_line_misused(line,
                                    "--prometheus takes neither recordings nor other options");
    return EXPLAIN_EXIT_OK;
}

/* ---- the text -------------------------------------------------------------------------------- */

static bool on_begins(void *context, const struct report_recording *recording, struct error *err)
{
    struct status *status = context;

    (void)err;
    status_text_append_title(&status->table, recording, &status->command.style);
    return true;
}

static bool on_file(void *context, const struct journal_view_file *file, struct error *err)
{
    struct status *status = context;

    (void)err;
    status_text_append_file(&status->table, file, &status->command.style);
    return true;
}

static bool on_entry(void *context, const struct journal_view_entry *entry, struct error *err)
{
    struct status *status = context;

    (void)err;
    status_text_append_resend(&status->table, entry, &status->command.style);
    return true;
}

static bool on_recording(void *context, const struct report_recording *recording, struct error *err)
{
    struct status *status = context;

    if (status->failed) {
        status_text_append_person(&status->table, recording, &status->command.style);
        buffer_append_text(&status->table, "\n");
    } else if (status->by_name) {
        status_text_append_rest(&status->table, recording, &status->command.style);
        if (recording->row.id &&
            !report_each_entry(status->command.report, recording->row.id, JOURNAL_SENT_AGAIN,
                               MOST_RESENDS, on_entry, status, err))
            return false;
        buffer_append_text(&status->table, "\n");
    } else {
        status_text_append_row(&status->table, recording, &status->command.style);
    }
    return true;
}

static void append_hidden(struct buffer *out, const struct status *status)
{
    unsigned safe = status->totals.recordings[REPORT_SAFE];

    char count[64];

    if (status->filter.most_safe && safe > status->filter.most_safe && !status->by_name &&
        !status->failed)
        buffer_append_format(out, "Not shown: %s; --all shows them\n",
                             units_format_count(safe - status->filter.most_safe,
                                                "older safe recording", count, sizeof count));
}

/* What waits needs a person, too, where no watcher is there to try it again. */
static bool is_left_alone(const struct status *status)
{
    const unsigned waits =
        REPORT_BIT(REPORT_WAITING) | REPORT_BIT(REPORT_INTERRUPTED) | REPORT_BIT(REPORT_FOUND);

    return status->command.style.watcher == 0 && report_states_of(&status->totals) & waits;
}

/* Appends all that there is to show. */
static bool append_text(void *context, struct buffer *out, struct error *err)
{
    struct status *status = context;
    bool full = status->by_name && !status->failed;
    const struct report_visitor visitor = {.context = status,
                                           .begins = full ? on_begins : NULL,
                                           .file = full ? on_file : NULL,
                                           .recording = on_recording};

    status->command.style.now = time(NULL);
    status->command.style.watcher = report_watcher(status->command.report);
    buffer_init(&status->table, COMMAND_TEXT_CEILING);
    if (!report_each(status->command.report, &status->filter, status->command.style.now, &visitor,
                     &status->totals, err)) {
        buffer_done(&status->table);
        return false;
    }
    if (full && !status->totals.shown) {
        buffer_done(&status->table);
        return error_set(err, ERROR_NO_INPUT,
                         "the journal knows nothing of %.300s, and it is not in the recordings "
                         "directory",
                         status->filter.directories[0]);
    }
    if (!status->by_name && !status->failed)
        status_text_append_summary(out, &status->totals, &status->command.style);
    if (status->failed && !status->table.length)
        buffer_append_text(out, is_left_alone(status)
                                    ? "nothing failed, but no watcher runs for what waits: see "
                                      "jibri-finalize status\n"
                                    : "nothing needs a person\n");
    if (status->table.length && !status->by_name && !status->failed) {
        buffer_append_text(out, "\n");
        status_text_append_head(out, &status->command.style);
    }
    /* Without the empty line at its end. */
    if (status->table.length && (status->by_name || status->failed))
        status->table.data[--status->table.length] = 0;
    buffer_append(out, buffer_text(&status->table), status->table.length);
    append_hidden(out, status);
    buffer_done(&status->table);
    return true;
}

static bool write_json(void *context, FILE *out, struct error *err)
{
    struct status *status = context;
    struct command *command = &status->command;
    const struct report_json_about about = {.instance = command->settings.instance_id,
                                            .watcher = report_watcher(command->report),
                                            .now = time(NULL)};

    return report_json_recordings(command->report, &status->filter, &about, out, &status->totals,
                                  err);
}

/* ---- metrics --------------------------------------------------------------------------------- */

static bool write_metrics(void *context, struct buffer *out, struct error *err)
{
    const struct command *command = context;
    struct metrics metrics = {.instance_id = command->settings.instance_id, .now = time(NULL)};

    (void)err;
    metrics_gather(command->journal, command->recordings_dir, &metrics);
    metrics_write(&metrics, out);
    return true;
}

/* ---- --watch --------------------------------------------------------------------------------- */

/* As many lines as the screen has, from the top; each clears the rest of its line. */
static void paint(const struct buffer *text, unsigned rows)
{
    const char *line = buffer_text(text);

    fputs("\033[H", stdout);
    for (unsigned row = 1; *line && row < rows; row++) {
        size_t length = strcspn(line, "\n");

        (void)fwrite(line, 1, length, stdout);
        fputs("\033[K\r\n", stdout);
        line += length + (line[length] == '\n');
    }
    fputs(*line ? "...\033[K\033[J" : "\033[J", stdout);
    fflush(stdout);
}

static bool is_over(struct program_stop *stop)
{
    struct pollfd fds[] = {{.fd = stop->fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    char keys[64];
    ssize_t got;

    if (poll(fds, 2, WATCH_MS) <= 0)
        return program_stop_requested(stop);
    if (fds[1].revents) {
        got = read(STDIN_FILENO, keys, sizeof keys);
        if (got <= 0 || memchr(keys, 'q', (size_t)got) || memchr(keys, 4, (size_t)got))
            return true; /* 4: Ctrl-D */
    }
    return program_stop_requested(stop);
}

/* Keys arrive one by one, and are not shown. */
static bool take_keys(struct termios *ret_before)
{
    struct termios mode;

    if (tcgetattr(STDIN_FILENO, ret_before) != 0)
        return false;
    mode = *ret_before;
    mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    return tcsetattr(STDIN_FILENO, TCSANOW, &mode) == 0;
}

static int watch(struct status *status)
{
    struct termios before;
    bool keys = take_keys(&before);
    struct program_stop stop;
    struct screen *screen = &status->command.screen;
    struct error err = ERROR_INIT;
    bool ok = true;

    program_stop_open(&stop);
    fputs(ENTER_SCREEN, stdout);
    do {
        struct buffer out;

        screen_look(screen); /* it may have been resized */
        status->command.style.columns = screen->columns;
        buffer_init(&out, COMMAND_TEXT_CEILING);
        ok = append_text(status, &out, &err) &&
             (!out.failed || error_set(&err, ERROR_TRANSIENT, "there is too much to show"));
        if (ok)
            paint(&out, screen->rows);
        buffer_done(&out);
    } while (ok && !is_over(&stop));
    fputs(LEAVE_SCREEN, stdout);
    fflush(stdout);
    if (keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    program_stop_close(&stop);
    return ok ? EXPLAIN_EXIT_OK : command_fail(&err);
}

/* ---- the command -------------------------------------------------------------------------------
 */

static int look(struct status *status)
{
    struct command *command = &status->command;
    struct error err = ERROR_INIT;
    const char **directories = NULL;
    int code;

    if (status->watch && !command->screen.terminal)
        return command_line_misused(command->line, "--watch needs a terminal");
    if (!command_find(command, &err))
        return command_fail(&err);
    directories = status->by_name ? targets_directories(&command->targets) : NULL;
    status->filter.directories = directories;
    code = status->watch  ? watch(status)
           : status->json ? command_print_json(write_json, status)
                          : command_print_text(append_text, status);
    free(directories);
    return code == EXPLAIN_EXIT_OK ? explain_exit_code_of_states(status->totals.shown_states)
                                   : code;
}

int command_status(const struct command_line *line)
{
    struct status status;
    int code = read_options(line, &status);

    if (code != EXPLAIN_EXIT_OK)
        return code;
    if (command_open(&status.command, line, COMMAND_LOOKS, line->names[0], &code))
        code =
            status.prometheus ? command_print_text(write_metrics, &status.command) : look(&status);
    command_close(&status.command);
    return code;
}
