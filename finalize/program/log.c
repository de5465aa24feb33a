#include "finalize/program/log.h"

#include "finalize/base/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum settings_log_level wanted_level = SETTINGS_LOG_INFO;
static enum settings_log_format wanted_format = SETTINGS_LOG_TEXT;
static char status_line[256];

void log_open(enum settings_log_level level, enum settings_log_format format)
{
    wanted_level = level;
    wanted_format = format;
}

static const char *const level_names[] = {"error", "warning", "info", "debug"};

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

void log_format(FILE *out, enum settings_log_format format, enum settings_log_level level,
                long long now, const char *sentence, const struct log_field *fields)
{
    bool json = format == SETTINGS_LOG_JSON;
    time_t seconds = (time_t)now;
    char stamp[32] = "";
    struct tm day;

    if (gmtime_r(&seconds, &day))
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &day);
    if (json) {
        fprintf(out, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", stamp, level_names[level]);
        json_text_string(out, sentence);
    } else {
        fprintf(out, "%s %s: ", stamp, level_names[level]);
        json_text_escape(out, sentence, false);
    }
    for (; fields && fields->name; fields++) {
        if (!fields->value)
            continue;
        fprintf(out, json ? ",\"%s\":" : " %s=", fields->name);
        if (json || needs_quotes(fields->value))
            json_text_string(out, fields->value);
        else
            fputs(fields->value, out);
    }
    fputs(json ? "}\n" : "\n", out);
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
    va_list arguments;
    char text[4096], *line = NULL;
    size_t length;
    FILE *memory;

    if (level > wanted_level)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memory = open_memstream(&line, &length);
    if (memory)
        log_format(memory, wanted_format, level, now, text, fields);
    if (status_line[0])
        fputs("\r\033[K", stderr);
    /* One write, so that lines of several processes do not mix; without memory as it comes. */
    if (memory && fclose(memory) == 0)
        (void)fwrite(line, 1, length, stderr);
    else
        log_format(stderr, wanted_format, level, now, text, fields);
    write_status();
    fflush(stderr);
    free(line);
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
