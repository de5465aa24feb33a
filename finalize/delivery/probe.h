/*
 * probe - asks the bucket and the backend whether they would take a recording.
 *
 * Tells what it found as values; what a person should do about an error is explain.h's.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"

#include <stdbool.h>

struct probe_finding {
    bool fine;
    const char *subject;       /* a literal, as "bucket" */
    const char *text;          /* one line */
    const char *advice;        /* what to do; NULL when nothing is or `error` says it. With `fine`:
                                  recordings arrive, and a person should know this */
    const struct error *error; /* what went wrong; NULL: nothing, or no error but a finding */
};

enum probe_extent {
    PROBE_ANSWERS, /* whether an object that does not exist is looked for; nothing is written */
    PROBE_QUICK,   /* the rights in the bucket too (a real multipart upload, aborted again), and
                      whether an object keeps our metadata (deleted again, where the key may), and
                      whether what is switched on works */
    PROBE_ALL      /* all, and the part that is sent has the size of the settings, not 1 KiB */
};

/* Asks bucket and backend, goes on after a failure where that makes sense, and tells of each
 * `finding`. True when all is fine. */
bool probe_servers(const struct settings *settings, enum probe_extent extent,
                   void (*finding)(const struct probe_finding *finding));
