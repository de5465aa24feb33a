/*
 * journal_place - where the journal of a recordings directory is.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_PLACE_SIZE          (SESSION_PATH_SIZE + 32)
#define JOURNAL_PLACE_SENTENCE_SIZE (JOURNAL_PLACE_SIZE + 256)

/*
 * CONFOMEET_JOURNAL, or else journal.db in the directory .jibri-finalize of
 * CONFOMEET_RECORDINGS_DIR, or else of `parent`, the directory above a session's. False when the
 * path is too long.
 */
bool journal_place(const struct settings *settings, const char *parent,
                   char ret_path[JOURNAL_PLACE_SIZE]);

/* Opens it, as journal_open() does. */
bool journal_place_open(const struct settings *settings, const char *parent,
                        struct journal **ret_journal, struct error *err)
    __attribute__((warn_unused_result));

/*
 * Sets a journal aside that can't be used (ERROR_DAMAGED from any call, or no permission): it is
 * renamed to journal.db.damaged-<time>, so that a new one can be made. `ret_sentence` says so, for
 * the log; "" when another process has done so already. Fails, and touches nothing, when
 * CONFOMEET_JOURNAL names something that never was a journal.
 */
bool journal_place_set_aside(const struct settings *settings, const char *parent,
                             char ret_sentence[JOURNAL_PLACE_SENTENCE_SIZE], struct error *err)
    __attribute__((warn_unused_result));
