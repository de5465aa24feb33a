/*
 * yield - one process asks another for a recording's lock: by a claim in the journal, which a run
 * of the watcher that holds the lock looks for and gives way to.
 */
#pragma once

#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised. */
struct yield {
    bool wanted;
    uint64_t look_again_ms;
};

/*
 * True once a process waits for the lock of `directory`. To be asked at any time; looks into the
 * journal a few times a second. False as well when the journal can't be read.
 */
bool yield_is_requested(struct yield *yield, struct journal *journal, const char *directory);

/*
 * Announces that this process waits for the lock of `directory`, and keeps that up: to be called
 * again and again while it waits. Best effort: a claim that can't be written is ignored.
 * `claimed_at`: the caller's, 0 at first.
 */
void yield_request(struct journal *journal, const char *directory, int64_t *claimed_at);

/* Takes that back, once it has the lock or doesn't wait any more. */
void yield_withdraw(struct journal *journal, const char *directory, int64_t *claimed_at);
