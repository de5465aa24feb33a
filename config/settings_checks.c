#include "config/settings_checks.h"

#include "config/listen.h"
#include "finalize/base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LOWER   "abcdefghijklmnopqrstuvwxyz"
#define UPPER   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"
#define LETTERS LOWER UPPER

#define MAX_OBJECT_HEADERS_BYTES 4096
#define MAX_HOST_BYTES           253
#define MAX_PATH_BYTES           4095
#define MAX_METADATA_BYTES       1024
#define MAX_KEY_PREFIX_BYTES     200
#define MAX_MEDIA_BYTES          200
#define MAX_ENDING_BYTES         16

static bool is_visible(char c)
{
    return c > 0x20 && c < 0x7f;
}

/* Printable ASCII without blanks and the characters of `but`; may be empty. */
static bool is_all_visible(const char *text, const char *but)
{
    while (is_visible(*text) && !strchr(but, *text))
        text++;
    return *text == 0;
}

/* From `least` to `most` bytes, all of them in `allowed`. */
static bool consists_of(const char *text, const char *allowed, size_t least, size_t most)
{
    size_t length = strlen(text);
    return length >= least && length <= most && strspn(text, allowed) == length;
}

static bool is_letter_or_digit(char c)
{
    return c != 0 && strchr(LETTERS DIGITS, c);
}

/* What follows `prefix` in `text`; NULL when it does not begin with it. */
static const char *after_prefix(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static bool is_port(const char *text, size_t length)
{
    unsigned long port = strtoul(text, NULL, 10);
    return length <= 5 && strspn(text, DIGITS) == length && port >= 1 && port <= 65535;
}

/* Length of the host at the beginning of text[0..length); 0 when there is none. */
static size_t host_length(const char *text, size_t length)
{
    if (length > 0 && text[0] == '[') {
        size_t inside = strspn(text + 1, DIGITS "abcdefABCDEF:.");
        return inside >= 2 && inside + 2 <= length && text[inside + 1] == ']' ? inside + 2 : 0;
    }
    size_t host = strspn(text, LETTERS DIGITS "._-");
    if (host > length)
        host = length;
    if (host == 0 || host > MAX_HOST_BYTES || !is_letter_or_digit(text[0]))
        return 0;
    return memmem(text, host, "..", 2) ? 0 : host;
}

/* host[:port] */
static bool is_authority(const char *text, size_t length)
{
    size_t host = host_length(text, length);
    if (host == 0)
        return false;
    return host == length || (text[host] == ':' && is_port(text + host + 1, length - host - 1));
}

bool settings_check_host(const char *text)
{
    return is_authority(text, strlen(text));
}

bool settings_check_url(const char *text)
{
    const char *rest = after_prefix(text, "http://");
    if (!rest)
        rest = after_prefix(text, "https://");
    if (!rest)
        return false;
    size_t length = strcspn(rest, "/");
    return is_authority(rest, length) && is_all_visible(rest + length, "?#\\\"<>");
}

bool settings_check_proxy(const char *text)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    const char *rest = NULL;
    for (size_t i = 0; !rest && i < sizeof schemes / sizeof schemes[0]; i++)
        rest = after_prefix(text, schemes[i]);
    if (!rest || !is_all_visible(rest, ""))
        return false;
    size_t length = strcspn(rest, "/?#");
    if (rest[length] != 0 && strcmp(rest + length, "/") != 0)
        return false;
    const char *at = memrchr(rest, '@', length);
    const char *host = at ? at + 1 : rest;
    return at != rest && is_authority(host, length - (size_t)(host - rest));
}

bool settings_check_bucket(const char *text)
{
    return consists_of(text, LETTERS DIGITS "._-", 3, 255) && is_letter_or_digit(text[0]);
}

bool settings_check_bucket_in_host(const char *text)
{
    return consists_of(text, LOWER DIGITS ".-", 3, 63) && is_letter_or_digit(text[0]) &&
           is_letter_or_digit(text[strlen(text) - 1]) && !strstr(text, "..");
}

bool settings_check_name(const char *text)
{
    return consists_of(text, LETTERS DIGITS "._-", 1, 128);
}

bool settings_check_client_id(const char *text)
{
    return *text != 0 && is_all_visible(text, "/");
}

bool settings_check_client_secret(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && text[0] != ' ' && text[length - 1] != ' ' && !utf8_has_control(text);
}

bool settings_check_storage_class(const char *text)
{
    return consists_of(text, UPPER DIGITS "_-", 1, 64);
}

bool settings_check_listen(const char *text)
{
    union listen_address address;

    return strcmp(text, "off") == 0 || listen_read(text, &address);
}

bool settings_check_token(const char *text)
{
    return *text != 0 && is_all_visible(text, "");
}

/* Whether one of the pairs before `pair`, in the list that begins at `list`, has the same name. */
static bool is_name_repeated(const char *list, const char *pair, size_t name_length)
{
    for (const char *other = list; other < pair; other = strchr(other, ',') + 1) {
        if (strncmp(other, pair, name_length + 1) == 0)
            return true;
    }
    return false;
}

/* name=value, in text[0..length). */
static bool is_metadata_pair(const char *text, size_t length)
{
    size_t name = strspn(text, LOWER DIGITS "-");
    if (name == 0 || text[name] != '=' || name + 1 >= length || after_prefix(text, "jibri-"))
        return false;
    const char *value = text + name + 1;
    if (*value == ' ' || text[length - 1] == ' ')
        return false;
    for (; value < text + length; value++) {
        if (*value != ' ' && !is_visible(*value))
            return false;
    }
    return true;
}

bool settings_check_metadata(const char *text)
{
    if (strlen(text) > MAX_METADATA_BYTES)
        return false;
    for (const char *pair = text;;) {
        size_t length = strcspn(pair, ",");
        if (!is_metadata_pair(pair, length) ||
            is_name_repeated(text, pair, (size_t)(strchr(pair, '=') - pair)))
            return false;
        if (pair[length] == 0)
            return true;
        pair += length + 1;
    }
}

/* Length of the placeholder at `text`, which is a '{'; 0 when it is none that we know. */
static size_t placeholder_length(const char *text)
{
    static const char *const placeholders[] = {"{session}", "{instance}", "{meeting}",
                                               "{yyyy}",    "{mm}",       "{dd}"};
    for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++) {
        if (after_prefix(text, placeholders[i]))
            return strlen(placeholders[i]);
    }
    const char *name = after_prefix(text, "{metadata.");
    size_t length = name ? strspn(name, LETTERS DIGITS "_-") : 0;
    if (length > 0 && name[length] == '}')
        return (size_t)(name - text) + length + 1;
    return 0;
}

/* Whether each part between slashes may stand there: not empty, not "." and not "..". */
static bool are_segments_plain(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "/");
        if (length == 0 || (length == 1 && text[0] == '.') ||
            (length == 2 && text[0] == '.' && text[1] == '.'))
            return false;
        text += length;
        text += *text == '/';
    }
    return true;
}

bool settings_check_key_prefix(const char *text)
{
    if (strlen(text) > MAX_KEY_PREFIX_BYTES || !are_segments_plain(text))
        return false;
    while (*text) {
        if (strchr("}:*?\"<>|!\\", *text))
            return false;
        size_t length = *text == '{' ? placeholder_length(text) : settings_check_character(text);
        if (length == 0)
            return false;
        text += length;
    }
    return true;
}

bool settings_check_object_headers(const char *text)
{
    return strlen(text) <= MAX_OBJECT_HEADERS_BYTES;
}

bool settings_check_media(const char *text)
{
    size_t length;

    if (strlen(text) > MAX_MEDIA_BYTES)
        return false;
    for (;; text += length + 1) {
        length = strspn(text, LETTERS DIGITS);
        if (length == 0 || length > MAX_ENDING_BYTES || (text[length] && text[length] != ','))
            return false;
        if (!text[length])
            return true;
    }
}

bool settings_check_path(const char *text)
{
    return text[0] == '/' && strlen(text) <= MAX_PATH_BYTES && !utf8_has_control(text);
}

size_t settings_check_character(const char *text)
{
    uint32_t character;
    size_t length = utf8_read(text, &character);

    if (!length || character < 0x20 || (character >= 0x7f && character < 0xa0) ||
        character == 0xfffe || character == 0xffff)
        return 0;
    return length;
}
