/*
 * probe - asks the bucket and the backend whether they would take a recording.
 *
 * Tells what it found as values; what a person should do about an error is explain.h's.
 */
#ifndef FINALIZE_PROBE_H
#define FINALIZE_PROBE_H

#include "config/settings.h"
#include "finalize/base/error.h"

#include <stdbool.h>

struct probe_finding {
    bool fine;
    const char *subject;       /* a literal, as "bucket" */
    const char *text;          /* one line */
    const char *advice;        /* what to do; NULL when it is fine or `error` says it */
    const struct error *error; /* what went wrong; NULL: nothing, or no error but a finding */
};

struct probe_report {
    void *context;
    void (*finding)(void *context, const struct probe_finding *finding);
};

/*
 * Tries the clock, the rights in the bucket (a real multipart upload, aborted again), whether an
 * object comes back with our metadata (it is deleted again, where the key may), and the backend.
 * Goes on after a failure where that makes sense. `full`: the part that is sent has the size of the
 * settings, not 1 KiB. True when all is fine.
 */
bool probe_all(const struct settings *settings, bool full, const struct probe_report *report);

/* Only whether the servers answer: looks for an object that does not exist, and asks the backend
 * for what it has no answer to. Nothing is written. True when both do. */
bool probe_answers(const struct settings *settings, const struct probe_report *report);

#endif
