/*
 * housekeeping - what is to be tidied up when nothing else is to be done: kept copies whose time is
 * over, uploads that will not be completed, history that is old.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"

#include <stdbool.h>

struct housekeeping {
    const struct settings *settings;
    const char *recordings_dir; /* absolute, links resolved */
    int stop_fd;                /* as in run_options.h */
    bool (*stop_requested)(void *context);
    /* Something was done, or could not be; `session_id` "" when it's about no session. */
    void (*remark)(void *context, bool fine, const char *session_id, const char *sentence);
    void *context;
};

/* All of it, once, for the journal of the recordings directory. Fails only when the journal does,
 * or memory. */
bool housekeeping_run(const struct housekeeping *housekeeping, struct error *err)
    __attribute__((warn_unused_result));
