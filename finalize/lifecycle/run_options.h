/*
 * run_options - what a run over one recording is asked for, and what it tells of: shared by
 * finalizer.h, live.h and abandon.h.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/safety.h"

#include <stdbool.h>
#include <stdint.h>

/* Something that happened, as a value; `kind` says which fields mean something. */
enum run_message_kind {
    RUN_BEGINS,     /* files, bytes (that are still to be uploaded), tries */
    RUN_WAITS,      /* another process works on this recording */
    RUN_HANDS_OVER, /* the watcher goes on from here */
    RUN_REMARK,     /* path, text: worth knowing, not a failure */
    RUN_RETRY,      /* path, error: a request failed and is tried again */
    RUN_UPLOADED,   /* file: confirmed in the bucket */
    RUN_NOTIFIED,   /* file: accepted by the backend */
    RUN_FAILED,     /* path, error: this file is left for now */
    RUN_REMOVED     /* path: the local copy, or the directory (path "") */
};

struct run_message {
    enum run_message_kind kind;
    const char *path; /* in the session directory */
    const char *text;
    const struct journal_file *file;
    const struct error *error;
    unsigned files;
    unsigned tries;
    uint64_t bytes;
};

struct run_progress {
    uint64_t total_bytes; /* to be in the bucket in the end, of the files that weren't */
    uint64_t done_bytes;  /* of those, what the bucket holds or is being sent */
    uint64_t kept_bytes;  /* of those, what was there before this run */
};

struct run_options {
    const struct settings *settings;
    uint64_t wait_ms; /* how long it may take; UINT64_MAX: as long as something moves */
    /*
     * For Jibri's call, which holds Jibri up: when a watcher runs, `wait_ms` 0 leaves all of it to
     * the watcher at once, and so does a `wait_ms` that is over leave the rest. Without a watcher,
     * 0 is CONFOMEET_FINALIZE_WAIT's default.
     */
    bool may_hand_over;
    /* For the watcher's own runs: they do not wait for the lock, and give way to a process that
     * does. */
    bool gives_way;
    bool retries_abandoned; /* an abandoned recording is tried again, because a person named it */
    bool notify_only;       /* upload nothing; notify the backend of what is in the bucket */
    int32_t meeting_id;     /* for files whose names have none, now and later; 0: what was given
                               before, if anything */
    int stop_fd;            /* readable when a stop is requested; -1: none */
    bool (*stop_requested)(void *context);
    void (*message)(void *context, const char *session_id, const struct run_message *message);
    void (*progress)(void *context, const char *session_id, const struct run_progress *progress);
    void *context; /* of all three */
};

struct run_summary {
    struct safety safety; /* of the recording's files, at the end */
    uint64_t bytes_sent;  /* by this run, with repetitions */
    uint64_t bytes_held;  /* by the bucket, of files that were on their way in this run */
    bool was_done;        /* an earlier run had finished the recording */
    bool directory_removed;
    bool directory_gone; /* it was missing before this run */
    bool handed_over;    /* the watcher takes over; this run did nothing */
    bool watched;        /* a watcher runs, and continues with what is left */
};
