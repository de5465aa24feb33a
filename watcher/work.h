/*
 * work - what a worker process does: `jibri-watcher --work KIND -- SUBJECT`.
 */
#pragma once

#include "config/settings.h"
#include "watcher/worker.h"

/* The kind of that name (worker_names); WORKER_KINDS when there is none. */
enum worker_kind work_find(const char *name);

/* Does it. Returns the exit code (explain.h). */
int work_run(const struct settings *settings, enum worker_kind kind, const char *subject);
