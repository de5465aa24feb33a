#include "finalize/lifecycle/housekeeping.h"

#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/abort_upload.h"
#include "finalize/lifecycle/removal.h"
#include "finalize/s3/network.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct work {
    const struct housekeeping *housekeeping;
    struct journal *journal;
    struct loop *loop;
    struct s3 *s3;
    const char *session_id;
    unsigned gone;
};

static void remark(const struct work *work, bool fine, const char *session_id, const char *sentence)
{
    work->housekeeping->remark(work->housekeeping->context, fine, session_id, sentence);
}

static bool open_work(struct work *work, struct error *err)
{
    const struct settings *settings = work->housekeeping->settings;
    struct loop_stop stop = {.fd = work->housekeeping->stop_fd,
                             .requested = work->housekeeping->stop_requested,
                             .context = work->housekeeping->context};

    return journal_place_open(settings, work->housekeeping->recordings_dir, &work->journal, err) &&
           network_open(settings, 0, &stop, &work->loop, &work->s3, err);
}

static void close_work(struct work *work)
{
    s3_close(work->s3);
    loop_close(work->loop);
    journal_close(work->journal);
}

/* ---- kept copies ----------------------------------------------------------------------------- */

static void on_swept(void *context, const char *session_id, const char *path)
{
    if (!path[0])
        remark(context, true, session_id, "its time on this machine is over: the disk is freed");
}

static void on_sweep_failed(void *context, const char *session_id, const struct error *error)
{
    remark(context, false, session_id, error->text);
}

static bool sweep(struct work *work, int64_t now, struct error *err)
{
    struct removal removal = {.settings = work->housekeeping->settings,
                              .journal = work->journal,
                              .removed = on_swept,
                              .failed = on_sweep_failed,
                              .context = work};

    return removal_sweep(&removal, now, err);
}

/* ---- uploads that nobody will complete ------------------------------------------------------- */

static bool abort_leftovers(struct work *work, struct error *err)
{
    struct journal_file file = {.id = 0};
    bool found = true;

    for (;;) {
        struct error failure = ERROR_INIT;

        if (!journal_next_leftover_upload(work->journal, file.id, &file, &found, err))
            return false;
        if (!found || work->housekeeping->stop_requested(work->housekeeping->context))
            return true;
        if (abort_upload(work->loop, work->s3, work->journal, &file, UINT64_MAX, &failure))
            remark(work, true, "", "an upload that nobody will complete was aborted");
        else
            remark(work, false, "", failure.text);
        if (failure.kind == ERROR_TRANSIENT)
            return true; /* the server is not well: another time */
    }
}

static bool give_up_file(void *context, struct journal_file *file, struct error *err)
{
    struct work *work = context;
    struct error failure = ERROR_INIT;

    if (file->state == JOURNAL_FILE_PENDING || file->state == JOURNAL_FILE_UPLOADED) {
        file->state = JOURNAL_FILE_GONE;
        work->gone++;
        if (!journal_save_file(work->journal, file, err))
            return false;
    }
    if (!abort_upload(work->loop, work->s3, work->journal, file, UINT64_MAX, &failure))
        remark(work, false, work->session_id, failure.text); /* abort_leftovers() tries again */
    return true;
}

/* A recordings directory that isn't there tells nothing of what is on its file system. */
static bool was_elsewhere(void *context, struct journal_file *file, struct error *err)
{
    struct work *work = context;
    const char *directory = work->housekeeping->recordings_dir;
    struct stat status;

    if (!stat(directory, &status))
        return true;
    return error_set_errno(err, ERROR_CHANGED, errno,
                           "%s cannot be looked at: %s of session %s is not given up", directory,
                           file->path, work->session_id);
}

static bool abandon_recording(struct work *work, const char *directory, struct error *err)
{
    struct journal_recording row;
    char sentence[128];
    bool found;

    if (!journal_find_recording(work->journal, directory, &row, &found, err))
        return false;
    if (!found || row.state == JOURNAL_RECORDING_DONE || row.state == JOURNAL_RECORDING_ABANDONED)
        return true;
    if (!access(directory, F_OK))
        return error_set(err, ERROR_CHANGED, "%s is there again", directory);
    work->session_id = row.session_id;
    if (!journal_each_file(work->journal, row.id, was_elsewhere, work, err) ||
        !journal_each_file(work->journal, row.id, give_up_file, work, err))
        return false;
    snprintf(sentence, sizeof sentence,
             "given up: its directory has been gone for long, with %u file(s) that were not safe",
             work->gone);
    row.state = JOURNAL_RECORDING_DONE;
    row.next_try_at = 0;
    snprintf(row.last_error, sizeof row.last_error, "%s", sentence);
    if (!journal_save_recording(work->journal, &row, time(NULL), err) ||
        !journal_add_history(work->journal, row.id, 0, time(NULL), sentence, err))
        return false;
    remark(work, false, row.session_id, sentence);
    return true;
}

bool housekeeping_give_up_vanished(const struct housekeeping *housekeeping, const char *directory,
                                   struct error *err)
{
    struct work work = {.housekeeping = housekeeping};
    bool ok = open_work(&work, err) && abandon_recording(&work, directory, err);

    close_work(&work);
    return ok;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool forget_old(struct work *work, int64_t now, struct error *err)
{
    uint64_t keep_ms = work->housekeeping->settings->journal_keep_ms;

    if (!journal_forget_claims(work->journal, now, err))
        return false;
    return keep_ms == SETTINGS_KEEP_FOREVER ||
           journal_forget_done(work->journal, now - (int64_t)(keep_ms / 1000), err);
}

bool housekeeping_run(const struct housekeeping *housekeeping, struct error *err)
{
    struct work work = {.housekeeping = housekeeping};
    int64_t now = time(NULL);
    bool ok = open_work(&work, err) && journal_correct_times(work.journal, now, err) &&
              sweep(&work, now, err) && abort_leftovers(&work, err) && forget_old(&work, now, err);

    close_work(&work);
    return ok;
}
