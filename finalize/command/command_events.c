/* command_events - jibri-finalize events: the history of a recording. */
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/command/screen.h"
#include "finalize/command/status_text.h"
#include "finalize/command/target.h"
#include "finalize/command/text_column.h"
#include "finalize/program/explain.h"
#include "finalize/report/report_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_EVENTS  1000u /* of one recording */
#define LAST_EVENTS  50u   /* of all of them */
#define TIME_COLUMNS 19u
#define TEXT_CEILING (64u << 20)

struct events {
    bool json;
    unsigned most; /* 0: the usual */
    struct report *report;
    struct status_text_style style;
    bool of_one;
    struct buffer out;
};

static bool read_number(const char *text, unsigned *ret_number)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno || *end || text[0] < '0' || text[0] > '9' || value < 1 || value > 1000000)
        return false;
    *ret_number = (unsigned)value;
    return true;
}

/* ---- the text -------------------------------------------------------------------------------- */

static void append_time(struct buffer *out, int64_t seconds)
{
    time_t time = (time_t)seconds;
    char text[32] = "-";
    struct tm day;

    if (localtime_r(&time, &day))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &day);
    buffer_append_format(out, "%-*s  ", (int)TIME_COLUMNS, text);
}

static bool on_event(void *context, const struct journal_view_entry *event, struct error *err)
{
    struct events *events = context;
    bool narrow = events->style.columns && events->style.columns < 62;
    unsigned indent = narrow ? 2 : TIME_COLUMNS + 2;
    struct buffer text;

    (void)err;
    buffer_init(&text, 64u * 1024);
    if (!events->of_one)
        buffer_append_format(&text, "%s: ", event->session_id);
    if (event->path[0])
        buffer_append_format(&text, "%s: ", event->path);
    buffer_append_text(&text, event->text);
    append_time(&events->out, event->at);
    if (narrow)
        buffer_append_text(&events->out, "\n  ");
    text_column_append_wrapped(&events->out, buffer_text(&text), indent, indent,
                               events->style.columns);
    buffer_done(&text);
    return true;
}

static bool on_begins(void *context, const struct report_recording *recording, struct error *err)
{
    struct events *events = context;

    (void)err;
    status_text_append_title(&events->out, recording, &events->style);
    return true;
}

static int show(struct events *events, int64_t id)
{
    const struct report_filter filter = {.recording_id = id};
    const struct report_visitor visitor = {.context = events, .begins = on_begins};
    struct error err = ERROR_INIT;
    int code = EXPLAIN_EXIT_OK;

    buffer_init(&events->out, TEXT_CEILING);
    if ((!id || report_each(events->report, &filter, time(NULL), &visitor, NULL, &err)) &&
        report_each_entry(events->report, id, events->most, on_event, events, &err) &&
        events->out.failed)
        error_set(&err, ERROR_TRANSIENT, "there is too much to show");
    if (err.kind != ERROR_NONE) {
        code = command_fail(&err);
    } else {
        fputs(events->out.length ? buffer_text(&events->out) : "no events\n", stdout);
        command_finish_output(stdout, &code);
    }
    buffer_done(&events->out);
    return code;
}

static int show_json(struct events *events, int64_t id, const char *instance)
{
    const struct report_json_about about = {
        .instance = instance, .watcher = report_watcher(events->report), .now = time(NULL)};
    struct error err = ERROR_INIT;
    int code = EXPLAIN_EXIT_OK;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length); /* all of it, or none */
    bool found = false;

    if (!out)
        error_set(&err, ERROR_TRANSIENT, "no memory for the report");
    else if (report_json_events(events->report, id, events->most, &about, out, &found, &err)) {
        if (fflush(out) != 0)
            error_set(&err, ERROR_TRANSIENT, "no memory for the report");
        else if (!found)
            error_set(&err, ERROR_NO_INPUT, "the journal has just forgotten this recording");
    }
    if (out)
        (void)fclose(out); /* it is memory */
    if (err.kind != ERROR_NONE) {
        code = command_fail(&err);
    } else {
        (void)fwrite(text, 1, length, stdout);
        command_finish_output(stdout, &code);
    }
    free(text);
    return code;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int look(struct events *events, const struct command *command, char *const *names,
                size_t count)
{
    const struct report_source source = {.journal = command->journal,
                                         .recordings_dir = command->recordings_dir,
                                         .media = command->settings.media};
    struct targets targets = {0};
    struct error err = ERROR_INIT;
    int64_t id = 0;
    int code;

    if (!report_open(&source, &events->report, &err) ||
        !targets_find(events->report, names, count, time(NULL), stderr, &targets, &err)) {
        code = command_fail(&err);
        goto out;
    }
    if (count) {
        id = targets.list[0].id;
        if (!id)
            error_set(&err, ERROR_NO_INPUT, "the journal knows nothing of %s",
                      targets.list[0].directory);
    }
    events->of_one = count > 0;
    if (!events->most)
        events->most = count ? MOST_EVENTS : LAST_EVENTS;
    if (err.kind != ERROR_NONE)
        code = command_fail(&err);
    else
        code =
            events->json ? show_json(events, id, command->settings.instance_id) : show(events, id);
out:
    targets_done(&targets);
    report_close(events->report);
    return code;
}

int command_events(const struct command_line *line)
{
    struct events events = {.json = command_line_value(line, "json") != NULL};
    const char *last = command_line_value(line, "last");
    struct screen screen;
    struct command command;
    int code;

    if (last && !read_number(last, &events.most))
        return command_line_misused(line, "--last wants a number from 1, not %s", last);
    if (line->count > 1)
        return command_line_misused(line, "more than one recording is named");
    text_column_begin();
    screen_look(&screen);
    events.style = (struct status_text_style){
        .columns = screen.columns, .colours = screen.colours, .now = time(NULL)};
    if (command_open(&command, line, COMMAND_LOOKS, line->names[0], &code))
        code = look(&events, &command, line->names, line->count);
    command_close(&command);
    return code;
}
