/*
 * command_finalize - brings one session directory's recording to its end, and tells how it goes.
 *
 * What Jibri's call, an operator's retry and the watcher's workers have in common: lines for the
 * log and progress on a terminal. The work itself is finalizer.h's.
 */
#ifndef FINALIZE_COMMAND_FINALIZE_H
#define FINALIZE_COMMAND_FINALIZE_H

#include "config/settings.h"

/* Returns the program's exit code (explain.h). Stops in order on SIGTERM and SIGINT. */
int command_finalize(const struct settings *settings, const char *directory);

#endif
