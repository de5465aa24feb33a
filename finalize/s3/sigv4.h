/*
 * sigv4 - AWS Signature Version 4 for S3, as a pure function of request, keys and time.
 *
 * The canonical path is the URI-encoded key, encoded once and not normalised; query names and
 * values are encoded and sorted; a name without a value is signed as "name=".
 * Source: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)",
 * Amazon S3 API Reference.
 */
#pragma once

#include "finalize/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct sigv4_pair {
    const char *name;
    const char *value; /* NULL counts as "" */
};

struct sigv4_request {
    const char *method;
    const char *path;               /* already URI-encoded; "" counts as "/" */
    const struct sigv4_pair *query; /* raw names and values: they are encoded and sorted here */
    size_t query_count;
    const struct sigv4_pair
        *headers; /* all that are to be signed: any order, any case; "host" among them */
    size_t header_count;
    const char *payload_sha256; /* lower-case hex */
};

struct sigv4_scope {
    const char *access_key;
    const char *secret_key;
    const char *region;
    const char *service; /* "s3" */
    time_t now;          /* UTC seconds, corrected by the server's clock where it is known */
};

#define SIGV4_DATE_SIZE 17 /* "20130524T000000Z" and the NUL */

/* The x-amz-date of `now`. */
void sigv4_date(time_t now, char ret_date[SIGV4_DATE_SIZE]);

/* Appends the encoded, sorted query ("a=1&b="), as it is signed and as it is to be sent. */
bool sigv4_query(struct buffer *out, const struct sigv4_pair *query, size_t count)
    __attribute__((warn_unused_result));

/* Appends the canonical request / the value of the Authorization header. False when there is no
 * memory. */
bool sigv4_canonical_request(struct buffer *out, const struct sigv4_request *request)
    __attribute__((warn_unused_result));
bool sigv4_authorization(struct buffer *out, const struct sigv4_request *request,
                         const struct sigv4_scope *scope) __attribute__((warn_unused_result));
