#include "finalize/report/metrics.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct metrics metrics;
static struct buffer out;

/* One of everything. */
static void set_up(void)
{
    metrics = (struct metrics){.instance_id = "jibri-1",
                               .now = 2000,
                               .journal_readable = true,
                               .counts = {.oldest_unsafe_at = 1400, .webhooks = 3},
                               .disk_known = true,
                               .disk_free_bytes = 1000,
                               .disk_size_bytes = 5000,
                               .trend_known = true,
                               .disk_fills = true,
                               .disk_full_in_seconds = 77};
    metrics.counts.recordings[JOURNAL_RECORDING_WAITING] = 2;
    metrics.counts.recordings[JOURNAL_RECORDING_DONE] = 7;
    metrics.counts.lost = 3;
    metrics.counts.incomplete = 5;
    for (unsigned cell = 0; cell < stats_cells(); cell++)
        metrics.stats.cells[cell] = 1;
    buffer_init(&out, METRICS_CEILING);
}

static void tear_down(void)
{
    buffer_done(&out);
}

static const char *written(void)
{
    buffer_clear(&out);
    metrics_write(&metrics, &out);
    ck_assert(!out.failed);
    return buffer_text(&out);
}

static void assert_line(const char *line)
{
    char wanted[256];

    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    ck_assert_msg(strstr(written(), wanted) != NULL, "not there: %s\n%s", line, buffer_text(&out));
}

START_TEST(each_number_has_its_name_its_labels_and_the_instance)
{
    assert_line("jibri_upload_build_info{instance_id=\"jibri-1\",version=\"" PROJECT_VERSION
                "\"} 1");
    assert_line("jibri_upload_recordings{instance_id=\"jibri-1\",state=\"waiting\"} 2");
    assert_line("jibri_upload_recordings{instance_id=\"jibri-1\",state=\"failed\"} 0");
    assert_line("jibri_upload_recordings{instance_id=\"jibri-1\",state=\"done\"} 4");
    assert_line("jibri_upload_recordings{instance_id=\"jibri-1\",state=\"lost\"} 3");
    assert_line("jibri_upload_incomplete_files{instance_id=\"jibri-1\"} 5");
    assert_line("jibri_upload_oldest_unsafe_age_seconds{instance_id=\"jibri-1\"} 600");
    assert_line("jibri_upload_disk_full_in_seconds{instance_id=\"jibri-1\"} 77");
    assert_line("jibri_upload_s3_requests_total{instance_id=\"jibri-1\",operation=\"UploadPart\","
                "outcome=\"done\"} 1");
}
END_TEST

START_TEST(without_an_instance_id_there_is_no_such_label)
{
    metrics.instance_id = NULL;
    assert_line("jibri_upload_disk_free_bytes 1000");
    assert_line("jibri_upload_recordings{state=\"waiting\"} 2");
    metrics.instance_id = "";
    assert_line("jibri_upload_disk_free_bytes 1000");
}
END_TEST

START_TEST(an_instance_id_cannot_break_out_of_its_label)
{
    metrics.instance_id = "a\"} 1\nx\\";
    assert_line("jibri_upload_disk_free_bytes{instance_id=\"a\\\"} 1\\nx\\\\\"} 1000");
}
END_TEST

START_TEST(buckets_are_cumulative_and_their_last_one_is_the_count)
{
    assert_line("jibri_upload_finalize_duration_seconds_bucket{instance_id=\"jibri-1\","
                "result=\"safe\",le=\"1\"} 1");
    assert_line("jibri_upload_finalize_duration_seconds_bucket{instance_id=\"jibri-1\","
                "result=\"safe\",le=\"+Inf\"} 13");
    assert_line("jibri_upload_finalize_duration_seconds_sum{instance_id=\"jibri-1\","
                "result=\"safe\"} 0.001");
    assert_line("jibri_upload_finalize_duration_seconds_count{instance_id=\"jibri-1\","
                "result=\"safe\"} 13");
}
END_TEST

START_TEST(zeros_are_shown_but_for_requests_that_nobody_ever_makes)
{
    memset(&metrics.stats, 0, sizeof metrics.stats);
    assert_line("jibri_upload_notices_total{instance_id=\"jibri-1\",outcome=\"refused\"} 0");
    assert_line("jibri_upload_finalize_duration_seconds_count{instance_id=\"jibri-1\","
                "result=\"failed\"} 0");
    ck_assert_ptr_null(strstr(written(), "\njibri_upload_s3_requests_total{"));
    ck_assert_ptr_null(strstr(written(), "\njibri_upload_s3_request_duration_seconds_bucket{"));
}
END_TEST

START_TEST(a_disk_that_does_not_fill_is_never_full)
{
    metrics.disk_fills = false;
    assert_line("jibri_upload_disk_full_in_seconds{instance_id=\"jibri-1\"} +Inf");
    metrics.trend_known = false;
    ck_assert_ptr_null(strstr(written(), "disk_full_in_seconds"));
}
END_TEST

START_TEST(without_a_journal_what_needs_none_is_shown)
{
    metrics.journal_readable = false;
    assert_line("jibri_upload_journal_readable{instance_id=\"jibri-1\"} 0");
    assert_line("jibri_upload_disk_free_bytes{instance_id=\"jibri-1\"} 1000");
    ck_assert_ptr_null(strstr(written(), "jibri_upload_recordings"));
    ck_assert_ptr_null(strstr(written(), "_total"));
}
END_TEST

static char documentation[64 * 1024];

static void load_documentation(void)
{
    FILE *file = fopen(SOURCE_DIR "/docs/metrics.md", "r");

    ck_assert_ptr_nonnull(file);
    documentation[fread(documentation, 1, sizeof documentation - 1, file)] = 0;
    fclose(file);
}

/* Lines of "| `name` | type | ..." in the documentation. */
START_TEST(the_documentation_has_every_metric_and_no_other)
{
    char row[256], name[128], type[32], line[160];

    load_documentation();
    written();
    for (const char *head = buffer_text(&out); (head = strstr(head, "# TYPE ")); head++) {
        ck_assert_int_eq(sscanf(head, "# TYPE %127s %31s", name, type), 2);
        snprintf(row, sizeof row, "\n| `%s` | %s |", name, type);
        ck_assert_msg(strstr(documentation, row) != NULL, "docs/metrics.md lacks: %s", row);
    }
    for (const char *at = documentation; (at = strstr(at, "\n| `jibri_upload_")); at++) {
        ck_assert_int_eq(sscanf(at, "\n| `%127[a-z0-9_]`", name), 1);
        snprintf(line, sizeof line, "# TYPE %s ", name);
        ck_assert_msg(strstr(buffer_text(&out), line) != NULL, "there is no %s", name);
    }
}
END_TEST

START_TEST(the_documentation_has_every_value_of_every_label)
{
    load_documentation();
    for (enum stats_metric metric = 0; metric < STATS_METRICS; metric++) {
        const struct stats_family *family = stats_family(metric);

        for (unsigned label = 0; label < 2 && family->label[label]; label++)
            for (const char *const *value = family->values[label]; *value; value++) {
                char quoted[64];

                snprintf(quoted, sizeof quoted, "`%s`", *value);
                ck_assert_msg(strstr(documentation, quoted) != NULL, "docs/metrics.md lacks %s",
                              quoted);
            }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_number_has_its_name_its_labels_and_the_instance);
    tcase_add_test(tcase, without_an_instance_id_there_is_no_such_label);
    tcase_add_test(tcase, an_instance_id_cannot_break_out_of_its_label);
    tcase_add_test(tcase, buckets_are_cumulative_and_their_last_one_is_the_count);
    tcase_add_test(tcase, zeros_are_shown_but_for_requests_that_nobody_ever_makes);
    tcase_add_test(tcase, a_disk_that_does_not_fill_is_never_full);
    tcase_add_test(tcase, without_a_journal_what_needs_none_is_shown);
    tcase_add_test(tcase, the_documentation_has_every_metric_and_no_other);
    tcase_add_test(tcase, the_documentation_has_every_value_of_every_label);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
