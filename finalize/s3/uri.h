/*
 * uri - percent-encoding as S3 wants it, in URLs and in headers, and the address of the endpoint.
 */
#pragma once

#include "finalize/base/buffer.h"
#include "finalize/base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Appends `text`, percent-encoded: all but A-Z a-z 0-9 - . _ ~ as %XX, upper-case hex. With
 * `keep_slashes`, '/' stays as it is (paths), else it is encoded (query values).
 */
void uri_encode(struct buffer *out, const char *text, bool keep_slashes);

/*
 * Writes `text` as a header's value, percent-encoded where necessary. Cuts it to size - 1 bytes,
 * but not within a character. False when memory runs out.
 */
bool uri_header_value(const char *text, char *out, size_t size) __attribute__((warn_unused_result));

/* Decodes such a value in place. Text that is not a valid escape stays as it is. */
void uri_decode_header_value(char *value);

/* Where requests go: scheme://host[:port]/path */
struct uri_endpoint {
    bool https;
    char *host; /* as in the Host header: "name", "name:9000", "[::1]:9000"; the scheme's default
                   port is left out; lower case */
    char *path; /* "" or "/base" without a final slash */
};

/* Parses an http(s) URL. ERROR_SETTINGS, naming no setting, when it is not one. */
bool uri_parse_endpoint(const char *url, struct uri_endpoint *ret_endpoint, struct error *err)
    __attribute__((warn_unused_result));
void uri_endpoint_done(struct uri_endpoint *endpoint);
