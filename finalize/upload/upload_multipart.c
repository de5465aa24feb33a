/*
 * upload_multipart - a multipart upload from its beginning to its end: where to go on on a free
 * key, and the replies of CreateMultipartUpload, ListParts, CompleteMultipartUpload,
 * AbortMultipartUpload and of the search for uploads whose id was never learned.
 */
#include "finalize/upload/upload_private.h"

#include "finalize/journal/journal_schedule.h"
#include "finalize/s3/part.h"
#include "finalize/upload/reconcile.h"

#include <stdio.h>
#include <string.h>

#define MAX_BLIND_COMPLETES 3u /* Completes whose fate neither reply nor HEAD could tell */
#define MAX_COMPLETES       12u
#define MAX_REFUSALS        3u /* of the same parts, before they are sent under another id */
#define MAX_TAKEN_BACK      (2 * MAX_REFUSALS)

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

bool upload_give_up(struct upload *upload, enum resend_reason reason, struct error *err)
{
    struct journal_file *file = upload->options.file;

    if (!report_lost_parts(upload, reason, err) ||
        !journal_add_leftover(upload->options.journal, file->location, file->key, file->upload_id,
                              upload->now, err))
        return false;
    upload->all_held = false;
    file->upload_id[0] = 0;
    return upload_save_without_parts(upload, JOURNAL_PHASE_NONE, err);
}

/* An object that was stored and is not there is sent once more, since that says more of the server
 * than an upload that is gone. */
bool upload_start_afresh(struct upload *upload, enum resend_reason reason, struct error *err)
{
    struct journal_file *file = upload->options.file;

    if (!report_lost_parts(upload, reason, err))
        return false;
    upload->put_again = reason;
    upload->all_held = false;
    upload->blind_completes = 0;
    file->upload_id[0] = 0;
    file->taken_back += reason == RESEND_NOT_THERE ? MAX_REFUSALS : 1;
    if (!upload_save_without_parts(upload, JOURNAL_PHASE_NONE, err))
        return false;
    if (++upload->fresh_starts <= UPLOAD_MAX_FRESH_STARTS && file->taken_back < MAX_TAKEN_BACK)
        return upload_go_to(upload, UPLOAD_STAGE_PROBE);
    error_set(&upload->error, file->taken_back < MAX_TAKEN_BACK ? ERROR_TRANSIENT : ERROR_PERMANENT,
              "the upload of %s had to be begun again too often: %s", file->path,
              resend_text(reason));
    return upload_end(upload);
}

/* ---- where to go on -------------------------------------------------------------------------- */

bool upload_begin_parts(struct upload *upload)
{
    upload_parts_begin(&upload->parts, (unsigned)upload->options.settings->s3_parallel);
    return upload_go_to(upload, UPLOAD_STAGE_PARTS);
}

static bool begin_list(struct upload *upload)
{
    upload->listing = (struct upload_listing){.journal = upload->options.journal,
                                              .resends = &upload->resends,
                                              .file_id = upload->options.file->id};
    return upload_go_to(upload, UPLOAD_STAGE_LIST);
}

/* False, and failed, when the file has more bytes than an object may have. */
static bool fits_one_object(struct upload *upload)
{
    const struct settings *settings = upload->options.settings;
    const struct journal_file *file = upload->options.file;

    if (file->object_bytes > settings->s3_max_object_bytes)
        error_set(&upload->error, ERROR_PERMANENT,
                  "%s has %llu bytes, more than CONFOMEET_S3_MAX_OBJECT_SIZE allows", file->path,
                  (unsigned long long)file->object_bytes);
    else if (part_count((struct part_plan){.base_bytes = settings->s3_part_size_bytes},
                        file->object_bytes) > S3_MAX_PARTS)
        error_set(&upload->error, ERROR_PERMANENT,
                  "%s has %llu bytes: too many for %u parts, CONFOMEET_S3_PART_SIZE is too small",
                  file->path, (unsigned long long)file->object_bytes, S3_MAX_PARTS);
    else
        return true;
    return !upload_end(upload);
}

bool upload_begin_on_free_key(struct upload *upload)
{
    const struct journal_file *file = upload->options.file;

    if (!fits_one_object(upload))
        return true;
    if (file->phase == JOURNAL_PHASE_COMPLETING && upload->all_held &&
        upload->blind_completes < MAX_BLIND_COMPLETES) {
        upload->stage = UPLOAD_STAGE_COMPLETE;
        return true;
    }
    if (file->phase == JOURNAL_PHASE_OPEN || file->phase == JOURNAL_PHASE_COMPLETING)
        return begin_list(upload);
    /* Without upload_go_to(): the tries of a PUT whose fate was unknown go on being counted. */
    upload->put_bytes.whole = false;
    upload->stage = file->object_bytes <= upload->options.settings->s3_part_size_bytes &&
                            !upload->options.growing
                        ? UPLOAD_STAGE_PUT
                        : UPLOAD_STAGE_CREATE;
    return true;
}

static bool begin_again(struct upload *upload, enum resend_reason reason, struct error *err)
{
    upload_go_to(upload, UPLOAD_STAGE_PROBE);
    return upload_give_up(upload, reason, err);
}

/* ---- replies --------------------------------------------------------------------------------- */

bool upload_take_created(struct upload *upload, struct s3_result *result, struct error *err)
{
    struct journal_file *file = upload->options.file;

    if (upload_may_be_done(result)) {
        upload_look_again(upload, UPLOAD_STAGE_PROBE, result);
        return upload_give_up(upload, RESEND_NOT, err);
    }
    if (result->outcome != S3_DONE)
        return upload_try_again(upload, result);
    memcpy(file->upload_id, result->upload_id, sizeof file->upload_id);
    if (!upload_save_without_parts(upload, JOURNAL_PHASE_OPEN, err))
        return false;
    upload->unknown = upload->listed = false;
    return upload_begin_parts(upload);
}

/* The setting was lowered since, and no part of the old size got through: a limit is in its way. */
static bool needs_smaller_parts(const struct upload *upload, bool *ret_needs, struct error *err)
{
    const struct journal_file *file = upload->options.file;
    struct journal_part part = {.number = 0};
    bool found = true;

    *ret_needs = upload->options.settings->s3_part_size_bytes < file->part_plan.base_bytes;
    while (*ret_needs && found) {
        if (!journal_next_part(upload->options.journal, file->id, part.number, &part, &found, err))
            return false;
        *ret_needs = !found || part.length < file->part_plan.base_bytes;
    }
    return true;
}

static bool go_on_with_parts(struct upload *upload, bool listed, struct error *err)
{
    bool smaller;

    if (!needs_smaller_parts(upload, &smaller, err))
        return false;
    if (smaller) {
        upload_report(upload, "begun again with smaller parts, as CONFOMEET_S3_PART_SIZE says now");
        return begin_again(upload, RESEND_NOT, err);
    }
    upload->listed = listed;
    return upload_begin_parts(upload);
}

/* Servers without ListParts (405, 501), keys without the right to it: what else is wrong will be
 * said of the next request, too. */
static bool go_on_without_listing(struct upload *upload, struct error *err)
{
    const struct journal_file *file = upload->options.file;
    struct journal_part beyond;
    bool found;

    if (upload->unknown)
        return upload_start_afresh(upload, RESEND_UPLOAD_GONE, err);
    if (!journal_next_part(upload->options.journal, file->id,
                           part_count(file->part_plan, file->object_bytes), &beyond, &found, err))
        return false;
    if (found || !file->object_bytes)
        return begin_again(upload, RESEND_SHORTER_FILE, err);
    upload_report(upload, "ListParts fails: the journal's list of parts is used");
    return go_on_with_parts(upload, false, err);
}

/* When the patience with ListParts is over the parts are sent: where nothing else works either, the
 * first of them ends it at once. A server that asked for a longer pause is left for later. */
static bool list_again(struct upload *upload, const struct s3_result *result, struct error *err)
{
    upload_try_again(upload, result);
    if (upload->stage != UPLOAD_STAGE_ENDED || upload->unknown || upload->streak.asked_until_ms)
        return true;
    upload->error = (struct error)ERROR_INIT;
    if (!go_on_without_listing(upload, err))
        return false;
    upload->parts.streak = upload->streak;
    return true;
}

bool upload_take_listed(struct upload *upload, struct s3_result *result, struct error *err)
{
    const struct journal_file *file = upload->options.file;
    struct reconcile_file finished = {.plan = file->part_plan, .size_bytes = file->object_bytes};
    unsigned before = upload->listing.compared;

    if (result->outcome == S3_REFUSED)
        return go_on_without_listing(upload, err);
    if (result->outcome == S3_RETRY || result->outcome == S3_SLOW_DOWN)
        return list_again(upload, result, err);
    if (result->outcome != S3_DONE)
        return upload_start_afresh(upload, RESEND_UPLOAD_GONE, err);
    if (!upload_listing_compare(&upload->listing, &result->listing, err))
        return false;
    if (result->listing.truncated && upload->listing.compared > before)
        return upload_go_to(upload, UPLOAD_STAGE_LIST); /* the next page */
    if (!finished.size_bytes || !reconcile_fits(&finished, upload->listing.highest_listed))
        return begin_again(upload, RESEND_SHORTER_FILE, err);
    return go_on_with_parts(upload, true, err);
}

bool upload_write_complete_body(struct upload *upload, struct error *err)
{
    const struct journal_file *file = upload->options.file;
    unsigned count = part_count(file->part_plan, file->object_bytes);
    struct journal_part part = {.number = 0};
    bool found;

    buffer_clear(&upload->complete_body);
    s3_xml_begin_complete(&upload->complete_body);
    for (unsigned number = 1; number <= count; number++) {
        if (!journal_next_part(upload->options.journal, file->id, part.number, &part, &found, err))
            return false;
        if (!found || part.number != number) {
            error_set(&upload->error, ERROR_TRANSIENT, "part %u of %s is not in the journal",
                      number, file->key);
            return upload_end(upload);
        }
        s3_xml_add_part(&upload->complete_body, number, part.etag);
    }
    s3_xml_end_complete(&upload->complete_body);
    if (!upload->complete_body.failed)
        return true;
    error_set(&upload->error, ERROR_TRANSIENT, "no memory to complete %s", file->key);
    return upload_end(upload);
}

/*
 * The server acknowledged every part and refuses to complete the upload with them. They are listed,
 * compared and completed again a few times, then sent once under another upload id; the count is in
 * the journal, so that the next run goes on with it.
 */
static bool take_refused_parts(struct upload *upload, const struct s3_result *result,
                               struct error *err)
{
    struct journal_file *file = upload->options.file;
    bool repaired = upload->listed && upload->parts.acknowledged;

    upload->all_held = false;
    file->taken_back += !repaired;
    if (file->taken_back == MAX_REFUSALS)
        return begin_again(upload, RESEND_PARTS_REFUSED, err);
    if (file->taken_back >= MAX_TAKEN_BACK) {
        error_set(&upload->error, ERROR_PERMANENT,
                  "the server acknowledged every part of %s, but refuses to complete the upload "
                  "with them, also under a second upload id: %s",
                  file->key, result->error.text);
        memcpy(upload->error.s3_code, result->error.s3_code, sizeof upload->error.s3_code);
        upload_end(upload);
    } else if (++upload->completes >= MAX_COMPLETES) {
        upload_fail(upload, &result->error);
    } else {
        upload->tries = upload->completes;
        upload_look_again(upload, UPLOAD_STAGE_PROBE, result);
    }
    return journal_save_file(upload->options.journal, file, err);
}

bool upload_take_completed(struct upload *upload, struct s3_result *result, struct error *err)
{
    switch (result->outcome) {
    case S3_DONE:
        upload->missing_confirms = 0;
        return upload_go_to(upload, UPLOAD_STAGE_CONFIRM);
    case S3_KEY_TAKEN: /* so it was not completed */
        upload_go_to(upload, UPLOAD_STAGE_PROBE);
        return upload_save_phase(upload, JOURNAL_PHASE_OPEN, err);
    case S3_BAD_PART:
        return take_refused_parts(upload, result, err);
    case S3_NO_SUCH_UPLOAD: /* gone, or it was done and the reply was lost: HEAD decides */
        upload->all_held = false;
        upload->unknown = true;
        break;
    case S3_SLOW_DOWN: /* refused, so not done */
        return upload_try_again(upload, result);
    default: /* S3_RETRY: HEAD decides */
        upload->blind_completes += result->sent;
        break;
    }
    if (++upload->completes >= MAX_COMPLETES)
        return upload_fail(upload, &result->error);
    upload->tries = upload->completes; /* the pauses get longer, whatever succeeds in between */
    return upload_look_again(upload, UPLOAD_STAGE_PROBE, result);
}
