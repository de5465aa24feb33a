#include "finalize/base/read_at.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(it_reads_what_is_asked_for_and_less_only_at_the_end)
{
    char bytes[8] = "";
    int fd = memfd_create("read_at", MFD_CLOEXEC);

    ck_assert_int_eq(write(fd, "0123456789", 10), 10);
    ck_assert_int_eq(read_at(fd, bytes, 4, 3), 4);
    ck_assert_mem_eq(bytes, "3456", 4);
    ck_assert_int_eq(read_at(fd, bytes, 8, 7), 3);
    ck_assert_mem_eq(bytes, "789", 3);
    ck_assert_int_eq(read_at(fd, bytes, 8, 10), 0);
    ck_assert_int_eq(read_at(fd, bytes, 8, UINT64_C(1) << 40), 0);
    ck_assert_int_eq(read_at(fd, bytes, 0, 0), 0);
    close(fd);
}
END_TEST

START_TEST(what_cannot_be_read_tells_errno)
{
    char byte;

    errno = 0;
    ck_assert_int_eq(read_at(-1, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("read_at");
    TCase *cases = tcase_create("read_at");

    tcase_add_test(cases, it_reads_what_is_asked_for_and_less_only_at_the_end);
    tcase_add_test(cases, what_cannot_be_read_tells_errno);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
