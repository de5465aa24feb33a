/*
 * watched - the session directories that the watcher looks at, and when it looks at each.
 *
 * Sorted by path; times are seconds since 1970.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watched_session {
    char *directory;      /* absolute */
    int64_t look_at;      /* 0: when something happens */
    int64_t ahead;        /* its latest change whose time has not come yet; 0: none */
    int64_t ahead_since;  /* when that change was first seen */
    int64_t unheld_since; /* its row says WORKING, though no process holds its lock; 0: no */
    unsigned left_due;    /* runs in a row that left work due */
    bool handed_over;
    bool waits_for_worker; /* something is to be done, but all workers are busy */
    bool working;          /* a worker of ours is at it */
    bool ended;            /* one has ended since it was looked at last */
};

struct watched_sessions {
    struct watched_session *list;
    size_t count;
};

/* Zero-initialised before. */
void watched_done(struct watched_sessions *sessions);

/* Finds or adds one; borrowed until the next call that adds or removes. NULL without memory. */
struct watched_session *watched_get(struct watched_sessions *sessions, const char *directory);

void watched_remove(struct watched_sessions *sessions, struct watched_session *session);

/* The earliest time to look at one; 0: none. */
int64_t watched_next_look(const struct watched_sessions *sessions);
