#include "config/settings.h"

#include "tests/unit/settings_fixture.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH(a)       (sizeof(a) / sizeof((a)[0]))
#define MIB             (UINT64_C(1) << 20)
#define GIB             (UINT64_C(1) << 30)
#define MAX_ENVIRONMENT 32

/* Loads from the environment of `lines` (NULL-terminated arguments), with fixture_least after them:
 * the first of a name counts. */
static bool load(const char *path, ...)
{
    const char *environment[MAX_ENVIRONMENT + FIXTURE_LEAST + 1];
    size_t count = 0;
    va_list arguments;
    va_start(arguments, path);
    for (const char *line; (line = va_arg(arguments, const char *));) {
        ck_assert_uint_lt(count, MAX_ENVIRONMENT);
        environment[count++] = line;
    }
    va_end(arguments);
    for (size_t i = 0; i < FIXTURE_LEAST; i++)
        environment[count++] = fixture_least[i];
    environment[count] = NULL;
    fixture_tear_down();
    return settings_load(environment, path, &settings, &problems);
}

static size_t count_lines(char *const *lines)
{
    size_t count = 0;
    while (lines && lines[count])
        count++;
    return count;
}

/* There is one error, and it is `text`. */
static void assert_error(const char *text)
{
    ck_assert_uint_eq(count_lines(problems.errors), 1);
    ck_assert_str_eq(problems.errors[0], text);
}

START_TEST(the_defaults_are_what_the_header_says)
{
    ck_assert(load(NULL, NULL));
    fixture_assert_no_problem();
    ck_assert_str_eq(settings.s3_url, "https://storage.example.org/");
    ck_assert_str_eq(settings.s3_bucket, "recordings");
    ck_assert_str_eq(settings.s3_region, "us-east-1");
    ck_assert_str_eq(settings.s3_client_id, "KEYID");
    ck_assert_str_eq(settings.s3_client_secret, "topsecret");
    ck_assert_str_eq(settings.s3_key_prefix, "");
    ck_assert_int_eq(settings.s3_addressing, SETTINGS_ADDRESSING_PATH);
    ck_assert_ptr_null(settings.s3_storage_class);
    ck_assert_ptr_null(settings.s3_metadata);
    ck_assert(!settings.s3_content_md5);
    ck_assert(!settings.s3_conditional_writes);
    ck_assert(settings.s3_part_size_bytes == 8 * MIB);
    ck_assert(settings.s3_max_object_bytes == 5 * 1024 * GIB);
    ck_assert(settings.s3_parallel == 20);
    ck_assert(settings.s3_connect_timeout_ms == 10000);
    ck_assert(settings.s3_idle_timeout_ms == 60000);
    ck_assert(settings.s3_retry_for_ms == 120000);
    ck_assert(settings.s3_rate_limit == 0);
    ck_assert_ptr_null(settings.ca_file);
    ck_assert_ptr_null(settings.proxy);
    ck_assert_ptr_null(settings.base_url);
    ck_assert_str_eq(settings.xmpp_domain, "meet.example.org");
    ck_assert_ptr_null(settings.backend_token);
    ck_assert(settings.notice);
    ck_assert(settings.backend_timeout_ms == 30000);
    ck_assert_ptr_null(settings.recordings_dir);
    ck_assert_ptr_null(settings.journal);
    ck_assert_ptr_null(settings.instance_id);
    ck_assert(settings.finalize_wait_ms == 600000);
    ck_assert(settings.keep_local_ms == SETTINGS_KEEP_NOTHING);
    ck_assert_int_eq(settings.log_level, SETTINGS_LOG_INFO);
    ck_assert_int_eq(settings.log_format, SETTINGS_LOG_TEXT);
}
END_TEST

START_TEST(choices_arrive_as_their_enum)
{
    ck_assert(load(NULL, "CONFOMEET_S3_ADDRESSING=virtual", "CONFOMEET_LOG_LEVEL=debug",
                   "CONFOMEET_LOG_FORMAT=json", NULL));
    ck_assert_int_eq(settings.s3_addressing, SETTINGS_ADDRESSING_VIRTUAL);
    ck_assert_int_eq(settings.log_level, SETTINGS_LOG_DEBUG);
    ck_assert_int_eq(settings.log_format, SETTINGS_LOG_JSON);
    ck_assert(load(NULL, "CONFOMEET_LOG_LEVEL=error", NULL));
    ck_assert_int_eq(settings.log_level, SETTINGS_LOG_ERROR);
    ck_assert(load(NULL, "CONFOMEET_LOG_LEVEL=warning", NULL));
    ck_assert_int_eq(settings.log_level, SETTINGS_LOG_WARNING);
}
END_TEST

START_TEST(the_environment_wins_over_the_file_and_the_file_over_the_default)
{
    fixture_write_file("CONFOMEET_S3_REGION=from-file\nCONFOMEET_S3_PARALLEL=3\n");
    const char *const environment[] = {fixture_least[0],
                                       fixture_least[1],
                                       fixture_least[2],
                                       fixture_least[3],
                                       fixture_least[4],
                                       "CONFOMEET_S3_REGION=from-environment",
                                       NULL};
    ck_assert(settings_load(environment, fixture_path, &settings, &problems));
    fixture_assert_no_problem();
    ck_assert_str_eq(settings.s3_region, "from-environment");
    ck_assert(settings.s3_parallel == 3);
    ck_assert(settings.s3_idle_timeout_ms == 60000);
}
END_TEST

START_TEST(an_empty_variable_is_an_unset_one)
{
    const char *const environment[] = {
        fixture_least[0],         fixture_least[1],   fixture_least[2],
        fixture_least[3],         fixture_least[4],   "CONFOMEET_S3_REGION=",
        "CONFOMEET_S3_PARALLEL=", "CONFOMEET_PROXY=", NULL};
    fixture_write_file("CONFOMEET_S3_REGION=from-file\nCONFOMEET_S3_PARALLEL=\nCONFOMEET_PROXY=\n");
    ck_assert(settings_load(environment, fixture_path, &settings, &problems));
    fixture_assert_no_problem();
    ck_assert_str_eq(settings.s3_region, "from-file");
    ck_assert(settings.s3_parallel == 20);
    ck_assert_ptr_null(settings.proxy);
}
END_TEST

START_TEST(jibris_own_variable_stands_in_for_the_recordings_directory)
{
    ck_assert(load(NULL, "JIBRI_RECORDING_DIR=/jibri", NULL));
    ck_assert_str_eq(settings.recordings_dir, "/jibri");
    ck_assert(load(NULL, "JIBRI_RECORDING_DIR=/jibri", "CONFOMEET_RECORDINGS_DIR=/ours", NULL));
    ck_assert_str_eq(settings.recordings_dir, "/ours");
    ck_assert(!load(NULL, "JIBRI_RECORDING_DIR=jibri", NULL));
    assert_error("JIBRI_RECORDING_DIR is \"jibri\" (from the environment): expected an absolute "
                 "path");
}
END_TEST

START_TEST(our_name_in_the_file_wins_over_jibris_in_the_environment)
{
    const char *const environment[] = {fixture_least[0],
                                       fixture_least[1],
                                       fixture_least[2],
                                       fixture_least[3],
                                       fixture_least[4],
                                       "JIBRI_RECORDING_DIR=/jibri",
                                       NULL};
    fixture_write_file("CONFOMEET_RECORDINGS_DIR=/ours\n");
    ck_assert(settings_load(environment, fixture_path, &settings, &problems));
    ck_assert_str_eq(settings.recordings_dir, "/ours");
}
END_TEST

START_TEST(everything_that_is_wrong_is_reported_at_once)
{
    const char *const environment[] = {"CONFOMEET_S3_URL=storage",
                                       "CONFOMEET_S3_PART_SIZE=8XB",
                                       "CONFOMEET_S3_PARALLEL=none",
                                       "CONFOMEET_NOTICE=maybe",
                                       "CONFOMEET_LOG_LEVEL=loud",
                                       "CONFOMEET_S3_BUCKET=",
                                       NULL};
    fixture_write_file("CONFOMEET_S3_IDLE_TIMEOUT=soon\nCONFOMEET_S3_PART_SIZE=9MiB\n");
    ck_assert(!settings_load(environment, fixture_path, &settings, &problems));
    char idle[256];
    snprintf(idle, sizeof(idle),
             "CONFOMEET_S3_IDLE_TIMEOUT is \"soon\" (from %s): expected a duration from 1s to 1h, "
             "as in 1min",
             fixture_path);
    const char *const expected[] = {
        "CONFOMEET_S3_URL is \"storage\" (from the environment): expected a URL as https://host, "
        "https://host:port or https://host/path, without user name, query and fragment",
        "CONFOMEET_S3_BUCKET is not set: expected the name of a bucket: 3 to 255 letters, digits, "
        "'.', '-' and '_', a letter or digit first",
        "CONFOMEET_S3_PART_SIZE is \"8XB\" (from the environment): expected a size from 5MiB to "
        "5GiB, as in 8MiB",
        "CONFOMEET_S3_PARALLEL is \"none\" (from the environment): expected a whole number from 1 "
        "to 24",
        idle,
        "CONFOMEET_NOTICE is \"maybe\" (from the environment): expected on or off",
        "CONFOMEET_LOG_LEVEL is \"loud\" (from the environment): expected error, warning, info or "
        "debug",
    };
    ck_assert_uint_eq(count_lines(problems.errors), LENGTH(expected));
    for (size_t i = 0; i < LENGTH(expected); i++)
        ck_assert_str_eq(problems.errors[i], expected[i]);
    ck_assert_ptr_null(problems.warnings);
}
END_TEST

START_TEST(a_secret_is_never_shown)
{
    ck_assert(!load(NULL, "CONFOMEET_S3_CLIENT_SECRET= HIDDEN", "CONFOMEET_PROXY=HIDDEN",
                    "CONFOMEET_BACKEND_TOKEN=HIDDEN token", "CONFOMEET_S3_URL=https://u:HIDDEN@h/",
                    "CONFOMEET_BASE_URL=https://HIDDEN@h/", "CONFOMEET_S3_CLIENT_ID=HIDDEN/secret",
                    "CONFOMEET_S3_CLIENT_SECRETS=HIDDEN", NULL));
    ck_assert_uint_eq(count_lines(problems.errors), 6);
    for (size_t i = 0; problems.errors[i]; i++)
        ck_assert_msg(!strstr(problems.errors[i], "HIDDEN"), "%s", problems.errors[i]);
    ck_assert_str_eq(problems.errors[2],
                     "CONFOMEET_S3_CLIENT_SECRET (from the environment) cannot be used; its value "
                     "is not shown: expected the access key's secret: no control characters, no "
                     "blanks around it");
    ck_assert_uint_eq(count_lines(problems.warnings), 1);
    ck_assert_ptr_null(strstr(problems.warnings[0], "HIDDEN"));
}
END_TEST

/* The fixture_least without the secret, and `variables` (NULL-terminated) in front of it. */
static bool load_without_secret(const char *path, const char *const *variables)
{
    const char *environment[MAX_ENVIRONMENT + FIXTURE_LEAST + 1];
    size_t count = 0;
    for (; variables && variables[count]; count++)
        environment[count] = variables[count];
    for (size_t i = 0; i < FIXTURE_LEAST; i++) {
        if (strncmp(fixture_least[i], "CONFOMEET_S3_CLIENT_SECRET=", 27) != 0)
            environment[count++] = fixture_least[i];
    }
    environment[count] = NULL;
    settings_done(&settings);
    settings_problems_done(&problems);
    return settings_load(environment, path, &settings, &problems);
}

START_TEST(a_secret_can_be_kept_in_a_file_of_its_own)
{
    char variable[128];
    static const char *const contents[] = {"from file", "from file\n", "from file\r\n",
                                           "from file\n\n"};
    fixture_write_file("");
    snprintf(variable, sizeof(variable), "CONFOMEET_S3_CLIENT_SECRET_FILE=%s", fixture_path);
    const char *const variables[] = {variable, "CONFOMEET_S3_CLIENT_SECRET=", NULL};
    for (size_t i = 0; i < LENGTH(contents); i++) {
        unit_write(fixture_path, contents[i], strlen(contents[i]));
        ck_assert(load_without_secret(NULL, variables));
        fixture_assert_no_problem();
        ck_assert_str_eq(settings.s3_client_secret, "from file");
    }
}
END_TEST

START_TEST(every_secret_has_its_file)
{
    char variables[2][128];
    fixture_write_file("http://u:p@h:1\n");
    snprintf(variables[0], sizeof(variables[0]), "CONFOMEET_PROXY_FILE=%s", fixture_path);
    snprintf(variables[1], sizeof(variables[1]), "CONFOMEET_BACKEND_TOKEN_FILE=%s", fixture_path);
    const char *const environment[] = {
        fixture_least[0], fixture_least[1], fixture_least[2], fixture_least[3],
        fixture_least[4], variables[0],     variables[1],     NULL};
    ck_assert(settings_load(environment, NULL, &settings, &problems));
    fixture_assert_no_problem();
    ck_assert_str_eq(settings.proxy, "http://u:p@h:1");
    ck_assert_str_eq(settings.backend_token, "http://u:p@h:1");
}
END_TEST

START_TEST(a_secret_that_is_set_twice_has_to_be_the_same)
{
    char variable[128], expected[256];
    fixture_write_file("topsecret\n");
    snprintf(variable, sizeof(variable), "CONFOMEET_S3_CLIENT_SECRET_FILE=%s", fixture_path);
    ck_assert(load_without_secret(
        NULL, (const char *const[]){variable, "CONFOMEET_S3_CLIENT_SECRET=topsecret", NULL}));
    ck_assert(!load_without_secret(
        NULL, (const char *const[]){variable, "CONFOMEET_S3_CLIENT_SECRET=other", NULL}));
    snprintf(expected, sizeof(expected),
             "CONFOMEET_S3_CLIENT_SECRET and CONFOMEET_S3_CLIENT_SECRET_FILE are both set (from "
             "the environment), to different values: expected one of them");
    assert_error(expected);
}
END_TEST

START_TEST(the_environments_secret_hides_the_files_whichever_way_each_is_given)
{
    char lines[128];
    fixture_write_file("CONFOMEET_S3_CLIENT_SECRET_FILE=/no/such/file\n");
    ck_assert(load_without_secret(fixture_path,
                                  (const char *const[]){"CONFOMEET_S3_CLIENT_SECRET=mine", NULL}));
    ck_assert_str_eq(settings.s3_client_secret, "mine");

    /* The file of settings is its own secret here. */
    snprintf(lines, sizeof(lines), "CONFOMEET_S3_CLIENT_SECRET=its");
    unit_write(fixture_path, lines, strlen(lines));
    char variable[128];
    snprintf(variable, sizeof(variable), "CONFOMEET_S3_CLIENT_SECRET_FILE=%s", fixture_path);
    ck_assert(load_without_secret(fixture_path, (const char *const[]){variable, NULL}));
    ck_assert_str_eq(settings.s3_client_secret, lines);
    ck_assert(load_without_secret(fixture_path, NULL));
    ck_assert_str_eq(settings.s3_client_secret, "its");
}
END_TEST

START_TEST(a_file_that_holds_no_secret_is_one_line_that_does_not_show_it)
{
    static char large[20000];
    static const struct {
        const char *bytes;
        size_t length;
        const char *expected; /* after the path */
    } rows[] = {{"", 0, ": it is empty"},
                {"\n\r\n", 3, ": it is empty"},
                {"HID\0DEN", 7, ": there is a NUL byte in it"},
                {large, sizeof(large), ": it is larger than 16 KiB"}};
    char variable[128], expected[256];
    memset(large, 'H', sizeof(large));
    fixture_write_file("");
    snprintf(variable, sizeof(variable), "CONFOMEET_S3_CLIENT_SECRET_FILE=%s", fixture_path);
    const char *const variables[] = {variable, NULL};
    for (size_t i = 0; i < LENGTH(rows); i++) {
        unit_write(fixture_path, rows[i].bytes, rows[i].length);
        ck_assert(!load_without_secret(NULL, variables));
        snprintf(expected, sizeof(expected),
                 "CONFOMEET_S3_CLIENT_SECRET_FILE (from the environment) names %s, which cannot be "
                 "read%s",
                 fixture_path, rows[i].expected);
        assert_error(expected);
    }
    unit_write(fixture_path, " HIDDEN", 7);
    ck_assert(!load_without_secret(NULL, variables));
    assert_error("CONFOMEET_S3_CLIENT_SECRET_FILE (from the environment) cannot be used; its value "
                 "is not shown: expected the access key's secret: no control characters, no "
                 "blanks around it");
}
END_TEST

START_TEST(a_secret_in_the_place_of_its_files_path_is_not_shown)
{
    static const struct {
        const char *variable, *expected;
    } rows[] = {
        {"CONFOMEET_S3_CLIENT_SECRET_FILE=HIDDEN",
         "CONFOMEET_S3_CLIENT_SECRET_FILE (from the environment) cannot be used; its value is not "
         "shown: expected the absolute path of a file that holds CONFOMEET_S3_CLIENT_SECRET"},
        {"CONFOMEET_S3_CLIENT_SECRET_FILE=/HIDDEN",
         "CONFOMEET_S3_CLIENT_SECRET_FILE (from the environment) names a file, which cannot be "
         "read: No such file or directory"},
        {"CONFOMEET_S3_CLIENT_SECRET_FILE=/tmp",
         "CONFOMEET_S3_CLIENT_SECRET_FILE (from the environment) names /tmp, which cannot be "
         "read: it is not a regular file"},
    };
    for (size_t i = 0; i < LENGTH(rows); i++) {
        ck_assert(!load_without_secret(NULL, (const char *const[]){rows[i].variable, NULL}));
        assert_error(rows[i].expected);
    }
}
END_TEST

START_TEST(an_instance_in_the_prefix_has_to_be_known)
{
    ck_assert(!load(NULL, "CONFOMEET_S3_KEY_PREFIX={instance}/", NULL));
    assert_error(
        "JIBRI_INSTANCE_ID is not set, but {instance} in CONFOMEET_S3_KEY_PREFIX needs it");
    ck_assert(load(NULL, "CONFOMEET_S3_KEY_PREFIX={instance}/", "JIBRI_INSTANCE_ID=jibri-1", NULL));
    ck_assert_str_eq(settings.s3_key_prefix, "{instance}/");
    ck_assert_str_eq(settings.instance_id, "jibri-1");
    ck_assert(!load(NULL, "CONFOMEET_S3_KEY_PREFIX={instance}/", "JIBRI_INSTANCE_ID=a b", NULL));
    ck_assert_uint_eq(count_lines(problems.errors), 1);
}
END_TEST

START_TEST(a_backend_has_to_be_known_unless_notices_are_off)
{
    const char *environment[] = {
        fixture_least[0], fixture_least[1], fixture_least[2], fixture_least[3], NULL, NULL};
    ck_assert(!settings_load(environment, NULL, &settings, &problems));
    assert_error("CONFOMEET_BASE_URL is not set, nor is XMPP_DOMAIN: expected one of them, so that "
                 "the backend can be notified, or CONFOMEET_NOTICE=off");
    static const struct {
        const char *line;
        size_t errors;
    } rows[] = {{"CONFOMEET_BASE_URL=https://h/meet", 0},
                {"XMPP_DOMAIN=h", 0},
                {"CONFOMEET_NOTICE=off", 0},
                {"CONFOMEET_NOTICE=maybe", 1},
                {"CONFOMEET_BASE_URL=h", 1},
                {"XMPP_DOMAIN=h/", 1}};
    for (size_t i = 0; i < LENGTH(rows); i++) {
        fixture_tear_down();
        environment[4] = rows[i].line;
        ck_assert(settings_load(environment, NULL, &settings, &problems) == (rows[i].errors == 0));
        ck_assert_uint_eq(count_lines(problems.errors), rows[i].errors);
    }
}
END_TEST

START_TEST(the_part_plan_has_to_hold_the_largest_object)
{
    ck_assert(!load(NULL, "CONFOMEET_S3_MAX_OBJECT_SIZE=10TiB", NULL));
    assert_error("CONFOMEET_S3_PART_SIZE is \"8MiB\", so that 10,000 parts hold 5.1 TiB, less than "
                 "CONFOMEET_S3_MAX_OBJECT_SIZE (10TiB): expected 549MiB at least");
    ck_assert(
        load(NULL, "CONFOMEET_S3_MAX_OBJECT_SIZE=10TiB", "CONFOMEET_S3_PART_SIZE=549MiB", NULL));
    /* 8,900 + 4 * 5,550 parts of 8 MiB and 1,000 of 5 GiB, to the byte. */
    ck_assert(load(NULL, "CONFOMEET_S3_MAX_OBJECT_SIZE=5368800MiB", NULL));
    ck_assert(!load(NULL, "CONFOMEET_S3_MAX_OBJECT_SIZE=5629594828801", NULL));
    ck_assert(load(NULL, "CONFOMEET_S3_PART_SIZE=5MiB", NULL));
    ck_assert(!load(NULL, "CONFOMEET_S3_MAX_OBJECT_SIZE=50000GiB", NULL));
    ck_assert_ptr_nonnull(strstr(problems.errors[0], "expected 5120MiB at least"));
    ck_assert(
        load(NULL, "CONFOMEET_S3_MAX_OBJECT_SIZE=50000GiB", "CONFOMEET_S3_PART_SIZE=5GiB", NULL));
    ck_assert(!load(NULL, "CONFOMEET_S3_MAX_OBJECT_SIZE=50TiB", NULL));
    ck_assert_uint_eq(count_lines(problems.errors), 1);
    ck_assert_ptr_nonnull(strstr(problems.errors[0], "expected a size from 5MiB to 50000GiB"));
}
END_TEST

START_TEST(a_bucket_that_is_no_host_name_needs_path_addressing)
{
    ck_assert(
        !load(NULL, "CONFOMEET_S3_ADDRESSING=virtual", "CONFOMEET_S3_BUCKET=My_Bucket", NULL));
    assert_error(
        "CONFOMEET_S3_ADDRESSING is \"virtual\", but the bucket \"My_Bucket\" cannot be part "
        "of a host's name; expected path");
    ck_assert(load(NULL, "CONFOMEET_S3_BUCKET=My_Bucket", NULL));
    ck_assert(!load(NULL, "CONFOMEET_S3_ADDRESSING=virtual", "CONFOMEET_S3_BUCKET=abc-", NULL));
    ck_assert(load(NULL, "CONFOMEET_S3_ADDRESSING=virtual", "CONFOMEET_S3_BUCKET=my-bucket", NULL));
}
END_TEST

START_TEST(an_unknown_name_is_pointed_out_with_the_nearest_known_one)
{
    ck_assert(load(NULL, "CONFOMEET_S3_BUKET=x", "CONFOMEET_S3_PROXY=x", "CONFOMEET_S3_=x",
                   "CONFOMEET_S3_REGION_=x", "CONFOMEET_S3_BUKET=y",
                   "CONFOMEET_S3_EMPTY=", "CONFOMEET_S3_URL_OVERRIDE_FOR_AWS_SDK=x",
                   "CONFOMEET_OTHER=x", "CONFOMEET_DB_URL=x", "CONFOMEET_BUCKET=x",
                   "CONFOMEET_KEEPLOCAL=x", "JIBRI_X=x", "CONFOMEET_S3_\x1b\n=x", NULL));
    ck_assert_ptr_null(problems.errors);
    static const char *const expected[] = {
        "CONFOMEET_S3_BUKET is not a setting; did you mean CONFOMEET_S3_BUCKET?",
        "CONFOMEET_S3_PROXY is not a setting; did you mean CONFOMEET_PROXY?",
        "CONFOMEET_S3_ is not a setting",
        "CONFOMEET_S3_REGION_ is not a setting; did you mean CONFOMEET_S3_REGION?",
        "CONFOMEET_BUCKET is not a setting; did you mean CONFOMEET_S3_BUCKET?",
        "CONFOMEET_KEEPLOCAL is not a setting; did you mean CONFOMEET_KEEP_LOCAL?",
        "CONFOMEET_S3_?? is not a setting",
    };
    ck_assert_uint_eq(count_lines(problems.warnings), LENGTH(expected));
    for (size_t i = 0; i < LENGTH(expected); i++)
        ck_assert_str_eq(problems.warnings[i], expected[i]);
}
END_TEST

START_TEST(of_what_others_have_and_we_do_not_the_reason_is_said)
{
    ck_assert(load(NULL, "CONFOMEET_S3_SECURITY_TOKEN=x", "CONFOMEET_S3_ACL=private",
                   "CONFOMEET_S3_SSE=AES256", "CONFOMEET_S3_COLOUR=x", NULL));
    static const char *const expected[] = {
        ("CONFOMEET_S3_SECURITY_TOKEN is not a setting: the token's name is "
         "CONFOMEET_S3_SESSION_TOKEN"),
        "CONFOMEET_S3_ACL is not a setting: CONFOMEET_S3_OBJECT_HEADERS sends such headers",
        "CONFOMEET_S3_SSE is not a setting: CONFOMEET_S3_OBJECT_HEADERS sends such headers",
        "CONFOMEET_S3_COLOUR is not a setting",
    };
    ck_assert_uint_eq(count_lines(problems.warnings), LENGTH(expected));
    for (size_t i = 0; i < LENGTH(expected); i++)
        ck_assert_str_eq(problems.warnings[i], expected[i]);
}
END_TEST

START_TEST(a_key_is_set_whole_or_not_at_all)
{
    static const struct {
        const char *id, *secret, *token, *error;
    } cases[] = {
        {"", "", "", NULL},
        {"i", "s", "", NULL},
        {"i", "s", "t", NULL},
        {"i", "", "t",
         "CONFOMEET_S3_CLIENT_SECRET is not set, but CONFOMEET_S3_CLIENT_ID is: expected both"},
        {"", "s", "",
         "CONFOMEET_S3_CLIENT_ID is not set, but CONFOMEET_S3_CLIENT_SECRET is: expected both"},
        {"", "", "t",
         "CONFOMEET_S3_CLIENT_ID is not set, but CONFOMEET_S3_SESSION_TOKEN is: expected both"},
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        char id[64], secret[64], token[64];

        snprintf(id, sizeof id, "CONFOMEET_S3_CLIENT_ID=%s", cases[i].id);
        snprintf(secret, sizeof secret, "CONFOMEET_S3_CLIENT_SECRET=%s", cases[i].secret);
        snprintf(token, sizeof token, "CONFOMEET_S3_SESSION_TOKEN=%s", cases[i].token);
        ck_assert_int_eq(load(NULL, id, secret, token, NULL), !cases[i].error);
        if (cases[i].error)
            assert_error(cases[i].error);
    }
}
END_TEST

START_TEST(headers_that_may_not_be_sent_are_refused_without_their_values)
{
    ck_assert(load(NULL, "CONFOMEET_S3_OBJECT_HEADERS=x-amz-acl: private; cache-control: no-store",
                   NULL));
    ck_assert(!load(NULL,
                    "CONFOMEET_S3_OBJECT_HEADERS=x-amz-server-side-encryption-customer-key: HIDDEN",
                    NULL));
    ck_assert_ptr_null(strstr(problems.errors[0], "HIDDEN"));
    ck_assert_ptr_nonnull(strstr(problems.errors[0], "customer-key is refused: "));
    ck_assert(!load(NULL, "CONFOMEET_S3_OBJECT_HEADERS=x-amz-acl: private\nX-Amz-ACL: b", NULL));
    assert_error("CONFOMEET_S3_OBJECT_HEADERS: x-amz-acl is there twice");
    ck_assert(!load(NULL, "CONFOMEET_S3_OBJECT_HEADERS=x-amz-object-lock-legal-hold: ON", NULL));
    assert_error("CONFOMEET_S3_OBJECT_HEADERS: x-amz-object-lock-legal-hold needs "
                 "CONFOMEET_S3_CONTENT_MD5=on");
    ck_assert(load(NULL, "CONFOMEET_S3_OBJECT_HEADERS=x-amz-object-lock-legal-hold: ON",
                   "CONFOMEET_S3_CONTENT_MD5=on", NULL));
}
END_TEST

START_TEST(keys_are_read_again_from_where_they_were)
{
    struct settings keys;

    fixture_write_file("CONFOMEET_S3_CLIENT_ID=ID2\nCONFOMEET_S3_SESSION_TOKEN=tk1\n");
    const char *const environment[] = {fixture_least[0], fixture_least[1], fixture_least[3],
                                       fixture_least[4], NULL};
    ck_assert(settings_load(environment, fixture_path, &settings, &problems));
    unit_write_text(fixture_path, "CONFOMEET_S3_CLIENT_ID=ID3\nCONFOMEET_S3_SESSION_TOKEN=tk2\n");
    ck_assert(settings_read_keys(&settings, &keys));
    ck_assert_str_eq(settings.s3_client_id, "ID2");
    ck_assert_str_eq(settings.s3_session_token, "tk1");
    ck_assert_str_eq(keys.s3_client_id, "ID3");
    ck_assert_str_eq(keys.s3_client_secret, "topsecret");
    ck_assert_str_eq(keys.s3_session_token, "tk2");
    ck_assert_ptr_null(keys.s3_bucket);
    settings_done(&keys);
    unlink(fixture_path);
    ck_assert(!settings_read_keys(&settings, &keys));
    settings_done(&keys);
}
END_TEST

START_TEST(an_unknown_name_in_the_file_is_pointed_out_too)
{
    const char *const environment[] = {fixture_least[0], fixture_least[1], fixture_least[2],
                                       fixture_least[3], fixture_least[4], NULL};
    fixture_write_file("CONFOMEET_S3_PARALEL=4\n");
    ck_assert(settings_load(environment, fixture_path, &settings, &problems));
    ck_assert_uint_eq(count_lines(problems.warnings), 1);
    ck_assert_str_eq(problems.warnings[0],
                     "CONFOMEET_S3_PARALEL is not a setting; did you mean CONFOMEET_S3_PARALLEL?");
}
END_TEST

START_TEST(an_unknown_name_of_any_length_is_shown_in_part)
{
    char line[1100] = "CONFOMEET_S3_BUCKET";
    memset(line + 19, 'X', 1000);
    memcpy(line + 1019, "=1", 3);
    ck_assert(load(NULL, line, NULL));
    ck_assert_uint_eq(count_lines(problems.warnings), 1);
    ck_assert_uint_lt(strlen(problems.warnings[0]), 200);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_the_only_thing_reported)
{
    const char *const environment[] = {"CONFOMEET_S3_REGION=eu", NULL};
    ck_assert(!settings_load(environment, "/tmp/no/such.env", &settings, &problems));
    assert_error("cannot read /tmp/no/such.env: No such file or directory");
    ck_assert_str_eq(settings.s3_region, "eu");
}
END_TEST

START_TEST(a_broken_file_does_not_hide_a_wrong_variable)
{
    const char *const environment[] = {"CONFOMEET_S3_PARALLEL=none", NULL};
    fixture_write_file("CONFOMEET_S3_BUCKET\n");
    ck_assert(!settings_load(environment, fixture_path, &settings, &problems));
    ck_assert_uint_eq(count_lines(problems.errors), 2);
    ck_assert_ptr_nonnull(strstr(problems.errors[0], "line 1: expected NAME=value"));
    ck_assert_ptr_nonnull(strstr(problems.errors[1], "CONFOMEET_S3_PARALLEL is \"none\""));
}
END_TEST

START_TEST(results_can_be_freed_twice_and_untouched)
{
    ck_assert(load(NULL, NULL));
    settings_done(&settings);
    settings_done(&settings);
    ck_assert_ptr_null(settings.s3_client_secret);
    settings_problems_done(&problems);
    settings_problems_done(&problems);
}
END_TEST

START_TEST(the_default_file_is_one_of_two_or_none)
{
    const char *path = settings_default_file();
    ck_assert(!path || strcmp(path, "/run/jibri-finalize/finalize.env") == 0 ||
              strcmp(path, "/etc/jibri-finalize/finalize.env") == 0);
}
END_TEST

START_TEST(for_looking_at_this_machine_nothing_of_the_bucket_has_to_be_right)
{
    static const char *const environment[] = {"CONFOMEET_S3_PART_SIZE=nonsense",
                                              "JIBRI_RECORDING_DIR=/config/recordings",
                                              "JIBRI_INSTANCE_ID=jibri-1", NULL};

    fixture_tear_down();
    ck_assert(settings_load_machine(environment, NULL, &settings, &problems));
    fixture_assert_no_problem();
    ck_assert_str_eq(settings.recordings_dir, "/config/recordings");
    ck_assert_str_eq(settings.instance_id, "jibri-1");
    ck_assert_ptr_null(settings.s3_url);
}
END_TEST

START_TEST(what_is_wrong_of_this_machine_is_said_all_the_same)
{
    static const char *const environment[] = {"CONFOMEET_JOURNAL=relative", NULL};

    fixture_tear_down();
    ck_assert(!settings_load_machine(environment, NULL, &settings, &problems));
    assert_error("CONFOMEET_JOURNAL is \"relative\" (from the environment): expected an absolute "
                 "path");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("settings");
    TCase *tests = tcase_create("loading");
    tcase_add_checked_fixture(tests, fixture_set_up, fixture_tear_down);
    tcase_add_test(tests, the_defaults_are_what_the_header_says);
    tcase_add_test(tests, choices_arrive_as_their_enum);
    tcase_add_test(tests, the_environment_wins_over_the_file_and_the_file_over_the_default);
    tcase_add_test(tests, an_empty_variable_is_an_unset_one);
    tcase_add_test(tests, jibris_own_variable_stands_in_for_the_recordings_directory);
    tcase_add_test(tests, our_name_in_the_file_wins_over_jibris_in_the_environment);
    tcase_add_test(tests, everything_that_is_wrong_is_reported_at_once);
    tcase_add_test(tests, a_secret_is_never_shown);
    tcase_add_test(tests, a_secret_can_be_kept_in_a_file_of_its_own);
    tcase_add_test(tests, every_secret_has_its_file);
    tcase_add_test(tests, a_secret_that_is_set_twice_has_to_be_the_same);
    tcase_add_test(tests, the_environments_secret_hides_the_files_whichever_way_each_is_given);
    tcase_add_test(tests, a_file_that_holds_no_secret_is_one_line_that_does_not_show_it);
    tcase_add_test(tests, a_secret_in_the_place_of_its_files_path_is_not_shown);
    tcase_add_test(tests, an_instance_in_the_prefix_has_to_be_known);
    tcase_add_test(tests, a_backend_has_to_be_known_unless_notices_are_off);
    tcase_add_test(tests, the_part_plan_has_to_hold_the_largest_object);
    tcase_add_test(tests, a_bucket_that_is_no_host_name_needs_path_addressing);
    tcase_add_test(tests, an_unknown_name_is_pointed_out_with_the_nearest_known_one);
    tcase_add_test(tests, of_what_others_have_and_we_do_not_the_reason_is_said);
    tcase_add_test(tests, an_unknown_name_in_the_file_is_pointed_out_too);
    tcase_add_test(tests, a_key_is_set_whole_or_not_at_all);
    tcase_add_test(tests, headers_that_may_not_be_sent_are_refused_without_their_values);
    tcase_add_test(tests, keys_are_read_again_from_where_they_were);
    tcase_add_test(tests, an_unknown_name_of_any_length_is_shown_in_part);
    tcase_add_test(tests, a_file_that_cannot_be_read_is_the_only_thing_reported);
    tcase_add_test(tests, a_broken_file_does_not_hide_a_wrong_variable);
    tcase_add_test(tests, results_can_be_freed_twice_and_untouched);
    tcase_add_test(tests, the_default_file_is_one_of_two_or_none);
    tcase_add_test(tests, for_looking_at_this_machine_nothing_of_the_bucket_has_to_be_right);
    tcase_add_test(tests, what_is_wrong_of_this_machine_is_said_all_the_same);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
