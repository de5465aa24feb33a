#include "finalize/lifecycle/schedule.h"

static uint64_t longest_ms(const struct settings *settings)
{
    return settings->retry_max_ms > settings->retry_min_ms ? settings->retry_max_ms
                                                           : settings->retry_min_ms;
}

int64_t schedule_next_try(const struct settings *settings, unsigned failures, bool needs_person,
                          int64_t now, struct rng *rng)
{
    uint64_t most_ms = longest_ms(settings);
    uint64_t bound_ms = needs_person ? most_ms : settings->retry_min_ms;
    uint64_t delay_ms;

    while (failures-- > 1 && bound_ms < most_ms)
        bound_ms *= 2;
    if (bound_ms > most_ms)
        bound_ms = most_ms;
    delay_ms = bound_ms / 2 + rng_up_to(rng, bound_ms - bound_ms / 2);
    return now + (int64_t)((delay_ms + 999) / 1000);
}

bool schedule_is_due(const struct settings *settings, int64_t next_try_at, int64_t now)
{
    return next_try_at <= now || next_try_at - now > (int64_t)(longest_ms(settings) / 1000) + 1;
}
