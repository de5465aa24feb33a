/*
 * test_journal_move - a journal goes on for recordings whose directory has another name than
 * before.
 */
#include "finalize/journal/journal.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/journal/journal_view.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64], before[96], after[96];
static struct journal *journal;
static struct error err;

static const char *in(const char *directory, const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void make_base(void)
{
    strcpy(base, "/tmp/test_journal_move_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(before, sizeof before, "%s/config", base);
    snprintf(after, sizeof after, "%s/storage", base);
    ck_assert_int_eq(mkdir(before, 0700), 0);
    journal = NULL;
    error_clear(&err);
}

static void close_journal(void)
{
    journal_close(journal);
    journal = NULL;
}

static void remove_base(void)
{
    close_journal();
    unit_remove(base);
}

static void open_in(const char *directory)
{
    close_journal();
    ck_assert_msg(journal_open(in(directory, ".jibri-finalize/journal.db"), &journal, &err), "%s",
                  err.text);
}

/* Beside the recordings, where a setting says. */
static void open_beside(const char *recordings_dir)
{
    close_journal();
    ck_assert_msg(journal_open_for(in(base, "journal.db"), recordings_dir, &journal, &err), "%s",
                  err.text);
}

static int64_t begin(const char *directory)
{
    struct journal_recording row;

    ck_assert_msg(
        journal_begin_recording(journal, directory, strrchr(directory, '/') + 1, 5, &row, &err),
        "%s", err.text);
    ck_assert_str_eq(row.directory, directory);
    return row.id;
}

static int64_t find(const char *directory)
{
    struct journal_recording row;
    bool found;

    ck_assert(journal_find_recording(journal, directory, &row, &found, &err));
    if (!found)
        return 0;
    ck_assert_str_eq(row.directory, directory);
    return row.id;
}

static void move(void)
{
    close_journal();
    ck_assert_int_eq(rename(before, after), 0);
}

/* As a version that kept absolute names left it. */
static void make_old(const char *sql)
{
    char absolute[512];
    sqlite3 *database;

    close_journal();
    snprintf(absolute, sizeof absolute,
             "UPDATE recording SET directory = CAST('%s/' || directory AS BLOB) WHERE "
             "substr(directory, 1, 1) <> x'2f'; PRAGMA user_version = 6",
             before);
    ck_assert_int_eq(sqlite3_open(in(before, ".jibri-finalize/journal.db"), &database), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(database, absolute, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

START_TEST(recordings_are_known_where_the_directory_has_moved_with_its_journal)
{
    char directory[SESSION_PATH_SIZE];
    bool found, claimed;
    int64_t id;

    open_in(before);
    id = begin(in(before, "session"));
    ck_assert(journal_claim(journal, in(before, "session"), 0, 5, &err));
    move();
    open_in(after);
    ck_assert_int_eq(find(in(after, "session")), id);
    ck_assert_int_eq(begin(in(after, "session")), id);
    ck_assert_int_eq(find(in(before, "session")), 0);
    ck_assert(journal_is_claimed(journal, in(after, "session"), 5, &claimed, &err) && claimed);
    ck_assert(journal_next_handed_over(journal, "", directory, &found, &err) && found);
    ck_assert_str_eq(directory, in(after, "session"));
    ck_assert(journal_next_handed_over(journal, directory, directory, &found, &err) && !found);
}
END_TEST

START_TEST(a_view_shows_them_where_they_are)
{
    struct journal_view *view;
    bool known;

    open_in(before);
    begin(in(before, "session"));
    move();
    ck_assert(journal_view_open(in(after, ".jibri-finalize/journal.db"), NULL, &view, &err));
    ck_assert(journal_view_knows(view, in(after, "session"), &known, &err) && known);
    ck_assert(journal_view_knows(view, in(before, "session"), &known, &err) && !known);
    journal_view_close(view);
}
END_TEST

START_TEST(a_recording_elsewhere_keeps_its_absolute_name)
{
    int64_t id;

    open_in(before);
    id = begin("/elsewhere/session");
    begin(in(before, "session"));
    move();
    open_in(after);
    ck_assert_int_eq(find("/elsewhere/session"), id);
}
END_TEST

START_TEST(a_journal_elsewhere_goes_on_for_the_directory_that_the_settings_name)
{
    int64_t id;

    open_beside(before);
    id = begin(in(before, "session"));
    move();
    open_beside(after);
    ck_assert_int_eq(find(in(after, "session")), id);
}
END_TEST

START_TEST(what_was_written_without_a_recordings_directory_is_found_with_one)
{
    int64_t id;

    open_beside(NULL);
    id = begin(in(before, "session"));
    ck_assert_int_eq(find(in(before, "session")), id);
    open_beside(before);
    ck_assert_int_eq(find(in(before, "session")), id);
    open_beside(NULL);
    ck_assert_int_eq(find(in(before, "session")), id);
}
END_TEST

START_TEST(what_has_moved_before_a_process_was_told_of_a_recordings_directory_is_found_where_it_is)
{
    int64_t moved, elsewhere, gone;
    bool claimed;

    open_beside(NULL);
    moved = begin(in(before, "session"));
    gone = begin("/gone/before");
    elsewhere = begin(base); /* it still is where it was */
    ck_assert(journal_claim(journal, in(before, "session"), 0, 5, &err));
    ck_assert_int_eq(mkdir(in(before, "session"), 0700), 0);
    move();
    open_beside(NULL);
    ck_assert_int_eq(find(in(after, "session")), 0);
    open_beside(after);
    ck_assert_int_eq(find(in(after, "session")), moved);
    ck_assert_int_eq(find("/gone/before"), gone);
    ck_assert_int_eq(find(base), elsewhere);
    ck_assert(journal_is_claimed(journal, in(after, "session"), 5, &claimed, &err) && claimed);
}
END_TEST

/* As the finalizer without CONFOMEET_RECORDINGS_DIR, beside a watcher that has it. */
START_TEST(a_process_that_is_not_told_of_the_directory_finds_the_same_recordings)
{
    int64_t id;

    open_beside(before);
    id = begin(in(before, "zmbq"));
    open_beside(NULL);
    ck_assert_int_eq(begin(in(before, "zmbq")), id);
}
END_TEST

START_TEST(an_older_journal_that_has_moved_with_its_directory_is_brought_up_to_date)
{
    int64_t here, elsewhere;
    bool claimed;

    open_in(before);
    here = begin("/gone/session");
    elsewhere = begin(base);
    make_old("INSERT INTO claim VALUES (CAST('/gone/session' AS BLOB), 0, 5)");
    open_in(before);
    ck_assert_int_eq(find(in(before, "session")), here);
    ck_assert_int_eq(find(base), elsewhere); /* it still is where it was */
    ck_assert(journal_is_claimed(journal, in(before, "session"), 5, &claimed, &err) && claimed);
    open_in(before);
    ck_assert_int_eq(find(in(before, "session")), here);
}
END_TEST

/* It was uploaded again after a move, by a version that took it for another one. */
START_TEST(of_two_rows_of_one_session_that_of_its_present_place_counts)
{
    int64_t present;

    open_in(before);
    begin("/gone/session");
    present = begin(in(before, "session"));
    make_old("");
    open_in(before);
    ck_assert_int_eq(find(in(before, "session")), present);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_move");
    TCase *tests = tcase_create("journal_move");

    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, recordings_are_known_where_the_directory_has_moved_with_its_journal);
    tcase_add_test(tests, a_view_shows_them_where_they_are);
    tcase_add_test(tests, a_recording_elsewhere_keeps_its_absolute_name);
    tcase_add_test(tests, a_journal_elsewhere_goes_on_for_the_directory_that_the_settings_name);
    tcase_add_test(tests, what_was_written_without_a_recordings_directory_is_found_with_one);
    tcase_add_test(
        tests,
        what_has_moved_before_a_process_was_told_of_a_recordings_directory_is_found_where_it_is);
    tcase_add_test(tests, a_process_that_is_not_told_of_the_directory_finds_the_same_recordings);
    tcase_add_test(tests, an_older_journal_that_has_moved_with_its_directory_is_brought_up_to_date);
    tcase_add_test(tests, of_two_rows_of_one_session_that_of_its_present_place_counts);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
