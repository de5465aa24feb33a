/*
 * upload_replies - the reply to the control request (the one that isn't a part's): what means the
 * same wherever it comes, repeating after a pause, and which stage judges the rest.
 */
#include "finalize/upload/upload_private.h"

#include <string.h>

#define MAX_SIGNINGS 4u

void upload_try_again(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    const struct settings *settings = upload->options.settings;

    upload->tries++;
    if (!retry_goes_on(&upload->streak,
                       &(struct retry_failure){upload->tries, result->retry_after_ms, now_ms},
                       settings->s3_retry_for_ms, upload->options.rng, &upload->not_before_ms))
        upload_fail(upload, &result->error);
}

void upload_look_again(struct upload *upload, enum upload_stage stage,
                       const struct s3_result *result, uint64_t now_ms)
{
    upload_try_again(upload, result, now_ms);
    if (upload->stage != UPLOAD_STAGE_ENDED)
        upload->stage = stage; /* without upload_go_to(): the pauses go on getting longer */
}

/* A 503 without a code of S3's comes from something in between: the server may have acted. */
bool upload_may_be_done(const struct s3_result *result)
{
    return result->sent && (result->outcome == S3_RETRY ||
                            (result->outcome == S3_SLOW_DOWN && !result->error.s3_code[0]));
}

/* Returns false when the stage is to judge. */
static bool take_common(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    bool looking = upload->stage == UPLOAD_STAGE_PROBE || upload->stage == UPLOAD_STAGE_REASON ||
                   upload->stage == UPLOAD_STAGE_LIST || upload->stage == UPLOAD_STAGE_CHECK_KEY ||
                   upload->stage == UPLOAD_STAGE_CONFIRM;

    switch (result->outcome) {
    case S3_SIGN_AGAIN:
        return true;
    case S3_REFUSED:
        if (upload->stage == UPLOAD_STAGE_LIST && !strcmp(result->error.s3_code, "AccessDenied")) {
            upload_report(upload,
                          "ListParts is refused: what the journal says of the parts is believed");
            upload_begin_parts(upload);
            return true;
        }
        upload_fail(upload, &result->error);
        return true;
    case S3_RETRY:
    case S3_SLOW_DOWN:
        if (!looking)
            return false;
        upload_try_again(upload, result, now_ms);
        return true;
    case S3_DONE:
        if (!looking) /* that looking works is no progress: what follows it may fail for ever */
            retry_succeeded(&upload->streak);
        return false;
    default:
        return false;
    }
}

bool upload_take_control_reply(struct upload *upload, struct s3_result *result, uint64_t now_ms,
                               int64_t now, struct error *err)
{
    upload->under_way = false;
    /* Signed again and again, it fails like any other request: with pauses, and an end. */
    if (result->outcome == S3_SIGN_AGAIN && ++upload->signings > MAX_SIGNINGS)
        result->outcome = S3_RETRY;
    if (take_common(upload, result, now_ms))
        return true;
    switch (upload->stage) {
    case UPLOAD_STAGE_PROBE:
    case UPLOAD_STAGE_CHECK_KEY:
    case UPLOAD_STAGE_CONFIRM:
        return upload_take_head(upload, result, now_ms, now, err);
    case UPLOAD_STAGE_REASON:
        return upload_take_reason(upload, result, now_ms, now, err);
    case UPLOAD_STAGE_PUT:
        return upload_take_put(upload, result, now_ms, now, err);
    case UPLOAD_STAGE_CREATE:
        return upload_take_created(upload, result, now_ms, now, err);
    case UPLOAD_STAGE_LIST:
        return upload_take_listed(upload, result, now, err);
    case UPLOAD_STAGE_COMPLETE:
        return upload_take_completed(upload, result, now_ms, now, err);
    default:
        return true; /* it ended meanwhile */
    }
}
