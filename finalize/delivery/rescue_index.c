/*
 * rescue_index - a completed recording in fragments becomes an ordinary mp4, as the finalizer makes
 * it of a file (mp4_index.h): of the object, only what that looks at is read, the boxes' headers,
 * into a file without a name that has holes where the media are. Of the media, only those are read
 * that lie in the same part as bytes which change: the first part's and the tail's.
 */
#include "finalize/delivery/rescue_private.h"

#include "finalize/base/read_at.h"
#include "finalize/session/file_name.h"
#include "finalize/session/mp4_box.h"
#include "finalize/session/mp4_head.h"
#include "finalize/session/mp4_index.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
        if (mp4_is(box.type, "mdat") || (!movie && box.size_bytes > HEAD_BYTES))
            return true; /* media first: not in fragments, or not any more */
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

/* ---- all of it ------------------------------------------------------------------------------- */

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

/* What the file in memory, which has the object's headers, tells and becomes. */
static bool make_index(struct copy *copy, struct rescue_result *result, struct error *err)
{
    struct rescue_file file = {.fd = copy->fd,
                               .changed_from = copy->last_at,
                               .plan = {.base_bytes = copy->object->head.part_size_bytes}};
    struct mp4_index index;
    struct stat status;

    if (file.plan.base_bytes < S3_MIN_PART_BYTES || file.plan.base_bytes > S3_MAX_PART_BYTES)
        file.plan.base_bytes = copy->rescue->settings->s3_part_size_bytes;
    result->plays = mp4_index_look(copy->fd) == MP4_FRAGMENTED;
    if (!result->plays)
        return true;
    if (!fetch_changing(copy, file.plan, err) || !mp4_index_make(copy->fd, &index, err))
        return false;
    result->duration_ms = index.duration_ms;
    if (index.layout != MP4_INDEXED || fstat(copy->fd, &status) != 0)
        return error_set(err, ERROR_PERMANENT, "its fragments are not understood");
    file.size_bytes = (uint64_t)status.st_size;
    if (!rescue_replace(copy->object, &file, err))
        return false;
    result->indexed = true;
    result->bytes = file.size_bytes;
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
