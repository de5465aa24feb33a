/*
 * rescue_replace - puts a file in the place of an object by a second multipart upload: the parts
 * that changed are sent, the server copies all others from the object.
 */
#include "finalize/delivery/rescue_private.h"

#include <string.h>

/* Sends a part, or has it copied; its ETag goes to `body`. */
static bool make_part(const struct rescue_object *object, const struct s3_call *call,
                      struct buffer *body, struct error *err)
{
    struct s3_result result;
    bool ok = call->copy_from ? rescue_ask(object->rescue, call, &result, err)
                              : rescue_send(object->rescue, call, &result, err);

    if (!ok)
        return false;
    ok = result.outcome == S3_DONE;
    if (ok)
        s3_xml_add_part(body, call->part_number, result.etag);
    else
        *err = result.error;
    s3_result_done(&result);
    return ok;
}

static bool make_parts(const struct rescue_object *object, const struct rescue_file *file,
                       const char *upload_id, struct buffer *body, struct error *err)
{
    unsigned count = part_count(file->plan, file->size_bytes);

    if (count > S3_MAX_PARTS)
        return error_set(err, ERROR_PERMANENT, "%s has too many parts", object->key);
    s3_xml_begin_complete(body);
    for (unsigned number = 1; number <= count; number++) {
        struct part_range range = part_range_in(file->plan, number, file->size_bytes);
        bool changed = number == 1 || range.offset + range.length > file->changed_from;
        const struct s3_call call = {.operation = S3_UPLOAD_PART,
                                     .key = object->key,
                                     .upload_id = upload_id,
                                     .part_number = number,
                                     .copy_from = changed ? NULL : object->key,
                                     .fd = file->fd,
                                     .offset = range.offset,
                                     .length = range.length};

        if (!make_part(object, &call, body, err))
            return false;
    }
    s3_xml_end_complete(body);
    return !body->failed || error_set(err, ERROR_TRANSIENT, "no memory");
}

/* Whether it was done, HEAD tells, whatever the reply was. */
static bool complete(const struct rescue_object *object, const char *upload_id,
                     const struct buffer *body, uint64_t size_bytes, struct error *err)
{
    const struct s3_call call = {.operation = S3_COMPLETE_UPLOAD,
                                 .key = object->key,
                                 .upload_id = upload_id,
                                 .replaces = true,
                                 .fd = -1,
                                 .body = body};
    struct s3_result result, head;
    bool ok;

    if (!rescue_ask_once(object->rescue, &call, &result, err))
        return false;
    if (!rescue_head(object->rescue, object->key, &head, err)) {
        s3_result_done(&result);
        return false;
    }
    ok = head.outcome == S3_DONE && head.size_bytes == size_bytes &&
         !strcmp(head.mark, object->head.mark);
    if (!ok && result.outcome != S3_DONE)
        *err = result.error;
    else if (!ok)
        error_set(err, ERROR_TRANSIENT, "%s is not there after it was completed", object->key);
    s3_result_done(&result);
    s3_result_done(&head);
    return ok;
}

bool rescue_replace(struct rescue_object *object, const struct rescue_file *file, struct error *err)
{
    const struct s3_result *head = &object->head;
    const struct s3_object_metadata metadata = {
        .mark = head->mark,
        .session_id = head->session_id[0] ? head->session_id : NULL,
        .instance_id = head->instance_id[0] ? head->instance_id : NULL,
        .part_size_bytes = file->plan.base_bytes};
    const struct s3_call create = {.operation = S3_CREATE_UPLOAD,
                                   .key = object->key,
                                   .content_type = "video/mp4",
                                   .metadata = &metadata,
                                   .fd = -1};
    struct s3_result created;
    struct buffer body;
    bool ok;

    if (!rescue_ask(object->rescue, &create, &created, err))
        return false;
    buffer_init(&body, RESCUE_BODY_CEILING);
    ok = created.outcome == S3_DONE;
    if (!ok)
        *err = created.error;
    ok = ok && rescue_note_upload(object, created.upload_id, err) &&
         make_parts(object, file, created.upload_id, &body, err) &&
         complete(object, created.upload_id, &body, file->size_bytes, err);
    if (!ok && created.upload_id[0])
        rescue_abort(object->rescue, object->key, created.upload_id);
    buffer_done(&body);
    s3_result_done(&created);
    return ok;
}
