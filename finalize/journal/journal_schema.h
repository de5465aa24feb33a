/*
 * journal_schema - the journal's tables and indexes. Internal to the journal.
 */
#pragma once

#define JOURNAL_SCHEMA_VERSION 10

/* The statements that make them, NULL-terminated; each begins with CREATE TABLE <name>,
 * CREATE INDEX <name> or CREATE UNIQUE INDEX <name>. */
extern const char *const journal_schema[];
