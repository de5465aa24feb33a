/*
 * sessions - the session directories that the watcher keeps an eye on, and when to look at each.
 *
 * Sorted by path; times are seconds since 1970.
 */
#ifndef WATCHER_SESSIONS_H
#define WATCHER_SESSIONS_H

#include "watcher/worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session {
    char *directory;        /* absolute */
    int64_t look_at;        /* 0: when something happens */
    int64_t not_before;     /* no worker of `failed_kind` is started before: the last one failed */
    int64_t gone_since;     /* 0: it is there */
    int64_t ahead;          /* its latest change whose time has not come yet; 0: none */
    int64_t ahead_since;    /* when that change was first seen */
    int64_t row_updated_at; /* of its row in the journal, when that was seen last */
    enum worker_kind failed_kind;
    unsigned failures; /* in a row, of workers of that kind that left nothing in the journal */
    bool handed_over;
    bool waits_for_worker; /* something is to be done, but all workers are busy */
    bool working;          /* a worker of ours is at it */
};

struct sessions {
    struct session *list;
    size_t count;
    size_t room;
};

/* Zero-initialised before. */
void sessions_done(struct sessions *sessions);

/* Finds or adds one; borrowed until the next call that adds or removes. NULL without memory. */
struct session *sessions_get(struct sessions *sessions, const char *directory);

void sessions_remove(struct sessions *sessions, struct session *session);

/* The earliest time to look at one; 0: none. */
int64_t sessions_next_look(const struct sessions *sessions);

#endif
