#include "finalize/journal/journal_private.h"

#include "finalize/journal/journal_row.h"

bool journal_load_recording(struct journal_query *query, struct journal_recording *ret_recording,
                            bool *ret_found, struct error *err)
{
    struct journal_recording recording;
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        journal_row_get_recording(query, &recording);
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

    if (!journal_begin_query(journal, JOURNAL_SQL_FIND_RECORDING, &query, err))
        return false;
    journal_put_path(&query, directory);
    return journal_load_recording(&query, ret_recording, ret_found, err);
}

bool journal_next_kept_recording(struct journal *journal, int64_t after_id, int64_t safe_before,
                                 struct journal_recording *ret_recording, bool *ret_found,
                                 struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_NEXT_KEPT_RECORDING, &query, err))
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

    if (!journal_begin_query(journal, JOURNAL_SQL_BEGIN_RECORDING, &query, err))
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

    if (!journal_begin_query(journal, JOURNAL_SQL_SAVE_RECORDING, &query, err))
        return false;
    journal_query_put_integer(&query, recording->state);
    journal_query_put_integer(&query, recording->tries);
    journal_query_put_integer(&query, recording->failures);
    journal_query_put_integer(&query, now);
    journal_query_put_integer(&query, recording->next_try_at);
    journal_query_put_text(&query, recording->last_error);
    journal_query_put_text(&query, recording->reason);
    journal_query_put_text(&query, recording->meeting_url);
    journal_query_put_integer(&query, recording->share);
    journal_query_put_integer(&query, recording->meeting_id);
    journal_query_put_integer(&query, recording->id);
    return journal_query_change_row(&query, NULL, err);
}
