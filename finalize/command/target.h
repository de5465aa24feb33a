/*
 * target - which recording a person means.
 *
 * By its session directory, its session id or at least 4 of its first characters, its number
 * in the journal, or its meeting id. What several recordings answer to is not guessed.
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct target {
    int64_t id;      /* 0: not in the journal */
    char *directory; /* absolute */
    enum report_state state;
};

struct targets {
    struct target *list;
    size_t count;
};

/*
 * Finds the recordings that `names` name, each once, in their order. ERROR_USAGE when one is
 * ambiguous: the candidates are printed to `out`; ERROR_NO_INPUT when there is none (a directory
 * that is there is one, even if it is not in the journal: state REPORT_FOUND). To be given
 * to targets_done() in any case.
 */
bool targets_find(struct report *report, char *const *names, size_t count, int64_t now, FILE *out,
                  struct targets *ret_targets, struct error *err)
    __attribute__((warn_unused_result));
void targets_done(struct targets *targets);

/* Adds one; `directory` is copied. */
bool targets_add(struct targets *targets, int64_t id, const char *directory,
                 enum report_state state, struct error *err) __attribute__((warn_unused_result));

/* Their directories, NULL-terminated, as report_filter.directories; the list alone is the caller's
 * to free. NULL without memory. */
const char **targets_directories(const struct targets *targets);
