#include "finalize/session/mp4_movie.h"

#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_one_of(const char *type, const char *const *names)
{
    for (; *names; names++)
        if (mp4_is(type, *names))
            return true;
    return false;
}

/* The times of mvhd, tkhd and mdhd are of 32 bits in version 0, of 64 in version 1. */
static size_t time_bytes(const struct mp4_view *view)
{
    return view->content.length && view->content.bytes[0] == 1 ? 8 : 4;
}

/* The number of 32 bits that follows the two times: a timescale, or a track's id. */
static bool read_after_times(const struct mp4_view *view, uint32_t *ret_number)
{
    size_t at = 4 + 2 * time_bytes(view);

    if (view->content.length < at + 4 || view->content.bytes[0] > 1)
        return false;
    *ret_number = (uint32_t)mp4_number(view->content.bytes + at, 4);
    return *ret_number > 0;
}

/* A box that may be in another one. */
struct child {
    char type[5]; /* "" ends a list */
    bool once;    /* it has to be there, and only once */
    bool (*read)(const struct mp4_view *view, void *context); /* NULL: kept as it is */
};

/* False when there is something that is not in the list, or that isn't as it has to be. */
static bool read_children(struct mp4_span rest, const struct child *children, void *context)
{
    const struct child *child;
    struct mp4_view view;
    unsigned seen = 0;

    while (mp4_view_next(&rest, &view)) {
        for (child = children; child->type[0] && !mp4_is(view.type, child->type);)
            child++;
        if (!child->type[0] || (child->once && seen >> (child - children) & 1) ||
            (child->read && !child->read(&view, context)))
            return false;
        seen |= 1u << (child - children);
    }
    for (child = children; child->type[0]; child++)
        if (child->once && !(seen >> (child - children) & 1))
            return false;
    return !rest.length;
}

/* One kind of samples, not encrypted. */
static bool read_descriptions(const struct mp4_view *stsd, void *context)
{
    struct mp4_span rest = stsd->content;
    struct mp4_view entry;
    uint64_t flags, count;

    (void)context;
    return mp4_take(&rest, 4, &flags) && mp4_take(&rest, 4, &count) && count == 1 &&
           mp4_view_next(&rest, &entry) && memcmp(entry.type, "enc", 3) != 0;
}

/* All samples are in fragments. */
static bool read_empty_table(const struct mp4_view *table, void *context)
{
    size_t length = mp4_is(table->type, "stsz") ? 12 : 8;

    (void)context;
    return table->content.length == length && !mp4_number(table->content.bytes + 4, length - 4);
}

static bool read_samples(const struct mp4_view *stbl, void *context)
{
    static const struct child CHILDREN[] = {{"stsd", true, read_descriptions},
                                            {"stts", false, read_empty_table},
                                            {"stsc", false, read_empty_table},
                                            {"stsz", false, read_empty_table},
                                            {"stco", false, read_empty_table},
                                            {"co64", false, read_empty_table},
                                            {"ctts", false, read_empty_table},
                                            {"stss", false, read_empty_table},
                                            {"", false, NULL}};

    return read_children(stbl->content, CHILDREN, context);
}

static bool read_media_information(const struct mp4_view *minf, void *context)
{
    static const struct child CHILDREN[] = {{"stbl", true, read_samples}, {"vmhd", false, NULL},
                                            {"smhd", false, NULL},        {"nmhd", false, NULL},
                                            {"sthd", false, NULL},        {"hmhd", false, NULL},
                                            {"dinf", false, NULL},        {"", false, NULL}};

    return read_children(minf->content, CHILDREN, context);
}

static bool read_track_timescale(const struct mp4_view *mdhd, void *context)
{
    return read_after_times(mdhd, &((struct mp4_track *)context)->timescale);
}

static bool read_media(const struct mp4_view *mdia, void *context)
{
    static const struct child CHILDREN[] = {{"mdhd", true, read_track_timescale},
                                            {"minf", true, read_media_information},
                                            {"hdlr", false, NULL},
                                            {"elng", false, NULL},
                                            {"", false, NULL}};

    return read_children(mdia->content, CHILDREN, context);
}

static bool read_track_id(const struct mp4_view *tkhd, void *context)
{
    return read_after_times(tkhd, &((struct mp4_track *)context)->id);
}

static bool read_track(const struct mp4_view *trak, void *context)
{
    static const struct child CHILDREN[] = {{"tkhd", true, read_track_id},
                                            {"mdia", true, read_media},
                                            {"udta", false, NULL},
                                            {"", false, NULL}};
    struct mp4_movie *movie = context;
    struct mp4_track *track = &movie->tracks[movie->track_count];

    if (movie->track_count == MP4_MAX_TRACKS || !read_children(trak->content, CHILDREN, track))
        return false;
    for (unsigned i = 0; i < movie->track_count; i++)
        if (movie->tracks[i].id == track->id)
            return false;
    movie->track_count++;
    return true;
}

static bool read_track_defaults(const struct mp4_view *trex, void *context)
{
    struct mp4_movie *movie = context;
    struct mp4_span rest = trex->content;
    uint64_t value[6];

    for (size_t i = 0; i < 6; i++)
        if (!mp4_take(&rest, 4, &value[i]))
            return false;
    for (unsigned i = 0; i < movie->track_count; i++)
        if (movie->tracks[i].id == value[1]) {
            movie->tracks[i].default_duration = (uint32_t)value[3];
            movie->tracks[i].default_size = (uint32_t)value[4];
            movie->tracks[i].default_flags = (uint32_t)value[5];
            movie->tracks[i].has_defaults = true;
        }
    return value[2] == 1; /* the sample description */
}

static bool read_defaults(const struct mp4_view *mvex, void *context)
{
    static const struct child CHILDREN[] = {
        {"mehd", false, NULL}, {"trex", false, read_track_defaults}, {"", false, NULL}};

    return read_children(mvex->content, CHILDREN, context);
}

static bool read_movie_timescale(const struct mp4_view *mvhd, void *context)
{
    return read_after_times(mvhd, &((struct mp4_movie *)context)->timescale);
}

bool mp4_movie_read(struct mp4_span whole, struct mp4_movie *ret_movie)
{
    static const struct child CHILDREN[] = {{"mvhd", true, read_movie_timescale},
                                            {"trak", false, read_track},
                                            {"mvex", true, read_defaults},
                                            {"udta", false, NULL},
                                            {"meta", false, NULL},
                                            {"", false, NULL}};
    struct mp4_movie movie = {.whole = whole};
    struct mp4_view view;

    if (!mp4_view_next(&whole, &view) || !mp4_is(view.type, "moov") ||
        !read_children(view.content, CHILDREN, &movie))
        return false;
    for (unsigned i = 0; i < movie.track_count; i++)
        if (!movie.tracks[i].has_defaults)
            return false;
    *ret_movie = movie;
    return movie.track_count > 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct writing {
    const struct mp4_movie *movie;
    struct mp4_track_sums *sums; /* of the track that is written */
    const struct mp4_track *track;
    uint64_t all_tables_bytes;
    struct buffer *out;
    bool not_possible;
};

/* In units of the movie's timescale, rounded up: a sample's end is within. */
static uint64_t in_movie_time(const struct mp4_movie *movie, const struct mp4_track *track,
                              uint64_t time)
{
    unsigned __int128 product = (unsigned __int128)time * movie->timescale;

    return (uint64_t)((product + track->timescale - 1) / track->timescale);
}

static uint64_t movie_duration(const struct mp4_movie *movie, const struct mp4_track_sums *sums)
{
    uint64_t longest = 0;

    for (unsigned i = 0; i < movie->track_count; i++) {
        uint64_t time = in_movie_time(movie, &movie->tracks[i], sums[i].start + sums[i].duration);

        if (sums[i].duration && time > longest)
            longest = time;
    }
    return longest;
}

uint64_t mp4_movie_duration_ms(const struct mp4_movie *movie, const struct mp4_track_sums *sums)
{
    return (uint64_t)((unsigned __int128)movie_duration(movie, sums) * 1000 / movie->timescale);
}

static void put_number(struct buffer *out, uint64_t number, size_t count)
{
    uint8_t bytes[8];

    mp4_put_number(bytes, count, number);
    buffer_append(out, bytes, count);
}

static size_t begin_box(struct buffer *out, const char *type)
{
    size_t at = out->length;

    put_number(out, 0, 4);
    buffer_append(out, type, 4);
    return at;
}

/* `more`: bytes that are to be put into it. */
static void end_box(struct writing *writing, size_t at, uint64_t more)
{
    struct buffer *out = writing->out;
    uint64_t size = out->failed ? 0 : out->length - at + more;

    if (size > UINT32_MAX)
        writing->not_possible = true;
    else if (!out->failed)
        mp4_put_number((uint8_t *)out->data + at, 4, size);
}

/* mvhd, tkhd or mdhd with another duration, which `between` bytes part from the times. */
static void put_timed(struct writing *writing, const struct mp4_view *view, size_t between,
                      uint64_t duration)
{
    struct mp4_span rest = view->content;
    size_t size = time_bytes(view), new_size = duration > UINT32_MAX ? 8 : size;
    uint64_t flags, created, changed, ignored;
    size_t at = begin_box(writing->out, view->type);

    mp4_take(&rest, 4, &flags);
    mp4_take(&rest, size, &created);
    mp4_take(&rest, size, &changed);
    put_number(writing->out, (new_size == 8 ? 0x1000000u : 0) | (flags & 0xffffff), 4);
    put_number(writing->out, created, new_size);
    put_number(writing->out, changed, new_size);
    if (rest.length < between + size) {
        writing->not_possible = true; /* no room for what it must have */
        return;
    }
    buffer_append(writing->out, rest.bytes, between);
    rest.bytes += between;
    rest.length -= between;
    mp4_take(&rest, size, &ignored);
    put_number(writing->out, duration, new_size);
    buffer_append(writing->out, rest.bytes, rest.length);
    end_box(writing, at, 0);
}

/* A track that begins later than the movie: first nothing, then all of it. */
static void put_edits(struct writing *writing)
{
    const struct mp4_track_sums *sums = writing->sums;
    size_t edts = begin_box(writing->out, "edts"), elst = begin_box(writing->out, "elst");

    put_number(writing->out, 0x1000000, 4);
    put_number(writing->out, 2, 4);
    put_number(writing->out, in_movie_time(writing->movie, writing->track, sums->start), 8);
    put_number(writing->out, UINT64_MAX, 8); /* -1: an empty edit */
    put_number(writing->out, 0x10000, 4);
    put_number(writing->out, in_movie_time(writing->movie, writing->track, sums->duration), 8);
    put_number(writing->out, 0, 8);
    put_number(writing->out, 0x10000, 4);
    end_box(writing, elst, 0);
    end_box(writing, edts, 0);
}

static void put_child(struct writing *writing, const struct mp4_view *view);

/* The box with its children, and the track's tables in it. */
static void put_container(struct writing *writing, const struct mp4_view *view)
{
    struct mp4_span rest = view->content;
    size_t at = begin_box(writing->out, view->type);
    struct mp4_view child;

    while (mp4_view_next(&rest, &child))
        put_child(writing, &child);
    if (mp4_is(view->type, "stbl"))
        writing->sums->tables_at = writing->out->length;
    end_box(writing, at, writing->sums->tables_bytes);
}

static void put_child(struct writing *writing, const struct mp4_view *view)
{
    static const char *const CONTAINERS[] = {"mdia", "minf", "stbl", NULL};
    static const char *const EMPTY_TABLES[] = {"stts", "stsc", "stsz", "stco",
                                               "co64", "ctts", "stss", NULL};
    const struct mp4_track_sums *sums = writing->sums;

    if (mp4_is(view->type, "tkhd")) {
        put_timed(writing, view, 8,
                  in_movie_time(writing->movie, writing->track,
                                sums->duration ? sums->start + sums->duration : 0));
        if (sums->start && sums->duration)
            put_edits(writing);
    } else if (mp4_is(view->type, "mdhd")) {
        put_timed(writing, view, 4, sums->duration);
    } else if (is_one_of(view->type, CONTAINERS)) {
        put_container(writing, view);
    } else if (!is_one_of(view->type, EMPTY_TABLES)) {
        buffer_append(writing->out, view->whole.bytes, view->whole.length);
    }
}

bool mp4_movie_write(const struct mp4_movie *movie, struct mp4_track_sums *sums, struct buffer *out)
{
    struct writing writing = {.movie = movie, .out = out};
    struct mp4_span rest = movie->whole;
    struct mp4_view view;
    unsigned track = 0;
    size_t at;

    if (!mp4_view_next(&rest, &view))
        return false;
    at = begin_box(out, "moov");
    for (rest = view.content; mp4_view_next(&rest, &view);) {
        if (mp4_is(view.type, "mvhd")) {
            put_timed(&writing, &view, 4, movie_duration(movie, sums));
        } else if (mp4_is(view.type, "trak")) {
            writing.track = &movie->tracks[track];
            writing.sums = &sums[track++];
            writing.all_tables_bytes += writing.sums->tables_bytes;
            put_container(&writing, &view);
        } else if (!mp4_is(view.type, "mvex")) {
            buffer_append(out, view.whole.bytes, view.whole.length);
        }
    }
    end_box(&writing, at, writing.all_tables_bytes);
    return !writing.not_possible && !out->failed;
}
