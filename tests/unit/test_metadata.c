#include "finalize/session/metadata.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file_of(const char *bytes, size_t length)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
    return fd;
}

static void read_bytes(const char *bytes, size_t length, struct metadata *ret_metadata)
{
    struct error err = ERROR_INIT;
    int fd = file_of(bytes, length);

    ck_assert_msg(metadata_read(fd, length, ret_metadata, &err), "%s", err.text);
    ck_assert((ret_metadata->redacted_fd >= 0) == (ret_metadata->treatment == METADATA_REDACTED));
    close(fd);
}

static void read_text(const char *text, struct metadata *ret_metadata)
{
    read_bytes(text, strlen(text), ret_metadata);
}

/* The redacted text; for the caller to free. */
static char *redacted(const struct metadata *metadata)
{
    char *text = calloc(1, metadata->redacted_bytes + 1);

    ck_assert_ptr_nonnull(text);
    ck_assert_int_ge(metadata->redacted_fd, 0);
    ck_assert_int_eq(pread(metadata->redacted_fd, text, metadata->redacted_bytes + 1, 0),
                     (ssize_t)metadata->redacted_bytes);
    return text;
}

START_TEST(what_jibri_writes_is_understood_and_left_as_it_is)
{
    struct metadata metadata;

    read_text("{\"meeting_url\":\"https://meet.example.org/12345\",\"participants\":[{\"user\":"
              "{\"id\":\"1\",\"name\":\"Я\"}}],\"share\":true}",
              &metadata);
    ck_assert(metadata.understood);
    ck_assert_str_eq(metadata.meeting_url, "https://meet.example.org/12345");
    ck_assert_int_eq(metadata.share, 1);
    ck_assert_int_eq(metadata.treatment, METADATA_AS_IT_IS);
    metadata_done(&metadata);
}
END_TEST

START_TEST(other_members_are_kept_but_for_what_looks_like_a_secret)
{
    struct metadata metadata;
    char value[64], *large;

    read_text("{\"meeting_url\":\"https://h/1?jwt=x\",\"participants\":[{\"name\":\"Я\"}],"
              "\"room\":\"Я\",\"Password\":\"S1\",\"upload_credentials\":{\"t\":\"S2\"},"
              "\"a\":[{\"apiKey\":\"S3\",\"n\":1,\"b\":{\"access_token\":\"S4\"}}],\"yes\":true}",
              &metadata);
    ck_assert_str_eq(metadata.members,
                     "{\"a\":[{\"b\":{},\"n\":1}],\"room\":\"\\u042F\",\"yes\":true}");
    ck_assert(metadata_member(metadata.members, "room}", 4, value, sizeof value));
    ck_assert_str_eq(value, "Я");
    ck_assert(!metadata_member(metadata.members, "room", 4, value, 2)); /* no half characters */
    ck_assert(!metadata_member(metadata.members, "none", 4, value, sizeof value));
    ck_assert(!metadata_member(NULL, "room", 4, value, sizeof value));
    metadata_done(&metadata);
    read_text("[1]", &metadata);
    ck_assert_ptr_null(metadata.members);
    metadata_done(&metadata);
    read_text("{\"a\":\"{\\\"upload_credentials\\\":1}\"}", &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
    ck_assert_ptr_null(metadata.members);
    metadata_done(&metadata);
    ck_assert_int_ge(asprintf(&large, "{\"a\":\"%*s\"}", (int)METADATA_MEMBERS_BYTES, "x"), 0);
    read_text(large, &metadata);
    ck_assert_ptr_null(metadata.members);
    metadata_done(&metadata);
    free(large);
}
END_TEST

START_TEST(facts_are_taken_only_where_they_make_sense)
{
    static const struct {
        const char *text;
        const char *url;
        int share;
    } CASES[] = {
        {"{}", "", -1},
        {"{\"meeting_url\":\"u\",\"share\":false}", "u", 0},
        {"{\"meeting_url\":\"Ж\",\"share\":\"true\"}", "Ж", 1},
        {"{\"meeting_url\":\"\",\"share\":\"false\"}", "", 0},
        {"{\"meeting_url\":\"https://h/r?jwt=secret#x\"}", "https://h/r", -1},
        {"{\"meeting_url\":\"https://h/r#config.token\"}", "https://h/r", -1},
        {"{\"meeting_url\":5,\"share\":1}", "", -1},
        {"{\"meeting_url\":null,\"share\":null}", "", -1},
        {"{\"meeting_url\":[\"u\"],\"share\":\"yes\"}", "", -1},
        {"{\"meeting_url\":\"a\\nb\"}", "", -1},
        {"{\"meeting_url\":\"a\\u0000b\"}", "", -1},
        {"{\"meeting_url\":\"a\\u007f\"}", "", -1},
        {"{\"meeting_url\":\"a\\u0085\"}", "", -1},
        {"{\"meeting_url\":\"a\\u00a0\"}", "a\xc2\xa0", -1},
        {"{\"meeting_url\":\"u\",\"participants\":123456789012345678901234567890}", "u", -1},
        {" {\"meeting_url\":\"u\",\"x\":\"\\u0000\"}\n", "u", -1},
        {"{\"share\":true,\"share\":false}", "", 0},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct metadata metadata;

        read_text(CASES[i].text, &metadata);
        ck_assert_msg(metadata.understood, "%s", CASES[i].text);
        ck_assert_str_eq(metadata.meeting_url, CASES[i].url);
        ck_assert_msg(metadata.share == CASES[i].share, "%s", CASES[i].text);
        ck_assert_msg(metadata.treatment == METADATA_AS_IT_IS, "%s", CASES[i].text);
        metadata_done(&metadata);
    }
}
END_TEST

START_TEST(an_address_too_long_is_unknown)
{
    struct metadata metadata;
    char text[4096], url[2049];

    memset(url, 'u', sizeof url);
    url[2047] = 0;
    snprintf(text, sizeof text, "{\"meeting_url\":\"%s\"}", url);
    read_text(text, &metadata);
    ck_assert_str_eq(metadata.meeting_url, url);
    metadata_done(&metadata);
    url[2047] = 'u';
    url[2048] = 0;
    snprintf(text, sizeof text, "{\"meeting_url\":\"%s\"}", url);
    read_text(text, &metadata);
    ck_assert_str_eq(metadata.meeting_url, "");
    ck_assert(metadata.understood);
    metadata_done(&metadata);
}
END_TEST

START_TEST(credentials_are_cut_out_wherever_they_stand)
{
    static const struct {
        const char *text, *redacted;
    } CASES[] = {
        {"{\"meeting_url\":\"u\",\"upload_credentials\":{\"token\":\"SECRET\"},\"share\":true}",
         "{\"meeting_url\":\"u\",\"share\":true}"},
        {"{\"upload_credentials\":\"SECRET\"}", "{}"},
        {"{\"b\":1,\"a\":{\"upload_credentials\":[\"SECRET\"],\"x\":2},\"0\":3}",
         "{\"b\":1,\"a\":{\"x\":2},\"0\":3}"},
        {"{\"a\":[[{\"upload_credentials\":1}],{\"b\":{\"upload_credentials\":{}}}]}",
         "{\"a\":[[{}],{\"b\":{}}]}"},
        {"[{\"upload_credentials\":\"SECRET\"}]", "[{}]"},
        {"{\"Upload_Credentials\":\"SECRET\",\"UPLOAD_CREDENTIALS\":\"SECRET\"}", "{}"},
        {"{\"upload\\u005fcredentials\":\"SECRET\",\"x\":\"\\u0000\"}", "{\"x\":\"\\u0000\"}"},
        {"{\"upload_cr\\u0065dentials\":\"SECRET\"}", "{}"},
        {"{\"upload_credentials\":\"SECRET\",\"upload_credentials\":\"SECRET\"}", "{}"},
        {"{\"upload_credentials\":\"SECRET\",\"upload_credentials\":null,\"a\":1}", "{\"a\":1}"},
        /* doubled members: the parser keeps the last, so that the first can't be looked into */
        {"{\"a\":{\"upload_credentials\":\"SECRET\"},\"a\":2}", "{\"a\":2}"},
        {"{\"a\":{\"upload_cr\\u0065dentials\":\"SECRET\"},\"a\":2}", "{\"a\":2}"},
        {"{\"a\":\"Я\\n\",\"upload_credentials\":0}", "{\"a\":\"Я\\n\"}"},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct metadata metadata;
        char *text;

        read_text(CASES[i].text, &metadata);
        ck_assert_msg(metadata.treatment == METADATA_REDACTED, "%s", CASES[i].text);
        text = redacted(&metadata);
        ck_assert_str_eq(text, CASES[i].redacted);
        free(text);
        metadata_done(&metadata);
        ck_assert_int_eq(metadata.redacted_fd, -1);
    }
}
END_TEST

START_TEST(numbers_too_large_do_not_keep_credentials_from_being_cut_out)
{
    static const char *const CASES[] = {
        "{\"a\":{\"upload_credentials\":\"SECRET\"},\"a\":1234567890123456789012}",
        "{\"a\":1234567890123456789012,\"upload_credentials\":\"SECRET\"}",
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct metadata metadata;
        char *text;

        read_text(CASES[i], &metadata);
        text = redacted(&metadata);
        ck_assert_int_eq(strncmp(text, "{\"a\":1", 6), 0); /* spelled as the library likes */
        ck_assert_ptr_null(strstr(text, "SECRET"));
        free(text);
        metadata_done(&metadata);
    }
}
END_TEST

START_TEST(a_string_that_names_credentials_is_withheld)
{
    struct metadata metadata;

    read_text("{\"meeting_url\":\"u\",\"x\":\"{\\\"upload_credentials\\\":\\\"SECRET\\\"}\"}",
              &metadata);
    ck_assert(metadata.understood);
    ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
    metadata_done(&metadata);
    read_text("{\"meeting_url\":\"https://meet.example.org/credentials\",\"x\":\"\\u00e9\"}",
              &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_AS_IT_IS);
    metadata_done(&metadata);
}
END_TEST

START_TEST(facts_are_known_of_redacted_metadata_too)
{
    struct metadata metadata;

    read_text("{\"share\":true,\"upload_credentials\":{},\"meeting_url\":\"u\"}", &metadata);
    ck_assert(metadata.understood);
    ck_assert_str_eq(metadata.meeting_url, "u");
    ck_assert_int_eq(metadata.share, 1);
    metadata_done(&metadata);
}
END_TEST

START_TEST(the_same_text_is_redacted_to_the_same_bytes)
{
    const char *text = "{\"z\":1,\"y\":{\"b\":[1.5,2],\"a\":null},\"upload_credentials\":1,\"x\":"
                       "\"s\",\"w\":0.1}";
    struct metadata metadata;
    char *first, *second;

    read_text(text, &metadata);
    first = redacted(&metadata);
    metadata_done(&metadata);
    read_text(text, &metadata);
    second = redacted(&metadata);
    metadata_done(&metadata);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

START_TEST(broken_text_is_withheld_only_when_it_may_hold_credentials)
{
    static const struct {
        const char *text;
        enum metadata_treatment treatment;
    } CASES[] = {
        {"", METADATA_AS_IT_IS},
        {"not JSON", METADATA_AS_IT_IS},
        {"{\"meeting_url\":\"u\"", METADATA_AS_IT_IS},
        {"{} {}", METADATA_AS_IT_IS},
        {"\"a string\"", METADATA_AS_IT_IS},
        {"\xff\xfe", METADATA_AS_IT_IS},
        {"{\"a\":\"\xff\"}", METADATA_AS_IT_IS},
        {"\xef\xbb\xbf{\"a\":1}", METADATA_AS_IT_IS},
        {"{\"x\":1e999}", METADATA_AS_IT_IS},
        {"credential s", METADATA_AS_IT_IS},
        {"{\"a\":\"\\u0431\"", METADATA_AS_IT_IS},
        {"{\"upload_credentials\":{\"token\":\"SEC", METADATA_WITHHELD},
        {"{\"UPLOAD_CREDENTIALS\":", METADATA_WITHHELD},
        {"{\"uploadCredentials\":", METADATA_WITHHELD},
        {"ccrcredcredentials", METADATA_WITHHELD},
        {"\\\\u00", METADATA_WITHHELD},
        {"{\"upload\\u005fcr\\u0065dentials\":", METADATA_WITHHELD},
        {"{\"upload_credentials\":\"SECRET\",\"x\":1e999}", METADATA_WITHHELD},
        {"\xef\xbb\xbf{\"upload_credentials\":\"SECRET\"}", METADATA_WITHHELD},
        {"{\"upload_credentials\\u0000\":\"SECRET\"}", METADATA_WITHHELD},
        {"\"upload_credentials\"", METADATA_WITHHELD},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct metadata metadata;

        read_text(CASES[i].text, &metadata);
        ck_assert_msg(!metadata.understood, "%s", CASES[i].text);
        ck_assert_msg(metadata.treatment == CASES[i].treatment, "%s", CASES[i].text);
        ck_assert_int_eq(metadata.share, -1);
        ck_assert_str_eq(metadata.meeting_url, "");
        metadata_done(&metadata);
    }
}
END_TEST

START_TEST(credentials_in_utf16_are_noticed)
{
    const char *text = "{\"upload_credentials\":\"SECRET\"}";
    char wide[128] = {0};
    struct metadata metadata;

    for (size_t i = 0; i < strlen(text); i++)
        wide[2 * i] = text[i];
    read_bytes(wide, 2 * strlen(text), &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
}
END_TEST

START_TEST(credentials_behind_a_nul_byte_are_noticed)
{
    static const char HIDDEN[] = "{}\0{\"upload_credentials\":\"SECRET\"}";
    static const char ESCAPED[] = "{}\0{\"upload_cr\\u0065dentials\":\"SECRET\"}";
    struct metadata metadata;

    read_bytes(HIDDEN, sizeof HIDDEN - 1, &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
    read_bytes(ESCAPED, sizeof ESCAPED - 1, &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
}
END_TEST

START_TEST(a_file_of_zeros_is_harmless)
{
    static const char ZEROS[4096];
    struct metadata metadata;

    read_bytes(ZEROS, sizeof ZEROS, &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_AS_IT_IS);
    ck_assert(!metadata.understood);
}
END_TEST

START_TEST(nesting_as_deep_as_the_parser_allows_is_redacted)
{
    enum { DEEP = 2000 };
    char *text = calloc(1, DEEP * 2 + 100);
    struct metadata metadata;
    char *left;

    ck_assert_ptr_nonnull(text);
    memset(text, '[', DEEP);
    strcat(text, "{\"upload_credentials\":\"SECRET\"}");
    memset(text + strlen(text), ']', DEEP);
    read_text(text, &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_REDACTED);
    left = redacted(&metadata);
    ck_assert_ptr_null(strstr(left, "SECRET"));
    ck_assert_uint_eq(strlen(left), DEEP * 2 + 2);
    free(left);
    metadata_done(&metadata);
    free(text);
}
END_TEST

START_TEST(nesting_without_end_is_withheld)
{
    enum { DEEP = 100000 };
    char *text = calloc(1, DEEP + 100);
    struct metadata metadata;

    ck_assert_ptr_nonnull(text);
    memset(text, '[', DEEP);
    strcpy(text + DEEP, "{\"upload_credentials\":\"SECRET\"}");
    read_text(text, &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
    free(text);
}
END_TEST

/* A file of `size` blanks that holds `word` at `offset`. */
static enum metadata_treatment treatment_of_large(size_t size, const char *word, size_t offset)
{
    char *text = malloc(size);
    struct metadata metadata;

    ck_assert_ptr_nonnull(text);
    memset(text, ' ', size);
    memcpy(text + offset, word, strlen(word));
    read_bytes(text, size, &metadata);
    free(text);
    ck_assert(!metadata.understood);
    return metadata.treatment;
}

START_TEST(a_large_file_is_looked_through_to_its_end)
{
    const size_t large = METADATA_MAX_BYTES + 50000;

    ck_assert_int_eq(treatment_of_large(large, "{}", 0), METADATA_AS_IT_IS);
    ck_assert_int_eq(treatment_of_large(large, "credentials", 0), METADATA_WITHHELD);
    ck_assert_int_eq(treatment_of_large(large, "Credentials", large - 11), METADATA_WITHHELD);
    ck_assert_int_eq(treatment_of_large(large, "credential", large - 10), METADATA_AS_IT_IS);
    for (size_t piece = 4096; piece <= 65536; piece *= 2)
        for (size_t before = 1; before < 11; before += 3)
            ck_assert_int_eq(treatment_of_large(large, "credentials", piece * 4 - before),
                             METADATA_WITHHELD);
    ck_assert_int_eq(treatment_of_large(large, "\\u00", 16384 - 2), METADATA_WITHHELD);
}
END_TEST

START_TEST(the_limit_itself_is_still_parsed)
{
    const char *member = "{\"upload_credentials\":\"SECRET\"}";
    char *text = malloc(METADATA_MAX_BYTES);
    struct metadata metadata;

    ck_assert_ptr_nonnull(text);
    memset(text, ' ', METADATA_MAX_BYTES);
    memcpy(text, member, strlen(member));
    read_bytes(text, METADATA_MAX_BYTES, &metadata);
    ck_assert_int_eq(metadata.treatment, METADATA_REDACTED);
    metadata_done(&metadata);
    free(text);
}
END_TEST

START_TEST(a_file_that_shrank_is_not_understood)
{
    const char *text = "{\"upload_credentials\":1}";
    struct error err = ERROR_INIT;
    struct metadata metadata;
    int fd = file_of(text, strlen(text));

    ck_assert(metadata_read(fd, 100, &metadata, &err));
    ck_assert(!metadata.understood);
    ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
    ck_assert(metadata_read(fd, METADATA_MAX_BYTES + 1, &metadata, &err));
    ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
    ck_assert_int_eq(ftruncate(fd, 2), 0);
    ck_assert(metadata_read(fd, METADATA_MAX_BYTES + 1, &metadata, &err));
    ck_assert_int_eq(metadata.treatment, METADATA_AS_IT_IS);
    close(fd);
}
END_TEST

static size_t bytes_allocated;

static void *count_bytes(size_t size)
{
    bytes_allocated += size;
    return malloc(size);
}

START_TEST(values_beyond_number_cost_no_memory)
{
    static const struct {
        const char *last;
        size_t count;
        bool understood;
        enum metadata_treatment treatment;
    } CASES[] = {
        {"{}],\"share\":true}", 5000, true, METADATA_AS_IT_IS},
        {"{}],\"upload_credentials\":\"SECRET\"}", 5000, true, METADATA_REDACTED},
        {"{}],\"share\":true}", 60000, false, METADATA_AS_IT_IS},
        {"{}],\"upload_credentials\":\"SECRET\"}", 60000, false, METADATA_WITHHELD},
    };

    json_set_alloc_funcs(count_bytes, free);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *text = malloc(METADATA_MAX_BYTES), *end = stpcpy(text, "{\"a\":[");
        struct metadata metadata;

        ck_assert_ptr_nonnull(text);
        for (size_t n = 0; n < CASES[i].count; n++)
            end = stpcpy(end, "{},");
        strcpy(end, CASES[i].last);
        bytes_allocated = 0;
        read_text(text, &metadata);
        ck_assert(metadata.understood == CASES[i].understood);
        ck_assert_int_eq(metadata.treatment, CASES[i].treatment);
        ck_assert_uint_lt(bytes_allocated, 4u << 20);
        metadata_done(&metadata);
        free(text);
    }
}
END_TEST

/* Makes the parser's allocation number `allocations_left` fail, once. */
static int allocations_left;

static void *allocate(size_t size)
{
    return allocations_left-- == 0 ? NULL : malloc(size);
}

START_TEST(want_of_memory_never_lets_credentials_out)
{
    const char *text =
        "{\"a\":[{\"upload_credentials\":{\"t\":\"SECRET\"}}],\"b\":{\"c\":[1,\"s\"]}}";
    int fd = file_of(text, strlen(text));
    int failures = 0;

    json_set_alloc_funcs(allocate, free);
    for (int count = 0; count < 1000; count++) {
        struct metadata metadata;
        struct error err = ERROR_INIT;

        allocations_left = count;
        if (metadata_read(fd, strlen(text), &metadata, &err)) {
            ck_assert_int_ne(metadata.treatment, METADATA_AS_IT_IS);
            if (metadata.treatment == METADATA_REDACTED) {
                char *left = redacted(&metadata);

                ck_assert_ptr_null(strstr(left, "SECRET"));
                free(left);
            }
        } else {
            ck_assert_int_eq(err.kind, ERROR_TRANSIENT);
            ck_assert_int_eq(metadata.redacted_fd, -1);
        }
        failures += metadata.treatment != METADATA_REDACTED;
        metadata_done(&metadata);
        if (allocations_left >= 0)
            break;
    }
    ck_assert_int_gt(failures, 3);
    close(fd);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
    static const uint64_t SIZES[] = {10, METADATA_MAX_BYTES + 1};

    for (size_t i = 0; i < 2; i++) {
        struct metadata metadata = {0};
        struct error err = ERROR_INIT;

        ck_assert(!metadata_read(-1, SIZES[i], &metadata, &err));
        ck_assert_int_eq(err.kind, ERROR_TRANSIENT);
        ck_assert_int_eq(metadata.treatment, METADATA_WITHHELD);
        ck_assert_int_eq(metadata.redacted_fd, -1);
        metadata_done(&metadata);
    }
    metadata_done(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metadata");
    TCase *cases = tcase_create("metadata");

    tcase_add_test(cases, what_jibri_writes_is_understood_and_left_as_it_is);
    tcase_add_test(cases, other_members_are_kept_but_for_what_looks_like_a_secret);
    tcase_add_test(cases, facts_are_taken_only_where_they_make_sense);
    tcase_add_test(cases, an_address_too_long_is_unknown);
    tcase_add_test(cases, credentials_are_cut_out_wherever_they_stand);
    tcase_add_test(cases, numbers_too_large_do_not_keep_credentials_from_being_cut_out);
    tcase_add_test(cases, a_string_that_names_credentials_is_withheld);
    tcase_add_test(cases, facts_are_known_of_redacted_metadata_too);
    tcase_add_test(cases, the_same_text_is_redacted_to_the_same_bytes);
    tcase_add_test(cases, broken_text_is_withheld_only_when_it_may_hold_credentials);
    tcase_add_test(cases, credentials_in_utf16_are_noticed);
    tcase_add_test(cases, credentials_behind_a_nul_byte_are_noticed);
    tcase_add_test(cases, a_file_of_zeros_is_harmless);
    tcase_add_test(cases, nesting_as_deep_as_the_parser_allows_is_redacted);
    tcase_add_test(cases, nesting_without_end_is_withheld);
    tcase_add_test(cases, a_large_file_is_looked_through_to_its_end);
    tcase_add_test(cases, values_beyond_number_cost_no_memory);
    tcase_add_test(cases, the_limit_itself_is_still_parsed);
    tcase_add_test(cases, a_file_that_shrank_is_not_understood);
    tcase_add_test(cases, want_of_memory_never_lets_credentials_out);
    tcase_add_test(cases, a_file_that_cannot_be_read_is_an_error);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
