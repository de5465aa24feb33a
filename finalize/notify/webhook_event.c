#include "finalize/notify/webhook_event.h"

#include "finalize/base/json_text.h"
#include "finalize/journal/journal_outbox.h"
#include "finalize/journal/safety.h"
#include "finalize/session/file_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* No file is begun beyond that: the longest one, with every byte escaped, and the end have room. */
#define FILES_BYTES (JOURNAL_OUTBOX_BODY_BYTES - 64u * 1024)

struct writer {
    FILE *out;
    const struct buffer *written;
    struct journal *journal;
    struct safety safety;
    unsigned files; /* that were written */
    bool full;
    char meeting[SESSION_NAME_SIZE];
};

/* What comes before the first "_" of the first media file's name. */
static void take_meeting(struct writer *writer, const char *path)
{
    const char *name = file_name_of(path);
    const char *underscore = strchr(name, '_');

    if (underscore && !writer->meeting[0])
        snprintf(writer->meeting, sizeof writer->meeting, "%.*s", (int)(underscore - name), name);
}

static bool look_at_file(void *context, struct journal_file *file, struct error *err)
{
    struct writer *writer = context;

    (void)err;
    safety_add(&writer->safety, file);
    if (file->media)
        take_meeting(writer, file->path);
    return true;
}

static bool write_file(void *context, struct journal_file *file, struct error *err)
{
    struct writer *writer = context;
    FILE *out = writer->out;

    (void)err;
    fflush(out);
    writer->full |=
        writer->files == WEBHOOK_EVENT_MOST_FILES || writer->written->length > FILES_BYTES;
    if (writer->full)
        return true;
    fputs(!writer->files++ ? "{\"path\":" : ",{\"path\":", out);
    json_text_string(out, file->path);
    fprintf(out, ",\"media\":%s,\"complete\":%s", file->media ? "true" : "false",
            file->incomplete ? "false" : "true");
    if (file->media)
        fprintf(out, ",\"cut_off\":%s,\"duration_seconds\":", file->cut_off ? "true" : "false");
    if (file->media && file->duration_ms)
        fprintf(out, "%" PRIu64 ".%03u", file->duration_ms / 1000,
                (unsigned)(file->duration_ms % 1000));
    else if (file->media)
        fputs("null", out);
    json_text_member(out, "state", safety_file_states[file->state]);
    json_text_member(out, "location", file->location);
    json_text_member(out, "key", file->key);
    fprintf(out, ",\"size_bytes\":%" PRIu64, file->object_bytes);
    json_text_member(out, "etag", file->etag);
    json_text_member_time(out, "uploaded_at", file->uploaded_at);
    json_text_member(out, "error", file->last_error);
    putc('}', out);
    return true;
}

static bool write_event(const struct settings *settings, const struct webhook_event *event,
                        struct writer *writer, struct error *err)
{
    const struct journal_recording *row = event->row;
    FILE *out = writer->out;

    if (row->meeting_id > 0)
        snprintf(writer->meeting, sizeof writer->meeting, "%" PRId32, row->meeting_id);
    if (!journal_each_file(writer->journal, row->id, look_at_file, writer, err))
        return false;
    fprintf(out, "{\"version\":%d", WEBHOOK_EVENT_VERSION);
    json_text_member(out, "id", event->id);
    json_text_member(out, "event", event->name);
    json_text_member_time(out, "time", event->at);
    json_text_member(out, "instance", settings->instance_id);
    fprintf(out, ",\"recording\":%" PRId64 ",\"session\":", row->id);
    json_text_string(out, row->session_id);
    json_text_member(out, "meeting", writer->meeting);
    json_text_member(out, "meeting_url", row->meeting_url);
    fprintf(out, ",\"metadata\":%s", event->metadata ? event->metadata : "null");
    fprintf(out, ",\"media_files\":%u,\"complete\":%s,\"tries\":%u", writer->safety.media,
            writer->safety.incomplete || writer->safety.gone ? "false" : "true", row->tries);
    json_text_member(out, "error", row->last_error);
    json_text_member(out, "bucket", settings->s3_bucket);
    fputs(",\"files\":[", out);
    if (!journal_each_file(writer->journal, row->id, write_file, writer, err))
        return false;
    fprintf(out, "],\"files_omitted\":%u}", writer->safety.files - writer->files);
    return true;
}

bool webhook_event_write(const struct settings *settings, struct journal *journal,
                         const struct webhook_event *event, struct buffer *out, struct error *err)
{
    struct writer writer = {.journal = journal, .written = out};
    bool ok;

    writer.out = buffer_stream(out);
    if (!writer.out)
        return error_set(err, ERROR_TRANSIENT, "no memory for an event");
    ok = write_event(settings, event, &writer, err);
    (void)fclose(writer.out);
    return ok;
}
