/*
 * command_status - jibri-finalize status: is my recording safe?
 */
#ifndef FINALIZE_COMMAND_STATUS_H
#define FINALIZE_COMMAND_STATUS_H

#include "finalize/command/command.h"

/* Returns the program's exit code: 0 all well, 1 a person is needed, 75 something is under way. */
int command_status(const struct command_line *line);

/* What the states of recordings mean for the exit code. */
int command_status_code(unsigned states);

#endif
