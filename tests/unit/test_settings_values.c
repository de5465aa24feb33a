#include "config/settings_values.h"

#include "config/settings_checks.h"
#include "config/settings_table.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define MIB       (UINT64_C(1) << 20)
#define HOUR      UINT64_C(3600000)
#define SEVENTY   "0123456789012345678901234567890123456789012345678901234567890123456789"

static struct settings settings;

static void set_up(void)
{
    memset(&settings, 0, sizeof(settings));
}

static void tear_down(void)
{
    settings_done(&settings);
}

struct value_case {
    const char *name;
    const char *text;
    bool is_accepted;
};

static const struct value_case values[] = {
    {"CONFOMEET_S3_URL", "https://storage.yandexcloud.net/", true},
    {"CONFOMEET_S3_URL", "http://localhost:9000", true},
    {"CONFOMEET_S3_URL", "http://10.0.0.1:65535/a/b%20c", true},
    {"CONFOMEET_S3_URL", "http://[::1]:7480/", true},
    {"CONFOMEET_S3_URL", "http://my_stack_s3", true},
    {"CONFOMEET_S3_URL", "storage.yandexcloud.net", false},
    {"CONFOMEET_S3_URL", "ftp://host", false},
    {"CONFOMEET_S3_URL", "https://", false},
    {"CONFOMEET_S3_URL", "https:///path", false},
    {"CONFOMEET_S3_URL", "https://:443", false},
    {"CONFOMEET_S3_URL", "https://host:", false},
    {"CONFOMEET_S3_URL", "https://host:0", false},
    {"CONFOMEET_S3_URL", "https://host:65536", false},
    {"CONFOMEET_S3_URL", "https://host:000080", false},
    {"CONFOMEET_S3_URL", "https://host:80a/", false},
    {"CONFOMEET_S3_URL", "https://host..org/", false},
    {"CONFOMEET_S3_URL", "https://-host/", false},
    {"CONFOMEET_S3_URL", "https://[::1", false},
    {"CONFOMEET_S3_URL", "https://[]/", false},
    {"CONFOMEET_S3_URL", "https://[::1]x/", false},
    {"CONFOMEET_S3_URL", "https://[host]/", false},
    {"CONFOMEET_S3_URL", "https://user:pass@host/", false},
    {"CONFOMEET_S3_URL", "https://host/?a=b", false},
    {"CONFOMEET_S3_URL", "https://host?a=b", false},
    {"CONFOMEET_S3_URL", "https://host/#a", false},
    {"CONFOMEET_S3_URL", "https://ho st/", false},
    {"CONFOMEET_S3_URL", "https://host/a b", false},
    {"CONFOMEET_S3_URL", "https://host/\r", false},
    {"CONFOMEET_S3_URL", " https://host/", false},
    {"CONFOMEET_S3_URL", "https://host/\xd0\xb6", false},
    {"CONFOMEET_S3_BUCKET", "abc", true},
    {"CONFOMEET_S3_BUCKET", "My_Old.Bucket-1", true},
    {"CONFOMEET_S3_BUCKET", SEVENTY, true},
    {"CONFOMEET_S3_BUCKET", "ab", false},
    {"CONFOMEET_S3_BUCKET", "a/b/c", false},
    {"CONFOMEET_S3_BUCKET", "...", false},
    {"CONFOMEET_S3_BUCKET", "a b c", false},
    {"CONFOMEET_S3_BUCKET", SEVENTY SEVENTY SEVENTY SEVENTY, false},
    {"CONFOMEET_S3_REGION", "ru-central1", true},
    {"CONFOMEET_S3_REGION", "eu_west.1", true},
    {"CONFOMEET_S3_REGION", "ru central1", false},
    {"CONFOMEET_S3_REGION", "ru/central1", false},
    {"CONFOMEET_S3_CLIENT_ID", "YCAJE-x_1.2$user:sub", true},
    {"CONFOMEET_S3_CLIENT_ID", "a/b", false},
    {"CONFOMEET_S3_CLIENT_ID", "a b", false},
    {"CONFOMEET_S3_CLIENT_ID", "a\xd0\xb6", false},
    {"CONFOMEET_S3_CLIENT_SECRET", "a/b+c= d\xd0\xb6", true},
    {"CONFOMEET_S3_CLIENT_SECRET", " a", false},
    {"CONFOMEET_S3_CLIENT_SECRET", "a ", false},
    {"CONFOMEET_S3_CLIENT_SECRET", "a\r", false},
    {"CONFOMEET_S3_CLIENT_SECRET", "a\tb", false},
    {"CONFOMEET_S3_CLIENT_SECRET",
     "a\x7f"
     "b",
     false},
    {"CONFOMEET_S3_KEY_PREFIX", "recordings/", true},
    {"CONFOMEET_S3_KEY_PREFIX", "{yyyy}/{mm}/{dd}/{session}-{meeting}_", true},
    {"CONFOMEET_S3_KEY_PREFIX", "{instance}/", true},
    {"CONFOMEET_S3_KEY_PREFIX", "\xd0\x97\xd0\xb0\xd0\xbf\xd0\xb8\xd1\x81\xd0\xb8 100%/", true},
    {"CONFOMEET_S3_KEY_PREFIX", ".hidden/..a/b.", true},
    {"CONFOMEET_S3_KEY_PREFIX", "/recordings/", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a//b", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a//", false},
    {"CONFOMEET_S3_KEY_PREFIX", "./a", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a/../b/", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a/..", false},
    {"CONFOMEET_S3_KEY_PREFIX", "{year}/", false},
    {"CONFOMEET_S3_KEY_PREFIX", "{yyyy/", false},
    {"CONFOMEET_S3_KEY_PREFIX", "yyyy}/", false},
    {"CONFOMEET_S3_KEY_PREFIX", "{}", false},
    {"CONFOMEET_S3_KEY_PREFIX", "{{yyyy}}", false},
    {"CONFOMEET_S3_KEY_PREFIX", "{YYYY}", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a:b", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a*", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a?", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a\"", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a<", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a>", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a|", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a!", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a\\b", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a\nb", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a\xff", false},
    {"CONFOMEET_S3_KEY_PREFIX", "a\xc2\x85", false},
    {"CONFOMEET_S3_KEY_PREFIX",
     SEVENTY SEVENTY "012345678901234567890123456789012345678901234567"
                     "890123456789",
     true},
    {"CONFOMEET_S3_KEY_PREFIX",
     SEVENTY SEVENTY "012345678901234567890123456789012345678901234567"
                     "8901234567890",
     false},
    {"CONFOMEET_S3_ADDRESSING", "virtual", true},
    {"CONFOMEET_S3_ADDRESSING", "Path", true},
    {"CONFOMEET_S3_ADDRESSING", "host", false},
    {"CONFOMEET_S3_ADDRESSING", "pathpath", false},
    {"CONFOMEET_S3_STORAGE_CLASS", "GLACIER_IR", true},
    {"CONFOMEET_S3_STORAGE_CLASS", "standard", false},
    {"CONFOMEET_S3_METADATA", "a=b", true},
    {"CONFOMEET_S3_METADATA", "a-1=b c=d,ab=e", true},
    {"CONFOMEET_S3_METADATA", "jibri=1", true},
    {"CONFOMEET_S3_METADATA", "a", false},
    {"CONFOMEET_S3_METADATA", "a=", false},
    {"CONFOMEET_S3_METADATA", "=b", false},
    {"CONFOMEET_S3_METADATA", "a=b,", false},
    {"CONFOMEET_S3_METADATA", "a=b,,c=d", false},
    {"CONFOMEET_S3_METADATA", ",a=b", false},
    {"CONFOMEET_S3_METADATA", "A=b", false},
    {"CONFOMEET_S3_METADATA", "a_b=c", false},
    {"CONFOMEET_S3_METADATA", "a=b,a=c", false},
    {"CONFOMEET_S3_METADATA", "a= b", false},
    {"CONFOMEET_S3_METADATA", "a=b ,c=d", false},
    {"CONFOMEET_S3_METADATA", "a=\xd0\xb6", false},
    {"CONFOMEET_S3_METADATA", "a=b\nc", false},
    {"CONFOMEET_S3_METADATA", "jibri-id=1", false},
    {"CONFOMEET_S3_CONTENT_MD5", "ON", true},
    {"CONFOMEET_S3_CONTENT_MD5", "enabled", false},
    {"CONFOMEET_S3_PART_SIZE", "5MiB", true},
    {"CONFOMEET_S3_PART_SIZE", "5GiB", true},
    {"CONFOMEET_S3_PART_SIZE", "5MB", false},
    {"CONFOMEET_S3_PART_SIZE", "5368709121", false},
    {"CONFOMEET_S3_PART_SIZE", "8", false},
    {"CONFOMEET_S3_PARALLEL", "1", true},
    {"CONFOMEET_S3_PARALLEL", "24", true},
    {"CONFOMEET_S3_PARALLEL", "0", false},
    {"CONFOMEET_S3_PARALLEL", "25", false},
    {"CONFOMEET_S3_PARALLEL", "8x", false},
    {"CONFOMEET_S3_PARALLEL", "-1", false},
    {"CONFOMEET_S3_PARALLEL", "18446744073709551624", false},
    {"CONFOMEET_S3_CONNECT_TIMEOUT", "5min", true},
    {"CONFOMEET_S3_CONNECT_TIMEOUT", "5min1ms", false},
    {"CONFOMEET_S3_CONNECT_TIMEOUT", "999ms", false},
    {"CONFOMEET_S3_IDLE_TIMEOUT", "1h", true},
    {"CONFOMEET_S3_IDLE_TIMEOUT", "2h", false},
    {"CONFOMEET_S3_RETRY_FOR", "0", true},
    {"CONFOMEET_S3_RETRY_FOR", "24h", true},
    {"CONFOMEET_S3_RETRY_FOR", "25h", false},
    {"CONFOMEET_S3_RATE_LIMIT", "1KiB", true},
    {"CONFOMEET_S3_RATE_LIMIT", "20", false},
    {"CONFOMEET_S3_RATE_LIMIT", "bit", false},
    {"CONFOMEET_S3_RATE_LIMIT", "20MBbit", false},
    {"CONFOMEET_S3_RATE_LIMIT", "-20Mbit", false},
    {"CONFOMEET_S3_RATE_LIMIT", SEVENTY "bit", false},
    {"CONFOMEET_CA_FILE", "/etc/ssl/my ca.pem", true},
    {"CONFOMEET_CA_FILE", "ca.pem", false},
    {"CONFOMEET_CA_FILE", "/etc/\nca.pem", false},
    {"CONFOMEET_PROXY", "http://proxy:3128", true},
    {"CONFOMEET_PROXY", "https://user:p@ss@proxy:3128/", true},
    {"CONFOMEET_PROXY", "socks5://proxy", true},
    {"CONFOMEET_PROXY", "socks5h://user@[::1]:1080", true},
    {"CONFOMEET_PROXY", "proxy:3128", false},
    {"CONFOMEET_PROXY", "socks4://proxy", false},
    {"CONFOMEET_PROXY", "http://@proxy", false},
    {"CONFOMEET_PROXY", "http://user:pass@", false},
    {"CONFOMEET_PROXY", "http://proxy/path", false},
    {"CONFOMEET_PROXY", "http://us er@proxy", false},
    {"CONFOMEET_BASE_URL", "https://event33.ru/meet", true},
    {"CONFOMEET_BASE_URL", "https://event33.ru/meet/", true},
    {"CONFOMEET_BASE_URL", "event33.ru/meet", false},
    {"XMPP_DOMAIN", "event33.ru", true},
    {"XMPP_DOMAIN", "meet.local:8080", true},
    {"XMPP_DOMAIN", "https://event33.ru", false},
    {"XMPP_DOMAIN", "event33.ru/", false},
    {"XMPP_DOMAIN", "event33.ru:", false},
    {"CONFOMEET_BACKEND_TOKEN", "a.b-c/d+e=", true},
    {"CONFOMEET_BACKEND_TOKEN", "a b", false},
    {"CONFOMEET_BACKEND_TOKEN", "a\r\nX: y", false},
    {"CONFOMEET_NOTICE", "off", true},
    {"CONFOMEET_NOTICE", "", false},
    {"CONFOMEET_MEDIA", "mp4", true},
    {"CONFOMEET_MEDIA", "MP4,mkv,ts", true},
    {"CONFOMEET_MEDIA", "abcdefghijklmnop", true},
    {"CONFOMEET_MEDIA", "abcdefghijklmnopq", false},
    {"CONFOMEET_MEDIA", "mp4,", false},
    {"CONFOMEET_MEDIA", ",mp4", false},
    {"CONFOMEET_MEDIA", "mp4,,ts", false},
    {"CONFOMEET_MEDIA", "mp4, ts", false},
    {"CONFOMEET_MEDIA", ".mp4", false},
    {"CONFOMEET_MEDIA", "*.mp4", false},
    {"CONFOMEET_RECORDINGS_DIR", "/config/recordings", true},
    {"CONFOMEET_RECORDINGS_DIR", "recordings", false},
    {"CONFOMEET_JOURNAL", "/var/lib/j.db", true},
    {"CONFOMEET_JOURNAL", "./j.db", false},
    {"JIBRI_INSTANCE_ID", "jibri-1_a.b", true},
    {"JIBRI_INSTANCE_ID", "jibri 1", false},
    {"JIBRI_INSTANCE_ID", SEVENTY SEVENTY, false},
    {"CONFOMEET_FINALIZE_WAIT", "7d", true},
    {"CONFOMEET_FINALIZE_WAIT", "8d", false},
    {"CONFOMEET_FINALIZE_WAIT", "0", true},
    {"CONFOMEET_KEEP_LOCAL", "never", false},
    {"CONFOMEET_KEEP_LOCAL", "11y", false},
    {"CONFOMEET_KEEP_LOCAL", "3651d", false},
    {"CONFOMEET_LOG_LEVEL", "debug", true},
    {"CONFOMEET_LOG_LEVEL", "trace", false},
    {"CONFOMEET_LOG_FORMAT", "json", true},
    {"CONFOMEET_LOG_FORMAT", "xml", false},
};

START_TEST(every_row_is_whole)
{
    const struct settings_row *row = &settings_table[_i];
    ck_assert_ptr_nonnull(row->name);
    ck_assert_ptr_eq(settings_table_find(row->name), row);
    ck_assert_ptr_nonnull(row->help);
    ck_assert_int_eq(row->help[strlen(row->help) - 1], '.');
    if (row->type == SETTINGS_TEXT)
        ck_assert(row->check && row->form && row->expected && row->example);
    if (row->type == SETTINGS_CHOICE)
        ck_assert_ptr_nonnull(row->choices);
    ck_assert(row->required || row->default_text || row->unset_text);
    ck_assert(!row->in_example || row->example);
    for (size_t i = 0; i < settings_table_length; i++)
        ck_assert(&settings_table[i] == row || settings_table[i].offset != row->offset);
    for (int i = 0; i < _i; i++)
        ck_assert_msg(settings_table[i].group <= row->group, "%s is out of its group", row->name);
}
END_TEST

START_TEST(every_rows_default_and_example_parse)
{
    const struct settings_row *row = &settings_table[_i];
    const char *const texts[] = {row->default_text, row->example};
    for (size_t i = 0; i < LENGTH(texts); i++) {
        if (!texts[i])
            continue;
        ck_assert_msg(settings_value_parse(row, texts[i], &settings) == SETTINGS_PARSED, "%s=%s",
                      row->name, texts[i]);
        char first[64];
        char second[64];
        const char *spelt = settings_value_spell(row, &settings, first, sizeof(first));
        char *copy = strdup(spelt);
        ck_assert_ptr_nonnull(copy);
        ck_assert_int_eq(settings_value_parse(row, copy, &settings), SETTINGS_PARSED);
        ck_assert_str_eq(settings_value_spell(row, &settings, second, sizeof(second)), copy);
        /* What `check` shows of a default is what the documents say; of a rate, bytes a second. */
        if (i == 0 && row->type != SETTINGS_RATE)
            ck_assert_str_eq(copy, texts[i]);
        free(copy);
    }
}
END_TEST

START_TEST(a_value_is_accepted_or_refused)
{
    const struct value_case *row = &values[_i];
    const struct settings_row *setting = settings_table_find(row->name);
    ck_assert_ptr_nonnull(setting);
    ck_assert_msg(settings_value_parse(setting, row->text, &settings) ==
                      (row->is_accepted ? SETTINGS_PARSED : SETTINGS_WRONG),
                  "%s=%s", row->name, row->text);
}
END_TEST

START_TEST(metadata_has_at_most_one_kibibyte)
{
    char text[1026];
    memset(text, 'x', sizeof(text));
    memcpy(text, "a=", 2);
    text[1025] = '\0';
    ck_assert(!settings_check_metadata(text));
    text[1024] = '\0';
    ck_assert(settings_check_metadata(text));
}
END_TEST

START_TEST(switches_have_four_spellings)
{
    static const char *const words[] = {"on", "off", "true", "false", "yes", "no", "1", "0"};
    const struct settings_row *row = settings_table_find("CONFOMEET_S3_CONTENT_MD5");
    for (size_t i = 0; i < LENGTH(words); i++) {
        settings.s3_content_md5 = i % 2 == 1;
        ck_assert_int_eq(settings_value_parse(row, words[i], &settings), SETTINGS_PARSED);
        ck_assert_msg(settings.s3_content_md5 == (i % 2 == 0), "%s", words[i]);
    }
}
END_TEST

START_TEST(a_rate_is_in_bytes_or_in_bits)
{
    static const struct {
        const char *text;
        uint64_t rate;
    } rates[] = {{"0", 0},
                 {"2MiB", 2 * MIB},
                 {"2MB", 2000000},
                 {"20Mbit", 2500000},
                 {"20 mbit", 2500000},
                 {"1.5Gbit", 187500000},
                 {"100kbit", 12500},
                 {"16384bit", 2048},
                 {"1Mibit", MIB / 8}};
    const struct settings_row *row = settings_table_find("CONFOMEET_S3_RATE_LIMIT");
    for (size_t i = 0; i < LENGTH(rates); i++) {
        ck_assert_int_eq(settings_value_parse(row, rates[i].text, &settings), SETTINGS_PARSED);
        ck_assert_msg(settings.s3_rate_limit == rates[i].rate, "%s", rates[i].text);
    }
}
END_TEST

START_TEST(local_files_are_kept_for_hours_for_ever_or_not)
{
    static const struct {
        const char *text;
        uint64_t keep;
    } policies[] = {{"nothing", SETTINGS_KEEP_NOTHING},
                    {"0", SETTINGS_KEEP_NOTHING},
                    {"Forever", SETTINGS_KEEP_FOREVER},
                    {"48", 48 * HOUR},
                    {"48h", 48 * HOUR},
                    {"30min", HOUR / 2},
                    {"7d", 168 * HOUR}};
    const struct settings_row *row = settings_table_find("CONFOMEET_KEEP_LOCAL");
    for (size_t i = 0; i < LENGTH(policies); i++) {
        ck_assert_int_eq(settings_value_parse(row, policies[i].text, &settings), SETTINGS_PARSED);
        ck_assert_msg(settings.keep_local_ms == policies[i].keep, "%s", policies[i].text);
    }
}
END_TEST

START_TEST(a_wrong_value_is_quoted_on_one_line)
{
    static const struct {
        const char *text;
        const char *quoted;
    } rows[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"a\r\n\tb\x1b[0m", "\"a\\r\\n\\tb\\x1B[0m\""},
        {"\xd0\xb6\xf0\x9f\x98\x80", "\"\xd0\xb6\xf0\x9f\x98\x80\""},
        {"\xd0", "\"\\xD0\""},
        {"\xc2\x9b", "\"\\xC2\\x9B\""},
        {"\xed\xa0\x80", "\"\\xED\\xA0\\x80\""},
        {SEVENTY "0123456789", "\"" SEVENTY "0123456789\""},
        {SEVENTY "0123456789a", "\"" SEVENTY "0123456789\"..."},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char out[SETTINGS_QUOTED_BYTES];
        ck_assert_str_eq(settings_value_quote(rows[i].text, out, sizeof(out)), rows[i].quoted);
    }
}
END_TEST

START_TEST(the_longest_quoted_value_fits)
{
    char text[400];
    char out[SETTINGS_QUOTED_BYTES];
    memset(text, '\x01', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    settings_value_quote(text, out, sizeof(out));
    ck_assert_uint_eq(strlen(out), 1 + 80 * 4 + 4);
}
END_TEST

START_TEST(what_is_expected_fits_for_every_row)
{
    char out[SETTINGS_EXPECTED_BYTES];
    ck_assert_uint_lt(strlen(settings_value_expected(&settings_table[_i], out, sizeof(out))),
                      sizeof(out) - 1);
    ck_assert_uint_gt(strlen(out), 0);
}
END_TEST

START_TEST(characters_are_utf8_and_no_controls)
{
    static const struct {
        const char *text;
        size_t length;
    } rows[] = {
        {"a", 1},
        {" ", 1},
        {"", 0},
        {"\x7f", 0},
        {"\xc2\x9f", 0},
        {"\xc2\xa0", 2},
        {"\xc1\xbf", 0},
        {"\xdf\xbf", 2},
        {"\xe0\x9f\xbf", 0},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xed\xa0\x80", 0},
        {"\xef\xbf\xbd", 3},
        {"\xef\xbf\xbe", 0},
        {"\xef\xbf\xbf", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbd", 4},
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xe2\x82", 0},
        {"\x80", 0},
    };
    for (size_t i = 0; i < LENGTH(rows); i++)
        ck_assert_msg(settings_check_character(rows[i].text) == rows[i].length, "row %zu", i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings_values");
    TCase *tests = tcase_create("values");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    int rows = (int)settings_table_length;
    tcase_add_loop_test(tests, every_row_is_whole, 0, rows);
    tcase_add_loop_test(tests, every_rows_default_and_example_parse, 0, rows);
    tcase_add_loop_test(tests, a_value_is_accepted_or_refused, 0, (int)LENGTH(values));
    tcase_add_test(tests, metadata_has_at_most_one_kibibyte);
    tcase_add_test(tests, switches_have_four_spellings);
    tcase_add_test(tests, a_rate_is_in_bytes_or_in_bits);
    tcase_add_test(tests, local_files_are_kept_for_hours_for_ever_or_not);
    tcase_add_test(tests, a_wrong_value_is_quoted_on_one_line);
    tcase_add_test(tests, the_longest_quoted_value_fits);
    tcase_add_loop_test(tests, what_is_expected_fits_for_every_row, 0, rows);
    tcase_add_test(tests, characters_are_utf8_and_no_controls);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
