#include "finalize/lifecycle/intake_media.h"

#include "finalize/session/file_name.h"
#include "finalize/session/mp4_box.h"
#include "finalize/session/mp4_index.h"
#include "finalize/session/open_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void remark_on(const struct intake_media *media, const char *path,
                      const struct mp4_index *index)
{
    uint64_t seconds = index->duration_ms / 1000;
    char sentence[128];

    switch (index->layout) {
    case MP4_ORDINARY:
    case MP4_EMPTY:
        return;
    case MP4_INDEXED:
        if (!index->cut_off || !index->changed)
            return;
        snprintf(sentence, sizeof sentence,
                 "was cut off: it plays up to %" PRIu64 ":%02u:%02u, and is uploaded as it is",
                 seconds / 3600, (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
        break;
    case MP4_FRAGMENTED:
        snprintf(sentence, sizeof sentence,
                 "stays in fragments, which play as well: the disk has no room for an index");
        break;
    case MP4_STRANGE:
        snprintf(sentence, sizeof sentence,
                 "has fragments that are not understood: it is uploaded as it is");
        break;
    }
    media->remark(media->context, path, sentence);
}

/* Best effort: a file that plays in fragments is uploaded so. */
static void make_index(const struct intake_media *media, struct journal_file *file, bool *ret_empty)
{
    struct error failure = ERROR_INIT;
    struct file_identity identity;
    struct mp4_index index;
    int fd;

    if (open_writer_in(session_dir_path(media->session_dir)) == OPEN_WRITER_THERE ||
        !session_dir_open_file_to_write(media->session_dir, file->path, &fd, &failure))
        return;
    if (mp4_index_make(fd, &index, &failure)) {
        remark_on(media, file->path, &index);
        file->duration_ms = index.duration_ms;
        file->cut_off = index.cut_off;
        *ret_empty = index.layout == MP4_EMPTY;
    } else {
        media->remark(media->context, file->path, failure.text);
    }
    if (session_dir_identify(fd, &identity)) {
        file->identity = identity;
        file->object_bytes = identity.size_bytes;
    }
    close(fd);
}

bool intake_media_look_into(const struct intake_media *media, int fd, struct journal_file *file,
                            struct error *err)
{
    bool complete = true, empty = false;

    file->duration_ms = 0;
    file->cut_off = false;
    if (file_name_is_mp4(file->path)) {
        make_index(media, file, &empty);
        if (!mp4_is_complete(fd, file->identity.size_bytes, &complete, err))
            return false;
    }
    file->incomplete = !complete || empty;
    if (!complete)
        media->remark(
            media->context, file->path,
            "has no moov box: the recording was cut off; it is uploaded and marked incomplete");
    else if (empty)
        media->remark(media->context, file->path,
                      "has no frame: it is uploaded and marked incomplete");
    return true;
}
