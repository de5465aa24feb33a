/* settings_load_checks - what settings mean together: one needs another, or excludes it. */
#include "config/settings_load_private.h"

#include "config/object_headers.h"
#include "config/settings_checks.h"
#include "config/settings_values.h"
#include "config/units.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define MIB            (UINT64_C(1) << 20)
#define MAX_PART_BYTES (UINT64_C(5) << 30)
#define MAX_SHOWN_NAME 80

static bool is_wrong(const struct loader *loader, const char *name)
{
    const struct settings_row *row = settings_table_find(name);
    assert(row);
    return loader->is_wrong[row - settings_table];
}

/* Id and secret belong together; without them, the platform gives keys (credentials.h). */
static void check_keys(struct loader *loader)
{
    const struct settings *settings = &loader->settings;
    const char *set = settings->s3_client_id       ? "CONFOMEET_S3_CLIENT_ID"
                      : settings->s3_client_secret ? "CONFOMEET_S3_CLIENT_SECRET"
                                                   : "CONFOMEET_S3_SESSION_TOKEN";

    if (is_wrong(loader, "CONFOMEET_S3_CLIENT_ID") ||
        is_wrong(loader, "CONFOMEET_S3_CLIENT_SECRET") ||
        (settings->s3_client_id && settings->s3_client_secret) ||
        (!settings->s3_client_id && !settings->s3_client_secret && !settings->s3_session_token))
        return;
    settings_load_complain(
        loader, "%s is not set, but %s is: expected both",
        settings->s3_client_id ? "CONFOMEET_S3_CLIENT_SECRET" : "CONFOMEET_S3_CLIENT_ID", set);
}

static void check_instance(struct loader *loader)
{
    const struct settings *settings = &loader->settings;
    if (!settings->s3_key_prefix || !strstr(settings->s3_key_prefix, "{instance}"))
        return;
    if (!settings->instance_id && !is_wrong(loader, "JIBRI_INSTANCE_ID"))
        settings_load_complain(
            loader,
            "JIBRI_INSTANCE_ID is not set, but {instance} in CONFOMEET_S3_KEY_PREFIX needs it");
}

static void check_backend(struct loader *loader)
{
    const struct settings *settings = &loader->settings;
    bool is_known = !is_wrong(loader, "CONFOMEET_NOTICE") &&
                    !is_wrong(loader, "CONFOMEET_BASE_URL") && !is_wrong(loader, "XMPP_DOMAIN");
    if (is_known && settings->notice && !settings->base_url && !settings->xmpp_domain)
        settings_load_complain(
            loader,
            "CONFOMEET_BASE_URL is not set, nor is XMPP_DOMAIN: expected one of them, so that "
            "the backend can be notified, or CONFOMEET_NOTICE=off");
}

/* The value of a header is not shown: it may be a key that got into the wrong place. */
static void check_object_headers(struct loader *loader)
{
    const char *list = loader->settings.s3_object_headers;
    struct object_header header, other;

    while (list && object_headers_next(&list, &header)) {
        const char *fault = object_header_fault(&header), *rest = list;

        while (!fault && object_headers_next(&rest, &other))
            if (other.name_length == header.name_length &&
                !strncasecmp(other.name, header.name, header.name_length))
                fault = "is there twice";
        if (!fault && object_header_is_lock(&header) && !loader->settings.s3_content_md5)
            fault = "needs CONFOMEET_S3_CONTENT_MD5=on";
        if (fault)
            settings_load_complain(
                loader, "CONFOMEET_S3_OBJECT_HEADERS: %.*s %s",
                (int)(header.name_length < MAX_SHOWN_NAME ? header.name_length : MAX_SHOWN_NAME),
                header.name, fault);
    }
}

static void check_addressing(struct loader *loader)
{
    const struct settings *settings = &loader->settings;
    if (!settings->s3_bucket || settings->s3_addressing != SETTINGS_ADDRESSING_VIRTUAL ||
        settings_check_bucket_in_host(settings->s3_bucket))
        return;
    char quoted[SETTINGS_QUOTED_BYTES];
    settings_load_complain(
        loader,
        "CONFOMEET_S3_ADDRESSING is \"virtual\", but the bucket %s cannot be part of a host's "
        "name; expected path",
        settings_value_quote(settings->s3_bucket, quoted, sizeof quoted));
}

/* How much 10,000 parts hold, by the part plan (finalize/s3/part.h): 8,900 of one size, then
 * groups of four, where those of group g = 1..275 are 1 + g * g times as large. */
static uint64_t capacity_bytes(uint64_t part_size_bytes)
{
    uint64_t capacity = 8900 * part_size_bytes;
    for (uint64_t g = 1; g <= 275; g++) {
        uint64_t size = part_size_bytes * (1 + g * g);
        capacity += 4 * (size < MAX_PART_BYTES ? size : MAX_PART_BYTES);
    }
    return capacity;
}

static void check_part_plan(struct loader *loader)
{
    uint64_t part_size = loader->settings.s3_part_size_bytes;
    uint64_t largest = loader->settings.s3_max_object_bytes;
    if (is_wrong(loader, "CONFOMEET_S3_PART_SIZE") ||
        is_wrong(loader, "CONFOMEET_S3_MAX_OBJECT_SIZE") || capacity_bytes(part_size) >= largest)
        return;
    uint64_t enough = part_size - part_size % MIB;
    while (enough < MAX_PART_BYTES && capacity_bytes(enough) < largest)
        enough += MIB;
    char spelt[2][32];
    char capacity[32];
    settings_load_complain(
        loader,
        "CONFOMEET_S3_PART_SIZE is \"%s\", so that 10,000 parts hold %s, less than "
        "CONFOMEET_S3_MAX_OBJECT_SIZE (%s): expected %" PRIu64 "MiB at least",
        units_spell_size(part_size, spelt[0], sizeof spelt[0]),
        units_format_size(capacity_bytes(part_size), capacity, sizeof capacity),
        units_spell_size(largest, spelt[1], sizeof spelt[1]), enough / MIB);
}

void settings_load_check(struct loader *loader)
{
    check_keys(loader);
    check_object_headers(loader);
    check_addressing(loader);
    check_part_plan(loader);
    check_instance(loader);
    check_backend(loader);
}
