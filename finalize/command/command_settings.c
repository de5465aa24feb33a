/* command_settings - jibri-finalize settings: what each setting means, and what is in effect. */
#include "config/settings_names.h"
#include "config/settings_table.h"
#include "finalize/command/command.h"
#include "finalize/command/command_table.h"
#include "finalize/program/explain.h"

#include <string.h>
#include <unistd.h>

static int show(const struct command_line *line, const struct settings_row *row)
{
    const char *path = line->config ? line->config : settings_default_file();
    const char *const *environment = (const char *const *)environ;
    struct settings_problems problems;
    struct settings settings;
    bool usable = settings_load(environment, path, &settings, &problems);

    /* The others may be wrong. */
    usable =
        settings_write_description(row, &settings, &problems, environment, path, stdout) || usable;
    settings_done(&settings);
    settings_problems_done(&problems);
    if (usable)
        return EXPLAIN_EXIT_OK;
    fflush(stdout);
    fprintf(stderr, "jibri-finalize: %s cannot be used; what to do: set it as shown above\n",
            row->name);
    return EXPLAIN_EXIT_SETTINGS;
}

int command_settings(const struct command_line *line)
{
    const char *name = line->names[0], *nearest;
    const struct settings_row *row;

    if (line->count > 1)
        return command_line_misused(line, "more than one name given");
    if (!name) {
        settings_write_descriptions(stdout);
        return EXPLAIN_EXIT_OK;
    }
    row = settings_name_row(name, strlen(name));
    if (row)
        return show(line, row);
    nearest = settings_name_nearest(name, strlen(name));
    return command_line_misused(line, "%s is not a setting%s%s", name,
                                nearest ? "; did you mean " : "", nearest ? nearest : "");
}
