/*
 * journal_private - what the files journal*.c share: the connection, its statements, and the
 * columns of a recording and of a file on their way into values and back.
 */
#ifndef FINALIZE_JOURNAL_PRIVATE_H
#define FINALIZE_JOURNAL_PRIVATE_H

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
    unsigned depth; /* of groups of writes */
    bool unforced;  /* the next commit does not wait for the disk */
};

/* `sql` is a literal, and known by its address. */
bool journal_begin_query(struct journal *journal, const char *sql, struct journal_query *query,
                         struct error *err) __attribute__((warn_unused_result));

/*
 * The same for what a power failure may take until something else is written: history and counters
 * are best effort; a part whose row is lost is learned from ListParts and compared; that a
 * recording or a file is known, and that a local copy is gone, shows on the disk.
 */
bool journal_begin_unforced(struct journal *journal, const char *sql, struct journal_query *query,
                            struct error *err) __attribute__((warn_unused_result));
/* As journal_begin(), for a group of such writes. */
bool journal_begin_unforced_group(struct journal *journal, struct error *err)
    __attribute__((warn_unused_result));

/* Runs a statement without parameters and rows. */
bool journal_run(struct journal *journal, const char *sql, struct error *err)
    __attribute__((warn_unused_result));
/* Runs a statement with one parameter and no rows. */
bool journal_run_with(struct journal *journal, const char *sql, int64_t parameter,
                      struct error *err) __attribute__((warn_unused_result));

/* Closes the connection. */
void journal_disconnect(struct journal *journal);

/* A path as its bytes, which need not be text. */
void journal_put_path(struct journal_query *query, const char *path);

/* The columns of a SELECT, each after `prefix` ("", or a table's alias and a dot), in the order in
 * which journal_get_recording() and journal_get_file() get them. */
#define JOURNAL_RECORDING_COLUMNS(prefix)                                                    \
    prefix "id, " prefix "directory, " prefix "session_id, " prefix "state, " prefix         \
           "tries, " prefix "failures, " prefix "interrupted, " prefix "created_at, " prefix \
           "updated_at, " prefix "next_try_at, " prefix "vanished_since, " prefix            \
           "recordings_inode, " prefix "last_error, " prefix "reason, " prefix               \
           "meeting_url, " prefix "share, " prefix "meeting_id"
#define JOURNAL_FILE_COLUMNS(prefix)                                                          \
    prefix "id, " prefix "recording_id, " prefix "path, " prefix "media, " prefix             \
           "incomplete, " prefix "inode, " prefix "size_bytes, " prefix "mtime_ns, " prefix   \
           "object_bytes, " prefix "state, " prefix "mark, " prefix "key, " prefix            \
           "key_suffix, " prefix "phase, " prefix "phase_at, " prefix "upload_id, " prefix    \
           "part_size_bytes, " prefix "complete_refusals, " prefix "etag, " prefix            \
           "uploaded_at, " prefix "notice, " prefix "backend_row, " prefix "safe_at, " prefix \
           "removed_at, " prefix "last_error"

void journal_get_recording(struct journal_query *query, struct journal_recording *recording);
void journal_get_file(struct journal_query *query, struct journal_file *file);

/* Fetches the only row of a query for all columns of a recording. */
bool journal_load_recording(struct journal_query *query, struct journal_recording *ret_recording,
                            bool *ret_found, struct error *err) __attribute__((warn_unused_result));

/* The same for all columns of a file. */
bool journal_load_file(struct journal_query *query, struct journal_file *ret_file, bool *ret_found,
                       struct error *err) __attribute__((warn_unused_result));

#endif
