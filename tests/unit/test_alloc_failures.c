/*
 * Each allocation is made to fail once: what is asked for is then refused and said to be, or works
 * nevertheless; nothing crashes, nothing is lost, and results are left alone. The same for S3:
 * test_alloc_failures_s3.c.
 */
#include "tests/unit/failing_alloc_each.h"

#include "config/env_file.h"
#include "config/settings.h"
#include "finalize/base/buffer.h"
#include "finalize/hash/digest.h"
#include "finalize/http/http.h"
#include "finalize/notify/notice.h"
#include "finalize/s3/s3.h"
#include "finalize/s3/uri.h"
#include "finalize/session/metadata.h"
#include "finalize/upload/key.h"
#include "tests/unit/unit.h"
#include "watcher/watched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct attempt_result fill_buffer(size_t which)
{
    struct buffer buffer;
    struct attempt_result result = {0};
    size_t before = 0;
    char *taken;

    (void)which;
    buffer_init(&buffer, 4096);
    for (unsigned i = 0; i < 600 && !buffer.failed; i++) {
        before = buffer.length;
        buffer_append_format(&buffer, "%u,", i % 10);
    }
    result.ok = !buffer.failed;
    if (buffer.failed && (buffer.length != before || strlen(buffer_text(&buffer)) != before))
        result = ATTEMPT_WRONG("a failed append leaves the content as it was");
    buffer_append_text(&buffer, "x");
    if (!result.ok && buffer.length != before)
        result = ATTEMPT_WRONG("appends after a failed one do nothing");
    taken = buffer_take(&buffer);
    if ((taken != NULL) != result.ok)
        result = ATTEMPT_WRONG("what is not whole is not given away");
    if (taken && strlen(taken) != 1201)
        result = ATTEMPT_WRONG("the content is whole");
    free(taken);
    buffer_done(&buffer);
    return result;
}

START_TEST(a_buffer_keeps_what_it_has)
{
    fail_each(fill_buffer, 0, 3);
}
END_TEST

static struct attempt_result add_headers(size_t which)
{
    struct http_request request;
    struct attempt_result result = {.ok = true};
    unsigned added = 0, there = 0;

    (void)which;
    http_request_init(&request, "GET");
    while (added < 3 && http_request_add_header(&request, "Name", "value"))
        added++;
    result.ok = added == 3;
    for (char **header = request.headers; header && *header; header++, there++)
        if (strcmp(*header, "Name: value") != 0)
            result = ATTEMPT_WRONG("headers are whole");
    if (there != added)
        result = ATTEMPT_WRONG("the headers that were added are there, and no others");
    http_request_done(&request);
    return result;
}

START_TEST(a_request_keeps_its_headers)
{
    fail_each(add_headers, 0, 5);
}
END_TEST

static struct attempt_result parse_endpoint(size_t which)
{
    struct uri_endpoint endpoint = {.https = false};
    struct error err = ERROR_INIT;
    struct attempt_result result;

    (void)which;
    result = (struct attempt_result){
        .ok = uri_parse_endpoint("https://Storage.example:9000/b%20c/", &endpoint, &err)};
    if (result.ok && (!endpoint.https || strcmp(endpoint.host, "storage.example:9000") != 0 ||
                      strcmp(endpoint.path, "/b%20c") != 0))
        result = ATTEMPT_WRONG("the address is whole");
    if (!result.ok && (endpoint.host || endpoint.path || endpoint.https))
        result = ATTEMPT_WRONG("the result is left alone");
    if (!result.ok && err.kind != ERROR_TRANSIENT)
        result = ATTEMPT_WRONG("want of memory is no fault of the address");
    uri_endpoint_done(&endpoint);
    return result;
}

START_TEST(an_address_is_parsed_whole_or_not_at_all)
{
    fail_each(parse_endpoint, 0, 3);
}
END_TEST

static struct attempt_result digest_in_pieces(size_t which)
{
    struct digest_stream *stream = digest_stream_open(which ? DIGEST_MD5 : DIGEST_SHA256);
    uint8_t pieces[DIGEST_SHA256_BYTES] = {0}, whole[DIGEST_SHA256_BYTES] = {0};
    struct attempt_result result = {0};
    bool known;

    result.ok = stream && digest_stream_begin(stream) && digest_stream_update(stream, "ab", 2) &&
                digest_stream_update(stream, "c", 1) && digest_stream_end(stream, pieces);
    known = which ? digest_md5("abc", 3, whole) : digest_sha256("abc", 3, whole);
    if (result.ok && known && memcmp(pieces, whole, sizeof whole) != 0)
        result = ATTEMPT_WRONG("digests are right");
    result.ok = result.ok && known;
    digest_stream_close(stream);
    return result;
}

START_TEST(a_digest_is_right_or_refused)
{
    fail_each(digest_in_pieces, (size_t)_i, 1);
}
END_TEST

static struct attempt_result choose_key(size_t which)
{
    struct key_values facts = {.session = "a/b", .meeting = "12345", .year = 2024};
    char key[S3_MAX_KEY_BYTES + 1] = "untouched";
    struct error err = ERROR_INIT;
    struct attempt_result result;

    result = (struct attempt_result){
        .ok = which ? key_add_suffix("d/a.mp4", 2, key, &err)
                    : key_choose("{yyyy}/{instance}/", &facts, "c/:.json", false, key, &err)};
    if (result.ok && strcmp(key, which ? "d/a~2.mp4" : "2024/unknown/a%2Fb/c/%3A.json") != 0)
        result = ATTEMPT_WRONG("the key is right");
    if (!result.ok && (strcmp(key, "untouched") != 0 || err.kind != ERROR_TRANSIENT))
        result = ATTEMPT_WRONG("the result is left alone, and another try may do");
    return result;
}

START_TEST(a_key_is_whole_or_refused)
{
    fail_each(choose_key, (size_t)_i, 1);
}
END_TEST

/* --- metadata.json --- */

static struct attempt_result read_metadata(size_t which)
{
    static const char *const texts[] = {
        "{\"meeting_url\":\"https://meet.example/1\",\"participants\":[{\"a\":1}],\"share\":true}",
        "{\"a\":[{\"upload_credentials\":{\"token\":\"hunter2\"}}],\"share\":true}",
        "{\"a\":1,\"a\":2,\"Upload\\u005fcredentials\":\"hunter2\",\"n\":99999999999999999999}",
        "{\"upload_credentials\":\"hunter2",
        "{\"upload\\u005fcredentials\":\"hunter2\",\"a_name_that_is_long\":0}",
    };
    static const enum metadata_treatment treatments[] = {METADATA_AS_IT_IS, METADATA_REDACTED,
                                                         METADATA_REDACTED, METADATA_WITHHELD,
                                                         METADATA_REDACTED};
    size_t length = strlen(texts[which]);
    struct metadata metadata;
    struct error err = ERROR_INIT;
    struct attempt_result result = {0};
    char redacted[200] = "";
    int fd = memfd_create("metadata", MFD_CLOEXEC);

    if (fd < 0 || write(fd, texts[which], length) != (ssize_t)length)
        return ATTEMPT_WRONG("a memory file can be made");
    result.ok = metadata_read(fd, length, &metadata, &err);
    if (!result.ok && (err.kind != ERROR_TRANSIENT || metadata.treatment != METADATA_WITHHELD))
        result = ATTEMPT_WRONG("of what isn't known nothing is uploaded, for now");
    if (metadata.treatment == METADATA_REDACTED &&
        (pread(metadata.redacted_fd, redacted, sizeof redacted - 1, 0) < 2 ||
         strstr(redacted, "hunter2") || strcasestr(redacted, "credentials")))
        result = ATTEMPT_WRONG("credentials are cut out");
    if (metadata.treatment == METADATA_AS_IT_IS && strstr(texts[which], "hunter2"))
        result = ATTEMPT_WRONG("credentials stay here");
    /* Withheld for want of memory, where the parser did not say so: careful, and no failure. */
    if (result.ok && metadata.treatment != treatments[which])
        result.ok = false;
    metadata_done(&metadata);
    close(fd);
    return result;
}

START_TEST(credentials_are_never_let_out)
{
    static const unsigned long least[] = {5, 10, 10, 1, 10};

    fail_each(read_metadata, (size_t)_i, least[_i]);
}
END_TEST

/* --- the notice --- */

static char base_url[] = "https://event.example/meet", token[] = "hunter2";
static const struct settings backend = {
    .base_url = base_url, .backend_token = token, .notice = true, .backend_timeout_ms = 1000};

static struct attempt_result build_notice(size_t which)
{
    static const struct notice notice = {.meeting_id = 12345,
                                         .file_name = "12345_\xff.mp4",
                                         .file_size = 1,
                                         .bucket = "recordings",
                                         .key = "12345_%FF.mp4",
                                         .mark = "0123456789abcdef0123456789abcdef"};
    static const char body[] =
        "{\"meetingId\":12345,\"fileName\":\"12345_\xef\xbf\xbd.mp4\","
        "\"fileSize\":1,\"bucket\":\"recordings\",\"key\":\"12345_%FF.mp4\"}";
    struct http_request request;
    struct error err = ERROR_INIT;
    struct attempt_result result;
    size_t headers = 0;

    (void)which;
    result = (struct attempt_result){.ok = notice_build(&backend, &notice, &request, &err)};
    while (request.headers && request.headers[headers])
        headers++;
    if (result.ok &&
        (!request.url || headers != 4 || strcmp(buffer_text(&request.body.memory), body) != 0 ||
         request.body.length != strlen(body)))
        result = ATTEMPT_WRONG("the notice is whole");
    if (!result.ok && err.kind != ERROR_TRANSIENT)
        result = ATTEMPT_WRONG("another try may do");
    http_request_done(&request);
    return result;
}

START_TEST(a_notice_is_built_whole_or_not_at_all)
{
    fail_each(build_notice, 0, 20);
}
END_TEST

static const struct {
    int status;
    const char *headers, *body;
    enum notice_outcome outcome;
} replies[] = {
    {200, "", "{\"id\":7,\"message\":[\"fine\"]}", NOTICE_ACCEPTED},
    {503, "Retry-After: 5\r\n", "{\"title\":\"hunter2\"}", NOTICE_RETRY},
    {400, "", "{\"title\":\"wrong\",\"errors\":{\"key\":[\"hunter2\"]}}", NOTICE_REFUSED},
    {301, "Location: https://hunter2@a.example/hunter2\r\n", "", NOTICE_REFUSED},
};

static struct attempt_result read_notice(size_t which)
{
    struct http_reply reply;
    struct notice_result read;
    struct attempt_result result = {.ok = true};

    http_reply_init(&reply, 65536);
    buffer_append_text(&reply.headers, replies[which].headers);
    buffer_append_text(&reply.body, replies[which].body);
    reply.status = replies[which].status;
    if (!reply.headers.failed && !reply.body.failed) {
        notice_read(&backend, "12345_a.mp4", &reply, &read);
        result.ok = read.outcome == replies[which].outcome;
        if (strstr(read.error.text, token))
            result = ATTEMPT_WRONG("the token is in no text");
        /* With a 2xx that can't be read, a person is to look whether there is a row. */
        if (!result.ok && (replies[which].status != 200 || read.outcome != NOTICE_REFUSED))
            result = ATTEMPT_WRONG("want of memory changes what the reply means");
        if (read.outcome != NOTICE_ACCEPTED && read.error.kind == ERROR_NONE)
            result = ATTEMPT_WRONG("what isn't accepted is an error");
    } else {
        result.ok = false;
    }
    http_reply_done(&reply);
    return result;
}

START_TEST(a_notice_is_not_taken_for_accepted)
{
    fail_each(read_notice, (size_t)_i, 2);
}
END_TEST

/* --- settings --- */

static char path[] = "/tmp/test_alloc_failures.XXXXXX";

static void write_file(void)
{
    static const char text[] = "# settings\n"
                               "CONFOMEET_S3_URL=https://storage.example/\n"
                               "export CONFOMEET_S3_BUCKET='recordings'\n"
                               "CONFOMEET_S3_CLIENT_ID=\"id\"\n"
                               "CONFOMEET_S3_CLIENT_SECRET=hunter2\n"
                               "CONFOMEET_S3_BUKET=x\n"
                               "XMPP_DOMAIN=meet.example\n";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
}

static void remove_file(void)
{
    unlink(path);
}

static struct attempt_result read_env_file(size_t which)
{
    struct env_file file = {.lines = NULL};
    struct error err = ERROR_INIT;
    struct attempt_result result;

    (void)which;
    result = (struct attempt_result){.ok = env_file_read(path, &file, &err)};
    if (result.ok && (!env_file_get(&file, "CONFOMEET_S3_CLIENT_SECRET") ||
                      strcmp(env_file_get(&file, "CONFOMEET_S3_BUCKET"), "recordings") != 0))
        result = ATTEMPT_WRONG("the file is read as a whole");
    if (!result.ok && (file.lines || !strstr(err.text, "memory")))
        result = ATTEMPT_WRONG("the result is left alone, and the reason given");
    env_file_done(&file);
    return result;
}

START_TEST(a_file_of_settings_is_read_whole_or_not_at_all)
{
    fail_each(read_env_file, 0, 2);
}
END_TEST

static bool is_complete(const struct settings *settings, bool wrong)
{
    return settings->s3_url && settings->s3_bucket && settings->s3_region &&
           settings->s3_client_id && settings->s3_client_secret && settings->s3_key_prefix &&
           settings->xmpp_domain && settings->s3_part_size_bytes == (wrong ? 0 : 6u << 20) &&
           settings->s3_parallel == 20;
}

static bool has_line(char *const *lines, const char *words)
{
    for (; lines && *lines; lines++)
        if (strstr(*lines, words))
            return true;
    return false;
}

static struct attempt_result load_settings(size_t which)
{
    static const char *const right[] = {"CONFOMEET_S3_PART_SIZE=6MiB", "PATH=/bin", NULL};
    static const char *const wrong[] = {"CONFOMEET_S3_PART_SIZE=1", "CONFOMEET_PROXY=hunter2",
                                        NULL};
    struct settings settings;
    struct settings_problems problems;
    struct attempt_result result = {0};
    bool loaded = settings_load(which ? wrong : right, path, &settings, &problems);

    if (which && loaded)
        result = ATTEMPT_WRONG("what is wrong is refused");
    else if (loaded || which)
        result.ok = is_complete(&settings, which) && has_line(problems.warnings, "BUKET") &&
                    has_line(problems.errors, "PART_SIZE") == which &&
                    has_line(problems.errors, "PROXY") == which;
    if (loaded && !result.ok)
        result = ATTEMPT_WRONG("settings are loaded as a whole");
    if (loaded == (problems.errors != NULL) && loaded)
        result = ATTEMPT_WRONG("where there are errors, nothing is loaded");
    if (has_line(problems.errors, "hunter2") || has_line(problems.warnings, "hunter2"))
        result = ATTEMPT_WRONG("secrets are not shown");
    settings_done(&settings);
    settings_problems_done(&problems);
    return result;
}

START_TEST(settings_are_loaded_whole_or_not_at_all)
{
    fail_each(load_settings, (size_t)_i, 10);
}
END_TEST

static struct attempt_result add_sessions(size_t which)
{
    static const char *const directories[] = {"/r/c", "/r/a", "/r/b"};
    struct watched_sessions sessions = {0};
    struct attempt_result result = {.ok = true};
    char directory[32];

    (void)which;
    for (unsigned i = 0; i < 40 && result.ok; i++) { /* more than there is room for at first */
        size_t before = sessions.count;
        struct watched_session *session;

        snprintf(directory, sizeof directory, "%s/%u", directories[i % 3], i);
        session = watched_get(&sessions, directory);
        result.ok = session != NULL;
        if (sessions.count != before + (session != NULL))
            result = ATTEMPT_WRONG("a session is added whole or not at all");
        if (session && strcmp(session->directory, directory) != 0)
            result = ATTEMPT_WRONG("its directory is whole");
    }
    for (size_t i = 1; i < sessions.count; i++)
        if (strcmp(sessions.list[i - 1].directory, sessions.list[i].directory) >= 0)
            result = ATTEMPT_WRONG("sessions are sorted");
    watched_done(&sessions);
    return result;
}

START_TEST(sessions_are_added_whole_or_not_at_all)
{
    fail_each(add_sessions, 0, 40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alloc_failures");
    TCase *cases = tcase_create("alloc_failures");
    TCase *with_file = tcase_create("with a file");

    failing_alloc_hook();
    tcase_add_test(cases, a_buffer_keeps_what_it_has);
    tcase_add_test(cases, a_request_keeps_its_headers);
    tcase_add_test(cases, an_address_is_parsed_whole_or_not_at_all);
    tcase_add_loop_test(cases, a_digest_is_right_or_refused, 0, 2);
    tcase_add_loop_test(cases, a_key_is_whole_or_refused, 0, 2);
    tcase_add_loop_test(cases, credentials_are_never_let_out, 0, 5);
    tcase_add_test(cases, a_notice_is_built_whole_or_not_at_all);
    tcase_add_loop_test(cases, a_notice_is_not_taken_for_accepted, 0, 4);
    tcase_add_test(cases, sessions_are_added_whole_or_not_at_all);
    suite_add_tcase(suite, cases);
    tcase_add_checked_fixture(with_file, write_file, remove_file);
    tcase_add_test(with_file, a_file_of_settings_is_read_whole_or_not_at_all);
    tcase_add_loop_test(with_file, settings_are_loaded_whole_or_not_at_all, 0, 2);
    suite_add_tcase(suite, with_file);
    return unit_run(suite);
}
