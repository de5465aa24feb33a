#include "finalize/program/log.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOON 1713884645 /* 2024-04-23 15:04:05 UTC */

static char line[65536];

static void set_up(void)
{
    setenv("TZ", "Asia/Vladivostok", 1); /* stamps are UTC wherever we are */
}

static const char *format(enum settings_log_format kind, enum settings_log_level level,
                          const char *sentence, const struct log_field *fields)
{
    FILE *out = fmemopen(line, sizeof line, "w");

    log_format(out, kind, level, NOON, sentence, fields);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_ptr_nonnull(strchr(line, '\n'));
    strchr(line, '\n')[0] = 0;
    return line;
}

static const char *text(const char *sentence, const struct log_field *fields)
{
    return format(SETTINGS_LOG_TEXT, SETTINGS_LOG_INFO, sentence, fields);
}

/* The json line as jansson reads it; the caller decrefs. */
static json_t *json(const char *sentence, const struct log_field *fields)
{
    json_error_t error;
    json_t *object = json_loads(format(SETTINGS_LOG_JSON, SETTINGS_LOG_WARNING, sentence, fields),
                                JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(object != NULL, "%s in %s", error.text, line);
    return object;
}

START_TEST(a_text_line_is_time_level_sentence_and_fields)
{
    static const struct log_field fields[] = {
        {"session", "abc"}, {"left_out", NULL}, {"bytes", "12"}, {0}};

    ck_assert_str_eq(text("uploaded", fields),
                     "2024-04-23T15:04:05Z info: uploaded session=abc bytes=12");
    ck_assert_str_eq(text("uploaded", NULL), "2024-04-23T15:04:05Z info: uploaded");
    ck_assert_str_eq(format(SETTINGS_LOG_TEXT, SETTINGS_LOG_ERROR, "x", NULL),
                     "2024-04-23T15:04:05Z error: x");
    ck_assert_str_eq(format(SETTINGS_LOG_TEXT, SETTINGS_LOG_DEBUG, "x", NULL),
                     "2024-04-23T15:04:05Z debug: x");
}
END_TEST

START_TEST(a_value_that_could_be_misread_is_quoted)
{
    static const struct {
        const char *value, *written;
    } rows[] = {
        {"plain-1.mp4", "f=plain-1.mp4"},       {"", "f=\"\""},
        {"two words", "f=\"two words\""},       {"a=b", "f=\"a=b\""},
        {"say \"hi\"", "f=\"say \\\"hi\\\"\""}, {"back\\slash", "f=\"back\\\\slash\""},
        {"встреча", "f=\"встреча\""},           {"a\nb", "f=\"a\\u000ab\""},
        {"\xff", "f=\"\xef\xbf\xbd\""},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct log_field fields[] = {{"f", rows[i].value}, {0}};
        char expected[128];

        snprintf(expected, sizeof expected, "2024-04-23T15:04:05Z info: s %s", rows[i].written);
        ck_assert_str_eq(text("s", fields), expected);
    }
}
END_TEST

/* Whatever they hold, neither a sentence nor a value begins a line of its own. */
START_TEST(no_text_forges_a_line)
{
    static const char *const evil[] = {
        "a\n2024-04-23T15:04:05Z info: all is well",
        "a\r\033[2Kall is well",
        "a\x7f\x01\x02\t\v\f b",
        "\xc2\x85next line", /* U+0085 */
        "\xc2\x9bK",         /* the one-character CSI */
        "a\xe2\x80",         /* cut off */
        "\xed\xa0\x80",      /* a surrogate */
    };

    for (unsigned i = 0; i < sizeof evil / sizeof evil[0]; i++) {
        struct log_field fields[] = {{"f", evil[i]}, {0}};

        for (enum settings_log_format kind = SETTINGS_LOG_TEXT; kind <= SETTINGS_LOG_JSON; kind++) {
            const unsigned char *at =
                (const unsigned char *)format(kind, SETTINGS_LOG_INFO, evil[i], fields);

            for (; *at; at++) {
                ck_assert_msg(*at >= 0x20 && *at != 0x7f, "byte %u in line %u", *at, i);
                ck_assert_msg(!(at[0] == 0xc2 && at[1] < 0xa0), "a C1 character in line %u", i);
            }
        }
    }
}
END_TEST

START_TEST(a_json_line_holds_time_level_message_and_fields)
{
    static const struct log_field fields[] = {
        {"session", "abc"}, {"left_out", NULL}, {"key", "a b"}, {0}};
    json_t *object = json("uploaded", fields);

    ck_assert_uint_eq(json_object_size(object), 5);
    ck_assert_str_eq(json_string_value(json_object_get(object, "time")), "2024-04-23T15:04:05Z");
    ck_assert_str_eq(json_string_value(json_object_get(object, "level")), "warning");
    ck_assert_str_eq(json_string_value(json_object_get(object, "message")), "uploaded");
    ck_assert_str_eq(json_string_value(json_object_get(object, "session")), "abc");
    ck_assert_str_eq(json_string_value(json_object_get(object, "key")), "a b");
    json_decref(object);
}
END_TEST

START_TEST(json_gives_every_text_back)
{
    static const char *const texts[] = {
        "", "plain", "a\nb\tc\r", "\"quoted\" and \\back\\", "встреча ☎ 𝄞", "\x01\x1f\x7f", "</x>",
    };

    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct log_field fields[] = {{"f", texts[i]}, {0}};
        json_t *object = json(texts[i], fields);

        ck_assert_str_eq(json_string_value(json_object_get(object, "message")), texts[i]);
        ck_assert_str_eq(json_string_value(json_object_get(object, "f")), texts[i]);
        json_decref(object);
    }
}
END_TEST

START_TEST(json_is_valid_whatever_bytes_there_are)
{
    for (unsigned byte = 1; byte < 256; byte++) {
        char bytes[] = {'a', (char)byte, 'b', (char)byte, 0};
        struct log_field fields[] = {{"f", bytes}, {0}};

        json_decref(json(bytes, fields));
    }
}
END_TEST

/* What log_line() and log_status() write to standard error. */
static const char *written(void (*write_something)(void))
{
    static char content[500000];
    int kept = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    ssize_t length;

    ck_assert_ptr_nonnull(file);
    fflush(stderr);
    ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
    write_something();
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    length = pread(fileno(file), content, sizeof content - 1, 0);
    ck_assert_int_ge(length, 0);
    content[length] = 0;
    fclose(file);
    return content;
}

static void write_all_levels(void)
{
    log_line(SETTINGS_LOG_ERROR, NULL, "one %d", 1);
    log_line(SETTINGS_LOG_WARNING, NULL, "two");
    log_line(SETTINGS_LOG_INFO, NULL, "three");
    log_line(SETTINGS_LOG_DEBUG, NULL, "four");
}

START_TEST(a_line_below_the_wanted_level_is_not_written)
{
    static const char *const marks[] = {"error: one 1\n", "warning: two\n", "info: three\n",
                                        "debug: four\n"};

    for (unsigned level = SETTINGS_LOG_ERROR; level <= SETTINGS_LOG_DEBUG; level++) {
        const char *all;

        log_open(level, SETTINGS_LOG_TEXT);
        all = written(write_all_levels);
        for (unsigned i = 0; i < 4; i++)
            ck_assert_int_eq(strstr(all, marks[i]) != NULL, i <= level);
    }
}
END_TEST

static void write_a_long_line(void)
{
    char *many = malloc(100001);

    memset(many, 'x', 100000);
    many[100000] = 0;
    log_line(SETTINGS_LOG_ERROR, NULL, "%s", many);
    log_line(SETTINGS_LOG_ERROR, NULL, "next");
    free(many);
}

START_TEST(a_line_that_is_too_long_is_cut_and_still_one_line)
{
    const char *all;
    const char *end;

    log_open(SETTINGS_LOG_INFO, SETTINGS_LOG_TEXT);
    all = written(write_a_long_line);
    end = strchr(all, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_uint_gt((size_t)(end - all), 1000);
    ck_assert_uint_lt((size_t)(end - all), 17000);
    ck_assert_ptr_nonnull(strstr(end, "error: next\n"));
}
END_TEST

static void write_what_grows_when_it_is_escaped(void)
{
    struct log_field fields[] = {{"path", NULL}, {0}};
    char *many = malloc(50001);

    memset(many, 1, 50000);
    many[50000] = 0;
    log_line(SETTINGS_LOG_ERROR, NULL, "%s", many);
    fields[0].value = many;
    log_line(SETTINGS_LOG_ERROR, fields, "too long");
    log_line(SETTINGS_LOG_ERROR, NULL, "next");
    free(many);
}

START_TEST(lines_that_grow_too_long_by_escaping_are_still_lines)
{
    char *line_end, *at;
    unsigned lines = 0;

    log_open(SETTINGS_LOG_INFO, SETTINGS_LOG_JSON);
    at = strdup(written(write_what_grows_when_it_is_escaped));
    for (char *begin = at; (line_end = strchr(begin, '\n')) != NULL; begin = line_end + 1) {
        json_t *object;

        *line_end = 0;
        object = json_loads(begin, 0, NULL);
        ck_assert_ptr_nonnull(object);
        json_decref(object);
        lines++;
    }
    ck_assert_uint_eq(lines, 3);
    free(at);
}
END_TEST

static void write_a_status(void)
{
    log_status("half way");
    log_line(SETTINGS_LOG_INFO, NULL, "a line");
    log_status("");
}

START_TEST(without_a_terminal_there_is_no_status_line)
{
    const char *all;

    log_open(SETTINGS_LOG_INFO, SETTINGS_LOG_TEXT);
    all = written(write_a_status);
    ck_assert_ptr_null(strstr(all, "half way"));
    ck_assert_ptr_null(strchr(all, '\r'));
    ck_assert_ptr_nonnull(strstr(all, "a line\n"));
}
END_TEST

/* Standard error becomes a terminal; returns its other side. */
static int become_terminal(const char *type)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    int terminal;

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(terminal, 0);
    ck_assert_int_ge(dup2(terminal, STDERR_FILENO), 0);
    close(terminal);
    setenv("TERM", type, 1);
    return master;
}

/* What is shown comes in pieces; `end` is how it ends. */
static void read_until(int master, const char *end, char *ret_shown, size_t size)
{
    struct pollfd ready = {.fd = master, .events = POLLIN};
    size_t length = 0;

    while (length < strlen(end) || strcmp(ret_shown + length - strlen(end), end) != 0) {
        ssize_t got;

        ck_assert_msg(poll(&ready, 1, 3000) == 1, "shown is only: %s", ret_shown);
        got = read(master, ret_shown + length, size - 1 - length);
        ck_assert_int_gt(got, 0);
        length += (size_t)got;
        ret_shown[length] = 0;
    }
}

START_TEST(on_a_terminal_the_status_line_gives_way_to_a_line_and_comes_back)
{
    int master = become_terminal("xterm");
    char shown[1000] = "";
    const char *first, *middle, *again;

    log_open(SETTINGS_LOG_INFO, SETTINGS_LOG_TEXT);
    ck_assert(log_has_status_line());
    write_a_status();
    read_until(master, "a line\r\n\r\033[Khalf way\r\033[K", shown, sizeof shown);
    first = strstr(shown, "\r\033[Khalf way");
    ck_assert_ptr_nonnull(first);
    middle = strstr(first, "\r\033[K2");
    ck_assert_ptr_nonnull(middle);
    ck_assert_ptr_nonnull(strstr(middle, "a line\r\n"));
    again = strstr(middle, "\r\033[Khalf way");
    ck_assert_ptr_nonnull(again);
    ck_assert_str_eq(again + strlen("\r\033[Khalf way"), "\r\033[K"); /* taken away */
    close(master);
}
END_TEST

START_TEST(a_dumb_terminal_the_json_format_and_quiet_levels_have_no_status_line)
{
    int master = become_terminal("dumb");

    log_open(SETTINGS_LOG_INFO, SETTINGS_LOG_TEXT);
    ck_assert(!log_has_status_line());
    setenv("TERM", "xterm", 1);
    ck_assert(log_has_status_line());
    log_open(SETTINGS_LOG_INFO, SETTINGS_LOG_JSON);
    ck_assert(!log_has_status_line());
    log_open(SETTINGS_LOG_WARNING, SETTINGS_LOG_TEXT);
    ck_assert(!log_has_status_line());
    log_open(SETTINGS_LOG_DEBUG, SETTINGS_LOG_TEXT);
    unsetenv("TERM");
    ck_assert(!log_has_status_line());
    close(master);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *cases = tcase_create("log");

    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_add_test(cases, a_text_line_is_time_level_sentence_and_fields);
    tcase_add_test(cases, a_value_that_could_be_misread_is_quoted);
    tcase_add_test(cases, no_text_forges_a_line);
    tcase_add_test(cases, a_json_line_holds_time_level_message_and_fields);
    tcase_add_test(cases, json_gives_every_text_back);
    tcase_add_test(cases, json_is_valid_whatever_bytes_there_are);
    tcase_add_test(cases, a_line_below_the_wanted_level_is_not_written);
    tcase_add_test(cases, a_line_that_is_too_long_is_cut_and_still_one_line);
    tcase_add_test(cases, lines_that_grow_too_long_by_escaping_are_still_lines);
    tcase_add_test(cases, without_a_terminal_there_is_no_status_line);
    tcase_add_test(cases, on_a_terminal_the_status_line_gives_way_to_a_line_and_comes_back);
    tcase_add_test(cases, a_dumb_terminal_the_json_format_and_quiet_levels_have_no_status_line);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
