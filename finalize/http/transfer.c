#include "finalize/http/transfer.h"

#include "finalize/base/clock.h"
#include "finalize/base/read_at.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define REPLY_BUFFER_BYTES 4096L /* most replies are shorter */
#define KEEP_ALIVE_IDLE_S  45L   /* shorter than routers remember a connection that is silent */
#define KEEP_ALIVE_EVERY_S 15L
#define MOST_BLANKS        2048u /* of a run; more than a key has */
#define SERVER_ERROR       9u    /* offset of the 5 of a 5xx, after "HTTP/1.1 " */

/* ---- a body on its way out --------------------------------------------------------------- */

static ssize_t read_body(const struct http_body *body, uint64_t position, char *out, size_t size)
{
    if (body->kind == HTTP_BODY_MEMORY) {
        memcpy(out, body->memory.data + position, size);
        return (ssize_t)size;
    }
    return read_at(body->fd, out, size, body->offset + position);
}

static size_t on_read(char *out, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct transfer_share *share = transfer->share;
    uint64_t wanted = transfer->request.body.length - transfer->position;
    uint64_t allowed;
    ssize_t got;

    if (transfer->ended)
        return CURL_READFUNC_ABORT;
    if (wanted > size * count)
        wanted = size * count;
    if (!wanted)
        return 0;
    allowed = rate_take(&share->rate, wanted, clock_now_us());
    if (!allowed) {
        transfer->paused = true;
        return CURL_READFUNC_PAUSE;
    }
    got = read_body(&transfer->request.body, transfer->position, out, (size_t)allowed);
    if (got <= 0) { /* unreadable, or shorter than a moment ago */
        transfer_fail(transfer, HTTP_FAILED_LOCAL, "%s",
                      got < 0 ? strerror(errno) : "the file became shorter while it was sent");
        return CURL_READFUNC_ABORT;
    }
    transfer->position += (uint64_t)got;
    share->bytes_sent += (uint64_t)got;
    return (size_t)got;
}

/* curl sends a body from its beginning when a kept connection turns out to be dead. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct transfer *transfer = context;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->request.body.length)
        return CURL_SEEKFUNC_CANTSEEK;
    transfer->position = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- a reply on its way in ---------------------------------------------------------------- */

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;

    if (transfer->ended)
        return 0;
    if (length >= 5 && !memcmp(line, "HTTP/", 5)) { /* a 100 Continue came before this one */
        buffer_clear(&transfer->reply.headers);
        transfer->headers_ended = false;
        /* The node at its other end may be the failing one of many: the next try uses another
         * connection. */
        if (length > SERVER_ERROR && line[SERVER_ERROR] == '5')
            curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
        return length;
    }
    if (*line == '\n' || (length == 2 && *line == '\r'))
        transfer->headers_ended = true;
    else
        buffer_append(&transfer->reply.headers, line, length);
    return length; /* headers over the ceiling are dropped: none that we need is that far down */
}

/* Servers send white space, for minutes, to keep the connection alive: of a long run only the
 * beginning is kept. */
static void keep_body(struct transfer *transfer, const char *bytes, size_t length)
{
    static const char blanks[] = " \t\r\n";

    while (length) {
        bool blank = memchr(blanks, *bytes, sizeof blanks - 1);
        size_t run = 1, kept;

        while (run < length && blank == !!memchr(blanks, bytes[run], sizeof blanks - 1))
            run++;
        kept = run;
        if (blank && kept > MOST_BLANKS - transfer->blanks)
            kept = MOST_BLANKS - transfer->blanks;
        transfer->blanks = blank ? transfer->blanks + kept : 0;
        buffer_append(&transfer->reply.body, bytes, kept);
        bytes += run;
        length -= run;
    }
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;

    if (transfer->ended)
        return 0;
    keep_body(transfer, bytes, size * count);
    if (transfer->reply.body.failed) {
        transfer_fail(transfer, HTTP_FAILED_TOO_LARGE, "the reply is longer than %zu bytes",
                      transfer->reply.body.ceiling);
        return 0;
    }
    return size * count;
}

/* ---- its connection -------------------------------------------------------------------------- */

static curl_socket_t on_open_socket(void *context, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    const struct transfer *transfer = context;

    (void)purpose;
    if (transfer->forgotten || transfer->ended)
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- what libcurl is told -------------------------------------------------------------------- */

static bool add_line(struct transfer *transfer, const char *line)
{
    struct curl_slist *grown = curl_slist_append(transfer->headers, line);

    if (grown)
        transfer->headers = grown;
    return grown;
}

static bool add_header_lines(struct transfer *transfer)
{
    bool has_content_type = false;

    for (char **line = transfer->request.headers; line && *line; line++) {
        if (!add_line(transfer, *line))
            return false;
        has_content_type |= !strncasecmp(*line, "Content-Type:", 13);
    }
    /* Without these, curl waits a second for "100 Continue", and guesses a content type. */
    return add_line(transfer, "Expect:") &&
           (has_content_type || add_line(transfer, "Content-Type:"));
}

static void set_method_and_body(struct transfer *transfer)
{
    const struct http_request *request = &transfer->request;
    CURL *easy = transfer->easy;

    if (!strcmp(request->method, "HEAD")) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request->body.kind == HTTP_BODY_NONE) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else if (!strcmp(request->method, "POST")) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
        /* When a kept connection dies under a request, curl repeats it silently: a POST would be
         * done twice. */
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body.length);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
}

/*
 * With a directory of hashed names OpenSSL reads the one authority that it needs. From the system's
 * file each connection would read all of them: 14 ms and most of a MiB.
 */
static void set_authorities(struct transfer *transfer)
{
    const char *ca_file = transfer->share->ca_file;

    if (ca_file) {
        curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(transfer->easy, CURLOPT_CAPATH,
                         NULL); /* lets libcurl share what it read */
    } else if (transfer->share->ca_directory) {
        curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(transfer->easy, CURLOPT_CAPATH, transfer->share->ca_directory);
    }
}

/*
 * What curl reads and sends in one go. Larger pieces cost less CPU time, and memory for each
 * request under way. A line that is fast enough for that to matter has few of them under way: they
 * end sooner than their parts are hashed. TLS writes 16 KiB at a time whatever it is given.
 */
static long upload_buffer_bytes(bool is_tls, unsigned others)
{
    if (others < 4)
        return (is_tls ? 64L : 256L) * 1024;
    return !is_tls && others < 16 ? 64L * 1024 : 16L * 1024;
}

static void set_network(struct transfer *transfer, unsigned others)
{
    const struct transfer_share *share = transfer->share;
    bool is_tls = !strncmp(transfer->request.url, "https:", 6);
    CURL *easy = transfer->easy;

#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    /* One connection for each request under way: parts do not share a congestion window. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer_bytes(is_tls, others));
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, REPLY_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "jibri-finalize/" PROJECT_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)share->connect_timeout_ms);
    /* Complete may be silent for minutes. */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEP_ALIVE_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEP_ALIVE_EVERY_S);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* lets go of a look-up without waiting */
#endif
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    set_authorities(transfer);
    if (share->proxy || transfer->request.direct)
        curl_easy_setopt(easy, CURLOPT_PROXY, transfer->request.direct ? "" : share->proxy);
}

bool transfer_set_up(struct transfer *transfer, unsigned others)
{
    CURL *easy = transfer->easy;

    if (!add_header_lines(transfer))
        return false;
    set_network(transfer, others);
    set_method_and_body(transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    return curl_easy_setopt(easy, CURLOPT_URL, transfer->request.url) == CURLE_OK;
}

void transfer_done(struct transfer *transfer)
{
    curl_slist_free_all(transfer->headers);
    http_request_done(&transfer->request);
    http_reply_done(&transfer->reply);
}
