#include "finalize/lifecycle/run.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/journal/schedule.h"
#include "finalize/lifecycle/lock_file.h"
#include "finalize/session/recordings_dir.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_INTERRUPTED 3u
#define MOST_REPLACED    10u
#define LOCK_RETRY_MS    50 /* short: Jibri waits while the other process gives up the lock */

/* ---- telling --------------------------------------------------------------------------------- */

const char *run_session_id(const struct run *run)
{
    return strrchr(run->directory, '/') + 1;
}

bool run_stop_requested(void *context)
{
    struct run *run = context;

    return run->options->stop_requested(run->options->context);
}

void run_tell(struct run *run, const struct run_message *message)
{
    run->options->message(run->options->context, run_session_id(run), message);
}

void run_remark(void *run, const char *path, const char *sentence)
{
    run_tell(run, &(struct run_message){.kind = RUN_REMARK, .path = path, .text = sentence});
}

void run_note(struct run *run, int64_t file_id, const char *text)
{
    struct error ignored = ERROR_INIT;

    (void)!journal_add_history(run->journal, run->row.id, file_id, time(NULL), text, &ignored);
}

void run_note_failure(struct run *run, const struct journal_file *file, const struct error *error)
{
    run_tell(run, &(struct run_message){
                      .kind = RUN_FAILED, .path = file ? file->path : "", .error = error});
    run_note(run, file ? file->id : 0, error->text);
    run_keep_worst(run, error);
}

void run_keep_worst(struct run *run, const struct error *error)
{
    if (run->worst.kind == ERROR_NONE ||
        (error->kind == ERROR_PERMANENT && run->worst.kind != ERROR_PERMANENT))
        run->worst = *error;
    if (run->worst.kind == ERROR_CHANGED) /* the next run looks at it again */
        run->worst.kind = ERROR_TRANSIENT;
}

/* ---- opening --------------------------------------------------------------------------------- */

bool run_open(struct run *run, const char *path, struct error *err)
{
    rng_seed_from_system(&run->rng);
    run->began_at = time(NULL);
    run->lock_fd = -1;
    if (!session_dir_open(path, &run->session_dir, err)) {
        run->session_dir = NULL;
        return err->kind == ERROR_NO_INPUT && run_open_vanished(run, path, err);
    }
    snprintf(run->directory, sizeof run->directory, "%s", session_dir_path(run->session_dir));
    snprintf(run->parent, sizeof run->parent, "%s", session_dir_parent(run->session_dir));
    return run->journal ||
           journal_place_open(run->options->settings, run->parent, &run->journal, err);
}

void run_unlock(struct run *run)
{
    session_dir_close(run->session_dir);
    run->session_dir = NULL;
    if (run->lock_fd >= 0)
        close(run->lock_fd);
    run->lock_fd = -1;
}

void run_close(struct run *run)
{
    free(run->metadata);
    s3_close(run->s3);
    loop_close(run->loop);
    journal_close(run->journal);
    run_unlock(run);
}

static uint64_t rate_limit(const struct run *run)
{
    const struct settings *settings = run->options->settings;
    bool live_is_lower =
        settings->live_rate_limit &&
        (!settings->s3_rate_limit || settings->live_rate_limit < settings->s3_rate_limit);

    return run->growing && live_is_lower ? settings->live_rate_limit : settings->s3_rate_limit;
}

bool run_open_network(struct run *run, struct error *err)
{
    const struct loop_stop stop = {.fd = run->options->stop_fd,
                                   .requested = run->options->stop_requested,
                                   .context = run->options->context};

    return run->loop ||
           network_open(run->options->settings, rate_limit(run), &stop, &run->loop, &run->s3, err);
}

/* ---- the lock -------------------------------------------------------------------------------- */

static bool try_lock(struct run *run, bool *ret_locked, struct error *err)
{
    if (run->session_dir)
        return session_dir_try_lock(run->session_dir, ret_locked, err);
    if (!lock_file_take(run->options->settings, run->parent, LOCK_FILE_VANISHED, &run->lock_fd,
                        err))
        return false;
    *ret_locked = run->lock_fd >= 0;
    return true;
}

/* Waits with a claim, which makes the process that has the lock give way if it is the watcher's. */
static bool wait_for_lock(struct run *run, struct error *err)
{
    struct pollfd stop = {.fd = run->options->stop_fd, .events = POLLIN};
    int64_t claimed_at = 0;
    bool locked = false, told = false, ok;

    while ((ok = try_lock(run, &locked, err)) && !locked) {
        if (run->options->gives_way || clock_now_ms() >= run->deadline_ms ||
            run_stop_requested(run)) {
            ok = error_set(err, ERROR_STOPPED, "another process works on %s", run->directory);
            break;
        }
        yield_request(run->journal, run->directory, &claimed_at);
        if (!told)
            run_tell(run, &(struct run_message){.kind = RUN_WAITS, .path = ""});
        told = true;
        (void)poll(&stop, 1, LOCK_RETRY_MS);
    }
    yield_withdraw(run->journal, run->directory, &claimed_at);
    return ok;
}

/* Checks the directory again: the last holder of the lock may have removed it. */
bool run_lock(struct run *run, struct error *err)
{
    char path[SESSION_PATH_SIZE];

    snprintf(path, sizeof path, "%s", run->directory);
    for (unsigned tries = 0; tries < MOST_REPLACED; tries++) {
        if (!wait_for_lock(run, err))
            return false;
        if (run->session_dir ? session_dir_still_there(run->session_dir) : access(path, F_OK) != 0)
            return true;
        run_unlock(run);
        if (!run_open(run, path, err))
            return false;
        if (strcmp(run->directory, path) != 0) /* links are followed for the caller alone */
            return error_set(err, ERROR_NO_INPUT, "a link stands in the place of %s", path);
    }
    return error_set(err, ERROR_TRANSIENT, "%s is replaced again and again, or can't be looked at",
                     path);
}

/* ---- the work -------------------------------------------------------------------------------- */

static bool begin(struct run *run, struct error *err)
{
    int64_t now = time(NULL);
    char text[48];

    run->began_at = now;
    if (run->growing ? !journal_note_recording(run->journal, run->directory, run_session_id(run),
                                               now, &run->row, err)
                     : !journal_begin_recording(run->journal, run->directory, run_session_id(run),
                                                now, &run->row, err))
        return false;
    if (run->session_dir) {
        run->row.vanished_since = 0;
        run->moved = !recordings_dir_is_same(run->parent, run->row.recordings_inode);
        run->row.recordings_inode = recordings_dir_inode(run->parent);
    } else if (!run->row.vanished_since ||
               schedule_is_of_another_clock(run->row.vanished_since, now, 0)) {
        run->row.vanished_since = now;
    }
    snprintf(text, sizeof text, "a run begins (try %u)", run->row.tries);
    if (!run->growing)
        run_note(run, 0, text);
    return true;
}

/* A recording whose runs are killed each time waits as after any failure, and then gets one more
 * run. */
static bool refuse_interrupted(struct run *run, struct error *err)
{
    if (!run->options->gives_way || run->row.interrupted <= MOST_INTERRUPTED)
        return true;
    run->row.interrupted = MOST_INTERRUPTED - 1;
    return error_set(err, ERROR_TRANSIENT,
                     "%u runs in a row were killed before they ended: it waits for its next try",
                     MOST_INTERRUPTED);
}

bool run_work(struct run *run, bool (*work)(struct run *run, struct error *err), struct error *err)
{
    uint64_t started_ms = clock_now_ms();
    struct error of_end = ERROR_INIT;
    bool begun = begin(run, err) && refuse_interrupted(run, err);
    bool ok = begun && work(run, err);

    if (!run->row.id || err->kind == ERROR_DAMAGED)
        return false; /* nothing was begun, or the journal is to be set aside */
    if (!ok)
        run_keep_worst(run, err);
    if (begun)
        run->row.interrupted = 0;
    if (!run_save_outcome(run, &of_end) && ok) {
        *err = of_end;
        ok = false;
    }
    if (!run->growing)
        stats_observe(&run->account.stats, STATS_FINALIZE_SECONDS,
                      ok                             ? STATS_RESULT_SAFE
                      : err->kind == ERROR_PERMANENT ? STATS_RESULT_FAILED
                                                     : STATS_RESULT_WAITING,
                      clock_now_ms() - started_ms);
    return ok;
}
