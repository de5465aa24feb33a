#include "finalize/s3/s3.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

static struct settings usable(void)
{
    return (struct settings){.s3_url = (char *)"https://storage.yandexcloud.net/",
                             .s3_bucket = (char *)"bucket",
                             .s3_region = (char *)"ru-central1",
                             .s3_client_id = (char *)"id",
                             .s3_client_secret = (char *)"S3CR3T"};
}

static void check_refused(const struct settings *settings, const char *named)
{
    struct s3 *s3 = NULL;
    struct error err = ERROR_INIT;

    ck_assert(!s3_open(settings, &s3, &err));
    ck_assert_ptr_null(s3);
    ck_assert_int_eq(err.kind, ERROR_SETTINGS);
    ck_assert_msg(strstr(err.text, named) != NULL, "%s", err.text);
    ck_assert_ptr_null(strstr(err.text, "S3CR3T"));
}

START_TEST(usable_settings_open_a_bucket)
{
    struct settings settings = usable();
    struct s3 *s3 = NULL;
    struct error err = ERROR_INIT;
    long ahead;

    ck_assert(s3_open(&settings, &s3, &err));
    ck_assert(!s3_clock_ahead(s3, &ahead));
    s3_close(s3);
    s3_close(NULL);
    settings.s3_region = NULL;
    settings.s3_metadata = (char *)"a=b,c=d=e";
    ck_assert(s3_open(&settings, &s3, &err));
    s3_close(s3);
}
END_TEST

START_TEST(a_setting_that_is_missing_is_named)
{
    struct settings settings = usable();

    settings.s3_url = NULL;
    check_refused(&settings, "CONFOMEET_S3_URL");
    settings = usable();
    settings.s3_bucket = (char *)"";
    check_refused(&settings, "CONFOMEET_S3_BUCKET");
    settings = usable();
    settings.s3_client_id = NULL;
    check_refused(&settings, "CONFOMEET_S3_CLIENT_ID");
    settings = usable();
    settings.s3_client_secret = NULL;
    check_refused(&settings, "CONFOMEET_S3_CLIENT_SECRET");
}
END_TEST

START_TEST(a_setting_that_is_wrong_is_named)
{
    struct settings settings = usable();
    char region[200];

    settings.s3_url = (char *)"https://me:S3CR3T@host";
    check_refused(&settings, "CONFOMEET_S3_URL");
    settings = usable();
    settings.s3_metadata = (char *)"a=b,c";
    check_refused(&settings, "CONFOMEET_S3_METADATA");
    settings = usable();
    memset(region, 'r', sizeof region - 1);
    region[sizeof region - 1] = 0;
    settings.s3_region = region;
    check_refused(&settings, "CONFOMEET_S3_REGION");
}
END_TEST

START_TEST(no_bucket_name_goes_before_an_ip_address)
{
    static const char *const addresses[] = {"http://127.0.0.1", "http://127.0.0.1:9000",
                                            "http://[::1]:9000"};
    struct settings settings = usable();
    struct s3 *s3 = NULL;
    struct error err = ERROR_INIT;

    settings.s3_addressing = SETTINGS_ADDRESSING_VIRTUAL;
    ck_assert(s3_open(&settings, &s3, &err));
    s3_close(s3);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        settings.s3_url = (char *)addresses[i];
        check_refused(&settings, "CONFOMEET_S3_ADDRESSING");
    }
}
END_TEST

START_TEST(operations_have_the_names_that_s3_gives_them)
{
    ck_assert_str_eq(s3_operation_names[S3_HEAD_OBJECT], "HeadObject");
    ck_assert_str_eq(s3_operation_names[S3_GET_RANGE], "GetObject");
    ck_assert_str_eq(s3_operation_names[S3_PUT_OBJECT], "PutObject");
    ck_assert_str_eq(s3_operation_names[S3_CREATE_UPLOAD], "CreateMultipartUpload");
    ck_assert_str_eq(s3_operation_names[S3_UPLOAD_PART], "UploadPart");
    ck_assert_str_eq(s3_operation_names[S3_LIST_PARTS], "ListParts");
    ck_assert_str_eq(s3_operation_names[S3_COMPLETE_UPLOAD], "CompleteMultipartUpload");
    ck_assert_str_eq(s3_operation_names[S3_ABORT_UPLOAD], "AbortMultipartUpload");
    ck_assert_str_eq(s3_operation_names[S3_LIST_UPLOADS], "ListMultipartUploads");
    ck_assert_str_eq(s3_operation_names[S3_DELETE_OBJECT], "DeleteObject");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("s3");
    TCase *tests = tcase_create("s3");

    tcase_add_test(tests, usable_settings_open_a_bucket);
    tcase_add_test(tests, a_setting_that_is_missing_is_named);
    tcase_add_test(tests, a_setting_that_is_wrong_is_named);
    tcase_add_test(tests, no_bucket_name_goes_before_an_ip_address);
    tcase_add_test(tests, operations_have_the_names_that_s3_gives_them);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
