#include "finalize/lifecycle/finalizer.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/leftover.h"
#include "finalize/lifecycle/lock_file.h"
#include "finalize/lifecycle/removal.h"
#include "finalize/lifecycle/run.h"
#include "finalize/lifecycle/stored.h"
#include "finalize/notify/webhook.h"
#include "finalize/session/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_WAIT_MS UINT64_C(600000)
#define MAX_ROUNDS      3u /* a file that keeps changing is still being written: left for later */
#define EVENTS_MS       2000u
#define LEFTOVERS_MS    5000u

/* ---- whether there is something to do -------------------------------------------------------- */

/* What a person gave up stays so until a person takes it up again. */
static bool refuse_abandoned(struct run *run, const struct journal_recording *row,
                             struct error *err)
{
    if (row->state != JOURNAL_RECORDING_ABANDONED || run->options->retries_abandoned)
        return true;
    return error_set(err, ERROR_PERMANENT,
                     "%s was abandoned%s%s: its files stay, and it is taken up again only by "
                     "jibri-finalize retry",
                     run->directory, row->reason[0] ? ": " : "", row->reason);
}

/* ERROR_NO_INPUT when there is nothing in the directory, and nothing in the journal. */
static bool find_work(struct run *run, struct journal_recording *ret_row, struct error *err)
{
    unsigned files = 0;
    bool known;

    *ret_row = (struct journal_recording){.id = 0};
    if (!journal_find_recording(run->journal, run->directory, ret_row, &known, err) ||
        !refuse_abandoned(run, ret_row, err) ||
        (run->session_dir &&
         !intake_survey(run->session_dir, run->options->settings->media, &files, err)))
        return false;
    return files || known ||
           error_set(err, ERROR_NO_INPUT, "%s holds no file to upload", run->directory);
}

/* ---- the work -------------------------------------------------------------------------------- */

/* Another try begins: a claim and an earlier reason to give up are over; a person may have added a
 * meeting id. */
static bool take_up(struct run *run, struct error *err)
{
    int32_t meeting_id = run->options->meeting_id;

    if (!journal_unclaim(run->journal, run->directory, JOURNAL_HANDED_OVER, err))
        return false;
    if (!run->row.reason[0] && (!meeting_id || meeting_id == run->row.meeting_id))
        return true;
    run->row.reason[0] = 0;
    if (meeting_id)
        run->row.meeting_id = meeting_id;
    return journal_save_recording(run->journal, &run->row, time(NULL), err);
}

/* With notify_only, what is not in the bucket yet is left as it is; so is what cannot be read.
 * Without the file, what may be in the bucket is looked for. */
static bool wants(struct run *run, const struct journal_file *file, bool *ret_wants,
                  struct error *err)
{
    (void)err;
    *ret_wants = file->state == JOURNAL_FILE_UPLOADED ||
                 (file->state == JOURNAL_FILE_PENDING && !run->options->notify_only &&
                  (run->session_dir ? file->identity.mtime_ns != INTAKE_NEVER_LOOKED_INTO
                                    : journal_file_may_be_stored(file)));
    return true;
}

static void on_remark(void *context, const char *path, const char *sentence)
{
    struct run *run = context;
    char text[SESSION_PATH_SIZE + 200];

    run_remark(run, path, sentence);
    snprintf(text, sizeof text, "%s: %s", path, sentence);
    run_note(run, 0, text);
}

static void on_unreadable(void *context, const struct journal_file *file, const struct error *error)
{
    run_note_failure(context, file, error);
}

/* Best effort: it may have gone with an earlier run. */
static void read_metadata(struct run *run)
{
    struct file_identity identity;
    struct error ignored = ERROR_INIT;
    struct metadata metadata;
    int fd;

    if (!run->session_dir ||
        !session_dir_open_file(run->session_dir, METADATA_FILE_NAME, &fd, &identity, &ignored))
        return;
    if (metadata_read(fd, identity.size_bytes, &metadata, &ignored)) {
        free(run->metadata);
        run->metadata = metadata.members;
        metadata.members = NULL;
    }
    metadata_done(&metadata);
    close(fd);
}

static bool take_in(struct run *run, unsigned round, struct error *err)
{
    struct intake intake = {.settings = run->options->settings,
                            .journal = run->journal,
                            .session_dir = run->session_dir,
                            .row = &run->row,
                            .moved = run->moved,
                            .rng = &run->rng,
                            .remark = on_remark,
                            .failed = on_unreadable,
                            .context = run};

    run->worst = (struct error)ERROR_INIT;
    read_metadata(run);
    if (!intake_run(&intake, &run->intake, err))
        return false;
    if (round == 1)
        run_tell(run, &(struct run_message){.kind = RUN_BEGINS,
                                            .files = run->intake.files,
                                            .bytes = run->intake.pending_bytes,
                                            .tries = run->row.tries});
    return true;
}

static bool deliver(struct run *run, struct error *err)
{
    struct error failure = ERROR_INIT;

    if (!run_open_network(run, err))
        return false;
    for (unsigned round = 1; round <= MAX_ROUNDS; round++) {
        if (!take_in(run, round, err) || !run_deliver(run, err))
            return false;
        if (!run->changed)
            return true;
    }
    error_set(&failure, ERROR_TRANSIENT, "a file of %s is still being written to", run->directory);
    run_note_failure(run, NULL, &failure);
    return true;
}

static void on_removed(void *context, const char *session_id, const char *path)
{
    struct run *run = context;

    run->options->message(run->options->context, session_id,
                          &(struct run_message){.kind = RUN_REMOVED, .path = path});
}

static void on_sweep_failed(void *context, const char *session_id, const struct error *error)
{
    struct run *run = context;

    run->options->message(
        run->options->context, session_id,
        &(struct run_message){.kind = RUN_REMARK, .path = "", .text = error->text});
}

static bool is_stored(void *context, const struct journal_file *file, bool *ret_stored,
                      struct error *err)
{
    struct run *run = context;
    uint64_t until_ms = clock_now_ms() + LEFTOVERS_MS;

    return run_open_network(run, err) &&
           stored_ask(run->options->settings, run->loop, run->s3, file,
                      until_ms < run->deadline_ms ? until_ms : run->deadline_ms, ret_stored, err);
}

static struct removal removal_of(struct run *run)
{
    return (struct removal){.settings = run->options->settings,
                            .journal = run->journal,
                            .run_began_at = run->began_at,
                            .is_stored = is_stored,
                            .removed = on_removed,
                            .failed = on_sweep_failed,
                            .context = run};
}

/* Returns how many files are to be sent again. */
static unsigned remove_local(struct run *run)
{
    struct removal removal = removal_of(run);
    struct error failure = ERROR_INIT;

    if (!removal_run(&removal, run->session_dir, run->row.id, time(NULL),
                     &run->summary->directory_removed, &failure))
        run_note_failure(run, NULL, &failure);
    return removal.missing;
}

static bool finalize(struct run *run, struct error *err)
{
    if (!take_up(run, err) ||
        !(run->session_dir ? deliver(run, err) : run_settle_vanished(run, err)))
        return false;
    if (!run->session_dir || !remove_local(run))
        return true;
    if (!deliver(run, err))
        return false;
    (void)remove_local(run);
    return true;
}

/* ---- after it -------------------------------------------------------------------------------- */

/* Other recordings, whose time to be kept is over. What fails there is no failure of this run. */
static void sweep_others(struct run *run)
{
    struct removal removal = removal_of(run);
    struct error failure = ERROR_INIT;

    if (!removal_sweep(&removal, time(NULL), &failure))
        run_remark(run, "", failure.text);
}

/* What an upload left to tidy up, what the files that are lost left, and what an earlier run was
 * killed before it could abort. Best effort. */
static void abort_leftovers(struct run *run)
{
    uint64_t until_ms = clock_now_ms() + LEFTOVERS_MS;
    struct journal_leftover leftover;
    struct leftover_result result;
    struct error ignored = ERROR_INIT;
    bool found;

    if (!run_stop_requested(run) &&
        journal_next_leftover(run->journal, 0, &leftover, &found, &ignored) && found &&
        run_open_network(run, &ignored))
        (void)!leftover_abort(run->options->settings, run->journal, run->loop, run->s3, NULL,
                              until_ms < run->deadline_ms ? until_ms : run->deadline_ms, &result,
                              &ignored);
}

/* The watcher delivers events. Where none runs, this run takes up to EVENTS_MS of its time for
 * them; what is not delivered by then stays in the journal. */
static void deliver_events(struct run *run)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t left_ms = run->deadline_ms > now_ms ? run->deadline_ms - now_ms : 0;
    struct webhook_delivery delivery = {.settings = run->options->settings,
                                        .journal = run->journal,
                                        .loop = run->loop,
                                        .rng = &run->rng,
                                        .stats = &run->account.stats,
                                        .recording_id = run->row.id,
                                        .patience_ms = left_ms < EVENTS_MS ? left_ms : EVENTS_MS,
                                        .stop_requested = run_stop_requested,
                                        .context = run};
    const char *url = run->options->settings->webhook_url;
    struct error ignored = ERROR_INIT;

    if (url && *url && run->loop && !run->summary->watched)
        (void)!webhook_deliver_due(&delivery, &ignored);
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Leaves all of it to the watcher, which finds it in the journal. A recording that is done is not
 * handed over: this run looks for new files itself, which is quick. */
static bool hand_over(struct run *run, struct error *err)
{
    struct journal_recording row;

    if (!find_work(run, &row, err))
        return false;
    if (row.state == JOURNAL_RECORDING_DONE)
        return true;
    if (!journal_claim(run->journal, run->directory, JOURNAL_HANDED_OVER, time(NULL), err))
        return false;
    run->summary->handed_over = true;
    run_tell(run, &(struct run_message){.kind = RUN_HANDS_OVER, .path = ""});
    return true;
}

/* Another process has the recording for longer than this call may take: perhaps one of the
 * watcher's own runs, which sends parts and does not know that Jibri is done. Best effort: without
 * a claim the watcher finds it as an orphan, later. */
static void leave_to_watcher(struct run *run)
{
    struct journal_recording row;
    struct error ignored = ERROR_INIT;

    if (find_work(run, &row, &ignored))
        (void)!journal_claim(run->journal, run->directory, JOURNAL_HANDED_OVER, time(NULL),
                             &ignored);
}

static bool work(struct run *run, struct error *err)
{
    struct journal_recording row;

    run->summary->directory_gone = !run->session_dir;
    if (!find_work(run, &row, err))
        return false;
    if (run->session_dir || row.state != JOURNAL_RECORDING_DONE)
        return run_work(run, finalize, err);
    run->row = row; /* nothing is left to do: its rows say whether it is safe */
    run->summary->was_done = true;
    return run_judge(run, err);
}

static bool run_once(const struct run_options *options, const char *path, uint64_t deadline_ms,
                     struct run_summary *ret_summary, struct error *err)
{
    struct run run = {
        .options = options, .summary = ret_summary, .deadline_ms = deadline_ms, .wants = wants};
    bool ok = false;

    *ret_summary = (struct run_summary){0};
    if (!run_open(&run, path, err)) {
        run_note_unopened(&run, path, err);
        goto out;
    }
    ret_summary->watched = lock_file_is_held(options->settings, run.parent, LOCK_FILE_WATCHER);
    if (run.session_dir && ret_summary->watched && options->may_hand_over &&
        options->wait_ms == 0) {
        ok = hand_over(&run, err);
        if (!ok || ret_summary->handed_over)
            goto out;
    }
    ok = run_lock(&run, err);
    if (!ok && err->kind == ERROR_STOPPED && ret_summary->watched && options->may_hand_over)
        leave_to_watcher(&run);
    ok = ok && work(&run, err);
    if (run.row.id) {
        run_unlock(&run);
        abort_leftovers(&run);
        sweep_others(&run);
        deliver_events(&run);
        journal_add_stats(run.journal, &run.account.stats);
    }
out:
    run_close(&run);
    return ok;
}

/* The journal can't be used: the work is rebuilt from the directory and the bucket, not refused. */
static bool set_journal_aside(const struct run_options *options, const char *path,
                              struct error *err)
{
    char sentence[JOURNAL_PLACE_SENTENCE_SIZE];
    struct session_dir *session_dir = NULL;
    struct error failure = ERROR_INIT;
    bool ok;

    if (!session_dir_open(path, &session_dir, &failure))
        return false; /* `err` keeps the first cause */
    ok = journal_place_set_aside(options->settings, session_dir_parent(session_dir), sentence,
                                 &failure);
    if (ok && sentence[0])
        options->message(options->context, session_dir_session_id(session_dir),
                         &(struct run_message){.kind = RUN_REMARK, .path = "", .text = sentence});
    session_dir_close(session_dir);
    if (ok)
        error_clear(err);
    return ok;
}

bool finalizer_run(const struct run_options *options, const char *path,
                   struct run_summary *ret_summary, struct error *err)
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
