#include "finalize/s3/sigv4.h"

#include "finalize/hash/digest.h"
#include "finalize/s3/uri.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAIRS 8

struct vector {
    const char *name, *method, *path;
    struct sigv4_pair query[MAX_PAIRS], headers[MAX_PAIRS]; /* ended by a NULL name */
    const char *payload_sha256, *signed_headers, *signature;
};

static size_t count_pairs(const struct sigv4_pair *pairs)
{
    size_t count = 0;

    while (count < MAX_PAIRS && pairs[count].name)
        count++;
    return count;
}

static struct sigv4_request request_of(const struct vector *vector)
{
    return (struct sigv4_request){.method = vector->method,
                                  .path = vector->path,
                                  .query = vector->query,
                                  .query_count = count_pairs(vector->query),
                                  .headers = vector->headers,
                                  .header_count = count_pairs(vector->headers),
                                  .payload_sha256 = vector->payload_sha256 ? vector->payload_sha256
                                                                           : DIGEST_SHA256_EMPTY};
}

#define S3_HOST                                  \
    {                                            \
        "Host", "examplebucket.s3.amazonaws.com" \
    }
#define S3_DATE                          \
    {                                    \
        "x-amz-date", "20130524T000000Z" \
    }
#define S3_NONE                                     \
    {                                               \
        "x-amz-content-sha256", DIGEST_SHA256_EMPTY \
    }
#define HELLO "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

/* The examples of the Amazon S3 API Reference. */
static const struct vector s3_vectors[] = {
    {.name = "GET object",
     .method = "GET",
     .path = "/test.txt",
     .headers = {S3_HOST, {"Range", "bytes=0-9"}, S3_NONE, S3_DATE},
     .signed_headers = "host;range;x-amz-content-sha256;x-amz-date",
     .signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {.name = "PUT object",
     .method = "PUT",
     .path = "/test%24file.text",
     .headers = {{"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                 S3_DATE,
                 {"x-amz-content-sha256", HELLO},
                 S3_HOST,
                 {"Date", "Fri, 24 May 2013 00:00:00 GMT"}},
     .payload_sha256 = HELLO,
     .signed_headers = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     .signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {.name = "GET bucket lifecycle",
     .method = "GET",
     .path = "/",
     .query = {{"lifecycle", NULL}},
     .headers = {S3_HOST, S3_NONE, S3_DATE},
     .signed_headers = "host;x-amz-content-sha256;x-amz-date",
     .signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {.name = "GET bucket (list objects), query in the wrong order",
     .method = "GET",
     .path = "",
     .query = {{"prefix", "J"}, {"max-keys", "2"}},
     .headers = {S3_HOST, S3_NONE, S3_DATE},
     .signed_headers = "host;x-amz-content-sha256;x-amz-date",
     .signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static void check_authorization(const struct vector *vector, const struct sigv4_scope *scope,
                                const char *credential)
{
    struct sigv4_request request = request_of(vector);
    struct buffer out;
    char expected[600];

    buffer_init(&out, 1000);
    ck_assert(sigv4_authorization(&out, &request, scope));
    snprintf(expected, sizeof expected,
             "AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s", credential,
             vector->signed_headers, vector->signature);
    ck_assert_msg(!strcmp(buffer_text(&out), expected), "%s:\n%s\n%s", vector->name,
                  buffer_text(&out), expected);
    buffer_done(&out);
}

START_TEST(requests_of_the_s3_reference_get_its_signatures)
{
    struct sigv4_scope scope = {.access_key = "AKIAIOSFODNN7EXAMPLE",
                                .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                .region = "us-east-1",
                                .service = "s3",
                                .now = 1369353600};

    check_authorization(&s3_vectors[_i], &scope,
                        "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request");
}
END_TEST

#define SUITE_HOST                      \
    {                                   \
        "Host", "example.amazonaws.com" \
    }
#define SUITE_DATE                       \
    {                                    \
        "X-Amz-Date", "20150830T123600Z" \
    }

/* Those of the Signature Version 4 test suite on which S3 has the same rules. */
static const struct vector suite_vectors[] = {
    {.name = "get-vanilla",
     .method = "GET",
     .path = "/",
     .headers = {SUITE_HOST, SUITE_DATE},
     .signed_headers = "host;x-amz-date",
     .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {.name = "post-vanilla",
     .method = "POST",
     .path = "/",
     .headers = {SUITE_HOST, SUITE_DATE},
     .signed_headers = "host;x-amz-date",
     .signature = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {.name = "get-vanilla-query-order-key-case",
     .method = "GET",
     .path = "/",
     .query = {{"Param2", "value2"}, {"Param1", "value1"}},
     .headers = {SUITE_HOST, SUITE_DATE},
     .signed_headers = "host;x-amz-date",
     .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {.name = "get-vanilla-query-order-value",
     .method = "GET",
     .path = "/",
     .query = {{"Param1", "value2"}, {"Param1", "value1"}},
     .headers = {SUITE_HOST, SUITE_DATE},
     .signed_headers = "host;x-amz-date",
     .signature = "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
    {.name = "get-utf8",
     .method = "GET",
     .path = "/%E1%88%B4",
     .headers = {SUITE_HOST, SUITE_DATE},
     .signed_headers = "host;x-amz-date",
     .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {.name = "get-vanilla-utf8-query",
     .method = "GET",
     .path = "/",
     .query = {{"\u1234", "bar"}},
     .headers = {SUITE_HOST, SUITE_DATE},
     .signed_headers = "host;x-amz-date",
     .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {.name = "get-unreserved",
     .method = "GET",
     .path = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     .headers = {SUITE_HOST, SUITE_DATE},
     .signed_headers = "host;x-amz-date",
     .signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {.name = "get-header-key-duplicate",
     .method = "GET",
     .path = "/",
     .headers = {SUITE_HOST,
                 {"My-Header1", "value2"},
                 {"My-Header1", "value2"},
                 {"My-Header1", "value1"},
                 SUITE_DATE},
     .signed_headers = "host;my-header1;x-amz-date",
     .signature = "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
    {.name = "get-header-value-order",
     .method = "GET",
     .path = "/",
     .headers = {SUITE_HOST,
                 {"My-Header1", "value4"},
                 {"my-header1", "value1"},
                 {"MY-HEADER1", "value3"},
                 {"My-Header1", "value2"},
                 SUITE_DATE},
     .signed_headers = "host;my-header1;x-amz-date",
     .signature = "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {.name = "get-header-value-trim",
     .method = "GET",
     .path = "/",
     .headers =
         {SUITE_HOST, {"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}, SUITE_DATE},
     .signed_headers = "host;my-header1;my-header2;x-amz-date",
     .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
};

START_TEST(requests_of_the_v4_test_suite_get_its_signatures)
{
    struct sigv4_scope scope = {.access_key = "AKIDEXAMPLE",
                                .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                .region = "us-east-1",
                                .service = "service",
                                .now = 1440938160};

    check_authorization(&suite_vectors[_i], &scope,
                        "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request");
}
END_TEST

static const struct {
    const char *why;
    struct sigv4_pair query[MAX_PAIRS];
    const char *expected;
} queries[] = {
    {"nothing", {{NULL, NULL}}, ""},
    {"a name without a value", {{"uploads", NULL}}, "uploads="},
    {"an empty value", {{"uploads", ""}}, "uploads="},
    {"names are sorted", {{"uploadId", "x"}, {"partNumber", "1"}}, "partNumber=1&uploadId=x"},
    {"upper case comes first", {{"b", "1"}, {"B", "1"}, {"a", "1"}}, "B=1&a=1&b=1"},
    {"the same name: by value", {{"a", "2"}, {"a", "10"}, {"a", ""}}, "a=&a=10&a=2"},
    {"the name alone decides, not name=value",
     {{"max-uploads", "1"}, {"max", "1"}, {"max.", "1"}},
     "max=1&max-uploads=1&max.=1"},
    {"sorted as encoded: % is before letters", {{"a", "1"}, {"я", "1"}}, "%D1%8F=1&a=1"},
    {"sorted as encoded: / becomes %2F, before -", {{"a-", "1"}, {"a/", "1"}}, "a%2F=1&a-=1"},
    {"sorted as encoded: : becomes %3A, before 0", {{"a0", "1"}, {"a:", "1"}}, "a%3A=1&a0=1"},
    {"values too", {{"a", "-"}, {"a", "я"}, {"a", "0"}}, "a=%D1%8F&a=-&a=0"},
    {"separators are data",
     {{"prefix", "a&b=c?d#e+f g%20/h"}},
     "prefix=a%26b%3Dc%3Fd%23e%2Bf%20g%2520%2Fh"},
    {"quotes", {{"k", "'\"`\\"}}, "k=%27%22%60%5C"},
    {"an upload id of MinIO's", {{"uploadId", "YWJj/Zg+=="}}, "uploadId=YWJj%2FZg%2B%3D%3D"},
    {"an upload id of Ceph's", {{"uploadId", "2~aB_c-D"}}, "uploadId=2~aB_c-D"},
};

START_TEST(a_query_is_encoded_and_then_sorted)
{
    struct buffer out;

    buffer_init(&out, 1000);
    ck_assert(sigv4_query(&out, queries[_i].query, count_pairs(queries[_i].query)));
    ck_assert_msg(!strcmp(buffer_text(&out), queries[_i].expected), "%s: %s", queries[_i].why,
                  buffer_text(&out));
    buffer_done(&out);
}
END_TEST

START_TEST(every_byte_of_a_query_is_encoded_once)
{
    char name[256], expected[800];
    struct sigv4_pair pair = {name, name};
    struct buffer out, encoded;

    for (int byte = 1; byte <= 255; byte++)
        name[byte - 1] = (char)byte;
    name[255] = 0;
    buffer_init(&encoded, sizeof expected);
    uri_encode(&encoded, name, false);
    ck_assert_int_eq((int)encoded.length, 66 + 3 * (255 - 66));
    buffer_init(&out, 4000);
    ck_assert(sigv4_query(&out, &pair, 1));
    ck_assert_int_eq((int)out.length, (int)encoded.length * 2 + 1);
    ck_assert(!memcmp(out.data, encoded.data, encoded.length));
    ck_assert_int_eq(out.data[encoded.length], '=');
    ck_assert_str_eq(out.data + encoded.length + 1, encoded.data);
    buffer_done(&out);
    buffer_done(&encoded);
}
END_TEST

START_TEST(a_canonical_request_is_written_line_by_line)
{
    struct vector vector = {.method = "PUT",
                            .path = "/bucket/a//b/../%D1%8F%20%2B",
                            .query = {{"uploadId", "a/b"}, {"partNumber", "7"}},
                            .headers = {{"x-amz-date", "D"},
                                        {"HOST", "h:9000"},
                                        {"X-Amz-Meta-B", "\t two \t words  "},
                                        {"x-amz-meta-a", NULL}},
                            .payload_sha256 = "hash"};
    struct sigv4_request request = request_of(&vector);
    struct buffer out;

    buffer_init(&out, 1000);
    ck_assert(sigv4_canonical_request(&out, &request));
    ck_assert_str_eq(buffer_text(&out), "PUT\n"
                                        "/bucket/a//b/../%D1%8F%20%2B\n"
                                        "partNumber=7&uploadId=a%2Fb\n"
                                        "host:h:9000\n"
                                        "x-amz-date:D\n"
                                        "x-amz-meta-a:\n"
                                        "x-amz-meta-b:two words\n"
                                        "\n"
                                        "host;x-amz-date;x-amz-meta-a;x-amz-meta-b\n"
                                        "hash");
    buffer_done(&out);
}
END_TEST

START_TEST(a_date_is_written_in_utc)
{
    static const struct {
        time_t time;
        const char *date;
    } dates[] = {{0, "19700101T000000Z"},
                 {1369353600, "20130524T000000Z"},
                 {1709251199, "20240229T235959Z"},
                 {2147483648, "20380119T031408Z"},
                 {(time_t)1 << 55, "19700101T000000Z"}}; /* no such year: still a date */
    char date[SIGV4_DATE_SIZE];

    setenv("TZ", "Asia/Vladivostok", 1);
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        sigv4_date(dates[i].time, date);
        ck_assert_str_eq(date, dates[i].date);
    }
}
END_TEST

START_TEST(a_signature_that_does_not_fit_is_a_failure)
{
    struct sigv4_request request = request_of(&s3_vectors[0]);
    struct sigv4_scope scope = {
        .access_key = "a", .secret_key = "s", .region = "r", .service = "s3", .now = 0};
    struct buffer out;

    buffer_init(&out, 100);
    ck_assert(!sigv4_authorization(&out, &request, &scope));
    buffer_done(&out);
    buffer_init(&out, 10);
    ck_assert(!sigv4_canonical_request(&out, &request));
    buffer_done(&out);
    buffer_init(&out, 3);
    ck_assert(!sigv4_query(&out, s3_vectors[2].query, 1));
    buffer_done(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sigv4");
    TCase *tests = tcase_create("sigv4");

    tcase_add_loop_test(tests, requests_of_the_s3_reference_get_its_signatures, 0,
                        sizeof s3_vectors / sizeof *s3_vectors);
    tcase_add_loop_test(tests, requests_of_the_v4_test_suite_get_its_signatures, 0,
                        sizeof suite_vectors / sizeof *suite_vectors);
    tcase_add_loop_test(tests, a_query_is_encoded_and_then_sorted, 0,
                        sizeof queries / sizeof *queries);
    tcase_add_test(tests, every_byte_of_a_query_is_encoded_once);
    tcase_add_test(tests, a_canonical_request_is_written_line_by_line);
    tcase_add_test(tests, a_date_is_written_in_utc);
    tcase_add_test(tests, a_signature_that_does_not_fit_is_a_failure);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
