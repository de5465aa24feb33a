/*
 * removal - freeing the disk of what is safe, as far as the keep-local policy allows.
 *
 * A media file goes once its row says SAFE: confirmed in the bucket, and known to the backend. The
 * other files go once every media file of the session is safe, since a person who has to repair
 * something wants them at hand.
 */
#ifndef FINALIZE_REMOVAL_H
#define FINALIZE_REMOVAL_H

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>
#include <stdint.h>

struct removal {
    const struct settings *settings; /* all borrowed */
    struct journal *journal;
    struct session_dir *session_dir; /* its lock is held */
    int64_t recording_id;
    /* A local copy was removed; "" for the directory. */
    void (*removed)(void *context, const char *path);
    void *context;
};

/*
 * Removes what may go at `now`, then the directory when it is empty. ERROR_CHANGED when a file is
 * not the one that was uploaded: it stays; the others are removed all the same.
 */
bool removal_run(const struct removal *removal, int64_t now, bool *ret_directory_removed,
                 struct error *err) __attribute__((warn_unused_result));

#endif
