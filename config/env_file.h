/*
 * env_file - files of NAME=value lines, as Docker's --env-file and systemd's EnvironmentFile read
 * them.
 *
 * One assignment a line; blank lines and lines that begin with # are passed over; "export " before
 * a name is accepted; a value may stand in single or double quotes (in double quotes \" \\ \$ \`
 * and \n are unescaped; nothing is expanded); white space around an unquoted value is dropped. CRLF
 * is accepted. Knows nothing of which names exist.
 */
#pragma once

#include "config/small_file.h"
#include "finalize/base/error.h"

#include <stdbool.h>

/* Most bytes of a file that are read; a larger one is refused. */
#define ENV_FILE_MAX_BYTES (256u * 1024)

struct env_file {
    struct small_file content;
    char *
        *lines; /* "NAME=value" strings within it, NULL-terminated; of a name the last one holds */
};

/*
 * Reads `path`. ERROR_SETTINGS, or ERROR_TRANSIENT for want of memory, when that can't be done: the
 * text names the file and, where it applies, the line's number, never its value. A directory, a
 * FIFO or a device is refused and never waited for.
 */
bool env_file_read(const char *path, struct env_file *ret_file, struct error *err)
    __attribute__((warn_unused_result));

/* Value of `name`, borrowed; NULL when it isn't there. */
const char *env_file_get(const struct env_file *file, const char *name);

/* Frees it; values are wiped first, since some are secrets. */
void env_file_done(struct env_file *file);
