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

static bool find_name(const struct settings_source *source, const char *name,
                      struct settings_found *ret_found)
{
    const char *text = environment_get(source->environment, name);
    const char *where = from_environment;
    if (!text || *text == '\0') {
        text = env_file_get(&source->file, name);
        where = source->path;
    }
    if (!text || *text == '\0')
        return false;
    *ret_found = (struct settings_found){.name = name, .text = text, .where = where};
    return true;
}

bool settings_source_find(const struct settings_source *source, const struct settings_row *row,
                          struct settings_found *ret_found)
{
    return find_name(source, row->name, ret_found) ||
           (row->alias && find_name(source, row->alias, ret_found));
}
