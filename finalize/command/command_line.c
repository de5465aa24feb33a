#include "finalize/command/command_line.h"

#include "finalize/base/error.h"
#include "finalize/program/explain.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_OPTION 'h'
#define FIRST_LONG  256 /* what getopt_long() returns for the first of the row's options */

/* ---- help ------------------------------------------------------------------------------------ */

/* Prints `text` and a line feed; its own line feeds are followed by `margin` and `indent` blanks.
 */
static void print_lines(const char *text, const char *margin, unsigned indent)
{
    for (; *text; text++) {
        putchar(*text);
        if (*text == '\n')
            printf("%*s%s", (int)indent, "", margin);
    }
    putchar('\n');
}

static unsigned width_of(const struct command_option *option)
{
    return (unsigned)(strlen("--") + strlen(option->name) +
                      (option->value ? strlen(option->value) + 1 : 0));
}

static void print_help(const struct command_row *row)
{
    unsigned width = (unsigned)strlen("--help");
    char prefix[128];

    for (const struct command_option *option = row->options; option->name; option++)
        if (width_of(option) > width)
            width = width_of(option);
    snprintf(prefix, sizeof prefix, "jibri-finalize [--config FILE] %s%s", row->name,
             row->usage[0] ? " " : "");
    printf("Usage: %s", prefix);
    print_lines(row->usage, prefix, (unsigned)strlen("Usage: "));
    printf("\n%s\n\n", row->about);
    if (row->takes_recordings) {
        printf("  %-*s  ", (int)width, "ID");
        print_lines("a session id or its first 4 characters or more, a number of\n"
                    "the column ID of status, or a meeting id with one recording",
                    "", width + 4);
    }
    for (const struct command_option *option = row->options; option->name; option++) {
        printf("  --%s%s%-*s  ", option->name, option->value ? " " : "",
               (int)(width - strlen("--") - strlen(option->name) - (option->value ? 1 : 0)),
               option->value ? option->value : "");
        print_lines(option->help, "", width + 4);
    }
    printf("  %-*s  this text\n\n%s", (int)width, "--help", row->outcome);
}

/* ---- reading --------------------------------------------------------------------------------- */

int command_line_misused(const struct command_line *line, const char *format, ...)
{
    struct error err = ERROR_INIT;
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(&err, ERROR_USAGE, "%s", text); /* takes control characters out */
    fprintf(stderr, "jibri-finalize: %s; what to do: see jibri-finalize %s --help\n", err.text,
            line->row->name);
    return EXPLAIN_EXIT_USAGE;
}

/* The row's options as getopt_long() wants them. */
static void fill_options(const struct command_row *row,
                         struct option long_options[COMMAND_LINE_MOST_OPTIONS + 2],
                         char letters[COMMAND_LINE_MOST_OPTIONS + 2])
{
    size_t count = 0;

    *letters++ = HELP_OPTION;
    for (; row->options[count].name; count++) {
        const struct command_option *option = &row->options[count];

        long_options[count] =
            (struct option){option->name, option->value ? required_argument : no_argument, NULL,
                            FIRST_LONG + (int)count};
        if (option->letter)
            *letters++ = option->letter;
    }
    long_options[count++] = (struct option){"help", no_argument, NULL, HELP_OPTION};
    long_options[count] = (struct option){0};
    *letters = 0;
}

static int index_of_letter(const struct command_row *row, int letter)
{
    for (int i = 0; row->options[i].name; i++)
        if (row->options[i].letter == letter)
            return i;
    return -1;
}

bool command_line_read(const struct command_row *row, const char *config, int argc, char **argv,
                       struct command_line *ret_line, int *ret_code)
{
    struct option long_options[COMMAND_LINE_MOST_OPTIONS + 2];
    char letters[COMMAND_LINE_MOST_OPTIONS + 2];
    int option;

    *ret_line = (struct command_line){.config = config, .row = row};
    fill_options(row, long_options, letters);
    optind = 0; /* resets getopt, which main() has used on its own command line */
    opterr = 0;
    while ((option = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        int index = option >= FIRST_LONG ? option - FIRST_LONG : index_of_letter(row, option);

        if (option == HELP_OPTION) {
            print_help(row);
            *ret_code = EXPLAIN_EXIT_OK;
            return false;
        }
        if (index < 0) {
            *ret_code = command_line_misused(ret_line, "unknown option, or one without its value");
            return false;
        }
        ret_line->values[index] = optarg ? optarg : "";
    }
    ret_line->names = argv + optind;
    ret_line->count = (size_t)(argc - optind);
    return true;
}

const char *command_line_value(const struct command_line *line, const char *option)
{
    for (size_t i = 0; line->row->options[i].name; i++)
        if (!strcmp(line->row->options[i].name, option))
            return line->values[i];
    assert(false && "an option that the row does not have");
    return NULL;
}
