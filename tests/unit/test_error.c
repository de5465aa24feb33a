#include "finalize/base/error.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <string.h>

START_TEST(the_first_cause_wins)
{
    struct error err = ERROR_INIT;

    ck_assert(!error_set(&err, ERROR_PERMANENT, "first %d", 1));
    ck_assert(!error_set(&err, ERROR_TRANSIENT, "second"));
    ck_assert(!error_set_errno(&err, ERROR_STOPPED, EIO, "third"));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_int_eq(err.sys_errno, 0);
    ck_assert_str_eq(err.text, "first 1");
}
END_TEST

START_TEST(a_cleared_error_can_be_filled_again)
{
    struct error err = ERROR_INIT;

    error_set_errno(&err, ERROR_PERMANENT, EIO, "first");
    err.http_status = 500;
    strcpy(err.s3_code, "Code");
    error_clear(&err);
    ck_assert_int_eq(err.kind, ERROR_NONE);
    ck_assert_int_eq(err.sys_errno, 0);
    ck_assert_int_eq(err.http_status, 0);
    ck_assert_str_eq(err.s3_code, "");
    ck_assert_str_eq(err.text, "");
    error_set(&err, ERROR_USAGE, "second");
    ck_assert_int_eq(err.kind, ERROR_USAGE);
    ck_assert_str_eq(err.text, "second");
}
END_TEST

START_TEST(the_reason_of_the_system_is_added)
{
    struct error err = ERROR_INIT;

    ck_assert(!error_set_errno(&err, ERROR_TRANSIENT, ENOSPC, "cannot write %s", "x"));
    ck_assert_str_eq(err.text, "cannot write x: No space left on device");
    ck_assert_int_eq(err.sys_errno, ENOSPC);
}
END_TEST

START_TEST(control_characters_become_question_marks)
{
    struct error err = ERROR_INIT;

    error_set(&err, ERROR_PERMANENT, "a\nb\tc\x1b[0m\x7f\r%s", "\x01 \xd0\x96");
    ck_assert_str_eq(err.text, "a?b?c?[0m??? \xd0\x96");
}
END_TEST

START_TEST(a_long_text_is_cut_between_characters)
{
    /* from even and odd places, so that a two-byte character falls on the end in one of them */
    for (size_t shift = 0; shift < 2; shift++) {
        struct error err = ERROR_INIT;
        char text[2001];
        size_t length;

        for (size_t i = 0; i + 1 < sizeof text; i += 2)
            memcpy(text + i, "\xd0\x96", 2);
        text[2000] = 0;
        error_set(&err, ERROR_PERMANENT, "%s%s", shift ? "a" : "", text);
        length = strlen(err.text);
        ck_assert_uint_ge(length, sizeof err.text - 4);
        ck_assert_uint_lt(length, sizeof err.text);
        ck_assert_uint_eq((length - shift) % 2, 0);
        ck_assert_int_eq(err.text[length - 1], (char)0x96);
    }
}
END_TEST

START_TEST(a_text_that_just_fits_is_not_cut)
{
    struct error err = ERROR_INIT;
    char text[sizeof err.text];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    error_set(&err, ERROR_PERMANENT, "%s", text);
    ck_assert_str_eq(err.text, text);
}
END_TEST

START_TEST(a_long_text_makes_room_for_the_reason)
{
    struct error err = ERROR_INIT;
    char path[4096];
    size_t length;

    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    error_set_errno(&err, ERROR_TRANSIENT, ENOENT, "cannot open %s", path);
    length = strlen(err.text);
    ck_assert_uint_eq(length, sizeof err.text - 1);
    ck_assert_str_eq(err.text + length - strlen("xx: No such file or directory"),
                     "xx: No such file or directory");
    ck_assert_int_eq(strncmp(err.text, "cannot open xx", 14), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *cases = tcase_create("error");

    tcase_add_test(cases, the_first_cause_wins);
    tcase_add_test(cases, a_cleared_error_can_be_filled_again);
    tcase_add_test(cases, the_reason_of_the_system_is_added);
    tcase_add_test(cases, control_characters_become_question_marks);
    tcase_add_test(cases, a_long_text_is_cut_between_characters);
    tcase_add_test(cases, a_text_that_just_fits_is_not_cut);
    tcase_add_test(cases, a_long_text_makes_room_for_the_reason);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
