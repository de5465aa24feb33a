/* dispatch_chores - what the watcher does by the clock: it probes servers that did not answer,
 * delivers events, and tidies up. */
#include "watcher/dispatch_private.h"

#include "finalize/journal/schedule.h"
#include "finalize/program/explain.h"
#include "finalize/program/log.h"

#define HOUSEKEEPING_EVERY_S 600

/* ---- whether the servers answer -------------------------------------------------------------- */

void dispatch_plan_probe(struct dispatch *dispatch)
{
    if (!dispatch->failed_at) {
        dispatch->due_at[WORKER_PROBE] = 0;
        dispatch->failed_probes = 0;
    } else if (dispatch->failed_at > dispatch->answered_at && !dispatch->due_at[WORKER_PROBE] &&
               !worker_count(&dispatch->workers, WORKER_PROBE)) {
        dispatch->due_at[WORKER_PROBE] =
            schedule_next_try(dispatch->settings, SCHEDULE_PROBE, dispatch->failed_probes + 1,
                              dispatch->now, &dispatch->rng);
    }
}

/* Everything that waits is tried only when the servers had been gone. */
static void take_probe(struct dispatch *dispatch, bool answered)
{
    bool returned = answered && dispatch->failed_probes;

    dispatch->failed_probes = answered ? 0 : dispatch->failed_probes + 1;
    if (!answered) {
        dispatch_plan_probe(dispatch);
        return;
    }
    dispatch->answered_at = dispatch->now;
    if (!returned && !dispatch->asked_to_wait)
        return;
    log_line(SETTINGS_LOG_INFO, NULL, "the servers answer%s: what waits is tried now",
             returned ? " again" : "");
    dispatch_hurry(dispatch, false);
}

/* ---- the whole ------------------------------------------------------------------------------- */

void dispatch_take_chore(struct dispatch *dispatch, enum worker_kind kind, int exit_code)
{
    if (kind == WORKER_PROBE)
        take_probe(dispatch, exit_code == EXPLAIN_EXIT_OK);
    else if (kind == WORKER_EVENTS && exit_code == EXPLAIN_EXIT_OK)
        dispatch->rows_changed = true; /* which tell of the next event */
}

void dispatch_do_chores(struct dispatch *dispatch)
{
    static const enum worker_kind kinds[] = {WORKER_PROBE, WORKER_EVENTS, WORKER_HOUSEKEEPING};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t *due_at = &dispatch->due_at[kinds[i]];
        int64_t pause_s;

        if (!*due_at || *due_at > dispatch->now)
            continue;
        pause_s = worker_count(&dispatch->workers, kinds[i])
                      ? 0
                      : dispatch_start_worker(dispatch, kinds[i], dispatch->recordings_dir);
        if (pause_s)
            *due_at = dispatch->now + pause_s;
        else /* the others are planned again when they have ended */
            *due_at = kinds[i] == WORKER_HOUSEKEEPING ? dispatch->now + HOUSEKEEPING_EVERY_S : 0;
    }
}
