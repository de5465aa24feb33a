/*
 * finalizer - the life of a recording once its meeting has ended: intake, deliveries, removal.
 *
 * The one way from a session directory to a freed disk. What it leaves undone is in the journal,
 * for the next run.
 */
#ifndef FINALIZE_FINALIZER_H
#define FINALIZE_FINALIZER_H

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/delivery/delivery.h"

#include <stdbool.h>
#include <stdint.h>

/* Something that happened, as a value; `kind` says which fields mean something. */
enum finalizer_message_kind {
    FINALIZER_BEGINS,     /* files, bytes (that are still to be uploaded), tries */
    FINALIZER_WAITS,      /* another process works on this recording */
    FINALIZER_HANDS_OVER, /* the watcher goes on from here */
    FINALIZER_REMARK,     /* path, text: worth knowing, not a failure */
    FINALIZER_RETRY,      /* path, error: a request failed and is tried again */
    FINALIZER_UPLOADED,   /* file: confirmed in the bucket */
    FINALIZER_NOTIFIED,   /* file: accepted by the backend */
    FINALIZER_FAILED,     /* path, error: this file is left for now */
    FINALIZER_REMOVED     /* path: the local copy, or the directory (path "") */
};

struct finalizer_message {
    enum finalizer_message_kind kind;
    const char *path; /* in the session directory */
    const char *text;
    const struct journal_file *file;
    const struct error *error;
    unsigned files;
    unsigned tries;
    uint64_t bytes;
};

struct finalizer_progress {
    uint64_t total_bytes; /* to be in the bucket in the end, of the files that weren't */
    uint64_t done_bytes;  /* of those, what the bucket holds or is being sent */
    uint64_t kept_bytes;  /* of those, what was there before this run */
};

struct finalizer_options {
    const struct settings *settings;
    uint64_t wait_ms; /* how long it may take; UINT64_MAX: as long as something moves */
    /*
     * For Jibri's call, which holds Jibri up: when a watcher runs, `wait_ms` 0 leaves all of it to
     * the watcher at once, and so does a `wait_ms` that is over leave the rest. Without a watcher,
     * 0 is CONFOMEET_FINALIZE_WAIT's default.
     */
    bool may_hand_over;
    /* For the watcher's own runs: doesn't wait for the lock, and gives way to whoever does. */
    bool gives_way;
    bool retries_abandoned; /* for a person who names it: one that was given up is taken up again */
    bool notify_only;       /* nothing is uploaded; what is in the bucket is told to the backend */
    int32_t meeting_id;     /* for files whose names have none, now and later; 0: what was given
                               before, if anything */
    int stop_fd;            /* readable when a stop is requested; -1: none */
    bool (*stop_requested)(void *context);
    void (*event)(void *context, const char *session_id, const struct finalizer_message *event);
    void (*progress)(void *context, const char *session_id,
                     const struct finalizer_progress *progress);
    void *context;
};

struct finalizer_summary {
    unsigned files_safe;   /* in the bucket, and known to the backend where it is to know */
    unsigned files_failed; /* need a person */
    unsigned files_waiting;
    unsigned
        files_left; /* safe ones whose local copy stays, by the keep-local policy or withheld */
    uint64_t bytes_safe;
    uint64_t bytes_sent; /* by this run, repetitions among them */
    bool directory_removed;
    bool handed_over; /* to the watcher; nothing was done */
    bool watched;     /* a watcher runs, which goes on with what is left */
};

/*
 * Does all of it for the session directory `path`. True when all is safe (again), or was handed
 * over: exit code 0. Else
 * `err`: ERROR_TRANSIENT and ERROR_STOPPED (75), ERROR_PERMANENT (1), ERROR_SETTINGS (78),
 * ERROR_NO_INPUT (66), ERROR_USAGE (64). `ret_summary` is filled in any case.
 */
bool finalizer_run(const struct finalizer_options *options, const char *path,
                   struct finalizer_summary *ret_summary, struct error *err)
    __attribute__((warn_unused_result));

#endif
