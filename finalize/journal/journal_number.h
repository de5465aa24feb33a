/*
 * journal_number - the numbers that stand for states in the journal's rows, and what SQL says with
 * them. They are never changed.
 *
 * The enums of journal.h take their values from here, and SQL its literals: JOURNAL_SQL(FILE_SAFE)
 * is "3".
 */
#pragma once

#define JOURNAL_NUMBER_WORKING   1
#define JOURNAL_NUMBER_WAITING   2
#define JOURNAL_NUMBER_FAILED    3
#define JOURNAL_NUMBER_DONE      4
#define JOURNAL_NUMBER_RECORDING 5
#define JOURNAL_NUMBER_ABANDONED 6

#define JOURNAL_NUMBER_FILE_PENDING  1
#define JOURNAL_NUMBER_FILE_UPLOADED 2
#define JOURNAL_NUMBER_FILE_SAFE     3
#define JOURNAL_NUMBER_FILE_GONE     4
#define JOURNAL_NUMBER_FILE_WITHHELD 5

#define JOURNAL_SQL(state)         JOURNAL_SQL_TEXT_(JOURNAL_NUMBER_##state)
#define JOURNAL_SQL_TEXT_(number)  JOURNAL_SQL_TEXT__(number)
#define JOURNAL_SQL_TEXT__(number) #number

/* safety_may_go() of a row of the table file. The index file_kept has the same words: SQLite uses
 * it for queries that do. */
#define JOURNAL_SQL_MAY_GO "state = " JOURNAL_SQL(FILE_SAFE) " AND removed_at = 0"

/* Of a row of the table file: with one of them, safety_is_safe() is not true of the recording. */
#define JOURNAL_SQL_IS_UNSAFE                                                                     \
    "file.state IN (" JOURNAL_SQL(FILE_PENDING) ", " JOURNAL_SQL(FILE_UPLOADED) ", " JOURNAL_SQL( \
        FILE_GONE) ")"
