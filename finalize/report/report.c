#include "finalize/report/report.h"

#include "finalize/report/report_untracked.h"
#include "finalize/session/file_name.h"
#include "finalize/session/lock_table.h"
#include "finalize/session/open_writer.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RATE_WINDOW_S 60

struct report {
    struct journal_view *view; /* NULL: there is no journal */
    char *recordings_dir;      /* NULL: not looked at */
    const char *media;         /* endings; borrowed */
    char *watcher_lock;        /* the path of the file that a running watcher locks */
};

/* Beside the journal: see lock_file.h. */
static char *name_watcher_lock(const char *journal)
{
    const char *slash = strrchr(journal, '/');
    char *path = NULL;

    return asprintf(&path, "%.*s/watcher.lock", slash ? (int)(slash - journal) : 1,
                    slash ? journal : ".") < 0
               ? NULL
               : path;
}

bool report_open(const struct report_source *source, struct report **ret_report, struct error *err)
{
    struct report *report = calloc(1, sizeof *report);

    if (!report ||
        (source->recordings_dir && !(report->recordings_dir = strdup(source->recordings_dir))) ||
        !(report->watcher_lock = name_watcher_lock(source->journal))) {
        error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "cannot read the recordings");
        goto fail;
    }
    /* A journal that is not there is not made. */
    if ((access(source->journal, F_OK) == 0 || errno != ENOENT) &&
        !journal_view_open(source->journal, source->root, &report->view, err))
        goto fail;
    report->media = source->media;
    *ret_report = report;
    return true;
fail:
    report_close(report);
    return false;
}

void report_close(struct report *report)
{
    if (!report)
        return;
    journal_view_close(report->view);
    free(report->recordings_dir);
    free(report->watcher_lock);
    free(report);
}

int report_watcher(const struct report *report)
{
    pid_t holder = lock_table_holder_now(report->watcher_lock);

    return holder > 0 ? 1 : (int)holder;
}

/* ---- one recording --------------------------------------------------------------------------- */

struct walk {
    const struct report_filter *filter;
    const struct report_visitor *visitor;
    struct report_totals totals;
    struct lock_table locks;
    int64_t now;
    unsigned safe_shown;
    unsigned passed;

    bool open;  /* `current` is being summed up */
    bool shown; /* it passed the filter */
    struct report_recording current;
    uint64_t recent_bytes;
    int64_t sends_since; /* when the oldest of the uploads under way began */
};

static void name_worker(struct report_recording *recording)
{
    char path[64];
    FILE *in;

    snprintf(path, sizeof path, "/proc/%ld/comm", (long)recording->worker_pid);
    in = fopen(path, "re");
    if (in && fgets(recording->worker, sizeof recording->worker, in))
        recording->worker[strcspn(recording->worker, "\n")] = 0;
    if (in)
        (void)fclose(in);
}

/* Whether it is lost though no run has said so yet: what was to be uploaded is gone with its
 * directory. Not where another directory is above it: the volume is not mounted.
 */
static bool is_lost(const struct journal_recording *row, const struct safety *safety)
{
    struct stat status;
    char parent[SESSION_PATH_SIZE];

    if ((safety->files && !safety->pending) || stat(row->directory, &status) == 0 ||
        errno != ENOENT)
        return false;
    snprintf(parent, sizeof parent, "%s", row->directory);
    return stat(dirname(parent), &status) == 0 &&
           (!row->recordings_inode || status.st_ino == row->recordings_inode);
}

static enum report_state state_of(const struct walk *walk, const struct journal_recording *row,
                                  const struct safety *safety, pid_t worker)
{
    if (row->state == JOURNAL_RECORDING_ABANDONED)
        return REPORT_ABANDONED;
    if (row->state == JOURNAL_RECORDING_DONE)
        return safety_is_safe(safety) ? REPORT_SAFE : REPORT_LOST;
    if (worker)
        return row->state == JOURNAL_RECORDING_RECORDING ? REPORT_RECORDING : REPORT_UPLOADING;
    if (is_lost(row, safety))
        return REPORT_LOST;
    switch (row->state) {
    case JOURNAL_RECORDING_WORKING:
        return walk->locks.known ? REPORT_INTERRUPTED : REPORT_UPLOADING;
    case JOURNAL_RECORDING_RECORDING: /* until the watcher sees that no process writes it any more
                                       */
        return !walk->locks.known || open_writer_in(row->directory) != OPEN_WRITER_NONE
                   ? REPORT_RECORDING
                   : REPORT_INTERRUPTED;
    case JOURNAL_RECORDING_WAITING:
        return REPORT_WAITING;
    default:
        return REPORT_FAILED;
    }
}

static enum report_state state_of_untracked(const struct report_recording *recording)
{
    if (recording->worker_pid)
        return REPORT_UPLOADING;
    return !recording->safety.files || open_writer_in(recording->row.directory) == OPEN_WRITER_THERE
               ? REPORT_RECORDING
               : REPORT_FOUND;
}

static bool is_among(const char *directory, const char *const *directories)
{
    for (; *directories; directories++)
        if (!strcmp(*directories, directory))
            return true;
    return false;
}

static bool passes(struct walk *walk)
{
    const struct report_recording *recording = &walk->current;

    if (walk->filter->directories && !is_among(recording->row.directory, walk->filter->directories))
        return false;
    if (walk->filter->states && !(walk->filter->states & REPORT_BIT(recording->state)))
        return false;
    if (walk->filter->since && recording->row.created_at < walk->filter->since)
        return false;
    if (recording->state == REPORT_SAFE && walk->filter->most_safe)
        return walk->safe_shown++ < walk->filter->most_safe;
    return true;
}

/* One page of those that pass. */
static bool is_shown(struct walk *walk)
{
    const struct report_filter *filter = walk->filter;
    unsigned index;

    if (!passes(walk))
        return false;
    index = walk->passed++;
    return index >= filter->skip && (!filter->most || index - filter->skip < filter->most);
}

static bool begin_recording(struct walk *walk, const struct journal_recording *row,
                            const struct safety *safety, struct error *err)
{
    struct report_recording *recording = &walk->current;

    *recording = (struct report_recording){.row = *row, .safety = *safety, .seconds_left = -1};
    if (row->id == 0 || row->state != JOURNAL_RECORDING_DONE)
        recording->worker_pid = lock_table_holder(&walk->locks, row->directory);
    if (recording->worker_pid)
        name_worker(recording);
    recording->state = row->id ? state_of(walk, row, safety, recording->worker_pid)
                               : state_of_untracked(recording);
    if (row->meeting_id)
        snprintf(recording->meeting, sizeof recording->meeting, "%ld", (long)row->meeting_id);
    walk->open = true;
    walk->recent_bytes = 0;
    walk->sends_since = 0;
    walk->shown = is_shown(walk);
    if (walk->shown) {
        walk->totals.shown_states |= REPORT_BIT(recording->state);
        walk->totals.shown++;
    }
    if (walk->shown && walk->visitor->begins)
        return walk->visitor->begins(walk->visitor->context, recording, err);
    return true;
}

static void take_media_name(struct report_recording *recording, const char *name)
{
    size_t length = strcspn(name, "_");

    snprintf(recording->media_name, sizeof recording->media_name, "%s", name);
    if (!recording->meeting[0] && name[length])
        snprintf(recording->meeting, sizeof recording->meeting, "%.*s", (int)length, name);
}

static void add_upload(struct walk *walk, const struct journal_view_file *file)
{
    uint64_t held =
        file->held_bytes < file->file.object_bytes ? file->held_bytes : file->file.object_bytes;

    walk->current.held_bytes += held;
    walk->recent_bytes += file->recent_bytes;
    if (file->recent_bytes && (!walk->sends_since || file->file.phase_at < walk->sends_since))
        walk->sends_since = file->file.phase_at;
}

static bool add_file(struct walk *walk, const struct journal_view_file *view, struct error *err)
{
    struct report_recording *recording = &walk->current;
    const struct journal_file *file = &view->file;

    if (file->media && !recording->media_name[0])
        take_media_name(recording, file_name_of(file->path));
    if (file->state == JOURNAL_FILE_SAFE || file->state == JOURNAL_FILE_UPLOADED) {
        recording->size_bytes += file->object_bytes;
        recording->held_bytes += file->object_bytes;
    } else if (file->state == JOURNAL_FILE_PENDING) {
        recording->size_bytes += file->object_bytes;
        add_upload(walk, view);
    }
    recording->notices_due += file->state == JOURNAL_FILE_UPLOADED;
    if (file->state == JOURNAL_FILE_SAFE && file->safe_at > recording->safe_at)
        recording->safe_at = file->safe_at;
    if (walk->shown && walk->visitor->file)
        return walk->visitor->file(walk->visitor->context, view, err);
    return true;
}

/* What came within the window, over the time within it that this run has had. */
static void measure(struct walk *walk)
{
    struct report_recording *recording = &walk->current;
    int64_t since = walk->now - RATE_WINDOW_S;
    uint64_t left = recording->size_bytes - recording->held_bytes;

    if (recording->state != REPORT_UPLOADING && recording->state != REPORT_RECORDING)
        return;
    if (walk->sends_since > since)
        since = walk->sends_since;
    if (recording->state == REPORT_UPLOADING && recording->row.updated_at > since)
        since = recording->row.updated_at; /* when the run began */
    recording->rate =
        (double)walk->recent_bytes / (double)(walk->now > since ? walk->now - since : 1);
    if (recording->rate >= 1 && recording->state == REPORT_UPLOADING)
        recording->seconds_left = (int64_t)((double)left / recording->rate + 1);
}

static bool end_recording(struct walk *walk, struct error *err)
{
    if (!walk->open)
        return true;
    walk->open = false;
    measure(walk);
    if (walk->current.state != REPORT_SAFE)
        walk->current.safe_at = 0;
    report_totals_add(&walk->totals, &walk->current);
    if (walk->shown && walk->visitor->recording)
        return walk->visitor->recording(walk->visitor->context, &walk->current, err);
    return true;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static bool on_row(void *context, const struct journal_view_row *row, struct error *err)
{
    struct walk *walk = context;

    if (!walk->open || walk->current.row.id != row->recording.id)
        if (!end_recording(walk, err) || !begin_recording(walk, &row->recording, &row->safety, err))
            return false;
    return !row->has_file || add_file(walk, &row->file, err);
}

static bool on_found(void *context, const struct report_untracked *found, struct error *err)
{
    struct walk *walk = context;
    const struct safety safety = {.files = found->files, .media = found->media_name[0] != 0};
    struct journal_recording row;

    if (!found->files &&
        (!walk->filter->joining || llabs(walk->now - found->newest_at) >= REPORT_JOINING_S))
        return true;
    memset(&row, 0, sizeof row);
    row.share = -1;
    row.created_at = row.updated_at = found->newest_at;
    memcpy(row.directory, found->directory, sizeof row.directory);
    memcpy(row.session_id, found->session_id, sizeof row.session_id);
    if (!begin_recording(walk, &row, &safety, err))
        return false;
    walk->current.size_bytes = found->bytes;
    if (found->media_name[0])
        take_media_name(&walk->current, found->media_name);
    return end_recording(walk, err);
}

bool report_each(struct report *report, const struct report_filter *filter, int64_t now,
                 const struct report_visitor *visitor, struct report_totals *ret_totals,
                 struct error *err)
{
    struct walk *walk = calloc(1, sizeof *walk);
    bool ok = true;

    if (!walk)
        return error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "cannot read the recordings");
    walk->filter = filter;
    walk->visitor = visitor;
    walk->now = now;
    lock_table_read(&walk->locks);
    walk->totals.locks_known = walk->locks.known;
    if (report->recordings_dir && !filter->recording_id)
        ok = report_untracked_each(report->recordings_dir, report->media, report->view, on_found,
                                   walk, err);
    if (ok && report->view)
        ok = journal_view_each(report->view, filter->recording_id, now - RATE_WINDOW_S, on_row,
                               walk, err) &&
             end_recording(walk, err) &&
             (!ret_totals || journal_view_leftovers(report->view, &walk->totals.leftovers, err));
    if (ok && ret_totals)
        *ret_totals = walk->totals;
    lock_table_done(&walk->locks);
    free(walk);
    return ok;
}

bool report_each_entry(struct report *report, int64_t recording_id, const char *beginning,
                       unsigned most,
                       bool (*visit)(void *context, const struct journal_view_entry *event,
                                     struct error *err),
                       void *context, struct error *err)
{
    return !report->view || journal_view_each_entry(report->view, recording_id, beginning, most,
                                                    visit, context, err);
}
