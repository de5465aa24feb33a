/*
 * rate - a limit in bytes per second: a token bucket.
 */
#pragma once

#include <stdint.h>

struct rate {
    uint64_t bytes_per_second; /* 0: no limit */
    double allowance;          /* bytes that may be sent at once; fractions count in the long run */
    uint64_t filled_at_us;
};

/* The bucket begins empty and holds at most a fifth of a second's bytes (and never less than 16
 * KiB). */
void rate_init(struct rate *rate, uint64_t bytes_per_second, uint64_t now_us);

/* Takes up to `wanted` bytes from the bucket; returns how many may be sent now, 0: none yet. */
uint64_t rate_take(struct rate *rate, uint64_t wanted, uint64_t now_us);

/* Microseconds until something worth sending can be taken. 0: now. */
uint64_t rate_wait_us(struct rate *rate, uint64_t now_us);
