/*
 * face_recordings - /api/v1/recordings and /api/v1/recordings/<id>: what the status page shows, and
 * what other programs may read. docs/api.md has its schema.
 */
#ifndef WATCHER_FACE_RECORDINGS_H
#define WATCHER_FACE_RECORDINGS_H

#include "watcher/http/face_answer.h"

#define FACE_RECORDINGS_PATH "/api/v1/recordings"

void face_recordings_answer(const struct face_facts *facts, const struct face_request *request,
                            struct face_reply *reply);
void face_recording_answer(const struct face_facts *facts, const struct face_request *request,
                           struct face_reply *reply);

#endif
