/*
 * command_events - jibri-finalize events: the history of a recording.
 */
#ifndef FINALIZE_COMMAND_EVENTS_H
#define FINALIZE_COMMAND_EVENTS_H

#include "finalize/command/command.h"

/* Returns the program's exit code. */
int command_events(const struct command_line *line);

#endif
