#include "config/settings_values.h"

#include "config/settings_checks.h"
#include "config/units.h"
#include "finalize/base/number.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOUR_MS          UINT64_C(3600000)
#define SECOND_MS        UINT64_C(1000)
#define MAX_QUOTED_CHARS 80
#define NUMBER_BYTES     32

/* The enums of struct settings are read and written as this. */
_Static_assert(sizeof(enum settings_addressing) == sizeof(unsigned) &&
                   sizeof(enum settings_log_level) == sizeof(unsigned) &&
                   sizeof(enum settings_log_format) == sizeof(unsigned),
               "an enum is not as large as unsigned");

static void *field_of(const struct settings_row *row, struct settings *settings)
{
    return (char *)settings + row->offset;
}

static const void *const_field_of(const struct settings_row *row, const struct settings *settings)
{
    return (const char *)settings + row->offset;
}

/* Index of the word, in any case of letters, in the NULL-terminated `words`; -1 when it is none. */
static int find_word(const char *text, const char *const *words)
{
    for (int i = 0; words[i]; i++) {
        if (!strcasecmp(text, words[i]))
            return i;
    }
    return -1;
}

static enum settings_parsed parse_text(const struct settings_row *row, const char *text,
                                       struct settings *settings)
{
    char **field = field_of(row, settings);
    if (!row->check(text))
        return SETTINGS_WRONG;
    char *copy = strdup(text);
    if (!copy)
        return SETTINGS_NO_MEMORY;
    settings_value_done(row, settings);
    *field = copy;
    return SETTINGS_PARSED;
}

static bool parse_boolean(const char *text, bool *ret_value)
{
    static const char *const words[] = {"off", "on", "no", "yes", "false", "true", "0", "1", NULL};
    int index = find_word(text, words);
    if (index < 0)
        return false;
    *ret_value = index % 2 == 1;
    return true;
}

/* "2MiB", or bits: "20Mbit" is read as the size "20MB" and divided. */
static bool parse_rate(const char *text, uint64_t *ret_rate)
{
    char size[NUMBER_BYTES];
    size_t length = strlen(text);
    if (length < 3 || length >= sizeof size || strcasecmp(text + length - 3, "bit") != 0)
        return units_parse_size(text, ret_rate);
    memcpy(size, text, length - 3);
    memcpy(size + length - 3, "B", 2);
    uint64_t bits;
    if (!units_parse_size(size, &bits))
        return false;
    *ret_rate = bits / 8;
    return true;
}

static bool parse_keep(const char *text, uint64_t *ret_keep)
{
    if (!strcasecmp(text, "nothing"))
        *ret_keep = SETTINGS_KEEP_NOTHING;
    else if (!strcasecmp(text, "forever"))
        *ret_keep = SETTINGS_KEEP_FOREVER;
    else
        return units_parse_duration(text, HOUR_MS, ret_keep);
    return true;
}

static bool is_in_range(const struct settings_row *row, uint64_t number)
{
    if (row->type == SETTINGS_KEEP && number == SETTINGS_KEEP_FOREVER)
        return true;
    if (row->type == SETTINGS_RATE && number == 0)
        return true;
    return number >= row->min && number <= row->max;
}

static bool parse_number(const struct settings_row *row, const char *text, uint64_t *ret_number)
{
    switch (row->type) {
    case SETTINGS_COUNT:
        return number_read(text, 0, UINT64_MAX, ret_number);
    case SETTINGS_SIZE:
        return units_parse_size(text, ret_number);
    case SETTINGS_DURATION:
        return units_parse_duration(text, SECOND_MS, ret_number);
    case SETTINGS_RATE:
        return parse_rate(text, ret_number);
    case SETTINGS_KEEP:
        return parse_keep(text, ret_number);
    case SETTINGS_TEXT:
    case SETTINGS_BOOLEAN:
    case SETTINGS_CHOICE:
        break;
    }
    return false;
}

enum settings_parsed settings_value_parse(const struct settings_row *row, const char *text,
                                          struct settings *settings)
{
    if (row->type == SETTINGS_TEXT)
        return parse_text(row, text, settings);
    if (row->type == SETTINGS_BOOLEAN)
        return parse_boolean(text, field_of(row, settings)) ? SETTINGS_PARSED : SETTINGS_WRONG;
    if (row->type == SETTINGS_CHOICE) {
        int index = find_word(text, row->choices);
        if (index < 0)
            return SETTINGS_WRONG;
        memcpy(field_of(row, settings), &index, sizeof index);
        return SETTINGS_PARSED;
    }
    uint64_t number;
    if (!parse_number(row, text, &number) || !is_in_range(row, number))
        return SETTINGS_WRONG;
    memcpy(field_of(row, settings), &number, sizeof number);
    return SETTINGS_PARSED;
}

/* A number as the row's type spells it. Returns `out`. */
static const char *spell_number(const struct settings_row *row, uint64_t number, char *out,
                                size_t out_size)
{
    if (row->type == SETTINGS_SIZE || row->type == SETTINGS_RATE)
        return units_spell_size(number, out, out_size);
    if (row->type == SETTINGS_KEEP && number == SETTINGS_KEEP_NOTHING)
        return "nothing";
    if (row->type == SETTINGS_KEEP && number == SETTINGS_KEEP_FOREVER)
        return "forever";
    if (row->type == SETTINGS_DURATION || row->type == SETTINGS_KEEP)
        return units_spell_duration(number, out, out_size);
    snprintf(out, out_size, "%" PRIu64, number);
    return out;
}

const char *settings_value_spell(const struct settings_row *row, const struct settings *settings,
                                 char *out, size_t out_size)
{
    const void *field = const_field_of(row, settings);
    if (row->type == SETTINGS_TEXT)
        return *(char *const *)field;
    if (row->type == SETTINGS_BOOLEAN)
        return *(const bool *)field ? "on" : "off";
    if (row->type == SETTINGS_CHOICE) {
        unsigned index;
        memcpy(&index, field, sizeof index);
        return row->choices[index];
    }
    uint64_t number;
    memcpy(&number, field, sizeof number);
    return spell_number(row, number, out, out_size);
}

void settings_value_done(const struct settings_row *row, struct settings *settings)
{
    if (row->type != SETTINGS_TEXT)
        return;
    char **field = field_of(row, settings);
    if (*field && row->secret)
        explicit_bzero(*field, strlen(*field));
    free(*field);
    *field = NULL;
}

/* "a", "a or b", "a, b or c" */
static const char *list_choices(const char *const *choices, char *out, size_t out_size)
{
    size_t length = 0;
    out[0] = 0;
    for (size_t i = 0; choices[i] && length < out_size; i++) {
        const char *between = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
        length += (size_t)snprintf(out + length, out_size - length, "%s%s", between, choices[i]);
    }
    return out;
}

/* "a size from 5MiB to 5GiB": the row's range. Returns `out`. */
static const char *describe_range(const struct settings_row *row, const char *what,
                                  const char *between, const char *after, char *out,
                                  size_t out_size)
{
    char least[NUMBER_BYTES];
    char most[NUMBER_BYTES];
    snprintf(out, out_size, "%s%s%s to %s%s%s", what, between,
             spell_number(row, row->min, least, sizeof least),
             spell_number(row, row->max, most, sizeof most), after,
             *after ? row->default_text : "");
    return out;
}

const char *settings_value_expected(const struct settings_row *row, char *out, size_t out_size)
{
    char limit[NUMBER_BYTES];
    switch (row->type) {
    case SETTINGS_TEXT:
        snprintf(out, out_size, "%s", row->expected);
        break;
    case SETTINGS_BOOLEAN:
        snprintf(out, out_size, "on or off");
        break;
    case SETTINGS_CHOICE:
        return list_choices(row->choices, out, out_size);
    case SETTINGS_COUNT:
        return describe_range(row, "a whole number", " from ", "", out, out_size);
    case SETTINGS_SIZE:
        return describe_range(row, "a size", " from ", ", as in ", out, out_size);
    case SETTINGS_DURATION:
        return describe_range(row, "a duration", " from ", ", as in ", out, out_size);
    case SETTINGS_RATE:
        snprintf(out, out_size,
                 "bytes or bits a second from %s on, as in 2MiB or 20Mbit, or 0 for no limit",
                 spell_number(row, row->min, limit, sizeof limit));
        break;
    case SETTINGS_KEEP:
        snprintf(out, out_size, "nothing, forever or a duration up to %s, as in 48h",
                 spell_number(row, row->max, limit, sizeof limit));
        break;
    }
    return out;
}

const char *settings_value_form(const struct settings_row *row, char *out, size_t out_size)
{
    switch (row->type) {
    case SETTINGS_TEXT:
        snprintf(out, out_size, "%s%s", row->form, row->secret ? ", secret" : "");
        return out;
    case SETTINGS_COUNT:
        return describe_range(row, "number", ", ", "", out, out_size);
    case SETTINGS_SIZE:
        return describe_range(row, "size", ", ", "", out, out_size);
    case SETTINGS_DURATION:
        return describe_range(row, "duration", ", ", "", out, out_size);
    case SETTINGS_RATE:
        snprintf(out, out_size, "bytes or bits a second");
        return out;
    case SETTINGS_KEEP:
        snprintf(out, out_size, "nothing, forever or a duration");
        return out;
    case SETTINGS_BOOLEAN:
    case SETTINGS_CHOICE:
        break;
    }
    return settings_value_expected(row, out, out_size);
}

/* Writes one character of `text` as it is to stand between quotes. Returns how many bytes of `text`
 * that were. */
static size_t quote_character(const char *text, char *out, size_t out_size)
{
    size_t length = settings_check_character(text);
    if (*text == '"' || *text == '\\')
        snprintf(out, out_size, "\\%c", *text);
    else if (length > 0)
        snprintf(out, out_size, "%.*s", (int)length, text);
    else if (*text == '\n' || *text == '\r' || *text == '\t')
        snprintf(out, out_size, "\\%c", *text == '\n' ? 'n' : *text == '\r' ? 'r' : 't');
    else
        snprintf(out, out_size, "\\x%02X", (unsigned)(unsigned char)*text);
    return length ? length : 1;
}

const char *settings_value_quote(const char *text, char *out, size_t out_size)
{
    assert(out_size >= SETTINGS_QUOTED_BYTES);
    size_t at = 0;
    out[at++] = '"';
    for (unsigned count = 0; *text && count < MAX_QUOTED_CHARS; count++) {
        text += quote_character(text, out + at, out_size - at);
        at += strlen(out + at);
    }
    snprintf(out + at, out_size - at, "\"%s", *text ? "..." : "");
    return out;
}
