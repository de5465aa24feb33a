#include "finalize/report/report.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1800000000

static char base[64];
static char path[128];
static struct journal *journal;
static struct report *report;
static struct error err;

static void make_base(void)
{
    strcpy(base, "/tmp/test_report_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/.jibri-finalize/journal.db", base);
    journal = NULL;
    report = NULL;
    error_clear(&err);
}

static void remove_base(void)
{
    report_close(report);
    journal_close(journal);
    unit_remove(base);
}

static void open_journal(void)
{
    ck_assert_msg(journal_open(path, &journal, &err), "%s", err.text);
}

static void open_report(bool with_disk)
{
    const struct report_source source = {.journal = path,
                                         .recordings_dir = with_disk ? base : NULL};

    ck_assert_msg(report_open(&source, &report, &err), "%s", err.text);
}

static struct journal_recording add_recording(const char *name, enum journal_recording_state state,
                                              int64_t at)
{
    struct journal_recording row;
    char directory[128];

    snprintf(directory, sizeof directory, "%s/%s", base, name);
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    ck_assert(journal_begin_recording(journal, directory, name, at, &row, &err));
    row.state = state;
    ck_assert(journal_save_recording(journal, &row, at, &err));
    return row;
}

static struct journal_file add_file(int64_t recording_id, const char *name,
                                    enum journal_file_state state, uint64_t bytes)
{
    struct journal_file file;

    memset(&file, 0, sizeof file);
    file.recording_id = recording_id;
    snprintf(file.path, sizeof file.path, "%s", name);
    file.media = strstr(name, ".mp4") != NULL;
    file.state = state;
    file.object_bytes = bytes;
    if (state == JOURNAL_FILE_SAFE)
        file.safe_at = NOW - 5;
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    return file;
}

static void add_part(int64_t file_id, unsigned number, uint64_t length, int64_t at)
{
    struct journal_part part = {.number = number, .length = length, .acknowledged_at = at};

    ck_assert(journal_save_part(journal, file_id, &part, &err));
}

/* ---- what a walk came by --------------------------------------------------------------------- */

static struct report_recording seen[32];
static unsigned seen_count, files_seen;

static bool on_file(void *context, const struct journal_view_file *file, struct error *error)
{
    (void)context;
    (void)file;
    (void)error;
    files_seen++;
    return true;
}

static bool on_recording(void *context, const struct report_recording *recording,
                         struct error *error)
{
    (void)context;
    (void)error;
    ck_assert_uint_lt(seen_count, 32);
    seen[seen_count++] = *recording;
    return true;
}

static struct report_totals walk(const struct report_filter *filter)
{
    const struct report_visitor visitor = {.file = on_file, .recording = on_recording};
    struct report_totals totals;

    seen_count = files_seen = 0;
    ck_assert_msg(report_each(report, filter, NOW, &visitor, &totals, &err), "%s", err.text);
    return totals;
}

static const struct report_filter everything;

/* ---- tests ----------------------------------------------------------------------------------- */

START_TEST(without_a_journal_nothing_is_told_and_none_is_made)
{
    struct report_totals totals;

    open_report(true);
    totals = walk(&everything);
    ck_assert_uint_eq(seen_count, 0);
    ck_assert_uint_eq(report_states_of(&totals), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(each_recording_is_summed_up_over_its_files)
{
    struct journal_recording row;
    struct report_totals totals;

    open_journal();
    row = add_recording("session", JOURNAL_RECORDING_WAITING, NOW - 1000);
    add_file(row.id, "metadata.json", JOURNAL_FILE_PENDING, 100);
    add_file(row.id, "12345_a.mp4", JOURNAL_FILE_UPLOADED, 1000);
    add_file(row.id, "12345_b.mp4", JOURNAL_FILE_SAFE, 10000);
    add_file(row.id, "token.txt", JOURNAL_FILE_WITHHELD, 7);
    open_report(false);
    totals = walk(&everything);
    ck_assert_uint_eq(seen_count, 1);
    ck_assert_uint_eq(files_seen, 4);
    ck_assert_int_eq(seen[0].state, REPORT_WAITING);
    ck_assert_str_eq(seen[0].media_name, "12345_a.mp4");
    ck_assert_str_eq(seen[0].meeting, "12345");
    ck_assert_uint_eq(seen[0].safety.files, 4);
    ck_assert_uint_eq(seen[0].safety.safe, 1);
    ck_assert_uint_eq(seen[0].safety.withheld, 1);
    ck_assert_uint_eq(seen[0].notices_due, 1);
    ck_assert_uint_eq(seen[0].size_bytes, 11100);
    ck_assert_uint_eq(seen[0].held_bytes, 11000);
    ck_assert_int_eq(seen[0].safe_at, 0);
    ck_assert_uint_eq(totals.recordings[REPORT_WAITING], 1);
    ck_assert_int_eq(totals.oldest_waiting_at, NOW - 1000);
}
END_TEST

START_TEST(the_newest_recording_comes_first_and_one_without_files_is_there)
{
    open_journal();
    add_file(add_recording("old", JOURNAL_RECORDING_DONE, NOW - 10).id, "1_a.mp4",
             JOURNAL_FILE_SAFE, 5);
    add_recording("new", JOURNAL_RECORDING_FAILED, NOW);
    open_report(false);
    walk(&everything);
    ck_assert_uint_eq(seen_count, 2);
    ck_assert_str_eq(seen[0].row.session_id, "new");
    ck_assert_uint_eq(seen[0].safety.files, 0);
    ck_assert_str_eq(seen[1].row.session_id, "old");
    ck_assert_int_eq(seen[1].safe_at, NOW - 5);
}
END_TEST

START_TEST(what_nobody_holds_the_lock_of_was_interrupted)
{
    open_journal();
    add_recording("gone", JOURNAL_RECORDING_WORKING, NOW);
    open_report(false);
    walk(&everything);
    ck_assert_int_eq(seen[0].state, REPORT_INTERRUPTED);
    ck_assert_int_eq(seen[0].worker_pid, 0);
}
END_TEST

START_TEST(who_holds_the_lock_is_named_and_not_disturbed)
{
    char directory[128];
    int fd, other;

    open_journal();
    add_recording("busy", JOURNAL_RECORDING_WAITING, NOW);
    snprintf(directory, sizeof directory, "%s/busy", base);
    fd = open(directory, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    open_report(false);
    walk(&everything);
    ck_assert_int_eq(seen[0].state, REPORT_UPLOADING);
    ck_assert_int_eq(seen[0].worker_pid, getpid());
    ck_assert_str_eq(seen[0].worker, "test_report");
    close(fd);
    walk(&everything);
    ck_assert_int_eq(seen[0].state, REPORT_WAITING);
    other = open(directory, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
    close(other);
}
END_TEST

START_TEST(the_rate_is_that_of_the_last_minute_of_this_run)
{
    struct journal_recording row;
    struct journal_file file;
    char directory[128];
    int fd;

    open_journal();
    row = add_recording("busy", JOURNAL_RECORDING_WORKING, NOW - 20);
    file = add_file(row.id, "1_a.mp4", JOURNAL_FILE_PENDING, 10000);
    add_part(file.id, 1, 4000, NOW - 500); /* of an earlier run */
    add_part(file.id, 2, 1000, NOW - 10);
    add_part(file.id, 3, 1000, NOW - 1);
    snprintf(directory, sizeof directory, "%s/busy", base);
    fd = open(directory, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    open_report(false);
    walk(&everything);
    ck_assert_uint_eq(seen[0].held_bytes, 6000);
    ck_assert_double_eq_tol(seen[0].rate, 100, 0.001); /* 2000 bytes in 20 s */
    ck_assert_int_eq(seen[0].seconds_left, 41);
    close(fd);
}
END_TEST

START_TEST(a_recording_that_vanished_is_lost_and_not_safe)
{
    struct journal_recording row;

    open_journal();
    row = add_recording("lost", JOURNAL_RECORDING_DONE, NOW);
    add_file(row.id, "1_a.mp4", JOURNAL_FILE_GONE, 10);
    row = add_recording("fine", JOURNAL_RECORDING_DONE, NOW);
    add_file(row.id, "1_b.mp4", JOURNAL_FILE_SAFE, 10);
    row = add_recording("beside", JOURNAL_RECORDING_DONE, NOW);
    add_file(row.id, "1_c.mp4", JOURNAL_FILE_SAFE, 10);
    add_file(row.id, "some.log", JOURNAL_FILE_GONE, 10);
    row = add_recording("segments", JOURNAL_RECORDING_DONE, NOW);
    add_file(row.id, "1.ts", JOURNAL_FILE_SAFE, 10);
    add_file(row.id, "2.ts", JOURNAL_FILE_GONE, 10);
    row = add_recording("vanished", JOURNAL_RECORDING_WAITING, NOW);
    add_file(row.id, "1.ts", JOURNAL_FILE_PENDING, 10);
    ck_assert_int_eq(rmdir(row.directory), 0);
    open_report(false);
    walk(&everything);
    ck_assert_int_eq(seen[0].state, REPORT_LOST);
    ck_assert_int_eq(seen[1].state, REPORT_LOST);
    ck_assert_int_eq(seen[2].state, REPORT_LOST); /* one that is no media, too */
    ck_assert_int_eq(seen[3].state, REPORT_SAFE);
    ck_assert_int_eq(seen[4].state, REPORT_LOST);
}
END_TEST

START_TEST(what_is_not_in_the_bucket_is_lost_with_its_directory)
{
    static const struct {
        const char *name;
        enum journal_recording_state state;
        enum journal_file_state file;
        enum report_state seen;
    } rows[] = {
        {"live", JOURNAL_RECORDING_RECORDING, JOURNAL_FILE_PENDING, REPORT_LOST},
        {"waits", JOURNAL_RECORDING_WAITING, JOURNAL_FILE_PENDING, REPORT_LOST},
        {"fails", JOURNAL_RECORDING_FAILED, JOURNAL_FILE_PENDING, REPORT_LOST},
        {"cut", JOURNAL_RECORDING_WORKING, JOURNAL_FILE_PENDING, REPORT_LOST},
        {"untold", JOURNAL_RECORDING_WAITING, JOURNAL_FILE_UPLOADED, REPORT_WAITING},
        {"refused", JOURNAL_RECORDING_FAILED, JOURNAL_FILE_UPLOADED, REPORT_FAILED},
        {"safe", JOURNAL_RECORDING_DONE, JOURNAL_FILE_SAFE, REPORT_SAFE},
        {"unsafe", JOURNAL_RECORDING_DONE, JOURNAL_FILE_PENDING, REPORT_LOST},
        {"abandoned", JOURNAL_RECORDING_ABANDONED, JOURNAL_FILE_PENDING, REPORT_ABANDONED},
    };
    const unsigned count = sizeof rows / sizeof rows[0];
    char name[192];

    open_journal();
    for (unsigned i = count; i-- > 0;) { /* the newest comes first */
        add_file(add_recording(rows[i].name, rows[i].state, NOW).id, "1_a.mp4", rows[i].file, 10);
        snprintf(name, sizeof name, "%s/%s", base, rows[i].name);
        ck_assert_int_eq(rmdir(name), 0);
    }
    open_report(false);
    walk(&everything);
    ck_assert_uint_eq(seen_count, count);
    for (unsigned i = 0; i < count; i++)
        ck_assert_msg(seen[i].state == rows[i].seen, "%s is %s", rows[i].name,
                      report_state_name(seen[i].state));
}
END_TEST

START_TEST(a_volume_that_is_not_mounted_loses_nothing)
{
    struct journal_recording row;
    char name[192];

    open_journal();
    row = add_recording("away", JOURNAL_RECORDING_WAITING, NOW);
    row.recordings_inode = 1; /* of the directory of the volume, not of its mount point */
    ck_assert(journal_save_recording(journal, &row, NOW, &err));
    add_file(row.id, "1_a.mp4", JOURNAL_FILE_PENDING, 10);
    snprintf(name, sizeof name, "%s/away", base);
    ck_assert_int_eq(rmdir(name), 0);
    open_report(false);
    walk(&everything);
    ck_assert_int_eq(seen[0].state, REPORT_WAITING);
}
END_TEST

START_TEST(a_directory_without_a_file_is_under_way_for_two_minutes)
{
    const struct timespec young[2] = {{.tv_sec = NOW - 119}, {.tv_sec = NOW - 119}};
    const struct timespec old[2] = {{.tv_sec = NOW - 120}, {.tv_sec = NOW - 120}};
    const struct report_filter joining = {.joining = true};
    char name[192];

    open_journal();
    snprintf(name, sizeof name, "%s/joining", base);
    ck_assert_int_eq(mkdir(name, 0700), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, name, young, 0), 0);
    open_report(true);
    walk(&joining);
    ck_assert_uint_eq(seen_count, 1);
    ck_assert_int_eq(seen[0].state, REPORT_RECORDING);
    ck_assert_uint_eq(seen[0].safety.files, 0);
    walk(&everything);
    ck_assert_uint_eq(seen_count, 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, name, old, 0), 0);
    walk(&joining);
    ck_assert_uint_eq(seen_count, 0);
}
END_TEST

START_TEST(filters_leave_out_but_the_totals_count_all)
{
    struct report_filter filter = {.states = REPORT_BIT(REPORT_FAILED)};
    struct report_totals totals;

    open_journal();
    for (int i = 0; i < 5; i++) {
        char name[16];

        snprintf(name, sizeof name, "safe%d", i);
        add_recording(name, JOURNAL_RECORDING_DONE, NOW - 100 + i);
    }
    add_recording("failed", JOURNAL_RECORDING_FAILED, NOW - 200);
    open_report(false);
    totals = walk(&filter);
    ck_assert_uint_eq(seen_count, 1);
    ck_assert_uint_eq(totals.recordings[REPORT_SAFE], 5);
    ck_assert_uint_eq(report_states_of(&totals),
                      REPORT_BIT(REPORT_SAFE) | REPORT_BIT(REPORT_FAILED));
    filter = (struct report_filter){.most_safe = 2};
    walk(&filter);
    ck_assert_uint_eq(seen_count, 3);
    ck_assert_str_eq(seen[2].row.session_id, "safe3");
    filter = (struct report_filter){.since = NOW - 99};
    walk(&filter);
    ck_assert_uint_eq(seen_count, 4);
    filter = (struct report_filter){.recording_id = 3};
    totals = walk(&filter);
    ck_assert_uint_eq(seen_count, 1);
    ck_assert_str_eq(seen[0].row.session_id, "safe2");
}
END_TEST

START_TEST(what_lies_on_the_disk_unknown_to_the_journal_is_found)
{
    char name[192];

    open_journal();
    add_recording("known", JOURNAL_RECORDING_DONE, NOW);
    snprintf(name, sizeof name, "%s/empty", base);
    ck_assert_int_eq(mkdir(name, 0700), 0);
    snprintf(name, sizeof name, "%s/left", base);
    ck_assert_int_eq(mkdir(name, 0700), 0);
    snprintf(name, sizeof name, "%s/left/77_x.mp4", base);
    unit_write_text(name, "1234567");
    snprintf(name, sizeof name, "%s/link", base);
    ck_assert_int_eq(symlink("left", name), 0);
    open_report(true);
    walk(&everything);
    ck_assert_uint_eq(seen_count, 2);
    ck_assert_int_eq(seen[0].state, REPORT_FOUND);
    ck_assert_str_eq(seen[0].row.session_id, "left");
    ck_assert_str_eq(seen[0].meeting, "77");
    ck_assert_int_eq(seen[0].row.id, 0);
    ck_assert_uint_eq(seen[0].size_bytes, 7);
    ck_assert_str_eq(seen[1].row.session_id, "known");
}
END_TEST

static unsigned events_seen;
static char first_event[4096];

static bool on_event(void *context, const struct journal_view_entry *event, struct error *error)
{
    (void)context;
    (void)error;
    if (!events_seen++)
        snprintf(first_event, sizeof first_event, "%s", event->text);
    return true;
}

START_TEST(the_last_events_are_told_from_the_oldest_on)
{
    struct journal_recording row, other;

    open_journal();
    row = add_recording("a", JOURNAL_RECORDING_DONE, NOW);
    other = add_recording("b", JOURNAL_RECORDING_DONE, NOW);
    ck_assert(journal_add_history(journal, row.id, 0, NOW, "first", &err));
    ck_assert(journal_add_history(journal, row.id, 0, NOW, "second", &err));
    ck_assert(journal_add_history(journal, row.id, 0, NOW, "third", &err));
    ck_assert(journal_add_history(journal, other.id, 0, NOW, "another's", &err));
    open_report(false);
    events_seen = 0;
    ck_assert(report_each_entry(report, row.id, "", 2, on_event, NULL, &err));
    ck_assert_uint_eq(events_seen, 2);
    ck_assert_str_eq(first_event, "second");
    events_seen = 0;
    ck_assert(report_each_entry(report, 0, "", 100, on_event, NULL, &err));
    ck_assert_uint_eq(events_seen, 4);
    events_seen = 0;
    ck_assert(report_each_entry(report, row.id, "sec", 100, on_event, NULL, &err));
    ck_assert_uint_eq(events_seen, 1);
    ck_assert_str_eq(first_event, "second");
}
END_TEST

START_TEST(states_have_names_that_can_be_read)
{
    unsigned states;

    for (unsigned i = 0; i < REPORT_STATES; i++) {
        ck_assert(report_states_read(report_state_name((enum report_state)i), &states));
        ck_assert_uint_eq(states, REPORT_BIT(i));
    }
    ck_assert(report_states_read("failed,waiting", &states));
    ck_assert_uint_eq(states, REPORT_BIT(REPORT_FAILED) | REPORT_BIT(REPORT_WAITING));
    ck_assert(!report_states_read("Safe", &states));
    ck_assert(!report_states_read("failed,", &states));
    ck_assert(!report_states_read("", &states));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, without_a_journal_nothing_is_told_and_none_is_made);
    tcase_add_test(tests, each_recording_is_summed_up_over_its_files);
    tcase_add_test(tests, the_newest_recording_comes_first_and_one_without_files_is_there);
    tcase_add_test(tests, what_nobody_holds_the_lock_of_was_interrupted);
    tcase_add_test(tests, who_holds_the_lock_is_named_and_not_disturbed);
    tcase_add_test(tests, the_rate_is_that_of_the_last_minute_of_this_run);
    tcase_add_test(tests, a_recording_that_vanished_is_lost_and_not_safe);
    tcase_add_test(tests, what_is_not_in_the_bucket_is_lost_with_its_directory);
    tcase_add_test(tests, a_volume_that_is_not_mounted_loses_nothing);
    tcase_add_test(tests, a_directory_without_a_file_is_under_way_for_two_minutes);
    tcase_add_test(tests, filters_leave_out_but_the_totals_count_all);
    tcase_add_test(tests, what_lies_on_the_disk_unknown_to_the_journal_is_found);
    tcase_add_test(tests, the_last_events_are_told_from_the_oldest_on);
    tcase_add_test(tests, states_have_names_that_can_be_read);
    return unit_run(suite);
}
