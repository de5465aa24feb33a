/*
 * journal_schema - the journal's tables and indexes, and how those of older versions become these.
 * Internal to the journal. The calls return SQLite's status.
 */
#pragma once

#include <stdint.h>

struct sqlite3;

#define JOURNAL_SCHEMA_VERSION 13

/*
 * Makes the tables in an empty file, or brings those of `version` up to date. Within the caller's
 * transaction, with the pragma legacy_alter_table and without foreign keys. `root`: what
 * directories are relative to, "" when that is not known.
 */
int journal_schema_apply(struct sqlite3 *database, int64_t version, const char *root)
    __attribute__((warn_unused_result));

/* Makes the directories that are in `root`, or have moved there, relative to it. */
int journal_schema_move_directories(struct sqlite3 *database, const char *root)
    __attribute__((warn_unused_result));
