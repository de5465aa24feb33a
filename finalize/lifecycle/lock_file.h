/*
 * lock_file - the locks of a recordings directory: files beside the journal. A lock dies with its
 * holder.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"

#include <stdbool.h>

enum lock_file {
    LOCK_FILE_WATCHER, /* a watcher runs */
    LOCK_FILE_VANISHED /* a session whose directory is gone is worked on: there is none to lock */
};

/*
 * Takes the lock of the recordings directory `parent` for as long as *ret_fd, which the caller
 * closes, is open. *ret_fd is -1 when another process has it.
 */
bool lock_file_take(const struct settings *settings, const char *parent, enum lock_file which,
                    int *ret_fd, struct error *err) __attribute__((warn_unused_result));

/* True while the lock that `fd` holds is that of `parent`: not when that directory, or the
 * journal's, was replaced since. */
bool lock_file_is_at(const struct settings *settings, const char *parent, enum lock_file which,
                     int fd);

/* True while a process holds it, as lock_table.h sees it. False also when that can't be told. */
bool lock_file_is_held(const struct settings *settings, const char *parent, enum lock_file which);
