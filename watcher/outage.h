/*
 * outage - when the servers do not answer: not everybody tries, one probe looks whether they do
 * again, and then all go on.
 *
 * Pure: time is passed in, seconds since 1970.
 */
#ifndef WATCHER_OUTAGE_H
#define WATCHER_OUTAGE_H

#include "config/settings.h"
#include "finalize/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

/* Probes are cheap: the return of a server is noticed within this time, however long it was gone.
 */
#define OUTAGE_MOST_S 60

/* Zero-initialised. */
struct outage {
    bool suspected;   /* a run failed in a way that may go away by itself */
    bool confirmed;   /* a probe failed, too */
    unsigned probes;  /* that failed in a row */
    int64_t probe_at; /* when the next probe is due; 0: none is */
};

void outage_run_succeeded(struct outage *outage);
void outage_run_failed(struct outage *outage, const struct settings *settings, int64_t now,
                       struct rng *rng);

/* Also when it is further away than it may be: the clock was set back. */
bool outage_probe_is_due(const struct outage *outage, int64_t now);

/* True when what waits is to be tried at once: the servers were gone, and answer again. */
bool outage_probe_succeeded(struct outage *outage);
void outage_probe_failed(struct outage *outage, const struct settings *settings, int64_t now,
                         struct rng *rng);

#endif
