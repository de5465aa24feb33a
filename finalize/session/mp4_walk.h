/*
 * mp4_walk - over the fragments of a file, from the first to where they end.
 */
#pragma once

#include "finalize/session/mp4_tables.h"

/* What is left after the last whole box. */
enum mp4_tail {
    MP4_TAIL_NONE,
    MP4_TAIL_MEDIA, /* an mdat that is to be longer */
    MP4_TAIL_INDEX, /* the index of an earlier call */
    MP4_TAIL_OTHER  /* what was to become a box, or damage */
};

struct mp4_walk {
    int fd;
    uint64_t size_bytes;     /* of the file; what is after it isn't looked at */
    uint64_t from;           /* the first box */
    uint8_t *fragment_bytes; /* of the moof box; grows, and is the caller's to free */
    size_t fragment_room;
    bool as_players_do; /* or else a free box with the content of a moof box is one, too: a fragment
                           whose last samples are missing is hidden so on a full disk */
    const struct mp4_movie *movie;
    struct mp4_tables **tables; /* of its tracks */

    /* What it found. */
    enum mp4_tail tail;
    uint64_t tail_at;
    uint64_t partial_at; /* the last fragment, when samples of it are missing; 0: all are there */
    bool strange;        /* not understood: nothing else is told */
};

/* Gives all samples to the tables, and ends their round. ERROR_TRANSIENT when the file can't be
 * read, ERROR_PERMANENT when the tables can't be written. */
bool mp4_walk(struct mp4_walk *walk, struct error *err) __attribute__((warn_unused_result));
