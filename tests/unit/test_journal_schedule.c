#include "finalize/journal/journal_schedule.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define NOW INT64_C(1700000000)

static struct journal *journal;
static struct journal_recording row;
static struct error err;

static void set_up(void)
{
    error_clear(&err);
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
}

static void tear_down(void)
{
    journal_close(journal);
}

static struct journal_recording add(const char *directory, enum journal_recording_state state,
                                    int64_t next_try_at, int64_t updated_at)
{
    struct journal_recording added;

    ck_assert(journal_note_recording(journal, directory, "s", updated_at, &added, &err));
    added.state = state;
    added.next_try_at = next_try_at;
    ck_assert(journal_save_recording(journal, &added, updated_at, &err));
    return added;
}

static struct journal_file add_file(const struct journal_recording *recording, const char *path,
                                    enum journal_file_state state, const char *upload_id)
{
    struct journal_file file = {
        .recording_id = recording->id, .media = true, .state = state, .mark = "m"};

    snprintf(file.path, sizeof file.path, "%s", path);
    snprintf(file.upload_id, sizeof file.upload_id, "%s", upload_id);
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    return file;
}

static bool is_known(const char *directory)
{
    bool found;

    ck_assert(journal_find_recording(journal, directory, &row, &found, &err));
    return found;
}

static int64_t next_try_of(const char *directory)
{
    ck_assert(is_known(directory));
    return row.next_try_at;
}

static bool is_claimed(const char *directory, int64_t now)
{
    bool claimed = false;

    ck_assert_msg(journal_is_claimed(journal, directory, now, &claimed, &err), "%s", err.text);
    return claimed;
}

/* ---- recordings -------------------------------------------------------------------------------
 */

START_TEST(a_session_that_jibri_still_writes_gets_a_row)
{
    ck_assert(journal_note_recording(journal, "/r/a", "a", NOW, &row, &err));
    ck_assert_int_gt(row.id, 0);
    ck_assert_int_eq(row.state, JOURNAL_RECORDING_RECORDING);
    ck_assert_str_eq(row.session_id, "a");
    ck_assert_str_eq(row.directory, "/r/a");
    ck_assert_uint_eq(row.tries, 0);
    ck_assert_int_eq(row.created_at, NOW);
    ck_assert_int_eq(row.share, -1);
}
END_TEST

START_TEST(a_row_that_is_there_is_left_as_it_is)
{
    struct journal_recording before = add("/r/a", (enum journal_recording_state)_i, 5, NOW);

    ck_assert(journal_note_recording(journal, "/r/a", "b", NOW + 9, &row, &err));
    ck_assert_int_eq(row.id, before.id);
    ck_assert_int_eq(row.state, _i);
    ck_assert_str_eq(row.session_id, "s");
    ck_assert_int_eq(row.updated_at, NOW);
    ck_assert_int_eq(row.next_try_at, 5);
}
END_TEST

START_TEST(a_run_of_the_finalizer_goes_on_with_that_row)
{
    struct journal_recording noted = add("/r/a", JOURNAL_RECORDING_RECORDING, 0, NOW);

    ck_assert(journal_begin_recording(journal, "/r/a", "a", NOW + 1, &row, &err));
    ck_assert_int_eq(row.id, noted.id);
    ck_assert_int_eq(row.state, JOURNAL_RECORDING_WORKING);
    ck_assert_uint_eq(row.tries, 1);
}
END_TEST

START_TEST(all_but_the_done_and_the_abandoned_are_unfinished)
{
    char path[32], found_states[16] = "";
    bool found = true;

    for (int state = 1; state <= 6; state++) {
        snprintf(path, sizeof path, "/r/%d", state);
        add(path, (enum journal_recording_state)state, 0, NOW);
    }
    for (row.id = 0; found;) {
        ck_assert(journal_next_unfinished(journal, row.id, &row, &found, &err));
        if (found)
            snprintf(found_states + strlen(found_states), 2, "%d", (int)row.state);
    }
    ck_assert_str_eq(found_states, "1235");
}
END_TEST

START_TEST(a_hurry_brings_forward_what_waits_and_never_puts_off)
{
    bool failed_too = _i;

    add("/r/late", JOURNAL_RECORDING_WAITING, NOW + 1000, NOW);
    add("/r/due", JOURNAL_RECORDING_WAITING, NOW - 1000, NOW);
    add("/r/person", JOURNAL_RECORDING_FAILED, NOW + 1000, NOW);
    add("/r/done", JOURNAL_RECORDING_DONE, NOW + 1000, NOW);
    add("/r/abandoned", JOURNAL_RECORDING_ABANDONED, NOW + 1000, NOW);
    ck_assert(journal_hurry(journal, failed_too, NOW, &err));
    ck_assert_int_eq(next_try_of("/r/late"), NOW);
    ck_assert_int_eq(next_try_of("/r/due"), NOW - 1000);
    ck_assert_int_eq(next_try_of("/r/person"), failed_too ? NOW : NOW + 1000);
    ck_assert_int_eq(next_try_of("/r/done"), NOW + 1000);
    ck_assert_int_eq(next_try_of("/r/abandoned"), NOW + 1000);
}
END_TEST

struct forgetting {
    enum journal_recording_state state;
    int64_t updated_at;
    enum journal_file_state file_state;
    int64_t removed_at;
    const char *upload_id;
    bool forgotten;
};

static const struct forgetting forgettings[] = {
    {JOURNAL_RECORDING_DONE, NOW - 1, JOURNAL_FILE_SAFE, NOW - 5, "", true},
    {JOURNAL_RECORDING_DONE, NOW, JOURNAL_FILE_SAFE, NOW - 5, "", false},
    {JOURNAL_RECORDING_DONE, NOW - 1, JOURNAL_FILE_SAFE, 0, "", false}, /* kept on this machine */
    {JOURNAL_RECORDING_DONE, NOW - 1, JOURNAL_FILE_WITHHELD, 0, "", false},
    {JOURNAL_RECORDING_DONE, NOW - 1, JOURNAL_FILE_GONE, 0, "", false},
    {JOURNAL_RECORDING_WAITING, 1, JOURNAL_FILE_SAFE, NOW - 5, "", false},
    {JOURNAL_RECORDING_FAILED, 1, JOURNAL_FILE_SAFE, NOW - 5, "", false},
    {JOURNAL_RECORDING_WORKING, 1, JOURNAL_FILE_SAFE, NOW - 5, "", false},
    {JOURNAL_RECORDING_RECORDING, 1, JOURNAL_FILE_PENDING, 0, "", false},
    {JOURNAL_RECORDING_ABANDONED, 1, JOURNAL_FILE_SAFE, NOW - 5, "", false},
};

START_TEST(what_is_done_and_old_is_forgotten_unless_something_is_still_to_be_done_about_it)
{
    const struct forgetting *it = &forgettings[_i];
    struct journal_recording recording = add("/r/a", it->state, 0, it->updated_at);
    struct journal_file file = add_file(&recording, "a.mp4", it->file_state, it->upload_id);
    struct journal_part part = {.number = 1, .length = 1};

    file.removed_at = it->removed_at;
    ck_assert(journal_save_file(journal, &file, &err));
    ck_assert(journal_save_part(journal, file.id, &part, &err));
    ck_assert(journal_add_history(journal, recording.id, file.id, NOW, "something", &err));
    ck_assert(journal_forget_done(journal, NOW, &err));
    ck_assert_int_eq(is_known("/r/a"), !it->forgotten);
    if (it->forgotten) { /* and all that belongs to it */
        bool found;

        ck_assert(journal_find_part(journal, file.id, 1, &part, &found, &err));
        ck_assert(!found);
    }
}
END_TEST

/* ---- parts and uploads ------------------------------------------------------------------------
 */

START_TEST(parts_are_counted_within_their_bounds)
{
    struct journal_recording recording = add("/r/a", JOURNAL_RECORDING_RECORDING, 0, NOW);
    struct journal_file file = add_file(&recording, "a.mp4", JOURNAL_FILE_PENDING, "u");
    struct journal_file other = add_file(&recording, "b.mp4", JOURNAL_FILE_PENDING, "v");
    static const unsigned NUMBERS[] = {1, 2, 3, 5, 10000};
    unsigned count = 77;

    ck_assert(journal_count_parts(journal, file.id, 1, 10000, &count, &err));
    ck_assert_uint_eq(count, 0);
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        struct journal_part part = {.number = NUMBERS[i], .length = 1};

        ck_assert(journal_save_part(journal, file.id, &part, &err));
    }
    ck_assert(journal_count_parts(journal, file.id, 1, 10000, &count, &err));
    ck_assert_uint_eq(count, 5);
    ck_assert(journal_count_parts(journal, file.id, 2, 5, &count, &err));
    ck_assert_uint_eq(count, 3);
    ck_assert(journal_count_parts(journal, file.id, 4, 4, &count, &err));
    ck_assert_uint_eq(count, 0);
    ck_assert(journal_count_parts(journal, file.id, 5, 2, &count, &err));
    ck_assert_uint_eq(count, 0);
    ck_assert(journal_count_parts(journal, other.id, 1, 10000, &count, &err));
    ck_assert_uint_eq(count, 0);
}
END_TEST

/* ---- claims -----------------------------------------------------------------------------------
 */

START_TEST(a_claim_counts_until_it_is_taken_back)
{
    ck_assert(!is_claimed("/r/a", NOW));
    ck_assert(journal_claim(journal, "/r/a", 7, NOW, &err));
    ck_assert(is_claimed("/r/a", NOW));
    ck_assert(!is_claimed("/r/b", NOW));
    ck_assert(journal_unclaim(journal, "/r/a", 8, &err)); /* of another process */
    ck_assert(is_claimed("/r/a", NOW));
    ck_assert(journal_unclaim(journal, "/r/a", 7, &err));
    ck_assert(!is_claimed("/r/a", NOW));
    ck_assert(journal_unclaim(journal, "/r/a", 7, &err)); /* there is none: fine */
}
END_TEST

START_TEST(a_claim_of_a_process_that_was_killed_runs_out)
{
    ck_assert(journal_claim(journal, "/r/a", 7, NOW, &err));
    ck_assert(is_claimed("/r/a", NOW + JOURNAL_CLAIM_LASTS_S));
    ck_assert(!is_claimed("/r/a", NOW + JOURNAL_CLAIM_LASTS_S + 1));
    ck_assert(journal_claim(journal, "/r/a", 7, NOW + 5, &err)); /* renewed */
    ck_assert(is_claimed("/r/a", NOW + 5 + JOURNAL_CLAIM_LASTS_S));
}
END_TEST

START_TEST(a_claim_from_before_the_clock_was_set_back_does_not_count_for_ever)
{
    ck_assert(journal_claim(journal, "/r/a", 7, NOW, &err));
    ck_assert(is_claimed("/r/a", NOW - JOURNAL_CLAIM_LASTS_S));
    ck_assert(!is_claimed("/r/a", NOW - 3600));
}
END_TEST

START_TEST(of_two_who_wait_one_may_stop)
{
    ck_assert(journal_claim(journal, "/r/a", 7, NOW, &err));
    ck_assert(journal_claim(journal, "/r/a", 8, NOW, &err));
    ck_assert(journal_unclaim(journal, "/r/a", 7, &err));
    ck_assert(is_claimed("/r/a", NOW));
}
END_TEST

START_TEST(what_is_handed_over_stays_so_until_it_is_taken_over)
{
    ck_assert(journal_claim(journal, "/r/a", JOURNAL_HANDED_OVER, NOW, &err));
    ck_assert(
        journal_claim(journal, "/r/a", JOURNAL_HANDED_OVER, NOW + 1, &err)); /* again: no matter */
    ck_assert(is_claimed("/r/a", NOW + 1000000));
    ck_assert(journal_claim(journal, "/r/a", 7, NOW, &err));
    ck_assert(journal_unclaim(journal, "/r/a", 7, &err));
    ck_assert(is_claimed("/r/a", NOW));
    ck_assert(journal_unclaim(journal, "/r/a", JOURNAL_HANDED_OVER, &err));
    ck_assert(!is_claimed("/r/a", NOW));
}
END_TEST

START_TEST(what_was_handed_over_is_found_in_the_order_of_bytes)
{
    static const char *const DIRECTORIES[] = {"/r/B", "/r/a", "/r/a b", "/r/\xd0\xb6", "/r/\xff"};
    char directory[SESSION_PATH_SIZE] = "";
    bool found;

    for (int i = 4; i >= 0; i--)
        ck_assert(journal_claim(journal, DIRECTORIES[i], JOURNAL_HANDED_OVER, NOW, &err));
    ck_assert(journal_claim(journal, "/r/b", 7, NOW, &err)); /* waits, no more */
    for (int i = 0; i < 5; i++) {
        ck_assert(journal_next_handed_over(journal, directory, directory, &found, &err));
        ck_assert(found);
        ck_assert_str_eq(directory, DIRECTORIES[i]);
    }
    ck_assert(journal_next_handed_over(journal, directory, directory, &found, &err));
    ck_assert(!found);
}
END_TEST

START_TEST(after_a_clock_was_set_back_what_happened_has_happened_now)
{
    struct journal_recording recording = add("/r/a", JOURNAL_RECORDING_DONE, 0, NOW + 86400);
    struct journal_file file = {.recording_id = recording.id,
                                .path = "a.mp4",
                                .mark = "m",
                                .state = JOURNAL_FILE_SAFE,
                                .safe_at = NOW + 86400};
    bool found;

    ck_assert(journal_add_file(journal, &file, &err));
    ck_assert(journal_claim(journal, "/r/a", 7, NOW + 86400, &err));
    ck_assert(journal_correct_times(journal, NOW, &err));
    ck_assert(journal_find_file(journal, recording.id, "a.mp4", &file, &found, &err));
    ck_assert_int_eq(file.safe_at, NOW);
    ck_assert(journal_find_recording(journal, "/r/a", &recording, &found, &err));
    ck_assert_int_eq(recording.updated_at, NOW);
    ck_assert(journal_forget_claims(journal, NOW, &err));
    ck_assert(!is_claimed("/r/a", NOW + 86400));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_schedule");
    TCase *cases = tcase_create("journal_schedule");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_session_that_jibri_still_writes_gets_a_row);
    tcase_add_loop_test(cases, a_row_that_is_there_is_left_as_it_is, 1, 7);
    tcase_add_test(cases, a_run_of_the_finalizer_goes_on_with_that_row);
    tcase_add_test(cases, all_but_the_done_and_the_abandoned_are_unfinished);
    tcase_add_loop_test(cases, a_hurry_brings_forward_what_waits_and_never_puts_off, 0, 2);
    tcase_add_loop_test(
        cases, what_is_done_and_old_is_forgotten_unless_something_is_still_to_be_done_about_it, 0,
        (int)(sizeof forgettings / sizeof forgettings[0]));
    tcase_add_test(cases, parts_are_counted_within_their_bounds);
    tcase_add_test(cases, a_claim_counts_until_it_is_taken_back);
    tcase_add_test(cases, a_claim_of_a_process_that_was_killed_runs_out);
    tcase_add_test(cases, a_claim_from_before_the_clock_was_set_back_does_not_count_for_ever);
    tcase_add_test(cases, of_two_who_wait_one_may_stop);
    tcase_add_test(cases, what_is_handed_over_stays_so_until_it_is_taken_over);
    tcase_add_test(cases, what_was_handed_over_is_found_in_the_order_of_bytes);
    tcase_add_test(cases, after_a_clock_was_set_back_what_happened_has_happened_now);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
