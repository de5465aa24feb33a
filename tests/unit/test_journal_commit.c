#include "finalize/journal/journal.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static char base[64], path[128];
static struct journal *journal;
static struct error err;
static unsigned forced; /* how often a file was */
static bool disk_fails;

/* Takes the place of the C library's, also for SQLite. */
int fdatasync(int fd)
{
    forced++;
    if (disk_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void set_up(void)
{
    strcpy(base, "/tmp/test_journal_commit_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(path, sizeof path, "%s/journal.db", base);
    error_clear(&err);
    disk_fails = false;
    ck_assert_msg(journal_open(path, &journal, &err), "%s", err.text);
}

static void tear_down(void)
{
    char reserve[sizeof path + 16];

    snprintf(reserve, sizeof reserve, "%s-reserve", path);
    journal_close(journal);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(unlink(reserve), 0);
    ck_assert_int_eq(rmdir(base), 0);
}

static struct journal_file add_file(void)
{
    struct journal_file file = {.state = JOURNAL_FILE_PENDING, .path = "a.mp4", .media = true};
    struct journal_recording recording;

    strcpy(file.mark, "0123456789abcdef0123456789abcdef");
    ck_assert(journal_begin_recording(journal, "/r/1", "session", 1000, &recording, &err));
    file.recording_id = recording.id;
    ck_assert(journal_add_file(journal, &file, &err));
    return file;
}

static void save_part(const struct journal_file *file, unsigned number)
{
    struct journal_part part = {.number = number, .length = 5, .etag = "e", .acknowledged_at = 1};

    ck_assert(journal_save_part(journal, file->id, &part, &err));
}

static bool has_part(const struct journal_file *file, unsigned number)
{
    struct journal_part part;
    bool found;

    ck_assert(journal_find_part(journal, file->id, number, &part, &found, &err));
    return found;
}

START_TEST(a_promise_is_forced_to_the_disk_before_the_call_returns)
{
    struct journal_file file = add_file();

    forced = 0;
    file.phase = JOURNAL_PHASE_PUTTING;
    ck_assert(journal_save_file(journal, &file, &err));
    ck_assert_uint_eq(forced, 1);
    file.notice = JOURNAL_NOTICE_SENT;
    ck_assert(journal_save_file(journal, &file, &err));
    ck_assert_uint_eq(forced, 2);
}
END_TEST

START_TEST(parts_history_and_removals_are_not_waited_for)
{
    struct journal_file file = add_file();

    journal_close(journal); /* the log is empty: nothing is moved from it meanwhile */
    ck_assert(journal_open(path, &journal, &err));
    save_part(&file, 1); /* the log has its header from here on */
    forced = 0;
    save_part(&file, 2);
    ck_assert(journal_add_history(journal, file.recording_id, 0, 1, "text", &err));
    file.removed_at = 7;
    ck_assert(journal_note_removed(journal, &file, &err));
    ck_assert_uint_eq(forced, 0);
}
END_TEST

START_TEST(a_group_is_forced_once)
{
    struct journal_file file = add_file();

    forced = 0;
    ck_assert(journal_begin(journal, &err));
    save_part(&file, 1);
    file.phase = JOURNAL_PHASE_OPEN;
    ck_assert(journal_save_file(journal, &file, &err));
    ck_assert(journal_save_file(journal, &file, &err));
    save_part(&file, 2);
    ck_assert(journal_commit(journal, &err));
    ck_assert_uint_eq(forced, 1);
}
END_TEST

START_TEST(a_promise_that_cannot_be_forced_is_a_failure)
{
    struct journal_file file = add_file(), found;
    bool is_found;

    disk_fails = true;
    file.phase = JOURNAL_PHASE_PUTTING;
    ck_assert(!journal_save_file(journal, &file, &err));
    disk_fails = false;
    error_clear(&err);
    ck_assert(journal_find_file(journal, file.recording_id, file.path, &found, &is_found, &err));
    ck_assert(is_found && found.phase == JOURNAL_PHASE_NONE);
    forced = 0;
    ck_assert(journal_save_file(journal, &file, &err));
    ck_assert_uint_ge(forced, 1);
}
END_TEST

START_TEST(a_group_within_a_group_can_be_undone_by_itself)
{
    struct journal_file file = add_file();

    ck_assert(journal_begin(journal, &err));
    save_part(&file, 1);
    ck_assert(journal_begin(journal, &err));
    save_part(&file, 2);
    journal_rollback(journal);
    ck_assert(journal_begin(journal, &err));
    save_part(&file, 3);
    ck_assert(journal_commit(journal, &err));
    ck_assert(journal_commit(journal, &err));
    ck_assert(has_part(&file, 1) && !has_part(&file, 2) && has_part(&file, 3));
}
END_TEST

START_TEST(undoing_the_outer_group_undoes_the_inner_ones)
{
    struct journal_file file = add_file();

    ck_assert(journal_begin(journal, &err));
    ck_assert(journal_begin(journal, &err));
    save_part(&file, 1);
    ck_assert(journal_commit(journal, &err));
    journal_rollback(journal);
    ck_assert(!has_part(&file, 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_commit");
    TCase *cases = tcase_create("journal_commit");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_promise_is_forced_to_the_disk_before_the_call_returns);
    tcase_add_test(cases, parts_history_and_removals_are_not_waited_for);
    tcase_add_test(cases, a_group_is_forced_once);
    tcase_add_test(cases, a_promise_that_cannot_be_forced_is_a_failure);
    tcase_add_test(cases, a_group_within_a_group_can_be_undone_by_itself);
    tcase_add_test(cases, undoing_the_outer_group_undoes_the_inner_ones);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
