#include "finalize/upload/key.h"

#include "finalize/base/rng.h"
#include "finalize/s3/s3.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <string.h>

static const struct key_values FACTS = {.session = "abcdef",
                                        .instance = "jibri-1",
                                        .meeting = "12345",
                                        .year = 2024,
                                        .month = 4,
                                        .day = 3};

static const char *mapped(struct buffer *out, const char *name)
{
    buffer_clear(out);
    key_map(out, name);
    if (out->failed)
        ck_abort_msg("too long: %s", name);
    return buffer_text(out);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The reversal as key.h words it. */
static void reverse(const char *key, char *out)
{
    while (*key) {
        if (key[0] == '%' && hex_value(key[1]) >= 0 && hex_value(key[2]) >= 0) {
            *out++ = (char)(hex_value(key[1]) * 16 + hex_value(key[2]));
            key += 3;
        } else {
            *out++ = *key++;
        }
    }
    *out = 0;
}

static bool is_utf8_and_allowed(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t length = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;

        if (*p < 0x20 || *p == 0x7f || (*p < 0x80 && strchr(":*?\"<>|!\\", *p)))
            return false;
        if ((*p >= 0x80 && *p < 0xc2) || *p > 0xf4 || (*p == 0xc2 && p[1] < 0xa0))
            return false;
        for (size_t i = 1; i < length; i++)
            if ((p[i] & 0xc0) != 0x80)
                return false;
        p += length;
    }
    return true;
}

START_TEST(members_of_the_metadata_are_filled_in_and_mapped)
{
    static const struct {
        const char *template, *key;
    } cases[] = {{"{metadata.room}/", "staff/x"},
                 {"{metadata.tenant}-", "a%2Fb%25c%3A-x"},
                 {"{metadata.number}/{metadata.yes}/", "12/true/x"},
                 {"{metadata.list}/{metadata.none}/", "unknown/unknown/x"},
                 {"{metadata.dots}/", "%2E%2E/x"},
                 {"{metadata.room", "{metadata.roomx"}};
    struct key_values facts = {
        .metadata = "{\"room\":\"staff\",\"tenant\":\"a/b%c:\",\"number\":12,\"yes\":true,"
                    "\"list\":[1],\"dots\":\"..\"}"};
    char key[S3_MAX_KEY_BYTES + 1];
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert(key_choose(cases[i].template, &facts, "x", true, key, &err));
        ck_assert_str_eq(key, cases[i].key);
    }
    facts.metadata = NULL;
    ck_assert(key_choose("{metadata.room}/", &facts, "x", true, key, &err));
    ck_assert_str_eq(key, "unknown/x");
}
END_TEST

START_TEST(names_are_mapped_by_the_rule)
{
    static const struct {
        const char *name, *key;
    } CASES[] = {
        {"12345_2024-04-23-15-04-05.mp4", "12345_2024-04-23-15-04-05.mp4"},
        {"Встреча №1 + «я».mp4", "Встреча №1 + «я».mp4"},
        {"a b+c~d=e#f&g'h,i;j@k$l(m)[n]{o}^p`q", "a b+c~d=e#f&g'h,i;j@k$l(m)[n]{o}^p`q"},
        {"a/b/c", "a/b/c"},
        {":*?\"<>|!\\", "%3A%2A%3F%22%3C%3E%7C%21%5C"},
        {"\x01\t\n\r\x1f\x7f", "%01%09%0A%0D%1F%7F"},
        {"\xc2\x80\xc2\x9f\xc2\xa0", "%C2%80%C2%9F\xc2\xa0"},
        {"\xef\xbf\xbd\xef\xbf\xbe\xef\xbf\xbf", "\xef\xbf\xbd%EF%BF%BE%EF%BF%BF"},
        {"\xff\xfe", "%FF%FE"},
        {"\xc0\xaf", "%C0%AF"},                   /* an overlong '/' */
        {"\xed\xa0\x80", "%ED%A0%80"},            /* a surrogate */
        {"\xf4\x90\x80\x80", "%F4%90%80%80"},     /* above U+10FFFF */
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}, /* a smiley */
        {"\xd1", "%D1"},                          /* cut within a character */
        {"\xe2\x82"
         "a",
         "%E2%82a"},
        {"%", "%"},
        {"100%", "100%"},
        {"100%.mp4", "100%.mp4"},
        {"%4", "%4"},
        {"%41", "%2541"},
        {"%4a", "%4a"},
        {"%4A", "%254A"},
        {"%%41", "%%2541"},
        {"%2541", "%252541"},
        {"%4:", "%4%3A"},
        {"%\x01"
         "1",
         "%%011"},
        {"%D0%AF", "%25D0%25AF"},
        {"", ""},
    };
    struct buffer out;

    buffer_init(&out, 4096);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        ck_assert_str_eq(mapped(&out, CASES[i].name), CASES[i].key);
    buffer_done(&out);
}
END_TEST

START_TEST(every_pair_of_bytes_can_be_reversed)
{
    struct buffer out;
    char back[64];

    buffer_init(&out, 64);
    for (unsigned first = 1; first < 256; first++)
        for (unsigned second = 1; second < 256; second++) {
            char name[] = {'%', (char)first, (char)second, (char)first, '4', 0};

            reverse(mapped(&out, name), back);
            if (strcmp(back, name) != 0 || !is_utf8_and_allowed(buffer_text(&out)))
                ck_abort_msg("%02x %02x became %s", first, second, buffer_text(&out));
        }
    buffer_done(&out);
}
END_TEST

START_TEST(random_names_can_be_reversed)
{
    static const char AWKWARD[] = "%%%%04AFaf:*.\xc2\x80\xef\xbf\xbe\xd1\x8f/";
    struct rng rng = {.state = 20240423};
    struct buffer out;

    buffer_init(&out, 256);
    for (int round = 0; round < 20000; round++) {
        size_t length = (size_t)rng_up_to(&rng, 24);
        char name[32], back[256];

        for (size_t i = 0; i < length; i++)
            name[i] = rng_next(&rng) & 1 ? (char)(1 + rng_up_to(&rng, 254))
                                         : AWKWARD[rng_up_to(&rng, sizeof AWKWARD - 2)];
        name[length] = 0;
        reverse(mapped(&out, name), back);
        if (strcmp(back, name) != 0 || !is_utf8_and_allowed(buffer_text(&out)))
            ck_abort_msg("round %d: became %s", round, buffer_text(&out));
    }
    buffer_done(&out);
}
END_TEST

START_TEST(keys_are_made_of_prefix_and_name)
{
    static const struct {
        const char *template, *path;
        bool media;
        const char *key;
    } CASES[] = {
        {NULL, "1_2.mp4", true, "1_2.mp4"},
        {"", "1_2.mp4", true, "1_2.mp4"},
        {"", "deep/er/1_2.mp4", true, "1_2.mp4"},
        {"", "metadata.json", false, "abcdef/metadata.json"},
        {"", "a/b/c.log", false, "abcdef/a/b/c.log"},
        {"p/", "metadata.json", false, "p/abcdef/metadata.json"},
        {"p-", "1_2.mp4", true, "p-1_2.mp4"},
        {"{yyyy}/{mm}/{dd}/{meeting}/{instance}/{session}/", "x", true,
         "2024/04/03/12345/jibri-1/abcdef/x"},
        {"{session}{session}{", "x", true, "abcdefabcdef{x"},
        {"{unknown}/{Session}/{}", "x", true, "{unknown}/{Session}/{}x"},
        {"{{dd}}", "x", true, "{03}x"},
        {"a:b/", "q:w", true, "a:b/q%3Aw"},
    };
    char key[S3_MAX_KEY_BYTES + 1];

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct error err = ERROR_INIT;

        ck_assert(key_choose(CASES[i].template, &FACTS, CASES[i].path, CASES[i].media, key, &err));
        ck_assert_str_eq(key, CASES[i].key);
    }
}
END_TEST

START_TEST(values_in_the_prefix_neither_add_a_level_nor_go_up_one)
{
    static const struct {
        const char *value, *key;
    } CASES[] = {
        {"plain", "plain/x"}, {"a/b", "a%2Fb/x"},     {"..", "%2E%2E/x"}, {".", "%2E/x"},
        {"...", ".../x"},     {"../..", "..%2F../x"}, {".a", ".a/x"},     {"a:b", "a%3Ab/x"},
        {"100%", "100%25/x"}, {"%41", "%2541/x"},     {"\xff", "%FF/x"},  {"Ж", "Ж/x"},
        {"", "unknown/x"},    {NULL, "unknown/x"},
    };
    static const char *const TEMPLATES[] = {"{session}/", "{instance}/", "{meeting}/"};

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t t = 0; t < 3; t++) {
            const char *value = CASES[i].value;
            struct key_values facts = {value, value, value, 2024, 4, 3, NULL};
            struct error err = ERROR_INIT;
            char key[S3_MAX_KEY_BYTES + 1];

            ck_assert(key_choose(TEMPLATES[t], &facts, "x", true, key, &err));
            ck_assert_str_eq(key, CASES[i].key);
        }
}
END_TEST

START_TEST(a_session_id_is_mapped_as_a_value)
{
    struct key_values facts = {.session = "..", .year = 1};
    struct error err = ERROR_INIT;
    char key[S3_MAX_KEY_BYTES + 1];

    ck_assert(key_choose("", &facts, "metadata.json", false, key, &err));
    ck_assert_str_eq(key, "%2E%2E/metadata.json");
    ck_assert(key_choose("{yyyy}{mm}{dd}", &facts, "a", true, key, &err));
    ck_assert_str_eq(key, "00010000a");
}
END_TEST

START_TEST(a_value_and_what_follows_it_are_no_escape)
{
    struct key_values facts = FACTS;
    struct error err = ERROR_INIT;
    char key[S3_MAX_KEY_BYTES + 1], back[S3_MAX_KEY_BYTES + 1];

    facts.meeting = "100%";
    ck_assert(key_choose("{meeting}{yyyy}/", &facts, "x", true, key, &err));
    ck_assert_str_eq(key, "100%252024/x");
    reverse(key, back);
    ck_assert_str_eq(back, "100%2024/x");
}
END_TEST

START_TEST(a_key_may_have_1024_bytes_and_not_one_more)
{
    char name[1100], key[S3_MAX_KEY_BYTES + 1] = "untouched";
    struct error err = ERROR_INIT;

    memset(name, 'a', sizeof name);
    name[1024] = 0;
    ck_assert(key_choose("", &FACTS, name, true, key, &err));
    ck_assert_str_eq(key, name);

    strcpy(key, "untouched");
    ck_assert(!key_choose("p", &FACTS, name, true, key, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(err.text, "1024"));
    ck_assert_str_eq(key, "untouched");

    error_clear(&err);
    memset(name, ':', 342); /* fits as it is, not when mapped */
    name[342] = 0;
    ck_assert(!key_choose("", &FACTS, name, true, key, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    name[341] = 0;
    error_clear(&err);
    ck_assert(key_choose("", &FACTS, name, true, key, &err));
    ck_assert_uint_eq(strlen(key), 1023);
}
END_TEST

START_TEST(a_long_prefix_is_refused_too)
{
    char template[20000], key[S3_MAX_KEY_BYTES + 1];
    struct error err = ERROR_INIT;

    template[0] = 0;
    for (int i = 0; i < 2000; i++)
        strcpy(template + (size_t)i * 9, "{session}");
    ck_assert(!key_choose(template, &FACTS, "x", true, key, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
}
END_TEST

START_TEST(a_suffix_stands_before_the_ending)
{
    static const struct {
        const char *key;
        unsigned suffix;
        const char *suffixed;
    } CASES[] = {
        {"a.mp4", 2, "a~2.mp4"},
        {"dir.d/a", 2, "dir.d/a~2"},
        {"dir.d/a.b.mp4", 11, "dir.d/a.b~11.mp4"},
        {".hidden", 3, ".hidden~3"},
        {"d/.hidden", 3, "d/.hidden~3"},
        {"a", 2, "a~2"},
        {"a.", 2, "a~2."},
        {"a%.mp4", 4000000000u, "a%~4000000000.mp4"},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct error err = ERROR_INIT;
        char key[S3_MAX_KEY_BYTES + 1];

        ck_assert(key_add_suffix(CASES[i].key, CASES[i].suffix, key, &err));
        ck_assert_str_eq(key, CASES[i].suffixed);
        strcpy(key, CASES[i].key);
        ck_assert(key_add_suffix(key, CASES[i].suffix, key, &err));
        ck_assert_str_eq(key, CASES[i].suffixed);
    }
}
END_TEST

START_TEST(a_suffix_that_makes_the_key_too_long_is_refused)
{
    char key[S3_MAX_KEY_BYTES + 1], suffixed[S3_MAX_KEY_BYTES + 1] = "untouched";
    struct error err = ERROR_INIT;

    memset(key, 'a', sizeof key);
    key[1022] = 0;
    ck_assert(key_add_suffix(key, 2, suffixed, &err));
    ck_assert_uint_eq(strlen(suffixed), 1024);
    strcpy(suffixed, "untouched");
    ck_assert(!key_add_suffix(key, 10, suffixed, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_str_eq(suffixed, "untouched");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("key");
    TCase *cases = tcase_create("key");

    tcase_add_test(cases, members_of_the_metadata_are_filled_in_and_mapped);
    tcase_add_test(cases, names_are_mapped_by_the_rule);
    tcase_add_test(cases, every_pair_of_bytes_can_be_reversed);
    tcase_add_test(cases, random_names_can_be_reversed);
    tcase_add_test(cases, keys_are_made_of_prefix_and_name);
    tcase_add_test(cases, values_in_the_prefix_neither_add_a_level_nor_go_up_one);
    tcase_add_test(cases, a_session_id_is_mapped_as_a_value);
    tcase_add_test(cases, a_value_and_what_follows_it_are_no_escape);
    tcase_add_test(cases, a_key_may_have_1024_bytes_and_not_one_more);
    tcase_add_test(cases, a_long_prefix_is_refused_too);
    tcase_add_test(cases, a_suffix_stands_before_the_ending);
    tcase_add_test(cases, a_suffix_that_makes_the_key_too_long_is_refused);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
