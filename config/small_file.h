/*
 * small_file - the whole of a small regular file, such as one of settings or of a secret.
 *
 * A directory, a FIFO or a device is refused and never waited for. Knows nothing of what the bytes
 * mean; they may be secret and are wiped.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct small_file {
    char *bytes; /* NUL-terminated; owned */
    size_t length;
};

/*
 * Reads `path`, a file of at most `max_bytes`. ERROR_SETTINGS, or ERROR_TRANSIENT for want of
 * memory: the text is the reason alone, without the path, which may be a secret in the wrong place.
 * `ret_file` is to be given to small_file_done() in either case.
 */
bool small_file_read(const char *path, size_t max_bytes, struct small_file *ret_file,
                     struct error *err) __attribute__((warn_unused_result));

/* Wipes and frees it; it is empty then. */
void small_file_done(struct small_file *file);
