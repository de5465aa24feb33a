#include "finalize/lifecycle/removal.h"

static bool may_go(const struct removal *removal, const struct journal_file *file, int64_t now)
{
    uint64_t keep_ms = removal->settings->keep_local_ms;

    if (file->state != JOURNAL_FILE_SAFE || file->removed_at || keep_ms == SETTINGS_KEEP_FOREVER)
        return false;
    return now >= file->safe_at && (uint64_t)(now - file->safe_at) >= keep_ms / 1000;
}

static bool remove_one(const struct removal *removal, struct journal_file *file, int64_t now,
                       struct error *err)
{
    struct error failure = ERROR_INIT;

    if (!session_dir_remove_file(removal->session_dir, file->path, &file->identity, &failure)) {
        *err = err->kind == ERROR_NONE ? failure : *err;
        return true; /* the others go all the same */
    }
    removal->removed(removal->context, file->path);
    file->removed_at = now;
    return journal_note_removed(removal->journal, file, err);
}

/* *ret_all_safe: every file of this kind is. */
static bool remove_kind(const struct removal *removal, bool media, bool removing, int64_t now,
                        bool *ret_all_safe, struct error *err)
{
    struct journal_file file;
    bool found = true;

    for (int64_t after = 0; found; after = file.id) {
        if (!journal_next_file(removal->journal, removal->recording_id, media, after, &file, &found,
                               err))
            return false;
        if (!found)
            break;
        if (file.state == JOURNAL_FILE_PENDING || file.state == JOURNAL_FILE_UPLOADED)
            *ret_all_safe = false;
        if (removing && may_go(removal, &file, now) && !remove_one(removal, &file, now, err))
            return false;
    }
    return true;
}

bool removal_run(const struct removal *removal, int64_t now, bool *ret_directory_removed,
                 struct error *err)
{
    bool media_safe = true;
    bool others_safe = true;

    if (!remove_kind(removal, true, true, now, &media_safe, err) ||
        !remove_kind(removal, false, media_safe, now, &others_safe, err) || err->kind != ERROR_NONE)
        return false;
    if (removal->settings->keep_local_ms == SETTINGS_KEEP_FOREVER)
        return true;
    if (!session_dir_remove_directory(removal->session_dir, ret_directory_removed, err))
        return false;
    if (*ret_directory_removed)
        removal->removed(removal->context, "");
    return true;
}
