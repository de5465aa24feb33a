/*
 * journal_reserve - room for the journal on a disk that is full.
 *
 * A file of some size beside the journal, <journal>-reserve, that holds nothing. A full disk is
 * freed by uploading what is on it, and an upload begins with a line in the journal: when there is
 * no room for that line, the file is given up, and when the work is done it is made again. Knows no
 * SQL. Failures here are ignored: without a reserve, nothing can be written to the journal on a
 * full disk.
 *
 * `journal` is the journal's path throughout; several processes may share it.
 */
#pragma once

#include <stdbool.h>

#define JOURNAL_RESERVE_BYTES (1024u * 1024)

/* Creates the reserve, or extends it to its full size, when the disk has several times that size
 * free: a process that begins must not take the last space from one that is working. */
void journal_reserve_make(const char *journal);

/* The same with whatever space is free, even if less than the full size: called at the end of a
 * run, so that other writers do not take the space meanwhile. */
void journal_reserve_keep(const char *journal);

/* Whether the disk has too little left for what is written at once. */
bool journal_reserve_is_needed(const char *journal);

/* Gives it up. True when there may be more room now: it, or another process did so just before. */
bool journal_reserve_give_up(const char *journal);
