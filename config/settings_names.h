/*
 * settings_names - which names belong to settings, and which one a misspelt name was meant to be.
 */
#ifndef CONFIG_SETTINGS_NAMES_H
#define CONFIG_SETTINGS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Names that begin with this and are no settings are pointed out. */
#define SETTINGS_NAMES_PREFIX "CONFOMEET_S3_"

struct settings_row; /* settings_table.h */

/* The setting that has the variable name[0..length): its name, alias or file_name. NULL: none. */
const struct settings_row *settings_name_row(const char *name, size_t length);

/* Whether name[0..length) is a setting, or is known to be another program's. */
bool settings_name_is_known(const char *name, size_t length);

/* The setting that name[0..length) most likely is meant to be: few single-letter edits away from
 * it. NULL when there is none. */
const char *settings_name_nearest(const char *name, size_t length);

/* Why there is no such setting, for names of what others have and we don't; NULL when it's none. */
const char *settings_name_unsupported(const char *name, size_t length);

#endif
