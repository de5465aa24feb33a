/*
 * s3_xml - the XML that S3 sends and takes.
 *
 * What the documents mean; xml_reader.h takes them apart. A document with a DTD is refused; depth
 * and text lengths have ceilings. Namespaces are ignored, as servers differ in them.
 */
#pragma once

#include "finalize/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* <Error>: fields are "" where absent, cut where too long. */
struct s3_xml_error {
    char code[64];
    char message[256];
    char region[64];
    char endpoint[256];
    char request_id[128];
};

/* One row of a listing. */
struct s3_xml_item {
    unsigned part_number; /* ListParts */
    uint64_t size_bytes;  /* ListParts */
    char etag[128];       /* ListParts, without quotes */
    char *upload_id;      /* ListMultipartUploads; owned */
    char *key;            /* ListMultipartUploads; owned */
    int64_t at;           /* when it came, or was begun: seconds since 1970; 0: it doesn't say */
};

struct s3_xml_listing {
    struct s3_xml_item *items; /* owned; at most 1000 a page, more is an unreadable reply */
    size_t count;
    bool truncated; /* there are more pages */
    unsigned next_part_number_marker;
    char *next_key_marker, *next_upload_id_marker; /* ListMultipartUploads; owned; NULL: none */
};

/* An ETag as it stands in a header or in XML, without its quotes and the W/ that some proxies put
 * before them. False when it does not fit. */
bool s3_xml_plain_etag(const char *text, char *ret_etag, size_t size);

/* Each returns false, and leaves its result untouched, when the document is not the one that it is
 * to be; errno is ENOMEM when it is not known whether it is, for want of memory, else 0. */
bool s3_xml_read_error(const char *xml, size_t length, struct s3_xml_error *ret_error);
bool s3_xml_read_create(const char *xml, size_t length, char *ret_upload_id,
                        size_t size); /* not empty */
/* Leading white space is passed over (servers send it to keep the line alive). The ETag may be "".
 */
bool s3_xml_read_complete(const char *xml, size_t length, char *ret_etag, size_t size);
bool s3_xml_read_copied(const char *xml, size_t length, char *ret_etag,
                        size_t size); /* not empty */
bool s3_xml_read_parts(const char *xml, size_t length, struct s3_xml_listing *ret_listing);
bool s3_xml_read_uploads(const char *xml, size_t length, struct s3_xml_listing *ret_listing);
void s3_xml_listing_done(struct s3_xml_listing *listing);

/* Writes the body of CompleteMultipartUpload, part by part in ascending order; checked by `failed`
 * of the buffer at the end. */
void s3_xml_begin_complete(struct buffer *out);
void s3_xml_add_part(struct buffer *out, unsigned part_number, const char *etag);
void s3_xml_end_complete(struct buffer *out);
