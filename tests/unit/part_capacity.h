/*
 * part_capacity - most bytes that the 10,000 parts of a plan hold.
 */
#ifndef TESTS_PART_CAPACITY_H
#define TESTS_PART_CAPACITY_H

#include "finalize/upload/part.h"

static inline uint64_t part_capacity(uint64_t base_bytes)
{
    struct part_range last = part_range(base_bytes, S3_MAX_PARTS);

    return last.offset + last.length;
}

#endif
