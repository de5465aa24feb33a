#include "watcher/http/status_recordings.h"

#include "finalize/report/report.h"
#include "finalize/report/report_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON           "application/json"
#define JSON_CEILING   (2u * 1024 * 1024)
#define DEFAULT_LIMIT  100u
#define MOST_LIMIT     200u
#define MOST_OFFSET    1000000u
#define DEFAULT_EVENTS 200u
#define MOST_EVENTS    1000u

/* ---- parameters ------------------------------------------------------------------------------ */

/* Digits alone, from `least` to `most`. */
static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t length = text ? strlen(text) : 0;

    if (!length || length > 18 || strspn(text, "0123456789") != length)
        return false;
    for (; *text; text++)
        number = number * 10 + (uint64_t)(*text - '0');
    if (number < least || number > most)
        return false;
    *ret_number = number;
    return true;
}

/* "failed,waiting" */
static bool read_states(const char *text, unsigned *ret_states)
{
    unsigned states = 0;
    char name[32];

    while (text) {
        size_t length = strcspn(text, ",");
        enum report_state state;

        if (!length || length >= sizeof name)
            return false;
        memcpy(name, text, length);
        name[length] = 0;
        if (!report_state_read(name, &state))
            return false;
        states |= REPORT_BIT(state);
        text = text[length] ? text + length + 1 : NULL;
    }
    *ret_states = states;
    return states != 0;
}

static bool read_filter(const struct status_request *request, struct report_filter *ret_filter)
{
    uint64_t offset = 0, limit = DEFAULT_LIMIT;

    for (unsigned i = 0; i < request->parameter_count; i++) {
        const struct status_parameter *parameter = &request->parameters[i];
        bool ok = false;

        if (!strcmp(parameter->name, "state"))
            ok = !ret_filter->states && read_states(parameter->value, &ret_filter->states);
        else if (!strcmp(parameter->name, "limit"))
            ok = read_number(parameter->value, 1, MOST_LIMIT, &limit);
        else if (!strcmp(parameter->name, "offset"))
            ok = read_number(parameter->value, 0, MOST_OFFSET, &offset);
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
            !read_number(request->parameters[i].value, 1, MOST_EVENTS, &events))
            return false;
    *ret_events = (unsigned)events;
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void refuse(struct status_reply *reply, unsigned status, const char *sentence)
{
    reply->status = status;
    reply->content_type = "text/plain; charset=utf-8";
    buffer_clear(&reply->body);
    buffer_append_format(&reply->body, "%s\n", sentence);
}

static ssize_t append(void *context, const char *bytes, size_t length)
{
    struct buffer *body = context;

    buffer_append(body, bytes, length);
    return body->failed ? 0 : (ssize_t)length;
}

/* A stream into the reply's body; NULL without memory. */
static FILE *open_body(struct status_reply *reply)
{
    buffer_done(&reply->body);
    buffer_init(&reply->body, JSON_CEILING);
    return fopencookie(&reply->body, "w", (cookie_io_functions_t){.write = append});
}

static bool open_report(const struct status_facts *facts, struct report **ret_report,
                        struct error *err)
{
    struct report_source source = {.journal = facts->journal,
                                   .recordings_dir = facts->recordings_dir,
                                   .media = facts->settings->media};

    return report_open(&source, ret_report, err);
}

static struct report_json_about about_us(const struct status_facts *facts)
{
    return (struct report_json_about){
        .instance = facts->settings->instance_id, .watcher = 1, .now = facts->now};
}

void status_recordings_answer(const struct status_facts *facts,
                              const struct status_request *request, struct status_reply *reply)
{
    struct report_json_about about = about_us(facts);
    struct report_filter filter = {0};
    struct report *report = NULL;
    struct error err = ERROR_INIT;
    FILE *out;
    bool ok;

    if (!read_filter(request, &filter)) {
        refuse(reply, 400, "known are state (names, with commas), limit (1 to 200) and offset");
        return;
    }
    out = open_body(reply);
    ok = out && open_report(facts, &report, &err) &&
         report_json_recordings(report, &filter, &about, out, NULL, &err);
    report_close(report);
    if (out)
        (void)fclose(out);
    reply->status = 200;
    reply->content_type = JSON;
    if (!ok && !reply->body.failed)
        refuse(reply, 503, out ? err.text : "no memory for the answer");
}

void status_recording_answer(const struct status_facts *facts, const struct status_request *request,
                             struct status_reply *reply)
{
    const char *name = request->path + strlen(STATUS_RECORDINGS_PATH "/");
    struct report_json_about about = about_us(facts);
    struct report *report = NULL;
    struct error err = ERROR_INIT;
    bool found = false;
    unsigned events;
    uint64_t id;
    FILE *out;
    bool ok;

    if (!read_number(name, 1, INT64_MAX, &id)) {
        refuse(reply, 404, "a recording is asked for by its id");
        return;
    }
    if (!read_events(request, &events)) {
        refuse(reply, 400, "known is events (1 to 1000)");
        return;
    }
    out = open_body(reply);
    ok = out && open_report(facts, &report, &err) &&
         report_json_events(report, (int64_t)id, events, &about, out, &found, &err);
    report_close(report);
    if (out)
        (void)fclose(out);
    reply->status = 200;
    reply->content_type = JSON;
    if (!ok && !reply->body.failed)
        refuse(reply, 503, out ? err.text : "no memory for the answer");
    else if (ok && !found)
        refuse(reply, 404, "there is no such recording");
}
