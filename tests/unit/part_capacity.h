/*
 * part_capacity - most bytes that the 10,000 parts of a plan hold.
 */
#pragma once

#include "finalize/s3/part.h"

static inline uint64_t part_capacity(struct part_plan plan)
{
    struct part_range last = part_range(plan, S3_MAX_PARTS);

    return last.offset + last.length;
}
