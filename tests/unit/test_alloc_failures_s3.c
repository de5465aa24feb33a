/*
 * Each allocation is made to fail once, as in test_alloc_failures.c, in what speaks S3: signing,
 * requests, replies and their XML.
 */
#include "tests/unit/failing_alloc_each.h"

#include "finalize/s3/s3.h"
#include "finalize/s3/s3_xml.h"
#include "finalize/s3/sigv4.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOW        1713884645
#define MARK       "0123456789abcdef0123456789abcdef"
#define KEY        "a b.mp4"
#define OPERATIONS (S3_DELETE_OBJECT + 1)

static char url[] = "https://storage.example/", bucket[] = "recordings", id[] = "id",
            secret[] = "hunter2", more[] = "team=a,place=b c";
static const struct settings settings = {.s3_url = url,
                                         .s3_bucket = bucket,
                                         .s3_client_id = id,
                                         .s3_client_secret = secret,
                                         .s3_metadata = more,
                                         .s3_content_md5 = true,
                                         .s3_parallel = 4,
                                         .s3_idle_timeout_ms = 1000};

static struct attempt_result sign(size_t which)
{
    static const struct sigv4_pair query[] = {{"uploadId", "2~a"}, {"partNumber", "1"}};
    static const struct sigv4_pair headers[] = {{"Host", "storage.example"}, {"x-amz-date", "d"}};
    static const struct sigv4_request request = {.method = "PUT",
                                                 .path = "/a",
                                                 .query = query,
                                                 .query_count = 2,
                                                 .headers = headers,
                                                 .header_count = 2,
                                                 .payload_sha256 = DIGEST_SHA256_EMPTY};
    static const struct sigv4_scope scope = {.access_key = "id",
                                             .secret_key = "hunter2",
                                             .region = "us-east-1",
                                             .service = "s3",
                                             .now = NOW};
    static const char *const begin[] = {"partNumber=1&uploadId=2~a", "PUT\n/a\npartNumber=1&",
                                        "AWS4-HMAC-SHA256 Credential=id/20240423/us-east-1/s3/"};
    static const char *const end[] = {"2~a", DIGEST_SHA256_EMPTY, ""};
    struct buffer out;
    struct attempt_result result;
    const char *text;

    buffer_init(&out, 65536);
    result =
        (struct attempt_result){.ok = which == 0   ? sigv4_query(&out, query, 2)
                                      : which == 1 ? sigv4_canonical_request(&out, &request)
                                                   : sigv4_authorization(&out, &request, &scope)};
    text = buffer_text(&out);
    if (result.ok && (strncmp(text, begin[which], strlen(begin[which])) != 0 ||
                      strlen(text) < strlen(end[which]) ||
                      strcmp(text + strlen(text) - strlen(end[which]), end[which]) != 0))
        result = ATTEMPT_WRONG("what is signed is whole");
    buffer_done(&out);
    return result;
}

START_TEST(a_signature_is_right_or_refused)
{
    fail_each(sign, (size_t)_i, 5);
}
END_TEST

static struct s3_call call_of(size_t operation)
{
    static const struct s3_object_metadata metadata = {
        .mark = MARK, .session_id = "\xd0\xaf", .instance_id = "jibri-1", .incomplete = true};
    static char complete[] = "<CompleteMultipartUpload/>";
    static const struct buffer body = {.data = complete, .length = sizeof complete - 1};

    return (struct s3_call){.operation = (enum s3_operation)operation,
                            .key = KEY,
                            .upload_id = "2~a",
                            .part_number = 1,
                            .content_type = "video/mp4",
                            .metadata = &metadata,
                            .fd = -1,
                            .length = 1,
                            .payload_sha256 = DIGEST_SHA256_EMPTY,
                            .content_md5 = "1B2M2Y8AsgTpgAmY7PhCfg==",
                            .body = &body};
}

static size_t count_headers(const struct http_request *request)
{
    size_t count = 0;

    while (request->headers && request->headers[count])
        count++;
    return count;
}

/* Besides the host: date, hash, authorization; then what the operation adds. */
static const size_t header_counts[OPERATIONS] = {
    [S3_HEAD_OBJECT] = 3,  [S3_GET_RANGE] = 4,     [S3_PUT_OBJECT] = 11,  [S3_CREATE_UPLOAD] = 10,
    [S3_UPLOAD_PART] = 4,  [S3_LIST_PARTS] = 3,    [S3_ABORT_UPLOAD] = 3, [S3_COMPLETE_UPLOAD] = 5,
    [S3_LIST_UPLOADS] = 3, [S3_DELETE_OBJECT] = 3,
};

static struct attempt_result build(size_t which)
{
    struct s3_call call = call_of(which);
    struct attempt_result result = {0};
    struct error err = ERROR_INIT;
    struct http_request request;
    struct s3 *s3 = NULL;

    if (!s3_open(&settings, &s3, &err)) {
        if (s3 || err.kind != ERROR_TRANSIENT)
            result = ATTEMPT_WRONG("the result is left alone, and another try may do");
        return result;
    }
    result.ok = s3_build(s3, &call, NOW, &request, &err);
    if (result.ok && (!request.url || strncmp(request.url, "https://storage.example/r", 25) != 0 ||
                      count_headers(&request) != header_counts[which]))
        result = ATTEMPT_WRONG("the request is whole");
    if (result.ok && call.operation == S3_COMPLETE_UPLOAD &&
        (request.body.length != call.body->length ||
         strcmp(buffer_text(&request.body.memory), buffer_text(call.body)) != 0))
        result = ATTEMPT_WRONG("the body is whole");
    if (!result.ok && err.kind != ERROR_TRANSIENT)
        result = ATTEMPT_WRONG("another try may do");
    http_request_done(&request);
    s3_close(s3);
    return result;
}

START_TEST(a_request_is_built_whole_or_not_at_all)
{
    fail_each(build, (size_t)_i, 15);
}
END_TEST

/* --- replies --- */

#define PARTS                                                                         \
    "<ListPartsResult><IsTruncated>false</IsTruncated>"                               \
    "<Part><PartNumber>1</PartNumber><Size>5</Size><ETag>&quot;a&quot;</ETag></Part>" \
    "<Part><PartNumber>2</PartNumber><Size>6</Size><ETag>\"b\"</ETag></Part></ListPartsResult>"
#define UPLOADS                                                                               \
    "<ListMultipartUploadsResult><Upload><Key>a b.mp4</Key><UploadId>2~a</UploadId></Upload>" \
    "<Upload><Key>a "                                                                         \
    "b.mp4.json</Key><UploadId>2~b</UploadId></Upload></ListMultipartUploadsResult>"

static const struct {
    enum s3_operation operation;
    int status;
    const char *headers, *body;
    enum s3_outcome outcome;
} replies[] = {
    {S3_HEAD_OBJECT, 200,
     "Content-Length: 11\r\nETag: \"a\"\r\nx-amz-meta-jibri-mark: " MARK "\r\n", "", S3_DONE},
    {S3_HEAD_OBJECT, 404, "", "", S3_NO_SUCH_KEY},
    {S3_UPLOAD_PART, 200, "ETag: \"a\"\r\n", "", S3_DONE},
    {S3_CREATE_UPLOAD, 200, "",
     "<InitiateMultipartUploadResult><UploadId>2~a</UploadId></InitiateMultipartUploadResult>",
     S3_DONE},
    {S3_COMPLETE_UPLOAD, 200, "",
     "<CompleteMultipartUploadResult><ETag>\"a-2\"</ETag></CompleteMultipartUploadResult>",
     S3_DONE},
    {S3_LIST_PARTS, 200, "", PARTS, S3_DONE},
    {S3_LIST_UPLOADS, 200, "", UPLOADS, S3_DONE},
    {S3_COMPLETE_UPLOAD, 200, "", "<Error><Code>InternalError</Code></Error>", S3_RETRY},
    {S3_COMPLETE_UPLOAD, 404, "", "<Error><Code>NoSuchUpload</Code></Error>", S3_NO_SUCH_UPLOAD},
    {S3_UPLOAD_PART, 400, "", "<Error><Code>RequestTimeout</Code></Error>", S3_RETRY},
    {S3_UPLOAD_PART, 503, "Retry-After: 5\r\n", "<Error><Code>SlowDown</Code></Error>",
     S3_SLOW_DOWN},
    {S3_CREATE_UPLOAD, 400, "",
     "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
     S3_SIGN_AGAIN},
    {S3_PUT_OBJECT, 403, "", "<Error><Code>AccessDenied</Code><Message>No</Message></Error>",
     S3_REFUSED},
};

static bool is_whole(size_t which, const struct s3_result *read)
{
    const struct s3_xml_listing *listing = &read->listing;

    switch (replies[which].operation) {
    case S3_HEAD_OBJECT:
        return read->size_bytes == 11 && !strcmp(read->mark, MARK) && !strcmp(read->etag, "a");
    case S3_CREATE_UPLOAD:
        return !strcmp(read->upload_id, "2~a");
    case S3_UPLOAD_PART:
        return !strcmp(read->etag, "a");
    case S3_COMPLETE_UPLOAD:
        return !strcmp(read->etag, "a-2");
    case S3_LIST_PARTS:
        return listing->count == 2 && listing->items[0].size_bytes == 5 &&
               !strcmp(listing->items[0].etag, "a") && listing->items[1].part_number == 2 &&
               !strcmp(listing->items[1].etag, "b");
    case S3_LIST_UPLOADS:
        return listing->count == 1 && !strcmp(listing->items[0].upload_id, "2~a");
    case S3_GET_RANGE:
    case S3_PUT_OBJECT:
    case S3_ABORT_UPLOAD:
    case S3_DELETE_OBJECT:
        break;
    }
    return true;
}

static struct attempt_result read_reply(size_t which)
{
    struct s3_call call = call_of(replies[which].operation);
    struct attempt_result result = {0};
    struct error err = ERROR_INIT;
    struct http_reply reply;
    struct s3_result read;
    struct s3 *s3;

    if (!s3_open(&settings, &s3, &err))
        return result;
    http_reply_init(&reply, 65536);
    buffer_append_text(&reply.headers, replies[which].headers);
    buffer_append_text(&reply.body, replies[which].body);
    reply.status = replies[which].status;
    if (!reply.headers.failed && !reply.body.failed) {
        s3_read(s3, &call, &reply, NOW, &read);
        result.ok = read.outcome == replies[which].outcome;
        if (read.outcome == S3_DONE && !is_whole(which, &read))
            result = ATTEMPT_WRONG("what is believed of a reply is what it says");
        if (!result.ok && read.outcome != S3_RETRY && read.outcome != S3_SLOW_DOWN)
            result = ATTEMPT_WRONG("a reply that could not be read is asked for again");
        if (read.outcome != S3_DONE && (read.listing.items || read.error.kind == ERROR_NONE))
            result = ATTEMPT_WRONG("a failure has a reason, and no rows");
        s3_result_done(&read);
    }
    http_reply_done(&reply);
    s3_close(s3);
    return result;
}

START_TEST(a_reply_is_understood_or_asked_for_again)
{
    fail_each(read_reply, (size_t)_i, 4);
}
END_TEST

/* --- XML --- */

static struct attempt_result read_xml(size_t which)
{
    static const char create[] =
        "<InitiateMultipartUploadResult><UploadId>2~a</UploadId></InitiateMultipartUploadResult>";
    static const char complete[] =
        "<CompleteMultipartUploadResult><ETag>2~a</ETag></CompleteMultipartUploadResult>";
    struct s3_xml_listing listing = {.count = 77};
    char text[20] = "untouched";
    struct attempt_result result = {0};

    if (which == 0)
        result.ok = s3_xml_read_create(create, strlen(create), text, sizeof text);
    else if (which == 1)
        result.ok = s3_xml_read_complete(complete, strlen(complete), text, sizeof text);
    else if (which == 2)
        result.ok = s3_xml_read_parts(PARTS, strlen(PARTS), &listing);
    else
        result.ok = s3_xml_read_uploads(UPLOADS, strlen(UPLOADS), &listing);
    if (strcmp(text, result.ok && which < 2 ? "2~a" : "untouched") != 0 ||
        listing.count != (result.ok && which >= 2 ? 2 : 77))
        result = ATTEMPT_WRONG("a document is read whole, or the result left alone");
    if (!result.ok && errno != ENOMEM)
        result = ATTEMPT_WRONG("want of memory is no fault of the document");
    if (result.ok && which >= 2)
        s3_xml_listing_done(&listing);
    return result;
}

START_TEST(a_document_is_read_whole_or_not_at_all_and_silently)
{
    int saved = dup(STDERR_FILENO), said = memfd_create("stderr", MFD_CLOEXEC);

    ck_assert_int_ge(dup2(said, STDERR_FILENO), 0);
    fail_each(read_xml, (size_t)_i, 4);
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    ck_assert_int_eq(lseek(said, 0, SEEK_END), 0);
    close(saved);
    close(said);
}
END_TEST

static struct attempt_result write_xml(size_t which)
{
    struct attempt_result result = {0};
    struct buffer out;

    (void)which;
    buffer_init(&out, 65536);
    s3_xml_begin_complete(&out);
    for (unsigned number = 1; number <= 20; number++)
        s3_xml_add_part(&out, number, "a&b");
    s3_xml_end_complete(&out);
    result.ok = !out.failed;
    if (result.ok && (!strstr(buffer_text(&out), "<PartNumber>20</PartNumber>") ||
                      !strstr(buffer_text(&out), "</CompleteMultipartUpload>")))
        result = ATTEMPT_WRONG("the document is whole");
    buffer_done(&out);
    return result;
}

START_TEST(a_document_is_written_whole_or_not_at_all)
{
    fail_each(write_xml, 0, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alloc_failures_s3");
    TCase *cases = tcase_create("alloc_failures_s3");

    failing_alloc_hook();
    tcase_add_loop_test(cases, a_signature_is_right_or_refused, 0, 3);
    tcase_add_loop_test(cases, a_request_is_built_whole_or_not_at_all, 0, OPERATIONS);
    tcase_add_loop_test(cases, a_reply_is_understood_or_asked_for_again, 0,
                        (int)(sizeof replies / sizeof *replies));
    tcase_add_loop_test(cases, a_document_is_read_whole_or_not_at_all_and_silently, 0, 4);
    tcase_add_test(cases, a_document_is_written_whole_or_not_at_all);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
