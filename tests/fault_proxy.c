/*
 * fault-proxy - stands between a client and an S3 server, and lets chosen requests go wrong.
 *
 *   fault-proxy --upstream PORT --log FILE [--port N] [--fault OPERATION:WHICH:FAULT]...
 *               [--tls CERTIFICATE KEY] [--tls-most 1.1]
 *
 * Listens on 127.0.0.1 and hands each request, byte for byte (its Host header is signed), to
 * 127.0.0.1:PORT, and the reply back. OPERATION, WHICH and FAULT: see fault_rules.h and the table
 * in fault_rules.c. Prints "port=N" when it is ready, and ends on SIGTERM. SIGUSR1 ends all faults.
 *
 * --log gets a line for each request, when it has ended; times are ms since the start:
 *
 *   began ended operation number part upload-id body-bytes status fault under-way region
 *
 * `number` counts the requests of the operation, `status` is 0 when there was no reply,
 * `under-way` counts the requests that were, when this one began, itself among them, `region` is
 * what the request was signed for; "-" and 0 stand for nothing. A second listener, the "other host"
 * of redirects, logs what it gets as the operation "elsewhere"; there is to be no such line.
 */
#include "tests/fault_rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_SIZE      32768u
#define REPLY_SIZE     (4u * 1024 * 1024)
#define CHUNK_BYTES    65536u
#define HUGE_BYTES     (100u * 1024 * 1024)
#define DRIPPED_BYTES  25u
#define MAX_VANISHED   8u
#define UPLOAD_ID_SIZE 256u
#define RESET_AFTER    49152u /* bytes of a request's body */

struct peer {
    int fd;
    SSL *ssl;
    char buffer[CHUNK_BYTES];
    size_t position, length; /* of what was read and not yet taken */
};

struct request {
    char head[HEAD_SIZE]; /* with the empty line at its end */
    size_t head_length;
    char method[16];
    const char *operation;
    unsigned number;
    unsigned part;
    unsigned under_way;
    char upload_id[UPLOAD_ID_SIZE];
    char region[64];
    uint64_t body_length, body_taken;
    long began_ms;
    int status; /* what the client was answered */
    const struct fault *fault;
};

struct reply {
    char *bytes; /* head and body, as they came */
    size_t length, head_length;
    int status;
    bool ends_connection;
};

static int upstream_port, elsewhere_port;
static int log_fd = -1;
static SSL_CTX *tls;
static volatile sig_atomic_t healed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the rules, and these: */
static unsigned under_way;
static char vanished[MAX_VANISHED][UPLOAD_ID_SIZE];
static unsigned vanished_count;

_Noreturn static void die(const char *what, const char *detail)
{
    fprintf(stderr, "fault-proxy: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

static void *not_null(void *pointer)
{
    if (!pointer)
        die("no memory", strerror(ENOMEM));
    return pointer;
}

static long now_ms(void)
{
    static struct timespec start;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!start.tv_sec)
        start = now;
    return (long)(now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static ssize_t read_some(struct peer *peer, char *out, size_t size)
{
    ssize_t got;

    if (peer->position < peer->length) {
        size_t have = peer->length - peer->position;

        size = size < have ? size : have;
        memcpy(out, peer->buffer + peer->position, size);
        peer->position += size;
        return (ssize_t)size;
    }
    do
        got = peer->ssl ? SSL_read(peer->ssl, out, (int)size) : recv(peer->fd, out, size, 0);
    while (got < 0 && !peer->ssl && errno == EINTR);
    return got;
}

/* For what is not taken after all. */
static void put_back(struct peer *peer, const char *bytes, size_t length)
{
    memcpy(peer->buffer, bytes, length);
    peer->position = 0;
    peer->length = length;
}

static bool write_all(struct peer *peer, const char *bytes, size_t length)
{
    while (length) {
        ssize_t sent = peer->ssl ? SSL_write(peer->ssl, bytes, (int)length)
                                 : send(peer->fd, bytes, length, MSG_NOSIGNAL);

        if (sent < 0 && !peer->ssl && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* Makes the close of the connection a reset (RST), as when a process or a middlebox dies. */
static void reset_on_close(const struct peer *peer)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void wait_for_the_end_of(const struct peer *peer)
{
    struct pollfd poll_fd = {.fd = peer->fd, .events = POLLRDHUP};

    while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
        continue;
}

/*
 * Reads a head with its empty line to `head`, and ends it by NUL; what comes after it stays to be
 * read. Returns its length, or 0.
 */
static size_t read_head(struct peer *peer, char *head)
{
    size_t length = 0;

    while (length < HEAD_SIZE - 1) {
        ssize_t got = read_some(peer, head + length, HEAD_SIZE - 1 - length);
        char *end;

        if (got <= 0)
            return 0;
        length += (size_t)got;
        end = memmem(head, length, "\r\n\r\n", 4);
        if (end) {
            size_t head_length = (size_t)(end - head) + 4;

            put_back(peer, end + 4, length - head_length);
            *(end + 4) = 0;
            return head_length;
        }
    }
    return 0;
}

/* The value of a header, or of a name in a query; "" when there is none. */
static void find_value(const char *text, const char *name, const char *ends, char *out, size_t size)
{
    const char *found = strcasestr(text, name);
    size_t length;

    *out = 0;
    if (!found)
        return;
    found += strlen(name);
    found += strspn(found, " ");
    length = strcspn(found, ends);
    snprintf(out, size, "%.*s", (int)length, found);
}

static uint64_t find_number(const char *text, const char *name)
{
    char value[32];

    find_value(text, name, "\r& ", value, sizeof value);
    return strtoull(value, NULL, 10);
}

/* ---- the server's side ---------------------------------------------------------------------- */

static struct peer *connect_upstream(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)upstream_port)};
    struct peer *peer = not_null(calloc(1, sizeof *peer));

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&address, sizeof address) != 0)
        reset_on_close(peer);
    return peer;
}

static void close_peer(struct peer *peer)
{
    if (!peer)
        return;
    if (peer->fd >= 0)
        close(peer->fd);
    SSL_free(peer->ssl);
    free(peer);
}

/* Reads `length` bytes more into the reply. */
static bool read_exactly(struct peer *peer, struct reply *reply, size_t length)
{
    while (length && reply->length < REPLY_SIZE) {
        size_t room = REPLY_SIZE - reply->length;
        ssize_t got = read_some(peer, reply->bytes + reply->length, length < room ? length : room);

        if (got <= 0)
            return false;
        reply->length += (size_t)got;
        length -= (size_t)got;
    }
    return !length;
}

static bool read_line(struct peer *peer, struct reply *reply, size_t *ret_begin)
{
    *ret_begin = reply->length;
    do
        if (!read_exactly(peer, reply, 1))
            return false;
    while (reply->bytes[reply->length - 1] != '\n');
    reply->bytes[reply->length] = 0;
    return true;
}

static bool read_chunks(struct peer *peer, struct reply *reply)
{
    size_t begin, length;

    do {
        if (!read_line(peer, reply, &begin))
            return false;
        length = strtoul(reply->bytes + begin, NULL, 16);
        if (!read_exactly(peer, reply, length + 2))
            return false;
    } while (length);
    return true;
}

static bool read_reply(struct peer *peer, const struct request *request, struct reply *reply)
{
    char coding[32];

    reply->bytes = not_null(malloc(REPLY_SIZE + 1));
    reply->length = reply->head_length = read_head(peer, reply->bytes);
    if (!reply->length)
        return false;
    reply->status = atoi(reply->bytes + strcspn(reply->bytes, " "));
    reply->ends_connection = strcasestr(reply->bytes, "\r\nConnection: close") != NULL;
    if (!strcmp(request->method, "HEAD") || reply->status == 204 || reply->status == 304)
        return true;
    find_value(reply->bytes, "\r\nTransfer-Encoding:", "\r", coding, sizeof coding);
    if (!strcasecmp(coding, "chunked"))
        return read_chunks(peer, reply);
    return read_exactly(peer, reply, find_number(reply->bytes, "\r\nContent-Length:"));
}

/* Takes `most` bytes of the request's body, and hands them on to `to` unless that is NULL. */
static bool take_body(struct peer *from, struct peer *to, struct request *request, uint64_t most)
{
    char bytes[CHUNK_BYTES];

    while (request->body_taken < most) {
        uint64_t left = most - request->body_taken;
        ssize_t got = read_some(from, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes);

        if (got <= 0)
            return false;
        request->body_taken += (uint64_t)got;
        if (to && !write_all(to, bytes, (size_t)got))
            to = NULL; /* its reply, if there is one, says why */
    }
    return true;
}

/* ---- the client's side: made-up replies ------------------------------------------------------ */

static bool write_noise(struct peer *client, size_t length)
{
    char noise[CHUNK_BYTES];
    uint32_t state = 1;

    for (size_t i = 0; i < sizeof noise; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = (char)(state >> 24);
    }
    while (length) {
        size_t some = length < sizeof noise ? length : sizeof noise;

        if (!write_all(client, noise, some))
            return false;
        length -= some;
    }
    return true;
}

static size_t write_error_xml(const struct fault *fault, char *out, size_t size)
{
    bool region = fault->header && strstr(fault->header, "region");

    return (size_t)snprintf(
        out, size,
        "%s<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message>"
        "%s<RequestId>fault</RequestId></Error>",
        fault->late ? "\n   \n   " : "", fault->code,
        fault->empty_message ? "" : "This went wrong, as was asked.",
        region ? "<Region>eu-north-9</Region>" : "");
}

static bool answer(struct peer *client, struct request *request, const struct fault *fault)
{
    static const char html[] = "<html><head><title>Sorry</title></head><body><p>Back soon.<br>\n"
                               "<img src=x></body></html>\n";
    char body[1024] = "", head[1024], header[256] = "", other_host[64], date[64];
    size_t length = 0;
    time_t now = time(NULL);
    struct tm tm;
    int head_length;

    if (fault->body == FAULT_BODY_XML)
        length = write_error_xml(fault, body, sizeof body);
    else if (fault->body == FAULT_BODY_HTML)
        length = (size_t)snprintf(body, sizeof body, "%s", html);
    else if (fault->body != FAULT_BODY_NONE)
        length = fault->body == FAULT_BODY_HUGE ? HUGE_BYTES : 5000;
    snprintf(other_host, sizeof other_host, "localhost:%d", elsewhere_port);
    if (fault->header) {
        const char *hole = strstr(fault->header, "%s");

        snprintf(header, sizeof header, "%.*s%s%s\r\n",
                 hole ? (int)(hole - fault->header) : (int)strlen(fault->header), fault->header,
                 hole ? other_host : "", hole ? hole + 2 : "");
    }
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    head_length = snprintf(head, sizeof head,
                           "HTTP/1.1 %d Fault\r\nDate: %s\r\nContent-Type: application/xml\r\n"
                           "%sContent-Length: %zu\r\n\r\n",
                           fault->status, date, header, length);
    request->status = fault->status;
    if (!write_all(client, head, (size_t)head_length) || !strcmp(request->method, "HEAD"))
        return true;
    if (fault->body == FAULT_BODY_HUGE || fault->body == FAULT_BODY_NOISE)
        return write_noise(client, length);
    return write_all(client, body, length);
}

/* ---- the client's side: spoilt replies ------------------------------------------------------- */

static bool drip(struct peer *client, const struct reply *reply)
{
    size_t dripped = reply->length < DRIPPED_BYTES ? reply->length : DRIPPED_BYTES;

    for (size_t i = 0; i < dripped; i++) {
        const struct timespec pause = {.tv_nsec = 100000000};

        if (!write_all(client, reply->bytes + i, 1))
            return false;
        nanosleep(&pause, NULL);
    }
    return write_all(client, reply->bytes + dripped, reply->length - dripped);
}

static void change_etag(struct reply *reply)
{
    char *etag;

    reply->bytes[reply->length] = 0;
    etag = strcasestr(reply->bytes, "\r\nETag: \"");
    if (etag)
        memcpy(etag + 9, "00000000", 8);
}

/* How much of the reply a cut leaves. */
static size_t half_of(const struct reply *reply, bool within_headers)
{
    const char *length_line = strcasestr(reply->bytes, "\r\nContent-Length:");

    if (!within_headers && reply->length > reply->head_length)
        return reply->head_length + (reply->length - reply->head_length) / 2;
    /* After the length, which is what a HEAD is about, and before all that comes later. */
    if (length_line && length_line < reply->bytes + reply->head_length / 2)
        return (size_t)(strstr(length_line + 2, "\r\n") - reply->bytes) + 2;
    return reply->head_length / 2;
}

/* Returns whether the connection goes on. */
static bool hand_back(struct peer *client, struct request *request, struct reply *reply)
{
    enum fault_action action = request->fault ? request->fault->action : FAULT_ANSWER;
    size_t half = half_of(reply, action == FAULT_CUT_HEADERS);

    switch (action) {
    case FAULT_LOSE:
        reset_on_close(client);
        return false;
    case FAULT_LOSE_QUIETLY:
        wait_for_the_end_of(client);
        return false;
    case FAULT_CUT:
    case FAULT_CUT_HEADERS:
        (void)write_all(client, reply->bytes, half);
        return false;
    case FAULT_RESET_REPLY: {
        const struct timespec pause = {.tv_nsec = 50000000};

        (void)write_all(client, reply->bytes, half);
        nanosleep(&pause, NULL); /* else the client may see the reset alone */
        reset_on_close(client);
        return false;
    }
    case FAULT_HALF:
        (void)write_all(client, reply->bytes, half);
        wait_for_the_end_of(client);
        return false;
    case FAULT_DRIP:
        request->status = reply->status;
        return drip(client, reply) && !reply->ends_connection;
    case FAULT_OTHER_ETAG:
        change_etag(reply);
        break;
    case FAULT_ANSWER_ANYWAY:
        return answer(client, request, request->fault);
    default:
        break;
    }
    request->status = reply->status;
    return write_all(client, reply->bytes, reply->length) && !reply->ends_connection;
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool has_vanished(const char *upload_id)
{
    for (unsigned i = 0; i < vanished_count; i++)
        if (!strcmp(vanished[i], upload_id))
            return true;
    return false;
}

static void choose_fault(struct request *request)
{
    pthread_mutex_lock(&lock);
    request->under_way = ++under_way;
    if (healed)
        fault_clear_rules();
    request->fault = fault_of_next(request->operation, &request->number);
    if (!healed && request->fault && request->fault->action == FAULT_VANISH &&
        vanished_count < MAX_VANISHED)
        memcpy(vanished[vanished_count++], request->upload_id, UPLOAD_ID_SIZE);
    if (*request->upload_id && has_vanished(request->upload_id))
        request->fault = fault_find("vanished");
    pthread_mutex_unlock(&lock);
}

static bool read_request(struct peer *client, struct request *request)
{
    char target[4096], *query, credential[256];

    *request = (struct request){0};
    request->head_length = read_head(client, request->head);
    if (!request->head_length || sscanf(request->head, "%15s %4095s", request->method, target) != 2)
        return false;
    request->began_ms = now_ms();
    query = target + strcspn(target, "?");
    request->operation = fault_operation(request->method, *query ? query + 1 : query);
    request->part = (unsigned)find_number(query, "partNumber=");
    find_value(query, "uploadId=", "&", request->upload_id, sizeof request->upload_id);
    request->body_length = find_number(request->head, "\r\nContent-Length:");
    /* KEY/DATE/REGION/s3/aws4_request */
    find_value(request->head, "Credential=", ",\r", credential, sizeof credential);
    if (sscanf(credential, "%*[^/]/%*[^/]/%63[^/]", request->region) != 1)
        *request->region = 0;
    choose_fault(request);
    return true;
}

static void log_request(const struct request *request)
{
    char line[1024];
    int length = snprintf(line, sizeof line, "%ld %ld %s %u %u %s %llu %d %s %u %s\n",
                          request->began_ms, now_ms(), request->operation, request->number,
                          request->part, *request->upload_id ? request->upload_id : "-",
                          (unsigned long long)request->body_taken, request->status,
                          request->fault ? request->fault->name : "-", request->under_way,
                          *request->region ? request->region : "-");

    if (write(log_fd, line, (size_t)length) != length)
        die("the log", strerror(errno));
}

/* Hands the request to the server and its reply, spoilt or not, to the client. */
static bool forward(struct peer *client, struct request *request)
{
    struct peer *server = connect_upstream();
    struct reply reply = {0};
    bool ok = write_all(server, request->head, request->head_length) &&
              take_body(client, server, request, request->body_length) &&
              read_reply(server, request, &reply);

    if (ok)
        ok = hand_back(client, request, &reply);
    else
        reset_on_close(client);
    free(reply.bytes);
    close_peer(server);
    return ok;
}

static bool carry_out(struct peer *client, struct request *request)
{
    if (!request->fault || request->fault->action >= FAULT_LOSE)
        return forward(client, request);
    if (request->fault->action == FAULT_RESET_REQUEST) {
        uint64_t half = request->body_length / 2;

        (void)take_body(client, NULL, request, half < RESET_AFTER ? half : RESET_AFTER);
        reset_on_close(client);
        return false;
    }
    if (!take_body(client, NULL, request, request->body_length))
        return false;
    if (request->fault->action == FAULT_DROP) {
        reset_on_close(client);
        return false;
    }
    if (request->fault->action == FAULT_HANG) {
        wait_for_the_end_of(client);
        return false;
    }
    return answer(client, request, request->fault);
}

static void *serve(void *argument)
{
    struct peer *client = argument;
    struct request *request = not_null(malloc(sizeof *request));
    bool going = true;

    if (tls) {
        client->ssl = not_null(SSL_new(tls));
        going = SSL_set_fd(client->ssl, client->fd) == 1 && SSL_accept(client->ssl) == 1;
    }
    while (going && read_request(client, request)) {
        going = carry_out(client, request);
        log_request(request);
        pthread_mutex_lock(&lock);
        under_way--;
        pthread_mutex_unlock(&lock);
    }
    close_peer(client);
    free(request);
    return NULL;
}

/* The other host: nothing is to come here, and least of all a signature. */
static void *serve_elsewhere(void *argument)
{
    struct peer *client = argument;
    char *head = not_null(calloc(1, HEAD_SIZE));
    struct request request = {.operation = "elsewhere", .began_ms = now_ms()};

    (void)read_head(client, head);
    if (strcasestr(head, "\r\nAuthorization:"))
        snprintf(request.region, sizeof request.region, "signed");
    log_request(&request);
    close_peer(client);
    free(head);
    return NULL;
}

/* ---- listening ------------------------------------------------------------------------------- */

static int listen_on(int port, int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 256) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        die("cannot listen", strerror(errno));
    *ret_port = ntohs(address.sin_port);
    return fd;
}

struct listener {
    int fd;
    void *(*serve)(void *);
};

static void *accept_all(void *argument)
{
    struct listener *listener = argument;

    for (;;) {
        struct peer *client = not_null(calloc(1, sizeof *client));
        pthread_t thread;
        int one = 1;

        do
            client->fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        while (client->fd < 0 && (errno == EINTR || errno == ECONNABORTED));
        if (client->fd < 0)
            die("cannot accept", strerror(errno));
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (pthread_create(&thread, NULL, listener->serve, client))
            die("no thread", strerror(errno));
        pthread_detach(thread);
    }
    return NULL;
}

static void on_heal(int signal_number)
{
    (void)signal_number;
    healed = 1;
}

static void open_tls(const char *certificate, const char *key, const char *most)
{
    tls = SSL_CTX_new(TLS_server_method());
    if (!tls || SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        die("cannot use", certificate);
    if (!most)
        return;
    /* OpenSSL offers what is that old at security level 0 alone. */
    if (strcmp(most, "1.1") != 0 || SSL_CTX_set_cipher_list(tls, "ALL:@SECLEVEL=0") != 1 ||
        SSL_CTX_set_min_proto_version(tls, TLS1_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION) != 1)
        die("cannot limit TLS to", most);
}

int main(int argc, char **argv)
{
    const char *certificate = NULL, *key = NULL, *tls_most = NULL, *log_name = NULL;
    static struct listener here = {.serve = serve}, elsewhere = {.serve = serve_elsewhere};
    struct sigaction heal = {.sa_handler = on_heal, .sa_flags = SA_RESTART};
    pthread_t thread;
    int port = 0;

    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        int left = argc - i - 1;

        if (!strcmp(option, "--upstream") && left)
            upstream_port = atoi(argv[++i]);
        else if (!strcmp(option, "--port") && left)
            port = atoi(argv[++i]);
        else if (!strcmp(option, "--log") && left)
            log_name = argv[++i];
        else if (!strcmp(option, "--tls-most") && left)
            tls_most = argv[++i];
        else if (!strcmp(option, "--tls") && left >= 2)
            certificate = argv[++i], key = argv[++i];
        else if (strcmp(option, "--fault") != 0 || !left || !fault_add_rule(argv[++i]))
            die("not understood", argv[i]);
    }
    if (!upstream_port || !log_name)
        die("missing", "--upstream or --log");
    log_fd = open(log_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log_fd < 0)
        die(log_name, strerror(errno));
    if (certificate)
        open_tls(certificate, key, tls_most);
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGUSR1, &heal, NULL);
    now_ms();
    elsewhere.fd = listen_on(0, &elsewhere_port);
    here.fd = listen_on(port, &port);
    if (pthread_create(&thread, NULL, accept_all, &elsewhere))
        die("no thread", strerror(errno));
    printf("port=%d\n", port);
    fflush(stdout);
    accept_all(&here);
}
