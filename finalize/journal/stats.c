#include "finalize/journal/stats.h"

#include "finalize/s3/s3_code.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "jibri_upload_"

static const char *const targets[] = {"s3", "backend", NULL};
static const char *const reasons[] = {"name",         "connection", "tls",   "slow_down",
                                      "server_error", "transfer",   "other", NULL};
static const char *const results[] = {"safe", "waiting", "failed", NULL};
static const char *const notices[] = {"accepted", "retry", "refused", NULL};
static const char *const webhooks[] = {"delivered", "failed", "dropped", NULL};

static const uint32_t request_bounds_ms[] = {25,   50,    100,   250,   500,    1000, 2500,
                                             5000, 10000, 30000, 60000, 300000, 0};
static const uint32_t finalize_bounds_ms[] = {
    1000, 2000, 5000, 10000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000, 10800000, 0};

static const struct stats_family families[STATS_METRICS] = {
    [STATS_SENT_BYTES] = {.name = PREFIX "sent_bytes_total",
                          .help = "Bytes of recordings handed to the network, also those of "
                                  "requests that failed."},
    [STATS_SENT_PARTS] = {.name = PREFIX "sent_parts_total",
                          .help = "Parts, and files too small for parts, that the bucket "
                                  "acknowledged."},
    [STATS_RESENT_BYTES] = {.name = PREFIX "resent_bytes_total",
                            .help = "Bytes of the parts that were sent again."},
    [STATS_RESENT_PARTS] = {.name = PREFIX "resent_parts_total",
                            .help = "Times a part was sent again: a request failed, or its bytes "
                                    "had changed since they were sent."},
    [STATS_VERIFIED_BYTES] = {.name = PREFIX "verified_bytes_total",
                              .help = "Bytes of the parts that were compared and needed no "
                                      "sending."},
    [STATS_VERIFIED_PARTS] = {.name = PREFIX "verified_parts_total",
                              .help = "Parts sent earlier whose bytes were compared with the file "
                                      "and found the same."},
    [STATS_S3_REQUESTS] = {.name = PREFIX "s3_requests_total",
                           .help = "Requests to the S3 service, by operation and outcome.",
                           .label = {"operation", "outcome"},
                           .values = {s3_operation_names, s3_outcome_names},
                           .sparse = true},
    [STATS_S3_REQUEST_SECONDS] = {.name = PREFIX "s3_request_duration_seconds",
                                  .help = "How long requests to the S3 service took, whatever "
                                          "their outcome.",
                                  .type = STATS_HISTOGRAM,
                                  .label = {"operation"},
                                  .values = {s3_operation_names},
                                  .bounds_ms = request_bounds_ms,
                                  .sparse = true},
    [STATS_RETRIES] = {.name = PREFIX "retries_total",
                       .help = "Requests that failed and were tried again, by whom they went to "
                               "and why they failed.",
                       .label = {"target", "reason"},
                       .values = {targets, reasons}},
    [STATS_FINALIZE_SECONDS] = {.name = PREFIX "finalize_duration_seconds",
                                .help = "How long runs on a recording took, by their result.",
                                .type = STATS_HISTOGRAM,
                                .label = {"result"},
                                .values = {results},
                                .bounds_ms = finalize_bounds_ms},
    [STATS_NOTICES] = {.name = PREFIX "notices_total",
                       .help = "Notices to the backend, by outcome.",
                       .label = {"outcome"},
                       .values = {notices}},
    [STATS_WEBHOOKS] = {.name = PREFIX "webhook_events_total",
                        .help = "Tries to deliver events to CONFOMEET_WEBHOOK_URL, and events "
                                "dropped because too many were waiting.",
                        .label = {"outcome"},
                        .values = {webhooks}},
    [STATS_S3_LAST_SUCCESS] = {.name = PREFIX "s3_last_success_timestamp_seconds",
                               .help = "When the S3 service last answered as it should, in seconds "
                                       "since 1970; 0: never.",
                               .type = STATS_GAUGE},
    [STATS_S3_LAST_FAILURE] = {.name = PREFIX "s3_last_failure_timestamp_seconds",
                               .help = "When a request to the S3 service last failed, in seconds "
                                       "since 1970; 0: never.",
                               .type = STATS_GAUGE},
};

const struct stats_family *stats_family(enum stats_metric metric)
{
    return &families[metric];
}

static unsigned count_values(const struct stats_family *family, unsigned label)
{
    unsigned count = 0;

    if (!family->label[label])
        return 1;
    while (family->values[label][count])
        count++;
    return count;
}

static unsigned count_bounds(const struct stats_family *family)
{
    unsigned count = 0;

    while (family->bounds_ms[count])
        count++;
    return count;
}

unsigned stats_cells_each(const struct stats_family *family)
{
    return family->type == STATS_HISTOGRAM ? count_bounds(family) + 2 : 1;
}

static unsigned count_cells(const struct stats_family *family)
{
    return count_values(family, 0) * count_values(family, 1) * stats_cells_each(family);
}

unsigned stats_first_cell(enum stats_metric metric)
{
    unsigned cell = 0;

    for (enum stats_metric before = 0; before < metric; before++)
        cell += count_cells(&families[before]);
    assert(cell <= STATS_MAX_CELLS);
    return cell;
}

unsigned stats_cells(void)
{
    return stats_first_cell(STATS_METRICS);
}

/* ---- counting -------------------------------------------------------------------------------- */

static unsigned cell_of(enum stats_metric metric, unsigned label_1, unsigned label_2)
{
    const struct stats_family *family = &families[metric];

    assert(label_1 < count_values(family, 0) && label_2 < count_values(family, 1));
    return stats_first_cell(metric) +
           (label_1 * count_values(family, 1) + label_2) * stats_cells_each(family);
}

void stats_add(struct stats *stats, enum stats_metric metric, unsigned label_1, unsigned label_2,
               uint64_t value)
{
    if (!stats || !value)
        return;
    stats->cells[cell_of(metric, label_1, label_2)] += value;
    stats->changed = true;
}

void stats_observe(struct stats *stats, enum stats_metric metric, unsigned label_1,
                   uint64_t duration_ms)
{
    const struct stats_family *family = &families[metric];
    unsigned bounds = count_bounds(family);
    unsigned bucket = 0;
    unsigned first;

    if (!stats)
        return;
    first = cell_of(metric, label_1, 0);
    while (bucket < bounds && duration_ms > family->bounds_ms[bucket])
        bucket++;
    stats->cells[first + bucket]++;
    stats->cells[first + bounds + 1] += duration_ms;
    stats->changed = true;
}

void stats_raise(struct stats *stats, enum stats_metric metric, uint64_t value)
{
    unsigned cell;

    if (!stats)
        return;
    cell = stats_first_cell(metric);
    if (value <= stats->cells[cell])
        return;
    stats->cells[cell] = value;
    stats->changed = true;
}

enum stats_reason stats_reason_of(const struct error *error)
{
    switch (error->network) {
    case ERROR_NETWORK_NAME:
        return STATS_REASON_NAME;
    case ERROR_NETWORK_CONNECTION:
    case ERROR_NETWORK_PROXY:
        return STATS_REASON_CONNECTION;
    case ERROR_NETWORK_TLS:
        return STATS_REASON_TLS;
    case ERROR_NETWORK_NONE:
        break;
    }
    if (s3_code_of_error(error)->outcome == S3_SLOW_DOWN)
        return STATS_REASON_SLOW_DOWN;
    if (error->http_status >= 500)
        return STATS_REASON_SERVER_ERROR;
    return error->http_status ? STATS_REASON_OTHER : STATS_REASON_TRANSFER;
}

void stats_count_s3(struct stats *stats, enum s3_operation operation, enum s3_outcome outcome,
                    const struct error *error, uint64_t body_bytes, uint64_t duration_ms,
                    int64_t now)
{
    bool sends = operation == S3_UPLOAD_PART || operation == S3_PUT_OBJECT;
    uint64_t at = now > 0 ? (uint64_t)now : 0;

    stats_add(stats, STATS_S3_REQUESTS, operation, outcome, 1);
    stats_observe(stats, STATS_S3_REQUEST_SECONDS, operation, duration_ms);
    if (sends)
        stats_add(stats, STATS_SENT_BYTES, 0, 0, body_bytes);
    if (sends && outcome == S3_DONE)
        stats_add(stats, STATS_SENT_PARTS, 0, 0, 1);
    switch (outcome) {
    case S3_SLOW_DOWN:
    case S3_RETRY:
        stats_add(stats, STATS_RETRIES, STATS_TARGET_S3, stats_reason_of(error), 1);
        stats_raise(stats, STATS_S3_LAST_FAILURE, at);
        break;
    case S3_REFUSED:
        stats_raise(stats, STATS_S3_LAST_FAILURE, at);
        break;
    case S3_SIGN_AGAIN:
    case S3_ASK_REASON:
        break;
    default:
        stats_raise(stats, STATS_S3_LAST_SUCCESS, at);
        break;
    }
}

/* ---- how a cell is known --------------------------------------------------------------------- */

static enum stats_metric metric_of(unsigned cell, unsigned *ret_index)
{
    enum stats_metric metric = 0;

    while (cell >= count_cells(&families[metric]))
        cell -= count_cells(&families[metric++]);
    *ret_index = cell;
    return metric;
}

static void append_label(char labels[STATS_LABELS_SIZE], const char *name, const char *value)
{
    size_t length = strlen(labels);

    snprintf(labels + length, STATS_LABELS_SIZE - length, "%s%s=\"%s\"", length ? "," : "", name,
             value);
}

void stats_cell_key(unsigned cell, char ret_name[STATS_LABELS_SIZE],
                    char ret_labels[STATS_LABELS_SIZE], bool *ret_gauge)
{
    unsigned index;
    const struct stats_family *family = &families[metric_of(cell, &index)];
    unsigned each = stats_cells_each(family);
    unsigned combination = index / each;
    const char *suffix = "";
    char bound[32];

    ret_labels[0] = 0;
    if (family->label[0])
        append_label(ret_labels, family->label[0],
                     family->values[0][combination / count_values(family, 1)]);
    if (family->label[1])
        append_label(ret_labels, family->label[1],
                     family->values[1][combination % count_values(family, 1)]);
    if (family->type == STATS_HISTOGRAM) {
        unsigned part = index % each;

        suffix = part == each - 1 ? "_sum" : "_bucket";
        snprintf(bound, sizeof bound, "%g",
                 part < each - 2 ? (double)family->bounds_ms[part] / 1000 : 0);
        if (part < each - 1)
            append_label(ret_labels, "le", part == each - 2 ? "+Inf" : bound);
    }
    snprintf(ret_name, STATS_LABELS_SIZE, "%s%s", family->name, suffix);
    *ret_gauge = family->type == STATS_GAUGE;
}
