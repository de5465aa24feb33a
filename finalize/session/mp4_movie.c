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

/* One kind of samples, not encrypted. */
static enum mp4_verdict read_descriptions(const struct mp4_view *stsd)
{
    struct mp4_span rest = stsd->content;
    struct mp4_view entry;
    uint64_t flags, count;

    if (!mp4_take(&rest, 4, &flags) || !mp4_take(&rest, 4, &count) || count != 1 ||
        !mp4_view_next(&rest, &entry))
        return MP4_UNKNOWN;
    return memcmp(entry.type, "enc", 3) == 0 ? MP4_UNKNOWN : MP4_UNDERSTOOD;
}

static enum mp4_verdict read_samples(struct mp4_span rest)
{
    static const char *const TABLES[] = {"stts", "stsc", "stco", "co64", "ctts", "stss", NULL};
    enum mp4_verdict verdict = MP4_UNKNOWN; /* until there is stsd */
    struct mp4_view view;

    while (mp4_view_next(&rest, &view)) {
        if (mp4_is(view.type, "stsd"))
            verdict = read_descriptions(&view);
        else if (mp4_is(view.type, "stsz")
                     ? view.content.length != 12 || mp4_number(view.content.bytes + 4, 8) != 0
                     : !is_one_of(view.type, TABLES) || view.content.length != 8 ||
                           mp4_number(view.content.bytes + 4, 4) != 0)
            return MP4_UNKNOWN; /* samples outside of fragments, or what we don't know */
        if (verdict != MP4_UNDERSTOOD)
            return verdict;
    }
    return rest.length ? MP4_BROKEN : verdict;
}

static enum mp4_verdict read_media_information(struct mp4_span rest)
{
    static const char *const KEPT[] = {"vmhd", "smhd", "nmhd", "sthd", "hmhd", "dinf", NULL};
    enum mp4_verdict verdict = MP4_UNKNOWN;
    struct mp4_view view;
    bool samples = false;

    while (mp4_view_next(&rest, &view)) {
        if (mp4_is(view.type, "stbl") && !samples) {
            verdict = read_samples(view.content);
            if (verdict != MP4_UNDERSTOOD)
                return verdict;
            samples = true;
        } else if (!is_one_of(view.type, KEPT)) {
            return MP4_UNKNOWN;
        }
    }
    return rest.length ? MP4_BROKEN : verdict;
}

static enum mp4_verdict read_media(struct mp4_span rest, struct mp4_track *track)
{
    enum mp4_verdict verdict = MP4_UNKNOWN;
    struct mp4_view view;

    while (mp4_view_next(&rest, &view)) {
        if (mp4_is(view.type, "mdhd") && !track->timescale) {
            if (!read_after_times(&view, &track->timescale))
                return MP4_BROKEN;
        } else if (mp4_is(view.type, "minf") && verdict == MP4_UNKNOWN) {
            verdict = read_media_information(view.content);
            if (verdict != MP4_UNDERSTOOD)
                return verdict;
        } else if (!mp4_is(view.type, "hdlr") && !mp4_is(view.type, "elng")) {
            return MP4_UNKNOWN;
        }
    }
    return rest.length ? MP4_BROKEN : track->timescale ? verdict : MP4_UNKNOWN;
}

static enum mp4_verdict read_track(struct mp4_span rest, struct mp4_track *track)
{
    enum mp4_verdict verdict = MP4_UNKNOWN;
    struct mp4_view view;

    while (mp4_view_next(&rest, &view)) {
        if (mp4_is(view.type, "tkhd") && !track->id) {
            if (!read_after_times(&view, &track->id))
                return MP4_BROKEN;
        } else if (mp4_is(view.type, "mdia") && verdict == MP4_UNKNOWN) {
            verdict = read_media(view.content, track);
            if (verdict != MP4_UNDERSTOOD)
                return verdict;
        } else if (!mp4_is(view.type, "udta")) {
            return MP4_UNKNOWN; /* an edit list, a reference to another track, … */
        }
    }
    return rest.length ? MP4_BROKEN : track->id ? verdict : MP4_UNKNOWN;
}

static enum mp4_verdict read_defaults(struct mp4_span rest, struct mp4_movie *movie)
{
    struct mp4_view view;

    while (mp4_view_next(&rest, &view)) {
        uint64_t value[6];
        struct mp4_span body = view.content;
        bool whole = true;

        if (mp4_is(view.type, "mehd"))
            continue;
        if (!mp4_is(view.type, "trex"))
            return MP4_UNKNOWN;
        for (size_t i = 0; i < 6; i++)
            whole = mp4_take(&body, 4, &value[i]) && whole;
        if (!whole || value[2] != 1) /* the sample description */
            return MP4_UNKNOWN;
        for (unsigned i = 0; i < movie->track_count; i++)
            if (movie->tracks[i].id == value[1]) {
                movie->tracks[i].default_duration = (uint32_t)value[3];
                movie->tracks[i].default_size = (uint32_t)value[4];
                movie->tracks[i].default_flags = (uint32_t)value[5];
                movie->tracks[i].has_defaults = true;
            }
    }
    return rest.length ? MP4_BROKEN : MP4_UNDERSTOOD;
}

static enum mp4_verdict read_child(const struct mp4_view *view, struct mp4_movie *movie,
                                   bool *ret_fragmented)
{
    enum mp4_verdict verdict;

    if (mp4_is(view->type, "mvhd") && !movie->timescale)
        return read_after_times(view, &movie->timescale) ? MP4_UNDERSTOOD : MP4_BROKEN;
    if (mp4_is(view->type, "trak")) {
        if (movie->track_count == MP4_MAX_TRACKS)
            return MP4_UNKNOWN;
        verdict = read_track(view->content, &movie->tracks[movie->track_count]);
        for (unsigned i = 0; i < movie->track_count; i++)
            if (movie->tracks[i].id == movie->tracks[movie->track_count].id)
                return MP4_UNKNOWN;
        movie->track_count++;
        return verdict;
    }
    if (mp4_is(view->type, "mvex") && !*ret_fragmented) {
        *ret_fragmented = true;
        return read_defaults(view->content, movie);
    }
    return mp4_is(view->type, "udta") || mp4_is(view->type, "meta") ? MP4_UNDERSTOOD : MP4_UNKNOWN;
}

enum mp4_verdict mp4_movie_read(struct mp4_span whole, struct mp4_movie *ret_movie)
{
    struct mp4_movie movie = {.whole = whole};
    bool fragmented = false;
    struct mp4_view view;

    if (!mp4_view_next(&whole, &view) || !mp4_is(view.type, "moov"))
        return MP4_BROKEN;
    for (whole = view.content; mp4_view_next(&whole, &view);) {
        enum mp4_verdict verdict = read_child(&view, &movie, &fragmented);

        if (verdict != MP4_UNDERSTOOD)
            return verdict;
    }
    if (whole.length)
        return MP4_BROKEN;
    for (unsigned i = 0; i < movie.track_count; i++)
        if (!movie.tracks[i].has_defaults)
            return MP4_UNKNOWN;
    if (!fragmented || !movie.timescale || !movie.track_count)
        return MP4_UNKNOWN;
    *ret_movie = movie;
    return MP4_UNDERSTOOD;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct writing {
    const struct mp4_movie *movie;
    struct mp4_track_sums *sums; /* of the track that is written */
    const struct mp4_track *track;
    uint64_t all_tables_bytes;
    struct buffer *out;
    bool too_large;
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
        writing->too_large = true;
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
        writing->too_large = true; /* no room for what it must have */
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
    return !writing.too_large && !out->failed;
}
