/*
 * command_finalize - brings one session directory's recording to its end, and tells how it goes.
 *
 * What Jibri's call, an operator's retry and the watcher's workers have in common: lines for the
 * log and progress on a terminal. The work itself is finalizer.h's.
 */
#ifndef FINALIZE_COMMAND_FINALIZE_H
#define FINALIZE_COMMAND_FINALIZE_H

#include "config/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum command_finalize_caller {
    COMMAND_FINALIZE_JIBRI,    /* who waits for at most CONFOMEET_FINALIZE_WAIT */
    COMMAND_FINALIZE_OPERATOR, /* who waits for as long as something moves */
    COMMAND_FINALIZE_WATCHER   /* who does so, too, and gives way to the others */
};

/* Returns the program's exit code (explain.h). Stops in order on SIGTERM and SIGINT. */
int command_finalize(const struct settings *settings, const char *directory,
                     enum command_finalize_caller caller);

/* What an operator may want of it, as in finalizer.h. Zero-initialised: the usual. */
struct command_finalize_wishes {
    bool retries_abandoned;
    bool notify_only;
    int32_t meeting_id;
};

/* The same for an operator. *ret_stopped tells whether one of those signals came. */
int command_finalize_again(const struct settings *settings, const char *directory,
                           const struct command_finalize_wishes *wishes, bool *ret_stopped);

#endif
