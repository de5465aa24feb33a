/*
 * space - warns before the recordings disk is full.
 */
#ifndef WATCHER_SPACE_H
#define WATCHER_SPACE_H

#include "watcher/disk.h"

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised. */
struct space {
    struct disk_trend trend;
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

#endif
