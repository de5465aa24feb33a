#include "config/units.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <inttypes.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define UNTOUCHED UINT64_C(0x5555)
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

struct number_case {
    const char *text;
    uint64_t number;
};

static const struct number_case sizes[] = {
    {"0", 0},
    {"1", 1},
    {"8388608", 8 * MIB},
    {"8MiB", 8 * MIB},
    {"8 MiB", 8 * MIB},
    {"8\tmib", 8 * MIB},
    {"8M", 8 * MIB},
    {"8m", 8 * MIB},
    {"8MB", 8000000},
    {"7B", 7},
    {"3k", 3 * KIB},
    {"3KB", 3000},
    {"3KiB", 3 * KIB},
    {"2g", 2 * GIB},
    {"2GB", 2000000000},
    {"2GiB", 2 * GIB},
    {"5T", 5 * TIB},
    {"5TB", 5000000000000},
    {"5TiB", 5 * TIB},
    {"1.5GiB", 3 * GIB / 2},
    {"0.5k", 512},
    {"1.0009765625KiB", 1025},
    {"1.9B", 1},
    {"0.0", 0},
    {"007", 7},
    {"18446744073709551615", UINT64_MAX},
    {"16777215.99999999999999999999999TiB", UINT64_MAX},
};

START_TEST(a_size_is_read_as_people_write_it)
{
    const struct number_case *row = &sizes[_i];
    uint64_t bytes = UNTOUCHED;
    ck_assert_msg(units_parse_size(row->text, &bytes), "%s", row->text);
    ck_assert_msg(bytes == row->number, "%s is %" PRIu64, row->text, bytes);
}
END_TEST

static const char *const no_sizes[] = {
    "",
    " ",
    "MiB",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1MiB ",
    "1.",
    ".5",
    "1,5G",
    "8XB",
    "8Mi",
    "8 M iB",
    "8MiBs",
    "1e3",
    "0x10",
    "1.2.3",
    "1K1K",
    "8MiB8",
    "0.3",
    "0.0001K",
    "nothing",
    "18446744073709551616",
    "16777216TiB",
    "99999999999999999999999999",
    "0.00000000000000000000000000000000000000001234567890123456789TiB",
};

START_TEST(what_is_no_size_is_refused)
{
    uint64_t bytes = UNTOUCHED;
    ck_assert_msg(!units_parse_size(no_sizes[_i], &bytes), "\"%s\"", no_sizes[_i]);
    ck_assert(bytes == UNTOUCHED);
}
END_TEST

static const struct number_case durations[] = {
    {"0", 0},
    {"30", 30000},
    {"1.5", 1500},
    {"250ms", 250},
    {"30s", 30000},
    {"30 s", 30000},
    {"2m", 120000},
    {"2min", 120000},
    {"2MIN", 120000},
    {"2h", 7200000},
    {"7d", 604800000},
    {"0.5h", 1800000},
    {"1h30m", 5400000},
    {"1h 30min", 5400000},
    {"1d2h3m4s5ms", 93784005},
    {"1h0m", 3600000},
    {"18446744073709551615ms", UINT64_MAX},
};

START_TEST(a_duration_is_read_as_people_write_it)
{
    const struct number_case *row = &durations[_i];
    uint64_t ms = UNTOUCHED;
    ck_assert_msg(units_parse_duration(row->text, 1000, &ms), "%s", row->text);
    ck_assert_msg(ms == row->number, "%s is %" PRIu64, row->text, ms);
}
END_TEST

static const char *const no_durations[] = {
    "",
    "s",
    "-5s",
    "5 ",
    "5s ",
    " 5s",
    "5x",
    "5sec",
    "1h30",
    "30m1h",
    "5m5m",
    "1m1min",
    "1h,30m",
    "1.h",
    "0.0001s",
    "soon",
    "18446744073709551616",
    "300000000000d",
    "18446744073709551s999ms",
};

START_TEST(what_is_no_duration_is_refused)
{
    uint64_t ms = UNTOUCHED;
    ck_assert_msg(!units_parse_duration(no_durations[_i], 1000, &ms), "\"%s\"", no_durations[_i]);
    ck_assert(ms == UNTOUCHED);
}
END_TEST

START_TEST(a_bare_number_counts_the_unit_that_the_caller_says)
{
    uint64_t ms;
    ck_assert(units_parse_duration("48", 3600000, &ms));
    ck_assert(ms == 48 * UINT64_C(3600000));
    ck_assert(units_parse_duration("48", 1, &ms));
    ck_assert(ms == 48);
    ck_assert(units_parse_duration("48s", 3600000, &ms));
    ck_assert(ms == 48000);
}
END_TEST

struct text_case {
    uint64_t number;
    const char *text;
};

static const struct text_case shown_sizes[] = {
    {0, "0 B"},
    {999, "999 B"},
    {1023, "1023 B"},
    {1024, "1 KiB"},
    {1536, "1.5 KiB"},
    {8 * MIB, "8 MiB"},
    {8 * MIB + 1, "8 MiB"},
    {MIB - 1, "1 MiB"},
    {GIB - 1, "1 GiB"},
    {1023 * KIB + 900, "1023.9 KiB"},
    {5 * TIB, "5 TiB"},
    {5 * TIB + TIB / 4, "5.3 TiB"},
    {UINT64_MAX, "16777216 TiB"},
};

START_TEST(a_size_is_shown_with_at_most_one_decimal)
{
    char out[32];
    const struct text_case *row = &shown_sizes[_i];
    ck_assert_ptr_eq(units_format_size(row->number, out, sizeof(out)), out);
    ck_assert_str_eq(out, row->text);
}
END_TEST

static const struct text_case shown_durations[] = {
    {0, "0 s"},
    {49, "0 s"},
    {300, "0.3 s"},
    {999, "1 s"},
    {1500, "1.5 s"},
    {9949, "9.9 s"},
    {9950, "10 s"},
    {42000, "42 s"},
    {59499, "59 s"},
    {59500, "1 min"},
    {180000, "3 min"},
    {185000, "3 min 5 s"},
    {3599499, "59 min 59 s"},
    {3599500, "1 h"},
    {7800000, "2 h 10 min"},
    {86399999, "1 d"},
    {273600000, "3 d 4 h"},
    {UINT64_MAX, "213503982334 d 14 h"},
};

START_TEST(a_duration_is_shown_with_two_units_at_most)
{
    char out[40];
    const struct text_case *row = &shown_durations[_i];
    ck_assert_ptr_eq(units_format_duration(row->number, out, sizeof(out)), out);
    ck_assert_str_eq(out, row->text);
}
END_TEST

START_TEST(a_count_agrees_with_its_noun)
{
    char out[40];
    ck_assert_str_eq(units_format_count(0, "file", out, sizeof(out)), "0 files");
    ck_assert_str_eq(units_format_count(1, "file", out, sizeof(out)), "1 file");
    ck_assert_str_eq(units_format_count(2, "media file", out, sizeof(out)), "2 media files");
}
END_TEST

static const struct text_case spelt_sizes[] = {
    {0, "0"},
    {1, "1"},
    {1000, "1000"},
    {1024, "1KiB"},
    {8 * MIB, "8MiB"},
    {5 * TIB, "5TiB"},
    {1048577, "1048577"},
    {50000 * GIB, "50000GiB"},
    {2048 * TIB, "2048TiB"},
    {UINT64_MAX, "18446744073709551615"},
};

START_TEST(a_size_is_spelt_so_that_it_is_read_back)
{
    char out[32];
    uint64_t bytes;
    const struct text_case *row = &spelt_sizes[_i];
    ck_assert_str_eq(units_spell_size(row->number, out, sizeof(out)), row->text);
    ck_assert(units_parse_size(out, &bytes));
    ck_assert(bytes == row->number);
}
END_TEST

static const struct text_case spelt_durations[] = {
    {0, "0s"},
    {1, "1ms"},
    {1500, "1500ms"},
    {30000, "30s"},
    {90000, "90s"},
    {600000, "10min"},
    {5400000, "90min"},
    {86400000, "24h"},
    {172800000, "48h"},
    {259200000, "3d"},
    {604800000, "7d"},
    {262800000, "73h"},
    {UINT64_MAX, "18446744073709551615ms"},
};

START_TEST(a_duration_is_spelt_so_that_it_is_read_back)
{
    char out[32];
    uint64_t ms;
    const struct text_case *row = &spelt_durations[_i];
    ck_assert_str_eq(units_spell_duration(row->number, out, sizeof(out)), row->text);
    ck_assert(units_parse_duration(out, 1000, &ms));
    ck_assert(ms == row->number);
}
END_TEST

START_TEST(what_does_not_fit_is_cut)
{
    char out[5] = "xxxx";
    ck_assert_str_eq(units_format_size(123 * MIB, out, sizeof(out)), "123 ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("units");
    TCase *tests = tcase_create("units");
    tcase_add_loop_test(tests, a_size_is_read_as_people_write_it, 0, (int)LENGTH(sizes));
    tcase_add_loop_test(tests, what_is_no_size_is_refused, 0, (int)LENGTH(no_sizes));
    tcase_add_loop_test(tests, a_duration_is_read_as_people_write_it, 0, (int)LENGTH(durations));
    tcase_add_loop_test(tests, what_is_no_duration_is_refused, 0, (int)LENGTH(no_durations));
    tcase_add_test(tests, a_bare_number_counts_the_unit_that_the_caller_says);
    tcase_add_loop_test(tests, a_size_is_shown_with_at_most_one_decimal, 0,
                        (int)LENGTH(shown_sizes));
    tcase_add_loop_test(tests, a_duration_is_shown_with_two_units_at_most, 0,
                        (int)LENGTH(shown_durations));
    tcase_add_test(tests, a_count_agrees_with_its_noun);
    tcase_add_loop_test(tests, a_size_is_spelt_so_that_it_is_read_back, 0,
                        (int)LENGTH(spelt_sizes));
    tcase_add_loop_test(tests, a_duration_is_spelt_so_that_it_is_read_back, 0,
                        (int)LENGTH(spelt_durations));
    tcase_add_test(tests, what_does_not_fit_is_cut);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
