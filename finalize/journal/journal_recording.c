/*
 * journal_recording - the rows of recordings.
 */
#include "finalize/journal/journal_private.h"
#include "finalize/journal/journal_schedule.h"

#include <stddef.h>

#define COLUMN(name, ...) JOURNAL_COLUMN(journal_recording, __VA_ARGS__),
const struct journal_column journal_recording_columns[] = {
    COLUMN(id, id, JOURNAL_KEY) JOURNAL_RECORDING_COLUMNS(COLUMN){.kind = JOURNAL_END}};

bool journal_find_recording(struct journal *journal, const char *directory,
                            struct journal_recording *ret_recording, bool *ret_found,
                            struct error *err)
{
    return journal_fetch(
        journal, "SELECT " JOURNAL_RECORDING_ROW " FROM recording WHERE directory = ?",
        VALUES(DIRECTORY(directory)), journal_recording_columns, ret_recording, ret_found, err);
}

bool journal_next_kept_recording(struct journal *journal, int64_t after_id, int64_t safe_before,
                                 struct journal_recording *ret_recording, bool *ret_found,
                                 struct error *err)
{
    return journal_fetch(journal,
                         "SELECT " JOURNAL_RECORDING_ROW " FROM recording WHERE id = (SELECT "
                         "min(recording_id) FROM file WHERE " JOURNAL_SQL_MAY_GO
                         " AND recording_id > ? AND safe_at <= ?)",
                         VALUES(INT(after_id), INT(safe_before)), journal_recording_columns,
                         ret_recording, ret_found, err);
}

static bool add_recording(struct journal *journal, const char *sql, const char *directory,
                          const char *session_id, enum journal_recording_state state, int64_t now,
                          struct journal_recording *ret_recording, struct error *err)
{
    bool found;

    if (!journal_run_unforced(journal, sql,
                              VALUES(DIRECTORY(directory), PATH(session_id), INT(state), INT(now)),
                              err) ||
        !journal_find_recording(journal, directory, ret_recording, &found, err))
        return false;
    return found ||
           error_set(err, ERROR_PERMANENT,
                     "a recording vanished from the journal as it was added: %s", journal->path);
}

#define ADD(runs, conflict)                                                                     \
    "INSERT INTO recording (directory, session_id, state, tries, interrupted, created_at, "     \
    "updated_at, next_try_at, last_error, meeting_url, share) VALUES (?, ?, ?, " runs ", " runs \
    ", ?4, ?4, 0, '', '', -1) ON CONFLICT (directory) DO " conflict

bool journal_begin_recording(struct journal *journal, const char *directory, const char *session_id,
                             int64_t now, struct journal_recording *ret_recording,
                             struct error *err)
{
    return add_recording(journal,
                         ADD("1", "UPDATE SET state = excluded.state, tries = tries + 1, "
                                  "interrupted = interrupted + 1, updated_at = "
                                  "excluded.updated_at"),
                         directory, session_id, JOURNAL_RECORDING_WORKING, now, ret_recording, err);
}

bool journal_note_recording(struct journal *journal, const char *directory, const char *session_id,
                            int64_t now, struct journal_recording *ret_recording, struct error *err)
{
    return add_recording(journal, ADD("0", "NOTHING"), directory, session_id,
                         JOURNAL_RECORDING_RECORDING, now, ret_recording, err);
}

bool journal_save_recording(struct journal *journal, const struct journal_recording *recording,
                            int64_t now, struct error *err)
{
    struct journal_recording row = *recording;
    struct journal_query query;

    row.updated_at = now;
    if (!journal_begin_query(journal, true,
                             "UPDATE recording SET last_error = ''" JOURNAL_RECORDING_SET
                             " WHERE id = ?",
                             NO_VALUES, &query, err))
        return false;
    journal_query_put_row(&query, JOURNAL_RECORDING_CHANGES, &row);
    journal_query_put(&query, VALUES(INT(row.id)));
    return journal_query_change_row(&query, NULL, err);
}
