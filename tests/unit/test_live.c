#include "finalize/lifecycle/live.h"

#include "tests/unit/part_capacity.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB  (UINT64_C(1) << 20)
#define BASE (5 * MIB)

static const struct part_plan plan = {.base_bytes = BASE};

struct sendable {
    uint64_t base, size;
    unsigned parts;
};

static const struct sendable sendables[] = {
    {BASE, 0, 0},
    {BASE, 1, 0},
    {BASE, BASE, 1},
    {BASE, BASE + 1, 1},
    {BASE, 2 * BASE - 1, 1},
    {BASE, 2 * BASE, 2}, /* exactly at an end: the second part will not change any more */
    {BASE, 2 * BASE + 1, 2},
    {BASE, 3 * BASE - 1, 2},
    {BASE, 3 * BASE, 3},
    /* Parts 8,901 to 8,904 are twice as long. */
    {BASE, 8900 * BASE - 1, 8899},
    {BASE, 8900 * BASE, 8900},
    {BASE, 8901 * BASE, 8900},
    {BASE, 8902 * BASE - 1, 8900},
    {BASE, 8902 * BASE, 8901},
    {BASE, 8904 * BASE, 8902},
    {S3_MAX_PART_BYTES, 2 * S3_MAX_PART_BYTES, 2},
    {S3_MAX_PART_BYTES, UINT64_MAX, S3_MAX_PARTS},
};

START_TEST(a_part_is_whole_when_the_file_has_its_last_byte)
{
    const struct sendable *it = &sendables[_i];
    struct part_plan of_it = {.base_bytes = it->base};

    ck_assert_uint_eq(live_sendable_parts(of_it, it->size), it->parts);
}
END_TEST

START_TEST(beyond_the_last_part_there_is_none)
{
    uint64_t capacity = part_capacity(plan);

    ck_assert_uint_eq(live_sendable_parts(plan, capacity - 1), S3_MAX_PARTS - 1);
    ck_assert_uint_eq(live_sendable_parts(plan, capacity), S3_MAX_PARTS);
    ck_assert_uint_eq(live_sendable_parts(plan, capacity + 1), S3_MAX_PARTS);
    ck_assert_uint_eq(live_sendable_parts(plan, 2 * capacity), S3_MAX_PARTS);
}
END_TEST

/* ---- whether there is work --------------------------------------------------------------------
 */

static struct journal *journal;
static struct journal_file file;
static struct settings settings;
static struct error err;

static char directory[] = "/tmp/test_live_XXXXXX";
static struct session_dir *session_dir;

static void set_up(void)
{
    struct journal_recording row;

    settings = (struct settings){.s3_part_size_bytes = BASE};
    strcpy(directory + sizeof directory - 7, "XXXXXX");
    ck_assert(mkdtemp(directory) && session_dir_open(directory, &session_dir, &err));
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, "/r/s", "s", 1000, &row, &err));
    file = (struct journal_file){.recording_id = row.id,
                                 .path = "a.mp4",
                                 .state = JOURNAL_FILE_PENDING,
                                 .mark = "m",
                                 .part_plan = {.base_bytes = BASE}};
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
}

static void tear_down(void)
{
    char path[sizeof directory + 16];

    snprintf(path, sizeof path, "%s/a.mp4", directory);
    (void)unlink(path);
    session_dir_close(session_dir);
    ck_assert(rmdir(directory) == 0);
    journal_close(journal);
}

static void hold(unsigned number)
{
    struct journal_part part = {.number = number, .length = BASE};

    ck_assert(journal_save_part(journal, file.id, &part, &err));
}

static bool has_work(const struct journal_file *row, uint64_t size_bytes)
{
    const struct live_look look = {
        .journal = journal, .settings = &settings, .session_dir = session_dir};
    bool work = false;

    ck_assert(live_has_work(&look, row, "a.mp4", size_bytes, &work, &err));
    return work;
}

/* False without ffmpeg. */
static bool record(const char *movflags)
{
    char command[512];

    snprintf(command, sizeof command,
             "ffmpeg -v error -y -f lavfi -i testsrc2=s=64x64:r=10 -t 2 -c:v libx264 %s -f mp4 "
             "%s/a.mp4 2>/dev/null",
             movflags, directory);
    return system(command) == 0; // NOLINT(cert-env33-c): as the other tests call it
}

START_TEST(a_file_that_the_journal_does_not_know_has_work_once_a_part_is_whole)
{
    ck_assert(!has_work(NULL, 0));
    ck_assert(!has_work(NULL, 2 * BASE - 1));
    ck_assert(has_work(NULL, 2 * BASE));
}
END_TEST

START_TEST(there_is_work_until_every_part_that_can_be_sent_is_held)
{
    ck_assert(has_work(&file, 4 * BASE));
    hold(2);
    ck_assert(!has_work(&file, 2 * BASE));
    ck_assert(!has_work(&file, 3 * BASE - 1));
    ck_assert(has_work(&file, 4 * BASE));
    hold(4); /* out of order */
    ck_assert(has_work(&file, 4 * BASE));
    hold(3);
    ck_assert(!has_work(&file, 5 * BASE - 1));
    ck_assert(has_work(&file, 5 * BASE));
}
END_TEST

START_TEST(the_first_part_and_those_beyond_do_not_count)
{
    hold(1);
    hold(9);
    ck_assert(has_work(&file, 2 * BASE));
}
END_TEST

START_TEST(of_a_recording_in_fragments_the_first_part_is_work_too_until_it_is_held)
{
    if (!record("-movflags +empty_moov+default_base_moof -frag_duration 1000000"))
        return;
    ck_assert(!has_work(&file, BASE - 1));
    ck_assert(has_work(NULL, BASE));
    ck_assert(has_work(&file, BASE));
    hold(2);
    ck_assert(has_work(&file, 2 * BASE));
    hold(1);
    ck_assert(!has_work(&file, 2 * BASE));
}
END_TEST

START_TEST(of_any_other_recording_the_first_part_is_none)
{
    if (!record(""))
        return;
    ck_assert(!has_work(&file, BASE));
    hold(2);
    ck_assert(!has_work(&file, 2 * BASE));
}
END_TEST

START_TEST(the_plan_of_the_upload_counts_not_the_one_of_the_settings)
{
    settings.s3_part_size_bytes = 2 * BASE;
    hold(2);
    ck_assert(has_work(&file, 3 * BASE));
    file.part_plan.base_bytes = 0; /* not begun: the settings' */
    ck_assert(!has_work(&file, 4 * BASE - 1));
    ck_assert(has_work(NULL, 4 * BASE));
}
END_TEST

START_TEST(parts_of_an_upload_that_grows_early_are_whole_later)
{
    for (unsigned number = 2; number <= 500; number++)
        hold(number);
    ck_assert(has_work(&file, 501 * BASE));
    file.part_plan.grows_early = true;
    ck_assert(!has_work(&file, 502 * BASE - 1));
    ck_assert(has_work(&file, 502 * BASE));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("live");
    TCase *cases = tcase_create("live");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, a_part_is_whole_when_the_file_has_its_last_byte, 0,
                        (int)(sizeof sendables / sizeof sendables[0]));
    tcase_add_test(cases, beyond_the_last_part_there_is_none);
    tcase_add_test(cases, a_file_that_the_journal_does_not_know_has_work_once_a_part_is_whole);
    tcase_add_test(cases, there_is_work_until_every_part_that_can_be_sent_is_held);
    tcase_add_test(cases, the_first_part_and_those_beyond_do_not_count);
    tcase_add_test(cases, of_a_recording_in_fragments_the_first_part_is_work_too_until_it_is_held);
    tcase_add_test(cases, of_any_other_recording_the_first_part_is_none);
    tcase_add_test(cases, the_plan_of_the_upload_counts_not_the_one_of_the_settings);
    tcase_add_test(cases, parts_of_an_upload_that_grows_early_are_whole_later);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
