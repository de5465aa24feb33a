/*
 * mp4_head - the first boxes of an MP4 file; above all, of a recording in fragments whose index was
 * lost after it had been made (mp4_index.h). The header of its mdat box was written over that of
 * the first moov box, which is known but for its size, and the boxes in it tell that: so the
 * fragments can be had again.
 */
#pragma once

#include "finalize/session/mp4_box.h"

/*
 * The first box after ftyp and padding (free, skip). *ret_there is false when the file doesn't
 * begin as an MP4 file; else *ret_known_brand tells whether ftyp names a brand that is known.
 * ERROR_TRANSIENT when it can't be read.
 */
bool mp4_head_find(int fd, uint64_t size_bytes, struct mp4_box *ret_box, bool *ret_known_brand,
                   bool *ret_there, struct error *err) __attribute__((warn_unused_result));

/*
 * `media`: the first box of a file of `size_bytes`, but for ftyp and padding. *ret_lost tells
 * whether it is the mdat box of an indexed recording whose index isn't there, or not whole. Then,
 * if `put_back`, the header of the moov box is written over it: less than a sector. ERROR_TRANSIENT
 * or ERROR_PERMANENT when the file can't be read or written.
 */
bool mp4_head_look(int fd, uint64_t size_bytes, const struct mp4_box *media, bool put_back,
                   bool *ret_lost, struct error *err) __attribute__((warn_unused_result));

/* Whether `media`, an mdat box, was made of the moov box of a recording in fragments. */
bool mp4_head_was_fragments(int fd, const struct mp4_box *media, bool *ret_was, struct error *err)
    __attribute__((warn_unused_result));
