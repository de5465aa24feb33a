/*
 * command_table - the operators' commands, one row each: handler, usage, options and help.
 *
 * A new command is its file, its row in command_table.def, and its section in the manual. Help and
 * the shells' completion come from the rows.
 */
#pragma once

#include "finalize/command/command_line.h"

/* The handlers: `status` is command_status(), in command_status.c. */
#define COMMAND(name, ...) int command_##name(const struct command_line *line);
#include "finalize/command/command_table.def"
#undef COMMAND

/* NULL: no command has that name. */
const struct command_row *command_table_find(const char *name);

/* The commands' names and summaries, as in the program's help. */
void command_table_print(void);

/*
 * What shells complete, for the scripts in completion/: lines of fields that are separated by tabs.
 * "command", name, summary, what it takes ("ids" of recordings, "settings" or nothing); "option",
 * command, option, what its value is called, help; "state", name; "setting", name.
 */
void command_table_print_completion(void);
