#include "finalize/pace.h"

#include <check.h>
#include <stdlib.h>

static void succeed(struct pace *pace, unsigned times)
{
    while (times--)
        pace_succeeded(pace);
}

START_TEST(it_begins_with_all_that_is_allowed)
{
    struct pace pace;

    pace_init(&pace, 8);
    ck_assert_uint_eq(pace.now, 8);
    pace_init(&pace, 0);
    ck_assert_uint_eq(pace.now, 1);
}
END_TEST

START_TEST(it_is_halved_when_the_server_wants_less_but_never_stops)
{
    static const unsigned expected[] = {4, 2, 1, 1, 1};
    struct pace pace;

    pace_init(&pace, 9);
    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        pace_slow_down(&pace, 10000 + 1000 * i);
        ck_assert_uint_eq(pace.now, expected[i]);
    }
}
END_TEST

START_TEST(the_replies_of_one_burst_count_once)
{
    struct pace pace;

    pace_init(&pace, 16);
    pace_slow_down(&pace, 5000);
    pace_slow_down(&pace, 5000);
    pace_slow_down(&pace, 5999);
    ck_assert_uint_eq(pace.now, 8);
    pace_slow_down(&pace, 6000);
    ck_assert_uint_eq(pace.now, 4);
}
END_TEST

START_TEST(it_grows_by_one_after_as_many_successes_as_it_is_high)
{
    struct pace pace;

    pace_init(&pace, 8);
    pace_slow_down(&pace, 5000);
    succeed(&pace, 3);
    ck_assert_uint_eq(pace.now, 4);
    succeed(&pace, 1);
    ck_assert_uint_eq(pace.now, 5);
    succeed(&pace, 4);
    ck_assert_uint_eq(pace.now, 5);
    succeed(&pace, 1);
    ck_assert_uint_eq(pace.now, 6);
}
END_TEST

START_TEST(it_never_grows_over_what_is_allowed)
{
    struct pace pace;

    pace_init(&pace, 3);
    succeed(&pace, 1000);
    ck_assert_uint_eq(pace.now, 3);
    pace_slow_down(&pace, 5000);
    succeed(&pace, 1000);
    ck_assert_uint_eq(pace.now, 3);
}
END_TEST

START_TEST(successes_before_a_slow_down_do_not_count_after_it)
{
    struct pace pace;

    pace_init(&pace, 8);
    pace_slow_down(&pace, 5000); /* 4 */
    succeed(&pace, 3);
    pace_slow_down(&pace, 7000); /* 2 */
    succeed(&pace, 1);
    ck_assert_uint_eq(pace.now, 2);
    succeed(&pace, 1);
    ck_assert_uint_eq(pace.now, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *cases = tcase_create("pace");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(cases, it_begins_with_all_that_is_allowed);
    tcase_add_test(cases, it_is_halved_when_the_server_wants_less_but_never_stops);
    tcase_add_test(cases, the_replies_of_one_burst_count_once);
    tcase_add_test(cases, it_grows_by_one_after_as_many_successes_as_it_is_high);
    tcase_add_test(cases, it_never_grows_over_what_is_allowed);
    tcase_add_test(cases, successes_before_a_slow_down_do_not_count_after_it);
    suite_add_tcase(suite, cases);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
