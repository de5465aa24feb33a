#include "finalize/lifecycle/live.h"

#include "finalize/base/clock.h"
#include "finalize/base/rng.h"
#include "finalize/delivery/delivery.h"
#include "finalize/delivery/engine.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/journal/journal_stats.h"
#include "finalize/lifecycle/intake.h"
#include "finalize/lifecycle/yield.h"
#include "finalize/s3/network.h"
#include "finalize/session/file_name.h"
#include "finalize/session/session_dir.h"
#include "finalize/upload/part.h"

#include <stdio.h>
#include <time.h>

#define PARALLEL \
    2u /* one is hashed and begun while another is sent: the uplink is not ours alone */

struct live {
    const struct live_options *options;
    struct session_dir *recording;
    struct journal *journal;
    struct journal_recording row;
    struct loop *loop;
    struct s3 *s3;
    struct rng rng;
    struct yield yield;
    struct journal_account account;
    struct intake intake;
    int64_t after_id;
    struct live_summary *summary;
    struct error worst;
};

unsigned live_sendable_parts(uint64_t part_size_bytes, uint64_t size_bytes)
{
    unsigned count = part_count(part_size_bytes, size_bytes);

    if (count > S3_MAX_PARTS)
        count = S3_MAX_PARTS;
    while (count > 0) {
        struct part_range last = part_range(part_size_bytes, count);

        if (last.offset + last.length <= size_bytes)
            break;
        count--;
    }
    return count > 1 ? count - 1 : 0; /* all but the first */
}

bool live_has_work(struct journal *journal, const struct settings *settings,
                   const struct journal_file *file, uint64_t size_bytes, bool *ret_work,
                   struct error *err)
{
    uint64_t part_size_bytes =
        file && file->part_size_bytes ? file->part_size_bytes : settings->s3_part_size_bytes;
    unsigned sendable = live_sendable_parts(part_size_bytes, size_bytes);
    unsigned held = 0;

    *ret_work = false;
    if (!sendable)
        return true;
    if (file && !journal_count_parts(journal, file->id, 2, sendable + 1, &held, err))
        return false;
    *ret_work = held < sendable;
    return true;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void remark(struct live *live, const char *path, const char *sentence)
{
    live->options->remark(live->options->context, session_dir_session_id(live->recording), path,
                          sentence);
}

static void on_remark(void *context, const char *path, const char *sentence)
{
    remark(context, path, sentence);
}

static void on_delivery_event(void *context, enum delivery_message event,
                              const struct journal_file *file, const char *sentence,
                              const struct error *error)
{
    if (event == DELIVERY_REMARK)
        remark(context, file->path, sentence);
    else if (event == DELIVERY_RETRY)
        remark(context, file->path, error->text);
}

/* ---- the files ------------------------------------------------------------------------------- */

static bool on_file(void *context, const struct session_dir_file *found, struct error *err)
{
    struct live *live = context;
    struct journal_file file;
    bool usable;

    if (!found->media)
        return true;
    return intake_growing(&live->intake, found, &file, &usable, err);
}

static void on_skipped(void *context, const char *path, const char *reason)
{
    (void)context; /* the finalizer says so, once */
    (void)path;
    (void)reason;
}

static bool note_files(struct live *live, struct error *err)
{
    struct session_dir_visitor visitor = {.context = live, .file = on_file, .skipped = on_skipped};

    if (!journal_begin(live->journal, err))
        return false;
    if (session_dir_scan(live->recording, &visitor, err) && journal_commit(live->journal, err))
        return true;
    journal_rollback(live->journal);
    return false;
}

static bool wants_parts(struct live *live, const struct journal_file *file, bool *ret_wants,
                        struct error *err)
{
    *ret_wants = false;
    if (file->state != JOURNAL_FILE_PENDING || file->phase == JOURNAL_PHASE_PUTTING ||
        file->phase == JOURNAL_PHASE_COMPLETING || file->phase == JOURNAL_PHASE_ABORTING)
        return true;
    return live_has_work(live->journal, live->options->settings, file, file->object_bytes,
                         ret_wants, err);
}

static void keep_failure(struct live *live, const struct error *error)
{
    if (error->kind == ERROR_CHANGED)
        return; /* no file of ours any more, or one that shrank: for the finalizer to find out */
    if (live->worst.kind == ERROR_NONE ||
        (error->kind == ERROR_PERMANENT && live->worst.kind != ERROR_PERMANENT))
        live->worst = *error;
}

static bool on_next(void *context, struct delivery **ret_delivery, struct error *err)
{
    struct live *live = context;
    struct delivery_options options = {.settings = live->options->settings,
                                       .journal = live->journal,
                                       .recording = live->recording,
                                       .s3 = live->s3,
                                       .rng = &live->rng,
                                       .stats = &live->account.stats,
                                       .main_media_name = "",
                                       .growing = true,
                                       .event = on_delivery_event,
                                       .context = live};
    struct journal_file file;
    bool found, wants;

    *ret_delivery = NULL;
    while (!*ret_delivery) {
        struct error failure = ERROR_INIT;

        if (!journal_next_file(live->journal, live->row.id, true, live->after_id, &file, &found,
                               err))
            return false;
        if (!found)
            return true;
        live->after_id = file.id;
        if (!wants_parts(live, &file, &wants, err))
            return false;
        if (wants && !delivery_open(&options, &file, ret_delivery, &failure)) {
            *ret_delivery = NULL;
            keep_failure(live, &failure);
        }
    }
    return true;
}

static bool on_ended(void *context, const struct delivery *delivery, struct error *err)
{
    (void)err;
    if (delivery_error(delivery))
        keep_failure(context, delivery_error(delivery));
    return true;
}

static void on_progress(void *context, uint64_t held_bytes, uint64_t kept_bytes,
                        uint64_t under_way_bytes)
{
    struct live *live = context;

    (void)kept_bytes;
    (void)under_way_bytes;
    if (held_bytes > live->summary->bytes_held)
        live->summary->bytes_held = held_bytes;
    journal_add_account(live->journal, &live->account, clock_now_ms());
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool on_stop_requested(void *context)
{
    struct live *live = context;

    return live->options->stop_requested(live->options->context);
}

static bool on_give_way(void *context)
{
    struct live *live = context;

    return yield_is_requested(&live->yield, live->journal, session_dir_path(live->recording));
}

static bool open_network(struct live *live, struct error *err)
{
    const struct settings *settings = live->options->settings;
    const struct loop_stop stop = {.fd = live->options->stop_fd,
                                   .requested = live->options->stop_requested,
                                   .context = live->options->context};
    uint64_t rate_limit = settings->live_rate_limit;

    if (settings->s3_rate_limit && (!rate_limit || settings->s3_rate_limit < rate_limit))
        rate_limit = settings->s3_rate_limit;
    return network_open(settings, rate_limit, &stop, &live->loop, &live->s3, err);
}

static bool send_parts(struct live *live, struct error *err)
{
    struct engine_source source = {.context = live,
                                   .journal = live->journal,
                                   .next = on_next,
                                   .ended = on_ended,
                                   .progress = on_progress};
    struct engine_limits limits = {.parallel = PARALLEL,
                                   .deadline_ms = UINT64_MAX,
                                   .stop_requested = on_stop_requested,
                                   .give_way = on_give_way,
                                   .stop_context = live};
    enum engine_end end;

    if (limits.parallel > live->options->settings->s3_parallel)
        limits.parallel = (unsigned)live->options->settings->s3_parallel;
    if (!open_network(live, err) || !engine_run(live->loop, &source, &limits, &end, err))
        return false;
    live->summary->bytes_sent = loop_bytes_sent(live->loop);
    journal_add_stats(live->journal, &live->account.stats);
    if (end == ENGINE_STOPPED && live->worst.kind == ERROR_NONE)
        error_set(&live->worst, ERROR_STOPPED, "stopped while parts were sent");
    return true;
}

static bool save_outcome(struct live *live, struct error *err)
{
    const struct error *worst = &live->worst;
    bool failed = worst->kind != ERROR_NONE && worst->kind != ERROR_STOPPED;

    snprintf(live->row.last_error, sizeof live->row.last_error, "%s", failed ? worst->text : "");
    return journal_save_recording(live->journal, &live->row, time(NULL), err);
}

static bool work(struct live *live, struct error *err)
{
    const char *directory = session_dir_path(live->recording);
    int64_t now = time(NULL);
    bool claimed;

    if (!session_dir_still_there(live->recording))
        return true;
    if (!journal_is_claimed(live->journal, directory, now, &claimed, err))
        return false;
    if (claimed)
        return true;
    if (!journal_note_recording(live->journal, directory, session_dir_session_id(live->recording),
                                now, &live->row, err))
        return false;
    if (live->row.state != JOURNAL_RECORDING_RECORDING)
        return true; /* the finalizer has begun with it */
    live->intake = (struct intake){.settings = live->options->settings,
                                   .journal = live->journal,
                                   .recording = live->recording,
                                   .row = &live->row,
                                   .rng = &live->rng,
                                   .remark = on_remark,
                                   .context = live};
    if (!note_files(live, err) || !send_parts(live, err) || !save_outcome(live, err))
        return false;
    if (live->worst.kind == ERROR_NONE)
        return true;
    *err = live->worst;
    return false;
}

bool live_run(const struct live_options *options, const char *path,
              struct live_summary *ret_summary, struct error *err)
{
    struct live live = {.options = options, .summary = ret_summary};
    bool locked = false;
    bool ok = false;

    *ret_summary = (struct live_summary){0};
    rng_seed_from_system(&live.rng);
    if (!session_dir_open(path, &live.recording, err) ||
        !session_dir_try_lock(live.recording, &locked, err))
        goto out;
    ok = !locked || (journal_place_open(options->settings, session_dir_parent(live.recording),
                                        &live.journal, err) &&
                     work(&live, err));
out:
    s3_close(live.s3);
    loop_close(live.loop);
    journal_close(live.journal);
    session_dir_close(live.recording);
    return ok;
}
