#include "finalize/delivery/delivery.h"

#include "finalize/upload/upload_parts.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEDIA "12345_2024-04-23-15-04-05.mp4"
#define MARK  "00112233445566778899aabbccddeeff"

/* ---- the world: a directory, a journal, a bucket that takes one object, a backend ------------ */

static char base[64];
static char session[128];
static struct session_dir *recording;
static struct journal *journal;
static struct s3 *s3;
static struct settings settings;
static struct journal_file file;
static struct rng rng;
static struct error err;
static struct delivery *delivery;
static uint64_t now_ms;

static bool stored; /* the object is in the bucket */
static uint64_t stored_bytes;
static char stored_text[4096];
static char last_put_url[1024], last_head_url[1024];
static unsigned put_count, notice_count;
static char last_key[64];    /* Idempotency-Key of the last notice */
static char last_body[2048]; /* its body */

/* What the backend answers, one notice after the other; the last one for ever. */
static struct backend_answer {
    enum http_failure failure;
    int status;
    const char *body;
} answers[4];
static unsigned answer_count;
static const char *answer_header; /* in each; NULL: none */

static char events[4096];
static bool growing; /* the file is still being written */
static bool gone;    /* the session directory is */
static bool notify_only;
static bool unattended; /* the watcher runs it */

static void on_event(void *context, enum delivery_message event, const struct journal_file *row,
                     const char *sentence, const struct error *error)
{
    static const char *const names[] = {"remark", "retry", "uploaded", "notified"};
    size_t length = strlen(events);

    (void)context;
    ck_assert_str_eq(row->path, file.path);
    snprintf(events + length, sizeof events - length, "%s %s%s\n", names[event], sentence,
             error ? error->text : "");
}

static const char *in_session(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", session, name);
    return path;
}

static void set_up(void)
{
    char made[] = "/tmp/test_delivery_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(session, sizeof session, "%s/session", base);
    ck_assert_int_eq(mkdir(session, 0755), 0);
    settings = (struct settings){.s3_url = "http://127.0.0.1:1",
                                 .s3_bucket = "recordings",
                                 .s3_region = "us-east-1",
                                 .s3_client_id = "id",
                                 .s3_client_secret = "secret",
                                 .s3_part_size_bytes = 5 << 20,
                                 .s3_max_object_bytes = UINT64_C(5) << 40,
                                 .s3_parallel = 3,
                                 .s3_retry_for_ms = 120000,
                                 .s3_idle_timeout_ms = 60000,
                                 .base_url = "http://backend/meet",
                                 .notice = true,
                                 .backend_timeout_ms = 30000};
    ck_assert_msg(session_dir_open(session, &recording, &err), "%s", err.text);
    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
    ck_assert_msg(s3_open(&settings, &s3, &err), "%s", err.text);
    rng.state = 5;
    now_ms = 1000;
    growing = gone = notify_only = stored = false;
    answers[0] = (struct backend_answer){HTTP_OK, 200, "{\"id\": 7, \"result\": true}"};
    answer_count = 1;
}

static void tear_down(void)
{
    delivery_close(delivery);
    s3_close(s3);
    session_dir_close(recording);
    journal_close(journal);
    unit_remove(base);
}

/* The row of a file, as intake would have made it. */
static void add_row(const char *name, bool media)
{
    struct journal_recording row;
    int fd;

    ck_assert(journal_begin_recording(journal, session, "session", 1000, &row, &err));
    file = (struct journal_file){.recording_id = row.id,
                                 .media = media,
                                 .state = JOURNAL_FILE_PENDING,
                                 .notice = media ? JOURNAL_NOTICE_DUE : JOURNAL_NOTICE_NONE,
                                 .mark = MARK};
    snprintf(file.path, sizeof file.path, "%s", name);
    ck_assert_msg(session_dir_open_file(recording, name, &fd, &file.identity, &err), "%s",
                  err.text);
    close(fd);
    file.object_bytes = file.identity.size_bytes;
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
}

/* An earlier run left it so: in the bucket, the backend not told. */
static void add_uploaded(const char *location, enum journal_notice notice)
{
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    file.state = JOURNAL_FILE_UPLOADED;
    file.notice = notice;
    file.uploaded_at = 1600000000;
    snprintf(file.key, sizeof file.key, MEDIA);
    snprintf(file.location, sizeof file.location, "%s", location);
    ck_assert(journal_save_file(journal, &file, &err));
    stored = true;
    stored_bytes = 1;
}

static void load_row(void)
{
    bool found;

    ck_assert(journal_find_file(journal, file.recording_id, file.path, &file, &found, &err) &&
              found);
}

static bool try_open(void)
{
    struct delivery_options options = {.settings = &settings,
                                       .journal = journal,
                                       .recording = gone ? NULL : recording,
                                       .s3 = s3,
                                       .rng = &rng,
                                       .main_media_name = MEDIA,
                                       .growing = growing,
                                       .notify_only = notify_only,
                                       .unattended = unattended,
                                       .event = on_event};

    return delivery_open(&options, &file, &delivery, &err);
}

/* ---- replies --------------------------------------------------------------------------------- */

static void add_header(struct http_reply *reply, const char *line)
{
    buffer_append_text(&reply->headers, line);
    buffer_append_text(&reply->headers, "\r\n");
}

static void answer_head(const struct http_request *request, struct http_reply *reply)
{
    char line[128];

    snprintf(last_head_url, sizeof last_head_url, "%s", request->url);
    reply->status = stored ? 200 : 404;
    if (!stored)
        return;
    snprintf(line, sizeof line, "Content-Length: %llu", (unsigned long long)stored_bytes);
    add_header(reply, line);
    add_header(reply, "ETag: \"abc\"");
    add_header(reply, "x-amz-meta-jibri-mark: " MARK);
}

static void answer_put(const struct http_request *request, struct http_reply *reply)
{
    ck_assert_int_eq(request->body.kind, HTTP_BODY_FILE);
    ck_assert_uint_lt(request->body.length, sizeof stored_text);
    ck_assert_int_eq(
        pread(request->body.fd, stored_text, request->body.length, (off_t)request->body.offset),
        (ssize_t)request->body.length);
    stored_text[request->body.length] = 0;
    stored_bytes = request->body.length;
    stored = true;
    put_count++;
    snprintf(last_put_url, sizeof last_put_url, "%s", request->url);
    reply->status = 200;
    add_header(reply, "ETag: \"abc\"");
}

static void answer_notice(const struct http_request *request, struct http_reply *reply)
{
    const struct backend_answer *answer =
        &answers[notice_count < answer_count ? notice_count : answer_count - 1];

    notice_count++;
    /* Whatever becomes of it: the journal says that it was sent, before it is. */
    load_row();
    ck_assert_int_eq(file.notice, JOURNAL_NOTICE_SENT);
    ck_assert_int_eq(file.state, JOURNAL_FILE_UPLOADED);
    for (char **line = request->headers; *line; line++)
        if (!strncasecmp(*line, "Idempotency-Key: ", 17)) {
            if (notice_count > 1)
                ck_assert_str_eq(last_key, *line + 17);
            snprintf(last_key, sizeof last_key, "%s", *line + 17);
        }
    snprintf(last_body, sizeof last_body, "%s", buffer_text(&request->body.memory));
    reply->failure = answer->failure;
    reply->status = answer->status;
    buffer_append_text(&reply->body, answer->body);
    if (answer_header)
        add_header(reply, answer_header);
}

static void answer_step(struct delivery_step *step)
{
    struct http_reply reply;

    http_reply_init(&reply, 65536);
    if (!strcmp(step->request.method, "HEAD"))
        answer_head(&step->request, &reply);
    else if (!strcmp(step->request.method, "PUT"))
        answer_put(&step->request, &reply);
    else
        answer_notice(&step->request, &reply);
    ck_assert_msg(delivery_take_reply(delivery, step->slot, &reply, now_ms, 1700000000, NULL, &err),
                  "%s", err.text);
    http_request_done(&step->request);
    http_reply_done(&reply);
}

static void answer_read(const struct delivery_step *step)
{
    struct hasher_result result = {.owner = step->read.owner, .slot = step->slot, .whole = true};
    static uint8_t bytes[65536];
    uint8_t digest[DIGEST_SHA256_BYTES];

    ck_assert_ptr_eq(step->read.owner, delivery);
    ck_assert_uint_eq(step->read.slot, step->slot);
    ck_assert_int_eq(pread(step->read.fd, bytes, step->read.length, (off_t)step->read.offset),
                     (ssize_t)step->read.length);
    ck_assert(digest_sha256(bytes, step->read.length, digest));
    digest_hex(digest, sizeof digest, result.sha256_hex);
    ck_assert(delivery_take_bytes(delivery, step->slot, &result, &err));
}

/* Drives it to its end; its steps come one at a time here. */
static const struct error *drive(void)
{
    for (unsigned steps = 0; steps < 1000; steps++) {
        struct delivery_step step;

        ck_assert_msg(delivery_next(delivery, true, now_ms, 1700000000, &step, &err), "%s",
                      err.text);
        switch (step.kind) {
        case UPLOAD_STEP_REQUEST:
            answer_step(&step);
            break;
        case UPLOAD_STEP_READ:
            answer_read(&step);
            break;
        case UPLOAD_STEP_PAUSE:
            ck_assert_uint_gt(step.until_ms, now_ms);
            now_ms = step.until_ms;
            break;
        case UPLOAD_STEP_NONE:
            ck_abort_msg("it waits for nothing");
            break;
        case UPLOAD_STEP_END:
            return delivery_outcome(delivery).error;
        }
    }
    ck_abort_msg("it does not end");
    return NULL;
}

static int64_t retry_at; /* of the delivery that ended last */

static const struct error *deliver(void)
{
    static struct error error;
    const struct error *found;

    ck_assert_msg(try_open(), "%s", err.text);
    found = drive();
    if (found)
        error = *found;
    retry_at = delivery_outcome(delivery).retry_at;
    delivery_close(delivery);
    delivery = NULL;
    load_row();
    return found ? &error : NULL;
}

static void assert_safe(const struct error *error)
{
    ck_assert_msg(!error, "%s", error ? error->text : "");
    ck_assert_int_eq(file.state, JOURNAL_FILE_SAFE);
    ck_assert_int_eq(file.safe_at, 1700000000);
    ck_assert_str_eq(file.last_error, "");
}

/* ---- tests ----------------------------------------------------------------------------------- */

START_TEST(a_recording_is_uploaded_and_the_backend_told)
{
    unit_write_text(in_session(MEDIA), "pictures and sound");
    add_row(MEDIA, true);
    assert_safe(deliver());
    ck_assert_str_eq(stored_text, "pictures and sound");
    ck_assert_str_eq(last_put_url, "http://127.0.0.1:1/recordings/" MEDIA);
    ck_assert_uint_eq(notice_count, 1);
    ck_assert_int_eq(file.notice, JOURNAL_NOTICE_ACCEPTED);
    ck_assert_int_eq(file.backend_row, 7);
    ck_assert_ptr_nonnull(strstr(last_body, "12345"));
    ck_assert_ptr_nonnull(strstr(last_body, MEDIA));
    ck_assert_str_eq(events, "uploaded \nnotified \n");
}
END_TEST

START_TEST(another_file_is_uploaded_without_a_notice)
{
    unit_write_text(in_session("notes.txt"), "hello");
    add_row("notes.txt", false);
    assert_safe(deliver());
    ck_assert_str_eq(last_put_url, "http://127.0.0.1:1/recordings/session/notes.txt");
    ck_assert_uint_eq(notice_count, 0);
    ck_assert_str_eq(events, "uploaded \n");
}
END_TEST

START_TEST(without_notices_a_recording_is_safe_once_it_is_uploaded)
{
    settings.notice = false;
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    assert_safe(deliver());
    ck_assert_uint_eq(notice_count, 0);
}
END_TEST

START_TEST(a_refused_notice_leaves_the_file_and_says_why)
{
    static const struct backend_answer refusals[] = {
        {HTTP_OK, 400, "{\"title\": \"Validation failed\"}"},
        {HTTP_OK, 301, ""},
        {HTTP_OK, 200, "{\"id\": 0}"},
        {HTTP_OK, 200, "<html>it works</html>"},
        {HTTP_OK, 403, ""},
    };
    const struct error *error;

    answers[0] = refusals[_i];
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    error = deliver();
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(error->kind, ERROR_PERMANENT);
    ck_assert_uint_eq(notice_count, 1);
    ck_assert_int_eq(file.state, JOURNAL_FILE_UPLOADED);
    ck_assert_int_eq(file.notice, refusals[_i].status == 200 && refusals[_i].body[0] != '<'
                                      ? JOURNAL_NOTICE_UNCLEAR
                                      : JOURNAL_NOTICE_REFUSED);
    ck_assert_str_eq(file.last_error, error->text);
}
END_TEST

START_TEST(what_the_backend_may_have_taken_is_told_again_only_when_a_person_calls)
{
    answers[0] = (struct backend_answer){HTTP_OK, 204, ""};
    answers[1] = (struct backend_answer){HTTP_OK, 200, "{\"id\": 9}"};
    answer_count = 2;
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    ck_assert_ptr_nonnull(deliver());
    unattended = true;
    for (int i = 0; i < 2; i++) {
        const struct error *error = deliver();

        ck_assert_ptr_nonnull(error);
        ck_assert_int_eq(error->kind, ERROR_PERMANENT);
        ck_assert_ptr_nonnull(strstr(error->text, "with no row's id"));
        ck_assert_uint_eq(notice_count, 1);
        ck_assert_int_eq(file.state, JOURNAL_FILE_UPLOADED);
        ck_assert_int_eq(file.notice, JOURNAL_NOTICE_UNCLEAR);
    }
    unattended = false;
    assert_safe(deliver());
    ck_assert_uint_eq(notice_count, 2);
}
END_TEST

START_TEST(a_refused_notice_is_sent_again_by_the_next_run_without_an_upload)
{
    answers[0] = (struct backend_answer){HTTP_OK, 400, ""};
    answers[1] = (struct backend_answer){HTTP_OK, 200, "{\"id\": 9}"};
    answer_count = 2;
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    ck_assert_ptr_nonnull(deliver());
    assert_safe(deliver());
    ck_assert_uint_eq(put_count, 1);
    ck_assert_uint_eq(notice_count, 2);
    ck_assert_int_eq(file.backend_row, 9);
}
END_TEST

START_TEST(a_notice_that_failed_is_sent_again_with_the_same_idempotency_key)
{
    static const struct backend_answer failures[] = {{HTTP_OK, 500, ""},
                                                     {HTTP_OK, 503, ""},
                                                     {HTTP_FAILED_CONNECT, 0, ""},
                                                     {HTTP_FAILED_TIMEOUT, 0, ""},
                                                     {HTTP_FAILED_TRANSFER, 0, ""}};

    answers[0] = answers[1] = failures[_i];
    answers[2] = (struct backend_answer){HTTP_OK, 200, "{\"id\": 9}"};
    answer_count = 3;
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    assert_safe(deliver());
    ck_assert_uint_eq(notice_count, 3);
    ck_assert_ptr_nonnull(strstr(events, "retry "));
    ck_assert_str_eq(last_key, "00112233-4455-6677-8899-aabbccddeeff");
}
END_TEST

START_TEST(a_backend_that_stays_away_is_left_for_later_and_the_next_run_goes_on)
{
    const struct error *error;
    unsigned told;

    answers[0] = (struct backend_answer){HTTP_OK, 500, ""};
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    error = deliver();
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(error->kind, ERROR_TRANSIENT);
    ck_assert_uint_ge(now_ms, 100000);
    ck_assert_uint_le(notice_count, 40);
    ck_assert_int_eq(file.state, JOURNAL_FILE_UPLOADED);
    ck_assert_int_eq(file.notice, JOURNAL_NOTICE_SENT);
    told = notice_count;
    answers[0] = (struct backend_answer){HTTP_OK, 200, "{\"id\": 9}"};
    assert_safe(deliver());
    ck_assert_uint_eq(notice_count, told + 1);
    ck_assert_uint_eq(put_count, 1);
    ck_assert_str_eq(last_key, "00112233-4455-6677-8899-aabbccddeeff");
}
END_TEST

START_TEST(a_backend_that_asks_for_a_long_pause_is_left_at_once_and_the_time_kept)
{
    answers[0] = (struct backend_answer){HTTP_OK, 503, ""};
    answer_header = "Retry-After: 300";
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    ck_assert_ptr_nonnull(deliver());
    ck_assert_uint_eq(notice_count, 1);
    ck_assert_int_ge(retry_at, 1700000000 + 300);
    ck_assert_int_le(retry_at, 1700000000 + 302);
}
END_TEST

START_TEST(a_notice_that_was_accepted_is_never_sent_again)
{
    add_uploaded("", JOURNAL_NOTICE_ACCEPTED); /* killed before it was noted as safe */
    assert_safe(deliver());
    ck_assert_uint_eq(notice_count, 0);
    ck_assert_uint_eq(put_count, 0);
}
END_TEST

START_TEST(a_notice_of_unknown_fate_is_repeated)
{
    add_uploaded("", JOURNAL_NOTICE_SENT);
    assert_safe(deliver());
    ck_assert_uint_eq(notice_count, 1);
    ck_assert_uint_eq(put_count, 0);
    ck_assert_str_eq(events, "notified \n"); /* that it was uploaded was said before */
    ck_assert_int_eq(file.uploaded_at, 1600000000);
}
END_TEST

/* ---- what an earlier run left in the bucket -------------------------------------------------- */

START_TEST(what_is_not_in_the_bucket_any_more_is_sent_again_before_the_notice)
{
    add_uploaded("127.0.0.1:1/recordings", JOURNAL_NOTICE_DUE);
    stored = false;
    assert_safe(deliver());
    ck_assert_uint_eq(put_count, 1);
    ck_assert_uint_eq(notice_count, 1);
    ck_assert_str_eq(events, "remark sent again: all of it: the object is not in the bucket any "
                             "more\nuploaded \nnotified \n");
}
END_TEST

START_TEST(what_was_sent_to_another_bucket_is_sent_to_the_one_of_the_settings)
{
    static const char *const others[] = {"127.0.0.1:1/old", "s3.example.net/recordings"};

    add_uploaded(others[_i], JOURNAL_NOTICE_DUE);
    stored = false;
    assert_safe(deliver());
    ck_assert_str_eq(last_put_url, "http://127.0.0.1:1/recordings/" MEDIA);
    ck_assert_ptr_nonnull(strstr(last_body, "\"recordings\""));
    ck_assert_str_eq(file.location, "127.0.0.1:1/recordings");
    ck_assert_ptr_nonnull(strstr(events, "the settings name another bucket"));
}
END_TEST

START_TEST(without_its_file_it_is_looked_for_where_it_was_sent_to_and_announced_there)
{
    add_uploaded("127.0.0.1:1/old", JOURNAL_NOTICE_DUE);
    if (_i)
        ck_assert_int_eq(unlink(in_session(MEDIA)), 0);
    else
        gone = true;
    assert_safe(deliver());
    ck_assert_str_eq(last_head_url, "http://127.0.0.1:1/old/" MEDIA);
    ck_assert_ptr_nonnull(strstr(last_body, "\"old\""));
    ck_assert_str_eq(file.location, "127.0.0.1:1/old");
}
END_TEST

START_TEST(without_its_file_it_is_not_announced_when_it_is_not_there)
{
    const struct error *error;

    add_uploaded("127.0.0.1:1/recordings", JOURNAL_NOTICE_DUE);
    gone = _i == 0;
    notify_only = _i == 1; /* it is not to be sent */
    stored = false;
    error = deliver();
    ck_assert(error && error->kind == ERROR_CHANGED);
    ck_assert_int_eq(file.state, JOURNAL_FILE_PENDING);
    ck_assert_uint_eq(notice_count + put_count, 0);
}
END_TEST

START_TEST(a_file_that_vanished_as_its_upload_ended_is_looked_for)
{
    bool multipart = _i / 2;

    add_uploaded("127.0.0.1:1/recordings", JOURNAL_NOTICE_DUE);
    file.state = JOURNAL_FILE_PENDING;
    file.phase = multipart ? JOURNAL_PHASE_COMPLETING : JOURNAL_PHASE_PUTTING;
    strcpy(file.upload_id, multipart ? "u1" : "");
    ck_assert(journal_save_file(journal, &file, &err));
    gone = true;
    stored = _i % 2 == 0;
    if (stored) {
        assert_safe(deliver());
        ck_assert_uint_eq(notice_count, 1);
        return;
    }
    ck_assert_ptr_nonnull(deliver());
    ck_assert_int_eq(file.state, JOURNAL_FILE_PENDING);
    ck_assert_int_eq(file.phase, multipart ? JOURNAL_PHASE_OPEN : JOURNAL_PHASE_NONE);
    ck_assert_uint_eq(notice_count, 0);
}
END_TEST

START_TEST(what_may_lie_at_another_server_is_not_called_gone)
{
    add_uploaded("s3.example.net/recordings", JOURNAL_NOTICE_DUE);
    file.state = JOURNAL_FILE_PENDING;
    file.phase = JOURNAL_PHASE_PUTTING;
    ck_assert(journal_save_file(journal, &file, &err));
    gone = true;
    ck_assert(!try_open());
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(err.text, "s3.example.net/recordings"));
}
END_TEST

START_TEST(a_recording_without_a_meeting_id_is_uploaded_and_left_for_a_person)
{
    const struct error *error;

    unit_write_text(in_session("standup_2024-04-23-15-04-05.mp4"), "x");
    add_row("standup_2024-04-23-15-04-05.mp4", true);
    error = deliver();
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(error->kind, ERROR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(error->text, "meeting id"));
    ck_assert(stored);
    ck_assert_uint_eq(notice_count, 0);
    ck_assert_int_eq(file.state, JOURNAL_FILE_UPLOADED);
    ck_assert_int_eq(file.notice, JOURNAL_NOTICE_REFUSED);
}
END_TEST

START_TEST(metadata_is_uploaded_without_credentials)
{
    unit_write_text(in_session("metadata.json"),
                    "{\"share\": true, \"upload_credentials\": {\"t\": \"s3cr3t\"}}");
    add_row("metadata.json", false);
    assert_safe(deliver());
    ck_assert_ptr_nonnull(strstr(stored_text, "share"));
    ck_assert_ptr_null(strstr(stored_text, "s3cr3t"));
    ck_assert_ptr_null(strstr(stored_text, "upload_credentials"));
    ck_assert_uint_eq(file.object_bytes, stored_bytes);
    ck_assert_uint_ne(file.object_bytes, file.identity.size_bytes);
}
END_TEST

START_TEST(metadata_that_may_hold_credentials_is_not_uploaded)
{
    unit_write_text(in_session("metadata.json"), "{\"upload_credentials\": {\"t\": \"s3cr3t\"");
    add_row("metadata.json", false);
    ck_assert(!try_open());
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_uint_eq(put_count, 0);
}
END_TEST

START_TEST(a_file_that_is_not_what_its_row_says_is_not_opened)
{
    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    unit_write_text(in_session(MEDIA), "something else");
    ck_assert(!try_open());
    ck_assert_int_eq(err.kind, ERROR_CHANGED);
}
END_TEST

START_TEST(a_file_that_changes_on_its_way_is_not_uploaded)
{
    const struct error *error;
    struct delivery_step step;

    unit_write_text(in_session(MEDIA), "x");
    add_row(MEDIA, true);
    ck_assert(try_open());
    ck_assert(delivery_next(delivery, true, now_ms, 1700000000, &step, &err));
    ck_assert_int_eq(step.kind, UPLOAD_STEP_REQUEST);
    answer_step(&step);
    unit_write_text(in_session(MEDIA), "y longer");
    error = drive();
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(error->kind, ERROR_CHANGED);
    ck_assert_uint_eq(put_count, 0);
}
END_TEST

START_TEST(the_prefix_is_filled_in_from_the_recording)
{
    settings.s3_key_prefix = "{yyyy}/{mm}/{dd}/{meeting}/{session}/";
    unit_write_text(in_session("notes.txt"), "hello");
    add_row("notes.txt", false);
    assert_safe(deliver());
    ck_assert_str_eq(file.key, "2024/04/23/12345/session/session/notes.txt");
}
END_TEST

START_TEST(while_nothing_may_be_sent_nothing_is)
{
    struct delivery_step step;

    add_uploaded("s3.example.net/recordings", JOURNAL_NOTICE_DUE);
    gone = true; /* so that there is nothing to be looked for first */
    ck_assert(try_open());
    ck_assert(delivery_next(delivery, false, now_ms, 1700000000, &step, &err));
    ck_assert_int_eq(step.kind, UPLOAD_STEP_NONE);
    load_row();
    ck_assert_int_eq(file.notice, JOURNAL_NOTICE_DUE);
}
END_TEST

/* ---- a file that grows ----------------------------------------------------------------------- */

START_TEST(a_file_that_has_grown_is_still_the_one_of_its_row_and_one_that_shrank_is_not)
{
    unit_write_text(in_session(MEDIA), "pictures");
    add_row(MEDIA, true);
    unit_write_text(in_session(MEDIA), "pictures and sound");
    ck_assert(!try_open());
    growing = true;
    error_clear(&err);
    ck_assert_msg(try_open(), "%s", err.text);
    delivery_close(delivery);
    delivery = NULL;
    unit_write_text(in_session(MEDIA), "pictur");
    ck_assert(!try_open());
    ck_assert_int_eq(err.kind, ERROR_CHANGED);
}
END_TEST

START_TEST(another_file_in_its_place_is_not_the_one_of_its_row)
{
    growing = true;
    unit_write_text(in_session(MEDIA), "pictures");
    add_row(MEDIA, true);
    file.identity.inode++;
    ck_assert(!try_open());
    ck_assert_int_eq(err.kind, ERROR_CHANGED);
}
END_TEST

/* Its row has no time: intake.c puts a mark there. */
START_TEST(the_day_in_the_key_of_a_growing_file_is_that_of_the_file)
{
    struct delivery_step step;

    settings.s3_key_prefix = "{yyyy}/";
    growing = true;
    unit_write_text(in_session("77_a.mp4"), "pictures");
    add_row("77_a.mp4", true);
    file.identity.mtime_ns = INT64_MIN;
    ck_assert_msg(try_open(), "%s", err.text);
    ck_assert(delivery_next(delivery, true, now_ms, 1700000000, &step, &err));
    ck_assert_int_eq(step.kind, UPLOAD_STEP_REQUEST);
    ck_assert_msg(strstr(step.request.url, "/recordings/2") != NULL, "%s", step.request.url);
    http_request_done(&step.request);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("delivery");
    TCase *cases = tcase_create("delivery");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_recording_is_uploaded_and_the_backend_told);
    tcase_add_test(cases, another_file_is_uploaded_without_a_notice);
    tcase_add_test(cases, without_notices_a_recording_is_safe_once_it_is_uploaded);
    tcase_add_loop_test(cases, a_refused_notice_leaves_the_file_and_says_why, 0, 5);
    tcase_add_test(cases, what_the_backend_may_have_taken_is_told_again_only_when_a_person_calls);
    tcase_add_test(cases, a_refused_notice_is_sent_again_by_the_next_run_without_an_upload);
    tcase_add_loop_test(cases, a_notice_that_failed_is_sent_again_with_the_same_idempotency_key, 0,
                        5);
    tcase_add_test(cases, a_backend_that_stays_away_is_left_for_later_and_the_next_run_goes_on);
    tcase_add_test(cases, a_backend_that_asks_for_a_long_pause_is_left_at_once_and_the_time_kept);
    tcase_add_test(cases, a_notice_that_was_accepted_is_never_sent_again);
    tcase_add_test(cases, a_notice_of_unknown_fate_is_repeated);
    tcase_add_test(cases, what_is_not_in_the_bucket_any_more_is_sent_again_before_the_notice);
    tcase_add_loop_test(cases, what_was_sent_to_another_bucket_is_sent_to_the_one_of_the_settings,
                        0, 2);
    tcase_add_loop_test(
        cases, without_its_file_it_is_looked_for_where_it_was_sent_to_and_announced_there, 0, 2);
    tcase_add_loop_test(cases, without_its_file_it_is_not_announced_when_it_is_not_there, 0, 2);
    tcase_add_loop_test(cases, a_file_that_vanished_as_its_upload_ended_is_looked_for, 0, 4);
    tcase_add_test(cases, what_may_lie_at_another_server_is_not_called_gone);
    tcase_add_test(cases, a_recording_without_a_meeting_id_is_uploaded_and_left_for_a_person);
    tcase_add_test(cases, metadata_is_uploaded_without_credentials);
    tcase_add_test(cases, metadata_that_may_hold_credentials_is_not_uploaded);
    tcase_add_test(cases, a_file_that_is_not_what_its_row_says_is_not_opened);
    tcase_add_test(cases, a_file_that_changes_on_its_way_is_not_uploaded);
    tcase_add_test(cases, the_prefix_is_filled_in_from_the_recording);
    tcase_add_test(cases, while_nothing_may_be_sent_nothing_is);
    tcase_add_test(cases,
                   a_file_that_has_grown_is_still_the_one_of_its_row_and_one_that_shrank_is_not);
    tcase_add_test(cases, another_file_in_its_place_is_not_the_one_of_its_row);
    tcase_add_test(cases, the_day_in_the_key_of_a_growing_file_is_that_of_the_file);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
