#include "finalize/upload/upload_private.h"

#include "finalize/s3/part.h"
#include "finalize/s3/s3_location.h"
#include "finalize/upload/key.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_SLOT     0u
#define COMPLETE_CEILING (2u * 1024 * 1024) /* 10,000 parts take 1.4 MiB */

/* ---- small moves ---------------------------------------------------------------------------- */

bool upload_go_to(struct upload *upload, enum upload_stage stage)
{
    upload->stage = stage;
    upload->tries = upload->signings = 0;
    upload->not_before_ms = 0;
    return true;
}

bool upload_end(struct upload *upload)
{
    upload->stage = UPLOAD_STAGE_ENDED;
    return true;
}

bool upload_fail(struct upload *upload, const struct error *error)
{
    upload->error = *error;
    error_set(&upload->error, ERROR_TRANSIENT,
              "the server's replies about %s contradict each other", upload->options.file->key);
    return upload_end(upload);
}

void upload_report(const struct upload *upload, const char *sentence)
{
    upload->options.report(upload->options.context, sentence);
}

bool upload_report_resends(struct upload *upload)
{
    char sentence[RESEND_SENTENCE_SIZE];
    bool any = false;

    for (; resend_take_sentence(&upload->resends, sentence); any = true)
        upload_report(upload, sentence);
    return any;
}

bool upload_save_phase(struct upload *upload, enum journal_phase phase, struct error *err)
{
    upload->options.file->phase = phase;
    upload->options.file->phase_at = upload->now;
    return journal_save_file(upload->options.journal, upload->options.file, err);
}

bool upload_save_without_parts(struct upload *upload, enum journal_phase phase, struct error *err)
{
    struct journal *journal = upload->options.journal;

    if (!journal_begin(journal, err))
        return false;
    if (journal_forget_parts(journal, upload->options.file->id, err) &&
        upload_save_phase(upload, phase, err) && journal_commit(journal, err))
        return true;
    journal_rollback(journal);
    return false;
}

bool upload_end_if_changed(struct upload *upload)
{
    if (upload->options.unchanged(upload->options.context))
        return false;
    error_set(&upload->error, ERROR_CHANGED, "%s changed while it was uploaded",
              upload->options.file->path);
    return upload_end(upload);
}

/* ---- opening and closing -------------------------------------------------------------------- */

bool upload_open(const struct upload_options *options, struct upload **ret_upload,
                 struct error *err)
{
    struct upload *upload = calloc(1, sizeof *upload);

    if (!upload)
        return error_set(err, ERROR_TRANSIENT, "no memory to upload %s", options->file->path);
    upload->options = *options;
    if (options->file->phase == JOURNAL_PHASE_PUTTING)
        upload->put_again = RESEND_UNACKNOWLEDGED;
    upload->metadata = (struct s3_object_metadata){
        .mark = options->file->mark,
        .session_id = options->session_id,
        .instance_id = options->settings->instance_id,
        .incomplete = options->file->incomplete,
    };
    upload->parts.journal = options->journal;
    upload->parts.file = options->file;
    upload->parts.rng = options->rng;
    upload->parts.stats = options->stats;
    upload->parts.resends = &upload->resends;
    upload->parts.fd = options->fd;
    upload->parts.content_md5 = options->settings->s3_content_md5;
    upload->parts.patience_ms = options->settings->s3_retry_for_ms;
    upload->parts.growing = options->growing;
    upload->parts.fragmented = options->fragmented;
    buffer_init(&upload->complete_body, COMPLETE_CEILING);
    /* Whether the bucket still has what the journal says of it is found out at the end. */
    if (options->growing && options->file->phase == JOURNAL_PHASE_OPEN)
        upload_begin_parts(upload);
    *ret_upload = upload;
    return true;
}

void upload_close(struct upload *upload)
{
    if (!upload)
        return;
    (void)upload_report_resends(upload);
    free(upload->adopt);
    buffer_done(&upload->complete_body);
    free(upload);
}

/* ---- what came of a step ------------------------------------------------------------------ */

bool upload_take_reply(struct upload *upload, unsigned slot, struct s3_result *result,
                       uint64_t now_ms, int64_t now, struct error *err)
{
    if (slot != CONTROL_SLOT)
        return upload_parts_take_reply(&upload->parts, slot, result, now_ms, now, err);
    upload->now_ms = now_ms;
    upload->now = now;
    return upload_take_control_reply(upload, result, err);
}

bool upload_take_bytes(struct upload *upload, unsigned slot, const struct hasher_result *result,
                       struct error *err)
{
    if (slot != CONTROL_SLOT)
        return upload_parts_take_bytes(&upload->parts, slot, result, err);
    upload->under_way = false;
    if (upload->stage == UPLOAD_STAGE_ADOPT)
        return upload_take_adopted(upload, result, err);
    if (upload->stage != UPLOAD_STAGE_PUT)
        return true; /* it ended meanwhile */
    upload->put_bytes = *result;
    if (result->whole)
        return true;
    if (result->read_errno)
        error_set_errno(&upload->error, ERROR_PERMANENT, result->read_errno, "cannot read %s",
                        upload->options.file->path);
    else
        error_set(&upload->error, ERROR_CHANGED, "%s became shorter while it was read",
                  upload->options.file->path);
    return upload_end(upload);
}

/* ---- what to do next ------------------------------------------------------------------------ */

static struct s3_call call_of(const struct upload *upload, enum s3_operation operation)
{
    const struct journal_file *file = upload->options.file;

    return (struct s3_call){
        .operation = operation,
        .location = file->location,
        .key = file->key,
        .upload_id = file->upload_id,
        .content_type = upload->options.content_type,
        .metadata = &upload->metadata,
        .replaces = upload->replaces,
        .fd = -1,
    };
}

/* A key that leaves no room for the record's ends the upload. */
static bool name_record(struct upload *upload, struct s3_call *call)
{
    call->key = upload->record_key;
    return key_of_rescue(upload->options.file->key, upload->record_key, &upload->error) ||
           upload_end(upload);
}

static void ask_to_read(const struct upload *upload, struct upload_step *ret_step)
{
    ret_step->kind = UPLOAD_STEP_READ;
    if (upload->stage == UPLOAD_STAGE_ADOPT) {
        ret_step->read.wants = HASHER_WANTS_MD5;
        (void)upload_adopt_next(upload->adopt, &ret_step->read.offset, &ret_step->read.length);
        return;
    }
    ret_step->read.length = upload->options.file->object_bytes;
    ret_step->read.wants = HASHER_WANTS_SHA256;
    if (upload->options.settings->s3_content_md5)
        ret_step->read.wants |= HASHER_WANTS_MD5;
}

/* Writes to the journal what must be known of a request before it is sent, and fills in its call.
 */
static bool prepare_request(struct upload *upload, struct s3_call *ret_call, struct error *err)
{
    struct journal_file *file = upload->options.file;

    switch (upload->stage) {
    case UPLOAD_STAGE_PROBE:
    case UPLOAD_STAGE_CHECK_KEY:
    case UPLOAD_STAGE_CONFIRM:
        *ret_call = call_of(upload, S3_HEAD_OBJECT);
        return true;
    case UPLOAD_STAGE_REASON:
        *ret_call = call_of(upload, S3_GET_RANGE);
        return upload->stage_after_reason != UPLOAD_STAGE_RESCUE || name_record(upload, ret_call);
    case UPLOAD_STAGE_RESCUE:
        *ret_call = call_of(upload, S3_HEAD_OBJECT);
        return name_record(upload, ret_call);
    case UPLOAD_STAGE_PUT:
        *ret_call = call_of(upload, S3_PUT_OBJECT);
        ret_call->upload_id = NULL;
        ret_call->fd = upload->options.fd;
        ret_call->length = file->object_bytes;
        ret_call->payload_sha256 = upload->put_bytes.sha256_hex;
        if (upload->put_bytes.md5_base64[0]) /* the settings want it, and OpenSSL has it */
            ret_call->content_md5 = upload->put_bytes.md5_base64;
        resend_add(&upload->resends, upload->put_again, file->object_bytes);
        return upload_end_if_changed(upload) ||
               upload_save_phase(upload, JOURNAL_PHASE_PUTTING, err);
    case UPLOAD_STAGE_CREATE:
        *ret_call = call_of(upload, S3_CREATE_UPLOAD);
        file->part_plan =
            (struct part_plan){.base_bytes = upload->options.settings->s3_part_size_bytes};
        upload->metadata.part_size_bytes = file->part_plan.base_bytes;
        return upload_save_phase(upload, JOURNAL_PHASE_CREATING, err);
    case UPLOAD_STAGE_LIST:
        *ret_call = call_of(upload, S3_LIST_PARTS);
        ret_call->part_number_marker = upload->listing.compared;
        return true;
    case UPLOAD_STAGE_COMPLETE:
        *ret_call = call_of(upload, S3_COMPLETE_UPLOAD);
        ret_call->body = &upload->complete_body;
        if (upload_end_if_changed(upload))
            return true;
        return upload_write_complete_body(upload, err) &&
               (upload->stage == UPLOAD_STAGE_ENDED ||
                upload_save_phase(upload, JOURNAL_PHASE_COMPLETING, err));
    default:
        assert(0 && "a stage without a request");
        return true;
    }
}

static bool next_control_step(struct upload *upload, bool may_send, struct upload_step *ret_step,
                              struct error *err)
{
    struct s3_call call = {.fd = -1};

    if (upload->under_way)
        return true;
    if (upload->not_before_ms > upload->now_ms) {
        ret_step->kind = UPLOAD_STEP_PAUSE;
        ret_step->until_ms = upload->not_before_ms;
        return true;
    }
    if (upload->stage == UPLOAD_STAGE_ADOPT ||
        (upload->stage == UPLOAD_STAGE_PUT && !upload->put_bytes.whole)) {
        upload->under_way = true;
        ask_to_read(upload, ret_step);
        return true;
    }
    if (!may_send)
        return true;
    if (!prepare_request(upload, &call, err))
        return false;
    if (upload->stage == UPLOAD_STAGE_ENDED) {
        ret_step->kind = UPLOAD_STEP_END;
        return true;
    }
    upload->under_way = true;
    ret_step->kind = UPLOAD_STEP_REQUEST;
    ret_step->call = call;
    return true;
}

/* Goes on when the walk over the parts has ended, one way or another. */
static bool leave_parts(struct upload *upload, struct error *err)
{
    const struct upload_parts *parts = &upload->parts;

    if (parts->gone) /* the requests under way get the same answer */
        return parts->busy || upload_start_afresh(upload, RESEND_UPLOAD_GONE, err);
    if (parts->error.kind != ERROR_NONE) {
        upload_fail(upload, &parts->error);
    } else if (parts->all_held) {
        upload->all_held = true;
        upload_go_to(upload, upload->options.growing ? UPLOAD_STAGE_ENDED : UPLOAD_STAGE_CHECK_KEY);
    }
    return true;
}

/* By an earlier run that ended before it could note that, or did not learn the upload's id. */
static bool was_given_up(const struct journal_file *file)
{
    return file->phase == JOURNAL_PHASE_CREATING || file->phase == JOURNAL_PHASE_ABORTING;
}

/* What was sent to another bucket than the settings name now stays there; it is sent again. */
static bool take_location(struct upload *upload, struct error *err)
{
    struct journal_file *file = upload->options.file;
    bool was_sent = file->phase != JOURNAL_PHASE_NONE || file->state != JOURNAL_FILE_PENDING;
    char location[S3_LOCATION_SIZE];

    s3_location_write(upload->options.settings, location);
    upload->located = true;
    if (file->location[0] && strcmp(file->location, location) != 0 && was_sent) {
        if (file->upload_id[0] ? !upload_give_up(upload, RESEND_OTHER_BUCKET, err)
                               : was_given_up(file) && !upload_give_up(upload, RESEND_NOT, err))
            return false;
        upload->put_again = file->phase == JOURNAL_PHASE_PUTTING ? RESEND_OTHER_BUCKET : RESEND_NOT;
        upload->moved = true;
        file->taken_back = 0;
        file->phase = JOURNAL_PHASE_NONE;
        upload_go_to(upload, UPLOAD_STAGE_PROBE);
    }
    memcpy(file->location, location, sizeof location);
    return true;
}

bool upload_next(struct upload *upload, bool may_send, uint64_t now_ms, int64_t now,
                 struct upload_step *ret_step, struct error *err)
{
    upload->now_ms = now_ms;
    upload->now = now;
    *ret_step = (struct upload_step){.kind = UPLOAD_STEP_NONE, .slot = CONTROL_SLOT};
    if (!upload->located && !upload->options.only_look && !take_location(upload, err))
        return false;
    if (!upload->options.file->key[0] && upload->stage != UPLOAD_STAGE_ENDED &&
        !upload_choose_key(upload, err))
        return false;
    if (upload->stage == UPLOAD_STAGE_PROBE && was_given_up(upload->options.file) &&
        !upload_give_up(upload, RESEND_NOT, err))
        return false;
    if (upload->stage == UPLOAD_STAGE_PARTS) {
        if (!upload_parts_next(&upload->parts, may_send, now_ms, ret_step, err) ||
            !leave_parts(upload, err))
            return false;
        if (upload->stage == UPLOAD_STAGE_PARTS)
            return true;
        *ret_step = (struct upload_step){.kind = UPLOAD_STEP_NONE, .slot = CONTROL_SLOT};
    }
    if (upload->stage == UPLOAD_STAGE_ENDED) {
        ret_step->kind = UPLOAD_STEP_END;
        return true;
    }
    return next_control_step(upload, may_send, ret_step, err);
}

const struct error *upload_error(const struct upload *upload)
{
    return upload->error.kind == ERROR_NONE ? NULL : &upload->error;
}

uint64_t upload_asked_until_ms(const struct upload *upload)
{
    uint64_t of_parts_ms = upload->parts.streak.asked_until_ms;

    return of_parts_ms ? of_parts_ms : upload->streak.asked_until_ms;
}

void upload_progress(const struct upload *upload, uint64_t *ret_held, uint64_t *ret_kept)
{
    bool uploaded = upload->stage == UPLOAD_STAGE_ENDED && upload->error.kind == ERROR_NONE &&
                    !upload->options.growing;

    *ret_kept = upload->parts.bytes_kept;
    *ret_held = uploaded ? upload->options.file->object_bytes : upload->parts.bytes_held;
}
