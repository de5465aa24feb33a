#include "finalize/journal/journal_private.h"

#include "finalize/journal/journal_row.h"

#include <sqlite3.h>

bool journal_load_file(struct journal_query *query, struct journal_file *ret_file, bool *ret_found,
                       struct error *err)
{
    struct journal_file file;
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        journal_row_get_file(query, &file);
        if (!journal_query_end(query, err))
            return false;
        *ret_file = file;
    }
    *ret_found = found;
    return true;
}

bool journal_find_file(struct journal *journal, int64_t recording_id, const char *path,
                       struct journal_file *ret_file, bool *ret_found, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_FIND_FILE, &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    journal_put_path(&query, path);
    return journal_load_file(&query, ret_file, ret_found, err);
}

bool journal_note_removed(struct journal *journal, const struct journal_file *file,
                          struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_NOTE_REMOVED, &query, err))
        return false;
    journal_query_put_integer(&query, file->removed_at);
    journal_query_put_integer(&query, file->id);
    return journal_query_change_row(&query, NULL, err);
}

bool journal_next_file(struct journal *journal, int64_t recording_id, bool media, int64_t after_id,
                       struct journal_file *ret_file, bool *ret_found, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_NEXT_FILE, &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    journal_query_put_integer(&query, media);
    journal_query_put_integer(&query, after_id);
    return journal_load_file(&query, ret_file, ret_found, err);
}

bool journal_add_file(struct journal *journal, struct journal_file *file, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_ADD_FILE, &query, err))
        return false;
    journal_row_put_file(&query, file);
    journal_query_put_integer(&query, file->recording_id);
    journal_put_path(&query, file->path);
    journal_query_put_integer(&query, file->media);
    if (!journal_query_run(&query, err))
        return false;
    file->id = sqlite3_last_insert_rowid(journal->database);
    return true;
}

static bool save_file(struct journal *journal, const struct journal_file *file, bool *ret_conflict,
                      struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_SAVE_FILE, &query, err))
        return false;
    journal_row_put_file(&query, file);
    journal_query_put_integer(&query, file->id);
    return journal_query_change_row(&query, ret_conflict, err);
}

bool journal_save_file(struct journal *journal, const struct journal_file *file, struct error *err)
{
    return save_file(journal, file, NULL, err);
}

bool journal_save_key(struct journal *journal, const struct journal_file *file, bool *ret_taken,
                      struct error *err)
{
    /* The key is the only column of an update that has to be unique. */
    return save_file(journal, file, ret_taken, err);
}

bool journal_each_file(struct journal *journal, int64_t recording_id,
                       bool (*visit)(void *context, struct journal_file *file, struct error *err),
                       void *context, struct error *err)
{
    struct journal_file file = {0};

    for (int kind = 0; kind < 2; kind++) {
        bool found = true;

        for (int64_t after = 0; found; after = file.id) {
            if (!journal_next_file(journal, recording_id, kind == 0, after, &file, &found, err))
                return false;
            if (found && !visit(context, &file, err))
                return false;
        }
    }
    return true;
}
