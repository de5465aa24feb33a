/*
 * test_interrupted - outcomes for runs that ended without one, beside other processes that work on
 * the same recording.
 */
#include "finalize/lifecycle/interrupted.h"

#include "finalize/lifecycle/lock_file.h"
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

static char base[64], session[128];
static const struct settings settings = {.retry_min_ms = 60000, .retry_max_ms = 3600000};
static struct journal *journal;
static struct journal_recording row;
static struct rng rng;
static struct error err;

static void set_up(void)
{
    char made[] = "/tmp/test_interrupted_XXXXXX", path[128];

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(session, sizeof session, "%s/session", base);
    snprintf(path, sizeof path, "%s/.jibri-finalize/journal.db", base);
    rng_seed_from_system(&rng);
    error_clear(&err);
    ck_assert_int_eq(mkdir(session, 0700), 0);
    ck_assert_msg(journal_open(path, &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, session, "session", NOW - 9, &row, &err));
}

static void tear_down(void)
{
    journal_close(journal);
    unit_remove(base);
}

static struct journal_recording row_now(void)
{
    bool found;

    ck_assert(journal_find_recording(journal, session, &row, &found, &err) && found);
    return row;
}

static void release(void)
{
    ck_assert_msg(interrupted_release(&settings, journal, session, NOW, &err), "%s", err.text);
}

static void note(void)
{
    ck_assert_msg(interrupted_note(&settings, journal, session, false, NOW, &rng, &err), "%s",
                  err.text);
}

/* The lock of the session, or (`vanished`) of sessions whose directories are gone, as another
 * process has it: a lock belongs to what was opened. */
static int hold(bool vanished)
{
    int fd = -1;

    if (vanished) {
        ck_assert(lock_file_take(&settings, base, LOCK_FILE_VANISHED, &fd, &err));
    } else {
        fd = open(session, O_RDONLY | O_DIRECTORY);
        ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    }
    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(a_row_left_working_waits_and_is_due)
{
    if (_i)
        ck_assert_int_eq(rmdir(session), 0);
    release();
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_WAITING);
    ck_assert_int_eq(row.next_try_at, NOW);
}
END_TEST

START_TEST(the_row_of_what_another_process_works_on_is_that_process_s)
{
    int fd = hold(_i);

    if (_i)
        ck_assert_int_eq(rmdir(session), 0);
    release();
    note();
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_WORKING);
    ck_assert_uint_eq(row.failures, 0);
    close(fd);
    note();
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_WAITING);
    ck_assert_uint_eq(row.failures, 1);
    ck_assert_int_gt(row.next_try_at, NOW);
}
END_TEST

START_TEST(what_was_abandoned_meanwhile_stays_so)
{
    row.state = JOURNAL_RECORDING_ABANDONED;
    row.next_try_at = 0;
    ck_assert(journal_save_recording(journal, &row, NOW, &err));
    note();
    release();
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_ABANDONED);
    ck_assert_int_eq(row.next_try_at, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("interrupted");
    TCase *tests = tcase_create("interrupted");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_row_left_working_waits_and_is_due, 0, 2);
    tcase_add_loop_test(tests, the_row_of_what_another_process_works_on_is_that_process_s, 0, 2);
    tcase_add_test(tests, what_was_abandoned_meanwhile_stays_so);
    return unit_run(suite);
}
