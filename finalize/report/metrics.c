#include "finalize/report/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PREFIX "jibri_upload_"

static const char *const states[] = {
    [JOURNAL_RECORDING_WORKING] = "working",     [JOURNAL_RECORDING_WAITING] = "waiting",
    [JOURNAL_RECORDING_FAILED] = "failed",       [JOURNAL_RECORDING_DONE] = "done",
    [JOURNAL_RECORDING_RECORDING] = "recording", [JOURNAL_RECORDING_ABANDONED] = "abandoned"};

bool metrics_load(struct journal *journal, struct metrics *metrics, struct error *err)
{
    metrics->journal_readable = journal_load_stats(journal, &metrics->stats, err) &&
                                journal_load_counts(journal, &metrics->counts, err);
    return metrics->journal_readable;
}

static void look_at_disk(const char *path, struct metrics *metrics)
{
    struct statvfs status;

    metrics->disk_known = !statvfs(path, &status);
    if (!metrics->disk_known)
        return;
    metrics->disk_free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    metrics->disk_size_bytes = (uint64_t)status.f_blocks * status.f_frsize;
}

void metrics_gather(const char *path, const char *recordings_dir, struct metrics *metrics)
{
    struct journal *journal = NULL;
    struct error ignored = ERROR_INIT; /* that the journal can't be read is a metric, too */

    if (access(path, F_OK) != 0 && errno == ENOENT)
        metrics->journal_readable = true; /* as an empty one: it is not made */
    else if (journal_open(path, &journal, &ignored) && !metrics_load(journal, metrics, &ignored))
        error_clear(&ignored);
    journal_close(journal);
    if (recordings_dir)
        look_at_disk(recordings_dir, metrics);
}

/* ---- the format ------------------------------------------------------------------------------ */

static void append_escaped(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            buffer_append_format(out, "\\%c", *text);
        else if (*text == '\n')
            buffer_append_text(out, "\\n");
        else
            buffer_append(out, text, 1);
    }
}

static void append_head(struct buffer *out, const char *name, const char *help, const char *type)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The name and the labels of a sample, up to its value. */
static void append_sample(const struct metrics *metrics, struct buffer *out, const char *name,
                          const char *labels)
{
    bool has_instance = metrics->instance_id && *metrics->instance_id;

    buffer_append_text(out, name);
    if (has_instance || *labels)
        buffer_append_text(out, "{");
    if (has_instance) {
        buffer_append_text(out, "instance_id=\"");
        append_escaped(out, metrics->instance_id);
        buffer_append_text(out, *labels ? "\"," : "\"");
    }
    buffer_append_text(out, labels);
    buffer_append_text(out, has_instance || *labels ? "} " : " ");
}

static void append_number(const struct metrics *metrics, struct buffer *out, const char *name,
                          const char *labels, uint64_t value)
{
    append_sample(metrics, out, name, labels);
    buffer_append_format(out, "%" PRIu64 "\n", value);
}

static void append_gauge(const struct metrics *metrics, struct buffer *out, const char *name,
                         const char *help, uint64_t value)
{
    append_head(out, name, help, "gauge");
    append_number(metrics, out, name, "", value);
}

/* ---- what is counted ------------------------------------------------------------------------- */

/* Appends a histogram's samples for one combination of labels. Its cells start at `cell`. */
static void append_histogram(const struct metrics *metrics, struct buffer *out,
                             const struct stats_family *family, unsigned cell)
{
    unsigned each = stats_cells_each(family);
    char name[STATS_LABELS_SIZE], labels[STATS_LABELS_SIZE], count_name[STATS_LABELS_SIZE];
    uint64_t count = 0;
    uint64_t sum_ms = metrics->stats.cells[cell + each - 1];
    bool gauge;

    for (unsigned i = 0; i + 1 < each; i++)
        count += metrics->stats.cells[cell + i];
    if (!count && family->sparse)
        return;
    count = 0;
    for (unsigned i = 0; i + 1 < each; i++) {
        stats_cell_key(cell + i, name, labels, &gauge);
        count += metrics->stats.cells[cell + i];
        append_number(metrics, out, name, labels, count);
    }
    stats_cell_key(cell + each - 1, name, labels, &gauge);
    append_sample(metrics, out, name, labels);
    buffer_append_format(out, "%" PRIu64 ".%03" PRIu64 "\n", sum_ms / 1000, sum_ms % 1000);
    snprintf(count_name, sizeof count_name, "%s_count", family->name);
    append_number(metrics, out, count_name, labels, count);
}

static void append_family(const struct metrics *metrics, struct buffer *out,
                          enum stats_metric metric)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct stats_family *family = stats_family(metric);
    unsigned cell = stats_first_cell(metric);
    unsigned end = stats_first_cell(metric + 1);

    append_head(out, family->name, family->help, types[family->type]);
    for (; cell < end; cell += stats_cells_each(family)) {
        char name[STATS_LABELS_SIZE], labels[STATS_LABELS_SIZE];
        bool gauge;

        if (family->type == STATS_HISTOGRAM) {
            append_histogram(metrics, out, family, cell);
            continue;
        }
        if (family->sparse && !metrics->stats.cells[cell])
            continue;
        stats_cell_key(cell, name, labels, &gauge);
        append_number(metrics, out, name, labels, metrics->stats.cells[cell]);
    }
}

static void append_counts(const struct metrics *metrics, struct buffer *out)
{
    const struct journal_counts *counts = &metrics->counts;
    uint64_t age = 0;

    append_head(out, PREFIX "recordings", "Recordings that the journal knows, by state.", "gauge");
    for (unsigned state = 1; state < sizeof states / sizeof *states; state++) {
        char labels[64];

        snprintf(labels, sizeof labels, "state=\"%s\"", states[state]);
        append_number(metrics, out, PREFIX "recordings", labels,
                      counts->recordings[state] -
                          (state == JOURNAL_RECORDING_DONE ? counts->lost : 0));
    }
    append_number(metrics, out, PREFIX "recordings", "state=\"lost\"", counts->lost);
    append_gauge(
        metrics, out, PREFIX "incomplete_files",
        "Media files that were cut off and do not play, of the recordings that the journal knows.",
        counts->incomplete);
    if (counts->oldest_unsafe_at && metrics->now > counts->oldest_unsafe_at)
        age = (uint64_t)(metrics->now - counts->oldest_unsafe_at);
    append_gauge(metrics, out, PREFIX "oldest_unsafe_age_seconds",
                 "How long ago the oldest recording ended that is not yet safe; 0: there is none.",
                 age);
    append_gauge(metrics, out, PREFIX "unsafe_bytes",
                 "Bytes of files that are not yet confirmed in the bucket.", counts->unsafe_bytes);
    append_gauge(metrics, out, PREFIX "webhook_events_pending",
                 "Events that CONFOMEET_WEBHOOK_URL is still to be told of.", counts->webhooks);
    append_gauge(metrics, out, PREFIX "leftover_uploads",
                 "Unfinished uploads in the bucket that no recording needs, still to be aborted.",
                 counts->leftovers);
    for (enum stats_metric metric = 0; metric < STATS_METRICS; metric++)
        append_family(metrics, out, metric);
}

static void append_disk(const struct metrics *metrics, struct buffer *out)
{
    append_gauge(metrics, out, PREFIX "disk_free_bytes",
                 "Bytes that may still be written to the disk of the recordings.",
                 metrics->disk_free_bytes);
    append_gauge(metrics, out, PREFIX "disk_size_bytes", "Size of the disk of the recordings.",
                 metrics->disk_size_bytes);
    if (!metrics->trend_known)
        return;
    append_head(out, PREFIX "disk_full_in_seconds",
                "When the disk will be full at the rate of the last ten minutes; +Inf: it does "
                "not fill.",
                "gauge");
    append_sample(metrics, out, PREFIX "disk_full_in_seconds", "");
    if (metrics->disk_fills)
        buffer_append_format(out, "%" PRIu64 "\n", metrics->disk_full_in_seconds);
    else
        buffer_append_text(out, "+Inf\n");
}

void metrics_write(const struct metrics *metrics, struct buffer *out)
{
    append_head(out, PREFIX "build_info", "The version of the program, always 1.", "gauge");
    append_number(metrics, out, PREFIX "build_info", "version=\"" PROJECT_VERSION "\"", 1);
    append_gauge(metrics, out, PREFIX "journal_readable",
                 "Whether the journal could be read; if not, only what needs no journal is shown.",
                 metrics->journal_readable);
    if (metrics->disk_known)
        append_disk(metrics, out);
    if (metrics->journal_readable)
        append_counts(metrics, out);
}
