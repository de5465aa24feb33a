#include "finalize/upload/key.h"

#include "finalize/base/utf8.h"
#include "finalize/s3/s3_limits.h"
#include "finalize/session/file_name.h"
#include "finalize/session/metadata.h"

#include <string.h>
#include <time.h>

#define MEMBER_BYTES 201u /* of a member of metadata.json, with the NUL */

void key_set_day(struct key_values *values, int64_t time)
{
    time_t seconds = (time_t)time;
    struct tm day = {.tm_year = 70, .tm_mday = 1};

    (void)gmtime_r(&seconds, &day);
    values->year = day.tm_year + 1900;
    values->month = day.tm_mon + 1;
    values->day = day.tm_mday;
}

static bool is_upper_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static bool is_escape(const char *text)
{
    return text[0] == '%' && is_upper_hex(text[1]) && is_upper_hex(text[2]);
}

static bool is_forbidden(uint32_t character)
{
    if (character < 0x80 && strchr(":*?\"<>|!\\", (int)character))
        return true;
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == 0xfffe ||
           character == 0xffff;
}

static void append_escaped(struct buffer *out, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buffer_append_format(out, "%%%02X", (unsigned)(unsigned char)bytes[i]);
}

/* Maps the first character of `text` by the rule, or by force; returns the bytes it had. */
static size_t map_one(struct buffer *out, const char *text, bool force)
{
    uint32_t character = 0;
    size_t length = utf8_read(text, &character);

    if (!length) {
        append_escaped(out, text, 1);
        return 1;
    }
    if (force || is_forbidden(character) || is_escape(text))
        append_escaped(out, text, length);
    else
        buffer_append(out, text, length);
    return length;
}

void key_map(struct buffer *out, const char *name)
{
    while (*name)
        name += map_one(out, name, false);
}

/*
 * What stands next to a value isn't known here, so no '%' of it may be taken for an escape with
 * what follows, and none of it may make up a path segment that servers take for a directory's.
 */
static void map_value(struct buffer *out, const char *value)
{
    bool dots;

    if (!value || !*value)
        value = "unknown";
    dots = !strcmp(value, ".") || !strcmp(value, "..");
    while (*value)
        value += map_one(out, value, *value == '/' || *value == '%' || (dots && *value == '.'));
}

/* A member of metadata.json; returns the placeholder's length. */
static size_t fill_in_member(struct buffer *out, const char *text, const struct key_values *values)
{
    static const char beginning[] = "{metadata.";
    const char *name = text + sizeof beginning - 1, *end = strchr(text, '}');
    char value[MEMBER_BYTES];

    if (strncmp(text, beginning, sizeof beginning - 1) != 0 || !end)
        return 0;
    (void)metadata_member(values->metadata, name, (size_t)(end - name), value, sizeof value);
    map_value(out, value);
    return (size_t)(end - text) + 1;
}

/* Fills in the placeholder that `text` begins with; returns its length, 0 when there is none. */
static size_t fill_in(struct buffer *out, const char *text, const struct key_values *values)
{
    const struct {
        const char *name;
        const char *value; /* NULL: a number */
        int number, digits;
    } placeholders[] = {
        {"{session}", values->session ? values->session : "", 0, 0},
        {"{instance}", values->instance ? values->instance : "", 0, 0},
        {"{meeting}", values->meeting ? values->meeting : "", 0, 0},
        {"{yyyy}", NULL, values->year, 4},
        {"{mm}", NULL, values->month, 2},
        {"{dd}", NULL, values->day, 2},
    };

    for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++) {
        size_t length = strlen(placeholders[i].name);

        if (strncmp(text, placeholders[i].name, length) != 0)
            continue;
        if (placeholders[i].value)
            map_value(out, placeholders[i].value);
        else
            buffer_append_format(out, "%0*d", placeholders[i].digits, placeholders[i].number);
        return length;
    }
    return fill_in_member(out, text, values);
}

static void append_prefix(struct buffer *out, const char *template, const struct key_values *values)
{
    while (*template && !out->failed) {
        size_t length = fill_in(out, template, values);

        if (!length) {
            length = 1;
            buffer_append(out, template, length);
        }
        template += length;
    }
}

/* A buffer that has room for the longest key already: that it fails later on can only mean that a
 * key is too long. */
static bool begin_key(struct buffer *key, struct error *err)
{
    static const char ROOM[S3_MAX_KEY_BYTES];

    buffer_init(key, S3_MAX_KEY_BYTES);
    buffer_append(key, ROOM, sizeof ROOM);
    if (key->failed)
        return error_set(err, ERROR_TRANSIENT, "out of memory while choosing an object's key");
    buffer_clear(key);
    return true;
}

static bool finish_key(struct buffer *key, const char *of, char *ret_key, struct error *err)
{
    bool fits = !key->failed;

    if (fits)
        memcpy(ret_key, buffer_text(key), key->length + 1);
    else
        error_set(err, ERROR_PERMANENT,
                  "the key of the object would have more than %d bytes, with "
                  "CONFOMEET_S3_KEY_PREFIX and the mapping of characters: %.*s",
                  S3_MAX_KEY_BYTES, (int)utf8_cut(of, 300), of);
    buffer_done(key);
    return fits;
}

bool key_choose(const char *prefix_template, const struct key_values *values, const char *path,
                bool media, char *ret_key, struct error *err)
{
    struct buffer key;

    if (!begin_key(&key, err))
        return false;
    append_prefix(&key, prefix_template ? prefix_template : "", values);
    if (media) {
        key_map(&key, file_name_of(path));
    } else {
        map_value(&key, values->session);
        buffer_append_text(&key, "/");
        key_map(&key, path);
    }
    return finish_key(&key, path, ret_key, err);
}

bool key_add_suffix(const char *key, unsigned suffix, char *ret_key, struct error *err)
{
    const char *last = file_name_of(key);
    const char *ending = strrchr(last, '.');
    struct buffer suffixed;

    if (!ending || ending == last)
        ending = key + strlen(key);
    if (!begin_key(&suffixed, err))
        return false;
    buffer_append(&suffixed, key, (size_t)(ending - key));
    buffer_append_format(&suffixed, "~%u%s", suffix, ending);
    return finish_key(&suffixed, key, ret_key, err);
}

bool key_of_rescue(const char *key, char *ret_key, struct error *err)
{
    static const char ending[] = ".rescued";

    if (snprintf(ret_key, S3_MAX_KEY_BYTES + 1, "%s%s", key, ending) > S3_MAX_KEY_BYTES)
        return error_set(err, ERROR_PERMANENT, "the key %s%s is too long", key, ending);
    return true;
}
