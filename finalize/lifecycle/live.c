#include "finalize/lifecycle/live.h"

#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/run.h"
#include "finalize/s3/part.h"
#include "finalize/session/file_name.h"
#include "finalize/session/mp4_index.h"

#include <time.h>
#include <unistd.h>

unsigned live_sendable_parts(struct part_plan plan, uint64_t size_bytes)
{
    unsigned count = part_count(plan, size_bytes);

    if (count > S3_MAX_PARTS)
        count = S3_MAX_PARTS;
    while (count > 0) {
        struct part_range last = part_range(plan, count);

        if (last.offset + last.length <= size_bytes)
            break;
        count--;
    }
    return count;
}

static bool may_send_first(struct session_dir *session_dir, const char *path)
{
    struct error ignored = ERROR_INIT;
    struct file_identity identity;
    bool may;
    int fd;

    if (!file_name_is_mp4(path) ||
        !session_dir_open_file(session_dir, path, &fd, &identity, &ignored))
        return false;
    may = mp4_index_look(fd) == MP4_FRAGMENTED;
    close(fd);
    return may;
}

bool live_has_work(const struct live_look *look, const struct journal_file *file, const char *path,
                   uint64_t size_bytes, bool *ret_work, struct error *err)
{
    struct part_plan plan = {.base_bytes = look->settings->s3_part_size_bytes};
    unsigned sendable = live_sendable_parts(
        file && file->part_plan.base_bytes ? file->part_plan : plan, size_bytes);
    unsigned first_held = 0, held = 0;

    *ret_work = false;
    if (!sendable)
        return true;
    if (file && (!journal_count_parts(look->journal, file->id, 1, 1, &first_held, err) ||
                 !journal_count_parts(look->journal, file->id, 2, sendable, &held, err)))
        return false;
    *ret_work = held < sendable - 1 || (!first_held && may_send_first(look->session_dir, path));
    return true;
}

/* ---- the files ------------------------------------------------------------------------------- */

static bool on_file(void *context, const struct session_dir_file *found, struct error *err)
{
    struct run *run = context;
    const struct intake intake = {.settings = run->options->settings,
                                  .journal = run->journal,
                                  .session_dir = run->session_dir,
                                  .row = &run->row,
                                  .rng = &run->rng,
                                  .remark = run_remark,
                                  .context = run};
    struct journal_file file;
    bool usable;

    return !found->media || intake_growing(&intake, found, &file, &usable, err);
}

static bool on_unreadable(void *context, const char *path, int errno_value, struct error *err)
{
    (void)context;
    (void)path;
    (void)errno_value;
    (void)err;
    return true;
}

static bool wants(struct run *run, const struct journal_file *file, bool *ret_wants,
                  struct error *err)
{
    const struct live_look look = {.journal = run->journal,
                                   .settings = run->options->settings,
                                   .session_dir = run->session_dir};

    *ret_wants = false;
    if (file->state != JOURNAL_FILE_PENDING || file->phase == JOURNAL_PHASE_PUTTING ||
        file->phase == JOURNAL_PHASE_COMPLETING || file->phase == JOURNAL_PHASE_ABORTING)
        return true;
    return live_has_work(&look, file, file->path, file->object_bytes, ret_wants, err);
}

static bool send_parts(struct run *run, struct error *err)
{
    struct session_dir_visitor visitor = {.context = run,
                                          .media = run->options->settings->media,
                                          .file = on_file,
                                          .unreadable = on_unreadable};

    return session_dir_scan(run->session_dir, &visitor, err) && run_deliver(run, err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* False once the finalizer has begun with it, or waits to. */
static bool is_still_recorded(struct run *run, bool *ret_is, struct error *err)
{
    struct journal_recording row = {.id = 0};
    bool found, claimed;

    if (!journal_is_claimed(run->journal, run->directory, time(NULL), &claimed, err) ||
        !journal_find_recording(run->journal, run->directory, &row, &found, err))
        return false;
    *ret_is = run->session_dir && !claimed && (!found || row.state == JOURNAL_RECORDING_RECORDING);
    return true;
}

bool live_run(const struct run_options *options, const char *path, struct run_summary *ret_summary,
              struct error *err)
{
    struct run_options of_watcher = *options;
    struct run run = {.options = &of_watcher,
                      .summary = ret_summary,
                      .deadline_ms = UINT64_MAX,
                      .growing = true,
                      .wants = wants};
    bool ok = false, is_recorded;

    *ret_summary = (struct run_summary){0};
    of_watcher.gives_way = true;
    if (run_open(&run, path, err) && run_lock(&run, err))
        ok = is_still_recorded(&run, &is_recorded, err) &&
             (!is_recorded || run_work(&run, send_parts, err));
    if (!ok && err->kind == ERROR_STOPPED && !run_stop_requested(&run)) {
        error_clear(err); /* another process works on it */
        ok = true;
    }
    if (run.row.id)
        journal_add_stats(run.journal, &run.account.stats);
    run_close(&run);
    return ok;
}
