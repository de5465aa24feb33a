#include "finalize/s3/s3.h"

#include "finalize/base/clock.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW  1369353600 /* Fri, 24 May 2013 00:00:00 GMT */
#define MARK "0123456789abcdef0123456789abcdef"
#define ETAG "ETag: \"abc\"\r\n" /* every object has one */
#define DATE "Date: Fri, 24 May 2013 00:00:00 GMT\r\n"

static struct settings settings;
static struct s3 *s3;
static struct s3_result result;

static void setup(void)
{
    struct error err = ERROR_INIT;

    settings = (struct settings){.s3_url = (char *)"http://s3.example.org:9000",
                                 .s3_bucket = (char *)"bucket",
                                 .s3_region = (char *)"us-east-1",
                                 .s3_client_id = (char *)"id",
                                 .s3_client_secret = (char *)"S3CR3T",
                                 .s3_parallel = 4};
    result = (struct s3_result){0};
    ck_assert(s3_open(&settings, &s3, &err));
}

static void teardown(void)
{
    s3_result_done(&result);
    s3_close(s3);
}

static const struct s3_call *call_of(enum s3_operation operation)
{
    static struct s3_call call;

    call = (struct s3_call){
        .operation = operation, .key = "a/b.mp4", .upload_id = "id", .part_number = 3};
    return &call;
}

static void make_reply(struct http_reply *reply, int status, const char *headers, const char *body)
{
    http_reply_init(reply, 1 << 20);
    reply->status = status;
    buffer_append_text(&reply->headers, headers);
    buffer_append_text(&reply->body, body);
}

static enum s3_outcome read_reply(enum s3_operation operation, int status, const char *headers,
                                  const char *body)
{
    struct http_reply reply;

    s3_result_done(&result);
    make_reply(&reply, status, headers, body);
    s3_read(s3, call_of(operation), &reply, NOW, &result);
    http_reply_done(&reply);
    return result.outcome;
}

static enum s3_outcome read_code(enum s3_operation operation, int status, const char *code)
{
    char body[300];

    snprintf(body, sizeof body, "<Error><Code>%s</Code><Message/></Error>", code);
    return read_reply(operation, status, "", *code ? body : "");
}

/* The region for which the next request is signed, and the date. */
static void check_next(const char *region, const char *date)
{
    struct http_request request;
    struct error err = ERROR_INIT;
    bool has_region = false, has_date = false;
    char scope[200];

    ck_assert(s3_build(s3, call_of(S3_HEAD_OBJECT), NOW, &request, &err));
    snprintf(scope, sizeof scope, "/%s/s3/aws4_request", region);
    for (char **line = request.headers; *line; line++) {
        has_region = has_region || strstr(*line, scope);
        has_date = has_date || (!strncmp(*line, "x-amz-date: ", 12) && !strcmp(*line + 12, date));
    }
    ck_assert_msg(has_region, "not signed for %s", region);
    ck_assert_msg(has_date, "not signed at %s", date);
    http_request_done(&request);
}

static enum error_kind expected_kind(enum s3_outcome outcome)
{
    if (outcome == S3_DONE)
        return ERROR_NONE;
    if (outcome == S3_REFUSED || outcome == S3_NO_SUCH_KEY || outcome == S3_KEY_TAKEN)
        return ERROR_PERMANENT;
    return ERROR_TRANSIENT;
}

static const struct {
    enum s3_operation operation;
    int status;
    const char *code; /* "": a reply without a body */
    enum s3_outcome outcome;
} errors[] = {
    /* what is not there */
    {S3_HEAD_OBJECT, 404, "", S3_NO_SUCH_KEY},
    {S3_GET_RANGE, 404, "NoSuchKey", S3_NO_SUCH_KEY},
    {S3_GET_RANGE, 404, "NoSuchBucket", S3_REFUSED},
    {S3_GET_RANGE, 404, "", S3_REFUSED},
    {S3_GET_RANGE, 416, "InvalidRange", S3_DONE},
    {S3_GET_RANGE, 416, "", S3_DONE},
    {S3_PUT_OBJECT, 404, "NoSuchBucket", S3_REFUSED},
    {S3_CREATE_UPLOAD, 404, "NoSuchBucket", S3_REFUSED},
    {S3_UPLOAD_PART, 404, "NoSuchUpload", S3_NO_SUCH_UPLOAD},
    {S3_LIST_PARTS, 404, "NoSuchUpload", S3_NO_SUCH_UPLOAD},
    {S3_COMPLETE_UPLOAD, 404, "NoSuchUpload", S3_NO_SUCH_UPLOAD},
    {S3_ABORT_UPLOAD, 404, "NoSuchUpload", S3_NO_SUCH_UPLOAD},
    {S3_LIST_PARTS, 404, "NoSuchKey", S3_NO_SUCH_UPLOAD},
    {S3_ABORT_UPLOAD, 404, "NoSuchKey", S3_NO_SUCH_UPLOAD},
    {S3_UPLOAD_PART, 404, "", S3_REFUSED},
    /* HEAD says nothing but a status */
    {S3_HEAD_OBJECT, 403, "", S3_ASK_REASON},
    {S3_HEAD_OBJECT, 400, "", S3_ASK_REASON},
    {S3_HEAD_OBJECT, 401, "", S3_ASK_REASON},
    {S3_HEAD_OBJECT, 405, "", S3_ASK_REASON},
    {S3_HEAD_OBJECT, 301, "", S3_ASK_REASON},
    {S3_HEAD_OBJECT, 302, "", S3_ASK_REASON},
    {S3_HEAD_OBJECT, 307, "", S3_ASK_REASON},
    {S3_HEAD_OBJECT, 429, "", S3_SLOW_DOWN},
    {S3_HEAD_OBJECT, 503, "", S3_SLOW_DOWN},
    {S3_HEAD_OBJECT, 408, "", S3_RETRY},
    {S3_HEAD_OBJECT, 500, "", S3_RETRY},
    {S3_HEAD_OBJECT, 502, "", S3_RETRY},
    {S3_HEAD_OBJECT, 504, "", S3_RETRY},
    {S3_HEAD_OBJECT, 501, "", S3_REFUSED},
    /* too much at once */
    {S3_UPLOAD_PART, 503, "SlowDown", S3_SLOW_DOWN},
    {S3_UPLOAD_PART, 503, "ServiceUnavailable", S3_SLOW_DOWN},
    {S3_UPLOAD_PART, 503, "XMinioServerNotInitialized", S3_SLOW_DOWN},
    {S3_UPLOAD_PART, 503, "", S3_SLOW_DOWN},
    {S3_UPLOAD_PART, 429, "", S3_SLOW_DOWN},
    {S3_UPLOAD_PART, 429, "TooManyRequests", S3_SLOW_DOWN},
    {S3_UPLOAD_PART, 400, "Throttling", S3_SLOW_DOWN},
    {S3_UPLOAD_PART, 400, "ThrottlingException", S3_SLOW_DOWN},
    {S3_UPLOAD_PART, 200, "SlowDown", S3_SLOW_DOWN},
    /* may work next time */
    {S3_UPLOAD_PART, 500, "InternalError", S3_RETRY},
    {S3_UPLOAD_PART, 500, "", S3_RETRY},
    {S3_UPLOAD_PART, 502, "", S3_RETRY},
    {S3_UPLOAD_PART, 504, "", S3_RETRY},
    {S3_UPLOAD_PART, 520, "", S3_RETRY},
    {S3_UPLOAD_PART, 408, "", S3_RETRY},
    {S3_UPLOAD_PART, 400, "RequestTimeout", S3_RETRY},
    {S3_UPLOAD_PART, 400, "BadDigest", S3_RETRY},
    {S3_UPLOAD_PART, 400, "XAmzContentSHA256Mismatch", S3_RETRY},
    {S3_UPLOAD_PART, 400, "IncompleteBody", S3_RETRY},
    {S3_PUT_OBJECT, 409, "OperationAborted", S3_RETRY},
    {S3_COMPLETE_UPLOAD, 500, "UnknownError", S3_RETRY},
    {S3_UPLOAD_PART, 400, "ExpiredToken", S3_RETRY}, /* a program may write another one */
    {S3_UPLOAD_PART, 403, "InvalidToken", S3_REFUSED},
    /* Complete: 200, and then an error */
    {S3_COMPLETE_UPLOAD, 200, "InternalError", S3_RETRY},
    {S3_COMPLETE_UPLOAD, 200, "SlowDown", S3_SLOW_DOWN},
    {S3_COMPLETE_UPLOAD, 200, "AccessDenied", S3_REFUSED},
    {S3_COMPLETE_UPLOAD, 200, "NoSuchUpload", S3_NO_SUCH_UPLOAD},
    {S3_COMPLETE_UPLOAD, 200, "InvalidPart", S3_BAD_PART},
    {S3_COMPLETE_UPLOAD, 200, "NeverHeardOfIt", S3_RETRY},
    {S3_COMPLETE_UPLOAD, 200, "", S3_RETRY},
    {S3_COMPLETE_UPLOAD, 204, "", S3_RETRY},
    {S3_COMPLETE_UPLOAD, 400, "InvalidPart", S3_BAD_PART},
    {S3_COMPLETE_UPLOAD, 400, "InvalidPartOrder", S3_BAD_PART},
    {S3_COMPLETE_UPLOAD, 400, "EntityTooSmall", S3_BAD_PART},
    {S3_UPLOAD_PART, 400, "InvalidPart", S3_REFUSED},
    {S3_UPLOAD_PART, 400, "EntityTooSmall", S3_REFUSED},
    {S3_COMPLETE_UPLOAD, 400, "MalformedXML", S3_REFUSED},
    /* success that can't be understood */
    {S3_HEAD_OBJECT, 200, "", S3_RETRY},
    {S3_CREATE_UPLOAD, 200, "", S3_RETRY},
    {S3_UPLOAD_PART, 200, "", S3_RETRY},
    {S3_LIST_PARTS, 200, "", S3_RETRY},
    {S3_LIST_UPLOADS, 200, "", S3_RETRY},
    {S3_CREATE_UPLOAD, 200, "AccessDenied", S3_REFUSED},
    /* a person is needed */
    {S3_PUT_OBJECT, 403, "AccessDenied", S3_REFUSED},
    {S3_PUT_OBJECT, 403, "SignatureDoesNotMatch", S3_REFUSED},
    {S3_PUT_OBJECT, 403, "InvalidAccessKeyId", S3_REFUSED},
    {S3_PUT_OBJECT, 403, "QuotaExceeded", S3_REFUSED},
    {S3_PUT_OBJECT, 403, "", S3_REFUSED},
    {S3_PUT_OBJECT, 400, "CloudTotalAliveSizeQuotaExceed", S3_REFUSED},
    {S3_PUT_OBJECT, 400, "BucketMaxSizeExceeded", S3_REFUSED},
    {S3_PUT_OBJECT, 400, "EntityTooLarge", S3_REFUSED},
    {S3_PUT_OBJECT, 413, "", S3_REFUSED},
    {S3_PUT_OBJECT, 400, "NeverHeardOfIt", S3_REFUSED},
    {S3_PUT_OBJECT, 501, "NotImplemented", S3_REFUSED},
    {S3_PUT_OBJECT, 507, "", S3_REFUSED},
    {S3_PUT_OBJECT, 507, "XMinioStorageFull", S3_REFUSED},
    {S3_PUT_OBJECT, 304, "", S3_REFUSED},
    {S3_PUT_OBJECT, 301, "", S3_REFUSED},
    {S3_PUT_OBJECT, 307, "TemporaryRedirect", S3_REFUSED},
    {S3_PUT_OBJECT, 403, "RequestTimeTooSkewed", S3_REFUSED}, /* and no Date */
    /* conditions that we did not set */
    {S3_PUT_OBJECT, 412, "PreconditionFailed", S3_REFUSED},
    {S3_PUT_OBJECT, 412, "", S3_REFUSED},
    {S3_PUT_OBJECT, 409, "ConditionalRequestConflict", S3_REFUSED},
    {S3_PUT_OBJECT, 409, "BucketAlreadyExists", S3_REFUSED},
};

START_TEST(each_error_has_its_outcome)
{
    enum s3_outcome outcome = read_code(errors[_i].operation, errors[_i].status, errors[_i].code);

    ck_assert_msg(outcome == errors[_i].outcome, "%s, %d %s: %d",
                  s3_operation_names[errors[_i].operation], errors[_i].status, errors[_i].code,
                  (int)outcome);
    ck_assert(result.sent);
    ck_assert_int_eq(result.error.kind, expected_kind(outcome));
    if (outcome == S3_DONE)
        return;
    ck_assert_int_eq(result.error.http_status, errors[_i].status);
    if (errors[_i].operation != S3_HEAD_OBJECT)
        ck_assert_str_eq(result.error.s3_code, errors[_i].code);
    ck_assert_ptr_nonnull(strstr(result.error.text, s3_operation_names[errors[_i].operation]));
    ck_assert_ptr_nonnull(strstr(result.error.text, "a/b.mp4: "));
    ck_assert_ptr_null(strstr(result.error.text, "  "));
    ck_assert_ptr_null(strstr(result.error.text, ": ;"));
}
END_TEST

static const struct {
    enum s3_operation operation;
    int status;
    const char *code;
    enum s3_outcome outcome;
} conditions[] = {
    {S3_PUT_OBJECT, 412, "PreconditionFailed", S3_KEY_TAKEN},
    {S3_PUT_OBJECT, 412, "", S3_KEY_TAKEN},
    {S3_PUT_OBJECT, 409, "ConditionalRequestConflict", S3_KEY_TAKEN},
    {S3_COMPLETE_UPLOAD, 412, "PreconditionFailed", S3_KEY_TAKEN},
    {S3_COMPLETE_UPLOAD, 200, "PreconditionFailed", S3_KEY_TAKEN},
    {S3_UPLOAD_PART, 412, "PreconditionFailed", S3_REFUSED},
    {S3_CREATE_UPLOAD, 412, "", S3_REFUSED},
    {S3_PUT_OBJECT, 501, "NotImplemented", S3_REFUSED},
};

START_TEST(a_conditional_write_tells_that_the_key_is_taken)
{
    settings.s3_conditional_writes = true;
    ck_assert_int_eq(
        read_code(conditions[_i].operation, conditions[_i].status, conditions[_i].code),
        conditions[_i].outcome);
}
END_TEST

static const struct {
    enum http_failure failure;
    enum s3_outcome outcome;
    bool sent;
    enum error_kind kind;
} failures_of_transfer[] = {
    {HTTP_FAILED_RESOLVE, S3_RETRY, false, ERROR_TRANSIENT},
    {HTTP_FAILED_CONNECT, S3_RETRY, false, ERROR_TRANSIENT},
    {HTTP_FAILED_TLS, S3_REFUSED, false, ERROR_PERMANENT},
    {HTTP_FAILED_PROXY, S3_REFUSED, false, ERROR_PERMANENT},
    {HTTP_FAILED_TRANSFER, S3_RETRY, true, ERROR_TRANSIENT},
    {HTTP_FAILED_TIMEOUT, S3_RETRY, true, ERROR_TRANSIENT},
    {HTTP_FAILED_TOO_LARGE, S3_RETRY, true, ERROR_TRANSIENT},
    {HTTP_FAILED_LOCAL, S3_REFUSED, true, ERROR_TRANSIENT},
};

START_TEST(each_failure_of_the_transfer_has_its_outcome)
{
    struct http_reply reply;

    make_reply(&reply, 0, "", "");
    reply.failure = failures_of_transfer[_i].failure;
    snprintf(reply.detail, sizeof reply.detail, "what curl said");
    s3_read(s3, call_of(S3_UPLOAD_PART), &reply, NOW, &result);
    http_reply_done(&reply);
    ck_assert_int_eq(result.outcome, failures_of_transfer[_i].outcome);
    ck_assert_int_eq(result.sent, failures_of_transfer[_i].sent);
    ck_assert_int_eq(result.error.kind, failures_of_transfer[_i].kind);
    ck_assert_str_eq(result.error.text, "UploadPart of part 3 of a/b.mp4: what curl said");
}
END_TEST

START_TEST(a_server_that_ignores_the_range_has_the_object_all_the_same)
{
    struct http_reply reply;

    make_reply(&reply, 200, "", "xxxx");
    reply.failure = HTTP_FAILED_TOO_LARGE;
    s3_read(s3, call_of(S3_GET_RANGE), &reply, NOW, &result);
    ck_assert_int_eq(result.outcome, S3_DONE);
    reply.status = 403;
    s3_read(s3, call_of(S3_GET_RANGE), &reply, NOW, &result);
    ck_assert_int_eq(result.outcome, S3_RETRY);
    http_reply_done(&reply);
    ck_assert_int_eq(read_reply(S3_GET_RANGE, 206, "", "x"), S3_DONE);
    ck_assert_int_eq(read_reply(S3_GET_RANGE, 200, "", ""), S3_DONE);
}
END_TEST

START_TEST(head_tells_size_etag_and_mark)
{
    ck_assert_int_eq(read_reply(S3_HEAD_OBJECT, 200,
                                "HTTP/1.1 200 OK\r\nContent-Length: 5497558138880\r\n"
                                "ETag: W/\"abc-3\"\r\nX-Amz-Meta-Jibri-Mark: " MARK "\r\n",
                                ""),
                     S3_DONE);
    ck_assert(result.size_bytes == 5497558138880u);
    ck_assert_str_eq(result.etag, "abc-3");
    ck_assert_str_eq(result.mark, MARK);
    ck_assert_int_eq(result.error.kind, ERROR_NONE);
    ck_assert_int_eq(read_reply(S3_HEAD_OBJECT, 200, "Content-Length: 0\r\n" ETAG, ""), S3_DONE);
    ck_assert(result.size_bytes == 0);
    ck_assert_str_eq(result.mark, "");
}
END_TEST

/* Taken for another writer's object it would send the recording a second time. */
START_TEST(head_without_an_etag_is_no_word_of_an_object)
{
    ck_assert_int_eq(read_reply(S3_HEAD_OBJECT, 200, "Content-Length: 77\r\n", ""), S3_RETRY);
}
END_TEST

START_TEST(a_mark_that_is_not_one_of_ours_is_none)
{
    static const char *const marks[] = {
        "0123456789abcdef0123456789abcdeF",  "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0", "0123456789abcdef0123456789abcdeg",
        "0123456789abcdef 123456789abcdef",  ""};
    char headers[200];

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        snprintf(headers, sizeof headers,
                 "Content-Length: 1\r\n" ETAG "x-amz-meta-jibri-mark: %s\r\n", marks[i]);
        ck_assert_int_eq(read_reply(S3_HEAD_OBJECT, 200, headers, ""), S3_DONE);
        ck_assert_str_eq(result.mark, "");
    }
}
END_TEST

START_TEST(an_object_of_the_same_session_is_recognised)
{
    static const struct {
        const char *headers;
        bool same_session;
        uint64_t part_size_bytes;
    } rows[] = {
        {"Content-Length: 1\r\n" ETAG, false, 0},
        {"Content-Length: 1\r\n" ETAG "x-amz-meta-jibri-session: abc%25def\r\n", true, 0},
        {"Content-Length: 1\r\n" ETAG "x-amz-meta-jibri-session: abc%def\r\n", false, 0},
        {"Content-Length: 1\r\n" ETAG "x-amz-meta-jibri-session: other\r\n", false, 0},
        {"Content-Length: 1\r\n" ETAG "x-amz-meta-jibri-part-size: 8388608\r\n", false, 8388608},
        {"Content-Length: 1\r\n" ETAG "x-amz-meta-jibri-part-size: -1\r\n", false, 0},
    };
    struct s3_object_metadata metadata = {.session_id = "abc%def"};
    struct s3_call head = {.operation = S3_HEAD_OBJECT, .key = "k", .metadata = &metadata};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_reply reply;
        struct s3_result read;

        http_reply_init(&reply, 1024);
        reply.status = 200;
        buffer_append_text(&reply.headers, rows[i].headers);
        s3_read(s3, &head, &reply, 0, &read);
        ck_assert_int_eq(read.outcome, S3_DONE);
        ck_assert_int_eq(read.same_session, rows[i].same_session);
        ck_assert(read.part_size_bytes == rows[i].part_size_bytes);
        s3_result_done(&read);
        http_reply_done(&reply);
    }
}
END_TEST

START_TEST(a_size_that_is_no_number_is_not_believed)
{
    ck_assert_int_eq(read_reply(S3_HEAD_OBJECT, 200, "Content-Length: -1\r\n", ""), S3_RETRY);
    ck_assert_int_eq(read_reply(S3_HEAD_OBJECT, 200, "Content-Length: 1x\r\n", ""), S3_RETRY);
    ck_assert_int_eq(
        read_reply(S3_HEAD_OBJECT, 200, "Content-Length: 99999999999999999999\r\n", ""), S3_RETRY);
}
END_TEST

START_TEST(a_part_has_an_etag)
{
    char headers[400];

    ck_assert_int_eq(read_reply(S3_UPLOAD_PART, 200, "ETag: \"abc\"\r\n", ""), S3_DONE);
    ck_assert_str_eq(result.etag, "abc");
    ck_assert_int_eq(read_reply(S3_UPLOAD_PART, 200, "ETag: \"\"\r\n", ""), S3_RETRY);
    snprintf(headers, sizeof headers, "ETag: \"%0200d\"\r\n", 0);
    ck_assert_int_eq(read_reply(S3_UPLOAD_PART, 200, headers, ""), S3_RETRY);
    ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 200, "", ""), S3_DONE);
    ck_assert_str_eq(result.etag, "");
}
END_TEST

START_TEST(create_gives_the_upload_id)
{
    ck_assert_int_eq(read_reply(S3_CREATE_UPLOAD, 200, "",
                                "<InitiateMultipartUploadResult><UploadId>2~x</UploadId>"
                                "</InitiateMultipartUploadResult>"),
                     S3_DONE);
    ck_assert_str_eq(result.upload_id, "2~x");
}
END_TEST

START_TEST(complete_is_done_when_its_result_says_so)
{
    ck_assert_int_eq(read_reply(S3_COMPLETE_UPLOAD, 200, "",
                                "  \n <CompleteMultipartUploadResult><ETag/>"
                                "</CompleteMultipartUploadResult>"),
                     S3_DONE);
    ck_assert_int_eq(
        read_reply(S3_COMPLETE_UPLOAD, 200, "", "<CompleteMultipartUploadResult><ETag>"), S3_RETRY);
    ck_assert_int_eq(read_reply(S3_COMPLETE_UPLOAD, 200, "", "<html/>"), S3_RETRY);
    ck_assert_int_eq(read_reply(S3_ABORT_UPLOAD, 204, "", ""), S3_DONE);
}
END_TEST

START_TEST(parts_are_listed_page_by_page)
{
    static const char page[] =
        "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>2"
        "</NextPartNumberMarker><Part><PartNumber>2</PartNumber><Size>5</Size><ETag>e</ETag></Part>"
        "</ListPartsResult>";
    struct s3_call call = *call_of(S3_LIST_PARTS);
    struct http_reply reply;

    ck_assert_int_eq(read_reply(S3_LIST_PARTS, 200, "", page), S3_DONE);
    ck_assert_int_eq((int)result.listing.count, 1);
    ck_assert(result.listing.truncated);
    s3_result_done(&result);
    /* A page that does not lead on would be asked for without an end. */
    call.part_number_marker = 2;
    make_reply(&reply, 200, "", page);
    s3_read(s3, &call, &reply, NOW, &result);
    ck_assert_int_eq(result.outcome, S3_RETRY);
    ck_assert_int_eq((int)result.listing.count, 0);
    http_reply_done(&reply);
}
END_TEST

#define UPLOAD(key, id) "<Upload><Key>" key "</Key><UploadId>" id "</UploadId></Upload>"

START_TEST(only_uploads_of_the_very_key_are_listed)
{
    ck_assert_int_eq(read_reply(S3_LIST_UPLOADS, 200, "",
                                "<ListMultipartUploadsResult>" UPLOAD("a/b.mp4.bak", "1") UPLOAD(
                                    "a/b.mp4", "2") UPLOAD("A/b.mp4", "3") UPLOAD("a/b.mp4", "4")
                                    UPLOAD("a/b.mp4 ", "5") "</ListMultipartUploadsResult>"),
                     S3_DONE);
    ck_assert_int_eq((int)result.listing.count, 2);
    ck_assert_str_eq(result.listing.items[0].upload_id, "2");
    ck_assert_str_eq(result.listing.items[1].upload_id, "4");
}
END_TEST

START_TEST(without_a_key_uploads_of_all_keys_are_listed)
{
    const struct s3_call all = {.operation = S3_LIST_UPLOADS, .prefix = "a"};
    struct http_reply reply;

    make_reply(&reply, 200, "",
               "<ListMultipartUploadsResult>" UPLOAD("a/b.mp4.bak", "1")
                   UPLOAD("a/b.mp4", "2") "</ListMultipartUploadsResult>");
    s3_read(s3, &all, &reply, NOW, &result);
    ck_assert_int_eq(result.outcome, S3_DONE);
    ck_assert_int_eq((int)result.listing.count, 2);
    http_reply_done(&reply);
}
END_TEST

START_TEST(bytes_that_were_asked_for_are_in_the_result)
{
    struct s3_call call = {.operation = S3_GET_RANGE, .key = "a", .offset = 7, .length = 4};
    struct http_reply reply;

    make_reply(&reply, 206, "", "a\tbc");
    s3_read(s3, &call, &reply, NOW, &result);
    ck_assert_int_eq(result.outcome, S3_DONE);
    ck_assert_int_eq((int)result.body.length, 4);
    ck_assert_str_eq(result.body.data, "a\tbc");
    s3_result_done(&result);
    ck_assert_ptr_null(result.body.data);
    reply.failure = HTTP_FAILED_TOO_LARGE; /* the range was ignored: it is not known where it was */
    s3_read(s3, &call, &reply, NOW, &result);
    ck_assert_int_eq(result.outcome, S3_RETRY);
    http_reply_done(&reply);
}
END_TEST

START_TEST(a_copied_part_is_done_only_when_the_body_says_so)
{
    const struct s3_call call = {.operation = S3_UPLOAD_PART,
                                 .key = "a",
                                 .upload_id = "i",
                                 .part_number = 1,
                                 .copy_from = "b",
                                 .length = 4};
    struct http_reply reply;

    make_reply(&reply, 200, "", "<CopyPartResult><ETag>\"e\"</ETag></CopyPartResult>");
    s3_read(s3, &call, &reply, NOW, &result);
    ck_assert_int_eq(result.outcome, S3_DONE);
    ck_assert_str_eq(result.etag, "e");
    http_reply_done(&reply);
    make_reply(&reply, 200, "ETag: \"e\"\r\n", "<Error><Code>InternalError</Code></Error>");
    s3_read(s3, &call, &reply, NOW, &result);
    ck_assert_int_eq(result.outcome, S3_RETRY);
    http_reply_done(&reply);
}
END_TEST

START_TEST(session_and_instance_come_back_as_they_were_given)
{
    ck_assert_int_eq(read_reply(S3_HEAD_OBJECT, 200,
                                "Content-Length: 5\r\nETag: \"x\"\r\n"
                                "x-amz-meta-jibri-session: %D1%8F%2541\r\n"
                                "x-amz-meta-jibri-instance: jibri 7\r\n",
                                ""),
                     S3_DONE);
    ck_assert_str_eq(result.session_id, "я%41");
    ck_assert_str_eq(result.instance_id, "jibri 7");
}
END_TEST

START_TEST(a_wrong_clock_is_put_right_by_the_servers_date)
{
    static const char skewed[] = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    long ahead;

    check_next("us-east-1", "20130524T000000Z");
    ck_assert_int_eq(
        read_reply(S3_PUT_OBJECT, 403, "Date: Fri, 24 May 2013 01:00:01 GMT\r\n", skewed),
        S3_SIGN_AGAIN);
    check_next("us-east-1", "20130524T010001Z");
    ck_assert(s3_clock_ahead(s3, &ahead));
    ck_assert_int_eq((int)ahead, 3601);
    ck_assert_ptr_nonnull(strstr(result.error.text, "3601 s ahead of ours"));
    ck_assert_int_eq(
        read_reply(S3_PUT_OBJECT, 403, "Date: Thu, 23 May 2013 00:00:00 GMT\r\n", skewed),
        S3_SIGN_AGAIN);
    check_next("us-east-1", "20130523T000000Z");
    ck_assert_ptr_nonnull(strstr(result.error.text, "86400 s behind ours"));
    ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 403, DATE, skewed), S3_SIGN_AGAIN);
    /* It went on like this three times: it is not the clock. */
    ck_assert_int_eq(
        read_reply(S3_PUT_OBJECT, 403, "Date: Thu, 23 May 2013 00:00:00 GMT\r\n", skewed),
        S3_REFUSED);
    check_next("us-east-1", "20130524T000000Z");
    ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 200, DATE, ""), S3_DONE);
    ck_assert_int_eq(
        read_reply(S3_PUT_OBJECT, 403, "Date: Thu, 23 May 2013 00:00:00 GMT\r\n", skewed),
        S3_SIGN_AGAIN);
}
END_TEST

START_TEST(replies_to_what_was_under_way_do_not_count_as_corrections)
{
    static const char skewed[] = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    static const char malformed[] = "<Error><Code>AuthorizationHeaderMalformed</Code>"
                                    "<Region>eu-1</Region></Error>";

    settings.s3_parallel = 8;
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(
            read_reply(S3_UPLOAD_PART, 403, "Date: Fri, 24 May 2013 01:00:00 GMT\r\n", skewed),
            S3_SIGN_AGAIN);
    ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 200, "", ""), S3_DONE);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(read_reply(S3_UPLOAD_PART, 400, "", malformed), S3_SIGN_AGAIN);
    ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 200, "", ""), S3_DONE);
    ck_assert_int_eq(read_reply(S3_UPLOAD_PART, 400, "", malformed), S3_SIGN_AGAIN);
}
END_TEST

START_TEST(a_request_that_was_too_long_on_its_way_counts_as_a_failure_whatever_else_succeeds)
{
    static const char skewed[] = "<Error><Code>RequestTimeTooSkewed</Code></Error>";

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(read_reply(S3_UPLOAD_PART, 403, DATE, skewed), S3_RETRY);
        ck_assert_int_eq(result.error.kind, ERROR_TRANSIENT);
        ck_assert_ptr_nonnull(strstr(result.error.text, "on its way"));
        ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 200, DATE, ""), S3_DONE);
    }
}
END_TEST

START_TEST(a_server_that_never_learns_is_given_up)
{
    static const char malformed[] = "<Error><Code>AuthorizationHeaderMalformed</Code>"
                                    "<Region>eu-1</Region></Error>";
    int tries = 0;

    while (read_reply(S3_UPLOAD_PART, 400, "", malformed) == S3_SIGN_AGAIN)
        ck_assert_int_lt(++tries, 100);
    ck_assert_int_eq(result.outcome, S3_REFUSED);
    ck_assert_int_gt(tries, 4);
}
END_TEST

static const struct {
    enum s3_operation operation;
    int status;
    const char *headers, *body;
    enum s3_outcome outcome;
    const char *region;
} regions[] = {
    {S3_PUT_OBJECT, 400, "",
     "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-1</Region></Error>", S3_SIGN_AGAIN,
     "eu-1"},
    {S3_PUT_OBJECT, 301, "x-amz-bucket-region: eu-1\r\n",
     "<Error><Code>PermanentRedirect</Code></Error>", S3_SIGN_AGAIN, "eu-1"},
    {S3_PUT_OBJECT, 307, "x-amz-bucket-region: eu-1\r\n", "", S3_SIGN_AGAIN, "eu-1"},
    {S3_CREATE_UPLOAD, 400, "x-amz-bucket-region: eu-1\r\n",
     "<Error><Code>IllegalLocationConstraintException</Code></Error>", S3_SIGN_AGAIN, "eu-1"},
    {S3_PUT_OBJECT, 400, "",
     "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-east-1</Region></Error>",
     S3_REFUSED, "us-east-1"},
    {S3_PUT_OBJECT, 400, "",
     "<Error><Code>AuthorizationHeaderMalformed</Code><Region>e u/1</Region></Error>", S3_REFUSED,
     "us-east-1"},
    {S3_PUT_OBJECT, 400, "", "<Error><Code>AuthorizationHeaderMalformed</Code></Error>", S3_REFUSED,
     "us-east-1"},
    {S3_PUT_OBJECT, 403, "x-amz-bucket-region: eu-1\r\n",
     "<Error><Code>AccessDenied</Code></Error>", S3_REFUSED, "us-east-1"},
    {S3_HEAD_OBJECT, 400, "x-amz-bucket-region: eu-1\r\n", "", S3_SIGN_AGAIN, "eu-1"},
    {S3_HEAD_OBJECT, 301, "X-Amz-Bucket-Region: eu-1\r\n", "", S3_SIGN_AGAIN, "eu-1"},
    {S3_HEAD_OBJECT, 307, "x-amz-bucket-region: eu-1\r\n", "", S3_SIGN_AGAIN, "eu-1"},
    {S3_HEAD_OBJECT, 403, "x-amz-bucket-region: eu-1\r\n", "", S3_SIGN_AGAIN, "eu-1"},
    {S3_HEAD_OBJECT, 403, "x-amz-bucket-region: us-east-1\r\n", "", S3_ASK_REASON, "us-east-1"},
    {S3_HEAD_OBJECT, 404, "x-amz-bucket-region: eu-1\r\n", "", S3_NO_SUCH_KEY, "us-east-1"},
};

START_TEST(the_buckets_region_is_learned)
{
    ck_assert_int_eq(read_reply(regions[_i].operation, regions[_i].status, regions[_i].headers,
                                regions[_i].body),
                     regions[_i].outcome);
    check_next(regions[_i].region, "20130524T000000Z");
}
END_TEST

START_TEST(a_region_is_learned_three_times_at_most)
{
    char headers[100];

    for (int i = 0; i < 4; i++) {
        snprintf(headers, sizeof headers, "x-amz-bucket-region: r%d\r\n", i);
        ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 307, headers, ""),
                         i < 3 ? S3_SIGN_AGAIN : S3_REFUSED);
    }
    check_next("r2", "20130524T000000Z");
}
END_TEST

static const struct {
    const char *headers, *body, *hint;
} redirects[] = {
    {"Location: https://s3.example.org:9000/bucket/a/b.mp4?x\r\n", "<html/>",
     "the server wants https: CONFOMEET_S3_URL is to begin with https://"},
    {"Location: https://evil.example.net/bucket\r\n", "",
     "it points to https://evil.example.net; credentials go to CONFOMEET_S3_URL's host only"},
    {"Location: http://user:pw@other:1/\r\n", "", "it points to http://other:1;"},
    {"", "<Error><Code>PermanentRedirect</Code><Endpoint>b.s3-eu.example.org</Endpoint></Error>",
     "it points to http://b.s3-eu.example.org;"},
    {"Location: /elsewhere\r\n", "", "HTTP status 301"},
};

START_TEST(a_redirect_to_another_host_is_refused_and_named)
{
    ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 301, redirects[_i].headers, redirects[_i].body),
                     S3_REFUSED);
    ck_assert_msg(strstr(result.error.text, redirects[_i].hint) != NULL, "%s", result.error.text);
    ck_assert_ptr_null(strstr(result.error.text, "pw@"));
}
END_TEST

/* As if the platform had given them: from a container's endpoint. */
static void have_keys_of_the_platform(void)
{
    struct credentials *credentials = s3_credentials(s3);
    struct http_request request;
    struct http_reply reply;

    ck_assert(credentials_next(credentials, clock_now_ms(), &request));
    http_request_done(&request);
    make_reply(&reply, 200, "", "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\"}");
    credentials_take_reply(credentials, &reply, NOW, clock_now_ms());
    http_reply_done(&reply);
    ck_assert_int_eq(credentials_state(credentials, clock_now_ms()), CREDENTIALS_READY);
}

START_TEST(keys_of_the_platform_that_have_expired_are_renewed_and_the_request_signed_again)
{
    struct error err = ERROR_INIT;

    s3_close(s3);
    settings.s3_client_id = settings.s3_client_secret = NULL;
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/", 1);
    ck_assert_msg(s3_open(&settings, &s3, &err), "%s", err.text);
    have_keys_of_the_platform();
    for (unsigned i = 0; i < 4; i++) /* all that was under way has the old ones */
        ck_assert_int_eq(read_code(S3_UPLOAD_PART, 400, "ExpiredToken"), S3_SIGN_AGAIN);
    ck_assert_int_eq(credentials_state(s3_credentials(s3), clock_now_ms()), CREDENTIALS_AWAITED);
    have_keys_of_the_platform();
    ck_assert_int_eq(read_code(S3_UPLOAD_PART, 400, "ExpiredToken"), S3_SIGN_AGAIN);
    ck_assert_int_eq(credentials_state(s3_credentials(s3), clock_now_ms()), CREDENTIALS_READY);
    ck_assert_int_eq(read_code(S3_UPLOAD_PART, 403, "InvalidAccessKeyId"), S3_REFUSED);
    unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}
END_TEST

START_TEST(a_redirect_to_https_is_seen_in_virtual_host_style_too)
{
    struct error err = ERROR_INIT;

    s3_close(s3);
    settings.s3_addressing = SETTINGS_ADDRESSING_VIRTUAL;
    ck_assert(s3_open(&settings, &s3, &err));
    ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 301,
                                "Location: https://bucket.s3.example.org:9000/a/b.mp4\r\n", ""),
                     S3_REFUSED);
    ck_assert_ptr_nonnull(strstr(result.error.text, "the server wants https"));
}
END_TEST

static const struct {
    const char *header;
    uint64_t ms;
} retry_afters[] = {
    {"", 0},
    {"Retry-After: 5\r\n", 5000},
    {"Retry-After: 0\r\n", 0},
    {"Retry-After: 3600\r\n", 3600000},
    {"Retry-After: 3601\r\n", 3600000},
    {"Retry-After: 99999999999999999999999\r\n", 0},
    {"Retry-After: -5\r\n", 0},
    {"Retry-After: soon\r\n", 0},
    {DATE "Retry-After: Fri, 24 May 2013 00:00:30 GMT\r\n", 30000},
    {DATE "Retry-After: Sat, 25 May 2013 00:00:30 GMT\r\n", 3600000},
    {DATE "Retry-After: Thu, 23 May 2013 00:00:30 GMT\r\n", 0},
    /* by the server's clock, not by ours */
    {"Date: Fri, 24 May 2013 01:00:00 GMT\r\nRetry-After: Fri, 24 May 2013 01:00:10 GMT\r\n",
     10000},
};

START_TEST(retry_after_is_minded_up_to_an_hour)
{
    ck_assert_int_eq(read_reply(S3_PUT_OBJECT, 503, retry_afters[_i].header, ""), S3_SLOW_DOWN);
    ck_assert_msg(result.retry_after_ms == retry_afters[_i].ms, "%s: %llu", retry_afters[_i].header,
                  (unsigned long long)result.retry_after_ms);
}
END_TEST

static const struct {
    const char *header;
    bool readable;
    long ahead;
} dates[] = {
    {DATE, true, 0},
    {"date:Fri, 24 May 2013 00:00:01 GMT\r\n", true, 1},
    {"Date: Wed, 24 Apr 2013 00:00:00 GMT\r\n", true, -2592000},
    {"Date: Thu, 29 Feb 2024 12:00:00 GMT\r\n", true, 339854400},
    {"", false, 0},
    {"Date: \r\n", false, 0},
    {"Date: Fri, 24 May 2013 00:00:00 CET\r\n", false, 0},
    {"Date: Fri, 24 Mai 2013 00:00:00 GMT\r\n", false, 0},
    {"Date: Fri, 24 ayJ 2013 00:00:00 GMT\r\n", false, 0},
    {"Date: Fri, 24 May 2013 24:00:00 GMT\r\n", false, 0},
    {"Date: Fri, 32 May 2013 00:00:00 GMT\r\n", false, 0},
    {"Date: 2013-05-24T00:00:00Z\r\n", false, 0},
    {"Date: 1369353600\r\n", false, 0},
};

START_TEST(the_servers_clock_is_read_from_its_date)
{
    long ahead;

    read_reply(S3_PUT_OBJECT, 200, dates[_i].header, "");
    ck_assert_int_eq(s3_clock_ahead(s3, &ahead), dates[_i].readable);
    ck_assert_int_eq(ahead, dates[_i].readable ? dates[_i].ahead : 0);
}
END_TEST

START_TEST(an_error_is_told_in_one_line)
{
    read_reply(S3_UPLOAD_PART, 403, "",
               "<Error><Code>AccessDenied</Code><Message>You may\nnot.</Message>"
               "<RequestId>tx1</RequestId></Error>");
    ck_assert_str_eq(result.error.text, "UploadPart of part 3 of a/b.mp4: 403 AccessDenied: "
                                        "You may not. (request id tx1)");
    read_reply(S3_CREATE_UPLOAD, 403, "", "<Error><Code>AccessDenied</Code><Message/></Error>");
    ck_assert_str_eq(result.error.text, "CreateMultipartUpload of a/b.mp4: 403 AccessDenied");
    read_reply(S3_PUT_OBJECT, 502, "", "<html><body>Sorry, S3CR3T</body></html>");
    ck_assert_str_eq(result.error.text, "PutObject of a/b.mp4: HTTP status 502, not an S3 reply");
    read_reply(S3_HEAD_OBJECT, 403, "", "");
    ck_assert_str_eq(result.error.text, "HeadObject of a/b.mp4: HTTP status 403");
    read_reply(S3_COMPLETE_UPLOAD, 200, "", "<Error><Code>InternalError</Code></Error>");
    ck_assert_str_eq(result.error.text, "CompleteMultipartUpload of a/b.mp4: 200 InternalError");
    read_reply(S3_COMPLETE_UPLOAD, 200, "", "");
    ck_assert_str_eq(result.error.text,
                     "CompleteMultipartUpload of a/b.mp4: success, but the reply "
                     "cannot be understood");
}
END_TEST

START_TEST(long_names_and_messages_are_shortened)
{
    struct s3_call call = {.operation = S3_PUT_OBJECT};
    struct http_reply reply;
    char key[1025] = "", body[3000];

    for (int i = 0; i < 500; i++)
        strcat(key, "я");
    strcat(key, "END.mp4");
    call.key = key;
    snprintf(body, sizeof body,
             "<Error><Code>%0100d</Code><Message>%01000d</Message><RequestId>%0300d</RequestId>"
             "</Error>",
             1, 2, 3);
    make_reply(&reply, 307, "Location: https://another.example.org/\r\n", body);
    s3_read(s3, &call, &reply, NOW, &result);
    http_reply_done(&reply);
    ck_assert_ptr_nonnull(strstr(result.error.text, "PutObject of …я"));
    ck_assert_ptr_nonnull(strstr(result.error.text, "яEND.mp4: 307 0000"));
    ck_assert_ptr_nonnull(strstr(result.error.text, "0…; it points to https://another"));
    ck_assert_int_lt((int)strlen(result.error.text), 640 - 1);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void)
{
    Suite *suite = suite_create("s3_reply");
    TCase *tests = tcase_create("s3_reply");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, each_error_has_its_outcome, 0, COUNT(errors));
    tcase_add_loop_test(tests, a_conditional_write_tells_that_the_key_is_taken, 0,
                        COUNT(conditions));
    tcase_add_loop_test(tests, each_failure_of_the_transfer_has_its_outcome, 0,
                        COUNT(failures_of_transfer));
    tcase_add_test(tests, a_server_that_ignores_the_range_has_the_object_all_the_same);
    tcase_add_test(tests, head_tells_size_etag_and_mark);
    tcase_add_test(tests, head_without_an_etag_is_no_word_of_an_object);
    tcase_add_test(tests, a_mark_that_is_not_one_of_ours_is_none);
    tcase_add_test(tests, an_object_of_the_same_session_is_recognised);
    tcase_add_test(tests, a_size_that_is_no_number_is_not_believed);
    tcase_add_test(tests, a_part_has_an_etag);
    tcase_add_test(tests, create_gives_the_upload_id);
    tcase_add_test(tests, complete_is_done_when_its_result_says_so);
    tcase_add_test(tests, parts_are_listed_page_by_page);
    tcase_add_test(tests, without_a_key_uploads_of_all_keys_are_listed);
    tcase_add_test(tests, bytes_that_were_asked_for_are_in_the_result);
    tcase_add_test(tests, a_copied_part_is_done_only_when_the_body_says_so);
    tcase_add_test(tests, session_and_instance_come_back_as_they_were_given);
    tcase_add_test(tests, only_uploads_of_the_very_key_are_listed);
    tcase_add_test(tests, a_wrong_clock_is_put_right_by_the_servers_date);
    tcase_add_test(tests, replies_to_what_was_under_way_do_not_count_as_corrections);
    tcase_add_test(tests, a_server_that_never_learns_is_given_up);
    tcase_add_test(
        tests, a_request_that_was_too_long_on_its_way_counts_as_a_failure_whatever_else_succeeds);
    tcase_add_loop_test(tests, the_buckets_region_is_learned, 0, COUNT(regions));
    tcase_add_test(tests, a_region_is_learned_three_times_at_most);
    tcase_add_loop_test(tests, a_redirect_to_another_host_is_refused_and_named, 0,
                        COUNT(redirects));
    tcase_add_test(tests,
                   keys_of_the_platform_that_have_expired_are_renewed_and_the_request_signed_again);
    tcase_add_test(tests, a_redirect_to_https_is_seen_in_virtual_host_style_too);
    tcase_add_loop_test(tests, retry_after_is_minded_up_to_an_hour, 0, COUNT(retry_afters));
    tcase_add_loop_test(tests, the_servers_clock_is_read_from_its_date, 0, COUNT(dates));
    tcase_add_test(tests, an_error_is_told_in_one_line);
    tcase_add_test(tests, long_names_and_messages_are_shortened);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
