#include "finalize/journal/schedule.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <limits.h>

#define NOW   INT64_C(1700000000)
#define SEEDS 2000u

struct pace {
    uint64_t min_ms, max_ms;
    unsigned failures;
    enum schedule_kind which;
    int64_t least_s, most_s;
};

static const struct pace paces[] = {
    {30000, 3600000, 1, SCHEDULE_RETRY, 15, 30},
    {30000, 3600000, 0, SCHEDULE_RETRY, 15, 30}, /* as the first */
    {30000, 3600000, 2, SCHEDULE_RETRY, 30, 60},
    {30000, 3600000, 3, SCHEDULE_RETRY, 60, 120},
    {30000, 3600000, 7, SCHEDULE_RETRY, 960, 1920},
    {30000, 3600000, 8, SCHEDULE_RETRY, 1800, 3600}, /* not 3840 */
    {30000, 3600000, 9, SCHEDULE_RETRY, 1800, 3600},
    {30000, 3600000, UINT_MAX, SCHEDULE_RETRY, 1800, 3600},
    {30000, 3600000, 1, SCHEDULE_PERSON, 1800, 3600},
    {30000, 3600000, 0, SCHEDULE_PERSON, 1800, 3600},
    {30000, 3600000, UINT_MAX, SCHEDULE_PERSON, 1800, 3600},
    {1000, 1000, 1, SCHEDULE_RETRY, 1, 1}, /* whole seconds, never none */
    {1000, 1000, 100, SCHEDULE_RETRY, 1, 1},
    {86400000, 604800000, UINT_MAX, SCHEDULE_RETRY, 302400,
     604800},                                 /* the largest that may be set */
    {60000, 1000, 1, SCHEDULE_RETRY, 30, 60}, /* the shorter one is the longer one */
    {60000, 1000, 20, SCHEDULE_RETRY, 30, 60},
    {60000, 1000, 1, SCHEDULE_PERSON, 30, 60},
    {30000, 3600000, 1, SCHEDULE_EVENT, 5, 10}, /* whatever the settings say */
    {1000, 1000, UINT_MAX, SCHEDULE_EVENT, 1800, 3600},
    {30000, 3600000, 1, SCHEDULE_PROBE, 3, 5},
    {30000, 3600000, 2, SCHEDULE_PROBE, 5, 10},
    {30000, 3600000, UINT_MAX, SCHEDULE_PROBE, 10, 20},
    {1000, 1000, UINT_MAX, SCHEDULE_PROBE, 1, 1},
};

START_TEST(the_pause_lies_between_a_half_and_all_of_its_bound)
{
    const struct pace *pace = &paces[_i];
    struct settings settings = {.retry_min_ms = pace->min_ms, .retry_max_ms = pace->max_ms};
    int64_t least = INT64_MAX;
    int64_t most = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct rng rng = {.state = seed};
        int64_t pause = schedule_next_try(&settings, pace->which, pace->failures, NOW, &rng) - NOW;

        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
        ck_assert(schedule_is_due(&settings, NOW + pause, NOW + pause));
        ck_assert(!schedule_is_due(&settings, NOW + pause, NOW + pause - 1));
    }
    ck_assert_int_ge(least, pace->least_s);
    ck_assert_int_le(most, pace->most_s);
    /* All of that range is used. */
    ck_assert_int_le(least, pace->least_s + (pace->most_s - pace->least_s) / 10 + 1);
    ck_assert_int_ge(most, pace->most_s - (pace->most_s - pace->least_s) / 10 - 1);
}
END_TEST

START_TEST(a_fleet_does_not_come_back_at_one_instant)
{
    struct settings settings = {.retry_min_ms = 30000, .retry_max_ms = 3600000};
    unsigned at[3600] = {0};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct rng rng = {.state = seed};

        at[schedule_next_try(&settings, SCHEDULE_RETRY, 8, 0, &rng) - 1]++;
    }
    for (unsigned second = 0; second < 3600; second++)
        ck_assert_uint_lt(at[second], SEEDS / 100);
}
END_TEST

START_TEST(a_time_that_no_pause_reaches_has_come)
{
    struct settings settings = {.retry_min_ms = 30000, .retry_max_ms = 3600000};

    ck_assert(schedule_is_due(&settings, 0, NOW));
    ck_assert(schedule_is_due(&settings, NOW, NOW));
    ck_assert(!schedule_is_due(&settings, NOW + 1, NOW));
    ck_assert(!schedule_is_due(&settings, NOW + 3600, NOW));
    ck_assert(schedule_is_due(&settings, NOW + 3700, NOW));
    settings.retry_max_ms = 86400000;
    ck_assert(!schedule_is_due(&settings, NOW + 86400, NOW));
    settings.retry_max_ms = 1000; /* made shorter: a server may still have asked for an hour */
    ck_assert(!schedule_is_due(&settings, NOW + 3600, NOW));
    ck_assert(schedule_is_due(&settings, NOW + 86400, NOW));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *cases = tcase_create("schedule");

    tcase_add_loop_test(cases, the_pause_lies_between_a_half_and_all_of_its_bound, 0,
                        (int)(sizeof paces / sizeof paces[0]));
    tcase_add_test(cases, a_fleet_does_not_come_back_at_one_instant);
    tcase_add_test(cases, a_time_that_no_pause_reaches_has_come);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
