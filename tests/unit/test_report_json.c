#include "finalize/report/report_json.h"

#include "finalize/journal/journal_schedule.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NOW 1800000000

static char base[64];
static char path[128];
static struct journal *journal;
static struct report *report;
static struct error err;
static char *text;
static size_t length;

static const struct report_json_about about = {.instance = "jibri-1", .watcher = -1, .now = NOW};

static void make_base(void)
{
    strcpy(base, "/tmp/test_report_json_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/journal.db", base);
    report = NULL;
    text = NULL;
    error_clear(&err);
    ck_assert(journal_open(path, &journal, &err));
}

static void remove_base(void)
{
    free(text);
    report_close(report);
    journal_close(journal);
    unit_remove(base);
}

static int64_t add_recording(const char *directory, const char *session, const char *file_name)
{
    struct journal_recording row;
    struct journal_file file;

    ck_assert(journal_begin_recording(journal, directory, session, NOW - 60, &row, &err));
    row.state = JOURNAL_RECORDING_WAITING;
    strcpy(row.last_error, "S3 answers 503");
    ck_assert(journal_save_recording(journal, &row, NOW - 50, &err));
    memset(&file, 0, sizeof file);
    file.recording_id = row.id;
    strcpy(file.path, file_name);
    file.media = true;
    file.state = JOURNAL_FILE_PENDING;
    file.notice = JOURNAL_NOTICE_DUE;
    file.object_bytes = 1234;
    ck_assert(journal_add_file(journal, &file, &err));
    ck_assert(journal_add_history(journal, row.id, file.id, NOW - 55, "tried", &err));
    return row.id;
}

static void open_report(void)
{
    const struct report_source source = {.journal = path};

    ck_assert(report_open(&source, &report, &err));
}

static void expect(const char *piece)
{
    ck_assert_msg(strstr(text, piece) != NULL, "no %s in %s", piece, text);
}

static void print_recordings(void)
{
    const struct report_filter filter = {0};
    FILE *out = open_memstream(&text, &length);

    ck_assert(report_json_recordings(report, &filter, &about, out, NULL, &err));
    fclose(out);
}

static bool print_events(int64_t id)
{
    FILE *out = open_memstream(&text, &length);
    bool found;

    ck_assert(report_json_events(report, id, 1000, &about, out, &found, &err));
    fclose(out);
    return found;
}

START_TEST(an_empty_journal_is_an_empty_list_and_all_states_are_named)
{
    open_report();
    print_recordings();
    ck_assert_str_eq(text,
                     "{\"schema\":1,\"at\":\"2027-01-15T08:00:00Z\",\"instance\":\"jibri-1\","
                     "\"watcher\":null,\"recordings\":[],\"summary\":{\"recordings\":{\"safe\":0,"
                     "\"uploading\":0,\"recording\":0,\"interrupted\":0,\"waiting\":0,\"failed\":0,"
                     "\"lost\":0,\"abandoned\":0,\"found\":0},\"notices_due\":0,"
                     "\"oldest_unsafe_at\":null,\"next_try_at\":null,\"leftover_uploads\":0,"
                     "\"leftover_since\":null,\"leftover_error\":null}}\n");
}
END_TEST

START_TEST(uploads_that_cannot_be_aborted_are_counted_and_the_oldest_says_why)
{
    struct journal_leftover leftover;
    bool found;

    ck_assert(journal_add_leftover(journal, "s3/b", "a", "u1", NOW - 60, &err));
    ck_assert(journal_add_leftover(journal, "s3/b", "b", "u2", NOW - 50, &err));
    ck_assert(journal_add_leftover(journal, "s3/b", "c", "u3", NOW - 40, &err));
    for (int64_t id = 1; id <= 2; id++) {
        ck_assert(journal_next_leftover(journal, id, &leftover, &found, &err) && found);
        snprintf(leftover.last_error, sizeof leftover.last_error, "%.9s is refused", leftover.key);
        ck_assert(journal_note_leftover(journal, &leftover, &err));
    }
    open_report();
    print_recordings();
    expect("\"leftover_uploads\":3,\"leftover_since\":\"2027-01-15T07:59:10Z\","
           "\"leftover_error\":\"b is refused\"}}");
}
END_TEST

START_TEST(a_recording_has_its_files_and_what_they_add_up_to)
{
    add_recording("/r/abc", "abc", "12345_a.mp4");
    add_recording("/r/def", "def", "6_b.mp4");
    open_report();
    print_recordings();
    expect("{\"id\":2,\"session\":\"def\",\"directory\":\"/r/def\",\"state\":\"waiting\",");
    expect("\"path\":\"12345_a.mp4\",\"media\":true,\"incomplete\":false,\"cut_off\":false,"
           "\"duration_seconds\":null,\"state\":\"pending\","
           "\"size_bytes\":1234,\"held_bytes\":0,\"location\":null,\"key\":null,\"etag\":null,");
    expect("\"meeting\":\"12345\"");
    expect("\"created_at\":\"2027-01-15T07:59:00Z\"");
    expect("\"safe_at\":null");
    expect("\"last_error\":\"S3 answers 503\"");
    expect("\"seconds_left\":null");
    expect("\"worker\":null");
    expect("\"waiting\":2,");
}
END_TEST

START_TEST(bytes_that_are_no_utf8_are_replaced_and_nothing_breaks_out_of_a_string)
{
    add_recording("/r/\xff\x01\"\\", "\xff\x01\"\\", "1_\xd0\x9c\xc2\x85\n\x7f.mp4");
    open_report();
    print_recordings();
    expect("\"session\":\"\xef\xbf\xbd\\u0001\\\"\\\\\"");
    expect("\"path\":\"1_\xd0\x9c\\u0085\\u000a\\u007f.mp4\"");
}
END_TEST

START_TEST(why_bytes_were_sent_again_is_there_for_each_recording)
{
    const int64_t id = add_recording("/r/abc", "abc", "12345_a.mp4");
    struct journal_file file;
    bool found;

    add_recording("/r/def", "def", "6_b.mp4");
    ck_assert(journal_find_file(journal, id, "12345_a.mp4", &file, &found, &err) && found);
    ck_assert(journal_add_history(journal, id, file.id, NOW - 5,
                                  "sent again: 3 parts, 24 MiB: the bytes changed", &err));
    ck_assert(journal_add_history(journal, id, 0, NOW - 4, "sent again: 1 part, 5 B: why", &err));
    open_report();
    print_recordings();
    expect("\"sent_again\":[\n {\"why\":\"3 parts, 24 MiB: the bytes changed\","
           "\"at\":\"2027-01-15T07:59:55Z\",\"file\":\"12345_a.mp4\"},"
           "\n {\"why\":\"1 part, 5 B: why\",\"at\":\"2027-01-15T07:59:56Z\",\"file\":null}\n ]}");
    expect("\"worker\":null,\"sent_again\":[]}");
    free(text);
    ck_assert(print_events(id));
    expect("\"sent_again\":[\n {\"why\"");
    expect("\"events\":[\n {\"recording\":1,");
}
END_TEST

/* Whatever stands before a colon, in any of the documents. */
static void expect_members_in(const char *documentation)
{
    for (const char *at = text; (at = strchr(at, '"')); at++) {
        char quoted[64];
        size_t length_of = strcspn(at + 1, "\"");

        if (at[length_of + 1] && at[length_of + 2] == ':') {
            snprintf(quoted, sizeof quoted, "`%.*s`", (int)length_of, at + 1);
            ck_assert_msg(strstr(documentation, quoted), "docs/status-schema.md lacks %s", quoted);
        }
        at += length_of + 1;
    }
}

START_TEST(the_documentation_has_every_member)
{
    static char documentation[64 * 1024];
    FILE *file = fopen(SOURCE_DIR "/docs/status-schema.md", "r");
    const int64_t id = add_recording("/r/abc", "abc", "12345_a.mp4");

    ck_assert_ptr_nonnull(file);
    documentation[fread(documentation, 1, sizeof documentation - 1, file)] = 0;
    fclose(file);
    ck_assert(journal_add_history(journal, id, 0, NOW, "sent again: 1 part, 5 B: why", &err));
    open_report();
    print_recordings();
    expect_members_in(documentation);
    free(text);
    ck_assert(print_events(id));
    expect_members_in(documentation);
}
END_TEST

START_TEST(the_history_of_one_has_that_recording_and_its_events)
{
    add_recording("/r/abc", "abc", "12345_a.mp4");
    int64_t id = add_recording("/r/def", "def", "6_b.mp4");

    open_report();
    ck_assert(print_events(id));
    expect("\"recording\":\n{\"id\":2,");
    expect("\"events\":[\n {\"recording\":2,\"session\":\"def\",\"at\":\"2027-01-15T07:59:05Z\","
           "\"file\":\"6_b.mp4\",\"text\":\"tried\"}\n]}\n");
    ck_assert_ptr_null(strstr(text, "abc"));
}
END_TEST

START_TEST(the_history_of_all_has_no_recording)
{
    add_recording("/r/abc", "abc", "12345_a.mp4");
    add_recording("/r/def", "def", "6_b.mp4");
    open_report();
    ck_assert(print_events(0));
    expect("\"recording\":null,\"events\":[\n {\"recording\":1,");
    expect("{\"recording\":2,");
}
END_TEST

START_TEST(a_recording_that_is_not_there_is_not_found)
{
    open_report();
    ck_assert(!print_events(7));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report_json");
    TCase *tests = tcase_create("report_json");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, an_empty_journal_is_an_empty_list_and_all_states_are_named);
    tcase_add_test(tests, uploads_that_cannot_be_aborted_are_counted_and_the_oldest_says_why);
    tcase_add_test(tests, a_recording_has_its_files_and_what_they_add_up_to);
    tcase_add_test(tests, bytes_that_are_no_utf8_are_replaced_and_nothing_breaks_out_of_a_string);
    tcase_add_test(tests, why_bytes_were_sent_again_is_there_for_each_recording);
    tcase_add_test(tests, the_documentation_has_every_member);
    tcase_add_test(tests, the_history_of_one_has_that_recording_and_its_events);
    tcase_add_test(tests, the_history_of_all_has_no_recording);
    tcase_add_test(tests, a_recording_that_is_not_there_is_not_found);
    return unit_run(suite);
}
