#include "config/env_file.h"

#include "config/small_file.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHITE_SPACE " \t\r\v\f"

static const char no_memory[] = "there is not enough memory to read it";

/* One line of the file: what it assigns, in place. */
struct assignment {
    const char *name; /* NULL: nothing */
    size_t name_length;
    const char *value;
    size_t value_length;
};

/* Always returns false. `line` 0: the file as a whole. */
static bool report(char *problem, size_t problem_size, const char *path, unsigned line,
                   const char *reason)
{
    if (line > 0)
        snprintf(problem, problem_size, "%s, line %u: %s", path, line, reason);
    else
        snprintf(problem, problem_size, "cannot read %s: %s", path, reason);
    for (char *c = problem; problem_size > 0 && *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
    return false;
}

static const char *read_content(const char *path, struct small_file *content)
{
    const char *reason = small_file_read(path, ENV_FILE_MAX_BYTES, content);
    if (!reason && content->length > ENV_FILE_MAX_BYTES)
        reason = "it is larger than 256 KiB";
    return reason;
}

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static size_t count_name(const char *text)
{
    size_t length = 0;
    if (!is_name_start(text[0]))
        return 0;
    while (is_name_start(text[length]) || (text[length] >= '0' && text[length] <= '9') ||
           text[length] == '.' || text[length] == '-')
        length++;
    return length;
}

static const char *skip_export(const char *text)
{
    static const char word[] = "export";
    if (strncmp(text, word, sizeof(word) - 1) != 0)
        return text;
    const char *behind = text + sizeof(word) - 1;
    const char *name = behind + strspn(behind, " \t");
    return name == behind ? text : name;
}

/* Takes the quotes off, in place, and the backslashes where they mean something. */
static const char *unquote(char *text, struct assignment *assignment)
{
    char quote = text[0];
    const char *from = text + 1;
    char *to = text;
    while (*from && *from != quote) {
        if (quote == '"' && from[0] == '\\' && from[1] && strchr("\"\\$`n", from[1])) {
            *to++ = from[1] == 'n' ? '\n' : from[1];
            from += 2;
        } else {
            *to++ = *from++;
        }
    }
    if (*from != quote)
        return "the quote is not closed";
    from++;
    if (from[strspn(from, WHITE_SPACE)] != '\0')
        return "there is something behind the closing quote";
    assignment->value = text;
    assignment->value_length = (size_t)(to - text);
    return NULL;
}

/* Takes a line apart, in place; NULL, or what is wrong with it. */
static const char *parse_line(char *line, struct assignment *ret_assignment)
{
    struct assignment assignment = {.name = NULL};
    const char *reason = NULL;
    const char *start = line + strspn(line, WHITE_SPACE);
    if (*start != '\0' && *start != '#') {
        assignment.name = skip_export(start);
        assignment.name_length = count_name(assignment.name);
        if (assignment.name_length == 0 || assignment.name[assignment.name_length] != '=')
            return "expected NAME=value";
        char *value = line + (assignment.name - line) + assignment.name_length + 1;
        value += strspn(value, WHITE_SPACE);
        if (*value == '"' || *value == '\'') {
            reason = unquote(value, &assignment);
        } else {
            assignment.value = value;
            assignment.value_length = strlen(value);
            while (assignment.value_length > 0 &&
                   strchr(WHITE_SPACE, value[assignment.value_length - 1]))
                assignment.value_length--;
        }
    }
    *ret_assignment = assignment;
    return reason;
}

static char *join(const struct assignment *assignment)
{
    size_t name_length = assignment->name_length;
    char *line = malloc(name_length + 1 + assignment->value_length + 1);
    if (!line)
        return NULL;
    memcpy(line, assignment->name, name_length);
    line[name_length] = '=';
    memcpy(line + name_length + 1, assignment->value, assignment->value_length);
    line[name_length + 1 + assignment->value_length] = '\0';
    return line;
}

static size_t count_lines(const struct small_file *content)
{
    size_t count = 1;
    for (size_t i = 0; i < content->length; i++)
        count += content->bytes[i] == '\n';
    return count;
}

/* NULL, or what is wrong, with the number of the line (0: none) in *ret_line. */
static const char *parse_content(struct small_file *content, struct env_file *file,
                                 unsigned *ret_line)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    char *line = content->bytes;
    char *end = content->bytes + content->length;
    *ret_line = 0;
    assert(line);
    file->lines = calloc(count_lines(content) + 1, sizeof(*file->lines));
    if (!file->lines)
        return no_memory;
    if (strncmp(line, byte_order_mark, 3) == 0)
        line += 3;
    size_t count = 0;
    for (unsigned number = 1; line < end; number++) {
        char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (!line_end)
            line_end = end;
        *line_end = '\0';
        struct assignment assignment;
        const char *reason = strlen(line) == (size_t)(line_end - line)
                                 ? parse_line(line, &assignment)
                                 : "there is a NUL byte in it";
        if (reason) {
            *ret_line = number;
            return reason;
        }
        if (assignment.name && !(file->lines[count++] = join(&assignment)))
            return no_memory;
        line = line_end + 1;
    }
    return NULL;
}

bool env_file_read(const char *path, struct env_file *ret_file, char *ret_problem,
                   size_t problem_size)
{
    struct small_file content;
    struct env_file file = {.lines = NULL};
    unsigned line = 0;
    const char *reason = read_content(path, &content);
    if (!reason)
        reason = parse_content(&content, &file, &line);
    small_file_done(&content);
    if (reason) {
        env_file_done(&file);
        return report(ret_problem, problem_size, path, line, reason);
    }
    *ret_file = file;
    return true;
}

const char *env_file_get(const struct env_file *file, const char *name)
{
    size_t length = strlen(name);
    const char *value = NULL;
    for (char **line = file->lines; line && *line; line++) {
        if (strncmp(*line, name, length) == 0 && (*line)[length] == '=')
            value = *line + length + 1;
    }
    return value;
}

void env_file_done(struct env_file *file)
{
    for (char **line = file->lines; line && *line; line++) {
        explicit_bzero(*line, strlen(*line));
        free(*line);
    }
    free(file->lines);
    file->lines = NULL;
}
