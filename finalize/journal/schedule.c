#include "finalize/journal/schedule.h"

struct bounds {
    uint64_t least_ms, most_ms;
};

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct bounds bounds_of(const struct settings *settings, enum schedule_kind kind)
{
    uint64_t most_ms = settings->retry_max_ms > settings->retry_min_ms ? settings->retry_max_ms
                                                                       : settings->retry_min_ms;

    switch (kind) {
    case SCHEDULE_RETRY:
        break;
    case SCHEDULE_PERSON:
        return (struct bounds){most_ms, most_ms};
    case SCHEDULE_EVENT:
        return (struct bounds){10000, SCHEDULE_EVENT_LONGEST_S * 1000};
    case SCHEDULE_PROBE:
        return (struct bounds){lesser(5000, settings->retry_min_ms),
                               lesser(20000, settings->retry_min_ms)};
    }
    return (struct bounds){settings->retry_min_ms, most_ms};
}

int64_t schedule_next_try(const struct settings *settings, enum schedule_kind kind,
                          unsigned failures, int64_t now, struct rng *rng)
{
    struct bounds bounds = bounds_of(settings, kind);
    uint64_t bound_ms = bounds.least_ms;
    uint64_t delay_ms;

    while (failures-- > 1 && bound_ms < bounds.most_ms)
        bound_ms *= 2;
    if (bound_ms > bounds.most_ms)
        bound_ms = bounds.most_ms;
    delay_ms = bound_ms / 2 + rng_up_to(rng, bound_ms - bound_ms / 2);
    return now + (int64_t)((delay_ms + 999) / 1000);
}

bool schedule_is_of_another_clock(int64_t at, int64_t now, int64_t most_ahead_s)
{
    return at > now && at - now > most_ahead_s + 1;
}

/* The furthest that next_try_at of a recording or an event is ahead: the longest pause, or the
 * longest Retry-After that is heeded. */
static int64_t longest_s(const struct settings *settings)
{
    uint64_t pause_s = bounds_of(settings, SCHEDULE_PERSON).most_ms / 1000;

    return (int64_t)(pause_s > SETTINGS_LONGEST_RETRY_AFTER_S ? pause_s
                                                              : SETTINGS_LONGEST_RETRY_AFTER_S);
}

bool schedule_is_due(const struct settings *settings, int64_t next_try_at, int64_t now)
{
    return next_try_at <= now ||
           schedule_is_of_another_clock(next_try_at, now, longest_s(settings));
}
