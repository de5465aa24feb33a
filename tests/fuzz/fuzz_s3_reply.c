/*
 * Replies of an S3 server, one after the other to the same bucket: what is believed of them is what
 * they say, they teach us a region and a clock but no other host, and they can't keep us busy.
 *
 * Input: settings; then for each reply, up to a line "----": operation, status, headers up to an
 * empty line, body.
 */
#include "finalize/s3/s3.h"

#include "finalize/s3/s3_private.h"
#include "finalize/s3/s3_xml.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW         1713884645
#define PARALLEL    4u
#define MAX_REPLIES 8u
#define OPERATIONS  (S3_DELETE_OBJECT + 1u)
#define KEY         "12345_2024-04-23-15-04-05.mp4"
#define HOST        "storage.example:9000"
#define CLIENT_ID   "AKIDEXAMPLE"
#define SECRET      "zQ7secretQz"

/* More than all lessons there are to learn, with what is stale by then. */
#define MAX_SIGN_AGAIN (3u + 3u + PARALLEL + 3u + 1u)

static struct s3_call call_of(unsigned char which)
{
    static const struct s3_object_metadata metadata = {.mark = "0123456789abcdef0123456789abcdef"};
    enum s3_operation operation = (enum s3_operation)((unsigned)(which - '0') % OPERATIONS);

    return (struct s3_call){.operation = operation,
                            .key = KEY,
                            .upload_id = "2~upload",
                            .part_number = 3,
                            .part_number_marker = operation == S3_LIST_PARTS ? 5 : 0,
                            .content_type = "video/mp4",
                            .metadata = &metadata,
                            .fd = -1,
                            .length = 1,
                            .payload_sha256 = DIGEST_SHA256_EMPTY};
}

static void reply_of(unsigned char status, struct fuzz_input headers, struct fuzz_input body,
                     struct http_reply *ret_reply)
{
    static const int statuses[] = {200, 204, 206, 301, 302, 307, 400, 403, 404, 405, 408,
                                   409, 411, 412, 416, 429, 500, 501, 502, 503, 507, 100};
    unsigned which = (unsigned)(status - 'A');

    http_reply_init(ret_reply, 1024u * 1024);
    buffer_append(&ret_reply->headers, headers.bytes, headers.length);
    buffer_append(&ret_reply->body, body.bytes, body.length);
    ret_reply->headers.failed = ret_reply->body.failed = false;
    ret_reply->status = statuses[which % (sizeof statuses / sizeof *statuses)];
    if (which >= 128) {
        ret_reply->failure = (enum http_failure)(1 + which % HTTP_FAILED_LOCAL);
        snprintf(ret_reply->detail, sizeof ret_reply->detail, "%.*s", (int)(body.length % 256),
                 body.length ? body.bytes : "");
    }
}

static bool is_terminated(const char *text, size_t size)
{
    return memchr(text, 0, size);
}

static void check_listing(const struct s3_call *call, const struct s3_xml_listing *listing)
{
    PROMISE(listing->count <= S3_MAX_LISTED_PARTS);
    PROMISE(listing->next_part_number_marker <= 10000);
    if (call->operation == S3_LIST_PARTS && listing->truncated)
        PROMISE(listing->next_part_number_marker > call->part_number_marker);
    for (size_t i = 0; i < listing->count; i++) {
        const struct s3_xml_item *item = &listing->items[i];

        PROMISE(is_terminated(item->etag, sizeof item->etag));
        if (call->operation == S3_LIST_PARTS) {
            PROMISE(item->part_number >= 1 && item->part_number <= 10000 && *item->etag);
            PROMISE(!item->key && !item->upload_id);
        } else {
            PROMISE(!strcmp(item->key, KEY) && *item->upload_id);
        }
    }
}

static void check_done(const struct s3_call *call, const struct http_reply *reply,
                       const struct s3_result *result)
{
    PROMISE(result->error.kind == ERROR_NONE && result->sent);
    PROMISE((reply->status >= 200 && reply->status <= 299) ||
            (call->operation == S3_GET_RANGE && reply->status == 416));
    PROMISE(reply->failure == HTTP_OK ||
            (call->operation == S3_GET_RANGE && reply->failure == HTTP_FAILED_TOO_LARGE));
    PROMISE(!*result->mark || strlen(result->mark) == S3_MARK_SIZE - 1);
    if (call->operation == S3_CREATE_UPLOAD)
        PROMISE(*result->upload_id);
    if (call->operation == S3_UPLOAD_PART)
        PROMISE(*result->etag);
    if (call->operation == S3_COMPLETE_UPLOAD)
        PROMISE(memmem(reply->body.data, reply->body.length, "CompleteMultipartUploadResult", 29));
}

static void check_result(const struct s3_call *call, const struct http_reply *reply,
                         const struct s3_result *result)
{
    PROMISE(is_terminated(result->etag, sizeof result->etag));
    PROMISE(is_terminated(result->upload_id, sizeof result->upload_id));
    PROMISE(is_terminated(result->mark, sizeof result->mark));
    PROMISE(result->retry_after_ms <= 3600u * 1000);
    PROMISE(fuzz_is_one_line(result->error.text) && fuzz_is_one_line(result->error.s3_code));
    PROMISE(!strstr(result->error.text, SECRET));
    check_listing(call, &result->listing);
    if (result->outcome == S3_DONE) {
        check_done(call, reply, result);
        return;
    }
    PROMISE(result->error.kind != ERROR_NONE && *result->error.text);
    PROMISE(!result->listing.items);
    PROMISE(result->outcome != S3_ASK_REASON || call->operation == S3_HEAD_OBJECT);
    PROMISE(result->outcome != S3_BAD_PART || call->operation == S3_COMPLETE_UPLOAD);
}

/* What the next request looks like, after all that the server said. */
static void check_next_request(const struct s3 *s3, unsigned char which)
{
    static const char PATH_STYLE[] = "https://" HOST "/recordings";
    static const char VIRTUAL_STYLE[] = "https://recordings." HOST "/";
    bool virtual = s3->settings->s3_addressing == SETTINGS_ADDRESSING_VIRTUAL;
    const char *place = virtual ? VIRTUAL_STYLE : PATH_STYLE;
    struct s3_call call = call_of(which);
    struct http_request request;
    struct error err = ERROR_INIT;

    PROMISE(s3_build(s3, &call, NOW, &request, &err));
    PROMISE(!strncmp(request.url, place, strlen(place)));
    PROMISE(fuzz_is_one_line(request.url));
    for (char **header = request.headers; *header; header++)
        PROMISE(fuzz_is_one_line(*header) && !strstr(*header, SECRET));
    http_request_done(&request);
}

/* Each reader on the same text: it is read, or the result is left alone. */
static void check_xml(struct fuzz_input body)
{
    struct s3_xml_error error, untouched;
    struct s3_xml_listing listing = {.count = 77};
    char text[128] = "untouched";

    memset(&untouched, 0x55, sizeof untouched);
    error = untouched;
    if (s3_xml_read_error(body.bytes, body.length, &error))
        PROMISE(is_terminated(error.code, sizeof error.code) &&
                is_terminated(error.message, sizeof error.message) &&
                is_terminated(error.region, sizeof error.region) &&
                is_terminated(error.endpoint, sizeof error.endpoint) &&
                is_terminated(error.request_id, sizeof error.request_id));
    else
        PROMISE(!memcmp(&error, &untouched, sizeof error));
    if (s3_xml_read_create(body.bytes, body.length, text, sizeof text))
        PROMISE(*text && is_terminated(text, sizeof text));
    else
        PROMISE(!strcmp(text, "untouched"));
    strcpy(text, "untouched");
    if (s3_xml_read_complete(body.bytes, body.length, text, sizeof text))
        PROMISE(is_terminated(text, sizeof text));
    else
        PROMISE(!strcmp(text, "untouched"));
    if (s3_xml_read_parts(body.bytes, body.length, &listing))
        s3_xml_listing_done(&listing);
    else
        PROMISE(listing.count == 77);
    listing.count = 77;
    if (s3_xml_read_uploads(body.bytes, body.length, &listing))
        s3_xml_listing_done(&listing);
    else
        PROMISE(listing.count == 77);
}

static void check_reply(struct s3 *s3, struct fuzz_input input)
{
    unsigned char which = fuzz_byte(&input), status = fuzz_byte(&input);
    struct fuzz_input headers = fuzz_piece(&input, "\n\n");
    struct s3_call call = call_of(which);
    struct http_reply reply;
    struct s3_result result;
    unsigned again = 0;
    enum s3_outcome outcome;

    check_xml(input);
    reply_of(status, headers, input, &reply);
    do {
        s3_read(s3, &call, &reply, NOW, &result);
        check_result(&call, &reply, &result);
        outcome = result.outcome;
        s3_result_done(&result);
        check_next_request(s3, which);
        PROMISE(++again <= MAX_SIGN_AGAIN + 1);
    } while (outcome == S3_SIGN_AGAIN);
    http_reply_done(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char url[] = "https://" HOST "/", bucket[] = "recordings", id[] = CLIENT_ID,
                secret[] = SECRET, region[] = "ru-central1";
    struct fuzz_input input = fuzz_input_of(data, size);
    unsigned char flags = fuzz_byte(&input);
    struct settings settings = {.s3_url = url,
                                .s3_bucket = bucket,
                                .s3_client_id = id,
                                .s3_client_secret = secret,
                                .s3_region = region,
                                .s3_parallel = PARALLEL,
                                .s3_idle_timeout_ms = 60000,
                                .s3_conditional_writes = flags & 1,
                                .s3_addressing = flags & 2 ? SETTINGS_ADDRESSING_VIRTUAL
                                                           : SETTINGS_ADDRESSING_PATH};
    struct s3 *s3;
    struct error err = ERROR_INIT;

    if (memmem(data, size, SECRET, strlen(SECRET)))
        return 0; /* libFuzzer guesses what is looked for */
    PROMISE(s3_open(&settings, &s3, &err));
    for (unsigned i = 0; i < MAX_REPLIES && input.length; i++)
        check_reply(s3, fuzz_piece(&input, "\n----\n"));
    s3_close(s3);
    return 0;
}
