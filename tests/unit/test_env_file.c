#include "config/env_file.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

static char directory[64];
static char path[96];
static struct error err;
static struct env_file file;

static void set_up(void)
{
    snprintf(directory, sizeof(directory), "/tmp/test_env_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/finalize.env", directory);
    error_clear(&err);
    file.lines = NULL;
}

static void tear_down(void)
{
    env_file_done(&file);
    unlink(path);
    rmdir(path);
    ck_assert_int_eq(rmdir(directory), 0);
}

static void read_text(const char *text)
{
    unit_write(path, text, strlen(text));
    ck_assert_msg(env_file_read(path, &file, &err), "%s: %s", text, err.text);
}

/* The file has to be refused, with `reason` in a problem of one line that names the file. */
static void assert_refused(const char *reason)
{
    char *lines[] = {NULL};
    file.lines = lines;
    bool is_read = env_file_read(path, &file, &err);
    bool is_untouched = file.lines == lines;
    file.lines = NULL;
    ck_assert(!is_read);
    ck_assert(is_untouched);
    ck_assert_msg(strstr(err.text, path) && strstr(err.text, reason), "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

struct value_case {
    const char *text;
    const char *value; /* of NAME; NULL: not there */
};

static const struct value_case values[] = {
    {"NAME=value\n", "value"},
    {"NAME=value", "value"},
    {"NAME=\n", ""},
    {"", NULL},
    {"\n\n", NULL},
    {"# NAME=value\n", NULL},
    {"   # NAME=value\n", NULL},
    {"#\nNAME=value\n", "value"},
    {"  NAME=value\n", "value"},
    {"NAME=  value with blanks \t\n", "value with blanks"},
    {"NAME=value\r\nOTHER=1\r\n", "value"},
    {"\r\nNAME=value\r\n", "value"},
    {"export NAME=value\n", "value"},
    {"export \t NAME=value\n", "value"},
    {"exporter=1\n", NULL},
    {"\xef\xbb\xbfNAME=value\n", "value"},
    {"NAME=a=b==\n", "a=b=="},
    {"NAME=a#b #c\n", "a#b #c"},
    {"NAME=it's \"so\"\n", "it's \"so\""},
    {"NAME=$HOME `id` \\n\n", "$HOME `id` \\n"},
    {"NAME=\"value\"\n", "value"},
    {"NAME=\"value\"  \r\n", "value"},
    {"NAME=\"\"\n", ""},
    {"NAME=\" va lue \"\n", " va lue "},
    {"NAME=\"a \\\" b \\\\ c \\$ d \\` e \\n f\"\n", "a \" b \\ c $ d ` e \n f"},
    {"NAME=\"a \\t \\x $HOME\"\n", "a \\t \\x $HOME"},
    {"NAME=\"it's\"\n", "it's"},
    {"NAME='value'\n", "value"},
    {"NAME='a \\n \"b\" $c\\'\n", "a \\n \"b\" $c\\"},
    {"NAME=1\nNAME=2\n", "2"},
    {"NAME=1\nNAME=\n", ""},
    {"NAME=1\nNAMES=2\nNAM=3\n", "1"},
    {"name=1\n", NULL},
    {"NAME=\xd0\xb6\n", "\xd0\xb6"},
};

START_TEST(a_value_is_read_as_docker_and_systemd_read_it)
{
    const struct value_case *row = &values[_i];
    read_text(row->text);
    const char *value = env_file_get(&file, "NAME");
    if (!row->value) {
        ck_assert_ptr_null(value);
        return;
    }
    ck_assert_msg(value && strcmp(value, row->value) == 0, "%s gives %s", row->text,
                  value ? value : "nothing");
}
END_TEST

struct refused_case {
    const char *text;
    const char *reason;
};

static const struct refused_case refused[] = {
    {"A=1\nSECRET\n", ", line 2: expected NAME=value"},
    {"\n\n\n=SECRET\n", ", line 4: expected NAME=value"},
    {"SECRET =1\n", ", line 1: expected NAME=value"},
    {"SEC RET=1\n", ", line 1: expected NAME=value"},
    {"1SECRET=1\n", ", line 1: expected NAME=value"},
    {"export SECRET\n", ", line 1: expected NAME=value"},
    {"SECRET: 1\n", ", line 1: expected NAME=value"},
    {"A=\"SECRET\n", ", line 1: the quote is not closed"},
    {"A='SECRET\nB=2'\n", ", line 1: the quote is not closed"},
    {"A=\"SECRET\\\"\n", ", line 1: the quote is not closed"},
    {"A=\"SECRET\\", ", line 1: the quote is not closed"},
    {"A=\"SECRET\" more\n", ", line 1: there is something after the closing quote"},
    {"A='SECRET''\n", ", line 1: there is something after the closing quote"},
};

START_TEST(a_broken_line_is_named_by_its_number_and_not_shown)
{
    unit_write(path, refused[_i].text, strlen(refused[_i].text));
    assert_refused(refused[_i].reason);
    ck_assert_ptr_null(strstr(err.text, "SECRET"));
}
END_TEST

START_TEST(lines_are_an_environment_in_the_files_order)
{
    read_text("B=2\n# no\nexport A='1'\nB=3\n");
    ck_assert_str_eq(file.lines[0], "B=2");
    ck_assert_str_eq(file.lines[1], "A=1");
    ck_assert_str_eq(file.lines[2], "B=3");
    ck_assert_ptr_null(file.lines[3]);
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
    unit_write(path, "A=1\nB=2\0C=3\n", 12);
    assert_refused(", line 2: there is a NUL byte in it");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_reported)
{
    assert_refused("No such file or directory");
}
END_TEST

START_TEST(a_directory_is_refused)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    assert_refused("not a regular file");
}
END_TEST

START_TEST(a_fifo_is_refused_and_not_waited_for)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_refused("not a regular file");
}
END_TEST

START_TEST(a_device_is_refused)
{
    ck_assert_int_eq(symlink("/dev/zero", path), 0);
    assert_refused("not a regular file");
}
END_TEST

static void write_long_file(size_t length)
{
    char *bytes = malloc(length);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, 'x', length);
    memcpy(bytes, "NAME=", 5);
    unit_write(path, bytes, length);
    free(bytes);
}

START_TEST(a_file_of_the_greatest_length_is_read)
{
    write_long_file(ENV_FILE_MAX_BYTES);
    ck_assert(env_file_read(path, &file, &err));
    ck_assert_uint_eq(strlen(env_file_get(&file, "NAME")), ENV_FILE_MAX_BYTES - 5);
}
END_TEST

START_TEST(a_longer_file_is_refused)
{
    write_long_file(ENV_FILE_MAX_BYTES + 1);
    assert_refused("larger than 256 KiB");
}
END_TEST

START_TEST(the_problem_is_one_line_whatever_the_path_is)
{
    ck_assert(!env_file_read("/tmp/no\nsuch\tfile", &file, &err));
    ck_assert_str_eq(err.text, "cannot read /tmp/no?such?file: No such file or directory");
}
END_TEST

START_TEST(an_empty_file_can_be_asked_and_freed)
{
    struct env_file empty = {.lines = NULL};
    ck_assert_ptr_null(env_file_get(&empty, "NAME"));
    env_file_done(&empty);
    env_file_done(&empty);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("env_file");
    TCase *tests = tcase_create("env_file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_value_is_read_as_docker_and_systemd_read_it, 0,
                        (int)LENGTH(values));
    tcase_add_loop_test(tests, a_broken_line_is_named_by_its_number_and_not_shown, 0,
                        (int)LENGTH(refused));
    tcase_add_test(tests, lines_are_an_environment_in_the_files_order);
    tcase_add_test(tests, a_nul_byte_is_refused);
    tcase_add_test(tests, a_file_that_is_not_there_is_reported);
    tcase_add_test(tests, a_directory_is_refused);
    tcase_add_test(tests, a_fifo_is_refused_and_not_waited_for);
    tcase_add_test(tests, a_device_is_refused);
    tcase_add_test(tests, a_file_of_the_greatest_length_is_read);
    tcase_add_test(tests, a_longer_file_is_refused);
    tcase_add_test(tests, the_problem_is_one_line_whatever_the_path_is);
    tcase_add_test(tests, an_empty_file_can_be_asked_and_freed);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
