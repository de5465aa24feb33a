/*
 * check - tells before a meeting whether a recording of it will reach the bucket.
 */
#ifndef FINALIZE_CHECK_H
#define FINALIZE_CHECK_H

#include "config/settings.h"

#include <stdbool.h>

struct check_report {
    void *context;
    /* One finding. `subject` is a literal, as "bucket"; `text` one line; `advice` NULL when it is
     * fine. */
    void (*finding)(void *context, bool fine, const char *subject, const char *text,
                    const char *advice);
};

/*
 * Tries the recordings directory, the journal, the clock, the rights in the bucket (a real
 * multipart upload, aborted again) and the backend. Goes on after a failure where that makes sense.
 * True when all is fine.
 */
bool check_run(const struct settings *settings, const struct check_report *report);

/* Only whether the servers answer: looks for an object that does not exist, and asks the backend
 * for what it has no answer to. Nothing is written. True when both do. */
bool check_servers(const struct settings *settings, const struct check_report *report);

#endif
