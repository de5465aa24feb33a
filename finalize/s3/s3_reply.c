/* s3_reply - a reply read: success into the fields of the result, failure into an outcome and a
 * sentence; what an S3 error means is s3_refusal.c's. */
#include "finalize/base/number.h"
#include "finalize/base/utf8.h"
#include "finalize/s3/s3_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_KEY_BYTES  120u
#define SHOWN_TEXT_BYTES 160u

static bool is_success(const struct http_reply *reply)
{
    return reply->status >= 200 && reply->status <= 299;
}

/* ---- words ---- */

/* "UploadPart of part 3 of <key>"; of a long key its end, which is where keys differ. */
static void describe(const struct s3_call *call, char *out, size_t size)
{
    const char *name = s3_operation_names[call->operation], *key = call->key ? call->key : "";
    size_t length = strlen(key);
    char part[32] = "";

    if (call->operation == S3_UPLOAD_PART)
        snprintf(part, sizeof part, "part %u of ", call->part_number);
    if (length > SHOWN_KEY_BYTES)
        key += length - SHOWN_KEY_BYTES;
    while (length > SHOWN_KEY_BYTES && ((unsigned char)*key & 0xc0) == 0x80)
        key++; /* to the beginning of a character */
    snprintf(out, size, "%s of %s%s%s", name, part, length > SHOWN_KEY_BYTES ? "…" : "", key);
}

static enum error_kind kind_of(enum s3_outcome outcome)
{
    return outcome == S3_REFUSED || outcome == S3_NO_SUCH_KEY || outcome == S3_KEY_TAKEN
               ? ERROR_PERMANENT
               : ERROR_TRANSIENT;
}

static void fail(const struct s3_call *call, const struct http_reply *reply,
                 enum s3_outcome outcome, const char *why, struct s3_result *result)
{
    char what[256];

    describe(call, what, sizeof what);
    result->outcome = outcome;
    error_set(&result->error, kind_of(outcome), "%s: %s", what, why);
    result->error.http_status = reply->status;
}

static void append_cut(struct buffer *out, const char *text, size_t most)
{
    size_t length = utf8_cut(text, most);

    buffer_append(out, text, length);
    if (text[length])
        buffer_append_text(out, "…");
}

static void fail_as_refused(const struct s3_call *call, const struct http_reply *reply,
                            const struct s3_refusal *refusal, enum s3_outcome outcome,
                            struct s3_result *result)
{
    const struct s3_xml_error *xml = &refusal->xml;
    struct buffer why;

    buffer_init(&why, sizeof result->error.text);
    if (*xml->code)
        buffer_append_format(&why, "%d %s", reply->status, xml->code);
    else
        buffer_append_format(&why, "HTTP status %d", reply->status);
    if (reply->body.length && !refusal->is_s3)
        buffer_append_text(&why, ", not an S3 reply");
    if (*xml->message) {
        buffer_append_text(&why, ": ");
        append_cut(&why, xml->message, SHOWN_TEXT_BYTES);
    }
    if (*refusal->hint)
        buffer_append_format(&why, "; %s", refusal->hint);
    if (*xml->request_id) {
        buffer_append_text(&why, " (request id ");
        append_cut(&why, xml->request_id, 64);
        buffer_append_text(&why, ")");
    }
    fail(call, reply, outcome, buffer_text(&why), result);
    buffer_done(&why);
    snprintf(result->error.s3_code, sizeof result->error.s3_code, "%s", xml->code);
}

/* ---- refusal ---- */

/* False when the body is no S3 <Error>: errno tells whether that is for want of memory. */
static bool take_refusal_apart(const struct http_reply *reply, struct s3_refusal *ret_refusal)
{
    *ret_refusal = (struct s3_refusal){.is_s3 = false};
    ret_refusal->is_s3 =
        s3_xml_read_error(buffer_text(&reply->body), reply->body.length, &ret_refusal->xml);
    return ret_refusal->is_s3;
}

static void read_refusal(struct s3 *s3, const struct s3_call *call, const struct http_reply *reply,
                         time_t now, struct s3_result *result)
{
    struct s3_refusal refusal;
    enum s3_outcome outcome;

    /* There is an object; it is only empty, or its end is before its first byte. */
    if (call->operation == S3_GET_RANGE && reply->status == 416)
        return;
    if (!take_refusal_apart(reply, &refusal) && errno == ENOMEM) {
        /* What can't be read must not be taken for final. */
        fail(call, reply, S3_RETRY, "no memory to read the reply", result);
        return;
    }
    outcome = s3_judge_refusal(s3, call, reply, now, &refusal);
    fail_as_refused(call, reply, &refusal, outcome, result);
}

/* ---- no reply ---- */

static void read_failure(const struct s3_call *call, const struct http_reply *reply,
                         struct s3_result *result)
{
    enum http_failure failure = reply->failure;
    bool refused =
        failure == HTTP_FAILED_TLS || failure == HTTP_FAILED_PROXY || failure == HTTP_FAILED_LOCAL;

    result->sent = failure != HTTP_FAILED_RESOLVE && failure != HTTP_FAILED_CONNECT &&
                   failure != HTTP_FAILED_TLS && failure != HTTP_FAILED_PROXY;
    fail(call, reply, refused ? S3_REFUSED : S3_RETRY,
         *reply->detail ? reply->detail : "the transfer failed", result);
    result->error.network = http_failed_network(failure);
    if (failure == HTTP_FAILED_LOCAL)
        result->error.kind = ERROR_TRANSIENT; /* not the server's doing: memory, disk */
}

/* ---- success ---- */

static bool read_etag(const struct http_reply *reply, struct s3_result *result)
{
    char value[S3_ETAG_SIZE + 8];

    return http_reply_header(reply, "ETag", value, sizeof value) &&
           s3_xml_plain_etag(value, result->etag, sizeof result->etag) && result->etag[0];
}

static bool is_of_session(const struct s3_call *call, const struct http_reply *reply)
{
    char value[S3_SESSION_SIZE + 1], ours[S3_SESSION_SIZE];

    return call->metadata && call->metadata->session_id &&
           http_reply_header(reply, "x-amz-meta-jibri-session", value, sizeof value) &&
           uri_header_value(call->metadata->session_id, ours, sizeof ours) && !strcmp(value, ours);
}

static void read_value(const struct http_reply *reply, const char *name, char *ret_value,
                       size_t size)
{
    http_reply_header(reply, name, ret_value, size);
    uri_decode_header_value(ret_value);
}

static const char *read_head(const struct s3_call *call, const struct http_reply *reply,
                             struct s3_result *result)
{
    char value[S3_ETAG_SIZE + 8];

    http_reply_header(reply, "Content-Length", value, sizeof value);
    if (!number_read(value, 0, UINT64_MAX, &result->size_bytes))
        return "success, but without a Content-Length";
    /* Every object has one: a reply without it is that of a proxy which says 200 to all. */
    if (!http_reply_header(reply, "ETag", value, sizeof value))
        return "success, but without an ETag";
    (void)read_etag(reply, result);
    http_reply_header(reply, "x-amz-meta-jibri-mark", value, sizeof value);
    if (strlen(value) == S3_MARK_SIZE - 1 && strspn(value, "0123456789abcdef") == S3_MARK_SIZE - 1)
        memcpy(result->mark, value, S3_MARK_SIZE);
    result->same_session = is_of_session(call, reply);
    read_value(reply, "x-amz-meta-jibri-session", result->session_id, sizeof result->session_id);
    read_value(reply, "x-amz-meta-jibri-instance", result->instance_id, sizeof result->instance_id);
    http_reply_header(reply, "x-amz-meta-jibri-part-size", value, sizeof value);
    if (!number_read(value, 0, UINT64_MAX, &result->part_size_bytes))
        result->part_size_bytes = 0;
    return NULL;
}

/* Servers list all keys that begin with ours. */
static void keep_uploads_of(const char *key, struct s3_xml_listing *listing)
{
    size_t kept = 0;

    for (size_t i = 0; i < listing->count; i++) {
        struct s3_xml_item *item = &listing->items[i];

        if (!strcmp(item->key, key)) {
            listing->items[kept++] = *item;
            continue;
        }
        free(item->key);
        free(item->upload_id);
    }
    listing->count = kept;
}

/* Fills the result. Returns what is wrong with the reply, or NULL. */
static const char *read_success(const struct s3_call *call, const struct http_reply *reply,
                                struct s3_result *result)
{
    const char *xml = buffer_text(&reply->body);
    size_t length = reply->body.length;
    bool readable = true;

    switch (call->operation) {
    case S3_HEAD_OBJECT:
        return read_head(call, reply, result);
    case S3_UPLOAD_PART:
        if (call->copy_from) {
            readable = s3_xml_read_copied(xml, length, result->etag, sizeof result->etag);
            break;
        }
        return read_etag(reply, result) ? NULL : "success, but without an ETag";
    case S3_PUT_OBJECT:
        (void)read_etag(reply, result);
        break;
    case S3_CREATE_UPLOAD:
        readable = s3_xml_read_create(xml, length, result->upload_id, sizeof result->upload_id);
        break;
    case S3_COMPLETE_UPLOAD:
        readable = s3_xml_read_complete(xml, length, result->etag, sizeof result->etag);
        break;
    case S3_LIST_PARTS:
        readable = s3_xml_read_parts(xml, length, &result->listing);
        if (readable && result->listing.truncated &&
            result->listing.next_part_number_marker <= call->part_number_marker) {
            s3_xml_listing_done(&result->listing);
            return "success, but the listing does not go on";
        }
        break;
    case S3_LIST_UPLOADS:
        readable = s3_xml_read_uploads(xml, length, &result->listing);
        if (call->key)
            keep_uploads_of(call->key, &result->listing);
        break;
    case S3_GET_RANGE:
        buffer_init(&result->body, (size_t)call->length);
        buffer_append(&result->body, xml, length);
        readable = !call->length || (length && !result->body.failed);
        break;
    case S3_ABORT_UPLOAD:
    case S3_DELETE_OBJECT:
        break;
    }
    return readable ? NULL : "success, but the reply cannot be understood";
}

void s3_read(struct s3 *s3, const struct s3_call *call, const struct http_reply *reply, time_t now,
             struct s3_result *ret_result)
{
    bool too_large_is_fine = call->operation == S3_GET_RANGE && !call->length &&
                             is_success(reply) && reply->failure == HTTP_FAILED_TOO_LARGE;
    struct s3_refusal refusal;
    const char *fault;

    *ret_result = (struct s3_result){.outcome = S3_DONE, .sent = true, .error = ERROR_INIT};
    s3->clock_known |= http_reply_clock(reply, now, &s3->clock_ahead_s);
    if (reply->failure != HTTP_OK && !too_large_is_fine) {
        read_failure(call, reply, ret_result);
        return;
    }
    ret_result->retry_after_ms = http_reply_retry_after(reply);
    if (!is_success(reply)) {
        read_refusal(s3, call, reply, now, ret_result);
        return;
    }
    fault = read_success(call, reply, ret_result);
    if (!fault)
        s3->region_corrections = s3->clock_corrections = s3->key_corrections = 0;
    else if (take_refusal_apart(reply, &refusal))
        read_refusal(s3, call, reply, now, ret_result); /* 200, and in the end an <Error> */
    else
        fail(call, reply, S3_RETRY, fault, ret_result);
}

void s3_read_unsigned(const struct s3 *s3, struct s3_result *ret_result)
{
    *ret_result = (struct s3_result){.error = *credentials_failure(s3->credentials)};
    ret_result->outcome = ret_result->error.kind == ERROR_TRANSIENT ? S3_RETRY : S3_REFUSED;
}

void s3_result_done(struct s3_result *result)
{
    if (!result)
        return;
    s3_xml_listing_done(&result->listing);
    buffer_done(&result->body);
}
