#include "watcher/facts.h"

#include "finalize/journal/schedule.h"
#include "finalize/lifecycle/live.h"
#include "finalize/session/lock_table.h"
#include "finalize/session/open_writer.h"
#include "finalize/session/session_dir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct look {
    const struct settings *settings;
    struct journal *journal;
    struct session_dir *session;
    int64_t recording_id; /* 0: the journal doesn't know it */
    bool new_files;       /* that the journal does not know as safe */
    int64_t now;
    struct facts *facts;
};

static void note_change(struct facts *facts, int64_t at, int64_t now)
{
    int64_t *latest = at > now ? &facts->ahead : &facts->changed_at;

    if (at > *latest)
        *latest = at;
}

static bool on_file(void *context, const struct session_dir_file *found, struct error *err)
{
    struct look *look = context;
    const struct live_look of_parts = {
        .journal = look->journal, .settings = look->settings, .session_dir = look->session};
    struct journal_file file;
    bool known = false;
    bool work = false;

    look->facts->has_files = true;
    note_change(look->facts, found->identity.mtime_ns / 1000000000, look->now);
    if (look->recording_id &&
        !journal_find_file(look->journal, look->recording_id, found->path, &file, &known, err))
        return false;
    look->new_files |= !known ||
                       (file.state != JOURNAL_FILE_SAFE && file.state != JOURNAL_FILE_WITHHELD) ||
                       !file_identity_same(&file.identity, &found->identity);
    if (found->media && !live_has_work(&of_parts, known ? &file : NULL, found->path,
                                       found->identity.size_bytes, &work, err))
        return false;
    look->facts->has_parts |= work;
    return true;
}

/* For a run to note on the recording. */
static bool on_unreadable(void *context, const char *path, int errno_value, struct error *err)
{
    struct look *look = context;

    (void)path;
    (void)errno_value;
    (void)err;
    look->facts->has_files = true;
    return true;
}

static bool look_inside(struct look *look, const char *directory, struct error *err)
{
    struct session_dir_visitor visitor = {.context = look,
                                          .media = look->settings->media,
                                          .file = on_file,
                                          .unreadable = on_unreadable};
    struct error unreadable = ERROR_INIT;
    bool ok;

    if (!session_dir_open(directory, &look->session, &unreadable)) {
        look->facts->exists = unreadable.kind != ERROR_NO_INPUT; /* it went since */
        look->facts->has_files = true;
        return true;
    }
    ok = session_dir_scan(look->session, &visitor, err);
    session_dir_close(look->session);
    return ok;
}

static bool is_due(const struct settings *settings, const struct facts *facts, int64_t now)
{
    return !facts->known || facts->handed_over || facts->state == JOURNAL_RECORDING_WORKING ||
           facts->state == JOURNAL_RECORDING_RECORDING || facts->state == JOURNAL_RECORDING_DONE ||
           schedule_is_due(settings, facts->next_try_at, now);
}

bool facts_gather(const struct settings *settings, struct journal *journal, const char *directory,
                  int64_t now, struct facts *facts, struct error *err)
{
    struct journal_recording row;
    struct look look = {.settings = settings, .journal = journal, .now = now, .facts = facts};
    struct stat status = {0};

    if (!journal_find_recording(journal, directory, &row, &facts->known, err))
        return false;
    if (facts->known) {
        facts->state = row.state;
        facts->next_try_at = row.next_try_at;
        look.recording_id = row.id;
        if (row.state == JOURNAL_RECORDING_ABANDONED)
            return true;
    }
    if (lstat(directory, &status))
        facts->exists = errno != ENOENT && errno != ENOTDIR;
    else
        facts->exists = S_ISDIR(status.st_mode);
    if (!facts->exists || !is_due(settings, facts, now))
        return true;
    note_change(facts, status.st_mtim.tv_sec, now);
    if (!look_inside(&look, directory, err))
        return false;
    if (facts->known && facts->state == JOURNAL_RECORDING_DONE) {
        if (!look.new_files)
            return true;
        facts->state = JOURNAL_RECORDING_RECORDING; /* something was put into it since */
        facts->has_parts = false; /* its row is for the finalizer to begin again */
    }
    if (!facts->known && !facts->has_files)
        return true;
    facts->locked = lock_table_holder_now(directory) > 0;
    facts->writer = open_writer_in(directory);
    return true;
}
