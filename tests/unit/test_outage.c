#include "watcher/outage.h"

#include "tests/unit/unit.h"

#include <check.h>

#define NOW   INT64_C(1700000000)
#define SEEDS 500u

static const struct settings settings = {.retry_min_ms = 30000, .retry_max_ms = 3600000};
static struct outage outage;
static struct rng rng;

static void set_up(void)
{
    outage = (struct outage){0};
    rng.state = 3;
}

static void tear_down(void)
{
}

START_TEST(a_failed_run_makes_it_look_once)
{
    int64_t probe_at;

    ck_assert(!outage_probe_is_due(&outage, NOW));
    outage_run_failed(&outage, &settings, NOW, &rng);
    ck_assert(outage.suspected && !outage.confirmed);
    ck_assert_int_gt(outage.probe_at, NOW);
    ck_assert_int_le(outage.probe_at, NOW + 5);
    probe_at = outage.probe_at;
    outage_run_failed(&outage, &settings, NOW + 3, &rng);
    ck_assert_int_eq(outage.probe_at, probe_at); /* the others that fail do not put it off */
    ck_assert(!outage_probe_is_due(&outage, probe_at - 1));
    ck_assert(outage_probe_is_due(&outage, probe_at));
}
END_TEST

START_TEST(a_run_that_succeeded_ends_it)
{
    outage_run_failed(&outage, &settings, NOW, &rng);
    outage_probe_failed(&outage, &settings, NOW, &rng);
    outage_run_succeeded(&outage);
    ck_assert(!outage.suspected && !outage.confirmed && !outage.probe_at && !outage.probes);
}
END_TEST

START_TEST(servers_that_were_never_gone_are_no_reason_to_try_everything)
{
    outage_run_failed(&outage, &settings, NOW, &rng);
    ck_assert(!outage_probe_succeeded(&outage));
    ck_assert(!outage.suspected && !outage.probe_at);
}
END_TEST

START_TEST(servers_that_are_back_are_said_to_be_once)
{
    outage_run_failed(&outage, &settings, NOW, &rng);
    outage_probe_failed(&outage, &settings, NOW, &rng);
    ck_assert(outage.confirmed);
    ck_assert(outage_probe_succeeded(&outage));
    ck_assert(!outage.suspected && !outage.confirmed && !outage.probe_at);
    ck_assert(!outage_probe_succeeded(&outage));
}
END_TEST

START_TEST(probes_come_further_apart_but_never_more_than_a_minute)
{
    static const int64_t BOUNDS_S[] = {5, 10, 20, 40, 60, 60, 60};
    const unsigned count = sizeof BOUNDS_S / sizeof BOUNDS_S[0];
    int64_t latest[sizeof BOUNDS_S / sizeof BOUNDS_S[0]] = {0};

    for (unsigned run = 0; run < SEEDS; run++) {
        outage = (struct outage){0};
        outage_run_failed(&outage, &settings, NOW, &rng);
        for (unsigned i = 1; i < count; i++) {
            outage_probe_failed(&outage, &settings, NOW, &rng);
            ck_assert_int_gt(outage.probe_at, NOW);
            ck_assert_int_le(outage.probe_at, NOW + BOUNDS_S[i]);
            if (outage.probe_at - NOW > latest[i])
                latest[i] = outage.probe_at - NOW;
        }
    }
    for (unsigned i = 1; i < count; i++) /* all of the range is used */
        ck_assert_int_gt(latest[i], BOUNDS_S[i] * 9 / 10);
}
END_TEST

START_TEST(after_any_number_of_probes_the_pause_is_the_same)
{
    outage_run_failed(&outage, &settings, NOW, &rng);
    outage.probes = UINT32_MAX - 1;
    outage_probe_failed(&outage, &settings, NOW, &rng);
    ck_assert_int_le(outage.probe_at, NOW + OUTAGE_MOST_S);
}
END_TEST

START_TEST(short_pauses_between_tries_make_short_ones_between_probes)
{
    struct settings hasty = {.retry_min_ms = 1000, .retry_max_ms = 1000};

    for (unsigned i = 0; i < SEEDS; i++) {
        outage = (struct outage){0};
        outage_run_failed(&outage, &hasty, NOW, &rng);
        ck_assert_int_eq(outage.probe_at, NOW + 1);
    }
}
END_TEST

START_TEST(a_clock_that_was_set_back_does_not_put_a_probe_off)
{
    outage_run_failed(&outage, &settings, NOW, &rng);
    ck_assert(outage_probe_is_due(&outage, NOW - 3600));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outage");
    TCase *cases = tcase_create("outage");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_failed_run_makes_it_look_once);
    tcase_add_test(cases, a_run_that_succeeded_ends_it);
    tcase_add_test(cases, servers_that_were_never_gone_are_no_reason_to_try_everything);
    tcase_add_test(cases, servers_that_are_back_are_said_to_be_once);
    tcase_add_test(cases, probes_come_further_apart_but_never_more_than_a_minute);
    tcase_add_test(cases, after_any_number_of_probes_the_pause_is_the_same);
    tcase_add_test(cases, short_pauses_between_tries_make_short_ones_between_probes);
    tcase_add_test(cases, a_clock_that_was_set_back_does_not_put_a_probe_off);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
