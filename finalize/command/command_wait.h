/*
 * command_wait - jibri-finalize wait: until nothing is pending.
 */
#ifndef FINALIZE_COMMAND_WAIT_H
#define FINALIZE_COMMAND_WAIT_H

#include "finalize/command/command.h"

/* Returns the program's exit code: 0 all is safe, 1 a person is needed, 75 the time is over. */
int command_wait(const struct command_line *line);

#endif
