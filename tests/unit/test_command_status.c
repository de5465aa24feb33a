#include "finalize/command/command_status.h"

#include "finalize/program/explain.h"
#include "finalize/report/report.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>

START_TEST(each_state_has_its_exit_code_and_a_person_comes_first)
{
    static const int codes[REPORT_STATES] = {
        [REPORT_SAFE] = EXPLAIN_EXIT_OK,         [REPORT_UPLOADING] = EXPLAIN_EXIT_LATER,
        [REPORT_RECORDING] = EXPLAIN_EXIT_LATER, [REPORT_INTERRUPTED] = EXPLAIN_EXIT_LATER,
        [REPORT_WAITING] = EXPLAIN_EXIT_LATER,   [REPORT_FAILED] = EXPLAIN_EXIT_PERSON,
        [REPORT_LOST] = EXPLAIN_EXIT_PERSON,     [REPORT_ABANDONED] = EXPLAIN_EXIT_OK,
        [REPORT_FOUND] = EXPLAIN_EXIT_LATER,
    };

    for (unsigned i = 0; i < REPORT_STATES; i++) {
        ck_assert_int_eq(command_status_code(REPORT_BIT(i)), codes[i]);
        ck_assert_int_eq(command_status_code(REPORT_BIT(i) | REPORT_BIT(REPORT_FAILED)),
                         EXPLAIN_EXIT_PERSON);
    }
    ck_assert_int_eq(command_status_code(0), EXPLAIN_EXIT_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command_status");
    TCase *tests = tcase_create("command_status");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, each_state_has_its_exit_code_and_a_person_comes_first);
    return unit_run(suite);
}
