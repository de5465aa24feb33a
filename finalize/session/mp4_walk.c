#include "finalize/session/mp4_walk.h"

#include "finalize/base/read_at.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_BOXES 8000000u /* at the top level; twelve hours have 86,400 */

static bool add_sample(void *context, const struct mp4_sample *sample)
{
    struct mp4_walk *walk = context;

    return mp4_tables_add(walk->tables[sample->track], sample);
}

static void end_at(struct mp4_walk *walk, enum mp4_tail tail, uint64_t at)
{
    walk->tail = tail;
    walk->tail_at = at;
}

static bool make_room(struct mp4_walk *walk, size_t length, struct error *err)
{
    uint8_t *more = length > walk->fragment_room ? realloc(walk->fragment_bytes, length) : NULL;

    if (more) {
        walk->fragment_bytes = more;
        walk->fragment_room = length;
    }
    return length <= walk->fragment_room ||
           error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "cannot index the recording");
}

/* The fragment whose moof box is `box`; *ret_at becomes its end. False at the end of the walk. */
static bool walk_fragment(struct mp4_walk *walk, const struct mp4_box *box, uint64_t *ret_at,
                          bool *ret_goes_on, struct error *err)
{
    size_t length = (size_t)(box->size_bytes - box->header_bytes);
    struct mp4_fragment fragment = {.at = box->at};
    enum mp4_verdict verdict;
    struct mp4_box media;
    bool there;

    *ret_goes_on = false;
    if (!mp4_box_read(walk->fd, box->at + box->size_bytes, walk->size_bytes, &media, &there, err))
        return false;
    if (!there || !mp4_is(media.type, "mdat")) {
        /* A fragment that an earlier call hid as a free box is passed over; it is not the tail. */
        *ret_goes_on = mp4_is(box->type, "free");
        if (!*ret_goes_on)
            end_at(walk, MP4_TAIL_OTHER, box->at);
        *ret_at = box->at + box->size_bytes;
        return true;
    }
    if (!make_room(walk, length, err))
        return false;
    fragment.content = (struct mp4_span){walk->fragment_bytes, length};
    if (read_at(walk->fd, walk->fragment_bytes, length, box->at + box->header_bytes) !=
        (ssize_t)length)
        return error_set_errno(err, ERROR_TRANSIENT, errno,
                               "cannot read the recording to index it");
    fragment.media_begin = media.at + media.header_bytes;
    fragment.media_end = walk->size_bytes - media.at < media.size_bytes
                             ? walk->size_bytes
                             : media.at + media.size_bytes;
    verdict = mp4_fragment_each(walk->movie, &fragment, NULL, NULL);
    walk->partial_at = verdict == MP4_PARTIAL ? box->at : 0;
    if (verdict == MP4_UNDERSTOOD || verdict == MP4_PARTIAL)
        verdict = mp4_fragment_each(walk->movie, &fragment, add_sample, walk);
    if (verdict == MP4_UNKNOWN)
        walk->strange = true;
    else if (verdict == MP4_BROKEN)
        end_at(walk, MP4_TAIL_OTHER, box->at);
    else if (walk->size_bytes - media.at < media.size_bytes)
        end_at(walk, MP4_TAIL_MEDIA, media.at);
    else
        *ret_goes_on = true;
    *ret_at = media.at + media.size_bytes;
    return true;
}

/* What may lie between fragments and says nothing of samples. */
static bool is_passed_over(const char *type)
{
    static const char *const TYPES[] = {"mfra", "free", "skip", "sidx",
                                        "styp", "prft", "emsg", "uuid"};

    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (mp4_is(type, TYPES[i]))
            return true;
    return false;
}

static bool is_fragment(const struct mp4_walk *walk, const struct mp4_box *box)
{
    uint8_t first[8];

    if (box->size_bytes > MP4_MAX_FRAGMENT_BYTES)
        return false;
    return mp4_is(box->type, "moof") ||
           (!walk->as_players_do && mp4_is(box->type, "free") &&
            read_at(walk->fd, first, sizeof first, box->at + box->header_bytes) == sizeof first &&
            mp4_is((const char *)first + 4, "mfhd"));
}

/* One box of the top level; *ret_at becomes its end. */
static bool walk_box(struct mp4_walk *walk, uint64_t *ret_at, bool *ret_goes_on, struct error *err)
{
    struct mp4_box box;
    bool there, whole;

    if (!mp4_box_read(walk->fd, *ret_at, walk->size_bytes, &box, &there, err))
        return false;
    *ret_goes_on = false;
    whole = there && box.size_bytes <= walk->size_bytes - box.at;
    if (there && mp4_is(box.type, "moov") && box.size_bytes >= walk->size_bytes - box.at) {
        end_at(walk, MP4_TAIL_INDEX, box.at);
        return true;
    }
    if (whole && is_fragment(walk, &box))
        return walk_fragment(walk, &box, ret_at, ret_goes_on, err);
    if (whole && is_passed_over(box.type)) {
        *ret_at += box.size_bytes;
        *ret_goes_on = true;
        return true;
    }
    walk->strange = whole;
    end_at(walk, MP4_TAIL_OTHER, *ret_at);
    return true;
}

bool mp4_walk(struct mp4_walk *walk, struct error *err)
{
    uint64_t at = walk->from;
    bool goes_on = at < walk->size_bytes;

    end_at(walk, MP4_TAIL_NONE, walk->size_bytes);
    for (unsigned count = 0; goes_on && !walk->strange; count++) {
        if (count == MAX_BOXES)
            walk->strange = true;
        else if (!walk_box(walk, &at, &goes_on, err))
            return false;
        goes_on = goes_on && at < walk->size_bytes;
    }
    for (unsigned i = 0; i < walk->movie->track_count; i++)
        if (!mp4_tables_end(walk->tables[i])) {
            if (errno)
                return error_set_errno(err, ERROR_PERMANENT, errno, "cannot index the recording");
            walk->strange = true;
        }
    return true;
}
