/*
 * test_leftover - leftovers aborted in a bucket in memory, which stands in for the network.
 */
#include "finalize/lifecycle/leftover.h"

#include "tests/unit/fake_network.h"
#include "tests/unit/unit.h"

#include <check.h>

static struct settings settings;
static struct journal *journal;
static struct error err;
static struct leftover_result result;

static void set_up(void)
{
    memset(&bucket, 0, sizeof bucket);
    settings = (struct settings){.s3_url = "https://s3.example.net/", .s3_bucket = "recordings"};
    error_clear(&err);
    ck_assert(journal_open(":memory:", &journal, &err));
}

static void tear_down(void)
{
    journal_close(journal);
}

static void leave(const char *key, const char *upload_id)
{
    ck_assert_msg(
        journal_add_leftover(journal, "s3.example.net/recordings", key, upload_id, 1000, &err),
        "%s", err.text);
}

static void abort_all(void)
{
    static char s3; /* there is one; it is never looked into */

    ck_assert_msg(
        leftover_abort(&settings, journal, NULL, (struct s3 *)&s3, NULL, UINT64_MAX, &result, &err),
        "%s", err.text);
}

static void assert_left(unsigned left)
{
    struct journal_leftover leftover = {.id = 0};
    unsigned count = 0;
    bool found = true;

    for (;; count++) {
        ck_assert(journal_next_leftover(journal, leftover.id, &leftover, &found, &err));
        if (!found)
            break;
    }
    ck_assert_uint_eq(count, left);
    ck_assert_uint_eq(result.left, left);
}

/* That the row of the first one says why it is still there. */
static void assert_noted(const char *why)
{
    struct journal_leftover leftover;
    bool found;

    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err) && found);
    ck_assert_msg(strstr(leftover.last_error, why), "%s", leftover.last_error);
}

static void refuse(enum s3_operation operation, unsigned last, enum s3_outcome outcome)
{
    fake_fault_on(&bucket, (struct fake_fault){.operation = operation,
                                               .first = 1,
                                               .last = last,
                                               .kind = FAKE_ANSWER,
                                               .outcome = outcome,
                                               .code = "InternalError"});
}

START_TEST(an_upload_of_known_id_is_aborted)
{
    leave("a", fake_open_upload(&bucket, "a", "m")->id);
    leave("b", "gone already");
    abort_all();
    ck_assert_uint_eq(result.aborted, 2);
    ck_assert_uint_eq(fake_open_uploads(&bucket), 0);
    assert_left(0);
}
END_TEST

START_TEST(of_unknown_id_those_of_the_key_without_parts_are_aborted_and_no_others)
{
    struct fake_upload *with_parts = fake_open_upload(&bucket, "a", "m");
    struct fake_upload *stray = fake_open_upload(&bucket, "a", "m");
    struct fake_upload *of_another_key = fake_open_upload(&bucket, "b", "m");

    with_parts->parts[0].there = true;
    leave("a", "");
    abort_all();
    ck_assert(!stray->open && with_parts->open && of_another_key->open);
    assert_left(0);
}
END_TEST

START_TEST(what_cannot_be_asked_now_is_left_for_another_time)
{
    static const enum s3_operation operations[] = {S3_LIST_UPLOADS, S3_LIST_PARTS, S3_ABORT_UPLOAD};

    fake_open_upload(&bucket, "a", "m");
    leave("a", "");
    refuse(operations[_i], 1, S3_RETRY);
    abort_all();
    ck_assert_uint_eq(fake_open_uploads(&bucket), 1);
    ck_assert_int_eq(result.why.kind, ERROR_TRANSIENT);
    assert_left(1);
    assert_noted("InternalError");
    abort_all();
    ck_assert_uint_eq(fake_open_uploads(&bucket), 0);
    assert_left(0);
}
END_TEST

START_TEST(what_is_refused_stays_remembered_and_the_others_go)
{
    leave("a", "");
    leave("b", fake_open_upload(&bucket, "b", "m")->id);
    refuse(S3_LIST_UPLOADS, FAKE_ALWAYS, S3_REFUSED);
    leave("c", "gone already");
    refuse(S3_ABORT_UPLOAD, 1, S3_REFUSED);
    abort_all();
    ck_assert_uint_eq(result.aborted, 1);
    ck_assert_int_eq(result.why.kind, ERROR_PERMANENT);
    assert_left(2);
    assert_noted("InternalError");
    bucket.fault_count = 0;
    abort_all();
    assert_left(0);
}
END_TEST

START_TEST(one_that_cannot_be_inspected_is_left_for_another_time_and_the_next_one_looked_at)
{
    struct fake_upload *first = fake_open_upload(&bucket, "a", "m");
    struct fake_upload *second = fake_open_upload(&bucket, "a", "m");

    leave("a", "");
    refuse(S3_LIST_PARTS, 1, S3_REFUSED);
    abort_all();
    ck_assert(first->open && !second->open);
    assert_left(1);
}
END_TEST

START_TEST(one_of_another_server_waits_for_the_settings_that_reach_it)
{
    leave("a", fake_open_upload(&bucket, "a", "m")->id);
    settings.s3_url = "https://s3.example.org/";
    abort_all();
    ck_assert_uint_eq(bucket.total_calls, 0);
    ck_assert_ptr_nonnull(strstr(result.why.text, "s3.example.net/recordings"));
    assert_left(1);
    settings.s3_url = "http://s3.example.net";
    settings.s3_bucket = "new";
    abort_all();
    assert_left(0);
    ck_assert_uint_eq(fake_open_uploads(&bucket), 0);
    ck_assert_str_eq(bucket.last_location, "s3.example.net/recordings");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("leftover");
    TCase *cases = tcase_create("leftover");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, an_upload_of_known_id_is_aborted);
    tcase_add_test(cases, of_unknown_id_those_of_the_key_without_parts_are_aborted_and_no_others);
    tcase_add_loop_test(cases, what_cannot_be_asked_now_is_left_for_another_time, 0, 3);
    tcase_add_test(cases, what_is_refused_stays_remembered_and_the_others_go);
    tcase_add_test(
        cases, one_that_cannot_be_inspected_is_left_for_another_time_and_the_next_one_looked_at);
    tcase_add_test(cases, one_of_another_server_waits_for_the_settings_that_reach_it);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
