/*
 * loop - the only place that moves bytes: many HTTP requests at once, in one thread.
 *
 * Takes requests as values and gives replies as values; decides nothing, retries nothing. Nothing
 * here waits for a DNS lookup: when a request ends during its lookup, the lookup is detached and
 * ends by itself.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/http/http.h"

#include <stdbool.h>
#include <stdint.h>

/* A request to stop: `fd` is readable as long as there may be a new one, and `requested` says
 * whether there was one. */
struct loop_stop {
    int fd; /* -1: none */
    bool (*requested)(void *context);
    void *context;
};

struct loop;

/*
 * Certificates, proxy and connect timeout are those of the settings, borrowed while the loop is
 * open. `rate_limit`: bytes of request bodies per second, of all requests together; 0: none. `stop`
 * may be NULL: nothing stops it. ERROR_TRANSIENT: no memory.
 */
bool loop_open(const struct settings *settings, uint64_t rate_limit, const struct loop_stop *stop,
               struct loop **ret_loop, struct error *err) __attribute__((warn_unused_result));

/* Cancels what is under way. */
void loop_close(struct loop *loop);

/*
 * Starts a request. On success its content is taken, and `request` is left empty; on failure (no
 * memory) it is untouched. `owner` and `slot` come back with the reply.
 */
bool loop_start(struct loop *loop, struct http_request *request, void *owner, unsigned slot,
                struct error *err) __attribute__((warn_unused_result));

/*
 * Moves bytes until a request has ended, loop_wake() was called, the stop's descriptor is readable
 * or `timeout_ms` have passed, whichever is first.
 */
bool loop_wait(struct loop *loop, uint64_t timeout_ms, struct error *err)
    __attribute__((warn_unused_result));

struct loop_reply {
    void *owner;
    unsigned slot;
    struct http_reply http; /* owned by the caller: http_reply_done() */
};

/* Fetches a reply that has arrived (or failed); false when there is none. */
bool loop_collect(struct loop *loop, struct loop_reply *ret_reply);

/* Drops all requests of `owner`: no replies of them come any more. */
void loop_cancel(struct loop *loop, const void *owner);

/* Makes loop_wait() return. May be called by any thread, `loop` being a struct loop. */
void loop_wake(void *loop);

/* Requests started and not yet collected. */
unsigned loop_pending(const struct loop *loop);

/* Of those, the ones that must_finish and whose connection stands: the peer may act on them. */
unsigned loop_must_finish(const struct loop *loop);

/* Bytes of request bodies handed to the network since the loop was opened, whatever became of them.
 */
uint64_t loop_bytes_sent(const struct loop *loop);

/* Of those, bytes of requests that have not ended yet. */
uint64_t loop_bytes_under_way(const struct loop *loop);

/*
 * Sends one request and waits for its reply until `deadline_ms` (clock_now_ms()) or a request to
 * stop, which are HTTP_FAILED_TIMEOUT; with no other request under way. The request's content is
 * taken. `ret_reply` is initialised in any case.
 */
void loop_exchange(struct loop *loop, struct http_request *request, uint64_t deadline_ms,
                   struct http_reply *ret_reply);
