/*
 * abandon - takes a recording out of what is to be done: aborts its open uploads and says so in the
 * journal. Its files stay where they are.
 */
#ifndef FINALIZE_ABANDON_H
#define FINALIZE_ABANDON_H

#include "finalize/lifecycle/run_options.h"

#include <stdbool.h>

struct abandon_options {
    bool can_ask; /* the settings are complete: the server can be asked to abort uploads */
    const char *reason;
};

struct abandon_result {
    unsigned aborted; /* uploads */
    unsigned left;    /* uploads that could not be aborted; the watcher tries again */
    struct error why; /* of the first of them */
};

/*
 * Gives up the recording of `path`, whose directory may be gone. Waits for the process that works
 * on it, which gives way if it is the watcher's. ERROR_STOPPED when the wait was stopped,
 * ERROR_NO_INPUT when neither the directory nor a row of it is there; ERROR_USAGE when it is safe
 * already: there is nothing to give up.
 */
bool abandon_recording(const struct run_options *options, const struct abandon_options *abandon,
                       const char *path, struct abandon_result *ret_result, struct error *err)
    __attribute__((warn_unused_result));

#endif
