#include "finalize/hash/hasher.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define BOTH (HASHER_WANTS_SHA256 | HASHER_WANTS_MD5)

static struct hasher *hasher;
static struct error err;
static int woken; /* counts the wakes */
static int file;

static void on_wake(void *context)
{
    uint64_t one = 1;

    ck_assert_int_eq(write(*(int *)context, &one, sizeof one), sizeof one);
}

static void set_up(void)
{
    woken = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
    file = memfd_create("test", MFD_CLOEXEC);
    ck_assert_int_ge(woken, 0);
    ck_assert_int_ge(file, 0);
    ck_assert(hasher_open(on_wake, &woken, &hasher, &err));
}

static void tear_down(void)
{
    hasher_close(hasher);
    close(woken);
    close(file);
}

static void write_file(char letter, size_t length)
{
    char piece[10000];

    memset(piece, letter, sizeof piece);
    while (length) {
        size_t part = length < sizeof piece ? length : sizeof piece;

        ck_assert_int_eq(write(file, piece, part), (ssize_t)part);
        length -= part;
    }
}

static void submit(uint64_t offset, uint64_t length, unsigned wants, unsigned slot)
{
    struct hasher_job job = {.fd = file,
                             .offset = offset,
                             .length = length,
                             .wants = wants,
                             .owner = &file,
                             .slot = slot};

    ck_assert(hasher_submit(hasher, &job));
}

static struct hasher_result collect(void)
{
    struct pollfd ready = {.fd = woken, .events = POLLIN};
    struct hasher_result result;
    uint64_t count;

    ck_assert_int_eq(poll(&ready, 1, 3000), 1);
    ck_assert_int_eq(read(woken, &count, sizeof count), sizeof count);
    ck_assert(hasher_collect(hasher, &result));
    return result;
}

static struct hasher_result hash(uint64_t offset, uint64_t length, unsigned wants)
{
    submit(offset, length, wants, 7);
    return collect();
}

static void assert_fingerprint(const struct hasher_result *result, const char *hex)
{
    char found[2 * sizeof result->fingerprint + 1];

    digest_hex(result->fingerprint, sizeof result->fingerprint, found);
    ck_assert_str_eq(found, hex);
}

START_TEST(nothing_has_its_known_digests)
{
    struct hasher_result result = hash(0, 0, BOTH);

    ck_assert(result.whole);
    ck_assert_str_eq(result.sha256_hex, DIGEST_SHA256_EMPTY);
    ck_assert_str_eq(result.md5_hex, "d41d8cd98f00b204e9800998ecf8427e");
    ck_assert_str_eq(result.md5_base64, "1B2M2Y8AsgTpgAmY7PhCfg==");
    assert_fingerprint(&result, "99aa06d3014798d86001c324468d497f");
}
END_TEST

START_TEST(one_byte_has_its_known_digests)
{
    struct hasher_result result;

    write_file('a', 1);
    result = hash(0, 1, BOTH);
    ck_assert(result.whole);
    ck_assert_str_eq(result.sha256_hex,
                     "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
    ck_assert_str_eq(result.md5_hex, "0cc175b9c0f1b6a831c399e269772661");
    ck_assert_str_eq(result.md5_base64, "DMF1ucDxtqgxw5niaXcmYQ==");
    assert_fingerprint(&result, "a96faf705af16834e6c632b61e964e1f");
}
END_TEST

START_TEST(a_million_bytes_that_take_several_pieces_have_their_known_digests)
{
    struct hasher_result result;

    write_file('b', 12345); /* not of the range */
    write_file('a', 1000000);
    write_file('c', 500);
    result = hash(12345, 1000000, BOTH);
    ck_assert(result.whole);
    ck_assert_str_eq(result.sha256_hex,
                     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    ck_assert_str_eq(result.md5_hex, "7707d6ae4e027c70eea2a935c2296f21");
    assert_fingerprint(&result, "a545df8e384a9579b1fd6fae5285c4eb");
}
END_TEST

START_TEST(the_fingerprint_alone_costs_no_other_digest)
{
    struct hasher_result result;

    write_file('a', 1);
    result = hash(0, 1, 0);
    ck_assert(result.whole);
    ck_assert_str_eq(result.sha256_hex, "");
    ck_assert_str_eq(result.md5_hex, "");
    ck_assert_str_eq(result.md5_base64, "");
    assert_fingerprint(&result, "a96faf705af16834e6c632b61e964e1f");
}
END_TEST

START_TEST(a_digest_that_was_not_asked_for_is_not_left_over_from_the_job_before)
{
    struct hasher_result result;

    write_file('a', 1);
    hash(0, 1, BOTH);
    result = hash(0, 1, HASHER_WANTS_SHA256);
    ck_assert_str_eq(result.md5_hex, "");
    ck_assert_str_ne(result.sha256_hex, "");
    result = hash(0, 1, HASHER_WANTS_MD5);
    ck_assert_str_eq(result.sha256_hex, "");
    ck_assert_str_ne(result.md5_hex, "");
}
END_TEST

START_TEST(a_file_that_ends_too_early_is_not_whole)
{
    static const struct {
        uint64_t offset, length;
    } rows[] = {{0, 201}, {100, 101}, {200, 1}, {5000, 10}, {0, UINT64_C(1) << 40}};

    write_file('a', 200);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hasher_result result = hash(rows[i].offset, rows[i].length, BOTH);

        ck_assert(!result.whole);
        ck_assert_int_eq(result.read_errno, 0);
        ck_assert_str_eq(result.sha256_hex, "");
    }
    ck_assert(hash(0, 200, BOTH).whole);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_gives_the_reason)
{
    struct hasher_result result;

    close(file);
    result = hash(0, 1, HASHER_WANTS_SHA256);
    ck_assert(!result.whole);
    ck_assert_int_eq(result.read_errno, EBADF);
    file = -1;
}
END_TEST

START_TEST(results_come_in_the_order_of_submission_with_owner_and_slot)
{
    write_file('a', 300);
    for (unsigned i = 0; i < 200; i++)
        submit(0, i % 3 ? i : 300, BOTH, i);
    for (unsigned i = 0; i < 200; i++) {
        struct hasher_result result = collect();

        ck_assert(result.whole);
        ck_assert_uint_eq(result.slot, i);
        ck_assert_ptr_eq(result.owner, &file);
    }
}
END_TEST

/* What is submitted next waits together. */
static void submit_a_long_one(void)
{
    ck_assert_int_eq(ftruncate(file, 8 << 20), 0);
    submit(0, 8 << 20, HASHER_WANTS_SHA256, 0);
}

START_TEST(ranges_that_wait_together_have_the_digests_that_they_have_alone)
{
    static const struct {
        uint64_t offset, length;
    } rows[] = {
        {0, 300001}, {299999, 300001}, {1, 300001}, /* a pair, and one without its like */
        {0, 77},     {300000, 77},                  /* a pair */
        {0, 64},     {0, 65},                       /* none */
    };
    enum { COUNT = sizeof rows / sizeof rows[0] };
    struct hasher_result together[COUNT];

    write_file('a', 300000);
    write_file('b', 500000);
    submit_a_long_one();
    for (unsigned i = 0; i < COUNT; i++)
        submit(rows[i].offset, rows[i].length, HASHER_WANTS_SHA256, i);
    collect();
    for (unsigned i = 0; i < COUNT; i++)
        together[i] = collect();
    for (unsigned i = 0; i < COUNT; i++) {
        struct hasher_result alone = hash(rows[i].offset, rows[i].length, HASHER_WANTS_SHA256);

        ck_assert_uint_eq(together[i].slot, i);
        ck_assert(together[i].whole);
        ck_assert_str_eq(together[i].sha256_hex, alone.sha256_hex);
        ck_assert_mem_eq(together[i].fingerprint, alone.fingerprint, sizeof alone.fingerprint);
    }
}
END_TEST

START_TEST(one_that_is_not_whole_does_no_harm_to_the_one_beside_it)
{
    submit_a_long_one();
    submit(0, 300000, HASHER_WANTS_SHA256, 1);
    submit((8 << 20) - 200000, 300000, HASHER_WANTS_SHA256, 2);
    submit((8 << 20) - 200000, 400000, HASHER_WANTS_SHA256, 3);
    submit(0, 400000, HASHER_WANTS_SHA256, 4);
    for (unsigned i = 0; i <= 4; i++) {
        struct hasher_result result = collect();

        ck_assert_uint_eq(result.slot, i);
        ck_assert(result.whole == (i != 2 && i != 3));
        ck_assert_int_eq(result.read_errno, 0);
        ck_assert(result.whole == (result.sha256_hex[0] != 0));
    }
}
END_TEST

START_TEST(when_all_places_are_taken_a_job_is_turned_away_until_one_is_collected)
{
    struct hasher_job more = {.fd = file};

    for (unsigned round = 0; round < 3; round++) { /* the ring goes round */
        for (unsigned i = 0; i < HASHER_MAX_JOBS; i++)
            submit(0, 0, 0, i);
        ck_assert(!hasher_submit(hasher, &more));
        ck_assert_uint_eq(collect().slot, 0);
        submit(0, 0, 0, HASHER_MAX_JOBS);
        ck_assert(!hasher_submit(hasher, &more));
        for (unsigned i = 1; i <= HASHER_MAX_JOBS; i++)
            ck_assert_uint_eq(collect().slot, i);
    }
}
END_TEST

START_TEST(nothing_is_collected_before_something_was_submitted)
{
    struct hasher_result result = {.slot = 5};

    ck_assert(!hasher_collect(hasher, &result));
    ck_assert_uint_eq(result.slot, 5);
}
END_TEST

START_TEST(closing_gives_up_what_is_under_way)
{
    /* 64 GiB of nothing, ten times: the test would run into its time limit. */
    ck_assert_int_eq(ftruncate(file, (off_t)1 << 36), 0);
    for (unsigned i = 0; i < 10; i++)
        submit(0, UINT64_C(1) << 36, BOTH, i);
    hasher_close(hasher);
    hasher = NULL;
}
END_TEST

START_TEST(closing_with_results_that_nobody_collected_is_fine)
{
    write_file('a', 10);
    for (unsigned i = 0; i < 50; i++)
        submit(0, 10, BOTH, i);
    collect();
    hasher_close(hasher);
    hasher = NULL;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hasher");
    TCase *cases = tcase_create("hasher");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, nothing_has_its_known_digests);
    tcase_add_test(cases, one_byte_has_its_known_digests);
    tcase_add_test(cases, a_million_bytes_that_take_several_pieces_have_their_known_digests);
    tcase_add_test(cases, the_fingerprint_alone_costs_no_other_digest);
    tcase_add_test(cases, a_digest_that_was_not_asked_for_is_not_left_over_from_the_job_before);
    tcase_add_test(cases, a_file_that_ends_too_early_is_not_whole);
    tcase_add_test(cases, a_file_that_cannot_be_read_gives_the_reason);
    tcase_add_test(cases, results_come_in_the_order_of_submission_with_owner_and_slot);
    tcase_add_test(cases, ranges_that_wait_together_have_the_digests_that_they_have_alone);
    tcase_add_test(cases, one_that_is_not_whole_does_no_harm_to_the_one_beside_it);
    tcase_add_test(cases, when_all_places_are_taken_a_job_is_turned_away_until_one_is_collected);
    tcase_add_test(cases, nothing_is_collected_before_something_was_submitted);
    tcase_add_test(cases, closing_gives_up_what_is_under_way);
    tcase_add_test(cases, closing_with_results_that_nobody_collected_is_fine);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
