/*
 * housekeeping - what is to be tidied up when nobody works: kept copies whose time is over, uploads
 * that nobody will complete, recordings that vanished, history that is old.
 */
#ifndef FINALIZE_HOUSEKEEPING_H
#define FINALIZE_HOUSEKEEPING_H

#include "config/settings.h"
#include "finalize/base/error.h"

#include <stdbool.h>

struct housekeeping {
    const struct settings *settings;
    const char *recordings_dir; /* absolute, links resolved */
    int stop_fd;                /* as in finalizer.h */
    bool (*stop_requested)(void *context);
    /* Something was done, or could not be; `session_id` "" when it's about no session. */
    void (*remark)(void *context, bool fine, const char *session_id, const char *sentence);
    void *context;
};

/* All of it, once, for the journal of the recordings directory. Fails only when the journal does,
 * or memory. */
bool housekeeping_run(const struct housekeeping *housekeeping, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Gives up the recording of `directory`, which has not been there for long: aborts its uploads, and
 * the journal says of its files that they are gone. ERROR_CHANGED when the directory is there
 * again, or when the recordings directory is on another file system than the files were.
 */
bool housekeeping_give_up_vanished(const struct housekeeping *housekeeping, const char *directory,
                                   struct error *err) __attribute__((warn_unused_result));

#endif
