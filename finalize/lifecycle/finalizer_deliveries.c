#include "finalize/lifecycle/finalizer_private.h"

#include "finalize/base/clock.h"
#include "finalize/delivery/engine.h"
#include "finalize/lifecycle/abort_upload.h"

#include <stdio.h>
#include <time.h>

#define MAX_ROUNDS 3u /* a file that keeps changing is still being written: left for later */

/* ---- telling --------------------------------------------------------------------------------- */

void finalizer_tell(struct finalizer_run *run, const struct finalizer_message *event)
{
    run->options->event(run->options->context, session_dir_session_id(run->recording), event);
}

void finalizer_note(struct finalizer_run *run, int64_t file_id, const char *text)
{
    struct error ignored = ERROR_INIT; /* history is a comfort, not a promise */

    if (!journal_add_history(run->journal, run->row.id, file_id, time(NULL), text, &ignored))
        return;
}

static void on_remark(void *context, const char *path, const char *sentence)
{
    struct finalizer_run *run = context;

    finalizer_tell(
        run, &(struct finalizer_message){.kind = FINALIZER_REMARK, .path = path, .text = sentence});
}

static void on_delivery_event(void *context, enum delivery_message event,
                              const struct journal_file *file, const char *sentence,
                              const struct error *error)
{
    static const enum finalizer_message_kind kinds[] = {
        [DELIVERY_REMARK] = FINALIZER_REMARK,
        [DELIVERY_RETRY] = FINALIZER_RETRY,
        [DELIVERY_UPLOADED] = FINALIZER_UPLOADED,
        [DELIVERY_NOTIFIED] = FINALIZER_NOTIFIED,
    };
    struct finalizer_run *run = context;

    finalizer_tell(run, &(struct finalizer_message){.kind = kinds[event],
                                                    .path = file->path,
                                                    .text = sentence,
                                                    .file = file,
                                                    .error = error});
    if (event == DELIVERY_RETRY)
        run->last_trouble = *error;
    if (event == DELIVERY_REMARK)
        finalizer_note(run, file->id, sentence);
    else if (event == DELIVERY_UPLOADED)
        finalizer_note(run, file->id, "uploaded: confirmed in the bucket");
    else if (event == DELIVERY_NOTIFIED)
        finalizer_note(run, file->id, "notified: accepted by the backend");
}

void finalizer_note_failure(struct finalizer_run *run, int64_t file_id, const char *path,
                            const struct error *error)
{
    finalizer_tell(
        run, &(struct finalizer_message){.kind = FINALIZER_FAILED, .path = path, .error = error});
    finalizer_note(run, file_id, error->text);
    if (run->worst.kind == ERROR_NONE ||
        (error->kind == ERROR_PERMANENT && run->worst.kind != ERROR_PERMANENT))
        run->worst = *error;
}
/* ---- deliveries ------------------------------------------------------------------------------ */

static bool wants_delivery(struct finalizer_run *run, const struct journal_file *file)
{
    if (file->state != JOURNAL_FILE_PENDING || !run->options->notify_only)
        return file->state == JOURNAL_FILE_PENDING || file->state == JOURNAL_FILE_UPLOADED;
    run->left_out = true;
    return false;
}

static bool keep_failure(struct finalizer_run *run, const struct journal_file *file,
                         const struct error *error, struct error *err)
{
    struct journal_file failed = *file;

    if (error->kind == ERROR_CHANGED) {
        run->changed = true;
        return true;
    }
    finalizer_note_failure(run, file->id, file->path, error);
    snprintf(failed.last_error, sizeof failed.last_error, "%s", error->text);
    return journal_save_file(run->journal, &failed, err);
}

static bool open_delivery(struct finalizer_run *run, const struct journal_file *file,
                          struct delivery **ret_delivery, struct error *err)
{
    struct delivery_options options = {
        .settings = run->options->settings,
        .journal = run->journal,
        .recording = run->recording,
        .s3 = run->s3,
        .rng = &run->rng,
        .stats = &run->account.stats,
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
    struct finalizer_run *run = context;
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
    struct finalizer_run *run = context;
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
    struct finalizer_run *run = context;
    struct finalizer_progress progress = {.total_bytes = run->intake.pending_bytes,
                                          .kept_bytes = kept_bytes};

    run->got_somewhere |= held_bytes > kept_bytes;
    progress.done_bytes = run->ended_bytes + held_bytes + under_way_bytes;
    if (progress.done_bytes > progress.total_bytes)
        progress.done_bytes = progress.total_bytes;
    run->options->progress(run->options->context, session_dir_session_id(run->recording),
                           &progress);
    journal_add_account(run->journal, &run->account, clock_now_ms());
}

bool finalizer_stop_requested(void *context)
{
    struct finalizer_run *run = context;

    return run->options->stop_requested(run->options->context);
}

static bool on_give_way(void *context)
{
    struct finalizer_run *run = context;

    return yield_is_requested(&run->yield, run->journal, session_dir_path(run->recording));
}

static bool deliver(struct finalizer_run *run, struct error *err)
{
    struct engine_source source = {.context = run,
                                   .journal = run->journal,
                                   .next = on_next,
                                   .ended = on_ended,
                                   .progress = on_progress};
    struct engine_limits limits = {.parallel = (unsigned)run->options->settings->s3_parallel,
                                   .deadline_ms = run->deadline_ms,
                                   .stop_requested = finalizer_stop_requested,
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
    struct finalizer_run *run = context;
    struct error failure = ERROR_INIT;

    (void)err;
    if (file->state == JOURNAL_FILE_GONE &&
        !abort_upload(run->loop, run->s3, run->journal, file, run->deadline_ms, &failure))
        on_remark(run, file->path, failure.text);
    return true;
}

bool finalizer_deliver(struct finalizer_run *run, struct error *err)
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
            finalizer_tell(run, &(struct finalizer_message){.kind = FINALIZER_BEGINS,
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
                      session_dir_path(run->recording));
            finalizer_note_failure(run, 0, "", &failure);
            return true;
        }
    }
}
