#include "watcher/http/status_answer.h"

#include "config/units.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_stats.h"
#include "finalize/report/metrics.h"
#include "finalize/session/recordings_dir.h"
#include "watcher/http/page.h"
#include "watcher/http/status_host.h"
#include "watcher/http/status_recordings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BODY_CEILING      4096u
#define SILENCE_MS        120000u /* of the main loop, until it counts as hung */
#define WRITE_PATIENCE_MS 200u

struct route {
    const char *path;
    bool open; /* needs no token: says nothing of recordings */
    void (*answer)(struct status_exchange *exchange);
    const char *content_type; /* without `answer`: a body that never changes */
    const unsigned char *bytes;
    const size_t *length;
};

/* ---- health ---------------------------------------------------------------------------------- */

static bool is_silent(struct status_exchange *exchange)
{
    uint64_t silent_ms = exchange->facts->silent_ms;

    if (silent_ms < SILENCE_MS)
        return false;
    status_exchange_say(exchange, 503, "hung: the main loop did nothing for %" PRIu64 " s",
                        silent_ms / 1000);
    return true;
}

static void answer_health(struct status_exchange *exchange)
{
    if (!is_silent(exchange))
        status_exchange_say(exchange, 200, "alive");
}

/* Before the first recording there is none, and a request does not make one. */
static bool is_missing(const struct status_facts *facts)
{
    return access(facts->journal, F_OK) != 0 && errno == ENOENT;
}

/* Its directory is made with it, the one above is not. */
static bool could_be_made(const struct status_facts *facts, struct error *err)
{
    char directory[JOURNAL_PLACE_SIZE];

    snprintf(directory, sizeof directory, "%s", facts->journal);
    for (unsigned levels = 0; levels < 2; levels++) {
        char *slash = strrchr(directory, '/');

        if (!slash)
            break;
        *slash = 0;
        if (access(directory[0] ? directory : "/", W_OK | X_OK) == 0)
            return true;
        if (errno != ENOENT)
            break;
    }
    return error_set_errno(err, ERROR_PERMANENT, errno, "no journal can be made at %s",
                           facts->journal);
}

static bool is_writable(struct journal *journal, struct error *err)
{
    bool ok;

    journal_set_patience(journal, WRITE_PATIENCE_MS);
    ok = journal_begin(journal, err);
    if (ok)
        journal_rollback(journal);
    else if (err->kind == ERROR_TRANSIENT && !err->sys_errno) { /* another process writes */
        error_clear(err);
        ok = true;
    }
    journal_set_patience(journal, JOURNAL_PATIENCE_MS);
    return ok;
}

/* False when recordings are not safe yet and the latest request to S3 failed. */
static bool reaches_s3(const struct metrics *metrics, struct error *err)
{
    const uint64_t *recordings = metrics->counts.recordings;
    uint64_t success = metrics->stats.cells[stats_first_cell(STATS_S3_LAST_SUCCESS)];
    uint64_t failure = metrics->stats.cells[stats_first_cell(STATS_S3_LAST_FAILURE)];
    uint64_t to_do = recordings[JOURNAL_RECORDING_WORKING] + recordings[JOURNAL_RECORDING_WAITING] +
                     recordings[JOURNAL_RECORDING_FAILED] + recordings[JOURNAL_RECORDING_RECORDING];
    char count[32];

    if (!to_do || failure <= success)
        return true;
    return error_set(err, ERROR_TRANSIENT,
                     "the last request to S3 failed, %lld s ago, with %s not safe yet",
                     (long long)metrics->now - (long long)failure,
                     units_format_count(to_do, "recording", count, sizeof count));
}

static void answer_ready(struct status_exchange *exchange)
{
    const struct status_facts *facts = exchange->facts;
    struct metrics metrics = {.now = facts->now};
    struct journal *journal = NULL;
    struct error err = ERROR_INIT;

    if (is_silent(exchange))
        return;
    if (facts->loop.suspended)
        status_exchange_say(exchange, 503,
                            "not ready: the settings cannot be used, the log says why");
    else if (is_missing(facts)
                 ? could_be_made(facts, &err)
                 : journal_open_for(facts->journal, recordings_dir_of(facts->settings), &journal,
                                    &err) &&
                       is_writable(journal, &err) && metrics_load(journal, &metrics, &err) &&
                       reaches_s3(&metrics, &err))
        status_exchange_say(exchange, 200, "ready");
    else
        status_exchange_say(exchange, 503, "not ready: %s", err.text);
    journal_close(journal);
}

/* ---- metrics --------------------------------------------------------------------------------- */

static void answer_metrics(struct status_exchange *exchange)
{
    const struct status_facts *facts = exchange->facts;
    struct status_reply *reply = exchange->reply;
    struct metrics metrics = {.instance_id = facts->settings->instance_id,
                              .now = facts->now,
                              .trend_known = facts->reported,
                              .disk_fills = facts->loop.disk_fills,
                              .disk_full_in_seconds = facts->loop.disk_full_in_seconds};

    metrics_gather(facts->journal, facts->recordings_dir, &metrics);
    reply->status = 200;
    reply->content_type = METRICS_CONTENT_TYPE;
    buffer_done(&reply->body);
    buffer_init(&reply->body, METRICS_CEILING);
    metrics_write(&metrics, &reply->body);
}

/* ---- who may read what ----------------------------------------------------------------------- */

static void answer_not_found(struct status_exchange *exchange)
{
    status_exchange_say(exchange, 404, "there is nothing of that name here");
}

static const struct route *find_route(const char *path)
{
    static const char html[] = "text/html; charset=utf-8", css[] = "text/css; charset=utf-8",
                      javascript[] = "text/javascript; charset=utf-8";
    static const struct route routes[] = {
        {"/", true, NULL, html, page_html, &page_html_length},
        {"/page.css", true, NULL, css, page_css, &page_css_length},
        {"/page.js", true, NULL, javascript, page_js, &page_js_length},
        {.path = "/healthz", .open = true, .answer = answer_health},
        {.path = "/readyz", .open = true, .answer = answer_ready},
        {.path = "/metrics", .answer = answer_metrics},
        {.path = STATUS_RECORDINGS_PATH, .answer = status_recordings_answer},
    };
    static const struct route one_recording = {.answer = status_recording_answer};
    static const struct route nothing = {.open = true, .answer = answer_not_found};

    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (!strcmp(path, routes[i].path))
            return &routes[i];
    if (!strncmp(path, STATUS_RECORDINGS_PATH "/", strlen(STATUS_RECORDINGS_PATH "/")))
        return &one_recording;
    return &nothing;
}

/* Where a token is set, it protects what a page of another name could read. */
static bool is_addressed(const struct settings *settings, const struct status_request *request)
{
    char machine[HOST_NAME_MAX + 1] = "";

    (void)gethostname(machine, sizeof machine - 1);
    return (settings->status_token && *settings->status_token) ||
           status_host_is_ours(request->host, machine);
}

/* Takes as long for a wrong token as for the right one, whatever they have in common. */
static bool has_token(const struct settings *settings, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    const char *token = settings->status_token;
    const char *given;
    size_t length, given_length;
    unsigned char difference = 0;

    if (!token || !*token)
        return true;
    if (!authorization || strncasecmp(authorization, scheme, strlen(scheme)) != 0)
        return false;
    given = authorization + strlen(scheme);
    length = strlen(token);
    given_length = strlen(given);
    for (size_t i = 0; i < given_length; i++)
        difference |= (unsigned char)(given[i] ^ token[i % length]);
    return !difference && given_length == length;
}

static void answer(struct status_exchange *exchange)
{
    const struct status_request *request = exchange->request;
    const struct settings *settings = exchange->facts->settings;
    const struct route *route = find_route(request->path);
    struct status_reply *reply = exchange->reply;

    if (!is_addressed(settings, request)) {
        status_exchange_say(
            exchange, 421,
            "this server is not known by that name: ask for it by its address, by a "
            "name without a dot or by the machine's host name, or set "
            "CONFOMEET_STATUS_TOKEN");
    } else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        reply->allow = "GET, HEAD";
        status_exchange_say(exchange, 405, "this can only be read");
    } else if (request->has_body) {
        status_exchange_say(exchange, 400, "a request for reading has no body");
    } else if (!route->open && !has_token(settings, request->authorization)) {
        reply->ask_for_token = true;
        status_exchange_say(exchange, 401,
                            "a token is needed: Authorization: Bearer <CONFOMEET_STATUS_TOKEN>");
    } else if (request->parameter_count > STATUS_MOST_PARAMETERS) {
        status_exchange_say(exchange, 400, "too many parameters");
    } else if (route->answer) {
        route->answer(exchange);
    } else {
        reply->status = 200;
        reply->content_type = route->content_type;
        reply->fixed = route->bytes;
        reply->fixed_length = *route->length;
    }
}

void status_answer(const struct status_facts *facts, const struct status_request *request,
                   struct status_reply *ret_reply)
{
    struct status_exchange exchange = {.facts = facts, .request = request, .reply = ret_reply};

    *ret_reply = (struct status_reply){0};
    buffer_init(&ret_reply->body, BODY_CEILING);
    answer(&exchange);
    if (!ret_reply->body.failed)
        return;
    buffer_done(&ret_reply->body);
    buffer_init(&ret_reply->body, BODY_CEILING);
    status_exchange_say(&exchange, 500, "no memory for the answer, or it is too long");
}
