#include "finalize/loop.h"

#include "finalize/rate.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REPLY_BUFFER_BYTES 4096L /* most replies are shorter */
#define IDLE_HANDLES       8u

struct transfer {
    struct transfer *next;
    struct loop *loop;
    CURL *easy;
    struct curl_slist *headers;
    struct http_request request;
    struct http_reply reply;
    void *owner;
    unsigned slot;
    uint64_t position; /* of the body: bytes given to curl */
    bool paused;       /* waits for the rate limit */
    bool local_failure;
    bool too_large;
    bool headers_ended;
    bool ended;
    char local_reason[128]; /* of a local failure; curl would overwrite it in its own */
    char curl_error[CURL_ERROR_SIZE];
};

struct loop {
    CURLM *multi;
    const char *ca_directory; /* of the system, by hashed names; NULL: libcurl's own defaults */
    struct loop_options options;
    struct transfer *transfers;
    unsigned pending;
    uint64_t bytes_sent;
    struct rate rate;
    atomic_bool woken;
    CURL *idle[IDLE_HANDLES];
    unsigned idle_count;
};

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t loop_now_ms(void)
{
    return now_us() / 1000;
}

/* ---- a body on its way out --------------------------------------------------------------- */

static ssize_t read_body(const struct http_body *body, uint64_t position, char *out, size_t size)
{
    ssize_t got;

    if (body->kind == HTTP_BODY_MEMORY) {
        memcpy(out, body->memory.data + position, size);
        return (ssize_t)size;
    }
    do
        got = pread(body->fd, out, size, (off_t)(body->offset + position));
    while (got < 0 && errno == EINTR);
    return got;
}

static size_t on_read(char *out, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct loop *loop = transfer->loop;
    uint64_t wanted = transfer->request.body.length - transfer->position;
    uint64_t allowed;
    ssize_t got;

    if (wanted > size * count)
        wanted = size * count;
    if (!wanted)
        return 0;
    allowed = rate_take(&loop->rate, wanted, now_us());
    if (!allowed) {
        transfer->paused = true;
        return CURL_READFUNC_PAUSE;
    }
    got = read_body(&transfer->request.body, transfer->position, out, (size_t)allowed);
    if (got <= 0) { /* unreadable, or shorter than a moment ago */
        transfer->local_failure = true;
        snprintf(transfer->local_reason, sizeof transfer->local_reason, "%s",
                 got < 0 ? strerror(errno) : "the file became shorter while it was sent");
        return CURL_READFUNC_ABORT;
    }
    transfer->position += (uint64_t)got;
    loop->bytes_sent += (uint64_t)got;
    return (size_t)got;
}

/* curl begins a body anew when a kept connection turns out to be dead. */
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

    if (length >= 5 && !memcmp(line, "HTTP/", 5)) { /* a 100 Continue came before this one */
        buffer_clear(&transfer->reply.headers);
        transfer->headers_ended = false;
        return length;
    }
    if (*line == '\n' || (length == 2 && *line == '\r'))
        transfer->headers_ended = true;
    else
        buffer_append(&transfer->reply.headers, line, length);
    return length; /* headers over the ceiling are dropped: none that we need is that far down */
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;

    buffer_append(&transfer->reply.body, bytes, size * count);
    if (transfer->reply.body.failed) {
        transfer->too_large = true;
        return 0;
    }
    return size * count;
}

/* ---- one transfer ------------------------------------------------------------------------- */

static void free_transfer(struct transfer *transfer)
{
    struct loop *loop = transfer->loop;

    if (transfer->easy) {
        curl_multi_remove_handle(loop->multi, transfer->easy);
        curl_easy_reset(transfer->easy);
        if (loop->idle_count < IDLE_HANDLES)
            loop->idle[loop->idle_count++] = transfer->easy;
        else
            curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    http_request_done(&transfer->request);
    http_reply_done(&transfer->reply);
    free(transfer);
}

static bool add_header_lines(struct transfer *transfer)
{
    /* Without these, curl waits a second for "100 Continue", and guesses a content type. */
    static const char *const switched_off[] = {"Expect:", "Content-Type:", NULL};
    struct curl_slist *grown;
    bool has_content_type = false;

    for (char **line = transfer->request.headers; line && *line; line++) {
        grown = curl_slist_append(transfer->headers, *line);
        if (!grown)
            return false;
        transfer->headers = grown;
        has_content_type |= !strncasecmp(*line, "Content-Type:", 13);
    }
    for (const char *const *line = switched_off; *line; line++) {
        if (has_content_type && !strcmp(*line, "Content-Type:"))
            continue;
        grown = curl_slist_append(transfer->headers, *line);
        if (!grown)
            return false;
        transfer->headers = grown;
    }
    return true;
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
    const char *ca_file = transfer->loop->options.ca_file;

    if (ca_file) {
        curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(transfer->easy, CURLOPT_CAPATH,
                         NULL); /* lets libcurl share what it read */
    } else if (transfer->loop->ca_directory) {
        curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(transfer->easy, CURLOPT_CAPATH, transfer->loop->ca_directory);
    }
}

/*
 * What curl reads and sends in one go. Larger pieces cost less CPU time, and memory for each
 * request under way. A line that is fast enough for that to matter has few of them under way: they
 * end sooner than their parts are hashed.
 */
static long upload_buffer_bytes(unsigned under_way)
{
    if (under_way < 4)
        return 256L * 1024;
    return under_way < 16 ? 128L * 1024 : 16L * 1024;
}

static void set_network(struct transfer *transfer)
{
    const struct loop_options *options = &transfer->loop->options;
    CURL *easy = transfer->easy;
    uint64_t idle_seconds = (transfer->request.idle_timeout_ms + 999) / 1000;

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
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, upload_buffer_bytes(transfer->loop->pending));
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, REPLY_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "jibri-finalize/" PROJECT_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(idle_seconds ? idle_seconds : 1));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transfer->request.timeout_ms);
    set_authorities(transfer);
    if (options->proxy)
        curl_easy_setopt(easy, CURLOPT_PROXY, options->proxy);
}

static bool prepare(struct transfer *transfer)
{
    struct loop *loop = transfer->loop;
    CURL *easy = loop->idle_count ? loop->idle[--loop->idle_count] : curl_easy_init();

    if (!easy)
        return false;
    transfer->easy = easy;
    if (!add_header_lines(transfer))
        return false;
    set_network(transfer);
    set_method_and_body(transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    return curl_easy_setopt(easy, CURLOPT_URL, transfer->request.url) == CURLE_OK &&
           curl_multi_add_handle(loop->multi, easy) == CURLM_OK;
}

bool loop_start(struct loop *loop, struct http_request *request, void *owner, unsigned slot,
                struct error *err)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);

    if (!transfer)
        return error_set(err, ERROR_TRANSIENT, "no memory for a request");
    transfer->loop = loop;
    transfer->owner = owner;
    transfer->slot = slot;
    transfer->request = *request;
    http_reply_init(&transfer->reply, request->reply_ceiling);
    if (!prepare(transfer)) {
        http_request_init(&transfer->request, request->method); /* still the caller's */
        free_transfer(transfer);
        return error_set(err, ERROR_TRANSIENT, "no memory for a request");
    }
    http_request_init(request, request->method);
    transfer->next = loop->transfers;
    loop->transfers = transfer;
    loop->pending++;
    return true;
}

/* ---- the end of a transfer ---------------------------------------------------------------- */

static enum http_failure failure_of_timeout(struct transfer *transfer)
{
    curl_off_t ready_us = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    return ready_us > 0 ? HTTP_FAILED_TIMEOUT : HTTP_FAILED_CONNECT;
}

static enum http_failure failure_of(struct transfer *transfer, CURLcode code)
{
    if (transfer->local_failure)
        return HTTP_FAILED_LOCAL;
    if (transfer->too_large)
        return HTTP_FAILED_TOO_LARGE;
    switch (code) {
    case CURLE_OK:
        /* curl takes a reply that was cut off within its headers for a whole one. */
        return transfer->headers_ended ? HTTP_OK : HTTP_FAILED_TRANSFER;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_FAILED_RESOLVE;
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR: /* also a reset within the handshake: it may work next time */
        return HTTP_FAILED_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return failure_of_timeout(transfer);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
        return HTTP_FAILED_TLS;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_FAILED_INIT:
        return HTTP_FAILED_LOCAL;
    default:
        return HTTP_FAILED_TRANSFER;
    }
}

static void end_transfer(struct transfer *transfer, CURLcode code)
{
    struct http_reply *reply = &transfer->reply;
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    reply->failure = failure_of(transfer, code);
    reply->bytes_sent = transfer->position;
    if (reply->failure == HTTP_FAILED_TOO_LARGE)
        snprintf(reply->detail, sizeof reply->detail, "the reply is longer than %zu bytes",
                 reply->body.ceiling);
    else if (reply->failure != HTTP_OK)
        snprintf(reply->detail, sizeof reply->detail, "%s",
                 transfer->local_reason[0] ? transfer->local_reason
                 : transfer->curl_error[0] ? transfer->curl_error
                                           : curl_easy_strerror(code));
    transfer->ended = true;
}

static bool note_ends(struct loop *loop)
{
    CURLMsg *message;
    int left;
    bool any = false;

    while ((message = curl_multi_info_read(loop->multi, &left))) {
        struct transfer *transfer = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        end_transfer(transfer, message->data.result);
        any = true;
    }
    return any;
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* libcurl's directory of authorities, when there are any in it under their hashed names. */
static const char *find_ca_directory(void)
{
    const char *directory = curl_version_info(CURLVERSION_NOW)->capath;
    DIR *entries = directory ? opendir(directory) : NULL;
    const struct dirent *entry;
    bool found = false;

    while (entries && !found && (entry = readdir(entries)))
        found = strspn(entry->d_name, "0123456789abcdef") == 8 && !strcmp(entry->d_name + 8, ".0");
    if (entries)
        closedir(entries);
    return found ? directory : NULL;
}

bool loop_open(const struct loop_options *options, struct loop **ret_loop, struct error *err)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return error_set(err, ERROR_TRANSIENT, "no memory for the network loop");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(loop);
        return error_set(err, ERROR_TRANSIENT, "libcurl cannot be initialised");
    }
    loop->multi = curl_multi_init();
    if (!loop->multi) {
        loop_close(loop);
        return error_set(err, ERROR_TRANSIENT, "no memory for the network loop");
    }
    loop->options = *options;
    loop->ca_directory = options->ca_file ? NULL : find_ca_directory();
    rate_init(&loop->rate, options->rate_limit, now_us());
    *ret_loop = loop;
    return true;
}

void loop_close(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->transfers) {
        struct transfer *next = loop->transfers->next;

        free_transfer(loop->transfers);
        loop->transfers = next;
    }
    while (loop->idle_count)
        curl_easy_cleanup(loop->idle[--loop->idle_count]);
    curl_multi_cleanup(loop->multi);
    curl_global_cleanup();
    free(loop);
}

/* Lets those go on that wait for the rate limit; returns the ms until that is worth another try. */
static uint64_t resume_paused(struct loop *loop, uint64_t timeout_ms)
{
    uint64_t wait_us = rate_wait_us(&loop->rate, now_us());
    bool waiting = false;

    for (struct transfer *transfer = loop->transfers; transfer; transfer = transfer->next) {
        if (!transfer->paused || transfer->ended)
            continue;
        if (wait_us) {
            waiting = true;
            continue;
        }
        transfer->paused = false;
        curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
        wait_us = rate_wait_us(&loop->rate, now_us());
    }
    if (waiting && wait_us / 1000 + 1 < timeout_ms)
        return wait_us / 1000 + 1;
    return timeout_ms;
}

bool loop_wait(struct loop *loop, uint64_t timeout_ms, struct error *err)
{
    struct curl_waitfd extra = {.fd = loop->options.wake_fd, .events = CURL_WAIT_POLLIN};
    uint64_t deadline_ms = loop_now_ms() + timeout_ms;

    for (;;) {
        uint64_t now_ms, left_ms;
        int running;

        if (curl_multi_perform(loop->multi, &running) != CURLM_OK)
            return error_set(err, ERROR_TRANSIENT, "libcurl's loop failed");
        now_ms = loop_now_ms();
        if (note_ends(loop) || atomic_exchange(&loop->woken, false) || now_ms >= deadline_ms)
            return true;
        left_ms = resume_paused(loop, deadline_ms - now_ms);
        extra.revents = 0;
        if (curl_multi_poll(loop->multi, &extra, extra.fd >= 0 ? 1 : 0,
                            left_ms > 60000 ? 60000 : (int)left_ms, NULL) != CURLM_OK)
            return error_set(err, ERROR_TRANSIENT, "libcurl's loop failed");
        if (extra.revents)
            return true;
    }
}

static struct transfer *unlink_transfer(struct loop *loop, struct transfer **link)
{
    struct transfer *transfer = *link;

    *link = transfer->next;
    loop->pending--;
    return transfer;
}

bool loop_collect(struct loop *loop, struct loop_reply *ret_reply)
{
    for (struct transfer **link = &loop->transfers; *link; link = &(*link)->next) {
        struct transfer *transfer;

        if (!(*link)->ended)
            continue;
        transfer = unlink_transfer(loop, link);
        *ret_reply = (struct loop_reply){
            .owner = transfer->owner, .slot = transfer->slot, .http = transfer->reply};
        http_reply_init(&transfer->reply, 0); /* it is the caller's now */
        free_transfer(transfer);
        return true;
    }
    return false;
}

void loop_cancel(struct loop *loop, const void *owner)
{
    struct transfer **link = &loop->transfers;

    while (*link) {
        if ((*link)->owner == owner)
            free_transfer(unlink_transfer(loop, link));
        else
            link = &(*link)->next;
    }
}

void loop_wake(void *loop)
{
    struct loop *woken = loop;

    atomic_store(&woken->woken, true);
    curl_multi_wakeup(woken->multi);
}

unsigned loop_pending(const struct loop *loop)
{
    return loop->pending;
}

uint64_t loop_bytes_sent(const struct loop *loop)
{
    return loop->bytes_sent;
}

uint64_t loop_bytes_under_way(const struct loop *loop)
{
    uint64_t bytes = 0;

    for (const struct transfer *transfer = loop->transfers; transfer; transfer = transfer->next)
        bytes += transfer->position;
    return bytes;
}

void loop_exchange(struct loop *loop, struct http_request *request, uint64_t patience_ms,
                   struct http_reply *ret_reply)
{
    uint64_t deadline_ms = loop_now_ms() + patience_ms;
    struct error err = ERROR_INIT;
    struct loop_reply reply;
    bool going;

    http_reply_init(ret_reply, request->reply_ceiling);
    going = loop_start(loop, request, ret_reply, 0, &err);
    while (going) {
        uint64_t now_ms = loop_now_ms();

        if (loop_collect(loop, &reply)) {
            *ret_reply = reply.http;
            return;
        }
        if (now_ms >= deadline_ms) {
            error_set(&err, ERROR_TRANSIENT, "no reply within %llu s",
                      (unsigned long long)patience_ms / 1000);
            break;
        }
        going = loop_wait(loop, deadline_ms - now_ms, &err);
    }
    loop_cancel(loop, ret_reply);
    ret_reply->failure = HTTP_FAILED_TIMEOUT;
    snprintf(ret_reply->detail, sizeof ret_reply->detail, "%.200s", err.text);
}
