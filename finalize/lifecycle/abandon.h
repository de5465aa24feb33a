/*
 * give_up - takes a recording out of what is to be done: aborts its open uploads and says so in the
 * journal. Its files stay where they are.
 */
#ifndef FINALIZE_ABANDON_H
#define FINALIZE_ABANDON_H

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>

struct abandon_options {
    const struct settings *settings;
    bool can_ask;          /* the settings are complete: the server can be asked to abort uploads */
    const char *journal;   /* its path */
    const char *directory; /* absolute; it may be gone */
    const char *reason;
    int stop_fd; /* as in finalizer.h */
    bool (*stop_requested)(void *context);
    void (*waits)(void *context); /* somebody works on it, and is waited for */
    void *context;
};

struct abandon_result {
    unsigned aborted; /* uploads */
    unsigned left;    /* uploads that could not be aborted; the watcher tries again */
    struct error why; /* of the first of them */
};

/*
 * Waits for who works on it, who gives way if it is the watcher. ERROR_STOPPED when the wait was
 * stopped, ERROR_NO_INPUT when neither the directory nor a row of it is there; ERROR_USAGE when it
 * is safe already: there is nothing to give up.
 */
bool abandon_recording(const struct abandon_options *giving_up, struct abandon_result *ret_result,
                       struct error *err) __attribute__((warn_unused_result));

#endif
