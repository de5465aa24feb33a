#include "finalize/lifecycle/housekeeping.h"

#include "finalize/journal/journal_schedule.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAY_S 86400

/* Nobody answers at that address: whatever needs the network fails at once. */
static char base[64];
static char session[128];
static char journal_path[128];
static struct settings settings;
static struct journal *journal;
static struct error err;
static char remarks[2048];

static void set_up(void)
{
    char made[] = "/tmp/test_housekeeping_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(session, sizeof session, "%s/session", base);
    snprintf(journal_path, sizeof journal_path, "%s/.jibri-finalize/journal.db", base);
    settings = (struct settings){.s3_url = "http://127.0.0.1:1",
                                 .s3_bucket = "recordings",
                                 .s3_region = "us-east-1",
                                 .s3_client_id = "id",
                                 .s3_client_secret = "secret",
                                 .s3_connect_timeout_ms = 1000,
                                 .s3_idle_timeout_ms = 1000,
                                 .keep_local_ms = 3600000,
                                 .journal_keep_ms = UINT64_C(30) * DAY_S * 1000};
    setenv("no_proxy", "*", 1);
    error_clear(&err);
    remarks[0] = 0;
    ck_assert_msg(journal_open(journal_path, &journal, &err), "%s", err.text);
}

static void tear_down(void)
{
    journal_close(journal);
    unit_remove(base);
}

static bool on_stop_requested(void *context)
{
    (void)context;
    return false;
}

static void on_remark(void *context, bool fine, const char *session_id, const char *sentence)
{
    size_t length = strlen(remarks);

    (void)context;
    snprintf(remarks + length, sizeof remarks - length, "%s%s: %s\n", fine ? "" : "! ", session_id,
             sentence);
}

static struct housekeeping options(void)
{
    return (struct housekeeping){.settings = &settings,
                                 .recordings_dir = base,
                                 .stop_fd = -1,
                                 .stop_requested = on_stop_requested,
                                 .remark = on_remark};
}

static bool abandon_recording(void)
{
    struct housekeeping housekeeping = options();

    return housekeeping_give_up_vanished(&housekeeping, session, &err);
}

static void keep_house(void)
{
    struct housekeeping housekeeping = options();

    ck_assert_msg(housekeeping_run(&housekeeping, &err), "%s", err.text);
}

static struct journal_recording add_row(enum journal_recording_state state, int64_t updated_at)
{
    struct journal_recording row;

    ck_assert(journal_begin_recording(journal, session, "session", updated_at, &row, &err));
    row.state = state;
    ck_assert(journal_save_recording(journal, &row, updated_at, &err));
    return row;
}

static struct journal_file add_file(const struct journal_recording *row, const char *path,
                                    enum journal_file_state state, const char *upload_id)
{
    struct journal_file file = {
        .recording_id = row->id, .media = true, .state = state, .mark = "m"};

    snprintf(file.path, sizeof file.path, "%s", path);
    snprintf(file.key, sizeof file.key, "%s", path);
    snprintf(file.upload_id, sizeof file.upload_id, "%s", upload_id);
    if (upload_id[0])
        file.phase = JOURNAL_PHASE_OPEN;
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    return file;
}

static struct journal_recording row_now(void)
{
    struct journal_recording row = {.id = 0};
    bool found;

    ck_assert(journal_find_recording(journal, session, &row, &found, &err));
    return row;
}

static struct journal_file file_now(const char *path)
{
    struct journal_file file = {.id = 0};
    bool found;

    ck_assert(journal_find_file(journal, row_now().id, path, &file, &found, &err) && found);
    return file;
}

START_TEST(a_recording_that_vanished_is_over_and_its_files_are_gone)
{
    struct journal_recording row = add_row(JOURNAL_RECORDING_WAITING, 1000);

    add_file(&row, "1_a.mp4", JOURNAL_FILE_PENDING, "");
    add_file(&row, "2_b.mp4", JOURNAL_FILE_UPLOADED, "");
    add_file(&row, "3_c.mp4", JOURNAL_FILE_SAFE, "");
    ck_assert_msg(abandon_recording(), "%s", err.text);
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_DONE);
    ck_assert_int_eq(row_now().next_try_at, 0);
    ck_assert_ptr_nonnull(strstr(row_now().last_error, "2 file(s) that were not safe"));
    ck_assert_int_eq(file_now("1_a.mp4").state, JOURNAL_FILE_GONE);
    ck_assert_int_eq(file_now("2_b.mp4").state, JOURNAL_FILE_GONE);
    ck_assert_int_eq(file_now("3_c.mp4").state, JOURNAL_FILE_SAFE);
    ck_assert_ptr_nonnull(strstr(remarks, "! session: given up"));
}
END_TEST

START_TEST(an_upload_that_could_not_be_aborted_is_left_for_later)
{
    struct journal_recording row = add_row(JOURNAL_RECORDING_RECORDING, 1000);

    add_file(&row, "1_a.mp4", JOURNAL_FILE_PENDING, "u1");
    ck_assert_msg(abandon_recording(), "%s", err.text);
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_DONE);
    ck_assert_str_eq(file_now("1_a.mp4").upload_id, "u1");
    /* However short the journal's memory is, until it was aborted. */
    settings.journal_keep_ms = 0;
    sleep(1);
    keep_house();
    ck_assert_str_eq(file_now("1_a.mp4").upload_id, "u1");
}
END_TEST

START_TEST(a_directory_that_is_there_again_is_not_given_up)
{
    struct journal_recording row = add_row(JOURNAL_RECORDING_WAITING, 1000);

    add_file(&row, "1_a.mp4", JOURNAL_FILE_PENDING, "");
    ck_assert_int_eq(mkdir(session, 0755), 0);
    ck_assert(!abandon_recording());
    ck_assert_int_eq(err.kind, ERROR_CHANGED);
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_WAITING);
}
END_TEST

START_TEST(what_is_over_or_unknown_needs_no_giving_up)
{
    ck_assert_msg(abandon_recording(), "%s", err.text);
    add_row(_i ? JOURNAL_RECORDING_ABANDONED : JOURNAL_RECORDING_DONE, 1000);
    ck_assert_msg(abandon_recording(), "%s", err.text);
    ck_assert_int_eq(row_now().updated_at, 1000);
    ck_assert_str_eq(remarks, "");
}
END_TEST

START_TEST(old_history_is_forgotten_after_its_time)
{
    int64_t now = time(NULL);

    add_row(JOURNAL_RECORDING_DONE, now - 29 * DAY_S);
    keep_house();
    ck_assert_int_gt(row_now().id, 0);
    settings.journal_keep_ms = UINT64_C(28) * DAY_S * 1000;
    keep_house();
    ck_assert_int_eq(row_now().id, 0);
}
END_TEST

START_TEST(for_ever_is_for_ever)
{
    settings.journal_keep_ms = SETTINGS_KEEP_FOREVER;
    add_row(JOURNAL_RECORDING_DONE, 1000);
    keep_house();
    ck_assert_int_gt(row_now().id, 0);
}
END_TEST

START_TEST(what_is_not_done_is_never_forgotten)
{
    settings.journal_keep_ms = 0;
    add_row(JOURNAL_RECORDING_WAITING, 1000);
    keep_house();
    ck_assert_int_gt(row_now().id, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("housekeeping");
    TCase *cases = tcase_create("housekeeping");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_recording_that_vanished_is_over_and_its_files_are_gone);
    tcase_add_test(cases, an_upload_that_could_not_be_aborted_is_left_for_later);
    tcase_add_test(cases, a_directory_that_is_there_again_is_not_given_up);
    tcase_add_loop_test(cases, what_is_over_or_unknown_needs_no_giving_up, 0, 2);
    tcase_add_test(cases, old_history_is_forgotten_after_its_time);
    tcase_add_test(cases, for_ever_is_for_ever);
    tcase_add_test(cases, what_is_not_done_is_never_forgotten);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
