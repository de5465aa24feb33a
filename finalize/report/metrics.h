/*
 * metrics - everything that docs/metrics.md lists, as Prometheus' text format.
 *
 * Pure: what is shown is given to it. Names and label values come from enums; the one text of the
 * operator's in it is the instance's id.
 */
#pragma once

#include "finalize/base/buffer.h"
#include "finalize/journal/journal_stats.h"

#include <stdbool.h>
#include <stdint.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_CEILING      (256u * 1024)

struct metrics {
    const char *instance_id; /* NULL: the label is left out */
    int64_t now;
    bool journal_readable; /* else stats and counts mean nothing and are left out */
    struct stats stats;
    struct journal_counts counts;
    bool disk_known;
    uint64_t disk_free_bytes, disk_size_bytes;
    bool trend_known; /* a watcher measures the disk */
    bool disk_fills;
    uint64_t disk_full_in_seconds; /* when it fills */
};

/* Reads stats and counts from the journal; false, and the metrics as for one that can't be read,
 * when that fails. */
bool metrics_load(struct journal *journal, struct metrics *metrics, struct error *err)
    __attribute__((warn_unused_result));

/* The same from the journal at `path`, one that isn't there being empty, with the size of the file
 * system that `recordings_dir` (NULL: unknown) is on. */
void metrics_gather(const char *path, const char *recordings_dir, struct metrics *metrics);

/* Appends to `out`, which fails when memory does. */
void metrics_write(const struct metrics *metrics, struct buffer *out);
