/*
 * part - the part plan: where part N of an object begins and how long it is.
 *
 * Depends on N and the base size alone, never on the object's final length, which is not known
 * while a recording grows. Parts grow, so that 10,000 of them suffice for the largest object while
 * a short recording still has small ones: part N is base * (1 + g * g) bytes with g = (N - 1) /
 * 500, but never over 5 GiB. With 8 MiB: the first 500 parts have 8 MiB (4 GiB in all), the next
 * 500 16 MiB, and 10,000 parts hold 9.5 TiB.
 */
#ifndef FINALIZE_PART_H
#define FINALIZE_PART_H

#include "finalize/s3/s3_limits.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes offset .. offset + length of a file. */
struct part_range {
    uint64_t offset;
    uint64_t length;
};

/* Where part `number` (1..10,000) begins and how long it is when the object is long enough.
 * `base_bytes`: S3_MIN_PART_BYTES..S3_MAX_PART_BYTES. */
struct part_range part_range(uint64_t base_bytes, unsigned number);

/* The same for an object of `size_bytes`: the last part ends with it; a part beyond the end has
 * length 0. */
struct part_range part_range_in(uint64_t base_bytes, unsigned number, uint64_t size_bytes);

/* How many parts an object of `size_bytes` has; 0 for an empty one; S3_MAX_PARTS + 1 when it has
 * more than fit. */
unsigned part_count(uint64_t base_bytes, uint64_t size_bytes);

#endif
