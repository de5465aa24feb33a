#include "finalize/session/open_writer.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char path[] = "/tmp/test_open_writer_XXXXXX";
static int fd = -1;

static void set_up(void)
{
    int made;

    signal(SIGIO, SIG_IGN);
    made = mkstemp(path);
    ck_assert_int_ge(made, 0);
    ck_assert_int_eq(write(made, "x", 1), 1);
    close(made);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
}

static void tear_down(void)
{
    close(fd);
    unlink(path);
}

START_TEST(nobody_writes_to_a_file_that_is_only_read)
{
    int reader = open(path, O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(open_writer_of(fd), OPEN_WRITER_NONE);
    close(reader);
    ck_assert_int_eq(open_writer_of(fd), OPEN_WRITER_NONE);
}
END_TEST

START_TEST(a_writer_of_any_kind_is_seen)
{
    static const int WAYS[] = {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND};
    int writer = open(path, WAYS[_i] | O_CLOEXEC);

    ck_assert_int_ge(writer, 0);
    ck_assert_int_eq(open_writer_of(fd), OPEN_WRITER_THERE);
    close(writer);
    ck_assert_int_eq(open_writer_of(fd), OPEN_WRITER_NONE);
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
    ck_assert_int_eq(open_writer_of(fd), OPEN_WRITER_THERE);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(open_writer_of(fd), OPEN_WRITER_NONE);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}
END_TEST

START_TEST(what_cannot_be_asked_is_unknown)
{
    int pipe_fds[2];

    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(open_writer_of(pipe_fds[0]), OPEN_WRITER_UNKNOWN);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    ck_assert_int_eq(open_writer_of(-1), OPEN_WRITER_UNKNOWN);
}
END_TEST

/* The kernel tells the holder of a lease by SIGIO, whose default is to end the process. */
START_TEST(whoever_begins_to_write_while_it_is_asked_is_not_held_up)
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
        ck_assert_int_ne(open_writer_of(fd), OPEN_WRITER_UNKNOWN);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_lt(ended.tv_sec - began.tv_sec, 30); /* a lease that is kept breaks after 45 s */
    ck_assert_int_eq(open_writer_of(fd), OPEN_WRITER_NONE);
}
END_TEST

START_TEST(a_media_file_that_is_open_for_writing_is_seen)
{
    char directory[] = "/tmp/test_open_writer_XXXXXX", media[64], other[64];
    int media_fd, log;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
    snprintf(media, sizeof media, "%s/1_a.mp4", directory);
    snprintf(other, sizeof other, "%s/some.log", directory);
    log = open(other, O_WRONLY | O_CREAT, 0600);
    media_fd = open(media, O_WRONLY | O_CREAT, 0600);
    if (open_writer_in(directory) == OPEN_WRITER_UNKNOWN) { /* no leases in this file system */
        close(media_fd);
    } else {
        ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_THERE);
        close(media_fd);
        ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
        /* And whoever wants to write afterwards is not held up. */
        media_fd = open(media, O_WRONLY | O_NONBLOCK);
        ck_assert_int_ge(media_fd, 0);
        close(media_fd);
    }
    close(log);
    unlink(media);
    unlink(other);
    rmdir(directory);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("open_writer");
    TCase *cases = tcase_create("open_writer");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, nobody_writes_to_a_file_that_is_only_read);
    tcase_add_loop_test(cases, a_writer_of_any_kind_is_seen, 0, 3);
    tcase_add_test(cases, a_writer_in_another_process_is_seen_until_it_dies);
    tcase_add_test(cases, what_cannot_be_asked_is_unknown);
    tcase_add_test(cases, whoever_begins_to_write_while_it_is_asked_is_not_held_up);
    tcase_add_test(cases, a_media_file_that_is_open_for_writing_is_seen);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
