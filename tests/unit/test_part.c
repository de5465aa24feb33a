#include "finalize/upload/part.h"

#include "tests/unit/part_capacity.h"
#include "tests/unit/unit.h"

#include <check.h>

#define MIB UINT64_C(0x100000)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

static const uint64_t bases[] = {1, 1000, 5 * MIB, 8 * MIB, 8 * MIB + 1, 64 * MIB, GIB, 5 * GIB};

#define BASES (sizeof bases / sizeof bases[0])

START_TEST(the_plan_with_8_mib_is_the_documented_one)
{
    static const struct {
        unsigned number;
        uint64_t offset, length;
    } expected[] = {
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

    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct part_range range = part_range(8 * MIB, expected[i].number);

        ck_assert_msg(range.offset == expected[i].offset && range.length == expected[i].length,
                      "part %u: offset %llu, length %llu", expected[i].number,
                      (unsigned long long)range.offset, (unsigned long long)range.length);
    }
}
END_TEST

START_TEST(every_part_begins_where_the_one_before_ends)
{
    uint64_t base_bytes = bases[_i];
    uint64_t end = 0;

    for (unsigned number = 1; number <= S3_MAX_PARTS; number++) {
        struct part_range range = part_range(base_bytes, number);

        if (range.offset != end || range.length < base_bytes || range.length > S3_MAX_PART_BYTES)
            ck_abort_msg("part %u with %llu", number, (unsigned long long)base_bytes);
        end = range.offset + range.length;
    }
    ck_assert_uint_eq(part_capacity(base_bytes), end);
}
END_TEST

START_TEST(no_part_is_shorter_than_the_one_before)
{
    uint64_t base_bytes = bases[_i];

    for (unsigned number = 2; number <= S3_MAX_PARTS; number++)
        if (part_range(base_bytes, number).length < part_range(base_bytes, number - 1).length)
            ck_abort_msg("part %u with %llu", number, (unsigned long long)base_bytes);
}
END_TEST

START_TEST(ten_thousand_parts_hold_5_tib_with_the_smallest_and_the_usual_size)
{
    ck_assert_uint_ge(part_capacity(5 * MIB), 5 * TIB);
    ck_assert_uint_ge(part_capacity(8 * MIB), 9 * TIB);
    ck_assert_uint_le(part_count(5 * MIB, 5 * TIB), S3_MAX_PARTS);
    ck_assert_uint_le(part_count(8 * MIB, 5 * TIB), S3_MAX_PARTS);
}
END_TEST

START_TEST(no_part_is_over_5_gib_however_large_the_first_ones_are)
{
    /* 1 GiB: 1, 2, 5, then 10 would be too long. */
    ck_assert_uint_eq(part_range(GIB, 501).length, 2 * GIB);
    ck_assert_uint_eq(part_range(GIB, 1001).length, 5 * GIB);
    ck_assert_uint_eq(part_range(GIB, 1501).length, 5 * GIB);
    ck_assert_uint_eq(part_range(GIB, 10000).length, 5 * GIB);
    ck_assert_uint_eq(part_range(5 * GIB, 1).length, 5 * GIB);
    ck_assert_uint_eq(part_range(5 * GIB, 501).length, 5 * GIB);
    ck_assert_uint_eq(part_capacity(5 * GIB), 10000 * 5 * GIB);
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
        {500 * 8 * MIB - 1, 500},
        {500 * 8 * MIB, 500},
        {500 * 8 * MIB + 1, 501},
        {500 * 8 * MIB + 16 * MIB, 501},
        {500 * 8 * MIB + 16 * MIB + 1, 502},
        {500 * 24 * MIB, 1000},
        {500 * 24 * MIB + 1, 1001},
    };

    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++)
        ck_assert_msg(part_count(8 * MIB, expected[i].size) == expected[i].count,
                      "%llu bytes: %u parts", (unsigned long long)expected[i].size,
                      part_count(8 * MIB, expected[i].size));
}
END_TEST

START_TEST(an_object_that_fills_ten_thousand_parts_fits_and_one_byte_more_does_not)
{
    uint64_t base_bytes = bases[_i];
    uint64_t capacity = part_capacity(base_bytes);

    ck_assert_uint_eq(part_count(base_bytes, capacity - 1), S3_MAX_PARTS);
    ck_assert_uint_eq(part_count(base_bytes, capacity), S3_MAX_PARTS);
    ck_assert_uint_eq(part_count(base_bytes, capacity + 1), S3_MAX_PARTS + 1);
    ck_assert_uint_eq(part_count(base_bytes, UINT64_MAX), S3_MAX_PARTS + 1);
}
END_TEST

START_TEST(the_count_agrees_with_the_ranges_at_each_boundary)
{
    uint64_t base_bytes = bases[_i];

    for (unsigned number = 1; number <= S3_MAX_PARTS; number += 1 + number % 7) {
        struct part_range range = part_range(base_bytes, number);

        if (part_count(base_bytes, range.offset) != number - 1 ||
            part_count(base_bytes, range.offset + 1) != number ||
            part_count(base_bytes, range.offset + range.length) != number)
            ck_abort_msg("part %u with %llu", number, (unsigned long long)base_bytes);
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
        {500 * 8 * MIB + 5, 501, 500 * 8 * MIB, 5},
    };

    for (unsigned i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct part_range range = part_range_in(8 * MIB, expected[i].number, expected[i].size);

        ck_assert_uint_eq(range.offset, expected[i].offset);
        ck_assert_uint_eq(range.length, expected[i].length);
    }
}
END_TEST

START_TEST(a_part_beyond_the_end_has_no_bytes)
{
    ck_assert_uint_eq(part_range_in(8 * MIB, 1, 0).length, 0);
    ck_assert_uint_eq(part_range_in(8 * MIB, 3, 16 * MIB).length, 0);
    ck_assert_uint_eq(part_range_in(8 * MIB, 10000, 16 * MIB).length, 0);
}
END_TEST

START_TEST(the_parts_of_an_object_add_up_to_its_size)
{
    static const uint64_t sizes[] = {1, 999, 1000, 1001, 499999, 500000, 500001, 1234567, 9876543};

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t sum = 0;
        unsigned count = part_count(1000, sizes[i]);

        for (unsigned number = 1; number <= count; number++) {
            struct part_range range = part_range_in(1000, number, sizes[i]);

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
    tcase_add_loop_test(cases, every_part_begins_where_the_one_before_ends, 0, BASES);
    tcase_add_loop_test(cases, no_part_is_shorter_than_the_one_before, 0, BASES);
    tcase_add_test(cases, ten_thousand_parts_hold_5_tib_with_the_smallest_and_the_usual_size);
    tcase_add_test(cases, no_part_is_over_5_gib_however_large_the_first_ones_are);
    tcase_add_test(cases, the_number_of_parts_is_right_at_the_edges);
    tcase_add_loop_test(
        cases, an_object_that_fills_ten_thousand_parts_fits_and_one_byte_more_does_not, 0, BASES);
    tcase_add_loop_test(cases, the_count_agrees_with_the_ranges_at_each_boundary, 0, BASES);
    tcase_add_test(cases, the_last_part_ends_with_the_object);
    tcase_add_test(cases, a_part_beyond_the_end_has_no_bytes);
    tcase_add_test(cases, the_parts_of_an_object_add_up_to_its_size);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
