/*
 * disk - when the recordings disk will be full, judged by how its free space shrinks.
 *
 * Pure: samples are given to it. A straight line is laid through those of the last ten minutes
 * (least squares), so that neither one large file that was removed nor one burst decides alone.
 */
#ifndef WATCHER_DISK_H
#define WATCHER_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_MAX_SAMPLES 40u

struct disk_sample {
    uint64_t at_ms; /* of a clock that only goes forward */
    uint64_t free_bytes;
};

struct disk_trend {
    struct disk_sample samples[DISK_MAX_SAMPLES]; /* the oldest first */
    unsigned count;
};

/* Adds a sample. Those closer than 15 s to the one before replace it, so that the ring spans ten
 * minutes however often it is called. An all-zero trend is an empty one. */
void disk_trend_add(struct disk_trend *trend, uint64_t at_ms, uint64_t free_bytes);

/*
 * Seconds until nothing is free, at the rate of the samples. False when the free space does not
 * shrink, or when the samples span less than a minute: nothing can be said then.
 */
bool disk_trend_full_in(const struct disk_trend *trend, uint64_t *ret_seconds);

#endif
