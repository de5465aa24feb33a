#include "finalize/delivery/engine.h"

#include "finalize/base/clock.h"
#include "finalize/delivery/pace.h"
#include "finalize/hash/hasher.h"

#include <string.h>
#include <time.h>

#define MOST_DELIVERIES 16u /* at once; each has a file open */
#define TICK_MS         250u
#define GIVE_WAY_MS     1000u /* for requests under way */

struct active {
    struct delivery *delivery;
    unsigned reads;    /* of it, with the hasher */
    bool ended;        /* to be closed once no read is left */
    uint64_t until_ms; /* it wants to be asked again then; UINT64_MAX: when something reports */
};

struct engine {
    struct loop *loop;
    struct hasher *hasher;
    const struct engine_source *source;
    const struct engine_limits *limits;
    struct pace pace;
    struct active active[MOST_DELIVERIES];
    unsigned count;
    bool source_is_empty;

    enum engine_end ends_for; /* ENGINE_ALL_ENDED: it goes on */
    uint64_t others_until_ms; /* requests under way are waited for until then, */
    uint64_t last_until_ms;   /* and until then while there is one that must finish */
};

static struct active *find_active(struct engine *engine, const void *delivery)
{
    for (unsigned i = 0; i < engine->count; i++)
        if (engine->active[i].delivery == delivery)
            return &engine->active[i];
    return NULL;
}

static bool take_new(struct engine *engine, struct error *err)
{
    while (!engine->source_is_empty && !engine->ends_for && engine->count < MOST_DELIVERIES &&
           engine->count < engine->pace.now) {
        struct delivery *delivery = NULL;

        if (!engine->source->next(engine->source->context, &delivery, err))
            return false;
        if (delivery)
            engine->active[engine->count++] = (struct active){.delivery = delivery};
        else
            engine->source_is_empty = true;
    }
    return true;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* Asks one delivery for steps until it has none for now. */
static bool pump(struct engine *engine, struct active *active, struct error *err)
{
    struct delivery_step step;

    active->until_ms = UINT64_MAX;
    while (!active->ended) {
        bool may_send = !engine->ends_for && loop_pending(engine->loop) < engine->pace.now;

        if (!delivery_next(active->delivery, may_send, clock_now_ms(), time(NULL), &step, err))
            return false;
        switch (step.kind) {
        case UPLOAD_STEP_REQUEST:
            if (loop_start(engine->loop, &step.request, active->delivery, step.slot, err))
                break;
            http_request_done(&step.request);
            return false;
        case UPLOAD_STEP_READ:
            if (!hasher_submit(engine->hasher, &step.read))
                return error_set(err, ERROR_TRANSIENT, "too many reads at once");
            active->reads++;
            break;
        case UPLOAD_STEP_END:
            loop_cancel(engine->loop, active->delivery);
            active->ended = true;
            return engine->source->ended(engine->source->context, active->delivery, err);
        case UPLOAD_STEP_PAUSE:
            active->until_ms = step.until_ms;
            return true;
        case UPLOAD_STEP_NONE:
            return true;
        }
    }
    return true;
}

static bool pump_all(struct engine *engine, struct error *err)
{
    for (unsigned i = 0; i < engine->count; i++)
        if (!pump(engine, &engine->active[i], err))
            return false;
    return true;
}

/* ---- what came of them ---------------------------------------------------------------------- */

static bool collect_reads(struct engine *engine, struct error *err)
{
    struct hasher_result result;

    while (hasher_collect(engine->hasher, &result)) {
        struct active *active = find_active(engine, result.owner);

        active->reads--;
        if (!active->ended && !delivery_take_bytes(active->delivery, result.slot, &result, err))
            return false;
    }
    return true;
}

static bool collect_replies(struct engine *engine, struct error *err)
{
    struct loop_reply reply;

    while (loop_collect(engine->loop, &reply)) {
        struct active *active = find_active(engine, reply.owner);
        bool ok = true;

        if (active)
            ok = delivery_take_reply(active->delivery, reply.slot, &reply.http, clock_now_ms(),
                                     time(NULL), &engine->pace, err);
        else
            credentials_take_reply(reply.owner, &reply.http, time(NULL), clock_now_ms());

        http_reply_done(&reply.http);
        if (!ok)
            return false;
    }
    return true;
}

/* True when some were closed: there is room for others then. */
static bool close_ended(struct engine *engine)
{
    unsigned before = engine->count;

    for (unsigned i = 0; i < engine->count;) {
        if (!engine->active[i].ended || engine->active[i].reads) {
            i++;
            continue;
        }
        delivery_close(engine->active[i].delivery);
        engine->active[i] = engine->active[--engine->count];
    }
    return engine->count < before;
}

static void report_progress(struct engine *engine)
{
    uint64_t held = 0;
    uint64_t kept = 0;

    for (unsigned i = 0; i < engine->count; i++) {
        uint64_t held_of_one, kept_of_one;

        if (engine->active[i].ended)
            continue;
        delivery_progress(engine->active[i].delivery, &held_of_one, &kept_of_one);
        held += held_of_one;
        kept += kept_of_one;
    }
    engine->source->progress(engine->source->context, held, kept,
                             loop_bytes_under_way(engine->loop));
}

/* Keys are asked for beside the deliveries, which go on as long as those that there are are good.
 */
static bool renew_keys(struct engine *engine, struct error *err)
{
    struct credentials *credentials = engine->source->credentials;
    struct http_request request;

    if (!credentials || engine->ends_for ||
        !credentials_next(credentials, clock_now_ms(), &request) ||
        loop_start(engine->loop, &request, credentials, 0, err))
        return true;
    http_request_done(&request);
    return false;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static uint64_t next_deadline(const struct engine *engine, uint64_t now_ms)
{
    uint64_t deadline_ms = now_ms + TICK_MS;

    if (!engine->ends_for && engine->limits->deadline_ms < deadline_ms)
        deadline_ms = engine->limits->deadline_ms;
    for (unsigned i = 0; i < engine->count; i++)
        if (engine->active[i].until_ms < deadline_ms)
            deadline_ms = engine->active[i].until_ms;
    return deadline_ms;
}

/* Takes what came and asks for what is next. The loop sends nothing before it is waited for: the
 * journal knows of every request by then. */
static bool take_steps(struct engine *engine, struct error *err)
{
    struct journal *journal = engine->source->journal;
    struct error of_commit = ERROR_INIT;
    bool ok;

    if (!journal_begin(journal, err))
        return false;
    ok = collect_reads(engine, err) && collect_replies(engine, err) && renew_keys(engine, err) &&
         take_new(engine, err) && pump_all(engine, err);
    /* Rows that were written before a failure are kept: they are true. */
    return journal_commit(journal, ok ? err : &of_commit) && ok;
}

static void begin_to_end(struct engine *engine, enum engine_end why, uint64_t others_ms,
                         uint64_t last_ms)
{
    uint64_t now_ms = clock_now_ms();

    engine->ends_for = why;
    engine->others_until_ms = now_ms + others_ms;
    engine->last_until_ms = last_ms < UINT64_MAX - now_ms ? now_ms + last_ms : UINT64_MAX;
}

/* Whether it is to end before all deliveries have. */
static void look_for_end(struct engine *engine)
{
    const struct engine_limits *limits = engine->limits;

    if (engine->ends_for == ENGINE_ALL_ENDED && limits->give_way &&
        limits->give_way(limits->stop_context))
        begin_to_end(engine, ENGINE_GAVE_WAY, GIVE_WAY_MS, UINT64_MAX);
    if (engine->ends_for == ENGINE_ALL_ENDED || engine->ends_for == ENGINE_GAVE_WAY) {
        if (limits->stop_requested(limits->stop_context))
            begin_to_end(engine, ENGINE_STOPPED, 0, ENGINE_GRACE_MS);
        else if (clock_now_ms() >= limits->deadline_ms)
            begin_to_end(engine, ENGINE_OUT_OF_TIME, 0, ENGINE_GRACE_MS);
    }
}

static bool has_ended(const struct engine *engine)
{
    if (!engine->count && engine->source_is_empty)
        return true;
    return engine->ends_for &&
           (!loop_pending(engine->loop) ||
            clock_now_ms() >=
                (loop_must_finish(engine->loop) ? engine->last_until_ms : engine->others_until_ms));
}

static bool turn(struct engine *engine, bool *ret_going, struct error *err)
{
    uint64_t now_ms, deadline_ms;
    bool closed_some;

    look_for_end(engine);
    if (!take_steps(engine, err))
        return false;
    pace_measure(&engine->pace, loop_pending(engine->loop), loop_bytes_sent(engine->loop),
                 clock_now_ms());
    closed_some = close_ended(engine);
    report_progress(engine);
    *ret_going = !has_ended(engine);
    if (!*ret_going || closed_some)
        return true;
    now_ms = clock_now_ms();
    deadline_ms = next_deadline(engine, now_ms);
    return loop_wait(engine->loop, deadline_ms > now_ms ? deadline_ms - now_ms : 0, err);
}

bool engine_run(struct loop *loop, const struct engine_source *source,
                const struct engine_limits *limits, enum engine_end *ret_end, struct error *err)
{
    struct engine engine = {.loop = loop, .source = source, .limits = limits};
    bool going = true;
    bool ok = false;

    if (!hasher_open(loop_wake, loop, &engine.hasher, err))
        return false;
    pace_init(&engine.pace, limits->parallel);
    while (going)
        if (!turn(&engine, &going, err))
            goto out;
    *ret_end = engine.count || !engine.source_is_empty ? engine.ends_for : ENGINE_ALL_ENDED;
    ok = true;
out:
    hasher_close(engine.hasher); /* first: it reads the deliveries' files */
    for (unsigned i = 0; i < engine.count; i++) {
        loop_cancel(loop, engine.active[i].delivery);
        delivery_close(engine.active[i].delivery);
    }
    if (source->credentials) {
        loop_cancel(loop, source->credentials);
        credentials_cancel(source->credentials);
    }
    return ok;
}
