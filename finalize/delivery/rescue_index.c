/*
 * rescue_index - a completed recording in fragments becomes an ordinary mp4, as the finalizer makes
 * it of a file (mp4_index.h): of the object, only what that looks at is read, the boxes' headers,
 * into a file without a name that has holes where the media are. What changes is sent, the first
 * part and the tail; the server copies all between.
 */
#include "finalize/delivery/rescue_private.h"

#include "finalize/base/read_at.h"
#include "finalize/hash/digest.h"
#include "finalize/s3/part.h"
#include "finalize/session/file_name.h"
#include "finalize/session/mp4_box.h"
#include "finalize/session/mp4_head.h"
#include "finalize/session/mp4_index.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LEADING    10u
#define HEAD_BYTES     65536u
#define FRAGMENT_BYTES 4096u      /* what the headers of a second take */
#define HEADERS_BYTES  16u        /* of an mdat */
#define MOST_BOX_BYTES (8u << 20) /* of a moov or moof */
#define PIECE_BYTES    (UINT64_C(4) << 20)

struct copy {
    const struct rescue *rescue;
    const char *key;
    const struct s3_result *head;
    struct rescue_object *object;
    int fd;
    uint64_t end;     /* of what is looked at: of the object, later of the media */
    uint64_t last_at; /* the last fragment */
};

/* ---- reading --------------------------------------------------------------------------------- */

/* Reads these bytes of the object into the file. */
static bool fetch(struct copy *copy, uint64_t at, uint64_t length, struct error *err)
{
    uint64_t end = at < copy->end && length < copy->end - at ? at + length : copy->end;
    struct s3_result result;

    while (at < end) {
        struct s3_call call = {.operation = S3_GET_RANGE,
                               .key = copy->key,
                               .fd = -1,
                               .offset = at,
                               .length = end - at < PIECE_BYTES ? end - at : PIECE_BYTES};
        bool ok;

        if (!rescue_ask(copy->rescue, &call, &result, err))
            return false;
        ok = result.outcome == S3_DONE && result.body.length == call.length;
        if (ok && !write_at(copy->fd, result.body.data, result.body.length, at))
            error_set(err, ERROR_TRANSIENT, "no room for the headers of %s (TMPDIR)", copy->key);
        else if (!ok)
            error_set(err, ERROR_TRANSIENT, "cannot read %s: %s", copy->key,
                      result.outcome == S3_DONE ? "the reply has other bytes than were asked for"
                                                : result.error.text);
        s3_result_done(&result);
        if (err->kind != ERROR_NONE)
            return false;
        at += call.length;
    }
    return true;
}

/* The box at `at`, and its content unless it is media. False with err->kind ERROR_NONE when there
 * is no whole one. */
static bool fetch_box(struct copy *copy, uint64_t at, uint64_t guess, struct mp4_box *ret_box,
                      struct error *err)
{
    bool there;

    if (at >= copy->end || !fetch(copy, at, guess, err) ||
        !mp4_box_read(copy->fd, at, copy->end, ret_box, &there, err) || !there)
        return false;
    if (!mp4_is(ret_box->type, "moov") && !mp4_is(ret_box->type, "moof"))
        return true;
    if (ret_box->size_bytes > MOST_BOX_BYTES || ret_box->size_bytes > copy->end - at)
        return false;
    return ret_box->size_bytes + HEADERS_BYTES <= guess ||
           fetch(copy, at + guess, ret_box->size_bytes + HEADERS_BYTES - guess, err);
}

/* Where the recorder was lost between its first part, which was sent again with the header for the
 * index, and the last one, which has the index, the box becomes the one that it was. */
static bool look_for_lost_index(struct copy *copy, struct mp4_box *box, struct error *err)
{
    bool lost;

    return fetch(copy, box->at + box->size_bytes, HEADERS_BYTES, err) &&
           mp4_head_look(copy->fd, copy->end, box, true, &lost, err) &&
           (!lost || mp4_box_read(copy->fd, box->at, copy->end, box, &lost, err));
}

/* It is in fragments: those of the parts in a row. */
static bool leave_out_rest(struct copy *copy, struct error *err)
{
    uint64_t bytes = copy->object->record.bytes;

    if (bytes && bytes < copy->end)
        copy->end = bytes;
    return ftruncate(copy->fd, (off_t)copy->end) == 0 ||
           error_set(err, ERROR_TRANSIENT, "no room for the headers of %s (TMPDIR)", copy->key);
}

/* Whether the headers of a fragment that begins there were read: always all of them at once. */
static bool is_there(const struct copy *copy, uint64_t at, struct mp4_box *ret_box)
{
    struct error ignored = ERROR_INIT;
    struct mp4_box media;
    bool there;

    return mp4_box_read(copy->fd, at, copy->end, ret_box, &there, &ignored) && there &&
           mp4_is(ret_box->type, "moof") && ret_box->size_bytes < copy->end - at &&
           mp4_box_read(copy->fd, at + ret_box->size_bytes, copy->end, &media, &there, &ignored) &&
           there && mp4_is(media.type, "mdat");
}

/* From the first box to the last fragment. False when that can't be read. */
static bool fetch_headers(struct copy *copy, struct error *err)
{
    struct mp4_box box;
    uint64_t at = 0;
    bool movie = false, there;

    for (unsigned count = 0; !movie && count < MAX_LEADING; count++) {
        if (!fetch_box(copy, at, HEAD_BYTES, &box, err))
            return err->kind == ERROR_NONE;
        if (mp4_is(box.type, "mdat") && !look_for_lost_index(copy, &box, err))
            return false;
        movie = mp4_is(box.type, "moov");
        at += box.size_bytes;
        if (!movie && box.size_bytes > HEAD_BYTES)
            return true; /* media first: no recording in fragments */
    }
    if (!leave_out_rest(copy, err))
        return false;
    rescue_read_ahead(copy->object, copy->fd, at, copy->end);
    while (is_there(copy, at, &box) || fetch_box(copy, at, FRAGMENT_BYTES, &box, err)) {
        at += box.size_bytes;
        if (!mp4_is(box.type, "moof"))
            continue;
        copy->last_at = box.at;
        if (!mp4_box_read(copy->fd, at, copy->end, &box, &there, err) || !there)
            break;
        at += box.size_bytes; /* its media */
    }
    return err->kind == ERROR_NONE;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool hash_range(int fd, const struct part_range *range, enum digest_kind kind,
                       uint8_t *ret_digest)
{
    struct digest_stream *stream = digest_stream_open(kind);
    bool ok = stream && digest_stream_begin(stream);
    uint8_t piece[32768];

    for (uint64_t done = 0; ok && done < range->length;) {
        uint64_t left = range->length - done;
        size_t size = left < sizeof piece ? (size_t)left : sizeof piece;

        ok = read_at(fd, piece, size, range->offset + done) == (ssize_t)size &&
             digest_stream_update(stream, piece, size);
        done += size;
    }
    ok = ok && digest_stream_end(stream, ret_digest);
    digest_stream_close(stream);
    return ok;
}

/* Sends a part, or has it copied; its ETag goes to `body`. */
static bool make_part(struct copy *copy, const char *upload_id, unsigned number,
                      const struct part_range *range, bool changed, struct buffer *body,
                      struct error *err)
{
    char sha256[DIGEST_SHA256_HEX], md5[DIGEST_MD5_BASE64];
    uint8_t digest[DIGEST_SHA256_BYTES];
    struct s3_call call = {.operation = S3_UPLOAD_PART,
                           .key = copy->key,
                           .upload_id = upload_id,
                           .part_number = number,
                           .copy_from = changed ? NULL : copy->key,
                           .payload_sha256 = sha256,
                           .fd = copy->fd,
                           .offset = range->offset,
                           .length = range->length};
    struct s3_result result;
    bool ok;

    if (changed) {
        if (!hash_range(copy->fd, range, DIGEST_SHA256, digest))
            return error_set(err, ERROR_TRANSIENT, "no memory");
        digest_hex(digest, sizeof digest, sha256);
        if (copy->rescue->settings->s3_content_md5 &&
            hash_range(copy->fd, range, DIGEST_MD5, digest)) {
            digest_md5_base64(digest, md5);
            call.content_md5 = md5;
        }
    }
    if (!rescue_ask(copy->rescue, &call, &result, err))
        return false;
    ok = result.outcome == S3_DONE;
    if (ok)
        s3_xml_add_part(body, number, result.etag);
    else
        *err = result.error;
    s3_result_done(&result);
    return ok;
}

/* All parts by the plan of the recording's upload: those that hold bytes which the index changes
 * are sent. */
static bool make_parts(struct copy *copy, const char *upload_id, struct part_plan plan,
                       uint64_t size_bytes, struct buffer *body, struct error *err)
{
    unsigned count = part_count(plan, size_bytes);
    uint64_t changed_from = copy->last_at;

    if (count > S3_MAX_PARTS)
        return error_set(err, ERROR_PERMANENT, "%s has too many parts", copy->key);
    s3_xml_begin_complete(body);
    for (unsigned number = 1; number <= count; number++) {
        struct part_range range = part_range_in(plan, number, size_bytes);
        bool changed = number == 1 || range.offset + range.length > changed_from;

        if (!make_part(copy, upload_id, number, &range, changed, body, err))
            return false;
    }
    s3_xml_end_complete(body);
    return !body->failed || error_set(err, ERROR_TRANSIENT, "no memory");
}

/* Before the index is made: the media of the parts that are to be sent. */
static bool fetch_changing(struct copy *copy, struct part_plan plan, struct error *err)
{
    unsigned last = part_count(plan, copy->last_at + 1);
    uint64_t tail_at = part_range(plan, last).offset;
    uint64_t first_bytes = part_range(plan, 1).length;

    return fetch(copy, 0, first_bytes, err) &&
           (tail_at < first_bytes ? fetch(copy, first_bytes, copy->end, err)
                                  : fetch(copy, tail_at, copy->end, err));
}

static bool complete(struct copy *copy, const char *upload_id, const struct buffer *body,
                     uint64_t size_bytes, struct error *err)
{
    const struct s3_call call = {.operation = S3_COMPLETE_UPLOAD,
                                 .key = copy->key,
                                 .upload_id = upload_id,
                                 .replaces = true,
                                 .fd = -1,
                                 .body = body};
    struct s3_result result, head;
    bool ok;

    if (!rescue_ask_once(copy->rescue, &call, &result, err))
        return false;
    if (!rescue_head(copy->rescue, copy->key, &head, err)) {
        s3_result_done(&result);
        return false;
    }
    ok = head.outcome == S3_DONE && head.size_bytes == size_bytes &&
         !strcmp(head.mark, copy->head->mark);
    if (!ok && result.outcome != S3_DONE)
        *err = result.error;
    else if (!ok)
        error_set(err, ERROR_TRANSIENT, "%s is not there after it was completed", copy->key);
    s3_result_done(&result);
    s3_result_done(&head);
    return ok;
}

/* Puts the file in the object's place. */
static bool replace(struct copy *copy, struct part_plan plan, uint64_t size_bytes,
                    struct error *err)
{
    const struct s3_object_metadata metadata = {
        .mark = copy->head->mark,
        .session_id = copy->head->session_id[0] ? copy->head->session_id : NULL,
        .instance_id = copy->head->instance_id[0] ? copy->head->instance_id : NULL,
        .part_size_bytes = plan.base_bytes};
    const struct s3_call create = {.operation = S3_CREATE_UPLOAD,
                                   .key = copy->key,
                                   .content_type = "video/mp4",
                                   .metadata = &metadata,
                                   .fd = -1};
    struct s3_result created;
    struct buffer body;
    bool ok;

    if (!rescue_ask(copy->rescue, &create, &created, err))
        return false;
    buffer_init(&body, RESCUE_BODY_CEILING);
    ok = created.outcome == S3_DONE;
    if (!ok)
        *err = created.error;
    ok = ok && rescue_note_upload(copy->object, created.upload_id, err) &&
         make_parts(copy, created.upload_id, plan, size_bytes, &body, err) &&
         complete(copy, created.upload_id, &body, size_bytes, err);
    if (!ok && created.upload_id[0])
        rescue_abort(copy->rescue, copy->key, created.upload_id);
    buffer_done(&body);
    s3_result_done(&created);
    return ok;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* What the file in memory, which has the object's headers, tells and becomes. */
static bool make_index(struct copy *copy, struct rescue_result *result, struct error *err)
{
    struct part_plan plan = {.base_bytes = copy->head->part_size_bytes};
    struct mp4_index index;
    struct stat status;

    if (plan.base_bytes < S3_MIN_PART_BYTES || plan.base_bytes > S3_MAX_PART_BYTES)
        plan.base_bytes = copy->rescue->settings->s3_part_size_bytes;
    result->plays = mp4_index_look(copy->fd) == MP4_FRAGMENTED;
    if (!result->plays)
        return true;
    if (!fetch_changing(copy, plan, err) || !mp4_index_make(copy->fd, &index, err))
        return false;
    result->duration_ms = index.duration_ms;
    if (index.layout != MP4_INDEXED || fstat(copy->fd, &status) != 0)
        return error_set(err, ERROR_PERMANENT, "its fragments are not understood");
    if (!replace(copy, plan, (uint64_t)status.st_size, err))
        return false;
    result->indexed = true;
    result->bytes = (uint64_t)status.st_size;
    return true;
}

/* One that has its index already, from an earlier call or from its recorder. */
static bool look_at_indexed(struct copy *copy, struct rescue_result *result, struct error *err)
{
    struct mp4_index index;
    struct mp4_box box;

    if (!fetch_box(copy, 0, HEAD_BYTES, &box, err) ||
        !mp4_box_read(copy->fd, box.size_bytes, copy->end, &box, &result->plays, err))
        return err->kind == ERROR_NONE;
    result->plays =
        result->plays && mp4_is(box.type, "mdat") && box.size_bytes < copy->end - box.at;
    if (!result->plays)
        return true;
    if (!fetch(copy, box.at + box.size_bytes - HEADERS_BYTES, copy->end, err) ||
        !mp4_index_make(copy->fd, &index, err))
        return false;
    result->indexed = true; /* by the finalizer, or as it was recorded */
    result->plays = index.duration_ms > 0;
    result->duration_ms = index.duration_ms;
    return true;
}

/* Without a name, on a disk where there is one: each fragment takes a page or two. */
static int open_file(void)
{
    const char *const directories[] = {secure_getenv("TMPDIR"), "/var/tmp", "/tmp"};
    int fd = -1;

    for (size_t i = 0; fd < 0 && i < sizeof directories / sizeof *directories; i++)
        if (directories[i])
            fd = open(directories[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? memfd_create("recording", MFD_CLOEXEC) : fd;
}

bool rescue_index(struct rescue_object *object, struct rescue_result *result, struct error *err)
{
    const struct rescue *rescue = object->rescue;
    struct copy copy = {.rescue = rescue,
                        .key = object->key,
                        .head = &object->head,
                        .object = object,
                        .fd = -1,
                        .end = object->head.size_bytes};
    struct error failure = ERROR_INIT;
    char sentence[sizeof failure.text + 64];
    bool ok;

    if (!file_name_is_mp4(copy.key))
        return true;
    copy.fd = open_file();
    if (copy.fd < 0 || ftruncate(copy.fd, (off_t)copy.end) != 0) {
        close(copy.fd);
        return error_set(err, ERROR_TRANSIENT, "no room for the headers of %s (TMPDIR)", copy.key);
    }
    ok =
        fetch_headers(&copy, &failure) && (copy.last_at ? make_index(&copy, result, &failure)
                                                        : look_at_indexed(&copy, result, &failure));
    close(copy.fd);
    if (ok)
        return true;
    if (!result->plays || failure.kind == ERROR_STOPPED) {
        *err = failure;
        return false;
    }
    snprintf(sentence, sizeof sentence, "stays in fragments, which play as well: %s", failure.text);
    rescue->report(rescue->context, sentence);
    return true;
}
