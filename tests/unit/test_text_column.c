#include "finalize/command/text_column.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

static struct buffer out;

static void set_up(void)
{
    text_column_begin();
    buffer_init(&out, 65536);
}

static void tear_down(void)
{
    buffer_done(&out);
}

START_TEST(width_is_what_the_terminal_shows)
{
    static const struct {
        const char *text;
        unsigned columns;
    } cases[] = {
        {"", 0},         {"abc", 3},     {"Москва", 6},
        {"会議室", 6},   {"e\u0301", 1}, /* combining */ {"a\x1b[31m", 6},
        {"\xff\xfe", 2}, {"\u202e", 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(text_column_width(cases[i].text) == cases[i].columns, "case %zu: %u", i,
                      text_column_width(cases[i].text));
}
END_TEST

START_TEST(no_name_can_leave_its_line_or_turn_it)
{
    text_column_append(&out, "a\n\r\x1b\x9b\xc2\x9b\t\x7f\u202e\u2028\u2066z", 0);
    ck_assert_str_eq(buffer_text(&out), "a??????????z");
}
END_TEST

START_TEST(a_text_is_cut_within_its_columns)
{
    static const struct {
        const char *text;
        unsigned columns;
        const char *cut;
    } cases[] = {
        {"abcdef", 6, "abcdef"}, {"abcdef", 5, "abcd…"}, {"Совещание", 4, "Сов…"},
        {"会議室", 5, "会議…"},  {"会議室", 4, "会…"},   {"abc", 1, "…"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buffer_clear(&out);
        text_column_append(&out, cases[i].text, cases[i].columns);
        ck_assert_str_eq(buffer_text(&out), cases[i].cut);
    }
}
END_TEST

START_TEST(a_cell_is_filled_by_what_is_shown_not_by_bytes)
{
    text_column_append_padded(&out, "Москва", 8);
    text_column_append_padded(&out, "|会", 5);
    text_column_append_padded(&out, "|toolong", 4);
    ck_assert_str_eq(buffer_text(&out), "Москва  |会  |to…");
}
END_TEST

START_TEST(a_text_is_wrapped_at_blanks_and_indented)
{
    text_column_append_wrapped(&out, "one two three four", 2, 2, 10);
    ck_assert_str_eq(buffer_text(&out), "one two\n  three\n  four\n");
}
END_TEST

START_TEST(a_word_that_is_too_long_is_broken)
{
    text_column_append_wrapped(&out, "abcdefgh ij", 0, 2, 5);
    ck_assert_str_eq(buffer_text(&out), "abcde\n  fgh\n  ij\n");
}
END_TEST

START_TEST(without_columns_a_text_is_one_line)
{
    text_column_append_wrapped(&out, "one  two\nthree", 30, 2, 0);
    ck_assert_str_eq(buffer_text(&out), "one two?three\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cell");
    TCase *tests = tcase_create("cell");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, width_is_what_the_terminal_shows);
    tcase_add_test(tests, no_name_can_leave_its_line_or_turn_it);
    tcase_add_test(tests, a_text_is_cut_within_its_columns);
    tcase_add_test(tests, a_cell_is_filled_by_what_is_shown_not_by_bytes);
    tcase_add_test(tests, a_text_is_wrapped_at_blanks_and_indented);
    tcase_add_test(tests, a_word_that_is_too_long_is_broken);
    tcase_add_test(tests, without_columns_a_text_is_one_line);
    return unit_run(suite);
}
