/*
 * run_outcome - how a recording is at the end of a run: decided from the rows of its files and from
 * what failed, and written down with the time of the next try and the webhook's event.
 */
#include "config/units.h"
#include "finalize/journal/schedule.h"
#include "finalize/lifecycle/run.h"
#include "finalize/notify/webhook.h"

#include <stdio.h>
#include <time.h>

#define NO_MEDIA "uploaded, but without a media file: the backend is not notified"

bool run_judge(struct run *run, struct error *err)
{
    struct safety *safety = &run->summary->safety;
    char lost[32];

    if (!safety_load(run->journal, run->row.id, safety, err))
        return false;
    if (!safety->files) /* a recording gets a row only if it has files */
        return error_set(err, ERROR_PERMANENT, "all of it vanished before it was looked into");
    if (safety->gone)
        return error_set(err, ERROR_PERMANENT, "%s vanished before being safe in the bucket",
                         units_format_count(safety->gone, "file", lost, sizeof lost));
    return safety_is_safe(safety) ||
           error_set(err, ERROR_TRANSIENT, "%s",
                     run->options->notify_only
                         ? "not all is in the bucket yet, and only notices were asked for"
                         : "not all files are safe yet");
}

/* DONE means that there is nothing left to do, not that all is safe: a file may be lost. */
static void decide_state(struct run *run, struct error *ret_lost)
{
    const struct safety *safety = &run->summary->safety;
    bool safe = run_judge(run, ret_lost);

    if (run->worst.kind == ERROR_NONE && !safe &&
        (safety->waiting || safety->refused || !safety->gone))
        run_keep_worst(run, ret_lost);
    if (run->worst.kind != ERROR_NONE) {
        run->row.state = run->worst.kind == ERROR_PERMANENT ? JOURNAL_RECORDING_FAILED
                                                            : JOURNAL_RECORDING_WAITING;
        return;
    }
    run->row.state = JOURNAL_RECORDING_DONE;
    if (safe && safety->files && !safety->media) {
        run_remark(run, "", NO_MEDIA);
        run_note(run, 0, NO_MEDIA);
    }
}

/* A run that was stopped without a failure is due again at once. */
static void plan_next_try(struct run *run)
{
    struct journal_recording *row = &run->row;
    int64_t now = time(NULL);
    bool stopped = run->worst.kind == ERROR_STOPPED && run->last_trouble.kind == ERROR_NONE;

    if (run->worst.kind == ERROR_NONE || stopped) {
        row->failures = 0;
        row->next_try_at = stopped && !run->growing ? now : 0;
    } else {
        row->failures = run->got_somewhere ? 1 : row->failures + 1;
        row->next_try_at =
            schedule_next_try(run->options->settings,
                              run->worst.kind == ERROR_PERMANENT ? SCHEDULE_PERSON : SCHEDULE_RETRY,
                              row->failures, now, &run->rng);
        if (row->next_try_at < run->retry_at)
            row->next_try_at = run->retry_at;
    }
}

/* Saves the outcome and its webhook event in one transaction. */
static bool save_and_announce(struct run *run, int64_t now, struct error *err)
{
    if (!journal_begin(run->journal, err))
        return false;
    if (journal_save_recording(run->journal, &run->row, now, err) &&
        webhook_announce(run->options->settings, run->journal, &run->row, run->metadata, &run->rng,
                         now, &run->account.stats, err))
        return journal_commit(run->journal, err);
    journal_rollback(run->journal);
    return false;
}

bool run_save_outcome(struct run *run, struct error *err)
{
    struct error lost = ERROR_INIT, failure = ERROR_INIT;
    int64_t now = time(NULL);
    const struct error *shown;

    if (!run->growing)
        decide_state(run, &lost);
    plan_next_try(run);
    shown = run->worst.kind == ERROR_NONE ? &lost : &run->worst;
    snprintf(run->row.last_error, sizeof run->row.last_error, "%s",
             run->growing && shown->kind == ERROR_STOPPED ? "" : shown->text);
    if (!save_and_announce(run, now, &failure)) {
        /* An event that cannot be written must not keep the outcome from being written. */
        if (!journal_save_recording(run->journal, &run->row, now, err))
            return false;
        run_remark(run, "", failure.text);
    }
    if (shown->kind != ERROR_NONE)
        *err = *shown;
    return shown->kind == ERROR_NONE;
}
