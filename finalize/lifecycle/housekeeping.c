#include "finalize/lifecycle/housekeeping.h"

#include "finalize/journal/journal_place.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/leftover.h"
#include "finalize/lifecycle/removal.h"

#include <stdio.h>
#include <time.h>

static void remark(const struct housekeeping *housekeeping, bool fine, const char *session_id,
                   const char *sentence)
{
    housekeeping->remark(housekeeping->context, fine, session_id, sentence);
}

static void on_removed(void *context, const char *session_id, const char *path)
{
    if (!path[0])
        remark(context, true, session_id, "its time on this machine is over: the disk is freed");
}

static void on_failed(void *context, const char *session_id, const struct error *error)
{
    remark(context, false, session_id, error->text);
}

static bool sweep(const struct housekeeping *housekeeping, struct journal *journal,
                  struct error *err)
{
    struct removal removal = {.settings = housekeeping->settings,
                              .journal = journal,
                              .removed = on_removed,
                              .failed = on_failed,
                              .context = (void *)housekeeping};

    return removal_sweep(&removal, time(NULL), err);
}

static bool abort_leftovers(const struct housekeeping *housekeeping, struct journal *journal,
                            struct error *err)
{
    const struct loop_stop stop = {.fd = housekeeping->stop_fd,
                                   .requested = housekeeping->stop_requested,
                                   .context = housekeeping->context};
    struct loop *loop = NULL;
    struct s3 *s3 = NULL;
    struct leftover_result result;
    char sentence[128];
    bool ok = network_open(housekeeping->settings, 0, &stop, &loop, &s3, err) &&
              leftover_abort(journal, loop, s3, NULL, UINT64_MAX, &result, err);

    s3_close(s3);
    loop_close(loop);
    if (!ok)
        return false;
    if (result.aborted) {
        snprintf(sentence, sizeof sentence, "%u upload(s) that will not be completed were aborted",
                 result.aborted);
        remark(housekeeping, true, "", sentence);
    }
    if (result.left)
        remark(housekeeping, false, "", result.why.text);
    return true;
}

static bool forget_old(const struct housekeeping *housekeeping, struct journal *journal,
                       struct error *err)
{
    uint64_t keep_ms = housekeeping->settings->journal_keep_ms;
    int64_t now = time(NULL);

    if (!journal_forget_claims(journal, now, err))
        return false;
    return keep_ms == SETTINGS_KEEP_FOREVER ||
           journal_forget_done(journal, now - (int64_t)(keep_ms / 1000), err);
}

bool housekeeping_run(const struct housekeeping *housekeeping, struct error *err)
{
    struct journal *journal = NULL;
    bool ok =
        journal_place_open(housekeeping->settings, housekeeping->recordings_dir, &journal, err) &&
        journal_correct_times(journal, time(NULL), err) && sweep(housekeeping, journal, err) &&
        abort_leftovers(housekeeping, journal, err) && forget_old(housekeeping, journal, err);

    journal_close(journal);
    return ok;
}
