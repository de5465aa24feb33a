/*
 * watch - what happens below the recordings directory, and to the journal.
 *
 * The only file that includes inotifytools' header. Its functions keep state of their own, so they
 * are called in one thread alone, which waits for events and hands on what they mean. A directory
 * that isn't there, that is unmounted or made again is watched again once it is there.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>

struct watch;

/*
 * Begins to watch `recordings_dir` and `journal_dir` (absolute), both of which need not exist.
 * ERROR_TRANSIENT without memory or when inotify can't be had: then the caller looks from time to
 * time. There can be one struct watch in a process, to its end.
 */
bool watch_open(const char *recordings_dir, const char *journal_dir, struct watch **ret_watch,
                struct error *err) __attribute__((warn_unused_result));

/* Readable when one of the following has something to tell. */
int watch_fd(const struct watch *watch);

/* The path of a session directory in which something happened; false: no more. To be asked until
 * then. */
bool watch_next_session(struct watch *watch, char ret_directory[SESSION_PATH_SIZE]);

/* Whether anything may have happened since the last call, so that every session is looked at. */
bool watch_take_all(struct watch *watch);

/* Whether the journal was written to since the last call. */
bool watch_take_journal(struct watch *watch);
