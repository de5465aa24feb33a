#include "finalize/s3/s3_xml.h"

#include "finalize/base/number.h"
#include "finalize/base/utf8.h"
#include "finalize/s3/xml_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ITEMS       1000u
#define MAX_PART_NUMBER 10000u

static char *trimmed(char *text)
{
    size_t length;

    text += strspn(text, " \t\r\n");
    length = strlen(text);
    while (length && strchr(" \t\r\n", text[length - 1]))
        text[--length] = 0;
    return text;
}

/* Copies what fits of the text, as one line, and never half a character of UTF-8. */
static void copy_cut(char *text, char *out, size_t size)
{
    size_t length;

    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    text = trimmed(text);
    length = utf8_cut(text, size - 1);
    memcpy(out, text, length);
    out[length] = 0;
}

bool s3_xml_plain_etag(const char *text, char *ret_etag, size_t size)
{
    size_t length;

    if (!strncmp(text, "W/", 2))
        text += 2;
    length = strlen(text);
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    if (length >= size)
        return false;
    memcpy(ret_etag, text, length);
    ret_etag[length] = 0;
    return true;
}

static bool error_field(void *result, bool in_row, const char *name, char *text, bool cut)
{
    struct s3_xml_error *error = result;
    const struct {
        const char *name;
        char *out;
        size_t size;
    } fields[] = {{"Code", error->code, sizeof error->code},
                  {"Message", error->message, sizeof error->message},
                  {"Region", error->region, sizeof error->region},
                  {"Endpoint", error->endpoint, sizeof error->endpoint},
                  {"RequestId", error->request_id, sizeof error->request_id}};

    (void)in_row;
    (void)cut;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (!strcmp(name, fields[i].name))
            copy_cut(text, fields[i].out, fields[i].size);
    return true;
}

bool s3_xml_read_error(const char *xml, size_t length, struct s3_xml_error *ret_error)
{
    static const struct xml_document document = {.root = "Error", .field = error_field};
    struct s3_xml_error error = {0};

    if (!xml_read(xml, length, &document, &error))
        return false;
    *ret_error = error;
    return true;
}

/* One text of a document: an upload id, which is taken as it is, or an ETag. */
struct single {
    const char *name;
    bool needed; /* not to be missing or empty */
    char text[XML_MAX_TEXT_BYTES + 1];
};

static bool single_field(void *result, bool in_row, const char *name, char *text, bool cut)
{
    struct single *single = result;

    (void)in_row;
    if (strcmp(name, single->name) != 0)
        return true;
    text = trimmed(text);
    if (!strcmp(name, "ETag"))
        return !cut && s3_xml_plain_etag(text, single->text, sizeof single->text);
    memcpy(single->text, text, strlen(text) + 1);
    return !cut;
}

static bool read_single(const char *xml, size_t length, const char *root, struct single *single,
                        char *out, size_t size)
{
    const struct xml_document document = {.root = root, .field = single_field};

    if (!xml_read(xml, length, &document, single) || strlen(single->text) >= size ||
        (single->needed && !single->text[0]))
        return false;
    memcpy(out, single->text, strlen(single->text) + 1);
    return true;
}

bool s3_xml_read_create(const char *xml, size_t length, char *ret_upload_id, size_t size)
{
    struct single id = {.name = "UploadId", .needed = true};

    return read_single(xml, length, "InitiateMultipartUploadResult", &id, ret_upload_id, size);
}

bool s3_xml_read_complete(const char *xml, size_t length, char *ret_etag, size_t size)
{
    struct single etag = {.name = "ETag"};

    return read_single(xml, length, "CompleteMultipartUploadResult", &etag, ret_etag, size);
}

bool s3_xml_read_copied(const char *xml, size_t length, char *ret_etag, size_t size)
{
    struct single etag = {.name = "ETag", .needed = true};

    return read_single(xml, length, "CopyPartResult", &etag, ret_etag, size);
}

/* "2026-11-24T09:41:00.000Z"; 0 where it is no such time. */
static int64_t read_time(const char *text)
{
    struct tm tm = {0};

    /* NOLINTNEXTLINE(cert-err34-c): no number has more than four digits */
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) != 6 ||
        tm.tm_year < 1970)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)timegm(&tm);
}

/* A listing while it is read. */
struct growing_listing {
    struct s3_xml_listing listing;
    bool has_size; /* of the row at hand */
    bool has_marker;
};

static bool begin_row(void *result)
{
    struct growing_listing *growing = result;
    struct s3_xml_listing *listing = &growing->listing;

    struct s3_xml_item *items =
        listing->count < MAX_ITEMS ? reallocarray(listing->items, listing->count + 1, sizeof *items)
                                   : NULL;

    if (!items)
        return false;
    listing->items = items;
    items[listing->count++] = (struct s3_xml_item){0};
    growing->has_size = false;
    return true;
}

static bool read_truncated(char *text, bool *ret_truncated)
{
    text = trimmed(text);
    *ret_truncated = !strcmp(text, "true");
    return *ret_truncated || !strcmp(text, "false");
}

static bool part_field(void *result, bool in_row, const char *name, char *text, bool cut)
{
    struct growing_listing *growing = result;
    struct s3_xml_listing *listing = &growing->listing;
    uint64_t number;

    if (!in_row) {
        if (!strcmp(name, "IsTruncated"))
            return read_truncated(text, &listing->truncated);
        if (!strcmp(name, "NextPartNumberMarker") && *trimmed(text)) {
            if (!number_read(trimmed(text), 0, MAX_PART_NUMBER, &number))
                return false;
            listing->next_part_number_marker = (unsigned)number;
            growing->has_marker = true;
        }
        return true;
    }
    struct s3_xml_item *item = &listing->items[listing->count - 1];

    if (!strcmp(name, "PartNumber")) {
        if (!number_read(trimmed(text), 0, MAX_PART_NUMBER, &number))
            return false;
        item->part_number = (unsigned)number;
    } else if (!strcmp(name, "Size")) {
        if (!number_read(trimmed(text), 0, UINT64_MAX, &item->size_bytes))
            return false;
        growing->has_size = true;
    } else if (!strcmp(name, "LastModified")) {
        item->at = read_time(trimmed(text));
    } else if (!strcmp(name, "ETag")) {
        return !cut && s3_xml_plain_etag(trimmed(text), item->etag, sizeof item->etag);
    }
    return true;
}

static bool end_part(void *result)
{
    const struct growing_listing *growing = result;
    const struct s3_xml_item *item = &growing->listing.items[growing->listing.count - 1];

    return item->part_number && growing->has_size && item->etag[0];
}

static bool copy_new(const char *text, bool cut, char **owned)
{
    if (cut || *owned)
        return false;
    *owned = strdup(text);
    return *owned != NULL;
}

static bool upload_field(void *result, bool in_row, const char *name, char *text, bool cut)
{
    struct s3_xml_listing *listing = &((struct growing_listing *)result)->listing;

    if (!in_row && !strcmp(name, "NextKeyMarker") && *text)
        return copy_new(text, cut, &listing->next_key_marker);
    if (!in_row && !strcmp(name, "NextUploadIdMarker") && *text)
        return copy_new(trimmed(text), cut, &listing->next_upload_id_marker);
    if (!in_row)
        return strcmp(name, "IsTruncated") != 0 || read_truncated(text, &listing->truncated);
    if (!strcmp(name, "Initiated"))
        listing->items[listing->count - 1].at = read_time(trimmed(text));
    if (!strcmp(name, "Key"))
        return copy_new(text, cut, &listing->items[listing->count - 1].key);
    if (!strcmp(name, "UploadId"))
        return copy_new(trimmed(text), cut, &listing->items[listing->count - 1].upload_id);
    return true;
}

static bool end_upload(void *result)
{
    const struct s3_xml_listing *listing = &((struct growing_listing *)result)->listing;
    const struct s3_xml_item *item = &listing->items[listing->count - 1];

    return item->key && item->upload_id && item->upload_id[0];
}

static bool read_listing(const char *xml, size_t length, const struct xml_document *document,
                         struct s3_xml_listing *ret_listing)
{
    struct growing_listing growing = {0};
    struct s3_xml_listing *listing = &growing.listing;
    bool ok = xml_read(xml, length, document, &growing);

    if (ok && listing->truncated && !growing.has_marker && document->field == part_field) {
        ok = listing->count > 0;
        listing->next_part_number_marker = ok ? listing->items[listing->count - 1].part_number : 0;
    }
    if (ok)
        *ret_listing = *listing;
    else
        s3_xml_listing_done(listing);
    return ok;
}

bool s3_xml_read_parts(const char *xml, size_t length, struct s3_xml_listing *ret_listing)
{
    static const struct xml_document document = {.root = "ListPartsResult",
                                                 .row = "Part",
                                                 .begin_row = begin_row,
                                                 .end_row = end_part,
                                                 .field = part_field};

    return read_listing(xml, length, &document, ret_listing);
}

bool s3_xml_read_uploads(const char *xml, size_t length, struct s3_xml_listing *ret_listing)
{
    static const struct xml_document document = {.root = "ListMultipartUploadsResult",
                                                 .row = "Upload",
                                                 .begin_row = begin_row,
                                                 .end_row = end_upload,
                                                 .field = upload_field};

    return read_listing(xml, length, &document, ret_listing);
}

void s3_xml_listing_done(struct s3_xml_listing *listing)
{
    if (!listing)
        return;
    for (size_t i = 0; i < listing->count; i++) {
        free(listing->items[i].upload_id);
        free(listing->items[i].key);
    }
    free(listing->items);
    free(listing->next_key_marker);
    free(listing->next_upload_id_marker);
    *listing = (struct s3_xml_listing){0};
}

void s3_xml_begin_complete(struct buffer *out)
{
    buffer_append_text(
        out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
}

static void append_escaped(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            buffer_append_text(out, "&amp;");
        else if (*text == '<')
            buffer_append_text(out, "&lt;");
        else if (*text == '>')
            buffer_append_text(out, "&gt;");
        else
            buffer_append(out, text, 1);
    }
}

void s3_xml_add_part(struct buffer *out, unsigned part_number, const char *etag)
{
    buffer_append_format(out, "<Part><PartNumber>%u</PartNumber><ETag>\"", part_number);
    append_escaped(out, etag);
    buffer_append_text(out, "\"</ETag></Part>");
}

void s3_xml_end_complete(struct buffer *out)
{
    buffer_append_text(out, "</CompleteMultipartUpload>");
}
