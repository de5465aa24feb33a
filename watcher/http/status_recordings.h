/*
 * status_recordings - /api/v1/recordings and /api/v1/recordings/<id>: what the status page shows,
 * and what other programs may read. docs/status-schema.md has its schema.
 */
#pragma once

#include "watcher/http/status_exchange.h"

#define STATUS_RECORDINGS_PATH "/api/v1/recordings"

void status_recordings_answer(struct status_exchange *exchange);
void status_recording_answer(struct status_exchange *exchange);
