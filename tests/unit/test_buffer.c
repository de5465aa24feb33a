#include "finalize/base/buffer.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

START_TEST(an_empty_buffer_is_an_empty_text)
{
    struct buffer buffer;

    buffer_init(&buffer, 10);
    ck_assert_str_eq(buffer_text(&buffer), "");
    ck_assert_ptr_null(buffer.data);
    buffer_append_text(&buffer, "");
    ck_assert_str_eq(buffer_text(&buffer), "");
    ck_assert(!buffer.failed);
    buffer_done(&buffer);
    buffer_done(NULL);
    buffer_wipe(NULL);
}
END_TEST

START_TEST(appends_add_up_to_a_terminated_text)
{
    struct buffer buffer;

    buffer_init(&buffer, 10000);
    buffer_append(&buffer, "ab", 2);
    buffer_append_text(&buffer, "cd");
    buffer_append_format(&buffer, "%d%s", 12, "ef");
    ck_assert_str_eq(buffer_text(&buffer), "abcd12ef");
    ck_assert_uint_eq(buffer.length, 8);
    buffer_append(&buffer, "\0x", 2);
    ck_assert_uint_eq(buffer.length, 10);
    ck_assert_int_eq(buffer.data[9], 'x');
    ck_assert_int_eq(buffer.data[10], 0);
    buffer_done(&buffer);
}
END_TEST

START_TEST(it_grows_to_its_ceiling_and_no_further)
{
    struct buffer buffer;

    buffer_init(&buffer, 1000);
    for (int i = 0; i < 1000; i++)
        buffer_append(&buffer, "x", 1);
    ck_assert(!buffer.failed);
    ck_assert_uint_eq(buffer.length, 1000);
    ck_assert_uint_eq(strlen(buffer_text(&buffer)), 1000);
    ck_assert_uint_le(buffer.capacity, 1001);
    buffer_append(&buffer, "y", 1);
    ck_assert(buffer.failed);
    ck_assert_uint_eq(buffer.length, 1000);
    ck_assert_int_eq(buffer.data[999], 'x');
    buffer_done(&buffer);
}
END_TEST

START_TEST(a_failed_append_leaves_the_content_and_ends_the_chain)
{
    struct buffer buffer;

    buffer_init(&buffer, 8);
    buffer_append_text(&buffer, "1234");
    buffer_append_text(&buffer, "56789");
    ck_assert(buffer.failed);
    ck_assert_str_eq(buffer_text(&buffer), "1234");
    buffer_append_text(&buffer, "5"); /* would fit */
    buffer_append_format(&buffer, "%d", 6);
    ck_assert_str_eq(buffer_text(&buffer), "1234");
    ck_assert_ptr_null(buffer_take(&buffer));
    ck_assert_ptr_null(buffer.data);
    ck_assert(!buffer.failed);
    buffer_append_text(&buffer, "12345678"); /* the ceiling is still known */
    ck_assert_str_eq(buffer_text(&buffer), "12345678");
    buffer_append_format(&buffer, "%s", "9");
    ck_assert(buffer.failed);
    buffer_done(&buffer);
}
END_TEST

START_TEST(a_format_over_the_ceiling_fails_whole)
{
    struct buffer buffer;

    buffer_init(&buffer, 5);
    buffer_append_format(&buffer, "%06d", 1);
    ck_assert(buffer.failed);
    ck_assert_str_eq(buffer_text(&buffer), "");
    buffer_clear(&buffer);
    buffer_append_format(&buffer, "%05d", 1);
    ck_assert(!buffer.failed);
    ck_assert_str_eq(buffer_text(&buffer), "00001");
    buffer_done(&buffer);
}
END_TEST

START_TEST(a_ceiling_of_nothing_holds_nothing)
{
    struct buffer buffer;
    char *taken;

    buffer_init(&buffer, 0);
    buffer_append(&buffer, NULL, 0);
    ck_assert(!buffer.failed);
    taken = buffer_take(&buffer);
    ck_assert_str_eq(taken, "");
    free(taken);
    buffer_append(&buffer, "x", 1);
    ck_assert(buffer.failed);
    buffer_done(&buffer);
}
END_TEST

START_TEST(sizes_that_no_memory_holds_fail)
{
    struct buffer buffer;

    buffer_init(&buffer, SIZE_MAX);
    buffer_append_text(&buffer, "a");
    buffer_append(&buffer, "", SIZE_MAX - 1); /* the length fits in a size_t, with the NUL not */
    ck_assert(buffer.failed);
    ck_assert_str_eq(buffer_text(&buffer), "a");
    buffer_done(&buffer);
}
END_TEST

START_TEST(clearing_keeps_the_memory_and_forgives)
{
    struct buffer buffer;
    const char *data;

    buffer_init(&buffer, 4);
    buffer_append_text(&buffer, "1234");
    buffer_append_text(&buffer, "5");
    data = buffer.data;
    buffer_clear(&buffer);
    ck_assert(!buffer.failed);
    ck_assert_str_eq(buffer_text(&buffer), "");
    buffer_append_text(&buffer, "67");
    ck_assert_ptr_eq(buffer.data, data);
    ck_assert_str_eq(buffer_text(&buffer), "67");
    buffer_done(&buffer);
}
END_TEST

START_TEST(what_is_taken_belongs_to_the_taker)
{
    struct buffer buffer;
    char *taken;

    buffer_init(&buffer, 100);
    buffer_append_text(&buffer, "abc");
    taken = buffer_take(&buffer);
    ck_assert_str_eq(taken, "abc");
    ck_assert_str_eq(buffer_text(&buffer), "");
    ck_assert_uint_eq(buffer.length, 0);
    buffer_append_text(&buffer, "def");
    ck_assert_str_eq(taken, "abc");
    free(taken);
    buffer_wipe(&buffer);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.ceiling, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buffer");
    TCase *cases = tcase_create("buffer");

    tcase_add_test(cases, an_empty_buffer_is_an_empty_text);
    tcase_add_test(cases, appends_add_up_to_a_terminated_text);
    tcase_add_test(cases, it_grows_to_its_ceiling_and_no_further);
    tcase_add_test(cases, a_failed_append_leaves_the_content_and_ends_the_chain);
    tcase_add_test(cases, a_format_over_the_ceiling_fails_whole);
    tcase_add_test(cases, a_ceiling_of_nothing_holds_nothing);
    tcase_add_test(cases, sizes_that_no_memory_holds_fail);
    tcase_add_test(cases, clearing_keeps_the_memory_and_forgives);
    tcase_add_test(cases, what_is_taken_belongs_to_the_taker);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
