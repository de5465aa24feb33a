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

/* No server answers at that address: what needs the network fails at once. */
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

static struct journal_recording row_now(void)
{
    struct journal_recording row = {.id = 0};
    bool found;

    ck_assert(journal_find_recording(journal, session, &row, &found, &err));
    return row;
}

START_TEST(an_upload_that_cannot_be_aborted_now_is_left_for_later)
{
    struct journal_leftover leftover;
    bool found;

    ck_assert(journal_add_leftover(journal, "", "1_a.mp4", _i ? "u1" : "", 1000, &err));
    keep_house();
    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err) && found);
    ck_assert_str_eq(leftover.upload_id, _i ? "u1" : "");
    ck_assert_int_eq(remarks[0], '!');
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
    tcase_add_test(cases, old_history_is_forgotten_after_its_time);
    tcase_add_test(cases, for_ever_is_for_ever);
    tcase_add_test(cases, what_is_not_done_is_never_forgotten);
    tcase_add_loop_test(cases, an_upload_that_cannot_be_aborted_now_is_left_for_later, 0, 2);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
