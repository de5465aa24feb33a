/*
 * journal_row - the columns of a recording and of a file, and their way into values and back.
 * Internal to the journal.
 *
 * The macros list the columns of a SELECT, each behind `prefix` ("", or a table's alias and a dot),
 * in the order in which the get functions get them.
 */
#ifndef FINALIZE_JOURNAL_ROW_H
#define FINALIZE_JOURNAL_ROW_H

#include "finalize/journal/journal.h"
#include "finalize/journal/journal_query.h"

#define JOURNAL_ROW_RECORDING(prefix)                                                            \
    prefix "id, " prefix "directory, " prefix "session_id, " prefix "state, " prefix             \
           "tries, " prefix "failures, " prefix "created_at, " prefix "updated_at, " prefix      \
           "next_try_at, " prefix "last_error, " prefix "reason, " prefix "meeting_url, " prefix \
           "share, " prefix "meeting_id"
#define JOURNAL_ROW_FILE(prefix)                                                                  \
    prefix "id, " prefix "recording_id, " prefix "path, " prefix "media, " prefix                 \
           "incomplete, " prefix "device, " prefix "inode, " prefix "size_bytes, " prefix         \
           "mtime_ns, " prefix "object_bytes, " prefix "state, " prefix "mark, " prefix           \
           "key, " prefix "key_suffix, " prefix "phase, " prefix "phase_at, " prefix              \
           "upload_id, " prefix "part_size_bytes, " prefix "etag, " prefix "uploaded_at, " prefix \
           "notice, " prefix "backend_row, " prefix "safe_at, " prefix "removed_at, " prefix      \
           "last_error"

void journal_row_get_recording(struct journal_query *query, struct journal_recording *recording);
void journal_row_get_file(struct journal_query *query, struct journal_file *file);

/* Puts all that may change of a file: the columns from `incomplete` on, without those that name
 * it (id, recording_id, path, media). */
void journal_row_put_file(struct journal_query *query, const struct journal_file *file);

#endif
