#include "finalize/journal/journal_schedule.h"

#include "finalize/journal/journal_private.h"

#include <stddef.h>

#define IS_DONE      "state = " JOURNAL_SQL(DONE)
#define IS_ABANDONED "state = " JOURNAL_SQL(ABANDONED)
#define IS_WAITING   "state = " JOURNAL_SQL(WAITING)
#define IS_RECORDING "state = " JOURNAL_SQL(RECORDING)
#define IS_FAILED    "state = " JOURNAL_SQL(FAILED)
#define IS_PENDING   "state = " JOURNAL_SQL(FILE_PENDING)
#define IS_WITHHELD  "state = " JOURNAL_SQL(FILE_WITHHELD)

bool journal_next_unfinished(struct journal *journal, int64_t after_id,
                             struct journal_recording *ret_recording, bool *ret_found,
                             struct error *err)
{
    return journal_fetch(journal,
                         "SELECT " JOURNAL_RECORDING_ROW " FROM recording WHERE NOT (" IS_DONE
                         " OR " IS_ABANDONED ") AND id > ? ORDER BY id LIMIT 1",
                         VALUES(INT(after_id)), journal_recording_columns, ret_recording, ret_found,
                         err);
}

bool journal_hurry(struct journal *journal, bool failed_too, int64_t now, struct error *err)
{
    return journal_run(journal,
                       "UPDATE recording SET next_try_at = ?1 WHERE (" IS_WAITING
                       " OR " IS_RECORDING " OR ?2 AND " IS_FAILED ") AND next_try_at > ?1",
                       VALUES(INT(now), INT(failed_too)), err);
}

bool journal_forget_done(struct journal *journal, int64_t before, struct error *err)
{
    return journal_run(journal,
                       "DELETE FROM recording WHERE " IS_DONE
                       " AND updated_at < ? AND NOT EXISTS (SELECT 1 FROM file WHERE recording_id "
                       "= recording.id AND (" IS_WITHHELD " OR " JOURNAL_SQL_MAY_GO
                       " OR " JOURNAL_SQL_IS_UNSAFE "))",
                       VALUES(INT(before)), err);
}

bool journal_correct_times(struct journal *journal, int64_t now, struct error *err)
{
    return journal_run(journal, "UPDATE recording SET updated_at = ?1 WHERE updated_at > ?1",
                       VALUES(INT(now)), err) &&
           journal_run(journal,
                       "UPDATE recording SET vanished_since = ?1 WHERE vanished_since > ?1",
                       VALUES(INT(now)), err) &&
           journal_run(journal,
                       "UPDATE file SET safe_at = ?1 WHERE safe_at > ?1 AND " JOURNAL_SQL_MAY_GO,
                       VALUES(INT(now)), err);
}

/* ---- leftover uploads ------------------------------------------------------------------------ */

bool journal_add_leftover(struct journal *journal, const char *location, const char *key,
                          const char *upload_id, int64_t now, struct error *err)
{
    return journal_run(journal,
                       "INSERT INTO leftover (location, key, upload_id, at) SELECT ?1, ?2, ?3, ?4 "
                       "WHERE NOT EXISTS (SELECT 1 FROM leftover WHERE location = ?1 AND key = ?2 "
                       "AND upload_id = ?3)",
                       VALUES(TEXT(location), TEXT(key), TEXT(upload_id), INT(now)), err);
}

bool journal_next_leftover(struct journal *journal, int64_t after_id,
                           struct journal_leftover *ret_leftover, bool *ret_found,
                           struct error *err)
{
    static const struct journal_column columns[] = {
        JOURNAL_COLUMN(journal_leftover, id, JOURNAL_KEY),
        JOURNAL_COLUMN(journal_leftover, location, JOURNAL_TEXT),
        JOURNAL_COLUMN(journal_leftover, key, JOURNAL_TEXT),
        JOURNAL_COLUMN(journal_leftover, upload_id, JOURNAL_TEXT),
        JOURNAL_COLUMN(journal_leftover, at, JOURNAL_ANY),
        JOURNAL_COLUMN(journal_leftover, last_error, JOURNAL_TEXT),
        {.kind = JOURNAL_END}};

    return journal_fetch(journal,
                         "SELECT id, location, key, upload_id, at, last_error FROM leftover WHERE "
                         "id > ? AND (upload_id <> '' OR NOT "
                         "EXISTS (SELECT 1 FROM file WHERE file.key = leftover.key AND " IS_PENDING
                         ")) ORDER BY id LIMIT 1",
                         VALUES(INT(after_id)), columns, ret_leftover, ret_found, err);
}

bool journal_note_leftover(struct journal *journal, const struct journal_leftover *leftover,
                           struct error *err)
{
    return journal_run_unforced(journal, "UPDATE leftover SET last_error = ? WHERE id = ?",
                                VALUES(TEXT(leftover->last_error), INT(leftover->id)), err);
}

bool journal_forget_leftover(struct journal *journal, int64_t id, struct error *err)
{
    return journal_run(journal, "DELETE FROM leftover WHERE id = ?", VALUES(INT(id)), err);
}

/* ---- claims ---------------------------------------------------------------------------------- */

bool journal_claim(struct journal *journal, const char *directory, pid_t pid, int64_t now,
                   struct error *err)
{
    return journal_run(journal,
                       "INSERT INTO claim (directory, pid, at) VALUES (?, ?, ?) "
                       "ON CONFLICT (directory, pid) DO UPDATE SET at = excluded.at",
                       VALUES(DIRECTORY(directory), INT(pid), INT(now)), err);
}

bool journal_unclaim(struct journal *journal, const char *directory, pid_t pid, struct error *err)
{
    return journal_run_unforced(journal, "DELETE FROM claim WHERE directory = ? AND pid = ?",
                                VALUES(DIRECTORY(directory), INT(pid)), err);
}

/* Claims that are further ahead than they last are of another clock. */
bool journal_forget_claims(struct journal *journal, int64_t now, struct error *err)
{
    return journal_run(journal, "DELETE FROM claim WHERE pid <> 0 AND at NOT BETWEEN ? AND ?",
                       VALUES(INT(now - JOURNAL_CLAIM_LASTS_S), INT(now + JOURNAL_CLAIM_LASTS_S)),
                       err);
}

bool journal_is_claimed(struct journal *journal, const char *directory, int64_t now,
                        bool *ret_claimed, struct error *err)
{
    int64_t one;

    return journal_fetch_number(
        journal,
        "SELECT 1 FROM claim WHERE directory = ? AND (pid = 0 OR at BETWEEN ? AND ?) LIMIT 1",
        VALUES(DIRECTORY(directory), INT(now - JOURNAL_CLAIM_LASTS_S),
               INT(now + JOURNAL_CLAIM_LASTS_S)),
        &one, ret_claimed, err);
}

bool journal_next_handed_over(struct journal *journal, const char *after,
                              char ret_directory[SESSION_PATH_SIZE], bool *ret_found,
                              struct error *err)
{
    static const struct journal_column columns[] = {
        {.size = SESSION_PATH_SIZE, .kind = JOURNAL_IS_DIRECTORY}, {.kind = JOURNAL_END}};

    return journal_fetch(
        journal,
        "SELECT directory FROM claim WHERE pid = 0 AND directory > ? ORDER BY directory LIMIT 1",
        VALUES(DIRECTORY(after)), columns, ret_directory, ret_found, err);
}
