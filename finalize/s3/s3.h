/*
 * s3 - S3 requests built and signed, S3 replies read: values in, values out, no I/O.
 *
 * Knows the protocol and its servers' habits (Yandex Object Storage, MinIO, Ceph RGW, AWS). Does
 * not know when or how often to send: that is upload.h's. The XML of replies is s3_xml.h's.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/hash/digest.h"
#include "finalize/http/http.h"
#include "finalize/s3/credentials.h"
#include "finalize/s3/s3_limits.h"
#include "finalize/s3/s3_operation.h"
#include "finalize/s3/s3_xml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* What is stored with an object, in x-amz-meta-… headers. Strings are borrowed; NULL: left out. Any
 * bytes: values that aren't printable ASCII are percent-encoded. */
struct s3_object_metadata {
    const char *mark;         /* jibri-mark */
    const char *session_id;   /* jibri-session */
    const char *instance_id;  /* jibri-instance */
    uint64_t part_size_bytes; /* jibri-part-size: the part plan's base; 0: no multipart upload */
    bool incomplete;          /* jibri-incomplete: moov-missing */
};

/* One thing to ask of the server. Strings are borrowed until s3_build() returns. */
struct s3_call {
    enum s3_operation operation;
    const char *location;   /* whose bucket is asked (s3_location.h); NULL or "": the settings' */
    const char *key;        /* S3_LIST_UPLOADS: NULL: those of `prefix` */
    const char *prefix;     /* of keys */
    const char *key_marker; /* S3_LIST_UPLOADS: list those after it; NULL: from the first */
    const char *upload_id_marker; /* likewise */
    const char *copy_from;        /* S3_UPLOAD_PART: the key of the bucket whose bytes are taken */
    const char *upload_id;
    unsigned part_number;                      /* from 1 */
    unsigned part_number_marker;               /* S3_LIST_PARTS: list those above it */
    const char *content_type;                  /* S3_PUT_OBJECT, S3_CREATE_UPLOAD */
    const struct s3_object_metadata *metadata; /* the same two */
    bool replaces; /* S3_PUT_OBJECT, S3_COMPLETE_UPLOAD: an object that is there is to go, whatever
                      the setting says of conditional writes */
    int fd;        /* S3_PUT_OBJECT, S3_UPLOAD_PART: the bytes */
    uint64_t offset; /* also of S3_GET_RANGE and of what is copied */
    uint64_t length;
    const char *payload_sha256; /* of these bytes, hex */
    const char *content_md5;    /* base64, or NULL */
    const struct buffer *body;  /* S3_COMPLETE_UPLOAD: s3_xml_begin_complete() …; copied */
};

/* The bucket, as the settings name it, and what the server told us about itself. */
struct s3;

/* Borrows `settings`, which must outlive it. ERROR_SETTINGS, ERROR_TRANSIENT (no memory). */
bool s3_open(const struct settings *settings, struct s3 **ret_s3, struct error *err)
    __attribute__((warn_unused_result));
void s3_close(struct s3 *s3);

/* The keys that requests are signed with; borrowed. s3_build() needs them to be CREDENTIALS_READY.
 */
struct credentials *s3_credentials(const struct s3 *s3);

/*
 * Builds and signs the request for `call` at `now` (our own clock; the server's offset, once known,
 * is added). `ret_request` is initialised by it and to be given to http_request_done() by the
 * caller. ERROR_TRANSIENT: no memory. ERROR_PERMANENT: the setting wants Content-MD5 and OpenSSL
 * has no MD5; or a call on an upload lacks the upload id or part number (servers would take it for
 * one on the object). PUT_OBJECT carries "If-None-Match: *", and so does COMPLETE_UPLOAD, when the
 * setting asks for conditional writes.
 */
bool s3_build(const struct s3 *s3, const struct s3_call *call, time_t now,
              struct http_request *ret_request, struct error *err)
    __attribute__((warn_unused_result));

struct s3_result {
    enum s3_outcome outcome;
    bool sent;               /* false: no connection was made, the server cannot have acted */
    uint64_t retry_after_ms; /* http_reply_retry_after() */
    char etag[S3_ETAG_SIZE]; /* without quotes */
    char upload_id[S3_UPLOAD_ID_SIZE];
    uint64_t size_bytes;              /* HEAD: Content-Length */
    bool same_session;                /* HEAD: it carries the session id of the call's metadata */
    uint64_t part_size_bytes;         /* HEAD: its jibri-part-size, or 0 */
    char mark[S3_MARK_SIZE];          /* HEAD: our own mark, "" when it isn't there or isn't one */
    char session_id[S3_SESSION_SIZE]; /* HEAD: jibri-session and jibri-instance as they were */
    char instance_id[S3_INSTANCE_SIZE]; /* given, "" where they are not there */
    struct s3_xml_listing listing;      /* S3_LIST_PARTS, S3_LIST_UPLOADS */
    struct buffer body; /* S3_GET_RANGE with a length: these bytes, or fewer at the end */
    struct error error; /* for S3_RETRY, S3_SLOW_DOWN, S3_REFUSED …: what failed, on what, why */
};

/*
 * Reads the reply to `call` (rules: docs/s3-servers.md). `now` is our own clock when the reply
 * came: a RequestTimeTooSkewed reply's Date corrects the offset, a region in an error reply
 * corrects the region (each at most three times in a row, then S3_REFUSED); credentials are never
 * sent to another host, so a redirect there is S3_REFUSED and names the host. Never fails: a reply
 * that cannot be parsed is S3_RETRY when it is a 2xx or memory ran out, else S3_REFUSED. The caller
 * gives `ret_result` to s3_result_done().
 */
void s3_read(struct s3 *s3, const struct s3_call *call, const struct http_reply *reply, time_t now,
             struct s3_result *ret_result);

/* The result of a call that could not be signed, since the CREDENTIALS_FAILED: S3_RETRY or
 * S3_REFUSED. */
void s3_read_unsigned(const struct s3 *s3, struct s3_result *ret_result);

void s3_result_done(struct s3_result *result);

/* Seconds by which the server's clock was ahead of ours in the last reply that had a Date. False
 * before there was one. */
bool s3_clock_ahead(const struct s3 *s3, long *ret_ahead);
