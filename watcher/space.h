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

/*
 * Looks how much is free where `recordings_dir` is, and logs a warning when it will be full within
 * `warning_ms` (0: never) at the rate of the last minutes: when that begins, and every hour while
 * it lasts. To be called every now and then; `now_ms` only goes forward.
 */
void space_look(struct space *space, const char *recordings_dir, uint64_t warning_ms,
                uint64_t now_ms);

#endif
