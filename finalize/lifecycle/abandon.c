#include "finalize/lifecycle/abandon.h"

#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/abort_upload.h"
#include "finalize/lifecycle/run.h"

#include <stdio.h>
#include <time.h>

struct work {
    struct run run;
    const struct abandon_options *abandon;
    struct abandon_result *result;
};

/* What cannot be aborted now is remembered: the watcher's housekeeping finds it by its upload id.
 */
static bool visit_file(void *context, struct journal_file *file, struct error *err)
{
    struct work *work = context;
    struct run *run = &work->run;
    struct error failure = ERROR_INIT;

    if (!file->upload_id[0])
        return true;
    if (!work->abandon->can_ask)
        error_set(&failure, ERROR_SETTINGS, "the settings of the bucket cannot be used");
    else if (run_open_network(run, &failure) &&
             abort_upload(run->loop, run->s3, run->journal, file, run->deadline_ms, &failure)) {
        work->result->aborted++;
        return true;
    }
    if (!work->result->left++)
        work->result->why = failure;
    file->phase = JOURNAL_PHASE_ABORTING;
    file->phase_at = time(NULL);
    return journal_save_file(run->journal, file, err);
}

/* A recording that is done may have lost a file: that is to be taken note of. */
static bool may_be_given_up(struct run *run, bool *ret_may, struct error *err)
{
    struct journal_file file;
    bool found = true;

    *ret_may = run->row.state != JOURNAL_RECORDING_DONE;
    for (int64_t after = 0; !*ret_may && found; after = file.id) {
        if (!journal_next_file(run->journal, run->row.id, true, after, &file, &found, err))
            return false;
        *ret_may = found && file.state == JOURNAL_FILE_GONE;
    }
    return true;
}

/* The journal says it before the uploads go: no later run touches them. */
static bool save(struct run *run, const char *reason, struct error *err)
{
    char text[sizeof run->row.reason + 32];

    run->row.state = JOURNAL_RECORDING_ABANDONED;
    run->row.next_try_at = 0;
    snprintf(run->row.reason, sizeof run->row.reason, "%s", reason);
    snprintf(text, sizeof text, "abandoned%s%s", reason[0] ? ": " : "", run->row.reason);
    if (!journal_save_recording(run->journal, &run->row, time(NULL), err) ||
        !journal_take_over(run->journal, run->directory, err))
        return false;
    run_note(run, 0, text);
    return true;
}

static bool abandon(struct work *work, const char *path, struct error *err)
{
    struct run *run = &work->run;
    bool may;

    if (!run_open(run, path, err) || !run_lock(run, err) ||
        !journal_note_recording(run->journal, run->directory, run_session_id(run), time(NULL),
                                &run->row, err) ||
        !may_be_given_up(run, &may, err))
        return false;
    if (!may)
        return error_set(err, ERROR_USAGE, "%s is safe: there is nothing to give up",
                         run->directory);
    return save(run, work->abandon->reason, err) &&
           journal_each_file(run->journal, run->row.id, visit_file, work, err);
}

bool abandon_recording(const struct run_options *options, const struct abandon_options *abandon_as,
                       const char *path, struct abandon_result *ret_result, struct error *err)
{
    struct work work = {.run = {.options = options, .deadline_ms = UINT64_MAX},
                        .abandon = abandon_as,
                        .result = ret_result};
    bool ok;

    *ret_result = (struct abandon_result){.why = ERROR_INIT};
    ok = abandon(&work, path, err);
    run_close(&work.run);
    return ok;
}
