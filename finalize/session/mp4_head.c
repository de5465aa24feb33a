#include "finalize/session/mp4_head.h"

#include "finalize/base/read_at.h"
#include "finalize/session/mp4_movie.h"

#include <errno.h>
#include <string.h>

#define MVHD_BYTES   108u /* as ffmpeg writes it; the first box of moov */
#define MAX_CHILDREN 64u
#define MAX_PADDING  8u
#define LEAST_BYTES  1024u

static bool is_known_brand(const uint8_t *brand)
{
    static const char *const BRANDS[] = {"isom", "iso2", "iso4", "iso5", "iso6", "mp41", "mp42"};

    for (size_t i = 0; i < sizeof BRANDS / sizeof *BRANDS; i++)
        if (memcmp(brand, BRANDS[i], 4) == 0)
            return true;
    return false;
}

bool mp4_head_find(int fd, uint64_t size_bytes, struct mp4_box *ret_box, bool *ret_known_brand,
                   bool *ret_there, struct error *err)
{
    uint8_t brand[4];
    ssize_t got;

    if (!mp4_box_read(fd, 0, size_bytes, ret_box, ret_there, err))
        return false;
    *ret_there = *ret_there && mp4_is(ret_box->type, "ftyp");
    if (!*ret_there)
        return true;
    got = read_at(fd, brand, sizeof brand, ret_box->header_bytes);
    if (got < 0)
        return error_set_errno(err, ERROR_TRANSIENT, errno,
                               "cannot read the recording to index it");
    *ret_known_brand = got == sizeof brand && is_known_brand(brand);
    for (unsigned count = 0; *ret_there && count < MAX_PADDING; count++) {
        *ret_there = ret_box->size_bytes <= size_bytes - ret_box->at;
        if (*ret_there && !mp4_box_read(fd, ret_box->at + ret_box->size_bytes, size_bytes, ret_box,
                                        ret_there, err))
            return false;
        if (*ret_there && !mp4_is(ret_box->type, "free") && !mp4_is(ret_box->type, "skip"))
            return true;
    }
    *ret_there = false;
    return true;
}

bool mp4_head_was_fragments(int fd, const struct mp4_box *media, bool *ret_was, struct error *err)
{
    struct mp4_box child;

    if (!mp4_box_read(fd, media->at + 8 + MVHD_BYTES, UINT64_MAX, &child, ret_was, err))
        return false;
    *ret_was = *ret_was && mp4_is(media->type, "mdat") && mp4_is(child.type, "trak") &&
               media->size_bytes >= LEAST_BYTES;
    return true;
}

/* Where the first fragment is; *ret_there is false when no box moov can end there. */
static bool find_fragment(int fd, uint64_t size_bytes, const struct mp4_box *media,
                          uint64_t *ret_at, bool *ret_there, struct error *err)
{
    uint64_t at = media->at + 8 + MVHD_BYTES;
    bool extends = false, found = false;

    for (unsigned count = 0; !found && count < MAX_CHILDREN; count++) {
        struct mp4_box child;

        if (!mp4_box_read(fd, at, size_bytes, &child, ret_there, err))
            return false;
        *ret_there = *ret_there && child.size_bytes <= MP4_MAX_MOVIE_BYTES - (at - media->at);
        if (!*ret_there)
            return true;
        found = mp4_is(child.type, "moof");
        extends = extends || mp4_is(child.type, "mvex");
        *ret_at = at;
        at += child.size_bytes;
    }
    *ret_there = extends && found;
    return true;
}

static bool has_index(int fd, uint64_t size_bytes, const struct mp4_box *media, bool *ret_has,
                      struct error *err)
{
    struct mp4_box index;

    *ret_has = media->size_bytes < size_bytes - media->at;
    if (*ret_has &&
        !mp4_box_read(fd, media->at + media->size_bytes, size_bytes, &index, ret_has, err))
        return false;
    *ret_has = *ret_has && mp4_is(index.type, "moov") && index.size_bytes <= size_bytes - index.at;
    return true;
}

bool mp4_head_look(int fd, uint64_t size_bytes, const struct mp4_box *media, bool put_back,
                   bool *ret_lost, struct error *err)
{
    uint8_t bytes[16] = {0, 0, 0, 0, 'm', 'o', 'o', 'v', 0, 0, 0, MVHD_BYTES, 'm', 'v', 'h', 'd'};
    uint64_t end = 0;
    bool indexed;

    if (!mp4_head_was_fragments(fd, media, ret_lost, err) ||
        (*ret_lost && !has_index(fd, size_bytes, media, &indexed, err)))
        return false;
    *ret_lost = *ret_lost && !indexed;
    if (*ret_lost && !find_fragment(fd, size_bytes, media, &end, ret_lost, err))
        return false;
    if (!*ret_lost || !put_back)
        return true;
    mp4_put_number(bytes, 4, end - media->at);
    return write_at(fd, bytes, media->header_bytes, media->at) ||
           error_set_errno(err, ERROR_PERMANENT, errno, "cannot index the recording");
}
