#include "finalize/lifecycle/sweep.h"

#include "finalize/lifecycle/removal.h"
#include "finalize/session/session_dir.h"

#include <string.h>

struct one {
    const struct sweep *sweep;
    const struct journal_recording *row;
};

static void on_removed(void *context, const char *path)
{
    const struct one *one = context;

    one->sweep->removed(one->sweep->context, one->row->session_id, path);
}

struct absence {
    struct journal *journal;
    int64_t now;
};

/* The directory is not there any more: somebody else has removed the copies. */
static bool note_absence(void *context, struct journal_file *file, struct error *err)
{
    const struct absence *absence = context;

    if (file->state != JOURNAL_FILE_SAFE || file->removed_at)
        return true;
    file->removed_at = absence->now;
    return journal_save_file(absence->journal, file, err);
}

static void free_directory(const struct sweep *sweep, const struct journal_recording *row,
                           struct session_dir *session_dir, int64_t now)
{
    struct one one = {.sweep = sweep, .row = row};
    struct removal removal = {.settings = sweep->settings,
                              .journal = sweep->journal,
                              .session_dir = session_dir,
                              .recording_id = row->id,
                              .removed = on_removed,
                              .context = &one};
    struct error failure = ERROR_INIT;
    bool removed = false;

    if (!removal_run(&removal, now, &removed, &failure))
        sweep->failed(sweep->context, row->session_id, &failure);
}

static bool sweep_one(const struct sweep *sweep, const struct journal_recording *row, int64_t now,
                      struct error *err)
{
    struct absence absence = {.journal = sweep->journal, .now = now};
    struct session_dir *session_dir = NULL;
    struct error failure = ERROR_INIT;
    bool locked = false;

    if (!session_dir_open(row->directory, &session_dir, &failure)) {
        if (failure.kind == ERROR_NO_INPUT)
            return journal_each_file(sweep->journal, row->id, note_absence, &absence, err);
        sweep->failed(sweep->context, row->session_id, &failure);
        return true;
    }
    if (!strcmp(session_dir_path(session_dir), row->directory) &&
        session_dir_try_lock(session_dir, &locked, &failure) && locked)
        free_directory(sweep, row, session_dir, now);
    session_dir_close(session_dir);
    return true;
}

bool sweep_run(const struct sweep *sweep, int64_t now, struct error *err)
{
    uint64_t keep_ms = sweep->settings->keep_local_ms;
    struct journal_recording row = {.id = 0};
    bool found = true;

    if (keep_ms == SETTINGS_KEEP_FOREVER)
        return true;
    for (;;) {
        if (!journal_next_kept_recording(sweep->journal, row.id, now - (int64_t)(keep_ms / 1000),
                                         &row, &found, err))
            return false;
        if (!found)
            return true;
        if (!sweep_one(sweep, &row, now, err))
            return false;
    }
}
