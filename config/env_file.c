#include "config/env_file.h"

#include <stdlib.h>
#include <string.h>

#define WHITE_SPACE " \t\r\v\f"
#define DIGITS      "0123456789"
#define LETTERS     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static size_t name_length(const char *text)
{
    return *text && strchr(DIGITS ".-", *text) ? 0 : strspn(text, LETTERS DIGITS "_.-");
}

static char *skip_export(char *text)
{
    static const char WORD[] = "export";
    size_t blanks =
        strncmp(text, WORD, sizeof WORD - 1) == 0 ? strspn(text + sizeof WORD - 1, " \t") : 0;

    return blanks ? text + sizeof WORD - 1 + blanks : text;
}

/* Takes the quotes off, in place, and the backslashes where they mean something. NULL, or what is
 * wrong with it; so below. */
static const char *unquote(char *text)
{
    char quote = *text, *to = text;
    const char *from = text + 1;

    while (*from && *from != quote) {
        if (quote == '"' && from[0] == '\\' && from[1] && strchr("\"\\$`n", from[1])) {
            *to++ = from[1] == 'n' ? '\n' : from[1];
            from += 2;
        } else {
            *to++ = *from++;
        }
    }
    if (!*from)
        return "the quote is not closed";
    from++;
    if (from[strspn(from, WHITE_SPACE)])
        return "there is something after the closing quote";
    *to = 0;
    return NULL;
}

/* Makes "NAME=value" of a line, in place; NULL where it assigns nothing. */
static const char *parse_line(char *line, char **ret_assignment)
{
    char *name = line + strspn(line, WHITE_SPACE);
    const char *reason = NULL;
    char *value, *text;
    size_t length;

    *ret_assignment = NULL;
    if (!*name || *name == '#')
        return NULL;
    name = skip_export(name);
    length = name_length(name);
    if (!length || name[length] != '=')
        return "expected NAME=value";
    value = name + length + 1;
    text = value + strspn(value, WHITE_SPACE);
    if (*text == '"' || *text == '\'')
        reason = unquote(text);
    else
        for (char *end = text + strlen(text); end > text && strchr(WHITE_SPACE, end[-1]);)
            *--end = 0;
    memmove(value, text, strlen(text) + 1);
    *ret_assignment = name;
    return reason;
}

static size_t count_lines(const struct small_file *content)
{
    size_t count = 1;

    for (size_t i = 0; i < content->length; i++)
        count += content->bytes[i] == '\n';
    return count;
}

static bool parse_content(struct env_file *file, const char *path, struct error *err)
{
    char *line = file->content.bytes, *end = line + file->content.length;
    size_t count = 0;

    file->lines = calloc(count_lines(&file->content) + 1, sizeof *file->lines);
    if (!file->lines)
        return error_set(err, ERROR_TRANSIENT,
                         "cannot read %s: there is not enough memory to read it", path);
    if (strncmp(line, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
        line += 3;
    for (unsigned number = 1; line < end; number++) {
        char *line_end = memchr(line, '\n', (size_t)(end - line));
        const char *reason;

        if (!line_end)
            line_end = end;
        *line_end = 0;
        reason = strlen(line) == (size_t)(line_end - line) ? parse_line(line, &file->lines[count])
                                                           : "there is a NUL byte in it";
        if (reason)
            return error_set(err, ERROR_SETTINGS, "%s, line %u: %s", path, number, reason);
        count += file->lines[count] != NULL;
        line = line_end + 1;
    }
    return true;
}

bool env_file_read(const char *path, struct env_file *ret_file, struct error *err)
{
    struct env_file file = {0};
    struct error reason = ERROR_INIT;

    if (!small_file_read(path, ENV_FILE_MAX_BYTES, &file.content, &reason))
        error_set(err, reason.kind, "cannot read %s: %s", path, reason.text);
    else if (parse_content(&file, path, err)) {
        *ret_file = file;
        return true;
    }
    env_file_done(&file);
    return false;
}

const char *env_file_get(const struct env_file *file, const char *name)
{
    size_t length = strlen(name);
    const char *value = NULL;

    for (char **line = file->lines; line && *line; line++)
        if (strncmp(*line, name, length) == 0 && (*line)[length] == '=')
            value = *line + length + 1;
    return value;
}

void env_file_done(struct env_file *file)
{
    small_file_done(&file->content);
    free(file->lines);
    file->lines = NULL;
}
