#include "finalize/report/report_json.h"

#include "finalize/base/json_text.h"

#include <inttypes.h>
#include <string.h>

#define MOST_RESENDS 20u

struct writer {
    FILE *out;
    struct report *report;
    bool recordings_begun;
    bool entries_begun; /* of the list that is being written */
};

/* ---- pieces ---------------------------------------------------------------------------------- */

static void write_number(FILE *out, const char *name, uint64_t number)
{
    fprintf(out, ",\"%s\":%" PRIu64, name, number);
}

/* What is below `least` is not known. */
static void write_number_or_null(FILE *out, const char *name, int64_t number, int64_t least)
{
    if (number >= least)
        fprintf(out, ",\"%s\":%" PRId64, name, number);
    else
        fprintf(out, ",\"%s\":null", name);
}

static void write_flag(FILE *out, const char *name, int flag)
{
    fprintf(out, ",\"%s\":%s", name, flag < 0 ? "null" : flag ? "true" : "false");
}

static void write_head(const struct report_json_about *about, FILE *out)
{
    fprintf(out, "{\"schema\":%d", REPORT_JSON_SCHEMA);
    json_text_member_time(out, "at", about->now);
    json_text_member(out, "instance", about->instance);
    write_flag(out, "watcher", about->watcher);
}

/* ---- a recording ----------------------------------------------------------------------------- */

static const char *const notice_names[] = {
    [JOURNAL_NOTICE_NONE] = NULL,         [JOURNAL_NOTICE_DUE] = "due",
    [JOURNAL_NOTICE_SENT] = "sent",       [JOURNAL_NOTICE_ACCEPTED] = "accepted",
    [JOURNAL_NOTICE_REFUSED] = "refused", [JOURNAL_NOTICE_UNCLEAR] = "unclear"};

static bool on_begins(void *context, const struct report_recording *recording, struct error *err)
{
    struct writer *writer = context;
    const struct journal_recording *row = &recording->row;
    FILE *out = writer->out;

    (void)err;
    fputs(writer->recordings_begun ? ",\n{\"id\":" : "\n{\"id\":", out);
    if (row->id)
        fprintf(out, "%" PRId64, row->id);
    else
        fputs("null", out);
    fputs(",\"session\":", out);
    json_text_string(out, row->session_id);
    fputs(",\"directory\":", out);
    json_text_string(out, row->directory);
    json_text_member(out, "state", report_state_name(recording->state));
    fputs(",\"files\":[", out);
    writer->recordings_begun = true;
    writer->entries_begun = false;
    return true;
}

static bool on_file(void *context, const struct journal_view_file *view, struct error *err)
{
    struct writer *writer = context;
    const struct journal_file *file = &view->file;
    bool held = file->state == JOURNAL_FILE_SAFE || file->state == JOURNAL_FILE_UPLOADED;
    FILE *out = writer->out;

    (void)err;
    fprintf(out, "%s\n {\"id\":%" PRId64 ",\"path\":", writer->entries_begun ? "," : "", file->id);
    json_text_string(out, file->path);
    write_flag(out, "media", file->media);
    write_flag(out, "incomplete", file->incomplete);
    write_flag(out, "cut_off", file->cut_off);
    write_number_or_null(out, "duration_seconds", (int64_t)(file->duration_ms / 1000), 1);
    json_text_member(out, "state", safety_file_states[file->state]);
    write_number(out, "size_bytes", file->object_bytes);
    write_number(out, "held_bytes", held ? file->object_bytes : view->held_bytes);
    json_text_member(out, "location", file->location);
    json_text_member(out, "key", file->key);
    json_text_member(out, "etag", file->etag);
    json_text_member_time(out, "uploaded_at", file->uploaded_at);
    json_text_member_time(out, "safe_at", file->safe_at);
    json_text_member_time(out, "removed_at", file->removed_at);
    json_text_member(out, "notice", notice_names[file->notice]);
    write_number_or_null(out, "backend_row",
                         file->notice == JOURNAL_NOTICE_ACCEPTED ? file->backend_row : 0, 1);
    json_text_member(out, "last_error", file->last_error);
    putc('}', out);
    writer->entries_begun = true;
    return true;
}

static bool on_resend(void *context, const struct journal_view_entry *entry, struct error *err)
{
    struct writer *writer = context;
    FILE *out = writer->out;

    (void)err;
    fputs(writer->entries_begun ? ",\n {\"why\":" : "\n {\"why\":", out);
    json_text_string(out, entry->text + strlen(JOURNAL_SENT_AGAIN));
    json_text_member_time(out, "at", entry->at);
    json_text_member(out, "file", entry->path);
    putc('}', out);
    writer->entries_begun = true;
    return true;
}

static bool write_resends(struct writer *writer, int64_t recording_id, struct error *err)
{
    writer->entries_begun = false;
    fputs(",\"sent_again\":[", writer->out);
    if (recording_id && !report_each_entry(writer->report, recording_id, JOURNAL_SENT_AGAIN,
                                           MOST_RESENDS, on_resend, writer, err))
        return false;
    fputs(writer->entries_begun ? "\n ]" : "]", writer->out);
    return true;
}

static void write_worker(FILE *out, const struct report_recording *recording)
{
    fputs(",\"worker\":", out);
    if (!recording->worker_pid) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"pid\":%ld", (long)recording->worker_pid);
    json_text_member(out, "program", recording->worker);
    putc('}', out);
}

static bool on_recording(void *context, const struct report_recording *recording, struct error *err)
{
    struct writer *writer = context;
    const struct journal_recording *row = &recording->row;
    FILE *out = writer->out;

    fputs(writer->entries_begun ? "\n ]" : "]", out);
    json_text_member(out, "meeting", recording->meeting);
    json_text_member(out, "meeting_url", row->meeting_url);
    write_flag(out, "share", row->share);
    json_text_member_time(out, "created_at", row->created_at);
    json_text_member_time(out, "updated_at", row->updated_at);
    json_text_member_time(out, "safe_at", recording->safe_at);
    json_text_member_time(out, "next_try_at", row->next_try_at);
    write_number(out, "tries", row->tries);
    write_number(out, "failures", row->failures);
    json_text_member(out, "last_error", row->last_error);
    json_text_member(out, "reason", row->reason);
    write_number(out, "size_bytes", recording->size_bytes);
    write_number(out, "held_bytes", recording->held_bytes);
    write_number(out, "rate_bytes_per_second", (uint64_t)recording->rate);
    write_number_or_null(out, "seconds_left", recording->seconds_left, 0);
    write_number(out, "files_total", recording->safety.files);
    write_number(out, "files_media", recording->safety.media);
    write_number(out, "files_incomplete", recording->safety.incomplete);
    write_number(out, "files_safe", recording->safety.safe);
    write_number(out, "files_gone", recording->safety.gone);
    write_number(out, "files_withheld", recording->safety.withheld);
    write_number(out, "notices_due", recording->notices_due);
    write_number(out, "notices_refused", recording->safety.refused);
    write_worker(out, recording);
    if (!write_resends(writer, row->id, err))
        return false;
    putc('}', out);
    return true;
}

/* ---- the documents --------------------------------------------------------------------------- */

static void write_totals(FILE *out, const struct report_totals *totals)
{
    fputs(",\"summary\":{\"recordings\":{", out);
    for (unsigned i = 0; i < REPORT_STATES; i++)
        fprintf(out, "%s\"%s\":%u", i ? "," : "", report_state_name((enum report_state)i),
                totals->recordings[i]);
    putc('}', out);
    write_number(out, "notices_due", totals->notices_due);
    json_text_member_time(out, "oldest_unsafe_at", totals->oldest_unsafe_at);
    json_text_member_time(out, "next_try_at", totals->next_try_at);
    write_number(out, "leftover_uploads", totals->leftovers.count);
    json_text_member_time(out, "leftover_since", totals->leftovers.since);
    json_text_member(out, "leftover_error", totals->leftovers.error);
    putc('}', out);
}

bool report_json_recordings(struct report *report, const struct report_filter *filter,
                            const struct report_json_about *about, FILE *out,
                            struct report_totals *ret_totals, struct error *err)
{
    struct writer writer = {.out = out, .report = report};
    const struct report_visitor visitor = {
        .context = &writer, .begins = on_begins, .file = on_file, .recording = on_recording};
    struct report_totals totals;

    write_head(about, out);
    fputs(",\"recordings\":[", out);
    if (!report_each(report, filter, about->now, &visitor, &totals, err))
        return false;
    fputs(writer.recordings_begun ? "\n]" : "]", out);
    write_totals(out, &totals);
    fputs("}\n", out);
    if (ret_totals)
        *ret_totals = totals;
    return true;
}

static bool on_event(void *context, const struct journal_view_entry *event, struct error *err)
{
    struct writer *writer = context;
    FILE *out = writer->out;

    (void)err;
    fprintf(out, "%s\n {\"recording\":%" PRId64 ",\"session\":", writer->entries_begun ? "," : "",
            event->recording_id);
    json_text_string(out, event->session_id);
    json_text_member_time(out, "at", event->at);
    json_text_member(out, "file", event->path);
    fputs(",\"text\":", out);
    json_text_string(out, event->text);
    putc('}', out);
    writer->entries_begun = true;
    return true;
}

bool report_json_events(struct report *report, int64_t recording_id, unsigned most,
                        const struct report_json_about *about, FILE *out, bool *ret_found,
                        struct error *err)
{
    struct writer writer = {.out = out, .report = report};
    const struct report_visitor visitor = {
        .context = &writer, .begins = on_begins, .file = on_file, .recording = on_recording};
    const struct report_filter filter = {.recording_id = recording_id};
    bool ok;

    write_head(about, out);
    fputs(",\"recording\":", out);
    ok = !recording_id || report_each(report, &filter, about->now, &visitor, NULL, err);
    if (!recording_id)
        fputs("null", out);
    fputs(",\"events\":[", out);
    writer.entries_begun = false;
    ok = ok && report_each_entry(report, recording_id, "", most, on_event, &writer, err);
    fputs(writer.entries_begun ? "\n]}\n" : "]}\n", out);
    if (ok)
        *ret_found = !recording_id || writer.recordings_begun;
    return ok;
}
