/*
 * run_vanished - a run on a recording whose directory is not there, or can't be opened: its rows in
 * the journal are worked on.
 */
#include "config/units.h"
#include "finalize/journal/journal_place.h"
#include "finalize/lifecycle/interrupted.h"
#include "finalize/lifecycle/leftover.h"
#include "finalize/lifecycle/removal.h"
#include "finalize/lifecycle/run.h"
#include "finalize/session/lock_table.h"
#include "finalize/session/recordings_dir.h"

#include <time.h>
#include <unistd.h>

#define GIVE_UP_S           (24 * 3600)
#define GIVE_UP_UNMOUNTED_S (7 * GIVE_UP_S)

bool run_open_vanished(struct run *run, const char *path, struct error *err)
{
    const struct settings *settings = run->options->settings;
    struct journal_recording row;
    char place[JOURNAL_PLACE_SIZE];
    struct error missing = *err;
    bool known = false;

    if (!session_dir_name_vanished(path, run->parent, run->directory) ||
        !journal_place(settings, run->parent, place) || access(place, F_OK))
        return false;
    error_clear(err);
    if ((!run->journal && !journal_place_open(settings, run->parent, &run->journal, err)) ||
        !journal_find_recording(run->journal, run->directory, &row, &known, err))
        return false;
    if (!known)
        *err = missing;
    return known;
}

void run_note_unopened(struct run *run, const char *path, const struct error *error)
{
    bool permanent = error->kind == ERROR_PERMANENT, found = false;
    struct error err = *error, ignored = ERROR_INIT;
    struct journal_recording row;

    if ((!permanent && error->kind != ERROR_TRANSIENT) || !run_open_vanished(run, path, &err) ||
        lock_table_holder_now(run->directory) > 0 ||
        !journal_find_recording(run->journal, run->directory, &row, &found, &ignored) || !found ||
        row.state == JOURNAL_RECORDING_DONE || row.state == JOURNAL_RECORDING_ABANDONED)
        return;
    row.state = permanent ? JOURNAL_RECORDING_FAILED : JOURNAL_RECORDING_WAITING;
    (void)!interrupted_fail(run->options->settings, run->journal, &row, error->text, time(NULL),
                            &run->rng, &ignored);
}

struct loss {
    struct journal *journal;
    bool final;
    unsigned files;
};

static bool lose_file(void *context, struct journal_file *file, struct error *err)
{
    struct loss *loss = context;

    if (file->state != JOURNAL_FILE_PENDING)
        return true;
    loss->files++;
    if (!loss->final || journal_file_may_be_stored(file))
        return true;
    file->state = JOURNAL_FILE_GONE;
    return leftover_take(loss->journal, file, err);
}

bool run_settle_vanished(struct run *run, struct error *err)
{
    int64_t now = time(NULL), since = run->row.vanished_since;
    bool mounted = recordings_dir_is_same(run->parent, run->row.recordings_inode);
    struct loss loss = {.journal = run->journal,
                        .final = mounted ? !run->options->gives_way || now - since >= GIVE_UP_S
                                         : now - since >= GIVE_UP_UNMOUNTED_S};
    struct error failure = ERROR_INIT;
    char files[32];

    if (!run_deliver(run, err) ||
        !journal_each_file(run->journal, run->row.id, lose_file, &loss, err) ||
        !removal_note_vanished(run->journal, &run->row, now, err))
        return false;
    if (!loss.files || loss.final)
        return true;
    error_set(
        &failure, ERROR_TRANSIENT, "%s is gone with %s not yet in the bucket%s", run->directory,
        units_format_count(loss.files, "file", files, sizeof files),
        mounted
            ? "; it is given up after a day"
            : "; the recordings directory is another one than before: is its volume mounted? If "
              "it was moved, set CONFOMEET_RECORDINGS_DIR to where it is");
    run_note_failure(run, NULL, &failure);
    return true;
}
