#include "watcher/http/face.h"

#include "config/listen.h"
#include "finalize/base/clock.h"
#include "finalize/program/log.h"
#include "watcher/http/face_answer.h"

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

struct face {
    struct face_options options;
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
    struct face_report report;
};

/* ---- one request ----------------------------------------------------------------------------- */

static void gather_facts(struct face *face, struct face_facts *facts)
{
    *facts = (struct face_facts){.settings = face->options.settings,
                                 .journal = face->options.journal,
                                 .recordings_dir = face->options.recordings_dir,
                                 .now = time(NULL)};
    pthread_mutex_lock(&face->lock);
    facts->silent_ms = clock_now_ms() - face->reported_ms;
    facts->trend_known = face->reported;
    facts->suspended = face->report.suspended;
    facts->disk_fills = face->report.disk_fills;
    facts->disk_full_in_seconds = face->report.disk_full_in_seconds;
    pthread_mutex_unlock(&face->lock);
}

static enum MHD_Result on_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct face_request *request = context;

    (void)kind;
    if (request->parameter_count < FACE_MOST_PARAMETERS)
        request->parameters[request->parameter_count] =
            (struct face_parameter){.name = name, .value = value};
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

static bool add_headers(struct MHD_Response *response, const struct face_reply *reply)
{
    static const struct {
        const char *name, *value;
    } always[] = {{"Content-Security-Policy", FACE_CONTENT_SECURITY_POLICY},
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

static struct MHD_Response *make_response(struct face_reply *reply)
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
    struct face_request request = {.method = method, .path = path};
    struct face_facts facts;
    struct face_reply reply;
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
    face_answer(&facts, &request, &reply);
    response = make_response(&reply);
    buffer_done(&reply.body);
    if (!response)
        return MHD_NO; /* no memory: the connection is closed */
    result = MHD_queue_response(connection, reply.status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- connections ----------------------------------------------------------------------------- */

static struct client *find_client(struct face *face, const struct MHD_Connection *connection)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (face->clients[i].connection == connection)
            return &face->clients[i];
    return NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct face *face = context;
    bool begins = code == MHD_CONNECTION_NOTIFY_STARTED;
    struct client *client = find_client(face, begins ? NULL : connection);

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
static void cut_off_slow_ones(struct face *face)
{
    uint64_t now_ms = clock_now_ms();

    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        struct client *client = &face->clients[i];
        const union MHD_ConnectionInfo *info;

        if (!client->connection || now_ms - client->since_ms < REQUEST_TIMEOUT_MS)
            continue;
        info = MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
            shutdown(info->connect_fd, SHUT_RDWR);
        client->since_ms = now_ms;
    }
}

static bool has_clients(const struct face *face)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (face->clients[i].connection)
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

static void start_daemon(struct face *face)
{
    int fd = open_socket(&face->address);

    if (fd >= 0) {
        errno = ENOMEM;
        face->daemon = MHD_start_daemon(
            MHD_USE_EPOLL, 0, NULL, NULL, on_request, face, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
            MOST_OF_ONE_PEER, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
            MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_NOTIFY_CONNECTION,
            on_connection, face, MHD_OPTION_NOTIFY_COMPLETED, on_completed, face,
            MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_END);
        if (!face->daemon)
            close(fd);
    }
    if (face->daemon) {
        log_line(SETTINGS_LOG_INFO, NULL, "status page and metrics at http://%s/",
                 face->options.settings->status_listen);
        face->told_taken = false;
        return;
    }
    face->listen_at_ms = clock_now_ms() + LISTEN_AGAIN_MS;
    if (!face->told_taken)
        log_line(SETTINGS_LOG_ERROR, NULL,
                 "no status page and no metrics: cannot listen on %s (CONFOMEET_STATUS_LISTEN): "
                 "%s; all else goes on, and it is tried again every minute",
                 face->options.settings->status_listen, strerror(errno));
    face->told_taken = true;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Milliseconds to wait; -1: until something happens. */
static int patience(struct face *face)
{
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    uint64_t now_ms = clock_now_ms();

    if (!face->daemon)
        return face->listen_at_ms > now_ms ? (int)(face->listen_at_ms - now_ms) : 0;
    if (MHD_get_timeout(face->daemon, &wanted_ms) != MHD_YES)
        return has_clients(face) ? 1000 : -1;
    return wanted_ms < 1000 ? (int)wanted_ms : 1000;
}

static void *serve(void *context)
{
    struct face *face = context;
    struct pollfd fds[2] = {{.fd = face->wake_fd, .events = POLLIN}, {.events = POLLIN}};

    for (;;) {
        if (!face->daemon && clock_now_ms() >= face->listen_at_ms)
            start_daemon(face);
        fds[1].fd = face->daemon
                        ? MHD_get_daemon_info(face->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd
                        : -1;
        fds[0].revents = 0;
        if (poll(fds, 2, patience(face)) < 0 && errno != EINTR)
            break;
        if (fds[0].revents)
            break;
        if (face->daemon) {
            MHD_run(face->daemon);
            cut_off_slow_ones(face);
        }
    }
    if (face->daemon)
        MHD_stop_daemon(face->daemon);
    return NULL;
}

static int start_thread(struct face *face)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);

    if (failure)
        return failure;
    sigfillset(&all);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = pthread_create(&face->thread, &attributes, serve, face);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failure;
}

bool face_open(const struct face_options *options, struct face **ret_face, struct error *err)
{
    const struct settings *settings = options->settings;
    union listen_address address;
    struct face *face;
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
    face = calloc(1, sizeof *face);
    if (!face)
        return error_set(err, ERROR_TRANSIENT, "no memory for the status page");
    face->options = *options;
    face->address = address;
    face->reported_ms = clock_now_ms();
    face->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    failure = face->wake_fd < 0 ? errno : 0;
    if (failure) {
        free(face);
        return error_set_errno(err, ERROR_TRANSIENT, failure, "no descriptor for the status page");
    }
    pthread_mutex_init(&face->lock, NULL);
    failure = start_thread(face);
    if (failure) {
        pthread_mutex_destroy(&face->lock);
        close(face->wake_fd);
        free(face);
        return error_set_errno(err, ERROR_TRANSIENT, failure, "no thread for the status page");
    }
    *ret_face = face;
    return true;
}

void face_close(struct face *face)
{
    if (!face)
        return;
    (void)eventfd_write(face->wake_fd, 1);
    pthread_join(face->thread, NULL);
    pthread_mutex_destroy(&face->lock);
    close(face->wake_fd);
    free(face);
}

void face_report(struct face *face, const struct face_report *report)
{
    if (!face)
        return;
    pthread_mutex_lock(&face->lock);
    face->reported_ms = clock_now_ms();
    face->reported = true;
    face->report = *report;
    pthread_mutex_unlock(&face->lock);
}
