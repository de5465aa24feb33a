#include "finalize/journal/journal_schedule.h"

#include "finalize/journal/journal_private.h"

#include <string.h>

#define RECORDING    JOURNAL_RECORDING_COLUMNS("")
#define FILE_ROW     JOURNAL_FILE_COLUMNS("")
#define IS_DONE      "state = " JOURNAL_SQL(DONE)
#define IS_ABANDONED "state = " JOURNAL_SQL(ABANDONED)
#define IS_WAITING   "state = " JOURNAL_SQL(WAITING)
#define IS_RECORDING "state = " JOURNAL_SQL(RECORDING)
#define IS_FAILED    "state = " JOURNAL_SQL(FAILED)
#define IS_PENDING   "state = " JOURNAL_SQL(FILE_PENDING)
#define IS_WITHHELD  "state = " JOURNAL_SQL(FILE_WITHHELD)

bool journal_note_recording(struct journal *journal, const char *directory, const char *session_id,
                            int64_t now, struct journal_recording *ret_recording, struct error *err)
{
    struct journal_query query;
    bool found;

    if (!journal_begin_unforced(
            journal,
            "INSERT INTO recording (directory, session_id, state, tries, created_at, updated_at, "
            "next_try_at, last_error, meeting_url, share) VALUES (?, ?, ?, 0, ?, ?, 0, '', '', -1) "
            "ON CONFLICT (directory) DO NOTHING",
            &query, err))
        return false;
    journal_put_path(&query, directory);
    journal_put_path(&query, session_id);
    journal_query_put_integer(&query, JOURNAL_RECORDING_RECORDING);
    journal_query_put_integer(&query, now);
    journal_query_put_integer(&query, now);
    if (!journal_query_run(&query, err) ||
        !journal_find_recording(journal, directory, ret_recording, &found, err))
        return false;
    return found ||
           error_set(err, ERROR_TRANSIENT,
                     "a recording vanished from the journal as it was added: %s", journal->path);
}

bool journal_next_unfinished(struct journal *journal, int64_t after_id,
                             struct journal_recording *ret_recording, bool *ret_found,
                             struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal,
                             "SELECT " RECORDING " FROM recording WHERE NOT (" IS_DONE
                             " OR " IS_ABANDONED ") "
                             "AND id > ? ORDER BY id LIMIT 1",
                             &query, err))
        return false;
    journal_query_put_integer(&query, after_id);
    return journal_load_recording(&query, ret_recording, ret_found, err);
}

bool journal_hurry(struct journal *journal, bool failed_too, int64_t now, struct error *err)
{
    return journal_run_with(journal,
                            failed_too ? "UPDATE recording SET next_try_at = ?1 WHERE (" IS_WAITING
                                         " OR " IS_RECORDING " OR " IS_FAILED
                                         ") AND next_try_at > ?1"
                                       : "UPDATE recording SET next_try_at = ?1 WHERE (" IS_WAITING
                                         " OR " IS_RECORDING ") AND next_try_at > ?1",
                            now, err);
}

bool journal_next_leftover_upload(struct journal *journal, int64_t after_id,
                                  struct journal_file *ret_file, bool *ret_found, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "SELECT " FILE_ROW " FROM file WHERE upload_id <> '' AND id > ? AND EXISTS "
            "(SELECT 1 FROM recording WHERE recording.id = recording_id AND (" IS_DONE
            " OR " IS_ABANDONED ")) ORDER BY id LIMIT 1",
            &query, err))
        return false;
    journal_query_put_integer(&query, after_id);
    return journal_load_file(&query, ret_file, ret_found, err);
}

bool journal_forget_done(struct journal *journal, int64_t before, struct error *err)
{
    return journal_run_with(journal,
                            "DELETE FROM recording WHERE " IS_DONE
                            " AND updated_at < ? AND NOT EXISTS (SELECT 1 FROM "
                            "file WHERE recording_id = recording.id AND (" IS_WITHHELD
                            " OR " JOURNAL_SQL_MAY_GO " OR upload_id <> ''))",
                            before, err);
}

bool journal_count_parts(struct journal *journal, int64_t file_id, unsigned first, unsigned last,
                         unsigned *ret_count, struct error *err)
{
    struct journal_query query;
    bool found;

    if (!journal_begin_query(
            journal, "SELECT count(*) FROM part WHERE file_id = ? AND number BETWEEN ? AND ?",
            &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, first);
    journal_query_put_integer(&query, last);
    *ret_count = 0;
    if (!journal_query_fetch(&query, &found, err))
        return false;
    if (!found)
        return true;
    *ret_count = (unsigned)journal_query_get_integer(&query, 0, UINT32_MAX);
    return journal_query_end(&query, err);
}

/* ---- leftover uploads ------------------------------------------------------------------------ */

bool journal_add_leftover(struct journal *journal, const char *key, const char *upload_id,
                          int64_t now, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "INSERT INTO leftover (key, upload_id, at) SELECT ?1, ?2, ?3 WHERE "
            "NOT EXISTS (SELECT 1 FROM leftover WHERE key = ?1 AND upload_id = ?2)",
            &query, err))
        return false;
    journal_query_put_text(&query, key);
    journal_query_put_text(&query, upload_id);
    journal_query_put_integer(&query, now);
    return journal_query_run(&query, err);
}

bool journal_next_leftover(struct journal *journal, int64_t after_id,
                           struct journal_leftover *ret_leftover, bool *ret_found,
                           struct error *err)
{
    struct journal_leftover leftover;
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "SELECT id, key, upload_id, at FROM leftover WHERE id > ? AND (upload_id <> '' OR NOT "
            "EXISTS (SELECT 1 FROM file WHERE file.key = leftover.key AND " IS_PENDING
            ")) ORDER BY id LIMIT 1",
            &query, err))
        return false;
    journal_query_put_integer(&query, after_id);
    if (!journal_query_fetch(&query, ret_found, err))
        return false;
    if (!*ret_found)
        return true;
    leftover.id = journal_query_get_integer(&query, 1, INT64_MAX);
    journal_query_get_text(&query, leftover.key, sizeof leftover.key);
    journal_query_get_text(&query, leftover.upload_id, sizeof leftover.upload_id);
    leftover.at = journal_query_get_integer(&query, INT64_MIN, INT64_MAX);
    if (!journal_query_end(&query, err))
        return false;
    *ret_leftover = leftover;
    return true;
}

bool journal_forget_leftover(struct journal *journal, int64_t id, struct error *err)
{
    return journal_run_with(journal, "DELETE FROM leftover WHERE id = ?", id, err);
}

/* ---- claims ---------------------------------------------------------------------------------- */

bool journal_claim(struct journal *journal, const char *directory, pid_t pid, int64_t now,
                   struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal,
                             "INSERT INTO claim (directory, pid, at) VALUES (?, ?, ?) "
                             "ON CONFLICT (directory, pid) DO UPDATE SET at = excluded.at",
                             &query, err))
        return false;
    journal_put_path(&query, directory);
    journal_query_put_integer(&query, pid);
    journal_query_put_integer(&query, now);
    return journal_query_run(&query, err);
}

bool journal_unclaim(struct journal *journal, const char *directory, pid_t pid, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_unforced(journal, "DELETE FROM claim WHERE directory = ? AND pid = ?",
                                &query, err))
        return false;
    journal_put_path(&query, directory);
    journal_query_put_integer(&query, pid);
    return journal_query_run(&query, err);
}

bool journal_hand_over(struct journal *journal, const char *directory, int64_t now,
                       struct error *err)
{
    return journal_claim(journal, directory, 0, now, err);
}

bool journal_take_over(struct journal *journal, const char *directory, struct error *err)
{
    return journal_unclaim(journal, directory, 0, err);
}

bool journal_forget_claims(struct journal *journal, int64_t now, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, "DELETE FROM claim WHERE pid <> 0 AND at NOT BETWEEN ? AND ?",
                             &query, err))
        return false;
    journal_query_put_integer(&query, now - JOURNAL_CLAIM_LASTS_S);
    journal_query_put_integer(&query, now + JOURNAL_CLAIM_LASTS_S); /* beyond: of another clock */
    return journal_query_run(&query, err);
}

bool journal_correct_times(struct journal *journal, int64_t now, struct error *err)
{
    static const char *const corrections[] = {
        "UPDATE recording SET updated_at = ?1 WHERE updated_at > ?1",
        "UPDATE recording SET vanished_since = ?1 WHERE vanished_since > ?1",
        "UPDATE file SET safe_at = ?1 WHERE safe_at > ?1 AND " JOURNAL_SQL_MAY_GO,
    };

    for (size_t i = 0; i < sizeof corrections / sizeof *corrections; i++)
        if (!journal_run_with(journal, corrections[i], now, err))
            return false;
    return true;
}

bool journal_next_handed_over(struct journal *journal, const char *after,
                              char ret_directory[SESSION_PATH_SIZE], bool *ret_found,
                              struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal,
                             "SELECT directory FROM claim WHERE pid = 0 AND directory > ? "
                             "ORDER BY directory LIMIT 1",
                             &query, err))
        return false;
    journal_put_path(&query, after);
    if (!journal_query_fetch(&query, ret_found, err))
        return false;
    if (!*ret_found)
        return true;
    journal_query_get_text(&query, ret_directory, SESSION_PATH_SIZE);
    return journal_query_end(&query, err);
}

bool journal_is_claimed(struct journal *journal, const char *directory, int64_t now,
                        bool *ret_claimed, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "SELECT 1 FROM claim WHERE directory = ? AND (pid = 0 OR at BETWEEN ? AND ?) "
            "LIMIT 1",
            &query, err))
        return false;
    journal_put_path(&query, directory);
    journal_query_put_integer(&query, now - JOURNAL_CLAIM_LASTS_S);
    journal_query_put_integer(&query, now + JOURNAL_CLAIM_LASTS_S); /* beyond: of another clock */
    if (!journal_query_fetch(&query, ret_claimed, err))
        return false;
    return !*ret_claimed || journal_query_end(&query, err);
}
