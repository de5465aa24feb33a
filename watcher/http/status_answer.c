#include "watcher/http/status_answer.h"

#include "finalize/journal/journal.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_stats.h"
#include "finalize/report/metrics.h"
#include "watcher/http/page.h"
#include "watcher/http/status_host.h"
#include "watcher/http/status_recordings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT              "text/plain; charset=utf-8"
#define BODY_CEILING      4096u
#define SILENCE_MS        120000u /* of the main loop, until it counts as hung */
#define WRITE_PATIENCE_MS 200u

struct route {
    const char *path;
    bool open; /* needs no token: says nothing of recordings */
    void (*answer)(const struct status_facts *facts, const struct status_request *request,
                   struct status_reply *reply);
};

static void say(struct status_reply *reply, unsigned status, const char *sentence)
{
    reply->status = status;
    reply->content_type = TEXT;
    buffer_append_format(&reply->body, "%s\n", sentence);
}

/* ---- the page -------------------------------------------------------------------------------- */

static void give(struct status_reply *reply, const char *content_type, const void *bytes,
                 size_t length)
{
    reply->status = 200;
    reply->content_type = content_type;
    reply->fixed = bytes;
    reply->fixed_length = length;
}

static void answer_page(const struct status_facts *facts, const struct status_request *request,
                        struct status_reply *reply)
{
    (void)facts;
    (void)request;
    give(reply, "text/html; charset=utf-8", page_html, page_html_length);
}

static void answer_style(const struct status_facts *facts, const struct status_request *request,
                         struct status_reply *reply)
{
    (void)facts;
    (void)request;
    give(reply, "text/css; charset=utf-8", page_css, page_css_length);
}

static void answer_script(const struct status_facts *facts, const struct status_request *request,
                          struct status_reply *reply)
{
    (void)facts;
    (void)request;
    give(reply, "text/javascript; charset=utf-8", page_js, page_js_length);
}

/* ---- health ---------------------------------------------------------------------------------- */

static bool is_silent(const struct status_facts *facts, struct status_reply *reply)
{
    if (facts->silent_ms < SILENCE_MS)
        return false;
    reply->status = 503;
    reply->content_type = TEXT;
    buffer_append_format(&reply->body, "hung: the main loop did nothing for %" PRIu64 " s\n",
                         facts->silent_ms / 1000);
    return true;
}

static void answer_health(const struct status_facts *facts, const struct status_request *request,
                          struct status_reply *reply)
{
    (void)request;
    if (!is_silent(facts, reply))
        say(reply, 200, "alive");
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

/* The last word of the S3 service counts while there is something to be brought there. */
static bool reaches_s3(const struct metrics *metrics, struct error *err)
{
    const uint64_t *recordings = metrics->facts.recordings;
    uint64_t success = metrics->stats.cells[stats_first_cell(STATS_S3_LAST_SUCCESS)];
    uint64_t failure = metrics->stats.cells[stats_first_cell(STATS_S3_LAST_FAILURE)];
    uint64_t to_do = recordings[JOURNAL_RECORDING_WORKING] + recordings[JOURNAL_RECORDING_WAITING] +
                     recordings[JOURNAL_RECORDING_FAILED] + recordings[JOURNAL_RECORDING_RECORDING];

    if (!to_do || failure <= success)
        return true;
    return error_set(err, ERROR_TRANSIENT,
                     "the last request to S3 failed, %lld s ago, and %" PRIu64
                     " recording(s) are not safe",
                     (long long)metrics->now - (long long)failure, to_do);
}

static void answer_ready(const struct status_facts *facts, const struct status_request *request,
                         struct status_reply *reply)
{
    struct metrics metrics = {.now = facts->now};
    struct journal *journal = NULL;
    struct error err = ERROR_INIT;

    (void)request;
    if (is_silent(facts, reply))
        return;
    if (facts->loop.suspended) {
        say(reply, 503, "not ready: the settings cannot be used, the log says why");
        return;
    }
    if (is_missing(facts)
            ? could_be_made(facts, &err)
            : journal_open(facts->journal, &journal, &err) && is_writable(journal, &err) &&
                  metrics_load(journal, &metrics, &err) && reaches_s3(&metrics, &err)) {
        say(reply, 200, "ready");
    } else {
        reply->status = 503;
        reply->content_type = TEXT;
        buffer_append_format(&reply->body, "not ready: %s\n", err.text);
    }
    journal_close(journal);
}

/* ---- metrics --------------------------------------------------------------------------------- */

static void answer_metrics(const struct status_facts *facts, const struct status_request *request,
                           struct status_reply *reply)
{
    struct metrics metrics = {.instance_id = facts->settings->instance_id,
                              .now = facts->now,
                              .trend_known = facts->reported,
                              .disk_fills = facts->loop.disk_fills,
                              .disk_full_in_seconds = facts->loop.disk_full_in_seconds};
    struct journal *journal = NULL;
    struct error ignored = ERROR_INIT; /* the metrics say that the journal can't be read */

    (void)request;
    if (is_missing(facts))
        metrics.journal_readable = true; /* an empty one */
    else if (journal_open(facts->journal, &journal, &ignored) &&
             !metrics_load(journal, &metrics, &ignored))
        error_clear(&ignored);
    journal_close(journal);
    if (facts->recordings_dir)
        metrics_look_at_disk(facts->recordings_dir, &metrics);
    reply->status = 200;
    reply->content_type = METRICS_CONTENT_TYPE;
    buffer_done(&reply->body);
    buffer_init(&reply->body, METRICS_CEILING);
    metrics_write(&metrics, &reply->body);
}

/* ---- who may read what ----------------------------------------------------------------------- */

static void answer_not_found(const struct status_facts *facts, const struct status_request *request,
                             struct status_reply *reply)
{
    (void)facts;
    (void)request;
    say(reply, 404, "there is nothing of that name here");
}

static const struct route *find_route(const char *path)
{
    static const struct route routes[] = {
        {"/", true, answer_page},
        {"/page.css", true, answer_style},
        {"/page.js", true, answer_script},
        {"/healthz", true, answer_health},
        {"/readyz", true, answer_ready},
        {"/metrics", false, answer_metrics},
        {STATUS_RECORDINGS_PATH, false, status_recordings_answer},
    };
    static const struct route one_recording = {NULL, false, status_recording_answer};
    static const struct route nothing = {NULL, true, answer_not_found};

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

static bool is_read_only(const char *method)
{
    return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

void status_answer(const struct status_facts *facts, const struct status_request *request,
                   struct status_reply *ret_reply)
{
    const struct route *route = find_route(request->path);

    *ret_reply = (struct status_reply){0};
    buffer_init(&ret_reply->body, BODY_CEILING);
    if (!is_addressed(facts->settings, request)) {
        say(ret_reply, 421,
            "this server is not known by that name: ask for it by its address, by a name without a "
            "dot or by the machine's host name, or set CONFOMEET_STATUS_TOKEN");
    } else if (!is_read_only(request->method)) {
        ret_reply->allow = "GET, HEAD";
        say(ret_reply, 405, "this can only be read");
    } else if (request->has_body) {
        say(ret_reply, 400, "a request for reading has no body");
    } else if (!route->open && !has_token(facts->settings, request->authorization)) {
        ret_reply->ask_for_token = true;
        say(ret_reply, 401, "a token is needed: Authorization: Bearer <CONFOMEET_STATUS_TOKEN>");
    } else if (request->parameter_count > STATUS_MOST_PARAMETERS) {
        say(ret_reply, 400, "too many parameters");
    } else {
        route->answer(facts, request, ret_reply);
    }
    if (ret_reply->body.failed) {
        buffer_done(&ret_reply->body);
        buffer_init(&ret_reply->body, BODY_CEILING);
        say(ret_reply, 500, "no memory for the answer, or it is too long");
    }
}
