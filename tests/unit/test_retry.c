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

static struct rng dice = {.state = 9};

/* Whether the `tries`th failure is followed by another try, and what the pause is. */
static bool goes_on(struct retry_streak *streak, unsigned tries, uint64_t now_ms,
                    uint64_t retry_after_ms, uint64_t patience_ms)
{
    struct retry_failure failure = {tries, retry_after_ms, now_ms};
    uint64_t not_before_ms = 0;
    bool goes_on = retry_goes_on(streak, &failure, patience_ms, &dice, &not_before_ms);

    ck_assert_uint_ge(not_before_ms, now_ms + retry_after_ms);
    if (goes_on)
        ck_assert_uint_le(not_before_ms, streak->since_ms + patience_ms);
    return goes_on;
}

START_TEST(it_goes_on_until_nothing_has_succeeded_for_the_patience)
{
    struct retry_streak streak = {.failing = false};

    ck_assert(goes_on(&streak, 1, 5000, 0, 1000));
    ck_assert(goes_on(&streak, 1, 5700, 0, 1000));
    ck_assert(!goes_on(&streak, 1, 6001, 0, 1000));
    ck_assert_uint_eq(streak.asked_until_ms, 0);
}
END_TEST

START_TEST(a_success_begins_the_patience_again)
{
    struct retry_streak streak = {.failing = false};

    ck_assert(goes_on(&streak, 1, 0, 0, 1000));
    ck_assert(goes_on(&streak, 1, 800, 0, 1000));
    retry_succeeded(&streak);
    ck_assert(goes_on(&streak, 1, 5000, 0, 1000));
    ck_assert(goes_on(&streak, 1, 5800, 0, 1000));
    ck_assert(!goes_on(&streak, 1, 6001, 0, 1000));
}
END_TEST

START_TEST(one_request_is_not_tried_for_ever_although_others_succeed)
{
    struct retry_streak streak = {.failing = false};
    unsigned tries = 1;

    while (tries < 1000 && goes_on(&streak, tries, tries, 0, 1000000)) {
        retry_succeeded(&streak);
        tries++;
    }
    ck_assert_uint_eq(tries, RETRY_MAX_TRIES);
}
END_TEST

START_TEST(a_pause_that_is_longer_than_the_patience_left_ends_it_at_once)
{
    struct retry_streak streak = {.failing = false};

    ck_assert(!goes_on(&streak, 1, 0, 300000, 5000)); /* the server's */
    ck_assert_uint_ge(streak.asked_until_ms, 300000);
    streak = (struct retry_streak){.failing = false};
    ck_assert(goes_on(&streak, 1, 0, 90000, 120000));
    ck_assert(!goes_on(&streak, 2, 90000, 90000, 120000)); /* of which 30 s are left */
    for (unsigned i = 0; i < 1000; i++) {
        streak = (struct retry_streak){.failing = true};
        (void)goes_on(&streak, 12, 15000, 0, 20000); /* our own: checked in goes_on() */
    }
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
    tcase_add_test(cases, a_success_begins_the_patience_again);
    tcase_add_test(cases, one_request_is_not_tried_for_ever_although_others_succeed);
    tcase_add_test(cases, a_pause_that_is_longer_than_the_patience_left_ends_it_at_once);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
