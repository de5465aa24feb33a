#include "finalize/lifecycle/abandon.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/journal/safety.h"
#include "finalize/lifecycle/run.h"

#include <stdio.h>
#include <time.h>

struct work {
    struct run run;
    const struct abandon_options *abandon;
    struct leftover_result *result;
};

static bool open_network(struct work *work, struct error *err)
{
    if (!work->abandon->can_ask)
        return error_set(err, ERROR_SETTINGS, "the settings of the bucket cannot be used");
    if (clock_now_ms() >= work->run.deadline_ms)
        return error_set(err, ERROR_TRANSIENT, "CONFOMEET_FINALIZE_WAIT leaves no time for it");
    return run_open_network(&work->run, err);
}

/* What cannot be aborted now is left to the watcher's housekeeping. */
static bool give_up_file(void *context, struct journal_file *file, struct error *err)
{
    struct work *work = context;
    struct run *run = &work->run;
    struct error failure = ERROR_INIT;
    struct leftover_result result;
    struct s3 *s3;

    if (!file->key[0])
        return true;
    /* What an earlier call could not abort counts as well. */
    if (!leftover_take(run->journal, file, err) ||
        !leftover_abort(run->options->settings, run->journal, NULL, NULL, file->key,
                        run->deadline_ms, &result, err))
        return false;
    if (!result.left)
        return true;
    s3 = open_network(work, &failure) ? run->s3 : NULL;
    if (!leftover_abort(run->options->settings, run->journal, run->loop, s3, file->key,
                        run->deadline_ms, &result, err))
        return false;
    if (result.left && !work->result->left)
        work->result->why = failure.kind == ERROR_NONE ? result.why : failure;
    work->result->aborted += result.aborted;
    work->result->left += result.left;
    return true;
}

/* The journal says it before the uploads go: no later run touches them. */
static bool save(struct run *run, const char *reason, struct error *err)
{
    char text[sizeof run->row.reason + 32];

    run->row.state = JOURNAL_RECORDING_ABANDONED;
    run->row.next_try_at = 0;
    run->row.interrupted = 0;
    snprintf(run->row.reason, sizeof run->row.reason, "%s", reason);
    snprintf(text, sizeof text, "abandoned%s%s", reason[0] ? ": " : "", run->row.reason);
    if (!journal_save_recording(run->journal, &run->row, time(NULL), err) ||
        !journal_unclaim(run->journal, run->directory, JOURNAL_HANDED_OVER, err))
        return false;
    run_note(run, 0, text);
    return true;
}

static bool abandon(struct work *work, const char *path, struct error *err)
{
    struct run *run = &work->run;
    struct safety safety;

    if (!run_open(run, path, err) || !run_lock(run, err) ||
        !journal_note_recording(run->journal, run->directory, run_session_id(run), time(NULL),
                                &run->row, err) ||
        !safety_load(run->journal, run->row.id, &safety, err))
        return false;
    if (run->row.state == JOURNAL_RECORDING_DONE && safety_is_safe(&safety))
        return error_set(err, ERROR_USAGE, "%s is safe: there is nothing to give up",
                         run->directory);
    /* Waiting for the lock had no limit; tidying up has one. */
    run->deadline_ms = clock_now_ms() + run->options->settings->finalize_wait_ms;
    return save(run, work->abandon->reason, err) &&
           journal_each_file(run->journal, run->row.id, give_up_file, work, err);
}

bool abandon_recording(const struct run_options *options, const struct abandon_options *abandon_as,
                       const char *path, struct leftover_result *ret_result, struct error *err)
{
    struct work work = {.run = {.options = options, .deadline_ms = UINT64_MAX},
                        .abandon = abandon_as,
                        .result = ret_result};
    bool ok;

    *ret_result = (struct leftover_result){.why = ERROR_INIT};
    ok = abandon(&work, path, err);
    run_close(&work.run);
    return ok;
}
