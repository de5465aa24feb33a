/*
 * mp4_fragment - the samples of a fragment: what a `moof` box says of the `mdat` that follows it.
 */
#pragma once

#include "finalize/session/mp4_movie.h"

#define MP4_MAX_FRAGMENT_BYTES (1u << 20) /* of a `moof`; a second takes about 1 KiB */

enum mp4_verdict {
    MP4_UNDERSTOOD,
    MP4_PARTIAL, /* understood, but not all of its samples are there */
    MP4_UNKNOWN, /* a layout that is not understood: to be left alone */
    MP4_BROKEN   /* no such box at all: cut off, or damaged */
};

struct mp4_fragment {
    struct mp4_span content; /* of the moof box; borrowed */
    uint64_t at;             /* of the moof box in the file */
    uint64_t media_begin;    /* the bytes in the mdat box that the file has */
    uint64_t media_end;      /* samples beyond it are not there: it was cut off */
};

struct mp4_sample {
    unsigned track; /* index in the movie */
    bool begins_run;
    bool sync;   /* decodable by itself */
    uint64_t at; /* in the file */
    uint32_t size;
    uint32_t duration;
    uint64_t dts; /* when it is decoded; shown `cts` later */
    int64_t cts;
};

/*
 * Visits the samples that are wholly there, in the order of the tracks' runs. `visit` may be NULL:
 * then it is only checked; what is found to be MP4_UNDERSTOOD or MP4_PARTIAL is so again. `visit`
 * returns false to end it: MP4_UNKNOWN.
 */
enum mp4_verdict mp4_fragment_each(const struct mp4_movie *movie,
                                   const struct mp4_fragment *fragment,
                                   bool (*visit)(void *context, const struct mp4_sample *sample),
                                   void *context);
