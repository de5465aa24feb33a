/*
 * rng - random numbers whose seed the caller owns, so that tests repeat.
 *
 * For jitter and marks; not for keys of any kind.
 */
#pragma once

#include <stdint.h>

struct rng {
    uint64_t state;
};

/* Seeds from the kernel (getrandom, or the clock where that is not to be had). */
void rng_seed_from_system(struct rng *rng);

/* The next 64 random bits (splitmix64). */
uint64_t rng_next(struct rng *rng);

/* A number in 0..limit, both included. */
uint64_t rng_up_to(struct rng *rng, uint64_t limit);
