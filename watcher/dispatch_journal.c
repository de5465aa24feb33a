/* dispatch_journal - the journal as the watcher keeps it open, and what its rows ask for. */
#include "watcher/dispatch_private.h"

#include "finalize/journal/journal_outbox.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/journal/schedule.h"
#include "finalize/program/log.h"

#include <sys/stat.h>

/* A row that a server asked to wait for long is tried once the servers answer, but not every time.
 */
#define MOST_FAILURES_HURRIED 3u

/* ---- the file -------------------------------------------------------------------------------- */

void dispatch_close_journal(struct dispatch *dispatch)
{
    journal_close(dispatch->journal);
    dispatch->journal = NULL;
}

/* A damaged one is set aside, as the finalizer does; the work is rebuilt from the directories. */
static void set_journal_aside(struct dispatch *dispatch)
{
    char sentence[JOURNAL_PLACE_SENTENCE_SIZE];
    struct error failure = ERROR_INIT;

    dispatch_close_journal(dispatch);
    if (!journal_place_set_aside(dispatch->settings, dispatch->recordings_dir, sentence, &failure))
        dispatch_say_trouble(dispatch, &failure);
    else if (sentence[0])
        log_line(SETTINGS_LOG_WARNING, NULL, "%s", sentence);
}

void dispatch_take_journal_failure(struct dispatch *dispatch, const struct error *error)
{
    dispatch_say_trouble(dispatch, error);
    if (error->kind == ERROR_DAMAGED)
        set_journal_aside(dispatch);
    else
        dispatch_close_journal(dispatch);
}

/* Also when another file is in the place of the one that is open: a volume was mounted, say. */
bool dispatch_have_journal(struct dispatch *dispatch)
{
    char path[JOURNAL_PLACE_SIZE];
    struct error failure = ERROR_INIT;
    struct stat status;

    if (!journal_place(dispatch->settings, dispatch->recordings_dir, path))
        return false;
    if (dispatch->journal && !stat(path, &status) && status.st_dev == dispatch->journal_device &&
        status.st_ino == dispatch->journal_inode)
        return true;
    dispatch_close_journal(dispatch);
    if (stat(dispatch->recordings_dir, &status))
        return false; /* nor is there anything to do */
    if (!journal_place_open(dispatch->settings, dispatch->recordings_dir, &dispatch->journal,
                            &failure)) {
        dispatch->journal = NULL;
        dispatch_take_journal_failure(dispatch, &failure);
        return false;
    }
    dispatch->last_trouble[0] = 0;
    if (!stat(path, &status)) {
        dispatch->journal_device = status.st_dev;
        dispatch->journal_inode = status.st_ino;
    }
    dispatch->rows_changed = true;
    return true;
}

/* ---- its rows -------------------------------------------------------------------------------- */

/* Of our runs and Jibri's alike: the servers may be gone. */
static void note_failure(struct dispatch *dispatch, const struct journal_recording *row)
{
    int64_t pause_s = row->next_try_at - row->updated_at;

    if (!row->failures ||
        (row->state != JOURNAL_RECORDING_WAITING && row->state != JOURNAL_RECORDING_RECORDING))
        return;
    if (row->updated_at > dispatch->failed_at)
        dispatch->failed_at = row->updated_at;
    if (row->failures <= MOST_FAILURES_HURRIED &&
        pause_s > (int64_t)(dispatch->settings->retry_min_ms / 1000) << (row->failures - 1))
        dispatch->asked_to_wait = true;
}

static void take_row(struct dispatch *dispatch, const struct journal_recording *row)
{
    bool planned =
        row->state == JOURNAL_RECORDING_WAITING || row->state == JOURNAL_RECORDING_FAILED;
    bool due = !planned || schedule_is_due(dispatch->settings, row->next_try_at, dispatch->now);

    dispatch_look_soon(dispatch, row->directory, due ? dispatch->now : row->next_try_at);
    note_failure(dispatch, row);
}

static bool read_handed_over(struct dispatch *dispatch, struct error *err)
{
    char directory[SESSION_PATH_SIZE] = "";
    bool found = true;

    for (size_t i = 0; i < dispatch->sessions.count; i++)
        dispatch->sessions.list[i].handed_over = false;
    for (;;) {
        struct watched_session *session;

        if (!journal_next_handed_over(dispatch->journal, directory, directory, &found, err))
            return false;
        if (!found)
            return true;
        session = watched_get(&dispatch->sessions, directory);
        if (!session)
            continue;
        session->handed_over = true;
        session->look_at = dispatch->now;
    }
}

static bool read_rows(struct dispatch *dispatch, struct error *err)
{
    struct journal_recording row = {.id = 0};
    bool found = true;

    dispatch->failed_at = 0;
    dispatch->asked_to_wait = false;
    for (;;) {
        if (!journal_next_unfinished(dispatch->journal, row.id, &row, &found, err))
            return false;
        if (!found)
            return true;
        take_row(dispatch, &row);
    }
}

static bool read_events(struct dispatch *dispatch, struct error *err)
{
    const char *url = dispatch->settings->webhook_url;

    dispatch->due_at[WORKER_EVENTS] = 0;
    return !url || !*url ||
           journal_next_webhook_at(dispatch->journal, dispatch->now,
                                   &dispatch->due_at[WORKER_EVENTS], err);
}

void dispatch_read_journal(struct dispatch *dispatch)
{
    struct error failure = ERROR_INIT;

    dispatch->rows_changed = false;
    dispatch->rows_read_at = dispatch->now;
    if (!read_rows(dispatch, &failure) || !read_handed_over(dispatch, &failure) ||
        !read_events(dispatch, &failure))
        dispatch_take_journal_failure(dispatch, &failure);
    dispatch_plan_probe(dispatch);
}

void dispatch_hurry(struct dispatch *dispatch, bool failed_too)
{
    struct error failure = ERROR_INIT;

    if (dispatch->journal && !journal_hurry(dispatch->journal, failed_too, dispatch->now, &failure))
        dispatch_take_journal_failure(dispatch, &failure);
    dispatch_note_all(dispatch);
}
