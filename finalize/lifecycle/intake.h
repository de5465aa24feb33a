/*
 * intake - brings the journal's rows of a recording up to date with what is in its directory.
 *
 * A new file gets a row and a mark. A file that is not what its row says gets whatever is needed
 * so that the object of its earlier content is not taken for the new one. A file that
 * vanished before it was in the bucket is noted as gone.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/journal/journal.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>
#include <stdint.h>

/* In a row, in place of the file's mtime: its content was never looked at, since it grows or could
 * not be read. */
#define INTAKE_NEVER_LOOKED_INTO INT64_MIN

struct intake {
    const struct settings *settings; /* all borrowed */
    struct journal *journal;
    struct session_dir *session_dir;
    struct journal_recording *row; /* meeting URL and share flag are filled in */
    bool moved; /* the recordings directory is another than before: inodes tell nothing */
    struct rng *rng;
    /* Something that is passed over, kept back, gone or begun again, as one sentence. */
    void (*remark)(void *context, const char *path, const char *sentence);
    /* A file that cannot be read. `file`: its row, with the error; id 0: it has none. */
    void (*failed)(void *context, const struct journal_file *file, const struct error *error);
    void *context;
};

struct intake_result {
    unsigned files;                          /* regular files in the directory */
    uint64_t pending_bytes;                  /* of files that are not confirmed in the bucket */
    char main_media_name[SESSION_NAME_SIZE]; /* of the first media file; "" when there is none */
};

/*
 * Counts the regular files of the directory, touching nothing. ERROR_USAGE when it is no session's
 * directory but one of session directories, or one that everybody may write to (/tmp): taking it
 * for a session would upload, and then remove, what was not meant.
 */
bool intake_survey(struct session_dir *session_dir, const char *media, unsigned *ret_files,
                   struct error *err) __attribute__((warn_unused_result));

/*
 * What cannot be read is told by `failed` and looked at again by the next call; the rest goes on.
 * Fails when the journal does, or memory. Holds no transaction while it reads.
 */
bool intake_run(const struct intake *intake, struct intake_result *ret_result, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Brings the row of one file that is still being written up to date, or makes it; what is in the
 * file is not looked at. *ret_usable is false, and nothing written, when its row is not that of a
 * file that only grew and was never finished: that one is for intake_run().
 */
bool intake_growing(const struct intake *intake, const struct session_dir_file *found,
                    struct journal_file *ret_file, bool *ret_usable, struct error *err)
    __attribute__((warn_unused_result));
