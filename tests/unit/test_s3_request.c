#include "finalize/s3/s3.h"

#include "finalize/s3/sigv4.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NOW  1369353600 /* 20130524T000000Z */
#define HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define MARK "0123456789abcdef0123456789abcdef"

static struct settings settings;
static struct s3 *s3;
static struct http_request request;
static struct error err;

static void setup(void)
{
    settings =
        (struct settings){.s3_url = (char *)"https://s3.example.org/",
                          .s3_bucket = (char *)"bucket",
                          .s3_region = (char *)"us-east-1",
                          .s3_client_id = (char *)"AKIAIOSFODNN7EXAMPLE",
                          .s3_client_secret = (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                          .s3_idle_timeout_ms = 60000};
    s3 = NULL;
    error_clear(&err);
    http_request_init(&request, "GET");
}

static void teardown(void)
{
    http_request_done(&request);
    s3_close(s3);
}

static void build(const struct s3_call *call)
{
    if (!s3)
        ck_assert_msg(s3_open(&settings, &s3, &err), "%s", err.text);
    http_request_done(&request);
    ck_assert_msg(s3_build(s3, call, NOW, &request, &err), "%s", err.text);
}

/* The value of a header of the request; NULL when there is none. Fails when there are two. */
static const char *header(const char *name)
{
    const char *value = NULL;

    for (char **line = request.headers; line && *line; line++)
        if (!strncasecmp(*line, name, strlen(name)) && (*line)[strlen(name)] == ':') {
            ck_assert_ptr_null(value);
            value = *line + strlen(name) + 2;
        }
    return value;
}

static void check_header(const char *name, const char *expected)
{
    const char *value = header(name);

    ck_assert_msg(value != NULL, "no %s", name);
    ck_assert_str_eq(value, expected);
}

/* Signs once more what was built, as a server would: from the headers that were named as signed. */
static void check_signature(const char *host, const char *path, const struct sigv4_pair *query,
                            size_t query_count)
{
    const char *authorization = header("Authorization");
    const char *names = strstr(authorization, "SignedHeaders=") + strlen("SignedHeaders=");
    struct sigv4_pair pairs[32];
    char name[32][64];
    size_t count = 0;
    struct buffer again;
    struct sigv4_scope scope = {.access_key = settings.s3_client_id,
                                .secret_key = settings.s3_client_secret,
                                .region = settings.s3_region,
                                .service = "s3",
                                .now = NOW};

    while (*names && *names != ',') {
        size_t length = strcspn(names, ";,");

        ck_assert(count < 32 && length < sizeof name[0]);
        memcpy(name[count], names, length);
        name[count][length] = 0;
        pairs[count].name = name[count];
        pairs[count].value = !strcmp(name[count], "host") ? host : header(name[count]);
        ck_assert_msg(pairs[count].value != NULL, "%s is signed but not sent", name[count]);
        count++;
        names += length + (names[length] == ';');
    }
    for (char **line = request.headers; *line; line++)
        if (!strncasecmp(*line, "x-amz-", 6) || !strncasecmp(*line, "content-", 8)) {
            size_t i = 0;

            while (i < count && (strncasecmp(*line, name[i], strlen(name[i])) != 0 ||
                                 (*line)[strlen(name[i])] != ':'))
                i++;
            ck_assert_msg(i < count, "%s is sent but not signed", *line);
        }
    struct sigv4_request signed_request = {.method = request.method,
                                           .path = path,
                                           .query = query,
                                           .query_count = query_count,
                                           .headers = pairs,
                                           .header_count = count,
                                           .payload_sha256 = header("x-amz-content-sha256")};
    buffer_init(&again, 4000);
    ck_assert(sigv4_authorization(&again, &signed_request, &scope));
    ck_assert_str_eq(buffer_text(&again), authorization);
    buffer_done(&again);
}

START_TEST(a_request_is_signed_as_in_the_s3_reference)
{
    struct s3_call call = {.operation = S3_LIST_UPLOADS, .key = "J"};

    settings.s3_addressing = SETTINGS_ADDRESSING_VIRTUAL;
    settings.s3_bucket = (char *)"examplebucket";
    settings.s3_url = (char *)"https://s3.amazonaws.com";
    build(&call);
    check_header("x-amz-date", "20130524T000000Z");
    check_header("x-amz-content-sha256", DIGEST_SHA256_EMPTY);
    ck_assert_str_eq(request.url, "https://examplebucket.s3.amazonaws.com/"
                                  "?max-uploads=1000&prefix=J&uploads=");
    check_signature(
        "examplebucket.s3.amazonaws.com", "/",
        (struct sigv4_pair[]){{"uploads", ""}, {"prefix", "J"}, {"max-uploads", "1000"}}, 3);
    ck_assert(!strncmp(header("Authorization"),
                       "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                       "aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                       "Signature=",
                       sizeof "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/"
                              "s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
                              " Signature=" -
                           1));
}
END_TEST

static const struct {
    struct s3_call call;
    const char *method, *url;
    enum http_body_kind body;
    size_t reply_ceiling;
} requests[] = {
    {{.operation = S3_HEAD_OBJECT, .key = "a.mp4"}, "HEAD", "/a.mp4", HTTP_BODY_NONE, 64 << 10},
    {{.operation = S3_GET_RANGE, .key = "a.mp4"}, "GET", "/a.mp4", HTTP_BODY_NONE, 64 << 10},
    {{.operation = S3_PUT_OBJECT, .key = "a.mp4", .payload_sha256 = HASH},
     "PUT",
     "/a.mp4",
     HTTP_BODY_FILE,
     64 << 10},
    {{.operation = S3_CREATE_UPLOAD, .key = "a.mp4"},
     "POST",
     "/a.mp4?uploads=",
     HTTP_BODY_MEMORY,
     64 << 10},
    {{.operation = S3_UPLOAD_PART,
      .key = "a.mp4",
      .upload_id = "2~x+/=",
      .part_number = 10000,
      .payload_sha256 = HASH},
     "PUT",
     "/a.mp4?partNumber=10000&uploadId=2~x%2B%2F%3D",
     HTTP_BODY_FILE,
     64 << 10},
    {{.operation = S3_LIST_PARTS, .key = "a.mp4", .upload_id = "id"},
     "GET",
     "/a.mp4?max-parts=1000&uploadId=id",
     HTTP_BODY_NONE,
     1 << 20},
    {{.operation = S3_LIST_PARTS, .key = "a.mp4", .upload_id = "id", .part_number_marker = 1000},
     "GET",
     "/a.mp4?max-parts=1000&part-number-marker=1000&uploadId=id",
     HTTP_BODY_NONE,
     1 << 20},
    {{.operation = S3_COMPLETE_UPLOAD, .key = "a.mp4", .upload_id = "id"},
     "POST",
     "/a.mp4?uploadId=id",
     HTTP_BODY_MEMORY,
     64 << 10},
    {{.operation = S3_ABORT_UPLOAD, .key = "a.mp4", .upload_id = "id"},
     "DELETE",
     "/a.mp4?uploadId=id",
     HTTP_BODY_NONE,
     64 << 10},
    {{.operation = S3_DELETE_OBJECT, .key = "a.mp4"}, "DELETE", "/a.mp4", HTTP_BODY_NONE, 64 << 10},
    {{.operation = S3_LIST_UPLOADS, .key = "я/a b.mp4"},
     "GET",
     "?max-uploads=1000&prefix=%D1%8F%2Fa%20b.mp4&uploads=",
     HTTP_BODY_NONE,
     1 << 20},
};

START_TEST(each_operation_has_its_method_url_and_body)
{
    char url[200];

    snprintf(url, sizeof url, "https://s3.example.org/bucket%s", requests[_i].url);
    build(&requests[_i].call);
    ck_assert_str_eq(request.method, requests[_i].method);
    ck_assert_str_eq(request.url, url);
    ck_assert_int_eq(request.body.kind, requests[_i].body);
    ck_assert(request.body.length == 0);
    ck_assert(request.reply_ceiling == requests[_i].reply_ceiling);
    ck_assert_ptr_null(header("Host"));
    ck_assert_ptr_null(header("Expect"));
    ck_assert_ptr_null(header("If-None-Match"));
    ck_assert_ptr_null(header("Content-MD5"));
    ck_assert_ptr_nonnull(header("Authorization"));
    check_header("x-amz-content-sha256",
                 requests[_i].body == HTTP_BODY_FILE ? HASH : DIGEST_SHA256_EMPTY);
    ck_assert((requests[_i].call.operation == S3_GET_RANGE) == (header("Range") != NULL));
}
END_TEST

START_TEST(a_page_of_all_uploads_is_asked_for_by_prefix_and_markers)
{
    const struct s3_call call = {.operation = S3_LIST_UPLOADS,
                                 .prefix = "rec/",
                                 .key_marker = "rec/a b",
                                 .upload_id_marker = "i=1"};

    build(&call);
    ck_assert_str_eq(request.url, "https://s3.example.org/bucket?key-marker=rec%2Fa%20b&"
                                  "max-uploads=1000&prefix=rec%2F&upload-id-marker=i%3D1&uploads=");
}
END_TEST

START_TEST(a_range_of_bytes_is_asked_for_and_taken_whole)
{
    const struct s3_call call = {
        .operation = S3_GET_RANGE, .key = "a", .offset = 10, .length = 1u << 20};

    build(&call);
    check_header("Range", "bytes=10-1048585");
    ck_assert(request.reply_ceiling == 1u << 20);
}
END_TEST

START_TEST(a_part_that_the_server_copies_has_no_body)
{
    const struct s3_call call = {.operation = S3_UPLOAD_PART,
                                 .key = "a",
                                 .upload_id = "id",
                                 .part_number = 2,
                                 .copy_from = "a b/я.mp4",
                                 .offset = 5,
                                 .length = 10};

    build(&call);
    check_header("x-amz-copy-source", "/bucket/a%20b/%D1%8F.mp4");
    check_header("x-amz-copy-source-range", "bytes=5-14");
    check_header("x-amz-content-sha256", DIGEST_SHA256_EMPTY);
    ck_assert_int_eq(request.body.kind, HTTP_BODY_MEMORY);
    ck_assert(!request.body.length);
}
END_TEST

static const struct {
    const char *endpoint, *key;
    enum settings_addressing addressing;
    const char *url, *host, *path;
} urls[] = {
    {"https://h", "a/b", SETTINGS_ADDRESSING_PATH, "https://h/bucket/a/b", "h", "/bucket/a/b"},
    {"http://h:9000", "a", SETTINGS_ADDRESSING_PATH, "http://h:9000/bucket/a", "h:9000",
     "/bucket/a"},
    {"http://[::1]:9000", "a", SETTINGS_ADDRESSING_PATH, "http://[::1]:9000/bucket/a", "[::1]:9000",
     "/bucket/a"},
    {"https://h:443/", "a", SETTINGS_ADDRESSING_PATH, "https://h/bucket/a", "h", "/bucket/a"},
    {"https://h/s3 base/", "a", SETTINGS_ADDRESSING_PATH, NULL, NULL, NULL},
    {"https://h/s3%20base/", "a", SETTINGS_ADDRESSING_PATH, "https://h/s3%20base/bucket/a", "h",
     "/s3%20base/bucket/a"},
    {"https://h", "a", SETTINGS_ADDRESSING_VIRTUAL, "https://bucket.h/a", "bucket.h", "/a"},
    {"https://h:8443/base", "a", SETTINGS_ADDRESSING_VIRTUAL, "https://bucket.h:8443/base/a",
     "bucket.h:8443", "/base/a"},
    {"https://h", "12345_2024-04-23 15+04%05~#=?&'\".mp4", SETTINGS_ADDRESSING_PATH,
     "https://h/bucket/12345_2024-04-23%2015%2B04%2505~%23%3D%3F%26%27%22.mp4", "h",
     "/bucket/12345_2024-04-23%2015%2B04%2505~%23%3D%3F%26%27%22.mp4"},
    {"https://h", "встреча.mp4", SETTINGS_ADDRESSING_PATH,
     "https://h/bucket/%D0%B2%D1%81%D1%82%D1%80%D0%B5%D1%87%D0%B0.mp4", "h",
     "/bucket/%D0%B2%D1%81%D1%82%D1%80%D0%B5%D1%87%D0%B0.mp4"},
    {"https://h", "a/../b//./c/", SETTINGS_ADDRESSING_PATH, "https://h/bucket/a/../b//./c/", "h",
     "/bucket/a/../b//./c/"},
    {"https://h", "/a", SETTINGS_ADDRESSING_VIRTUAL, "https://bucket.h//a", "bucket.h", "//a"},
    {"https://h", "\x01\x7f\xff", SETTINGS_ADDRESSING_PATH, "https://h/bucket/%01%7F%FF", "h",
     "/bucket/%01%7F%FF"},
};

START_TEST(urls_are_sent_as_they_are_signed)
{
    struct s3_call call = {.operation = S3_HEAD_OBJECT, .key = urls[_i].key};

    settings.s3_url = (char *)urls[_i].endpoint;
    settings.s3_addressing = urls[_i].addressing;
    if (!urls[_i].url) {
        ck_assert(!s3_open(&settings, &s3, &err));
        return;
    }
    build(&call);
    ck_assert_str_eq(request.url, urls[_i].url);
    check_signature(urls[_i].host, urls[_i].path, NULL, 0);
}
END_TEST

START_TEST(the_bytes_of_a_file_are_named_and_not_read)
{
    struct s3_call call = {.operation = S3_UPLOAD_PART,
                           .key = "k",
                           .upload_id = "id",
                           .part_number = 3,
                           .fd = 123,
                           .offset = (uint64_t)5 << 40,
                           .length = (uint64_t)5 << 30,
                           .payload_sha256 = HASH,
                           .content_md5 = "kAFQmDzST7DWlj99KOF/cg=="};

    build(&call);
    ck_assert_int_eq(request.body.fd, 123);
    ck_assert(request.body.offset == (uint64_t)5 << 40);
    ck_assert(request.body.length == (uint64_t)5 << 30);
    ck_assert(request.idle_timeout_ms == 60000);
    check_header("Content-MD5", "kAFQmDzST7DWlj99KOF/cg==");
    check_header("x-amz-content-sha256", HASH);
    ck_assert_ptr_null(header("Content-Type"));
    check_signature("s3.example.org", "/bucket/k",
                    (struct sigv4_pair[]){{"partNumber", "3"}, {"uploadId", "id"}}, 2);
}
END_TEST

START_TEST(complete_owns_a_copy_of_its_body_and_waits_for_minutes)
{
    struct s3_call call = {.operation = S3_COMPLETE_UPLOAD, .key = "k", .upload_id = "id"};
    struct buffer body;

    buffer_init(&body, 100);
    buffer_append_text(&body, "abc");
    call.body = &body;
    build(&call);
    buffer_done(&body);
    ck_assert(request.body.length == 3);
    ck_assert_str_eq(buffer_text(&request.body.memory), "abc");
    check_header("x-amz-content-sha256",
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_header("Content-Type", "application/xml");
    ck_assert_ptr_null(header("Content-MD5"));
    ck_assert(request.idle_timeout_ms == 300000);
    check_signature("s3.example.org", "/bucket/k", (struct sigv4_pair[]){{"uploadId", "id"}}, 1);
}
END_TEST

START_TEST(content_md5_is_added_to_complete_when_it_is_asked_for)
{
    struct s3_call call = {.operation = S3_COMPLETE_UPLOAD, .key = "k", .upload_id = "id"};
    struct buffer body;

    settings.s3_content_md5 = true;
    settings.s3_idle_timeout_ms = 3600000;
    buffer_init(&body, 100);
    buffer_append_text(&body, "abc");
    call.body = &body;
    build(&call);
    buffer_done(&body);
    check_header("Content-MD5", "kAFQmDzST7DWlj99KOF/cg==");
    ck_assert(request.idle_timeout_ms == 3600000);
    check_signature("s3.example.org", "/bucket/k", (struct sigv4_pair[]){{"uploadId", "id"}}, 1);
}
END_TEST

START_TEST(what_makes_an_object_says_what_it_is)
{
    struct s3_object_metadata metadata = {.mark = MARK,
                                          .session_id = "session-1",
                                          .instance_id = "jibri 7",
                                          .part_size_bytes = 8388608,
                                          .incomplete = true};
    struct s3_call call = {.operation = S3_CREATE_UPLOAD,
                           .key = "k",
                           .content_type = "video/mp4",
                           .metadata = &metadata,
                           .payload_sha256 = HASH};

    settings.s3_storage_class = (char *)"COLD";
    settings.s3_metadata = (char *)"team=video,note=a b=c";
    for (int i = 0; i < 2; i++) {
        build(&call);
        check_header("Content-Type", "video/mp4");
        check_header("x-amz-storage-class", "COLD");
        check_header("x-amz-meta-team", "video");
        check_header("x-amz-meta-note", "a b=c");
        check_header("x-amz-meta-jibri-mark", MARK);
        check_header("x-amz-meta-jibri-session", "session-1");
        check_header("x-amz-meta-jibri-instance", "jibri 7");
        check_header("x-amz-meta-jibri-part-size", "8388608");
        check_header("x-amz-meta-jibri-incomplete", "moov-missing");
        check_signature("s3.example.org", "/bucket/k", (struct sigv4_pair[]){{"uploads", ""}},
                        i ? 0 : 1);
        call.operation = S3_PUT_OBJECT;
    }
}
END_TEST

START_TEST(what_is_not_known_is_left_out)
{
    struct s3_object_metadata metadata = {0};
    struct s3_call call = {
        .operation = S3_PUT_OBJECT, .key = "k", .payload_sha256 = HASH, .metadata = &metadata};

    build(&call);
    for (char **line = request.headers; *line; line++)
        ck_assert_msg(strncasecmp(*line, "x-amz-meta-", 11) != 0, "%s", *line);
    ck_assert_ptr_null(header("Content-Type"));
    ck_assert_ptr_null(header("x-amz-storage-class"));
}
END_TEST

START_TEST(parts_say_nothing_of_the_object)
{
    struct s3_object_metadata metadata = {.mark = MARK};
    struct s3_call call = {.operation = S3_UPLOAD_PART,
                           .key = "k",
                           .upload_id = "id",
                           .part_number = 1,
                           .content_type = "video/mp4",
                           .payload_sha256 = HASH,
                           .metadata = &metadata};

    settings.s3_storage_class = (char *)"COLD";
    settings.s3_metadata = (char *)"a=b";
    settings.s3_conditional_writes = true;
    build(&call);
    ck_assert_ptr_null(header("x-amz-meta-jibri-mark"));
    ck_assert_ptr_null(header("x-amz-meta-a"));
    ck_assert_ptr_null(header("x-amz-storage-class"));
    ck_assert_ptr_null(header("If-None-Match"));
    ck_assert_ptr_null(header("Content-Type"));
}
END_TEST

static const struct {
    const char *id, *value;
} metadata_values[] = {
    {"plain~text_1 and-more", "plain~text_1 and-more"},
    {"комната", "%D0%BA%D0%BE%D0%BC%D0%BD%D0%B0%D1%82%D0%B0"},
    {"100%", "100%25"},
    {" a", "%20a"},
    {"a ", "a%20"},
    {"a  b", "a%20%20b"},
    {"a\r\nx-amz-acl: public", "a%0D%0Ax-amz-acl%3A%20public"},
    {"\x7f", "%7F"},
    {"\xff\x80", "%FF%80"},
    {"", ""},
};

START_TEST(metadata_of_any_bytes_can_be_sent_and_told_from_encoded_ones)
{
    struct s3_object_metadata metadata = {.session_id = metadata_values[_i].id,
                                          .instance_id = metadata_values[_i].id};
    struct s3_call call = {.operation = S3_CREATE_UPLOAD, .key = "k", .metadata = &metadata};

    build(&call);
    check_header("x-amz-meta-jibri-session", metadata_values[_i].value);
    check_header("x-amz-meta-jibri-instance", metadata_values[_i].value);
}
END_TEST

/* Bytes of user metadata as S3 counts them: names without their prefix, and values. */
static size_t metadata_bytes(void)
{
    size_t bytes = 0;

    for (char **line = request.headers; *line; line++)
        if (!strncasecmp(*line, "x-amz-meta-", 11))
            bytes += strlen(*line) - 11 - 2;
    return bytes;
}

START_TEST(metadata_stays_below_2_kb_and_ends_with_a_whole_character)
{
    char session[600], instance[600], ours[1025] = "a=";
    struct s3_object_metadata metadata = {
        .mark = MARK, .session_id = session, .instance_id = instance, .incomplete = true};
    struct s3_call call = {.operation = S3_CREATE_UPLOAD, .key = "k", .metadata = &metadata};
    const char *value;

    memset(ours + 2, 'x', sizeof ours - 3);
    settings.s3_metadata = ours;
    strcpy(session, "x");
    for (size_t i = 0; i < 127; i++)
        strcat(session, "я");
    memset(instance, 'i', sizeof instance - 1);
    instance[sizeof instance - 1] = 0;
    build(&call);
    value = header("x-amz-meta-jibri-session");
    ck_assert_int_eq((int)strlen(value), 1 + 6 * 85);
    ck_assert_str_eq(value + strlen(value) - 6, "%D1%8F");
    ck_assert_int_eq((int)strlen(header("x-amz-meta-jibri-instance")), 256);
    ck_assert_int_lt((int)metadata_bytes(), 2048);
    ck_assert_int_eq((int)strlen(header("x-amz-meta-a")), 1022);
    ck_assert_str_eq(header("x-amz-meta-jibri-mark"), MARK);
}
END_TEST

START_TEST(many_short_metadata_of_the_settings_are_all_sent)
{
    char list[1025] = "";
    struct s3_call call = {.operation = S3_CREATE_UPLOAD, .key = "k"};
    int count = 0;

    for (; strlen(list) + 8 < sizeof list; count++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%sa%d=x", count ? "," : "",
                 count);
    settings.s3_metadata = list;
    build(&call);
    for (char **line = request.headers; *line; line++)
        count -= !strncasecmp(*line, "x-amz-meta-a", 12);
    ck_assert_int_eq(count, 0);
}
END_TEST

START_TEST(conditional_writes_are_put_on_what_finishes_an_object)
{
    settings.s3_conditional_writes = true;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        enum s3_operation operation = requests[i].call.operation;
        bool finishes = operation == S3_PUT_OBJECT || operation == S3_COMPLETE_UPLOAD;

        build(&requests[i].call);
        ck_assert_int_eq(header("If-None-Match") != NULL, finishes);
        if (finishes)
            check_header("If-None-Match", "*");
    }
}
END_TEST

START_TEST(a_session_token_is_sent_and_signed_with_every_request)
{
    settings.s3_session_token = (char *)"FwoGZXIvYXdzEBc//t/o+k=en";
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        build(&requests[i].call);
        check_header("x-amz-security-token", settings.s3_session_token);
        ck_assert_ptr_nonnull(strstr(header("Authorization"), ";x-amz-security-token"));
    }
}
END_TEST

START_TEST(headers_of_the_settings_are_sent_and_signed_with_what_makes_an_object_or_with_all)
{
    settings.s3_object_headers =
        (char *)"x-amz-server-side-encryption: aws:kms\ncontent-disposition: attachment; "
                "filename=x; x-amz-expected-bucket-owner: 123456789012";
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        enum s3_operation operation = requests[i].call.operation;
        bool makes = operation == S3_PUT_OBJECT || operation == S3_CREATE_UPLOAD;

        build(&requests[i].call);
        check_header("x-amz-expected-bucket-owner", "123456789012");
        ck_assert_int_eq(header("x-amz-server-side-encryption") != NULL, makes);
        if (makes)
            check_header("content-disposition", "attachment; filename=x");
        ck_assert_int_eq(strstr(header("Authorization"), "content-disposition;") != NULL, makes);
    }
}
END_TEST

START_TEST(the_secret_is_in_no_request)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        build(&requests[i].call);
        ck_assert_ptr_null(strstr(request.url, settings.s3_client_secret));
        for (char **line = request.headers; *line; line++)
            ck_assert_ptr_null(strstr(*line, settings.s3_client_secret));
    }
}
END_TEST

/* Servers would take them for PutObject and DeleteObject. */
START_TEST(no_request_on_an_upload_is_built_without_an_upload_id)
{
    static const struct s3_call calls[] = {
        {.operation = S3_UPLOAD_PART, .key = "k", .part_number = 1, .payload_sha256 = HASH},
        {.operation = S3_UPLOAD_PART, .key = "k", .upload_id = "id", .payload_sha256 = HASH},
        {.operation = S3_LIST_PARTS, .key = "k", .upload_id = ""},
        {.operation = S3_COMPLETE_UPLOAD, .key = "k", .upload_id = ""},
        {.operation = S3_ABORT_UPLOAD, .key = "k", .upload_id = ""},
        {.operation = S3_ABORT_UPLOAD, .key = "k"},
    };

    ck_assert(s3_open(&settings, &s3, &err));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        http_request_done(&request);
        error_clear(&err);
        ck_assert(!s3_build(s3, &calls[i], NOW, &request, &err));
        ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    }
}
END_TEST

START_TEST(a_request_that_cannot_be_built_can_be_given_to_done)
{
    char *key = malloc(30001);
    struct s3_call call = {.operation = S3_HEAD_OBJECT, .key = key};

    ck_assert_ptr_nonnull(key);
    memset(key, ' ', 30000);
    key[30000] = 0;
    ck_assert(s3_open(&settings, &s3, &err));
    ck_assert(!s3_build(s3, &call, NOW, &request, &err));
    ck_assert_int_eq(err.kind, ERROR_TRANSIENT);
    free(key);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void)
{
    Suite *suite = suite_create("s3_request");
    TCase *tests = tcase_create("s3_request");

    tcase_add_test(tests, a_page_of_all_uploads_is_asked_for_by_prefix_and_markers);
    tcase_add_test(tests, a_range_of_bytes_is_asked_for_and_taken_whole);
    tcase_add_test(tests, a_part_that_the_server_copies_has_no_body);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_request_is_signed_as_in_the_s3_reference);
    tcase_add_loop_test(tests, each_operation_has_its_method_url_and_body, 0, COUNT(requests));
    tcase_add_loop_test(tests, urls_are_sent_as_they_are_signed, 0, COUNT(urls));
    tcase_add_test(tests, the_bytes_of_a_file_are_named_and_not_read);
    tcase_add_test(tests, complete_owns_a_copy_of_its_body_and_waits_for_minutes);
    tcase_add_test(tests, content_md5_is_added_to_complete_when_it_is_asked_for);
    tcase_add_test(tests, what_makes_an_object_says_what_it_is);
    tcase_add_test(tests, what_is_not_known_is_left_out);
    tcase_add_test(tests, parts_say_nothing_of_the_object);
    tcase_add_loop_test(tests, metadata_of_any_bytes_can_be_sent_and_told_from_encoded_ones, 0,
                        COUNT(metadata_values));
    tcase_add_test(tests, metadata_stays_below_2_kb_and_ends_with_a_whole_character);
    tcase_add_test(tests, many_short_metadata_of_the_settings_are_all_sent);
    tcase_add_test(tests, conditional_writes_are_put_on_what_finishes_an_object);
    tcase_add_test(tests, a_session_token_is_sent_and_signed_with_every_request);
    tcase_add_test(
        tests, headers_of_the_settings_are_sent_and_signed_with_what_makes_an_object_or_with_all);
    tcase_add_test(tests, the_secret_is_in_no_request);
    tcase_add_test(tests, no_request_on_an_upload_is_built_without_an_upload_id);
    tcase_add_test(tests, a_request_that_cannot_be_built_can_be_given_to_done);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
