/*
 * journal_file - the rows of files and of their parts.
 */
#include "finalize/journal/journal_private.h"

#include <sqlite3.h>

#define COLUMNS JOURNAL_FILE_COLUMNS("")

void journal_get_file(struct journal_query *query, struct journal_file *file)
{
    file->id = journal_query_get_integer(query, 1, INT64_MAX);
    file->recording_id = journal_query_get_integer(query, 1, INT64_MAX);
    journal_query_get_text(query, file->path, sizeof file->path);
    file->media = journal_query_get_integer(query, 0, 1);
    file->incomplete = journal_query_get_integer(query, 0, 1);
    file->identity.inode = journal_query_get_unsigned(query);
    file->identity.size_bytes = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
    file->identity.mtime_ns = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    file->object_bytes = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
    file->state = (enum journal_file_state)journal_query_get_integer(query, JOURNAL_FILE_PENDING,
                                                                     JOURNAL_FILE_WITHHELD);
    journal_query_get_text(query, file->mark, sizeof file->mark);
    journal_query_get_text(query, file->key, sizeof file->key);
    file->key_suffix = (unsigned)journal_query_get_integer(query, 0, UINT32_MAX);
    file->phase = (enum journal_phase)journal_query_get_integer(query, JOURNAL_PHASE_NONE,
                                                                JOURNAL_PHASE_ABORTING);
    file->phase_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    journal_query_get_text(query, file->upload_id, sizeof file->upload_id);
    file->part_size_bytes = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
    file->complete_refusals = (unsigned)journal_query_get_integer(query, 0, UINT32_MAX);
    journal_query_get_text(query, file->etag, sizeof file->etag);
    file->uploaded_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    file->notice = (enum journal_notice)journal_query_get_integer(query, JOURNAL_NOTICE_NONE,
                                                                  JOURNAL_NOTICE_REFUSED);
    file->backend_row = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    file->safe_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    file->removed_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    journal_query_get_text(query, file->last_error, sizeof file->last_error);
}

/* Puts all that may change of a file, in the order of its columns. */
static void put_file(struct journal_query *query, const struct journal_file *file)
{
    journal_query_put_integer(query, file->incomplete);
    journal_query_put_unsigned(query, file->identity.inode);
    journal_query_put_unsigned(query, file->identity.size_bytes);
    journal_query_put_integer(query, file->identity.mtime_ns);
    journal_query_put_unsigned(query, file->object_bytes);
    journal_query_put_integer(query, file->state);
    journal_query_put_text(query, file->mark);
    journal_query_put_text_or_null(query, file->key);
    journal_query_put_integer(query, file->key_suffix);
    journal_query_put_integer(query, file->phase);
    journal_query_put_integer(query, file->phase_at);
    journal_query_put_text(query, file->upload_id);
    journal_query_put_unsigned(query, file->part_size_bytes);
    journal_query_put_integer(query, file->complete_refusals);
    journal_query_put_text(query, file->etag);
    journal_query_put_integer(query, file->uploaded_at);
    journal_query_put_integer(query, file->notice);
    journal_query_put_integer(query, file->backend_row);
    journal_query_put_integer(query, file->safe_at);
    journal_query_put_integer(query, file->removed_at);
    journal_query_put_text(query, file->last_error);
}

bool journal_load_file(struct journal_query *query, struct journal_file *ret_file, bool *ret_found,
                       struct error *err)
{
    struct journal_file file;
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        journal_get_file(query, &file);
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

    if (!journal_begin_query(journal,
                             "SELECT " COLUMNS " FROM file WHERE recording_id = ? AND path = ?",
                             &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    journal_put_path(&query, path);
    return journal_load_file(&query, ret_file, ret_found, err);
}

bool journal_note_removed(struct journal *journal, const struct journal_file *file,
                          struct error *err)
{
    struct journal_query query;

    if (!journal_begin_unforced(journal, "UPDATE file SET removed_at = ? WHERE id = ?", &query,
                                err))
        return false;
    journal_query_put_integer(&query, file->removed_at);
    journal_query_put_integer(&query, file->id);
    return journal_query_change_row(&query, NULL, err);
}

bool journal_next_file(struct journal *journal, int64_t recording_id, bool media, int64_t after_id,
                       struct journal_file *ret_file, bool *ret_found, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal,
                             "SELECT " COLUMNS " FROM file "
                             "WHERE recording_id = ? AND media = ? AND id > ? ORDER BY id LIMIT 1",
                             &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    journal_query_put_integer(&query, media);
    journal_query_put_integer(&query, after_id);
    return journal_load_file(&query, ret_file, ret_found, err);
}

bool journal_add_file(struct journal *journal, struct journal_file *file, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_unforced(
            journal,
            "INSERT INTO file (incomplete, inode, size_bytes, mtime_ns, object_bytes, "
            "state, "
            "mark, key, key_suffix, phase, phase_at, upload_id, part_size_bytes, "
            "complete_refusals, "
            "etag, uploaded_at, notice, backend_row, safe_at, removed_at, last_error, "
            "recording_id, "
            "path, media) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            &query, err))
        return false;
    put_file(&query, file);
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

    if (!journal_begin_query(
            journal,
            "UPDATE file SET incomplete = ?, inode = ?, size_bytes = ?, mtime_ns = ?, "
            "object_bytes = ?, state = ?, mark = ?, key = ?, key_suffix = ?, phase = ?, phase_at = "
            "?, "
            "upload_id = ?, part_size_bytes = ?, complete_refusals = ?, etag = ?, uploaded_at = ?, "
            "notice = ?, backend_row = ?, safe_at = ?, removed_at = ?, last_error = ? WHERE id = ?",
            &query, err))
        return false;
    put_file(&query, file);
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

/* ---- parts ----------------------------------------------------------------------------------- */

#define PART_COLUMNS "number, length, fingerprint, etag, acknowledged_at"

static bool load_part(struct journal_query *query, struct journal_part *ret_part, bool *ret_found,
                      struct error *err)
{
    struct journal_part part = {0};
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        part.number = (unsigned)journal_query_get_integer(query, 1, S3_MAX_PARTS);
        part.length = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
        part.has_fingerprint =
            journal_query_get_bytes(query, part.fingerprint, sizeof part.fingerprint);
        journal_query_get_text(query, part.etag, sizeof part.etag);
        part.acknowledged_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
        if (!journal_query_end(query, err))
            return false;
        *ret_part = part;
    }
    *ret_found = found;
    return true;
}

/* `number`: the part's, or the one to begin after. */
static bool load_part_by(struct journal *journal, const char *sql, int64_t file_id, unsigned number,
                         struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, sql, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, number);
    return load_part(&query, ret_part, ret_found, err);
}

bool journal_find_part(struct journal *journal, int64_t file_id, unsigned number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return load_part_by(journal,
                        "SELECT " PART_COLUMNS " FROM part WHERE file_id = ? AND number = ?",
                        file_id, number, ret_part, ret_found, err);
}

bool journal_next_part(struct journal *journal, int64_t file_id, unsigned after_number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return load_part_by(journal,
                        "SELECT " PART_COLUMNS
                        " FROM part WHERE file_id = ? AND number > ? ORDER BY number LIMIT 1",
                        file_id, after_number, ret_part, ret_found, err);
}

bool journal_save_part(struct journal *journal, int64_t file_id, const struct journal_part *part,
                       struct error *err)
{
    struct journal_query query;

    if (!journal_begin_unforced(
            journal,
            "INSERT INTO part (file_id, number, length, fingerprint, etag, acknowledged_at) VALUES "
            "(?, ?, ?, ?, ?, ?) ON CONFLICT (file_id, number) DO UPDATE SET length = "
            "excluded.length, fingerprint = excluded.fingerprint, etag = excluded.etag, "
            "acknowledged_at = excluded.acknowledged_at",
            &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, part->number);
    journal_query_put_unsigned(&query, part->length);
    if (part->has_fingerprint)
        journal_query_put_bytes(&query, part->fingerprint, sizeof part->fingerprint);
    else
        journal_query_put_null(&query);
    journal_query_put_text(&query, part->etag);
    journal_query_put_integer(&query, part->acknowledged_at);
    return journal_query_change_row(&query, NULL, err);
}

bool journal_forget_part(struct journal *journal, int64_t file_id, unsigned number,
                         struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, "DELETE FROM part WHERE file_id = ? AND number = ?", &query,
                             err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, number);
    return journal_query_run(&query, err);
}

bool journal_forget_parts(struct journal *journal, int64_t file_id, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, "DELETE FROM part WHERE file_id = ?", &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    return journal_query_run(&query, err);
}
