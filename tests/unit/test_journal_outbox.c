#include "finalize/journal/journal_outbox.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define ID "00000000-0000-4000-8000-000000000000"

static struct journal *journal;
static struct error err;

static void set_up(void)
{
    error_clear(&err);
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
}

static void tear_down(void)
{
    journal_close(journal);
}

static unsigned add(int64_t recording_id, const char *body, int64_t now)
{
    unsigned dropped = 99;

    ck_assert_msg(journal_add_webhook(journal, recording_id, ID, body, now, &dropped, &err), "%s",
                  err.text);
    return dropped;
}

/* The body of what is taken, "" when nothing is due. *ret_id may be NULL. */
static const char *take(int64_t recording_id, int64_t now, int64_t *ret_id)
{
    static char body[64];
    struct journal_webhook webhook;
    bool found;

    ck_assert_msg(
        journal_take_webhook(journal, recording_id, now, now + 100, &webhook, &found, &err), "%s",
        err.text);
    if (!found)
        return "";
    ck_assert_str_eq(webhook.event_id, ID);
    snprintf(body, sizeof body, "%s", buffer_text(&webhook.body));
    buffer_done(&webhook.body);
    if (ret_id)
        *ret_id = webhook.id;
    return body;
}

static int64_t next_at(void)
{
    int64_t at = -1;

    ck_assert(journal_next_webhook_at(journal, 500, &at, &err));
    return at;
}

START_TEST(events_of_a_recording_are_handed_out_one_after_the_other)
{
    int64_t id;

    ck_assert_int_eq(next_at(), 0);
    add(1, "first", 1000);
    add(1, "second", 1000);
    add(2, "other", 1000);
    ck_assert_int_eq(next_at(), 1000);
    ck_assert_str_eq(take(0, 999, NULL), "");
    ck_assert_str_eq(take(0, 1000, &id), "first");
    ck_assert_str_eq(take(0, 1000, NULL), "other");
    ck_assert_str_eq(take(0, 1000, NULL), "");
    ck_assert(journal_finish_webhook(journal, id, &err));
    ck_assert_str_eq(take(0, 1000, NULL), "second");
}
END_TEST

START_TEST(who_takes_one_has_it_for_himself_for_a_while)
{
    add(1, "event", 1000);
    ck_assert_str_eq(take(0, 1000, NULL), "event");
    ck_assert_str_eq(take(0, 1099, NULL), "");
    ck_assert_int_eq(next_at(), 1100);
    ck_assert_str_eq(take(0, 1100, NULL), "event"); /* he was killed */
}
END_TEST

START_TEST(one_recording_can_be_asked_for)
{
    add(1, "one", 1000);
    add(2, "two", 1000);
    ck_assert_str_eq(take(2, 1000, NULL), "two");
    ck_assert_str_eq(take(3, 1000, NULL), "");
}
END_TEST

START_TEST(one_that_nobody_takes_does_not_stand_before_new_ones)
{
    int64_t id;

    add(1, "refused", 1000);
    ck_assert_str_eq(take(0, 1000, &id), "refused");
    ck_assert(journal_postpone_webhook(journal, id, 1010, "400", false, &err));
    add(2, "new", 1005);
    ck_assert_str_eq(take(0, 2000, NULL), "new");
    ck_assert_str_eq(take(0, 2000, NULL), "refused");
}
END_TEST

START_TEST(while_nobody_is_there_all_wait)
{
    int64_t id;

    add(1, "one", 1000);
    add(2, "two", 1000);
    add(3, "three", 3000);
    ck_assert_str_eq(take(0, 1000, &id), "one");
    ck_assert(journal_postpone_webhook(journal, id, 1500, "not reached", true, &err));
    ck_assert_int_eq(next_at(), 1500);
    ck_assert_str_eq(take(0, 1499, NULL), "");
    ck_assert_str_eq(take(0, 1500, NULL), "two");
    ck_assert_str_eq(take(0, 1500, NULL), "one");
    ck_assert_str_eq(take(0, 1510, NULL), "");
}
END_TEST

START_TEST(an_event_that_was_planned_before_the_clock_was_set_back_is_due)
{
    add(1, "event", 1000000);
    ck_assert_int_eq(next_at(), 500);
    ck_assert_str_eq(take(0, 1000000 - 3600, NULL), ""); /* as far ahead as a pause may be */
    ck_assert_str_eq(take(0, 5000, NULL), "event");
    ck_assert_str_eq(take(0, 5000, NULL), ""); /* from here on it is held as any other */
}
END_TEST

START_TEST(there_is_a_ceiling_and_the_oldest_go)
{
    ck_assert(journal_begin(journal, &err));
    for (unsigned i = 0; i < JOURNAL_OUTBOX_MOST; i++)
        ck_assert_uint_eq(add(i + 1, i ? "later" : "oldest", 1000), 0);
    ck_assert(journal_commit(journal, &err));
    ck_assert_uint_eq(add(7, "newest", 1000), 1);
    ck_assert_str_eq(take(1, 1000, NULL), "");
    ck_assert_str_eq(take(2, 1000, NULL), "later");
}
END_TEST

static int64_t add_recording(void)
{
    struct journal_recording recording;

    ck_assert(journal_begin_recording(journal, "/r/1", "1", 1000, &recording, &err));
    return recording.id;
}

START_TEST(what_was_announced_is_remembered)
{
    enum journal_announced announced;
    int64_t id = add_recording();
    unsigned files;

    ck_assert(journal_load_announced(journal, id, &announced, &files, &err));
    ck_assert_int_eq(announced, JOURNAL_ANNOUNCED_NOTHING);
    ck_assert(journal_save_announced(journal, id, JOURNAL_ANNOUNCED_FAILED, 1, &err));
    ck_assert(journal_save_announced(journal, id, JOURNAL_ANNOUNCED_UPLOADED, 3, &err));
    ck_assert(journal_load_announced(journal, id, &announced, &files, &err));
    ck_assert_int_eq(announced, JOURNAL_ANNOUNCED_UPLOADED);
    ck_assert_uint_eq(files, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_outbox");
    TCase *tcase = tcase_create("journal_outbox");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, events_of_a_recording_are_handed_out_one_after_the_other);
    tcase_add_test(tcase, who_takes_one_has_it_for_himself_for_a_while);
    tcase_add_test(tcase, one_recording_can_be_asked_for);
    tcase_add_test(tcase, one_that_nobody_takes_does_not_stand_before_new_ones);
    tcase_add_test(tcase, while_nobody_is_there_all_wait);
    tcase_add_test(tcase, an_event_that_was_planned_before_the_clock_was_set_back_is_due);
    tcase_add_test(tcase, there_is_a_ceiling_and_the_oldest_go);
    tcase_add_test(tcase, what_was_announced_is_remembered);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
