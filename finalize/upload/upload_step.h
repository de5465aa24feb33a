/*
 * upload_step - what an upload asks its driver to do next, as a value.
 */
#pragma once

#include "finalize/s3/s3.h"

#include <stdint.h>

enum upload_step_kind {
    UPLOAD_STEP_NONE,    /* nothing until something that is under way has reported */
    UPLOAD_STEP_REQUEST, /* send `call`, report its result */
    UPLOAD_STEP_READ,    /* read and hash `read`, report the result */
    UPLOAD_STEP_PAUSE,   /* nothing before `until_ms`, unless something reports earlier */
    UPLOAD_STEP_END      /* it has ended: ask upload_error() how */
};

struct upload_step {
    enum upload_step_kind kind;
    unsigned slot;       /* to be handed back with the report */
    struct s3_call call; /* its strings live until that report */
    struct {
        uint64_t offset, length;
        unsigned wants; /* enum hasher_wants */
    } read;
    uint64_t until_ms;
};
