#include "finalize/s3/network.h"

#include "finalize/base/clock.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 1000u

/* A server that takes connections, by its backlog, and never says a word. */
static int listener = -1;
static char url[64];
static struct settings settings;
static struct loop *loop;
static struct s3 *s3;
static bool stopped;

static bool on_stop_requested(void *context)
{
    (void)context;
    return stopped;
}

static void set_up(void)
{
    const struct loop_stop stop = {.fd = -1, .requested = on_stop_requested};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct error err = ERROR_INIT;

    setenv("no_proxy", "*", 1);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    settings = (struct settings){.s3_url = url,
                                 .s3_bucket = (char *)"bucket",
                                 .s3_client_id = (char *)"id",
                                 .s3_client_secret = (char *)"secret",
                                 .s3_connect_timeout_ms = 30 * SECONDS,
                                 .s3_idle_timeout_ms = 30 * SECONDS};
    stopped = false;
    ck_assert_msg(network_open(&settings, 0, &stop, &loop, &s3, &err), "%s", err.text);
}

static void tear_down(void)
{
    s3_close(s3);
    loop_close(loop);
    close(listener);
}

/* Asks for 20 seconds at most, unless `deadline_ms` is before; returns the CPU time that it took.
 */
static clock_t ask(uint64_t deadline_ms)
{
    struct s3_call call = {
        .operation = S3_ABORT_UPLOAD, .key = "a.mp4", .upload_id = "id", .fd = -1};
    uint64_t began_ms = clock_now_ms();
    clock_t began = clock();
    struct error err = ERROR_INIT;
    struct s3_result result;

    ck_assert_msg(network_ask(loop, s3, &call, deadline_ms, &result, &err), "%s", err.text);
    ck_assert_int_eq(result.outcome, S3_RETRY);
    ck_assert_int_eq(result.error.kind, ERROR_TRANSIENT);
    ck_assert_uint_lt(clock_now_ms() - began_ms, 10 * SECONDS);
    ck_assert_uint_eq(loop_pending(loop), 0);
    s3_result_done(&result);
    return clock() - began;
}

START_TEST(a_server_that_says_nothing_is_asked_until_the_deadline_without_spinning)
{
    ck_assert_int_lt((int)ask(clock_now_ms() + SECONDS), (int)(CLOCKS_PER_SEC / 4));
}
END_TEST

START_TEST(a_stop_ends_the_asking)
{
    stopped = true;
    ask(clock_now_ms() + 20 * SECONDS);
}
END_TEST

START_TEST(settings_that_cannot_be_used_leave_nothing_open)
{
    struct loop *no_loop = NULL;
    struct s3 *no_s3 = NULL;
    struct error err = ERROR_INIT;

    settings.s3_bucket = NULL;
    ck_assert(!network_open(&settings, 0, NULL, &no_loop, &no_s3, &err));
    ck_assert_int_eq(err.kind, ERROR_SETTINGS);
    ck_assert_ptr_null(no_loop);
    ck_assert_ptr_null(no_s3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network");
    TCase *cases = tcase_create("cases");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_server_that_says_nothing_is_asked_until_the_deadline_without_spinning);
    tcase_add_test(cases, a_stop_ends_the_asking);
    tcase_add_test(cases, settings_that_cannot_be_used_leave_nothing_open);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
