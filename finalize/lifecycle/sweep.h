/*
 * sweep - frees the disk of recordings that are done and whose keep-local period is over.
 *
 * Goes through all recordings of the journal, at the end of a run that was about one of them:
 * without it, nobody would ever remove what was kept "for 48 hours".
 */
#ifndef FINALIZE_SWEEP_H
#define FINALIZE_SWEEP_H

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stdint.h>

struct sweep {
    const struct settings *settings; /* all borrowed */
    struct journal *journal;
    /* A local copy was removed; `path` "" for the session directory itself. */
    void (*removed)(void *context, const char *session_id, const char *path);
    /* A recording could not be freed; the others are all the same. */
    void (*failed)(void *context, const char *session_id, const struct error *error);
    void *context;
};

/* Passes over recordings that another process works on. Fails only when the journal does. */
bool sweep_run(const struct sweep *sweep, int64_t now, struct error *err)
    __attribute__((warn_unused_result));

#endif
