#include "watcher/http/status_recordings.h"

#include "finalize/base/number.h"
#include "finalize/report/report.h"
#include "finalize/report/report_json.h"
#include "finalize/session/recordings_dir.h"

#include <stdio.h>
#include <string.h>

#define JSON_CEILING   (2u * 1024 * 1024)
#define DEFAULT_LIMIT  100u
#define MOST_LIMIT     200u
#define MOST_OFFSET    1000000u
#define DEFAULT_EVENTS 200u
#define MOST_EVENTS    1000u

struct query {
    int64_t id; /* of the one recording; 0: those that the filter lets through */
    unsigned events;
    struct report_filter filter;
};

/* ---- parameters ------------------------------------------------------------------------------ */

static bool read_filter(const struct status_request *request, struct report_filter *ret_filter)
{
    uint64_t offset = 0, limit = DEFAULT_LIMIT;

    for (unsigned i = 0; i < request->parameter_count; i++) {
        const struct status_parameter *parameter = &request->parameters[i];
        bool ok = false;

        if (!strcmp(parameter->name, "state"))
            ok = !ret_filter->states && report_states_read(parameter->value, &ret_filter->states);
        else if (!strcmp(parameter->name, "limit"))
            ok = number_read(parameter->value, 1, MOST_LIMIT, &limit);
        else if (!strcmp(parameter->name, "offset"))
            ok = number_read(parameter->value, 0, MOST_OFFSET, &offset);
        if (!ok)
            return false;
    }
    ret_filter->skip = (unsigned)offset;
    ret_filter->most = (unsigned)limit;
    return true;
}

static bool read_events(const struct status_request *request, unsigned *ret_events)
{
    uint64_t events = DEFAULT_EVENTS;

    for (unsigned i = 0; i < request->parameter_count; i++)
        if (strcmp(request->parameters[i].name, "events") != 0 ||
            !number_read(request->parameters[i].value, 1, MOST_EVENTS, &events))
            return false;
    *ret_events = (unsigned)events;
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* A stream into the reply's body; NULL without memory. */
static FILE *open_body(struct status_reply *reply)
{
    buffer_done(&reply->body);
    buffer_init(&reply->body, JSON_CEILING);
    return buffer_stream(&reply->body);
}

static void answer(struct status_exchange *exchange, const struct query *query)
{
    const struct status_facts *facts = exchange->facts;
    struct status_reply *reply = exchange->reply;
    const struct report_source source = {.journal = facts->journal,
                                         .recordings_dir = facts->recordings_dir,
                                         .root = recordings_dir_of(facts->settings)};
    const struct report_json_about about = {
        .instance = facts->settings->instance_id, .watcher = 1, .now = facts->now};
    FILE *out = open_body(reply);
    struct report *report = NULL;
    struct error err = ERROR_INIT;
    bool found = true;
    bool ok =
        out && report_open(&source, &report, &err) &&
        (query->id ? report_json_events(report, query->id, query->events, &about, out, &found, &err)
                   : report_json_recordings(report, &query->filter, &about, out, NULL, &err));

    report_close(report);
    if (out)
        (void)fclose(out);
    reply->status = 200;
    reply->content_type = "application/json";
    if (!ok && !reply->body.failed)
        status_exchange_say(exchange, 503, "%s", out ? err.text : "no memory for the answer");
    else if (!found)
        status_exchange_say(exchange, 404, "there is no such recording");
}

void status_recordings_answer(struct status_exchange *exchange)
{
    struct query query = {0};

    if (read_filter(exchange->request, &query.filter))
        answer(exchange, &query);
    else
        status_exchange_say(exchange, 400,
                            "known are state (names, with commas), limit (1 to 200) and offset");
}

void status_recording_answer(struct status_exchange *exchange)
{
    const char *name = exchange->request->path + strlen(STATUS_RECORDINGS_PATH "/");
    struct query query = {0};
    uint64_t id;

    if (!number_read(name, 1, INT64_MAX, &id)) {
        status_exchange_say(exchange, 404, "a recording is asked for by its id");
        return;
    }
    query.id = (int64_t)id;
    if (read_events(exchange->request, &query.events))
        answer(exchange, &query);
    else
        status_exchange_say(exchange, 400, "known is events (1 to 1000)");
}
