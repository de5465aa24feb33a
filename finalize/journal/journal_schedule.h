/*
 * journal_schedule - what the journal knows of who is to work on a recording, and when.
 *
 * Recordings that are not finished, those that Jibri still writes, claims of processes that wait
 * for a recording's lock, and what may be forgotten. Unlike the rest of a recording's rows, claims
 * are written without its lock. Errors as in journal.h.
 */
#pragma once

#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A claim counts for so long after it was made or renewed: its process may have been killed. */
#define JOURNAL_CLAIM_LASTS_S 10

/* Makes a row for a session that Jibri still writes, in state RECORDING, unless there is a row of
 * whatever state; loads it. */
bool journal_note_recording(struct journal *journal, const char *directory, const char *session_id,
                            int64_t now, struct journal_recording *ret_recording, struct error *err)
    __attribute__((warn_unused_result));

/* Loads the first recording with an id above `after_id` that is neither done nor abandoned.
 * *ret_found is false at the end. */
bool journal_next_unfinished(struct journal *journal, int64_t after_id,
                             struct journal_recording *ret_recording, bool *ret_found,
                             struct error *err) __attribute__((warn_unused_result));

/* What waits for a later try is due at `now`; with `failed_too` also what needs a person. */
bool journal_hurry(struct journal *journal, bool failed_too, int64_t now, struct error *err)
    __attribute__((warn_unused_result));

/* Forgets recordings that are done since before `before`, unless a file of them is still on this
 * machine, or lost. */
bool journal_forget_done(struct journal *journal, int64_t before, struct error *err)
    __attribute__((warn_unused_result));

/* An upload in the bucket that belongs to no file any more and could not be aborted yet. */
struct journal_leftover {
    int64_t id;
    char location[S3_LOCATION_SIZE]; /* s3_location.h; "": not noted */
    char key[S3_MAX_KEY_BYTES + 1];
    char upload_id[S3_UPLOAD_ID_SIZE]; /* "": not known, to be found by the key */
    int64_t at;                        /* when it was left */
    char last_error[640];              /* why it could not be aborted; "": not tried yet */
};
bool journal_add_leftover(struct journal *journal, const char *location, const char *key,
                          const char *upload_id, int64_t now, struct error *err)
    __attribute__((warn_unused_result));
/* Loads the first one with an id above `after_id`. One whose upload id is not known is passed over
 * while a file that is still to be uploaded has that key: its own upload would be found. */
bool journal_next_leftover(struct journal *journal, int64_t after_id,
                           struct journal_leftover *ret_leftover, bool *ret_found,
                           struct error *err) __attribute__((warn_unused_result));
/* Writes leftover->last_error alone. */
bool journal_note_leftover(struct journal *journal, const struct journal_leftover *leftover,
                           struct error *err) __attribute__((warn_unused_result));
bool journal_forget_leftover(struct journal *journal, int64_t id, struct error *err)
    __attribute__((warn_unused_result));

/* The process `pid` waits for the lock of `directory`; to be repeated every second, and taken back
 * when it has the lock. JOURNAL_HANDED_OVER: it is left to the watcher, until that is taken back.
 */
#define JOURNAL_HANDED_OVER 0
bool journal_claim(struct journal *journal, const char *directory, pid_t pid, int64_t now,
                   struct error *err) __attribute__((warn_unused_result));
bool journal_unclaim(struct journal *journal, const char *directory, pid_t pid, struct error *err)
    __attribute__((warn_unused_result));

/* Finds the first directory, in byte order, after `after` ("": the very first) that was handed
 * over. */
bool journal_next_handed_over(struct journal *journal, const char *after,
                              char ret_directory[SESSION_PATH_SIZE], bool *ret_found,
                              struct error *err) __attribute__((warn_unused_result));

/* Forgets claims of processes that were killed: those that do not count any more at `now`. */
bool journal_forget_claims(struct journal *journal, int64_t now, struct error *err)
    __attribute__((warn_unused_result));

/* After a clock was set back, times of what has happened are ahead of it: they become `now`, so
 * that what is kept for a while is not kept until that clock's time comes again. */
bool journal_correct_times(struct journal *journal, int64_t now, struct error *err)
    __attribute__((warn_unused_result));

/* True while a process waits for the lock of `directory`, or has handed it over. */
bool journal_is_claimed(struct journal *journal, const char *directory, int64_t now,
                        bool *ret_claimed, struct error *err) __attribute__((warn_unused_result));
