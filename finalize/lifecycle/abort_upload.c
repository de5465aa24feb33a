#include "finalize/lifecycle/abort_upload.h"

#include "finalize/base/clock.h"
#include "finalize/s3/network.h"

#define PATIENCE_MS 10000u /* Jibri waits, and this is only tidying up */

bool abort_upload(struct loop *loop, struct s3 *s3, struct journal *journal,
                  struct journal_file *file, uint64_t deadline_ms, struct error *err)
{
    struct s3_call call = {
        .operation = S3_ABORT_UPLOAD, .key = file->key, .upload_id = file->upload_id, .fd = -1};
    uint64_t patience_ends_ms = clock_now_ms() + PATIENCE_MS;
    struct s3_result result;
    enum s3_outcome outcome;

    if (!file->upload_id[0])
        return true;
    if (!network_ask(loop, s3, &call,
                     deadline_ms < patience_ends_ms ? deadline_ms : patience_ends_ms, &result, err))
        return false;
    outcome = result.outcome;
    if (outcome != S3_DONE && outcome != S3_NO_SUCH_UPLOAD)
        *err = result.error;
    s3_result_done(&result);
    if (outcome != S3_DONE && outcome != S3_NO_SUCH_UPLOAD)
        return false;
    file->upload_id[0] = 0;
    file->phase = JOURNAL_PHASE_NONE;
    return journal_forget_parts(journal, file->id, err) && journal_save_file(journal, file, err);
}
