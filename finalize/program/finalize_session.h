/*
 * finalize_session - brings one session directory's recording to its end, and tells how it goes.
 *
 * What Jibri's call, an operator's retry and the watcher's workers have in common: lines for the
 * log and progress on a terminal. The work itself is finalizer.h's.
 */
#pragma once

#include "config/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum finalize_session_caller {
    FINALIZE_SESSION_JIBRI,    /* waits at most CONFOMEET_FINALIZE_WAIT; 10 min
                                  where that is 0 and no watcher runs */
    FINALIZE_SESSION_OPERATOR, /* waits while there is progress */
    FINALIZE_SESSION_WATCHER   /* the same, and gives way to the other two */
};

/* What an operator may ask for, as in finalizer.h. Zero-initialised: the usual. */
struct finalize_session_options {
    bool retries_abandoned;
    bool notify_only;
    int32_t meeting_id;
};

/* Returns the program's exit code (explain.h). Stops in order on SIGTERM, SIGINT and SIGHUP:
 * *ret_stopped tells whether one of them came. */
int finalize_session(const struct settings *settings, const char *directory,
                     enum finalize_session_caller caller,
                     const struct finalize_session_options *options, bool *ret_stopped);
