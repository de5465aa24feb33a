#include "finalize/command/text_column.h"

#include "finalize/base/utf8.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

void text_column_begin(void)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* without it, every character counts as one column */
}

/* Left-to-right marks, embeddings, overrides and isolates: what follows would be shown elsewhere.
 */
static bool turns_direction(uint32_t character)
{
    return character == 0x061c || (character >= 0x200e && character <= 0x200f) ||
           (character >= 0x202a && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

struct glyph {
    const char *bytes;
    size_t length;
    unsigned columns;
};

/* The first character of `text` as it is shown; returns how many bytes of the text it is. */
static size_t read_glyph(const char *text, struct glyph *ret_glyph)
{
    uint32_t character;
    size_t length = utf8_read(text, &character);
    int columns;

    *ret_glyph = (struct glyph){"?", 1, 1};
    if (!length)
        return 1;
    /* Some terminals take the separators of lines and paragraphs for line feeds. */
    if (character < 0x20 || (character >= 0x7f && character < 0xa0) || turns_direction(character) ||
        character == 0x2028 || character == 0x2029)
        return length;
    columns = wcwidth((wchar_t)character);
    *ret_glyph = (struct glyph){text, length, columns < 0 ? 1 : (unsigned)columns};
    return length;
}

unsigned text_column_width(const char *text)
{
    unsigned columns = 0;

    while (*text) {
        struct glyph glyph;

        text += read_glyph(text, &glyph);
        columns += glyph.columns;
    }
    return columns;
}

void text_column_append(struct buffer *out, const char *text, unsigned columns)
{
    bool cut = columns && text_column_width(text) > columns;
    unsigned room = cut ? columns - 1 : UINT32_MAX;

    while (*text) {
        struct glyph glyph;

        text += read_glyph(text, &glyph);
        if (glyph.columns > room)
            break;
        room -= glyph.columns;
        buffer_append(out, glyph.bytes, glyph.length);
    }
    if (cut)
        buffer_append_text(out, "…");
}

void text_column_append_padded(struct buffer *out, const char *text, unsigned columns)
{
    unsigned width = text_column_width(text);

    text_column_append(out, text, columns);
    buffer_append_format(out, "%*s", width < columns ? (int)(columns - width) : 0, "");
}

/* The word that `text` begins with: its bytes and columns. */
static size_t measure_word(const char *text, unsigned *ret_columns)
{
    const char *end = text;

    *ret_columns = 0;
    while (*end && *end != ' ') {
        struct glyph glyph;

        end += read_glyph(end, &glyph);
        *ret_columns += glyph.columns;
    }
    return (size_t)(end - text);
}

struct lines {
    struct buffer *out;
    unsigned at, indent, columns;
};

static void break_line(struct lines *lines)
{
    buffer_append_format(lines->out, "\n%*s", (int)lines->indent, "");
    lines->at = lines->indent;
}

static void append_word(struct lines *lines, const char *word, size_t length)
{
    const char *end = word + length;

    while (word < end) {
        struct glyph glyph;

        word += read_glyph(word, &glyph);
        if (lines->columns && lines->at + glyph.columns > lines->columns &&
            lines->at > lines->indent)
            break_line(lines);
        buffer_append(lines->out, glyph.bytes, glyph.length);
        lines->at += glyph.columns;
    }
}

void text_column_append_wrapped(struct buffer *out, const char *text, unsigned at, unsigned indent,
                                unsigned columns)
{
    struct lines lines = {.out = out, .at = at, .indent = indent, .columns = columns};
    bool first = true;

    while (*text) {
        unsigned width;
        size_t length;

        text += strspn(text, " ");
        if (!*text)
            break;
        length = measure_word(text, &width);
        if (!first && columns && lines.at + 1 + width > columns) {
            break_line(&lines);
        } else if (!first) {
            buffer_append_text(out, " ");
            lines.at++;
        }
        append_word(&lines, text, length);
        text += length;
        first = false;
    }
    buffer_append_text(out, "\n");
}
