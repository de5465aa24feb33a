/*
 * failing_alloc_each - one attempt at something, made again and again: each time another allocation
 * fails, until none is left that could.
 */
#pragma once

#include "tests/unit/failing_alloc.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

struct attempt_result {
    bool ok;           /* it worked, and what came out of it is right */
    const char *wrong; /* a promise that was broken, or NULL */
};

/* Ends an attempt's function, early or at its end. */
#define ATTEMPT_WRONG(what) ((struct attempt_result){false, "broken promise: " what})

/*
 * `attempt` does its work and frees all that comes of it, whether it works or not; it calls nothing
 * of Check. At least `least` of its allocations have to have been made to fail.
 */
static inline void fail_each(struct attempt_result (*attempt)(size_t which), size_t which,
                             unsigned long least)
{
    struct attempt_result result;
    struct failing_alloc_result allocations;
    unsigned long nth = 0;

    /* What the libraries set up once isn't to fail: they'd remember it. */
    result = attempt(which);
    ck_assert_msg(!result.wrong && result.ok, "%s, without a failure",
                  result.wrong ? result.wrong : "it does not work");
    do {
        failing_alloc_begin(++nth);
        result = attempt(which);
        allocations = failing_alloc_end();
        ck_assert_msg(!result.wrong, "%s, when allocation %lu fails", result.wrong, nth);
        ck_assert_msg(allocations.kept == 0, "%ld blocks are lost when allocation %lu fails",
                      allocations.kept, nth);
        ck_assert_msg(result.ok || allocations.failed, "it does not work, without a failure");
        ck_assert_uint_lt(nth, 100000);
    } while (allocations.failed);
    ck_assert_uint_gt(nth, least);
}
