#include "finalize/s3/s3_code.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>

static const struct {
    const char *code;
    int status;
    const char *text;
    enum s3_outcome outcome;
    enum s3_meaning meaning;
} rows[] = {
    {"SlowDown", 400, "", S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"RequestTimeout", 400, "", S3_RETRY, S3_MEANS_OTHER},
    {"BadDigest", 400, "", S3_RETRY, S3_MEANS_DAMAGED},
    {"AccessDenied", 403, "Access Denied.", S3_REFUSED, S3_MEANS_RIGHT},
    {"AccessDenied", 403, "storage cap exceeded", S3_REFUSED, S3_MEANS_QUOTA},
    {"AccessDenied", 403, "with an explicit deny in a policy", S3_REFUSED, S3_MEANS_POLICY},
    {"AccessDenied", 403, "GetObject of a.mp4: no", S3_REFUSED, S3_MEANS_RIGHT_TO_LIST},
    {"InvalidRequest", 400, "Content-MD5 is required", S3_REFUSED, S3_MEANS_MD5_WANTED},
    {"InvalidRequest", 400, "no", S3_REFUSED, S3_MEANS_OTHER},
    /* A code goes before its status, a code that is not known leaves it to the status. */
    {"InternalError", 200, "", S3_RETRY, S3_MEANS_OTHER},
    {"AccessDenied", 503, "", S3_REFUSED, S3_MEANS_RIGHT},
    {"Teapot", 503, "", S3_SLOW_DOWN, S3_MEANS_OTHER},
    {"Teapot", 418, "", S3_REFUSED, S3_MEANS_OTHER},
    {"Teapot", 200, "", S3_RETRY, S3_MEANS_OTHER},
    {"", 413, "", S3_REFUSED, S3_MEANS_BODY_LIMIT},
    {"", 502, "", S3_RETRY, S3_MEANS_OTHER},
    {"", 507, "", S3_REFUSED, S3_MEANS_FULL},
    {"", 307, "", S3_SIGN_AGAIN, S3_MEANS_REGION},
};

START_TEST(each_code_and_status_has_its_outcome_and_meaning)
{
    const struct s3_code *found = s3_code_find(rows[_i].code, rows[_i].status, rows[_i].text);

    ck_assert_int_eq(found->outcome, rows[_i].outcome);
    ck_assert_int_eq(found->meaning, rows[_i].meaning);
}
END_TEST

START_TEST(the_text_of_an_error_that_was_kept_means_the_same)
{
    char text[200];

    if (*rows[_i].code)
        snprintf(text, sizeof text, "%s (%d %s)", rows[_i].text, rows[_i].status, rows[_i].code);
    else
        snprintf(text, sizeof text, "HTTP status %d, not an S3 reply", rows[_i].status);
    ck_assert_int_eq(s3_code_in(text)->meaning, rows[_i].meaning);
}
END_TEST

START_TEST(a_text_without_a_code_means_nothing_in_particular)
{
    ck_assert_int_eq(s3_code_in("the file vanished")->meaning, S3_MEANS_OTHER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("s3_code");
    TCase *cases = tcase_create("cases");
    const int count = sizeof rows / sizeof rows[0];

    tcase_add_loop_test(cases, each_code_and_status_has_its_outcome_and_meaning, 0, count);
    tcase_add_loop_test(cases, the_text_of_an_error_that_was_kept_means_the_same, 0, count);
    tcase_add_test(cases, a_text_without_a_code_means_nothing_in_particular);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
