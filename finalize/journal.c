#include "finalize/journal.h"

#include "finalize/journal_query.h"
#include "finalize/journal_reserve.h"
#include "finalize/journal_schema.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    FIND_RECORDING,
    NEXT_KEPT_RECORDING,
    BEGIN_RECORDING,
    SAVE_RECORDING,
    FIND_FILE,
    ADD_FILE,
    SAVE_FILE,
    NEXT_FILE,
    FIND_PART,
    NEXT_PART,
    SAVE_PART,
    FORGET_PART,
    FORGET_PARTS,
    ADD_EVENT,
    CHECK,
    STATEMENTS
};

/* The columns that load_file() gets, in its order; from `incomplete` on they are those that
 * put_file() puts. */
#define FILE_COLUMNS                                                                            \
    "id, recording_id, path, media, incomplete, device, inode, size_bytes, mtime_ns, "          \
    "object_bytes, state, mark, key, key_suffix, phase, phase_at, upload_id, part_size_bytes, " \
    "etag, uploaded_at, notice, backend_row, safe_at, removed_at, last_error"
#define RECORDING_COLUMNS                                                                      \
    "id, directory, session_id, state, tries, failures, created_at, updated_at, next_try_at, " \
    "last_error, reason, meeting_url, share"
#define PART_COLUMNS "number, length, fingerprint, etag, acknowledged_at"

static const char *const statement_sql[STATEMENTS] = {
    /* A write from the start: one that began as a read can't wait for other writers. */
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [CHECK] = "PRAGMA quick_check(1)",
    [FIND_RECORDING] = "SELECT " RECORDING_COLUMNS " FROM recording WHERE directory = ?",
    [NEXT_KEPT_RECORDING] = /* 3: JOURNAL_FILE_SAFE, as the index says it */
    "SELECT " RECORDING_COLUMNS " FROM recording WHERE id = (SELECT min(recording_id) FROM file "
    "WHERE state = 3 AND removed_at = 0 AND recording_id > ? AND safe_at <= ?)",
    [BEGIN_RECORDING] =
        "INSERT INTO recording (directory, session_id, state, tries, created_at, updated_at, "
        "next_try_at, last_error, meeting_url, share) VALUES (?, ?, ?, 1, ?, ?, 0, '', '', -1) "
        "ON CONFLICT (directory) DO UPDATE SET state = excluded.state, tries = tries + 1, "
        "updated_at = excluded.updated_at",
    [SAVE_RECORDING] =
        "UPDATE recording SET state = ?, tries = ?, failures = ?, updated_at = ?, next_try_at = ?, "
        "last_error = ?, reason = ?, meeting_url = ?, share = ? WHERE id = ?",
    [FIND_FILE] = "SELECT " FILE_COLUMNS " FROM file WHERE recording_id = ? AND path = ?",
    [ADD_FILE] =
        "INSERT INTO file (incomplete, device, inode, size_bytes, mtime_ns, object_bytes, state, "
        "mark, key, key_suffix, phase, phase_at, upload_id, part_size_bytes, etag, uploaded_at, "
        "notice, backend_row, safe_at, removed_at, last_error, recording_id, path, media) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SAVE_FILE] =
        "UPDATE file SET incomplete = ?, device = ?, inode = ?, size_bytes = ?, mtime_ns = ?, "
        "object_bytes = ?, state = ?, mark = ?, key = ?, key_suffix = ?, phase = ?, phase_at = ?, "
        "upload_id = ?, part_size_bytes = ?, etag = ?, uploaded_at = ?, notice = ?, "
        "backend_row = ?, safe_at = ?, removed_at = ?, last_error = ? WHERE id = ?",
    [NEXT_FILE] = "SELECT " FILE_COLUMNS " FROM file "
                  "WHERE recording_id = ? AND media = ? AND id > ? ORDER BY id LIMIT 1",
    [FIND_PART] = "SELECT " PART_COLUMNS " FROM part WHERE file_id = ? AND number = ?",
    [NEXT_PART] = "SELECT " PART_COLUMNS " FROM part "
                  "WHERE file_id = ? AND number > ? ORDER BY number LIMIT 1",
    [SAVE_PART] = "INSERT INTO part (file_id, number, length, fingerprint, etag, acknowledged_at) "
                  "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (file_id, number) DO UPDATE "
                  "SET length = excluded.length, fingerprint = excluded.fingerprint, "
                  "etag = excluded.etag, acknowledged_at = excluded.acknowledged_at",
    [FORGET_PART] = "DELETE FROM part WHERE file_id = ? AND number = ?",
    [FORGET_PARTS] = "DELETE FROM part WHERE file_id = ?",
    [ADD_EVENT] = "INSERT INTO event (recording_id, file_id, at, text) VALUES (?, ?, ?, ?)",
};

struct journal {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS]; /* prepared when first used */
    char path[RECORDING_PATH_SIZE];
};

static bool begin_query(struct journal *journal, enum statement statement,
                        struct journal_query *query, struct error *err)
{
    return journal_query_begin(query, journal->database, journal->path,
                               &journal->statements[statement], statement_sql[statement], err);
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
    *ret_journal = journal;
    return true;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(journal->statements[i]);
    sqlite3_close(journal->database);
    journal_reserve_keep(journal->path);
    free(journal);
}

bool journal_check(struct journal *journal, struct error *err)
{
    struct journal_query query;
    char verdict[32];
    bool found;

    if (!begin_query(journal, CHECK, &query, err) || !journal_query_fetch(&query, &found, err))
        return false;
    if (found) {
        journal_query_get_text(&query, verdict, sizeof verdict);
        if (!journal_query_end(&query, err))
            return false;
        found = !strcmp(verdict, "ok");
    }
    return found || error_set(err, ERROR_DAMAGED, "the journal is damaged: %s", journal->path);
}

static bool run_plain(struct journal *journal, enum statement statement, struct error *err)
{
    struct journal_query query;

    return begin_query(journal, statement, &query, err) && journal_query_run(&query, err);
}

bool journal_begin(struct journal *journal, struct error *err)
{
    struct journal_query rollback;

    /* One that fails when it is to be written is gone as a whole. */
    if (journal_reserve_is_needed(journal->path))
        journal_query_make_room(journal->database, journal->path);
    /* Prepared now, so that no lack of memory can stand in the way of a rollback later. */
    return begin_query(journal, ROLLBACK, &rollback, err) && run_plain(journal, BEGIN, err);
}

bool journal_commit(struct journal *journal, struct error *err)
{
    if (run_plain(journal, COMMIT, err))
        return true;
    journal_rollback(journal);
    return false;
}

void journal_rollback(struct journal *journal)
{
    struct error ignored = ERROR_INIT;

    /* SQLite may have rolled back by itself, as it does when the disk is full. */
    if (!sqlite3_get_autocommit(journal->database))
        (void)run_plain(journal, ROLLBACK, &ignored);
}

static void put_path(struct journal_query *query, const char *path)
{
    journal_query_put_bytes(query, path, strlen(path));
}

static void get_recording(struct journal_query *query, struct journal_recording *recording)
{
    recording->id = journal_query_get_integer(query, 1, INT64_MAX);
    journal_query_get_text(query, recording->directory, sizeof recording->directory);
    journal_query_get_text(query, recording->session_id, sizeof recording->session_id);
    recording->state = (enum journal_recording_state)journal_query_get_integer(
        query, JOURNAL_RECORDING_WORKING, JOURNAL_RECORDING_ABANDONED);
    recording->tries = (unsigned)journal_query_get_integer(query, 0, UINT32_MAX);
    recording->failures = (unsigned)journal_query_get_integer(query, 0, UINT32_MAX);
    recording->created_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    recording->updated_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    recording->next_try_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    journal_query_get_text(query, recording->last_error, sizeof recording->last_error);
    journal_query_get_text(query, recording->reason, sizeof recording->reason);
    journal_query_get_text(query, recording->meeting_url, sizeof recording->meeting_url);
    recording->share = (int)journal_query_get_integer(query, -1, 1);
}

static bool load_recording(struct journal_query *query, struct journal_recording *ret_recording,
                           bool *ret_found, struct error *err)
{
    struct journal_recording recording;
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        get_recording(query, &recording);
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

    if (!begin_query(journal, FIND_RECORDING, &query, err))
        return false;
    put_path(&query, directory);
    return load_recording(&query, ret_recording, ret_found, err);
}

bool journal_next_kept_recording(struct journal *journal, int64_t after_id, int64_t safe_before,
                                 struct journal_recording *ret_recording, bool *ret_found,
                                 struct error *err)
{
    struct journal_query query;

    if (!begin_query(journal, NEXT_KEPT_RECORDING, &query, err))
        return false;
    journal_query_put_integer(&query, after_id);
    journal_query_put_integer(&query, safe_before);
    return load_recording(&query, ret_recording, ret_found, err);
}

bool journal_begin_recording(struct journal *journal, const char *directory, const char *session_id,
                             int64_t now, struct journal_recording *ret_recording,
                             struct error *err)
{
    struct journal_query query;
    bool found;

    if (!begin_query(journal, BEGIN_RECORDING, &query, err))
        return false;
    put_path(&query, directory);
    put_path(&query, session_id);
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

    if (!begin_query(journal, SAVE_RECORDING, &query, err))
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
    journal_query_put_integer(&query, recording->id);
    return journal_query_change_row(&query, NULL, err);
}

static void get_file(struct journal_query *query, struct journal_file *file)
{
    file->id = journal_query_get_integer(query, 1, INT64_MAX);
    file->recording_id = journal_query_get_integer(query, 1, INT64_MAX);
    journal_query_get_text(query, file->path, sizeof file->path);
    file->media = journal_query_get_integer(query, 0, 1);
    file->incomplete = journal_query_get_integer(query, 0, 1);
    file->identity.device = journal_query_get_unsigned(query);
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
    journal_query_get_text(query, file->etag, sizeof file->etag);
    file->uploaded_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    file->notice = (enum journal_notice)journal_query_get_integer(query, JOURNAL_NOTICE_NONE,
                                                                  JOURNAL_NOTICE_REFUSED);
    file->backend_row = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    file->safe_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    file->removed_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    journal_query_get_text(query, file->last_error, sizeof file->last_error);
}

static void put_file(struct journal_query *query, const struct journal_file *file)
{
    journal_query_put_integer(query, file->incomplete);
    journal_query_put_unsigned(query, file->identity.device);
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
    journal_query_put_text(query, file->etag);
    journal_query_put_integer(query, file->uploaded_at);
    journal_query_put_integer(query, file->notice);
    journal_query_put_integer(query, file->backend_row);
    journal_query_put_integer(query, file->safe_at);
    journal_query_put_integer(query, file->removed_at);
    journal_query_put_text(query, file->last_error);
}

static bool load_file(struct journal_query *query, struct journal_file *ret_file, bool *ret_found,
                      struct error *err)
{
    struct journal_file file;
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        get_file(query, &file);
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

    if (!begin_query(journal, FIND_FILE, &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    put_path(&query, path);
    return load_file(&query, ret_file, ret_found, err);
}

bool journal_next_file(struct journal *journal, int64_t recording_id, bool media, int64_t after_id,
                       struct journal_file *ret_file, bool *ret_found, struct error *err)
{
    struct journal_query query;

    if (!begin_query(journal, NEXT_FILE, &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    journal_query_put_integer(&query, media);
    journal_query_put_integer(&query, after_id);
    return load_file(&query, ret_file, ret_found, err);
}

bool journal_add_file(struct journal *journal, struct journal_file *file, struct error *err)
{
    struct journal_query query;

    if (!begin_query(journal, ADD_FILE, &query, err))
        return false;
    put_file(&query, file);
    journal_query_put_integer(&query, file->recording_id);
    put_path(&query, file->path);
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

    if (!begin_query(journal, SAVE_FILE, &query, err))
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
static bool load_part_by(struct journal *journal, enum statement statement, int64_t file_id,
                         unsigned number, struct journal_part *ret_part, bool *ret_found,
                         struct error *err)
{
    struct journal_query query;

    if (!begin_query(journal, statement, &query, err))
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
    return load_part_by(journal, FIND_PART, file_id, number, ret_part, ret_found, err);
}

bool journal_next_part(struct journal *journal, int64_t file_id, unsigned after_number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return load_part_by(journal, NEXT_PART, file_id, after_number, ret_part, ret_found, err);
}

bool journal_save_part(struct journal *journal, int64_t file_id, const struct journal_part *part,
                       struct error *err)
{
    struct journal_query query;

    if (!begin_query(journal, SAVE_PART, &query, err))
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

    if (!begin_query(journal, FORGET_PART, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, number);
    return journal_query_run(&query, err);
}

bool journal_forget_parts(struct journal *journal, int64_t file_id, struct error *err)
{
    struct journal_query query;

    if (!begin_query(journal, FORGET_PARTS, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    return journal_query_run(&query, err);
}

bool journal_add_event(struct journal *journal, int64_t recording_id, int64_t file_id, int64_t now,
                       const char *text, struct error *err)
{
    struct journal_query query;

    if (!begin_query(journal, ADD_EVENT, &query, err))
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
