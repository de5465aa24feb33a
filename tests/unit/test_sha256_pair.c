#include "finalize/hash/sha256_pair.h"

#include "finalize/hash/digest.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

#define MOST_BYTES 100000u

static uint8_t first[MOST_BYTES], second[MOST_BYTES];

static void fill(void)
{
    uint32_t a = 1, b = 2;

    for (size_t i = 0; i < MOST_BYTES; i++) {
        first[i] = (uint8_t)((a = a * 1664525 + 1013904223) >> 24);
        second[i] = (uint8_t)((b = b * 1664525 + 1013904223) >> 24);
    }
}

static void assert_digest(const uint8_t *bytes, size_t length, const uint8_t *found)
{
    uint8_t known[DIGEST_SHA256_BYTES];

    ck_assert(digest_sha256(bytes, length, known));
    ck_assert_mem_eq(found, known, sizeof known);
}

/* Fed in pieces of `piece` bytes. */
static void assert_pair(size_t length, size_t piece)
{
    uint8_t digest_of_first[DIGEST_SHA256_BYTES], digest_of_second[DIGEST_SHA256_BYTES];
    struct sha256_pair pair;

    sha256_pair_begin(&pair);
    for (size_t done = 0; done < length; done += piece) {
        size_t left = length - done;

        sha256_pair_update(&pair, first + done, second + done, left < piece ? left : piece);
    }
    sha256_pair_end(&pair, digest_of_first, digest_of_second);
    assert_digest(first, length, digest_of_first);
    assert_digest(second, length, digest_of_second);
}

START_TEST(each_stream_has_its_own_digest_whatever_the_length)
{
    if (!sha256_pair_available())
        return;
    for (size_t length = 0; length <= 4 * (size_t)SHA256_PAIR_BLOCK; length++)
        assert_pair(length, MOST_BYTES);
}
END_TEST

START_TEST(in_pieces_the_digests_are_the_same)
{
    if (!sha256_pair_available())
        return;
    assert_pair(MOST_BYTES, SHA256_PAIR_BLOCK);
    assert_pair(MOST_BYTES, 10 * (size_t)SHA256_PAIR_BLOCK);
    assert_pair(MOST_BYTES - 1, 128 * (size_t)SHA256_PAIR_BLOCK);
    assert_pair(128 * (size_t)SHA256_PAIR_BLOCK, 128 * (size_t)SHA256_PAIR_BLOCK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sha256_pair");
    TCase *cases = tcase_create("sha256_pair");

    tcase_add_checked_fixture(cases, fill, NULL);
    tcase_add_test(cases, each_stream_has_its_own_digest_whatever_the_length);
    tcase_add_test(cases, in_pieces_the_digests_are_the_same);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
