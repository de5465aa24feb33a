#include "watcher/http/status_daemon.h"

#include "finalize/base/clock.h"
#include "watcher/http/status_answer.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MOST_CONNECTIONS   32u
#define MOST_OF_ONE_PEER   16u
#define CONNECTION_MEMORY  (16u * 1024) /* the request's head has to fit */
#define IDLE_TIMEOUT_S     10u
#define REQUEST_TIMEOUT_MS 60000u /* from its first byte to its reply's last */
#define LOOK_EVERY_MS      1000   /* whether a client has taken longer */

struct client {
    struct MHD_Connection *connection; /* NULL: free */
    uint64_t since_ms;                 /* of its request, or of the pause before it */
};

struct status_daemon {
    struct MHD_Daemon *library;
    status_daemon_gather *gather;
    void *context;
    struct client clients[MOST_CONNECTIONS];
};

/* ---- one request ----------------------------------------------------------------------------- */

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
    const struct status_daemon *daemon = context;
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
    request.host = header_of(connection, MHD_HTTP_HEADER_HOST);
    request.authorization = header_of(connection, MHD_HTTP_HEADER_AUTHORIZATION);
    (void)MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, on_parameter, &request);
    daemon->gather(daemon->context, &facts);
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

static struct client *find_client(struct status_daemon *daemon,
                                  const struct MHD_Connection *connection)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (daemon->clients[i].connection == connection)
            return &daemon->clients[i];
    return NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct status_daemon *daemon = context;
    bool begins = code == MHD_CONNECTION_NOTIFY_STARTED;
    struct client *client = find_client(daemon, begins ? NULL : connection);

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

/* A peer that sends or reads a byte now and then is never idle, yet it is cut off. */
static void cut_off_slow_ones(struct status_daemon *daemon)
{
    uint64_t now_ms = clock_now_ms();

    for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
        struct client *client = &daemon->clients[i];
        const union MHD_ConnectionInfo *info;

        if (!client->connection || now_ms - client->since_ms < REQUEST_TIMEOUT_MS)
            continue;
        info = MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
            shutdown(info->connect_fd, SHUT_RDWR);
        client->since_ms = now_ms;
    }
}

static bool has_clients(const struct status_daemon *daemon)
{
    for (size_t i = 0; i < MOST_CONNECTIONS; i++)
        if (daemon->clients[i].connection)
            return true;
    return false;
}

/* ---- for the server -------------------------------------------------------------------------- */

/* A NUL would end a path before its end: one that has it stays as it is, and is found nowhere. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strstr(text, "%00") ? strlen(text) : MHD_http_unescape(text);
}

struct status_daemon *status_daemon_open(int listen_fd, status_daemon_gather *gather, void *context)
{
    struct status_daemon *daemon = calloc(1, sizeof *daemon);

    if (!daemon)
        return NULL;
    daemon->gather = gather;
    daemon->context = context;
    daemon->library = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, daemon, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        MOST_OF_ONE_PEER, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        daemon, MHD_OPTION_NOTIFY_COMPLETED, on_completed, daemon, MHD_OPTION_UNESCAPE_CALLBACK,
        unescape, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (daemon->library)
        return daemon;
    free(daemon);
    return NULL;
}

void status_daemon_close(struct status_daemon *daemon)
{
    if (daemon)
        MHD_stop_daemon(daemon->library);
    free(daemon);
}

int status_daemon_fd(const struct status_daemon *daemon)
{
    return MHD_get_daemon_info(daemon->library, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int status_daemon_timeout_ms(const struct status_daemon *daemon)
{
    MHD_UNSIGNED_LONG_LONG wanted_ms;

    if (MHD_get_timeout(daemon->library, &wanted_ms) != MHD_YES)
        return has_clients(daemon) ? LOOK_EVERY_MS : -1;
    return wanted_ms < LOOK_EVERY_MS ? (int)wanted_ms : LOOK_EVERY_MS;
}

void status_daemon_run(struct status_daemon *daemon)
{
    MHD_run(daemon->library);
    cut_off_slow_ones(daemon);
}
