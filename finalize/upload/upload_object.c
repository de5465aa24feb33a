/*
 * upload_object - what the bucket says of the object: HeadObject's replies (is the key free, is the
 * object ours, is it there), GetObject's where HEAD was refused, and PutObject's.
 */
#include "finalize/upload/upload_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MISSING_CONFIRMS 7u /* HEADs, within some 13 s, that do not see what was stored */

static bool is_ours(const struct upload *upload, const struct s3_result *result)
{
    const struct journal_file *file = upload->options.file;

    return !strcmp(result->mark, file->mark) && result->size_bytes == file->object_bytes;
}

/* HEAD saw the object, whole and with our mark: this, and nothing else, makes a file uploaded. */
static bool confirm(struct upload *upload, const struct s3_result *result, struct error *err)
{
    struct journal_file *file = upload->options.file;
    bool left_open = file->upload_id[0] && file->phase != JOURNAL_PHASE_COMPLETING;

    if (upload_end_if_changed(upload))
        return true;
    /* An earlier Complete was done after all, late, while we went on. */
    if (left_open && !upload_give_up(upload, RESEND_NOT, err))
        return false;
    if (file->state != JOURNAL_FILE_UPLOADED)
        file->uploaded_at = upload->now;
    file->state = JOURNAL_FILE_UPLOADED;
    file->upload_id[0] = 0;
    file->taken_back = 0;
    file->last_error[0] = 0;
    memcpy(file->etag, result->etag, sizeof file->etag);
    return upload_save_without_parts(upload, JOURNAL_PHASE_NONE, err) &&
           upload_go_to(upload, UPLOAD_STAGE_ENDED);
}

/* Nothing can be sent: the row says that nothing of it is in the bucket, but for parts. */
static bool end_as_missing(struct upload *upload, struct error *err)
{
    struct journal_file *file = upload->options.file;

    error_set(&upload->error, ERROR_CHANGED, "%s is not in the bucket", file->key);
    upload_end(upload);
    file->state = JOURNAL_FILE_PENDING;
    return upload_save_phase(upload, file->upload_id[0] ? JOURNAL_PHASE_OPEN : JOURNAL_PHASE_NONE,
                             err);
}

/* What an earlier run saw in the bucket is not there any more, or not in this one. */
static void note_missing(struct upload *upload)
{
    struct journal_file *file = upload->options.file;
    char sentence[RESEND_SENTENCE_SIZE];

    if (file->state != JOURNAL_FILE_UPLOADED)
        return;
    file->state = JOURNAL_FILE_PENDING;
    snprintf(sentence, sizeof sentence, JOURNAL_SENT_AGAIN "all of it: %s",
             resend_text(upload->moved ? RESEND_OTHER_BUCKET : RESEND_NOT_THERE_ANY_MORE));
    upload_report(upload, sentence);
}

/*
 * What we stored, or may have, under a key that was free, is there, but not as it was sent: without
 * our mark, or with another size. Another key would fare no better.
 */
static bool is_altered(const struct upload *upload, const struct s3_result *result)
{
    const struct journal_file *file = upload->options.file;

    return (upload->stage == UPLOAD_STAGE_CONFIRM || file->phase == JOURNAL_PHASE_PUTTING ||
            file->phase == JOURNAL_PHASE_COMPLETING) &&
           (!result->mark[0] || !strcmp(result->mark, file->mark));
}

bool upload_fail_as_altered(struct upload *upload, const struct s3_result *result)
{
    const struct journal_file *file = upload->options.file;

    if (!result->mark[0])
        error_set(&upload->error, ERROR_PERMANENT,
                  "%s was stored, but HeadObject shows none of the metadata that was sent: the "
                  "server, or a gateway before it, drops x-amz-meta-* headers",
                  file->key);
    else
        error_set(&upload->error, ERROR_PERMANENT,
                  "%s was stored with %llu bytes, but HeadObject shows %llu: the server, or a "
                  "gateway before it, stores other bytes than were sent",
                  file->key, (unsigned long long)file->object_bytes,
                  (unsigned long long)result->size_bytes);
    return upload_end(upload);
}

/* ---- an object that the journal does not know ------------------------------------------------ */

/* Nothing was sent yet, but the object may be this file: sent before the journal was lost, or
 * before the file was touched or copied. */
static bool may_adopt(struct upload *upload, const struct s3_result *result)
{
    if (upload->stage != UPLOAD_STAGE_PROBE || upload->options.file->phase != JOURNAL_PHASE_NONE)
        return false;
    free(upload->adopt); /* of another key */
    upload->adopt = upload_adopt_begin(result, upload->options.file->object_bytes);
    return upload->adopt && upload_go_to(upload, UPLOAD_STAGE_ADOPT);
}

bool upload_take_adopted(struct upload *upload, const struct hasher_result *bytes,
                         struct error *err)
{
    struct journal_file *file = upload->options.file;
    uint64_t offset, length;

    if (!upload_adopt_take(upload->adopt, bytes))
        return upload_leave_key(upload, err);
    if (upload_adopt_next(upload->adopt, &offset, &length))
        return true;
    if (!upload_adopt_is_same(upload->adopt))
        return upload_leave_key(upload, err);
    upload_report(upload, "the bucket already has this file: it is not sent again");
    memcpy(file->mark, upload->adopt->mark, sizeof file->mark);
    if (!strcmp(file->mark, file->told_mark))
        file->notice = file->told_notice;
    return journal_save_file(upload->options.journal, file, err) &&
           upload_go_to(upload, UPLOAD_STAGE_PROBE); /* which finds the mark to be ours now */
}

/* ---- replies --------------------------------------------------------------------------------- */

bool upload_ask_reason(struct upload *upload)
{
    upload->stage_after_reason = upload->stage;
    upload->stage = UPLOAD_STAGE_REASON; /* without upload_go_to(): its tries are HEAD's */
    return true;
}

bool upload_take_head(struct upload *upload, struct s3_result *result, struct error *err)
{
    if (result->outcome == S3_ASK_REASON)
        return upload_ask_reason(upload);
    if (result->outcome == S3_DONE && is_ours(upload, result))
        return confirm(upload, result, err);
    if (upload->options.only_look)
        return end_as_missing(upload, err);
    note_missing(upload);
    if (result->outcome == S3_DONE && upload_look_for_rescue(upload, result))
        return true;
    if (result->outcome == S3_DONE && is_altered(upload, result))
        return upload_fail_as_altered(upload, result);
    if (result->outcome == S3_DONE)
        return may_adopt(upload, result) || upload_leave_key(upload, err);
    if (upload->stage == UPLOAD_STAGE_PROBE)
        return upload_begin_on_free_key(upload);
    if (upload->stage == UPLOAD_STAGE_CHECK_KEY)
        return upload_go_to(upload, UPLOAD_STAGE_COMPLETE);
    if (++upload->missing_confirms >= MAX_MISSING_CONFIRMS)
        return upload_start_afresh(upload, RESEND_NOT_THERE, err);
    result->error = (struct error)ERROR_INIT; /* a 404 is none of the request's */
    error_set(&result->error, ERROR_TRANSIENT, "%s is not there after it was stored",
              upload->options.file->key);
    return upload_try_again(upload, result);
}

/* GET told what HEAD, whose replies have no body, could not. A refusal has ended the upload
 * already. */
bool upload_take_reason(struct upload *upload, struct s3_result *result, struct error *err)
{
    upload->stage = upload->stage_after_reason;
    if (result->outcome == S3_NO_SUCH_KEY && upload->stage == UPLOAD_STAGE_RESCUE)
        return upload_take_record(upload, result, err);
    if (result->outcome == S3_NO_SUCH_KEY)
        return upload_take_head(upload, result, err);
    error_set(&result->error, ERROR_TRANSIENT, "HeadObject of %s is refused, but GetObject is not",
              upload->options.file->key);
    return upload_try_again(upload, result);
}

bool upload_take_put(struct upload *upload, struct s3_result *result, struct error *err)
{
    if (result->outcome == S3_DONE) {
        upload->missing_confirms = 0;
        return upload_go_to(upload, UPLOAD_STAGE_CONFIRM);
    }
    if (result->outcome == S3_KEY_TAKEN) { /* so this one was not stored */
        upload_go_to(upload, UPLOAD_STAGE_PROBE);
        return upload_save_phase(upload, JOURNAL_PHASE_NONE, err);
    }
    /* HEAD decides, unless it was not done for certain. */
    upload->put_again = resend_reason_of(result);
    return upload_look_again(
        upload, upload_may_be_done(result) ? UPLOAD_STAGE_PROBE : UPLOAD_STAGE_PUT, result);
}
