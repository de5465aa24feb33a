/*
 * journal_connect - the opening of the file that holds the journal: it is made where it isn't
 * there, and brought up to date where it is older. Internal to the journal.
 */
#ifndef FINALIZE_JOURNAL_CONNECT_H
#define FINALIZE_JOURNAL_CONNECT_H

#include "finalize/base/error.h"

#include <stdbool.h>

struct sqlite3;

/* As journal_open(). Each call waits up to `patience_ms` for other writers. The caller gives
 * *ret_database to sqlite3_close(). */
bool journal_connect(const char *path, unsigned patience_ms, struct sqlite3 **ret_database,
                     struct error *err) __attribute__((warn_unused_result));

#endif
