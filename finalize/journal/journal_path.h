/*
 * journal_path - the journal's directory and its file, made so that SQLite finds them. Internal to
 * the journal.
 */
#ifndef FINALIZE_JOURNAL_PATH_H
#define FINALIZE_JOURNAL_PATH_H

#include "finalize/base/error.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>

/*
 * Makes the directory (0700) and an empty file (0600) where they are not there. `ret_path` is the
 * same path with all links on the way resolved; the file itself must be none. Errors as of
 * journal_open().
 */
bool journal_path_make(const char *path, char ret_path[SESSION_PATH_SIZE], struct error *err)
    __attribute__((warn_unused_result));

#endif
