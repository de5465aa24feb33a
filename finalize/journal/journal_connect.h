/*
 * journal_connect - the opening of the file that holds the journal: it is made where it isn't
 * there, and brought up to date where it is older. Internal to the journal.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>

struct sqlite3;

/* Where a journal is that no setting names, in its recordings directory. */
#define JOURNAL_DIRECTORY_NAME ".jibri-finalize"

/* As journal_open_for(); `ret_root` becomes what directories are relative to, "" when nothing. Each
 * call waits up to `patience_ms` for other writers. The caller gives *ret_database to
 * sqlite3_close(). */
bool journal_connect(const char *path, const char *recordings_dir, unsigned patience_ms,
                     struct sqlite3 **ret_database, char ret_root[SESSION_PATH_SIZE],
                     struct error *err) __attribute__((warn_unused_result));
