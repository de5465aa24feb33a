/* settings_load - fills the settings from the environment and a file: settings_load*() of
 * settings.h.
 */
#include "config/settings_load_private.h"

#include "config/settings_checks.h"
#include "config/settings_names.h"
#include "config/settings_values.h"
#include "config/small_file.h"
#include "finalize/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SHOWN_NAME   80
#define MAX_SECRET_BYTES (16u * 1024)

/* Appends `line`, which it takes, to the NULL-terminated list. A line that is there is not added
 * again. */
static bool take_line(char ***list, char *line)
{
    size_t count = 0;
    for (; *list && (*list)[count]; count++) {
        if (strcmp((*list)[count], line) == 0) {
            free(line);
            return true;
        }
    }
    char **longer = reallocarray(*list, count + 2, sizeof *longer);
    if (!longer) {
        free(line);
        return false;
    }
    longer[count] = line;
    longer[count + 1] = NULL;
    *list = longer;
    return true;
}

__attribute__((format(printf, 3, 0))) static void add_line(struct loader *loader, char ***list,
                                                           const char *format, va_list arguments)
{
    char *line;
    if (vasprintf(&line, format, arguments) < 0) {
        loader->is_out_of_memory = true;
        return;
    }
    utf8_make_plain(line);
    if (!take_line(list, line))
        loader->is_out_of_memory = true;
}

void settings_load_complain(struct loader *loader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(loader, &loader->problems.errors, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void warn(struct loader *loader, const char *format,
                                                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(loader, &loader->problems.warnings, format, arguments);
    va_end(arguments);
}

static void report_wrong(struct loader *loader, const struct settings_row *row,
                         const struct settings_found *found)
{
    char expected[SETTINGS_EXPECTED_BYTES];
    char quoted[SETTINGS_QUOTED_BYTES];
    const char *what = settings_value_expected(row, expected, sizeof expected);
    if (row->secret || (row->secret_signs && strpbrk(found->text, row->secret_signs)))
        settings_load_complain(loader,
                               "%s (from %s) cannot be used; its value is not shown: expected %s",
                               found->name, found->where, what);
    else
        settings_load_complain(loader, "%s is %s (from %s): expected %s", found->name,
                               settings_value_quote(found->text, quoted, sizeof quoted),
                               found->where, what);
}

/* Where there is no such file, its name may be the secret itself, in the wrong place: not shown. */
static void report_secret_file(struct loader *loader, const struct settings_row *row,
                               const struct settings_found *found, const char *reason)
{
    struct stat status;
    bool is_there = lstat(found->path, &status) == 0;
    settings_load_complain(loader, "%s (from %s) names %s, which cannot be read: %s",
                           row->file_name, found->where, is_there ? found->path : "a file", reason);
}

/* Takes the newlines off the end of a secret; NULL, or why it can't be used. */
static const char *trim_secret(struct small_file *secret)
{
    size_t length = secret->length;

    while (length > 0 && (secret->bytes[length - 1] == '\n' || secret->bytes[length - 1] == '\r'))
        length--;
    secret->bytes[length] = 0;
    if (length == 0)
        return "it is empty";
    return strlen(secret->bytes) < length ? "there is a NUL byte in it" : NULL;
}

/* Reads the file that holds the row's value. False when it can't be used, which is reported then.
 */
static bool read_secret(struct loader *loader, const struct settings_row *row,
                        const struct settings_found *found, struct small_file *ret_secret)
{
    struct error err = ERROR_INIT;
    const char *reason;

    *ret_secret = (struct small_file){0};
    if (!settings_check_path(found->path)) {
        settings_load_complain(
            loader,
            "%s (from %s) cannot be used; its value is not shown: expected the absolute path "
            "of a file that holds %s",
            row->file_name, found->where, row->name);
        return false;
    }
    if (small_file_read(found->path, MAX_SECRET_BYTES, ret_secret, &err))
        reason = trim_secret(ret_secret);
    else
        reason = err.text;
    if (reason)
        report_secret_file(loader, row, found, reason);
    return !reason;
}

static void load_text(struct loader *loader, const struct settings_row *row,
                      const struct settings_found *found)
{
    switch (settings_value_parse(row, found->text, &loader->settings)) {
    case SETTINGS_PARSED:
        break;
    case SETTINGS_WRONG:
        loader->is_wrong[row - settings_table] = true;
        report_wrong(loader, row, found);
        break;
    case SETTINGS_NO_MEMORY:
        loader->is_out_of_memory = true;
        break;
    }
}

static void load_secret(struct loader *loader, const struct settings_row *row,
                        const struct settings_found *found)
{
    struct small_file secret;
    bool is_usable = read_secret(loader, row, found, &secret);
    if (is_usable && found->text && strcmp(found->text, secret.bytes) != 0) {
        is_usable = false;
        settings_load_complain(
            loader, "%s and %s are both set (from %s), to different values: expected one of them",
            row->name, row->file_name, found->where);
    }
    if (is_usable) {
        struct settings_found in_file = *found;
        in_file.text = secret.bytes;
        load_text(loader, row, &in_file);
    } else {
        loader->is_wrong[row - settings_table] = true;
    }
    small_file_done(&secret);
}

static void load_row(struct loader *loader, const struct settings_row *row)
{
    struct settings_found found = {.name = row->name, .text = row->default_text};
    bool is_set = settings_source_find(&loader->source, row, &found);
    if (!is_set && row->required) {
        char expected[SETTINGS_EXPECTED_BYTES];
        loader->is_wrong[row - settings_table] = true;
        /* It may well stand in the file that could not be read. */
        if (loader->is_source_complete)
            settings_load_complain(loader, "%s is not set: expected %s", row->name,
                                   settings_value_expected(row, expected, sizeof expected));
    } else if (found.path) {
        load_secret(loader, row, &found);
    } else if (found.text) {
        load_text(loader, row, &found);
    }
}

/* In full up to MAX_SHOWN_NAME bytes; one may hold anything. */
static void show_name(const char *name, size_t length, char ret_shown[MAX_SHOWN_NAME + 4])
{
    size_t shown = length < MAX_SHOWN_NAME ? length : MAX_SHOWN_NAME;

    for (size_t i = 0; i < shown; i++)
        ret_shown[i] = name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?';
    snprintf(ret_shown + shown, 4, "%s", length > shown ? "..." : "");
}

/* Other programs have names that begin as ours do: only of those that are nearly one of ours, or
 * for S3, is anything said. */
static void warn_of_unknown_name(struct loader *loader, const char *name, size_t length)
{
    bool is_s3 = !strncmp(name, SETTINGS_NAMES_PREFIX, strlen(SETTINGS_NAMES_PREFIX));
    const char *reason = is_s3 ? settings_name_unsupported(name, length) : NULL;
    const char *nearest = settings_name_nearest(name, length);
    char shown[MAX_SHOWN_NAME + 4];

    show_name(name, length, shown);
    if (reason)
        warn(loader, "%s is not a setting: %s", shown, reason);
    else if (nearest)
        warn(loader, "%s is not a setting; did you mean %s?", shown, nearest);
    else if (is_s3)
        warn(loader, "%s is not a setting", shown);
}

static void warn_of_unknown_names(struct loader *loader, const char *const *lines)
{
    for (; lines && *lines; lines++) {
        size_t length = strcspn(*lines, "=");
        bool is_set = (*lines)[length] == '=' && (*lines)[length + 1] != 0;

        if (is_set && !strncmp(*lines, SETTINGS_NAMES_OURS, strlen(SETTINGS_NAMES_OURS)) &&
            !settings_name_is_known(*lines, length))
            warn_of_unknown_name(loader, *lines, length);
    }
}

static void read_file(struct loader *loader, const char *path)
{
    struct error err = ERROR_INIT;

    loader->is_source_complete = true;
    if (!path)
        return;
    if (!env_file_read(path, &loader->source.file, &err)) {
        loader->is_source_complete = false;
        settings_load_complain(loader, "%s", err.text);
    }
}

/* `wanted` (NULL: all): the rows that are loaded. What they mean together is checked only when all
 * are loaded.
 */
static bool load(const char *const *environment, const char *path,
                 bool (*wanted)(const struct settings_row *row), struct settings *ret_settings,
                 struct settings_problems *ret_problems)
{
    struct loader loader = {.source = {.environment = environment, .path = path}};
    read_file(&loader, path);
    for (size_t i = 0; i < settings_table_length; i++)
        if (!wanted || wanted(&settings_table[i]))
            load_row(&loader, &settings_table[i]);
    /* Without the file, settings that stand in it would be reported as missing. */
    if (!wanted && loader.is_source_complete) {
        /* Jibri writes metadata.json when it ends, and the key is that of the upload's beginning.
         */
        if (loader.settings.s3_key_prefix && strstr(loader.settings.s3_key_prefix, "{metadata."))
            loader.settings.live_upload = false;
        settings_load_check(&loader);
    }
    if (!wanted) {
        warn_of_unknown_names(&loader, environment);
        warn_of_unknown_names(&loader, (const char *const *)loader.source.file.lines);
    }
    env_file_done(&loader.source.file);
    if (loader.is_out_of_memory)
        settings_load_complain(&loader, "there is not enough memory to read the settings");
    *ret_settings = loader.settings;
    ret_settings->environment = environment;
    ret_settings->path = path;
    *ret_problems = loader.problems;
    return !loader.problems.errors && !loader.is_out_of_memory;
}

bool settings_load(const char *const *environment, const char *path, struct settings *ret_settings,
                   struct settings_problems *ret_problems)
{
    return load(environment, path, NULL, ret_settings, ret_problems);
}

static bool is_of_machine(const struct settings_row *row)
{
    return row->group == SETTINGS_GROUP_MACHINE;
}

bool settings_load_machine(const char *const *environment, const char *path,
                           struct settings *ret_settings, struct settings_problems *ret_problems)
{
    return load(environment, path, is_of_machine, ret_settings, ret_problems);
}

static bool is_key(const struct settings_row *row)
{
    return row->offset == offsetof(struct settings, s3_client_id) ||
           row->offset == offsetof(struct settings, s3_client_secret) ||
           row->offset == offsetof(struct settings, s3_session_token);
}

bool settings_read_keys(const struct settings *settings, struct settings *ret_keys)
{
    struct settings_problems problems;
    bool ok;

    *ret_keys = (struct settings){0};
    if (!settings->environment)
        return false;
    ok = load(settings->environment, settings->path, is_key, ret_keys, &problems);
    settings_problems_done(&problems);
    return ok;
}

void settings_done(struct settings *settings)
{
    for (size_t i = 0; i < settings_table_length; i++)
        settings_value_done(&settings_table[i], settings);
}

static void free_lines(char ***list)
{
    for (char **line = *list; line && *line; line++)
        free(*line);
    free(*list);
    *list = NULL;
}

void settings_problems_done(struct settings_problems *problems)
{
    free_lines(&problems->errors);
    free_lines(&problems->warnings);
}

const char *settings_default_file(void)
{
    static const char *const paths[] = {"/run/jibri-finalize/finalize.env",
                                        "/etc/jibri-finalize/finalize.env"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct stat status;
        if (lstat(paths[i], &status) == 0 || (errno != ENOENT && errno != ENOTDIR))
            return paths[i];
    }
    return NULL;
}
