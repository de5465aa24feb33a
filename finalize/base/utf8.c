#include "finalize/base/utf8.h"

#include <stdbool.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t utf8_read(const char *text, uint32_t *ret_character)
{
    static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    uint32_t character;
    size_t length;

    if (bytes[0] == 0)
        return 0;
    if (bytes[0] < 0x80) {
        *ret_character = bytes[0];
        return 1;
    }
    if (bytes[0] >= 0xc0 && bytes[0] < 0xe0)
        length = 2;
    else if (bytes[0] >= 0xe0 && bytes[0] < 0xf0)
        length = 3;
    else if (bytes[0] >= 0xf0 && bytes[0] < 0xf8)
        length = 4;
    else
        return 0;
    character = bytes[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(bytes[i])) /* the final NUL is none: never read past it */
            return 0;
        character = character << 6 | (bytes[i] & 0x3fu);
    }
    if (character < SMALLEST[length] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    *ret_character = character;
    return length;
}

size_t utf8_cut(const char *text, size_t limit)
{
    size_t length = strnlen(text, limit + 1);

    if (length <= limit)
        return length;
    /* A character has at most three continuation bytes; more of them are no UTF-8 anyway. */
    for (size_t back = 0; back < 4 && back <= limit; back++)
        if (!is_continuation((unsigned char)text[limit - back]))
            return limit - back;
    return limit;
}

bool utf8_has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

void utf8_make_plain(char *text)
{
    while (*text) {
        uint32_t character;
        size_t length = utf8_read(text, &character);

        if (!length || character < 0x20 || (character >= 0x7f && character < 0xa0)) {
            length = length ? length : 1;
            memset(text, '?', length);
        }
        text += length;
    }
}
