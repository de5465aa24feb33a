#include "finalize/upload/upload_strays.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct upload_strays strays;

static void set_up(void)
{
    strays = (struct upload_strays){.key = NULL};
    upload_strays_begin(&strays, "k.mp4");
}

static void tear_down(void)
{
    upload_strays_done(&strays);
}

/* The request that comes next, as "ListParts u1". */
static const char *next(void)
{
    static char text[64];
    struct s3_call call = upload_strays_call(&strays);

    ck_assert_str_eq(call.key, "k.mp4");
    snprintf(text, sizeof text, "%s %s", s3_operation_name(call.operation),
             call.upload_id ? call.upload_id : "");
    return text;
}

/* Takes a reply; `count` items in its listing, named u1, u2 …. */
static bool take(enum s3_outcome outcome, size_t count)
{
    struct s3_result result = {.outcome = outcome, .sent = true};
    bool more;

    result.listing.items = count ? calloc(count, sizeof *result.listing.items) : NULL;
    result.listing.count = count;
    for (size_t i = 0; i < count; i++) {
        char id[32];

        snprintf(id, sizeof id, "u%zu", i + 1);
        result.listing.items[i].upload_id = strdup(id);
        result.listing.items[i].key = strdup("k.mp4");
    }
    more = upload_strays_take_reply(&strays, &result);
    s3_result_done(&result); /* what was taken is not in it any more */
    return more;
}

START_TEST(without_candidates_the_search_is_over)
{
    ck_assert_str_eq(next(), "ListMultipartUploads ");
    ck_assert(!take(S3_DONE, 0));
}
END_TEST

START_TEST(a_refused_search_is_over)
{
    static const enum s3_outcome outcomes[] = {S3_REFUSED, S3_NO_SUCH_KEY, S3_NO_SUCH_UPLOAD};

    for (unsigned i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        upload_strays_begin(&strays, "k.mp4");
        ck_assert(!take(outcomes[i], 0));
    }
}
END_TEST

START_TEST(an_upload_without_parts_is_aborted)
{
    ck_assert(take(S3_DONE, 1));
    ck_assert_str_eq(next(), "ListParts u1");
    ck_assert(take(S3_DONE, 0));
    ck_assert_str_eq(next(), "AbortMultipartUpload u1");
    ck_assert(!take(S3_DONE, 0));
}
END_TEST

START_TEST(an_upload_with_parts_is_left_alone)
{
    ck_assert(take(S3_DONE, 1));
    ck_assert(!take(S3_DONE, 1));
}
END_TEST

START_TEST(one_that_cannot_be_inspected_is_left_alone_and_the_next_one_looked_at)
{
    ck_assert(take(S3_DONE, 3));
    ck_assert(take(S3_REFUSED, 0));
    ck_assert_str_eq(next(), "ListParts u2");
    ck_assert(take(S3_NO_SUCH_UPLOAD, 0));
    ck_assert_str_eq(next(), "ListParts u3");
    ck_assert(!take(S3_REFUSED, 0));
}
END_TEST

START_TEST(one_that_cannot_be_aborted_does_not_end_the_search)
{
    ck_assert(take(S3_DONE, 2));
    ck_assert(take(S3_DONE, 0));
    ck_assert(take(S3_REFUSED, 0));
    ck_assert_str_eq(next(), "ListParts u2");
    ck_assert(take(S3_DONE, 0));
    ck_assert_str_eq(next(), "AbortMultipartUpload u2");
    ck_assert(!take(S3_NO_SUCH_UPLOAD, 0));
}
END_TEST

START_TEST(a_search_can_be_begun_anew_in_the_middle)
{
    ck_assert(take(S3_DONE, 3));
    ck_assert(take(S3_DONE, 0));
    upload_strays_begin(&strays, "k.mp4");
    ck_assert_str_eq(next(), "ListMultipartUploads ");
    ck_assert(take(S3_DONE, 1));
    ck_assert_str_eq(next(), "ListParts u1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upload_strays");
    TCase *cases = tcase_create("upload_strays");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, without_candidates_the_search_is_over);
    tcase_add_test(cases, a_refused_search_is_over);
    tcase_add_test(cases, an_upload_without_parts_is_aborted);
    tcase_add_test(cases, an_upload_with_parts_is_left_alone);
    tcase_add_test(cases, one_that_cannot_be_inspected_is_left_alone_and_the_next_one_looked_at);
    tcase_add_test(cases, one_that_cannot_be_aborted_does_not_end_the_search);
    tcase_add_test(cases, a_search_can_be_begun_anew_in_the_middle);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
