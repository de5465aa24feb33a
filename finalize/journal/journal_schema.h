/*
 * journal_schema - the journal's tables, and the opening of the file that holds them. Internal to
 * the journal.
 */
#ifndef FINALIZE_JOURNAL_SCHEMA_H
#define FINALIZE_JOURNAL_SCHEMA_H

#include "finalize/base/error.h"

#include <stdbool.h>

struct sqlite3;

/* As journal_open(). The caller gives *ret_database to sqlite3_close(). */
bool journal_schema_open(const char *path, struct sqlite3 **ret_database, struct error *err)
    __attribute__((warn_unused_result));

#endif
