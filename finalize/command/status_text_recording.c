/* One recording for people, by itself, with its files; and what needs a person. See status_text.h.
 */
#include "config/units.h"
#include "finalize/command/status_text.h"
#include "finalize/command/text_column.h"
#include "finalize/program/explain.h"

#include <stdio.h>
#include <string.h>

#define LABEL_COLUMNS 15u

static void append_labelled(struct buffer *out, const char *label, const char *text,
                            const struct status_text_style *style)
{
    unsigned indent =
        style->columns && style->columns < STATUS_TEXT_TABLE_COLUMNS ? 4 : LABEL_COLUMNS + 2;

    if (!text[0])
        return;
    if (indent == 4)
        buffer_append_format(out, "  %s:\n    ", label);
    else
        buffer_append_format(out, "  %-*s", (int)LABEL_COLUMNS, label);
    text_column_append_wrapped(out, text, indent, indent, style->columns);
}

static const char *advice_for(const struct report_recording *recording, char *out, size_t size)
{
    bool has_command = true;
    const char *advice = recording->state == REPORT_LOST
                             ? EXPLAIN_LOST
                             : explain_advice_for_text(recording->row.last_error, &has_command);
    char id[STATUS_TEXT_ID_SIZE];

    status_text_id(recording, id);
    snprintf(out, size, "%s%s %s", advice, has_command ? "" : ": jibri-finalize retry", id);
    return out;
}

void status_text_append_person(struct buffer *out, const struct report_recording *recording,
                               const struct status_text_style *style)
{
    char detail[STATUS_TEXT_DETAIL_SIZE], text[1024];

    status_text_append_title(out, recording, style);
    append_labelled(out, "why", status_text_detail(recording, style, detail), style);
    append_labelled(out, "what to do", advice_for(recording, text, sizeof text), style);
}

/* ---- one recording --------------------------------------------------------------------------- */

void status_text_append_title(struct buffer *out, const struct report_recording *recording,
                              const struct status_text_style *style)
{
    char id[STATUS_TEXT_ID_SIZE], when[STATUS_TEXT_TIME_SIZE];

    status_text_append_state(out, recording->state, style);
    buffer_append_text(out, "  ");
    text_column_append(out, status_text_id(recording, id), 0);
    if (recording->meeting[0]) {
        buffer_append_text(out, "  meeting ");
        text_column_append(out, recording->meeting, 0);
    }
    buffer_append_format(out, "  since %s\n", status_text_time(recording->row.created_at, when));
    append_labelled(out, "directory", recording->row.directory, style);
}

static const char *const file_words[] = {
    [JOURNAL_FILE_PENDING] = "not yet in the bucket",
    [JOURNAL_FILE_UPLOADED] = "in the bucket, the backend does not know",
    [JOURNAL_FILE_SAFE] = "safe",
    [JOURNAL_FILE_GONE] = "vanished before it was safe",
    [JOURNAL_FILE_WITHHELD] = "kept back, may hold credentials"};

void status_text_append_file(struct buffer *out, const struct journal_view_file *view,
                             const struct status_text_style *style)
{
    const struct journal_file *file = &view->file;
    struct buffer text;
    char size[32];

    buffer_init(&text, 64u * 1024);
    text_column_append(&text, file->path, 0);
    buffer_append_format(&text, ": %s, %s%s",
                         units_format_size(file->object_bytes, size, sizeof size),
                         file_words[file->state], safety_may_go(file) ? ", a copy is here" : "");
    if (file->incomplete)
        buffer_append_text(&text, ", incomplete (it was cut off and does not play)");
    if (file->duration_ms)
        buffer_append_format(&text, file->cut_off ? ", cut off, plays up to %s" : ", plays %s",
                             units_format_duration(file->duration_ms, size, sizeof size));
    if (file->key[0]) {
        buffer_append_text(&text, ", key ");
        text_column_append(&text, file->key, 0);
        if (file->location[0])
            buffer_append_text(&text, " in ");
        text_column_append(&text, file->location, 0);
    }
    if (file->notice == JOURNAL_NOTICE_ACCEPTED && file->backend_row > 0)
        buffer_append_format(&text, ", row %lld of the backend", (long long)file->backend_row);
    append_labelled(out, "file", buffer_text(&text), style);
    buffer_done(&text);
}

void status_text_append_rest(struct buffer *out, const struct report_recording *recording,
                             const struct status_text_style *style)
{
    char detail[STATUS_TEXT_DETAIL_SIZE], text[1024], size[32], held[32];
    char when[STATUS_TEXT_TIME_SIZE];

    units_format_size(recording->size_bytes, size, sizeof size);
    units_format_size(recording->held_bytes, held, sizeof held);
    snprintf(text, sizeof text, "%s, of which %s in the bucket", size, held);
    append_labelled(out, "size", text, style);
    if (recording->safe_at)
        append_labelled(out, "safe since", status_text_time(recording->safe_at, when), style);
    append_labelled(out, "how it stands", status_text_detail(recording, style, detail), style);
    if (REPORT_BIT(recording->state) & REPORT_NEEDS_PERSON)
        append_labelled(out, "what to do", advice_for(recording, text, sizeof text), style);
}

void status_text_append_resend(struct buffer *out, const struct journal_view_entry *entry,
                               const struct status_text_style *style)
{
    char when[STATUS_TEXT_TIME_SIZE];
    struct buffer text;

    buffer_init(&text, 64u * 1024);
    buffer_append_format(&text, "%s, %s", status_text_time(entry->at, when),
                         entry->text + strlen(JOURNAL_SENT_AGAIN));
    if (entry->path[0]) {
        buffer_append_text(&text, ", of ");
        text_column_append(&text, entry->path, 0);
    }
    append_labelled(out, "sent again", buffer_text(&text), style);
    buffer_done(&text);
}
