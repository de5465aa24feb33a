#include "finalize/session/file_name.h"

#include "config/settings.h"
#include "tests/unit/unit.h"

#include <check.h>

START_TEST(the_last_name_of_a_path_is_found)
{
    ck_assert_str_eq(file_name_of("a.mp4"), "a.mp4");
    ck_assert_str_eq(file_name_of("a/b c/d.mp4"), "d.mp4");
    ck_assert_str_eq(file_name_of("/a"), "a");
    ck_assert_str_eq(file_name_of("a/"), "");
    ck_assert_str_eq(file_name_of(""), "");
}
END_TEST

START_TEST(a_meeting_id_is_a_32_bit_number_before_the_first_underscore)
{
    static const struct {
        const char *name;
        bool found;
        int32_t id;
    } CASES[] = {
        {"12345_2024-04-23-15-04-05.mp4", true, 12345},
        {"0_x", true, 0},
        {"007_x", true, 7},
        {"000000000000000000000000012_x", true, 12},
        {"2147483647_", true, INT32_MAX},
        {"12_34_56.mp4", true, 12},
        {"2147483648_x", false, 0},
        {"4294967297_x", false, 0},
        {"18446744073709551617_x", false, 0},
        {"99999999999999999999999999999999999999_x", false, 0},
        {"_x", false, 0},
        {"", false, 0},
        {"12345", false, 0},
        {"12345.mp4", false, 0},
        {"-1_x", false, 0},
        {"+1_x", false, 0},
        {" 1_x", false, 0},
        {"1 _x", false, 0},
        {"1a_x", false, 0},
        {"0x10_x", false, 0},
        {"room_12_x", false, 0},
        {"\xd9\xa1_x", false, 0}, /* an Arabic digit */
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int32_t id = -7;

        ck_assert_msg(file_name_meeting_id(CASES[i].name, &id) == CASES[i].found, "%s",
                      CASES[i].name);
        ck_assert_msg(id == (CASES[i].found ? CASES[i].id : -7), "%s: %d", CASES[i].name, (int)id);
    }
}
END_TEST

START_TEST(the_day_is_the_last_one_in_the_name)
{
    static const struct {
        const char *name;
        int year, month, day; /* year 0: none */
    } CASES[] = {
        {"12345_2024-04-23-15-04-05.mp4", 2024, 4, 23},
        {"12345_2024-04-23-15-04-05", 2024, 4, 23},
        {"_2024-12-31-00-00-00.mkv", 2024, 12, 31},
        {"a_2020-01-01-00-00-00_2024-04-23-15-04-05.mp4", 2024, 4, 23},
        {"a_2024-04-23-15-04-05_2.mp4", 2024, 4, 23},
        {"a_2024-02-29-00-00-00.mp4", 2024, 2, 29},
        {"a_2000-02-29-00-00-00.mp4", 2000, 2, 29},
        {"a_2023-02-29-00-00-00.mp4", 0, 0, 0},
        {"a_1900-02-29-00-00-00.mp4", 0, 0, 0},
        {"a_2024-04-31-00-00-00.mp4", 0, 0, 0},
        {"a_2024-00-10-00-00-00.mp4", 0, 0, 0},
        {"a_2024-13-10-00-00-00.mp4", 0, 0, 0},
        {"a_2024-01-00-00-00-00.mp4", 0, 0, 0},
        {"a_0000-01-01-00-00-00.mp4", 0, 0, 0},
        {"a_2020-01-01-00-00-00_2024-99-99-00-00-00.mp4", 0, 0, 0},
        {"a_2024-04-23-15-04-056.mp4", 0, 0, 0},
        {"a_2024-04-23-15-04-0.mp4", 0, 0, 0},
        {"a_2024-04-23.mp4", 0, 0, 0},
        {"a-2024-04-23-15-04-05.mp4", 0, 0, 0},
        {"a_2024_04_23_15_04_05.mp4", 0, 0, 0},
        {"", 0, 0, 0},
        {"_", 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int year = 0, month = 0, day = 0;

        ck_assert_msg(file_name_day(CASES[i].name, &year, &month, &day) == (CASES[i].year > 0),
                      "%s", CASES[i].name);
        ck_assert_msg(year == CASES[i].year && month == CASES[i].month && day == CASES[i].day,
                      "%s: %d-%d-%d", CASES[i].name, year, month, day);
    }
}
END_TEST

START_TEST(what_counts_as_media_is_a_list_of_endings)
{
    ck_assert(file_name_is_media("ts", "4711_a.ts"));
    ck_assert(file_name_is_media("mp4,ts", "4711_a.TS"));
    ck_assert(file_name_is_media("TS,mp4", "4711_a.ts"));
    ck_assert(!file_name_is_media("mp4,ts", "4711_a.mkv"));
    ck_assert(!file_name_is_media("mp4,ts", "4711_a.t"));
    ck_assert(!file_name_is_media("mp4,ts", "4711_a"));
    ck_assert(!file_name_is_media("mp4,ts", "4711_a."));
    ck_assert(!file_name_is_media("mp4,ts", "4711_a.mp4,ts"));
}
END_TEST

START_TEST(media_are_known_by_their_ending)
{
    static const char *const MEDIA[] = {"a.mp4", "a.MP4",   "a.Mkv", "a.webm",
                                        "a.m4a", "a b.mp4", "..mp4", "d.d/a.mp4"};
    static const char *const OTHERS[] = {"a.mp4.part", "mp4",     "a_mp4",         ".mp4",
                                         "a.mp4x",     "a.mp",    "metadata.json", "a.",
                                         "",           "a.mp4/x", "d/.mp4"};

    for (size_t i = 0; i < sizeof MEDIA / sizeof *MEDIA; i++)
        ck_assert_msg(file_name_is_media(NULL, MEDIA[i]), "%s", MEDIA[i]);
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        ck_assert_msg(!file_name_is_media(SETTINGS_MEDIA, OTHERS[i]), "%s", OTHERS[i]);
}
END_TEST

START_TEST(the_content_type_comes_from_the_ending)
{
    ck_assert_str_eq(file_name_content_type("1_2.mp4"), "video/mp4");
    ck_assert_str_eq(file_name_content_type("1_2.MP4"), "video/mp4");
    ck_assert_str_eq(file_name_content_type("a.webm"), "video/webm");
    ck_assert_str_eq(file_name_content_type("a.mkv"), "video/x-matroska");
    ck_assert_str_eq(file_name_content_type("a.m4a"), "audio/mp4");
    ck_assert_str_eq(file_name_content_type("metadata.json"), "application/json");
    ck_assert_str_eq(file_name_content_type("x/y.log"), "text/plain");
    ck_assert_str_eq(file_name_content_type("x"), "application/octet-stream");
    ck_assert_str_eq(file_name_content_type("x.json/y"), "application/octet-stream");
    ck_assert_str_eq(file_name_content_type(".json"), "application/octet-stream");
    ck_assert_str_eq(file_name_content_type(""), "application/octet-stream");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_name");
    TCase *cases = tcase_create("file_name");

    tcase_add_test(cases, the_last_name_of_a_path_is_found);
    tcase_add_test(cases, a_meeting_id_is_a_32_bit_number_before_the_first_underscore);
    tcase_add_test(cases, the_day_is_the_last_one_in_the_name);
    tcase_add_test(cases, what_counts_as_media_is_a_list_of_endings);
    tcase_add_test(cases, media_are_known_by_their_ending);
    tcase_add_test(cases, the_content_type_comes_from_the_ending);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
