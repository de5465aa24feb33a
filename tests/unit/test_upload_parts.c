#include "finalize/upload/upload_parts.h"

#include "tests/unit/part_capacity.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BASE 1000u

static struct journal *journal;
static struct journal_file file;
static struct upload_parts parts;
static struct rng rng;
static struct error err;
static struct upload_step step;

static void set_up(void)
{
    struct journal_recording row;

    ck_assert_msg(journal_open(":memory:", &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, "/r/s", "s", 1000, &row, &err));
    file = (struct journal_file){.recording_id = row.id,
                                 .path = "a.mp4",
                                 .state = JOURNAL_FILE_PENDING,
                                 .mark = "m",
                                 .key = "k",
                                 .upload_id = "u1",
                                 .part_plan = {.base_bytes = BASE},
                                 .object_bytes = 9500};
    ck_assert_msg(journal_add_file(journal, &file, &err), "%s", err.text);
    rng.state = 9;
    parts = (struct upload_parts){
        .journal = journal, .file = &file, .rng = &rng, .fd = 77, .patience_ms = 120000};
    upload_parts_begin(&parts, 2);
}

static void tear_down(void)
{
    journal_close(journal);
}

static enum upload_step_kind ask(bool may_send, uint64_t now_ms)
{
    ck_assert_msg(upload_parts_next(&parts, may_send, now_ms, &step, &err), "%s", err.text);
    return step.kind;
}

/* Asks, and expects a read of this part. */
static unsigned expect_read(unsigned part_number, unsigned wants)
{
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_READ);
    ck_assert_uint_eq(step.read.offset, (part_number - 1) * BASE);
    ck_assert_uint_eq(step.read.wants, wants);
    return step.slot;
}

static unsigned expect_request(unsigned part_number, uint64_t now_ms)
{
    ck_assert_int_eq(ask(true, now_ms), UPLOAD_STEP_REQUEST);
    ck_assert_int_eq(step.call.operation, S3_UPLOAD_PART);
    ck_assert_uint_eq(step.call.part_number, part_number);
    ck_assert_uint_eq(step.call.offset, (part_number - 1) * BASE);
    ck_assert_str_eq(step.call.key, "k");
    ck_assert_str_eq(step.call.upload_id, "u1");
    ck_assert_int_eq(step.call.fd, 77);
    return step.slot;
}

static void give_bytes(unsigned slot, char letter)
{
    struct hasher_result result = {.slot = slot, .whole = true};

    memset(result.fingerprint, letter, sizeof result.fingerprint);
    snprintf(result.sha256_hex, sizeof result.sha256_hex, "%c", letter);
    ck_assert(upload_parts_take_bytes(&parts, slot, &result, &err));
}

static void give_reply(unsigned slot, enum s3_outcome outcome, const char *code, uint64_t now_ms)
{
    struct s3_result result = {.outcome = outcome, .sent = true, .etag = "e"};

    if (outcome != S3_DONE)
        error_set(&result.error, outcome == S3_REFUSED ? ERROR_PERMANENT : ERROR_TRANSIENT,
                  "the server says %s", code);
    snprintf(result.error.s3_code, sizeof result.error.s3_code, "%s", code);
    ck_assert(upload_parts_take_reply(&parts, slot, &result, now_ms, 1000, &err));
}

static bool is_held(unsigned number, struct journal_part *ret_part)
{
    bool found;

    ck_assert(journal_find_part(journal, file.id, number, ret_part, &found, &err));
    return found;
}

/* The journal's part, with bytes named by a letter. */
static void hold(unsigned number, uint64_t length, char letter)
{
    struct journal_part part = {.number = number, .length = length, .has_fingerprint = true};

    memset(part.fingerprint, letter, sizeof part.fingerprint);
    ck_assert(journal_save_part(journal, file.id, &part, &err));
}

START_TEST(parts_are_read_ahead_in_order_until_the_slots_are_full)
{
    for (unsigned number = 1; number <= 2 + UPLOAD_PARTS_READ_AHEAD; number++) {
        unsigned slot = expect_read(number, HASHER_WANTS_SHA256);

        ck_assert_uint_ge(slot, 1);
        ck_assert_uint_le(slot, 2 + UPLOAD_PARTS_READ_AHEAD);
    }
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_NONE);
    ck_assert_uint_eq(parts.busy, 2 + UPLOAD_PARTS_READ_AHEAD);
}
END_TEST

START_TEST(of_the_parts_that_are_ready_the_lowest_is_sent_first)
{
    unsigned first = expect_read(1, HASHER_WANTS_SHA256);
    unsigned second = expect_read(2, HASHER_WANTS_SHA256);
    unsigned third = expect_read(3, HASHER_WANTS_SHA256);

    give_bytes(third, 'c');
    give_bytes(second, 'b');
    ck_assert_uint_eq(expect_request(2, 0), second);
    ck_assert_str_eq(step.call.payload_sha256, "b");
    give_bytes(first, 'a');
    ck_assert_uint_eq(expect_request(1, 0), first);
    ck_assert_uint_eq(expect_request(3, 0), third);
}
END_TEST

START_TEST(while_nothing_may_be_sent_parts_are_read_all_the_same)
{
    unsigned first = expect_read(1, HASHER_WANTS_SHA256);

    give_bytes(first, 'a');
    ck_assert_int_eq(ask(false, 0), UPLOAD_STEP_READ);
    ck_assert_uint_eq(expect_request(1, 0), first);
}
END_TEST

START_TEST(an_acknowledged_part_is_in_the_journal_before_anything_else)
{
    unsigned slot = expect_read(1, HASHER_WANTS_SHA256);
    struct journal_part part;

    give_bytes(slot, 'a');
    expect_request(1, 0);
    ck_assert(!is_held(1, &part));
    give_reply(slot, S3_DONE, "", 0);
    ck_assert(is_held(1, &part));
    ck_assert_uint_eq(part.length, BASE);
    ck_assert(part.has_fingerprint);
    ck_assert_int_eq(part.fingerprint[0], 'a');
    ck_assert_str_eq(part.etag, "e");
    ck_assert_uint_eq(parts.bytes_held, BASE);
    ck_assert_uint_eq(parts.bytes_kept, 0);
}
END_TEST

START_TEST(a_held_part_is_compared_by_fingerprint_alone_and_kept)
{
    unsigned slot;

    hold(1, BASE, 'a');
    slot = expect_read(1, 0);
    give_bytes(slot, 'a');
    ck_assert_uint_eq(parts.bytes_kept, BASE);
    expect_read(2, HASHER_WANTS_SHA256);
}
END_TEST

START_TEST(a_held_part_that_differs_is_read_again_to_be_sent)
{
    unsigned slot;

    hold(1, BASE, 'a');
    slot = expect_read(1, 0);
    give_bytes(slot, 'x');
    ck_assert_uint_eq(expect_read(1, HASHER_WANTS_SHA256), slot);
    give_bytes(slot, 'x');
    ck_assert_uint_eq(expect_request(1, 0), slot);
    ck_assert_uint_eq(parts.bytes_kept, 0);
}
END_TEST

START_TEST(a_held_part_of_another_length_is_sent_without_a_comparison)
{
    hold(1, BASE - 1, 'a');
    expect_read(1, HASHER_WANTS_SHA256);
}
END_TEST

START_TEST(a_part_known_from_the_listing_is_compared_by_md5_and_then_fingerprinted)
{
    struct journal_part part = {.number = 1, .length = BASE, .etag = "ABCD"};
    struct hasher_result result = {.whole = true, .md5_hex = "abcd", .fingerprint = {7}};
    unsigned slot;

    ck_assert(journal_save_part(journal, file.id, &part, &err));
    slot = expect_read(1, HASHER_WANTS_MD5);
    ck_assert(upload_parts_take_bytes(&parts, slot, &result, &err));
    ck_assert(is_held(1, &part));
    ck_assert(part.has_fingerprint);
    ck_assert_int_eq(part.fingerprint[0], 7);
}
END_TEST

START_TEST(content_md5_is_read_only_where_it_is_wanted)
{
    parts.content_md5 = true;
    hold(2, BASE, 'b');
    expect_read(1, HASHER_WANTS_SHA256 | HASHER_WANTS_MD5);
    expect_read(2, 0);
}
END_TEST

START_TEST(the_last_part_ends_with_the_file)
{
    file.object_bytes = 1500;
    upload_parts_begin(&parts, 2);
    expect_read(1, HASHER_WANTS_SHA256);
    expect_read(2, HASHER_WANTS_SHA256);
    ck_assert_uint_eq(step.read.length, 500);
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_NONE);
}
END_TEST

START_TEST(when_every_part_is_held_the_walk_is_over)
{
    file.object_bytes = 1500;
    upload_parts_begin(&parts, 2);
    hold(1, BASE, 'a');
    hold(2, 500, 'b');
    give_bytes(expect_read(1, 0), 'a');
    give_bytes(expect_read(2, 0), 'b');
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_NONE);
    ck_assert(parts.all_held);
    ck_assert_uint_eq(parts.bytes_held, 1500);
    ck_assert_uint_eq(parts.bytes_kept, 1500);
}
END_TEST

START_TEST(a_failed_part_waits_and_the_pause_ends_when_it_may_go)
{
    unsigned slot;

    file.object_bytes = BASE;
    upload_parts_begin(&parts, 2);
    slot = expect_read(1, HASHER_WANTS_SHA256);
    give_bytes(slot, 'a');
    expect_request(1, 1000);
    give_reply(slot, S3_RETRY, "InternalError", 1000);
    if (parts.slots[slot - 1].not_before_ms > 1000) {
        ck_assert_int_eq(ask(true, 1000), UPLOAD_STEP_PAUSE);
        ck_assert_uint_eq(step.until_ms, parts.slots[slot - 1].not_before_ms);
    }
    expect_request(1, 1000 + RETRY_FIRST_BOUND_MS);
    give_reply(slot, S3_DONE, "", 2000);
    ck_assert_int_eq(ask(true, 2000), UPLOAD_STEP_NONE);
    ck_assert(parts.all_held);
}
END_TEST

START_TEST(bytes_that_the_server_found_different_are_read_again)
{
    static const char *const codes[] = {"XAmzContentSHA256Mismatch", "BadDigest"};
    unsigned slot = expect_read(1, HASHER_WANTS_SHA256);

    give_bytes(slot, 'a');
    expect_request(1, 0);
    give_reply(slot, S3_RETRY, codes[_i], 0);
    ck_assert_uint_eq(expect_read(1, HASHER_WANTS_SHA256), slot);
}
END_TEST

START_TEST(what_is_to_be_signed_again_is_ready_at_once)
{
    unsigned slot = expect_read(1, HASHER_WANTS_SHA256);

    give_bytes(slot, 'a');
    expect_request(1, 0);
    give_reply(slot, S3_SIGN_AGAIN, "RequestTimeTooSkewed", 0);
    ck_assert_uint_eq(expect_request(1, 0), slot);
    ck_assert_uint_eq(parts.slots[slot - 1].tries, 0);
}
END_TEST

START_TEST(a_refusal_ends_the_walk_and_the_first_one_is_kept)
{
    unsigned first = expect_read(1, HASHER_WANTS_SHA256);
    unsigned second = expect_read(2, HASHER_WANTS_SHA256);

    give_bytes(first, 'a');
    give_bytes(second, 'b');
    expect_request(1, 0);
    expect_request(2, 0);
    give_reply(second, S3_REFUSED, "AccessDenied", 0);
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_NONE);
    give_reply(first, S3_REFUSED, "NoSuchBucket", 0);
    ck_assert_int_ne(parts.error.kind, ERROR_NONE);
    ck_assert_str_eq(parts.error.s3_code, "AccessDenied");
    ck_assert_int_eq(parts.error.kind, ERROR_PERMANENT);
}
END_TEST

START_TEST(an_upload_that_is_gone_leaves_nothing_waiting)
{
    unsigned first = expect_read(1, HASHER_WANTS_SHA256);
    unsigned second = expect_read(2, HASHER_WANTS_SHA256);
    unsigned third = expect_read(3, HASHER_WANTS_SHA256);

    give_bytes(first, 'a');
    give_bytes(second, 'b'); /* ready, and never to be sent */
    expect_request(1, 0);
    give_reply(first, S3_NO_SUCH_UPLOAD, "NoSuchUpload", 0);
    ck_assert(parts.gone);
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_NONE);
    ck_assert_uint_eq(parts.busy, 1); /* the third is being read */
    give_bytes(third, 'c');
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_NONE);
    ck_assert_uint_eq(parts.busy, 0);
}
END_TEST

START_TEST(a_file_that_ends_too_early_has_changed)
{
    struct hasher_result result = {.whole = false};
    unsigned slot = expect_read(1, HASHER_WANTS_SHA256);

    ck_assert(upload_parts_take_bytes(&parts, slot, &result, &err));
    ck_assert_int_eq(parts.error.kind, ERROR_CHANGED);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_fails_with_the_reason)
{
    struct hasher_result result = {.whole = false, .read_errno = EIO};
    unsigned slot = expect_read(1, HASHER_WANTS_SHA256);

    ck_assert(upload_parts_take_bytes(&parts, slot, &result, &err));
    ck_assert_int_ne(parts.error.kind, ERROR_NONE);
    ck_assert_int_eq(parts.error.sys_errno, EIO);
    ck_assert_int_eq(parts.error.kind, ERROR_PERMANENT);
}
END_TEST

START_TEST(however_many_may_be_sent_at_once_the_slots_have_a_ceiling)
{
    upload_parts_begin(&parts, SETTINGS_MOST_PARALLEL);
    ck_assert_uint_eq(parts.slot_count, UPLOAD_PARTS_MAX_SLOTS);
    upload_parts_begin(&parts, 1000);
    ck_assert_uint_eq(parts.slot_count, UPLOAD_PARTS_MAX_SLOTS);
}
END_TEST

/* ---- a file that grows ------------------------------------------------------------------------
 */

static void grow_to(uint64_t size)
{
    parts.growing = true;
    file.object_bytes = size;
    upload_parts_begin(&parts, 2);
}

/* Reads, sends and acknowledges this part. */
static void send_part(unsigned number)
{
    unsigned slot = expect_read(number, HASHER_WANTS_SHA256);

    ck_assert_uint_eq(step.read.length, BASE);
    give_bytes(slot, 'a');
    give_reply(expect_request(number, 0), S3_DONE, "", 0);
}

static void expect_all_held(void)
{
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_NONE);
    ck_assert(parts.all_held);
}

START_TEST(of_a_file_that_grows_neither_the_first_part_nor_the_tail_is_read)
{
    grow_to(4 * BASE - 1);
    send_part(2);
    send_part(3);
    expect_all_held();
    ck_assert_uint_eq(parts.bytes_held, 2 * BASE);
}
END_TEST

START_TEST(a_part_that_ends_with_the_file_is_whole)
{
    grow_to(3 * BASE);
    send_part(2);
    send_part(3);
    expect_all_held();
}
END_TEST

START_TEST(of_a_file_that_has_no_whole_part_but_the_first_nothing_is_read)
{
    static const uint64_t SIZES[] = {0, 1, BASE, BASE + 1, 2 * BASE - 1};

    grow_to(SIZES[_i]);
    expect_all_held();
    ck_assert_uint_eq(parts.bytes_held, 0);
}
END_TEST

START_TEST(parts_that_are_held_are_not_read_again_while_the_file_grows)
{
    grow_to(3 * BASE);
    hold(2, BASE, 'a');
    send_part(3);
    expect_all_held();
    ck_assert_uint_eq(parts.bytes_kept, BASE);
    grow_to(4 * BASE + 7);
    send_part(4);
    expect_all_held();
    ck_assert_uint_eq(parts.bytes_kept, 2 * BASE);
}
END_TEST

START_TEST(all_of_them_are_compared_once_it_has_ended)
{
    grow_to(3 * BASE);
    send_part(2);
    send_part(3);
    expect_all_held();
    parts.growing = false;
    upload_parts_begin(&parts, 2);
    expect_read(1, HASHER_WANTS_SHA256);
    expect_read(2, 0);
    expect_read(3, 0);
}
END_TEST

START_TEST(beyond_ten_thousand_parts_a_growing_file_has_no_more)
{
    grow_to(part_capacity(file.part_plan) + 1000 * BASE);
    parts.next_number = S3_MAX_PARTS;
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_READ);
    ck_assert_uint_eq(step.read.offset + step.read.length, part_capacity(file.part_plan));
    give_bytes(step.slot, 'a');
    ck_assert_int_eq(ask(true, 0), UPLOAD_STEP_REQUEST);
    give_reply(step.slot, S3_DONE, "", 0);
    expect_all_held();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upload_parts");
    TCase *cases = tcase_create("upload_parts");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, parts_are_read_ahead_in_order_until_the_slots_are_full);
    tcase_add_test(cases, of_the_parts_that_are_ready_the_lowest_is_sent_first);
    tcase_add_test(cases, while_nothing_may_be_sent_parts_are_read_all_the_same);
    tcase_add_test(cases, an_acknowledged_part_is_in_the_journal_before_anything_else);
    tcase_add_test(cases, a_held_part_is_compared_by_fingerprint_alone_and_kept);
    tcase_add_test(cases, a_held_part_that_differs_is_read_again_to_be_sent);
    tcase_add_test(cases, a_held_part_of_another_length_is_sent_without_a_comparison);
    tcase_add_test(cases, a_part_known_from_the_listing_is_compared_by_md5_and_then_fingerprinted);
    tcase_add_test(cases, content_md5_is_read_only_where_it_is_wanted);
    tcase_add_test(cases, the_last_part_ends_with_the_file);
    tcase_add_test(cases, when_every_part_is_held_the_walk_is_over);
    tcase_add_test(cases, a_failed_part_waits_and_the_pause_ends_when_it_may_go);
    tcase_add_loop_test(cases, bytes_that_the_server_found_different_are_read_again, 0, 2);
    tcase_add_test(cases, what_is_to_be_signed_again_is_ready_at_once);
    tcase_add_test(cases, a_refusal_ends_the_walk_and_the_first_one_is_kept);
    tcase_add_test(cases, an_upload_that_is_gone_leaves_nothing_waiting);
    tcase_add_test(cases, a_file_that_ends_too_early_has_changed);
    tcase_add_test(cases, a_file_that_cannot_be_read_fails_with_the_reason);
    tcase_add_test(cases, however_many_may_be_sent_at_once_the_slots_have_a_ceiling);
    tcase_add_test(cases, of_a_file_that_grows_neither_the_first_part_nor_the_tail_is_read);
    tcase_add_test(cases, a_part_that_ends_with_the_file_is_whole);
    tcase_add_loop_test(cases, of_a_file_that_has_no_whole_part_but_the_first_nothing_is_read, 0,
                        5);
    tcase_add_test(cases, parts_that_are_held_are_not_read_again_while_the_file_grows);
    tcase_add_test(cases, all_of_them_are_compared_once_it_has_ended);
    tcase_add_test(cases, beyond_ten_thousand_parts_a_growing_file_has_no_more);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
