/* credentials_platform - which platform is asked for keys, and how: an STS service with a web
 * identity, the endpoint of a container, the metadata service of an instance. */
#include "config/settings_checks.h"
#include "config/small_file.h"
#include "finalize/s3/credentials_private.h"
#include "finalize/s3/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CEILING         (64u * 1024)
#define MAX_TOKEN_BYTES (16u * 1024)
#define PATIENCE_MS     10000u
#define METADATA_MS     2000u /* it answers at once where there is one */
#define METADATA_PATH   "/latest/meta-data/iam/security-credentials/"

#define WEB_IDENTITY_FILE "AWS_WEB_IDENTITY_TOKEN_FILE"
#define WEB_IDENTITY_ROLE "AWS_ROLE_ARN"
#define CONTAINER_TOKEN   "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define CONTAINER_PATH    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define CONTAINER_URL     "AWS_CONTAINER_CREDENTIALS_FULL_URI"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

const char *platform_name(enum credentials_source source)
{
    static const char *const names[] = {
        [CREDENTIALS_SETTINGS] = "the settings",
        [CREDENTIALS_WEB_IDENTITY] = "web identity",
        [CREDENTIALS_CONTAINER] = "the container's endpoint",
        [CREDENTIALS_INSTANCE] = "instance metadata",
    };

    return names[source];
}

/* ---- which one ------------------------------------------------------------------------------- */

static bool make_url(struct platform *platform, const char *before, const char *value,
                     const char *after, struct error *err)
{
    if (asprintf(&platform->url, "%s%s%s", before, value, after) >= 0)
        return true;
    platform->url = NULL;
    return error_set(err, ERROR_TRANSIENT, "no memory");
}

static bool open_web_identity(struct platform *platform, struct error *err)
{
    const char *legacy = variable("AWS_STS_REGIONAL_ENDPOINTS"),
               *own = variable("AWS_ENDPOINT_URL_STS");
    const char *region = variable("AWS_REGION");

    platform->source = CREDENTIALS_WEB_IDENTITY;
    if (!variable(WEB_IDENTITY_ROLE) || !variable(WEB_IDENTITY_FILE))
        return error_set(err, ERROR_SETTINGS, "%s is set, but %s is not",
                         variable(WEB_IDENTITY_ROLE) ? WEB_IDENTITY_ROLE : WEB_IDENTITY_FILE,
                         variable(WEB_IDENTITY_ROLE) ? WEB_IDENTITY_FILE : WEB_IDENTITY_ROLE);
    if (!region)
        region = variable("AWS_DEFAULT_REGION");
    if (own && !settings_check_url(own))
        return error_set(err, ERROR_SETTINGS,
                         "AWS_ENDPOINT_URL_STS is not a URL such as https://host");
    if (own)
        return make_url(platform, own, "", "", err);
    if (!region || (legacy && !strcasecmp(legacy, "legacy")))
        return make_url(platform, "https://sts.amazonaws.com/", "", "", err);
    if (!settings_check_name(region))
        return error_set(err, ERROR_SETTINGS, "AWS_REGION is not a region such as eu-central-1");
    return make_url(platform, "https://sts.", region,
                    strncmp(region, "cn-", 3) != 0 ? ".amazonaws.com/" : ".amazonaws.com.cn/", err);
}

/* On this machine, or one of the addresses that ECS and EKS have for this: as the SDKs. */
static bool is_beside_us(const char *host)
{
    static const char *const hosts[] = {"localhost", "[::1]", "169.254.170.2", "169.254.170.23",
                                        "[fd00:ec2::23]"};

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t length = strlen(hosts[i]);

        if (!strncmp(host, hosts[i], length) && (!host[length] || host[length] == ':'))
            return true;
    }
    return !strncmp(host, "127.", 4) && strspn(host, "0123456789.") == strcspn(host, ":");
}

static bool open_container(struct platform *platform, struct error *err)
{
    const char *path = variable(CONTAINER_PATH), *url = variable(CONTAINER_URL);
    struct uri_endpoint endpoint;
    struct error ignored = ERROR_INIT;
    bool https;

    platform->source = CREDENTIALS_CONTAINER;
    platform->direct = true;
    if (path)
        return *path == '/' ? make_url(platform, "http://169.254.170.2", path, "", err)
                            : error_set(err, ERROR_SETTINGS, CONTAINER_PATH " is not a path");
    if (!uri_parse_endpoint(url, &endpoint, &ignored))
        return error_set(err, ERROR_SETTINGS, CONTAINER_URL " is not a URL");
    platform->direct = is_beside_us(endpoint.host);
    https = endpoint.https;
    uri_endpoint_done(&endpoint);
    if (platform->direct || https)
        return make_url(platform, url, "", "", err);
    return error_set(err, ERROR_SETTINGS,
                     CONTAINER_URL " is to be https, or an address of this machine, of ECS or EKS");
}

static bool open_instance(struct platform *platform, struct error *err)
{
    const char *url = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    size_t length;

    platform->source = CREDENTIALS_INSTANCE;
    platform->direct = true;
    if (url && !settings_check_url(url))
        return error_set(err, ERROR_SETTINGS,
                         "AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL as http://host");
    if (!url)
        url =
            mode && !strcasecmp(mode, "ipv6") ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
    if (!make_url(platform, url, "", "", err))
        return false;
    length = platform->url ? strlen(platform->url) : 0;
    if (length && platform->url[length - 1] == '/')
        platform->url[length - 1] = 0;
    return true;
}

bool platform_open(struct platform *platform, struct error *err)
{
    const char *disabled = variable("AWS_EC2_METADATA_DISABLED");

    if (variable(WEB_IDENTITY_FILE))
        return open_web_identity(platform, err);
    if (variable(CONTAINER_PATH) || variable(CONTAINER_URL))
        return open_container(platform, err);
    if (!disabled || strcasecmp(disabled, "true") != 0)
        return open_instance(platform, err);
    return error_set(err, ERROR_SETTINGS, "CONFOMEET_S3_CLIENT_ID is not set");
}

void platform_done(struct platform *platform)
{
    free(platform->url);
    free(platform->role);
    credentials_wipe(&platform->token);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool no_memory(struct error *err)
{
    return error_set(err, ERROR_TRANSIENT, "no keys: no memory to ask for them");
}

/* A token that the platform keeps in a file and writes again from time to time. */
static bool read_token(const char *name, struct small_file *ret_file, struct error *err)
{
    struct error reason = ERROR_INIT;

    if (!small_file_read(variable(name), MAX_TOKEN_BYTES, ret_file, &reason))
        return error_set(err, ERROR_TRANSIENT, "no keys: the file of %s: %s", name, reason.text);
    ret_file->bytes[strcspn(ret_file->bytes, "\r\n")] = 0;
    return settings_check_token(ret_file->bytes) ||
           error_set(err, ERROR_TRANSIENT, "no keys: there is no token in the file of %s", name);
}

static bool ask_sts(struct http_request *request, struct error *err)
{
    const char *session = variable("AWS_ROLE_SESSION_NAME");
    struct http_body *body = &request->body;
    struct small_file token;
    struct buffer encoded;

    request->method = "POST";
    if (!read_token(WEB_IDENTITY_FILE, &token, err)) {
        small_file_done(&token);
        return false;
    }
    buffer_init(&encoded, CEILING);
    uri_encode(&encoded, variable(WEB_IDENTITY_ROLE), false);
    buffer_append_text(&encoded, "&RoleSessionName=");
    uri_encode(&encoded, session ? session : "jibri-finalize", false);
    buffer_append_text(&encoded, "&WebIdentityToken=");
    uri_encode(&encoded, token.bytes, false);
    small_file_done(&token);
    buffer_init(&body->memory, CEILING);
    buffer_append_format(&body->memory,
                         "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=%s",
                         buffer_text(&encoded));
    body->kind = HTTP_BODY_MEMORY;
    body->length = body->memory.length;
    if (encoded.failed)
        body->memory.failed = true;
    buffer_wipe(&encoded);
    return (!body->memory.failed && http_request_add_header(request, "Content-Type",
                                                            "application/x-www-form-urlencoded")) ||
           no_memory(err);
}

static bool ask_container(struct http_request *request, struct error *err)
{
    const char *value = variable(CONTAINER_TOKEN);
    struct small_file token = {0};
    bool ok = true;

    if (variable(CONTAINER_TOKEN "_FILE")) {
        ok = read_token(CONTAINER_TOKEN "_FILE", &token, err);
        value = token.bytes;
    }
    if (ok && value && !http_request_add_header(request, "Authorization", value))
        ok = error_set(err, ERROR_SETTINGS, "no keys: " CONTAINER_TOKEN " can't be sent");
    small_file_done(&token);
    return ok;
}

/* A token first, then the name of the role, then its keys. */
static bool ask_instance(const struct platform *platform, struct http_request *request,
                         struct error *err)
{
    bool ok;

    request->timeout_ms = METADATA_MS;
    if (!platform->token) {
        request->method = "PUT";
        request->body.kind = HTTP_BODY_MEMORY;
        ok = http_request_add_header(request, "x-aws-ec2-metadata-token-ttl-seconds", "300");
    } else {
        ok = http_request_add_header(request, "x-aws-ec2-metadata-token", platform->token);
    }
    return ok || no_memory(err);
}

bool platform_ask(const struct platform *platform, struct http_request *ret_request,
                  struct error *err)
{
    const char *path = platform->token ? METADATA_PATH : "/latest/api/token";

    http_request_init(ret_request, "GET");
    ret_request->timeout_ms = PATIENCE_MS;
    ret_request->reply_ceiling = CEILING;
    ret_request->direct = platform->direct;
    if (asprintf(&ret_request->url, "%s%s%s", platform->url,
                 platform->source == CREDENTIALS_INSTANCE ? path : "",
                 platform->role ? platform->role : "") < 0) {
        ret_request->url = NULL;
        return no_memory(err);
    }
    if (platform->source == CREDENTIALS_WEB_IDENTITY)
        return ask_sts(ret_request, err);
    if (platform->source == CREDENTIALS_CONTAINER)
        return ask_container(ret_request, err);
    return ask_instance(platform, ret_request, err);
}
