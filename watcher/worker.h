/*
 * worker - processes that do the watcher's work, one piece each: the watcher's own program again,
 * with --work.
 *
 * So that a crash in one is no crash of the watcher, memory goes back to the system, and parts of a
 * running meeting are sent at a low priority that a process could not leave again. A worker is told
 * to stop when the watcher dies.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>
#include <sys/types.h>

enum worker_kind {
    WORKER_SEND_PARTS,   /* subject: a session directory */
    WORKER_FINALIZE,     /* subject: a session directory */
    WORKER_PROBE,        /* subject: the recordings directory */
    WORKER_HOUSEKEEPING, /* subject: the recordings directory */
    WORKER_EVENTS,       /* subject: the recordings directory */
    WORKER_KINDS
};

#define WORKER_MOST 8u /* at once, of all kinds */

struct worker {
    pid_t pid; /* 0: this place is free */
    enum worker_kind kind;
    char *subject;
};

struct workers {
    struct worker list[WORKER_MOST];
};

/* "send-parts" and so on; NULL-terminated, in the enum's order. */
extern const char *const worker_names[WORKER_KINDS + 1];

/* Starts one. `config`: the file of settings, or NULL. */
bool worker_start(struct workers *workers, enum worker_kind kind, const char *subject,
                  const char *config, struct error *err) __attribute__((warn_unused_result));

/* How many of this kind run. */
unsigned worker_count(const struct workers *workers, enum worker_kind kind);

/* One that has ended: *ret_worker is the caller's then (its subject is to be freed), and
 * `ret_exit_code` what it returned, 128 + signal when it was killed. False when none has. */
bool worker_collect(struct workers *workers, struct worker *ret_worker, int *ret_exit_code);

/* Asks all to stop, waits about `patience_ms` for it, and kills the rest; tells `ended` of each.
 * SIGCHLD is to be blocked. */
void worker_stop_all(struct workers *workers, unsigned patience_ms,
                     void (*ended)(void *context, const struct worker *worker), void *context);
