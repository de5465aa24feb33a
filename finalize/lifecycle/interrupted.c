#include "finalize/lifecycle/interrupted.h"

#include "finalize/journal/journal_schedule.h"
#include "finalize/journal/schedule.h"
#include "finalize/lifecycle/lock_file.h"
#include "finalize/session/file_name.h"
#include "finalize/session/lock_table.h"
#include "finalize/session/session_dir.h"

#include <stdio.h>
#include <unistd.h>

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
    static const char sentence[] = "the last runs ended without an outcome; the log may tell why";
    struct journal_recording row;

    if (!journal_note_recording(journal, directory, file_name_of(directory), now, &row, err))
        return false;
    if (row.state == JOURNAL_RECORDING_ABANDONED)
        return true; /* since it was seen to be due */
    if (!growing && row.state != JOURNAL_RECORDING_FAILED)
        row.state = JOURNAL_RECORDING_WAITING;
    return interrupted_fail(settings, journal, &row, sentence, now, rng, err);
}

struct held {
    struct session_dir *session_dir;
    int lock_fd;
};

/* As run_lock(). False while another process holds the lock. True, without a lock, where the
 * directory cannot be locked. */
static bool lock(const struct settings *settings, const char *directory, struct held *ret_held)
{
    char parent[SESSION_PATH_SIZE];
    struct error ignored = ERROR_INIT;
    bool locked = true;

    *ret_held = (struct held){.lock_fd = -1};
    if (session_dir_open(directory, &ret_held->session_dir, &ignored))
        return !session_dir_try_lock(ret_held->session_dir, &locked, &ignored) || locked;
    if (ignored.kind != ERROR_NO_INPUT)
        return lock_table_holder_now(directory) <= 0;
    snprintf(parent, sizeof parent, "%.*s", (int)(file_name_of(directory) - directory - 1),
             directory);
    return !lock_file_take(settings, parent, LOCK_FILE_VANISHED, &ret_held->lock_fd, &ignored) ||
           ret_held->lock_fd >= 0;
}

static void unlock(struct held *held)
{
    session_dir_close(held->session_dir);
    if (held->lock_fd >= 0)
        close(held->lock_fd);
}

bool interrupted_note(const struct settings *settings, struct journal *journal,
                      const char *directory, bool growing, int64_t now, struct rng *rng,
                      struct error *err)
{
    struct held held;
    bool is_free = lock(settings, directory, &held);
    bool ok = !is_free || write_outcome(settings, journal, directory, growing, now, rng, err);

    unlock(&held);
    return ok;
}

static bool release(struct journal *journal, const char *directory, int64_t now, struct error *err)
{
    static const char sentence[] = "a run was killed before it wrote an outcome";
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

bool interrupted_release(const struct settings *settings, struct journal *journal,
                         const char *directory, int64_t now, struct error *err)
{
    struct held held;
    bool is_free = lock(settings, directory, &held);
    bool ok = !is_free || release(journal, directory, now, err);

    unlock(&held);
    return ok;
}
