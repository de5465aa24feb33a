/*
 * finalizer_private - what finalizer.c (the run as a whole), finalizer_deliveries.c (files on their
 * way) and finalizer_outcome.c (what is left at the end) share.
 */
#ifndef FINALIZE_FINALIZER_PRIVATE_H
#define FINALIZE_FINALIZER_PRIVATE_H

#include "finalize/base/rng.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/journal_stats.h"
#include "finalize/lifecycle/finalizer.h"
#include "finalize/lifecycle/intake.h"
#include "finalize/lifecycle/yield.h"
#include "finalize/s3/network.h"
#include "finalize/session/session_dir.h"

struct finalizer_run {
    const struct finalizer_options *options;
    struct session_dir *recording;
    struct journal *journal;
    struct journal_recording row;
    struct loop *loop;
    struct s3 *s3;
    struct rng rng;
    struct yield yield;
    uint64_t deadline_ms;
    int64_t claimed_at; /* 0: no claim of ours is in the journal */
    struct journal_account account;

    struct intake_result intake;
    bool media; /* which files are being delivered: media first */
    int64_t after_id;
    bool left_out;             /* something is not in the bucket, and is not to be uploaded now */
    bool changed;              /* a file changed under our hands: one more round */
    uint64_t ended_bytes;      /* of deliveries that have ended well, in this round */
    bool got_somewhere;        /* the bucket or the backend acknowledged something new */
    struct error last_trouble; /* of the requests that were tried again */
    struct error worst;        /* of all files: a permanent one before a transient one */
    struct finalizer_summary *summary;
};

/* Gives an event to the program. */
void finalizer_tell(struct finalizer_run *run, const struct finalizer_message *event);

/* One line of the recording's history; `file_id` 0: of the whole. */
void finalizer_note(struct finalizer_run *run, int64_t file_id, const char *text);

/* Tells of a failure, notes it, and keeps the worst one. */
void finalizer_note_failure(struct finalizer_run *run, int64_t file_id, const char *path,
                            const struct error *error);

bool finalizer_stop_requested(void *run);

/* True when somebody wants to be told by webhook. */
bool finalizer_wants_events(const struct settings *settings);

/* Intake and deliveries, once more when a file changed meanwhile. What fails of a file is in
 * run->worst; fails itself only when the journal does, or memory. */
bool finalizer_deliver(struct finalizer_run *run, struct error *err)
    __attribute__((warn_unused_result));

/* Frees the disk of what is safe, counts, and writes down how it ended. Fails as the journal does.
 */
bool finalizer_end(struct finalizer_run *run, struct error *err)
    __attribute__((warn_unused_result));

/* Tells of the outcome by webhook now, if somebody is there to hear it; else the watcher does,
 * later. */
void finalizer_tell_others(struct finalizer_run *run);

#endif
