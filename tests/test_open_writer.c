#include "finalize/open_writer.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

START_TEST(a_media_file_that_is_open_for_writing_is_seen)
{
    char directory[] = "/tmp/test_open_writer_XXXXXX", path[64], other[64];
    int fd, log;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
    snprintf(path, sizeof path, "%s/1_a.mp4", directory);
    snprintf(other, sizeof other, "%s/some.log", directory);
    log = open(other, O_WRONLY | O_CREAT, 0600);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (open_writer_in(directory) == OPEN_WRITER_UNKNOWN) { /* no leases in this file system */
        close(fd);
    } else {
        ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_THERE);
        close(fd);
        ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
        /* And whoever wants to write afterwards is not held up. */
        fd = open(path, O_WRONLY | O_NONBLOCK);
        ck_assert_int_ge(fd, 0);
        close(fd);
    }
    close(log);
    unlink(path);
    unlink(other);
    rmdir(directory);
    ck_assert_int_eq(open_writer_in(directory), OPEN_WRITER_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("open_writer");
    TCase *tests = tcase_create("open_writer");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, a_media_file_that_is_open_for_writing_is_seen);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
