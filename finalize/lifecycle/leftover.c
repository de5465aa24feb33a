#include "finalize/lifecycle/leftover.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/upload/upload_strays.h"

#include <string.h>
#include <time.h>

#define PATIENCE_MS 10000u /* for one: Jibri may be waiting, and this is only tidying up */

static bool take(struct journal *journal, struct journal_file *file, struct error *err)
{
    if ((file->upload_id[0] || file->phase == JOURNAL_PHASE_CREATING) &&
        !journal_add_leftover(journal, file->key, file->upload_id, time(NULL), err))
        return false;
    file->upload_id[0] = 0;
    file->phase = JOURNAL_PHASE_NONE;
    return journal_forget_parts(journal, file->id, err) && journal_save_file(journal, file, err);
}

bool leftover_take(struct journal *journal, struct journal_file *file, struct error *err)
{
    if (!journal_begin(journal, err))
        return false;
    if (take(journal, file, err))
        return journal_commit(journal, err);
    journal_rollback(journal);
    return false;
}

/* ---- aborting -------------------------------------------------------------------------------- */

static bool is_over(enum s3_outcome outcome)
{
    return outcome == S3_DONE || outcome == S3_NO_SUCH_UPLOAD;
}

static bool abort_known(struct loop *loop, struct s3 *s3, const struct journal_leftover *leftover,
                        uint64_t deadline_ms, struct error *err)
{
    const struct s3_call call = {.operation = S3_ABORT_UPLOAD,
                                 .key = leftover->key,
                                 .upload_id = leftover->upload_id,
                                 .fd = -1};
    struct s3_result result;
    bool over;

    if (!network_ask(loop, s3, &call, deadline_ms, &result, err))
        return false;
    over = is_over(result.outcome);
    if (!over)
        *err = result.error;
    s3_result_done(&result);
    return over;
}

/* One whose id was never learned is found by its key. */
static bool abort_strays(struct loop *loop, struct s3 *s3, const char *key, uint64_t deadline_ms,
                         struct error *err)
{
    struct upload_strays strays = {.key = NULL};
    bool going = true;

    upload_strays_begin(&strays, key);
    while (going && err->kind == ERROR_NONE) {
        const struct s3_call call = upload_strays_call(&strays);
        struct s3_result result;

        if (!network_ask(loop, s3, &call, deadline_ms, &result, err))
            break;
        if (result.outcome == S3_RETRY || result.outcome == S3_SLOW_DOWN)
            *err = result.error;
        else
            going = upload_strays_take_reply(&strays, &result);
        s3_result_done(&result);
    }
    upload_strays_done(&strays);
    return err->kind == ERROR_NONE;
}

bool leftover_abort(struct journal *journal, struct loop *loop, struct s3 *s3, const char *key,
                    uint64_t deadline_ms, struct leftover_result *ret_result, struct error *err)
{
    struct journal_leftover leftover = {.id = 0};
    bool found = true;

    *ret_result = (struct leftover_result){.why = ERROR_INIT};
    for (;;) {
        uint64_t patience_ends_ms = clock_now_ms() + PATIENCE_MS;
        uint64_t until_ms = deadline_ms < patience_ends_ms ? deadline_ms : patience_ends_ms;
        struct error failure = ERROR_INIT;

        if (!journal_next_leftover(journal, leftover.id, &leftover, &found, err))
            return false;
        if (!found)
            return true;
        if (key && strcmp(leftover.key, key) != 0)
            continue;
        if (s3 && ret_result->why.kind != ERROR_TRANSIENT &&
            (leftover.upload_id[0] ? abort_known(loop, s3, &leftover, until_ms, &failure)
                                   : abort_strays(loop, s3, leftover.key, until_ms, &failure))) {
            if (!journal_forget_leftover(journal, leftover.id, err))
                return false;
            ret_result->aborted++;
            continue;
        }
        if (!ret_result->left++ || ret_result->why.kind == ERROR_NONE)
            ret_result->why = failure;
    }
}
