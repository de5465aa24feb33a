/*
 * journal_outbox - events that CONFOMEET_WEBHOOK_URL is to be told of, until it was, and the last
 * event of each recording.
 *
 * The events of one recording are handed out in the order in which they were added, each only when
 * the one before is gone. Several processes may take them: one that takes an event has a lease on
 * it.
 */
#pragma once

#include "finalize/base/buffer.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_OUTBOX_MOST       5000u /* events; the oldest ones are dropped beyond that */
#define JOURNAL_OUTBOX_BODY_BYTES (256u * 1024)
#define JOURNAL_OUTBOX_ID_SIZE    37 /* a UUID and the NUL */

struct journal_webhook {
    int64_t id;
    int64_t recording_id;
    char event_id[JOURNAL_OUTBOX_ID_SIZE];
    unsigned tries;     /* before this one */
    struct buffer body; /* owned by the caller: buffer_done() */
};

/* Adds an event. `ret_dropped` is how many had to go for it. */
bool journal_add_webhook(struct journal *journal, int64_t recording_id, const char *event_id,
                         const char *body, int64_t now, unsigned *ret_dropped, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Takes a due event (`recording_id` 0: of any recording), those with the fewest tries first: it is
 * not handed out again before `until`. *ret_found is false when there is none. Its body is to be
 * given to buffer_done() when there is one.
 */
bool journal_take_webhook(struct journal *journal, int64_t recording_id, int64_t now, int64_t until,
                          struct journal_webhook *ret_webhook, bool *ret_found, struct error *err)
    __attribute__((warn_unused_result));

/* It was delivered. */
bool journal_finish_webhook(struct journal *journal, int64_t id, struct error *err)
    __attribute__((warn_unused_result));

/* It was not: to be tried again at `at`, and, with `all`, no other one earlier either. */
bool journal_postpone_webhook(struct journal *journal, int64_t id, int64_t at,
                              const char *last_error, bool all, struct error *err)
    __attribute__((warn_unused_result));

/* When the next event is due; 0: there is none. One that is due already after a clock was set back:
 * `now`. */
bool journal_next_webhook_at(struct journal *journal, int64_t now, int64_t *ret_at,
                             struct error *err) __attribute__((warn_unused_result));

/* The last event that was made of a recording, and how many of its files were safe then. */
enum journal_announced { /* stored */
                         JOURNAL_ANNOUNCED_NOTHING = 0,
                         JOURNAL_ANNOUNCED_UPLOADED = 1,
                         JOURNAL_ANNOUNCED_FAILED = 2
};
bool journal_load_announced(struct journal *journal, int64_t recording_id,
                            enum journal_announced *ret_announced, unsigned *ret_files,
                            struct error *err) __attribute__((warn_unused_result));
bool journal_save_announced(struct journal *journal, int64_t recording_id,
                            enum journal_announced announced, unsigned files, struct error *err)
    __attribute__((warn_unused_result));
