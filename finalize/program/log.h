/*
 * log - lines for people and grep, and one line that changes on a terminal.
 *
 * Used by programs, never by the library. A line is a sentence, then key=value fields; with the
 * json format it is an object. Whatever a name or a server's text holds, a line stays one line. The
 * level, the format and the status line are the only mutable globals there are.
 */
#pragma once

#include "config/settings.h"

#include <stdbool.h>
#include <stdio.h>

struct log_field {
    const char *name;  /* a literal of [a-z_] */
    const char *value; /* any bytes; NULL: the field is left out */
};

/* Lines go to standard error. */
void log_open(enum settings_log_level level, enum settings_log_format format);

/* Writes one line if `level` is wanted. The fields are ended by one whose name is NULL; may be
 * NULL. */
void log_line(enum settings_log_level level, const struct log_field *fields, const char *format,
              ...) __attribute__((format(printf, 3, 4)));

/* True when standard error is a terminal that can show a changing line (and the format is text). */
bool log_has_status_line(void);

/* Shows `text` on that line, in place of the one before; "" takes it away. */
void log_status(const char *text);

/* How one line of the format looks; for log_line() and its tests. */
void log_format(FILE *out, enum settings_log_format format, enum settings_log_level level,
                long long now, const char *sentence, const struct log_field *fields);
