/*
 * Want of memory in what decides about an upload: each allocation of upload*.c is made to fail
 * once, and then the next run is to end as if nothing had been.
 */
#include "tests/unit/failing_alloc.h"

#include "finalize/upload/upload.h"
#include "tests/unit/fake_bucket.h"
#include "tests/unit/unit.h"

#include <sys/mman.h>

#define KEY  "12345_2024-04-23-15-04-05.mp4"
#define MARK "00112233445566778899aabbccddeeff"

enum way { SMALL, PARTS, GOING_ON, LOST_ID, WAYS };

static const size_t sizes[WAYS] = {700, 2500, 2500, 2500};

static struct fake_bucket bucket;
static struct settings settings;
static struct journal *journal;
static struct journal_file file;
static struct rng rng;
static uint8_t content[FAKE_OBJECT_BYTES];
static size_t content_size;
static int fd;
static uint64_t now_ms;

/* ---- which allocation fails ------------------------------------------------------------------ */

static unsigned long nth; /* the how manieth from here on; 0: none */
static bool failed;
static long kept;

/* Around the calls that are tried: what the test itself needs never fails. */
static void enter(void)
{
    failing_alloc_begin(nth);
}

static bool leave(bool ok)
{
    struct failing_alloc_result result = failing_alloc_end();

    kept += result.kept;
    if (result.failed) {
        failed = true;
        nth = 0;
    } else if (nth) {
        nth -= result.allocations;
    }
    return ok;
}

/* ---- the world --------------------------------------------------------------------------------
 */

static bool on_unchanged(void *context)
{
    (void)context;
    return true;
}

static void on_report(void *context, const char *sentence)
{
    (void)context;
    (void)sentence;
}

static void begin(enum way way)
{
    struct journal_recording recording;
    struct error err = ERROR_INIT;

    memset(&bucket, 0, sizeof bucket);
    settings = (struct settings){.s3_part_size_bytes = FAKE_PART_BYTES,
                                 .s3_parallel = 1,
                                 .s3_retry_for_ms = 120000,
                                 .s3_max_object_bytes = UINT64_C(5) << 40};
    rng.state = 42;
    now_ms = 5000;
    content_size = sizes[way];
    for (size_t i = 0; i < content_size; i++)
        content[i] = (uint8_t)(i * 31 + i / 1000);
    fd = memfd_create("test", MFD_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, content, content_size, 0), (ssize_t)content_size);
    ck_assert(journal_open(":memory:", &journal, &err));
    ck_assert(journal_begin_recording(journal, "/recordings/abc", "abc", 1000, &recording, &err));
    file = (struct journal_file){.recording_id = recording.id,
                                 .media = true,
                                 .state = JOURNAL_FILE_PENDING,
                                 .mark = MARK,
                                 .object_bytes = content_size,
                                 .path = KEY,
                                 .identity = {.size_bytes = content_size}};
    ck_assert(journal_add_file(journal, &file, &err));
}

static void finish(void)
{
    journal_close(journal);
    close(fd);
}

/* ---- one run ----------------------------------------------------------------------------------
 */

static bool answer_bytes(struct upload *upload, const struct upload_step *step, struct error *err)
{
    struct hasher_result result = {.slot = step->slot, .whole = true};
    static uint8_t bytes[FAKE_OBJECT_BYTES];
    uint8_t digest[DIGEST_SHA256_BYTES];

    ck_assert_uint_le(step->read.length, sizeof bytes);
    ck_assert_int_eq(pread(fd, bytes, step->read.length, (off_t)step->read.offset),
                     (ssize_t)step->read.length);
    ck_assert(digest_sha256(bytes, step->read.length, digest));
    memcpy(result.fingerprint, digest, sizeof result.fingerprint);
    digest_hex(digest, DIGEST_SHA256_BYTES, result.sha256_hex);
    ck_assert(digest_md5(bytes, step->read.length, digest));
    digest_hex(digest, DIGEST_MD5_BYTES, result.md5_hex);
    enter();
    return leave(upload_take_bytes(upload, step->slot, &result, err));
}

static bool answer_request(struct upload *upload, const struct upload_step *step, struct error *err)
{
    struct s3_result result;
    bool ok;

    /* What a reply lists may become the upload's: counted, but never missing. */
    failing_alloc_begin(0);
    fake_call(&bucket, &step->call, &result);
    kept += failing_alloc_end().kept;
    enter();
    ok = leave(upload_take_reply(upload, step->slot, &result, now_ms, 1700000000, err));
    failing_alloc_begin(0);
    s3_result_done(&result);
    kept += failing_alloc_end().kept;
    return ok;
}

/* True when it ended, and well; `most` requests are answered, then the process dies. */
static bool run(unsigned most)
{
    struct upload_options options = {.settings = &settings,
                                     .journal = journal,
                                     .file = &file,
                                     .rng = &rng,
                                     .fd = fd,
                                     .base_key = KEY,
                                     .content_type = "video/mp4",
                                     .session_id = "abc",
                                     .unchanged = on_unchanged,
                                     .report = on_report};
    struct upload_step step = {.kind = UPLOAD_STEP_NONE};
    struct upload *upload = NULL;
    struct error err = ERROR_INIT;
    bool ok, found;

    enter();
    ok = leave(upload_open(&options, &upload, &err));
    while (ok && step.kind != UPLOAD_STEP_END) {
        enter();
        ok = leave(upload_next(upload, true, now_ms, 1700000000, &step, &err));
        if (!ok || (step.kind == UPLOAD_STEP_REQUEST && !most--))
            break;
        if (step.kind == UPLOAD_STEP_REQUEST)
            ok = answer_request(upload, &step, &err);
        else if (step.kind == UPLOAD_STEP_READ)
            ok = answer_bytes(upload, &step, &err);
        else if (step.kind == UPLOAD_STEP_PAUSE)
            now_ms = step.until_ms;
        else
            ck_assert_msg(step.kind == UPLOAD_STEP_END, "it stands still");
    }
    ck_assert_msg(ok || err.kind == ERROR_TRANSIENT, "not to be tried again: %s", err.text);
    ok = ok && step.kind == UPLOAD_STEP_END && !upload_error(upload);
    if (upload && upload_error(upload))
        ck_assert_msg(upload_error(upload)->kind == ERROR_TRANSIENT, "not to be tried again: %s",
                      upload_error(upload)->text);
    enter();
    upload_close(upload);
    (void)leave(true);
    err = (struct error)ERROR_INIT;
    ck_assert(journal_find_file(journal, file.recording_id, KEY, &file, &found, &err));
    ck_assert(found);
    return ok;
}

static void expect_uploaded(void)
{
    struct fake_object *object = fake_find_object(&bucket, KEY);
    unsigned objects = 0;

    for (unsigned i = 0; i < FAKE_OBJECTS; i++)
        objects += bucket.objects[i].there;
    ck_assert_uint_eq(objects, 1);
    ck_assert_ptr_nonnull(object);
    ck_assert_uint_eq(object->size, content_size);
    ck_assert(!memcmp(object->bytes, content, content_size));
    fake_housekeep(&bucket, journal);
    ck_assert_uint_eq(fake_open_uploads(&bucket), 0);
    ck_assert_int_eq(file.state, JOURNAL_FILE_UPLOADED);
}

/* What an earlier run left, before memory runs out. */
static void prepare(enum way way)
{
    if (way == LOST_ID)
        fake_fault_on(&bucket, (struct fake_fault){.operation = S3_CREATE_UPLOAD,
                                                   .first = 1,
                                                   .last = 1,
                                                   .kind = FAKE_LOSE_REPLY});
    if (way == GOING_ON)
        ck_assert(!run(4)); /* HEAD, create, two parts */
    else if (way == LOST_ID)
        ck_assert(!run(2));
}

START_TEST(want_of_memory_loses_nothing)
{
    unsigned long which = 0;
    enum way way = (enum way)_i;

    do {
        begin(way);
        nth = 0;
        prepare(way);
        nth = ++which;
        failed = false;
        kept = 0;
        if (!run(1000)) {
            ck_assert_msg(failed, "it does not work, without a failure");
            nth = 0;
            ck_assert_msg(run(1000), "the next run does not end well, after allocation %lu failed",
                          which);
        }
        ck_assert_msg(kept == 0, "%ld blocks are lost when allocation %lu fails", kept, which);
        expect_uploaded();
        finish();
        ck_assert_uint_lt(which, 1000);
    } while (failed);
    ck_assert_uint_gt(which, way == SMALL ? 1 : 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alloc_failures_upload");
    TCase *cases = tcase_create("alloc_failures_upload");

    failing_alloc_hook();
    tcase_add_loop_test(cases, want_of_memory_loses_nothing, 0, WAYS);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
