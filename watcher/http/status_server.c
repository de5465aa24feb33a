#include "watcher/http/status_server.h"

#include "config/listen.h"
#include "finalize/base/clock.h"
#include "finalize/program/log.h"
#include "watcher/http/status_answer.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_CONNECTIONS   32u
#define MOST_OF_ONE_PEER   16u
#define CONNECTION_MEMORY  (16u * 1024) /* the request's head has to fit */
#define IDLE_TIMEOUT_S     10u
#define REQUEST_TIMEOUT_MS 60000u /* from its first byte to its reply's last */
#define LISTEN_AGAIN_MS    60000u
#define BACKLOG            16
#define THREAD_STACK       (256u * 1024)

struct client {
    struct MHD_Connection *connection; /* NULL: free */
    uint64_t since_ms;                 /* of its request, or of the pause before it */
};

struct status_server {
    struct status_server_options options;
    union listen_address address;
    pthread_t thread;
    int wake_fd; /* readable: to be closed */
    /* Of the thread alone. */
    struct MHD_Daemon *daemon;
    uint64_t listen_at_ms;
    bool told_taken;
    struct client clients[MOST_CONNECTIONS];
    /* Of both. */
    pthread_mutex_t lock;
    uint64_t reported_ms;
    bool reported;
    struct status_server_report report;
};

/* ---- one request ----------------------------------------------------------------------------- */

static void gather_facts(struct status_server *server, struct status_facts *facts)
{
    *facts = (struct status_facts){.settings = server->options.settings,
                                   .journal = server->options.journal,
                                   .recordings_dir = server->options.recordings_dir,
                                   .now = time(NULL)};
    pthread_mutex_lock(&server->lock);
    facts->silent_ms = clock_now_ms() - server->reported_ms;
    facts->trend_known = server->reported;
    facts->suspended = server->report.suspended;
    facts->disk_fills = server->report.disk_fills;
    facts->disk_full_in_seconds = server->report.disk_full_in_seconds;
    pthread_mutex_unlock(&server->lock);
}

static enum MHD_Result on_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct status_request *request = context;

    (void)kind;
    if (request->parameter_count < STATUS_MOST_PARAMETERS)
        request->parameters[request->parameter_count] =
            (struct status_parameter){.name = name, .value = value};
    request->parameter_count++;
    return MHD_YES;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool announces_body(struct MHD_Connection *connection)
{
    const char *length = header_of(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return header_of(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
           (length && strcmp(length, "0") != 0);
}

static bool add_headers(struct MHD_Response *response, const struct status_reply *reply)
{
    static const struct {
        const char *name, *value;
    } always[] = {{"Content-Security-Policy", STATUS_CONTENT_SECURITY_POLICY},
                  {"X-Content-Type-Options", "nosniff"},
                  {"X-Frame-Options", "DENY"},
                  {"Referrer-Policy", "no-referrer"},
                  {"Cross-Origin-Resource-Policy", "same-origin"},
                  {"Cross-Origin-Opener-Policy", "same-origin"},
                  {"Cache-Control", "no-store"}};

    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (MHD_add_response_header(response, always[i].name, always[i].value) != MHD_YES)
            return false;
    if (reply->allow &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow) != MHD_YES)
        return false;
    if (reply->ask_for_token && MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                                        "Bearer realm=\"jibri\"") != MHD_YES)
        return false;
    return MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type) ==
           MHD_YES;
}

static struct MHD_Response *make_response(struct status_reply *reply)
{
    size_t length = reply->fixed ? reply->fixed_length : reply->body.length;
    char *bytes = reply->fixed ? NULL : buffer_take(&reply->body);
    struct MHD_Response *response;

    if (reply->fixed) /* the library asks for a pointer to what it only reads */
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): to cast away its const */
        response = MHD_create_response_from_buffer(length, (void *)(uintptr_t)reply->fixed,
                                                   MHD_RESPMEM_PERSISTENT);
    else
        response = MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(bytes);
        return NULL;
    }
    if (add_headers(response, reply))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

/* NOLINTBEGIN(readability-non-const-parameter): the library says of what types they are */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_length, void **request_context)
/* NOLINTEND(readability-non-const-parameter) */
{
    struct status_request request = {.method = method, .path = path};
    struct status_facts facts;
    struct status_reply reply;
    struct MHD_Response *response;
    enum MHD_Result result;

    (void)version;
    (void)upload;
    (void)upload_length;
    request.has_body = announces_body(connection);
    if (!request.has_body && !*request_context) { /* answered when all of it is here: else the
                                                     connection would be closed each time */
        *request_context = context;
        return MHD_YES;
    }
    request.authorization = header_of(connection, MHD_HTTP_HEADER_AUTHORIZATION);
    (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, on_parameter, &request);
    gather_facts(context, &facts);
    status_answer(&facts, &request, &reply);
    response = make_response(&reply);
    buffer_done(&reply.body);
    if (!response)
        return MHD_NO; /* no memory: the connection is closed */
    result = MHD_queue_response(connection, reply.status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- connections ----------------------------------------------------------------------------- */

static struct client *find_client(struct status_server *server,
                                  const struct MHD_Connection *connection)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (server->clients[i].connection == connection)
            return &server->clients[i];
    return NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct status_server *server = context;
    bool begins = code == MHD_CONNECTION_NOTIFY_STARTED;
    struct client *client = find_client(server, begins ? NULL : connection);

    (void)socket_context;
    if (client)
        *client =
            (struct client){.connection = begins ? connection : NULL, .since_ms = clock_now_ms()};
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode code)
{
    struct client *client = find_client(context, connection);

    (void)request_context;
    (void)code;
    if (client)
        client->since_ms = clock_now_ms();
}

/* A peer that sends or reads a byte now and then is never idle: it is cut off all the same. */
static void cut_off_slow_ones(struct status_server *server)
{
    uint64_t now_ms = clock_now_ms();

    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        struct client *client = &server->clients[i];
        const union MHD_ConnectionInfo *info;

        if (!client->connection || now_ms - client->since_ms < REQUEST_TIMEOUT_MS)
            continue;
        info = MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
            shutdown(info->connect_fd, SHUT_RDWR);
        client->since_ms = now_ms;
    }
}

static bool has_clients(const struct status_server *server)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (server->clients[i].connection)
            return true;
    return false;
}

/* ---- listening ------------------------------------------------------------------------------- */

static int open_socket(const union listen_address *address)
{
    bool ipv6 = address->any.sa_family == AF_INET6;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    int errno_value;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!ipv6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, &address->any, ipv6 ? sizeof address->ipv6 : sizeof address->ipv4) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    errno_value = errno;
    close(fd);
    errno = errno_value;
    return -1;
}

/* A NUL would end a path before its end: one that has it stays as it is, and is found nowhere. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

static void start_daemon(struct status_server *server)
{
    int fd = open_socket(&server->address);

    if (fd >= 0) {
        errno = ENOMEM;
        server->daemon = MHD_start_daemon(
            MHD_USE_EPOLL, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
            MOST_OF_ONE_PEER, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
            MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_NOTIFY_CONNECTION,
            on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
            MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_END);
        if (!server->daemon)
            close(fd);
    }
    if (server->daemon) {
        log_line(SETTINGS_LOG_INFO, NULL, "status page and metrics at http://%s/",
                 server->options.settings->status_listen);
        server->told_taken = false;
        return;
    }
    server->listen_at_ms = clock_now_ms() + LISTEN_AGAIN_MS;
    if (!server->told_taken)
        log_line(SETTINGS_LOG_ERROR, NULL,
                 "no status page and no metrics: cannot listen on %s (CONFOMEET_STATUS_LISTEN): "
                 "%s; all else goes on, and it is tried again every minute",
                 server->options.settings->status_listen, strerror(errno));
    server->told_taken = true;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Milliseconds to wait; -1: until something happens. */
static int patience(struct status_server *server)
{
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    uint64_t now_ms = clock_now_ms();

    if (!server->daemon)
        return server->listen_at_ms > now_ms ? (int)(server->listen_at_ms - now_ms) : 0;
    if (MHD_get_timeout(server->daemon, &wanted_ms) != MHD_YES)
        return has_clients(server) ? 1000 : -1;
    return wanted_ms < 1000 ? (int)wanted_ms : 1000;
}

static void *serve(void *context)
{
    struct status_server *server = context;
    struct pollfd fds[2] = {{.fd = server->wake_fd, .events = POLLIN}, {.events = POLLIN}};

    for (;;) {
        if (!server->daemon && clock_now_ms() >= server->listen_at_ms)
            start_daemon(server);
        fds[1].fd = server->daemon
                        ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd
                        : -1;
        fds[0].revents = 0;
        if (poll(fds, 2, patience(server)) < 0 && errno != EINTR)
            break;
        if (fds[0].revents)
            break;
        if (server->daemon) {
            MHD_run(server->daemon);
            cut_off_slow_ones(server);
        }
    }
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    return NULL;
}

static int start_thread(struct status_server *server)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);

    if (failure)
        return failure;
    sigfillset(&all);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&server->thread, &attributes, serve, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failure;
}

bool status_server_open(const struct status_server_options *options,
                        struct status_server **ret_face, struct error *err)
{
    const struct settings *settings = options->settings;
    union listen_address address;
    struct status_server *server;
    int failure;

    if (!settings->status_listen || !listen_read(settings->status_listen, &address)) {
        *ret_face = NULL;
        return true;
    }
    if (!listen_is_loopback(&address) && (!settings->status_token || !*settings->status_token))
        log_line(SETTINGS_LOG_WARNING, NULL,
                 "whoever reaches %s can read the names and states of recordings: set "
                 "CONFOMEET_STATUS_TOKEN",
                 settings->status_listen);
    server = calloc(1, sizeof *server);
    if (!server)
        return error_set(err, ERROR_TRANSIENT, "no memory for the status page");
    server->options = *options;
    server->address = address;
    server->reported_ms = clock_now_ms();
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    failure = server->wake_fd < 0 ? errno : 0;
    if (failure) {
        free(server);
        return error_set_errno(err, ERROR_TRANSIENT, failure, "no descriptor for the status page");
    }
    pthread_mutex_init(&server->lock, NULL);
    failure = start_thread(server);
    if (failure) {
        pthread_mutex_destroy(&server->lock);
        close(server->wake_fd);
        free(server);
        return error_set_errno(err, ERROR_TRANSIENT, failure, "no thread for the status page");
    }
    *ret_face = server;
    return true;
}

void status_server_close(struct status_server *server)
{
    if (!server)
        return;
    (void)eventfd_write(server->wake_fd, 1);
    pthread_join(server->thread, NULL);
    pthread_mutex_destroy(&server->lock);
    close(server->wake_fd);
    free(server);
}

void status_server_report(struct status_server *server, const struct status_server_report *report)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->reported_ms = clock_now_ms();
    server->reported = true;
    server->report = *report;
    pthread_mutex_unlock(&server->lock);
}
