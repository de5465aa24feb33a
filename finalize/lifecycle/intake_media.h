/*
 * intake_media - what the content of a media file says, and the ordinary MP4 file that is made of a
 * fragmented one before it is uploaded.
 */
#ifndef FINALIZE_INTAKE_MEDIA_H
#define FINALIZE_INTAKE_MEDIA_H

#include "finalize/lifecycle/intake.h"

/*
 * Fills in whether the file, which `fd` reads, is complete, how long it plays, and whether it was
 * cut off. A fragmented MP4 file gets its index, on the disk, unless a process still writes to the
 * session: its identity and size are those of afterwards. That it can't be indexed is a remark, for
 * it plays as it is. ERROR_TRANSIENT when it can't be read.
 */
bool intake_media_look_into(const struct intake *intake, int fd, struct journal_file *file,
                            struct error *err) __attribute__((warn_unused_result));

#endif
