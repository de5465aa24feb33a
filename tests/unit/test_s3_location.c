#include "finalize/s3/s3_location.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

static const struct {
    const char *url, *bucket, *location;
} rows[] = {
    {"https://storage.example.net/", "recordings", "storage.example.net/recordings"},
    {"http://127.0.0.1:9000", "b", "127.0.0.1:9000/b"},
    {"https://gateway.example.net/s3//", "b", "gateway.example.net/s3/b"},
    {NULL, NULL, "/"},
};

START_TEST(it_is_the_server_and_the_bucket)
{
    const struct settings settings = {.s3_url = (char *)rows[_i].url,
                                      .s3_bucket = (char *)rows[_i].bucket};
    char location[S3_LOCATION_SIZE];

    s3_location_write(&settings, location);
    ck_assert_str_eq(location, rows[_i].location);
    ck_assert_str_eq(s3_location_bucket(location), rows[_i].bucket ? rows[_i].bucket : "");
    ck_assert(s3_location_is_reached(location, &settings));
}
END_TEST

START_TEST(a_server_is_reached_by_http_and_https_and_with_any_bucket)
{
    const struct settings settings = {.s3_url = (char *)"http://s3.example.net/",
                                      .s3_bucket = (char *)"b"};

    ck_assert(s3_location_is_reached("s3.example.net/other", &settings));
    ck_assert(s3_location_is_reached("", &settings));
    ck_assert(!s3_location_is_reached("s3.example.org/b", &settings));
    ck_assert(!s3_location_is_reached("s3.example.net:9000/b", &settings));
    ck_assert(!s3_location_is_reached("s3.example.net/s3/b", &settings));
}
END_TEST

START_TEST(a_long_address_leaves_the_bucket_whole)
{
    static char url[2000];
    const struct settings settings = {.s3_url = url, .s3_bucket = (char *)"recordings"};
    char location[S3_LOCATION_SIZE];

    memset(url, 'a', sizeof url - 1);
    s3_location_write(&settings, location);
    ck_assert_uint_lt(strlen(location), sizeof location);
    ck_assert_str_eq(s3_location_bucket(location), "recordings");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("s3_location");
    TCase *cases = tcase_create("s3_location");

    tcase_add_loop_test(cases, it_is_the_server_and_the_bucket, 0, sizeof rows / sizeof *rows);
    tcase_add_test(cases, a_server_is_reached_by_http_and_https_and_with_any_bucket);
    tcase_add_test(cases, a_long_address_leaves_the_bucket_whole);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
