/*
 * part - the part plan: where part N of an object begins and how long it is.
 *
 * Depends on N and the plan alone, never on the object's final length, which is not known while a
 * recording grows. Parts have one size, as some servers demand (Cloudflare R2), for longer than any
 * meeting; the last ones grow, so that 10,000 suffice for the largest object: part N is base *
 * (1 + g * g) bytes, never over 5 GiB, with g = 0 up to part 8,900 and one more for each four
 * parts after it. With 8 MiB: 8,900 parts are 69.5 GiB, 10,000 parts 5.1 TiB.
 */
#pragma once

#include "finalize/s3/s3_limits.h"

#include <stdbool.h>
#include <stdint.h>

/* Fixed when an upload is created. */
struct part_plan {
    uint64_t base_bytes; /* S3_MIN_PART_BYTES..S3_MAX_PART_BYTES */
    bool grows_early;    /* as before version 6 of the journal: one more for each 500 parts */
};

/* Bytes offset .. offset + length of a file. */
struct part_range {
    uint64_t offset;
    uint64_t length;
};

/* Where part `number` (1..10,000) begins and how long it is when the object is long enough. */
struct part_range part_range(struct part_plan plan, unsigned number);

/* The same for an object of `size_bytes`: the last part ends with it; a part beyond the end has
 * length 0. */
struct part_range part_range_in(struct part_plan plan, unsigned number, uint64_t size_bytes);

/* How many parts an object of `size_bytes` has; 0 for an empty one; S3_MAX_PARTS + 1 when it has
 * more than fit. */
unsigned part_count(struct part_plan plan, uint64_t size_bytes);
