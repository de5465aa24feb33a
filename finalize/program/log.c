#include "finalize/program/log.h"

#include "finalize/base/buffer.h"
#include "finalize/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_CEILING (64u * 1024) /* a sentence of 4 KiB may be escaped to 24 */

static enum settings_log_level wanted_level = SETTINGS_LOG_INFO;
static enum settings_log_format wanted_format = SETTINGS_LOG_TEXT;
static char status_line[256];

void log_open(enum settings_log_level level, enum settings_log_format format)
{
    wanted_level = level;
    wanted_format = format;
}

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* Also right for JSON, when quoted: control characters and what isn't UTF-8 become \u escapes. */
static void append_escaped(struct buffer *out, const char *text, bool quoted)
{
    while (*text) {
        uint32_t character;
        size_t length = utf8_read(text, &character);

        if (!length)
            buffer_append_text(out, "\\ufffd");
        else if (character < 0x20 || (character >= 0x7f && character < 0xa0))
            buffer_append_format(out, "\\u%04x", (unsigned)character);
        else if (quoted && (character == '"' || character == '\\'))
            buffer_append_format(out, "\\%c", (char)character);
        else
            buffer_append(out, text, length);
        text += length ? length : 1;
    }
}

static bool needs_quotes(const char *value)
{
    if (!*value)
        return true;
    for (; *value; value++)
        if ((unsigned char)*value <= 0x20 || (unsigned char)*value >= 0x7f ||
            strchr("\"\\=", *value))
            return true;
    return false;
}

static void append_quoted(struct buffer *out, const char *value)
{
    buffer_append_text(out, "\"");
    append_escaped(out, value, true);
    buffer_append_text(out, "\"");
}

void log_format(struct buffer *out, enum settings_log_format format, enum settings_log_level level,
                long long now, const char *sentence, const struct log_field *fields)
{
    bool json = format == SETTINGS_LOG_JSON;
    time_t seconds = (time_t)now;
    char stamp[32] = "";
    struct tm day;

    if (gmtime_r(&seconds, &day))
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &day);
    if (json) {
        buffer_append_format(out, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", stamp,
                             level_names[level]);
        append_quoted(out, sentence);
    } else {
        buffer_append_format(out, "%s %s: ", stamp, level_names[level]);
        append_escaped(out, sentence, false);
    }
    for (; fields && fields->name; fields++) {
        if (!fields->value)
            continue;
        buffer_append_format(out, json ? ",\"%s\":" : " %s=", fields->name);
        if (json || needs_quotes(fields->value))
            append_quoted(out, fields->value);
        else
            buffer_append_text(out, fields->value);
    }
    if (json)
        buffer_append_text(out, "}");
}

static void write_status(void)
{
    if (status_line[0])
        fprintf(stderr, "\r\033[K%s", status_line);
}

void log_line(enum settings_log_level level, const struct log_field *fields, const char *format,
              ...)
{
    long long now = (long long)time(NULL);
    struct buffer line;
    va_list arguments;
    char text[4096];

    if (level > wanted_level)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_init(&line, LINE_CEILING);
    log_format(&line, wanted_format, level, now, text, fields);
    if (line.failed) { /* a part of it would be no line, and no JSON */
        buffer_done(&line);
        log_format(&line, wanted_format, level, now, "something too long for the log happened",
                   NULL);
    }
    buffer_append_text(&line, "\n");
    /* One write, so that lines of several processes do not mix. */
    fprintf(stderr, "%s%s", status_line[0] ? "\r\033[K" : "", buffer_text(&line));
    write_status();
    fflush(stderr);
    buffer_done(&line);
}

bool log_has_status_line(void)
{
    const char *terminal = getenv("TERM");

    return wanted_format == SETTINGS_LOG_TEXT && wanted_level >= SETTINGS_LOG_INFO &&
           isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

void log_status(const char *text)
{
    if (!log_has_status_line())
        return;
    if (!text[0] && status_line[0])
        fputs("\r\033[K", stderr);
    snprintf(status_line, sizeof status_line, "%s", text);
    write_status();
    fflush(stderr);
}
