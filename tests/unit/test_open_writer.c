#include "finalize/session/open_writer.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/test_open_writer_XXXXXX";
static char path[64];

static void set_up(void)
{
    int made;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/1_a.mp4", directory);
    made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(made, 0);
    close(made);
}

static void tear_down(void)
{
    unlink(path);
    rmdir(directory);
}

START_TEST(a_file_that_is_only_read_has_no_writer)
{
    int reader = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
    close(reader);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
}
END_TEST

START_TEST(a_writer_of_any_kind_is_seen)
{
    static const int WAYS[] = {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND};
    int writer = open(path, WAYS[_i] | O_CLOEXEC);

    ck_assert_int_ge(writer, 0);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_THERE);
    close(writer);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
}
END_TEST

START_TEST(a_writer_in_another_process_is_seen_until_it_dies)
{
    int pipe_fds[2];
    char ready;
    pid_t child;

    ck_assert_int_eq(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        if (open(path, O_WRONLY | O_APPEND | O_CLOEXEC) >= 0 && write(pipe_fds[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert_int_eq(read(pipe_fds[0], &ready, 1), 1);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_THERE);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}
END_TEST

START_TEST(a_file_of_any_kind_at_any_depth_counts)
{
    char below[64], log[80];
    int fd;

    snprintf(below, sizeof below, "%s/below", directory);
    snprintf(log, sizeof log, "%s/some.log", below);
    ck_assert_int_eq(mkdir(below, 0700), 0);
    fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_THERE);
    close(fd);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
    unlink(log);
    rmdir(below);
}
END_TEST

START_TEST(where_there_is_no_directory_there_is_no_writer)
{
    ck_assert_int_eq(open_writer_in("/nonexistent/session"), OPEN_WRITER_NONE);
    ck_assert_int_eq(open_writer_in("/"), OPEN_WRITER_UNKNOWN);
}
END_TEST

/* The kernel tells the holder of a lease by SIGIO, whose default is to end the process. */
START_TEST(a_writer_that_begins_while_it_is_asked_is_not_held_up)
{
    struct timespec began, ended;
    pid_t child = fork();

    if (child == 0) {
        for (unsigned i = 0; i < 500; i++) {
            int writer = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

            if (writer < 0)
                _exit(1);
            close(writer);
        }
        _exit(0);
    }
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int status = 0; waitpid(child, &status, WNOHANG) == 0;)
        ck_assert_int_ne(open_writer_in(directory), OPEN_WRITER_UNKNOWN);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_lt(ended.tv_sec - began.tv_sec, 30); /* a lease that is kept breaks after 45 s */
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("open_writer");
    TCase *cases = tcase_create("open_writer");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_file_that_is_only_read_has_no_writer);
    tcase_add_loop_test(cases, a_writer_of_any_kind_is_seen, 0, 3);
    tcase_add_test(cases, a_writer_in_another_process_is_seen_until_it_dies);
    tcase_add_test(cases, a_file_of_any_kind_at_any_depth_counts);
    tcase_add_test(cases, where_there_is_no_directory_there_is_no_writer);
    tcase_add_test(cases, a_writer_that_begins_while_it_is_asked_is_not_held_up);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
