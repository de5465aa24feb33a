/*
 * journal_query - one SQL statement at a time: values in, columns out within ceilings, and SQLite's
 * failures as errors. Internal to the journal. Knows no table.
 *
 * A query is begun with its values, and run. What goes wrong on the way is remembered and reported
 * by the run, or by the end of a row.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

/* What a column holds, with the least and the most that an integer in it may be. */
enum journal_kind {
    JOURNAL_END,
    JOURNAL_INTEGER, /* bool, 32 or 64 bits, by the member's size */
    JOURNAL_IS_TEXT,
    JOURNAL_IS_TEXT_OR_NULL, /* "" is NULL */
    JOURNAL_IS_PATH,         /* its bytes, which need not be text */
    JOURNAL_IS_DIRECTORY,    /* a path, kept relative to `root` where it is below it */
    JOURNAL_IS_BYTES         /* of a column: exactly as many as the member has */
};
#define JOURNAL_KEY          JOURNAL_INTEGER, 1, INT64_MAX
#define JOURNAL_COUNT        JOURNAL_INTEGER, 0, UINT32_MAX
#define JOURNAL_SIZE         JOURNAL_INTEGER, 0, INT64_MAX
#define JOURNAL_FLAG         JOURNAL_INTEGER, 0, 1
#define JOURNAL_ANY          JOURNAL_INTEGER, INT64_MIN, INT64_MAX
#define JOURNAL_TEXT         JOURNAL_IS_TEXT, 0, 0
#define JOURNAL_TEXT_OR_NULL JOURNAL_IS_TEXT_OR_NULL, 0, 0
#define JOURNAL_PATH         JOURNAL_IS_PATH, 0, 0
#define JOURNAL_DIRECTORY    JOURNAL_IS_DIRECTORY, 0, 0
#define JOURNAL_BYTES        JOURNAL_IS_BYTES, 0, 0

/* A member of a struct that a column is kept in. */
struct journal_column {
    size_t offset, size;
    enum journal_kind kind;
    int64_t least, most;
};
#define JOURNAL_COLUMN(type, member, ...)                                            \
    {                                                                                \
        offsetof(struct type, member), sizeof((struct type *)0)->member, __VA_ARGS__ \
    }

/* Values, in the order of the statement's '?'. They must stay as they are until the query has run.
 */
struct journal_value {
    enum journal_kind kind;
    int64_t integer;
    const void *bytes; /* NULL: SQL's NULL */
    size_t length;     /* of bytes */
};
#define INT(value)       ((struct journal_value){.kind = JOURNAL_INTEGER, .integer = (int64_t)(value)})
#define TEXT(value)      ((struct journal_value){.kind = JOURNAL_IS_TEXT, .bytes = (value)})
#define PATH(value)      ((struct journal_value){.kind = JOURNAL_IS_PATH, .bytes = (value)})
#define DIRECTORY(value) ((struct journal_value){.kind = JOURNAL_IS_DIRECTORY, .bytes = (value)})
#define BYTES(value, size) \
    ((struct journal_value){.kind = JOURNAL_IS_BYTES, .bytes = (value), .length = (size)})
#define NOTHING     ((struct journal_value){.kind = JOURNAL_IS_BYTES})
#define VALUES(...) ((const struct journal_value[]){__VA_ARGS__, {.kind = JOURNAL_END}})
#define NO_VALUES   (&(const struct journal_value){.kind = JOURNAL_END})

struct journal_query {
    struct sqlite3 *database;
    struct sqlite3_stmt *statement;
    const char *path; /* the journal's, for messages; borrowed */
    const char *root; /* of directories: absolute, "" none; borrowed */
    int next;         /* the parameter (from 1) or column (from 0) that comes next */
    int status;       /* of the first put that failed */
    bool damaged;     /* a column held what we never write */
};

/* The name that the journal keeps: `directory` relative to `root`, when it is below that. */
const char *journal_query_within(const char *root, const char *directory);
void journal_query_put(struct journal_query *query, const struct journal_value *values);
/* Puts the members of a row that `columns` describe. */
void journal_query_put_row(struct journal_query *query, const struct journal_column *columns,
                           const void *row);

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
/* Gets the members of a row. */
void journal_query_get_row(struct journal_query *query, const struct journal_column *columns,
                           void *row);
/* Text or bytes, as a string; at most `size` bytes with its NUL. NULL is "". */
void journal_query_get_text(struct journal_query *query, char *ret_text, size_t size);
/* ERROR_PERMANENT when a column held what we never write. */
bool journal_query_end(struct journal_query *query, struct error *err)
    __attribute__((warn_unused_result));

/* The first column of a statement's first row, for sqlite3_free(); *ret_text stays as it is when
 * there is no row. Returns SQLite's status. */
int journal_query_text(struct sqlite3 *database, const char *sql, char **ret_text)
    __attribute__((warn_unused_result));

/* On a disk that is full: gives up the reserve (journal_reserve.h), and lets the log be written
 * over. Not within a transaction. */
void journal_query_make_room(struct sqlite3 *database, const char *path);

/* Fills `err` with what SQLite's `status` means. Returns false. */
bool journal_query_fail(struct sqlite3 *database, int status, const char *path, struct error *err);
