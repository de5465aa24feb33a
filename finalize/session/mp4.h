/*
 * mp4 - whether an MP4 file was finished by its writer.
 */
#ifndef FINALIZE_MP4_H
#define FINALIZE_MP4_H

#include "finalize/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Looks for a 'moov' box at the top level of the file (ISO/IEC 14496-12): ffmpeg writes it last, so
 * a file without a whole one was cut off. Reads the headers of at most 100,000 boxes. *ret_complete
 * is false for anything that isn't such a file, an empty one among it. ERROR_TRANSIENT when it
 * can't be read.
 */
bool mp4_is_complete(int fd, uint64_t size_bytes, bool *ret_complete, struct error *err)
    __attribute__((warn_unused_result));

#endif
