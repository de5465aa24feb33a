#include "finalize/journal/journal_private.h"

#include "finalize/journal/journal_row.h"

#include <sqlite3.h>

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
