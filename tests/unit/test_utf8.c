#include "finalize/base/utf8.h"

#include "tests/unit/unit.h"

#include <check.h>

START_TEST(characters_are_read_at_the_limits_of_each_length)
{
    static const struct {
        const char *text;
        size_t length;
        uint32_t character;
    } CASES[] = {
        {"a", 1, 'a'},
        {"\x01", 1, 1},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbfz", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xee\x80\x80", 3, 0xe000},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint32_t character = 0;

        ck_assert_uint_eq(utf8_read(CASES[i].text, &character), CASES[i].length);
        ck_assert_uint_eq(character, CASES[i].character);
    }
}
END_TEST

START_TEST(what_is_not_utf8_has_no_length)
{
    static const char *const CASES[] = {
        "",
        "\x80",
        "\xbf",
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xed\xbf\xbf",     /* surrogate */
        "\xf4\x90\x80\x80", /* U+110000 */
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3",
        "\xc3(",
        "\xe2\x82",
        "\xe2(\xac",
        "\xf0\x9f\x98",
        "\xf0\x9f\x98(",
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint32_t character = 42;

        ck_assert_msg(utf8_read(CASES[i], &character) == 0, "case %zu", i);
        ck_assert_uint_eq(character, 42);
    }
}
END_TEST

START_TEST(a_text_is_cut_between_characters)
{
    static const struct {
        const char *text;
        size_t limit, cut;
    } CASES[] = {
        {"abc", 5, 3},
        {"abc", 3, 3},
        {"abc", 2, 2},
        {"abc", 0, 0},
        {"", 0, 0},
        {"a\xd1\x8f", 3, 3},
        {"a\xd1\x8f", 2, 1},
        {"a\xe2\x82\xac", 3, 1},
        {"a\xe2\x82\xac", 2, 1},
        {"a\xf0\x9f\x98\x80z", 4, 1},
        {"a\xf0\x9f\x98\x80z", 5, 5},
        {"\xe2\x82\xac", 1, 0},
        {"\x80\x80\x80\x80\x80\x80\x80", 5, 5}, /* no character to save */
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ck_assert_msg(utf8_cut(CASES[i].text, CASES[i].limit) == CASES[i].cut, "case %zu", i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("utf8");
    TCase *cases = tcase_create("utf8");

    tcase_add_test(cases, characters_are_read_at_the_limits_of_each_length);
    tcase_add_test(cases, what_is_not_utf8_has_no_length);
    tcase_add_test(cases, a_text_is_cut_between_characters);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
