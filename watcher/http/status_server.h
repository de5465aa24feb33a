/*
 * status_server - jibri-watcher over HTTP: a thread of its own that listens, and shares nothing
 * with the main loop but what the loop reports.
 *
 * A port that is taken is logged and tried again every minute; the watcher goes on without it.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "watcher/http/status_exchange.h"

#include <stdbool.h>

struct status_server;

/*
 * Starts it. `settings`, `journal` (its path; the file may come, go and be replaced) and
 * `recordings_dir` are borrowed, and not to be changed, while the server is open. With
 * CONFOMEET_STATUS_LISTEN=off, *ret_server is NULL and all is well. Signals are not delivered to
 * its thread. ERROR_TRANSIENT when the thread can't be had.
 */
bool status_server_open(const struct settings *settings, const char *journal,
                        const char *recordings_dir, struct status_server **ret_server,
                        struct error *err) __attribute__((warn_unused_result));

/* Closes its connections and waits for its thread. NULL is accepted. */
void status_server_close(struct status_server *server);

/*
 * The main loop's sign of life, with what it knows: to be given at least every 30 s, else /healthz
 * says after two minutes that the loop hangs. Copied. `server` may be NULL.
 */
void status_server_report(struct status_server *server, const struct status_loop_report *report);
