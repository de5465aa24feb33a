/*
 * journal_file - the rows of files and of their parts.
 */
#include "finalize/journal/journal_private.h"

#include <sqlite3.h>
#include <stddef.h>

#define COLUMN(name, ...) JOURNAL_COLUMN(journal_file, __VA_ARGS__),
const struct journal_column journal_file_columns[] = {
    COLUMN(id, id, JOURNAL_KEY) JOURNAL_FILE_COLUMNS(COLUMN){.kind = JOURNAL_END}};

bool journal_file_may_be_stored(const struct journal_file *file)
{
    return file->state == JOURNAL_FILE_UPLOADED || file->state == JOURNAL_FILE_SAFE ||
           file->phase == JOURNAL_PHASE_PUTTING || file->phase == JOURNAL_PHASE_COMPLETING;
}

bool journal_find_file(struct journal *journal, int64_t recording_id, const char *path,
                       struct journal_file *ret_file, bool *ret_found, struct error *err)
{
    return journal_fetch(
        journal, "SELECT " JOURNAL_FILE_ROW " FROM file WHERE recording_id = ? AND path = ?",
        VALUES(INT(recording_id), PATH(path)), journal_file_columns, ret_file, ret_found, err);
}

bool journal_next_file(struct journal *journal, int64_t recording_id, bool media, int64_t after_id,
                       struct journal_file *ret_file, bool *ret_found, struct error *err)
{
    return journal_fetch(journal,
                         "SELECT " JOURNAL_FILE_ROW " FROM file WHERE recording_id = ? AND "
                         "media = ? AND id > ? ORDER BY id LIMIT 1",
                         VALUES(INT(recording_id), INT(media), INT(after_id)), journal_file_columns,
                         ret_file, ret_found, err);
}

bool journal_note_removed(struct journal *journal, const struct journal_file *file,
                          struct error *err)
{
    return journal_run_unforced(journal,
                                "UPDATE file SET removed_at = ? WHERE id = ? AND mark = ? AND "
                                "state = " JOURNAL_SQL(FILE_SAFE),
                                VALUES(INT(file->removed_at), INT(file->id), TEXT(file->mark)),
                                err);
}

bool journal_add_file(struct journal *journal, struct journal_file *file, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, false,
                             "INSERT INTO file (" JOURNAL_FILE_ROW
                             ") VALUES (?" JOURNAL_FILE_COLUMNS(JOURNAL_MARK) ")",
                             VALUES(NOTHING), &query, err))
        return false;
    journal_query_put_row(&query, journal_file_columns + 1, file);
    if (!journal_query_run(&query, err))
        return false;
    file->id = sqlite3_last_insert_rowid(journal->database);
    return true;
}

/* The key is the only column of an update that has to be unique. */
bool journal_save_key(struct journal *journal, const struct journal_file *file, bool *ret_taken,
                      struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, true,
                             "UPDATE file SET last_error = ''" JOURNAL_FILE_SET " WHERE id = ?",
                             NO_VALUES, &query, err))
        return false;
    journal_query_put_row(&query, JOURNAL_FILE_CHANGES, file);
    journal_query_put(&query, VALUES(INT(file->id)));
    return journal_query_change_row(&query, ret_taken, err);
}

bool journal_save_file(struct journal *journal, const struct journal_file *file, struct error *err)
{
    return journal_save_key(journal, file, NULL, err);
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

static const struct journal_column part_columns[] = {
    JOURNAL_COLUMN(journal_part, number, JOURNAL_INTEGER, 1, S3_MAX_PARTS),
    JOURNAL_COLUMN(journal_part, length, JOURNAL_SIZE),
    JOURNAL_COLUMN(journal_part, has_fingerprint, JOURNAL_FLAG),
    JOURNAL_COLUMN(journal_part, fingerprint, JOURNAL_BYTES),
    JOURNAL_COLUMN(journal_part, etag, JOURNAL_TEXT),
    JOURNAL_COLUMN(journal_part, acknowledged_at, JOURNAL_ANY),
    {.kind = JOURNAL_END}};
#define PART_ROW                                                             \
    "SELECT number, length, fingerprint IS NOT NULL, coalesce(fingerprint, " \
    "zeroblob(16)), etag, acknowledged_at FROM part WHERE file_id = ? AND number "

bool journal_find_part(struct journal *journal, int64_t file_id, unsigned number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return journal_fetch(journal, PART_ROW "= ?", VALUES(INT(file_id), INT(number)), part_columns,
                         ret_part, ret_found, err);
}

bool journal_next_part(struct journal *journal, int64_t file_id, unsigned after_number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return journal_fetch(journal, PART_ROW "> ? ORDER BY number LIMIT 1",
                         VALUES(INT(file_id), INT(after_number)), part_columns, ret_part, ret_found,
                         err);
}

bool journal_save_part(struct journal *journal, int64_t file_id, const struct journal_part *part,
                       struct error *err)
{
    const void *fingerprint = part->has_fingerprint ? part->fingerprint : NULL;

    return journal_run_unforced(
        journal,
        "INSERT INTO part (file_id, number, length, fingerprint, etag, acknowledged_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (file_id, number) DO UPDATE SET length = "
        "excluded.length, fingerprint = excluded.fingerprint, etag = excluded.etag, "
        "acknowledged_at = excluded.acknowledged_at",
        VALUES(INT(file_id), INT(part->number), INT(part->length),
               BYTES(fingerprint, sizeof part->fingerprint), TEXT(part->etag),
               INT(part->acknowledged_at)),
        err);
}

bool journal_forget_part(struct journal *journal, int64_t file_id, unsigned number,
                         struct error *err)
{
    return journal_run(journal, "DELETE FROM part WHERE file_id = ? AND number = ?",
                       VALUES(INT(file_id), INT(number)), err);
}

bool journal_forget_parts(struct journal *journal, int64_t file_id, struct error *err)
{
    return journal_run(journal, "DELETE FROM part WHERE file_id = ?", VALUES(INT(file_id)), err);
}

bool journal_count_parts(struct journal *journal, int64_t file_id, unsigned first, unsigned last,
                         unsigned *ret_count, struct error *err)
{
    int64_t count = 0;
    bool found;

    if (!journal_fetch_number(
            journal, "SELECT count(*) FROM part WHERE file_id = ? AND number BETWEEN ? AND ?",
            VALUES(INT(file_id), INT(first), INT(last)), &count, &found, err))
        return false;
    *ret_count = (unsigned)count;
    return true;
}
