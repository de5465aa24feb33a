#include "watcher/watched.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct watched_sessions sessions;

static void set_up(void)
{
    sessions = (struct watched_sessions){0};
}

static void tear_down(void)
{
    watched_done(&sessions);
}

static void assert_sorted(void)
{
    for (size_t i = 1; i < sessions.count; i++)
        ck_assert_str_lt(sessions.list[i - 1].directory, sessions.list[i].directory);
}

START_TEST(a_session_is_added_once_and_found_again)
{
    struct watched_session *session = watched_get(&sessions, "/r/b");

    ck_assert_ptr_nonnull(session);
    ck_assert_str_eq(session->directory, "/r/b");
    ck_assert(!session->look_at && !session->working && !session->left_due);
    session->look_at = 7;
    ck_assert_ptr_nonnull(watched_get(&sessions, "/r/a"));
    ck_assert_ptr_nonnull(watched_get(&sessions, "/r/c"));
    ck_assert_int_eq(watched_get(&sessions, "/r/b")->look_at, 7);
    ck_assert_uint_eq(sessions.count, 3);
}
END_TEST

START_TEST(whatever_the_order_of_coming_and_going_they_are_sorted)
{
    char path[64];

    for (unsigned i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "/r/%u", i * 7919 % 500);
        watched_get(&sessions, path)->look_at = i + 1;
    }
    ck_assert_uint_eq(sessions.count, 500);
    assert_sorted();
    for (unsigned i = 0; i < 500; i += 2) {
        snprintf(path, sizeof path, "/r/%u", i);
        watched_remove(&sessions, watched_get(&sessions, path));
    }
    ck_assert_uint_eq(sessions.count, 250);
    assert_sorted();
    for (unsigned i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "/r/%u", i * 7919 % 500);
        if (i * 7919 % 500 % 2) /* the others keep what is known of them */
            ck_assert_int_eq(watched_get(&sessions, path)->look_at, i + 1);
        else
            ck_assert_int_eq(watched_get(&sessions, path)->look_at, 0);
    }
}
END_TEST

START_TEST(the_first_and_the_last_and_the_only_one_can_be_removed)
{
    watched_get(&sessions, "/r/a");
    watched_get(&sessions, "/r/b");
    watched_get(&sessions, "/r/c");
    watched_remove(&sessions, watched_get(&sessions, "/r/a"));
    watched_remove(&sessions, watched_get(&sessions, "/r/c"));
    ck_assert_uint_eq(sessions.count, 1);
    ck_assert_str_eq(sessions.list[0].directory, "/r/b");
    watched_remove(&sessions, &sessions.list[0]);
    ck_assert_uint_eq(sessions.count, 0);
    ck_assert_ptr_nonnull(watched_get(&sessions, "/r/d"));
}
END_TEST

START_TEST(the_next_look_is_the_earliest_of_those_that_are_planned)
{
    ck_assert_int_eq(watched_next_look(&sessions), 0);
    watched_get(&sessions, "/r/a");
    ck_assert_int_eq(watched_next_look(&sessions), 0);
    watched_get(&sessions, "/r/b")->look_at = 30;
    watched_get(&sessions, "/r/c")->look_at = 20;
    watched_get(&sessions, "/r/d")->look_at = 40;
    ck_assert_int_eq(watched_next_look(&sessions), 20);
    watched_remove(&sessions, watched_get(&sessions, "/r/c"));
    ck_assert_int_eq(watched_next_look(&sessions), 30);
}
END_TEST

START_TEST(names_are_bytes)
{
    watched_get(&sessions, "/r/\xff");
    watched_get(&sessions, "/r/a b\n");
    watched_get(&sessions, "/r/a");
    ck_assert_uint_eq(sessions.count, 3);
    ck_assert_str_eq(sessions.list[0].directory, "/r/a");
    ck_assert_ptr_eq(watched_get(&sessions, "/r/\xff"), watched_get(&sessions, "/r/\xff"));
    ck_assert_uint_eq(sessions.count, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watched");
    TCase *cases = tcase_create("watched");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_session_is_added_once_and_found_again);
    tcase_add_test(cases, whatever_the_order_of_coming_and_going_they_are_sorted);
    tcase_add_test(cases, the_first_and_the_last_and_the_only_one_can_be_removed);
    tcase_add_test(cases, the_next_look_is_the_earliest_of_those_that_are_planned);
    tcase_add_test(cases, names_are_bytes);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
