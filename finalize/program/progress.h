/*
 * progress - how far an upload is, told at a readable pace: on a terminal by a line that changes,
 * else by a log line at most every ten seconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool started;
    uint64_t told_ms;
    double rate; /* bytes per second, smoothed */
    uint64_t measured_ms;
    uint64_t measured_bytes;
};

/* Takes note of the state at `now_ms` and tells it when it is time to. */
void progress_update(struct progress *progress, uint64_t done_bytes, uint64_t total_bytes,
                     uint64_t now_ms, const char *session_id);

/* Takes the terminal's line away. */
void progress_end(struct progress *progress);

/* "42 %, 12.3 MiB of 29 MiB, 3.1 MiB/s, 5 s left"; rate 0: not known yet. Returns `out`. */
const char *progress_text(uint64_t done_bytes, uint64_t total_bytes, double rate, char *out,
                          unsigned out_size);
