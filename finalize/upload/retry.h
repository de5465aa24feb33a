/*
 * retry - how long to wait before something is sent again, and when to leave it for now.
 *
 * Exponential back-off with full jitter: a random time between nothing and a bound that doubles
 * with each try, so that many recorders whose server comes back do not all return at the same
 * instant.
 */
#pragma once

#include "finalize/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

#define RETRY_FIRST_BOUND_MS 200u
#define RETRY_LAST_BOUND_MS  20000u
#define RETRY_MAX_TRIES                                                       \
    40u /* of one request: 60 % failures stop an upload once in 10^9 requests \
         */

/*
 * Milliseconds to wait after try number `tries` (from 1) failed. Never less than `retry_after_ms`,
 * what the server asked for; that much and a little jitter when it asked for something.
 */
uint64_t retry_delay_ms(unsigned tries, uint64_t retry_after_ms, struct rng *rng);

/* Failures without any success in between, of one upload or notice. */
struct retry_streak {
    bool failing;
    uint64_t since_ms;
    uint64_t asked_until_ms; /* it was left since the server asked for a pause until then; 0: not */
};

void retry_succeeded(struct retry_streak *streak);

/* The failure of a request: its `tries`th (from 1), and what the server asked for (0: nothing). */
struct retry_failure {
    unsigned tries;
    uint64_t retry_after_ms;
    uint64_t now_ms;
};

/*
 * Notes a failure. True when the request is to be sent again, not before *ret_not_before_ms. False
 * when it is to be left for now: it was tried RETRY_MAX_TRIES times, or the next try, after the
 * server's pause or our own, would come more than `patience_ms` after the last success.
 */
bool retry_goes_on(struct retry_streak *streak, const struct retry_failure *failure,
                   uint64_t patience_ms, struct rng *rng, uint64_t *ret_not_before_ms);
