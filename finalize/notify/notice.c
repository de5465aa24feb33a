#include "finalize/notify/notice.h"

#include "finalize/base/utf8.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define NOTICE_PATH      "/api/v1/Recording/AddS3VideoRecording"
#define URL_CEILING      (64u * 1024)
#define BODY_CEILING     (64u * 1024)
#define REPLY_CEILING    (64u * 1024)
#define QUOTE_CEILING    (128u * 1024)
#define MAX_QUOTED_BYTES 360

/* --- the request --- */

void notice_url(const struct settings *settings, struct buffer *out)
{
    const char *base = settings->base_url ? settings->base_url : "";
    size_t length = strlen(base);

    while (length && base[length - 1] == '/')
        length--;
    buffer_append(out, base, length);
    if (!*base)
        buffer_append_format(out, "http://%s/meet",
                             settings->xmpp_domain ? settings->xmpp_domain : "");
    buffer_append_text(out, NOTICE_PATH);
}

/* A JSON string of any bytes: those that aren't UTF-8 become U+FFFD. NULL when memory ran out. */
static json_t *json_text(const char *text)
{
    struct buffer clean;
    json_t *string = NULL;

    buffer_init(&clean, BODY_CEILING);
    while (*text && !clean.failed) {
        uint32_t character;
        size_t length = utf8_read(text, &character);

        if (length)
            buffer_append(&clean, text, length);
        else
            buffer_append_text(&clean, "\xef\xbf\xbd");
        text += length ? length : 1;
    }
    if (!clean.failed)
        string = json_string(buffer_text(&clean));
    buffer_done(&clean);
    return string;
}

static int append_json(const char *bytes, size_t length, void *context)
{
    buffer_append(context, bytes, length);
    return 0;
}

static bool build_body(const struct notice *notice, struct buffer *out)
{
    json_t *body = json_object();
    bool ok = body && !json_object_set_new(body, "meetingId", json_integer(notice->meeting_id)) &&
              !json_object_set_new(body, "fileName", json_text(notice->file_name)) &&
              !json_object_set_new(body, "fileSize", json_integer((json_int_t)notice->file_size)) &&
              !json_object_set_new(body, "bucket", json_text(notice->bucket)) &&
              !json_object_set_new(body, "key", json_text(notice->key)) &&
              !json_dump_callback(body, append_json, out, JSON_COMPACT) && !out->failed;

    json_decref(body);
    return ok;
}

static bool has_token(const struct settings *settings)
{
    return settings->backend_token && *settings->backend_token;
}

static bool add_headers(const struct settings *settings, const char *mark,
                        struct http_request *request)
{
    struct buffer value;
    bool ok = http_request_add_header(request, "Content-Type", "application/json") &&
              http_request_add_header(request, "Accept", "application/json");

    assert(strlen(mark) == 32);
    buffer_init(&value, URL_CEILING);
    buffer_append_format(&value, "%.8s-%.4s-%.4s-%.4s-%s", mark, mark + 8, mark + 12, mark + 16,
                         mark + 20);
    ok = ok && !value.failed &&
         http_request_add_header(request, "Idempotency-Key", buffer_text(&value));
    if (ok && has_token(settings)) {
        buffer_clear(&value);
        buffer_append_format(&value, "Bearer %s", settings->backend_token);
        ok =
            !value.failed && http_request_add_header(request, "Authorization", buffer_text(&value));
    }
    buffer_wipe(&value);
    return ok;
}

bool notice_build(const struct settings *settings, const struct notice *notice,
                  struct http_request *ret_request, struct error *err)
{
    struct http_request *request = ret_request;
    struct buffer url;

    http_request_init(request, "POST");
    if (has_token(settings) && utf8_has_control(settings->backend_token))
        return error_set(err, ERROR_SETTINGS,
                         "CONFOMEET_BACKEND_TOKEN has a control character in it");
    request->idle_timeout_ms = settings->backend_timeout_ms;
    request->must_finish = true; /* a notice that was accepted must not be repeated */
    request->timeout_ms = settings->backend_timeout_ms;
    request->reply_ceiling = REPLY_CEILING;
    buffer_init(&url, URL_CEILING);
    notice_url(settings, &url);
    request->url = buffer_take(&url);
    request->body.kind = HTTP_BODY_MEMORY;
    buffer_init(&request->body.memory, BODY_CEILING);
    if (!request->url || !build_body(notice, &request->body.memory) ||
        !add_headers(settings, notice->mark, request)) {
        http_request_done(request);
        return error_set(err, ERROR_TRANSIENT, "out of memory while building the notice of %s",
                         notice->file_name);
    }
    request->body.length = request->body.memory.length;
    return true;
}

/* --- the reply --- */

static bool is_worth_a_retry(int status)
{
    /* Below 200 is no final status: it is as if no reply had come. */
    return status < 200 || status == 408 || status == 425 || status == 429 ||
           (status >= 500 && status < 600);
}

/* Appends what the backend says, fit for a line: without the token, which a server may repeat to
 * us, with blanks for control characters, and cut. */
static void append_quoted(struct buffer *out, const struct settings *settings, const char *said)
{
    size_t token_length = has_token(settings) ? strlen(settings->backend_token) : 0;
    struct buffer safe;
    const char *text;
    size_t length;

    buffer_init(&safe, QUOTE_CEILING);
    while (*said && safe.length <= MAX_QUOTED_BYTES) {
        if (token_length && !strncmp(said, settings->backend_token, token_length)) {
            buffer_append_text(&safe, "***");
            said += token_length;
            continue;
        }
        buffer_append(&safe, (unsigned char)*said < 0x20 || *said == 0x7f ? " " : said, 1);
        said++;
    }
    text = buffer_text(&safe);
    length = utf8_cut(text, MAX_QUOTED_BYTES);
    buffer_append(out, text, length);
    if (text[length])
        buffer_append_text(out, "...");
    buffer_done(&safe);
}

static void append_separated(struct buffer *out, const char *separator, const char *text)
{
    if (!text || !*text)
        return;
    if (out->length)
        buffer_append_text(out, separator);
    buffer_append_text(out, text);
}

/* A string, or each string of a list. */
static void append_strings(struct buffer *out, const char *separator, const json_t *value)
{
    size_t index;
    const json_t *member;

    append_separated(out, separator, json_string_value(value));
    json_array_foreach(value, index, member)
        append_separated(out, index ? ", " : separator, json_string_value(member));
}

/* What a problem+json body, or the backend's own {"message": […]}, says, in one text. */
static void collect_problem(const json_t *body, struct buffer *out)
{
    json_t *errors = json_object_get(body, "errors");
    const char *separator = ": ";
    const char *name;
    json_t *value;

    append_strings(out, ": ", json_object_get(body, "title"));
    append_strings(out, ": ", json_object_get(body, "detail"));
    append_strings(out, ": ", errors);
    json_object_foreach(errors, name, value)
    {
        append_separated(out, separator, name);
        append_strings(out, ": ", value);
        separator = "; ";
    }
    append_strings(out, ": ", json_object_get(body, "message"));
}

/* Appends ": <what the body says>", or nothing. */
static void append_problem(struct buffer *out, const struct settings *settings, const json_t *body)
{
    struct buffer problem;

    buffer_init(&problem, QUOTE_CEILING);
    collect_problem(body, &problem);
    if (problem.length) {
        buffer_append_text(out, ": ");
        append_quoted(out, settings, buffer_text(&problem));
    }
    buffer_done(&problem);
}

/* Where a redirect points, without what may be secret in it: user and password, query, fragment. */
static void append_target(struct buffer *out, const struct settings *settings,
                          const struct http_reply *reply)
{
    char location[1024];
    const char *rest = location;
    struct buffer target;

    if (!http_reply_header(reply, "Location", location, sizeof location) || !*location) {
        buffer_append_text(out, "a place that it doesn't name");
        return;
    }
    location[strcspn(location, "?#")] = 0;
    buffer_init(&target, sizeof location);
    if (strstr(location, "//")) {
        size_t host = (size_t)(strstr(location, "//") - location) + 2;
        size_t host_length = strcspn(location + host, "/");
        const char *at = memrchr(location + host, '@', host_length);

        buffer_append(&target, location, host);
        rest = at ? at + 1 : location + host;
    }
    buffer_append_text(&target, rest);
    append_quoted(out, settings, buffer_text(&target));
    buffer_done(&target);
}

static const char *setting_to_look_at(int status)
{
    if (status == 401 || status == 403)
        return " (see CONFOMEET_BACKEND_TOKEN)";
    if (status == 404 || status == 405)
        return " (see CONFOMEET_BASE_URL)";
    return status == 407 ? " (see CONFOMEET_PROXY)" : "";
}

static void append_status(struct buffer *out, const struct settings *settings,
                          const struct http_reply *reply, const json_t *body)
{
    buffer_append_format(out, "%d%s", reply->status, setting_to_look_at(reply->status));
    append_problem(out, settings, body);
}

/* The row that an accepted notice became; 0 when the reply doesn't name one. */
static int64_t row_in(const json_t *body)
{
    json_int_t id = json_integer_value(json_object_get(body, "id"));

    return id > 0 ? (int64_t)id : 0;
}

/* The body as JSON; NULL when it isn't, or when not all of it arrived. */
static json_t *parse_body(const struct http_reply *reply)
{
    const char *text = buffer_text(&reply->body);

    /* A text with a NUL byte is not JSON, but jansson accepts one after a number. */
    if (reply->failure != HTTP_OK || strlen(text) != reply->body.length)
        return NULL;
    return json_loads(text, JSON_ALLOW_NUL, NULL);
}

/* A page is of what stands before the backend: its API has none. */
static bool is_page(const struct http_reply *reply)
{
    const char *text = buffer_text(&reply->body);

    return text[strspn(text, " \t\r\n")] == '<';
}

/* A reply that arrived, if only its beginning. */
static void judge_reply(const struct settings *settings, const char *file_name,
                        const struct http_reply *reply, struct notice_result *result,
                        struct buffer *text)
{
    bool success = reply->status >= 200 && reply->status < 300;
    json_t *body = parse_body(reply);

    if (success && row_in(body)) {
        result->outcome = NOTICE_ACCEPTED;
        result->backend_row = row_in(body);
    } else if (success) {
        result->may_be_taken = !is_page(reply);
        buffer_append_format(text,
                             "the backend answered the notice of %s with %d, but with no row's id: "
                             "it may have recorded it or not",
                             file_name, reply->status);
        append_problem(text, settings, body);
    } else if (is_worth_a_retry(reply->status)) {
        result->outcome = NOTICE_RETRY;
        result->retry_after_ms = http_reply_retry_after(reply);
        buffer_append_format(text, "the backend couldn't take the notice of %s: ", file_name);
        append_status(text, settings, reply, body);
    } else if (reply->status < 400) {
        buffer_append_format(text,
                             "the backend answered the notice of %s with %d: CONFOMEET_BASE_URL "
                             "must name the place that answers itself; this one points to ",
                             file_name, reply->status);
        append_target(text, settings, reply);
    } else {
        buffer_append_format(text, "the backend refused the notice of %s: ", file_name);
        append_status(text, settings, reply, body);
    }
    json_decref(body);
}

/* No reply: the text says what is known of the notice's fate. */
static void judge_failure(const struct settings *settings, const char *file_name,
                          const struct http_reply *reply, struct notice_result *result,
                          struct buffer *text)
{
    static const struct {
        const char *what;
        enum notice_outcome outcome;
        bool sent;
    } FAILURES[] = {
        [HTTP_FAILED_RESOLVE] = {"the backend's name has no address", NOTICE_RETRY, false},
        [HTTP_FAILED_CONNECT] = {"no connection to the backend", NOTICE_RETRY, false},
        [HTTP_FAILED_TLS] = {"no secure connection to the backend", NOTICE_REFUSED, false},
        [HTTP_FAILED_PROXY] = {"the proxy refuses the way to the backend", NOTICE_REFUSED, false},
        [HTTP_FAILED_TRANSFER] = {"the connection to the backend broke", NOTICE_RETRY, true},
        [HTTP_FAILED_TIMEOUT] = {"the backend didn't answer in time", NOTICE_RETRY, true},
        [HTTP_FAILED_TOO_LARGE] = {"the backend's reply is too long", NOTICE_RETRY, true},
        [HTTP_FAILED_LOCAL] = {"the request to the backend failed here", NOTICE_RETRY, true},
    };
    size_t failure = (size_t)reply->failure;

    if (failure == HTTP_OK || failure >= sizeof FAILURES / sizeof *FAILURES)
        failure = HTTP_FAILED_TRANSFER;
    result->outcome = FAILURES[failure].outcome;
    result->sent = FAILURES[failure].sent;
    buffer_append_format(text, "%s, for the notice of %s", FAILURES[failure].what, file_name);
    if (*reply->detail) {
        buffer_append_text(text, ": ");
        append_quoted(text, settings, reply->detail);
    }
}

void notice_read(const struct settings *settings, const char *file_name,
                 const struct http_reply *reply, struct notice_result *ret_result)
{
    struct notice_result result = {.outcome = NOTICE_REFUSED, .sent = true, .error = ERROR_INIT};
    struct buffer text;

    buffer_init(&text, QUOTE_CEILING);
    if (reply->failure == HTTP_OK || (reply->failure == HTTP_FAILED_TOO_LARGE && reply->status))
        judge_reply(settings, file_name, reply, &result, &text);
    else
        judge_failure(settings, file_name, reply, &result, &text);
    if (result.outcome != NOTICE_ACCEPTED) {
        error_set(&result.error, result.outcome == NOTICE_RETRY ? ERROR_TRANSIENT : ERROR_PERMANENT,
                  "%s", buffer_text(&text));
        result.error.http_status = reply->status;
        result.error.network = http_failed_network(reply->failure);
        result.error.from_backend = true;
    }
    buffer_done(&text);
    *ret_result = result;
}
