#include "finalize/delivery/pace.h"

#include "tests/unit/unit.h"

#include <check.h>

static void succeed(struct pace *pace, unsigned times)
{
    while (times--)
        pace_succeeded(pace);
}

START_TEST(it_begins_with_what_is_allowed_but_no_more_than_16)
{
    struct pace pace;

    pace_init(&pace, 8);
    ck_assert_uint_eq(pace.now, 8);
    pace_init(&pace, 0);
    ck_assert_uint_eq(pace.now, 1);
    pace_init(&pace, 64);
    ck_assert_uint_eq(pace.now, 16);
}
END_TEST

START_TEST(it_is_halved_when_the_server_wants_less_but_never_stops)
{
    static const unsigned expected[] = {4, 2, 1, 1, 1};
    struct pace pace;

    pace_init(&pace, 9);
    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        pace_slow_down(&pace, 10000 + 1000 * i);
        ck_assert_uint_eq(pace.now, expected[i]);
    }
}
END_TEST

START_TEST(the_replies_of_one_burst_count_once)
{
    struct pace pace;

    pace_init(&pace, 16);
    pace_slow_down(&pace, 5000);
    pace_slow_down(&pace, 5000);
    pace_slow_down(&pace, 5999);
    ck_assert_uint_eq(pace.now, 8);
    pace_slow_down(&pace, 6000);
    ck_assert_uint_eq(pace.now, 4);
}
END_TEST

START_TEST(a_burst_of_failures_counts_as_being_asked_for_less)
{
    static const struct {
        uint64_t at_ms[6]; /* 0: no more */
        unsigned now;
    } rows[] = {
        {{5000, 5100}, 16},                         /* these come one at a time anywhere */
        {{5000, 5400, 5999}, 8},                    /* a burst */
        {{5000, 5001, 5002, 5003, 5004, 5005}, 8},  /* the replies of one burst count once */
        {{5000, 5600, 6200, 6800, 7400, 8000}, 16}, /* no more than two within a second */
        {{5000, 5001, 5002, 6100, 6101, 6102}, 4},  /* it goes on */
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pace pace;

        pace_init(&pace, 16);
        for (unsigned k = 0; k < 6 && rows[i].at_ms[k]; k++)
            pace_failed(&pace, rows[i].at_ms[k]);
        ck_assert_uint_eq(pace.now, rows[i].now);
    }
}
END_TEST

START_TEST(what_a_burst_showed_to_be_too_many_is_not_allowed_again_without_a_trial)
{
    struct pace pace;

    pace_init(&pace, 4);
    for (unsigned i = 0; i < 3; i++)
        pace_failed(&pace, 5000);
    ck_assert_uint_eq(pace.now, 2);
    succeed(&pace, 1000);
    ck_assert_uint_eq(pace.now, 3);
    for (unsigned i = 0; i < 3; i++)
        pace_failed(&pace, 7000);
    ck_assert_uint_eq(pace.now, 1);
    succeed(&pace, 1000);
    ck_assert_uint_eq(pace.now, 2);
}
END_TEST

START_TEST(it_grows_by_one_after_as_many_successes_as_it_is_high)
{
    struct pace pace;

    pace_init(&pace, 8);
    pace_slow_down(&pace, 5000);
    succeed(&pace, 3);
    ck_assert_uint_eq(pace.now, 4);
    succeed(&pace, 1);
    ck_assert_uint_eq(pace.now, 5);
    succeed(&pace, 4);
    ck_assert_uint_eq(pace.now, 5);
    succeed(&pace, 1);
    ck_assert_uint_eq(pace.now, 6);
}
END_TEST

START_TEST(it_never_grows_over_what_is_allowed)
{
    struct pace pace;

    pace_init(&pace, 3);
    succeed(&pace, 1000);
    ck_assert_uint_eq(pace.now, 3);
    pace_slow_down(&pace, 5000);
    succeed(&pace, 1000);
    ck_assert_uint_eq(pace.now, 3);
}
END_TEST

START_TEST(successes_before_a_slow_down_do_not_count_after_it)
{
    struct pace pace;

    pace_init(&pace, 8);
    pace_slow_down(&pace, 5000); /* 4 */
    succeed(&pace, 3);
    pace_slow_down(&pace, 7000); /* 2 */
    succeed(&pace, 1);
    ck_assert_uint_eq(pace.now, 2);
    succeed(&pace, 1);
    ck_assert_uint_eq(pace.now, 3);
}
END_TEST

/* ---- what it brings ---------------------------------------------------------------------------
 */

/* A network: what it carries in a second, with as many requests under way. */
typedef uint64_t network(unsigned under_way);

#define MEGA 1000000u

static uint64_t each_connection_is_limited(unsigned under_way)
{
    return 6 * MEGA * (uint64_t)under_way;
}

static uint64_t the_line_is_full(unsigned under_way)
{
    (void)under_way;
    return 2 * MEGA;
}

static uint64_t twelve_fill_the_line(unsigned under_way)
{
    return 5 * MEGA * (uint64_t)(under_way < 12 ? under_way : 12);
}

static uint64_t thirty_fill_the_line(unsigned under_way)
{
    return 5 * MEGA * (uint64_t)(under_way < 30 ? under_way : 30);
}

struct simulation {
    struct pace pace;
    network *network;
    uint64_t now_ms;
    uint64_t bytes_sent;
    unsigned missing; /* of those that are allowed: there is nothing left to send */
    unsigned lowest, highest;
};

static void begin(struct simulation *simulation, unsigned most, network *chosen)
{
    *simulation = (struct simulation){.network = chosen, .now_ms = 123456};
    pace_init(&simulation->pace, most);
}

static void go_on(struct simulation *simulation, unsigned seconds)
{
    simulation->lowest = simulation->highest = simulation->pace.now;
    for (unsigned i = 0; i < seconds * 20; i++) {
        unsigned under_way = simulation->pace.now - simulation->missing;

        pace_measure(&simulation->pace, under_way, simulation->bytes_sent, simulation->now_ms);
        simulation->bytes_sent += simulation->network(under_way) / 20;
        simulation->now_ms += 50;
        if (simulation->pace.now < simulation->lowest)
            simulation->lowest = simulation->pace.now;
        if (simulation->pace.now > simulation->highest)
            simulation->highest = simulation->pace.now;
    }
}

START_TEST(more_are_under_way_where_each_connection_is_limited)
{
    struct simulation simulation;

    begin(&simulation, 64, each_connection_is_limited);
    go_on(&simulation, 10);
    ck_assert_uint_eq(simulation.pace.now, 64);
    ck_assert_uint_eq(simulation.lowest, 16);
    begin(&simulation, 20, each_connection_is_limited);
    go_on(&simulation, 10);
    ck_assert_uint_eq(simulation.pace.now, 20);
}
END_TEST

START_TEST(fewer_are_under_way_where_the_line_is_full)
{
    struct simulation simulation;

    begin(&simulation, 64, the_line_is_full);
    go_on(&simulation, 15);
    ck_assert_uint_eq(simulation.pace.now, 4);
    ck_assert_uint_le(simulation.highest, 24);
}
END_TEST

START_TEST(it_stays_near_the_number_that_fills_the_line)
{
    struct simulation simulation;

    begin(&simulation, 64, twelve_fill_the_line);
    go_on(&simulation, 10);
    ck_assert_uint_eq(simulation.pace.now, 16);
    begin(&simulation, 64, thirty_fill_the_line);
    go_on(&simulation, 20);
    ck_assert_uint_ge(simulation.pace.now, 30);
    ck_assert_uint_le(simulation.pace.now, 36);
}
END_TEST

START_TEST(when_the_network_changes_it_does_too)
{
    struct simulation simulation;

    begin(&simulation, 64, the_line_is_full);
    go_on(&simulation, 600);
    ck_assert_uint_le(simulation.pace.now, 6);
    simulation.network = each_connection_is_limited;
    go_on(&simulation, 600);
    ck_assert_uint_eq(simulation.pace.now, 64);
}
END_TEST

START_TEST(trials_that_change_nothing_get_rare)
{
    struct simulation simulation;
    unsigned seconds_in_trial = 0;

    begin(&simulation, 24, each_connection_is_limited);
    go_on(&simulation, 1000);
    for (unsigned second = 0; second < 1000; second++) {
        go_on(&simulation, 1);
        seconds_in_trial += simulation.pace.now < 24;
    }
    ck_assert_uint_ge(seconds_in_trial, 1);
    ck_assert_uint_le(seconds_in_trial, 12); /* two seconds in four minutes */
}
END_TEST

START_TEST(with_little_left_to_send_nothing_is_concluded)
{
    struct simulation simulation;

    begin(&simulation, 64, each_connection_is_limited);
    simulation.missing = 1;
    go_on(&simulation, 60);
    ck_assert_uint_eq(simulation.pace.now, 16);
    ck_assert_uint_eq(simulation.highest, 16);
}
END_TEST

START_TEST(a_server_that_wants_less_ends_a_trial_and_is_given_time)
{
    struct simulation simulation;

    begin(&simulation, 64, each_connection_is_limited);
    go_on(&simulation, 2);
    ck_assert_uint_eq(simulation.pace.now, 24);
    for (unsigned i = 0; i < 5; i++) /* of one burst, which also makes it rest once only */
        pace_slow_down(&simulation.pace, simulation.now_ms);
    ck_assert_uint_eq(simulation.pace.now, 12);
    succeed(&simulation.pace, 1000);
    ck_assert_uint_eq(simulation.pace.now, 16); /* as before the trial */
    go_on(&simulation, 10);
    ck_assert_uint_eq(simulation.highest, 16);
    go_on(&simulation, 60);
    ck_assert_uint_eq(simulation.pace.now, 64);
}
END_TEST

START_TEST(it_recovers_from_a_slow_down_while_it_tried_fewer)
{
    struct simulation simulation;

    begin(&simulation, 8, each_connection_is_limited);
    go_on(&simulation, 2);
    ck_assert_uint_eq(simulation.pace.now, 4);
    pace_slow_down(&simulation.pace, simulation.now_ms);
    ck_assert_uint_eq(simulation.pace.now, 2);
    succeed(&simulation.pace, 1000);
    ck_assert_uint_eq(simulation.pace.now, 8);
}
END_TEST

START_TEST(a_few_that_are_allowed_are_all_used)
{
    for (unsigned most = 1; most <= 4; most++) {
        struct simulation simulation;

        begin(&simulation, most, the_line_is_full);
        go_on(&simulation, 100);
        ck_assert_uint_eq(simulation.lowest, most);
        ck_assert_uint_eq(simulation.highest, most);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *cases = tcase_create("pace");

    tcase_add_test(cases, it_begins_with_what_is_allowed_but_no_more_than_16);
    tcase_add_test(cases, it_is_halved_when_the_server_wants_less_but_never_stops);
    tcase_add_test(cases, the_replies_of_one_burst_count_once);
    tcase_add_test(cases, a_burst_of_failures_counts_as_being_asked_for_less);
    tcase_add_test(cases, what_a_burst_showed_to_be_too_many_is_not_allowed_again_without_a_trial);
    tcase_add_test(cases, it_grows_by_one_after_as_many_successes_as_it_is_high);
    tcase_add_test(cases, it_never_grows_over_what_is_allowed);
    tcase_add_test(cases, successes_before_a_slow_down_do_not_count_after_it);
    tcase_add_test(cases, more_are_under_way_where_each_connection_is_limited);
    tcase_add_test(cases, fewer_are_under_way_where_the_line_is_full);
    tcase_add_test(cases, it_stays_near_the_number_that_fills_the_line);
    tcase_add_test(cases, when_the_network_changes_it_does_too);
    tcase_add_test(cases, trials_that_change_nothing_get_rare);
    tcase_add_test(cases, with_little_left_to_send_nothing_is_concluded);
    tcase_add_test(cases, a_server_that_wants_less_ends_a_trial_and_is_given_time);
    tcase_add_test(cases, it_recovers_from_a_slow_down_while_it_tried_fewer);
    tcase_add_test(cases, a_few_that_are_allowed_are_all_used);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
