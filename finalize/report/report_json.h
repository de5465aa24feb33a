/*
 * report_json - a report as JSON: what status --json, events --json and the watcher's status server
 * print. docs/status-schema.md describes it; "schema" is the number that it has there.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/report/report.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define REPORT_JSON_SCHEMA 1

struct report_json_about {
    const char *instance; /* JIBRI_INSTANCE_ID; NULL: not set */
    int watcher;          /* 1: one runs, 0: none, -1: unknown */
    int64_t now;
};

/*
 * Writes the document of all recordings that pass the filter. When it fails, a part of the document
 * may have been written: write to memory (open_memstream()) where that must not be seen. Whether
 * `out` took it is the caller's to ask (ferror()).
 */
bool report_json_recordings(struct report *report, const struct report_filter *filter,
                            const struct report_json_about *about, FILE *out,
                            struct report_totals *ret_totals, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Writes the document of one recording and its last `most` events, or (`recording_id` 0) of the
 * last events of all. *ret_found is false when there is no such recording; nothing useful was
 * written then.
 */
bool report_json_events(struct report *report, int64_t recording_id, unsigned most,
                        const struct report_json_about *about, FILE *out, bool *ret_found,
                        struct error *err) __attribute__((warn_unused_result));
