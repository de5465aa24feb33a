/*
 * intake_media - what the content of a media file says, and the ordinary MP4 file that is made of a
 * fragmented one before it is uploaded.
 */
#pragma once

#include "finalize/journal/journal.h"
#include "finalize/session/session_dir.h"

struct intake_media {
    struct session_dir *session_dir;
    /* Something that a person may want to know, as one sentence. */
    void (*remark)(void *context, const char *path, const char *sentence);
    void *context;
};

/*
 * Fills in whether the file, which `fd` reads, is complete, how long it plays, and whether it was
 * cut off. A fragmented MP4 file gets its index, on the disk, unless a process still writes to the
 * session: its identity and size are those of afterwards. That it can't be indexed is a remark, for
 * it plays as it is. ERROR_TRANSIENT when it can't be read.
 */
bool intake_media_look_into(const struct intake_media *media, int fd, struct journal_file *file,
                            struct error *err) __attribute__((warn_unused_result));
