/*
 * journal_private - what the files journal*.c share: the connection, how a statement is run, and
 * the columns of recordings and files.
 */
#pragma once

#include "finalize/journal/journal.h"
#include "finalize/journal/journal_query.h"

#include <stdbool.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

#define JOURNAL_MOST_STATEMENTS 64u /* more than there are in these files */

struct journal {
    struct sqlite3 *database;
    struct {
        const char *sql;
        struct sqlite3_stmt *statement;
    } prepared[JOURNAL_MOST_STATEMENTS]; /* when first used; closed with the journal */
    char path[SESSION_PATH_SIZE];
    char root[SESSION_PATH_SIZE]; /* what directories of recordings are relative to; "": nothing */
    unsigned depth;               /* of groups of writes */
    bool unforced;                /* the next commit does not wait for the disk */
};

/* Closes the connection. */
void journal_disconnect(struct journal *journal);

/*
 * In all of these `sql` is a literal: prepared statements are kept by its address. `values` are
 * what its '?' stand for.
 *
 * journal_begin_query() is for what the others don't do; journal_run() runs a statement without
 * rows.
 */
bool journal_begin_query(struct journal *journal, bool forced, const char *sql,
                         const struct journal_value *values, struct journal_query *query,
                         struct error *err) __attribute__((warn_unused_result));
bool journal_run(struct journal *journal, const char *sql, const struct journal_value *values,
                 struct error *err) __attribute__((warn_unused_result));
/*
 * Statements (`forced` false) whose write a power failure may take until something else is written:
 * history and counters are best effort; a part whose row is lost is learned from ListParts and
 * compared; that a recording or a file is known, and that a local copy is gone, shows on the disk.
 */
bool journal_run_unforced(struct journal *journal, const char *sql,
                          const struct journal_value *values, struct error *err)
    __attribute__((warn_unused_result));
/* As journal_begin(), for a group of such writes. */
bool journal_begin_unforced_group(struct journal *journal, struct error *err)
    __attribute__((warn_unused_result));

/* Fetches the only row into `ret_row`, a struct of at most JOURNAL_MOST_ROW_BYTES that `columns`
 * describe; it stays as it is where there is none. The columns of `sql` are theirs, in their order.
 */
#define JOURNAL_MOST_ROW_BYTES (16u * 1024)
bool journal_fetch(struct journal *journal, const char *sql, const struct journal_value *values,
                   const struct journal_column *columns, void *ret_row, bool *ret_found,
                   struct error *err) __attribute__((warn_unused_result));
/* The same for one number of 64 bits, of any value. */
bool journal_fetch_number(struct journal *journal, const char *sql,
                          const struct journal_value *values, int64_t *ret_number, bool *ret_found,
                          struct error *err) __attribute__((warn_unused_result));

/* X(column, member, what it holds) of all that a row has but for its id: what it keeps, and what
 * may change. */
#define JOURNAL_RECORDING_FIXED(X)             \
    X(directory, directory, JOURNAL_DIRECTORY) \
    X(session_id, session_id, JOURNAL_PATH)
#define JOURNAL_RECORDING_CHANGING(X)                                                        \
    X(state, state, JOURNAL_INTEGER, JOURNAL_RECORDING_WORKING, JOURNAL_RECORDING_ABANDONED) \
    X(tries, tries, JOURNAL_COUNT)                                                           \
    X(failures, failures, JOURNAL_COUNT)                                                     \
    X(interrupted, interrupted, JOURNAL_COUNT)                                               \
    X(created_at, created_at, JOURNAL_ANY)                                                   \
    X(updated_at, updated_at, JOURNAL_ANY)                                                   \
    X(next_try_at, next_try_at, JOURNAL_ANY)                                                 \
    X(vanished_since, vanished_since, JOURNAL_ANY)                                           \
    X(recordings_inode, recordings_inode, JOURNAL_ANY)                                       \
    X(last_error, last_error, JOURNAL_TEXT)                                                  \
    X(reason, reason, JOURNAL_TEXT)                                                          \
    X(meeting_url, meeting_url, JOURNAL_TEXT)                                                \
    X(share, share, JOURNAL_INTEGER, -1, 1)                                                  \
    X(meeting_id, meeting_id, JOURNAL_INTEGER, 0, INT32_MAX)
#define JOURNAL_FILE_FIXED(X)                  \
    X(recording_id, recording_id, JOURNAL_KEY) \
    X(path, path, JOURNAL_PATH)
#define JOURNAL_FILE_CHANGING(X)                                                              \
    X(media, media, JOURNAL_FLAG)                                                             \
    X(incomplete, incomplete, JOURNAL_FLAG)                                                   \
    X(duration_ms, duration_ms, JOURNAL_SIZE)                                                 \
    X(cut_off, cut_off, JOURNAL_FLAG)                                                         \
    X(inode, identity.inode, JOURNAL_ANY)                                                     \
    X(size_bytes, identity.size_bytes, JOURNAL_SIZE)                                          \
    X(mtime_ns, identity.mtime_ns, JOURNAL_ANY)                                               \
    X(object_bytes, object_bytes, JOURNAL_SIZE)                                               \
    X(state, state, JOURNAL_INTEGER, JOURNAL_FILE_PENDING, JOURNAL_FILE_WITHHELD)             \
    X(mark, mark, JOURNAL_TEXT)                                                               \
    X(told_mark, told_mark, JOURNAL_TEXT)                                                     \
    X(told_notice, told_notice, JOURNAL_INTEGER, JOURNAL_NOTICE_NONE, JOURNAL_NOTICE_UNCLEAR) \
    X(location, location, JOURNAL_TEXT)                                                       \
    X(key, key, JOURNAL_TEXT_OR_NULL)                                                         \
    X(key_suffix, key_suffix, JOURNAL_COUNT)                                                  \
    X(phase, phase, JOURNAL_INTEGER, JOURNAL_PHASE_NONE, JOURNAL_PHASE_ABORTING)              \
    X(phase_at, phase_at, JOURNAL_ANY)                                                        \
    X(upload_id, upload_id, JOURNAL_TEXT)                                                     \
    X(part_size_bytes, part_plan.base_bytes, JOURNAL_SIZE)                                    \
    X(parts_grow_early, part_plan.grows_early, JOURNAL_FLAG)                                  \
    X(complete_refusals, taken_back, JOURNAL_COUNT)                                           \
    X(etag, etag, JOURNAL_TEXT)                                                               \
    X(uploaded_at, uploaded_at, JOURNAL_ANY)                                                  \
    X(notice, notice, JOURNAL_INTEGER, JOURNAL_NOTICE_NONE, JOURNAL_NOTICE_UNCLEAR)           \
    X(backend_row, backend_row, JOURNAL_ANY)                                                  \
    X(safe_at, safe_at, JOURNAL_ANY)                                                          \
    X(removed_at, removed_at, JOURNAL_ANY)                                                    \
    X(last_error, last_error, JOURNAL_TEXT)

#define JOURNAL_RECORDING_COLUMNS(X) JOURNAL_RECORDING_FIXED(X) JOURNAL_RECORDING_CHANGING(X)
#define JOURNAL_FILE_COLUMNS(X)      JOURNAL_FILE_FIXED(X) JOURNAL_FILE_CHANGING(X)
#define JOURNAL_RECORDING_CHANGES    (journal_recording_columns + 3)
#define JOURNAL_FILE_CHANGES         (journal_file_columns + 3)

/* What a list of columns is made of in SQL. A comma comes first: the id stands before it, or an
 * assignment of which SQLite takes the later one. */
#define JOURNAL_NAME(column, ...) ", " #column
#define JOURNAL_SET(column, ...)  ", " #column " = ?"
#define JOURNAL_MARK(...)         ", ?"
#define JOURNAL_RECORDING_ROW     "id" JOURNAL_RECORDING_COLUMNS(JOURNAL_NAME)
#define JOURNAL_FILE_ROW          "id" JOURNAL_FILE_COLUMNS(JOURNAL_NAME)
#define JOURNAL_RECORDING_SET     JOURNAL_RECORDING_CHANGING(JOURNAL_SET)
#define JOURNAL_FILE_SET          JOURNAL_FILE_CHANGING(JOURNAL_SET)

extern const struct journal_column journal_recording_columns[];
extern const struct journal_column journal_file_columns[];
