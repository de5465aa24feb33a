#include "finalize/notify/webhook.h"

#include "finalize/notify/webhook_event.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define SIGNATURE "dd8508e44d9a9f82f2690fb7dff1da8a6ae99700d98a23a4e7e1c307af3cb6cb"

static struct journal *journal;
static struct journal_recording row;
static struct rng rng;
static struct error err;
static struct settings settings; /* never freed: its strings are literals */

static void set_up(void)
{
    error_clear(&err);
    settings = (struct settings){.webhook_url = (char *)"https://example.org/hook/t0ken",
                                 .webhook_secret = (char *)"s3cr3t",
                                 .s3_bucket = (char *)"recordings",
                                 .instance_id = (char *)"jibri-1"};
    rng_seed_from_system(&rng);
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, "/r/abc", "abc", 1000, &row, &err));
    strcpy(row.meeting_url, "https://meet.example.org/12345");
}

static void tear_down(void)
{
    journal_close(journal);
}

static void add_file(const char *path, bool media, enum journal_file_state state)
{
    struct journal_file file = {.recording_id = row.id,
                                .media = media,
                                .identity = {.size_bytes = 7},
                                .object_bytes = 7,
                                .state = state,
                                .mark = "0123456789abcdef0123456789abcdef"};

    snprintf(file.path, sizeof file.path, "%s", path);
    snprintf(file.key, sizeof file.key, "%s",
             path + (strlen(path) < sizeof file.key ? 0 : strlen(path) - 900));
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
}

/* Announces the row in that state, and returns the names of the events that came of it. */
static const char *announce(enum journal_recording_state state)
{
    static char names[256];
    struct journal_webhook webhook;
    bool found = true;

    names[0] = 0;
    row.state = state;
    ck_assert_msg(
        webhook_announce(&settings, journal, &row, "{\"room\":\"a\"}", &rng, 2000, NULL, &err),
        "%s", err.text);
    for (;;) {
        json_t *event;

        ck_assert(journal_take_webhook(journal, 0, 2000, 3000, &webhook, &found, &err));
        if (!found)
            return names;
        event = json_loads(buffer_text(&webhook.body), 0, NULL);
        ck_assert_ptr_nonnull(event);
        ck_assert_str_eq(json_string_value(json_object_get(event, "id")), webhook.event_id);
        strcat(names, json_string_value(json_object_get(event, "event")) + strlen("recording."));
        strcat(names, " ");
        json_decref(event);
        buffer_done(&webhook.body);
        ck_assert(journal_finish_webhook(journal, webhook.id, &err));
    }
}

START_TEST(a_recording_that_is_safe_is_announced_once)
{
    add_file("12345_a.mp4", true, JOURNAL_FILE_SAFE);
    ck_assert_str_eq(announce(JOURNAL_RECORDING_WORKING), "");
    ck_assert_str_eq(announce(JOURNAL_RECORDING_WAITING), "");
    ck_assert_str_eq(announce(JOURNAL_RECORDING_DONE), "uploaded ");
    ck_assert_str_eq(announce(JOURNAL_RECORDING_DONE), "");
    add_file("12345_b.mp4", true, JOURNAL_FILE_SAFE);
    ck_assert_str_eq(announce(JOURNAL_RECORDING_DONE), "uploaded ");
}
END_TEST

START_TEST(a_failure_and_its_end_are_announced_once)
{
    add_file("12345_a.mp4", true, JOURNAL_FILE_SAFE);
    ck_assert_str_eq(announce(JOURNAL_RECORDING_FAILED), "failed ");
    ck_assert_str_eq(announce(JOURNAL_RECORDING_FAILED), "");
    ck_assert_str_eq(announce(JOURNAL_RECORDING_WAITING), "");
    ck_assert_str_eq(announce(JOURNAL_RECORDING_DONE), "recovered uploaded ");
    ck_assert_str_eq(announce(JOURNAL_RECORDING_DONE), "");
}
END_TEST

START_TEST(a_recording_that_is_lost_is_not_announced_as_uploaded)
{
    add_file("12345_a.mp4", true, JOURNAL_FILE_GONE);
    ck_assert_str_eq(announce(JOURNAL_RECORDING_DONE), "failed ");
}
END_TEST

START_TEST(without_an_address_nothing_is_announced)
{
    settings.webhook_url = NULL;
    ck_assert_str_eq(announce(JOURNAL_RECORDING_DONE), "");
    settings.webhook_url = (char *)"";
    ck_assert_str_eq(announce(JOURNAL_RECORDING_FAILED), "");
}
END_TEST

START_TEST(an_event_says_what_and_where_and_no_secret)
{
    struct webhook_event event = {.name = "recording.uploaded",
                                  .id = "an-id",
                                  .at = 1795507603,
                                  .row = &row,
                                  .metadata = "{\"room\":\"staff\"}"};
    struct buffer body;
    json_t *json, *file;

    add_file("12345_\xff\"\n.mp4", true, JOURNAL_FILE_SAFE);
    buffer_init(&body, 100000);
    ck_assert(webhook_event_write(&settings, journal, &event, &body, &err));
    ck_assert(!body.failed);
    json = json_loads(buffer_text(&body), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "version")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json, "time")), "2026-11-24T08:06:43Z");
    ck_assert_str_eq(json_string_value(json_object_get(json, "meeting")), "12345");
    ck_assert_str_eq(json_string_value(json_object_get(json, "meeting_url")),
                     "https://meet.example.org/12345");
    ck_assert_str_eq(json_string_value(json_object_get(json, "instance")), "jibri-1");
    ck_assert(json_is_true(json_object_get(json, "complete")));
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(json, "metadata"), "room")),
                     "staff");
    file = json_array_get(json_object_get(json, "files"), 0);
    ck_assert(json_is_false(json_object_get(file, "cut_off")));
    ck_assert(json_is_null(json_object_get(file, "duration_seconds")));
    ck_assert_str_eq(json_string_value(json_object_get(file, "path")),
                     "12345_\xef\xbf\xbd\"\n.mp4");
    json_decref(json);
    buffer_done(&body);
}
END_TEST

START_TEST(many_files_do_not_make_an_event_endless)
{
    struct webhook_event event = {.name = "recording.uploaded", .id = "an-id", .row = &row};
    struct buffer body;
    char name[32];
    json_t *json;

    for (unsigned i = 0; i < WEBHOOK_EVENT_MOST_FILES + 5; i++) {
        snprintf(name, sizeof name, "log-%u", i);
        add_file(name, false, JOURNAL_FILE_SAFE);
    }
    buffer_init(&body, JOURNAL_OUTBOX_BODY_BYTES);
    ck_assert(webhook_event_write(&settings, journal, &event, &body, &err));
    json = json_loads(buffer_text(&body), 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "files")), WEBHOOK_EVENT_MOST_FILES);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "files_omitted")), 5);
    json_decref(json);
    buffer_done(&body);
}
END_TEST

/* Of 1,100 bytes each, 200 of which are more than an event may have; what is left out is counted.
 */
START_TEST(an_event_that_would_be_too_long_names_fewer_files)
{
    struct journal_webhook webhook;
    char path[1200] = "";
    json_t *json;
    bool found;

    for (unsigned i = 0; i < 15; i++) {
        for (unsigned j = 0; j < 36; j++)
            strcat(path, "\xd1\x89");
        strcat(path, "/");
    }
    for (unsigned i = 0; i < 200; i++) {
        snprintf(path + 15 * 73, 32, "%u_%s", i, i ? "log" : "12.mp4");
        add_file(path, !i, JOURNAL_FILE_SAFE);
    }
    row.state = JOURNAL_RECORDING_DONE;
    ck_assert_msg(
        webhook_announce(&settings, journal, &row, "{\"room\":\"a\"}", &rng, 2000, NULL, &err),
        "%s", err.text);
    ck_assert(journal_take_webhook(journal, 0, 2000, 3000, &webhook, &found, &err));
    ck_assert(found);
    json = json_loads(buffer_text(&webhook.body), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_uint_gt(json_array_size(json_object_get(json, "files")), 20);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "files")) +
                          (size_t)json_integer_value(json_object_get(json, "files_omitted")),
                      200);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "media_files")), 1);
    json_decref(json);
    buffer_done(&webhook.body);
}
END_TEST

START_TEST(a_session_without_media_says_so)
{
    struct webhook_event event = {.name = "recording.uploaded", .id = "an-id", .row = &row};
    struct buffer body;
    json_t *json;

    add_file("4711_1.ts", false, JOURNAL_FILE_SAFE);
    buffer_init(&body, JOURNAL_OUTBOX_BODY_BYTES);
    ck_assert(webhook_event_write(&settings, journal, &event, &body, &err));
    json = json_loads(buffer_text(&body), 0, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "media_files")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "files")), 1);
    json_decref(json);
    buffer_done(&body);
}
END_TEST

static const char *header_of(const struct http_request *request, const char *name)
{
    size_t length = strlen(name);

    for (char **header = request->headers; *header; header++)
        if (!strncmp(*header, name, length) && (*header)[length] == ':')
            return *header + length + 2;
    return NULL;
}

/* The signature is what `printf 1700000000.{} | openssl dgst -sha256 -hmac s3cr3t` says. */
START_TEST(a_request_is_signed_over_timestamp_and_body)
{
    struct journal_webhook webhook = {.event_id = "an-id"};
    struct http_request request;

    buffer_init(&webhook.body, 100);
    buffer_append_text(&webhook.body, "{}");
    ck_assert(webhook_build(&settings, &webhook, 1700000000, &request, &err));
    ck_assert_str_eq(request.method, "POST");
    ck_assert_str_eq(request.url, settings.webhook_url);
    ck_assert_str_eq(buffer_text(&request.body.memory), "{}");
    ck_assert_uint_eq(request.body.length, 2);
    ck_assert_str_eq(header_of(&request, "Idempotency-Key"), "an-id");
    ck_assert_str_eq(header_of(&request, "X-Jibri-Timestamp"), "1700000000");
    ck_assert_str_eq(header_of(&request, "X-Jibri-Signature"), "sha256=" SIGNATURE);
    http_request_done(&request);
    settings.webhook_secret = NULL;
    ck_assert(webhook_build(&settings, &webhook, 1700000000, &request, &err));
    ck_assert_ptr_null(header_of(&request, "X-Jibri-Signature"));
    http_request_done(&request);
    buffer_done(&webhook.body);
}
END_TEST

START_TEST(only_2xx_means_taken)
{
    static const struct {
        enum http_failure failure;
        int status;
        bool delivered, down;
    } CASES[] = {
        {HTTP_OK, 200, true, false},
        {HTTP_OK, 204, true, false},
        {HTTP_FAILED_TOO_LARGE, 200, true, false},
        {HTTP_OK, 301, false, false},
        {HTTP_OK, 400, false, false},
        {HTTP_OK, 404, false, false},
        {HTTP_OK, 429, false, true},
        {HTTP_OK, 500, false, true},
        {HTTP_FAILED_CONNECT, 0, false, true},
        {HTTP_FAILED_TIMEOUT, 0, false, true},
        {HTTP_FAILED_TRANSFER, 200, false, true},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct http_reply reply = {.failure = CASES[i].failure, .status = CASES[i].status};
        struct webhook_verdict verdict;

        snprintf(reply.detail, sizeof reply.detail, "t0ken");
        webhook_judge(&reply, &verdict);
        ck_assert_int_eq(verdict.delivered, CASES[i].delivered);
        ck_assert_int_eq(verdict.down, CASES[i].down);
        ck_assert_int_eq(verdict.error[0] != 0, !CASES[i].delivered);
        ck_assert_ptr_null(strstr(verdict.error, "t0ken"));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("webhook");
    TCase *tcase = tcase_create("webhook");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_recording_that_is_safe_is_announced_once);
    tcase_add_test(tcase, a_failure_and_its_end_are_announced_once);
    tcase_add_test(tcase, a_recording_that_is_lost_is_not_announced_as_uploaded);
    tcase_add_test(tcase, without_an_address_nothing_is_announced);
    tcase_add_test(tcase, an_event_says_what_and_where_and_no_secret);
    tcase_add_test(tcase, many_files_do_not_make_an_event_endless);
    tcase_add_test(tcase, an_event_that_would_be_too_long_names_fewer_files);
    tcase_add_test(tcase, a_session_without_media_says_so);
    tcase_add_test(tcase, a_request_is_signed_over_timestamp_and_body);
    tcase_add_test(tcase, only_2xx_means_taken);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
