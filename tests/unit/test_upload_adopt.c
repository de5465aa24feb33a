#include "finalize/upload/upload_adopt.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK "0123456789abcdef0123456789abcdef"
#define PART 4u /* bytes; the plan's own limits are the settings' matter */

static const char content[] = "abcdefghij"; /* 10 bytes: parts of 4, 4 and 2 */

static struct s3_result head_of(const char *etag, uint64_t size_bytes, uint64_t part_size_bytes)
{
    struct s3_result head = {.outcome = S3_DONE,
                             .same_session = true,
                             .size_bytes = size_bytes,
                             .part_size_bytes = part_size_bytes};

    memcpy(head.mark, MARK, sizeof head.mark);
    snprintf(head.etag, sizeof head.etag, "%s", etag);
    return head;
}

static struct hasher_result bytes_at(const char *bytes, uint64_t offset, uint64_t length)
{
    struct hasher_result result = {.whole = true};
    uint8_t digest[DIGEST_MD5_BYTES];

    ck_assert(digest_md5(bytes + offset, (size_t)length, digest));
    digest_hex(digest, sizeof digest, result.md5_hex);
    return result;
}

/* Reads all that is asked for from `bytes`; the verdict. */
static bool compare(struct upload_adopt *adopt, const char *bytes)
{
    uint64_t offset, length;

    while (upload_adopt_next(adopt, &offset, &length)) {
        struct hasher_result read = bytes_at(bytes, offset, length);

        ck_assert(upload_adopt_take(adopt, &read));
    }
    return upload_adopt_is_same(adopt);
}

static bool is_candidate(const struct s3_result *head, uint64_t object_bytes)
{
    struct upload_adopt *adopt = upload_adopt_begin(head, object_bytes);
    bool found = adopt != NULL;

    free(adopt);
    return found;
}

/* The MD5 of the MD5s of "abcd", "efgh" and "ij". */
static void multipart_etag(char etag[S3_ETAG_SIZE])
{
    uint8_t digests[3][DIGEST_MD5_BYTES], digest[DIGEST_MD5_BYTES];
    char hex[DIGEST_MD5_HEX];

    ck_assert(digest_md5("abcd", 4, digests[0]));
    ck_assert(digest_md5("efgh", 4, digests[1]));
    ck_assert(digest_md5("ij", 2, digests[2]));
    ck_assert(digest_md5(digests, sizeof digests, digest));
    digest_hex(digest, sizeof digest, hex);
    snprintf(etag, S3_ETAG_SIZE, "%s-3", hex);
}

START_TEST(an_object_of_one_put_with_the_same_bytes_is_this_file)
{
    /* published: MD5 of "abcdefghij" */
    struct s3_result head = head_of("a925576942e94b2ef57a066101b48876", 10, 0);
    struct upload_adopt *adopt = upload_adopt_begin(&head, 10);

    ck_assert_ptr_nonnull(adopt);
    ck_assert(compare(adopt, content));
    ck_assert_str_eq(adopt->mark, MARK);
    free(adopt);
}
END_TEST

START_TEST(an_object_of_several_parts_with_the_same_bytes_is_this_file)
{
    char etag[S3_ETAG_SIZE];
    struct s3_result head;
    struct upload_adopt *adopt;

    multipart_etag(etag);
    head = head_of(etag, 10, PART);
    adopt = upload_adopt_begin(&head, 10);
    ck_assert_ptr_nonnull(adopt);
    ck_assert(compare(adopt, content));
    free(adopt);
}
END_TEST

/* 503 parts of one byte by today's plan, 500 and two of two bytes and one by the one before. */
START_TEST(an_object_of_either_plan_is_recognised_by_the_number_of_its_parts)
{
    static const struct {
        const char *etag;
        uint64_t offset, length; /* of the last part */
    } plans[] = {{"a925576942e94b2ef57a066101b48876-503", 502, 1},
                 {"a925576942e94b2ef57a066101b48876-502", 502, 1}};

    for (size_t i = 0; i < 2; i++) {
        struct s3_result head = head_of(plans[i].etag, 503, 1);
        struct upload_adopt *adopt = upload_adopt_begin(&head, 503);
        uint64_t offset, length;

        ck_assert_ptr_nonnull(adopt);
        adopt->next = adopt->count;
        ck_assert(upload_adopt_next(adopt, &offset, &length));
        ck_assert_uint_eq(offset, plans[i].offset);
        ck_assert_uint_eq(length, plans[i].length);
        adopt->next = 501;
        ck_assert(upload_adopt_next(adopt, &offset, &length));
        ck_assert_uint_eq(length, i + 1);
        free(adopt);
    }
    ck_assert(!is_candidate(&(struct s3_result){.outcome = S3_DONE}, 503));
}
END_TEST

START_TEST(one_other_byte_makes_it_another_file)
{
    char etag[S3_ETAG_SIZE];
    struct s3_result heads[2];

    multipart_etag(etag);
    heads[0] = head_of(etag, 10, PART);
    heads[1] = head_of("a925576942e94b2ef57a066101b48876", 10, 0);
    for (size_t i = 0; i < 2; i++) {
        struct upload_adopt *adopt = upload_adopt_begin(&heads[i], 10);

        ck_assert_ptr_nonnull(adopt);
        ck_assert(!compare(adopt, "abcdefghiJ"));
        free(adopt);
    }
}
END_TEST

START_TEST(an_etag_in_capital_letters_is_understood)
{
    struct s3_result head = head_of("A925576942E94B2EF57A066101B48876", 10, 0);
    struct upload_adopt *adopt = upload_adopt_begin(&head, 10);

    ck_assert_ptr_nonnull(adopt);
    ck_assert(compare(adopt, content));
    free(adopt);
}
END_TEST

START_TEST(what_cannot_be_compared_is_no_candidate)
{
    static const char md5[] = "a925576942e94b2ef57a066101b48876";
    struct s3_result head = head_of(md5, 10, 0);

    ck_assert(is_candidate(&head, 10));
    ck_assert(!is_candidate(&head, 11)); /* another size */
    head.same_session = false;
    ck_assert(!is_candidate(&head, 10));
    head = head_of(md5, 10, 0);
    head.mark[0] = 0;
    ck_assert(!is_candidate(&head, 10));
    head = head_of("", 10, 0);
    ck_assert(!is_candidate(&head, 10));
    head =
        head_of("a925576942e94b2ef57a066101b48876-1", 10, 0); /* parts, of a size that it hides */
    ck_assert(!is_candidate(&head, 10));
    head = head_of(md5, 10, PART); /* has parts, but the ETag of one PutObject */
    ck_assert(!is_candidate(&head, 10));
    head = head_of("a925576942e94b2ef57a066101b48876-2", 10, PART); /* would be 3 */
    ck_assert(!is_candidate(&head, 10));
    head = head_of("a925576942e94b2ef57a066101b48876-3", 10, UINT64_MAX);
    ck_assert(!is_candidate(&head, 10));
    head = head_of("an opaque ETag of an encrypted object.", 10, 0);
    ck_assert(!is_candidate(&head, 10));
}
END_TEST

START_TEST(a_file_that_cannot_be_read_whole_ends_the_comparison)
{
    struct s3_result head = head_of("a925576942e94b2ef57a066101b48876", 10, 0);
    struct upload_adopt *adopt = upload_adopt_begin(&head, 10);
    struct hasher_result short_read = bytes_at(content, 0, 10);

    ck_assert_ptr_nonnull(adopt);
    short_read.whole = false;
    ck_assert(!upload_adopt_take(adopt, &short_read));
    short_read.whole = true;
    short_read.md5_hex[0] = 0; /* where policy forbids MD5 */
    ck_assert(!upload_adopt_take(adopt, &short_read));
    free(adopt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upload_adopt");
    TCase *tests = tcase_create("upload_adopt");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, an_object_of_one_put_with_the_same_bytes_is_this_file);
    tcase_add_test(tests, an_object_of_several_parts_with_the_same_bytes_is_this_file);
    tcase_add_test(tests, an_object_of_either_plan_is_recognised_by_the_number_of_its_parts);
    tcase_add_test(tests, one_other_byte_makes_it_another_file);
    tcase_add_test(tests, an_etag_in_capital_letters_is_understood);
    tcase_add_test(tests, what_cannot_be_compared_is_no_candidate);
    tcase_add_test(tests, a_file_that_cannot_be_read_whole_ends_the_comparison);
    return unit_run(suite);
}
