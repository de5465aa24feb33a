#include "finalize/lifecycle/leftover.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/s3/s3_location.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 10000u /* for one: Jibri may be waiting, and this is only tidying up */

static bool take(struct journal *journal, struct journal_file *file, struct error *err)
{
    if ((file->upload_id[0] || file->phase == JOURNAL_PHASE_CREATING) &&
        !journal_add_leftover(journal, file->location, file->key, file->upload_id, time(NULL), err))
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

/* False, and `err` says why, when the server can't be asked now. A refusal is an answer. */
static bool ask(struct loop *loop, struct s3 *s3, const struct s3_call *call, uint64_t deadline_ms,
                struct s3_result *ret_result, struct error *err)
{
    if (!network_ask(loop, s3, call, deadline_ms, ret_result, err))
        return false;
    if (ret_result->outcome != S3_RETRY && ret_result->outcome != S3_SLOW_DOWN)
        return true;
    *err = ret_result->error;
    s3_result_done(ret_result);
    return false;
}

static bool abort_known(struct loop *loop, struct s3 *s3, const struct journal_leftover *leftover,
                        const char *upload_id, uint64_t deadline_ms, struct error *err)
{
    const struct s3_call call = {.operation = S3_ABORT_UPLOAD,
                                 .location = leftover->location,
                                 .key = leftover->key,
                                 .upload_id = upload_id,
                                 .fd = -1};
    struct s3_result result;
    bool over;

    if (!ask(loop, s3, &call, deadline_ms, &result, err))
        return false;
    over = result.outcome == S3_DONE || result.outcome == S3_NO_SUCH_UPLOAD;
    if (!over)
        *err = result.error;
    s3_result_done(&result);
    return over;
}

/*
 * One whose id was never learned, since the reply to CreateMultipartUpload was lost, has the key
 * and no parts: sending them takes the id. One with parts is another process's, and is left alone.
 */
static bool abort_strays(struct loop *loop, struct s3 *s3, const struct journal_leftover *leftover,
                         uint64_t deadline_ms, struct error *err)
{
    struct s3_call call = {.operation = S3_LIST_UPLOADS,
                           .location = leftover->location,
                           .key = leftover->key,
                           .fd = -1};
    struct s3_result uploads, parts;
    bool ok = true, all_seen;

    if (!ask(loop, s3, &call, deadline_ms, &uploads, err))
        return false;
    all_seen = uploads.outcome == S3_DONE;
    if (!all_seen)
        *err = uploads.error;
    call.operation = S3_LIST_PARTS;
    for (size_t i = 0; ok && i < uploads.listing.count; i++) {
        bool is_empty;

        call.upload_id = uploads.listing.items[i].upload_id;
        ok = ask(loop, s3, &call, deadline_ms, &parts, err);
        if (!ok)
            break;
        is_empty = parts.outcome == S3_DONE && !parts.listing.count;
        if (parts.outcome != S3_DONE && parts.outcome != S3_NO_SUCH_UPLOAD) {
            *err = parts.error;
            all_seen = false;
        }
        s3_result_done(&parts);
        if (is_empty)
            ok = abort_known(loop, s3, leftover, call.upload_id, deadline_ms, err);
    }
    s3_result_done(&uploads);
    return ok && all_seen;
}

static bool abort_one(const struct settings *settings, struct loop *loop, struct s3 *s3,
                      const struct journal_leftover *leftover, uint64_t deadline_ms,
                      struct error *err)
{
    if (!s3_location_is_reached(leftover->location, settings))
        return error_set(err, ERROR_PERMANENT,
                         "an unfinished upload of %s is left in %s, which the settings do not name",
                         leftover->key, leftover->location);
    return leftover->upload_id[0]
               ? abort_known(loop, s3, leftover, leftover->upload_id, deadline_ms, err)
               : abort_strays(loop, s3, leftover, deadline_ms, err);
}

/* Shown by status and metrics (report.h). */
static bool note(struct journal *journal, struct journal_leftover *leftover,
                 const struct error *failure, struct error *err)
{
    if (failure->kind == ERROR_NONE || failure->kind == ERROR_STOPPED ||
        !strcmp(leftover->last_error, failure->text))
        return true;
    snprintf(leftover->last_error, sizeof leftover->last_error, "%s", failure->text);
    return journal_note_leftover(journal, leftover, err);
}

bool leftover_abort(const struct settings *settings, struct journal *journal, struct loop *loop,
                    struct s3 *s3, const char *key, uint64_t deadline_ms,
                    struct leftover_result *ret_result, struct error *err)
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
            abort_one(settings, loop, s3, &leftover, until_ms, &failure)) {
            if (!journal_forget_leftover(journal, leftover.id, err))
                return false;
            ret_result->aborted++;
            continue;
        }
        if (!ret_result->left++ || ret_result->why.kind == ERROR_NONE)
            ret_result->why = failure;
        if (!note(journal, &leftover, &failure, err))
            return false;
    }
}
