/* command_events - jibri-finalize events: the history of a recording. */
#include "finalize/base/number.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/command/text_column.h"
#include "finalize/program/explain.h"
#include "finalize/report/report_json.h"

#include <time.h>

#define MOST_EVENTS  1000u /* of one recording */
#define LAST_EVENTS  50u   /* of all of them */
#define TIME_COLUMNS 19u

struct events {
    unsigned most; /* 0: the usual */
    struct command command;
    int64_t id; /* 0: of all */
    struct buffer *out;
};

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
    bool narrow = events->command.style.columns && events->command.style.columns < 62;
    unsigned indent = narrow ? 2 : TIME_COLUMNS + 2;
    struct buffer text;

    (void)err;
    buffer_init(&text, 64u * 1024);
    if (!events->id)
        buffer_append_format(&text, "%s: ", event->session_id);
    if (event->path[0])
        buffer_append_format(&text, "%s: ", event->path);
    buffer_append_text(&text, event->text);
    append_time(events->out, event->at);
    if (narrow)
        buffer_append_text(events->out, "\n  ");
    text_column_append_wrapped(events->out, buffer_text(&text), indent, indent,
                               events->command.style.columns);
    buffer_done(&text);
    return true;
}

static bool on_begins(void *context, const struct report_recording *recording, struct error *err)
{
    struct events *events = context;

    (void)err;
    status_text_append_title(events->out, recording, &events->command.style);
    return true;
}

static bool write_text(void *context, struct buffer *out, struct error *err)
{
    struct events *events = context;
    struct report *report = events->command.report;
    const struct report_filter filter = {.recording_id = events->id};
    const struct report_visitor visitor = {.context = events, .begins = on_begins};

    events->out = out;
    if ((events->id && !report_each(report, &filter, time(NULL), &visitor, NULL, err)) ||
        !report_each_entry(report, events->id, "", events->most, on_event, events, err))
        return false;
    if (!out->length)
        buffer_append_text(out, "no events\n");
    return true;
}

static bool write_json(void *context, FILE *out, struct error *err)
{
    struct events *events = context;
    struct report *report = events->command.report;
    const struct report_json_about about = {.instance = events->command.settings.instance_id,
                                            .watcher = report_watcher(report),
                                            .now = time(NULL)};
    bool found = false;

    return report_json_events(report, events->id, events->most, &about, out, &found, err) &&
           (found ||
            error_set(err, ERROR_NO_INPUT, "this recording was just removed from the journal"));
}

/* ---- the command -------------------------------------------------------------------------------
 */

static int look(struct events *events, bool json)
{
    const struct targets *targets = &events->command.targets;
    struct error err = ERROR_INIT;

    if (!command_find(&events->command, &err))
        return command_fail(&err);
    events->id = targets->count ? targets->list[0].id : 0;
    if (targets->count && !events->id) {
        error_set(&err, ERROR_NO_INPUT, "the journal knows nothing of %s",
                  targets->list[0].directory);
        return command_fail(&err);
    }
    if (!events->most)
        events->most = events->id ? MOST_EVENTS : LAST_EVENTS;
    return json ? command_print_json(write_json, events) : command_print_text(write_text, events);
}

int command_events(const struct command_line *line)
{
    const char *last = command_line_value(line, "last");
    struct events events = {.id = 0};
    uint64_t most = 0;
    int code;

    if (last && !number_read(last, 1, 1000000, &most))
        return command_line_misused(line, "--last wants a number from 1, not %s", last);
    if (line->count > 1)
        return command_line_misused(line, "more than one recording is named");
    events.most = (unsigned)most;
    if (command_open(&events.command, line, COMMAND_LOOKS, line->names[0], &code))
        code = look(&events, command_line_value(line, "json") != NULL);
    command_close(&events.command);
    return code;
}
