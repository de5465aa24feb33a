#include "finalize/notify/notice.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "12345_2024-04-23-15-04-05.mp4"
#define TOKEN     "s3cr3t-t0ken"

/* The settings are never freed: their strings are literals. */
static struct settings settings_of(const char *base_url, const char *token)
{
    return (struct settings){.base_url = (char *)base_url,
                             .xmpp_domain = (char *)"meet.example.org",
                             .backend_token = (char *)token,
                             .backend_timeout_ms = 30000};
}

static const struct notice NOTICE = {.meeting_id = 12345,
                                     .file_name = FILE_NAME,
                                     .file_size = UINT64_C(5) << 30,
                                     .bucket = "bucket",
                                     .key = "p/" FILE_NAME,
                                     .mark = "0123456789abcdef0123456789abcdef"};

static const char *header_of(const struct http_request *request, const char *name)
{
    size_t length = strlen(name);

    for (char **header = request->headers; *header; header++)
        if (!strncmp(*header, name, length) && (*header)[length] == ':')
            return *header + length + 2;
    return NULL;
}

START_TEST(the_address_is_made_of_the_settings)
{
    static const struct {
        const char *base_url, *url;
    } CASES[] = {
        {NULL, "http://meet.example.org/meet/api/v1/Recording/AddS3VideoRecording"},
        {"", "http://meet.example.org/meet/api/v1/Recording/AddS3VideoRecording"},
        {"https://a.example/meet", "https://a.example/meet/api/v1/Recording/AddS3VideoRecording"},
        {"https://a.example/meet/", "https://a.example/meet/api/v1/Recording/AddS3VideoRecording"},
        {"https://a.example//", "https://a.example/api/v1/Recording/AddS3VideoRecording"},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct settings settings = settings_of(CASES[i].base_url, NULL);
        struct buffer url;

        buffer_init(&url, 1000);
        notice_url(&settings, &url);
        ck_assert_str_eq(buffer_text(&url), CASES[i].url);
        buffer_done(&url);
    }
}
END_TEST

START_TEST(the_request_is_what_the_backend_expects)
{
    struct settings settings = settings_of("https://a.example/meet", TOKEN);
    struct http_request request;
    struct error err = ERROR_INIT;

    ck_assert(notice_build(&settings, &NOTICE, &request, &err));
    ck_assert_str_eq(request.method, "POST");
    ck_assert_str_eq(request.url, "https://a.example/meet/api/v1/Recording/AddS3VideoRecording");
    ck_assert_str_eq(header_of(&request, "Content-Type"), "application/json");
    ck_assert_str_eq(header_of(&request, "Accept"), "application/json");
    ck_assert_str_eq(header_of(&request, "Idempotency-Key"),
                     "01234567-89ab-cdef-0123-456789abcdef");
    ck_assert_str_eq(header_of(&request, "Authorization"), "Bearer " TOKEN);
    ck_assert_int_eq(request.body.kind, HTTP_BODY_MEMORY);
    ck_assert_str_eq(buffer_text(&request.body.memory),
                     "{\"meetingId\":12345,\"fileName\":\"" FILE_NAME "\",\"fileSize\":5368709120,"
                     "\"bucket\":\"bucket\",\"key\":\"p/" FILE_NAME "\"}");
    ck_assert_uint_eq(request.body.length, request.body.memory.length);
    ck_assert_uint_eq(request.idle_timeout_ms, 30000);
    ck_assert_uint_eq(request.reply_ceiling, 64 * 1024);
    http_request_done(&request);
}
END_TEST

START_TEST(without_a_token_nothing_is_authorized)
{
    static const char *const TOKENS[] = {NULL, ""};

    for (size_t i = 0; i < 2; i++) {
        struct settings settings = settings_of(NULL, TOKENS[i]);
        struct http_request request;
        struct error err = ERROR_INIT;

        ck_assert(notice_build(&settings, &NOTICE, &request, &err));
        ck_assert_ptr_null(header_of(&request, "Authorization"));
        http_request_done(&request);
    }
}
END_TEST

START_TEST(a_token_that_no_header_holds_is_a_wrong_setting)
{
    struct settings settings = settings_of(NULL, "secret\r\nX: y");
    struct http_request request;
    struct error err = ERROR_INIT;

    ck_assert(!notice_build(&settings, &NOTICE, &request, &err));
    ck_assert_int_eq(err.kind, ERROR_SETTINGS);
    ck_assert_ptr_nonnull(strstr(err.text, "CONFOMEET_BACKEND_TOKEN"));
    ck_assert_ptr_null(strstr(err.text, "secret"));
    http_request_done(&request);
}
END_TEST

START_TEST(names_are_json_whatever_bytes_they_have)
{
    static const struct {
        const char *name, *json;
    } CASES[] = {
        {"1_\"q\"\\.mp4", "1_\\\"q\\\"\\\\.mp4"},
        {"1_\n\x01.mp4", "1_\\n\\u0001.mp4"},
        {"1_Ж\xf0\x9f\x98\x80.mp4", "1_Ж\xf0\x9f\x98\x80.mp4"},
        {"1_\xff\xd0.mp4", "1_\xef\xbf\xbd\xef\xbf\xbd.mp4"},
        {"1_\xed\xa0\x80", "1_\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct settings settings = settings_of(NULL, NULL);
        struct notice notice = NOTICE;
        struct http_request request;
        struct error err = ERROR_INIT;
        char expected[256];

        notice.meeting_id = INT32_MAX;
        notice.file_name = notice.key = CASES[i].name;
        notice.file_size = 0;
        ck_assert(notice_build(&settings, &notice, &request, &err));
        snprintf(expected, sizeof expected,
                 "{\"meetingId\":2147483647,\"fileName\":\"%s\",\"fileSize\":0,"
                 "\"bucket\":\"bucket\",\"key\":\"%s\"}",
                 CASES[i].json, CASES[i].json);
        ck_assert_str_eq(buffer_text(&request.body.memory), expected);
        http_request_done(&request);
    }
}
END_TEST

/* Makes the JSON library's allocation number `allocations_left` fail, once. */
static int allocations_left;

static void *allocate(size_t size)
{
    return allocations_left-- == 0 ? NULL : malloc(size);
}

START_TEST(want_of_memory_is_an_error_and_no_half_notice)
{
    struct settings settings = settings_of(NULL, TOKEN);
    int failures = 0;

    json_set_alloc_funcs(allocate, free);
    for (int count = 0; count < 1000; count++) {
        struct http_request request;
        struct error err = ERROR_INIT;
        bool built;

        allocations_left = count;
        built = notice_build(&settings, &NOTICE, &request, &err);
        ck_assert(built == (allocations_left >= 0));
        ck_assert(built || err.kind == ERROR_TRANSIENT);
        failures += !built;
        http_request_done(&request);
        if (built)
            break;
    }
    ck_assert_int_gt(failures, 10);
}
END_TEST

/* A reply, judged. */
static void judge(enum http_failure failure, int status, const char *headers, const char *body,
                  struct notice_result *ret_result)
{
    struct settings settings = settings_of(NULL, TOKEN);
    struct http_reply reply;

    http_reply_init(&reply, 64 * 1024);
    reply.failure = failure;
    reply.status = status;
    snprintf(reply.detail, sizeof reply.detail, "%s", failure ? "the detail" : "");
    buffer_append_text(&reply.headers, headers);
    buffer_append_text(&reply.body, body);
    notice_read(&settings, FILE_NAME, &reply, ret_result);
    http_reply_done(&reply);
    ck_assert_ptr_null(strstr(ret_result->error.text, TOKEN));
    ck_assert((ret_result->outcome == NOTICE_ACCEPTED) == (ret_result->error.kind == ERROR_NONE));
    ck_assert((ret_result->outcome == NOTICE_ACCEPTED) == (ret_result->backend_row > 0));
    if (ret_result->outcome != NOTICE_ACCEPTED) {
        ck_assert_msg(strstr(ret_result->error.text, FILE_NAME), "%s", ret_result->error.text);
        ck_assert_int_eq(ret_result->error.http_status, status);
    }
}

static void assert_says(const struct notice_result *result, const char *words)
{
    ck_assert_msg(strstr(result->error.text, words), "\"%s\" isn't in \"%s\"", words,
                  result->error.text);
}

START_TEST(a_2xx_with_a_row_is_accepted)
{
    static const struct {
        int status;
        const char *body;
        int64_t row;
    } CASES[] = {
        {200, "{\"id\":7,\"result\":true,\"code\":0,\"message\":[]}", 7},
        {201, "{\"id\":1}", 1},
        {204, " {\"x\":{\"id\":0},\"id\":9223372036854775807}\r\n", INT64_MAX},
        {200, "{\"id\":5,\"result\":null,\"code\":\"x\",\"message\":7}", 5},
        {200, "{\"id\":5,\"message\":[\"\\u0000\"]}", 5},
        {299, "{\"id\":5,\"title\":\"Failed\",\"status\":500}", 5},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct notice_result result;

        judge(HTTP_OK, CASES[i].status, "", CASES[i].body, &result);
        ck_assert_msg(result.outcome == NOTICE_ACCEPTED, "%s", CASES[i].body);
        ck_assert_int_eq(result.backend_row, CASES[i].row);
        ck_assert(result.sent);
    }
}
END_TEST

START_TEST(a_2xx_without_a_row_is_refused)
{
    static const char *const BODIES[] = {
        "",
        "OK",
        "<html>",
        "null",
        "7",
        "[]",
        "[{\"id\":7}]",
        "{}",
        "{\"id\":0}",
        "{\"id\":-1}",
        "{\"id\":null}",
        "{\"id\":true}",
        "{\"id\":\"7\"}",
        "{\"id\":7.0}",
        "{\"id\":9223372036854775808}",
        "{\"id\":1e999}",
        "{\"id\":7",
        "{\"id\":7}{",
        "{\"Id\":7}",
        "{\"id\":7,\"message\":\"\xff\"}",
        "{\"result\":{\"id\":7}}",
    };

    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        struct notice_result result;

        judge(HTTP_OK, 200, "", BODIES[i], &result);
        ck_assert_msg(result.outcome == NOTICE_REFUSED, "%s", BODIES[i]);
        ck_assert_int_eq(result.error.kind, ERROR_PERMANENT);
        ck_assert(result.sent);
        assert_says(&result, "200");
        assert_says(&result, "may have recorded it");
    }
}
END_TEST

START_TEST(bodies_with_nul_bytes_or_endless_nesting_are_refused)
{
    struct settings settings = settings_of(NULL, NULL);
    struct notice_result result;
    struct http_reply reply;

    http_reply_init(&reply, 64 * 1024);
    reply.status = 200;
    buffer_append(&reply.body, "{\"id\":7\0}", 9);
    notice_read(&settings, FILE_NAME, &reply, &result);
    ck_assert_int_eq(result.outcome, NOTICE_REFUSED);
    buffer_clear(&reply.body);
    buffer_append(&reply.body, "{\"id\":7}\0", 9);
    notice_read(&settings, FILE_NAME, &reply, &result);
    ck_assert_int_eq(result.outcome, NOTICE_REFUSED);
    buffer_clear(&reply.body);
    buffer_append_text(&reply.body, "{\"id\":7,\"x\":");
    while (!reply.body.failed)
        buffer_append_text(&reply.body, "[");
    notice_read(&settings, FILE_NAME, &reply, &result);
    ck_assert_int_eq(result.outcome, NOTICE_REFUSED);
    http_reply_done(&reply);
}
END_TEST

START_TEST(each_status_has_its_outcome)
{
    static const struct {
        int status;
        enum notice_outcome outcome;
        const char *says;
    } CASES[] = {
        {0, NOTICE_RETRY, FILE_NAME},
        {100, NOTICE_RETRY, FILE_NAME},
        {300, NOTICE_REFUSED, "CONFOMEET_BASE_URL"},
        {301, NOTICE_REFUSED, "CONFOMEET_BASE_URL"},
        {302, NOTICE_REFUSED, "302"},
        {304, NOTICE_REFUSED, "304"},
        {307, NOTICE_REFUSED, "307"},
        {308, NOTICE_REFUSED, "308"},
        {400, NOTICE_REFUSED, "400"},
        {401, NOTICE_REFUSED, "CONFOMEET_BACKEND_TOKEN"},
        {403, NOTICE_REFUSED, "CONFOMEET_BACKEND_TOKEN"},
        {404, NOTICE_REFUSED, "CONFOMEET_BASE_URL"},
        {405, NOTICE_REFUSED, "CONFOMEET_BASE_URL"},
        {407, NOTICE_REFUSED, "CONFOMEET_PROXY"},
        {408, NOTICE_RETRY, "408"},
        {409, NOTICE_REFUSED, "409"},
        {413, NOTICE_REFUSED, "413"},
        {415, NOTICE_REFUSED, "415"},
        {422, NOTICE_REFUSED, "422"},
        {425, NOTICE_RETRY, "425"},
        {429, NOTICE_RETRY, "429"},
        {500, NOTICE_RETRY, "500"},
        {501, NOTICE_RETRY, "501"},
        {502, NOTICE_RETRY, "502"},
        {503, NOTICE_RETRY, "503"},
        {504, NOTICE_RETRY, "504"},
        {599, NOTICE_RETRY, "599"},
        {600, NOTICE_REFUSED, "600"},
        {999, NOTICE_REFUSED, "999"},
    };
    /* A row in an error's body makes it no success. */
    static const char *const BODIES[] = {"", "{\"id\":7}", "<html>\r\n", "[[", "{\"errors\":7}"};

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t b = 0; b < sizeof BODIES / sizeof *BODIES; b++) {
            struct notice_result result;

            judge(HTTP_OK, CASES[i].status, "", BODIES[b], &result);
            ck_assert_msg(result.outcome == CASES[i].outcome, "%d", CASES[i].status);
            ck_assert_int_eq(result.error.kind,
                             CASES[i].outcome == NOTICE_RETRY ? ERROR_TRANSIENT : ERROR_PERMANENT);
            ck_assert(result.sent);
            assert_says(&result, CASES[i].says);
        }
}
END_TEST

START_TEST(each_failure_has_its_outcome)
{
    static const struct {
        enum http_failure failure;
        int status;
        enum notice_outcome outcome;
        bool sent;
        enum error_kind kind;
    } CASES[] = {
        {HTTP_FAILED_RESOLVE, 0, NOTICE_RETRY, false, ERROR_TRANSIENT},
        {HTTP_FAILED_CONNECT, 0, NOTICE_RETRY, false, ERROR_TRANSIENT},
        {HTTP_FAILED_TLS, 0, NOTICE_REFUSED, false, ERROR_PERMANENT},
        {HTTP_FAILED_PROXY, 407, NOTICE_REFUSED, false, ERROR_PERMANENT},
        {HTTP_FAILED_TRANSFER, 0, NOTICE_RETRY, true, ERROR_TRANSIENT},
        {HTTP_FAILED_TRANSFER, 200, NOTICE_RETRY, true, ERROR_TRANSIENT},
        {HTTP_FAILED_TIMEOUT, 0, NOTICE_RETRY, true, ERROR_TRANSIENT},
        {HTTP_FAILED_TIMEOUT, 400, NOTICE_RETRY, true, ERROR_TRANSIENT},
        {HTTP_FAILED_TOO_LARGE, 0, NOTICE_RETRY, true, ERROR_TRANSIENT},
        {HTTP_FAILED_TOO_LARGE, 200, NOTICE_REFUSED, true, ERROR_PERMANENT},
        {HTTP_FAILED_TOO_LARGE, 301, NOTICE_REFUSED, true, ERROR_PERMANENT},
        {HTTP_FAILED_TOO_LARGE, 400, NOTICE_REFUSED, true, ERROR_PERMANENT},
        {HTTP_FAILED_TOO_LARGE, 502, NOTICE_RETRY, true, ERROR_TRANSIENT},
        {HTTP_FAILED_LOCAL, 0, NOTICE_RETRY, true, ERROR_TRANSIENT},
        {(enum http_failure)99, 0, NOTICE_RETRY, true, ERROR_TRANSIENT},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct notice_result result;

        judge(CASES[i].failure, CASES[i].status, "", "{\"id\":7}", &result);
        ck_assert_msg(result.outcome == CASES[i].outcome, "case %zu", i);
        ck_assert_msg(result.sent == CASES[i].sent, "case %zu", i);
        ck_assert_int_eq(result.error.kind, CASES[i].kind);
        if (CASES[i].failure != HTTP_FAILED_TOO_LARGE || !CASES[i].status)
            assert_says(&result, "the detail");
    }
}
END_TEST

START_TEST(retry_after_is_minded_up_to_an_hour)
{
    static const struct {
        const char *headers;
        uint64_t ms;
    } CASES[] = {
        {"Retry-After: 0\r\n", 0},
        {"retry-after:  120 \r\n", 120000},
        {"Retry-After: 3600\r\n", 3600000},
        {"Retry-After: 3601\r\n", 3600000},
        {"Retry-After: 99999999999\r\n", 3600000},
        {"Retry-After: 99999999999999999999999999999999\r\n", 0}, /* no number */
        {"Retry-After: -5\r\n", 0},
        {"Retry-After: 1.5\r\n", 0},
        {"Retry-After: 5 s\r\n", 0},
        {"Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 0}, /* by which clock? */
        {"Date: Wed, 21 Oct 2026 07:27:00 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n",
         60000},
        {"Retry-After:\r\n", 0},
        {"", 0},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct notice_result result;

        judge(HTTP_OK, 503, CASES[i].headers, "", &result);
        ck_assert_msg(result.retry_after_ms == CASES[i].ms, "%s", CASES[i].headers);
        judge(HTTP_OK, 400, CASES[i].headers, "", &result);
        ck_assert_uint_eq(result.retry_after_ms, 0);
    }
}
END_TEST

START_TEST(a_redirect_names_its_target_without_secrets)
{
    static const struct {
        const char *location, *says, *hides;
    } CASES[] = {
        {"https://a.example/meet/api/x", "points to https://a.example/meet/api/x", "?"},
        {"https://user:pass@a.example:8443/x?jwt=J#f", "points to https://a.example:8443/x",
         "pass"},
        {"https://a.example/x?jwt=JWT", "points to https://a.example/x", "JWT"},
        {"https://a.example/x#JWT", "https://a.example/x", "JWT"},
        {"https://u@v@a.example", "https://a.example", "u@"},
        {"//u:p@a.example/y@z", "//a.example/y@z", "u:p"},
        {"/login?next=JWT", "points to /login", "JWT"},
        {"https://a.example/" TOKEN "/x", "https://a.example/***/x", TOKEN},
        {"", "doesn't name", "https"},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct notice_result result;
        char headers[256];

        snprintf(headers, sizeof headers, "HTTP/1.1 301 Moved\r\nLocation: %s\r\n\r\n",
                 CASES[i].location);
        judge(HTTP_OK, 301, headers, "", &result);
        assert_says(&result, CASES[i].says);
        ck_assert_msg(!strstr(result.error.text, CASES[i].hides), "%s", result.error.text);
    }
}
END_TEST

START_TEST(a_problem_is_quoted)
{
    static const struct {
        const char *body, *says;
    } CASES[] = {
        {"{\"title\":\"Validation failed\",\"errors\":{\"meetingId\":[\"required\",\"positive\"],"
         "\"key\":\"empty\"}}",
         ": 400: Validation failed: meetingId: required, positive; key: empty"},
        {"{\"title\":\"Bad\",\"detail\":\"because\",\"errors\":[\"one\",\"two\"]}",
         ": 400: Bad: because: one, two"},
        {"{\"errors\":{\"$\":[]}}", ": 400: $"},
        {"{\"id\":0,\"message\":[\"no such meeting\",5,\"x\"]}", ": 400: no such meeting, x"},
        {"{\"message\":\"no such meeting\"}", ": 400: no such meeting"},
        {"{\"detail\":\"two\\r\\nlines\\u0000cut\"}", ": 400: two  lines"},
        {"{\"detail\":\"token " TOKEN "" TOKEN " is bad\"}", "token ****** is bad"},
        {"{\"title\":5,\"detail\":null,\"errors\":{\"a\":{\"b\":1}}}", ": 400: a"},
        {"<html>no JSON</html>", ": 400"},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct notice_result result;

        judge(HTTP_OK, 400, "", CASES[i].body, &result);
        assert_says(&result, CASES[i].says);
        ck_assert_ptr_null(strchr(result.error.text, '<'));
    }
}
END_TEST

START_TEST(the_reason_of_a_2xx_without_a_row_is_quoted)
{
    struct notice_result result;

    judge(HTTP_OK, 200, "", "{\"id\":0,\"message\":[\"no such meeting\"]}", &result);
    assert_says(&result, "no such meeting");
}
END_TEST

START_TEST(a_long_problem_is_cut_between_characters)
{
    struct notice_result result;
    char body[4096] = "{\"detail\":\"";

    for (int i = 0; i < 1000; i++)
        strcat(body, "\xd0\x96");
    strcat(body, "\"}");
    judge(HTTP_OK, 400, "", body, &result);
    assert_says(&result, "\xd0\x96...");
    ck_assert_uint_lt(strlen(result.error.text), sizeof result.error.text - 1);
}
END_TEST

START_TEST(a_token_at_the_cut_is_not_shown_in_part)
{
    for (size_t before = 340; before < 365; before++) {
        struct notice_result result;
        char body[1024];

        snprintf(body, sizeof body, "{\"detail\":\"%*s%s%s\"}", (int)before, "", TOKEN, TOKEN);
        judge(HTTP_OK, 400, "", body, &result);
        ck_assert_msg(!strstr(result.error.text, "s3c"), "%s", result.error.text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notice");
    TCase *cases = tcase_create("notice");

    tcase_add_test(cases, the_address_is_made_of_the_settings);
    tcase_add_test(cases, the_request_is_what_the_backend_expects);
    tcase_add_test(cases, without_a_token_nothing_is_authorized);
    tcase_add_test(cases, a_token_that_no_header_holds_is_a_wrong_setting);
    tcase_add_test(cases, names_are_json_whatever_bytes_they_have);
    tcase_add_test(cases, want_of_memory_is_an_error_and_no_half_notice);
    tcase_add_test(cases, a_2xx_with_a_row_is_accepted);
    tcase_add_test(cases, a_2xx_without_a_row_is_refused);
    tcase_add_test(cases, bodies_with_nul_bytes_or_endless_nesting_are_refused);
    tcase_add_test(cases, each_status_has_its_outcome);
    tcase_add_test(cases, each_failure_has_its_outcome);
    tcase_add_test(cases, retry_after_is_minded_up_to_an_hour);
    tcase_add_test(cases, a_redirect_names_its_target_without_secrets);
    tcase_add_test(cases, a_problem_is_quoted);
    tcase_add_test(cases, the_reason_of_a_2xx_without_a_row_is_quoted);
    tcase_add_test(cases, a_long_problem_is_cut_between_characters);
    tcase_add_test(cases, a_token_at_the_cut_is_not_shown_in_part);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
