/*
 * interrupted - gives a recording an outcome whose runs ended without one: their processes were
 * killed, or left the work due.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stdint.h>

/* Writes down one more failure of the recording, `sentence`, and when it is tried again. The caller
 * has set row->state. Fails when the journal does. */
bool interrupted_fail(const struct settings *settings, struct journal *journal,
                      struct journal_recording *row, const char *sentence, int64_t now,
                      struct rng *rng, struct error *err) __attribute__((warn_unused_result));

/*
 * Writes one more failure and the time of the next try; makes the row when there is none. With
 * `growing`, Jibri still records, and the next try is that of sending parts. Under the recording's
 * lock; nothing is written while another process holds it, or when it was abandoned. Fails when the
 * journal does.
 */
bool interrupted_note(const struct settings *settings, struct journal *journal,
                      const char *directory, bool growing, int64_t now, struct rng *rng,
                      struct error *err) __attribute__((warn_unused_result));

/*
 * A process that worked on the recording has ended: when it left the row WORKING, the row becomes
 * WAITING, and is due. Nothing is written while another process holds the lock. Fails when the
 * journal does.
 */
bool interrupted_release(const struct settings *settings, struct journal *journal,
                         const char *directory, int64_t now, struct error *err)
    __attribute__((warn_unused_result));
