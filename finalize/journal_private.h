/*
 * journal_private - what the files of the journal share: its connection.
 */
#ifndef FINALIZE_JOURNAL_PRIVATE_H
#define FINALIZE_JOURNAL_PRIVATE_H

struct journal;
struct sqlite3;

/* Borrowed, as long as the journal is open. */
struct sqlite3 *journal_database(struct journal *journal);
const char *journal_path(const struct journal *journal);

#endif
