#include "config/object_headers.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

static void check_next(const char **list, const char *name, const char *value)
{
    struct object_header header;

    ck_assert(object_headers_next(list, &header));
    ck_assert_uint_eq(header.name_length, strlen(name));
    ck_assert_mem_eq(header.name, name, strlen(name));
    ck_assert_uint_eq(header.value_length, strlen(value));
    ck_assert_mem_eq(header.value ? header.value : "", value, strlen(value));
}

static void check_end(const char *list)
{
    struct object_header header;

    ck_assert(!object_headers_next(&list, &header));
}

START_TEST(headers_stand_on_lines_or_between_semicolons_and_values_may_have_semicolons)
{
    const char *list = " cache-control: private, max-age=60;content-disposition: attachment; "
                       "filename=\"a.mp4\";\r\nX-Amz-Tagging:a=b&c=d \n\n";

    check_next(&list, "cache-control", "private, max-age=60");
    check_next(&list, "content-disposition", "attachment; filename=\"a.mp4\"");
    check_next(&list, "X-Amz-Tagging", "a=b&c=d");
    check_end(list);
    check_end("");
    check_end(" ;\n");
    list = "x-amz-acl; ;x-amz-tagging:";
    check_next(&list, "x-amz-acl", "");
    check_next(&list, "x-amz-tagging", "");
    check_end(list);
}
END_TEST

static const struct {
    const char *header, *fault; /* NULL: none */
} faults[] = {
    {"Cache-Control: no-store", NULL},
    {"x-amz-server-side-encryption: aws:kms", NULL},
    {"x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:eu-1:1:key/x", NULL},
    {"x-amz-request-payer: requester", NULL},
    {"cache-control: no-cache, max-age=0", NULL},
    {"content-disposition: attachment; filename=\"a, b: c\"", NULL},
    {"x-amz-acl: private, X-Amz-Tagging: a=b", "not a comma"},
    {"x-amz-acl: private,x-amz-acl:public-read", "not a comma"},
    {"x-amz-acl", "has no value"},
    {"x-amz-acl: a  b", "two blanks"},
    {"x-amz-tagging: k\xc3\xa4se=1", "printable ASCII"},
    {"x-amz-server-side-encryption-customer-key: abc", "SSE-C"},
    {"X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256", "SSE-C"},
    {"x-amz-storage-class: COLD", "CONFOMEET_S3_STORAGE_CLASS"},
    {"x-amz-meta-a: b", "CONFOMEET_S3_METADATA"},
    {"content-md5: x", "CONFOMEET_S3_CONTENT_MD5"},
    {"if-none-match: *", "CONFOMEET_S3_CONDITIONAL_WRITES"},
    {"authorization: x", "set by this program itself"},
    {"host: x", "set by this program itself"},
    {"content-type: video/mp4", "set by this program itself"},
    {"content-encoding: gzip", "set by this program itself"},
    {"x-amz-website-redirect-location: /x", "set by this program itself"},
    {"x-amz-security-token: t", "set by this program itself"},
    {"x-amz-acls: t", "set by this program itself"},
    {"no colon at all", "set by this program itself"},
};

START_TEST(what_may_not_be_sent_is_refused_with_a_sentence)
{
    const char *list = faults[_i].header, *fault;
    struct object_header header;

    ck_assert(object_headers_next(&list, &header));
    fault = object_header_fault(&header);
    ck_assert_int_eq(fault != NULL, faults[_i].fault != NULL);
    ck_assert_msg(!fault || strstr(fault, faults[_i].fault), "%s", fault);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("object_headers");
    TCase *tests = tcase_create("tests");

    tcase_add_test(tests,
                   headers_stand_on_lines_or_between_semicolons_and_values_may_have_semicolons);
    tcase_add_loop_test(tests, what_may_not_be_sent_is_refused_with_a_sentence, 0,
                        (int)(sizeof faults / sizeof faults[0]));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
