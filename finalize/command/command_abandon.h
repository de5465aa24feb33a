/*
 * command_abandon - jibri-finalize abandon: a person gives a recording up.
 */
#ifndef FINALIZE_COMMAND_ABANDON_H
#define FINALIZE_COMMAND_ABANDON_H

#include "finalize/command/command.h"

/* Returns the program's exit code. */
int command_abandon(const struct command_line *line);

#endif
