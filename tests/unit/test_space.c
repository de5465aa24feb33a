#include "watcher/space.h"

#include "tests/unit/unit.h"

#include <check.h>

#define MINUTE_MS  UINT64_C(60000)
#define HOUR_MS    (60 * MINUTE_MS)
#define WARNING_MS (4 * HOUR_MS)
#define GIB        (UINT64_C(1) << 30)

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

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_disk_that_does_not_fill_is_nothing_to_talk_about);
    tcase_add_test(cases, a_disk_that_fills_slowly_is_not_either);
    tcase_add_test(cases, a_disk_that_fills_is_said_at_once_and_every_hour);
    tcase_add_test(cases, when_it_does_not_fill_any_more_that_is_said_once);
    tcase_add_test(cases, where_it_is_switched_off_not_even_a_full_disk_is_said);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
