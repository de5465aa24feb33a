/*
 * status_daemon - HTTP connections to the status server: few, with little memory and little time,
 * each request answered by status_answer.h. The only file that includes microhttpd.h. Starts no
 * thread; its caller waits and calls.
 */
#pragma once

#include "watcher/http/status_exchange.h"

struct status_daemon;

/* Fills in the facts that a request is answered from. */
typedef void status_daemon_gather(void *context, struct status_facts *ret_facts);

/* Accepts connections of `listen_fd`, which status_daemon_close() closes. NULL when memory runs
 * out: `listen_fd` is the caller's then. */
struct status_daemon *status_daemon_open(int listen_fd, status_daemon_gather *gather,
                                         void *context);

/* Closes all connections. NULL is accepted. */
void status_daemon_close(struct status_daemon *daemon);

/* status_daemon_run() is to be called when it is readable, and after the timeout (milliseconds; -1:
 * none). */
int status_daemon_fd(const struct status_daemon *daemon);
int status_daemon_timeout_ms(const struct status_daemon *daemon);
void status_daemon_run(struct status_daemon *daemon);
