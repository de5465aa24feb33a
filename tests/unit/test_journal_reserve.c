#include "finalize/journal/journal_reserve.h"

#include "finalize/journal/journal.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64];
static char path[96];     /* of the journal */
static char reserve[112]; /* and of what is beside it */

static void make_base(void)
{
    char made[] = "/tmp/test_journal_reserve_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(path, sizeof path, "%s/journal.db", base);
    snprintf(reserve, sizeof reserve, "%s-reserve", path);
}

static void remove_base(void)
{
    unit_remove(base);
}

static struct journal *open_journal(void)
{
    struct error err = ERROR_INIT;
    struct journal *journal = NULL;

    ck_assert_msg(journal_open(path, &journal, &err), "%s", err.text);
    return journal;
}

/* The disk below /tmp is taken to have some MiB left: these tests need a disk that isn't full. */
static void expect_reserve(void)
{
    struct stat status;

    ck_assert_int_eq(lstat(reserve, &status), 0);
    ck_assert(S_ISREG(status.st_mode));
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(status.st_size, JOURNAL_RESERVE_BYTES);
    /* Its room is taken from the disk: a file with a hole would reserve nothing. */
    ck_assert_uint_ge((uint64_t)status.st_blocks * 512, JOURNAL_RESERVE_BYTES);
}

START_TEST(an_open_journal_has_a_reserve_and_a_closed_one_has_too)
{
    struct journal *journal = open_journal();

    expect_reserve();
    journal_close(journal);
    expect_reserve();
}
END_TEST

START_TEST(what_was_given_up_is_made_again_when_the_journal_is_closed)
{
    struct journal *journal = open_journal();

    ck_assert(journal_reserve_give_up(path));
    ck_assert_int_ne(access(reserve, F_OK), 0);
    journal_close(journal);
    expect_reserve();
}
END_TEST

/* Another process needed it at the same moment: its room serves both. */
START_TEST(one_that_another_process_gave_up_counts_as_given_up)
{
    ck_assert(journal_reserve_give_up(path));
}
END_TEST

START_TEST(part_of_a_reserve_becomes_a_whole_one)
{
    FILE *file = fopen(reserve, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(ftruncate(fileno(file), 128 * 1024), 0);
    ck_assert_int_eq(fchmod(fileno(file), 0600), 0);
    ck_assert_int_eq(fclose(file), 0);
    journal_reserve_make(path);
    expect_reserve();
}
END_TEST

START_TEST(a_disk_with_room_needs_no_reserve)
{
    ck_assert(!journal_reserve_is_needed(base));
    ck_assert(!journal_reserve_is_needed("/there/is/no/such/disk"));
}
END_TEST

/* No other file is written to through a link, or removed by mistake. */
START_TEST(a_link_in_its_place_is_not_followed)
{
    char target[128];
    struct stat status;

    snprintf(target, sizeof target, "%s/elsewhere", base);
    ck_assert_int_eq(symlink(target, reserve), 0);
    journal_reserve_make(path);
    journal_reserve_keep(path);
    ck_assert_int_ne(access(target, F_OK), 0);
    ck_assert_int_eq(lstat(reserve, &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
}
END_TEST

START_TEST(a_journal_in_memory_has_none)
{
    struct error err = ERROR_INIT;
    struct journal *journal = NULL;

    ck_assert(journal_open(":memory:", &journal, &err));
    journal_close(journal);
    ck_assert_int_ne(access(":memory:-reserve", F_OK), 0);
    ck_assert(!journal_reserve_give_up(":memory:"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_reserve");
    TCase *cases = tcase_create("journal_reserve");

    tcase_add_checked_fixture(cases, make_base, remove_base);
    tcase_add_test(cases, an_open_journal_has_a_reserve_and_a_closed_one_has_too);
    tcase_add_test(cases, what_was_given_up_is_made_again_when_the_journal_is_closed);
    tcase_add_test(cases, one_that_another_process_gave_up_counts_as_given_up);
    tcase_add_test(cases, part_of_a_reserve_becomes_a_whole_one);
    tcase_add_test(cases, a_disk_with_room_needs_no_reserve);
    tcase_add_test(cases, a_link_in_its_place_is_not_followed);
    tcase_add_test(cases, a_journal_in_memory_has_none);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
