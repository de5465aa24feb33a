#include "finalize/upload/retry.h"

#include "tests/unit/unit.h"

#include <check.h>

START_TEST(the_bound_doubles_with_each_try_up_to_its_ceiling)
{
    static const uint64_t bounds[] = {200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000, 20000};
    struct rng rng = {.state = 1};

    for (unsigned tries = 1; tries <= sizeof bounds / sizeof bounds[0]; tries++) {
        uint64_t bound = bounds[tries - 1], longest = 0, shortest = UINT64_MAX;

        for (unsigned i = 0; i < 1000; i++) {
            uint64_t delay = retry_delay_ms(tries, 0, &rng);

            ck_assert_uint_le(delay, bound);
            longest = delay > longest ? delay : longest;
            shortest = delay < shortest ? delay : shortest;
        }
        ck_assert_uint_gt(longest, bound - bound / 20); /* full jitter: all of it is used */
        ck_assert_uint_lt(shortest, bound / 20);
    }
}
END_TEST

START_TEST(any_number_of_tries_stays_below_the_ceiling)
{
    static const unsigned many[] = {0, 40, 64, 65, 1000000};
    struct rng rng = {.state = 2};

    for (unsigned i = 0; i < sizeof many / sizeof many[0]; i++)
        ck_assert_uint_le(retry_delay_ms(many[i], 0, &rng), RETRY_LAST_BOUND_MS);
}
END_TEST

START_TEST(the_server_s_wish_is_a_minimum)
{
    struct rng rng = {.state = 3};

    for (unsigned i = 0; i < 1000; i++) {
        uint64_t delay = retry_delay_ms(1 + i % 12, 30000, &rng);

        ck_assert_uint_ge(delay, 30000);
        ck_assert_uint_le(delay, 30000 + RETRY_FIRST_BOUND_MS);
    }
}
END_TEST

START_TEST(the_same_seed_gives_the_same_delays)
{
    struct rng a = {.state = 4}, b = {.state = 4};

    for (unsigned tries = 1; tries < 20; tries++)
        ck_assert_uint_eq(retry_delay_ms(tries, 0, &a), retry_delay_ms(tries, 0, &b));
}
END_TEST

START_TEST(it_goes_on_until_nothing_has_succeeded_for_the_patience)
{
    struct retry_streak streak = {.failing = false};

    ck_assert(retry_goes_on(&streak, 1, 5000, 1000));
    ck_assert(retry_goes_on(&streak, 2, 5999, 1000));
    ck_assert(retry_goes_on(&streak, 3, 6000, 1000));
    ck_assert(!retry_goes_on(&streak, 4, 6001, 1000));
}
END_TEST

START_TEST(a_success_begins_the_patience_anew)
{
    struct retry_streak streak = {.failing = false};

    ck_assert(retry_goes_on(&streak, 1, 0, 1000));
    ck_assert(retry_goes_on(&streak, 2, 900, 1000));
    retry_succeeded(&streak);
    ck_assert(retry_goes_on(&streak, 3, 5000, 1000));
    ck_assert(retry_goes_on(&streak, 4, 6000, 1000));
    ck_assert(!retry_goes_on(&streak, 5, 6001, 1000));
}
END_TEST

START_TEST(one_request_is_not_tried_for_ever_although_others_succeed)
{
    struct retry_streak streak = {.failing = false};
    unsigned tries = 1;

    while (tries < 1000 && retry_goes_on(&streak, tries, tries, 1000000)) {
        retry_succeeded(&streak);
        tries++;
    }
    ck_assert_uint_eq(tries, RETRY_MAX_TRIES);
}
END_TEST

START_TEST(without_patience_a_failure_at_the_same_instant_may_be_repeated_and_no_later_one)
{
    struct retry_streak streak = {.failing = false};

    ck_assert(retry_goes_on(&streak, 1, 77, 0));
    ck_assert(!retry_goes_on(&streak, 2, 78, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retry");
    TCase *cases = tcase_create("retry");

    tcase_add_test(cases, the_bound_doubles_with_each_try_up_to_its_ceiling);
    tcase_add_test(cases, any_number_of_tries_stays_below_the_ceiling);
    tcase_add_test(cases, the_server_s_wish_is_a_minimum);
    tcase_add_test(cases, the_same_seed_gives_the_same_delays);
    tcase_add_test(cases, it_goes_on_until_nothing_has_succeeded_for_the_patience);
    tcase_add_test(cases, a_success_begins_the_patience_anew);
    tcase_add_test(cases, one_request_is_not_tried_for_ever_although_others_succeed);
    tcase_add_test(cases,
                   without_patience_a_failure_at_the_same_instant_may_be_repeated_and_no_later_one);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
