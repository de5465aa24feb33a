/* The test is its own worker: dispatch starts /proc/self/exe with --work. */
#include "watcher/dispatch.h"

#include "finalize/journal/journal_place.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 250u

static char base[PATH_MAX];
static char started[PATH_MAX + 16]; /* a byte for each worker: the first letter of its kind */
static struct settings settings;
static struct dispatch dispatch;
static struct error err;
static int64_t now;
static uint64_t now_ms;

/* ---- the worker ------------------------------------------------------------------------------ */

static void leave_row(const char *directory)
{
    struct journal_recording row;
    struct journal *journal;

    settings = (struct settings){.retry_min_ms = 30000};
    if (!journal_place_open(&settings, getenv("RECORDINGS"), &journal, &err) ||
        !journal_begin_recording(journal, directory, "session", time(NULL), &row, &err))
        _exit(70);
    journal_close(journal);
}

static int work(const char *kind, const char *subject)
{
    const char *does = getenv("WORKER_DOES");
    int fd = open(getenv("STARTED"), O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd < 0 || write(fd, kind, 1) != 1)
        return 70;
    if (strstr(does, "leaves-a-row") && !strcmp(kind, "finalize"))
        leave_row(subject);
    if (strstr(does, "dies"))
        raise(SIGKILL);
    while (strstr(does, "hangs") && !strcmp(kind, "finalize")) {
        signal(SIGTERM, SIG_IGN);
        pause();
    }
    return strstr(does, "fails") ? 75 : 0;
}

/* ---- the watcher ----------------------------------------------------------------------------- */

static void set_up(void)
{
    strcpy(base, "/tmp/test_dispatch_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(started, sizeof started, "%s.started", base);
    settings = (struct settings){.s3_part_size_bytes = UINT64_C(5) << 20,
                                 .orphan_after_ms = 1000,
                                 .live_upload = true,
                                 .retry_min_ms = 30000,
                                 .retry_max_ms = 3600000};
    setenv("RECORDINGS", base, 1);
    setenv("STARTED", started, 1);
    close(open(started, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    now = time(NULL);
    now_ms = 1000000;
    dispatch = (struct dispatch){.settings = &settings, .recordings_dir = base};
}

static void tear_down(void)
{
    dispatch_end(&dispatch, 1000);
    unlink(started);
    unit_remove(base);
}

static void make_file(const char *session, const char *name, uint64_t size, int64_t at)
{
    struct timespec times[] = {{.tv_sec = at}, {.tv_sec = at}};
    char path[2 * PATH_MAX];
    int fd;

    snprintf(path, sizeof path, "%s/%s", base, session);
    (void)mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/%s", base, session, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    close(fd);
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    *strrchr(path, '/') = 0;
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static size_t read_started(char kinds[4096])
{
    int fd = open(started, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, kinds, 4095);

    close(fd);
    ck_assert_int_ge(length, 0);
    return (size_t)length;
}

static unsigned count_started(char kind)
{
    char kinds[4096];
    size_t length = read_started(kinds);
    unsigned count = 0;

    for (size_t i = 0; i < length; i++)
        count += kinds[i] == kind;
    return count;
}

static void wait_for_workers(void)
{
    siginfo_t info;

    for (unsigned i = 0; i < WORKER_MOST; i++)
        if (dispatch.workers.list[i].pid)
            waitid(P_PID, (id_t)dispatch.workers.list[i].pid, &info, WEXITED | WNOWAIT);
}

/* For so many seconds, whose every quarter is one call. Returns how many workers of the kind (its
 * first letter) were started; in no ten seconds more than three of any kind. */
static unsigned run_for(unsigned seconds, char kind)
{
    static uint64_t at_ms[256][4096];
    unsigned count[256] = {0};
    char kinds[4096];
    size_t seen = read_started(kinds);
    uint64_t end_ms = now_ms + UINT64_C(1000) * seconds;

    for (; now_ms < end_ms; now_ms += STEP_MS) {
        int64_t at = now + (int64_t)(now_ms / 1000) - 1000;
        size_t length;

        (void)dispatch_run(&dispatch, at, now_ms);
        wait_for_workers();
        for (length = read_started(kinds); seen < length; seen++) {
            unsigned char letter = (unsigned char)kinds[seen];
            unsigned nth = count[letter]++;

            at_ms[letter][nth] = now_ms;
            if (nth >= 3)
                ck_assert_msg(now_ms - at_ms[letter][nth - 3] >= 10000,
                              "worker %c was started four times within %u ms", letter,
                              (unsigned)(now_ms - at_ms[letter][nth - 3]));
        }
    }
    return count[(unsigned char)kind];
}

static const char *const habits[] = {
    "dies", "fails", "does nothing", "leaves-a-row, dies", "leaves-a-row, fails", "leaves-a-row"};

START_TEST(work_that_is_never_done_is_started_three_times_and_then_by_the_schedule)
{
    unsigned runs;

    setenv("WORKER_DOES", habits[_i], 1);
    make_file("session", "1_a.mp4", 10, now - 3600);
    dispatch_begin(&dispatch, now, now_ms);
    runs = run_for(300, 'f');
    /* 3, and then after pauses of at least 15, 30, 60 and 120 s. */
    ck_assert_msg(runs >= 3 + 2 && runs <= 3 + 4, "%s: %u runs", habits[_i], runs);
}
END_TEST

static struct journal_recording session_row(void)
{
    struct journal_recording row = {.id = 0};
    struct journal *journal;
    char directory[PATH_MAX + 16];
    bool found;

    snprintf(directory, sizeof directory, "%s/session", base);
    ck_assert(journal_place_open(&settings, base, &journal, &err));
    ck_assert(journal_find_recording(journal, directory, &row, &found, &err));
    journal_close(journal);
    return row;
}

static void assert_released(void)
{
    struct journal_recording row = session_row();

    ck_assert_int_eq(row.state, JOURNAL_RECORDING_WAITING);
    ck_assert_int_gt(row.next_try_at, 0);
    ck_assert_ptr_nonnull(strstr(row.last_error, "killed"));
}

static bool is_left_working(void)
{
    char kinds[4096] = "";

    return memchr(kinds, 'f', read_started(kinds)) &&
           session_row().state == JOURNAL_RECORDING_WORKING;
}

START_TEST(a_worker_that_has_to_be_killed_at_the_end_leaves_no_row_that_says_working)
{
    setenv("WORKER_DOES", "leaves-a-row, hangs", 1);
    make_file("session", "1_a.mp4", 10, now - 3600);
    dispatch_begin(&dispatch, now, now_ms);
    (void)dispatch_run(&dispatch, now, now_ms);
    for (unsigned i = 0; i < 1000 && !is_left_working(); i++)
        usleep(10000);
    ck_assert(is_left_working());
    dispatch_end(&dispatch, 100);
    assert_released();
}
END_TEST

START_TEST(a_worker_that_was_killed_leaves_no_row_that_says_working)
{
    setenv("WORKER_DOES", "leaves-a-row, dies", 1);
    make_file("session", "1_a.mp4", 10, now - 3600);
    dispatch_begin(&dispatch, now, now_ms);
    (void)dispatch_run(&dispatch, now, now_ms);
    wait_for_workers();
    dispatch.suspended = true; /* so that it is not begun again at once */
    (void)dispatch_run(&dispatch, now, now_ms);
    assert_released();
}
END_TEST

static void save_state(enum journal_recording_state state)
{
    struct journal_recording row = {.id = 0};
    struct journal *journal;
    char directory[PATH_MAX + 16];

    snprintf(directory, sizeof directory, "%s/session", base);
    ck_assert(journal_place_open(&settings, base, &journal, &err));
    ck_assert(journal_begin_recording(journal, directory, "session", now, &row, &err));
    row.state = state;
    ck_assert(journal_save_recording(journal, &row, now, &err));
    journal_close(journal);
}

/* It gives its lock back, or removes the directory, around the moment at which it writes its
 * outcome. */
START_TEST(a_run_that_is_about_to_end_is_not_taken_for_one_that_was_killed)
{
    char directory[PATH_MAX + 16];

    snprintf(directory, sizeof directory, "%s/session", base);
    setenv("WORKER_DOES", "does nothing", 1);
    make_file("session", "1_a.mp4", 10, now - 3600);
    save_state(JOURNAL_RECORDING_WORKING);
    dispatch_begin(&dispatch, now, now_ms);
    ck_assert_uint_eq(run_for(1, 'f'), 0);
    save_state(JOURNAL_RECORDING_DONE);
    unit_remove(directory);
    ck_assert_uint_eq(run_for(5, 'f'), 0);
}
END_TEST

START_TEST(a_run_that_was_killed_is_gone_on_with_seconds_later)
{
    setenv("WORKER_DOES", "does nothing", 1);
    make_file("session", "1_a.mp4", 10, now - 3600);
    save_state(JOURNAL_RECORDING_WORKING);
    dispatch_begin(&dispatch, now, now_ms);
    ck_assert_uint_ge(run_for(4, 'f'), 1);
}
END_TEST

START_TEST(parts_that_are_never_sent_are_tried_by_the_schedule_too)
{
    unsigned runs;

    setenv("WORKER_DOES", habits[_i], 1);
    settings.orphan_after_ms = 3600000;
    make_file("session", "1_a.mp4", UINT64_C(12) << 20, now);
    dispatch_begin(&dispatch, now, now_ms);
    runs = run_for(120, 's');
    if (strstr(habits[_i], "dies") || strstr(habits[_i], "fails"))
        ck_assert_msg(runs >= 3 + 1 && runs <= 3 + 3, "%s: %u runs", habits[_i], runs);
    else /* there may have been more to send each time */
        ck_assert_msg(runs <= 120 / 4 + 1, "%s: %u runs", habits[_i], runs);
}
END_TEST

START_TEST(others_are_worked_on_while_one_is_held_off)
{
    setenv("WORKER_DOES", "dies", 1);
    make_file("session", "1_a.mp4", 10, now - 3600);
    dispatch_begin(&dispatch, now, now_ms);
    ck_assert_uint_eq(run_for(2, 'f'), 3);
    make_file("other", "2_b.mp4", 10, now - 3600);
    dispatch_note_all(&dispatch);
    ck_assert_uint_ge(run_for(1, 'f'), 1);
}
END_TEST

START_TEST(a_clock_that_is_set_by_days_holds_nothing_off)
{
    static const int64_t steps[] = {-3 * 86400, 3 * 86400};

    setenv("WORKER_DOES", "does nothing", 1);
    settings.orphan_after_ms = 3600000;
    make_file("session", "1_a.mp4", 10, now);
    dispatch_begin(&dispatch, now, now_ms);
    ck_assert_uint_eq(run_for(2, 'f'), 0);
    ck_assert_uint_eq(run_for(1, 'h'), 0); /* in the first second */
    now += steps[_i];
    ck_assert_uint_eq(run_for(1, 'h'), 1);
    make_file("other", "2_b.mp4", 10, now - 3 * 3600);
    dispatch_note_session(&dispatch, "/nothing/of/that/name");
    dispatch_note_all(&dispatch);
    ck_assert_uint_ge(run_for(2, 'f'), 1);
}
END_TEST

START_TEST(servers_are_probed_while_a_row_tells_of_a_failure_that_came_after_their_last_answer)
{
    struct journal_recording row;
    struct journal *journal;

    setenv("WORKER_DOES", "does nothing", 1);
    dispatch_begin(&dispatch, now, now_ms);
    ck_assert_uint_eq(run_for(30, 'p'), 0);
    ck_assert(journal_place_open(&settings, base, &journal, &err));
    ck_assert(journal_begin_recording(journal, "/r/x", "x", now + 40, &row, &err));
    row.state = JOURNAL_RECORDING_WAITING;
    row.failures = 1;
    row.next_try_at = now + 60;
    ck_assert(journal_save_recording(journal, &row, now + 40, &err));
    dispatch.rows_changed = true;
    ck_assert_uint_eq(run_for(100, 'p'), 1); /* which was answered */
    journal_close(journal);
}
END_TEST

START_TEST(servers_that_are_gone_are_probed_until_they_answer_and_then_what_waits_is_due)
{
    struct journal_recording row;
    struct journal *journal;
    unsigned probes;

    setenv("WORKER_DOES", "fails", 1);
    ck_assert(journal_place_open(&settings, base, &journal, &err));
    ck_assert(journal_begin_recording(journal, "/r/x", "x", now, &row, &err));
    row.state = JOURNAL_RECORDING_WAITING;
    row.failures = 5;
    row.next_try_at = now + 3000;
    ck_assert(journal_save_recording(journal, &row, now, &err));
    dispatch_begin(&dispatch, now, now_ms);
    probes = run_for(100, 'p');
    ck_assert_msg(probes >= 5 && probes <= 11, "%u probes", probes);
    ck_assert_uint_eq(count_started('f'), 0);
    setenv("WORKER_DOES", "does nothing", 1);
    ck_assert_uint_eq(run_for(21, 'p'), 1);
    ck_assert_uint_ge(count_started('f'), 1);
    journal_close(journal);
}
END_TEST

START_TEST(a_pause_that_a_server_asked_for_is_not_waited_out_once_it_answers)
{
    struct journal_recording row;
    struct journal *journal;

    setenv("WORKER_DOES", "does nothing", 1);
    ck_assert(journal_place_open(&settings, base, &journal, &err));
    ck_assert(journal_begin_recording(journal, "/r/x", "x", now, &row, &err));
    row.state = JOURNAL_RECORDING_WAITING;
    row.failures = 1;
    row.next_try_at = now + 300;
    ck_assert(journal_save_recording(journal, &row, now, &err));
    dispatch_begin(&dispatch, now, now_ms);
    ck_assert_uint_eq(run_for(6, 'p'), 1);
    ck_assert_uint_ge(count_started('f'), 1);
    journal_close(journal);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("dispatch");
    TCase *cases = tcase_create("dispatch");

    if (argc == 5 && !strcmp(argv[1], "--work"))
        _exit(work(argv[2], argv[4])); /* without a leak check, which would be a failure */
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases,
                        work_that_is_never_done_is_started_three_times_and_then_by_the_schedule, 0,
                        (int)(sizeof habits / sizeof *habits));
    tcase_add_test(cases,
                   a_worker_that_has_to_be_killed_at_the_end_leaves_no_row_that_says_working);
    tcase_add_test(cases, a_worker_that_was_killed_leaves_no_row_that_says_working);
    tcase_add_test(cases, a_run_that_is_about_to_end_is_not_taken_for_one_that_was_killed);
    tcase_add_test(cases, a_run_that_was_killed_is_gone_on_with_seconds_later);
    tcase_add_loop_test(cases, parts_that_are_never_sent_are_tried_by_the_schedule_too, 0,
                        (int)(sizeof habits / sizeof *habits));
    tcase_add_test(cases, others_are_worked_on_while_one_is_held_off);
    tcase_add_loop_test(cases, a_clock_that_is_set_by_days_holds_nothing_off, 0, 2);
    tcase_add_test(
        cases, servers_are_probed_while_a_row_tells_of_a_failure_that_came_after_their_last_answer);
    tcase_add_test(cases,
                   servers_that_are_gone_are_probed_until_they_answer_and_then_what_waits_is_due);
    tcase_add_test(cases, a_pause_that_a_server_asked_for_is_not_waited_out_once_it_answers);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
