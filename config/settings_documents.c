/* settings_documents - the documents that come from the table: settings_write_*() of settings.h. */
#include "config/settings.h"
#include "config/settings_names.h"
#include "config/settings_source.h"
#include "config/settings_table.h"
#include "config/settings_values.h"

#include <stdbool.h>
#include <string.h>

#define COMPOSE_WIDTH 98
#define EXAMPLE_WIDTH 80
#define HELP_WIDTH    80
#define NAME_WIDTH    31 /* of the columns of the help */
#define FORM_WIDTH    22
#define MAN_WIDTH     72 /* escapes come on top */
#define VALUE_BYTES   32

/*
 * Writes the words of text[0..length), broken into lines of at most `width` columns. Each line
 * begins with `margin`, but for the first: there, `column` columns are taken already.
 */
static void write_wrapped(FILE *out, const char *text, size_t length, const char *margin,
                          size_t column, size_t width)
{
    const char *end = text + length;
    bool is_line_empty = true;
    while (text < end) {
        size_t word = strcspn(text, " ");
        if (word > (size_t)(end - text))
            word = (size_t)(end - text);
        if (!is_line_empty && column + 1 + word > width) {
            fprintf(out, "\n%s", margin);
            column = strlen(margin);
            is_line_empty = true;
        }
        fprintf(out, "%s%.*s", is_line_empty ? "" : " ", (int)word, text);
        column += word + (is_line_empty ? 0 : 1);
        is_line_empty = false;
        text += word;
        text += text < end && *text == ' ';
    }
    fputc('\n', out);
}

/* Length of the first sentence of `text`, with its full stop. */
static size_t sentence_length(const char *text)
{
    const char *stop = strstr(text, ". ");
    return stop ? (size_t)(stop - text) + 1 : strlen(text);
}

static bool begins_group(size_t i)
{
    return i == 0 || settings_table[i].group != settings_table[i - 1].group;
}

static const char *default_of(const struct settings_row *row)
{
    if (row->required)
        return "required";
    if (!row->default_text)
        return row->unset_text;
    return *row->default_text ? row->default_text : "empty";
}

/* "size, 5MiB to 5GiB; default 8MiB". Returns `out`. */
static const char *describe(const struct settings_row *row, char *out, size_t out_size)
{
    char form[SETTINGS_EXPECTED_BYTES];
    snprintf(out, out_size, "%s; %s%s", settings_value_form(row, form, sizeof form),
             row->required       ? ""
             : row->default_text ? "default "
                                 : "default: ",
             default_of(row));
    return out;
}

static void write_group_title(FILE *out, size_t i)
{
    if (begins_group(i))
        fprintf(out, "%s%s:\n", i == 0 ? "" : "\n",
                settings_table_group_title(settings_table[i].group));
}

void settings_write_help(FILE *out, bool of_watcher)
{
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        const char *fallback = default_of(row);
        char form[SETTINGS_EXPECTED_BYTES];
        if ((row->group == SETTINGS_GROUP_WATCHER) != of_watcher)
            continue;
        if (begins_group(i))
            fprintf(out, "%s:\n", settings_table_group_title(row->group));
        /* A long default begins further to the left than the others. */
        int room = HELP_WIDTH - (int)(strlen("    []") + NAME_WIDTH + strlen(fallback));
        fprintf(out, "  %-*s %-*s [%s]\n", NAME_WIDTH, row->name,
                room < FORM_WIDTH ? room : FORM_WIDTH, settings_value_form(row, form, sizeof form),
                fallback);
    }
}

static void write_described(FILE *out, const char *label, const char *text)
{
    fprintf(out, "  %-9s", label);
    write_wrapped(out, text, strlen(text), "           ", 11, EXAMPLE_WIDTH);
}

static void write_description(FILE *out, const struct settings_row *row)
{
    char expected[SETTINGS_EXPECTED_BYTES];
    fprintf(out, "%s\n  ", row->name);
    write_wrapped(out, row->help, strlen(row->help), "  ", 2, EXAMPLE_WIDTH);
    write_described(out, "value", settings_value_expected(row, expected, sizeof expected));
    write_described(out, "default", row->required ? "none, it has to be set" : default_of(row));
    if (row->alias)
        fprintf(out, "  %-9s%s is read where it is not set\n", "else", row->alias);
    if (row->file_name)
        fprintf(out, "  %-9s%s names a file that holds it\n", "or", row->file_name);
}

void settings_write_descriptions(FILE *out)
{
    for (size_t i = 0; i < settings_table_length; i++) {
        write_group_title(out, i);
        fputc('\n', out);
        write_description(out, &settings_table[i]);
    }
}

static void write_comment(FILE *out, const char *text)
{
    fputs("# ", out);
    write_wrapped(out, text, strlen(text), "# ", 2, EXAMPLE_WIDTH);
}

static void write_example_row(FILE *out, const struct settings_row *row)
{
    char description[2 * SETTINGS_EXPECTED_BYTES];
    fputc('\n', out);
    write_comment(out, row->help);
    write_comment(out, describe(row, description, sizeof description));
    if (row->alias)
        fprintf(out, "# Where it is not set, %s is read.\n", row->alias);
    if (row->file_name)
        fprintf(out, "# Or in a file: %s names it.\n", row->file_name);
    bool shows_default = row->default_text && !row->in_example;
    if (row->example && !row->in_example) {
        snprintf(description, sizeof description, "For example: %s", row->example);
        write_comment(out, description);
    }
    fprintf(out, "%s%s=%s\n", row->in_example ? "" : "#", row->name,
            row->in_example ? row->example
            : shows_default ? row->default_text
                            : "");
}

void settings_write_example(FILE *out)
{
    fputs(
        "# The settings of jibri-finalize: NAME=value lines, as Docker's --env-file and systemd's\n"
        "# EnvironmentFile read them. What the environment sets wins over this file.\n"
        "#\n"
        "# Made from the table in config/settings_table.c; write your own copy to\n"
        "# /etc/jibri-finalize/finalize.env and keep it readable to Jibri's user alone.\n"
        "# Lines without # have to be filled in; the others show the default.\n",
        out);
    for (size_t i = 0; i < settings_table_length; i++) {
        if (begins_group(i))
            fprintf(out, "\n# ---- %s ----\n", settings_table_group_title(settings_table[i].group));
        write_example_row(out, &settings_table[i]);
    }
}

static void write_compose_variable(FILE *out, const char *name, bool left_out)
{
    if (name)
        fprintf(out, "      %s- %s\n", left_out ? "# " : "", name);
}

void settings_write_compose(FILE *out)
{
    static const char margin[] = "      # ";
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        char description[2 * SETTINGS_EXPECTED_BYTES];
        if (begins_group(i))
            fprintf(out, "%s---- %s ----\n", margin, settings_table_group_title(row->group));
        fputs(margin, out);
        write_wrapped(out, row->help, sentence_length(row->help), margin, strlen(margin),
                      COMPOSE_WIDTH);
        fputs(margin, out);
        describe(row, description, sizeof description);
        write_wrapped(out, description, strlen(description), margin, strlen(margin), COMPOSE_WIDTH);
        if (row->left_out) {
            fputs(margin, out);
            write_wrapped(out, row->left_out, strlen(row->left_out), margin, strlen(margin),
                          COMPOSE_WIDTH);
        }
        write_compose_variable(out, row->name, row->left_out);
        write_compose_variable(out, row->alias, row->left_out);
        write_compose_variable(out, row->file_name, row->left_out);
    }
}

/* A variable that is set becomes a line, in double quotes as env_file.h reads them. */
static void write_template_variable(FILE *out, const char *name)
{
    if (name)
        fprintf(out,
                "{{ with .Env.%s -}}\n"
                "%s=\"{{ . | replace \"\\\\\" \"\\\\\\\\\" | replace \"\\\"\" \"\\\\\\\"\" | "
                "replace \"\\n\" \"\\\\n\" }}\"\n"
                "{{ end -}}\n",
                name, name);
}

void settings_write_template(FILE *out)
{
    fputs("# The settings that this container was started with; written again at every start.\n",
          out);
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        write_template_variable(out, row->name);
        write_template_variable(out, row->alias);
        write_template_variable(out, row->file_name);
    }
}

/* Text in a cell of a table, where a bar would end the cell. */
static void write_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("|\\<>*_", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void write_markdown_default(FILE *out, const struct settings_row *row)
{
    if (row->required)
        fputs("required", out);
    else if (!row->default_text)
        write_cell(out, row->unset_text);
    else if (*row->default_text)
        fprintf(out, "`%s`", row->default_text);
    else
        fputs("empty", out);
}

void settings_write_markdown(FILE *out)
{
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        char form[SETTINGS_EXPECTED_BYTES];
        if (begins_group(i))
            fprintf(out,
                    "%s**%s**\n\n| name | value | default | meaning |\n| --- | --- | --- | --- |\n",
                    i == 0 ? "" : "\n", settings_table_group_title(row->group));
        fprintf(out, "| `%s` | ", row->name);
        write_cell(out, settings_value_form(row, form, sizeof form));
        fputs(" | ", out);
        write_markdown_default(out, row);
        fputs(" | ", out);
        write_cell(out, row->help);
        if (row->alias)
            fprintf(out, " Where it is not set, `%s` is read.", row->alias);
        if (row->file_name)
            fprintf(out, " Or in a file: `%s` names it.", row->file_name);
        fputs(" |\n", out);
    }
}

/* A word of a man page, where a backslash and a minus sign have to be said. */
static void write_man_word(FILE *out, const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '\\')
            fputs("\\e", out);
        else if (word[i] == '-')
            fputs("\\-", out);
        else
            fputc(word[i], out);
    }
}

/* Text of a man page: no line of it may be taken for a macro, and each sentence has its own, as
 * mdoc wants it. */
static void write_man_text(FILE *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column > 0 && column + 1 + length > MAN_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column > 0)
            fputc(' ', out);
        else if (*text == '.' || *text == '\'')
            fputs("\\&", out);
        write_man_word(out, text, length);
        column += length + 1;
        if (text[length - 1] == '.')
            column = MAN_WIDTH;
        text += length;
        text += *text == ' ';
    }
    fputc('\n', out);
}

void settings_write_man(FILE *out)
{
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        char description[2 * SETTINGS_EXPECTED_BYTES];
        fprintf(out, ".It Ev %s\n", row->name);
        write_man_text(out, row->help);
        if (row->alias)
            fprintf(out, "Where it is not set,\n.Ev %s\nis read.\n", row->alias);
        if (row->file_name)
            fprintf(out, "Or in a file:\n.Ev %s\nnames it.\n", row->file_name);
        char in_brackets[sizeof description + 2];
        snprintf(in_brackets, sizeof in_brackets, "(%s)",
                 describe(row, description, sizeof description));
        write_man_text(out, in_brackets);
    }
}

/* "8MiB (default)", "set (from the environment)" of a secret. */
static void write_effective_value(const struct settings_row *row, const struct settings *settings,
                                  const struct settings_source *source, FILE *out)
{
    char buffer[VALUE_BYTES];
    struct settings_found found;
    const char *value = settings_value_spell(row, settings, buffer, sizeof buffer);
    if (row->secret)
        value = value ? "set" : "not set";
    fprintf(out, "%s (", value ? value : "");
    if (!settings_source_find(source, row, &found))
        fprintf(out, "default%s%s", row->unset_text ? ": " : "",
                row->unset_text ? row->unset_text : "");
    else if (found.name != row->name)
        fprintf(out, "from %s in %s", found.name, found.where);
    else
        fprintf(out, "from %s", found.where);
    fputs(")\n", out);
}

static void open_source(struct settings_source *source, const char *const *environment,
                        const char *path)
{
    struct error reported = ERROR_INIT; /* by settings_load() already */
    *source = (struct settings_source){.environment = environment, .path = path};
    if (path && !env_file_read(path, &source->file, &reported))
        source->file = (struct env_file){0};
}

void settings_write_effective(const struct settings *settings, const char *const *environment,
                              const char *path, FILE *out)
{
    struct settings_source source;
    open_source(&source, environment, path);
    for (size_t i = 0; i < settings_table_length; i++) {
        fprintf(out, "%s=", settings_table[i].name);
        write_effective_value(&settings_table[i], settings, &source, out);
    }
    env_file_done(&source.file);
}

/* Writes those that are about the row; false: none is. */
static bool write_problems(const struct settings_row *row, const struct settings_problems *problems,
                           FILE *out)
{
    bool any = false;
    for (char **line = problems->errors; line && *line; line++) {
        if (settings_name_row(*line, strcspn(*line, " :")) != row)
            continue;
        write_described(out, "WRONG", *line);
        any = true;
    }
    return any;
}

bool settings_write_description(const struct settings_row *row, const struct settings *settings,
                                const struct settings_problems *problems,
                                const char *const *environment, const char *path, FILE *out)
{
    struct settings_source source;
    write_description(out, row);
    if (write_problems(row, problems, out))
        return false;
    open_source(&source, environment, path);
    fprintf(out, "  %-9s", "now");
    write_effective_value(row, settings, &source, out);
    env_file_done(&source.file);
    return true;
}
