#include "finalize/base/number.h"

#include "tests/unit/unit.h"

#include <check.h>

static const struct {
    const char *text;
    uint64_t least, most;
    uint64_t number; /* 42: not read */
} readings[] = {
    {"0", 0, 9, 0},
    {"9", 0, 9, 9},
    {"007", 0, 9, 7},
    {"18446744073709551615", 0, UINT64_MAX, UINT64_MAX},
    {"10", 0, 9, 42},
    {"0", 1, 9, 42},
    {"18446744073709551616", 0, UINT64_MAX, 42},
    {"", 0, 9, 42},
    {NULL, 0, 9, 42},
    {" 1", 0, 9, 42},
    {"1 ", 0, 9, 42},
    {"+1", 0, 9, 42},
    {"-1", 0, UINT64_MAX, 42},
    {"0x1", 0, 9, 42},
    {"1a", 0, 9, 42},
};

START_TEST(a_number_is_digits_alone_within_its_range)
{
    uint64_t number = 42;
    bool ok = number_read(readings[_i].text, readings[_i].least, readings[_i].most, &number);

    ck_assert_uint_eq(number, readings[_i].number);
    ck_assert_int_eq(ok, readings[_i].number != 42);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("number");
    TCase *tests = tcase_create("number");

    tcase_add_loop_test(tests, a_number_is_digits_alone_within_its_range, 0,
                        sizeof readings / sizeof *readings);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
