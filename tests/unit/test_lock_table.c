#include "finalize/session/lock_table.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct lock_table table;

static void read_text(const char *text)
{
    char copy[1024];
    FILE *in;

    strcpy(copy, text);
    in = fmemopen(copy, strlen(copy), "r");
    lock_table_read_from(in, &table);
    fclose(in);
}

static const char list[] = "1: FLOCK  ADVISORY  WRITE 17363 fe:00:10952949 0 EOF\n"
                           "1: -> FLOCK  ADVISORY  WRITE 17364 fe:00:4 0 EOF\n"
                           "2: POSIX  ADVISORY  WRITE 17034 fe:00:5 0 EOF\n"
                           "3: FLOCK  ADVISORY  READ 17035 fe:00:6 0 EOF\n"
                           "4: OFDLCK ADVISORY  WRITE -1 fe:00:7 0 EOF\n"
                           "nonsense\n"
                           "5: FLOCK  ADVISORY  WRITE 99 00:2a:7777777777 0 EOF\n";

START_TEST(only_an_exclusive_flock_that_is_held_counts)
{
    read_text(list);
    ck_assert(table.known);
    ck_assert_uint_eq(table.count, 2);
    ck_assert_int_eq(lock_table_holder_of(&table, makedev(0xfe, 0), 10952949), 17363);
    ck_assert_int_eq(lock_table_holder_of(&table, makedev(0xfe, 0), 4), 0);
    ck_assert_int_eq(lock_table_holder_of(&table, makedev(0xfe, 0), 6), 0);
    lock_table_done(&table);
}
END_TEST

START_TEST(the_device_counts_where_it_has_a_number_of_its_own)
{
    read_text(list);
    ck_assert_int_eq(lock_table_holder_of(&table, makedev(0xfd, 0), 10952949), 0);
    ck_assert_int_eq(lock_table_holder_of(&table, makedev(0, 0x33), 7777777777), 99);
    ck_assert_int_eq(lock_table_holder_of(&table, makedev(0, 0x33), 10952949), 0);
    lock_table_done(&table);
}
END_TEST

START_TEST(without_a_list_nothing_is_known)
{
    lock_table_read_from(NULL, &table);
    ck_assert(!table.known);
    ck_assert_int_eq(lock_table_holder(&table, "/tmp"), 0);
    lock_table_done(&table);
}
END_TEST

START_TEST(the_kernels_list_names_who_holds_a_directory)
{
    char directory[] = "/tmp/test_lock_table_XXXXXX";
    int fd;

    ck_assert_ptr_nonnull(mkdtemp(directory));
    fd = open(directory, O_RDONLY | O_DIRECTORY);
    lock_table_read(&table);
    ck_assert_int_eq(lock_table_holder(&table, directory), 0);
    lock_table_done(&table);
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    lock_table_read(&table);
    ck_assert_int_eq(lock_table_holder(&table, directory), getpid());
    lock_table_done(&table);
    close(fd);
    rmdir(directory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lock_table");
    TCase *tests = tcase_create("lock_table");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, only_an_exclusive_flock_that_is_held_counts);
    tcase_add_test(tests, the_device_counts_where_it_has_a_number_of_its_own);
    tcase_add_test(tests, without_a_list_nothing_is_known);
    tcase_add_test(tests, the_kernels_list_names_who_holds_a_directory);
    return unit_run(suite);
}
