#include "finalize/upload/resend.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

START_TEST(there_is_one_sentence_for_each_reason_with_its_count)
{
    struct resends resends = {0};
    char sentence[RESEND_SENTENCE_SIZE];

    for (unsigned i = 0; i < 3; i++)
        resend_add(&resends, RESEND_BYTES_CHANGED, 8u << 20);
    resend_add(&resends, RESEND_UPLOAD_GONE, 500);
    resend_add(&resends, RESEND_NOT, 1);
    ck_assert(resend_take_sentence(&resends, sentence));
    ck_assert_str_eq(sentence,
                     "sent again: 3 parts, 24 MiB: the bytes changed since they were sent");
    ck_assert(resend_take_sentence(&resends, sentence));
    ck_assert_str_eq(sentence,
                     "sent again: 1 part, 500 B: the bucket does not know the upload any more");
    ck_assert(!resend_take_sentence(&resends, sentence));
}
END_TEST

START_TEST(every_reason_has_a_text_that_fits)
{
    for (unsigned reason = RESEND_NOT + 1; reason < RESEND_REASONS; reason++) {
        const char *text = resend_text((enum resend_reason)reason);

        ck_assert_ptr_nonnull(text);
        ck_assert_uint_gt(strlen(text), 10);
        ck_assert_uint_lt(strlen(text), RESEND_SENTENCE_SIZE - 80);
    }
}
END_TEST

START_TEST(a_reply_says_why_its_request_is_repeated)
{
    static const struct {
        bool sent;
        enum s3_outcome outcome;
        int status;
        const char *code;
        enum resend_reason reason;
    } rows[] = {
        {false, S3_RETRY, 0, "", RESEND_NOT}, /* no byte of it was sent */
        {true, S3_RETRY, 0, "", RESEND_BROKEN_OFF},
        {true, S3_RETRY, 500, "InternalError", RESEND_SERVER_ERROR},
        {true, S3_RETRY, 400, "BadDigest", RESEND_DAMAGED},
        {true, S3_RETRY, 400, "XAmzContentSHA256Mismatch", RESEND_DAMAGED},
        {true, S3_SLOW_DOWN, 503, "SlowDown", RESEND_SLOW_DOWN},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct s3_result result = {.outcome = rows[i].outcome, .sent = rows[i].sent};

        result.error.http_status = rows[i].status;
        strcpy(result.error.s3_code, rows[i].code);
        ck_assert_int_eq(resend_reason_of(&result), rows[i].reason);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resend");
    TCase *cases = tcase_create("resend");

    tcase_add_test(cases, there_is_one_sentence_for_each_reason_with_its_count);
    tcase_add_test(cases, every_reason_has_a_text_that_fits);
    tcase_add_test(cases, a_reply_says_why_its_request_is_repeated);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
