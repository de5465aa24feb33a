/*
 * watcher_lock - whether a watcher works for a recordings directory.
 *
 * A file beside the journal that a running watcher holds a lock on; the lock dies with its holder.
 */
#ifndef FINALIZE_WATCHER_LOCK_H
#define FINALIZE_WATCHER_LOCK_H

#include "config/settings.h"
#include "finalize/base/error.h"

#include <stdbool.h>

/*
 * Takes the lock of the recordings directory `parent` for as long as *ret_fd, which the caller
 * closes, is open. *ret_fd is -1 when another watcher has it.
 */
bool watcher_lock_take(const struct settings *settings, const char *parent, int *ret_fd,
                       struct error *err) __attribute__((warn_unused_result));

/* True while the lock that `fd` holds is the one of `parent`: not when that directory, or the
 * journal's, was made anew since. */
bool watcher_lock_is_at(const struct settings *settings, const char *parent, int fd);

/* True while a watcher holds it. False also when that can't be told. */
bool watcher_lock_is_held(const struct settings *settings, const char *parent);

#endif
