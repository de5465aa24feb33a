#include "finalize/lifecycle/finalizer.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_schedule.h"
#include "finalize/lifecycle/abandon.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DAY_S 86400
#define MEDIA "4711_a.mp4"

/* No server answers at that address: what needs the network fails at once. */
static char base[64], session[128], journal_path[128];
static struct settings settings;
static struct run_options options;
static struct run_summary summary;
static struct journal *journal;
static struct error err;
static char messages[4096];

static const char *in_session(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", session, name);
    return path;
}

static bool on_stop_requested(void *context)
{
    (void)context;
    return false;
}

static void on_message(void *context, const char *session_id, const struct run_message *message)
{
    size_t length = strlen(messages);

    (void)context;
    (void)session_id;
    if (message->kind == RUN_REMARK || message->kind == RUN_FAILED)
        snprintf(messages + length, sizeof messages - length, "%s\n",
                 message->kind == RUN_REMARK ? message->text : message->error->text);
}

static void set_up(void)
{
    char made[] = "/tmp/test_finalizer_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(session, sizeof session, "%s/session", base);
    snprintf(journal_path, sizeof journal_path, "%s/.jibri-finalize/journal.db", base);
    settings = (struct settings){.s3_url = "http://127.0.0.1:1",
                                 .s3_bucket = "recordings",
                                 .s3_region = "us-east-1",
                                 .s3_client_id = "id",
                                 .s3_client_secret = "secret",
                                 .s3_parallel = 4,
                                 .s3_part_size_bytes = 5 << 20,
                                 .s3_connect_timeout_ms = 1000,
                                 .s3_idle_timeout_ms = 1000,
                                 .s3_retry_for_ms = 1,
                                 .retry_min_ms = 60000,
                                 .retry_max_ms = 3600000};
    options = (struct run_options){.settings = &settings,
                                   .wait_ms = UINT64_MAX,
                                   .stop_fd = -1,
                                   .stop_requested = on_stop_requested,
                                   .message = on_message};
    setenv("no_proxy", "*", 1);
    error_clear(&err);
    messages[0] = 0;
    ck_assert_int_eq(mkdir(session, 0700), 0);
    ck_assert_msg(journal_open(journal_path, &journal, &err), "%s", err.text);
}

static void tear_down(void)
{
    journal_close(journal);
    unit_remove(base);
}

static bool run(void)
{
    error_clear(&err);
    messages[0] = 0;
    return finalizer_run(&options, session, &summary, &err);
}

static struct journal_recording row_now(void)
{
    struct journal_recording row;
    struct error failure = ERROR_INIT;
    bool found;

    ck_assert_msg(journal_find_recording(journal, session, &row, &found, &failure) && found, "%s",
                  failure.text);
    return row;
}

static void save(const struct journal_recording *row)
{
    struct error failure = ERROR_INIT;

    ck_assert_msg(journal_save_recording(journal, row, time(NULL), &failure), "%s", failure.text);
}

static struct journal_file file_now(const char *path)
{
    struct journal_file file;
    struct error failure = ERROR_INIT;
    bool found;

    ck_assert(journal_find_file(journal, row_now().id, path, &file, &found, &failure) && found);
    return file;
}

/* A recording after a run that failed, one of whose files is in `state`; `removed`: its directory
 * is. */
static void add_recording(enum journal_file_state state, const char *upload_id, bool removed)
{
    struct journal_recording row;
    struct journal_file file = {.media = true,
                                .path = MEDIA,
                                .key = MEDIA,
                                .mark = "m",
                                .state = state,
                                .notice = JOURNAL_NOTICE_DUE};
    struct stat above;

    ck_assert_int_eq(stat(base, &above), 0);
    ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    row.state = JOURNAL_RECORDING_WAITING;
    row.interrupted = 0;
    row.recordings_inode = above.st_ino;
    save(&row);
    file.recording_id = row.id;
    if (state == JOURNAL_FILE_UPLOADED) /* where the settings don't reach: it is not looked for */
        strcpy(file.location, "s3.example.net/recordings");
    snprintf(file.upload_id, sizeof file.upload_id, "%s", upload_id);
    file.phase = upload_id[0] ? JOURNAL_PHASE_OPEN : JOURNAL_PHASE_NONE;
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    if (removed)
        ck_assert_int_eq(rmdir(session), 0);
}

static void expect_lost(void)
{
    ck_assert(!run());
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(err.text, "vanished"));
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_DONE);
    ck_assert_int_eq(row_now().next_try_at, 0);
    ck_assert_int_eq(file_now(MEDIA).state, JOURNAL_FILE_GONE);
}

START_TEST(what_vanished_before_it_was_in_the_bucket_is_lost_until_it_is_abandoned)
{
    const struct abandon_options abandon = {.reason = "removed by hand"};
    struct leftover_result result;

    add_recording(JOURNAL_FILE_PENDING, "", true);
    expect_lost();
    expect_lost();
    options.retries_abandoned = true; /* as retry does */
    expect_lost();
    error_clear(&err);
    ck_assert_msg(abandon_recording(&options, &abandon, session, &result, &err), "%s", err.text);
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_ABANDONED);
    options.retries_abandoned = false;
    ck_assert(!run());
    ck_assert_ptr_nonnull(strstr(err.text, "was abandoned: removed by hand"));
}
END_TEST

/* The first run was killed between its row and those of the files; then they, or (_i) the directory
 * too, were removed. */
START_TEST(what_vanished_before_any_file_of_it_was_known_is_not_safe)
{
    struct journal_recording row;

    ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    if (_i)
        ck_assert_int_eq(rmdir(session), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert(!run());
        ck_assert_int_eq(err.kind, ERROR_PERMANENT);
        ck_assert_ptr_nonnull(strstr(err.text, "vanished before"));
        ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_FAILED);
    }
}
END_TEST

START_TEST(the_upload_of_what_is_lost_is_left_to_housekeeping)
{
    struct journal_leftover leftover;
    bool found;

    add_recording(JOURNAL_FILE_PENDING, "u1", true);
    expect_lost();
    ck_assert_str_eq(file_now(MEDIA).upload_id, "");
    error_clear(&err);
    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err) && found);
    ck_assert_str_eq(leftover.upload_id, "u1");
    ck_assert_str_eq(leftover.key, MEDIA);
}
END_TEST

/* Takes connections, and says nothing. Returns its port. */
static unsigned listen_silently(int *ret_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;

    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(*ret_fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(*ret_fd, 10), 0);
    ck_assert_int_eq(getsockname(*ret_fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

START_TEST(what_is_given_up_is_tidied_up_within_the_time_that_a_finalizer_may_take)
{
    const struct abandon_options abandon = {.can_ask = true, .reason = ""};
    struct leftover_result result;
    uint64_t began_ms;
    char url[64];
    int fd;

    add_recording(JOURNAL_FILE_PENDING, "u1", false);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", listen_silently(&fd));
    settings.s3_url = url;
    settings.s3_idle_timeout_ms = 60000;
    settings.finalize_wait_ms = 300;
    began_ms = clock_now_ms();
    ck_assert_msg(abandon_recording(&options, &abandon, session, &result, &err), "%s", err.text);
    ck_assert_uint_lt(clock_now_ms() - began_ms, 8000); /* without that limit: 10 s */
    ck_assert_uint_eq(result.left, 1);
    close(fd);
}
END_TEST

START_TEST(where_a_finalizer_may_take_no_time_giving_up_asks_nothing_of_the_bucket)
{
    const struct abandon_options abandon = {.can_ask = true, .reason = ""};
    struct leftover_result result;
    char url[64];
    int fd;

    add_recording(JOURNAL_FILE_PENDING, "u1", false);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", listen_silently(&fd));
    settings.s3_url = url;
    settings.finalize_wait_ms = 0;
    ck_assert_msg(abandon_recording(&options, &abandon, session, &result, &err), "%s", err.text);
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_ABANDONED);
    ck_assert_uint_eq(result.left, 1);
    ck_assert_ptr_nonnull(strstr(result.why.text, "CONFOMEET_FINALIZE_WAIT"));
    ck_assert_int_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0);
    close(fd);
}
END_TEST

START_TEST(what_is_in_the_bucket_of_another_server_needs_no_directory)
{
    add_recording(JOURNAL_FILE_UPLOADED, "", _i != 0); /* or no file in it */
    ck_assert_msg(run(), "%s", err.text);
    ck_assert_int_eq(file_now(MEDIA).state, JOURNAL_FILE_SAFE);
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_DONE);
    ck_assert_uint_eq(summary.safety.safe, 1);
    ck_assert(run());
    ck_assert_uint_eq(summary.safety.safe, 1);
}
END_TEST

START_TEST(the_watcher_gives_a_vanished_recording_up_after_a_day_of_the_journals_time)
{
    struct journal_recording row;

    options.gives_way = true;
    add_recording(JOURNAL_FILE_PENDING, "", true);
    ck_assert(!run());
    ck_assert_int_eq(err.kind, ERROR_TRANSIENT);
    row = row_now();
    ck_assert_int_eq(row.state, JOURNAL_RECORDING_WAITING);
    ck_assert_int_gt(row.vanished_since, 0);
    ck_assert_int_gt(row.next_try_at, time(NULL));
    ck_assert_int_eq(file_now(MEDIA).state, JOURNAL_FILE_PENDING);
    row.vanished_since -= DAY_S;
    save(&row);
    expect_lost();
}
END_TEST

START_TEST(a_volume_that_is_not_mounted_takes_nothing_with_it)
{
    struct journal_recording row;

    add_recording(JOURNAL_FILE_PENDING, "", true);
    row = row_now();
    row.recordings_inode++;
    save(&row);
    ck_assert(!run());
    ck_assert_int_eq(err.kind, ERROR_TRANSIENT);
    ck_assert_ptr_nonnull(strstr(err.text, "is its volume mounted?"));
    ck_assert_int_eq(file_now(MEDIA).state, JOURNAL_FILE_PENDING);
    row = row_now();
    row.vanished_since -= 7 * DAY_S;
    save(&row);
    expect_lost();
}
END_TEST

START_TEST(nor_does_it_take_kept_copies)
{
    struct journal_recording row;

    settings.keep_local_ms = 1000;
    add_recording(JOURNAL_FILE_SAFE, "", true);
    row = row_now();
    row.recordings_inode++;
    save(&row);
    ck_assert_msg(run(), "%s", err.text);
    ck_assert_int_eq(file_now(MEDIA).removed_at, 0);
    row = row_now();
    row.recordings_inode--;
    save(&row);
    ck_assert_msg(run(), "%s", err.text);
    ck_assert_int_ne(file_now(MEDIA).removed_at, 0);
}
END_TEST

START_TEST(a_directory_that_is_there_again_has_not_vanished)
{
    add_recording(JOURNAL_FILE_PENDING, "", true);
    expect_lost();
    ck_assert_int_eq(mkdir(session, 0700), 0);
    unit_write_text(in_session(MEDIA), "bytes");
    ck_assert(!run());
    ck_assert_int_eq(row_now().vanished_since, 0);
    ck_assert_int_eq(file_now(MEDIA).state, JOURNAL_FILE_PENDING);
}
END_TEST

START_TEST(a_directory_that_nothing_is_known_of_is_no_input)
{
    ck_assert_int_eq(rmdir(session), 0);
    ck_assert(!run());
    ck_assert_int_eq(err.kind, ERROR_NO_INPUT);
}
END_TEST

START_TEST(of_a_directory_that_cannot_be_opened_the_row_says_why)
{
    add_recording(JOURNAL_FILE_PENDING, "", true);
    ck_assert_int_eq(symlink(session, session), 0); /* ELOOP */
    ck_assert(!run());
    ck_assert_ptr_nonnull(strstr(row_now().last_error, "cannot open the session's directory"));
    ck_assert_ptr_nonnull(strstr(row_now().last_error, strerror(ELOOP)));
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_FAILED);
    ck_assert_int_gt(row_now().next_try_at, time(NULL));
    ck_assert_int_eq(file_now(MEDIA).state, JOURNAL_FILE_PENDING);
    ck_assert_int_eq(unlink(session), 0);
}
END_TEST

/* Holds the lock of `path` in a process of its own until that is killed. */
static pid_t hold(const char *path)
{
    int ready[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (!pid) {
        int fd = open(path, O_RDONLY | O_CREAT, 0600);

        if (fd < 0)
            fd = open(path, O_RDONLY);
        if (fd < 0 || flock(fd, LOCK_EX) || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

START_TEST(but_not_while_another_process_that_had_opened_it_before_works_on_it)
{
    struct journal_recording row;
    char too_long[300] = "";
    pid_t holder;

    ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    holder = hold(session);
    memset(too_long, 'x', sizeof too_long - 1);
    ck_assert_int_eq(symlink(too_long, in_session(".jibri-finalize")), 0);
    ck_assert(!run());
    ck_assert_ptr_nonnull(strstr(err.text, strerror(ENAMETOOLONG)));
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_WORKING);
    ck_assert_int_eq(kill(holder, SIGKILL), 0);
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
    ck_assert(!run());
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_FAILED);
}
END_TEST

START_TEST(three_kills_in_a_row_make_it_wait)
{
    struct journal_recording row;

    options.gives_way = true;
    unit_write_text(in_session(MEDIA), "bytes");
    for (int i = 0; i < 3; i++)
        ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    ck_assert(!run());
    ck_assert_ptr_nonnull(strstr(err.text, "3 runs in a row were killed"));
    row = row_now();
    ck_assert_int_eq(row.state, JOURNAL_RECORDING_WAITING);
    ck_assert_int_gt(row.next_try_at, time(NULL));
    ck_assert_uint_eq(row.failures, 1);
    /* Then it gets one more. */
    ck_assert(!run());
    ck_assert_ptr_null(strstr(err.text, "were killed"));
    ck_assert_uint_eq(row_now().interrupted, 0);
    ck_assert_uint_eq(row_now().failures, 2);
}
END_TEST

START_TEST(no_one_else_waits_because_of_kills)
{
    struct journal_recording row;

    unit_write_text(in_session(MEDIA), "bytes");
    for (int i = 0; i < 9; i++)
        ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    ck_assert(!run());
    ck_assert_ptr_null(strstr(err.text, "were killed"));
    ck_assert_uint_eq(row_now().interrupted, 0);
}
END_TEST

static void let_go(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(a_call_whose_time_is_over_before_it_has_the_lock_leaves_the_recording_to_the_watcher)
{
    char watcher_lock[160];
    char directory[SESSION_PATH_SIZE] = "";
    pid_t watcher, worker;
    bool found;

    unit_write(in_session(MEDIA), "x", 1);
    snprintf(watcher_lock, sizeof watcher_lock, "%s/.jibri-finalize/watcher.lock", base);
    watcher = hold(watcher_lock);
    worker = hold(session);
    options.may_hand_over = true;
    options.wait_ms = 1;
    ck_assert(!run());
    let_go(worker);
    let_go(watcher);
    ck_assert_int_eq(err.kind, ERROR_STOPPED);
    error_clear(&err);
    ck_assert(journal_next_handed_over(journal, "", directory, &found, &err) && found);
    ck_assert_str_eq(directory, session);
}
END_TEST

START_TEST(a_run_that_fails_leaves_a_next_try)
{
    unit_write_text(in_session(MEDIA), "bytes");
    unit_write_text(in_session("metadata.json"), "{}");
    ck_assert(!run());
    ck_assert_int_eq(row_now().state, JOURNAL_RECORDING_WAITING);
    ck_assert_int_gt(row_now().next_try_at, time(NULL));
    ck_assert_str_ne(row_now().last_error, "");
    ck_assert_uint_eq(summary.safety.waiting, 2);
}
END_TEST

START_TEST(so_does_one_that_cannot_begin_to_reach_the_servers)
{
    settings.ca_file = "/nonexistent";
    settings.s3_url = "https://127.0.0.1:1";
    unit_write_text(in_session(MEDIA), "bytes");
    ck_assert(!run());
    ck_assert_int_ne(row_now().state, JOURNAL_RECORDING_WORKING);
    ck_assert_int_gt(row_now().next_try_at, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("finalizer");
    TCase *cases = tcase_create("finalizer");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, what_vanished_before_it_was_in_the_bucket_is_lost_until_it_is_abandoned);
    tcase_add_test(cases, the_upload_of_what_is_lost_is_left_to_housekeeping);
    tcase_add_loop_test(cases, what_vanished_before_any_file_of_it_was_known_is_not_safe, 0, 2);
    tcase_add_loop_test(cases, what_is_in_the_bucket_of_another_server_needs_no_directory, 0, 2);
    tcase_add_test(cases,
                   the_watcher_gives_a_vanished_recording_up_after_a_day_of_the_journals_time);
    tcase_add_test(cases, a_volume_that_is_not_mounted_takes_nothing_with_it);
    tcase_add_test(cases, nor_does_it_take_kept_copies);
    tcase_add_test(cases, a_directory_that_is_there_again_has_not_vanished);
    tcase_add_test(cases, a_directory_that_nothing_is_known_of_is_no_input);
    tcase_add_test(cases, what_is_given_up_is_tidied_up_within_the_time_that_a_finalizer_may_take);
    tcase_add_test(cases, where_a_finalizer_may_take_no_time_giving_up_asks_nothing_of_the_bucket);
    tcase_add_test(cases, of_a_directory_that_cannot_be_opened_the_row_says_why);
    tcase_add_test(cases, but_not_while_another_process_that_had_opened_it_before_works_on_it);
    tcase_add_test(cases, three_kills_in_a_row_make_it_wait);
    tcase_add_test(cases, no_one_else_waits_because_of_kills);
    tcase_add_test(
        cases,
        a_call_whose_time_is_over_before_it_has_the_lock_leaves_the_recording_to_the_watcher);
    tcase_add_test(cases, a_run_that_fails_leaves_a_next_try);
    tcase_add_test(cases, so_does_one_that_cannot_begin_to_reach_the_servers);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
