/*
 * stored - whether the object of a file that an earlier run made safe is in the bucket still.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"
#include "finalize/s3/network.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Asks by HeadObject, where the row says: *ret_stored when the object has the mark and the size of
 * `file`. ERROR_PERMANENT when it can't be known with these settings (another server, no right),
 * ERROR_TRANSIENT when there is no answer until `deadline_ms` (clock_now_ms()).
 */
bool stored_ask(const struct settings *settings, struct loop *loop, struct s3 *s3,
                const struct journal_file *file, uint64_t deadline_ms, bool *ret_stored,
                struct error *err) __attribute__((warn_unused_result));
