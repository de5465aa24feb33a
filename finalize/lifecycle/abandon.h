/*
 * abandon - takes a recording out of what is to be done: aborts its open uploads and says so in the
 * journal. Its files stay where they are.
 */
#pragma once

#include "finalize/lifecycle/leftover.h"
#include "finalize/lifecycle/run_options.h"

#include <stdbool.h>

struct abandon_options {
    bool can_ask; /* the settings are complete: the server can be asked to abort uploads */
    const char *reason;
};

/*
 * Gives up the recording of `path`, whose directory may be gone. Waits for the process that works
 * on it, which gives way if it is the watcher's. ERROR_STOPPED when the wait was stopped,
 * ERROR_NO_INPUT when neither the directory nor a row of it is there; ERROR_USAGE when it is safe
 * already: there is nothing to give up. `ret_result` is about its uploads; the watcher's
 * housekeeping tries those again that are left.
 */
bool abandon_recording(const struct run_options *options, const struct abandon_options *abandon,
                       const char *path, struct leftover_result *ret_result, struct error *err)
    __attribute__((warn_unused_result));
