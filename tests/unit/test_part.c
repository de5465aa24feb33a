#include "finalize/s3/part.h"

#include "tests/unit/part_capacity.h"
#include "tests/unit/unit.h"

#include <check.h>

#define MIB UINT64_C(0x100000)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

static const struct part_plan plans[] = {
    {1, false},        {1000, false},   {5 * MIB, false}, {8 * MIB, false}, {8 * MIB + 1, false},
    {64 * MIB, false}, {GIB, false},    {5 * GIB, false}, {1, true},        {1000, true},
    {5 * MIB, true},   {8 * MIB, true}, {64 * MIB, true}, {GIB, true},      {5 * GIB, true},
};

#define PLANS (sizeof plans / sizeof plans[0])

static const struct part_plan usual = {.base_bytes = 8 * MIB};
static const struct part_plan early = {.base_bytes = 8 * MIB, .grows_early = true};

struct expected_range {
    unsigned number;
    uint64_t offset, length;
};

static void expect_ranges(struct part_plan plan, const struct expected_range *expected,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct part_range range = part_range(plan, expected[i].number);

        ck_assert_msg(range.offset == expected[i].offset && range.length == expected[i].length,
                      "part %u: offset %llu, length %llu", expected[i].number,
                      (unsigned long long)range.offset, (unsigned long long)range.length);
    }
}

START_TEST(the_plan_with_8_mib_is_the_documented_one)
{
    static const struct expected_range expected[] = {
        {1, 0, 8 * MIB},
        {2, 8 * MIB, 8 * MIB},
        {501, 500 * 8 * MIB, 8 * MIB},
        {8900, 8899 * 8 * MIB, 8 * MIB}, /* 69.5 GiB end with it */
        {8901, 8900 * 8 * MIB, 16 * MIB},
        {8904, 8900 * 8 * MIB + 3 * 16 * MIB, 16 * MIB},
        {8905, 8900 * 8 * MIB + 4 * 16 * MIB, 40 * MIB},
        /* group 25: 626 times the base, after the sum of g * g + 1 up to 24, 4924 */
        {8997, 8900 * 8 * MIB + 4 * 4924 * 8 * MIB, 626 * 8 * MIB},
        {9001, 8900 * 8 * MIB + 4 * 5550 * 8 * MIB, 5 * GIB},
        {10000, 8900 * 8 * MIB + 4 * 5550 * 8 * MIB + 999 * 5 * GIB, 5 * GIB},
    };

    expect_ranges(usual, expected, sizeof expected / sizeof expected[0]);
}
END_TEST

START_TEST(the_plan_of_uploads_begun_before_version_6_of_the_journal_is_kept)
{
    static const struct expected_range expected[] = {
        {1, 0, 8 * MIB},
        {2, 8 * MIB, 8 * MIB},
        {500, 499 * 8 * MIB, 8 * MIB},
        {501, 500 * 8 * MIB, 16 * MIB}, /* 4 GiB less 96 MiB lie before it */
        {502, 500 * 8 * MIB + 16 * MIB, 16 * MIB},
        {1000, 500 * 8 * MIB + 499 * 16 * MIB, 16 * MIB},
        {1001, 500 * 24 * MIB, 40 * MIB},
        /* group 19: 362 times the base, after 500 * 8 MiB * (19 + sum of g*g below 19 = 2109) */
        {9501, 500 * 8 * MIB * 2128, 2896 * MIB},
        {10000, 500 * 8 * MIB * 2128 + 499 * 2896 * MIB, 2896 * MIB},
    };

    expect_ranges(early, expected, sizeof expected / sizeof expected[0]);
}
END_TEST

START_TEST(two_plans_that_make_equally_many_parts_make_the_same_parts)
{
    for (uint64_t size = 1; size < 6 * TIB; size += size < 5000 * MIB ? 3 * MIB + 7 : 9 * GIB + 7) {
        unsigned count = part_count(usual, size);

        if (count > S3_MAX_PARTS || part_count(early, size) != count)
            continue;
        for (unsigned number = 1; number <= count; number++) {
            struct part_range range = part_range_in(usual, number, size);
            struct part_range other = part_range_in(early, number, size);

            ck_assert(range.offset == other.offset && range.length == other.length);
        }
    }
}
END_TEST

/* Cloudflare R2 refuses others. 4,202,692,609 bytes were the least that had a second size. */
START_TEST(up_to_69_5_gib_all_parts_but_the_last_have_one_size)
{
    static const uint64_t sizes[] = {8 * MIB + 1, UINT64_C(4202692609), 8900 * 8 * MIB};

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned count = part_count(usual, sizes[i]);

        for (unsigned number = 1; number < count; number++)
            ck_assert_uint_eq(part_range_in(usual, number, sizes[i]).length, 8 * MIB);
        ck_assert_uint_le(part_range_in(usual, count, sizes[i]).length, 8 * MIB);
    }
}
END_TEST

START_TEST(every_part_begins_where_the_one_before_ends)
{
    struct part_plan plan = plans[_i];
    uint64_t end = 0;

    for (unsigned number = 1; number <= S3_MAX_PARTS; number++) {
        struct part_range range = part_range(plan, number);

        if (range.offset != end || range.length < plan.base_bytes ||
            range.length > S3_MAX_PART_BYTES)
            ck_abort_msg("part %u with %llu", number, (unsigned long long)plan.base_bytes);
        end = range.offset + range.length;
    }
    ck_assert_uint_eq(part_capacity(plan), end);
}
END_TEST

START_TEST(no_part_is_shorter_than_the_one_before)
{
    struct part_plan plan = plans[_i];

    for (unsigned number = 2; number <= S3_MAX_PARTS; number++)
        if (part_range(plan, number).length < part_range(plan, number - 1).length)
            ck_abort_msg("part %u with %llu", number, (unsigned long long)plan.base_bytes);
}
END_TEST

START_TEST(ten_thousand_parts_hold_5_tib_with_the_smallest_and_the_usual_size)
{
    const struct part_plan smallest = {.base_bytes = 5 * MIB};

    ck_assert_uint_ge(part_capacity(smallest), 5 * TIB);
    ck_assert_uint_ge(part_capacity(usual), 5 * TIB);
    ck_assert_uint_le(part_count(smallest, 5 * TIB), S3_MAX_PARTS);
    ck_assert_uint_le(part_count(usual, 5 * TIB), S3_MAX_PARTS);
}
END_TEST

START_TEST(no_part_is_over_5_gib_however_large_the_first_ones_are)
{
    const struct part_plan large = {.base_bytes = GIB}, largest = {.base_bytes = 5 * GIB};

    /* 1 GiB: 1, 2, 5, then 10 would be too long. */
    ck_assert_uint_eq(part_range(large, 8901).length, 2 * GIB);
    ck_assert_uint_eq(part_range(large, 8905).length, 5 * GIB);
    ck_assert_uint_eq(part_range(large, 8909).length, 5 * GIB);
    ck_assert_uint_eq(part_range(large, 10000).length, 5 * GIB);
    ck_assert_uint_eq(part_range(largest, 1).length, 5 * GIB);
    ck_assert_uint_eq(part_range(largest, 8901).length, 5 * GIB);
    ck_assert_uint_eq(part_capacity(largest), 10000 * 5 * GIB);
}
END_TEST

START_TEST(the_number_of_parts_is_right_at_the_edges)
{
    static const struct {
        uint64_t size;
        unsigned count;
    } expected[] = {
        {0, 0},
        {1, 1},
        {8 * MIB - 1, 1},
        {8 * MIB, 1},
        {8 * MIB + 1, 2},
        {16 * MIB, 2},
        {16 * MIB + 1, 3},
        {500 * 8 * MIB + 8 * MIB + 1, 502},
        {8900 * 8 * MIB - 1, 8900},
        {8900 * 8 * MIB, 8900},
        {8900 * 8 * MIB + 1, 8901},
        {8900 * 8 * MIB + 16 * MIB, 8901},
        {8900 * 8 * MIB + 16 * MIB + 1, 8902},
        {8900 * 8 * MIB + 4 * 16 * MIB, 8904},
        {8900 * 8 * MIB + 4 * 16 * MIB + 1, 8905},
    };

    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++)
        ck_assert_msg(part_count(usual, expected[i].size) == expected[i].count,
                      "%llu bytes: %u parts", (unsigned long long)expected[i].size,
                      part_count(usual, expected[i].size));
}
END_TEST

START_TEST(an_object_that_fills_ten_thousand_parts_fits_and_one_byte_more_does_not)
{
    struct part_plan plan = plans[_i];
    uint64_t capacity = part_capacity(plan);

    ck_assert_uint_eq(part_count(plan, capacity - 1), S3_MAX_PARTS);
    ck_assert_uint_eq(part_count(plan, capacity), S3_MAX_PARTS);
    ck_assert_uint_eq(part_count(plan, capacity + 1), S3_MAX_PARTS + 1);
    ck_assert_uint_eq(part_count(plan, UINT64_MAX), S3_MAX_PARTS + 1);
}
END_TEST

START_TEST(the_count_agrees_with_the_ranges_at_each_boundary)
{
    struct part_plan plan = plans[_i];

    for (unsigned number = 1; number <= S3_MAX_PARTS; number += 1 + number % 7) {
        struct part_range range = part_range(plan, number);

        if (part_count(plan, range.offset) != number - 1 ||
            part_count(plan, range.offset + 1) != number ||
            part_count(plan, range.offset + range.length) != number)
            ck_abort_msg("part %u with %llu", number, (unsigned long long)plan.base_bytes);
    }
}
END_TEST

START_TEST(the_last_part_ends_with_the_object)
{
    static const struct {
        uint64_t size;
        unsigned number;
        uint64_t offset, length;
    } expected[] = {
        {20 * MIB, 1, 0, 8 * MIB},
        {20 * MIB, 2, 8 * MIB, 8 * MIB},
        {20 * MIB, 3, 16 * MIB, 4 * MIB},
        {16 * MIB + 1, 3, 16 * MIB, 1},
        {16 * MIB, 2, 8 * MIB, 8 * MIB},
        {1, 1, 0, 1},
        {8900 * 8 * MIB + 5, 8901, 8900 * 8 * MIB, 5},
    };

    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct part_range range = part_range_in(usual, expected[i].number, expected[i].size);

        ck_assert_uint_eq(range.offset, expected[i].offset);
        ck_assert_uint_eq(range.length, expected[i].length);
    }
}
END_TEST

START_TEST(a_part_beyond_the_end_has_no_bytes)
{
    ck_assert_uint_eq(part_range_in(usual, 1, 0).length, 0);
    ck_assert_uint_eq(part_range_in(usual, 3, 16 * MIB).length, 0);
    ck_assert_uint_eq(part_range_in(usual, 10000, 16 * MIB).length, 0);
}
END_TEST

START_TEST(the_parts_of_an_object_add_up_to_its_size)
{
    static const uint64_t sizes[] = {1,       999,     1000,    1001,    499999,  500000,
                                     8900000, 8900001, 8902000, 8908001, 9876543, 123456789};

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t sum = 0;
        const struct part_plan plan = {.base_bytes = 1000};
        unsigned count = part_count(plan, sizes[i]);

        for (unsigned number = 1; number <= count; number++) {
            struct part_range range = part_range_in(plan, number, sizes[i]);

            if (!range.length)
                ck_abort_msg("part %u has no bytes", number);
            sum += range.length;
        }
        ck_assert_uint_eq(sum, sizes[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("part");
    TCase *cases = tcase_create("part");

    tcase_add_test(cases, the_plan_with_8_mib_is_the_documented_one);
    tcase_add_test(cases, up_to_69_5_gib_all_parts_but_the_last_have_one_size);
    tcase_add_test(cases, the_plan_of_uploads_begun_before_version_6_of_the_journal_is_kept);
    tcase_add_test(cases, two_plans_that_make_equally_many_parts_make_the_same_parts);
    tcase_add_loop_test(cases, every_part_begins_where_the_one_before_ends, 0, PLANS);
    tcase_add_loop_test(cases, no_part_is_shorter_than_the_one_before, 0, PLANS);
    tcase_add_test(cases, ten_thousand_parts_hold_5_tib_with_the_smallest_and_the_usual_size);
    tcase_add_test(cases, no_part_is_over_5_gib_however_large_the_first_ones_are);
    tcase_add_test(cases, the_number_of_parts_is_right_at_the_edges);
    tcase_add_loop_test(
        cases, an_object_that_fills_ten_thousand_parts_fits_and_one_byte_more_does_not, 0, PLANS);
    tcase_add_loop_test(cases, the_count_agrees_with_the_ranges_at_each_boundary, 0, PLANS);
    tcase_add_test(cases, the_last_part_ends_with_the_object);
    tcase_add_test(cases, a_part_beyond_the_end_has_no_bytes);
    tcase_add_test(cases, the_parts_of_an_object_add_up_to_its_size);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
