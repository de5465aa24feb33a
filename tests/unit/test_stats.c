#include "finalize/journal/stats.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct stats stats;

static void empty(void)
{
    memset(&stats, 0, sizeof stats);
}

/* The number of the cell that is known by that name and these labels. */
static uint64_t value_of(const char *name, const char *labels)
{
    for (unsigned cell = 0; cell < stats_cells(); cell++) {
        char its_name[STATS_LABELS_SIZE], its_labels[STATS_LABELS_SIZE];
        bool gauge;

        stats_cell_key(cell, its_name, its_labels, &gauge);
        if (!strcmp(name, its_name) && !strcmp(labels, its_labels))
            return stats.cells[cell];
    }
    ck_abort_msg("there is no %s{%s}", name, labels);
}

START_TEST(every_cell_has_a_key_of_its_own)
{
    static char keys[STATS_MAX_CELLS][2 * STATS_LABELS_SIZE + 2];
    unsigned cells = stats_cells();

    ck_assert_uint_gt(cells, 100);
    ck_assert_uint_le(cells, STATS_MAX_CELLS);
    for (unsigned cell = 0; cell < cells; cell++) {
        char name[STATS_LABELS_SIZE], labels[STATS_LABELS_SIZE];
        bool gauge;

        stats_cell_key(cell, name, labels, &gauge);
        ck_assert_uint_lt(strlen(name), STATS_LABELS_SIZE - 1);
        ck_assert_uint_lt(strlen(labels), STATS_LABELS_SIZE - 1);
        snprintf(keys[cell], sizeof keys[cell], "%s{%s}", name, labels);
        for (unsigned other = 0; other < cell; other++)
            ck_assert_str_ne(keys[cell], keys[other]);
    }
}
END_TEST

START_TEST(labels_are_the_words_of_their_enums)
{
    static const struct error none = ERROR_INIT;

    for (enum s3_operation operation = S3_HEAD_OBJECT; operation <= S3_LIST_UPLOADS; operation++) {
        char labels[STATS_LABELS_SIZE];

        empty();
        stats_count_s3(&stats, operation, S3_DONE, &none, 0, 1, 100);
        snprintf(labels, sizeof labels, "operation=\"%s\",outcome=\"done\"",
                 s3_operation_names[operation]);
        ck_assert_uint_eq(value_of("jibri_upload_s3_requests_total", labels), 1);
    }
    empty();
    /* the last ones */
    stats_count_s3(&stats, S3_LIST_UPLOADS, S3_REFUSED, &none, 0, 1, 100);
    ck_assert_uint_eq(value_of("jibri_upload_s3_requests_total",
                               "operation=\"ListMultipartUploads\",outcome=\"refused\""),
                      1);
    stats_add(&stats, STATS_NOTICES, STATS_NOTICE_REFUSED, 0, 1);
    ck_assert_uint_eq(value_of("jibri_upload_notices_total", "outcome=\"refused\""), 1);
}
END_TEST

START_TEST(a_duration_is_counted_in_the_first_bucket_that_holds_it)
{
    static const struct {
        uint64_t ms;
        const char *le;
    } CASES[] = {{0, "1"},
                 {1000, "1"},
                 {1001, "2"},
                 {5000, "5"},
                 {10800000, "10800"},
                 {599999, "600"},
                 {10800001, "+Inf"},
                 {UINT32_MAX * 2ULL, "+Inf"}};

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char labels[STATS_LABELS_SIZE];

        empty();
        stats_observe(&stats, STATS_FINALIZE_SECONDS, STATS_RESULT_WAITING, CASES[i].ms);
        snprintf(labels, sizeof labels, "result=\"waiting\",le=\"%s\"", CASES[i].le);
        ck_assert_uint_eq(value_of("jibri_upload_finalize_duration_seconds_bucket", labels), 1);
        ck_assert_uint_eq(
            value_of("jibri_upload_finalize_duration_seconds_sum", "result=\"waiting\""),
            CASES[i].ms);
    }
}
END_TEST

START_TEST(bytes_count_as_sent_whatever_became_of_the_request_and_parts_when_acknowledged)
{
    static const struct error none = ERROR_INIT;
    static const struct error again = {.kind = ERROR_TRANSIENT, .http_status = 500};

    empty();
    stats_count_s3(&stats, S3_UPLOAD_PART, S3_RETRY, &again, 700, 10, 1000);
    stats_count_s3(&stats, S3_UPLOAD_PART, S3_DONE, &none, 1000, 10, 1001);
    stats_count_s3(&stats, S3_PUT_OBJECT, S3_DONE, &none, 5, 10, 1002);
    stats_count_s3(&stats, S3_COMPLETE_UPLOAD, S3_DONE, &none, 300, 10, 1003);
    ck_assert_uint_eq(value_of("jibri_upload_sent_bytes_total", ""), 1705);
    ck_assert_uint_eq(value_of("jibri_upload_sent_parts_total", ""), 2);
    ck_assert_uint_eq(
        value_of("jibri_upload_retries_total", "target=\"s3\",reason=\"server_error\""), 1);
    ck_assert_uint_eq(value_of("jibri_upload_s3_last_failure_timestamp_seconds", ""), 1000);
    ck_assert_uint_eq(value_of("jibri_upload_s3_last_success_timestamp_seconds", ""), 1003);
}
END_TEST

START_TEST(a_retry_has_the_reason_that_an_operator_looks_for)
{
    static const struct {
        struct error error;
        enum stats_reason reason;
    } CASES[] = {
        {{.network = ERROR_NETWORK_NAME}, STATS_REASON_NAME},
        {{.network = ERROR_NETWORK_CONNECTION}, STATS_REASON_CONNECTION},
        {{.network = ERROR_NETWORK_TLS}, STATS_REASON_TLS},
        {{.http_status = 503}, STATS_REASON_SLOW_DOWN},
        {{.http_status = 429}, STATS_REASON_SLOW_DOWN},
        {{.http_status = 200, .s3_code = "SlowDown"}, STATS_REASON_SLOW_DOWN},
        {{.http_status = 500}, STATS_REASON_SERVER_ERROR},
        {{.http_status = 400}, STATS_REASON_OTHER},
        {{.http_status = 0}, STATS_REASON_TRANSFER},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ck_assert_int_eq(stats_reason_of(&CASES[i].error), CASES[i].reason);
}
END_TEST

START_TEST(nothing_is_counted_where_nobody_counts)
{
    static const struct error none = ERROR_INIT;

    empty();
    stats_count_s3(NULL, S3_UPLOAD_PART, S3_DONE, &none, 1, 1, 1);
    stats_add(NULL, STATS_SENT_BYTES, 0, 0, 1);
    stats_raise(&stats, STATS_S3_LAST_SUCCESS, 0);
    stats_add(&stats, STATS_SENT_BYTES, 0, 0, 0);
    ck_assert(!stats.changed);
    stats_raise(&stats, STATS_S3_LAST_SUCCESS, 7);
    ck_assert(stats.changed);
    stats_raise(&stats, STATS_S3_LAST_SUCCESS, 6);
    ck_assert_uint_eq(value_of("jibri_upload_s3_last_success_timestamp_seconds", ""), 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *tcase = tcase_create("stats");

    tcase_add_test(tcase, every_cell_has_a_key_of_its_own);
    tcase_add_test(tcase, labels_are_the_words_of_their_enums);
    tcase_add_test(tcase, a_duration_is_counted_in_the_first_bucket_that_holds_it);
    tcase_add_test(tcase,
                   bytes_count_as_sent_whatever_became_of_the_request_and_parts_when_acknowledged);
    tcase_add_test(tcase, a_retry_has_the_reason_that_an_operator_looks_for);
    tcase_add_test(tcase, nothing_is_counted_where_nobody_counts);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
