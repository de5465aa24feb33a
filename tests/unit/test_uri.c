#include "finalize/s3/uri.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *text, *path, *value;
} encodings[] = {
    {"", "", ""},
    {"plain-._~AZaz09", "plain-._~AZaz09", "plain-._~AZaz09"},
    {"a/b//c/", "a/b//c/", "a%2Fb%2F%2Fc%2F"},
    {"a b", "a%20b", "a%20b"},
    {"+%=#?&'\"", "%2B%25%3D%23%3F%26%27%22", "%2B%25%3D%23%3F%26%27%22"},
    {"%41%2F", "%2541%252F", "%2541%252F"},
    {"встреча", "%D0%B2%D1%81%D1%82%D1%80%D0%B5%D1%87%D0%B0",
     "%D0%B2%D1%81%D1%82%D1%80%D0%B5%D1%87%D0%B0"},
    {"../.", "../.", "..%2F."},
    {"*()!$,:;@", "%2A%28%29%21%24%2C%3A%3B%40", "%2A%28%29%21%24%2C%3A%3B%40"},
};

START_TEST(texts_are_encoded_as_s3_encodes_them)
{
    struct buffer out;

    buffer_init(&out, 1000);
    uri_encode(&out, encodings[_i].text, true);
    ck_assert_str_eq(buffer_text(&out), encodings[_i].path);
    buffer_clear(&out);
    uri_encode(&out, encodings[_i].text, false);
    ck_assert_str_eq(buffer_text(&out), encodings[_i].value);
    ck_assert(!out.failed);
    buffer_done(&out);
}
END_TEST

START_TEST(every_byte_is_kept_or_written_as_upper_case_hex)
{
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (int byte = 1; byte <= 255; byte++) {
        char text[2] = {(char)byte, 0}, expected[4];
        struct buffer out;

        buffer_init(&out, 10);
        if (strchr(kept, byte))
            snprintf(expected, sizeof expected, "%s", text);
        else
            snprintf(expected, sizeof expected, "%%%02X", byte);
        uri_encode(&out, text, false);
        ck_assert_str_eq(buffer_text(&out), expected);
        buffer_done(&out);
    }
}
END_TEST

START_TEST(an_encoding_over_the_ceiling_fails)
{
    struct buffer out;

    buffer_init(&out, 5);
    uri_encode(&out, "a b c", false);
    ck_assert(out.failed);
    buffer_done(&out);
}
END_TEST

static const struct {
    const char *url;
    bool https;
    const char *host, *path;
} endpoints[] = {
    {"https://storage.yandexcloud.net/", true, "storage.yandexcloud.net", ""},
    {"https://storage.yandexcloud.net", true, "storage.yandexcloud.net", ""},
    {"HTTPS://Storage.YandexCloud.NET", true, "storage.yandexcloud.net", ""},
    {"http://minio:9000", false, "minio:9000", ""},
    {"http://my_minio:9000/", false, "my_minio:9000", ""},
    {"http://127.0.0.1:18080", false, "127.0.0.1:18080", ""},
    {"http://host:80", false, "host", ""},
    {"https://host:443/", true, "host", ""},
    {"https://host:80", true, "host:80", ""},
    {"http://host:443", false, "host:443", ""},
    {"http://host:0080/", false, "host", ""},
    {"http://host:65535", false, "host:65535", ""},
    {"http://[::1]:9000/", false, "[::1]:9000", ""},
    {"http://[0:0:0:0:0:0:0:1]", false, "[::1]", ""},
    {"https://[2001:DB8::A]:443", true, "[2001:db8::a]", ""},
    {"https://host/base", true, "host", "/base"},
    {"https://host/base//", true, "host", "/base"},
    {"https://host///", true, "host", ""},
    {"https://host/a/b%20c+d", true, "host", "/a/b%20c%2Bd"},
    {"https://host/%7euser/%d0%b2", true, "host", "/~user/%D0%B2"},
    {"https://1.example.org", true, "1.example.org", ""},
    {"https://xn--e1afmkfd.xn--p1ai", true, "xn--e1afmkfd.xn--p1ai", ""},
};

START_TEST(an_endpoint_is_taken_apart)
{
    struct uri_endpoint endpoint;
    struct error err = ERROR_INIT;

    ck_assert_msg(uri_parse_endpoint(endpoints[_i].url, &endpoint, &err), "%s: %s",
                  endpoints[_i].url, err.text);
    ck_assert_int_eq(endpoint.https, endpoints[_i].https);
    ck_assert_str_eq(endpoint.host, endpoints[_i].host);
    ck_assert_str_eq(endpoint.path, endpoints[_i].path);
    uri_endpoint_done(&endpoint);
    ck_assert_ptr_null(endpoint.host);
}
END_TEST

static const char *const not_endpoints[] = {
    "",
    "storage.yandexcloud.net",
    "//host",
    "ftp://host",
    "http:/host",
    "http://",
    "https:///bucket",
    "https://user:pa55word@host",
    "https://user@host",
    "https://host?x=1",
    "https://host/?x",
    "https://host/#x",
    "https://host /",
    "https://host\n",
    "https://host\x7f",
    "https://ho\"st",
    "https://ho%41st",
    "https://ho~st",
    "https://пример.рф",
    "https://host:",
    "https://host:0",
    "https://host:65536",
    "https://host:99999999999",
    "https://host:9x",
    "https://host:-1",
    "https://host:80:80",
    "https://.host",
    "https://ho..st",
    "https://host.",
    "https://127.1",
    "https://0x7f000001",
    "https://2130706433",
    "https://1.2.3.4.5",
    "https://300.1.1.1",
    "https://[::1",
    "https://[]",
    "https://[::g]",
    "https://[fe80::1%25eth0]",
    "https://[::1]x",
    "https://::1",
    "https://host/%4",
    "https://host/%zz",
    "https://host/a%00",
    "https://host/a%2fb",
};

START_TEST(what_is_no_endpoint_is_refused_and_its_text_is_not_repeated)
{
    struct uri_endpoint endpoint = {.path = (char *)"untouched"};
    struct error err = ERROR_INIT;

    ck_assert_msg(!uri_parse_endpoint(not_endpoints[_i], &endpoint, &err), "%s", not_endpoints[_i]);
    ck_assert_int_eq(err.kind, ERROR_SETTINGS);
    ck_assert_int_gt((int)strlen(err.text), 10);
    ck_assert_ptr_null(strstr(err.text, "pa55word"));
    ck_assert_str_eq(endpoint.path, "untouched");
}
END_TEST

START_TEST(a_host_or_path_that_is_too_long_is_refused)
{
    struct uri_endpoint endpoint;
    char url[20000] = "http://";
    struct error err = ERROR_INIT;

    memset(url + 7, 'a', 64);
    ck_assert(!uri_parse_endpoint(url, &endpoint, &err));
    memset(url, 0, sizeof url);
    strcpy(url, "http://host/");
    memset(url + 12, '+', 15000);
    error_clear(&err);
    ck_assert(!uri_parse_endpoint(url, &endpoint, &err));
    ck_assert_int_eq(err.kind, ERROR_SETTINGS);
    ck_assert_ptr_nonnull(strstr(err.text, "too long"));
    uri_endpoint_done(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uri");
    TCase *tests = tcase_create("uri");

    tcase_add_loop_test(tests, texts_are_encoded_as_s3_encodes_them, 0,
                        sizeof encodings / sizeof *encodings);
    tcase_add_test(tests, every_byte_is_kept_or_written_as_upper_case_hex);
    tcase_add_test(tests, an_encoding_over_the_ceiling_fails);
    tcase_add_loop_test(tests, an_endpoint_is_taken_apart, 0, sizeof endpoints / sizeof *endpoints);
    tcase_add_loop_test(tests, what_is_no_endpoint_is_refused_and_its_text_is_not_repeated, 0,
                        sizeof not_endpoints / sizeof *not_endpoints);
    tcase_add_test(tests, a_host_or_path_that_is_too_long_is_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
