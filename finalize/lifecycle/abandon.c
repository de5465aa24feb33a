#include "finalize/lifecycle/abandon.h"

#include "finalize/journal/journal.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/abort_upload.h"
#include "finalize/lifecycle/yield.h"
#include "finalize/s3/network.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOCK_RETRY_MS 50

struct work {
    const struct abandon_options *giving_up;
    struct abandon_result *result;
    struct journal *journal;
    struct session_dir *recording; /* NULL: its directory is gone */
    struct loop *loop;             /* NULL until the server is to be asked */
    struct s3 *s3;
};

/* ---- the lock -------------------------------------------------------------------------------- */

/* Waits as the finalizer does, with a claim that makes the watcher give way. */
static bool wait_for_lock(struct work *work, struct error *err)
{
    const struct abandon_options *giving_up = work->giving_up;
    struct pollfd fd = {.fd = giving_up->stop_fd, .events = POLLIN};
    int64_t claimed_at = 0;
    bool locked = false, told = false, ok;

    while ((ok = session_dir_try_lock(work->recording, &locked, err)) && !locked) {
        if (giving_up->stop_requested(giving_up->context)) {
            ok = error_set(err, ERROR_STOPPED, "another process works on %s", giving_up->directory);
            break;
        }
        yield_request(work->journal, giving_up->directory, &claimed_at);
        if (!told)
            giving_up->waits(giving_up->context);
        told = true;
        (void)poll(&fd, 1, LOCK_RETRY_MS);
    }
    yield_withdraw(work->journal, giving_up->directory, &claimed_at);
    return ok;
}

/* ---- the uploads ----------------------------------------------------------------------------- */

static bool open_network(struct work *work, struct error *err)
{
    const struct settings *settings = work->giving_up->settings;
    const struct loop_stop stop = {.fd = work->giving_up->stop_fd,
                                   .requested = work->giving_up->stop_requested,
                                   .context = work->giving_up->context};

    if (work->loop)
        return true;
    if (!work->giving_up->can_ask)
        return error_set(err, ERROR_SETTINGS, "the settings of the bucket cannot be used");
    return network_open(settings, 0, &stop, &work->loop, &work->s3, err);
}

/* What cannot be aborted now is remembered: the watcher's housekeeping finds it by its upload id.
 */
static bool visit_file(void *context, struct journal_file *file, struct error *err)
{
    struct work *work = context;
    struct error failure = ERROR_INIT;

    if (!file->upload_id[0])
        return true;
    if (open_network(work, &failure) &&
        abort_upload(work->loop, work->s3, work->journal, file, UINT64_MAX, &failure)) {
        work->result->aborted++;
        return true;
    }
    if (!work->result->left++)
        work->result->why = failure;
    file->phase = JOURNAL_PHASE_ABORTING;
    file->phase_at = time(NULL);
    return journal_save_file(work->journal, file, err);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool find_row(struct work *work, struct journal_recording *row, struct error *err)
{
    const char *directory = work->giving_up->directory;
    const char *slash = strrchr(directory, '/');
    bool found;

    if (!journal_find_recording(work->journal, directory, row, &found, err))
        return false;
    if (!found && !work->recording)
        return error_set(err, ERROR_NO_INPUT, "there is no recording %s", directory);
    return found || journal_note_recording(work->journal, directory, slash ? slash + 1 : directory,
                                           time(NULL), row, err);
}

/* A recording that is done may have lost a file: that is to be taken note of. */
static bool may_be_given_up(struct work *work, const struct journal_recording *row, bool *ret_may,
                            struct error *err)
{
    struct journal_file file;
    bool found = true;

    *ret_may = row->state != JOURNAL_RECORDING_DONE;
    for (int64_t after = 0; !*ret_may && found; after = file.id) {
        if (!journal_next_file(work->journal, row->id, true, after, &file, &found, err))
            return false;
        *ret_may = found && file.state == JOURNAL_FILE_GONE;
    }
    return true;
}

static bool save(struct work *work, struct journal_recording *row, struct error *err)
{
    const char *reason = work->giving_up->reason;
    struct error ignored = ERROR_INIT;
    char text[sizeof row->reason + 32];

    row->state = JOURNAL_RECORDING_ABANDONED;
    row->next_try_at = 0;
    snprintf(row->reason, sizeof row->reason, "%s", reason);
    snprintf(text, sizeof text, "abandoned%s%s", reason[0] ? ": " : "", row->reason);
    if (!journal_save_recording(work->journal, row, time(NULL), err) ||
        !journal_take_over(work->journal, row->directory, err))
        return false;
    if (!journal_add_history(work->journal, row->id, 0, time(NULL), text, &ignored))
        return true; /* history is a comfort, not a promise */
    return true;
}

static bool run(struct work *work, struct error *err)
{
    struct journal_recording row;
    struct error missing = ERROR_INIT;
    bool may;

    if (!session_dir_open(work->giving_up->directory, &work->recording, &missing)) {
        if (missing.kind != ERROR_NO_INPUT) {
            *err = missing;
            return false;
        }
        work->recording = NULL;
    }
    if (!journal_open(work->giving_up->journal, &work->journal, err) ||
        (work->recording && !wait_for_lock(work, err)) || !find_row(work, &row, err) ||
        !may_be_given_up(work, &row, &may, err))
        return false;
    if (!may)
        return error_set(err, ERROR_USAGE, "%s is safe: there is nothing to give up",
                         work->giving_up->directory);
    /* The journal says it first: whoever comes next leaves it alone. */
    return save(work, &row, err) && journal_each_file(work->journal, row.id, visit_file, work, err);
}

bool abandon_recording(const struct abandon_options *giving_up, struct abandon_result *ret_result,
                       struct error *err)
{
    struct work work = {.giving_up = giving_up, .result = ret_result};
    bool ok;

    *ret_result = (struct abandon_result){.why = ERROR_INIT};
    ok = run(&work, err);
    s3_close(work.s3);
    loop_close(work.loop);
    journal_close(work.journal);
    session_dir_close(work.recording);
    return ok;
}
