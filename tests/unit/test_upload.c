/*
 * test_upload - uploads driven against a bucket in memory: a table of scenarios, each a file, what
 * the bucket answers and the requests that must come of it; then kills at any instant, and chance.
 */
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
#define THIRD_KEY  "12345_2024-04-23-15-04-05~3.mp4"
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
static bool ended;
static bool growing; /* the file is still being written */
static bool shuffle; /* replies come in any order */

struct moment { /* after so many replies to an operation (0: after each) */
    enum s3_operation operation;
    unsigned count;
    unsigned under_way; /* and while so many requests at least are under way */
};

/* Called then, before the upload hears of the reply. */
static void (*happens)(void);
static struct moment happens_at;

/* The requests that were asked for: "head create part*3". */
static struct {
    char text[400];
    const char *last;
    unsigned repeated;
} requests;

static void forget_requests(void)
{
    memset(&requests, 0, sizeof requests);
    bucket.total_calls = 0;
}

static void write_repeated(void)
{
    size_t length = strlen(requests.text);

    if (requests.repeated > 1)
        snprintf(requests.text + length, sizeof requests.text - length, "*%u", requests.repeated);
    requests.repeated = 0;
}

static void note_request(enum s3_operation operation)
{
    static const char *const words[FAKE_OPERATIONS] = {
        [S3_HEAD_OBJECT] = "head",         [S3_GET_RANGE] = "get",
        [S3_PUT_OBJECT] = "put",           [S3_CREATE_UPLOAD] = "create",
        [S3_UPLOAD_PART] = "part",         [S3_LIST_PARTS] = "list",
        [S3_COMPLETE_UPLOAD] = "complete", [S3_ABORT_UPLOAD] = "abort",
        [S3_LIST_UPLOADS] = "uploads"};
    size_t length;

    if (requests.last != words[operation]) {
        write_repeated();
        length = strlen(requests.text);
        snprintf(requests.text + length, sizeof requests.text - length, "%s%s", length ? " " : "",
                 words[operation]);
    }
    requests.last = words[operation];
    requests.repeated++;
}

static const char *requests_text(void)
{
    write_repeated();
    requests.last = NULL;
    return requests.text;
}

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
    happens = NULL;
    under_way_count = 0;
    forget_requests();
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
    if (happens && happens_at.operation == job->call.operation &&
        (!happens_at.count || happens_at.count == bucket.calls[job->call.operation]))
        happens();
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
    if (step->kind == UPLOAD_STEP_READ)
        return;
    note_request(step->call.operation);
    if (settings.s3_content_md5 && step->call.payload_sha256)
        ck_assert_uint_eq(strlen(step->call.content_md5), 24);
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

/* The process dies. What was under way arrives in the bucket, or does not. */
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

/* Exactly one object is ours, whole; no more uploads are left open; the row says so. */
static void assert_uploaded_with(unsigned left_open)
{
    const struct fake_object *ours = NULL;
    unsigned ours_count = 0;

    load_row();
    fake_housekeep(&bucket, journal);
    for (unsigned i = 0; i < FAKE_OBJECTS; i++)
        if (bucket.objects[i].there && !strcmp(bucket.objects[i].mark, file.mark) &&
            bucket.objects[i].size == content_size) {
            ours = &bucket.objects[i];
            ours_count++;
        }
    MUST(ours_count == 1);
    MUST(!strcmp(ours->key, file.key));
    MUST(!memcmp(ours->bytes, content, content_size));
    MUST(fake_open_uploads(&bucket) == left_open);
    MUST(!bucket.overwrote);
    MUST(file.state == JOURNAL_FILE_UPLOADED);
    MUST(file.phase == JOURNAL_PHASE_NONE);
    MUST(!file.upload_id[0]);
    MUST(!strcmp(file.etag, ours->etag));
    MUST(file.uploaded_at == now);
    assert_no_parts();
}

static void assert_uploaded(void)
{
    assert_uploaded_with(0);
}

static void assert_runs_well(void)
{
    assert_ok(run());
    assert_uploaded();
}

static void put_another_s(const char *key)
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

/* ---- scenarios --------------------------------------------------------------------------------
 */

/* What happens in the world while an upload goes on. */

static void others_take_the_key(void)
{
    if (!fake_find_object(&bucket, KEY))
        put_another_s(KEY);
}

static void uploads_expire(void)
{
    fake_expire_uploads(&bucket);
}

static void a_part_is_damaged(void)
{
    struct fake_part *part = &bucket.uploads[0].parts[1];

    part->bytes[5] ^= 1;
    fake_name_part(&bucket, part);
}

static void a_part_is_lost(void)
{
    bucket.uploads[0].parts[2].there = false;
}

static void the_file_changes(void)
{
    changed = true;
}

static void two_bytes_change(void) /* as ffmpeg does it when it ends */
{
    content[0] ^= 1;
    content[3 * FAKE_PART_BYTES - 1] ^= 1;
    ck_assert_int_eq(pwrite(fd, content, content_size, 0), (ssize_t)content_size);
}

static void replace_by(size_t size)
{
    content_size = size;
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    file.object_bytes = file.identity.size_bytes = size;
    ck_assert(journal_save_file(journal, &file, &err));
}

static void the_part_size_is_halved(void)
{
    settings.s3_part_size_bytes = FAKE_PART_BYTES / 2;
}

static void a_shorter_file_takes_its_place(void)
{
    replace_by(2500);
}

static void an_empty_file_takes_its_place(void)
{
    replace_by(0);
}

static void our_object_appears(void) /* an earlier Complete was done, late */
{
    fake_put_object(&bucket, KEY, MARK, content, content_size);
}

static void the_upload_is_aborted_by_a_person(void)
{
    bucket.uploads[0].open = false;
}

static void others_replace_it(void)
{
    struct fake_object *object = fake_find_object(&bucket, KEY);

    if (object && !strcmp(object->mark, MARK))
        snprintf(object->mark, sizeof object->mark, OTHER_MARK);
}

static void another_tool_s_object_appears(void)
{
    fake_put_object(&bucket, KEY, "", "not ours", 8);
}

static void a_person_removes_the_object(void)
{
    fake_find_object(&bucket, KEY)->there = false;
    bucket.drops_metadata = false;
    bucket.adds_bytes = 0;
}

/* What is so before it begins. */

static void metadata_is_dropped(void)
{
    bucket.drops_metadata = true;
}

static void sizes_are_changed(void)
{
    bucket.adds_bytes = 28;
}

static void put_of_this_session(const char *key, const char *mark, const void *bytes)
{
    struct fake_object *object = fake_put_object(&bucket, key, mark, bytes, content_size);
    uint8_t digest[DIGEST_MD5_BYTES];

    object->same_session = true;
    ck_assert(digest_md5(bytes, content_size, digest));
    digest_hex(digest, sizeof digest, object->etag);
}

/* An earlier journal was lost: another file of the session has the first key, this one the second.
 */
static void the_second_key_has_this_very_file(void)
{
    static const uint8_t other[FAKE_OBJECT_BYTES];

    put_of_this_session(KEY, OTHER_MARK, other);
    put_of_this_session(SECOND_KEY, "0123456789abcdef0123456789abcdef", content);
}

static void two_keys_are_taken(void)
{
    put_another_s(KEY);
    put_another_s(SECOND_KEY);
}

static void our_mark_is_on_a_shorter_object(void)
{
    fake_put_object(&bucket, KEY, MARK, content, content_size - 1);
}

static void another_row_has_the_key(void)
{
    struct journal_file other = file;

    snprintf(other.path, sizeof other.path, "other.mp4");
    ck_assert(journal_add_file(journal, &other, &err));
    snprintf(other.key, sizeof other.key, "%s", KEY);
    ck_assert(journal_save_file(journal, &other, &err));
}

static void another_s_upload_has_parts(void)
{
    fake_open_upload(&bucket, KEY, OTHER_MARK)->parts[0].there = true;
}

static void the_upload_is_to_be_aborted(void) /* the file's content is another */
{
    file.phase = JOURNAL_PHASE_ABORTING;
    snprintf(file.key, sizeof file.key, "%s", KEY);
    snprintf(file.upload_id, sizeof file.upload_id, "%s",
             fake_open_upload(&bucket, KEY, OTHER_MARK)->id);
    ck_assert(journal_save_file(journal, &file, &err));
}

static void one_at_once(void)
{
    settings.s3_parallel = 1;
}

static void content_md5_is_wanted(void)
{
    settings.s3_content_md5 = true;
}

static void writes_are_conditional(void)
{
    bucket.conditional = true;
}

static void etags_are_opaque(void)
{
    bucket.opaque_etags = true;
}

static void pages_have_two_parts(void)
{
    bucket.page_parts = 2;
}

static void the_object_may_not_be_so_large(void)
{
    settings.s3_max_object_bytes = content_size - 1;
}

static void the_file_has_a_tebibyte(void)
{
    file.object_bytes = UINT64_C(1) << 40;
    ck_assert(journal_save_file(journal, &file, &err));
}

static void the_file_became_shorter(void)
{
    ck_assert_int_eq(ftruncate(fd, (off_t)content_size - 1), 0);
}

static void reads_fail(void)
{
    read_errno = EIO;
}

/*
 * Uploads one file. When `killed` is set, a first run is killed at that moment; `arrives` says
 * whether its requests under way reach the bucket. Then `meanwhile` happens. Then comes the run
 * that is checked.
 */
/* gcc 10 wants each field of rows within a designated member. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const struct scenario {
    const char *name; /* the sentence that it proves */
    size_t size;
    void (*before)(void);
    struct fake_fault faults[3];
    struct moment at;
    void (*happens)(void); /* then */
    struct moment killed;
    bool arrives;
    void (*meanwhile)(void);

    /* Of the run that is checked: */
    const char *requests; /* "head put head", "part*3" */
    const char *key;      /* NULL: KEY */
    const char *says;     /* in a report or in the error */
    enum error_kind error;
    const char *left_open; /* "1": so many uploads; NULL: none */
    const char *leftover;  /* the first that housekeeping is to abort: an id, "?" for unknown */
    void (*well)(void);    /* what a person does then */
    const char *then;      /* the requests of one more run, when all is well again */
} scenarios[] = {
#define ONCE(what)  S3_##what, 1, 1
#define EVER(what)  S3_##what, 1, FAKE_ALWAYS
#define SAYS(how)   FAKE_ANSWER, S3_##how
#define LARGE       (10 * FAKE_PART_BYTES)
#define PLAIN_PUT   "head put head"
#define PLAIN_PARTS "head create part*3 head complete head"

    /* The plain ways. */
    {"a small file is put and confirmed", 500, .requests = PLAIN_PUT},
    {"an empty file is put", 0, .requests = PLAIN_PUT},
    {"a file of exactly one part is put", 1000, .requests = PLAIN_PUT},
    {"a file of one part and a byte is sent in two parts", 1001,
     .requests = "head create part*2 head complete head"},
    {"a large file is sent in parts", 10077, .requests = "head create part*11 head complete head"},
    {"one request at a time is enough", 2500, one_at_once, .requests = PLAIN_PARTS},
    {"Content-MD5 is sent when it is asked for", 2500, content_md5_is_wanted,
     .requests = PLAIN_PARTS},
    {"a file with more bytes than an object may have needs a person", 2500,
     the_object_may_not_be_so_large, .requests = "head", .error = ERROR_PERMANENT,
     .says = "CONFOMEET_S3_MAX_OBJECT_SIZE"},
    {"a file with more parts than fit needs a person", 0, the_file_has_a_tebibyte,
     .requests = "head", .error = ERROR_PERMANENT, .says = "CONFOMEET_S3_PART_SIZE"},

    /* Keys. */
    {"a key that is taken gets a suffix", 500, others_take_the_key, .requests = "head*2 put head",
     .key = SECOND_KEY, .says = KEY " is the key of another object"},
    {"a key that is taken gets a suffix, of parts too", 2500, others_take_the_key,
     .requests = "head*2 create part*3 head complete head", .key = SECOND_KEY},
    {"suffixed keys that are taken are passed over", 500, two_keys_are_taken,
     .requests = "head*3 put head", .key = THIRD_KEY},
    {"an object with our mark and another size is not ours", 500, our_mark_is_on_a_shorter_object,
     .requests = "head*3 put head", .key = SECOND_KEY},
    {"a key that another file of the journal has is not taken", 500, another_row_has_the_key,
     .requests = PLAIN_PUT, .key = SECOND_KEY},
    {"a key taken while the parts were sent is left alone and the upload aborted", 2500,
     .at = {S3_UPLOAD_PART, 3}, .happens = others_take_the_key, .key = SECOND_KEY,
     .requests = "head create part*3 head*2 create part*3 head complete head",
     .leftover = "upload-1", .says = "sent again: 3 parts, 2.4 KiB: another object took the key"},
    {"a conditional PUT that meets an object leads to a suffix", 500, writes_are_conditional,
     .at = {S3_HEAD_OBJECT, 1}, .happens = others_take_the_key, .key = SECOND_KEY,
     .requests = "head put head*2 put head"},
    {"a conditional Complete that meets an object leads to a suffix", 2500, writes_are_conditional,
     .at = {S3_HEAD_OBJECT, 2}, .happens = others_take_the_key, .key = SECOND_KEY,
     .requests = "head create part*3 head complete head*2 create part*3 head complete "
                 "head",
     .leftover = "upload-1"},
    {"a hundred taken keys need a person", 500, .faults = {{EVER(HEAD_OBJECT), SAYS(DONE)}},
     .requests = "head*99", .error = ERROR_PERMANENT, .says = "99 keys like it are taken",
     .key = "12345_2024-04-23-15-04-05~99.mp4"},

    /* Lost replies. */
    {"a small object that is ours already is not sent again", 500, our_object_appears,
     .requests = "head"},
    {"a large object that is ours already is not sent again", 2500, our_object_appears,
     .requests = "head"},
    {"a lost reply to PUT leads to no second PUT", 500,
     .faults = {{ONCE(PUT_OBJECT), FAKE_LOSE_REPLY}}, .requests = "head put head"},
    {"a PUT that was lost is sent again", 500, .faults = {{S3_PUT_OBJECT, 1, 2, FAKE_LOSE_REQUEST}},
     .requests = "head put head put head put head",
     .says = "sent again: 2 parts, 1000 B: the connection broke off"},
    {"a PUT that found no server is sent again without a look", 500,
     .faults = {{S3_PUT_OBJECT, 1, 2, FAKE_NO_CONNECTION}}, .requests = "head put*3 head"},
    {"a lost reply to Complete leads to no second upload", 2500,
     .faults = {{ONCE(COMPLETE_UPLOAD), FAKE_LOSE_REPLY}}, .requests = PLAIN_PARTS},
    {"a Complete that was lost is sent again and no part", 2500,
     .faults = {{S3_COMPLETE_UPLOAD, 1, 5, FAKE_LOSE_REQUEST}},
     .requests = "head create part*3 head complete head complete head complete head list head "
                 "complete head list head complete head list head complete head"},
    {"a Complete that was lost with its upload leads to a new upload", 2500,
     .faults = {{ONCE(COMPLETE_UPLOAD), FAKE_LOSE_REQUEST}}, .at = {S3_COMPLETE_UPLOAD, 1},
     .happens = uploads_expire,
     .requests = "head create part*3 head complete head complete head list head create part*3 head "
                 "complete head",
     .says = "sent again: 3 parts, 2.4 KiB: the bucket does not know the upload any more"},
    {"a repeated Complete that says NoSuchUpload although it was done is success", 2500,
     .faults = {{ONCE(COMPLETE_UPLOAD), FAKE_LOSE_REPLY},
                {S3_HEAD_OBJECT, 3, 3, SAYS(NO_SUCH_KEY)}},
     .requests = "head create part*3 head complete head complete head"},
    {"an object that is ours although its upload is open leaves no upload behind", 2500,
     .killed = {S3_UPLOAD_PART, 2}, .arrives = true, .meanwhile = our_object_appears,
     .requests = "head", .leftover = "upload-1"},
    {"a lost reply to Create leaves no upload behind", 2500,
     .faults = {{ONCE(CREATE_UPLOAD), FAKE_LOSE_REPLY}},
     .requests = "head create head create part*3 head complete head", .leftover = "?"},
    {"an upload of our key with parts is another's and left alone", 2500,
     another_s_upload_has_parts, .faults = {{ONCE(CREATE_UPLOAD), FAKE_LOSE_REPLY}},
     .requests = "head create head create part*3 head complete head", .left_open = "1",
     .leftover = "?"},
    {"an upload of unknown id is aborted although its key was taken meanwhile", 2500,
     .killed = {S3_HEAD_OBJECT, 1, 1}, .arrives = true, .meanwhile = others_take_the_key,
     .requests = "head*2 create part*3 head complete head", .key = SECOND_KEY, .leftover = "?"},
    {"a Create that found no server is sent again without a search", 2500,
     .faults = {{ONCE(CREATE_UPLOAD), FAKE_NO_CONNECTION}},
     .requests = "head create*2 part*3 head complete head"},

    /* Uploads that are gone, parts that differ. */
    {"an upload that is gone while parts are sent is begun again", LARGE,
     .faults = {{S3_UPLOAD_PART, 4, 6, SAYS(NO_SUCH_UPLOAD), "NoSuchUpload"}},
     .requests = "head create part*6 head create part*10 head complete head", .left_open = "1",
     .says = "sent again: 3 parts, 2.9 KiB: the bucket does not know the upload any more"},
    {"an upload that expires while parts are sent is begun again", LARGE, .at = {S3_UPLOAD_PART, 2},
     .happens = uploads_expire,
     .requests = "head create part*5 head create part*10 head complete head"},
    {"an upload that is gone when the run begins is begun again", 2500,
     .killed = {S3_UPLOAD_PART, 2}, .arrives = true, .meanwhile = uploads_expire,
     .requests = "head list head create part*3 head complete head",
     .says = "sent again: 2 parts, 2 KiB: the bucket does not know the upload any more"},
    {"an upload that is gone when it is completed is begun again", 2500, .at = {S3_UPLOAD_PART, 3},
     .happens = uploads_expire,
     .requests = "head create part*3 head complete head list head create part*3 head complete "
                 "head"},
    {"an upload that keeps vanishing is left for later", 2500, .at = {S3_UPLOAD_PART},
     .happens = uploads_expire, .error = ERROR_TRANSIENT, .says = "begun again too often",
     .requests = "head create part*3 head create part*3 head create part*3 head create part*3",
     .then = PLAIN_PARTS},
    {"a part that the bucket holds differently is sent again after Complete failed", 2500,
     .at = {S3_UPLOAD_PART, 3}, .happens = a_part_is_damaged,
     .requests = "head create part*3 head complete head list part head complete head",
     .says = "sent again: 1 part, 1000 B: the bucket lists another ETag than it acknowledged"},
    {"a part that the bucket lost is sent again after Complete failed", 2500,
     .at = {S3_UPLOAD_PART, 3}, .happens = a_part_is_lost,
     .requests = "head create part*3 head complete head list part head complete head",
     .says = "sent again: 1 part, 500 B: the bucket does not list what it acknowledged"},
    {"an upload that holds more parts than the file has is aborted and begun again", 4500,
     .killed = {S3_UPLOAD_PART, 5}, .arrives = true, .meanwhile = a_shorter_file_takes_its_place,
     .requests = "head list head create part*3 head complete head", .leftover = "upload-1",
     .says = "sent again: 5 parts, 4.4 KiB: the bucket holds parts that the file does not have"},
    {"an upload of which no whole part got through is begun again with smaller parts", 2500,
     .killed = {S3_CREATE_UPLOAD, 1}, .meanwhile = the_part_size_is_halved,
     .requests = "head list head create part*5 head complete head", .leftover = "upload-1",
     .says = "smaller parts"},
    {"an upload of which a whole part got through keeps its plan", 2500,
     .killed = {S3_UPLOAD_PART, 1}, .meanwhile = the_part_size_is_halved,
     .requests = "head list part*2 head complete head"},
    {"an upload of another content is left to housekeeping", 2500, the_upload_is_to_be_aborted,
     .requests = PLAIN_PARTS, .leftover = "upload-1"},
    {"of a file that became empty the open upload is aborted", 4500, .killed = {S3_UPLOAD_PART, 1},
     .arrives = true, .meanwhile = an_empty_file_takes_its_place,
     .requests = "head list head put head", .leftover = "upload-1"},

    /* Servers that fail. */
    {"a Complete that always fails is left for later, and no part is sent again", 2500,
     .faults = {{EVER(COMPLETE_UPLOAD), SAYS(RETRY), "InternalError"}}, .error = ERROR_TRANSIENT,
     .then = "head list head complete head"},
    {"parts that are refused again and again are sent once under another id, then it is permanent",
     2500, .faults = {{EVER(COMPLETE_UPLOAD), SAYS(BAD_PART), "InvalidPart"}},
     .requests = "head create part*3 head complete head list head complete head list head complete "
                 "head create part*3 head complete head list head complete head list head complete",
     .leftover = "upload-1", .error = ERROR_PERMANENT, .says = "refuses to complete the upload",
     .then = "head list head complete head"},
    {"refused parts are counted across a kill", 2500, .killed = {S3_COMPLETE_UPLOAD, 5},
     .faults = {{EVER(COMPLETE_UPLOAD), SAYS(BAD_PART), "InvalidPart"}},
     .requests = "head list head complete", .error = ERROR_PERMANENT, .leftover = "upload-1"},
    {"refused parts are sent under another id although a kill came between", 2500,
     .killed = {S3_COMPLETE_UPLOAD, 2},
     .faults = {{S3_COMPLETE_UPLOAD, 1, 3, SAYS(BAD_PART), "InvalidPart"}},
     .requests = "head list head complete head create part*3 head complete head",
     .leftover = "upload-1",
     .says = "sent again: 3 parts, 2.4 KiB: the server refuses to complete the parts"},

    /* Stored, but not as it was sent. */
    {"a small object whose metadata was dropped is permanent at once", 500, metadata_is_dropped,
     .requests = "head put head", .error = ERROR_PERMANENT, .says = "drops x-amz-meta-",
     .well = a_person_removes_the_object, .then = "head put head"},
    {"a large object whose metadata was dropped is permanent at once", 2500, metadata_is_dropped,
     .requests = PLAIN_PARTS, .error = ERROR_PERMANENT, .says = "drops x-amz-meta-",
     .well = a_person_removes_the_object,
     .then = "head list head create part*3 head complete head"},
    {"a small object of another size is permanent at once", 500, sizes_are_changed,
     .requests = "head put head", .error = ERROR_PERMANENT,
     .says = "stored with 500 bytes, but HeadObject shows 528", .well = a_person_removes_the_object,
     .then = "head put head"},
    {"metadata that was dropped is found although the reply to Complete was lost", 2500,
     metadata_is_dropped, .faults = {{ONCE(COMPLETE_UPLOAD), FAKE_LOSE_REPLY}},
     .requests = PLAIN_PARTS, .error = ERROR_PERMANENT, .well = a_person_removes_the_object},
    {"metadata that was dropped is found by the next run after a kill", 500, metadata_is_dropped,
     .killed = {S3_HEAD_OBJECT, 1, 1}, .arrives = true, .requests = "head",
     .error = ERROR_PERMANENT, .well = a_person_removes_the_object, .then = "head put head"},
    {"another tool's object that a conditional PUT met leads to a suffix", 500,
     writes_are_conditional, .at = {S3_HEAD_OBJECT, 1}, .happens = another_tool_s_object_appears,
     .key = SECOND_KEY, .requests = "head put head*2 put head"},
    {"another tool's object that a conditional Complete met leads to a suffix", 2500,
     writes_are_conditional, .at = {S3_HEAD_OBJECT, 2}, .happens = another_tool_s_object_appears,
     .key = SECOND_KEY,
     .requests = "head create part*3 head complete head*2 create part*3 head complete "
                 "head",
     .leftover = "upload-1"},
    {"an object of another mark in its place leads to a suffix", 500, .at = {S3_PUT_OBJECT, 1},
     .happens = others_replace_it, .key = SECOND_KEY, .requests = "head put head*2 put head",
     .says = "sent again: 1 part, 500 B: another object took the key"},
    {"each key of the session is compared with this file", 500, the_second_key_has_this_very_file,
     .requests = "head*3", .key = SECOND_KEY, .says = "already has this file"},

    /* Servers that fail. */
    {"a small object that is never seen is sent once more, then it is permanent", 500,
     .faults = {{EVER(HEAD_OBJECT), SAYS(NO_SUCH_KEY)}}, .requests = "head put head*8 put head*7",
     .error = ERROR_PERMANENT,
     .says = "sent again: 1 part, 500 B: the server said that the object was stored",
     .then = "head"},
    {"a large object that is never seen is sent once more, then it is permanent", 2500,
     .faults = {{EVER(HEAD_OBJECT), SAYS(NO_SUCH_KEY)}},
     .requests = "head create part*3 head complete head*8 create part*3 head complete head*7",
     .error = ERROR_PERMANENT, .says = "but it is not there", .then = "head"},
    {"objects that are never seen are counted across a kill", 500, .killed = {S3_HEAD_OBJECT, 10},
     .faults = {{EVER(HEAD_OBJECT), SAYS(NO_SUCH_KEY)}}, .requests = "head put head*7",
     .error = ERROR_PERMANENT},
    {"a small object that is seen late is waited for", 500,
     .faults = {{S3_HEAD_OBJECT, 2, 4, SAYS(NO_SUCH_KEY)}}, .requests = "head put head*4"},
    {"a large object that is seen late is waited for", 2500,
     .faults = {{S3_HEAD_OBJECT, 3, 5, SAYS(NO_SUCH_KEY)}},
     .requests = "head create part*3 head complete head*4"},
    {"a refused HEAD ends it", 500, .faults = {{EVER(HEAD_OBJECT), SAYS(REFUSED), "NoSuchBucket"}},
     .requests = "head", .error = ERROR_PERMANENT, .says = "NoSuchBucket"},
    {"a refused PUT ends it", 500, .faults = {{EVER(PUT_OBJECT), SAYS(REFUSED), "NoSuchBucket"}},
     .requests = "head put", .error = ERROR_PERMANENT, .says = "NoSuchBucket"},
    {"a refused Create ends it", 2500,
     .faults = {{EVER(CREATE_UPLOAD), SAYS(REFUSED), "NoSuchBucket"}}, .requests = "head create",
     .error = ERROR_PERMANENT, .leftover = "?"},
    {"a refused Complete ends it", 2500,
     .faults = {{EVER(COMPLETE_UPLOAD), SAYS(REFUSED), "NoSuchBucket"}},
     .requests = "head create part*3 head complete", .error = ERROR_PERMANENT},
    {"a refused part ends it and only what was under way was asked", LARGE,
     .faults = {{EVER(UPLOAD_PART), SAYS(REFUSED), "AccessDenied"}},
     .requests = "head create part*3", .error = ERROR_PERMANENT},
    {"why HEAD was refused is asked by GET", 500,
     .faults = {{EVER(HEAD_OBJECT), SAYS(ASK_REASON)},
                {EVER(GET_RANGE), SAYS(REFUSED), "AccessDenied"}},
     .requests = "head get", .error = ERROR_PERMANENT, .says = "AccessDenied"},
    {"a GET that finds nothing after HEAD was refused means that the key is free", 500,
     .faults = {{ONCE(HEAD_OBJECT), SAYS(ASK_REASON)}}, .requests = "head get put head"},
    {"a GET that works although HEAD does not ends in patience", 500, others_take_the_key,
     .faults = {{EVER(HEAD_OBJECT), SAYS(ASK_REASON)}}, .error = ERROR_TRANSIENT,
     .key = SECOND_KEY},
    {"when listing parts is refused the journal is believed", 2500, .killed = {S3_UPLOAD_PART, 2},
     .faults = {{EVER(LIST_PARTS), SAYS(REFUSED), "AccessDenied"}},
     .requests = "head list part head complete head"},
    {"when the server does not list parts the journal is believed", 2500,
     .killed = {S3_UPLOAD_PART, 2},
     .faults = {{EVER(LIST_PARTS), SAYS(REFUSED), "MethodNotAllowed"}},
     .requests = "head list part head complete head", .says = "ListParts fails"},
    {"when listing parts fails for the patience the journal is believed", 2500,
     .killed = {S3_UPLOAD_PART, 2}, .faults = {{EVER(LIST_PARTS), SAYS(RETRY), "InternalError"}},
     .says = "ListParts fails"},
    {"what fails as listing parts did has no patience left", 2500, .killed = {S3_UPLOAD_PART, 2},
     .faults = {{EVER(LIST_PARTS), SAYS(RETRY), "InternalError"},
                {S3_UPLOAD_PART, 3, FAKE_ALWAYS, SAYS(RETRY), "InternalError"}},
     .error = ERROR_TRANSIENT, .says = "InternalError"},
    {"when each reply to ListParts is lost the journal is believed", 2500,
     .killed = {S3_UPLOAD_PART, 2}, .faults = {{EVER(LIST_PARTS), FAKE_LOSE_REPLY}}},
    {"a part that neither journal nor listing tells of is sent again", 2500,
     .killed = {S3_UPLOAD_PART, 2}, .arrives = true,
     .faults = {{EVER(LIST_PARTS), SAYS(REFUSED), "NotImplemented"}},
     .requests = "head list part head complete head"},
    {"an upload that is gone is begun again without listing parts when a part is sent", 2500,
     .killed = {S3_UPLOAD_PART, 2}, .meanwhile = uploads_expire,
     .faults = {{EVER(LIST_PARTS), SAYS(REFUSED), "NotImplemented"}},
     .requests = "head list part head create part*3 head complete head"},
    {"an upload that is gone is begun again without listing parts when it is completed", 2500,
     .killed = {S3_HEAD_OBJECT, 2}, .meanwhile = uploads_expire,
     .faults = {{EVER(LIST_PARTS), SAYS(REFUSED), "NotImplemented"}},
     .requests = "head list head complete head list head create part*3 head complete head"},
    {"parts that are refused for ever are sent again without listing them", 2500,
     .killed = {S3_UPLOAD_PART, 2},
     .faults = {{EVER(LIST_PARTS), SAYS(REFUSED), "NotImplemented"},
                {S3_COMPLETE_UPLOAD, 1, 3, SAYS(BAD_PART), "InvalidPart"}},
     .requests = "head list part head complete head list head complete head list head complete "
                 "head create part*3 head complete head",
     .leftover = "upload-1"},
    {"without listing parts those that a shorter file lacks lead to another upload", 4500,
     .killed = {S3_HEAD_OBJECT, 2}, .meanwhile = a_shorter_file_takes_its_place,
     .faults = {{EVER(LIST_PARTS), SAYS(REFUSED), "NotImplemented"}},
     .requests = "head list head create part*3 head complete head", .leftover = "upload-1"},
    {"what else is wrong than listing parts ends it by the next request", 2500,
     .killed = {S3_UPLOAD_PART, 2},
     .faults = {{EVER(LIST_PARTS), SAYS(REFUSED), "NoSuchBucket"},
                {S3_UPLOAD_PART, 3, FAKE_ALWAYS, SAYS(REFUSED), "NoSuchBucket"}},
     .requests = "head list part", .error = ERROR_PERMANENT},
    {"bytes that were damaged on the way are sent again", 2500,
     .faults = {{S3_UPLOAD_PART, 1, 2, SAYS(RETRY), "XAmzContentSHA256Mismatch"}},
     .requests = "head create part*5 head complete head",
     .says = "sent again: 2 parts, 2 KiB: the server received other bytes than were read"},
    {"parts that the server was too busy for are sent again", 2500,
     .faults = {{S3_UPLOAD_PART, 1, 1, SAYS(SLOW_DOWN), "SlowDown"}},
     .requests = "head create part*4 head complete head",
     .says = "sent again: 1 part, 1000 B: the server asked for fewer requests"},

    /* Files that change. */
    {"a file that changed before the PUT is not uploaded", 500, .at = {S3_HEAD_OBJECT, 1},
     .happens = the_file_changes, .requests = "head", .error = ERROR_CHANGED},
    {"a file that changed after the PUT is not uploaded", 500, .at = {S3_PUT_OBJECT, 1},
     .happens = the_file_changes, .requests = "head put head", .error = ERROR_CHANGED},
    {"a file that changed before the Complete is not uploaded", 2500, .at = {S3_UPLOAD_PART, 3},
     .happens = the_file_changes, .requests = "head create part*3 head", .error = ERROR_CHANGED},
    {"a file that changed at the last moment is not uploaded", 2500, .at = {S3_HEAD_OBJECT, 2},
     .happens = the_file_changes, .requests = "head create part*3 head", .error = ERROR_CHANGED},
    {"a file that changed after the Complete is not uploaded", 2500, .at = {S3_COMPLETE_UPLOAD, 1},
     .happens = the_file_changes, .requests = PLAIN_PARTS, .error = ERROR_CHANGED},
    {"a small file that became shorter is not uploaded", 500, the_file_became_shorter,
     .requests = "head", .error = ERROR_CHANGED},
    {"a large file that became shorter is not uploaded", 2500, the_file_became_shorter,
     .error = ERROR_CHANGED},
    {"a small file that cannot be read needs a person", 500, reads_fail, .requests = "head",
     .error = ERROR_PERMANENT, .says = "Input/output error"},
    {"a large file that cannot be read needs a person", 2500, reads_fail, .requests = "head create",
     .error = ERROR_PERMANENT, .says = "Input/output error"},

    /* Going on. */
    {"parts that are held and unchanged are not sent again", LARGE, .killed = {S3_UPLOAD_PART, 6},
     .requests = "head list part*4 head complete head"},
    {"a held part whose bytes changed is sent again", LARGE, .killed = {S3_UPLOAD_PART, 6},
     .meanwhile = two_bytes_change, .requests = "head list part*6 head complete head",
     .says = "sent again: 2 parts, 2 KiB: the bytes changed since they were sent"},
    {"parts whose acknowledgement was lost are adopted by their MD5", 2500,
     .killed = {S3_CREATE_UPLOAD, 1, 3}, .arrives = true,
     .requests = "head list head complete head"},
    {"parts whose acknowledgement was lost are sent again when their ETag says nothing", 2500,
     etags_are_opaque, .killed = {S3_CREATE_UPLOAD, 1, 3}, .arrives = true,
     .requests = "head list part*3 head complete head",
     .says = "sent again: 3 parts, 2.4 KiB: a run ended before the bucket acknowledged them"},
    {"a listing of several pages is read to its end", LARGE, pages_have_two_parts,
     .killed = {S3_UPLOAD_PART, 7}, .requests = "head list*4 part*3 head complete head"},
    {"a PUT whose run was killed before it arrived is sent again", 500,
     .killed = {S3_HEAD_OBJECT, 1, 1}, .requests = PLAIN_PUT,
     .says = "sent again: 1 part, 500 B: a run ended before the bucket acknowledged them"},
    {"an upload that a person aborted meanwhile is begun again", 2500,
     .killed = {S3_UPLOAD_PART, 1}, .meanwhile = the_upload_is_aborted_by_a_person,
     .requests = "head list head create part*3 head complete head"},
};

static void assert_requests(const struct scenario *scenario, const char *expected)
{
    if (expected)
        ck_assert_msg(!strcmp(requests_text(), expected), "%s: requests \"%s\" instead of \"%s\"",
                      scenario->name, requests_text(), expected);
    ck_assert_msg(bucket.total_calls <= 100, "%s: %u requests", scenario->name, bucket.total_calls);
}

static void assert_says(const struct scenario *scenario, const struct error *error)
{
    if (scenario->says)
        ck_assert_msg(strstr(buffer_text(&reports), scenario->says) ||
                          (error && strstr(error->text, scenario->says)),
                      "%s: it says \"%s\" and %s", scenario->name, buffer_text(&reports),
                      error ? error->text : "no error");
}

/* What housekeeping is to abort: an upload by its id, or one to be found by its key. */
static void assert_leftover(const struct scenario *scenario)
{
    struct journal_leftover leftover;
    bool found;

    ck_assert(journal_next_leftover(journal, 0, &leftover, &found, &err));
    ck_assert_msg(found == !!scenario->leftover, "%s", scenario->name);
    if (!found)
        return;
    ck_assert_str_eq(leftover.key, KEY);
    ck_assert_str_eq(leftover.upload_id, strcmp(scenario->leftover, "?") ? scenario->leftover : "");
}

static void assert_ends(const struct scenario *scenario, const struct error *error)
{
    ck_assert_msg(error ? error->kind == scenario->error : scenario->error == ERROR_NONE, "%s: %s",
                  scenario->name, error ? error->text : "it did not fail");
    load_row();
    if (error) {
        ck_assert_int_eq(file.state, JOURNAL_FILE_PENDING);
        return;
    }
    assert_uploaded_with(scenario->left_open ? (unsigned)atoi(scenario->left_open) : 0);
    ck_assert_str_eq(file.key, scenario->key ? scenario->key : KEY);
    assert_leftover(scenario);
}

/* The server is well, the file is there: what failed is done by the next run. */
static void assert_recovers(const struct scenario *scenario)
{
    const struct scenario well = {.name = scenario->name,
                                  .key = scenario->key,
                                  .left_open = scenario->left_open,
                                  .leftover = scenario->leftover};

    bucket.fault_count = 0;
    read_errno = 0;
    happens = NULL;
    if (scenario->well)
        scenario->well();
    forget_requests();
    assert_ends(&well, run());
    assert_requests(&well, scenario->then);
}

static bool needs_another_file(const struct scenario *scenario)
{
    return scenario->error == ERROR_CHANGED || scenario->before == the_file_has_a_tebibyte ||
           scenario->before == the_object_may_not_be_so_large;
}

START_TEST(each_scenario_goes_as_its_name_says)
{
    const struct scenario *scenario = &scenarios[_i];
    const struct error *error;

    begin(scenario->size);
    if (scenario->before)
        scenario->before();
    for (unsigned i = 0; i < sizeof scenario->faults / sizeof *scenario->faults; i++)
        if (scenario->faults[i].last)
            fake_fault_on(&bucket, scenario->faults[i]);
    if (scenario->killed.count) {
        open_upload();
        while (calls(scenario->killed.operation) < scenario->killed.count ||
               requests_under_way() < scenario->killed.under_way)
            drive();
        kill_upload(scenario->arrives);
    }
    if (scenario->meanwhile)
        scenario->meanwhile();
    forget_requests();
    happens = scenario->happens;
    happens_at = scenario->at;
    error = run();
    assert_requests(scenario, scenario->requests);
    assert_says(scenario, error);
    assert_ends(scenario, error);
    if (error && !needs_another_file(scenario))
        assert_recovers(scenario);
    finish();
}
END_TEST

/* ---- time, and the order of replies -----------------------------------------------------------
 */

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

START_TEST(when_nothing_succeeds_for_the_patience_it_is_left_for_later)
{
    static const enum s3_operation operations[] = {S3_HEAD_OBJECT, S3_PUT_OBJECT, S3_CREATE_UPLOAD,
                                                   S3_UPLOAD_PART};
    uint64_t began_ms;

    begin(operations[_i] == S3_PUT_OBJECT ? 500 : 2500);
    began_ms = now_ms;
    answer(operations[_i], 1, FAKE_ALWAYS, S3_RETRY, "InternalError");
    assert_failed(run(), ERROR_TRANSIENT);
    ck_assert_uint_ge(now_ms - began_ms, PATIENCE_MS - RETRY_LAST_BOUND_MS);
    ck_assert_uint_le(now_ms - began_ms, PATIENCE_MS);
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

START_TEST(a_pause_longer_than_the_patience_left_ends_it_at_once)
{
    static const enum s3_operation operations[] = {S3_HEAD_OBJECT, S3_CREATE_UPLOAD, S3_UPLOAD_PART,
                                                   S3_COMPLETE_UPLOAD, S3_PUT_OBJECT};
    uint64_t began_ms;

    begin(operations[_i] == S3_PUT_OBJECT ? 500 : 2500);
    began_ms = now_ms;
    fake_fault_on(&bucket, (struct fake_fault){.operation = operations[_i],
                                               .first = 1,
                                               .last = FAKE_ALWAYS,
                                               .kind = FAKE_ANSWER,
                                               .outcome = S3_SLOW_DOWN,
                                               .code = "SlowDown",
                                               .retry_after_ms = 300000});
    open_upload();
    drive_for(NEVER);
    ck_assert_ptr_nonnull(upload_error(upload));
    ck_assert_int_eq(upload_error(upload)->kind, ERROR_TRANSIENT);
    ck_assert_uint_le(now_ms - began_ms, 60); /* one for each event */
    ck_assert_uint_ge(upload_asked_until_ms(upload), began_ms + 300000);
    close_upload();
    bucket.fault_count = 0;
    load_row();
    assert_runs_well();
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

START_TEST(what_is_to_be_signed_again_and_again_has_an_end)
{
    static const enum s3_operation operations[] = {S3_HEAD_OBJECT, S3_UPLOAD_PART};

    begin(2500);
    answer(operations[_i], 1, FAKE_ALWAYS, S3_SIGN_AGAIN, "RequestTimeTooSkewed");
    assert_failed(run(), ERROR_TRANSIENT);
    ck_assert_uint_le(calls(operations[_i]), 3 * (RETRY_MAX_TRIES + 4));
    bucket.fault_count = 0;
    assert_runs_well();
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

/* ---- a file that grows ------------------------------------------------------------------------
 */

/* A run of the watcher when the file has so many of its bytes. */
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

/* Two runs of the watcher while the file has so many bytes, and the finalizer's. */
static const struct growth {
    const char *name;
    size_t size, first, second;
    void (*before)(void);
    void (*between)(void); /* the watcher's runs */
    void (*closed)(void);  /* after them */
    const char *held[2];   /* after each of them */
    const char *requests;  /* of all three */
    const char *key;       /* NULL: KEY */
} growths[] = {
    {"while a file grows its whole parts are sent and the upload stays open", 6500, 3500, 5000,
     .held = {"2,3", "2,3,4,5"},
     .requests = "head create part*4 head list part*3 head complete head"},
    {"a file that is small yet is not put while it grows", 2500, 500, 900, .held = {"", ""},
     .requests = "head create head list part*3 head complete head"},
    {"bytes that change when it ends are found", 5500, 5000, 5000, .closed = two_bytes_change,
     .held = {"2,3,4,5", "2,3,4,5"},
     .requests = "head create part*4 head list part*3 head complete head"},
    {"an upload that vanished while the file grows is begun again", 5500, 3000, 4000,
     .between = uploads_expire, .held = {"2,3", "2,3,4"},
     .requests = "head create part*3 head create part*3 head list part*3 head complete head"},
    {"an upload that vanished after the last part is begun again at the end", 5500, 5400, 5450,
     .between = uploads_expire, .held = {"2,3,4,5", ""},
     .requests = "head create part*4 head list head create part*6 head complete head"},
    {"a key that is taken gets a suffix while the file grows", 5500, 3000, 3000,
     .before = others_take_the_key, .held = {"2,3", "2,3"}, .key = SECOND_KEY,
     .requests = "head*2 create part*2 head list part*4 head complete head"},
    {"a key that is taken while the file grows is left alone", 5500, 3000, 4000,
     .between = others_take_the_key, .held = {"2,3", "2,3,4"}, .key = SECOND_KEY,
     .requests = "head create part*3 head*2 create part*6 head complete head"},
};

START_TEST(each_file_that_grows_goes_as_its_name_says)
{
    const struct growth *growth = &growths[_i];

    begin(growth->size);
    if (growth->before)
        growth->before();
    assert_ok(run_growing(growth->first));
    ck_assert_msg(!strcmp(held_parts(), growth->held[0]), "%s: %s", growth->name, held_parts());
    ck_assert_int_eq(file.state, JOURNAL_FILE_PENDING);
    ck_assert_int_eq(file.phase, JOURNAL_PHASE_OPEN);
    if (growth->between)
        growth->between();
    assert_ok(run_growing(growth->second));
    ck_assert_msg(!strcmp(held_parts(), growth->held[1]), "%s: %s", growth->name, held_parts());
    if (growth->closed)
        growth->closed();
    assert_ok(run_finished());
    assert_uploaded();
    ck_assert_msg(!strcmp(requests_text(), growth->requests), "%s: %s", growth->name,
                  requests_text());
    ck_assert_str_eq(file.key, growth->key ? growth->key : KEY);
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

/* ---- what was rescued meanwhile (delivery/rescue.h) ------------------------------------------
 */

/* The first two parts became the object, and the upload is gone. */
static void is_rescued(const char *mark, bool told)
{
    fake_expire_uploads(&bucket);
    fake_put_object(&bucket, KEY, mark, content, 2000)->same_session = true;
    fake_put_object(&bucket, KEY ".rescued", told ? mark : "", "yes", 3);
}

static void assert_replaced(const char *mark, bool told)
{
    assert_ok(run_finished());
    assert_uploaded();
    ck_assert_str_eq(file.key, KEY);
    ck_assert_str_eq(file.mark, mark);
    ck_assert_int_eq(file.notice == JOURNAL_NOTICE_ACCEPTED, told);
    ck_assert(!bucket.overwrote);
}

START_TEST(what_was_rescued_gives_way_to_the_longer_file_and_the_backend_is_told_once)
{
    bool told = _i & 1;

    begin(5500);
    bucket.conditional = settings.s3_conditional_writes = _i & 2;
    assert_ok(run_growing(3500));
    is_rescued(MARK, told);
    assert_replaced(MARK, told);
    finish();
}
END_TEST

START_TEST(what_was_rescued_while_it_is_recorded_gives_way_at_the_end)
{
    begin(5500);
    assert_ok(run_growing(3500));
    is_rescued(MARK, true);
    assert_ok(run_growing(4500));
    ck_assert_str_eq(file.key, KEY);
    assert_replaced(MARK, true);
    finish();
}
END_TEST

START_TEST(without_the_journal_the_record_tells_that_the_object_was_rescued)
{
    begin(5500);
    is_rescued(OTHER_MARK, _i);
    assert_replaced(OTHER_MARK, _i);
    finish();
}
END_TEST

START_TEST(a_record_of_another_object_says_nothing_of_the_backend)
{
    begin(5500);
    assert_ok(run_growing(3500));
    fake_expire_uploads(&bucket);
    fake_put_object(&bucket, KEY, MARK, content, 2000)->same_session = true;
    fake_put_object(&bucket, KEY ".rescued", OTHER_MARK, "yes", 3);
    assert_replaced(MARK, false);
    finish();
}
END_TEST

START_TEST(without_a_record_a_shorter_object_of_the_session_is_left_alone)
{
    begin(5500);
    fake_put_object(&bucket, KEY, OTHER_MARK, content, 2000)->same_session = true;
    assert_ok(run_finished());
    assert_uploaded();
    ck_assert_str_eq(file.key, SECOND_KEY);
    finish();
}
END_TEST

/* ---- at any instant ---------------------------------------------------------------------------
 */

static void take_the_key_after_the_last_part(void)
{
    happens = others_take_the_key;
    happens_at = (struct moment){S3_UPLOAD_PART, 3, 0};
}

START_TEST(whichever_reply_is_lost_all_ends_well)
{
    static const size_t sizes[] = {500, 2500};
    static const enum fake_fault_kind kinds[] = {FAKE_LOSE_REPLY, FAKE_LOSE_REQUEST,
                                                 FAKE_NO_CONNECTION};

    for (unsigned operation = 0; operation < FAKE_OPERATIONS; operation++)
        for (unsigned count = 1; count <= 4; count++)
            for (unsigned again = 0; again <= 2; again += 2) {
                begin(sizes[_i / 3]);
                put_another_s("unrelated");
                if (again == 2)
                    take_the_key_after_the_last_part();
                lose(operation, count, count + again, kinds[_i % 3]);
                assert_runs_well();
                finish();
            }
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
    } rows[] = {{JOURNAL_PHASE_NONE, 500},  {JOURNAL_PHASE_PUTTING, 500},
                {JOURNAL_PHASE_NONE, 2500}, {JOURNAL_PHASE_CREATING, 2500},
                {JOURNAL_PHASE_OPEN, 2500}, {JOURNAL_PHASE_COMPLETING, 2500}};

    for (unsigned arrives = 0; arrives <= 1; arrives++) {
        begin(rows[_i].size);
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
static void kill_sweep(size_t size, bool arrives, bool key_is_taken)
{
    bool through = false;

    for (unsigned events = 0; !through; events++) {
        begin(size);
        if (key_is_taken)
            take_the_key_after_the_last_part();
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
        kill_sweep(sizes[i], _i, false);
}
END_TEST

START_TEST(killed_at_any_instant_while_its_key_is_taken_it_is_finished_by_the_next_run)
{
    kill_sweep(2500, _i, true);
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

static bool comes_up(unsigned percent)
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
    if (!comes_up(20))
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
        while (!ended && !(comes_up(2))) {
            script_trouble();
            drive();
        }
        if (ended) {
            close_upload();
            load_row();
        } else {
            kill_upload(comes_up(50));
        }
        if (comes_up(5))
            fake_expire_uploads(&bucket);
        if (comes_up(3) && !fake_find_object(&bucket, KEY))
            put_another_s(KEY); /* between two runs: within one, it could not be seen */
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
    bucket.opaque_etags = comes_up(30);
    if (comes_up(20))
        put_another_s(KEY);
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

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *cases = tcase_create(name);

    suite_add_tcase(suite, cases);
    return cases;
}

int main(void)
{
    Suite *suite = suite_create("upload");
    TCase *cases = add_case(suite, "scenarios");

    printf("first seed: %llu (TEST_SEED sets another)\n", (unsigned long long)first_seed());
    fflush(stdout); /* before Check forks */
    tcase_add_loop_test(cases, each_scenario_goes_as_its_name_says, 0,
                        (int)(sizeof scenarios / sizeof *scenarios));
    cases = add_case(suite, "time, and the order of replies");
    tcase_add_test(cases, parts_may_be_acknowledged_in_any_order);
    tcase_add_test(cases, progress_ends_with_all_of_the_file);
    tcase_add_loop_test(cases, when_nothing_succeeds_for_the_patience_it_is_left_for_later, 0, 4);
    tcase_add_loop_test(cases, slow_down_pauses_as_long_as_the_server_asks, 0, 4);
    tcase_add_loop_test(cases, a_pause_longer_than_the_patience_left_ends_it_at_once, 0, 5);
    tcase_add_test(cases, a_part_that_is_told_to_slow_down_does_not_hold_up_the_others);
    tcase_add_loop_test(cases, what_is_to_be_signed_again_and_again_has_an_end, 0, 2);
    tcase_add_loop_test(cases, what_is_to_be_signed_again_is_sent_again_at_once, 0, 6);
    cases = add_case(suite, "a file that grows");
    tcase_add_loop_test(
        cases, what_was_rescued_gives_way_to_the_longer_file_and_the_backend_is_told_once, 0, 4);
    tcase_add_test(cases, what_was_rescued_while_it_is_recorded_gives_way_at_the_end);
    tcase_add_test(cases, a_record_of_another_object_says_nothing_of_the_backend);
    tcase_add_loop_test(cases, without_the_journal_the_record_tells_that_the_object_was_rescued, 0,
                        2);
    tcase_add_test(cases, without_a_record_a_shorter_object_of_the_session_is_left_alone);
    tcase_add_loop_test(cases, each_file_that_grows_goes_as_its_name_says, 0,
                        (int)(sizeof growths / sizeof *growths));
    tcase_add_loop_test(cases, killed_at_any_instant_while_the_file_grows_all_ends_well, 0, 2);
    cases = add_case(suite, "at any instant");
    tcase_add_loop_test(cases, whichever_reply_is_lost_all_ends_well, 0, 6);
    tcase_add_loop_test(cases, it_goes_on_from_every_phase, 0, 6);
    tcase_add_loop_test(cases, killed_at_any_instant_it_is_finished_by_the_next_run, 0, 2);
    tcase_add_loop_test(
        cases, killed_at_any_instant_while_its_key_is_taken_it_is_finished_by_the_next_run, 0, 2);
    tcase_add_loop_test(cases, killed_twice_at_any_two_instants_it_is_finished_by_the_third_run, 0,
                        4);
    tcase_add_loop_test(add_case(suite, "at random"), at_random_all_ends_well, 0, 10);
    return unit_run(suite);
}
