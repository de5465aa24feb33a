#include "finalize/http/rate.h"

#include "tests/unit/unit.h"

#include <check.h>

#define SECOND_US UINT64_C(1000000)

/* Sends as a driver does, which asks when it is told to, for `seconds` of simulated time. */
static uint64_t send_by_waiting(uint64_t bytes_per_second, uint64_t wanted, uint64_t seconds)
{
    struct rate rate;
    uint64_t sent = 0;
    uint64_t now_us = 777;
    uint64_t end_us = now_us + seconds * SECOND_US;

    rate_init(&rate, bytes_per_second, now_us);
    while (now_us < end_us) {
        uint64_t taken = rate_take(&rate, wanted, now_us);

        sent += taken;
        if (!taken) {
            uint64_t wait_us = rate_wait_us(&rate, now_us);

            if (!wait_us)
                ck_abort_msg("nothing can be taken, and there is nothing to wait for");
            now_us += wait_us;
        }
    }
    return sent;
}

/* Sends as a driver does that asks again and again, every `step_us`. */
static uint64_t send_by_asking(uint64_t bytes_per_second, uint64_t step_us, uint64_t seconds)
{
    struct rate rate;
    uint64_t sent = 0;

    rate_init(&rate, bytes_per_second, 0);
    for (uint64_t now_us = 0; now_us < seconds * SECOND_US; now_us += step_us)
        sent += rate_take(&rate, 65536, now_us);
    return sent;
}

static void assert_within_2_percent(uint64_t sent, uint64_t bytes_per_second, uint64_t seconds)
{
    uint64_t expected = bytes_per_second * seconds;

    ck_assert_msg(sent >= expected - expected / 50 && sent <= expected + expected / 50,
                  "%llu bytes in %llu s, not %llu", (unsigned long long)sent,
                  (unsigned long long)seconds, (unsigned long long)expected);
}

static const uint64_t rates[] = {1000,    5000,     16384,     65536,         300000,
                                 1000000, 12345678, 125000000, 1250000000ULL, 10000000000ULL};

START_TEST(over_time_the_rate_is_what_was_asked_for)
{
    uint64_t bytes_per_second = rates[_i];
    uint64_t seconds = bytes_per_second < 100000 ? 1000 : bytes_per_second < 100000000 ? 10 : 1;

    assert_within_2_percent(send_by_waiting(bytes_per_second, 65536, seconds), bytes_per_second,
                            seconds);
}
END_TEST

START_TEST(asking_often_does_not_slow_it_down)
{
    static const struct {
        uint64_t bytes_per_second, step_us;
    } rows[] = {{100000, 7}, {700000, 2}, {1500000, 1}, {1000000, 1000}, {30000, 50}, {1000, 333}};

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t seconds = rows[i].bytes_per_second < 50000 ? 300 : 4;

        assert_within_2_percent(send_by_asking(rows[i].bytes_per_second, rows[i].step_us, seconds),
                                rows[i].bytes_per_second, seconds);
    }
}
END_TEST

START_TEST(the_bucket_begins_empty)
{
    struct rate rate;

    rate_init(&rate, 1000000, 5);
    ck_assert_uint_eq(rate_take(&rate, 65536, 5), 0);
    ck_assert_uint_gt(rate_wait_us(&rate, 5), 0);
}
END_TEST

START_TEST(after_a_long_rest_a_fifth_of_a_second_may_be_sent_at_once)
{
    struct rate rate;

    rate_init(&rate, 1000000, 0);
    ck_assert_uint_eq(rate_take(&rate, UINT64_MAX, 3600 * SECOND_US), 200000);
    ck_assert_uint_eq(rate_take(&rate, UINT64_MAX, 3600 * SECOND_US), 0);
}
END_TEST

START_TEST(a_slow_rate_s_bucket_holds_16_kib)
{
    struct rate rate;

    rate_init(&rate, 1000, 0);
    ck_assert_uint_eq(rate_take(&rate, UINT64_MAX, 3600 * SECOND_US), 16384);
}
END_TEST

START_TEST(crumbs_are_not_worth_sending_but_the_last_bytes_of_a_body_are)
{
    struct rate rate;

    rate_init(&rate, 100000, 0);
    ck_assert_uint_eq(rate_take(&rate, 65536, 20000), 0); /* 2000 are there */
    ck_assert_uint_eq(rate_take(&rate, 1500, 20000), 1500);
    ck_assert_uint_eq(rate_take(&rate, 1500, 20000), 0);
}
END_TEST

START_TEST(after_the_wait_something_can_be_taken)
{
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct rate rate;
        uint64_t wait_us;

        rate_init(&rate, rates[i], 100);
        wait_us = rate_wait_us(&rate, 100);
        ck_assert_uint_gt(rate_take(&rate, 65536, 100 + wait_us), 0);
    }
}
END_TEST

START_TEST(without_a_limit_all_may_be_sent_at_once)
{
    struct rate rate;

    rate_init(&rate, 0, 0);
    ck_assert_uint_eq(rate_take(&rate, UINT64_MAX, 0), UINT64_MAX);
    ck_assert_uint_eq(rate_wait_us(&rate, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rate");
    TCase *cases = tcase_create("rate");

    tcase_add_loop_test(cases, over_time_the_rate_is_what_was_asked_for, 0,
                        sizeof rates / sizeof rates[0]);
    tcase_add_test(cases, asking_often_does_not_slow_it_down);
    tcase_add_test(cases, the_bucket_begins_empty);
    tcase_add_test(cases, after_a_long_rest_a_fifth_of_a_second_may_be_sent_at_once);
    tcase_add_test(cases, a_slow_rate_s_bucket_holds_16_kib);
    tcase_add_test(cases, crumbs_are_not_worth_sending_but_the_last_bytes_of_a_body_are);
    tcase_add_test(cases, after_the_wait_something_can_be_taken);
    tcase_add_test(cases, without_a_limit_all_may_be_sent_at_once);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
