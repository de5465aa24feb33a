/*
 * journal - the connection to the journal, its groups of writes, and its history.
 */
#include "finalize/journal/journal_private.h"

#include "finalize/journal/journal_connect.h"
#include "finalize/journal/journal_reserve.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Opening takes room, too: SQLite makes its log, and an index of it. */
static bool open_database(const char *path, const char *recordings_dir,
                          struct sqlite3 **ret_database, char ret_root[SESSION_PATH_SIZE],
                          struct error *err)
{
    struct error failure = ERROR_INIT;
    bool opened = journal_connect(path, recordings_dir, JOURNAL_PATIENCE_MS, ret_database, ret_root,
                                  &failure);
    bool full = failure.sys_errno == ENOSPC || failure.sys_errno == EDQUOT;

    if (!opened && full && journal_reserve_give_up(path)) {
        error_clear(&failure);
        opened = journal_connect(path, recordings_dir, JOURNAL_PATIENCE_MS, ret_database, ret_root,
                                 &failure);
        if (!opened)
            journal_reserve_keep(path);
    }
    if (!opened && err->kind == ERROR_NONE)
        *err = failure;
    return opened;
}

bool journal_open_for(const char *path, const char *recordings_dir, struct journal **ret_journal,
                      struct error *err)
{
    struct journal *journal = calloc(1, sizeof *journal);

    if (!journal)
        return error_set(err, ERROR_TRANSIENT, "no memory for the journal %s", path);
    snprintf(journal->path, sizeof journal->path, "%s", path);
    if (!open_database(path, recordings_dir, &journal->database, journal->root, err)) {
        free(journal);
        return false;
    }
    journal_reserve_make(path);
    *ret_journal = journal;
    return true;
}

bool journal_open(const char *path, struct journal **ret_journal, struct error *err)
{
    return journal_open_for(path, NULL, ret_journal, err);
}

void journal_disconnect(struct journal *journal)
{
    for (size_t i = 0; i < JOURNAL_MOST_STATEMENTS; i++)
        sqlite3_finalize(journal->prepared[i].statement);
    sqlite3_close(journal->database);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    journal_disconnect(journal);
    journal_reserve_keep(journal->path);
    free(journal);
}

void journal_set_patience(struct journal *journal, unsigned patience_ms)
{
    sqlite3_busy_timeout(journal->database, (int)patience_ms);
}

bool journal_check(struct journal *journal, struct error *err)
{
    static const struct journal_column columns[] = {{.size = 32, .kind = JOURNAL_IS_TEXT},
                                                    {.kind = JOURNAL_END}};
    char verdict[32] = "";
    bool found;

    if (!journal_fetch(journal, "PRAGMA quick_check(1)", NO_VALUES, columns, verdict, &found, err))
        return false;
    return !strcmp(verdict, "ok") ||
           error_set(err, ERROR_DAMAGED, "the journal is damaged: %s", journal->path);
}

/* ---- statements ------------------------------------------------------------------------------ */

/* Sets whether the next commit waits for the disk. Changes nothing within a transaction. */
static bool set_forced(struct journal *journal, bool forced, struct error *err)
{
    int status;

    if (journal->depth || journal->unforced == !forced)
        return true;
    status = sqlite3_exec(journal->database,
                          forced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                          NULL, NULL, NULL);
    if (status != SQLITE_OK)
        return journal_query_fail(journal->database, status, journal->path, err);
    journal->unforced = !forced;
    return true;
}

bool journal_begin_query(struct journal *journal, bool forced, const char *sql,
                         const struct journal_value *values, struct journal_query *query,
                         struct error *err)
{
    struct sqlite3_stmt **statement;
    int status = SQLITE_OK;
    size_t i = 0;

    while (journal->prepared[i].sql && journal->prepared[i].sql != sql) {
        i++;
        assert(i < JOURNAL_MOST_STATEMENTS);
    }
    journal->prepared[i].sql = sql;
    statement = &journal->prepared[i].statement;
    if (!set_forced(journal, forced, err))
        return false;
    if (!*statement)
        status = sqlite3_prepare_v3(journal->database, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                    statement, NULL);
    if (status != SQLITE_OK)
        return journal_query_fail(journal->database, status, journal->path, err);
    *query = (struct journal_query){.database = journal->database,
                                    .statement = *statement,
                                    .path = journal->path,
                                    .root = journal->root,
                                    .next = 1};
    journal_query_put(query, values);
    return true;
}

bool journal_run(struct journal *journal, const char *sql, const struct journal_value *values,
                 struct error *err)
{
    struct journal_query query;

    return journal_begin_query(journal, true, sql, values, &query, err) &&
           journal_query_run(&query, err);
}

bool journal_run_unforced(struct journal *journal, const char *sql,
                          const struct journal_value *values, struct error *err)
{
    struct journal_query query;

    return journal_begin_query(journal, false, sql, values, &query, err) &&
           journal_query_run(&query, err);
}

bool journal_fetch(struct journal *journal, const char *sql, const struct journal_value *values,
                   const struct journal_column *columns, void *ret_row, bool *ret_found,
                   struct error *err)
{
    union {
        char bytes[JOURNAL_MOST_ROW_BYTES];
        int64_t aligned;
    } row;
    struct journal_query query;
    bool found;

    if (!journal_begin_query(journal, true, sql, values, &query, err) ||
        !journal_query_fetch(&query, &found, err))
        return false;
    if (found) {
        journal_query_get_row(&query, columns, row.bytes);
        if (!journal_query_end(&query, err))
            return false;
        for (; columns->kind != JOURNAL_END; columns++)
            memcpy((char *)ret_row + columns->offset, row.bytes + columns->offset, columns->size);
    }
    *ret_found = found;
    return true;
}

bool journal_fetch_number(struct journal *journal, const char *sql,
                          const struct journal_value *values, int64_t *ret_number, bool *ret_found,
                          struct error *err)
{
    static const struct journal_column columns[] = {
        {.size = sizeof(int64_t), .kind = JOURNAL_INTEGER, .least = INT64_MIN, .most = INT64_MAX},
        {.kind = JOURNAL_END}};

    return journal_fetch(journal, sql, values, columns, ret_number, ret_found, err);
}

/* ---- groups of writes ------------------------------------------------------------------------ */

/* A group is a write from the start: one that began as a read can't wait for other writers. */
static const char begin_sql[] = "BEGIN IMMEDIATE";
static const char commit_sql[] = "COMMIT";
static const char rollback_sql[] = "ROLLBACK";
static const char inner_begin_sql[] = "SAVEPOINT inner";
static const char inner_commit_sql[] = "RELEASE inner";
static const char inner_rollback_sql[] = "ROLLBACK TO inner";

static bool begin_group(struct journal *journal, bool forced, struct error *err)
{
    bool inner = journal->depth > 0;
    struct journal_query rollback, begin;

    /* One that fails when it is to be written is gone as a whole. */
    if (journal_reserve_is_needed(journal->path))
        journal_query_make_room(journal->database, journal->path);
    /* Prepared now, so that no lack of memory can stand in the way of a rollback later. */
    if (!journal_begin_query(journal, true, inner ? inner_rollback_sql : rollback_sql, NO_VALUES,
                             &rollback, err) ||
        (inner &&
         !journal_begin_query(journal, true, inner_commit_sql, NO_VALUES, &rollback, err)) ||
        !journal_begin_query(journal, forced, inner ? inner_begin_sql : begin_sql, NO_VALUES,
                             &begin, err) ||
        !journal_query_run(&begin, err))
        return false;
    journal->depth++;
    return true;
}

bool journal_begin(struct journal *journal, struct error *err)
{
    return begin_group(journal, true, err);
}

bool journal_begin_unforced_group(struct journal *journal, struct error *err)
{
    return begin_group(journal, false, err);
}

bool journal_commit(struct journal *journal, struct error *err)
{
    if (journal_run(journal, journal->depth > 1 ? inner_commit_sql : commit_sql, NO_VALUES, err)) {
        journal->depth--;
        return true;
    }
    journal_rollback(journal);
    return false;
}

void journal_rollback(struct journal *journal)
{
    struct error ignored = ERROR_INIT;
    bool ok;

    if (!journal->depth)
        return;
    journal->depth--;
    /* SQLite may have rolled back by itself, as it does when the disk is full. */
    if (sqlite3_get_autocommit(journal->database))
        return;
    if (journal->depth)
        ok = journal_run(journal, inner_rollback_sql, NO_VALUES, &ignored) &&
             journal_run(journal, inner_commit_sql, NO_VALUES, &ignored);
    else
        ok = journal_run(journal, rollback_sql, NO_VALUES, &ignored);
    (void)ok; /* it was prepared when the group began, and takes no room */
}

bool journal_add_history(struct journal *journal, int64_t recording_id, int64_t file_id,
                         int64_t now, const char *text, struct error *err)
{
    return journal_run_unforced(
        journal,
        "INSERT INTO event (recording_id, file_id, at, text) VALUES (?, nullif(?, 0), ?, ?)",
        VALUES(INT(recording_id), INT(file_id), INT(now), TEXT(text)), err);
}
