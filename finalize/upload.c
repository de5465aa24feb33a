#include "finalize/upload.h"

#include "finalize/key.h"
#include "finalize/part.h"
#include "finalize/reconcile.h"
#include "finalize/upload_listing.h"
#include "finalize/upload_orphans.h"
#include "finalize/upload_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_SLOT         0u
#define MAX_KEY_SUFFIX       99u
#define MAX_FRESH_STARTS     3u /* of one run: an upload that keeps vanishing is left for later */
#define MAX_BLIND_COMPLETES  3u /* Completes whose fate neither reply nor HEAD could tell */
#define MAX_COMPLETES        12u
#define MAX_MISSING_CONFIRMS 5u                 /* HEADs that do not see what was just stored */
#define COMPLETE_CEILING     (2u * 1024 * 1024) /* 10,000 parts take 1.4 MiB */

enum stage {
    STAGE_PROBE,    /* HEAD: is the key free? */
    STAGE_REASON,   /* GET: why was HEAD refused? */
    STAGE_PUT_READ, /* hash a small file */
    STAGE_PUT,
    STAGE_ORPHANS, /* look for an upload whose id was never learned */
    STAGE_CREATE,
    STAGE_LIST, /* compare the journal with what the bucket holds */
    STAGE_PARTS,
    STAGE_CHECK_KEY, /* HEAD: is the key still free? */
    STAGE_COMPLETE,
    STAGE_CONFIRM, /* HEAD: is it there, whole, and ours? */
    STAGE_ABORT,
    STAGE_ENDED
};

struct upload {
    struct upload_options options;
    enum stage stage;
    enum stage stage_after_reason;
    struct error error;

    /* The control request: the one that isn't a part's. */
    bool under_way;
    unsigned tries;
    uint64_t not_before_ms;
    struct retry_streak streak;

    unsigned fresh_starts;
    unsigned completes; /* that did not work */
    unsigned blind_completes;
    unsigned missing_confirms;
    bool all_held; /* every part was compared or acknowledged in this run */

    struct upload_listing listing;
    struct s3_object_metadata metadata;
    struct hasher_result put_bytes;
    struct buffer complete_body;
    struct upload_orphans orphans;
    struct upload_parts parts;
};

/* ---- small moves ---------------------------------------------------------------------------- */

static void report(const struct upload *upload, const char *sentence)
{
    upload->options.report(upload->options.context, sentence);
}

static void go_to(struct upload *upload, enum stage stage)
{
    upload->stage = stage;
    upload->tries = 0;
    upload->not_before_ms = 0;
}

static void fail(struct upload *upload, const struct error *error)
{
    if (error->kind != ERROR_NONE)
        upload->error = *error;
    else
        error_set(&upload->error, ERROR_TRANSIENT, "the server's answers for %s make no sense",
                  upload->options.file->key);
    upload->stage = STAGE_ENDED;
}

static bool save(struct upload *upload, struct error *err)
{
    return journal_save_file(upload->options.journal, upload->options.file, err);
}

static bool save_phase(struct upload *upload, enum journal_phase phase, int64_t now,
                       struct error *err)
{
    upload->options.file->phase = phase;
    upload->options.file->phase_at = now;
    return save(upload, err);
}

static bool fits_one_put(const struct upload *upload)
{
    return upload->options.file->object_bytes <= upload->options.settings->s3_part_size_bytes;
}

/* The file was written to since its row was made: whatever was read of it may be a mixture. */
static bool end_if_changed(struct upload *upload)
{
    struct error error = ERROR_INIT;

    if (upload->options.unchanged(upload->options.context))
        return false;
    error_set(&error, ERROR_CHANGED, "%s changed while it was uploaded",
              upload->options.file->path);
    fail(upload, &error);
    return true;
}

/* Repeats the control request after a pause, or leaves it for now. */
static void try_again(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    const struct settings *settings = upload->options.settings;

    upload->tries++;
    if (!retry_goes_on(&upload->streak, upload->tries, now_ms, settings->s3_retry_for_ms)) {
        fail(upload, &result->error);
        return;
    }
    upload->not_before_ms =
        now_ms + retry_delay_ms(upload->tries, result->retry_after_ms, upload->options.rng);
}

/* As try_again(), for a request whose fate is to be found out before it may be repeated. */
static void look_again(struct upload *upload, enum stage stage, const struct s3_result *result,
                       uint64_t now_ms)
{
    unsigned tries;

    try_again(upload, result, now_ms);
    if (upload->stage == STAGE_ENDED)
        return;
    tries = upload->tries; /* so that the pauses get longer all the same */
    upload->stage = stage;
    upload->tries = tries;
}

/* Gives up the multipart upload; what is to be done then, the next probe tells. */
static bool abort_upload(struct upload *upload, int64_t now, struct error *err)
{
    go_to(upload, STAGE_ABORT);
    return save_phase(upload, JOURNAL_PHASE_ABORTING, now, err);
}

/* ---- keys ----------------------------------------------------------------------------------- */

/*
 * Takes the base key, or the next suffixed one that no other file of the journal has, and begins
 * with looking whether the bucket has it.
 */
static bool choose_key(struct upload *upload, struct error *err)
{
    struct journal_file *file = upload->options.file;
    struct journal_file wanted = *file;
    struct error error = ERROR_INIT;
    bool taken = true;

    for (wanted.key_suffix = file->key[0] ? file->key_suffix + 1 : file->key_suffix;
         wanted.key_suffix <= MAX_KEY_SUFFIX; wanted.key_suffix++) {
        if (wanted.key_suffix == 1) /* the second of a name is "~2" */
            wanted.key_suffix = 2;
        if (wanted.key_suffix == 0)
            snprintf(wanted.key, sizeof wanted.key, "%s", upload->options.base_key);
        else if (!key_add_suffix(upload->options.base_key, wanted.key_suffix, wanted.key, &error))
            break;
        if (!journal_save_key(upload->options.journal, &wanted, &taken, err))
            return false;
        if (!taken)
            break;
    }
    if (taken) {
        error_set(&error, ERROR_PERMANENT, "%s and %u keys like it are taken",
                  upload->options.base_key, MAX_KEY_SUFFIX);
        fail(upload, &error);
        return true;
    }
    *file = wanted;
    go_to(upload, STAGE_PROBE);
    return true;
}

/* The bucket has an object of this key that isn't this recording: it is left alone. */
static bool leave_key(struct upload *upload, int64_t now, struct error *err)
{
    struct journal_file *file = upload->options.file;
    char sentence[S3_MAX_KEY_BYTES + 128];

    snprintf(sentence, sizeof sentence,
             "the bucket has another object at %s: it is left alone, a suffixed key is used",
             file->key);
    report(upload, sentence);
    if (file->upload_id[0]) /* it is bound to the key; the next probe finds the key taken again */
        return abort_upload(upload, now, err);
    file->phase = JOURNAL_PHASE_NONE;
    return choose_key(upload, err);
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

    if (end_if_changed(upload))
        return true;
    if (left_open) /* an earlier Complete was done after all, late, while we went on */
        return abort_upload(upload, now, err);
    file->state = JOURNAL_FILE_UPLOADED;
    file->phase = JOURNAL_PHASE_NONE;
    file->phase_at = now;
    file->uploaded_at = now;
    file->upload_id[0] = 0;
    file->last_error[0] = 0;
    memcpy(file->etag, result->etag, sizeof file->etag);
    if (!save(upload, err) || !journal_forget_parts(upload->options.journal, file->id, err))
        return false;
    go_to(upload, STAGE_ENDED);
    return true;
}

/* ---- beginning an upload -------------------------------------------------------------------- */

/* Nothing of this file is in the bucket any more: everything, under a new upload id. */
static bool start_afresh(struct upload *upload, const char *why, int64_t now, struct error *err)
{
    struct journal_file *file = upload->options.file;
    struct error error = ERROR_INIT;

    report(upload, why);
    if (++upload->fresh_starts > MAX_FRESH_STARTS) {
        error_set(&error, ERROR_TRANSIENT, "the upload of %s had to be begun anew %u times",
                  file->path, upload->fresh_starts);
        fail(upload, &error);
        return true;
    }
    upload->all_held = false;
    upload->blind_completes = 0;
    file->upload_id[0] = 0;
    if (!journal_forget_parts(upload->options.journal, file->id, err) ||
        !save_phase(upload, JOURNAL_PHASE_NONE, now, err))
        return false;
    go_to(upload, STAGE_PROBE);
    return true;
}

static void begin_parts(struct upload *upload)
{
    upload_parts_begin(&upload->parts, (unsigned)upload->options.settings->s3_parallel);
    go_to(upload, STAGE_PARTS);
}

static void begin_list(struct upload *upload)
{
    upload->listing = (struct upload_listing){.journal = upload->options.journal,
                                              .file_id = upload->options.file->id};
    go_to(upload, STAGE_LIST);
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
    fail(upload, &error);
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
        upload_orphans_begin(&upload->orphans, file->key);
        go_to(upload, STAGE_ORPHANS);
        break;
    case JOURNAL_PHASE_OPEN:
        begin_list(upload);
        break;
    case JOURNAL_PHASE_COMPLETING:
        if (upload->all_held && upload->blind_completes < MAX_BLIND_COMPLETES)
            upload->stage = STAGE_COMPLETE;
        else
            begin_list(upload);
        break;
    default: /* without go_to(): the tries of a PUT whose fate was unknown go on being counted */
        upload->stage = fits_one_put(upload) ? STAGE_PUT_READ : STAGE_CREATE;
        break;
    }
}

/* ---- replies, stage by stage ---------------------------------------------------------------- */

static bool take_head(struct upload *upload, struct s3_result *result, uint64_t now_ms, int64_t now,
                      struct error *err)
{
    if (result->outcome == S3_ASK_REASON) {
        upload->stage_after_reason = upload->stage;
        go_to(upload, STAGE_REASON);
        return true;
    }
    if (result->outcome == S3_DONE)
        return is_ours(upload, result) ? confirm(upload, result, now, err)
                                       : leave_key(upload, now, err);
    if (upload->stage == STAGE_PROBE) {
        begin_on_free_key(upload);
        return true;
    }
    if (upload->stage == STAGE_CHECK_KEY) {
        go_to(upload, STAGE_COMPLETE);
        return true;
    }
    if (++upload->missing_confirms >= MAX_MISSING_CONFIRMS)
        return start_afresh(upload,
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

static void take_put(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    switch (result->outcome) {
    case S3_DONE:
        upload->missing_confirms = 0;
        go_to(upload, STAGE_CONFIRM);
        break;
    case S3_KEY_TAKEN:
        go_to(upload, STAGE_PROBE);
        break;
    case S3_SLOW_DOWN: /* refused, so not stored */
        try_again(upload, result, now_ms);
        break;
    default: /* S3_RETRY: HEAD decides, unless the server never saw it */
        look_again(upload, result->sent ? STAGE_PROBE : STAGE_PUT, result, now_ms);
        break;
    }
}

static bool take_created(struct upload *upload, const struct s3_result *result, uint64_t now_ms,
                         int64_t now, struct error *err)
{
    struct journal_file *file = upload->options.file;

    if (result->outcome == S3_RETRY && result->sent) {
        upload_orphans_begin(&upload->orphans, file->key);
        look_again(upload, STAGE_ORPHANS, result, now_ms);
        return true;
    }
    if (result->outcome != S3_DONE) {
        try_again(upload, result, now_ms);
        return true;
    }
    memcpy(file->upload_id, result->upload_id, sizeof file->upload_id);
    if (!journal_forget_parts(upload->options.journal, file->id, err) ||
        !save_phase(upload, JOURNAL_PHASE_OPEN, now, err))
        return false;
    begin_parts(upload);
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
        return start_afresh(
            upload, "the bucket does not know the upload any more: it is begun anew", now, err);
    if (!upload_listing_compare(&upload->listing, &result->listing, err))
        return false;
    if (result->listing.truncated && upload->listing.compared > before) {
        go_to(upload, STAGE_LIST); /* the next page */
        return true;
    }
    if (!finished.size_bytes || !reconcile_fits(&finished, upload->listing.highest_listed))
        return abort_upload(upload, now, err);
    begin_parts(upload);
    return true;
}

static void take_completed(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    switch (result->outcome) {
    case S3_DONE:
        upload->missing_confirms = 0;
        go_to(upload, STAGE_CONFIRM);
        return;
    case S3_KEY_TAKEN:
        go_to(upload, STAGE_PROBE);
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
        fail(upload, &result->error);
        return;
    }
    upload->tries = upload->completes; /* the pauses get longer, whatever succeeds in between */
    look_again(upload, STAGE_PROBE, result, now_ms);
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
    if (!journal_forget_parts(upload->options.journal, file->id, err) ||
        !save_phase(upload, JOURNAL_PHASE_NONE, now, err))
        return false;
    go_to(upload, STAGE_PROBE);
    return true;
}

static bool take_orphans(struct upload *upload, struct s3_result *result, uint64_t now_ms,
                         int64_t now, struct error *err)
{
    if (result->outcome == S3_RETRY || result->outcome == S3_SLOW_DOWN) {
        try_again(upload, result, now_ms);
        return true;
    }
    upload->tries = 0;
    if (upload_orphans_take_reply(&upload->orphans, result))
        return true; /* there is more to do */
    if (!save_phase(upload, JOURNAL_PHASE_NONE, now, err))
        return false;
    go_to(upload, STAGE_CREATE);
    return true;
}

/* Outcomes that mean the same wherever they come. Returns false when the stage is to judge. */
static bool take_common(struct upload *upload, const struct s3_result *result, uint64_t now_ms)
{
    bool head = upload->stage == STAGE_PROBE || upload->stage == STAGE_CHECK_KEY ||
                upload->stage == STAGE_CONFIRM || upload->stage == STAGE_REASON;

    switch (result->outcome) {
    case S3_SIGN_AGAIN:
        return true;
    case S3_STOPPED:
        fail(upload, &result->error);
        return true;
    case S3_REFUSED:
        if (upload->stage == STAGE_ABORT || upload->stage == STAGE_ORPHANS)
            return false; /* a pity, but no reason to fail */
        if (upload->stage == STAGE_LIST && !strcmp(result->error.s3_code, "AccessDenied")) {
            report(upload, "ListParts is refused: what the journal says of the parts is believed");
            begin_parts(upload);
            return true;
        }
        fail(upload, &result->error);
        return true;
    case S3_RETRY:
    case S3_SLOW_DOWN:
        if (!head && upload->stage != STAGE_LIST)
            return false;
        try_again(upload, result, now_ms);
        return true;
    case S3_DONE:
        if (!head) /* that HEAD works is no progress: what follows it may fail for ever */
            retry_succeeded(&upload->streak);
        return false;
    default:
        return false;
    }
}

static bool take_control_reply(struct upload *upload, struct s3_result *result, uint64_t now_ms,
                               int64_t now, struct error *err)
{
    upload->under_way = false;
    if (take_common(upload, result, now_ms))
        return true;
    switch (upload->stage) {
    case STAGE_PROBE:
    case STAGE_CHECK_KEY:
    case STAGE_CONFIRM:
        return take_head(upload, result, now_ms, now, err);
    case STAGE_REASON:
        return take_reason(upload, result, now_ms, now, err);
    case STAGE_PUT:
        take_put(upload, result, now_ms);
        return true;
    case STAGE_ORPHANS:
        return take_orphans(upload, result, now_ms, now, err);
    case STAGE_CREATE:
        return take_created(upload, result, now_ms, now, err);
    case STAGE_LIST:
        return take_listed(upload, result, now, err);
    case STAGE_COMPLETE:
        take_completed(upload, result, now_ms);
        return true;
    case STAGE_ABORT:
        return take_aborted(upload, result, now_ms, now, err);
    default:
        return true; /* it ended meanwhile */
    }
}

bool upload_take_reply(struct upload *upload, unsigned slot, struct s3_result *result,
                       uint64_t now_ms, int64_t now, struct error *err)
{
    if (slot != CONTROL_SLOT)
        return upload_parts_take_reply(&upload->parts, slot, result, now_ms, err);
    return take_control_reply(upload, result, now_ms, now, err);
}

bool upload_take_bytes(struct upload *upload, unsigned slot, const struct hasher_result *result,
                       struct error *err)
{
    struct error error = ERROR_INIT;

    if (slot != CONTROL_SLOT)
        return upload_parts_take_bytes(&upload->parts, slot, result, err);
    upload->under_way = false;
    if (upload->stage != STAGE_PUT_READ)
        return true; /* it ended meanwhile */
    if (result->whole) {
        upload->put_bytes = *result;
        upload->stage = STAGE_PUT;
        return true;
    }
    if (result->read_errno)
        error_set_errno(&error, ERROR_PERMANENT, result->read_errno, "cannot read %s",
                        upload->options.file->path);
    else
        error_set(&error, ERROR_CHANGED, "%s became shorter while it was read",
                  upload->options.file->path);
    fail(upload, &error);
    return true;
}

/* ---- what to do next ------------------------------------------------------------------------ */

/* CompleteMultipartUpload lists every part; that none is missing is checked once more. */
static bool write_complete_body(struct upload *upload, struct error *err)
{
    const struct journal_file *file = upload->options.file;
    unsigned count = part_count(file->part_size_bytes, file->object_bytes);
    struct journal_part part = {.number = 0};
    struct error error = ERROR_INIT;
    bool found;

    buffer_clear(&upload->complete_body);
    s3_xml_begin_complete(&upload->complete_body);
    for (unsigned number = 1; number <= count; number++) {
        if (!journal_next_part(upload->options.journal, file->id, part.number, &part, &found, err))
            return false;
        if (!found || part.number != number) {
            error_set(&error, ERROR_TRANSIENT, "part %u of %s is not in the journal", number,
                      file->key);
            fail(upload, &error);
            return true;
        }
        s3_xml_add_part(&upload->complete_body, number, part.etag);
    }
    s3_xml_end_complete(&upload->complete_body);
    if (upload->complete_body.failed) {
        error_set(&error, ERROR_TRANSIENT, "no memory to complete %s", file->key);
        fail(upload, &error);
    }
    return true;
}

static struct s3_call call_of(const struct upload *upload, enum s3_operation operation)
{
    const struct journal_file *file = upload->options.file;

    return (struct s3_call){
        .operation = operation,
        .key = file->key,
        .upload_id = file->upload_id,
        .content_type = upload->options.content_type,
        .metadata = &upload->metadata,
        .fd = -1,
    };
}

static struct s3_call put_call(const struct upload *upload)
{
    struct s3_call call = call_of(upload, S3_PUT_OBJECT);

    call.upload_id = NULL;
    call.fd = upload->options.fd;
    call.length = upload->options.file->object_bytes;
    call.payload_sha256 = upload->put_bytes.sha256_hex;
    if (upload->options.settings->s3_content_md5 && upload->put_bytes.md5_base64[0])
        call.content_md5 = upload->put_bytes.md5_base64;
    return call;
}

static void ask_to_read_all(const struct upload *upload, struct upload_step *ret_step)
{
    ret_step->kind = UPLOAD_STEP_READ;
    ret_step->read.offset = 0;
    ret_step->read.length = upload->options.file->object_bytes;
    ret_step->read.wants = HASHER_WANTS_SHA256;
    if (upload->options.settings->s3_content_md5)
        ret_step->read.wants |= HASHER_WANTS_MD5;
}

/* Writes to the journal what must be known of a request before it is sent, and fills in its call.
 */
static bool prepare_request(struct upload *upload, int64_t now, struct s3_call *ret_call,
                            struct error *err)
{
    struct journal_file *file = upload->options.file;

    switch (upload->stage) {
    case STAGE_PROBE:
    case STAGE_CHECK_KEY:
    case STAGE_CONFIRM:
        *ret_call = call_of(upload, S3_HEAD_OBJECT);
        return true;
    case STAGE_REASON:
        *ret_call = call_of(upload, S3_GET_FIRST_BYTE);
        return true;
    case STAGE_PUT:
        *ret_call = put_call(upload);
        return end_if_changed(upload) || save_phase(upload, JOURNAL_PHASE_PUTTING, now, err);
    case STAGE_ORPHANS:
        *ret_call = upload_orphans_call(&upload->orphans);
        return true;
    case STAGE_CREATE:
        *ret_call = call_of(upload, S3_CREATE_UPLOAD);
        file->part_size_bytes = upload->options.settings->s3_part_size_bytes;
        return save_phase(upload, JOURNAL_PHASE_CREATING, now, err);
    case STAGE_LIST:
        *ret_call = call_of(upload, S3_LIST_PARTS);
        ret_call->part_number_marker = upload->listing.compared;
        return true;
    case STAGE_COMPLETE:
        *ret_call = call_of(upload, S3_COMPLETE_UPLOAD);
        ret_call->body = &upload->complete_body;
        if (end_if_changed(upload))
            return true;
        return write_complete_body(upload, err) &&
               (upload->stage == STAGE_ENDED ||
                save_phase(upload, JOURNAL_PHASE_COMPLETING, now, err));
    case STAGE_ABORT:
        *ret_call = call_of(upload, S3_ABORT_UPLOAD);
        return true;
    default:
        assert(!"a stage without a request");
        return true;
    }
}

static bool next_control_step(struct upload *upload, bool may_send, uint64_t now_ms, int64_t now,
                              struct upload_step *ret_step, struct error *err)
{
    struct s3_call call = {.fd = -1};

    if (upload->under_way)
        return true;
    if (upload->not_before_ms > now_ms) {
        ret_step->kind = UPLOAD_STEP_PAUSE;
        ret_step->until_ms = upload->not_before_ms;
        return true;
    }
    if (upload->stage == STAGE_PUT_READ) {
        upload->under_way = true;
        ask_to_read_all(upload, ret_step);
        return true;
    }
    if (!may_send)
        return true;
    if (!prepare_request(upload, now, &call, err))
        return false;
    if (upload->stage == STAGE_ENDED) {
        ret_step->kind = UPLOAD_STEP_END;
        return true;
    }
    upload->under_way = true;
    ret_step->kind = UPLOAD_STEP_REQUEST;
    ret_step->call = call;
    return true;
}

/* The parts are through, one way or another. */
static bool leave_parts(struct upload *upload, int64_t now, struct error *err)
{
    struct error error = ERROR_INIT;

    switch (upload->parts.state) {
    case UPLOAD_PARTS_GOING:
        break;
    case UPLOAD_PARTS_ALL_HELD:
        upload->all_held = true;
        go_to(upload, STAGE_CHECK_KEY);
        break;
    case UPLOAD_PARTS_UPLOAD_GONE:
        if (upload->parts.busy) /* the others are told the same in a moment */
            break;
        return start_afresh(
            upload, "the bucket does not know the upload any more: it is begun anew", now, err);
    case UPLOAD_PARTS_FILE_CHANGED:
        error_set(&error, ERROR_CHANGED, "%s became shorter while it was uploaded",
                  upload->options.file->path);
        fail(upload, &error);
        break;
    case UPLOAD_PARTS_FAILED:
        fail(upload, &upload->parts.error);
        break;
    }
    return true;
}

bool upload_next(struct upload *upload, bool may_send, uint64_t now_ms, int64_t now,
                 struct upload_step *ret_step, struct error *err)
{
    *ret_step = (struct upload_step){.kind = UPLOAD_STEP_NONE, .slot = CONTROL_SLOT};
    if (!upload->options.file->key[0] && upload->stage != STAGE_ENDED && !choose_key(upload, err))
        return false;
    if (upload->stage == STAGE_PARTS) {
        if (!upload_parts_next(&upload->parts, may_send, now_ms, ret_step, err) ||
            !leave_parts(upload, now, err))
            return false;
        if (upload->stage == STAGE_PARTS)
            return true;
        *ret_step = (struct upload_step){.kind = UPLOAD_STEP_NONE, .slot = CONTROL_SLOT};
    }
    if (upload->stage == STAGE_ENDED) {
        ret_step->kind = UPLOAD_STEP_END;
        return true;
    }
    return next_control_step(upload, may_send, now_ms, now, ret_step, err);
}

const struct error *upload_error(const struct upload *upload)
{
    return upload->error.kind == ERROR_NONE ? NULL : &upload->error;
}

void upload_progress(const struct upload *upload, uint64_t *ret_held, uint64_t *ret_kept)
{
    bool uploaded = upload->stage == STAGE_ENDED && upload->error.kind == ERROR_NONE;

    *ret_kept = upload->parts.bytes_kept;
    *ret_held = uploaded ? upload->options.file->object_bytes : upload->parts.bytes_held;
}

/* ---- opening and closing -------------------------------------------------------------------- */

bool upload_open(const struct upload_options *options, struct upload **ret_upload,
                 struct error *err)
{
    struct upload *upload = calloc(1, sizeof *upload);

    if (!upload)
        return error_set(err, ERROR_TRANSIENT, "no memory to upload %s", options->file->path);
    upload->options = *options;
    upload->stage = options->file->phase == JOURNAL_PHASE_ABORTING ? STAGE_ABORT : STAGE_PROBE;
    upload->metadata = (struct s3_object_metadata){
        .mark = options->file->mark,
        .session_id = options->session_id,
        .instance_id = options->settings->instance_id,
        .incomplete = options->file->incomplete,
    };
    upload->parts.journal = options->journal;
    upload->parts.file = options->file;
    upload->parts.rng = options->rng;
    upload->parts.fd = options->fd;
    upload->parts.content_md5 = options->settings->s3_content_md5;
    upload->parts.patience_ms = options->settings->s3_retry_for_ms;
    buffer_init(&upload->complete_body, COMPLETE_CEILING);
    *ret_upload = upload;
    return true;
}

void upload_close(struct upload *upload)
{
    if (!upload)
        return;
    upload_orphans_done(&upload->orphans);
    buffer_done(&upload->complete_body);
    free(upload);
}
