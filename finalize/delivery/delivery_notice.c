/*
 * delivery_notice - the second half of a delivery: the backend is told of a media file, and the
 * file becomes safe.
 */
#include "finalize/delivery/delivery_private.h"

#include "finalize/notify/notice.h"
#include "finalize/s3/s3_location.h"
#include "finalize/session/file_name.h"

#include <stdio.h>

static bool become_safe(struct delivery *delivery, int64_t now, struct error *err)
{
    delivery->file.state = JOURNAL_FILE_SAFE;
    delivery->file.safe_at = now;
    delivery->file.last_error[0] = 0;
    if (!journal_save_file(delivery->options.journal, &delivery->file, err))
        return false;
    delivery->ended = true;
    return true;
}

static bool refuse_notice(struct delivery *delivery, enum journal_notice notice,
                          const struct error *error, struct error *err)
{
    delivery->file.notice = notice;
    snprintf(delivery->file.last_error, sizeof delivery->file.last_error, "%s", error->text);
    delivery_end_with(delivery, error);
    return journal_save_file(delivery->options.journal, &delivery->file, err);
}

static bool build_notice(struct delivery *delivery, int32_t meeting_id,
                         struct delivery_step *ret_step, struct error *err)
{
    const char *location = delivery->file.location;
    struct notice notice = {
        .meeting_id = meeting_id,
        .file_name = file_name_of(delivery->file.path),
        .file_size = delivery->file.object_bytes,
        .bucket = *location ? s3_location_bucket(location) : delivery->options.settings->s3_bucket,
        .key = delivery->file.key,
        .mark = delivery->file.mark,
    };

    return notice_build(delivery->options.settings, &notice, &ret_step->request, err);
}

/* The meeting id in the name comes first; the one that a person gave is for names that have
 * none. */
static bool find_meeting_id(const struct delivery *delivery, int32_t *ret_meeting_id)
{
    if (file_name_meeting_id(file_name_of(delivery->file.path), ret_meeting_id))
        return true;
    *ret_meeting_id = delivery->options.meeting_id;
    return delivery->options.meeting_id > 0;
}

/* History is best effort, but in a damaged one an acceptance could not be written down any more:
 * that has to be known before the notice is sent. */
static bool note_sending(const struct delivery *delivery, int64_t now, struct error *err)
{
    struct error failure = ERROR_INIT;

    if (journal_add_history(delivery->options.journal, delivery->file.recording_id,
                            delivery->file.id, now, "the notice is sent to the backend",
                            &failure) ||
        failure.kind != ERROR_DAMAGED)
        return true;
    *err = failure;
    return false;
}

bool delivery_next_notice_step(struct delivery *delivery, bool may_send, uint64_t now_ms,
                               int64_t now, struct delivery_step *ret_step, struct error *err)
{
    struct error error = ERROR_INIT;
    int32_t meeting_id;

    if (!delivery->file.media || !delivery->options.settings->notice ||
        delivery->file.notice == JOURNAL_NOTICE_ACCEPTED) {
        ret_step->kind = UPLOAD_STEP_END;
        return become_safe(delivery, now, err);
    }
    if (!find_meeting_id(delivery, &meeting_id)) {
        error_set(
            &error, ERROR_PERMANENT,
            "%s is in the bucket, but its name does not begin with a meeting id and \"_\": the "
            "backend cannot be told",
            delivery->file.path);
        ret_step->kind = UPLOAD_STEP_END;
        return refuse_notice(delivery, JOURNAL_NOTICE_REFUSED, &error, err);
    }
    if (delivery->file.notice == JOURNAL_NOTICE_UNCLEAR && delivery->options.unattended) {
        error_set(
            &error, ERROR_PERMANENT,
            "the backend answered the notice of %s with success, but with no row's id: it may "
            "have recorded it or not, so the notice is repeated only when you call it again",
            delivery->file.path);
        error.from_backend = true;
        ret_step->kind = UPLOAD_STEP_END;
        return refuse_notice(delivery, JOURNAL_NOTICE_UNCLEAR, &error, err);
    }
    if (delivery->notice_under_way)
        return true;
    if (delivery->notice_not_before_ms > now_ms) {
        ret_step->kind = UPLOAD_STEP_PAUSE;
        ret_step->until_ms = delivery->notice_not_before_ms;
        return true;
    }
    if (!may_send)
        return true;
    if (!build_notice(delivery, meeting_id, ret_step, err))
        return false;
    delivery->file.notice =
        JOURNAL_NOTICE_SENT; /* its fate is unknown from here on, until there is a reply */
    if (!journal_save_file(delivery->options.journal, &delivery->file, err) ||
        !note_sending(delivery, now, err)) {
        http_request_done(&ret_step->request);
        return false;
    }
    delivery->notice_under_way = true;
    ret_step->kind = UPLOAD_STEP_REQUEST;
    ret_step->slot = DELIVERY_NOTICE_SLOT;
    return true;
}

bool delivery_take_notice_reply(struct delivery *delivery, const struct http_reply *reply,
                                uint64_t now_ms, int64_t now, struct error *err)
{
    const struct settings *settings = delivery->options.settings;
    struct notice_result result;

    delivery->notice_under_way = false;
    notice_read(settings, file_name_of(delivery->file.path), reply, &result);
    stats_add(delivery->options.stats, STATS_NOTICES, result.outcome, 0, 1);
    switch (result.outcome) {
    case NOTICE_ACCEPTED:
        delivery->file.notice = JOURNAL_NOTICE_ACCEPTED;
        delivery->file.backend_row = result.backend_row;
        if (!become_safe(delivery, now, err))
            return false;
        delivery->options.event(delivery->options.context, DELIVERY_NOTIFIED, &delivery->file, "",
                                NULL);
        return true;
    case NOTICE_RETRY:
        delivery->notice_tries++;
        stats_add(delivery->options.stats, STATS_RETRIES, STATS_TARGET_BACKEND,
                  stats_reason_of(&result.error), 1);
        if (!retry_goes_on(
                &delivery->notice_streak,
                &(struct retry_failure){delivery->notice_tries, result.retry_after_ms, now_ms},
                settings->s3_retry_for_ms, delivery->options.rng,
                &delivery->notice_not_before_ms)) {
            delivery_note_asked(delivery, delivery->notice_streak.asked_until_ms, now_ms, now);
            delivery_end_with(delivery, &result.error);
            return true;
        }
        delivery->options.event(delivery->options.context, DELIVERY_RETRY, &delivery->file, "",
                                &result.error);
        return true;
    case NOTICE_REFUSED:
        return refuse_notice(delivery,
                             result.may_be_taken ? JOURNAL_NOTICE_UNCLEAR : JOURNAL_NOTICE_REFUSED,
                             &result.error, err);
    }
    return true;
}
