#include "watcher/starts.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>

#define NOW_MS UINT64_C(5000000)

static struct starts starts;

static void set_up(void)
{
    starts = (struct starts){0};
}

static void tear_down(void)
{
}

START_TEST(the_same_work_is_started_at_most_three_times_in_ten_seconds)
{
    uint64_t times[64] = {0};
    unsigned count = 0;

    /* Tried every millisecond for a minute. */
    for (uint64_t now_ms = NOW_MS; now_ms < NOW_MS + 60000; now_ms++) {
        if (starts_wait_ms(&starts, 1, "/r/a", now_ms))
            continue;
        starts_note(&starts, 1, "/r/a", now_ms);
        times[count++] = now_ms;
        ck_assert_uint_lt(count, 64);
        if (count > 3)
            ck_assert_uint_ge(now_ms - times[count - 4], 10000);
    }
    ck_assert_uint_eq(count, 18);
}
END_TEST

START_TEST(the_wait_is_what_is_left_of_the_ten_seconds)
{
    starts_note(&starts, 1, "/r/a", NOW_MS);
    starts_note(&starts, 1, "/r/a", NOW_MS + 1000);
    ck_assert_uint_eq(starts_wait_ms(&starts, 1, "/r/a", NOW_MS + 2000), 0);
    starts_note(&starts, 1, "/r/a", NOW_MS + 2000);
    ck_assert_uint_eq(starts_wait_ms(&starts, 1, "/r/a", NOW_MS + 3000), 7000);
    ck_assert_uint_eq(starts_wait_ms(&starts, 1, "/r/a", NOW_MS + 9999), 1);
    ck_assert_uint_eq(starts_wait_ms(&starts, 1, "/r/a", NOW_MS + 10000), 0);
}
END_TEST

START_TEST(other_work_is_not_held_off)
{
    for (unsigned i = 0; i < STARTS_MOST; i++)
        starts_note(&starts, 1, "/r/a", NOW_MS);
    ck_assert_uint_ne(starts_wait_ms(&starts, 1, "/r/a", NOW_MS), 0);
    ck_assert_uint_eq(starts_wait_ms(&starts, 2, "/r/a", NOW_MS), 0);
    ck_assert_uint_eq(starts_wait_ms(&starts, 1, "/r/b", NOW_MS), 0);
}
END_TEST

START_TEST(more_works_than_are_kept_wait_for_each_other)
{
    char name[32];

    for (unsigned i = 0; i < STARTS_KEPT; i++) {
        snprintf(name, sizeof name, "/r/%u", i);
        ck_assert_uint_eq(starts_wait_ms(&starts, 1, name, NOW_MS + i), 0);
        starts_note(&starts, 1, name, NOW_MS + i);
    }
    ck_assert_uint_eq(starts_wait_ms(&starts, 1, "/r/x", NOW_MS + STARTS_KEPT),
                      STARTS_WINDOW_MS - STARTS_KEPT);
    ck_assert_uint_eq(starts_wait_ms(&starts, 1, "/r/x", NOW_MS + STARTS_WINDOW_MS), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("starts");
    TCase *cases = tcase_create("starts");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, the_same_work_is_started_at_most_three_times_in_ten_seconds);
    tcase_add_test(cases, the_wait_is_what_is_left_of_the_ten_seconds);
    tcase_add_test(cases, other_work_is_not_held_off);
    tcase_add_test(cases, more_works_than_are_kept_wait_for_each_other);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
