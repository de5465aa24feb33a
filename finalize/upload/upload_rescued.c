/*
 * upload_rescued - the recorder is back, and what the bucket holds of its recording was rescued
 * meanwhile (delivery/rescue.h): an object of this recording that is shorter than its file. The
 * longer one takes its place, under the same key. The object <key>.rescued tells whether the
 * backend knows of it already.
 */
#include "finalize/upload/upload_private.h"

#include "finalize/upload/key.h"

#include <string.h>

/* By its mark, or, where the journal was lost, by its session: the record has to confirm that. */
static bool may_be_rescued(const struct upload *upload, const struct s3_result *result)
{
    const struct journal_file *file = upload->options.file;
    bool ours = !strcmp(result->mark, file->mark);

    return file->media && result->mark[0] &&
           (upload->stage == UPLOAD_STAGE_PROBE || upload->stage == UPLOAD_STAGE_CHECK_KEY) &&
           (result->size_bytes < file->object_bytes || (ours && upload->options.growing)) &&
           (ours || (result->same_session && file->phase == JOURNAL_PHASE_NONE));
}

static bool go_on(struct upload *upload)
{
    return upload->stage_after_rescue == UPLOAD_STAGE_CHECK_KEY
               ? upload_go_to(upload, UPLOAD_STAGE_COMPLETE)
               : upload_begin_on_free_key(upload);
}

bool upload_look_for_rescue(struct upload *upload, const struct s3_result *result)
{
    if (!may_be_rescued(upload, result))
        return false;
    upload->stage_after_rescue = upload->stage;
    upload->rescued_bytes = result->size_bytes;
    memcpy(upload->rescued_mark, result->mark, sizeof upload->rescued_mark);
    if (upload->replaces && !strcmp(result->mark, upload->options.file->mark))
        return go_on(upload); /* it is known already */
    return upload_go_to(upload, UPLOAD_STAGE_RESCUE);
}

/* There is no record: the upload that was open was completed by another hand, or the object is no
 * part of this recording. */
static bool take_no_record(struct upload *upload, struct error *err)
{
    const struct journal_file *file = upload->options.file;
    struct s3_result seen = {.outcome = S3_DONE, .size_bytes = upload->rescued_bytes};

    memcpy(seen.mark, upload->rescued_mark, sizeof seen.mark);
    if (file->phase == JOURNAL_PHASE_PUTTING || file->phase == JOURNAL_PHASE_COMPLETING)
        return upload_fail_as_altered(upload, &seen);
    if (file->phase != JOURNAL_PHASE_OPEN)
        return upload_leave_key(upload, err);
    upload->replaces = true;
    return go_on(upload);
}

bool upload_take_record(struct upload *upload, struct s3_result *result, struct error *err)
{
    struct journal_file *file = upload->options.file;
    /* A record of another mark is of an earlier object at this key. */
    bool told = !strcmp(result->mark, upload->rescued_mark);

    if (result->outcome == S3_ASK_REASON)
        return upload_ask_reason(upload);
    if (result->outcome != S3_DONE)
        return take_no_record(upload, err);
    upload_report(upload, told
                              ? "was rescued meanwhile, and the backend was told: this file, which "
                                "is longer, takes the object's place"
                              : "was rescued meanwhile: this file, which is longer, takes the "
                                "object's place");
    upload->replaces = true;
    memcpy(file->mark, upload->rescued_mark, sizeof file->mark);
    if (told)
        file->notice = JOURNAL_NOTICE_ACCEPTED;
    return journal_save_file(upload->options.journal, file, err) && go_on(upload);
}
