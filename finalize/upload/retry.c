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

bool retry_goes_on(struct retry_streak *streak, unsigned tries, uint64_t now_ms,
                   uint64_t patience_ms)
{
    if (!streak->failing) {
        streak->failing = true;
        streak->since_ms = now_ms;
    }
    return tries < RETRY_MAX_TRIES && now_ms - streak->since_ms <= patience_ms;
}
