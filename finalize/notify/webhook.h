/*
 * webhook - CONFOMEET_WEBHOOK_URL told of recordings: which events there are, their JSON, their
 * signature, and their delivery. docs/webhook.md describes it.
 *
 * An event is written to the journal together with the state that it tells of, and stays there
 * until it was answered with 2xx: it is delivered at least once, and in order for each recording.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/base/rng.h"
#include "finalize/http/http.h"
#include "finalize/http/loop.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/journal_outbox.h"
#include "finalize/journal/stats.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Makes the events that the row's state calls for, if CONFOMEET_WEBHOOK_URL is set:
 * recording.uploaded when all is safe, once; recording.failed when a person is needed, once;
 * recording.recovered when that is over, before recording.uploaded. `metadata`: the members of
 * metadata.json (metadata.h), or NULL. To be called between
 * journal_begin() and journal_commit(), with the row just saved.
 */
bool webhook_announce(const struct settings *settings, struct journal *journal,
                      const struct journal_recording *row, const char *metadata, struct rng *rng,
                      int64_t now, struct stats *stats, struct error *err)
    __attribute__((warn_unused_result));

/* Builds the request that delivers an event at `now`. ERROR_TRANSIENT without memory. The caller
 * calls http_request_done(). */
bool webhook_build(const struct settings *settings, const struct journal_webhook *webhook,
                   int64_t now, struct http_request *ret_request, struct error *err)
    __attribute__((warn_unused_result));

/* What the reply to it means. */
struct webhook_verdict {
    bool delivered;
    bool down;       /* the receiver is unreachable or failing: other events wait too */
    char error[200]; /* without the address, which may hold a token */
};
void webhook_judge(const struct http_reply *reply, struct webhook_verdict *ret_verdict);

struct webhook_delivery { /* all pointers are borrowed */
    const struct settings *settings;
    struct journal *journal;
    struct loop *loop;
    struct rng *rng;
    struct stats *stats;
    int64_t recording_id; /* its events alone; 0: of all */
    uint64_t patience_ms; /* for all of them together */
    bool (*stop_requested)(void *context);
    void *context;
};

/* Delivers what is due. A receiver that does not answer is no failure; a journal that fails is. */
bool webhook_deliver_due(const struct webhook_delivery *delivery, struct error *err)
    __attribute__((warn_unused_result));

/* The same as work of its own, for the watcher's worker: opens what it needs, and counts. Of
 * `options`: the settings, the patience and the stop. */
bool webhook_run(const struct webhook_delivery *options, const char *recordings_dir, int stop_fd,
                 struct error *err) __attribute__((warn_unused_result));
