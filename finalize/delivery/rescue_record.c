/*
 * rescue_record - the object <key>.rescued: its mark is that of the recording which the backend was
 * told of, its text is for people, and says what a later call needs.
 */
#include "finalize/delivery/rescue_private.h"

#include "finalize/base/number.h"
#include "finalize/base/read_at.h"
#include "finalize/upload/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECORD_BYTES 2048u
#define BYTES_LINE   "Bytes of its parts: "
#define UPLOAD_LINE  "Its index is put in by the upload: "

static void append_text(const struct rescue_record *record, struct buffer *out)
{
    buffer_append_format(out,
                         "The recorder of this recording was gone: jibri-finalize rescue completed "
                         "what the bucket held of it.\nThe backend was told of it: %s\n" BYTES_LINE
                         "%" PRIu64 "\n",
                         record->told[0] ? "yes" : "not yet", record->bytes);
    if (record->upload_id[0])
        buffer_append_format(out, UPLOAD_LINE "%s\n", record->upload_id);
}

bool rescue_write_record(const struct rescue *rescue, const char *key,
                         const struct rescue_record *record, struct error *err)
{
    const struct s3_object_metadata metadata = {.mark = record->told[0] ? record->told : NULL};
    char record_key[S3_MAX_KEY_BYTES + 1];
    struct s3_call call = {.operation = S3_PUT_OBJECT,
                           .key = record_key,
                           .content_type = "text/plain",
                           .metadata = &metadata,
                           .replaces = true,
                           .fd = -1};
    struct s3_result result;
    struct buffer text;
    bool ok = key_of_rescue(key, record_key, err);

    buffer_init(&text, RECORD_BYTES);
    append_text(record, &text);
    call.length = text.length;
    call.fd = memfd_create("record", MFD_CLOEXEC);
    if (ok && (call.fd < 0 || text.failed || !write_at(call.fd, text.data, text.length, 0)))
        ok = error_set(err, ERROR_TRANSIENT, "no memory");
    buffer_done(&text);
    ok = ok && rescue_send(rescue, &call, &result, err);
    close(call.fd);
    if (!ok)
        return false;
    ok = result.outcome == S3_DONE;
    if (!ok)
        *err = result.error;
    s3_result_done(&result);
    return ok;
}

/* What follows `name` in a line of the text. */
static void read_line(const char *text, const char *name, char *ret_value, size_t size)
{
    const char *found = strstr(text, name);

    if (found)
        snprintf(ret_value, size, "%.*s", (int)strcspn(found + strlen(name), "\n"),
                 found + strlen(name));
}

bool rescue_read_record(const struct rescue *rescue, const char *key,
                        struct rescue_record *ret_record, struct error *err)
{
    char record_key[S3_MAX_KEY_BYTES + 1], bytes[24] = "";
    const struct s3_call call = {
        .operation = S3_GET_RANGE, .key = record_key, .fd = -1, .length = RECORD_BYTES};
    struct s3_result result;

    *ret_record = (struct rescue_record){.there = false};
    if (!key_of_rescue(key, record_key, err) || !rescue_head(rescue, record_key, &result, err))
        return false;
    ret_record->there = result.outcome == S3_DONE;
    if (ret_record->there)
        memcpy(ret_record->told, result.mark, sizeof ret_record->told);
    s3_result_done(&result);
    if (!ret_record->there)
        return true;
    if (!rescue_ask(rescue, &call, &result, err))
        return false;
    if (result.outcome == S3_DONE) {
        read_line(buffer_text(&result.body), BYTES_LINE, bytes, sizeof bytes);
        read_line(buffer_text(&result.body), UPLOAD_LINE, ret_record->upload_id,
                  sizeof ret_record->upload_id);
        (void)number_read(bytes, 0, UINT64_MAX, &ret_record->bytes);
    }
    s3_result_done(&result);
    return true;
}

bool rescue_note_upload(struct rescue_object *object, const char *upload_id, struct error *err)
{
    snprintf(object->record.upload_id, sizeof object->record.upload_id, "%s", upload_id);
    return rescue_write_record(object->rescue, object->key, &object->record, err);
}
