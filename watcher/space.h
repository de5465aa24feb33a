/*
 * space - when the recordings disk will be full, judged by how its free space shrinks, and a
 * warning before it is.
 *
 * A straight line is laid through the samples of the last ten minutes (least squares), so that
 * neither one large file that was removed nor one burst decides alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SPACE_MAX_SAMPLES 40u

struct space_sample {
    uint64_t at_ms; /* of a clock that only goes forward */
    uint64_t free_bytes;
};

struct space_trend {
    struct space_sample samples[SPACE_MAX_SAMPLES]; /* the oldest first */
    unsigned count;
};

/* Adds a sample. Those closer than 15 s to the one before replace it, so that the ring spans ten
 * minutes however often it is called. An all-zero trend is an empty one. */
void space_add_sample(struct space_trend *trend, uint64_t at_ms, uint64_t free_bytes);

/*
 * Seconds until nothing is free, at the rate of the samples. False when the free space does not
 * shrink, or when the samples span less than a minute: nothing can be said then.
 */
bool space_full_in(const struct space_trend *trend, uint64_t *ret_seconds);

/* Zero-initialised. */
struct space {
    struct space_trend trend;
    bool warned;
    uint64_t warned_at_ms;
};

enum space_change {
    SPACE_SAME,
    SPACE_FILLS,  /* it will be full in *ret_full_in_s: to be said */
    SPACE_IS_FINE /* again, after it was said to fill */
};

/* What is new now that `free_bytes` are free; as space_look(), which says it. */
enum space_change space_take(struct space *space, uint64_t free_bytes, uint64_t warning_ms,
                             uint64_t now_ms, uint64_t *ret_full_in_s);

/*
 * Looks how much is free where `recordings_dir` is, and logs a warning when it will be full within
 * `warning_ms` (0: never) at the rate of the last minutes: when that begins, and every hour while
 * it lasts. To be called every now and then; `now_ms` only goes forward.
 */
void space_look(struct space *space, const char *recordings_dir, uint64_t warning_ms,
                uint64_t now_ms);
