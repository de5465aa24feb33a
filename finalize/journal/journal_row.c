#include "finalize/journal/journal_row.h"

void journal_row_get_recording(struct journal_query *query, struct journal_recording *recording)
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
    recording->meeting_id = (int32_t)journal_query_get_integer(query, 0, INT32_MAX);
}

void journal_row_get_file(struct journal_query *query, struct journal_file *file)
{
    file->id = journal_query_get_integer(query, 1, INT64_MAX);
    file->recording_id = journal_query_get_integer(query, 1, INT64_MAX);
    journal_query_get_text(query, file->path, sizeof file->path);
    file->media = journal_query_get_integer(query, 0, 1);
    file->incomplete = journal_query_get_integer(query, 0, 1);
    (void)journal_query_get_unsigned(query); /* device: not read any more */
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

void journal_row_put_file(struct journal_query *query, const struct journal_file *file)
{
    journal_query_put_integer(query, file->incomplete);
    journal_query_put_unsigned(query, 0); /* device: not read any more */
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
