#include "watcher/dispatch_private.h"

#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/schedule.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "watcher/facts.h"
#include "watcher/policy.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_ROWS_EVERY_S    2 /* while the journal is being written to */
#define LOOK_AFTER_TROUBLE_S 60
#define SEND_PARTS_EVERY_S   2 /* of one session: whatever it is that a worker can't send */
#define HOUSEKEEPING_EVERY_S 600
#define MOST_FINALIZERS      2u
#define MOST_SENDERS         1u
#define WAKE_AT_ONCE         4u /* sessions that wait for a worker, when one has ended */

/* ---- telling --------------------------------------------------------------------------------- */

static const char *name_of(const char *directory)
{
    const char *slash = strrchr(directory, '/');

    return slash ? slash + 1 : directory;
}

static void say(enum settings_log_level level, const char *directory, const char *what,
                const char *why)
{
    const struct log_field fields[] = {{"session", name_of(directory)}, {0}};

    log_line(level, fields, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

/* What goes on and on is said once. */
void dispatch_say_trouble(struct dispatch *dispatch, const struct error *error)
{
    if (!strcmp(dispatch->last_trouble, error->text))
        return;
    snprintf(dispatch->last_trouble, sizeof dispatch->last_trouble, "%s", error->text);
    log_line(SETTINGS_LOG_ERROR, NULL, "%s; what to do: %s", error->text, explain_advice(error));
}

/* ---- what there is to look at ---------------------------------------------------------------- */

void dispatch_look_soon(struct dispatch *dispatch, const char *directory, int64_t at)
{
    struct session *session = sessions_get(&dispatch->sessions, directory);

    if (session && !session->waits_for_worker && (!session->look_at || session->look_at > at))
        session->look_at = at;
}

void dispatch_note_session(struct dispatch *dispatch, const char *directory, int64_t now)
{
    const char *name = name_of(directory);

    if (name[0] != '.' && strcmp(name, "lost+found") != 0)
        dispatch_look_soon(dispatch, directory, now);
}

void dispatch_note_journal(struct dispatch *dispatch)
{
    dispatch->rows_changed = true;
}

void dispatch_note_all(struct dispatch *dispatch, int64_t now)
{
    DIR *list = opendir(dispatch->recordings_dir);
    char path[SESSION_PATH_SIZE];
    const struct dirent *entry;

    dispatch->rows_changed = true;
    for (size_t i = 0; i < dispatch->sessions.count; i++)
        if (!dispatch->sessions.list[i].waits_for_worker)
            dispatch->sessions.list[i].look_at = now;
    while (list && (entry = readdir(list)) != NULL) {
        if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
            continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", dispatch->recordings_dir, entry->d_name) <
            sizeof path)
            dispatch_note_session(dispatch, path, now);
    }
    if (list)
        closedir(list);
}

/* ---- sending workers ------------------------------------------------------------------------- */

static bool is_room_for(const struct dispatch *dispatch, enum worker_kind kind)
{
    unsigned most = 1;

    if (kind == WORKER_FINALIZE && !dispatch->outage.suspected)
        most = MOST_FINALIZERS;
    else if (kind == WORKER_SEND_PARTS)
        most = MOST_SENDERS;
    return worker_count(&dispatch->workers, kind) < most;
}

static void send_worker(struct dispatch *dispatch, struct session *session, enum worker_kind kind,
                        const char *reason, int64_t now)
{
    struct error failure = ERROR_INIT;

    session->look_at = 0;
    if (session->not_before > now && session->failed_kind == kind) {
        session->look_at = session->not_before;
    } else if (!is_room_for(dispatch, kind)) {
        session->waits_for_worker = true;
    } else if (worker_start(&dispatch->workers, kind, session->directory, dispatch->config,
                            &failure)) {
        session->working = true;
        if (reason)
            say(SETTINGS_LOG_INFO, session->directory, "finalizing", reason);
    } else {
        dispatch_say_trouble(dispatch, &failure);
        session->look_at = now + LOOK_AFTER_TROUBLE_S;
    }
}

static void act(struct dispatch *dispatch, struct session *session,
                const struct policy_decision *decision, int64_t now)
{
    switch (decision->action) {
    case POLICY_NOTHING:
        session->look_at = decision->look_at;
        break;
    case POLICY_SEND_PARTS:
        send_worker(dispatch, session, WORKER_SEND_PARTS, NULL, now);
        break;
    case POLICY_FINALIZE:
        send_worker(dispatch, session, WORKER_FINALIZE, decision->reason, now);
        break;
    case POLICY_GIVE_UP:
        send_worker(dispatch, session, WORKER_GIVE_UP, decision->reason, now);
        break;
    }
}

static void note_existence(struct session *session, const struct policy_facts *facts, int64_t now)
{
    bool finished = facts->known && (facts->state == JOURNAL_RECORDING_DONE ||
                                     facts->state == JOURNAL_RECORDING_ABANDONED);

    if (facts->exists || finished) {
        session->gone_since = 0;
    } else if (facts->known && !session->gone_since) {
        session->gone_since = now;
        say(SETTINGS_LOG_WARNING, session->directory,
            "its directory is gone, though it isn't all safe yet; it is given up in a day", NULL);
    }
}

/* A change whose time has not come yet counts from when it was first seen. */
static void note_change(struct session *session, struct policy_facts *facts, int64_t now)
{
    if (facts->ahead != session->ahead || session->ahead_since > now) {
        session->ahead = facts->ahead;
        session->ahead_since = now;
    }
    if (facts->ahead && session->ahead_since > facts->changed_at)
        facts->changed_at = session->ahead_since;
}

/* Returns false when there is no reason to keep an eye on it any more. */
static bool look_at(struct dispatch *dispatch, struct session *session, int64_t now)
{
    struct policy_facts facts = {.handed_over = session->handed_over};
    struct policy_decision decision;
    struct error failure = ERROR_INIT;

    session->look_at = 0;
    if (session->working)
        return true; /* looked at when its worker has ended */
    if (!facts_gather(dispatch->settings, dispatch->journal, session->directory, now, &facts,
                      &failure)) {
        session->look_at = now + LOOK_AFTER_TROUBLE_S;
        if (failure.kind == ERROR_DAMAGED)
            dispatch_take_journal_failure(dispatch, &failure);
        else if (failure.kind != ERROR_NO_INPUT) /* it went while it was looked at */
            dispatch_say_trouble(dispatch, &failure);
        return true;
    }
    note_existence(session, &facts, now);
    if (!facts.exists && session->handed_over &&
        !journal_take_over(dispatch->journal, session->directory, &failure))
        dispatch_say_trouble(dispatch, &failure);
    note_change(session, &facts, now);
    facts.gone_since = session->gone_since;
    decision = policy_decide(dispatch->settings, &facts, now);
    act(dispatch, session, &decision, now);
    return facts.exists || session->look_at || session->working || session->waits_for_worker;
}

static void look_at_due(struct dispatch *dispatch, int64_t now)
{
    for (size_t i = 0; i < dispatch->sessions.count && dispatch->journal;) {
        struct session *session = &dispatch->sessions.list[i];

        if (!session->look_at || session->look_at > now || look_at(dispatch, session, now))
            i++;
        else
            sessions_remove(&dispatch->sessions, session);
    }
}

/* ---- workers that have ended ----------------------------------------------------------------- */

/* True when some were woken. */
static bool wake_waiting(struct dispatch *dispatch, int64_t now)
{
    unsigned woken = 0;

    for (size_t i = 0; i < dispatch->sessions.count && woken < WAKE_AT_ONCE; i++) {
        struct session *session = &dispatch->sessions.list[i];

        if (!session->waits_for_worker)
            continue;
        session->waits_for_worker = false;
        session->look_at = now;
        woken++;
    }
    return woken > 0;
}

/* Those that were woken may have had nothing to do for a worker any more. */
static bool is_anybody_at_work(const struct dispatch *dispatch)
{
    return worker_count(&dispatch->workers, WORKER_SEND_PARTS) ||
           worker_count(&dispatch->workers, WORKER_FINALIZE) ||
           worker_count(&dispatch->workers, WORKER_GIVE_UP);
}

static void servers_are_back(struct dispatch *dispatch, int64_t now)
{
    struct error failure = ERROR_INIT;

    log_line(SETTINGS_LOG_INFO, NULL, "the servers answer again: what waits is tried now");
    for (size_t i = 0; i < dispatch->sessions.count; i++)
        dispatch->sessions.list[i].not_before = 0;
    dispatch_note_all(dispatch, now);
    if (dispatch->journal && !journal_hurry(dispatch->journal, false, now, &failure))
        dispatch_take_journal_failure(dispatch, &failure);
}

static void take_probe(struct dispatch *dispatch, int exit_code, int64_t now)
{
    if (exit_code != EXPLAIN_EXIT_OK)
        outage_probe_failed(&dispatch->outage, dispatch->settings, now, &dispatch->rng);
    else if (outage_probe_succeeded(&dispatch->outage))
        servers_are_back(dispatch, now);
}

/* What a run of the finalizer left undone is in the journal, with a time for the next try. What
 * isn't there has its pauses here, so that a worker that crashes isn't sent again and again. */
static void take_end(struct dispatch *dispatch, const struct worker *worker, int exit_code,
                     int64_t now)
{
    struct session *session = sessions_get(&dispatch->sessions, worker->subject);
    bool planned = worker->kind == WORKER_FINALIZE &&
                   (exit_code == EXPLAIN_EXIT_LATER || exit_code == EXPLAIN_EXIT_PERSON);

    if (exit_code == EXPLAIN_EXIT_OK && worker->kind == WORKER_FINALIZE)
        outage_run_succeeded(&dispatch->outage);
    else if (exit_code == EXPLAIN_EXIT_LATER)
        outage_run_failed(&dispatch->outage, dispatch->settings, now, &dispatch->rng);
    if (!session)
        return;
    session->working = false;
    session->look_at = worker->kind == WORKER_SEND_PARTS ? now + SEND_PARTS_EVERY_S : now;
    if (exit_code == EXPLAIN_EXIT_OK || planned)
        session->failures = 0;
    else
        session->failures = session->failed_kind == worker->kind ? session->failures + 1 : 1;
    session->failed_kind = worker->kind;
    session->not_before =
        session->failures ? schedule_next_try(dispatch->settings, session->failures,
                                              exit_code != EXPLAIN_EXIT_LATER && exit_code < 128,
                                              now, &dispatch->rng)
                          : 0;
    if (exit_code >= 128)
        say(SETTINGS_LOG_ERROR, worker->subject, "a worker ended by a signal",
            strsignal(exit_code - 128));
}

static void collect_workers(struct dispatch *dispatch, int64_t now)
{
    struct worker worker;
    int exit_code;

    while (worker_collect(&dispatch->workers, &worker, &exit_code)) {
        if (worker.kind == WORKER_PROBE)
            take_probe(dispatch, exit_code, now);
        else if (worker.kind == WORKER_EVENTS)
            dispatch->rows_changed |= exit_code == EXPLAIN_EXIT_OK;
        else if (worker.kind != WORKER_HOUSEKEEPING)
            take_end(dispatch, &worker, exit_code, now);
        free(worker.subject);
        (void)wake_waiting(dispatch, now);
    }
}

/* ---- what is due by the clock ---------------------------------------------------------------- */

static void start_plain(struct dispatch *dispatch, enum worker_kind kind)
{
    struct error failure = ERROR_INIT;

    if (!worker_count(&dispatch->workers, kind) &&
        !worker_start(&dispatch->workers, kind, dispatch->recordings_dir, dispatch->config,
                      &failure))
        dispatch_say_trouble(dispatch, &failure);
}

static void do_chores(struct dispatch *dispatch, int64_t now)
{
    if (outage_probe_is_due(&dispatch->outage, now)) {
        dispatch->outage.probe_at = 0; /* planned again when it has ended */
        start_plain(dispatch, WORKER_PROBE);
    }
    if (dispatch->events_at && dispatch->events_at <= now) {
        dispatch->events_at = 0; /* read again when it has ended */
        start_plain(dispatch, WORKER_EVENTS);
    }
    if (dispatch->housekeeping_at <= now ||
        dispatch->housekeeping_at > now + HOUSEKEEPING_EVERY_S) {
        dispatch->housekeeping_at = now + HOUSEKEEPING_EVERY_S;
        start_plain(dispatch, WORKER_HOUSEKEEPING);
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a && (!b || a < b) ? a : b;
}

/* ---- for the loop ---------------------------------------------------------------------------- */

void dispatch_begin(struct dispatch *dispatch, int64_t now)
{
    rng_seed_from_system(&dispatch->rng);
    dispatch_note_all(dispatch, now);
}

void dispatch_end(struct dispatch *dispatch, unsigned patience_ms)
{
    worker_stop_all(&dispatch->workers, patience_ms);
    sessions_done(&dispatch->sessions);
    dispatch_close_journal(dispatch);
}

void dispatch_hurry(struct dispatch *dispatch, int64_t now)
{
    struct error failure = ERROR_INIT;

    for (size_t i = 0; i < dispatch->sessions.count; i++)
        dispatch->sessions.list[i].not_before = 0;
    if (dispatch->journal && !journal_hurry(dispatch->journal, true, now, &failure))
        dispatch_take_journal_failure(dispatch, &failure);
    dispatch_note_all(dispatch, now);
}

int64_t dispatch_run(struct dispatch *dispatch, int64_t now)
{
    int64_t next;

    collect_workers(dispatch, now);
    if (dispatch->suspended)
        return 0;
    if (!dispatch_have_journal(dispatch))
        return now + LOOK_AFTER_TROUBLE_S;
    if (dispatch->rows_changed &&
        (now >= dispatch->rows_read_at + READ_ROWS_EVERY_S || now < dispatch->rows_read_at))
        dispatch_read_journal(dispatch, now);
    look_at_due(dispatch, now);
    while (dispatch->journal && !is_anybody_at_work(dispatch) && wake_waiting(dispatch, now))
        look_at_due(dispatch, now);
    do_chores(dispatch, now);
    next = earlier(sessions_next_look(&dispatch->sessions), dispatch->outage.probe_at);
    next = earlier(dispatch->housekeeping_at, next);
    next = earlier(dispatch->events_at, next);
    return dispatch->rows_changed ? earlier(dispatch->rows_read_at + READ_ROWS_EVERY_S, next)
                                  : next;
}
