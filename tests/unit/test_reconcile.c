#include "finalize/upload/reconcile.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define BASE 1000u

/* A file of three and a half parts, finished or growing. */
static const struct reconcile_file finished = {.plan = {.base_bytes = BASE}, .size_bytes = 3500};
static const struct reconcile_file growing = {
    .plan = {.base_bytes = BASE}, .size_bytes = 3500, .growing = true};

static const char md5_a[] = "0cc175b9c0f1b6a831c399e269772661";
static const char md5_b[] = "92eb5ffee6ae2fec3ad71c777531578f";

/* A part that the bucket acknowledged to us, with bytes named by one letter. */
static struct journal_part sent(unsigned number, uint64_t length, char letter)
{
    struct journal_part part = {.number = number, .length = length, .has_fingerprint = true};

    memset(part.fingerprint, letter, sizeof part.fingerprint);
    return part;
}

/* A part known from ListParts alone. */
static struct journal_part listed(unsigned number, uint64_t length, const char *etag)
{
    struct journal_part part = {.number = number, .length = length};

    snprintf(part.etag, sizeof part.etag, "%s", etag);
    return part;
}

static struct hasher_result on_disk(char letter, const char *md5)
{
    struct hasher_result bytes = {.md5_hex = ""};

    memset(bytes.fingerprint, letter, sizeof bytes.fingerprint);
    snprintf(bytes.md5_hex, sizeof bytes.md5_hex, "%s", md5);
    return bytes;
}

START_TEST(of_a_finished_recording_at_the_first_try_every_part_is_sent)
{
    for (unsigned number = 1; number <= 4; number++)
        ck_assert_int_eq(reconcile_part(&finished, number, NULL, NULL), RECONCILE_SEND);
}
END_TEST

START_TEST(after_a_try_that_was_killed_the_missing_parts_are_sent_and_the_others_compared)
{
    struct journal_part first = sent(1, 1000, 'a'), third = sent(3, 1000, 'c');

    ck_assert_int_eq(reconcile_part(&finished, 1, &first, NULL), RECONCILE_VERIFY);
    ck_assert_int_eq(reconcile_part(&finished, 2, NULL, NULL), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&finished, 3, &third, NULL), RECONCILE_VERIFY);
    ck_assert_int_eq(reconcile_part(&finished, 4, NULL, NULL), RECONCILE_SEND);
}
END_TEST

START_TEST(while_a_recording_grows_its_complete_parts_are_sent)
{
    ck_assert_int_eq(reconcile_part(&growing, 2, NULL, NULL), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&growing, 3, NULL, NULL), RECONCILE_SEND);
}
END_TEST

START_TEST(while_a_recording_grows_neither_its_first_part_nor_its_tail_is_sent)
{
    struct journal_part first = sent(1, 1000, 'a'), tail = sent(4, 500, 'd');
    struct hasher_result same = on_disk('a', "");

    ck_assert_int_eq(reconcile_part(&growing, 1, NULL, NULL), RECONCILE_NOT_YET);
    ck_assert_int_eq(reconcile_part(&growing, 1, &first, NULL), RECONCILE_NOT_YET);
    ck_assert_int_eq(reconcile_part(&growing, 1, &first, &same), RECONCILE_NOT_YET);
    ck_assert_int_eq(reconcile_part(&growing, 4, NULL, NULL), RECONCILE_NOT_YET);
    ck_assert_int_eq(reconcile_part(&growing, 4, &tail, NULL), RECONCILE_NOT_YET);
    ck_assert_int_eq(reconcile_part(&growing, 5, NULL, NULL), RECONCILE_NOT_YET);
}
END_TEST

START_TEST(while_one_in_fragments_grows_its_first_part_is_sent_too_once_it_is_whole)
{
    struct reconcile_file file = growing;
    struct journal_part first = sent(1, 1000, 'a');
    struct hasher_result other = on_disk('b', "");

    file.fragmented = true;
    ck_assert_int_eq(reconcile_part(&file, 1, NULL, NULL), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&file, 1, &first, NULL), RECONCILE_HELD);
    ck_assert_int_eq(reconcile_part(&file, 4, NULL, NULL), RECONCILE_NOT_YET);
    ck_assert_int_eq(reconcile_part(&finished, 1, &first, &other), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_reason(&file, &first), RESEND_INDEXED);
    ck_assert_int_eq(reconcile_reason(&growing, &first), RESEND_BYTES_CHANGED);
    file.size_bytes = 999;
    ck_assert_int_eq(reconcile_part(&file, 1, NULL, NULL), RECONCILE_NOT_YET);
}
END_TEST

START_TEST(while_a_recording_grows_a_part_that_is_just_full_is_sent)
{
    struct reconcile_file file = growing;

    file.size_bytes = 3000;
    ck_assert_int_eq(reconcile_part(&file, 3, NULL, NULL), RECONCILE_SEND);
    file.size_bytes = 2999;
    ck_assert_int_eq(reconcile_part(&file, 3, NULL, NULL), RECONCILE_NOT_YET);
    file.size_bytes = 0;
    ck_assert_int_eq(reconcile_part(&file, 1, NULL, NULL), RECONCILE_NOT_YET);
}
END_TEST

START_TEST(while_a_recording_grows_what_was_sent_counts_as_held)
{
    struct journal_part second = sent(2, 1000, 'b');

    ck_assert_int_eq(reconcile_part(&growing, 2, &second, NULL), RECONCILE_HELD);
}
END_TEST

START_TEST(once_it_is_closed_first_part_and_tail_are_sent_and_the_early_parts_compared)
{
    struct journal_part second = sent(2, 1000, 'b');

    ck_assert_int_eq(reconcile_part(&finished, 1, NULL, NULL), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&finished, 2, &second, NULL), RECONCILE_VERIFY);
    ck_assert_int_eq(reconcile_part(&finished, 4, NULL, NULL), RECONCILE_SEND);
}
END_TEST

START_TEST(a_part_whose_bytes_are_the_same_is_held)
{
    struct journal_part second = sent(2, 1000, 'b');
    struct hasher_result same = on_disk('b', "");

    ck_assert_int_eq(reconcile_part(&finished, 2, &second, &same), RECONCILE_HELD);
}
END_TEST

START_TEST(a_part_that_changed_is_sent_again)
{
    struct journal_part second = sent(2, 1000, 'b');
    struct hasher_result other = on_disk('b', "");

    other.fingerprint[15] ^= 1;
    ck_assert_int_eq(reconcile_part(&finished, 2, &second, &other), RECONCILE_SEND);
    other.fingerprint[15] ^= 1;
    other.fingerprint[0] ^= 0x80;
    ck_assert_int_eq(reconcile_part(&finished, 2, &second, &other), RECONCILE_SEND);
}
END_TEST

START_TEST(a_changed_part_is_not_saved_by_an_etag_that_looks_right)
{
    struct journal_part second = sent(2, 1000, 'b');
    struct hasher_result other = on_disk('x', md5_a);

    snprintf(second.etag, sizeof second.etag, "%s", md5_a);
    ck_assert_int_eq(reconcile_part(&finished, 2, &second, &other), RECONCILE_SEND);
}
END_TEST

START_TEST(a_part_of_another_length_is_sent_without_being_read)
{
    struct journal_part shorter = sent(2, 999, 'b'), longer = sent(4, 1000, 'd');
    struct journal_part tail_of_before = sent(3, 400, 'c');
    struct hasher_result same = on_disk('b', "");

    ck_assert_int_eq(reconcile_part(&finished, 2, &shorter, NULL), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&finished, 2, &shorter, &same), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&finished, 4, &longer, NULL), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&finished, 3, &tail_of_before, NULL), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&growing, 3, &tail_of_before, NULL), RECONCILE_SEND);
}
END_TEST

START_TEST(a_tail_of_the_right_length_is_compared)
{
    struct journal_part tail = sent(4, 500, 'd');
    struct hasher_result same = on_disk('d', "");

    ck_assert_int_eq(reconcile_part(&finished, 4, &tail, NULL), RECONCILE_VERIFY);
    ck_assert_int_eq(reconcile_part(&finished, 4, &tail, &same), RECONCILE_HELD);
}
END_TEST

START_TEST(a_part_known_from_the_listing_is_held_when_its_etag_is_the_md5_of_the_bytes)
{
    struct journal_part part = listed(2, 1000, md5_a);
    struct hasher_result same = on_disk('a', md5_a);

    ck_assert_int_eq(reconcile_part(&finished, 2, &part, NULL), RECONCILE_VERIFY);
    ck_assert_int_eq(reconcile_part(&finished, 2, &part, &same), RECONCILE_HELD);
    snprintf(part.etag, sizeof part.etag, "0CC175B9C0F1B6A831C399E269772661");
    ck_assert_int_eq(reconcile_part(&finished, 2, &part, &same), RECONCILE_HELD);
}
END_TEST

START_TEST(a_part_known_from_the_listing_whose_etag_is_something_else_is_sent)
{
    static const char *const etags[] = {md5_b, "", "0cc175b9c0f1b6a831c399e269772661-1",
                                        "0cc175b9c0f1b6a831c399e26977266"};
    struct hasher_result same = on_disk('a', md5_a);

    for (unsigned i = 0; i < sizeof etags / sizeof etags[0]; i++) {
        struct journal_part part = listed(2, 1000, etags[i]);

        ck_assert_int_eq(reconcile_part(&finished, 2, &part, &same), RECONCILE_SEND);
    }
}
END_TEST

START_TEST(without_an_md5_a_part_known_from_the_listing_is_sent)
{
    struct journal_part part = listed(2, 1000, md5_a), nameless = listed(2, 1000, "");
    struct hasher_result same = on_disk(0, "");

    ck_assert_int_eq(reconcile_part(&finished, 2, &part, &same), RECONCILE_SEND);
    ck_assert_int_eq(reconcile_part(&finished, 2, &nameless, &same), RECONCILE_SEND);
}
END_TEST

START_TEST(an_upload_that_holds_more_parts_than_the_file_has_does_not_fit)
{
    struct reconcile_file file = finished;

    ck_assert(reconcile_fits(&file, 0));
    ck_assert(reconcile_fits(&file, 3));
    ck_assert(reconcile_fits(&file, 4));
    ck_assert(!reconcile_fits(&file, 5));
    file.size_bytes = 3000;
    ck_assert(reconcile_fits(&file, 3));
    ck_assert(!reconcile_fits(&file, 4));
    file.size_bytes = 0;
    ck_assert(reconcile_fits(&file, 0));
    ck_assert(!reconcile_fits(&file, 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reconcile");
    TCase *cases = tcase_create("reconcile");

    tcase_add_test(cases, of_a_finished_recording_at_the_first_try_every_part_is_sent);
    tcase_add_test(cases,
                   after_a_try_that_was_killed_the_missing_parts_are_sent_and_the_others_compared);
    tcase_add_test(cases, while_a_recording_grows_its_complete_parts_are_sent);
    tcase_add_test(cases, while_a_recording_grows_neither_its_first_part_nor_its_tail_is_sent);
    tcase_add_test(cases, while_one_in_fragments_grows_its_first_part_is_sent_too_once_it_is_whole);
    tcase_add_test(cases, while_a_recording_grows_a_part_that_is_just_full_is_sent);
    tcase_add_test(cases, while_a_recording_grows_what_was_sent_counts_as_held);
    tcase_add_test(cases,
                   once_it_is_closed_first_part_and_tail_are_sent_and_the_early_parts_compared);
    tcase_add_test(cases, a_part_whose_bytes_are_the_same_is_held);
    tcase_add_test(cases, a_part_that_changed_is_sent_again);
    tcase_add_test(cases, a_changed_part_is_not_saved_by_an_etag_that_looks_right);
    tcase_add_test(cases, a_part_of_another_length_is_sent_without_being_read);
    tcase_add_test(cases, a_tail_of_the_right_length_is_compared);
    tcase_add_test(cases,
                   a_part_known_from_the_listing_is_held_when_its_etag_is_the_md5_of_the_bytes);
    tcase_add_test(cases, a_part_known_from_the_listing_whose_etag_is_something_else_is_sent);
    tcase_add_test(cases, without_an_md5_a_part_known_from_the_listing_is_sent);
    tcase_add_test(cases, an_upload_that_holds_more_parts_than_the_file_has_does_not_fit);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
