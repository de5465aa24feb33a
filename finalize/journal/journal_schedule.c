#include "finalize/journal/journal_schedule.h"

#include "finalize/journal/journal_private.h"

#include <string.h>

bool journal_note_recording(struct journal *journal, const char *directory, const char *session_id,
                            int64_t now, struct journal_recording *ret_recording, struct error *err)
{
    struct journal_query query;
    bool found;

    if (!journal_begin_query(journal, JOURNAL_SQL_NOTE_RECORDING, &query, err))
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

    if (!journal_begin_query(journal, JOURNAL_SQL_NEXT_UNFINISHED, &query, err))
        return false;
    journal_query_put_integer(&query, after_id);
    return journal_load_recording(&query, ret_recording, ret_found, err);
}

static bool run_with_time(struct journal *journal, enum journal_statement statement, int64_t time,
                          struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, statement, &query, err))
        return false;
    journal_query_put_integer(&query, time);
    return journal_query_run(&query, err);
}

bool journal_hurry(struct journal *journal, bool failed_too, int64_t now, struct error *err)
{
    return run_with_time(journal, failed_too ? JOURNAL_SQL_HURRY_ALL : JOURNAL_SQL_HURRY, now, err);
}

bool journal_next_leftover_upload(struct journal *journal, int64_t after_id,
                                  struct journal_file *ret_file, bool *ret_found, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_NEXT_LEFTOVER_UPLOAD, &query, err))
        return false;
    journal_query_put_integer(&query, after_id);
    return journal_load_file(&query, ret_file, ret_found, err);
}

bool journal_forget_done(struct journal *journal, int64_t before, struct error *err)
{
    return run_with_time(journal, JOURNAL_SQL_FORGET_DONE, before, err);
}

bool journal_count_parts(struct journal *journal, int64_t file_id, unsigned first, unsigned last,
                         unsigned *ret_count, struct error *err)
{
    struct journal_query query;
    bool found;

    if (!journal_begin_query(journal, JOURNAL_SQL_COUNT_PARTS, &query, err))
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

/* ---- claims ---------------------------------------------------------------------------------- */

bool journal_claim(struct journal *journal, const char *directory, pid_t pid, int64_t now,
                   struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_CLAIM, &query, err))
        return false;
    journal_put_path(&query, directory);
    journal_query_put_integer(&query, pid);
    journal_query_put_integer(&query, now);
    return journal_query_run(&query, err);
}

bool journal_unclaim(struct journal *journal, const char *directory, pid_t pid, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_UNCLAIM, &query, err))
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

bool journal_forget_claims(struct journal *journal, int64_t before, struct error *err)
{
    return run_with_time(journal, JOURNAL_SQL_FORGET_CLAIMS, before, err);
}

bool journal_next_handed_over(struct journal *journal, const char *after,
                              char ret_directory[SESSION_PATH_SIZE], bool *ret_found,
                              struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_NEXT_HANDED_OVER, &query, err))
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

    if (!journal_begin_query(journal, JOURNAL_SQL_IS_CLAIMED, &query, err))
        return false;
    journal_put_path(&query, directory);
    journal_query_put_integer(&query, now - JOURNAL_CLAIM_LASTS_S);
    journal_query_put_integer(&query, now + JOURNAL_CLAIM_LASTS_S); /* beyond: of another clock */
    if (!journal_query_fetch(&query, ret_claimed, err))
        return false;
    return !*ret_claimed || journal_query_end(&query, err);
}
