/*
 * journal_private - what the files journal*.c that ask the database share.
 */
#ifndef FINALIZE_JOURNAL_PRIVATE_H
#define FINALIZE_JOURNAL_PRIVATE_H

#include "finalize/journal/journal.h"
#include "finalize/journal/journal_query.h"

struct sqlite3;
struct sqlite3_stmt;

/* Every statement there is; their text is in journal_statement.c. */
enum journal_statement {
    JOURNAL_SQL_BEGIN,
    JOURNAL_SQL_COMMIT,
    JOURNAL_SQL_ROLLBACK,
    JOURNAL_SQL_SAVEPOINT,
    JOURNAL_SQL_RELEASE,
    JOURNAL_SQL_ROLLBACK_TO,
    JOURNAL_SQL_FIND_RECORDING,
    JOURNAL_SQL_NEXT_KEPT_RECORDING,
    JOURNAL_SQL_BEGIN_RECORDING,
    JOURNAL_SQL_SAVE_RECORDING,
    JOURNAL_SQL_FIND_FILE,
    JOURNAL_SQL_ADD_FILE,
    JOURNAL_SQL_SAVE_FILE,
    JOURNAL_SQL_NOTE_REMOVED,
    JOURNAL_SQL_NEXT_FILE,
    JOURNAL_SQL_FIND_PART,
    JOURNAL_SQL_NEXT_PART,
    JOURNAL_SQL_SAVE_PART,
    JOURNAL_SQL_FORGET_PART,
    JOURNAL_SQL_FORGET_PARTS,
    JOURNAL_SQL_ADD_EVENT,
    JOURNAL_SQL_CHECK,
    JOURNAL_SQL_NOTE_RECORDING,
    JOURNAL_SQL_NEXT_UNFINISHED,
    JOURNAL_SQL_HURRY,
    JOURNAL_SQL_HURRY_ALL,
    JOURNAL_SQL_NEXT_LEFTOVER_UPLOAD,
    JOURNAL_SQL_FORGET_DONE,
    JOURNAL_SQL_FORGET_CLAIMS,
    JOURNAL_SQL_COUNT_PARTS,
    JOURNAL_SQL_CLAIM,
    JOURNAL_SQL_UNCLAIM,
    JOURNAL_SQL_IS_CLAIMED,
    JOURNAL_SQL_NEXT_HANDED_OVER,
    JOURNAL_STATEMENTS
};

struct journal {
    struct sqlite3 *database;
    struct sqlite3_stmt *statements[JOURNAL_STATEMENTS]; /* prepared when first used */
    char path[SESSION_PATH_SIZE];
    unsigned depth; /* of groups of writes */
    bool must_last; /* what was written since the last commit is to survive a power failure */
};

/* Makes commits last as `must_last` says. To be called once, when the database is open. */
void journal_commit_watch(struct journal *journal);

bool journal_begin_query(struct journal *journal, enum journal_statement statement,
                         struct journal_query *query, struct error *err)
    __attribute__((warn_unused_result));

/* A path as its bytes, which need not be text. */
void journal_put_path(struct journal_query *query, const char *path);

/* Fetches the only row of a query for all columns of a recording. */
bool journal_load_recording(struct journal_query *query, struct journal_recording *ret_recording,
                            bool *ret_found, struct error *err) __attribute__((warn_unused_result));

/* The same for all columns of a file. */
bool journal_load_file(struct journal_query *query, struct journal_file *ret_file, bool *ret_found,
                       struct error *err) __attribute__((warn_unused_result));

#endif
