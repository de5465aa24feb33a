/*
 * safety - what "safe" means, said once: of a file by its row, of a recording by the rows of its
 * files.
 *
 * A file is safe when its object was confirmed in the bucket and, for a media file, the backend
 * accepted the notice or is not to be told. Then, and only then, its local copy may go; how long it
 * is kept is the lifecycle's. Finalizer, report, metrics and webhook ask here.
 */
#pragma once

#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stdint.h>

/* "pending", "uploaded", "safe", "gone", "withheld": as in JSON. */
extern const char *const safety_file_states[];

bool safety_file_is_safe(const struct journal_file *file);
/* Safe, and the local copy was not removed yet; in SQL it is JOURNAL_SQL_MAY_GO. */
bool safety_may_go(const struct journal_file *file);

/* The files of a recording, counted. All-zero: none. */
struct safety {
    unsigned files;
    unsigned media;
    unsigned safe;
    unsigned media_safe;
    unsigned kept;    /* of the safe ones, those that still have a local copy */
    unsigned waiting; /* not safe yet, and no person is needed */
    unsigned refused; /* in the bucket, but the backend refused the notice */
    unsigned gone;    /* vanished from the disk before they were safe */
    unsigned pending; /* whose objects cannot be in the bucket yet */
    unsigned withheld;
    unsigned incomplete; /* media files that were cut off */
    uint64_t safe_bytes; /* of objects */
    uint64_t safe_ms;    /* how long the safe media files play that have a known duration */
    unsigned timeless;   /* safe media files that have none */
};

void safety_add(struct safety *safety, const struct journal_file *file);
bool safety_load(struct journal *journal, int64_t recording_id, struct safety *ret_safety,
                 struct error *err) __attribute__((warn_unused_result));

/* A recording is safe when none of its files, media or not, is still to be uploaded or announced,
 * and none vanished before it was in the bucket. In SQL it is JOURNAL_SQL_IS_UNSAFE. */
bool safety_is_safe(const struct safety *safety);
