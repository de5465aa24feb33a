#include "finalize/journal/journal_private.h"

#include "finalize/journal/journal_reserve.h"
#include "finalize/journal/journal_schema.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

bool journal_add_history(struct journal *journal, int64_t recording_id, int64_t file_id,
                         int64_t now, const char *text, struct error *err)
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
