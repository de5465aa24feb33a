/*
 * mp4_movie - the `moov` box of a fragmented MP4 file: its tracks, and the same box as an ordinary
 * file has it, with durations and room for tables of samples.
 *
 * Refuses damaged boxes, and contents that an index may not preserve (edit lists, encryption,
 * samples in the box itself, …).
 */
#pragma once

#include "finalize/base/buffer.h"
#include "finalize/session/mp4_box.h"

#define MP4_MAX_TRACKS      8u
#define MP4_MAX_MOVIE_BYTES (1u << 20)

struct mp4_track {
    uint32_t id;
    uint32_t timescale;        /* units a second */
    uint32_t default_duration; /* of a sample; these three from `trex` */
    uint32_t default_size;
    uint32_t default_flags;
    bool has_defaults;
};

struct mp4_movie {
    struct mp4_span whole; /* the box; borrowed */
    uint32_t timescale;
    struct mp4_track tracks[MP4_MAX_TRACKS];
    unsigned track_count;
};

/* `whole`: the box with its header. False when it is refused. */
bool mp4_movie_read(struct mp4_span whole, struct mp4_movie *ret_movie);

/* What the ordinary file's box says of a track. */
struct mp4_track_sums {
    uint64_t start;        /* when its first sample is due, in its timescale */
    uint64_t duration;     /* from `start` on */
    uint64_t tables_bytes; /* room for its tables */
    size_t tables_at;      /* set by mp4_movie_write(): their offset in `out` */
};

/* The playing time in milliseconds: that of the longest track. */
uint64_t mp4_movie_duration_ms(const struct mp4_movie *movie, const struct mp4_track_sums *sums);

/* Writes the box without the tables, and sets `tables_at` in `sums`. False when the box would need
 * a size of more than 32 bits, or lacks room for a required value. Also false, with `out->failed`
 * set, when memory runs out. */
bool mp4_movie_write(const struct mp4_movie *movie, struct mp4_track_sums *sums,
                     struct buffer *out);
