/*
 * leftover - multipart uploads in the bucket that will not be completed, and are paid for: of files
 * that are lost or abandoned, and those that an upload left to be tidied up.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"
#include "finalize/s3/network.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes the upload, if any, out of the file's row, whose lock is held, and saves the row: it is a
 * leftover from then on. */
bool leftover_take(struct journal *journal, struct journal_file *file, struct error *err)
    __attribute__((warn_unused_result));

struct leftover_result {
    unsigned aborted;
    unsigned left;    /* could not be aborted now */
    struct error why; /* of the first of them */
};

/*
 * Aborts the leftovers of `key` (NULL: all), until one can't be aborted for a reason that may go
 * away, `deadline_ms` (clock_now_ms()) or a request to stop. One that the server refuses to abort
 * or to search for, or that lies at another server than the one of `settings`, stays, and its row
 * says why. Fails when the journal does. `s3` NULL: `ret_result` only says how many there are.
 */
bool leftover_abort(const struct settings *settings, struct journal *journal, struct loop *loop,
                    struct s3 *s3, const char *key, uint64_t deadline_ms,
                    struct leftover_result *ret_result, struct error *err)
    __attribute__((warn_unused_result));
