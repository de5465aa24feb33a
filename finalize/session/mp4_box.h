/*
 * mp4_box - the boxes that an MP4 file is made of (ISO/IEC 14496-12): size, type, content.
 *
 * Sizes come from the file and are believed only as far as there are bytes. Knows nothing of what
 * the boxes mean.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A box of a file. */
struct mp4_box {
    char type[4];
    uint64_t at;
    uint64_t header_bytes; /* 8, or 16 with a size of 64 bits */
    uint64_t size_bytes;   /* as stated, header included: may be more than the file has */
};

/* Bytes in memory; borrowed. */
struct mp4_span {
    const uint8_t *bytes;
    size_t length;
};

/* A box in memory. */
struct mp4_view {
    char type[4];
    struct mp4_span whole, content;
};

/*
 * Reads the header of the box at `at` of a file that ends at `end`. *ret_there is false when there
 * is no whole header, or one whose size can't be (less than itself; 0, "to the end", which no
 * finished box of a recorder has). ERROR_TRANSIENT when the file can't be read.
 */
bool mp4_box_read(int fd, uint64_t at, uint64_t end, struct mp4_box *ret_box, bool *ret_there,
                  struct error *err) __attribute__((warn_unused_result));

/* Takes the next box off `rest`. False at its end (rest->length is 0 then) and where the bytes are
 * no whole box. */
bool mp4_view_next(struct mp4_span *rest, struct mp4_view *ret_view);

bool mp4_is(const char *type, const char *name); /* four characters */

/* Numbers are big-endian, of 1 to 8 bytes. */
uint64_t mp4_number(const uint8_t *bytes, size_t count);
void mp4_put_number(uint8_t *bytes, size_t count, uint64_t number);

/* Takes a number off `rest`; false, and 0, when it has fewer bytes. */
bool mp4_take(struct mp4_span *rest, size_t count, uint64_t *ret_number);

/*
 * Looks for a 'moov' box at the top level of the file (ISO/IEC 14496-12): ffmpeg writes it last, so
 * a file without a whole one was cut off. Reads the headers of at most 100,000 boxes. *ret_complete
 * is false for anything that isn't such a file, an empty one among it. ERROR_TRANSIENT when it
 * can't be read.
 */
bool mp4_is_complete(int fd, uint64_t size_bytes, bool *ret_complete, struct error *err)
    __attribute__((warn_unused_result));
