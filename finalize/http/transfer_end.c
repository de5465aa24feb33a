/* transfer_end - how a transfer ends: what libcurl's codes mean, which time is over, and the reply
 * that its owner gets. */
#include "finalize/http/transfer.h"

#include <stdarg.h>
#include <stdio.h>

#define A_DAY_MS          (86400L * 1000) /* longer than any look-up of a name */
#define BEFORE_LIBCURL_MS 250u /* a look-up is given up before libcurl's connect timeout */

void transfer_fail(struct transfer *transfer, enum http_failure failure, const char *format, ...)
{
    struct http_reply *reply = &transfer->reply;
    va_list arguments;

    if (reply->failure != HTTP_OK)
        return;
    reply->failure = failure;
    va_start(arguments, format);
    vsnprintf(reply->detail, sizeof reply->detail, format, arguments);
    va_end(arguments);
}

/* One of the times that libcurl takes, or 0 while that has not happened. */
static curl_off_t time_of(const struct transfer *transfer, CURLINFO what)
{
    curl_off_t us = 0;

    curl_easy_getinfo(transfer->easy, what, &us);
    return us;
}

bool transfer_is_sent(const struct transfer *transfer)
{
    return time_of(transfer, CURLINFO_PRETRANSFER_TIME_T) > 0;
}

bool transfer_is_resolving(const struct transfer *transfer)
{
    return transfer->began_ms && !transfer->let_go && !transfer_is_sent(transfer) &&
           !time_of(transfer, CURLINFO_NAMELOOKUP_TIME_T);
}

static bool is_refusal(long status)
{
    return status >= 400 && status < 500 && status != 408 && status != 429;
}

/* A refusal by the proxy: of CONNECT (https), or in place of the server's reply (http). */
static bool proxy_refuses(struct transfer *transfer)
{
    long connect_status = 0, status = 0;
    char value[8];

    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (is_refusal(connect_status))
        status = connect_status;
    else if (status != 407 &&
             !(is_refusal(status) &&
               http_reply_header(&transfer->reply, "Proxy-Authenticate", value, sizeof value)))
        return false;
    transfer_fail(transfer, HTTP_FAILED_PROXY, "the proxy answers with HTTP status %ld", status);
    return true;
}

/* What libcurl's words leave out, where something is known that makes servers do so. */
static const char *hint_of(const struct transfer *transfer, CURLcode code)
{
    long connections = 0; /* that were made: a kept one may just have been closed */

    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
    if (connections && (code == CURLE_GOT_NOTHING || code == CURLE_UNSUPPORTED_PROTOCOL))
        return " (as where https or HTTP/2 alone is spoken)";
    return "";
}

static enum http_failure failure_of(struct transfer *transfer, CURLcode code)
{
    static const struct {
        CURLcode code;
        enum http_failure failure;
    } failures[] = {
        {CURLE_COULDNT_RESOLVE_HOST, HTTP_FAILED_RESOLVE},
        {CURLE_COULDNT_RESOLVE_PROXY, HTTP_FAILED_RESOLVE},
        {CURLE_COULDNT_CONNECT, HTTP_FAILED_CONNECT},
        /* Also a reset within the handshake: it may work next time. */
        {CURLE_SSL_CONNECT_ERROR, HTTP_FAILED_CONNECT},
        {CURLE_PEER_FAILED_VERIFICATION, HTTP_FAILED_TLS},
        {CURLE_SSL_CACERT_BADFILE, HTTP_FAILED_TLS},
        {CURLE_SSL_CERTPROBLEM, HTTP_FAILED_TLS},
        {CURLE_SSL_CIPHER, HTTP_FAILED_TLS},
        {CURLE_SSL_ISSUER_ERROR, HTTP_FAILED_TLS},
        {CURLE_SSL_ENGINE_NOTFOUND, HTTP_FAILED_TLS},
        {CURLE_SSL_ENGINE_SETFAILED, HTTP_FAILED_TLS},
        {CURLE_OUT_OF_MEMORY, HTTP_FAILED_LOCAL},
        {CURLE_URL_MALFORMAT, HTTP_FAILED_LOCAL},
        {CURLE_UNSUPPORTED_PROTOCOL, HTTP_FAILED_LOCAL}, /* or, once sent, what came is no HTTP */
        {CURLE_FAILED_INIT, HTTP_FAILED_LOCAL},
    };

    if (code == CURLE_OPERATION_TIMEDOUT)
        return transfer_is_sent(transfer) ? HTTP_FAILED_TIMEOUT : HTTP_FAILED_CONNECT;
    if (code == CURLE_UNSUPPORTED_PROTOCOL && transfer_is_sent(transfer))
        return HTTP_FAILED_TRANSFER;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        if (failures[i].code == code)
            return failures[i].failure;
    return HTTP_FAILED_TRANSFER;
}

/* The reply is what its owner may have. */
static void end(struct transfer *transfer)
{
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->reply.status = (int)status;
    transfer->reply.bytes_sent = transfer->position;
    transfer->ended = true;
}

void transfer_end(struct transfer *transfer, CURLcode code)
{
    transfer->let_go = true;
    if (transfer->ended)
        return;
    if (proxy_refuses(transfer)) {
        end(transfer);
        return;
    }
    /* curl takes a reply that was cut off within its headers for a whole one. */
    if (code != CURLE_OK || !transfer->headers_ended)
        transfer_fail(transfer, failure_of(transfer, code), "%s%s",
                      transfer->curl_error[0] ? transfer->curl_error : curl_easy_strerror(code),
                      hint_of(transfer, code));
    end(transfer);
}

static uint64_t bytes_moved(const struct transfer *transfer)
{
    curl_off_t sent = 0, received = 0;
    long headers = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    curl_easy_getinfo(transfer->easy, CURLINFO_HEADER_SIZE, &headers);
    return (uint64_t)sent + (uint64_t)received + (uint64_t)headers;
}

bool transfer_watch(struct transfer *transfer, uint64_t now_ms)
{
    const struct http_request *request = &transfer->request;
    uint64_t connect_ms = transfer->share->connect_timeout_ms;
    bool connected = transfer_is_sent(transfer);
    uint64_t moved = bytes_moved(transfer);

    if (transfer->ended || !transfer->began_ms)
        return false;
    if (!connected || moved != transfer->moved || transfer->paused) {
        transfer->moved = moved;
        transfer->moved_at_ms = now_ms;
    }
    if (transfer_is_resolving(transfer) &&
        now_ms - transfer->began_ms + BEFORE_LIBCURL_MS >= connect_ms)
        transfer_fail(transfer, HTTP_FAILED_RESOLVE, "the name was not resolved within %.1f s",
                      (double)connect_ms / 1000);
    else if (request->idle_timeout_ms && now_ms - transfer->moved_at_ms >= request->idle_timeout_ms)
        transfer_fail(transfer, HTTP_FAILED_TIMEOUT, "no byte moved for %.1f s",
                      (double)request->idle_timeout_ms / 1000);
    else if (request->timeout_ms && now_ms - transfer->began_ms >= request->timeout_ms)
        transfer_fail(transfer, connected ? HTTP_FAILED_TIMEOUT : HTTP_FAILED_CONNECT,
                      "it was not over within %.1f s", (double)request->timeout_ms / 1000);
    else
        return false;
    end(transfer);
    return true;
}

void transfer_forget(struct transfer *transfer)
{
    transfer->forgotten = true;
    curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS, A_DAY_MS);
}
