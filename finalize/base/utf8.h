/*
 * utf8 - characters in bytes that claim to be UTF-8. File names needn't be; JSON and keys must.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads the first character of a NUL-terminated text: returns its length, 1 to 4 bytes, or 0 when
 * the text begins with something else (or is empty). Strict as RFC 3629: overlong forms, surrogates
 * and what lies above U+10FFFF aren't UTF-8.
 */
size_t utf8_read(const char *text, uint32_t *ret_character);

/* The most bytes, at most `limit`, at which the text can be cut without cutting a character. */
size_t utf8_cut(const char *text, size_t limit);

/* Whether there are C0 control characters or DEL in the text; what isn't ASCII may stand there. */
bool utf8_has_control(const char *text);

/* Makes one plain line of the text, in place: '?' for control characters (also those from U+0080 to
 * U+009F, which terminals obey too) and for what isn't UTF-8. */
void utf8_make_plain(char *text);
