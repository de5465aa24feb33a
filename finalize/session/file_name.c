#include "finalize/session/file_name.h"

#include "config/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

const char *file_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool file_name_meeting_id(const char *name, int32_t *ret_meeting_id)
{
    int64_t number = 0;
    const char *p = name;

    for (; is_digit(*p); p++) {
        number = number * 10 + (*p - '0');
        if (number > INT32_MAX)
            return false;
    }
    if (p == name || *p != '_')
        return false;
    *ret_meeting_id = (int32_t)number;
    return true;
}

static const char DAY_AND_TIME[] = "_dddd-dd-dd-dd-dd-dd";

/* Whether `text` begins with a day and a time, and isn't the beginning of a longer number. */
static bool looks_like_day_and_time(const char *text)
{
    for (const char *p = DAY_AND_TIME; *p; p++, text++)
        if (*p == 'd' ? !is_digit(*text) : *text != *p)
            return false;
    return !is_digit(*text);
}

bool file_name_day(const char *name, int *ret_year, int *ret_month, int *ret_day)
{
    const char *found = NULL;
    struct tm day = {0}, normal;

    for (const char *p = strchr(name, '_'); p; p = strchr(p + 1, '_'))
        if (looks_like_day_and_time(p))
            found = p;
    /* NOLINTNEXTLINE(cert-err34-c): looks_like_day_and_time() has seen the digits */
    if (!found || sscanf(found, "_%4d-%2d-%2d", &day.tm_year, &day.tm_mon, &day.tm_mday) != 3)
        return false;
    day.tm_year -= 1900;
    day.tm_mon--;
    normal = day;
    (void)timegm(&normal); /* corrects a day that no calendar has */
    if (day.tm_year < 1 - 1900 || normal.tm_mon != day.tm_mon || normal.tm_mday != day.tm_mday)
        return false;
    *ret_year = day.tm_year + 1900;
    *ret_month = day.tm_mon + 1;
    *ret_day = day.tm_mday;
    return true;
}

/* What follows the last dot; "" when there is none. A leading dot hides a file and ends nothing. */
static const char *ending_of(const char *name)
{
    const char *last = file_name_of(name);
    const char *dot = strrchr(last, '.');

    return dot && dot != last ? dot + 1 : "";
}

bool file_name_is_mp4(const char *name)
{
    const char *type = file_name_content_type(name);

    return !strcmp(type, "video/mp4") || !strcmp(type, "audio/mp4");
}

bool file_name_is_media(const char *media, const char *name)
{
    const char *ending = ending_of(name);
    size_t length = strlen(ending);

    for (const char *one = media ? media : SETTINGS_MEDIA; *one;) {
        size_t one_length = strcspn(one, ",");

        if (length > 0 && length == one_length && !strncasecmp(one, ending, length))
            return true;
        one += one_length + (one[one_length] == ',');
    }
    return false;
}

const char *file_name_content_type(const char *name)
{
    static const struct {
        const char *ending, *type;
    } TYPES[] = {
        {"mp4", "video/mp4"},       {"mkv", "video/x-matroska"},
        {"webm", "video/webm"},     {"m4a", "audio/mp4"},
        {"ts", "video/mp2t"},       {"m4v", "video/mp4"},
        {"mov", "video/quicktime"}, {"avi", "video/x-msvideo"},
        {"opus", "audio/ogg"},      {"flac", "audio/flac"},
        {"mp3", "audio/mpeg"},      {"ogg", "audio/ogg"},
        {"wav", "audio/wav"},       {"json", "application/json"},
        {"txt", "text/plain"},      {"log", "text/plain"},
        {"md", "text/markdown"},    {"csv", "text/csv"},
        {"vtt", "text/vtt"},        {"srt", "application/x-subrip"},
        {"html", "text/html"},      {"xml", "application/xml"},
        {"pdf", "application/pdf"}, {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},     {"png", "image/png"},
    };
    const char *ending = ending_of(name);

    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (!strcasecmp(ending, TYPES[i].ending))
            return TYPES[i].type;
    return "application/octet-stream";
}
