#include "finalize/upload/upload_listing.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct journal *journal;
static struct journal_file file;
static struct upload_listing listing;
static struct error err;
static char held[256]; /* what the journal holds: "number:length:etag[+]", + for a fingerprint */

static void set_up(void)
{
    struct journal_recording row;

    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, "/r/s", "s", 1000, &row, &err));
    file = (struct journal_file){
        .recording_id = row.id, .path = "a.mp4", .state = JOURNAL_FILE_PENDING, .mark = "m"};
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    listing = (struct upload_listing){.journal = journal, .file_id = file.id};
}

static void tear_down(void)
{
    journal_close(journal);
}

static void hold(unsigned number, uint64_t length, const char *etag)
{
    struct journal_part part = {.number = number, .length = length, .has_fingerprint = true};

    snprintf(part.etag, sizeof part.etag, "%s", etag);
    ck_assert(journal_save_part(journal, file.id, &part, &err));
}

static const char *what_is_held(void)
{
    struct journal_part part = {.number = 0};
    bool found = true;

    held[0] = 0;
    for (;;) {
        size_t length = strlen(held);

        ck_assert(journal_next_part(journal, file.id, part.number, &part, &found, &err));
        if (!found)
            return held;
        snprintf(held + length, sizeof held - length, "%s%u:%llu:%s%s", length ? " " : "",
                 part.number, (unsigned long long)part.length, part.etag,
                 part.has_fingerprint ? "+" : "");
    }
}

/* One page, of so many items. */
static void compare(const struct s3_xml_item *items, size_t count, bool truncated)
{
    struct s3_xml_item copies[8];
    struct s3_xml_listing page = {.items = copies, .count = count, .truncated = truncated};

    if (count)
        memcpy(copies, items, count * sizeof *items);
    ck_assert_msg(upload_listing_compare(&listing, &page, &err), "%s", err.text);
}

START_TEST(parts_that_agree_keep_their_fingerprint)
{
    static const struct s3_xml_item items[] = {{1, 1000, "a", NULL, NULL, 0},
                                               {2, 500, "b", NULL, NULL, 0}};

    hold(1, 1000, "a");
    hold(2, 500, "b");
    compare(items, 2, false);
    ck_assert_str_eq(what_is_held(), "1:1000:a+ 2:500:b+");
    ck_assert_uint_eq(listing.highest_listed, 2);
}
END_TEST

START_TEST(a_part_that_the_bucket_does_not_show_is_forgotten)
{
    static const struct s3_xml_item items[] = {{2, 1000, "b", NULL, NULL, 0},
                                               {5, 1000, "e", NULL, NULL, 0}};

    for (unsigned number = 1; number <= 7; number++)
        hold(number, 1000, (char[]){(char)('a' + number - 1), 0});
    compare(items, 2, false);
    ck_assert_str_eq(what_is_held(), "2:1000:b+ 5:1000:e+");
    ck_assert_uint_eq(listing.highest_listed, 5);
}
END_TEST

START_TEST(an_empty_listing_forgets_all)
{
    hold(1, 1000, "a");
    hold(10000, 1000, "z");
    compare(NULL, 0, false);
    ck_assert_str_eq(what_is_held(), "");
    ck_assert_uint_eq(listing.highest_listed, 0);
}
END_TEST

START_TEST(a_part_that_the_journal_does_not_know_is_noted_without_a_fingerprint)
{
    static const struct s3_xml_item items[] = {{1, 1000, "a", NULL, NULL, 0},
                                               {2, 1000, "b", NULL, NULL, 0},
                                               {10000, 7, "z", NULL, NULL, 0}};

    hold(1, 1000, "a");
    compare(items, 3, false);
    ck_assert_str_eq(what_is_held(), "1:1000:a+ 2:1000:b 10000:7:z");
}
END_TEST

START_TEST(a_part_that_the_bucket_shows_differently_loses_its_fingerprint)
{
    static const struct s3_xml_item items[] = {{1, 1000, "other", NULL, NULL, 0},
                                               {2, 999, "b", NULL, NULL, 0}};

    hold(1, 1000, "a");
    hold(2, 1000, "b");
    compare(items, 2, false);
    ck_assert_str_eq(what_is_held(), "1:1000:other 2:999:b");
}
END_TEST

START_TEST(what_lies_beyond_a_page_waits_for_the_next_one)
{
    static const struct s3_xml_item first[] = {{1, 1000, "a", NULL, NULL, 0},
                                               {3, 1000, "c", NULL, NULL, 0}};
    static const struct s3_xml_item second[] = {{4, 1000, "d", NULL, NULL, 0}};

    for (unsigned number = 1; number <= 5; number++)
        hold(number, 1000, (char[]){(char)('a' + number - 1), 0});
    compare(first, 2, true);
    ck_assert_str_eq(what_is_held(), "1:1000:a+ 3:1000:c+ 4:1000:d+ 5:1000:e+");
    ck_assert_uint_eq(listing.compared, 3);
    compare(second, 1, false);
    ck_assert_str_eq(what_is_held(), "1:1000:a+ 3:1000:c+ 4:1000:d+");
    ck_assert_uint_eq(listing.highest_listed, 4);
}
END_TEST

START_TEST(an_empty_last_page_forgets_what_is_left)
{
    static const struct s3_xml_item first[] = {{1, 1000, "a", NULL, NULL, 0}};

    hold(1, 1000, "a");
    hold(2, 1000, "b");
    compare(first, 1, true);
    compare(NULL, 0, false);
    ck_assert_str_eq(what_is_held(), "1:1000:a+");
    ck_assert_uint_eq(listing.highest_listed, 1);
}
END_TEST

START_TEST(what_is_out_of_order_is_passed_over)
{
    static const struct s3_xml_item items[] = {{3, 1000, "c", NULL, NULL, 0},
                                               {2, 1000, "b", NULL, NULL, 0},
                                               {3, 1, "again", NULL, NULL, 0},
                                               {4, 1000, "d", NULL, NULL, 0}};

    compare(items, 4, false);
    ck_assert_str_eq(what_is_held(), "3:1000:c 4:1000:d");
}
END_TEST

START_TEST(a_page_that_does_not_move_on_leaves_the_marker_where_it_was)
{
    static const struct s3_xml_item items[] = {{1, 1000, "a", NULL, NULL, 0},
                                               {2, 1000, "b", NULL, NULL, 0}};

    compare(items, 2, true);
    ck_assert_uint_eq(listing.compared, 2);
    compare(items, 2, true); /* a server that ignores the marker */
    ck_assert_uint_eq(listing.compared, 2);
    ck_assert_str_eq(what_is_held(), "1:1000:a 2:1000:b");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upload_listing");
    TCase *cases = tcase_create("upload_listing");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, parts_that_agree_keep_their_fingerprint);
    tcase_add_test(cases, a_part_that_the_bucket_does_not_show_is_forgotten);
    tcase_add_test(cases, an_empty_listing_forgets_all);
    tcase_add_test(cases, a_part_that_the_journal_does_not_know_is_noted_without_a_fingerprint);
    tcase_add_test(cases, a_part_that_the_bucket_shows_differently_loses_its_fingerprint);
    tcase_add_test(cases, what_lies_beyond_a_page_waits_for_the_next_one);
    tcase_add_test(cases, an_empty_last_page_forgets_what_is_left);
    tcase_add_test(cases, what_is_out_of_order_is_passed_over);
    tcase_add_test(cases, a_page_that_does_not_move_on_leaves_the_marker_where_it_was);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
