/*
 * mp4_index - makes an ordinary MP4 file of a fragmented one, in its place.
 *
 *   ftyp moov' [moof mdat] [moof mdat] … mfra        as it is written: plays at any instant
 *   ftyp moov' [moof mdat] [moof mdat] … mfra moov   the index is appended and synced
 *   ftyp mdat( [moof mdat] [moof mdat] … mfra) moov  8 bytes (16 above 4 GiB) are patched and
 * synced
 *
 * No media is moved, none is removed. Each of these can be told from the others, so that the work
 * is repeated, with the same result, wherever it was ended: an index that isn't whole, or not used
 * yet, is cut off and written again. One that was lost later (of a copy that lacks its end) is made
 * again from the fragments that are there. Memory does not grow with the length of the recording.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum mp4_layout {
    MP4_ORDINARY,   /* not fragmented, or not an MP4 file at all: not touched */
    MP4_INDEXED,    /* it was fragmented and has its index, now or since an earlier call */
    MP4_FRAGMENTED, /* fragmented, and left so: no room for the index on the disk */
    MP4_EMPTY,      /* fragmented, without any sample: nothing to play */
    MP4_STRANGE     /* fragmented in a way that is not understood: not touched */
};

struct mp4_index {
    enum mp4_layout layout;
    bool cut_off;         /* its writer did not end it */
    uint64_t duration_ms; /* how long it plays: of a recording that was cut off, until when.
                             0: not known */
    bool changed;         /* this call wrote to the file */
};

/*
 * `fd`: the file, open for reading and writing, which no process writes to any more.
 * ERROR_TRANSIENT or ERROR_PERMANENT with errno when it can't be read or written (but for a full
 * disk); what was done until then is one of the states above, or a tail that is bounded by a box.
 */
bool mp4_index_make(int fd, struct mp4_index *ret_index, struct error *err)
    __attribute__((warn_unused_result));

/*
 * What the head of a file tells, and its end where that is indexed: MP4_FRAGMENTED when
 * mp4_index_make() is made for it, MP4_INDEXED, or MP4_ORDINARY for all else. Writes nothing; an
 * error in reading it is no error.
 */
enum mp4_layout mp4_index_look(int fd);
