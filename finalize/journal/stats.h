/*
 * stats - what a process has done, as numbers: the counters and histograms of docs/metrics.md.
 *
 * Pure and in memory. One table (stats.c) has every metric, its help text and the values that its
 * labels may have: they come from enums alone, never from a name or a reply, so that their number
 * is bounded. journal_stats.h adds the numbers of a process to those of all others.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/s3/s3_operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stats_metric {
    STATS_SENT_BYTES,
    STATS_SENT_PARTS,
    STATS_RESENT_BYTES,
    STATS_RESENT_PARTS,
    STATS_VERIFIED_BYTES,
    STATS_VERIFIED_PARTS,
    STATS_S3_REQUESTS,        /* by enum s3_operation, enum s3_outcome */
    STATS_S3_REQUEST_SECONDS, /* by enum s3_operation */
    STATS_RETRIES,            /* by enum stats_target, enum stats_reason */
    STATS_FINALIZE_SECONDS,   /* by enum stats_result */
    STATS_NOTICES,            /* by enum stats_notice */
    STATS_WEBHOOKS,           /* by enum stats_webhook */
    STATS_S3_LAST_SUCCESS,    /* seconds since 1970, the latest of all processes */
    STATS_S3_LAST_FAILURE,    /* likewise */
    STATS_METRICS
};

enum stats_target { STATS_TARGET_S3, STATS_TARGET_BACKEND };
enum stats_reason {
    STATS_REASON_NAME,
    STATS_REASON_CONNECTION,
    STATS_REASON_TLS,
    STATS_REASON_SLOW_DOWN,
    STATS_REASON_SERVER_ERROR,
    STATS_REASON_TRANSFER,
    STATS_REASON_OTHER
};
enum stats_result { STATS_RESULT_SAFE, STATS_RESULT_WAITING, STATS_RESULT_FAILED };
enum stats_notice { STATS_NOTICE_ACCEPTED, STATS_NOTICE_RETRY, STATS_NOTICE_REFUSED };
enum stats_webhook { STATS_WEBHOOK_DELIVERED, STATS_WEBHOOK_FAILED, STATS_WEBHOOK_DROPPED };

enum stats_type { STATS_COUNTER, STATS_GAUGE, STATS_HISTOGRAM };

/* One metric of the table. Labels that it doesn't have are NULL. */
struct stats_family {
    const char *name; /* as it is shown to Prometheus */
    const char *help;
    const char *label[2];
    const char *const *values[2]; /* of the labels, NULL-terminated */
    const uint32_t *bounds_ms;    /* of a histogram's buckets, ended by 0; +Inf follows */
    enum stats_type type;
    bool sparse; /* shown only where something was counted: its labels allow for
                    far more than there is */
};

const struct stats_family *stats_family(enum stats_metric metric);

/*
 * The numbers. A counter has one cell for each combination of its labels; a histogram has one for
 * each bucket (not cumulative), one for +Inf and one for the sum in milliseconds. All-zero: empty.
 */
#define STATS_MAX_CELLS 384u
struct stats {
    uint64_t cells[STATS_MAX_CELLS];
    bool changed;
};

/* Label indices a metric does not have are 0. `stats` may be NULL: nothing is counted. */
void stats_add(struct stats *stats, enum stats_metric metric, unsigned label_1, unsigned label_2,
               uint64_t value);
void stats_observe(struct stats *stats, enum stats_metric metric, unsigned label_1,
                   uint64_t duration_ms);
/* Raises a gauge to `value`. */
void stats_raise(struct stats *stats, enum stats_metric metric, uint64_t value);

/* What an error that is tried again was about. */
enum stats_reason stats_reason_of(const struct error *error);

/* Everything that one S3 reply is counted as; `error` is the reply's. `now`: seconds since 1970. */
void stats_count_s3(struct stats *stats, enum s3_operation operation, enum s3_outcome outcome,
                    const struct error *error, uint64_t body_bytes, uint64_t duration_ms,
                    int64_t now);

/* How many cells there are; at most STATS_MAX_CELLS. */
unsigned stats_cells(void);
/* The first cell of a metric; its others follow in the order of its labels' values. */
unsigned stats_first_cell(enum stats_metric metric);
/* How many cells one combination of labels has: 1, or a histogram's buckets and sum. */
unsigned stats_cells_each(const struct stats_family *family);

#define STATS_LABELS_SIZE 160
/* By what a cell is known in the journal: the metric's name, with _bucket or _sum for a
 * histogram's, and its labels as Prometheus writes them ("" for none). */
void stats_cell_key(unsigned cell, char ret_name[STATS_LABELS_SIZE],
                    char ret_labels[STATS_LABELS_SIZE], bool *ret_gauge);
