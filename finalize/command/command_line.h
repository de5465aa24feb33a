/*
 * command_line - one operator's command as it was typed, read by its row of the table of commands.
 *
 * The row is all there is to know of a command: its options are what is accepted, what --help shows
 * and what shells complete. Knows nothing of what a command does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_LINE_MOST_OPTIONS 9

struct command_line;

struct command_option {
    const char *name;  /* without "--"; NULL ends the list */
    const char *value; /* what the help calls its value: D a duration, S states; NULL: none */
    const char *help;  /* a few words; a line feed where the help is to break */
    char letter;       /* of its short form; 0: it has none */
};

struct command_row {
    const char *name;
    int (*run)(const struct command_line *line); /* returns the program's exit code */
    const char *summary;                         /* in the program's own help */
    const char *usage;                           /* what follows the name, a line for each form */
    const char *about;
    bool takes_recordings; /* as arguments: by directory or ID */
    bool takes_setting;    /* as argument: its name */
    struct command_option options[COMMAND_LINE_MOST_OPTIONS + 1];
    const char *outcome; /* exit codes and examples */
};

struct command_line {
    const char *config; /* the file of settings; NULL: the default one, or none */
    const struct command_row *row;
    const char *values[COMMAND_LINE_MOST_OPTIONS]; /* by option; NULL: not given */
    char **names;                                  /* the arguments, ended by NULL */
    size_t count;                                  /* of names */
};

/*
 * Reads the words from the command's name on. False when there is nothing more to do: help was
 * asked for, or the line cannot be used; it was printed, and *ret_code is the exit code.
 */
bool command_line_read(const struct command_row *row, const char *config, int argc, char **argv,
                       struct command_line *ret_line, int *ret_code)
    __attribute__((warn_unused_result));

/* The value of one of the row's options, "" for one that takes none; NULL: not given. */
const char *command_line_value(const struct command_line *line, const char *option);

/* Says on standard error that the line cannot be used, and returns the exit code. */
int command_line_misused(const struct command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
