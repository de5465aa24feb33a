/*
 * settings_table - the one table of every setting.
 *
 * What is parsed, checked, documented and shown comes from its rows and from nowhere else. To add a
 * setting: add its field to struct settings and its row to settings_table.c, call
 * scripts/write-settings, and add it to docs/ru/settings.md (a test compares).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum settings_group {
    SETTINGS_GROUP_BUCKET,
    SETTINGS_GROUP_NETWORK,
    SETTINGS_GROUP_BACKEND,
    SETTINGS_GROUP_MACHINE,
    SETTINGS_GROUP_WATCHER,
    SETTINGS_GROUPS
};

/* How a value is written, and the type of its field. */
enum settings_type {
    SETTINGS_TEXT,     /* char *, what `check` accepts */
    SETTINGS_BOOLEAN,  /* bool: on or off */
    SETTINGS_CHOICE,   /* an enum: the index in `choices` */
    SETTINGS_COUNT,    /* uint64_t: a whole number */
    SETTINGS_SIZE,     /* uint64_t: bytes */
    SETTINGS_DURATION, /* uint64_t: milliseconds; a bare number counts seconds */
    SETTINGS_RATE,     /* uint64_t: bytes a second, 0: no limit */
    SETTINGS_KEEP /* uint64_t: SETTINGS_KEEP_..., or milliseconds; a bare number counts hours */
};

/* Texts are ASCII; members that do not matter to a row's type are NULL or 0. */
struct settings_row {
    const char *name;
    const char *alias; /* another program's variable that is read when `name` is not set, or NULL */
    enum settings_group group;
    enum settings_type type;
    size_t offset;               /* of the field in struct settings */
    const char *default_text;    /* parsed as a value is; NULL: not set by default */
    const char *unset_text;      /* what is done when it isn't set, for the documents, or NULL */
    uint64_t min, max;           /* SETTINGS_COUNT, _SIZE, _DURATION, _RATE, _KEEP */
    const char *const *choices;  /* SETTINGS_CHOICE: NULL-terminated, in the enum's order */
    bool (*check)(const char *); /* SETTINGS_TEXT */
    const char *form;            /* SETTINGS_TEXT: "URL", "path", for the documents */
    const char *expected;        /* SETTINGS_TEXT: what `check` accepts, after "expected " */
    const char *example;         /* a plausible value for the documents, or NULL */
    const char *secret_signs;    /* a wrong value with one of these bytes may be a secret that
                                    got into the wrong place: it isn't shown. Or NULL */
    bool required;               /* has to be set */
    bool in_example;             /* stands in example.env without a comment sign, with `example` */
    bool secret;                 /* never shown, wiped */
    const char *file_name;       /* of a secret: NAME_FILE, which names a file that holds it */
    const char *left_out; /* why jibri.yml does not pass it on by default, as a sentence, or NULL */
    const char *help;     /* one or two sentences; the first one stands by itself */
};

#define SETTINGS_MAX_ROWS 64

extern const struct settings_row settings_table[];
extern const size_t settings_table_length; /* at most SETTINGS_MAX_ROWS */

/* The row of `name`; NULL when there is none. Aliases are not looked at. */
const struct settings_row *settings_table_find(const char *name);

/* "The bucket" */
const char *settings_table_group_title(enum settings_group group);
