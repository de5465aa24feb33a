/*
 * dispatch - looks at session directories when it is time, and starts workers where something is to
 * be done.
 *
 * Gathers facts, lets policy.h decide, and bounds how many workers run and how often the same work
 * is started. When a recording is tried again is in the journal. Knows neither inotify nor signals.
 * Times are seconds since 1970; `now_ms` is of a clock that only goes forward.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/journal/journal.h"
#include "watcher/starts.h"
#include "watcher/watched.h"
#include "watcher/worker.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dispatch {
    const struct settings *settings; /* borrowed; may be replaced between calls */
    bool suspended;                  /* the settings cannot be used: nothing is begun */
    const char *config;              /* the file of settings for workers, or NULL; borrowed */
    const char *recordings_dir;      /* absolute, links resolved; borrowed */

    int64_t now; /* at the last call */
    uint64_t now_ms;
    struct journal *journal; /* NULL when it can't be opened now */
    dev_t journal_device;    /* of the file that is open */
    ino_t journal_inode;
    bool rows_changed;    /* the journal was written to; set by the loop, too */
    int64_t rows_read_at; /* when its rows were looked at last */
    struct watched_sessions sessions;
    struct workers workers;
    struct starts starts;
    struct rng rng;

    int64_t due_at[WORKER_KINDS]; /* what is due by the clock: probe, events, housekeeping; 0: not
                                     planned */
    int64_t failed_at;            /* the latest failure that the journal's rows tell of; 0: none */
    int64_t answered_at;          /* the latest probe that the servers answered */
    unsigned failed_probes;       /* since a server answered last */
    bool asked_to_wait;           /* a server asked for a longer pause than ours */
    char last_trouble[sizeof((struct error *)0)->text]; /* that was logged */
};

/* With settings, config and recordings_dir set, and all else zero. */
void dispatch_begin(struct dispatch *dispatch, int64_t now, uint64_t now_ms);

/* Stops the workers, which takes about `patience_ms` at most. */
void dispatch_end(struct dispatch *dispatch, unsigned patience_ms);

/* Something happened in a session directory (absolute path). */
void dispatch_note_session(struct dispatch *dispatch, const char *directory);

/* Anything may have happened: looks at every directory, and at every row of the journal. */
void dispatch_note_all(struct dispatch *dispatch);

/* What waits for a later try is due now; with `failed_too` also what needs a person. */
void dispatch_hurry(struct dispatch *dispatch, bool failed_too);

/* Collects workers that have ended, and does all that is due. Returns when it wants to be called
 * next; 0: when something happens. */
int64_t dispatch_run(struct dispatch *dispatch, int64_t now, uint64_t now_ms);
