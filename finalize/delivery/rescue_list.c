/*
 * rescue_list - the multipart uploads in the bucket that look like a recording's, and their parts.
 */
#include "finalize/delivery/rescue_private.h"

#include "finalize/s3/part.h"
#include "finalize/session/file_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ----------------------------------------------------------------------------------- */

/* What the template puts before a file's name within the last name of the key, as far as it is the
 * same in every key. */
static const char *literal_end(const char *prefix)
{
    const char *slash = strrchr(prefix, '/'), *brace = strrchr(prefix, '}');
    const char *from = slash > brace ? slash : brace;

    return from ? from + 1 : prefix;
}

/* "~2" to "~99" before the ending. */
static size_t suffix_length(const char *at)
{
    size_t digits = at[0] == '~' ? strspn(at + 1, "0123456789") : 0;

    return (digits == 1 || digits == 2) && at[1 + digits] == '.' ? 1 + digits : 0;
}

static int hex_value(char digit)
{
    const char *digits = "0123456789ABCDEF", *found = digit ? strchr(digits, digit) : NULL;

    return found ? (int)(found - digits) : -1;
}

void rescue_append_name(const struct settings *settings, const char *key, struct buffer *out)
{
    const char *literal = literal_end(settings->s3_key_prefix ? settings->s3_key_prefix : "");
    const char *name = file_name_of(key), *dot;

    if (!strncmp(name, literal, strlen(literal)))
        name += strlen(literal);
    dot = strrchr(name, '.');
    while (*name) {
        if (name[0] == '~' && dot && name + suffix_length(name) == dot)
            name = dot;
        if (name[0] == '%' && hex_value(name[1]) >= 0 && hex_value(name[2]) >= 0) {
            char byte = (char)(hex_value(name[1]) * 16 + hex_value(name[2]));

            buffer_append(out, &byte, 1); /* as key.h maps it */
            name += 3;
        } else {
            buffer_append(out, name++, 1);
        }
    }
}

static bool is_recording(const struct settings *settings, const char *key)
{
    int year, month, day;
    struct buffer name;
    bool is;

    buffer_init(&name, S3_MAX_KEY_BYTES);
    rescue_append_name(settings, key, &name);
    is = file_name_is_media(settings->media, buffer_text(&name)) &&
         file_name_day(buffer_text(&name), &year, &month, &day);
    buffer_done(&name);
    return is;
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* Which plans the parts may follow. All but the last are to be as long as the plan says, whose base
 * is the first of them. */
struct fit {
    struct part_plan plans[2];
    bool fits[2];
    bool begun;
    unsigned last; /* number and length of the part before */
    uint64_t last_bytes;
};

static void check_fit(struct fit *fit)
{
    for (unsigned i = 0; i < 2; i++)
        fit->fits[i] = fit->fits[i] && fit->plans[i].base_bytes >= S3_MIN_PART_BYTES &&
                       fit->plans[i].base_bytes <= S3_MAX_PART_BYTES &&
                       part_range(fit->plans[i], fit->last).length == fit->last_bytes;
}

static void take_fit(struct fit *fit, const struct s3_xml_item *item)
{
    if (fit->begun)
        check_fit(fit);
    else
        *fit = (struct fit){.plans = {{.base_bytes = item->size_bytes},
                                      {.base_bytes = item->size_bytes, .grows_early = true}},
                            .fits = {true, true},
                            .begun = true};
    fit->last = item->part_number;
    fit->last_bytes = item->size_bytes;
}

static void take_part(struct rescue_upload *upload, const struct s3_xml_item *item, bool all,
                      struct buffer *body)
{
    bool follows = item->part_number == upload->in_a_row + 1;

    upload->parts++;
    upload->all_bytes += item->size_bytes;
    if (item->at > upload->last_part_at)
        upload->last_part_at = item->at;
    if (follows) {
        upload->in_a_row++;
        upload->bytes += item->size_bytes;
    }
    if (body && (follows || all))
        s3_xml_add_part(body, item->part_number, item->etag);
}

bool rescue_list_parts(const struct rescue *rescue, struct rescue_upload *upload, bool all,
                       struct buffer *body, bool *ret_fits, struct error *err)
{
    struct s3_call call = {
        .operation = S3_LIST_PARTS, .key = upload->key, .upload_id = upload->upload_id, .fd = -1};
    struct fit fit = {.fits = {true, true}};
    struct s3_result result;
    bool more = true;

    upload->parts = upload->in_a_row = 0;
    upload->bytes = upload->all_bytes = 0;
    upload->last_part_at = 0;
    while (more) {
        if (!rescue_ask(rescue, &call, &result, err))
            return false;
        if (result.outcome != S3_DONE) {
            *err = result.error;
            s3_result_done(&result);
            return false;
        }
        for (size_t i = 0; i < result.listing.count; i++) {
            take_fit(&fit, &result.listing.items[i]);
            take_part(upload, &result.listing.items[i], all, body);
        }
        more = result.listing.truncated;
        call.part_number_marker = result.listing.next_part_number_marker;
        s3_result_done(&result);
    }
    *ret_fits = fit.fits[0] || fit.fits[1];
    return true;
}

/* ---- uploads --------------------------------------------------------------------------------- */

/* Noted in the record, or, where it did not come to that, without parts. A record that can't be
 * read tells nothing: that is for the call that completes. */
static bool is_of_rescue(const struct rescue *rescue, const struct rescue_upload *upload)
{
    struct error ignored = ERROR_INIT;
    struct rescue_record record;

    return rescue_read_record(rescue, upload->key, &record, &ignored) && record.there &&
           (!upload->parts || !strcmp(upload->upload_id, record.upload_id));
}

/* One of the listing. It may have ended since. */
static bool look_at(const struct rescue *rescue, const struct s3_xml_item *item,
                    bool (*found)(void *context, const struct rescue_upload *upload,
                                  struct error *err),
                    void *context, struct error *err)
{
    struct rescue_upload upload = {.started_at = item->at};
    struct error failure = ERROR_INIT;
    bool fits;

    if (strlen(item->key) >= sizeof upload.key ||
        strlen(item->upload_id) >= sizeof upload.upload_id ||
        !is_recording(rescue->settings, item->key))
        return true;
    snprintf(upload.key, sizeof upload.key, "%s", item->key);
    snprintf(upload.upload_id, sizeof upload.upload_id, "%s", item->upload_id);
    if (!rescue_list_parts(rescue, &upload, false, NULL, &fits, &failure)) {
        if (failure.http_status == 404)
            return true;
        *err = failure;
        return false;
    }
    if (!fits)
        return true;
    upload.of_rescue = is_of_rescue(rescue, &upload);
    return found(context, &upload, err);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* Else the server gives the same page for ever. */
static bool leads_on(const struct s3_xml_listing *before, const struct s3_xml_listing *page)
{
    return !same_text(before->next_key_marker, page->next_key_marker) ||
           !same_text(before->next_upload_id_marker, page->next_upload_id_marker);
}

bool rescue_list(const struct rescue *rescue, const char *key,
                 bool (*found)(void *context, const struct rescue_upload *upload,
                               struct error *err),
                 void *context, struct error *err)
{
    const char *prefix = rescue->settings->s3_key_prefix ? rescue->settings->s3_key_prefix : "";
    char *begins = strndup(prefix, strcspn(prefix, "{"));
    struct s3_call call = {.operation = S3_LIST_UPLOADS, .key = key, .prefix = begins, .fd = -1};
    struct s3_result page = {.outcome = S3_DONE}, before = {.outcome = S3_DONE};
    bool ok = begins != NULL, more = ok;

    while (ok && more) {
        ok = rescue_ask(rescue, &call, &page, err);
        if (!ok)
            break;
        more = page.listing.truncated && page.listing.next_key_marker &&
               leads_on(&before.listing, &page.listing);
        s3_result_done(&before);
        before = page; /* the markers of the next call are in it */
        if (page.outcome != S3_DONE) {
            *err = page.error;
            ok = false;
        }
        for (size_t i = 0; ok && i < page.listing.count; i++)
            ok = look_at(rescue, &page.listing.items[i], found, context, err);
        call.key_marker = page.listing.next_key_marker;
        call.upload_id_marker = page.listing.next_upload_id_marker;
    }
    s3_result_done(&before);
    free(begins);
    return ok || error_set(err, ERROR_TRANSIENT, "no memory");
}
