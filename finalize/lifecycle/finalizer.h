/*
 * finalizer - the life of a recording once its meeting has ended: intake, deliveries, removal.
 *
 * The one way from a session directory to a freed disk. What it leaves undone is in the journal,
 * for the next run.
 */
#pragma once

#include "finalize/lifecycle/run_options.h"

/*
 * Does all of it for the session directory `path`. True when all is safe (again), or was handed
 * over: exit code 0. Else
 * `err`: ERROR_TRANSIENT and ERROR_STOPPED (75), ERROR_PERMANENT (1), ERROR_SETTINGS (78),
 * ERROR_NO_INPUT (66), ERROR_USAGE (64). `ret_summary` is filled in any case.
 */
bool finalizer_run(const struct run_options *options, const char *path,
                   struct run_summary *ret_summary, struct error *err)
    __attribute__((warn_unused_result));
