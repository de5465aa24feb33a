#include "finalize/finalizer.h"

#include "finalize/abandon.h"
#include "finalize/engine.h"
#include "finalize/intake.h"
#include "finalize/journal_place.h"
#include "finalize/journal_schedule.h"
#include "finalize/journal_stats.h"
#include "finalize/loop.h"
#include "finalize/recording.h"
#include "finalize/removal.h"
#include "finalize/rng.h"
#include "finalize/s3.h"
#include "finalize/schedule.h"
#include "finalize/sweep.h"
#include "finalize/turn.h"
#include "finalize/watcher_lock.h"
#include "finalize/webhook.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOCK_RETRY_MS   200u
#define CLAIM_EVERY_S   1
#define DEFAULT_WAIT_MS UINT64_C(600000)
#define EVENTS_MS       3000u
#define MAX_ROUNDS      3u /* a file that keeps changing is still being written: left for later */

struct run {
    const struct finalizer_options *options;
    struct recording *recording;
    struct journal *journal;
    struct journal_recording row;
    struct loop *loop;
    struct s3 *s3;
    struct rng rng;
    struct turn turn;
    uint64_t deadline_ms;
    int64_t claimed_at; /* 0: no claim of ours is in the journal */
    struct journal_account account;

    struct intake_result intake;
    bool media; /* which files are being delivered: media first */
    int64_t after_id;
    bool left_out;             /* something is not in the bucket, and is not to be uploaded now */
    bool changed;              /* a file changed under our hands: one more round */
    uint64_t ended_bytes;      /* of deliveries that have ended well, in this round */
    bool got_somewhere;        /* the bucket or the backend acknowledged something new */
    struct error last_trouble; /* of the requests that were tried again */
    struct error worst;        /* of all files: a permanent one before a transient one */
    struct finalizer_summary *summary;
};

static bool wants_events(const struct settings *settings)
{
    return settings->webhook_url && *settings->webhook_url;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell(struct run *run, const struct finalizer_event *event)
{
    run->options->event(run->options->context, recording_session_id(run->recording), event);
}

static void note(struct run *run, int64_t file_id, const char *text)
{
    struct error ignored = ERROR_INIT; /* history is a comfort, not a promise */

    if (!journal_add_event(run->journal, run->row.id, file_id, time(NULL), text, &ignored))
        return;
}

static void note_begin(struct run *run)
{
    char text[48];

    snprintf(text, sizeof text, "a run begins (try %u)", run->row.tries);
    note(run, 0, text);
}

static void on_remark(void *context, const char *path, const char *sentence)
{
    struct run *run = context;

    tell(run, &(struct finalizer_event){.kind = FINALIZER_REMARK, .path = path, .text = sentence});
}

static void on_delivery_event(void *context, enum delivery_event event,
                              const struct journal_file *file, const char *sentence,
                              const struct error *error)
{
    static const enum finalizer_event_kind kinds[] = {
        [DELIVERY_REMARK] = FINALIZER_REMARK,
        [DELIVERY_RETRY] = FINALIZER_RETRY,
        [DELIVERY_UPLOADED] = FINALIZER_UPLOADED,
        [DELIVERY_NOTIFIED] = FINALIZER_NOTIFIED,
    };
    struct run *run = context;

    tell(run, &(struct finalizer_event){.kind = kinds[event],
                                        .path = file->path,
                                        .text = sentence,
                                        .file = file,
                                        .error = error});
    if (event == DELIVERY_RETRY)
        run->last_trouble = *error;
    if (event == DELIVERY_REMARK)
        note(run, file->id, sentence);
    else if (event == DELIVERY_UPLOADED)
        note(run, file->id, "uploaded: confirmed in the bucket");
    else if (event == DELIVERY_NOTIFIED)
        note(run, file->id, "notified: accepted by the backend");
}

static void note_failure(struct run *run, int64_t file_id, const char *path,
                         const struct error *error)
{
    tell(run, &(struct finalizer_event){.kind = FINALIZER_FAILED, .path = path, .error = error});
    note(run, file_id, error->text);
    if (run->worst.kind == ERROR_NONE ||
        (error->kind == ERROR_PERMANENT && run->worst.kind != ERROR_PERMANENT))
        run->worst = *error;
}

/* ---- deliveries ------------------------------------------------------------------------------ */

static bool wants_delivery(struct run *run, const struct journal_file *file)
{
    if (file->state != JOURNAL_FILE_PENDING || !run->options->notify_only)
        return file->state == JOURNAL_FILE_PENDING || file->state == JOURNAL_FILE_UPLOADED;
    run->left_out = true;
    return false;
}

static bool keep_failure(struct run *run, const struct journal_file *file,
                         const struct error *error, struct error *err)
{
    struct journal_file failed = *file;

    if (error->kind == ERROR_CHANGED) {
        run->changed = true;
        return true;
    }
    note_failure(run, file->id, file->path, error);
    snprintf(failed.last_error, sizeof failed.last_error, "%s", error->text);
    return journal_save_file(run->journal, &failed, err);
}

static bool open_delivery(struct run *run, const struct journal_file *file,
                          struct delivery **ret_delivery, struct error *err)
{
    struct delivery_options options = {
        .settings = run->options->settings,
        .journal = run->journal,
        .recording = run->recording,
        .s3 = run->s3,
        .rng = &run->rng,
        .stats = &run->account.stats,
        .digest = wants_events(run->options->settings),
        .main_media_name = run->intake.main_media_name,
        .meeting_id = run->row.meeting_id,
        .event = on_delivery_event,
        .context = run,
    };
    struct error failure = ERROR_INIT;

    if (delivery_open(&options, file, ret_delivery, &failure))
        return true;
    *ret_delivery = NULL;
    return keep_failure(run, file, &failure, err);
}

static bool on_next(void *context, struct delivery **ret_delivery, struct error *err)
{
    struct run *run = context;
    struct journal_file file;
    bool found;

    *ret_delivery = NULL;
    while (!*ret_delivery) {
        if (!journal_next_file(run->journal, run->row.id, run->media, run->after_id, &file, &found,
                               err))
            return false;
        if (!found && !run->media)
            return true;
        if (!found) {
            run->media = false;
            run->after_id = 0;
            continue;
        }
        run->after_id = file.id;
        if (wants_delivery(run, &file) && !open_delivery(run, &file, ret_delivery, err))
            return false;
    }
    return true;
}

static bool on_ended(void *context, const struct delivery *delivery, struct error *err)
{
    struct run *run = context;
    const struct error *error = delivery_error(delivery);

    if (error)
        return keep_failure(run, delivery_file(delivery), error, err);
    run->ended_bytes += delivery_file(delivery)->object_bytes;
    run->got_somewhere = true;
    return true;
}

static void on_progress(void *context, uint64_t held_bytes, uint64_t kept_bytes,
                        uint64_t under_way_bytes)
{
    struct run *run = context;
    struct finalizer_progress progress = {.total_bytes = run->intake.pending_bytes,
                                          .kept_bytes = kept_bytes};

    run->got_somewhere |= held_bytes > kept_bytes;
    progress.done_bytes = run->ended_bytes + held_bytes + under_way_bytes;
    if (progress.done_bytes > progress.total_bytes)
        progress.done_bytes = progress.total_bytes;
    run->options->progress(run->options->context, recording_session_id(run->recording), &progress);
    journal_add_account(run->journal, &run->account, loop_now_ms());
}

static bool on_stop_requested(void *context)
{
    struct run *run = context;

    return run->options->stop_requested(run->options->context);
}

static bool on_give_way(void *context)
{
    struct run *run = context;

    return turn_is_wanted(&run->turn, run->journal, recording_path(run->recording));
}

static bool deliver(struct run *run, struct error *err)
{
    struct engine_source source = {.context = run,
                                   .journal = run->journal,
                                   .next = on_next,
                                   .ended = on_ended,
                                   .progress = on_progress};
    struct engine_limits limits = {.parallel = (unsigned)run->options->settings->s3_parallel,
                                   .deadline_ms = run->deadline_ms,
                                   .stop_requested = on_stop_requested,
                                   .give_way = run->options->gives_way ? on_give_way : NULL,
                                   .stop_context = run};
    struct error failure = ERROR_INIT;
    enum engine_end end;

    run->media = true;
    run->after_id = 0;
    run->changed = false;
    run->ended_bytes = 0;
    if (!engine_run(run->loop, &source, &limits, &end, err))
        return false;
    run->summary->bytes_sent = loop_bytes_sent(run->loop);
    if (end == ENGINE_STOPPED)
        error_set(&failure, ERROR_STOPPED, "stopped before all was uploaded");
    else if (end == ENGINE_GAVE_WAY)
        error_set(&failure, ERROR_STOPPED, "another process goes on with it");
    else if (end == ENGINE_OUT_OF_TIME)
        error_set(
            &failure, ERROR_STOPPED, "not all was uploaded within CONFOMEET_FINALIZE_WAIT%s%s",
            run->last_trouble.text[0] ? "; the last trouble was: " : "", run->last_trouble.text);
    if (failure.kind != ERROR_NONE && run->worst.kind == ERROR_NONE)
        run->worst = failure;
    if (failure.kind != ERROR_NONE)
        run->changed = false; /* no further round */
    return true;
}

/* What vanished from the disk will never be completed: its parts need not be paid for. */
static bool abandon_if_gone(void *context, struct journal_file *file, struct error *err)
{
    struct run *run = context;
    struct error failure = ERROR_INIT;

    (void)err;
    if (file->state == JOURNAL_FILE_GONE &&
        !abandon_upload(run->loop, run->s3, run->journal, file, &failure))
        on_remark(run, file->path, failure.text);
    return true;
}

/* Intake and deliveries, once more when a file changed meanwhile. */
static bool deliver_in_rounds(struct run *run, struct error *err)
{
    struct intake intake = {.settings = run->options->settings,
                            .journal = run->journal,
                            .recording = run->recording,
                            .row = &run->row,
                            .rng = &run->rng,
                            .remark = on_remark,
                            .context = run};
    struct error failure = ERROR_INIT;

    for (unsigned round = 1;; round++) {
        run->worst = (struct error)ERROR_INIT;
        if (!intake_run(&intake, &run->intake, err))
            return false;
        if (round == 1)
            tell(run, &(struct finalizer_event){.kind = FINALIZER_BEGINS,
                                                .files = run->intake.files,
                                                .bytes = run->intake.pending_bytes,
                                                .tries = run->row.tries});
        if (run->intake.gone) {
            error_set(&failure, ERROR_PERMANENT,
                      "%u file(s) vanished before they were safe in the bucket", run->intake.gone);
            run->worst = failure;
        }
        if (!journal_each_file(run->journal, run->row.id, abandon_if_gone, run, err) ||
            !deliver(run, err))
            return false;
        if (!run->changed)
            return true;
        if (round == MAX_ROUNDS) {
            error_set(&failure, ERROR_TRANSIENT, "a file of %s is still being written to",
                      recording_path(run->recording));
            note_failure(run, 0, "", &failure);
            return true;
        }
    }
}

/* ---- the end of a run ------------------------------------------------------------------------ */

static void on_removed(void *context, const char *path)
{
    tell(context, &(struct finalizer_event){.kind = FINALIZER_REMOVED, .path = path});
}

static void remove_local(struct run *run)
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
        note_failure(run, 0, "", &failure);
    }
}

static void on_swept(void *context, const char *session_id, const char *path)
{
    struct run *run = context;

    run->options->event(run->options->context, session_id,
                        &(struct finalizer_event){.kind = FINALIZER_REMOVED, .path = path});
}

static void on_sweep_failed(void *context, const char *session_id, const struct error *error)
{
    struct run *run = context;

    run->options->event(
        run->options->context, session_id,
        &(struct finalizer_event){.kind = FINALIZER_REMARK, .path = "", .text = error->text});
}

/* Other recordings, whose time to be kept is over. What fails there is no failure of this run. */
static bool sweep_others(struct run *run, struct error *err)
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
static void plan_next_try(struct run *run)
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
static bool save_and_announce(struct run *run, int64_t now, struct error *err)
{
    if (!wants_events(run->options->settings))
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
static void note_left_out(struct run *run)
{
    struct error failure = ERROR_INIT;

    if (!run->left_out || run->worst.kind != ERROR_NONE)
        return;
    error_set(&failure, ERROR_TRANSIENT,
              "not all is in the bucket yet, and only notices were asked for");
    note_failure(run, 0, "", &failure);
}

static bool save_outcome(struct run *run, struct error *err)
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

/* Tells of it now, if somebody is there to hear it; else the watcher does, later. */
static void deliver_events(struct run *run)
{
    struct webhook_delivery delivery = {.settings = run->options->settings,
                                        .journal = run->journal,
                                        .loop = run->loop,
                                        .rng = &run->rng,
                                        .stats = &run->account.stats,
                                        .recording_id = run->row.id,
                                        .patience_ms = EVENTS_MS,
                                        .stop_requested = on_stop_requested,
                                        .context = run};
    struct error ignored = ERROR_INIT; /* they are in the journal */

    if (wants_events(run->options->settings) && !webhook_deliver_due(&delivery, &ignored))
        return;
}

/* ---- the beginning of a run ------------------------------------------------------------------ */

/* Makes the one that works on the recording give way, if it is one of the watcher's. That it can't
 * be asked is no reason not to wait. */
static void claim(struct run *run)
{
    struct error ignored = ERROR_INIT;
    int64_t now = time(NULL);

    if (now - run->claimed_at < CLAIM_EVERY_S && now >= run->claimed_at)
        return;
    if (!run->journal &&
        !journal_place_open(run->options->settings, recording_parent(run->recording), &run->journal,
                            &ignored)) {
        run->journal = NULL;
        return;
    }
    if (journal_claim(run->journal, recording_path(run->recording), getpid(), now, &ignored))
        run->claimed_at = now;
}

static void unclaim(struct run *run)
{
    struct error ignored = ERROR_INIT;

    if (!run->claimed_at)
        return;
    if (journal_unclaim(run->journal, recording_path(run->recording), getpid(), &ignored))
        run->claimed_at = 0; /* else it runs out by itself */
}

/* Waits for another process that works on this recording, for as long as Jibri may be held. */
static bool take_lock(struct run *run, struct error *err)
{
    bool told = false;
    bool locked;

    for (;;) {
        uint64_t now_ms;

        if (!recording_try_lock(run->recording, &locked, err))
            return false;
        if (locked)
            return true;
        if (run->options->gives_way)
            return error_set(err, ERROR_STOPPED, "another process works on %s",
                             recording_path(run->recording));
        claim(run);
        if (!told)
            tell(run, &(struct finalizer_event){.kind = FINALIZER_WAITS, .path = ""});
        told = true;
        now_ms = loop_now_ms();
        if (now_ms >= run->deadline_ms || on_stop_requested(run))
            return error_set(err, ERROR_STOPPED, "another process works on %s",
                             recording_path(run->recording));
        if (!loop_wait(run->loop, LOCK_RETRY_MS, err))
            return false;
    }
}

/* True when the journal knows the directory as done: there is nothing left to do, and that is well.
 */
static bool is_done_already(struct run *run, const char *directory, bool *ret_done,
                            struct error *err)
{
    struct journal_recording row;
    bool found;

    if (!journal_find_recording(run->journal, directory, &row, &found, err))
        return false;
    *ret_done = found && row.state == JOURNAL_RECORDING_DONE;
    return true;
}

/* ERROR_NO_INPUT when there is nothing in the directory, and nothing in the journal. */
static bool has_something_to_do(struct run *run, const char *directory, struct error *err)
{
    struct journal_recording row;
    unsigned files = 0;
    bool known;

    if (!intake_survey(run->recording, &files, err) ||
        !journal_find_recording(run->journal, directory, &row, &known, err))
        return false;
    return files || known ||
           error_set(err, ERROR_NO_INPUT, "%s holds no file to upload", directory);
}

static bool open_network(struct run *run, struct error *err)
{
    const struct settings *settings = run->options->settings;
    struct loop_options loop_options = {.ca_file = settings->ca_file,
                                        .proxy = settings->proxy,
                                        .connect_timeout_ms = settings->s3_connect_timeout_ms,
                                        .rate_limit = settings->s3_rate_limit,
                                        .wake_fd = run->options->stop_fd};

    return loop_open(&loop_options, &run->loop, err) && s3_open(settings, &run->s3, err);
}

/* What a person gave up stays so until a person takes it up again. */
static bool refuse_abandoned(struct run *run, const char *directory, struct error *err)
{
    struct journal_recording row;
    bool found;

    if (!journal_find_recording(run->journal, directory, &row, &found, err))
        return false;
    if (!found || row.state != JOURNAL_RECORDING_ABANDONED || run->options->retries_abandoned)
        return true;
    return error_set(err, ERROR_PERMANENT,
                     "%s was abandoned%s%s: its files stay, and it is taken up again only by "
                     "jibri-finalize retry",
                     directory, row.reason[0] ? ": " : "", row.reason);
}

/* It is another try, by a person who may have something to add. */
static bool take_up(struct run *run, struct error *err)
{
    const struct finalizer_options *options = run->options;

    if (!run->row.reason[0] && (!options->meeting_id || options->meeting_id == run->row.meeting_id))
        return true;
    run->row.reason[0] = 0;
    if (options->meeting_id)
        run->row.meeting_id = options->meeting_id;
    return journal_save_recording(run->journal, &run->row, time(NULL), err);
}

/* With the recording open, its journal open and its lock held. */
static bool work(struct run *run, struct error *err)
{
    const char *directory = recording_path(run->recording);
    bool done;

    if (!refuse_abandoned(run, directory, err) || !is_done_already(run, directory, &done, err))
        return false;
    if (!recording_still_there(run->recording)) /* who had the lock before us finished it */
        return done || error_set(err, ERROR_NO_INPUT, "%s is gone", directory);
    if (!has_something_to_do(run, directory, err))
        return false;
    if (!journal_begin_recording(run->journal, directory, recording_session_id(run->recording),
                                 time(NULL), &run->row, err) ||
        !journal_take_over(run->journal, directory, err) || !take_up(run, err))
        return false;
    note_begin(run);
    if (!deliver_in_rounds(run, err))
        return false;
    note_left_out(run);
    /* Before the directory goes: once it is gone, the journal alone can tell that all is well. */
    if (run->worst.kind == ERROR_NONE && !save_outcome(run, err))
        return false;
    remove_local(run);
    if (!journal_each_file(run->journal, run->row.id, count_file, run->summary, err) ||
        !save_outcome(run, err) || !sweep_others(run, err))
        return false;
    if (run->worst.kind == ERROR_NONE)
        return true;
    *err = run->worst;
    return false;
}

/* The directory isn't there. When the journal knows it as done, an earlier run was killed after its
 * last step. */
static bool forgive_absence(struct run *run, const char *path, struct error *err)
{
    char *for_parent = strdup(path);
    char *for_name = strdup(path);
    char *parent = for_parent ? realpath(dirname(for_parent), NULL) : NULL;
    struct error ignored = ERROR_INIT;
    char directory[RECORDING_PATH_SIZE], journal[JOURNAL_PLACE_SIZE];
    bool done = false;

    if (parent && for_name && journal_place(run->options->settings, parent, journal) &&
        !access(journal, F_OK) && journal_open(journal, &run->journal, &ignored)) {
        snprintf(directory, sizeof directory, "%s/%s", strcmp(parent, "/") ? parent : "",
                 basename(for_name));
        if (!is_done_already(run, directory, &done, &ignored))
            done = false;
    }
    free(for_parent);
    free(for_name);
    free(parent);
    if (done)
        error_clear(err);
    return done;
}

/* Leaves all of it to the watcher, which finds it in the journal. */
static bool hand_over(struct run *run, struct error *err)
{
    const char *directory = recording_path(run->recording);
    bool done;

    if (!journal_place_open(run->options->settings, recording_parent(run->recording), &run->journal,
                            err) ||
        !refuse_abandoned(run, directory, err) || !is_done_already(run, directory, &done, err))
        return false;
    if (!done && (!has_something_to_do(run, directory, err) ||
                  !journal_hand_over(run->journal, directory, time(NULL), err)))
        return false;
    run->summary->handed_over = !done;
    if (!done)
        tell(run, &(struct finalizer_event){.kind = FINALIZER_HANDS_OVER, .path = ""});
    return true;
}

static bool run_once(const struct finalizer_options *options, const char *path,
                     uint64_t deadline_ms, struct finalizer_summary *ret_summary, struct error *err)
{
    struct run run = {.options = options, .deadline_ms = deadline_ms, .summary = ret_summary};
    uint64_t started_ms;
    bool locked;
    bool ok = false;

    *ret_summary = (struct finalizer_summary){0};
    rng_seed_from_system(&run.rng);
    if (!recording_open(path, &run.recording, err)) {
        ok = err->kind == ERROR_NO_INPUT && forgive_absence(&run, path, err);
        goto out;
    }
    ret_summary->watched = watcher_lock_is_held(options->settings, recording_parent(run.recording));
    if (ret_summary->watched && options->may_hand_over && options->wait_ms == 0) {
        ok = hand_over(&run, err);
        goto out;
    }
    if (!open_network(&run, err))
        goto out;
    locked = take_lock(&run, err);
    unclaim(&run);
    if (!locked ||
        (!run.journal && !journal_place_open(options->settings, recording_parent(run.recording),
                                             &run.journal, err)))
        goto out;
    started_ms = loop_now_ms();
    ok = work(&run, err);
    if (run.row.id)
        stats_observe(&run.account.stats, STATS_FINALIZE_SECONDS,
                      ok                             ? STATS_RESULT_SAFE
                      : err->kind == ERROR_PERMANENT ? STATS_RESULT_FAILED
                                                     : STATS_RESULT_WAITING,
                      loop_now_ms() - started_ms);
    if (run.row.id)
        deliver_events(&run);
    journal_add_stats(run.journal, &run.account.stats);
out:
    s3_close(run.s3);
    loop_close(run.loop);
    journal_close(run.journal);
    recording_close(run.recording);
    return ok;
}

/* The journal can't be used: the work is rebuilt from the directory and the bucket, not refused. */
static bool set_journal_aside(const struct finalizer_options *options, const char *path,
                              struct error *err)
{
    char aside[JOURNAL_PLACE_ASIDE_SIZE], sentence[JOURNAL_PLACE_ASIDE_SIZE + 192];
    struct recording *recording = NULL;
    struct error failure = ERROR_INIT;
    bool ok;

    if (!recording_open(path, &recording, &failure))
        return false; /* `err` keeps the first cause */
    ok = journal_place_set_aside(options->settings, recording_parent(recording), aside, &failure);
    if (ok && aside[0]) {
        snprintf(sentence, sizeof sentence,
                 "the journal could not be used and was set aside as %s; the work is rebuilt from "
                 "the directory and the bucket",
                 aside);
        options->event(
            options->context, recording_session_id(recording),
            &(struct finalizer_event){.kind = FINALIZER_REMARK, .path = "", .text = sentence});
    }
    recording_close(recording);
    if (ok)
        error_clear(err);
    return ok;
}

bool finalizer_run(const struct finalizer_options *options, const char *path,
                   struct finalizer_summary *ret_summary, struct error *err)
{
    uint64_t wait_ms =
        options->may_hand_over && options->wait_ms == 0 ? DEFAULT_WAIT_MS : options->wait_ms;
    uint64_t now_ms = loop_now_ms();
    uint64_t deadline_ms = wait_ms < UINT64_MAX - now_ms ? now_ms + wait_ms : UINT64_MAX;

    if (run_once(options, path, deadline_ms, ret_summary, err))
        return true;
    if (err->kind != ERROR_DAMAGED || !set_journal_aside(options, path, err))
        return false;
    return run_once(options, path, deadline_ms, ret_summary, err);
}
