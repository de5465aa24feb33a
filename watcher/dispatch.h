/*
 * dispatch - looks at session directories when it is time, and sends workers where something is to
 * be done.
 *
 * Gathers facts, lets policy.h decide, keeps the number of workers low, and minds outages. Knows
 * neither inotify nor signals. Times are seconds since 1970.
 */
#ifndef WATCHER_DISPATCH_H
#define WATCHER_DISPATCH_H

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/journal/journal.h"
#include "watcher/outage.h"
#include "watcher/sessions.h"
#include "watcher/worker.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dispatch {
    const struct settings *settings; /* borrowed; may be replaced between calls */
    bool suspended;                  /* the settings cannot be used: nothing is begun */
    const char *config;              /* the file of settings for workers, or NULL; borrowed */
    const char *recordings_dir;      /* absolute, links resolved; borrowed */

    struct journal *journal; /* NULL when it can't be opened now */
    dev_t journal_device;    /* of the file that is open */
    ino_t journal_inode;
    struct sessions sessions;
    struct workers workers;
    struct outage outage;
    struct rng rng;
    bool rows_changed;    /* the journal was written to */
    int64_t rows_read_at; /* when its rows were looked at last */
    int64_t housekeeping_at;
    int64_t events_at; /* when an event is due for CONFOMEET_WEBHOOK_URL; 0: there is none */
    char last_trouble[sizeof((struct error *)0)->text]; /* that was logged */
};

/* With settings, config and recordings_dir set, and all else zero. */
void dispatch_begin(struct dispatch *dispatch, int64_t now);

/* Stops the workers, which takes about `patience_ms` at most. */
void dispatch_end(struct dispatch *dispatch, unsigned patience_ms);

/* Something happened in a session directory (absolute path). */
void dispatch_note_session(struct dispatch *dispatch, const char *directory, int64_t now);

/* The journal was written to. */
void dispatch_note_journal(struct dispatch *dispatch);

/* Anything may have happened: looks at every directory, and at every row of the journal. */
void dispatch_note_all(struct dispatch *dispatch, int64_t now);

/* A person repaired something: what waits, or needs a person, is due. */
void dispatch_hurry(struct dispatch *dispatch, int64_t now);

/* Collects workers that have ended, and does all that is due. Returns when it wants to be called
 * next; 0: when something happens. */
int64_t dispatch_run(struct dispatch *dispatch, int64_t now);

#endif
