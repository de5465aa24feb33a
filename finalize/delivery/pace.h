/*
 * pace - how many requests may be under way at once.
 *
 * Two rules. What the server bears: halved when it says, or shows by a burst of failures, that it
 * wants less, one more after as many successes as the pace is high (additive increase,
 * multiplicative decrease). What it brings: more are tried for a second, and kept while they bring
 * more bytes a second, as where a server limits each connection or answers late; fewer are kept
 * while they bring as many, as on a line that is full: less is under way then that would be lost if
 * we were stopped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pace {
    unsigned now;  /* 1..wanted: what is allowed */
    unsigned most; /* what the settings allow */

    /* What the server bears. */
    unsigned successes; /* since `now` was changed */
    uint64_t calm_until_ms;
    unsigned failures; /* since failures_since_ms */
    uint64_t failures_since_ms;

    /* What it brings. A round of trials goes up as long as that is worth it, or else down. */
    unsigned wanted;        /* 1..most */
    bool in_trial;          /* `wanted` is being tried */
    bool downwards;         /* which way the round goes */
    bool kept_any;          /* of this round's trials */
    unsigned failed_rounds; /* one after the other */
    unsigned wanted_before; /* the trial */
    uint64_t rate_before;   /* bytes a second, then */
    uint64_t next_round_ms; /* not before */
    bool counting;          /* there is a window */
    uint64_t settled_ms;    /* the window's bytes count from then on... */
    uint64_t settled_bytes; /* ...above these; UINT64_MAX: not yet known */
};

/* Begins with 16, or with `most` (0 counts as 1) where that is less. */
void pace_init(struct pace *pace, unsigned most);
void pace_succeeded(struct pace *pace);

/* The server asked for less. Replies to requests of one burst count once: none within a second. */
void pace_slow_down(struct pace *pace, uint64_t now_ms);

/*
 * A request failed as it may when there are too many at once for a server that does not say so: a
 * 5xx, a connection that was reset. A burst of them, three within a second, counts as being asked
 * for less, and as many as there were are not allowed again before a trial brings more bytes.
 */
void pace_failed(struct pace *pace, uint64_t now_ms);

/*
 * To be called whenever something happened, four times a second at least: how many requests are
 * under way, and the bytes that were sent in all. Counts only while as many are under way as are
 * allowed: else it is not the pace that limits.
 */
void pace_measure(struct pace *pace, unsigned under_way, uint64_t bytes_sent, uint64_t now_ms);
