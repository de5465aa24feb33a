/*
 * text_column - text for a terminal: its width, cut or filled to a width, wrapped.
 *
 * What is shown comes from file names and servers. It cannot leave its line: control characters,
 * those that turn the direction of writing, and bytes that are not UTF-8 are shown as '?'.
 */
#pragma once

#include "finalize/base/buffer.h"

#include <stdbool.h>

/* To be called first: makes wide characters known whatever the locale is. */
void text_column_begin(void);

/* Columns that the text takes. */
unsigned text_column_width(const char *text);

/* Appends the text, cut to `columns` with "…" at its end; 0: whole. */
void text_column_append(struct buffer *out, const char *text, unsigned columns);

/* The same, with blanks after it up to `columns`. */
void text_column_append_padded(struct buffer *out, const char *text, unsigned columns);

/*
 * Appends the text broken at blanks into lines of at most `columns` (0: one line), each ended by a
 * line feed; the first is taken to begin at column `at`, the others are indented by `indent`. A
 * longer word is broken where it must be.
 */
void text_column_append_wrapped(struct buffer *out, const char *text, unsigned at, unsigned indent,
                                unsigned columns);
