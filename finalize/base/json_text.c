#include "finalize/base/json_text.h"

#include "finalize/base/utf8.h"

#include <time.h>

void json_text_escape(FILE *out, const char *text, bool quoted)
{
    while (*text) {
        uint32_t character;
        size_t length = utf8_read(text, &character);

        if (!length)
            fputs("\xef\xbf\xbd", out);
        else if (character < 0x20 || (character >= 0x7f && character < 0xa0))
            fprintf(out, "\\u%04x", (unsigned)character);
        else if (quoted && (character == '"' || character == '\\'))
            fprintf(out, "\\%c", (char)character);
        else
            (void)fwrite(text, 1, length, out);
        text += length ? length : 1;
    }
}

void json_text_string(FILE *out, const char *text)
{
    putc('"', out);
    json_text_escape(out, text, true);
    putc('"', out);
}

void json_text_member(FILE *out, const char *name, const char *text)
{
    fprintf(out, ",\"%s\":", name);
    if (text && *text)
        json_text_string(out, text);
    else
        fputs("null", out);
}

void json_text_time(FILE *out, int64_t seconds)
{
    time_t time = (time_t)seconds;
    char stamp[32];
    struct tm day;

    if (!seconds || !gmtime_r(&time, &day) || day.tm_year < -1900 || day.tm_year > 8099 ||
        !strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &day))
        fputs("null", out);
    else
        fprintf(out, "\"%s\"", stamp);
}

void json_text_member_time(FILE *out, const char *name, int64_t seconds)
{
    fprintf(out, ",\"%s\":", name);
    json_text_time(out, seconds);
}
