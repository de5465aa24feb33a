#include "finalize/delivery/rescue_private.h"

#include "finalize/base/clock.h"
#include "finalize/base/read_at.h"
#include "finalize/hash/digest.h"
#include "finalize/notify/notice.h"
#include "finalize/session/file_name.h"
#include "finalize/upload/retry.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 600000u /* for one request: some servers take minutes to complete */
#define MOST_TRIES  6u
#define PAUSE_MS    100u

/* ---- asking ---------------------------------------------------------------------------------- */

static bool is_stopped(const struct rescue *rescue)
{
    return rescue->stop_requested(rescue->context);
}

bool rescue_ask_once(const struct rescue *rescue, const struct s3_call *call,
                     struct s3_result *ret_result, struct error *err)
{
    *ret_result = (struct s3_result){0};
    if (is_stopped(rescue))
        return error_set(err, ERROR_STOPPED, "stopped before all was done");
    return network_ask(rescue->loop, rescue->s3, call, clock_now_ms() + PATIENCE_MS, ret_result,
                       err);
}

static void pause_for(const struct rescue *rescue, uint64_t ms)
{
    uint64_t until_ms = clock_now_ms() + ms;

    while (clock_now_ms() < until_ms && !is_stopped(rescue))
        usleep(PAUSE_MS * 1000);
}

bool rescue_ask(const struct rescue *rescue, const struct s3_call *call,
                struct s3_result *ret_result, struct error *err)
{
    for (unsigned tries = 1;; tries++) {
        if (!rescue_ask_once(rescue, call, ret_result, err))
            return false;
        if (ret_result->outcome != S3_RETRY && ret_result->outcome != S3_SLOW_DOWN)
            return true;
        *err = ret_result->error;
        s3_result_done(ret_result);
        if (tries == MOST_TRIES || is_stopped(rescue))
            return false;
        pause_for(rescue, retry_delay_ms(tries, ret_result->retry_after_ms, rescue->rng));
        error_clear(err);
    }
}

static bool hash_bytes(const struct s3_call *call, enum digest_kind kind, uint8_t *ret_digest)
{
    struct digest_stream *stream = digest_stream_open(kind);
    bool ok = stream && digest_stream_begin(stream);
    uint8_t piece[32768];

    for (uint64_t done = 0; ok && done < call->length;) {
        uint64_t left = call->length - done;
        size_t size = left < sizeof piece ? (size_t)left : sizeof piece;

        ok = read_at(call->fd, piece, size, call->offset + done) == (ssize_t)size &&
             digest_stream_update(stream, piece, size);
        done += size;
    }
    ok = ok && digest_stream_end(stream, ret_digest);
    digest_stream_close(stream);
    return ok;
}

bool rescue_send(const struct rescue *rescue, const struct s3_call *call,
                 struct s3_result *ret_result, struct error *err)
{
    char sha256[DIGEST_SHA256_HEX], md5[DIGEST_MD5_BASE64];
    uint8_t digest[DIGEST_SHA256_BYTES];
    struct s3_call sent = *call;

    if (!hash_bytes(call, DIGEST_SHA256, digest))
        return error_set(err, ERROR_TRANSIENT, "no memory to send what %s is made of", call->key);
    digest_hex(digest, sizeof digest, sha256);
    sent.payload_sha256 = sha256;
    if (rescue->settings->s3_content_md5 && hash_bytes(call, DIGEST_MD5, digest)) {
        digest_md5_base64(digest, md5);
        sent.content_md5 = md5;
    }
    return rescue_ask(rescue, &sent, ret_result, err);
}

bool rescue_head(const struct rescue *rescue, const char *key, struct s3_result *ret_head,
                 struct error *err)
{
    struct s3_call call = {.operation = S3_HEAD_OBJECT, .key = key, .fd = -1};

    if (!rescue_ask(rescue, &call, ret_head, err))
        return false;
    if (ret_head->outcome == S3_ASK_REASON) {
        s3_result_done(ret_head);
        call.operation = S3_GET_RANGE;
        if (!rescue_ask(rescue, &call, ret_head, err))
            return false;
        if (ret_head->outcome == S3_DONE)
            error_set(&ret_head->error, ERROR_PERMANENT,
                      "HeadObject of %s is refused, but GetObject is not", key);
    } else if (ret_head->outcome == S3_DONE) {
        return true;
    }
    if (ret_head->outcome == S3_NO_SUCH_KEY)
        return true;
    *err = ret_head->error;
    s3_result_done(ret_head);
    return false;
}

void rescue_abort(const struct rescue *rescue, const char *key, const char *upload_id)
{
    const struct s3_call call = {
        .operation = S3_ABORT_UPLOAD, .key = key, .upload_id = upload_id, .fd = -1};
    struct error ignored = ERROR_INIT;
    struct s3_result result;

    if (rescue_ask(rescue, &call, &result, &ignored))
        s3_result_done(&result);
}

/* ---- completing ------------------------------------------------------------------------------ */

/* One CompleteMultipartUpload with the parts in a row, or with all. *ret_refused: it wants others.
 * Whether it was done, HEAD tells. */
static bool complete_with(const struct rescue *rescue, struct rescue_upload *upload, bool all,
                          bool replaces, bool *ret_refused, struct error *err)
{
    struct buffer body;
    struct s3_call call = {.operation = S3_COMPLETE_UPLOAD,
                           .key = upload->key,
                           .upload_id = upload->upload_id,
                           .replaces = replaces,
                           .fd = -1,
                           .body = &body};
    struct s3_result result = {.outcome = S3_RETRY};
    bool fits, ok;

    buffer_init(&body, RESCUE_BODY_CEILING);
    s3_xml_begin_complete(&body);
    ok = rescue_list_parts(rescue, upload, all, &body, &fits, err);
    s3_xml_end_complete(&body);
    if (ok && body.failed)
        ok = error_set(err, ERROR_TRANSIENT, "no memory to complete %s", upload->key);
    ok = ok && rescue_ask_once(rescue, &call, &result, err);
    buffer_done(&body);
    *ret_refused = ok && result.outcome == S3_BAD_PART;
    if (ok && result.outcome != S3_DONE && result.outcome != S3_RETRY &&
        result.outcome != S3_NO_SUCH_UPLOAD && !(*ret_refused && !all)) {
        *err = result.error;
        ok = false;
    }
    s3_result_done(&result);
    return ok;
}

/*
 * From the parts in a row. Some servers (Ceph) want every part to be named that was uploaded: then
 * all are, and what comes after the gap is cut off when the object gets its index.
 */
static bool complete(const struct rescue *rescue, const struct rescue_upload *found, bool replaces,
                     struct rescue_upload *ret_upload, struct s3_result *ret_head,
                     struct error *err)
{
    bool refused = false, all = false;

    *ret_upload = *found;
    if (!complete_with(rescue, ret_upload, false, replaces, &refused, err))
        return false;
    if (refused && ret_upload->parts > ret_upload->in_a_row) {
        all = true;
        if (!complete_with(rescue, ret_upload, true, replaces, &refused, err))
            return false;
    }
    if (!rescue_head(rescue, found->key, ret_head, err))
        return false;
    /* All parts may also be there by the Complete of an earlier call that was killed. */
    if (ret_head->outcome == S3_DONE && (ret_head->size_bytes == ret_upload->all_bytes ||
                                         (!all && ret_head->size_bytes == ret_upload->bytes)))
        return true;
    s3_result_done(ret_head);
    return error_set(err, ERROR_TRANSIENT, "%s is not there after it was completed", found->key);
}

/* ---- the backend ----------------------------------------------------------------------------- */

/* It is told as the finalizer does: the same address, values and Idempotency-Key. */
static bool tell_backend(const struct rescue *rescue, const char *key, const char *mark,
                         struct rescue_result *result, struct error *err)
{
    const struct settings *settings = rescue->settings;
    struct notice notice = {
        .file_size = result->bytes, .bucket = settings->s3_bucket, .key = key, .mark = mark};
    struct notice_result told;
    struct http_request request;
    struct http_reply reply;
    struct buffer name;

    buffer_init(&name, S3_MAX_KEY_BYTES);
    rescue_append_name(settings, key, &name);
    notice.file_name = buffer_text(&name);
    if (!file_name_meeting_id(notice.file_name, &notice.meeting_id)) {
        buffer_done(&name);
        return error_set(err, ERROR_PERMANENT,
                         "%s is in the bucket, but there is no meeting id before the first \"_\" "
                         "of its name: the backend cannot be told",
                         key);
    }
    if (!notice_build(settings, &notice, &request, err)) {
        http_request_done(&request);
        buffer_done(&name);
        return false;
    }
    loop_exchange(rescue->loop, &request, clock_now_ms() + PATIENCE_MS, &reply);
    notice_read(settings, notice.file_name, &reply, &told);
    http_reply_done(&reply);
    buffer_done(&name);
    if (told.outcome != NOTICE_ACCEPTED) {
        *err = told.error;
        return false;
    }
    result->told = true;
    result->backend_row = told.backend_row;
    return true;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* The object stands, with what is to be known of it: its index, then the notice. */
static bool finish(struct rescue_object *object, struct rescue_result *result, struct error *err)
{
    const struct s3_result *head = &object->head;
    const char *key = object->key;

    result->bytes = head->size_bytes;
    result->told = head->mark[0] && !strcmp(object->record.told, head->mark);
    if (!rescue_index(object, result, err))
        return false;
    if (!result->plays)
        return error_set(err, ERROR_PERMANENT,
                         "%s was completed, but is no recording in fragments: it does not play, "
                         "and the backend was not told",
                         key);
    if (!head->mark[0])
        return error_set(err, ERROR_PERMANENT,
                         "%s was completed, but carries no mark of ours (jibri-mark): the backend "
                         "was not told",
                         key);
    if (result->told || !object->rescue->settings->notice)
        return true;
    memcpy(object->record.told, head->mark, sizeof object->record.told);
    object->record.upload_id[0] = '\0';
    return tell_backend(object->rescue, key, head->mark, result, err) &&
           rescue_write_record(object->rescue, key, &object->record, err);
}

/* Whether there is something to complete, and its key is free. */
static bool may_complete(const char *key, const struct rescue_upload *upload, bool taken,
                         struct error *err)
{
    if (!upload)
        return error_set(err, ERROR_NO_INPUT,
                         "the bucket has no multipart upload of %s, nor what was made of one", key);
    if (taken)
        return error_set(err, ERROR_PERMANENT,
                         "the bucket has an object at %s already, which is left alone", key);
    if (!upload->parts)
        return error_set(err, ERROR_NO_INPUT, "no part of %s has come to the bucket", key);
    if (!upload->in_a_row)
        return error_set(err, ERROR_NO_INPUT,
                         "the bucket has %u part(s) of %s, but not the first: nothing of it plays",
                         upload->parts, key);
    return true;
}

static bool abort_own(void *context, const struct rescue_upload *upload, struct error *err)
{
    const struct rescue_object *object = context;

    (void)err;
    if (upload->of_rescue)
        rescue_abort(object->rescue, object->key, upload->upload_id);
    return true;
}

/* As rescue_complete(), with the object that is there, if one is. */
static bool complete_over(struct rescue_object *object, const struct rescue_upload *upload,
                          struct rescue_result *result, struct error *err)
{
    bool there = object->head.outcome == S3_DONE;
    struct rescue_upload completed;

    if (!rescue_read_record(object->rescue, object->key, &object->record, err))
        return false;
    if (there && object->record.there &&
        !rescue_list(object->rescue, object->key, abort_own, object, err))
        return false;
    result->was_there =
        there && object->record.there && (!upload || upload->bytes <= object->head.size_bytes);
    if (result->was_there)
        return finish(object, result, err);
    if (!may_complete(object->key, upload, there && !object->record.there, err) || !upload)
        return false;
    object->record.bytes = upload->bytes;
    if (!rescue_note_upload(object, "", err))
        return false;
    s3_result_done(&object->head);
    if (!complete(object->rescue, upload, there, &completed, &object->head, err))
        return false;
    result->parts_left_out = completed.parts - completed.in_a_row;
    return finish(object, result, err);
}

bool rescue_complete(const struct rescue *rescue, const char *key,
                     const struct rescue_upload *upload, struct rescue_result *ret_result,
                     struct error *err)
{
    struct rescue_object object = {.rescue = rescue, .key = key};
    bool ok;

    *ret_result = (struct rescue_result){.was_there = false};
    if (!rescue_head(rescue, key, &object.head, err))
        return false;
    ok = complete_over(&object, upload, ret_result, err);
    s3_result_done(&object.head);
    return ok;
}
