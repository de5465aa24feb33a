/*
 * settings_names - which names belong to settings, and which one a misspelt name was meant to be.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Names that begin with this and are no settings are pointed out when they are near one; with
 * SETTINGS_NAMES_PREFIX in any case. */
#define SETTINGS_NAMES_OURS   "CONFOMEET_"
#define SETTINGS_NAMES_PREFIX SETTINGS_NAMES_OURS "S3_"

struct settings_row; /* settings_table.h */

/* The setting that has the variable name[0..length): its name, alias or file_name. NULL: none. */
const struct settings_row *settings_name_row(const char *name, size_t length);

/* Whether name[0..length) is a setting, or is known to be another program's. */
bool settings_name_is_known(const char *name, size_t length);

/* The setting that name[0..length), which begins with SETTINGS_NAMES_OURS, most likely is meant to
 * be: it lacks "S3_", or is few single-letter edits away (one, without SETTINGS_NAMES_PREFIX: it
 * may be another program's). NULL when there is none. */
const char *settings_name_nearest(const char *name, size_t length);

/* Why there is no such setting, for names of what others have and we don't; NULL when it's none. */
const char *settings_name_unsupported(const char *name, size_t length);
