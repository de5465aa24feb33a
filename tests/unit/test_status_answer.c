#include "watcher/http/status_answer.h"

#include "finalize/journal/journal.h"
#include "finalize/journal/journal_stats.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN "let-me-see"

static char base[64];
static char journal_path[128];
static struct settings settings; /* never freed: its strings are literals */
static struct status_facts facts;
static struct status_request request;
static struct status_reply reply;

static void set_up(void)
{
    strcpy(base, "/tmp/test_status_answer_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(journal_path, sizeof journal_path, "%s/.jibri-finalize/journal.db", base);
    settings = (struct settings){.instance_id = (char *)"jibri-1",
                                 .s3_client_secret = (char *)"do-not-show-this"};
    facts = (struct status_facts){.settings = &settings,
                                  .journal = journal_path,
                                  .recordings_dir = base,
                                  .now = 1795507603,
                                  .reported = true};
    request = (struct status_request){.method = "GET", .path = "/"};
    buffer_init(&reply.body, 1);
}

static void tear_down(void)
{
    static const char *const names[] = {"journal.db", "journal.db-wal", "journal.db-shm",
                                        "journal.db-reserve", ""};
    char name[256];

    buffer_done(&reply.body);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "%s/.jibri-finalize/%s", base, names[i]);
        remove(name);
    }
    rmdir(base);
}

static void make_journal(unsigned recordings, enum journal_recording_state state)
{
    struct journal_recording recording;
    struct error err = ERROR_INIT;
    struct journal *journal;
    char directory[64];

    ck_assert_msg(journal_open(journal_path, &journal, &err), "%s", err.text);
    for (unsigned i = 0; i < recordings; i++) {
        snprintf(directory, sizeof directory, "/r/%u", i);
        ck_assert(journal_begin_recording(journal, directory, "s", 1000 + i, &recording, &err));
        recording.state = state;
        ck_assert(journal_save_recording(journal, &recording, 2000, &err));
    }
    journal_close(journal);
}

static void write_journal(const char *text)
{
    int fd;

    make_journal(0, JOURNAL_RECORDING_DONE);
    fd = open(journal_path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* "/path?name=value&name=value", asked for; the status. */
static unsigned ask(const char *target)
{
    static char text[512];
    char *rest;

    snprintf(text, sizeof text, "%s", target);
    request.parameter_count = 0;
    rest = strchr(text, '?');
    if (rest)
        *rest++ = 0;
    for (char *name = rest ? strtok(rest, "&") : NULL; name; name = strtok(NULL, "&")) {
        char *equals = strchr(name, '=');

        if (equals)
            *equals = 0;
        if (request.parameter_count < STATUS_MOST_PARAMETERS)
            request.parameters[request.parameter_count] =
                (struct status_parameter){name, equals ? equals + 1 : NULL};
        request.parameter_count++;
    }
    request.path = text;
    buffer_done(&reply.body);
    status_answer(&facts, &request, &reply);
    return reply.status;
}

static const char *body(void)
{
    return buffer_text(&reply.body);
}

static const struct {
    const char *target;
    unsigned status;
} targets[] = {
    {"/", 200},
    {"/page.css", 200},
    {"/page.js", 200},
    {"/healthz", 200},
    {"/readyz", 200},
    {"/metrics", 200},
    {"/api/v1/recordings", 200},
    {"/api/v1/recordings?limit=1", 200},
    {"/api/v1/recordings?limit=200&offset=1000000&state=failed,lost", 200},
    {"/api/v1/recordings/1", 200},
    {"/api/v1/recordings/1?events=1000", 200},
    {"/api/v1/recordings/2", 404},
    {"/api/v1/recordings/", 404},
    {"/api/v1/recordings/0", 404},
    {"/api/v1/recordings/-1", 404},
    {"/api/v1/recordings/1x", 404},
    {"/api/v1/recordings/99999999999999999999", 404},
    {"/api/v1/recordings/../../etc/passwd", 404},
    {"/api/v1/recordings?limit=0", 400},
    {"/api/v1/recordings?limit=201", 400},
    {"/api/v1/recordings?limit=", 400},
    {"/api/v1/recordings?limit", 400},
    {"/api/v1/recordings?limit=1e2", 400},
    {"/api/v1/recordings?offset=-1", 400},
    {"/api/v1/recordings?offset=1000001", 400},
    {"/api/v1/recordings?offset=99999999999999999999", 400},
    {"/api/v1/recordings?state=", 400},
    {"/api/v1/recordings?state=failed,", 400},
    {"/api/v1/recordings?state=nonsense", 400},
    {"/api/v1/recordings?state=failed&state=lost", 400},
    {"/api/v1/recordings?what=1", 400},
    {"/api/v1/recordings?a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1&a=1", 400},
    {"/api/v1/recordings/1?events=0", 400},
    {"/api/v1/recordings/1?events=1001", 400},
    {"/api/v1/recordings/1?limit=1", 400},
    {"/index.html", 404},
    {"/page.js/", 404},
    {"//", 404},
    {"/../page.js", 404},
    {"/favicon.ico", 404},
    {"", 404},
};

START_TEST(a_name_that_others_can_have_resolve_to_this_machine_is_not_answered)
{
    static const char *const paths[] = {"/", "/metrics", "/api/v1/recordings", "/readyz", "/x"};

    request.host = "evil.example:9469";
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        ck_assert_uint_eq(ask(paths[i]), 421);
        ck_assert_ptr_nonnull(strstr(body(), "CONFOMEET_STATUS_TOKEN"));
    }
    request.host = "10.1.2.3:9469";
    ck_assert_uint_eq(ask("/metrics"), 200);
    request.host = "evil.example"; /* whose page has no token */
    settings.status_token = (char *)TOKEN;
    ck_assert_uint_eq(ask("/"), 200);
    ck_assert_uint_eq(ask("/metrics"), 401);
}
END_TEST

START_TEST(every_path_has_its_answer)
{
    make_journal(1, JOURNAL_RECORDING_DONE);
    ck_assert_msg(ask(targets[_i].target) == targets[_i].status, "%s: %u", targets[_i].target,
                  reply.status);
    ck_assert_ptr_nonnull(reply.content_type);
    ck_assert(reply.fixed ? reply.fixed_length > 0 : reply.body.length > 0);
    ck_assert_ptr_null(strstr(body(), "do-not-show-this"));
    request.method = "HEAD";
    ck_assert_uint_eq(ask(targets[_i].target), targets[_i].status);
}
END_TEST

START_TEST(nothing_but_reading_is_taken)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        request.method = methods[i];
        ck_assert_uint_eq(ask("/healthz"), 405);
        ck_assert_str_eq(reply.allow, "GET, HEAD");
    }
    request.method = "GET";
    request.has_body = true;
    ck_assert_uint_eq(ask("/healthz"), 400);
}
END_TEST

START_TEST(a_token_is_asked_for_where_recordings_are_shown)
{
    static const char *const wrong[] = {NULL,
                                        "",
                                        TOKEN,
                                        "Bearer",
                                        "Bearer ",
                                        "Bearer let-me-se",
                                        "Bearer " TOKEN "x",
                                        "Basic " TOKEN,
                                        "Bearer  " TOKEN,
                                        "Bearer LET-ME-SEE"};

    settings.status_token = (char *)TOKEN;
    make_journal(1, JOURNAL_RECORDING_DONE);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        request.authorization = wrong[i];
        ck_assert_uint_eq(ask("/metrics"), 401);
        ck_assert(reply.ask_for_token);
        ck_assert_uint_eq(ask("/api/v1/recordings"), 401);
        ck_assert_uint_eq(ask("/api/v1/recordings/1"), 401);
        ck_assert_uint_eq(ask("/healthz"), 200);
        ck_assert_uint_eq(ask("/readyz"), 200);
        ck_assert_uint_eq(ask("/"), 200); /* where one can type it */
    }
    request.authorization = "Bearer " TOKEN;
    ck_assert_uint_eq(ask("/metrics"), 200);
    request.authorization = "bearer " TOKEN;
    ck_assert_uint_eq(ask("/api/v1/recordings"), 200);
    ck_assert_ptr_null(strstr(body(), TOKEN));
}
END_TEST

START_TEST(before_the_first_recording_all_is_well)
{
    ck_assert_uint_eq(ask("/readyz"), 200);
    ck_assert_uint_eq(ask("/metrics"), 200);
    ck_assert_ptr_nonnull(
        strstr(body(), "jibri_upload_recordings{instance_id=\"jibri-1\",state=\"failed\"} 0\n"));
    ck_assert_uint_eq(ask("/api/v1/recordings"), 200);
    ck_assert_int_ne(access(journal_path, F_OK), 0); /* reading makes none */
}
END_TEST

START_TEST(a_journal_that_cannot_be_used_is_said_with_the_reason)
{
    write_journal("this is no journal at all, and longer than a few bytes");
    ck_assert_uint_eq(ask("/readyz"), 503);
    ck_assert_ptr_nonnull(strstr(body(), "not ready: the journal"));
    ck_assert_uint_eq(ask("/healthz"), 200);
    ck_assert_uint_eq(ask("/metrics"), 200);
    ck_assert_ptr_nonnull(
        strstr(body(), "jibri_upload_journal_readable{instance_id=\"jibri-1\"} 0\n"));
    ck_assert_ptr_null(strstr(body(), "jibri_upload_recordings"));
    ck_assert_uint_eq(ask("/api/v1/recordings"), 503);
    ck_assert_uint_eq(ask("/api/v1/recordings/1"), 503);
}
END_TEST

START_TEST(a_journal_that_cannot_be_made_is_said_with_the_reason)
{
    facts.journal = "/nowhere/.jibri-finalize/journal.db";
    ck_assert_uint_eq(ask("/readyz"), 503);
    ck_assert_ptr_nonnull(strstr(body(), "no journal can be made at /nowhere"));
}
END_TEST

START_TEST(a_journal_that_was_replaced_is_read_anew)
{
    make_journal(3, JOURNAL_RECORDING_FAILED);
    ck_assert_uint_eq(ask("/api/v1/recordings"), 200);
    ck_assert_ptr_nonnull(strstr(body(), "\"failed\":3"));
    ck_assert_int_eq(unlink(journal_path), 0);
    make_journal(1, JOURNAL_RECORDING_FAILED);
    ck_assert_uint_eq(ask("/api/v1/recordings"), 200);
    ck_assert_ptr_nonnull(strstr(body(), "\"failed\":1"));
}
END_TEST

static void count_last_contact(enum stats_metric metric)
{
    struct stats stats = {0};
    struct error err = ERROR_INIT;
    struct journal *journal;

    ck_assert(journal_open(journal_path, &journal, &err));
    stats_raise(&stats, metric, stats_first_cell(metric) + 1795507000);
    journal_add_stats(journal, &stats);
    journal_close(journal);
}

START_TEST(an_s3_service_that_fails_matters_while_there_is_something_to_do)
{
    make_journal(1, JOURNAL_RECORDING_DONE);
    count_last_contact(STATS_S3_LAST_FAILURE);
    ck_assert_uint_eq(ask("/readyz"), 200);
    make_journal(2, JOURNAL_RECORDING_WAITING);
    ck_assert_uint_eq(ask("/readyz"), 503);
    ck_assert_ptr_nonnull(strstr(body(), "the last request to S3 failed"));
    ck_assert_ptr_nonnull(strstr(body(), "2 recordings"));
}
END_TEST

START_TEST(a_loop_that_hangs_is_neither_alive_nor_ready)
{
    facts.silent_ms = 119000;
    ck_assert_uint_eq(ask("/healthz"), 200);
    facts.silent_ms = 121000;
    ck_assert_uint_eq(ask("/healthz"), 503);
    ck_assert_str_eq(body(), "hung: the main loop did nothing for 121 s\n");
    ck_assert_uint_eq(ask("/readyz"), 503);
}
END_TEST

START_TEST(settings_that_cannot_be_used_are_said)
{
    facts.loop.suspended = true;
    ck_assert_uint_eq(ask("/healthz"), 200);
    ck_assert_uint_eq(ask("/readyz"), 503);
    ck_assert_ptr_nonnull(strstr(body(), "settings"));
}
END_TEST

static unsigned count_recordings(void)
{
    unsigned count = 0;

    for (const char *at = body(); (at = strstr(at, "\"directory\":")); at++)
        count++;
    return count;
}

START_TEST(many_recordings_come_in_pages)
{
    make_journal(250, JOURNAL_RECORDING_FAILED);
    ck_assert_uint_eq(ask("/api/v1/recordings"), 200);
    ck_assert_uint_eq(count_recordings(), 100);
    ck_assert_ptr_nonnull(strstr(body(), "\"failed\":250"));
    ck_assert_ptr_nonnull(strstr(body(), "\"/r/249\""));
    ck_assert_uint_eq(ask("/api/v1/recordings?limit=200&offset=200"), 200);
    ck_assert_uint_eq(count_recordings(), 50);
    ck_assert_ptr_nonnull(strstr(body(), "\"/r/0\""));
    ck_assert_uint_eq(ask("/api/v1/recordings?state=failed&limit=7"), 200);
    ck_assert_uint_eq(count_recordings(), 7);
    ck_assert_uint_eq(ask("/api/v1/recordings?state=safe"), 200);
    ck_assert_uint_eq(count_recordings(), 0);
    ck_assert_uint_eq(ask("/api/v1/recordings?offset=250"), 200);
    ck_assert_uint_eq(count_recordings(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status_answer");
    TCase *tcase = tcase_create("status_answer");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, every_path_has_its_answer, 0, sizeof targets / sizeof *targets);
    tcase_add_test(tcase, a_name_that_others_can_have_resolve_to_this_machine_is_not_answered);
    tcase_add_test(tcase, nothing_but_reading_is_taken);
    tcase_add_test(tcase, a_token_is_asked_for_where_recordings_are_shown);
    tcase_add_test(tcase, before_the_first_recording_all_is_well);
    tcase_add_test(tcase, a_journal_that_cannot_be_used_is_said_with_the_reason);
    tcase_add_test(tcase, a_journal_that_cannot_be_made_is_said_with_the_reason);
    tcase_add_test(tcase, a_journal_that_was_replaced_is_read_anew);
    tcase_add_test(tcase, an_s3_service_that_fails_matters_while_there_is_something_to_do);
    tcase_add_test(tcase, a_loop_that_hangs_is_neither_alive_nor_ready);
    tcase_add_test(tcase, settings_that_cannot_be_used_are_said);
    tcase_add_test(tcase, many_recordings_come_in_pages);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
