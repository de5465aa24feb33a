#include "finalize/http/http.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(headers_are_kept_in_order)
{
    struct http_request request;

    http_request_init(&request, "PUT");
    ck_assert_str_eq(request.method, "PUT");
    ck_assert_int_eq(request.body.kind, HTTP_BODY_NONE);
    ck_assert_int_eq(request.body.fd, -1);
    ck_assert_ptr_null(request.headers);
    ck_assert(http_request_add_header(&request, "A", "1"));
    ck_assert(http_request_add_header(&request, "B", ""));
    ck_assert(http_request_add_header(&request, "A", "\xd0\x96 x"));
    ck_assert_str_eq(request.headers[0], "A: 1");
    ck_assert_str_eq(request.headers[1], "B: ");
    ck_assert_str_eq(request.headers[2], "A: \xd0\x96 x");
    ck_assert_ptr_null(request.headers[3]);
    http_request_done(&request);
    ck_assert_ptr_null(request.headers);
    ck_assert_ptr_null(request.url);
    http_request_done(&request);
    http_request_done(NULL);
}
END_TEST

START_TEST(a_value_with_a_control_character_is_no_header)
{
    static const char *const VALUES[] = {"a\r\nB: c", "a\n", "\r", "a\tb", "\x01", "\x7f"};
    struct http_request request;

    http_request_init(&request, "GET");
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++)
        ck_assert(!http_request_add_header(&request, "A", VALUES[i]));
    ck_assert(!request.headers || !request.headers[0]);
    ck_assert(http_request_add_header(&request, "A", "fine"));
    ck_assert(!http_request_add_header(&request, "B", "\n"));
    ck_assert_str_eq(request.headers[0], "A: fine");
    ck_assert_ptr_null(request.headers[1]);
    http_request_done(&request);
}
END_TEST

START_TEST(a_value_without_end_is_no_header)
{
    size_t length = 1024 * 1024;
    char *value = malloc(length + 1);
    struct http_request request;

    ck_assert_ptr_nonnull(value);
    memset(value, 'x', length);
    value[length] = 0;
    http_request_init(&request, "GET");
    ck_assert(http_request_add_header(&request, "A", "1"));
    ck_assert(!http_request_add_header(&request, "B", value));
    ck_assert_ptr_null(request.headers[1]); /* still ended as a list is */
    ck_assert(http_request_add_header(&request, "C", "3"));
    ck_assert_str_eq(request.headers[1], "C: 3");
    http_request_done(&request);
    free(value);
}
END_TEST

START_TEST(a_half_built_request_is_freed)
{
    struct http_request request;

    http_request_init(&request, "POST");
    request.url = strdup("http://x/");
    request.body.kind = HTTP_BODY_MEMORY;
    buffer_init(&request.body.memory, 10);
    buffer_append_text(&request.body.memory, "body");
    http_request_done(&request); /* the leak checker watches */
    ck_assert_int_eq(request.body.kind, HTTP_BODY_NONE);
}
END_TEST

START_TEST(a_header_is_found_in_odd_replies)
{
    static const struct {
        const char *headers, *value; /* NULL: not found */
    } CASES[] = {
        {"HTTP/1.1 200 OK\r\nETag: \"abc\"\r\n\r\n", "\"abc\""},
        {"etag: a\r\n", "a"},
        {"ETAG:a", "a"},
        {"ETag: a\nX: y\n", "a"},
        {"ETag:\t a b \t\r\n", "a b"},
        {"ETag:\r\n", ""},
        {"ETag:", ""},
        {"ETag: : \r\n", ":"},
        {"ETag: a\r\nETag: b\r\n", "b"},
        {"ETag: a\r\nETag:\r\n", ""},
        {"ETag: \xff\x01\r\n", "\xff\x01"},
        {"\r\n\r\nETag: a\r\n", "a"},
        {"X-ETag: a\r\n", NULL},
        {"ETagX: a\r\n", NULL},
        {" ETag: a\r\n", NULL},
        {"ETag : a\r\n", NULL},
        {"ETag\r\n: a\r\n", NULL},
        {"X: y\r\n ETag: a\r\n", NULL},
        {"X: ETag: a\r\n", NULL},
        {"ETag", NULL},
        {"", NULL},
        {"\r\n", NULL},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct http_reply reply;
        char value[64] = "before";

        http_reply_init(&reply, 100);
        buffer_append_text(&reply.headers, CASES[i].headers);
        ck_assert_msg(http_reply_header(&reply, "ETag", value, sizeof value) == !!CASES[i].value,
                      "case %zu", i);
        ck_assert_str_eq(value, CASES[i].value ? CASES[i].value : "");
        http_reply_done(&reply);
    }
}
END_TEST

START_TEST(a_long_header_is_cut)
{
    struct http_reply reply;
    char value[4];

    http_reply_init(&reply, 100);
    ck_assert(!http_reply_header(&reply, "A", value, sizeof value)); /* no headers at all */
    buffer_append_text(&reply.headers, "A: 12345\r\n");
    ck_assert(http_reply_header(&reply, "A", value, sizeof value));
    ck_assert_str_eq(value, "123");
    ck_assert(http_reply_header(&reply, "A", value, 1));
    ck_assert_str_eq(value, "");
    http_reply_done(&reply);
}
END_TEST

START_TEST(a_reply_holds_no_more_than_its_ceilings)
{
    struct http_reply reply;
    static const char LINE[1024] = "X: y\r\n";

    http_reply_init(&reply, 5);
    ck_assert_int_eq(reply.failure, HTTP_OK);
    ck_assert_int_eq(reply.status, 0);
    buffer_append_text(&reply.body, "12345");
    ck_assert(!reply.body.failed);
    buffer_append_text(&reply.body, "6");
    ck_assert(reply.body.failed);
    ck_assert_str_eq(buffer_text(&reply.body), "12345");
    for (int i = 0; i < 1000; i++)
        buffer_append(&reply.headers, LINE, sizeof LINE);
    ck_assert(reply.headers.failed);
    ck_assert_uint_le(reply.headers.length, 64 * 1024);
    http_reply_done(&reply);
    http_reply_done(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *cases = tcase_create("http");

    tcase_add_test(cases, headers_are_kept_in_order);
    tcase_add_test(cases, a_value_with_a_control_character_is_no_header);
    tcase_add_test(cases, a_value_without_end_is_no_header);
    tcase_add_test(cases, a_half_built_request_is_freed);
    tcase_add_test(cases, a_header_is_found_in_odd_replies);
    tcase_add_test(cases, a_long_header_is_cut);
    tcase_add_test(cases, a_reply_holds_no_more_than_its_ceilings);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
