#include "finalize/upload/upload_private.h"

#include "finalize/upload/part.h"
#include "finalize/upload/reconcile.h"

#include <stdio.h>
#include <string.h>

#define MAX_FRESH_STARTS     3u /* of one run: an upload that keeps vanishing is left for later */
#define MAX_BLIND_COMPLETES  3u /* Completes whose fate neither reply nor HEAD could tell */
#define MAX_COMPLETES        12u
#define MAX_MISSING_CONFIRMS 5u /* HEADs that do not see what was just stored */

/* ---- small moves ---------------------------------------------------------------------------- */

static void report(const struct upload *upload, const char *sentence)
{
    upload->options.report(upload->options.context, sentence);
}

static bool save(struct upload *upload, struct error *err)
{
    return journal_save_file(upload->options.journal, upload->options.file, err);
}

/* As upload_save_phase(), and no part of it any more, in one write: nobody would forget them later.
 */
static bool save_without_parts(struct upload *upload, enum journal_phase phase, int64_t now,
                               struct error *err)
{
    struct journal *journal = upload->options.journal;

    if (!journal_begin(journal, err))
        return false;
    if (journal_forget_parts(journal, upload->options.file->id, err) &&
        upload_save_phase(upload, phase, now, err) && journal_commit(journal, err))
        return true;
    journal_rollback(journal);
    return false;
}

static bool fits_one_put(const struct upload *upload)
{
    return upload->options.file->object_bytes <= upload->options.settings->s3_part_size_bytes;
}

/* Repeats the control request after a pause, or leaves it for now. */
static void try_again(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    const struct settings *settings = upload->options.settings;

    upload->tries++;
    if (!retry_goes_on(&upload->streak, upload->tries, now_ms, settings->s3_retry_for_ms)) {
        upload_fail(upload, &result->error);
        return;
    }
    upload->not_before_ms =
        now_ms + retry_delay_ms(upload->tries, result->retry_after_ms, upload->options.rng);
}

/* As try_again(), for a request whose fate is to be found out before it may be repeated. */
static void look_again(struct upload *upload, enum upload_stage stage,
                       const struct s3_result *result, uint64_t now_ms)
{
    try_again(upload, result, now_ms);
    if (upload->stage != UPLOAD_STAGE_ENDED)
        upload->stage = stage; /* without upload_go_to(): the pauses get longer all the same */
}

/* Gives up the multipart upload; what is to be done then, the next probe tells. */
static bool abort_upload(struct upload *upload, int64_t now, struct error *err)
{
    upload_go_to(upload, UPLOAD_STAGE_ABORT);
    return upload_save_phase(upload, JOURNAL_PHASE_ABORTING, now, err);
}

/* Looks for an upload of this key whose id was never learned; what is to be done then, the next
 * probe tells. */
static void begin_orphans(struct upload *upload)
{
    upload_strays_begin(&upload->strays, upload->options.file->key);
    upload->stage = UPLOAD_STAGE_ORPHANS;
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* The bucket has an object of this key that isn't this recording: it is left alone. */
static bool leave_key(struct upload *upload, int64_t now, struct error *err)
{
    if (upload->options.file->upload_id[0]) /* bound to the key; the next probe tells the same */
        return abort_upload(upload, now, err);
    if (upload->options.file->phase == JOURNAL_PHASE_CREATING) { /* so is one of unknown id */
        begin_orphans(upload);
        return true;
    }
    upload->options.file->phase = JOURNAL_PHASE_NONE;
    return upload_choose_key(upload, err);
}

static bool is_ours(const struct upload *upload, const struct s3_result *result)
{
    const struct journal_file *file = upload->options.file;

    return !strcmp(result->mark, file->mark) && result->size_bytes == file->object_bytes;
}

/* HEAD saw the object, whole and with our mark: this, and nothing else, makes a file uploaded. */
static bool confirm(struct upload *upload, const struct s3_result *result, int64_t now,
                    struct error *err)
{
    struct journal_file *file = upload->options.file;
    bool left_open = file->upload_id[0] && file->phase != JOURNAL_PHASE_COMPLETING;

    if (upload_end_if_changed(upload))
        return true;
    if (left_open) /* an earlier Complete was done after all, late, while we went on */
        return abort_upload(upload, now, err);
    file->state = JOURNAL_FILE_UPLOADED;
    file->uploaded_at = now;
    file->upload_id[0] = 0;
    file->last_error[0] = 0;
    memcpy(file->etag, result->etag, sizeof file->etag);
    if (!save_without_parts(upload, JOURNAL_PHASE_NONE, now, err))
        return false;
    upload_go_to(upload, UPLOAD_STAGE_ENDED);
    return true;
}

/* ---- beginning an upload -------------------------------------------------------------------- */

/* Nothing of this file is in the bucket any more: everything, under a new upload id. */
bool upload_start_afresh(struct upload *upload, const char *why, int64_t now, struct error *err)
{
    struct journal_file *file = upload->options.file;
    struct error error = ERROR_INIT;

    report(upload, why);
    if (++upload->fresh_starts > MAX_FRESH_STARTS) {
        error_set(&error, ERROR_TRANSIENT, "the upload of %s had to be begun anew %u times",
                  file->path, upload->fresh_starts);
        upload_fail(upload, &error);
        return true;
    }
    upload->all_held = false;
    upload->blind_completes = 0;
    file->upload_id[0] = 0;
    if (!save_without_parts(upload, JOURNAL_PHASE_NONE, now, err))
        return false;
    upload_go_to(upload, UPLOAD_STAGE_PROBE);
    return true;
}

void upload_begin_parts(struct upload *upload)
{
    upload_parts_begin(&upload->parts, (unsigned)upload->options.settings->s3_parallel);
    upload_go_to(upload, UPLOAD_STAGE_PARTS);
}

static void begin_list(struct upload *upload)
{
    upload->listing = (struct upload_listing){.journal = upload->options.journal,
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
    else if (part_count(settings->s3_part_size_bytes, file->object_bytes) > PART_MAX_NUMBER)
        error_set(&error, ERROR_PERMANENT,
                  "%s has %llu bytes: too many for %u parts, CONFOMEET_S3_PART_SIZE is too small",
                  file->path, (unsigned long long)file->object_bytes, PART_MAX_NUMBER);
    if (error.kind == ERROR_NONE)
        return true;
    upload_fail(upload, &error);
    return false;
}

/* The key is free: go on from where the journal says that we are. */
static void begin_on_free_key(struct upload *upload)
{
    const struct journal_file *file = upload->options.file;

    if (!fits_one_object(upload))
        return;
    switch (file->phase) {
    case JOURNAL_PHASE_CREATING:
        begin_orphans(upload);
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
        upload->stage = fits_one_put(upload) && !upload->options.growing ? UPLOAD_STAGE_PUT_READ
                                                                         : UPLOAD_STAGE_CREATE;
        break;
    }
}

/* ---- replies, stage by stage ---------------------------------------------------------------- */

/* Nothing was sent yet, but the object may be this file, sent before the journal was lost. */
static bool may_adopt(struct upload *upload, const struct s3_result *result)
{
    if (upload->stage != UPLOAD_STAGE_PROBE || upload->options.file->phase != JOURNAL_PHASE_NONE ||
        upload->adopt)
        return false;
    upload->adopt = upload_adopt_begin(result, upload->options.file->object_bytes);
    if (upload->adopt)
        upload_go_to(upload, UPLOAD_STAGE_ADOPT);
    return upload->adopt != NULL;
}

bool upload_take_adopted(struct upload *upload, const struct hasher_result *bytes,
                         struct error *err)
{
    uint64_t offset, length;

    if (!upload_adopt_take(upload->adopt, bytes))
        return leave_key(upload, 0, err);
    if (upload_adopt_next(upload->adopt, &offset, &length))
        return true;
    if (!upload_adopt_is_same(upload->adopt))
        return leave_key(upload, 0, err);
    report(upload, "the bucket has this very file already, from before the journal was lost");
    memcpy(upload->options.file->mark, upload->adopt->mark, S3_MARK_SIZE);
    if (!save(upload, err))
        return false;
    upload_go_to(upload, UPLOAD_STAGE_PROBE); /* which finds the mark to be ours now */
    return true;
}

static bool take_head(struct upload *upload, struct s3_result *result, uint64_t now_ms, int64_t now,
                      struct error *err)
{
    if (result->outcome == S3_ASK_REASON) {
        upload->stage_after_reason = upload->stage;
        upload_go_to(upload, UPLOAD_STAGE_REASON);
        return true;
    }
    if (result->outcome == S3_DONE && is_ours(upload, result))
        return confirm(upload, result, now, err);
    if (result->outcome == S3_DONE)
        return may_adopt(upload, result) || leave_key(upload, now, err);
    if (upload->stage == UPLOAD_STAGE_PROBE) {
        begin_on_free_key(upload);
        return true;
    }
    if (upload->stage == UPLOAD_STAGE_CHECK_KEY) {
        upload_go_to(upload, UPLOAD_STAGE_COMPLETE);
        return true;
    }
    if (++upload->missing_confirms >= MAX_MISSING_CONFIRMS)
        return upload_start_afresh(upload,
                                   "the server said that the object was stored, but it is not "
                                   "there: it is uploaded again",
                                   now, err);
    error_set(&result->error, ERROR_TRANSIENT, "%s is not there after it was stored",
              upload->options.file->key);
    try_again(upload, result, now_ms);
    return true;
}

/* GET told what HEAD, whose replies have no body, could not. A refusal has ended the upload
 * already. */
static bool take_reason(struct upload *upload, struct s3_result *result, uint64_t now_ms,
                        int64_t now, struct error *err)
{
    upload->stage = upload->stage_after_reason;
    if (result->outcome == S3_NO_SUCH_KEY)
        return take_head(upload, result, now_ms, now, err);
    error_set(&result->error, ERROR_TRANSIENT, "HeadObject of %s is refused, but GetObject is not",
              upload->options.file->key);
    try_again(upload, result, now_ms);
    return true;
}

/* A 503 without a code of S3's comes from something in between: what is behind it may have acted.
 */
static bool may_be_done(const struct s3_result *result)
{
    return result->sent && (result->outcome == S3_RETRY ||
                            (result->outcome == S3_SLOW_DOWN && !result->error.s3_code[0]));
}

static void take_put(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    switch (result->outcome) {
    case S3_DONE:
        upload->missing_confirms = 0;
        upload_go_to(upload, UPLOAD_STAGE_CONFIRM);
        break;
    case S3_KEY_TAKEN:
        upload_go_to(upload, UPLOAD_STAGE_PROBE);
        break;
    default: /* HEAD decides, unless it was not done for certain */
        look_again(upload, may_be_done(result) ? UPLOAD_STAGE_PROBE : UPLOAD_STAGE_PUT, result,
                   now_ms);
        break;
    }
}

static bool take_created(struct upload *upload, const struct s3_result *result, uint64_t now_ms,
                         int64_t now, struct error *err)
{
    struct journal_file *file = upload->options.file;

    if (may_be_done(result)) {
        upload_strays_begin(&upload->strays, file->key);
        look_again(upload, UPLOAD_STAGE_ORPHANS, result, now_ms);
        return true;
    }
    if (result->outcome != S3_DONE) {
        try_again(upload, result, now_ms);
        return true;
    }
    memcpy(file->upload_id, result->upload_id, sizeof file->upload_id);
    if (!save_without_parts(upload, JOURNAL_PHASE_OPEN, now, err))
        return false;
    upload_begin_parts(upload);
    return true;
}

static bool take_listed(struct upload *upload, const struct s3_result *result, int64_t now,
                        struct error *err)
{
    const struct journal_file *file = upload->options.file;
    struct reconcile_file finished = {.base_bytes = file->part_size_bytes,
                                      .size_bytes = file->object_bytes};
    unsigned before = upload->listing.compared;

    if (result->outcome != S3_DONE)
        return upload_start_afresh(
            upload, "the bucket does not know the upload any more: it is begun anew", now, err);
    if (!upload_listing_compare(&upload->listing, &result->listing, err))
        return false;
    if (result->listing.truncated && upload->listing.compared > before) {
        upload_go_to(upload, UPLOAD_STAGE_LIST); /* the next page */
        return true;
    }
    if (!finished.size_bytes || !reconcile_fits(&finished, upload->listing.highest_listed))
        return abort_upload(upload, now, err);
    upload_begin_parts(upload);
    return true;
}

static void take_completed(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
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
        try_again(upload, result, now_ms);
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
    look_again(upload, UPLOAD_STAGE_PROBE, result, now_ms);
}

static bool take_aborted(struct upload *upload, const struct s3_result *result, uint64_t now_ms,
                         int64_t now, struct error *err)
{
    struct journal_file *file = upload->options.file;

    if (result->outcome == S3_RETRY || result->outcome == S3_SLOW_DOWN) {
        try_again(upload, result, now_ms);
        return true;
    }
    if (result->outcome == S3_REFUSED)
        report(upload, "the unfinished upload could not be aborted: its parts stay in the bucket "
                       "until a lifecycle rule removes them");
    file->upload_id[0] = 0;
    upload->all_held = false;
    if (!save_without_parts(upload, JOURNAL_PHASE_NONE, now, err))
        return false;
    upload_go_to(upload, UPLOAD_STAGE_PROBE);
    return true;
}

static bool take_orphans(struct upload *upload, struct s3_result *result, int64_t now,
                         struct error *err)
{
    if (upload_strays_take_reply(&upload->strays, result))
        return true; /* there is more to do */
    /* Without upload_go_to(): the tries of a Create whose fate was unknown go on being counted. */
    upload->stage = UPLOAD_STAGE_PROBE;
    return upload_save_phase(upload, JOURNAL_PHASE_NONE, now, err);
}

/* Outcomes that mean the same wherever they come. Returns false when the stage is to judge. */
static bool take_common(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    bool looking = upload->stage == UPLOAD_STAGE_PROBE || upload->stage == UPLOAD_STAGE_REASON ||
                   upload->stage == UPLOAD_STAGE_ORPHANS || upload->stage == UPLOAD_STAGE_LIST ||
                   upload->stage == UPLOAD_STAGE_CHECK_KEY || upload->stage == UPLOAD_STAGE_CONFIRM;

    switch (result->outcome) {
    case S3_SIGN_AGAIN:
        return true;
    case S3_REFUSED:
        if (upload->stage == UPLOAD_STAGE_ABORT || upload->stage == UPLOAD_STAGE_ORPHANS)
            return false; /* a pity, but no reason to fail */
        if (upload->stage == UPLOAD_STAGE_LIST && !strcmp(result->error.s3_code, "AccessDenied")) {
            report(upload, "ListParts is refused: what the journal says of the parts is believed");
            upload_begin_parts(upload);
            return true;
        }
        upload_fail(upload, &result->error);
        return true;
    case S3_RETRY:
    case S3_SLOW_DOWN:
        if (!looking)
            return false;
        try_again(upload, result, now_ms);
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
    if (take_common(upload, result, now_ms))
        return true;
    switch (upload->stage) {
    case UPLOAD_STAGE_PROBE:
    case UPLOAD_STAGE_CHECK_KEY:
    case UPLOAD_STAGE_CONFIRM:
        return take_head(upload, result, now_ms, now, err);
    case UPLOAD_STAGE_REASON:
        return take_reason(upload, result, now_ms, now, err);
    case UPLOAD_STAGE_PUT:
        take_put(upload, result, now_ms);
        return true;
    case UPLOAD_STAGE_ORPHANS:
        return take_orphans(upload, result, now, err);
    case UPLOAD_STAGE_CREATE:
        return take_created(upload, result, now_ms, now, err);
    case UPLOAD_STAGE_LIST:
        return take_listed(upload, result, now, err);
    case UPLOAD_STAGE_COMPLETE:
        take_completed(upload, result, now_ms);
        return true;
    case UPLOAD_STAGE_ABORT:
        return take_aborted(upload, result, now_ms, now, err);
    default:
        return true; /* it ended meanwhile */
    }
}
