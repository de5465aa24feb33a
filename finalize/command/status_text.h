/*
 * status_text - how recordings look to people: a sentence that sums up, a table, what needs a
 * person, one recording with its files.
 *
 * Pure: knows the time and the terminal that it is told. Times are in the local zone.
 */
#pragma once

#include "finalize/base/buffer.h"
#include "finalize/report/report.h"

#include <stdbool.h>
#include <stdint.h>

struct status_text_style {
    unsigned columns; /* 0: lines have no end, as on a pipe */
    bool colours;
    int watcher; /* as report_watcher() */
    int64_t now;
};

/* On narrower terminals a recording is a few lines instead of a row. */
#define STATUS_TEXT_TABLE_COLUMNS 64u

/* Appends the state's word, in its colour, and returns the columns that it takes. */
unsigned status_text_append_state(struct buffer *out, enum report_state state,
                                  const struct status_text_style *style);

/* "2026-11-24 14:02"; "-" for 0. */
#define STATUS_TEXT_TIME_SIZE 32
const char *status_text_time(int64_t seconds, char out[STATUS_TEXT_TIME_SIZE]);

/* "in 3 min 5 s"; "now" where that is not ahead. Returns `out`. */
const char *status_text_from_now(int64_t seconds, int64_t now, char *out, size_t size);

/* "3 safe, 1 uploading, 1 waiting since 14:02: …", and below it what to type where that helps. */
void status_text_append_summary(struct buffer *out, const struct report_totals *totals,
                                const struct status_text_style *style);

/* The head of the table, and a recording in it: a line, or a few on narrow terminals. */
void status_text_append_head(struct buffer *out, const struct status_text_style *style);
void status_text_append_row(struct buffer *out, const struct report_recording *recording,
                            const struct status_text_style *style);

/* What there is to say of how it stands, in a line: progress, next try, error. Returns `out`. */
#define STATUS_TEXT_DETAIL_SIZE 1024
const char *status_text_detail(const struct report_recording *recording,
                               const struct status_text_style *style,
                               char out[STATUS_TEXT_DETAIL_SIZE]);

/* A recording that needs a person: why, and what to do. */
void status_text_append_person(struct buffer *out, const struct report_recording *recording,
                               const struct status_text_style *style);

/* A recording by itself: the lines before its files, one file, the lines after them. */
void status_text_append_title(struct buffer *out, const struct report_recording *recording,
                              const struct status_text_style *style);
void status_text_append_file(struct buffer *out, const struct journal_view_file *view,
                             const struct status_text_style *style);
void status_text_append_rest(struct buffer *out, const struct report_recording *recording,
                             const struct status_text_style *style);

/* An entry of its history that says why bytes were sent again (JOURNAL_SENT_AGAIN). */
void status_text_append_resend(struct buffer *out, const struct journal_view_entry *entry,
                               const struct status_text_style *style);

/* What a person types to name the recording. Returns `out`. */
#define STATUS_TEXT_ID_SIZE SESSION_NAME_SIZE
const char *status_text_id(const struct report_recording *recording, char out[STATUS_TEXT_ID_SIZE]);
