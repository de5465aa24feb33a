/*
 * journal_recording - the rows of recordings.
 */
#include "finalize/journal/journal_private.h"

#define COLUMNS JOURNAL_RECORDING_COLUMNS("")

void journal_get_recording(struct journal_query *query, struct journal_recording *recording)
{
    recording->id = journal_query_get_integer(query, 1, INT64_MAX);
    journal_query_get_text(query, recording->directory, sizeof recording->directory);
    journal_query_get_text(query, recording->session_id, sizeof recording->session_id);
    recording->state = (enum journal_recording_state)journal_query_get_integer(
        query, JOURNAL_RECORDING_WORKING, JOURNAL_RECORDING_ABANDONED);
    recording->tries = (unsigned)journal_query_get_integer(query, 0, UINT32_MAX);
    recording->failures = (unsigned)journal_query_get_integer(query, 0, UINT32_MAX);
    recording->interrupted = (unsigned)journal_query_get_integer(query, 0, UINT32_MAX);
    recording->created_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    recording->updated_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    recording->next_try_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    recording->vanished_since = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
    recording->recordings_inode = journal_query_get_unsigned(query);
    journal_query_get_text(query, recording->last_error, sizeof recording->last_error);
    journal_query_get_text(query, recording->reason, sizeof recording->reason);
    journal_query_get_text(query, recording->meeting_url, sizeof recording->meeting_url);
    recording->share = (int)journal_query_get_integer(query, -1, 1);
    recording->meeting_id = (int32_t)journal_query_get_integer(query, 0, INT32_MAX);
}

bool journal_load_recording(struct journal_query *query, struct journal_recording *ret_recording,
                            bool *ret_found, struct error *err)
{
    struct journal_recording recording;
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        journal_get_recording(query, &recording);
        if (!journal_query_end(query, err))
            return false;
        *ret_recording = recording;
    }
    *ret_found = found;
    return true;
}

bool journal_find_recording(struct journal *journal, const char *directory,
                            struct journal_recording *ret_recording, bool *ret_found,
                            struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, "SELECT " COLUMNS " FROM recording WHERE directory = ?",
                             &query, err))
        return false;
    journal_put_path(&query, directory);
    return journal_load_recording(&query, ret_recording, ret_found, err);
}

bool journal_next_kept_recording(struct journal *journal, int64_t after_id, int64_t safe_before,
                                 struct journal_recording *ret_recording, bool *ret_found,
                                 struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "SELECT " COLUMNS " FROM recording WHERE id = (SELECT min(recording_id) "
            "FROM file WHERE " JOURNAL_SQL_MAY_GO " AND recording_id > ? AND safe_at <= ?)",
            &query, err))
        return false;
    journal_query_put_integer(&query, after_id);
    journal_query_put_integer(&query, safe_before);
    return journal_load_recording(&query, ret_recording, ret_found, err);
}

bool journal_begin_recording(struct journal *journal, const char *directory, const char *session_id,
                             int64_t now, struct journal_recording *ret_recording,
                             struct error *err)
{
    struct journal_query query;
    bool found;

    if (!journal_begin_unforced(
            journal,
            "INSERT INTO recording (directory, session_id, state, tries, interrupted, created_at, "
            "updated_at, next_try_at, last_error, meeting_url, share) "
            "VALUES (?, ?, ?, 1, 1, ?, ?, 0, '', '', -1) ON CONFLICT (directory) DO UPDATE SET "
            "state = excluded.state, tries = tries + 1, interrupted = interrupted + 1, "
            "updated_at = excluded.updated_at",
            &query, err))
        return false;
    journal_put_path(&query, directory);
    journal_put_path(&query, session_id);
    journal_query_put_integer(&query, JOURNAL_RECORDING_WORKING);
    journal_query_put_integer(&query, now);
    journal_query_put_integer(&query, now);
    if (!journal_query_change_row(&query, NULL, err) ||
        !journal_find_recording(journal, directory, ret_recording, &found, err))
        return false;
    return found ||
           error_set(err, ERROR_PERMANENT,
                     "a recording vanished from the journal as it was added: %s", journal->path);
}

bool journal_save_recording(struct journal *journal, const struct journal_recording *recording,
                            int64_t now, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "UPDATE recording SET state = ?, tries = ?, failures = ?, interrupted = ?, "
            "updated_at = ?, next_try_at = ?, vanished_since = ?, recordings_inode = ?, "
            "last_error = ?, reason = ?, meeting_url = ?, share = ?, meeting_id = ? WHERE id = ?",
            &query, err))
        return false;
    journal_query_put_integer(&query, recording->state);
    journal_query_put_integer(&query, recording->tries);
    journal_query_put_integer(&query, recording->failures);
    journal_query_put_integer(&query, recording->interrupted);
    journal_query_put_integer(&query, now);
    journal_query_put_integer(&query, recording->next_try_at);
    journal_query_put_integer(&query, recording->vanished_since);
    journal_query_put_unsigned(&query, recording->recordings_inode);
    journal_query_put_text(&query, recording->last_error);
    journal_query_put_text(&query, recording->reason);
    journal_query_put_text(&query, recording->meeting_url);
    journal_query_put_integer(&query, recording->share);
    journal_query_put_integer(&query, recording->meeting_id);
    journal_query_put_integer(&query, recording->id);
    return journal_query_change_row(&query, NULL, err);
}
