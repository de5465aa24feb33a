#include "watcher/disk.h"

#include "tests/unit/unit.h"

#include <check.h>

#define MINUTE_MS UINT64_C(60000)
#define GIB       (UINT64_C(1) << 30)

/* A disk that loses `rate` bytes a second (negative: gains), sampled every `step_ms`. */
static struct disk_trend watch(int64_t rate, uint64_t step_ms, uint64_t span_ms)
{
    struct disk_trend trend = {0};

    for (uint64_t ms = 0; ms <= span_ms; ms += step_ms)
        disk_trend_add(&trend, 5000 + ms, 100 * GIB - (uint64_t)(rate * (int64_t)(ms / 1000)));
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
    struct disk_trend trend = watch(1000000, STEPS_MS[_i], 30 * MINUTE_MS);
    uint64_t seconds = 0;

    ck_assert(disk_trend_full_in(&trend, &seconds));
    assert_about(seconds, (100 * GIB - UINT64_C(1000000) * 1800) / 1000000);
}
END_TEST

START_TEST(nothing_is_said_of_a_disk_that_does_not_fill)
{
    struct disk_trend same = watch(0, 15000, 20 * MINUTE_MS);
    struct disk_trend emptier = watch(-5000, 15000, 20 * MINUTE_MS);
    struct disk_trend glacial = watch(100, 15000, 20 * MINUTE_MS);
    uint64_t seconds = 42;

    ck_assert(!disk_trend_full_in(&same, &seconds));
    ck_assert(!disk_trend_full_in(&emptier, &seconds));
    ck_assert(!disk_trend_full_in(&glacial, &seconds));
    ck_assert_uint_eq(seconds, 42);
}
END_TEST

START_TEST(nothing_is_said_before_a_minute_has_passed)
{
    struct disk_trend none = {0};
    struct disk_trend young = watch(1000000, 15000, 45000);
    uint64_t seconds;

    ck_assert(!disk_trend_full_in(&none, &seconds));
    ck_assert(!disk_trend_full_in(&young, &seconds));
    disk_trend_add(&young, 5000 + 60000, 99 * GIB);
    ck_assert(disk_trend_full_in(&young, &seconds));
}
END_TEST

START_TEST(what_happened_long_ago_does_not_count)
{
    struct disk_trend trend = watch(-1000000, 15000, 20 * MINUTE_MS);
    uint64_t free_bytes = 50 * GIB;
    uint64_t seconds = 0;

    for (uint64_t i = 1; i <= 44; i++)
        disk_trend_add(&trend, 5000 + 20 * MINUTE_MS + i * 15000, free_bytes -= 15000000);
    ck_assert(disk_trend_full_in(&trend, &seconds));
    assert_about(seconds, free_bytes / 1000000);
}
END_TEST

START_TEST(a_full_disk_that_still_fills_is_full_now)
{
    struct disk_trend trend = {0};
    uint64_t seconds = 42;

    disk_trend_add(&trend, 0, GIB);
    disk_trend_add(&trend, MINUTE_MS, 0);
    ck_assert(disk_trend_full_in(&trend, &seconds));
    ck_assert_uint_eq(seconds, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("disk");
    TCase *tcase = tcase_create("disk");

    tcase_add_loop_test(tcase, a_disk_that_fills_steadily_is_full_when_arithmetic_says, 0, 5);
    tcase_add_test(tcase, nothing_is_said_of_a_disk_that_does_not_fill);
    tcase_add_test(tcase, nothing_is_said_before_a_minute_has_passed);
    tcase_add_test(tcase, what_happened_long_ago_does_not_count);
    tcase_add_test(tcase, a_full_disk_that_still_fills_is_full_now);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
