/*
 * engine - drives deliveries to their end: a few at a time, each asked for its next step, requests
 * given to the loop, reads to the hasher, and what comes of them given back.
 *
 * Knows nothing of what a delivery is about. Keeps the number of requests under way within the pace
 * (pace.h).
 */
#pragma once

#include "finalize/base/error.h"
#include "finalize/delivery/delivery.h"
#include "finalize/http/loop.h"
#include "finalize/s3/credentials.h"

#include <stdbool.h>
#include <stdint.h>

struct engine_source {
    void *context;
    /* What signs the deliveries' requests: where the platform gives them, they are fetched and
     * renewed in time. May be NULL. */
    struct credentials *credentials;
    /* What is written to it in one turn is one write, done before any request of that turn is sent.
     */
    struct journal *journal;
    /* Opens the next delivery, which the engine owns then; *ret_delivery is NULL when there are no
     * more. */
    bool (*next)(void *context, struct delivery **ret_delivery, struct error *err);
    /* One has ended, well or not; borrowed, closed by the engine afterwards. */
    bool (*ended)(void *context, const struct delivery *delivery, struct error *err);
    /*
     * Called after something happened, and at least every quarter of a second: bytes that the
     * bucket holds of the deliveries under way, how many of them were there before, and bytes of
     * requests that have not ended.
     */
    void (*progress)(void *context, uint64_t held_bytes, uint64_t kept_bytes,
                     uint64_t under_way_bytes);
};

struct engine_limits {
    unsigned parallel;                     /* most requests at once */
    uint64_t deadline_ms;                  /* on clock_now_ms()'s clock */
    bool (*stop_requested)(void *context); /* asked at every turn */
    /*
     * NULL, or asked at every turn whether another process waits that goes first: nothing new is
     * sent from then on, requests under way are given a second to end, and one that must finish
     * (http.h) all the time that it takes.
     */
    bool (*give_way)(void *context);
    void *stop_context; /* of both */
};

enum engine_end { ENGINE_ALL_ENDED, ENGINE_OUT_OF_TIME, ENGINE_STOPPED, ENGINE_GAVE_WAY };

#define ENGINE_GRACE_MS 4000u

/*
 * Runs until all deliveries have ended, the time is over, a stop was requested or it gave way; in
 * the latter cases those under way are dropped where they are: the journal knows where that is. A
 * request that must finish (http.h: a notice, a Complete) is given ENGINE_GRACE_MS to end; nothing
 * new is sent meanwhile. Fails when the journal or memory does.
 */
bool engine_run(struct loop *loop, const struct engine_source *source,
                const struct engine_limits *limits, enum engine_end *ret_end, struct error *err)
    __attribute__((warn_unused_result));
