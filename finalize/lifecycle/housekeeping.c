#include "finalize/lifecycle/housekeeping.h"

#include "config/units.h"
#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/leftover.h"
#include "finalize/lifecycle/removal.h"
#include "finalize/lifecycle/stored.h"

#include <stdio.h>
#include <time.h>

struct work {
    const struct housekeeping *options;
    struct journal *journal;
    struct loop *loop; /* NULL until it is needed */
    struct s3 *s3;
};

static void remark(const struct work *work, bool fine, const char *session_id, const char *sentence)
{
    work->options->remark(work->options->context, fine, session_id, sentence);
}

static bool open_network(struct work *work, struct error *err)
{
    const struct loop_stop stop = {.fd = work->options->stop_fd,
                                   .requested = work->options->stop_requested,
                                   .context = work->options->context};

    return work->loop ||
           network_open(work->options->settings, 0, &stop, &work->loop, &work->s3, err);
}

/* ---- kept copies ----------------------------------------------------------------------------- */

static bool is_stored(void *context, const struct journal_file *file, bool *ret_stored,
                      struct error *err)
{
    struct work *work = context;

    return open_network(work, err) && stored_ask(work->options->settings, work->loop, work->s3,
                                                 file, UINT64_MAX, ret_stored, err);
}

static void on_removed(void *context, const char *session_id, const char *path)
{
    if (!path[0])
        remark(context, true, session_id,
               "the local copies are removed: CONFOMEET_KEEP_LOCAL has passed");
}

static void on_failed(void *context, const char *session_id, const struct error *error)
{
    remark(context, false, session_id, error->text);
}

static bool sweep(struct work *work, struct error *err)
{
    struct removal removal = {.settings = work->options->settings,
                              .journal = work->journal,
                              .run_began_at = INT64_MAX, /* nothing is confirmed here */
                              .is_stored = is_stored,
                              .removed = on_removed,
                              .failed = on_failed,
                              .context = work};

    return removal_sweep(&removal, time(NULL), err);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static bool abort_leftovers(struct work *work, struct error *err)
{
    struct leftover_result result;
    char sentence[128], count[32];

    if (!open_network(work, err) ||
        !leftover_abort(work->options->settings, work->journal, work->loop, work->s3, NULL,
                        UINT64_MAX, &result, err))
        return false;
    if (result.aborted) {
        snprintf(sentence, sizeof sentence, "aborted %s that would not be completed",
                 units_format_count(result.aborted, "upload", count, sizeof count));
        remark(work, true, "", sentence);
    }
    if (result.left)
        remark(work, false, "", result.why.text);
    return true;
}

static bool forget_old(const struct work *work, struct error *err)
{
    uint64_t keep_ms = work->options->settings->journal_keep_ms;
    int64_t now = time(NULL);

    if (!journal_forget_claims(work->journal, now, err))
        return false;
    return keep_ms == SETTINGS_KEEP_FOREVER ||
           journal_forget_done(work->journal, now - (int64_t)(keep_ms / 1000), err);
}

bool housekeeping_run(const struct housekeeping *housekeeping, struct error *err)
{
    struct work work = {.options = housekeeping};
    bool ok = journal_place_open(housekeeping->settings, housekeeping->recordings_dir,
                                 &work.journal, err) &&
              journal_correct_times(work.journal, time(NULL), err) && sweep(&work, err) &&
              abort_leftovers(&work, err) && forget_old(&work, err);

    s3_close(work.s3);
    loop_close(work.loop);
    journal_close(work.journal);
    return ok;
}
