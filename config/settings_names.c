#include "config/settings_names.h"

#include "config/settings_table.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_COMPARED_BYTES 128
#define MOST_EDITS         3
#define OURS_BYTES         (sizeof SETTINGS_NAMES_OURS - 1) /* nearly all begin so: no likeness */

/* Read by the backend, from the same file; it means nothing to us. */
static const char backends_own[] = "CONFOMEET_S3_URL_OVERRIDE_FOR_AWS_SDK";

static bool is_same(const char *name, size_t length, const char *other)
{
    return strlen(other) == length && memcmp(name, other, length) == 0;
}

const struct settings_row *settings_name_row(const char *name, size_t length)
{
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        if (is_same(name, length, row->name) || (row->alias && is_same(name, length, row->alias)) ||
            (row->file_name && is_same(name, length, row->file_name)))
            return row;
    }
    return NULL;
}

bool settings_name_is_known(const char *name, size_t length)
{
    return settings_name_row(name, length) || is_same(name, length, backends_own);
}

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters have to be added, removed or replaced to make one out of the other
 * (Levenshtein), a row of the matrix at a time. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[MAX_COMPARED_BYTES + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min_of(replaced, min_of(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

const char *settings_name_nearest(const char *name, size_t length)
{
    const char *nearest = NULL;
    bool is_ours = !strncmp(name, SETTINGS_NAMES_PREFIX, sizeof SETTINGS_NAMES_PREFIX - 1);
    size_t least = (is_ours ? MOST_EDITS : 1) + 1;
    size_t own_length = length - min_of(length, OURS_BYTES);
    char with_s3[MAX_COMPARED_BYTES + sizeof SETTINGS_NAMES_PREFIX];
    const struct settings_row *row;

    if (length > MAX_COMPARED_BYTES)
        return NULL;
    snprintf(with_s3, sizeof with_s3, SETTINGS_NAMES_PREFIX "%.*s", (int)own_length,
             name + length - own_length);
    row = settings_name_row(with_s3, strlen(with_s3));
    if (row)
        return row->name;
    /* Each row's name, then its file_name, where there is one. */
    for (size_t i = 0; i < 2 * settings_table_length; i++) {
        row = &settings_table[i / 2];
        const char *known = i % 2 == 0 ? row->name : row->file_name;
        size_t distance =
            known ? edit_distance(name, length, known, min_of(strlen(known), MAX_COMPARED_BYTES))
                  : SIZE_MAX;

        if (distance < least && 2 * distance < own_length) {
            least = distance;
            nearest = known;
        }
    }
    return nearest;
}

const char *settings_name_unsupported(const char *name, size_t length)
{
    static const struct {
        const char *word, *reason;
    } UNSUPPORTED[] = {
        {"SECURITY_TOKEN", "the token's name is CONFOMEET_S3_SESSION_TOKEN"},
        {"PROFILE", "profiles of the AWS CLI are not read"},
        {"ACL", "CONFOMEET_S3_OBJECT_HEADERS sends such headers"},
        {"SSE", "CONFOMEET_S3_OBJECT_HEADERS sends such headers"},
        {"KMS", "CONFOMEET_S3_OBJECT_HEADERS sends such headers"},
        {"ENCRYPTION", "CONFOMEET_S3_OBJECT_HEADERS sends such headers"},
        {"TAGGING", "CONFOMEET_S3_OBJECT_HEADERS sends such headers"},
        {"TAGS", "CONFOMEET_S3_OBJECT_HEADERS sends such headers"},
    };

    for (size_t i = 0; i < sizeof UNSUPPORTED / sizeof *UNSUPPORTED; i++)
        if (memmem(name, length, UNSUPPORTED[i].word, strlen(UNSUPPORTED[i].word)))
            return UNSUPPORTED[i].reason;
    return NULL;
}
