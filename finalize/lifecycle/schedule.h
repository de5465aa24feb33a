/*
 * schedule - when a recording that could not be finished is tried again.
 *
 * Between whole runs, by the watcher; what happens between the requests of one run is retry.h's.
 */
#ifndef FINALIZE_SCHEDULE_H
#define FINALIZE_SCHEDULE_H

#include "config/settings.h"
#include "finalize/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The time (seconds since 1970) of the next try after `failures` (from 1) runs in a row that got
 * nowhere: a bound that begins with CONFOMEET_RETRY_MIN and doubles up to CONFOMEET_RETRY_MAX, and
 * of it a random time between a half and all, so that a fleet does not come back at one instant.
 * What needs a person is tried at the slowest pace from the start.
 */
int64_t schedule_next_try(const struct settings *settings, unsigned failures, bool needs_person,
                          int64_t now, struct rng *rng);

/*
 * Whether such a time has come. One that is further away than any pause may be has come, too: a
 * clock was set back, or the pauses were made shorter.
 */
bool schedule_is_due(const struct settings *settings, int64_t next_try_at, int64_t now);

#endif
