/*
 * unit - what the unit tests share: running a suite, and leaving nothing behind.
 */
#pragma once

#include <check.h>
#include <stddef.h>

/* Runs the suite and frees it, as CK_VERBOSITY and the like say; returns the code for main(). */
int unit_run(Suite *suite);

/* Removes a file, or a directory with all that is in it, following no links. */
void unit_remove(const char *path);

/* Writes the file, which is made or replaced. */
void unit_write(const char *path, const void *bytes, size_t length);
void unit_write_text(const char *path, const char *text);
