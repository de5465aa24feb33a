#include "finalize/command/command_table.h"

#include "config/settings_table.h"
#include "finalize/report/report.h"

#include <stdio.h>
#include <string.h>

static const struct command_row rows[] = {
#define COMMAND(name, ...) {#name, command_##name, __VA_ARGS__},
#include "finalize/command/command_table.def"
#undef COMMAND
};

#define ROWS (sizeof rows / sizeof rows[0])

const struct command_row *command_table_find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}

void command_table_print(void)
{
    for (size_t i = 0; i < ROWS; i++)
        printf("  %-13s  %s\n", rows[i].name, rows[i].summary);
}

/* The help of an option on one line. */
static void print_flat(const char *text)
{
    for (; *text; text++)
        putchar(*text == '\n' ? ' ' : *text);
}

void command_table_print_completion(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        printf("command\t%s\t%s\t%s\n", rows[i].name, rows[i].summary,
               rows[i].takes_recordings ? "ids"
               : rows[i].takes_setting  ? "settings"
                                        : "");
        for (const struct command_option *option = rows[i].options; option->name; option++) {
            printf("option\t%s\t--%s\t%s\t", rows[i].name, option->name,
                   option->value ? option->value : "");
            print_flat(option->help);
            putchar('\n');
        }
        printf("option\t%s\t--help\t\twhat it does, with examples\n", rows[i].name);
    }
    for (unsigned i = 0; i < REPORT_STATES; i++)
        printf("state\t%s\n", report_state_name((enum report_state)i));
    for (size_t i = 0; i < settings_table_length; i++)
        printf("setting\t%s\n", settings_table[i].name);
}
