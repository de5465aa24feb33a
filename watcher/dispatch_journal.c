#include "watcher/dispatch_private.h"

#include "finalize/journal/journal_outbox.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/schedule.h"
#include "finalize/program/log.h"

#include <sys/stat.h>

/* ---- the file -------------------------------------------------------------------------------- */

void dispatch_close_journal(struct dispatch *dispatch)
{
    journal_close(dispatch->journal);
    dispatch->journal = NULL;
}

/* A damaged one is set aside, as the finalizer does; the work is rebuilt from the directories. */
static void set_journal_aside(struct dispatch *dispatch)
{
    char aside[JOURNAL_PLACE_ASIDE_SIZE];
    struct error failure = ERROR_INIT;

    dispatch_close_journal(dispatch);
    if (!journal_place_set_aside(dispatch->settings, dispatch->recordings_dir, aside, &failure))
        dispatch_say_trouble(dispatch, &failure);
    else if (aside[0])
        log_line(SETTINGS_LOG_WARNING, NULL,
                 "the journal could not be used and was set aside as %s; the work is rebuilt from "
                 "the directories and the bucket",
                 aside);
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

/* Runs of others that failed tell of an outage, too. */
static void note_failed_run(struct dispatch *dispatch, const struct journal_recording *row,
                            int64_t now)
{
    struct session *session = sessions_get(&dispatch->sessions, row->directory);

    if (!session || session->row_updated_at == row->updated_at)
        return;
    session->row_updated_at = row->updated_at;
    if (row->state == JOURNAL_RECORDING_WAITING && row->failures)
        outage_run_failed(&dispatch->outage, dispatch->settings, now, &dispatch->rng);
}

static void take_row(struct dispatch *dispatch, const struct journal_recording *row, int64_t now)
{
    bool planned =
        row->state == JOURNAL_RECORDING_WAITING || row->state == JOURNAL_RECORDING_FAILED;

    if (planned && !schedule_is_due(dispatch->settings, row->next_try_at, now))
        dispatch_look_soon(dispatch, row->directory, row->next_try_at);
    else
        dispatch_look_soon(dispatch, row->directory, now);
    note_failed_run(dispatch, row, now);
}

static bool read_handed_over(struct dispatch *dispatch, int64_t now, struct error *err)
{
    char directory[SESSION_PATH_SIZE] = "";
    bool found = true;

    for (size_t i = 0; i < dispatch->sessions.count; i++)
        dispatch->sessions.list[i].handed_over = false;
    for (;;) {
        struct session *session;

        if (!journal_next_handed_over(dispatch->journal, directory, directory, &found, err))
            return false;
        if (!found)
            return true;
        session = sessions_get(&dispatch->sessions, directory);
        if (!session)
            continue;
        session->handed_over = true;
        session->look_at = now;
    }
}

static bool read_rows(struct dispatch *dispatch, int64_t now, struct error *err)
{
    struct journal_recording row = {.id = 0};
    bool found = true;

    for (;;) {
        if (!journal_next_unfinished(dispatch->journal, row.id, &row, &found, err))
            return false;
        if (!found)
            return read_handed_over(dispatch, now, err);
        take_row(dispatch, &row, now);
    }
}

static bool read_events(struct dispatch *dispatch, struct error *err)
{
    const char *url = dispatch->settings->webhook_url;

    dispatch->events_at = 0;
    return !url || !*url || journal_next_webhook_at(dispatch->journal, &dispatch->events_at, err);
}

void dispatch_read_journal(struct dispatch *dispatch, int64_t now)
{
    struct error failure = ERROR_INIT;

    dispatch->rows_changed = false;
    dispatch->rows_read_at = now;
    if (!read_rows(dispatch, now, &failure) || !read_events(dispatch, &failure))
        dispatch_take_journal_failure(dispatch, &failure);
}
