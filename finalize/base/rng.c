#include "finalize/base/rng.h"

#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

void rng_seed_from_system(struct rng *rng)
{
    struct timespec now;

    if (getrandom(&rng->state, sizeof rng->state, 0) == (ssize_t)sizeof rng->state)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    rng->state = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 32) ^ (uint64_t)getpid();
}

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_up_to(struct rng *rng, uint64_t limit)
{
    return limit == UINT64_MAX ? rng_next(rng) : rng_next(rng) % (limit + 1);
}
