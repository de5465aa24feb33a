/*
 * upload_replies - the reply to the control request (the one that isn't a part's): what means the
 * same wherever it comes, repeating after a pause, and which stage judges the rest.
 */
#include "finalize/upload/upload_private.h"

#define MAX_SIGNINGS 4u

bool upload_try_again(struct upload *upload, const struct s3_result *result)
{
    const struct settings *settings = upload->options.settings;

    upload->tries++;
    if (!retry_goes_on(
            &upload->streak,
            &(struct retry_failure){upload->tries, result->retry_after_ms, upload->now_ms},
            settings->s3_retry_for_ms, upload->options.rng, &upload->not_before_ms))
        upload_fail(upload, &result->error);
    return true;
}

bool upload_look_again(struct upload *upload, enum upload_stage stage,
                       const struct s3_result *result)
{
    upload_try_again(upload, result);
    if (upload->stage != UPLOAD_STAGE_ENDED)
        upload->stage = stage; /* without upload_go_to(): the pauses go on getting longer */
    return true;
}

/* A 503 without a code of S3's comes from something in between: the server may have acted. */
bool upload_may_be_done(const struct s3_result *result)
{
    return result->sent && (result->outcome == S3_RETRY ||
                            (result->outcome == S3_SLOW_DOWN && !result->error.s3_code[0]));
}

static const struct {
    bool (*take)(struct upload *upload, struct s3_result *result, struct error *err);
    bool looks; /* its request changes nothing in the bucket */
} stages[] = {
    [UPLOAD_STAGE_PROBE] = {upload_take_head, true},
    [UPLOAD_STAGE_REASON] = {upload_take_reason, true},
    [UPLOAD_STAGE_RESCUE] = {upload_take_record, true},
    [UPLOAD_STAGE_PUT] = {upload_take_put, false},
    [UPLOAD_STAGE_CREATE] = {upload_take_created, false},
    [UPLOAD_STAGE_LIST] = {upload_take_listed, true},
    [UPLOAD_STAGE_CHECK_KEY] = {upload_take_head, true},
    [UPLOAD_STAGE_COMPLETE] = {upload_take_completed, false},
    [UPLOAD_STAGE_CONFIRM] = {upload_take_head, true},
    [UPLOAD_STAGE_ENDED] = {NULL, false},
};

/* Returns false when the stage is to judge. */
static bool take_common(struct upload *upload, const struct s3_result *result)
{
    bool looking = stages[upload->stage].looks;
    bool needed = upload->stage != UPLOAD_STAGE_LIST; /* the upload can do without the listing */

    switch (result->outcome) {
    case S3_SIGN_AGAIN:
        return true;
    case S3_REFUSED:
        return needed && upload_fail(upload, &result->error);
    case S3_RETRY:
    case S3_SLOW_DOWN:
        return looking && needed && upload_try_again(upload, result);
    case S3_DONE:
        if (!looking) /* a HEAD or a listing that works is no progress: the request after it may
                         fail for ever */
            retry_succeeded(&upload->streak);
        return false;
    default:
        return false;
    }
}

bool upload_take_control_reply(struct upload *upload, struct s3_result *result, struct error *err)
{
    upload->under_way = false;
    /* A reply that asks for another signature too often is a failure like any other: the request is
     * repeated after pauses, and not for ever. */
    if (result->outcome == S3_SIGN_AGAIN && ++upload->signings > MAX_SIGNINGS)
        result->outcome = S3_RETRY;
    if (take_common(upload, result))
        return true;
    return !stages[upload->stage].take || stages[upload->stage].take(upload, result, err);
}
