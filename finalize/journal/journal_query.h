/*
 * journal_query - one SQL statement at a time: values in, columns out within ceilings, and SQLite's
 * failures as errors. Internal to the journal. Knows no table.
 *
 * A query is begun, given its parameters in the order of the statement's '?', and run. What goes
 * wrong on the way is remembered and reported by the run, so that a chain of puts or gets is
 * checked once, at its end.
 */
#ifndef FINALIZE_JOURNAL_QUERY_H
#define FINALIZE_JOURNAL_QUERY_H

#include "finalize/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

struct journal_query {
    struct sqlite3 *database;
    struct sqlite3_stmt *statement;
    const char *path; /* the journal's, for messages; borrowed */
    int next;         /* the parameter (from 1) or column (from 0) that comes next */
    int status;       /* of the first put that failed */
    bool damaged;     /* a column held what we never write */
};

/* Prepares `sql` unless *statement (kept by the caller, and finalized by it) is prepared already.
 */
bool journal_query_begin(struct journal_query *query, struct sqlite3 *database, const char *path,
                         struct sqlite3_stmt **statement, const char *sql, struct error *err)
    __attribute__((warn_unused_result));

/* What is put must stay as it is until the query has run. */
void journal_query_put_integer(struct journal_query *query, int64_t value);
void journal_query_put_unsigned(struct journal_query *query, uint64_t value); /* its 64 bits */
void journal_query_put_text(struct journal_query *query, const char *text);
void journal_query_put_text_or_null(struct journal_query *query, const char *text); /* "": NULL */
void journal_query_put_bytes(struct journal_query *query, const void *bytes, size_t length);
void journal_query_put_null(struct journal_query *query);

/* Runs a statement without rows. */
bool journal_query_run(struct journal_query *query, struct error *err)
    __attribute__((warn_unused_result));

/* Runs a statement that changes one row; ERROR_PERMANENT when there is no such row. A value that
 * has to be unique and isn't: *ret_conflict is true and nothing written, or, with a NULL
 * ret_conflict, ERROR_PERMANENT. */
bool journal_query_change_row(struct journal_query *query, bool *ret_conflict, struct error *err)
    __attribute__((warn_unused_result));

/* Fetches the only row; its columns are got one after the other, then journal_query_end(). After a
 * failure or without a row there's nothing to get or end. */
bool journal_query_fetch(struct journal_query *query, bool *ret_found, struct error *err)
    __attribute__((warn_unused_result));
int64_t journal_query_get_integer(struct journal_query *query, int64_t least, int64_t most);
uint64_t journal_query_get_unsigned(struct journal_query *query); /* 64 bits, as they were put */
/* Text or bytes, as a string; at most `size` bytes with its NUL. NULL is "". */
void journal_query_get_text(struct journal_query *query, char *ret_text, size_t size);
/* Exactly `length` bytes; false when the column is NULL. */
bool journal_query_get_bytes(struct journal_query *query, uint8_t *ret_bytes, size_t length);
/* ERROR_PERMANENT when a column held what we never write. */
bool journal_query_end(struct journal_query *query, struct error *err)
    __attribute__((warn_unused_result));

/* On a disk that is full: gives up the reserve (journal_reserve.h), and lets the log be written
 * over. Not within a transaction. */
void journal_query_make_room(struct sqlite3 *database, const char *path);

/* Fills `err` with what SQLite's `status` means. Returns false. */
bool journal_query_fail(struct sqlite3 *database, int status, const char *path, struct error *err);

#endif
