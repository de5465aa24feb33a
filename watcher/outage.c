#include "watcher/outage.h"

#define FIRST_BOUND_S 5

/* A random time below a bound that doubles with every probe that failed. */
static void plan_probe(struct outage *outage, const struct settings *settings, int64_t now,
                       struct rng *rng)
{
    uint64_t bound_s = settings->retry_min_ms / 1000;

    if (bound_s > FIRST_BOUND_S)
        bound_s = FIRST_BOUND_S;
    for (unsigned i = 0; i < outage->probes && bound_s < OUTAGE_MOST_S; i++)
        bound_s *= 2;
    if (bound_s > OUTAGE_MOST_S)
        bound_s = OUTAGE_MOST_S;
    outage->probe_at = now + 1 + (int64_t)rng_up_to(rng, bound_s - 1);
}

void outage_run_succeeded(struct outage *outage)
{
    *outage = (struct outage){0};
}

void outage_run_failed(struct outage *outage, const struct settings *settings, int64_t now,
                       struct rng *rng)
{
    if (outage->suspected)
        return;
    outage->suspected = true;
    plan_probe(outage, settings, now, rng);
}

bool outage_probe_is_due(const struct outage *outage, int64_t now)
{
    return outage->probe_at && (outage->probe_at <= now || outage->probe_at > now + OUTAGE_MOST_S);
}

bool outage_probe_succeeded(struct outage *outage)
{
    bool was_gone = outage->confirmed;

    *outage = (struct outage){0};
    return was_gone;
}

void outage_probe_failed(struct outage *outage, const struct settings *settings, int64_t now,
                         struct rng *rng)
{
    outage->confirmed = true;
    outage->probes++;
    plan_probe(outage, settings, now, rng);
}
