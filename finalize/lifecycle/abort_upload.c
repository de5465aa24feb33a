#include "finalize/lifecycle/abort_upload.h"

#include <time.h>

#define PATIENCE_MS 10000u /* Jibri waits, and this is only tidying up */
#define TRIES       3u

/* S3_RETRY and the like, after a few tries, leave it for another time. */
static enum s3_outcome ask_to_abort(struct loop *loop, struct s3 *s3,
                                    const struct journal_file *file, struct error *err)
{
    struct s3_call call = {
        .operation = S3_ABORT_UPLOAD, .key = file->key, .upload_id = file->upload_id, .fd = -1};
    enum s3_outcome outcome = S3_RETRY;

    for (unsigned tries = 0; tries < TRIES; tries++) {
        struct http_request request;
        struct http_reply reply;
        struct s3_result result;

        if (!s3_build(s3, &call, time(NULL), &request, err))
            return S3_REFUSED;
        loop_exchange(loop, &request, PATIENCE_MS, &reply);
        s3_read(s3, &call, &reply, time(NULL), &result);
        outcome = result.outcome;
        if (outcome != S3_DONE && outcome != S3_NO_SUCH_UPLOAD && outcome != S3_SIGN_AGAIN)
            *err = result.error;
        s3_result_done(&result);
        http_request_done(&request);
        http_reply_done(&reply);
        if (outcome != S3_SIGN_AGAIN)
            break;
    }
    return outcome;
}

bool abort_upload(struct loop *loop, struct s3 *s3, struct journal *journal,
                  struct journal_file *file, struct error *err)
{
    enum s3_outcome outcome;

    if (!file->upload_id[0])
        return true;
    outcome = ask_to_abort(loop, s3, file, err);
    if (outcome != S3_DONE && outcome != S3_NO_SUCH_UPLOAD)
        return false;
    file->upload_id[0] = 0;
    file->phase = JOURNAL_PHASE_NONE;
    return journal_forget_parts(journal, file->id, err) && journal_save_file(journal, file, err);
}
