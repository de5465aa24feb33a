/* s3_request - a call turned into a signed HTTP request: method, query, URL, headers, body. */
#include "finalize/s3/s3_location.h"
#include "finalize/s3/s3_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_CEILING              (64u * 1024)
#define COMPLETE_IDLE_TIMEOUT_MS (5u * 60 * 1000) /* Yandex: "can take several minutes" */
#define LISTING_CEILING          (1024u * 1024)
#define REPLY_CEILING            (64u * 1024)

#define MAX_QUERY       5u
#define MAX_OWN_HEADERS 13u

static const char *const methods[] = {
    [S3_HEAD_OBJECT] = "HEAD",     [S3_GET_RANGE] = "GET",       [S3_PUT_OBJECT] = "PUT",
    [S3_CREATE_UPLOAD] = "POST",   [S3_UPLOAD_PART] = "PUT",     [S3_LIST_PARTS] = "GET",
    [S3_COMPLETE_UPLOAD] = "POST", [S3_ABORT_UPLOAD] = "DELETE", [S3_LIST_UPLOADS] = "GET",
    [S3_DELETE_OBJECT] = "DELETE",
};

/* A request while it is built. There is room for our own headers, and the settings'.
 */
struct draft {
    const struct s3 *s3;
    const struct s3_call *call;
    const struct credentials_keys *keys;
    struct sigv4_pair query[MAX_QUERY];
    size_t query_count;
    struct sigv4_pair *headers; /* all that are signed; "host" is the first */
    size_t header_count;
    struct buffer host, path, url, authorization, copy_source;
    char date[SIGV4_DATE_SIZE];
    char payload_sha256[DIGEST_SHA256_HEX];
    char content_md5[DIGEST_MD5_BASE64];
    char part_number[16], marker[16];
    char session[S3_SESSION_SIZE], instance[S3_INSTANCE_SIZE];
    char part_size[24];
    char range[48];
};

static void sign_header(struct draft *draft, const char *name, const char *value)
{
    if (value)
        draft->headers[draft->header_count++] = (struct sigv4_pair){name, value};
}

static void sign_list(struct draft *draft, const struct header_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        sign_header(draft, list->items[i].name, list->items[i].value);
}

static void add_query(struct draft *draft, const char *name, const char *value)
{
    draft->query[draft->query_count++] = (struct sigv4_pair){name, value};
}

static void make_query(struct draft *draft)
{
    const struct s3_call *call = draft->call;
    enum s3_operation operation = call->operation;

    if (operation == S3_CREATE_UPLOAD || operation == S3_LIST_UPLOADS)
        add_query(draft, "uploads", NULL);
    if (operation == S3_LIST_UPLOADS) {
        add_query(draft, "prefix", call->key ? call->key : call->prefix ? call->prefix : "");
        add_query(draft, "max-uploads", "1000");
        if (call->key_marker)
            add_query(draft, "key-marker", call->key_marker);
        if (call->key_marker && call->upload_id_marker)
            add_query(draft, "upload-id-marker", call->upload_id_marker);
    }
    if (operation == S3_UPLOAD_PART) {
        snprintf(draft->part_number, sizeof draft->part_number, "%u", call->part_number);
        add_query(draft, "partNumber", draft->part_number);
    }
    if (s3_is_about_upload(operation))
        add_query(draft, "uploadId", call->upload_id);
    if (operation == S3_LIST_PARTS) {
        add_query(draft, "max-parts", "1000");
        snprintf(draft->marker, sizeof draft->marker, "%u", call->part_number_marker);
        if (call->part_number_marker)
            add_query(draft, "part-number-marker", draft->marker);
    }
}

static bool make_url(struct draft *draft)
{
    const struct s3 *s3 = draft->s3;
    const char *location = draft->call->location;
    const char *bucket =
        location && *location ? s3_location_bucket(location) : s3->settings->s3_bucket;
    bool virtual = s3->settings->s3_addressing == SETTINGS_ADDRESSING_VIRTUAL;
    bool of_bucket = draft->call->operation == S3_LIST_UPLOADS;

    if (virtual)
        buffer_append_format(&draft->host, "%s.", bucket);
    buffer_append_text(&draft->host, s3->endpoint.host);
    buffer_append_text(&draft->path, s3->endpoint.path);
    if (!virtual) {
        buffer_append_text(&draft->path, "/");
        uri_encode(&draft->path, bucket, false);
    }
    if (virtual || !of_bucket)
        buffer_append_text(&draft->path, "/");
    if (!of_bucket)
        uri_encode(&draft->path, draft->call->key, true);
    if (draft->host.failed || draft->path.failed)
        return false;
    buffer_append_format(&draft->url, "%s://%s%s", s3->endpoint.https ? "https" : "http",
                         draft->host.data, draft->path.data);
    if (draft->query_count) {
        buffer_append_text(&draft->url, "?");
        return sigv4_query(&draft->url, draft->query, draft->query_count);
    }
    return !draft->url.failed;
}

static bool add_own_metadata(struct draft *draft, const struct s3_object_metadata *metadata)
{
    sign_header(draft, "x-amz-meta-jibri-mark", metadata->mark);
    if (metadata->session_id) {
        if (!uri_header_value(metadata->session_id, draft->session, sizeof draft->session))
            return false;
        sign_header(draft, "x-amz-meta-jibri-session", draft->session);
    }
    if (metadata->instance_id) {
        if (!uri_header_value(metadata->instance_id, draft->instance, sizeof draft->instance))
            return false;
        sign_header(draft, "x-amz-meta-jibri-instance", draft->instance);
    }
    if (metadata->part_size_bytes) {
        snprintf(draft->part_size, sizeof draft->part_size, "%llu",
                 (unsigned long long)metadata->part_size_bytes);
        sign_header(draft, "x-amz-meta-jibri-part-size", draft->part_size);
    }
    if (metadata->incomplete)
        sign_header(draft, "x-amz-meta-jibri-incomplete", "moov-missing");
    return true;
}

/* What is said of an object when it is made: by PutObject and CreateMultipartUpload. */
static bool add_object_headers(struct draft *draft)
{
    const struct settings *settings = draft->s3->settings;
    const struct s3_call *call = draft->call;

    sign_header(draft, "Content-Type", call->content_type);
    if (settings->s3_storage_class && *settings->s3_storage_class)
        sign_header(draft, "x-amz-storage-class", settings->s3_storage_class);
    sign_list(draft, &draft->s3->object_headers);
    return !call->metadata || add_own_metadata(draft, call->metadata);
}

/* A digest that failed does not tell whether memory or MD5 is missing. */
static bool has_md5(void)
{
    uint8_t digest[DIGEST_MD5_BYTES];

    return digest_md5("", 0, digest);
}

static bool hash_memory(struct draft *draft, const struct buffer *body, struct error *err)
{
    uint8_t digest[DIGEST_SHA256_BYTES];

    if (!digest_sha256(buffer_text(body), body->length, digest))
        return error_set(err, ERROR_TRANSIENT, "no memory");
    digest_hex(digest, sizeof digest, draft->payload_sha256);
    if (!draft->s3->settings->s3_content_md5)
        return true;
    if (!digest_md5(buffer_text(body), body->length, digest))
        return has_md5() ? error_set(err, ERROR_TRANSIENT, "no memory")
                         : error_set(err, ERROR_PERMANENT,
                                     "CONFOMEET_S3_CONTENT_MD5 is on, but OpenSSL has no MD5 here");
    digest_md5_base64(digest, draft->content_md5);
    sign_header(draft, "Content-MD5", draft->content_md5);
    return true;
}

static bool set_xml(struct draft *draft, struct http_body *body, struct error *err)
{
    static const struct buffer nothing;
    const struct buffer *xml = draft->call->body ? draft->call->body : &nothing;

    sign_header(draft, "Content-Type", "application/xml");
    body->length = xml->length;
    buffer_init(&body->memory, xml->length);
    buffer_append(&body->memory, buffer_text(xml), xml->length);
    if (body->memory.failed)
        return error_set(err, ERROR_TRANSIENT, "no memory");
    return hash_memory(draft, xml, err);
}

static void write_range(const struct s3_call *call, char *out, size_t size)
{
    uint64_t length = call->length ? call->length : 1;

    snprintf(out, size, "bytes=%llu-%llu", (unsigned long long)call->offset,
             (unsigned long long)(call->offset + length - 1));
}

/* Instead of a body: bytes that are in the bucket already. */
static bool set_source(struct draft *draft, struct http_body *body)
{
    body->kind = HTTP_BODY_MEMORY; /* an empty one */
    buffer_append_text(&draft->copy_source, "/");
    uri_encode(&draft->copy_source, draft->s3->settings->s3_bucket, false);
    buffer_append_text(&draft->copy_source, "/");
    uri_encode(&draft->copy_source, draft->call->copy_from, true);
    write_range(draft->call, draft->range, sizeof draft->range);
    sign_header(draft, "x-amz-copy-source", draft->copy_source.data);
    sign_header(draft, "x-amz-copy-source-range", draft->range);
    return !draft->copy_source.failed;
}

static bool set_body(struct draft *draft, struct http_body *body, struct error *err)
{
    const struct s3_call *call = draft->call;
    enum s3_operation operation = call->operation;

    memcpy(draft->payload_sha256, DIGEST_SHA256_EMPTY, DIGEST_SHA256_HEX);
    if (call->copy_from)
        return set_source(draft, body);
    if (operation == S3_PUT_OBJECT || operation == S3_UPLOAD_PART) {
        snprintf(draft->payload_sha256, sizeof draft->payload_sha256, "%s", call->payload_sha256);
        sign_header(draft, "Content-MD5", call->content_md5);
        body->kind = HTTP_BODY_FILE;
        body->fd = call->fd;
        body->offset = call->offset;
        body->length = call->length;
    }
    if (operation == S3_CREATE_UPLOAD || operation == S3_COMPLETE_UPLOAD)
        body->kind = HTTP_BODY_MEMORY; /* Create's is empty: "Content-Length: 0" is sent */
    return operation != S3_COMPLETE_UPLOAD || set_xml(draft, body, err);
}

static bool sign(struct draft *draft, const char *method, time_t now)
{
    struct sigv4_request request = {.method = method,
                                    .path = draft->path.data,
                                    .query = draft->query,
                                    .query_count = draft->query_count,
                                    .headers = draft->headers,
                                    .header_count = draft->header_count,
                                    .payload_sha256 = draft->payload_sha256};
    struct sigv4_scope scope = {.access_key = draft->keys->id,
                                .secret_key = draft->keys->secret,
                                .region = draft->s3->region,
                                .service = "s3",
                                .now = now};

    return sigv4_authorization(&draft->authorization, &request, &scope);
}

/* All but "host": curl makes that one, the same as ours. */
static bool put_headers(const struct draft *draft, struct http_request *request)
{
    char range[48];

    for (size_t i = 1; i < draft->header_count; i++)
        if (!http_request_add_header(request, draft->headers[i].name, draft->headers[i].value))
            return false;
    write_range(draft->call, range, sizeof range);
    if (draft->call->operation == S3_GET_RANGE && !http_request_add_header(request, "Range", range))
        return false;
    return http_request_add_header(request, "Authorization", draft->authorization.data);
}

static void set_limits(const struct draft *draft, struct http_request *request)
{
    enum s3_operation operation = draft->call->operation;
    bool is_complete = operation == S3_COMPLETE_UPLOAD;
    bool is_listing = operation == S3_LIST_PARTS || operation == S3_LIST_UPLOADS;

    request->idle_timeout_ms = draft->s3->settings->s3_idle_timeout_ms;
    if (is_complete && request->idle_timeout_ms < COMPLETE_IDLE_TIMEOUT_MS)
        request->idle_timeout_ms = COMPLETE_IDLE_TIMEOUT_MS;
    request->must_finish = is_complete; /* without its reply, the next run has to look for it */
    request->reply_ceiling = is_listing ? LISTING_CEILING : REPLY_CEILING;
    if (operation == S3_GET_RANGE && draft->call->length > REPLY_CEILING)
        request->reply_ceiling = (size_t)draft->call->length;
}

bool s3_is_about_upload(enum s3_operation operation)
{
    return operation == S3_UPLOAD_PART || operation == S3_LIST_PARTS ||
           operation == S3_COMPLETE_UPLOAD || operation == S3_ABORT_UPLOAD;
}

/* With an empty id, servers take UploadPart for PutObject and AbortMultipartUpload for
 * DeleteObject. */
static bool names_upload(const struct s3_call *call)
{
    return call->upload_id && *call->upload_id &&
           (call->operation != S3_UPLOAD_PART || call->part_number);
}

static bool build(struct draft *draft, time_t now, struct http_request *request, struct error *err)
{
    enum s3_operation operation = draft->call->operation;
    bool makes_object = operation == S3_PUT_OBJECT || operation == S3_CREATE_UPLOAD;
    bool finishes_object = operation == S3_PUT_OBJECT || operation == S3_COMPLETE_UPLOAD;

    if (s3_is_about_upload(operation) && !names_upload(draft->call))
        return error_set(err, ERROR_PERMANENT, "%s: no upload id or part number",
                         s3_operation_names[operation]);
    make_query(draft);
    if (!make_url(draft))
        return false;
    now += draft->s3->offset_s;
    sigv4_date(now, draft->date);
    sign_header(draft, "host", draft->host.data);
    sign_header(draft, "x-amz-date", draft->date);
    sign_header(draft, "x-amz-content-sha256", draft->payload_sha256);
    sign_header(draft, "x-amz-security-token", draft->keys->session_token);
    sign_list(draft, &draft->s3->request_headers);
    if (!set_body(draft, &request->body, err))
        return false;
    if (makes_object && !add_object_headers(draft))
        return false;
    if (finishes_object && draft->s3->settings->s3_conditional_writes && !draft->call->replaces)
        sign_header(draft, "If-None-Match", "*");
    set_limits(draft, request);
    if (!sign(draft, request->method, now) || !put_headers(draft, request))
        return false;
    request->url = buffer_take(&draft->url);
    return request->url != NULL;
}

bool s3_build(const struct s3 *s3, const struct s3_call *call, time_t now,
              struct http_request *ret_request, struct error *err)
{
    struct draft draft = {.s3 = s3, .call = call, .keys = credentials_keys(s3->credentials)};
    bool ok = false;

    http_request_init(ret_request, methods[call->operation]);
    buffer_init(&draft.host, URL_CEILING);
    buffer_init(&draft.path, URL_CEILING);
    buffer_init(&draft.url, URL_CEILING);
    buffer_init(&draft.authorization, URL_CEILING);
    buffer_init(&draft.copy_source, URL_CEILING);
    draft.headers = calloc(MAX_OWN_HEADERS + s3->object_headers.count + s3->request_headers.count,
                           sizeof *draft.headers);
    if (draft.headers)
        ok = build(&draft, now, ret_request, err);
    if (!ok)
        error_set(err, ERROR_TRANSIENT, "%s: no memory", s3_operation_names[call->operation]);
    free(draft.headers);
    buffer_done(&draft.host);
    buffer_done(&draft.path);
    buffer_done(&draft.url);
    buffer_done(&draft.authorization);
    buffer_done(&draft.copy_source);
    return ok;
}
