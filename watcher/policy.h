/*
 * policy - what is to be done about a session directory, given the facts about it.
 *
 * Pure: the facts are gathered, and the decision is carried out, elsewhere. Times are seconds since
 * 1970.
 */
#pragma once

#include "config/settings.h"
#include "watcher/facts.h"
#include "watcher/worker.h"

#include <stdint.h>

struct policy_decision {
    enum worker_kind worker; /* WORKER_SEND_PARTS, WORKER_FINALIZE; WORKER_KINDS: none */
    int64_t look_at;         /* else: look again then; 0: when something happens */
    const char *reason;      /* a literal for the log, NULL when there is nothing to say */
};

struct policy_decision policy_decide(const struct settings *settings, const struct facts *facts,
                                     int64_t now);
