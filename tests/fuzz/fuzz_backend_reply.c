/*
 * The backend's reply to a notice: only a row's id is success, the token is in no text, and what is
 * said is one line.
 *
 * Input: how the transfer ended, the status (two bytes), headers up to an empty line, body. Each
 * 0x01 in it stands for the token.
 */
#include "finalize/notify/notice.h"

#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN "zQ7token.of.the.backendQz"
#define ROOM  (4u * 1024 * 1024)

/* Of the body as it is kept: no more than the request's reply_ceiling. */
#define BODY_CEILING (64u * 1024)

static void append_with_token(struct buffer *out, struct fuzz_input piece)
{
    for (size_t i = 0; i < piece.length; i++)
        if (piece.bytes[i] == 1)
            buffer_append_text(out, TOKEN);
        else
            buffer_append(out, piece.bytes + i, 1);
}

static int status_of(unsigned char first, unsigned char second)
{
    static const int common[] = {200, 201, 204, 301, 302, 307, 400, 401, 403,
                                 404, 408, 425, 429, 500, 502, 503, 0,   100};

    if (first < 0xf0)
        return common[first % (sizeof common / sizeof *common)];
    return (first & 7) * 256 + second;
}

static bool names_row(const char *body)
{
    json_t *root = json_loads(body, JSON_ALLOW_NUL, NULL);
    bool named = json_integer_value(json_object_get(root, "id")) > 0;

    json_decref(root);
    return named;
}

static void check_result(const struct http_reply *reply, const struct notice_result *result)
{
    PROMISE(result->retry_after_ms <= 3600u * 1000);
    PROMISE(fuzz_is_one_line(result->error.text));
    PROMISE(!strstr(result->error.text, TOKEN));
    PROMISE((result->outcome == NOTICE_ACCEPTED) == (result->error.kind == ERROR_NONE));
    if (result->outcome == NOTICE_ACCEPTED) {
        PROMISE(reply->failure == HTTP_OK && reply->status >= 200 && reply->status <= 299);
        PROMISE(result->backend_row > 0 && result->sent);
        PROMISE(names_row(buffer_text(&reply->body)));
    } else {
        PROMISE(*result->error.text);
        PROMISE(result->error.http_status == reply->status);
    }
    if (!result->sent)
        PROMISE(reply->failure == HTTP_FAILED_RESOLVE || reply->failure == HTTP_FAILED_CONNECT ||
                reply->failure == HTTP_FAILED_TLS || reply->failure == HTTP_FAILED_PROXY);
    if (result->outcome == NOTICE_RETRY && reply->failure == HTTP_OK)
        PROMISE(reply->status < 200 || reply->status == 408 || reply->status == 425 ||
                reply->status == 429 || reply->status >= 500);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char token[] = TOKEN, base[] = "https://event.example/meet";
    struct settings settings = {.base_url = base, .backend_token = token, .notice = true};
    struct fuzz_input input = fuzz_input_of(data, size);
    unsigned char ended = fuzz_byte(&input), first = fuzz_byte(&input), second = fuzz_byte(&input);
    struct fuzz_input headers = fuzz_piece(&input, "\n\n");
    struct notice_result result;
    struct http_reply reply;
    struct buffer detail;

    http_reply_init(&reply, BODY_CEILING);
    append_with_token(&reply.headers, headers);
    append_with_token(&reply.body, input);
    reply.headers.failed = reply.body.failed = false;
    reply.status = status_of(first, second);
    if (ended % 16 <= HTTP_FAILED_LOCAL)
        reply.failure = (enum http_failure)(ended % 16);
    if (reply.failure != HTTP_OK) {
        buffer_init(&detail, ROOM);
        append_with_token(&detail, input);
        snprintf(reply.detail, sizeof reply.detail, "%s", buffer_text(&detail));
        buffer_done(&detail);
        /* A token that was cut already is another text. */
        if (strlen(reply.detail) + 1 == sizeof reply.detail)
            reply.detail[sizeof reply.detail - sizeof TOKEN] = 0;
    }
    notice_read(&settings, "12345_2024-04-23-15-04-05.mp4", &reply, &result);
    check_result(&reply, &result);
    http_reply_done(&reply);
    return 0;
}
