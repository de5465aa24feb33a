/*
 * test_rescue - what is hard to reach end to end (e2e_rescue.sh, rescue_sweep.py): a bucket in
 * memory stands in for the network.
 */
#include "finalize/delivery/rescue_private.h"

#include "tests/unit/fake_network.h"
#include "tests/unit/unit.h"

#include <check.h>

#define KEY       "12345_2026-11-24-10-00-00.mp4"
#define RECORD    KEY ".rescued"
#define MARK      "00112233445566778899aabbccddeeff"
#define PART      S3_MIN_PART_BYTES
#define COUNT(of) ((int)(sizeof(of) / sizeof(of)[0]))

static struct settings settings;
static struct rng rng;
static struct rescue rescue;
static struct rescue_result result;
static char reported[512];
static struct error err;

static bool is_never_stopped(void *context)
{
    (void)context;
    return false;
}

static void on_report(void *context, const char *sentence)
{
    (void)context;
    snprintf(reported, sizeof reported, "%s", sentence);
}

static void set_up(void)
{
    memset(&bucket, 0, sizeof bucket);
    bucket.large_parts = true;
    settings = (struct settings){
        .s3_bucket = (char *)"recordings", .s3_part_size_bytes = PART, .s3_parallel = 1};
    rng = (struct rng){.state = 1};
    rescue = (struct rescue){.settings = &settings,
                             .rng = &rng,
                             .stop_requested = is_never_stopped,
                             .report = on_report};
    reported[0] = '\0';
    error_clear(&err);
}

/* A recording in fragments, two and a half seconds in 5 parts. */
static size_t read_recorded(uint8_t bytes[FAKE_OBJECT_BYTES])
{
    FILE *in = fopen(SOURCE_DIR "/tests/fuzz/corpus/mp4_index/ffmpeg-7.1-b-frames", "re");
    size_t length;

    ck_assert_ptr_nonnull(in);
    length = fread(bytes, 1, FAKE_OBJECT_BYTES, in);
    ck_assert_int_eq(fclose(in), 0);
    ck_assert_uint_gt(length, 4 * FAKE_PART_BYTES);
    return length;
}

static struct fake_upload *upload_parts(const uint8_t *bytes, size_t length)
{
    struct fake_upload *upload = fake_open_upload(&bucket, KEY, MARK);

    for (size_t at = 0, i = 0; at < length; at += FAKE_PART_BYTES, i++) {
        struct fake_part *part = &upload->parts[i];

        part->there = true;
        part->size = length - at < FAKE_PART_BYTES ? length - at : FAKE_PART_BYTES;
        memcpy(part->bytes, bytes + at, part->size);
        fake_name_part(&bucket, part);
    }
    return upload;
}

/* What rescue_list() would tell of it. */
static struct rescue_upload found(const struct fake_upload *upload)
{
    struct rescue_upload listed = {.key = KEY};
    bool fits;

    snprintf(listed.upload_id, sizeof listed.upload_id, "%s", upload->id);
    ck_assert(rescue_list_parts(&rescue, &listed, false, NULL, &fits, &err));
    return listed;
}

static struct rescue_upload upload_recorded(void)
{
    static uint8_t bytes[FAKE_OBJECT_BYTES];
    size_t length = read_recorded(bytes);

    return found(upload_parts(bytes, length));
}

static void assert_indexed(void)
{
    ck_assert(result.plays && result.indexed);
    ck_assert(result.duration_ms >= 2400 && result.duration_ms < 2900);
    ck_assert_uint_eq(result.bytes, fake_find_object(&bucket, KEY)->size);
    ck_assert_str_eq(fake_find_object(&bucket, KEY)->mark, MARK);
    ck_assert_uint_eq(fake_open_uploads(&bucket), 0);
}

/* ---- parts ----------------------------------------------------------------------------------- */

START_TEST(parts_count_that_are_in_a_row_on_whichever_page)
{
    struct fake_upload *upload = upload_parts((uint8_t[6 *FAKE_PART_BYTES]){0}, 5900);
    struct rescue_upload listed = {.key = KEY};
    struct buffer some, all;
    bool fits;

    upload->parts[2].there = false;
    bucket.page_parts = 1 + (unsigned)_i;
    snprintf(listed.upload_id, sizeof listed.upload_id, "%s", upload->id);
    buffer_init(&some, 4096);
    buffer_init(&all, 4096);
    ck_assert(rescue_list_parts(&rescue, &listed, false, &some, &fits, &err));
    ck_assert(rescue_list_parts(&rescue, &listed, true, &all, &fits, &err));
    ck_assert_uint_eq(listed.parts, 5);
    ck_assert_uint_eq(listed.in_a_row, 2);
    ck_assert_uint_eq(listed.bytes, 2000);
    ck_assert_uint_eq(listed.all_bytes, 4900);
    ck_assert_ptr_nonnull(strstr(buffer_text(&some), "<PartNumber>2<"));
    ck_assert_ptr_null(strstr(buffer_text(&some), "<PartNumber>4<"));
    ck_assert(fake_lists_all_parts(upload, buffer_text(&all)));
    buffer_done(&some);
    buffer_done(&all);
}
END_TEST

static const struct {
    size_t sizes[FAKE_PARTS]; /* 0: such a part is not there */
    bool fits;
} plans[] = {
    {{0}, true},
    {{1000}, true}, /* the last may be of any length */
    {{PART, PART, 1000}, true},
    {{PART, 0, PART, 1000}, true},
    {{1000, 1000}, false}, /* shorter than any but the last may be */
    {{PART - 1, PART - 1}, false},
    {{PART, 1000, PART}, false}, /* not what the first one says */
    {{PART, 2 * PART, 3 * PART}, false},
};

START_TEST(parts_that_no_recorder_sends_fit_no_plan)
{
    struct fake_upload *upload = fake_open_upload(&bucket, KEY, MARK);
    struct rescue_upload listed = {.key = KEY};
    bool fits = !plans[_i].fits;

    for (unsigned i = 0; i < FAKE_PARTS; i++) {
        upload->parts[i].there = plans[_i].sizes[i] > 0;
        upload->parts[i].size = plans[_i].sizes[i];
    }
    snprintf(listed.upload_id, sizeof listed.upload_id, "%s", upload->id);
    ck_assert(rescue_list_parts(&rescue, &listed, false, NULL, &fits, &err));
    ck_assert(fits == plans[_i].fits);
}
END_TEST

/* ---- the record ------------------------------------------------------------------------------ */

START_TEST(a_record_is_read_as_it_was_written)
{
    struct rescue_record record = {.told = MARK, .bytes = UINT64_MAX}, read;

    memset(record.upload_id, 'i', sizeof record.upload_id - 1);
    ck_assert(rescue_read_record(&rescue, KEY, &read, &err) && !read.there);
    ck_assert(rescue_write_record(&rescue, KEY, &record, &err));
    ck_assert(rescue_read_record(&rescue, KEY, &read, &err) && read.there);
    ck_assert_str_eq(read.told, MARK);
    ck_assert_uint_eq(read.bytes, UINT64_MAX);
    ck_assert_str_eq(read.upload_id, record.upload_id);
}
END_TEST

static const struct {
    const char *text;
    uint64_t bytes;
    const char *upload_id;
} records[] = {
    {"", 0, ""},
    {"It was rescued.\nMore of it: 7\n", 0, ""},
    {"Bytes of its parts: 7\n", 7, ""},
    {"More of it: 1\nIts index is put in by the upload: a:b\nBytes of its parts: 7", 7, "a:b"},
    {"Bytes of its parts: 7 MiB\nIts index is put in by the upload: ", 0, ""},
    {"Bytes of its parts: 18446744073709551616\n", 0, ""},
    {"Bytes of its parts: 000000000000000000000000000000000000007\n", 0, ""},
};

START_TEST(of_a_record_of_another_version_what_is_known_counts)
{
    struct rescue_record read;

    fake_put_object(&bucket, RECORD, MARK, records[_i].text, strlen(records[_i].text));
    ck_assert(rescue_read_record(&rescue, KEY, &read, &err));
    ck_assert(read.there);
    ck_assert_str_eq(read.told, MARK);
    ck_assert_uint_eq(read.bytes, records[_i].bytes);
    ck_assert_str_eq(read.upload_id, records[_i].upload_id);
}
END_TEST

/* ---- all of it ------------------------------------------------------------------------------- */

START_TEST(what_the_bucket_holds_becomes_an_ordinary_recording)
{
    struct rescue_upload upload = upload_recorded();
    struct rescue_record record;

    ck_assert_msg(rescue_complete(&rescue, KEY, &upload, &result, &err), "%s", err.text);
    assert_indexed();
    ck_assert(!result.was_there && !result.parts_left_out);
    ck_assert(rescue_read_record(&rescue, KEY, &record, &err) && record.there);
    ck_assert_uint_eq(record.bytes, upload.bytes);
    ck_assert_msg(rescue_complete(&rescue, KEY, NULL, &result, &err), "%s", err.text);
    assert_indexed();
    ck_assert(result.was_there);
}
END_TEST

/* A record of another version does not say where the parts in a row end, or says more than there
 * is. */
START_TEST(a_record_that_does_not_fit_the_object_cuts_nothing_off)
{
    uint8_t bytes[FAKE_OBJECT_BYTES];
    size_t length = read_recorded(bytes);
    const char *text = _i ? "Bytes of its parts: 99999999999\n" : "It was rescued.\n";

    fake_put_object(&bucket, KEY, MARK, bytes, length);
    fake_put_object(&bucket, RECORD, "", text, strlen(text));
    ck_assert_msg(rescue_complete(&rescue, KEY, NULL, &result, &err), "%s", err.text);
    assert_indexed();
}
END_TEST

/* What the recorder sent of an indexed file, whose index is damaged, and perhaps its head as well.
 */
static struct rescue_upload upload_damaged(bool head_as_well)
{
    struct rescue_upload upload = upload_recorded();
    uint8_t bytes[FAKE_OBJECT_BYTES], *index;
    size_t length;

    ck_assert(rescue_complete(&rescue, KEY, &upload, &result, &err));
    length = fake_find_object(&bucket, KEY)->size;
    memcpy(bytes, fake_find_object(&bucket, KEY)->bytes, length);
    set_up(); /* an empty bucket */
    index = memmem(bytes + 1000, length - 1000, "moov", 4);
    ck_assert_ptr_nonnull(index);
    memcpy(index, "free", 4);
    if (head_as_well)
        memset(bytes + 36, 0xff, 200);
    return found(upload_parts(bytes, length));
}

START_TEST(an_index_that_is_damaged_is_made_again_from_the_fragments)
{
    struct rescue_upload upload = upload_damaged(false);

    ck_assert_msg(rescue_complete(&rescue, KEY, &upload, &result, &err), "%s", err.text);
    assert_indexed();
}
END_TEST

START_TEST(what_does_not_play_is_refused_once_it_is_known)
{
    struct rescue_upload upload = upload_damaged(true);

    ck_assert(!rescue_complete(&rescue, KEY, &upload, &result, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(err.text, "does not play"));
    ck_assert(!result.plays && !result.told);
}
END_TEST

START_TEST(a_complete_that_was_answered_but_not_done_is_asked_for_again)
{
    struct rescue_upload upload = upload_recorded();

    fake_fault_on(&bucket, (struct fake_fault){.operation = S3_COMPLETE_UPLOAD,
                                               .first = 1,
                                               .last = 1,
                                               .kind = FAKE_ANSWER,
                                               .outcome = S3_DONE});
    ck_assert(!rescue_complete(&rescue, KEY, &upload, &result, &err));
    ck_assert_int_eq(err.kind, ERROR_TRANSIENT);
    error_clear(&err);
    ck_assert_msg(rescue_complete(&rescue, KEY, &upload, &result, &err), "%s", err.text);
    assert_indexed();
}
END_TEST

START_TEST(a_complete_whose_reply_was_lost_is_known_by_the_object)
{
    struct rescue_upload upload = upload_recorded();

    fake_fault_on(&bucket, (struct fake_fault){.operation = S3_COMPLETE_UPLOAD,
                                               .first = 1,
                                               .last = 2,
                                               .kind = FAKE_LOSE_REPLY});
    ck_assert_msg(rescue_complete(&rescue, KEY, &upload, &result, &err), "%s", err.text);
    assert_indexed();
}
END_TEST

/* By whichever of the second upload's requests. */
START_TEST(where_the_index_is_refused_the_fragments_stay_and_it_is_said)
{
    static const enum s3_operation OPERATIONS[] = {S3_CREATE_UPLOAD, S3_UPLOAD_PART,
                                                   S3_COMPLETE_UPLOAD};
    struct rescue_upload upload = upload_recorded();

    fake_fault_on(&bucket, (struct fake_fault){.operation = OPERATIONS[_i],
                                               .first = _i == 2 ? 2 : 1,
                                               .last = FAKE_ALWAYS,
                                               .kind = FAKE_ANSWER,
                                               .outcome = S3_REFUSED,
                                               .code = "AccessDenied"});
    ck_assert_msg(rescue_complete(&rescue, KEY, &upload, &result, &err), "%s", err.text);
    ck_assert(result.plays && !result.indexed);
    ck_assert_uint_eq(result.bytes, upload.bytes);
    ck_assert_uint_eq(fake_open_uploads(&bucket), 0);
    ck_assert_ptr_nonnull(strstr(reported, "stays in fragments"));
}
END_TEST

/* ---- an upload of an earlier call ------------------------------------------------------------ */

static bool add_found(void *context, const struct rescue_upload *upload, struct error *error)
{
    char *out = context;

    (void)error;
    snprintf(out + strlen(out), 256 - strlen(out), "%s%s ", upload->upload_id,
             upload->of_rescue ? " of rescue," : ",");
    return true;
}

START_TEST(an_upload_that_an_earlier_call_left_is_known_and_ended)
{
    struct rescue_record record = {.bytes = 0};
    uint8_t bytes[FAKE_OBJECT_BYTES];
    size_t length = read_recorded(bytes);
    char listed[256] = "";

    fake_put_object(&bucket, KEY, MARK, bytes, length);
    upload_parts(bytes, 900); /* of a recorder */
    snprintf(record.upload_id, sizeof record.upload_id, "%s", upload_parts(bytes, 800)->id);
    fake_open_upload(&bucket, KEY, MARK); /* created, but not noted */
    fake_open_upload(&bucket, "5_2026-11-24-10-00-00.mp4", MARK);
    ck_assert(rescue_list(&rescue, KEY, add_found, listed, &err));
    ck_assert_str_eq(listed, "upload-1, upload-2, upload-3, ");
    ck_assert(rescue_write_record(&rescue, KEY, &record, &err));
    listed[0] = '\0';
    ck_assert(rescue_list(&rescue, KEY, add_found, listed, &err));
    ck_assert_str_eq(listed, "upload-1, upload-2 of rescue, upload-3 of rescue, ");
    ck_assert_msg(rescue_complete(&rescue, KEY, NULL, &result, &err), "%s", err.text);
    ck_assert(result.indexed && result.was_there);
    listed[0] = '\0';
    ck_assert(rescue_list(&rescue, KEY, add_found, listed, &err));
    ck_assert_str_eq(listed, "upload-1, ");
    ck_assert_uint_eq(fake_open_uploads(&bucket), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rescue");
    TCase *cases = tcase_create("rescue");

    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_add_loop_test(cases, parts_count_that_are_in_a_row_on_whichever_page, 0, 5);
    tcase_add_loop_test(cases, parts_that_no_recorder_sends_fit_no_plan, 0, COUNT(plans));
    tcase_add_test(cases, a_record_is_read_as_it_was_written);
    tcase_add_loop_test(cases, of_a_record_of_another_version_what_is_known_counts, 0,
                        COUNT(records));
    tcase_add_test(cases, what_the_bucket_holds_becomes_an_ordinary_recording);
    tcase_add_loop_test(cases, a_record_that_does_not_fit_the_object_cuts_nothing_off, 0, 2);
    tcase_add_test(cases, an_index_that_is_damaged_is_made_again_from_the_fragments);
    tcase_add_test(cases, what_does_not_play_is_refused_once_it_is_known);
    tcase_add_test(cases, a_complete_that_was_answered_but_not_done_is_asked_for_again);
    tcase_add_test(cases, a_complete_whose_reply_was_lost_is_known_by_the_object);
    tcase_add_loop_test(cases, where_the_index_is_refused_the_fragments_stay_and_it_is_said, 0, 3);
    tcase_add_test(cases, an_upload_that_an_earlier_call_left_is_known_and_ended);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
