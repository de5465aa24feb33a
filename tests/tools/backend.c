/*
 * backend-stand-in - the ConfOMeet backend, as far as a recording's notice goes.
 *
 *   backend-stand-in [--port N] [--log FILE] [--fail KIND[:COUNT]]...
 *
 * Answers POST <any base>/api/v1/Recording/AddS3VideoRecording on 127.0.0.1 as the real one does:
 * 200 for a valid notice, which adds a row whether or not it was sent before, 400 with the list of
 * errors for any other. Prints "port=N" when it is ready. Ends at once on SIGTERM or SIGINT.
 *
 * --log gets one JSON line for each request, before the request is answered. `status` is 0 when it
 * never is; `accepted` says whether a row was added, and `id` is that row.
 *
 * --fail spoils the answers to valid notices; an invalid one is answered 400 nevertheless, and
 * counts for nothing. Several are worked off in turn, each for COUNT notices (default: all).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define NOTICE_PATH    "/api/v1/Recording/AddS3VideoRecording"
#define MAX_BODY_BYTES 65536u
#define MAX_ORDERS     16u

enum delivery { ANSWERED = 0, NEVER_ANSWERED, CONNECTION_RESET };

/* How a request ends. */
struct outcome {
    const char *name; /* of a fault, as --fail takes it */
    unsigned int status;
    enum delivery delivery;
    bool accepts;      /* the notice gets its row, whatever the answer is */
    bool html;         /* some other server's page instead of the backend's answer */
    const char *title; /* of the problem; NULL: the answer to a notice */
    const char *header;
    const char *header_value; /* NULL: where the request went, but by https */
};

static const struct outcome faults[] = {
    {.name = "500", .status = 500, .title = "An error occurred while processing your request."},
    {.name = "400", .status = 400, .title = "One or more validation errors occurred."},
    {.name = "301", .status = 301, .title = "Moved Permanently", .header = "Location"},
    {.name = "401",
     .status = 401,
     .title = "Unauthorized",
     .header = "WWW-Authenticate",
     .header_value = "Bearer"},
    {.name = "404", .status = 404, .title = "Not Found"},
    {.name = "503",
     .status = 503,
     .title = "Service Unavailable",
     .header = "Retry-After",
     .header_value = "1"},
    {.name = "hang", .delivery = NEVER_ANSWERED},
    {.name = "hang-after-accept", .delivery = NEVER_ANSWERED, .accepts = true},
    {.name = "reset", .delivery = CONNECTION_RESET},
    {.name = "reset-after-accept", .delivery = CONNECTION_RESET, .accepts = true},
    {.name = "garbage", .status = 200, .html = true},
    {.name = "id0", .status = 200},
};

static const struct outcome success = {.status = 200, .accepts = true};
static const struct outcome invalid = {.status = 400,
                                       .title = "One or more validation errors occurred."};
static const struct outcome not_found = {.status = 404, .title = "Not Found"};
static const struct outcome not_post = {
    .status = 405, .title = "Method Not Allowed", .header = "Allow", .header_value = "POST"};
static const struct outcome too_large = {.status = 413, .title = "Payload Too Large"};
static const struct outcome not_json = {.status = 415, .title = "Unsupported Media Type"};

struct order {
    const struct outcome *fault;
    uint64_t notices_left; /* UINT64_MAX: all */
};

/* One thread of libmicrohttpd works on all requests, so that this needs no lock. */
struct backend {
    FILE *log;
    struct order orders[MAX_ORDERS];
    size_t order_count;
    json_int_t rows;
};

struct request {
    char body[MAX_BODY_BYTES];
    size_t length;
    bool too_large;
};

_Noreturn static void die(const char *what, const char *detail)
{
    fprintf(stderr, "backend-stand-in: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

static void *not_null(void *pointer)
{
    if (!pointer)
        die("no memory", strerror(ENOMEM));
    return pointer;
}

/* --- the contract ------------------------------------------------------------------------ */

static void add_problem(json_t *problems, const char *field, const char *text)
{
    if (json_object_set_new(problems, field, json_pack("[s]", text)) != 0)
        die("no memory", field);
}

static void check_integer(const json_t *notice, const char *field, json_int_t minimum,
                          json_int_t maximum, json_t *problems)
{
    const json_t *value = json_object_get(notice, field);

    if (!value || json_is_null(value))
        add_problem(problems, field, "The field is required.");
    else if (!json_is_integer(value))
        add_problem(problems, field, "The value is not an integer.");
    else if (json_integer_value(value) < minimum || json_integer_value(value) > maximum)
        add_problem(problems, field, "The value is out of range.");
}

static void check_string(const json_t *notice, const char *field, json_t *problems)
{
    const json_t *value = json_object_get(notice, field);

    if (!value || json_is_null(value))
        add_problem(problems, field, "The field is required.");
    else if (!json_is_string(value))
        add_problem(problems, field, "The value is not a string.");
    else if (json_string_length(value) == 0)
        add_problem(problems, field, "The field is required.");
}

/* What is wrong with the notice: an object with a member for each wrong field, empty when valid. */
static json_t *check_notice(const json_t *notice)
{
    json_t *problems = not_null(json_object());

    if (!notice) {
        add_problem(problems, "$", "The body is not valid JSON.");
    } else if (!json_is_object(notice)) {
        add_problem(problems, "$", "The body is not an object.");
    } else {
        check_integer(notice, "meetingId", INT32_MIN, INT32_MAX, problems);
        check_integer(notice, "fileSize", 0, INT64_MAX, problems);
        check_string(notice, "fileName", problems);
        check_string(notice, "bucket", problems);
        check_string(notice, "key", problems);
    }
    return problems;
}

/* --- the faults that were ordered -------------------------------------------------------- */

static const struct outcome *outcome_of_valid_notice(struct backend *backend)
{
    for (size_t i = 0; i < backend->order_count; i++) {
        struct order *order = &backend->orders[i];

        if (order->notices_left == 0)
            continue;
        if (order->notices_left != UINT64_MAX)
            order->notices_left--;
        return order->fault;
    }
    return &success;
}

static const struct outcome *find_fault(const char *name, size_t name_length)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strlen(faults[i].name) == name_length &&
            strncmp(faults[i].name, name, name_length) == 0)
            return &faults[i];
    die("no such fault", name);
}

/* KIND[:COUNT] */
static void add_order(struct backend *backend, const char *argument)
{
    size_t name_length = strcspn(argument, ":");
    const char *count = argument[name_length] ? argument + name_length + 1 : NULL;
    struct order order = {find_fault(argument, name_length), UINT64_MAX};
    char *end;

    if (count) {
        order.notices_left = strtoul(count, &end, 10);
        if (*count < '0' || *count > '9' || *end)
            die("not a count", argument);
    }
    if (backend->order_count == MAX_ORDERS)
        die("too many faults", argument);
    backend->orders[backend->order_count++] = order;
}

/* --- the log ----------------------------------------------------------------------------- */

static json_t *string_or_null(const char *value)
{
    json_t *string = value ? json_string(value) : NULL;

    return string ? string : json_null();
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* An object where the body is one, else a string; null for what no string of JSON can hold. */
static json_t *body_value(const struct request *request, json_t *parsed)
{
    json_t *string;

    if (json_is_object(parsed))
        return json_incref(parsed);
    string = json_stringn(request->body, request->length);
    return string ? string : json_null();
}

static void log_request(const struct backend *backend, struct MHD_Connection *connection,
                        const char *method, const char *path, const struct outcome *outcome,
                        json_t *body)
{
    json_t *headers = json_pack("{s:o, s:b, s:o}", "idempotency-key",
                                string_or_null(header(connection, "Idempotency-Key")),
                                "authorization", header(connection, "Authorization") != NULL,
                                "content-type", string_or_null(header(connection, "Content-Type")));
    json_t *line = json_pack("{s:o, s:o, s:i, s:b, s:o, s:o, s:o}", "method",
                             string_or_null(method), "path", string_or_null(path), "status",
                             (int)outcome->status, "accepted", (int)outcome->accepts, "id",
                             outcome->accepts ? json_integer(backend->rows) : json_null(),
                             "headers", not_null(headers), "body", body);

    if (json_dumpf(not_null(line), backend->log, JSON_COMPACT) != 0 ||
        fputc('\n', backend->log) == EOF || fflush(backend->log) != 0)
        die("cannot write the log", strerror(errno));
    json_decref(line);
}

/* --- the replies ------------------------------------------------------------------------- */

static char *reply_text(const struct backend *backend, const struct outcome *outcome,
                        json_t *problems)
{
    json_t *reply;
    char *text;

    if (outcome->html)
        return not_null(strdup("<!DOCTYPE html><html><body>It works!</body></html>\n"));
    if (!outcome->title)
        reply = json_pack("{s:I, s:b, s:i, s:[]}", "id",
                          outcome->accepts ? backend->rows : (json_int_t)0, "result", 1, "code", 0,
                          "message");
    else
        reply = json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", outcome->title,
                          "status", (int)outcome->status, "traceId",
                          "00-00000000000000000000000000000000-0000000000000000-00");
    if (outcome->status == 400 && json_object_size(problems) == 0)
        add_problem(problems, "$", "The stand-in was told to refuse it.");
    if (outcome->status == 400)
        json_object_set(reply, "errors", problems);
    text = not_null(json_dumps(reply, JSON_COMPACT));
    json_decref(reply);
    return text;
}

static enum MHD_Result send_reply(const struct backend *backend, struct MHD_Connection *connection,
                                  const struct outcome *outcome, const char *path, json_t *problems)
{
    char *text = reply_text(backend, outcome, problems);
    struct MHD_Response *response =
        not_null(MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE));
    const char *host = header(connection, "Host");
    char location[2048];
    enum MHD_Result result;

    MHD_add_response_header(response, "Content-Type",
                            outcome->html    ? "text/html"
                            : outcome->title ? "application/problem+json"
                                             : "application/json");
    snprintf(location, sizeof location, "https://%s%s", host ? host : "127.0.0.1", path);
    if (outcome->header)
        MHD_add_response_header(response, outcome->header,
                                outcome->header_value ? outcome->header_value : location);
    result = MHD_queue_response(connection, outcome->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Makes the close of the connection a reset (RST), as when the server's process dies. */
static void reset_on_close(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (!info || setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0)
        die("cannot reset a connection", strerror(errno));
}

/* --- requests ---------------------------------------------------------------------------- */

static bool is_notice_path(const char *path)
{
    size_t length = strlen(path), suffix = strlen(NOTICE_PATH);

    return length >= suffix && strcmp(path + length - suffix, NOTICE_PATH) == 0;
}

static bool is_json(struct MHD_Connection *connection)
{
    static const char json[] = "application/json";
    const char *type = header(connection, "Content-Type");

    return type && strncasecmp(type, json, strlen(json)) == 0 && strchr("; ", type[strlen(json)]);
}

static const struct outcome *outcome_of(struct backend *backend, struct MHD_Connection *connection,
                                        const char *method, const char *path,
                                        const struct request *request, const json_t *problems)
{
    if (!is_notice_path(path))
        return &not_found;
    if (strcmp(method, "POST") != 0)
        return &not_post;
    if (request->too_large)
        return &too_large;
    if (!is_json(connection))
        return &not_json;
    if (json_object_size(problems) > 0)
        return &invalid;
    return outcome_of_valid_notice(backend);
}

static enum MHD_Result handle(struct backend *backend, struct MHD_Connection *connection,
                              const char *method, const char *path, const struct request *request)
{
    json_t *notice = json_loadb(request->body, request->length, JSON_REJECT_DUPLICATES, NULL);
    json_t *problems = check_notice(notice);
    const struct outcome *outcome =
        outcome_of(backend, connection, method, path, request, problems);
    enum MHD_Result result = MHD_YES;

    if (outcome->accepts)
        backend->rows++;
    if (backend->log)
        log_request(backend, connection, method, path, outcome, body_value(request, notice));
    switch (outcome->delivery) {
    case ANSWERED:
        result = send_reply(backend, connection, outcome, path, problems);
        break;
    case NEVER_ANSWERED:
        MHD_suspend_connection(connection);
        break;
    case CONNECTION_RESET:
        reset_on_close(connection);
        result = MHD_NO;
        break;
    }
    json_decref(problems);
    json_decref(notice);
    return result;
}

/* Called first with the headers, then for each piece of the body, then at its end. */
static enum MHD_Result on_request(void *backend, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *data_length, void **context)
{
    struct request *request = *context;

    (void)version;
    if (!request) {
        *context = calloc(1, sizeof *request);
        return *context ? MHD_YES : MHD_NO;
    }
    if (*data_length > 0) {
        if (*data_length > sizeof request->body - request->length) {
            request->too_large = true;
        } else {
            memcpy(request->body + request->length, data, *data_length);
            request->length += *data_length;
        }
        *data_length = 0;
        return MHD_YES;
    }
    return handle(backend, connection, method, path, request);
}

static void on_completed(void *backend, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)backend;
    (void)connection;
    (void)code;
    free(*context);
    *context = NULL;
}

static uint16_t parse_port(const char *argument)
{
    char *end;
    unsigned long port = strtoul(argument, &end, 10);

    if (end == argument || *end || port > UINT16_MAX)
        die("not a port", argument);
    return (uint16_t)port;
}

static void parse_arguments(int argc, char **argv, struct backend *backend, uint16_t *ret_port)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"log", required_argument, NULL, 'l'},
                                            {"fail", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'p':
            *ret_port = parse_port(optarg);
            break;
        case 'l':
            backend->log = fopen(optarg, "ae");
            if (!backend->log)
                die(optarg, strerror(errno));
            break;
        case 'f':
            add_order(backend, optarg);
            break;
        default:
            exit(64);
        }
    }
    if (optind < argc)
        die("unexpected argument", argv[optind]);
}

int main(int argc, char **argv)
{
    static struct backend backend;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const union MHD_DaemonInfo *info;
    static struct MHD_Daemon *daemon;
    uint16_t port = 0;
    sigset_t signals;
    int received;

    parse_arguments(argc, argv, &backend, &port);
    address.sin_port = htons(port);
    /* Before the server's thread is made, which inherits it: the signals wait for sigwait(). */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    /* MHD_USE_TURBO: without it, a connection that is to be reset is ended in order first. */
    daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO,
                         port, NULL, NULL, on_request, &backend, MHD_OPTION_SOCK_ADDR, &address,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (!daemon)
        die("cannot listen on 127.0.0.1", strerror(errno));
    info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    if (!info)
        die("cannot tell the port", strerror(errno));
    printf("port=%u\n", (unsigned int)info->port);
    if (fflush(stdout) != 0)
        die("cannot print the port", strerror(errno));
    sigwait(&signals, &received);
    /* Not MHD_stop_daemon(): it would wait for the requests that are never answered. */
    return EXIT_SUCCESS;
}
