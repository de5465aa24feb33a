#include "finalize/program/explain.h"

#include "finalize/report/report.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *advice_for_text(const char *text)
{
    bool has_command;

    return explain_advice_for_text(text, &has_command);
}

START_TEST(each_kind_has_its_exit_code)
{
    static const struct {
        enum error_kind kind;
        int code;
    } rows[] = {
        {ERROR_NONE, 0},      {ERROR_TRANSIENT, 75}, {ERROR_CHANGED, 75},  {ERROR_STOPPED, 75},
        {ERROR_SETTINGS, 78}, {ERROR_USAGE, 64},     {ERROR_NO_INPUT, 66}, {ERROR_PERMANENT, 1},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {.kind = rows[i].kind};

        ck_assert_int_eq(explain_exit_code(&error), rows[i].code);
    }
}
END_TEST

START_TEST(each_s3_code_names_the_setting_to_look_at)
{
    static const struct {
        const char *code;
        const char *named;
    } rows[] = {
        {"AccessDenied", "CONFOMEET_S3_BUCKET"},
        {"AccessDenied", "CONFOMEET_S3_CLIENT_ID"},
        {"AllAccessDisabled", "CONFOMEET_S3_BUCKET"},
        {"InvalidAccessKeyId", "CONFOMEET_S3_CLIENT_ID"},
        {"SignatureDoesNotMatch", "CONFOMEET_S3_CLIENT_SECRET"},
        {"SignatureDoesNotMatch", "CONFOMEET_S3_CLIENT_ID"},
        {"EntityTooLarge", "lower CONFOMEET_S3_PART_SIZE"},
        {"NoSuchBucket", "CONFOMEET_S3_BUCKET"},
        {"InvalidBucketName", "CONFOMEET_S3_BUCKET"},
        {"AuthorizationHeaderMalformed", "CONFOMEET_S3_REGION"},
        {"PermanentRedirect", "CONFOMEET_S3_URL"},
        {"RequestTimeTooSkewed", "clock"},
        {"QuotaExceeded", "quota"},
        {"CloudTotalAliveSizeQuotaExceed", "quota"},
        {"BucketMaxSizeExceeded", "maximum size"},
        {"XMinioStorageFull", "make room"},
        {"InvalidStorageClass", "CONFOMEET_S3_STORAGE_CLASS"},
        {"NotImplemented", "CONFOMEET_S3_CONDITIONAL_WRITES"},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {.kind = ERROR_PERMANENT};

        snprintf(error.s3_code, sizeof error.s3_code, "%s", rows[i].code);
        ck_assert_msg(strstr(explain_advice(&error), rows[i].named) != NULL, "%s: %s", rows[i].code,
                      explain_advice(&error));
    }
}
END_TEST

START_TEST(what_the_code_alone_does_not_tell_is_told_by_text_and_status)
{
    static const struct {
        const char *code;
        int status;
        const char *text;
        const char *named;
    } rows[] = {
        {"AccessDenied", 403, "GetObject of a.mp4: 403 AccessDenied", "s3:ListBucket"},
        {"AccessDenied", 403, "403 AccessDenied: storage cap exceeded", "quota"},
        {"AccessDenied", 403, "with an explicit deny in a bucket policy", "change the policy"},
        {"InvalidRequest", 400, "Content-MD5 is required", "CONFOMEET_S3_CONTENT_MD5"},
        {"MissingContentMD5", 400, "", "CONFOMEET_S3_CONTENT_MD5"},
        {"", 413, "HTTP status 413, not an S3 reply", "CONFOMEET_S3_PART_SIZE"},
        {"", 403, "HTTP status 403, not an S3 reply", "CONFOMEET_PROXY"},
        {"", 404, "HTTP status 404, not an S3 reply", "CONFOMEET_S3_URL"},
        {"", 0, "Empty reply from server (as where https or HTTP/2 alone is spoken)", "HTTP/1.1"},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {.kind = ERROR_PERMANENT, .http_status = rows[i].status};
        char text[200];

        snprintf(error.s3_code, sizeof error.s3_code, "%s", rows[i].code);
        snprintf(error.text, sizeof error.text, "%s", rows[i].text);
        snprintf(text, sizeof text, "%s %s", rows[i].code, rows[i].text);
        ck_assert_msg(strstr(explain_advice(&error), rows[i].named) != NULL, "%u: %s", i,
                      explain_advice(&error));
        ck_assert_msg(strstr(advice_for_text(text), rows[i].named) != NULL, "%u: %s", i,
                      advice_for_text(text));
    }
}
END_TEST

START_TEST(what_to_repair_is_told_without_what_to_call)
{
    static const struct error rows[] = {
        {.kind = ERROR_PERMANENT, .s3_code = "AccessDenied"},
        {.kind = ERROR_TRANSIENT, .network = ERROR_NETWORK_NAME},
        {.kind = ERROR_TRANSIENT, .network = ERROR_NETWORK_CONNECTION},
        {.kind = ERROR_PERMANENT, .network = ERROR_NETWORK_TLS},
        {.kind = ERROR_PERMANENT, .network = ERROR_NETWORK_PROXY, .http_status = 407},
        {.kind = ERROR_PERMANENT, .sys_errno = EACCES},
    };
    struct error unknown = {.kind = ERROR_PERMANENT, .text = "PutObject of k: 400 Strange"};

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *advice = explain_repair(&rows[i]);

        ck_assert_msg(advice && !strstr(advice, "check") && !strstr(advice, "directory:") &&
                          !strstr(advice, "same directory") && !strstr(advice, "stay on disk"),
                      "%u: %s", i, advice);
    }
    ck_assert_ptr_null(explain_repair(&unknown));
}
END_TEST

START_TEST(a_proxy_that_refuses_leads_to_its_setting)
{
    struct error refused = {.kind = ERROR_PERMANENT, .network = ERROR_NETWORK_PROXY};

    ck_assert_ptr_nonnull(strstr(explain_advice(&refused), "CONFOMEET_PROXY"));
    refused.from_backend = true;
    ck_assert_ptr_nonnull(strstr(explain_advice(&refused), "CONFOMEET_PROXY"));
    ck_assert_ptr_nonnull(
        strstr(advice_for_text("HeadObject of a: the proxy answers with HTTP status 407"),
               "CONFOMEET_PROXY"));
}
END_TEST

START_TEST(files_that_vanished_are_not_said_to_stay)
{
    struct error gone = {.kind = ERROR_PERMANENT,
                         .text = "2 files vanished before being safe in the bucket"};

    ck_assert_ptr_null(strstr(explain_advice(&gone), "stay"));
    ck_assert_ptr_nonnull(strstr(explain_advice(&gone), "jibri-finalize abandon"));
}
END_TEST

START_TEST(a_certificate_that_does_not_fit_leads_to_the_bucket_s_dots_too)
{
    struct error tls = {.kind = ERROR_PERMANENT, .network = ERROR_NETWORK_TLS};

    ck_assert_ptr_nonnull(strstr(explain_advice(&tls), "CONFOMEET_S3_ADDRESSING=path"));
}
END_TEST

START_TEST(each_errno_that_people_meet_has_its_advice)
{
    static const struct {
        int sys_errno;
        const char *named;
    } rows[] = {
        {ENOSPC, "make room on the disk"},
        {EDQUOT, "make room on the disk"},
        {EACCES, "recordings directory"},
        {EPERM, "recordings directory"},
        {EROFS, "writable"},
        {EIO, "check the disk"},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {.kind = ERROR_TRANSIENT, .sys_errno = rows[i].sys_errno};

        ck_assert_msg(strstr(explain_advice(&error), rows[i].named) != NULL, "errno %d: %s",
                      rows[i].sys_errno, explain_advice(&error));
    }
}
END_TEST

START_TEST(the_s3_code_says_more_than_the_errno)
{
    struct error error = {.kind = ERROR_PERMANENT, .sys_errno = ENOSPC, .s3_code = "NoSuchBucket"};

    ck_assert_ptr_nonnull(strstr(explain_advice(&error), "CONFOMEET_S3_BUCKET"));
}
END_TEST

START_TEST(a_code_that_nobody_knows_leads_to_the_advice_of_the_kind)
{
    struct error unknown = {.kind = ERROR_TRANSIENT, .s3_code = "Teapot", .sys_errno = ENOTTY};
    struct error plain = {.kind = ERROR_TRANSIENT};

    ck_assert_str_eq(explain_advice(&unknown), explain_advice(&plain));
}
END_TEST

START_TEST(the_advice_of_each_kind_says_what_to_do)
{
    static const struct {
        enum error_kind kind;
        const char *named;
    } rows[] = {
        {ERROR_TRANSIENT, "again with the same directory"},
        {ERROR_CHANGED, "again with the same directory"},
        {ERROR_STOPPED, "again with the same directory"},
        {ERROR_SETTINGS, "correct the settings"},
        {ERROR_USAGE, "--help"},
        {ERROR_NO_INPUT, "session directory"},
        {ERROR_PERMANENT, "jibri-finalize check"},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error error = {.kind = rows[i].kind};

        ck_assert_msg(strstr(explain_advice(&error), rows[i].named) != NULL, "%s",
                      explain_advice(&error));
    }
}
END_TEST

START_TEST(an_advice_is_one_line)
{
    for (enum error_kind kind = ERROR_NONE; kind <= ERROR_STOPPED; kind++) {
        struct error error = {.kind = kind};

        ck_assert_ptr_null(strchr(explain_advice(&error), '\n'));
        ck_assert_uint_gt(strlen(explain_advice(&error)), 10);
    }
}
END_TEST

START_TEST(a_text_alone_is_advised_on_too)
{
    ck_assert_ptr_nonnull(
        strstr(advice_for_text("PutObject of a: 404 NoSuchBucket"), "CONFOMEET_S3_BUCKET"));
    ck_assert_ptr_nonnull(
        strstr(advice_for_text("the backend refused the notice"), "CONFOMEET_BASE_URL"));
    ck_assert_ptr_nonnull(strstr(advice_for_text("?"), "jibri-finalize check"));
}
END_TEST

START_TEST(each_state_has_its_exit_code_and_a_person_comes_first)
{
    static const int codes[REPORT_STATES] = {
        [REPORT_SAFE] = EXPLAIN_EXIT_OK,         [REPORT_UPLOADING] = EXPLAIN_EXIT_LATER,
        [REPORT_RECORDING] = EXPLAIN_EXIT_LATER, [REPORT_INTERRUPTED] = EXPLAIN_EXIT_LATER,
        [REPORT_WAITING] = EXPLAIN_EXIT_LATER,   [REPORT_FAILED] = EXPLAIN_EXIT_PERSON,
        [REPORT_LOST] = EXPLAIN_EXIT_PERSON,     [REPORT_ABANDONED] = EXPLAIN_EXIT_OK,
        [REPORT_FOUND] = EXPLAIN_EXIT_LATER,
    };

    for (unsigned i = 0; i < REPORT_STATES; i++) {
        ck_assert_int_eq(explain_exit_code_of_states(REPORT_BIT(i)), codes[i]);
        ck_assert_int_eq(explain_exit_code_of_states(REPORT_BIT(i) | REPORT_BIT(REPORT_FAILED)),
                         EXPLAIN_EXIT_PERSON);
    }
    ck_assert_int_eq(explain_exit_code_of_states(0), EXPLAIN_EXIT_OK);
}
END_TEST

START_TEST(the_worst_of_all_exit_codes_counts)
{
    static const struct {
        int a, b, worse;
    } cases[] = {
        {EXPLAIN_EXIT_OK, EXPLAIN_EXIT_OK, EXPLAIN_EXIT_OK},
        {EXPLAIN_EXIT_OK, EXPLAIN_EXIT_LATER, EXPLAIN_EXIT_LATER},
        {EXPLAIN_EXIT_LATER, EXPLAIN_EXIT_PERSON, EXPLAIN_EXIT_PERSON},
        {EXPLAIN_EXIT_PERSON, EXPLAIN_EXIT_OK, EXPLAIN_EXIT_PERSON},
        {EXPLAIN_EXIT_NO_INPUT, EXPLAIN_EXIT_LATER, EXPLAIN_EXIT_NO_INPUT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(explain_worse(cases[i].a, cases[i].b), cases[i].worse);
        ck_assert_int_eq(explain_worse(cases[i].b, cases[i].a), cases[i].worse);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("explain");
    TCase *cases = tcase_create("explain");

    tcase_add_test(cases, each_kind_has_its_exit_code);
    tcase_add_test(cases, each_s3_code_names_the_setting_to_look_at);
    tcase_add_test(cases, what_the_code_alone_does_not_tell_is_told_by_text_and_status);
    tcase_add_test(cases, what_to_repair_is_told_without_what_to_call);
    tcase_add_test(cases, a_proxy_that_refuses_leads_to_its_setting);
    tcase_add_test(cases, files_that_vanished_are_not_said_to_stay);
    tcase_add_test(cases, a_certificate_that_does_not_fit_leads_to_the_bucket_s_dots_too);
    tcase_add_test(cases, each_errno_that_people_meet_has_its_advice);
    tcase_add_test(cases, the_s3_code_says_more_than_the_errno);
    tcase_add_test(cases, a_code_that_nobody_knows_leads_to_the_advice_of_the_kind);
    tcase_add_test(cases, the_advice_of_each_kind_says_what_to_do);
    tcase_add_test(cases, an_advice_is_one_line);
    tcase_add_test(cases, a_text_alone_is_advised_on_too);
    tcase_add_test(cases, each_state_has_its_exit_code_and_a_person_comes_first);
    tcase_add_test(cases, the_worst_of_all_exit_codes_counts);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
