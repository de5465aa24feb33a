#include "config/settings_source.h"

#include <string.h>

static const char from_environment[] = "the environment";

static const char *environment_get(const char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (const char *const *line = environment; *line; line++) {
        if (strncmp(*line, name, length) == 0 && (*line)[length] == '=')
            return *line + length + 1;
    }
    return NULL;
}

static const char *get(const struct settings_source *source, const char *where, const char *name)
{
    const char *text = !name                       ? NULL
                       : where == from_environment ? environment_get(source->environment, name)
                                                   : env_file_get(&source->file, name);
    return text && *text != 0 ? text : NULL;
}

static bool find_names(const struct settings_source *source, const char *name,
                       const char *file_name, struct settings_found *ret_found)
{
    const char *const places[] = {from_environment, source->path};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct settings_found found = {.name = name,
                                       .text = get(source, places[i], name),
                                       .path = get(source, places[i], file_name),
                                       .where = places[i]};
        if (!found.text && !found.path)
            continue;
        if (!found.text)
            found.name = file_name;
        *ret_found = found;
        return true;
    }
    return false;
}

bool settings_source_find(const struct settings_source *source, const struct settings_row *row,
                          struct settings_found *ret_found)
{
    return find_names(source, row->name, row->file_name, ret_found) ||
           (row->alias && find_names(source, row->alias, NULL, ret_found));
}
