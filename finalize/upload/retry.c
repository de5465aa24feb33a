#include "finalize/upload/retry.h"

uint64_t retry_delay_ms(unsigned tries, uint64_t retry_after_ms, struct rng *rng)
{
    uint64_t bound = RETRY_FIRST_BOUND_MS;

    while (tries-- > 1 && bound < RETRY_LAST_BOUND_MS)
        bound *= 2;
    if (bound > RETRY_LAST_BOUND_MS)
        bound = RETRY_LAST_BOUND_MS;
    if (retry_after_ms)
        return retry_after_ms + rng_up_to(rng, RETRY_FIRST_BOUND_MS);
    return rng_up_to(rng, bound);
}

void retry_succeeded(struct retry_streak *streak)
{
    streak->failing = false;
}

bool retry_goes_on(struct retry_streak *streak, const struct retry_failure *failure,
                   uint64_t patience_ms, struct rng *rng, uint64_t *ret_not_before_ms)
{
    uint64_t delay_ms = retry_delay_ms(failure->tries, failure->retry_after_ms, rng);
    uint64_t failing_ms;

    if (!streak->failing) {
        streak->failing = true;
        streak->since_ms = failure->now_ms;
    }
    failing_ms = failure->now_ms - streak->since_ms;
    *ret_not_before_ms = failure->now_ms + delay_ms;
    if (failure->tries < RETRY_MAX_TRIES && failing_ms + delay_ms <= patience_ms)
        return true;
    if (failure->retry_after_ms)
        streak->asked_until_ms = *ret_not_before_ms;
    return false;
}
