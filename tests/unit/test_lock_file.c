#include "finalize/lifecycle/lock_file.h"

#include "finalize/journal/journal_place.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64];
static char aside[80];
static struct settings settings;
static struct error err;

static void set_up(void)
{
    char made[] = "/tmp/test_lock_file_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(aside, sizeof aside, "%s.aside", base);
    settings = (struct settings){0};
    error_clear(&err);
}

static void tear_down(void)
{
    unit_remove(base);
    unit_remove(aside);
}

static int take(void)
{
    int fd = -2;

    ck_assert_msg(lock_file_take(&settings, base, LOCK_FILE_WATCHER, &fd, &err), "%s", err.text);
    return fd;
}

START_TEST(it_is_held_as_long_as_the_descriptor_is_open)
{
    int fd;

    ck_assert(!lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
    fd = take();
    ck_assert_int_ge(fd, 0);
    ck_assert(lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
    ck_assert(lock_file_is_held(&settings, base, LOCK_FILE_WATCHER)); /* looking does not take it */
    close(fd);
    ck_assert(!lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
}
END_TEST

START_TEST(looking_makes_nothing)
{
    char path[128];

    snprintf(path, sizeof path, "%s/.jibri-finalize", base);
    ck_assert(!lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(another_watcher_does_not_get_it)
{
    int fd = take();

    ck_assert_int_eq(take(), -1);
    close(fd);
    fd = take();
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

START_TEST(it_dies_with_its_holder)
{
    int pipe_fds[2], status;
    char ready;
    pid_t child;

    ck_assert_int_eq(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        int fd;

        if (lock_file_take(&settings, base, LOCK_FILE_WATCHER, &fd, &err) &&
            write(pipe_fds[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert_int_eq(read(pipe_fds[0], &ready, 1), 1);
    ck_assert(lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
    ck_assert_int_eq(take(), -1);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(!lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}
END_TEST

START_TEST(it_is_beside_the_journal_wherever_that_is)
{
    char path[128], journal[128];
    int fd;

    snprintf(journal, sizeof journal, "%s/elsewhere/j.db", base);
    settings.journal = journal;
    fd = take();
    snprintf(path, sizeof path, "%s/elsewhere/watcher.lock", base);
    ck_assert_int_eq(access(path, F_OK), 0);
    close(fd);
}
END_TEST

START_TEST(a_directory_that_was_made_anew_has_another_lock)
{
    int fd = take();

    ck_assert(lock_file_is_at(&settings, base, LOCK_FILE_WATCHER, fd));
    ck_assert_int_eq(rename(base, aside), 0);
    ck_assert(!lock_file_is_at(&settings, base, LOCK_FILE_WATCHER, fd));
    ck_assert_int_eq(mkdir(base, 0700), 0);
    ck_assert(!lock_file_is_at(&settings, base, LOCK_FILE_WATCHER, fd));
    ck_assert(!lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
    close(fd);
    fd = take();
    ck_assert(lock_file_is_at(&settings, base, LOCK_FILE_WATCHER, fd));
    ck_assert(lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
    close(fd);
}
END_TEST

START_TEST(where_it_cannot_be_made_it_says_so)
{
    int fd = -2;

    ck_assert(!lock_file_take(&settings, "/proc/no-such-directory", LOCK_FILE_WATCHER, &fd, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_int_eq(fd, -2);
    ck_assert(!lock_file_is_held(&settings, "/proc/no-such-directory", LOCK_FILE_WATCHER));
}
END_TEST

START_TEST(a_link_in_its_place_is_not_followed)
{
    char path[128];
    int fd = take();

    close(fd);
    snprintf(path, sizeof path, "%s/.jibri-finalize/watcher.lock", base);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert(!lock_file_take(&settings, base, LOCK_FILE_WATCHER, &fd, &err));
    ck_assert(!lock_file_is_held(&settings, base, LOCK_FILE_WATCHER));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock_file");
    TCase *cases = tcase_create("lock_file");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, it_is_held_as_long_as_the_descriptor_is_open);
    tcase_add_test(cases, looking_makes_nothing);
    tcase_add_test(cases, another_watcher_does_not_get_it);
    tcase_add_test(cases, it_dies_with_its_holder);
    tcase_add_test(cases, it_is_beside_the_journal_wherever_that_is);
    tcase_add_test(cases, a_directory_that_was_made_anew_has_another_lock);
    tcase_add_test(cases, where_it_cannot_be_made_it_says_so);
    tcase_add_test(cases, a_link_in_its_place_is_not_followed);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
