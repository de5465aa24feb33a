/*
 * schedule - when something that failed is tried again: recordings, events and probes alike.
 *
 * Between whole runs; what happens between the requests of one run is retry.h's. There is no third
 * back-off.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_EVENT_LONGEST_S 3600

enum schedule_kind {
    SCHEDULE_RETRY,  /* a recording: CONFOMEET_RETRY_MIN .. CONFOMEET_RETRY_MAX */
    SCHEDULE_PERSON, /* one that needs a person: CONFOMEET_RETRY_MAX */
    SCHEDULE_EVENT,  /* an event for the webhook: 10 s .. 1 h */
    SCHEDULE_PROBE   /* whether a server is back: 5 s .. 20 s, at most CONFOMEET_RETRY_MIN */
};

/*
 * The time (seconds since 1970) of the next try after `failures` (from 1) in a row. The bound
 * begins with the kind's shortest pause and doubles up to its longest one; the pause is a random
 * time between half the bound and the bound, so that a fleet does not come back at one instant.
 */
int64_t schedule_next_try(const struct settings *settings, enum schedule_kind kind,
                          unsigned failures, int64_t now, struct rng *rng);

/*
 * The one rule for stored times that are compared with the clock: one that is further ahead than
 * anything that is ever stored was written before the clock was set back. `most_ahead_s` is how far
 * ahead of the clock a time may be when it is stored (0: never, as for the time of an event that
 * has happened).
 */
bool schedule_is_of_another_clock(int64_t at, int64_t now, int64_t most_ahead_s);

/* Whether a next try is due: its time has come, or is of another clock. */
bool schedule_is_due(const struct settings *settings, int64_t next_try_at, int64_t now);
