/*
 * run - one piece of work on one recording, from its beginning to its end.
 *
 * Opens the session directory and the journal, takes the recording's lock, and writes down how the
 * work ended, whatever stopped it. What is done in between is finalizer.c's, live.c's or
 * abandon.c's. Tells of what happens by messages and prints nothing.
 */
#pragma once

#include "finalize/base/rng.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/journal_stats.h"
#include "finalize/lifecycle/intake.h"
#include "finalize/lifecycle/run_options.h"
#include "finalize/lifecycle/yield.h"
#include "finalize/s3/network.h"
#include "finalize/session/session_dir.h"

struct run {
    /* Of the caller, with `growing`, before run_open(); all else is zero then. */
    const struct run_options *options;
    struct run_summary *summary;
    uint64_t deadline_ms; /* of waiting for the lock, and of deliveries */
    /* Whether this file is to be delivered now. */
    bool (*wants)(struct run *run, const struct journal_file *file, bool *ret_wants,
                  struct error *err);

    struct session_dir *session_dir; /* NULL: it vanished; its row is in the journal */
    struct journal *journal;
    struct loop *loop; /* NULL until run_open_network() */
    struct s3 *s3;
    struct rng rng;
    struct yield yield;
    struct journal_account account;
    struct journal_recording row; /* id 0: the work has not begun */
    int64_t began_at;             /* the work; seconds since 1970 */

    struct intake_result intake;
    char *metadata; /* metadata.members of metadata.h; owned, or NULL */
    int64_t after_id;
    uint64_t ended_bytes;      /* of deliveries that have ended well, in this round */
    int64_t retry_at;          /* not before, as the servers asked; 0: they did not */
    struct error last_trouble; /* of the requests that were tried again */
    struct error worst;        /* of all files: a permanent one before a transient one */

    int lock_fd;        /* of the lock that stands in for a vanished directory's own; -1: none */
    bool moved;         /* the recordings directory is another than before */
    bool growing;       /* Jibri still writes: its finished parts are sent */
    bool media;         /* which files are being delivered: media first */
    bool changed;       /* a file changed while it was worked on: one more round */
    bool got_somewhere; /* the bucket or the backend acknowledged something new */
    char directory[SESSION_PATH_SIZE]; /* absolute, links resolved */
    char parent[SESSION_PATH_SIZE];    /* the directory above */
};

/*
 * Opens the session directory `path` and the journal; to be given to run_close() in any case. A
 * directory that is not there is no ERROR_NO_INPUT while the journal knows the recording. Errors as
 * session_dir_open() and journal_open().
 */
bool run_open(struct run *run, const char *path, struct error *err)
    __attribute__((warn_unused_result));
void run_close(struct run *run);

/* For run_open(), when session_dir_open() says ERROR_NO_INPUT in `err`, which stays when the
 * journal does not know the recording. */
bool run_open_vanished(struct run *run, const char *path, struct error *err)
    __attribute__((warn_unused_result));

/* After run_open() has failed because the directory cannot be read: the row, where there is one,
 * says why. Best effort. */
void run_note_unopened(struct run *run, const char *path, const struct error *error);

/* Takes the recording's lock, waiting for it until the deadline unless the run gives way.
 * ERROR_STOPPED when another process has it. May find that the directory has vanished meanwhile. */
bool run_lock(struct run *run, struct error *err) __attribute__((warn_unused_result));

/* Gives the lock back: what is done for other recordings afterwards is not waited for. */
void run_unlock(struct run *run);

/* Opens what the work needs to reach the servers, once. */
bool run_open_network(struct run *run, struct error *err) __attribute__((warn_unused_result));

/*
 * With the lock: begins the work in the journal, does it, and writes down how it ended: no row is
 * left WORKING but by a kill, or by a journal that can't be written. True when all that was asked
 * for is done; else `err` is what stopped the work, or the worst of its files' failures.
 */
bool run_work(struct run *run, bool (*work)(struct run *run, struct error *err), struct error *err)
    __attribute__((warn_unused_result));

/* Delivers the files that the run wants, media first. Their failures are in run->worst; fails
 * itself only when the journal does, or memory. */
bool run_deliver(struct run *run, struct error *err) __attribute__((warn_unused_result));

/*
 * Without the directory: what is in the bucket is announced. What is not is lost: at once when a
 * person or Jibri asks, in the watcher's runs after a day; when the recordings directory is not the
 * one of before (its volume is not mounted), after a week. Errors as run_deliver().
 */
bool run_settle_vanished(struct run *run, struct error *err) __attribute__((warn_unused_result));

/* By the rows of its files: true when all is safe. Fills run->summary->safety. */
bool run_judge(struct run *run, struct error *err) __attribute__((warn_unused_result));

/* Decides from the rows of the files and run->worst how the recording is, and saves that with the
 * webhook's event. True when all is safe, or all that grows was sent. */
bool run_save_outcome(struct run *run, struct error *err) __attribute__((warn_unused_result));

const char *run_session_id(const struct run *run);
bool run_stop_requested(void *run);

void run_tell(struct run *run, const struct run_message *message);
void run_remark(void *run, const char *path, const char *sentence);

/* One line of the recording's history; `file_id` 0: of the whole. Best effort. */
void run_note(struct run *run, int64_t file_id, const char *text);

/* Tells of a failure, notes it, and keeps the worst one. `file`: NULL: of the whole. */
void run_note_failure(struct run *run, const struct journal_file *file, const struct error *error);
void run_keep_worst(struct run *run, const struct error *error);
