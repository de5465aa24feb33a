#include "finalize/journal_private.h"

#include "finalize/journal_reserve.h"
#include "finalize/journal_row.h"
#include "finalize/journal_schema.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDING_COLUMNS JOURNAL_ROW_RECORDING("")
#define FILE_COLUMNS      JOURNAL_ROW_FILE("")
#define PART_COLUMNS      "number, length, fingerprint, etag, acknowledged_at"

static const char *const statement_sql[JOURNAL_STATEMENTS] = {
    /* A write from the start: one that began as a read can't wait for other writers. */
    [JOURNAL_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [JOURNAL_SQL_COMMIT] = "COMMIT",
    [JOURNAL_SQL_ROLLBACK] = "ROLLBACK",
    [JOURNAL_SQL_SAVEPOINT] = "SAVEPOINT inner",
    [JOURNAL_SQL_RELEASE] = "RELEASE inner",
    [JOURNAL_SQL_ROLLBACK_TO] = "ROLLBACK TO inner",
    [JOURNAL_SQL_CHECK] = "PRAGMA quick_check(1)",
    [JOURNAL_SQL_FIND_RECORDING] =
        "SELECT " RECORDING_COLUMNS " FROM recording WHERE directory = ?",
    [JOURNAL_SQL_NEXT_KEPT_RECORDING] = /* 3: JOURNAL_FILE_SAFE, as the index says it */
    "SELECT " RECORDING_COLUMNS " FROM recording WHERE id = (SELECT min(recording_id) FROM file "
    "WHERE state = 3 AND removed_at = 0 AND recording_id > ? AND safe_at <= ?)",
    [JOURNAL_SQL_BEGIN_RECORDING] =
        "INSERT INTO recording (directory, session_id, state, tries, created_at, updated_at, "
        "next_try_at, last_error, meeting_url, share) VALUES (?, ?, ?, 1, ?, ?, 0, '', '', -1) "
        "ON CONFLICT (directory) DO UPDATE SET state = excluded.state, tries = tries + 1, "
        "updated_at = excluded.updated_at",
    [JOURNAL_SQL_SAVE_RECORDING] =
        "UPDATE recording SET state = ?, tries = ?, failures = ?, updated_at = ?, next_try_at = ?, "
        "last_error = ?, reason = ?, meeting_url = ?, share = ?, meeting_id = ? WHERE id = ?",
    [JOURNAL_SQL_FIND_FILE] =
        "SELECT " FILE_COLUMNS " FROM file WHERE recording_id = ? AND path = ?",
    [JOURNAL_SQL_ADD_FILE] =
        "INSERT INTO file (incomplete, device, inode, size_bytes, mtime_ns, object_bytes, state, "
        "mark, key, key_suffix, phase, phase_at, upload_id, part_size_bytes, etag, uploaded_at, "
        "notice, backend_row, safe_at, removed_at, last_error, recording_id, path, media) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [JOURNAL_SQL_SAVE_FILE] =
        "UPDATE file SET incomplete = ?, device = ?, inode = ?, size_bytes = ?, mtime_ns = ?, "
        "object_bytes = ?, state = ?, mark = ?, key = ?, key_suffix = ?, phase = ?, phase_at = ?, "
        "upload_id = ?, part_size_bytes = ?, etag = ?, uploaded_at = ?, notice = ?, "
        "backend_row = ?, safe_at = ?, removed_at = ?, last_error = ? WHERE id = ?",
    [JOURNAL_SQL_NOTE_REMOVED] = "UPDATE file SET removed_at = ? WHERE id = ?",
    [JOURNAL_SQL_NEXT_FILE] = "SELECT " FILE_COLUMNS " FROM file "
                              "WHERE recording_id = ? AND media = ? AND id > ? ORDER BY id LIMIT 1",
    [JOURNAL_SQL_FIND_PART] = "SELECT " PART_COLUMNS " FROM part WHERE file_id = ? AND number = ?",
    [JOURNAL_SQL_NEXT_PART] = "SELECT " PART_COLUMNS " FROM part "
                              "WHERE file_id = ? AND number > ? ORDER BY number LIMIT 1",
    [JOURNAL_SQL_SAVE_PART] =
        "INSERT INTO part (file_id, number, length, fingerprint, etag, acknowledged_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (file_id, number) DO UPDATE "
        "SET length = excluded.length, fingerprint = excluded.fingerprint, "
        "etag = excluded.etag, acknowledged_at = excluded.acknowledged_at",
    [JOURNAL_SQL_FORGET_PART] = "DELETE FROM part WHERE file_id = ? AND number = ?",
    [JOURNAL_SQL_FORGET_PARTS] = "DELETE FROM part WHERE file_id = ?",
    [JOURNAL_SQL_NOTE_RECORDING] =
        "INSERT INTO recording (directory, session_id, state, tries, created_at, updated_at, "
        "next_try_at, last_error, meeting_url, share) VALUES (?, ?, ?, 0, ?, ?, 0, '', '', -1) "
        "ON CONFLICT (directory) DO NOTHING",
    [JOURNAL_SQL_NEXT_UNFINISHED] = /* neither done nor abandoned */
    "SELECT " RECORDING_COLUMNS
    " FROM recording WHERE state IN (1, 2, 3, 5) AND id > ? ORDER BY id LIMIT 1",
    [JOURNAL_SQL_HURRY] = "UPDATE recording SET next_try_at = ?1 WHERE state = 2 AND "
                          "next_try_at > ?1",
    [JOURNAL_SQL_HURRY_ALL] = "UPDATE recording SET next_try_at = ?1 WHERE state IN (2, 3) AND "
                              "next_try_at > ?1",
    [JOURNAL_SQL_NEXT_LEFTOVER_UPLOAD] =
        "SELECT " FILE_COLUMNS " FROM file WHERE upload_id <> '' AND id > ? AND (SELECT state FROM "
        "recording WHERE recording.id = recording_id) IN (4, 6) ORDER BY id LIMIT 1",
    [JOURNAL_SQL_FORGET_DONE] =
        "DELETE FROM recording WHERE state = 4 AND updated_at < ? AND NOT EXISTS (SELECT 1 FROM "
        "file WHERE recording_id = recording.id AND (state = 5 OR state = 3 AND removed_at = 0 OR "
        "upload_id <> ''))",
    [JOURNAL_SQL_FORGET_CLAIMS] = "DELETE FROM claim WHERE pid <> 0 AND at < ?",
    [JOURNAL_SQL_COUNT_PARTS] =
        "SELECT count(*) FROM part WHERE file_id = ? AND number BETWEEN ? AND ?",
    [JOURNAL_SQL_CLAIM] = "INSERT INTO claim (directory, pid, at) VALUES (?, ?, ?) "
                          "ON CONFLICT (directory, pid) DO UPDATE SET at = excluded.at",
    [JOURNAL_SQL_UNCLAIM] = "DELETE FROM claim WHERE directory = ? AND pid = ?",
    [JOURNAL_SQL_IS_CLAIMED] =
        "SELECT 1 FROM claim WHERE directory = ? AND (pid = 0 OR at BETWEEN ? AND ?) LIMIT 1",
    [JOURNAL_SQL_NEXT_HANDED_OVER] =
        "SELECT directory FROM claim WHERE pid = 0 AND directory > ? ORDER BY directory LIMIT 1",
    [JOURNAL_SQL_ADD_EVENT] =
        "INSERT INTO event (recording_id, file_id, at, text) VALUES (?, ?, ?, ?)",
};

/*
 * What a power failure may take: history is a comfort; a part whose row is lost is learned from
 * ListParts and compared; that a recording or a file is known is told to nobody before something
 * else is written of it; that a local copy is gone shows on the disk, and that somebody waits ends
 * with the machine. All else is a promise.
 */
static bool may_be_lost(enum journal_statement statement)
{
    switch (statement) {
    case JOURNAL_SQL_ADD_EVENT:
    case JOURNAL_SQL_SAVE_PART:
    case JOURNAL_SQL_BEGIN_RECORDING:
    case JOURNAL_SQL_NOTE_RECORDING:
    case JOURNAL_SQL_ADD_FILE:
    case JOURNAL_SQL_NOTE_REMOVED:
    case JOURNAL_SQL_UNCLAIM:
    case JOURNAL_SQL_BEGIN: /* these write nothing by themselves */
    case JOURNAL_SQL_COMMIT:
    case JOURNAL_SQL_ROLLBACK:
    case JOURNAL_SQL_SAVEPOINT:
    case JOURNAL_SQL_RELEASE:
    case JOURNAL_SQL_ROLLBACK_TO:
        return true;
    default:
        return false;
    }
}

bool journal_begin_query(struct journal *journal, enum journal_statement statement,
                         struct journal_query *query, struct error *err)
{
    if (!journal_query_begin(query, journal->database, journal->path,
                             &journal->statements[statement], statement_sql[statement], err))
        return false;
    if (!may_be_lost(statement) && !sqlite3_stmt_readonly(journal->statements[statement]))
        journal->must_last = true;
    return true;
}

/* Opening takes room, too: SQLite makes its log, and an index of it. */
static bool open_database(const char *path, sqlite3 **ret_database, struct error *err)
{
    struct error failure = ERROR_INIT;
    bool opened = journal_schema_open(path, ret_database, &failure);
    bool full = failure.sys_errno == ENOSPC || failure.sys_errno == EDQUOT;

    if (!opened && full && journal_reserve_give_up(path)) {
        error_clear(&failure);
        opened = journal_schema_open(path, ret_database, &failure);
        if (!opened)
            journal_reserve_keep(path);
    }
    if (!opened && err->kind == ERROR_NONE)
        *err = failure;
    return opened;
}

bool journal_open(const char *path, struct journal **ret_journal, struct error *err)
{
    struct journal *journal = calloc(1, sizeof *journal);

    if (!journal)
        return error_set(err, ERROR_TRANSIENT, "no memory for the journal %s", path);
    snprintf(journal->path, sizeof journal->path, "%s", path);
    if (!open_database(path, &journal->database, err)) {
        free(journal);
        return false;
    }
    journal_reserve_make(path);
    journal_commit_watch(journal);
    *ret_journal = journal;
    return true;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    for (size_t i = 0; i < JOURNAL_STATEMENTS; i++)
        sqlite3_finalize(journal->statements[i]);
    sqlite3_close(journal->database);
    journal_reserve_keep(journal->path);
    free(journal);
}

void journal_set_patience(struct journal *journal, unsigned patience_ms)
{
    sqlite3_busy_timeout(journal->database, (int)patience_ms);
}

bool journal_check(struct journal *journal, struct error *err)
{
    struct journal_query query;
    char verdict[32];
    bool found;

    if (!journal_begin_query(journal, JOURNAL_SQL_CHECK, &query, err) ||
        !journal_query_fetch(&query, &found, err))
        return false;
    if (found) {
        journal_query_get_text(&query, verdict, sizeof verdict);
        if (!journal_query_end(&query, err))
            return false;
        found = !strcmp(verdict, "ok");
    }
    return found || error_set(err, ERROR_DAMAGED, "the journal is damaged: %s", journal->path);
}

static bool run_plain(struct journal *journal, enum journal_statement statement, struct error *err)
{
    struct journal_query query;

    return journal_begin_query(journal, statement, &query, err) && journal_query_run(&query, err);
}

bool journal_begin(struct journal *journal, struct error *err)
{
    bool inner = journal->depth > 0;
    struct journal_query rollback;

    /* One that fails when it is to be written is gone as a whole. */
    if (journal_reserve_is_needed(journal->path))
        journal_query_make_room(journal->database, journal->path);
    /* Prepared now, so that no lack of memory can stand in the way of a rollback later. */
    if (!journal_begin_query(journal, inner ? JOURNAL_SQL_ROLLBACK_TO : JOURNAL_SQL_ROLLBACK,
                             &rollback, err) ||
        (inner && !journal_begin_query(journal, JOURNAL_SQL_RELEASE, &rollback, err)) ||
        !run_plain(journal, inner ? JOURNAL_SQL_SAVEPOINT : JOURNAL_SQL_BEGIN, err))
        return false;
    journal->depth++;
    return true;
}

bool journal_commit(struct journal *journal, struct error *err)
{
    if (run_plain(journal, journal->depth > 1 ? JOURNAL_SQL_RELEASE : JOURNAL_SQL_COMMIT, err)) {
        journal->depth--;
        return true;
    }
    journal_rollback(journal);
    return false;
}

void journal_rollback(struct journal *journal)
{
    struct error ignored = ERROR_INIT;

    if (!journal->depth)
        return;
    journal->depth--;
    /* SQLite may have rolled back by itself, as it does when the disk is full. */
    if (sqlite3_get_autocommit(journal->database))
        return;
    if (journal->depth) {
        (void)run_plain(journal, JOURNAL_SQL_ROLLBACK_TO, &ignored);
        (void)run_plain(journal, JOURNAL_SQL_RELEASE, &ignored);
    } else {
        (void)run_plain(journal, JOURNAL_SQL_ROLLBACK, &ignored);
    }
}

void journal_put_path(struct journal_query *query, const char *path)
{
    journal_query_put_bytes(query, path, strlen(path));
}

bool journal_load_recording(struct journal_query *query, struct journal_recording *ret_recording,
                            bool *ret_found, struct error *err)
{
    struct journal_recording recording;
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        journal_row_get_recording(query, &recording);
        if (!journal_query_end(query, err))
            return false;
        *ret_recording = recording;
    }
    *ret_found = found;
    return true;
}

bool journal_find_recording(struct journal *journal, const char *directory,
                            struct journal_recording *ret_recording, bool *ret_found,
                            struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_FIND_RECORDING, &query, err))
        return false;
    journal_put_path(&query, directory);
    return journal_load_recording(&query, ret_recording, ret_found, err);
}

bool journal_next_kept_recording(struct journal *journal, int64_t after_id, int64_t safe_before,
                                 struct journal_recording *ret_recording, bool *ret_found,
                                 struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_NEXT_KEPT_RECORDING, &query, err))
        return false;
    journal_query_put_integer(&query, after_id);
    journal_query_put_integer(&query, safe_before);
    return journal_load_recording(&query, ret_recording, ret_found, err);
}

bool journal_begin_recording(struct journal *journal, const char *directory, const char *session_id,
                             int64_t now, struct journal_recording *ret_recording,
                             struct error *err)
{
    struct journal_query query;
    bool found;

    if (!journal_begin_query(journal, JOURNAL_SQL_BEGIN_RECORDING, &query, err))
        return false;
    journal_put_path(&query, directory);
    journal_put_path(&query, session_id);
    journal_query_put_integer(&query, JOURNAL_RECORDING_WORKING);
    journal_query_put_integer(&query, now);
    journal_query_put_integer(&query, now);
    if (!journal_query_change_row(&query, NULL, err) ||
        !journal_find_recording(journal, directory, ret_recording, &found, err))
        return false;
    return found ||
           error_set(err, ERROR_PERMANENT,
                     "a recording vanished from the journal as it was added: %s", journal->path);
}

bool journal_save_recording(struct journal *journal, const struct journal_recording *recording,
                            int64_t now, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_SAVE_RECORDING, &query, err))
        return false;
    journal_query_put_integer(&query, recording->state);
    journal_query_put_integer(&query, recording->tries);
    journal_query_put_integer(&query, recording->failures);
    journal_query_put_integer(&query, now);
    journal_query_put_integer(&query, recording->next_try_at);
    journal_query_put_text(&query, recording->last_error);
    journal_query_put_text(&query, recording->reason);
    journal_query_put_text(&query, recording->meeting_url);
    journal_query_put_integer(&query, recording->share);
    journal_query_put_integer(&query, recording->meeting_id);
    journal_query_put_integer(&query, recording->id);
    return journal_query_change_row(&query, NULL, err);
}

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

static bool load_part(struct journal_query *query, struct journal_part *ret_part, bool *ret_found,
                      struct error *err)
{
    struct journal_part part = {0};
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        part.number = (unsigned)journal_query_get_integer(query, 1, PART_MAX_NUMBER);
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
static bool load_part_by(struct journal *journal, enum journal_statement statement, int64_t file_id,
                         unsigned number, struct journal_part *ret_part, bool *ret_found,
                         struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, statement, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, number);
    return load_part(&query, ret_part, ret_found, err);
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

bool journal_find_part(struct journal *journal, int64_t file_id, unsigned number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return load_part_by(journal, JOURNAL_SQL_FIND_PART, file_id, number, ret_part, ret_found, err);
}

bool journal_next_part(struct journal *journal, int64_t file_id, unsigned after_number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return load_part_by(journal, JOURNAL_SQL_NEXT_PART, file_id, after_number, ret_part, ret_found,
                        err);
}

bool journal_save_part(struct journal *journal, int64_t file_id, const struct journal_part *part,
                       struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_SAVE_PART, &query, err))
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

    if (!journal_begin_query(journal, JOURNAL_SQL_FORGET_PART, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, number);
    return journal_query_run(&query, err);
}

bool journal_forget_parts(struct journal *journal, int64_t file_id, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_FORGET_PARTS, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    return journal_query_run(&query, err);
}

bool journal_add_event(struct journal *journal, int64_t recording_id, int64_t file_id, int64_t now,
                       const char *text, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_ADD_EVENT, &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    if (file_id)
        journal_query_put_integer(&query, file_id);
    else
        journal_query_put_null(&query);
    journal_query_put_integer(&query, now);
    journal_query_put_text(&query, text);
    return journal_query_run(&query, err);
}
