#include "finalize/lifecycle/finalizer_private.h"

#include "finalize/lifecycle/removal.h"
#include "finalize/lifecycle/schedule.h"
#include "finalize/lifecycle/sweep.h"
#include "finalize/notify/webhook.h"

#include <stdio.h>
#include <time.h>

#define EVENTS_MS 3000u

bool finalizer_wants_events(const struct settings *settings)
{
    return settings->webhook_url && *settings->webhook_url;
}

static void on_removed(void *context, const char *path)
{
    finalizer_tell(context, &(struct finalizer_message){.kind = FINALIZER_REMOVED, .path = path});
}

static void remove_local(struct finalizer_run *run)
{
    struct removal removal = {.settings = run->options->settings,
                              .journal = run->journal,
                              .recording = run->recording,
                              .recording_id = run->row.id,
                              .removed = on_removed,
                              .context = run};
    struct error failure = ERROR_INIT;

    if (!removal_run(&removal, time(NULL), &run->summary->directory_removed, &failure)) {
        if (failure.kind == ERROR_CHANGED) /* written to since: uploaded anew by the next run */
            failure.kind = ERROR_TRANSIENT;
        finalizer_note_failure(run, 0, "", &failure);
    }
}

static void on_swept(void *context, const char *session_id, const char *path)
{
    struct finalizer_run *run = context;

    run->options->event(run->options->context, session_id,
                        &(struct finalizer_message){.kind = FINALIZER_REMOVED, .path = path});
}

static void on_sweep_failed(void *context, const char *session_id, const struct error *error)
{
    struct finalizer_run *run = context;

    run->options->event(
        run->options->context, session_id,
        &(struct finalizer_message){.kind = FINALIZER_REMARK, .path = "", .text = error->text});
}

/* Other recordings, whose time to be kept is over. What fails there is no failure of this run. */
static bool sweep_others(struct finalizer_run *run, struct error *err)
{
    struct sweep sweep = {.settings = run->options->settings,
                          .journal = run->journal,
                          .removed = on_swept,
                          .failed = on_sweep_failed,
                          .context = run};

    return sweep_run(&sweep, time(NULL), err);
}

static bool count_file(void *context, struct journal_file *file, struct error *err)
{
    struct finalizer_summary *summary = context;

    (void)err;
    switch (file->state) {
    case JOURNAL_FILE_SAFE:
        summary->files_safe++;
        summary->bytes_safe += file->object_bytes;
        summary->files_left += !file->removed_at;
        break;
    case JOURNAL_FILE_WITHHELD:
        summary->files_left++;
        break;
    case JOURNAL_FILE_PENDING:
    case JOURNAL_FILE_UPLOADED:
        if (file->notice == JOURNAL_NOTICE_REFUSED)
            summary->files_failed++;
        else
            summary->files_waiting++;
        break;
    case JOURNAL_FILE_GONE:
        break;
    }
    return true;
}

/* What was stopped, not what failed, goes on as soon as there is somebody to do it. */
static void plan_next_try(struct finalizer_run *run)
{
    struct journal_recording *row = &run->row;
    int64_t now = time(NULL);

    if (row->state == JOURNAL_RECORDING_DONE) {
        row->failures = 0;
        row->next_try_at = 0;
    } else if (run->worst.kind == ERROR_STOPPED && run->last_trouble.kind == ERROR_NONE) {
        row->failures = 0;
        row->next_try_at = now;
    } else {
        row->failures = run->got_somewhere ? 1 : row->failures + 1;
        row->next_try_at =
            schedule_next_try(run->options->settings, row->failures,
                              row->state == JOURNAL_RECORDING_FAILED, now, &run->rng);
    }
}

/* What is told later is written down together with what it tells of. */
static bool save_and_announce(struct finalizer_run *run, int64_t now, struct error *err)
{
    if (!finalizer_wants_events(run->options->settings))
        return journal_save_recording(run->journal, &run->row, now, err);
    if (!journal_begin(run->journal, err))
        return false;
    if (journal_save_recording(run->journal, &run->row, now, err) &&
        webhook_announce(run->options->settings, run->journal, &run->row, &run->rng, now,
                         &run->account.stats, err))
        return journal_commit(run->journal, err);
    journal_rollback(run->journal);
    return false;
}

/* With notify_only, what is not in the bucket yet is left as it is. */
static void note_left_out(struct finalizer_run *run)
{
    struct error failure = ERROR_INIT;

    if (!run->left_out || run->worst.kind != ERROR_NONE)
        return;
    error_set(&failure, ERROR_TRANSIENT,
              "not all is in the bucket yet, and only notices were asked for");
    finalizer_note_failure(run, 0, "", &failure);
}

static bool save_outcome(struct finalizer_run *run, struct error *err)
{
    const struct error *worst = &run->worst;

    const struct finalizer_summary *summary = run->summary;
    bool work_left = summary->files_failed || summary->files_waiting;

    run->row.state = JOURNAL_RECORDING_DONE;
    if (run->intake.gone && !work_left)
        ; /* said once, by this run: no later one could do anything about it */
    else if (worst->kind == ERROR_PERMANENT)
        run->row.state = JOURNAL_RECORDING_FAILED;
    else if (worst->kind != ERROR_NONE)
        run->row.state = JOURNAL_RECORDING_WAITING;
    snprintf(run->row.last_error, sizeof run->row.last_error, "%s",
             worst->kind == ERROR_NONE ? "" : worst->text);
    plan_next_try(run);
    return save_and_announce(run, time(NULL), err);
}

void finalizer_tell_others(struct finalizer_run *run)
{
    struct webhook_delivery delivery = {.settings = run->options->settings,
                                        .journal = run->journal,
                                        .loop = run->loop,
                                        .rng = &run->rng,
                                        .stats = &run->account.stats,
                                        .recording_id = run->row.id,
                                        .patience_ms = EVENTS_MS,
                                        .stop_requested = finalizer_stop_requested,
                                        .context = run};
    struct error ignored = ERROR_INIT; /* they are in the journal */

    if (finalizer_wants_events(run->options->settings) && !webhook_deliver_due(&delivery, &ignored))
        return;
}

bool finalizer_end(struct finalizer_run *run, struct error *err)
{
    note_left_out(run);
    /* Before the directory goes: once it is gone, the journal alone can tell that all is well. */
    if (run->worst.kind == ERROR_NONE && !save_outcome(run, err))
        return false;
    remove_local(run);
    return journal_each_file(run->journal, run->row.id, count_file, run->summary, err) &&
           save_outcome(run, err) && sweep_others(run, err);
}
