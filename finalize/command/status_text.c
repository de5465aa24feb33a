#include "finalize/command/status_text.h"

#include "config/units.h"
#include "finalize/command/text_column.h"
#include "finalize/s3/s3_code.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WIDE_COLUMNS      140u /* from here on the detail stands in the line */
#define VERY_WIDE_COLUMNS 160u /* and long names of meetings, too */
#define SUMMARY_ERROR     160u /* columns of an error in the summary */
#define ID_COLUMNS        8u
#define TIME_COLUMNS      16u
#define MEETING_COLUMNS   (style->columns >= VERY_WIDE_COLUMNS ? 30u : 12u)
#define SIZE_COLUMNS      9u
#define STATE_COLUMNS     11u

static const struct {
    const char *words;  /* in the table */
    const char *plural; /* in the summary, after a number */
    const char *colour;
} looks[REPORT_STATES] = {
    [REPORT_SAFE] = {"safe", "safe", "32"},
    [REPORT_UPLOADING] = {"uploading", "uploading", "36"},
    [REPORT_RECORDING] = {"recording", "being recorded", "36"},
    [REPORT_INTERRUPTED] = {"interrupted", "interrupted", "33"},
    [REPORT_WAITING] = {"waiting", "waiting", "33"},
    [REPORT_FAILED] = {"FAILED", "FAILED (a person is needed)", "31;1"},
    [REPORT_LOST] = {"LOST", "LOST (vanished before being safe)", "31;1"},
    [REPORT_ABANDONED] = {"abandoned", "abandoned", "2"},
    [REPORT_FOUND] = {"found", "found on the disk, not in the journal", "33"},
};

/* ---- pieces ---------------------------------------------------------------------------------- */

const char *status_text_time(int64_t seconds, char out[STATUS_TEXT_TIME_SIZE])
{
    time_t time = (time_t)seconds;
    struct tm day;

    if (!seconds || !localtime_r(&time, &day) ||
        !strftime(out, STATUS_TEXT_TIME_SIZE, "%Y-%m-%d %H:%M", &day))
        memcpy(out, "-", sizeof "-");
    return out;
}

/* Without the day when that is today's. */
static const char *short_time(int64_t seconds, int64_t now, char out[STATUS_TEXT_TIME_SIZE])
{
    char today[STATUS_TEXT_TIME_SIZE];

    status_text_time(seconds, out);
    status_text_time(now, today);
    if (strlen(out) > 11 && !strncmp(out, today, 11))
        memmove(out, out + 11, strlen(out + 11) + 1);
    return out;
}

const char *status_text_from_now(int64_t seconds, int64_t now, char *out, size_t size)
{
    char duration[32];

    if (seconds <= now) {
        snprintf(out, size, "now");
        return out;
    }
    units_format_duration((uint64_t)(seconds - now) * 1000, duration, sizeof duration);
    snprintf(out, size, "in %s", duration);
    return out;
}

const char *status_text_id(const struct report_recording *recording, char out[STATUS_TEXT_ID_SIZE])
{
    if (recording->row.id)
        snprintf(out, STATUS_TEXT_ID_SIZE, "%lld", (long long)recording->row.id);
    else
        snprintf(out, STATUS_TEXT_ID_SIZE, "%s", recording->row.session_id);
    return out;
}

unsigned status_text_append_state(struct buffer *out, enum report_state state,
                                  const struct status_text_style *style)
{
    if (style->colours)
        buffer_append_format(out, "\033[%sm", looks[state].colour);
    buffer_append_text(out, looks[state].words);
    if (style->colours)
        buffer_append_text(out, "\033[0m");
    return (unsigned)strlen(looks[state].words);
}

/* Ends the line, without blanks before its end. */
static void end_line(struct buffer *out)
{
    while (out->length && out->data[out->length - 1] == ' ')
        out->data[--out->length] = 0;
    buffer_append_text(out, "\n");
}

/* ---- the table ------------------------------------------------------------------------------- */

void status_text_append_head(struct buffer *out, const struct status_text_style *style)
{
    if (style->columns && style->columns < STATUS_TEXT_TABLE_COLUMNS)
        return;
    if (style->colours)
        buffer_append_text(out, "\033[1m");
    buffer_append_format(out, "%-*s  %-*s  %-*s  %*s  %-*s", (int)ID_COLUMNS, "ID",
                         (int)TIME_COLUMNS, "SINCE", (int)MEETING_COLUMNS, "MEETING",
                         (int)SIZE_COLUMNS, "SIZE", (int)STATE_COLUMNS, "STATE");
    end_line(out);
    if (style->colours)
        buffer_append_text(out, "\033[0m");
}

static const char *meeting_of(const struct report_recording *recording)
{
    if (recording->meeting[0])
        return recording->meeting;
    return recording->media_name[0] ? recording->media_name : "-";
}

static void append_state(struct buffer *out, const struct report_recording *recording,
                         const struct status_text_style *style)
{
    unsigned width = status_text_append_state(out, recording->state, style);

    buffer_append_format(out, "%*s", (int)(STATE_COLUMNS - width), "");
}

static void append_block(struct buffer *out, const struct report_recording *recording,
                         const char *detail, const struct status_text_style *style)
{
    char id[STATUS_TEXT_ID_SIZE], when[STATUS_TEXT_TIME_SIZE], size[32];

    text_column_append(out, status_text_id(recording, id), style->columns - STATE_COLUMNS - 2);
    buffer_append_text(out, "  ");
    append_state(out, recording, style);
    end_line(out);
    buffer_append_format(out, "  %s  %s\n", status_text_time(recording->row.created_at, when),
                         units_format_size(recording->size_bytes, size, sizeof size));
    buffer_append_text(out, "  meeting ");
    text_column_append_wrapped(out, meeting_of(recording), 10, 2, style->columns);
    if (detail[0]) {
        buffer_append_text(out, "  ");
        text_column_append_wrapped(out, detail, 2, 2, style->columns);
    }
}

void status_text_append_row(struct buffer *out, const struct report_recording *recording,
                            const struct status_text_style *style)
{
    char id[STATUS_TEXT_ID_SIZE], when[STATUS_TEXT_TIME_SIZE], size[32];
    char detail[STATUS_TEXT_DETAIL_SIZE];
    unsigned used = ID_COLUMNS + TIME_COLUMNS + MEETING_COLUMNS + SIZE_COLUMNS + STATE_COLUMNS + 10;

    status_text_detail(recording, style, detail);
    if (style->columns && style->columns < STATUS_TEXT_TABLE_COLUMNS) {
        append_block(out, recording, detail, style);
        return;
    }
    text_column_append_padded(out, status_text_id(recording, id), ID_COLUMNS);
    buffer_append_format(out, "  %-*s  ", (int)TIME_COLUMNS,
                         status_text_time(recording->row.created_at, when));
    text_column_append_padded(out, meeting_of(recording), MEETING_COLUMNS);
    buffer_append_format(out, "  %*s  ", (int)SIZE_COLUMNS,
                         units_format_size(recording->size_bytes, size, sizeof size));
    append_state(out, recording, style);
    if (!style->columns || style->columns >= WIDE_COLUMNS) {
        buffer_append_text(out, "  ");
        text_column_append(out, detail, style->columns ? style->columns - used : 0);
        end_line(out);
        return;
    }
    end_line(out);
    if (detail[0]) {
        buffer_append_format(out, "%*s", (int)ID_COLUMNS + 2, "");
        text_column_append_wrapped(out, detail, ID_COLUMNS + 2, ID_COLUMNS + 2, style->columns);
    }
}

/* ---- the summary ----------------------------------------------------------------------------- */

static void add_waiting(struct buffer *text, const struct report_totals *totals,
                        const struct status_text_style *style)
{
    char when[STATUS_TEXT_TIME_SIZE], next[64];

    buffer_append_format(text, " (since %s",
                         short_time(totals->oldest_waiting_at, style->now, when));
    if (totals->waiting_for[0]) {
        buffer_append_text(text, ": ");
        text_column_append(text, totals->waiting_for, SUMMARY_ERROR);
    }
    if (style->watcher && totals->next_try_at)
        buffer_append_format(
            text, "; next try %s",
            status_text_from_now(totals->next_try_at, style->now, next, sizeof next));
    buffer_append_text(text, ")");
}

/* The number of recordings in each of the states. */
static void add_states(struct buffer *text, const struct report_totals *totals, unsigned states,
                       const struct status_text_style *style)
{
    for (unsigned i = 0; i < REPORT_STATES; i++) {
        if (!totals->recordings[i] || !(states & REPORT_BIT(i)))
            continue;
        buffer_append_format(text, "%s%u %s", text->length ? ", " : "", totals->recordings[i],
                             looks[i].plural);
        if (i == REPORT_WAITING)
            add_waiting(text, totals, style);
    }
}

static void append_hint(struct buffer *out, const char *text, const struct status_text_style *style)
{
    text_column_append_wrapped(out, text, 0, 2, style->columns);
}

static bool is_refused(const char *error)
{
    enum s3_meaning meaning = s3_code_in(error)->meaning;

    return meaning == S3_MEANS_RIGHT || meaning == S3_MEANS_RIGHT_TO_LIST ||
           meaning == S3_MEANS_POLICY;
}

/* No recording waits for it, but it is paid for. */
static void append_leftovers(struct buffer *out, const struct report_totals *totals,
                             const struct status_text_style *style)
{
    char when[STATUS_TEXT_TIME_SIZE], count[32];
    struct buffer text;

    if (!totals->leftovers.error[0])
        return;
    buffer_init(&text, 4096);
    buffer_append_format(
        &text, "Left in the bucket, needed by no recording: %s (since %s: ",
        units_format_count(totals->leftovers.count, "unfinished upload", count, sizeof count),
        short_time(totals->leftovers.since, style->now, when));
    text_column_append(&text, totals->leftovers.error, SUMMARY_ERROR);
    buffer_append_text(&text, "). Each run tries to abort it; what helps: ");
    if (is_refused(totals->leftovers.error))
        buffer_append_text(&text, "the rights s3:AbortMultipartUpload, s3:ListMultipartUploadParts "
                                  "and s3:ListBucketMultipartUploads, or ");
    buffer_append_text(&text, "a lifecycle rule of the bucket that aborts unfinished uploads");
    append_hint(out, buffer_text(&text), style);
    buffer_done(&text);
}

void status_text_append_summary(struct buffer *out, const struct report_totals *totals,
                                const struct status_text_style *style)
{
    const unsigned stuck = REPORT_BIT(REPORT_WAITING) | REPORT_BIT(REPORT_INTERRUPTED);
    unsigned states = report_states_of(totals);
    const char *colour = looks[REPORT_SAFE].colour;
    struct buffer text;

    buffer_init(&text, 4096);
    add_states(&text, totals, REPORT_NEEDS_PERSON, style);
    add_states(&text, totals, ~REPORT_NEEDS_PERSON, style);
    if (!states)
        buffer_append_text(&text, "no recordings");
    if (states & REPORT_NEEDS_PERSON)
        colour = looks[REPORT_FAILED].colour;
    else if (states & REPORT_IS_PENDING)
        colour = looks[REPORT_WAITING].colour;
    if (style->colours)
        buffer_append_format(out, "\033[%sm", colour);
    text_column_append_wrapped(out, buffer_text(&text), 0, 2, style->columns);
    if (style->colours)
        buffer_append_text(out, "\033[0m");
    if (states & REPORT_NEEDS_PERSON)
        append_hint(out, "What needs a person, and what to do: jibri-finalize status --failed",
                    style);
    if (states & stuck && style->watcher == 0)
        append_hint(out, "No watcher runs; to try again by hand: jibri-finalize retry --all",
                    style);
    if (states & REPORT_BIT(REPORT_FOUND) && style->watcher == 0)
        append_hint(out,
                    "No watcher runs; to upload what was found, once its meeting has ended: "
                    "jibri-finalize retry ID",
                    style);
    append_leftovers(out, totals, style);
    buffer_done(&text);
}
