/*
 * facts - gathers what policy.h decides on, from the journal and the session directory.
 */
#ifndef WATCHER_FACTS_H
#define WATCHER_FACTS_H

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"
#include "watcher/policy.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * `directory`: absolute, links resolved. What is done, but has got media since that are not safe,
 * counts as being recorded. Changes nothing; takes the recording's lock for an instant
 * to see whether somebody has it. `handed_over` and `gone_since` are the caller's to fill in
 * before. Fails when the journal does, or when the directory can't be looked into.
 */
bool facts_gather(const struct settings *settings, struct journal *journal, const char *directory,
                  int64_t now, struct policy_facts *facts, struct error *err)
    __attribute__((warn_unused_result));

#endif
