#include "finalize/program/progress.h"

#include "finalize/program/log.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MIB 1048576u

START_TEST(the_text_says_how_far_how_fast_and_how_long)
{
    static const struct {
        uint64_t done, total;
        double rate;
        const char *text;
    } rows[] = {
        {0, 100 * MIB, 0, "0 %, 0 B of 100 MiB"},
        {50 * MIB, 100 * MIB, 0, "50 %, 50 MiB of 100 MiB"},
        {50 * MIB, 100 * MIB, 10.0 * MIB, "50 %, 50 MiB of 100 MiB, 10 MiB/s, 6 s left"},
        {999, 1000, 0, "99 %, 999 B of 1000 B"},
        {100 * MIB, 100 * MIB, 1.0 * MIB, "100 %, 100 MiB of 100 MiB, 1 MiB/s, 1 s left"},
        {0, 0, 0, "100 %, 0 B of 0 B"},
    };
    char text[160];

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_str_eq(
            progress_text(rows[i].done, rows[i].total, rows[i].rate, text, sizeof text),
            rows[i].text);
}
END_TEST

START_TEST(numbers_at_their_limits_do_no_harm)
{
    char text[160], small[10];

    ck_assert_ptr_eq(progress_text(UINT64_MAX, UINT64_MAX, 1e18, text, sizeof text), text);
    ck_assert_ptr_eq(progress_text(2000, 1000, 5, text, sizeof text), text); /* more than all */
    ck_assert_ptr_nonnull(strstr(text, "s left"));
    progress_text(50 * MIB, 100 * MIB, 1e6, small, sizeof small);
    ck_assert_uint_eq(strlen(small), sizeof small - 1);
}
END_TEST

/* What came out on standard error so far. */
static char output[65536];
static int captured;

static void capture(void)
{
    FILE *file = tmpfile();

    ck_assert_ptr_nonnull(file);
    captured = dup(fileno(file));
    fclose(file);
    ck_assert_int_ge(dup2(captured, STDERR_FILENO), 0);
    log_open(SETTINGS_LOG_INFO, SETTINGS_LOG_TEXT);
}

static unsigned lines_so_far(void)
{
    ssize_t length = pread(captured, output, sizeof output - 1, 0);
    unsigned lines = 0;

    ck_assert_int_ge(length, 0);
    output[length] = 0;
    for (const char *at = output; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

START_TEST(on_a_pipe_there_is_a_line_at_most_every_ten_seconds)
{
    struct progress progress = {.started = false};

    capture();
    for (uint64_t ms = 0; ms <= 35000; ms += 100)
        progress_update(&progress, ms * 1000, 100 * (uint64_t)MIB, 5000 + ms, "abc");
    ck_assert_uint_eq(lines_so_far(), 3);
    ck_assert_ptr_nonnull(strstr(output, "info: uploading: 9 %"));
    ck_assert_ptr_nonnull(strstr(output, "session=abc"));
    ck_assert_ptr_nonnull(strstr(output, "976.6 KiB/s"));
    ck_assert_ptr_null(strchr(output, '\r'));
}
END_TEST

START_TEST(a_short_upload_says_nothing)
{
    struct progress progress = {.started = false};

    capture();
    for (uint64_t ms = 0; ms < 10000; ms += 100)
        progress_update(&progress, ms, 10000, 5000 + ms, "abc");
    progress_end(&progress);
    ck_assert_uint_eq(lines_so_far(), 0);
}
END_TEST

START_TEST(nothing_to_upload_says_nothing)
{
    struct progress progress = {.started = false};

    capture();
    progress_update(&progress, 0, 0, 5000, "abc");
    progress_update(&progress, 0, 0, 50000, "abc");
    ck_assert_uint_eq(lines_so_far(), 0);
}
END_TEST

START_TEST(bytes_that_are_taken_back_are_no_negative_rate)
{
    struct progress progress = {.started = false};

    capture();
    progress_update(&progress, 50 * MIB, 100 * MIB, 0, "abc");
    progress_update(&progress, 60 * MIB, 100 * MIB, 5000, "abc");
    progress_update(&progress, 10 * MIB, 100 * MIB, 10000, "abc");
    ck_assert_uint_eq(lines_so_far(), 1);
    ck_assert_ptr_null(strchr(strstr(output, "uploading"), '-'));
    ck_assert(progress.rate >= 0);
}
END_TEST

START_TEST(the_rate_follows_what_is_measured)
{
    struct progress progress = {.started = false};

    capture();
    for (unsigned second = 0; second <= 30; second++)
        progress_update(&progress, second * (uint64_t)MIB, 100 * (uint64_t)MIB, second * 1000,
                        "abc");
    ck_assert_double_ge(progress.rate, 0.99 * MIB);
    ck_assert_double_le(progress.rate, 1.01 * MIB);
    for (unsigned second = 31; second <= 60; second++)
        progress_update(&progress, 30 * (uint64_t)MIB, 100 * (uint64_t)MIB, second * 1000, "abc");
    ck_assert_double_le(progress.rate, 0.01 * MIB);
}
END_TEST

/* Standard error becomes a terminal of so many columns; returns its other side. */
static int become_terminal(unsigned short columns)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    int terminal;

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(terminal, 0);
    ck_assert_int_eq(ioctl(terminal, TIOCSWINSZ, &size), 0);
    ck_assert_int_ge(dup2(terminal, STDERR_FILENO), 0);
    close(terminal);
    setenv("TERM", "xterm", 1);
    log_open(SETTINGS_LOG_INFO, SETTINGS_LOG_TEXT);
    return master;
}

/* What is shown comes in pieces; the last thing on the status line is to be `end`. */
static void expect_shown(int master, const char *end)
{
    struct pollfd ready = {.fd = master, .events = POLLIN};
    char bytes[4096] = "", expected[256];
    size_t length = 0;

    snprintf(expected, sizeof expected, "\r\033[K%s", end);
    while (length < strlen(expected) || strcmp(bytes + length - strlen(expected), expected) != 0) {
        ssize_t got;

        ck_assert_msg(poll(&ready, 1, 3000) == 1, "shown is only: %s", bytes);
        got = read(master, bytes + length, sizeof bytes - 1 - length);
        ck_assert_int_gt(got, 0);
        length += (size_t)got;
        bytes[length] = 0;
    }
}

START_TEST(on_a_terminal_there_is_a_bar)
{
    struct progress progress = {.started = false};
    int master = become_terminal(100);

    progress_update(&progress, 0, 100 * MIB, 0, "abc");
    progress_update(&progress, 50 * MIB, 100 * MIB, 500, "abc");
    expect_shown(master, "[############............] 50 %, 50 MiB of 100 MiB");
    progress_end(&progress);
    expect_shown(master, "");
    close(master);
}
END_TEST

START_TEST(a_narrow_terminal_s_line_does_not_wrap)
{
    static const struct {
        unsigned short columns;
        const char *line;
    } rows[] = {
        {300, "[############............] 50 %, 50 MiB of 100 MiB"},
        {51, "[############............] 50 %, 50 MiB of 100 MiB"},
        {50, "50 %, 50 MiB of 100 MiB"},
        {24, "50 %, 50 MiB of 100 MiB"},
        {23, "50 %, 50 MiB of 100 Mi"},
        {2, "5"},
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct progress progress = {.started = false};
        int master = become_terminal(rows[i].columns);

        progress_update(&progress, 0, 100 * MIB, 0, "abc");
        progress_update(&progress, 50 * MIB, 100 * MIB, 500, "abc");
        expect_shown(master, rows[i].line);
        progress_end(&progress);
        close(master);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *cases = tcase_create("progress");

    tcase_add_test(cases, the_text_says_how_far_how_fast_and_how_long);
    tcase_add_test(cases, numbers_at_their_limits_do_no_harm);
    tcase_add_test(cases, on_a_pipe_there_is_a_line_at_most_every_ten_seconds);
    tcase_add_test(cases, a_short_upload_says_nothing);
    tcase_add_test(cases, nothing_to_upload_says_nothing);
    tcase_add_test(cases, bytes_that_are_taken_back_are_no_negative_rate);
    tcase_add_test(cases, the_rate_follows_what_is_measured);
    tcase_add_test(cases, on_a_terminal_there_is_a_bar);
    tcase_add_test(cases, a_narrow_terminal_s_line_does_not_wrap);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
