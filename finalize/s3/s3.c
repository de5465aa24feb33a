#include "finalize/s3/s3.h"

#include "finalize/s3/s3_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One "name=value" of settings.s3_metadata, as a header. */
static bool add_metadata(struct s3 *s3, const char *pair, size_t length)
{
    const char *equals = memchr(pair, '=', length);
    struct sigv4_pair *made = &s3->metadata[s3->metadata_count++];
    char *name, *value;

    if (asprintf(&name, "x-amz-meta-%.*s", (int)(equals - pair), pair) < 0)
        return false;
    made->name = name;
    value = strndup(equals + 1, length - (size_t)(equals + 1 - pair));
    made->value = value;
    return value != NULL;
}

static bool read_metadata(struct s3 *s3, const char *list, struct error *err)
{
    size_t count = 1;

    if (!list || !*list)
        return true;
    for (const char *p = list; *p; p++)
        count += *p == ',';
    s3->metadata = calloc(count, sizeof *s3->metadata);
    if (!s3->metadata)
        return error_set(err, ERROR_TRANSIENT, "no memory");
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(list, ",");

        if (!memchr(list, '=', length))
            return error_set(err, ERROR_SETTINGS,
                             "CONFOMEET_S3_METADATA is not a list of name=value,name=value");
        if (!add_metadata(s3, list, length))
            return error_set(err, ERROR_TRANSIENT, "no memory");
        list += length + 1;
    }
    return true;
}

static bool read_endpoint(struct s3 *s3, struct error *err)
{
    const struct settings *settings = s3->settings;
    struct error cause = ERROR_INIT;
    const char *host;

    if (!uri_parse_endpoint(settings->s3_url ? settings->s3_url : "", &s3->endpoint, &cause))
        return error_set(err, cause.kind, "CONFOMEET_S3_URL: %s", cause.text);
    if (settings->s3_addressing != SETTINGS_ADDRESSING_VIRTUAL)
        return true;
    host = s3->endpoint.host;
    if (host[0] == '[' || strspn(host, "0123456789.") == strcspn(host, ":"))
        return error_set(err, ERROR_SETTINGS,
                         "CONFOMEET_S3_ADDRESSING is virtual, but CONFOMEET_S3_URL has an IP "
                         "address, which no bucket's name can be put before");
    return true;
}

bool s3_open(const struct settings *settings, struct s3 **ret_s3, struct error *err)
{
    const char *region =
        settings->s3_region && *settings->s3_region ? settings->s3_region : "us-east-1";
    struct s3 *s3;

    if (!settings->s3_bucket || !*settings->s3_bucket)
        return error_set(err, ERROR_SETTINGS, "CONFOMEET_S3_BUCKET is not set");
    if (strlen(region) >= S3_REGION_SIZE)
        return error_set(err, ERROR_SETTINGS, "CONFOMEET_S3_REGION is longer than %d bytes",
                         S3_REGION_SIZE - 1);
    s3 = calloc(1, sizeof *s3);
    if (!s3)
        return error_set(err, ERROR_TRANSIENT, "no memory");
    s3->settings = settings;
    memcpy(s3->region, region, strlen(region) + 1);
    if (!credentials_open(settings, &s3->credentials, err) || !read_endpoint(s3, err) ||
        !read_metadata(s3, settings->s3_metadata, err)) {
        s3_close(s3);
        return false;
    }
    *ret_s3 = s3;
    return true;
}

void s3_close(struct s3 *s3)
{
    if (!s3)
        return;
    for (size_t i = 0; i < s3->metadata_count; i++) {
        free((char *)s3->metadata[i].name);
        free((char *)s3->metadata[i].value);
    }
    free(s3->metadata);
    uri_endpoint_done(&s3->endpoint);
    credentials_close(s3->credentials);
    free(s3);
}

struct credentials *s3_credentials(const struct s3 *s3)
{
    return s3->credentials;
}

bool s3_clock_ahead(const struct s3 *s3, long *ret_ahead)
{
    *ret_ahead = s3->clock_ahead_s;
    return s3->clock_known;
}
