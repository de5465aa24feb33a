/*
 * settings_fixture - what the tests of the settings share: an environment that is just enough, a
 * settings file, and what loading them gave.
 */
#pragma once

#include "config/settings.h"

#define FIXTURE_LEAST 5

/* NAME=value: enough for the settings to be usable. */
extern const char *const fixture_least[FIXTURE_LEAST];

extern char fixture_path[64]; /* of the settings file, or "" */
extern struct settings settings;
extern struct settings_problems problems;

/* Empty settings, no file. */
void fixture_set_up(void);
void fixture_tear_down(void);

/* Makes the settings file. */
void fixture_write_file(const char *text);

/* The last load had neither errors nor warnings. */
void fixture_assert_no_problem(void);
