/* How a recording stands, in a line: progress, next try, error. See status_text.h. */
#include "config/units.h"
#include "finalize/command/status_text.h"
#include "finalize/command/text_column.h"

#include <stdio.h>
#include <string.h>

/* Where the next piece of a sentence goes: after "; " unless it is the first. */
static struct buffer *next(struct buffer *sentence)
{
    if (sentence->length)
        buffer_append_text(sentence, "; ");
    return sentence;
}

static unsigned percent_of(const struct report_recording *recording)
{
    return recording->size_bytes
               ? (unsigned)((double)recording->held_bytes * 100.0 / (double)recording->size_bytes)
               : 0;
}

static void add_progress(struct buffer *sentence, const struct report_recording *recording)
{
    char rate[32], left[48] = "", held[32];

    units_format_size((uint64_t)recording->rate, rate, sizeof rate);
    units_format_size(recording->held_bytes, held, sizeof held);
    if (recording->seconds_left >= 0)
        units_format_duration((uint64_t)recording->seconds_left * 1000, left, sizeof left);
    if (recording->state == REPORT_RECORDING && recording->row.id)
        buffer_append_format(next(sentence), "%s sent so far", held);
    else if (recording->held_bytes < recording->size_bytes)
        buffer_append_format(next(sentence), "%u %%%s%s%s%s%s", percent_of(recording),
                             recording->rate >= 1 ? ", " : "", recording->rate >= 1 ? rate : "",
                             recording->rate >= 1 ? "/s" : "", left[0] ? ", " : "",
                             left[0] ? left : "");
    else if (recording->notices_due)
        buffer_append_format(next(sentence), "in the bucket, the backend is being told");
    if (!recording->safety.files && !recording->row.id)
        buffer_append_format(next(sentence), "no file yet");
    if (left[0])
        buffer_append_text(sentence, " left");
}

static void add_next_try(struct buffer *sentence, const struct report_recording *recording,
                         const struct status_text_style *style)
{
    char when[64];

    if (style->watcher == 0)
        buffer_append_format(next(sentence), "no watcher runs");
    else if (recording->row.next_try_at)
        buffer_append_format(
            next(sentence), "next try %s",
            status_text_from_now(recording->row.next_try_at, style->now, when, sizeof when));
    else
        buffer_append_format(next(sentence), "the watcher goes on with it");
    if (recording->held_bytes && recording->held_bytes < recording->size_bytes)
        buffer_append_format(next(sentence), "%u %% is in the bucket", percent_of(recording));
    else if (recording->notices_due)
        buffer_append_format(next(sentence), "in the bucket, the backend is not told yet");
    if (recording->row.tries > 1)
        buffer_append_format(next(sentence), "try %u", recording->row.tries);
}

static void add_worker(struct buffer *sentence, const struct report_recording *recording)
{
    if (recording->row.tries > 1)
        buffer_append_format(next(sentence), "try %u", recording->row.tries);
    if (recording->worker_pid)
        buffer_append_format(next(sentence), "by %s, process %ld",
                             recording->worker[0] ? recording->worker : "an unknown program",
                             (long)recording->worker_pid);
}

const char *status_text_detail(const struct report_recording *recording,
                               const struct status_text_style *style,
                               char out[STATUS_TEXT_DETAIL_SIZE])
{
    const char *error = recording->row.last_error;
    struct buffer sentence;
    char count[32];

    buffer_init(&sentence, 16u * 1024);
    switch (recording->state) {
    case REPORT_SAFE:
        break;
    case REPORT_UPLOADING:
    case REPORT_RECORDING:
        add_progress(&sentence, recording);
        add_worker(&sentence, recording);
        error = "";
        break;
    case REPORT_INTERRUPTED:
    case REPORT_WAITING:
        add_next_try(&sentence, recording, style);
        break;
    case REPORT_FAILED:
        if (error[0])
            buffer_append_format(next(&sentence), "%s", error);
        if (recording->row.tries > 1)
            buffer_append_format(next(&sentence), "%u tries", recording->row.tries);
        error = "";
        break;
    case REPORT_LOST:
        if (recording->safety.gone) /* what failed before no longer counts */
            buffer_append_format(
                next(&sentence), "%s vanished before being safe in the bucket",
                units_format_count(recording->safety.gone, "file", count, sizeof count));
        else
            buffer_append_format(next(&sentence), "its directory is gone");
        error = recording->safety.gone ? "" : error;
        break;
    case REPORT_ABANDONED:
        if (recording->row.reason[0])
            buffer_append_format(next(&sentence), "%s", recording->row.reason);
        error = "";
        break;
    case REPORT_FOUND:
        buffer_append_format(next(&sentence), "not in the journal yet");
        break;
    case REPORT_STATES:
        break;
    }
    if (error[0])
        buffer_append_format(next(&sentence), "%s", error);
    if (recording->safety.files && !recording->safety.media)
        buffer_append_format(next(&sentence), "no media file, the backend is not notified");
    if (recording->safety.incomplete)
        buffer_append_format(
            next(&sentence), "%s incomplete, cut off and not playable",
            units_format_count(recording->safety.incomplete, "media file", count, sizeof count));
    if (recording->safety.withheld)
        buffer_append_format(
            next(&sentence), "%s kept back, may hold credentials",
            units_format_count(recording->safety.withheld, "file", count, sizeof count));
    snprintf(out, STATUS_TEXT_DETAIL_SIZE, "%s", buffer_text(&sentence));
    buffer_done(&sentence);
    return out;
}
