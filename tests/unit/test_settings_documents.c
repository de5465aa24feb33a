#include "config/settings.h"

#include "config/settings_names.h"
#include "config/settings_table.h"
#include "config/settings_values.h"
#include "tests/unit/settings_fixture.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define MIB       (UINT64_C(1) << 20)

static char *document(void (*write)(FILE *out))
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    write(out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static char *read_source(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", SOURCE_DIR, name);
    FILE *in = fopen(path, "r");
    ck_assert_msg(in != NULL, "%s cannot be read", path);
    char *text = NULL;
    size_t size = 0;
    ssize_t length = getdelim(&text, &size, '\0', in);
    fclose(in);
    ck_assert_msg(length > 0, "%s is empty", path);
    return text;
}

START_TEST(what_is_in_effect_is_shown_with_where_it_comes_from)
{
    const char *const environment[] = {fixture_least[0],
                                       fixture_least[1],
                                       fixture_least[2],
                                       fixture_least[3],
                                       fixture_least[4],
                                       "JIBRI_RECORDING_DIR=/jibri",
                                       "CONFOMEET_S3_PART_SIZE=16777216",
                                       "CONFOMEET_S3_REGION=",
                                       NULL};
    fixture_write_file(
        "CONFOMEET_KEEP_LOCAL=48\nCONFOMEET_S3_REGION=eu\nCONFOMEET_PROXY=http://u:p@h\n");
    ck_assert(settings_load(environment, fixture_path, &settings, &problems));
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    settings_write_effective(&settings, environment, fixture_path, out);
    ck_assert_int_eq(fclose(out), 0);
    char from_file[128];
    snprintf(from_file, sizeof(from_file), "\nCONFOMEET_KEEP_LOCAL=48h (from %s)\n", fixture_path);
    const char *const lines[] = {
        from_file,
        "CONFOMEET_S3_URL=https://storage.example.org/ (from the environment)\n",
        "\nCONFOMEET_S3_CLIENT_SECRET=set (from the environment)\n",
        "\nCONFOMEET_PROXY=set (from /tmp/",
        "\nCONFOMEET_BACKEND_TOKEN=not set (default: none)\n",
        "\nCONFOMEET_S3_REGION=eu (from /tmp/",
        "\nCONFOMEET_S3_PART_SIZE=16MiB (from the environment)\n",
        "\nCONFOMEET_S3_PARALLEL=20 (default)\n",
        "\nCONFOMEET_S3_KEY_PREFIX= (default)\n",
        "\nCONFOMEET_BASE_URL= (default: http://$XMPP_DOMAIN/meet)\n",
        "\nCONFOMEET_RECORDINGS_DIR=/jibri (from JIBRI_RECORDING_DIR in the environment)\n",
        "\nCONFOMEET_LOG_LEVEL=info (default)\n",
    };
    for (size_t i = 0; i < LENGTH(lines); i++)
        ck_assert_msg(strstr(text, lines[i]), "%s is not in\n%s", lines[i], text);
    ck_assert_ptr_null(strstr(text, "topsecret"));
    ck_assert_ptr_null(strstr(text, "u:p"));
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += text[i] == '\n';
    ck_assert_uint_eq(count, settings_table_length);
    free(text);
}
END_TEST

START_TEST(a_secret_in_a_file_is_shown_as_set_by_the_variable_that_names_the_file)
{
    fixture_write_file("topsecret\n");
    char variable[128];
    snprintf(variable, sizeof(variable), "CONFOMEET_S3_CLIENT_SECRET_FILE=%s", fixture_path);
    const char *const environment[] = {fixture_least[0], fixture_least[1], fixture_least[2],
                                       fixture_least[4], variable,         NULL};
    ck_assert(settings_load(environment, NULL, &settings, &problems));
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    settings_write_effective(&settings, environment, NULL, out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strstr(text, "\nCONFOMEET_S3_CLIENT_SECRET=set (from "
                                       "CONFOMEET_S3_CLIENT_SECRET_FILE in the environment)\n"));
    ck_assert_ptr_null(strstr(text, "topsecret"));
    free(text);
}
END_TEST

START_TEST(every_secret_may_be_in_a_file)
{
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        char expected[128];
        snprintf(expected, sizeof(expected), "%s_FILE", row->name);
        ck_assert_msg(!row->secret || row->file_name, "%s", row->name);
        ck_assert_msg(!row->file_name || strcmp(row->file_name, expected) == 0, "%s", row->name);
    }
}
END_TEST

/* What the --help of both programs holds of the table. */
static void write_both_helps(FILE *out)
{
    settings_write_help(out, false);
    settings_write_help(out, true);
}

START_TEST(every_document_names_every_setting)
{
    static void (*const writers[])(FILE *) = {write_both_helps,           settings_write_example,
                                              settings_write_markdown,    settings_write_man,
                                              settings_write_template,    settings_write_compose,
                                              settings_write_descriptions};
    char *text = document(writers[_i]);
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        ck_assert_msg(strstr(text, row->name), "%s", row->name);
        ck_assert_msg(_i == 0 || !row->file_name || strstr(text, row->file_name), "%s", row->name);
    }
    ck_assert(_i == 0 || strstr(text, "JIBRI_RECORDING_DIR"));
    free(text);
}
END_TEST

START_TEST(the_help_has_one_line_for_each_setting_of_at_most_80_columns)
{
    char *text = document(write_both_helps);
    size_t count = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        ck_assert_msg(strlen(line) <= 80, "%s", line);
        count += line[0] == ' ';
    }
    ck_assert_uint_eq(count, settings_table_length);
    free(text);
}
END_TEST

static char *description(const char *name, const char *const *environment, bool expected)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(out);
    const struct settings_row *row = settings_name_row(name, strlen(name));
    ck_assert_ptr_nonnull(row);
    bool usable = settings_load(environment, fixture_path, &settings, &problems);
    ck_assert(settings_write_description(row, &settings, &problems, environment, fixture_path,
                                         out) == expected);
    ck_assert(!usable);
    settings_done(&settings);
    settings_problems_done(&problems);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(a_setting_is_described_with_what_is_in_effect_whatever_is_wrong_with_others)
{
    const char *const environment[] = {"CONFOMEET_S3_PART_SIZE=16777216", "CONFOMEET_LOG_LEVEL=all",
                                       "CONFOMEET_S3_CLIENT_SECRET=topsecret", NULL};
    static const struct {
        const char *name, *expected;
        bool right;
    } cases[] = {
        {"CONFOMEET_S3_PART_SIZE", "\n  now      16MiB (from the environment)\n", true},
        {"CONFOMEET_KEEP_LOCAL", "\n  now      48h (from /tmp/", true},
        {"CONFOMEET_S3_CLIENT_SECRET", "\n  now      set (from the environment)\n", true},
        {"CONFOMEET_S3_CLIENT_SECRET_FILE",
         "\n  or       CONFOMEET_S3_CLIENT_SECRET_FILE names a file that holds it\n", true},
        {"JIBRI_RECORDING_DIR", "\n  now       (default: the session's parent)\n", true},
        {"CONFOMEET_LOG_LEVEL", "\n  WRONG    CONFOMEET_LOG_LEVEL is \"all\"", false},
        {"CONFOMEET_S3_URL", "\n  WRONG    CONFOMEET_S3_URL is not set", false},
    };
    fixture_write_file("CONFOMEET_KEEP_LOCAL=48\n");
    for (size_t i = 0; i < LENGTH(cases); i++) {
        char *text = description(cases[i].name, environment, cases[i].right);
        ck_assert_msg(strstr(text, cases[i].expected), "%s is not in\n%s", cases[i].expected, text);
        ck_assert_ptr_null(strstr(text, "topsecret"));
        free(text);
    }
}
END_TEST

START_TEST(the_example_is_what_the_table_says)
{
    char *expected = document(settings_write_example);
    char *text = read_source("config/example.env");
    ck_assert_msg(strcmp(text, expected) == 0,
                  "config/example.env is not what `settings-doc example` prints");
    free(text);
    free(expected);
}
END_TEST

START_TEST(the_example_can_be_used_once_it_is_filled_in)
{
    const char *const environment[] = {NULL};
    ck_assert(settings_load(environment, SOURCE_DIR "/config/example.env", &settings, &problems));
    fixture_assert_no_problem();
    ck_assert_str_eq(settings.s3_region, "ru-central1");
    ck_assert(settings.s3_part_size_bytes == 8 * MIB);
}
END_TEST

/* Every `#NAME=value` line of the example, without its comment sign, is the default. */
START_TEST(the_examples_comments_show_the_defaults)
{
    char *text = read_source("config/example.env");
    for (char *c = text; (c = strstr(c, "\n#")); c++) {
        if (c[2] != ' ' && c[2] != '\n')
            c[1] = ' ';
    }
    fixture_write_file(text);
    free(text);
    const char *const environment[] = {NULL};
    struct settings plain;
    struct settings_problems none;
    ck_assert(settings_load(environment, SOURCE_DIR "/config/example.env", &plain, &none));
    ck_assert(settings_load(environment, fixture_path, &settings, &problems));
    fixture_assert_no_problem();
    for (size_t i = 0; i < settings_table_length; i++) {
        char first[64];
        char second[64];
        const struct settings_row *row = &settings_table[i];
        const char *a = settings_value_spell(row, &plain, first, sizeof(first));
        const char *b = settings_value_spell(row, &settings, second, sizeof(second));
        ck_assert_msg((!a && !b) || (a && b && strcmp(a, b) == 0), "%s", row->name);
    }
    settings_done(&plain);
    settings_problems_done(&none);
}
END_TEST

/* Between its two marks, `file` has what `write` writes. */
static void assert_part_of(const char *file, const char *begin, const char *end,
                           void (*write)(FILE *out))
{
    char *expected = document(write);
    char *text = read_source(file);
    char *from = strstr(text, begin);
    ck_assert_msg(from != NULL, "%s has no line %s", file, begin);
    from += strlen(begin);
    char *to = strstr(from, end);
    ck_assert_msg(to != NULL, "%s has no line %s", file, end);
    *to = '\0';
    ck_assert_msg(strcmp(from, expected) == 0, "%s's list is not what `settings-doc` prints", file);
    free(text);
    free(expected);
}

START_TEST(the_documents_table_is_what_the_table_says)
{
    assert_part_of("docs/settings.md", "<!-- settings: begin -->\n", "<!-- settings: end -->",
                   settings_write_markdown);
}
END_TEST

START_TEST(the_compose_files_list_is_what_the_table_says)
{
    assert_part_of("config/jibri.yml", "# settings: begin\n", "      # settings: end",
                   settings_write_compose);
}
END_TEST

/* It is written by hand, since the table's texts are in English. */
START_TEST(the_russian_document_names_every_setting)
{
    char *text = read_source("docs/ru/settings.md");
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        char cell[128];
        snprintf(cell, sizeof(cell), "\n| `%s` | ", row->name);
        ck_assert_msg(strstr(text, cell), "docs/ru/settings.md has no row for %s", row->name);
        ck_assert_msg(!row->file_name || strstr(text, row->file_name), "%s", row->name);
    }
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings_documents");
    TCase *tests = tcase_create("documents");
    tcase_add_checked_fixture(tests, fixture_set_up, fixture_tear_down);
    tcase_add_test(tests, what_is_in_effect_is_shown_with_where_it_comes_from);
    tcase_add_test(tests, a_secret_in_a_file_is_shown_as_set_by_the_variable_that_names_the_file);
    tcase_add_test(tests, every_secret_may_be_in_a_file);
    tcase_add_loop_test(tests, every_document_names_every_setting, 0, 7);
    tcase_add_test(tests, the_help_has_one_line_for_each_setting_of_at_most_80_columns);
    tcase_add_test(tests,
                   a_setting_is_described_with_what_is_in_effect_whatever_is_wrong_with_others);
    tcase_add_test(tests, the_example_is_what_the_table_says);
    tcase_add_test(tests, the_example_can_be_used_once_it_is_filled_in);
    tcase_add_test(tests, the_examples_comments_show_the_defaults);
    tcase_add_test(tests, the_documents_table_is_what_the_table_says);
    tcase_add_test(tests, the_compose_files_list_is_what_the_table_says);
    tcase_add_test(tests, the_russian_document_names_every_setting);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
