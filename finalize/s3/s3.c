#include "finalize/s3/s3.h"

#include "config/object_headers.h"
#include "finalize/s3/s3_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool add_header(struct header_list *list, const char *prefix,
                       const struct object_header *header)
{
    struct sigv4_pair *grown = reallocarray(list->items, list->count + 1, sizeof *grown);
    char *name, *value;

    if (!grown)
        return false;
    list->items = grown;
    if (asprintf(&name, "%s%.*s", prefix, (int)header->name_length, header->name) < 0)
        return false;
    value = strndup(header->value, header->value_length);
    list->items[list->count++] = (struct sigv4_pair){name, value};
    return value != NULL;
}

static void header_list_done(struct header_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free((char *)list->items[i].name);
        free((char *)list->items[i].value);
    }
    free(list->items);
}

static bool read_metadata(struct s3 *s3, const char *list, struct error *err)
{
    while (list && *list) {
        size_t length = strcspn(list, ",");
        const char *equals = memchr(list, '=', length);
        struct object_header header = {.name = list};

        if (!equals)
            return error_set(err, ERROR_SETTINGS,
                             "CONFOMEET_S3_METADATA is not a list of name=value,name=value");
        header.name_length = (size_t)(equals - list);
        header.value = equals + 1;
        header.value_length = length - header.name_length - 1;
        if (!add_header(&s3->object_headers, "x-amz-meta-", &header))
            return error_set(err, ERROR_TRANSIENT, "no memory");
        list += length + (list[length] == ',');
    }
    return true;
}

static bool read_object_headers(struct s3 *s3, const char *list, struct error *err)
{
    struct object_header header;

    while (list && object_headers_next(&list, &header)) {
        if (object_header_fault(&header))
            return error_set(err, ERROR_SETTINGS, "CONFOMEET_S3_OBJECT_HEADERS: %.*s %s",
                             (int)header.name_length, header.name, object_header_fault(&header));
        if (!add_header(object_header_is_for_all(&header) ? &s3->request_headers
                                                          : &s3->object_headers,
                        "", &header))
            return error_set(err, ERROR_TRANSIENT, "no memory");
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
                         "address: the bucket's name can only be put before a host name");
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
        !read_metadata(s3, settings->s3_metadata, err) ||
        !read_object_headers(s3, settings->s3_object_headers, err)) {
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
    header_list_done(&s3->object_headers);
    header_list_done(&s3->request_headers);
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
