/*
 * report_untracked - session directories that lie on the disk but are not in the journal.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/journal/journal_view.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>
#include <stdint.h>

struct report_untracked {
    char directory[SESSION_PATH_SIZE];
    char session_id[SESSION_NAME_SIZE];
    char media_name[SESSION_NAME_SIZE]; /* of the largest media file; "": none */
    unsigned files;                     /* directly in it; 0: none yet */
    uint64_t bytes;                     /* theirs */
    int64_t newest_at; /* when the last of them was written to; without any: the directory */
};

/*
 * Visits each directory of `recordings_dir` (resolved; one that isn't there holds none) that is not
 * known to `view` (NULL: knows none), in no order. Links and names that begin with a dot are passed
 * over, and so is what cannot be read.
 */
bool report_untracked_each(const char *recordings_dir, const char *media, struct journal_view *view,
                           bool (*visit)(void *context, const struct report_untracked *found,
                                         struct error *err),
                           void *context, struct error *err) __attribute__((warn_unused_result));
