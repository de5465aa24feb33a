#include "finalize/journal/journal_stats.h"

#include "finalize/journal/safety.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char base[64];
static char path[128];
static struct journal *journal;
static struct error err;

static void set_up(void)
{
    strcpy(base, "/tmp/test_journal_stats_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/journal.db", base);
    error_clear(&err);
    ck_assert_msg(journal_open(path, &journal, &err), "%s", err.text);
}

static void tear_down(void)
{
    static const char *const names[] = {"", "-wal", "-shm", "-reserve"};
    char name[160];

    journal_close(journal);
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", path, names[i]);
        unlink(name);
    }
    rmdir(base);
}

static uint64_t sent_bytes(void)
{
    struct stats all;

    ck_assert_msg(journal_load_stats(journal, &all, &err), "%s", err.text);
    return all.cells[stats_first_cell(STATS_SENT_BYTES)];
}

START_TEST(the_numbers_of_all_processes_are_added)
{
    struct stats stats = {0}, all;

    for (unsigned i = 1; i <= 3; i++) {
        stats_add(&stats, STATS_SENT_BYTES, 0, 0, UINT64_C(5000000000));
        stats_observe(&stats, STATS_FINALIZE_SECONDS, STATS_RESULT_SAFE, 1500);
        stats_raise(&stats, STATS_S3_LAST_SUCCESS, 1000 - i);
        journal_add_stats(journal, &stats);
        ck_assert(!stats.changed);
        ck_assert_uint_eq(stats.cells[stats_first_cell(STATS_SENT_BYTES)], 0);
    }
    ck_assert(journal_load_stats(journal, &all, &err));
    ck_assert_uint_eq(all.cells[stats_first_cell(STATS_SENT_BYTES)], UINT64_C(15000000000));
    ck_assert_uint_eq(all.cells[stats_first_cell(STATS_FINALIZE_SECONDS) + 1], 3);
    ck_assert_uint_eq(all.cells[stats_first_cell(STATS_S3_LAST_SUCCESS)], 999);
}
END_TEST

START_TEST(what_was_not_counted_is_not_written)
{
    struct stats stats = {0};
    sqlite3 *reader;
    sqlite3_stmt *statement;

    stats_add(&stats, STATS_SENT_PARTS, 0, 0, 1);
    journal_add_stats(journal, &stats);
    ck_assert_int_eq(sqlite3_open(path, &reader), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_prepare_v2(reader, "SELECT count(*) FROM metric", -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(statement, 0), 1);
    sqlite3_finalize(statement);
    sqlite3_close(reader);
}
END_TEST

START_TEST(a_busy_journal_makes_numbers_be_dropped_and_nobody_wait)
{
    struct stats stats = {0};
    struct timespec begin, end;
    sqlite3 *writer;

    ck_assert_int_eq(sqlite3_open(path, &writer), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(writer, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    stats_add(&stats, STATS_SENT_BYTES, 0, 0, 5);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    journal_add_stats(journal, &stats);
    clock_gettime(CLOCK_MONOTONIC, &end);
    ck_assert_int_le(end.tv_sec - begin.tv_sec, 3);
    ck_assert(!stats.changed);
    ck_assert_int_eq(sqlite3_exec(writer, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(writer);
    ck_assert_uint_eq(sent_bytes(), 0);
    stats_add(&stats, STATS_SENT_BYTES, 0, 0, 6);
    journal_add_stats(journal, &stats);
    ck_assert_uint_eq(sent_bytes(), 6);
}
END_TEST

START_TEST(numbers_of_another_version_do_no_harm)
{
    sqlite3 *writer;

    ck_assert_int_eq(sqlite3_open(path, &writer), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(writer,
                                  "INSERT INTO metric VALUES ('what_is_this', 'a=\"b\"', 7)", NULL,
                                  NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(writer);
    ck_assert_uint_eq(sent_bytes(), 0);
}
END_TEST

static int64_t add_recording(const char *directory, enum journal_recording_state state,
                             int64_t created_at, int64_t changed_at, uint64_t bytes)
{
    struct journal_recording recording;
    struct journal_file file = {
        .path = "1_a.mp4",
        .media = true,
        .identity = {.size_bytes = bytes, .mtime_ns = changed_at * INT64_C(1000000000)},
        .object_bytes = bytes,
        .state = JOURNAL_FILE_PENDING,
        .mark = "0123456789abcdef0123456789abcdef"};

    ck_assert(journal_begin_recording(journal, directory, "s", created_at, &recording, &err));
    recording.state = state;
    ck_assert(journal_save_recording(journal, &recording, created_at, &err));
    file.recording_id = recording.id;
    if (changed_at)
        ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    return recording.id;
}

START_TEST(the_oldest_unsafe_recording_is_as_old_as_its_end)
{
    struct journal_counts facts;

    ck_assert(journal_load_counts(journal, &facts, &err));
    ck_assert_int_eq(facts.oldest_unsafe_at, 0);
    add_recording("/r/done", JOURNAL_RECORDING_DONE, 100, 150, 1);
    add_recording("/r/live", JOURNAL_RECORDING_RECORDING, 200, 250, 10);
    add_recording("/r/given-up", JOURNAL_RECORDING_ABANDONED, 300, 350, 100);
    ck_assert(journal_load_counts(journal, &facts, &err));
    ck_assert_int_eq(facts.oldest_unsafe_at, 0);
    ck_assert_uint_eq(facts.unsafe_bytes, 10);
    add_recording("/r/waiting", JOURNAL_RECORDING_WAITING, 400, 7000, 1000);
    ck_assert(journal_load_counts(journal, &facts, &err));
    ck_assert_int_eq(facts.oldest_unsafe_at, 7000);
    add_recording("/r/no-media", JOURNAL_RECORDING_FAILED, 6000, 0, 0);
    ck_assert(journal_load_counts(journal, &facts, &err));
    ck_assert_int_eq(facts.oldest_unsafe_at, 6000);
    ck_assert_uint_eq(facts.unsafe_bytes, 1010);
    ck_assert_uint_eq(facts.recordings[JOURNAL_RECORDING_DONE], 1);
    ck_assert_uint_eq(facts.recordings[JOURNAL_RECORDING_WAITING], 1);
    ck_assert_uint_eq(facts.recordings[JOURNAL_RECORDING_WORKING], 0);
}
END_TEST

/* The rule of safety.h stands in SQL, too: both are asked of each row that there can be, alone and
 * beside a media file that is safe. */
START_TEST(what_is_done_but_not_safe_is_counted_as_lost)
{
    struct journal_counts facts;
    struct safety safety;
    uint64_t lost = 0;

    for (enum journal_file_state state = JOURNAL_FILE_PENDING; state <= JOURNAL_FILE_WITHHELD;
         state++)
        for (int i = 0; i < 4; i++) {
            struct journal_file safe = {.path = "b", .media = true, .state = JOURNAL_FILE_SAFE};
            struct journal_file file = {
                .path = "a", .media = i & 1, .incomplete = true, .state = state};
            char directory[32];

            snprintf(directory, sizeof directory, "/r/%d-%d", (int)state, i);
            file.recording_id = safe.recording_id =
                add_recording(directory, JOURNAL_RECORDING_DONE, 100, 0, 0);
            ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
            ck_assert(i < 2 || journal_add_file(journal, &safe, &err));
            ck_assert(safety_load(journal, file.recording_id, &safety, &err));
            lost += !safety_is_safe(&safety);
            ck_assert(journal_load_counts(journal, &facts, &err));
            ck_assert_msg(facts.lost == lost, "state %d, case %d", (int)state, i);
        }
    ck_assert_uint_eq(facts.incomplete, 10);
    ck_assert_uint_eq(facts.lost, 3 * 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_stats");
    TCase *tcase = tcase_create("journal_stats");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_numbers_of_all_processes_are_added);
    tcase_add_test(tcase, what_was_not_counted_is_not_written);
    tcase_add_test(tcase, a_busy_journal_makes_numbers_be_dropped_and_nobody_wait);
    tcase_add_test(tcase, numbers_of_another_version_do_no_harm);
    tcase_add_test(tcase, what_is_done_but_not_safe_is_counted_as_lost);
    tcase_add_test(tcase, the_oldest_unsafe_recording_is_as_old_as_its_end);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
