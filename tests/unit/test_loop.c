#include "finalize/http/loop.h"

#include "finalize/base/clock.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <check.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWNER   ((void *)&owner)
#define SECONDS 1000u

/* ---- a DNS server that says nothing for one name
 * -------------------------------------------------
 */

#define SILENT_NAME "silent.test"

static sem_t dns_answers; /* of look-ups of that name: 127.0.0.1 */

/* In place of the C library's. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    /* ISO C knows no conversion of pointers to functions. */
    static union {
        void *symbol;
        int (*function)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    } real;

    if (!real.symbol)
        real.symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && !strcmp(node, SILENT_NAME)) {
        sem_wait(&dns_answers);
        node = "127.0.0.1";
    }
    return real.function(node, service, hints, ret);
}

/* ---- a server that does as the path of the request says ---------------------------------------
 */

#define HEAD_BYTES  8192u
#define MAX_SESSION 64u

struct session { /* one connection */
    pthread_t thread;
    int fd;
};

static struct session sessions[MAX_SESSION];
static atomic_uint session_count;
static int listener = -1;
static int stop_fd = -1; /* readable once the server is to end */
static uint16_t port;
static pthread_t acceptor;
static atomic_uint posts;          /* POST requests that arrived */
static atomic_bool drop_kept_ones; /* a connection is closed at its second request */

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void send_text(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

/* Waits for bytes or for the end of the server; false then. */
static bool readable(int fd)
{
    struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

    return poll(ready, 2, -1) > 0 && !ready[1].revents;
}

/* Reads the lines up to the empty one, byte by byte: what follows is the body. */
static bool read_head(int fd, char *head)
{
    size_t length = 0;

    head[0] = 0;
    while (length < HEAD_BYTES - 1 && readable(fd) && recv(fd, head + length, 1, 0) == 1) {
        head[++length] = 0;
        if (length >= 4 && !memcmp(head + length - 4, "\r\n\r\n", 4))
            return true;
    }
    return false;
}

static size_t content_length(const char *head)
{
    const char *found = strcasestr(head, "\r\nContent-Length:");

    return found ? strtoull(found + 17, NULL, 10) : 0;
}

/* Reads the body; the sum of its bytes is told in the reply. */
static bool read_body(int fd, size_t length, unsigned long *ret_sum)
{
    unsigned char bytes[16384];

    *ret_sum = 0;
    while (length) {
        size_t part = length < sizeof bytes ? length : sizeof bytes;
        ssize_t got = readable(fd) ? recv(fd, bytes, part, 0) : -1;

        if (got <= 0)
            return false;
        for (ssize_t i = 0; i < got; i++)
            *ret_sum += bytes[i];
        length -= (size_t)got;
    }
    return true;
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void answer_large(int fd)
{
    char piece[1000];

    memset(piece, 'x', sizeof piece);
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    for (unsigned i = 0; i < 100; i++)
        send_all(fd, piece, sizeof piece);
}

#define SLOW_BYTES   4u
#define SLOW_BYTE_MS 1200u
#define SLOW_IDLE_MS 2000u

/* As CompleteMultipartUpload does, for hours. */
static void answer_blanks(int fd)
{
    static char blanks[100000];

    memset(blanks, ' ', sizeof blanks);
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100007\r\n\r\n<a>");
    (void)!send(fd, blanks, sizeof blanks, MSG_NOSIGNAL);
    send_text(fd, "</a>");
}

/* As CompleteMultipartUpload does. */
static void answer_slowly(int fd)
{
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    for (unsigned i = 0; i < SLOW_BYTES; i++) {
        struct pollfd end = {.fd = stop_fd, .events = POLLIN};

        if (poll(&end, 1, SLOW_BYTE_MS))
            return;
        send_text(fd, " ");
    }
}

static void answer_status(int fd, const char *status)
{
    char reply[100];

    snprintf(reply, sizeof reply, "HTTP/1.1 %.3s Words\r\nContent-Length: 0\r\n\r\n", status);
    send_text(fd, reply);
}

/* The request comes back: its head, and length and sum of its body. */
static void answer_echo(int fd, const char *head, size_t length, unsigned long sum)
{
    char body[HEAD_BYTES + 100], reply[HEAD_BYTES + 400];
    int body_length = snprintf(body, sizeof body, "%sbody %zu sum %lu", head, length, sum);

    snprintf(reply, sizeof reply,
             "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Answer: first\r\nx-ANSWER:  second \r\n"
             "\r\n%s",
             body_length, strncmp(head, "HEAD", 4) != 0 ? body : "");
    send_text(fd, reply);
}

/* One request; false when the connection is to be closed. */
static bool serve(int fd, bool first)
{
    char head[HEAD_BYTES], path[128] = "";
    unsigned long sum = 0;

    if (!read_head(fd, head))
        return false;
    if (sscanf(head, "%*s http://%*[^/]%127s", path) != 1) /* as to a proxy */
        sscanf(head, "%*s %127s", path);
    posts += !strncmp(head, "POST", 4);
    if (!first && drop_kept_ones)
        return false;
    if (!strncmp(head, "CONNECT", 7)) {
        answer_status(fd, path + strlen("status-"));
        return false;
    }
    if (!strcmp(path, "/other-protocol")) {
        send_text(fd, "\x15\x03\x01 no HTTP");
        return false;
    }
    if (!strcmp(path, "/early")) {
        send_text(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\nConnection: close\r\n\r\n"
                      "<Error/>");
        shutdown(fd, SHUT_WR);
        return read_body(fd, content_length(head), &sum) && false;
    }
    if (!strcmp(path, "/reset")) {
        reset(fd);
        return false;
    }
    if (!read_body(fd, content_length(head), &sum))
        return false;
    if (!strcmp(path, "/close"))
        return false;
    if (!strcmp(path, "/silence"))
        return readable(fd) && false;
    if (!strcmp(path, "/stalls"))
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    else if (!strcmp(path, "/short")) {
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        return false;
    } else if (!strcmp(path, "/slowly"))
        answer_slowly(fd);
    else if (!strncmp(path, "/status/", 8))
        answer_status(fd, path + 8);
    else if (!strcmp(path, "/large"))
        answer_large(fd);
    else if (!strcmp(path, "/blanks"))
        answer_blanks(fd);
    else if (!strcmp(path, "/continue"))
        send_text(fd, "HTTP/1.1 100 Continue\r\nX-Of: interim\r\n\r\n"
                      "HTTP/1.1 204 No Content\r\nX-Last: yes\r\n\r\n");
    else if (!strcmp(path, "/redirect"))
        send_text(fd, "HTTP/1.1 301 Moved\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n");
    else
        answer_echo(fd, head, content_length(head), sum);
    return true;
}

static void *serve_connection(void *context)
{
    struct session *session = context;

    for (bool first = true; serve(session->fd, first); first = false)
        ;
    close(session->fd);
    return NULL;
}

static void *accept_connections(void *context)
{
    (void)context;
    while (readable(listener) && session_count < MAX_SESSION) {
        struct session *session = &sessions[session_count];

        session->fd = accept(listener, NULL, NULL);
        if (session->fd < 0)
            break;
        session_count++; /* before it is answered: tests look at it then */
        ck_assert_int_eq(pthread_create(&session->thread, NULL, serve_connection, session), 0);
    }
    return NULL;
}

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void start_server(void)
{
    session_count = 0;
    posts = 0;
    drop_kept_ones = false;
    stop_fd = eventfd(0, EFD_CLOEXEC);
    listener = listen_somewhere(&port);
    ck_assert_int_eq(pthread_create(&acceptor, NULL, accept_connections, NULL), 0);
}

static void stop_server(void)
{
    uint64_t one = 1;

    ck_assert_int_eq(write(stop_fd, &one, sizeof one), sizeof one);
    pthread_join(acceptor, NULL);
    for (unsigned i = 0; i < session_count; i++)
        pthread_join(sessions[i].thread, NULL);
    close(listener);
    close(stop_fd);
}

/* ---- the loop under test --------------------------------------------------------------------- */

static struct loop *loop;
static struct error err;
static int owner, other_owner;
static int file;

static struct settings settings = {.s3_connect_timeout_ms = 5 * SECONDS};
static struct loop_stop stop = {.fd = -1};

static void open_loop(uint64_t rate_limit)
{
    ck_assert_msg(loop_open(&settings, rate_limit, &stop, &loop, &err), "%s", err.text);
}

static void set_up(void)
{
    sem_init(&dns_answers, 0, 0);
    setenv("no_proxy", "*", 1);
    start_server();
    file = memfd_create("test", MFD_CLOEXEC);
    open_loop(0);
}

static void tear_down(void)
{
    loop_close(loop);
    close(file);
    stop_server();
}

static struct http_request make_request(const char *method, const char *path)
{
    struct http_request request;
    char url[256];

    http_request_init(&request, method);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    request.url = strdup(url);
    request.idle_timeout_ms = 30 * SECONDS;
    request.reply_ceiling = 20000;
    return request;
}

/* The file holds `length` bytes that differ from place to place; returns their sum. */
static unsigned long fill_file(size_t length)
{
    static unsigned char bytes[1 << 20];
    unsigned long sum = 0;

    ck_assert_uint_le(length, sizeof bytes);
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 251);
        sum += bytes[i];
    }
    ck_assert_int_eq(pwrite(file, bytes, length, 0), (ssize_t)length);
    return sum;
}

static struct http_request make_put(const char *path, uint64_t offset, uint64_t length)
{
    struct http_request request = make_request("PUT", path);

    request.body =
        (struct http_body){.kind = HTTP_BODY_FILE, .fd = file, .offset = offset, .length = length};
    return request;
}

static struct http_request make_post(const char *path, const char *text)
{
    struct http_request request = make_request("POST", path);

    request.body.kind = HTTP_BODY_MEMORY;
    buffer_init(&request.body.memory, 10000);
    buffer_append_text(&request.body.memory, text);
    request.body.length = strlen(text);
    return request;
}

static void start(struct http_request *request, void *whose, unsigned slot)
{
    ck_assert_msg(loop_start(loop, request, whose, slot, &err), "%s", err.text);
    ck_assert_ptr_null(request->url); /* taken */
}

static struct loop_reply next_reply(void)
{
    uint64_t deadline_ms = clock_now_ms() + 20 * SECONDS;
    struct loop_reply reply;

    while (!loop_collect(loop, &reply)) {
        ck_assert_msg(clock_now_ms() < deadline_ms, "no reply");
        ck_assert_msg(loop_wait(loop, SECONDS, &err), "%s", err.text);
    }
    return reply;
}

static struct http_reply exchange(struct http_request request)
{
    struct loop_reply reply;

    start(&request, OWNER, 3);
    reply = next_reply();
    ck_assert_ptr_eq(reply.owner, OWNER);
    ck_assert_uint_eq(reply.slot, 3);
    ck_assert_uint_eq(loop_pending(loop), 0);
    return reply.http;
}

static void assert_answered(const struct http_reply *reply, int status)
{
    ck_assert_msg(reply->failure == HTTP_OK, "%s", reply->detail);
    ck_assert_int_eq(reply->status, status);
}

/* ---- requests and replies -------------------------------------------------------------------- */

START_TEST(get_brings_status_headers_and_body)
{
    struct http_reply reply = exchange(make_request("GET", "/echo"));
    char value[32];

    assert_answered(&reply, 200);
    ck_assert_ptr_nonnull(strstr(buffer_text(&reply.body), "GET /echo HTTP/1.1\r\n"));
    ck_assert(http_reply_header(&reply, "X-Answer", value, sizeof value));
    ck_assert_str_eq(value, "second");
    ck_assert_uint_eq(reply.bytes_sent, 0);
    http_reply_done(&reply);
}
END_TEST

START_TEST(head_brings_the_headers_of_a_body_that_does_not_come)
{
    struct http_reply reply = exchange(make_request("HEAD", "/echo"));
    char value[32];

    assert_answered(&reply, 200);
    ck_assert(http_reply_header(&reply, "Content-Length", value, sizeof value));
    ck_assert_int_gt(atoi(value), 0);
    ck_assert_uint_eq(reply.body.length, 0);
    http_reply_done(&reply);
}
END_TEST

START_TEST(delete_is_sent_without_a_body)
{
    struct http_reply reply = exchange(make_request("DELETE", "/echo"));

    assert_answered(&reply, 200);
    ck_assert_ptr_nonnull(strstr(buffer_text(&reply.body), "DELETE /echo"));
    http_reply_done(&reply);
}
END_TEST

START_TEST(put_sends_a_range_of_a_file)
{
    static const struct {
        uint64_t offset, length;
    } rows[] = {{0, 300000}, {1000, 100000}, {299999, 1}, {0, 1}, {12345, 0}};

    fill_file(300000);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_reply reply = exchange(make_put("/echo", rows[i].offset, rows[i].length));
        unsigned long sum = 0;
        char expected[100];

        for (uint64_t at = rows[i].offset; at < rows[i].offset + rows[i].length; at++)
            sum += (unsigned char)(at * 7 + at / 251);
        snprintf(expected, sizeof expected, "body %llu sum %lu", (unsigned long long)rows[i].length,
                 sum);
        assert_answered(&reply, 200);
        ck_assert_msg(strstr(buffer_text(&reply.body), expected) != NULL, "%s, not %s",
                      buffer_text(&reply.body), expected);
        ck_assert_uint_eq(reply.bytes_sent, rows[i].length);
        http_reply_done(&reply);
    }
    ck_assert_uint_eq(loop_bytes_sent(loop), 400002);
    ck_assert_uint_eq(loop_bytes_under_way(loop), 0);
}
END_TEST

START_TEST(put_says_how_long_its_body_is_and_does_not_wait_to_be_asked)
{
    struct http_reply reply;

    fill_file(100000);
    reply = exchange(make_put("/echo", 0, 100000));
    ck_assert_ptr_nonnull(strstr(buffer_text(&reply.body), "\r\nContent-Length: 100000\r\n"));
    ck_assert_ptr_null(strcasestr(buffer_text(&reply.body), "\r\nExpect:"));
    ck_assert_ptr_null(strcasestr(buffer_text(&reply.body), "\r\nTransfer-Encoding:"));
    ck_assert_ptr_null(strcasestr(buffer_text(&reply.body), "\r\nContent-Type:"));
    http_reply_done(&reply);
}
END_TEST

START_TEST(post_sends_what_is_in_memory)
{
    struct http_reply reply = exchange(make_post("/echo", "abc"));

    assert_answered(&reply, 200);
    ck_assert_ptr_nonnull(strstr(buffer_text(&reply.body), "POST /echo"));
    ck_assert_ptr_nonnull(strstr(buffer_text(&reply.body), "body 3 sum 294"));
    ck_assert_ptr_null(strcasestr(buffer_text(&reply.body), "\r\nContent-Type:"));
    ck_assert_uint_eq(reply.bytes_sent, 3);
    http_reply_done(&reply);
}
END_TEST

START_TEST(the_request_s_own_headers_are_sent)
{
    struct http_request request = make_post("/echo", "{}");
    struct http_reply reply;

    ck_assert(http_request_add_header(&request, "Content-Type", "application/json"));
    ck_assert(http_request_add_header(&request, "x-amz-date", "20240423T150405Z"));
    reply = exchange(request);
    ck_assert_ptr_nonnull(
        strstr(buffer_text(&reply.body), "\r\nContent-Type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(buffer_text(&reply.body), "\r\nx-amz-date: 20240423T150405Z\r\n"));
    ck_assert_ptr_nonnull(strstr(buffer_text(&reply.body), "\r\nUser-Agent: jibri-finalize/"));
    http_reply_done(&reply);
}
END_TEST

START_TEST(the_path_is_sent_as_it_is)
{
    struct http_reply reply = exchange(make_request("GET", "/a/../b/./%2e%2e/c%20d?x=%2F"));

    ck_assert_ptr_nonnull(
        strstr(buffer_text(&reply.body), "GET /a/../b/./%2e%2e/c%20d?x=%2F HTTP/1.1\r\n"));
    http_reply_done(&reply);
}
END_TEST

START_TEST(only_the_last_reply_s_headers_count)
{
    struct http_reply reply = exchange(make_request("GET", "/continue"));
    char value[32];

    assert_answered(&reply, 204);
    ck_assert(!http_reply_header(&reply, "X-Of", value, sizeof value));
    ck_assert(http_reply_header(&reply, "X-Last", value, sizeof value));
    http_reply_done(&reply);
}
END_TEST

START_TEST(a_redirect_is_a_reply_and_not_followed)
{
    struct http_reply reply = exchange(make_request("GET", "/redirect"));

    assert_answered(&reply, 301);
    http_reply_done(&reply);
}
END_TEST

START_TEST(many_requests_run_at_once_and_each_gets_its_own_reply)
{
    unsigned seen = 0;

    fill_file(1000);
    for (unsigned i = 1; i <= 20; i++) {
        struct http_request request = make_put("/echo", 0, i);

        start(&request, OWNER, i);
    }
    ck_assert_uint_eq(loop_pending(loop), 20);
    for (unsigned i = 1; i <= 20; i++) {
        struct loop_reply reply = next_reply();

        assert_answered(&reply.http, 200);
        ck_assert_uint_eq(reply.http.bytes_sent, reply.slot);
        ck_assert(!(seen & 1u << reply.slot));
        seen |= 1u << reply.slot;
        http_reply_done(&reply.http);
    }
    ck_assert_uint_eq(loop_pending(loop), 0);
}
END_TEST

/* ---- failures ---------------------------------------------------------------------------------
 */

START_TEST(an_early_error_is_heard_although_the_body_is_not_through)
{
    struct http_reply reply;

    fill_file(1 << 20);
    reply = exchange(make_put("/early", 0, 1 << 20));
    assert_answered(&reply, 403);
    ck_assert_str_eq(buffer_text(&reply.body), "<Error/>");
    http_reply_done(&reply);
}
END_TEST

START_TEST(nobody_listening_is_a_failed_connection)
{
    struct http_request request = make_request("GET", "/echo");
    struct http_reply reply;
    uint16_t free_port;
    char url[64];

    close(listen_somewhere(&free_port)); /* no process has it now */
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", free_port);
    free(request.url);
    request.url = strdup(url);
    reply = exchange(request);
    ck_assert_int_eq(reply.failure, HTTP_FAILED_CONNECT);
    ck_assert_int_eq(reply.status, 0);
    ck_assert_str_ne(reply.detail, "");
    http_reply_done(&reply);
}
END_TEST

START_TEST(a_name_without_an_address_is_told)
{
    struct http_request request = make_request("GET", "/echo");
    struct http_reply reply;

    free(request.url);
    request.url = strdup("http://nowhere.invalid/");
    reply = exchange(request);
    ck_assert_int_eq(reply.failure, HTTP_FAILED_RESOLVE);
    http_reply_done(&reply);
}
END_TEST

static struct http_request make_silent(void)
{
    struct http_request request = make_request("GET", "/echo");

    free(request.url);
    ck_assert_int_gt(asprintf(&request.url, "http://" SILENT_NAME ":%u/echo", (unsigned)port), 0);
    return request;
}

/* Whatever waited for the look-up would wait for ever. */
START_TEST(a_name_that_is_not_resolved_in_time_holds_up_nothing_else)
{
    struct http_request silent = make_silent(), other = make_request("GET", "/echo");
    struct loop_reply reply;

    loop_close(loop);
    settings.s3_connect_timeout_ms = 1 * SECONDS;
    open_loop(0);
    start(&silent, OWNER, 1);
    start(&other, OWNER, 2);
    reply = next_reply();
    ck_assert_uint_eq(reply.slot, 2);
    assert_answered(&reply.http, 200);
    http_reply_done(&reply.http);
    reply = next_reply();
    ck_assert_uint_eq(reply.slot, 1);
    ck_assert_int_eq(reply.http.failure, HTTP_FAILED_RESOLVE);
    ck_assert_ptr_nonnull(strstr(reply.http.detail, "not resolved"));
    http_reply_done(&reply.http);
    ck_assert_uint_eq(loop_pending(loop), 0);
}
END_TEST

/* Before the loop is closed, which does not wait for the look-up either. */
START_TEST(what_was_cancelled_while_its_name_was_looked_up_is_never_sent)
{
    struct http_request request = make_silent();

    start(&request, OWNER, 1);
    for (unsigned i = 0; i < 3; i++)
        ck_assert(loop_wait(loop, 10, &err));
    loop_cancel(loop, OWNER);
    ck_assert_uint_eq(loop_pending(loop), 0);
    if (_i) {
        sem_post(&dns_answers);
        for (unsigned i = 0; i < 30; i++)
            ck_assert(loop_wait(loop, 10, &err));
        ck_assert_uint_eq(session_count, 0);
    }
}
END_TEST

START_TEST(a_byte_now_and_then_is_no_silence)
{
    struct http_request request = make_request("GET", "/slowly");
    struct http_reply reply;

    request.idle_timeout_ms = SLOW_IDLE_MS;
    reply = exchange(request);
    assert_answered(&reply, 200);
    ck_assert_uint_eq(reply.body.length, SLOW_BYTES);
    http_reply_done(&reply);
}
END_TEST

static const struct {
    const char *path;
    bool kept;
} connections[] = {
    {"/status/200", true},  {"/status/404", true},  {"/status/403", true},
    {"/status/500", false}, {"/status/503", false},
};

START_TEST(a_connection_that_brought_a_server_error_is_not_used_again)
{
    struct http_reply reply = exchange(make_request("GET", connections[_i].path));

    http_reply_done(&reply);
    reply = exchange(make_request("GET", "/echo"));
    assert_answered(&reply, 200);
    http_reply_done(&reply);
    ck_assert_uint_eq(session_count, connections[_i].kept ? 1 : 2);
}
END_TEST

START_TEST(what_must_finish_counts_from_when_the_peer_may_act)
{
    struct http_request request = make_post("/silence", "text"), other = make_post("/silence", "x");

    request.must_finish = true;
    start(&request, OWNER, 1);
    start(&other, OWNER, 2);
    ck_assert_uint_eq(loop_must_finish(loop), 0);
    while (posts < 2)
        ck_assert(loop_wait(loop, 10, &err));
    ck_assert_uint_eq(loop_must_finish(loop), 1);
    loop_cancel(loop, OWNER);
    ck_assert_uint_eq(loop_must_finish(loop), 0);
}
END_TEST

START_TEST(a_broken_connection_is_a_failed_transfer)
{
    static const char *const paths[] = {"/reset", "/close", "/short"};

    for (unsigned i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct http_reply reply = exchange(make_post(paths[i], "abc"));

        ck_assert_msg(reply.failure == HTTP_FAILED_TRANSFER, "%s: failure %d", paths[i],
                      reply.failure);
        ck_assert_str_ne(reply.detail, "");
        http_reply_done(&reply);
    }
}
END_TEST

START_TEST(what_does_not_speak_http_1_is_no_failure_of_ours_and_gets_a_hint)
{
    static const char *const paths[] = {"/close", "/other-protocol"};

    for (unsigned i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct http_reply reply = exchange(make_request("GET", paths[i]));

        ck_assert_int_eq(reply.failure, HTTP_FAILED_TRANSFER);
        ck_assert_msg(strstr(reply.detail, "HTTP/2") != NULL, "%s", reply.detail);
        http_reply_done(&reply);
    }
}
END_TEST

/* Requests to https go through CONNECT, those to http are sent to the proxy. */
START_TEST(a_refusal_by_the_proxy_is_told_from_one_by_the_server)
{
    static const struct {
        const char *url; /* NULL: to http, of the status in `path` */
        const char *path;
        enum http_failure failure;
    } rows[] = {
        {"https://status-407/", NULL, HTTP_FAILED_PROXY},
        {"https://status-401/", NULL, HTTP_FAILED_PROXY},
        {"https://status-403/", NULL, HTTP_FAILED_PROXY},
        {"https://status-503/", NULL, HTTP_FAILED_TRANSFER},
        {NULL, "/status/407", HTTP_FAILED_PROXY},
        {NULL, "/status/403", HTTP_OK},
    };
    char proxy[64];

    snprintf(proxy, sizeof proxy, "http://user:wrong@127.0.0.1:%u", port);
    settings.proxy = proxy;
    unsetenv("no_proxy");
    loop_close(loop);
    open_loop(0);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request request = make_request("GET", rows[i].path ? rows[i].path : "/");
        struct http_reply reply;

        if (rows[i].url) {
            free(request.url);
            request.url = strdup(rows[i].url);
        }
        reply = exchange(request);
        ck_assert_msg(
            reply.failure == rows[i].failure ||
                (rows[i].failure == HTTP_FAILED_TRANSFER && reply.failure == HTTP_FAILED_CONNECT),
            "%u: %d %s", i, reply.failure, reply.detail);
        ck_assert_ptr_null(strstr(reply.detail, "wrong"));
        http_reply_done(&reply);
    }
    settings.proxy = NULL;
}
END_TEST

START_TEST(a_server_that_stays_silent_is_given_up)
{
    struct http_request request = make_request("GET", "/silence");
    struct http_reply reply;

    request.idle_timeout_ms = SECONDS;
    reply = exchange(request);
    ck_assert_int_eq(reply.failure, HTTP_FAILED_TIMEOUT);
    ck_assert_int_eq(reply.status, 0);
    http_reply_done(&reply);
}
END_TEST

START_TEST(a_reply_that_is_too_large_is_a_failure)
{
    struct http_reply reply = exchange(make_request("GET", "/large"));

    ck_assert_int_eq(reply.failure, HTTP_FAILED_TOO_LARGE);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_le(reply.body.length, 20000);
    ck_assert_ptr_nonnull(strstr(reply.detail, "20000"));
    http_reply_done(&reply);
}
END_TEST

START_TEST(of_a_long_run_of_white_space_the_beginning_is_kept)
{
    struct http_reply reply = exchange(make_request("GET", "/blanks"));

    ck_assert_msg(reply.failure == HTTP_OK, "%s", reply.detail);
    ck_assert_uint_le(reply.body.length, 3000);
    ck_assert_uint_ge(reply.body.length, 1024);
    ck_assert_int_eq(memcmp(reply.body.data, "<a> ", 4), 0);
    ck_assert_str_eq(buffer_text(&reply.body) + reply.body.length - 4, "</a>");
    http_reply_done(&reply);
}
END_TEST

START_TEST(a_file_that_is_shorter_than_announced_is_our_own_failure)
{
    struct http_reply reply;

    fill_file(1000);
    reply = exchange(make_put("/echo", 0, 1001));
    ck_assert_int_eq(reply.failure, HTTP_FAILED_LOCAL);
    ck_assert_ptr_nonnull(strstr(reply.detail, "shorter"));
    http_reply_done(&reply);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_our_own_failure)
{
    struct http_request request = make_put("/echo", 0, 10);
    struct http_reply reply;

    request.body.fd = -1;
    reply = exchange(request);
    ck_assert_int_eq(reply.failure, HTTP_FAILED_LOCAL);
    http_reply_done(&reply);
}
END_TEST

START_TEST(other_protocols_are_refused)
{
    struct http_request request = make_request("GET", "/echo");
    struct http_reply reply;

    free(request.url);
    request.url = strdup("file:///etc/passwd");
    reply = exchange(request);
    ck_assert_int_eq(reply.failure, HTTP_FAILED_LOCAL);
    ck_assert_uint_eq(reply.body.length, 0);
    http_reply_done(&reply);
}
END_TEST

/* ---- kept connections ------------------------------------------------------------------------ */

START_TEST(a_connection_is_kept_for_the_next_request)
{
    for (unsigned i = 0; i < 3; i++) {
        struct http_reply reply = exchange(make_request("GET", "/echo"));

        assert_answered(&reply, 200);
        http_reply_done(&reply);
    }
    ck_assert_uint_eq(session_count, 1);
}
END_TEST

START_TEST(a_put_is_repeated_on_a_new_connection_when_the_kept_one_is_dead)
{
    struct http_reply reply = exchange(make_request("GET", "/echo"));
    char expected[100];
    unsigned long sum = fill_file(200000);

    http_reply_done(&reply);
    drop_kept_ones = true;
    reply = exchange(make_put("/echo", 0, 200000));
    if (reply.failure == HTTP_OK) { /* curl may also have noticed too late */
        snprintf(expected, sizeof expected, "body 200000 sum %lu", sum);
        ck_assert_ptr_nonnull(strstr(buffer_text(&reply.body), expected));
    } else {
        ck_assert_int_eq(reply.failure, HTTP_FAILED_TRANSFER);
    }
    http_reply_done(&reply);
}
END_TEST

START_TEST(a_post_never_goes_over_a_kept_connection_and_so_is_never_repeated)
{
    struct http_reply reply = exchange(make_request("GET", "/echo"));

    http_reply_done(&reply);
    drop_kept_ones = true;
    reply = exchange(make_post("/echo", "abc"));
    assert_answered(&reply, 200);
    ck_assert_uint_eq(posts, 1);
    http_reply_done(&reply);
    reply = exchange(make_post("/close", "abc"));
    ck_assert_int_eq(reply.failure, HTTP_FAILED_TRANSFER);
    ck_assert_uint_eq(posts, 2);
    http_reply_done(&reply);
}
END_TEST

/* ---- waiting, waking, cancelling ------------------------------------------------------------- */

START_TEST(the_requests_of_an_owner_are_cancelled_and_the_others_go_on)
{
    struct http_request silent = make_request("GET", "/silence");
    struct http_request loud = make_request("GET", "/echo");
    struct loop_reply reply;

    start(&silent, &other_owner, 1);
    start(&loud, OWNER, 2);
    ck_assert(loop_wait(loop, 10, &err));
    loop_cancel(loop, &other_owner);
    ck_assert_uint_eq(loop_pending(loop), 1);
    reply = next_reply();
    ck_assert_ptr_eq(reply.owner, OWNER);
    http_reply_done(&reply.http);
    ck_assert(!loop_collect(loop, &reply));
}
END_TEST

START_TEST(a_reply_that_was_cancelled_before_it_was_collected_does_not_come)
{
    struct http_request request = make_request("GET", "/echo");
    struct loop_reply reply;

    start(&request, OWNER, 1);
    ck_assert(loop_wait(loop, 20 * SECONDS, &err)); /* it has ended */
    loop_cancel(loop, OWNER);
    ck_assert(!loop_collect(loop, &reply));
    ck_assert_uint_eq(loop_pending(loop), 0);
}
END_TEST

START_TEST(closing_cancels_what_is_under_way)
{
    struct http_request request = make_request("GET", "/silence");

    start(&request, OWNER, 1);
    ck_assert(loop_wait(loop, 10, &err));
    loop_close(loop);
    loop = NULL;
}
END_TEST

static void *wake_it(void *context)
{
    loop_wake(context);
    return NULL;
}

START_TEST(another_thread_wakes_it)
{
    struct http_request request = make_request("GET", "/silence");
    pthread_t thread;

    start(&request, OWNER, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, wake_it, loop), 0);
    ck_assert(loop_wait(loop, 3600 * SECONDS, &err)); /* else the test runs into its time limit */
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_wake_that_came_before_the_wait_is_not_lost)
{
    loop_wake(loop);
    ck_assert(loop_wait(loop, 3600 * SECONDS, &err));
}
END_TEST

START_TEST(a_readable_descriptor_wakes_it)
{
    uint64_t one = 1;
    int wake_fd = eventfd(0, EFD_CLOEXEC);

    loop_close(loop);
    stop.fd = wake_fd;
    open_loop(0);
    ck_assert_int_eq(write(wake_fd, &one, sizeof one), sizeof one);
    ck_assert(loop_wait(loop, 3600 * SECONDS, &err));
    close(wake_fd);
}
END_TEST

START_TEST(without_an_end_it_waits_as_long_as_it_is_told)
{
    struct http_request request = make_request("GET", "/silence");
    uint64_t began_ms = clock_now_ms();

    start(&request, OWNER, 1);
    ck_assert(loop_wait(loop, 50, &err));
    ck_assert_uint_ge(clock_now_ms() - began_ms, 50);
    ck_assert_uint_eq(loop_pending(loop), 1);
}
END_TEST

START_TEST(one_exchange_brings_its_reply)
{
    struct http_request request = make_request("GET", "/echo");
    struct http_reply reply;

    loop_exchange(loop, &request, clock_now_ms() + 20 * SECONDS, &reply);
    assert_answered(&reply, 200);
    ck_assert_uint_gt(reply.body.length, 0);
    http_reply_done(&reply);
}
END_TEST

START_TEST(one_exchange_without_a_reply_ends_at_its_deadline)
{
    struct http_request request = make_request("GET", "/silence");
    struct http_reply reply;

    loop_exchange(loop, &request, clock_now_ms() + 50, &reply);
    ck_assert_int_eq(reply.failure, HTTP_FAILED_TIMEOUT);
    ck_assert_uint_eq(loop_pending(loop), 0);
    http_reply_done(&reply);
}
END_TEST

/* As a program does on SIGTERM: the descriptor stays readable. */
static bool on_stop_requested(void *context)
{
    const int *asked_fd = context;
    struct pollfd fd = {.fd = *asked_fd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

START_TEST(one_exchange_ends_when_a_stop_is_requested)
{
    struct http_request request = make_request("GET", "/silence");
    int asked_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t one = 1, began_ms = clock_now_ms();
    struct http_reply reply;

    loop_close(loop);
    stop = (struct loop_stop){.fd = asked_fd, .requested = on_stop_requested, .context = &asked_fd};
    open_loop(0);
    ck_assert_int_eq(write(asked_fd, &one, sizeof one), sizeof one);
    loop_exchange(loop, &request, clock_now_ms() + 20 * SECONDS, &reply);
    ck_assert_int_eq(reply.failure, HTTP_FAILED_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(reply.detail, "stopped"));
    ck_assert_uint_lt(clock_now_ms() - began_ms, 10 * SECONDS);
    http_reply_done(&reply);
    close(asked_fd);
}
END_TEST

START_TEST(with_a_rate_limit_everything_still_arrives_and_not_at_once)
{
    unsigned long sum = fill_file(300000);
    uint64_t began_ms;

    loop_close(loop);
    open_loop(2000000);
    began_ms = clock_now_ms();
    for (unsigned i = 1; i <= 3; i++) {
        struct http_request request = make_put("/echo", 0, 300000);

        start(&request, OWNER, i);
    }
    for (unsigned i = 1; i <= 3; i++) {
        struct loop_reply reply = next_reply();
        char expected[100];

        snprintf(expected, sizeof expected, "body 300000 sum %lu", sum);
        assert_answered(&reply.http, 200);
        ck_assert_ptr_nonnull(strstr(buffer_text(&reply.http.body), expected));
        http_reply_done(&reply.http);
    }
    ck_assert_uint_eq(loop_bytes_sent(loop), 900000);
    ck_assert_uint_ge(clock_now_ms() - began_ms, 400); /* 450 ms' worth of bytes: never sooner */
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *plain = tcase_create("requests and replies");
    TCase *failures = tcase_create("failures");
    TCase *kept = tcase_create("kept connections");
    TCase *waiting = tcase_create("waiting, waking, cancelling");
    TCase *all[] = {plain, failures, kept, waiting};

    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        tcase_add_checked_fixture(all[i], set_up, tear_down);
        suite_add_tcase(suite, all[i]);
    }
    tcase_add_test(plain, get_brings_status_headers_and_body);
    tcase_add_test(plain, head_brings_the_headers_of_a_body_that_does_not_come);
    tcase_add_test(plain, delete_is_sent_without_a_body);
    tcase_add_test(plain, put_sends_a_range_of_a_file);
    tcase_add_test(plain, put_says_how_long_its_body_is_and_does_not_wait_to_be_asked);
    tcase_add_test(plain, post_sends_what_is_in_memory);
    tcase_add_test(plain, the_request_s_own_headers_are_sent);
    tcase_add_test(plain, the_path_is_sent_as_it_is);
    tcase_add_test(plain, only_the_last_reply_s_headers_count);
    tcase_add_test(plain, a_redirect_is_a_reply_and_not_followed);
    tcase_add_test(plain, many_requests_run_at_once_and_each_gets_its_own_reply);
    tcase_add_test(failures, an_early_error_is_heard_although_the_body_is_not_through);
    tcase_add_test(failures, nobody_listening_is_a_failed_connection);
    tcase_add_test(failures, a_name_without_an_address_is_told);
    tcase_add_test(failures, a_name_that_is_not_resolved_in_time_holds_up_nothing_else);
    tcase_add_loop_test(failures, what_was_cancelled_while_its_name_was_looked_up_is_never_sent, 0,
                        2);
    tcase_add_test(failures, a_byte_now_and_then_is_no_silence);
    tcase_add_test(failures, a_broken_connection_is_a_failed_transfer);
    tcase_add_test(failures, a_server_that_stays_silent_is_given_up);
    tcase_add_test(failures, what_does_not_speak_http_1_is_no_failure_of_ours_and_gets_a_hint);
    tcase_add_test(failures, a_refusal_by_the_proxy_is_told_from_one_by_the_server);
    tcase_add_test(failures, a_reply_that_is_too_large_is_a_failure);
    tcase_add_test(failures, of_a_long_run_of_white_space_the_beginning_is_kept);
    tcase_add_test(failures, a_file_that_is_shorter_than_announced_is_our_own_failure);
    tcase_add_test(failures, a_file_that_cannot_be_read_is_our_own_failure);
    tcase_add_test(failures, other_protocols_are_refused);
    tcase_add_test(kept, a_connection_is_kept_for_the_next_request);
    tcase_add_test(kept, a_put_is_repeated_on_a_new_connection_when_the_kept_one_is_dead);
    tcase_add_test(kept, a_post_never_goes_over_a_kept_connection_and_so_is_never_repeated);
    tcase_add_loop_test(kept, a_connection_that_brought_a_server_error_is_not_used_again, 0,
                        sizeof connections / sizeof connections[0]);
    tcase_add_test(waiting, what_must_finish_counts_from_when_the_peer_may_act);
    tcase_add_test(waiting, the_requests_of_an_owner_are_cancelled_and_the_others_go_on);
    tcase_add_test(waiting, a_reply_that_was_cancelled_before_it_was_collected_does_not_come);
    tcase_add_test(waiting, closing_cancels_what_is_under_way);
    tcase_add_test(waiting, another_thread_wakes_it);
    tcase_add_test(waiting, a_wake_that_came_before_the_wait_is_not_lost);
    tcase_add_test(waiting, a_readable_descriptor_wakes_it);
    tcase_add_test(waiting, without_an_end_it_waits_as_long_as_it_is_told);
    tcase_add_test(waiting, one_exchange_brings_its_reply);
    tcase_add_test(waiting, one_exchange_without_a_reply_ends_at_its_deadline);
    tcase_add_test(waiting, one_exchange_ends_when_a_stop_is_requested);
    tcase_add_test(waiting, with_a_rate_limit_everything_still_arrives_and_not_at_once);
    return suite;
}

int main(void)
{
    return unit_run(make_suite());
}
