#include "finalize/command/status_text.h"

#include "finalize/command/text_column.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOW 1800000000 /* 2027-01-15 08:00 UTC */

static struct buffer out;
static struct report_recording recording;
static struct report_totals totals;
static struct status_text_style style;

static void set_up(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    text_column_begin();
    buffer_init(&out, 65536);
    totals = (struct report_totals){.locks_known = true};
    style = (struct status_text_style){.watcher = 1, .now = NOW};
    recording = (struct report_recording){.seconds_left = -1, .size_bytes = 300u << 20};
    recording.row.id = 12;
    recording.row.created_at = NOW - 3600;
    recording.row.tries = 1;
    strcpy(recording.row.directory, "/config/recordings/nzqxnaoiugxqlhbp");
    strcpy(recording.row.session_id, "nzqxnaoiugxqlhbp");
    strcpy(recording.meeting, "12345");
}

static void tear_down(void)
{
    buffer_done(&out);
}

static void expect(const char *text)
{
    ck_assert_str_eq(buffer_text(&out), text);
}

static const char *detail(void)
{
    static char text[STATUS_TEXT_DETAIL_SIZE];

    return status_text_detail(&recording, &style, text);
}

START_TEST(times_are_local)
{
    char text[STATUS_TEXT_TIME_SIZE];

    ck_assert_str_eq(status_text_time(NOW, text), "2027-01-15 08:00");
    setenv("TZ", "Europe/Moscow", 1);
    tzset();
    ck_assert_str_eq(status_text_time(NOW, text), "2027-01-15 11:00");
    ck_assert_str_eq(status_text_time(0, text), "-");
}
END_TEST

START_TEST(the_summary_is_one_sentence)
{
    totals.recordings[REPORT_SAFE] = 3;
    totals.recordings[REPORT_UPLOADING] = 1;
    totals.recordings[REPORT_WAITING] = 1;
    totals.oldest_waiting_at = NOW - 3480;
    totals.next_try_at = NOW + 240;
    strcpy(totals.waiting_for, "S3 answers 503");
    status_text_append_summary(&out, &totals, &style);
    expect("3 safe, 1 uploading, 1 waiting (since 07:02: S3 answers 503; next try in 4 min)\n");
}
END_TEST

START_TEST(without_a_watcher_it_says_what_to_type)
{
    totals.recordings[REPORT_WAITING] = 1;
    totals.oldest_waiting_at = NOW - 100000;
    totals.next_try_at = NOW + 240;
    style.watcher = 0;
    status_text_append_summary(&out, &totals, &style);
    expect("1 waiting (since 2027-01-14 04:13)\n"
           "No watcher runs; to try again by hand: jibri-finalize retry --all\n");
}
END_TEST

START_TEST(what_needs_a_person_is_pointed_out_first)
{
    totals.recordings[REPORT_SAFE] = 3;
    totals.recordings[REPORT_FAILED] = 2;
    status_text_append_summary(&out, &totals, &style);
    expect("2 FAILED (a person is needed), 3 safe\n"
           "What needs a person, and what to do: jibri-finalize status --failed\n");
}
END_TEST

START_TEST(an_upload_that_cannot_be_aborted_is_told_of_in_one_line)
{
    totals.recordings[REPORT_SAFE] = 3;
    totals.leftovers = (struct journal_view_leftovers){.count = 2};
    status_text_append_summary(&out, &totals, &style);
    expect("3 safe\n");
    buffer_clear(&out);
    totals.leftovers.since = NOW - 3480;
    strcpy(totals.leftovers.error, "AbortMultipartUpload of a: S3 answers 403 AccessDenied");
    status_text_append_summary(&out, &totals, &style);
    expect("3 safe\n"
           "Left in the bucket, needed by no recording: 2 unfinished uploads (since 07:02: "
           "AbortMultipartUpload of a: S3 answers 403 AccessDenied). Each run tries to abort it; "
           "what helps: the rights s3:AbortMultipartUpload, s3:ListMultipartUploadParts and "
           "s3:ListBucketMultipartUploads, or a lifecycle rule of the bucket that aborts "
           "unfinished uploads\n");
    buffer_clear(&out);
    strcpy(totals.leftovers.error, "cannot connect");
    status_text_append_summary(&out, &totals, &style);
    expect("3 safe\n"
           "Left in the bucket, needed by no recording: 2 unfinished uploads (since 07:02: cannot "
           "connect). Each run tries to abort it; what helps: a lifecycle rule of the bucket that "
           "aborts unfinished uploads\n");
}
END_TEST

START_TEST(nothing_is_said_to_be_nothing)
{
    status_text_append_summary(&out, &totals, &style);
    expect("no recordings\n");
}
END_TEST

START_TEST(a_row_has_its_columns)
{
    recording.state = REPORT_SAFE;
    status_text_append_head(&out, &style);
    status_text_append_row(&out, &recording, &style);
    strcpy(recording.meeting, "Совещание отдела");
    recording.state = REPORT_FAILED;
    strcpy(recording.row.last_error, "403 AccessDenied");
    status_text_append_row(&out, &recording, &style);
    expect("ID        SINCE             MEETING            SIZE  STATE\n"
           "12        2027-01-15 07:00  12345           300 MiB  safe\n"
           "12        2027-01-15 07:00  Совещание о…    300 MiB  FAILED       403 AccessDenied\n");
}
END_TEST

START_TEST(on_a_narrow_terminal_no_line_is_too_long)
{
    const char *line;

    recording.state = REPORT_WAITING;
    recording.row.next_try_at = NOW + 240;
    strcpy(recording.meeting, "会議室の長い名前でとても長いものですからね本当に");
    strcpy(recording.row.last_error,
           "UploadPart of a_very_long_name_that_has_no_blanks_in_it_at_all."
           "mp4: S3 answers 503 SlowDown");
    for (unsigned columns = 40; columns <= 200; columns++) {
        style.columns = columns;
        buffer_clear(&out);
        status_text_append_row(&out, &recording, &style);
        line = buffer_text(&out);
        while (*line) {
            size_t length = strcspn(line, "\n");
            char copy[1024];

            memcpy(copy, line, length);
            copy[length] = 0;
            ck_assert_msg(text_column_width(copy) <= columns, "%u columns: %s", columns, copy);
            line += length + 1;
        }
    }
}
END_TEST

START_TEST(colours_are_used_only_when_asked_for)
{
    recording.state = REPORT_FAILED;
    totals.recordings[REPORT_FAILED] = 1;
    status_text_append_summary(&out, &totals, &style);
    status_text_append_head(&out, &style);
    status_text_append_row(&out, &recording, &style);
    status_text_append_person(&out, &recording, &style);
    ck_assert_ptr_null(strchr(buffer_text(&out), '\033'));
    style.colours = true;
    status_text_append_row(&out, &recording, &style);
    ck_assert_ptr_nonnull(strstr(buffer_text(&out), "\033[31;1mFAILED\033[0m"));
}
END_TEST

START_TEST(progress_has_rate_and_time_left)
{
    recording.state = REPORT_UPLOADING;
    recording.held_bytes = 126u << 20;
    recording.rate = 3 << 20;
    recording.seconds_left = 58;
    recording.worker_pid = 4711;
    strcpy(recording.worker, "jibri-watcher");
    recording.row.tries = 3;
    ck_assert_str_eq(detail(), "42 %, 3 MiB/s, 58 s left; try 3; by jibri-watcher, process 4711");
}
END_TEST

START_TEST(what_waits_says_when_it_is_tried_again)
{
    recording.state = REPORT_WAITING;
    recording.row.tries = 3;
    recording.row.next_try_at = NOW + 240;
    strcpy(recording.row.last_error, "S3 answers 503");
    ck_assert_str_eq(detail(), "next try in 4 min; try 3; S3 answers 503");
    recording.row.next_try_at = NOW - 5;
    ck_assert_str_eq(detail(), "next try now; try 3; S3 answers 503");
    style.watcher = 0;
    ck_assert_str_eq(detail(), "no watcher runs; try 3; S3 answers 503");
}
END_TEST

START_TEST(what_was_lost_is_told_once)
{
    recording.state = REPORT_LOST;
    ck_assert_str_eq(detail(), "its directory is gone");
    recording.safety.gone = 1;
    strcpy(recording.row.last_error, "1 file vanished before being safe in the bucket");
    ck_assert_str_eq(detail(), "1 file vanished before being safe in the bucket");
}
END_TEST

START_TEST(what_needs_a_person_has_the_command_to_type)
{
    recording.state = REPORT_FAILED;
    strcpy(recording.row.last_error, "PutObject of 1_a.mp4: 404 NoSuchBucket");
    status_text_append_person(&out, &recording, &style);
    expect("FAILED  12  meeting 12345  since 2027-01-15 07:00\n"
           "  directory      /config/recordings/nzqxnaoiugxqlhbp\n"
           "  why            PutObject of 1_a.mp4: 404 NoSuchBucket\n"
           "  what to do     correct CONFOMEET_S3_BUCKET, or make the bucket: it does not exist at "
           "CONFOMEET_S3_URL: jibri-finalize retry 12\n");
    buffer_clear(&out);
    strcpy(recording.row.last_error, "a.mp4 is in the bucket, but its name does not begin with a "
                                     "meeting id and \"_\": the backend cannot be told");
    status_text_append_person(&out, &recording, &style);
    ck_assert_ptr_nonnull(
        strstr(buffer_text(&out), "jibri-finalize retry --meeting-id NUMBER 12\n"));
}
END_TEST

START_TEST(why_bytes_were_sent_again_is_shown)
{
    const struct journal_view_entry entry = {
        .at = NOW,
        .path = "5_a.mp4",
        .text = "sent again: 3 parts, 24 MiB: the bytes changed since they were sent"};

    status_text_append_resend(&out, &entry, &style);
    expect("  sent again     2027-01-15 08:00, 3 parts, 24 MiB: the bytes changed since they were "
           "sent, of 5_a.mp4\n");
}
END_TEST

START_TEST(hostile_names_forge_no_line)
{
    recording.state = REPORT_FOUND;
    recording.row.id = 0;
    strcpy(recording.row.session_id, "a\n99  safe\x1b[2J");
    strcpy(recording.row.directory, "/r/a\n99  safe\x1b[2J");
    strcpy(recording.meeting, "1\n2  safe");
    status_text_append_row(&out, &recording, &style);
    ck_assert_ptr_eq(strchr(buffer_text(&out), '\n'), buffer_text(&out) + out.length - 1);
    ck_assert_ptr_null(strchr(buffer_text(&out), '\033'));
    buffer_clear(&out);
    status_text_append_title(&out, &recording, &style);
    ck_assert_ptr_null(strchr(buffer_text(&out), '\033'));
    ck_assert_ptr_null(strstr(buffer_text(&out), "\n99"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status_text");
    TCase *tests = tcase_create("status_text");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, times_are_local);
    tcase_add_test(tests, the_summary_is_one_sentence);
    tcase_add_test(tests, without_a_watcher_it_says_what_to_type);
    tcase_add_test(tests, what_needs_a_person_is_pointed_out_first);
    tcase_add_test(tests, an_upload_that_cannot_be_aborted_is_told_of_in_one_line);
    tcase_add_test(tests, nothing_is_said_to_be_nothing);
    tcase_add_test(tests, a_row_has_its_columns);
    tcase_add_test(tests, on_a_narrow_terminal_no_line_is_too_long);
    tcase_add_test(tests, colours_are_used_only_when_asked_for);
    tcase_add_test(tests, progress_has_rate_and_time_left);
    tcase_add_test(tests, what_waits_says_when_it_is_tried_again);
    tcase_add_test(tests, what_was_lost_is_told_once);
    tcase_add_test(tests, what_needs_a_person_has_the_command_to_type);
    tcase_add_test(tests, why_bytes_were_sent_again_is_shown);
    tcase_add_test(tests, hostile_names_forge_no_line);
    return unit_run(suite);
}
