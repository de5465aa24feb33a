/*
 * probe_private - what the files probe*.c share: probe.c tells what was found and asks the backend,
 * probe_bucket.c asks the bucket.
 */
#pragma once

#include "finalize/delivery/probe.h"
#include "finalize/s3/network.h"

#define PROBE_PATIENCE_MS 30000u

struct probe {
    const struct settings *settings;
    void (*finding)(const struct probe_finding *finding);
    bool all_fine;
    struct loop *loop;
    struct s3 *s3;
    char key[S3_MAX_KEY_BYTES + 1];
    char upload_id[S3_UPLOAD_ID_SIZE];
    char mark[S3_MARK_SIZE];
    struct s3_object_metadata metadata;
    uint64_t patience_ms; /* for one request */
    bool clock_told, keys_told, stays_told;
};

/* Findings. `text` is used until the call returns. */
void probe_fine(struct probe *probe, const char *subject, const char *text);
void probe_note(struct probe *probe, const char *subject, const char *text, const char *advice);
void probe_wrong(struct probe *probe, const char *subject, const char *text, const char *advice);
void probe_wrong_because(struct probe *probe, const char *subject, const struct error *error);

/* Opens probe->s3, which the caller closes, and asks the bucket. */
void probe_bucket(struct probe *probe, enum probe_extent extent);
