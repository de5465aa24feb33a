#include "finalize/command/command_retry.h"

#include "finalize/program/explain.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>

START_TEST(the_worst_of_all_exit_codes_counts)
{
    static const struct {
        int a, b, worse;
    } cases[] = {
        {EXPLAIN_EXIT_OK, EXPLAIN_EXIT_OK, EXPLAIN_EXIT_OK},
        {EXPLAIN_EXIT_OK, EXPLAIN_EXIT_LATER, EXPLAIN_EXIT_LATER},
        {EXPLAIN_EXIT_LATER, EXPLAIN_EXIT_PERSON, EXPLAIN_EXIT_PERSON},
        {EXPLAIN_EXIT_PERSON, EXPLAIN_EXIT_OK, EXPLAIN_EXIT_PERSON},
        {EXPLAIN_EXIT_NO_INPUT, EXPLAIN_EXIT_LATER, EXPLAIN_EXIT_NO_INPUT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(command_retry_worse(cases[i].a, cases[i].b), cases[i].worse);
        ck_assert_int_eq(command_retry_worse(cases[i].b, cases[i].a), cases[i].worse);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command_retry");
    TCase *tests = tcase_create("command_retry");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, the_worst_of_all_exit_codes_counts);
    return unit_run(suite);
}
