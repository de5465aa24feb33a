/*
 * settings_values - a setting's value between its text and its field.
 *
 * The rows of the table say what is what; nothing here knows a setting by its name.
 */
#pragma once

#include "config/settings.h"
#include "config/settings_table.h"

#include <stdbool.h>
#include <stddef.h>

enum settings_parsed { SETTINGS_PARSED, SETTINGS_WRONG, SETTINGS_NO_MEMORY };

/* Room for what settings_value_expected() and settings_value_quote() write. */
#define SETTINGS_EXPECTED_BYTES 512
#define SETTINGS_QUOTED_BYTES   512

/* Fills the row's field from `text`. The field is untouched when that is wrong. */
enum settings_parsed settings_value_parse(const struct settings_row *row, const char *text,
                                          struct settings *settings)
    __attribute__((warn_unused_result));

/* The field as a text that parses to the same value: `out`, or the field itself, borrowed; NULL for
 * a text that is not set. A secret's, too. */
const char *settings_value_spell(const struct settings_row *row, const struct settings *settings,
                                 char *out, size_t out_size);

/* Frees the row's field, and wipes it first when it is a secret. */
void settings_value_done(const struct settings_row *row, struct settings *settings);

/* What a value has to be: "a size from 5MiB to 5GiB, as in 8MiB". Returns `out`. */
const char *settings_value_expected(const struct settings_row *row, char *out, size_t out_size);

/* The same in few words, for the documents: "size, 5MiB to 5GiB". Returns `out`. */
const char *settings_value_form(const struct settings_row *row, char *out, size_t out_size);

/*
 * Writes `text` in quotes, of one line whatever it holds: control characters and what isn't UTF-8
 * as \n, \t or \xHH, and "..." after the quote when it was cut, after 80 characters. Returns
 * `out`.
 */
const char *settings_value_quote(const char *text, char *out, size_t out_size);
