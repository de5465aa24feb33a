/*
 * orphan - recognises an orphan: a session directory whose recording has ended, though no finalizer
 * was called for it. Its files are quiet, and no process has one of them open for writing.
 */
#pragma once

#include "config/settings.h"
#include "watcher/facts.h"

#include <stdbool.h>
#include <stdint.h>

/* When the session becomes an orphan unless something changes in it. */
int64_t orphan_at(const struct settings *settings, const struct facts *facts);

/* For a session that exists, and that the journal does not know or knows as being recorded. */
bool orphan_is(const struct settings *settings, const struct facts *facts, int64_t now);
