#include "finalize/lifecycle/finalizer_private.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/watcher_lock.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOCK_RETRY_MS   50u /* whoever gives way needs a moment, and Jibri waits */
#define DEFAULT_WAIT_MS UINT64_C(600000)

/* ---- the beginning of a run ------------------------------------------------------------------ */

/* Makes the one that works on the recording give way, if it is one of the watcher's. That it can't
 * be asked is no reason not to wait. */
static void claim(struct finalizer_run *run)
{
    struct error ignored = ERROR_INIT;

    if (!run->journal &&
        !journal_place_open(run->options->settings, session_dir_parent(run->recording),
                            &run->journal, &ignored)) {
        run->journal = NULL;
        return;
    }
    yield_request(run->journal, session_dir_path(run->recording), &run->claimed_at);
}

/* Waits for another process that works on this recording, for as long as Jibri may be held. */
static bool take_lock(struct finalizer_run *run, struct error *err)
{
    bool told = false;
    bool locked;

    for (;;) {
        uint64_t now_ms;

        if (!session_dir_try_lock(run->recording, &locked, err))
            return false;
        if (locked)
            return true;
        if (run->options->gives_way)
            return error_set(err, ERROR_STOPPED, "another process works on %s",
                             session_dir_path(run->recording));
        claim(run);
        if (!told)
            finalizer_tell(run, &(struct finalizer_message){.kind = FINALIZER_WAITS, .path = ""});
        told = true;
        now_ms = clock_now_ms();
        if (now_ms >= run->deadline_ms || finalizer_stop_requested(run))
            return error_set(err, ERROR_STOPPED, "another process works on %s",
                             session_dir_path(run->recording));
        if (!loop_wait(run->loop, LOCK_RETRY_MS, err))
            return false;
    }
}

/* True when the journal knows the directory as done: there is nothing left to do, and that is well.
 */
static bool is_done_already(struct finalizer_run *run, const char *directory, bool *ret_done,
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
static bool has_something_to_do(struct finalizer_run *run, const char *directory, struct error *err)
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

static bool open_network(struct finalizer_run *run, struct error *err)
{
    const struct settings *settings = run->options->settings;
    const struct loop_stop stop = {.fd = run->options->stop_fd,
                                   .requested = run->options->stop_requested,
                                   .context = run->options->context};

    return network_open(settings, settings->s3_rate_limit, &stop, &run->loop, &run->s3, err);
}

/* What a person gave up stays so until a person takes it up again. */
static bool refuse_abandoned(struct finalizer_run *run, const char *directory, struct error *err)
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
static bool take_up(struct finalizer_run *run, struct error *err)
{
    const struct finalizer_options *options = run->options;

    if (!run->row.reason[0] && (!options->meeting_id || options->meeting_id == run->row.meeting_id))
        return true;
    run->row.reason[0] = 0;
    if (options->meeting_id)
        run->row.meeting_id = options->meeting_id;
    return journal_save_recording(run->journal, &run->row, time(NULL), err);
}

static void note_begin(struct finalizer_run *run)
{
    char text[48];

    snprintf(text, sizeof text, "a run begins (try %u)", run->row.tries);
    finalizer_note(run, 0, text);
}

/* With the recording open, its journal open and its lock held. */
static bool work(struct finalizer_run *run, struct error *err)
{
    const char *directory = session_dir_path(run->recording);
    bool done;

    if (!refuse_abandoned(run, directory, err) || !is_done_already(run, directory, &done, err))
        return false;
    if (!session_dir_still_there(run->recording)) /* who had the lock before us finished it */
        return done || error_set(err, ERROR_NO_INPUT, "%s is gone", directory);
    if (!has_something_to_do(run, directory, err))
        return false;
    if (!journal_begin_recording(run->journal, directory, session_dir_session_id(run->recording),
                                 time(NULL), &run->row, err) ||
        !journal_take_over(run->journal, directory, err) || !take_up(run, err))
        return false;
    note_begin(run);
    if (!finalizer_deliver(run, err) || !finalizer_end(run, err))
        return false;
    if (run->worst.kind == ERROR_NONE)
        return true;
    *err = run->worst;
    return false;
}

/* The directory isn't there. When the journal knows it as done, an earlier run was killed after its
 * last step. */
static bool forgive_absence(struct finalizer_run *run, const char *path, struct error *err)
{
    char *for_parent = strdup(path);
    char *for_name = strdup(path);
    char *parent = for_parent ? realpath(dirname(for_parent), NULL) : NULL;
    struct error ignored = ERROR_INIT;
    char directory[SESSION_PATH_SIZE], journal[JOURNAL_PLACE_SIZE];
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

/* Leaves all of it to the watcher, which finds it in the journal. What is done is not handed over:
 * whether something came since is looked into here, and is soon over when nothing did. */
static bool hand_over(struct finalizer_run *run, bool *ret_handed_over, struct error *err)
{
    const char *directory = session_dir_path(run->recording);
    bool done;

    *ret_handed_over = false;
    if (!journal_place_open(run->options->settings, session_dir_parent(run->recording),
                            &run->journal, err) ||
        !refuse_abandoned(run, directory, err) || !is_done_already(run, directory, &done, err))
        return false;
    if (done)
        return true;
    if (!has_something_to_do(run, directory, err) ||
        !journal_hand_over(run->journal, directory, time(NULL), err))
        return false;
    *ret_handed_over = true;
    finalizer_tell(run, &(struct finalizer_message){.kind = FINALIZER_HANDS_OVER, .path = ""});
    return true;
}

static bool run_once(const struct finalizer_options *options, const char *path,
                     uint64_t deadline_ms, struct finalizer_summary *ret_summary, struct error *err)
{
    struct finalizer_run run = {
        .options = options, .deadline_ms = deadline_ms, .summary = ret_summary};
    uint64_t started_ms;
    bool locked;
    bool ok = false;

    *ret_summary = (struct finalizer_summary){0};
    rng_seed_from_system(&run.rng);
    if (!session_dir_open(path, &run.recording, err)) {
        ok = err->kind == ERROR_NO_INPUT && forgive_absence(&run, path, err);
        goto out;
    }
    ret_summary->watched =
        watcher_lock_is_held(options->settings, session_dir_parent(run.recording));
    if (ret_summary->watched && options->may_hand_over && options->wait_ms == 0) {
        ok = hand_over(&run, &ret_summary->handed_over, err);
        if (!ok || ret_summary->handed_over)
            goto out;
        ok = false;
    }
    if (!open_network(&run, err))
        goto out;
    locked = take_lock(&run, err);
    yield_withdraw(run.journal, session_dir_path(run.recording), &run.claimed_at);
    if (!locked ||
        (!run.journal && !journal_place_open(options->settings, session_dir_parent(run.recording),
                                             &run.journal, err)))
        goto out;
    started_ms = clock_now_ms();
    ok = work(&run, err);
    if (run.row.id)
        stats_observe(&run.account.stats, STATS_FINALIZE_SECONDS,
                      ok                             ? STATS_RESULT_SAFE
                      : err->kind == ERROR_PERMANENT ? STATS_RESULT_FAILED
                                                     : STATS_RESULT_WAITING,
                      clock_now_ms() - started_ms);
    if (run.row.id)
        finalizer_tell_others(&run);
    journal_add_stats(run.journal, &run.account.stats);
out:
    s3_close(run.s3);
    loop_close(run.loop);
    journal_close(run.journal);
    session_dir_close(run.recording);
    return ok;
}

/* The journal can't be used: the work is rebuilt from the directory and the bucket, not refused. */
static bool set_journal_aside(const struct finalizer_options *options, const char *path,
                              struct error *err)
{
    char aside[JOURNAL_PLACE_ASIDE_SIZE], sentence[JOURNAL_PLACE_ASIDE_SIZE + 192];
    struct session_dir *recording = NULL;
    struct error failure = ERROR_INIT;
    bool ok;

    if (!session_dir_open(path, &recording, &failure))
        return false; /* `err` keeps the first cause */
    ok = journal_place_set_aside(options->settings, session_dir_parent(recording), aside, &failure);
    if (ok && aside[0]) {
        snprintf(sentence, sizeof sentence,
                 "the journal could not be used and was set aside as %s; the work is rebuilt from "
                 "the directory and the bucket",
                 aside);
        options->event(
            options->context, session_dir_session_id(recording),
            &(struct finalizer_message){.kind = FINALIZER_REMARK, .path = "", .text = sentence});
    }
    session_dir_close(recording);
    if (ok)
        error_clear(err);
    return ok;
}

bool finalizer_run(const struct finalizer_options *options, const char *path,
                   struct finalizer_summary *ret_summary, struct error *err)
{
    uint64_t wait_ms =
        options->may_hand_over && options->wait_ms == 0 ? DEFAULT_WAIT_MS : options->wait_ms;
    uint64_t now_ms = clock_now_ms();
    uint64_t deadline_ms = wait_ms < UINT64_MAX - now_ms ? now_ms + wait_ms : UINT64_MAX;

    if (run_once(options, path, deadline_ms, ret_summary, err))
        return true;
    if (err->kind != ERROR_DAMAGED || !set_journal_aside(options, path, err))
        return false;
    return run_once(options, path, deadline_ms, ret_summary, err);
}
