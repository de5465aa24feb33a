/* dispatch - which session directories are looked at when, and which workers are started for them.
 */
#include "watcher/dispatch_private.h"

#include "finalize/lifecycle/interrupted.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"
#include "finalize/session/file_name.h"
#include "watcher/policy.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_ROWS_EVERY_S  2 /* while the journal is being written to */
#define SEND_PARTS_EVERY_S 4 /* of one session: a part takes many seconds to be written */
#define CLOCK_WAS_SET_S    2 /* more than the two clocks may differ from one call to the next */
#define CONFIRM_S          2 /* a row that says WORKING though no process holds its lock */
#define MOST_FINALIZERS    2u
#define MOST_LEFT_DUE      3u
#define END_PATIENCE_MS    200u /* for the journal, once all is to end */
#define WAKE_AT_ONCE       4u   /* sessions that wait for a worker, when one has ended */

/* ---- telling --------------------------------------------------------------------------------- */

static void say(enum settings_log_level level, const char *directory, const char *what,
                const char *why)
{
    const struct log_field fields[] = {{"session", file_name_of(directory)}, {0}};

    log_line(level, fields, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

/* An error that lasts is logged once. */
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
    struct watched_session *session = watched_get(&dispatch->sessions, directory);

    if (session && !session->waits_for_worker && (!session->look_at || session->look_at > at))
        session->look_at = at;
}

void dispatch_note_session(struct dispatch *dispatch, const char *directory)
{
    const char *name = file_name_of(directory);

    if (name[0] != '.' && strcmp(name, "lost+found") != 0)
        dispatch_look_soon(dispatch, directory, dispatch->now);
}

void dispatch_note_all(struct dispatch *dispatch)
{
    DIR *list = opendir(dispatch->recordings_dir);
    char path[SESSION_PATH_SIZE];
    const struct dirent *entry;

    dispatch->rows_changed = true;
    for (size_t i = 0; i < dispatch->sessions.count; i++)
        if (!dispatch->sessions.list[i].waits_for_worker)
            dispatch->sessions.list[i].look_at = dispatch->now;
    while (list && (entry = readdir(list)) != NULL) {
        if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
            continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", dispatch->recordings_dir, entry->d_name) <
            sizeof path)
            dispatch_note_session(dispatch, path);
    }
    if (list)
        closedir(list);
}

/* ---- starting workers ------------------------------------------------------------------------ */

int64_t dispatch_start_worker(struct dispatch *dispatch, enum worker_kind kind, const char *subject)
{
    uint64_t wait_ms = starts_wait_ms(&dispatch->starts, kind, subject, dispatch->now_ms);
    struct error failure = ERROR_INIT;

    if (wait_ms)
        return (int64_t)(wait_ms + 999) / 1000;
    starts_note(&dispatch->starts, kind, subject, dispatch->now_ms);
    if (worker_start(&dispatch->workers, kind, subject, dispatch->config, &failure))
        return 0;
    dispatch_say_trouble(dispatch, &failure);
    return LOOK_AFTER_TROUBLE_S;
}

static bool is_room_for(const struct dispatch *dispatch, enum worker_kind kind)
{
    unsigned most = kind == WORKER_FINALIZE && !dispatch->failed_probes ? MOST_FINALIZERS : 1;

    return worker_count(&dispatch->workers, kind) < most;
}

static void send_worker(struct dispatch *dispatch, struct watched_session *session,
                        enum worker_kind kind, const char *reason)
{
    int64_t pause_s;

    session->look_at = 0;
    if (!is_room_for(dispatch, kind)) {
        session->waits_for_worker = true;
        return;
    }
    pause_s = dispatch_start_worker(dispatch, kind, session->directory);
    if (pause_s) {
        session->look_at = dispatch->now + pause_s;
        return;
    }
    session->working = true;
    if (reason)
        say(SETTINGS_LOG_INFO, session->directory, "finalizing", reason);
}

/* A run that was killed may begin again at once. When three in a row have left the work due, its
 * next try is written down, as after any failure. */
static bool is_held_off(struct dispatch *dispatch, struct watched_session *session,
                        enum worker_kind kind)
{
    struct error failure = ERROR_INIT;

    if (!session->ended || session->left_due < MOST_LEFT_DUE)
        return false;
    session->look_at = dispatch->now + 1;
    if (!interrupted_note(dispatch->settings, dispatch->journal, session->directory,
                          kind == WORKER_SEND_PARTS, dispatch->now, &dispatch->rng, &failure)) {
        session->look_at = dispatch->now + LOOK_AFTER_TROUBLE_S;
        dispatch_say_trouble(dispatch, &failure);
    }
    return true;
}

static void act(struct dispatch *dispatch, struct watched_session *session,
                const struct policy_decision *decision)
{
    if (decision->worker == WORKER_KINDS) {
        session->look_at = decision->look_at;
        if (session->ended)
            session->left_due = 0;
    } else if (!is_held_off(dispatch, session, decision->worker)) {
        send_worker(dispatch, session, decision->worker, decision->reason);
    }
    session->ended = false;
}

/* A change whose time has not come yet counts from when it was first seen. */
static void note_change(struct watched_session *session, struct facts *facts, int64_t now)
{
    if (facts->ahead != session->ahead || session->ahead_since > now) {
        session->ahead = facts->ahead;
        session->ahead_since = now;
    }
    if (facts->ahead && session->ahead_since > facts->changed_at)
        facts->changed_at = session->ahead_since;
}

/* A run that ends removes the directory just before it writes its outcome, and its row may have
 * been read before it did: one that seems to have been killed is looked at again. */
static bool may_be_ending(struct watched_session *session, const struct facts *facts, int64_t now)
{
    if (!facts->known || facts->state != JOURNAL_RECORDING_WORKING || facts->locked ||
        facts->handed_over) {
        session->unheld_since = 0;
        return false;
    }
    if (!session->unheld_since || session->unheld_since > now)
        session->unheld_since = now;
    return now < session->unheld_since + CONFIRM_S;
}

/* False when it need not be looked at any more. */
static bool look_at(struct dispatch *dispatch, struct watched_session *session)
{
    struct facts facts = {.handed_over = session->handed_over};
    struct policy_decision decision;
    struct error failure = ERROR_INIT;
    int64_t now = dispatch->now;

    session->look_at = 0;
    if (session->working)
        return true; /* looked at when its worker has ended */
    if (!facts_gather(dispatch->settings, dispatch->journal, session->directory, now, &facts,
                      &failure)) {
        session->look_at = now + LOOK_AFTER_TROUBLE_S;
        if (failure.kind == ERROR_DAMAGED)
            dispatch_take_journal_failure(dispatch, &failure);
        else if (failure.kind != ERROR_NO_INPUT) /* it vanished while it was looked at */
            dispatch_say_trouble(dispatch, &failure);
        return true;
    }
    note_change(session, &facts, now);
    decision = policy_decide(dispatch->settings, &facts, now);
    if (may_be_ending(session, &facts, now))
        decision = (struct policy_decision){.worker = WORKER_KINDS, .look_at = now + CONFIRM_S};
    act(dispatch, session, &decision);
    return facts.exists || session->look_at || session->working || session->waits_for_worker;
}

static void look_at_due(struct dispatch *dispatch)
{
    for (size_t i = 0; i < dispatch->sessions.count && dispatch->journal;) {
        struct watched_session *session = &dispatch->sessions.list[i];

        if (!session->look_at || session->look_at > dispatch->now || look_at(dispatch, session))
            i++;
        else
            watched_remove(&dispatch->sessions, session);
    }
}

/* ---- workers that have ended ----------------------------------------------------------------- */

/* True when some were woken. */
static bool wake_waiting(struct dispatch *dispatch)
{
    unsigned woken = 0;

    for (size_t i = 0; i < dispatch->sessions.count && woken < WAKE_AT_ONCE; i++) {
        struct watched_session *session = &dispatch->sessions.list[i];

        if (!session->waits_for_worker)
            continue;
        session->waits_for_worker = false;
        session->look_at = dispatch->now;
        woken++;
    }
    return woken > 0;
}

/* Sessions that were woken may have had nothing to do for a worker any more. */
static bool is_a_session_worked_on(const struct dispatch *dispatch)
{
    return worker_count(&dispatch->workers, WORKER_SEND_PARTS) ||
           worker_count(&dispatch->workers, WORKER_FINALIZE);
}

/* A run that was killed could not write down how it ended. */
static void release_row(void *context, const struct worker *worker)
{
    struct dispatch *dispatch = context;
    struct error failure = ERROR_INIT;

    if (worker->kind == WORKER_FINALIZE && dispatch_have_journal(dispatch) &&
        !interrupted_release(dispatch->settings, dispatch->journal, worker->subject, dispatch->now,
                             &failure))
        dispatch_say_trouble(dispatch, &failure);
}

/* What a run left undone is in the journal, with a time for the next try. */
static void take_end(struct dispatch *dispatch, const struct worker *worker, int exit_code)
{
    struct watched_session *session = watched_get(&dispatch->sessions, worker->subject);

    if (exit_code >= 128)
        say(SETTINGS_LOG_ERROR, worker->subject, "a worker ended by a signal",
            strsignal(exit_code - 128));
    release_row(dispatch, worker);
    if (!session)
        return;
    session->working = false;
    session->ended = true;
    session->left_due = worker->kind == WORKER_SEND_PARTS && exit_code == EXPLAIN_EXIT_OK
                            ? 0
                            : session->left_due + 1;
    session->look_at = dispatch->now + (worker->kind == WORKER_SEND_PARTS ? SEND_PARTS_EVERY_S : 0);
}

static void collect_workers(struct dispatch *dispatch)
{
    struct worker worker;
    int exit_code;

    while (worker_collect(&dispatch->workers, &worker, &exit_code)) {
        if (worker.kind == WORKER_PROBE || worker.kind == WORKER_EVENTS ||
            worker.kind == WORKER_HOUSEKEEPING)
            dispatch_take_chore(dispatch, worker.kind, exit_code);
        else
            take_end(dispatch, &worker, exit_code);
        free(worker.subject);
        (void)wake_waiting(dispatch);
    }
}

/* ---- for the loop ---------------------------------------------------------------------------- */

/* After the clock was set, times that were planned by the old one are dropped. */
static void take_time(struct dispatch *dispatch, int64_t now, uint64_t now_ms)
{
    int64_t ahead_s = now - dispatch->now - (int64_t)(now_ms - dispatch->now_ms) / 1000;

    dispatch->now = now;
    dispatch->now_ms = now_ms;
    if (ahead_s >= -CLOCK_WAS_SET_S && ahead_s <= CLOCK_WAS_SET_S)
        return;
    dispatch->answered_at = 0;
    dispatch->rows_read_at = 0;
    dispatch->due_at[WORKER_PROBE] = 0;
    dispatch->due_at[WORKER_HOUSEKEEPING] = now;
    dispatch_note_all(dispatch);
}

void dispatch_begin(struct dispatch *dispatch, int64_t now, uint64_t now_ms)
{
    rng_seed_from_system(&dispatch->rng);
    take_time(dispatch, now, now_ms);
}

void dispatch_end(struct dispatch *dispatch, unsigned patience_ms)
{
    if (dispatch->journal)
        journal_set_patience(dispatch->journal, END_PATIENCE_MS);
    worker_stop_all(&dispatch->workers, patience_ms, release_row, dispatch);
    watched_done(&dispatch->sessions);
    dispatch_close_journal(dispatch);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a && (!b || a < b) ? a : b;
}

int64_t dispatch_run(struct dispatch *dispatch, int64_t now, uint64_t now_ms)
{
    int64_t next;

    take_time(dispatch, now, now_ms);
    collect_workers(dispatch);
    if (dispatch->suspended)
        return 0;
    if (!dispatch_have_journal(dispatch))
        return now + LOOK_AFTER_TROUBLE_S;
    if (dispatch->rows_changed && now >= dispatch->rows_read_at + READ_ROWS_EVERY_S)
        dispatch_read_journal(dispatch);
    look_at_due(dispatch);
    while (dispatch->journal && !is_a_session_worked_on(dispatch) && wake_waiting(dispatch))
        look_at_due(dispatch);
    dispatch_do_chores(dispatch);
    next = watched_next_look(&dispatch->sessions);
    for (unsigned kind = 0; kind < WORKER_KINDS; kind++)
        next = earlier(dispatch->due_at[kind], next);
    return dispatch->rows_changed ? earlier(dispatch->rows_read_at + READ_ROWS_EVERY_S, next)
                                  : next;
}
