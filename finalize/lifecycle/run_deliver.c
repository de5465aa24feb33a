/*
 * run_deliver - the files of a run on their way: which one is next, and what came of each.
 */
#include "finalize/lifecycle/run.h"

#include "finalize/base/clock.h"
#include "finalize/delivery/engine.h"

#include <stdio.h>

#define LIVE_PARALLEL \
    2u /* one is hashed and begun while another is sent: Jibri needs the uplink, too */

/* ---- telling --------------------------------------------------------------------------------- */

static void on_delivery_event(void *context, enum delivery_message event,
                              const struct journal_file *file, const char *sentence,
                              const struct error *error)
{
    static const enum run_message_kind kinds[] = {
        [DELIVERY_REMARK] = RUN_REMARK,
        [DELIVERY_RETRY] = RUN_RETRY,
        [DELIVERY_UPLOADED] = RUN_UPLOADED,
        [DELIVERY_NOTIFIED] = RUN_NOTIFIED,
    };
    struct run *run = context;

    run_tell(run, &(struct run_message){.kind = kinds[event],
                                        .path = file->path,
                                        .text = sentence,
                                        .file = file,
                                        .error = error});
    if (event == DELIVERY_RETRY)
        run->last_trouble = *error;
    else if (event == DELIVERY_UPLOADED)
        run_note(run, file->id, "uploaded: confirmed in the bucket");
    else if (event == DELIVERY_NOTIFIED)
        run_note(run, file->id, "notified: accepted by the backend");
    else
        run_note(run, file->id, sentence);
}

static bool keep_failure(struct run *run, const struct journal_file *file,
                         const struct error *error, struct error *err)
{
    struct journal_file failed = *file;

    if (error->kind == ERROR_CHANGED) {
        run->changed = true; /* of one that grows, the finalizer finds out */
        return true;
    }
    if (run->growing) {
        run_keep_worst(run, error);
        return true;
    }
    run_note_failure(run, file, error);
    snprintf(failed.last_error, sizeof failed.last_error, "%s", error->text);
    return journal_save_file(run->journal, &failed, err);
}

/* ---- for the engine -------------------------------------------------------------------------- */

static bool open_delivery(struct run *run, const struct journal_file *file,
                          struct delivery **ret_delivery, struct error *err)
{
    struct delivery_options options = {
        .settings = run->options->settings,
        .journal = run->journal,
        .recording = run->session_dir,
        .s3 = run->s3,
        .rng = &run->rng,
        .stats = &run->account.stats,
        .main_media_name = run->intake.main_media_name,
        .metadata = run->metadata,
        .meeting_id = run->row.meeting_id,
        .unattended = run->options->gives_way,
        .growing = run->growing,
        .notify_only = run->options->notify_only,
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
    bool found, wants;

    *ret_delivery = NULL;
    while (!*ret_delivery) {
        if (!journal_next_file(run->journal, run->row.id, run->media, run->after_id, &file, &found,
                               err))
            return false;
        if (!found && (!run->media || run->growing))
            return true;
        if (!found) {
            run->media = false;
            run->after_id = 0;
            continue;
        }
        run->after_id = file.id;
        if (!run->wants(run, &file, &wants, err) ||
            (wants && !open_delivery(run, &file, ret_delivery, err)))
            return false;
    }
    return true;
}

static bool on_ended(void *context, const struct delivery *delivery, struct error *err)
{
    struct run *run = context;
    struct delivery_outcome outcome = delivery_outcome(delivery);

    if (outcome.retry_at > run->retry_at)
        run->retry_at = outcome.retry_at;
    if (outcome.error)
        return keep_failure(run, outcome.file, outcome.error, err);
    run->ended_bytes += outcome.file->object_bytes;
    run->got_somewhere = true;
    return true;
}

static void on_progress(void *context, uint64_t held_bytes, uint64_t kept_bytes,
                        uint64_t under_way_bytes)
{
    struct run *run = context;
    struct run_progress progress = {.total_bytes = run->intake.pending_bytes,
                                    .kept_bytes = kept_bytes};

    run->got_somewhere |= held_bytes > kept_bytes;
    if (held_bytes > run->summary->bytes_held)
        run->summary->bytes_held = held_bytes;
    progress.done_bytes = run->ended_bytes + held_bytes + under_way_bytes;
    if (progress.done_bytes > progress.total_bytes)
        progress.done_bytes = progress.total_bytes;
    if (run->options->progress)
        run->options->progress(run->options->context, run_session_id(run), &progress);
    journal_add_account(run->journal, &run->account, clock_now_ms());
}

static bool on_give_way(void *context)
{
    struct run *run = context;

    return yield_is_requested(&run->yield, run->journal, run->directory);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void note_early_end(struct run *run, enum engine_end end)
{
    struct error failure = ERROR_INIT;

    if (end == ENGINE_STOPPED)
        error_set(&failure, ERROR_STOPPED, "stopped before all was uploaded");
    else if (end == ENGINE_GAVE_WAY)
        error_set(&failure, ERROR_STOPPED, "another process goes on with it");
    else if (end == ENGINE_OUT_OF_TIME)
        error_set(&failure, ERROR_STOPPED,
                  "not all was uploaded within CONFOMEET_FINALIZE_WAIT%s%s",
                  run->last_trouble.text[0] ? "; last error: " : "", run->last_trouble.text);
    else
        return;
    run->changed = false; /* no further round */
    run_keep_worst(run, &failure);
}

bool run_deliver(struct run *run, struct error *err)
{
    struct engine_source source = {.context = run,
                                   .journal = run->journal,
                                   .next = on_next,
                                   .ended = on_ended,
                                   .progress = on_progress};
    struct engine_limits limits = {.parallel = (unsigned)run->options->settings->s3_parallel,
                                   .deadline_ms = run->deadline_ms,
                                   .stop_requested = run_stop_requested,
                                   .give_way = run->options->gives_way ? on_give_way : NULL,
                                   .stop_context = run};
    enum engine_end end;

    if (run->growing && limits.parallel > LIVE_PARALLEL)
        limits.parallel = LIVE_PARALLEL;
    run->media = true;
    run->after_id = 0;
    run->changed = false;
    run->ended_bytes = 0;
    if (!run_open_network(run, err))
        return false;
    source.credentials = s3_credentials(run->s3);
    if (!engine_run(run->loop, &source, &limits, &end, err))
        return false;
    run->summary->bytes_sent = loop_bytes_sent(run->loop);
    note_early_end(run, end);
    return true;
}
