#include "finalize/upload/upload.h"

#include "finalize/base/buffer.h"
#include "finalize/upload/retry.h"
#include "tests/unit/fake_bucket.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>

#define KEY        "12345_2024-04-23-15-04-05.mp4"
#define SECOND_KEY "12345_2024-04-23-15-04-05~2.mp4"
#define MARK       "00112233445566778899aabbccddeeff"
#define OTHER_MARK "ffeeddccbbaa99887766554433221100"

#define PATIENCE_MS   120000u
#define MAX_UNDER_WAY 16u
#define NEVER         UINT_MAX
#define RANDOM_RUNS   500

/* ---- the world of an upload ------------------------------------------------------------------
 */

struct under_way {
    bool reading;
    unsigned slot;
    struct s3_call call;
    uint64_t offset, length;
    unsigned wants;
};

static struct fake_bucket bucket;
static struct settings settings;
static struct journal *journal;
static struct journal_file file;
static struct rng rng;
static struct error err;
static uint8_t content[FAKE_OBJECT_BYTES];
static size_t content_size;
static int fd;
static int read_errno; /* what every read fails with */
static bool changed;   /* the file isn't what it was */
static struct buffer reports;
static uint64_t now_ms;
static int64_t now;

static uint64_t seed_under_way; /* of the tests at random; 0: of none */

static struct upload *upload;
static struct under_way under_way[MAX_UNDER_WAY];
static unsigned under_way_count;
static unsigned under_way_most; /* requests at once, at any time */
static bool ended;
static bool growing; /* the file is still being written */
static bool shuffle; /* replies come in any order */
/* Called after each reply of the bucket, before the upload hears it. */
static void (*after_call)(enum s3_operation operation, unsigned count);

static bool on_unchanged(void *context)
{
    (void)context;
    return !changed;
}

static void on_report(void *context, const char *sentence)
{
    (void)context;
    buffer_append_text(&reports, sentence);
    buffer_append_text(&reports, "\n");
}

static void add_row(void)
{
    struct journal_recording recording;

    ck_assert(journal_begin_recording(journal, "/recordings/abc", "abc", 1000, &recording, &err));
    file = (struct journal_file){.recording_id = recording.id,
                                 .media = true,
                                 .state = JOURNAL_FILE_PENDING,
                                 .mark = MARK,
                                 .object_bytes = content_size};
    file.identity.size_bytes = content_size;
    snprintf(file.path, sizeof file.path, "%s", KEY);
    ck_assert(journal_add_file(journal, &file, &err));
}

/* A new world: an empty bucket, an empty journal, a file of `size` bytes. */
static void begin(size_t size)
{
    memset(&bucket, 0, sizeof bucket);
    settings = (struct settings){.s3_part_size_bytes = FAKE_PART_BYTES,
                                 .s3_parallel = 3,
                                 .s3_retry_for_ms = PATIENCE_MS,
                                 .s3_max_object_bytes = UINT64_C(5) << 40};
    error_clear(&err);
    rng.state = 42;
    now_ms = 5000;
    now = 1700000000;
    read_errno = 0;
    changed = ended = shuffle = growing = false;
    after_call = NULL;
    under_way_count = under_way_most = 0;
    buffer_init(&reports, 100000);
    content_size = size;
    for (size_t i = 0; i < size; i++)
        content[i] = (uint8_t)(i * 31 + i / 1000);
    fd = memfd_create("test", MFD_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, content, size, 0), (ssize_t)size);
    ck_assert(journal_open(":memory:", &journal, &err));
    add_row();
}

static void finish(void)
{
    upload_close(upload);
    upload = NULL;
    journal_close(journal);
    buffer_done(&reports);
    close(fd);
}

static void open_upload(void)
{
    struct upload_options options = {.settings = &settings,
                                     .journal = journal,
                                     .file = &file,
                                     .rng = &rng,
                                     .fd = fd,
                                     .base_key = KEY,
                                     .content_type = "video/mp4",
                                     .session_id = "abc",
                                     .growing = growing,
                                     .unchanged = on_unchanged,
                                     .report = on_report};

    ck_assert_msg(upload_open(&options, &upload, &err), "%s", err.text);
    ended = false;
    under_way_count = 0;
}

/* What a kill and a new start do: all that is known is in the journal. */
static void load_row(void)
{
    int64_t id = file.recording_id;
    bool found;

    memset(&file, 0, sizeof file);
    ck_assert(journal_find_file(journal, id, KEY, &file, &found, &err));
    ck_assert(found);
}

/* What fails says with which numbers. */
#define MUST(condition)                                                         \
    ck_assert_msg((condition), "TEST_SEED=%llu: it is not so that " #condition, \
                  (unsigned long long)seed_under_way)

/* ---- driving it ------------------------------------------------------------------------------
 */

static void report_bytes(const struct under_way *job)
{
    struct hasher_result result = {.slot = job->slot};
    static uint8_t bytes[FAKE_OBJECT_BYTES + 1];
    uint8_t digest[DIGEST_SHA256_BYTES];
    ssize_t got = -1;

    ck_assert_uint_lt(job->length, sizeof bytes);
    if (!read_errno)
        got = pread(fd, bytes, job->length, (off_t)job->offset);
    result.whole = got == (ssize_t)job->length;
    result.read_errno = got < 0 ? read_errno : 0;
    if (result.whole) {
        ck_assert(digest_sha256(bytes, job->length, digest));
        memcpy(result.fingerprint, digest, sizeof result.fingerprint); /* any digest will do */
        if (job->wants & HASHER_WANTS_SHA256)
            digest_hex(digest, DIGEST_SHA256_BYTES, result.sha256_hex);
        ck_assert(digest_md5(bytes, job->length, digest));
        if (job->wants & HASHER_WANTS_MD5) {
            digest_hex(digest, DIGEST_MD5_BYTES, result.md5_hex);
            digest_md5_base64(digest, result.md5_base64);
        }
    }
    ck_assert_msg(upload_take_bytes(upload, job->slot, &result, &err), "%s", err.text);
}

static void report_reply(struct under_way *job)
{
    struct s3_result result;

    fake_call(&bucket, &job->call, &result);
    if (after_call)
        after_call(job->call.operation, bucket.calls[job->call.operation]);
    ck_assert_msg(upload_take_reply(upload, job->slot, &result, now_ms, now, &err), "%s", err.text);
    s3_result_done(&result);
}

static void report_one(void)
{
    unsigned index = shuffle ? (unsigned)rng_up_to(&rng, under_way_count - 1) : 0;
    struct under_way job = under_way[index];

    under_way_count--;
    memmove(&under_way[index], &under_way[index + 1],
            (under_way_count - index) * sizeof under_way[0]);
    if (job.reading)
        report_bytes(&job);
    else
        report_reply(&job);
}

static unsigned requests_under_way(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < under_way_count; i++)
        count += !under_way[i].reading;
    return count;
}

static void note_step(const struct upload_step *step)
{
    ck_assert_uint_lt(under_way_count, MAX_UNDER_WAY);
    for (unsigned i = 0; i < under_way_count; i++)
        ck_assert_uint_ne(under_way[i].slot, step->slot);
    under_way[under_way_count++] = (struct under_way){.reading = step->kind == UPLOAD_STEP_READ,
                                                      .slot = step->slot,
                                                      .call = step->call,
                                                      .offset = step->read.offset,
                                                      .length = step->read.length,
                                                      .wants = step->read.wants};
    if (requests_under_way() > under_way_most)
        under_way_most = requests_under_way();
}

/* One event: a step that is given out, or a report. */
static void drive(void)
{
    bool may_send = requests_under_way() < settings.s3_parallel;
    struct upload_step step;

    ck_assert_msg(upload_next(upload, may_send, now_ms, now, &step, &err), "%s", err.text);
    switch (step.kind) {
    case UPLOAD_STEP_REQUEST:
        ck_assert(may_send);
        note_step(&step);
        break;
    case UPLOAD_STEP_READ:
        note_step(&step);
        break;
    case UPLOAD_STEP_PAUSE:
        ck_assert_uint_gt(step.until_ms, now_ms);
        if (under_way_count)
            report_one();
        else
            now_ms = step.until_ms;
        break;
    case UPLOAD_STEP_NONE:
        MUST(under_way_count > 0);
        report_one();
        break;
    case UPLOAD_STEP_END:
        ended = true;
        break;
    }
    now_ms++;
}

/* Drives it for so many events, or to its end. */
static void drive_for(unsigned events)
{
    while (events-- && !ended)
        drive();
}

/* After the end, what was under way still reports. */
static void close_upload(void)
{
    while (ended && under_way_count)
        report_one();
    upload_close(upload);
    upload = NULL;
    under_way_count = 0;
}

static const struct error *run(void)
{
    static struct error error;
    const struct error *found;

    open_upload();
    drive_for(NEVER);
    found = upload_error(upload);
    if (found)
        error = *found;
    close_upload();
    return found ? &error : NULL;
}

/* The process dies. What was under way arrives in the bucket all the same, or does not. */
static void kill_upload(bool arrives)
{
    for (unsigned i = 0; arrives && i < under_way_count; i++) {
        struct s3_result result;

        if (under_way[i].reading)
            continue;
        fake_act(&bucket, &under_way[i].call, &result);
        s3_result_done(&result);
    }
    upload_close(upload);
    upload = NULL;
    under_way_count = 0;
    load_row();
}

/* ---- what must be so -------------------------------------------------------------------------
 */

static void assert_ok(const struct error *error)
{
    ck_assert_msg(!error, "TEST_SEED=%llu: %s", (unsigned long long)seed_under_way,
                  error ? error->text : "");
}

static void assert_failed(const struct error *error, enum error_kind kind)
{
    ck_assert_msg(error && error->kind == kind, "%s", error ? error->text : "it did not fail");
    load_row();
    ck_assert_int_eq(file.state, JOURNAL_FILE_PENDING);
}

/* The journal has no part of the file any more. */
static void assert_no_parts(void)
{
    struct journal_part part;
    bool found;

    ck_assert(journal_next_part(journal, file.id, 0, &part, &found, &err));
    ck_assert(!found);
}

/* Exactly one object is ours, whole; nothing is left open; the row says so. */
static void assert_uploaded(void)
{
    const struct fake_object *ours = NULL;
    unsigned ours_count = 0;

    load_row();
    for (unsigned i = 0; i < FAKE_OBJECTS; i++)
        if (bucket.objects[i].there && !strcmp(bucket.objects[i].mark, MARK)) {
            ours = &bucket.objects[i];
            ours_count++;
        }
    MUST(ours_count == 1);
    MUST(!strcmp(ours->key, file.key));
    MUST(ours->size == content_size);
    MUST(!memcmp(ours->bytes, content, content_size));
    MUST(fake_open_uploads(&bucket) == 0);
    MUST(!bucket.overwrote);
    MUST(file.state == JOURNAL_FILE_UPLOADED);
    MUST(file.phase == JOURNAL_PHASE_NONE);
    MUST(!file.upload_id[0]);
    MUST(!strcmp(file.etag, ours->etag));
    MUST(file.uploaded_at == now);
    assert_no_parts();
}

static void assert_runs_well(void)
{
    assert_ok(run());
    assert_uploaded();
}

static void put_somebody_else_s(const char *key)
{
    fake_put_object(&bucket, key, OTHER_MARK, "not ours", 8);
}

static unsigned calls(enum s3_operation operation)
{
    return bucket.calls[operation];
}

/* A server's answer to every call from `first` to `last` of an operation. */
static void answer(enum s3_operation operation, unsigned first, unsigned last,
                   enum s3_outcome outcome, const char *code)
{
    fake_fault_on(&bucket, (struct fake_fault){.operation = operation,
                                               .first = first,
                                               .last = last,
                                               .kind = FAKE_ANSWER,
                                               .outcome = outcome,
                                               .code = code});
}

static void lose(enum s3_operation operation, unsigned first, unsigned last,
                 enum fake_fault_kind kind)
{
    fake_fault_on(&bucket, (struct fake_fault){
                               .operation = operation, .first = first, .last = last, .kind = kind});
}

/* ---- the plain ways -------------------------------------------------------------------------- */

START_TEST(a_small_file_is_put_and_confirmed)
{
    begin(500);
    assert_runs_well();
    ck_assert_str_eq(file.key, KEY);
    ck_assert_uint_eq(calls(S3_PUT_OBJECT), 1);
    ck_assert_uint_eq(calls(S3_HEAD_OBJECT), 2);
    ck_assert_uint_eq(bucket.total_calls, 3);
    finish();
}
END_TEST

START_TEST(an_empty_file_is_put)
{
    begin(0);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_PUT_OBJECT), 1);
    finish();
}
END_TEST

START_TEST(a_file_of_exactly_one_part_is_put)
{
    begin(FAKE_PART_BYTES);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_PUT_OBJECT), 1);
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 0);
    finish();
}
END_TEST

START_TEST(a_file_of_one_part_and_a_byte_is_sent_in_two_parts)
{
    begin(FAKE_PART_BYTES + 1);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_PUT_OBJECT), 0);
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 1);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 2);
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 1);
    ck_assert_uint_eq(calls(S3_LIST_PARTS), 0);
    finish();
}
END_TEST

START_TEST(a_large_file_is_sent_in_parts_several_at_once)
{
    begin(10 * FAKE_PART_BYTES + 77);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 11);
    ck_assert_uint_eq(under_way_most, 3);
    ck_assert_uint_eq(bucket.part_bytes_sent, content_size);
    finish();
}
END_TEST

START_TEST(parts_may_be_acknowledged_in_any_order)
{
    for (unsigned seed = 0; seed < 20; seed++) {
        begin(10 * FAKE_PART_BYTES + 77);
        rng.state = seed;
        shuffle = true;
        assert_runs_well();
        ck_assert_uint_eq(calls(S3_UPLOAD_PART), 11);
        finish();
    }
}
END_TEST

START_TEST(nothing_is_sent_while_nothing_may_be_sent)
{
    begin(3 * FAKE_PART_BYTES);
    settings.s3_parallel = 1;
    assert_runs_well();
    ck_assert_uint_eq(under_way_most, 1);
    finish();
}
END_TEST

START_TEST(progress_ends_with_all_of_the_file)
{
    uint64_t held, kept;

    begin(2500);
    open_upload();
    upload_progress(upload, &held, &kept);
    ck_assert_uint_eq(held, 0);
    drive_for(NEVER);
    upload_progress(upload, &held, &kept);
    ck_assert_uint_eq(held, 2500);
    ck_assert_uint_eq(kept, 0);
    close_upload();
    finish();
}
END_TEST

START_TEST(content_md5_is_sent_when_it_is_asked_for)
{
    begin(2500);
    settings.s3_content_md5 = true;
    open_upload();
    while (!ended) {
        drive();
        for (unsigned i = 0; i < under_way_count; i++)
            if (under_way[i].call.operation == S3_UPLOAD_PART && !under_way[i].reading)
                ck_assert_uint_eq(strlen(under_way[i].call.content_md5), 24);
    }
    ck_assert_ptr_null(upload_error(upload));
    close_upload();
    assert_uploaded();
    finish();
}
END_TEST

START_TEST(a_file_with_more_bytes_than_an_object_may_have_is_a_person_s_matter)
{
    begin(2500);
    settings.s3_max_object_bytes = 2499;
    assert_failed(run(), ERROR_PERMANENT);
    ck_assert_uint_eq(bucket.total_calls, calls(S3_HEAD_OBJECT));
    finish();
}
END_TEST

START_TEST(a_file_with_more_parts_than_fit_is_a_person_s_matter)
{
    const struct error *error;

    begin(0);
    file.object_bytes = UINT64_C(1) << 40;
    ck_assert(journal_save_file(journal, &file, &err));
    error = run();
    assert_failed(error, ERROR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(error->text, "CONFOMEET_S3_PART_SIZE"));
    finish();
}
END_TEST

/* ---- keys ------------------------------------------------------------------------------------ */

START_TEST(a_key_that_is_taken_gets_a_suffix)
{
    begin(_i ? 2500 : 500);
    put_somebody_else_s(KEY);
    assert_runs_well();
    ck_assert_str_eq(file.key, SECOND_KEY);
    ck_assert_str_eq(fake_find_object(&bucket, KEY)->mark, OTHER_MARK);
    ck_assert_ptr_nonnull(strstr(buffer_text(&reports), KEY));
    finish();
}
END_TEST

START_TEST(suffixed_keys_that_are_taken_are_passed_over)
{
    begin(500);
    put_somebody_else_s(KEY);
    put_somebody_else_s(SECOND_KEY);
    assert_runs_well();
    ck_assert_str_eq(file.key, "12345_2024-04-23-15-04-05~3.mp4");
    finish();
}
END_TEST

START_TEST(an_object_with_our_mark_and_another_size_is_not_ours)
{
    begin(500);
    fake_put_object(&bucket, KEY, MARK, content, 499);
    assert_ok(run());
    load_row();
    ck_assert_str_eq(file.key, SECOND_KEY);
    ck_assert_uint_eq(fake_find_object(&bucket, KEY)->size, 499);
    finish();
}
END_TEST

START_TEST(a_key_that_another_file_of_the_journal_has_is_not_taken)
{
    struct journal_file other;

    begin(500);
    other = file;
    snprintf(other.path, sizeof other.path, "other.mp4");
    ck_assert(journal_add_file(journal, &other, &err));
    snprintf(other.key, sizeof other.key, "%s", KEY);
    ck_assert(journal_save_file(journal, &other, &err));
    assert_runs_well();
    ck_assert_str_eq(file.key, SECOND_KEY);
    finish();
}
END_TEST

static void put_somebody_else_s_after_the_last_part(enum s3_operation operation, unsigned count)
{
    if (operation == S3_UPLOAD_PART && count == 3)
        put_somebody_else_s(KEY);
}

START_TEST(a_key_taken_while_the_parts_were_sent_is_left_alone_and_the_upload_aborted)
{
    begin(2500);
    after_call = put_somebody_else_s_after_the_last_part;
    assert_runs_well();
    ck_assert_str_eq(file.key, SECOND_KEY);
    ck_assert_str_eq(fake_find_object(&bucket, KEY)->mark, OTHER_MARK);
    ck_assert_uint_eq(calls(S3_ABORT_UPLOAD), 1);
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 1);
    finish();
}
END_TEST

static void put_somebody_else_s_after_the_last_look(enum s3_operation operation, unsigned count)
{
    unsigned last = content_size > FAKE_PART_BYTES ? 2 : 1;

    if (operation == S3_HEAD_OBJECT && count == last)
        put_somebody_else_s(KEY);
}

START_TEST(a_conditional_write_that_meets_an_object_leads_to_a_suffix)
{
    begin(_i ? 2500 : 500);
    bucket.conditional = true;
    after_call = put_somebody_else_s_after_the_last_look;
    assert_runs_well();
    ck_assert_str_eq(file.key, SECOND_KEY);
    finish();
}
END_TEST

START_TEST(a_hundred_taken_keys_are_a_person_s_matter)
{
    begin(500);
    /* HEAD finds somebody else's object wherever it looks. */
    answer(S3_HEAD_OBJECT, 1, FAKE_ALWAYS, S3_DONE, NULL);
    assert_failed(run(), ERROR_PERMANENT);
    ck_assert_uint_eq(calls(S3_HEAD_OBJECT), 99);
    ck_assert_uint_eq(bucket.total_calls, 99);
    finish();
}
END_TEST

/* ---- lost replies ---------------------------------------------------------------------------- */

START_TEST(an_object_that_is_ours_already_is_not_sent_again)
{
    begin(_i ? 2500 : 500);
    fake_put_object(&bucket, KEY, MARK, content, content_size);
    assert_runs_well();
    ck_assert_uint_eq(bucket.total_calls, 1);
    finish();
}
END_TEST

START_TEST(a_lost_reply_to_put_leads_to_no_second_put)
{
    begin(500);
    lose(S3_PUT_OBJECT, 1, 1, FAKE_LOSE_REPLY);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_PUT_OBJECT), 1);
    finish();
}
END_TEST

START_TEST(a_put_that_was_lost_is_sent_again)
{
    begin(500);
    lose(S3_PUT_OBJECT, 1, 2, FAKE_LOSE_REQUEST);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_PUT_OBJECT), 3);
    finish();
}
END_TEST

START_TEST(a_put_that_found_no_server_is_sent_again_without_a_look)
{
    begin(500);
    lose(S3_PUT_OBJECT, 1, 2, FAKE_NO_CONNECTION);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_PUT_OBJECT), 3);
    ck_assert_uint_eq(calls(S3_HEAD_OBJECT), 2);
    finish();
}
END_TEST

START_TEST(a_lost_reply_to_complete_leads_to_no_second_upload)
{
    begin(2500);
    lose(S3_COMPLETE_UPLOAD, 1, 1, FAKE_LOSE_REPLY);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 1);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 3);
    finish();
}
END_TEST

START_TEST(a_complete_that_was_lost_is_sent_again_and_no_part)
{
    begin(2500);
    lose(S3_COMPLETE_UPLOAD, 1, 5, FAKE_LOSE_REQUEST);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 6);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 3);
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 1);
    finish();
}
END_TEST

static void expire_after_complete(enum s3_operation operation, unsigned count)
{
    if (operation == S3_COMPLETE_UPLOAD && count == 1)
        fake_expire_uploads(&bucket);
}

START_TEST(a_complete_that_was_lost_with_its_upload_leads_to_a_new_upload)
{
    begin(2500);
    lose(S3_COMPLETE_UPLOAD, 1, 1, FAKE_LOSE_REQUEST);
    after_call = expire_after_complete;
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 6);
    finish();
}
END_TEST

START_TEST(a_repeated_complete_that_says_no_such_upload_although_it_was_done_is_success)
{
    begin(2500);
    lose(S3_COMPLETE_UPLOAD, 1, 1, FAKE_LOSE_REPLY);
    answer(S3_HEAD_OBJECT, 3, 3, S3_NO_SUCH_KEY, NULL); /* and HEAD lags behind */
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 2);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 3);
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 1);
    finish();
}
END_TEST

START_TEST(an_object_that_is_ours_although_its_upload_is_open_leaves_no_upload_behind)
{
    begin(2500);
    open_upload();
    while (calls(S3_UPLOAD_PART) < 2)
        drive();
    kill_upload(true);
    fake_put_object(&bucket, KEY, MARK, content, content_size); /* an earlier Complete, late */
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_ABORT_UPLOAD), 1);
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 0);
    finish();
}
END_TEST

START_TEST(a_lost_reply_to_create_leaves_no_upload_behind)
{
    begin(2500);
    lose(S3_CREATE_UPLOAD, 1, 1, FAKE_LOSE_REPLY);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    ck_assert_uint_eq(calls(S3_ABORT_UPLOAD), 1);
    finish();
}
END_TEST

START_TEST(an_upload_of_our_key_with_parts_is_somebody_else_s_and_left_alone)
{
    struct fake_upload *theirs;

    begin(2500);
    theirs = fake_open_upload(&bucket, KEY, OTHER_MARK);
    theirs->parts[0].there = true;
    lose(S3_CREATE_UPLOAD, 1, 1, FAKE_LOSE_REPLY);
    assert_ok(run());
    ck_assert(theirs->open);
    ck_assert_uint_eq(fake_open_uploads(&bucket), 1);
    theirs->open = false;
    assert_uploaded();
    finish();
}
END_TEST

START_TEST(an_upload_of_unknown_id_is_aborted_although_its_key_was_taken_meanwhile)
{
    begin(2500);
    open_upload();
    while (file.phase != JOURNAL_PHASE_CREATING)
        drive();
    kill_upload(true); /* the bucket has made the upload */
    put_somebody_else_s(KEY);
    assert_runs_well();
    ck_assert_str_eq(file.key, SECOND_KEY);
    finish();
}
END_TEST

START_TEST(a_create_that_found_no_server_is_sent_again_without_a_search)
{
    begin(2500);
    lose(S3_CREATE_UPLOAD, 1, 1, FAKE_NO_CONNECTION);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    ck_assert_uint_eq(calls(S3_LIST_UPLOADS), 0);
    finish();
}
END_TEST

START_TEST(a_search_for_orphans_that_is_refused_does_not_stop_the_upload)
{
    begin(2500);
    lose(S3_CREATE_UPLOAD, 1, 1, FAKE_LOSE_REQUEST);
    answer(S3_LIST_UPLOADS, 1, FAKE_ALWAYS, S3_REFUSED, "AccessDenied");
    assert_runs_well();
    finish();
}
END_TEST

/* Each reply, or each request, of a run is lost: once, wherever it comes. */
START_TEST(whichever_reply_is_lost_all_ends_well)
{
    static const size_t sizes[] = {500, 2500};
    static const enum fake_fault_kind kinds[] = {FAKE_LOSE_REPLY, FAKE_LOSE_REQUEST,
                                                 FAKE_NO_CONNECTION};

    for (unsigned operation = 0; operation < FAKE_OPERATIONS; operation++)
        for (unsigned count = 1; count <= 4; count++)
            for (unsigned again = 0; again <= 2; again += 2) {
                begin(sizes[_i / 3]);
                put_somebody_else_s("unrelated");
                if (again == 2)
                    after_call = put_somebody_else_s_after_the_last_part;
                lose(operation, count, count + again, kinds[_i % 3]);
                assert_runs_well();
                finish();
            }
}
END_TEST

/* ---- uploads that are gone, parts that differ -------------------------------------------------
 */

START_TEST(an_upload_that_is_gone_while_parts_are_sent_is_begun_anew)
{
    begin(10 * FAKE_PART_BYTES);
    answer(S3_UPLOAD_PART, 4, 6, S3_NO_SUCH_UPLOAD, "NoSuchUpload");
    assert_ok(run());
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    fake_find_upload(&bucket, "upload-1")->open = false; /* only said to be gone */
    assert_uploaded();
    finish();
}
END_TEST

static void expire_after_two_parts(enum s3_operation operation, unsigned count)
{
    if (operation == S3_UPLOAD_PART && count == 2)
        fake_expire_uploads(&bucket);
}

START_TEST(an_upload_that_expires_while_parts_are_sent_is_begun_anew)
{
    begin(10 * FAKE_PART_BYTES);
    after_call = expire_after_two_parts;
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    finish();
}
END_TEST

START_TEST(an_upload_that_is_gone_when_the_run_begins_is_begun_anew)
{
    begin(2500);
    open_upload();
    while (calls(S3_UPLOAD_PART) < 2)
        drive();
    kill_upload(true);
    fake_expire_uploads(&bucket);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    ck_assert_ptr_nonnull(strstr(buffer_text(&reports), "sent again: "));
    finish();
}
END_TEST

static void expire_before_complete(enum s3_operation operation, unsigned count)
{
    if (operation == S3_UPLOAD_PART && count == 3)
        fake_expire_uploads(&bucket);
}

START_TEST(an_upload_that_is_gone_when_it_is_completed_is_begun_anew)
{
    begin(2500);
    after_call = expire_before_complete;
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 2);
    finish();
}
END_TEST

static void expire_at_every_part(enum s3_operation operation, unsigned count)
{
    (void)count;
    if (operation == S3_UPLOAD_PART)
        fake_expire_uploads(&bucket);
}

START_TEST(an_upload_that_keeps_vanishing_is_left_for_later)
{
    begin(2500);
    after_call = expire_at_every_part;
    assert_failed(run(), ERROR_TRANSIENT);
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 4);
    after_call = NULL;
    assert_runs_well();
    finish();
}
END_TEST

static void damage_a_part_before_complete(enum s3_operation operation, unsigned count)
{
    if (operation == S3_UPLOAD_PART && count == 3) {
        struct fake_part *part = &bucket.uploads[0].parts[1];

        part->bytes[5] ^= 1;
        fake_name_part(&bucket, part);
    }
}

START_TEST(a_part_that_the_bucket_holds_differently_is_sent_again_after_complete_failed)
{
    begin(2500);
    after_call = damage_a_part_before_complete;
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 2);
    ck_assert_uint_eq(calls(S3_LIST_PARTS), 1);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 4);
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 1);
    finish();
}
END_TEST

static void drop_a_part_before_complete(enum s3_operation operation, unsigned count)
{
    if (operation == S3_UPLOAD_PART && count == 3)
        bucket.uploads[0].parts[2].there = false;
}

START_TEST(a_part_that_the_bucket_lost_is_sent_again_after_complete_failed)
{
    begin(2500);
    after_call = drop_a_part_before_complete;
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 4);
    finish();
}
END_TEST

START_TEST(an_upload_that_holds_more_parts_than_the_file_has_is_aborted_and_begun_anew)
{
    begin(4500);
    open_upload();
    while (calls(S3_UPLOAD_PART) < 5)
        drive();
    kill_upload(true);
    content_size = 2500; /* it was replaced by a shorter one */
    ck_assert_int_eq(ftruncate(fd, 2500), 0);
    file.object_bytes = file.identity.size_bytes = 2500;
    ck_assert(journal_save_file(journal, &file, &err));
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_ABORT_UPLOAD), 1);
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    finish();
}
END_TEST

START_TEST(of_a_file_that_became_empty_the_open_upload_is_aborted)
{
    begin(4500);
    open_upload();
    while (calls(S3_UPLOAD_PART) < 1)
        drive();
    kill_upload(true);
    content_size = 0;
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    file.object_bytes = file.identity.size_bytes = 0;
    ck_assert(journal_save_file(journal, &file, &err));
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_ABORT_UPLOAD), 1);
    finish();
}
END_TEST

/* ---- servers that fail ------------------------------------------------------------------------
 */

START_TEST(a_complete_that_always_fails_ends_with_a_bounded_number_of_requests)
{
    begin(2500);
    answer(S3_COMPLETE_UPLOAD, 1, FAKE_ALWAYS, S3_RETRY, "InternalError");
    assert_failed(run(), ERROR_TRANSIENT);
    ck_assert_uint_le(calls(S3_COMPLETE_UPLOAD), 12);
    ck_assert_uint_le(bucket.total_calls, 80);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 3);
    ck_assert_int_eq(file.phase, JOURNAL_PHASE_COMPLETING);
    bucket.fault_count = 0; /* the server is well again */
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 3);
    finish();
}
END_TEST

START_TEST(a_complete_that_always_finds_bad_parts_ends_with_a_bounded_number_of_requests)
{
    begin(2500);
    answer(S3_COMPLETE_UPLOAD, 1, FAKE_ALWAYS, S3_BAD_PART, "InvalidPart");
    assert_failed(run(), ERROR_TRANSIENT);
    ck_assert_uint_le(calls(S3_COMPLETE_UPLOAD), 12);
    finish();
}
END_TEST

START_TEST(an_object_that_is_never_seen_ends_with_a_bounded_number_of_requests)
{
    begin(_i ? 2500 : 500);
    answer(S3_HEAD_OBJECT, 1, FAKE_ALWAYS, S3_NO_SUCH_KEY, NULL);
    assert_failed(run(), ERROR_TRANSIENT);
    ck_assert_uint_le(bucket.total_calls, 100);
    finish();
}
END_TEST

START_TEST(an_object_that_is_seen_late_is_waited_for)
{
    unsigned first = _i ? 3 : 2; /* the HEAD that confirms */

    begin(_i ? 2500 : 500);
    answer(S3_HEAD_OBJECT, first, first + 2, S3_NO_SUCH_KEY, NULL);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_PUT_OBJECT) + calls(S3_COMPLETE_UPLOAD), 1);
    finish();
}
END_TEST

START_TEST(when_nothing_succeeds_for_the_patience_it_is_left_for_later)
{
    static const enum s3_operation operations[] = {S3_HEAD_OBJECT, S3_PUT_OBJECT, S3_CREATE_UPLOAD,
                                                   S3_UPLOAD_PART};
    uint64_t began_ms;

    begin(operations[_i] == S3_PUT_OBJECT ? 500 : 2500);
    began_ms = now_ms;
    answer(operations[_i], 1, FAKE_ALWAYS, S3_RETRY, "InternalError");
    assert_failed(run(), ERROR_TRANSIENT);
    ck_assert_uint_ge(now_ms - began_ms, PATIENCE_MS);
    ck_assert_uint_le(now_ms - began_ms, 2 * PATIENCE_MS);
    ck_assert_uint_le(bucket.total_calls, 3 * 2 * RETRY_MAX_TRIES);
    bucket.fault_count = 0;
    assert_runs_well();
    finish();
}
END_TEST

START_TEST(slow_down_pauses_as_long_as_the_server_asks)
{
    static const enum s3_operation operations[] = {S3_HEAD_OBJECT, S3_CREATE_UPLOAD,
                                                   S3_COMPLETE_UPLOAD, S3_PUT_OBJECT};
    uint64_t began_ms;

    begin(operations[_i] == S3_PUT_OBJECT ? 500 : 2500);
    began_ms = now_ms;
    fake_fault_on(&bucket, (struct fake_fault){.operation = operations[_i],
                                               .first = 1,
                                               .last = 2,
                                               .kind = FAKE_ANSWER,
                                               .outcome = S3_SLOW_DOWN,
                                               .code = "SlowDown",
                                               .retry_after_ms = 7000});
    assert_runs_well();
    ck_assert_uint_ge(now_ms - began_ms, 14000);
    ck_assert_uint_le(now_ms - began_ms, 15000);
    finish();
}
END_TEST

START_TEST(a_part_that_is_told_to_slow_down_does_not_hold_up_the_others)
{
    begin(10 * FAKE_PART_BYTES);
    fake_fault_on(&bucket, (struct fake_fault){.operation = S3_UPLOAD_PART,
                                               .first = 1,
                                               .last = 1,
                                               .kind = FAKE_ANSWER,
                                               .outcome = S3_SLOW_DOWN,
                                               .retry_after_ms = 60000});
    open_upload();
    while (calls(S3_UPLOAD_PART) < 10)
        drive();
    ck_assert_uint_lt(now_ms, 6000);
    drive_for(NEVER);
    close_upload();
    assert_uploaded();
    ck_assert_uint_ge(now_ms, 65000);
    finish();
}
END_TEST

START_TEST(what_is_to_be_signed_again_is_sent_again_at_once)
{
    static const enum s3_operation operations[] = {S3_HEAD_OBJECT,     S3_PUT_OBJECT,
                                                   S3_CREATE_UPLOAD,   S3_UPLOAD_PART,
                                                   S3_COMPLETE_UPLOAD, S3_LIST_PARTS};
    uint64_t began_ms;

    begin(operations[_i] == S3_PUT_OBJECT ? 500 : 2500);
    if (operations[_i] == S3_LIST_PARTS) {
        open_upload();
        while (calls(S3_UPLOAD_PART) < 1)
            drive();
        kill_upload(true);
    }
    began_ms = now_ms;
    answer(operations[_i], 1, 2, S3_SIGN_AGAIN, "RequestTimeTooSkewed");
    assert_runs_well();
    ck_assert_uint_le(now_ms - began_ms, 60); /* one for each event */
    finish();
}
END_TEST

START_TEST(a_refusal_ends_it_and_nothing_else_is_asked)
{
    static const enum s3_operation operations[] = {S3_HEAD_OBJECT, S3_PUT_OBJECT, S3_CREATE_UPLOAD,
                                                   S3_COMPLETE_UPLOAD};
    const struct error *error;

    begin(operations[_i] == S3_PUT_OBJECT ? 500 : 2500);
    answer(operations[_i], 1, FAKE_ALWAYS, S3_REFUSED, "NoSuchBucket");
    error = run();
    ck_assert_ptr_nonnull(error);
    ck_assert_str_eq(error->s3_code, "NoSuchBucket");
    assert_failed(error, ERROR_PERMANENT);
    ck_assert_uint_eq(calls(operations[_i]), 1);
    finish();
}
END_TEST

START_TEST(a_refused_part_ends_it_and_only_what_was_under_way_was_asked)
{
    begin(10 * FAKE_PART_BYTES);
    answer(S3_UPLOAD_PART, 1, FAKE_ALWAYS, S3_REFUSED, "AccessDenied");
    assert_failed(run(), ERROR_PERMANENT);
    ck_assert_uint_le(calls(S3_UPLOAD_PART), 3);
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 0);
    finish();
}
END_TEST

START_TEST(why_head_was_refused_is_asked_by_get)
{
    const struct error *error;

    begin(500);
    answer(S3_HEAD_OBJECT, 1, FAKE_ALWAYS, S3_ASK_REASON, NULL);
    answer(S3_GET_FIRST_BYTE, 1, FAKE_ALWAYS, S3_REFUSED, "AccessDenied");
    error = run();
    ck_assert_ptr_nonnull(error);
    ck_assert_str_eq(error->s3_code, "AccessDenied");
    assert_failed(error, ERROR_PERMANENT);
    ck_assert_uint_eq(bucket.total_calls, 2);
    finish();
}
END_TEST

START_TEST(a_get_that_finds_nothing_after_head_was_refused_means_that_the_key_is_free)
{
    begin(500);
    answer(S3_HEAD_OBJECT, 1, 1, S3_ASK_REASON, NULL);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_GET_FIRST_BYTE), 1);
    finish();
}
END_TEST

START_TEST(a_get_that_works_although_head_does_not_ends_in_patience)
{
    begin(500);
    put_somebody_else_s(KEY);
    answer(S3_HEAD_OBJECT, 1, FAKE_ALWAYS, S3_ASK_REASON, NULL);
    assert_failed(run(), ERROR_TRANSIENT);
    ck_assert(!bucket.overwrote);
    finish();
}
END_TEST

START_TEST(when_listing_parts_is_refused_the_journal_is_believed)
{
    begin(2500);
    open_upload();
    while (calls(S3_UPLOAD_PART) < 2)
        drive();
    kill_upload(false);
    answer(S3_LIST_PARTS, 1, FAKE_ALWAYS, S3_REFUSED, "AccessDenied");
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 3);
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 1);
    finish();
}
END_TEST

START_TEST(when_listing_parts_is_refused_for_another_reason_it_ends)
{
    begin(2500);
    open_upload();
    while (calls(S3_UPLOAD_PART) < 2)
        drive();
    kill_upload(false);
    answer(S3_LIST_PARTS, 1, FAKE_ALWAYS, S3_REFUSED, "NoSuchBucket");
    assert_failed(run(), ERROR_PERMANENT);
    finish();
}
END_TEST

START_TEST(an_upload_that_may_not_be_aborted_is_reported_and_left)
{
    begin(2500);
    after_call = put_somebody_else_s_after_the_last_part;
    answer(S3_ABORT_UPLOAD, 1, FAKE_ALWAYS, S3_REFUSED, "AccessDenied");
    assert_ok(run());
    ck_assert_uint_eq(fake_open_uploads(&bucket), 1);
    ck_assert_ptr_nonnull(strstr(buffer_text(&reports), "could not be aborted"));
    fake_expire_uploads(&bucket);
    assert_uploaded();
    finish();
}
END_TEST

START_TEST(bytes_that_were_damaged_on_the_way_are_sent_again)
{
    begin(2500);
    answer(S3_UPLOAD_PART, 1, 2, S3_RETRY, "XAmzContentSHA256Mismatch");
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 5);
    finish();
}
END_TEST

/* ---- files that change ------------------------------------------------------------------------
 */

static enum s3_operation change_after;
static unsigned change_at;

static void change_the_file(enum s3_operation operation, unsigned count)
{
    if (operation == change_after && count == change_at)
        changed = true;
}

START_TEST(a_file_that_changed_is_not_uploaded)
{
    static const struct {
        size_t size;
        enum s3_operation operation;
        unsigned count;
        unsigned writes; /* PUT and Complete that were asked for all the same */
    } rows[] = {
        {500, S3_HEAD_OBJECT, 1, 0},      /* before the PUT */
        {500, S3_PUT_OBJECT, 1, 1},       /* after it */
        {2500, S3_UPLOAD_PART, 3, 0},     /* before the Complete */
        {2500, S3_HEAD_OBJECT, 2, 0},     /* likewise, at the last moment */
        {2500, S3_COMPLETE_UPLOAD, 1, 1}, /* after it */
    };

    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(rows[i].size);
        change_after = rows[i].operation;
        change_at = rows[i].count;
        after_call = change_the_file;
        assert_failed(run(), ERROR_CHANGED);
        ck_assert_uint_eq(calls(S3_PUT_OBJECT) + calls(S3_COMPLETE_UPLOAD), rows[i].writes);
        finish();
    }
}
END_TEST

START_TEST(a_file_that_became_shorter_is_not_uploaded)
{
    begin(_i ? 2500 : 500);
    ck_assert_int_eq(ftruncate(fd, (off_t)content_size - 1), 0);
    assert_failed(run(), ERROR_CHANGED);
    ck_assert_uint_eq(calls(S3_PUT_OBJECT) + calls(S3_COMPLETE_UPLOAD), 0);
    finish();
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_a_person_s_matter)
{
    const struct error *error;

    begin(_i ? 2500 : 500);
    read_errno = EIO;
    error = run();
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(error->sys_errno, EIO);
    assert_failed(error, ERROR_PERMANENT);
    read_errno = 0;
    assert_runs_well();
    finish();
}
END_TEST

/* ---- going on ---------------------------------------------------------------------------------
 */

START_TEST(parts_that_are_held_and_unchanged_are_not_sent_again)
{
    uint64_t held, kept;

    begin(10 * FAKE_PART_BYTES);
    open_upload();
    while (calls(S3_UPLOAD_PART) < 6)
        drive();
    kill_upload(false);
    open_upload();
    drive_for(NEVER);
    upload_progress(upload, &held, &kept);
    ck_assert_uint_eq(held, 10 * FAKE_PART_BYTES);
    ck_assert_uint_eq(kept, 6 * FAKE_PART_BYTES);
    close_upload();
    assert_uploaded();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 10);
    finish();
}
END_TEST

START_TEST(a_held_part_whose_bytes_changed_is_sent_again)
{
    begin(10 * FAKE_PART_BYTES);
    open_upload();
    while (calls(S3_UPLOAD_PART) < 6)
        drive();
    kill_upload(false);
    content[0] ^= 1; /* as ffmpeg does when it ends */
    content[3 * FAKE_PART_BYTES - 1] ^= 1;
    ck_assert_int_eq(pwrite(fd, content, content_size, 0), (ssize_t)content_size);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 12);
    finish();
}
END_TEST

START_TEST(parts_whose_acknowledgement_was_lost_are_adopted_by_their_md5)
{
    begin(2500);
    open_upload();
    while (requests_under_way() < 3)
        drive();
    kill_upload(true); /* the bucket has three parts, the journal knows of none */
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 0);
    finish();
}
END_TEST

START_TEST(parts_whose_acknowledgement_was_lost_are_sent_again_when_their_etag_says_nothing)
{
    begin(2500);
    bucket.opaque_etags = true;
    open_upload();
    while (requests_under_way() < 3)
        drive();
    kill_upload(true);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 3);
    finish();
}
END_TEST

START_TEST(a_listing_of_several_pages_is_read_to_its_end)
{
    begin(10 * FAKE_PART_BYTES);
    bucket.page_parts = 2;
    open_upload();
    while (calls(S3_UPLOAD_PART) < 7)
        drive();
    kill_upload(false);
    assert_runs_well();
    ck_assert_uint_eq(calls(S3_LIST_PARTS), 4);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 10);
    finish();
}
END_TEST

static void drive_until_phase(enum journal_phase phase)
{
    open_upload();
    while (!ended && (file.phase != phase || !requests_under_way()))
        drive();
    ck_assert_msg(!ended, "phase %d was never reached", phase);
}

START_TEST(it_goes_on_from_every_phase)
{
    static const struct {
        enum journal_phase phase;
        size_t size;
    } rows[] = {{JOURNAL_PHASE_NONE, 500},     {JOURNAL_PHASE_PUTTING, 500},
                {JOURNAL_PHASE_NONE, 2500},    {JOURNAL_PHASE_CREATING, 2500},
                {JOURNAL_PHASE_OPEN, 2500},    {JOURNAL_PHASE_COMPLETING, 2500},
                {JOURNAL_PHASE_ABORTING, 2500}};

    for (unsigned arrives = 0; arrives <= 1; arrives++) {
        begin(rows[_i].size);
        if (rows[_i].phase == JOURNAL_PHASE_ABORTING)
            after_call = put_somebody_else_s_after_the_last_part;
        drive_until_phase(rows[_i].phase);
        kill_upload(arrives);
        ck_assert_int_eq(file.phase, rows[_i].phase);
        assert_runs_well();
        finish();
    }
}
END_TEST

/* Runs it for so many events and kills it then; true when it had ended. */
static bool run_for(unsigned events, bool arrives)
{
    open_upload();
    drive_for(events);
    if (ended)
        close_upload();
    else
        kill_upload(arrives);
    return ended;
}

/* Kills a run after every single event, and runs again. */
static void kill_sweep(size_t size, bool arrives, void (*hook)(enum s3_operation, unsigned))
{
    bool through = false;

    for (unsigned events = 0; !through; events++) {
        begin(size);
        after_call = hook;
        through = run_for(events, arrives);
        if (!through)
            assert_ok(run());
        assert_uploaded();
        finish();
    }
}

START_TEST(killed_at_any_instant_it_is_finished_by_the_next_run)
{
    static const size_t sizes[] = {0, 500, 2500, 10 * FAKE_PART_BYTES};

    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        kill_sweep(sizes[i], _i, NULL);
}
END_TEST

START_TEST(killed_at_any_instant_while_its_key_is_taken_it_is_finished_by_the_next_run)
{
    kill_sweep(2500, _i, put_somebody_else_s_after_the_last_part);
}
END_TEST

START_TEST(killed_twice_at_any_two_instants_it_is_finished_by_the_third_run)
{
    bool through = false;

    for (unsigned first = 0; !through; first += 3) {
        bool second_through = false;

        for (unsigned second = 0; !second_through; second += 5) {
            begin(2500);
            through = run_for(first, _i & 1);
            second_through = through || run_for(second, _i & 2);
            if (!second_through)
                assert_ok(run());
            assert_uploaded();
            finish();
        }
    }
}
END_TEST

/* ---- at random --------------------------------------------------------------------------------
 */

static struct rng trouble; /* not the upload's own numbers */

static bool happens(unsigned percent)
{
    return rng_up_to(&trouble, 99) < percent;
}

/* The next call meets with something, or not. */
static void script_trouble(void)
{
    static const struct fake_fault faults[] = {
        {.kind = FAKE_LOSE_REPLY},
        {.kind = FAKE_LOSE_REQUEST},
        {.kind = FAKE_NO_CONNECTION},
        {.kind = FAKE_ANSWER, .outcome = S3_SLOW_DOWN, .code = "SlowDown", .retry_after_ms = 50},
        {.kind = FAKE_ANSWER, .outcome = S3_RETRY, .code = "InternalError"},
        {.kind = FAKE_ANSWER, .outcome = S3_SIGN_AGAIN},
    };

    bucket.fault_count = 0;
    bucket.total_calls = 0;
    if (!happens(20))
        return;
    for (unsigned operation = 0; operation < FAKE_OPERATIONS; operation++) {
        struct fake_fault fault = faults[rng_up_to(&trouble, sizeof faults / sizeof faults[0] - 1)];

        fault.operation = operation;
        fault.first = fault.last = bucket.calls[operation] + 1;
        fake_fault_on(&bucket, fault);
    }
}

static void live_through_trouble(void)
{
    for (unsigned runs = 0; runs < 30 && file.state == JOURNAL_FILE_PENDING; runs++) {
        open_upload();
        while (!ended && !(happens(2))) {
            script_trouble();
            drive();
        }
        if (ended) {
            close_upload();
            load_row();
        } else {
            kill_upload(happens(50));
        }
        if (happens(5))
            fake_expire_uploads(&bucket);
        if (happens(3) && !fake_find_object(&bucket, KEY))
            put_somebody_else_s(KEY); /* between two runs: within one, nobody could see it */
    }
    bucket.fault_count = 0;
}

static uint64_t first_seed(void)
{
    const char *given = getenv("TEST_SEED");

    return given ? strtoull(given, NULL, 10) : 20240423;
}

static void live_with_seed(uint64_t seed)
{
    static const size_t sizes[] = {0, 500, 1000, 1001, 2500, 5000, 10500};

    seed_under_way = seed;
    trouble.state = seed;
    begin(sizes[rng_up_to(&trouble, sizeof sizes / sizeof sizes[0] - 1)]);
    rng.state = seed;
    shuffle = true;
    bucket.opaque_etags = happens(30);
    if (happens(20))
        put_somebody_else_s(KEY);
    live_through_trouble();
    if (file.state == JOURNAL_FILE_PENDING)
        assert_ok(run());
    assert_uploaded();
    finish();
    seed_under_way = 0;
}

START_TEST(at_random_all_ends_well)
{
    for (unsigned i = 0; i < RANDOM_RUNS / 10; i++)
        live_with_seed(first_seed() + (unsigned)_i * (RANDOM_RUNS / 10) + i);
}
END_TEST

static void add_the_plain_ways(Suite *suite)
{
    TCase *cases = tcase_create("the plain ways");

    tcase_set_timeout(cases, 60); /* a loaded machine is no failure */
    tcase_add_test(cases, a_small_file_is_put_and_confirmed);
    tcase_add_test(cases, an_empty_file_is_put);
    tcase_add_test(cases, a_file_of_exactly_one_part_is_put);
    tcase_add_test(cases, a_file_of_one_part_and_a_byte_is_sent_in_two_parts);
    tcase_add_test(cases, a_large_file_is_sent_in_parts_several_at_once);
    tcase_add_test(cases, parts_may_be_acknowledged_in_any_order);
    tcase_add_test(cases, nothing_is_sent_while_nothing_may_be_sent);
    tcase_add_test(cases, progress_ends_with_all_of_the_file);
    tcase_add_test(cases, content_md5_is_sent_when_it_is_asked_for);
    tcase_add_test(cases, a_file_with_more_bytes_than_an_object_may_have_is_a_person_s_matter);
    tcase_add_test(cases, a_file_with_more_parts_than_fit_is_a_person_s_matter);
    suite_add_tcase(suite, cases);
}

static void add_keys(Suite *suite)
{
    TCase *cases = tcase_create("keys");

    tcase_set_timeout(cases, 60); /* a loaded machine is no failure */
    tcase_add_loop_test(cases, a_key_that_is_taken_gets_a_suffix, 0, 2);
    tcase_add_test(cases, suffixed_keys_that_are_taken_are_passed_over);
    tcase_add_test(cases, an_object_with_our_mark_and_another_size_is_not_ours);
    tcase_add_test(cases, a_key_that_another_file_of_the_journal_has_is_not_taken);
    tcase_add_test(cases,
                   a_key_taken_while_the_parts_were_sent_is_left_alone_and_the_upload_aborted);
    tcase_add_loop_test(cases, a_conditional_write_that_meets_an_object_leads_to_a_suffix, 0, 2);
    tcase_add_test(cases, a_hundred_taken_keys_are_a_person_s_matter);
    suite_add_tcase(suite, cases);
}

static void add_lost_replies(Suite *suite)
{
    TCase *cases = tcase_create("lost replies");

    tcase_set_timeout(cases, 60); /* a loaded machine is no failure */
    tcase_add_loop_test(cases, an_object_that_is_ours_already_is_not_sent_again, 0, 2);
    tcase_add_test(cases, a_lost_reply_to_put_leads_to_no_second_put);
    tcase_add_test(cases, a_put_that_was_lost_is_sent_again);
    tcase_add_test(cases, a_put_that_found_no_server_is_sent_again_without_a_look);
    tcase_add_test(cases, a_lost_reply_to_complete_leads_to_no_second_upload);
    tcase_add_test(cases, a_complete_that_was_lost_is_sent_again_and_no_part);
    tcase_add_test(cases, a_complete_that_was_lost_with_its_upload_leads_to_a_new_upload);
    tcase_add_test(cases,
                   a_repeated_complete_that_says_no_such_upload_although_it_was_done_is_success);
    tcase_add_test(cases,
                   an_object_that_is_ours_although_its_upload_is_open_leaves_no_upload_behind);
    tcase_add_test(cases, a_lost_reply_to_create_leaves_no_upload_behind);
    tcase_add_test(cases, an_upload_of_our_key_with_parts_is_somebody_else_s_and_left_alone);
    tcase_add_test(cases, an_upload_of_unknown_id_is_aborted_although_its_key_was_taken_meanwhile);
    tcase_add_test(cases, a_create_that_found_no_server_is_sent_again_without_a_search);
    tcase_add_test(cases, a_search_for_orphans_that_is_refused_does_not_stop_the_upload);
    tcase_add_loop_test(cases, whichever_reply_is_lost_all_ends_well, 0, 6);
    suite_add_tcase(suite, cases);
}

static void add_uploads_that_are_gone_parts_that_differ(Suite *suite)
{
    TCase *cases = tcase_create("uploads that are gone, parts that differ");

    tcase_set_timeout(cases, 60); /* a loaded machine is no failure */
    tcase_add_test(cases, an_upload_that_is_gone_while_parts_are_sent_is_begun_anew);
    tcase_add_test(cases, an_upload_that_expires_while_parts_are_sent_is_begun_anew);
    tcase_add_test(cases, an_upload_that_is_gone_when_the_run_begins_is_begun_anew);
    tcase_add_test(cases, an_upload_that_is_gone_when_it_is_completed_is_begun_anew);
    tcase_add_test(cases, an_upload_that_keeps_vanishing_is_left_for_later);
    tcase_add_test(cases,
                   a_part_that_the_bucket_holds_differently_is_sent_again_after_complete_failed);
    tcase_add_test(cases, a_part_that_the_bucket_lost_is_sent_again_after_complete_failed);
    tcase_add_test(cases,
                   an_upload_that_holds_more_parts_than_the_file_has_is_aborted_and_begun_anew);
    tcase_add_test(cases, of_a_file_that_became_empty_the_open_upload_is_aborted);
    suite_add_tcase(suite, cases);
}

static void add_servers_that_fail(Suite *suite)
{
    TCase *cases = tcase_create("servers that fail");

    tcase_set_timeout(cases, 60); /* a loaded machine is no failure */
    tcase_add_test(cases, a_complete_that_always_fails_ends_with_a_bounded_number_of_requests);
    tcase_add_test(cases,
                   a_complete_that_always_finds_bad_parts_ends_with_a_bounded_number_of_requests);
    tcase_add_loop_test(cases, an_object_that_is_never_seen_ends_with_a_bounded_number_of_requests,
                        0, 2);
    tcase_add_loop_test(cases, an_object_that_is_seen_late_is_waited_for, 0, 2);
    tcase_add_loop_test(cases, when_nothing_succeeds_for_the_patience_it_is_left_for_later, 0, 4);
    tcase_add_loop_test(cases, slow_down_pauses_as_long_as_the_server_asks, 0, 4);
    tcase_add_test(cases, a_part_that_is_told_to_slow_down_does_not_hold_up_the_others);
    tcase_add_loop_test(cases, what_is_to_be_signed_again_is_sent_again_at_once, 0, 6);
    tcase_add_loop_test(cases, a_refusal_ends_it_and_nothing_else_is_asked, 0, 4);
    tcase_add_test(cases, a_refused_part_ends_it_and_only_what_was_under_way_was_asked);
    tcase_add_test(cases, why_head_was_refused_is_asked_by_get);
    tcase_add_test(cases,
                   a_get_that_finds_nothing_after_head_was_refused_means_that_the_key_is_free);
    tcase_add_test(cases, a_get_that_works_although_head_does_not_ends_in_patience);
    tcase_add_test(cases, when_listing_parts_is_refused_the_journal_is_believed);
    tcase_add_test(cases, when_listing_parts_is_refused_for_another_reason_it_ends);
    tcase_add_test(cases, an_upload_that_may_not_be_aborted_is_reported_and_left);
    tcase_add_test(cases, bytes_that_were_damaged_on_the_way_are_sent_again);
    suite_add_tcase(suite, cases);
}

static void add_files_that_change(Suite *suite)
{
    TCase *cases = tcase_create("files that change");

    tcase_set_timeout(cases, 60); /* a loaded machine is no failure */
    tcase_add_test(cases, a_file_that_changed_is_not_uploaded);
    tcase_add_loop_test(cases, a_file_that_became_shorter_is_not_uploaded, 0, 2);
    tcase_add_loop_test(cases, a_file_that_cannot_be_read_is_a_person_s_matter, 0, 2);
    suite_add_tcase(suite, cases);
}

/* ---- a file that grows ------------------------------------------------------------------------
 */

/* It has so many of its bytes by now. One run of the watcher, to its end. */
static const struct error *run_growing(size_t size)
{
    const struct error *error;

    file.object_bytes = size;
    growing = true;
    error = run();
    growing = false;
    load_row();
    return error;
}

static const struct error *run_finished(void)
{
    file.object_bytes = content_size;
    return run();
}

/* "2,3": the parts that the upload under way holds. */
static const char *held_parts(void)
{
    static char text[128];
    struct fake_upload *open = fake_find_upload(&bucket, file.upload_id);

    text[0] = 0;
    for (unsigned i = 0; open && i < FAKE_PARTS; i++)
        if (open->parts[i].there)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", text[0] ? "," : "",
                     i + 1);
    return text;
}

START_TEST(while_a_file_grows_its_whole_parts_are_sent_and_the_upload_stays_open)
{
    begin(6500);
    assert_ok(run_growing(3500));
    ck_assert_str_eq(held_parts(), "2,3");
    ck_assert_int_eq(file.state, JOURNAL_FILE_PENDING);
    ck_assert_int_eq(file.phase, JOURNAL_PHASE_OPEN);
    ck_assert_uint_eq(calls(S3_COMPLETE_UPLOAD), 0);
    assert_ok(run_growing(5000));
    ck_assert_str_eq(held_parts(), "2,3,4,5");
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 1);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 4);
    ck_assert_uint_eq(calls(S3_HEAD_OBJECT), 1); /* nothing is looked at again meanwhile */
    assert_ok(run_finished());
    assert_uploaded();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 7);
    finish();
}
END_TEST

START_TEST(a_file_that_is_small_yet_is_not_put_while_it_grows)
{
    begin(2500);
    assert_ok(run_growing(500));
    ck_assert_uint_eq(calls(S3_PUT_OBJECT), 0);
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 0);
    assert_ok(run_finished());
    assert_uploaded();
    finish();
}
END_TEST

START_TEST(bytes_that_change_when_it_ends_are_found)
{
    begin(5500);
    assert_ok(run_growing(5000));
    content[2300] ^= 1;
    content[100] ^= 1;
    ck_assert_int_eq(pwrite(fd, content, content_size, 0), (ssize_t)content_size);
    assert_ok(run_finished());
    assert_uploaded();
    ck_assert_uint_eq(calls(S3_UPLOAD_PART), 4 + 3); /* the third again, the first, the tail */
    finish();
}
END_TEST

START_TEST(an_upload_that_vanished_while_the_file_grows_is_begun_anew)
{
    begin(5500);
    assert_ok(run_growing(3000));
    fake_find_upload(&bucket, file.upload_id)->open = false;
    assert_ok(run_growing(4000));
    ck_assert_str_eq(held_parts(), "2,3,4");
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 2);
    assert_ok(run_finished());
    assert_uploaded();
    finish();
}
END_TEST

START_TEST(an_upload_that_vanished_after_the_last_part_is_begun_anew_at_the_end)
{
    begin(5500);
    assert_ok(run_growing(5400));
    fake_find_upload(&bucket, file.upload_id)->open = false;
    assert_ok(run_growing(5450)); /* nothing to send: nothing is noticed */
    ck_assert_uint_eq(calls(S3_CREATE_UPLOAD), 1);
    assert_ok(run_finished());
    assert_uploaded();
    finish();
}
END_TEST

START_TEST(a_key_that_is_taken_gets_a_suffix_while_the_file_grows)
{
    begin(5500);
    put_somebody_else_s(KEY);
    assert_ok(run_growing(3000));
    ck_assert_str_eq(file.key, SECOND_KEY);
    ck_assert_str_eq(held_parts(), "2,3");
    assert_ok(run_finished());
    assert_uploaded();
    finish();
}
END_TEST

START_TEST(a_key_that_is_taken_while_the_file_grows_is_left_alone)
{
    begin(5500);
    assert_ok(run_growing(3000));
    put_somebody_else_s(KEY);
    assert_ok(run_growing(4000));
    ck_assert_str_eq(file.key, KEY);
    assert_ok(run_finished());
    assert_uploaded();
    ck_assert_str_eq(file.key, SECOND_KEY);
    finish();
}
END_TEST

START_TEST(a_refused_part_is_said_while_the_file_grows)
{
    const struct error *error;

    begin(5500);
    answer(S3_UPLOAD_PART, 1, 1, S3_REFUSED, "AccessDenied");
    error = run_growing(3000);
    ck_assert_ptr_nonnull(error);
    ck_assert_int_eq(error->kind, ERROR_PERMANENT);
    assert_ok(run_growing(3000));
    assert_ok(run_finished());
    assert_uploaded();
    finish();
}
END_TEST

/* The watcher is killed after so many events, twice, and then the finalizer does its work. */
START_TEST(killed_at_any_instant_while_the_file_grows_all_ends_well)
{
    for (unsigned events = 0; events < 40; events++) {
        begin(5500);
        for (size_t size = 3000; size <= 4000; size += 1000) {
            file.object_bytes = size;
            growing = true;
            open_upload();
            drive_for(events);
            kill_upload(_i);
            growing = false;
        }
        assert_ok(run_finished());
        assert_uploaded();
        finish();
    }
}
END_TEST

static void add_going_on(Suite *suite)
{
    TCase *cases = tcase_create("going on");

    tcase_set_timeout(cases, 60); /* a loaded machine is no failure */
    tcase_add_test(cases, parts_that_are_held_and_unchanged_are_not_sent_again);
    tcase_add_test(cases, a_held_part_whose_bytes_changed_is_sent_again);
    tcase_add_test(cases, parts_whose_acknowledgement_was_lost_are_adopted_by_their_md5);
    tcase_add_test(
        cases, parts_whose_acknowledgement_was_lost_are_sent_again_when_their_etag_says_nothing);
    tcase_add_test(cases, a_listing_of_several_pages_is_read_to_its_end);
    tcase_add_test(cases, while_a_file_grows_its_whole_parts_are_sent_and_the_upload_stays_open);
    tcase_add_test(cases, a_file_that_is_small_yet_is_not_put_while_it_grows);
    tcase_add_test(cases, bytes_that_change_when_it_ends_are_found);
    tcase_add_test(cases, an_upload_that_vanished_while_the_file_grows_is_begun_anew);
    tcase_add_test(cases, an_upload_that_vanished_after_the_last_part_is_begun_anew_at_the_end);
    tcase_add_test(cases, a_key_that_is_taken_gets_a_suffix_while_the_file_grows);
    tcase_add_test(cases, a_key_that_is_taken_while_the_file_grows_is_left_alone);
    tcase_add_test(cases, a_refused_part_is_said_while_the_file_grows);
    tcase_add_loop_test(cases, killed_at_any_instant_while_the_file_grows_all_ends_well, 0, 2);
    tcase_add_loop_test(cases, it_goes_on_from_every_phase, 0, 7);
    tcase_add_loop_test(cases, killed_at_any_instant_it_is_finished_by_the_next_run, 0, 2);
    tcase_add_loop_test(
        cases, killed_at_any_instant_while_its_key_is_taken_it_is_finished_by_the_next_run, 0, 2);
    tcase_add_loop_test(cases, killed_twice_at_any_two_instants_it_is_finished_by_the_third_run, 0,
                        4);
    suite_add_tcase(suite, cases);
}

static void add_at_random(Suite *suite)
{
    TCase *cases = tcase_create("at random");

    tcase_set_timeout(cases, 60); /* a loaded machine is no failure */
    tcase_add_loop_test(cases, at_random_all_ends_well, 0, 10);
    suite_add_tcase(suite, cases);
}

int main(void)
{
    Suite *suite = suite_create("upload");

    printf("first seed: %llu (TEST_SEED sets another)\n", (unsigned long long)first_seed());
    fflush(stdout); /* before Check forks */
    add_the_plain_ways(suite);
    add_keys(suite);
    add_lost_replies(suite);
    add_uploads_that_are_gone_parts_that_differ(suite);
    add_servers_that_fail(suite);
    add_files_that_change(suite);
    add_going_on(suite);
    add_at_random(suite);
    return unit_run(suite);
}
