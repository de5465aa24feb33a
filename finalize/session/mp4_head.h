/*
 * mp4_head - the head of a recording in fragments whose index was lost after it had been made
 * (mp4_index.h): what the header of the mdat box covers of the first moov box is known, and so the
 * fragments can be had again.
 */
#pragma once

#include "finalize/session/mp4_box.h"

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
