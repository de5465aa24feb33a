/*
 * How long what was committed lasts. In WAL mode, with synchronous = NORMAL, a commit survives the
 * end of the process, however it comes, but not that of the machine; the file is sound in any case.
 * What is a promise to the world is forced to the disk here, right after its commit and before
 * anybody is told that it was made. What came before it goes along.
 */
#include "finalize/journal/journal_private.h"

#include <sqlite3.h>

/* The log is written back when it has so many pages, 128 KiB: on a full disk it has to find room in
 * what the reserve leaves (SQLite's own 1,000 need 4 MiB). */
#define CHECKPOINT_PAGES 32

static int force_to_disk(sqlite3 *database)
{
    sqlite3_file *log = NULL;
    int status = sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

    if (status != SQLITE_OK)
        return status;
    if (!log || !log->pMethods)
        return SQLITE_IOERR_FSYNC;
    return log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
}

/* What it returns is the result of the statement that committed. */
static int on_commit(void *context, sqlite3 *database, const char *name, int pages)
{
    struct journal *journal = context;
    int status = SQLITE_OK;

    if (journal->must_last)
        status = force_to_disk(database);
    if (status == SQLITE_OK)
        journal->must_last = false;
    if (pages >= CHECKPOINT_PAGES)
        (void)sqlite3_wal_checkpoint_v2(database, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return status;
}

void journal_commit_watch(struct journal *journal)
{
    sqlite3_wal_hook(journal->database, on_commit, journal);
}
