#include "finalize/lifecycle/yield.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_schedule.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <time.h>
#include <unistd.h>

static struct journal *journal;
static struct yield yield;
static struct error err;

static void set_up(void)
{
    yield = (struct yield){0};
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
}

static void tear_down(void)
{
    journal_close(journal);
}

START_TEST(nobody_waits_as_long_as_nobody_says_so)
{
    ck_assert(!yield_is_requested(&yield, journal, "/r/a"));
    ck_assert(journal_claim(journal, "/r/b", 7, time(NULL), &err));
    yield.look_again_ms = 0;
    ck_assert(!yield_is_requested(&yield, journal, "/r/a"));
}
END_TEST

START_TEST(whoever_waits_is_seen_within_a_fraction_of_a_second)
{
    uint64_t began_ms = clock_now_ms();

    ck_assert(!yield_is_requested(&yield, journal, "/r/a"));
    ck_assert_uint_ge(yield.look_again_ms, began_ms + 100); /* not all the time, either */
    ck_assert_uint_le(yield.look_again_ms, clock_now_ms() + 500);
    ck_assert(journal_claim(journal, "/r/a", 7, time(NULL), &err));
    while (!yield_is_requested(&yield, journal, "/r/a")) {
        ck_assert_uint_lt(clock_now_ms(), began_ms + 20000);
        usleep(10000);
    }
}
END_TEST

START_TEST(once_wanted_it_stays_so)
{
    ck_assert(journal_claim(journal, "/r/a", 7, time(NULL), &err));
    ck_assert(yield_is_requested(&yield, journal, "/r/a"));
    ck_assert(journal_unclaim(journal, "/r/a", 7, &err));
    yield.look_again_ms = 0;
    ck_assert(yield_is_requested(&yield, journal, "/r/a"));
}
END_TEST

START_TEST(what_was_handed_over_wants_the_lock_too)
{
    ck_assert(journal_claim(journal, "/r/a", JOURNAL_HANDED_OVER, 1, &err));
    ck_assert(yield_is_requested(&yield, journal, "/r/a"));
}
END_TEST

START_TEST(whoever_claims_it_makes_others_give_way_until_it_takes_that_back)
{
    int64_t claimed_at = 0;

    yield_request(journal, "/r/a", &claimed_at);
    ck_assert(claimed_at > 0);
    yield_request(journal, "/r/a", &claimed_at);
    ck_assert(yield_is_requested(&yield, journal, "/r/a"));
    yield_withdraw(journal, "/r/a", &claimed_at);
    ck_assert(claimed_at == 0);
    yield = (struct yield){0};
    ck_assert(!yield_is_requested(&yield, journal, "/r/a"));
    yield_withdraw(journal, "/r/a", &claimed_at); /* nothing to take back */
}
END_TEST

START_TEST(a_claim_from_before_the_clock_was_set_back_is_renewed)
{
    int64_t claimed_at = time(NULL) + 1000000;

    yield_request(journal, "/r/a", &claimed_at);
    ck_assert(claimed_at <= time(NULL));
    ck_assert(yield_is_requested(&yield, journal, "/r/a"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("yield");
    TCase *cases = tcase_create("yield");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, nobody_waits_as_long_as_nobody_says_so);
    tcase_add_test(cases, whoever_waits_is_seen_within_a_fraction_of_a_second);
    tcase_add_test(cases, once_wanted_it_stays_so);
    tcase_add_test(cases, what_was_handed_over_wants_the_lock_too);
    tcase_add_test(cases, whoever_claims_it_makes_others_give_way_until_it_takes_that_back);
    tcase_add_test(cases, a_claim_from_before_the_clock_was_set_back_is_renewed);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
