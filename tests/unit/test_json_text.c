#include "finalize/base/json_text.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>

static void expect_string(const char *text, const char *json)
{
    char *written = NULL;
    size_t length;
    FILE *out = open_memstream(&written, &length);

    json_text_string(out, text);
    fclose(out);
    ck_assert_str_eq(written, json);
    free(written);
}

static void expect_time(int64_t seconds, const char *json)
{
    char *written = NULL;
    size_t length;
    FILE *out = open_memstream(&written, &length);

    json_text_time(out, seconds);
    fclose(out);
    ck_assert_str_eq(written, json);
    free(written);
}

START_TEST(any_bytes_become_a_json_string)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "\"\""},
        {"Москва", "\"Москва\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"\n\x1b\x7f\xc2\x9b", "\"\\u000a\\u001b\\u007f\\u009b\""},
        {"\xff", "\"\xef\xbf\xbd\""},
        {"\xd0", "\"\xef\xbf\xbd\""},                                 /* cut off */
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
        {"\xf0\x9f\x8e\xa5", "\"\xf0\x9f\x8e\xa5\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_string(cases[i].text, cases[i].json);
}
END_TEST

START_TEST(times_are_utc_and_none_is_null)
{
    expect_time(1800000000, "\"2027-01-15T08:00:00Z\"");
    expect_time(0, "null");
    expect_time(INT64_MAX, "null");
    expect_time(INT64_MIN, "null");
    expect_time(999999999999, "null"); /* the year 33658 */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_text");
    TCase *tests = tcase_create("json_text");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, any_bytes_become_a_json_string);
    tcase_add_test(tests, times_are_utc_and_none_is_null);
    return unit_run(suite);
}
