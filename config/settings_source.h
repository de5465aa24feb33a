/*
 * settings_source - where a setting's text comes from: the environment, then a file.
 */
#pragma once

#include "config/env_file.h"
#include "config/settings_table.h"

#include <stdbool.h>

struct settings_source {
    const char *const *environment; /* "NAME=value" strings, NULL-terminated; borrowed */
    struct env_file file;           /* owned; empty when there is none */
    const char *path;               /* of the file; borrowed */
};

struct settings_found {
    const char *name;  /* the name that was used: the row's name, its alias or its file_name */
    const char *text;  /* the value, borrowed from the source, not empty; NULL where `path` alone is
                          set */
    const char *path;  /* of a file that holds the value, likewise borrowed; or NULL */
    const char *where; /* "the environment" or the file's path; borrowed */
};

/* False when the row is not set, or set to an empty text. The environment takes precedence over the
 * file, for the row's name and for its file_name. */
bool settings_source_find(const struct settings_source *source, const struct settings_row *row,
                          struct settings_found *ret_found) __attribute__((warn_unused_result));
