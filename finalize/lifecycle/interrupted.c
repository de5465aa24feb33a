#include "finalize/lifecycle/interrupted.h"

#include "finalize/journal/journal_schedule.h"
#include "finalize/journal/schedule.h"
#include "finalize/session/file_name.h"
#include "finalize/session/session_dir.h"

#include <stdio.h>

bool interrupted_fail(const struct settings *settings, struct journal *journal,
                      struct journal_recording *row, const char *sentence, int64_t now,
                      struct rng *rng, struct error *err)
{
    row->failures++;
    row->next_try_at = schedule_next_try(
        settings, row->state == JOURNAL_RECORDING_FAILED ? SCHEDULE_PERSON : SCHEDULE_RETRY,
        row->failures, now, rng);
    snprintf(row->last_error, sizeof row->last_error, "%s", sentence);
    return journal_save_recording(journal, row, now, err) &&
           journal_add_history(journal, row->id, 0, now, sentence, err);
}

static bool write_outcome(const struct settings *settings, struct journal *journal,
                          const char *directory, bool growing, int64_t now, struct rng *rng,
                          struct error *err)
{
    static const char sentence[] = "the last runs ended before they could say how it went; the log "
                                   "may tell why";
    struct journal_recording row;

    if (!journal_note_recording(journal, directory, file_name_of(directory), now, &row, err))
        return false;
    if (!growing && row.state != JOURNAL_RECORDING_FAILED)
        row.state = JOURNAL_RECORDING_WAITING;
    return interrupted_fail(settings, journal, &row, sentence, now, rng, err);
}

/* Takes the lock until the directory (NULL: it can't be opened) is closed. *ret_free is false while
 * another process has it; what can't be opened is locked by no one. */
static struct session_dir *lock(const char *directory, bool *ret_free)
{
    struct session_dir *session = NULL;
    struct error ignored = ERROR_INIT;

    *ret_free = true;
    if (session_dir_open(directory, &session, &ignored) &&
        !session_dir_try_lock(session, ret_free, &ignored))
        *ret_free = true;
    return session;
}

bool interrupted_note(const struct settings *settings, struct journal *journal,
                      const char *directory, bool growing, int64_t now, struct rng *rng,
                      struct error *err)
{
    bool is_free;
    struct session_dir *session = lock(directory, &is_free);
    bool ok = !is_free || write_outcome(settings, journal, directory, growing, now, rng, err);

    session_dir_close(session);
    return ok;
}

static bool release(struct journal *journal, const char *directory, int64_t now, struct error *err)
{
    static const char sentence[] = "a run was killed before it could say how it went";
    struct journal_recording row;
    bool found;

    if (!journal_find_recording(journal, directory, &row, &found, err))
        return false;
    if (!found || row.state != JOURNAL_RECORDING_WORKING)
        return true;
    row.state = JOURNAL_RECORDING_WAITING;
    row.next_try_at = now;
    snprintf(row.last_error, sizeof row.last_error, "%s", sentence);
    return journal_save_recording(journal, &row, now, err) &&
           journal_add_history(journal, row.id, 0, now, sentence, err);
}

bool interrupted_release(struct journal *journal, const char *directory, int64_t now,
                         struct error *err)
{
    bool is_free;
    struct session_dir *session = lock(directory, &is_free);
    bool ok = !is_free || release(journal, directory, now, err);

    session_dir_close(session);
    return ok;
}
