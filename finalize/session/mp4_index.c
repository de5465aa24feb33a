#include "finalize/session/mp4_index.h"

#include "finalize/base/read_at.h"
#include "finalize/session/mp4_head.h"
#include "finalize/session/mp4_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LEADING  8u   /* boxes before moov */
#define SECTOR_BYTES 512u /* written as a whole or not at all, whatever happens */
#define MVHD_BYTES   108u
#define MFRO_BYTES   16u

struct work {
    int fd;
    bool only_looks;
    bool lost;        /* there was an index; its header was put back, unless it only looks */
    uint8_t head[16]; /* what that was put over */
    uint64_t movie_at;
    uint8_t *movie_bytes;
    struct mp4_movie movie;
    struct mp4_tables *tables[MP4_MAX_TRACKS];
    struct mp4_track_sums sums[MP4_MAX_TRACKS];
    struct mp4_walk walk;
};

static bool fail_to_read(struct error *err)
{
    return error_set_errno(err, ERROR_TRANSIENT, errno, "cannot read the recording to index it");
}

static bool fail_to_write(struct error *err)
{
    return error_set_errno(err, errno == EINTR ? ERROR_TRANSIENT : ERROR_PERMANENT, errno,
                           "cannot index the recording");
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A box header with the size in 64 bits only where it takes them. Its length. */
static size_t make_header(uint8_t bytes[16], const char *type, uint64_t size)
{
    mp4_put_number(bytes, 4, size > UINT32_MAX ? 1 : size);
    memcpy(bytes + 4, type, 4);
    mp4_put_number(bytes + 8, 8, size);
    return size > UINT32_MAX ? 16 : 8;
}

static bool cut_at(struct work *work, uint64_t at)
{
    work->walk.size_bytes = at;
    return ftruncate(work->fd, (off_t)at) == 0;
}

/* The file is to end with a whole box before the index is appended: an mdat box that was cut off
 * gets the size that is there, and a tail that is no box becomes a free box. */
static bool bound_tail(struct work *work)
{
    uint64_t length = work->walk.size_bytes - work->walk.tail_at;
    uint8_t bytes[16], old[8];
    size_t header_bytes;

    switch (work->walk.tail) {
    case MP4_TAIL_NONE:
        return true;
    case MP4_TAIL_INDEX:
        return cut_at(work, work->walk.tail_at);
    case MP4_TAIL_MEDIA:
        if (read_at(work->fd, old, sizeof old, work->walk.tail_at) != sizeof old)
            return false;
        make_header(bytes, "mdat", length);
        if (mp4_number(old, 4) == 1)
            return write_at(work->fd, bytes + 8, 8, work->walk.tail_at + 8) && fsync(work->fd) == 0;
        return write_at(work->fd, bytes, 4, work->walk.tail_at) && fsync(work->fd) == 0;
    case MP4_TAIL_OTHER:
        if (length < 8)
            return cut_at(work, work->walk.tail_at);
        header_bytes = make_header(bytes, "free", length);
        return write_at(work->fd, bytes, header_bytes, work->walk.tail_at) && fsync(work->fd) == 0;
    }
    return true;
}

/* A fragment whose last samples are missing is one for the index, which knows what is there, but
 * players of the fragments complain of it. */
static bool name_partial(struct work *work, const char *type)
{
    return !work->walk.partial_at || write_at(work->fd, type, 4, work->walk.partial_at + 4);
}

/* The moov box but for its tables; these get their places. The box's header comes first: it
 * identifies the index, even a partial one. */
static bool write_movie(struct work *work, const struct buffer *movie)
{
    size_t done = 0;
    uint64_t at = work->walk.size_bytes;
    bool ok = true;

    for (unsigned i = 0; ok && i < work->movie.track_count; i++) {
        struct mp4_track_sums *sums = &work->sums[i];

        ok = write_at(work->fd, movie->data + done, sums->tables_at - done, at);
        at += sums->tables_at - done;
        mp4_tables_write_at(work->tables[i], at);
        at += sums->tables_bytes;
        done = sums->tables_at;
    }
    return ok && write_at(work->fd, movie->data + done, movie->length - done, at);
}

/* From here on it is an ordinary file, and the index must stay. Less than a sector is written: all
 * of it, or nothing. */
static bool turn_into_media(struct work *work, uint64_t end)
{
    uint8_t bytes[16];
    size_t length = make_header(bytes, "mdat", end - work->movie_at);

    return write_at(work->fd, bytes, length, work->movie_at);
}

static void free_tables(struct work *work)
{
    for (unsigned i = 0; i < MP4_MAX_TRACKS; i++) {
        mp4_tables_free(work->tables[i]);
        work->tables[i] = NULL;
    }
}

/* Counts the samples for the tables; how long they play. */
static bool measure(struct work *work, struct mp4_index *index, struct error *err)
{
    free_tables(work);
    for (unsigned i = 0; i < work->movie.track_count; i++)
        if (!(work->tables[i] = mp4_tables_new(work->fd)))
            return error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "cannot index the recording");
    if (!mp4_walk(&work->walk, err))
        return false;
    for (unsigned i = 0; i < work->movie.track_count; i++)
        mp4_tables_sums(work->tables[i], &work->sums[i]);
    index->duration_ms = mp4_movie_duration_ms(&work->movie, work->sums);
    return true;
}

/* Fragments without an index play as well: all that are whole. */
static bool leave_fragments(struct work *work, uint64_t end, struct mp4_index *index,
                            struct error *err)
{
    if (!cut_at(work, end) || !name_partial(work, "free") || fsync(work->fd) != 0)
        return fail_to_write(err);
    work->walk.as_players_do = true;
    if (!measure(work, index, err))
        return false;
    index->layout = index->duration_ms ? MP4_FRAGMENTED : MP4_EMPTY;
    return true;
}

static bool is_full_disk(int errno_value)
{
    return errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG;
}

/* A writer that ends its recording puts the box mfra, whose last box is mfro, after all fragments,
 * which are to end at `end`. */
static bool look_for_end(const struct work *work, uint64_t end, struct mp4_index *index,
                         struct error *err)
{
    uint8_t type[4];
    ssize_t got = read_at(work->fd, type, sizeof type, end - MFRO_BYTES + 4);

    if (got < 0)
        return fail_to_read(err);
    index->cut_off = got < (ssize_t)sizeof type || !mp4_is((const char *)type, "mfro");
    return true;
}

static bool write_index(struct work *work, const struct buffer *movie, struct mp4_index *index,
                        struct error *err)
{
    struct error failure = ERROR_INIT;
    uint64_t end;
    bool ok;

    index->changed = true;
    ok = (name_partial(work, "moof") && bound_tail(work)) || fail_to_write(&failure);
    end = work->walk.size_bytes;
    ok = ok && look_for_end(work, end, index, &failure);
    if (ok && !write_movie(work, movie))
        ok = fail_to_write(&failure);
    ok = ok && mp4_walk(&work->walk, &failure);
    if (ok && (fsync(work->fd) != 0 || !turn_into_media(work, end)))
        ok = fail_to_write(&failure);
    if (ok) {
        index->layout = MP4_INDEXED;
        return fsync(work->fd) == 0 || fail_to_write(err);
    }
    if (is_full_disk(failure.sys_errno))
        return leave_fragments(work, end, index, err);
    *err = failure;
    return false;
}

/* ---- looking at a file ----------------------------------------------------------------------- */

/* How long the file plays whose moov box is `box`, by the mvhd box that it begins with. */
static bool read_duration(const struct work *work, const struct mp4_box *box, uint64_t *ret_ms,
                          struct error *err)
{
    uint8_t bytes[8 + MVHD_BYTES + 12];
    struct mp4_span rest = {bytes + 8, 0};
    uint64_t flags, ignored, timescale, duration;
    ssize_t got = read_at(work->fd, bytes, sizeof bytes, box->at + box->header_bytes);
    size_t wide;

    if (got < 0)
        return fail_to_read(err);
    rest.length = got > 8 ? (size_t)got - 8 : 0;
    if (!rest.length || !mp4_is((const char *)bytes + 4, "mvhd"))
        return true;
    wide = rest.bytes[0] == 1 ? 8 : 4;
    if (mp4_take(&rest, 4, &flags) && mp4_take(&rest, wide, &ignored) &&
        mp4_take(&rest, wide, &ignored) && mp4_take(&rest, 4, &timescale) && timescale &&
        mp4_take(&rest, wide, &duration))
        *ret_ms = (uint64_t)((unsigned __int128)duration * 1000 / timescale);
    return true;
}

/* A file whose media come first, as most do: its duration is in the moov box at its end. */
static bool look_at_ordinary(const struct work *work, struct mp4_box box, struct mp4_index *index,
                             struct error *err)
{
    struct mp4_box first = box;
    bool there = true;

    for (unsigned count = 0; there && count < MAX_LEADING; count++) {
        if (box.size_bytes > work->walk.size_bytes - box.at)
            return true;
        if (mp4_is(box.type, "moov")) {
            bool follows = mp4_is(first.type, "mdat") && first.at + first.size_bytes == box.at &&
                           box.at + box.size_bytes == work->walk.size_bytes;

            if (!read_duration(work, &box, &index->duration_ms, err) ||
                (follows && !mp4_head_was_fragments(work->fd, &first, &follows, err)))
                return false;
            if (follows)
                index->layout = MP4_INDEXED;
            return !follows || look_for_end(work, box.at, index, err);
        }
        if (!mp4_box_read(work->fd, box.at + box.size_bytes, work->walk.size_bytes, &box, &there,
                          err))
            return false;
    }
    return true;
}

static bool is_fragmented(struct mp4_span whole)
{
    struct mp4_view view;

    if (mp4_view_next(&whole, &view))
        for (whole = view.content; mp4_view_next(&whole, &view);)
            if (mp4_is(view.type, "mvex"))
                return true;
    return false;
}

/* Reads the moov box, and what else is needed for the walk. */
static bool read_movie(struct work *work, const struct mp4_box *box, bool *ret_fragmented,
                       struct error *err)
{
    size_t length = (size_t)box->size_bytes;

    work->movie_at = box->at;
    work->movie_bytes = malloc(length);
    if (!work->movie_bytes)
        return error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "cannot index the recording");
    if (read_at(work->fd, work->movie_bytes, length, box->at) != (ssize_t)length)
        return fail_to_read(err);
    work->movie.whole = (struct mp4_span){work->movie_bytes, length};
    work->walk.from = box->at + length;
    work->walk.movie = &work->movie;
    work->walk.tables = work->tables;
    *ret_fragmented = is_fragmented(work->movie.whole);
    work->walk.strange = *ret_fragmented && (box->at % SECTOR_BYTES + 16 > SECTOR_BYTES ||
                                             !mp4_movie_read(work->movie.whole, &work->movie));
    return true;
}

static bool index_fragments(struct work *work, struct mp4_index *index, struct error *err)
{
    struct buffer movie;
    bool ok = true;

    if (!work->walk.strange && !measure(work, index, err))
        return false;
    buffer_init(&movie, 2 * MP4_MAX_MOVIE_BYTES);
    if (!work->walk.strange && !index->duration_ms) {
        *index = (struct mp4_index){.layout = MP4_EMPTY, .cut_off = true};
    } else if (!work->walk.strange && mp4_movie_write(&work->movie, work->sums, &movie)) {
        index->cut_off = true;
        ok = write_index(work, &movie, index, err);
    } else if (movie.failed) {
        ok = error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "cannot index the recording");
    } else {
        *index = (struct mp4_index){.layout = MP4_STRANGE};
    }
    buffer_done(&movie);
    return ok;
}

static void free_work(struct work *work)
{
    free_tables(work);
    free(work->movie_bytes);
    free(work->walk.fragment_bytes);
}

/* Reads what comes before the first fragment; `ret_box` is the first box, if *ret_there. */
static bool read_head(struct work *work, struct mp4_box *ret_box, bool *ret_there,
                      bool *ret_fragmented, struct error *err)
{
    bool known_brand = false;
    struct stat status;

    *ret_there = *ret_fragmented = false;
    if (fstat(work->fd, &status) != 0)
        return fail_to_read(err);
    work->walk.size_bytes = (uint64_t)status.st_size;
    if (!mp4_head_find(work->fd, work->walk.size_bytes, ret_box, &known_brand, ret_there, err))
        return false;
    if (*ret_there && read_at(work->fd, work->head, sizeof work->head, ret_box->at) < 0)
        return fail_to_read(err);
    if ((*ret_there && !mp4_head_look(work->fd, work->walk.size_bytes, ret_box, !work->only_looks,
                                      &work->lost, err)) ||
        (work->lost &&
         !mp4_box_read(work->fd, ret_box->at, work->walk.size_bytes, ret_box, ret_there, err)))
        return false;
    if (*ret_there && mp4_is(ret_box->type, "moov") && ret_box->size_bytes <= MP4_MAX_MOVIE_BYTES &&
        ret_box->size_bytes <= work->walk.size_bytes - ret_box->at &&
        !read_movie(work, ret_box, ret_fragmented, err))
        return false;
    work->walk.strange |= !known_brand;
    return true;
}

enum mp4_layout mp4_index_look(int fd)
{
    struct mp4_index index = {.layout = MP4_ORDINARY};
    struct work work = {.fd = fd, .only_looks = true, .walk = {.fd = fd}};
    struct error ignored = ERROR_INIT;
    bool there, fragmented;
    struct mp4_box box;

    if (read_head(&work, &box, &there, &fragmented, &ignored)) {
        if ((fragmented || work.lost) && !work.walk.strange)
            index.layout = MP4_FRAGMENTED;
        else if (there && !fragmented)
            (void)look_at_ordinary(&work, box, &index, &ignored);
    }
    free_work(&work);
    return index.layout;
}

/* Where no index could be made after all, the file is left as it was found. */
static bool restore_head(struct work *work, const struct mp4_box *box, struct error *err)
{
    work->lost = false;
    return write_at(work->fd, work->head, sizeof work->head, box->at) || fail_to_write(err);
}

bool mp4_index_make(int fd, struct mp4_index *ret_index, struct error *err)
{
    struct mp4_index index = {.layout = MP4_ORDINARY};
    struct work work = {.fd = fd, .walk = {.fd = fd}};
    bool there, fragmented;
    struct mp4_box box;
    bool ok = read_head(&work, &box, &there, &fragmented, err);

    if (ok && fragmented)
        ok = index_fragments(&work, &index, err);
    else if (ok && there)
        ok = look_at_ordinary(&work, box, &index, err);
    if (ok && work.lost && index.layout != MP4_INDEXED && index.layout != MP4_FRAGMENTED)
        ok = restore_head(&work, &box, err);
    index.changed = index.changed || work.lost;
    free_work(&work);
    if (ok)
        *ret_index = index;
    return ok;
}
