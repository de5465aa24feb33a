/*
 * upload_multipart - a multipart upload from its beginning to its end: where to go on on a free
 * key, and the replies of CreateMultipartUpload, ListParts, CompleteMultipartUpload,
 * AbortMultipartUpload and of the search for uploads whose id was never learned.
 */
#include "finalize/upload/upload_private.h"

#include "finalize/upload/part.h"
#include "finalize/upload/reconcile.h"

#include <stdio.h>
#include <string.h>

#define MAX_FRESH_STARTS    3u /* of one run: an upload that keeps vanishing is left for later */
#define MAX_BLIND_COMPLETES 3u /* Completes whose fate neither reply nor HEAD could tell */
#define MAX_COMPLETES       12u

/* ---- beginning again ------------------------------------------------------------------------- */

/* What was acknowledged of the upload is to be sent again, under another id. */
static bool report_lost_parts(struct upload *upload, enum resend_reason reason, struct error *err)
{
    const struct journal_file *file = upload->options.file;
    struct journal_part part = {.number = 0};
    char sentence[RESEND_SENTENCE_SIZE];
    bool found = true;

    if (reason == RESEND_NOT)
        return true;
    while (found) {
        if (!journal_next_part(upload->options.journal, file->id, part.number, &part, &found, err))
            return false;
        if (found)
            resend_add(&upload->resends, reason, part.length);
    }
    if (upload_report_resends(upload))
        return true;
    snprintf(sentence, sizeof sentence, "the upload is begun again: %s", resend_text(reason));
    upload_report(upload, sentence);
    return true;
}

bool upload_abort(struct upload *upload, enum resend_reason reason, int64_t now, struct error *err)
{
    upload_go_to(upload, UPLOAD_STAGE_ABORT);
    return report_lost_parts(upload, reason, err) &&
           upload_save_phase(upload, JOURNAL_PHASE_ABORTING, now, err);
}

bool upload_start_afresh(struct upload *upload, enum resend_reason reason, int64_t now,
                         struct error *err)
{
    struct journal_file *file = upload->options.file;
    struct error error = ERROR_INIT;

    if (!report_lost_parts(upload, reason, err))
        return false;
    if (++upload->fresh_starts > MAX_FRESH_STARTS) {
        error_set(&error, ERROR_TRANSIENT, "the upload of %s had to be begun again %u times: %s",
                  file->path, upload->fresh_starts, resend_text(reason));
        upload_fail(upload, &error);
        return true;
    }
    upload->put_again = reason;
    upload->all_held = false;
    upload->blind_completes = 0;
    file->upload_id[0] = 0;
    if (!upload_save_without_parts(upload, JOURNAL_PHASE_NONE, now, err))
        return false;
    upload_go_to(upload, UPLOAD_STAGE_PROBE);
    return true;
}

/* ---- where to go on -------------------------------------------------------------------------- */

void upload_begin_parts(struct upload *upload)
{
    upload_parts_begin(&upload->parts, (unsigned)upload->options.settings->s3_parallel);
    upload_go_to(upload, UPLOAD_STAGE_PARTS);
}

void upload_begin_strays(struct upload *upload)
{
    upload_strays_begin(&upload->strays, upload->options.file->key);
    upload->stage = UPLOAD_STAGE_STRAYS;
}

static void begin_list(struct upload *upload)
{
    upload->listing = (struct upload_listing){.journal = upload->options.journal,
                                              .resends = &upload->resends,
                                              .file_id = upload->options.file->id};
    upload_go_to(upload, UPLOAD_STAGE_LIST);
}

/* False, and failed, when the file has more bytes than an object may have. */
static bool fits_one_object(struct upload *upload)
{
    const struct settings *settings = upload->options.settings;
    const struct journal_file *file = upload->options.file;
    struct error error = ERROR_INIT;

    if (file->object_bytes > settings->s3_max_object_bytes)
        error_set(&error, ERROR_PERMANENT,
                  "%s has %llu bytes, more than CONFOMEET_S3_MAX_OBJECT_SIZE allows", file->path,
                  (unsigned long long)file->object_bytes);
    else if (part_count(settings->s3_part_size_bytes, file->object_bytes) > S3_MAX_PARTS)
        error_set(&error, ERROR_PERMANENT,
                  "%s has %llu bytes: too many for %u parts, CONFOMEET_S3_PART_SIZE is too small",
                  file->path, (unsigned long long)file->object_bytes, S3_MAX_PARTS);
    if (error.kind == ERROR_NONE)
        return true;
    upload_fail(upload, &error);
    return false;
}

void upload_begin_on_free_key(struct upload *upload)
{
    const struct journal_file *file = upload->options.file;

    if (!fits_one_object(upload))
        return;
    switch (file->phase) {
    case JOURNAL_PHASE_CREATING:
        upload_begin_strays(upload);
        break;
    case JOURNAL_PHASE_OPEN:
        begin_list(upload);
        break;
    case JOURNAL_PHASE_COMPLETING:
        if (upload->all_held && upload->blind_completes < MAX_BLIND_COMPLETES)
            upload->stage = UPLOAD_STAGE_COMPLETE;
        else
            begin_list(upload);
        break;
    default: /* without upload_go_to(): the tries of a PUT whose fate was unknown go on being
                counted */
        upload->put_bytes.whole = false;
        upload->stage = file->object_bytes <= upload->options.settings->s3_part_size_bytes &&
                                !upload->options.growing
                            ? UPLOAD_STAGE_PUT
                            : UPLOAD_STAGE_CREATE;
        break;
    }
}

/* ---- replies --------------------------------------------------------------------------------- */

bool upload_take_created(struct upload *upload, const struct s3_result *result, uint64_t now_ms,
                         int64_t now, struct error *err)
{
    struct journal_file *file = upload->options.file;

    if (upload_may_be_done(result)) {
        upload_strays_begin(&upload->strays, file->key);
        upload_look_again(upload, UPLOAD_STAGE_STRAYS, result, now_ms);
        return true;
    }
    if (result->outcome != S3_DONE) {
        upload_try_again(upload, result, now_ms);
        return true;
    }
    memcpy(file->upload_id, result->upload_id, sizeof file->upload_id);
    if (!upload_save_without_parts(upload, JOURNAL_PHASE_OPEN, now, err))
        return false;
    upload_begin_parts(upload);
    return true;
}

bool upload_take_listed(struct upload *upload, const struct s3_result *result, int64_t now,
                        struct error *err)
{
    const struct journal_file *file = upload->options.file;
    struct reconcile_file finished = {.base_bytes = file->part_size_bytes,
                                      .size_bytes = file->object_bytes};
    unsigned before = upload->listing.compared;

    if (result->outcome != S3_DONE)
        return upload_start_afresh(upload, RESEND_UPLOAD_GONE, now, err);
    if (!upload_listing_compare(&upload->listing, &result->listing, err))
        return false;
    if (result->listing.truncated && upload->listing.compared > before) {
        upload_go_to(upload, UPLOAD_STAGE_LIST); /* the next page */
        return true;
    }
    if (!finished.size_bytes || !reconcile_fits(&finished, upload->listing.highest_listed))
        return upload_abort(upload, RESEND_SHORTER_FILE, now, err);
    upload_begin_parts(upload);
    return true;
}

void upload_take_completed(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    switch (result->outcome) {
    case S3_DONE:
        upload->missing_confirms = 0;
        upload_go_to(upload, UPLOAD_STAGE_CONFIRM);
        return;
    case S3_KEY_TAKEN:
        upload_go_to(upload, UPLOAD_STAGE_PROBE);
        return;
    case S3_BAD_PART:       /* what the bucket holds is not what we believe: list, compare, send */
    case S3_NO_SUCH_UPLOAD: /* or it was done already, and the reply was lost: HEAD decides */
        upload->all_held = false;
        break;
    case S3_SLOW_DOWN: /* refused, so not done */
        upload_try_again(upload, result, now_ms);
        return;
    default: /* S3_RETRY: HEAD decides */
        upload->blind_completes += result->sent;
        break;
    }
    if (++upload->completes >= MAX_COMPLETES) {
        upload_fail(upload, &result->error);
        return;
    }
    upload->tries = upload->completes; /* the pauses get longer, whatever succeeds in between */
    upload_look_again(upload, UPLOAD_STAGE_PROBE, result, now_ms);
}

bool upload_take_aborted(struct upload *upload, const struct s3_result *result, uint64_t now_ms,
                         int64_t now, struct error *err)
{
    if (result->outcome == S3_RETRY || result->outcome == S3_SLOW_DOWN) {
        upload_try_again(upload, result, now_ms);
        return true;
    }
    if (result->outcome == S3_REFUSED)
        upload_report(upload,
                      "the unfinished upload could not be aborted: its parts stay in the bucket "
                      "until a lifecycle rule removes them");
    upload->options.file->upload_id[0] = 0;
    upload->all_held = false;
    if (!upload_save_without_parts(upload, JOURNAL_PHASE_NONE, now, err))
        return false;
    upload_go_to(upload, UPLOAD_STAGE_PROBE);
    return true;
}

bool upload_take_strays(struct upload *upload, struct s3_result *result, int64_t now,
                        struct error *err)
{
    if (upload_strays_take_reply(&upload->strays, result))
        return true; /* there is more to do */
    /* Without upload_go_to(): the tries of a Create whose fate was unknown go on being counted. */
    upload->stage = UPLOAD_STAGE_PROBE;
    return upload_save_phase(upload, JOURNAL_PHASE_NONE, now, err);
}
