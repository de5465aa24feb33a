#include "finalize/lifecycle/removal.h"

#include "finalize/journal/safety.h"
#include "finalize/session/recordings_dir.h"

#include <stdio.h>
#include <string.h>

static bool may_go(const struct removal *removal, const struct journal_file *file, int64_t now)
{
    uint64_t keep_ms = removal->settings->keep_local_ms;

    if (!safety_may_go(file) || keep_ms == SETTINGS_KEEP_FOREVER)
        return false;
    return now >= file->safe_at && (uint64_t)(now - file->safe_at) >= keep_ms / 1000;
}

/* ---- one recording --------------------------------------------------------------------------- */

/* *ret_stays: its object is not in the bucket, or may not be. */
static bool look_for_object(struct removal *removal, const char *session_id,
                            struct journal_file *file, int64_t now, bool *ret_stays,
                            struct error *err)
{
    struct error failure = ERROR_INIT;
    bool stored = true;

    *ret_stays = removal->no_answer;
    if (removal->no_answer || (file->safe_at >= removal->run_began_at && file->safe_at <= now))
        return true;
    if (!removal->is_stored(removal->context, file, &stored, &failure)) {
        removal->no_answer = failure.kind == ERROR_TRANSIENT || failure.kind == ERROR_STOPPED;
    } else if (!stored) {
        error_set(&failure, ERROR_TRANSIENT,
                  "%s is not in the bucket any more: its local copy stays, and is sent again",
                  file->path);
        file->state = JOURNAL_FILE_PENDING;
        removal->missing++;
    } else {
        return true;
    }
    *ret_stays = true;
    removal->failed(removal->context, session_id, &failure);
    return stored || journal_save_file(removal->journal, file, err);
}

static bool remove_one(struct removal *removal, struct session_dir *session_dir,
                       struct journal_file *file, int64_t now, struct error *err)
{
    struct error failure = ERROR_INIT;
    bool stays;

    if (!look_for_object(removal, session_dir_session_id(session_dir), file, now, &stays, err))
        return false;
    if (stays)
        return true;
    if (!session_dir_remove_file(session_dir, file->path, &file->identity, &failure)) {
        *err = err->kind == ERROR_NONE ? failure : *err;
        return true; /* the others go nevertheless */
    }
    removal->removed(removal->context, session_dir_session_id(session_dir), file->path);
    file->removed_at = now;
    return journal_note_removed(removal->journal, file, err);
}

/* *ret_all_safe: every file of this kind is. */
static bool remove_kind(struct removal *removal, struct session_dir *session_dir,
                        int64_t recording_id, bool media, bool removing, int64_t now,
                        bool *ret_all_safe, struct error *err)
{
    struct journal_file file;
    bool found = true;

    for (int64_t after = 0; found; after = file.id) {
        if (!journal_next_file(removal->journal, recording_id, media, after, &file, &found, err))
            return false;
        if (!found)
            break;
        if (removing && may_go(removal, &file, now) &&
            !remove_one(removal, session_dir, &file, now, err))
            return false;
        if (!safety_file_is_safe(&file))
            *ret_all_safe = false;
    }
    return true;
}

bool removal_run(struct removal *removal, struct session_dir *session_dir, int64_t recording_id,
                 int64_t now, bool *ret_directory_removed, struct error *err)
{
    bool media_safe = true;
    bool others_safe = true;

    if (!remove_kind(removal, session_dir, recording_id, true, true, now, &media_safe, err) ||
        !remove_kind(removal, session_dir, recording_id, false, media_safe, now, &others_safe,
                     err) ||
        err->kind != ERROR_NONE)
        return false;
    if (removal->settings->keep_local_ms == SETTINGS_KEEP_FOREVER)
        return true;
    if (!session_dir_remove_directory(session_dir, ret_directory_removed, err))
        return false;
    if (*ret_directory_removed)
        removal->removed(removal->context, session_dir_session_id(session_dir), "");
    return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

struct absence {
    struct journal *journal;
    int64_t now;
};

/* One column is written: no lock is held. */
static bool note_absence(void *context, struct journal_file *file, struct error *err)
{
    const struct absence *absence = context;

    if (!safety_may_go(file))
        return true;
    file->removed_at = absence->now;
    return journal_note_removed(absence->journal, file, err);
}

bool removal_note_vanished(struct journal *journal, const struct journal_recording *row,
                           int64_t now, struct error *err)
{
    struct absence absence = {.journal = journal, .now = now};
    const char *slash = strrchr(row->directory, '/');
    char parent[SESSION_PATH_SIZE];

    snprintf(parent, sizeof parent, "%.*s", (int)(slash - row->directory), row->directory);
    return !recordings_dir_is_same(parent[0] ? parent : "/", row->recordings_inode) ||
           journal_each_file(journal, row->id, note_absence, &absence, err);
}

/* What is to be sent again is due. Under the lock: the row is read again. */
static bool make_due(const struct removal *removal, const char *directory, int64_t now,
                     struct error *err)
{
    struct journal_recording row;
    bool found;

    if (!journal_find_recording(removal->journal, directory, &row, &found, err))
        return false;
    if (!found || row.state != JOURNAL_RECORDING_DONE)
        return true;
    row.state = JOURNAL_RECORDING_WAITING;
    row.next_try_at = now;
    snprintf(row.last_error, sizeof row.last_error, "%s",
             "an object that was kept is not in the bucket any more");
    return journal_save_recording(removal->journal, &row, now, err);
}

static bool sweep_one(struct removal *removal, const struct journal_recording *row, int64_t now,
                      struct error *err)
{
    struct session_dir *session_dir = NULL;
    struct error failure = ERROR_INIT;
    bool locked = false, removed;
    bool ok = true;

    if (!session_dir_open(row->directory, &session_dir, &failure)) {
        if (failure.kind == ERROR_NO_INPUT)
            return removal_note_vanished(removal->journal, row, now, err);
        removal->failed(removal->context, row->session_id, &failure);
        return true;
    }
    if (!strcmp(session_dir_path(session_dir), row->directory) &&
        session_dir_try_lock(session_dir, &locked, &failure) && locked &&
        !removal_run(removal, session_dir, row->id, now, &removed, &failure))
        removal->failed(removal->context, row->session_id, &failure);
    if (removal->missing)
        ok = make_due(removal, row->directory, now, err);
    removal->missing = 0;
    session_dir_close(session_dir);
    return ok;
}

bool removal_sweep(struct removal *removal, int64_t now, struct error *err)
{
    uint64_t keep_ms = removal->settings->keep_local_ms;
    struct journal_recording row = {.id = 0};
    bool found = true;

    if (keep_ms == SETTINGS_KEEP_FOREVER)
        return true;
    for (;;) {
        if (!journal_next_kept_recording(removal->journal, row.id, now - (int64_t)(keep_ms / 1000),
                                         &row, &found, err))
            return false;
        if (!found)
            return true;
        if (!sweep_one(removal, &row, now, err))
            return false;
    }
}
