#include "finalize/s3/credentials.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define NOW       1700000000 /* 2023-11-14 22:13:20 UTC */
#define T0        UINT64_C(5000000)
#define SECONDS   UINT64_C(1000)

static struct settings settings;
static struct credentials *credentials;
static struct http_request request;
static struct error err;
static char file[64];

static const char *const variables[] = {"AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_ROLE_ARN",
                                        "AWS_ROLE_SESSION_NAME",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_STS_REGIONAL_ENDPOINTS",
                                        "AWS_ENDPOINT_URL_STS",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                        "AWS_EC2_METADATA_DISABLED",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"};

static void start(void)
{
    for (size_t i = 0; i < LENGTH(variables); i++)
        unsetenv(variables[i]);
    credentials_close(credentials);
    credentials = NULL;
    http_request_done(&request);
    error_clear(&err);
    settings = (struct settings){0};
}

static void set_up(void)
{
    int fd;

    http_request_init(&request, "GET");
    start();
    snprintf(file, sizeof file, "/tmp/test_credentials.XXXXXX");
    fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void tear_down(void)
{
    start();
    unlink(file);
}

static void open_it(void)
{
    ck_assert_msg(credentials_open(&settings, &credentials, &err), "%s", err.text);
}

static void use_web_identity(void)
{
    unit_write_text(file, "eyJhbGciOi.J9-_x\n");
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file, 1);
    setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/jibri", 1);
}

static void ask(uint64_t now_ms)
{
    http_request_done(&request);
    ck_assert_msg(credentials_next(credentials, now_ms, &request), "%s",
                  credentials_failure(credentials)->text);
}

static void answer_at(int status, const char *body, uint64_t now_ms)
{
    struct http_reply reply;

    http_reply_init(&reply, 65536);
    reply.status = status;
    buffer_append_text(&reply.headers, "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n");
    buffer_append_text(&reply.body, body);
    credentials_take_reply(credentials, &reply, NOW, now_ms);
    http_reply_done(&reply);
}

static void answer(int status, const char *body)
{
    answer_at(status, body, T0);
}

static bool has_header(const char *line)
{
    for (char **header = request.headers; header && *header; header++)
        if (!strcmp(*header, line))
            return true;
    return false;
}

static void check_keys(const char *id, const char *secret, const char *token)
{
    const struct credentials_keys *keys = credentials_keys(credentials);

    ck_assert_int_eq(credentials_state(credentials, T0), CREDENTIALS_READY);
    ck_assert_str_eq(keys->id, id);
    ck_assert_str_eq(keys->secret, secret);
    if (token)
        ck_assert_str_eq(keys->session_token, token);
    else
        ck_assert_ptr_null(keys->session_token);
}

/* As AWS and Ceph answer. */
#define STS_OK                                                                                    \
    "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"     \
    "<AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>system:serviceaccount:a:b"     \
    "</SubjectFromWebIdentityToken><Audience>sts.amazonaws.com</Audience><AssumedRoleUser><Arn>"  \
    "arn:aws:sts::123456789012:assumed-role/jibri/x</Arn><AssumedRoleId>AROA:x</AssumedRoleId>"   \
    "</AssumedRoleUser><Credentials><AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>sEc/+"     \
    "</SecretAccessKey><SessionToken>tok/=+en</SessionToken><Expiration>2023-11-14T23:13:20Z"     \
    "</Expiration></Credentials></AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>r" \
    "</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"

#define JSON_OK(expiration)                                                                \
    "{\"Code\":\"Success\",\"LastUpdated\":\"2023-11-14T22:00:00Z\",\"Type\":\"AWS-HMAC\"" \
    ",\"AccessKeyId\":\"ASIAJSON\",\"SecretAccessKey\":\"s\",\"Token\":\"t\""              \
    ",\"Expiration\":\"" expiration "\",\"RoleArn\":null}"

START_TEST(with_a_key_in_the_settings_the_platform_is_never_asked)
{
    use_web_identity();
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/", 1);
    settings.s3_client_id = (char *)"id";
    settings.s3_client_secret = (char *)"secret";
    settings.s3_session_token = (char *)"token";
    open_it();
    check_keys("id", "secret", "token");
    ck_assert(!credentials_next(credentials, UINT64_MAX - 1, &request));
    ck_assert(!credentials_renew(credentials, true));
    check_keys("id", "secret", "token");
    ck_assert(!credentials_next(credentials, UINT64_MAX - 1, &request));
}
END_TEST

START_TEST(sources_are_taken_in_the_order_of_the_sdks)
{
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/full", 1);
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1", 1);
    use_web_identity();
    open_it();
    ask(T0);
    ck_assert_str_eq(request.url, "https://sts.amazonaws.com/");
    ck_assert(!request.direct);
    credentials_close(credentials);
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    open_it();
    ask(T0);
    ck_assert_str_eq(request.url, "http://169.254.170.2/v2/credentials/1");
    ck_assert(request.direct);
    credentials_close(credentials);
    unsetenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    open_it();
    ask(T0);
    ck_assert_str_eq(request.url, "http://127.0.0.1:1/full");
    credentials_close(credentials);
    unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    open_it();
    ask(T0);
    ck_assert_str_eq(request.url, "http://169.254.169.254/latest/api/token");
    ck_assert(request.direct);
    credentials_close(credentials);
    credentials = NULL;
    setenv("AWS_EC2_METADATA_DISABLED", "TRUE", 1);
    ck_assert(!credentials_open(&settings, &credentials, &err));
    ck_assert_int_eq(err.kind, ERROR_SETTINGS);
    ck_assert_str_eq(err.text, "CONFOMEET_S3_CLIENT_ID is not set");
}
END_TEST

START_TEST(a_source_that_is_set_up_wrongly_is_named)
{
    static const struct {
        const char *names[2], *values[2], *said;
    } cases[] = {
        {{"AWS_WEB_IDENTITY_TOKEN_FILE"}, {"/x"}, "AWS_ROLE_ARN is not"},
        {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}, {"@evil/"}, "is not a path"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI"}, {"ftp://localhost/"}, "is not a URL"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI"}, {"http://example.org/"}, "is to be https"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI"}, {"http://127.0.0.1.evil.org/"}, "is to be https"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI"}, {"http://169.254.170.20/"}, "is to be https"},
        {{"AWS_CONTAINER_CREDENTIALS_FULL_URI"}, {"http://localhost.evil.org/"}, "is to be https"},
        {{"AWS_EC2_METADATA_SERVICE_ENDPOINT"}, {"nowhere"}, "is not a URL"},
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        start();
        for (size_t j = 0; j < 2 && cases[i].names[j]; j++)
            setenv(cases[i].names[j], cases[i].values[j], 1);
        ck_assert_msg(!credentials_open(&settings, &credentials, &err), "%zu", i);
        ck_assert_int_eq(err.kind, ERROR_SETTINGS);
        ck_assert_msg(strstr(err.text, cases[i].names[0]) && strstr(err.text, cases[i].said), "%s",
                      err.text);
    }
}
END_TEST

START_TEST(an_endpoint_beside_us_is_asked_without_a_proxy_and_one_elsewhere_through_it)
{
    static const struct {
        const char *url;
        bool direct;
    } cases[] = {{"http://localhost:8080/x", true},
                 {"http://127.1.2.3:99/x", true},
                 {"http://[::1]:99/x", true},
                 {"http://169.254.170.23/v1/credentials", true},
                 {"http://[fd00:ec2::23]/v1/credentials", true},
                 {"https://example.org/x", false}};

    for (size_t i = 0; i < LENGTH(cases); i++) {
        start();
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cases[i].url, 1);
        open_it();
        ask(T0);
        ck_assert_str_eq(request.url, cases[i].url);
        ck_assert_int_eq(request.direct, cases[i].direct);
    }
}
END_TEST

START_TEST(the_sts_service_is_the_regions_unless_told_otherwise)
{
    static const struct {
        const char *name, *value, *url;
    } cases[] = {
        {"AWS_REGION", "eu-central-1", "https://sts.eu-central-1.amazonaws.com/"},
        {"AWS_REGION", "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"},
        {"AWS_DEFAULT_REGION", "eu-west-3", "https://sts.eu-west-3.amazonaws.com/"},
        {"AWS_ENDPOINT_URL_STS", "http://sts.example.org:99", "http://sts.example.org:99"},
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        start();
        use_web_identity();
        setenv(cases[i].name, cases[i].value, 1);
        open_it();
        ask(T0);
        ck_assert_str_eq(request.url, cases[i].url);
    }
    setenv("AWS_REGION", "eu-central-1", 1);
    setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy", 1);
    unsetenv("AWS_ENDPOINT_URL_STS");
    credentials_close(credentials);
    open_it();
    ask(T0);
    ck_assert_str_eq(request.url, "https://sts.amazonaws.com/");
}
END_TEST

START_TEST(a_web_identity_is_exchanged_for_keys)
{
    char text[160];

    use_web_identity();
    open_it();
    ask(T0);
    ck_assert(!credentials_next(credentials, T0, &request)); /* one at a time */
    ck_assert_str_eq(request.method, "POST");
    ck_assert_str_eq(buffer_text(&request.body.memory),
                     "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
                     "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fjibri"
                     "&RoleSessionName=jibri-finalize&WebIdentityToken=eyJhbGciOi.J9-_x");
    ck_assert_uint_eq(request.body.length, request.body.memory.length);
    ck_assert(has_header("Content-Type: application/x-www-form-urlencoded"));
    answer(200, STS_OK);
    check_keys("ASIAWEB", "sEc/+", "tok/=+en");
    credentials_describe(credentials, text, sizeof text);
    ck_assert_str_eq(text, "from web identity, good until 2023-11-14 23:13:20 UTC");
}
END_TEST

START_TEST(a_container_s_endpoint_gives_keys_for_the_token_in_its_file)
{
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this one", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file, 1);
    unit_write_text(file, "pod-token\n");
    open_it();
    ask(T0);
    ck_assert_str_eq(request.method, "GET");
    ck_assert(has_header("Authorization: pod-token"));
    answer(200, JSON_OK("2023-11-14T23:13:20.250Z"));
    check_keys("ASIAJSON", "s", "t");
    unit_write_text(file, "another\n");
    ask(T0 + 3600 * SECONDS);
    ck_assert(has_header("Authorization: another"));
}
END_TEST

static void bring_instance_to_the_end(uint64_t now_ms)
{
    ask(now_ms);
    ck_assert_str_eq(request.url, "http://127.0.0.1:1338/latest/api/token");
    ck_assert_str_eq(request.method, "PUT");
    ck_assert(has_header("x-aws-ec2-metadata-token-ttl-seconds: 300"));
    answer_at(200, "AQAE-token==", now_ms);
    ask(now_ms);
    ck_assert_str_eq(request.url,
                     "http://127.0.0.1:1338/latest/meta-data/iam/security-credentials/");
    ck_assert(has_header("x-aws-ec2-metadata-token: AQAE-token=="));
    answer_at(200, "recorder\n", now_ms);
    ask(now_ms);
    ck_assert_str_eq(request.url,
                     "http://127.0.0.1:1338/latest/meta-data/iam/security-credentials/recorder");
    ck_assert(has_header("x-aws-ec2-metadata-token: AQAE-token=="));
}

START_TEST(instance_metadata_is_asked_for_a_token_a_role_and_its_keys)
{
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338/", 1);
    open_it();
    bring_instance_to_the_end(T0);
    answer(200, JSON_OK("2023-11-14T23:13:20Z"));
    check_keys("ASIAJSON", "s", "t");
    bring_instance_to_the_end(T0 + 3400 * SECONDS); /* all of it once more */
}
END_TEST

START_TEST(keys_are_renewed_before_they_end_and_good_until_the_last_moment)
{
    use_web_identity();
    open_it();
    ask(T0);
    answer(200, STS_OK); /* an hour */
    ck_assert(!credentials_next(credentials, T0 + 3299 * SECONDS, &request));
    ask(T0 + 3300 * SECONDS);
    ck_assert_int_eq(credentials_state(credentials, T0 + 3300 * SECONDS), CREDENTIALS_READY);
    answer_at(503, "", T0 + 3300 * SECONDS);
    ck_assert_int_eq(credentials_state(credentials, T0 + 3301 * SECONDS), CREDENTIALS_READY);
    ck_assert(!credentials_next(credentials, T0 + 3301 * SECONDS, &request));
    http_request_done(&request);
    ck_assert(credentials_next(credentials, T0 + 3310 * SECONDS, &request));
    credentials_cancel(credentials);
    ck_assert_int_eq(credentials_state(credentials, T0 + 3599 * SECONDS), CREDENTIALS_READY);
    ck_assert_int_eq(credentials_state(credentials, T0 + 3600 * SECONDS), CREDENTIALS_AWAITED);
}
END_TEST

START_TEST(the_platform_s_clock_counts_and_not_this_machine_s)
{
    struct http_reply reply;

    use_web_identity();
    open_it();
    ask(T0);
    http_reply_init(&reply, 65536);
    reply.status = 200;
    buffer_append_text(&reply.headers, "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n");
    buffer_append_text(&reply.body, STS_OK);
    credentials_take_reply(credentials, &reply, NOW + 86400, T0);
    http_reply_done(&reply);
    ck_assert_int_eq(credentials_state(credentials, T0 + 3599 * SECONDS), CREDENTIALS_READY);
    ck_assert(!credentials_next(credentials, T0 + 3200 * SECONDS, &request));
}
END_TEST

START_TEST(keys_that_a_server_calls_expired_are_asked_for_again)
{
    use_web_identity();
    open_it();
    ask(T0);
    answer(200, STS_OK);
    ck_assert(!credentials_renew(credentials, false));
    check_keys("ASIAWEB", "sEc/+", "tok/=+en");
    ck_assert(credentials_renew(credentials, true));
    ck_assert_int_eq(credentials_state(credentials, T0), CREDENTIALS_AWAITED);
    ask(T0);
}
END_TEST

START_TEST(a_failure_says_what_and_whether_it_may_go_away)
{
    static const struct {
        int status;
        const char *body, *said;
        enum error_kind kind;
    } cases[] = {
        {403,
         "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender"
         "</Type><Code>AccessDenied</Code><Message>Not authorized</Message></Error><RequestId>r"
         "</RequestId></ErrorResponse>",
         "HTTP status 403 AccessDenied: Not authorized", ERROR_PERMANENT},
        {400,
         "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token expired"
         "</Message></Error></ErrorResponse>",
         "ExpiredTokenException", ERROR_TRANSIENT},
        {400, "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>",
         "IDPCommunicationError", ERROR_TRANSIENT},
        {400, "<Error><Code>InvalidIdentityToken</Code></Error>", "InvalidIdentityToken",
         ERROR_PERMANENT},
        {429, "", "HTTP status 429", ERROR_TRANSIENT},
        {500, "no XML", "HTTP status 500", ERROR_TRANSIENT},
        {200, "<AssumeRoleWithWebIdentityResponse/>", "its answer has none", ERROR_TRANSIENT},
        {200, "{}", "its answer has none", ERROR_TRANSIENT},
        {302, "", "HTTP status 302", ERROR_PERMANENT},
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        start();
        use_web_identity();
        open_it();
        ask(T0);
        answer(cases[i].status, cases[i].body);
        ck_assert_int_eq(credentials_state(credentials, T0), CREDENTIALS_FAILED);
        const struct error *failure = credentials_failure(credentials);
        ck_assert_msg(failure->kind == cases[i].kind, "%s", failure->text);
        ck_assert_msg(strstr(failure->text, "no keys from web identity (https://sts") != NULL, "%s",
                      failure->text);
        ck_assert_msg(strstr(failure->text, cases[i].said) != NULL, "%s", failure->text);
        ck_assert(!credentials_next(credentials, T0 + SECONDS - 1, &request));
        ck_assert_int_eq(credentials_state(credentials, T0 + SECONDS), CREDENTIALS_AWAITED);
        ask(T0 + SECONDS);
    }
}
END_TEST

static void no_answer(enum http_failure failure)
{
    struct http_reply reply;

    http_reply_init(&reply, 100);
    reply.failure = failure;
    snprintf(reply.detail, sizeof reply.detail, "nothing there");
    credentials_take_reply(credentials, &reply, NOW, T0);
    http_reply_done(&reply);
}

START_TEST(a_metadata_service_that_never_answered_is_a_matter_of_the_settings)
{
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338", 1);
    open_it();
    ask(T0);
    no_answer(HTTP_FAILED_CONNECT);
    ck_assert_int_eq(credentials_failure(credentials)->kind, ERROR_SETTINGS);
    ck_assert_str_eq(credentials_failure(credentials)->text,
                     "no keys from instance metadata (http://127.0.0.1:1338): nothing there");
    ask(T0 + SECONDS);
    answer(200, "token");
    ask(T0 + SECONDS);
    no_answer(HTTP_FAILED_TIMEOUT);
    ck_assert_int_eq(credentials_failure(credentials)->kind, ERROR_TRANSIENT);
}
END_TEST

START_TEST(an_instance_without_a_role_is_told)
{
    open_it();
    ask(T0);
    answer(200, "token");
    ask(T0);
    answer(404, "<html>404 - Not Found</html>");
    ck_assert_int_eq(credentials_failure(credentials)->kind, ERROR_PERMANENT);
    ck_assert_ptr_nonnull(strstr(credentials_failure(credentials)->text, "HTTP status 404"));
}
END_TEST

START_TEST(a_token_that_cannot_be_read_is_a_failure_and_not_shown)
{
    use_web_identity();
    unit_write_text(file, "two words");
    open_it();
    ck_assert(!credentials_next(credentials, T0, &request));
    ck_assert_int_eq(credentials_state(credentials, T0), CREDENTIALS_FAILED);
    ck_assert_str_eq(credentials_failure(credentials)->text,
                     "no keys: there is no token in the file of AWS_WEB_IDENTITY_TOKEN_FILE");
    unlink(file);
    ck_assert(!credentials_next(credentials, T0 + SECONDS, &request));
    ck_assert_ptr_nonnull(strstr(credentials_failure(credentials)->text, "No such file"));
}
END_TEST

START_TEST(keys_of_files_that_changed_are_taken_when_the_server_refuses_the_old_ones)
{
    struct settings_problems problems;
    char lines[256];
    const char *environment[] = {"CONFOMEET_S3_URL=https://h/",
                                 "CONFOMEET_S3_BUCKET=bucket",
                                 "CONFOMEET_S3_CLIENT_ID=id",
                                 "CONFOMEET_S3_CLIENT_SECRET=secret",
                                 "CONFOMEET_NOTICE=off",
                                 lines,
                                 NULL};

    unit_write_text(file, "one\n");
    snprintf(lines, sizeof lines, "CONFOMEET_S3_SESSION_TOKEN_FILE=%s", file);
    ck_assert(settings_load(environment, NULL, &settings, &problems));
    settings_problems_done(&problems);
    open_it();
    check_keys("id", "secret", "one");
    ck_assert(!credentials_renew(credentials, true));
    unit_write_text(file, "two\n");
    check_keys("id", "secret", "one");
    ck_assert(credentials_renew(credentials, true));
    check_keys("id", "secret", "two");
    unlink(file);
    ck_assert(!credentials_renew(credentials, false));
    check_keys("id", "secret", "two");
    credentials_close(credentials);
    credentials = NULL;
    settings_done(&settings);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("credentials");
    TCase *cases = tcase_create("cases");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, with_a_key_in_the_settings_the_platform_is_never_asked);
    tcase_add_test(cases, sources_are_taken_in_the_order_of_the_sdks);
    tcase_add_test(cases, a_source_that_is_set_up_wrongly_is_named);
    tcase_add_test(cases,
                   an_endpoint_beside_us_is_asked_without_a_proxy_and_one_elsewhere_through_it);
    tcase_add_test(cases, the_sts_service_is_the_regions_unless_told_otherwise);
    tcase_add_test(cases, a_web_identity_is_exchanged_for_keys);
    tcase_add_test(cases, a_container_s_endpoint_gives_keys_for_the_token_in_its_file);
    tcase_add_test(cases, instance_metadata_is_asked_for_a_token_a_role_and_its_keys);
    tcase_add_test(cases, keys_are_renewed_before_they_end_and_good_until_the_last_moment);
    tcase_add_test(cases, the_platform_s_clock_counts_and_not_this_machine_s);
    tcase_add_test(cases, keys_that_a_server_calls_expired_are_asked_for_again);
    tcase_add_test(cases, a_failure_says_what_and_whether_it_may_go_away);
    tcase_add_test(cases, a_metadata_service_that_never_answered_is_a_matter_of_the_settings);
    tcase_add_test(cases, an_instance_without_a_role_is_told);
    tcase_add_test(cases, a_token_that_cannot_be_read_is_a_failure_and_not_shown);
    tcase_add_test(cases,
                   keys_of_files_that_changed_are_taken_when_the_server_refuses_the_old_ones);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}
