#include "finalize/program/owner.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHER 54321

static char directory[64];
static struct error err;
static char advice[OWNER_ADVICE_SIZE];

static void make_directory(void)
{
    strcpy(directory, "/tmp/test_owner_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    chmod(directory, 0755);
    error_clear(&err);
    advice[0] = 0;
}

static void remove_directory(void)
{
    char path[96];

    snprintf(path, sizeof path, "%s/journal.db", directory);
    unlink(path);
    rmdir(directory);
}

START_TEST(root_becomes_the_owner_for_good)
{
    gid_t groups[8];

    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chown(directory, OTHER, OTHER + 1), 0);
    ck_assert(owner_become(directory, &err));
    ck_assert_int_eq(getuid(), OTHER);
    ck_assert_int_eq(geteuid(), OTHER);
    ck_assert_int_eq(getegid(), OTHER + 1);
    ck_assert_int_eq(getgroups(8, groups), 0);
    ck_assert_int_ne(setuid(0), 0);
}
END_TEST

START_TEST(what_is_ones_own_or_not_there_changes_nothing)
{
    uid_t before = geteuid();

    ck_assert(owner_become(directory, &err));
    ck_assert(owner_become("/nowhere/at/all", &err));
    ck_assert_int_eq(geteuid(), before);
}
END_TEST

START_TEST(another_users_journal_is_refused_with_what_to_type)
{
    char path[96];

    if (geteuid() != 0)
        return;
    snprintf(path, sizeof path, "%s/journal.db", directory);
    unit_write_text(path, "");
    chmod(path, 0600);
    ck_assert_int_eq(chown(path, OTHER, OTHER), 0);
    ck_assert_int_eq(setgroups(0, NULL), 0);
    ck_assert_int_eq(setuid(OTHER + 7), 0);
    ck_assert(!owner_may_use(path, advice, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(err.text, "belongs to user 54321, and this is user 54328"));
    ck_assert_ptr_nonnull(strstr(advice, "docker exec -u 54321"));
}
END_TEST

START_TEST(ones_own_journal_and_none_may_be_used)
{
    char path[96];

    snprintf(path, sizeof path, "%s/journal.db", directory);
    ck_assert(owner_may_use(path, advice, &err));
    unit_write_text(path, "");
    ck_assert(owner_may_use(path, advice, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("owner");
    TCase *tests = tcase_create("owner");
    TCase *becoming = tcase_create("becoming"); /* which changes its directory */

    suite_add_tcase(suite, becoming);
    tcase_add_unchecked_fixture(becoming, make_directory, remove_directory);
    tcase_add_test(becoming, root_becomes_the_owner_for_good);
    suite_add_tcase(suite, tests);
    /* Unchecked: removed by the process that made it, whichever user the test became. */
    tcase_add_unchecked_fixture(tests, make_directory, remove_directory);
    tcase_add_test(tests, what_is_ones_own_or_not_there_changes_nothing);
    tcase_add_test(tests, another_users_journal_is_refused_with_what_to_type);
    tcase_add_test(tests, ones_own_journal_and_none_may_be_used);
    return unit_run(suite);
}
