#include "finalize/http/http.h"

#include "config/settings.h"
#include "finalize/base/number.h"
#include "finalize/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADERS_CEILING (32u * 1024)

void http_request_init(struct http_request *request, const char *method)
{
    *request = (struct http_request){.method = method};
    buffer_init(&request->body.memory, 0);
    request->body.fd = -1;
}

void http_request_done(struct http_request *request)
{
    if (!request)
        return;
    free(request->url);
    for (char **header = request->headers; header && *header; header++) {
        explicit_bzero(*header, strlen(*header)); /* may hold a token */
        free(*header);
    }
    free(request->headers);
    buffer_wipe(&request->body.memory);
    http_request_init(request, request->method);
}

bool http_request_add_header(struct http_request *request, const char *name, const char *value)
{
    struct buffer line;
    size_t count = 0;
    char **grown;

    while (request->headers && request->headers[count])
        count++;
    if (utf8_has_control(value))
        return false;
    grown = realloc(request->headers, (count + 2) * sizeof *grown);
    if (!grown)
        return false;
    request->headers = grown;
    grown[count + 1] = NULL;
    buffer_init(&line, HEADERS_CEILING);
    buffer_append_format(&line, "%s: %s", name, value);
    grown[count] = buffer_take(&line);
    return grown[count] != NULL;
}

void http_reply_init(struct http_reply *reply, size_t body_ceiling)
{
    *reply = (struct http_reply){.failure = HTTP_OK};
    buffer_init(&reply->headers, HEADERS_CEILING);
    buffer_init(&reply->body, body_ceiling);
}

void http_reply_done(struct http_reply *reply)
{
    if (!reply)
        return;
    buffer_done(&reply->headers);
    buffer_wipe(&reply->body);
}

bool http_reply_header(const struct http_reply *reply, const char *name, char *ret_value,
                       size_t size)
{
    size_t name_length = strlen(name);
    bool found = false;

    ret_value[0] = 0;
    for (const char *line = buffer_text(&reply->headers); *line; line += strspn(line, "\r\n")) {
        if (!strncasecmp(line, name, name_length) && line[name_length] == ':') {
            const char *value = line + name_length + 1 + strspn(line + name_length + 1, " \t");
            size_t length = strcspn(value, "\r\n");

            while (length && (value[length - 1] == ' ' || value[length - 1] == '\t'))
                length--;
            snprintf(ret_value, size, "%.*s", (int)length, value);
            found = true;
        }
        line += strcspn(line, "\r\n");
    }
    return found;
}

/* The programs' locale has English names. */
bool http_read_date(const char *text, time_t *ret_time)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    if (!end || *end || tm.tm_year < 70)
        return false;
    *ret_time = timegm(&tm);
    return true;
}

bool http_reply_clock(const struct http_reply *reply, time_t now, long *ret_ahead)
{
    char value[64];
    time_t date;

    if (!http_reply_header(reply, "Date", value, sizeof value) || !http_read_date(value, &date))
        return false;
    *ret_ahead = (long)(date - now);
    return true;
}

uint64_t http_reply_retry_after(const struct http_reply *reply)
{
    char value[64];
    uint64_t seconds;
    time_t until;
    long past_s; /* from that time to the reply's Date */

    if (!http_reply_header(reply, "Retry-After", value, sizeof value))
        return 0;
    if (!number_read(value, 0, UINT64_MAX, &seconds)) {
        if (!http_read_date(value, &until) || !http_reply_clock(reply, until, &past_s) ||
            past_s > 0)
            return 0;
        seconds = (uint64_t)-past_s;
    }
    if (seconds > SETTINGS_LONGEST_RETRY_AFTER_S)
        seconds = SETTINGS_LONGEST_RETRY_AFTER_S;
    return seconds * 1000;
}

enum error_network http_failed_network(enum http_failure failure)
{
    static const enum error_network networks[] = {
        [HTTP_FAILED_RESOLVE] = ERROR_NETWORK_NAME,
        [HTTP_FAILED_CONNECT] = ERROR_NETWORK_CONNECTION,
        [HTTP_FAILED_TIMEOUT] = ERROR_NETWORK_CONNECTION,
        [HTTP_FAILED_TLS] = ERROR_NETWORK_TLS,
        [HTTP_FAILED_PROXY] = ERROR_NETWORK_PROXY,
        [HTTP_FAILED_LOCAL] = ERROR_NETWORK_NONE, /* the last one: the rest is 0, too */
    };

    return (size_t)failure < sizeof networks / sizeof networks[0] ? networks[failure]
                                                                  : ERROR_NETWORK_NONE;
}
