/*
 * settings_load_private - what the files of settings_load*() of settings.h share: settings_load.c
 * reads the rows one by one, settings_load_checks.c compares them with each other.
 */
#pragma once

#include "config/settings.h"
#include "config/settings_source.h"
#include "config/settings_table.h"

#include <stdbool.h>

/* What one settings_load() works on. */
struct loader {
    struct settings_source source;
    bool is_source_complete; /* the file could be read, or there is none */
    struct settings settings;
    struct settings_problems problems;
    bool is_out_of_memory;
    bool is_wrong[SETTINGS_MAX_ROWS]; /* by row: the field doesn't hold what was asked for */
};

/* Adds a line to problems.errors, unless the same one is there already. */
void settings_load_complain(struct loader *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reports what rows that are right by themselves can't mean together. */
void settings_load_check(struct loader *loader);
