/*
 * sha256_pair - SHA-256 of two streams of bytes at once, on one core.
 *
 * Within one stream each SHA instruction waits for the result of the one before, so that a core
 * does nothing half of the time; with two streams in turn it does both in hardly more time than
 * one. Needs the SHA extensions of x86-64; elsewhere, and for one stream, there is digest.h.
 */
#pragma once

#include "finalize/hash/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_PAIR_BLOCK 64u

struct sha256_pair {
    uint32_t state[2][8];
    uint8_t rest[2][SHA256_PAIR_BLOCK];
    size_t rest_length; /* of each */
    uint64_t length;    /* so far, of each */
};

/* Whether this machine can do it; none of the others may be called when it can't. */
bool sha256_pair_available(void);

void sha256_pair_begin(struct sha256_pair *pair);

/*
 * Adds `length` bytes to each of the streams: a multiple of SHA256_PAIR_BLOCK, but for the last
 * ones.
 */
void sha256_pair_update(struct sha256_pair *pair, const uint8_t *first, const uint8_t *second,
                        size_t length);

void sha256_pair_end(struct sha256_pair *pair, uint8_t ret_first[DIGEST_SHA256_BYTES],
                     uint8_t ret_second[DIGEST_SHA256_BYTES]);
