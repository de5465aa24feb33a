/*
 * command_retry - jibri-finalize retry: upload again now what waits or failed.
 */
#ifndef FINALIZE_COMMAND_RETRY_H
#define FINALIZE_COMMAND_RETRY_H

#include "finalize/command/command.h"

/* Returns the program's exit code: the worst of all recordings. */
int command_retry(const struct command_line *line);

/* Which of two exit codes says more: a person is needed before later before all is well. */
int command_retry_worse(int a, int b);

#endif
