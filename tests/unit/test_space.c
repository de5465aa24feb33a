#include "watcher/space.h"

#include "tests/unit/unit.h"

#include <check.h>

#define MINUTE_MS  UINT64_C(60000)
#define HOUR_MS    (60 * MINUTE_MS)
#define WARNING_MS (4 * HOUR_MS)
#define GIB        (UINT64_C(1) << 30)

/* ---- the trend ------------------------------------------------------------------------------ */

/* A disk that loses `rate` bytes a second (negative: gains), sampled every `step_ms`. */
static struct space_trend watch(int64_t rate, uint64_t step_ms, uint64_t span_ms)
{
    struct space_trend trend = {0};

    for (uint64_t ms = 0; ms <= span_ms; ms += step_ms)
        space_add_sample(&trend, 5000 + ms, 100 * GIB - (uint64_t)(rate * (int64_t)(ms / 1000)));
    return trend;
}

static void assert_about(uint64_t value, uint64_t expected)
{
    ck_assert_msg(value >= expected - expected / 100 && value <= expected + expected / 100,
                  "%llu, not about %llu", (unsigned long long)value, (unsigned long long)expected);
}

START_TEST(a_disk_that_fills_steadily_is_full_when_arithmetic_says)
{
    static const uint64_t STEPS_MS[] = {1000, 7000, 15000, 30000, 60000};
    struct space_trend trend = watch(1000000, STEPS_MS[_i], 30 * MINUTE_MS);
    uint64_t seconds = 0;

    ck_assert(space_full_in(&trend, &seconds));
    assert_about(seconds, (100 * GIB - UINT64_C(1000000) * 1800) / 1000000);
}
END_TEST

START_TEST(nothing_is_said_of_a_disk_that_does_not_fill)
{
    struct space_trend same = watch(0, 15000, 20 * MINUTE_MS);
    struct space_trend emptier = watch(-5000, 15000, 20 * MINUTE_MS);
    struct space_trend glacial = watch(100, 15000, 20 * MINUTE_MS);
    uint64_t seconds = 42;

    ck_assert(!space_full_in(&same, &seconds));
    ck_assert(!space_full_in(&emptier, &seconds));
    ck_assert(!space_full_in(&glacial, &seconds));
    ck_assert_uint_eq(seconds, 42);
}
END_TEST

START_TEST(nothing_is_said_before_a_minute_has_passed)
{
    struct space_trend none = {0};
    struct space_trend young = watch(1000000, 15000, 45000);
    uint64_t seconds;

    ck_assert(!space_full_in(&none, &seconds));
    ck_assert(!space_full_in(&young, &seconds));
    space_add_sample(&young, 5000 + 60000, 99 * GIB);
    ck_assert(space_full_in(&young, &seconds));
}
END_TEST

START_TEST(what_happened_long_ago_does_not_count)
{
    struct space_trend trend = watch(-1000000, 15000, 20 * MINUTE_MS);
    uint64_t free_bytes = 50 * GIB;
    uint64_t seconds = 0;

    for (uint64_t i = 1; i <= 44; i++)
        space_add_sample(&trend, 5000 + 20 * MINUTE_MS + i * 15000, free_bytes -= 15000000);
    ck_assert(space_full_in(&trend, &seconds));
    assert_about(seconds, free_bytes / 1000000);
}
END_TEST

START_TEST(a_full_disk_that_still_fills_is_full_now)
{
    struct space_trend trend = {0};
    uint64_t seconds = 42;

    space_add_sample(&trend, 0, GIB);
    space_add_sample(&trend, MINUTE_MS, 0);
    ck_assert(space_full_in(&trend, &seconds));
    ck_assert_uint_eq(seconds, 0);
}
END_TEST

/* ---- what is said --------------------------------------------------------------------------- */

static struct space space;
static uint64_t now_ms, free_bytes, full_in_s;

static void set_up(void)
{
    space = (struct space){0};
    now_ms = 1000;
    free_bytes = 100 * GIB;
}

static void tear_down(void)
{
}

/* Half a minute later, with so much less. How often it was said, and what came last. */
static enum space_change later(int64_t shrinks_by, uint64_t warning_ms)
{
    now_ms += MINUTE_MS / 2;
    free_bytes -= (uint64_t)shrinks_by;
    return space_take(&space, free_bytes, warning_ms, now_ms, &full_in_s);
}

static unsigned count_changes(enum space_change wanted, uint64_t for_ms, int64_t shrinks_by,
                              uint64_t warning_ms)
{
    unsigned count = 0;

    for (uint64_t ms = 0; ms < for_ms; ms += MINUTE_MS / 2) {
        enum space_change changes = later(shrinks_by, warning_ms);

        ck_assert(changes == wanted || changes == SPACE_SAME);
        count += changes == wanted;
    }
    return count;
}

START_TEST(a_disk_that_does_not_fill_is_nothing_to_talk_about)
{
    ck_assert_uint_eq(count_changes(SPACE_FILLS, HOUR_MS, 0, WARNING_MS), 0);
    ck_assert_uint_eq(count_changes(SPACE_FILLS, HOUR_MS, -1000, WARNING_MS), 0);
}
END_TEST

START_TEST(a_disk_that_fills_slowly_is_not_either)
{
    ck_assert_uint_eq(count_changes(SPACE_FILLS, HOUR_MS, 1000000, WARNING_MS), 0);
}
END_TEST

START_TEST(a_disk_that_fills_is_said_at_once_and_every_hour)
{
    const int64_t rate = (int64_t)(100 * GIB / (6 * 120)); /* full in six hours */

    ck_assert_uint_eq(count_changes(SPACE_FILLS, 110 * MINUTE_MS, rate, WARNING_MS), 0);
    ck_assert_uint_eq(count_changes(SPACE_FILLS, 3 * HOUR_MS, rate, WARNING_MS), 3);
    ck_assert_uint_gt(full_in_s, 0);
    ck_assert_uint_le(full_in_s, WARNING_MS / 1000);
}
END_TEST

START_TEST(when_it_does_not_fill_any_more_that_is_said_once)
{
    (void)count_changes(SPACE_FILLS, 20 * MINUTE_MS, (int64_t)GIB, WARNING_MS);
    ck_assert(space.warned);
    ck_assert_uint_eq(count_changes(SPACE_IS_FINE, HOUR_MS, 0, WARNING_MS), 1);
    ck_assert_uint_eq(count_changes(SPACE_FILLS, 20 * MINUTE_MS, (int64_t)GIB, WARNING_MS), 1);
}
END_TEST

START_TEST(where_it_is_switched_off_not_even_a_full_disk_is_said)
{
    ck_assert_uint_eq(count_changes(SPACE_FILLS, 20 * MINUTE_MS, (int64_t)GIB, 0), 0);
    free_bytes = 0;
    ck_assert_uint_eq(count_changes(SPACE_FILLS, 2 * MINUTE_MS, 0, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("space");
    TCase *cases = tcase_create("space");
    TCase *trend = tcase_create("trend");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_disk_that_does_not_fill_is_nothing_to_talk_about);
    tcase_add_test(cases, a_disk_that_fills_slowly_is_not_either);
    tcase_add_test(cases, a_disk_that_fills_is_said_at_once_and_every_hour);
    tcase_add_test(cases, when_it_does_not_fill_any_more_that_is_said_once);
    tcase_add_test(cases, where_it_is_switched_off_not_even_a_full_disk_is_said);
    tcase_add_loop_test(trend, a_disk_that_fills_steadily_is_full_when_arithmetic_says, 0, 5);
    tcase_add_test(trend, nothing_is_said_of_a_disk_that_does_not_fill);
    tcase_add_test(trend, nothing_is_said_before_a_minute_has_passed);
    tcase_add_test(trend, what_happened_long_ago_does_not_count);
    tcase_add_test(trend, a_full_disk_that_still_fills_is_full_now);
    suite_add_tcase(suite, trend);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
