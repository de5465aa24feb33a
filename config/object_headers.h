/*
 * object_headers - the list of headers in CONFOMEET_S3_OBJECT_HEADERS: taken apart, and which there
 * may be.
 *
 * "name: value" each, on lines of their own or with ';' between them. A ';' that no name and colon
 * follow is one of the value's: Content-Disposition has them.
 */
#ifndef CONFIG_OBJECT_HEADERS_H
#define CONFIG_OBJECT_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

struct object_header { /* borrowed from the list, not NUL-terminated */
    const char *name, *value;
    size_t name_length, value_length;
};

/* Takes the first one off the list, without the blanks around it. False at its end. What has no
 * colon is a name without a value. */
bool object_headers_next(const char **list, struct object_header *ret_header);

/* Whether it belongs to every request, and not only to those that make an object. */
bool object_header_is_for_all(const struct object_header *header);

/* Whether it is one of Object Lock's, with which a server demands Content-MD5. */
bool object_header_is_lock(const struct object_header *header);

/* Why it may not be sent, as a sentence to follow its name; NULL: it may. */
const char *object_header_fault(const struct object_header *header);

#endif
