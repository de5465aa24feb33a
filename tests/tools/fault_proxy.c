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
#include "tests/tools/fault_reply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_VANISHED   8u
#define UPLOAD_ID_SIZE 256u
#define RESET_AFTER    49152u /* bytes of a request's body */
#define REFUSE_MS      700

struct request {
    char head[PEER_HEAD_SIZE]; /* with the empty line at its end */
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

struct listener {
    int fd, port;
    atomic_bool refusing; /* its socket is shut, and is to be made again */
    void *(*serve)(void *);
};

static void *serve(void *argument);
static void *serve_elsewhere(void *argument);

static struct listener here = {.serve = serve}, elsewhere = {.serve = serve_elsewhere};
static int upstream_port;
static int log_fd = -1;
static SSL_CTX *tls;
static volatile sig_atomic_t healed;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the rules, and these: */
static unsigned under_way;
static char vanished[MAX_VANISHED][UPLOAD_ID_SIZE];
static unsigned vanished_count;

static long now_ms(void)
{
    static struct timespec start;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!start.tv_sec)
        start = now;
    return (long)(now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
}

/* Takes `most` bytes of the request's body, and hands them on to `to` unless that is NULL. */
static bool take_body(struct peer *from, struct peer *to, struct request *request, uint64_t most)
{
    char bytes[PEER_CHUNK_BYTES];

    while (request->body_taken < most) {
        uint64_t left = most - request->body_taken;
        ssize_t got = peer_read(from, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes);

        if (got <= 0)
            return false;
        request->body_taken += (uint64_t)got;
        if (to && !peer_write(to, bytes, (size_t)got))
            to = NULL; /* its reply, if there is one, says why */
    }
    return true;
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
    request->head_length = peer_read_head(client, request->head);
    if (!request->head_length || sscanf(request->head, "%15s %4095s", request->method, target) != 2)
        return false;
    request->began_ms = now_ms();
    query = target + strcspn(target, "?");
    request->operation = fault_operation(request->method, *query ? query + 1 : query);
    request->part = (unsigned)peer_find_number(query, "partNumber=");
    peer_find_value(query, "uploadId=", "&", request->upload_id, sizeof request->upload_id);
    request->body_length = peer_find_number(request->head, "\r\nContent-Length:");
    /* KEY/DATE/REGION/s3/aws4_request */
    peer_find_value(request->head, "Credential=", ",\r", credential, sizeof credential);
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
        peer_die("the log", strerror(errno));
}

static bool make_up(struct peer *client, struct request *request)
{
    return reply_make_up(client, request->method, request->fault, elsewhere.port, &request->status);
}

/* Hands the request to the server and its reply, spoilt or not, to the client. */
static bool forward(struct peer *client, struct request *request)
{
    struct peer *server = peer_connect(upstream_port);
    struct reply reply = {0};
    bool ok = peer_write(server, request->head, request->head_length) &&
              take_body(client, server, request, request->body_length) &&
              reply_read(server, request->method, &reply);

    if (ok)
        ok = request->fault && request->fault->action == FAULT_ANSWER_ANYWAY
                 ? make_up(client, request)
                 : reply_hand_back(client, request->fault, &reply, &request->status);
    else
        peer_reset_on_close(client);
    free(reply.bytes);
    peer_close(server);
    return ok;
}

static bool carry_out(struct peer *client, struct request *request)
{
    if (!request->fault || request->fault->action >= FAULT_LOSE)
        return forward(client, request);
    if (request->fault->action == FAULT_RESET_REQUEST) {
        uint64_t half = request->body_length / 2;

        (void)take_body(client, NULL, request, half < RESET_AFTER ? half : RESET_AFTER);
        peer_reset_on_close(client);
        return false;
    }
    if (!take_body(client, NULL, request, request->body_length))
        return false;
    if (request->fault->action == FAULT_REFUSE) {
        atomic_store(&here.refusing, true);
        shutdown(here.fd, SHUT_RDWR); /* wakes who accepts */
    }
    if (request->fault->action == FAULT_DROP || request->fault->action == FAULT_REFUSE) {
        peer_reset_on_close(client);
        return false;
    }
    if (request->fault->action == FAULT_HANG) {
        peer_wait_for_end(client);
        return false;
    }
    return make_up(client, request);
}

static void *serve(void *argument)
{
    struct peer *client = argument;
    struct request *request = peer_not_null(malloc(sizeof *request));
    bool going = true;

    if (tls) {
        client->ssl = peer_not_null(SSL_new(tls));
        going = SSL_set_fd(client->ssl, client->fd) == 1 && SSL_accept(client->ssl) == 1;
    }
    while (going && read_request(client, request)) {
        going = carry_out(client, request);
        log_request(request);
        pthread_mutex_lock(&lock);
        under_way--;
        pthread_mutex_unlock(&lock);
    }
    peer_close(client);
    free(request);
    return NULL;
}

/* The other host: nothing is to come here, and least of all a signature. */
static void *serve_elsewhere(void *argument)
{
    struct peer *client = argument;
    char *head = peer_not_null(calloc(1, PEER_HEAD_SIZE));
    struct request request = {.operation = "elsewhere", .began_ms = now_ms()};

    (void)peer_read_head(client, head);
    if (strcasestr(head, "\r\nAuthorization:"))
        snprintf(request.region, sizeof request.region, "signed");
    log_request(&request);
    peer_close(client);
    free(head);
    return NULL;
}

/* ---- listening ------------------------------------------------------------------------------- */

static void listen_on(struct listener *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)listener->port)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 256) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        peer_die("cannot listen", strerror(errno));
    listener->port = ntohs(address.sin_port);
    listener->fd = fd;
}

/* No process listens for a while. */
static void refuse_connections(struct listener *listener)
{
    const struct timespec pause = {.tv_nsec = REFUSE_MS * 1000000L};

    close(listener->fd);
    nanosleep(&pause, NULL);
    listen_on(listener);
}

static void *accept_all(void *argument)
{
    struct listener *listener = argument;

    for (;;) {
        struct peer *client = peer_not_null(calloc(1, sizeof *client));
        pthread_t thread;
        int one = 1;

        do
            client->fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        while (client->fd < 0 && (errno == EINTR || errno == ECONNABORTED));
        if (client->fd < 0 && atomic_exchange(&listener->refusing, false)) {
            free(client);
            refuse_connections(listener);
            continue;
        }
        if (client->fd < 0)
            peer_die("cannot accept", strerror(errno));
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (pthread_create(&thread, NULL, listener->serve, client))
            peer_die("no thread", strerror(errno));
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
        peer_die("cannot use", certificate);
    if (!most)
        return;
    /* OpenSSL offers what is that old at security level 0 alone. */
    if (strcmp(most, "1.1") != 0 || SSL_CTX_set_cipher_list(tls, "ALL:@SECLEVEL=0") != 1 ||
        SSL_CTX_set_min_proto_version(tls, TLS1_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(tls, TLS1_1_VERSION) != 1)
        peer_die("cannot limit TLS to", most);
}

int main(int argc, char **argv)
{
    const char *certificate = NULL, *key = NULL, *tls_most = NULL, *log_name = NULL;
    struct sigaction heal = {.sa_handler = on_heal, .sa_flags = SA_RESTART};
    pthread_t thread;

    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        int left = argc - i - 1;

        if (!strcmp(option, "--upstream") && left)
            upstream_port = atoi(argv[++i]);
        else if (!strcmp(option, "--port") && left)
            here.port = atoi(argv[++i]);
        else if (!strcmp(option, "--log") && left)
            log_name = argv[++i];
        else if (!strcmp(option, "--tls-most") && left)
            tls_most = argv[++i];
        else if (!strcmp(option, "--tls") && left >= 2)
            certificate = argv[++i], key = argv[++i];
        else if (strcmp(option, "--fault") != 0 || !left || !fault_add_rule(argv[++i]))
            peer_die("not understood", argv[i]);
    }
    if (!upstream_port || !log_name)
        peer_die("missing", "--upstream or --log");
    log_fd = open(log_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log_fd < 0)
        peer_die(log_name, strerror(errno));
    if (certificate)
        open_tls(certificate, key, tls_most);
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGUSR1, &heal, NULL);
    now_ms();
    listen_on(&elsewhere);
    listen_on(&here);
    if (pthread_create(&thread, NULL, accept_all, &elsewhere))
        peer_die("no thread", strerror(errno));
    printf("port=%d\n", here.port);
    fflush(stdout);
    accept_all(&here);
}
