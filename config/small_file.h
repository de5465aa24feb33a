/*
 * small_file - the whole of a small regular file, such as one of settings or of a secret.
 *
 * A directory, a FIFO or a device is refused and never waited for. Knows nothing of what the bytes
 * mean; they may be secret and are wiped.
 */
#ifndef CONFIG_SMALL_FILE_H
#define CONFIG_SMALL_FILE_H

#include <stddef.h>

struct small_file {
    char *bytes; /* NUL-terminated; owned */
    size_t length;
};

/*
 * Reads at most `max_bytes` + 1 bytes of `path`: a longer file shows by a length above `max_bytes`.
 * NULL, or the reason why it can't be read, in a few words; `ret_file` is to be given to
 * small_file_done() in either case.
 */
const char *small_file_read(const char *path, size_t max_bytes, struct small_file *ret_file)
    __attribute__((warn_unused_result));

/* Wipes and frees it; it is empty then. */
void small_file_done(struct small_file *file);

#endif
