#include "finalize/base/rng.h"

#include "tests/unit/unit.h"

#include <check.h>

START_TEST(the_numbers_are_those_of_splitmix64)
{
    static const uint64_t EXPECTED[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431), UINT64_C(16408922859458223821)};
    struct rng rng = {.state = 1234567};

    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++)
        ck_assert_uint_eq(rng_next(&rng), EXPECTED[i]);
    rng.state = 0;
    ck_assert_uint_eq(rng_next(&rng), UINT64_C(0xe220a8397b1dcdaf));
}
END_TEST

START_TEST(the_same_seed_gives_the_same_numbers)
{
    struct rng a = {.state = 42}, b = {.state = 42}, c = {.state = 43};

    for (int i = 0; i < 10; i++) {
        uint64_t number = rng_next(&a);

        ck_assert_uint_eq(number, rng_next(&b));
        ck_assert_uint_ne(number, rng_next(&c));
    }
}
END_TEST

START_TEST(numbers_stay_within_the_limit_and_reach_it)
{
    struct rng rng = {.state = 7};
    int seen[4] = {0};

    for (int i = 0; i < 200; i++) {
        uint64_t number = rng_up_to(&rng, 3);

        ck_assert_uint_le(number, 3);
        seen[number]++;
        ck_assert_uint_eq(rng_up_to(&rng, 0), 0);
    }
    for (int i = 0; i < 4; i++)
        ck_assert_int_gt(seen[i], 20);
}
END_TEST

START_TEST(the_largest_limit_is_no_division_by_zero)
{
    struct rng a = {.state = 7}, b = {.state = 7};

    ck_assert_uint_eq(rng_up_to(&a, UINT64_MAX), rng_next(&b));
    ck_assert_uint_lt(rng_up_to(&a, UINT64_MAX - 1), UINT64_MAX);
}
END_TEST

START_TEST(seeds_from_the_system_differ)
{
    struct rng a = {0}, b = {0};

    rng_seed_from_system(&a);
    rng_seed_from_system(&b);
    ck_assert_uint_ne(a.state, b.state);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rng");
    TCase *cases = tcase_create("rng");

    tcase_add_test(cases, the_numbers_are_those_of_splitmix64);
    tcase_add_test(cases, the_same_seed_gives_the_same_numbers);
    tcase_add_test(cases, numbers_stay_within_the_limit_and_reach_it);
    tcase_add_test(cases, the_largest_limit_is_no_division_by_zero);
    tcase_add_test(cases, seeds_from_the_system_differ);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
