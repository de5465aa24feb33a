/*
 * journal_stats - the numbers of all processes together, kept in the journal, and what its rows say
 * when they are counted.
 *
 * Counting is best effort: when the journal is busy or full, numbers are dropped; a caller waits at
 * most 200 ms.
 */
#pragma once

#include "finalize/journal/journal.h"
#include "finalize/journal/stats.h"

/*
 * Adds what `stats` has counted, in one write, and empties it, whether it could be written or not.
 * Waits for other writers for at most a fifth of a second. Not within journal_begin().
 */
void journal_add_stats(struct journal *journal, struct stats *stats);

/* The numbers of a process, and when the journal was given them last (0 at first). */
struct journal_account {
    struct stats stats;
    uint64_t given_ms;
};

/* As journal_add_stats(), at most every five seconds: calls in between do nothing. */
void journal_add_account(struct journal *journal, struct journal_account *account, uint64_t now_ms);

/* Loads the numbers of all processes; what isn't there is 0. */
bool journal_load_stats(struct journal *journal, struct stats *ret_stats, struct error *err)
    __attribute__((warn_unused_result));

struct journal_counts {
    uint64_t recordings[JOURNAL_RECORDING_ABANDONED + 1]; /* by state */
    uint64_t lost;            /* of those that are DONE, the ones that are not safe (safety.h) */
    uint64_t incomplete;      /* media files that do not play */
    uint64_t unsafe_bytes;    /* of files that are not yet confirmed in the bucket, given-up ones
                                 left out */
    int64_t oldest_unsafe_at; /* of the recordings that are working, waiting or failed: the last
                                 change of a media file, or else when we first saw it; 0: none */
    uint64_t webhooks;        /* events that are still to be delivered */
    uint64_t leftovers;       /* uploads in the bucket that are still to be aborted */
};

bool journal_load_counts(struct journal *journal, struct journal_counts *ret_counts,
                         struct error *err) __attribute__((warn_unused_result));
