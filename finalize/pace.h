/*
 * pace - how many requests may be under way at once.
 *
 * Halved when the server says that it wants less, one more after as many successes as the pace is
 * high: the classic of congestion control (additive increase, multiplicative decrease).
 */
#ifndef FINALIZE_PACE_H
#define FINALIZE_PACE_H

#include <stdint.h>

struct pace {
    unsigned most;      /* what the settings allow */
    unsigned now;       /* 1..most */
    unsigned successes; /* since `now` was changed */
    uint64_t calm_until_ms;
};

void pace_init(struct pace *pace, unsigned most);
void pace_succeeded(struct pace *pace);

/* The server asked for less. Replies to requests of one burst count once: none within a second. */
void pace_slow_down(struct pace *pace, uint64_t now_ms);

#endif
